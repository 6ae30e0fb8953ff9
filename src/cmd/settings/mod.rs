//! What a person has settled beforehand, and so need not type each time.
//!
//! A setting holds from the first of these places that has it: the option, the variable, the saved room,
//! the settings file. clap sees to that by itself: what saved room and file say becomes the *default* of
//! its option before the command line is read. So clap's own parsers read the values, and it knows where
//! each comes from.
//!
//! - `keys`: which settings there are. `file`: the settings file. `show`: `e2echat config`.
//! - `rooms`: the saved rooms, which the program itself writes. `name`: what each is saved as.
//! - `example`: the file to begin from.

mod example;
mod file;
mod keys;
pub(super) mod name;
pub(super) mod rooms;
pub(super) mod show;

use std::ffi::OsString;
use std::io::{self, IsTerminal as _};
use std::path::Path;

use clap::{ArgMatches, Command};

use self::file::{Line, SettingsFile};
use self::name::SavedName;
use self::rooms::{SavedRoom, SavedRooms};
use super::failure;
use super::prompt::Prompt;

/// A value that an option has where neither it nor its variable is given.
#[derive(Clone)]
struct Default {
    /// The option, as clap names it.
    option: clap::Id,
    values: Vec<OsString>,
    /// Where it comes from, for whoever asks.
    origin: String,
}

impl Default {
    fn new(option: &'static str, value: &str, origin: String) -> Self {
        Self {
            option: option.into(),
            values: vec![value.into()],
            origin,
        }
    }
}

/// The answer to the question where to go.
pub(super) enum Answer {
    Saved(SavedName),
    /// `HOST:PORT/ROOM`.
    Invite(String),
}

/// The program's command with what is settled.
pub(super) struct Settled {
    /// It has that as defaults.
    pub(super) command: Command,
    /// The saved room that is to be entered. What it says is among the defaults.
    pub(super) room: Option<(SavedName, SavedRoom)>,
}

/// Finds out what is settled for these arguments. `ask` asks where to go, where nothing says it.
///
/// # Errors
/// If the files cannot be used, with what to do about it; and those of `ask`.
pub(super) fn settle(
    command: Command,
    arguments: &[OsString],
    ask: impl FnOnce(&SavedRooms) -> anyhow::Result<Answer>,
) -> anyhow::Result<Settled> {
    let first_look = without_required(command.clone(), "join").try_get_matches_from(arguments);
    // What is wrong with the arguments, or that they ask for help, is said when they are read for good.
    let matches = first_look.ok();
    match matches.as_ref().and_then(ArgMatches::subcommand) {
        Some(("join", given)) => settle_join(command, arguments, given, ask),
        // Without a host, the relay is no person's program.
        Some(("serve", given)) if given.contains_id("nick") => {
            let defaults = from_file(&command, "serve", given)?;
            Ok(Settled {
                command: with_defaults(command, "serve", defaults),
                room: None,
            })
        }
        _ => Ok(Settled {
            command,
            room: None,
        }),
    }
}

fn settle_join(
    command: Command,
    arguments: &[OsString],
    given: &ArgMatches,
    ask: impl FnOnce(&SavedRooms) -> anyhow::Result<Answer>,
) -> anyhow::Result<Settled> {
    let mut defaults = from_file(&command, "join", given)?;
    let rooms = SavedRooms::read()?;
    let has_relay = given.contains_id("relay") || defaults.iter().any(|it| it.option == "relay");
    let says_where = has_relay || given.contains_id("room") || given.get_flag("new_room");
    let room = match text_of(given, "place") {
        Some(word) => meant_by(word, &rooms, is_for_person(given))?,
        None if says_where => None,
        None => {
            // What is wrong besides is said before anything is asked, unless the answer can mend it.
            let can_mend = rooms.iter().any(|(_, room)| room.nick.is_some());
            let strict = with_defaults(command.clone(), "join", defaults.clone());
            if !can_mend && strict.try_get_matches_from(arguments).is_err() {
                None
            } else {
                match ask(&rooms)? {
                    Answer::Saved(name) => Some(name),
                    Answer::Invite(invite) => {
                        defaults.push(Default::new("room", &invite, "the answer".to_owned()));
                        None
                    }
                }
            }
        }
    };
    let room = room.as_ref().and_then(|name| rooms.get(name.as_str()));
    if let Some((name, saved)) = room {
        check_saved(&command, name, saved)?;
        enter(&mut defaults, name, saved);
    }
    Ok(Settled {
        command: with_defaults(command, "join", defaults),
        room: room.map(|(name, saved)| (name.clone(), saved.clone())),
    })
}

