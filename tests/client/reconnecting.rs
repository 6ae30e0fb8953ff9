//! What a person and a pipe are shown when a connection breaks and comes back, and who may take
//! whose place.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;

use crate::support::process::{Client, Home, Relay};
use crate::support::screen::Screen;
use crate::support::storm::Storm;

/// How long somebody is suspended who takes longer than `--idle-timeout 3` allows.
const SUSPENDED: Duration = Duration::from_secs(5);

fn is_lost(line: &str) -> bool {
    line.starts_with("* lost the connection to ")
}

fn is_again(line: &str) -> bool {
    line.starts_with("* connected again")
}

/// Ada at a terminal, on a way that can break, and bob in a pipe.
struct Scene {
    relay: Relay,
    storm: Storm,
    ada: Screen,
    bob: Client,
    _home: Home,
}

impl Scene {
    fn set(options: &[&str]) -> Self {
        let relay = Relay::start(options);
        let storm = Storm::start(relay.address(), 0);
        let bob = Client::join(relay.address(), "bob", &[]);
        let home = Home::new();
        let ada = Screen::join(&home, &storm.address().to_string(), "ada", &[]);
        bob.wait_for_line("ada", |line| line.starts_with("* ada joined "));
        Self {
            relay,
            storm,
            ada,
            bob,
            _home: home,
        }
    }

    fn break_link(&self) {
        self.storm.block(true);
        self.ada.wait_for_row("loss", is_lost);
    }

    fn mend_link(&self) {
        self.storm.block(false);
        self.ada.wait_for_row("return", is_again);
    }

    /// The rows on ada's screen that begin like this.
    fn rows(&self, begin: &str) -> Vec<String> {
        let mut rows = self.ada.transcript();
        rows.retain(|row| row.starts_with(begin));
        rows
    }
}

#[test]
fn what_is_typed_without_a_connection_is_sent_when_it_is_back() {
    let mut scene = Scene::set(&[]);
    let talks = Home::new();
    scene.break_link();
    let carl = Client::join_from(&talks, scene.relay.address(), "carl", &[]);
    for text in ["one", "two", "three"] {
        scene.ada.enter(text);
        let own = format!("<ada> {text}");
        scene.ada.wait_for_row(&own, |row| row.ends_with(&own));
    }
    scene.mend_link();
    scene.bob.wait_for_message("ada", "three");
    let lines = scene.bob.lines();
    let said: Vec<&String> = lines.iter().filter(|l| l.contains("<ada> ")).collect();
    assert_eq!(said.len(), 3, "{lines:#?}");
    assert!(said[0].ends_with("one") && said[1].ends_with("two"));
    scene
        .ada
        .wait_for_row("carl", |row| row.starts_with("* carl joined "));
    scene.ada.enter("hello carl");
    carl.wait_for_message("ada", "hello carl");
    // Ada had not seen him when she typed what was before.
    let shown = carl.lines().join("\n");
    assert_eq!(shown.matches("<ada> ").count(), 1, "{shown}");

    let notices = scene.rows("* ");
    let lost = notices.iter().filter(|row| is_lost(row)).count();
    let again = notices.iter().filter(|row| is_again(row)).count();
    assert_eq!((lost, again), (1, 1), "{notices:#?}");
    assert_eq!(scene.rows("! "), [""; 0]);
    // To the others nothing has happened, but that carl is not among the readers.
    let lines = scene.bob.lines();
    let notices = lines.iter().filter(|line| line.starts_with("* ada "));
    let [joined, leaves_out] = notices.collect::<Vec<_>>()[..] else {
        panic!("{lines:#?}");
    };
    assert!(joined.starts_with("* ada joined "));
    assert_eq!(
        leaves_out,
        "* ada leaves out carl, who cannot read what follows"
    );
    for other in [&scene.bob, &carl] {
        assert_eq!(other.warnings(), [""; 0]);
    }
}

#[test]
fn quitting_without_a_connection() {
    let mut scene = Scene::set(&[]);
    scene.break_link();
    let start = Instant::now();
    scene.ada.enter("/quit");
    assert!(scene.ada.wait_exit().success());
    assert!(start.elapsed() < Duration::from_secs(5));

    let mut scene = Scene::set(&[]);
    scene.break_link();
    scene.ada.enter("in vain");
    scene.ada.enter("/quit");
    assert_eq!(scene.ada.wait_exit().exit_code(), 1);
    let expected = "! not delivered: in vain";
    scene.ada.wait_for_row(expected, |row| row == expected);
}

