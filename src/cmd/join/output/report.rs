//! Reports: what a client tells its user, typed. This module puts them into words for a person; `json`
//! writes them for a program.

use std::time::Duration;

use jiff::ZonedDateTime;
use serde::Serialize;

use crate::cipher::fingerprint::Fingerprint;
use crate::cmd::terminal::{ChatMessage, Entry, Hue, OwnWords};
use crate::room::card::Card;
use crate::room::frame::Departure;
use crate::room::message::Kind;
use crate::room::names::Nick;
use crate::room::session::{Asleep, Person, Standing, Written};
use crate::room::text::SafeText;

use super::alarms::{Cause, Incident, Severity};
use super::clock_time;

/// A person, as far as reports tell of one.
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

/// What somebody said or did.
#[derive(Clone, Debug)]
pub(in crate::cmd::join) struct Speech {
    pub(in crate::cmd::join) who: Who,
    /// What has become of it, if the user said it.
    pub(in crate::cmd::join) own: Option<OwnWords>,
    /// The one reader of a direct message; `None` for what goes to everybody.
    pub(in crate::cmd::join) to: Option<Nick>,
    pub(in crate::cmd::join) kind: Kind,
    pub(in crate::cmd::join) text: String,
    /// Whether it mentions the user.
    pub(in crate::cmd::join) mentions: bool,
    /// When it was written, if that was not just now.
    pub(in crate::cmd::join) written: Option<Written>,
    /// How many of the messages above it its author had not seen.
    pub(in crate::cmd::join) unseen: usize,
}

/// What became of the connection to the relay: the `state` of `link` in JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(in crate::cmd::join) enum LinkState {
    /// It broke, and the client is connecting again.
    Lost,
    /// The client is connected again, and goes on where the connection broke.
    Resumed,
    /// The client is connected again, and has entered the room anew.
    Returned,
}

/// One thing to tell the user.
#[derive(Clone, Debug)]
pub(in crate::cmd::join) enum Report {
    /// The relay and the room in which the user is.
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
    /// Somebody is here. The text stands behind the nick.
    Here(Who, String),
    /// All who are here besides the user, each with whether they have shown that lately, for programs
    /// alone.
    Roster(Vec<(Who, bool)>),
    /// Somebody came. The text stands behind the nick.
    Joined(Who, String),
    /// Somebody came back whose connection was broken for long. It is expected where the user has come
    /// back too.
    Back { who: Who, is_expected: bool },
    /// Somebody went, who was without a connection perhaps.
    Left(Who, Departure, Option<Asleep>),
    /// Somebody with this former nick has another one.
    Renamed(Nick, Who),
    /// Somebody is away, with this text, or is not away any more.
    Away(Who, Option<SafeText>),
    /// Somebody has another session key.
    Rekeyed(Who),
    /// Somebody said something.
    Said(Speech),
    /// The client has done what a script asked for under this `id`. If that was to say something, the relay
    /// has taken it, and this many can read it.
    Done {
        id: Option<String>,
        readers: Option<usize>,
    },
    /// All readers of a message, which are so many, have confirmed it. A script may have named it. For
    /// programs alone.
    Confirmed { id: Option<String>, readers: usize },
    /// What became of the connection, and in words.
    Link(LinkState, String),
    /// Something went wrong, or is worth knowing of somebody. It happened this many times, which is 1 or
    /// the number within the last minute.
    Incident { what: Incident, count: u64 },
    /// The client does not do what the user asked for, or a script under this `id`.
    Refusal { id: Option<String>, text: String },
    /// Something on the user's own machine fails.
    Failure(String),
    /// How friends get in by an invite, and the invite in that.
    Invite { directions: String, invite: String },
    /// Something that is good to know.
    Notice(String),
    /// Something that is good to know for a person alone: a program gets it in other reports.
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

    /// Makes a refusal of what a person typed.
    pub(in crate::cmd::join) fn refusal(text: impl Into<String>) -> Self {
        Self::Refusal {
            id: None,
            text: text.into(),
        }
    }

    /// Makes an incident into one that happened `number` times. Other reports stay as they are.
    pub(in crate::cmd::join) fn with_count(mut self, number: u64) -> Self {
        if let Self::Incident { count, .. } = &mut self {
            *count = number;
        }
        self
    }

    /// The member whom an incident or an absence is about; `None` for other reports.
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

    /// Whether it comes of what the member sends whom it is about, and of nothing else.
    pub(in crate::cmd::join) fn is_of_sender(&self) -> bool {
        match self {
            Self::Incident { what, .. } => what.row().cause == Cause::Sender,
            Self::Away(..) => true,
            _ => false,
        }
    }

