//! A real client, as a process of its own.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use e2echat::room::names::Nick;
use nix::unistd::Pid;
use tempfile::TempDir;

use super::relay::{Figures, figures, program};

/// How long a client may take to enter a room.
const ENTERING: Duration = Duration::from_secs(30);

/// A client in a room. Its process ends when this is dropped.
pub struct Client {
    child: Child,
    /// `None` once there is no more.
    input: Option<ChildStdin>,
    /// Each line of its output, and when it came. A client ends if nobody reads its output.
    lines: Receiver<(Instant, String)>,
    /// Whether it has been seen to be in the room.
    is_in: bool,
    /// How many lines there were.
    pub shown: usize,
    /// How often it has said that it lost its connection.
    pub lost: usize,
    /// Where it remembers whom it meets, so that the user's own file is left alone.
    _home: TempDir,
}

impl Client {
    /// Starts a client, and waits until it is in the room.
    pub fn join(relay: SocketAddr, nick: &Nick, room: &str) -> anyhow::Result<Self> {
        let mut client = Self::start(&program()?, relay, nick, room, &[])?;
        client.wait_until_in()?;
        Ok(client)
    }

    /// Starts a client of this program, with these options besides.
    pub fn start(
        program: &Path,
        relay: SocketAddr,
        nick: &Nick,
        room: &str,
        options: &[&str],
    ) -> anyhow::Result<Self> {
        let home = tempfile::tempdir()?;
        let mut child = Command::new(program)
            .args(["join", &relay.to_string(), "--room", room])
            .args(["--nick", nick.as_str()])
            .args(options)
            .env("HOME", home.path())
            .env("XDG_CONFIG_HOME", home.path())
            .env("XDG_DATA_HOME", home.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .with_context(|| format!("cannot start {}", program.display()))?;
        let input = child.stdin.take().context("the client has no input")?;
        let output = child.stdout.take().context("the client has no output")?;
        let (sender, lines) = channel();
        thread::spawn(move || {
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                if sender.send((Instant::now(), line)).is_err() {
                    break;
                }
            }
        });
        Ok(Self {
            child,
            input: Some(input),
            lines,
            is_in: false,
            shown: 0,
            lost: 0,
            _home: home,
        })
    }

    /// Waits until it is in the room, if it was not yet.
    pub fn wait_until_in(&mut self) -> anyhow::Result<()> {
        if !self.is_in {
            let ways = ["* here: ", "* nobody", "{\"people\":"];
            let is_in = |line: &str| ways.iter().any(|way| line.starts_with(way));
            let entered = self.wait_for(ENTERING, is_in)?;
            entered.context("the client does not get into the room")?;
            self.is_in = true;
        }
        Ok(())
    }

    /// What its process uses now.
    pub fn figures(&self) -> anyhow::Result<Figures> {
        figures(self.child.id())
    }

    /// Has the client say something to all.
    pub fn say(&mut self, text: &str) -> anyhow::Result<()> {
        let input = self.input.as_mut().context("its input is over")?;
        Ok(writeln!(input, "{text}")?)
    }

    /// Ends its input, and waits until it has ended for that.
    pub fn end(mut self) -> anyhow::Result<()> {
        drop(self.input.take());
        let status = self.child.wait()?;
        ensure!(status.success(), "a client failed: {status}");
        Ok(())
    }

    /// Waits for a line. Returns when it came, if it did in time.
    pub fn wait_for(
        &mut self,
        patience: Duration,
        is_it: impl Fn(&str) -> bool,
    ) -> anyhow::Result<Option<Instant>> {
        let deadline = Instant::now() + patience;
        while let Some((at, line)) = self.next_line(deadline)? {
            if is_it(&line) {
                return Ok(Some(at));
            }
        }
        Ok(None)
    }

    /// The next line, and when it came, if it comes before this.
    pub fn next_line(&mut self, deadline: Instant) -> anyhow::Result<Option<(Instant, String)>> {
        let left = deadline.saturating_duration_since(Instant::now());
        match self.lines.recv_timeout(left) {
            Ok(line) => {
                self.shown += 1;
                self.lost += usize::from(line.1.contains("; trying to get it back; "));
                Ok(Some(line))
            }
            Err(RecvTimeoutError::Timeout) => Ok(None),
            Err(RecvTimeoutError::Disconnected) => anyhow::bail!("a client has ended"),
        }
    }

    /// The process.
    pub fn pid(&self) -> anyhow::Result<Pid> {
        Ok(Pid::from_raw(self.child.id().try_into()?))
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        // SIGKILL ends a stopped process, too. It fails where the client has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
