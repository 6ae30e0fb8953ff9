//! All that a client tells its user, and where that goes.
//!
//! - `report`: what there is to tell, typed.
//! - `alarms`: the table of what goes wrong, with its words. `wording`: other words, about the connection.
//! - `json`: reports as JSON, and requests from it.
//! - `repeats`: what the client tells at most so often a minute.
//! - `screen`: shows reports on the terminal. `log_file`: writes them into a file.

pub(in crate::cmd) mod alarms;
pub(in crate::cmd) mod json;
pub(in crate::cmd::join) mod log_file;
pub(in crate::cmd::join) mod repeats;
pub(in crate::cmd::join) mod report;
pub(in crate::cmd::join) mod screen;
pub(in crate::cmd::join) mod wording;

use crate::room::names::Nick;

/// Nicks in a row, with commas between them.
fn list(nicks: &[Nick]) -> String {
    let nicks: Vec<&str> = nicks.iter().map(Nick::as_str).collect();
    nicks.join(", ")
}
