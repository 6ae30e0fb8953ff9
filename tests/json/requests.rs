//! What a program asks for, rightly and wrongly.

use serde_json::{Value, json};

use super::bot::{Bot, all};
use super::schema;
use super::support::process::Relay;

#[test]
fn what_comes_of_a_command_has_its_id_and_ends_with_one_ack() {
    let relay = Relay::start(&[]);
    let mut ada = Bot::join(relay.address(), "ada", &[]);
    for (id, command, answer) in [
        ("h", "/help", "answer"),
        ("n", "/names", "you"),
        ("f", "/fingerprint", "you"),
        ("i", "/invite", "notice"),
        ("a", "/audit", "notice"),
        ("w", "/away", "notice"),
    ] {
        ada.ask(&json!({"type": "command", "text": command, "id": id}));
        ada.wait_for(&json!({"type": "ack", "id": id}));
        let answers = ada.all(&json!({"id": id}));
        assert_eq!(answers[0]["type"], answer, "{answers:#?}");
        assert_eq!(answers.last().unwrap()["type"], "ack", "{answers:#?}");
        assert_eq!(all(answers, &json!({"type": "ack"})).len(), 1);
    }
    let names = ada.all(&json!({"type": "here", "id": "n"}));
    assert_eq!(names.len(), 1);
    assert_eq!(ada.leave().0.code(), Some(0));
}

#[test]
fn a_command_that_comes_to_nothing_ends_with_one_error() {
    let relay = Relay::start(&[]);
    let mut ada = Bot::join(relay.address(), "ada", &[]);
    let commands = [
        ("/whois nobody", "nobody here is called nobody"),
        ("/whois", "/whois NICK"),
        ("/shrug", "no command /shrug"),
        ("/nick a!", "cannot be a nick"),
        ("/me waves", "use the type act"),
        ("/msg bob hi", "use the type direct"),
        ("/reply hi", "use the type direct"),
        ("/clear", "for a screen"),
        ("/theme dark", "for a screen"),
        ("/timestamp off", "for a screen"),
        ("/notify all", "for a screen"),
        ("/quiet on", "for a screen"),
        ("hello", "begins with one slash"),
        ("//hello", "begins with one slash"),
        (" /names", "begins with one slash"),
        ("", "begins with one slash"),
    ];
    for (number, (command, _)) in commands.iter().enumerate() {
        let id = number.to_string();
        ada.write(json!({"type": "command", "text": command, "id": id}).to_string());
    }
    let (ended, events) = ada.leave();
    ended.assert_failure("not everything that was asked for was done");
    for (number, (command, says)) in commands.iter().enumerate() {
        let answers = all(events.clone(), &json!({"id": number.to_string()}));
        let [error] = answers.as_slice() else {
            panic!("not one answer to {command}: {answers:#?}");
        };
        assert_eq!(error["type"], "error", "{command}");
        let text = error["text"].as_str().unwrap();
        assert!(text.contains(says), "{command}: {text}");
    }
}

