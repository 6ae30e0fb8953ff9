//! Saved rooms, `rooms.toml`: each is a name, and where it leads. The program writes the file, whole and
//! under a lock, so programs that run at the same time lose nothing of each other's. As it has invites,
//! nobody else may read it.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use toml::Spanned;

use super::file::line_of;
use super::keys;
use super::name::SavedName;
use crate::cmd::address::{Address, RoomOrInvite};
use crate::cmd::file::{self, is_open_to_others, write};
use crate::cmd::{failure, reason, shell};
use crate::room::names::RoomName;

/// The longest file that is read, in bytes: some thousands of rooms.
const MAX_FILE: u64 = 1024 * 1024;

/// What the file begins with.
const HEADER: &str = "# Saved rooms of e2echat, which writes this file: `e2echat rooms` lists them. An invite is a secret.\n\n";

/// Where a saved room leads, and as whom and on what way one goes there: what one would write behind the
/// options of these names.
// What the room cannot do without comes last in the file: where its end is missing, the room is none.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::cmd) struct SavedRoom {
    pub(in crate::cmd) proxy: Option<String>,
    pub(in crate::cmd) through: Option<String>,
    pub(in crate::cmd) identity: Option<String>,
    pub(in crate::cmd) nick: Option<String>,
    /// The room at the relay; `None` is the lobby.
    pub(in crate::cmd) room: Option<String>,
    pub(in crate::cmd) relay: Option<String>,
    /// Instead of relay and room.
    pub(in crate::cmd) invite: Option<String>,
}

impl SavedRoom {
    /// Where it leads, if that can be read.
    pub(in crate::cmd) fn place(&self) -> Option<(Address, RoomName)> {
        if let Some(invite) = &self.invite {
            return match invite.parse() {
                Ok(RoomOrInvite::Invite(relay, room)) => Some((relay, room)),
                _ => None,
            };
        }
        let room = self.room.as_deref().map(str::parse);
        let room = room.unwrap_or_else(|| Ok(RoomName::lobby()));
        Some((self.relay.as_deref()?.parse().ok()?, room.ok()?))
    }

    /// Says what is wrong with it.
    fn check(&self) -> Result<(), String> {
        if self.proxy.is_some() && self.through.is_some() {
            return Err("it has both proxy and through, which are two ways".to_owned());
        }
        match (&self.relay, &self.room, &self.invite) {
            (Some(_), _, None) => Ok(()),
            (None, None, Some(invite)) => {
                let room = invite
                    .rsplit_once('/')
                    .map(|(_, room)| room.parse::<RoomName>());
                match room {
                    Some(Ok(_)) => Ok(()),
                    Some(Err(error)) => Err(error.to_string()),
                    None => Err("its invite is none: it has the form HOST:PORT/inv-...".to_owned()),
                }
            }
            (_, _, Some(_)) => Err("it has an invite, and a relay or a room besides".to_owned()),
            (None, _, None) => Err("it has neither a relay nor an invite".to_owned()),
        }
    }
}

/// The saved rooms.
#[derive(Debug, Default)]
pub(in crate::cmd) struct SavedRooms {
    /// `None` on a system that has no folder for it.
    path: Option<PathBuf>,
    rooms: BTreeMap<SavedName, SavedRoom>,
}

impl SavedRooms {
    /// Reads the file. A missing one has no rooms.
    ///
    /// # Errors
    /// If it cannot be read or understood, or others can read it; with what to do about it.
    pub(in crate::cmd) fn read() -> anyhow::Result<Self> {
        let folder = dirs::data_dir().map(|folder| folder.join("e2echat"));
        let Some(path) = folder.map(|folder| folder.join("rooms.toml")) else {
            return Ok(Self::default());
        };
        let text = match read(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
            text => text.map_err(|error| {
                failure(
                    format!(
                        "cannot read {}, where your saved rooms are: {}",
                        path.display(),
                        reason(&error)
                    ),
                    "make it a file that you can read, or move it away",
                )
            })??,
        };
        let rooms = parse(&text).map_err(|(line, what)| {
            failure(
                format!("{}, line {line}: {what}", path.display()),
                "put that right, restore the file from a copy, or move it away",
            )
        })?;
        Ok(Self {
            path: Some(path),
            rooms,
        })
    }

    pub(in crate::cmd) fn is_empty(&self) -> bool {
        self.rooms.is_empty()
    }

