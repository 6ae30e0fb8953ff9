//! What is tried with whatever bytes there may be: one function a target, which takes them and
//! panics where a promise is broken. `cargo test` runs them over a corpus and mutations of it
//! (`tests/fuzz/main.rs`), libFuzzer over whatever reaches new code (`fuzz/`).

#![allow(
    dead_code,
    reason = "each fuzz target is a program that uses one of them"
)]
#![allow(clippy::indexing_slicing, reason = "a test may panic")]
#![allow(clippy::unwrap_used, reason = "a test may panic")]
#![allow(unreachable_pub, reason = "a test program is not a library")]

mod formats;
mod keys;
mod relay;
mod script;
mod session;
mod written;

use e2echat::room::frame::Frame;

pub use self::formats::{card, content, frame, header, statement};
pub use self::relay::relay;
pub use self::session::session;
pub use self::written::{allow, commands, key_file, known_people, text};

/// A frame without its length.
fn payload(frame: &Frame) -> Vec<u8> {
    frame.encode().split_off(4)
}
