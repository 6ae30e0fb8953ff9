//! Identity keys as text: PKCS#8 in PEM (RFC 5958, RFC 7468), plain or under a passphrase
//! (PBES2 with scrypt, RFC 7914).

use pkcs8::der::pem::PemLabel as _;
use pkcs8::pkcs5::EncryptionScheme;
use pkcs8::pkcs5::pbes2;
use pkcs8::pkcs5::scrypt::Params;
use pkcs8::{EncryptedPrivateKeyInfoRef, LineEnding, PrivateKeyInfoRef, SecretDocument};
use rand::Rng as _;
use rsa::PrivateKey;
use rsa::pkcs1::EncodeRsaPrivateKey as _;
use rsa::pkcs8::EncodePrivateKey as _;

use super::keys::{IdentityKey, KeyError};

/// scrypt with N = 2^14, r = 8, p = 5: as much work as N = 2^17, p = 1 (both in OWASP's Password
/// Storage Cheat Sheet), and the largest N that OpenSSL's 32 MiB limit lets it read.
const SCRYPT_LOG_N: u8 = 14;
const SCRYPT_R: u32 = 8;
const SCRYPT_P: u32 = 5;

/// Why a text is not an identity.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PemError {
    /// It is no PEM at all.
    NotPem,
    /// It is a PEM of something else, or of a key that is not an RSA private key.
    WrongKind,
    /// It begins as an identity does and does not go on as one.
    Damaged,
    /// The passphrase does not decrypt it.
    WrongPassphrase,
    /// It is an RSA key that PROTOCOL §3 does not accept.
    Key(KeyError),
}

