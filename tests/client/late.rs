//! Whoever comes late: what was said is handed on, with the proof of who said it, and everybody is told.

use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use e2echat::cipher::seal::Body;
use e2echat::room::content::{Bundle, Share, Unproven};
use e2echat::room::names::RoomName;
use nix::sys::signal::Signal;

use crate::support::peer::Member;
use crate::support::person::Person;
use crate::support::process::{Client, Home, Relay};
use crate::support::screen::Screen;

impl Person {
    #[track_caller]
    fn is_told(&self, row: &str) {
        self.screen.wait_for_row(row, |shown| shown == row);
    }

    /// Says something, and waits until the relay has taken it.
    fn tells_all(&mut self, text: &str) {
        self.screen.enter(text);
        let said = format!("<ada> {text}");
        self.screen.wait_for_row(text, |row| {
            row.ends_with(&said) && !row.starts_with("unsent")
        });
    }
}

/// The rows of what was handed on, without the time.
fn handed_on(rows: &[String]) -> Vec<String> {
    let rows = rows.iter().filter_map(|row| row.split_once("\" "));
    rows.map(|(_, words)| words.to_owned()).collect()
}

/// Somebody who is known under this nick in the lobby of this relay, by this word, in this user's folder.
fn remember(home: &Home, relay: &Relay, word: &str, nick: &str, fingerprint: &str) {
    let room = base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(RoomName::lobby().id().0);
    let line = format!(
        "1794787200 {word} {} {room} {nick} {fingerprint}\n",
        relay.address()
    );
    std::fs::create_dir_all(home.known_people().parent().unwrap()).unwrap();
    std::fs::write(home.known_people(), line).unwrap();
}

#[test]
fn a_newcomer_is_handed_what_was_said_and_all_are_told() {
    let relay = Relay::start(&[]);
    let mut ada = Person::join(&relay, "ada");
    let mut bob = ada.welcomes(&relay, "bob");
    let mut dave = ada.welcomes(&relay, "dave");
    bob.meets("dave");
    ada.tells_all("one");
    bob.say("two");
    ada.screen.sees("<bob> two");
    dave.say("three");
    ada.screen.sees("<dave> three");
    ada.screen.enter("/msg bob the surprise is in the kitchen");
    ada.screen.sees("the surprise is in the kitchen");
    assert_eq!(dave.leave().code(), Some(0));
    ada.screen.sees("* dave left");
    let mut carol = Person::join(&relay, "carol");
    ada.meets("carol");
    bob.meets("carol");
    ada.screen.enter("/share carol");
    ada.is_told("* handing on 3 messages to carol: all who are here are told");
    ada.is_told("* carol has got all 3 messages");
    bob.wait_for_line("news", |line| {
        line == "* ada hands on 3 earlier messages to carol"
    });
    carol.is_told("* earlier, handed on by ada: 3 messages");
    carol.is_told("* that was all from ada: 3 shown");
    let rows = carol.screen.transcript();
    let words = ["<ada> one", "<bob> two", "<dave> three"];
    assert_eq!(handed_on(&rows), words, "{rows:#?}");
    let about_dave = rows
        .iter()
        .filter(|row| row.starts_with("* dave was SHA256:"));
    assert_eq!(about_dave.count(), 1, "{rows:#?}");
    assert!(
        !rows.iter().any(|row| row.contains("surprise")),
        "{rows:#?}"
    );
    // What she has she is shown once.
    ada.tells_all("four");
    carol.screen.sees("<ada> four");
    ada.screen.enter("/share carol 2");
    carol.is_told("* that was all from ada: 0 shown, 2 you had");
    ada.is_told("* carol has got all 2 messages");
    let seconds = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let minutes = seconds.as_secs() / 60 - 60;
    let (hour, minute) = (minutes / 60 % 24, minutes % 60);
    ada.screen
        .enter(&format!("/share carol since {hour:02}:{minute:02}"));
    carol.is_told("* that was all from ada: 0 shown, 4 you had");
    carol.screen.enter("/clear");
    carol.screen.enter("/history");
    carol.screen.sees("<ada> four");
    let shown = carol.screen.contents();
    let shown: Vec<String> = shown.lines().map(str::to_owned).collect();
    assert_eq!(handed_on(&shown), words, "{shown:#?}");
    // It is no message to her alone.
    carol.screen.enter("/reply thank you");
    carol.is_told("? not sent: nobody has said anything to you alone so far");
    assert_eq!(bob.warnings(), [""; 0]);
}

