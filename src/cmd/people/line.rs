//! The lines of the file of known people.
//!
//! ```text
//! 1794787200 seen chat.example.org:4000 ooQ… bob SHA256:…
//! 1794787260 verified chat.example.org:4000 ooQ… bob SHA256:…
//! 1794787260 verified SHA256:… chat.example.org:4000 ooQ… code
//! 1794787300 noted SHA256:… "Robert from work"
//! 1794787400 room cellar chat.example.org:4000 ooQ…
//! ```
//!
//! Each begins with the seconds since 1970 and a word. Of somebody who was met, the fields are: relay, room id in
//! base64url, nick, fingerprint. The other forms say something of an identity, or of a room. A room whose name is an
//! invite has no name in the file: the name is its secret. A line that is cut off says nothing else than it would have
//! said whole: so the quotes, and
//! the order of the fields.

use crate::cipher::fingerprint::Fingerprint;
use crate::room::names::{Nick, RoomName};
use crate::room::text::SafeText;

/// The most characters of a note.
const MAX_NOTE: usize = 200;

/// What a line says of somebody who was met in a room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RecordKind {
    /// The user met them for the first time.
    Seen,
    /// The user accepted their identity, in place of another one or as a first one.
    Accepted,
    /// The user compared safety numbers with them.
    Verified,
}

impl RecordKind {
    const ALL: [Self; 3] = [Self::Seen, Self::Accepted, Self::Verified];

    fn word(self) -> &'static str {
        match self {
            Self::Seen => "seen",
            Self::Accepted => "accepted",
            Self::Verified => "verified",
        }
    }
}

/// What the user has decided of an identity.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Decision {
    Accepted,
    Verified,
}

impl From<Decision> for RecordKind {
    fn from(decision: Decision) -> Self {
        match decision {
            Decision::Accepted => Self::Accepted,
            Decision::Verified => Self::Verified,
        }
    }
}

/// How the user has come to accept or verify somebody.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::cmd) enum Way {
    /// By the end of the fingerprint.
    Trust,
    /// By the number of the two.
    Number,
    /// By the code of a room.
    Code,
    /// From another machine of theirs.
    Import,
}

impl Way {
    const ALL: [Self; 4] = [Self::Trust, Self::Number, Self::Code, Self::Import];

    fn word(self) -> &'static str {
        match self {
            Self::Trust => "trust",
            Self::Number => "number",
            Self::Code => "code",
            Self::Import => "import",
        }
    }
}

/// What the user has noted of somebody: one row of text that can be shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note(SafeText);

impl Note {
    /// Reads a note; `None` is an empty one, which is none.
    ///
    /// # Errors
    /// How many characters it has, if these are too many.
    pub fn parse(text: &str) -> Result<Option<Self>, usize> {
        let text = SafeText::new(text).as_str().replace('\n', " ");
        let text = text.trim();
        match text.chars().count() {
            0 => Ok(None),
            count if count > MAX_NOTE => Err(count),
            _ => Ok(Some(Self(SafeText::new(text)))),
        }
    }

    /// The most characters that it can have.
    pub(in crate::cmd) const MOST: usize = MAX_NOTE;
}

impl std::fmt::Display for Note {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

/// What a line says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Line<'a> {
    Met {
        kind: RecordKind,
        relay: &'a str,
        room: &'a str,
        nick: Nick,
        fingerprint: Fingerprint,
    },
    /// Somebody was accepted or verified, in a room of a relay perhaps.
    Decided {
        kind: Decision,
        fingerprint: Fingerprint,
        way: Way,
        place: Option<(&'a str, &'a str)>,
    },
    Noted(Fingerprint, Option<Note>),
    Room {
        relay: &'a str,
        room: &'a str,
        /// `None` where the name is an invite.
        name: Option<RoomName>,
    },
}

impl<'a> Line<'a> {
    /// Reads a line without its end: the time, and what it says. `None` if it is damaged.
    pub(super) fn parse(line: &'a str) -> Option<(i64, Self)> {
        let mut parts = line.splitn(3, ' ');
        let (time, word, rest) = (parts.next()?, parts.next()?, parts.next()?);
        let time = time.parse().ok()?;
        let said = match word {
            "noted" => {
                let (fingerprint, quoted) = rest.split_once(' ')?;
                let note = quoted.strip_prefix('"')?.strip_suffix('"')?;
                Self::Noted(fingerprint.parse().ok()?, Note::parse(note).ok()?)
            }
            "room" => Self::room(rest)?,
            _ => Self::person(word, rest)?,
        };
        Some((time, said))
    }

    fn room(rest: &'a str) -> Option<Self> {
        let fields: Vec<&str> = rest.split(' ').collect();
        let (name, relay, room) = match fields[..] {
            [relay, room] => (None, relay, room),
            [name, relay, room] => (Some(name), relay, room),
            _ => return None,
        };
        let name = name.map(str::parse::<RoomName>).transpose().ok()?;
        let is_secret = name.as_ref().is_some_and(RoomName::is_invite);
        (!is_secret).then_some(Self::Room { relay, room, name })
    }

    fn person(word: &str, rest: &'a str) -> Option<Self> {
        let kind = RecordKind::ALL.into_iter().find(|it| it.word() == word)?;
        let fields: Vec<&str> = rest.split(' ').collect();
        match fields[..] {
            [fingerprint, way] => Self::decided(kind, fingerprint, None, way),
            // A relay has no such name.
            [fingerprint, relay, room, way] if fingerprint.parse::<Fingerprint>().is_ok() => {
                Self::decided(kind, fingerprint, Some((relay, room)), way)
            }
            [relay, room, nick, fingerprint] => Some(Self::Met {
                kind,
                relay,
                room,
                nick: nick.parse().ok()?,
                // A fingerprint that was cut off would make its owner look like somebody else.
                fingerprint: fingerprint.parse().ok()?,
            }),
            _ => None,
        }
    }

    fn decided(
        kind: RecordKind,
        fingerprint: &str,
        place: Option<(&'a str, &'a str)>,
        way: &str,
    ) -> Option<Self> {
        let way = Way::ALL.into_iter().find(|it| it.word() == way)?;
        Some(Self::Decided {
            kind: match (kind, way) {
                (RecordKind::Accepted, Way::Trust | Way::Import) => Decision::Accepted,
                (RecordKind::Verified, Way::Number | Way::Code | Way::Import) => Decision::Verified,
                _ => return None,
            },
            fingerprint: fingerprint.parse().ok()?,
            way,
            place,
        })
    }

    /// The line, with its end.
    pub(super) fn write(&self, time: i64) -> String {
        let said = match self {
            Self::Met {
                kind,
                relay,
                room,
                nick,
                fingerprint,
            } => format!("{} {relay} {room} {nick} {fingerprint}", kind.word()),
            Self::Decided {
                kind,
                fingerprint,
                way,
                place,
            } => {
                let place = place.map(|(relay, room)| format!("{relay} {room} "));
                let (word, place) = (RecordKind::from(*kind).word(), place.unwrap_or_default());
                format!("{word} {fingerprint} {place}{}", way.word())
            }
            Self::Noted(fingerprint, None) => format!("noted {fingerprint} \"\""),
            Self::Noted(fingerprint, Some(note)) => format!("noted {fingerprint} \"{note}\""),
            Self::Room {
                relay,
                room,
                name: None,
            } => format!("room {relay} {room}"),
            Self::Room {
                relay,
                room,
                name: Some(name),
            } => format!("room {name} {relay} {room}"),
        };
        format!("{time} {said}\n")
    }
}
