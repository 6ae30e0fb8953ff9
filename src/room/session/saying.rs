//! What this member says, to whom, how it is sealed once it can be sent, and how it is sent again as it
//! was (PROTOCOL §5, §8).

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use crate::cipher::keys::PublicKey;
use crate::cipher::seal::Body;
use crate::room::card::{Card, SessionId};
use crate::room::content::MAX_TEXT;
use crate::room::frame::Frame;
use crate::room::handed::NOT_TO_BE_HANDED_ON;
use crate::room::message::{Header, Kind, LeftOutFor, SealedMessage, Stream, can_leave_out};

use super::event::{Event, SayError};
use super::outbox::{Audience, Draft, Matter, Message, Reader, Receipt, Undelivered};
use super::peer::Peer;
use super::policy::{Policy, To};
use super::sending::{Own, Sent};
use super::{Now, Session};

/// Whom a draft reaches now.
struct Addressees<'a> {
    readers: Vec<&'a Card>,
    left_out: Vec<(SessionId, LeftOutFor)>,
    /// The first session ids of readers whose keys are too old, and of those of whom nothing is known any
    /// more.
    stale: HashSet<SessionId>,
    gone: HashSet<SessionId>,
}

impl<'a> Addressees<'a> {
    /// Adds a reader, unless its key is too old. Returns why it is left out, if it is.
    fn add(&mut self, peer: &'a Peer, now: Duration) -> Option<LeftOutFor> {
        if peer.is_stale(now) {
            self.stale.insert(peer.card.origin());
            return Some(LeftOutFor::StaleKey);
        }
        self.readers.push(&peer.card);
        None
    }
}

impl Session {
    /// How many changes there were of what a user goes by: of the roster, with the first one on
    /// entering, and messages to this member alone.
    #[must_use]
    pub fn changes(&self) -> u64 {
        self.members.changes
    }

    /// Who gets messages.
    #[must_use]
    pub fn policy(&self) -> &Policy {
        &self.policy
    }

    /// Says something: now, or once there is a connection, to those who are on the screen now.
    ///
    /// # Errors
    /// Where it is not sent.
    pub fn say(&mut self, to: To, kind: Kind, text: &str, now: Now) -> Result<Receipt, SayError> {
        if text.is_empty() {
            return Err(SayError::Empty);
        }
        let body = Body::new(kind.code(), text).filter(|_| text.len() <= MAX_TEXT);
        let body = body.ok_or(SayError::TooLong(text.len()))?;
        let words = (Matter::Words(kind), text.to_owned());
        let policy = self.policy;
        self.write(to, &policy, body, words, now)
    }

    /// Says something to those who get it under this policy.
    pub(super) fn write(
        &mut self,
        to: To,
        policy: &Policy,
        body: Body,
        says: (Matter, String),
        now: Now,
    ) -> Result<Receipt, SayError> {
        if !self.door.has_entered || self.parting.is_leaving {
            return Err(SayError::NotInRoom);
        }
        self.presence.active.advance(now.uptime);
        let audience = self.audience(to, policy, now.uptime)?;
        let written = (now.time, now.uptime);
        let receipt = self.outbox.write(says, body, audience, written);
        // If this one is sent now, none was waiting before it.
        self.send_drafts(now);
        let is_kept = self.outbox.get(receipt.number).is_some();
        is_kept.then_some(receipt).ok_or(SayError::TooManyLeftOut)
    }

    /// For whom a message is that is written now.
    fn audience(&self, to: To, policy: &Policy, now: Duration) -> Result<Audience, SayError> {
        let mut audience = Audience {
            is_direct: matches!(to, To::Member(_)),
            readers: Vec::new(),
            left_out: HashMap::new(),
        };
        match to {
            To::Room { shown } => {
                let present = self.members.roster.iter().map(|(_, peer)| peer);
                for peer in present.chain(self.members.expected(now)) {
                    match policy.leaves_out(peer, Some(shown), now) {
                        None => audience.readers.push(Reader::new(&peer.card)),
                        Some(reason) => {
                            audience.left_out.insert(peer.card.origin(), reason);
                        }
                    }
                }
                if !can_leave_out(audience.left_out.len(), self.door.limits.members) {
                    return Err(SayError::TooManyLeftOut);
                }
            }
            To::Member(sid) => {
                let expected = || self.members.expected(now).into_iter();
                let peer = self.members.roster.get(sid);
                let peer = peer.or_else(|| expected().find(|peer| peer.card.sid() == sid));
                let peer = peer.filter(|peer| policy.leaves_out(peer, None, now).is_none());
                let peer = peer.ok_or(SayError::NotThere)?;
                audience.readers.push(Reader::new(&peer.card));
            }
        }
        Ok(audience)
    }

    /// Signs, seals and sends what was never sent, oldest first, if it can be: others may have another session
    /// key than this member knows, until all has come that waited for it. Returns what cannot be sent.
    pub(super) fn send_drafts(&mut self, now: Now) -> Vec<Event> {
        let mut events = Vec::new();
        if !self.is_inside() || self.door.catching_up.is_some() {
            return events;
        }
        while let Some(told) = self.send_next_draft(now) {
            events.extend(told);
        }
        events
    }

