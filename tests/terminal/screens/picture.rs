//! A picture of a screen in text: what stands in its cells, where the cursor is, and what is not
//! plain about the cells. What is different each time is masked.

use std::fmt::Write as _;

use unicode_width::UnicodeWidthStr as _;
use vt100::{Cell, Color, Screen};

/// What differs from run to run: ports, dates and times, and how long ago something was. `#` is a
/// digit, and is shown instead.
const MASKS: [&str; 4] = ["127.0.0.1:#####", "####-##-##", "##:##", "# s"];

/// The picture. Empty rows at the bottom are left out.
pub(crate) fn draw(screen: &Screen) -> String {
    let (rows, columns) = screen.size();
    let (rows, columns) = (rows.get(), columns.get());
    let last = (0..rows)
        .rev()
        .find(|&row| (0..columns).any(|column| cell(screen, row, column).has_contents()))
        .unwrap_or(0);
    let edge = "─".repeat(columns.into());
    let mut picture = format!("┌{edge}┐\n");
    for row in 0..=last {
        writeln!(picture, "│{}│", mask(&text(screen, row))).expect("a string takes everything");
    }
    let (row, column) = screen.cursor_position();
    writeln!(picture, "└{edge}┘\ncursor in row {row}, column {column}")
        .expect("a string takes everything");
    picture + &looks(screen, last)
}

/// What a row shows. A wide character takes two columns here as there.
fn text(screen: &Screen, row: u16) -> String {
    (0..screen.size().1.get())
        .map(|column| cell(screen, row, column))
        .filter(|cell| !cell.is_wide_continuation())
        .map(|cell| match cell.contents() {
            "" => " ",
            contents => contents,
        })
        .collect()
}

/// The rows once more with a letter for the look of each cell, and what the letters stand for;
/// nothing where all is plain.
fn looks(screen: &Screen, last: u16) -> String {
    let mut legend: Vec<String> = Vec::new();
    let mut rows = String::new();
    for row in 0..=last {
        let letters: String = (0..screen.size().1.get())
            .map(|column| match look(cell(screen, row, column)) {
                look if look.is_empty() => ' ',
                look => {
                    let known = legend.iter().position(|known| *known == look);
                    let at = known.unwrap_or_else(|| {
                        legend.push(look);
                        legend.len() - 1
                    });
                    ('a'..='z').nth(at).expect("not many looks")
                }
            })
            .collect();
        rows += format!("│{letters}").trim_end();
        rows.push('\n');
    }
    if legend.is_empty() {
        return String::new();
    }
    for (letter, look) in ('a'..).zip(legend) {
        writeln!(rows, "{letter}: {look}").expect("a string takes everything");
    }
    rows
}

fn cell(screen: &Screen, row: u16, column: u16) -> &Cell {
    screen.cell(row, column).expect("a cell of the screen")
}

/// What is not plain about a cell, in words.
fn look(cell: &Cell) -> String {
    let mut look = Vec::new();
    for (is_so, word) in [
        (cell.bold(), "bold"),
        (cell.dim(), "dim"),
        (cell.italic(), "italic"),
        (cell.underline(), "underlined"),
        (cell.inverse(), "reversed"),
    ] {
        if is_so {
            look.push(word.to_owned());
        }
    }
    for (place, color) in [("", cell.fgcolor()), ("on ", cell.bgcolor())] {
        match color {
            Color::Default => {}
            Color::Idx(number) => look.push(format!("{place}colour {number}")),
            Color::Rgb(..) => panic!("a colour whose legibility nobody has checked"),
        }
    }
    look.join(" ")
}

/// Hides the digits of what differs from run to run.
fn mask(row: &str) -> String {
    let mut row: Vec<char> = row.chars().collect();
    for mask in MASKS {
        let mask: Vec<char> = mask.chars().collect();
        for at in 0..row.len() {
            let end = at + mask.len();
            let before = at.checked_sub(1).and_then(|before| row.get(before));
            let is_word = [before, row.get(end)]
                .into_iter()
                .flatten()
                .all(|beside| !beside.is_alphanumeric());
            let Some(found) = row.get_mut(at..end).filter(|_| is_word) else {
                continue;
            };
            let hides = |(&mask, &found): (&char, &char)| {
                mask == found || mask == '#' && found.is_ascii_digit()
            };
            if mask.iter().zip(found.iter()).all(hides) {
                found.copy_from_slice(&mask);
            }
        }
    }
    row.into_iter().collect()
}

/// Two pictures beside each other, with a mark in the rows that differ.
pub(crate) fn compare(expected: &str, shown: &str) -> String {
    let width = expected
        .lines()
        .chain([EXPECTED])
        .map(str::width)
        .max()
        .unwrap_or(0);
    let (mut left, mut right) = (expected.lines(), shown.lines());
    let mut both = format!("  {EXPECTED:width$}   {SHOWN}\n");
    loop {
        let (left, right) = match (left.next(), right.next()) {
            (None, None) => return both,
            (left, right) => (left.unwrap_or(""), right.unwrap_or("")),
        };
        let mark = if left == right { ' ' } else { '≠' };
        let space = " ".repeat(width - left.width());
        writeln!(both, "{mark} {left}{space}   {right}").expect("a string takes everything");
    }
}

const EXPECTED: &str = "expected";
const SHOWN: &str = "on the screen";
