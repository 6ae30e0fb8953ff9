//! How a relay and a client end: by a signal, by each other, cleanly or not.

use std::fs;
use std::net::SocketAddr;
use std::process::Command;
use std::thread;
use std::time::Duration;

use e2echat::room::frame::{Frame, ToClient};
use e2echat::room::message::Stream;
use e2echat::room::notice::Notice;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use portable_pty::{PtySize, native_pty_system};

use crate::support::peer::{Member, Peer, lobby};
use crate::support::process::{Client, Home, Relay, tested_program, wait_for};
use crate::support::screen;

#[test]
fn a_relay_that_is_asked_to_end_tells_its_members_and_ends_well() {
    for signal in [Signal::SIGINT, Signal::SIGTERM] {
        let relay = Relay::start(&[]);
        let address = relay.address();
        let members = ["ada", "bob"].map(|nick| Client::join(address, nick, &["--reconnect", "0"]));
        let ended = relay.end(signal);
        assert_eq!(ended.code(), Some(0), "{signal}: {ended:#?}");
        assert_eq!(ended.stderr, [""; 0]);
        for member in members {
            let told = member.ended();
            told.assert_failure(&format!("the relay is shutting down ({address})"));
        }
    }
}

#[test]
fn a_relay_ends_with_nobody_there_and_with_strangers_who_say_nothing() {
    let deserted = Relay::start(&[]);
    assert_eq!(deserted.end(Signal::SIGTERM).code(), Some(0));
    let relay = Relay::start(&[]);
    let mut stranger = Peer::connect(relay.address());
    stranger.knock(lobby().id());
    assert_eq!(relay.end(Signal::SIGTERM).code(), Some(0));
}

#[test]
fn a_relay_ends_although_a_member_reads_nothing() {
    let relay = Relay::start(&[]);
    let mut ada = Client::join(relay.address(), "ada", &[]);
    let _silent = Member::join(relay.address(), "silent", 0);
    ada.wait_for_line("silent", |line| line.starts_with("* silent joined "));
    ada.say("hello");
    ada.wait_for_message("ada", "hello");
    assert_eq!(relay.end(Signal::SIGINT).code(), Some(0));
}

#[test]
fn a_relay_that_ends_has_its_members_take_what_waits_for_them() {
    let unlimited = [
        "--max-queue",
        "64000000",
        "--max-bytes",
        "0",
        "--max-blocks",
        "0",
    ];
    let relay = Relay::start(&[&unlimited[..], &["-v"]].concat());
    let mut slow = Member::join(relay.address(), "slow", 0);
    let mut writer = Member::join(relay.address(), "writer", 1);
    let (mut header, body) = writer.compose(0, "hello");
    header.stream = Stream::Direct(slow.sid);
    let mut message = writer.seal(&header, &body);
    // Far more than the system keeps for a socket.
    message.parcels = vec![(slow.sid, vec![0; 200_000])];
    let count = 100;
    for _ in 0..count {
        writer.send(message.clone());
    }
    writer.wait_for_ack(count);
    relay.signal(Signal::SIGTERM);
    writer.peer.assert_told(Notice::Shutdown);
    drop(writer);
    let mut delivered = 0;
    loop {
        thread::sleep(Duration::from_millis(10));
        let frame = slow.peer.read().expect("a notice before the end");
        match ToClient::parse(&frame) {
            Ok(ToClient::Deliver(..)) => delivered += 1,
            Ok(ToClient::Entry { .. } | ToClient::Ping | ToClient::Ack(_)) => {}
            Ok(ToClient::Notice(code)) => {
                assert_eq!(Notice::from_code(code), Some(Notice::Shutdown));
                break;
            }
            other => panic!("unexpected: {other:?}"),
        }
        // It is as lively as it would be in a conversation.
        slow.peer.write(&Frame::ping().encode());
    }
    assert_eq!(delivered, count);
    slow.peer.assert_hung_up();
    drop(slow);
    let ended = relay.ended();
    assert_eq!(ended.code(), Some(0), "{ended:#?}");
    let log = ended.stderr.join("\n");
    assert!(!log.contains("lost the connection"), "{log}");
    assert_eq!(
        log.matches("was sent away, as the relay ends").count(),
        2,
        "{log}"
    );
}