    /// All of them, by name.
    pub(in crate::cmd) fn iter(&self) -> impl Iterator<Item = (&SavedName, &SavedRoom)> {
        self.rooms.iter()
    }

    /// The one of this name.
    pub(in crate::cmd) fn get(&self, name: &str) -> Option<(&SavedName, &SavedRoom)> {
        self.rooms.get_key_value(&name.parse().ok()?)
    }

    /// The one of this name, which the user has named.
    ///
    /// # Errors
    /// If there is none, with the one that is meant perhaps.
    pub(super) fn find(&self, name: &SavedName) -> anyhow::Result<(&SavedName, &SavedRoom)> {
        self.rooms.get_key_value(name).ok_or_else(|| {
            let names = self.rooms.keys().map(SavedName::as_str);
            let meant = keys::nearest(name.as_str(), names);
            let meant = meant.map_or(String::new(), |meant| format!("is {meant} meant? "));
            let hint = format!("{meant}`e2echat rooms` lists them");
            failure(format!("there is no saved room {name}"), &hint)
        })
    }

    /// The room that a word misses by one slip, if the word could be a room's name.
    pub(super) fn one_slip_from(&self, word: &str) -> Option<&SavedName> {
        let word: SavedName = word.parse().ok()?;
        let is_near = |name: &&SavedName| strsim::osa_distance(name.as_str(), word.as_str()) == 1;
        self.rooms.keys().find(is_near)
    }

    /// Saves a room under a name that no other room has. `is_same` says whether a room is this one. Returns
    /// whether it is saved: another room may have the name.
    ///
    /// # Errors
    /// In words, if the file cannot be written; then nothing has changed.
    pub(in crate::cmd) fn save(
        name: &SavedName,
        mut room: SavedRoom,
        is_same: impl Fn(&SavedRoom) -> bool,
    ) -> anyhow::Result<bool> {
        Self::change(|rooms| {
            if rooms.get(name).is_some_and(|there| !is_same(there)) {
                return false;
            }
            // Who hosts the room needs no detour now, and may the next time.
            if let Some(before) = rooms.get(name)
                && room.proxy.is_none()
                && room.through.is_none()
            {
                (room.proxy, room.through) = (before.proxy.clone(), before.through.clone());
            }
            rooms.insert(name.clone(), room);
            true
        })
    }

    /// Forgets a room.
    ///
    /// # Errors
    /// In words, if there is none of that name, or the file cannot be written; then nothing has changed.
    pub(in crate::cmd) fn forget(name: &SavedName) -> anyhow::Result<()> {
        Self::read()?.find(name)?;
        // Another program may have forgotten it meanwhile, which is as good.
        Self::change(|rooms| rooms.remove(name).is_some())?;
        Ok(())
    }

    /// Has `change` change the rooms as they are in the file now. It returns whether it has, and so does this.
    fn change(
        change: impl FnOnce(&mut BTreeMap<SavedName, SavedRoom>) -> bool,
    ) -> anyhow::Result<bool> {
        let path = Self::read()?.path.ok_or_else(|| {
            failure(
                "this system has no folder for saved rooms",
                "nothing was saved",
            )
        })?;
        let unwritable = |error: io::Error| {
            failure(
                format!("cannot write {}: {}", path.display(), reason(&error)),
                "nothing was changed; make room or get permission",
            )
        };
        // It is held to the end of this function.
        let _lock = lock(&path.with_extension("lock")).map_err(unwritable)?;
        if fs::symlink_metadata(&path).is_ok_and(|there| !there.is_file()) {
            let error = io::Error::other("it is not a file, and is not replaced by one");
            return Err(unwritable(error));
        }
        let mut rooms = Self::read()?.rooms;
        let has_changed = change(&mut rooms);
        if has_changed {
            let text = format!("{HEADER}{}", toml::to_string(&rooms)?);
            write(&path, text.as_bytes(), true).map_err(unwritable)?;
        }
        Ok(has_changed)
    }
}

/// Waits until no other program writes the rooms, and keeps others from it until the file is dropped.
/// The lock has a file of its own: the one with the rooms is replaced.
fn lock(path: &Path) -> io::Result<File> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    let mut options = OpenOptions::new();
    options.append(true).create(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let file = options.open(path)?;
    file.lock()?;
    Ok(file)
}

