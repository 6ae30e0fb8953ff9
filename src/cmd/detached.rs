//! A program of the user's that has no terminal: `e2echat detached PROGRAM ARGUMENT...` becomes it, in a session
//! of its own, so that it can neither read what is typed nor write over the screen.

use std::ffi::OsString;
use std::io;
use std::os::unix::process::CommandExt as _;
use std::process::Command;

use crate::room::text::SafeText;

use super::{failure, reason};

/// What stands before the program's words on the command line.
pub(super) const WORD: &str = "detached";

/// The command that runs a program so. Its arguments are still to be added.
///
/// # Errors
/// Where the system does not say where this program is.
pub(super) fn command(program: &str) -> io::Result<Command> {
    // On Linux that is this program still where another one has taken its place since.
    let own = if cfg!(target_os = "linux") {
        "/proc/self/exe".into()
    } else {
        std::env::current_exe()?
    };
    let mut command = Command::new(own);
    command.args([WORD, program]);
    Ok(command)
}

/// Becomes a program. Returns the error where that fails.
pub(super) fn become_program(program: &OsString, arguments: &[OsString]) -> anyhow::Error {
    // It fails for whoever leads a group of processes: then a shell has started this.
    let _ = nix::unistd::setsid();
    let error = Command::new(program).args(arguments).exec();
    failure(
        format!(
            "cannot run {}: {}",
            SafeText::new(&program.to_string_lossy()),
            reason(&error)
        ),
        "is it spelled right, and installed?",
    )
}