#[test]
fn a_relay_that_is_killed() {
    let relay = Relay::start(&[]);
    let address = relay.address();
    let ada = Client::join(address, "ada", &["--reconnect", "0"]);
    relay.end(Signal::SIGKILL);
    let ended = ada.ended();
    assert_eq!(ended.code(), Some(1), "{ended:#?}");
    assert_eq!(ended.stderr.len(), 2, "{ended:#?}");
    let expected = format!("e2echat: error: lost the connection to {address}: ");
    assert!(ended.stderr[0].starts_with(&expected), "{ended:#?}");
}

#[test]
fn a_client_that_is_asked_to_end_says_goodbye() {
    let relay = Relay::start(&[]);
    let ada = Client::join(relay.address(), "ada", &[]);
    for signal in [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP] {
        let nick = format!("bob-{signal}");
        let mut bob = Client::join(relay.address(), &nick, &[]);
        bob.say("goodbye");
        bob.wait_for_message(&nick, "goodbye");
        bob.signal(signal);
        let ended = bob.ended();
        assert_eq!(ended.code(), Some(0), "{signal}: {ended:#?}");
        assert_eq!(ended.stderr, [""; 0]);
        ada.wait_for_message(&nick, "goodbye");
        ada.wait_for_line("departure", |line| line == format!("* {nick} left"));
    }
}

#[test]
fn a_client_that_is_killed() {
    let relay = Relay::start(&["--grace", "0"]);
    let ada = Client::join(relay.address(), "ada", &[]);
    let bob = Client::join(relay.address(), "bob", &[]);
    bob.signal(Signal::SIGKILL);
    ada.wait_for_line("departure", |line| line == "* bob lost the connection");
    // The nick is free again.
    Client::join(relay.address(), "bob", &[]);
    assert_eq!(ada.warnings(), [""; 0]);
}

const SIGNALS: [Signal; 3] = [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP];

