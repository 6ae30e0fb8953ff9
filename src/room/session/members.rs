//! Who is in the room, and who may come back (PROTOCOL §4, §8, §11).

use std::collections::HashSet;
use std::time::Duration;

use crate::room::card::{Card, SessionId};
use crate::room::frame::Departure;
use crate::room::names::Nick;
use crate::room::roster::{Roster, modulus_digest};
use crate::room::transcript::Version;

use super::event::{Disbelief, End, Event, Person};
use super::peer::{Arrival, Peer, Reported};
use super::{Now, Session};

/// How many of those who are away are remembered.
const MAX_ABSENT: usize = 4096;

/// How many session ids are remembered of those whom this member has refused.
const MAX_REFUSED: usize = 4096;

impl Session {
    /// Who of these is away.
    pub(super) fn absent_nicks(&self, sids: impl Iterator<Item = SessionId>) -> Vec<Nick> {
        sids.filter_map(|sid| self.absent.get(&sid))
            .map(|peer| peer.card.nick().clone())
            .collect()
    }

    /// Who these are, wherever they are.
    pub(super) fn nicks(&self, sids: impl Iterator<Item = SessionId>) -> Vec<Nick> {
        let present = |sid| self.roster.get(self.present_sid(sid)?);
        sids.filter_map(|sid| self.absent.get(&sid).or_else(|| present(sid)))
            .map(|peer| peer.card.nick().clone())
            .collect()
    }

    /// Each change of the roster has the number after the one before.
    pub(super) fn check_epoch(&self, epoch: u64) -> Result<(), End> {
        if self.epoch.checked_add(1) == Some(epoch) {
            Ok(())
        } else {
            Err(End::Malformed)
        }
    }

    pub(super) fn begin_change(&mut self, epoch: u64) {
        self.epoch = epoch;
        self.changes += 1;
    }

    pub(super) fn begin_epoch(&mut self) {
        let mut roster: Vec<SessionId> = self.roster.iter().map(|(sid, _)| sid).collect();
        roster.push(self.keys.listed());
        roster.sort_unstable();
        self.transcript.begin(self.epoch, roster);
    }

    /// The present version of the roster.
    pub(super) fn version(&self) -> Version {
        let found = self.transcript.version(self.run, self.epoch);
        found.unwrap_or_default()
    }

    /// Somebody comes with this card, as the relay says.
    pub(super) fn arrive(&mut self, card: Card, now: Now) -> Vec<Event> {
        match self.check_newcomer(card) {
            Ok(card) => self.welcome(&card, now),
            Err(disbelief) => vec![Event::Disbelieved(disbelief)],
        }
    }

    /// Somebody has come whose card is good.
    fn welcome(&mut self, card: &Card, now: Now) -> Vec<Event> {
        let is_back = self.knows(card).is_some();
        let (person, former) = self.admit(card, Arrival::Joined, &HashSet::new(), now);
        self.schedule.greet(self.roster.len(), now.uptime);
        self.send_held();
        let mut events = Vec::from_iter(renamed(person.clone(), former));
        events.push(if is_back {
            Event::Back(person)
        } else {
            Event::Joined(person)
        });
        events
    }

    /// Under which session id a member is in the roster that has this one, or had it when this
    /// member last saw it change.
    pub(super) fn present_sid(&self, sid: SessionId) -> Option<SessionId> {
        if self.roster.get(sid).is_some() {
            return Some(sid);
        }
        let mut peers = self.roster.iter();
        let found = peers.find(|(_, peer)| peer.former == Some(sid));
        found.map(|(present, _)| present)
    }

    /// The member that may have written under this session id: its own, or by its card the one
    /// before. That it did, its signature shows.
    pub(super) fn author(&self, sid: SessionId) -> Option<SessionId> {
        let mut peers = self.roster.iter();
        let mut follower = || peers.find(|(_, peer)| peer.card.has_previous(sid));
        self.present_sid(sid)
            .or_else(|| follower().map(|(present, _)| present))
    }

    /// Takes a member out of the roster. Unless it has said goodbye, it may come back.
    pub(super) fn remove(&mut self, sid: SessionId) {
        self.refused.remove(&sid);
        if let Some(peer) = self.roster.remove(sid) {
            self.set_aside(sid, peer);
        }
    }

