//! From the challenge to the room, over each connection (PROTOCOL §7, §8).

use std::time::Duration;

use crate::cipher::encoding::Digest;
use crate::room::card::{Card, CardError, SessionId};
use crate::room::chain::entry_digest;
use crate::room::frame::{Challenge, Frame, Welcome};
use crate::room::roster::MAX_MEMBERS;

use super::door::{CatchingUp, Entering, Phase, Return};
use super::event::{Disbelief, End, Event};
use super::outbox::Undelivered;
use super::peer::Peer;
use super::presence::{OwnEntry, Watch};
use super::streams::Out;
use super::{Now, Session};

/// Positions go up to here.
pub(super) const MAX_POSITION: u64 = u64::MAX / 2;

impl Session {
    pub(super) fn present(&mut self, challenge: &Challenge, now: Now) -> Result<(), End> {
        // A run that was over does not come again: it would repeat its positions.
        if !self.history.knock(challenge.run) {
            return Err(End::Malformed);
        }
        self.presence.active.start(now.uptime);
        self.destroy_keys(now);
        let card = if self.door.has_entered {
            let past = self.history.past();
            self.own.renewed(self.outbox.number(None), &past, now.time)
        } else {
            self.own.card.clone()
        };
        let resumes = self.door.joined.filter(|_| self.history.is_in_this_run());
        let received = resumes.map_or(0, |_| self.door.received);
        let possession = challenge.possession(card.sid(), received);
        let proof = self.own.identity.key.sign(&possession);
        let hello = Frame::hello(card.bytes(), resumes, received, self.own.opens, &proof);
        self.own.keys.present(self.history.run());
        self.door.outgoing.push(hello);
        let signed = self.presence.active.get();
        self.door.phase = Phase::Presented(Box::new(card), signed);
        Ok(())
    }

    /// The relay goes on with this member where the connection broke.
    pub(super) fn resume(&mut self, welcome: &Welcome, now: Now) -> Result<Vec<Event>, End> {
        if self.door.joined.is_none() || !self.history.is_in_this_run() || welcome.members > 0 {
            return Err(End::Malformed);
        }
        // What is on its way to this member may show that an entry has come back: no ACK does that yet.
        let acknowledged = self.sending.acknowledge(welcome.received)?;
        self.door.phase = Phase::Inside;
        let since = self.door.out_since.take().unwrap_or(now.uptime);
        let fresh = CatchingUp {
            since,
            out: Duration::ZERO,
            messages: 0,
        };
        let catching_up = self.door.catching_up.get_or_insert(fresh);
        catching_up.out = now.uptime.saturating_sub(catching_up.since);
        if catching_up.is_long() {
            // Others may have gone meanwhile.
            let active = self.presence.active.get();
            self.presence.own.begin_again(active);
            for (_, peer) in self.members.roster.iter_mut() {
                peer.watch.return_to(active);
            }
        }
        let frames = self.sending.frames(|sent| self.frames_of(sent));
        self.door.outgoing.extend(frames);
        self.timers.acknowledged(self.presence.active.get());
        let taken = acknowledged.messages.len();
        for receipt in acknowledged.messages {
            self.outbox.taken(receipt);
        }
        self.say_goodbye_if_due(now);
        let mut events = vec![Event::Resumed];
        events.extend((taken > 0).then_some(Event::Taken(taken)));
        Ok(events)
    }

    /// All has come that waited for this member: it owes the receipts anew. Returns what is told of it.
    pub(super) fn finish_catching_up(&mut self, caught_up: &CatchingUp, now: Now) -> Option<Event> {
        if !caught_up.is_long() {
            return None;
        }
        // A receipt that was under way was for a session id that its author may not have any more.
        for origin in self.members.present_origins() {
            self.owe_receipt_again(origin, now);
        }
        let (out, messages) = (caught_up.out, caught_up.messages);
        Some(Event::CaughtUp { out, messages })
    }

    /// The most members that there can be, as the relay says and as this member takes.
    pub(super) fn most_members(&self) -> u32 {
        self.door.limits.members.min(MAX_MEMBERS)
    }

    /// Whether a relay can let this member in like that.
    pub(super) fn check(&self, welcome: &Welcome) -> Result<(), End> {
        let position = welcome.before.position;
        // No position comes twice in a run.
        let is_next =
            !self.history.is_in_this_run() || self.history.can_go_on_from(&welcome.before);
        let fits = welcome.members < self.most_members();
        if is_next && fits && position < MAX_POSITION && welcome.received == 0 {
            Ok(())
        } else {
            Err(End::Malformed)
        }
    }

