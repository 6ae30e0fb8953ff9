//! What comes from the terminal, before rustyline has it.
//!
//! rustyline gives up at a byte that is not UTF-8, and takes a key's report that it does not know for
//! letters behind an Escape. So on Unix a thread of ours, *keyboard*, reads the terminal. It writes what
//! rustyline understands to a pseudo-terminal, of which rustyline believes that it is the terminal: it
//! reads from standard input, and that is the pseudo-terminal's end while the keyboard runs. rustyline's
//! output goes to the terminal itself.
//!
//! So the terminal's mode is the keyboard's, too. It sets the mode again when the program goes on after it
//! was stopped: the shell has changed it meanwhile.

#[cfg(unix)]
mod console;
#[cfg(unix)]
mod decoder;
#[cfg(not(unix))]
mod elsewhere;
#[cfg(unix)]
mod key_reports;
#[cfg(unix)]
mod unix;

use std::io::{self, Write as _};

#[cfg(unix)]
pub(super) use self::console::{Console, Loan};
#[cfg(not(unix))]
use self::elsewhere::BRACKETS_OFF;
#[cfg(not(unix))]
pub(super) use self::elsewhere::{BRACKETS_ON, Console, Keyboard};
#[cfg(unix)]
use self::unix::BRACKETS_OFF;
#[cfg(unix)]
pub(super) use self::unix::{BRACKETS_ON, Keyboard};

/// Has the terminal put brackets around what is pasted, until it is dropped. The thread has it that writes
/// to the terminal anyway: that may take for ever.
pub(super) struct Brackets(());

impl Brackets {
    pub(super) fn begin() -> Self {
        print(BRACKETS_ON);
        Self(())
    }
}

impl Drop for Brackets {
    fn drop(&mut self) {
        print(BRACKETS_OFF);
    }
}

/// Has it put none, until the screen is drawn again: another program has the terminal.
pub(super) fn end_brackets() {
    print(BRACKETS_OFF);
}

/// Writes what moves no cursor. Where that fails the terminal is gone.
fn print(codes: &str) {
    let mut output = io::stdout();
    let _ = output
        .write_all(codes.as_bytes())
        .and_then(|()| output.flush());
}
