//! What can be typed besides messages.

/// What a line on the terminal asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Typed<'a> {
    /// To say this.
    Text(&'a str),
    /// To do this.
    Command(Command),
    /// Something that there is not.
    Unknown(&'a str),
}

/// The commands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Command {
    Help,
    Names,
    Quit,
}

const TABLE: [(&str, Command, &str); 3] = [
    ("/help", Command::Help, "show this list"),
    (
        "/names",
        Command::Names,
        "show who is here, with fingerprints",
    ),
    (
        "/quit",
        Command::Quit,
        "leave; so does Ctrl-D on an empty line",
    ),
];

impl<'a> Typed<'a> {
    /// Understands a line. Two slashes at its beginning stand for a text that begins with one.
    pub(super) fn parse(line: &'a str) -> Self {
        match line.strip_prefix('/') {
            None => Self::Text(line),
            Some(text) if text.starts_with('/') => Self::Text(text),
            Some(_) => TABLE
                .iter()
                .find(|(name, _, _)| *name == line.trim_end())
                .map_or(Self::Unknown(line), |(_, command, _)| {
                    Self::Command(*command)
                }),
        }
    }
}

/// The list of commands, one a line.
pub(super) fn help() -> String {
    let mut lines: Vec<String> = TABLE
        .iter()
        .map(|(name, _, what)| format!("{name:<8}{what}"))
        .collect();
    lines.push(format!(
        "{:<8}send a line that begins with a slash",
        "//text"
    ));
    lines.push("Everything else that you type is sent to all who are here.".to_owned());
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_command_is_not_a_text() {
        assert_eq!(Typed::parse("/nmaes"), Typed::Unknown("/nmaes"));
        assert_eq!(Typed::parse("/quit now"), Typed::Unknown("/quit now"));
        assert_eq!(Typed::parse("/"), Typed::Unknown("/"));
    }

    #[test]
    fn commands_and_texts_are_told_apart() {
        assert_eq!(Typed::parse("/names "), Typed::Command(Command::Names));
        assert_eq!(Typed::parse("hello /quit"), Typed::Text("hello /quit"));
        assert_eq!(Typed::parse("//etc/motd"), Typed::Text("/etc/motd"));
    }

    #[test]
    fn help_names_every_command() {
        for (name, _, what) in TABLE {
            assert!(help().contains(name) && help().contains(what));
        }
    }
}