/// A shell that ignores signals and becomes the program.
fn ignoring(signals: &str, home: &Home, arguments: &[&str]) -> Command {
    let mut shell = Command::new("sh");
    home.isolate(&mut shell);
    shell
        .args(["-c", &format!(r#"trap '' {signals}; exec "$0" "$@""#)])
        .arg(tested_program())
        .args(arguments);
    shell
}

/// The name of a signal as a shell has it.
fn short(signal: Signal) -> &'static str {
    signal.as_str().trim_start_matches("SIG")
}

#[test]
fn a_relay_goes_on_ignoring_what_it_was_started_to_ignore_and_obeys_the_rest() {
    for (ignored, obeyed) in [
        (Signal::SIGINT, Signal::SIGTERM),
        (Signal::SIGTERM, Signal::SIGHUP),
        (Signal::SIGHUP, Signal::SIGINT),
    ] {
        let home = Home::new();
        let own = ["serve", "--bind", "127.0.0.1", "--port", "0"];
        let mut command = ignoring(short(ignored), &home, &own);
        let relay = Relay::from_command(&mut command, home);
        let address = relay.address();
        let mut ada = Client::join(address, "ada", &["--reconnect", "0"]);
        relay.signal(ignored);
        let bob = Client::join(address, "bob", &["--reconnect", "0"]);
        ada.wait_for_line("bob", |line| line.starts_with("* bob joined "));
        ada.say("still here");
        bob.wait_for_message("ada", "still here");
        assert_eq!(relay.end(obeyed).code(), Some(0), "{obeyed}");
        let told = format!("the relay is shutting down ({address})");
        ada.ended().assert_failure(&told);
    }
}

#[test]
fn a_client_goes_on_ignoring_what_it_was_started_to_ignore() {
    let relay = Relay::start(&[]);
    let ada = Client::join(relay.address(), "ada", &[]);
    let home = Home::new();
    let address = relay.address().to_string();
    let own = ["join", &address, "--nick", "bob"];
    let mut bob = Client::start_command(&mut ignoring("INT TERM HUP", &home, &own));
    bob.wait_for_roster();
    for signal in SIGNALS {
        bob.signal(signal);
        // A client that obeys has ended when the next one is in.
        let carol = Client::join(relay.address(), "carol", &[]);
        assert_eq!(carol.leave().code(), Some(0));
        bob.say(&format!("still here after {signal}"));
        ada.wait_for_message("bob", &format!("still here after {signal}"));
    }
    assert_eq!(bob.leave().code(), Some(0));
}

#[test]
fn an_identity_is_made_although_the_signals_come_that_are_to_be_ignored() {
    let home = Home::new();
    let mut shell = Command::new("sh");
    home.isolate(&mut shell);
    let script = r#"trap '' INT TERM HUP
        "$0" keygen --output id.pem &
        for signal in INT TERM HUP; do kill -$signal $!; done
        wait $!"#;
    shell.args(["-c", script, tested_program()]);
    let ended = Client::start_command(&mut shell).ended();
    assert_eq!(ended.code(), Some(0), "{ended:#?}");
    assert!(home.file("id.pem").exists());
}

/// A process that is not a child of the test's, and does not outlive it.
struct Stray(Pid);

impl Drop for Stray {
    fn drop(&mut self) {
        // It fails where it has ended.
        let _ = kill(self.0, Signal::SIGKILL);
    }
}

/// Waits until a file has something in it that can be read so.
fn wait_for_content<T>(home: &Home, name: &str, read: impl Fn(&str) -> Option<T>) -> T {
    let text = || fs::read_to_string(home.file(name)).unwrap_or_default();
    wait_for(|| read(&text()), || format!("{name}: {}", text()))
}

/// Starts a relay in a terminal, by a shell with this before it, and hangs the terminal up.
fn relay_after_hang_up(home: &Home, before: &str) -> (SocketAddr, Stray) {
    let pair = native_pty_system()
        .openpty(PtySize::default())
        .expect("a pseudo-terminal");
    let program = tested_program();
    let script = format!(
        "{before} '{program}' serve --bind 127.0.0.1 --port 0 >out 2>&1 & echo $! >pid; wait"
    );
    let mut command = screen::command("sh");
    command.args(["-c", &script]);
    command.cwd(home.path());
    let mut shell = (pair.slave.spawn_command(command)).expect("there is a shell");
    drop(pair.slave);
    let pid = wait_for_content(home, "pid", |text| text.strip_suffix('\n')?.parse().ok());
    let relay = Stray(Pid::from_raw(pid));
    let address = wait_for_content(home, "out", |text| {
        let line = text.lines().find(|line| line.starts_with("listening on "));
        line?.strip_prefix("listening on ")?.parse().ok()
    });
    drop(pair.master);
    shell.wait().expect("the shell ends");
    (address, relay)
}

#[test]
fn a_relay_under_nohup_outlives_its_terminal_and_another_ends_with_it() {
    let home = Home::new();
    let (_, without) = relay_after_hang_up(&home, "");
    wait_for(
        || kill(without.0, None).is_err().then_some(()),
        || "it outlives its terminal".into(),
    );
    let home = Home::new();
    let (address, relay) = relay_after_hang_up(&home, "nohup");
    let ada = Client::join(address, "ada", &["--reconnect", "0"]);
    assert_eq!(ada.leave().code(), Some(0));
    // A shell does the same for what it runs in the background: that is for Ctrl-C.
    kill(relay.0, Signal::SIGINT).expect("it is there");
    let bob = Client::join(address, "bob", &["--reconnect", "0"]);
    kill(relay.0, Signal::SIGTERM).expect("it is there");
    let told = format!("the relay is shutting down ({address})");
    bob.ended().assert_failure(&told);
}
