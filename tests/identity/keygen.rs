//! Identity files: made once, never lost, and refused where something is wrong with them.

use nix::sys::stat::Mode;

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;
use std::process::Command;

use nix::sys::signal::Signal;

use crate::support::process::{Client, Ended, Home, Relay, tested_program, wait_for};
use crate::support::screen::Screen;

const PASSPHRASE: &str = "E2ECHAT_PASSPHRASE";

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

/// Writes a file that only its owner can read.
fn write(path: &Path, content: &[u8]) {
    fs::write(path, content).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
}

fn with_passphrase(home: &Home, passphrase: &str, arguments: &[&str]) -> Ended {
    let mut command = home.e2echat();
    Ended::of(command.env(PASSPHRASE, passphrase).args(arguments))
}

/// Everything in a folder, sorted.
fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap();
    let mut names: Vec<String> = entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

/// Checks that both commands that read an identity refuse this one, and leave the file as it was.
#[track_caller]
fn assert_refused(content: &[u8], reason: &str) {
    let home = Home::new();
    let file = home.file("me.pem");
    write(&file, content);
    // No relay is there: the identity is read first.
    let commands: [&[&str]; 2] = [
        &["keygen", "--show", "--output", "me.pem"],
        &[
            "join",
            "127.0.0.1:1",
            "--nick",
            "ada",
            "--identity",
            "me.pem",
        ],
    ];
    for command in commands {
        let ended = home.run(command);
        ended.assert_failure(&format!("cannot use the identity me.pem: {reason}"));
        assert_eq!(ended.stdout, [""; 0]);
    }
    assert_eq!(fs::read(&file).unwrap(), content);
    assert_eq!(mode(&file), 0o600);
}

#[test]
fn an_identity_is_made_where_join_finds_it_and_only_its_owner_can_read_it() {
    let home = Home::new();
    let made = home.run(&["keygen"]);
    assert_eq!(made.code(), Some(0), "{made:#?}");
    let file = home.file("config/e2echat/identity.pem");
    assert_eq!(
        made.stdout[0],
        format!("saved {} (RSA 2048 bits)", file.display())
    );
    assert_eq!(mode(&file), 0o600);
    assert_eq!(names(file.parent().unwrap()), ["identity.pem"]);
    let text = fs::read_to_string(&file).unwrap();
    assert!(text.starts_with("-----BEGIN PRIVATE KEY-----\n"));
    let shown = home.run(&["keygen", "--show"]);
    assert_eq!(shown.code(), Some(0));
    assert_eq!(shown.stdout[1..], made.stdout[1..]);
    assert_eq!(fs::read_to_string(&file).unwrap(), text);
    let fingerprint = made.stdout[1].trim_start_matches("fingerprint").trim();
    let relay = Relay::start(&[]);
    let mut join = home.e2echat();
    join.args(["join", &relay.address().to_string(), "--nick", "ada"]);
    let ada = Client::from_command(&mut join, home);
    let own = format!("* you are ada {fingerprint}");
    ada.wait_for_line("own fingerprint", |line| line == own);
    assert!(
        !ada.lines()
            .iter()
            .any(|line| line.contains("for this run only"))
    );
}

#[test]
fn whoever_makes_the_shortest_key_is_told_once_what_nist_s_dates_mean_for_recordings() {
    let home = Home::new();
    let made = home.run(&["keygen"]);
    let told = made.stderr.join(" ");
    for what in [
        "2048 bits",
        "until 2030",
        "after 2035",
        "recording",
        "--bits 3072",
        "`e2echat join`",
    ] {
        assert!(told.contains(what), "{what}: {made:#?}");
    }
    let guide = include_str!("../../docs/GUIDE.md");
    assert!(guide.contains(&made.stderr.join("\n")), "{made:#?}");
    for arguments in [
        &["keygen", "--show"][..],
        &["keygen", "--force", "--bits", "3072"],
    ] {
        let ended = home.run(arguments);
        assert_eq!(
            (ended.code(), ended.stderr.len()),
            (Some(0), 0),
            "{ended:#?}"
        );
    }
}

