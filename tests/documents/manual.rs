//! The man pages and the shell completions that are in the repository: they are what the program
//! says of itself, and those who read them understand them.

#[allow(dead_code, reason = "the files are compared, and not written")]
#[path = "../../examples/manual.rs"]
mod made;

use std::path::PathBuf;

use crate::support::process::{Client, Ended, Home, Relay};
use crate::support::tool::{root, run};

fn pages() -> Vec<PathBuf> {
    let files = made::files().expect("memory takes everything");
    let paths = files.into_iter().map(|(path, _)| root().join(path));
    paths
        .filter(|path| path.extension().is_some_and(|end| end == "1"))
        .collect()
}

#[test]
fn the_files_are_what_the_program_says_of_itself() {
    for (path, content) in made::files().expect("memory takes everything") {
        let there = std::fs::read(root().join(&path)).unwrap_or_default();
        assert!(
            there == content,
            "{} is not what it should be: run `cargo run --example manual`, and commit what that \
             makes",
            path.display()
        );
    }
}

#[test]
fn there_are_no_pages_of_commands_that_are_gone() {
    let made = made::files().expect("memory takes everything").len();
    let there = ["completions", "docs/man"].map(|folder| {
        std::fs::read_dir(root().join(folder))
            .expect("it is there")
            .count()
    });
    assert_eq!(there.iter().sum::<usize>(), made);
}

#[test]
fn groff_and_man_have_nothing_to_complain_of() {
    for page in pages() {
        let page = page.to_str().expect("UTF-8");
        for (program, arguments) in [
            ("groff", &["-man", "-Tutf8", "-ww", page][..]),
            ("man", &["--warnings", "-l", page]),
        ] {
            if let Some((text, complaints)) = run(program, arguments) {
                assert_eq!(complaints, "", "{program} {page}");
                assert!(text.contains("e2echat"), "{program} {page}: {text}");
            }
        }
    }
}

#[test]
fn mandoc_finds_no_errors() {
    for page in pages() {
        let page = page.to_str().expect("UTF-8");
        if let Some((complaints, _)) = run("mandoc", &["-Tlint", "-Werror", page]) {
            assert_eq!(complaints, "");
        }
    }
}

/// A page as `man` shows it, without what is bold there.
fn page(name: &str) -> Option<String> {
    let path = root().join(format!("docs/man/{name}.1"));
    let path = path.to_str().expect("UTF-8");
    let (text, _) = run("env", &["MANWIDTH=400", "man", "-l", path])?;
    let mut plain = String::new();
    for sign in text.chars() {
        // What a sign is struck over with.
        if sign == '\u{8}' {
            plain.pop();
        } else {
            plain.push(sign);
        }
    }
    Some(plain)
}

#[test]
fn a_page_has_what_one_looks_for_there() {
    if run("man", &["--version"]).is_none() {
        return;
    }
    let synopsis = [
        ("e2echat-serve", "[--port PORT]"),
        ("e2echat-serve", "[-v|--verbose]"),
        ("e2echat-join", "[--only-known[=true|false]]"),
        ("e2echat-join", "--nick NICK [HOST[:PORT][/ROOM]]"),
        ("e2echat-keygen", "[--bits 2048|3072|4096]"),
        ("e2echat-config", "[NAME]"),
        ("e2echat", "COMMAND"),
    ];
    for (name, usage) in synopsis {
        let page = page(name).unwrap();
        let (_, rest) = page.split_once("SYNOPSIS").unwrap();
        let (synopsis, _) = rest.split_once("DESCRIPTION").unwrap();
        assert!(synopsis.contains(usage), "{name}: {usage}: {synopsis}");
    }
    let headings: [(&str, &[&str]); 6] = [
        ("e2echat", &["EXIT STATUS", "FILES"]),
        ("e2echat-config", &["ENVIRONMENT", "EXIT STATUS", "FILES"]),
        (
            "e2echat-join",
            &["COMMANDS", "KEYS", "ENVIRONMENT", "EXIT STATUS", "FILES"],
        ),
        ("e2echat-keygen", &["ENVIRONMENT", "EXIT STATUS", "FILES"]),
        ("e2echat-rooms", &["EXIT STATUS", "FILES"]),
        ("e2echat-serve", &["ENVIRONMENT", "EXIT STATUS", "FILES"]),
    ];
    for (name, headings) in headings {
        let page = page(name).unwrap();
        for heading in headings {
            assert!(
                page.lines().any(|line| line == *heading),
                "{name} has no {heading}"
            );
        }
    }
}

