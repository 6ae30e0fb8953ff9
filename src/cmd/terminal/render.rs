//! Renders entries: an entry and a width go in, rows come out, and nothing else happens.
//!
//! Column 0 tells who speaks. A row of a message begins with the gutter, which names the author. The
//! program's own rows begin with `*`, `?`, `!` or `|`. Every row has its gutter, also a wrapped one, so no
//! text can look like another member's or like the program's.

use jiff::civil::Time;

use super::entry::{ChatMessage, Entry, State};
use super::gutter::{Gutter, MIN_TEXT_COLUMNS, clock};
use super::style::{Look, Style};
use super::{url, wrap};
use crate::room::text::SafeText;

/// The most rows of one entry for which nobody has asked. A message of nothing but line breaks would take
/// everything else off the screen.
const MAX_ROWS: usize = 200;
/// What stands before the text of a notice or warning, in columns.
const MARKED_INDENT: usize = 4;
/// With fewer columns a notice has no time, as a message has none.
const MIN_TIMED_COLUMNS: usize = MARKED_INDENT + "21:04 ".len() + MIN_TEXT_COLUMNS;
/// By how many columns a block indents a row that continues the one before.
const BLOCK_INDENT: usize = 2;
/// The notice above an invite.
const ABOVE_INVITE: &str =
    "friends join with: e2echat join INVITE --nick NAME, where the invite is";
/// The notice below an address: what stands there comes from somebody else, and has no gutter.
const BELOW_URL: &str = "that is all of the address";
/// Switches the terminal's wrapping off, and on again (DECAWM). A terminal may show a character wider
/// than this program counts it. Without wrapping the row then loses its end; with it, the row would go
/// on at column 0 without the author's gutter.
pub(super) const WRAP_OFF: &str = "\x1b[?7l";
pub(super) const WRAP_ON: &str = "\x1b[?7h";
/// How a mistake of the user's looks: it is to be seen, and to alarm nobody.
const MISTAKE_LOOK: Look = Look {
    color: None,
    bold: true,
    reverse: false,
};
/// Stands for a line break where an entry is one line.
const LINE_BREAK: &str = " ⏎ ";

/// The rows of an entry on a terminal of `columns` columns. Each ends with a line break. An entry that
/// shows nothing has none.
#[must_use]
pub(in crate::cmd) fn render(entry: &Entry, columns: usize, style: Style) -> String {
    match entry {
        Entry::Message(message) => {
            let shown = said(message, columns, style);
            let remark = message.remark.as_ref();
            let notice = |text| marked('*', text, columns, style, notice_look(style));
            shown + &remark.map_or(String::new(), notice)
        }
        Entry::Notice(text) => marked('*', text, columns, style, notice_look(style)),
        Entry::Mistake(text) => marked('?', text, columns, style, MISTAKE_LOOK),
        Entry::Warning(text) => marked('!', text, columns, style, warning_look(style)),
        Entry::Timed(time, entry) if style.timestamps && columns >= MIN_TIMED_COLUMNS => {
            render(&with_time(*time, entry), columns, style)
        }
        Entry::Timed(_, entry) => render(entry, columns, style),
        Entry::Invite { invite, .. } => {
            let above = SafeText::new(ABOVE_INVITE);
            let above = marked('*', &above, columns, style, notice_look(style));
            above + &unbroken(invite)
        }
        Entry::Url { whose, url } => {
            let notice = |text| marked('*', text, columns, style, notice_look(style));
            notice(whose) + &unbroken(url) + &notice(&SafeText::new(BELOW_URL))
        }
        Entry::Block(text) => block(text, columns),
        // A line is meant for a program, so nobody has made it harmless for a terminal.
        Entry::Line(line) => block(&SafeText::new(line), columns),
        Entry::Turned(..)
        | Entry::Clear
        | Entry::Codes(_)
        | Entry::Title(_)
        | Entry::Status(_)
        | Entry::Style(_)
        | Entry::Ignored(_)
        | Entry::Mark(_) => String::new(),
    }
}

/// What the program says, with the time in front of it: behind the sign, which alone stands in column 0.
fn with_time(time: Time, entry: &Entry) -> Entry {
    let timed = |text: &SafeText| SafeText::new(&(clock(time) + text.as_str()));
    match entry {
        Entry::Notice(text) => Entry::Notice(timed(text)),
        Entry::Mistake(text) => Entry::Mistake(timed(text)),
        Entry::Warning(text) => Entry::Warning(timed(text)),
        entry => entry.clone(),
    }
}

