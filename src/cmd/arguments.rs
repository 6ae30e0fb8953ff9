//! The command line, as people give it.

use std::any::TypeId;
use std::ffi::OsString;
use std::path::PathBuf;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Arg, ArgMatches, Command, CommandFactory, FromArgMatches};

/// What messengers and word processors make of two hyphens, or of one.
pub(super) const DASHES: [char; 9] = [
    '\u{2010}', '\u{2011}', '\u{2012}', '\u{2013}', '\u{2014}', '\u{2015}', '\u{2212}', '\u{fe58}',
    '\u{ff0d}',
];

/// The program's command. An empty variable counts as unset.
pub(super) fn command<C: CommandFactory>() -> Command {
    let command = C::command();
    command.mut_subcommands(|command| command.mut_args(without_empty_variable))
}

/// Reads the command line, of which the first word is the program's name, and the variables that stand for options.
///
/// # Errors
/// Where it is wrong, or asks for help or the version: that is what to show.
pub(super) fn parse<C: FromArgMatches>(
    command: Command,
    words: &[OsString],
) -> Result<C, clap::Error> {
    C::from_arg_matches(&matches(command, words)?)
}

/// What [`parse`] reads, before it is made into anything.
///
/// # Errors
/// As [`parse`].
pub(super) fn matches(mut command: Command, words: &[OsString]) -> Result<ArgMatches, clap::Error> {
    let matches = command.try_get_matches_from_mut(words);
    matches.map_err(|error| without_secrets(explain(&mut command, words, error)))
}

fn without_empty_variable(argument: Arg) -> Arg {
    let value = argument.get_env().and_then(std::env::var_os);
    if value.is_some_and(|value| value.is_empty()) {
        argument.env(None::<&'static str>)
    } else {
        argument
    }
}

/// Makes an error fit what was written.
fn explain(command: &mut Command, words: &[OsString], mut error: clap::Error) -> clap::Error {
    if matches!(
        error.kind(),
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion
    ) {
        return error;
    }
    let mut given = words.iter().skip(1);
    if let Some((word, option)) = given.find_map(|word| dashed_option(word.to_str()?)) {
        return clap::Error::raw(
            ErrorKind::UnknownArgument,
            format!(
                "{word} begins with a dash that is no hyphen, as messengers make it: type {option}\n"
            ),
        );
    }
    if error.kind() == ErrorKind::InvalidUtf8 {
        let named = not_utf8(command, words);
        return clap::Error::raw(
            ErrorKind::InvalidUtf8,
            format!("{named} is not UTF-8, in which all text is read\n"),
        );
    }
    if let Some(ContextValue::String(named)) = error.get(ContextKind::InvalidArg) {
        // An argument that clap has not built yet cannot be shown.
        command.build();
        let arguments = command.get_subcommands().flat_map(Command::get_arguments);
        let mut wrong = arguments.filter(|argument| argument.to_string() == *named);
        let variable = wrong.find_map(|argument| {
            let option = format!("--{}", argument.get_long()?);
            let variable = argument.get_env()?.to_str()?;
            (named_by(&option, variable, words) == variable).then(|| variable.to_owned())
        });
        if let Some(variable) = variable {
            error.insert(ContextKind::InvalidArg, ContextValue::String(variable));
        }
    }
    error
}

/// What is not UTF-8 of what was given: the name of the variable or of the option. Its value may be a secret.
fn not_utf8(command: &Command, words: &[OsString]) -> String {
    let arguments = words
        .get(1)
        .and_then(|name| command.find_subcommand(name))
        .into_iter()
        .flat_map(Command::get_arguments);
    let mut variables = arguments.filter_map(|argument| {
        let (option, variable) = (argument.get_long()?, argument.get_env()?.to_str()?);
        // The name of a file may be anything.
        let is_path = argument.get_value_parser().type_id() == TypeId::of::<PathBuf>();
        let is_given = named_by(&format!("--{option}"), variable, words) == variable;
        let value = std::env::var_os(variable).filter(|_| is_given && !is_path)?;
        value.to_str().is_none().then(|| variable.to_owned())
    });
    let in_words = || {
        let at = words.iter().position(|word| word.to_str().is_none())?;
        let word = words.get(at)?.to_string_lossy().into_owned();
        let before = at.checked_sub(1).and_then(|at| words.get(at))?;
        let option = word.split_once('=').map_or(before.to_str()?, |(it, _)| it);
        option.starts_with('-').then(|| option.to_owned())
    };
    let named = variables.next().or_else(in_words);
    named.unwrap_or_else(|| "a word on the command line".to_owned())
}

/// The error without an invite or a password that may be in it.
fn without_secrets(mut error: clap::Error) -> clap::Error {
    let text = |kind| match error.get(kind) {
        Some(ContextValue::String(text)) => text.as_str(),
        _ => "",
    };
    let named = text(ContextKind::InvalidArg).split(' ').next();
    if let Some(named @ ("--proxy" | "E2ECHAT_PROXY")) = named
        && let Some(why) = std::error::Error::source(&error)
    {
        let what = format!("{named} is not a proxy: {why}\n");
        return clap::Error::raw(ErrorKind::ValueValidation, what);
    }
    let wrong = match error.kind() {
        ErrorKind::UnknownArgument => ContextKind::InvalidArg,
        _ => ContextKind::InvalidValue,
    };
    // An invite has six hyphens, and some may be mistyped.
    if text(wrong).contains("inv-") || text(wrong).matches('-').count() > 3 {
        error.insert(wrong, ContextValue::String("...".to_owned()));
    }
    error
}

/// By what a value was given, in these words or in the environment: the option, or the variable that stands for it.
fn named_by<'a>(option: &'a str, variable: &'a str, words: &[OsString]) -> &'a str {
    let is_option = |word: &OsString| {
        let rest = word.to_str().and_then(|word| word.strip_prefix(option));
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('='))
    };
    if words.iter().any(is_option) {
        option
    } else {
        variable
    }
}

/// By what a value was given to this program: the option, or the variable that stands for it. `None` where it was not given:
/// a setting says it.
pub(super) fn name_of<'a>(option: &'a str, variable: &'a str) -> Option<&'a str> {
    let words: Vec<OsString> = std::env::args_os().collect();
    let name = named_by(option, variable, &words);
    let is_given = name == option || std::env::var_os(name).is_some_and(|value| !value.is_empty());
    is_given.then_some(name)
}

/// An option whose hyphens were made into a dash, without its value, and what it is to be.
fn dashed_option(word: &str) -> Option<(&str, String)> {
    let word = word.split('=').next()?;
    let typed = word.replace(DASHES, "-");
    let name = typed.trim_start_matches('-');
    let is_name = name.starts_with(|sign: char| sign.is_ascii_alphabetic())
        && name
            .chars()
            .all(|sign| sign.is_ascii_alphanumeric() || sign == '-');
    let has_dash = typed.starts_with('-') && word.contains(DASHES);
    let hyphens = if name.len() == 1 { "-" } else { "--" };
    (has_dash && is_name).then(|| (word, format!("{hyphens}{name}")))
}
