//! How somebody is called who looks elsewhere: the bytes that come to the terminal, the command that is run, the
//! window's title; and that all of it is undone.

#![allow(clippy::print_stdout, reason = "a test that is skipped says so")]

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::support::person::Person;
use crate::support::process::{Client, Home, Relay, has_ended, tested_program, wait_for};
use crate::support::screen::Screen;

const FOCUS_IN: &[u8] = b"\x1b[I";
const BELL: &str = "\x07";

/// What the terminal is asked for at the beginning, and what undoes it.
const BEGINS: &str = "\x1b[?2004h\x1b[?1004h\x1b[22;2t\x1b]2;";
const ENDS: &str = "\x1b[23;2t\x1b[?1004l\x1b[?2004l";

/// Enters the room with these options and variables, and waits for the prompt.
fn join(home: &Home, relay: &Relay, variables: &[(&str, &str)], options: &[&str]) -> Screen {
    let address = relay.address().to_string();
    let arguments = [&["join", &address, "--nick", "ada"], options].concat();
    let ada = Screen::e2echat_with(home, variables, &arguments, 24, 80);
    ada.sees("\n> ");
    ada
}

/// Has bob say something while ada looks elsewhere, and waits until that is on her screen. Returns what the
/// program has written meanwhile.
fn heard_elsewhere(ada: &mut Screen, bob: &mut Client, text: &str) -> String {
    ada.looks_away();
    let before = ada.raw().len();
    bob.say(text);
    ada.sees(text.rsplit(": ").next().expect("there is an end"));
    ada.raw().split_off(before)
}

/// Everything from an Escape to the string's end that makes a notification.
fn notifications(raw: &str) -> Vec<&str> {
    let begun = raw.split("\x1b]").skip(1);
    let strings = begun.filter_map(|rest| rest.split_once("\x1b\\").map(|(string, _)| string));
    strings.filter(|it| !it.starts_with("2;")).collect()
}

#[test]
fn each_protocol_says_nick_and_room_in_its_own_bytes() {
    let relay = Relay::start(&[]);
    let mut bob = Client::join(relay.address(), "bob", &[]);
    let text = "names you in lobby";
    // The same text in base64.
    let base64 = "Ym9iIG5hbWVzIHlvdSBpbiBsb2JieQ==";
    for (number, (options, variables, expected)) in [
        (&[][..], &[][..], &[][..]),
        (&["--notify", "bell"], &[], &[]),
        (&["--notify", "osc9"], &[], &["9;e2echat: bob "]),
        (&["--notify", "osc777"], &[], &["777;notify;e2echat;bob "]),
        (&["--notify", "osc99"], &[], &["99;", "99;"]),
        (&["--notify", "desktop"], &[], &[]),
        (
            &["--notify", "desktop"],
            &[("TERM_PROGRAM", "iTerm.app")],
            &["9;e2echat: bob "],
        ),
        (
            &["--notify", "desktop"],
            &[("TERM_PROGRAM", "WezTerm")],
            &["777;notify;e2echat;bob "],
        ),
        (
            &["--notify", "desktop"],
            &[("KITTY_WINDOW_ID", "1")],
            &["99;", "99;"],
        ),
        (&["--notify", "osc9"], &[("STY", "1.tty")], &[]),
    ]
    .into_iter()
    .enumerate()
    {
        let home = Home::new();
        let mut ada = join(&home, &relay, variables, options);
        bob.meets("ada");
        let raw = heard_elsewhere(&mut ada, &mut bob, &format!("ada: look here {number}"));
        let found = notifications(&raw);
        assert_eq!(found.len(), expected.len(), "{options:?} {raw:?}");
        for (found, begin) in found.iter().zip(expected) {
            assert!(found.starts_with(begin), "{options:?} {found:?}");
            let is_whole = *begin == "99;" || **found == format!("{begin}{text}");
            assert!(is_whole, "{options:?} {found:?}");
        }
        if let [title, body] = found.as_slice() {
            let id = format!("99;i=e2echat-{}:d=", ada.pid());
            assert_eq!(*title, format!("{id}0;e2echat"));
            assert_eq!(*body, format!("{id}1:p=body:e=1;{base64}"));
        }
        let bells = raw.matches(BELL).count();
        assert_eq!(
            bells,
            usize::from(expected.is_empty()),
            "{options:?} {raw:?}"
        );
        // It is not called again while it looks here.
        ada.send(FOCUS_IN);
        ada.enter("/quit");
        assert!(ada.wait_exit().success());
        bob.wait_for_line("ada's leaving", |line| line == "* ada left");
    }
}

