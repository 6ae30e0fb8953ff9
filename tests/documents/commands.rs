//! Which lines of a document are command lines, and what becomes of each.

use std::path::Path;

use super::cargo;
use super::markdown::{Block, Document};

/// How a block begins that is no command, though it is indented.
const NOT_COMMANDS: [&str; 4] = [
    // What can be typed in a room.
    "/help [CMD] ",
    // How the code is laid out.
    "src/main.rs ",
    "src/cmd/ ",
    // A formula.
    "64 MiB + connections × ",
];

/// What is not run, and why.
const NOT_RUN: [(&str, &str); 17] = [
    ("apt", "installs a package"),
    ("docker", "needs a service and the network"),
    ("export", "sets a variable of the reader's shell"),
    ("git", "changes the repository"),
    ("groupadd", "makes a group"),
    ("haproxy", "a test of its own does, where it is installed"),
    ("install", "writes where programs are installed"),
    ("journalctl", "needs systemd"),
    ("mkdir", "makes folders in the reader's home"),
    ("nft", "changes the firewall"),
    (
        "openssl",
        "asks for a passphrase; tests/identity/openssl.rs runs it",
    ),
    ("rustup", "changes the toolchain"),
    ("sha256sum", "needs what a release has"),
    ("systemctl", "needs systemd"),
    ("tor", "a test of its own does, where it is installed"),
    ("ufw", "changes the firewall"),
    ("usermod", "changes a user"),
];

/// A command line that is not wrong as far as can be told by looking at it.
pub enum Command {
    /// It is to be run: words for a shell, in which the program is `e2echat`.
    Ours(String),
    /// It names what exists, or is not ours.
    Checked,
}

/// All command lines of a document: without comments, and whole where they take several rows.
pub fn lines(document: &Document) -> Vec<String> {
    document.blocks.iter().flat_map(lines_of).collect()
}

fn lines_of(block: &Block) -> Vec<String> {
    let first = block.lines.first().map_or("", String::as_str);
    let rows: Vec<&str> = match block.language.as_str() {
        "" if NOT_COMMANDS.iter().any(|begin| first.starts_with(begin)) => Vec::new(),
        "" | "sh" => block.lines.iter().map(String::as_str).collect(),
        // What is on a screen.
        "text" => {
            let rows = block.lines.iter();
            rows.filter_map(|row| row.strip_prefix("$ ")).collect()
        }
        // A unit of systemd.
        "ini" => {
            let rows = block.lines.iter();
            rows.filter_map(|row| row.strip_prefix("ExecStart="))
                .collect()
        }
        _ => Vec::new(),
    };
    let rows = rows.join("\n");
    let whole: Vec<&str> = rows.split("\\\n").map(str::trim).collect();
    let whole = whole.join(" ");
    let lines = whole.lines().map(without_comment);
    lines.filter(|line| !line.is_empty()).collect()
}

/// A line without what is said about it, behind two spaces or a `#`.
pub fn without_comment(line: &str) -> String {
    let mut line = line.trim();
    for begin in ["  ", " #"] {
        line = line.split_once(begin).map_or(line, |(line, _)| line);
    }
    let line = if line.starts_with('#') { "" } else { line };
    line.to_owned()
}

/// Finds out what is to become of a line.
pub fn parse(line: &str) -> Result<Command, String> {
    let words: Vec<&str> = line.split_whitespace().collect();
    let is_setting = |word: &&&str| word.contains('=') && !word.starts_with('-');
    let settings = words.iter().take_while(is_setting).count();
    let (settings, words) = words.split_at(settings);
    let program = *words.first().ok_or("a line without a program")?;
    if program == "e2echat" || line.contains("| e2echat ") {
        return Ok(Command::Ours(line.to_owned()));
    }
    if let ("docker", Some(at)) = (program, line.find(" e2echat serve ")) {
        return Ok(Command::Ours(line[at..].trim().to_owned()));
    }
    if program == "cargo" {
        let ours = cargo::check(words)?;
        let ours = ours.map(|arguments| [settings, &["e2echat"], &arguments].concat().join(" "));
        return Ok(ours.map_or(Command::Checked, Command::Ours));
    }
    if let Some(example) = program.strip_prefix("target/release/examples/") {
        return cargo::check_example(example, words).map(|()| Command::Checked);
    }
    if program.starts_with("examples/scripts/") {
        // Tests of their own run them.
        return check_files(&[program]).map(|()| Command::Checked);
    }
    if program == "cp" {
        // To the reader's home.
        let is_ours = |word: &&&str| !word.starts_with('~');
        let sources: Vec<&str> = words.iter().skip(1).filter(is_ours).copied().collect();
        return check_files(&sources).map(|()| Command::Checked);
    }
    if NOT_RUN.iter().any(|(name, _)| *name == program) {
        return Ok(Command::Checked);
    }
    Err(format!(
        "nothing here knows what to do with {program}: see tests/documents/commands.rs"
    ))
}

/// Checks that there are these files; of all files of a kind, that there is their folder.
fn check_files(paths: &[&str]) -> Result<(), String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let is_missing = |path: &&&str| {
        let path = path.split('*').next().unwrap_or_default();
        !root.join(path).exists()
    };
    let missing = paths.iter().find(is_missing);
    missing.map_or(Ok(()), |path| Err(format!("there is no {path}")))
}
