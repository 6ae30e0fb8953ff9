//! Makes the man pages in `docs/man` and the shell completions in `completions` from what the
//! program itself knows of its commands. `tests/documents/manual.rs` checks that they are up to date.
//!
//!     cargo run --example manual

use std::io;
use std::path::{Path, PathBuf};

use clap::CommandFactory as _;
use clap_complete::{Generator as _, Shell};
use clap_mangen::Man;
use roff::{Roff, bold, roman};

fn main() -> io::Result<()> {
    for (path, content) in files()? {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
        std::fs::create_dir_all(path.parent().expect("it is in a folder"))?;
        std::fs::write(path, content)?;
    }
    Ok(())
}

/// The files: each one's path in the repository, and its content.
pub(crate) fn files() -> io::Result<Vec<(PathBuf, Vec<u8>)>> {
    let mut command = e2echat::cmd::Cli::command();
    let mut files = Vec::new();
    for shell in [Shell::Bash, Shell::Fish, Shell::Zsh] {
        let mut script = Vec::new();
        clap_complete::generate(shell, &mut command.clone(), "e2echat", &mut script);
        files.push((
            Path::new("completions").join(shell.file_name("e2echat")),
            with_rooms(shell, &String::from_utf8_lossy(&script)).into_bytes(),
        ));
    }
    command = command.disable_help_subcommand(true);
    command.build();
    for command in [&command].into_iter().chain(command.get_subcommands()) {
        let page = Man::new(command.clone())
            .source(concat!("e2echat ", env!("CARGO_PKG_VERSION")))
            .manual("User Commands");
        files.push((
            Path::new("docs/man").join(page.get_filename()),
            render(command, &page)?,
        ));
    }
    Ok(files)
}

/// What lists the names of saved rooms in a shell, where there are some.
const NAMES: &str = "e2echat rooms 2>/dev/null | cut -d ' ' -f 1";

/// Has a completion script ask the program for the names of saved rooms, which clap cannot know.
fn with_rooms(shell: Shell, script: &str) -> String {
    match shell {
        Shell::Bash => ["join", "config", "rooms__subcmd__forget"].iter().fold(
            script.to_owned(),
            |script, command| {
                let start = format!("        e2echat__subcmd__{command})\n            opts=\"");
                script.replacen(&start, &format!("{start}$({NAMES}) "), 1)
            },
        ),
        Shell::Fish => [
            "join",
            "config",
            "rooms; and __fish_seen_subcommand_from forget",
        ]
        .iter()
        .fold(script.to_owned(), |script, command| {
            let place = format!("__fish_e2echat_using_subcommand {command}");
            format!("{script}complete -c e2echat -n \"{place}\" -f -a \"({NAMES})\"\n")
        }),
        Shell::Zsh => {
            let ask = format!(
                "_e2echat_rooms() {{\n    compadd -- ${{(f)\"$({NAMES})\"}}\n    _default\n}}\n\n_e2echat() {{"
            );
            let script = script.replacen("_e2echat() {", &ask, 1);
            let lines = script.split_inclusive('\n').map(|line| {
                let is_room = ["'::place -- ", "':name -- ", "'::name -- "]
                    .iter()
                    .any(|start| line.starts_with(start));
                if is_room {
                    line.replace(":_default'", ":_e2echat_rooms'")
                } else {
                    line.to_owned()
                }
            });
            lines.collect()
        }
        _ => script.to_owned(),
    }
}

fn render(command: &clap::Command, page: &Man) -> io::Result<Vec<u8>> {
    let mut out = Vec::new();
    page.render_title(&mut out)?;
    page.render_name_section(&mut out)?;
    page.render_synopsis_section(&mut out)?;
    page.render_description_section(&mut out)?;
    page.render_options_section(&mut out)?;
    if command.has_subcommands() {
        page.render_subcommands_section(&mut out)?;
    }
    if let Some(help) = command.get_after_help() {
        sections(&help.to_string()).to_writer(&mut out)?;
    }
    Ok(out)
}

/// The end of the help, whose lines `clap_mangen` would run together. A paragraph that begins with
/// some words and a colon is a section of that name; an indented line is an item of a list, what is
/// left and right of a gap.
fn sections(help: &str) -> Roff {
    let is_word = |c: char| c.is_ascii_alphabetic() || c == ' ';
    let mut roff = Roff::new();
    // Commands are not stretched to the width of the page.
    roff.control("ad", ["l"]);
    for (index, paragraph) in help.split("\n\n").enumerate() {
        let (heading, text) = match paragraph.split_once(':') {
            Some((heading, text)) if heading.chars().all(is_word) => (heading, text),
            _ if index == 0 => ("Notes", paragraph),
            _ => ("", paragraph),
        };
        if heading.is_empty() {
            roff.control("PP", []);
        } else {
            roff.control("SH", [heading.to_uppercase().as_str()]);
        }
        for line in text.lines().filter(|line| !line.is_empty()) {
            match (line.strip_prefix("  "), line.trim().split_once("  ")) {
                (None, _) => roff.text([roman(line.trim())]),
                (Some(more), _) if more.starts_with(' ') => roff.text([roman(more.trim())]),
                (Some(_), Some((left, right))) => roff
                    .control("TP", [])
                    .text([bold(left)])
                    .text([roman(right.trim())]),
                (Some(left), None) => roff.control("PP", []).text([bold(left)]),
            };
        }
    }
    roff
}