#[test]
fn the_keys_of_the_guide_are_on_the_page() {
    let Some(page) = page("e2echat-join") else {
        return;
    };
    let (_, page) = page.split_once("\nKEYS\n").unwrap();
    let guide = std::fs::read_to_string(root().join("docs/GUIDE.md")).unwrap();
    let (_, keys) = guide.split_once("**Keys.**").unwrap();
    let (keys, _) = keys.split_once("\nIn a narrower window").unwrap();
    let words = keys
        .split_whitespace()
        .map(|word| word.trim_matches(|sign: char| !sign.is_alphanumeric()));
    let is_key = |word: &&str| {
        ["Ctrl-", "Alt-", "Shift-"]
            .iter()
            .any(|begin| word.starts_with(begin))
    };
    let keys: Vec<&str> = words.filter(is_key).collect();
    assert!(keys.len() > 8, "{keys:?}");
    for key in keys {
        assert!(page.contains(key), "{key} is not in: {page}");
    }
}

#[test]
fn the_files_are_where_the_page_says() {
    let home = Home::new();
    let run = |arguments: &[&str]| {
        let mut command = home.e2echat();
        command
            .env_remove("XDG_CONFIG_HOME")
            .env_remove("XDG_DATA_HOME");
        let ended = Ended::of(command.args(arguments));
        assert_eq!(ended.code(), Some(0), "{ended:#?}");
    };
    let relay = Relay::start(&[]);
    // Only whoever has a saved identity is remembered.
    let bobs = Home::new();
    let (identity, _) = bobs.identity("bob.pem");
    let other = Client::join(relay.address(), "bob", &["--identity", &identity]);
    run(&["keygen"]);
    run(&["config", "--init"]);
    run(&[
        "join",
        &relay.address().to_string(),
        "--nick",
        "ada",
        "--save",
        "work",
    ]);
    assert_eq!(other.leave().code(), Some(0));
    let page = std::fs::read_to_string(root().join("docs/man/e2echat-join.1")).unwrap();
    let rows = page
        .lines()
        .filter_map(|row| row.strip_prefix("\\fB~/")?.strip_suffix("\\fR"));
    let files: Vec<String> = rows.map(|row| row.replace('\\', "")).collect();
    assert_eq!(files.len(), 4, "{files:?}");
    for file in files {
        assert!(home.file(&file).is_file(), "there is no {file}");
    }
}

