//! The former session ids of a room: whose they were. A card may name any session id as its previous one,
//! and this tells whether that is another's (PROTOCOL §8).

use std::collections::{HashMap, VecDeque};

use crate::cipher::fingerprint::Fingerprint;
use crate::room::card::SessionId;

/// How many are known: each takes some 100 bytes, and costs somebody a joining or a new key.
const KNOWN_IDS: usize = 4096;

/// The identities that had session ids which nobody has any more.
#[derive(Debug, Default)]
pub(super) struct FormerOwners {
    owners: HashMap<SessionId, Fingerprint>,
    /// The session ids, those first that are to be forgotten first.
    order: VecDeque<SessionId>,
}

impl FormerOwners {
    /// A member of this identity has had this session id.
    pub(super) fn add(&mut self, sid: SessionId, owner: Fingerprint) {
        if self.owners.insert(sid, owner).is_none() {
            self.order.push_back(sid);
        }
        if self.order.len() > KNOWN_IDS
            && let Some(oldest) = self.order.pop_front()
        {
            self.owners.remove(&oldest);
        }
    }

    /// Whether somebody of another identity than this one has had the session id, as far as is known.
    pub(super) fn is_of_another(&self, sid: SessionId, identity: Fingerprint) -> bool {
        let owner = self.owners.get(&sid);
        owner.is_some_and(|owner| *owner != identity)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_is_forgotten_first() {
        let [one, other] = [b"one", b"two"].map(|spki| Fingerprint::of(spki));
        let sid = |number: usize| {
            let mut sid = [0; 32];
            sid[..8].copy_from_slice(&number.to_be_bytes());
            SessionId(sid)
        };
        let mut former = FormerOwners::default();
        for number in 0..KNOWN_IDS {
            former.add(sid(number), one);
        }
        former.add(sid(0), one);
        assert!(former.is_of_another(sid(0), other) && !former.is_of_another(sid(0), one));
        former.add(sid(KNOWN_IDS), one);
        let is_known = [0, 1, KNOWN_IDS].map(|number| former.is_of_another(sid(number), other));
        assert_eq!(is_known, [false, true, true]);
        assert_eq!(
            (former.owners.len(), former.order.len()),
            (KNOWN_IDS, KNOWN_IDS)
        );
    }
}