    pub(super) fn enter(&mut self, entering: Entering, now: Now) -> Vec<Event> {
        if usize::try_from(entering.welcome.members) != Ok(entering.cards.len()) {
            self.door.phase = Phase::Entering(Box::new(entering));
            return Vec::new();
        }
        let Entering {
            welcome,
            presented,
            signed,
            cards,
            absences,
        } = entering;
        let before = self
            .members
            .roster
            .iter()
            .map(|(_, peer)| peer.card.origin());
        let before: Vec<SessionId> = before.collect();
        let digest: Digest = entry_digest(presented.bytes());
        self.history.enter(&welcome.before, &digest);
        let former = self.own.listed(presented, self.history.now(), now.uptime);
        let base = self.history.now().position;
        let out = self.come_back(now);
        let mut events = self.end_all_sharing();
        self.members.clear(&self.own.card, now.uptime);
        self.shown.clear();
        self.sending.begin_again();
        let order = self.sending.next_order();
        self.presence.own.begin(OwnEntry {
            position: base,
            signed,
            order,
        });
        events.extend(self.admit_all(cards, &before, now));
        for absence in absences.into_values() {
            if let Some(peer) = self.members.roster.get_mut(absence.sid) {
                peer.fall_asleep(&absence, base, now.uptime);
            }
        }
        events.extend(self.history.is_cut_off().then_some(Event::CutOff));
        if former.nick() != self.own.card.nick() {
            events.push(Event::Called(self.own.card.nick().clone()));
        }
        self.roster_changed();
        self.door.joined = Some(base);
        self.door.catching_up = None;
        self.door.phase = Phase::Inside;
        let is_return = std::mem::replace(&mut self.door.has_entered, true);
        events.extend(self.send_again(now));
        events.extend(self.send_drafts(now));
        self.timers.acknowledged(self.presence.active.get());
        self.state_to_all(now);
        self.say_goodbye_if_due(now);
        let people = self.others();
        events.push(if is_return {
            self.door.return_of = Some(Return {
                out: out.in_all,
                ends: self.presence.active.get() + self.period(),
            });
            Event::Returned {
                people,
                out: out.last,
            }
        } else {
            Event::Entered(people)
        });
        events
    }

    /// This member is back in the room, or is in it for the first time. Returns for how long it was out.
    fn come_back(&mut self, now: Now) -> Out {
        let since = self.door.out_since.take().unwrap_or(now.uptime);
        let last = now.uptime.saturating_sub(since);
        let before = self.door.return_of.map(|back| back.out);
        let out = Out {
            last,
            in_all: before.unwrap_or_default() + last,
        };
        let peers = self.members.roster.iter().map(|(_, peer)| peer);
        let joined = peers.filter(|peer| peer.base > 0);
        let joined = joined.map(|peer| (peer.card.origin(), peer.card.next()));
        self.streams.come_back(&joined.collect(), out);
        out
    }

    /// Adds those whom the relay lists. Those of `before` are on the user's screen already.
    fn admit_all(
        &mut self,
        cards: Vec<Result<Card, CardError>>,
        before: &[SessionId],
        now: Now,
    ) -> Vec<Event> {
        let mut events = Vec::new();
        let mut good = Vec::new();
        for card in cards {
            let card = card.map_err(Disbelief::Card).and_then(|card| {
                let checked = self.members.check(&card, &self.own.room_key);
                if checked.is_err() {
                    self.members.refuse(&card);
                }
                checked.map(|()| card)
            });
            match card {
                Ok(card) => {
                    let is_shown = before.contains(&card.origin());
                    let shown = (!is_shown).then_some(self.members.changes + 1);
                    events.extend(self.admit(&card, 0, shown, now));
                    good.push(card);
                }
                Err(disbelief) => events.push(Event::Disbelieved(disbelief)),
            }
        }
        for card in &good {
            events.extend(self.learn_past(card));
            events.extend(self.give_up_replaced(card));
        }
        events
    }

    /// Adds a member with a good card to the roster, who came onto the user's screen with this change,
    /// or was there before. Returns that it is called something else than before, if it is.
    pub(super) fn admit(
        &mut self,
        card: &Card,
        base: u64,
        shown: Option<u64>,
        now: Now,
    ) -> Vec<Event> {
        let known = self.members.take_absent(card);
        let run = self.history.run();
        let mut peer = known.unwrap_or_else(|| Peer::new(card.clone(), run, now.uptime));
        let former = peer.set_card(card, now.uptime);
        if let Some(change) = shown {
            peer.seen.shown = change;
            peer.seen.named = change;
        }
        if former.is_some() {
            peer.seen.named = self.members.changes + 1;
            self.outbox.call(card.origin(), card.nick());
        }
        peer.base = base;
        peer.come(self.history.now().position, self.presence.active.get());
        peer.has_rekeyed = false;
        peer.has_differed |= peer.watch.differs;
        peer.watch = Watch::new(self.presence.active.get());
        peer.seen.here = now.uptime;
        peer.seen.heard = now.uptime;
        self.members.admit(peer);
        let person = self.person_of(card.sid());
        let renamed = former.zip(person);
        let renamed = renamed.map(|(former, person)| Event::Renamed { former, person });
        renamed.into_iter().collect()
    }

    /// Somebody has come with this card: what was said to those whom it replaces does not reach them.
    pub(super) fn give_up_replaced(&mut self, card: &Card) -> Vec<Event> {
        let replaced = self.members.replaced_by(card).into_iter();
        let news =
            replaced.flat_map(|before| self.outbox.give_up_reader(before, Undelivered::CameAnew));
        news.map(Event::of_news).collect()
    }
}
