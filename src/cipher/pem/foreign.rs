//! What a file without a PEM block is: other programs save keys in many forms, and each begins in
//! its own way.

use super::asn1::{self, Content, UNKNOWN, pkcs12};
use super::error::{Form, PemError, Protection};
use super::{armor, rsa_key};

/// Says what `file` is; `text` is its text.
pub(super) fn identify(file: &[u8], text: &str) -> PemError {
    if file.trim_ascii().is_empty() {
        return PemError::Empty;
    }
    if let Some(encoding) = wide_text(file) {
        return PemError::Form(Form::WideText { encoding });
    }
    match file {
        [0xfe, 0xed, 0xfe, 0xed, ..] => {
            return PemError::Form(Form::JavaKeystore { kind: "JKS" });
        }
        [0xce, 0xce, 0xce, 0xce, ..] => {
            return PemError::Form(Form::JavaKeystore { kind: "JCEKS" });
        }
        _ => {}
    }
    if let Some(form) = pkcs12(file, false) {
        return PemError::Form(form);
    }
    if let Some(content) = Content::of(file) {
        return unarmored(&content, |protection| Form::Der { protection });
    }
    let text = text.trim_start();
    if let Some(key) = text.strip_prefix("PuTTY-User-Key-File-") {
        return putty(key);
    }
    if text.starts_with("---- BEGIN SSH2 ENCRYPTED PRIVATE KEY") {
        return PemError::Form(Form::Ssh2);
    }
    let public = ["ssh-", "ecdsa-sha2-", "sk-", "---- BEGIN SSH2 PUBLIC KEY"];
    if public.iter().any(|start| text.starts_with(start)) {
        return PemError::PublicKey;
    }
    if text
        .lines()
        .any(|line| line.starts_with("AGE-SECRET-KEY-1"))
    {
        return PemError::Algorithm("age");
    }
    if let Some(error) = jwk(text) {
        return error;
    }
    let decoded = armor::decode(text.lines()).unwrap_or_default();
    if let Some(form) = pkcs12(&decoded, true) {
        return PemError::Form(form);
    }
    match Content::of(&decoded) {
        Some(content) => unarmored(&content, |protection| Form::Base64 { protection }),
        None => PemError::NotPem,
    }
}

/// Says what is wrong with a document beside that it is not in PEM.
fn unarmored(content: &Content<'_>, form: impl Fn(Protection) -> Form) -> PemError {
    let protection = match content {
        Content::Encrypted(algorithm, data) => match asn1::encryption(*algorithm, data) {
            Ok(_) | Err(PemError::Form(Form::Encrypted { legacy: false, .. })) => {
                Ok(Protection::Passphrase)
            }
            Err(PemError::Form(Form::Encrypted { legacy: true, .. })) => {
                Ok(Protection::LegacyPassphrase)
            }
            Err(error) => Err(error),
        },
        plain => rsa_key::from_content(plain).map(|_| Protection::None),
    };
    protection.map_or_else(|error| error, |protection| PemError::Form(form(protection)))
}

/// The encoding of a text of two or four bytes a character, by its byte order mark or its zeros.
fn wide_text(file: &[u8]) -> Option<&'static str> {
    match file {
        [0xff, 0xfe, 0, 0, ..] | [0, 0, 0xfe, 0xff, ..] => Some("UTF-32"),
        [first, 0, 0, 0, second, 0, 0, 0, ..] if *first > 0 && *second > 0 => Some("UTF-32LE"),
        [0, 0, 0, first, 0, 0, 0, second, ..] if *first > 0 && *second > 0 => Some("UTF-32BE"),
        [0xff, 0xfe, ..] | [0xfe, 0xff, ..] => Some("UTF-16"),
        [first, 0, second, 0, ..] if *first > 0 && *second > 0 => Some("UTF-16LE"),
        [0, first, 0, second, ..] if *first > 0 && *second > 0 => Some("UTF-16BE"),
        _ => None,
    }
}

/// Says what a file of `puttygen` is, from the version in its first line on.
fn putty(key: &str) -> PemError {
    let mut lines = key.lines().filter_map(|line| line.split_once(": "));
    let Some((_, algorithm)) = lines.next() else {
        return PemError::Damaged;
    };
    match ssh_algorithm(algorithm.as_bytes()) {
        Some(other) => PemError::Algorithm(other),
        None => PemError::Form(Form::Putty {
            encrypted: lines.any(|(name, value)| name == "Encryption" && value.trim() != "none"),
        }),
    }
}

/// Says what an OpenSSH private key is (OpenSSH's PROTOCOL.key): its public key stands before
/// whatever is encrypted.
pub(super) fn openssh(bytes: &[u8]) -> PemError {
    let public = bytes
        .strip_prefix(b"openssh-key-v1\0")
        .and_then(|rest| {
            // Cipher, key derivation and its options come first; then the number of keys.
            let rest = (0..3).try_fold(rest, |rest, _| Some(string(rest)?.1))?;
            string(rest.get(4..)?)
        })
        .and_then(|(public, _)| string(public));
    match public {
        None => PemError::Damaged,
        Some((algorithm, _)) => match ssh_algorithm(algorithm) {
            Some(other) => PemError::Algorithm(other),
            None => PemError::Form(Form::OpenSsh),
        },
    }
}

/// Takes a `string` off the front (RFC 4251 §5).
fn string(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = bytes.split_first_chunk()?;
    rest.split_at_checked(usize::try_from(u32::from_be_bytes(*length)).ok()?)
}

/// The algorithm of an SSH key, unless it is RSA.
fn ssh_algorithm(name: &[u8]) -> Option<&'static str> {
    match name.trim_ascii() {
        b"ssh-rsa" => None,
        b"ssh-ed25519" => Some("Ed25519"),
        b"ssh-ed448" => Some("Ed448"),
        b"ssh-dss" => Some("DSA"),
        name if name.starts_with(b"ecdsa-") => Some("EC"),
        _ => Some(UNKNOWN),
    }
}

/// Says what a JSON Web Key is (RFC 7517), if `text` is one.
fn jwk(text: &str) -> Option<PemError> {
    let key: serde_json::Value = serde_json::from_str(text).ok()?;
    Some(match key.get("kty")?.as_str()? {
        "RSA" if key.get("d").is_some() => PemError::Form(Form::Jwk),
        "RSA" => PemError::PublicKey,
        "EC" => PemError::Algorithm("EC"),
        _ => PemError::Algorithm(UNKNOWN),
    })
}
