//! What can be typed besides messages: one table, from which typed lines are understood, help is
//! shown, and Tab completes.

use unicode_width::UnicodeWidthChar as _;

use crate::room::text::SafeText;

use super::line::Line;

/// What a line on the terminal asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Typed<'a> {
    /// To say this.
    Text(&'a str),
    /// To do this.
    Command(Command<'a>),
    /// A command that is used like this.
    Misused(&'static str),
    /// Something that there is not.
    Unknown(&'a str),
    /// A command behind a space, or something else that is as good as none: nobody can tell what is
    /// meant.
    Spaced,
    /// Something that begins with a sign that looks like a slash: neither can they.
    LooksLike,
    /// A text with a row that begins with this command, by which something is said to one person alone.
    Quoted(&'static str),
}

/// The commands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Command<'a> {
    /// To show the commands, or one of them.
    Help(&'a str),
    /// To show who is here.
    Names,
    /// To show all that is known of somebody.
    Whois(&'a str),
    /// To say what one does.
    Me(&'a str),
    /// To say something to one member alone.
    Msg {
        /// To whom.
        nick: &'a str,
        /// What.
        text: &'a str,
    },
    /// To say something to whoever said something to this member alone last.
    Reply(&'a str),
    /// To be called something else.
    Nick(&'a str),
    /// To show nothing of what somebody says, or whose words are not shown if nobody is named.
    Ignore(&'a str),
    /// To show again what somebody says.
    Unignore(&'a str),
    /// To say that one is not at the keyboard, and why.
    Away(&'a str),
    /// To say that one is there again.
    Back,
    /// To clear the screen.
    Clear,
    /// To show what was said lately.
    History(Option<usize>),
    /// To show the time of messages, or not.
    Timestamp(&'a str),
    /// When to ring the bell.
    Notify(&'a str),
    /// Which colours to use.
    Theme(&'a str),
    /// To show a fingerprint.
    Fingerprint {
        /// Whose, if not one's own.
        nick: Option<&'a str>,
    },
    /// To compare safety numbers.
    Verify {
        /// With whom.
        nick: &'a str,
        /// What was compared, if it was.
        digits: &'a str,
    },
    /// To compare the room's code.
    Code {
        /// What was compared, if it was.
        digits: &'a str,
    },
    /// To accept an identity.
    Trust {
        /// Whose.
        nick: &'a str,
        /// How its fingerprint ends.
        end: &'a str,
    },
    /// To show how friends get in.
    Invite,
    /// To change the session key.
    Rekey,
    /// To try the connection anew.
    Reconnect,
    /// To show what went wrong.
    Audit,
    /// To leave.
    Quit,
}

/// What can stand behind a command first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::cmd::join) enum Argument {
    /// Nothing that can be completed.
    Other,
    /// Somebody who is here.
    Nick,
    /// A command.
    Command,
    /// One of these, which are separated by `|`.
    OneOf(&'static str),
}

/// A command.
pub(in crate::cmd::join) struct Row {
    /// How it is used.
    pub(in crate::cmd::join) usage: &'static str,
    /// Another name for it.
    alias: Option<&'static str>,
    help: &'static str,
    parse: for<'a> fn(&'a str) -> Option<Command<'a>>,
}

const TABLE: &[Row] = &[
    Row {
        usage: "/help [CMD]",
        alias: None,
        help: "show this list, or one command",
        parse: |rest| Some(Command::Help(rest)),
    },
    Row {
        usage: "/names",
        alias: Some("/who"),
        help: "show who is here, and what is known of them",
        parse: |rest| alone(rest, Command::Names),
    },
    Row {
        usage: "/whois NICK",
        alias: None,
        help: "show all that is known of somebody",
        parse: |nick| one_word(nick, Command::Whois),
    },
    Row {
        usage: "/me TEXT",
        alias: None,
        help: "say what you do: /me waves",
        parse: |text| some(text, Command::Me),
    },
    Row {
        usage: "/msg NICK TEXT",
        alias: Some("/query"),
        help: "say something to one person alone",
        parse: |rest| {
            let (nick, text) = rest.split_once(char::is_whitespace)?;
            let text = text.trim_start();
            Some(Command::Msg { nick, text })
        },
    },
    Row {
        usage: "/reply TEXT",
        alias: Some("/r"),
        help: "the same to whoever last said something to you alone",
        parse: |text| some(text, Command::Reply),
    },
    Row {
        usage: "/nick NEW",
        alias: None,
        help: "be called something else; all see that it is still you",
        parse: |nick| one_word(nick, Command::Nick),
    },
    Row {
        usage: "/ignore [NICK]",
        alias: None,
        help: "show nothing more of what somebody says; or list whom you ignore",
        parse: |nick| Some(Command::Ignore(nick)),
    },
    Row {
        usage: "/unignore NICK",
        alias: None,
        help: "show it again",
        parse: |nick| one_word(nick, Command::Unignore),
    },
    Row {
        usage: "/away [TEXT]",
        alias: None,
        help: "tell all that you are not at the keyboard, and why",
        parse: |text| Some(Command::Away(text)),
    },
    Row {
        usage: "/back",
        alias: None,
        help: "tell all that you are there again",
        parse: |rest| alone(rest, Command::Back),
    },
    Row {
        usage: "/fingerprint [NICK]",
        alias: None,
        help: "show your fingerprint, or somebody's",
        parse: |rest| {
            let nick = (!rest.is_empty()).then_some(rest);
            Some(Command::Fingerprint { nick })
        },
    },
    Row {
        usage: "/verify NICK [DIGITS]",
        alias: None,
        help: "compare numbers with somebody, on the phone; then type them after the nick",
        parse: |rest| {
            let (nick, digits) = rest.split_once(' ').unwrap_or((rest, ""));
            (!nick.is_empty()).then_some(Command::Verify { nick, digits })
        },
    },
    Row {
        usage: "/code [DIGITS]",
        alias: None,
        help: "the same with everybody in the room at once",
        parse: |digits| Some(Command::Code { digits }),
    },
    Row {
        usage: "/trust NICK [END]",
        alias: None,
        help: "accept somebody's new identity, by the end of its fingerprint",
        parse: |rest| {
            let (nick, end) = rest.split_once(' ').unwrap_or((rest, ""));
            let end = end.trim();
            (!nick.is_empty()).then_some(Command::Trust { nick, end })
        },
    },
    Row {
        usage: "/audit",
        alias: None,
        help: "show what went wrong so far, and when",
        parse: |rest| alone(rest, Command::Audit),
    },
    Row {
        usage: "/invite",
        alias: None,
        help: "show how friends get into this room",
        parse: |rest| alone(rest, Command::Invite),
    },
    Row {
        usage: "/history [N]",
        alias: None,
        help: "show the last N messages again, or 20",
        parse: |rest| match rest {
            "" => Some(Command::History(None)),
            number => Some(Command::History(Some(number.parse().ok()?))),
        },
    },
    Row {
        usage: "/clear",
        alias: None,
        help: "clear the screen",
        parse: |rest| alone(rest, Command::Clear),
    },
    Row {
        usage: "/timestamp [on|off]",
        alias: None,
        help: "show the time of messages, or not",
        parse: |switch| Some(Command::Timestamp(switch)),
    },
    Row {
        usage: "/notify [off|mentions|all]",
        alias: None,
        help: "ring the bell: never, when you are named or written to, or always",
        parse: |when| Some(Command::Notify(when)),
    },
    Row {
        usage: "/theme [dark|light]",
        alias: None,
        help: "use colours for a dark or a light background",
        parse: |name| Some(Command::Theme(name)),
    },
    Row {
        usage: "/rekey",
        alias: None,
        help: "change your session key now",
        parse: |rest| alone(rest, Command::Rekey),
    },
    Row {
        usage: "/reconnect",
        alias: None,
        help: "make a new connection to the relay now",
        parse: |rest| alone(rest, Command::Reconnect),
    },
    Row {
        usage: "/quit",
        alias: Some("/exit"),
        help: "leave; so do Ctrl-C and Ctrl-D on an empty line",
        parse: |rest| alone(rest, Command::Quit),
    },
];

fn alone<'a>(rest: &str, command: Command<'a>) -> Option<Command<'a>> {
    rest.is_empty().then_some(command)
}

fn some<'a>(rest: &'a str, command: fn(&'a str) -> Command<'a>) -> Option<Command<'a>> {
    (!rest.is_empty()).then(|| command(rest))
}

fn one_word<'a>(rest: &'a str, command: fn(&'a str) -> Command<'a>) -> Option<Command<'a>> {
    let is_one = !rest.is_empty() && !rest.contains(char::is_whitespace);
    is_one.then(|| command(rest))
}

impl Row {
    /// The names by which it is called.
    pub(in crate::cmd::join) fn names(&self) -> impl Iterator<Item = &'static str> {
        let name = self.usage.split(' ').next();
        name.into_iter().chain(self.alias)
    }

    /// What can stand behind it first, as its usage has it.
    pub(in crate::cmd::join) fn argument(&self) -> Argument {
        match self
            .usage
            .split(' ')
            .nth(1)
            .map(|it| it.trim_matches(['[', ']']))
        {
            Some("NICK") => Argument::Nick,
            Some("CMD") => Argument::Command,
            Some(words) if words.contains('|') => Argument::OneOf(words),
            _ => Argument::Other,
        }
    }

    /// How many words stand before what is to be said, its name included; nothing where nothing is.
    pub(in crate::cmd::join) fn words_before_text(&self) -> Option<usize> {
        let mut words = self.usage.split(' ');
        words.position(|word| word.trim_matches(['[', ']']) == "TEXT")
    }

    /// What is asked for with this behind its name; nothing where it is misused.
    fn understand<'a>(&self, rest: &'a str) -> Option<Command<'a>> {
        let is_allowed = match self.argument() {
            Argument::OneOf(words) => rest.is_empty() || words.split('|').any(|it| it == rest),
            _ => true,
        };
        is_allowed.then(|| (self.parse)(rest)).flatten()
    }

    fn line(&self) -> String {
        let alias = self.alias.map(|alias| format!(" (or {alias})"));
        line(self.usage, self.help) + &alias.unwrap_or_default()
    }
}

fn line(usage: &str, help: &str) -> String {
    format!("{usage:<28}{help}")
}

/// All commands.
pub(in crate::cmd::join) fn all() -> impl Iterator<Item = &'static Row> {
    TABLE.iter()
}

/// The command of this name, with its slash.
pub(in crate::cmd::join) fn find(name: &str) -> Option<&'static Row> {
    all().find(|row| row.names().any(|other| other == name))
}

/// Signs that look like a slash, and come from keyboards and web pages in its place.
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

/// The commands by which something is said to one person alone: nobody wants to say them to all.
const PRIVATE: [&str; 4] = ["/msg", "/query", "/reply", "/r"];

/// The private command that a row of a text begins with, for whoever reads it: behind blanks and the
/// quotes that it was copied with.
fn private_command(text: &SafeText) -> Option<&'static str> {
    let is_around =
        |sign| is_blank(sign) || matches!(sign, '`' | '"' | '\'' | '“' | '„' | '«' | '>');
    text.as_str().lines().find_map(|row| {
        let name = row.trim_start_matches(is_around).split(is_blank).next()?;
        PRIVATE.into_iter().find(|private| *private == name)
    })
}

/// Whether a sign is as good as a space: it is shown as none, or stands for what is not shown.
fn is_blank(sign: char) -> bool {
    let is_shown = sign.width().is_none_or(|width| width > 0);
    !is_shown || sign.is_whitespace() || matches!(sign, '\u{2800}' | char::REPLACEMENT_CHARACTER)
}

/// Whether a text begins with a private command that has another sign in the slash's place: a backslash,
/// or what the key of the slash gives in some input methods.
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
    /// Understands a line. Two slashes at its beginning stand for a text that begins with one.
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

/// The list of commands, one a line; or the line of the command that is named, with its slash or
/// without.
pub(in crate::cmd::join) fn help(command: &str) -> Option<String> {
    if !command.is_empty() {
        let name = format!("/{}", command.trim_start_matches('/'));
        return find(&name).map(Row::line);
    }
    let mut lines: Vec<String> = all().map(Row::line).collect();
    lines.push(line("//text", "send a line that begins with a slash"));
    lines.push("Everything else that you type is sent to all who are here.".to_owned());
    Some(lines.join("\n"))
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

    #[test]
    fn help_names_every_command() {
        let help_text = help("").unwrap();
        for row in TABLE {
            assert!(help_text.contains(row.usage) && help_text.contains(row.help));
            for name in row.names() {
                assert_eq!(help(name), Some(row.line()));
                assert_eq!(help(&name[1..]), Some(row.line()));
            }
        }
        assert_eq!(help("nothing"), None);
    }

    #[test]
    fn the_readme_lists_the_commands_as_help_does() {
        let readme = include_str!("../../../../README.md");
        let listed: Vec<String> = all().map(|row| format!("    {}", row.line())).collect();
        let listed = listed.join("\n");
        assert!(readme.contains(&listed), "not in README.md:\n{listed}");
    }

    #[test]
    fn no_two_commands_have_one_name() {
        let mut names: Vec<&str> = all().flat_map(Row::names).collect();
        names.sort_unstable();
        assert!(names.is_sorted_by(|one, other| one < other), "{names:?}");
    }
}
