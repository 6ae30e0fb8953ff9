//! Keys in the forms of other programs: each is named, and the command that is printed for it is
//! run as it is printed, in a terminal, by the program that it names.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::{keygen, text};
use crate::support::process::{Ended, Home, wait_for};
use crate::support::screen::{Screen, command};

const PASSPHRASE: &str = "secret words";

/// A name that a shell and the options of a command would each make something else of.
const NAME: &str = "-it's $HOME key.old";

/// Said when a command has ended, before its status.
const END: &str = "it ended with ";

/// A folder with `plain.pem`, a key that openssl made, and with what else is made of it.
struct Workshop {
    home: Home,
    fingerprint: String,
}

impl Workshop {
    /// Where openssl is not installed, that is said, and there is none.
    fn open() -> Option<Self> {
        if !super::is_installed() {
            return None;
        }
        let home = Home::new();
        let made = make(&home, "openssl genpkey -algorithm RSA -out plain.pem");
        assert!(made, "openssl makes keys");
        // The form of a key that everybody reads: puttygen does not know PKCS#8.
        let pkcs1 = "openssl rsa -traditional -in plain.pem -out pkcs1.pem";
        assert!(make(&home, pkcs1), "openssl writes keys");
        let arguments = ["--show", "--output", &text(&home.file("plain.pem"))];
        let fingerprint = keygen(&home, &arguments, None);
        Some(Self { home, fingerprint })
    }

    /// One with `certificate.pem` besides, for the same key.
    fn with_certificate() -> Option<Self> {
        let shop = Self::open()?;
        let script =
            "openssl req -x509 -new -key plain.pem -subj /CN=example -days 1 -out certificate.pem";
        assert!(make(&shop.home, script), "openssl makes certificates");
        Some(shop)
    }

    /// Has a script make the file `made`, and gives it the name. Where a program of the script is
    /// not installed, that is said, and there is none.
    fn make(&self, script: &str) -> bool {
        if !make(&self.home, script) {
            return false;
        }
        let file = self.home.file(NAME);
        fs::rename(self.home.file("made"), &file).unwrap();
        fs::set_permissions(file, Permissions::from_mode(0o600)).unwrap();
        true
    }

    fn show(&self) -> Ended {
        let mut show = self.home.e2echat();
        show.args(["keygen", "--show", &format!("--output={NAME}")]);
        show.env("E2ECHAT_PASSPHRASE", PASSPHRASE);
        Ended::of(&mut show)
    }

    /// Checks that a file that is made like this is refused in these words, and that the command
    /// that is printed makes one of it that is the same key.
    #[track_caller]
    fn assert_converted(&self, script: &str, what: &str) {
        if !self.make(script) {
            return;
        }
        let file = self.home.file(NAME);
        let before = fs::read(&file).unwrap();
        let refused = self.show();
        refused.assert_failure(&format!(
            "cannot use the identity {NAME}: {what}, which is not read here"
        ));
        let command = refused.stderr[1].strip_prefix("  convert it with: ");
        let command = command.unwrap_or_else(|| panic!("{script}: {refused:#?}"));
        run_in_a_terminal(&self.home, command);
        let converted = self.converted();
        if converted.is_empty() {
            let shown = keygen(
                &self.home,
                &["--show", "--output", &text(&file)],
                Some(PASSPHRASE),
            );
            assert_eq!(shown, self.fingerprint, "{script}");
            return;
        }
        assert_eq!(fs::read(&file).unwrap(), before, "{script}");
        for file in converted {
            let mode = fs::metadata(&file).unwrap().permissions().mode();
            assert_eq!(mode & 0o077, 0, "{script}: {command}");
            if file.extension().is_some_and(|extension| extension == "pem") {
                let arguments = ["--show", "--output", &text(&file)];
                let shown = keygen(&self.home, &arguments, Some(PASSPHRASE));
                assert_eq!(shown, self.fingerprint, "{script}");
            }
            fs::remove_file(file).unwrap();
        }
    }

