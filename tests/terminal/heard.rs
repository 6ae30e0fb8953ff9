//! The terminal of somebody who hears it: each row is written once, whole, and nothing is drawn again. The tests look at
//! all that is written.

use std::fs;
use std::time::{Duration, Instant};

use crate::support::process::{Client, Ended, Home, Relay, wait_within};
use crate::support::screen::Screen;

/// The ways to such a terminal.
const WAYS: [(&str, &[&str]); 2] = [("xterm", &["--plain"]), ("dumb", &["--color", "always"])];

fn join(relay: &Relay, home: &Home, (term, options): (&str, &[&str])) -> Screen {
    let address = relay.address().to_string();
    let arguments = [&["join", &address, "--nick", "ada"], options].concat();
    let screen = Screen::e2echat_with(home, &[("TERM", term)], &arguments, 24, 80);
    screen.wait_for("roster", |shown| shown.contains("here"));
    screen.comes_to_rest();
    screen
}

/// The rows as they were written. Nothing in them moves the cursor but what ends a row, and what erases a character.
#[track_caller]
fn rows(screen: &Screen) -> Vec<String> {
    let raw = screen.raw();
    let rows = raw.replace("\r\n", "\n");
    let is_moving = |c: char| c.is_control() && !matches!(c, '\n' | '\t' | '\x07');
    let erased = rows.replace("\x08 \x08", "");
    assert!(!erased.contains(is_moving), "{raw:?}");
    rows.lines().map(str::to_owned).collect()
}

fn place(rows: &[String], what: impl Fn(&str) -> bool) -> usize {
    let mut places = rows.iter().enumerate().filter(|(_, row)| what(row));
    let (place, _) = places
        .next()
        .unwrap_or_else(|| panic!("it is not there: {rows:#?}"));
    assert!(places.next().is_none(), "it is there twice: {rows:#?}");
    place
}

#[test]
fn each_row_is_written_once_and_what_comes_waits_for_enter() {
    for way in WAYS {
        let relay = Relay::start(&[]);
        let home = Home::new();
        let mut ada = join(&relay, &home, way);
        let mut bob = Client::join(relay.address(), "bob", &[]);
        ada.sees("bob joined");
        ada.type_text("half a sent");
        ada.sees("half a sent");
        let long = "words that take more than one row ".repeat(5);
        bob.say(long.trim_end());
        bob.say("and more");
        bob.wait_for_message("bob", "and more");
        ada.comes_to_rest();
        assert!(!ada.raw().contains("and more"), "{:?}", ada.raw());
        ada.type_text("x\x7fence日x\x7f\x7f");
        ada.enter("");
        bob.wait_for_message("ada", "half a sentence");
        ada.sees("<ada> half a sentence");
        let written = rows(&ada);
        let typed = place(&written, |row| {
            row.replace("\x08 \x08", "").starts_with("half a sent")
        });
        let first = place(&written, |row| {
            row.ends_with(&format!(" <bob> {}", long.trim_end()))
        });
        let second = place(&written, |row| row.ends_with(" <bob> and more"));
        assert_eq!([first, second], [typed + 1, typed + 2], "{written:#?}");

        ada.enter("/names");
        ada.sees("bob SHA256:");
        ada.enter("/mgs bob secret");
        ada.sees("? not sent: there is no command /mgs");
        // Nothing is completed, and no list comes.
        ada.enter("to b\tat once");
        bob.wait_for_line("what was typed", |line| {
            line.contains("<ada> to b") && !line.contains("bob") && line.ends_with("at once")
        });
        // What is sent can be had again, on a row of its own.
        ada.press("\x1b[A\x1b[A");
        ada.sees("/mgs bob secret");
        ada.press("\x15");
        ada.enter("/quit");
        assert!(ada.wait_exit().success());
        assert!(ada.is_cooked());
        rows(&ada);
    }
}

#[test]
fn ctrl_c_asks_in_a_row_of_its_own_and_leaves_the_second_time() {
    for way in WAYS {
        let relay = Relay::start(&[]);
        let home = Home::new();
        let mut ada = join(&relay, &home, way);
        let bob = Client::join(relay.address(), "bob", &[]);
        ada.sees("bob joined");
        ada.type_text("half a sent");
        ada.sees("half a sent");
        ada.press("\x03\x03");
        ada.sees("Ctrl-C once more leaves the room");
        ada.enter("still here");
        bob.wait_for_message("ada", "still here");
        ada.press("\x03");
        ada.wait_for("the question", |_| {
            ada.raw().matches("Ctrl-C once more").count() == 2
        });
        ada.press("\x03");
        assert!(ada.wait_exit().success());
        bob.wait_for_line("the end", |line| line.contains("ada left"));
        let written = rows(&ada);
        let asked = |row: &&String| row.as_str() == "* Ctrl-C once more leaves the room";
        assert_eq!(written.iter().filter(asked).count(), 2, "{written:#?}");
    }
}