#[test]
fn nobody_is_called_who_looks_here_or_does_not_want_it() {
    let relay = Relay::start(&[]);
    let mut bob = Client::join(relay.address(), "bob", &[]);
    let home = Home::new();
    let mut ada = join(&home, &relay, &[], &["--notify", "osc9"]);
    bob.meets("ada");
    // The terminal has reported nothing, and somebody has typed just now.
    ada.type_text("half typed");
    bob.say("ada: one");
    ada.sees("<bob @you> ada: one");
    ada.send(FOCUS_IN);
    bob.say("ada: two");
    ada.sees("<bob @you> ada: two");
    // What is not for her.
    ada.looks_away();
    bob.say("three");
    ada.sees("<bob> three");
    assert!(notifications(&ada.raw()).is_empty(), "{:?}", ada.raw());
    ada.type_text("\x15/notify all\r");
    ada.sees("* the terminal notifies you whenever somebody says something");
    let raw = heard_elsewhere(&mut ada, &mut bob, "four");
    assert_eq!(
        notifications(&raw),
        ["9;e2echat: bob says something in lobby"]
    );
    ada.enter("/notify command");
    ada.sees("? there is no command");
    ada.enter("/notify off");
    ada.sees("* the bell never rings");
    let raw = heard_elsewhere(&mut ada, &mut bob, "ada: five");
    assert!(
        notifications(&raw).is_empty() && !raw.contains(BELL),
        "{raw:?}"
    );
}

#[test]
fn the_text_is_told_where_it_is_wanted_and_cannot_end_the_string() {
    let relay = Relay::start(&[]);
    let mut bob = Client::join(relay.address(), "bob", &[]);
    for (protocol, begin) in [("osc9", "9;e2echat: "), ("osc777", "777;notify;e2echat;")] {
        let home = Home::new();
        let options = ["--notify", protocol, "--notify-text"];
        let mut ada = join(&home, &relay, &[], &options);
        bob.meets("ada");
        let hostile = "ada \x1b\\\x1b]52;c;cHduZWQ=\x07\u{9c}\x1b]2;mine\x1b\\ : at the end";
        let raw = heard_elsewhere(&mut ada, &mut bob, hostile);
        let found = notifications(&raw);
        let [found] = found.as_slice() else {
            panic!("not one notification: {raw:?}");
        };
        assert!(found.starts_with(&format!("{begin}bob names you in lobby: ada ")));
        assert!(found.ends_with(": at the end"), "{found:?}");
        assert!(!found.contains(char::is_control), "{found:?}");
        assert_eq!(ada.title(), "(1) lobby - e2echat");
        ada.enter("/quit");
        assert!(ada.wait_exit().success());
        bob.wait_for_line("ada's leaving", |line| line == "* ada left");
    }
}

/// A private room is never called by its name where others may see it.
#[test]
fn a_private_room_is_not_named_in_title_and_notifications() {
    let relay = Relay::start(&[]);
    let address = relay.address().to_string();
    let home = Home::new();
    let arguments = [
        "join",
        &address,
        "--nick",
        "ada",
        "--new-room",
        "--notify",
        "osc9",
    ];
    let mut ada = Screen::e2echat(&home, &arguments, 50, 600);
    ada.sees("\n> ");
    let shown = ada.contents();
    let invite = shown
        .split(&format!("{address}/"))
        .nth(1)
        .expect("an invite");
    let invite = invite
        .split_whitespace()
        .next()
        .expect("it ends")
        .to_owned();
    assert!(invite.starts_with("inv-"), "{invite}");
    assert_eq!(ada.title(), "private room - e2echat");
    let mut bob = Client::join(
        relay.address(),
        "bob",
        &["--room", &format!("{address}/{invite}")],
    );
    ada.sees("* bob joined ");
    let raw = heard_elsewhere(&mut ada, &mut bob, "ada: one");
    assert_eq!(
        notifications(&raw),
        ["9;e2echat: bob names you in private room"]
    );
    assert_eq!(ada.title(), "(1) private room - e2echat");
    ada.send(FOCUS_IN);
    ada.sees("* — 1 new, 1 for you —");
    assert_eq!(ada.title(), "private room - e2echat");
    ada.enter("/save secret-plans");
    ada.sees("* this room is saved as secret-plans");
    assert_eq!(ada.title(), "secret-plans - e2echat");
    let raw = heard_elsewhere(&mut ada, &mut bob, "ada: two");
    assert_eq!(
        notifications(&raw),
        ["9;e2echat: bob names you in secret-plans"]
    );
    ada.enter("/quit");
    assert!(ada.wait_exit().success());
    let strings = ada.raw();
    let mut strings = strings.split("\x1b]").skip(1);
    assert!(!strings.any(|it| {
        it.split("\x1b\\")
            .next()
            .is_some_and(|it| it.contains("inv-"))
    }));
}

