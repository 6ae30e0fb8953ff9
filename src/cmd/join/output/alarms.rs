//! Alarms, and notices of a kind: what goes wrong in a room, or is worth knowing of a member. Each is
//! one row of the table below, which says all that the program says of it.

use crate::room::message::OpenError;
use crate::room::names::Nick;
use crate::room::session::{Disbelief, Event};

use super::list;

/// How much an incident matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Severity {
    /// It may mean harm: it stands behind an exclamation mark, and `/audit` lists it.
    Alarm,
    /// It is good to know.
    Notice,
}

/// Whose doing an incident is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// It comes of what the member sends whom it is about, and of nothing else: `/ignore` covers it.
    Sender,
    /// It comes of what the relay says of the member, or of what is remembered of the nick.
    Other,
}

/// What the table says of an incident besides the words.
#[derive(Clone, Copy, Debug)]
pub struct IncidentRow {
    /// How much it matters.
    pub severity: Severity,
    /// The `kind` in JSON.
    pub kind: &'static str,
    /// Whose doing it is.
    pub cause: Cause,
    /// How many lines a minute there may be about one member. If that is more than one, each line
    /// says something else, and incidents with other words are counted apart.
    pub most: u64,
}

/// No limit on the lines a minute: it takes the user to cause one.
const ANY: u64 = u64::MAX;

const fn row(severity: Severity, kind: &'static str, cause: Cause, most: u64) -> IncidentRow {
    IncidentRow {
        severity,
        kind,
        cause,
        most,
    }
}

