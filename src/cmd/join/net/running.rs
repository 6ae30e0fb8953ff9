//! The program of `--through` while it runs.
//!
//! Two threads watch it: one takes what it says on its standard error, and one waits for its end, which is the
//! end of the connection, too, whoever else may have the socket still.

use std::io::{self, BufRead as _, BufReader, Read, Write as _};
use std::net::{Shutdown, TcpStream};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::process::{Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use nix::libc::SIGTERM;
use shared_child::SharedChild;
use shared_child::unix::SharedChildExt as _;

use crate::cmd::command_words::keep_variables_from;
use crate::cmd::{detached, failure, reason};
use crate::room::text::SafeText;

/// How long the program may take until something comes from the relay. The first time it may have to ask the
/// user, as `ssh` does; OpenSSH's server waits for two minutes.
const FIRST: Duration = Duration::from_mins(2);
const LATER: Duration = Duration::from_mins(1);

/// How long a program may take to end whose connection is over, and to say why.
const LINGER: Duration = Duration::from_millis(500);

/// The longest line of what the program says that is told at once, in bytes; and how many lines are told while the
/// user waits for the first connection.
const LONGEST_LINE: u64 = 300;
const MOST_LINES: usize = 20;

/// A program that runs. It ends with this.
pub(in crate::cmd::join) struct Running {
    name: SafeText,
    child: Arc<SharedChild>,
    said: Arc<Mutex<Said>>,
}

/// What the program has said on its standard error.
struct Said {
    /// Its last line.
    last: String,
    /// How many more lines go to the terminal as they come.
    shown: usize,
    is_over: bool,
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
        let (stream, running) = Self::spawn(name, words, is_first).map_err(|error| {
            failure(
                format!("cannot run {}: {}", SafeText::new(name), reason(&error)),
                "is the program of --through spelled right, and installed?",
            )
        })?;
        let patience = if is_first { FIRST } else { LATER };
        let come = stream
            .set_read_timeout(Some(patience))
            .and_then(|()| (&stream).write_all(preamble))
            .and_then(|()| stream.peek(&mut [0]));
        let is_late = |error: &io::Error| {
            let kind = error.kind();
            matches!(kind, io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut)
        };
        let why = match come {
            Ok(1..) => {
                running.lock().shown = 0;
                return Ok((stream, running));
            }
            Err(error) if is_late(&error) => {
                format!("nothing came within {} seconds", patience.as_secs())
            }
            Ok(0) | Err(_) => match running.wait() {
                Some(status) => format!("it ended ({status})"),
                None => "it hung up".to_owned(),
            },
        };
        Err(running.failed(&why))
    }

    fn spawn(name: &str, words: &[String], is_first: bool) -> io::Result<(TcpStream, Self)> {
        let (ours, its) = UnixStream::pair()?;
        let its = OwnedFd::from(its);
        let mut command = if is_first {
            Command::new(name)
        } else {
            detached::command(name)?
        };
        keep_variables_from(&mut command);
        command
            .args(words)
            .stdin(its.try_clone()?)
            .stdout(its)
            .stderr(Stdio::piped());
        let child = SharedChild::spawn(&mut command)?;
        // The command has the program's end of the pair too.
        drop(command);
        // To be read, written, and given a time limit, it is a socket as any other.
        let stream = TcpStream::from(OwnedFd::from(ours));
        let running = Self {
            name: SafeText::new(name),
            child: Arc::new(child),
            said: Arc::new(Mutex::new(Said {
                last: String::new(),
                shown: if is_first { MOST_LINES } else { 0 },
                is_over: false,
            })),
        };
        if let Some(errors) = running.child.take_stderr() {
            let (name, said) = (running.name.clone(), Arc::clone(&running.said));
            thread::Builder::new()
                .name("program-errors".into())
                .spawn(move || listen(errors, &name, &said))?;
        }
        let (child, connection) = (Arc::clone(&running.child), stream.try_clone()?);
        thread::Builder::new()
            .name("program-end".into())
            .spawn(move || {
                let _ = child.wait();
                let _ = connection.shutdown(Shutdown::Both);
            })?;
        Ok((stream, running))
    }

    /// The error for a program through which nothing comes.
    fn failed(&self, why: &str) -> anyhow::Error {
        // What it said last may be on its way.
        within(LINGER, || self.lock().is_over.then_some(()));
        let words = self.last_words();
        let words = words.map_or(String::new(), |words| format!(", and said: {words}"));
        failure(
            format!("no connection through {}: {why}{words}", self.name),
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
    fn wait(&self) -> Option<ExitStatus> {
        within(LINGER, || self.child.try_wait().ok().flatten())
    }
}

impl Drop for Running {
    /// Has the program end: it is asked to, and then made to.
    fn drop(&mut self) {
        let _ = self.child.send_signal(SIGTERM);
        if self.wait().is_none() {
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}

/// Asks again and again for so long.
fn within<T>(time: Duration, ask: impl Fn() -> Option<T>) -> Option<T> {
    let deadline = Instant::now() + time;
    loop {
        let answer = ask();
        if answer.is_some() || Instant::now() >= deadline {
            return answer;
        }
        thread::sleep(Duration::from_millis(5));
    }
}

/// Takes what the program says on its standard error, however much that is.
fn listen(errors: impl Read, name: &SafeText, said: &Mutex<Said>) {
    let lock = || said.lock().unwrap_or_else(PoisonError::into_inner);
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
        let mut said = lock();
        if said.shown > 0 {
            said.shown -= 1;
            let _ = writeln!(io::stderr(), "* {name}: {text}");
        }
        said.last = text;
    }
    lock().is_over = true;
}
