//! What a program is told of a connection that breaks, and of a relay that goes and comes.

use nix::sys::signal::Signal;
use serde_json::{Value, json};

use super::bot::{Bot, all};
use super::support::process::{Home, Relay, wait_for};
use super::support::storm::Storm;

#[test]
fn what_is_asked_for_without_a_connection_is_done_when_it_goes_on() {
    let relay = Relay::start(&[]);
    let storm = Storm::start(relay.address(), 0);
    let bob = Bot::join(relay.address(), "bob", &[]);
    let mut ada = Bot::join(storm.address(), "ada", &[]);
    storm.block(true);
    ada.wait_for(&json!({"type": "link", "state": "lost"}));
    ada.ask(&json!({"type": "say", "text": "meanwhile", "id": "m"}));
    ada.ask(&json!({"type": "command", "text": "/fingerprint", "id": "f"}));
    ada.wait_for(&json!({"type": "ack", "id": "f"}));
    assert_eq!(ada.all(&json!({"id": "m"})).len(), 0);
    // A session key is not changed then, and not later either.
    ada.ask(&json!({"type": "command", "text": "/rekey", "id": "r"}));
    ada.wait_for(&json!({"type": "error", "id": "r"}));
    assert_eq!(ada.all(&json!({"id": "r"})).len(), 1);
    storm.block(false);
    ada.wait_for(&json!({"type": "link", "state": "resumed"}));
    ada.wait_for(&json!({"type": "ack", "id": "m", "readers": 1}));
    bob.wait_for(&json!({"type": "message", "text": "meanwhile"}));
    assert_eq!(ada.all(&json!({"type": "here"})).len(), 1);
}

#[test]
fn whoever_loses_the_race_for_a_nick_goes_on_with_everybody() {
    let relay = Relay::start(&[]);
    let bots = ["ada", "bob"].map(|nick| Bot::join(relay.address(), nick, &[]));
    let mut carol = Bot::join(relay.address(), "carol", &[]);
    for bot in &bots {
        bot.wait_for(&json!({"type": "join", "nick": "carol"}));
    }
    // The relay stands still until both are on their way.
    relay.signal(Signal::SIGSTOP);
    let [mut ada, mut bob] = bots;
    for bot in [&mut ada, &mut bob] {
        bot.ask(&json!({"type": "command", "text": "/nick zed", "id": "n"}));
        bot.wait_for(&json!({"type": "ack", "id": "n"}));
    }
    // Their new session keys are made meanwhile.
    for name in ["one", "two", "three", "four"] {
        Home::new().identity(name);
    }
    for bot in [&mut ada, &mut bob] {
        bot.ask(&json!({"type": "say", "text": "I am zed", "id": "z"}));
        bot.ask(&json!({"type": "command", "text": "/fingerprint", "id": "f"}));
        bot.wait_for(&json!({"type": "ack", "id": "f"}));
    }
    relay.signal(Signal::SIGCONT);
    let has = |bot: &Bot, event| !bot.all(&event).is_empty();
    let is_refused = |bot: &Bot| {
        let errors = bot.all(&json!({"type": "error"}));
        let refusal = "the relay says that somebody has taken the nick zed, or one like it";
        errors.iter().any(|error| error["text"] == refusal)
    };
    wait_for(
        || (is_refused(&ada) || is_refused(&bob)).then_some(()),
        || format!("nobody was refused: {:#?}", [ada.events(), bob.events()]),
    );
    let (mut loser, mut zed, name) = if is_refused(&ada) {
        (ada, bob, "ada")
    } else {
        (bob, ada, "bob")
    };
    zed.wait_for(&json!({"type": "you", "nick": "zed"}));
    loser.wait_for(&json!({"type": "nick", "nick": "zed"}));
    // What was said meanwhile has reached everybody, under the nick that its author has kept.
    loser.wait_for(&json!({"type": "ack", "id": "z", "readers": 2}));
    for bot in [&zed, &carol] {
        bot.wait_for(&json!({"type": "message", "nick": name, "text": "I am zed"}));
    }
    for (bot, text) in [
        (&mut zed, "one"),
        (&mut loser, "two"),
        (&mut carol, "three"),
    ] {
        bot.ask(&json!({"type": "say", "text": text, "id": text}));
        bot.wait_for(&json!({"type": "ack", "id": text, "readers": 2}));
    }
    zed.wait_for(&json!({"type": "message", "nick": name, "text": "two"}));
    loser.wait_for(&json!({"type": "message", "nick": "zed", "text": "one"}));
    for bot in [&zed, &carol, &loser] {
        assert!(!has(bot, json!({"type": "alarm"})), "{:#?}", bot.events());
        assert!(!has(bot, json!({"type": "link"})), "{:#?}", bot.events());
    }
}