/// What somebody said, without the remark on it.
fn said(message: &ChatMessage, columns: usize, style: Style) -> String {
    let gutter = Gutter::new(message, style.timestamps, columns);
    let author = style.paint(author_look(message, style), &gutter.author);
    let first = style.paint(before_look(message, style), &gutter.before) + &author;
    let next = " ".repeat(gutter.before.len()) + &author;
    let text = message.text.as_str();
    let ranges = wrap::ranges(text, columns.saturating_sub(gutter.width));
    let cut = cut(ranges.len(), "/show shows them");
    let shown = ranges.get(..MAX_ROWS).unwrap_or(&ranges);
    let rows = url::rows(text, shown, style.links);
    let rows: Vec<&str> = rows
        .iter()
        .map(String::as_str)
        .chain(cut.as_deref())
        .collect();
    let look = text_look(message, style);
    put_behind_gutter(&rows, &first, &next, |row| style.paint(look, row))
}

/// A row that the terminal itself breaks if it is long. So the terminal copies it as one line.
fn unbroken(text: &SafeText) -> String {
    format!("{WRAP_ON}{text}{WRAP_OFF}\n")
}

/// Whether a message has more rows than are shown of it at this width.
#[must_use]
pub(super) fn is_cut(message: &ChatMessage, columns: usize, style: Style) -> bool {
    let gutter = Gutter::new(message, style.timestamps, columns);
    let columns = columns.saturating_sub(gutter.width);
    wrap::ranges(message.text.as_str(), columns).len() > MAX_ROWS
}

/// All lines of a message, each behind the message's gutter.
#[must_use]
pub(in crate::cmd) fn render_whole(message: &ChatMessage) -> String {
    let gutter = Gutter::new(message, true, usize::MAX);
    let first = gutter.before.clone() + &gutter.author;
    let next = " ".repeat(gutter.before.len()) + &gutter.author;
    let rows: Vec<&str> = message.text.as_str().split('\n').collect();
    put_behind_gutter(&rows, &first, &next, str::to_owned)
}

/// How many rows of a terminal a rendered row takes. A row that the terminal breaks takes more than one.
#[must_use]
pub(super) fn height(row: &str, columns: usize) -> usize {
    let row = row.trim_end_matches('\n').strip_prefix(WRAP_ON);
    let unbroken = row.and_then(|row| row.strip_suffix(WRAP_OFF));
    unbroken.map_or(1, |row| wrap::width(row).div_ceil(columns.max(1)).max(1))
}

/// An entry where there is no terminal: one line, unwrapped, with a line break at its end. A mention
/// changes nothing in it, so the author is always in the same form. Only what the program itself says has
/// lines of its own: those of a block, and the remark on a message.
#[must_use]
pub(in crate::cmd) fn render_plain(entry: &Entry, style: Style) -> String {
    let one_line = |text: &SafeText| text.as_str().replace('\n', LINE_BREAK);
    match entry {
        Entry::Message(message) => {
            let message = ChatMessage {
                mentions: false,
                ..message.clone()
            };
            let gutter = Gutter::new(&message, style.timestamps, usize::MAX);
            let before = style.paint(before_look(&message, style), &gutter.before);
            let author = style.paint(author_look(&message, style), &gutter.author);
            let text = style.paint(text_look(&message, style), &one_line(&message.text));
            let remark = message.remark.map(Entry::Notice);
            let remark = remark.map_or(String::new(), |remark| render_plain(&remark, style));
            format!("{before}{author} {text}\n{remark}")
        }
        Entry::Notice(text) => {
            let line = format!("* {}", one_line(text));
            style.paint(notice_look(style), &line) + "\n"
        }
        Entry::Invite { directions, .. } => render_plain(&Entry::Notice(directions.clone()), style),
        Entry::Mistake(text) => {
            let line = format!("? {}", one_line(text));
            style.paint(MISTAKE_LOOK, &line) + "\n"
        }
        Entry::Url { whose, url } => {
            let line = SafeText::new(&format!("{whose} {url}"));
            render_plain(&Entry::Notice(line), style)
        }
        Entry::Warning(text) => {
            let line = format!("! {}", one_line(text));
            style.paint(warning_look(style), &line) + "\n"
        }
        Entry::Timed(_, entry) => render_plain(entry, style),
        Entry::Line(line) => format!("{line}\n"),
        entry => render(entry, usize::MAX, style),
    }
}

fn before_look(message: &ChatMessage, style: Style) -> Look {
    if matches!(message.state(), Some(State::Unsent | State::Undelivered)) {
        warning_look(style)
    } else {
        Look::colored(style.theme.quiet())
    }
}