impl std::fmt::Display for PemError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::NotPem => f.write_str("not a PEM file"),
            Self::WrongKind => f.write_str("not an RSA private key in PKCS#8"),
            Self::Damaged => f.write_str("damaged"),
            Self::WrongPassphrase => f.write_str("wrong passphrase"),
            Self::Key(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for PemError {}

/// An identity as it stands in a file: parsed as far as is possible without the passphrase.
pub struct IdentityPem {
    der: SecretDocument,
    encrypted: bool,
}

impl IdentityPem {
    /// Reads the text of a file.
    ///
    /// # Errors
    /// Where it is not a PKCS#8 private key in PEM.
    pub fn parse(text: &str) -> Result<Self, PemError> {
        if !text.contains("-----BEGIN ") {
            return Err(PemError::NotPem);
        }
        let encrypted = match pem_label(text) {
            Some(PrivateKeyInfoRef::PEM_LABEL) => false,
            Some(EncryptedPrivateKeyInfoRef::PEM_LABEL) => true,
            Some(_) => return Err(PemError::WrongKind),
            None => return Err(PemError::Damaged),
        };
        let (_, der) = SecretDocument::from_pem(text.trim_end()).map_err(|_| PemError::Damaged)?;
        Ok(Self { der, encrypted })
    }

    /// Whether it takes a passphrase to open.
    #[must_use]
    pub fn is_encrypted(&self) -> bool {
        self.encrypted
    }

    /// The identity, where no passphrase protects it.
    ///
    /// # Errors
    /// Where it is damaged, or a key of another kind, or of a length that is not accepted.
    pub fn open(&self) -> Result<IdentityKey, PemError> {
        identity_from_der(self.der.as_bytes())
    }

    /// The identity, where a passphrase protects it.
    ///
    /// # Errors
    /// As [`IdentityPem::open`], and where the passphrase is wrong.
    pub fn open_with(&self, passphrase: &str) -> Result<IdentityKey, PemError> {
        let encrypted = EncryptedPrivateKeyInfoRef::try_from(self.der.as_bytes())
            .map_err(|_| PemError::Damaged)?;
        if !affordable(&encrypted.encryption_algorithm) {
            return Err(PemError::Damaged);
        }
        let der = encrypted
            .decrypt(passphrase)
            .map_err(|_| PemError::WrongPassphrase)?;
        identity_from_der(der.as_bytes())
    }
}

/// Whether a passphrase can be tried at a sane cost. The numbers come from the file, and the
/// library would panic on a cost of 0 and allocate whatever a huge one asks for.
fn affordable(scheme: &EncryptionScheme) -> bool {
    let Some(params) = scheme.pbes2() else {
        return false;
    };
    match &params.kdf {
        pbes2::Kdf::Scrypt(scrypt) => {
            scrypt.cost_parameter.is_power_of_two()
                && (2..=1 << 20).contains(&scrypt.cost_parameter)
                && (1..=8).contains(&scrypt.block_size)
                && (1..=16).contains(&scrypt.parallelization)
        }
        pbes2::Kdf::Pbkdf2(pbkdf2) => (1..=10_000_000).contains(&pbkdf2.iteration_count),
        _ => false,
    }
}

fn pem_label(text: &str) -> Option<&str> {
    let (_, rest) = text.split_once("-----BEGIN ")?;
    let (label, _) = rest.split_once("-----")?;
    Some(label)
}

fn identity_from_der(der: &[u8]) -> Result<IdentityKey, PemError> {
    let info = PrivateKeyInfoRef::try_from(der).map_err(|_| PemError::Damaged)?;
    if info.algorithm.oid != rsa::pkcs1::ALGORITHM_OID {
        return Err(PemError::WrongKind);
    }
    let written = info.private_key.as_bytes();
    let rsa = PrivateKey::try_from(info).map_err(|_| PemError::Damaged)?;
    // The library works the last three numbers of a key out anew and does not look at those in the
    // file (RFC 8017 §A.1.2), so it would not notice that they are damaged.
    match rsa.to_pkcs1_der() {
        Ok(der) if der.as_bytes() == written => {}
        _ => return Err(PemError::Damaged),
    }
    IdentityKey::from_rsa(rsa).map_err(PemError::Key)
}

/// The text of a file that holds `identity`, under `passphrase` if there is one.
#[must_use]
pub fn encode(identity: &IdentityKey, passphrase: Option<&str>) -> String {
    let plain = identity
        .as_rsa()
        .to_pkcs8_der()
        .expect("a valid RSA key has an encoding");
    let (der, label) = match passphrase {
        None => (plain, PrivateKeyInfoRef::PEM_LABEL),
        Some(passphrase) => (
            encrypt(&plain, passphrase),
            EncryptedPrivateKeyInfoRef::PEM_LABEL,
        ),
    };
    let pem = der
        .to_pem(label, LineEnding::LF)
        .expect("a short document fits into a PEM");
    pem.to_string()
}

fn encrypt(plain: &SecretDocument, passphrase: &str) -> SecretDocument {
    let (mut salt, mut iv) = ([0; 16], [0; 16]);
    rand::rng().fill_bytes(&mut salt);
    rand::rng().fill_bytes(&mut iv);
    Params::new(SCRYPT_LOG_N, SCRYPT_R, SCRYPT_P)
        .ok()
        .and_then(|params| pbes2::Parameters::generate_scrypt_aes256cbc(params, &salt, iv).ok())
        .and_then(|params| {
            let info = PrivateKeyInfoRef::try_from(plain.as_bytes()).ok()?;
            info.encrypt_with_params(params, passphrase).ok()
        })
        .expect("these parameters are valid")
}

#[cfg(test)]
mod tests {
    use pkcs8::EncryptedPrivateKeyInfo;
    use pkcs8::der::asn1::OctetStringRef;
    use pkcs8::pkcs5::pbes2::{Kdf, ScryptParams};

    use super::*;
    use crate::cipher::keys::KeySize;

    fn opened(pem: &str) -> Result<IdentityKey, PemError> {
        IdentityPem::parse(pem)?.open()
    }

    #[test]
    fn what_is_saved_is_read_again() {
        let identity = IdentityKey::generate(KeySize::Bits2048);
        let read = opened(&encode(&identity, None)).unwrap();
        assert_eq!(read.public(), identity.public());
    }

    #[test]
    fn a_passphrase_protects_what_is_saved() {
        let identity = IdentityKey::generate(KeySize::Bits2048);
        let pem = encode(&identity, Some("correct horse"));
        let parsed = IdentityPem::parse(&pem).unwrap();
        assert!(parsed.is_encrypted());
        assert_eq!(parsed.open().unwrap_err(), PemError::Damaged);
        let wrong = parsed.open_with("correct horse ").unwrap_err();
        assert_eq!(wrong, PemError::WrongPassphrase);
        let read = parsed.open_with("correct horse").unwrap();
        assert_eq!(read.public(), identity.public());
    }

    #[test]
    fn what_is_no_identity_is_told_apart() {
        let identity = IdentityKey::generate(KeySize::Bits2048);
        let pem = encode(&identity, None);
        let half = &pem[..pem.len() / 2];
        for (text, error) in [
            ("", PemError::NotPem),
            ("hello", PemError::NotPem),
            (half, PemError::Damaged),
            ("-----BEGIN PRIVATE KEY", PemError::Damaged),
            (&pem.replace("PRIVATE", "PUBLIC"), PemError::WrongKind),
            (&pem.replace("PRIVATE", "RSA PRIVATE"), PemError::WrongKind),
        ] {
            assert_eq!(opened(text).unwrap_err(), error, "{text:?}");
        }
    }

    /// The library would panic at a cost of 0, and try to allocate for the others.
    #[test]
    fn a_file_cannot_ask_for_an_absurd_amount_of_work() {
        for (cost_parameter, block_size, parallelization) in [
            (0, 8, 1),
            (3, 8, 1),
            (1 << 40, 8, 1),
            (1 << 14, 60_000, 1),
            (1 << 14, 8, 60_000),
        ] {
            let encryption_algorithm = EncryptionScheme::Pbes2(pbes2::Parameters {
                kdf: Kdf::Scrypt(ScryptParams {
                    salt: [0; 16][..].try_into().unwrap(),
                    cost_parameter,
                    block_size,
                    parallelization,
                    key_length: None,
                }),
                encryption: pbes2::EncryptionScheme::Aes256Cbc { iv: [0; 16] },
            });
            let info = EncryptedPrivateKeyInfo {
                encryption_algorithm,
                encrypted_data: OctetStringRef::new(&[0; 32]).unwrap(),
            };
            let der = SecretDocument::try_from(info).unwrap();
            let parsed = IdentityPem {
                der,
                encrypted: true,
            };
            assert_eq!(parsed.open_with("x").unwrap_err(), PemError::Damaged);
        }
    }
}