#[test]
fn bash_completes() {
    let complete = "
        source completions/e2echat.bash || exit
        complete -p e2echat >&2 || exit
        ask() {
            COMP_WORDS=(\"$@\") COMP_CWORD=$(($# - 1)) COMPREPLY=()
            _e2echat \"$1\" \"${!#}\" \"${@: -2:1}\"
            echo \"${COMPREPLY[*]}\"
        }
        ask e2echat jo
        ask e2echat join --only-
        ask e2echat serve --max-q
        ask e2echat keygen --sh";
    let Some((completed, _)) = run("bash", &["--norc", "--noprofile", "-c", complete]) else {
        return;
    };
    assert_eq!(
        completed.lines().collect::<Vec<_>>(),
        [
            "join",
            "--only-known --only-verified",
            "--max-queue",
            "--show"
        ]
    );
}

#[test]
fn the_names_of_saved_rooms_are_completed() {
    let program = "e2echat() { test \"$*\" = rooms && echo 'work  private room at a:1'; }";
    let complete = format!(
        "{program}
        source completions/e2echat.bash || exit
        ask() {{
            COMP_WORDS=(\"$@\") COMP_CWORD=$(($# - 1)) COMPREPLY=()
            _e2echat \"$1\" \"${{!#}}\" \"${{@: -2:1}}\"
            echo \"${{COMPREPLY[*]}}\"
        }}
        ask e2echat join w
        ask e2echat config w
        ask e2echat rooms forget w"
    );
    if let Some((completed, _)) = run("bash", &["--norc", "--noprofile", "-c", &complete]) {
        assert_eq!(completed, "work\nwork\nwork\n");
    }
    let program = "function e2echat; echo 'work  private room at a:1'; end";
    for line in [
        "e2echat join w",
        "e2echat config w",
        "e2echat rooms forget w",
    ] {
        let complete =
            format!("{program}; source completions/e2echat.fish; complete --do-complete '{line}'");
        if let Some((completed, _)) = run("fish", &["--no-config", "-c", &complete]) {
            assert_eq!(completed, "work\n", "{line}");
        }
    }
}

/// In a terminal of its own, as a person would: zsh completes nowhere else.
#[test]
fn zsh_completes_the_names_of_saved_rooms() {
    let complete = "
        zmodload zsh/zpty || exit
        program='e2echat() { if [[ $* = rooms ]] { echo work  private room } else { echo asked $* } }'
        zpty shell zsh -f -i
        zpty -w shell \"PS1=; fpath=(completions \\$fpath); autoload -U compinit; compinit -D -u; $program\"
        for line in join config 'rooms forget'; do
            zpty -w shell \"e2echat $line w\"$'\\t'
            zpty -r -m shell shown \"*asked $line work*\"
        done
        echo completed";
    if let Some((completed, _)) = run("zsh", &["-f", "-c", complete]) {
        assert_eq!(completed, "completed\n");
    }
}

#[test]
fn fish_completes() {
    let complete = "source completions/e2echat.fish; complete --do-complete 'e2echat join --only-'";
    if let Some((completed, _)) = run("fish", &["--no-config", "-c", complete]) {
        let options: Vec<&str> = completed
            .split_whitespace()
            .filter(|word| word.starts_with("--o"))
            .collect();
        assert_eq!(options, ["--only-known", "--only-verified"], "{completed}");
    }
}

#[test]
fn zsh_loads_the_completions() {
    let load = "
        fpath=(completions $fpath)
        autoload -U compinit && compinit -D -u && autoload +X -U _e2echat || exit
        echo $_comps[e2echat]";
    if let Some((completer, complaints)) = run("zsh", &["-f", "-c", load]) {
        assert_eq!((completer.trim(), complaints.as_str()), ("_e2echat", ""));
    }
}

#[test]
fn they_are_installed_as_the_readme_says() {
    let readme = std::fs::read_to_string(root().join("README.md")).expect("it is there");
    let lines = readme.lines().filter_map(|line| line.strip_prefix("    "));
    let is_of_it = |line: &&str| line.starts_with("mkdir ") || line.starts_with("cp ");
    let mut commands: Vec<&str> = lines.filter(is_of_it).collect();
    commands.push("cd && find .local .config -type f | sort");
    let Some((installed, _)) = run("bash", &["-e", "-c", &commands.join("\n")]) else {
        return;
    };
    let expected = [
        ".config/fish/completions/e2echat.fish",
        ".local/share/bash-completion/completions/e2echat.bash",
        ".local/share/man/man1/e2echat-config.1",
        ".local/share/man/man1/e2echat-join.1",
        ".local/share/man/man1/e2echat-keygen.1",
        ".local/share/man/man1/e2echat-people-export.1",
        ".local/share/man/man1/e2echat-people-forget.1",
        ".local/share/man/man1/e2echat-people-import.1",
        ".local/share/man/man1/e2echat-people.1",
        ".local/share/man/man1/e2echat-rooms-forget.1",
        ".local/share/man/man1/e2echat-rooms.1",
        ".local/share/man/man1/e2echat-serve.1",
        ".local/share/man/man1/e2echat.1",
        ".local/share/zsh/site-functions/_e2echat",
    ];
    assert_eq!(installed.lines().collect::<Vec<_>>(), expected);
}
