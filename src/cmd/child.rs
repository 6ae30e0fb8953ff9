//! Programs of the user's that this program starts.

use std::process::Command;

/// Keeps from a program the variables that are meant for this one alone, such as a passphrase.
pub(super) fn hide_own_variables(command: &mut Command) {
    let variables = std::env::vars_os().map(|(name, _)| name);
    for name in variables.filter(|name| name.as_encoded_bytes().starts_with(b"E2ECHAT_")) {
        command.env_remove(name);
    }
}
