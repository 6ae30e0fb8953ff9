//! What a person has settled beforehand, and so need not type each time.
//!
//! A setting holds from the first of these places that has it: the option, the variable, the saved room,
//! the settings file. clap sees to that by itself: what saved room and file say becomes the *default* of
//! its option before the command line is read. So clap's own parsers read the values, and it knows where
//! each comes from.
//!
//! - `keys`: which settings there are. `file`: the settings file. `show`: `e2echat config`.
//! - `example`: the file to begin from.

mod example;
mod file;
mod keys;
pub(super) mod show;

use std::ffi::OsString;
use std::io::{self, IsTerminal as _};
use std::path::Path;

use clap::{ArgMatches, Command};

use self::file::{Line, SettingsFile};

/// A value that an option has where neither it nor its variable is given.
struct Default {
    /// The option, as clap names it.
    option: clap::Id,
    values: Vec<OsString>,
    /// Where it comes from, for whoever asks.
    origin: String,
}

/// The command with what is settled as defaults.
///
/// # Errors
/// If the settings file cannot be used, with what to do about it.
pub(super) fn settle(command: Command, arguments: &[OsString]) -> anyhow::Result<Command> {
    let first_look = without_required(command.clone(), "join").try_get_matches_from(arguments);
    // What is wrong with the arguments, or that they ask for help, is said when they are read for good.
    let Ok(matches) = first_look else {
        return Ok(command);
    };
    match matches.subcommand() {
        Some(("join", given)) => settle_from_file(command, "join", given),
        // Without a host, the relay is no person's program.
        Some(("serve", given)) if given.contains_id("nick") => {
            settle_from_file(command, "serve", given)
        }
        _ => Ok(command),
    }
}

fn settle_from_file(command: Command, name: &str, given: &ArgMatches) -> anyhow::Result<Command> {
    if given.get_flag("no_config") {
        return Ok(command);
    }
    let Some(file) = SettingsFile::read()? else {
        return Ok(command);
    };
    let is_json = matches!(given.try_get_one::<bool>("json"), Ok(Some(true)));
    let is_for_person = !is_json && io::stdin().is_terminal();
    let defaults = defaults(&command, name, &file, is_for_person)?;
    Ok(with_defaults(command, name, defaults))
}

/// What the settings file says to the command of this name.
fn defaults(
    command: &Command,
    name: &str,
    file: &SettingsFile,
    is_for_person: bool,
) -> anyhow::Result<Vec<Default>> {
    let folder = file.path.parent().unwrap_or(Path::new(""));
    let mut defaults = Vec::new();
    for line in &file.lines {
        check(command, line).map_err(|what| file.wrong(line, what))?;
        let option = keys::find(keys::of(command, name), Some(&line.key));
        if let Some(option) = option.filter(|_| is_for_person || keys::is_for_programs(&line.key)) {
            let values = line.values.iter();
            defaults.push(Default {
                option: option.get_id().clone(),
                values: values
                    .map(|value| keys::expand(option, value, folder))
                    .collect(),
                origin: format!("line {}", line.number),
            });
        }
    }
    Ok(defaults)
}

/// Says what is wrong with a line of the file.
fn check(command: &Command, line: &Line) -> Result<(), String> {
    let key = line.key.as_str();
    let Some(option) = keys::find(keys::all(command), Some(key)) else {
        let names: Vec<&str> = keys::all(command).filter_map(keys::name_of).collect();
        let meant = keys::nearest(key, names.iter().copied());
        let meant = meant.map_or(String::new(), |meant| format!("; is {meant} meant?"));
        return Err(format!(
            "there is no setting {key}{meant} There are: {}",
            names.join(", ")
        ));
    };
    let has = |sign| line.values.iter().any(|value| value.contains(sign));
    if key == "room" && has('/') {
        return Err("an invite is a secret, and does not belong into this file: /save NAME in the room keeps it elsewhere".to_owned());
    }
    if key == "proxy" && has('@') {
        return Err(
            "a password is a secret, and does not belong into this file: put the proxy into E2ECHAT_PROXY".to_owned(),
        );
    }
    keys::check(option, &line.values)
}

fn with_defaults(command: Command, name: &str, defaults: Vec<Default>) -> Command {
    command.mut_subcommand(name, |command| {
        let set = |command: Command, default: Default| {
            command.mut_arg(default.option, |option| {
                option.required(false).default_values(default.values)
            })
        };
        defaults.into_iter().fold(command, set)
    })
}

/// The command without the options that this one requires: settings may have them.
fn without_required(command: Command, name: &str) -> Command {
    command.mut_subcommand(name, |command| {
        command.mut_args(|argument| argument.required(false))
    })
}
