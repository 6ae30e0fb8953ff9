//! Who gets in, and what there is for them.
//!
//! - `gate`: how many connections and joins each address may have. `places`: who gives way in a full
//!   room. `allow`: who may enter at all.
//! - `limits`, `descriptors`, `memory`: what the system has to give.
//! - `guard`: all of these, as a connection asks them.

pub(in crate::cmd) mod allow;
pub(in crate::cmd::serve) mod connections;
pub(in crate::cmd::serve) mod control;
pub(in crate::cmd::serve) mod descriptors;
pub(in crate::cmd::serve) mod eviction;
pub(in crate::cmd::serve) mod limits;
pub(in crate::cmd::serve) mod memory;
