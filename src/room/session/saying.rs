//! What this member says, to whom, and how it is sent again.

use std::collections::HashSet;
use std::time::Duration;

use crate::cipher::encoding::Digest;
use crate::cipher::keys::PublicKey;
use crate::cipher::seal::Body;
use crate::room::Time;
use crate::room::card::SessionId;
use crate::room::frame::Frame;
use crate::room::message::{Header, Kind, SealedMessage, Stream, audience_digest, header_digest};
use crate::room::statement::Occasion;

use super::event::{SayError, Standing};
use super::peer::Peer;
use super::said::Said;
use super::unacknowledged::Sent;
use super::{Now, Session};

/// Whom a message is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum To {
    /// Everybody who was in the room after this change of the roster, which is what was on the
    /// user's screen. Who came since is left out.
    Room {
        /// The number of the change, as [`Session::changes`] has it.
        shown: u64,
    },
    /// One member.
    Member(SessionId),
}

/// What is known of a message when it has been said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// Tells it from all others of this session.
    pub number: u64,
    /// How many can read it.
    pub readers: usize,
}

/// For whom a message is, and what number it has for them.
struct Addressees<'a> {
    stream: Stream,
    sequence: u64,
    /// The writer's session id among theirs.
    own: SessionId,
    readers: Vec<(SessionId, &'a PublicKey)>,
    left_out: Vec<SessionId>,
}

impl Addressees<'_> {
    fn audience(&self) -> Digest {
        let readers = self.readers.iter().map(|(sid, _)| *sid);
        let mut audience: Vec<SessionId> = readers.chain([self.own]).collect();
        audience.sort_unstable();
        audience_digest(&audience)
    }
}

/// Who gets messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Policy {
    /// The least that must be known of somebody. Those whose identity has changed never get any.
    pub at_least: Standing,
    /// How often the session key is changed.
    pub rekey_after: Duration,
}

impl Policy {
    /// Whether somebody of whom this is known gets messages.
    #[must_use]
    pub fn admits(&self, standing: Standing) -> bool {
        standing >= self.at_least.max(Standing::New)
    }
}

impl Session {
    /// How many changes there were of what a user goes by: of the roster, with the first one on
    /// entering, and messages to this member alone.
    #[must_use]
    pub fn changes(&self) -> u64 {
        self.changes
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
        let Some(body) = Body::new(kind.code(), text.to_owned()) else {
            return Err(SayError::TooLong(text.len()));
        };
        if !self.has_entered || self.is_leaving {
            return Err(SayError::NotInRoom);
        }
        self.greet(now);
        let addressees = self.addressees(to, now.uptime)?;
        let header = self.header(&addressees, &body, now.time)?;
        let mut informed = header.left_out.clone();
        if header.stream == Stream::Room {
            informed.push(header.sender);
        }
        let (key, readers) = (&self.identity.key, &addressees.readers);
        let message = SealedMessage::seal(&header, &body, key, readers, &informed);
        let readers = readers.len();
        self.count(to);
        self.spoken
            .push(header_digest(&message.header), text.to_owned());
        self.receipts += 1;
        let number = self.receipts;
        let said = Said::new(message, &header, text.to_owned(), number);
        self.send(Sent::Message(said));
        Ok(Receipt { number, readers })
    }

