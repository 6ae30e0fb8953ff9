//! The commands: one table. Typed lines are understood by it, `/help` is shown from it, and Tab completes
//! from it. To add a command, add a row and a variant here, and an arm in `dispatch`.

use crate::cmd::join::trust::typed::digits;

/// A command that a line asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Command<'a> {
    /// To show the commands, or one of them.
    Help(&'a str),
    /// To show who is here.
    Names,
    /// To show all that is known of somebody.
    Whois(&'a str),
    /// To say what this member does.
    Me(&'a str),
    /// To say something to one member alone.
    Msg {
        /// To whom.
        nick: &'a str,
        /// What.
        text: &'a str,
    },
    /// To say something to whoever was the last to say something to this member alone.
    Reply(&'a str),
    /// To hand earlier messages on to somebody.
    Share {
        /// To whom.
        nick: &'a str,
        /// Which, as it was typed.
        which: &'a str,
    },
    /// To ask to be handed what this member missed.
    CatchUp,
    /// To take another nick.
    Nick(&'a str),
    /// To show nothing of what somebody says and has said; or, if nobody is named, to list whose words are not
    /// shown.
    Ignore(&'a str),
    /// To show again what somebody says.
    Unignore(&'a str),
    /// To say that this member is not at the keyboard, and why.
    Away(&'a str),
    /// To say that this member is at the keyboard again.
    Back,
    /// To write in an editor of the user's own.
    Edit,
    /// To clear the screen.
    Clear,
    /// To show what was said lately.
    History(Option<usize>),
    /// To look for what was said lately.
    Search(&'a str),
    /// To show a long message whole.
    Show(Option<usize>),
    /// To show the address of a web page in a row of its own.
    Url(Option<usize>),
    /// To show who has confirmed what this member said lately.
    Seen(Option<usize>),
    /// To show the time of messages, or not.
    Timestamp(&'a str),
    /// Of what to tell a user who looks elsewhere, or how.
    Notify(&'a str),
    /// To tell who comes and goes, or not.
    Quiet(&'a str),
    /// Which colours to use.
    Theme(&'a str),
    /// To show a fingerprint.
    Fingerprint {
        /// Whose, if not one's own.
        nick: Option<&'a str>,
    },
    /// To note something of somebody.
    Note {
        /// Of whom.
        nick: &'a str,
        /// What; nothing takes the note away.
        text: &'a str,
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
    /// To show how friends get into the room.
    Invite,
    /// To save the room under a name.
    Save(&'a str),
    /// To save the identity of this run.
    Keygen,
    /// To change the session key.
    Rekey,
    /// To make a new connection to the relay.
    Reconnect,
    /// To show what went wrong so far.
    Audit,
    /// To leave.
    Quit,
}

/// What the first word behind a command can be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::cmd::join) enum Argument {
    /// Nothing that can be completed.
    Other,
    /// The nick of somebody who is here.
    Nick,
    /// The name of a command.
    Command,
    /// One of these words, which are separated by `|`.
    OneOf(&'static str),
}

/// What is known of a command.
pub struct Row {
    /// Its name and its arguments, as help shows them.
    pub usage: &'static str,
    /// Another name for it.
    alias: Option<&'static str>,
    help: &'static str,
    /// Reads what stands behind the name; nothing where the command is not used like that.
    parse: for<'a> fn(&'a str) -> Option<Command<'a>>,
}

/// The words behind `/notify`: of what, and then how.
const NOTIFY_WORDS: &str = "off|mentions|all|bell|osc9|osc777|osc99|desktop|command";

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
        parse: |rest| without_argument(rest, Command::Names),
    },
    Row {
        usage: "/whois NICK",
        alias: None,
        help: "show all that is known of somebody",
        parse: |nick| with_one_word(nick, Command::Whois),
    },
    Row {
        usage: "/note NICK [NOTE]",
        alias: None,
        help: "note something of somebody, which you alone see; no NOTE removes it",
        parse: |rest| {
            let (nick, text) = split_word(rest);
            (!nick.is_empty()).then_some(Command::Note { nick, text })
        },
    },
    Row {
        usage: "/me TEXT",
        alias: None,
        help: "say what you do: /me waves",
        parse: |text| with_text(text, Command::Me),
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
        parse: |text| with_text(text, Command::Reply),
    },
    Row {
        usage: "/nick NEW",
        alias: None,
        help: "be called something else; all see that it is still you",
        parse: |nick| with_one_word(nick, Command::Nick),
    },
    Row {
        usage: "/ignore [NICK]",
        alias: None,
        help: "show nothing of what somebody says and has said; or list whom",
        parse: |nick| Some(Command::Ignore(nick)),
    },
    Row {
        usage: "/unignore NICK",
        alias: None,
        help: "show it again",
        parse: |nick| with_one_word(nick, Command::Unignore),
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
        parse: |rest| without_argument(rest, Command::Back),
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
            let (nick, digits) = split_word(rest);
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
            let (nick, end) = split_word(rest);
            (!nick.is_empty()).then_some(Command::Trust { nick, end })
        },
    },
    Row {
        usage: "/audit",
        alias: None,
        help: "show what went wrong so far, and when",
        parse: |rest| without_argument(rest, Command::Audit),
    },
    Row {
        usage: "/invite",
        alias: None,
        help: "show how friends get into this room",
        parse: |rest| without_argument(rest, Command::Invite),
    },
    Row {
        usage: "/save NAME",
        alias: None,
        help: "save this room: `e2echat join NAME` enters it",
        parse: |name| with_one_word(name, Command::Save),
    },
    Row {
        usage: "/keygen",
        alias: None,
        help: "save the identity that was made for this run, as your own",
        parse: |rest| without_argument(rest, Command::Keygen),
    },
    Row {
        usage: "/history [N]",
        alias: None,
        help: "show the last N messages again, or 20",
        parse: |rest| with_number(rest, Command::History),
    },
    Row {
        usage: "/search TEXT",
        alias: None,
        help: "find what was said lately, with what is around it",
        parse: |text| with_text(text, Command::Search),
    },
    Row {
        usage: "/show [N]",
        alias: None,
        help: "show whole the last message that was cut, or the Nth last",
        parse: |rest| with_number(rest, Command::Show),
    },
    Row {
        usage: "/url [N]",
        alias: None,
        help: "show the last web address in a row of its own, or the Nth last",
        parse: |rest| with_number(rest, Command::Url),
    },
    Row {
        usage: "/seen [N]",
        alias: None,
        help: "show who has got your last N messages, or 5",
        parse: |rest| with_number(rest, Command::Seen),
    },
    Row {
        usage: "/share NICK [N|since HH:MM]",
        alias: None,
        help: "hand on to somebody the last N messages, or 20; all are told",
        parse: |rest| {
            let (nick, which) = split_word(rest);
            (!nick.is_empty()).then_some(Command::Share { nick, which })
        },
    },
    Row {
        usage: "/catchup",
        alias: None,
        help: "ask all to hand on to you what you missed",
        parse: |rest| without_argument(rest, Command::CatchUp),
    },
    Row {
        usage: "/edit",
        alias: None,
        help: "open your editor; Alt-E opens it on what you typed",
        parse: |rest| without_argument(rest, Command::Edit),
    },
    Row {
        usage: "/clear",
        alias: None,
        help: "clear the screen",
        parse: |rest| without_argument(rest, Command::Clear),
    },
    Row {
        usage: "/timestamp [on|off]",
        alias: None,
        help: "show the time of messages, or not",
        parse: |switch| Some(Command::Timestamp(switch)),
    },
    Row {
        usage: "/notify [WORD]",
        alias: None,
        help: "call you while you look elsewhere: off, mentions, all; or how, as --notify",
        parse: |when| Some(Command::Notify(when)),
    },
    Row {
        usage: "/quiet [on|off]",
        alias: None,
        help: "do not show who comes and goes, or do",
        parse: |switch| Some(Command::Quiet(switch)),
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
        parse: |rest| without_argument(rest, Command::Rekey),
    },
    Row {
        usage: "/reconnect",
        alias: None,
        help: "enter the room anew, or connect again now",
        parse: |rest| without_argument(rest, Command::Reconnect),
    },
    Row {
        usage: "/quit",
        alias: Some("/exit"),
        help: "leave; so do Ctrl-D, and Ctrl-C twice, on an empty line",
        parse: |rest| without_argument(rest, Command::Quit),
    },
];

fn without_argument<'a>(rest: &str, command: Command<'a>) -> Option<Command<'a>> {
    rest.is_empty().then_some(command)
}

/// The first word, and what stands behind it.
fn split_word(rest: &str) -> (&str, &str) {
    let (first, rest) = rest.split_once(char::is_whitespace).unwrap_or((rest, ""));
    (first, rest.trim())
}

fn with_number<'a>(rest: &str, command: fn(Option<usize>) -> Command<'a>) -> Option<Command<'a>> {
    match rest {
        "" => Some(command(None)),
        number => {
            let digits = digits(number);
            let is_number = digits.len() == number.chars().count();
            // A number that is too large means all.
            let number = digits.parse().unwrap_or(usize::MAX);
            (is_number && number > 0).then(|| command(Some(number)))
        }
    }
}

fn with_text<'a>(rest: &'a str, command: fn(&'a str) -> Command<'a>) -> Option<Command<'a>> {
    (!rest.is_empty()).then(|| command(rest))
}

fn with_one_word<'a>(rest: &'a str, command: fn(&'a str) -> Command<'a>) -> Option<Command<'a>> {
    let is_one = !rest.is_empty() && !rest.contains(char::is_whitespace);
    is_one.then(|| command(rest))
}

impl Row {
    /// The names by which it is called.
    pub(in crate::cmd::join) fn names(&self) -> impl Iterator<Item = &'static str> {
        let name = self.usage.split(' ').next();
        name.into_iter().chain(self.alias)
    }

    /// What the first word behind it can be, as its usage says.
    pub(in crate::cmd::join) fn argument(&self) -> Argument {
        match self
            .usage
            .split(' ')
            .nth(1)
            .map(|it| it.trim_matches(['[', ']']))
        {
            Some("NICK") => Argument::Nick,
            Some("CMD") => Argument::Command,
            Some("WORD") => Argument::OneOf(NOTIFY_WORDS),
            Some(words) if words.contains('|') => Argument::OneOf(words),
            _ => Argument::Other,
        }
    }

    /// How many words stand before the text that is to be said, the command's name included; nothing
    /// where it has no text.
    pub(in crate::cmd::join) fn words_before_text(&self) -> Option<usize> {
        let mut words = self.usage.split(' ');
        words.position(|word| word.trim_matches(['[', ']']) == "TEXT")
    }

    /// What is asked for with this behind its name; nothing where the command is not used like that.
    pub(super) fn understand<'a>(&self, rest: &'a str) -> Option<Command<'a>> {
        let is_allowed = match self.argument() {
            Argument::OneOf(words) => {
                rest.is_empty() || words.split('|').any(|it| it.eq_ignore_ascii_case(rest))
            }
            _ => true,
        };
        is_allowed.then(|| (self.parse)(rest)).flatten()
    }

    /// What it does, and its other name.
    #[must_use]
    pub fn explanation(&self) -> String {
        let alias = self.alias.map(|alias| format!(" (or {alias})"));
        self.help.to_owned() + &alias.unwrap_or_default()
    }

    fn line(&self) -> String {
        line(self.usage, &self.explanation())
    }
}

fn line(usage: &str, help: &str) -> String {
    format!("{usage:<28}{help}")
}

/// All commands.
pub fn all() -> impl Iterator<Item = &'static Row> {
    TABLE.iter()
}

/// The command of this name, with its slash.
pub(in crate::cmd::join) fn find(name: &str) -> Option<&'static Row> {
    all().find(|row| row.names().any(|other| other == name))
}

/// The list of commands, one a line; or the line of the command that is named, with or without its
/// slash.
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