    /// Sends the oldest draft, if there is one. Returns what is told of it.
    fn send_next_draft(&mut self, now: Now) -> Option<Vec<Event>> {
        let (message, draft) = self.outbox.next_draft()?;
        let (receipt, direct) = (message.receipt(), message.direct_reader());
        let Addressees {
            readers,
            left_out,
            stale,
            gone,
        } = self.addressees(message, draft, now.uptime);
        let sids: HashMap<SessionId, SessionId> = readers
            .iter()
            .map(|card| (card.origin(), card.sid()))
            .collect();
        if direct.is_some() && sids.is_empty() {
            // A number that nobody gets would be missed.
            let events = self.leave_out(receipt, &stale, &gone);
            self.outbox.give_up(receipt);
            return Some(events);
        }
        let stream = direct.map_or(Stream::Room, |(origin, sid)| {
            Stream::Direct(sids.get(&origin).copied().unwrap_or(sid))
        });
        let header = Header {
            room: self.own.card.room(),
            sender: self.own.card.sid(),
            stream,
            number: self.outbox.number(direct.map(|(origin, _)| origin)),
            time: draft.time,
            flags: u8::from(self.policy.forbids_sharing()) * NOT_TO_BE_HANDED_ON,
            left_out,
            claim: self.claim()?,
            commitment: draft.body.commitment(),
        };
        if !header.fits(self.door.limits.members) {
            return Some(Vec::from_iter(self.give_up(receipt)));
        }
        let keys: Vec<(SessionId, &PublicKey)> = readers
            .iter()
            .map(|card| (card.sid(), card.session()))
            .collect();
        let bytes = SealedMessage::seal(&header, &draft.body, &self.own.identity.key, &keys);
        let active = self.presence.active.get();
        let times = (active, now.uptime);
        self.outbox.seal(receipt, &header, bytes, &sids, times);
        let events = self.leave_out(receipt, &stale, &gone);
        let order = self.sending.next_order();
        self.send_message(receipt, order, now);
        Some(events)
    }

    /// A draft does not reach these readers, whose keys are too old, and those who are gone.
    fn leave_out(
        &mut self,
        receipt: u64,
        stale: &HashSet<SessionId>,
        gone: &HashSet<SessionId>,
    ) -> Vec<Event> {
        let outbox = &mut self.outbox;
        let mut news = outbox.leave_out(receipt, stale, Undelivered::StaleKey);
        news.extend(outbox.leave_out(receipt, gone, Undelivered::Gone));
        news.into_iter().map(Event::of_news).collect()
    }

