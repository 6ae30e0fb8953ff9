//! `e2echat config`: what holds, and where each setting comes from; and the file to begin from.

use std::ffi::{OsStr, OsString};
use std::io;

use clap::parser::ValueSource;
use clap::{Arg, ArgMatches, Command};

use super::file::{self, SettingsFile};
use super::name::SavedName;
use super::rooms::SavedRooms;
use super::{Default, defaults, enter, example, keys, with_defaults, without_required};
use crate::cmd::{arguments, failure, print, reason};
use crate::room::text::{SafeText, parse_visible};

/// Show the settings that hold, and where each comes from
#[derive(clap::Args, Debug)]
#[command(after_help = "\
The settings file is config.toml in this user's settings folder. Its keys are the long options of `join`
and `serve`, such as nick = \"ada\". An option goes before a variable, a variable before a saved room, a
saved room before the file.

Environment:
  E2ECHAT_CONFIG  another settings file

Examples:
  e2echat config            show what holds
  e2echat config work       show what holds in the room that is saved as work
  e2echat config --init     make a settings file with a commented example
  e2echat config --example  show that example")]
pub(in crate::cmd) struct Args {
    /// Make the settings file, with a commented example in it
    #[arg(long, conflicts_with = "example")]
    init: bool,

    /// Show what holds when this saved room is entered
    #[arg(value_parser = parse_visible::<SavedName>, conflicts_with_all = ["init", "example"])]
    name: Option<SavedName>,

    /// Show that example
    #[arg(long)]
    example: bool,
}

/// Runs the command. `command` is the whole program's.
pub(in crate::cmd) fn run(args: &Args, command: &Command) -> anyhow::Result<()> {
    if args.example {
        return print(&example::text(command));
    }
    let path = file::path().ok_or_else(|| {
        failure(
            "this system has no folder for settings",
            "name a file in E2ECHAT_CONFIG",
        )
    })?;
    if args.init {
        let content = example::text(command);
        super::super::file::write(&path, content.as_bytes(), false).map_err(|error| {
            failure(
                format!("cannot make {}: {}", path.display(), reason(&error)),
                match error.kind() {
                    io::ErrorKind::AlreadyExists => {
                        "it is not replaced; `e2echat config --example` shows what would be in it"
                    }
                    _ => "nothing was changed; make room or get permission",
                },
            )
        })?;
        return print(&format!("made {}\n", path.display()));
    }
    let file = SettingsFile::read()?;
    let is_there = if file.is_some() {
        ""
    } else {
        " (there is none)"
    };
    let mut lines = format!("settings file  {}{is_there}\n\n", path.display());
    let rooms = SavedRooms::read()?;
    let room = args.name.as_ref();
    let room = room.map(|name| rooms.find(name)).transpose()?;
    for name in keys::COMMANDS {
        let mut defaults = match &file {
            Some(file) => defaults(command, name, file, true)?,
            None => Vec::new(),
        };
        if let Some((name, saved)) = room.filter(|_| name == keys::COMMANDS[0]) {
            enter(&mut defaults, name, saved);
        }
        lines += &table(command.clone(), name, defaults)?;
    }
    print(&lines)
}

/// A line for each setting of a command that the commands before it do not have.
fn table(command: Command, name: &str, defaults: Vec<Default>) -> anyhow::Result<String> {
    let [join, serve] = keys::COMMANDS;
    let is_shared = |option: &&Arg| {
        name == serve && keys::find(keys::of(&command, join), keys::name_of(option)).is_some()
    };
    let options: Vec<Arg> = keys::of(&command, name)
        .filter(|option| !is_shared(option))
        .cloned()
        .collect();
    let origins: Vec<(clap::Id, String)> = defaults
        .iter()
        .map(|default| (default.option.clone(), default.origin.clone()))
        .collect();
    let command = with_defaults(without_required(command, name), name, defaults);
    let words = ["e2echat", name].map(OsString::from);
    let matches = arguments::matches(command, &words)?;
    let Some((_, given)) = matches.subcommand() else {
        return Ok(String::new());
    };
    let line = |option: &Arg| {
        let origin = origins.iter().find(|(id, _)| id == option.get_id());
        line(option, given, origin.map(|(_, origin)| origin.as_str()))
    };
    Ok(options.iter().map(line).collect())
}

/// The line of a setting: its name, its value, and where that comes from.
fn line(option: &Arg, given: &ArgMatches, settled: Option<&str>) -> String {
    let name = keys::name_of(option).unwrap_or_default();
    let id = option.get_id().as_str();
    let origin = match given.value_source(id) {
        Some(ValueSource::EnvVariable) => option
            .get_env()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned(),
        Some(ValueSource::DefaultValue) => settled.unwrap_or("default").to_owned(),
        _ => return format!("{name:<20}(not set)\n"),
    };
    let values = given.get_raw(id).into_iter().flatten();
    let values: Vec<String> = values.map(|value| shown(name, value)).collect();
    format!("{name:<20}{}  ({origin})\n", values.join(", "))
}

/// A value without what is secret in it.
fn shown(name: &str, value: &OsStr) -> String {
    let value: OsString = value.to_owned();
    let value = value.to_string_lossy();
    match (name, value.rsplit_once('@')) {
        ("room", _) if value.contains('/') => "an invite".to_owned(),
        ("proxy", Some((_, host))) => format!("socks5://...@{}", SafeText::new(host)),
        _ => SafeText::new(&value).to_string(),
    }
}
