//! What happens in a room, and why it ends, in words for the screen.

use std::time::Duration;

use crate::cmd::{failure, reason};
use crate::room::names::Nick;
use crate::room::notice::Notice;
use crate::room::session::{Disbelief, End, Event, Person};
use crate::room::stream::ReadError;

use super::report::{Alarm, Hint, Link, Report};
use crate::cmd::join::net::link::PATIENCE;

/// An event, if it is told in words alone, and not as something that happened to somebody.
pub(in crate::cmd::join) fn event(event: Event) -> Option<Report> {
    let count = 1;
    let alarm = |sort, nick, text| Report::Alarm {
        sort,
        nick,
        text,
        count,
    };
    let hint = |sort, nick, text| Report::Hint {
        sort,
        nick,
        text,
        count,
    };
    let report = match event {
        Event::Disbelieved(reason) => alarm(
            Alarm::Disbelieved,
            None,
            format!(
                "the relay presents somebody who is not to be believed: {reason}; your messages do not go there; if a friend cannot get in, use another relay"
            ),
        ),
        Event::CastOut(nick, reason) => {
            alarm(Alarm::Disbelieved, Some(nick.clone()), cast_out(&nick, reason))
        }
        Event::LeftOut(nick) => {
            let text = format!(
                "{nick} wrote something and left you out: you came while it was typed, or {nick} writes only to those whom {nick} knows or has verified"
            );
            hint(Hint::LeftOut, nick, text)
        }
        Event::LeftOthersOut(nick, others) => {
            let others = list(&others);
            let text = format!("{nick} leaves out {others}, who cannot read what follows");
            hint(Hint::LeftOthersOut, nick, text)
        }
        Event::OtherView(nick) => {
            let text = format!(
                "the relay shows {nick} and you different things: other members, other messages, or another order; compare /code by another way, and write nothing secret until then"
            );
            alarm(Alarm::OtherView, Some(nick), text)
        }
        Event::Missing(nick, count) => missing(&nick, count),
        Event::Equivocation(nick) => {
            let text = format!(
                "{nick} has signed two different messages for one place: {nick}, or a broken program, tells people different things; ask {nick} by another way"
            );
            alarm(Alarm::Equivocation, Some(nick), text)
        }
        Event::Quiet(nick, seconds) => {
            let text = format!(
                "nothing that {nick} signed has come for {seconds} seconds: the connection may be broken, or the relay keeps it back; ask {nick} by another way"
            );
            alarm(Alarm::Quiet, Some(nick), text)
        }
        Event::Unconfirmed(nick) => {
            let text = format!(
                "so far, only the relay says that {nick} is here: nothing that {nick} signed for this room, as you see it, has come; ask {nick} by another way"
            );
            hint(Hint::Unconfirmed, nick, text)
        }
        Event::StaleKey(nick) => {
            let text = format!(
                "{nick} has used one session key for more than a day and gets no messages from you; ask {nick} to join again"
            );
            alarm(Alarm::StaleKey, Some(nick), text)
        }
        Event::Unopened(nick, reason) => {
            let text = format!(
                "something came under the name of {nick} and is not shown: {reason}; ask {nick} to say it again"
            );
            alarm(Alarm::Unopened, Some(nick), text)
        }
        Event::TooLate(nick) => {
            let text = format!(
                "{nick} wrote something that came too late: your key for it was destroyed by then; {nick} is told, and can say it again; if this happens often, the relay may be holding messages back"
            );
            hint(Hint::TooLate, nick, text)
        }
        Event::Stray => alarm(
            Alarm::Stray,
            None,
            "something came from nobody in this room and is not shown: the relay is broken, or meddles; if it goes on, use another relay".to_owned(),
        ),
        Event::Undelivered(nicks, text) => undelivered(&nicks, &text),
        Event::Entered(_)
        | Event::Resumed
        | Event::Returned { .. }
        | Event::Back(_)
        | Event::Joined(_)
        | Event::Left { .. }
        | Event::Rekeyed(_)
        | Event::Renamed { .. }
        | Event::Called(_)
        | Event::Away(..)
        | Event::Message { .. }
        | Event::RekeyDue
        | Event::Taken(_)
        | Event::NotTaken { .. } => return None,
    };
    Some(report)
}