#[test]
fn mistakes_are_told_in_one_line_and_hand_nothing_on() {
    let relay = Relay::start(&[]);
    let home = Home::new();
    // Where it is noon.
    let seconds = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let hour = i64::try_from(seconds.as_secs() / 3600 % 24).unwrap();
    let zone = format!("NOON{:+}", hour - 12);
    let address = relay.address().to_string();
    let arguments = ["join", &address, "--nick", "ada"];
    let mut ada = Screen::e2echat_with(&home, &[("TZ", &zone)], &arguments, 50, 300);
    ada.sees("* nobody else is here yet");
    let bob = Client::join(relay.address(), "bob", &[]);
    ada.sees("* bob joined ");
    for (command, told) in [
        (
            "/share",
            "it is used like this: /share NICK [N|since HH:MM]",
        ),
        (
            "/share bob",
            "there is nothing to hand on to bob: nothing was said to all, or nothing that bob may have",
        ),
        (
            "/share bob 0",
            "nothing is handed on: say how many, from 1 to 1000, or since 14:30",
        ),
        (
            "/share bob 1001",
            "nothing is handed on: say how many, from 1 to 1000, or since 14:30",
        ),
        (
            "/share bob since",
            "nothing is handed on: say how many, from 1 to 1000, or since 14:30",
        ),
        (
            "/share bob since 25:00",
            "nothing is handed on: 25:00 is no time of day; write it like 14:30",
        ),
        (
            "/share bob since 18:59",
            "nothing is handed on: 18:59 is still to come",
        ),
        (
            "/share eve",
            "nobody here is called eve; /names shows who is here",
        ),
        ("/share ada", "nothing is handed on: that is you"),
    ] {
        ada.enter("/clear");
        ada.enter(command);
        let told = format!("? {told}");
        ada.wait_for_row(command, |row| row == told);
    }
    let shares = |line: &String| line.contains("hands on") || line.contains("handed on");
    assert!(!bob.lines().iter().any(shares), "{:#?}", bob.lines());
}

#[test]
fn what_its_author_forbids_or_keeps_from_somebody_is_not_handed_on() {
    let relay = Relay::start(&[]);
    let mut ada = Person::join(&relay, "ada");
    let mut bob = Client::join(relay.address(), "bob", &["--no-share"]);
    ada.meets("bob");
    bob.say("between us");
    ada.screen.sees("<bob> between us");
    ada.tells_all("for everybody");
    let carol = ada.welcomes(&relay, "carol");
    ada.screen.enter("/share carol");
    ada.is_told("* carol has got the message");
    let handed = carol.lines();
    assert_eq!(handed_on(&handed), ["<ada> for everybody"], "{handed:#?}");
}

#[test]
fn whose_identity_is_not_the_one_that_one_knows_is_marked() {
    let relay = Relay::start(&[]);
    let mut ada = Person::join(&relay, "ada");
    let mut bob = ada.welcomes(&relay, "bob");
    bob.say("it is me");
    ada.screen.sees("<bob> it is me");
    assert_eq!(bob.leave().code(), Some(0));
    ada.screen.sees("* bob left");
    let home = Home::new();
    let another = format!("SHA256:{}", "A".repeat(43));
    remember(&home, &relay, "verified", "bob", &another);
    let carol = Client::join_from(&home, relay.address(), "carol", &[]);
    ada.meets("carol");
    ada.screen.enter("/share carol");
    carol.wait_for_line("end", |line| line == "* that was all from ada: 1 shown");
    let lines = carol.lines();
    assert_eq!(handed_on(&lines), ["<?bob> it is me"], "{lines:#?}");
    let told = "* whoever wrote that as bob is not the bob whom you know or see here: it is another identity";
    assert!(lines.iter().any(|line| line == told), "{lines:#?}");
}

#[test]
fn what_somebody_else_wrote_under_the_users_own_nick_is_marked() {
    let relay = Relay::start(&[]);
    let mut ada = Person::join(&relay, "ada");
    let mut other = ada.welcomes(&relay, "carol");
    other.say("it is me");
    ada.screen.sees("<carol> it is me");
    assert_eq!(other.leave().code(), Some(0));
    ada.screen.sees("* carol left");
    let mut carol = Client::join(relay.address(), "carol", &[]);
    carol.say("and me");
    ada.screen.sees("<carol> and me");
    ada.screen.enter("/share carol");
    carol.wait_for_line("end", |line| line == "* that was all from ada: 1 shown");
    let lines = carol.lines();
    assert_eq!(handed_on(&lines), ["<?carol> it is me"], "{lines:#?}");
    let told = "* whoever wrote that as carol is not you: it is another identity";
    assert!(lines.iter().any(|line| line == told), "{lines:#?}");
}

