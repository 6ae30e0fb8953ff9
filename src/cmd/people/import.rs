//! The questions about what another machine knows. Nobody is changed by a file alone: for each person somebody at a
//! terminal has to say so.

use std::io::{self, IsTerminal as _};
use std::path::Path;

use crate::cipher::fingerprint::Fingerprint;
use crate::cmd::prompt::Prompt;
use crate::cmd::{failure, file, print, reason};
use crate::room::names::Nick;

use super::book::AddressBook;
use super::store::{MAX_FILE, PeopleFile};
use super::words::day;

/// Asks for each person whom `path` would change, and changes those.
pub(super) fn run(store: &PeopleFile, book: &mut AddressBook, path: &Path) -> anyhow::Result<()> {
    let theirs = read(path)?;
    let now = jiff::Timestamp::now().as_second();
    let people = theirs.people();
    let changes = people.iter().filter_map(|(whom, _)| {
        let lines = book.lines_to_take_over(&theirs, *whom, now);
        (!lines.is_empty()).then_some((*whom, lines))
    });
    let changes: Vec<(Fingerprint, String)> = changes.collect();
    if changes.is_empty() {
        return print("there is nothing new in that file\n");
    }
    let count = changes.len();
    let nobody = || {
        let error = format!(
            "{count} would change, and nobody was changed: there is no terminal to answer on"
        );
        failure(error, "type this on a terminal: it asks for each of them")
    };
    if !io::stdin().is_terminal() {
        return Err(nobody());
    }
    let mut prompt = Prompt::open().map_err(|_| nobody())?;
    let mut done = 0;
    for (whom, lines) in changes {
        let question = question(book, &theirs, whom);
        loop {
            // Ctrl-D: what was answered so far is done.
            let Ok(answer) = prompt.ask(&question) else {
                return tell(done, count);
            };
            match answer.trim().to_ascii_lowercase().as_str() {
                "y" | "yes" => {
                    let written = store.append(&lines, true);
                    written.map_err(|error| unwritten(store, &error, done))?;
                    book.read(lines.as_bytes(), |_| {});
                    done += 1;
                    break;
                }
                "n" | "no" => break,
                _ => {}
            }
        }
    }
    drop(prompt);
    tell(done, count)
}

fn tell(done: usize, count: usize) -> anyhow::Result<()> {
    print(&format!("{done} of {count} taken over\n"))
}

fn unwritten(store: &PeopleFile, error: &io::Error, done: usize) -> anyhow::Error {
    let path = store.path().unwrap_or("the file of known people".as_ref());
    failure(
        format!("cannot write {}: {}", path.display(), reason(error)),
        &format!("{done} were taken over, and nobody else; make room or get permission"),
    )
}

/// Reads an export.
fn read(path: &Path) -> anyhow::Result<AddressBook> {
    let unreadable = |error: io::Error| {
        failure(
            format!("cannot read {}: {}", path.display(), reason(&error)),
            "name a file that `e2echat people export` made",
        )
    };
    let bytes = file::read(path, MAX_FILE, |_| None).map_err(unreadable)??;
    let mut book = AddressBook::default();
    book.read(&bytes, |_| {});
    if book.damaged() > 0 {
        return Err(failure(
            format!(
                "{} of the lines in {} cannot be read, and nobody was changed",
                book.damaged(),
                path.display()
            ),
            "name a file that `e2echat people export` made, all of it",
        ));
    }
    Ok(book)
}

/// What would change of somebody, and whether it is to.
fn question(book: &AddressBook, theirs: &AddressBook, whom: Fingerprint) -> String {
    let Some(person) = theirs.get(whom) else {
        return String::new();
    };
    let nick = person.nick().map_or("somebody", Nick::as_str);
    let ours = book.get(whom);
    let mut rows = vec![format!("{nick}  {whom}")];
    let is_verified = ours.is_some_and(|ours| ours.verified().is_some());
    rows.extend(person.verified().filter(|_| !is_verified).map(|stamp| {
        let day = day(stamp.time);
        format!("would be VERIFIED, as over there since {day}")
    }));
    let is_known = ours.is_some_and(|ours| ours.accepted().is_some());
    let accepted = person.accepted().filter(|_| !is_known);
    rows.extend(accepted.map(|_| "would be known, as over there".to_owned()));
    let noted = ours.and_then(|ours| ours.note());
    rows.extend(person.note().filter(|it| noted != Some(it)).map(|note| {
        let instead = noted.map_or(String::new(), |noted| format!(", and not: {noted}"));
        format!("would have the note: {note}{instead}")
    }));
    rows.extend(person.sightings().iter().take(3).map(|it| {
        format!(
            "was seen over there in {} as {}",
            theirs.words(it.place),
            it.nick
        )
    }));
    let others = person.nick().map(|nick| book.called(nick));
    let others = others.into_iter().flatten().filter(|other| *other != whom);
    rows.extend(others.take(3).map(|other| {
        let state = book.get(other).map_or("seen", |other| other.state());
        format!("is NOT the {nick} whom you know here: {other}, {state}")
    }));
    format!("{}\ntake that over? (yes/no) ", rows.join("\n  "))
}
