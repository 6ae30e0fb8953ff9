//! Makes of what a terminal sends what rustyline understands.
//!
//! Text passes. A byte that is not UTF-8 is read as Windows-1252 (and so as Latin-1, which is a part of it):
//! text that was copied or typed in another encoding then mostly stands in the line as it was meant, and
//! where it does not, the user sees it before it is sent. Of the control sequences, only those pass that
//! rustyline knows as a key. All others are taken whole, or what they end in would be typed.

use std::str;
use std::time::Duration;

use super::key_reports;

/// How long an Escape waits for the rest of a key's report.
const ESCAPE_WAIT: Duration = Duration::from_millis(50);
/// How long what has begun waits for its next byte: a report, an answer, a character. Nobody types the
/// beginning of one, so it is the network that is slow.
const WAIT: Duration = Duration::from_secs(1);
/// The longest answer of a terminal, and the longest parameters of a key, in bytes. What is longer is none.
const MAX_ANSWER: usize = 4096;
/// How much is kept of what has begun: an Escape for Alt, two bytes that begin something, the longest
/// answer, and a byte of its end.
const MAX_BEGUN: usize = 1 + 2 + MAX_ANSWER + 1;

const ESCAPE: u8 = 0x1b;
/// The first of the two bytes that C1 controls have in UTF-8.
const C1: u8 = 0xc2;
const PASTE_BEGINS: &[u8] = b"\x1b[200~";
const PASTE_ENDS: &[u8] = b"\x1b[201~";
/// The terminal has got the focus, or has lost it.
const FOCUS_IN: &[u8] = b"\x1b[I";
const FOCUS_OUT: &[u8] = b"\x1b[O";

/// What the bytes from 0x80 to 0x9f are in Windows-1252. Five are nothing.
const WINDOWS_1252: &[char; 32] = &[
    '€', '\u{fffd}', '‚', 'ƒ', '„', '…', '†', '‡', 'ˆ', '‰', 'Š', '‹', 'Œ', '\u{fffd}', 'Ž',
    '\u{fffd}', '\u{fffd}', '‘', '’', '“', '”', '•', '–', '—', '˜', '™', 'š', '›', 'œ', '\u{fffd}',
    'ž', 'Ÿ',
];

/// The decoder. It keeps what has begun and not ended.
#[derive(Default)]
pub(super) struct Decoder {
    begun: Vec<u8>,
    /// Whether the bytes are those of a paste.
    pastes: bool,
    /// Whether the last thing was an Escape that waited for nothing, not long ago.
    gave_up_escape: bool,
    /// The last sign of the user that nobody has taken.
    sign: Option<Sign>,
}

/// What tells whether the user looks at the terminal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sign {
    /// Something is typed or pasted.
    Key,
    /// The terminal has got the focus, or has lost it.
    Focus(bool),
}

/// What the bytes at hand begin with.
enum Token {
    /// This many bytes, which mean these.
    Known(usize, Vec<u8>),
    /// Perhaps something of which more is to come.
    Begun,
}

impl Decoder {
    /// Decodes what the terminal sent, and returns what rustyline should read.
    pub(super) fn decode(&mut self, sent: &[u8]) -> Vec<u8> {
        // Hardly anybody types a bracket and more in one go just then. So it is the rest of what the
        // Escape began. Of a letter and more that cannot be said.
        if std::mem::take(&mut self.gave_up_escape) && matches!(sent, [b'[', _, ..]) {
            self.begun.push(ESCAPE);
        }
        self.begun.extend_from_slice(sent);
        self.take_known(false)
    }

    /// How long the rest of what has begun may take, or that of an Escape that was given up. `None` if
    /// there is neither.
    pub(super) fn patience(&self) -> Option<Duration> {
        if self.begun.is_empty() {
            return self.gave_up_escape.then_some(WAIT);
        }
        let is_escape = self.begun.iter().all(|byte| *byte == ESCAPE);
        Some(if is_escape { ESCAPE_WAIT } else { WAIT })
    }

    /// Whether a paste has begun and not ended.
    pub(super) fn is_in_paste(&self) -> bool {
        self.pastes
    }

    /// Takes the last sign of the user.
    pub(super) fn take_sign(&mut self) -> Option<Sign> {
        self.sign.take()
    }

    /// Expects no rest of what has begun, and returns what rustyline should read.
    pub(super) fn give_up(&mut self) -> Vec<u8> {
        self.gave_up_escape = self.begun == [ESCAPE];
        self.take_known(true)
    }

