//! Sealing a body for its readers, and opening a ciphertext (PROTOCOL §5).

use rand::Rng as _;

use super::encoding::{Digest, Encoder};
use super::keys::{PublicKey, SessionKey, max_block};
use super::parallel;

/// The most bytes of sealed content.
pub const MAX_CONTENT: usize = 12_288;

const NONCE: usize = 16;

/// For how many readers encrypting is worth a thread: with a block each, that takes some 70 µs. Decrypting
/// one block takes 2 ms.
const READERS_WORTH_A_THREAD: usize = 4;

/// The random bytes of a body.
pub type Nonce = [u8; NONCE];

/// What is sealed: content and its kind, and 16 random bytes that keep the commitment from giving
/// the content away.
#[derive(PartialEq, Eq)]
pub struct Body {
    nonce: Nonce,
    kind: u8,
    content: Vec<u8>,
}

impl Body {
    /// A body with a fresh nonce, or `None` where the content has 0 or over [`MAX_CONTENT`] bytes.
    #[must_use]
    pub fn new(kind: u8, content: impl Into<Vec<u8>>) -> Option<Self> {
        let mut nonce = [0; NONCE];
        rand::rng().fill_bytes(&mut nonce);
        Self::with_nonce(nonce, kind, content)
    }

    /// A body with this nonce, as in [`Body::new`].
    #[must_use]
    pub fn with_nonce(nonce: Nonce, kind: u8, content: impl Into<Vec<u8>>) -> Option<Self> {
        let content = content.into();
        (1..=MAX_CONTENT).contains(&content.len()).then_some(Self {
            nonce,
            kind,
            content,
        })
    }

    /// The nonce. Whoever has it and the content can show that the header is for them.
    #[must_use]
    pub fn nonce(&self) -> &Nonce {
        &self.nonce
    }

    /// The kind of the content, a number that the room gives a meaning to.
    #[must_use]
    pub fn kind(&self) -> u8 {
        self.kind
    }

    /// The content.
    #[must_use]
    pub fn into_content(self) -> Vec<u8> {
        self.content
    }

    /// The commitment: a digest that binds the signed header to this body without telling it
    /// (PROTOCOL §5).
    #[must_use]
    pub fn commitment(&self) -> Digest {
        Encoder::tagged("e2echat/1 commitment")
            .bytes(&self.nonce)
            .byte(self.kind)
            .string(&self.content)
            .digest()
    }

    fn shifted_for(&self, key: &PublicKey) -> Vec<u8> {
        let mut content = self.content.clone();
        key.caesar().encrypt(&mut content);
        Encoder::default()
            .bytes(&self.nonce)
            .byte(self.kind)
            .bytes(&content)
            .finish()
    }

    fn unshifted(plain: &[u8], key: &PublicKey) -> Option<Self> {
        let (nonce, rest) = plain.split_first_chunk()?;
        let (kind, content) = rest.split_first()?;
        let mut content = content.to_vec();
        key.caesar().decrypt(&mut content);
        Self::with_nonce(*nonce, *kind, content)
    }
}

/// A reader of a message.
#[derive(Clone, Copy, Debug)]
pub struct Recipient<'a> {
    /// The 32 bytes that the room knows the reader by: a session id.
    pub id: &'a [u8; 32],
    /// The reader's session key.
    pub key: &'a PublicKey,
}