    /// The files that a command made.
    fn converted(&self) -> Vec<PathBuf> {
        let entries = fs::read_dir(self.home.path()).unwrap();
        let paths = entries.map(|entry| entry.unwrap().path());
        paths
            .filter(|path| path.to_str().unwrap().contains("-pkcs8."))
            .collect()
    }

    /// Checks that a file that is made like this is refused with this error and hint.
    #[track_caller]
    fn assert_named(&self, script: &str, what: &str, hint: &str) {
        if !self.make(script) {
            return;
        }
        let refused = self.show();
        refused.assert_failure(&format!("cannot use the identity {NAME}: {what}"));
        assert!(refused.stderr[1].contains(hint), "{script}: {refused:#?}");
        for alarm in ["damaged", "make another", "wrong passphrase"] {
            let said = refused.stderr.join("\n");
            assert!(!said.contains(alarm), "{script}: {said}");
        }
    }

    /// Checks that a file that is made like this is the same key.
    #[track_caller]
    fn assert_read(&self, script: &str) {
        if self.make(script) {
            let file = text(&self.home.file(NAME));
            let shown = keygen(&self.home, &["--show", "--output", &file], Some(PASSPHRASE));
            assert_eq!(shown, self.fingerprint, "{script}");
        }
    }
}

/// Runs a script in a folder, if its programs are there.
#[track_caller]
fn make(home: &Home, script: &str) -> bool {
    let path = std::env::var("PATH").unwrap();
    let word = |line: &str| line.split_whitespace().next().map(str::to_owned);
    for program in script.lines().filter_map(word) {
        if !path
            .split(':')
            .any(|folder| Path::new(folder).join(&program).exists())
        {
            println!("skipped: there is no {program} on the PATH");
            return false;
        }
    }
    let mut shell = Command::new("bash");
    home.isolate(&mut shell);
    shell.args(["-e", "-o", "pipefail", "-c", script]);
    let made = Ended::of(&mut shell);
    assert_eq!(made.code(), Some(0), "{script}: {made:#?}");
    true
}

/// Runs a command line in a terminal, in whatever shell the system has, and answers whenever it asks for a passphrase.
#[track_caller]
fn run_in_a_terminal(home: &Home, line: &str) {
    let mut shell = command("sh");
    shell.args(["-c", &format!("{line}\necho {END}$?")]);
    shell.cwd(home.path());
    shell.env("HOME", home.path());
    for name in ["DISPLAY", "SSH_ASKPASS", "SSH_AUTH_SOCK"] {
        shell.env_remove(name);
    }
    let mut screen = Screen::spawn(shell, 50, 300);
    let mut answered = 0;
    let said = wait_for(
        || {
            let said = screen.raw();
            if said.contains(END) {
                return Some(said);
            }
            // Without an echo it is a passphrase that is waited for.
            let asks = said.trim_end().ends_with(':') && !screen.is_cooked();
            if asks && said.len() > answered {
                answered = said.len();
                screen.enter(PASSPHRASE);
            }
            None
        },
        || format!("it never ends: {line}"),
    );
    assert!(said.contains(&format!("{END}0")), "{line}: {said}");
}

