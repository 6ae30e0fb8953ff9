//! What is shown, and the form it takes. Pure: an entry and a width in, rows out.
//!
//! Column 0 tells who speaks. A chat row begins with a time or with six spaces, and carries its
//! author; the program's own rows begin with `*`, `!` or `|`. Since every row has its gutter,
//! wrapped ones included, no text can look like another member's or like the program's.

use jiff::civil::Time;

use super::wrap;
use crate::room::text::SafeText;

/// The least room for text beside the full gutter; below it the gutter shrinks.
const MIN_TEXT_COLUMNS: usize = 12;
/// The most rows of one entry: 4 KiB of line breaks would take everything else off the screen.
const MAX_ROWS: usize = 200;
/// How an inner line break is shown where an entry is one line.
const LINE_BREAK: &str = " ⏎ ";

const DIM: &str = "2";
const RED: &str = "31";
const GREEN: &str = "32";
const CYAN: &str = "36";

/// One thing to show.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::cmd) enum Entry {
    /// What a member said or did.
    Message {
        /// Local time of the message.
        time: Time,
        /// Its author: a nick that has passed the room's rules, so it needs no sanitising.
        nick: String,
        /// Whether the author is the user.
        own: bool,
        /// Whether it is an action (`/me waves`).
        action: bool,
        /// The text.
        text: SafeText,
    },
    /// Something that the user may want to know.
    Notice(SafeText),
    /// Something that the user must not overlook.
    Warning(SafeText),
    /// An answer of the program's own, several lines long: help, lists.
    Block(SafeText),
    /// Nothing to see: what came before this has been shown.
    Mark(u64),
}

/// How entries look beyond their words. Colour never carries meaning alone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::cmd) struct Style {
    /// Whether to use colour.
    pub(in crate::cmd) color: bool,
}

impl Style {
    /// Colour, unless the environment has a `NO_COLOR` that is not empty.
    #[must_use]
    pub(in crate::cmd) fn from_env() -> Self {
        Self {
            color: std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty()),
        }
    }

    fn paint(self, code: &str, text: &str) -> String {
        if self.color && !text.is_empty() {
            format!("\x1b[{code}m{text}\x1b[0m")
        } else {
            text.to_owned()
        }
    }
}

/// The rows of an entry on a terminal of the given width, each ended by a line break.
#[must_use]
pub(super) fn render(entry: &Entry, columns: usize, style: Style) -> String {
    match entry {
        Entry::Message {
            time,
            nick,
            own,
            action,
            text,
        } => {
            let gutter = Gutter::new(*time, nick, *action, columns);
            let (text_columns, nick_color) = (
                columns.saturating_sub(gutter.width),
                if *own { GREEN } else { CYAN },
            );
            let author = style.paint(nick_color, &gutter.author);
            let first = style.paint(DIM, &gutter.time) + &author;
            let next = " ".repeat(gutter.time.len()) + &author;
            let rows = wrap::rows(text.as_str(), text_columns);
            join(&rows, &first, &next, str::to_owned)
        }
        Entry::Notice(text) => marked(text, '*', columns, |row| style.paint(DIM, row)),
        Entry::Warning(text) => marked(text, '!', columns, |row| style.paint(RED, row)),
        Entry::Mark(_) => String::new(),
        Entry::Block(text) => {
            let rows = wrap::rows(text.as_str(), columns.saturating_sub(2));
            join(&rows, "|", "|", str::to_owned)
        }
    }
}

/// An entry where there is no terminal: one line, unwrapped, without colour. Only a block, which
/// is the program's own words, keeps its lines.
#[must_use]
pub(super) fn render_plain(entry: &Entry) -> String {
    let one_line = |text: &SafeText| text.as_str().replace('\n', LINE_BREAK);
    match entry {
        Entry::Message {
            time,
            nick,
            action,
            text,
            ..
        } => {
            let gutter = Gutter::new(*time, nick, *action, usize::MAX);
            format!("{}{} {}\n", gutter.time, gutter.author, one_line(text))
        }
        Entry::Notice(text) => format!("* {}\n", one_line(text)),
        Entry::Warning(text) => format!("! {}\n", one_line(text)),
        Entry::Block(_) | Entry::Mark(_) => render(entry, usize::MAX, Style::default()),
    }
}

/// What stands before a member's words.
struct Gutter {
    /// The time and a space; empty where there is no room for it.
    time: String,
    /// `<nick>`, or `* nick` for an action.
    author: String,
    /// The columns it takes, with the space that follows it.
    width: usize,
}

impl Gutter {
    fn new(time: Time, nick: &str, action: bool, columns: usize) -> Self {
        let (before, after) = if action { ("* ", "") } else { ("<", ">") };
        let mut time = format!("{:02}:{:02} ", time.hour(), time.minute());
        let mut author = format!("{before}{nick}{after}");
        if time.len() + wrap::width(&author) + 1 + MIN_TEXT_COLUMNS > columns {
            time.clear();
            // Only with the time before it is `* nick` not taken for a notice.
            let (before, after) = if action {
                ("<", "> *")
            } else {
                (before, after)
            };
            author = format!("{before}{nick}{after}");
            // Room for the text comes first, but half of the row is the author's.
            let free = columns.saturating_sub(before.len() + after.len() + 1);
            let longest = free.saturating_sub(MIN_TEXT_COLUMNS).max(free / 2).max(1);
            if wrap::width(nick) > longest {
                let kept: String = nick.chars().take(longest - 1).collect();
                author = format!("{before}{kept}…{after}");
            }
        }
        let width = time.len() + wrap::width(&author) + 1;
        Self {
            time,
            author,
            width,
        }
    }
}

