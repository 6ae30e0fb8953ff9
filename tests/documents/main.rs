//! What comes with the program: documents, man pages, completions, the service and the image. They
//! are as the program is.

#![allow(clippy::indexing_slicing, reason = "a test may panic")]
#![allow(clippy::print_stdout, reason = "a test that is skipped says so")]
#![allow(clippy::unwrap_used, reason = "a test may panic")]
#![allow(unreachable_pub, reason = "a test program is not a library")]

#[path = "../support/mod.rs"]
mod support;

mod alarms;
mod cargo;
mod commands;
mod documents;
mod haproxy;
mod imports;
mod manual;
mod markdown;
mod named;
mod packaging;
mod predicates;
mod run;
mod security;
mod socks;
mod ways;
