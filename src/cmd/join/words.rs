//! What happens in a room, and why it ends, in words for the screen.

use std::time::Duration;

use crate::cmd::terminal::Entry;
use crate::cmd::{failure, reason};
use crate::room::frame::Departure;
use crate::room::message::Kind;
use crate::room::names::Nick;
use crate::room::notice::Notice;
use crate::room::session::{End, Event, Person};
use crate::room::stream::ReadError;
use crate::room::text::SafeText;

use super::link::PATIENCE;

/// Something to know.
pub(super) fn notice(text: impl AsRef<str>) -> Entry {
    Entry::Notice(SafeText::new(text.as_ref()))
}

/// Something that must not be overlooked.
pub(super) fn warning(text: impl AsRef<str>) -> Entry {
    Entry::Warning(SafeText::new(text.as_ref()))
}

/// Somebody's words, or one's own.
pub(super) fn message(nick: &Nick, own: bool, kind: Kind, text: SafeText) -> Entry {
    Entry::Message {
        time: jiff::Zoned::now().time(),
        nick: nick.to_string(),
        own,
        action: kind == Kind::Action,
        text,
    }
}

/// An event, if it is one to be shown as it is.
pub(super) fn event(event: Event) -> Option<Entry> {
    let entry = match event {
        Event::Left {
            nick,
            departure: Departure::Left,
            is_signed: false,
        } => warning(format!(
            "the relay says that {nick} has left, but {nick} has not said so: it may have cut the two of you off from each other; ask {nick} by another way"
        )),
        Event::Left {
            nick, departure, ..
        } => notice(format!("{nick} {departure}")),
        Event::Disbelieved(reason) => warning(format!(
            "the relay presents somebody who is not to be believed: {reason}; your messages do not go there; if a friend cannot get in, use another relay"
        )),
        Event::Message {
            from,
            direct,
            kind,
            text,
        } => {
            let text = if direct {
                SafeText::new(&format!("(to you alone) {text}"))
            } else {
                text
            };
            message(&from, false, kind, text)
        }
        Event::LeftOut(nick) => notice(format!(
            "{nick} wrote something and left you out: {nick} does not know you yet, or you came while it was typed"
        )),
        Event::LeftOthersOut(nick, others) => {
            let others = list(&others);
            notice(format!(
                "{nick} leaves out {others}, who cannot read what follows"
            ))
        }
        Event::OtherView(nick) => warning(format!(
            "the relay shows {nick} and you different things: other members, other messages, or another order; compare /code by another way, and write nothing secret until then"
        )),
        Event::Missing(nick, 1) => warning(format!(
            "a message from {nick} did not arrive: the relay has lost it or kept it back; ask {nick} to repeat it"
        )),
        Event::Missing(nick, 1_000_000..) => warning(format!(
            "{nick} counts its messages wrongly, or very many did not arrive; ask {nick} by another way"
        )),
        Event::Missing(nick, count) => warning(format!(
            "{count} messages from {nick} did not arrive: the relay has lost them or kept them back; ask {nick} to repeat them"
        )),
        Event::Equivocation(nick) => warning(format!(
            "{nick} has signed two different messages for one place: {nick}, or a broken program, tells people different things; ask {nick} by another way"
        )),
        Event::Quiet(nick, seconds) => warning(format!(
            "nothing that {nick} signed has come for {seconds} seconds: the connection may be broken, or the relay keeps it back; ask {nick} by another way"
        )),
        Event::Unconfirmed(nick) => notice(format!(
            "so far, only the relay says that {nick} is here: nothing that {nick} signed for this room, as you see it, has come; ask {nick} by another way"
        )),
        Event::StaleKey(nick) => warning(format!(
            "{nick} has used one session key for more than a day and gets no messages from you; ask {nick} to join again"
        )),
        Event::Unopened(nick, reason) => warning(format!(
            "something came under the name of {nick} and is not shown: {reason}; ask {nick} to say it again"
        )),
        Event::TooLate(nick) => notice(format!(
            "{nick} wrote something that came too late: your key for it was destroyed by then; {nick} is told, and can say it again; if this happens often, the relay may be holding messages back"
        )),
        Event::Stray => warning(
            "something came from nobody in this room and is not shown: the relay is broken, or meddles; if it goes on, use another relay",
        ),
        Event::Undelivered(nicks, text) => undelivered(&nicks, &text),
        Event::Entered(_)
        | Event::Resumed
        | Event::Returned { .. }
        | Event::Back(_)
        | Event::Joined(_)
        | Event::Rekeyed(_)
        | Event::RekeyDue
        | Event::Taken(_) => return None,
    };
    Some(entry)
}

/// What was said, and did not reach these, who have not come back, or had another key by then.
pub(super) fn undelivered(nicks: &[Nick], text: &str) -> Entry {
    let whom = if nicks.is_empty() {
        "everybody".to_owned()
    } else {
        list(nicks)
    };
    warning(format!(
        "not delivered to {whom}, as a connection was broken for too long; say it again: {text}"
    ))
}

/// The room that one has come back to.
pub(super) fn returned(people: &[Person]) -> Entry {
    if people.is_empty() {
        return notice("connected again; nobody else is here");
    }
    let nicks: Vec<Nick> = people.iter().map(|person| person.nick.clone()).collect();
    notice(format!("connected again; here: {}", list(&nicks)))
}

/// Who has not come back.
pub(super) fn absent(nicks: &[Nick]) -> Entry {
    notice(format!("not here any more: {}", list(nicks)))
}

fn list(nicks: &[Nick]) -> String {
    let nicks: Vec<&str> = nicks.iter().map(Nick::as_str).collect();
    nicks.join(", ")
}

/// Whether it makes no sense to connect again after this. Whoever answers as no relay would may
/// not be the relay, unless it was.
pub(super) fn is_final(end: End, was_inside: bool) -> bool {
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
                | Notice::QueueFull
                | Notice::Idle
                | Notice::Shutdown
        ),
    }
}

/// The error for a handshake that came to nothing.
pub(super) fn no_handshake(name: &str, error: ReadError) -> anyhow::Error {
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
pub(super) fn not_a_relay(name: &str) -> anyhow::Error {
    failure(
        format!("what answers at {name} is not an e2echat relay"),
        "check the host and the port",
    )
}

/// The error for a session that the relay ended.
pub(super) fn end(name: &str, end: End) -> anyhow::Error {
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
pub(super) fn no_way_back(name: &str, patience: Duration) -> anyhow::Error {
    let seconds = patience.as_secs();
    failure(
        format!("no way back to {name} within {seconds} seconds"),
        "join again when the relay, or the network, is back; --reconnect says how long to try",
    )
}

/// The error for a connection that ended in the middle of a session.
pub(super) fn down(name: &str, error: &ReadError) -> anyhow::Error {
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
