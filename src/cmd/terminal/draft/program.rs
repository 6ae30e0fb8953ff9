//! The user's editor while it runs.
//!
//! It is a process group of its own, in the terminal's foreground: Ctrl-C is for it alone. It cannot be stopped: there
//! is no shell here that would have it go on.

use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use std::os::unix::process::CommandExt as _;

use nix::errno::Errno;
use nix::sys::signal::{Signal, killpg};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;

use crate::cmd::command_words::keep_variables_from;
use crate::cmd::reason;
use crate::cmd::terminal::keyboard::Loan;
use crate::room::text::SafeText;

/// The editor of those who have named none, which POSIX knows.
const DEFAULT: &str = "vi";
/// How often it is looked whether the editor has ended.
const POLL: Duration = Duration::from_millis(20);
/// How long it may take to end once it is asked to.
const LINGER: Duration = Duration::from_millis(500);

/// The editor and its arguments, as the user's variables name it.
///
/// # Errors
/// In words, where no shell would understand them either.
pub(super) fn words() -> Result<Vec<String>, String> {
    let named = ["VISUAL", "EDITOR"].into_iter().find_map(|name| {
        let value = std::env::var(name).ok();
        value
            .filter(|value| !value.trim().is_empty())
            .map(|value| (name, value))
    });
    let Some((name, value)) = named else {
        return Ok(vec![DEFAULT.to_owned()]);
    };
    shell_words::split(&value).map_err(|_| format!("a quote in {name} is not closed"))
}

/// Runs the editor on a file, until it has ended well.
///
/// # Errors
/// In words, where it does not.
pub(super) fn run(words: &[String], file: &Path, loan: &Loan<'_>) -> Result<(), String> {
    let (program, arguments) = words.split_first().ok_or("no editor is named")?;
    let name = SafeText::new(program);
    let unusable =
        |why: &str| format!("cannot run {name}: {why}; EDITOR or VISUAL names the editor");
    let input = loan.input().map_err(|error| unusable(&reason(&error)))?;
    let mut command = Command::new(program);
    keep_variables_from(&mut command);
    command
        .args(arguments)
        .arg(file)
        .stdin(input)
        .process_group(0);
    let child = command.spawn();
    let child = child.map_err(|error| unusable(&reason(&error)))?;
    let pid = i32::try_from(child.id()).map_err(|_| unusable("it has no number"))?;
    let pid = Pid::from_raw(pid);
    loan.hand_to(pid);
    let status = wait(pid, loan);
    let why = match status {
        Ok(WaitStatus::Exited(_, 0)) => return Ok(()),
        Ok(WaitStatus::Exited(_, status)) => format!("{name} ended with exit status {status}"),
        Ok(WaitStatus::Signaled(_, signal, _)) => format!("{name} was ended by {signal}"),
        Ok(_) => format!("{name} has ended"),
        Err(error) => format!("{name} cannot be waited for: {error}"),
    };
    // What it has started would go on to read the terminal.
    let _ = killpg(pid, Signal::SIGKILL);
    Err(why)
}

/// Waits for the editor's end, and brings it about if the terminal is wanted back.
fn wait(pid: Pid, loan: &Loan<'_>) -> nix::Result<WaitStatus> {
    let flags = WaitPidFlag::WNOHANG | WaitPidFlag::WUNTRACED;
    let (mut is_stopped, mut asked) = (false, None);
    loop {
        loan.stop_if_asked();
        match waitpid(pid, Some(flags)) {
            // It may have read the terminal before it had it.
            Ok(WaitStatus::Stopped(..)) => is_stopped = true,
            Ok(WaitStatus::StillAlive) | Err(Errno::EINTR) => {}
            ended => return ended,
        }
        if is_stopped && loan.hand_to(pid) {
            let _ = killpg(pid, Signal::SIGCONT);
            is_stopped = false;
        }
        if loan.is_over() {
            let since = *asked.get_or_insert_with(|| {
                let _ = killpg(pid, Signal::SIGTERM);
                let _ = killpg(pid, Signal::SIGCONT);
                Instant::now()
            });
            if since.elapsed() >= LINGER {
                let _ = killpg(pid, Signal::SIGKILL);
            }
        }
        thread::sleep(POLL);
    }
}
