//! The address book: whom the user knows, by identity, wherever they met. Lines make it, and it makes lines again that
//! say the same in fewer.

use std::collections::{BTreeMap, HashMap};

use crate::cipher::fingerprint::Fingerprint;
use crate::cmd::settings::rooms::SavedRooms;
use crate::room::names::{Nick, RoomName};
use crate::room::session::Standing;

use super::line::{Decision, Line, Note, RecordKind, Way};
use super::place::{self, Called, Place};

/// How many bytes a line has, or a few more.
const LINE: usize = 128;

/// Which of the book's rooms.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PlaceId(usize);

/// That somebody was met under a nick in a room, and when first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::cmd) struct Sighting {
    pub(in crate::cmd) place: PlaceId,
    pub(in crate::cmd) nick: Nick,
    pub(in crate::cmd) since: i64,
}

/// That the user has accepted or verified somebody, for the first time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::cmd) struct Stamp {
    /// In seconds since 1970.
    pub(in crate::cmd) time: i64,
    pub(in crate::cmd) way: Way,
    /// Where, and under which nick, if a line tells.
    pub(in crate::cmd) place: Option<PlaceId>,
}

impl Stamp {
    /// The earlier one. What two lines say of one moment is put together.
    fn or_earlier(self, other: Self) -> Self {
        match self.time.cmp(&other.time) {
            std::cmp::Ordering::Less => self,
            std::cmp::Ordering::Greater => other,
            std::cmp::Ordering::Equal => Self {
                way: self.way.max(other.way),
                place: self.place.or(other.place),
                ..self
            },
        }
    }
}

/// What the user has said of somebody. Few are said anything of.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Said {
    accepted: Option<Stamp>,
    verified: Option<Stamp>,
    /// When, and what. An empty one is kept, as another line may have an older note.
    note: Option<(i64, Option<Note>)>,
}

/// Somebody, by identity.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KnownPerson {
    /// Some may be there twice: to look for them each time would take too long where there are thousands.
    sightings: Vec<Sighting>,
    said: Option<Box<Said>>,
}

impl KnownPerson {
    /// Where, under which nick and since when they were met, each once: the first one first. Nicks that look alike are
    /// one.
    pub(in crate::cmd) fn sightings(&self) -> Vec<Sighting> {
        let mut sightings = self.sightings.clone();
        sightings.sort_by_cached_key(|it| (it.place, it.nick.skeleton(), it.since));
        sightings.dedup_by(|later, first| {
            later.place == first.place && later.nick.skeleton() == first.nick.skeleton()
        });
        sightings.sort_by_key(|it| (it.since, it.place));
        sightings
    }

    pub(in crate::cmd) fn accepted(&self) -> Option<Stamp> {
        self.said.as_ref()?.accepted
    }

    /// When and how they were verified first, if they were.
    pub(in crate::cmd) fn verified(&self) -> Option<Stamp> {
        self.said.as_ref()?.verified
    }

    pub(in crate::cmd) fn note(&self) -> Option<&Note> {
        self.said.as_ref()?.note.as_ref()?.1.as_ref()
    }

    /// Whether the user has accepted or verified them, or noted something of them: then they are known everywhere.
    pub(in crate::cmd) fn is_vouched_for(&self) -> bool {
        self.accepted().is_some() || self.verified().is_some() || self.note().is_some()
    }

    /// The nick by which they were met last.
    pub(in crate::cmd) fn nick(&self) -> Option<&Nick> {
        let last = self.sightings.iter().max_by_key(|sighting| sighting.since);
        last.map(|sighting| &sighting.nick)
    }

    fn has_been_at(&self, place: PlaceId) -> bool {
        self.sightings.iter().any(|it| it.place == place)
    }

    /// Since when the user knows them, as somebody in this room sees it: where they were merely seen elsewhere, that does
    /// not count.
    pub(in crate::cmd) fn since(&self, here: PlaceId) -> Option<i64> {
        let counts = |it: &&Sighting| self.is_vouched_for() || it.place == here;
        self.sightings
            .iter()
            .filter(counts)
            .map(|it| it.since)
            .min()
    }
}

/// The identity that the user expects under a nick in a room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Expected {
    /// The fingerprint.
    pub fingerprint: Fingerprint,
    /// The time of the first line with it, in seconds since 1970.
    pub since: i64,
}

