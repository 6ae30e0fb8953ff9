//! Identity keys in files: PKCS#8 in PEM (RFC 5958, RFC 7468), plain or under a passphrase (PBES2
//! with scrypt, RFC 8018 and RFC 7914). Of what other programs write, more is read, and the rest is
//! named.

mod armor;
mod asn1;
mod error;
mod foreign;
mod rsa_key;

use pkcs8::der::pem::PemLabel as _;
use pkcs8::pkcs5::scrypt::Params;
use pkcs8::pkcs5::{self, pbes2};
use pkcs8::{EncryptedPrivateKeyInfoRef, LineEnding, PrivateKeyInfoRef, SecretDocument};
use rand::Rng as _;
use rsa::pkcs8::EncodePrivateKey as _;
use unicode_normalization::UnicodeNormalization as _;

use super::keys::IdentityKey;
use armor::BlockText;
use asn1::Content;

pub use armor::is_tidy;
pub use error::{Form, PemError, Protection};

/// The cost of scrypt: N = 2^14, r = 8, p = 5. That is as much work as N = 2^17, p = 1 (both are in
/// OWASP's Password Storage Cheat Sheet), with the largest N that OpenSSL's limit of 32 MiB lets it
/// read.
const SCRYPT_LOG_N: u8 = 14;
const SCRYPT_R: u32 = 8;
const SCRYPT_P: u32 = 5;

/// An identity key as it stands in a file: parsed as far as is possible without the passphrase.
pub struct IdentityPem(KeyDocument);

enum KeyDocument {
    Plain(Vec<u8>),
    Encrypted(Box<pbes2::Parameters>, Vec<u8>),
}

impl IdentityPem {
    /// Reads a file: an RSA private key in PEM, whatever stands around it.
    ///
    /// # Errors
    /// Where the file is something else, or in a form or encrypted in a way that is not read here.
    pub fn parse(file: impl AsRef<[u8]>) -> Result<Self, PemError> {
        let file = file.as_ref();
        // Two kinds of damage are mended. Where keys are kept in variables or in JSON, each line
        // ends with a backslash and a letter; base64 has no backslash. Web pages put invisible
        // characters at the ends of lines and where words may break; a PEM is all ASCII.
        let text = String::from_utf8_lossy(file)
            .replace("\\r", "\r")
            .replace("\\n", "\n")
            .replace('\r', "\n")
            .replace(|sign: char| !sign.is_ascii(), " ");
        let mut found = None;
        let mut other = None;
        for block in armor::blocks(&text) {
            let Some(body) = block.body else {
                other.get_or_insert(PemError::Damaged);
                continue;
            };
            if block.label.contains("PRIVATE KEY") || block.label == armor::PKCS12 {
                if found.replace((block.label, body)).is_some() {
                    return Err(PemError::ManyKeys);
                }
            } else {
                other.get_or_insert(match block.label {
                    label if label.contains("PUBLIC KEY") => PemError::PublicKey,
                    label if label.ends_with("CERTIFICATE") => PemError::Certificate,
                    _ => PemError::NoPrivateKey,
                });
            }
        }
        match found {
            Some((label, body)) => Self::of_block(label, body),
            None => Err(other.unwrap_or_else(|| foreign::identify(file, &text))),
        }
    }

    /// Reads the one block with a private key.
    fn of_block(label: &str, body: BlockText<'_>) -> Result<Self, PemError> {
        let damaged = PemError::Damaged;
        match label {
            "PRIVATE KEY" | "RSA PRIVATE KEY" | "ENCRYPTED PRIVATE KEY" => {}
            "OPENSSH PRIVATE KEY" => {
                return Err(foreign::openssh(&body.decode().ok_or(damaged)?));
            }
            armor::PKCS12 => {
                let form = body.decode().and_then(|ber| asn1::pkcs12(&ber, true));
                return Err(form.map_or(damaged, PemError::Form));
            }
            "PGP PRIVATE KEY BLOCK" => return Err(PemError::Algorithm("OpenPGP")),
            "EC PRIVATE KEY" => return Err(PemError::Algorithm("EC")),
            "DSA PRIVATE KEY" => return Err(PemError::Algorithm("DSA")),
            _ => return Err(PemError::Algorithm(asn1::UNKNOWN)),
        }
        if let Some(cipher) = body.header("DEK-Info") {
            return Err(PemError::Form(Form::OldPem {
                legacy: asn1::is_legacy(cipher),
            }));
        }
        let der = body.decode().ok_or(damaged)?;
        match Content::of(&der).ok_or(damaged)? {
            Content::Encrypted(algorithm, data) => {
                let parameters = Box::new(asn1::encryption(algorithm, data)?);
                Ok(Self(KeyDocument::Encrypted(parameters, data.to_owned())))
            }
            _ => Ok(Self(KeyDocument::Plain(der))),
        }
    }

