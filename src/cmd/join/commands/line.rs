//! Whether a typed line is a command or a text. How the line would look on a screen decides it.
//!
//! Messengers and web pages put signs that show nothing into what one copies from them. Such a sign
//! before a command must not turn it into a text for the whole room, and in a nick it is no part of it.

use unicode_width::UnicodeWidthChar as _;

use crate::room::text::SafeText;

use super::table::{Command, Row, find};

/// A typed line without the signs that show nothing in what is for this program: a command's name and
/// its arguments. A text that is to be said is as it was typed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line(String);

impl Line {
    /// Cleans a line that was typed.
    #[must_use]
    pub fn new(typed: &str) -> Self {
        let shown = SafeText::new(typed);
        let Some(rest) = shown.as_str().strip_prefix('/') else {
            return Self(typed.to_owned());
        };
        if rest.starts_with('/') {
            // Before and between the two slashes stand only signs that show nothing.
            let text = typed.split_once('/').map_or("", |(_, rest)| rest);
            let hidden = text.find('/').unwrap_or_default();
            return Self(format!("/{}", text.get(hidden..).unwrap_or_default()));
        }
        let name = shown.as_str().split(char::is_whitespace).next();
        let row = name.and_then(find);
        match row.and_then(Row::words_before_text) {
            None => Self(shown.to_string()),
            Some(words) => Self(clean_before_text(typed, words)),
        }
    }

