//! A man page: what clap knows of a command, with what one looks for in a man page and a `--help` has no room for.

use std::io;

use clap::{Arg, Command};
use clap_mangen::Man;
use e2echat::cmd::command_table;
use roff::{Inline, Roff, bold, italic, roman};

/// The program itself, whose page has what is said of all commands.
const PROGRAM: &str = "e2echat";

/// Files on Linux, what is in them, and the commands that read or write them.
const FILES: [(&str, &str, &[&str]); 4] = [
    (
        "~/.config/e2echat/identity.pem",
        "the identity by which friends know you; `e2echat keygen` makes it",
        &["join", "keygen", "serve"],
    ),
    (
        "~/.config/e2echat/config.toml",
        "settings; `e2echat config --init` makes it",
        &["join", "serve", "config"],
    ),
    (
        "~/.local/share/e2echat/rooms.toml",
        "saved rooms, with their invites",
        &["join", "rooms", "config", "forget"],
    ),
    (
        "~/.local/share/e2echat/known-people",
        "the people whom you have met, accepted, verified or noted",
        &["join", "serve", "people", "export", "import", "forget"],
    ),
];

const OTHER_FOLDERS: &str = "XDG_CONFIG_HOME stands for ~/.config where it is set, XDG_DATA_HOME for ~/.local/share. \
    On other systems the folders are others; `e2echat keygen --show` and `e2echat config` tell them.";

/// What can be typed in a room besides the commands of the table.
const TEXT: [(&str, &str); 2] = [
    ("//text", "send a line that begins with a slash"),
    ("text", "send it to all who are here"),
];

/// The keys of the line editor: `src/cmd/terminal/keys.rs` says what each does.
const KEYS: [(&str, &str); 20] = [
    ("Enter, Ctrl-J", "send the line"),
    (
        "Alt-Enter",
        "make a new line; Shift-Enter and Ctrl-Enter do so where the terminal tells them from Enter",
    ),
    (
        "Tab, Shift-Tab",
        "complete a nick, a command, or what goes with it; the one before",
    ),
    (
        "Up, Down, Ctrl-P, Ctrl-N",
        "move between the rows of the line, then bring back what you sent",
    ),
    (
        "Ctrl-R",
        "bring back the last line that contains what you have typed; again for an older one",
    ),
    ("Left, Right, Ctrl-B, Ctrl-F", "move by a character"),
    (
        "Ctrl-Left, Ctrl-Right, Alt-B, Alt-F",
        "move by a word; so do Alt-Left and Alt-Right",
    ),
    (
        "Home, End, Ctrl-A, Ctrl-E",
        "move to the beginning, to the end",
    ),
    (
        "Backspace, Ctrl-H",
        "delete the character before the cursor",
    ),
    ("Delete", "delete the character at the cursor"),
    (
        "Ctrl-D",
        "the same; on an empty line, leave (with serve --nick, twice)",
    ),
    ("Ctrl-W, Alt-Backspace", "delete the word before the cursor"),
    ("Alt-D", "delete the word behind the cursor"),
    (
        "Ctrl-U, Ctrl-K",
        "delete all before the cursor, all behind it",
    ),
    ("Ctrl-Y", "put back what was deleted last"),
    ("Ctrl-T", "swap two characters"),
    ("Ctrl-_", "undo"),
    ("Alt-E", "open the line in your own editor"),
    ("Ctrl-L", "draw the screen anew"),
    (
        "Ctrl-C",
        "empty the line; on an empty line, twice, leave. Ctrl-Z does nothing",
    ),
];

/// The page of a command that is built: the name of its file, and its content.
pub(super) fn page(command: &Command) -> io::Result<(String, Vec<u8>)> {
    let page = Man::new(command.clone())
        .source(concat!("e2echat ", env!("CARGO_PKG_VERSION")))
        .manual("User Commands");
    let mut out = Vec::new();
    page.render_title(&mut out)?;
    page.render_name_section(&mut out)?;
    synopsis(command).to_writer(&mut out)?;
    page.render_description_section(&mut out)?;
    page.render_options_section(&mut out)?;
    // A command of a command has no page: it is a row here.
    if command.has_subcommands() {
        page.render_subcommands_section(&mut out)?;
    }
    let name = command.get_name();
    match name {
        "join" => {
            let commands = command_table::all().map(|row| (row.usage, row.explanation()));
            let text = TEXT.map(|(typed, help)| (typed, help.to_owned()));
            list("COMMANDS", commands.chain(text)).to_writer(&mut out)?;
            list("KEYS", KEYS.iter().map(owned)).to_writer(&mut out)?;
        }
        "serve" => section(
            "COMMANDS AND KEYS",
            "With --nick, what e2echat-join(1) says of commands and keys holds here, too.",
        )
        .to_writer(&mut out)?,
        _ => {}
    }
    let help = command.get_after_help().map(ToString::to_string);
    let help = help.unwrap_or_default();
    sections(&help).to_writer(&mut out)?;
    if !help.contains("Exit status:") {
        section("EXIT STATUS", exit_status(name)).to_writer(&mut out)?;
    }
    let is_of_it = |commands: &[&str]| name == PROGRAM || commands.contains(&name);
    let files = FILES.iter().filter(|(_, _, of)| is_of_it(of));
    list(
        "FILES",
        files.map(|(path, what, _)| (*path, (*what).to_owned())),
    )
    .to_writer(&mut out)?;
    let mut rest = Roff::new();
    rest.control("PP", []).text([roman(OTHER_FOLDERS)]);
    rest.to_writer(&mut out)?;
    section("SEE ALSO", &others(command)).to_writer(&mut out)?;
    Ok((page.get_filename(), out))
}