#[test]
fn a_key_is_converted_by_the_command_that_is_printed_for_it() {
    let Some(shop) = Workshop::open() else {
        return;
    };
    for (script, what) in [
        (
            "openssl pkcs8 -topk8 -nocrypt -in plain.pem -outform DER -out made",
            "it is in DER",
        ),
        (
            "openssl pkcs8 -topk8 -v2 aes256 -passout 'pass:secret words' -in plain.pem -outform DER -out made",
            "it is in DER",
        ),
        (
            "openssl rsa -traditional -in plain.pem -outform DER -out made",
            "it is in DER",
        ),
        (
            "grep -v -- ----- plain.pem > made",
            "it is base64 without the lines BEGIN and END of PEM",
        ),
        (
            "grep -v -- ----- plain.pem | tr -d '\\n' > made",
            "it is base64 without the lines BEGIN and END of PEM",
        ),
        (
            "openssl pkcs8 -topk8 -v2 aes256 -passout 'pass:secret words' -in plain.pem -outform DER | openssl base64 > made",
            "it is base64 without the lines BEGIN and END of PEM",
        ),
        (
            "openssl pkcs8 -topk8 -provider legacy -provider default -v1 PBE-SHA1-RC2-40 -passout 'pass:secret words' -in plain.pem -outform DER -out made",
            "it is in DER",
        ),
        (
            "sed '/-----/d; s/^/> /; s/$/\\r/' plain.pem > made",
            "it is base64 without the lines BEGIN and END of PEM",
        ),
        (
            "openssl rsa -traditional -des3 -passout 'pass:secret words' -in plain.pem -out made",
            "it is encrypted as PEM was before PKCS#8 (Proc-Type: 4,ENCRYPTED)",
        ),
        (
            "openssl rsa -traditional -aes128 -passout 'pass:secret words' -in plain.pem -out made",
            "it is encrypted as PEM was before PKCS#8 (Proc-Type: 4,ENCRYPTED)",
        ),
        (
            "openssl rsa -provider legacy -provider default -traditional -des -passout 'pass:secret words' -in plain.pem -out made",
            "it is encrypted as PEM was before PKCS#8 (Proc-Type: 4,ENCRYPTED)",
        ),
        (
            "node -e 'fs.writeFileSync(\"made\", JSON.stringify(crypto.createPrivateKey(fs.readFileSync(\"plain.pem\")).export({format: \"jwk\"})))'",
            "it is a JSON Web Key",
        ),
        (
            "node -e 'fs.writeFileSync(\"made\", \"\\ufeff\\n\" + JSON.stringify(crypto.createPrivateKey(fs.readFileSync(\"plain.pem\")).export({format: \"jwk\"})))'",
            "it is a JSON Web Key",
        ),
        (
            "cp plain.pem made\nssh-keygen -q -p -f made -N ''",
            "it is in the format of OpenSSH",
        ),
        (
            "cp plain.pem made\nssh-keygen -q -p -f made -N 'secret words'",
            "it is in the format of OpenSSH",
        ),
        ("puttygen pkcs1.pem -o made", "it is in the format of PuTTY"),
        (
            "puttygen pkcs1.pem -o made --ppk-param version=2",
            "it is in the format of PuTTY",
        ),
        (
            "echo 'secret words' > pass\nputtygen pkcs1.pem --new-passphrase pass -P -o made",
            "it is in the format of PuTTY",
        ),
        (
            "puttygen pkcs1.pem -O private-sshcom -o made",
            "it is in the format of ssh.com",
        ),
        (
            "echo 'secret words' > pass\nputtygen pkcs1.pem --new-passphrase pass -P -O private-sshcom -o made",
            "it is in the format of ssh.com",
        ),
    ] {
        shop.assert_converted(script, what);
    }
    for family in ["UTF-16", "UTF-32"] {
        for order in ["", "LE", "BE"] {
            let script = format!("iconv -t {family}{order} < plain.pem > made");
            shop.assert_converted(&script, &format!("it is text in {family}"));
        }
    }
}

