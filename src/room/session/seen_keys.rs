//! Whose session keys there were, so that neither a key nor a session that is over comes twice.

use std::collections::{HashMap, VecDeque};

use crate::cipher::encoding::Digest;
use crate::room::card::{Card, SessionId};
use crate::room::roster::modulus_digest;

/// How many are remembered. Whoever wants one of them forgotten has to show so many others before.
const MAX: usize = 65_536;

/// The session keys that were seen, one's own included.
#[derive(Default)]
pub(super) struct SeenKeys {
    owners: HashMap<Digest, SessionId>,
    /// Oldest first.
    order: VecDeque<Digest>,
}

impl SeenKeys {
    /// The session key of a card is seen.
    pub(super) fn insert(&mut self, card: &Card) {
        let modulus = modulus_digest(card);
        if self.owners.insert(modulus, card.sid()).is_some() {
            return;
        }
        self.order.push_back(modulus);
        if self.order.len() > MAX
            && let Some(oldest) = self.order.pop_front()
        {
            self.owners.remove(&oldest);
        }
    }

    /// Under which session id the session key of a card was seen.
    pub(super) fn owner(&self, card: &Card) -> Option<SessionId> {
        self.owners.get(&modulus_digest(card)).copied()
    }
}
