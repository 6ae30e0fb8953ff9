//! The gutter: what stands before a member's words, in every row of them.
//!
//! The full form is `21:04 <bob> hello`, and for an action `21:04 * bob waves`. Signs in it say more:
//! ` → carl` behind the author's nick says whom the words are for, ` @you` says that they mention the
//! user, and the `?` of `<?bob>` says that the user has not accepted the identity. While the relay has
//! not taken the user's own words, `unsent` stands in place of the time. A `~` behind it, as
//! in `21:04~ <bob> yes`, says that the author had not seen all that stands above: in a lively room that
//! is nothing special, so the sign is small. In its place stands, before the user's own words, a `-` where
//! somebody has not confirmed them for too long, and an `x` where they have not reached somebody. What
//! somebody else than its author has handed on has a `"` there: the time is then the author's, shown in any
//! case, and before it stands the date, where that is not today. A nick can contain none of these signs, but
//! `-` and `x`, and words only come behind the gutter, so nobody can forge one.

use jiff::civil::Time;

use super::entry::{ChatMessage, State};
use super::wrap;

/// The least room for text beside the full gutter, in columns; with less, the gutter shrinks.
pub(super) const MIN_TEXT_COLUMNS: usize = 12;
/// Stands for the time of a message that the relay has not taken.
const WAITING: &str = "unsent ";
/// Stands for the same where there is no room for the word.
const WAITING_NARROW: &str = "? ";
/// Stands behind the time, if there is one, where the author had not seen all that stands above.
const CROSSED: &str = "~ ";
/// Stands there where somebody has not confirmed the user's own words for too long.
const LATE: &str = "- ";
/// Stands there where the user's own words have not reached somebody.
const UNDELIVERED: &str = "x ";
/// Stands there where somebody else than the author has handed the words on.
const HANDED_ON: &str = "\" ";

/// A gutter in its two parts, which differ in colour.
pub(super) struct Gutter {
    /// The time or `unsent`, perhaps a sign, and a space; or nothing. It is ASCII.
    pub(super) before: String,
    /// `<nick>`, or `* nick` or `<nick> *` for an action.
    pub(super) author: String,
    /// The columns that both parts take, with the space that follows them.
    pub(super) width: usize,
}

impl Gutter {
    /// Makes the gutter of a message for a terminal of this many columns.
    pub(super) fn new(message: &ChatMessage, timestamps: bool, columns: usize) -> Self {
        let is_unsent = message.state() == Some(State::Unsent);
        let before = if is_unsent {
            WAITING.to_owned()
        } else if timestamps || message.is_handed_on {
            let date = message.date.map(|date| format!("{date} "));
            date.unwrap_or_default() + &clock(message.time)
        } else {
            String::new()
        };
        let mark = |before| marked(before, sign(message));
        let full = Self::with(mark(before), message, usize::MAX);
        if full.width.saturating_add(MIN_TEXT_COLUMNS) <= columns {
            return full;
        }
        let before = if is_unsent { WAITING_NARROW } else { "" };
        let before = mark(before.to_owned());
        // Room for the text comes first, but half of the row is the author's.
        let brackets = if message.action { "<> *" } else { "<>" };
        let free = columns.saturating_sub(before.len() + brackets.len() + 1);
        let longest = free.saturating_sub(MIN_TEXT_COLUMNS).max(free / 2);
        Self::with(before, message, longest)
    }

    /// Makes the gutter with its nicks cut to `longest` columns, or as near to that as they can be.
    fn with(before: String, message: &ChatMessage, longest: usize) -> Self {
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
            // Without a time, `* bob` would look like a notice. And words can hold signs: in
            // `* bob → carl` the sign could be a part of the action.
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

/// The time of a row, with a space behind it.
pub(super) fn clock(time: Time) -> String {
    format!("{:02}:{:02} ", time.hour(), time.minute())
}

/// The sign that stands behind the time of a message, if one does.
fn sign(message: &ChatMessage) -> Option<&'static str> {
    match message.state() {
        Some(State::Late) => Some(LATE),
        Some(State::Undelivered) => Some(UNDELIVERED),
        _ if message.is_handed_on => Some(HANDED_ON),
        _ if message.unseen > 0 => Some(CROSSED),
        _ => None,
    }
}

/// What stands before the author, with the sign.
fn marked(before: String, sign: Option<&str>) -> String {
    match sign {
        Some(sign) => before.trim_end().to_owned() + sign,
        None => before,
    }
}

/// Two nicks with a sign between them. Only the nicks are cut.
fn pair(nick: &str, sign: &str, other: &str, longest: usize) -> String {
    let room = longest.saturating_sub(wrap::width(sign));
    let other = shortened(other, room.saturating_sub(nick.len()).max(room / 2));
    let nick = shortened(nick, room.saturating_sub(wrap::width(&other)));
    format!("{nick}{sign}{other}")
}

/// A nick cut to this many columns, but not to none. Nicks are ASCII.
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
    use crate::cmd::terminal::entry::OwnWords;
    use jiff::civil::Date;