#[test]
fn a_key_under_another_cipher_is_converted_by_the_command_that_is_printed_for_it() {
    let Some(shop) = Workshop::open() else {
        return;
    };
    for (options, cipher) in [
        ("-v1 PBE-SHA1-3DES", "PBES1 (3DES)"),
        ("-v1 PBE-SHA1-2DES", "PBES1 (2-key 3DES)"),
        ("-v1 PBE-MD5-DES", "PBES1 (DES)"),
        ("-v1 PBE-SHA1-DES", "PBES1 (DES)"),
        ("-v1 PBE-SHA1-RC2-40", "PBES1 (RC2)"),
        ("-v1 PBE-SHA1-RC4-128", "PBES1 (RC4)"),
        ("-v2 des3", "3DES"),
        ("-v2 des", "DES"),
        ("-v2 rc2", "RC2"),
        ("-v2 camellia128", "Camellia"),
        ("-v2 camellia256", "Camellia"),
        ("-v2 aria256", "ARIA"),
        ("-v2 aes-256-ofb", "AES in OFB mode"),
        ("-v2 aes-128-ofb", "AES in OFB mode"),
        ("-v2 aes-192-cfb", "AES in CFB mode"),
        ("-v2 aes-128-ecb", "AES in ECB mode"),
        ("-v2 aria-128-cfb", "ARIA"),
        ("-v2 aria-192-ctr", "ARIA"),
        ("-v2 aria-256-ecb", "ARIA"),
        ("-v2 camellia-128-cfb", "Camellia"),
        ("-v2 camellia-256-ctr", "Camellia"),
        ("-v2 sm4-ofb", "SM4"),
        ("-v2 rc4", "RC4"),
        ("-v2 seed-cfb", "SEED"),
        ("-v2 des-cfb", "DES"),
        ("-v2 des-ede", "2-key 3DES"),
        (
            "-v2 aes256 -v2prf hmacWithMD5",
            "PBKDF2 of unusual parameters",
        ),
        (
            "-scrypt -scrypt_N 2 -scrypt_r 1 -scrypt_p 100000",
            "scrypt of unusual parameters",
        ),
    ] {
        let script = format!(
            "openssl pkcs8 -topk8 -provider legacy -provider default -in plain.pem {options} \
             -passout 'pass:secret words' -out made"
        );
        shop.assert_converted(&script, &format!("it is encrypted with {cipher}"));
    }
}

/// What happens to the lines of a file on its way through mails, web pages, variables and editors.
const UNTIDY: [&str; 8] = [
    "sed 's/$/\\r/'",
    "tr '\\n' '\\r'",
    "sed 's/^/    /; s/$/ \\t/'",
    "sed 's/^/> /'",
    "sed '1s/^/my key:\\n/'",
    "sed '1s/^/\\xef\\xbb\\xbf/'",
    "sed 's/^-----B/\\xe2\\x80\\x8b&/; s/$/\\xe2\\x80\\x8b/'",
    "awk '{printf \"%s\\\\n\", $0}'",
];

#[test]
fn a_key_that_its_tool_does_not_read_as_it_stands_is_converted_all_the_same() {
    let Some(shop) = Workshop::with_certificate() else {
        return;
    };
    for untidy in UNTIDY {
        for (script, what) in [
            (
                "cp plain.pem tidy\nchmod 600 tidy\nssh-keygen -q -p -f tidy -N 'secret words'",
                "it is in the format of OpenSSH",
            ),
            (
                "openssl pkcs8 -topk8 -v1 PBE-SHA1-3DES -in plain.pem -passout 'pass:secret words' -out tidy",
                "it is encrypted with PBES1 (3DES)",
            ),
            (
                "openssl rsa -traditional -aes128 -in plain.pem -passout 'pass:secret words' -out tidy",
                "it is encrypted as PEM was before PKCS#8 (Proc-Type: 4,ENCRYPTED)",
            ),
        ] {
            shop.assert_converted(&format!("{script}\n{untidy} < tidy > made"), what);
        }
    }
    // What puttygen would not read is said, and it is to be done by hand.
    for untidy in [
        "sed 's/^/  /'",
        "sed 's/$/ /'",
        "sed '1s/^/\\xef\\xbb\\xbf/'",
    ] {
        for form in ["", "-O private-sshcom"] {
            let made = shop.make(&format!(
                "puttygen pkcs1.pem {form} -o tidy\n{untidy} < tidy > made"
            ));
            let said = shop.show().stderr;
            let first =
                "  save it without anything around its lines, and then convert it with: puttygen ";
            assert!(!made || said[1].starts_with(first), "{untidy}: {said:#?}");
        }
    }
    // On one line.
    for untidy in ["tr '\\n' ' '", "tr -d '\\n'"] {
        shop.assert_converted(
            &format!("cp plain.pem tidy\nssh-keygen -q -p -f tidy -N ''\n{untidy} < tidy > made"),
            "it is in the format of OpenSSH",
        );
    }
    for around in ["certificate.pem tidy", "tidy certificate.pem"] {
        shop.assert_converted(
            &format!("cp plain.pem tidy\nssh-keygen -q -p -f tidy -N ''\ncat {around} > made"),
            "it is in the format of OpenSSH",
        );
    }
}

