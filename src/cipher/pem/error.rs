//! What a file is that holds no identity key, or none that is read here.

use crate::cipher::keys::KeyError;

/// Why a file is not an identity key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PemError {
    /// It is empty.
    Empty,
    /// It is nothing that is known here.
    NotPem,
    /// It holds a public key alone.
    PublicKey,
    /// It holds a certificate alone.
    Certificate,
    /// It is PEM, of something that is no private key.
    NoPrivateKey,
    /// It holds more than one private key.
    ManyKeys,
    /// It is a private key for this algorithm, which is not plain RSA.
    Algorithm(&'static str),
    /// It is an RSA key that PROTOCOL §3 does not accept.
    Key(KeyError),
    /// It is a sound RSA key of more than two primes.
    ManyPrimes,
    /// It is a sound RSA key, one of whose primes has more than half the bits of the modulus.
    UnevenPrimes,
    /// It may well be a key that is good here, in a form that other programs read.
    Form(Form),
    /// It is encrypted in a way that has no name here.
    UnknownCipher,
    /// Trying a passphrase would take more memory or time than the program spends.
    Costly,
    /// A passphrase protects it.
    Protected,
    /// It begins as a private key does, and does not go on as one.
    Damaged,
    /// The passphrase does not decrypt it.
    WrongPassphrase,
}

/// A form of private keys that is not read here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// Text of two or four bytes a character.
    WideText {
        /// Its name for `iconv`.
        encoding: &'static str,
    },
    /// PKCS#1 or PKCS#8 without PEM.
    Der {
        /// What its passphrase asks of OpenSSL.
        protection: Protection,
    },
    /// PKCS#1 or PKCS#8 in base64, without the lines around it.
    Base64 {
        /// What its passphrase asks of OpenSSL.
        protection: Protection,
    },
    /// PKCS#12 (RFC 7292).
    Pkcs12 {
        /// Whether it is in base64, with or without the lines around it.
        base64: bool,
        /// Whether OpenSSL 3 needs its legacy provider for it.
        legacy: bool,
    },
    /// A keystore of Java's own kinds.
    JavaKeystore {
        /// Its name for `keytool`.
        kind: &'static str,
    },
    /// JSON Web Key (RFC 7517).
    Jwk,
    /// OpenSSH's own form.
    OpenSsh,
    /// The form of `puttygen`.
    Putty {
        /// Whether it is under a passphrase.
        encrypted: bool,
    },
    /// The form of the company SSH Communications Security.
    Ssh2,
    /// PKCS#1 under a passphrase, as in RFC 1421.
    OldPem {
        /// Whether OpenSSL 3 needs its legacy provider for it.
        legacy: bool,
    },
    /// PKCS#8 that is encrypted in a way that is not read here.
    Encrypted {
        /// The cipher that is not read here.
        cipher: &'static str,
        /// Whether OpenSSL 3 needs its legacy provider for it.
        legacy: bool,
    },
}

/// What protects a private key that OpenSSL reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protection {
    /// Nothing does.
    None,
    /// A passphrase.
    Passphrase,
    /// A passphrase, with a cipher for which OpenSSL 3 needs its legacy provider.
    LegacyPassphrase,
}
