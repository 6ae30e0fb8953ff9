//! What people write: on the terminal, in arguments, into files, and to each other.

use e2echat::cipher::fingerprint::Fingerprint;
use e2echat::cipher::pem::{IdentityPem, encode};
use e2echat::cmd::user_input::{
    Address, AddressBook, Command, JsonRequest, Line, Note, RecordKind, RequestBody, RoomAddress,
    RoomOrInvite, Typed, fingerprints, invite_in,
};
use e2echat::room::names::{Nick, RoomName};
use e2echat::room::session::Standing;
use e2echat::room::text::{SafeText, parse_visible};
use unicode_width::UnicodeWidthChar as _;

/// What has no form of its own, from Unicode's own list of `Default_Ignorable_Code_Point`, and the
/// characters that change the direction of text.
const INVISIBLE: [(u32, u32); 17] = [
    (0xad, 0xad),
    (0x34f, 0x34f),
    (0x61c, 0x61c),
    (0x115f, 0x1160),
    (0x17b4, 0x17b5),
    (0x180b, 0x180f),
    (0x200b, 0x200f),
    (0x2028, 0x202e),
    (0x2060, 0x206f),
    (0x3164, 0x3164),
    (0xfe00, 0xfe0f),
    (0xfeff, 0xfeff),
    (0xffa0, 0xffa0),
    (0xfff0, 0xfffb),
    (0x1bca0, 0x1bca3),
    (0x1d173, 0x1d17a),
    (0xe0000, 0xe0fff),
];

/// Of these what shapes letters and pictures: joiners, and what chooses between picture and text.
const SHAPING: [char; 4] = ['\u{200c}', '\u{200d}', '\u{fe0e}', '\u{fe0f}'];

/// The flag that has the name of its region behind it, in tags.
const FLAG: char = '\u{1f3f4}';

fn is_flag_tag(character: char) -> bool {
    ('\u{e0020}'..='\u{e007f}').contains(&character)
}

/// What may be written to a terminal.
pub fn check_safe(text: &SafeText) {
    let (mut marks, mut at_start) = (0, true);
    let (mut before, mut invisible) = ('\n', 0);
    for character in text.as_str().chars() {
        let code = u32::from(character);
        assert!(character == '\n' || !character.is_control(), "{code:x}");
        let is_in = |&(first, last): &(u32, u32)| (first..=last).contains(&code);
        let is_tag = is_flag_tag(character) && (before == FLAG || is_flag_tag(before));
        if is_tag || SHAPING.contains(&character) {
            // It stands behind what it shapes, and there are not many.
            let can_be_shaped = !before.is_ascii() || matches!(before, '0'..='9' | '#' | '*');
            invisible += 1;
            assert!(can_be_shaped, "{code:x} behind {before:?}");
            assert!(invisible <= if is_tag { 8 } else { 2 }, "{code:x}");
            before = character;
            continue;
        }
        (before, invisible) = (character, 0);
        assert!(!INVISIBLE.iter().any(is_in), "{code:x}");
        let is_private = (0xe000..=0xf8ff).contains(&code) || code >= 0xf0000;
        assert!(!is_private && code & 0xfffe != 0xfffe, "{code:x}");
        let is_mark = character != '\n' && character.width() == Some(0);
        marks = if is_mark { marks + 1 } else { 0 };
        assert!(marks <= 4 && !(is_mark && at_start), "{code:x}");
        at_start = character == '\n' || is_mark && at_start;
    }
    assert_eq!(SafeText::new(text.as_str()), *text);
}

/// Text from others.
pub fn text(bytes: &[u8]) {
    let untrusted = String::from_utf8_lossy(bytes);
    let safe = SafeText::new(&untrusted);
    check_safe(&safe);
    let is_plain = |c: char| c == '\n' || (' '..='~').contains(&c);
    if untrusted.chars().all(is_plain) {
        assert_eq!(safe.as_str(), untrusted);
    }
}

/// A line on the terminal, and an address or room on the command line.
pub fn commands(bytes: &[u8]) {
    let line = &*String::from_utf8_lossy(bytes);
    check_line(line);
    check_request(line);
    if let Ok(address) = line.parse::<Address>() {
        check_address(&address);
    }
    if let Ok(place) = parse_visible::<RoomAddress>(line) {
        check_address(&place.relay);
    }
    let rows: Vec<String> = line.lines().map(str::to_owned).collect();
    if let Ok((address, name)) = invite_in(&rows) {
        check_address(&address);
        let place: RoomAddress = format!("{address}/{name}").parse().unwrap();
        assert_eq!((place.relay, place.room), (address, Some(name)));
    }
    if let Ok(RoomOrInvite::Invite(address, name)) = parse_visible(line) {
        check_address(&address);
        let place: RoomAddress = format!("{address}/{name}").parse().unwrap();
        assert_eq!((place.relay, place.room), (address, Some(name)));
    }
}

