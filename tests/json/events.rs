//! What a program is told of people, and of what they say.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use nix::sys::signal::Signal;
use serde_json::{Value, json};

use super::bot::Bot;
use super::support::peer::Member;
use super::support::process::{Home, Relay};

/// Ada and bob, who have an identity each.
struct Scene {
    relay: Relay,
    ada: Bot,
    bob: Bot,
    bobs: String,
    _home: Home,
}

impl Scene {
    fn set(options: &[&str]) -> Self {
        let relay = Relay::start(options);
        let home = Home::new();
        let (identity, bobs) = home.identity("bob.pem");
        let ada = Bot::join(relay.address(), "ada", &[]);
        let bob = Bot::join(relay.address(), "bob", &["--identity", &identity]);
        ada.wait_for(&json!({"type": "join", "nick": "bob"}));
        Self {
            relay,
            ada,
            bob,
            bobs,
            _home: home,
        }
    }
}

#[test]
fn where_one_is_and_who_is_there() {
    let scene = Scene::set(&[]);
    let Scene {
        relay, ada, bob, ..
    } = &scene;
    bob.wait_for(&json!({
        "type": "room",
        "relay": relay.address().to_string(),
        "room": "lobby",
        "invite": false,
    }));
    bob.wait_for(&json!({"type": "you", "nick": "bob", "fingerprint": scene.bobs}));
    assert_eq!(ada.wait_for(&json!({"type": "here"}))["people"], json!([]));
    let adas = ada.wait_for(&json!({"type": "you"}))["fingerprint"].clone();
    let person = json!({
        "nick": "ada", "fingerprint": adas, "standing": "new", "verified": false
    });
    assert_eq!(
        bob.wait_for(&json!({"type": "here"}))["people"],
        json!([person])
    );
    let joined = ada.wait_for(&json!({"type": "join"}));
    assert_eq!(joined["fingerprint"], json!(scene.bobs));
    let types: Vec<_> = bob
        .events()
        .into_iter()
        .map(|e| e["type"].clone())
        .collect();
    assert_eq!(types[..3], [json!("room"), json!("you"), json!("here")]);
}

#[test]
fn what_is_said_and_that_it_is_taken() {
    let mut scene = Scene::set(&[]);
    let (ada, bob) = (&mut scene.ada, &mut scene.bob);
    bob.ask(&json!({"type": "say", "text": "two\nlines, \"quoted\" \\ ⏎ 😀", "id": "a"}));
    bob.ask(&json!({"type": "act", "text": "waves at Ada"}));
    bob.ask(&json!({"type": "direct", "to": "ada", "text": "psst", "id": "c"}));
    bob.ask(&json!({"type": "direct", "to": "ada", "action": true, "text": "winks"}));

    let said = ada.wait_for(&json!({
        "type": "message",
        "text": "two\nlines, \"quoted\" \\ ⏎ 😀",
        "mentions": false,
        "nick": "bob",
        "fingerprint": scene.bobs,
        "standing": "new",
        "verified": false,
    }));
    assert_eq!(said.as_object().map(serde_json::Map::len), Some(8));
    ada.wait_for(&json!({"type": "action", "text": "waves at Ada", "mentions": true}));
    ada.wait_for(&json!({"type": "direct", "text": "psst", "action": false}));
    ada.wait_for(&json!({"type": "direct", "text": "winks", "action": true}));

    bob.wait_for(&json!({"type": "ack", "id": "a", "readers": 1}));
    bob.wait_for(&json!({"type": "ack", "id": "c", "readers": 1}));
    ada.ask(&json!({"type": "say", "text": "bye"}));
    bob.wait_for(&json!({"type": "message", "nick": "ada", "text": "bye"}));
    // One's own words are not told.
    assert_eq!(bob.all(&json!({"nick": "bob"})).len(), 1);
    assert_eq!(bob.all(&json!({"type": "ack"})).len(), 4);
}

#[test]
fn other_nicks_other_keys_absences_and_goodbyes() {
    let mut scene = Scene::set(&[]);
    let (ada, bob) = (&mut scene.ada, &mut scene.bob);
    ada.ask(&json!({"type": "command", "text": "/rekey", "id": "r"}));
    ada.wait_for(&json!({"type": "ack", "id": "r"}));
    bob.wait_for(&json!({"type": "rekey", "nick": "ada"}));
    bob.ask(&json!({"type": "command", "text": "/nick robert"}));
    bob.wait_for(&json!({"type": "you", "nick": "robert", "fingerprint": scene.bobs}));
    ada.wait_for(&json!({
        "type": "nick", "former": "bob", "nick": "robert", "fingerprint": scene.bobs
    }));
    bob.ask(&json!({"type": "command", "text": "/away asleep"}));
    ada.wait_for(&json!({"type": "away", "nick": "robert", "text": "asleep"}));
    bob.ask(&json!({"type": "command", "text": "/back"}));
    ada.wait_for(&json!({"type": "back", "nick": "robert"}));
    let (ended, _) = scene.bob.leave();
    assert_eq!(ended.code(), Some(0), "{ended:#?}");
    scene.ada.wait_for(&json!({
        "type": "leave", "nick": "robert", "reason": "left", "signed": true
    }));
}

