//! The people one has met, remembered in a file: who had which identity under which nick, in
//! which room of which relay.
//!
//! One line for each thing to remember, only ever appended, under a lock, so that clients that
//! run at the same time lose nothing of each other's. A line that cannot be read is reported and
//! left where it is.
//!
//! ```text
//! 1794787200 seen chat.example.org:4000 ooQ… bob SHA256:…
//! ```

use std::collections::HashMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::cipher::fingerprint::Fingerprint;
use crate::cmd::{failure, reason};
use crate::room::names::{Nick, RoomId};
use crate::room::session::{Person, Standing};

/// What is remembered of somebody.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Meeting {
    /// They were there for the first time.
    Seen,
    /// The user accepted this identity, in the place of another one or as a first one.
    Accepted,
    /// The user has compared safety numbers with them.
    Verified,
}

impl Meeting {
    const ALL: [Self; 3] = [Self::Seen, Self::Accepted, Self::Verified];

    fn word(self) -> &'static str {
        match self {
            Self::Seen => "seen",
            Self::Accepted => "accepted",
            Self::Verified => "verified",
        }
    }
}

/// What is known of a nick.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Acquaintance {
    /// The fingerprint that is accepted for it.
    pub fingerprint: String,
    /// Since when, in seconds since 1970.
    pub since: i64,
    /// Whether the user has compared safety numbers.
    pub is_verified: bool,
}

/// What the lines of the file say of the people in one room of one relay.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Acquaintances {
    /// The relay and the room, as they stand in a line.
    place: String,
    /// By what is the same for nicks that look alike.
    known: HashMap<String, Acquaintance>,
    damaged: usize,
}

impl Acquaintances {
    /// Nobody in this room.
    #[must_use]
    pub fn none(relay: &str, room: RoomId) -> Self {
        Self {
            place: format!("{relay} {}", URL_SAFE_NO_PAD.encode(room.0)),
            known: HashMap::new(),
            damaged: 0,
        }
    }

    /// Learns what is in the text of a file.
    pub fn read(&mut self, text: &str) {
        for line in text.lines() {
            match self.read_line(line) {
                Some(()) => {}
                None => self.damaged += 1,
            }
        }
    }

    /// `None` where the line is damaged.
    fn read_line(&mut self, line: &str) -> Option<()> {
        let fields: Vec<&str> = line.split(' ').collect();
        let [since, word, relay, room, nick, fingerprint] = fields[..] else {
            return None;
        };
        let since = since.parse().ok()?;
        let meeting = Meeting::ALL.into_iter().find(|it| it.word() == word)?;
        let nick: Nick = nick.parse().ok()?;
        // One that was cut off would make its owner look like somebody else.
        let fingerprint: Fingerprint = fingerprint.parse().ok()?;
        if format!("{relay} {room}") == self.place {
            self.learn(meeting, &nick, fingerprint, since);
        }
        Some(())
    }

    /// Learns one thing, of `since` in seconds since 1970.
    pub fn learn(&mut self, meeting: Meeting, nick: &Nick, fingerprint: Fingerprint, since: i64) {
        let fingerprint = fingerprint.to_string();
        let before = self.known.get(&nick.skeleton());
        let is_same = before.is_some_and(|known| known.fingerprint == fingerprint);
        // Two clients that meet somebody at the same time both write that it is the first time.
        if meeting == Meeting::Seen && before.is_some() {
            return;
        }
        let acquaintance = Acquaintance {
            since: before
                .filter(|_| is_same)
                .map_or(since, |known| known.since),
            is_verified: meeting == Meeting::Verified
                || before.is_some_and(|known| is_same && known.is_verified),
            fingerprint,
        };
        self.known.insert(nick.skeleton(), acquaintance);
    }

    /// The line that says what [`Acquaintances::learn`] learns.
    #[must_use]
    pub fn line(
        &self,
        meeting: Meeting,
        nick: &Nick,
        fingerprint: Fingerprint,
        since: i64,
    ) -> String {
        let (word, place) = (meeting.word(), &self.place);
        format!("{since} {word} {place} {nick} {fingerprint}\n")
    }

    /// How many lines could not be read.
    #[must_use]
    pub fn damaged(&self) -> usize {
        self.damaged
    }

    /// What is known of a nick.
    #[must_use]
    pub fn get(&self, nick: &Nick) -> Option<&Acquaintance> {
        self.known.get(&nick.skeleton())
    }
}

