//! Incidents, which are alarms and notices of a kind: what goes wrong in a room, or is worth knowing of a
//! member. Each is one row of the table below. The row has all that the program says of it.

use std::time::Duration;

use crate::room::handed::Refusal;
use crate::room::message::{LeftOutFor, OpenError};
use crate::room::names::Nick;
use crate::room::session::{Asleep, Disbelief, Event, Undelivered};

use super::{clock_time, duration, list, names, rank};

/// `3 messages from ada and 1 message from bob`, for these.
fn from_each(counts: &[(Nick, u64)]) -> String {
    let of = |(nick, count): &(Nick, u64)| match count {
        1 => format!("1 message from {nick}"),
        _ => format!("{count} messages from {nick}"),
    };
    match counts {
        [] => String::new(),
        [one] => of(one),
        [first @ .., last] => {
            let first: Vec<String> = first.iter().map(of).collect();
            format!("{} and {}", first.join(", "), of(last))
        }
    }
}

/// A duration, in words that make sense where it is less than a second, too.
fn at_least_a_moment(time: Duration) -> String {
    match time.as_secs() {
        0 => "a moment".to_owned(),
        _ => duration(time),
    }
}

/// How much an incident matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Severity {
    /// It may mean harm. The screen shows it behind an exclamation mark, and `/audit` lists it.
    Alarm,
    /// It is good to know.
    Notice,
}

/// What an incident comes of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// It comes of what the member sends whom it is about, and of nothing else, so `/ignore` covers it.
    Sender,
    /// It comes of what the relay says of the member, or of what the user's file says of the nick.
    Other,
}

/// A row of the table, without the words.
#[derive(Clone, Copy, Debug)]
pub struct IncidentRow {
    /// How much it matters.
    pub severity: Severity,
    /// The `kind` in JSON (docs/JSON.md).
    pub kind: &'static str,
    /// What it comes of.
    pub cause: Cause,
    /// How many lines a minute the client shows about one member. If that is more than one, the words
    /// differ from line to line, and the client counts incidents with other words apart.
    pub per_minute: u64,
}

/// No limit on the lines a minute: only what the user says can cause one.
const ANY: u64 = u64::MAX;

const fn row(severity: Severity, kind: &'static str, cause: Cause, per_minute: u64) -> IncidentRow {
    IncidentRow {
        severity,
        kind,
        cause,
        per_minute,
    }
}

