//! What a script is told of what is handed on, and that it can hand something on itself.

use serde_json::json;

use super::bot::Bot;
use super::support::process::Relay;

#[test]
fn what_is_handed_on_is_told_with_its_author_and_by_whom() {
    let relay = Relay::start(&[]);
    let mut ada = Bot::join(relay.address(), "ada", &[]);
    let mut bob = Bot::join(relay.address(), "bob", &[]);
    ada.wait_for(&json!({"type": "join", "nick": "bob"}));
    bob.ask(&json!({"type": "say", "text": "ada: lunch?"}));
    bob.ask(&json!({"type": "act", "text": "waves"}));
    ada.wait_for(&json!({"type": "action", "text": "waves"}));
    let mut carol = Bot::join(relay.address(), "carol", &[]);
    carol.ask(&json!({"type": "command", "text": "/catchup", "id": "1"}));
    carol.wait_for(&json!({"type": "ack", "id": "1"}));
    let asked = ada.wait_for(&json!({"type": "catchup", "nick": "carol", "verified": false}));
    let whom = asked["fingerprint"].as_str().unwrap();
    ada.ask(&json!({"type": "command", "text": format!("/share {whom}"), "id": "2"}));
    ada.wait_for(&json!({"type": "ack", "id": "2"}));
    ada.wait_for(&json!({"type": "shared", "to": "carol", "count": 2, "delivered": 2}));
    bob.wait_for(&json!({"type": "share", "nick": "ada", "to": "carol", "count": 2}));
    carol.wait_for(&json!({"type": "share", "nick": "ada", "to": "carol", "count": 2}));
    carol.wait_for(&json!({
        "type": "share-end", "nick": "ada", "shown": 2, "had": 0, "ignored": 0, "refused": 0, "missing": 0
    }));
    for (text, is_action) in [("ada: lunch?", false), ("waves", true)] {
        let expected = json!({"type": "handed-on", "by": "ada", "nick": "bob", "text": text, "action": is_action});
        let handed = carol.all(&expected);
        assert_eq!(handed.len(), 1, "{handed:#?}");
    }
    // It is nothing that was said now.
    assert_eq!(carol.all(&json!({"type": "message"})).len(), 0);
    // Who is nobody is handed nothing.
    ada.ask(&json!({"type": "command", "text": "/share eve 5", "id": "3"}));
    ada.wait_for(&json!({"type": "error", "id": "3"}));
    carol.ask(&json!({"type": "command", "text": "/share ada 0", "id": "4"}));
    carol.wait_for(&json!({"type": "error", "id": "4"}));
}

#[test]
fn a_script_that_closes_its_input_hands_all_on_before_it_leaves() {
    let relay = Relay::start(&[]);
    let mut ada = Bot::join(relay.address(), "ada", &[]);
    let text = "x".repeat(1000);
    for number in 0..60 {
        ada.ask(&json!({"type": "say", "text": format!("{number} {text}")}));
    }
    let carol = Bot::join(relay.address(), "carol", &[]);
    ada.wait_for(&json!({"type": "join", "nick": "carol"}));
    ada.ask(&json!({"type": "command", "text": "/share carol 60"}));
    ada.leave();
    carol.wait_for(&json!({"type": "share-end", "shown": 60, "missing": 0}));
}

#[test]
fn what_is_said_meanwhile_waits_for_one_part_of_what_is_handed_on_at_most() {
    let relay = Relay::start(&[]);
    let mut ada = Bot::join(relay.address(), "ada", &[]);
    let text = "x".repeat(1000);
    for number in 0..200 {
        ada.ask(&json!({"type": "say", "text": format!("{number} {text}")}));
    }
    ada.ask(&json!({"type": "say", "text": "that was it", "id": "last"}));
    ada.wait_for(&json!({"type": "ack", "id": "last"}));
    let carol = Bot::join(relay.address(), "carol", &[]);
    ada.wait_for(&json!({"type": "join", "nick": "carol"}));
    ada.ask(&json!({"type": "command", "text": "/share carol 201"}));
    ada.ask(&json!({"type": "say", "text": "welcome"}));
    carol.wait_for(&json!({"type": "share-end", "shown": 201}));
    let events = carol.events();
    let place = |sort: &str| {
        events
            .iter()
            .position(|event| event["type"] == sort)
            .unwrap()
    };
    assert!(place("message") < place("share-end"), "{events:#?}");
    let before = &events[..place("message")];
    let handed = before.iter().filter(|event| event["type"] == "handed-on");
    assert!(handed.count() < 100, "{before:#?}");
}