#[test]
fn without_a_saved_identity_every_run_has_another_and_nothing_is_saved() {
    let relay = Relay::start(&[]);
    let mut fingerprints = Vec::new();
    for _ in 0..2 {
        let client = Client::join(relay.address(), "ada", &[]);
        client.wait_for_line("notice", |line| line.contains("for this run only"));
        fingerprints.push(client.wait_for_line("own", |line| line.starts_with("* you are ada ")));
        assert_eq!(client.leave().code(), Some(0));
    }
    assert_ne!(fingerprints[0], fingerprints[1]);
}

#[test]
fn an_identity_is_not_replaced_unless_one_says_so() {
    let home = Home::new();
    let made = home.run(&["keygen", "--output", "me.pem"]);
    let file = home.file("me.pem");
    let before = fs::read(&file).unwrap();
    let refused = home.run(&["keygen", "--output", "me.pem"]);
    refused.assert_failure("me.pem exists already");
    assert_eq!(fs::read(&file).unwrap(), before);
    let forced = home.run(&["keygen", "--output", "me.pem", "--force"]);
    assert_eq!(forced.code(), Some(0), "{forced:#?}");
    assert_ne!(fs::read(&file).unwrap(), before);
    assert_ne!(forced.stdout, made.stdout);
    assert_eq!(mode(&file), 0o600);
    assert_eq!(names(home.path()), ["me.pem"]);
}

#[test]
fn whatever_is_in_the_way_is_not_replaced_either() {
    let home = Home::new();
    fs::create_dir(home.file("folder")).unwrap();
    symlink("nowhere", home.file("link")).unwrap();
    write(&home.file("empty"), b"");
    for name in ["folder", "link", "empty"] {
        let ended = home.run(&["keygen", "--output", name]);
        ended.assert_failure(&format!("{name} exists already"));
    }
    assert_eq!(names(home.path()), ["empty", "folder", "link"]);
    let forced = home.run(&["keygen", "--output", "folder", "--force"]);
    assert_eq!(forced.code(), Some(1), "{forced:#?}");
    assert_eq!(forced.stderr.len(), 2, "{forced:#?}");
    assert!(home.file("folder").is_dir());
}

#[test]
fn a_replaced_identity_that_others_could_read_is_closed_to_them() {
    let home = Home::new();
    write(&home.file("me.pem"), b"old");
    fs::set_permissions(home.file("me.pem"), fs::Permissions::from_mode(0o644)).unwrap();
    let forced = home.run(&["keygen", "--output", "me.pem", "--force"]);
    assert_eq!(forced.code(), Some(0), "{forced:#?}");
    assert_eq!(mode(&home.file("me.pem")), 0o600);
}

#[test]
fn a_disk_that_is_full_leaves_what_was_there() {
    let home = Home::new();
    assert_eq!(home.run(&["keygen", "--output", "me.pem"]).code(), Some(0));
    let before = fs::read(home.file("me.pem")).unwrap();
    // A limit on the size of files fails a write half way, as a full disk does.
    for (name, options) in [("me.pem", "--force"), ("new.pem", "")] {
        let program = tested_program();
        let script = format!(
            "trap '' XFSZ; ulimit -f 1; exec '{program}' keygen --output {name} {options} --bits 4096"
        );
        let mut shell = Command::new("sh");
        home.isolate(shell.args(["-c", &script]));
        let ended = Ended::of(&mut shell);
        ended.assert_failure(&format!("cannot write {name}: file too large"));
        assert!(ended.stderr[1].starts_with("  nothing was changed"));
    }
    assert_eq!(fs::read(home.file("me.pem")).unwrap(), before);
    assert_eq!(names(home.path()), ["me.pem"]);
}

#[test]
fn an_identity_that_others_can_read_is_refused_and_says_how_to_close_it() {
    let home = Home::new();
    home.run(&["keygen", "--output", "me.pem"]);
    for open in [0o640, 0o604, 0o660] {
        fs::set_permissions(home.file("me.pem"), fs::Permissions::from_mode(open)).unwrap();
        let ended = home.run(&["keygen", "--show", "--output", "me.pem"]);
        ended.assert_failure("others can read the identity me.pem");
        assert_eq!(ended.stderr[1], "  close it with: chmod 600 'me.pem'");
        assert_eq!(mode(&home.file("me.pem")), open);
    }
}

