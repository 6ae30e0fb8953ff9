//! Questions on the terminal whose answers are not shown: for a passphrase, for an invite.
//!
//! However a question ends, the terminal is then as it was before. What is typed ahead of the next
//! question is its answer. What is left behind the last one is for nobody: a room would read it, a shell
//! would run it and remember it.

use std::io;

#[cfg(not(unix))]
mod elsewhere;
#[cfg(unix)]
mod unix;

#[cfg(not(unix))]
use self::elsewhere as system;
#[cfg(unix)]
use self::unix as system;

/// The terminal while it shows nothing of what is typed. Dropping it throws away what nobody has read of
/// that, and has the terminal show again what is typed.
pub(super) struct Prompt(system::Prompt);

impl Prompt {
    /// Has the terminal show nothing of what is typed from now on.
    pub(super) fn open() -> io::Result<Self> {
        system::Prompt::open().map(Self)
    }

    /// Asks for a line.
    pub(super) fn ask(&mut self, question: &str) -> io::Result<String> {
        self.0.ask(question)
    }

    /// Whether another line has been typed, or is just being pasted.
    pub(super) fn has_more(&self) -> bool {
        self.0.has_more()
    }
}