    fn from(nick: &str) -> ChatMessage {
        ChatMessage::sample(nick, "")
    }

    fn to(reader: &str, nick: &str) -> ChatMessage {
        ChatMessage {
            to: Some(reader.to_owned()),
            ..from(nick)
        }
    }

    fn action(message: ChatMessage) -> ChatMessage {
        ChatMessage {
            action: true,
            ..message
        }
    }

    fn mention(message: ChatMessage) -> ChatMessage {
        ChatMessage {
            mentions: true,
            ..message
        }
    }

    fn own(state: State, message: ChatMessage) -> ChatMessage {
        ChatMessage {
            own: Some(OwnWords { number: 1, state }),
            ..message
        }
    }

    fn waiting(message: ChatMessage) -> ChatMessage {
        own(State::Unsent, message)
    }

    fn crossed(message: ChatMessage) -> ChatMessage {
        ChatMessage {
            unseen: 2,
            ..message
        }
    }

    fn handed_on(date: Option<Date>, message: ChatMessage) -> ChatMessage {
        ChatMessage {
            date,
            is_handed_on: true,
            ..message
        }
    }

    fn at(columns: usize, message: &ChatMessage) -> String {
        let gutter = Gutter::new(message, true, columns);
        gutter.before + &gutter.author
    }

    #[test]
    fn the_forms() {
        let date = Date::constant(2026, 11, 26);
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
            (own(State::Taken, from("ada")), "21:04 <ada>"),
            (own(State::Late, from("ada")), "21:04- <ada>"),
            (own(State::Late, action(from("ada"))), "21:04- * ada"),
            (own(State::Undelivered, from("ada")), "21:04x <ada>"),
            (
                own(State::Undelivered, to("bob", "ada")),
                "21:04x <ada → bob>",
            ),
            (crossed(from("bob")), "21:04~ <bob>"),
            (crossed(action(from("bob"))), "21:04~ * bob"),
            (crossed(mention(from("bob"))), "21:04~ <bob @you>"),
            (handed_on(None, from("bob")), "21:04\" <bob>"),
            (handed_on(None, action(from("bob"))), "21:04\" * bob"),
            (
                handed_on(Some(date), from("bob")),
                "2026-11-26 21:04\" <bob>",
            ),
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
            (own(State::Late, from(long)), "- <alexandr…>"),
            (own(State::Undelivered, from(long)), "x <alexandr…>"),
            (crossed(from(long)), "~ <alexandr…>"),
            (handed_on(None, from(long)), "\" <alexandr…>"),
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
            let shown = at(columns, &crossed(from("alexandria")));
            assert!(shown.starts_with("~ <"), "{columns}: {shown}");
        }
    }

    #[test]
    fn without_times_an_action_does_not_look_like_a_notice() {
        for message in [from("bob"), action(from("bob")), action(to("you", "bob"))] {
            let gutter = Gutter::new(&message, false, 80);
            assert_eq!(gutter.before, "");
            assert!(gutter.author.starts_with("<bob"), "{}", gutter.author);
        }
        let gutter = Gutter::new(&crossed(action(from("bob"))), false, 80);
        assert_eq!(gutter.before + &gutter.author, "~ * bob");
        // When it was handed on says nothing of when it was said.
        let gutter = Gutter::new(&handed_on(None, from("bob")), false, 80);
        assert_eq!(gutter.before + &gutter.author, "21:04\" <bob>");
    }
}