    /// Takes everything up to what has begun and not ended; or everything, if there is nothing more to
    /// come.
    fn take_known(&mut self, is_all: bool) -> Vec<u8> {
        let bytes = std::mem::take(&mut self.begun);
        let mut rest = bytes.as_slice();
        let mut decoded = Vec::with_capacity(bytes.len());
        while !rest.is_empty() {
            let (taken, meaning) = match self.first(rest) {
                Token::Known(taken, meaning) => (taken, meaning),
                Token::Begun if is_all => unfinished(rest),
                Token::Begun => break,
            };
            self.pastes = match meaning.as_slice() {
                PASTE_BEGINS => true,
                PASTE_ENDS => false,
                _ => self.pastes,
            };
            // What is pasted can look like a report, and may be somebody else's text.
            match rest.get(..taken) {
                Some(FOCUS_IN) if !self.pastes => self.sign = Some(Sign::Focus(true)),
                Some(FOCUS_OUT) if !self.pastes => self.sign = Some(Sign::Focus(false)),
                _ if !meaning.is_empty() => self.sign = Some(Sign::Key),
                _ => {}
            }
            decoded.extend(meaning);
            rest = rest.get(taken..).unwrap_or_default();
        }
        // Longer is only the report of a key with too many parameters. Without the last of them it still has
        // too many. So it is no key, and what is yet to come of it is taken with it.
        self.begun = rest.get(..MAX_BEGUN).unwrap_or(rest).to_vec();
        decoded
    }

    fn first(&self, bytes: &[u8]) -> Token {
        match *bytes {
            [ESCAPE] => Token::Begun,
            // More of them than two say no more than two.
            [ESCAPE, ESCAPE, ESCAPE, ..] => Token::Known(1, Vec::new()),
            [ESCAPE, kind, ..] if kind.is_ascii() => self.sequence(kind, bytes),
            [ESCAPE, ..] => Token::Known(1, Vec::new()),
            // An Escape and what follows it can also be one character (ECMA-48 §5.3).
            [C1, byte @ (0x8f | 0x90 | 0x98 | 0x9b | 0x9d..=0x9f), ..] => {
                self.sequence(byte - 0x40, bytes)
            }
            [byte, ..] if byte.is_ascii() => Token::Known(1, vec![byte]),
            _ => character(bytes),
        }
    }

    /// What begins with an Escape and this byte, or with what stands for both.
    fn sequence(&self, kind: u8, bytes: &[u8]) -> Token {
        let body = bytes.get(2..).unwrap_or_default();
        match kind {
            b'[' => self.control_sequence(body),
            b'O' => self.single_shift(body),
            b']' | b'P' | b'X' | b'^' | b'_' => self.answer(kind, body),
            // A key is no part of what is pasted, and a character is.
            _ if self.pastes => Token::Known(1, Vec::new()),
            // Some terminals send Alt and a key like that.
            ESCAPE => match self.first(bytes.get(1..).unwrap_or_default()) {
                Token::Known(taken, key) => Token::Known(1 + taken, key_reports::with_alt(key)),
                Token::Begun => Token::Begun,
            },
            b'\n' | b'\r' => Token::Known(2, key_reports::NEW_LINE.to_vec()),
            _ => Token::Known(2, vec![ESCAPE, kind]),
        }
    }

    /// CSI: parameters, perhaps intermediate bytes, and a final byte (ECMA-48 §5.4).
    fn control_sequence(&self, body: &[u8]) -> Token {
        let nothing = |taken| Token::Known(2 + taken, Vec::new());
        let (parameters, rest) = split(body, |byte| matches!(byte, b'0'..=b'?'));
        let is_one_number = matches!(parameters, [b'0'..=b'9'] | [b'0'..=b'9', b'0'..=b'9']);
        let (intermediates, rest) = split(rest, |byte| matches!(byte, b' '..=b'/'));
        let length = parameters.len() + intermediates.len();
        // rxvt ends the report of a key with Shift like that, against the standard.
        if is_one_number && intermediates.starts_with(b"$") {
            return nothing(parameters.len() + 1);
        }
        match *rest {
            [] => Token::Begun,
            // Linux reports the first five function keys like that.
            [b'['] if length == 0 => Token::Begun,
            [b'[', _, ..] if length == 0 => nothing(2),
            [b'M', ref report @ ..] if length == 0 && !self.pastes => mouse(report),
            [end @ b'@'..=b'~', ..] => {
                let key = key_reports::of_control_sequence(parameters, end);
                let is_key = intermediates.is_empty()
                    && parameters.len() < MAX_ANSWER
                    && (!self.pastes || key == PASTE_ENDS);
                Token::Known(2 + length + 1, if is_key { key } else { Vec::new() })
            }
            // What is no part of a sequence ends it, and is itself.
            _ => nothing(length),
        }
    }

