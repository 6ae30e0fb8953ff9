//! Lines for cargo. They are not run, as they would build the project within its own tests: what they
//! name has to exist, and their options have to be cargo's.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;

fn exists(path: &str) -> bool {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path).exists()
}

/// What `cargo SUBCOMMAND --help` says.
fn help(subcommand: &str) -> Result<String, String> {
    static SAID: Mutex<Option<HashMap<String, String>>> = Mutex::new(None);
    let mut said = SAID.lock().expect("nobody panics here");
    let said = said.get_or_insert_default();
    if let Some(help) = said.get(subcommand) {
        return Ok(help.clone());
    }
    let output = Command::new(env!("CARGO"))
        .args([subcommand, "--help"])
        .output()
        .map_err(|error| error.to_string())?;
    if !output.status.success() {
        return Err(format!("there is no cargo {subcommand}"));
    }
    let help = String::from_utf8_lossy(&output.stdout).into_owned();
    said.insert(subcommand.to_owned(), help.clone());
    Ok(help)
}

/// Checks a line, given as its words. Returns the arguments for our own program, if it runs that.
pub fn check<'a>(words: &[&'a str]) -> Result<Option<Vec<&'a str>>, String> {
    let mut parts = words.splitn(2, |word| *word == "--");
    let (line, arguments) = (parts.next().unwrap_or_default(), parts.next());
    let mut line = line.iter().skip(1).filter(|word| !word.starts_with('+'));
    let subcommand = line.next().ok_or("cargo is told nothing")?;
    if *subcommand == "fuzz" {
        // It is not a part of cargo.
        return check_fuzz(&line.copied().collect::<Vec<_>>()).map(|()| None);
    }
    if *subcommand == "install" && !words.contains(&"--locked") {
        return Err("without --locked it takes dependencies that nobody has tried".to_owned());
    }
    let help = help(subcommand)?;
    let mut example = None;
    while let Some(word) = line.next() {
        if !word.starts_with('-') {
            if (*subcommand, *word) == ("install", "cargo-fuzz") {
                continue;
            }
            return Err(format!("what is {word} for cargo {subcommand}?"));
        }
        let is_option = help.split([' ', ',', '\n']).any(|it| it == *word);
        if !is_option {
            return Err(format!("cargo {subcommand} has no {word}"));
        }
        let folder = match *word {
            "--test" => "tests",
            "--bench" => "benches",
            "--example" => "examples",
            "--bin" => "src/bin",
            "--path" => "",
            "--target" => {
                line.next();
                continue;
            }
            _ => continue,
        };
        let name = line.next().ok_or(format!("what is behind {word}?"))?;
        let is_there = [format!("{folder}/{name}.rs"), format!("{folder}/{name}")];
        let is_ours = (*word, *name) == ("--bin", "e2echat") || *word == "--path";
        if !is_ours && !is_there.iter().any(|path| exists(path)) {
            return Err(format!("there is no {word} {name}"));
        }
        example = (*word == "--example").then_some(*name).or(example);
    }
    match (example, arguments) {
        (Some(example), Some(arguments)) => check_example(example, arguments).map(|()| None),
        (None, Some(arguments)) if *subcommand == "run" => Ok(Some(arguments.to_vec())),
        _ => Ok(None),
    }
}

fn check_fuzz(words: &[&str]) -> Result<(), String> {
    match words {
        ["run" | "cmin", "TARGET"] => Ok(()),
        ["run" | "cmin", target, ..] if exists(&format!("fuzz/fuzz_targets/{target}.rs")) => Ok(()),
        _ => Err("there is no such fuzz target".to_owned()),
    }
}

/// Checks that an example's source has the words by which it is told what to do.
pub fn check_example(example: &str, words: &[&str]) -> Result<(), String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples");
    let folder: Vec<PathBuf> = match root.join(example).read_dir() {
        Ok(files) => files.filter_map(|file| Some(file.ok()?.path())).collect(),
        Err(_) => vec![root.join(example).with_extension("rs")],
    };
    let source: String = folder
        .iter()
        .filter_map(|path| std::fs::read_to_string(path).ok())
        .collect();
    if source.is_empty() {
        return Err(format!("there is no example {example}"));
    }
    let is_word = |word: &&&str| word.starts_with(|c: char| c.is_ascii_lowercase() || c == '-');
    let unknown = words
        .iter()
        .filter(is_word)
        .filter(|word| !word.contains('/') && **word != "--help")
        .find(|word| !source.contains(word.trim_start_matches('-')));
    unknown.map_or(Ok(()), |word| Err(format!("{example} knows no {word}")))
}
