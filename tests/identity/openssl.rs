//! Identity files and the real `openssl`, both ways. What crosses the wire is compared with it in
//! `tests/vectors`, for which it need not be installed.

mod others;

use std::path::Path;
use std::process::{Command, Output, Stdio};

use crate::support::process::Home;

const PASSPHRASE: &str = "correct horse; battery=staple";

/// Whether there is an `openssl` to compare with. Where there is none, a test says so and ends.
fn is_installed() -> bool {
    let found = Command::new("openssl")
        .arg("version")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success());
    if !found {
        println!("skipped: there is no openssl on the PATH");
    }
    found
}

/// What a command wrote to its standard output.
#[track_caller]
fn output(command: &mut Command) -> Vec<u8> {
    let Output {
        status,
        stdout,
        stderr,
    } = command.stdin(Stdio::null()).output().expect("it starts");
    let errors = String::from_utf8_lossy(&stderr);
    assert!(status.success(), "{command:?}: {status}: {errors}");
    stdout
}

#[track_caller]
fn openssl(arguments: &[&str]) -> Vec<u8> {
    output(Command::new("openssl").args(arguments))
}

/// The line of `keygen` with the fingerprint of what it made or read.
#[track_caller]
fn keygen(home: &Home, arguments: &[&str], passphrase: Option<&str>) -> String {
    let mut command = home.e2echat();
    command.arg("keygen").args(arguments);
    if let Some(passphrase) = passphrase {
        command.env("E2ECHAT_PASSPHRASE", passphrase);
    }
    let shown = String::from_utf8(output(&mut command)).expect("UTF-8");
    let fingerprint = shown
        .lines()
        .find_map(|line| line.strip_prefix("fingerprint"))
        .unwrap_or_else(|| panic!("no fingerprint in {shown:?}"));
    fingerprint.trim().to_owned()
}

/// The fingerprint as `openssl` finds it, by itself alone.
#[track_caller]
fn fingerprint_by_openssl(home: &Home, key: &str, passphrase: &str) -> String {
    let [public, digest] = ["public.der", "digest"].map(|name| text(&home.file(name)));
    let pass = format!("pass:{passphrase}");
    let arguments = ["-pubout", "-outform", "DER", "-out", &public];
    openssl(&[&["pkey", "-in", key, "-passin", &pass], &arguments[..]].concat());
    openssl(&["dgst", "-sha256", "-binary", "-out", &digest, &public]);
    let base64 = openssl(&["base64", "-A", "-in", &digest]);
    let base64 = String::from_utf8(base64).expect("base64");
    format!("SHA256:{}", base64.trim_end().trim_end_matches('='))
}

fn text(path: &Path) -> String {
    path.to_str().expect("a path in UTF-8").to_owned()
}

#[test]
fn openssl_reads_what_keygen_writes() {
    if !is_installed() {
        return;
    }
    let home = Home::new();
    for bits in ["2048", "3072"] {
        let file = text(&home.file(bits));
        let made = keygen(&home, &["--output", &file, "--bits", bits], None);
        openssl(&["pkey", "-in", &file, "-check", "-noout"]);
        assert_eq!(fingerprint_by_openssl(&home, &file, ""), made, "{bits}");
        let shown = keygen(&home, &["--show", "--output", &file], None);
        assert_eq!(shown, made, "{bits}");
    }
}

#[test]
fn openssl_reads_what_keygen_writes_under_a_passphrase_and_not_without_it() {
    if !is_installed() {
        return;
    }
    let home = Home::new();
    let file = text(&home.file("identity"));
    let arguments = ["--passphrase", "--output", &file];
    let made = keygen(&home, &arguments, Some(PASSPHRASE));
    assert_eq!(fingerprint_by_openssl(&home, &file, PASSPHRASE), made);
    let shown = keygen(&home, &["--show", "--output", &file], Some(PASSPHRASE));
    assert_eq!(shown, made);
    let wrong = Command::new("openssl")
        .args(["pkey", "-in", &file, "-passin", "pass:wrong", "-noout"])
        .output()
        .unwrap();
    assert!(!wrong.status.success(), "{wrong:?}");
}

#[test]
fn keygen_shows_what_openssl_writes() {
    if !is_installed() {
        return;
    }
    let home = Home::new();
    for bits in ["2048", "3072"] {
        let file = text(&home.file(bits));
        let length = format!("rsa_keygen_bits:{bits}");
        openssl(&[
            "genpkey",
            "-algorithm",
            "RSA",
            "-pkeyopt",
            &length,
            "-out",
            &file,
        ]);
        let shown = keygen(&home, &["--show", "--output", &file], None);
        assert_eq!(shown, fingerprint_by_openssl(&home, &file, ""), "{bits}");
    }
}

#[test]
fn keygen_shows_what_openssl_encrypts() {
    if !is_installed() {
        return;
    }
    let home = Home::new();
    let plain = text(&home.file("plain"));
    openssl(&["genpkey", "-algorithm", "RSA", "-out", &plain]);
    let expected = fingerprint_by_openssl(&home, &plain, "");
    let pass = format!("pass:{PASSPHRASE}");
    for cipher in [&["-v2", "aes256"][..], &["-v2", "aes128"], &["-scrypt"]] {
        let file = text(&home.file("encrypted"));
        let files = ["pkcs8", "-topk8", "-in", &plain, "-out", &file];
        openssl(&[&files[..], &["-passout", &pass], cipher].concat());
        let shown = keygen(&home, &["--show", "--output", &file], Some(PASSPHRASE));
        assert_eq!(shown, expected, "{cipher:?}");
    }
}
