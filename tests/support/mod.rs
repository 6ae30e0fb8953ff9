//! Helpers that several test programs share.

#![allow(dead_code, reason = "each test program uses a part of it")]
#![allow(clippy::indexing_slicing, reason = "a test may panic")]
#![allow(clippy::unwrap_used, reason = "a test may panic")]
#![allow(clippy::struct_excessive_bools, reason = "a simulated member has them")]
#![allow(clippy::needless_pass_by_value, reason = "a test may be wasteful")]
#![allow(
    clippy::items_after_statements,
    reason = "a cache stands where it is used"
)]
#![allow(unreachable_pub, reason = "a test program is not a library")]

pub mod chaos;
pub mod hostile;
pub mod peer;
pub mod person;
pub mod process;
pub mod proxy;
pub mod screen;
pub mod storm;
pub mod tool;
pub mod world;