    /// Whether a passphrase is needed to open it.
    #[must_use]
    pub fn is_encrypted(&self) -> bool {
        matches!(self.0, KeyDocument::Encrypted(..))
    }

    /// The identity key, where no passphrase protects it.
    ///
    /// # Errors
    /// Where a passphrase protects it, or it is damaged, a key for another algorithm, or one that
    /// PROTOCOL §3 does not accept.
    pub fn open(&self) -> Result<IdentityKey, PemError> {
        match &self.0 {
            KeyDocument::Plain(der) => rsa_key::from_der(der),
            KeyDocument::Encrypted(..) => Err(PemError::Protected),
        }
    }

    /// The identity key, where a passphrase protects it. A letter with an accent can be one
    /// character or two, which look the same, and keyboards and programs differ in which they
    /// write: so both spellings (NFC and NFD) are tried.
    ///
    /// # Errors
    /// As [`IdentityPem::open`], and where the passphrase is wrong.
    pub fn open_with(&self, passphrase: &str) -> Result<IdentityKey, PemError> {
        let KeyDocument::Encrypted(parameters, data) = &self.0 else {
            return self.open();
        };
        let composed: String = passphrase.nfc().collect();
        let decomposed: String = passphrase.nfd().collect();
        let mut tried = Vec::new();
        for spelling in [passphrase, &composed, &decomposed] {
            if tried.contains(&spelling) {
                continue;
            }
            tried.push(spelling);
            match parameters.decrypt(spelling, data) {
                // One in 256 wrong decryptions ends in valid padding.
                Ok(der) if asn1::document(&der).is_some() => return rsa_key::from_der(&der),
                Ok(_) | Err(pkcs5::Error::DecryptFailed) => {}
                Err(_) => return Err(PemError::Damaged),
            }
        }
        Err(PemError::WrongPassphrase)
    }
}

