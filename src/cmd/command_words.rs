//! A program with its arguments, as somebody writes it in one option. The words are split as a shell splits
//! them, and no shell is started: what else a shell would do with them is not done.

use std::process::{Command, Stdio};
use std::str::FromStr;

/// The words of a command: the program, and its arguments.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct CommandWords {
    program: String,
    arguments: Vec<String>,
}

/// Splits a text into the program and its arguments.
///
/// # Errors
/// In words, where a quote does not close, or there is no program.
pub(super) fn split(text: &str) -> Result<(String, Vec<String>), &'static str> {
    let words = shell_words::split(text).map_err(|_| "a quote in it does not close")?;
    let mut words = words.into_iter();
    let program = words.next().filter(|program| !program.is_empty());
    Ok((program.ok_or("it names no program")?, words.collect()))
}

/// Keeps our own variables from a command: some are secrets, such as a passphrase.
pub(super) fn keep_variables_from(command: &mut Command) {
    let variables = std::env::vars_os().map(|(name, _)| name);
    for name in variables.filter(|name| name.as_encoded_bytes().starts_with(b"E2ECHAT_")) {
        command.env_remove(name);
    }
}

impl FromStr for CommandWords {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (program, arguments) = split(text)?;
        Ok(Self { program, arguments })
    }
}

impl CommandWords {
    /// The command, with nothing to read and nowhere to write, and without our own variables.
    pub(super) fn to_command(&self) -> Command {
        let mut command = Command::new(&self.program);
        keep_variables_from(&mut command);
        command.args(&self.arguments);
        command.stdin(Stdio::null());
        command.stdout(Stdio::null()).stderr(Stdio::null());
        command
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Result<Vec<String>, &'static str> {
        let words: CommandWords = text.parse()?;
        Ok([vec![words.program], words.arguments].concat())
    }

    #[test]
    fn words_are_split_as_a_shell_splits_them_and_nothing_else_is_done() {
        for (text, expected) in [
            ("notify-send", &["notify-send"][..]),
            ("  notify-send  -u low ", &["notify-send", "-u", "low"]),
            (
                r#"say "two words" 'and $HOME'"#,
                &["say", "two words", "and $HOME"],
            ),
            (r"a\ b c;d | e > f", &["a b", "c;d", "|", "e", ">", "f"]),
            ("say \"\"", &["say", ""]),
        ] {
            let expected: Vec<String> = expected.iter().map(|&it| it.to_owned()).collect();
            assert_eq!(words(text), Ok(expected), "{text}");
        }
        for text in ["", "  ", "\"\" x", "say 'open"] {
            assert!(words(text).is_err(), "{text}");
        }
    }
}
