//! All that a client tells: typed (`report`, `speech`, `handed`), in words (`wording`, and `alarms` for what goes wrong), as
//! JSON (`json`), on the terminal (`screen`, with what was said in `former`) and into a file (`log_file`); and what is told once a minute
//! at most (`repeats`), or not at all of those whom the user ignores (`filter`) or among many (`quiet`); what the window
//! tells at a glance (`glance`), and how the user is called who looks elsewhere (`notify`). `options` say how it is shown.
//! `present`: who is here, in a few rows. `search`: what was said, found again.

pub(in crate::cmd) mod alarms;
pub(in crate::cmd::join) mod filter;
mod former;
mod glance;
pub(in crate::cmd::join) mod handed;
pub(in crate::cmd) mod json;
pub(in crate::cmd::join) mod log_file;
pub(in crate::cmd::join) mod notify;
pub(in crate::cmd::join) mod options;
pub(in crate::cmd::join) mod present;
pub(in crate::cmd::join) mod quiet;
mod repeats;
pub(in crate::cmd::join) mod report;
pub(in crate::cmd::join) mod screen;
pub(in crate::cmd::join) mod search;
pub(in crate::cmd::join) mod speech;
pub(in crate::cmd::join) mod wording;

use std::time::Duration;

use crate::cmd::zone;
use crate::room::Time;
use crate::room::names::Nick;
use crate::room::session::Person;

/// Nicks in a row, with commas between them.
pub(in crate::cmd::join) fn list(nicks: &[Nick]) -> String {
    let nicks: Vec<&str> = nicks.iter().map(Nick::as_str).collect();
    nicks.join(", ")
}

/// By what nicks are put in order.
fn rank(nick: &Nick) -> String {
    nick.as_str().to_ascii_lowercase()
}

/// Puts nicks in order.
pub(in crate::cmd::join) fn sort(nicks: &mut [Nick]) {
    nicks.sort_by_key(rank);
}

/// What these people are called, in order.
pub(in crate::cmd::join) fn nicks_of(people: &[Person]) -> Vec<Nick> {
    let mut nicks: Vec<Nick> = people.iter().map(|person| person.nick.clone()).collect();
    sort(&mut nicks);
    nicks
}

/// Nicks as a sentence has them: with `and` before the last.
fn names(nicks: &[Nick]) -> String {
    match nicks {
        [others @ .., last] if !others.is_empty() => format!("{} and {last}", list(others)),
        nicks => list(nicks),
    }
}

/// A time of day as the user's clock shows it: `14:02`.
pub(in crate::cmd::join) fn clock_time(time: Time) -> String {
    let time = i64::try_from(time)
        .ok()
        .map(jiff::Timestamp::from_millisecond);
    let time = time.and_then(Result::ok).unwrap_or(jiff::Timestamp::MAX);
    let zoned = time.to_zoned_datetime(zone::local());
    zoned.strftime("%H:%M").to_string()
}

/// A duration in its two largest units: `5 s`, `5 min`, `5 h 3 min`, `5 d 3 h`.
pub(in crate::cmd::join) fn duration(time: Duration) -> String {
    let seconds = time.as_secs();
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3600 => format!("{} min", seconds / 60),
        3600..86_400 => format!("{} h {} min", seconds / 3600, seconds / 60 % 60),
        _ => format!("{} d {} h", seconds / 86_400, seconds / 3600 % 24),
    }
}