fn cast_out(nick: &Nick, reason: Disbelief) -> String {
    format!(
        "{nick} goes on under a card that is not to be believed: {reason}; {nick} is out of the room for you, and your messages do not go there"
    )
}

/// So many messages of somebody's did not arrive.
pub(in crate::cmd::join) fn missing(nick: &Nick, messages: u64) -> Report {
    let text = match messages {
        1 => format!(
            "a message from {nick} did not arrive: the relay has lost it or kept it back; ask {nick} to repeat it"
        ),
        1_000_000.. => {
            format!(
                "{nick} counts its messages wrongly, or very many did not arrive; ask {nick} by another way"
            )
        }
        count => format!(
            "{count} messages from {nick} did not arrive: the relay has lost them or kept them back; ask {nick} to repeat them"
        ),
    };
    Report::Alarm {
        sort: Alarm::Missing(messages),
        nick: Some(nick.clone()),
        text,
        count: 1,
    }
}

/// Somebody has left, as the relay alone says.
pub(in crate::cmd::join) fn left_without_a_word(nick: &Nick) -> Report {
    Report::Alarm {
        sort: Alarm::LeftUnsigned,
        nick: Some(nick.clone()),
        text: format!(
            "the relay says that {nick} has left, but {nick} has not said so: it may have cut the two of you off from each other; ask {nick} by another way"
        ),
        count: 1,
    }
}

/// What was said, and will not reach these, as the relay has not taken it.
pub(in crate::cmd::join) fn not_taken(nicks: &[Nick], text: &str) -> Report {
    let whom = list(nicks);
    Report::Alarm {
        sort: Alarm::Undelivered,
        nick: None,
        text: format!(
            "not delivered to {whom}, as your nick or key has changed before the relay took it; say it again: {text}"
        ),
        count: 1,
    }
}

/// What was said, and did not reach these, who have not come back, or had another key by then.
pub(in crate::cmd::join) fn undelivered(nicks: &[Nick], text: &str) -> Report {
    let whom = if nicks.is_empty() {
        "everybody".to_owned()
    } else {
        list(nicks)
    };
    Report::Alarm {
        sort: Alarm::Undelivered,
        nick: None,
        text: format!(
            "not delivered to {whom}, as a connection was broken for too long; say it again: {text}"
        ),
        count: 1,
    }
}

/// The room that one has come back to.
pub(in crate::cmd::join) fn returned(people: &[Person]) -> Report {
    let nicks: Vec<Nick> = people.iter().map(|person| person.nick.clone()).collect();
    let here = if people.is_empty() {
        "nobody else is here".to_owned()
    } else {
        format!("here: {}", list(&nicks))
    };
    Report::Link(Link::Returned, format!("connected again; {here}"))
}

/// Who has not come back.
pub(in crate::cmd::join) fn absent(nicks: &[Nick]) -> Report {
    Report::Aside(format!("not here any more: {}", list(nicks)))
}

fn list(nicks: &[Nick]) -> String {
    let nicks: Vec<&str> = nicks.iter().map(Nick::as_str).collect();
    nicks.join(", ")
}

/// How long ago something was, or how long it has lasted.
pub(in crate::cmd::join) fn span(time: Duration) -> String {
    let seconds = time.as_secs();
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3600 => format!("{} min", seconds / 60),
        3600..86_400 => format!("{} h {} min", seconds / 3600, seconds / 60 % 60),
        _ => format!("{} d {} h", seconds / 86_400, seconds / 3600 % 24),
    }
}

/// Whether it makes no sense to connect again after this. Whoever answers as no relay would may
/// not be the relay, unless it was.
pub(in crate::cmd::join) fn is_final(end: End, was_inside: bool) -> bool {
    match end {
        End::UnknownNotice(_) => true,
        End::Malformed => was_inside,
        End::Notice(notice) => !matches!(
            notice,
            Notice::HandshakeTooSlow
                | Notice::RoomFull
                | Notice::RelayFull
                | Notice::AddressFull
                | Notice::JoinsTooFast
                | Notice::IdentityFull
                | Notice::QueueFull
                | Notice::Idle
                | Notice::Shutdown
        ),
    }
}

