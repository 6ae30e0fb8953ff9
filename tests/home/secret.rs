//! The name of an invite room is its secret: whoever has it can enter. It leaves the program where the user
//! asks for it, and nowhere else.

use std::fs;

use nix::sys::signal::Signal;

use crate::support::process::{Client, Home, Relay};
use crate::support::screen::Screen;
use crate::support::storm::Storm;

const COMMANDS: [&str; 23] = [
    "/names",
    "/whois bob",
    "/whois ada",
    "/note bob from work",
    "/help",
    "/help invite",
    "/fingerprint",
    "/fingerprint bob",
    "/verify bob",
    "/code",
    "/away making tea",
    "/back",
    "/history",
    "/seen",
    "/audit",
    "/share bob 2",
    "/catchup",
    "/rekey",
    "/save localhost",
    "/save",
    "/show",
    "/url",
    "/helpp",
];

/// Somebody who has made a room, and the invite to it.
fn host(address: std::net::SocketAddr) -> (Client, String) {
    let host = Client::join(address, "bob", &["--new-room"]);
    let line = host.wait_for_line("invite", |line| line.contains("/inv-"));
    let invite = line.split(' ').find(|word| word.contains("/inv-"));
    (host, invite.unwrap().to_owned())
}

/// Any part of the name that would help somebody.
#[track_caller]
fn assert_kept(written: &str, invite: &str) {
    let name = invite.split_once("/inv-").unwrap().1;
    for group in name.split('-') {
        let told = written.contains(&format!("{group}-")) || written.contains(&format!("-{group}"));
        assert!(!told, "{group} of {name} in:\n{written}");
    }
    assert!(!written.contains("inv-"), "{written}");
}

#[test]
fn no_byte_of_it_gets_to_the_terminal_before_the_user_asks() {
    let relay = Relay::start(&[]);
    let storm = Storm::start(relay.address(), 0);
    let (mut bob, invite) = host(storm.address());
    let home = Home::new();
    let variables = [("E2ECHAT_ROOM", invite.as_str())];
    let arguments = ["join", "--nick", "ada", "--log", "log", "--notify", "all"];
    let mut ada = Screen::e2echat_with(&home, &variables, &arguments, 50, 200);
    ada.sees("* private room at ");
    ada.sees("* here: bob ");
    bob.meets("ada");
    bob.say("hello");
    ada.sees("<bob> hello");
    for command in COMMANDS {
        ada.enter(command);
        ada.comes_to_rest();
    }
    ada.enter("no /command");
    ada.sees("<ada> no /command");
    ada.enter("/save work");
    ada.sees("* this room is saved as work: ");
    // The connection breaks, and comes back.
    storm.block(true);
    ada.sees("* lost the connection to ");
    storm.block(false);
    ada.sees("* connected again");
    ada.press("\x0c");
    ada.resize(24, 60);
    ada.press("\x0c");
    ada.comes_to_rest();
    assert_kept(&ada.raw(), &invite);

    ada.enter("/invite");
    ada.sees(&invite);
    ada.enter("/quit");
    assert!(ada.wait_exit().success());
    // Of all that was shown, the log has what is no secret.
    let log = fs::read_to_string(home.file("log")).unwrap();
    assert!(
        log.contains("* the invite was shown, and is not written down"),
        "{log}"
    );
    assert_kept(&log, &invite);

    let mut ada = Screen::e2echat(&home, &["join", "work"], 50, 200);
    ada.sees("* room work at ");
    ada.sees("* here: bob ");
    ada.enter("/quit");
    assert!(ada.wait_exit().success());
    assert_kept(&ada.raw(), &invite);
    drop(bob);
}

#[test]
fn no_error_tells_it() {
    let relay = Relay::start(&[]);
    let (_bob, invite) = host(relay.address());
    let home = Home::new();
    let mistyped = invite.replacen("inv-", "imv-", 1);
    let cut = &invite[..invite.len() - 2];
    for arguments in [
        &["join", &invite][..],
        &["join", cut, "--nick", "ada"],
        &["join", &mistyped, "--nick", "ada"],
        &["join", "--nick", "ada", "--room", &mistyped],
        &["join", "--nick", "ada", &invite, &invite],
        &["join", "--nick", "ada", &invite, "--new-room"],
        &["join", "--nick", "ada", &invite, "--room", "den"],
        &["join", "--nick", "bob", &invite],
        &["join", "--nick", &invite, &invite],
        &["join", "--nick", "ada", &invite, "--proxy", &invite],
        &["join", "--nick", "ada", &invite, "--rekey", &invite],
        &["rooms", "forget", &invite],
        &["keygen", &invite],
    ] {
        let ended = home.run(arguments);
        assert_ne!(ended.code(), Some(0), "{ended:#?}");
        assert_kept(
            &(ended.stderr.join("\n") + &ended.stdout.join("\n")),
            &invite,
        );
    }
    for variable in [mistyped.as_str(), cut] {
        for arguments in [&["join", "--nick", "ada"][..], &["config"]] {
            let mut command = home.e2echat();
            command.args(arguments).env("E2ECHAT_ROOM", variable);
            let ended = Client::start_command(&mut command).ended();
            assert_eq!(ended.code(), Some(2), "{ended:#?}");
            assert!(ended.stderr[0].contains("'E2ECHAT_ROOM'"), "{ended:#?}");
            assert_kept(&ended.stderr.join("\n"), &invite);
        }
    }
}

#[test]
fn a_relay_s_output_tells_of_a_new_room_alone() {
    let (_relay, invite) = {
        let relay = Relay::start(&[]);
        let (_bob, invite) = host(relay.address());
        (relay, invite)
    };
    let room = invite.split_once('/').unwrap().1;
    let relay = Relay::start(&["-v", "--room", room]);
    let ended = relay.end(Signal::SIGTERM);
    assert_kept(&ended.stdout.join("\n"), &invite);
    let host = Relay::start(&["--nick", "ada", "--room", room]);
    host.wait_for_line("roster", |line| line == "* nobody else is here yet");
    assert!(
        host.lines()
            .iter()
            .any(|line| line.starts_with("* private room at "))
    );
    assert_kept(&host.lines().join("\n"), &invite);
    drop(host);
    let home = Home::new();
    let new = home.run(&["rooms", "--show-invite"]);
    assert_eq!(new.stdout, [""; 0]);
}
