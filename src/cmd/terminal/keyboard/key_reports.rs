//! The reports of keys, as the bytes by which rustyline knows them. A key without a meaning here is no
//! bytes at all.
//!
//! Terminals report one key in several ways: as the VT100 did, as rxvt does, as xterm does it where
//! `modifyOtherKeys` is on, as kitty does. The last two may be on although this program never asks for
//! them, because another one has left them so.

use std::str;

/// A line break in the line. Enter with Alt, Shift or Ctrl makes one.
pub(super) const NEW_LINE: &[u8] = b"\x1b\r";
const ENTER: &[u8] = b"\r";
const BACK_TAB: &[u8] = b"\x1b[Z";

/// What the keypad sends from SS3 `j` on, one letter after the other.
const KEYPAD: &[u8; 16] = b"*+,-./0123456789";
/// kitty's numbers for the keypad begin here (its keyboard protocol, "Functional key definitions").
const KITTY_KEYPAD: u32 = 57399;
const KITTY_KEYPAD_KEYS: &[u8] = b"0123456789./*-+\r=,";
const KITTY_ARROWS: &[u8] = b"DCAB";
const KITTY_HOME: u32 = 57423;

/// The keys that are held down beside another one.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
struct Modifiers {
    shift: bool,
    alt: bool,
    control: bool,
}

impl Modifiers {
    /// Reads the number of a report, which is one more than the sum of the bits. `None` where a key is
    /// held down with which no key has a meaning here: Super, Hyper, Meta.
    fn of(number: u32) -> Option<Self> {
        let bits = number.saturating_sub(1);
        (bits & 0b11_1000 == 0).then_some(Self {
            shift: bits & 1 != 0,
            alt: bits & 2 != 0,
            control: bits & 4 != 0,
        })
    }

    fn number(self) -> u32 {
        1 + u32::from(self.shift) + 2 * u32::from(self.alt) + 4 * u32::from(self.control)
    }

    fn is_any(self) -> bool {
        self != Self::default()
    }
}

/// The key that CSI, these parameters and this final byte report.
pub(super) fn of_control_sequence(parameters: &[u8], end: u8) -> Vec<u8> {
    let Some(parameters) = Parameters::read(parameters) else {
        return Vec::new();
    };
    let modifiers = parameters.modifiers(1);
    match (end, parameters.number(0)) {
        (b'A'..=b'D' | b'F' | b'H', None | Some(0 | 1)) => moving(end, modifiers),
        // Some terminals leave out the 1.
        (b'A'..=b'D' | b'F' | b'H', Some(number)) => moving(end, Modifiers::of(number)),
        (b'Z', _) => BACK_TAB.to_vec(),
        (b'~', Some(1 | 7)) => moving(b'H', modifiers),
        (b'~', Some(4 | 8)) => moving(b'F', modifiers),
        (b'~', Some(3)) => delete(modifiers),
        (b'~', Some(number @ (200 | 201))) => format!("\x1b[{number}~").into(),
        (b'~', Some(27)) => {
            let code = parameters.number(2).and_then(char::from_u32);
            code.map_or(Vec::new(), |code| character(code, code, modifiers))
        }
        (b'u', Some(code)) => kitty(code, &parameters, modifiers),
        _ => Vec::new(),
    }
}

/// The key that SS3, these parameters and this final byte report.
pub(super) fn of_single_shift(parameters: &[u8], end: u8) -> Vec<u8> {
    let parameters = Parameters::read(parameters).unwrap_or_default();
    // There are terminals that report `SS3 5 A`, and others that report `SS3 1 ; 5 A`.
    let modifiers = parameters.modifiers(parameters.count().saturating_sub(1));
    let control = Modifiers {
        control: true,
        ..Modifiers::default()
    };
    match end {
        b'A'..=b'D' | b'F' | b'H' => moving(end, modifiers),
        b'a'..=b'd' => moving(end.to_ascii_uppercase(), Some(control)),
        b'M' => character('\r', '\r', modifiers),
        b'j'..=b'y' => KEYPAD
            .get(usize::from(end - b'j'))
            .copied()
            .into_iter()
            .collect(),
        b'X' => b"=".to_vec(),
        b'I' => b"\t".to_vec(),
        b' ' => b" ".to_vec(),
        _ => Vec::new(),
    }
}

/// A key with Alt besides. It makes a difference to the keys that move.
pub(super) fn with_alt(key: Vec<u8>) -> Vec<u8> {
    let (parameters, end) = match *key {
        [0x1b, b'[', end @ b'A'..=b'H'] => (&b""[..], end),
        [0x1b, b'[', b'1', b';', ref number, end] => (std::slice::from_ref(number), end),
        _ => return key,
    };
    let held = Parameters::read(parameters)
        .unwrap_or_default()
        .modifiers(0);
    moving(end, held.map(|held| Modifiers { alt: true, ..held }))
}

