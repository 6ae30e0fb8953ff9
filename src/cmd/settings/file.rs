//! The settings file, `config.toml`: where it is, and what stands in it. The program only ever reads it;
//! people keep it in a repository, so it may be a link, and others may read it.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use toml::{Spanned, Value};

use crate::cmd::file::{self, is_writable_by_others};
use crate::cmd::{failure, reason, shell};
use crate::room::text::SafeText;

/// The longest file that is read, in bytes. The example with all its words has 4000.
const MAX_FILE: u64 = 64 * 1024;

/// The variable that names another file.
const VARIABLE: &str = "E2ECHAT_CONFIG";

/// What is said of the file if nothing better is.
const CHANGE_THE_LINE: &str = "change that line; `e2echat config --example` shows all settings, --no-config goes without the file";

/// One line of the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Line {
    pub(super) key: String,
    /// Its value, or the values of a list, as one would write them on a command line.
    pub(super) values: Vec<String>,
    pub(super) number: usize,
}

/// The file that was read.
#[derive(Debug)]
pub(super) struct SettingsFile {
    pub(super) path: PathBuf,
    /// From the first to the last.
    pub(super) lines: Vec<Line>,
}

/// Where the file is: where the variable says, or in the platform's folder for settings. `None` on a
/// system that has none.
pub(super) fn path() -> Option<PathBuf> {
    named().or_else(|| Some(dirs::config_dir()?.join("e2echat").join("config.toml")))
}

/// The file that the variable names.
fn named() -> Option<PathBuf> {
    let named = std::env::var_os(VARIABLE).filter(|name| !name.is_empty());
    named.map(PathBuf::from)
}

impl SettingsFile {
    /// Reads the file. `None` if there is none, and the user has named none.
    ///
    /// # Errors
    /// If it cannot be read or understood, with the line and what to do about it.
    pub(super) fn read() -> anyhow::Result<Option<Self>> {
        let Some(path) = path() else {
            return Ok(None);
        };
        let unreadable = |error: io::Error| {
            failure(
                format!(
                    "cannot read the settings file {}: {}",
                    path.display(),
                    reason(&error)
                ),
                "make it a file that you can read, or go without it: --no-config",
            )
        };
        let bytes = match read(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound && named().is_none() => {
                return Ok(None);
            }
            read => read.map_err(unreadable)??,
        };
        let lines = parse(&bytes).map_err(|wrong| wrong.in_file(&path))?;
        Ok(Some(Self { path, lines }))
    }

    /// The error for a line of it.
    pub(super) fn wrong(&self, line: &Line, what: String) -> anyhow::Error {
        Wrong::at(line.number, what).in_file(&self.path)
    }
}

/// What is wrong with a line.
#[derive(Debug, PartialEq, Eq)]
struct Wrong {
    line: usize,
    what: String,
    hint: &'static str,
}

impl Wrong {
    fn at(line: usize, what: String) -> Self {
        Self {
            line,
            what,
            hint: CHANGE_THE_LINE,
        }
    }

    /// The error in words. A key may have any character; a terminal would obey some.
    fn in_file(self, path: &Path) -> anyhow::Error {
        let Self { line, what, hint } = self;
        let what = SafeText::new(&what);
        failure(format!("{}, line {line}: {what}", path.display()), hint)
    }
}

/// Reads the file at `path`. The inner error is of a file that is not to be used.
fn read(path: &Path) -> io::Result<anyhow::Result<Vec<u8>>> {
    file::read(path, MAX_FILE, |metadata| {
        is_writable_by_others(metadata).then(|| {
            failure(
                format!("others can write to the settings file {}", path.display()),
                &format!("keep them out with: chmod go-w {}", shell::quoted(path)),
            )
        })
    })
}

/// Reads the lines of the file.
fn parse(bytes: &[u8]) -> Result<Vec<Line>, Wrong> {
    let text = str::from_utf8(bytes).map_err(|error| {
        let sound = bytes.get(..error.valid_up_to()).unwrap_or_default();
        let sound = String::from_utf8_lossy(sound);
        Wrong::at(
            1 + sound.matches('\n').count(),
            "it is not UTF-8".to_owned(),
        )
    })?;
    let table: BTreeMap<Spanned<String>, Spanned<Value>> = toml::from_str(text)
        .map_err(|error| Wrong::at(line_of(text, error.span()), error.message().to_owned()))?;
    let mut lines = Vec::new();
    for (key, value) in table {
        let (number, key) = (line_of(text, Some(key.span())), key.into_inner());
        if key == "rooms" {
            return Err(Wrong {
                line: number,
                what: "saved rooms are not kept here, as an invite is a secret".to_owned(),
                hint: "take them out; the program itself saves a room in another file: `e2echat join HOST --save NAME`, and /save NAME in the room",
            });
        }
        let values = match value.into_inner() {
            Value::Array(values) => values.into_iter().map(text_of).collect(),
            value => text_of(value).map(|value| vec![value]),
        };
        let Some(values) = values else {
            return Err(Wrong::at(
                number,
                format!("{key} must be text in quotes, a number, true or false"),
            ));
        };
        lines.push(Line {
            key,
            values,
            number,
        });
    }
    lines.sort_by_key(|line| line.number);
    Ok(lines)
}

/// A value as one would write it on a command line.
fn text_of(value: Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text),
        Value::Integer(number) => Some(number.to_string()),
        Value::Boolean(is_so) => Some(is_so.to_string()),
        Value::Float(_) | Value::Datetime(_) | Value::Array(_) | Value::Table(_) => None,
    }
}

/// The number of the line in which something begins.
pub(super) fn line_of(text: &str, span: Option<std::ops::Range<usize>>) -> usize {
    let before = span.and_then(|span| text.get(..span.start));
    1 + before.map_or(0, |before| before.matches('\n').count())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_read_as_on_a_command_line() {
        let text =
            "# mine\nnick = \"ada\"\n\nrekey = 5\nno-share = true\nbind = [\"::1\", '127.0.0.1']\n";
        let lines: Vec<_> = parse(text.as_bytes())
            .unwrap()
            .into_iter()
            .map(|line| (line.number, line.key, line.values.join(" ")))
            .collect();
        let expected = [
            (2, "nick", "ada"),
            (4, "rekey", "5"),
            (5, "no-share", "true"),
            (6, "bind", "::1 127.0.0.1"),
        ];
        let expected = expected.map(|(number, key, value)| (number, key.into(), value.into()));
        assert_eq!(lines, expected);
    }

    #[test]
    fn what_is_no_setting_is_refused_with_its_line() {
        for (text, line, what) in [
            ("nick = \"ada\"\nnick = \"bob\"\n", 2, "duplicate key"),
            ("\nnick = ada\n", 2, "string values must be quoted"),
            ("[join]\nnick = \"ada\"\n", 1, "join must be text"),
            ("rekey = 1.5", 1, "rekey must be text"),
            ("bind = [[\"::1\"]]", 1, "bind must be text"),
            (
                "a = 1\n[rooms.work]\nrelay = \"a\"\n",
                2,
                "saved rooms are not kept here",
            ),
            ("nick", 1, "key with no value"),
        ] {
            let wrong = parse(text.as_bytes()).unwrap_err();
            assert_eq!(wrong.line, line, "{text:?}: {wrong:?}");
            assert!(wrong.what.starts_with(what), "{text:?}: {wrong:?}");
        }
    }
}