#[test]
fn a_thousand_mentions_at_once_are_one_call_and_do_not_disturb_the_typing() {
    const MENTIONS: usize = 1000;
    let relay = Relay::start(&[]);
    let mut ada = Person::join_at(&relay, "ada", 24, 80);
    let mut bob = ada.welcomes(&relay, "bob");
    ada.screen.type_text("half typed");
    ada.screen.sees("> half typed");
    ada.screen.looks_away();
    let said: Vec<String> = (0..MENTIONS).map(|i| format!("ada: {i}")).collect();
    bob.write((said.join("\n") + "\n").as_bytes());
    let last = format!("({MENTIONS}) lobby - e2echat");
    let all_have_come = || {
        let shown = ada.screen.contents();
        let is_last = shown.contains("ada: 999") && ada.screen.title() == last;
        (is_last && shown.ends_with("> half typed")).then_some(())
    };
    wait_for(all_have_come, || ada.screen.contents());
    // A call is followed by none for ten seconds. A slow machine takes longer for them all.
    let calls = ada.screen.raw().matches(BELL).count();
    assert!((1..=3).contains(&calls), "{calls} calls");
    ada.screen.press(" ");
    ada.screen.sees("* — 1000 new, 1000 for you —");
    assert_eq!(ada.screen.title(), "lobby - e2echat");
}

#[test]
#[ignore = "it takes more than a minute"]
fn where_the_terminal_reports_nothing_a_minute_without_a_key_counts() {
    let relay = Relay::start(&[]);
    let mut ada = Person::join_at(&relay, "ada", 24, 80);
    let mut bob = ada.welcomes(&relay, "bob");
    ada.screen.type_text("half typed");
    ada.screen.sees("> half typed");
    let typed = Instant::now();
    for round in 0..100 {
        bob.say(&format!("ada: {round}!"));
        ada.screen.sees(&format!("ada: {round}!"));
        if ada.screen.raw().contains(BELL) {
            break;
        }
        thread::sleep(Duration::from_secs(1));
    }
    let waited = typed.elapsed().as_secs();
    assert!((59..80).contains(&waited), "after {waited} s");
    ada.screen.press("!");
    ada.screen.sees("* — 1 new, 1 for you —");
    ada.screen.sees("> half typed!");
}

/// What is pasted can be somebody else's text, and a slow network tears a report apart.
#[test]
fn reports_of_the_focus_count_in_pieces_and_not_in_a_paste() {
    let relay = Relay::start(&[]);
    let mut ada = Person::join_at(&relay, "ada", 24, 80);
    let mut bob = ada.welcomes(&relay, "bob");
    ada.screen.paste("pa\x1b[Ost\x1b[O");
    ada.screen.sees("> past");
    bob.say("ada: one");
    ada.screen.sees("ada: one");
    assert!(!ada.screen.raw().contains(BELL), "it looked like a report");
    for piece in [b"\x1b[", &b"O"[..]] {
        ada.screen.send(piece);
        ada.screen.comes_to_rest();
    }
    bob.say("ada: two");
    ada.screen.sees("ada: two");
    assert_eq!(ada.screen.raw().matches(BELL).count(), 1);
    // A paste is something that is typed.
    ada.screen.paste("\x1b[O");
    ada.screen.sees("* — 1 new, 1 for you —");
    ada.screen.enter(" and sent");
    bob.wait_for_message("ada", "past and sent");
}