/// Declares the incidents. A row has: the name and the fields; the event of the session that it is made
/// from, if there is one; the severity; the `kind` in JSON; the field with the member that it is about, if
/// there is one; the cause; the most lines a minute; the words.
macro_rules! incidents {
    ($(
        $(#[$doc:meta])*
        $name:ident { $($field:ident: $type:ty),* } $(from $event:ident $(($($of:ident),+))? $({ $($part:ident),+ })?)? =>
            $severity:ident $kind:literal $(about $nick:ident)?, by $cause:ident, $per_minute:tt a minute:
            $words:expr;
    )*) => {
        /// Something that went wrong in the room, or is worth knowing of a member.
        #[derive(Clone, Debug)]
        pub(in crate::cmd::join) enum Incident {
            $($(#[$doc])* $name { $($field: $type),* },)*
        }

        /// All rows, in the order of the table.
        pub const INCIDENTS: &[IncidentRow] = &[$(row(Severity::$severity, $kind, Cause::$cause, $per_minute)),*];

        impl Incident {
            /// Makes the incident from an event. Returns `None` for an event that is no incident.
            pub(in crate::cmd::join) fn of(event: Event) -> Option<Self> {
                match event {
                    $($(Event::$event $(($($of),+))? $({ $($part),+, .. })? => Some(Self::$name { $($($of),+)? $($($part),+)? }),)?)*
                    Event::Entered(_) | Event::Resumed | Event::Returned { .. } | Event::Joined(_)
                    | Event::Back(_) | Event::Left { .. } | Event::Rekeyed(_) | Event::RekeyDue
                    | Event::Renamed { .. } | Event::Called(_) | Event::Away(..)
                    | Event::Message { .. } | Event::Taken(_) | Event::NotTaken { .. }
                    | Event::Confirmed { .. } | Event::Unconfirmed { .. } | Event::Undelivered { .. }
                    | Event::Quiet(..) | Event::CaughtUp { .. } | Event::Contradicted | Event::Dead | Event::Refused(_)
                    | Event::Shares { .. } | Event::HandedOn(_) | Event::ShareOver { .. }
                    | Event::ShareGoesOn { .. } | Event::ShareDone { .. } | Event::AsksToCatchUp(_) => None,
                }
            }

            /// The row of the table.
            pub(in crate::cmd::join) fn row(&self) -> IncidentRow {
                match self {
                    $(Self::$name { .. } => row(Severity::$severity, $kind, Cause::$cause, $per_minute),)*
                }
            }

            /// The member that it is about, if it is about one.
            pub(in crate::cmd::join) fn nick(&self) -> Option<&Nick> {
                match self {
                    $(Self::$name { $($nick,)? .. } => None$(.or($nick.one()))?,)*
                }
            }

            /// The words, without a full stop.
            #[expect(unused_variables, reason = "`Identity` has words that name the nick already")]
            pub(in crate::cmd::join) fn words(&self) -> String {
                match self {
                    $(Self::$name { $($field),* } => $words,)*
                }
            }
        }
    };
}

/// Why a message has not reached somebody.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(in crate::cmd::join) enum Reason {
    /// It could not be opened there.
    Unopened,
    /// The reader has gone.
    Gone,
    /// The reader has gone, and somebody else has the nick now.
    NickTaken,
    /// The reader is expected back, and the program ends.
    NotBack,
    /// The reader has come anew, as somebody without the key for it.
    CameAnew,
    /// The reader had used one session key for too long.
    StaleKey,
    /// A session key has changed before it came.
    KeyChanged,
    /// Too much else is waiting.
    TooMuch,
    /// It was not confirmed for too long.
    TooLong,
    /// The relay has not taken it.
    NotTaken,
}

impl From<Undelivered> for Reason {
    fn from(undelivered: Undelivered) -> Self {
        match undelivered {
            Undelivered::Unopened => Self::Unopened,
            Undelivered::Gone => Self::Gone,
            Undelivered::CameAnew => Self::CameAnew,
            Undelivered::StaleKey => Self::StaleKey,
            Undelivered::KeyChanged => Self::KeyChanged,
            Undelivered::TooMuch => Self::TooMuch,
            Undelivered::TooLong => Self::TooLong,
        }
    }
}

/// Whom an incident is about.
trait About {
    /// The member, if it is one.
    fn one(&self) -> Option<&Nick>;
}

impl About for Nick {
    fn one(&self) -> Option<&Nick> {
        Some(self)
    }
}

impl About for Vec<Nick> {
    fn one(&self) -> Option<&Nick> {
        let [nick] = self.as_slice() else {
            return None;
        };
        Some(nick)
    }
}
/// Adds nicks to others, which are in order, and once each.
fn add(nicks: &mut Vec<Nick>, more: &[Nick]) {
    for nick in more {
        let place = nicks.binary_search_by_key(&rank(nick), rank);
        if let Err(place) = place {
            nicks.insert(place, nick.clone());
        }
    }
}

impl Incident {
    /// What a script calls the message that it is about, if it is about one of the user's.
    pub(in crate::cmd::join) fn id(&self) -> Option<&str> {
        match self {
            Self::Undelivered { id, .. } | Self::NotConfirmed { id, .. } => id.as_deref(),
            _ => None,
        }
    }

    /// Whom something has not reached and why, if it tells of that.
    pub(in crate::cmd::join) fn undelivered_to(&self) -> Option<(String, Reason)> {
        match self {
            Self::Undelivered {
                readers, reason, ..
            } => Some((list(readers), *reason)),
            _ => None,
        }
    }

    /// Takes a later message into this one, if it has not reached the same readers for the same reason.
    /// Returns whether that is so.
    pub(in crate::cmd::join) fn add_message(&mut self, later: &Self) -> bool {
        if self.undelivered_to() != later.undelivered_to() {
            return false;
        }
        let (
            Self::Undelivered {
                receipt,
                id,
                text,
                messages,
                ..
            },
            Self::Undelivered {
                receipt: last,
                id: last_id,
                text: last_text,
                messages: more,
                ..
            },
        ) = (self, later)
        else {
            return false;
        };
        *receipt = *last;
        id.clone_from(last_id);
        text.clone_from(last_text);
        *messages += more;
        true
    }

    /// Takes a later incident into this one, where one line can tell both. Returns whether it can.
    pub(in crate::cmd::join) fn take_in(&mut self, later: &Self) -> bool {
        let is_same = self.nick() == later.nick();
        match (self, later) {
            (Self::Missing { messages, .. }, Self::Missing { messages: more, .. }) if is_same => {
                *messages = messages.saturating_add(*more);
            }
            (
                Self::Quiet { nicks, time },
                Self::Quiet {
                    nicks: more,
                    time: other,
                },
            ) => {
                add(nicks, more);
                *time = (*time).min(*other);
            }
            (
                Self::Undelivered {
                    receipt,
                    readers,
                    reason,
                    messages: 1,
                    ..
                },
                Self::Undelivered {
                    receipt: same,
                    readers: more,
                    reason: other,
                    messages: 1,
                    ..
                },
            ) if receipt == same && reason == other => add(readers, more),
            (
                Self::NotConfirmed {
                    receipt,
                    readers,
                    messages: 1,
                    ..
                },
                Self::NotConfirmed {
                    receipt: same,
                    readers: more,
                    messages: 1,
                    ..
                },
            ) if receipt == same => add(readers, more),
            (
                Self::NotConfirmed {
                    receipt,
                    id,
                    readers,
                    text,
                    messages,
                },
                Self::NotConfirmed {
                    receipt: last,
                    id: last_id,
                    readers: same,
                    text: last_text,
                    messages: more,
                },
            ) if readers == same => {
                *receipt = *last;
                id.clone_from(last_id);
                text.clone_from(last_text);
                *messages += more;
            }
            _ => return false,
        }
        true
    }
}

incidents! {
    /// The user knows another identity under this nick. What to do depends on what the user's file says,
    /// so `trust` makes the words. A member who changes nicks causes one for each.
    Identity { nick: Nick, text: String } =>
        Alarm "identity" about nick, by Other, 10 a minute:
        text.clone();

    /// The user knows somebody else by this nick, from elsewhere.
    Namesake { nick: Nick, text: String } =>
        Notice "namesake" about nick, by Other, 10 a minute:
        text.clone();

    /// The user has typed a code of the room that is not the one which is seen here.
    CodesDiffer { text: String } =>
        Alarm "identity", by Other, 10 a minute:
        text.clone();

    /// The relay presents somebody with a card that fails the checks (PROTOCOL §4).
    Disbelieved { reason: Disbelief } from Disbelieved(reason) =>
        Alarm "disbelieved", by Other, 1 a minute:
        format!("the relay presents somebody who is not to be believed: {reason}; your messages do not go there; if a friend cannot get in, use another relay");

    /// A member goes on under a card that fails the checks, and so is out of the room for the user.
    CastOut { nick: Nick, reason: Disbelief } from CastOut(nick, reason) =>
        Alarm "disbelieved" about nick, by Other, 1 a minute:
        format!("{nick} goes on under a card that is not to be believed: {reason}; {nick} is out of the room for you, and your messages do not go there");

    /// A member has another view of the room than the user (PROTOCOL §10).
    OtherView { nick: Nick } from OtherView(nick) =>
        Alarm "other-view" about nick, by Sender, 1 a minute:
        format!("the relay shows {nick} and you different things: other members, other messages, or another order; compare /code by another way, and write nothing secret until then; /reconnect enters the room anew");

    /// A member had another view of the room than the user, in a stay of the member's that is over.
    OtherViewBefore { nick: Nick } from OtherViewBefore(nick) =>
        Alarm "other-view" about nick, by Sender, 1 a minute:
        format!("before {nick} entered anew, the relay showed {nick} and you different things: other messages, or another order; ask {nick} what was said");

    /// This many messages from a member did not arrive.
    Missing { nick: Nick, messages: u64 } from Missing(nick, messages) =>
        Alarm "missing" about nick, by Sender, 1 a minute:
        match messages {
            1 => format!("a message from {nick} did not arrive: the relay has lost it or kept it back; ask {nick} to repeat it"),
            1_000_000.. => format!("{nick} counts its messages wrongly, or very many did not arrive; ask {nick} by another way"),
            _ => format!("{messages} messages from {nick} did not arrive: the relay has lost them or kept them back; ask {nick} to repeat them"),
        };

    /// A member signed two different messages for one place in the order.
    Equivocation { nick: Nick } from Equivocation(nick) =>
        Alarm "equivocation" about nick, by Sender, 1 a minute:
        format!("{nick} has signed two different messages for one place: {nick}, or a broken program, tells people different things; ask {nick} by another way");

    /// For so long nothing has come from these members that shows that they are there (PROTOCOL §10).
    Quiet { nicks: Vec<Nick>, time: Duration } =>
        Alarm "quiet" about nicks, by Other, 1 a minute:
        match nicks.as_slice() {
            [nick] => format!("for {} nothing has come that shows that {nick} is there: {nick}'s connection may be broken, or the relay keeps back what {nick} says; ask {nick} by another way", duration(*time)),
            nicks => format!("for {} nothing has come that shows that these are there: {}; their connections may be broken, or the relay keeps back what they say; ask them by another way", duration(*time), list(nicks)),
        };

    /// A member signs beacons, and none of them shows that it saw anything of the user's (PROTOCOL §10).
    Blind { nick: Nick } from Blind(nick) =>
        Alarm "blind" about nick, by Other, 1 a minute:
        format!("{nick} speaks, but sees nothing of what you say: the relay keeps it from {nick}, or {nick}'s program is broken; tell {nick} by another way");

    /// A member has seen what was sent after a direct message, and has not confirmed that
    /// (PROTOCOL §10).
    Unanswered { nick: Nick } from Unanswered(nick) =>
        Alarm "unanswered" about nick, by Other, 1 a minute:
        format!("{nick} confirms what you said later, but not a direct message from before: the relay keeps back that message, or the receipt for it; ask {nick} by another way");

    /// The user was out of the room more often than a card says, before anybody had shown that they see
    /// that (PROTOCOL §8).
    CutOff {} from CutOff =>
        Alarm "cut-off", by Other, 1 a minute:
        "you were out of the room again and again, and nobody in it has shown since that they see you: the relay may keep you apart from them; if it goes on, use another relay".to_owned();

    /// The relay says that it has taken something of the user's, and has put it before nobody
    /// (PROTOCOL §8).
    Swallowed {} from Swallowed =>
        Alarm "swallowed", by Other, 1 a minute:
        "the relay says that it has taken what you sent, but passes it on to nobody: it is broken, or keeps that back; use another relay".to_owned();

    /// The relay acknowledges nothing, over one connection after the other.
    Deaf {} from Deaf =>
        Alarm "deaf", by Other, 1 a minute:
        "the relay does not take what you send, however often the connection is made again: it is broken, or keeps that back; use another relay".to_owned();

    /// Something came from the relay that no relay sends (PROTOCOL §6); or the relay says this, and this
    /// client gives it no reason to (PROTOCOL §9).
    BadFrame { said: Option<String> } =>
        Alarm "bad-frame", by Other, 1 a minute:
        match said {
            None => "what came over the connection is nothing that a relay sends: somebody on the way has put it there, or the relay is broken; if it goes on, use another network or another relay".to_owned(),
            Some(said) => format!("the relay hung up without a good reason ({said}): somebody on the way has put something into the connection, or the relay is broken; if it goes on, use another network or another relay"),
        };

    /// A member's session key is so old that this client sends nothing to it.
    StaleKey { nick: Nick } from StaleKey(nick) =>
        Alarm "stale-key" about nick, by Other, 1 a minute:
        format!("{nick} has used one session key for more than a day and gets no messages from you; ask {nick} to join again");

    /// Something came under a member's name, and this client cannot open it.
    Unopened { nick: Nick, reason: OpenError } from Unopened(nick, reason) =>
        Alarm "unopened" about nick, by Sender, 1 a minute:
        format!("something came under the name of {nick} and is not shown: {reason}; ask {nick} to say it again");

    /// A member has handed on so many messages that are not shown.
    NotHandedOn { by: Nick, reason: Refusal, count: u32 } from NotHandedOn { by, reason, count } =>
        Alarm "not-handed-on" about by, by Sender, 1 a minute:
        match count {
            1 => format!("a message that {by} hands on is not shown, as {reason}; ask somebody else what was said"),
            _ => format!("{count} messages that {by} hands on are not shown, of each of them as {reason}; ask somebody else what was said"),
        };

    /// Something came from nobody in the room.
    Stray {} from Stray =>
        Alarm "stray", by Other, 1 a minute:
        "something came from nobody in this room and is not shown: the relay is broken, or meddles; if it goes on, use another relay".to_owned();

    /// What the user said has not reached these members, and will not. The words have the text, so that the
    /// user can say it again.
    Undelivered { receipt: u64, id: Option<String>, readers: Vec<Nick>, text: String, reason: Reason, messages: u64 } =>
        Alarm "undelivered", by Other, ANY a minute:
        {
            let (to, is_one) = (names(readers), readers.len() == 1);
            let (programs, have, are) = if is_one { ("program", "has", "is") } else { ("programs", "have", "are") };
            let told = match reason {
                Reason::Unopened => format!("not delivered to {to}, whose {programs} could not open it; say it again: {text}"),
                Reason::Gone => format!("not confirmed by {to}, who {have} gone; say it again: {text}"),
                Reason::NickTaken => format!("not confirmed by the former {to}, who {have} gone; whoever is called so now is somebody else: {text}"),
                Reason::NotBack => format!("not confirmed by {to}, who {are} not back yet; say it again: {text}"),
                Reason::CameAnew => format!("not confirmed by {to}, who {have} come anew since; say it again: {text}"),
                Reason::StaleKey => format!("not delivered to {to}, who {have} used one session key for more than a day; say it again: {text}"),
                Reason::KeyChanged => format!("not delivered to {to}, as far as is known: a session key has changed before it came; say it again: {text}"),
                Reason::TooMuch => format!("not delivered to {to}, as far as is known: so much else waits that your program has given it up; say it again: {text}"),
                Reason::TooLong => format!("not delivered to {to}, as far as is known: it was not confirmed for a day; say it again: {text}"),
                Reason::NotTaken => format!("not delivered to {to}, as your nick or key has changed before the relay took it; say it again: {text}"),
            };
            match messages {
                1 => told,
                _ => format!("for {messages} messages, of which this is the last: {told}"),
            }
        };

    /// These members have not confirmed what the user said, for three beacon periods. Of several messages
    /// that is the last one.
    NotConfirmed { receipt: u64, id: Option<String>, readers: Vec<Nick>, text: String, messages: u64 } =>
        Notice "not-confirmed" about readers, by Other, 10 a minute:
        match messages {
            1 => format!("not confirmed by {} yet: {text}", names(readers)),
            _ => format!("{messages} messages are not confirmed by {} yet, /seen shows them; the last is: {text}", names(readers)),
        };

    /// So many messages were said by these while the user was out of the room for so long.
    Meanwhile { out: Duration, counts: Vec<(Nick, u64)> } from Meanwhile(out, counts) =>
        Notice "meanwhile", by Other, ANY a minute:
        format!("you were out of the room for {}; you have not got what was sent meanwhile, up to {}: ask for what matters", at_least_a_moment(*out), from_each(counts));

    /// A member has no connection, as the relay says (PROTOCOL §8).
    Asleep { nick: Nick, asleep: Asleep } from Asleep(nick, asleep) =>
        Notice "asleep" about nick, by Other, 10 a minute:
        format!("{nick} is not connected since {}; {nick} gets what is said until {}: the relay says so", clock_time(asleep.since), clock_time(asleep.until));

    /// That has been so for an hour.
    StillAsleep { nick: Nick } from StillAsleep(nick) =>
        Notice "still-asleep" about nick, by Other, 1 a minute:
        format!("so far only the relay says that {nick} is not connected; if it matters, ask {nick} by another way");

    /// A member has a connection again, as the relay says.
    Awake { nick: Nick } from Awake(nick) =>
        Notice "awake" about nick, by Other, 10 a minute:
        format!("{nick} is connected again");

    /// All has come that waited while the user had no connection for so long.
    CaughtUp { out: Duration, messages: usize } =>
        Notice "caught-up", by Other, ANY a minute:
        match messages {
            0 => format!("you were not connected for {}", duration(*out)),
            1 => format!("you were not connected for {}; 1 message came meanwhile", duration(*out)),
            _ => format!("you were not connected for {}; {messages} messages came meanwhile", duration(*out)),
        };

    /// A member wrote something, but not to the user.
    LeftOut { nick: Nick, reason: LeftOutFor } from LeftOut(nick, reason) =>
        Notice "left-out" about nick, by Sender, 1 a minute:
        format!("{nick} wrote something and left you out: {reason}");

    /// A member wrote something, but not to the user: another identity is remembered there under the user's nick.
    /// The fingerprint of the user's own has this end.
    TakenForAnother { nick: Nick, own: Nick, end: String } =>
        Notice "left-out" about nick, by Sender, 1 a minute:
        format!("{nick} wrote something and left you out: your nick was another identity's before. {nick} knows that one as {own}, and writes nothing to you until {nick} accepts yours. Call {nick}, or meet, and read out the last {} characters of your fingerprint: {end} ({nick} then types: /trust {own} {end})", end.len());

    /// A member wrote something, but not to these others.
    LeftOthersOut { nick: Nick, others: Vec<Nick> } from LeftOthersOut(nick, others) =>
        Notice "left-others-out" about nick, by Sender, 1 a minute:
        format!("{nick} leaves out {}, who cannot read what follows", list(others));

    /// A member wrote something that came after the user's key for it was destroyed.
    TooLate { nick: Nick } from TooLate(nick) =>
        Notice "too-late" about nick, by Sender, 1 a minute:
        format!("{nick} wrote something that came too late: your key for it was destroyed by then; {nick} is told, and can say it again; if this happens often, the relay may be holding messages back");

    /// A member's program, or a later one, says something that this one does not know.
    Newer { nick: Nick } from Newer(nick) =>
        Notice "newer" about nick, by Sender, 1 a minute:
        format!("{nick}'s program is newer than yours, and has sent something that yours does not know; is there a newer version of e2echat?");

    /// The relay's program does.
    NewerRelay {} from NewerRelay =>
        Notice "newer", by Other, 1 a minute:
        "the relay's program is newer than yours, and has sent something that yours does not know; is there a newer version of e2echat?".to_owned();
}
