//! All that a client tells: typed (`report`), in words (`wording`, and `alarms` for what goes wrong), as
//! JSON (`json`), on the terminal (`screen`) and into a file (`log_file`); and what is told once a minute
//! at most (`repeats`), or not at all of those whom the user ignores (`filter`).

pub(in crate::cmd) mod alarms;
pub(in crate::cmd::join) mod filter;
pub(in crate::cmd) mod json;
pub(in crate::cmd::join) mod log_file;
mod repeats;
pub(in crate::cmd::join) mod report;
pub(in crate::cmd::join) mod screen;
pub(in crate::cmd::join) mod wording;

use crate::room::names::Nick;

/// Nicks in a row, with commas between them.
fn list(nicks: &[Nick]) -> String {
    let nicks: Vec<&str> = nicks.iter().map(Nick::as_str).collect();
    nicks.join(", ")
}