/// Makes a program of this name in the user's folder.
fn program(home: &Home, name: &str, script: &str) -> String {
    let path = home.file(name);
    fs::write(&path, format!("#!/bin/sh\n{script}\n")).expect("it can be written");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("it is ours");
    path.display().to_string()
}

fn read(path: &Path) -> Option<String> {
    fs::read_to_string(path)
        .ok()
        .filter(|text| text.ends_with('\n'))
}

#[test]
fn a_command_gets_all_by_environment() {
    let relay = Relay::start(&[]);
    let mut bob = Client::join(relay.address(), "bob", &[]);
    let home = Home::new();
    let path = program(
        &home,
        "tell me",
        "printf '%s|' \"$1\" \"$2\" > told; env | grep ^E2ECHAT_ | sort >> told",
    );
    let command = format!("'{path}' 'two words' '$HOME;#'");
    let options = [
        "--notify",
        "command",
        "--notify-command",
        &command,
        "--notify-text",
    ];
    let variables = [("E2ECHAT_PROXY", ""), ("E2ECHAT_PASSPHRASE", "secret")];
    let mut ada = join(&home, &relay, &variables, &options);
    bob.meets("ada");
    let raw = heard_elsewhere(&mut ada, &mut bob, "ada: $(touch pwned); look here");
    assert!(
        !raw.contains(BELL) && notifications(&raw).is_empty(),
        "{raw:?}"
    );
    let told = || read(&home.file("told")).filter(|text| text.contains("_TEXT"));
    let told = wait_for(told, || "the command tells nothing".to_owned());
    assert_eq!(
        told,
        "two words|$HOME;#|E2ECHAT_NOTIFY_KIND=mention\nE2ECHAT_NOTIFY_NICK=bob\n\
         E2ECHAT_NOTIFY_ROOM=lobby\nE2ECHAT_NOTIFY_TEXT=ada: $(touch pwned); look here\n"
    );
    assert!(!home.file("pwned").exists());
}

#[test]
fn a_command_that_does_not_end_is_ended_with_what_it_has_started() {
    let relay = Relay::start(&[]);
    let mut bob = Client::join(relay.address(), "bob", &[]);
    let home = Home::new();
    let path = program(
        &home,
        "wait",
        "echo $$ > leader; sleep 1000 & echo $! >> pids; wait",
    );
    let options = ["--notify", "command", "--notify-command", &path];
    let mut ada = join(&home, &relay, &[], &options);
    bob.meets("ada");
    let begun = Instant::now();
    heard_elsewhere(&mut ada, &mut bob, "ada: one");
    let pids = || read(&home.file("pids"));
    wait_for(pids, || "it does not begin".to_owned());
    // Whoever has come back and gone is called at once; but the command is running.
    ada.send(FOCUS_IN);
    ada.sees("* — 1 new, 1 for you —");
    heard_elsewhere(&mut ada, &mut bob, "ada: two");
    let is_first = begun.elapsed() < Duration::from_secs(4);
    let one = pids().expect("it has begun");
    assert!(!is_first || one.lines().count() == 1, "{one}");
    let first = one.lines().next().and_then(|pid| pid.parse().ok());
    let first = Pid::from_raw(first.expect("a process id"));
    wait_for(
        || has_ended(first).then_some(()),
        || "it is not ended".to_owned(),
    );
    // Until that is known of the command itself, it is not begun again.
    let leader = read(&home.file("leader")).and_then(|pid| pid.trim().parse().ok());
    let leader = Pid::from_raw(leader.expect("a process id"));
    wait_for(
        || kill(leader, None).is_err().then_some(()),
        || "it is not known that it has ended".to_owned(),
    );
    // And with the program.
    ada.send(FOCUS_IN);
    ada.sees("* — 1 new, 1 for you —");
    heard_elsewhere(&mut ada, &mut bob, "ada: three");
    let another = || pids().filter(|pids| pids.lines().count() > 1);
    let another = wait_for(another, || "it does not begin again".to_owned());
    let last = another.lines().last().and_then(|pid| pid.parse().ok());
    ada.enter("/quit");
    assert!(ada.wait_exit().success());
    let last = Pid::from_raw(last.expect("a process id"));
    wait_for(
        || has_ended(last).then_some(()),
        || "it lives on".to_owned(),
    );
}