/// The address book.
#[derive(Clone, Debug, Default)]
pub struct AddressBook {
    people: HashMap<Fingerprint, KnownPerson>,
    places: Vec<Place>,
    /// The rooms of each relay, under each spelling of its address, by room id.
    index: HashMap<String, HashMap<String, PlaceId>>,
    /// By room and [`Nick::skeleton`], which is the same for nicks that look alike.
    expected: HashMap<PlaceId, HashMap<String, Expected>>,
    damaged: usize,
    /// How many lines say what earlier lines have said.
    old: usize,
    new: usize,
}

impl AddressBook {
    /// Learns from the bytes of a file. What cannot be read is counted, and given to `on_damaged`.
    pub fn read(&mut self, bytes: &[u8], mut on_damaged: impl FnMut(&[u8])) {
        let bytes = bytes.strip_suffix(b"\n").unwrap_or(bytes);
        if bytes.is_empty() {
            return;
        }
        self.people.reserve(bytes.len() / LINE);
        for line in bytes.split(|byte| *byte == b'\n') {
            let whole = line.strip_suffix(b"\r").unwrap_or(line);
            let text = std::str::from_utf8(whole).ok();
            match text.and_then(Line::parse) {
                Some((time, said)) => {
                    if self.learn_line(time, said) {
                        self.new += 1;
                    } else {
                        self.old += 1;
                    }
                }
                None => {
                    self.damaged += 1;
                    on_damaged(line);
                }
            }
        }
    }

    /// How many lines cannot be read.
    #[must_use]
    pub fn damaged(&self) -> usize {
        self.damaged
    }

    /// Whether most of what was read says nothing new.
    pub(super) fn is_mostly_old(&self) -> bool {
        self.old > self.new && self.old > 100
    }

    /// Learns what a line says. Returns whether that is new.
    fn learn_line(&mut self, time: i64, said: Line) -> bool {
        match said {
            Line::Met {
                kind,
                relay,
                room,
                nick,
                fingerprint,
            } => {
                let place = self.place(relay, room);
                self.learn(kind, place, &nick, fingerprint, time)
            }
            Line::Decided {
                kind,
                fingerprint,
                way,
                place,
            } => {
                let place = place.map(|(relay, room)| self.place(relay, room));
                self.decide(kind, fingerprint, Stamp { time, way, place })
            }
            Line::Noted(fingerprint, note) => self.note(fingerprint, note, time),
            Line::Room { relay, room, name } => {
                let place = self.place(relay, room);
                let called = name.map_or(Called::Private(None), Called::Named);
                let it = self
                    .places
                    .get_mut(place.0)
                    .filter(|it| it.called == Called::Unknown);
                it.map(|it| it.called = called).is_some()
            }
        }
    }

    /// The room of this id at this relay.
    pub fn place(&mut self, relay: &str, room: &str) -> PlaceId {
        let known = self.index.get(relay).and_then(|rooms| rooms.get(room));
        if let Some(place) = known {
            return *place;
        }
        let one_form = place::one_form(relay);
        let place = if one_form == relay {
            self.places.push(Place::new(relay, room));
            PlaceId(self.places.len() - 1)
        } else {
            self.place(&one_form, room)
        };
        let rooms = self.index.entry(relay.to_owned()).or_default();
        rooms.insert(room.to_owned(), place);
        place
    }

    /// The room of this name at this relay, `HOST:PORT`.
    #[must_use]
    pub fn enter(&mut self, relay: &str, room: &RoomName) -> PlaceId {
        self.place(relay, &place::encode(room.id()))
    }

    /// Learns what the room is called, if it is not known. Returns the line that says it.
    pub(in crate::cmd) fn name(&mut self, place: PlaceId, room: &RoomName, time: i64) -> String {
        let place = self.places.get_mut(place.0);
        let Some(place) = place.filter(|place| place.called == Called::Unknown) else {
            return String::new();
        };
        place.called = if room.is_invite() {
            Called::Private(None)
        } else {
            Called::Named(room.clone())
        };
        room_line(place, time)
    }