#[test]
fn an_identity_that_is_not_there() {
    let ended = Home::new().run(&["keygen", "--show", "--output", "identity.pem"]);
    assert_eq!(ended.code(), Some(1));
    assert!(ended.stderr[0].ends_with("identity.pem: no such file or directory"));
    assert_eq!(
        ended.stderr[1],
        "  check the path, or make one with `e2echat keygen --output`"
    );
}

#[test]
fn a_folder_and_a_file_of_a_megabyte() {
    let home = Home::new();
    fs::create_dir(home.file("folder")).unwrap();
    write(&home.file("large"), &vec![b'x'; 1 << 20]);
    for name in ["folder", "large"] {
        let ended = home.run(&["keygen", "--show", "--output", name]);
        ended.assert_failure(&format!("{name} is not an identity file"));
    }
}

#[test]
fn what_is_no_pem_at_all() {
    assert_refused(b"", "it is empty");
    assert_refused(b"\n \n", "it is empty");
    assert_refused(b"correct horse battery staple", "not a PEM file");
    assert_refused(&[0xff, 0, 0x80, b'\n'], "not a PEM file");
}

#[test]
fn a_pipe_is_not_waited_for() {
    let home = Home::new();
    nix::unistd::mkfifo(&home.file("pipe"), Mode::S_IRUSR | Mode::S_IWUSR).unwrap();
    let ended = home.run(&["keygen", "--show", "--output", "pipe"]);
    ended.assert_failure("pipe is not an identity file");
}

#[test]
fn keys_of_another_kind() {
    let public = "it holds a public key and no private one";
    assert_refused(include_bytes!("../keys/public.pem"), public);
    let certificate = "it holds a certificate and no private key";
    assert_refused(include_bytes!("../keys/certificate.pem"), certificate);
    let [ec, pss] =
        ["EC", "RSA-PSS"].map(|name| format!("it is a key for {name}, not an ordinary RSA key"));
    assert_refused(include_bytes!("../keys/ec.pem"), &ec);
    assert_refused(include_bytes!("../keys/rsa_pss.pem"), &pss);
}

#[test]
fn keys_that_are_too_weak() {
    let size = "an RSA key must have 2048 to 4096 bits";
    assert_refused(include_bytes!("../keys/rsa_1024.pem"), size);
    let exponent = "the public exponent must be 65537";
    assert_refused(include_bytes!("../keys/rsa_exponent_3.pem"), exponent);
}

/// The library of this program does not take them, and other programs do.
#[test]
fn keys_whose_primes_differ_in_length_are_not_called_damaged() {
    for key in [
        &include_bytes!("../keys/rsa_uneven_by_python_rsa_4.9.1.pem")[..],
        include_bytes!("../keys/rsa_uneven_1025_1023_by_cryptography_48.0.0.pem"),
    ] {
        assert_refused(key, "it is an RSA key whose primes differ in length");
        // Where one of its numbers is another, it is damaged as any key is.
        for place in [100, 900, 1400] {
            let mut damaged = key.to_owned();
            damaged[place] = if damaged[place] == b'A' { b'B' } else { b'A' };
            assert_refused(&damaged, "damaged");
        }
    }
}

/// RFC 8017 §3.2 has private exponents below the modulus, and OpenSSL takes any that fits.
#[test]
fn a_key_with_a_longer_private_exponent_than_is_needed_is_read() {
    let reduced = include_bytes!("../keys/rsa_exponent_reduced_by_cryptography_48.0.0.pem");
    for key in [
        &include_bytes!("../keys/rsa_exponent_above_modulus.pem")[..],
        include_bytes!("../keys/rsa_exponent_of_2058_bits.pem"),
    ] {
        assert_read(key, reduced);
        // Where one of its numbers is another, it is damaged as any key is.
        for place in [100, 500, 700, 900, 1100, 1400, 1600] {
            let mut damaged = key.to_owned();
            damaged[place] = if damaged[place] == b'A' { b'B' } else { b'A' };
            assert_refused(&damaged, "damaged");
        }
    }
}

/// Checks that a file is read as the key of `tests/vectors` that it was made of.
#[track_caller]
fn assert_read(content: &[u8], expected: &[u8]) {
    let home = Home::new();
    let show = |content| {
        write(&home.file("me.pem"), content);
        let shown = home.run(&["keygen", "--show", "--output", "me.pem"]);
        let text = String::from_utf8_lossy(content).into_owned();
        assert_eq!(shown.code(), Some(0), "{text}\n{shown:#?}");
        shown.stdout
    };
    assert_eq!(show(content), show(expected));
}

