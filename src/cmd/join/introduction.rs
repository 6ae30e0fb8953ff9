//! What is said first in a room: where this is, and who the user is. For a person that is a row each, as the few rows
//! before the first message are for what a newcomer needs. The fingerprints are what `/names` and `/whois` show.

use crate::cmd::settings::name::SavedName;
use crate::cmd::terminal::Entry;
use crate::room::card::Card;
use crate::room::names::PRIVATE_ROOM;

use super::destination::Destination;
use super::output::present;
use super::output::report::Report;
use super::output::screen::Screen;

/// How many rows of the usual terminal the notices before the first message take.
pub(super) const ROWS: usize = 5;

/// Says where this is, and who the user is. `name` is what the room is saved as.
pub(super) fn introduce(
    screen: &mut Screen,
    destination: Destination<'_>,
    name: Option<&SavedName>,
    is_new: bool,
    own: &Card,
) {
    let is_read = screen.has_keyboard();
    screen.show(&place(destination, name, is_read));
    let directions = is_new.then(|| destination.report_directions());
    let (above, below) = if screen.is_json() {
        (None, directions)
    } else {
        // Somebody copies the directions from below the room. A program reads first where it is, and who.
        (directions, None)
    };
    if let Some(directions) = above {
        screen.show(&directions);
    }
    let nick = own.nick();
    if !is_read {
        screen.show(&Report::you(own));
    } else if own.is_lasting() {
        screen.aside(format!("you are {nick}"));
    } else {
        screen.aside(format!(
            "you are {nick} for this run; /keygen saves this identity"
        ));
    }
    if let Some(directions) = below {
        screen.show(&directions);
    }
    if !is_read && !own.is_lasting() {
        screen.notice("this identity is for this run only; `e2echat keygen` saves one");
    }
}

/// How many rows of the usual terminal tell a person where this is, and who the user is.
pub(super) fn rows(destination: Destination<'_>, name: Option<&SavedName>) -> usize {
    let of_place = match place(destination, name, true).entry() {
        Some(Entry::Notice(text)) => present::rows(text.as_str()),
        _ => 1,
    };
    of_place + 1
}

/// Where this is.
fn place(destination: Destination<'_>, name: Option<&SavedName>, is_read: bool) -> Report {
    let Destination { relay, room, .. } = destination;
    if is_read && room.is_invite() {
        let name = name.map(|name| format!("room {name}"));
        let called = name.as_deref().unwrap_or(PRIVATE_ROOM);
        return Report::Aside(format!("{called} at {relay}, by an invite: keep it secret"));
    }
    Report::Room {
        relay: relay.to_owned(),
        room: room.to_string(),
        is_invite: room.is_invite(),
        name: name.map(ToString::to_string),
    }
}
