//! Whoever closes the lid: what was said meanwhile is there on waking, and the others see that somebody is
//! not connected.

use std::thread;
use std::time::Duration;

use nix::sys::signal::Signal;

use crate::support::process::{Client, Relay, wait_within};
use crate::support::storm::Storm;

/// A stop that the program must notice by its own clock.
const STOPPED: Duration = Duration::from_secs(13);

/// Whoever looks for nothing else finds a connection dead after longer than this.
const SOON: Duration = Duration::from_secs(30);

/// How long somebody is in the room, and for so long a place is kept: longer than until the others are
/// told.
const STAY: Duration = Duration::from_secs(75);

/// Authors send again to whoever was out of the room for no longer than this.
const HELD: Duration = Duration::from_mins(5);

/// So many lines of each of two authors are more than this queue takes.
const LINES: usize = 40;
const SHORT_QUEUE: [&str; 2] = ["--max-queue", "60000"];

#[test]
fn a_program_that_stood_still_makes_its_connection_again_at_once() {
    let relay = Relay::start(&[]);
    let storm = Storm::start(relay.address(), 0);
    let mut ada = Client::join(relay.address(), "ada", &[]);
    let bob = Client::join(storm.address(), "bob", &[]);
    ada.meets("bob");
    // It notices that it stood still where it waits, as it nearly always does.
    bob.comes_to_rest();
    bob.signal(Signal::SIGSTOP);
    // What goes into the old connection is gone, and neither end notices.
    storm.swallow(true);
    ada.say("while you slept");
    thread::sleep(STOPPED);
    storm.swallow(false);
    bob.signal(Signal::SIGCONT);
    let said = |line: &String| line.ends_with("<ada> while you slept");
    wait_within(
        SOON,
        || bob.lines().iter().any(said).then_some(()),
        || format!("{:#?}", bob.lines()),
    );
    bob.wait_for_line("return", |line| line == "* connected again");
    assert_eq!(bob.warnings(), [""; 0]);
    assert_eq!(ada.warnings(), [""; 0]);
    assert_eq!(bob.leave().code(), Some(0));
    assert_eq!(ada.leave().code(), Some(0));
}

#[test]
#[ignore = "it takes minutes"]
fn whoever_sleeps_finds_what_was_said_meanwhile_and_the_others_see_it() {
    let relay = Relay::start(&[]);
    let storm = Storm::start(relay.address(), 0);
    let mut ada = Client::join(relay.address(), "ada", &[]);
    let mut bob = Client::join(storm.address(), "bob", &[]);
    ada.meets("bob");
    thread::sleep(STAY);
    storm.block(true);
    bob.wait_for_line("loss", |line| line.starts_with("* lost the connection"));
    ada.say("one");
    ada.say("two");
    bob.say("written without a connection");
    let is_told = |line: &String| line.starts_with("* bob is not connected since ");
    let asleep = wait_within(
        STAY,
        || ada.lines().into_iter().find(is_told),
        || format!("{:#?}", ada.lines()),
    );
    assert!(
        asleep.contains("; bob gets what is said until "),
        "{asleep}"
    );
    assert!(asleep.ends_with(": the relay says so"), "{asleep}");
    ada.say("three");
    ada.wait_for_line("three", |line| line.ends_with("<ada> three"));
    let carol = Client::join(relay.address(), "carol", &[]);
    carol.wait_for_line("bob", |line| {
        line.starts_with("* here: bob ") && line.contains(", not connected since ")
    });
    storm.block(false);
    bob.wait_for_line("return", |line| line == "* connected again");
    bob.wait_for_line("account", |line| {
        line.starts_with("* you were not connected for ")
            && line.ends_with("; 3 messages came meanwhile")
    });
    for reader in [&ada, &carol] {
        reader.wait_for_line("waking", |line| line == "* bob is connected again");
    }
    // Carol had not come when that was written.
    ada.wait_for_message("bob", "written without a connection");
    let words = bob.lines();
    let places = ["one", "two", "three"].map(|text| {
        let ending = format!(" {text}");
        let is_it = |line: &String| line.contains("<ada>") && line.ends_with(&ending);
        words.iter().position(is_it).expect("it has come")
    });
    assert!(places.is_sorted(), "{words:#?}");
    for person in [&ada, &bob, &carol] {
        assert_eq!(person.warnings(), [""; 0], "{:#?}", person.lines());
    }
}

#[test]
#[ignore = "it takes minutes"]
fn what_lay_unread_when_the_program_stood_still_is_counted_too() {
    let relay = Relay::start(&["--idle-timeout", "600"]);
    let mut ada = Client::join(relay.address(), "ada", &[]);
    let bob = Client::join(relay.address(), "bob", &[]);
    ada.meets("bob");
    bob.signal(Signal::SIGSTOP);
    for text in ["one", "two", "three"] {
        ada.say(text);
    }
    thread::sleep(STAY);
    bob.signal(Signal::SIGCONT);
    bob.wait_for_line("account", |line| {
        line == "* you were not connected for 1 min; 3 messages came meanwhile"
    });
    assert_eq!(bob.warnings(), [""; 0]);
}

#[ignore = "it takes minutes"]
#[test]
fn when_too_much_waits_for_a_sleeper_it_and_the_authors_are_told_what_is_not_delivered() {
    let relay = Relay::start(&SHORT_QUEUE);
    let storm = Storm::start(relay.address(), 0);
    let mut authors = ["ada", "carol"].map(|nick| Client::join(relay.address(), nick, &[]));
    let bob = Client::join(storm.address(), "bob", &["--reconnect", "3600"]);
    for author in &authors {
        author.meets("bob");
    }
    thread::sleep(STAY);
    storm.block(true);
    bob.wait_for_line("loss", |line| line.starts_with("* lost the connection"));
    for author in &authors {
        wait_within(
            STAY,
            || {
                let lines = author.lines();
                let is_told = |line: &String| line.starts_with("* bob is not connected since ");
                lines.iter().any(is_told).then_some(())
            },
            || format!("{:#?}", author.lines()),
        );
    }
    for number in 0..LINES {
        for author in &mut authors {
            author.say(&format!("line {number}"));
        }
    }
    for author in &authors {
        author.wait_for_line("drop", |line| {
            line == "* bob is gone: bob was not connected, and more waited for bob than the relay keeps"
        });
    }
    // Bob might come back, so until then nothing is lost.
    let told = format!(
        "! for {LINES} messages, of which this is the last: not confirmed by bob, who has gone; say it again: line {}",
        LINES - 1
    );
    for author in &authors {
        wait_within(
            HELD + STAY,
            || author.warnings().contains(&told).then_some(()),
            || format!("{:#?}", author.lines()),
        );
    }
    storm.block(false);
    bob.wait_for_line("return", |line| {
        line.starts_with("* connected again after ") && line.ends_with("; here: ada, carol")
    });
    wait_within(
        2 * STAY,
        || {
            let counts = ["ada", "carol"].map(|nick| format!("{LINES} messages from {nick}"));
            let is_it = |line: &String| {
                line.starts_with("* you were out of the room for ")
                    && counts.iter().all(|count| line.contains(count))
                    && line.ends_with(": ask for what matters")
            };
            bob.lines().iter().any(is_it).then_some(())
        },
        || format!("{:#?}", bob.lines()),
    );
    assert_eq!(bob.warnings(), [""; 0]);
    for author in &authors {
        assert_eq!(author.warnings(), [told.as_str()], "once for all of them");
    }
}
