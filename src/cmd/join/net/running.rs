//! The program of `--through` while it runs.

use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::process::{Child, ChildStderr, Command, Stdio};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::cmd::{detached, failure, reason};
use crate::room::text::SafeText;

/// How long the program may take until something comes from the relay. The first time it may have to ask the
/// user, as `ssh` does; OpenSSH's server waits for two minutes.
const FIRST: Duration = Duration::from_mins(2);
const LATER: Duration = Duration::from_mins(1);

/// How long a program may take to end whose connection is over.
const LINGER: Duration = Duration::from_millis(500);

/// The longest line of what the program says that is told at once, in bytes; and how many lines are told while the
/// user waits for the first connection.
const LONGEST_LINE: u64 = 300;
const MOST_LINES: usize = 20;

/// A program that runs. It ends with this.
pub(in crate::cmd::join) struct Running {
    name: String,
    child: Child,
    said: Arc<Mutex<Said>>,
}

/// What the program has said on its standard error.
#[derive(Default)]
struct Said {
    /// Its last line.
    last: String,
    /// How many more lines go to the terminal as they come.
    shown: usize,
}

impl Running {
    /// Starts a program, and waits until something comes from the relay, which is sent the preamble. The first time the
    /// program has the terminal, where it may ask; later the terminal is the line editor's.
    ///
    /// # Errors
    /// In words for the user: that it cannot be run, has ended, or is silent.
    pub(super) fn start(
        name: &str,
        words: &[String],
        is_first: bool,
        preamble: &[u8],
    ) -> anyhow::Result<(TcpStream, Self)> {
        let cannot_run = |error: io::Error| {
            failure(
                format!("cannot run {}: {}", SafeText::new(name), reason(&error)),
                "is the program of --through spelled right, and installed?",
            )
        };
        let (ours, its) = UnixStream::pair().map_err(cannot_run)?;
        let its = OwnedFd::from(its);
        let mut command = if is_first {
            Command::new(name)
        } else {
            detached::command(name).map_err(cannot_run)?
        };
        // Its variables are the user's, without what is meant for this program alone, such as a passphrase.
        let own = std::env::vars_os().map(|(name, _)| name);
        for name in own.filter(|name| name.as_encoded_bytes().starts_with(b"E2ECHAT_")) {
            command.env_remove(name);
        }
        let mut child = command
            .args(words)
            .stdin(its.try_clone().map_err(cannot_run)?)
            .stdout(its)
            .stderr(Stdio::piped())
            .spawn()
            .map_err(cannot_run)?;
        // The command has the program's end of the pair too.
        drop(command);
        let said = Arc::new(Mutex::new(Said {
            shown: if is_first { MOST_LINES } else { 0 },
            ..Said::default()
        }));
        let errors = child.stderr.take();
        let mut running = Self {
            name: name.to_owned(),
            child,
            said: Arc::clone(&said),
        };
        let listening = thread::Builder::new().name("program-errors".into());
        let name = name.to_owned();
        if let Some(errors) = errors {
            listening
                .spawn(move || listen(errors, &name, &said))
                .map_err(cannot_run)?;
        }
        // To be read, written, and given a time limit, it is a socket as any other.
        let stream = TcpStream::from(OwnedFd::from(ours));
        let patience = if is_first { FIRST } else { LATER };
        stream
            .set_read_timeout(Some(patience))
            .map_err(cannot_run)?;
        let come = (&stream)
            .write_all(preamble)
            .and_then(|()| stream.peek(&mut [0]));
        running.lock().shown = 0;
        match come {
            Ok(1..) => Ok((stream, running)),
            Err(error)
                if matches!(
                    error.kind(),
                    io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut
                ) =>
            {
                let silence = format!("nothing came within {} seconds", patience.as_secs());
                Err(running.failed(&silence))
            }
            Ok(0) | Err(_) => {
                let ended = running.wait().map_or("it hung up".to_owned(), |status| {
                    format!("it ended ({status})")
                });
                Err(running.failed(&ended))
            }
        }
    }

    /// The error for a program through which nothing comes.
    fn failed(&self, why: &str) -> anyhow::Error {
        let name = SafeText::new(&self.name);
        let words = self
            .last_words()
            .map_or(String::new(), |words| format!(", and said: {words}"));
        failure(
            format!("no connection through {name}: {why}{words}"),
            "try the program of --through by itself, with the relay's host and port",
        )
    }

    /// The last line that the program has said on its standard error.
    pub(super) fn last_words(&self) -> Option<String> {
        let said = self.lock();
        (!said.last.is_empty()).then(|| said.last.clone())
    }

    fn lock(&self) -> MutexGuard<'_, Said> {
        self.said.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for a moment until the program has ended.
    fn wait(&mut self) -> Option<std::process::ExitStatus> {
        let deadline = Instant::now() + LINGER;
        loop {
            match self.child.try_wait() {
                Ok(None) if Instant::now() < deadline => thread::sleep(Duration::from_millis(5)),
                status => return status.ok().flatten(),
            }
        }
    }
}

impl Drop for Running {
    /// Has the program end: it is asked to, and then made to.
    fn drop(&mut self) {
        let pid = i32::try_from(self.child.id()).map(Pid::from_raw);
        if self.child.try_wait().is_ok_and(|ended| ended.is_none()) {
            let _ = pid.map(|pid| kill(pid, Signal::SIGTERM));
            if self.wait().is_none() {
                let _ = self.child.kill();
                let _ = self.child.wait();
            }
        }
    }
}

/// Takes what the program says on its standard error, however much that is.
fn listen(errors: ChildStderr, name: &str, said: &Mutex<Said>) {
    let mut errors = BufReader::new(errors);
    let mut line = Vec::new();
    // A line that is longer is taken as several.
    while let Ok(1..) = errors
        .by_ref()
        .take(LONGEST_LINE)
        .read_until(b'\n', &mut line)
    {
        let text = SafeText::new(String::from_utf8_lossy(&line).trim_end()).to_string();
        line.clear();
        if text.is_empty() {
            continue;
        }
        let mut said = said.lock().unwrap_or_else(PoisonError::into_inner);
        if said.shown > 0 {
            said.shown -= 1;
            let _ = writeln!(io::stderr(), "* {}: {text}", SafeText::new(name));
        }
        said.last = text;
    }
}
