//! What is known of the people in one room of one relay, by the address book and the file that it is read from.

use std::io;

use crate::cipher::fingerprint::Fingerprint;
use crate::cmd::people::book::{AddressBook, Expected};
use crate::cmd::people::line::{Note, RecordKind, Way};
use crate::cmd::people::person::{PlaceId, Stamp};
use crate::cmd::people::store::PeopleFile;
use crate::cmd::people::words::day;
use crate::cmd::reason;
use crate::cmd::settings::rooms::SavedRooms;
use crate::room::names::{Nick, RoomName};
use crate::room::session::{Person, Standing};

/// The address book, as one room sees it.
pub(in crate::cmd::join) struct KnownPeople {
    file: PeopleFile,
    book: AddressBook,
    here: PlaceId,
    /// A line that is to go before the first one about somebody here.
    unwritten: String,
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

impl KnownPeople {
    /// Reads what the file says, at `now` in seconds since 1970. `relay` is `HOST:PORT`. A missing file says nothing.
    ///
    /// # Errors
    /// If the file is there and cannot be read, or the saved rooms cannot, with what to do about it.
    pub(in crate::cmd::join) fn open(
        relay: &str,
        room: &RoomName,
        now: i64,
    ) -> anyhow::Result<Self> {
        let file = PeopleFile::find();
        let mut book = file.read()?;
        let here = book.enter(relay, room);
        let unwritten = book.name(here, room, now);
        book.name_saved(&SavedRooms::read()?);
        Ok(Self {
            file,
            book,
            here,
            unwritten,
        })
    }

    /// The words that say that others could write to the file until now; `None` if not.
    pub(in crate::cmd::join) fn opening(&self) -> Option<String> {
        self.file.opening()
    }

    /// The words that say how many lines of the file cannot be read; `None` if all can.
    pub(in crate::cmd::join) fn damage(&self) -> Option<String> {
        self.file.damage(&self.book)
    }

    /// The identity that the user expects here under a nick, or under one that looks like it.
    pub(in crate::cmd::join) fn expected(&self, nick: &Nick) -> Option<&Expected> {
        self.book.expected(self.here, nick)
    }

    /// How an identity under a nick stands to what is known.
    pub(in crate::cmd::join) fn standing(&self, nick: &Nick, fingerprint: Fingerprint) -> Standing {
        self.book.standing(self.here, nick, fingerprint)
    }

    /// The day since which the user knows somebody.
    pub(super) fn since(&self, fingerprint: Fingerprint) -> Option<String> {
        let person = self.book.get(fingerprint)?;
        person.since(self.here).map(day)
    }

    /// Where somebody was seen, if that was elsewhere.
    pub(super) fn seen_elsewhere(&self, fingerprint: Fingerprint) -> Option<String> {
        self.book.seen_elsewhere(fingerprint, self.here)
    }

    /// All that is known of somebody, in rows; none of somebody of whom nothing is known but that they are here.
    pub(super) fn rows(&self, person: &Person) -> Vec<String> {
        let is_news = person.standing == Standing::New;
        if is_news && self.seen_elsewhere(person.fingerprint).is_none() {
            return Vec::new();
        }
        self.book.rows(person.fingerprint)
    }

    /// The words for another identity that the user knows from elsewhere under this nick, where they should know of it:
    /// each time where they know that one better, and otherwise where this one comes for the first time.
    pub(super) fn namesake(&self, person: &Person, is_first: bool) -> Option<String> {
        let nick = &person.nick;
        let (other, there) = self.book.namesake(self.here, nick, person.fingerprint)?;
        let is_verified = person.standing == Standing::Verified;
        if !is_first && (is_verified || !other.is_vouched_for()) {
            return None;
        }
        let place = self.book.words(there);
        Some(match other.verified() {
            Some(_) if is_verified => format!(
                "two people are called {nick}, and you have verified both: this one, and one whom you met in {place}"
            ),
            Some(_) => format!(
                "this {nick} is not the one whom you met in {place} and have verified: the identity is another one; /verify {nick} makes sure who this is"
            ),
            None => format!(
                "this {nick} is not the one whom you met in {place}: the identity is another one; /verify {nick} makes sure who this is"
            ),
        })
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
        way: Option<Way>,
        person: &Person,
        now: i64,
    ) -> Result<(), Unwritten> {
        let (nick, fingerprint) = (&person.nick, person.fingerprint);
        let mut lines = self.book.record(kind, self.here, nick, fingerprint, now);
        if let Some(way) = way {
            let place = Some(self.here);
            let time = now;
            lines += &self
                .book
                .record_way(fingerprint, Stamp { time, way, place });
        }
        let has_decided = kind != RecordKind::Seen;
        self.append(person, &lines, has_decided, |path, nick| {
            format!("cannot write down in {path} who {nick} is, so a change would not be noticed the next time")
        })
    }

    /// Learns a note of somebody, or that there is none, and appends it to the file.
    ///
    /// # Errors
    /// If the file does not take it. It is learnt all the same.
    pub(super) fn note(
        &mut self,
        person: &Person,
        note: Option<Note>,
        now: i64,
    ) -> Result<(), Unwritten> {
        let line = self.book.record_note(person.fingerprint, note, now);
        self.append(person, &line, true, |path, nick| {
            format!("cannot write down in {path} what you have noted of {nick}")
        })
    }

    fn append(
        &mut self,
        person: &Person,
        lines: &str,
        must_last: bool,
        failure: impl FnOnce(&str, &Nick) -> String,
    ) -> Result<(), Unwritten> {
        if !person.is_lasting {
            return Ok(());
        }
        let lines = format!("{}{lines}", self.unwritten);
        let written = self.file.append(&lines, must_last);
        written.map(|()| self.unwritten.clear()).map_err(|error| {
            let path = self.file.path().unwrap_or("the file".as_ref());
            let words = failure(&path.display().to_string(), &person.nick);
            Unwritten {
                words: format!("{words}: {}", reason(&error)),
                is_disk_full: is_disk_full(&error),
            }
        })
    }
}
