//! Words about the connection: what becomes of it, and why it ends.

use std::time::Duration;

use crate::cmd::foreign::Protocol;
use crate::cmd::{failure, reason};
use crate::room::names::Nick;
use crate::room::notice::Notice;
use crate::room::session::{End, Person};
use crate::room::stream::ReadError;

use super::alarms::Incident;
use super::report::{LinkState, Report};
use super::{duration, list};
use crate::cmd::join::net::link::HANDSHAKE_TIMEOUT;

/// The report that the user is in the room anew, having been out of it for so long, who is there, and who
/// is expected back.
pub(in crate::cmd::join) fn entered_again(
    people: &[Person],
    missing: &[Nick],
    out: Duration,
) -> Report {
    let nicks: Vec<Nick> = people.iter().map(|person| person.nick.clone()).collect();
    let here = if people.is_empty() {
        "nobody else is here".to_owned()
    } else {
        format!("here: {}", list(&nicks))
    };
    // What is shorter is not worth a word.
    let after = if out < Duration::from_mins(1) {
        String::new()
    } else {
        format!(" after {}", duration(out))
    };
    let text = format!("connected again{after}; {here}");
    let text = match missing {
        [] => text,
        _ => format!(
            "{text}; still missing: {}; what you say in the next 5 minutes is kept for them",
            list(missing)
        ),
    };
    Report::Link(LinkState::Returned, text)
}

/// The report of those who were expected back and have not come.
pub(in crate::cmd::join) fn gone_meanwhile(nicks: &[Nick]) -> Report {
    Report::Aside(format!("not here any more: {}", list(nicks)))
}

/// That so many messages are not confirmed by everybody when the program ends.
pub(in crate::cmd::join) fn unconfirmed(messages: usize) -> String {
    match messages {
        1 => "1 message: the relay has it, and not everybody has confirmed it yet".to_owned(),
        _ => format!(
            "{messages} messages: the relay has them, and not everybody has confirmed them yet"
        ),
    }
}

/// What is told when a connection ends like this for no good reason.
pub(in crate::cmd::join) fn bad_frame(end: End) -> Incident {
    let said = match end {
        End::Malformed => None,
        End::Notice(notice) => Some(notice.to_string()),
        End::UnknownNotice(code) => {
            Some(format!("reason {code}, which this version does not know"))
        }
    };
    Incident::BadFrame { said }
}

/// The error for a handshake that came to nothing.
///
/// `cards` is how many cards of members had come, and how many there are, where that had begun.
pub(in crate::cmd::join) fn handshake_failed(
    name: &str,
    error: ReadError,
    cards: Option<(usize, u32)>,
) -> anyhow::Error {
    let seconds = HANDSHAKE_TIMEOUT.as_secs();
    if let (ReadError::TimedOut, Some((come, all))) = (&error, cards) {
        return failure(
            format!("the line to {name} is too slow: of the {all} others in the room {come} came"),
            "try again later, or over another line",
        );
    }
    match error {
        ReadError::TimedOut => failure(
            format!("no answer from {name} within {seconds} seconds"),
            "is it an e2echat relay? if it is, try again later",
        ),
        ReadError::Length(begin) => match Protocol::of(&begin) {
            Some(protocol) => failure(
                no_relay(name),
                &format!("it speaks {protocol}: check the host and the port"),
            ),
            None => not_a_relay(name),
        },
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

/// The error for something that answers and is no relay.
pub(in crate::cmd::join) fn not_a_relay(name: &str) -> anyhow::Error {
    failure(no_relay(name), "check the host and the port")
}

fn no_relay(name: &str) -> String {
    format!("what answers at {name} is not an e2echat relay")
}

/// The error for a session that the relay ended, which lets so many into a room at most.
pub(in crate::cmd::join) fn session_ended(name: &str, end: End, most: u32) -> anyhow::Error {
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
    failure(format!("{} ({name})", refusal(notice, most)), hint)
}

/// Why the relay does not let the user in, which lets so many into a room at most.
fn refusal(notice: Notice, most: u32) -> String {
    match notice {
        Notice::RoomFull => format!("{notice}: the relay lets {most} into a room"),
        notice => notice.to_string(),
    }
}

/// That the relay does not let the user in again for now.
pub(in crate::cmd::join) fn refused_again(name: &str, notice: Notice, most: u32) -> String {
    let why = refusal(notice, most);
    not_back(&format!("{why} ({name})"))
}

/// That attempts to connect again fail for this reason.
pub(in crate::cmd::join) fn not_back(why: &str) -> String {
    format!("no way back yet: {why}; your program goes on trying")
}

/// The error for a member who cannot come back under its nick.
pub(in crate::cmd::join) fn nick_lost(name: &str, nick: &Nick) -> anyhow::Error {
    failure(
        format!(
            "you were out of the room, and somebody else has the nick {nick} by now, or one that looks like it ({name})"
        ),
        "join again with another --nick",
    )
}

/// The error for a client that could not connect again for as long as it was to try.
pub(in crate::cmd::join) fn reconnect_failed(name: &str, patience: Duration) -> anyhow::Error {
    let seconds = patience.as_secs();
    failure(
        format!("no way back to {name} within {seconds} seconds"),
        "join again when the relay, or the network, is back; --reconnect says how long to try",
    )
}

/// The error for a connection that ended in the middle of a session, perhaps after this program had been
/// too slow for so long. `last_words` are those of the program that was the connection.
pub(in crate::cmd::join) fn connection_lost(
    name: &str,
    error: &ReadError,
    slow_for: Option<Duration>,
    last_words: Option<String>,
) -> anyhow::Error {
    let slow_for =
        slow_for.map(|time| format!("your program was too slow to read for {}", duration(time)));
    let why = match (error, slow_for) {
        (ReadError::Length(begin), _) => match Protocol::of(begin) {
            Some(protocol) => format!("what answers there speaks {protocol}"),
            None => "what came was no frame".to_owned(),
        },
        (ReadError::TimedOut, Some(slow)) => slow,
        (_, Some(slow)) => slow + ", and the other end hung up",
        (ReadError::Closed | ReadError::Broken, None) => "the other end hung up".to_owned(),
        (ReadError::TimedOut, None) => "it did not answer for too long".to_owned(),
        (ReadError::Io(error), None) => reason(error),
    };
    let last_words = last_words.map_or(String::new(), |words| {
        format!("; the program said: {words}")
    });
    failure(
        format!("lost the connection to {name}: {why}{last_words}"),
        "join again",
    )
}
