//! The real client among others: what people and scripts at it do, are shown and are told, while
//! connections break and relays misbehave.

#![allow(clippy::indexing_slicing, reason = "a test may panic")]
#![allow(
    clippy::print_stdout,
    reason = "the seed and the figures are for whoever runs it"
)]
#![allow(clippy::unwrap_used, reason = "a test may panic")]

#[path = "../support/mod.rs"]
mod support;

mod alone;
mod bad_links;
mod chaos;
mod chat;
mod commands;
mod endings;
mod given;
mod hostile_relay;
mod invites;
mod late;
mod logging;
mod memory;
mod other_servers;
mod people;
mod pipes;
mod proxies;
mod receipts;
mod reconnecting;
mod recording;
mod sleeping;
mod slow_readers;
mod through;
mod verify;
