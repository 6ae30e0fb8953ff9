//! The entries of the chain, in their order: what the relay passes on of others, and what it gives back
//! of this member's own (PROTOCOL §5, §8).

use crate::cipher::encoding::Digest;
use crate::room::card::{Card, SessionId};
use crate::room::chain::{EntryKind, entry_digest};
use crate::room::frame::{Absence, Departure, Signed, parse_awake, parse_left};
use crate::room::notice::Notice;

use super::entering::MAX_POSITION;
use super::event::{Disbelief, End, Event};
use super::history::At;
use super::jobs::{Found, Parcel};
use super::outbox::Undelivered;
use super::presence::OwnEntry;
use super::sending::{CameBack, NotBack, Own};
use super::{Now, Session};

impl Session {
    /// An entry of somebody else's has come.
    pub(super) fn take_entry(
        &mut self,
        kind: EntryKind,
        entry: &[u8],
        ciphertext: &[u8],
        found: Option<Found>,
        now: Now,
    ) -> Result<Vec<Event>, End> {
        let may_have_ciphertext = matches!(kind, EntryKind::Message | EntryKind::Unknown(_));
        if self.is_at_the_end() || (!may_have_ciphertext && !ciphertext.is_empty()) {
            return Err(End::Malformed);
        }
        self.history.append(kind, &entry_digest(entry));
        let events = match kind {
            EntryKind::Joined => self.somebody_joined(entry, now)?,
            EntryKind::Left => self.somebody_left(entry, now)?,
            EntryKind::Rekeyed => self.somebody_rekeyed(entry, now)?,
            EntryKind::Message => {
                let parcel = Parcel {
                    signed: Signed::parse(entry)?,
                    ciphertext,
                    is_entry: true,
                };
                return self.take_message_entry(parcel, found, now);
            }
            EntryKind::Statement => return Ok(self.take_statement(&Signed::parse(entry)?, now)),
            EntryKind::Goodbye => self.take_goodbye(&Signed::parse(entry)?, now),
            EntryKind::Asleep => return self.somebody_sleeps(entry, now),
            EntryKind::Awake => return self.somebody_wakes(entry),
            EntryKind::Unknown(_) => {
                let was_told = std::mem::replace(&mut self.history.is_relay_newer, true);
                return Ok(Vec::from_iter((!was_told).then_some(Event::NewerRelay)));
            }
        };
        self.roster_changed();
        Ok(events)
    }

    /// Whether there is no position for another entry.
    fn is_at_the_end(&self) -> bool {
        self.history.now().position >= MAX_POSITION
    }

    /// The roster is another one from the present position on.
    pub(super) fn roster_changed(&mut self) {
        let digest = self.members.digest(self.own.card.sid());
        self.history.set_roster(digest, self.members.roster.len());
        self.members.changes += 1;
    }

    fn somebody_joined(&mut self, card: &[u8], now: Now) -> Result<Vec<Event>, End> {
        match Card::parse(card, self.own.card.room()) {
            Ok(card) => self.admit_newcomer(&card, now),
            Err(error) => Ok(vec![Event::Disbelieved(Disbelief::Card(error))]),
        }
    }

    /// Somebody comes with this card, as the relay says.
    fn admit_newcomer(&mut self, card: &Card, now: Now) -> Result<Vec<Event>, End> {
        let most = usize::try_from(self.most_members()).unwrap_or(usize::MAX);
        if self.members.count() + 1 >= most {
            return Err(End::Malformed);
        }
        if let Err(disbelief) = self.members.check(card, &self.own.room_key) {
            self.members.refuse(card);
            return Ok(vec![Event::Disbelieved(disbelief)]);
        }
        let is_back = self.members.absent_since(card.origin()).is_some();
        let base = self.history.now().position;
        let changes = self.members.changes + 1;
        let mut events = Vec::from_iter(self.end_sharing_with(card.origin(), card.nick()));
        events.extend(self.admit(card, base, Some(changes), now));
        let person = self.person_of(card.sid());
        events.extend(person.map(if is_back { Event::Back } else { Event::Joined }));
        events.extend(self.give_up_replaced(card));
        events.extend(self.learn_past(card));
        self.streams.unsettle(card.origin());
        events.extend(self.copy_to(card.origin(), true, now));
        self.owe_receipt_again(card.origin(), now);
        self.hurry_beacon(now);
        Ok(events)
    }