fn author_look(message: &ChatMessage, style: Style) -> Look {
    Look {
        color: Some(style.theme.member(message.hue)),
        bold: message.own.is_some() || message.mentions,
        reverse: message.mentions,
    }
}

fn text_look(message: &ChatMessage, style: Style) -> Look {
    if message.state() == Some(State::Unsent) {
        Look::colored(style.theme.quiet())
    } else {
        Look {
            bold: message.mentions,
            ..Look::default()
        }
    }
}

fn notice_look(style: Style) -> Look {
    Look::colored(style.theme.quiet())
}

fn warning_look(style: Style) -> Look {
    Look {
        bold: true,
        ..Look::colored(style.theme.alarming())
    }
}

/// The rows of a notice or warning. Rows after the first are indented further than a first row, so that
/// one entry cannot pass for two.
fn marked(marker: char, text: &SafeText, columns: usize, style: Style, look: Look) -> String {
    let paint = |text: &str| style.paint(look, text);
    let mut rows = wrap::rows(text.as_str(), columns.saturating_sub(MARKED_INDENT));
    let cut = cut(rows.len(), "they are not shown");
    rows.truncate(MAX_ROWS);
    rows.extend(cut.as_deref());
    let (first, next) = (paint(&format!("{marker}")), paint(&format!("{marker}  ")));
    put_behind_gutter(&rows, &first, &next, paint)
}

/// The rows of a block. A row that continues a line is indented to the second column of the line's
/// table, if that leaves half of the row.
fn block(text: &SafeText, columns: usize) -> String {
    let columns = columns.saturating_sub(2);
    let rows: Vec<String> = text
        .as_str()
        .lines()
        .flat_map(|line| {
            let indent = second_column(line).filter(|&column| column <= columns / 2);
            wrap::hanging(line, columns, indent.unwrap_or(BLOCK_INDENT))
        })
        .collect();
    let rows: Vec<&str> = rows.iter().map(String::as_str).collect();
    put_behind_gutter(&rows, "|", "|", str::to_owned)
}

/// The column where the second column of a table begins in a line: behind the first gap of two spaces
/// or more.
fn second_column(line: &str) -> Option<usize> {
    let (first, rest) = line.trim_start().split_once("  ")?;
    let gaps = line.len() - first.len() - rest.trim_start().len();
    Some(wrap::width(first) + gaps)
}

/// What stands in place of the rows behind the [`MAX_ROWS`]th, if there are any.
fn cut(rows: usize, remark: &str) -> Option<String> {
    let hidden = rows.checked_sub(MAX_ROWS).filter(|hidden| *hidden > 0);
    hidden.map(|hidden| format!("… and {hidden} more lines: {remark}"))
}

