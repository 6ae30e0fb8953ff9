//! A program of the user's that has no terminal: `e2echat detached PROGRAM ARGUMENT...` becomes it, in a session
//! of its own, so that it can neither read what is typed nor write over the screen.

use std::ffi::OsString;
use std::io;
use std::os::unix::process::CommandExt as _;
use std::process::Command;

use crate::room::text::SafeText;

use super::{failure, reason};

/// Become another program, in a session without a terminal
#[derive(clap::Args, Debug)]
pub(super) struct Args {
    #[arg(required = true, trailing_var_arg = true, allow_hyphen_values = true)]
    words: Vec<OsString>,
}

/// The command that runs a program so. Its arguments are still to be added.
///
/// # Errors
/// Where the system does not say where this program is.
pub(super) fn command(program: &str) -> io::Result<Command> {
    let mut command = Command::new(std::env::current_exe()?);
    command.args(["detached", "--", program]);
    Ok(command)
}

/// Runs the command. It returns only where that fails.
pub(super) fn run(args: &Args) -> anyhow::Result<()> {
    // It fails for whoever leads a group of processes: then a shell has started this.
    let _ = nix::unistd::setsid();
    let Some((program, arguments)) = args.words.split_first() else {
        return Ok(());
    };
    let error = Command::new(program).args(arguments).exec();
    Err(failure(
        format!(
            "cannot run {}: {}",
            SafeText::new(&program.to_string_lossy()),
            reason(&error)
        ),
        "is it spelled right, and installed?",
    ))
}
