//! RSA keys and what is done with them: Caesar, signing, sealing and opening, fingerprints.
//!
//! This floor knows nothing of rooms, sockets or terminals. A reader is 32 bytes and a public key
//! here, and a header is a string of bytes.

pub mod caesar;
pub mod encoding;
pub mod fingerprint;
pub mod keys;
pub mod pem;
pub mod seal;

mod parallel;
#[cfg(test)]
mod wycheproof;
