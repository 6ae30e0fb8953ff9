//! The file of known people, `known-people`: who had which identity under which nick, in which room of
//! which relay.
//!
//! Each line is a record. The client only ever appends to the file, under a lock, so clients that run at
//! the same time lose nothing of each other's. It reports a line that it cannot read, and leaves it.
//!
//! ```text
//! 1794787200 seen chat.example.org:4000 ooQ… bob SHA256:…
//! ```
//!
//! The fields are: seconds since 1970, the kind, relay, room id in base64url, nick, fingerprint.

use std::collections::HashMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::cipher::fingerprint::Fingerprint;
use crate::cmd::address::Address;
use crate::cmd::{failure, reason};
use crate::room::names::{Nick, RoomId};
use crate::room::session::{Person, Standing};

/// What a record says of somebody.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RecordKind {
    /// The user met them for the first time.
    Seen,
    /// The user accepted their identity, in place of another one or as a first one.
    Accepted,
    /// The user compared safety numbers with them.
    Verified,
}

impl RecordKind {
    const ALL: [Self; 3] = [Self::Seen, Self::Accepted, Self::Verified];

    fn word(self) -> &'static str {
        match self {
            Self::Seen => "seen",
            Self::Accepted => "accepted",
            Self::Verified => "verified",
        }
    }
}

/// What the records say of a nick.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KnownPerson {
    /// The fingerprint that the user knows under the nick.
    pub fingerprint: String,
    /// The time of the first record with it, in seconds since 1970.
    pub since: i64,
    /// Whether the user has compared safety numbers.
    pub is_verified: bool,
}

/// What the records say of the people in one room of one relay.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KnownPeople {
    /// The relay, in the one form of its address.
    relay: String,
    /// The room, as in a line of the file.
    room: String,
    /// The people by [`Nick::skeleton`], which is the same for nicks that look alike.
    known: HashMap<String, KnownPerson>,
    /// How many lines cannot be read.
    damaged: usize,
}

impl KnownPeople {
    /// Knows nobody in this room yet. `relay` is `HOST:PORT`.
    #[must_use]
    pub fn new(relay: &str, room: RoomId) -> Self {
        Self {
            relay: one_form(relay),
            room: URL_SAFE_NO_PAD.encode(room.0),
            known: HashMap::new(),
            damaged: 0,
        }
    }

    /// Learns from the text of a file, and counts the lines that cannot be read.
    pub fn read(&mut self, text: &str) {
        for line in text.lines() {
            match self.read_line(line) {
                Some(()) => {}
                None => self.damaged += 1,
            }
        }
    }

    /// Learns from a line. Returns `None` if it cannot be read.
    fn read_line(&mut self, line: &str) -> Option<()> {
        let fields: Vec<&str> = line.split(' ').collect();
        let [since, word, relay, room, nick, fingerprint] = fields[..] else {
            return None;
        };
        let since = since.parse().ok()?;
        let kind = RecordKind::ALL.into_iter().find(|it| it.word() == word)?;
        let nick: Nick = nick.parse().ok()?;
        // A fingerprint that was cut off would make its owner look like somebody else.
        let fingerprint: Fingerprint = fingerprint.parse().ok()?;
        // Earlier versions wrote the relay's address as it was typed.
        if room == self.room && (relay == self.relay || one_form(relay) == self.relay) {
            self.learn(kind, &nick, fingerprint, since);
        }
        Some(())
    }

    /// Learns from one record, of `since` in seconds since 1970.
    pub fn learn(&mut self, kind: RecordKind, nick: &Nick, fingerprint: Fingerprint, since: i64) {
        let fingerprint = fingerprint.to_string();
        let before = self.known.get(&nick.skeleton());
        let is_same = before.is_some_and(|known| known.fingerprint == fingerprint);
        // Two clients of the user can meet somebody at the same time, and then both write `seen`.
        if kind == RecordKind::Seen && before.is_some() {
            return;
        }
        let person = KnownPerson {
            since: before
                .filter(|_| is_same)
                .map_or(since, |known| known.since),
            is_verified: kind == RecordKind::Verified
                || before.is_some_and(|known| is_same && known.is_verified),
            fingerprint,
        };
        self.known.insert(nick.skeleton(), person);
    }

