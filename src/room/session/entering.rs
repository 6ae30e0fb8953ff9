//! From the challenge to the room, over each connection (PROTOCOL §7, §8).

use std::collections::HashSet;

use crate::room::card::{Card, CardError, SessionId};
use crate::room::frame::{Challenge, Frame, Welcome};

use super::event::{Disbelief, End, Event};
use super::members::{renamed, roster_around};
use super::peer::Arrival;
use super::{Now, Phase, Session};

/// The most members of a room that a client takes from a relay.
const MAX_MEMBERS: u32 = 65_536;

impl Session {
    pub(super) fn present(&mut self, challenge: &Challenge, now: Now) -> Result<(), End> {
        // A run that was over does not come again: it would repeat its epochs.
        if !self.transcript.knock(challenge.run) {
            return Err(End::Malformed);
        }
        self.run = challenge.run;
        let card = if self.has_entered {
            // The latest one, even if it is not known whether the relay has had it: others may
            // have seen it.
            let (key, identity) = (&self.room_key, &self.identity);
            self.card.reissue(key, identity, self.next, now.time)
        } else {
            self.card.clone()
        };
        let resumes = self.joined.filter(|_| self.is_in_this_run());
        let received = resumes.map_or(0, |_| self.received);
        let possession = challenge.possession(card.sid(), received);
        let proof = self.identity.key.sign(&possession);
        let hello = Frame::hello(card.bytes(), resumes, received, &proof);
        self.outgoing.push(hello);
        self.phase = Phase::Presented(Box::new(card));
        Ok(())
    }

    /// Whether the relay is still in the run in which this member was in the room.
    fn is_in_this_run(&self) -> bool {
        let view = self.transcript.view();
        view.is_some_and(|view| view.run == self.run)
    }

    /// The relay goes on with this member where the connection broke.
    pub(super) fn resume(&mut self, welcome: &Welcome, now: Now) -> Result<Vec<Event>, End> {
        if self.joined.is_none() || !self.is_in_this_run() || welcome.members > 0 {
            return Err(End::Malformed);
        }
        let taken = self.unacknowledged.acknowledge(welcome.received)?;
        self.phase = Phase::Inside;
        self.outgoing.extend(self.unacknowledged.frames());
        self.say_goodbye_if_due(now);
        let mut events = vec![Event::Resumed];
        events.extend((taken > 0).then_some(Event::Taken(taken)));
        Ok(events)
    }

    /// Whether a relay can let this member in like that.
    pub(super) fn check(&self, welcome: &Welcome) -> Result<(), End> {
        let is_next = self.transcript.view().is_none_or(|view| {
            // No epoch comes twice in a run.
            view.run != self.run || view.epoch < welcome.epoch
        });
        let fits = welcome.members < self.limits.members.min(MAX_MEMBERS);
        if is_next && fits && welcome.received == 0 {
            Ok(())
        } else {
            Err(End::Malformed)
        }
    }

    pub(super) fn enter(
        &mut self,
        welcome: Welcome,
        cards: Vec<Result<Card, CardError>>,
        now: Now,
    ) -> Vec<Event> {
        if usize::try_from(welcome.members) != Ok(cards.len()) {
            self.phase = Phase::Entering(welcome, cards);
            return Vec::new();
        }
        let before: HashSet<SessionId> = self.roster.iter().map(|(sid, _)| sid).collect();
        for sid in &before {
            self.remove(*sid);
        }
        self.roster = roster_around(&self.card);
        self.refused.clear();
        self.transcript.enter(welcome.epoch);
        self.begin_change(welcome.epoch);
        self.keys.list(self.card.sid(), self.version());
        let mut events = Vec::new();
        for card in cards {
            let card = card.map_err(Disbelief::Card);
            match card.and_then(|card| self.check_newcomer(card)) {
                Ok(card) => {
                    let (person, former) = self.admit(&card, Arrival::Found, &before, now);
                    events.extend(renamed(person, former));
                }
                Err(disbelief) => events.push(Event::Disbelieved(disbelief)),
            }
        }
        events.extend(self.settle_card());
        self.begin_epoch();
        self.joined = Some(welcome.epoch);
        self.phase = Phase::Inside;
        let is_return = std::mem::replace(&mut self.has_entered, true);
        self.send_again(now);
        self.state_to_all(now);
        self.say_goodbye_if_due(now);
        let people = self.others();
        events.push(if is_return {
            let absent = self.absent_nicks(before.into_iter());
            Event::Returned { people, absent }
        } else {
            Event::Entered(people)
        });
        events
    }
}