#[test]
fn after_a_restart_of_the_relay_it_is_told_anew_who_is_there() {
    let relay = Relay::start(&[]);
    let address = relay.address();
    let bots = ["ada", "bob", "carl"].map(|nick| Bot::join(address, nick, &[]));
    bots[0].wait_for(&json!({"type": "join", "nick": "carl"}));
    relay.end(Signal::SIGTERM);
    let port = address.port().to_string();
    let _relay = Relay::start_with(&["--bind", "127.0.0.1", "--port", &port]);
    for (bot, nick) in bots.iter().zip(["ada", "bob", "carl"]) {
        bot.wait_for(&json!({"type": "link", "state": "lost"}));
        bot.wait_for(&json!({"type": "link", "state": "returned"}));
        // By who was there when it came back, and who has come back since, it knows all.
        wait_for(
            || {
                let events = bot.events();
                let is_returned = |event: &Value| event["state"] == "returned";
                let mut since = events.into_iter().skip_while(|event| !is_returned(event));
                let here = since.find(|event| event["type"] == "here")?;
                let back = all(since.collect(), &json!({"type": "return"}));
                let mut nicks: Vec<String> = [here["people"].as_array()?.clone(), back]
                    .concat()
                    .iter()
                    .map(|person| person["nick"].as_str().unwrap().to_owned())
                    .collect();
                nicks.push(nick.to_owned());
                nicks.sort_unstable();
                (nicks == ["ada", "bob", "carl"]).then_some(())
            },
            || format!("not all are back: {:#?}", bot.events()),
        );
    }
}

#[test]
fn what_was_not_delivered_at_the_end_is_told_by_its_id() {
    let relay = Relay::start(&[]);
    let storm = Storm::start(relay.address(), 0);
    let mut ada = Bot::join(storm.address(), "ada", &[]);
    ada.ask(&json!({"type": "say", "text": "in time", "id": "1"}));
    ada.wait_for(&json!({"type": "ack", "id": "1"}));
    storm.block(true);
    ada.wait_for(&json!({"type": "link", "state": "lost"}));
    ada.ask(&json!({"type": "say", "text": "too late", "id": "2"}));
    ada.ask(&json!({"type": "say", "text": "later still"}));
    // What is asked for first is read first.
    ada.ask(&json!({"type": "command", "text": "/quit", "id": "q"}));
    let (ended, events) = ada.ended();
    ended.assert_failure("not everything that was said was delivered");
    let errors = all(events.clone(), &json!({"type": "error"}));
    assert_eq!(errors.len(), 2, "{events:#?}");
    assert_eq!(errors[0]["id"], "2");
    assert_eq!(errors[0]["text"], "not delivered: too late");
    assert_eq!(errors[1]["id"], json!(null));
    assert_eq!(all(events, &json!({"type": "ack"})).len(), 2);
}

#[test]
fn no_more_than_64_requests_are_under_way() {
    let relay = Relay::start(&[]);
    let storm = Storm::start(relay.address(), 0);
    let mut ada = Bot::join(storm.address(), "ada", &[]);
    storm.block(true);
    ada.wait_for(&json!({"type": "link", "state": "lost"}));
    for number in 0..64 {
        ada.ask(&json!({"type": "say", "text": "x", "id": number.to_string()}));
    }
    ada.ask(&json!({"type": "command", "text": "/fingerprint", "id": "last"}));
    storm.block(false);
    ada.wait_for(&json!({"type": "ack", "id": "last"}));
    let events = ada.events();
    let place = |id: &str| events.iter().position(|event| event["id"] == id);
    assert!(place("0") < place("last"), "{events:#?}");
    ada.wait_for(&json!({"type": "ack", "id": "63", "readers": 0}));
    let acks = ada.all(&json!({"type": "ack"}));
    let ids: Vec<_> = acks.iter().map(|ack| ack["id"].as_str().unwrap()).collect();
    let said: Vec<String> = (0..64).map(|number| number.to_string()).collect();
    let taken: Vec<_> = ids.iter().filter(|id| **id != "last").collect();
    assert!(taken.iter().copied().eq(said.iter()), "{ids:?}");
    assert_eq!(ada.leave().0.code(), Some(0));
}