    /// The line, with its end, from which [`KnownPeople::read`] learns the same as [`KnownPeople::learn`].
    #[must_use]
    pub fn line(
        &self,
        kind: RecordKind,
        nick: &Nick,
        fingerprint: Fingerprint,
        since: i64,
    ) -> String {
        let (word, relay, room) = (kind.word(), &self.relay, &self.room);
        format!("{since} {word} {relay} {room} {nick} {fingerprint}\n")
    }

    /// How many lines cannot be read.
    #[must_use]
    pub fn damaged(&self) -> usize {
        self.damaged
    }

    /// What the records say of a nick, or of one that looks like it.
    #[must_use]
    pub fn get(&self, nick: &Nick) -> Option<&KnownPerson> {
        self.known.get(&nick.skeleton())
    }
}

/// The one form of a relay's address.
fn one_form(relay: &str) -> String {
    let address = relay.parse::<Address>();
    address.map_or_else(|_| relay.to_owned(), |address| address.to_string())
}

/// The file, and what it says of the people in one room of one relay.
pub(in crate::cmd::join) struct KnownPeopleFile {
    /// `None` on a system that has no folder for it.
    path: Option<PathBuf>,
    known: KnownPeople,
}

/// That the file does not take a record.
pub(in crate::cmd::join) struct Unwritten {
    /// The same in words.
    pub(in crate::cmd::join) words: String,
    /// Whether there is no room for it.
    pub(in crate::cmd::join) is_disk_full: bool,
}

fn is_disk_full(error: &io::Error) -> bool {
    use io::ErrorKind::{FileTooLarge, QuotaExceeded, StorageFull};
    matches!(error.kind(), StorageFull | QuotaExceeded | FileTooLarge)
}

