//! What takes rooms as a whole to try: the test vectors of others, and simulated rooms.

mod honest_rooms;
mod vectors;
