//! What of the authors of earlier messages was told, where somebody hands these on to the user.

use std::collections::{HashMap, HashSet};

use crate::cipher::fingerprint::Fingerprint;

/// From how many members it is remembered at most.
const MOST: usize = 1024;

/// What one member hands on.
#[derive(Default)]
struct Told {
    /// The authors of whom something was said.
    authors: HashSet<Fingerprint>,
    /// How many messages were not shown, as the user ignores their authors.
    ignored: u32,
}

/// What is handed on to the user at present, by who hands it on.
#[derive(Default)]
pub(super) struct Incoming(HashMap<Fingerprint, Told>);

impl Incoming {
    /// A member begins.
    pub(super) fn begin(&mut self, by: Fingerprint) {
        if self.0.len() >= MOST {
            self.0.clear();
        }
        self.0.insert(by, Told::default());
    }

    /// A message of this author comes. Returns whether it is the first one.
    pub(super) fn note_author(&mut self, by: Fingerprint, author: Fingerprint) -> bool {
        self.0.entry(by).or_default().authors.insert(author)
    }

    /// A message is not shown, as the user ignores its author.
    pub(super) fn note_ignored(&mut self, by: Fingerprint) {
        self.0.entry(by).or_default().ignored += 1;
    }

    /// All has come. Returns how many messages were not shown, as the user ignores their authors.
    pub(super) fn end(&mut self, by: Fingerprint) -> u32 {
        self.0.remove(&by).map_or(0, |told| told.ignored)
    }
}
