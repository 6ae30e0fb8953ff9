//! Where no editor can be run in the terminal: rustyline reads the keyboard itself there.

use super::keyboard::Console;

/// What becomes of a draft.
#[expect(dead_code, reason = "nothing else becomes of it here")]
pub(super) enum Edited {
    /// It is this now.
    Draft(String),
    /// It stays as it was.
    Kept,
    /// It stays as it was, because this is too long to be sent.
    TooLong(String),
}

/// Tells that it cannot be done.
pub(super) fn edit(_: &str, _: &Console, tell: impl Fn(String)) -> Edited {
    tell("no editor can be opened on this system".to_owned());
    Edited::Kept
}