#[test]
fn a_command_that_is_wanted_is_named() {
    let home = Home::new();
    let ended = home.run(&[
        "join",
        "127.0.0.1:1",
        "--nick",
        "ada",
        "--notify",
        "command",
    ]);
    assert_eq!(ended.code(), Some(2), "{ended:#?}");
    let error = "--notify command runs a command: name it with --notify-command CMD";
    assert!(ended.stderr.join("\n").contains(error), "{ended:#?}");
}

/// In tmux what is wrapped comes through where that is on; elsewhere the bell rings.
#[test]
fn in_tmux_a_notification_is_wrapped_or_the_bell() {
    let relay = Relay::start(&[]);
    let mut bob = Client::join(relay.address(), "bob", &[]);
    for (number, (passthrough, wrapped)) in [("on", 1), ("all", 1), ("off", 0), ("", 0)]
        .into_iter()
        .enumerate()
    {
        let home = Home::new();
        program(
            &home,
            "tmux",
            &format!("echo \"$*\" > asked; [ -n '{passthrough}' ] && echo {passthrough}"),
        );
        let path = std::env::var("PATH").expect("there is one");
        let path = format!("{}:{path}", home.path().display());
        let variables = [("TMUX", "/tmp/tmux,1,0"), ("PATH", &path)];
        let mut ada = join(&home, &relay, &variables, &["--notify", "osc9"]);
        bob.meets("ada");
        let asked = wait_for(
            || read(&home.file("asked")),
            || "tmux is not asked".to_owned(),
        );
        assert_eq!(asked, "show-options -Apv allow-passthrough\n");
        // The answer is read a moment later.
        let mut raw = String::new();
        for round in 0..20 {
            raw = heard_elsewhere(&mut ada, &mut bob, &format!("ada: {number}-{round}"));
            ada.send(FOCUS_IN);
            ada.sees("for you —");
            ada.enter("/clear");
            if raw.contains("\x1bPtmux;") || wrapped == 0 {
                break;
            }
        }
        let wrap = "\x1bPtmux;\x1b\x1b]9;e2echat: bob names you in lobby\x1b\x1b\\\x1b\\";
        assert_eq!(raw.matches(wrap).count(), wrapped, "{passthrough} {raw:?}");
        assert_eq!(
            raw.matches(BELL).count(),
            1 - wrapped,
            "{passthrough} {raw:?}"
        );
        ada.enter("/quit");
        assert!(ada.wait_exit().success());
        bob.wait_for_line("ada's leaving", |line| line == "* ada left");
    }
}

/// A tmux, which is ended with the test.
struct Tmux<'a>(&'a str);

impl Tmux<'_> {
    fn run(&self, arguments: &[&str]) -> bool {
        let mut command = Command::new("tmux");
        command.args(["-S", self.0]).args(arguments);
        let command = command.stdout(Stdio::null()).stderr(Stdio::null());
        command.status().is_ok_and(|status| status.success())
    }
}

impl Drop for Tmux<'_> {
    fn drop(&mut self) {
        self.run(&["kill-server"]);
    }
}

/// The terminal behind a real tmux gets the notification as it is.
#[test]
fn what_is_wrapped_comes_out_of_tmux_as_it_is() {
    let home = Home::new();
    let socket = home.file("tmux").display().to_string();
    let tmux = Tmux(&socket);
    if !tmux.run(&["-V"]) {
        println!("skipped: there is no tmux on the PATH");
        return;
    }
    let relay = Relay::start(&[]);
    let mut bob = Client::join(relay.address(), "bob", &[]);
    let (program, address) = (tested_program(), relay.address());
    let settings = "set -g allow-passthrough on\nset -g focus-events on\n";
    fs::write(home.file("tmux.conf"), settings).expect("it can be written");
    let script = format!(
        "tmux -S {socket} -f tmux.conf new-session '{program} join {address} --nick ada --notify osc9'"
    );
    let mut ada = Screen::shell(&home, &script);
    ada.wait_for("bob", |shown| shown.contains("here: bob "));
    bob.meets("ada");
    let notification = "\x1b]9;e2echat: bob names you in lobby\x1b\\";
    // What tmux has taken of the focus, and answered of itself, nobody sees. So bob tries until it is so.
    for round in 0..20 {
        ada.send(FOCUS_IN);
        ada.send(b"\x1b[O");
        ada.comes_to_rest();
        bob.say(&format!("ada: {round}!"));
        ada.sees(&format!("ada: {round}!"));
        if ada.raw().contains(notification) {
            return;
        }
    }
    panic!("it does not come through: {:?}", ada.raw());
}

