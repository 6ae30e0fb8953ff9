//! What happens in a room, in words for the screen.

use crate::cmd::terminal::Entry;
use crate::room::frame::Departure;
use crate::room::message::Kind;
use crate::room::names::Nick;
use crate::room::session::Event;
use crate::room::text::SafeText;

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
            "{nick} has left, says the relay, and has not said so: perhaps the relay has cut the two of you off from each other"
        )),
        Event::Left {
            nick, departure, ..
        } => notice(format!("{nick} {departure}")),
        Event::Disbelieved(reason) => warning(format!(
            "the relay presents somebody who is not to be believed: {reason}; your messages do not go there"
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
        Event::LeftOut(nick) => notice(format!("{nick} wrote something and left you out")),
        Event::OtherView(nick) => warning(format!(
            "{nick} and you are shown different things by the relay: other members, other messages, or another order; compare with /code"
        )),
        Event::Missing(nick, 1) => warning(format!(
            "a message from {nick} did not arrive: the relay has lost it or kept it back; ask {nick} to repeat it"
        )),
        Event::Missing(nick, count) => warning(format!(
            "{count} messages from {nick} did not arrive: the relay has lost them or kept them back; ask {nick} to repeat them"
        )),
        Event::Equivocation(nick) => warning(format!(
            "{nick} has signed two different messages for one place: {nick} or a broken client is telling people different things"
        )),
        Event::Quiet(nick, seconds) => warning(format!(
            "nothing that {nick} signed has come for {seconds} seconds: the connection may be broken, or the relay keeps it back"
        )),
        Event::StaleKey(nick) => warning(format!(
            "{nick} has used one session key for more than a day and gets no messages from you; ask {nick} to join again"
        )),
        Event::Unopened(nick, reason) => warning(format!(
            "something came under the name of {nick} and is not shown: {reason}"
        )),
        Event::Stray => warning("something came from nobody in this room and is not shown"),
        Event::Entered(_)
        | Event::Joined(_)
        | Event::Rekeyed(_)
        | Event::RekeyDue
        | Event::Taken(_) => return None,
    };
    Some(entry)
}