#[test]
fn a_new_connection_on_demand() {
    let mut scene = Scene::set(&[]);
    scene.ada.enter("/reconnect");
    scene.ada.wait_for_row("return", is_again);
    assert_eq!(scene.rows("* lost"), [""; 0]);
    scene.ada.enter("first");
    scene.bob.wait_for_message("ada", "first");

    scene.break_link();
    scene.ada.enter("/reconnect");
    scene.ada.enter("second");
    scene.ada.enter("/rekey");
    let refusal = "? there is no connection at the moment; try again when it is back";
    scene.ada.wait_for_row("refusal", |row| row == refusal);
    scene.storm.block(false);
    scene.ada.enter("/reconnect");
    scene.bob.wait_for_message("ada", "second");
    assert_eq!(scene.rows("* connected again").len(), 2);
    assert_eq!(scene.rows("? "), [refusal]);
    assert_eq!(scene.rows("! "), [""; 0]);
}

#[test]
fn a_connection_that_breaks_while_a_key_is_made_for_a_nick() {
    let relay = Relay::start(&[]);
    let storm = Storm::start(relay.address(), 0);
    let home = Home::new();
    // Such a key takes long.
    let address = storm.address().to_string();
    let mut ada = Screen::join(&home, &address, "ada", &["--bits", "4096"]);
    ada.type_text("/nick countess");
    ada.wait_for_row("command", |row| row == "> /nick countess");
    ada.press("\r");
    // It is taken before the loss is noticed.
    ada.wait_for("prompt", |shown| {
        shown.lines().any(|row| row.trim_end() == ">")
    });
    storm.block(true);
    ada.wait_for_row("refusal", |row| {
        row.starts_with("? you are not called countess: the connection was lost meanwhile")
    });
}

#[test]
fn a_pipe_gives_up_in_the_end() {
    let relay = Relay::start(&[]);
    let storm = Storm::start(relay.address(), 0);
    let address = storm.address();
    let mut bot = Client::join(address, "bot", &["--reconnect", "2"]);
    storm.block(true);
    bot.wait_for_line("loss", is_lost);
    bot.say("in vain");
    bot.say("in vain again");
    let ended = bot.ended();
    let undelivered: Vec<&String> = ended
        .stdout
        .iter()
        .filter(|l| l.starts_with("! "))
        .collect();
    let expected = ["! not delivered: in vain", "! not delivered: in vain again"];
    assert_eq!(undelivered, expected, "{ended:#?}");
    ended.assert_failure(&format!("no way back to {address} within 2 seconds"));
}

#[test]
fn without_patience_a_broken_connection_is_the_end() {
    let relay = Relay::start(&[]);
    let storm = Storm::start(relay.address(), 0);
    let address = storm.address();
    let bot = Client::join(address, "bot", &["--reconnect", "0"]);
    storm.block(true);
    let ended = bot.ended();
    let error = format!("lost the connection to {address}: the other end hung up");
    ended.assert_failure(&error);
}

#[test]
fn a_client_that_is_suspended_goes_on() {
    let relay = Relay::start(&["--idle-timeout", "3"]);
    let mut ada = Client::join(relay.address(), "ada", &[]);
    let mut bob = Client::join(relay.address(), "bob", &[]);
    ada.wait_for_line("bob", |line| line.starts_with("* bob joined "));
    bob.signal(Signal::SIGSTOP);
    ada.say("are you asleep?");
    thread::sleep(SUSPENDED);
    bob.signal(Signal::SIGCONT);
    bob.wait_for_line("return", is_again);
    bob.wait_for_message("ada", "are you asleep?");
    bob.say("not any more");
    ada.wait_for_message("bob", "not any more");
    let notices = ada.lines();
    let notices = notices.iter().filter(|line| line.starts_with("* bob "));
    assert_eq!(notices.count(), 1, "to her nothing has happened");
    for client in [ada, bob] {
        assert_eq!(client.warnings(), [""; 0]);
    }
}

