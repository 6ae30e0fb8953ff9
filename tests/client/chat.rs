//! Members who chat through a relay, each a program of its own.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener};

use nix::sys::signal::Signal;

use crate::support::process::{Client, Home, Relay, is_message};

fn port_of(line: &str) -> u16 {
    let address = line.strip_prefix("listening on ").expect("such a line");
    address.parse::<SocketAddr>().expect("an address").port()
}

#[test]
fn three_members_read_the_same() {
    let relay = Relay::start(&[]);
    let mut ada = Client::join(relay.address(), "ada", &[]);
    let mut bob = Client::join(relay.address(), "bob", &[]);
    let mut carol = Client::join(relay.address(), "carol", &[]);
    for there in [&ada, &bob] {
        there.wait_for_line("carol", |line| line.starts_with("* carol joined SHA256:"));
    }
    ada.say("hello, both of you");
    carol.wait_for_message("ada", "hello, both of you");
    carol.say("hello, ada: ÄÖÜ, 日本語, 🙂");
    bob.wait_for_message("carol", "hello, ada: ÄÖÜ, 日本語, 🙂");
    bob.say("hello");
    for member in [&ada, &bob, &carol] {
        member.wait_for_message("ada", "hello, both of you");
        member.wait_for_message("carol", "hello, ada: ÄÖÜ, 日本語, 🙂");
        member.wait_for_message("bob", "hello");
    }
    let ended = bob.leave();
    assert_eq!(ended.code(), Some(0));
    assert_eq!(ended.stderr, [""; 0]);
    for there in [ada, carol] {
        there.wait_for_line("departure", |line| line == "* bob left");
        assert_eq!(there.warnings(), [""; 0]);
        assert_eq!(there.leave().code(), Some(0));
    }
}

#[test]
fn a_newcomer_is_told_who_is_there_and_they_see_its_fingerprint() {
    let relay = Relay::start(&[]);
    let ada = Client::join(relay.address(), "ada", &[]);
    let bob = Client::join(relay.address(), "bob", &[]);
    let fingerprint = |client: &Client, nick: &str| {
        let prefix = format!("* you are {nick} ");
        let line = client.wait_for_line("own fingerprint", |line| line.starts_with(&prefix));
        line[prefix.len()..].to_owned()
    };
    let (of_ada, of_bob) = (fingerprint(&ada, "ada"), fingerprint(&bob, "bob"));
    bob.wait_for_line("ada", |line| {
        line.starts_with(&format!("* here: ada {of_ada} ("))
    });
    ada.wait_for_line("bob", |line| {
        line.starts_with(&format!("* bob joined {of_bob} ("))
    });
}

#[test]
fn what_is_said_before_somebody_comes_is_not_for_them() {
    let relay = Relay::start(&[]);
    let mut ada = Client::join(relay.address(), "ada", &[]);
    ada.say("only for me");
    ada.wait_for_line("warning that nobody reads", |line| {
        line == "* nobody else is here, so nobody reads this"
    });
    let bob = Client::join(relay.address(), "bob", &[]);
    ada.wait_for_line("bob", |line| line.starts_with("* bob joined "));
    ada.say("for both");
    bob.wait_for_message("ada", "for both");
    assert!(!bob.lines().iter().any(|line| line.contains("only for me")));
    assert_eq!(bob.warnings(), [""; 0]);
}

#[test]
fn members_of_another_room_hear_nothing_and_may_have_the_same_nicks() {
    let relay = Relay::start(&[]);
    let mut here = Client::join(relay.address(), "ada", &["--room", "Cellar"]);
    let same = Client::join(relay.address(), "bob", &["--room", "cellar"]);
    let other = Client::join(relay.address(), "ada", &["--room", "attic"]);
    here.wait_for_line("bob", |line| line.starts_with("* bob joined "));
    here.say("down here");
    same.wait_for_message("ada", "down here");
    let heard = other.leave();
    assert_eq!(heard.code(), Some(0));
    assert!(
        !heard
            .stdout
            .iter()
            .any(|line| line.contains("down here") || line.contains("bob"))
    );
}

#[test]
fn members_with_longer_keys_and_saved_identities_chat_with_the_others() {
    let relay = Relay::start(&[]);
    let home = Home::new();
    let saved = home.run(&["keygen", "--bits", "3072"]);
    let fingerprint = saved.stdout[1]
        .trim_start_matches("fingerprint")
        .trim()
        .to_owned();
    let mut command = home.e2echat();
    let address = relay.address().to_string();
    command.args(["join", &address, "--nick", "ada", "--bits", "4096"]);
    let mut ada = Client::from_command(&mut command, home);
    ada.wait_for_line("roster", |line| line == "* nobody else is here yet");
    let mut bob = Client::join(relay.address(), "bob", &[]);
    bob.wait_for_line("ada", |line| {
        line.starts_with(&format!("* here: ada {fingerprint} ("))
    });
    let long = "ÄbC xyz ".repeat(100);
    bob.say(&long);
    ada.wait_for_line("the text", |line| is_message(line, "bob", &long));
    ada.say("hello");
    bob.wait_for_message("ada", "hello");
}

#[test]
fn escape_sequences_line_breaks_and_a_faked_line_stay_within_their_authors_line() {
    let relay = Relay::start(&[]);
    let bob = Client::join(relay.address(), "bob", &[]);
    let mut eve = Client::join(relay.address(), "eve", &[]);
    eve.say("a\x1b[2Jb\x07c\u{202e}d");
    eve.say("x\r21:04 <ada> y\u{2028}* ada left");
    eve.say("end");
    bob.wait_for_message("eve", "end");
    let lines = bob.lines();
    let from_eve = lines.iter().filter(|line| line.contains("<eve> "));
    assert_eq!(from_eve.count(), 3, "{lines:#?}");
    let text = lines.join("\n");
    assert!(!text.contains(['\x1b', '\x07', '\u{202e}', '\u{2028}', '\r']));
    assert!(
        !lines
            .iter()
            .any(|line| line == "* ada left" || is_message(line, "ada", "y"))
    );
}

