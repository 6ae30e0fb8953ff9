//! RSA keys and what is done with them: Caesar, signing, sealing and opening, fingerprints.
//!
//! Knows nothing of rooms, sockets or terminals: a reader is some 32 bytes and a public key, a
//! header is a string of bytes.

pub mod caesar;
pub mod encoding;
pub mod fingerprint;
pub mod keys;
pub mod pem;
pub mod seal;

mod parallel;
#[cfg(test)]
mod wycheproof;
