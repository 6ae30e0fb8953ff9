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

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;
    use rsa::pkcs8::EncodePrivateKey as _;

    use crate::cipher::encoding::Encoder;
    use crate::cipher::pem::IdentityPem;

    use super::*;

    fn named(file: impl AsRef<[u8]>) -> PemError {
        IdentityPem::parse(file).err().unwrap()
    }

    #[test]
    fn a_text_of_wide_characters_is_named_with_its_encoding() {
        let key = "-----BEGIN PRIVATE KEY-----";
        let utf16 = |bytes: fn(u16) -> [u8; 2]| key.encode_utf16().flat_map(bytes).collect();
        let utf32 = |bytes: fn(u32) -> [u8; 4]| {
            let characters = key.chars().map(u32::from);
            characters.flat_map(bytes).collect()
        };
        let [little_16, big_16]: [Vec<u8>; 2] = [utf16(u16::to_le_bytes), utf16(u16::to_be_bytes)];
        let [little_32, big_32]: [Vec<u8>; 2] = [utf32(u32::to_le_bytes), utf32(u32::to_be_bytes)];
        for (file, encoding) in [
            (little_16.clone(), "UTF-16LE"),
            (big_16.clone(), "UTF-16BE"),
            (little_32.clone(), "UTF-32LE"),
            (big_32.clone(), "UTF-32BE"),
            ([&[0xff, 0xfe], &*little_16].concat(), "UTF-16"),
            ([&[0xfe, 0xff], &*big_16].concat(), "UTF-16"),
            ([&[0xff, 0xfe, 0, 0], &*little_32].concat(), "UTF-32"),
            ([&[0, 0, 0xfe, 0xff], &*big_32].concat(), "UTF-32"),
        ] {
            let wide = PemError::Form(Form::WideText { encoding });
            assert_eq!(named(&file), wide, "{file:?}");
        }
        // Where one character is there and the next is zero, that is no text.
        for place in 0..8 {
            let mut file = [0; 8];
            file[place] = b'-';
            assert_eq!(named(file), PemError::NotPem, "{file:?}");
        }
    }

    #[test]
    fn the_forms_of_other_programs_are_told_by_how_they_begin() {
        let form = |form| PemError::Form(form);
        let putty = |encrypted| form(Form::Putty { encrypted });
        for (file, error) in [
            (
                &b"\xfe\xed\xfe\xed\0\0\0\x02"[..],
                form(Form::JavaKeystore { kind: "JKS" }),
            ),
            (
                b"\xce\xce\xce\xce\0\0\0\x02",
                form(Form::JavaKeystore { kind: "JCEKS" }),
            ),
            (
                b"PuTTY-User-Key-File-3: ssh-rsa\nEncryption: none\nComment: mine\n",
                putty(false),
            ),
            (
                b"PuTTY-User-Key-File-3: ssh-rsa\nEncryption: aes256-cbc\nComment: none\n",
                putty(true),
            ),
            (
                b"PuTTY-User-Key-File-2: ssh-ed25519\nEncryption: none\n",
                PemError::Algorithm("Ed25519"),
            ),
            (b"PuTTY-User-Key-File-3", PemError::Damaged),
            (
                b"---- BEGIN SSH2 ENCRYPTED PRIVATE KEY ----\n",
                form(Form::Ssh2),
            ),
            (b"---- BEGIN SSH2 PUBLIC KEY ----\n", PemError::PublicKey),
            (b"ssh-rsa AAAAB3NzaC1yc2E= ada", PemError::PublicKey),
            (
                b"# created: 2026\nAGE-SECRET-KEY-1QQQ\n",
                PemError::Algorithm("age"),
            ),
            (br#"{"kty": "RSA", "d": "AQAB"}"#, form(Form::Jwk)),
            (br#"{"kty": "RSA", "e": "AQAB"}"#, PemError::PublicKey),
            (br#"{"kty": "EC"}"#, PemError::Algorithm("EC")),
            (br#"{"kty": "OKP"}"#, PemError::Algorithm(UNKNOWN)),
            (br#"{"kind": "RSA"}"#, PemError::NotPem),
        ] {
            assert_eq!(named(file), error, "{:?}", String::from_utf8_lossy(file));
        }
    }

    #[test]
    fn an_openssh_key_is_told_by_its_public_half() {
        let file = |algorithm: &[u8]| {
            let public = Encoder::default().string(algorithm).string(b"numbers");
            let all = Encoder::default()
                .bytes(b"openssh-key-v1\0")
                .string(b"none")
                .string(b"none")
                .string(b"")
                .u32(1)
                .string(&public.finish());
            all.finish()
        };
        for (algorithm, error) in [
            (&b"ssh-rsa"[..], PemError::Form(Form::OpenSsh)),
            (b"ssh-ed25519", PemError::Algorithm("Ed25519")),
            (b"ssh-ed448", PemError::Algorithm("Ed448")),
            (b"ssh-dss", PemError::Algorithm("DSA")),
            (b"ecdsa-sha2-nistp256", PemError::Algorithm("EC")),
            (b"ssh-new", PemError::Algorithm(UNKNOWN)),
        ] {
            assert_eq!(openssh(&file(algorithm)), error, "{error:?}");
        }
        let whole = file(b"ssh-rsa");
        let cut = whole.get(..whole.len() - 1).unwrap();
        assert_eq!(openssh(cut), PemError::Damaged);
        assert_eq!(openssh(b"openssh-key-v2\0"), PemError::Damaged);
    }

    #[test]
    fn a_key_without_its_pem_is_told_with_what_protects_it() {
        let pem = include_str!("../../../tests/vectors/keys/ada_identity.pem");
        let identity = IdentityPem::parse(pem).unwrap().open().unwrap();
        let plain = identity.as_rsa().to_pkcs8_der().unwrap();
        // AES, which is read, and DES under PBES1 (RFC 8018), which OpenSSL has put aside.
        let aes = crate::cipher::pem::encode(&identity, Some("correct horse"));
        let aes = armor::blocks(&aes)
            .next()
            .and_then(|block| block.body?.decode());
        let des = b"\x30\x1b\x30\x0f\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x05\x03\x30\x02\x05\x00\
            \x04\x08encrypts";
        for (der, protection) in [
            (plain.as_bytes(), Protection::None),
            (&aes.unwrap(), Protection::Passphrase),
            (des, Protection::LegacyPassphrase),
        ] {
            assert_eq!(named(der), PemError::Form(Form::Der { protection }));
            let base64 = PemError::Form(Form::Base64 { protection });
            assert_eq!(named(STANDARD.encode(der)), base64);
        }
    }
}