#[test]
fn what_stands_around_a_key_and_how_its_lines_are_cut_does_not_matter() {
    let key = include_str!("../vectors/keys/ada_identity.pem");
    let certificate = include_str!("../keys/certificate.pem");
    let body = key.lines().filter(|line| !line.starts_with("-----"));
    let body: String = body.collect();
    let (begin, end) = ("-----BEGIN PRIVATE KEY-----", "-----END PRIVATE KEY-----");
    let width = |width: usize| {
        let lines = body.as_bytes().chunks(width).map(<[u8]>::to_vec);
        String::from_utf8(lines.collect::<Vec<_>>().join(&b'\n')).unwrap()
    };
    for text in [
        format!("\u{feff}{key}"),
        // What web pages put between lines, and where a word may be parted: nobody sees it.
        key.replace('\n', "\u{200b}\n"),
        key.replace('\n', "\n\u{200b}"),
        format!("\u{200b}{key}"),
        key.replace('\n', "\u{feff}\n"),
        key.replace('\n', "\n\u{2060}"),
        key.replace('\n', "\u{200e}\n\u{a0}"),
        key.replace('M', "\u{ad}M")
            .replace("PRIVATE ", "PRIVATE\u{a0}"),
        key.replace('\n', "\u{2028}"),
        key.replace('\n', "\n> "),
        format!("> {}", key.replace('\n', "\r\n> ")),
        format!("| {}", key.replace('\n', "\n| ")),
        format!("# my key\n{key}"),
        format!("{key}\n# my key\n"),
        format!("{key}{certificate}"),
        format!("{certificate}{key}"),
        format!("\n\n{}\n\n", key.trim_end()),
        key.trim_end().to_owned(),
        key.replace('\n', "\r\n"),
        key.replace('\n', "\r"),
        key.replace('\n', " \t\n"),
        key.replace('\n', "\n\n"),
        key.replace('\n', "\n  "),
        key.replace('\n', " "),
        key.replace('\n', "\\n"),
        key.replace('\n', "\\r\\n"),
        format!("{begin}\n{body}\n{end}\n"),
        format!("{begin}\n{}\n{end}\n", width(76)),
        format!("{begin}\n{}\n{end}\n", width(1)),
        format!("{begin}\nComment: my key\n\n{body}\n{end}\n"),
        key.replace("PRIVATE", "RSA PRIVATE"),
        key.replace("PRIVATE", "ENCRYPTED PRIVATE"),
    ] {
        assert_read(text.as_bytes(), key.as_bytes());
    }
}

#[test]
fn a_key_in_pkcs1_is_read_under_either_label() {
    let pkcs1 = include_str!("../keys/pkcs1.pem");
    assert_read(
        pkcs1.replace("RSA PRIVATE", "PRIVATE").as_bytes(),
        pkcs1.as_bytes(),
    );
    let smaller = include_bytes!("../keys/rsa_smaller_prime_first_by_cryptography_48.0.0.pem");
    assert_read(smaller, smaller);
}

#[test]
fn a_passphrase_opens_the_file_in_either_spelling_of_its_accents() {
    let (composed, decomposed) = (
        "f\u{fc}r K\u{e4}the \u{c5}",
        "fu\u{308}r Ka\u{308}the A\u{30a}",
    );
    // Half of each, as by two keyboards.
    let mixed = "f\u{fc}r Ka\u{308}the \u{212b}";
    for made in [composed, decomposed] {
        let home = Home::new();
        let saved = with_passphrase(&home, made, &["keygen", "--passphrase"]);
        for typed in [composed, decomposed, mixed] {
            let shown = with_passphrase(&home, typed, &["keygen", "--show"]);
            assert_eq!(shown.code(), Some(0), "{typed}: {shown:#?}");
            assert_eq!(shown.stdout[1..], saved.stdout[1..]);
        }
        let without = with_passphrase(&home, "fur Kathe A", &["keygen", "--show"]);
        assert!(without.stderr[0].ends_with(": wrong passphrase"));
    }
}

