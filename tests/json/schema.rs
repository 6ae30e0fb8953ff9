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

/// Places in a schema where a keyword stands that is about one type of value, and no `type` that says which. Ajv
/// refuses these with `strict: true`.
fn untyped(schema: &Value, place: &str, found: &mut Vec<String>) {
    const ABOUT: [(&str, &str); 14] = [
        ("properties", "object"),
        ("required", "object"),
        ("additionalProperties", "object"),
        ("unevaluatedProperties", "object"),
        ("dependentRequired", "object"),
        ("patternProperties", "object"),
        ("items", "array"),
        ("minItems", "array"),
        ("uniqueItems", "array"),
        ("pattern", "string"),
        ("minLength", "string"),
        ("maxLength", "string"),
        ("minimum", "integer"),
        ("maximum", "integer"),
    ];
    let Value::Object(keywords) = schema else {
        return;
    };
    for (keyword, kind) in ABOUT {
        if keywords.contains_key(keyword) && keywords.get("type") != Some(&json!(kind)) {
            found.push(format!("{place}: {keyword} without \"type\": \"{kind}\""));
        }
    }
    let required = keywords.get("required").and_then(Value::as_array);
    for name in required.into_iter().flatten().filter_map(Value::as_str) {
        if keywords
            .get("properties")
            .and_then(|it| it.get(name))
            .is_none()
        {
            found.push(format!("{place}: {name} is required, and no property"));
        }
    }
    for (keyword, value) in keywords {
        let place = format!("{place}/{keyword}");
        match (keyword.as_str(), value) {
            ("properties" | "$defs" | "patternProperties", Value::Object(schemas)) => {
                for (name, schema) in schemas {
                    untyped(schema, &format!("{place}/{name}"), found);
                }
            }
            ("oneOf" | "anyOf" | "allOf", Value::Array(schemas)) => {
                for schema in schemas {
                    untyped(schema, &place, found);
                }
            }
            ("items" | "if" | "then" | "else" | "not" | "unevaluatedProperties", schema) => {
                untyped(schema, &place, found);
            }
            _ => {}
        }
    }
}

#[test]
fn every_part_of_the_schema_says_what_type_it_is_about() {
    let mut found = Vec::new();
    untyped(&SCHEMA, "", &mut found);
    assert_eq!(found, [""; 0]);
}
