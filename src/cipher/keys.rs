//! RSA keys, each good for one thing: an identity key signs, a session key decrypts (PROTOCOL §3).

#[cfg(test)]
pub(crate) mod quick;

use rsa::pkcs8::{DecodePublicKey as _, EncodePublicKey as _};
use rsa::traits::PublicKeyParts as _;
use rsa::{BoxedUint, Oaep, PrivateKey, Pss};
use sha2::{Digest as _, Sha256};

use super::caesar::Caesar;
use super::fingerprint::Fingerprint;

/// The longest `SubjectPublicKeyInfo` that is parsed, in bytes. The DER of a 4096-bit key with the
/// exponent 65537 has 550.
const MAX_SPKI: usize = 600;

/// The lengths of the keys that this program makes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum KeySize {
    /// 2048 bits, as in the original chat room.
    #[default]
    Bits2048,
    /// 3072 bits.
    Bits3072,
    /// 4096 bits.
    Bits4096,
}

impl std::str::FromStr for KeySize {
    type Err = &'static str;

    fn from_str(bits: &str) -> Result<Self, Self::Err> {
        match bits {
            "2048" => Ok(Self::Bits2048),
            "3072" => Ok(Self::Bits3072),
            "4096" => Ok(Self::Bits4096),
            _ => Err("an RSA key is made with 2048, 3072 or 4096 bits"),
        }
    }
}

impl KeySize {
    /// The length of the modulus in bits.
    #[must_use]
    pub fn bits(self) -> usize {
        match self {
            Self::Bits2048 => 2048,
            Self::Bits3072 => 3072,
            Self::Bits4096 => 4096,
        }
    }
}

/// Why PROTOCOL §3 does not accept a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyError {
    /// It is not the DER of a `SubjectPublicKeyInfo` with the algorithm rsaEncryption, or not as
    /// DER writes it.
    Encoding,
    /// The modulus has fewer than 2048 or more than 4096 bits.
    Size,
    /// The public exponent is not 65537.
    Exponent,
}

impl std::fmt::Display for KeyError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Encoding => "not a plain RSA key",
            Self::Size => "an RSA key must have 2048 to 4096 bits",
            Self::Exponent => "the public exponent must be 65537",
        })
    }
}

impl std::error::Error for KeyError {}

/// An RSA public key that meets PROTOCOL §3: a modulus of 2048 to 4096 bits, the exponent 65537.
#[derive(Clone, PartialEq, Eq)]
pub struct PublicKey {
    rsa: rsa::PublicKey,
    spki: Box<[u8]>,
}

impl PublicKey {
    /// Reads the DER of a `SubjectPublicKeyInfo` (RFC 5280 §4.1, RFC 8017 §A.1). It is accepted
    /// only if it is exactly what encoding the key gives.
    ///
    /// # Errors
    /// Where PROTOCOL §3 does not accept the key.
    pub fn from_spki(der: &[u8]) -> Result<Self, KeyError> {
        if der.len() > MAX_SPKI {
            return Err(KeyError::Size);
        }
        let rsa = rsa::PublicKey::from_public_key_der(der).map_err(|_| KeyError::Encoding)?;
        let key = Self::new(rsa)?;
        // The library also reads the object identifier of RSA-PSS, which it does not write.
        if *key.spki != *der {
            return Err(KeyError::Encoding);
        }
        Ok(key)
    }

    fn new(rsa: rsa::PublicKey) -> Result<Self, KeyError> {
        if !(2048..=4096).contains(&rsa.n().bit_width_vartime()) {
            return Err(KeyError::Size);
        }
        if *rsa.e() != BoxedUint::from(65537_u64) {
            return Err(KeyError::Exponent);
        }
        let spki = rsa.to_public_key_der().map_err(|_| KeyError::Encoding)?;
        Ok(Self {
            rsa,
            spki: spki.as_bytes().into(),
        })
    }

    /// The DER of the `SubjectPublicKeyInfo`.
    #[must_use]
    pub fn spki(&self) -> &[u8] {
        &self.spki
    }

    /// The modulus, big-endian and without leading zeros.
    #[must_use]
    pub fn modulus(&self) -> Box<[u8]> {
        let bytes = self.rsa.n().to_be_bytes();
        bytes
            .iter()
            .copied()
            .skip_while(|byte| *byte == 0)
            .collect()
    }

    /// The length of the modulus in bits.
    #[must_use]
    pub fn bits(&self) -> u32 {
        self.rsa.n().bit_width_vartime()
    }

    /// The length of the modulus, of a signature and of a ciphertext block, in bytes.
    #[must_use]
    pub fn size(&self) -> usize {
        self.rsa.size()
    }