    /// Whom a draft reaches now: those for whom it was written, under the session keys that they have now.
    /// It leaves out whoever has come since.
    fn addressees(&self, message: &Message, draft: &Draft, now: Duration) -> Addressees<'_> {
        let mut addressees = Addressees {
            readers: Vec::new(),
            left_out: Vec::new(),
            stale: HashSet::new(),
            gone: HashSet::new(),
        };
        let is_to_room = message.direct_reader().is_none();
        let mut open = message.open_readers();
        for (sid, peer) in self.members.roster.iter() {
            let origin = peer.card.origin();
            let reader = open.get(&origin);
            let reason = if reader.is_some_and(|reader| reader.goes_on_as(&peer.card)) {
                open.remove(&origin);
                addressees.add(peer, now)
            } else {
                let before = draft.left_out.get(&origin);
                Some(before.copied().unwrap_or(LeftOutFor::Coming))
            };
            let reason = reason.filter(|_| is_to_room);
            let left_out = reason.map(|reason| (sid, reason));
            addressees.left_out.extend(left_out);
        }
        // Those who are left out and may come back are told so, too.
        let absent = draft.left_out.iter().filter_map(|(origin, reason)| {
            let peer = self.members.absent(*origin)?;
            Some((peer.card.sid(), *reason))
        });
        addressees.left_out.extend(absent);
        addressees.left_out.sort_unstable_by_key(|(sid, _)| *sid);
        addressees.left_out.dedup_by_key(|(sid, _)| *sid);
        // It is kept for those who may come back, until they do under the session that they had.
        for origin in open.into_keys() {
            match self.members.absent(origin) {
                Some(peer) => {
                    addressees.add(peer, now);
                }
                None => {
                    addressees.gone.insert(origin);
                }
            }
        }
        addressees
    }

    /// Gives a message up that cannot be sent.
    fn give_up(&mut self, receipt: u64) -> Option<Event> {
        let message = self.outbox.give_up(receipt)?;
        Some(Event::NotTaken {
            receipt,
            readers: message.readers().cloned().collect(),
            text: message.text().to_owned(),
        })
    }

    /// Whether the relay has yet to take what has this receipt, or it has yet to be told that it will
    /// not.
    #[must_use]
    pub fn awaits(&self, receipt: &Receipt) -> bool {
        let mut untaken = self.outbox.untaken();
        untaken.any(|message| message.receipt() == receipt.number)
    }

    /// Says goodbye, once the relay has taken all that was said before.
    pub fn leave(&mut self, now: Now) {
        self.parting.is_leaving = true;
        self.say_goodbye_if_due(now);
    }

    pub(super) fn say_goodbye_if_due(&mut self, now: Now) {
        let is_due = self.parting.is_leaving && !self.parting.said_goodbye && self.is_inside();
        if is_due && self.outbox.untaken().next().is_none() {
            self.parting.said_goodbye = true;
            self.state_goodbye(now);
        }
    }

    /// Sends what is not back, or not taken, as it was; and to those who are there late copies of what
    /// they have not confirmed, after this member has entered anew. Returns what cannot be sent.
    pub(super) fn send_again(&mut self, now: Now) -> Vec<Event> {
        let senders = self.senders();
        let untaken = self.outbox.untaken();
        let sealed = untaken.filter_map(|message| Some((message, message.sender()?)));
        let sealed: Vec<(u64, bool)> = sealed
            .map(|(message, sender)| {
                let can_be_sent = senders.contains(&sender) && self.can_reach(message);
                (message.receipt(), can_be_sent)
            })
            .collect();
        let mut events = Vec::new();
        let present = self
            .members
            .roster
            .iter()
            .map(|(_, peer)| peer.card.origin());
        for origin in present.collect::<Vec<_>>() {
            events.extend(self.copy_to(origin, false, now));
            self.owe_receipt_again(origin, now);
        }
        for (receipt, can_be_sent) in sealed {
            if can_be_sent {
                let order = self.sending.next_order();
                self.send_message(receipt, order, now);
            } else {
                // The relay takes what was sealed under this session id and the one before alone, and
                // passes it on to readers under these of theirs.
                events.extend(self.give_up(receipt));
            }
        }
        events
    }

    /// Begins to send a reader, who has entered anew or to whom this member has, what it has not confirmed.
    /// Returns what cannot be sent.
    pub(super) fn copy_to(&mut self, origin: SessionId, was_there: bool, now: Now) -> Vec<Event> {
        let Some(readers) = self.session_ids(origin) else {
            return Vec::new();
        };
        let given_up = self.outbox.give_up_for(origin, self.senders(), readers);
        let receipts = self.outbox.start_over(origin, was_there);
        self.copies.begin(origin, receipts, now.uptime);
        self.send_copies(now);
        given_up.into_iter().map(Event::of_news).collect()
    }

    /// Sends the copies that are due.
    pub(super) fn send_copies(&mut self, now: Now) {
        if self.parting.said_goodbye {
            return;
        }
        let present = self.members.present_origins();
        for (receipt, origin, frame) in self.copies.take_due(&self.outbox, &present, now.uptime) {
            let order = self.sending.next_order();
            self.outbox.sent_alone(receipt, origin, order);
            self.send(Sent::Frame(frame));
        }
    }

    /// The session ids under which messages reach the member that is in the room and had this one at
    /// first.
    pub(super) fn session_ids(&self, origin: SessionId) -> Option<[SessionId; 2]> {
        let sid = self.members.present(origin)?;
        let peer = self.members.roster.get(sid)?;
        Some([sid, peer.card.previous()])
    }

    /// The session ids under which the relay takes messages from this member.
    /// If a card that follows is under way, the one before the present is not among them any more.
    pub(super) fn senders(&self) -> [SessionId; 2] {
        let present = self.own.card.sid();
        if self.own.next_card.is_some() {
            return [present; 2];
        }
        [present, self.own.card.previous()]
    }

    /// Whether a message can reach anybody: a direct one cannot whose reader has changed its session key
    /// twice since.
    fn can_reach(&self, message: &Message) -> bool {
        let Some((origin, sid)) = message.direct_reader() else {
            return true;
        };
        let now = self.session_ids(origin);
        now.is_none_or(|sids| sids.contains(&sid))
    }

    /// Sends a message of the outbox.
    fn send_message(&mut self, receipt: u64, order: u64, now: Now) {
        let message = self.outbox.get(receipt);
        let Some((reader, signed)) = message.and_then(|m| Some((m.direct_reader(), m.signed()?)))
        else {
            return;
        };
        self.send(Sent::Message(receipt));
        if let Some((origin, _)) = reader {
            self.outbox.sent_alone(receipt, origin, order);
        } else {
            self.sending
                .expect_back(Own::Message(receipt), signed, order);
            self.timers.entry_is_sent(now.uptime);
        }
    }

    /// Sends something.
    pub(super) fn send(&mut self, sent: Sent) {
        let frames = self.frames_of(&sent);
        if self.sending.is_empty() {
            self.timers.acknowledged(self.presence.active.get());
        }
        self.sending.push(sent, frames.len());
        self.door.outgoing.extend(frames);
    }

    /// The frames that carry something.
    pub(super) fn frames_of(&self, sent: &Sent) -> Vec<Frame> {
        match sent {
            Sent::Frame(frame) => vec![frame.clone()],
            Sent::Message(receipt) => {
                let message = self.outbox.get(*receipt);
                message.map_or_else(Vec::new, Message::frames)
            }
        }
    }
}
