//! Where rustyline reads the keyboard itself: it gets keys there, not bytes.

use std::io;

use super::told::Told;

/// Nothing: rustyline would take reports for keys.
pub(in crate::cmd::terminal) const REPORTS_ON: &str = "";
pub(in crate::cmd::terminal) const REPORTS_OFF: &str = "";

/// Does nothing.
pub(in crate::cmd::terminal) struct Keyboard;

impl Keyboard {
    /// Starts nothing.
    #[expect(clippy::unnecessary_wraps, reason = "on Unix it can fail")]
    pub(in crate::cmd::terminal) fn start(_: Told) -> io::Result<Self> {
        Ok(Self)
    }

    /// Nothing can wake a thread that waits for a key. It ends with the program.
    pub(in crate::cmd::terminal) fn hang_up(&mut self) {}

    /// Changes nothing: only Unix terminals have modes that outlive a program.
    pub(in crate::cmd::terminal) fn restore_mode(&self) {}

    /// Changes nothing.
    pub(in crate::cmd::terminal) fn give_back(self) {}
}