#[test]
fn who_is_cut_off_has_not_said_goodbye() {
    let scene = Scene::set(&["--grace", "1"]);
    scene.bob.signal(Signal::SIGKILL);
    scene.ada.wait_for(&json!({
        "type": "leave", "nick": "bob", "reason": "lost", "signed": false
    }));
}

#[test]
fn another_identity_under_a_known_nick_is_an_alarm_and_whoever_has_it_is_left_out() {
    let relay = Relay::start(&[]);
    let (home, bobs) = (Home::new(), Home::new());
    let mut ada = Bot::join_from(&home, relay.address(), "ada");
    for (name, standing) in [("first.pem", "new"), ("second.pem", "changed")] {
        let (identity, fingerprint) = bobs.identity(name);
        let bob = Bot::join(relay.address(), "bob", &["--identity", &identity]);
        ada.wait_for(&json!({
            "type": "join", "nick": "bob", "fingerprint": fingerprint, "standing": standing
        }));
        if standing == "changed" {
            ada.wait_for(&json!({"type": "alarm", "kind": "identity", "nick": "bob"}));
            ada.ask(&json!({"type": "say", "text": "not for you", "id": "x"}));
            ada.wait_for(&json!({"type": "ack", "id": "x", "readers": 0}));
            bob.wait_for(&json!({"type": "notice", "kind": "left-out", "nick": "ada"}));
            ada.ask(&json!({"type": "direct", "to": "bob", "text": "nor this", "id": "y"}));
            ada.wait_for(&json!({"type": "error", "id": "y"}));
            let end = &fingerprint[fingerprint.len() - 10..];
            let accept = format!("/trust bob {end}");
            ada.ask(&json!({"type": "command", "text": accept, "id": "t"}));
            ada.wait_for(&json!({"type": "ack", "id": "t"}));
            ada.ask(&json!({"type": "direct", "to": "bob", "text": "but this"}));
            bob.wait_for(&json!({"type": "direct", "text": "but this"}));
            assert_eq!(bob.all(&json!({"type": "message"})).len(), 0);
        } else {
            assert_eq!(bob.leave().0.code(), Some(0));
            ada.wait_for(&json!({"type": "leave", "nick": "bob"}));
        }
    }
    // Something was refused.
    assert_eq!(ada.leave().0.code(), Some(1));
}

#[test]
fn whatever_is_said_takes_one_line_and_is_harmless() {
    let relay = Relay::start(&[]);
    let ada = Bot::join(relay.address(), "ada", &[]);
    let mut mallory = Member::join(relay.address(), "mallory", 0);
    let text = "a\r\n{\"type\":\"you\"}\u{1b}[2J\u{7}\0\u{85}\u{2028}\u{202e}b";
    let (header, body) = mallory.compose(0, text);
    let message = mallory.seal(&header, &body);
    mallory.send(message);
    let said = ada.wait_for(&json!({"type": "message", "nick": "mallory"}));
    let said = said["text"].as_str().unwrap();
    assert!(
        said.starts_with("a\n{\"type\":\"you\"}\u{fffd}[2J"),
        "{said:?}"
    );
    assert!(
        said.ends_with('b') && !said.contains('\u{202e}'),
        "{said:?}"
    );
    assert_eq!(ada.all(&json!({"type": "you"})).len(), 1);
}

/// Bob has not seen what ada says, and some of his words are old when they come.
#[test]
fn words_that_cross_and_old_ones_say_so() {
    let relay = Relay::start(&[]);
    let mut ada = Bot::join(relay.address(), "ada", &[]);
    let mut bob = Member::join(relay.address(), "bob", 0);
    ada.wait_for(&json!({"type": "join", "nick": "bob"}));
    for id in ["one", "two"] {
        ada.ask(&json!({"type": "say", "text": "shall we?", "id": id}));
        ada.wait_for(&json!({"type": "ack", "id": id}));
    }
    bob.say(0, SystemTime::now(), "yes");
    let yes = ada.wait_for(&json!({"type": "message", "text": "yes"}));
    assert_eq!((&yes["unseen"], &yes["written"]), (&json!(2), &Value::Null));
    let then = UNIX_EPOCH + Duration::from_hours(490_000);
    bob.say(1, then, "long ago");
    let old = ada.wait_for(&json!({"type": "message", "text": "long ago"}));
    assert_eq!(old["unseen"], json!(2));
    assert_eq!(old["written"], json!("2025-11-24T16:00:00.000Z"));
}