fn owned<'a>((key, does): &(&'a str, &str)) -> (&'a str, String) {
    (key, (*does).to_owned())
}

fn exit_status(name: &str) -> &'static str {
    match name {
        "serve" => {
            "0 when a signal has ended it, or its host has left; 1 after a failure; 2 for wrong usage."
        }
        _ => "0 after success; 1 after a failure; 2 for wrong usage.",
    }
}

/// The other pages.
fn others(command: &Command) -> String {
    const PAGES: [&str; 7] = [
        "e2echat",
        "e2echat-config",
        "e2echat-join",
        "e2echat-keygen",
        "e2echat-people",
        "e2echat-rooms",
        "e2echat-serve",
    ];
    let own = command.get_display_name().unwrap_or(PROGRAM);
    let others = PAGES.iter().filter(|page| **page != own);
    let others: Vec<String> = others.map(|page| format!("{page}(1)")).collect();
    others.join(", ")
}

/// The synopsis. That of `clap_mangen` leaves out what stands behind an option.
fn synopsis(command: &Command) -> Roff {
    let is_shown = |argument: &&Arg| !argument.is_hide_set();
    let mut line = vec![bold(command.get_bin_name().unwrap_or(PROGRAM))];
    // What must be there comes last.
    for is_required in [false, true] {
        let options = command.get_arguments().filter(is_shown);
        let options =
            options.filter(|it| !it.is_positional() && it.is_required_set() == is_required);
        options.for_each(|option| line.extend(optional(usage(option), is_required)));
    }
    for positional in command.get_positionals().filter(is_shown) {
        line.extend(optional(
            vec![italic(value_of(positional))],
            positional.is_required_set(),
        ));
    }
    if command.has_subcommands() {
        let is_required = command.is_subcommand_required_set();
        line.extend(optional(vec![italic("COMMAND")], is_required));
    }
    let mut roff = Roff::new();
    roff.control("SH", ["SYNOPSIS"]);
    // Options are neither stretched nor broken.
    roff.control("ad", ["l"]).control("nh", []).text(line);
    roff.control("hy", []).control("ad", ["b"]);
    roff
}

/// An option as one types it.
fn usage(option: &Arg) -> Vec<Inline> {
    let short = option.get_short().map(|name| format!("-{name}"));
    let long = option.get_long().map(|name| format!("--{name}"));
    let names: Vec<String> = short.into_iter().chain(long).collect();
    let mut usage = vec![bold(names.join("|"))];
    let values = option.get_num_args().expect("the command is built");
    if values.takes_values() {
        let value = italic(value_of(option));
        usage.extend(
            match (values.min_values(), option.is_require_equals_set()) {
                (0, _) => vec![roman("[="), value, roman("]")],
                (_, true) => vec![roman("="), value],
                (_, false) => vec![roman(" "), value],
            },
        );
    }
    usage
}

fn value_of(argument: &Arg) -> String {
    let names = argument.get_value_names().unwrap_or_default();
    names.join(" ")
}

/// With a space before it, and in brackets if one need not type it.
fn optional(usage: Vec<Inline>, is_required: bool) -> Vec<Inline> {
    let (open, close) = if is_required { (" ", "") } else { (" [", "]") };
    let mut whole = vec![roman(open)];
    whole.extend(usage);
    whole.push(roman(close));
    whole
}

fn section(heading: &str, text: &str) -> Roff {
    let mut roff = Roff::new();
    roff.control("SH", [heading]).text([roman(text)]);
    roff
}

fn list<'a>(heading: &str, rows: impl IntoIterator<Item = (&'a str, String)>) -> Roff {
    let mut roff = Roff::new();
    roff.control("SH", [heading]);
    for (left, right) in rows {
        roff.control("TP", [])
            .text([bold(left)])
            .text([roman(right)]);
    }
    roff
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