#[test]
fn the_newest_of_two_with_one_identity_stays() {
    let relay = Relay::start(&[]);
    let address = relay.address();
    let (home, mut ada) = (Home::new(), Client::join(address, "ada", &[]));
    let (identity, _) = home.identity("bob.pem");
    let options = ["--identity", identity.as_str()];
    let killed = Client::join_from(&home, address, "bob", &options);
    ada.wait_for_line("bob", |line| line.starts_with("* bob joined "));
    // Its place is kept, and is its own to take.
    killed.signal(Signal::SIGKILL);
    drop(killed);
    let older = Client::join_from(&home, address, "bob", &options);
    ada.wait_for_line("departure", |line| line == "* bob lost the connection");

    let mut newer = Client::join_from(&home, address, "bob", &options);
    let ended = older.ended();
    let error = format!("you have entered this room once more, from elsewhere ({address})");
    ended.assert_failure(&error);
    newer.say("hello");
    ada.say("hello bob");
    ada.wait_for_message("bob", "hello");
    newer.wait_for_message("ada", "hello bob");
    let joined = |lines: Vec<String>| {
        let joined = lines
            .iter()
            .filter(|line| line.starts_with("* bob joined "));
        joined.count()
    };
    assert_eq!(joined(ada.lines()), 3, "{:#?}", ada.lines());
    assert_eq!(ada.warnings(), [""; 0]);
    assert_eq!(newer.leave().code(), Some(0));
}

#[test]
fn who_went_elsewhere_is_not_replaced_by_what_was_left_behind() {
    let relay = Relay::start(&[]);
    let storm = Storm::start(relay.address(), 0);
    let (home, mut ada) = (Home::new(), Client::join(relay.address(), "ada", &[]));
    let (identity, _) = home.identity("bob.pem");
    let options = ["--identity", identity.as_str()];
    let older = Client::join_from(&home, storm.address(), "bob", &options);
    storm.block(true);
    older.wait_for_line("loss", is_lost);
    let newer = Client::join_from(&home, relay.address(), "bob", &options);
    storm.block(false);
    let error = format!(
        "you have entered this room once more, from elsewhere ({})",
        storm.address()
    );
    older.ended().assert_failure(&error);
    ada.wait_for_line("bob", |line| line == "* bob lost the connection");
    ada.say("hello bob");
    newer.wait_for_message("ada", "hello bob");
    assert_eq!(newer.leave().code(), Some(0));
}

#[test]
fn a_way_that_swallows_everything_is_noticed_at_both_ends() {
    let relay = Relay::start(&["--idle-timeout", "3", "--grace", "1"]);
    let storm = Storm::start(relay.address(), 0);
    let mut ada = Client::join(relay.address(), "ada", &[]);
    let mut bob = Client::join(storm.address(), "bob", &[]);
    ada.wait_for_line("bob", |line| line.starts_with("* bob joined "));
    let start = Instant::now();
    storm.swallow(true);
    bob.wait_for_line("loss", |line| {
        is_lost(line) && line.contains("it did not answer for too long")
    });
    assert!(start.elapsed() < Duration::from_secs(4));
    ada.wait_for_line("departure", |line| line.starts_with("* bob "));
    ada.wait_for_line("departure", |line| {
        line.starts_with("* bob ") && !line.starts_with("* bob joined ")
    });
    storm.swallow(false);
    bob.wait_for_line("return", |line| line == "* connected again; here: ada");
    ada.wait_for_line("return", |line| line == "* bob is back");
    ada.say("hello");
    bob.wait_for_message("ada", "hello");
    bob.say("hello too");
    ada.wait_for_message("bob", "hello too");
}

#[test]
fn a_message_that_nobody_acknowledges_shows_that_the_way_is_dead() {
    let relay = Relay::start(&[]);
    let storm = Storm::start(relay.address(), 0);
    let ada = Client::join(relay.address(), "ada", &[]);
    let mut bob = Client::join(storm.address(), "bob", &[]);
    ada.wait_for_line("bob", |line| line.starts_with("* bob joined "));
    storm.swallow(true);
    let start = Instant::now();
    let mut said = 0;
    // Saying more is no sign of life.
    while !bob.lines().iter().any(|line| is_lost(line)) {
        assert!(start.elapsed() < Duration::from_secs(20));
        bob.say(&format!("word {said}"));
        said += 1;
        thread::sleep(Duration::from_secs(1));
    }
    storm.swallow(false);
    ada.wait_for_message("bob", &format!("word {}", said - 1));
    let lines = ada.lines();
    let words = lines.iter().filter(|line| line.contains("<bob> word "));
    assert_eq!(words.count(), said, "{lines:#?}");
    assert_eq!(ada.warnings(), [""; 0]);
}

