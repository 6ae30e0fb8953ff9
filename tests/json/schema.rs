//! The schema, and what it says of a line.

use std::sync::LazyLock;

use jsonschema::Validator;
use serde_json::{Value, json};

/// The schema as it is published.
pub static SCHEMA: LazyLock<Value> = LazyLock::new(|| {
    serde_json::from_str(include_str!("../../docs/json.schema.json")).expect("the schema is JSON")
});

/// What every line of output must be.
static EVENT: LazyLock<Validator> = LazyLock::new(|| part("event"));
/// What every line of input should be.
static REQUEST: LazyLock<Validator> = LazyLock::new(|| part("request"));

fn part(name: &str) -> Validator {
    let schema = json!({
        "$schema": SCHEMA["$schema"],
        "$ref": format!("#/$defs/{name}"),
        "$defs": SCHEMA["$defs"],
    });
    jsonschema::validator_for(&schema).expect("the schema is one")
}

/// Whether this is a request.
pub fn is_request(value: &Value) -> bool {
    REQUEST.is_valid(value)
}

/// Whether this is an event.
pub fn is_event(value: &Value) -> bool {
    EVENT.is_valid(value)
}

/// The event that a line is.
#[track_caller]
pub fn event(line: &str) -> Value {
    let event = serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
    let errors: Vec<String> = EVENT.iter_errors(&event).map(|e| e.to_string()).collect();
    assert!(errors.is_empty(), "{line}: {errors:#?}");
    event
}
