//! Questions on the terminal whose answers are not shown: for a passphrase, for an invite.
//!
//! However a question ends, the terminal is then as it was before. What is typed ahead of the next
//! question is its answer. Where the program fails, what is left of that is for nobody: a shell
//! would run it, and remember it.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};

#[cfg(not(unix))]
mod elsewhere;
#[cfg(unix)]
mod unix;

#[cfg(not(unix))]
use self::elsewhere as system;
#[cfg(unix)]
use self::unix as system;

/// Whether anything has been asked, so that what is typed may be an answer.
static ASKED: AtomicBool = AtomicBool::new(false);

/// The terminal while it shows nothing of what is typed. Dropping it has the terminal show it again.
pub(super) struct Prompt(system::Prompt);

impl Prompt {
    /// Has the terminal show nothing of what is typed from now on.
    pub(super) fn open() -> io::Result<Self> {
        let prompt = system::Prompt::open().map(Self)?;
        ASKED.store(true, Ordering::SeqCst);
        Ok(prompt)
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

/// Throws away what was typed and nobody has read, if it may have been an answer.
pub(super) fn discard_typed() {
    if ASKED.load(Ordering::SeqCst) {
        system::discard_typed();
    }
}
