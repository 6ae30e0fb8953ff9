//! Somebody in the address book: where they were met, and what the user has said of them.

use crate::room::names::Nick;

use super::line::{Note, Way};

/// Which of the book's rooms.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PlaceId(pub(super) usize);

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
    pub(super) fn or_earlier(self, other: Self) -> Self {
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
pub(super) struct Said {
    pub(super) accepted: Option<Stamp>,
    pub(super) verified: Option<Stamp>,
    /// When, and what. An empty one is kept, as another line may have an older note.
    pub(super) note: Option<(i64, Option<Note>)>,
}

/// Somebody, by identity.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KnownPerson {
    /// Some may be there twice: to look for them each time would take too long where there are thousands.
    pub(super) sightings: Vec<Sighting>,
    pub(super) said: Option<Box<Said>>,
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

    pub(super) fn has_been_at(&self, place: PlaceId) -> bool {
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
