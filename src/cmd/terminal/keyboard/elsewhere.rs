//! Where rustyline reads the keyboard itself: it gets keys there, not bytes.

use std::io;
use std::sync::Arc;

use super::told::Told;

/// Nothing: rustyline would take reports for keys.
pub(in crate::cmd::terminal) const REPORTS_ON: &str = "";
pub(in crate::cmd::terminal) const REPORTS_OFF: &str = "";

/// There is none to lend.
pub(in crate::cmd::terminal) struct Console;

impl Console {
    /// One that has nothing to read.
    #[cfg(test)]
    pub(in crate::cmd::terminal) fn silent() -> Arc<Self> {
        Arc::new(Self)
    }

    /// Whether the terminal is to show what is typed.
    #[expect(clippy::unused_self, reason = "on Unix it is asked")]
    pub(in crate::cmd::terminal) fn echoes(&self) -> bool {
        true
    }

    /// Whether the program may change the terminal.
    #[expect(clippy::unused_self, reason = "on Unix it is asked")]
    pub(in crate::cmd::terminal) fn is_in_foreground(&self) -> bool {
        true
    }

    /// Changes nothing: nothing is lent.
    pub(in crate::cmd::terminal) fn close(&self) {}
}

/// Does nothing.
pub(in crate::cmd::terminal) struct Keyboard(Arc<Console>);

impl Keyboard {
    /// Starts nothing.
    #[expect(clippy::unnecessary_wraps, reason = "on Unix it can fail")]
    pub(in crate::cmd::terminal) fn start(_: Told) -> io::Result<Self> {
        Ok(Self(Arc::new(Console)))
    }

    /// What stands in a terminal's place.
    pub(in crate::cmd::terminal) fn console(&self) -> &Arc<Console> {
        &self.0
    }

    /// Presses no key.
    #[expect(clippy::unused_self, reason = "on Unix it is pressed")]
    pub(in crate::cmd::terminal) fn press(&self, _: &[u8]) -> bool {
        false
    }

    /// Nothing can wake a thread that waits for a key. It ends with the program.
    pub(in crate::cmd::terminal) fn hang_up(&mut self) {}

    /// Changes nothing: only Unix terminals have modes that outlive a program.
    pub(in crate::cmd::terminal) fn restore_mode(&self) {}

    /// Changes nothing.
    pub(in crate::cmd::terminal) fn give_back(self) {}
}
