//! Commands about what is on the screen: help, what was said so far and what became of it, how it looks,
//! how the user is called who looks elsewhere.

use clap::ValueEnum as _;

use crate::cmd::terminal::{Style, Theme};
use crate::room::names::Nick;
use crate::room::session::{Fate, Said, Session, Undelivered};

use super::table;
use crate::cmd::join::output::notify::NotifyWord;
use crate::cmd::join::output::screen::Screen;
use crate::cmd::join::output::search::Search;
use crate::cmd::join::output::{list, sort};

/// How many messages `/history` shows where no number is given.
const HISTORY: usize = 20;

/// How many messages `/seen` shows where no number is given, and at most: the session knows no more of
/// those that everybody has confirmed.
const SEEN: usize = 5;
const MOST_SEEN: usize = 20;

/// How many signs of a message `/seen` shows.
const SHOWN: usize = 60;

/// What `/seen` says of the readers at whom this has become of a message.
const FATES: [(&str, &[Option<Fate>]); 9] = [
    ("confirmed by", &[Some(Fate::Confirmed)]),
    ("not confirmed yet by", &[None, Some(Fate::Unconfirmed)]),
    (
        "could not be opened by the program of",
        &[Some(Fate::Undelivered(Undelivered::Unopened))],
    ),
    (
        "gone without confirming it:",
        &[Some(Fate::Undelivered(Undelivered::Gone))],
    ),
    (
        "come anew without confirming it:",
        &[Some(Fate::Undelivered(Undelivered::CameAnew))],
    ),
    (
        "not sent, as they had used one session key for more than a day, to",
        &[Some(Fate::Undelivered(Undelivered::StaleKey))],
    ),
    (
        "given up, as a session key has changed, for",
        &[Some(Fate::Undelivered(Undelivered::KeyChanged))],
    ),
    (
        "given up, as so much else waits, for",
        &[Some(Fate::Undelivered(Undelivered::TooMuch))],
    ),
    (
        "given up, as it was not confirmed for a day, for",
        &[Some(Fate::Undelivered(Undelivered::TooLong))],
    ),
];

pub(super) fn help(screen: &mut Screen, command: &str) {
    match table::help(command) {
        Some(help) => screen.answer(help),
        None => screen.refuse(
            None,
            format!("there is no command {command}; /help lists them"),
        ),
    }
}

pub(super) fn history(screen: &mut Screen, count: Option<usize>) {
    let history = screen.history(count.unwrap_or(HISTORY));
    if history.is_empty() {
        screen.notice("nothing was said so far");
    } else {
        screen.answer(history);
    }
}

pub(super) fn search(screen: &mut Screen, text: &str) {
    match screen.search(text) {
        Search::Empty => screen.refuse(None, "there is nothing in that to search for"),
        Search::Nothing { kept: 0, .. } => screen.notice("nothing was said so far"),
        Search::Nothing { sought, kept } => {
            screen.notice(format!(
                "none of the last {kept} messages has this: {sought}"
            ));
        }
        Search::Found(answer) => screen.answer(answer),
    }
}

/// Shows whole a message of which the screen shows only the beginning: the last one is the first.
pub(super) fn show(screen: &mut Screen, number: usize) {
    match screen.long_message(number) {
        Some(message) => screen.answer(message),
        None => screen.notice("no such message is cut: the screen shows it whole"),
    }
}

/// Shows the address of a web page that was said, in a row of its own: the last one is the first.
pub(super) fn url(screen: &mut Screen, number: usize) {
    match screen.url(number) {
        Some(url) => screen.show(&url),
        None => screen.notice("no such web address was said"),
    }
}

/// Shows this many of the user's last messages, each with what has become of it.
pub(super) fn seen(screen: &mut Screen, session: &Session, count: Option<usize>) {
    let said: Vec<Said> = session.said().collect();
    let count = count.unwrap_or(SEEN).min(MOST_SEEN);
    let latest = said.iter().skip(said.len().saturating_sub(count));
    let lines: Vec<String> = latest.flat_map(lines_of).collect();
    if lines.is_empty() {
        screen.notice("you have said nothing so far");
    } else {
        screen.answer(lines.join("\n"));
    }
}

/// The beginning of a message, and below it what has become of it.
fn lines_of(said: &Said<'_>) -> Vec<String> {
    let first = said.text.lines().next().unwrap_or_default();
    let mut begin: String = first.chars().take(SHOWN).collect();
    if begin != said.text {
        begin.push('…');
    }
    let to = said.to.map(|nick| format!("to {nick} alone: "));
    let mut lines = vec![to.unwrap_or_default() + &begin];
    let is_taken = said.is_taken || said.readers.iter().any(|(_, fate)| fate.is_some());
    if !is_taken {
        lines.push("  the relay does not have it yet".to_owned());
    } else if said.readers.is_empty() {
        lines.push("  nobody else could read it".to_owned());
    }
    for (what, fates) in FATES {
        let readers = said.readers.iter();
        let readers = readers.filter(|(_, fate)| fates.contains(fate));
        let mut nicks: Vec<Nick> = readers.map(|(nick, _)| (*nick).clone()).collect();
        sort(&mut nicks);
        if is_taken && !nicks.is_empty() {
            lines.push(format!("  {what} {}", list(&nicks)));
        }
    }
    lines
}

pub(super) fn audit(screen: &mut Screen, alarms: &[String]) {
    if alarms.is_empty() {
        screen.notice("nothing went wrong so far");
    } else {
        screen.answer(alarms.join("\n"));
    }
}

pub(super) fn set_timestamps(screen: &mut Screen, switch: &str) {
    let style = screen.style();
    let timestamps = match switch {
        "" => !style.timestamps,
        switch => switch.eq_ignore_ascii_case("on"),
    };
    screen.restyle(Style {
        timestamps,
        ..style
    });
    screen.notice(if timestamps {
        "the time of messages is shown"
    } else {
        "the time of messages is not shown"
    });
}

pub(super) fn set_theme(screen: &mut Screen, name: &str) {
    let style = screen.style();
    if let Ok(theme) = Theme::from_str(name, true) {
        screen.restyle(Style { theme, ..style });
    }
    let theme = screen.style().theme;
    screen.notice(format!("these are colours for a {theme} background"));
}

/// Does what a word says, and says what holds then.
pub(super) fn set_notify(screen: &mut Screen, word: &str) {
    if let Ok(word) = NotifyWord::from_str(word, true) {
        screen.set_notify(word);
    }
    let words = screen.notify_words();
    screen.notice(words);
}