/// The rows of the program's own words. A following row is set further in than any first row can
/// be told from, so that one entry cannot pass for two.
fn marked(text: &SafeText, marker: char, columns: usize, paint: impl Fn(&str) -> String) -> String {
    let rows = wrap::rows(text.as_str(), columns.saturating_sub(4));
    let (first, next) = (paint(&format!("{marker}")), paint(&format!("{marker}  ")));
    join(&rows, &first, &next, paint)
}

/// Puts each row behind its gutter.
fn join(rows: &[&str], first: &str, next: &str, paint: impl Fn(&str) -> String) -> String {
    let mut shown = String::new();
    let mut gutter = first;
    let hidden = rows.len().saturating_sub(MAX_ROWS);
    let rest = format!("… and {hidden} more lines, which are not shown");
    let visible = rows.iter().copied().take(MAX_ROWS);
    for row in visible.chain((hidden > 0).then_some(rest.as_str())) {
        shown.push_str(gutter);
        if !row.is_empty() {
            shown.push(' ');
            shown.push_str(&paint(row));
        }
        shown.push('\n');
        gutter = next;
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(nick: &str, action: bool, text: &str) -> Entry {
        let time = Time::constant(21, 4, 59, 0);
        Entry::Message {
            time,
            nick: nick.to_owned(),
            own: false,
            action,
            text: SafeText::new(text),
        }
    }

    fn shown(entry: &Entry, columns: usize) -> String {
        render(entry, columns, Style::default())
    }

    #[test]
    fn the_forms_of_lines() {
        assert_eq!(
            shown(&message("ada", false, "hello"), 80),
            "21:04 <ada> hello\n"
        );
        assert_eq!(
            shown(&message("ada", true, "waves"), 80),
            "21:04 * ada waves\n"
        );
        assert_eq!(
            shown(&Entry::Notice(SafeText::new("ada joined")), 80),
            "* ada joined\n"
        );
        assert_eq!(
            shown(&Entry::Warning(SafeText::new("beware")), 80),
            "! beware\n"
        );
        assert_eq!(
            shown(&Entry::Block(SafeText::new("a\nb")), 80),
            "| a\n| b\n"
        );
    }

    #[test]
    fn a_line_break_does_not_forge_another_member() {
        let forged = message(
            "eve",
            false,
            "hi\n21:04 <ada> I agree\n! key changed\n* eve left",
        );
        assert_eq!(
            shown(&forged, 80),
            "21:04 <eve> hi\n      <eve> 21:04 <ada> I agree\n      <eve> ! key changed\n      <eve> * eve left\n"
        );
    }

    #[test]
    fn wrapping_does_not_forge_another_member() {
        let forged = message(
            "eve",
            false,
            &format!("{}21:04 <ada> I agree", "x".repeat(28)),
        );
        assert_eq!(
            shown(&forged, 40),
            format!(
                "21:04 <eve> {}\n      <eve> 21:04 <ada> I agree\n",
                "x".repeat(28)
            )
        );
    }

    #[test]
    fn an_action_repeats_its_author() {
        assert_eq!(
            shown(&message("eve", true, "a\n* ada b"), 80),
            "21:04 * eve a\n      * eve * ada b\n"
        );
    }

    #[test]
    fn a_notice_of_two_lines_is_not_two_notices() {
        assert_eq!(
            shown(&Entry::Notice(SafeText::new("a\nb left")), 80),
            "* a\n*   b left\n"
        );
        assert_eq!(
            shown(&Entry::Warning(SafeText::new("a\nb")), 80),
            "! a\n!   b\n"
        );
    }

    #[test]
    fn no_row_is_wider_than_the_terminal() {
        let text = "日本語 and a_rather_long_word_indeed, 🦀 crabs ".repeat(5);
        let nick = "n".repeat(24);
        for columns in 10..120 {
            for entry in [
                message(&nick, false, &text),
                message("ada", true, &text),
                Entry::Notice(SafeText::new(&text)),
                Entry::Block(SafeText::new(&text)),
            ] {
                for row in shown(&entry, columns).lines() {
                    assert!(wrap::width(row) <= columns, "{columns}: {row:?}");
                }
            }
        }
    }

    #[test]
    fn the_narrowest_terminals_neither_loop_nor_panic() {
        for columns in 0..10 {
            let rows = shown(&message("alexandria", false, "日本語 hello"), columns);
            assert!(
                rows.lines().all(|row| row.starts_with('<')),
                "{columns}: {rows}"
            );
            assert!(!shown(&Entry::Warning(SafeText::new("日本語 hello")), columns).is_empty());
        }
    }

    #[test]
    fn a_narrow_terminal_keeps_the_author_in_every_row() {
        assert_eq!(
            shown(&message("ada", false, "hello world"), 14),
            "<ada> hello\n<ada> world\n"
        );
        assert_eq!(
            shown(&message("alexandria", false, "hi you"), 10),
            "<al…> hi\n<al…> you\n"
        );
    }

    #[test]
    fn colour_adds_nothing_but_colour() {
        let entry = message("ada", false, "two\nrows");
        let painted = render(&entry, 80, Style { color: true });
        let mut plain = painted.clone();
        for code in [DIM, CYAN, "0"] {
            plain = plain.replace(&format!("\x1b[{code}m"), "");
        }
        assert_ne!(painted, plain);
        assert_eq!(plain, shown(&entry, 80));
    }

    #[test]
    fn without_a_terminal_an_entry_is_one_line() {
        assert_eq!(
            render_plain(&message("eve", false, "a\n21:04 <ada> b")),
            "21:04 <eve> a ⏎ 21:04 <ada> b\n"
        );
        assert_eq!(
            render_plain(&Entry::Notice(SafeText::new("a\nb"))),
            "* a ⏎ b\n"
        );
    }
}