/// Reads the text of the file at `path`. The inner error is of a file that is not to be used.
fn read(path: &Path) -> io::Result<anyhow::Result<String>> {
    let read = file::read(path, MAX_FILE, |metadata| {
        is_open_to_others(metadata).then(|| {
            failure(
                format!("others can read your saved rooms in {}", path.display()),
                &format!("close it with: chmod 600 {}", shell::quoted(path)),
            )
        })
    })?;
    // What is no UTF-8 is no name and no address either, so it is found when it is read.
    Ok(read.map(|bytes| String::from_utf8_lossy(&bytes).into_owned()))
}

/// Reads the rooms; or says in which line something is wrong, and what, without repeating the line.
fn parse(text: &str) -> Result<BTreeMap<SavedName, SavedRoom>, (usize, String)> {
    // As names two keys may be one, of which the map would keep the last alone.
    let table: BTreeMap<Spanned<String>, SavedRoom> = toml::from_str(text)
        .map_err(|error| (line_of(text, error.span()), error.message().to_owned()))?;
    let mut table: Vec<_> = table.into_iter().collect();
    table.sort_by_key(|(name, _)| name.span().start);
    let mut rooms = BTreeMap::new();
    for (name, room) in table {
        let line = line_of(text, Some(name.span()));
        let name: SavedName = name
            .get_ref()
            .parse()
            .map_err(|error: &str| (line, error.to_owned()))?;
        room.check()
            .map_err(|wrong| (line, format!("the room {name} cannot be entered: {wrong}")))?;
        if rooms.insert(name.clone(), room).is_some() {
            return Err((line, format!("there are two rooms {name}")));
        }
    }
    Ok(rooms)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_is_cut_off_anywhere_leads_nowhere_else() {
        let rooms: BTreeMap<SavedName, SavedRoom> = [
            (
                "by-invite",
                None,
                None,
                Some("a:1/inv-hb3t-tdea-je2r-dd7x-zzt4-tk53"),
            ),
            ("by-name", Some("cellar"), Some("b:2"), None),
        ]
        .into_iter()
        .map(|(name, room, relay, invite)| {
            let text = |text: Option<&str>| text.map(str::to_owned);
            let room = SavedRoom {
                proxy: text(Some("socks5://proxy:9050")),
                through: None,
                identity: text(Some("/keys/work.pem")),
                nick: text(Some("ada")),
                room: text(room),
                relay: text(relay),
                invite: text(invite),
            };
            (name.parse().unwrap(), room)
        })
        .collect();
        let text = format!("{HEADER}{}", toml::to_string(&rooms).unwrap());
        assert_eq!(parse(&text), Ok(rooms.clone()));
        for cut in 0..text.len() {
            let Ok(read) = parse(&text[..cut]) else {
                continue;
            };
            for (name, room) in read {
                assert_eq!(Some(&room), rooms.get(&name), "{}", &text[..cut]);
            }
        }
    }

    #[test]
    fn what_is_no_room_is_refused_with_its_line_and_without_its_invite() {
        for (text, line, what) in [
            ("[work]\n", 1, "neither a relay nor an invite"),
            (
                "\n[work]\nroom = \"a\"\n",
                2,
                "neither a relay nor an invite",
            ),
            (
                "[work]\ninvite = \"a:1/inv-hb3t-tdea\"",
                1,
                "this invite is mistyped",
            ),
            ("[work]\ninvite = \"hb3t\"", 1, "its invite is none"),
            (
                "[work]\nrelay = \"a\"\ninvite = \"a:1/b\"",
                1,
                "a relay or a room besides",
            ),
            (
                "[work]\nrelay = \"a\"\n[localhost]\nrelay = \"b\"",
                3,
                "a host or an invite",
            ),
            (
                "[work]\nrelay = \"a\"\n[Work]\nrelay = \"b\"",
                3,
                "two rooms work",
            ),
            (
                "[work]\nrelay = \"a\"\nfuture = 1",
                3,
                "unknown field `future`",
            ),
            (
                "[work]\nrelay = \"a\"\nproxy = \"socks5://b\"\nthrough = \"c\"",
                1,
                "two ways",
            ),
            ("[work]\nrelay = 1", 2, "invalid type"),
            ("[work", 1, ""),
        ] {
            let (found, said) = parse(text).unwrap_err();
            assert_eq!(found, line, "{text:?}: {said}");
            assert!(said.contains(what), "{text:?}: {said}");
            assert!(!said.contains("hb3t"), "{said}");
        }
    }
}
