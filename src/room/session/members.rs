//! Who is in the room, and who may come back (PROTOCOL §4, §8, §11).

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use crate::cipher::encoding::Digest;
use crate::cipher::fingerprint::Fingerprint;
use crate::room::card::{Card, SessionId};
use crate::room::chain::{entry_digest, roster_digest, signed_entry};
use crate::room::frame::Signed;
use crate::room::message::verify;
use crate::room::names::{Nick, RoomKey};
use crate::room::roster::Roster;

use super::event::Disbelief;
use super::outbox::HELD;
use super::peer::Peer;
use super::signatures::Signature;

/// How many of those who are away are remembered.
const MAX_ABSENT: usize = 4096;

/// Somebody who was in the room and may come back.
struct Absent {
    peer: Peer,
    since: Duration,
    /// Whether they were there when this member entered anew: nobody has said that they went.
    is_missing: bool,
}

/// The other members, as this one sees them.
pub(super) struct Members {
    /// In it, nobody else can take this member's own nick or session key.
    pub(super) roster: Roster<Peer>,
    /// Those who left without a goodbye, by their first session ids.
    absent: HashMap<SessionId, Absent>,
    /// The session ids of cards that the relay lists and this member has refused, with those before
    /// them, under which they may have signed something too.
    refused: HashMap<SessionId, Option<SessionId>>,
    /// How many changes of the roster, and messages to it alone, this member was shown, in whatever
    /// run of the relay.
    pub(super) changes: u64,
}

impl Members {
    /// Nobody but the member with this card.
    pub(super) fn around(own: &Card) -> Self {
        Self {
            roster: roster_around(own),
            absent: HashMap::new(),
            refused: HashMap::new(),
            changes: 0,
        }
    }

    /// This member enters anew, under this card: who is there is to be told.
    pub(super) fn clear(&mut self, own: &Card, now: Duration) {
        let sids: Vec<SessionId> = self.roster.iter().map(|(sid, _)| sid).collect();
        for sid in sids {
            self.set_aside(sid, now, true);
        }
        self.refused.clear();
        self.roster = roster_around(own);
    }

    /// The digest of the roster, this member with this session id included.
    pub(super) fn digest(&self, own: SessionId) -> Digest {
        let mut sids: Vec<SessionId> = self.roster.iter().map(|(sid, _)| sid).collect();
        let place = sids.partition_point(|sid| *sid < own);
        sids.insert(place, own);
        roster_digest(&sids)
    }

    /// All who are in the room or may come back, by their first session ids.
    pub(super) fn origins(&self) -> HashSet<SessionId> {
        let mut origins = self.present_origins();
        origins.extend(self.absent.keys().copied());
        origins
    }

    /// All who are in the room or may come back, by their first session ids, and what they are called.
    pub(super) fn known(&self) -> Vec<(SessionId, Nick)> {
        let present = self.roster.iter().map(|(_, peer)| peer);
        let absent = self.absent.values().map(|absent| &absent.peer);
        let known = present.chain(absent);
        let named = known.map(|peer| (peer.card.origin(), peer.nick().clone()));
        named.collect()
    }

    /// Whose session id this is, of all who are in the room or may come back.
    pub(super) fn identity(&self, sid: SessionId) -> Option<Fingerprint> {
        let absent = || self.absent.values().map(|absent| &absent.peer);
        let peer = self.roster.get(sid);
        let peer = peer.or_else(|| absent().find(|peer| peer.card.sid() == sid));
        peer.map(|peer| peer.card.fingerprint())
    }

    /// All who are in the room, by their first session ids.
    pub(super) fn present_origins(&self) -> HashSet<SessionId> {
        self.roster
            .iter()
            .map(|(_, peer)| peer.card.origin())
            .collect()
    }

    /// Those who were there when this member entered anew, and whom nobody has said to have gone: they are
    /// expected back, for a while. Whoever has come as somebody else is not.
    pub(super) fn expected(&self, now: Duration) -> Vec<&Peer> {
        let missing = self
            .absent
            .values()
            .filter(|absent| absent.is_missing && now.saturating_sub(absent.since) < HELD);
        let is_back = |peer: &Peer| {
            let mut roster = self.roster.iter();
            roster.any(|(_, other)| other.card.identity() == peer.card.identity())
        };
        let missing = missing.map(|absent| &absent.peer);
        missing.filter(|peer| !is_back(peer)).collect()
    }

    /// The member that had this session id at first, if it is away and may come back.
    pub(super) fn absent(&self, origin: SessionId) -> Option<&Peer> {
        self.absent.get(&origin).map(|absent| &absent.peer)
    }

    /// Since when the member that had this session id at first is away, if it is and may come back.
    pub(super) fn absent_since(&self, origin: SessionId) -> Option<Duration> {
        self.absent.get(&origin).map(|absent| absent.since)
    }

    /// Under which session ids at first those are away who have come with this card instead: the relay lets
    /// one identity have a nick once.
    pub(super) fn replaced_by(&self, card: &Card) -> Vec<SessionId> {
        let is_same = |before: &Card| {
            let is_other = before.origin() != card.origin();
            is_other && before.nick() == card.nick() && before.identity() == card.identity()
        };
        let cards = self.absent.values().map(|absent| &absent.peer.card);
        let replaced = cards.filter(|before| is_same(before));
        replaced.map(Card::origin).collect()
    }