/// The PEM of `identity`: PKCS#8, encrypted under `passphrase` if there is one (PBES2 with scrypt
/// and AES-256-CBC).
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
    use base64::Engine as _;
    use pkcs8::EncryptedPrivateKeyInfo;
    use pkcs8::der::Tag;
    use pkcs8::der::asn1::{AnyRef, OctetStringRef};
    use pkcs8::pkcs5::EncryptionScheme;
    use pkcs8::pkcs5::pbes2::{Kdf, ScryptParams};

    use super::*;
    use crate::cipher::keys::{KeyError, KeySize};

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
        assert_eq!(parsed.open().unwrap_err(), PemError::Protected);
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
            ("", PemError::Empty),
            ("hello", PemError::NotPem),
            (half, PemError::Damaged),
            ("-----BEGIN PRIVATE KEY", PemError::Damaged),
            (&pem.replace("PRIVATE", "PUBLIC"), PemError::PublicKey),
            (&format!("{pem}{pem}"), PemError::ManyKeys),
        ] {
            assert_eq!(opened(text).unwrap_err(), error, "{text:?}");
        }
    }

    #[test]
    fn a_key_that_is_not_accepted_is_called_what_it_is() {
        for (file, error) in [
            (
                &include_bytes!("../../tests/keys/public.pem")[..],
                PemError::PublicKey,
            ),
            (
                include_bytes!("../../tests/keys/rsa_1024.der"),
                PemError::PublicKey,
            ),
            (
                include_bytes!("../../tests/keys/certificate.pem"),
                PemError::Certificate,
            ),
            (
                include_bytes!("../../tests/keys/ec.pem"),
                PemError::Algorithm("EC"),
            ),
            (
                include_bytes!("../../tests/keys/rsa_pss.pem"),
                PemError::Algorithm("RSA-PSS"),
            ),
            (
                include_bytes!("../../tests/keys/rsa_1024.pem"),
                PemError::Key(KeyError::Size),
            ),
            (
                include_bytes!("../../tests/keys/rsa_exponent_3.pem"),
                PemError::Key(KeyError::Exponent),
            ),
            (
                include_bytes!("../../tests/keys/rsa_uneven_by_python_rsa_4.9.1.pem"),
                PemError::UnevenPrimes,
            ),
        ] {
            let text = String::from_utf8_lossy(file);
            let found = IdentityPem::parse(file).and_then(|pem| pem.open());
            assert_eq!(found.err(), Some(error), "{text}");
        }
    }

    #[test]
    fn a_private_exponent_above_the_modulus_is_read_as_the_one_below() {
        let [reduced, above, far_above] = [
            include_str!("../../tests/keys/rsa_exponent_reduced_by_cryptography_48.0.0.pem"),
            include_str!("../../tests/keys/rsa_exponent_above_modulus.pem"),
            include_str!("../../tests/keys/rsa_exponent_of_2058_bits.pem"),
        ]
        .map(|pem| opened(pem).unwrap());
        for key in [above, far_above] {
            assert_eq!(key.public(), reduced.public());
            assert!(reduced.public().verifies(b"hello", &key.sign(b"hello")));
        }
    }

    #[test]
    fn a_block_of_another_kind_is_told_by_its_label() {
        let pkcs1 = include_str!("../../tests/keys/pkcs1.pem");
        assert!(opened(pkcs1).is_ok());
        let with_label = |label| pkcs1.replace("RSA PRIVATE KEY", label);
        for (label, error) in [
            ("PUBLIC KEY", PemError::PublicKey),
            ("TRUSTED CERTIFICATE", PemError::Certificate),
            ("X509 CRL", PemError::NoPrivateKey),
            ("PGP PRIVATE KEY BLOCK", PemError::Algorithm("OpenPGP")),
            ("EC PRIVATE KEY", PemError::Algorithm("EC")),
            ("DSA PRIVATE KEY", PemError::Algorithm("DSA")),
            ("ANY PRIVATE KEY", PemError::Algorithm(asn1::UNKNOWN)),
            ("OPENSSH PRIVATE KEY", PemError::Damaged),
            ("PKCS12", PemError::Damaged),
        ] {
            assert_eq!(opened(&with_label(label)).err(), Some(error), "{label}");
        }
        for (cipher, legacy) in [("AES-256-CBC,00", false), ("DES-CBC,00", true)] {
            let headers = format!("\nProc-Type: 4,ENCRYPTED\nDEK-Info: {cipher}\n\n");
            let old = PemError::Form(Form::OldPem { legacy });
            assert_eq!(opened(&pkcs1.replacen('\n', &headers, 1)).err(), Some(old));
        }
    }

    /// The PEM of any DER, as a plain private key.
    fn pem_of(der: &[u8]) -> String {
        let base64 = base64::engine::general_purpose::STANDARD.encode(der);
        format!("-----BEGIN PRIVATE KEY-----\n{base64}\n-----END PRIVATE KEY-----\n")
    }

    #[test]
    fn a_missing_null_is_not_missed_and_attributes_are_not_minded() {
        let identity = IdentityKey::generate(KeySize::Bits2048);
        let plain = identity.as_rsa().to_pkcs8_der().unwrap();
        let mut info = PrivateKeyInfoRef::try_from(plain.as_bytes()).unwrap();
        info.algorithm.parameters = None;
        let without = SecretDocument::try_from(info.clone()).unwrap();
        assert!(without.as_bytes().len() < plain.as_bytes().len());
        let read = opened(&pem_of(without.as_bytes())).unwrap();
        assert_eq!(read.public(), identity.public());
        // What stands in its place is minded.
        info.algorithm.parameters = Some(AnyRef::new(Tag::OctetString, &[1]).unwrap());
        let other = SecretDocument::try_from(info).unwrap();
        let read = opened(&pem_of(other.as_bytes()));
        assert_eq!(read.err(), Some(PemError::Damaged));
        // A keyUsage, as Windows writes it behind the key, and a length that says so.
        let usage = b"\xa0\x0d\x30\x0b\x06\x03\x55\x1d\x0f\x31\x04\x03\x02\x00\x10";
        let mut with = [plain.as_bytes(), usage].concat();
        let length = u16::try_from(with.len() - 4).unwrap();
        with[2..4].copy_from_slice(&length.to_be_bytes());
        let read = opened(&pem_of(&with)).unwrap();
        assert_eq!(read.public(), identity.public());
    }

    /// The library would panic at a cost of 0, and try to allocate for the others.
    #[test]
    fn a_file_cannot_ask_for_an_absurd_amount_of_work() {
        let unusual = PemError::Form(Form::Encrypted {
            cipher: "scrypt of unusual parameters",
            legacy: false,
        });
        for ((cost_parameter, block_size, parallelization), error) in [
            ((0, 8, 1), PemError::Damaged),
            ((3, 8, 1), PemError::Damaged),
            ((1 << 14, 0, 1), PemError::Damaged),
            ((1 << 40, 8, 1), PemError::Costly),
            ((1 << 63, u16::MAX, u16::MAX), PemError::Costly),
            ((1 << 14, 60_000, 1), PemError::Costly),
            ((1 << 14, 8, 60_000), PemError::Costly),
            ((2, u16::MAX, u16::MAX), PemError::Costly),
            ((1 << 14, 1, 60_000), unusual),
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
            let pem = SecretDocument::try_from(info).unwrap();
            let pem = pem.to_pem(EncryptedPrivateKeyInfoRef::PEM_LABEL, LineEnding::LF);
            let refused = IdentityPem::parse(&*pem.unwrap()).err();
            let cost = (cost_parameter, block_size, parallelization);
            assert_eq!(refused, Some(error), "{cost:?}");
        }
    }
}
