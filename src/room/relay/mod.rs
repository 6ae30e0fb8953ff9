//! The relay's side: who may enter, and one room's roster and forwarding (PROTOCOL §7, §8).
//!
//! A room sees cards, headers and ciphertexts, and has no key to open anything. What it sends goes
//! into each member's [`Mailbox`]; how that gets to a socket is not its affair.
//!
//! - this file: entering, and a room.
//! - `intake`: what one member sends; `reassembly`: its messages, frame by frame; `incoming`: the
//!   bytes of frames; `throttle`, `bucket`: how much it may send.
//! - `backlog`: what is on its way to one member; `bundle`: frames that are sent together;
//!   `outgoing`: one frame.

mod backlog;
mod bucket;
mod bundle;
mod incoming;
mod intake;
mod outgoing;
mod reassembly;
mod throttle;

use std::collections::HashMap;

use crate::cipher::fingerprint::Fingerprint;

use super::card::{Card, SessionId};
use super::frame::{Challenge, Departure, Frame, RelayLimits, ToRelay};
use super::names::RoomId;
use super::notice::Notice;
use super::roster::Roster;

pub use self::backlog::{Backlog, Overflow};
pub use self::bucket::{Bucket, Rate};
pub use self::bundle::Unsent;
pub use self::incoming::{IncomingFrame, RetentionBudget};
pub use self::intake::{Intake, MemberRequest, OutgoingStatement, has_signature_to_check};
pub use self::outgoing::OutgoingFrame;
pub use self::reassembly::ReassembledMessage;
pub use self::throttle::{Cost, Throttle};

/// Where a room puts frames for a member. Putting one there must not block.
pub trait Mailbox: Clone {
    /// Takes a frame. Frames leave in the order in which they came.
    fn post(&self, frame: OutgoingFrame);

    /// Takes a last frame: the member is not in the room any more.
    fn dismiss(&self, notice: Notice);
}

/// A client that wants to enter a room, and has proved its identity.
#[derive(Debug)]
pub struct Newcomer {
    /// Its card.
    pub card: Card,
    /// Where it wants to resume, if it does.
    pub resume_point: Option<ResumePoint>,
}

/// The resume point of a member: how far it has come in its room (PROTOCOL §8).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ResumePoint {
    /// The epoch in which it joined. It may have been let in once more since without knowing.
    pub joined: u64,
    /// How many counted frames it has received since then.
    pub received: u64,
}

/// Checks HELLO, the first frame of a client that wants to enter `room` (PROTOCOL §7).
///
/// # Errors
/// The notice to send before hanging up.
pub fn admit(frame: &[u8], challenge: &Challenge, room: RoomId) -> Result<Newcomer, Notice> {
    let Ok(ToRelay::Hello {
        card,
        resumes,
        received,
        proof,
    }) = ToRelay::parse(frame)
    else {
        return Err(Notice::Malformed);
    };
    let card = Card::parse(card, room)?;
    let possession = challenge.possession(card.sid(), received);
    if card.identity().verifies(&possession, proof) {
        Ok(Newcomer {
            card,
            resume_point: resumes.map(|joined| ResumePoint { joined, received }),
        })
    } else {
        Err(Notice::Possession)
    }
}

struct Occupant<M> {
    /// The frame MEMBER with its card, made once for all who come later.
    member: OutgoingFrame,
    fingerprint: Fingerprint,
    skeleton: String,
    /// The session id that it had in generation 0.
    origin: SessionId,
    mailbox: M,
    /// The epoch in which it joined.
    joined: u64,
}

impl<M> Occupant<M> {
    /// Whether `card` is of this very member: the same identity, with the same nick or the same
    /// session id in generation 0 (PROTOCOL §8).
    fn is_same_member(&self, card: &Card, skeleton: &str) -> bool {
        self.fingerprint == card.fingerprint()
            && (self.skeleton == skeleton || self.origin == card.origin())
    }
}

/// A room: its members, and the number of its last change.
pub struct Room<M> {
    epoch: u64,
    max_members: usize,
    roster: Roster<Occupant<M>>,
    /// The present session ids of members that had another before: messages to that may still be
    /// under way (PROTOCOL §11).
    successors: HashMap<SessionId, SessionId>,
}

impl<M: Mailbox> Room<M> {
    /// An empty room, whose first change gets the number after `epoch`.
    #[must_use]
    pub fn new(epoch: u64, limits: &RelayLimits) -> Self {
        Self {
            epoch,
            max_members: usize::try_from(limits.members).unwrap_or(usize::MAX),
            roster: Roster::default(),
            successors: HashMap::new(),
        }
    }

