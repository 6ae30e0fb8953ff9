//! Tests that take the whole of a room: the test vectors of other implementations, and simulated
//! rooms.

mod honest_rooms;
mod vectors;
