//! The relay's log.
//!
//! - `rate_limited`: lines that others can cause, so few a second that they cannot fill a disk.
//! - `outage`: what goes wrong again and again is logged when it begins and when it ends.
//! - `logger`: the thread that writes the lines.

pub(in crate::cmd::serve) mod logger;
pub(in crate::cmd::serve) mod outage;
pub(in crate::cmd::serve) mod rate_limited;
