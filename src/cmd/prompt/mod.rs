//! Questions on the terminal whose answers it does not show: for a passphrase, for an invite.
//!
//! However a question ends, the terminal is then as it was before. What the user types ahead of the
//! next question is the answer to it. What is left unread behind the last one is thrown away: a room
//! would read it, a shell would run it and keep it in its history.

use std::io;

#[cfg(not(unix))]
mod elsewhere;
#[cfg(unix)]
mod unix;

#[cfg(not(unix))]
use self::elsewhere as system;
#[cfg(unix)]
use self::unix as system;

/// The terminal while it does not show what the user types. Dropping this throws away what is typed and
/// not read, and restores the terminal's mode.
pub(super) struct Prompt(system::SystemPrompt);

impl Prompt {
    /// Opens the terminal that the program was started from, and switches its echo off. On Unix, no
    /// other thread may run yet (`unix.rs` says why).
    ///
    /// # Errors
    /// If there is no such terminal, or it cannot be set, or the system gives no thread.
    pub(super) fn open() -> io::Result<Self> {
        system::SystemPrompt::open().map(Self)
    }

    /// Writes a question, and reads a line without its end. Control characters and keys that are no
    /// characters are left out of it.
    ///
    /// # Errors
    /// If the terminal is gone. `UnexpectedEof` is the user's Ctrl-D.
    pub(super) fn ask(&mut self, question: &str) -> io::Result<String> {
        self.0.ask(question)
    }

    /// Whether the user has typed another line, or is just pasting one. Waits 100 ms for it.
    pub(super) fn has_more(&self) -> bool {
        self.0.has_more()
    }
}
