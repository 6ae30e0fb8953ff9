//! The schema, `docs/JSON.md` and the program name the same things.

use std::collections::BTreeSet;
use std::process::Command;

use serde_json::{Value, json};

use super::bot::{Bot, all, check};
use super::schema::{SCHEMA, event, is_event, is_request};
use super::support::process::{Client, Home, Relay};

const DOCUMENT: &str = include_str!("../../docs/JSON.md");
const SOURCE: &str = include_str!("../../src/cmd/join/output/json.rs");

/// The types of events, or of requests, in the schema.
fn types(part: &str) -> BTreeSet<String> {
    let listed = SCHEMA["$defs"][part]["oneOf"].as_array().unwrap();
    let name = |listed: &Value| {
        let reference = listed["$ref"].as_str().unwrap();
        let definition = reference.strip_prefix("#/$defs/").unwrap();
        let sort = &SCHEMA["$defs"][definition]["properties"]["type"]["const"];
        sort.as_str().unwrap().to_owned()
    };
    listed.iter().map(name).collect()
}

/// What stands in quotes behind each `before` in the program that writes JSON.
fn written(before: &str) -> BTreeSet<String> {
    let source = SOURCE.split("#[cfg(test)]").next().unwrap();
    let found = source.split(before).skip(1);
    let quoted = found.filter_map(|rest| rest.split('"').next());
    quoted.map(str::to_owned).collect()
}

/// The lines of the document that are examples.
fn examples() -> Vec<Value> {
    let lines = DOCUMENT.lines().map(str::trim_start);
    let lines = lines.filter(|line| line.starts_with('{'));
    lines
        .map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}")))
        .collect()
}

#[test]
fn the_schema_has_the_types_of_events_that_the_program_writes() {
    let mut written = written("Object::new(\"");
    // Those of what is said to everybody.
    written.extend(["action".to_owned(), "message".to_owned()]);
    assert!(SOURCE.contains(r#"if is_action { "action" } else { "message" }"#));
    assert_eq!(types("event"), written);
}

#[test]
fn the_schema_has_the_words_that_the_program_writes() {
    let definitions = &SCHEMA["$defs"];
    let words = [
        ("leave", "reason"),
        ("notice", "kind"),
        ("alarm", "kind"),
        ("link", "state"),
        ("person", "standing"),
    ];
    let listed: BTreeSet<String> = words
        .iter()
        .flat_map(|(event, field)| {
            let words = definitions[event]["properties"][field]["enum"].as_array();
            words.unwrap().iter()
        })
        .map(|word| word.as_str().unwrap().to_owned())
        .collect();
    let written = written("=> \"");
    assert_eq!(listed, written);
    for word in listed {
        assert!(DOCUMENT.contains(&format!("`{word}`")), "no `{word}`");
    }
}

#[test]
fn the_document_has_one_example_of_each_event_and_request() {
    let examples = examples();
    for (part, is_one) in [
        ("event", is_event as fn(&Value) -> bool),
        ("request", is_request),
    ] {
        for sort in types(part) {
            let of_it = |example: &&Value| example["type"] == *sort && is_one(example);
            assert!(examples.iter().any(|e| of_it(&e)), "no example of {sort}");
        }
    }
    for example in examples {
        if !is_request(&example) {
            event(&example.to_string());
        }
    }
}

#[test]
fn the_example_in_the_readme_works_as_written() {
    let readme = include_str!("../../README.md");
    let is_example = |line: &&str| line.starts_with("    echo '{") && line.ends_with(" --json");
    let example = readme.lines().find(is_example).unwrap();
    let relay = Relay::start(&[]);
    let ada = Bot::join(relay.address(), "ada", &[]);
    let script = example.replace("localhost", &relay.address().to_string());
    let program = env!("CARGO_BIN_EXE_e2echat");
    let home = Home::new();
    let mut shell = Command::new("sh");
    home.isolate(&mut shell);
    shell.args([
        "-c",
        &format!("e2echat() {{ '{program}' \"$@\"; }}\n{script}"),
    ]);
    let ended = Client::from_command(&mut shell, home).ended();
    assert_eq!(ended.code(), Some(0), "{ended:#?}");
    ada.wait_for(&json!({"type": "message", "nick": "bot", "text": "the build is green"}));
    let acks = all(
        check(&ended.stdout),
        &json!({"type": "ack", "id": "1871", "readers": 1}),
    );
    assert_eq!(acks.len(), 1);
}

#[test]
fn the_document_describes_every_field() {
    let definitions = SCHEMA["$defs"].as_object().unwrap();
    let properties = definitions
        .values()
        .filter_map(|definition| definition["properties"].as_object());
    for name in properties.flat_map(serde_json::Map::keys) {
        assert!(DOCUMENT.contains(&format!("`{name}`")), "no `{name}`");
    }
}
