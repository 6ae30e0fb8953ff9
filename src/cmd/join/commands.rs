//! What can be typed besides messages.

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
}

/// The commands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Command<'a> {
    /// To show the commands.
    Help,
    /// To show who is here.
    Names,
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

struct Row {
    usage: &'static str,
    help: &'static str,
    parse: for<'a> fn(&'a str) -> Option<Command<'a>>,
}

const TABLE: [Row; 11] = [
    Row {
        usage: "/help",
        help: "show this list",
        parse: |rest| alone(rest, Command::Help),
    },
    Row {
        usage: "/names",
        help: "show who is here, and what is known of them",
        parse: |rest| alone(rest, Command::Names),
    },
    Row {
        usage: "/fingerprint [NICK]",
        help: "show your fingerprint, or somebody's",
        parse: |rest| {
            let nick = (!rest.is_empty()).then_some(rest);
            Some(Command::Fingerprint { nick })
        },
    },
    Row {
        usage: "/verify NICK [DIGITS]",
        help: "compare numbers with somebody, on the phone; then type them after the nick",
        parse: |rest| {
            let (nick, digits) = rest.split_once(' ').unwrap_or((rest, ""));
            (!nick.is_empty()).then_some(Command::Verify { nick, digits })
        },
    },
    Row {
        usage: "/code [DIGITS]",
        help: "the same with everybody in the room at once",
        parse: |digits| Some(Command::Code { digits }),
    },
    Row {
        usage: "/trust NICK [END]",
        help: "accept somebody's new identity, by the end of its fingerprint",
        parse: |rest| {
            let (nick, end) = rest.split_once(' ').unwrap_or((rest, ""));
            let end = end.trim();
            (!nick.is_empty()).then_some(Command::Trust { nick, end })
        },
    },
    Row {
        usage: "/invite",
        help: "show how friends get into this room",
        parse: |rest| alone(rest, Command::Invite),
    },
    Row {
        usage: "/rekey",
        help: "change your session key now",
        parse: |rest| alone(rest, Command::Rekey),
    },
    Row {
        usage: "/reconnect",
        help: "make a new connection to the relay now",
        parse: |rest| alone(rest, Command::Reconnect),
    },
    Row {
        usage: "/audit",
        help: "show what went wrong so far, and when",
        parse: |rest| alone(rest, Command::Audit),
    },
    Row {
        usage: "/quit",
        help: "leave; so do Ctrl-C and Ctrl-D on an empty line",
        parse: |rest| alone(rest, Command::Quit),
    },
];

fn alone<'a>(rest: &str, command: Command<'a>) -> Option<Command<'a>> {
    rest.is_empty().then_some(command)
}

impl Row {
    fn name(&self) -> &'static str {
        self.usage.split(' ').next().unwrap_or(self.usage)
    }
}

impl<'a> Typed<'a> {
    /// Understands a line. Two slashes at its beginning stand for a text that begins with one.
    #[must_use]
    pub fn parse(line: &'a str) -> Self {
        let Some(rest) = line.strip_prefix('/') else {
            return Self::Text(line);
        };
        if rest.starts_with('/') {
            return Self::Text(rest);
        }
        let (name, rest) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
        match TABLE.iter().find(|row| row.name() == name) {
            None => Self::Unknown(line),
            Some(row) => (row.parse)(rest.trim()).map_or(Self::Misused(row.usage), Self::Command),
        }
    }
}

/// The list of commands, one a line.
pub(super) fn help() -> String {
    let line = |usage: &str, help: &str| format!("{usage:<23}{help}");
    let mut lines: Vec<String> = TABLE.iter().map(|row| line(row.usage, row.help)).collect();
    lines.push(line("//text", "send a line that begins with a slash"));
    lines.push("Everything else that you type is sent to all who are here.".to_owned());
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_or_misused_command_is_not_a_text() {
        assert_eq!(Typed::parse("/nmaes"), Typed::Unknown("/nmaes"));
        assert_eq!(Typed::parse("/quit now"), Typed::Misused("/quit"));
        assert_eq!(Typed::parse("/trust"), Typed::Misused("/trust NICK [END]"));
        assert_eq!(Typed::parse("/"), Typed::Unknown("/"));
    }

    #[test]
    fn commands_and_texts_are_told_apart() {
        assert_eq!(Typed::parse("/names "), Typed::Command(Command::Names));
        assert_eq!(Typed::parse("hello /quit"), Typed::Text("hello /quit"));
        assert_eq!(Typed::parse("//etc/motd"), Typed::Text("/etc/motd"));
        assert_eq!(
            Typed::parse("/verify bob 12345 67890"),
            Typed::Command(Command::Verify {
                nick: "bob",
                digits: "12345 67890"
            })
        );
    }

    #[test]
    fn help_names_every_command() {
        for row in TABLE {
            assert!(help().contains(row.usage) && help().contains(row.help));
        }
    }
}