#[test]
fn all_are_told_of_all_that_is_handed_on_in_lines_that_nobody_can_make_many() {
    let relay = Relay::start(&[]);
    let mut ada = Person::join(&relay, "ada");
    for text in ["one", "two", "three"] {
        ada.tells_all(text);
    }
    let carol = ada.welcomes(&relay, "carol");
    let dora = ada.welcomes(&relay, "dora");
    for which in [["1"; 12].as_slice(), &["3"]].concat() {
        ada.screen.enter("/clear");
        ada.screen.enter(&format!("/share carol {which}"));
        ada.screen.sees("* carol has got ");
    }
    let told = |told: &[String], by: &str| {
        let mut told = told.to_vec();
        told.retain(|line| line.starts_with(by));
        told
    };
    let ended = dora.leave();
    let mut expected = vec!["* ada hands on 1 earlier message to carol"; 10];
    expected.push("* ada hands on 5 earlier messages to carol");
    assert_eq!(told(&ended.stdout, "* ada hands on"), expected);
    let ended = carol.leave();
    let heading = "* earlier, handed on by ada";
    let expected = ["1 message", "1 message", "3 messages"].map(|it| format!("{heading}: {it}"));
    assert_eq!(told(&ended.stdout, heading), expected);
    let mut ends = vec!["* that was all from ada: 1 shown"];
    ends.extend(["* that was all from ada: 0 shown, 1 you had"; 10]);
    ends.extend([
        "* that was all from ada: 2 shown, 1 you had",
        "* that was all from ada: 0 shown, 1 you had",
    ]);
    assert_eq!(told(&ended.stdout, "* that was all"), ends);
}

#[test]
fn who_hands_on_and_is_gone_in_the_middle_has_handed_on_less() {
    let relay = Relay::start(&["--grace", "1"]);
    let carol = Client::join(relay.address(), "carol", &[]);
    let mut mallory = Member::join(relay.address(), "mallory", 0);
    carol.meets("mallory");
    let share = Share {
        reader: mallory.others[0].sid(),
        count: 2,
    };
    let body = Body::new(Share::CODE, share.encode()).expect("it is short");
    let (mut header, _) = mallory.compose(0, "x");
    header.commitment = body.commitment();
    let message = mallory.seal(&header, &body);
    mallory.send(message);
    carol.wait_for_line("announcement", |line| {
        line == "* earlier, handed on by mallory: 2 messages"
    });
    drop(mallory);
    carol.wait_for_line("end", |line| {
        line == "* that was all from mallory: 0 shown, 2 not come"
    });
    carol.wait_for_line("departure", |line| {
        line.starts_with("* mallory lost the connection")
    });
    assert_eq!(carol.warnings(), [""; 0]);
}

#[test]
fn without_a_connection_nothing_is_handed_on_or_asked_for() {
    let relay = Relay::start(&[]);
    let mut ada = Person::join(&relay, "ada");
    ada.welcomes(&relay, "bob");
    ada.tells_all("one");
    drop(relay);
    ada.screen.sees("lost the connection to ");
    ada.screen.enter("/share bob");
    ada.is_told("? nothing is handed on: you are not connected; try it when you are");
    ada.screen.enter("/catchup");
    ada.is_told("? nobody is asked: you are not connected; try it when you are");
}

#[test]
fn whom_one_ignores_one_is_handed_nothing_by_and_nothing_of() {
    let relay = Relay::start(&[]);
    let mut ada = Person::join(&relay, "ada");
    let mut bob = Person::join(&relay, "bob");
    ada.meets("bob");
    ada.tells_all("one");
    bob.screen.sees("<ada> one");
    bob.screen.enter("two");
    ada.screen.sees("<bob> two");
    let mut carol = Person::join(&relay, "carol");
    ada.meets("carol");
    carol.screen.enter("/ignore bob");
    carol.screen.sees("* nothing that bob says is shown");
    ada.screen.enter("/share carol");
    carol.is_told("* that was all from ada: 1 shown, 1 from people whom you ignore");
    assert_eq!(handed_on(&carol.screen.transcript()), ["<ada> one"]);

    let mut dave = Person::join(&relay, "dave");
    ada.meets("dave");
    dave.screen.enter("/ignore ada");
    dave.screen.sees("* nothing that ada says is shown");
    ada.screen.enter("/share dave");
    ada.is_told("* dave has got all 2 messages");
    dave.screen.enter("/names");
    dave.screen.comes_to_rest();
    let rows = dave.screen.transcript();
    let told = rows
        .iter()
        .any(|row| row.contains("handed on") || row.contains("that was all"));
    assert!(!told && handed_on(&rows).is_empty(), "{rows:#?}");
    // What ada has handed on in vain comes from somebody else.
    bob.meets("dave");
    bob.screen.enter("/share dave");
    dave.is_told("* that was all from bob: 1 shown, 1 from people whom you ignore");
    assert_eq!(handed_on(&dave.screen.transcript()), ["<bob> two"]);
}

