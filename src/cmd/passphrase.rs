//! Passphrases: from the environment, or from the terminal, which does not show them.

use std::env::VarError;
use std::io;

use super::prompt::Prompt;
use super::{failure, reason};
use crate::cipher::pem::PemError;

const VARIABLE: &str = "E2ECHAT_PASSPHRASE";

/// How often the program asks for a passphrase on the terminal.
const TRIES: usize = 3;

/// Opens an identity file by its passphrase, and returns what `open` makes of that. On the terminal the
/// user has three tries. No other thread may run yet (`prompt/unix.rs`).
///
/// # Errors
/// If the program cannot ask for the passphrase. The inner error is that of `open`.
pub(super) fn unlock<T>(
    open: impl Fn(&str) -> Result<T, PemError>,
) -> anyhow::Result<Result<T, PemError>> {
    if let Some(passphrase) = from_environment()? {
        return Ok(open(&passphrase));
    }
    // The prompt stays open while `open` works, so that what is typed meanwhile is not shown either.
    let mut prompt = Prompt::open().map_err(unanswered)?;
    let mut question = "passphrase: ";
    for _ in 1..TRIES {
        match open(&prompt.ask(question).map_err(unanswered)?) {
            Err(PemError::WrongPassphrase) => question = "wrong passphrase, try again: ",
            opened => return Ok(opened),
        }
    }
    Ok(open(&prompt.ask(question).map_err(unanswered)?))
}

/// Has the user choose the passphrase of a new identity file, on the terminal by typing it twice.
///
/// # Errors
/// If the passphrase is empty, the two differ, or the program cannot ask.
pub(super) fn choose() -> anyhow::Result<String> {
    let passphrase = from_environment()?.map_or_else(ask_twice, Ok)?;
    if passphrase.is_empty() {
        let hint = "leave out --passphrase for a file without one";
        return Err(failure("the passphrase is empty", hint));
    }
    Ok(passphrase)
}

fn ask_twice() -> anyhow::Result<String> {
    let mut prompt = Prompt::open().map_err(unanswered)?;
    let passphrase = prompt.ask("new passphrase: ").map_err(unanswered)?;
    if prompt.ask("the same again: ").map_err(unanswered)? != passphrase {
        return Err(failure(
            "the two passphrases differ",
            "nothing was saved; try again",
        ));
    }
    Ok(passphrase)
}

fn from_environment() -> anyhow::Result<Option<String>> {
    match std::env::var(VARIABLE) {
        Ok(passphrase) => Ok(Some(passphrase)),
        Err(VarError::NotPresent) => Ok(None),
        Err(VarError::NotUnicode(_)) => Err(failure(
            format!("{VARIABLE} is not UTF-8"),
            "give the passphrase in UTF-8, or unset the variable to be asked for it",
        )),
    }
}

#[expect(clippy::needless_pass_by_value, reason = "it is for `map_err`")]
fn unanswered(error: io::Error) -> anyhow::Error {
    failure(
        format!("cannot ask for the passphrase: {}", reason(&error)),
        &format!("give it in the variable {VARIABLE}"),
    )
}