    /// Learns a record of somebody here. Returns its line.
    pub fn record(
        &mut self,
        kind: RecordKind,
        place: PlaceId,
        nick: &Nick,
        fingerprint: Fingerprint,
        time: i64,
    ) -> String {
        self.learn(kind, place, nick, fingerprint, time);
        let sighting = Sighting {
            place,
            nick: nick.clone(),
            since: time,
        };
        self.met(kind, &sighting, fingerprint).write(time)
    }

    /// Learns how somebody was verified. Returns its line.
    pub(in crate::cmd) fn record_way(&mut self, whom: Fingerprint, stamp: Stamp) -> String {
        self.decide(Decision::Verified, whom, stamp);
        self.decided(Decision::Verified, whom, stamp)
            .write(stamp.time)
    }

    /// Learns a note; `None` takes one away. Returns its line.
    pub fn record_note(&mut self, of: Fingerprint, note: Option<Note>, time: i64) -> String {
        self.note(of, note.clone(), time);
        Line::Noted(of, note).write(time)
    }

    /// Learns what the saved rooms are called.
    pub(in crate::cmd) fn name_saved(&mut self, rooms: &SavedRooms) {
        for (relay, room, called) in place::saved(rooms) {
            let known = self.index.get(&relay).and_then(|rooms| rooms.get(&room));
            let place = known.and_then(|place| self.places.get_mut(place.0));
            if let Some(place) = place.filter(|it| !matches!(it.called, Called::Named(_))) {
                place.called = called;
            }
        }
    }

    /// What the user calls a room. It is never an invite.
    pub(in crate::cmd) fn words(&self, place: PlaceId) -> String {
        self.places
            .get(place.0)
            .map(Place::words)
            .unwrap_or_default()
    }

    /// Learns from one record, of `since` in seconds since 1970. Returns whether that is new.
    fn learn(
        &mut self,
        kind: RecordKind,
        place: PlaceId,
        nick: &Nick,
        fingerprint: Fingerprint,
        since: i64,
    ) -> bool {
        let skeleton = nick.skeleton();
        let person = self.people.entry(fingerprint).or_default();
        let was_here = kind == RecordKind::Accepted && person.has_been_at(place);
        let expected = self.expected.entry(place).or_default();
        let before = expected.get(&skeleton).copied();
        let is_same = before.is_some_and(|before| before.fingerprint == fingerprint);
        // Two clients of the user can meet somebody at the same time, and then both write `seen`.
        let is_expected = !is_same && (kind != RecordKind::Seen || before.is_none());
        if is_expected {
            let expects = Expected { fingerprint, since };
            expected.insert(skeleton, expects);
        }
        let mut is_new = is_expected;
        if !before.is_some_and(|before| is_same && before.since <= since) {
            let nick = nick.clone();
            if person.sightings.is_empty() {
                // Nearly all are seen once.
                person.sightings.reserve_exact(1);
            }
            person.sightings.push(Sighting { place, nick, since });
            is_new = true;
        }
        let place = Some(place);
        let stamp = |way| Stamp {
            time: since,
            way,
            place,
        };
        is_new |= match kind {
            RecordKind::Seen => false,
            // Earlier versions wrote `accepted` also where somebody who was merely seen took another nick.
            RecordKind::Accepted if before.is_none() && was_here => false,
            RecordKind::Accepted => self.decide(Decision::Accepted, fingerprint, stamp(Way::Trust)),
            RecordKind::Verified => {
                self.decide(Decision::Verified, fingerprint, stamp(Way::Number))
            }
        };
        is_new
    }

    fn say<T: PartialEq>(
        &mut self,
        of: Fingerprint,
        part: impl FnOnce(&mut Said) -> &mut T,
        change: impl FnOnce(&T) -> T,
    ) -> bool {
        let person = self.people.entry(of).or_default();
        let part = part(person.said.get_or_insert_default());
        let after = change(part);
        let is_new = *part != after;
        *part = after;
        is_new
    }

    fn decide(&mut self, decision: Decision, of: Fingerprint, stamp: Stamp) -> bool {
        self.say(
            of,
            |said| match decision {
                Decision::Accepted => &mut said.accepted,
                Decision::Verified => &mut said.verified,
            },
            |before| Some(before.map_or(stamp, |before| before.or_earlier(stamp))),
        )
    }

