//! At home: what a person has settled beforehand and need not type each time, and what stays between two
//! runs of the program.

#![allow(clippy::indexing_slicing, reason = "a test may panic")]
#![allow(clippy::unwrap_used, reason = "a test may panic")]

#[path = "../support/mod.rs"]
mod support;

mod people;
mod rooms;
mod secret;
mod settings;
