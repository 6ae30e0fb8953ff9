//! `join --log`: what is shown is written down, for its owner alone, and only where that was asked
//! for.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod support;

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;

use nix::sys::stat::Mode;
use nix::unistd::mkfifo;

use support::process::{Client, Home, Relay, wait_for};
use support::screen::Screen;

/// The lines of a log without the time, which each must have.
fn lines(path: &Path) -> Vec<String> {
    let text = fs::read_to_string(path).unwrap_or_default();
    let lines = text.lines().map(|line| {
        let (time, rest) = line.split_at(20);
        let shape: String = time
            .chars()
            .map(|c| if c.is_ascii_digit() { '0' } else { c })
            .collect();
        assert_eq!(shape, "0000-00-00 00:00:00 ", "{line}");
        rest.to_owned()
    });
    lines.collect()
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

/// Waits until there is such a line in a log.
#[track_caller]
fn wait_for_logged(path: &Path, expected: &str) {
    wait_for(
        || lines(path).contains(&expected.to_owned()).then_some(()),
        || format!("no {expected} in {:#?}", lines(path)),
    );
}

#[test]
fn all_that_is_shown_is_appended_and_private() {
    let relay = Relay::start(&[]);
    let home = Home::new();
    let log = home.file("log");
    let options = ["--log", "log"];
    let mut ada = Client::join_from(&home, relay.address(), "ada", &options);
    assert_eq!(mode(&log), 0o600);
    let mut bob = Client::join(relay.address(), "bob", &[]);
    bob.say("* carl joined\t\u{1b}[2J");
    wait_for_logged(&log, "<bob> * carl joined    \u{fffd}[2J");
    ada.say("my own words");
    wait_for_logged(&log, "<ada> my own words");
    assert_eq!(ada.leave().code(), Some(0));
    let first = lines(&log);

    // Who comes again goes on, in the same file, and nobody else reads along any longer.
    fs::set_permissions(&log, Permissions::from_mode(0o644)).unwrap();
    let ada = Client::join_from(&home, relay.address(), "ada", &options);
    assert_eq!(mode(&log), 0o600);
    assert_eq!(ada.leave().code(), Some(0));
    let both = lines(&log);
    let (before, after) = both.split_at(first.len());
    assert_eq!(before, first);
    let begins = |log: &[String]| log[0].clone();
    assert_eq!(begins(&first), begins(after));
    assert_eq!(
        begins(&first),
        "* all that is shown here is also written to log"
    );
}

#[test]
fn it_is_announced_on_the_screen_and_answers_are_written_too() {
    let relay = Relay::start(&[]);
    let home = Home::new();
    let log = home.file("my log");
    let path = log.display().to_string();
    let address = relay.address().to_string();
    let mut ada = Screen::join(
        &home,
        &address,
        "ada",
        &["--log", &path, "--color", "always"],
    );
    let announced = format!("* all that is shown here is also written to {path}");
    ada.wait_for_row("announcement", |row| row == announced);
    wait_for_logged(&log, &announced);
    ada.enter("/help whois");
    wait_for(
        || {
            let is_help = |line: &String| line.starts_with("| /whois NICK ");
            lines(&log).iter().any(is_help).then_some(())
        },
        || format!("no help in {:#?}", lines(&log)),
    );
    // What was typed, and what the terminal is told besides, is not.
    assert!(!lines(&log).iter().any(|line| line.contains("/help whois")));
    assert!(!fs::read_to_string(&log).unwrap().contains('\u{1b}'));
}

#[test]
fn with_json_it_is_the_same_in_words() {
    let relay = Relay::start(&[]);
    let home = Home::new();
    let options = ["--json", "--log", "log"];
    let mut bot = Client::start_command(
        home.e2echat().args(
            [
                &["join", &relay.address().to_string(), "--nick", "bot"],
                &options[..],
            ]
            .concat(),
        ),
    );
    bot.say(r#"{"type":"say","text":"two\nlines"}"#);
    wait_for_logged(&home.file("log"), "<bot> two ⏎ lines");
    bot.wait_for_line("announcement", |line| {
        line.contains("also written to log") && line.contains(r#""type":"notice""#)
    });
    assert_eq!(bot.leave().code(), Some(0));
}

#[test]
fn what_is_no_file_is_refused_before_anything_else() {
    let home = Home::new();
    mkfifo(&home.file("pipe"), Mode::S_IRWXU).unwrap();
    for (path, reason) in [
        (".", "it is not a file"),
        ("pipe", "it is not a file"),
        ("/dev/full", "it is not a file"),
        ("no/such/folder/log", "no such file or directory"),
    ] {
        // Nobody listens there, which is what it would say.
        let ended = home.run(&["join", "127.0.0.1:1", "--nick", "ada", "--log", path]);
        ended.assert_failure(&format!("cannot write to {path}: {reason}"));
        assert_eq!(ended.stdout, [""; 0]);
    }
}

/// A file that can grow no further stands for a full disk.
#[test]
fn a_full_disk_ends_the_log_and_nothing_else() {
    let relay = Relay::start(&[]);
    for options in [&[][..], &["--json"]] {
        let ada = Client::join(relay.address(), "ada", &[]);
        let home = Home::new();
        let mut shell = Command::new("sh");
        home.isolate(&mut shell);
        // 512 or 1024 bytes, as the shell counts.
        shell
            .args(["-c", r#"trap '' XFSZ; ulimit -f 1; exec "$0" "$@""#])
            .arg(env!("CARGO_BIN_EXE_e2echat"))
            .args(["join", &relay.address().to_string(), "--nick", "bob"])
            .args(["--log", "log"])
            .args(options);
        let mut bob = Client::start_command(&mut shell);
        for number in 0..20 {
            let text = format!("{number} {}", "x".repeat(100));
            if options.is_empty() {
                bob.say(&text);
            } else {
                bob.say(&format!(r#"{{"type":"say","text":"{text}"}}"#));
            }
            ada.wait_for_message("bob", &text);
        }
        let ends = "cannot write to log, the log ends: file too large";
        bob.wait_for_line("end of the log", |line| line.contains(ends));
        let ended = bob.leave();
        assert_eq!(ended.code(), Some(0), "{ended:#?}");
        let told = ended.stdout.iter().filter(|line| line.contains(ends));
        assert_eq!(told.count(), 1, "{ended:#?}");
        assert!(fs::metadata(home.file("log")).unwrap().len() <= 1024);
        assert_eq!(ada.leave().code(), Some(0));
    }
}

/// All files below a folder.
fn files(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let files = entries.flat_map(|path| {
        if path.is_dir() {
            files(&path)
        } else {
            vec![fs::read_to_string(path).unwrap()]
        }
    });
    files.collect()
}

#[test]
fn nothing_is_written_unless_it_is_asked_for() {
    let relay = Relay::start(&[]);
    let home = Home::new();
    let mut ada = Client::join_from(&home, relay.address(), "ada", &[]);
    let others = Home::new();
    let (identity, _) = others.identity("bob.pem");
    let mut bob = Client::join(relay.address(), "bob", &["--identity", &identity]);
    bob.say("between us");
    ada.wait_for_message("bob", "between us");
    ada.say("and mine");
    bob.wait_for_message("ada", "and mine");
    assert_eq!(ada.leave().code(), Some(0));
    let files = files(home.path());
    // The people whom she knows.
    assert_eq!(files.len(), 1, "{files:#?}");
    assert!(!files[0].contains("between us") && !files[0].contains("and mine"));
}
