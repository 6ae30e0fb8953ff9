//! The errors for files that are no identity: what each is, and what to do about it.

use std::path::{Path, PathBuf};

use crate::cipher::pem::{Form, PemError, Protection, is_tidy};

use super::super::failure;
use super::super::shell::quoted;

const LOST: &str = "restore it from a copy, or make another with `e2echat keygen`";
const EMPTY: &str = "if a command made it, see what that one said: it failed, or found no private key \
                     to convert; otherwise restore it from a copy";
const PUBLIC: &str = "name the file with the private key that belongs to it";
const SOUND: &str = "nothing is wrong with it, but it cannot be used here: name another file, or \
                     see `e2echat keygen --help`";
const UNUSED: &str =
    "such keys are not used here: name another file, or see `e2echat keygen --help`";

/// The error for the file at `path`, whose bytes are `file`.
pub(super) fn explain(path: &Path, file: &[u8], error: PemError) -> anyhow::Error {
    let (what, hint) = match error {
        PemError::Form(form) => return unread(path, file, form),
        PemError::Empty => ("it is empty".to_owned(), EMPTY),
        PemError::Damaged => ("damaged".to_owned(), LOST),
        PemError::NotPem => (
            "not a PEM file".to_owned(),
            "name the file that `e2echat keygen` made, or one with an RSA private key",
        ),
        PemError::WrongPassphrase => (
            "wrong passphrase".to_owned(),
            "try again; without the passphrase the identity is lost",
        ),
        PemError::Protected => (
            "it is under a passphrase".to_owned(),
            "put that into E2ECHAT_PASSPHRASE",
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

/// The error for a form that only other programs read, with the command that converts it.
fn unread(path: &Path, file: &[u8], form: Form) -> anyhow::Error {
    let what = match form {
        Form::WideText { encoding } => {
            let family = encoding.trim_end_matches("LE").trim_end_matches("BE");
            format!("it is text in {family}")
        }
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
    let first = match form {
        Form::Putty { .. } | Form::Ssh2 if is_padded(file) => {
            "save it without anything around its lines, and then "
        }
        _ => "",
    };
    let shell = if cfg!(windows) {
        " in a POSIX shell"
    } else {
        ""
    };
    let shown = path.display();
    failure(
        format!("cannot use the identity {shown}: {what}, which is not read here"),
        &format!(
            "{first}convert it{shell} with: {}",
            command(path, is_tidy(file), form)
        ),
    )
}

/// Whether a file has something before its first line, or around one of its lines, that `puttygen` does
/// not skip.
fn is_padded(file: &[u8]) -> bool {
    let mut lines = file.split(|byte| b"\r\n".contains(byte));
    !file.contains(&b'\n')
        || !file.starts_with(b"PuTTY") && !file.starts_with(b"----")
        || lines.any(|line| line.trim_ascii() != line)
}

/// A command line for a POSIX shell that converts the file at `path` and writes a new file. Only
/// `ssh-keygen` changes the file itself, as it can do nothing else. `tidy` says whether tools read the
/// PEM as it is.
fn command(path: &Path, tidy: bool, form: Form) -> String {
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
    let protected = |protection| match protection {
        Protection::None => "-nocrypt ".to_owned(),
        Protection::Passphrase => under_passphrase(false),
        Protection::LegacyPassphrase => under_passphrase(true),
    };
    let tidied = format!("{TIDY_LINES} < {from} | {TIDY_BLOCK}");
    match form {
        Form::WideText { encoding } => {
            format!("(umask 077; iconv -f {encoding} -t UTF-8 < {from} > {to})")
        }
        Form::Der { protection } => {
            pkcs8(&format!("-inform DER {}-in {from} ", protected(protection)))
        }
        Form::Base64 { protection } => format!(
            "{} | {}",
            decoded(&from),
            pkcs8(&format!("-inform DER {}", protected(protection)))
        ),
        Form::Pkcs12 { base64, legacy } => {
            let legacy = if legacy { "-legacy " } else { "" };
            let to = format!("-nocerts -aes256 -out {to}");
            if base64 {
                format!("{} | openssl pkcs12 {legacy}{to}", decoded(&from))
            } else {
                format!("openssl pkcs12 {legacy}-in {from} {to}")
            }
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
             key: JSON.parse(fs.readFileSync(0, \"utf8\").trim())}}).export({{type: \"pkcs8\", \
             format: \"pem\"}}))' \
             < {from} > {to})"
        ),
        Form::OpenSsh if !tidy => {
            format!("(umask 077; {tidied} > {to}; ssh-keygen -p -m PKCS8 -f {to})")
        }
        Form::OpenSsh => format!("ssh-keygen -p -m PKCS8 -f {from}"),
        Form::Putty { encrypted: false } => {
            format!("puttygen {from} -O private-openssh -o {to}")
        }
        // Under a passphrase, PuTTY writes a key in the format of OpenSSH, which `ssh-keygen` converts.
        Form::Putty { encrypted: true } | Form::Ssh2 => format!(
            "puttygen {from} -O private-openssh-new -o {to} && ssh-keygen -p -m PKCS8 -f {to}"
        ),
        Form::OldPem { legacy } | Form::Encrypted { legacy, .. } => {
            let protection = under_passphrase(legacy);
            if tidy {
                pkcs8(&format!("{protection}-in {from} "))
            } else {
                format!("{tidied} | {}", pkcs8(&protection))
            }
        }
    }
}

/// Puts line breaks where the lines of a PEM end, whatever stands there instead.
const TIDY_LINES: &str = r#"awk '{gsub(/-----[BE][A-Z ]*-----/,"\n&\n");gsub(/\\[nr]|\r/,"\n")}1'"#;

/// Removes what does not belong to the PEM, around its lines and in them.
const TIDY_BLOCK: &str = "sed -n '/BEGIN .*PRIVATE/,/-----END/{/[-:]/!s,[^A-Za-z0-9+/=],,g;\
                          s,^[^-A-Za-z0-9+/=]*,,;/^DEK-Info/G;/./p;}'";

/// The command that decodes the base64 in a file, with or without the lines around it.
fn decoded(from: &str) -> String {
    format!(
        r"tr -d '\r\n' < {from} | sed 's/.*-----BEGIN [A-Z0-9 ]*-----//;s/-----END.*//;s/\\[nr]//g' | tr -cd 'A-Za-z0-9+/=' | openssl base64 -d -A"
    )
}

/// A name for the converted file, next to the file at `path`, that no file has yet.
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
