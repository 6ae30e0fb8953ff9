//! What several of the test programs need.

#![allow(dead_code, reason = "each test program uses a part of it")]
#![allow(unreachable_pub, reason = "a test program is not a library")]

pub mod peer;
pub mod person;
pub mod process;
pub mod proxy;
pub mod screen;
pub mod simulation;
pub mod world;
