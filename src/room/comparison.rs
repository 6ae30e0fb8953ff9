//! What people compare, by another way than the relay's, to make sure that nobody is posing as one
//! of them (PROTOCOL §12).

use crate::cipher::encoding::Encoder;
use crate::cipher::fingerprint::{Fingerprint, digit_groups};

/// The digits that two people see of each other: twelve groups of five, the same whichever of them
/// asks.
#[must_use]
pub fn pair_code(one: Fingerprint, other: Fingerprint) -> String {
    let both = [one.min(other), one.max(other)];
    both.map(|fingerprint| fingerprint.safety_number())
        .join(" ")
}

/// The digits that everybody in a room sees, given the fingerprints of all who are there: twelve
/// groups of five.
#[must_use]
pub fn room_code(mut everybody: Vec<Fingerprint>) -> String {
    everybody.sort();
    // One digest has the digits for 100 bits only, so there are two.
    let halves = [1, 2].map(|half| {
        let mut fields = Encoder::tagged("e2echat/1 room code").byte(half);
        for fingerprint in &everybody {
            fields = fields.bytes(fingerprint.as_bytes());
        }
        digit_groups(&fields.digest())
    });
    halves.join(" ")
}