#[test]
fn a_file_with_an_odd_name_is_closed_by_the_command_that_is_printed() {
    let home = Home::new();
    for name in ["it's me.pem", "-me.pem", "$HOME.pem", "a\tb\n.pem"] {
        let option = format!("--output={name}");
        assert_eq!(home.run(&["keygen", &option]).code(), Some(0), "{name}");
        fs::set_permissions(home.file(name), fs::Permissions::from_mode(0o644)).unwrap();
        let refused = home.run(&["keygen", "--show", &option]);
        let command = refused.stderr.last().unwrap();
        let command = command.strip_prefix("  close it with: ").unwrap();
        let mut shell = Command::new("bash");
        home.isolate(shell.args(["-c", command]));
        assert_eq!(Ended::of(&mut shell).code(), Some(0), "{command}");
        assert_eq!(mode(&home.file(name)), 0o600, "{command}");
    }
}

#[test]
fn a_file_that_was_cut_short_anywhere() {
    let home = Home::new();
    home.run(&["keygen", "--output", "me.pem"]);
    let whole = fs::read(home.file("me.pem")).unwrap();
    for length in [15, 40, 500, 1000, whole.len() - 30, whole.len() - 2] {
        assert_refused(&whole[..length], "damaged");
    }
}

#[test]
fn one_flipped_character() {
    let home = Home::new();
    home.run(&["keygen", "--output", "me.pem"]);
    let whole = fs::read(home.file("me.pem")).unwrap();
    // From the algorithm's name over every number of the key to the last line.
    let body = "-----BEGIN PRIVATE KEY-----\n".len();
    for place in (body..whole.len() - 30).step_by(29) {
        let mut damaged = whole.clone();
        damaged[place] = match damaged[place] {
            b'A' => b'B',
            b'\n' => b'!',
            _ => b'A',
        };
        write(&home.file("damaged.pem"), &damaged);
        let ended = home.run(&["keygen", "--show", "--output", "damaged.pem"]);
        assert_eq!(ended.code(), Some(1), "character {place}: {ended:#?}");
        assert_eq!(ended.stderr.len(), 2, "character {place}: {ended:#?}");
        let error = "e2echat: error: cannot use the identity damaged.pem: ";
        assert!(
            ended.stderr[0].starts_with(error),
            "character {place}: {ended:#?}"
        );
        assert_eq!(fs::read(home.file("damaged.pem")).unwrap(), damaged);
    }
}

#[test]
fn a_passphrase_protects_the_file() {
    let home = Home::new();
    let made = with_passphrase(&home, "open sesame", &["keygen", "--passphrase"]);
    assert_eq!(made.code(), Some(0), "{made:#?}");
    let file = home.file("config/e2echat/identity.pem");
    let before = fs::read(&file).unwrap();
    assert!(before.starts_with(b"-----BEGIN ENCRYPTED PRIVATE KEY-----\n"));
    assert_eq!(mode(&file), 0o600);
    let shown = with_passphrase(&home, "open sesame", &["keygen", "--show"]);
    assert_eq!(shown.stdout[1..], made.stdout[1..]);
    for wrong in ["open sesam", "", "open sesame "] {
        let refused = with_passphrase(&home, wrong, &["keygen", "--show"]);
        let shown = file.display();
        refused.assert_failure(&format!(
            "cannot use the identity {shown}: wrong passphrase"
        ));
    }
    assert_eq!(fs::read(&file).unwrap(), before);
}

#[test]
fn an_empty_passphrase_is_none() {
    let home = Home::new();
    let refused = with_passphrase(&home, "", &["keygen", "--passphrase"]);
    refused.assert_failure("the passphrase is empty");
    assert_eq!(names(home.path()), [""; 0]);
}

/// A user with an identity in `me.pem`, which a passphrase protects.
fn protected() -> Home {
    let home = Home::new();
    let arguments = ["keygen", "--passphrase", "--output", "me.pem"];
    let made = with_passphrase(&home, "open sesame", &arguments);
    assert_eq!(made.code(), Some(0), "{made:#?}");
    home
}