/// The error for a handshake that came to nothing.
pub(in crate::cmd::join) fn no_handshake(name: &str, error: ReadError) -> anyhow::Error {
    let seconds = PATIENCE.as_secs();
    match error {
        ReadError::TimedOut => failure(
            format!("no answer from {name} within {seconds} seconds"),
            "is it an e2echat relay? if it is, try again later",
        ),
        ReadError::Length => not_a_relay(name),
        ReadError::Closed | ReadError::Broken => failure(
            format!("{name} hung up without a word"),
            "is it an e2echat relay? if it is, try again later",
        ),
        ReadError::Io(error) => failure(
            format!("lost the connection to {name}: {}", reason(&error)),
            "is it an e2echat relay? if it is, try again later",
        ),
    }
}

/// The error for something else than a relay.
pub(in crate::cmd::join) fn not_a_relay(name: &str) -> anyhow::Error {
    failure(
        format!("what answers at {name} is not an e2echat relay"),
        "check the host and the port",
    )
}

/// The error for a session that the relay ended.
pub(in crate::cmd::join) fn end(name: &str, end: End) -> anyhow::Error {
    let notice = match end {
        End::Malformed => {
            return failure(
                format!("{name} sent what an e2echat relay does not send"),
                "check the host and the port; if they are right, the relay is broken",
            );
        }
        End::UnknownNotice(code) => {
            return failure(
                format!("{name} hung up for a reason that this version does not know ({code})"),
                "is there a newer version of e2echat?",
            );
        }
        End::Notice(notice) => notice,
    };
    let hint = match notice {
        Notice::Version => "use the version of e2echat that the relay has",
        Notice::NickTaken => "choose another --nick",
        Notice::CardNick => "choose another --nick, of letters, digits, _, - and .",
        Notice::RoomFull => "try again later, or meet in another --room",
        Notice::RelayFull | Notice::HandshakeTooSlow => "try again later",
        Notice::CardIdentityKey => "make another identity with `e2echat keygen`",
        Notice::QueueFull | Notice::Idle => "join again when the network is better",
        Notice::Shutdown => "join again when it is back",
        Notice::Replaced => "this one is not in the room any more",
        Notice::AddressFull => "end other clients on this network, or try again later",
        Notice::JoinsTooFast => "try again in a minute",
        Notice::IdentityFull => {
            "leave it with another client of yours, or wait a minute for those whose connection broke"
        }
        Notice::NotListed => {
            "save an identity with `e2echat keygen`, and give its fingerprint to whoever runs the relay"
        }
        Notice::Malformed
        | Notice::CardMalformed
        | Notice::CardRoom
        | Notice::CardSessionKey
        | Notice::CardSignature
        | Notice::Possession
        | Notice::KeyTaken => {
            "try again; if it stays, the relay and this client do not fit together"
        }
    };
    failure(format!("{notice} ({name})"), hint)
}

/// The error for a connection that could not be made again in the time that there was.
pub(in crate::cmd::join) fn no_way_back(name: &str, patience: Duration) -> anyhow::Error {
    let seconds = patience.as_secs();
    failure(
        format!("no way back to {name} within {seconds} seconds"),
        "join again when the relay, or the network, is back; --reconnect says how long to try",
    )
}

/// The error for a connection that ended in the middle of a session.
pub(in crate::cmd::join) fn down(name: &str, error: &ReadError) -> anyhow::Error {
    let why = match error {
        ReadError::Closed | ReadError::Broken => "the other end hung up".to_owned(),
        ReadError::TimedOut => "nothing came for too long".to_owned(),
        ReadError::Length => "what came was no frame".to_owned(),
        ReadError::Io(error) => reason(error),
    };
    failure(
        format!("lost the connection to {name}: {why}"),
        "join again",
    )
}