    /// The number of the last change.
    #[must_use]
    pub fn epoch(&self) -> u64 {
        self.epoch
    }

    /// How many members there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.roster.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.roster.is_empty()
    }

    /// The mailboxes of all members.
    pub fn mailboxes(&self) -> impl Iterator<Item = &M> {
        self.roster.iter().map(|(_, occupant)| &occupant.mailbox)
    }

    /// The places in the room: each member's session id, the epoch in which it joined, and its
    /// mailbox.
    pub fn places(&self) -> impl Iterator<Item = (SessionId, u64, &M)> {
        self.roster
            .iter()
            .map(|(sid, occupant)| (sid, occupant.joined, &occupant.mailbox))
    }

    /// How many places the identity of a card has, beside those of the card's own member, which
    /// would give way to it.
    #[must_use]
    pub fn count_other_places(&self, card: &Card) -> usize {
        let (fingerprint, skeleton) = (card.fingerprint(), card.nick().skeleton());
        let occupants = self.roster.iter().map(|(_, occupant)| occupant);
        let own = occupants.filter(|occupant| occupant.fingerprint == fingerprint);
        own.filter(|occupant| !occupant.is_same_member(card, &skeleton))
            .count()
    }

    /// The mailbox of the member that joined in this epoch, if it is of the card's identity, under
    /// whatever session key.
    #[must_use]
    pub fn resumable_mailbox(&self, card: &Card, joined: u64) -> Option<&M> {
        let mut occupants = self.roster.iter().map(|(_, occupant)| occupant);
        let is_it = |o: &&Occupant<M>| o.joined == joined && o.fingerprint == card.fingerprint();
        occupants.find(is_it).map(|occupant| &occupant.mailbox)
    }

    /// The mailbox of the member with this session id, or with the one that followed it.
    fn mailbox(&self, sid: SessionId) -> Option<&M> {
        self.occupant(sid).map(|occupant| &occupant.mailbox)
    }

    /// Whether the card's member has been replaced: the same identity is there under the same nick,
    /// but in another session, which did not follow this one.
    #[must_use]
    pub fn is_replaced(&self, card: &Card) -> bool {
        let mut sessions = [card.sid(), card.previous()].into_iter();
        sessions.all(|sid| self.occupant(sid).is_none()) && self.find_same_member(card).is_some()
    }

    /// Whether a member is there whose place this card would take: its own.
    #[must_use]
    pub fn has_own_place(&self, card: &Card) -> bool {
        self.find_same_member(card).is_some()
    }

    /// The member whose card this is, as it was when it was last heard of.
    fn find_same_member(&self, card: &Card) -> Option<(SessionId, &Occupant<M>)> {
        let skeleton = card.nick().skeleton();
        let mut occupants = self.roster.iter();
        occupants.find(|(_, occupant)| occupant.is_same_member(card, &skeleton))
    }

    /// Adds a member: it gets WELCOME and the roster, and the others get JOINED. If the member is
    /// there already, it takes its own place. Returns the epoch of the join.
    ///
    /// # Errors
    /// The notice to send before hanging up.
    pub fn join(&mut self, card: &Card, mailbox: &M) -> Result<u64, Notice> {
        self.replace(card);
        // This comes first, so that nobody is replaced by one who cannot enter.
        self.roster.check(card)?;
        if self.roster.len() >= self.max_members {
            return Err(Notice::RoomFull);
        }
        let others = self.roster.len();
        // The epoch is read only now, as a replacement was a change too.
        let epoch = self.epoch + 1;
        let joined = OutgoingFrame::from(Frame::joined(epoch, card.bytes()));
        let occupant = Occupant {
            member: OutgoingFrame::member(&joined),
            fingerprint: card.fingerprint(),
            skeleton: card.nick().skeleton(),
            origin: card.origin(),
            mailbox: mailbox.clone(),
            joined: epoch,
        };
        self.roster.insert(card, occupant)?;
        self.epoch = epoch;
        mailbox.post(Frame::welcome(self.epoch, others).into());
        for (sid, other) in self.roster.iter() {
            if sid != card.sid() {
                mailbox.post(other.member.clone());
                other.mailbox.post(joined.clone());
            }
        }
        // A message may be under way to the key that the member had when it was here before.
        if card.generation() > 0 && self.roster.get(card.previous()).is_none() {
            let successor = self.successors.entry(card.previous());
            successor.or_insert(card.sid());
        }
        Ok(self.epoch)
    }

    /// Removes the newcomer itself, as it was when it was last heard of.
    fn replace(&mut self, newcomer: &Card) {
        while let Some((sid, other)) = self.find_same_member(newcomer) {
            other.mailbox.dismiss(Notice::Replaced);
            let joined = other.joined;
            self.leave(sid, joined, Departure::Lost);
        }
    }

    /// Removes the member that joined in this epoch, if it is there, and tells the others.
    pub fn leave(&mut self, sid: SessionId, joined: u64, departure: Departure) {
        if self.roster.get(sid).is_some_and(|o| o.joined == joined) {
            self.remove(sid, departure);
        }
    }

    fn remove(&mut self, sid: SessionId, departure: Departure) {
        self.roster.remove(sid);
        self.successors.retain(|_, successor| *successor != sid);
        self.epoch += 1;
        self.tell_all(&Frame::left(self.epoch, sid, departure).into());
    }

    fn tell_all(&self, frame: &OutgoingFrame) {
        for mailbox in self.mailboxes() {
            mailbox.post(frame.clone());
        }
    }

    /// Gives a member the session key and the nick of `card`, which follows its present card
    /// (PROTOCOL §11). If somebody else has one of them, the member is removed.
    ///
    /// # Errors
    /// The conflict, in that case.
    fn rekey(&mut self, card: &Card) -> Result<(), Notice> {
        let sid = card.previous();
        let Some(mut occupant) = self.roster.remove(sid) else {
            return Ok(());
        };
        self.successors.retain(|_, successor| *successor != sid);
        self.epoch += 1;
        let rekeyed = OutgoingFrame::from(Frame::rekeyed(self.epoch, card.bytes()));
        occupant.member = OutgoingFrame::member(&rekeyed);
        occupant.skeleton = card.nick().skeleton();
        let mailbox = occupant.mailbox.clone();
        if let Err(conflict) = self.roster.insert(card, occupant) {
            mailbox.dismiss(conflict.into());
            let left = Frame::left(self.epoch, sid, Departure::Lost);
            self.tell_all(&left.into());
            return Err(conflict.into());
        }
        self.successors.insert(sid, card.sid());
        self.tell_all(&rekeyed);
        Ok(())
    }

    /// Does what a member asks of its room.
    ///
    /// # Errors
    /// The notice for the member, where it cannot stay.
    pub fn carry_out(&mut self, sender: SessionId, request: &MemberRequest) -> Result<(), Notice> {
        match request {
            MemberRequest::Rekey(card) => self.rekey(card)?,
            // A member that has been taken out meanwhile has nothing to say here any more.
            _ if self.roster.get(sender).is_none() => {}
            MemberRequest::Forward(message) => {
                // The message may be written under the session key before, which must be nobody
                // else's.
                if message.sender() != sender && self.roster.get(message.sender()).is_some() {
                    return Err(Notice::Malformed);
                }
                self.forward(message);
            }
            MemberRequest::Statement(stated) => self.forward_statement(sender, stated),
            MemberRequest::Goodbye(stated) => {
                self.forward_statement(sender, stated);
                self.remove(sender, Departure::Left);
            }
            MemberRequest::Wait
            | MemberRequest::Leave
            | MemberRequest::Acknowledge
            | MemberRequest::Forget(_) => {}
        }
        Ok(())
    }

    /// Forwards a statement of `sender`'s to those it is for.
    fn forward_statement(&self, sender: SessionId, stated: &OutgoingStatement) {
        if stated.to.is_empty() {
            for (sid, occupant) in self.roster.iter() {
                if sid != sender {
                    occupant.mailbox.post(stated.frame.clone());
                }
            }
        }
        for reader in stated.to.iter().filter_map(|sid| self.mailbox(*sid)) {
            reader.post(stated.frame.clone());
        }
    }

    fn occupant(&self, sid: SessionId) -> Option<&Occupant<M>> {
        let successor = || self.roster.get(*self.successors.get(&sid)?);
        self.roster.get(sid).or_else(successor)
    }

    /// Forwards each parcel of a message to its reader. A parcel for somebody who is not there is
    /// dropped.
    fn forward(&self, message: &ReassembledMessage) {
        for fragment in &message.fragments {
            let mut members = self.roster.finder();
            for parcel in &fragment.send.parcels {
                let reader = members(parcel.to).map(|occupant| &occupant.mailbox);
                if let Some(reader) = reader.or_else(|| self.mailbox(parcel.to)) {
                    reader.post(OutgoingFrame::deliver(
                        &fragment.frame,
                        fragment.send.signed.clone(),
                        parcel.ciphertext.clone(),
                    ));
                }
            }
        }
    }
}