fn moving(end: u8, modifiers: Option<Modifiers>) -> Vec<u8> {
    let end = char::from(end);
    match modifiers {
        None => Vec::new(),
        Some(held) if held.is_any() => format!("\x1b[1;{}{end}", held.number()).into(),
        Some(_) => format!("\x1b[{end}").into(),
    }
}

fn delete(modifiers: Option<Modifiers>) -> Vec<u8> {
    let is_alone = modifiers.is_some_and(|held| !held.is_any());
    if is_alone {
        b"\x1b[3~".to_vec()
    } else {
        Vec::new()
    }
}

/// A key of kitty's protocol: its number, with the shifted one, and perhaps the text that it types.
fn kitty(code: u32, parameters: &Parameters, modifiers: Option<Modifiers>) -> Vec<u8> {
    let keypad = |first: u32, keys: &'static [u8]| {
        let at = code
            .checked_sub(first)
            .and_then(|at| usize::try_from(at).ok());
        at.and_then(|at| keys.get(at)).copied()
    };
    if let Some(key) = keypad(KITTY_KEYPAD, KITTY_KEYPAD_KEYS) {
        let key = char::from(key);
        return character(key, key, modifiers);
    }
    let arrows = KITTY_KEYPAD + 18;
    if let Some(end) = keypad(arrows, KITTY_ARROWS).or(keypad(KITTY_HOME, b"HF")) {
        return moving(end, modifiers);
    }
    let Some(key) = char::from_u32(code) else {
        return Vec::new();
    };
    let typed = parameters.number(2).or(parameters.sub_number(0));
    let shifted = typed.and_then(char::from_u32).unwrap_or(key);
    character(key, shifted, modifiers)
}

/// A key that has a character, and what it is with Shift.
fn character(key: char, shifted: char, modifiers: Option<Modifiers>) -> Vec<u8> {
    let Some(held) = modifiers else {
        return Vec::new();
    };
    let bytes = match key {
        '\r' if held.is_any() => return NEW_LINE.to_vec(),
        '\r' => return ENTER.to_vec(),
        '\t' if held.shift => return BACK_TAB.to_vec(),
        '\t' if held.is_any() => return Vec::new(),
        '\t' => return b"\t".to_vec(),
        '\x7f' | '\x08' => b"\x7f".to_vec(),
        _ if held.control => match control(key) {
            Some(control) => vec![control],
            None => return Vec::new(),
        },
        // Private characters stand for keys that type nothing.
        '\u{e000}'..='\u{f8ff}' => return Vec::new(),
        _ if key.is_control() || shifted.is_control() => return Vec::new(),
        _ if held.shift && shifted == key => key.to_uppercase().to_string().into(),
        _ => shifted.to_string().into(),
    };
    if held.alt {
        [b"\x1b", bytes.as_slice()].concat()
    } else {
        bytes
    }
}

/// The control character that a key with Ctrl is, but for Escape, which has no meaning.
fn control(key: char) -> Option<u8> {
    let key = u8::try_from(key).ok()?.to_ascii_uppercase();
    match key {
        b'A'..=b'Z' | b'\\' | b']' | b'^' | b'_' => Some(key & 0x1f),
        b'/' => Some(0x1f),
        _ => None,
    }
}

/// The parameters of a report: numbers between semicolons, each of which may have more behind colons.
#[derive(Default)]
struct Parameters<'a>(Vec<&'a str>);

impl<'a> Parameters<'a> {
    /// Reads them. `None` where they are not a key's: a sign before them makes them something else.
    fn read(parameters: &'a [u8]) -> Option<Self> {
        let is_of_a_key = |byte: &u8| matches!(byte, b'0'..=b'9' | b';' | b':');
        let parameters = parameters.iter().all(is_of_a_key).then_some(parameters)?;
        Some(Self(str::from_utf8(parameters).ok()?.split(';').collect()))
    }

    fn count(&self) -> usize {
        self.0.len()
    }

    fn number(&self, at: usize) -> Option<u32> {
        self.0.get(at)?.split(':').next()?.parse().ok()
    }

    /// The number behind the first colon.
    fn sub_number(&self, at: usize) -> Option<u32> {
        self.0.get(at)?.split(':').nth(1)?.parse().ok()
    }

    /// The modifiers that stand there; none if nothing does. `None` where no key has a meaning with them,
    /// or the report is that the key was released.
    fn modifiers(&self, at: usize) -> Option<Modifiers> {
        const RELEASED: u32 = 3;
        let is_released = self.sub_number(at) == Some(RELEASED);
        let modifiers = Modifiers::of(self.number(at).unwrap_or(1));
        modifiers.filter(|_| !is_released)
    }
}
