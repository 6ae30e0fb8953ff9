//! To whom `/reply` goes.

use crate::cipher::fingerprint::Fingerprint;

/// Whoever said something to the user alone last.
#[derive(Default)]
pub(super) struct ReplyTo {
    /// Their identity, and the change of the roster with which they became the last.
    last: Option<(Fingerprint, u64)>,
}

impl ReplyTo {
    /// Takes note that whoever has this identity said something to the user alone, at this change of
    /// the roster.
    pub(super) fn note(&mut self, from: Fingerprint, change: u64) {
        if self.last.is_none_or(|(last, _)| last != from) {
            self.last = Some((from, change));
        }
    }

    /// Whose identity that is, and since which change of the roster.
    pub(super) fn last(&self) -> Option<(Fingerprint, u64)> {
        self.last
    }
}