/// Wrong lines, whether the schema forbids them, and what they are called where that can be read.
fn wrong_lines() -> Vec<(Vec<u8>, Option<&'static str>)> {
    let long = "x".repeat(4097);
    let mut lines: Vec<(Vec<u8>, Option<&str>)> = [
        ("", None),
        ("   ", None),
        ("hello", None),
        ("/names", None),
        ("7", None),
        ("null", None),
        (r#"["say"]"#, None),
        ("{}", None),
        (r#"{"type":"say","text":"x""#, None),
        (r#"{"type":"say","text":"x"} {}"#, None),
        (r#"{"type":"say","text":"\ud800"}"#, None),
        (r#"{"type":"say","text":"x","id":7}"#, None),
        (r#"{"type":"say","id":"i1"}"#, Some("i1")),
        (r#"{"type":"say","text":7,"id":"i2"}"#, Some("i2")),
        (r#"{"type":"say","text":"","id":"i3"}"#, Some("i3")),
        (r#"{"type":"shout","text":"x","id":"i4"}"#, Some("i4")),
        (r#"{"type":7,"text":"x","id":"i5"}"#, Some("i5")),
        (
            r#"{"type":"say","text":"x","to":"bob","id":"i6"}"#,
            Some("i6"),
        ),
        (
            r#"{"type":"act","text":"x","action":true,"id":"i7"}"#,
            Some("i7"),
        ),
        (r#"{"type":"direct","text":"x","id":"i8"}"#, Some("i8")),
        (
            r#"{"type":"direct","to":"b o b","text":"x","id":"i9"}"#,
            Some("i9"),
        ),
        (
            r#"{"type":"direct","to":"bob","action":1,"text":"x","id":"i10"}"#,
            Some("i10"),
        ),
        (r#"{"type":"command","id":"i11"}"#, Some("i11")),
        (r#"{"type":"message","text":"x","id":"i12"}"#, Some("i12")),
    ]
    .map(|(line, id)| (line.as_bytes().to_vec(), id))
    .to_vec();
    lines.push((
        json!({"type": "say", "text": long, "id": "i13"})
            .to_string()
            .into(),
        Some("i13"),
    ));
    // Of this one no more is kept than its size.
    lines.push((
        json!({"type": "say", "text": "x".repeat(70_000)})
            .to_string()
            .into(),
        None,
    ));
    lines.push((b"{\"type\":\"say\",\"text\":\"caf\xe9\"}".to_vec(), None));
    lines.push((b"\xff\xfe\x00".to_vec(), None));
    lines.push(("[".repeat(60_000).into(), None));
    lines.push(("{\"a\":".repeat(10_000).into(), None));
    lines.push(("[".repeat(1_000_000).into(), None));
    lines
}

#[test]
fn each_wrong_line_is_one_error_and_nothing_else_is_lost() {
    let relay = Relay::start(&[]);
    let listener = Bot::join(relay.address(), "listener", &[]);
    let mut bot = Bot::join(relay.address(), "bot", &[]);
    let lines = wrong_lines();
    for (number, (line, id)) in lines.iter().enumerate() {
        if let Ok(value) = serde_json::from_slice::<Value>(line) {
            assert!(!schema::is_request(&value), "{value}");
        }
        bot.write(line.clone());
        let good = json!({"type": "say", "text": number.to_string(), "id": format!("n{number}")});
        bot.ask(&good);
        bot.wait_for(&json!({"type": "ack", "id": format!("n{number}")}));
        let errors = bot.all(&json!({"type": "error"}));
        let line = String::from_utf8_lossy(&line[..line.len().min(100)]);
        assert_eq!(errors.len(), number + 1, "{line}: {errors:#?}");
        assert_eq!(errors[number]["id"].as_str(), *id, "{line}");
        let text = errors[number]["text"].as_str().unwrap();
        assert!(text.len() < 200 && !text.contains('\n'), "{line}: {text}");
    }
    let (ended, _) = bot.leave();
    ended.assert_failure("not everything that was asked for was done");
    listener.wait_for(&json!({"type": "leave", "nick": "bot", "signed": true}));
    let heard = listener.all(&json!({"type": "message"}));
    let texts: Vec<_> = heard
        .iter()
        .map(|said| said["text"].as_str().unwrap())
        .collect();
    let said: Vec<String> = (0..lines.len()).map(|number| number.to_string()).collect();
    assert_eq!(texts, said);
}

#[test]
fn the_end_of_the_input_leaves_once_everything_is_delivered() {
    let relay = Relay::start(&[]);
    let listener = Bot::join(relay.address(), "listener", &[]);
    let mut bot = Bot::join(relay.address(), "bot", &[]);
    for number in 0..200 {
        bot.ask(&json!({"type": "say", "text": number.to_string(), "id": number.to_string()}));
    }
    let (ended, events) = bot.leave();
    assert_eq!(ended.code(), Some(0), "{:#?}", ended.stderr);
    assert_eq!(
        all(events, &json!({"type": "ack", "readers": 1})).len(),
        200
    );
    listener.wait_for(&json!({"type": "leave", "nick": "bot", "signed": true}));
    assert_eq!(listener.all(&json!({"type": "message"})).len(), 200);
}

#[test]
fn the_longest_text_with_every_character_escaped_fits_into_a_line() {
    let relay = Relay::start(&[]);
    let listener = Bot::join(relay.address(), "listener", &[]);
    let mut bot = Bot::join(relay.address(), "bot", &[]);
    let escaped = "\\u0061".repeat(4096);
    bot.write(format!(r#"{{"type":"say","text":"{escaped}"}}"#));
    listener.wait_for(&json!({"type": "message", "text": "a".repeat(4096)}));
    assert_eq!(bot.leave().0.code(), Some(0));
}

#[test]
fn what_a_program_says_is_never_taken_for_a_command() {
    let relay = Relay::start(&[]);
    let mut ada = Bot::join(relay.address(), "ada", &[]);
    let bob = Bot::join(relay.address(), "bob", &[]);
    ada.wait_for(&json!({"type": "join", "nick": "bob"}));
    for text in ["/quit", "\u{200b}/quit", "／quit", " /quit", "//quit"] {
        ada.ask(&json!({"type": "say", "text": text, "id": text}));
        ada.wait_for(&json!({"type": "ack", "id": text}));
        let shown = text.trim_start_matches('\u{200b}');
        bob.wait_for(&json!({"type": "message", "nick": "ada", "text": shown}));
        // Nor is a nick put right for it.
        let to = format!("b{text}ob");
        ada.write(json!({"type": "direct", "to": to, "text": text, "id": to}).to_string());
        ada.wait_for(&json!({"type": "error", "id": to}));
    }
    assert_eq!(bob.leave().0.code(), Some(0));
}
