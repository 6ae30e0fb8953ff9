//! The address book: whom the user knows, by identity, wherever they met. Lines make it, and it makes lines again that
//! say the same in fewer.

#[cfg(test)]
mod tests;
mod writing;

use std::collections::HashMap;

use crate::cipher::fingerprint::Fingerprint;
use crate::cmd::settings::rooms::SavedRooms;
use crate::room::names::{Nick, RoomName};
use crate::room::session::Standing;

use super::line::{Decision, Line, Note, RecordKind, Way};
use super::person::{KnownPerson, PlaceId, Said, Sighting, Stamp};
use super::place::{self, Called, Place};

/// How many bytes a line has, or a few more.
const LINE: usize = 128;

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
            let Some((time, said)) = text.and_then(Line::parse) else {
                self.damaged += 1;
                on_damaged(line);
                continue;
            };
            if self.learn_line(time, said) {
                self.new += 1;
            } else {
                self.old += 1;
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
        place.line(time)
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
}
