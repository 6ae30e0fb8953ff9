//! How a relay and a client end: by a signal, by each other, cleanly or not.

mod support;

use std::thread;
use std::time::Duration;

use e2echat::room::frame::{Frame, ToClient};
use e2echat::room::message::Stream;
use e2echat::room::notice::Notice;
use nix::sys::signal::Signal;

use support::peer::{Member, Peer, lobby};
use support::process::{Client, Relay};

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
            Ok(ToClient::Deliver { .. }) => delivered += 1,
            Ok(ToClient::Joined { .. } | ToClient::Ping | ToClient::Ack(_)) => {}
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
