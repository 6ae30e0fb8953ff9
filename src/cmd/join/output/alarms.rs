//! Incidents, which are alarms and notices of a kind: what goes wrong in a room, or is worth knowing of a
//! member. Each is one row of the table below. The row has all that the program says of it.

use std::time::Duration;

use crate::room::message::{LeftOutFor, OpenError};
use crate::room::names::Nick;
use crate::room::session::{Disbelief, Event, Undelivered};

use super::{duration, list};

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
                    | Event::Confirmed { .. } | Event::Contradicted | Event::Dead | Event::Refused(_) => None,
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
                    $(Self::$name { $($nick,)? .. } => None$(.or(Some($nick)))?,)*
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

incidents! {
    /// The user knows another identity under this nick. What to do depends on what the user's file says,
    /// so `trust` makes the words. A member who changes nicks causes one for each.
    Identity { nick: Nick, text: String } =>
        Alarm "identity" about nick, by Other, 10 a minute:
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

    /// For so long nothing has come from a member that shows that it is there (PROTOCOL §10).
    Quiet { nick: Nick, time: Duration } from Quiet(nick, time) =>
        Alarm "quiet" about nick, by Other, 1 a minute:
        format!("for {} nothing has come that shows that {nick} is there: {nick}'s connection may be broken, or the relay keeps back what {nick} says; ask {nick} by another way", duration(*time));

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

    /// A member's session key is so old that this client sends nothing to it.
    StaleKey { nick: Nick } from StaleKey(nick) =>
        Alarm "stale-key" about nick, by Other, 1 a minute:
        format!("{nick} has used one session key for more than a day and gets no messages from you; ask {nick} to join again");

    /// Something came under a member's name, and this client cannot open it.
    Unopened { nick: Nick, reason: OpenError } from Unopened(nick, reason) =>
        Alarm "unopened" about nick, by Sender, 1 a minute:
        format!("something came under the name of {nick} and is not shown: {reason}; ask {nick} to say it again");

    /// Something came from nobody in the room.
    Stray {} from Stray =>
        Alarm "stray", by Other, 1 a minute:
        "something came from nobody in this room and is not shown: the relay is broken, or meddles; if it goes on, use another relay".to_owned();

    /// What the user said has not reached this member, and will not. The words have the text, so that the
    /// user can say it again.
    Undelivered { reader: Nick, text: String, reason: Undelivered } from Undelivered { reader, text, reason } =>
        Alarm "undelivered", by Other, ANY a minute:
        match reason {
            Undelivered::Unopened => format!("not delivered to {reader}, whose program could not open it; say it again: {text}"),
            Undelivered::Gone => format!("not delivered to {reader}, who has gone; say it again: {text}"),
            Undelivered::GivenUp => format!("not delivered to {reader}, as far as is known; say it again: {text}"),
        };

    /// A member has not confirmed what the user said, for three beacon periods.
    NotConfirmed { reader: Nick, text: String } from Unconfirmed { reader, text } =>
        Notice "not-confirmed" about reader, by Other, 10 a minute:
        format!("not confirmed by {reader} yet: {text}");

    /// The relay has not taken what the user said to these members, and will not. The words have the text.
    NotTaken { nicks: Vec<Nick>, text: String } =>
        Alarm "undelivered", by Other, ANY a minute:
        format!("not delivered to {}, as your nick or key has changed before the relay took it; say it again: {text}", list(nicks));

    /// A member wrote something, but not to the user.
    LeftOut { nick: Nick, reason: LeftOutFor } from LeftOut(nick, reason) =>
        Notice "left-out" about nick, by Sender, 1 a minute:
        format!("{nick} wrote something and left you out: {reason}");

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
