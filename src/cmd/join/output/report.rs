//! What a client tells its user: typed, so that it can be worded for a person (`wording`) and written
//! for a program (`json`).

use jiff::ZonedDateTime;
use serde::Serialize;

use crate::cipher::fingerprint::Fingerprint;
use crate::cmd::terminal::{Entry, Hue, Message};
use crate::room::card::Card;
use crate::room::frame::Departure;
use crate::room::message::Kind;
use crate::room::names::Nick;
use crate::room::session::{Person, Standing};
use crate::room::text::SafeText;

use super::alarms::{Cause, Incident, Severity};

/// Somebody, as far as it is told to the user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::cmd::join) struct Who {
    pub(in crate::cmd::join) nick: Nick,
    pub(in crate::cmd::join) fingerprint: Fingerprint,
    pub(in crate::cmd::join) standing: Standing,
}

impl Who {
    /// The user, with this card. Users need not verify themselves.
    pub(in crate::cmd::join) fn user(own: &Card) -> Self {
        Self {
            nick: own.nick().clone(),
            fingerprint: own.fingerprint(),
            standing: Standing::Verified,
        }
    }
}

impl From<&Person> for Who {
    fn from(person: &Person) -> Self {
        Self {
            nick: person.nick.clone(),
            fingerprint: person.fingerprint,
            standing: person.standing,
        }
    }
}

/// What somebody said, or did.
#[derive(Clone, Debug)]
pub(in crate::cmd::join) struct Speech {
    pub(in crate::cmd::join) who: Who,
    /// Whether it was the user.
    pub(in crate::cmd::join) own: bool,
    /// Whom it is for alone, if it is.
    pub(in crate::cmd::join) to: Option<Nick>,
    pub(in crate::cmd::join) kind: Kind,
    pub(in crate::cmd::join) text: String,
    /// Whether it mentions the user.
    pub(in crate::cmd::join) mentions: bool,
    /// Whether it is the user's own and the relay has not taken it yet.
    pub(in crate::cmd::join) waiting: Option<u64>,
}

/// What becomes of the connection to the relay.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(in crate::cmd::join) enum Link {
    /// It is broken, and being made again.
    Lost,
    /// It goes on where it broke.
    Resumed,
    /// The room was entered once more.
    Returned,
}

/// One thing to tell the user.
#[derive(Clone, Debug)]
pub(in crate::cmd::join) enum Report {
    /// Where this is.
    Room {
        relay: String,
        room: String,
        is_invite: bool,
    },
    /// Who the user is.
    You {
        nick: Nick,
        fingerprint: Fingerprint,
    },
    /// What the user is called from now on.
    Called {
        nick: Nick,
        fingerprint: Fingerprint,
    },
    /// Somebody is here; what stands behind the name.
    Here(Who, String),
    /// All who are here besides the user.
    Roster(Vec<Who>),
    /// Somebody came; what stands behind the name.
    Joined(Who, String),
    /// Somebody came back whose connection was broken for long; whether that was to be expected,
    /// as the user has come back too.
    Back { who: Who, is_expected: bool },
    /// Somebody went; whether they have said so themselves.
    Left(Who, Departure, bool),
    /// Somebody who was called so before is called something else.
    Renamed(Nick, Who),
    /// Somebody is not at the keyboard, for this reason, or is there again.
    Away(Who, Option<SafeText>),
    /// Somebody has another session key.
    Rekeyed(Who),
    /// Somebody said something.
    Said(Speech),
    /// What the user, or a script that named it so, wants is done; if it was to say something, the
    /// relay has taken it, and so many can read it.
    Done {
        id: Option<String>,
        readers: Option<usize>,
    },
    /// Something became of the connection.
    Link(Link, String),
    /// Something went wrong, or is worth knowing of somebody; so many times in the last minute.
    Incident { what: Incident, count: u64 },
    /// What the user, or a script that named it so, wants is not done.
    Refusal { id: Option<String>, text: String },
    /// Something of the user's own is not well.
    Failure(String),
    /// How friends get in, and the invite in that.
    Invite { directions: String, invite: String },
    /// Something to know.
    Notice(String),
    /// The same for a person alone: a program is told it otherwise.
    Aside(String),
    /// The answer to a command, several lines long.
    Answer(String),
}

impl Report {
    /// Who the user is, with this card.
    pub(in crate::cmd::join) fn you(own: &Card) -> Self {
        Self::You {
            nick: own.nick().clone(),
            fingerprint: own.fingerprint(),
        }
    }

    /// What a person typed is not done.
    pub(in crate::cmd::join) fn refusal(text: impl Into<String>) -> Self {
        Self::Refusal {
            id: None,
            text: text.into(),
        }
    }

    /// The same, for so many that were of its kind.
    pub(in crate::cmd::join) fn times(mut self, number: u64) -> Self {
        if let Self::Incident { count, .. } = &mut self {
            *count = number;
        }
        self
    }

    /// Who it is about, if that is all that it says of them.
    pub(in crate::cmd::join) fn about(&self) -> Option<&Nick> {
        match self {
            Self::Incident { what, .. } => what.nick(),
            Self::Away(who, _) => Some(&who.nick),
            _ => None,
        }
    }

