//! Admission: who gets into the relay, and what the machine has for them.
//!
//! - `connections`: how many connections and joins each address may have.
//! - `allow`: which identities may enter at all.
//! - `eviction`: whose kept place goes to a newcomer when everything is taken.
//! - `limits`: the options of all these.
//! - `descriptors`, `memory`: what the system has to give.
//! - `control`: all of them together, as a connection asks them.

pub(in crate::cmd) mod allow;
pub(in crate::cmd::serve) mod connections;
pub(in crate::cmd::serve) mod control;
pub(in crate::cmd::serve) mod descriptors;
pub(in crate::cmd::serve) mod eviction;
pub(in crate::cmd::serve) mod limits;
pub(in crate::cmd::serve) mod memory;
