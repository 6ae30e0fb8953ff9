//! What this member says, to whom, and how it is sent again as it was (PROTOCOL §5, §8).

use std::time::Duration;

use crate::cipher::keys::PublicKey;
use crate::cipher::seal::Body;
use crate::room::Time;
use crate::room::card::SessionId;
use crate::room::content::MAX_TEXT;
use crate::room::frame::Frame;
use crate::room::handed::NOT_TO_BE_HANDED_ON;
use crate::room::message::{Header, Kind, LeftOutFor, SealedMessage, Stream};

use super::event::{Event, SayError};
use super::outbox::{Matter, Message, Reader, Receipt};
use super::policy::{Policy, To};
use super::sending::{Own, Sent};
use super::{Now, Session};

/// For whom a message is, and what number it has for them.
struct Addressees<'a> {
    stream: Stream,
    /// By whom the stream is counted: the reader's first session id, if it is for one alone.
    origin: Option<SessionId>,
    readers: Vec<(Reader, &'a PublicKey)>,
    left_out: Vec<(SessionId, LeftOutFor)>,
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

    /// Says something.
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
        self.send_body(to, &policy, &body, words, now)
    }

    /// Seals something for those who get it under this policy, and sends it.
    pub(super) fn send_body(
        &mut self,
        to: To,
        policy: &Policy,
        body: &Body,
        says: (Matter, String),
        now: Now,
    ) -> Result<Receipt, SayError> {
        if !self.door.has_entered || self.parting.is_leaving {
            return Err(SayError::NotInRoom);
        }
        self.presence.active.advance(now.uptime);
        let addressees = self.addressees(to, policy, now.uptime)?;
        let header = self.header(&addressees, body, now.time)?;
        let keys: Vec<(SessionId, &PublicKey)> = addressees
            .readers
            .iter()
            .map(|(reader, key)| (reader.sid, *key))
            .collect();
        let sealed = SealedMessage::seal(&header, body, &self.own.identity.key, &keys);
        let origin = addressees.origin;
        let readers = addressees.readers.into_iter();
        let readers: Vec<Reader> = readers.map(|(reader, _)| reader).collect();
        let receipt = Receipt {
            readers: readers.len(),
            number: self.outbox.count(origin),
        };
        let order = self.sending.next_order();
        let message = Message::new(receipt.number, sealed, &header, says, readers)
            .at(self.presence.active.get(), now.uptime);
        self.outbox.push(message);
        self.send_message(receipt.number, order, now);
        Ok(receipt)
    }

    /// For whom a message is that is said now.
    fn addressees(
        &self,
        to: To,
        policy: &Policy,
        now: Duration,
    ) -> Result<Addressees<'_>, SayError> {
        match to {
            To::Room { shown } => {
                let mut addressees = Addressees {
                    stream: Stream::Room,
                    origin: None,
                    readers: Vec::new(),
                    left_out: Vec::new(),
                };
                for (sid, peer) in self.members.roster.iter() {
                    match policy.leaves_out(peer, Some(shown), now) {
                        None => addressees
                            .readers
                            .push((Reader::new(&peer.card), peer.card.session())),
                        Some(reason) => addressees.left_out.push((sid, reason)),
                    }
                }
                // It is kept for them, until they are back under the session that they had.
                for peer in self.members.expected(now) {
                    if policy.leaves_out(peer, Some(shown), now).is_none() {
                        addressees
                            .readers
                            .push((Reader::new(&peer.card), peer.card.session()));
                    }
                }
                Ok(addressees)
            }
            To::Member(sid) => {
                let peer = self
                    .members
                    .roster
                    .get(sid)
                    .filter(|peer| policy.leaves_out(peer, None, now).is_none());
                let peer = peer.ok_or(SayError::NotThere)?;
                Ok(Addressees {
                    stream: Stream::Direct(sid),
                    origin: Some(peer.card.origin()),
                    readers: vec![(Reader::new(&peer.card), peer.card.session())],
                    left_out: Vec::new(),
                })
            }
        }
    }

    fn header(&self, to: &Addressees, body: &Body, time: Time) -> Result<Header, SayError> {
        let header = Header {
            room: self.own.card.room(),
            sender: self.own.card.sid(),
            stream: to.stream,
            number: self.outbox.number(to.origin),
            time,
            flags: u8::from(self.policy.forbids_sharing()) * NOT_TO_BE_HANDED_ON,
            left_out: to.left_out.clone(),
            claim: self.claim().ok_or(SayError::NotInRoom)?,
            commitment: body.commitment(),
        };
        if header.fits(self.door.limits.members) {
            Ok(header)
        } else {
            Err(SayError::TooManyLeftOut)
        }
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
        let untaken: Vec<(u64, bool)> = untaken
            .map(|message| {
                let can_be_sent = senders.contains(&message.sender()) && self.can_reach(message);
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
        for (receipt, can_be_sent) in untaken {
            if can_be_sent {
                let order = self.sending.next_order();
                self.send_message(receipt, order, now);
                continue;
            }
            // The relay takes what was written under this session id and the one before alone, and
            // passes it on to readers under these of theirs.
            if let Some(message) = self.outbox.give_up(receipt) {
                events.push(Event::NotTaken {
                    receipt,
                    readers: message.readers().cloned().collect(),
                    text: message.text().to_owned(),
                });
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
        let reader = message.direct_reader();
        let now = reader.and_then(|origin| Some((origin, self.session_ids(origin)?)));
        now.is_none_or(|(origin, sids)| message.is_for(origin, sids))
    }

    /// Sends a message of the outbox.
    fn send_message(&mut self, receipt: u64, order: u64, now: Now) {
        let message = self.outbox.get(receipt);
        let Some((reader, signed)) = message.map(|m| (m.direct_reader(), m.signed)) else {
            return;
        };
        self.send(Sent::Message(receipt));
        if let Some(origin) = reader {
            self.outbox.sent_alone(receipt, origin, order);
        } else {
            self.sending
                .expect_back(Own::Message(receipt), signed, order);
            self.timers.entry_is_sent(now.uptime);
        }
    }

    /// Sends something now, or over the next connection.
    pub(super) fn send(&mut self, sent: Sent) {
        let frames = self.frames_of(&sent);
        if self.sending.is_empty() {
            self.timers.acknowledged(self.presence.active.get());
        }
        self.sending.push(sent, frames.len());
        if self.is_inside() {
            self.door.outgoing.extend(frames);
        }
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
