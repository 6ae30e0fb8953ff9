//! What becomes of a script's messages: each is confirmed once, or named with whom it has not reached.

use e2echat::room::statement::Occasion;
use nix::sys::signal::Signal;
use serde_json::json;

use super::bot::{Bot, all};
use super::support::peer::Member;
use super::support::process::{Client, Home, Relay};

#[test]
fn each_message_is_confirmed_once_when_the_last_reader_has_it() {
    let relay = Relay::start(&[]);
    let mut ada = Bot::join(relay.address(), "ada", &[]);
    ada.ask(&json!({"type": "say", "text": "nobody is here", "id": "nobody"}));
    ada.wait_for(&json!({"type": "ack", "id": "nobody", "readers": 0}));
    let mut bob = Bot::join(relay.address(), "bob", &[]);
    let carol = Bot::join(relay.address(), "carol", &[]);
    for nick in ["bob", "carol"] {
        ada.wait_for(&json!({"type": "join", "nick": nick}));
    }
    bob.wait_for(&json!({"type": "join", "nick": "carol"}));
    // That somebody does not want to see it is not to be seen.
    bob.ask(&json!({"type": "command", "text": "/ignore ada", "id": "i"}));
    bob.wait_for(&json!({"type": "ack", "id": "i"}));
    carol.signal(Signal::SIGSTOP);
    ada.ask(&json!({"type": "say", "text": "to all", "id": "all"}));
    ada.ask(&json!({"type": "act", "text": "waves"}));
    ada.ask(&json!({"type": "direct", "to": "bob", "text": "to one", "id": "one"}));
    let one = json!({"type": "confirmed", "id": "one", "readers": 1});
    ada.wait_for(&one);
    assert_eq!(ada.all(&json!({"type": "confirmed"})).len(), 1);
    carol.signal(Signal::SIGCONT);
    ada.wait_for(&json!({"type": "confirmed", "id": "all", "readers": 2}));
    ada.wait_for(&json!({"type": "confirmed", "id": null, "readers": 2}));
    ada.ask(&json!({"type": "command", "text": "/seen 1", "id": "s"}));
    let seen = ada.wait_for(&json!({"type": "answer", "id": "s"}));
    let text = "to bob alone: to one\n  confirmed by bob";
    assert_eq!(seen["text"], text);
    assert_eq!(bob.all(&json!({"nick": "ada", "text": "to all"})).len(), 0);
    let (ended, events) = ada.leave();
    assert_eq!(ended.code(), Some(0));
    for (id, confirmed) in [(json!("all"), 1), (json!("one"), 1), (json!("nobody"), 0)] {
        let of_it: Vec<_> = all(events.clone(), &json!({"id": id}));
        let sorts: Vec<_> = of_it.iter().map(|event| event["type"].clone()).collect();
        let expected = ["ack", "confirmed"].map(|sort| json!(sort));
        assert_eq!(sorts, expected[..=confirmed], "{of_it:#?}");
    }
    assert_eq!(all(events.clone(), &json!({"type": "confirmed"})).len(), 3);
    let notices = all(events, &json!({"type": "notice"}));
    let told = notices.iter().filter(|notice| {
        let text = notice["text"].as_str().unwrap();
        text.contains("confirmed")
    });
    assert_eq!(told.count(), 0, "{notices:#?}");
}