    fn note(&mut self, of: Fingerprint, note: Option<Note>, time: i64) -> bool {
        self.say(
            of,
            |said| &mut said.note,
            |before| match before {
                Some((written, _)) if *written > time => before.clone(),
                _ => Some((time, note)),
            },
        )
    }

    /// Forgets somebody.
    pub(super) fn forget(&mut self, whom: Fingerprint) {
        self.people.remove(&whom);
        for expected in self.expected.values_mut() {
            expected.retain(|_, it| it.fingerprint != whom);
        }
    }

    /// The identity that the user expects under a nick, or under one that looks like it, in a room.
    #[must_use]
    pub fn expected(&self, place: PlaceId, nick: &Nick) -> Option<&Expected> {
        self.expected.get(&place)?.get(&nick.skeleton())
    }

    /// Somebody of this identity.
    #[must_use]
    pub fn get(&self, fingerprint: Fingerprint) -> Option<&KnownPerson> {
        self.people.get(&fingerprint)
    }

    /// How an identity under a nick in a room stands to what is known.
    #[must_use]
    pub fn standing(&self, place: PlaceId, nick: &Nick, fingerprint: Fingerprint) -> Standing {
        let expected = self.expected(place, nick);
        if expected.is_some_and(|expected| expected.fingerprint != fingerprint) {
            return Standing::Changed;
        }
        match self.get(fingerprint) {
            Some(person) if person.verified().is_some() => Standing::Verified,
            Some(person) if person.is_vouched_for() || person.has_been_at(place) => Standing::Known,
            _ => Standing::New,
        }
    }

    /// Whom else the user expects elsewhere under this nick, or one that looks like it, and where: first those for whom
    /// the user has vouched.
    pub(in crate::cmd) fn namesake(
        &self,
        here: PlaceId,
        nick: &Nick,
        fingerprint: Fingerprint,
    ) -> Option<(&KnownPerson, PlaceId)> {
        let skeleton = nick.skeleton();
        let elsewhere = self.expected.iter().filter(|(place, _)| **place != here);
        let others = elsewhere.filter_map(|(place, expected)| {
            let other = expected.get(&skeleton)?;
            let person = self.people.get(&other.fingerprint)?;
            (other.fingerprint != fingerprint).then_some((person, *place, other.since))
        });
        let other = others.max_by_key(|(person, place, since)| {
            let is_verified = person.verified().is_some();
            (is_verified, person.is_vouched_for(), *since, *place)
        });
        other.map(|(person, place, _)| (person, place))
    }

    /// Who has had this nick, or one that looks like it.
    pub(super) fn called(&self, nick: &Nick) -> Vec<Fingerprint> {
        let skeleton = nick.skeleton();
        let is_called = |(_, person): &(&Fingerprint, &KnownPerson)| {
            let mut nicks = person.sightings.iter().map(|it| it.nick.skeleton());
            nicks.any(|nick| nick == skeleton)
        };
        let called = self.people.iter().filter(is_called);
        let mut called: Vec<Fingerprint> = called.map(|(it, _)| *it).collect();
        called.sort_unstable();
        called
    }

    /// All, in the order of their nicks.
    pub(super) fn people(&self) -> Vec<(Fingerprint, &KnownPerson)> {
        let mut people: Vec<_> = self
            .people
            .iter()
            .map(|(it, person)| (*it, person))
            .collect();
        people.sort_by_cached_key(|(fingerprint, person)| {
            let nick = person.nick().map(|nick| nick.as_str().to_ascii_lowercase());
            (nick, *fingerprint)
        });
        people
    }