#[test]
fn a_conversion_that_found_no_key_is_not_taken_for_the_loss_of_one() {
    let Some(shop) = Workshop::with_certificate() else {
        return;
    };
    let made = shop.make(
        "openssl pkcs12 -export -nokeys -in certificate.pem -passout 'pass:secret words' -out made",
    );
    assert!(made, "openssl writes PKCS#12");
    let refused = shop.show();
    let command = refused.stderr[1].strip_prefix("  convert it with: ");
    run_in_a_terminal(&shop.home, command.expect("a command"));
    fs::rename(&shop.converted()[0], shop.home.file(NAME)).unwrap();
    let refused = shop.show();
    refused.assert_failure(&format!("cannot use the identity {NAME}: it is empty"));
    assert!(refused.stderr[1].contains("found no private key to convert"));
    assert!(!refused.stderr[1].contains("make another"));
}

#[test]
fn a_key_in_a_keystore_is_converted_by_the_command_that_is_printed_for_it() {
    let Some(shop) = Workshop::with_certificate() else {
        return;
    };
    for options in [
        "",
        "-legacy",
        "-nomac",
        "-keypbe NONE -certpbe NONE",
        "-keyex",
    ] {
        let script = format!(
            "openssl pkcs12 -export {options} -inkey plain.pem -in certificate.pem -name me \
             -passout 'pass:secret words' -out made"
        );
        shop.assert_converted(&script, "it is a PKCS#12 file");
    }
    for kind in ["JKS", "JCEKS"] {
        let script = format!(
            "openssl pkcs12 -export -inkey plain.pem -in certificate.pem -name me \
             -passout 'pass:secret words' -out store.p12\n\
             keytool -importkeystore -srckeystore store.p12 -srcstorepass 'secret words' \
             -deststoretype {kind} -destkeystore made -deststorepass 'secret words'"
        );
        shop.assert_converted(&script, &format!("it is a Java keystore ({kind})"));
    }
    let script = "certtool --load-privkey plain.pem --load-certificate certificate.pem --to-p12 \
                  --outder --p12-name me --password 'secret words' --outfile made";
    shop.assert_converted(script, "it is a PKCS#12 file");
    let pem = script.replace("--outder", "").replace("made", "tidy");
    shop.assert_converted(&format!("{pem}\ncp tidy made"), "it is a PKCS#12 file");
    for untidy in UNTIDY {
        shop.assert_converted(
            &format!("{pem}\n{untidy} < tidy > made"),
            "it is a PKCS#12 file",
        );
    }
    for options in ["", "-legacy"] {
        let script = format!(
            "openssl pkcs12 -export {options} -inkey plain.pem -in certificate.pem \
             -passout 'pass:secret words' | openssl base64 > made"
        );
        shop.assert_converted(&script, "it is a PKCS#12 file");
    }
}

