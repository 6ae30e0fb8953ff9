//! Programs of others that are started for a notification. Nobody waits for them, and none runs for long.

use std::io::{self, Read as _};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// How long one may run.
const PATIENCE: Duration = Duration::from_secs(5);
/// How often it is looked whether one has ended.
const POLL: Duration = Duration::from_millis(20);

/// Runs one at a time. Dropping it ends the one that runs.
#[derive(Default)]
pub(super) struct Runner(Arc<Running>);

#[derive(Default)]
struct Running(Mutex<Option<Child>>);

impl Runner {
    /// Starts a program, unless one runs.
    ///
    /// # Errors
    /// If the system does not start it.
    pub(super) fn start(&self, command: &mut Command) -> io::Result<()> {
        let mut running = self.0.lock();
        if running.is_some() {
            return Ok(());
        }
        // So what it starts in its turn ends with it.
        #[cfg(unix)]
        std::os::unix::process::CommandExt::process_group(command, 0);
        *running = Some(command.spawn()?);
        drop(running);
        let running = Arc::clone(&self.0);
        let builder = thread::Builder::new().name("notification".to_owned());
        if let Err(error) = builder.spawn(move || running.watch()) {
            self.0.end();
            return Err(error);
        }
        Ok(())
    }
}

impl Drop for Runner {
    fn drop(&mut self) {
        self.0.end();
    }
}

impl Running {
    /// Waits until the program has ended, and ends it where that takes too long.
    fn watch(&self) {
        let begun = Instant::now();
        while begun.elapsed() < PATIENCE {
            let mut running = self.lock();
            if has_ended(running.as_mut()) {
                *running = None;
                return;
            }
            drop(running);
            thread::sleep(POLL);
        }
        self.end();
    }

    fn end(&self) {
        if let Some(mut child) = self.lock().take() {
            kill(&mut child);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Option<Child>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn has_ended(child: Option<&mut Child>) -> bool {
    child.is_none_or(|child| !matches!(child.try_wait(), Ok(None)))
}

/// Ends a program, and what it has started.
fn kill(child: &mut Child) {
    #[cfg(unix)]
    {
        use nix::sys::signal::{Signal, killpg};
        use nix::unistd::Pid;

        if let Ok(id) = i32::try_from(child.id()) {
            let _ = killpg(Pid::from_raw(id), Signal::SIGKILL);
        }
    }
    let _ = child.kill();
    let _ = child.wait();
}

/// Whether tmux hands on to the terminal what is wrapped for that. It is asked beside: until it has answered, it
/// does not.
#[derive(Default)]
pub(super) struct Passthrough(Arc<AtomicBool>);

impl Passthrough {
    /// Asks tmux.
    pub(super) fn ask(&self) {
        let is_on = Arc::clone(&self.0);
        // Without a thread the bell rings.
        let _ = thread::Builder::new()
            .name("tmux".to_owned())
            .spawn(move || is_on.store(is_passthrough_on(), Ordering::SeqCst));
    }

    pub(super) fn is_on(&self) -> bool {
        self.0.load(Ordering::SeqCst)
    }
}

/// What tmux says of the pane in which the program runs.
fn is_passthrough_on() -> bool {
    let mut command = Command::new("tmux");
    command.args(["show-options", "-Apv", "allow-passthrough"]);
    command.stdin(Stdio::null()).stdout(Stdio::piped());
    let Ok(mut child) = command.stderr(Stdio::null()).spawn() else {
        return false;
    };
    let begun = Instant::now();
    while !has_ended(Some(&mut child)) {
        if begun.elapsed() >= PATIENCE {
            let _ = child.kill();
            let _ = child.wait();
            return false;
        }
        thread::sleep(POLL);
    }
    let mut said = String::new();
    let read = child
        .stdout
        .map(|output| output.take(64).read_to_string(&mut said));
    matches!(read, Some(Ok(_))) && matches!(said.trim(), "on" | "all")
}