    /// SHA-256 of the `SubjectPublicKeyInfo`.
    #[must_use]
    pub fn fingerprint(&self) -> Fingerprint {
        Fingerprint::of(&self.spki)
    }

    /// The Caesar cipher with this key's parameter.
    #[must_use]
    pub fn caesar(&self) -> Caesar {
        Caesar::from_modulus(&self.modulus())
    }

    /// Whether `signature` is this key's signature of `message`: RSASSA-PSS with SHA-256, MGF1 with
    /// SHA-256, and a salt of 32 bytes (RFC 8017 §8.1.2, PROTOCOL §3).
    #[must_use]
    pub fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        #[cfg(test)]
        if quick::is_on() {
            return quick::verifies(self, message, signature);
        }
        self.rsa
            .verify(Pss::<Sha256>::new(), &Sha256::digest(message), signature)
            .is_ok()
    }

    /// Encrypts one block of up to [`max_block`] bytes to [`PublicKey::size`] bytes: RSAES-OAEP
    /// with SHA-256 (RFC 8017 §7.1.1).
    ///
    /// # Panics
    /// Where `block` is longer.
    #[must_use]
    pub(crate) fn encrypt(&self, label: &[u8], block: &[u8]) -> Vec<u8> {
        #[cfg(test)]
        if quick::is_on() {
            return quick::encrypt(self, label, block);
        }
        self.rsa
            .encrypt(
                &mut rand::rng(),
                Oaep::<Sha256>::new_with_label(label),
                block,
            )
            .expect("a block that fits the modulus encrypts")
    }
}

impl std::fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "PublicKey({})", self.fingerprint())
    }
}

/// The longest block in bytes that OAEP with SHA-256 encrypts to a modulus of `size` bytes (RFC
/// 8017 §7.1.1).
#[must_use]
pub(super) fn max_block(size: usize) -> usize {
    size - 2 * 32 - 2
}

/// An RSA key pair. The program's allocator wipes its memory when it is freed.
#[cfg_attr(test, derive(Clone))]
struct KeyPair {
    private: PrivateKey,
    public: PublicKey,
}

impl KeyPair {
    fn generate(size: KeySize) -> Self {
        PrivateKey::new(&mut rand::rng(), size.bits())
            .map_err(|_| KeyError::Size)
            .and_then(Self::new)
            .expect("a key of an accepted size can be made")
    }

    fn new(private: PrivateKey) -> Result<Self, KeyError> {
        let public = PublicKey::new(private.to_public_key())?;
        Ok(Self { private, public })
    }
}

/// The key pair that a person is known by. It only signs.
#[cfg_attr(test, derive(Clone))]
pub struct IdentityKey(KeyPair);

impl IdentityKey {
    /// Makes a new identity key, which takes a noticeable part of a second.
    #[must_use]
    pub fn generate(size: KeySize) -> Self {
        Self(KeyPair::generate(size))
    }

    pub(super) fn from_rsa(key: PrivateKey) -> Result<Self, KeyError> {
        KeyPair::new(key).map(Self)
    }

    pub(super) fn as_rsa(&self) -> &PrivateKey {
        &self.0.private
    }

    /// The public half.
    #[must_use]
    pub fn public(&self) -> &PublicKey {
        &self.0.public
    }

    /// Signs `message`: RSASSA-PSS as in [`PublicKey::verifies`], with blinding (RFC 8017 §8.1.1).
    /// The signature is as long as the modulus.
    #[must_use]
    pub fn sign(&self, message: &[u8]) -> Vec<u8> {
        #[cfg(test)]
        if quick::is_on() {
            return quick::sign(self.public(), message);
        }
        let digest = Sha256::digest(message);
        self.0
            .private
            .sign_with_rng(&mut rand::rng(), Pss::<Sha256>::new(), &digest)
            .expect("a modulus of 2048 bits has room for a SHA-256 signature")
    }
}

/// The key pair of one session. It only decrypts, and is never stored.
#[cfg_attr(test, derive(Clone))]
pub struct SessionKey(KeyPair);

impl SessionKey {
    /// Makes a new session key, which takes a noticeable part of a second.
    #[must_use]
    pub fn generate(size: KeySize) -> Self {
        Self(KeyPair::generate(size))
    }

    /// The public half.
    #[must_use]
    pub fn public(&self) -> &PublicKey {
        &self.0.public
    }

    /// A session key from a file: only tests have those.
    #[cfg(test)]
    pub(crate) fn from_identity(IdentityKey(pair): IdentityKey) -> Self {
        Self(pair)
    }

