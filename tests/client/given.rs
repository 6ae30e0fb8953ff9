//! What people give, a little other than expected, and what the program says to it: a table in `given.txt`.
//! It says what each row means.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use crate::support::process::{Client, Home, Relay};
use crate::support::screen::Screen;

const TABLE: &str = include_str!("given.txt");

/// A row of the table.
#[derive(Debug)]
struct Row<'a> {
    number: &'a str,
    input: &'a str,
    said: &'a str,
    status: i32,
}

/// The rows below a heading.
fn rows(section: &str) -> Vec<Row<'static>> {
    let heading = format!("## {section}");
    let lines = TABLE.lines().skip_while(|line| *line != heading).skip(1);
    let lines = lines.take_while(|line| !line.starts_with("## "));
    let rows: Vec<Row> = lines
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .map(|line| {
            let fields: Vec<&str> = line.split(" ║ ").map(str::trim).collect();
            let [number, input, said, status] = fields[..] else {
                panic!("not four fields: {line}");
            };
            let status = status.parse().expect("an exit status");
            Row {
                number,
                input,
                said,
                status,
            }
        })
        .collect();
    assert!(!rows.is_empty(), "no rows below {heading}");
    rows
}

/// Whether this was said: all of it, or, where it ends in `…`, its beginning.
fn is_said(line: &str, said: &str) -> bool {
    match said.strip_suffix('…') {
        Some(beginning) => line.starts_with(beginning),
        None => line == said,
    }
}

/// A copy of an identity, whose fingerprint is the same each time.
fn identity(home: &Home, name: &str) -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/terminal/screens/identities");
    let path = home.file(&format!("{name}.pem"));
    fs::copy(folder.join(format!("{name}.pem")), &path).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    path.display().to_string()
}

/// Ada at a terminal, in a room where these others are, once for each row: types what the row has, line
/// by line, and leaves.
#[track_caller]
fn play(section: &str, others: &[&str], options: &[&str]) {
    let relay = Relay::start(&[]);
    let homes = Home::new();
    let keys: Vec<String> = others.iter().map(|nick| identity(&homes, nick)).collect();
    let clients: Vec<Client> = others
        .iter()
        .zip(&keys)
        .map(|(nick, key)| Client::join(relay.address(), nick, &["--identity", key]))
        .collect();
    for Row {
        number,
        input,
        said,
        status,
    } in rows(section)
    {
        let home = Home::new();
        let key = identity(&home, "ada");
        let options = [&["--identity", &key], options].concat();
        let mut ada = Screen::join(&home, &relay.address().to_string(), "ada", &options);
        for nick in others {
            ada.wait_for_row(nick, |row| row.starts_with(&format!("* here: {nick} ")));
        }
        for line in input.split(" ⏎ ") {
            ada.comes_to_rest();
            ada.enter(if line == "⏎" { "" } else { line });
        }
        let what = format!("{number}: {input}: {said}");
        ada.wait_for_row(&what, |row| is_said(row, said));
        ada.enter("/quit");
        let ended = ada.wait_exit();
        assert_eq!(ended.exit_code(), u32::try_from(status).unwrap(), "{what}");
        // No more is said of it than that, nor something else.
        let marks = ada.transcript();
        let marks = marks.iter().filter(|row| row.starts_with(['?', '!']));
        let others: Vec<&String> = marks.filter(|row| !is_said(row, said)).collect();
        assert_eq!(others, [""; 0], "{what}");
        for client in &clients {
            let left = |count| {
                client
                    .lines()
                    .iter()
                    .filter(|it| **it == "* ada left")
                    .count()
                    >= count
            };
            let entered = client
                .lines()
                .iter()
                .filter(|it| it.starts_with("* ada joined"))
                .count();
            crate::support::process::wait_for(
                || left(entered).then_some(()),
                || format!("{what}: ada stays"),
            );
        }
    }
}

#[test]
fn in_a_room_of_three() {
    play("in a room of three", &["bob", "carl"], &[]);
}

#[test]
fn in_a_room_of_two() {
    play("in a room of two", &["bob"], &[]);
}

#[test]
fn where_words_go_to_known_people_alone() {
    play("with --only-known", &["bob"], &["--only-known"]);
}
