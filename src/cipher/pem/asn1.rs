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