    /// The line.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Cleans a command whose text begins behind so many words. The text is left as it is.
fn clean_before_text(typed: &str, words: usize) -> String {
    let mut shown = Vec::new();
    let mut rest = typed;
    while shown.len() < words && !rest.is_empty() {
        rest = rest.trim_start();
        let (word, after) = rest.split_at(rest.find(char::is_whitespace).unwrap_or(rest.len()));
        let word = SafeText::new(word);
        if !word.as_str().is_empty() {
            shown.push(word.to_string());
        }
        rest = after;
    }
    let is_empty = SafeText::new(rest).as_str().trim().is_empty();
    shown.join(" ") + if is_empty { "" } else { rest }
}

/// What a line on the terminal asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Typed<'a> {
    /// To say this text.
    Text(&'a str),
    /// To do this command.
    Command(Command<'a>),
    /// Nothing that can be done: the command that it begins with is used like this.
    Misused(&'static str),
    /// Nothing that can be done: no command has the name that this line begins with.
    Unknown(&'a str),
    /// Nobody can tell: before the slash stands a space, or a sign that is as good as one.
    Spaced,
    /// Nobody can tell: it begins with a sign that looks like a slash.
    LooksLike,
    /// Nobody can tell: a row of the text begins with this command, which says something to one person
    /// alone.
    Quoted(&'static str),
}

/// Signs that look like a slash. Keyboards and web pages have them in its place.
const SLASHES: [char; 18] = [
    '\u{1735}',
    '\u{2041}',
    '\u{2044}',
    '\u{2215}',
    '\u{2571}',
    '\u{27cb}',
    '\u{29f6}',
    '\u{29f8}',
    '\u{2afd}',
    '\u{2cc6}',
    '\u{2cf9}',
    '\u{2f03}',
    '\u{3033}',
    '\u{31d3}',
    '\u{4e3f}',
    '\u{ff0f}',
    '\u{1d23a}',
    '\u{1f67c}',
];

/// The commands that say something to one person alone. Nobody wants everybody to read what stands
/// behind them.
const PRIVATE: [&str; 4] = ["/msg", "/query", "/reply", "/r"];

/// The private command that a row of a text begins with, in a reader's eyes: blanks, and quotes that it
/// was copied with, may stand before it.
fn private_command(text: &SafeText) -> Option<&'static str> {
    let is_around =
        |sign| is_blank(sign) || matches!(sign, '`' | '"' | '\'' | '“' | '„' | '«' | '>');
    text.as_str().lines().find_map(|row| {
        let name = row.trim_start_matches(is_around).split(is_blank).next()?;
        PRIVATE.into_iter().find(|private| *private == name)
    })
}

/// Whether a sign is as good as a space: it takes no room, looks like a space, or stands for what cannot
/// be shown.
fn is_blank(sign: char) -> bool {
    let is_shown = sign.width().is_none_or(|width| width > 0);
    !is_shown || sign.is_whitespace() || matches!(sign, '\u{2800}' | char::REPLACEMENT_CHARACTER)
}

/// Whether a text begins with a private command that has another sign in the slash's place: a backslash,
/// or what the key for the slash types in some input methods.
fn is_misspelt(text: &str) -> bool {
    let mut signs = text.chars();
    let first = signs.next();
    let is_sign = first.is_some_and(|first| first == '\\' || !first.is_ascii());
    let name = signs.as_str().split(is_blank).next().unwrap_or_default();
    let is_name =
        |private: &str| private.len() > "/r".len() && private.strip_prefix('/') == Some(name);
    is_sign && PRIVATE.iter().any(|private| is_name(private))
}

impl<'a> Typed<'a> {
    /// What a line asks for. Two slashes at its beginning stand for a text that begins with one.
    #[must_use]
    pub fn parse(line: &'a Line) -> Self {
        let line = line.as_str();
        let Some(rest) = line.strip_prefix('/') else {
            let shown = SafeText::new(line);
            let begun = shown.as_str().trim_start_matches(is_blank);
            return if begun.starts_with('/') {
                Self::Spaced
            } else if begun.starts_with(SLASHES) || is_misspelt(begun) {
                Self::LooksLike
            } else {
                private_command(&shown).map_or(Self::Text(line), Self::Quoted)
            };
        };
        if rest.starts_with('/') {
            return Self::Text(rest);
        }
        let (name, rest) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
        match find(name) {
            None => Self::Unknown(line),
            Some(row) => {
                let command = row.understand(rest.trim());
                command.map_or(Self::Misused(row.usage), Self::Command)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Checks what a line is understood as.
    #[track_caller]
    fn assert_typed(line: &str, typed: &Typed<'_>) {
        assert_eq!(Typed::parse(&Line::new(line)), *typed, "{line:?}");
    }

    #[test]
    fn what_reads_as_a_private_command_is_not_said_to_all() {
        for line in [
            "hello\n/msg bob secret",
            "hello\n  /reply secret",
            "> /msg bob secret",
            "`/msg bob secret`",
            "\"/query bob secret\"",
            "one\n\u{200b}/r secret",
        ] {
            let typed = Line::new(line);
            assert!(matches!(Typed::parse(&typed), Typed::Quoted(_)), "{line:?}");
        }
        for line in [
            "\\msg bob secret",
            "・msg bob secret",
            "、query bob secret",
            "丿msg bob",
            "\u{2afd}msg bob",
        ] {
            assert_typed(line, &Typed::LooksLike);
        }
        for line in [
            "\u{fffc}/msg bob secret",
            " \u{301}/msg bob secret",
            "\u{2800}\u{301}/msg bob secret",
        ] {
            assert_typed(line, &Typed::Spaced);
        }
        for line in [
            "what /msg does",
            "`/msg` says it to one",
            "hello\n/usr/bin",
            "msg me",
            "(msg me)",
        ] {
            assert_typed(line, &Typed::Text(line));
        }
        for private in PRIVATE {
            let row = find(private).expect("a command");
            assert!(row.words_before_text().is_some(), "{private}");
        }
    }

    #[test]
    fn an_unknown_or_misused_command_is_not_a_text() {
        for (line, typed) in [
            ("/nmaes", Typed::Unknown("/nmaes")),
            ("/quit now", Typed::Misused("/quit")),
            ("/trust", Typed::Misused("/trust NICK [END]")),
            ("/msg bob", Typed::Misused("/msg NICK TEXT")),
            ("/msg bob \u{200b} ", Typed::Misused("/msg NICK TEXT")),
            ("/nick a b", Typed::Misused("/nick NEW")),
            ("/history x", Typed::Misused("/history [N]")),
            ("/theme pink", Typed::Misused("/theme [dark|light]")),
            ("/", Typed::Unknown("/")),
            ("/／etc", Typed::Unknown("/／etc")),
        ] {
            assert_typed(line, &typed);
        }
    }

    #[test]
    fn a_command_behind_a_space_is_not_sent() {
        for line in [
            " /msg bob the secret",
            "\t/quit",
            // A space of East Asian input methods, one that does not break, one of Braille.
            "\u{3000}/msg bob the secret",
            "\u{a0}/msg bob the secret",
            "\u{2800}/msg bob the secret",
            // A paste whose first line is empty.
            "\n\u{200b}\n/msg bob the secret",
            "\u{200b} /msg bob the secret",
            // What is shown as U+FFFD.
            "\u{2066}/msg bob the secret",
            "\u{202e}\u{2068}/msg bob the secret",
            "\u{3164}/msg bob the secret",
            "\u{1b}/msg bob the secret",
        ] {
            assert_typed(line, &Typed::Spaced);
        }
        assert_typed(" text /quit", &Typed::Text(" text /quit"));
    }

    #[test]
    fn what_looks_like_a_slash_is_not_sent() {
        for slash in SLASHES {
            for before in ["", " ", "\u{200b}", "\u{2066}", "\n"] {
                let line = format!("{before}{slash}msg bob the secret");
                assert_typed(&line, &Typed::LooksLike);
            }
        }
        // A letter of Katakana, as many words begin with it.
        assert_typed("ノート", &Typed::Text("ノート"));
        assert_typed("1⁄2", &Typed::Text("1⁄2"));
    }

    #[test]
    fn what_shows_nothing_keeps_no_command_from_being_one() {
        for hidden in "\u{200b}\u{feff}\u{200e}\u{200f}\u{ad}\u{2060}\u{200c}\u{200d}\u{fe0f}\u{34f}\u{61c}\u{180e}\u{301}\u{e0041}".chars() {
            for line in [
                "{}/msg bob the secret",
                "{}{}/msg bob the secret",
                "/{}msg bob the secret",
                "/ms{}g bob the secret",
                "/msg{} bob the secret",
                "/msg {} bob the secret",
            ] {
                let line = line.replace("{}", &hidden.to_string());
                if hidden == '\u{301}' && !line.starts_with(hidden) {
                    // There it is seen.
                    continue;
                }
                let (nick, text) = ("bob", "the secret");
                assert_typed(&line, &Typed::Command(Command::Msg { nick, text }));
            }
            let escaped = format!("{hidden}/{hidden}/etc");
            if hidden != '\u{301}' {
                assert_typed(&escaped, &Typed::Text("/etc"));
            }
            assert_typed(&format!("{hidden}/quit"), &Typed::Command(Command::Quit));
        }
    }

    #[test]
    fn what_shows_nothing_is_no_part_of_a_nick_and_stays_in_a_text() {
        let (nick, text) = ("bob", "👩\u{200d}🚀 \u{200b}");
        for (line, command) in [
            (
                "/msg b\u{200b}ob\u{feff} 👩\u{200d}🚀 \u{200b}",
                Command::Msg { nick, text },
            ),
            ("/me 👩\u{200d}🚀 \u{200b}", Command::Me(text)),
            ("/reply 👩\u{200d}🚀 \u{200b}", Command::Reply(text)),
            ("/away 👩\u{200d}🚀 \u{200b}", Command::Away(text)),
            ("/whois b\u{ad}ob", Command::Whois(nick)),
            ("/nick \u{2060}bob", Command::Nick(nick)),
            ("/history 2\u{200b}0", Command::History(Some(20))),
            ("/notify \u{feff}all", Command::Notify("all")),
            (
                "/verify bo\u{200c}b 123\u{200b}45",
                Command::Verify {
                    nick,
                    digits: "12345",
                },
            ),
        ] {
            assert_typed(line, &Typed::Command(command));
        }
        // A plain line is what was typed, whatever it shows.
        assert_typed("👩\u{200d}🚀", &Typed::Text("👩\u{200d}🚀"));
    }

    #[test]
    fn commands_and_texts_are_told_apart() {
        let verify = Command::Verify {
            nick: "bob",
            digits: "12345 67890",
        };
        let message = |text| Command::Msg { nick: "bob", text };
        for (line, typed) in [
            ("/names ", Typed::Command(Command::Names)),
            ("/who", Typed::Command(Command::Names)),
            ("hello /quit", Typed::Text("hello /quit")),
            ("//etc/motd", Typed::Text("/etc/motd")),
            (
                "/msg bob  two  words",
                Typed::Command(message("two  words")),
            ),
            ("/msg\tbob\tword", Typed::Command(message("word"))),
            (
                "/msg bob\ntwo\nlines",
                Typed::Command(message("two\nlines")),
            ),
            ("/verify bob 12345 67890", Typed::Command(verify)),
        ] {
            assert_typed(line, &typed);
        }
    }
}
