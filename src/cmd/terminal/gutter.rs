//! What stands before a member's words, in every row of them.
//!
//! In full, `21:04 <bob> hello`, and for an action `21:04 * bob waves`. Behind the author's nick
//! stands whom the words are for, ` → carl`, or that they are about the user, ` @you`; before it,
//! `<?bob>`, that its identity is not accepted. In place of the time of one's own words stands that
//! the relay has not taken them yet. None of this can be part of a nick, and words only ever come
//! after it, so nobody can write it.

use jiff::civil::Time;

use super::entry::Message;
use super::wrap;

/// The least room for text beside the full gutter; below it the gutter shrinks.
const MIN_TEXT_COLUMNS: usize = 12;
/// What stands for the time of a message that the relay has not taken.
const WAITING: &str = "unsent ";
/// The same where there is no room for it.
const WAITING_NARROW: &str = "? ";

/// What stands before a member's words.
pub(super) struct Gutter {
    /// The time or what stands for it, and a space; or nothing.
    pub(super) before: String,
    /// `<nick>`, or `* nick` for an action.
    pub(super) author: String,
    /// The columns it takes, with the space that follows it.
    pub(super) width: usize,
}

impl Gutter {
    /// The gutter in a terminal of this many columns.
    pub(super) fn new(message: &Message, timestamps: bool, columns: usize) -> Self {
        let before = if message.waiting.is_some() {
            WAITING.to_owned()
        } else if timestamps {
            clock(message.time)
        } else {
            String::new()
        };
        let full = Self::with(before, message, usize::MAX);
        if full.width.saturating_add(MIN_TEXT_COLUMNS) <= columns {
            return full;
        }
        let before = if message.waiting.is_some() {
            WAITING_NARROW
        } else {
            ""
        };
        // Room for the text comes first, but half of the row is the author's.
        let brackets = if message.action { "<> *" } else { "<>" };
        let free = columns.saturating_sub(before.len() + brackets.len() + 1);
        let longest = free.saturating_sub(MIN_TEXT_COLUMNS).max(free / 2);
        Self::with(before.to_owned(), message, longest)
    }

    /// The gutter with nicks cut so that they take this many columns, or as few as can be.
    fn with(before: String, message: &Message, longest: usize) -> Self {
        let about = match &message.to {
            Some(reader) => Some((" → ", reader.as_str())),
            None if message.mentions => Some((" @", "you")),
            None => None,
        };
        let (nicks, is_plain) = match about {
            Some((sign, other)) => (pair(&message.nick, sign, other, longest), false),
            None => (shortened(&message.nick, longest), true),
        };
        let author = match message.action {
            false => format!("<{nicks}>"),
            // Without a time it could be taken for a notice, and with a sign, which words can hold
            // too, for something said to somebody else.
            true if is_plain && !before.is_empty() => format!("* {nicks}"),
            true => format!("<{nicks}> *"),
        };
        let width = before.len() + wrap::width(&author) + 1;
        Self {
            before,
            author,
            width,
        }
    }
}

fn clock(time: Time) -> String {
    format!("{:02}:{:02} ", time.hour(), time.minute())
}

/// Two nicks with a sign between them that is never cut.
fn pair(nick: &str, sign: &str, other: &str, longest: usize) -> String {
    let room = longest.saturating_sub(wrap::width(sign));
    let other = shortened(other, room.saturating_sub(nick.len()).max(room / 2));
    let nick = shortened(nick, room.saturating_sub(wrap::width(&other)));
    format!("{nick}{sign}{other}")
}

/// A nick, which is ASCII, cut to this many columns, but not to none.
fn shortened(nick: &str, columns: usize) -> String {
    if nick.len() <= columns.max(1) {
        return nick.to_owned();
    }
    let kept: String = nick.chars().take(columns.saturating_sub(1)).collect();
    format!("{kept}…")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn from(nick: &str) -> Message {
        Message::sample(nick, "")
    }

    fn to(reader: &str, nick: &str) -> Message {
        Message {
            to: Some(reader.to_owned()),
            ..from(nick)
        }
    }

    fn action(message: Message) -> Message {
        Message {
            action: true,
            ..message
        }
    }

    fn mention(message: Message) -> Message {
        Message {
            mentions: true,
            ..message
        }
    }

    fn waiting(message: Message) -> Message {
        Message {
            own: true,
            waiting: Some(1),
            ..message
        }
    }

    fn at(columns: usize, message: &Message) -> String {
        let gutter = Gutter::new(message, true, columns);
        gutter.before + &gutter.author
    }

    #[test]
    fn the_forms() {
        for (message, gutter) in [
            (from("bob"), "21:04 <bob>"),
            (action(from("bob")), "21:04 * bob"),
            (to("you", "bob"), "21:04 <bob → you>"),
            (to("bob", "ada"), "21:04 <ada → bob>"),
            (action(to("you", "bob")), "21:04 <bob → you> *"),
            (mention(from("bob")), "21:04 <bob @you>"),
            (mention(action(from("bob"))), "21:04 <bob @you> *"),
            (mention(to("you", "bob")), "21:04 <bob → you>"),
            (waiting(from("ada")), "unsent <ada>"),
            (waiting(to("bob", "ada")), "unsent <ada → bob>"),
            (waiting(action(from("ada"))), "unsent * ada"),
        ] {
            assert_eq!(at(80, &message), gutter);
        }
    }

    #[test]
    fn a_narrow_terminal_cuts_nicks_and_nothing_else() {
        let (long, other) = ("alexandria.the.great", "hephaestion");
        for (message, gutter) in [
            (from(long), "<alexandri…>"),
            (action(from(long)), "<alexandr…> *"),
            (to("you", long), "<ale… → you>"),
            (to(other, long), "<ale… → he…>"),
            (to(other, "ada"), "<ada → hep…>"),
            (mention(from(long)), "<alex… @you>"),
            (waiting(from(long)), "? <alexandr…>"),
        ] {
            assert_eq!(at(24, &message), gutter);
        }
    }

    #[test]
    fn the_narrowest_terminals_still_show_what_kind_of_message_it_is() {
        for columns in 0..18 {
            let shown = at(columns, &to("hephaestion", "alexandria"));
            assert!(shown.contains(" → "), "{columns}: {shown}");
            let shown = at(columns, &mention(from("alexandria")));
            assert!(shown.contains(" @"), "{columns}: {shown}");
            let shown = at(columns, &waiting(from("alexandria")));
            assert!(shown.starts_with("? "), "{columns}: {shown}");
        }
    }

    #[test]
    fn without_times_an_action_does_not_look_like_a_notice() {
        for message in [from("bob"), action(from("bob")), action(to("you", "bob"))] {
            let gutter = Gutter::new(&message, false, 80);
            assert_eq!(gutter.before, "");
            assert!(gutter.author.starts_with("<bob"), "{}", gutter.author);
        }
    }
}