    fn somebody_left(&mut self, entry: &[u8], now: Now) -> Result<Vec<Event>, End> {
        let (sid, departure) = parse_left(entry)?;
        if self.own.keys.contains(sid) {
            return Err(End::Malformed);
        }
        let peer = self.members.roster.get(sid);
        let left = peer.map(|peer| (peer.card.origin(), peer.nick().clone(), peer.asleep()));
        self.members.set_aside(sid, now.uptime, false);
        let Some((origin, nick, asleep)) = left else {
            return Ok(Vec::new());
        };
        let mut events = Vec::from_iter(self.end_sharing_with(origin, &nick));
        events.push(Event::Left {
            nick,
            departure,
            asleep,
        });
        Ok(events)
    }

    /// The relay says that somebody has no connection.
    fn somebody_sleeps(&mut self, entry: &[u8], now: Now) -> Result<Vec<Event>, End> {
        let absence = Absence::parse(entry)?;
        if self.own.keys.contains(absence.sid) {
            // It had none, if what waited for it is coming.
            if self.door.catching_up.is_none() {
                return Err(End::Malformed);
            }
            self.history.fell_asleep();
            return Ok(Vec::new());
        }
        let position = self.history.now().position;
        let peer = self.members.roster.get_mut(absence.sid);
        let asleep = peer.and_then(|peer| {
            let asleep = peer.fall_asleep(&absence, position, now.uptime)?;
            Some((asleep, peer.nick()))
        });
        let event = asleep.map(|(asleep, nick)| Event::Asleep(nick.clone(), asleep));
        Ok(event.into_iter().collect())
    }

    /// The relay says that somebody has a connection again.
    fn somebody_wakes(&mut self, entry: &[u8]) -> Result<Vec<Event>, End> {
        let sid = parse_awake(entry)?;
        if self.own.keys.contains(sid) {
            self.history.woke_up();
            return Ok(Vec::new());
        }
        self.history.somebody_woke();
        let active = self.presence.active.get();
        let peer = self.members.roster.get_mut(sid);
        let woken = peer.filter(|peer| peer.is_asleep()).map(|peer| {
            peer.wake(active);
            Event::Awake(peer.nick().clone())
        });
        Ok(woken.into_iter().collect())
    }

    /// The relay has these statements to all by their digests alone, as this member had no connection.
    pub(super) fn take_passed(&mut self, digests: &[Digest]) -> Result<(), End> {
        if self.door.catching_up.is_none() || !self.history.sleeps() {
            return Err(End::Malformed);
        }
        for digest in digests {
            if self.is_at_the_end() {
                return Err(End::Malformed);
            }
            self.history.append(EntryKind::Statement, digest);
        }
        Ok(())
    }

    /// A member presents another card. By signing it, it has given up the one before: where the new
    /// one is refused, it is out.
    fn somebody_rekeyed(&mut self, card: &[u8], now: Now) -> Result<Vec<Event>, End> {
        let card = match Card::parse(card, self.own.card.room()) {
            Ok(card) => card,
            Err(error) => return Ok(vec![Event::Disbelieved(Disbelief::Card(error))]),
        };
        let before = card.previous();
        let is_nobodys = self.members.roster.get(before).is_none() && before != self.own.card.sid();
        if is_nobodys && card.generation() > 0 {
            // The card before it was refused. Those who come later see this one alone, and so it is all
            // that counts for everybody.
            self.members.refused_is_gone(before);
            return self.admit_newcomer(&card, now);
        }
        let is_own = |sid| {
            let peer = self.members.roster.get(sid);
            peer.is_some_and(|peer| peer.card.identity() == card.identity())
        };
        if !is_own(before) {
            return Ok(vec![Event::Disbelieved(Disbelief::Succession)]);
        }
        let Some(mut peer) = self.members.remove(before) else {
            return Ok(Vec::new());
        };
        let checked = if card.is_successor_of(&peer.card) {
            self.members.check(&card, &self.own.room_key)
        } else {
            Err(Disbelief::Succession)
        };
        let nick = peer.nick().clone();
        if let Err(disbelief) = checked {
            let origin = peer.card.origin();
            self.members.refuse(&card);
            let mut events = vec![Event::CastOut(nick.clone(), disbelief)];
            events.extend(self.end_sharing_with(origin, &nick));
            events.extend(self.give_up_member(origin, nick, Departure::Misbehaved));
            return Ok(events);
        }
        let former = peer.set_card(&card, now.uptime);
        peer.has_rekeyed = true;
        if former.is_some() {
            peer.seen.named = self.members.changes + 1;
            self.outbox.call(card.origin(), card.nick());
        }
        self.members.admit(peer);
        Ok(match (former, self.person_of(card.sid())) {
            (Some(former), Some(person)) => vec![Event::Renamed { former, person }],
            _ => vec![Event::Rekeyed(nick)],
        })
    }

