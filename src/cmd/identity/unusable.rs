//! What is said of a file that is no identity: what it is, and what to do about it.

use std::path::{Path, PathBuf};

use crate::cipher::pem::{Form, PemError};

use super::super::failure;
use super::super::shell::quoted;

const LOST: &str = "restore it from a copy, or make another with `e2echat keygen`";
const PUBLIC: &str = "name the file with the private key that belongs to it";
const SOUND: &str = "nothing is wrong with it, but it cannot be used here: name another file, or \
                     see `e2echat keygen --help`";
const UNUSED: &str =
    "such keys are not used here: name another file, or see `e2echat keygen --help`";

/// The error for the file at `path`.
pub(super) fn explain(path: &Path, error: PemError) -> anyhow::Error {
    let (what, hint) = match error {
        PemError::Form(form) => return unread(path, form),
        PemError::Empty => ("it is empty".to_owned(), LOST),
        PemError::Damaged => ("damaged".to_owned(), LOST),
        PemError::NotPem => (
            "not a PEM file".to_owned(),
            "name the file that `e2echat keygen` made, or one with an RSA private key",
        ),
        PemError::WrongPassphrase => (
            "wrong passphrase".to_owned(),
            "try again; without the passphrase the identity is lost",
        ),
        PemError::PublicKey => (
            "it holds a public key and no private one".to_owned(),
            PUBLIC,
        ),
        PemError::Certificate => (
            "it holds a certificate and no private key".to_owned(),
            PUBLIC,
        ),
        PemError::NoPrivateKey => ("it holds no private key".to_owned(), PUBLIC),
        PemError::ManyKeys => (
            "it holds more than one private key".to_owned(),
            "copy the one that you mean into a file of its own",
        ),
        PemError::Algorithm(name) => (
            format!("it is a key for {name}, not an ordinary RSA key"),
            UNUSED,
        ),
        PemError::Key(error) => (error.to_string(), UNUSED),
        PemError::ManyPrimes => ("it is an RSA key of more than two primes".to_owned(), SOUND),
        PemError::UnevenPrimes => (
            "it is an RSA key whose primes differ in length".to_owned(),
            SOUND,
        ),
        PemError::UnknownCipher => (
            "it is encrypted in a way that is unknown here".to_owned(),
            "save it under AES, in the program that it is from",
        ),
        PemError::Costly => (
            "its passphrase takes too much memory to try".to_owned(),
            "save it with a lower cost of scrypt, in the program that it is from",
        ),
    };
    let shown = path.display();
    failure(format!("cannot use the identity {shown}: {what}"), hint)
}

/// The error for a form that another program reads, with the command that makes one of it that is
/// read here.
fn unread(path: &Path, form: Form) -> anyhow::Error {
    let what = match form {
        Form::Utf16 { .. } => "it is text in UTF-16".to_owned(),
        Form::Der { .. } => "it is in DER".to_owned(),
        Form::Base64 { .. } => "it is base64 without the lines BEGIN and END of PEM".to_owned(),
        Form::Pkcs12 { .. } => "it is a PKCS#12 file".to_owned(),
        Form::JavaKeystore { kind } => format!("it is a Java keystore ({kind})"),
        Form::Jwk => "it is a JSON Web Key".to_owned(),
        Form::OpenSsh => "it is in the format of OpenSSH".to_owned(),
        Form::Putty { .. } => "it is in the format of PuTTY".to_owned(),
        Form::Ssh2 => "it is in the format of ssh.com".to_owned(),
        Form::OldPem { .. } => {
            "it is encrypted as PEM was before PKCS#8 (Proc-Type: 4,ENCRYPTED)".to_owned()
        }
        Form::Encrypted { cipher, .. } => format!("it is encrypted with {cipher}"),
    };
    let shown = path.display();
    failure(
        format!("cannot use the identity {shown}: {what}, which is not read here"),
        &format!("convert it with: {}", command(path, form)),
    )
}

/// One command line that reads the file at `path` and writes another, or that one where its tool
/// does no other.
fn command(path: &Path, form: Form) -> String {
    let (from, to) = (quoted(path), quoted(&free_name(path, "pem")));
    let pkcs8 = |options: &str| format!("openssl pkcs8 -topk8 {options}-out {to}");
    let under_passphrase = |legacy: bool| {
        let providers = if legacy {
            "-provider legacy -provider default "
        } else {
            ""
        };
        format!("{providers}-v2 aes-256-cbc ")
    };
    let protection = |encrypted: bool| {
        if encrypted {
            under_passphrase(false)
        } else {
            "-nocrypt ".to_owned()
        }
    };
    match form {
        Form::Utf16 { encoding } => {
            format!("(umask 077; iconv -f {encoding} -t UTF-8 < {from} > {to})")
        }
        Form::Der { encrypted } => {
            pkcs8(&format!("-inform DER {}-in {from} ", protection(encrypted)))
        }
        Form::Base64 { encrypted } => format!(
            "tr -d '[:space:]' < {from} | openssl base64 -d -A | {}",
            pkcs8(&format!("-inform DER {}", protection(encrypted)))
        ),
        Form::Pkcs12 { legacy } => {
            let legacy = if legacy { "-legacy " } else { "" };
            format!("openssl pkcs12 {legacy}-in {from} -nocerts -aes256 -out {to}")
        }
        Form::JavaKeystore { kind } => {
            let store = quoted(&free_name(path, "p12"));
            format!(
                "(umask 077; keytool -importkeystore -srcstoretype {kind} -srckeystore {from} \
                 -deststoretype PKCS12 -destkeystore {store} \
                 && openssl pkcs12 -in {store} -nocerts -aes256 -out {to})"
            )
        }
        Form::Jwk => format!(
            "(umask 077; node -e 'process.stdout.write(crypto.createPrivateKey({{format: \"jwk\", \
             key: JSON.parse(fs.readFileSync(0))}}).export({{type: \"pkcs8\", format: \"pem\"}}))' \
             < {from} > {to})"
        ),
        Form::OpenSsh => format!("ssh-keygen -p -m PKCS8 -f {from}"),
        Form::Putty { encrypted: false } => {
            format!("puttygen {from} -O private-openssh -o {to}")
        }
        // What PuTTY writes under a passphrase, it writes as OpenSSH does.
        Form::Putty { encrypted: true } | Form::Ssh2 => format!(
            "puttygen {from} -O private-openssh-new -o {to} && ssh-keygen -p -m PKCS8 -f {to}"
        ),
        Form::OldPem { legacy } | Form::Encrypted { legacy, .. } => {
            pkcs8(&format!("{}-in {from} ", under_passphrase(legacy)))
        }
    }
}

/// Where what is converted can go without taking the place of anything.
fn free_name(path: &Path, extension: &str) -> PathBuf {
    let numbered = |number: usize| {
        let mut name = path.file_stem().unwrap_or_default().to_owned();
        name.push("-pkcs8");
        if number > 1 {
            name.push(format!("-{number}"));
        }
        name.push(format!(".{extension}"));
        path.with_file_name(name)
    };
    let mut number = 1;
    while numbered(number).symlink_metadata().is_ok() {
        number += 1;
    }
    numbered(number)
}
