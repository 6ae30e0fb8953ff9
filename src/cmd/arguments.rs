//! The command line, as people give it.

use std::ffi::OsString;

use clap::Parser as _;
use clap::error::ErrorKind;

use super::Cli;

/// What messengers and word processors make of two hyphens, or of one.
const DASHES: [char; 9] = [
    '\u{2010}', '\u{2011}', '\u{2012}', '\u{2013}', '\u{2014}', '\u{2015}', '\u{2212}', '\u{fe58}',
    '\u{ff0d}',
];

/// Reads the command line, of which the first word is the program's name.
///
/// # Errors
/// Where it is wrong, or asks for help or the version: that is what to show.
pub fn parse(words: impl IntoIterator<Item = OsString>) -> Result<Cli, clap::Error> {
    let words: Vec<OsString> = words.into_iter().collect();
    Cli::try_parse_from(&words).map_err(|error| {
        let is_wrong = !matches!(
            error.kind(),
            ErrorKind::DisplayHelp | ErrorKind::DisplayVersion
        );
        let dashed = words.iter().skip(1).find_map(|word| dashed_option(word.to_str()?));
        match dashed {
            Some((word, option)) if is_wrong => clap::Error::raw(
                ErrorKind::UnknownArgument,
                format!(
                    "{word} begins with a dash that is no hyphen, as messengers make it: type {option}\n"
                ),
            ),
            _ => error,
        }
    })
}

/// An option whose hyphens were made into a dash, without its value, and what it is to be.
fn dashed_option(word: &str) -> Option<(&str, String)> {
    let word = word.split('=').next()?;
    let name = word.trim_start_matches(DASHES).trim_start_matches('-');
    let name = name.trim_start_matches(DASHES);
    let is_name = name.starts_with(|sign: char| sign.is_ascii_alphabetic())
        && name
            .chars()
            .all(|sign| sign.is_ascii_alphanumeric() || sign == '-');
    let has_dash =
        word.starts_with(|sign| DASHES.contains(&sign) || sign == '-') && word.contains(DASHES);
    let hyphens = if name.len() == 1 { "-" } else { "--" };
    (has_dash && is_name).then(|| (word, format!("{hyphens}{name}")))
}
