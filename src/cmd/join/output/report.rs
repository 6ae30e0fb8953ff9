//! Reports: what a client tells its user, typed. This module puts them into words for a person; `json`
//! writes them for a program.

use serde::Serialize;

use crate::cipher::fingerprint::Fingerprint;
use crate::cmd::terminal::Entry;
use crate::room::card::Card;
use crate::room::frame::Departure;
use crate::room::names::{Nick, PRIVATE_ROOM};
use crate::room::session::Asleep;
use crate::room::text::SafeText;

use super::alarms::{Cause, Incident, Severity};
use super::clock_time;
use super::handed::{HandedOn, Share, ShareEnd, Shared};
use super::speech::{Speech, Who};

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
        /// What it is saved as.
        name: Option<String>,
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
    /// Somebody hands on earlier messages.
    Share(Share),
    /// One of those that come to the user.
    HandedOn(HandedOn),
    /// All of these have come.
    ShareEnd(ShareEnd),
    /// What has become of what the user hands on.
    Shared(Shared),
    /// Somebody asks to be handed what they missed.
    CatchUp(Who),
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
    /// The client does not do what the user asked for, or a script under this `id`: because of a mistake of
    /// theirs, or at least of nothing that may mean harm; or because something fails.
    Refusal {
        id: Option<String>,
        text: String,
        is_mistake: bool,
    },
    /// Something on the user's own machine fails.
    Failure(String),
    /// How friends get in by an invite, and the invite in that.
    Invite { directions: String, invite: String },
    /// The address of a web page that was said, and where.
    Url { whose: String, url: String },
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
            Self::Away(who, _) | Self::CatchUp(who) => Some(&who.nick),
            Self::Share(share) => Some(&share.by.nick),
            Self::ShareEnd(end) => Some(&end.by.nick),
            _ => None,
        }
    }

    /// Whether it is an alarm.
    pub(in crate::cmd::join) fn is_alarm(&self) -> bool {
        matches!(self, Self::Incident { what, .. } if what.row().severity == Severity::Alarm)
    }

    /// Whether it says that something is not done which was asked for.
    pub(in crate::cmd::join) fn is_refusal(&self) -> bool {
        let is_incident = |what: &Incident| matches!(what, Incident::CodesDiffer { .. });
        match self {
            Self::Refusal { .. } => true,
            Self::Incident { what, .. } => is_incident(what),
            _ => false,
        }
    }

    /// Whether it comes of what the member sends whom it is about, and of nothing else.
    pub(in crate::cmd::join) fn is_of_sender(&self) -> bool {
        match self {
            Self::Incident { what, .. } => what.row().cause == Cause::Sender,
            Self::Away(..) | Self::Share(_) | Self::ShareEnd(_) | Self::CatchUp(_) => true,
            _ => false,
        }
    }

    /// The entry for the screen; `None` for reports that are for programs alone.
    pub(in crate::cmd::join) fn entry(&self) -> Option<Entry> {
        let text = match self {
            Self::Said(speech) => return Some(Entry::Message(speech.message())),
            Self::HandedOn(handed) => return Some(handed.entry()),
            Self::Share(share) => share.words(),
            Self::ShareEnd(end) => end.words(),
            Self::Shared(shared) => shared.words(),
            Self::CatchUp(who) => format!(
                "{0} asks for what was said earlier: /share {0} hands it on",
                who.nick
            ),
            Self::Answer(text) => return Some(Entry::Block(SafeText::new(text))),
            Self::Refusal {
                text,
                is_mistake: true,
                ..
            } => return Some(Entry::Mistake(SafeText::new(text))),
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
            Self::Url { whose, url } => {
                let (whose, url) = (SafeText::new(whose), SafeText::new(url));
                return Some(Entry::Url { whose, url });
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
                name,
                ..
            } => {
                let name = name.as_ref().map(|name| format!("room {name}"));
                let called = name.as_deref().unwrap_or(PRIVATE_ROOM);
                format!(
                    "{called} at {relay}, by an invite: only those who have it can enter; keep it secret"
                )
            }
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

/// That somebody has gone. Whoever was without a connection has not lost it now.
fn left(nick: &Nick, departure: Departure, asleep: Option<Asleep>) -> String {
    let Some(asleep) = asleep else {
        return format!("{nick} {departure}");
    };
    match departure {
        Departure::Slow => format!(
            "{nick} is gone: {nick} was not connected, and more waited for {nick} than the relay keeps"
        ),
        Departure::Lost | Departure::Silent => format!(
            "{nick} is gone: {nick} was not connected since {}, and the relay has given the place up",
            clock_time(asleep.since)
        ),
        Departure::Left | Departure::Misbehaved => format!("{nick} {departure}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_is_gone_while_asleep_has_not_lost_the_connection_now_nor_read_too_slowly() {
        let ada: Nick = "ada".parse().unwrap();
        let asleep = Asleep {
            since: 0,
            until: 60_000,
        };
        let words = |departure| left(&ada, departure, Some(asleep));
        let since = clock_time(asleep.since);
        // The relay does not say whether the time is over, or the place was needed.
        let given_up = format!(
            "ada is gone: ada was not connected since {since}, and the relay has given the place up"
        );
        assert_eq!(words(Departure::Lost), given_up);
        assert_eq!(words(Departure::Silent), given_up);
        assert_eq!(
            words(Departure::Slow),
            "ada is gone: ada was not connected, and more waited for ada than the relay keeps"
        );
        assert_eq!(words(Departure::Left), "ada left");
        // Of a connection that broke a moment ago the others are not told.
        assert_eq!(
            left(&ada, Departure::Slow, None),
            "ada was dropped by the relay: more waited for it than the relay keeps"
        );
    }
}
