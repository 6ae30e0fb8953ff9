//! Makes the pictures in the README from the real program: three people talk in pseudo-terminals,
//! and the screen of one of them is drawn.
//!
//!     cargo build
//!     cargo run --quiet --example picture -- dark > docs/session.svg
//!     cargo run --quiet --example picture -- light > docs/session-light.svg

#![allow(clippy::print_stdout, reason = "the picture is what it prints")]
#![allow(dead_code, reason = "the screen can do more than a picture needs")]
#![allow(unreachable_pub, reason = "the screen is shared with the tests")]

#[path = "../tests/support/screen.rs"]
mod screen;

use std::fmt::Write as _;
use std::fs::OpenOptions;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use screen::Screen;
use vt100::{Cell, Color};

const ROWS: u16 = 19;
const COLUMNS: u16 = 88;
/// Sizes in the picture, in pixels.
const CELL_WIDTH: u16 = 9;
const CELL_HEIGHT: u16 = 20;
const MARGIN: u16 = 16;

/// The colours of a terminal.
struct Theme {
    /// The background that it tells programs, as COLORFGBG.
    colorfgbg: &'static str,
    background: &'static str,
    text: &'static str,
}

const DARK: Theme = Theme {
    colorfgbg: "15;0",
    background: "#1d2021",
    text: "#ebdbb2",
};
const LIGHT: Theme = Theme {
    colorfgbg: "0;15",
    background: "#ffffff",
    text: "#24292f",
};

fn main() {
    let theme = match std::env::args().nth(1).as_deref() {
        None | Some("dark") => DARK,
        Some("light") => LIGHT,
        Some(other) => panic!("no theme {other}: dark or light"),
    };
    let homes = tempfile::tempdir().expect("a folder for their homes");
    let start = |who: &str, arguments: &[&str]| {
        let mut command = screen::command(program());
        command.args(arguments);
        let home = homes.path().join(who);
        let settings = home.join("e2echat");
        std::fs::create_dir_all(&settings).expect("a home for each of them");
        give_identity(who, &settings.join("identity.pem"));
        command.env("HOME", &home);
        command.env("XDG_CONFIG_HOME", &home);
        command.env("XDG_DATA_HOME", &home);
        command.env("COLORFGBG", theme.colorfgbg);
        Screen::spawn(command, ROWS, COLUMNS)
    };
    let mut host = start(
        "ada",
        &[
            "serve",
            "--nick",
            "ada",
            "--port",
            "0",
            "--bind",
            "127.0.0.1",
        ],
    );
    let shown = host.wait_for("room", |screen| screen.contains("nobody else"));
    let relay = shown
        .lines()
        .find_map(|line| line.strip_prefix("listening on "))
        .expect("the relay says where it is");

    let mut bob = start("bob", &["join", relay, "--nick", "bob"]);
    bob.wait_for("ada", |screen| screen.contains("/verify ada"));
    let mut carl = start("carl", &["join", relay, "--nick", "carl"]);
    bob.wait_for("carl", |screen| screen.contains("carl joined"));
    carl.wait_for("the others", |screen| screen.contains("/code"));

    for (who, text, seen) in [
        (0, "oh hello there", "<ada> oh"),
        (
            1,
            "hello ada! can the relay really read none of this?",
            "none of this?",
        ),
        (
            0,
            "bob: not a word. It passes on one ciphertext for each of you, 256 bytes a block, and has no key to any of them",
            "any of them",
        ),
        (
            2,
            "\x1b[200~shopping list:\n  - bread\n  - tea\x1b[201~",
            "- tea",
        ),
        (0, "/me puts the kettle on", "kettle"),
        (2, "/msg bob it is ada's birthday tomorrow", "birthday"),
        (1, "/reply then add 🎂 to the list", "<bob → carl>"),
        (0, "日本語 and 🎉 keep their place, too", "too"),
    ] {
        let screen = match who {
            0 => &mut host,
            1 => &mut bob,
            _ => &mut carl,
        };
        screen.enter(text);
        bob.wait_for(seen, |screen| screen.contains(seen));
    }
    bob.type_text("/whois c\t");
    bob.wait_for("typed text", |screen| screen.ends_with("/whois carl "));
    bob.with_emulator(|emulator| print!("{}", draw(emulator, &theme)));
}

/// The program: it lies one folder above the examples.
fn program() -> PathBuf {
    let example = std::env::current_exe().expect("this program has a path");
    let folder = example.ancestors().nth(2).expect("it is in a folder");
    folder.join(format!("e2echat{}", std::env::consts::EXE_SUFFIX))
}

