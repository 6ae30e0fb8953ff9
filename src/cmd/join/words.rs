//! What happens in a room, in words for the screen.

use crate::cmd::terminal::Entry;
use crate::room::message::Kind;
use crate::room::names::Nick;
use crate::room::session::{Event, Person};
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

/// The others who are in the room, one an entry.
pub(super) fn others(others: &[Person]) -> Vec<Entry> {
    if others.is_empty() {
        return vec![notice("nobody else is here yet")];
    }
    others
        .iter()
        .map(|person| notice(format!("here: {} {}", person.nick, person.fingerprint)))
        .collect()
}

/// An event.
pub(super) fn event(event: Event) -> Vec<Entry> {
    let entry = match event {
        Event::Entered(people) => return others(&people),
        Event::Joined(person) => notice(format!("{} joined {}", person.nick, person.fingerprint)),
        Event::Left(nick, departure) => notice(format!("{nick} {departure}")),
        Event::Disbelieved(reason) => warning(format!(
            "the relay presents somebody who is not to be believed: {reason}; your messages do not go there"
        )),
        Event::Message {
            from,
            direct,
            kind,
            text,
        } => {
            let entry = message(&from, false, kind, text);
            if direct {
                return vec![notice(format!("{from} writes to you alone:")), entry];
            }
            entry
        }
        Event::LeftOut(nick) => notice(format!("{nick} wrote something and left you out")),
        Event::OtherView(nick) => warning(format!(
            "{nick} and you are shown different things by the relay: other members, other messages, or another order"
        )),
        Event::Missing(nick, 1) => warning(format!("a message from {nick} did not arrive")),
        Event::Missing(nick, count) => {
            warning(format!("{count} messages from {nick} did not arrive"))
        }
        Event::Unopened(nick, reason) => warning(format!(
            "something came under the name of {nick} and is not shown: {reason}"
        )),
        Event::Stray => warning("something came from nobody in this room and is not shown"),
        Event::Taken(_) => return Vec::new(),
    };
    vec![entry]
}