/// Encrypts `body` for each reader, on all cores. Returns the ciphertexts in the order of
/// `readers`, each bound to `header` and its reader: as many blocks of [`PublicKey::size`] bytes as
/// the body needs (PROTOCOL §5).
#[must_use]
pub fn seal(header: &[u8], body: &Body, readers: &[Recipient<'_>]) -> Vec<Vec<u8>> {
    parallel::map(readers, READERS_WORTH_A_THREAD, |reader| {
        seal_for(header, body, reader)
    })
}

fn seal_for(header: &[u8], body: &Body, reader: &Recipient<'_>) -> Vec<u8> {
    let plain = body.shifted_for(reader.key);
    let blocks: Vec<&[u8]> = plain.chunks(max_block(reader.key.size())).collect();
    let mut ciphertext = Vec::with_capacity(blocks.len() * reader.key.size());
    for (index, block) in blocks.iter().enumerate() {
        let label = label(header, reader.id, index, blocks.len());
        ciphertext.extend(reader.key.encrypt(&label, block));
    }
    ciphertext
}

/// A ciphertext does not open. There is one such error, whatever the reason: telling reasons apart
/// would tell a forger how close they came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CannotOpen;

/// Opens a ciphertext that was sealed under `header` for the reader `id`, and checks that it is
/// what the header committed to (PROTOCOL §5). It tries the first block alone: where that fails,
/// nothing else is decrypted. The other blocks use all cores.
///
/// # Errors
/// Where any of that fails.
pub fn open(
    header: &[u8],
    commitment: &Digest,
    id: &[u8; 32],
    key: &SessionKey,
    ciphertext: &[u8],
) -> Result<Body, CannotOpen> {
    if !is_plausible_length(ciphertext.len(), key.public().size()) {
        return Err(CannotOpen);
    }
    let blocks: Vec<(usize, &[u8])> = ciphertext.chunks(key.public().size()).enumerate().collect();
    let decrypt = |&(index, block): &(usize, &[u8])| {
        key.decrypt(&label(header, id, index, blocks.len()), block)
    };
    let (first, others) = blocks.split_first().ok_or(CannotOpen)?;
    let mut plain = decrypt(first).ok_or(CannotOpen)?;
    for block in parallel::map(others, 1, decrypt) {
        plain.extend(block.ok_or(CannotOpen)?);
    }
    let body = Body::unshifted(&plain, key.public()).ok_or(CannotOpen)?;
    if body.commitment() == *commitment {
        Ok(body)
    } else {
        Err(CannotOpen)
    }
}

/// Whether a ciphertext of `length` bytes can be that of a body, for a modulus of `size` bytes.
fn is_plausible_length(length: usize, size: usize) -> bool {
    let most_blocks = (NONCE + 1 + MAX_CONTENT).div_ceil(max_block(size));
    length.is_multiple_of(size) && (1..=most_blocks).contains(&(length / size))
}

pub(crate) fn label(header: &[u8], id: &[u8; 32], index: usize, count: usize) -> Digest {
    Encoder::tagged("e2echat/2 label")
        .string(header)
        .bytes(id)
        .count(index)
        .count(count)
        .digest()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cipher::keys::{DECRYPTIONS, KeySize};

    const HEADER: &[u8] = b"some header";
    const ID: [u8; 32] = [7; 32];

    fn body(text: &str) -> Body {
        Body::new(0, text.to_owned()).unwrap()
    }

    fn sealed(body: &Body, key: &SessionKey) -> Vec<u8> {
        let reader = Recipient {
            id: &ID,
            key: key.public(),
        };
        seal(HEADER, body, &[reader]).remove(0)
    }

    #[test]
    fn texts_of_every_number_of_blocks_open_again() {
        let key = SessionKey::generate(KeySize::Bits2048);
        for bytes in [1, 173, 174, 363, 364, MAX_CONTENT] {
            let body = body(&"x".repeat(bytes));
            let ciphertext = sealed(&body, &key);
            assert_eq!(ciphertext.len(), (bytes + 17).div_ceil(190) * 256);
            let opened = open(HEADER, &body.commitment(), &ID, &key, &ciphertext);
            assert!(opened == Ok(body));
        }
    }

    #[test]
    fn what_was_changed_in_any_way_does_not_open() {
        let key = SessionKey::generate(KeySize::Bits2048);
        let body = body(&"two blocks ".repeat(20));
        let commitment = body.commitment();
        let good = sealed(&body, &key);
        let swapped = [&good[256..], &good[..256]].concat();
        let mut flipped = good.clone();
        flipped[300] ^= 1;
        for (what, header, commitment, id, ciphertext) in [
            ("header", &b"other header"[..], commitment, ID, &good[..]),
            ("commitment", HEADER, [0; 32], ID, &good),
            ("reader", HEADER, commitment, [8; 32], &good),
            ("bit", HEADER, commitment, ID, &flipped),
            ("block order", HEADER, commitment, ID, &swapped),
            ("block missing", HEADER, commitment, ID, &good[..256]),
            ("byte missing", HEADER, commitment, ID, &good[1..]),
            ("nothing", HEADER, commitment, ID, &[]),
            ("too long", HEADER, commitment, ID, &good.repeat(33)),
        ] {
            let opened = open(header, &commitment, &id, &key, ciphertext);
            assert!(opened == Err(CannotOpen), "{what}");
        }
    }

    #[test]
    fn garbage_costs_one_decryption_and_an_impossible_length_none() {
        let key = SessionKey::generate(KeySize::Bits2048);
        let decryptions = |ciphertext: &[u8]| {
            let before = DECRYPTIONS.get();
            let opened = open(HEADER, &[0; 32], &ID, &key, ciphertext);
            assert!(opened == Err(CannotOpen));
            DECRYPTIONS.get() - before
        };
        assert_eq!(decryptions(&[1; 20 * 256]), 1);
        assert_eq!(decryptions(&[1; 256]), 1);
        for length in [0, 1, 255, 257, 1024 * 256] {
            assert_eq!(decryptions(&vec![1; length]), 0, "{length}");
        }
    }

    #[test]
    fn the_longest_content_has_a_plausible_length_under_a_key_of_any() {
        let longest = vec![0; NONCE + 1 + MAX_CONTENT];
        for size in 256..=512 {
            let blocks = longest.chunks(max_block(size)).count();
            assert!(is_plausible_length(blocks * size, size), "{size}");
            assert!(!is_plausible_length((blocks + 1) * size, size), "{size}");
        }
    }

    #[test]
    fn content_of_0_bytes_and_of_12_kib_and_1_is_not_sealed() {
        assert!(Body::new(0, String::new()).is_none());
        assert!(Body::new(0, "x".repeat(MAX_CONTENT + 1)).is_none());
    }

    #[test]
    fn one_text_twice_has_two_commitments() {
        assert_ne!(body("hello").commitment(), body("hello").commitment());
    }
}
