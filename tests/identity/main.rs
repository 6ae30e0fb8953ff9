//! Identity files: those that the program makes, and those that other programs make.

#![allow(clippy::indexing_slicing, reason = "a test may panic")]
#![allow(clippy::print_stdout, reason = "a test that is skipped says so")]
#![allow(clippy::unwrap_used, reason = "a test may panic")]

#[path = "../support/mod.rs"]
mod support;

mod keygen;
mod openssl;