/// The one thing here that takes time, as it waits for time.
#[test]
fn what_comes_waits_for_twenty_seconds_at_most_and_then_what_is_typed_is_shown_again() {
    let relay = Relay::start(&[]);
    let home = Home::new();
    let mut ada = join(&relay, &home, WAYS[0]);
    let mut bob = Client::join(relay.address(), "bob", &[]);
    ada.sees("bob joined");
    ada.type_text("half a sent");
    ada.sees("half a sent");
    let since = Instant::now();
    bob.say("are you there?");
    wait_within(
        Duration::from_secs(40),
        || ada.raw().contains("are you there?").then_some(()),
        || ada.raw(),
    );
    assert!(since.elapsed() >= Duration::from_secs(19), "too early");
    ada.comes_to_rest();
    let written = rows(&ada);
    let [.., typed, said, again] = written.as_slice() else {
        panic!("{written:#?}");
    };
    assert_eq!([typed, again], ["half a sent"; 2]);
    assert!(said.ends_with(" <bob> are you there?"), "{said}");
    // It can be edited, and is sent whole.
    ada.enter("\x7f\x7f\x7f\x7fline");
    bob.wait_for_message("ada", "half a line");
}

/// Whoever has come while one typed has not been shown yet, and so is no reader.
#[test]
fn whoever_is_not_shown_yet_does_not_read_what_is_typed() {
    let relay = Relay::start(&[]);
    let home = Home::new();
    let mut ada = join(&relay, &home, WAYS[0]);
    let bob = Client::join(relay.address(), "bob", &[]);
    ada.sees("bob joined");
    ada.type_text("for bob al");
    ada.sees("for bob al");
    let carl = Client::join(relay.address(), "carl", &[]);
    bob.meets("carl");
    ada.comes_to_rest();
    ada.enter("one");
    bob.wait_for_message("ada", "for bob alone");
    ada.sees("1 can read this, 1 left out");
    ada.enter("for both");
    carl.wait_for_message("ada", "for both");
    assert!(!carl.lines().iter().any(|line| line.contains("alone")));
}

#[test]
fn what_must_not_be_said_is_held_back_and_enter_sends_it() {
    let relay = Relay::start(&[]);
    let home = Home::new();
    let mut ada = join(&relay, &home, WAYS[0]);
    let bob = Client::join(relay.address(), "bob", &[]);
    ada.sees("bob joined");
    ada.enter("/fingerprint");
    ada.sees("SHA256:");
    let shown = ada.raw();
    let fingerprint = shown
        .split_whitespace()
        .rfind(|word| word.starts_with("SHA256:"))
        .expect("it is shown")
        .to_owned();
    ada.enter(&fingerprint);
    ada.sees("Enter again sends it");
    ada.press("\r");
    bob.wait_for_message("ada", &fingerprint);
    rows(&ada);
}

#[test]
fn a_passphrase_is_asked_for_and_an_editor_opens() {
    let relay = Relay::start(&[]);
    let home = Home::new();
    let mut keygen = home.e2echat();
    keygen.env("E2ECHAT_PASSPHRASE", "open sesame");
    keygen.args(["keygen", "--passphrase", "--output", "me.pem"]);
    assert!(Ended::of(&mut keygen).status.success());
    fs::write(home.file("edit.sh"), "echo one > $1; echo two >> $1").expect("a script");
    let address = relay.address().to_string();
    let arguments = [
        "join",
        &address,
        "--nick",
        "ada",
        "--identity",
        "me.pem",
        "--plain",
    ];
    let variables = [("EDITOR", "sh edit.sh"), ("VISUAL", "")];
    let mut ada = Screen::e2echat_with(&home, &variables, &arguments, 24, 80);
    ada.sees("passphrase: ");
    ada.enter("open sesame");
    ada.sees("nobody else is here");
    let bob = Client::join(relay.address(), "bob", &[]);
    ada.sees("bob joined");
    ada.enter("/edit");
    ada.wait_for("the draft", |shown| shown.ends_with("one\ntwo"));
    ada.enter("");
    bob.wait_for_message("ada", "one ⏎ two");
    ada.type_text("more");
    ada.press("\x1be");
    ada.wait_for("the draft", |shown| shown.ends_with("more\none\ntwo"));
    ada.press("\x03");
    ada.enter("/quit");
    assert!(ada.wait_exit().success());
    assert!(!ada.raw().contains("open sesame"));
    rows(&ada);
}

/// A window of another program's that shows what is typed itself, as a shell in Emacs does.
#[test]
fn what_another_program_shows_is_not_shown_twice() {
    let relay = Relay::start(&[]);
    let home = Home::new();
    let address = relay.address();
    let script = format!(
        "stty -echo; TERM=dumb; export TERM; e2echat join {address} --nick ada --timestamp off"
    );
    let mut ada = Screen::shell(&home, &script);
    ada.sees("nobody else is here");
    let bob = Client::join(address, "bob", &[]);
    ada.sees("bob joined");
    ada.type_text("hello\n");
    bob.wait_for_message("ada", "hello");
    ada.sees("<ada> hello");
    assert_eq!(ada.raw().matches("hello").count(), 1, "{}", ada.raw());
}