    /// The entry for the screen; `None` for reports that are for programs alone.
    pub(in crate::cmd::join) fn entry(&self) -> Option<Entry> {
        let text = match self {
            Self::Said(speech) => return Some(Entry::Message(speech.message())),
            Self::Answer(text) => return Some(Entry::Block(SafeText::new(text))),
            Self::Refusal { text, .. } | Self::Failure(text) => {
                return Some(Entry::Warning(SafeText::new(text)));
            }
            Self::Incident { what, count } if self.is_alarm() => {
                return Some(Entry::Warning(SafeText::new(&words_with_count(
                    what, *count,
                ))));
            }
            Self::Incident { what, count } => words_with_count(what, *count),
            Self::Invite { directions, invite } => {
                let (directions, invite) = (SafeText::new(directions), SafeText::new(invite));
                return Some(Entry::Invite { directions, invite });
            }
            Self::Rekeyed(_)
            | Self::Roster(_)
            | Self::Done { .. }
            | Self::Confirmed { .. }
            | Self::Back {
                is_expected: true, ..
            } => return None,
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
            Self::Left(who, departure, asleep) => left(&who.nick, *departure, *asleep),
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

/// The words of an incident, and how often it happened.
pub(super) fn words_with_count(what: &Incident, count: u64) -> String {
    match count {
        1 => what.words(),
        _ => format!("{} ({count} times in the last minute)", what.words()),
    }
}

impl Speech {
    /// The author's nick. A `?`, which no nick can have, marks an identity that the user has not accepted.
    fn author(&self) -> String {
        let nick = &self.who.nick;
        if self.who.standing == Standing::Changed {
            format!("?{nick}")
        } else {
            nick.to_string()
        }
    }

    fn message(&self) -> ChatMessage {
        ChatMessage {
            time: ZonedDateTime::now().time(),
            nick: self.author(),
            hue: Hue::of(self.who.fingerprint.as_bytes()),
            own: self.own,
            to: self.to.as_ref().map(|nick| {
                if self.own.is_some() {
                    nick.to_string()
                } else {
                    "you".to_owned()
                }
            }),
            action: self.kind == Kind::Action,
            mentions: self.mentions,
            unseen: self.unseen,
            remark: self.written.map(|written| {
                let (ago, nick) = (ago(written.ago), &self.who.nick);
                SafeText::new(&format!("written {ago} ago by {nick}'s clock"))
            }),
            text: SafeText::new(&self.text),
        }
    }
}

/// That somebody has gone. Whoever was without a connection has neither lost it now, nor read too slowly.
fn left(nick: &Nick, departure: Departure, asleep: Option<Asleep>) -> String {
    let Some(asleep) = asleep else {
        return format!("{nick} {departure}");
    };
    match departure {
        Departure::Slow => format!(
            "{nick} is gone: {nick} was not connected, and more waited for {nick} than the relay keeps"
        ),
        Departure::Lost | Departure::Silent => format!(
            "{nick} is gone: {nick} was not connected since {}, and the relay kept the place until {} at the latest",
            clock_time(asleep.since),
            clock_time(asleep.until)
        ),
        Departure::Left | Departure::Misbehaved => format!("{nick} {departure}"),
    }
}

/// A duration in its largest unit, spelled out: `7 minutes`.
fn ago(time: Duration) -> String {
    let seconds = time.as_secs();
    let (number, unit) = match seconds {
        0 => return "a moment".to_owned(),
        1..60 => (seconds, "second"),
        60..3600 => (seconds / 60, "minute"),
        3600..86_400 => (seconds / 3600, "hour"),
        _ => (seconds / 86_400, "day"),
    };
    let ending = if number == 1 { "" } else { "s" };
    format!("{number} {unit}{ending}")
}

/// Whether a text contains a nick as a word of its own, in capitals or not.
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
    fn how_long_ago_something_was() {
        for (seconds, words) in [
            (0, "a moment"),
            (1, "1 second"),
            (59, "59 seconds"),
            (119, "1 minute"),
            (450, "7 minutes"),
            (7200, "2 hours"),
            (86_400, "1 day"),
            (u64::MAX, "213503982334601 days"),
        ] {
            assert_eq!(ago(Duration::from_secs(seconds)), words);
        }
    }

    #[test]
    fn whoever_is_gone_while_asleep_has_not_lost_the_connection_now_nor_read_too_slowly() {
        let ada: Nick = "ada".parse().unwrap();
        let asleep = Asleep {
            since: 0,
            until: 60_000,
        };
        let words = |departure| left(&ada, departure, Some(asleep));
        let (since, until) = (clock_time(asleep.since), clock_time(asleep.until));
        let kept = format!(
            "ada is gone: ada was not connected since {since}, and the relay kept the place until {until} at the latest"
        );
        assert_eq!(words(Departure::Lost), kept);
        assert_eq!(words(Departure::Silent), kept);
        assert_eq!(
            words(Departure::Slow),
            "ada is gone: ada was not connected, and more waited for ada than the relay keeps"
        );
        assert_eq!(words(Departure::Left), "ada left");
        let slow = left(&ada, Departure::Slow, None);
        assert_eq!(slow, format!("ada {}", Departure::Slow));
    }

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
