//! Whoever reads too slowly is let go by the relay, is told that, and accuses nobody.

use std::net::{Shutdown, SocketAddr};
use std::thread;
use std::time::{Duration, Instant};

use e2echat::room::frame::Frame;
use e2echat::room::notice::Notice;
use nix::sys::signal::Signal;
use nix::sys::socket::{setsockopt, sockopt::Linger};

use super::bad_links::wire;
use crate::support::process::{Client, Relay, wait_within};

/// How long somebody is stopped who is slow for that alone.
const STOPPED: Duration = Duration::from_secs(6);

/// So many short messages are more than an output that nobody reads, and the queues before it, take.
const SHORT: usize = 4500;

/// A relay on which members may say as much as they can, and that soon lets go who does not read it.
fn impatient_relay() -> Relay {
    let unlimited = ["--max-bytes", "0", "--max-blocks", "0"];
    Relay::start(&[&unlimited[..], &["--max-queue", "500000"]].concat())
}

/// Has ada talk until the relay has let these go: so many short messages first, and then long ones.
fn talk(ada: &mut Client, short: usize, slow: &[&str]) {
    let long = "x".repeat(4000);
    let dropped = |nick: &&str| {
        format!("* {nick} was dropped by the relay: more waited for it than the relay keeps")
    };
    let dropped: Vec<String> = slow.iter().map(dropped).collect();
    let is_over = |told: &[String]| dropped.iter().all(|line| told.contains(line));
    let mut said = 0;
    while !is_over(&ada.lines()) {
        assert!(said < short + 5000, "{:?}", ada.warnings());
        for _ in 0..100 {
            ada.say(if said < short { "well" } else { &long });
            said += 1;
        }
    }
    ada.say("is anybody there?");
    ada.wait_for_message("ada", "is anybody there?");
}

/// Whether a line says that its reader was slow: by what it knows itself, or as the relay says.
fn says_that_one_was_slow(line: &str, relay: SocketAddr) -> bool {
    let trying = "; trying to get it back; what you say meanwhile is sent then";
    let known = format!("* lost the connection to {relay}: your program was too slow to read for ");
    let told = format!(
        "* your program was too slow to read what the others wrote, and was let go ({relay})"
    );
    let known = line.strip_prefix(&known).and_then(|rest| {
        let rest = rest.strip_suffix(trying)?;
        rest.strip_suffix(", and the other end hung up")?
            .split_once(' ')
    });
    known.is_some_and(|(time, unit)| time.parse::<u64>().is_ok() && ["s", "min"].contains(&unit))
        || line.strip_prefix(&told) == Some(trying)
}

/// Waits for a line for as long as it takes to read what has come before, and then for a beacon period.
fn wait_long(client: &Client, what: &str, expected: impl Fn(&str) -> bool) -> String {
    wait_within(
        Duration::from_mins(4),
        || client.lines().into_iter().find(|line| expected(line)),
        || {
            let mut lines = client.lines();
            lines.retain(|line| line.starts_with(['*', '?', '!']));
            format!("no {what} in {lines:#?}")
        },
    )
}

#[test]
fn whose_program_is_stopped_is_told_that_it_was_slow() {
    let relay = impatient_relay();
    let address = relay.address();
    let mut ada = Client::join(address, "ada", &[]);
    let bob = Client::join(address, "bob", &[]);
    ada.wait_for_line("bob", |line| line.starts_with("* bob joined "));
    bob.signal(Signal::SIGSTOP);
    let start = Instant::now();
    talk(&mut ada, 0, &["bob"]);
    thread::sleep(STOPPED.saturating_sub(start.elapsed()));
    bob.signal(Signal::SIGCONT);
    bob.wait_for_line("loss", |line| says_that_one_was_slow(line, address));
    bob.wait_for_line("return", |line| line == "* connected again; here: ada");
    ada.wait_for_line("return", |line| line == "* bob is back");
    ada.say("welcome back");
    bob.wait_for_message("ada", "welcome back");
    for client in [&ada, &bob] {
        assert_eq!(client.warnings(), [""; 0]);
    }
}

