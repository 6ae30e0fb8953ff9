//! What kind of terminal there is, if there is one.

use std::io::{self, IsTerminal as _};

/// Whether standard input and output are a terminal.
pub(super) fn has_terminal() -> bool {
    io::stdin().is_terminal() && io::stdout().is_terminal()
}

/// Whether the terminal is one that cannot move the cursor, as rustyline knows them.
pub(super) fn is_dumb() -> bool {
    const DUMB: [&str; 3] = ["dumb", "cons25", "emacs"];
    std::env::var("TERM").is_ok_and(|term| DUMB.iter().any(|d| term.eq_ignore_ascii_case(d)))
}

/// Whether the terminal knows operating system commands (OSC), as links and titles are, or shows nothing of what
/// makes them. Older consoles of Linux show it.
pub(in crate::cmd) fn knows_osc() -> bool {
    std::env::var("TERM").is_ok_and(|term| !term.starts_with("linux"))
}
