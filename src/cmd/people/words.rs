//! What is known of somebody, in words.

use crate::cipher::fingerprint::Fingerprint;
use crate::cmd::zone;

use super::book::AddressBook;
use super::line::Way;
use super::person::{KnownPerson, PlaceId, Stamp};

/// Of how many places and nicks a list tells at most.
const MOST: usize = 8;

/// A day, as it is where the user is.
pub(in crate::cmd) fn day(seconds: i64) -> String {
    let time = jiff::Timestamp::from_second(seconds);
    time.map_or_else(
        |_| "some day".to_owned(),
        |time| time.to_zoned_datetime(zone::local()).date().to_string(),
    )
}

impl Way {
    fn words(self) -> &'static str {
        match self {
            Self::Trust => "you compared the end of the fingerprint",
            Self::Number => "you compared the number",
            Self::Code => "you compared the code of the room",
            Self::Import => "as an export said",
        }
    }
}

impl AddressBook {
    /// All that is known of somebody, in rows.
    pub(in crate::cmd) fn rows(&self, fingerprint: Fingerprint) -> Vec<String> {
        let Some(person) = self.get(fingerprint) else {
            return Vec::new();
        };
        let mut rows = Vec::new();
        let stamped = |word: &str, stamp: Stamp| {
            let place = stamp
                .place
                .map(|place| format!(" in {}", self.words(place)));
            let (day, way) = (day(stamp.time), stamp.way.words());
            format!("{word} on {day}{}: {way}", place.unwrap_or_default())
        };
        rows.extend(person.verified().map(|stamp| stamped("verified", stamp)));
        let accepted = person.accepted().filter(|_| person.verified().is_none());
        rows.extend(accepted.map(|stamp| stamped("accepted", stamp)));
        let sightings = person.sightings();
        for (index, sighting) in sightings.iter().take(MOST).enumerate() {
            let seen = if index == 0 { "first seen" } else { "seen" };
            let (place, day) = (self.words(sighting.place), day(sighting.since));
            rows.push(format!("{seen} in {place} as {} on {day}", sighting.nick));
        }
        let more = sightings.len().saturating_sub(MOST);
        rows.extend((more > 0).then(|| format!("and {more} times elsewhere, or by another nick")));
        rows.extend(person.note().map(|note| format!("note: {note}")));
        rows
    }

    /// Where somebody was met who is not known here, if that was elsewhere.
    pub(in crate::cmd) fn seen_elsewhere(&self, who: Fingerprint, here: PlaceId) -> Option<String> {
        let sightings = self.get(who)?.sightings();
        let last = sightings.iter().rfind(|it| it.place != here)?;
        Some(format!(
            "seen in {} as {}",
            self.words(last.place),
            last.nick
        ))
    }
}

impl KnownPerson {
    /// What the user has to say for them, in a word.
    pub(super) fn state(&self) -> &'static str {
        if self.verified().is_some() {
            "verified"
        } else if self.is_vouched_for() {
            "known"
        } else {
            "seen"
        }
    }
}
