//! A real client, as a process of its own.

use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::process::{Child, ChildStdout, Command, Stdio};

use anyhow::Context as _;
use e2echat::room::names::Nick;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tempfile::TempDir;

use super::relay::program;

/// A client in a room, which ends with this value.
pub struct Client {
    child: Child,
    /// It would end if there were nobody to write to.
    output: BufReader<ChildStdout>,
    /// Where it remembers whom it meets, so that the user's own file is left alone.
    _home: TempDir,
}

impl Client {
    /// Starts one, and waits until it is in the room.
    pub fn join(relay: SocketAddr, nick: &Nick, room: &str) -> anyhow::Result<Self> {
        let home = tempfile::tempdir()?;
        let program = program()?;
        let mut child = Command::new(&program)
            .args(["join", &relay.to_string(), "--room", room])
            .args(["--nick", nick.as_str()])
            .env("HOME", home.path())
            .env("XDG_CONFIG_HOME", home.path())
            .env("XDG_DATA_HOME", home.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .with_context(|| format!("cannot start {}", program.display()))?;
        let output = child.stdout.take().context("the client has no output")?;
        let mut client = Self {
            child,
            output: BufReader::new(output),
            _home: home,
        };
        client.wait_for_roster()?;
        Ok(client)
    }

    fn wait_for_roster(&mut self) -> anyhow::Result<()> {
        let mut line = String::new();
        while !line.starts_with("* here: ") {
            line.clear();
            let length = self.output.read_line(&mut line)?;
            anyhow::ensure!(length > 0, "the client does not get into the room");
        }
        Ok(())
    }

    /// Stops it: from now on it does nothing, and the system keeps its connection open.
    pub fn stop(&self) -> anyhow::Result<()> {
        let pid = Pid::from_raw(self.child.id().try_into()?);
        Ok(kill(pid, Signal::SIGSTOP)?)
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        // SIGKILL ends one that is stopped, too. It fails where the client has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
