//! The terminal's mode, kept so that the program can restore it where the line editor cannot.
//!
//! rustyline restores the mode when `readline` returns or panics. It cannot while it is stuck in a
//! write, because the other end of the terminal has stopped reading.

/// The mode that standard input had; nothing where standard input is no terminal.
pub(super) struct SavedMode {
    /// It is in a mutex only because threads could not share it otherwise.
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

    /// Restores the mode at once, without waiting until the terminal has taken pending output.
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