/// Puts each row behind its gutter: `first`, and then `next`.
fn put_behind_gutter(
    rows: &[&str],
    first: &str,
    next: &str,
    paint: impl Fn(&str) -> String,
) -> String {
    let mut shown = String::new();
    let mut gutter = first;
    for row in rows {
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
    use crate::cmd::terminal::entry::OwnWords;

    const COLORED: Style = Style {
        color: true,
        ..Style::PLAIN
    };

    fn message(nick: &str, action: bool, text: &str) -> Entry {
        Entry::Message(ChatMessage {
            action,
            ..ChatMessage::sample(nick, text)
        })
    }

    fn shown(entry: &Entry, columns: usize) -> String {
        render(entry, columns, Style::PLAIN)
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
            shown(&Entry::Mistake(SafeText::new("it is used like this")), 80),
            "? it is used like this\n"
        );
        assert_eq!(
            shown(&Entry::Block(SafeText::new("a\nb")), 80),
            "| a\n| b\n"
        );
    }

    #[test]
    fn what_the_program_says_has_its_time_behind_the_sign() {
        let timed = |entry| Entry::Timed(Time::constant(9, 5, 0, 0), Box::new(entry));
        let notice = timed(Entry::Notice(SafeText::new(
            "ada joined, and more than one row",
        )));
        assert_eq!(
            shown(&notice, 24),
            "* 09:05 ada joined,\n*   and more than one\n*   row\n"
        );
        assert_eq!(
            shown(&notice, 21),
            "* ada joined, and\n*   more than one row\n"
        );
        for (entry, row) in [
            (Entry::Warning(SafeText::new("beware")), "! 09:05 beware\n"),
            (Entry::Mistake(SafeText::new("no")), "? 09:05 no\n"),
        ] {
            assert_eq!(shown(&timed(entry), 80), row);
        }
        let without = Style {
            timestamps: false,
            ..Style::PLAIN
        };
        let whole = "* ada joined, and more than one row\n";
        assert_eq!(render(&notice, 80, without), whole);
        // Programs read that.
        assert_eq!(render_plain(&notice, Style::PLAIN), whole);
    }

    #[test]
    fn what_the_program_remarks_on_a_message_is_a_row_of_its_own() {
        let late = Entry::Message(ChatMessage {
            remark: Some(SafeText::new("written 7 minutes ago by ada's clock")),
            ..ChatMessage::sample("ada", "yes\nwritten now")
        });
        let remark = "* written 7 minutes ago by ada's clock\n";
        assert_eq!(
            shown(&late, 80),
            format!("21:04 <ada> yes\n      <ada> written now\n{remark}")
        );
        assert_eq!(
            render_plain(&late, Style::PLAIN),
            format!("21:04 <ada> yes ⏎ written now\n{remark}")
        );
    }

    #[test]
    fn a_table_keeps_its_column_where_there_is_room() {
        let table = Entry::Block(SafeText::new("/a NICK  the first of them all"));
        assert_eq!(
            shown(&table, 24),
            "| /a NICK  the first of\n|          them all\n"
        );
        assert_eq!(
            shown(&table, 19),
            "| /a NICK  the\n|   first of them\n|   all\n"
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
        assert_eq!(
            shown(&Entry::Mistake(SafeText::new("a\nb")), 80),
            "? a\n?   b\n"
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
    fn an_invite_is_a_row_of_its_own_that_nothing_of_ours_breaks() {
        let invite = "chat.example.org:4000/inv-hb3t-tdea-je2r-dd7x-zzt4-tk53";
        let directions = format!("friends join with: e2echat join {invite} --nick NAME");
        let entry = Entry::Invite {
            directions: SafeText::new(&directions),
            invite: SafeText::new(invite),
        };
        for (columns, rows) in [
            (1, 55),
            (20, 3),
            (40, 2),
            (54, 2),
            (55, 1),
            (80, 1),
            (200, 1),
        ] {
            let shown = shown(&entry, columns);
            let last = shown.split_inclusive('\n').next_back().unwrap();
            assert_eq!(last, format!("{WRAP_ON}{invite}{WRAP_OFF}\n"));
            assert_eq!(height(last, columns), rows, "{columns}");
            let above = shown.strip_suffix(last).unwrap();
            for row in above.split_inclusive('\n') {
                assert!(row.starts_with('*'), "{columns}: {row}");
                assert_eq!(height(row, columns), 1);
            }
        }
        let plain = render_plain(&entry, Style::PLAIN);
        assert_eq!(plain, format!("* {directions}\n"));
    }

    #[test]
    fn colour_adds_nothing_but_colour() {
        let mention = ChatMessage {
            mentions: true,
            ..ChatMessage::sample("ada", "two\nrows")
        };
        let unsent = ChatMessage {
            own: Some(OwnWords {
                number: 1,
                state: State::Unsent,
            }),
            ..ChatMessage::sample("ada", "two\nrows")
        };
        let late = ChatMessage {
            unseen: 1,
            remark: Some(SafeText::new("written 7 minutes ago by ada's clock")),
            ..ChatMessage::sample("ada", "two\nrows")
        };
        for entry in [
            Entry::Message(mention),
            Entry::Message(unsent),
            Entry::Message(late),
            Entry::Notice(SafeText::new("two\nrows")),
            Entry::Warning(SafeText::new("two\nrows")),
        ] {
            for (painted, plain) in [
                (
                    render(&entry, 80, COLORED),
                    render(&entry, 80, Style::PLAIN),
                ),
                (
                    render_plain(&entry, COLORED),
                    render_plain(&entry, Style::PLAIN),
                ),
            ] {
                assert!(painted.contains("\x1b["));
                assert_eq!(without_colour(&painted), plain);
            }
        }
    }

    fn without_colour(painted: &str) -> String {
        painted
            .split("\x1b[")
            .enumerate()
            .map(|(i, part)| {
                let codes = part.find('m').filter(|_| i > 0);
                codes.map_or(part, |end| &part[end + 1..])
            })
            .collect()
    }

    #[test]
    fn without_a_terminal_an_entry_is_one_line() {
        assert_eq!(
            render_plain(&message("eve", false, "a\n21:04 <ada> b"), Style::PLAIN),
            "21:04 <eve> a ⏎ 21:04 <ada> b\n"
        );
        assert_eq!(
            render_plain(&Entry::Notice(SafeText::new("a\nb")), Style::PLAIN),
            "* a ⏎ b\n"
        );
    }
}