    /// Remembers somebody who is not in the roster any more, unless it has said goodbye.
    fn set_aside(&mut self, sid: SessionId, mut peer: Peer) {
        if !peer.said_goodbye {
            self.forget_longest_absent();
            peer.incoming.forget_recent();
            self.absent.insert(sid, peer);
        }
    }

    /// Makes room for somebody who is away.
    fn forget_longest_absent(&mut self) {
        if self.absent.len() < MAX_ABSENT {
            return;
        }
        let longest = self.absent.iter().min_by_key(|(_, peer)| peer.heard);
        if let Some(sid) = longest.map(|(sid, _)| *sid) {
            self.absent.remove(&sid);
        }
    }

    /// Under which session id somebody was here before who comes with this card.
    fn knows(&self, card: &Card) -> Option<SessionId> {
        let mut absent = self.absent.iter();
        let found = absent.find(|(_, peer)| card.continues(&peer.card));
        found.map(|(sid, _)| *sid)
    }

    /// Adds a member with a good card to the roster. Those of `shown` are on the user's screen already.
    /// Returns what it was called before, too, if that was something else.
    pub(super) fn admit(
        &mut self,
        card: &Card,
        arrival: Arrival,
        shown: &HashSet<SessionId>,
        now: Now,
    ) -> (Person, Option<Nick>) {
        self.refused.remove(&card.sid());
        let known = self.knows(card).and_then(|sid| self.absent.remove(&sid));
        let mut peer = known.unwrap_or_else(|| Peer::new(card.clone(), now.uptime));
        if !shown.contains(&peer.card.sid()) {
            peer.shown = self.changes;
            peer.named = self.changes;
        }
        if peer.card.sid() != card.sid() {
            peer.former = Some(peer.card.sid());
        }
        peer.key_since = self.key_since(card, now);
        let before = std::mem::replace(&mut peer.card, card.clone());
        let former = (before.nick() != card.nick()).then(|| before.nick().clone());
        if former.is_some() {
            peer.named = self.changes;
        }
        peer.joined = self.version();
        peer.here_since = now.uptime;
        peer.heard = now.uptime;
        peer.is_confirmed = false;
        peer.reported = Reported::default();
        peer.incoming.begin(arrival, card.next());
        // Whoever meets this member for the first time knows that it has said nothing yet.
        let has_news = self.next > 0 || !peer.outgoing.unread.is_empty();
        peer.outgoing.is_untold = arrival == Arrival::Joined || has_news;
        let person = peer.person();
        let placed = self.roster.insert(card, peer);
        placed.expect("its nick and its key are free");
        self.sessions.note(card.sid(), ());
        (person, former)
    }

    /// Since when the session key of a card is known, in whatever session.
    fn key_since(&mut self, card: &Card, now: Now) -> Duration {
        self.keys_seen.note(modulus_digest(card), now.uptime)
    }

    /// Checks the card of somebody who comes, and remembers it where it is refused.
    pub(super) fn check_newcomer(&mut self, card: Card) -> Result<Card, Disbelief> {
        let checked = self
            .check_session(&card)
            .and_then(|()| self.check_card(&card));
        if let Err(disbelief) = checked {
            self.refuse(card.sid());
            return Err(disbelief);
        }
        Ok(card)
    }

    /// Checks what every member can tell of a card, whatever it remembers.
    fn check_card(&self, card: &Card) -> Result<(), Disbelief> {
        card.check_mac(&self.room_key).map_err(Disbelief::Card)?;
        self.roster.check(card).map_err(Disbelief::Conflict)
    }

    /// Whether the session of a card, as far as this member remembers, may be interrupted but is not
    /// over.
    fn check_session(&self, card: &Card) -> Result<(), Disbelief> {
        let is_known = self.sessions.contains(card.sid());
        if is_known && !self.absent.contains_key(&card.sid()) {
            return Err(Disbelief::Gone);
        }
        Ok(())
    }

    /// The relay has listed the present card: there is no way back to the one before.
    pub(super) fn settle_card(&mut self) -> Option<Event> {
        let before = self.card_before.take()?;
        let nick = self.card.nick();
        (before.nick() != nick).then(|| Event::Called(nick.clone()))
    }

