//! Passphrases: from the environment, or asked for on the terminal without an echo.

use super::{failure, reason};

const VARIABLE: &str = "E2ECHAT_PASSPHRASE";

/// The passphrase of an identity file that is to be opened.
pub(super) fn existing() -> anyhow::Result<String> {
    from_environment().map_or_else(|| ask("passphrase: "), Ok)
}

/// A passphrase for a new identity file; on the terminal it is asked for twice.
pub(super) fn new() -> anyhow::Result<String> {
    let passphrase = from_environment().map_or_else(ask_twice, Ok)?;
    if passphrase.is_empty() {
        let hint = "leave out --passphrase for a file without one";
        return Err(failure("the passphrase is empty", hint));
    }
    Ok(passphrase)
}

fn ask_twice() -> anyhow::Result<String> {
    let passphrase = ask("new passphrase: ")?;
    if ask("the same again: ")? != passphrase {
        return Err(failure(
            "the two passphrases differ",
            "nothing was saved; try again",
        ));
    }
    Ok(passphrase)
}

fn from_environment() -> Option<String> {
    std::env::var(VARIABLE).ok()
}

fn ask(prompt: &str) -> anyhow::Result<String> {
    rpassword::prompt_password(prompt).map_err(|error| {
        failure(
            format!("cannot ask for the passphrase: {}", reason(&error)),
            &format!("give it in the variable {VARIABLE}"),
        )
    })
}
