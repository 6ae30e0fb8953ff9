//! What the DER of a file holds. It is told by its shape, since neither a file's name nor a label
//! can be trusted.

use pkcs8::der::asn1::{
    AnyRef, BitStringRef, ObjectIdentifier, OctetStringRef, SequenceRef, UintRef,
};
use pkcs8::der::{Decode as _, Reader as _, SliceReader};
use pkcs8::pkcs5::pbes2::{
    AES_128_CBC_OID, AES_128_GCM_OID, AES_192_CBC_OID, AES_256_CBC_OID, AES_256_GCM_OID, Kdf,
    PBES2_OID, PBKDF2_OID, Parameters, SCRYPT_OID,
};
use pkcs8::spki::{AlgorithmIdentifierRef, SubjectPublicKeyInfoRef};
use pkcs8::{PrivateKeyInfoRef, der};
use rsa::pkcs1::{RsaPrivateKey, RsaPublicKey};

use super::error::{Form, PemError};

/// What a DER document is.
pub(super) enum Content<'a> {
    /// A private key in PKCS#8 (RFC 5958).
    Pkcs8(PrivateKeyInfoRef<'a>),
    /// A private key in PKCS#8 under a passphrase: how it is encrypted, and the ciphertext.
    Encrypted(AlgorithmIdentifierRef<'a>, &'a [u8]),
    /// An RSA private key in PKCS#1 (RFC 8017 §A.1.2).
    Pkcs1(&'a [u8]),
    /// A private key for another algorithm, in that algorithm's own form; with its name.
    OtherKey(&'static str),
    PublicKey,
    Certificate,
}

impl<'a> Content<'a> {
    /// Tells what begins with the first byte. Bytes after its end are not looked at; OpenSSL does
    /// not either.
    pub(super) fn of(bytes: &'a [u8]) -> Option<Self> {
        let der = document(bytes)?;
        if let Ok(key) = PrivateKeyInfoRef::from_der(der) {
            return Some(Self::Pkcs8(key));
        }
        if RsaPrivateKey::<UintRef<'_>>::from_der(der).is_ok() {
            return Some(Self::Pkcs1(der));
        }
        if SubjectPublicKeyInfoRef::from_der(der).is_ok()
            || RsaPublicKey::<UintRef<'_>>::from_der(der).is_ok()
        {
            return Some(Self::PublicKey);
        }
        let outer = AnyRef::from_der(der).ok()?;
        encrypted(outer)
            .or_else(|| certificate(outer))
            .or_else(|| other_key(outer))
    }
}

fn encrypted(outer: AnyRef<'_>) -> Option<Content<'_>> {
    sequence(outer, |fields| {
        let algorithm = fields.decode()?;
        let data: &OctetStringRef = fields.decode()?;
        Ok(Content::Encrypted(algorithm, data.as_bytes()))
    })
}

/// A certificate has three fields: what is signed, the algorithm, and the signature.
fn certificate(outer: AnyRef<'_>) -> Option<Content<'_>> {
    sequence(outer, |fields| {
        fields.decode::<&SequenceRef>()?;
        fields.decode::<AlgorithmIdentifierRef<'_>>()?;
        fields.decode::<BitStringRef<'_>>()?;
        Ok(Content::Certificate)
    })
}

fn other_key(outer: AnyRef<'_>) -> Option<Content<'_>> {
    sequence(outer, |fields| {
        let algorithm = match fields.decode::<u8>()? {
            // SEC 1 §C.4: the key, then its curve.
            1 => fields.decode::<&OctetStringRef>().map(|_| "EC")?,
            // p, q, g, y and x, as OpenSSL has always written them.
            _ => fields.decode::<UintRef<'_>>().map(|_| "DSA")?,
        };
        while !fields.is_finished() {
            fields.tlv_bytes()?;
        }
        Ok(Content::OtherKey(algorithm))
    })
}

/// The first DER document of some bytes, if they begin with a SEQUENCE.
pub(super) fn document(bytes: &[u8]) -> Option<&[u8]> {
    if bytes.first() != Some(&0x30) {
        return None;
    }
    SliceReader::new(bytes).ok()?.tlv_bytes().ok()
}

fn sequence<'a, T>(
    any: AnyRef<'a>,
    read: impl FnOnce(&mut SliceReader<'a>) -> der::Result<T>,
) -> Option<T> {
    any.sequence(read).ok()
}

/// What a PKCS#12 file is (RFC 7292 §4), if this is one: a SEQUENCE, which may be BER, that begins
/// with version 3. The form says whether OpenSSL 3 needs its legacy provider for it.
pub(super) fn pkcs12(bytes: &[u8], base64: bool) -> Option<Form> {
    let rest = bytes.strip_prefix(&[0x30])?;
    let (length, rest) = rest.split_first()?;
    let rest = match length {
        0x81..=0x84 => rest.get(usize::from(length - 0x80)..)?,
        _ => rest,
    };
    if !rest.starts_with(&[2, 1, 3, 0x30]) {
        return None;
    }
    let legacy = CIPHERS
        .iter()
        .filter(|(_, _, legacy)| legacy.is_some())
        .any(|(oid, _, _)| {
            let oid = oid.as_bytes();
            bytes.windows(oid.len()).any(|window| window == oid)
        });
    Some(Form::Pkcs12 { base64, legacy })
}

/// The name of the algorithm that a key is for, where that is not plain RSA.
pub(super) fn algorithm(oid: ObjectIdentifier) -> &'static str {
    ALGORITHMS
        .iter()
        .find_map(|(known, name)| (*known == oid).then_some(*name))
        .unwrap_or(UNKNOWN)
}

const fn oid(text: &str) -> ObjectIdentifier {
    ObjectIdentifier::new_unwrap(text)
}

/// What an algorithm is called that has no name here.
pub(super) const UNKNOWN: &str = "an unknown algorithm";

const ALGORITHMS: &[(ObjectIdentifier, &str)] = &[
    (oid("1.2.840.113549.1.1.10"), "RSA-PSS"),
    (oid("1.2.840.113549.1.1.7"), "RSA-OAEP"),
    (oid("1.2.840.10045.2.1"), "EC"),
    (oid("1.2.840.10040.4.1"), "DSA"),
    (oid("1.2.840.113549.1.3.1"), "DH"),
    (oid("1.3.101.110"), "X25519"),
    (oid("1.3.101.111"), "X448"),
    (oid("1.3.101.112"), "Ed25519"),
    (oid("1.3.101.113"), "Ed448"),
];

/// Whether OpenSSL 3 has a cipher in its legacy provider, by the cipher's name in a DEK-Info (RFC
/// 1421 §4.6).
pub(super) fn is_legacy(name: &str) -> bool {
    let mut legacy = CIPHERS.iter().filter_map(|(_, _, legacy)| *legacy);
    legacy.any(|start| name.starts_with(start))
}

/// Ciphers that are not decrypted here: what their identifiers begin with, what they are called
/// here, and how their names begin in OpenSSL 3's legacy provider if it has them there.
const CIPHERS: &[(ObjectIdentifier, &str, Option<&str>)] = &[
    (oid("1.2.840.113549.1.5.1"), "PBES1 (DES)", Some("DES-CBC")),
    (oid("1.2.840.113549.1.5.3"), "PBES1 (DES)", Some("DES-CBC")),
    (oid("1.2.840.113549.1.5.4"), "PBES1 (RC2)", Some("RC2")),
    (oid("1.2.840.113549.1.5.6"), "PBES1 (RC2)", Some("RC2")),
    (oid("1.2.840.113549.1.5.10"), "PBES1 (DES)", Some("DES-CBC")),
    (oid("1.2.840.113549.1.5.11"), "PBES1 (RC2)", Some("RC2")),
    (oid("1.2.840.113549.1.12.1.1"), "PBES1 (RC4)", Some("RC4")),
    (oid("1.2.840.113549.1.12.1.2"), "PBES1 (RC4)", Some("RC4")),
    (oid("1.2.840.113549.1.12.1.3"), "PBES1 (3DES)", None),
    (oid("1.2.840.113549.1.12.1.4"), "PBES1 (2-key 3DES)", None),
    (oid("1.2.840.113549.1.12.1.5"), "PBES1 (RC2)", Some("RC2")),
    (oid("1.2.840.113549.1.12.1.6"), "PBES1 (RC2)", Some("RC2")),
    (oid("1.2.840.113549.3.7"), "3DES", None),
    (oid("1.3.14.3.2.17"), "2-key 3DES", None),
    (oid("1.3.14.3.2.6"), "DES", Some("DES-ECB")),
    (oid("1.3.14.3.2.7"), "DES", Some("DES-CBC")),
    (oid("1.3.14.3.2.8"), "DES", Some("DES-OFB")),
    (oid("1.3.14.3.2.9"), "DES", Some("DES-CFB")),
    (oid("1.2.840.113549.3.2"), "RC2", Some("RC2")),
    (oid("1.2.840.113549.3.4"), "RC4", Some("RC4")),
    (oid("1.2.410.200004.1.3"), "SEED", Some("SEED")),
    (oid("1.2.410.200004.1.4"), "SEED", Some("SEED")),
    (oid("1.2.410.200004.1.5"), "SEED", Some("SEED")),
    (oid("1.2.410.200004.1.6"), "SEED", Some("SEED")),
    (oid("1.3.6.1.4.1.3029.1.2"), "Blowfish", Some("BF")),
    (oid("1.2.840.113533.7.66.10"), "CAST5", Some("CAST5")),
    (oid("1.3.6.1.4.1.188.7.1.1.2"), "IDEA", Some("IDEA")),
    (oid("1.2.392.200011.61.1.1.1"), "Camellia", None),
    (oid("0.3.4401.5.3.1.9"), "Camellia", None),
    (oid("1.2.410.200046.1.1"), "ARIA", None),
    (oid("1.2.156.10197.1.104"), "SM4", None),
    (oid("2.16.840.1.101.3.4.1.1"), "AES in ECB mode", None),
    (oid("2.16.840.1.101.3.4.1.3"), "AES in OFB mode", None),
    (oid("2.16.840.1.101.3.4.1.4"), "AES in CFB mode", None),
    (oid("2.16.840.1.101.3.4.1.21"), "AES in ECB mode", None),
    (oid("2.16.840.1.101.3.4.1.23"), "AES in OFB mode", None),
    (oid("2.16.840.1.101.3.4.1.24"), "AES in CFB mode", None),
    (oid("2.16.840.1.101.3.4.1.41"), "AES in ECB mode", None),
    (oid("2.16.840.1.101.3.4.1.43"), "AES in OFB mode", None),
    (oid("2.16.840.1.101.3.4.1.44"), "AES in CFB mode", None),
];

const CBC: [ObjectIdentifier; 3] = [AES_128_CBC_OID, AES_192_CBC_OID, AES_256_CBC_OID];
const GCM: [ObjectIdentifier; 2] = [AES_128_GCM_OID, AES_256_GCM_OID];

/// How a key is encrypted, if a passphrase can be tried on it here.
///
/// # Errors
/// With the form or the damage, if it cannot.
pub(super) fn encryption(
    algorithm: AlgorithmIdentifierRef<'_>,
    data: &[u8],
) -> Result<Parameters, PemError> {
    let unread = |cipher, legacy| Err(PemError::Form(Form::Encrypted { cipher, legacy }));
    let known =
        |oid: ObjectIdentifier| CIPHERS.iter().find(|(start, _, _)| oid.starts_with(*start));
    let unread_cipher = |oid| match known(oid) {
        Some((_, name, legacy)) => unread(*name, legacy.is_some()),
        None => Err(PemError::UnknownCipher),
    };
    if algorithm.oid != PBES2_OID {
        return unread_cipher(algorithm.oid);
    }
    let parameters = algorithm.parameters.ok_or(PemError::Damaged)?;
    let (kdf, cipher) = sequence(parameters, |fields| {
        let kdf: AlgorithmIdentifierRef<'_> = fields.decode()?;
        let cipher: AlgorithmIdentifierRef<'_> = fields.decode()?;
        Ok((kdf.oid, cipher.oid))
    })
    .ok_or(PemError::Damaged)?;
    let fits = match cipher {
        cipher if CBC.contains(&cipher) => !data.is_empty() && data.len().is_multiple_of(16),
        cipher if GCM.contains(&cipher) => data.len() > 16,
        other => return unread_cipher(other),
    };
    if !fits {
        return Err(PemError::Damaged);
    }
    let unusual = match kdf {
        PBKDF2_OID => "PBKDF2 of unusual parameters",
        SCRYPT_OID => "scrypt of unusual parameters",
        _ => return Err(PemError::UnknownCipher),
    };
    let Ok(parameters) = Parameters::try_from(parameters) else {
        return unread(unusual, false);
    };
    match KdfCost::of(&parameters.kdf) {
        KdfCost::Sane => Ok(parameters),
        KdfCost::TooMuch => unread(unusual, false),
        KdfCost::TooMuchForOpenSsl => Err(PemError::Costly),
        KdfCost::Nonsense => Err(PemError::Damaged),
    }
}

/// What it costs to try a passphrase. The numbers come from the file: the library would panic at a
/// cost of 0, and allocate whatever a huge one asks for.
enum KdfCost {
    /// It takes a GiB and a minute at most.
    Sane,
    TooMuch,
    /// It takes more than the 32 MiB that OpenSSL gives scrypt.
    TooMuchForOpenSsl,
    Nonsense,
}

impl KdfCost {
    fn of(kdf: &Kdf) -> Self {
        match kdf {
            Kdf::Scrypt(scrypt) => {
                let n = scrypt.cost_parameter;
                let [r, p] = [scrypt.block_size, scrypt.parallelization].map(u64::from);
                // Both are in blocks of 128 bytes (RFC 7914 §5 and §6).
                let [memory, work] = [r, r * p].map(|blocks| n.saturating_mul(blocks));
                if !n.is_power_of_two() || n == 1 || r * p == 0 {
                    Self::Nonsense
                } else if memory <= 1 << 23 && r * p <= 1 << 20 && work <= 1 << 27 {
                    Self::Sane
                } else if memory.saturating_add(r * (2 + p)) > 1 << 18 {
                    Self::TooMuchForOpenSsl
                } else {
                    Self::TooMuch
                }
            }
            Kdf::Pbkdf2(pbkdf2) => match pbkdf2.iteration_count {
                0 => Self::Nonsense,
                1..=10_000_000 => Self::Sane,
                _ => Self::TooMuch,
            },
            _ => Self::Nonsense,
        }
    }
}

#[cfg(test)]
mod tests {
    use pkcs8::der::{Encode as _, Tag};
    use pkcs8::pkcs5::pbes2::{EncryptionScheme, Pbkdf2Params, ScryptParams};

    use super::super::armor;
    use super::*;

    fn scrypt(cost_parameter: u64, block_size: u16, parallelization: u16) -> Kdf {
        Kdf::Scrypt(ScryptParams {
            salt: [0; 16][..].try_into().unwrap(),
            cost_parameter,
            block_size,
            parallelization,
            key_length: None,
        })
    }

    fn pbkdf2(iterations: u32) -> Kdf {
        Kdf::Pbkdf2(Pbkdf2Params::hmac_sha256(iterations, &[0; 16]).unwrap())
    }

    /// What comes of data of `length` bytes that are said to be under `kdf` and `cipher`.
    fn read(kdf: Kdf, cipher: EncryptionScheme, length: usize) -> Result<(), PemError> {
        let parameters = Parameters {
            kdf,
            encryption: cipher,
        };
        let der = parameters.to_der().unwrap();
        let algorithm = AlgorithmIdentifierRef {
            oid: PBES2_OID,
            parameters: Some(AnyRef::from_der(&der).unwrap()),
        };
        encryption(algorithm, &vec![0; length]).map(|read| assert!(read == parameters))
    }

    const CBC: EncryptionScheme = EncryptionScheme::Aes256Cbc { iv: [0; 16] };

    #[test]
    fn a_passphrase_is_tried_up_to_a_gib_and_a_minute() {
        let unusual = |cipher| {
            let legacy = false;
            Err(PemError::Form(Form::Encrypted { cipher, legacy }))
        };
        let too_much = unusual("scrypt of unusual parameters");
        let not_even_by_openssl = Err(PemError::Costly);
        for (kdf, expected) in [
            // As much memory as is taken, and twice as much.
            (scrypt(1 << 20, 8, 1), Ok(())),
            (scrypt(1 << 21, 8, 1), not_even_by_openssl),
            // As many blocks at once, and some more.
            (scrypt(2, 32, 1 << 15), Ok(())),
            (scrypt(2, 32, (1 << 15) + 1), not_even_by_openssl),
            // As much work, and a little more.
            (scrypt(1 << 14, 8, 1 << 10), Ok(())),
            (scrypt(1 << 14, 8, (1 << 10) + 1), too_much),
            // As much memory as OpenSSL takes, and two blocks more.
            (scrypt(1 << 16, 2, 65_534), too_much),
            (scrypt(1 << 16, 2, 65_535), not_even_by_openssl),
            (scrypt(1, 8, 1), Err(PemError::Damaged)),
            (scrypt(6, 8, 1), Err(PemError::Damaged)),
            (scrypt(2, 0, 1), Err(PemError::Damaged)),
            (scrypt(2, 8, 0), Err(PemError::Damaged)),
            (pbkdf2(0), Err(PemError::Damaged)),
            (pbkdf2(1), Ok(())),
            (pbkdf2(10_000_000), Ok(())),
            (pbkdf2(10_000_001), unusual("PBKDF2 of unusual parameters")),
        ] {
            assert_eq!(read(kdf.clone(), CBC, 16), expected, "{kdf:?}");
        }
    }

    #[test]
    fn encrypted_data_has_a_length_that_its_cipher_makes() {
        let gcm = EncryptionScheme::Aes256Gcm { nonce: [0; 12] };
        for (cipher, length, fits) in [
            (CBC, 0, false),
            (CBC, 15, false),
            (CBC, 16, true),
            (CBC, 17, false),
            (CBC, 32, true),
            // It ends with a tag of 16 bytes.
            (gcm, 16, false),
            (gcm, 17, true),
        ] {
            let expected = if fits { Ok(()) } else { Err(PemError::Damaged) };
            let found = read(scrypt(1 << 14, 8, 1), cipher, length);
            assert_eq!(found, expected, "{length}");
        }
    }

    #[test]
    fn a_cipher_that_is_not_read_is_named() {
        let named = |text| {
            let oid = oid(text);
            let algorithm = AlgorithmIdentifierRef {
                oid,
                parameters: Some(AnyRef::NULL),
            };
            encryption(algorithm, &[0; 16]).err().unwrap()
        };
        let form = |cipher, legacy| PemError::Form(Form::Encrypted { cipher, legacy });
        for (oid, error) in [
            ("1.2.840.113549.1.5.3", form("PBES1 (DES)", true)),
            ("1.2.840.113549.1.12.1.3", form("PBES1 (3DES)", false)),
            ("1.2.410.200046.1.1.25", form("ARIA", false)),
            ("1.2.3.4", PemError::UnknownCipher),
            ("1.2.840.113549.1.5.13", PemError::Damaged),
        ] {
            assert_eq!(named(oid), error, "{oid}");
        }
        assert!(is_legacy("DES-CBC,0123456789ABCDEF") && is_legacy("RC2-40-CBC,00"));
        assert!(!is_legacy("AES-256-CBC,00") && !is_legacy("DES-EDE3-CBC,00"));
    }

    #[test]
    fn under_pbes2_too_what_is_not_read_is_named() {
        let named = |kdf, cipher| {
            let parts = [kdf, cipher].map(|oid| {
                let parameters = None;
                AlgorithmIdentifierRef { oid, parameters }.to_der().unwrap()
            });
            let parts = AnyRef::new(Tag::Sequence, &parts.concat())
                .and_then(|sequence| sequence.to_der())
                .unwrap();
            let algorithm = AlgorithmIdentifierRef {
                oid: PBES2_OID,
                parameters: Some(AnyRef::from_der(&parts).unwrap()),
            };
            encryption(algorithm, &[0; 32]).err().unwrap()
        };
        let form = |cipher| {
            let legacy = false;
            PemError::Form(Form::Encrypted { cipher, legacy })
        };
        let [other, triple_des] = ["1.2.3.4", "1.2.840.113549.3.7"].map(oid);
        for (kdf, cipher, error) in [
            (SCRYPT_OID, triple_des, form("3DES")),
            (SCRYPT_OID, other, PemError::UnknownCipher),
            (other, AES_256_CBC_OID, PemError::UnknownCipher),
            (
                SCRYPT_OID,
                AES_256_CBC_OID,
                form("scrypt of unusual parameters"),
            ),
            (
                PBKDF2_OID,
                AES_256_CBC_OID,
                form("PBKDF2 of unusual parameters"),
            ),
        ] {
            assert_eq!(named(kdf, cipher), error, "{kdf} {cipher}");
        }
    }

    #[test]
    fn a_key_of_another_algorithm_is_told_by_its_first_numbers() {
        for (der, expected) in [
            // An elliptic curve's, with and without what curve it is of.
            (&b"\x30\x06\x02\x01\x01\x04\x01\x07"[..], Some("EC")),
            (b"\x30\x08\x02\x01\x01\x04\x01\x07\xa0\x00", Some("EC")),
            (b"\x30\x09\x02\x01\x00\x02\x01\x07\x02\x01\x05", Some("DSA")),
            (b"\x30\x06\x02\x01\x00\x04\x01\x07", None),
            (b"\x30\x06\x02\x01\x01\x02\x01\x07", None),
        ] {
            let found = match Content::of(der) {
                Some(Content::OtherKey(algorithm)) => Some(algorithm),
                _ => None,
            };
            assert_eq!(found, expected, "{der:?}");
        }
    }

    #[test]
    fn what_holds_no_private_key_is_told_without_its_pem() {
        let certificate = include_str!("../../../tests/keys/certificate.pem");
        let lines = certificate.lines().filter(|line| !line.starts_with('-'));
        let certificate = armor::decode(lines).unwrap();
        let found = Content::of(&certificate);
        assert!(matches!(found, Some(Content::Certificate)));
        let found = Content::of(include_bytes!("../../../tests/keys/rsa_1024.der"));
        assert!(matches!(found, Some(Content::PublicKey)));
    }

    #[test]
    fn a_pkcs12_file_is_told_by_its_version_however_its_length_is_written() {
        let form = |legacy| {
            let base64 = true;
            Some(Form::Pkcs12 { base64, legacy })
        };
        let plain = b"\x02\x01\x03\x30\x0b and so on";
        let rc2 = [&plain[..], oid("1.2.840.113549.1.12.1.6").as_bytes()].concat();
        let des = [&plain[..], oid("1.2.840.113549.1.12.1.3").as_bytes()].concat();
        for length in [
            &b"\x20"[..],
            b"\x80",
            b"\x81\xa0",
            b"\x82\x01\xa0",
            b"\x84\0\0\x01\xa0",
        ] {
            for (content, expected) in [
                (&plain[..], form(false)),
                (&rc2, form(true)),
                (&des, form(false)),
                (b"\x02\x01\x01\x30", None),
                (b"", None),
            ] {
                let file = [b"\x30", length, content].concat();
                assert_eq!(pkcs12(&file, true), expected, "{file:?}");
            }
        }
        assert_eq!(pkcs12(plain, true), None);
        assert_eq!(pkcs12(b"\x30\x82\x01", true), None);
    }
}
