//! Tests that take the whole of a room: the test vectors of other implementations, simulated rooms, and
//! relays that misbehave.

mod honest_rooms;
mod misbehaviours;
mod vectors;
