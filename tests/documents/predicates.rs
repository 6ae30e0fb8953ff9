//! Predicates: functions whose names begin with `is_`, `has_`, `was_` or `can_`. They answer and change
//! nothing.

use std::fs;
use std::path::Path;

const BEGINNINGS: [&str; 4] = ["is_", "has_", "was_", "can_"];

/// Those of the program and its tests that may change what they are asked about.
pub fn changing() -> Vec<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut found = Vec::new();
    for folder in ["src", "tests", "examples", "benches"] {
        look_through(&root.join(folder), &mut found);
    }
    found
}

fn look_through(folder: &Path, found: &mut Vec<String>) {
    // A package has not all of the folders.
    for entry in fs::read_dir(folder).into_iter().flatten() {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            look_through(&path, found);
        } else if path.extension().is_some_and(|it| it == "rs") {
            let source = fs::read_to_string(&path).expect("a source");
            let names = changing_in(&source);
            found.extend(names.map(|name| format!("{}: {name}", path.display())));
        }
    }
}

fn changing_in(source: &str) -> impl Iterator<Item = &str> {
    let functions = source.split("fn ").skip(1);
    functions.filter_map(|function| {
        let (name, rest) = function.split_once('(')?;
        let is_predicate = BEGINNINGS.iter().any(|it| name.starts_with(it));
        let changes = rest.trim_start().starts_with("&mut self");
        (is_predicate && changes).then_some(name)
    })
}

#[test]
fn a_predicate_that_changes_something_is_found() {
    let source = "fn is_a(&self) {}\nfn has_b(\n    &mut self,\n) {}\nfn take(&mut self) {}";
    assert_eq!(changing_in(source).collect::<Vec<_>>(), ["has_b"]);
}
