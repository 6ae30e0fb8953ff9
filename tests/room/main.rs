//! Sessions at a relay within one process: what each member sees, event by event, when all are honest
//! and when the relay is not.

#![allow(clippy::indexing_slicing, reason = "a test may panic")]
#![allow(
    clippy::print_stdout,
    reason = "a process that is searched says what for"
)]
#![allow(clippy::unwrap_used, reason = "a test may panic")]

#[path = "../support/mod.rs"]
mod support;

mod forward_secrecy;
mod handing_on;
mod hostile_cards;
mod hostile_entries;
mod hostile_handing;
mod hostile_messages;
mod hostile_numbers;
mod hostile_rekey;
mod hostile_returns;
mod hostile_roster;
mod hostile_sleep;
mod hostile_statements;
mod names;
mod rooms;
mod written_offline;
