//! Rooms in which people were met. A room is known by its id, from which nobody gets its name.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::cmd::address::Address;
use crate::cmd::settings::name::SavedName;
use crate::cmd::settings::rooms::SavedRooms;
use crate::room::names::{PRIVATE_ROOM, RoomId, RoomName};
use crate::room::text::SafeText;

use super::line::Line;

/// How a room is called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Called {
    /// Nobody has written it down.
    Unknown,
    /// By an invite, which is its secret; by the name under which it is saved, if it is.
    Private(Option<SavedName>),
    Named(RoomName),
}

/// A room of a relay.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Place {
    /// In the one form of its address.
    pub(super) relay: String,
    /// As in a line of the file.
    pub(super) room: String,
    pub(super) called: Called,
}

impl Place {
    pub(super) fn new(relay: &str, room: &str) -> Self {
        let is_lobby = room == encode(RoomName::lobby().id());
        Self {
            relay: relay.to_owned(),
            room: room.to_owned(),
            called: if is_lobby {
                Called::Named(RoomName::lobby())
            } else {
                Called::Unknown
            },
        }
    }

    /// The line that says how it is called, if that is known and it is not the lobby, which is everywhere called so.
    pub(super) fn line(&self, time: i64) -> String {
        let name = match &self.called {
            Called::Unknown => return String::new(),
            Called::Named(name) if *name == RoomName::lobby() => return String::new(),
            Called::Named(name) => Some(name.clone()),
            Called::Private(_) => None,
        };
        let (relay, room) = (&self.relay, &self.room);
        Line::Room { relay, room, name }.write(time)
    }

    /// What the user calls it. It is never an invite.
    pub(super) fn words(&self) -> String {
        let relay = SafeText::new(&self.relay);
        match &self.called {
            Called::Unknown => format!("a room at {relay}"),
            Called::Private(None) => format!("a {PRIVATE_ROOM} at {relay}"),
            Called::Private(Some(name)) => format!("{name} at {relay}"),
            Called::Named(name) => format!("{name} at {relay}"),
        }
    }
}

/// The saved rooms: relay and room of each, as in a line of the file, and how it is called.
pub(super) fn saved(rooms: &SavedRooms) -> impl Iterator<Item = (String, String, Called)> {
    rooms.iter().filter_map(|(name, saved)| {
        let (relay, room) = saved.place()?;
        let called = if room.is_invite() {
            Called::Private(Some(name.clone()))
        } else {
            Called::Named(room.clone())
        };
        Some((relay.to_string(), encode(room.id()), called))
    })
}

/// A room id, as in a line of the file.
pub(super) fn encode(room: RoomId) -> String {
    URL_SAFE_NO_PAD.encode(room.0)
}

/// The one form of a relay's address. Earlier versions wrote it as it was typed.
pub(super) fn one_form(relay: &str) -> String {
    let address = relay.parse::<Address>();
    address.map_or_else(|_| relay.to_owned(), |address| address.to_string())
}