    /// Somebody, oneself perhaps, has another session key.
    pub(super) fn succeeded(&mut self, card: &[u8], now: Now) -> Result<Vec<Event>, End> {
        let version = self.version();
        if card == &**self.card.bytes() && self.keys.list(self.card.sid(), version) {
            return self.listed();
        }
        Ok(match Card::parse(card, self.card.room()) {
            Ok(card) => self.succeeded_by(&card, now),
            Err(error) => vec![Event::Disbelieved(Disbelief::Card(error))],
        })
    }

    /// The relay has listed this member's present card, and taken all that came before it.
    fn listed(&mut self) -> Result<Vec<Event>, End> {
        if let Some(before) = &self.card_before {
            self.roster.release(before);
            // A relay does not list what it has listed for somebody else.
            self.roster
                .reserve(&self.card)
                .map_err(|_| End::Malformed)?;
        }
        let taken = self.unacknowledged.acknowledge_key();
        let taken = (taken > 0).then_some(Event::Taken(taken));
        Ok(taken.into_iter().chain(self.settle_card()).collect())
    }

    /// A member presents another card. By signing it, it has given up the one before: where the new
    /// one is refused, it is out.
    fn succeeded_by(&mut self, card: &Card, now: Now) -> Vec<Event> {
        let before = card.previous();
        if self.roster.get(before).is_none() && self.refused.remove(&before) {
            // Those who come later see this card alone, and so it is all that counts for everybody.
            return match self.check_card(card) {
                Ok(()) => self.welcome(card, now),
                Err(disbelief) => {
                    self.refuse(card.sid());
                    vec![Event::Disbelieved(disbelief)]
                }
            };
        }
        let is_own = |peer: &Peer| peer.card.identity() == card.identity();
        let peer = match self.roster.get(before) {
            Some(peer) if is_own(peer) => self.roster.remove(before),
            _ => None,
        };
        let Some(mut peer) = peer else {
            let disbelief = self.check_session(card).err();
            return vec![Event::Disbelieved(
                disbelief.unwrap_or(Disbelief::Succession),
            )];
        };
        if let Err(disbelief) = self.check_successor(&peer.card, card) {
            let cast_out = Event::CastOut(peer.card.nick().clone(), disbelief);
            let left = left(&peer, Departure::Misbehaved);
            self.set_aside(before, peer);
            self.refuse(before);
            self.refuse(card.sid());
            return vec![cast_out, left];
        }
        let nick = card.nick().clone();
        let mut events = Vec::new();
        let missing = peer.incoming.learn(card.next(), None);
        if missing > 0 {
            self.transcript.mark_incomplete();
            events.push(Event::Missing(nick.clone(), missing));
        }
        peer.incoming.forget_recent();
        peer.former = Some(before);
        peer.key_since = self.key_since(card, now);
        peer.reported.stale_key = false;
        let former = std::mem::replace(&mut peer.card, card.clone())
            .nick()
            .clone();
        let person = peer.person();
        events.push(if former == nick {
            Event::Rekeyed(nick)
        } else {
            peer.named = self.changes;
            Event::Renamed { former, person }
        });
        self.sessions.note(card.sid(), ());
        let placed = self.roster.insert(card, peer);
        placed.expect("its nick and its key are free");
        events
    }

    /// Whether a member that was taken out of the roster can go on under this card.
    fn check_successor(&self, before: &Card, card: &Card) -> Result<(), Disbelief> {
        if !card.is_successor_of(before) {
            return Err(Disbelief::Succession);
        }
        self.check_card(card)
    }

    /// Whoever writes under this session id is nobody to this member, though the relay lists it.
    fn refuse(&mut self, sid: SessionId) {
        if self.refused.len() < MAX_REFUSED {
            self.refused.insert(sid);
        }
    }
}

/// The event that somebody is called something else, if they are.
pub(super) fn renamed(person: Person, former: Option<Nick>) -> Option<Event> {
    former.map(|former| Event::Renamed { former, person })
}

/// An empty roster in which nobody else can take this member's nick or session key.
pub(super) fn roster_around(card: &Card) -> Roster<Peer> {
    let mut roster = Roster::default();
    roster.reserve(card).expect("nobody is in an empty roster");
    roster
}

pub(super) fn left(peer: &Peer, departure: Departure) -> Event {
    Event::Left {
        nick: peer.card.nick().clone(),
        departure,
        is_signed: peer.said_goodbye,
    }
}
