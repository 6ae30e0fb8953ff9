//! Says on the terminal, after a second, that the program is still connecting.

use std::io::{self, IsTerminal as _, Write as _};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use crate::cmd::terminal::Format;

/// What takes no longer is not worth a word.
const PATIENCE: Duration = Duration::from_secs(1);

/// The time in which nothing else can be shown yet. It ends when this is dropped.
pub(super) struct Connecting {
    end: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Connecting {
    /// Begins with it, for this relay.
    pub(super) fn start(relay: &str, format: Format) -> Self {
        let (end, ended) = channel::<()>();
        let line = format!("* connecting to {relay} …\n");
        let wait = move || {
            if ended.recv_timeout(PATIENCE) == Err(RecvTimeoutError::Timeout) {
                // Whoever cannot be told that can be told nothing else either.
                let _ = io::stdout().write_all(line.as_bytes());
            }
        };
        let is_seen = format == Format::Screen && io::stdout().is_terminal();
        let builder = thread::Builder::new().name("connecting".into());
        Self {
            end: Some(end),
            thread: is_seen.then(|| builder.spawn(wait).ok()).flatten(),
        }
    }
}

impl Drop for Connecting {
    fn drop(&mut self) {
        drop(self.end.take());
        // The terminal is for others now.
        let _ = self.thread.take().map(JoinHandle::join);
    }
}
