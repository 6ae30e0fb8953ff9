//! What the address book knows, as lines.

use std::collections::BTreeMap;

use crate::cipher::fingerprint::Fingerprint;
use crate::cmd::people::line::{Decision, Line, RecordKind, Way};
use crate::cmd::people::person::{KnownPerson, PlaceId, Sighting, Stamp};
use crate::cmd::people::place::Called;

use super::AddressBook;

impl AddressBook {
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
            Some(place.line(time))
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
    pub(in crate::cmd::people) fn lines_to_take_over(
        &self,
        other: &Self,
        whom: Fingerprint,
        time: i64,
    ) -> String {
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
                text += &place.line(sighting.since);
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

    pub(super) fn met(
        &self,
        kind: RecordKind,
        sighting: &Sighting,
        fingerprint: Fingerprint,
    ) -> Line<'_> {
        let place = self.places.get(sighting.place.0);
        Line::Met {
            kind,
            relay: place.map_or("", |place| &place.relay),
            room: place.map_or("", |place| &place.room),
            nick: sighting.nick.clone(),
            fingerprint,
        }
    }

    pub(super) fn decided(
        &self,
        kind: Decision,
        fingerprint: Fingerprint,
        stamp: Stamp,
    ) -> Line<'_> {
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