    /// For whom a message is that is said now.
    fn addressees(&self, to: To, now: Duration) -> Result<Addressees<'_>, SayError> {
        let may_read = |peer: &Peer| self.policy.admits(peer.standing) && !peer.is_stale(now);
        match to {
            To::Room { shown } => {
                let mut addressees = Addressees {
                    stream: Stream::Room,
                    sequence: self.next,
                    own: self.keys.listed(),
                    readers: Vec::new(),
                    left_out: Vec::new(),
                };
                for (sid, peer) in self.roster.iter() {
                    if may_read(peer) && peer.shown <= shown {
                        addressees.readers.push((sid, peer.card.session()));
                    } else {
                        addressees.left_out.push(sid);
                    }
                }
                Ok(addressees)
            }
            To::Member(sid) => {
                let peer = self.roster.get(sid).filter(|peer| may_read(peer));
                let peer = peer.ok_or(SayError::NotThere)?;
                let own = self.card.sid();
                Ok(Addressees {
                    stream: Stream::Direct(sid),
                    sequence: peer.outgoing.direct.number(own, sid),
                    own,
                    readers: vec![(sid, peer.card.session())],
                    left_out: Vec::new(),
                })
            }
        }
    }

    fn header(&self, to: &Addressees, body: &Body, time: Time) -> Result<Header, SayError> {
        let view = self.transcript.view().ok_or(SayError::NotInRoom)?;
        let header = Header {
            room: self.card.room(),
            sender: self.card.sid(),
            run: view.run,
            epoch: view.epoch,
            stream: to.stream,
            sequence: to.sequence,
            time,
            left_out: to.left_out.clone(),
            audience: to.audience(),
            seen: view.seen,
            parent: *view.parent,
            commitment: body.commitment(),
        };
        if header.fits() {
            Ok(header)
        } else {
            Err(SayError::TooManyLeftOut)
        }
    }

    /// There is one message more to them.
    fn count(&mut self, to: To) {
        match to {
            To::Room { .. } => {
                self.next += 1;
                for (_, peer) in self.roster.iter_mut() {
                    peer.outgoing.total += 1;
                }
            }
            To::Member(sid) => {
                if let Some(peer) = self.roster.get_mut(sid) {
                    *peer.outgoing.direct.next(self.card.sid(), sid) += 1;
                }
            }
        }
    }

    /// Whether the relay has yet to take what has this receipt, or it has yet to be told that it will
    /// not.
    #[must_use]
    pub fn awaits(&self, receipt: &Receipt) -> bool {
        let is_it = |said: &Said| said.receipt() == Some(receipt.number);
        self.unacknowledged.messages().any(is_it) || self.held.iter().any(is_it)
    }

    /// Says goodbye, once the relay has taken all that was said before.
    pub fn leave(&mut self, now: Now) {
        self.is_leaving = true;
        self.say_goodbye_if_due(now);
    }

    pub(super) fn say_goodbye_if_due(&mut self, now: Now) {
        let is_due = self.is_leaving && !self.said_goodbye && self.is_inside();
        if is_due && self.unacknowledged.messages().next().is_none() {
            self.state(Occasion::Leave, &[], now);
            self.send(Sent::Word(Frame::leave()));
            self.said_goodbye = true;
        }
    }

    /// Sends what the relay had not taken when this member had to enter the room anew, as it was.
    /// What is for somebody who is away is kept too.
    pub(super) fn send_again(&mut self, now: Now) {
        self.on_their_way.clear();
        let messages = self.unacknowledged.begin_again();
        // What was kept is older.
        self.send_held();
        let senders = [self.card.sid(), self.card.previous()];
        for said in messages {
            if !senders.contains(&said.sender()) {
                self.held.give_up(said);
                continue;
            }
            let absent = &self.absent;
            let is_away = |sid| absent.contains_key(&sid);
            self.held.hold(&said, is_away, now.uptime);
            self.send(Sent::Message(said));
        }
    }

    /// Sends what was kept for those who have come back.
    pub(super) fn send_held(&mut self) {
        if self.said_goodbye {
            return;
        }
        let readers = self.held.awaited();
        // The relay passes on what is for the session id before, and for none that is older.
        let is_back = |sid: &SessionId| {
            let present = self.present_sid(*sid);
            let peer = present.and_then(|present| self.roster.get(present));
            peer.is_some_and(|peer| peer.card.sid() == *sid || peer.card.has_previous(*sid))
        };
        let back: HashSet<SessionId> = readers.into_iter().filter(is_back).collect();
        for said in self.held.take(&back) {
            self.send(Sent::Message(said));
        }
    }

    pub(super) fn send(&mut self, sent: Sent) {
        if let Sent::Message(said) = &sent {
            self.on_their_way.extend(said.header_to_come_back());
        }
        let frames = self.unacknowledged.push(sent);
        if self.is_inside() {
            self.outgoing.extend(frames);
        }
    }
}
