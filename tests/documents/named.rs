//! What documents name: links, files, tests, options.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use super::cargo;
use super::markdown::Document;
use crate::support::process::Home;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Links to what there is not.
pub fn broken_links(document: &Document) -> Vec<String> {
    let folder = Path::new(&document.name).parent().unwrap();
    let is_broken = |link: &String| {
        if link.contains("://") || link.starts_with("mailto:") {
            return false;
        }
        let (path, anchor) = link.split_once('#').unwrap_or((link, ""));
        let target = if path.is_empty() {
            Path::new(&document.name).to_owned()
        } else {
            folder.join(path)
        };
        let is_there = root().join(&target).exists();
        let has_heading = || {
            let target = Document::read(target.to_str().unwrap());
            target.anchors().iter().any(|it| it == anchor)
        };
        !is_there || !anchor.is_empty() && !has_heading()
    };
    let links = document.links().into_iter().filter(is_broken);
    links
        .map(|link| format!("{}: a link to {link}", document.name))
        .collect()
}

/// All files of a folder and of those in it.
fn files(folder: &str) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(root().join(folder)) else {
        return Vec::new();
    };
    let entries = entries.map(|entry| entry.unwrap().path());
    entries
        .flat_map(|path| {
            if path.is_dir() {
                files(path.to_str().unwrap())
            } else {
                vec![path]
            }
        })
        .collect()
}

/// `a/{b,c}.rs` as `a/b.rs` and `a/c.rs`.
fn expand(path: &str) -> Vec<String> {
    let Some((begin, rest)) = path.split_once('{') else {
        return vec![path.to_owned()];
    };
    let (choices, end) = rest.split_once('}').unwrap_or((rest, ""));
    let choices = choices.split(',');
    choices.map(|it| format!("{begin}{it}{end}")).collect()
}

/// Files in backticks that there are not: what begins as our folders do, or ends as our files do.
pub fn missing_files(document: &Document) -> Vec<String> {
    const FOLDERS: [&str; 8] = [
        "src/",
        "tests/",
        "docs/",
        "examples/",
        "benches/",
        "fuzz/",
        "packaging/",
        "cmd/",
    ];
    let is_ours = |code: &String| {
        let is_path = !code.contains(' ') && !code.contains('*') && !code.contains("::");
        let is_placeholder = code.contains("NAME") || code.contains("TARGET");
        let begins = FOLDERS.iter().any(|folder| code.starts_with(folder));
        let extension = Path::new(code).extension().and_then(|it| it.to_str());
        let ends = extension.is_some_and(|it| ["rs", "md", "service"].contains(&it));
        is_path && !is_placeholder && (begins || ends)
    };
    let is_missing = |path: &String| {
        let bases = ["", "src", "tests", "docs"];
        !bases
            .iter()
            .any(|base| root().join(base).join(path).exists())
    };
    let named = document.codes().into_iter().filter(is_ours);
    let paths = named.flat_map(|code| expand(&code)).filter(is_missing);
    paths
        .map(|path| format!("{}: there is no {path}", document.name))
        .collect()
}

/// Names of tests and of vectors in backticks that there are not: words with two underscores.
pub fn missing_tests(document: &Document) -> Vec<String> {
    let is_name = |code: &String| {
        let of_names = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
        code.matches('_').count() >= 2 && code.chars().all(of_names)
    };
    let names: Vec<String> = document.codes().into_iter().filter(is_name).collect();
    if names.is_empty() {
        return Vec::new();
    }
    let files: Vec<PathBuf> = ["src", "tests"].into_iter().flat_map(files).collect();
    let stems: BTreeSet<&str> = files
        .iter()
        .filter_map(|path| path.file_stem()?.to_str())
        .collect();
    let is_source = |path: &&PathBuf| path.extension().is_some_and(|it| it == "rs");
    let sources: String = files
        .iter()
        .filter(is_source)
        .map(|path| fs::read_to_string(path).unwrap())
        .collect();
    let is_there =
        |name: &String| stems.contains(name.as_str()) || sources.contains(&format!("fn {name}("));
    names
        .into_iter()
        .filter(|name| !is_there(name))
        .map(|name| format!("{}: there is no {name}", document.name))
        .collect()
}

/// The options that the program has, by command.
pub struct Options(BTreeMap<&'static str, BTreeSet<String>>);

/// All long options in a text.
fn options_in(text: &str) -> BTreeSet<String> {
    let words = text.split(|c: char| !(c.is_ascii_lowercase() || c == '-'));
    let options = words.filter(|word| word.starts_with("--") && word.len() > 2);
    options.map(str::to_owned).collect()
}

impl Options {
    pub fn of_the_program() -> Self {
        let of = |command| {
            let help = Home::new().run(&[command, "--help"]);
            (command, options_in(&help.stdout.join("\n")))
        };
        Self(
            ["serve", "join", "keygen", "config", "rooms", "people"]
                .map(of)
                .into(),
        )
    }

    /// Options in backticks that there are not. Behind a command they have to be that command's.
    pub fn missing(&self, document: &Document) -> Vec<String> {
        let complaint = |what: String| format!("{}: {what}", document.name);
        let mut wrong = Vec::new();
        for code in document.codes() {
            let words: Vec<&str> = code.split_whitespace().collect();
            let (known, named) = match words.as_slice() {
                ["cargo", ..] => {
                    wrong.extend(cargo::check(&words).err().map(complaint));
                    continue;
                }
                ["e2echat", command, ..] | [command, ..] if self.0.contains_key(command) => {
                    (self.0[command].clone(), options_in(&code))
                }
                [first, ..] if first.starts_with("--") || *first == "e2echat" => {
                    let all = self.0.values().flatten().cloned().collect();
                    (all, options_in(&code))
                }
                _ => continue,
            };
            let missing = named.difference(&known);
            wrong.extend(missing.map(|option| complaint(format!("no {option} in `{code}`"))));
        }
        wrong
    }
}
