//! The relay's rooms, shared by all its connections.
//!
//! There are four locks, taken in this order: the table of rooms, or the list of kept places; a room; a
//! member's outbox. None of them is held across I/O, or cryptography but the digests of the chain: under
//! them, frames are put into outboxes, and little else. Joining and leaving take the table's lock, so that
//! a room cannot vanish while somebody enters it; a message takes only its room's.
//!
//! A place is a member's seat in a room. It outlives the member's connection for the time that the
//! relay promises in WELCOME (PROTOCOL §7).

mod entering;
mod kept;
mod membership;
mod table;

pub(super) use self::kept::KeptPlaces;
pub(super) use self::membership::{AfterFrame, Membership, who};
pub(super) use self::table::{Relay, RelayConfig};
