//! What people give, a little other than expected, and what the program says to it: a table in `given.txt`.
//! It says what each row means.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;

use crate::support::process::{Client, Ended, Home, Relay, tested_program, wait_for};
use crate::support::screen::Screen;

const TABLE: &str = include_str!("given.txt");

/// A row of the table.
#[derive(Debug)]
struct Row<'a> {
    number: &'a str,
    input: &'a str,
    said: &'a str,
    status: i32,
    /// What else is shown behind `?` or `!`.
    before: Option<&'a str>,
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
            let (fields, before) = fields.split_at(4.min(fields.len()));
            let [number, input, said, status] = fields[..] else {
                panic!("not four fields: {line}");
            };
            let before = before.first().copied();
            let status = status.parse().expect("an exit status");
            Row {
                number,
                input,
                said,
                status,
                before,
            }
        })
        .collect();
    assert!(!rows.is_empty(), "no rows below {heading}");
    rows
}

/// Whether this was said: all of it, or, where it ends in `…`, its beginning. A time of day is `##:##`.
fn is_said(line: &str, said: &str) -> bool {
    let is_time = |word: &str| {
        let (hour, minute) = word.split_once(':').unwrap_or_default();
        [hour, minute]
            .iter()
            .all(|it| it.len() == 2 && it.bytes().all(|it| it.is_ascii_digit()))
    };
    let time = line.split(' ').find(|word| is_time(word));
    let line = match time {
        Some(time) if said.contains("##:##") => line.replacen(time, "##:##", 1),
        _ => line.to_owned(),
    };
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
    let mut heard = vec![0; clients.len()];
    for Row {
        number,
        input,
        said,
        status,
        before,
    } in rows(section)
    {
        let home = Home::new();
        let key = identity(&home, "ada");
        let options = [&["--identity", &key], options].concat();
        let mut ada = Screen::join(&home, &relay.address().to_string(), "ada", &options);
        for nick in others {
            ada.wait_for_row(nick, |row| {
                let here = row.strip_prefix("* here: ").unwrap_or_default();
                here.split([' ', ',']).any(|word| word == *nick)
            });
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
        let is_told = |row: &str| is_said(row, said) || before.is_some_and(|it| is_said(row, it));
        let others: Vec<&String> = marks.filter(|row| !is_told(row)).collect();
        assert_eq!(others, [""; 0], "{what}");
        for (client, heard) in clients.iter().zip(&mut heard) {
            let of_ada = wait_for(
                || {
                    let lines = client.lines();
                    let mut new = lines[*heard..].to_vec();
                    *heard += new.iter().position(|line| line == "* ada left")? + 1;
                    new.retain(|line| line.contains("<ada"));
                    Some(new)
                },
                || format!("{what}: ada stays"),
            );
            let is_sent = !said.starts_with("? not sent");
            assert!(is_sent || of_ada.is_empty(), "{what}: {of_ada:#?}");
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

/// Runs a row's command line in a shell that has this program, and checks what it says.
#[track_caller]
fn run(relay: &Relay, row: &Row) {
    let home = Home::new();
    let (host, port) = (
        relay.address().ip().to_string(),
        relay.address().port().to_string(),
    );
    let fill = |text: &str| {
        let text = text.replace("{relay}", &relay.address().to_string());
        let text = text.replace("{host}", &host).replace("{port}", &port);
        text.replace("{home}", &home.path().display().to_string())
    };
    let mut shell = Command::new("sh");
    home.isolate(&mut shell);
    let script = format!("e2echat() {{ \"$PROGRAM\" \"$@\"; }}\n{}", fill(row.input));
    shell.args(["-c", &script]).env("PROGRAM", tested_program());
    let ended = Ended::of(&mut shell);
    let what = format!("{}: {}: {ended:#?}", row.number, row.input);
    let said = fill(row.said);
    let lines = ended.stdout.iter().chain(&ended.stderr);
    assert!(
        lines.into_iter().any(|line| is_said(line.trim(), &said)),
        "{what}"
    );
    assert_eq!(ended.code(), Some(row.status), "{what}");
}

#[test]
fn in_a_shell() {
    let relay = Relay::start(&[]);
    for row in rows("in a shell") {
        run(&relay, &row);
    }
}

/// The hour and minute that `date` of this system shows now in a zone.
fn clock_of_the_system(zone: &str) -> Option<String> {
    let mut date = Command::new("date");
    let said = date.arg("+%H:%M").env("TZ", zone).output().ok()?;
    Some(String::from_utf8_lossy(&said.stdout).trim().to_owned())
}

#[test]
fn a_zone_is_read_as_the_c_library_reads_it() {
    let relay = Relay::start(&[]);
    for zone in [
        "CET-1CEST",
        "posix/Europe/Berlin",
        ":Asia/Kolkata",
        "/usr/share/zoneinfo/Asia/Kathmandu",
        "<+0545>-5:45",
        "NZST-12NZDT,M9.5.0,M4.1.0/3",
        "EST5EDT",
        "UTC0",
        "",
    ] {
        if zone.contains('/')
            && !zone.contains("posix")
            && !Path::new("/usr/share/zoneinfo/Asia").exists()
        {
            println!("skipped: this system has no zone {zone}");
            continue;
        }
        let home = Home::new();
        let mut command = home.e2echat();
        command
            .args(["join", &relay.address().to_string(), "--nick", "ada"])
            .env("TZ", zone);
        let mut ada = Client::start_command(&mut command);
        ada.wait_for_roster();
        let shows = || {
            let before = clock_of_the_system(zone)?;
            ada.say("now");
            let line = wait_for(
                || {
                    ada.lines()
                        .iter()
                        .rfind(|line| line.ends_with(" <ada> now"))
                        .cloned()
                },
                || format!("nothing is said in {zone}: {:#?}", ada.lines()),
            );
            // A minute may have passed meanwhile.
            (Some(&before) == clock_of_the_system(zone).as_ref()).then_some((before.clone(), line))
        };
        let (system, line) = wait_for(shows, || format!("no time in {zone}"));
        assert!(line.starts_with(&system), "{zone}: {system}: {line}");
        assert_eq!(ada.leave().code(), Some(0), "{zone}");
    }
}