/// The people met in one room of one relay.
pub(in crate::cmd::join) struct People {
    /// `None` where there is no place to remember them.
    path: Option<PathBuf>,
    known: Acquaintances,
}

impl People {
    /// Reads what is remembered of this room.
    pub(in crate::cmd::join) fn open(relay: &str, room: RoomId) -> anyhow::Result<Self> {
        let mut people = Self {
            path: dirs::data_dir().map(|folder| folder.join("e2echat").join("known-people")),
            known: Acquaintances::none(relay, room),
        };
        let Some(path) = &people.path else {
            return Ok(people);
        };
        let text = match regular(path).and_then(|()| fs::read(path)) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(people),
            Err(error) => {
                return Err(failure(
                    format!(
                        "cannot read {}, where the people you know are: {}",
                        path.display(),
                        reason(&error)
                    ),
                    "make it a file that you can read, or move it away: without it a changed identity is not noticed",
                ));
            }
        };
        people.known.read(&String::from_utf8_lossy(&text));
        Ok(people)
    }

    /// How many lines cannot be read, and in which file.
    pub(in crate::cmd::join) fn damage(&self) -> Option<String> {
        let path = self.path.as_ref().filter(|_| self.known.damaged > 0)?;
        Some(format!(
            "{} of the lines in {} cannot be read: somebody whom you know may look new. They are left as they are; if you have a copy of the file, restore it",
            self.known.damaged,
            path.display()
        ))
    }

    /// What is known of a nick.
    pub(in crate::cmd::join) fn get(&self, nick: &Nick) -> Option<&Acquaintance> {
        self.known.get(nick)
    }

    /// What is known of somebody's identity.
    pub(in crate::cmd::join) fn standing(&self, person: &Person) -> Standing {
        match self.get(&person.nick) {
            None => Standing::New,
            Some(known) if known.fingerprint != person.fingerprint.to_string() => Standing::Changed,
            Some(known) if known.is_verified => Standing::Verified,
            Some(_) => Standing::Known,
        }
    }

    /// Remembers something of somebody. An identity that ends with its run is not written down:
    /// the next one under that nick would look like an impostor.
    pub(in crate::cmd::join) fn remember(
        &mut self,
        meeting: Meeting,
        person: &Person,
        now: i64,
    ) -> anyhow::Result<()> {
        let (nick, fingerprint) = (&person.nick, person.fingerprint);
        self.known.learn(meeting, nick, fingerprint, now);
        if !person.is_lasting {
            return Ok(());
        }
        let line = self.known.line(meeting, nick, fingerprint, now);
        self.append(&line).map_err(|error| {
            let path = self.path.as_deref().unwrap_or("the file".as_ref());
            anyhow::anyhow!(
                "cannot write down in {} who {} is, so a change would not be noticed the next time: {}",
                path.display(),
                person.nick,
                reason(&error)
            )
        })
    }

    fn append(&self, line: &str) -> io::Result<()> {
        let Some(path) = &self.path else {
            return Err(io::ErrorKind::NotFound.into());
        };
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)?;
        }
        match regular(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let mut file = open_to_append(path)?;
        file.lock()?;
        // A line that was cut off, by a full disk perhaps, must not swallow this one.
        let mut last = [b'\n'];
        if file.metadata()?.len() > 0 {
            file.seek(SeekFrom::End(-1))?;
            file.read_exact(&mut last)?;
        }
        let repair = if last == *b"\n" { "" } else { "\n" };
        file.write_all(format!("{repair}{line}").as_bytes())?;
        file.sync_data()
    }
}

/// Refuses what would wait for somebody to write to it, never end, or do something at being written
/// to: pipes and devices.
fn regular(path: &Path) -> io::Result<()> {
    let kind = fs::metadata(path)?.file_type();
    if kind.is_file() {
        Ok(())
    } else if kind.is_dir() {
        Err(io::ErrorKind::IsADirectory.into())
    } else {
        Err(io::Error::other("it is not a file, but a pipe or a device"))
    }
}

#[cfg(unix)]
fn open_to_append(path: &Path) -> io::Result<File> {
    use std::os::unix::fs::OpenOptionsExt as _;
    OpenOptions::new()
        .read(true)
        .append(true)
        .create(true)
        .mode(0o600)
        .open(path)
}