/// How to leave, in words and keys.
type WayOut = (&'static str, fn(&mut Screen));

#[test]
fn all_that_the_terminal_was_asked_for_is_undone_at_the_end() {
    let relay = Relay::start(&[]);
    let ways: [WayOut; 5] = [
        ("/quit", |screen| screen.enter("/quit")),
        ("Ctrl-D", |screen| screen.press("\x04")),
        ("SIGTERM", |screen| screen.signal(Signal::SIGTERM)),
        ("SIGHUP", |screen| screen.signal(Signal::SIGHUP)),
        ("SIGINT", |screen| screen.signal(Signal::SIGINT)),
    ];
    for (how, leave) in ways {
        let home = Home::new();
        let mut ada = join(&home, &relay, &[], &[]);
        assert_eq!(ada.title(), "lobby - e2echat");
        // What draws the screen again does not keep another title.
        ada.press("\x0c");
        ada.comes_to_rest();
        leave(&mut ada);
        let status = ada.wait_exit();
        assert!(status.success(), "{how}: {status:?}");
        let raw = ada.raw();
        let (before, after) = raw.split_once(BEGINS).expect("it begins with that");
        assert!(!before.contains("\x1b["), "{how}: {raw:?}");
        assert_eq!(after.matches("\x1b[22;2t").count(), 0, "{how}: {raw:?}");
        let (_, after) = after.split_once(ENDS).expect("it ends with that");
        for again in ["\x1b]2;", "\x1b[?1004h", "\x1b[?2004h"] {
            assert!(!after.contains(again), "{how}: {raw:?}");
        }
        assert_eq!(ada.title(), "", "{how}");
    }
}

/// Where somebody stops the program for a while, the shell has the terminal as it was.
#[test]
fn all_is_undone_while_the_program_is_stopped_and_done_again_when_it_goes_on() {
    let relay = Relay::start(&[]);
    let (home, address) = (Home::new(), relay.address());
    let script = format!(
        "set -m; e2echat join {address} --nick ada; echo stopped; read line; fg; echo ended"
    );
    let mut ada = Screen::shell(&home, &script);
    ada.sees("\n> ");
    let shell = ada.pid();
    let children = fs::read_to_string(format!("/proc/{shell}/task/{shell}/children"));
    let program = children.expect("it is told").trim().parse();
    kill(Pid::from_raw(program.expect("one child")), Signal::SIGTSTP).expect("it can be stopped");
    ada.wait_for("the shell", |shown| shown.ends_with("stopped"));
    let raw = ada.raw();
    let (begun, stopped) = raw.rsplit_once(ENDS).expect("it is undone");
    assert!(
        begun.contains(BEGINS) && stopped.contains("stopped"),
        "{raw:?}"
    );
    assert!(ada.is_cooked());
    ada.enter("");
    ada.wait_for("the title", |_| ada.title() == "lobby - e2echat");
    ada.sees("\n> ");
    let raw = ada.raw();
    let (_, again) = raw.rsplit_once(ENDS).expect("it was undone");
    assert!(again.contains(BEGINS), "{again:?}");
    ada.enter("/quit");
    ada.sees("ended");
    let raw = ada.raw();
    let (_, after) = raw.rsplit_once(ENDS).expect("it is undone");
    assert!(
        after.contains("ended") && !after.contains("\x1b]2;"),
        "{raw:?}"
    );
    assert_eq!(ada.title(), "");
}

/// Older consoles show what sets a title or makes a notification.
#[test]
fn a_console_that_would_show_titles_gets_none() {
    let relay = Relay::start(&[]);
    let mut bob = Client::join(relay.address(), "bob", &[]);
    let home = Home::new();
    let mut ada = join(&home, &relay, &[("TERM", "linux")], &["--notify", "osc9"]);
    bob.meets("ada");
    let raw = heard_elsewhere(&mut ada, &mut bob, "ada: one");
    assert_eq!(raw.matches(BELL).count(), 1, "{raw:?}");
    assert!(!ada.raw().contains("\x1b]"), "{:?}", ada.raw());
}