/// Ada was out of the room for so long that her place is gone, and comes back to a room in which somebody
/// else has taken it.
fn come_back_too_late(options: &[&str], nick: &str) -> (Scene, Client) {
    let scene = Scene::set(&[&["--grace", "1"], options].concat());
    scene.break_link();
    scene
        .bob
        .wait_for_line("ada", |line| line == "* ada lost the connection");
    let other = Client::join(scene.relay.address(), nick, &[]);
    scene.storm.block(false);
    (scene, other)
}

#[test]
fn a_room_that_is_full_meanwhile_is_told_once_and_tried_again() {
    let (mut scene, carl) = come_back_too_late(&["--max-members", "2"], "carl");
    let refused = format!(
        "* no way back yet: the room is full: the relay lets 2 into a room ({}); your program goes on trying",
        scene.storm.address()
    );
    scene.ada.wait_for_row("refusal", |row| row == refused);
    scene.ada.enter("kept");
    // Some attempts later.
    thread::sleep(Duration::from_secs(5));
    assert_eq!(scene.rows("* no way back yet: the room is full"), [refused]);
    assert_eq!(carl.leave().code(), Some(0));
    scene.ada.wait_for_row("return", is_again);
    scene.bob.wait_for_message("ada", "kept");
    assert_eq!(scene.rows("! "), [""; 0]);
}

#[test]
fn a_nick_that_is_taken_meanwhile_ends_the_program_with_the_reason() {
    let (scene, _other) = come_back_too_late(&[], "ADA");
    let mut scene = scene;
    assert_eq!(scene.ada.wait_exit().exit_code(), 1);
    let error = format!(
        "e2echat: error: you were out of the room, and somebody else has the nick ada by now, or one that looks like it ({})",
        scene.storm.address()
    );
    scene.ada.wait_for_row("error", |row| row == error);
    let hint = "join again with another --nick";
    scene.ada.wait_for_row("hint", |row| row.contains(hint));
}

#[test]
fn names_says_what_it_knows_without_a_connection_and_who_is_missing() {
    let scene = Scene::set(&[]);
    scene.break_link();
    let Scene {
        relay,
        storm,
        mut ada,
        bob,
        _home,
    } = scene;
    ada.enter("/names");
    ada.wait_for_row("time", |row| {
        row.starts_with("* there is no connection at the moment: this is who was here at ")
    });
    ada.wait_for_row("bob", |row| row.starts_with("* here: bob "));
    // The relay is started anew, and bob does not find back.
    let port = relay.address().port().to_string();
    bob.signal(Signal::SIGSTOP);
    relay.end(Signal::SIGKILL);
    let _relay = Relay::start_with(&["--bind", "127.0.0.1", "--port", &port]);
    storm.block(false);
    ada.wait_for_row("return", |row| row.contains("; still missing: bob;"));
    ada.enter("/clear");
    ada.enter("/names");
    ada.wait_for_row("missing", |row| row == "* still missing: bob");
    let shown = ada.contents();
    assert!(!shown.contains("* there is no connection"), "{shown}");
}

#[test]
fn why_there_is_no_way_back_is_told_once() {
    let relay = Relay::start(&[]);
    let address = relay.address();
    let ada = Client::join(address, "ada", &[]);
    drop(relay);
    ada.wait_for_line("loss", is_lost);
    let why = format!(
        "* no way back yet: cannot connect to {address}: connection refused; your program goes on trying"
    );
    ada.wait_for_line("reason", |line| line == why);
    // Another reason is told, too.
    let listener = TcpListener::bind(address).expect("the port is free again");
    thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            // It fails where the client was faster.
            let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n");
            let _ = stream.read_to_end(&mut Vec::new());
        }
    });
    let lost = format!(
        "* no way back yet: lost the connection to {address}: what answers there speaks HTTP; "
    );
    ada.wait_for_line("another reason", |line| line.starts_with(&lost));
    // Each is told once, however often there is an attempt.
    let lines = ada.lines();
    let mut told: Vec<&String> = lines
        .iter()
        .filter(|line| line.starts_with("* no way back yet: "))
        .collect();
    let count = told.len();
    told.sort_unstable();
    told.dedup();
    assert_eq!(told.len(), count, "{lines:#?}");
}
