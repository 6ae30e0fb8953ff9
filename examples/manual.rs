//! Makes the man pages in `docs/man` and the shell completions in `completions` from what the
//! program itself knows of its commands. `tests/documents/manual.rs` checks that they are up to date.
//!
//!     cargo run --example manual

#[path = "manual/page.rs"]
mod page;

use std::io;
use std::path::{Path, PathBuf};

use clap::CommandFactory as _;
use clap_complete::{Generator as _, Shell};

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
    command = without_help(command);
    command.build();
    let mut commands = vec![&command];
    while let Some(command) = commands.pop() {
        let (name, content) = page::page(command)?;
        files.push((Path::new("docs/man").join(name), content));
        commands.extend(command.get_subcommands());
    }
    Ok(files)
}

/// The command without those that only show help: each has a page.
fn without_help(command: clap::Command) -> clap::Command {
    let command = command.disable_help_subcommand(true);
    command.mut_subcommands(without_help)
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
