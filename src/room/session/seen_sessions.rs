//! Which sessions there were, so that none that is over comes twice.

use std::collections::{HashSet, VecDeque};

use crate::room::card::SessionId;

/// How many are remembered. Whoever wants one of them forgotten has to show so many others before.
const MAX: usize = 65_536;

/// The sessions that were seen, one's own included.
#[derive(Default)]
pub(super) struct SeenSessions {
    seen: HashSet<SessionId>,
    /// Oldest first.
    order: VecDeque<SessionId>,
}

impl SeenSessions {
    /// A session is seen.
    pub(super) fn insert(&mut self, sid: SessionId) {
        if !self.seen.insert(sid) {
            return;
        }
        self.order.push_back(sid);
        if self.order.len() > MAX
            && let Some(oldest) = self.order.pop_front()
        {
            self.seen.remove(&oldest);
        }
    }

    /// Whether a session was seen.
    pub(super) fn contains(&self, sid: SessionId) -> bool {
        self.seen.contains(&sid)
    }
}