/// Declares the incidents once. A row has: the name and what is known of the incident; the event of the
/// session that it is told of, if there is one; the severity; the `kind` in JSON; the member that it is
/// about, if there is one; whose doing it is; how many lines a minute there may be; the words.
macro_rules! incidents {
    ($(
        $(#[$doc:meta])*
        $name:ident { $($field:ident: $type:ty),* } $(from $event:ident $(($($of:ident),+))?)? =>
            $severity:ident $kind:literal $(about $nick:ident)?, by $cause:ident, $most:tt a minute:
            $words:expr;
    )*) => {
        /// Something that went wrong in the room, or is worth knowing of a member.
        #[derive(Clone, Debug)]
        pub(in crate::cmd::join) enum Incident {
            $($(#[$doc])* $name { $($field: $type),* },)*
        }

        /// All rows.
        pub const INCIDENTS: &[IncidentRow] = &[$(row(Severity::$severity, $kind, Cause::$cause, $most)),*];

        impl Incident {
            /// The incident that an event is, if it is one.
            pub(in crate::cmd::join) fn of(event: Event) -> Option<Self> {
                match event {
                    $($(Event::$event $(($($of),+))? => Some(Self::$name { $($($of),+)? }),)?)*
                    Event::Entered(_) | Event::Resumed | Event::Returned { .. } | Event::Joined(_)
                    | Event::Back(_) | Event::Left { .. } | Event::Rekeyed(_) | Event::RekeyDue
                    | Event::Renamed { .. } | Event::Called(_) | Event::Away(..)
                    | Event::Message { .. } | Event::Taken(_) | Event::NotTaken { .. } => None,
                }
            }

            /// What the table says of it.
            pub(in crate::cmd::join) fn row(&self) -> IncidentRow {
                match self {
                    $(Self::$name { .. } => row(Severity::$severity, $kind, Cause::$cause, $most),)*
                }
            }

            /// The member that it is about.
            pub(in crate::cmd::join) fn nick(&self) -> Option<&Nick> {
                match self {
                    $(Self::$name { $($nick,)? .. } => None$(.or(Some($nick)))?,)*
                }
            }

            /// It in words.
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
    /// Another identity is remembered under a nick. What to do depends on what is remembered: `trust`
    /// has the words. Each nick that a member takes is told, as each is announced.
    Identity { nick: Nick, text: String } =>
        Alarm "identity" about nick, by Other, 10 a minute:
        text.clone();

    /// The relay presents somebody who is not to be believed.
    Disbelieved { reason: Disbelief } from Disbelieved(reason) =>
        Alarm "disbelieved", by Other, 1 a minute:
        format!("the relay presents somebody who is not to be believed: {reason}; your messages do not go there; if a friend cannot get in, use another relay");

    /// A member goes on under a card that is not to be believed.
    CastOut { nick: Nick, reason: Disbelief } from CastOut(nick, reason) =>
        Alarm "disbelieved" about nick, by Other, 1 a minute:
        format!("{nick} goes on under a card that is not to be believed: {reason}; {nick} is out of the room for you, and your messages do not go there");

    /// The relay shows a member and the user different things.
    OtherView { nick: Nick } from OtherView(nick) =>
        Alarm "other-view" about nick, by Sender, 1 a minute:
        format!("the relay shows {nick} and you different things: other members, other messages, or another order; compare /code by another way, and write nothing secret until then");

    /// So many messages did not arrive.
    Missing { nick: Nick, messages: u64 } from Missing(nick, messages) =>
        Alarm "missing" about nick, by Sender, 1 a minute:
        match messages {
            1 => format!("a message from {nick} did not arrive: the relay has lost it or kept it back; ask {nick} to repeat it"),
            1_000_000.. => format!("{nick} counts its messages wrongly, or very many did not arrive; ask {nick} by another way"),
            _ => format!("{messages} messages from {nick} did not arrive: the relay has lost them or kept them back; ask {nick} to repeat them"),
        };

    /// A member signed two different messages for one place.
    Equivocation { nick: Nick } from Equivocation(nick) =>
        Alarm "equivocation" about nick, by Sender, 1 a minute:
        format!("{nick} has signed two different messages for one place: {nick}, or a broken program, tells people different things; ask {nick} by another way");

    /// Nothing signed has come from a member for so many seconds.
    Quiet { nick: Nick, seconds: u64 } from Quiet(nick, seconds) =>
        Alarm "quiet" about nick, by Other, 1 a minute:
        format!("nothing that {nick} signed has come for {seconds} seconds: the connection may be broken, or the relay keeps it back; ask {nick} by another way");

    /// A member's session key is so old that nothing is sent to it.
    StaleKey { nick: Nick } from StaleKey(nick) =>
        Alarm "stale-key" about nick, by Other, 1 a minute:
        format!("{nick} has used one session key for more than a day and gets no messages from you; ask {nick} to join again");

    /// Something came under a member's name and could not be opened.
    Unopened { nick: Nick, reason: OpenError } from Unopened(nick, reason) =>
        Alarm "unopened" about nick, by Sender, 1 a minute:
        format!("something came under the name of {nick} and is not shown: {reason}; ask {nick} to say it again");

    /// Something came from nobody in the room.
    Stray {} from Stray =>
        Alarm "stray", by Other, 1 a minute:
        "something came from nobody in this room and is not shown: the relay is broken, or meddles; if it goes on, use another relay".to_owned();

    /// The relay says that a member has left, who has not said so.
    LeftUnsigned { nick: Nick } =>
        Alarm "left-unsigned" about nick, by Other, 1 a minute:
        format!("the relay says that {nick} has left, but {nick} has not said so: it may have cut the two of you off from each other; ask {nick} by another way");

    /// What the user said has not reached these members, who have not come back, or had another key by
    /// then. The words have the text, which is to be said again.
    Undelivered { nicks: Vec<Nick>, text: String } from Undelivered(nicks, text) =>
        Alarm "undelivered", by Other, ANY a minute:
        {
            let whom = if nicks.is_empty() { "everybody".to_owned() } else { list(nicks) };
            format!("not delivered to {whom}, as a connection was broken for too long; say it again: {text}")
        };

    /// The relay has not taken what the user said to these members, and will not. The same is true of the
    /// words.
    NotTaken { nicks: Vec<Nick>, text: String } =>
        Alarm "undelivered", by Other, ANY a minute:
        format!("not delivered to {}, as your nick or key has changed before the relay took it; say it again: {text}", list(nicks));

    /// A member wrote something, and not to the user.
    LeftOut { nick: Nick } from LeftOut(nick) =>
        Notice "left-out" about nick, by Sender, 1 a minute:
        format!("{nick} wrote something and left you out: you came while it was typed, or {nick} writes only to those whom {nick} knows or has verified");

    /// A member wrote something, and not to these others.
    LeftOthersOut { nick: Nick, others: Vec<Nick> } from LeftOthersOut(nick, others) =>
        Notice "left-others-out" about nick, by Sender, 1 a minute:
        format!("{nick} leaves out {}, who cannot read what follows", list(others));

    /// A member wrote something, and it came when the key for it was gone.
    TooLate { nick: Nick } from TooLate(nick) =>
        Notice "too-late" about nick, by Sender, 1 a minute:
        format!("{nick} wrote something that came too late: your key for it was destroyed by then; {nick} is told, and can say it again; if this happens often, the relay may be holding messages back");

    /// Nothing that a member signed has come so far.
    Unconfirmed { nick: Nick } from Unconfirmed(nick) =>
        Notice "unconfirmed" about nick, by Other, 1 a minute:
        format!("so far, only the relay says that {nick} is here: nothing that {nick} signed for this room, as you see it, has come; ask {nick} by another way");
}