/// Gives a person the identity that the tests give them, and so the same colour each time.
fn give_identity(who: &str, file: &Path) {
    let identities = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/tests/terminal/screens/identities"
    );
    let pem = std::fs::read(Path::new(identities).join(who).with_extension("pem"));
    let mut options = OpenOptions::new();
    options.write(true).create_new(true).mode(0o600);
    let mut file = options.open(file).expect("a file for the identity");
    file.write_all(&pem.expect("an identity"))
        .expect("it is written");
}

fn draw(screen: &vt100::Screen, theme: &Theme) -> String {
    let (width, height) = (
        COLUMNS * CELL_WIDTH + 2 * MARGIN,
        ROWS * CELL_HEIGHT + 2 * MARGIN,
    );
    let mut svg = format!(
        r##"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" font-family="ui-monospace, Menlo, Consolas, 'DejaVu Sans Mono', monospace" font-size="15">
<title>A session in e2echat</title>
<rect width="100%" height="100%" rx="8" fill="{}" stroke="#808080" stroke-opacity="0.4"/>
"##,
        theme.background
    );
    for row in 0..ROWS {
        for run in runs(screen, row) {
            draw_run(&mut svg, row, &run, theme).expect("writing to a string");
        }
    }
    let (row, column) = screen.cursor_position();
    let (x, y) = (MARGIN + column * CELL_WIDTH, MARGIN + row * CELL_HEIGHT);
    writeln!(
        svg,
        r#"<rect x="{x}" y="{y}" width="{CELL_WIDTH}" height="{CELL_HEIGHT}" fill="{}"/>
</svg>"#,
        theme.text
    )
    .expect("writing to a string");
    svg
}

fn draw_run(svg: &mut String, row: u16, run: &Run, theme: &Theme) -> std::fmt::Result {
    let (x, y) = (MARGIN + run.column * CELL_WIDTH, MARGIN + row * CELL_HEIGHT);
    let (width, baseline) = (run.cells * CELL_WIDTH, y + 15);
    let color = match run.look.color {
        Color::Idx(index @ 16..) => rgb(index),
        _ => theme.text.to_owned(),
    };
    let weight = if run.look.bold {
        r#" font-weight="bold""#
    } else {
        ""
    };
    let mut ink = color.as_str();
    if run.look.reversed {
        writeln!(
            svg,
            r#"<rect x="{x}" y="{y}" width="{width}" height="{CELL_HEIGHT}" fill="{color}"/>"#
        )?;
        ink = theme.background;
    }
    writeln!(
        svg,
        r#"<text x="{x}" y="{baseline}" textLength="{width}" xml:space="preserve" fill="{ink}"{weight}>{}</text>"#,
        escape(&run.text),
    )
}

/// A run: cells beside each other that look the same. A wide character is a run of its own, as
/// fonts differ about its width.
struct Run {
    column: u16,
    cells: u16,
    text: String,
    look: Look,
}

/// How a cell looks.
#[derive(PartialEq)]
struct Look {
    color: Color,
    bold: bool,
    reversed: bool,
}

impl Look {
    fn of(cell: &Cell) -> Self {
        Self {
            color: cell.fgcolor(),
            bold: cell.bold(),
            reversed: cell.inverse(),
        }
    }
}

/// A row in runs, without spaces at their ends.
fn runs(screen: &vt100::Screen, row: u16) -> Vec<Run> {
    let mut runs: Vec<Run> = Vec::new();
    let mut may_go_on = false;
    for column in 0..COLUMNS {
        let Some(cell) = screen.cell(row, column).filter(|cell| cell.has_contents()) else {
            may_go_on &= screen
                .cell(row, column)
                .is_some_and(|cell| !cell.is_wide_continuation());
            if may_go_on && let Some(run) = runs.last_mut() {
                run.cells += 1;
                run.text.push(' ');
            }
            continue;
        };
        let look = Look::of(cell);
        match runs.last_mut() {
            Some(run) if may_go_on && run.look == look && !cell.is_wide() => {
                run.cells += 1;
                run.text.push_str(cell.contents());
            }
            _ => runs.push(Run {
                column,
                cells: 1 + u16::from(cell.is_wide()),
                text: cell.contents().to_owned(),
                look,
            }),
        }
        may_go_on = !cell.is_wide();
    }
    for run in &mut runs {
        let spaces = run.text.len() - run.text.trim_end().len();
        run.text.truncate(run.text.len() - spaces);
        run.cells -= u16::try_from(spaces).expect("a row is short");
    }
    runs.retain(|run| !run.text.is_empty());
    runs
}

/// The colour that xterm draws for one of the 240 that are not the user's to choose.
fn rgb(index: u8) -> String {
    let [red, green, blue] = if index >= 232 {
        [8 + 10 * (index - 232); 3]
    } else {
        let cube = index.saturating_sub(16);
        [cube / 36, cube / 6 % 6, cube % 6].map(|step| step.min(1) * 55 + 40 * step)
    };
    format!("#{red:02x}{green:02x}{blue:02x}")
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}
