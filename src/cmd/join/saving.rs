//! Under which name the room is saved, and how it is saved under another.

use crate::cmd::address::Address;
use crate::cmd::settings::name::SavedName;
use crate::cmd::settings::rooms::{SavedRoom, SavedRooms};
use crate::room::names::{Nick, RoomName};

use super::output::screen::Screen;

/// What is saved of the room in which the user is, and what would be.
pub(in crate::cmd) struct Saving {
    relay: Address,
    room: RoomName,
    /// What it is saved as.
    name: Option<SavedName>,
    /// The proxy with which it is saved.
    pub(super) saved_proxy: Option<String>,
    /// The file of the identity, where it is not the usual one.
    identity: Option<String>,
    /// The proxy through which the user is there.
    proxy: Option<String>,
}

impl Saving {
    /// Finds what is saved of a room. `entered` is the name by which the user asked for it.
    ///
    /// # Errors
    /// Those of [`SavedRooms::read`]: without the rooms nobody knows whether this one needs a proxy.
    pub(in crate::cmd) fn find(
        relay: Address,
        room: RoomName,
        entered: Option<SavedName>,
    ) -> anyhow::Result<Self> {
        let rooms = SavedRooms::read()?;
        let is_this = |(_, saved): &(&SavedName, &SavedRoom)| leads_to(saved, &relay, &room);
        let found: Vec<_> = rooms.iter().filter(is_this).collect();
        let name = entered.or_else(|| found.first().map(|(name, _)| (*name).clone()));
        let saved_proxy = found.iter().find_map(|(_, saved)| saved.proxy.clone());
        Ok(Self {
            relay,
            room,
            name,
            saved_proxy,
            identity: None,
            proxy: None,
        })
    }

    /// Notes as whom the user goes there, and how, as one would write it behind the options.
    pub(super) fn note_way(&mut self, identity: Option<String>, proxy: Option<String>) {
        self.identity = identity;
        self.proxy = proxy;
    }

    /// What the room is saved as.
    pub(super) fn name(&self) -> Option<&SavedName> {
        self.name.as_ref()
    }

    /// Saves the room in which the user is as `nick`, and says so.
    pub(super) fn save(&mut self, name: &str, nick: &Nick, screen: &mut Screen) {
        let Self { relay, room, .. } = &*self;
        let invite = room.is_invite().then(|| format!("{relay}/{room}"));
        let is_named = invite.is_none();
        let saved = SavedRoom {
            proxy: self.proxy.clone(),
            identity: self.identity.clone(),
            nick: Some(nick.to_string()),
            room: is_named.then(|| room.to_string()),
            relay: is_named.then(|| relay.to_string()),
            invite,
        };
        let name = match name.parse::<SavedName>() {
            Ok(name) => name,
            Err(error) => return screen.refuse(None, format!("not saved: {error}")),
        };
        match SavedRooms::save(&name, saved, |there| leads_to(there, relay, room)) {
            Ok(true) => {
                screen.notice(format!(
                    "this room is saved as {name}: `e2echat join {name}` enters it"
                ));
                self.name = Some(name);
            }
            Ok(false) => screen.refuse(
                None,
                format!(
                    "not saved: {name} is another room already; choose another name, or take that room out with: e2echat rooms forget {name}"
                ),
            ),
            Err(error) => {
                let error = error.to_string().replace("\n  ", "; ");
                screen.fail(None, format!("not saved: {error}"));
            }
        }
    }
}

/// Whether a saved room is this room of this relay.
fn leads_to(saved: &SavedRoom, relay: &Address, room: &RoomName) -> bool {
    matches!(saved.place(), Some((to, name)) if to == *relay && name == *room)
}