    /// The lines from which one learns this book, but for what is old and what is damaged.
    #[must_use]
    pub fn lines(&self) -> String {
        // Whom one expects comes first: a later `seen` changes nothing about that.
        let (mut expected, mut seen, mut said) = (Vec::new(), Vec::new(), Vec::new());
        let mut places: BTreeMap<PlaceId, i64> = BTreeMap::new();
        for (fingerprint, person) in &self.people {
            let fingerprint = *fingerprint;
            let mut written: Vec<(PlaceId, String)> = Vec::new();
            for sighting in person.sightings() {
                let first = places.entry(sighting.place).or_insert(sighting.since);
                *first = sighting.since.min(*first);
                let is_expected = self.expected(sighting.place, &sighting.nick);
                let is_expected = is_expected.filter(|it| it.fingerprint == fingerprint);
                let key = (sighting.place, sighting.nick.skeleton());
                let mut is_written = false;
                if let Some(it) = is_expected.filter(|_| !written.contains(&key)) {
                    written.push(key);
                    is_written = it.since == sighting.since;
                    let met = self.met(RecordKind::Seen, &sighting, fingerprint);
                    expected.push((it.since, met));
                }
                if !is_written {
                    let met = self.met(RecordKind::Seen, &sighting, fingerprint);
                    seen.push((sighting.since, met));
                }
            }
            said.extend(self.said_of(fingerprint, person));
            let stamps = [person.accepted(), person.verified()].into_iter().flatten();
            for stamp in stamps {
                let Some(place) = stamp.place else { continue };
                let first = places.entry(place).or_insert(stamp.time);
                *first = stamp.time.min(*first);
            }
        }
        let rooms = places.into_iter().filter_map(|(place, time)| {
            let place = self.places.get(place.0)?;
            Some(room_line(place, time))
        });
        let mut text: String = rooms.collect();
        for lines in [&mut expected, &mut seen, &mut said] {
            let mut lines: Vec<(i64, String)> = lines
                .iter()
                .map(|(time, line)| (*time, line.write(*time)))
                .collect();
            lines.sort_unstable();
            text.extend(lines.into_iter().map(|(_, line)| line));
        }
        text
    }

    /// The lines with which this book learns of somebody what another one knows, at `time`: where they were met, that they
    /// are accepted or verified, and what is noted of them. Whom one expects under a nick stays as it is.
    pub(super) fn lines_to_take_over(&self, other: &Self, whom: Fingerprint, time: i64) -> String {
        let Some(theirs) = other.get(whom) else {
            return String::new();
        };
        let nobody = KnownPerson::default();
        let ours = self.get(whom).unwrap_or(&nobody);
        let mut text = String::new();
        for sighting in theirs.sightings() {
            let Some(place) = other.places.get(sighting.place.0) else {
                continue;
            };
            let known = self
                .index
                .get(&place.relay)
                .and_then(|rooms| rooms.get(&place.room));
            let skeleton = sighting.nick.skeleton();
            let is_known =
                |it: &Sighting| Some(&it.place) == known && it.nick.skeleton() == skeleton;
            if ours.sightings.iter().any(is_known) {
                continue;
            }
            let called = known.and_then(|known| self.places.get(known.0));
            if called.is_none_or(|it| it.called == Called::Unknown) {
                text += &room_line(place, sighting.since);
            }
            let met = other.met(RecordKind::Seen, &sighting, whom);
            text += &met.write(sighting.since);
        }
        let imported = Stamp {
            time,
            way: Way::Import,
            place: None,
        };
        if theirs.accepted().is_some() && ours.accepted().is_none() {
            text += &other
                .decided(Decision::Accepted, whom, imported)
                .write(time);
        }
        if theirs.verified().is_some() && ours.verified().is_none() {
            text += &other
                .decided(Decision::Verified, whom, imported)
                .write(time);
        }
        let note = theirs.note().filter(|note| ours.note() != Some(note));
        text.extend(note.map(|note| Line::Noted(whom, Some(note.clone())).write(time)));
        text
    }

    fn met(&self, kind: RecordKind, sighting: &Sighting, fingerprint: Fingerprint) -> Line<'_> {
        let place = self.places.get(sighting.place.0);
        Line::Met {
            kind,
            relay: place.map_or("", |place| &place.relay),
            room: place.map_or("", |place| &place.room),
            nick: sighting.nick.clone(),
            fingerprint,
        }
    }

    fn decided(&self, kind: Decision, fingerprint: Fingerprint, stamp: Stamp) -> Line<'_> {
        let place = stamp.place.and_then(|place| self.places.get(place.0));
        Line::Decided {
            kind,
            fingerprint,
            way: stamp.way,
            place: place.map(|place| (place.relay.as_str(), place.room.as_str())),
        }
    }

    /// The lines of what the user has said of somebody.
    fn said_of(&self, of: Fingerprint, person: &KnownPerson) -> Vec<(i64, Line<'_>)> {
        let mut lines = Vec::new();
        let sightings = person.sightings();
        for (stamp, decision, usual) in [
            (person.accepted(), Decision::Accepted, Way::Trust),
            (person.verified(), Decision::Verified, Way::Number),
        ] {
            let Some(stamp) = stamp else { continue };
            // As earlier versions read it, if the identity is still the one that is expected there.
            let is_expected = |it: &&Sighting| {
                let expected = self.expected(it.place, &it.nick);
                let is_there = Some(it.place) == stamp.place && it.since <= stamp.time;
                is_there && expected.is_some_and(|it| it.fingerprint == of)
            };
            let there = sightings.iter().find(is_expected);
            lines.extend(there.map(|it| (stamp.time, self.met(decision.into(), it, of))));
            if there.is_none() || stamp.way != usual {
                lines.push((stamp.time, self.decided(decision, of, stamp)));
            }
        }
        let note = person.said.as_ref().and_then(|said| said.note.clone());
        lines.extend(note.map(|(time, note)| (time, Line::Noted(of, note))));
        lines
    }
}