#[test]
#[ignore = "it takes minutes"]
fn whoever_was_slow_in_either_way_knows_why_something_is_missing_and_accuses_nobody() {
    let relay = impatient_relay();
    let address = relay.address();
    let mut ada = Client::join(address, "ada", &[]);
    let [bob, carol] = ["bob", "carol"].map(|nick| Client::join(address, nick, &[]));
    ada.wait_for_line("carol", |line| line.starts_with("* carol joined "));
    // One program is stopped, and nobody takes what the other writes.
    bob.signal(Signal::SIGSTOP);
    let held = carol.hold_output();
    talk(&mut ada, SHORT, &["bob", "carol"]);
    drop(held);
    bob.signal(Signal::SIGCONT);
    for slow in [&bob, &carol] {
        wait_long(slow, "loss", |line| says_that_one_was_slow(line, address));
        wait_long(slow, "return", |line| line.starts_with("* connected again"));
    }
    for slow in [&bob, &carol] {
        wait_long(slow, "what is missing", |line| {
            line.starts_with("* you were out of the room for ")
                && line.ends_with(" messages from ada: ask for what matters")
        });
    }
    ada.say("welcome back");
    for slow in [&bob, &carol] {
        wait_long(slow, "the welcome", |line| {
            line.ends_with("<ada> welcome back")
        });
    }
    for client in [&ada, &bob, &carol] {
        assert_eq!(client.warnings(), [""; 0]);
    }
}

#[test]
fn what_the_relay_says_of_it_is_read_though_the_connection_was_reset_meanwhile() {
    let relay = Relay::start(&[]);
    let (address, connections) = wire(relay.address());
    let ada = Client::join(address, "ada", &[]);
    let connection = connections.recv().unwrap().client;
    ada.signal(Signal::SIGSTOP);
    let notice = Frame::notice(Notice::QueueFull.code()).encode();
    std::io::Write::write_all(&mut &connection, &notice).unwrap();
    // It is reset when the last thread that passes something on drops it.
    let linger = nix::libc::linger {
        l_onoff: 1,
        l_linger: 0,
    };
    setsockopt(&connection, Linger, &linger).unwrap();
    connection.shutdown(Shutdown::Both).unwrap();
    drop(connection);
    ada.signal(Signal::SIGCONT);
    let told = format!(
        "* your program was too slow to read what the others wrote, and was let go ({address}); trying to get it back; what you say meanwhile is sent then"
    );
    ada.wait_for_line("the relay's word", |line| line == told);
    ada.wait_for_line("return", |line| line.starts_with("* connected again"));
    assert_eq!(ada.warnings(), [""; 0]);
}

#[test]
fn whoever_is_far_behind_has_own_words_taken_and_leaves_before_all_is_opened() {
    let relay = Relay::start(&["--max-bytes", "0", "--max-blocks", "0"]);
    let mut ada = Client::join(relay.address(), "ada", &[]);
    let mut bob = Client::join(relay.address(), "bob", &[]);
    ada.wait_for_line("bob", |line| line.starts_with("* bob joined "));
    bob.signal(Signal::SIGSTOP);
    // Each is 22 blocks: some 2000 are to be opened.
    let long = "x".repeat(4000);
    for _ in 0..100 {
        ada.say(&long);
    }
    ada.say("that was all");
    ada.wait_for_message("ada", "that was all");
    bob.say("enough");
    bob.signal(Signal::SIGCONT);
    bob.wait_for_message("bob", "enough");
    // As /quit does.
    bob.signal(Signal::SIGTERM);
    let ended = bob.ended();
    assert_eq!(ended.code(), Some(0), "{ended:#?}");
    let has_shown = |text: &str| ended.stdout.iter().any(|line| line.contains(text));
    assert!(!has_shown("<ada> that was all"));
    // His words went at once, before he had opened what came earlier.
    for lacking in ["unsent", "not delivered"] {
        assert!(!has_shown(lacking), "{ended:#?}");
    }
    ada.wait_for_message("bob", "enough");
    ada.wait_for_line("goodbye", |line| line.starts_with("* bob left"));
    // What he did not open, he did not confirm.
    let told = ada.wait_for_line("what he missed", |line| {
        line.contains("not confirmed by bob, who has gone; say it again: that was all")
    });
    assert_eq!(ada.warnings(), [told]);
}