    /// Somebody has left for good: what was said to it, and has not come, does not come any more.
    pub(super) fn give_up_member(
        &mut self,
        origin: SessionId,
        nick: crate::room::names::Nick,
        departure: Departure,
    ) -> Vec<Event> {
        let mut events = vec![Event::Left {
            nick,
            departure,
            asleep: None,
        }];
        let news = self.outbox.give_up_reader(origin, Undelivered::Gone);
        events.extend(news.into_iter().map(Event::of_news));
        events
    }

    /// This member's oldest entry that was not back has its place behind all that waits.
    pub(super) fn take_back(&mut self) -> Result<CameBack, End> {
        let NotBack {
            own, signed, order, ..
        } = self.sending.take_back().ok_or(End::Malformed)?;
        let came_back = |kind, digest, claim| CameBack {
            kind,
            digest,
            claim,
            card: None,
            copy: None,
            signed,
            order,
        };
        Ok(match own {
            Own::Statement {
                kind,
                digest,
                claim,
            } => came_back(kind, digest, Some(claim)),
            Own::Rekey(card) => CameBack {
                card: Some(card.clone()),
                ..came_back(EntryKind::Rekeyed, entry_digest(card.bytes()), None)
            },
            Own::Message(receipt) => {
                let message = self.outbox.get(receipt).ok_or(End::Malformed)?;
                let digest = entry_digest(&message.entry());
                let came_back = CameBack {
                    copy: message.copy(),
                    ..came_back(EntryKind::Message, digest, message.claim().cloned())
                };
                let now = self.history.now();
                let place = At {
                    position: now.position.saturating_add(self.inbox.entries() + 1),
                    ..now
                };
                self.outbox.came_back(receipt, place);
                came_back
            }
        })
    }

    /// An entry of this member's own has its place here.
    pub(super) fn take_own(&mut self, own: CameBack, now: Now) -> Result<Vec<Event>, End> {
        if self.is_at_the_end() {
            return Err(End::Malformed);
        }
        self.history.append(own.kind, &own.digest);
        let mut events = Vec::new();
        if let Some(card) = own.card {
            events.extend(self.own_card_is_listed(*card, now)?);
            self.roster_changed();
        }
        if let Some(copy) = own.copy {
            self.keep(copy, None, now);
        }
        let position = self.history.now().position;
        if own.kind == EntryKind::Message {
            self.shown.push(position, self.own.origin(), now.uptime);
        }
        if let Some(claim) = own.claim {
            self.history.claim_came_back(&claim);
        }
        let entry = OwnEntry {
            position,
            signed: own.signed,
            order: own.order,
        };
        let patience = self.period() * 8;
        let since = self.presence.active.get().saturating_sub(patience);
        self.presence.own.push(entry, since);
        self.say_goodbye_if_due(now);
        Ok(events)
    }

    /// The others have this member's next card.
    fn own_card_is_listed(&mut self, card: Card, now: Now) -> Result<Option<Event>, End> {
        let nick = card.nick().clone();
        let before = self.own.listed(card, self.history.now(), now.uptime);
        // A relay does not list what it has listed for somebody else.
        self.members
            .set_own(&before, &self.own.card)
            .map_err(|_| End::Malformed)?;
        Ok((before.nick() != &nick).then_some(Event::Called(nick)))
    }

    /// The relay has refused this member's next card: nothing has changed.
    pub(super) fn take_refusal(&mut self, code: u8) -> Result<Event, End> {
        let next = self.own.next_card.as_ref().ok_or(End::Malformed)?;
        // Nobody else can have the nick that this member has, or a key that it has just made: a relay that
        // says so wants it to keep the key before.
        let is_another = next.nick().skeleton() != self.own.card.nick().skeleton();
        let can_be_taken = Notice::from_code(code) == Some(Notice::NickTaken) && is_another;
        if !can_be_taken || !self.sending.take_refused() {
            return Err(End::Malformed);
        }
        let refused = self.own.refused().ok_or(End::Malformed)?;
        if !self.own.has_key() {
            self.timers.key_is_gone();
        }
        Ok(Event::Refused(refused.nick().clone()))
    }
}