    /// Whether it is an alarm.
    pub(in crate::cmd::join) fn is_alarm(&self) -> bool {
        matches!(self, Self::Incident { what, .. } if what.row().severity == Severity::Alarm)
    }

    /// Whether it comes of what whoever it is about sends, and of nothing else.
    pub(in crate::cmd::join) fn is_of_sender(&self) -> bool {
        match self {
            Self::Incident { what, .. } => what.row().cause == Cause::Sender,
            Self::Away(..) => true,
            _ => false,
        }
    }

    /// What it looks like on a screen. Some things are for programs alone.
    pub(in crate::cmd::join) fn entry(&self) -> Option<Entry> {
        let text = match self {
            Self::Said(speech) => return Some(Entry::Message(speech.message())),
            Self::Answer(text) => return Some(Entry::Block(SafeText::new(text))),
            Self::Refusal { text, .. } | Self::Failure(text) => {
                return Some(Entry::Warning(SafeText::new(text)));
            }
            Self::Incident { what, count } if self.is_alarm() => {
                return Some(Entry::Warning(SafeText::new(&counted(what, *count))));
            }
            Self::Incident { what, count } => counted(what, *count),
            Self::Invite { directions, invite } => {
                let (directions, invite) = (SafeText::new(directions), SafeText::new(invite));
                return Some(Entry::Invite { directions, invite });
            }
            Self::Rekeyed(_)
            | Self::Roster(_)
            | Self::Done { .. }
            | Self::Back {
                is_expected: true, ..
            }
            // An alarm has told it.
            | Self::Left(_, Departure::Left, false) => return None,
            Self::Room {
                relay,
                is_invite: true,
                ..
            } => format!(
                "room at {relay}, by an invite: only those who have it can enter; keep it secret"
            ),
            Self::Room { relay, room, .. } => {
                format!("room {room} at {relay}: anybody who guesses this name can enter")
            }
            Self::You { nick, fingerprint } => format!("you are {nick} {fingerprint}"),
            Self::Called { nick, .. } => format!("you are called {nick} now"),
            Self::Here(who, about) => format!("here: {} {about}", who.nick),
            Self::Joined(who, about) => format!("{} joined {about}", who.nick),
            Self::Back { who, .. } => format!("{} is back", who.nick),
            Self::Left(who, departure, _) => format!("{} {departure}", who.nick),
            Self::Renamed(former, who) => {
                format!("{former} is called {} now, and is still the same", who.nick)
            }
            Self::Away(who, Some(text)) => format!("{} is away: {text}", who.nick),
            Self::Away(who, None) => format!("{} is not away any more", who.nick),
            Self::Link(_, text) | Self::Notice(text) | Self::Aside(text) => text.clone(),
        };
        Some(Entry::Notice(SafeText::new(&text)))
    }
}

impl From<Incident> for Report {
    fn from(what: Incident) -> Self {
        Self::Incident { what, count: 1 }
    }
}

/// An incident in words, and how often it was.
pub(super) fn counted(what: &Incident, count: u64) -> String {
    match count {
        1 => what.words(),
        _ => format!("{} ({count} times in the last minute)", what.words()),
    }
}

impl Speech {
    /// Who it was. What an identity that is not accepted says is marked, by what cannot be in a nick.
    fn author(&self) -> String {
        let nick = &self.who.nick;
        if self.who.standing == Standing::Changed {
            format!("?{nick}")
        } else {
            nick.to_string()
        }
    }

    fn message(&self) -> Message {
        Message {
            time: ZonedDateTime::now().time(),
            nick: self.author(),
            hue: Hue::of(self.who.fingerprint.as_bytes()),
            own: self.own,
            to: self.to.as_ref().map(|nick| {
                if self.own {
                    nick.to_string()
                } else {
                    "you".to_owned()
                }
            }),
            action: self.kind == Kind::Action,
            mentions: self.mentions,
            waiting: self.waiting,
            text: SafeText::new(&self.text),
        }
    }
}

/// Whether a text has somebody's nick as a word of its own.
pub(in crate::cmd::join) fn mentions(text: &str, nick: &Nick) -> bool {
    let is_of_nicks = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-');
    let (text, nick) = (text.to_lowercase(), nick.as_str().to_lowercase());
    text.match_indices(&nick).any(|(start, found)| {
        let before = text.get(..start).and_then(|text| text.chars().next_back());
        let after = text.get(start + found.len()..);
        let after = after.and_then(|text| text.chars().next());
        !before.is_some_and(is_of_nicks) && !after.is_some_and(is_of_nicks)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_nick_is_mentioned_where_it_is_a_word() {
        let ada: Nick = "ada".parse().unwrap();
        for text in [
            "ada: hi",
            "hi Ada!",
            "is ADA there?",
            "so, ada.",
            "@ada",
            "ada",
        ] {
            assert!(mentions(text, &ada), "{text}");
        }
        for text in ["adagio", "Granada", "ada-lovelace", "ada_", "", "bob"] {
            assert!(!mentions(text, &ada), "{text}");
        }
    }
}
