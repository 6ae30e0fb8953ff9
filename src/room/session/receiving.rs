//! What comes from the relay. All is dealt with in its order, some of it at once and the rest as soon as what
//! is before it is: verifying and opening may take a while elsewhere. What the relay says of this member's
//! own does not wait for that.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::room::card::Card;
use crate::room::frame::ToClient;
use crate::room::notice::Notice;

use super::door::{Entering, Phase};
use super::event::{End, Event};
use super::history::At;
use super::inbox::{Arrival, Progress};
use super::jobs::{Done, Found, Job, Parcel, Place, Work};
use super::placing::Arrived;
use super::streams::Turn;
use super::{Now, Session};

impl Session {
    /// Takes a frame from the relay: its type and fields; and deals with it at once, whatever work that is.
    ///
    /// # Errors
    /// Where the session is over.
    pub fn receive(&mut self, frame: &[u8], now: Now) -> Result<Vec<Event>, End> {
        let mut events = self.take_in(frame, now)?;
        loop {
            for job in self.take_jobs() {
                self.take_done(job.run());
            }
            match self.deal(now) {
                Some(dealt) => events.extend(dealt?),
                None => return Ok(events),
            }
        }
    }

    /// Takes a frame from the relay: its type and fields. [`Session::deal`] deals with it, unless it does not
    /// have to wait for what came before.
    ///
    /// # Errors
    /// Where the session is over.
    pub fn take_in(&mut self, frame: &[u8], now: Now) -> Result<Vec<Event>, End> {
        self.presence.active.advance(now.uptime);
        let events = if self.is_inside() {
            self.take_in_inside(frame, now)
        } else {
            self.receive_outside(frame, now)?
        };
        Ok(self.go_on_sharing(events, now))
    }

    /// Deals with the oldest frame that waits, if there is one and no job for it is under way.
    pub fn deal(&mut self, now: Now) -> Option<Result<Vec<Event>, End>> {
        let (arrival, since) = self.inbox.pop(now.uptime)?;
        self.presence.active.advance(now.uptime);
        let begun = Now {
            uptime: since,
            ..now
        };
        let dealt = self.deal_with(arrival, begun);
        Some(dealt.map(|events| self.go_on_sharing(events, now)))
    }

    /// About how many bytes of memory what waits takes: as many as its frames [weigh](super::weight).
    #[must_use]
    pub fn backlog(&self) -> usize {
        self.inbox.weight()
    }

    /// The work of verifying and opening that can be done beside now, for whatever threads: of the messages
    /// that wait, as far as they are right in their place by what is known so far.
    pub fn take_jobs(&mut self) -> Vec<Job> {
        let mut inbox = std::mem::take(&mut self.inbox);
        let now = self.history.now();
        let shown = At {
            position: now.position.saturating_add(inbox.entries()),
            ..now
        };
        let jobs = inbox.hand_out(|frame| self.work_for(frame, shown));
        self.inbox = inbox;
        jobs
    }

    /// A job is done, in whatever order.
    pub fn take_done(&mut self, done: Done) {
        self.inbox.put(done);
    }

    /// What is to be done for a message, if a frame brings one that is worth it: when it is dealt with, this
    /// member will have been `shown` more, and so may know it better.
    fn work_for(&mut self, frame: &Arc<[u8]>, shown: At) -> Option<(Place, Work)> {
        let arrived = Arrived::read(Parcel::parse(frame)?, None)?;
        let sender = arrived.header.sender;
        let peer = self.members.roster.get(sender)?;
        if peer.wrong.are_many() {
            return None;
        }
        let parties = self.find_parties(&arrived, Some(sender), shown).ok()?;
        let place = self.place(&arrived, &parties);
        let can_open = place.is_right() && matches!(place.turn, Turn::New | Turn::Late);
        if !can_open || arrived.ciphertext.is_empty() || parties.is_unplaced {
            return None;
        }
        let work = Work {
            frame: Arc::clone(frame),
            identity: self.members.roster.get(sender)?.card.identity().clone(),
            readers: self.candidates(&parties),
        };
        Some(((sender, arrived.header.stream, arrived.header.number), work))
    }

    fn receive_outside(&mut self, frame: &[u8], now: Now) -> Result<Vec<Event>, End> {
        let frame = ToClient::parse(frame)?;
        let phase = std::mem::replace(&mut self.door.phase, Phase::Begun);
        match (phase, frame) {
            (_, ToClient::Notice(code)) => Err(end_with(code)),
            (Phase::Begun, ToClient::Challenge(challenge, limits)) => {
                (self.door.is_greeted, self.door.limits) = (true, limits);
                self.present(&challenge, now)?;
                Ok(Vec::new())
            }
            (Phase::Presented(presented, signed), ToClient::Welcome(welcome)) => {
                if welcome.resumed {
                    return self.resume(&welcome, now);
                }
                self.check(&welcome)?;
                // Whatever breaks from here on, what the connection before brought is over.
                (self.door.joined, self.door.received) = (None, 0);
                let entering = Entering {
                    welcome,
                    presented: *presented,
                    signed,
                    cards: Vec::new(),
                    absences: BTreeMap::new(),
                };
                Ok(self.enter(entering, now))
            }
            (Phase::Entering(mut entering), ToClient::Member(card)) => {
                let card = Card::parse(card, self.own.card.room());
                entering.cards.push(card);
                Ok(self.enter(*entering, now))
            }
            (Phase::Entering(mut entering), ToClient::Absent(absence)) => {
                let before = entering.absences.insert(entering.cards.len(), absence);
                self.door.phase = Phase::Entering(entering);
                before.map_or(Ok(Vec::new()), |_| Err(End::Malformed))
            }
            (phase @ Phase::Entering(..), ToClient::Ping) => {
                self.door.phase = phase;
                Ok(Vec::new())
            }
            _ => Err(End::Malformed),
        }
    }