/// Commands that ask, what is answered first, and the question that follows.
const PROMPTS: [(&[&str], &[&str], &str); 6] = [
    (&["keygen", "--passphrase"], &[], "new passphrase: "),
    (&["keygen", "--passphrase"], &["open"], "the same again: "),
    (
        &["keygen", "--show", "--output", "me.pem"],
        &[],
        "passphrase: ",
    ),
    (
        &[
            "join",
            "127.0.0.1:1",
            "--nick",
            "ada",
            "--identity",
            "me.pem",
        ],
        &[],
        "passphrase: ",
    ),
    (
        &[
            "serve",
            "--nick",
            "ada",
            "--bind",
            "127.0.0.1",
            "--port",
            "0",
            "--identity",
            "me.pem",
        ],
        &[],
        "passphrase: ",
    ),
    (&["join", "--nick", "bob"], &[], "invite: "),
];

/// A command at its question, with the terminal showing nothing of what is typed.
fn asked(home: &Home, arguments: &[&str], answers: &[&str], question: &str) -> Screen {
    let mut screen = Screen::e2echat(home, arguments, 24, 80);
    for answer in answers {
        screen.wait_for("question", |shown| shown.trim_end().ends_with(':'));
        screen.enter(answer);
    }
    screen.wait_for(question, |shown| {
        shown.trim_end().ends_with(question.trim_end())
    });
    wait_for(
        || (!screen.is_cooked()).then_some(()),
        || "what is typed is shown".to_owned(),
    );
    screen
}

/// How a question ends, by a key or a signal, and the signal that the shell learns of.
type End = (&'static str, fn(&mut Screen), Option<&'static str>);

#[test]
fn however_a_question_ends_the_terminal_is_as_before() {
    let home = protected();
    let ends: [End; 7] = [
        ("Ctrl-C", |it| it.press("\x03"), Some("Interrupt")),
        ("Ctrl-\\", |it| it.press("\x1c"), Some("Quit")),
        ("SIGINT", |it| it.signal(Signal::SIGINT), Some("Interrupt")),
        (
            "SIGTERM",
            |it| it.signal(Signal::SIGTERM),
            Some("Terminated"),
        ),
        ("SIGHUP", |it| it.signal(Signal::SIGHUP), Some("Hangup")),
        ("Ctrl-D", |it| it.press("\x04"), None),
        ("wrong answers", |it| it.type_text("x\ry\rx\rz\r"), None),
    ];
    for (arguments, answers, question) in PROMPTS {
        for (how, end, signal) in ends {
            let mut screen = asked(&home, arguments, answers, question);
            // Something is half typed.
            if how != "Ctrl-D" {
                screen.type_text("half");
            }
            end(&mut screen);
            let status = screen.wait_exit();
            let case = format!("{arguments:?}, {question}, {how}: {status:?}");
            assert!(screen.is_cooked(), "{case} leaves the terminal raw");
            assert!(!status.success(), "{case}");
            assert_eq!(status.signal(), signal, "{case}");
            assert!(!screen.raw().contains("half"), "{case}");
        }
    }
    assert_eq!(names(home.path()), ["me.pem"]);
}

#[test]
fn a_question_that_is_stopped_lends_the_terminal_to_the_shell() {
    let home = Home::new();
    let mut shell = Screen::shell(
        &home,
        "set -m; e2echat keygen --passphrase --output me.pem; echo stopped; read -r line
        fg; echo \"ended: $?\"",
    );
    shell.wait_for("question", |shown| shown.contains("new passphrase:"));
    shell.press("\x1a");
    shell.wait_for("shell", |shown| shown.contains("stopped"));
    assert!(shell.is_cooked());
    shell.enter("go on");
    wait_for(
        || (!shell.is_cooked()).then_some(()),
        || format!("what is typed is shown: {}", shell.contents()),
    );
    shell.enter("open sesame");
    shell.wait_for("question", |shown| shown.contains("the same again:"));
    shell.enter("open sesame");
    shell.wait_for("end", |shown| shown.contains("ended: 0"));
    assert!(shell.is_cooked());
    assert!(!shell.raw().contains("sesame"), "{}", shell.raw());
    let shown = with_passphrase(
        &home,
        "open sesame",
        &["keygen", "--show", "--output", "me.pem"],
    );
    assert_eq!(shown.code(), Some(0), "{shown:#?}");
}