    /// SS3: the keys of the keypad, and others where the keypad sends its own (ECMA-48 §8.3.142).
    fn single_shift(&self, body: &[u8]) -> Token {
        let (parameters, rest) = split(body, |byte| matches!(byte, b'0'..=b'9' | b';'));
        match *rest {
            [] => Token::Begun,
            [end @ b' '..=b'~', ..] => {
                let key = key_reports::of_single_shift(parameters, end);
                let is_key = parameters.len() < MAX_ANSWER && !self.pastes;
                Token::Known(
                    2 + parameters.len() + 1,
                    if is_key { key } else { Vec::new() },
                )
            }
            _ => Token::Known(2 + parameters.len(), Vec::new()),
        }
    }

    /// OSC, DCS, SOS, PM and APC: a string of the terminal, up to its end (ECMA-48 §5.6). They begin with what
    /// somebody may type with Alt. So what follows OSC and DCS, which answer something, must look like an
    /// answer. The others have no form, and no key of ours begins like them: what is typed behind one is read
    /// when it has not ended for a while.
    fn answer(&self, kind: u8, body: &[u8]) -> Token {
        let key = if self.pastes {
            vec![kind]
        } else {
            vec![ESCAPE, kind]
        };
        let begins = match (kind, body.first()) {
            (_, None) => return Token::Begun,
            (b']', Some(first)) => matches!(first, b'0'..=b'9' | b'l' | b'L'),
            (b'P', Some(first)) => matches!(first, b'0'..=b'9' | b'>' | b'!' | b'$' | b'+'),
            _ => true,
        };
        let (text, rest) = split(body, |byte| !byte.is_ascii_control() && *byte != C1);
        let end = match *rest {
            [b'\x07', ..] => 1,
            [ESCAPE, b'\\', ..] | [C1, 0x9c, ..] => 2,
            [] | [ESCAPE | C1] if begins && text.len() < MAX_ANSWER => return Token::Begun,
            _ => return Token::Known(2, key),
        };
        if begins {
            Token::Known(2 + text.len() + end, Vec::new())
        } else {
            Token::Known(2, key)
        }
    }
}

/// The bytes at the beginning that are of a kind, and the rest.
fn split(bytes: &[u8], is_kind: impl Fn(&u8) -> bool) -> (&[u8], &[u8]) {
    let length = bytes.iter().take_while(|byte| is_kind(byte)).count();
    bytes.split_at(length)
}

/// The oldest report of a mouse: three bytes follow, or three characters, whatever they are.
fn mouse(report: &[u8]) -> Token {
    let mut taken = 0;
    for _ in 0..3 {
        taken += match *report.get(taken..).unwrap_or_default() {
            [] | [0xc2..=0xdf] => return Token::Begun,
            [0xc2..=0xdf, 0x80..=0xbf, ..] => 2,
            [byte, ..] if byte.is_ascii_control() => return Token::Known(3, Vec::new()),
            _ => 1,
        };
    }
    Token::Known(3 + taken, Vec::new())
}

/// A character that is not ASCII.
fn character(bytes: &[u8]) -> Token {
    let beginning = bytes.get(..4).unwrap_or(bytes);
    let (valid, is_whole) = match str::from_utf8(beginning) {
        Ok(text) => (text.len(), true),
        Err(error) => (error.valid_up_to(), error.error_len().is_some()),
    };
    let valid = beginning
        .get(..valid)
        .and_then(|valid| str::from_utf8(valid).ok());
    match (valid.and_then(|text| text.chars().next()), beginning) {
        (Some(character), _) => Token::Known(character.len_utf8(), character.to_string().into()),
        (None, &[byte, ..]) if is_whole => Token::Known(1, windows_1252(byte)),
        _ => Token::Begun,
    }
}

/// A byte that is not UTF-8, as UTF-8.
fn windows_1252(byte: u8) -> Vec<u8> {
    let at = byte.checked_sub(0x80).map(usize::from);
    let character = at.and_then(|at| WINDOWS_1252.get(at)).copied();
    character
        .unwrap_or(char::from(byte))
        .to_string()
        .into_bytes()
}

/// What has begun and will not go on: how many bytes of it are to be taken, and what they mean.
fn unfinished(bytes: &[u8]) -> (usize, Vec<u8>) {
    match *bytes {
        // Text behind what somebody typed with Alt.
        [ESCAPE, b']' | b'P' | b'X' | b'^' | b'_', ..] | [C1, 0x90 | 0x98 | 0x9d..=0x9f, ..] => {
            (2, Vec::new())
        }
        [ESCAPE, ESCAPE, ..] => (1, Vec::new()),
        [ESCAPE, ..] | [C1, 0x9b | 0x8f, ..] => (bytes.len(), Vec::new()),
        [byte, ..] => (1, windows_1252(byte)),
        [] => (0, Vec::new()),
    }
}

#[cfg(test)]
mod tests;
