//! What comes from the terminal, before rustyline has it.
//!
//! rustyline gives up at a byte that is not UTF-8, and takes a key's report that it does not know for
//! letters behind an Escape. So on Unix a thread of ours, *keyboard*, reads the terminal. It writes what
//! rustyline understands to a pseudo-terminal, of which rustyline believes that it is the terminal: it
//! reads from standard input, and that is the pseudo-terminal's end while the keyboard runs. rustyline's
//! output goes to the terminal itself.
//!
//! So the terminal's mode is the keyboard's, too. It gives the terminal back where the program is asked to stop
//! for a while (SIGTSTP), and sets the mode again when the program goes on: the shell has changed it meanwhile.

#[cfg(unix)]
mod console;
#[cfg(unix)]
mod decoder;
#[cfg(not(unix))]
mod elsewhere;
#[cfg(unix)]
mod key_reports;
mod told;
#[cfg(unix)]
mod unix;

#[cfg(unix)]
pub(super) use self::console::{Console, Loan};
#[cfg(not(unix))]
pub(super) use self::elsewhere::{Console, Keyboard, REPORTS_OFF, REPORTS_ON};
pub(super) use self::told::Told;
#[cfg(unix)]
pub(super) use self::unix::{Keyboard, REPORTS_OFF, REPORTS_ON};
