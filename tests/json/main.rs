//! The client as programs use it, with `--json`: what it prints and reads is what
//! `docs/json.schema.json` and `docs/JSON.md` say.

#![allow(clippy::indexing_slicing, reason = "a test may panic")]
#![allow(
    clippy::print_stdout,
    reason = "the seed and the figures are for whoever runs it"
)]
#![allow(clippy::unwrap_used, reason = "a test may panic")]
#![allow(unreachable_pub, reason = "a test program is not a library")]

#[path = "../support/mod.rs"]
mod support;

mod bot;
mod chaos;
mod documents;
mod events;
mod late;
mod links;
mod receipts;
mod requests;
mod schema;
mod scripts;
