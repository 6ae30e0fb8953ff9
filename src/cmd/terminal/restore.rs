//! The terminal's mode, to be put back where the line editor cannot do it.
//!
//! rustyline restores the terminal when `readline` returns or panics. It cannot while it is stuck
//! in a write, because the other end of the terminal has stopped reading.

/// The mode that standard input had.
pub(super) struct SavedMode {
    /// In a mutex only because it could not be shared between threads otherwise.
    #[cfg(unix)]
    mode: std::sync::Mutex<Option<nix::sys::termios::Termios>>,
}

impl SavedMode {
    /// Remembers the present mode.
    #[cfg(unix)]
    pub(super) fn save() -> Self {
        Self {
            mode: nix::sys::termios::tcgetattr(std::io::stdin()).ok().into(),
        }
    }

    /// Remembers nothing: only Unix terminals have modes that outlive a program.
    #[cfg(not(unix))]
    pub(super) fn save() -> Self {
        Self {}
    }

    /// Puts the mode back at once, without waiting for what has not been written yet.
    pub(super) fn restore(&self) {
        #[cfg(unix)]
        if let Ok(mode) = self.mode.lock()
            && let Some(mode) = &*mode
        {
            use nix::sys::termios::{SetArg, tcsetattr};

            let _ = tcsetattr(std::io::stdin(), SetArg::TCSANOW, mode);
        }
    }
}
