//! What stands on the user's screen, in the order of the chain: so that it can be said of a message
//! that its author had not seen what stands above it.

use std::collections::VecDeque;

use crate::room::card::SessionId;

/// How many messages that is known of.
const MOST: usize = 64;

/// The latest messages on the screen: their positions in the chain, and who wrote them, by their first
/// session ids.
#[derive(Default)]
pub(super) struct Shown(VecDeque<(u64, SessionId)>);

impl Shown {
    /// A stay begins: what stands above is of another one.
    pub(super) fn clear(&mut self) {
        self.0.clear();
    }

    /// A message is shown.
    pub(super) fn push(&mut self, position: u64, author: SessionId) {
        if self.0.len() == MOST {
            self.0.pop_front();
        }
        self.0.push_back((position, author));
    }

    /// How many of the others' messages somebody had not seen who has come to this position.
    pub(super) fn unseen(&self, seen: u64, author: SessionId) -> usize {
        let latest = self.0.iter().rev();
        let unseen = latest.take_while(|(position, _)| *position > seen);
        unseen.filter(|(_, by)| *by != author).count()
    }
}