#[test]
fn what_others_write_is_read_whatever_stands_around_the_key() {
    let Some(shop) = Workshop::with_certificate() else {
        return;
    };
    for script in [
        "openssl rsa -traditional -in plain.pem -out made",
        "openssl pkey -in plain.pem -text -out made",
        "cat certificate.pem plain.pem > made",
        "cat plain.pem certificate.pem certificate.pem > made",
        "openssl pkcs12 -export -inkey plain.pem -in certificate.pem -passout pass:x | openssl pkcs12 -passin pass:x -nodes -out made",
        "openssl pkcs12 -export -inkey plain.pem -in certificate.pem -passout pass:x | openssl pkcs12 -passin pass:x -aes128 -passout 'pass:secret words' -out made",
        "sed 's/$/\\r/' plain.pem > made",
        "sed 's/^/> /' plain.pem > made",
        "sed 's/^/> > /; s/$/\\r/' plain.pem > made",
        "sed 's/^/# /' plain.pem > made",
        "sed 's/.*/\"&\",/' plain.pem > made",
        "openssl pkcs8 -topk8 -in plain.pem -passout 'pass:secret words' | sed 's/^/> /' > made",
        "tr '\\n' '\\r' < plain.pem > made",
        "sed 's/^/    /; s/$/\\t /' plain.pem > made",
        "sed 's/$/\\n/' plain.pem > made",
        "tr -d '\\n' < plain.pem > made",
        "tr '\\n' ' ' < plain.pem > made",
        "awk '{printf \"%s\\\\n\", $0}' plain.pem > made",
        "printf '\\357\\273\\277' | cat - plain.pem > made",
        "certtool --load-privkey plain.pem --to-p8 --password= --outfile made",
        "certtool --load-privkey plain.pem --to-rsa --outfile made",
        "certtool -k --infile plain.pem --outfile made",
        "cp pkcs1.pem made\nssh-keygen -q -p -f made -m PKCS8 -N ''",
        "cp pkcs1.pem made\nssh-keygen -q -p -f made -m PKCS8 -N 'secret words'",
        "cp pkcs1.pem made\nssh-keygen -q -p -f made -m PEM -N ''",
        "puttygen pkcs1.pem -o key.ppk\nputtygen key.ppk -O private-openssh -o made",
        "node -e 'fs.writeFileSync(\"made\", crypto.createPrivateKey(fs.readFileSync(\"plain.pem\")).export({type: \"pkcs8\", format: \"pem\", cipher: \"aes-256-cbc\", passphrase: \"secret words\"}))'",
    ] {
        shop.assert_read(script);
    }
    // PBES2 with whatever HMAC, key length and cost there may be.
    for options in [
        "-v2 aes128 -v2prf hmacWithSHA1",
        "-v2 aes192 -v2prf hmacWithSHA1",
        "-v2 aes256 -v2prf hmacWithSHA1 -iter 1",
        "-v2 aes256 -v2prf hmacWithSHA224",
        "-v2 aes256 -v2prf hmacWithSHA384",
        "-v2 aes256 -v2prf hmacWithSHA512",
        "-scrypt -scrypt_N 1024 -scrypt_r 32 -scrypt_p 2",
        "-scrypt -scrypt_N 4096 -scrypt_r 1 -scrypt_p 40",
    ] {
        shop.assert_read(&format!(
            "openssl pkcs8 -topk8 -in plain.pem {options} -passout 'pass:secret words' -out made"
        ));
    }
    for cipher in ["aes-128", "aes-192", "aes-256"] {
        shop.assert_read(&format!(
            "certtool --load-privkey plain.pem --to-p8 --pkcs-cipher {cipher} --password 'secret words' --outfile made"
        ));
    }
}