/// What is shown decides: nothing is said that is shown as a command.
fn check_line(typed: &str) {
    let line = Line::new(typed);
    assert_eq!(Line::new(line.as_str()), line);
    let shown = SafeText::new(line.as_str());
    assert_eq!(
        SafeText::new(typed).as_str().starts_with('/'),
        shown.as_str().starts_with('/')
    );
    let line = line.as_str();
    match Typed::parse(&Line::new(typed)) {
        Typed::Text(text) => {
            let is_escaped = text.starts_with('/') && line.strip_prefix('/') == Some(text);
            let shown = shown.as_str().trim_start();
            assert!(is_escaped || text == typed && !shown.starts_with(['/', '／']));
        }
        Typed::Unknown(unknown) => assert!(unknown == line && line.starts_with('/')),
        Typed::Misused(usage) => {
            // Whatever it was called by, it is the same as by the name in its usage.
            let name = usage.split(' ').next().unwrap();
            let end = line.find(char::is_whitespace).unwrap_or(line.len());
            let renamed = Line::new(&format!("{name}{}", &line[end..]));
            assert_eq!(Typed::parse(&renamed), Typed::Misused(usage));
        }
        Typed::Spaced => assert!(!line.starts_with('/') && shown.as_str().contains('/')),
        Typed::LooksLike | Typed::Quoted(_) => assert!(!line.starts_with('/')),
        Typed::Command(command) => check_command(line, command),
    }
}

fn check_command(line: &str, command: Command<'_>) {
    assert!(line.starts_with('/') && !line.starts_with("//"));
    match command {
        Command::Verify { nick, .. } | Command::Trust { nick, .. } => assert!(!nick.is_empty()),
        Command::Fingerprint { nick } => assert_ne!(nick, Some("")),
        Command::Whois(nick) | Command::Nick(nick) | Command::Unignore(nick) => {
            assert!(!nick.is_empty() && !nick.contains(char::is_whitespace));
        }
        Command::Msg { nick, text } => assert!(!nick.is_empty() && !text.is_empty()),
        Command::Me(text) | Command::Reply(text) => assert!(!text.is_empty()),
        _ => {}
    }
}

/// A line of a script is a request, or wrong in one short line that repeats nothing of it.
fn check_request(line: &str) {
    match JsonRequest::parse(line) {
        Ok(JsonRequest { body, .. }) => {
            let (RequestBody::Say { text, .. } | RequestBody::Command(text)) = body;
            assert!(line.trim_start().starts_with('{') && text.len() <= line.len());
        }
        Err((_, error)) => assert!(error.len() < 200 && !error.contains('\n'), "{error}"),
    }
}

fn check_address(address: &Address) {
    let shown = address.to_string();
    assert!(!shown.contains(char::is_control) && !shown.contains(char::is_whitespace));
    assert_eq!(shown.parse(), Ok(address.clone()));
}

/// The file of people whom one knows: it says the same as what was learnt while it was written, and as what it is
/// written anew as.
pub fn known_people(bytes: &[u8]) {
    let text = &*String::from_utf8_lossy(bytes);
    let mut people = AddressBook::default();
    let mut damaged = 0;
    people.read(bytes, |_| damaged += 1);
    assert_eq!(people.damaged(), damaged);
    assert!(damaged <= text.split('\n').count());
    let here = people.enter("relay", &RoomName::lobby());
    let nick: Nick = "bob".parse().unwrap();
    for (index, kind) in [RecordKind::Seen, RecordKind::Accepted, RecordKind::Verified]
        .into_iter()
        .enumerate()
    {
        let fingerprint = Fingerprint::of(bytes.get(index..=index).unwrap_or_default());
        let mut read = people.clone();
        let mut lines = people.record(kind, here, &nick, fingerprint, -1);
        if let Ok(note) = Note::parse(text) {
            lines += &people.record_note(fingerprint, note, -1);
        }
        read.read(lines.as_bytes(), |line| panic!("{line:?}"));
        assert_eq!(read.lines(), people.lines());
        let expected = people.expected(here, &nick).unwrap().fingerprint;
        assert!(kind == RecordKind::Seen || expected == fingerprint);
        let standing = people.standing(here, &nick, fingerprint);
        assert!(kind != RecordKind::Verified || standing == Standing::Verified);
    }
    let anew = people.lines();
    let mut read = AddressBook::default();
    read.read(anew.as_bytes(), |line| panic!("{line:?}"));
    assert_eq!(read.lines(), anew);
}

/// The list of those who may enter.
pub fn allow(bytes: &[u8]) {
    let text = &*String::from_utf8_lossy(bytes);
    match fingerprints(text) {
        Ok(listed) => {
            let lines: Vec<String> = listed.iter().map(Fingerprint::to_string).collect();
            assert_eq!(fingerprints(&lines.join("\n")), Ok(listed));
        }
        Err(number) => {
            let lines: Vec<&str> = text.lines().collect();
            assert!(fingerprints(&lines[..number - 1].join("\n")).is_ok());
            assert_eq!(fingerprints(lines[number - 1]), Err(1));
        }
    }
}

/// A file that may be an identity. Passphrases are not tried: each takes as long as the file says.
pub fn key_file(bytes: &[u8]) {
    let Ok(file) = IdentityPem::parse(bytes) else {
        return;
    };
    if let Ok(key) = file.open() {
        let again = IdentityPem::parse(encode(&key, None)).unwrap();
        assert_eq!(again.open().unwrap().public(), key.public());
    }
}
