//! Under which name the room is saved, and how it is saved under another.

use crate::cmd::address::Address;
use crate::cmd::failure;
use crate::cmd::settings::name::SavedName;
use crate::cmd::settings::rooms::{SavedRoom, SavedRooms};
use crate::room::names::{Nick, PRIVATE_ROOM, RoomName};

use super::net::route::Detour;
use super::output::screen::Screen;

/// What is saved of the room in which the user is, and what would be.
pub(in crate::cmd) struct Saving {
    relay: Address,
    room: RoomName,
    /// What it is saved as.
    name: Option<SavedName>,
    /// The file of the identity, where it is not the usual one.
    identity: Option<String>,
    /// The detour on which the user goes there: at first that with which the room is saved.
    detour: Option<Detour>,
}

impl Saving {
    /// Finds what is saved of a room. `entered` is the name by which the user asked for it.
    ///
    /// # Errors
    /// Those of [`SavedRooms::read`]: without the rooms nobody knows whether this one needs a detour.
    pub(in crate::cmd) fn find(
        relay: Address,
        room: RoomName,
        entered: Option<SavedName>,
    ) -> anyhow::Result<Self> {
        let rooms = SavedRooms::read()?;
        let is_this = |(_, saved): &(&SavedName, &SavedRoom)| leads_to(saved, &relay, &room);
        let found: Vec<_> = rooms.iter().filter(is_this).collect();
        let name = entered.or_else(|| found.first().map(|(name, _)| (*name).clone()));
        let detour = found.iter().find_map(|(_, saved)| detour(saved));
        Ok(Self {
            relay,
            room,
            name,
            identity: None,
            detour: detour.transpose()?,
        })
    }

    /// Notes as whom the user goes there, and on what detour, if the options name one: else it stays the one with
    /// which the room is saved.
    pub(super) fn note_way(&mut self, identity: Option<String>, detour: Option<Detour>) {
        self.identity = identity;
        self.detour = detour.or_else(|| self.detour.take());
    }

    /// The detour on which the user goes there.
    pub(super) fn detour(&self) -> Option<&Detour> {
        self.detour.as_ref()
    }

    /// What the room is saved as.
    pub(super) fn name(&self) -> Option<&SavedName> {
        self.name.as_ref()
    }

    /// What the room is called where others may see it. The name of a room that is entered by an invite is a
    /// secret.
    pub(super) fn label(&self) -> String {
        match &self.name {
            _ if !self.room.is_invite() => self.room.to_string(),
            Some(name) => name.to_string(),
            None => PRIVATE_ROOM.to_owned(),
        }
    }

    /// Saves the room in which the user is as `nick`, and says so.
    pub(super) fn save(&mut self, name: &str, nick: &Nick, screen: &mut Screen) {
        let Self { relay, room, .. } = &*self;
        let invite = room.is_invite().then(|| format!("{relay}/{room}"));
        let is_named = invite.is_none();
        let (proxy, through) = match &self.detour {
            None => (None, None),
            Some(Detour::Proxy(proxy)) => (Some(proxy.url()), None),
            Some(Detour::Program(program)) => (None, Some(program.to_string())),
        };
        let saved = SavedRoom {
            proxy,
            through,
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
                screen.set_room(self.label());
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

/// The detour with which a room is saved, or why that is none.
fn detour(saved: &SavedRoom) -> Option<anyhow::Result<Detour>> {
    let proxy = saved.proxy.as_deref().map(|proxy| {
        let proxy = proxy.parse().map(Detour::Proxy);
        proxy.map_err(|error| ("proxy", error))
    });
    let program = saved.through.as_deref().map(|program| {
        let program = program.parse().map(Detour::Program);
        program.map_err(|error| ("through", error))
    });
    let detour = proxy.or(program)?;
    Some(detour.map_err(|(key, error)| {
        failure(
            format!("`{key}`, with which this room is saved, cannot be that: {error}"),
            "give another with --proxy or --through, or save the room anew",
        )
    }))
}