#[test]
fn who_leaves_meanwhile_has_not_got_it_and_whoever_hands_on_is_told() {
    let relay = Relay::start(&["--grace", "1"]);
    let mut ada = Person::join(&relay, "ada");
    let mut bob = ada.welcomes(&relay, "bob");
    for number in 0..200 {
        bob.say(&format!("line {number}"));
    }
    ada.screen.sees("<bob> line 199");
    let carol = ada.welcomes(&relay, "carol");
    carol.signal(Signal::SIGSTOP);
    ada.screen.enter("/share carol 200");
    ada.is_told("* handing on 200 messages to carol: all who are here are told");
    drop(carol);
    ada.screen.sees("* carol lost the connection");
    let dave = ada.welcomes(&relay, "dave");
    // That is in the way of nobody else.
    ada.screen.enter("/share dave 200");
    ada.is_told("* dave has got all 200 messages");
    let told = ada.screen.transcript();
    let progress = "* dave has got ";
    let told: Vec<u32> = told
        .iter()
        .filter_map(|row| row.strip_prefix(progress)?.split(' ').next()?.parse().ok())
        .collect();
    assert!(
        told.is_sorted() && (1..=3).contains(&told.len()),
        "{told:?}"
    );
    assert!(
        told.iter().all(|count| (50..200).contains(count)),
        "{told:?}"
    );
    let lines = dave.lines();
    let expected: Vec<String> = (0..200)
        .map(|number| format!("<bob> line {number}"))
        .collect();
    assert_eq!(handed_on(&lines), expected);
}

#[test]
fn whoever_asks_for_it_is_answered_by_people_and_by_the_programs_of_those_who_have_verified_them() {
    let relay = Relay::start(&[]);
    let bobs = Home::new();
    let (identity, fingerprint) = bobs.identity("bob.pem");
    let bobs_options = ["--identity", identity.as_str()];
    let adas = Home::new();
    remember(&adas, &relay, "verified", "bob", &fingerprint);
    let mut command = adas.e2echat();
    command
        .args(["join", &relay.address().to_string(), "--nick", "ada"])
        .env("E2ECHAT_CATCHUP", "verified");
    let mut ada = Client::start_command(&mut command);
    ada.wait_for_roster();
    let mut carol = Person::join(&relay, "carol");
    ada.meets("carol");
    let bob = Client::join_from(&bobs, relay.address(), "bob", &bobs_options);
    ada.meets("bob");
    ada.say("zero");
    bob.wait_for_message("ada", "zero");
    assert_eq!(bob.leave().code(), Some(0));
    ada.wait_for_line("departure", |line| line == "* bob left");
    ada.say("one");
    carol.screen.sees("<ada> one");
    // Nobody has verified her.
    carol.screen.enter("/catchup");
    carol.is_told("* all who are here are asked to hand on to you what was said earlier");
    ada.wait_for_line("wish", |line| {
        line == "* carol asks for what was said earlier: /share carol hands it on"
    });
    let mut bob = Screen::join(&bobs, &relay.address().to_string(), "bob", &bobs_options);
    bob.enter("/catchup");
    carol.screen.sees("* bob asks for what was said earlier");
    ada.wait_for_line("answer", |line| {
        line == "* handing on 1 message to bob, who has asked for it, as you wished with --catchup"
    });
    bob.sees("* that was all from ada: 1 shown");
    // He was there before that.
    assert_eq!(handed_on(&bob.transcript()), ["<ada> one"]);
    carol.is_told("* ada hands on 1 earlier message to bob");
    let answers = ada.lines();
    let answers = answers
        .iter()
        .filter(|line| line.starts_with("* handing on "));
    assert_eq!(answers.count(), 1);
}

/// What a member hands on that announces nothing, and what proves nothing.
#[test]
fn what_is_not_proven_is_not_shown_and_whoever_hands_it_on_is_named() {
    let relay = Relay::start(&[]);
    let carol = Client::join(relay.address(), "carol", &[]);
    let mut mallory = Member::join(relay.address(), "mallory", 0);
    carol.meets("mallory");
    let reader = mallory.others[0].sid();
    let (header, said) = mallory.compose(0, "carol has won");
    let sealed = mallory.seal(&header, &said);
    let forged = Unproven {
        header: sealed.header.clone(),
        signature: sealed.signature.clone(),
        nonce: [0; 16],
        kind: 0,
        text: b"carol has lost".to_vec(),
    };
    let bundle = Bundle {
        cards: Vec::new(),
        messages: vec![forged.clone(), forged],
    };
    let body = Body::new(Bundle::CODE, bundle.encode()).expect("it is short");
    let (mut header, _) = mallory.compose_to(reader, 0, "x");
    header.commitment = body.commitment();
    let message = mallory.seal(&header, &body);
    mallory.send(message);
    carol.wait_for_line("alarm", |line| {
        line == "! 2 messages that mallory hands on are not shown, of each of them as the room was told of fewer; ask somebody else what was said"
    });
    assert!(!carol.lines().iter().any(|line| line.contains("has lost")));
}