#[test]
fn a_sound_key_that_is_not_used_here_is_called_what_it_is() {
    let Some(shop) = Workshop::open() else {
        return;
    };
    let hint = "used here: name another file";
    for (script, what) in [
        (
            "openssl genpkey -algorithm RSA-PSS -out made",
            "it is a key for RSA-PSS, not an ordinary RSA key",
        ),
        (
            "openssl genpkey -algorithm RSA-PSS -pkeyopt rsa_pss_keygen_md:sha256 -outform DER -out made",
            "it is a key for RSA-PSS, not an ordinary RSA key",
        ),
        (
            "openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_primes:3 -out made",
            "it is an RSA key of more than two primes",
        ),
        (
            "openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:4096 -pkeyopt rsa_keygen_primes:4 -out made",
            "it is an RSA key of more than two primes",
        ),
        (
            "openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_pubexp:3 -out made",
            "the public exponent must be 65537",
        ),
        (
            "openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_pubexp:18446744073709551617 -out made",
            "the public exponent must be 65537",
        ),
        (
            "openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:512 -out made",
            "an RSA key must have 2048 to 4096 bits",
        ),
        (
            "openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:1024 -out made",
            "an RSA key must have 2048 to 4096 bits",
        ),
        (
            "openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:4104 -out made",
            "an RSA key must have 2048 to 4096 bits",
        ),
        (
            "openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out made",
            "it is a key for EC, not an ordinary RSA key",
        ),
        (
            "openssl ecparam -name P-256 -genkey -out made",
            "it is a key for EC, not an ordinary RSA key",
        ),
        (
            "openssl ecparam -name P-256 -genkey -noout -outform DER -out made",
            "it is a key for EC, not an ordinary RSA key",
        ),
        (
            "openssl genpkey -algorithm Ed25519 -out made",
            "it is a key for Ed25519, not an ordinary RSA key",
        ),
        (
            "openssl genpkey -algorithm Ed25519 -aes256 -pass 'pass:secret words' -out made",
            "it is a key for Ed25519, not an ordinary RSA key",
        ),
        (
            "ssh-keygen -q -t ed25519 -N '' -f made",
            "it is a key for Ed25519, not an ordinary RSA key",
        ),
        (
            "puttygen -q -t ecdsa --new-passphrase /dev/null -o made",
            "it is a key for EC, not an ordinary RSA key",
        ),
        (
            "gpg --batch --quiet --passphrase '' --pinentry-mode loopback --quick-generate-key ada rsa2048\n\
             gpg --batch --armor --export-secret-keys --output made",
            "it is a key for OpenPGP, not an ordinary RSA key",
        ),
        (
            "age-keygen -o made",
            "it is a key for age, not an ordinary RSA key",
        ),
        (
            "node -e 'fs.writeFileSync(\"made\", JSON.stringify(crypto.generateKeyPairSync(\"ec\", {namedCurve: \"P-256\"}).privateKey.export({format: \"jwk\"})))'",
            "it is a key for EC, not an ordinary RSA key",
        ),
    ] {
        shop.assert_named(script, what, hint);
    }
}

#[test]
fn what_holds_no_private_key_or_two_is_called_what_it_is() {
    let Some(shop) = Workshop::with_certificate() else {
        return;
    };
    let public = "it holds a public key and no private one";
    let certificate = "it holds a certificate and no private key";
    let several = "it holds more than one private key";
    for (script, what) in [
        ("openssl pkey -in plain.pem -pubout -out made", public),
        (
            "openssl pkey -in plain.pem -pubout -outform DER -out made",
            public,
        ),
        (
            "openssl rsa -in plain.pem -RSAPublicKey_out -out made",
            public,
        ),
        (
            "openssl rsa -in plain.pem -RSAPublicKey_out -outform DER -out made",
            public,
        ),
        ("ssh-keygen -y -f plain.pem > made", public),
        ("ssh-keygen -e -f pkcs1.pem > made", public),
        (
            "node -e 'fs.writeFileSync(\"made\", JSON.stringify(crypto.createPublicKey(fs.readFileSync(\"plain.pem\")).export({format: \"jwk\"})))'",
            public,
        ),
        ("cp certificate.pem made", certificate),
        (
            "openssl x509 -in certificate.pem -text -out made",
            certificate,
        ),
        (
            "openssl x509 -in certificate.pem -outform DER -out made",
            certificate,
        ),
        (
            "openssl req -new -key plain.pem -subj /CN=example -out made",
            "it holds no private key",
        ),
        ("cat plain.pem plain.pem > made", several),
        ("cat pkcs1.pem certificate.pem plain.pem > made", several),
    ] {
        let hint = if what == several {
            "copy the one that you mean into a file of its own"
        } else {
            "name the file with the private key that belongs to it"
        };
        shop.assert_named(script, what, hint);
    }
}