/// The first value of an option, as text.
fn text_of<'a>(given: &'a ArgMatches, option: &str) -> Option<&'a str> {
    given.get_raw(option)?.next()?.to_str()
}

/// The saved room that a word means, if it means one. On a terminal the user is asked where the word misses
/// one by a slip: to look it up as a host would tell the network what it is.
fn meant_by(word: &str, rooms: &SavedRooms, can_ask: bool) -> anyhow::Result<Option<SavedName>> {
    if let Some((name, _)) = rooms.get(word) {
        return Ok(Some(name.clone()));
    }
    let Some(near) = rooms.one_slip_from(word) else {
        return Ok(None);
    };
    let refused = || {
        failure(
            format!("there is no saved room {word}: is {near} meant?"),
            &format!(
                "type `e2echat join {near}`; for a host of that name, write its port too: {word}:4000"
            ),
        )
    };
    if !can_ask {
        return Err(refused());
    }
    let mut prompt = Prompt::open().map_err(|_| refused())?;
    let question = format!("there is no saved room {word}: is {near} meant? (yes/no) ");
    let answer = prompt.ask(&question).map_err(|_| refused())?;
    match answer.trim().to_ascii_lowercase().as_str() {
        "y" | "yes" => Ok(Some(near.clone())),
        "n" | "no" => Ok(None),
        _ => Err(refused()),
    }
}

/// Has what a saved room says take the place of what the file says. Where it leads is the room's alone to say, and
/// so is the way, if it says one.
fn enter(defaults: &mut Vec<Default>, name: &SavedName, saved: &SavedRoom) {
    let has_way = saved.proxy.is_some() || saved.through.is_some();
    let ways = if has_way {
        &["proxy", "through"][..]
    } else {
        &[]
    };
    let theirs = [&["relay", "room"], ways].concat();
    defaults.retain(|default| !theirs.contains(&default.option.as_str()));
    let said = said_by(saved).into_iter();
    let origin = format!("saved room {name}");
    defaults.extend(said.map(|(key, value)| Default::new(key, value, origin.clone())));
}

/// What a saved room says, by option.
fn said_by(saved: &SavedRoom) -> Vec<(&'static str, &str)> {
    let lobby = saved.invite.is_none().then_some("lobby");
    let place = saved.invite.as_deref().or(saved.room.as_deref()).or(lobby);
    let said = [
        ("relay", saved.relay.as_deref()),
        ("room", place),
        ("nick", saved.nick.as_deref()),
        ("identity", saved.identity.as_deref()),
        ("proxy", saved.proxy.as_deref()),
        ("through", saved.through.as_deref()),
    ];
    let said = said.into_iter();
    said.filter_map(|(key, value)| value.map(|value| (key, value)))
        .collect()
}

/// Says what is wrong with a saved room.
fn check_saved(command: &Command, name: &SavedName, saved: &SavedRoom) -> anyhow::Result<()> {
    for (key, value) in said_by(saved) {
        let option = keys::find(keys::of(command, "join"), Some(key));
        let wrong = option.map(|option| keys::check(option, &[value.to_owned()]));
        if let Some(Err(wrong)) = wrong {
            return Err(failure(
                format!("the saved room {name} cannot be entered: {wrong}"),
                "save it anew, or put it right in rooms.toml, in your data folder",
            ));
        }
    }
    Ok(())
}

/// Whether somebody reads and types, and no program.
fn is_for_person(given: &ArgMatches) -> bool {
    let is_json = matches!(given.try_get_one::<bool>("json"), Ok(Some(true)));
    !is_json && io::stdin().is_terminal()
}

/// What the settings file says, if there is one and it is wanted.
fn from_file(command: &Command, name: &str, given: &ArgMatches) -> anyhow::Result<Vec<Default>> {
    let file = if given.get_flag("no_config") {
        None
    } else {
        SettingsFile::read()?
    };
    file.map_or(Ok(Vec::new()), |file| {
        defaults(command, name, &file, is_for_person(given))
    })
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
    let is_invite = |value: &String| value.contains('/') || value.starts_with("inv-");
    if key == "room" && line.values.iter().any(is_invite) {
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