#[cfg(not(unix))]
fn open_to_append(path: &Path) -> io::Result<File> {
    OpenOptions::new()
        .read(true)
        .append(true)
        .create(true)
        .open(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: &str = "SHA256:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU";
    const TWO: &str = "SHA256:n4bQgYhMfWWaL+qgxVrQFaO/TxsrC4Is0V1sFbDwCgg";

    /// What a file with these lines says of the room `room` of the relay `relay`.
    fn people(lines: &[String]) -> People {
        let mut people = People {
            path: Some("known-people".into()),
            known: Acquaintances {
                place: "relay room".to_owned(),
                known: HashMap::new(),
                damaged: 0,
            },
        };
        people.known.read(&lines.join("\n"));
        people
    }

    fn line(since: i64, word: &str, nick: &str, fingerprint: &str) -> String {
        format!("{since} {word} relay room {nick} {fingerprint}")
    }

    fn known(people: &People, nick: &str) -> Option<(String, i64, bool)> {
        let known = people.get(&nick.parse().unwrap())?;
        Some((known.fingerprint.clone(), known.since, known.is_verified))
    }

    #[test]
    fn the_first_one_seen_under_a_nick_stays_until_another_is_accepted() {
        let lines = [line(1, "seen", "bob", ONE), line(2, "seen", "bob", TWO)];
        assert_eq!(known(&people(&lines), "bob"), Some((ONE.into(), 1, false)));
        let mut lines = lines.to_vec();
        lines.push(line(3, "accepted", "bob", TWO));
        assert_eq!(known(&people(&lines), "bob"), Some((TWO.into(), 3, false)));
        assert_eq!(known(&people(&lines), "carol"), None);
    }

    #[test]
    fn who_is_verified_stays_so_for_as_long_as_the_identity_is_the_same() {
        let mut lines = vec![line(1, "seen", "bob", ONE), line(2, "verified", "bob", ONE)];
        assert_eq!(known(&people(&lines), "bob"), Some((ONE.into(), 1, true)));
        lines.push(line(3, "accepted", "bob", ONE));
        assert_eq!(known(&people(&lines), "bob"), Some((ONE.into(), 1, true)));
        lines.push(line(4, "accepted", "bob", TWO));
        assert_eq!(known(&people(&lines), "bob"), Some((TWO.into(), 4, false)));
        lines.push(line(5, "verified", "bob", ONE));
        assert_eq!(known(&people(&lines), "bob"), Some((ONE.into(), 5, true)));
    }

    #[test]
    fn nicks_that_look_alike_are_one() {
        let people = people(&[line(1, "seen", "Lola", ONE)]);
        for nick in ["lola", "1o1a", "LOLA", "i0ia"] {
            assert_eq!(known(&people, nick), Some((ONE.into(), 1, false)), "{nick}");
        }
    }

    #[test]
    fn other_rooms_and_relays_are_not_this_one() {
        let other_room = format!("1 seen relay attic bob {ONE}");
        let other_relay = format!("1 seen elsewhere room bob {ONE}");
        let people = people(&[other_room, other_relay]);
        assert_eq!(known(&people, "bob"), None);
        assert_eq!(people.damage(), None);
    }

    #[test]
    fn every_line_that_is_not_whole_is_counted_and_says_nothing() {
        let whole = line(1_794_787_200, "seen", "bob", ONE);
        for cut in 0..whole.len() {
            let people = people(&[whole[..cut].to_owned(), line(1, "seen", "carol", TWO)]);
            assert_eq!(known(&people, "bob"), None, "{}", &whole[..cut]);
            assert!(people.damage().is_some(), "{}", &whole[..cut]);
            assert!(known(&people, "carol").is_some());
        }
        for damaged in [
            whole.replace("seen", "scene"),
            whole.replace("1794787200", "yesterday"),
            whole.replace("bob", "<bob>"),
            whole.replace("SHA256", "MD5"),
            whole.replace(' ', "  "),
            format!("{whole}{whole}"),
            format!("{whole} "),
            "\u{fffd}".to_owned(),
        ] {
            let people = people(std::slice::from_ref(&damaged));
            assert_eq!(known(&people, "bob"), None, "{damaged}");
            let told = people.damage().unwrap();
            assert!(
                told.starts_with("1 of the lines in known-people "),
                "{told}"
            );
        }
    }
}
