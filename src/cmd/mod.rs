//! The commands, and what they are made of: arguments, threads, sockets, files and the terminal.

mod address;
mod arguments;
mod command_words;
mod credits;
mod deadline;
#[cfg(unix)]
mod detached;
mod file;
mod foreign;
mod harden;
mod identity;
mod join;
mod keygen;
mod lock;
mod passphrase;
mod people;
mod prompt;
mod rooms;
mod serve;
mod settings;
mod shell;
mod signals;
mod terminal;
mod zone;

/// The table of alarms and notices, for the tests that hold the documents to it.
pub mod alarm_table {
    pub use super::join::output::alarms::{Cause, INCIDENTS, IncidentRow, Severity};
}

/// The table of what can be typed in a room, for the man page.
pub mod command_table {
    pub use super::join::commands::table::{Row, all};
}

/// The parsers of what people write, on the terminal, in arguments and into files. They do no I/O,
/// so that tests and fuzzers can give them anything.
pub mod user_input {
    pub use super::address::{Address, RoomAddress, RoomOrInvite};
    pub use super::join::commands::line::{Line, Typed};
    pub use super::join::commands::table::Command;
    pub use super::join::net::pasted::invite_in;
    pub use super::join::output::json::{JsonRequest, RequestBody};
    pub use super::people::book::{AddressBook, Expected};
    pub use super::people::line::{Note, RecordKind};
    pub use super::people::person::{KnownPerson, PlaceId};
    pub use super::serve::admission::allow::fingerprints;
}

use std::ffi::OsString;
use std::io::{self, Write as _};

use clap::Parser;

/// The TCP port that a relay listens on unless it is told otherwise.
const DEFAULT_PORT: u16 = 4000;

/// A terminal chat room in which whoever runs the server can read nothing
#[derive(Debug, Parser)]
#[command(
    version,
    max_term_width = 100,
    after_help = "\
Examples:
  e2echat serve --nick ada                      host a room and sit in it
  e2echat join chat.example.org --nick bob      enter the room `lobby` of that relay
  e2echat keygen                                make an identity that friends know you by

Every command has a --help of its own."
)]
pub struct Cli {
    #[command(subcommand)]
    command: Subcommand,
}

#[derive(Debug, clap::Subcommand)]
enum Subcommand {
    Serve(serve::Args),
    Join(join::Args),
    Keygen(keygen::Args),
    Config(settings::show::Args),
    Rooms(rooms::Args),
    People(people::Args),
}

/// Runs what the command line asks for, of which the first word is the program's name.
///
/// # Errors
/// Where the command line is wrong, or asks for help or the version: that is what to show. Or where the command fails: the
/// error's text is one line, and a second one where there is something to do about it.
pub fn run(words: impl IntoIterator<Item = OsString>) -> anyhow::Result<()> {
    harden::keep_memory_private();
    let words: Vec<OsString> = words.into_iter().collect();
    // The program says it to itself: no help has it.
    #[cfg(unix)]
    if let [_, word, program, arguments @ ..] = words.as_slice()
        && word == detached::WORD
    {
        return Err(detached::become_program(program, arguments));
    }
    let command = arguments::command::<Cli>();
    let settled = settings::settle(command.clone(), &words, join::ask_where_to)?;
    let cli: Cli = arguments::parse(settled.command, &words)?;
    match cli.command {
        Subcommand::Serve(args) => serve::run(&args),
        Subcommand::Join(args) => join::run(&args, settled.room),
        Subcommand::Keygen(args) => keygen::run(&args),
        Subcommand::Config(args) => settings::show::run(&args, &command),
        Subcommand::Rooms(args) => rooms::run(&args),
        Subcommand::People(args) => people::run(&args),
    }
}

/// An error of two lines: what failed, and what to do about it.
fn failure(error: impl std::fmt::Display, hint: &str) -> anyhow::Error {
    anyhow::anyhow!("{error}\n  {hint}")
}

/// What the system says of a failure, in our form: lower case, no number, no full stop.
fn reason(error: &io::Error) -> String {
    let text = error.to_string().to_lowercase();
    let words = text.split_once(" (os error").map(|(words, _)| words);
    words.unwrap_or(&text).trim_end_matches('.').to_owned()
}

/// Writes to standard output and flushes it.
fn print(text: &str) -> anyhow::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes())
        .and_then(|()| out.flush())
        .map_err(|error| unwritable(&error))
}

/// The error of a standard output that does not take what is written.
fn unwritable(error: &io::Error) -> anyhow::Error {
    failure(
        format!("cannot write to standard output: {}", reason(error)),
        "make room where it goes",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_system_s_reasons_have_one_form() {
        for (said, reason) in [
            ("Connection refused (os error 111)", "connection refused"),
            ("Access is denied. (os error 5)", "access is denied"),
            ("timed out", "timed out"),
        ] {
            assert_eq!(super::reason(&io::Error::other(said)), reason);
        }
    }
}
