//! What both benchmarks need: members without the cost of making their keys.

#![allow(clippy::indexing_slicing, reason = "a benchmark may panic")]

use e2echat::cipher::keys::{IdentityKey, KeySize, PublicKey, SessionKey};
use e2echat::room::card::{Card, Identity};
use e2echat::room::names::{Nick, RoomName};
use rand::Rng as _;

pub fn room() -> RoomName {
    "bench".parse().expect("a room name")
}

pub fn identity(bits: KeySize) -> Identity {
    Identity {
        key: IdentityKey::generate(bits),
        is_lasting: false,
    }
}

/// A public key whose private key nobody has: to encrypt to it costs the same.
pub fn public_key(model: &SessionKey) -> PublicKey {
    let mut spki = model.public().spki().to_vec();
    // The DER ends with the modulus and the exponent, which takes 5 bytes (RFC 8017 §A.1.1).
    let end = spki.len() - 5;
    let bytes = usize::try_from(model.public().bits() / 8).expect("a length");
    let (last, rest) = spki[end - bytes..end].split_last_mut().expect("a modulus");
    rand::rng().fill_bytes(&mut rest[1..]);
    *last |= 1;
    PublicKey::from_spki(&spki).expect("an odd modulus of that length")
}

/// Cards of one identity under many nicks, with session keys of this length.
pub fn cards(identity: &Identity, count: usize, bits: KeySize) -> Vec<Card> {
    let model = SessionKey::generate(bits);
    (0..count)
        .map(|number| {
            let nick: Nick = format!("member-{number:x}").parse().expect("a nick");
            Card::issue(&room(), &nick, identity, &public_key(&model), 0)
        })
        .collect()
}
