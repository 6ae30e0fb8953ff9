//! Tests that take the whole of a room: the test vectors of other implementations, simulated rooms, relays
//! that misbehave, and jobs that are done late and in any order.

mod honest_rooms;
mod misbehaviours;
mod pipeline;
mod vectors;