    fn take_in_inside(&mut self, frame: &[u8], now: Now) -> Vec<Event> {
        let mut events = Vec::new();
        let (arrival, entries) = match ToClient::parse(frame) {
            // It is answered where frames are read: after decryption, the time that the answer
            // takes would tell how that went.
            Ok(ToClient::Ping) => return events,
            Ok(ToClient::Ack(count)) => match self.take_ack(count, now) {
                Ok(told) if self.door.catching_up.is_some() => {
                    events = told;
                    (Arrival::CaughtUp, 0)
                }
                Ok(told) => return told,
                Err(_) => (Arrival::Malformed, 0),
            },
            Ok(ToClient::Refused(code)) => match self.take_refusal(code) {
                Ok(told) => {
                    self.door.received += 1;
                    return vec![told];
                }
                Err(_) => (Arrival::Malformed, 0),
            },
            Ok(ToClient::Own) => match self.take_back() {
                Ok(own) => (Arrival::Own(own), 1),
                Err(_) => (Arrival::Malformed, 0),
            },
            other => {
                let entries = match other {
                    Ok(ToClient::Entry { .. }) => 1,
                    Ok(ToClient::Passed(digests)) => digests.len().try_into().unwrap_or(u64::MAX),
                    _ => 0,
                };
                (Arrival::Frame(frame.into(), Progress::Waiting), entries)
            }
        };
        self.inbox.push(arrival, entries, now.uptime);
        events
    }

    fn deal_with(&mut self, arrival: Arrival, now: Now) -> Result<Vec<Event>, End> {
        let before = self.history.now();
        let dealt = self.deal_with_next(arrival, now);
        if dealt == Err(End::Malformed) {
            // It was put in on the way, perhaps. The others, who were not shown it, are told what was seen
            // before.
            self.history.go_back_to(before);
        }
        dealt
    }

    fn deal_with_next(&mut self, arrival: Arrival, now: Now) -> Result<Vec<Event>, End> {
        let events = match arrival {
            Arrival::Frame(frame, progress) => {
                let found = match progress {
                    Progress::Found(found, _) => Some(found),
                    _ => None,
                };
                self.deal_with_frame(&frame, found, now)?
            }
            Arrival::Own(own) => self.take_own(own, now)?,
            Arrival::CaughtUp => return Ok(self.catch_up(now)),
            Arrival::Malformed => return Err(End::Malformed),
        };
        self.door.received += 1;
        if let Some(catching_up) = &mut self.door.catching_up {
            catching_up.count(&events);
        }
        Ok(events)
    }

    fn deal_with_frame(
        &mut self,
        frame: &[u8],
        found: Option<Found>,
        now: Now,
    ) -> Result<Vec<Event>, End> {
        match ToClient::parse(frame)? {
            ToClient::Entry {
                kind,
                entry,
                ciphertext,
            } => self.take_entry(kind, entry, ciphertext, found, now),
            ToClient::Deliver(signed, ciphertext) => {
                let parcel = Parcel {
                    signed,
                    ciphertext,
                    is_entry: false,
                };
                Ok(self.take_delivery(parcel, found, now))
            }
            ToClient::Receipt(signed) => Ok(self.take_receipt(&signed, now)),
            ToClient::Passed(digests) => {
                self.take_passed(&digests)?;
                Ok(Vec::new())
            }
            ToClient::Notice(code) => Err(end_with(code)),
            _ => Err(End::Malformed),
        }
    }

    /// The relay has taken so many frames.
    fn take_ack(&mut self, count: u64, now: Now) -> Result<Vec<Event>, End> {
        let acknowledged = self.sending.acknowledge(count)?;
        if acknowledged.is_news {
            self.timers.acknowledged(self.presence.active.get());
            self.timers.relay_answers();
        }
        let taken = acknowledged.messages.len();
        for receipt in acknowledged.messages {
            self.outbox.taken(receipt);
        }
        self.say_goodbye_if_due(now);
        let mut events = Vec::from_iter((taken > 0).then_some(Event::Taken(taken)));
        events.extend(acknowledged.is_swallowed.then_some(Event::Swallowed));
        Ok(events)
    }

    /// What waited has come before the first ACK.
    fn catch_up(&mut self, now: Now) -> Vec<Event> {
        let Some(caught_up) = self.door.catching_up.take() else {
            return Vec::new();
        };
        self.timers.acknowledged(self.presence.active.get());
        let mut events = Vec::from_iter(self.finish_catching_up(&caught_up, now));
        events.extend(self.send_drafts(now));
        events
    }
}

/// How the session ends with a notice that has this code.
fn end_with(code: u8) -> End {
    Notice::from_code(code).map_or(End::UnknownNotice(code), End::Notice)
}
