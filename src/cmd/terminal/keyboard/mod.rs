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
mod decoder;
#[cfg(not(unix))]
mod elsewhere;
#[cfg(unix)]
mod key_reports;
#[cfg(unix)]
mod unix;

#[cfg(not(unix))]
pub(super) use self::elsewhere::{BRACKETS_ON, Keyboard};
#[cfg(unix)]
pub(super) use self::unix::{BRACKETS_ON, Keyboard};
