//! Which settings there are: the long options of `join` and `serve`, as clap knows them. So there is one
//! table of names, of what each can be, and of what each is for.

use std::ffi::OsString;
use std::path::Path;

use clap::builder::ValueParser;
use clap::error::{ContextKind, ContextValue};
use clap::{Arg, Command};

/// The commands whose options are settings, the first one first where both have one of a name.
pub(super) const COMMANDS: [&str; 2] = ["join", "serve"];

/// Options that are no settings: what is for one run alone, or makes no sense for somebody in a room.
const NOT_SETTINGS: [&str; 8] = [
    "help",
    "json",
    "new-room",
    "no-config",
    "save",
    "stats",
    "verbose",
    "version",
];

/// What a person's file may change where no person reads: where, as whom, and on what way.
const FOR_PROGRAMS: [&str; 6] = ["identity", "nick", "proxy", "relay", "room", "through"];

/// How unlike a name may be that is meant perhaps.
const NEAR: usize = 3;

/// The settings of one of the [`COMMANDS`]. An option that no help shows is none.
pub(super) fn of<'a>(command: &'a Command, name: &str) -> impl Iterator<Item = &'a Arg> {
    let options = command.find_subcommand(name).into_iter();
    let options = options.flat_map(Command::get_arguments);
    let is_setting = |name| !NOT_SETTINGS.contains(&name);
    options.filter(move |option| !option.is_hide_set() && name_of(option).is_some_and(is_setting))
}

/// The settings of all of the [`COMMANDS`], each once.
pub(super) fn all(command: &Command) -> impl Iterator<Item = &Arg> {
    let [first, second] = COMMANDS;
    let is_new = move |option: &&Arg| find(of(command, first), name_of(option)).is_none();
    of(command, first).chain(of(command, second).filter(is_new))
}

/// The name of a setting.
pub(super) fn name_of(option: &Arg) -> Option<&str> {
    option.get_long()
}

/// The one of this name.
pub(super) fn find<'a>(
    mut options: impl Iterator<Item = &'a Arg>,
    name: Option<&str>,
) -> Option<&'a Arg> {
    options.find(|option| name_of(option) == name)
}

/// Whether a person's file may change it where no person reads.
pub(super) fn is_for_programs(key: &str) -> bool {
    FOR_PROGRAMS.contains(&key)
}

/// The name that is meant perhaps, where there is none of this name.
pub(super) fn nearest<'a>(name: &str, all: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let with_distance = all.map(|other| (strsim::osa_distance(name, other), other));
    let nearest = with_distance.min();
    nearest
        .filter(|(distance, other)| *distance <= NEAR.min(other.len() / 2))
        .map(|(_, other)| other)
}

/// Asks clap what is wrong with these values. It reads them as it would behind the option.
///
/// # Errors
/// In words. They do not repeat the value: it may be a secret.
pub(super) fn check(option: &Arg, values: &[String]) -> Result<(), String> {
    let name = name_of(option).unwrap_or_default();
    if values.len() != 1 && !matches!(option.get_action(), clap::ArgAction::Append) {
        return Err(format!("{name} has one value, and is no list"));
    }
    let arguments = values.iter().map(|value| format!("--{name}={value}"));
    let alone = Command::new("e2echat").no_binary_name(true);
    let Err(error) = alone.arg(option.clone()).try_get_matches_from(arguments) else {
        return Ok(());
    };
    let why = std::error::Error::source(&error).map(ToString::to_string);
    Err(match (error.get(ContextKind::ValidValue), why) {
        (Some(ContextValue::Strings(allowed)), _) => {
            format!("{name} must be one of: {}", allowed.join(", "))
        }
        (_, Some(why)) => format!("{name}: {why}"),
        (_, None) => format!("{name} cannot be that"),
    })
}

/// What a value of the file is on a command line: a path there begins in the file's folder, or with `~/`
/// in the user's, as no shell reads it.
pub(super) fn expand(option: &Arg, value: &str, folder: &Path) -> OsString {
    let paths: ValueParser = clap::value_parser!(std::path::PathBuf);
    if option.get_value_parser().type_id() != paths.type_id() {
        return value.into();
    }
    let home = value.strip_prefix("~/").zip(dirs::home_dir());
    let path = home.map_or_else(|| folder.join(value), |(rest, home)| home.join(rest));
    path.into_os_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_name_is_one_that_can_be_meant() {
        let all = ["nick", "relay", "rekey", "only-known", "log"];
        for (name, meant) in [
            ("nik", Some("nick")),
            ("nikc", Some("nick")),
            ("only_known", Some("only-known")),
            ("relais", Some("relay")),
            ("colour-of-the-sky", None),
            ("x", None),
        ] {
            assert_eq!(nearest(name, all.into_iter()), meant, "{name}");
        }
    }
}