/// The line that says how a room is called, if that is known and it is not the lobby, which is everywhere called so.
fn room_line(place: &Place, time: i64) -> String {
    let name = match &place.called {
        Called::Unknown => return String::new(),
        Called::Named(name) if *name == RoomName::lobby() => return String::new(),
        Called::Named(name) => Some(name.clone()),
        Called::Private(_) => None,
    };
    let (relay, room) = (&place.relay, &place.room);
    Line::Room { relay, room, name }.write(time)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: &str = "SHA256:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU";
    const TWO: &str = "SHA256:n4bQgYhMfWWaL+qgxVrQFaO/TxsrC4Is0V1sFbDwCgg";

    /// What a file with these lines says of all people.
    fn people(lines: &[String]) -> AddressBook {
        let mut book = AddressBook::default();
        book.read(lines.join("\n").as_bytes(), |_| {});
        book
    }

    fn line(since: i64, word: &str, nick: &str, fingerprint: &str) -> String {
        format!("{since} {word} relay room {nick} {fingerprint}")
    }

    /// Who is expected under a nick in the room `room` of the relay `relay`, since when, and whether they are verified.
    fn known(book: &AddressBook, nick: &str) -> Option<(String, i64, bool)> {
        let here = book.clone().place("relay", "room");
        let expected = book.expected(here, &nick.parse().unwrap())?;
        let person = book.get(expected.fingerprint)?;
        let is_verified = person.verified().is_some();
        Some((
            expected.fingerprint.to_string(),
            expected.since,
            is_verified,
        ))
    }

    fn standing(book: &AddressBook, room: &str, nick: &str, fingerprint: &str) -> Standing {
        let here = book.clone().place("relay", room);
        let (nick, fingerprint) = (nick.parse().unwrap(), fingerprint.parse().unwrap());
        let mut book = book.clone();
        book.place("relay", room);
        book.standing(here, &nick, fingerprint)
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
        assert_eq!(people.damaged(), 0);
    }

    #[test]
    fn one_relay_is_one_however_its_address_is_spelled() {
        for (typed, written) in [
            ("127.0.0.1:4000", "127.1:4000"),
            ("[::1]:4000", "[0::1]:4000"),
            ("[::1]:4000", "[0:0:0:0:0:0:0:1]:4000"),
            ("127.0.0.1:4000", "[::ffff:127.0.0.1]:4000"),
            ("chat.example.org:4000", "chat.example.org.:4000"),
            ("[fe80::1%eth0]:4000", "[FE80::1%eth0]:4000"),
        ] {
            let nick = "bob".parse().unwrap();
            let mut people = AddressBook::default();
            let here = people.enter(typed, &RoomName::lobby());
            let mut other = people.clone();
            let line = other.record(RecordKind::Seen, here, &nick, ONE.parse().unwrap(), 1);
            people.read(line.replace(typed, written).as_bytes(), |_| {});
            assert!(people.expected(here, &nick).is_some(), "{written}");
            assert_eq!(people.damaged(), 0, "{written}");
            // Whoever is there at another port is somebody else.
            let mut others = AddressBook::default();
            let there = others.enter(&typed.replace("4000", "5000"), &RoomName::lobby());
            others.read(line.as_bytes(), |_| {});
            assert!(others.expected(there, &nick).is_none(), "{written}");
        }
    }

    #[test]
    fn every_line_that_is_not_whole_is_counted_and_says_nothing() {
        let whole = line(1_794_787_200, "seen", "bob", ONE);
        for cut in 0..whole.len() {
            let people = people(&[whole[..cut].to_owned(), line(1, "seen", "carol", TWO)]);
            assert_eq!(known(&people, "bob"), None, "{}", &whole[..cut]);
            assert_eq!(people.damaged(), 1, "{}", &whole[..cut]);
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
            let people = people(&[damaged.clone(), line(1, "seen", "carol", TWO)]);
            assert_eq!(known(&people, "bob"), None, "{damaged}");
            assert_eq!(people.damaged(), 1, "{damaged}");
        }
    }

    #[test]
    fn what_is_said_of_an_identity_holds_everywhere_and_cut_off_it_says_nothing() {
        let seen = line(1, "seen", "bob", ONE);
        for (said, holds) in [
            (format!("2 verified {ONE} number"), Standing::Verified),
            (format!("2 verified {ONE} code"), Standing::Verified),
            (format!("2 verified {ONE} import"), Standing::Verified),
            (line(2, "verified", "bob", ONE), Standing::Verified),
            (format!("2 accepted {ONE} trust"), Standing::Known),
            (line(2, "accepted", "bob", ONE), Standing::Known),
            (format!("2 noted {ONE} \"from work\""), Standing::Known),
        ] {
            let book = people(&[seen.clone(), said.clone()]);
            assert_eq!(standing(&book, "attic", "robert", ONE), holds, "{said}");
            assert_eq!(standing(&book, "attic", "robert", TWO), Standing::New);
            assert_eq!(standing(&book, "room", "bob", TWO), Standing::Changed);
            for cut in 0..said.len() {
                let book = people(&[seen.clone(), said[..cut].to_owned()]);
                assert_eq!(
                    standing(&book, "attic", "bob", ONE),
                    Standing::New,
                    "{said}"
                );
                assert_eq!(standing(&book, "room", "bob", ONE), Standing::Known);
            }
        }
        let book = people(&[
            seen.clone(),
            format!("2 noted {ONE} \"from work\""),
            format!("3 noted {ONE} \"\""),
        ]);
        assert_eq!(standing(&book, "attic", "bob", ONE), Standing::New);
        // It is an older one, whatever wrote it down later.
        let book = people(&[
            format!("3 noted {ONE} \"from \x1b[31mhome\u{202e}\""),
            format!("2 noted {ONE} \"from work\""),
        ]);
        let note = book.get(ONE.parse().unwrap()).unwrap().note().unwrap();
        assert_eq!(note.to_string(), "from \u{fffd}[31mhome\u{fffd}");
    }

    /// Anybody can take a nick after another, so that is no way to be known elsewhere.
    #[test]
    fn whoever_is_merely_seen_is_known_in_that_room_alone_whatever_nick_they_take() {
        let lines = [
            line(1, "seen", "mallory", ONE),
            // So wrote earlier versions where somebody whom they had seen took another nick.
            line(2, "accepted", "trent", ONE),
        ];
        let book = people(&lines);
        assert_eq!(standing(&book, "room", "trent", ONE), Standing::Known);
        assert_eq!(standing(&book, "room", "walter", ONE), Standing::Known);
        assert_eq!(standing(&book, "attic", "mallory", ONE), Standing::New);
        // Accepted in the place of another, or as the first one, is accepted by the user.
        for before in [
            vec![line(1, "seen", "bob", TWO)],
            vec![],
            vec![line(1, "seen", "bob", ONE)],
        ] {
            let lines = [before, vec![line(2, "accepted", "bob", ONE)]].concat();
            let book = people(&lines);
            assert_eq!(standing(&book, "attic", "bob", ONE), Standing::Known);
        }
    }

    #[test]
    fn two_who_are_verified_under_one_nick_are_two_people() {
        let book = people(&[
            line(1, "verified", "bob", ONE),
            format!("2 verified relay attic bob {TWO}"),
        ]);
        for (room, fingerprint, holds) in [
            ("room", ONE, Standing::Verified),
            ("attic", TWO, Standing::Verified),
            ("cellar", ONE, Standing::Verified),
            ("cellar", TWO, Standing::Verified),
            // In one room a nick is one identity's, until the user accepts another.
            ("room", TWO, Standing::Changed),
            ("attic", ONE, Standing::Changed),
        ] {
            assert_eq!(standing(&book, room, "bob", fingerprint), holds, "{room}");
        }
        assert_eq!(book.people().len(), 2);
        assert_eq!(book.called(&"BOB".parse().unwrap()).len(), 2);
    }

    #[test]
    fn a_room_by_invite_is_never_called_by_its_name() {
        let invite = RoomName::invite();
        let mut book = AddressBook::default();
        let here = book.enter("relay:1", &invite);
        let line = book.name(here, &invite, 1);
        book.record(
            RecordKind::Seen,
            here,
            &"bob".parse().unwrap(),
            ONE.parse().unwrap(),
            1,
        );
        assert_eq!(book.words(here), "a private room at relay:1");
        let written = line + &book.lines();
        assert!(!written.contains("inv-"), "{written}");
        let read = people(&[written.trim_end().to_owned()]);
        assert_eq!((read.damaged(), read.lines()), (0, book.lines()));
        // A file that has one is damaged, and repeats nothing of it.
        let with_name = format!("1 room {invite} relay:1 room");
        let book = people(&[with_name]);
        assert_eq!((book.damaged(), book.lines()), (1, String::new()));
    }

    /// Whatever is in a file, in whatever order: written anew it says the same, and most of it is new.
    #[test]
    fn a_book_that_is_written_anew_says_the_same() {
        use rand::{RngExt as _, SeedableRng as _};
        for seed in 0..300 {
            let mut rng = rand::rngs::SmallRng::seed_from_u64(seed);
            let fingerprints: Vec<String> = (0..4_u8)
                .map(|n| Fingerprint::of(&[n]).to_string())
                .collect();
            let count = rng.random_range(1..60);
            let lines: Vec<String> = (0..count)
                .map(|_| {
                    let time = rng.random_range(0..40);
                    let it = &fingerprints[rng.random_range(0..4)];
                    let room = ["hall", "attic"][rng.random_range(0..2)];
                    let nick = ["bob", "B0b", "carol", "dave"][rng.random_range(0..4)];
                    let word = ["seen", "accepted", "verified"][rng.random_range(0..3)];
                    let way = ["number", "code", "import"][rng.random_range(0..3)];
                    let trust = ["trust", "import"][rng.random_range(0..2)];
                    match rng.random_range(0..9) {
                        8 => format!("{time} verified {it} relay:1 {room} {way}"),
                        0 => format!("{time} accepted {it} {trust}"),
                        1 => format!("{time} verified {it} {way}"),
                        2 => format!("{time} noted {it} \"{way}\""),
                        3 => format!("{time} noted {it} \"\""),
                        4 => format!("{time} room {room} relay:1 {room}"),
                        _ => format!("{time} {word} relay:1 {room} {nick} {it}"),
                    }
                })
                .collect();
            let first = people(&lines);
            assert_eq!(first.damaged(), 0, "{lines:#?}");
            let text = first.lines();
            let mut again = AddressBook::default();
            again.read(text.as_bytes(), |_| panic!("{text}"));
            assert_eq!(again.lines(), text, "{seed}");
            assert!(again.old <= again.new, "{text}");
            for room in ["hall", "attic", "cellar"] {
                for nick in ["bob", "carol", "dave", "eve"] {
                    for it in &fingerprints {
                        let of = |book: &AddressBook| {
                            let mut book = book.clone();
                            let here = book.place("relay:1", room);
                            let (nick, it) = (nick.parse().unwrap(), it.parse().unwrap());
                            let expected = book.expected(here, &nick).copied();
                            let mut rows = book.rows(it);
                            // Of one moment, nothing says what came first.
                            let count = rows.len();
                            for row in &mut rows {
                                *row = row.replace("first seen", "seen");
                            }
                            rows.sort();
                            let since = book.get(it).map(|person| person.since(here));
                            let person = (since, rows, count);
                            (book.standing(here, &nick, it), expected, person)
                        };
                        assert_eq!(of(&first), of(&again), "{seed}: {lines:#?}\n{text}");
                    }
                }
            }
        }
    }
}
