//! Keys without arithmetic, for tests that need hundreds of thousands of signatures: they bind what they
//! bind, and whoever sees a public key could make them. They stand for RSA where nobody forges.

use std::cell::Cell;

use sha2::{Digest as _, Sha256};

use super::PublicKey;

thread_local! {
    static IS_ON: Cell<bool> = const { Cell::new(false) };
    /// After how many operations one panics.
    static LEFT: Cell<Option<u32>> = const { Cell::new(None) };
}

/// Has all keys of this thread do without arithmetic, or with it again.
pub(crate) fn set(is_on: bool) {
    IS_ON.set(is_on);
}

/// Has this thread panic where it has verified or decrypted so many times from now on, as if the library did.
pub(crate) fn panic_after(operations: u32) {
    LEFT.set(Some(operations));
}

fn count_operation() {
    let left = LEFT.take();
    assert_ne!(left, Some(0), "as a test has it");
    LEFT.set(left.map(|left| left - 1));
}

pub(in crate::cipher) fn is_on() -> bool {
    IS_ON.get()
}

fn tag(key: &PublicKey, parts: &[&[u8]]) -> [u8; 32] {
    let mut digest = Sha256::new_with_prefix(&key.spki);
    for part in parts {
        digest.update(part.len().to_be_bytes());
        digest.update(part);
    }
    digest.finalize().into()
}

/// In the place of a signature.
pub(super) fn sign(key: &PublicKey, message: &[u8]) -> Vec<u8> {
    let mut signature = tag(key, &[b"signature", message]).to_vec();
    signature.resize(key.size(), 0);
    signature
}

pub(super) fn verifies(key: &PublicKey, message: &[u8], signature: &[u8]) -> bool {
    count_operation();
    sign(key, message) == signature
}

/// In the place of a ciphertext: a tag, the block's length, the block.
pub(super) fn encrypt(key: &PublicKey, label: &[u8], block: &[u8]) -> Vec<u8> {
    let mut ciphertext = tag(key, &[b"block", label, block]).to_vec();
    ciphertext.extend((block.len() as u64).to_be_bytes());
    ciphertext.extend(block);
    ciphertext.resize(key.size(), 0);
    ciphertext
}

pub(super) fn decrypt(key: &PublicKey, label: &[u8], ciphertext: &[u8]) -> Option<Vec<u8>> {
    count_operation();
    let (length, rest) = ciphertext.get(32..)?.split_first_chunk()?;
    let length = usize::try_from(u64::from_be_bytes(*length)).ok()?;
    let block = rest.get(..length)?;
    (encrypt(key, label, block) == ciphertext).then(|| block.to_vec())
}
