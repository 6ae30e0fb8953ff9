//! The real relay: whom it lets in, what it refuses, and what nobody can do to those who are in.

#![allow(clippy::indexing_slicing, reason = "a test may panic")]

#[path = "../support/mod.rs"]
mod support;

mod allow;
mod cards;
mod floods;
mod limits;
mod sleepers;
mod strangers;
mod unix_socket;