impl KnownPeopleFile {
    /// Reads what the file says of this room. `relay` is `HOST:PORT`. A missing file says nothing.
    ///
    /// # Errors
    /// If the file is there and cannot be read, with what to do about it.
    pub(in crate::cmd::join) fn open(relay: &str, room: RoomId) -> anyhow::Result<Self> {
        let mut people = Self {
            path: dirs::data_dir().map(|folder| folder.join("e2echat").join("known-people")),
            known: KnownPeople::new(relay, room),
        };
        let Some(path) = &people.path else {
            return Ok(people);
        };
        let text = match check_is_regular(path).and_then(|()| {
            keep_others_out(path)?;
            fs::read(path)
        }) {
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

    /// The words that say how many lines of the file cannot be read; `None` if all can.
    pub(in crate::cmd::join) fn damage(&self) -> Option<String> {
        let path = self.path.as_ref().filter(|_| self.known.damaged > 0)?;
        Some(format!(
            "{} of the lines in {} cannot be read: somebody whom you know may look new. They are left as they are; if you have a copy of the file, restore it",
            self.known.damaged,
            path.display()
        ))
    }

    /// What the records say of a nick, or of one that looks like it.
    pub(in crate::cmd::join) fn get(&self, nick: &Nick) -> Option<&KnownPerson> {
        self.known.get(nick)
    }

    /// How an identity stands to what the records say of the nick.
    pub(in crate::cmd::join) fn standing(&self, nick: &Nick, fingerprint: Fingerprint) -> Standing {
        match self.get(nick) {
            None => Standing::New,
            Some(known) if known.fingerprint != fingerprint.to_string() => Standing::Changed,
            Some(known) if known.is_verified => Standing::Verified,
            Some(_) => Standing::Known,
        }
    }

    /// Learns from a new record of a person, at `now` in seconds since 1970, and appends it to the file.
    /// The file does not get an identity for one run: the next one under that nick would look like an
    /// impostor. Only what the user `has_decided` is on the disk then: others may come, and change their
    /// nicks, as often as they like, and nobody is to wait for the disk each time.
    ///
    /// # Errors
    /// If the file does not take the record. It is learnt all the same.
    pub(in crate::cmd::join) fn remember(
        &mut self,
        kind: RecordKind,
        person: &Person,
        has_decided: bool,
        now: i64,
    ) -> Result<(), Unwritten> {
        let (nick, fingerprint) = (&person.nick, person.fingerprint);
        self.known.learn(kind, nick, fingerprint, now);
        if !person.is_lasting {
            return Ok(());
        }
        let line = self.known.line(kind, nick, fingerprint, now);
        self.append(&line, has_decided).map_err(|error| {
            let path = self.path.as_deref().unwrap_or("the file".as_ref());
            Unwritten {
                words: format!(
                    "cannot write down in {} who {} is, so a change would not be noticed the next time: {}",
                    path.display(),
                    person.nick,
                    reason(&error)
                ),
                is_disk_full: is_disk_full(&error),
            }
        })
    }

    /// Appends a line, and if it `must_last`, waits until it is on the disk.
    fn append(&self, line: &str, must_last: bool) -> io::Result<()> {
        let Some(path) = &self.path else {
            return Err(io::ErrorKind::NotFound.into());
        };
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)?;
        }
        match check_is_regular(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let mut file = open_to_append(path)?;
        file.lock()?;
        // The last line may be cut off, by a full disk perhaps. It must not swallow this one.
        let mut last = [b'\n'];
        if file.metadata()?.len() > 0 {
            file.seek(SeekFrom::End(-1))?;
            file.read_exact(&mut last)?;
        }
        let repair = if last == *b"\n" { "" } else { "\n" };
        file.write_all(format!("{repair}{line}").as_bytes())?;
        if must_last { file.sync_data() } else { Ok(()) }
    }
}

/// Refuses all but regular files. To read a pipe or a device may wait or never end, and to write to one
/// may do anything.
fn check_is_regular(path: &Path) -> io::Result<()> {
    let kind = fs::metadata(path)?.file_type();
    if kind.is_file() {
        Ok(())
    } else if kind.is_dir() {
        Err(io::ErrorKind::IsADirectory.into())
    } else {
        Err(io::Error::other("it is not a file, but a pipe or a device"))
    }
}

/// Lets nobody else write to a file: whoever can decides whom the user knows.
#[cfg(unix)]
fn keep_others_out(path: &Path) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    let mode = fs::metadata(path)?.permissions().mode();
    if mode & 0o022 == 0 {
        return Ok(());
    }
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).map_err(|error| {
        io::Error::other(format!(
            "others can write to it, and to close it fails: {}",
            reason(&error)
        ))
    })
}

/// On other systems the rules of the folder keep others out.
#[cfg(not(unix))]
fn keep_others_out(_: &Path) -> io::Result<()> {
    Ok(())
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
    fn people(lines: &[String]) -> KnownPeopleFile {
        let mut people = KnownPeopleFile {
            path: Some("known-people".into()),
            known: KnownPeople {
                relay: "relay".to_owned(),
                room: "room".to_owned(),
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

    fn known(people: &KnownPeopleFile, nick: &str) -> Option<(String, i64, bool)> {
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
    fn one_relay_is_one_however_its_address_is_spelled() {
        let room = RoomId([7; 32]);
        for (typed, written) in [
            ("127.0.0.1:4000", "127.1:4000"),
            ("[::1]:4000", "[0::1]:4000"),
            ("[::1]:4000", "[0:0:0:0:0:0:0:1]:4000"),
            ("127.0.0.1:4000", "[::ffff:127.0.0.1]:4000"),
            ("chat.example.org:4000", "chat.example.org.:4000"),
            ("[fe80::1%eth0]:4000", "[FE80::1%eth0]:4000"),
        ] {
            let nick = "bob".parse().unwrap();
            let mut people = KnownPeople::new(typed, room);
            let line = people.line(RecordKind::Seen, &nick, ONE.parse().unwrap(), 1);
            people.read(&line.replace(typed, written));
            assert!(people.get(&nick).is_some(), "{written}");
            assert_eq!(people.damaged(), 0, "{written}");
            // Whoever is there at another port is somebody else.
            let mut others = KnownPeople::new(&typed.replace("4000", "5000"), room);
            others.read(&line);
            assert!(others.get(&nick).is_none(), "{written}");
        }
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