#[test]
fn what_does_not_reach_somebody_is_named_with_its_id_and_is_not_confirmed() {
    let relay = Relay::start(&[]);
    let mut ada = Bot::join(relay.address(), "ada", &[]);
    let bob = Bot::join(relay.address(), "bob", &[]);
    ada.wait_for(&json!({"type": "join", "nick": "bob"}));
    let mut carol = Member::join(relay.address(), "carol", 0);
    ada.wait_for(&json!({"type": "join", "nick": "carol"}));
    ada.ask(&json!({"type": "say", "text": "lunch?", "id": "7"}));
    ada.wait_for(&json!({"type": "ack", "id": "7", "readers": 2}));
    bob.wait_for(&json!({"type": "message", "text": "lunch?"}));
    let goodbye = carol.state(&carol.statement(Occasion::Goodbye, 1));
    assert!(carol.peer.write(&goodbye));
    ada.wait_for(&json!({
        "type": "alarm",
        "kind": "undelivered",
        "id": "7",
        "nicks": ["carol"],
        "reason": "gone",
        "said": "lunch?",
        "text": "not confirmed by carol, who has gone; say it again: lunch?",
    }));
    // Bob's receipt comes before that of this.
    ada.ask(&json!({"type": "say", "text": "later", "id": "8"}));
    ada.wait_for(&json!({"type": "confirmed", "id": "8", "readers": 1}));
    assert_eq!(ada.all(&json!({"type": "confirmed"})).len(), 1);
    assert_eq!(ada.leave().0.code(), Some(0));
}

#[test]
fn who_is_cut_off_and_has_not_confirmed_is_named_when_the_script_ends() {
    let relay = Relay::start(&["--grace", "1"]);
    let mut ada = Bot::join(relay.address(), "ada", &[]);
    let bob = Bot::join(relay.address(), "bob", &[]);
    ada.wait_for(&json!({"type": "join", "nick": "bob"}));
    bob.signal(Signal::SIGSTOP);
    ada.ask(&json!({"type": "say", "text": "lunch?", "id": "7"}));
    ada.wait_for(&json!({"type": "ack", "id": "7", "readers": 1}));
    drop(bob);
    ada.wait_for(&json!({"type": "leave", "nick": "bob", "reason": "lost"}));
    let (ended, events) = ada.leave();
    ended.assert_failure("not everything that was said was delivered");
    let alarm = json!({
        "type": "alarm", "kind": "undelivered", "id": "7", "nicks": ["bob"], "reason": "gone"
    });
    assert_eq!(all(events, &alarm).len(), 1);
}

#[test]
fn of_many_messages_that_did_not_reach_somebody_each_is_an_event() {
    let relay = Relay::start(&[]);
    let mut ada = Bot::join(relay.address(), "ada", &[]);
    let home = Home::new();
    let (identity, _) = home.identity("bob.pem");
    let join = || {
        let options = ["--identity", identity.as_str()];
        Client::join_from(&home, relay.address(), "bob", &options)
    };
    let bob = join();
    ada.wait_for(&json!({"type": "join", "nick": "bob"}));
    bob.signal(Signal::SIGSTOP);
    let ids: Vec<String> = (0..20).map(|number| number.to_string()).collect();
    for id in &ids {
        ada.ask(&json!({"type": "say", "text": "hello", "id": id}));
        ada.wait_for(&json!({"type": "ack", "id": id, "readers": 1}));
    }
    drop(bob);
    let _anew = join();
    for id in &ids {
        ada.wait_for(&json!({
            "type": "alarm", "kind": "undelivered", "id": id, "nicks": ["bob"], "reason": "came-anew"
        }));
    }
    let (ended, events) = ada.leave();
    ended.assert_failure("not everything that was said was delivered");
    let told = all(events, &json!({"type": "alarm", "kind": "undelivered"}));
    assert_eq!(told.len(), ids.len(), "{told:#?}");
}

#[test]
fn leaving_does_not_wait_for_readers_and_says_how_many_messages_they_have_not_confirmed() {
    let relay = Relay::start(&[]);
    let mut ada = Bot::join(relay.address(), "ada", &[]);
    let _silent = Member::join(relay.address(), "silent", 0);
    ada.wait_for(&json!({"type": "join", "nick": "silent"}));
    ada.ask(&json!({"type": "say", "text": "one"}));
    ada.ask(&json!({"type": "say", "text": "two"}));
    let (ended, events) = ada.leave();
    assert_eq!(ended.code(), Some(0), "{ended:#?}");
    let text = "2 messages: the relay has them, and not everybody has confirmed them yet";
    let notice = json!({"type": "notice", "text": text});
    assert_eq!(all(events, &notice).len(), 1);
}