#[test]
fn a_wrong_passphrase_can_be_tried_again_and_what_is_typed_ahead_is_tried() {
    let home = protected();
    let (arguments, answers, question) = PROMPTS[2];
    // The second and third are typed while the one before is being tried.
    let mut screen = asked(&home, arguments, answers, question);
    screen.type_text("wrong\ropen sesam\ropen sesame\r");
    assert!(screen.wait_exit().success(), "{}", screen.contents());
    let shown = screen.contents();
    assert_eq!(shown.matches("wrong passphrase, try again:").count(), 2);
    assert!(shown.contains("fingerprint "), "{shown}");
    assert!(!screen.raw().contains("sesam"), "{}", screen.raw());
    // A program that answers has one try.
    let refused = with_passphrase(&home, "wrong", arguments);
    refused.assert_failure("cannot use the identity me.pem: wrong passphrase");
}

#[test]
fn an_answer_has_nothing_of_the_keys_with_which_it_was_edited() {
    let home = protected();
    let (arguments, answers, question) = PROMPTS[2];
    for typed in [
        "oops\x15open sesame",
        "open\x1b[C sex\x7fsame",
        "\x1b[200~open sesame\x1b[201~",
    ] {
        let mut screen = asked(&home, arguments, answers, question);
        screen.enter(typed);
        assert!(screen.wait_exit().success(), "{}", screen.contents());
    }
}

#[test]
fn what_is_typed_behind_questions_that_fail_is_not_for_the_shell() {
    let home = protected();
    for (command, question, typed) in [
        ("join --nick bob", "invite:", "lobby"),
        // Rows of the program's own, and no invite in them.
        (
            "join --nick bob",
            "invite:",
            "* friends join with:\r* nobody",
        ),
        (
            "join --nick bob",
            "invite:",
            "127.0.0.1:1/inv-0000-0000-0000-0000-0000-gk4g",
        ),
        ("keygen --passphrase", "new passphrase:", "one\rother"),
        (
            "keygen --show --output me.pem",
            "passphrase:",
            "wrong\rwrong\rwrong",
        ),
        (
            "join 127.0.0.1:1 --nick ada --identity me.pem",
            "passphrase:",
            "open sesame",
        ),
    ] {
        let mut shell = Screen::shell(
            &home,
            &format!("e2echat {command}; echo \"ended: $?\"; read -r rest; echo \"read: $rest\""),
        );
        shell.wait_for(question, |shown| shown.contains(question));
        shell.type_text(&format!("{typed}\rrm -rf everything\rand more"));
        shell.wait_for("end", |shown| shown.contains("ended: "));
        shell.enter("nothing");
        let shown = shell.wait_for("line", |shown| shown.contains("read: "));
        assert!(shown.contains("read: nothing"), "{command}: {shown}");
        assert!(!shown.contains("ended: 0"), "{command}: {shown}");
    }
}

#[test]
fn what_is_typed_behind_questions_that_succeed_is_for_nobody_either() {
    let home = protected();
    let mut shell = Screen::shell(
        &home,
        "e2echat keygen --show --output me.pem; read -r rest; echo \"read: $rest\"",
    );
    shell.wait_for("question", |shown| shown.contains("passphrase:"));
    shell.type_text("open sesame\ropen sesame\ropen");
    shell.wait_for("fingerprint", |shown| shown.contains("SHA256:"));
    shell.enter("nothing");
    shell.wait_for("line", |shown| shown.contains("read: nothing"));
}

#[test]
fn a_passphrase_that_is_typed_once_too_often_is_not_said_in_the_room() {
    let relay = Relay::start(&[]);
    let bob = Client::join(relay.address(), "bob", &[]);
    let home = protected();
    for (output, hello) in [("", "hello there"), (" | tee chat.txt", "hello again")] {
        let join = format!(
            "e2echat join {} --nick ada --identity me.pem{output}; echo \"ended: $?\"",
            relay.address()
        );
        let mut shell = Screen::shell(&home, &join);
        shell.wait_for("question", |shown| shown.contains("passphrase:"));
        shell.type_text("wrong\ropen sesame\ropen sesame, is it not?\r");
        shell.wait_for("room", |shown| {
            shown.contains("here: bob") || shown.contains("bob SHA256")
        });
        shell.enter(hello);
        bob.wait_for_message("ada", hello);
        shell.enter("/quit");
        shell.wait_for("end", |shown| shown.contains("ended: 0"));
    }
    let heard = bob.lines();
    assert!(
        !heard.iter().any(|line| line.contains("sesame")),
        "{heard:?}"
    );
}