#[test]
fn names_and_ipv4_reach_the_relay_that_listens_everywhere() {
    let relay = Relay::start_with(&["--port", "0"]);
    let port = relay.address().port();
    for host in ["localhost", "127.0.0.1"] {
        let client = Client::start_at(&format!("{host}:{port}"), host, &[]);
        client.wait_for_line("roster", |line| line.starts_with("* nobody else "));
        assert_eq!(client.leave().code(), Some(0));
    }
}

#[test]
fn every_socket_has_a_line_and_the_command_for_friends_comes_last() {
    if TcpListener::bind((Ipv6Addr::LOCALHOST, 0)).is_err() {
        return;
    }
    let relay = Relay::start_with(&["--bind", "127.0.0.1", "--bind", "::1", "--port", "0"]);
    let command = relay.wait_for_line("command", |line| line.starts_with("friends join with: "));
    let lines = relay.lines();
    let [ipv4, ipv6, last] = lines.as_slice() else {
        panic!("not three lines: {lines:#?}");
    };
    assert_eq!(*last, command);
    let (v4_port, v6_port) = (port_of(ipv4), port_of(ipv6));
    assert_eq!(*ipv4, format!("listening on 127.0.0.1:{v4_port}"));
    assert_eq!(*ipv6, format!("listening on [::1]:{v6_port}"));
    assert_eq!(
        command,
        format!("friends join with: e2echat join 127.0.0.1:{v4_port} --nick NAME")
    );
    let mut ada = Client::start_at(&format!("127.0.0.1:{v4_port}"), "ada", &[]);
    ada.wait_for_line("roster", |line| line.starts_with("* nobody else "));
    let bob = Client::start_at(&format!("[::1]:{v6_port}"), "bob", &[]);
    ada.wait_for_line("bob", |line| line.starts_with("* bob joined "));
    ada.say("over both");
    bob.wait_for_message("ada", "over both");
}

#[test]
fn a_port_that_is_taken() {
    let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address = taken.local_addr().unwrap();
    let port = address.port().to_string();
    let ended = Home::new().run(&["serve", "--bind", "127.0.0.1", "--port", &port]);
    // C libraries word it differently.
    let words = ["address already in use", "address in use"];
    let words = words.iter().find(|words| ended.stderr[0].ends_with(*words));
    let words = words.unwrap_or_else(|| panic!("{ended:#?}"));
    ended.assert_failure(&format!("cannot listen on {address}: {words}"));
    assert_eq!(ended.stdout, [""; 0]);
}

#[test]
fn the_host_sits_in_a_room_and_ends_the_relay_by_leaving() {
    let mut relay = Relay::start(&["--nick", "host", "--room", "den"]);
    relay.wait_for_line("command", |line| line.ends_with("--nick NAME --room den"));
    relay.wait_for_line("roster", |line| line == "* nobody else is here yet");
    let mut guest = Client::join(
        relay.address(),
        "guest",
        &["--room", "den", "--reconnect", "0"],
    );
    guest.say("nice place");
    relay.wait_for_line("message", |line| is_message(line, "guest", "nice place"));
    relay.say("thank you");
    guest.wait_for_message("host", "thank you");
    let ended = relay.end_input();
    assert_eq!(ended.code(), Some(0), "{ended:#?}");
    let told = guest.ended();
    assert_eq!(told.code(), Some(1));
    assert!(
        told.stderr[0].contains("the relay is shutting down"),
        "{told:#?}"
    );
    assert!(told.stdout.contains(&"* host left".to_owned()), "{told:#?}");
}

#[test]
fn the_log_names_who_comes_and_goes_and_never_what_they_say() {
    let relay = Relay::start(&["-v"]);
    let mut ada = Client::join(relay.address(), "ada", &["--room", "hideout"]);
    let bob = Client::join(relay.address(), "bob", &["--room", "hideout"]);
    let you_are = ada.wait_for_line("fingerprint", |line| line.starts_with("* you are ada "));
    let fingerprint = you_are.trim_start_matches("* you are ada ").to_owned();
    ada.wait_for_line("bob", |line| line.starts_with("* bob joined "));
    ada.say("swordfish");
    bob.wait_for_message("ada", "swordfish");
    assert_eq!(ada.leave().code(), Some(0));
    let joined = format!("ada {fingerprint} joined from 127.0.0.1:");
    relay.wait_for_log(&joined, |line| line.contains(&joined));
    let left = format!("ada {fingerprint} left");
    relay.wait_for_log(&left, |line| line.ends_with(&left));
    bob.wait_for_line("departure", |line| line == "* ada left");
    let ended = relay.end(Signal::SIGTERM);
    let log = ended.stderr.join("\n");
    assert!(
        !log.contains("swordfish") && !log.contains("hideout"),
        "{log}"
    );
}

#[test]
fn without_v_the_relay_says_nothing_of_its_members() {
    let relay = Relay::start(&[]);
    let ada = Client::join(relay.address(), "ada", &[]);
    assert_eq!(ada.leave().code(), Some(0));
    let ended = relay.end(Signal::SIGTERM);
    assert_eq!(ended.stderr, [""; 0]);
    assert_eq!(ended.stdout.len(), 2, "{ended:#?}");
}