    /// Under which session id a member is in the roster that has this one, or by its card had it before,
    /// and that signed this, if that is worth a look. Anybody's card can say that it had somebody else's:
    /// so what is wrong counts for what comes under the session id before alone.
    pub(super) fn author(
        &mut self,
        sid: SessionId,
        signed: &Signed<'_>,
        now: Duration,
    ) -> Option<SessionId> {
        if self.roster.get(sid).is_some() {
            return Some(sid);
        }
        let Signed { bytes, signature } = *signed;
        let digest = entry_digest(&signed_entry(bytes, signature));
        let candidates = self.roster.iter_mut();
        let mut candidates = candidates.filter(|(_, peer)| peer.card.has_previous(sid));
        candidates.find_map(|(present, peer)| {
            let is_right = || verify(bytes, signature, peer.card.identity()).is_ok();
            let looked = peer.wrong_before.look(digest, now, is_right);
            (looked == Signature::Right).then_some(present)
        })
    }

    /// The member that has this session id, or had it until it changed its session key before the eyes of this
    /// one: anybody's card can say that it had somebody else's.
    pub(super) fn known_as(&self, sid: SessionId) -> Option<&Peer> {
        let mut peers = self.roster.iter().map(|(_, peer)| peer);
        let former = || peers.find(|peer| peer.has_rekeyed && peer.card.has_previous(sid));
        self.roster.get(sid).or_else(former)
    }

    /// Under which session id the member is in the roster that had this one at first.
    pub(super) fn present(&self, origin: SessionId) -> Option<SessionId> {
        let mut roster = self.roster.iter();
        let found = roster.find(|(_, peer)| peer.card.origin() == origin);
        found.map(|(sid, _)| sid)
    }

    /// Takes a member out of the roster for good.
    pub(super) fn remove(&mut self, sid: SessionId) -> Option<Peer> {
        self.refused.remove(&sid);
        self.roster.remove(sid)
    }

    /// Takes a member out of the roster that may come back.
    pub(super) fn set_aside(&mut self, sid: SessionId, now: Duration, is_missing: bool) {
        let Some(peer) = self.remove(sid) else {
            return;
        };
        if self.absent.len() == MAX_ABSENT {
            let longest = self.absent.iter().min_by_key(|(_, absent)| absent.since);
            if let Some(origin) = longest.map(|(origin, _)| *origin) {
                self.absent.remove(&origin);
            }
        }
        let absent = Absent {
            peer,
            since: now,
            is_missing,
        };
        self.absent.insert(absent.peer.card.origin(), absent);
    }

    /// What is known of somebody who comes with this card, if it was here before.
    pub(super) fn take_absent(&mut self, card: &Card) -> Option<Peer> {
        let absent = self.absent.get(&card.origin())?;
        if !card.continues(&absent.peer.card) {
            return None;
        }
        self.absent.remove(&card.origin()).map(|absent| absent.peer)
    }

    /// Adds somebody whose card is good.
    pub(super) fn admit(&mut self, peer: Peer) {
        let card = peer.card.clone();
        self.refused.remove(&card.sid());
        let placed = self.roster.insert(&card, peer);
        placed.expect("its nick and its key are free");
    }

    /// Checks a card, by itself and by who is in the room now: as every member does, whatever it
    /// remembers.
    pub(super) fn check(&self, card: &Card, key: &RoomKey) -> Result<(), Disbelief> {
        card.check_mac(key).map_err(Disbelief::Card)?;
        self.roster.check(card).map_err(Disbelief::Conflict)
    }

    /// Whoever has this card is nobody to this member, though the relay lists it.
    pub(super) fn refuse(&mut self, card: &Card) {
        let previous = (card.generation() > 0).then(|| card.previous());
        self.refused.insert(card.sid(), previous);
    }

    /// Whoever was refused and signs under this session id is out of the room, or goes on under
    /// another card.
    pub(super) fn refused_is_gone(&mut self, sender: SessionId) {
        if self.refused.remove(&sender).is_none() {
            self.refused.retain(|_, previous| *previous != Some(sender));
        }
    }

    /// How many others the relay lists.
    pub(super) fn count(&self) -> usize {
        self.roster.len() + self.refused.len()
    }

    /// Whether the card of whoever signs under this session id was refused.
    pub(super) fn is_refused(&self, sid: SessionId) -> bool {
        let mut refused = self.refused.iter();
        refused.any(|(refused, previous)| *refused == sid || *previous == Some(sid))
    }

    /// This member has another card: nobody else can take its nick or its session key.
    pub(super) fn set_own(&mut self, before: &Card, card: &Card) -> Result<(), Disbelief> {
        self.roster.release(before);
        self.roster.reserve(card).map_err(Disbelief::Conflict)
    }
}

/// An empty roster in which nobody else can take this member's nick or session key.
fn roster_around(card: &Card) -> Roster<Peer> {
    let mut roster = Roster::default();
    roster.reserve(card).expect("nobody is in an empty roster");
    roster
}
