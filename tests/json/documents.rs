//! The schema, `docs/JSON.md` and the program name the same things.

use std::collections::BTreeSet;
use std::process::Command;

use e2echat::cmd::alarm_table::{Cause, INCIDENTS, IncidentRow, Severity};
use serde_json::{Value, json};

use super::bot::{Bot, all, check};
use super::schema::{SCHEMA, event, is_event, is_request};
use super::support::process::{Client, Home, Relay, tested_program};

const DOCUMENT: &str = include_str!("../../docs/JSON.md");
const JSON: &str = include_str!("../../src/cmd/join/output/json.rs");
const REPORT: &str = include_str!("../../src/cmd/join/output/report.rs");

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

/// The words that the program writes for the variants of an enum in a source.
fn variants(source: &str, name: &str) -> BTreeSet<String> {
    let (before, rest) = source.split_once(&format!("enum {name} {{\n")).unwrap();
    let before = before.trim_end_matches("pub(in crate::cmd::join) ");
    assert!(
        before.ends_with("rename_all = \"kebab-case\")]\n"),
        "{name}"
    );
    let (body, _) = rest.split_once("\n}").unwrap();
    let lines = body.lines().filter_map(|line| line.strip_prefix("    "));
    let variants = lines.filter(|line| line.starts_with(|c: char| c.is_ascii_uppercase()));
    let kebab = |variant: &str| {
        let end = |c: char| !c.is_ascii_alphanumeric();
        let name = variant.split(end).next().unwrap();
        let letters = name.char_indices().flat_map(|(at, c)| {
            let hyphen = (at > 0 && c.is_ascii_uppercase()).then_some('-');
            hyphen.into_iter().chain([c.to_ascii_lowercase()])
        });
        letters.collect()
    };
    variants.map(kebab).collect()
}

/// The kinds of the rows of the program's table that are so.
fn kinds(is_one: impl Fn(&IncidentRow) -> bool) -> BTreeSet<String> {
    let rows = INCIDENTS.iter().filter(|row| is_one(row));
    rows.map(|row| row.kind.to_owned()).collect()
}

/// What stands in backquotes in a text.
fn quoted(text: &str) -> BTreeSet<String> {
    let quoted = text.split('`').skip(1).step_by(2);
    quoted.map(str::to_owned).collect()
}

/// The text of the document between two others.
fn between(before: &str, after: &str) -> &'static str {
    let (_, rest) = DOCUMENT.split_once(before).unwrap();
    rest.split_once(after).unwrap().0
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
    assert_eq!(types("event"), variants(JSON, "JsonEvent<'a>"));
}

#[test]
fn the_schema_has_the_words_that_the_program_writes() {
    for (event, field, written) in [
        ("leave", "reason", variants(JSON, "DepartureWord")),
        ("person", "standing", variants(JSON, "StandingWord")),
        ("link", "state", variants(REPORT, "LinkState")),
        ("alarm", "reason", variants(JSON, "ReasonWord")),
        (
            "alarm",
            "kind",
            kinds(|row| row.severity == Severity::Alarm),
        ),
        (
            "notice",
            "kind",
            kinds(|row| row.severity == Severity::Notice),
        ),
    ] {
        let words = SCHEMA["$defs"][event]["properties"][field]["enum"].as_array();
        let words = words
            .unwrap()
            .iter()
            .map(|word| word.as_str().unwrap().to_owned());
        assert_eq!(words.collect::<BTreeSet<_>>(), written, "{event}: {field}");
        for word in written {
            assert!(DOCUMENT.contains(&format!("`{word}`")), "no `{word}`");
        }
    }
}

#[test]
fn the_document_says_of_each_kind_what_the_program_does() {
    for (severity, title) in [(Severity::Alarm, "alarm"), (Severity::Notice, "notice")] {
        let table = between(&format!("| `kind` of {title} | |\n| --- | --- |\n"), "\n\n");
        let first = |row: &str| row.split('`').nth(1).unwrap().to_owned();
        let listed: BTreeSet<String> = table.lines().map(first).collect();
        assert_eq!(listed, kinds(|row| row.severity == severity), "{title}");
    }
    let absence = ["away", "back"].map(str::to_owned);
    let mut of_sender = kinds(|row| row.cause == Cause::Sender);
    of_sender.extend(absence.clone());
    let ignored = between("Of a member that is ignored, ", " are not told at all");
    assert_eq!(quoted(ignored), of_sender);
    let mut ten = kinds(|row| row.per_minute == 10);
    ten.extend(absence);
    let said = between("if more than one. ", "told ten times a minute at most");
    assert_eq!(quoted(said), ten);
    let said = between("when that minute is over; ", " told each time");
    assert_eq!(quoted(said), kinds(|row| row.per_minute == u64::MAX));
    let others = kinds(|row| ![1, 10, u64::MAX].contains(&row.per_minute));
    assert!(
        others.is_empty(),
        "the document does not say how often {others:?} are told"
    );
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
    let program = tested_program();
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
