//! Makes the picture in the README, `docs/session.svg`, from the real program: three people talk in
//! pseudo-terminals, and what one of them sees is drawn.
//!
//!     cargo build && cargo run --quiet --example picture > docs/session.svg

#![allow(clippy::print_stdout, reason = "the picture is what it prints")]
#![allow(dead_code, reason = "the screen can do more than a picture needs")]
#![allow(unreachable_pub, reason = "the screen is shared with the tests")]

#[path = "../tests/support/screen.rs"]
mod screen;

use std::fmt::Write as _;
use std::path::PathBuf;

use portable_pty::CommandBuilder;
use screen::Screen;
use vt100::{Cell, Color};

const ROWS: u16 = 16;
const COLUMNS: u16 = 88;
/// Sizes in the picture, in pixels.
const CELL_WIDTH: u16 = 9;
const CELL_HEIGHT: u16 = 20;
const MARGIN: u16 = 16;

fn main() {
    let homes = tempfile::tempdir().expect("a folder for their homes");
    let start = |who: &str, arguments: &[&str]| {
        let mut command = CommandBuilder::new(program());
        command.args(arguments);
        let home = homes.path().join(who);
        std::fs::create_dir(&home).expect("a home for each of them");
        command.env("HOME", home);
        command.env_remove("XDG_CONFIG_HOME");
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
    bob.wait_for("ada", |screen| screen.contains("here: ada"));
    let mut carl = start("carl", &["join", relay, "--nick", "carl"]);
    bob.wait_for("carl", |screen| screen.contains("carl joined"));
    carl.wait_for("the others", |screen| screen.contains("here: bob"));

    for (who, text, seen) in [
        (0, "oh hello there", "oh hello there"),
        (
            1,
            "hello ada! can srv-1 really read none of this?",
            "none of this?",
        ),
        (
            0,
            "not a word: it passes on one ciphertext for each of you, 256 bytes a block, and has no key to any of them",
            "key to any of them",
        ),
        (
            2,
            "\x1b[200~shopping list:\n  - bread\n  - tea\x1b[201~",
            "- tea",
        ),
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
    bob.type_text("/names");
    bob.wait_for("typed text", |screen| screen.ends_with("/names"));
    bob.with_emulator(|emulator| print!("{}", draw(emulator)));
}

/// The program, which lies one folder above the examples.
fn program() -> PathBuf {
    let example = std::env::current_exe().expect("this program has a path");
    let folder = example.ancestors().nth(2).expect("it is in a folder");
    folder.join(format!("e2echat{}", std::env::consts::EXE_SUFFIX))
}

fn draw(screen: &vt100::Screen) -> String {
    let (width, height) = (
        COLUMNS * CELL_WIDTH + 2 * MARGIN,
        ROWS * CELL_HEIGHT + 2 * MARGIN,
    );
    let mut svg = format!(
        r##"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" font-family="ui-monospace, Menlo, Consolas, 'DejaVu Sans Mono', monospace" font-size="15">
<title>A session in e2echat</title>
<rect width="100%" height="100%" rx="8" fill="#1d2021"/>
"##
    );
    for row in 0..ROWS {
        let baseline = MARGIN + row * CELL_HEIGHT + 15;
        for (column, cells, text, style) in runs(screen, row) {
            let (x, length) = (MARGIN + column * CELL_WIDTH, cells * CELL_WIDTH);
            writeln!(
                svg,
                r#"<text x="{x}" y="{baseline}" textLength="{length}" xml:space="preserve" fill="{}">{}</text>"#,
                color(style),
                escape(&text),
            )
            .expect("writing to a string");
        }
    }
    let (row, column) = screen.cursor_position();
    let (x, y) = (MARGIN + column * CELL_WIDTH, MARGIN + row * CELL_HEIGHT);
    writeln!(
        svg,
        r##"<rect x="{x}" y="{y}" width="{CELL_WIDTH}" height="{CELL_HEIGHT}" fill="#ebdbb2"/>
</svg>"##
    )
    .expect("writing to a string");
    svg
}

/// How a cell looks: its colour, and whether it is dim.
type Style = (Color, bool);

/// A row in runs of cells that look the same: where each begins, how many cells it takes, what
/// stands in it. A wide character is a run of its own, as fonts differ about it.
fn runs(screen: &vt100::Screen, row: u16) -> Vec<(u16, u16, String, Style)> {
    let mut runs: Vec<(u16, u16, String, Style)> = Vec::new();
    let mut may_go_on = false;
    for column in 0..COLUMNS {
        let Some(cell) = screen.cell(row, column).filter(|cell| cell.has_contents()) else {
            may_go_on &= screen
                .cell(row, column)
                .is_some_and(|cell| !cell.is_wide_continuation());
            if may_go_on && let Some((_, cells, text, _)) = runs.last_mut() {
                *cells += 1;
                text.push(' ');
            }
            continue;
        };
        let style = style_of(cell);
        match runs.last_mut() {
            Some((_, cells, text, last)) if may_go_on && *last == style && !cell.is_wide() => {
                *cells += 1;
                text.push_str(cell.contents());
            }
            _ => {
                let cells = 1 + u16::from(cell.is_wide());
                runs.push((column, cells, cell.contents().to_owned(), style));
            }
        }
        may_go_on = !cell.is_wide();
    }
    for (_, cells, text, _) in &mut runs {
        let spaces = text.len() - text.trim_end().len();
        text.truncate(text.len() - spaces);
        *cells -= u16::try_from(spaces).expect("a row is short");
    }
    runs.retain(|(_, _, text, _)| !text.is_empty());
    runs
}

fn style_of(cell: &Cell) -> Style {
    (cell.fgcolor(), cell.dim())
}

fn color((color, dim): Style) -> &'static str {
    match color {
        Color::Idx(1) => "#fb4934",
        Color::Idx(2) => "#b8bb26",
        Color::Idx(3) => "#fabd2f",
        Color::Idx(6) => "#8ec07c",
        _ if dim => "#928374",
        _ => "#ebdbb2",
    }
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}
