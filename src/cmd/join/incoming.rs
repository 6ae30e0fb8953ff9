//! What of the authors of earlier messages was told, where somebody hands these on to the user.

use std::collections::{HashSet, VecDeque};

use crate::cipher::fingerprint::Fingerprint;

/// From how many members it is remembered at most: no more hand something on to the user at a time.
const MOST: usize = 16;

/// What one member hands on.
#[derive(Default)]
struct Told {
    /// The authors of whom something was said.
    authors: HashSet<Fingerprint>,
    /// How many messages were not shown, as the user ignores their authors.
    ignored: u32,
}

/// What is handed on to the user at present, by who hands it on: whoever began first stands first.
#[derive(Default)]
pub(super) struct Incoming(VecDeque<(Fingerprint, Told)>);

impl Incoming {
    /// A member begins.
    pub(super) fn begin(&mut self, by: Fingerprint) {
        self.end(by);
        if self.0.len() == MOST {
            self.0.pop_front();
        }
        self.0.push_back((by, Told::default()));
    }

    fn get_mut(&mut self, by: Fingerprint) -> Option<&mut Told> {
        let mut its = self.0.iter_mut().filter(|(who, _)| *who == by);
        its.next().map(|(_, told)| told)
    }

    /// A message of this author comes. Returns whether it is the first one.
    pub(super) fn note_author(&mut self, by: Fingerprint, author: Fingerprint) -> bool {
        let told = self.get_mut(by);
        told.is_none_or(|told| told.authors.insert(author))
    }

    /// A message is not shown, as the user ignores its author.
    pub(super) fn note_ignored(&mut self, by: Fingerprint) {
        if let Some(told) = self.get_mut(by) {
            told.ignored += 1;
        }
    }

    /// All has come. Returns how many messages were not shown, as the user ignores their authors.
    pub(super) fn end(&mut self, by: Fingerprint) -> u32 {
        let place = self.0.iter().position(|(who, _)| *who == by);
        let ended = place.and_then(|place| self.0.remove(place));
        ended.map_or(0, |(_, told)| told.ignored)
    }
}