    /// Decrypts one block: RSAES-OAEP with SHA-256, with blinding (RFC 8017 §7.1.2). A failure has
    /// no reasons: they would help an attacker who sends made-up blocks.
    pub(crate) fn decrypt(&self, label: &[u8], block: &[u8]) -> Option<Vec<u8>> {
        #[cfg(test)]
        DECRYPTIONS.set(DECRYPTIONS.get() + 1);
        #[cfg(test)]
        if quick::is_on() {
            return quick::decrypt(self.public(), label, block);
        }
        self.0
            .private
            .decrypt_blinded(
                &mut rand::rng(),
                Oaep::<Sha256>::new_with_label(label),
                block,
            )
            .ok()
    }
}

#[cfg(test)]
thread_local! {
    /// How many blocks this thread has tried to decrypt.
    pub(crate) static DECRYPTIONS: std::cell::Cell<u64> = const { std::cell::Cell::new(0) };
}

impl Drop for SessionKey {
    fn drop(&mut self) {
        overwrite_stack();
    }
}

/// Overwrites what earlier calls have left on the stack of this thread, as far as RSA arithmetic
/// reaches: it wipes what it has on the heap, but not every word that the processor kept for it.
#[inline(never)]
#[allow(
    clippy::large_stack_arrays,
    reason = "it is the stack that is to be overwritten"
)]
pub fn overwrite_stack() {
    let mut below = [0_u8; 256 * 1024];
    std::hint::black_box(&mut below);
}

impl std::fmt::Debug for IdentityKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "IdentityKey({})", self.public().fingerprint())
    }
}

impl std::fmt::Debug for SessionKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SessionKey({})", self.public().fingerprint())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_size_is_read_from_its_number_of_bits() {
        for (text, size, bits) in [
            ("2048", KeySize::Bits2048, 2048),
            ("3072", KeySize::Bits3072, 3072),
            ("4096", KeySize::Bits4096, 4096),
        ] {
            assert_eq!(text.parse(), Ok(size));
            assert_eq!(size.bits(), bits);
        }
        for other in ["", "0", "1024", "2047", "8192", " 2048"] {
            assert!(other.parse::<KeySize>().is_err(), "{other}");
        }
    }

    #[test]
    fn more_bytes_than_a_key_can_have_are_not_even_parsed() {
        let refused = |length| PublicKey::from_spki(&vec![0; length]).err();
        assert_eq!(refused(MAX_SPKI), Some(KeyError::Encoding));
        assert_eq!(refused(MAX_SPKI + 1), Some(KeyError::Size));
    }

    #[test]
    fn a_key_pair_shows_its_fingerprint_and_nothing_else() {
        let identity = IdentityKey::generate(KeySize::Bits2048);
        let fingerprint = identity.public().fingerprint();
        let shown = format!("{identity:?} {:?}", identity.public());
        let expected = format!("IdentityKey({fingerprint}) PublicKey({fingerprint})");
        assert_eq!(shown, expected);
        let session = SessionKey::from_identity(identity);
        assert_eq!(format!("{session:?}"), format!("SessionKey({fingerprint})"));
    }

    #[test]
    fn a_signature_holds_for_its_message_and_its_key_alone() {
        let [ada, bob] = [(), ()].map(|()| IdentityKey::generate(KeySize::Bits2048));
        let signature = ada.sign(b"hello");
        assert!(ada.public().verifies(b"hello", &signature));
        assert!(!ada.public().verifies(b"hallo", &signature));
        assert!(!bob.public().verifies(b"hello", &signature));
        assert!(!ada.public().verifies(b"hello", &signature[1..]));
        assert!(!ada.public().verifies(b"hello", b""));
    }

    #[test]
    fn a_block_opens_under_its_label_alone() {
        let key = SessionKey::generate(KeySize::Bits2048);
        let block = key.public().encrypt(&[1; 32], b"hello");
        assert_eq!(block.len(), key.public().size());
        assert_eq!(
            key.decrypt(&[1; 32], &block).as_deref(),
            Some(&b"hello"[..])
        );
        assert_eq!(key.decrypt(&[2; 32], &block), None);
        assert_eq!(key.decrypt(&[1; 32], &block[1..]), None);
        assert_eq!(key.decrypt(&[1; 32], &[0xff; 256]), None);
    }

    #[test]
    fn keys_of_every_size_that_is_offered_are_accepted() {
        for size in [KeySize::Bits3072, KeySize::Bits4096] {
            let key = SessionKey::generate(size);
            assert_eq!(key.public().bits() as usize, size.bits());
            assert_eq!(key.public().modulus().len() * 8, size.bits());
            let read = PublicKey::from_spki(key.public().spki()).unwrap();
            assert_eq!(read, *key.public());
            let longest = vec![7; max_block(key.public().size())];
            let block = key.public().encrypt(&[0; 32], &longest);
            assert_eq!(key.decrypt(&[0; 32], &block), Some(longest));
        }
    }
}
