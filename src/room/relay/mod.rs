//! The relay's side: who may enter, and one room's roster and forwarding (PROTOCOL §7, §8).
//!
//! A room sees cards, headers and ciphertexts, and has no key to open anything. What it sends goes
//! into each member's [`Mailbox`]; how that gets to a socket is not its affair.
//!
//! - this file: entering, and a room.
//! - `intake`: what one member sends; `reassembly`: its messages, frame by frame; `incoming`: the
//!   bytes of frames; `throttle`, `bucket`: how much it may send.
//! - `entry`: what gets a place in the room's chain.
//! - `backlog`: what is on its way to one member; `bundle`: frames that are sent together;
//!   `outgoing`: one frame.

mod backlog;
mod bucket;
mod bundle;
mod entry;
mod incoming;
mod intake;
mod outgoing;
mod reassembly;
#[cfg(test)]
mod tests;
mod throttle;

use std::collections::HashMap;

use crate::cipher::encoding::Malformed;
use crate::cipher::fingerprint::Fingerprint;

use super::card::{Card, SessionId};
use super::chain::{EntryKind, Link};
use super::frame::{Challenge, Departure, Frame, RelayLimits, ToRelay};
use super::names::RoomId;
use super::notice::Notice;
use super::roster::{Conflict, Roster};

pub use self::backlog::{Backlog, Overflow};
pub use self::bucket::{Bucket, Rate};
pub use self::bundle::Unsent;
pub use self::incoming::{IncomingFrame, RetentionBudget};
pub use self::intake::{
    Intake, MemberRequest, OutgoingReceipt, OutgoingStatement, Succession, has_signature_to_check,
};
pub use self::outgoing::OutgoingFrame;
pub use self::reassembly::ReassembledMessage;
pub use self::throttle::{Cost, Throttle};

use self::entry::ChainEntry;

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
    /// The position at which it joined. It may have been let in once more since without knowing.
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
    /// The position of its joining.
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

/// A room: its members, and how far its chain has come.
pub struct Room<M> {
    /// The place of the last entry.
    link: Link,
    max_members: usize,
    grace: u32,
    roster: Roster<Occupant<M>>,
    /// The present session ids of members that had another before, which nobody has now: messages to
    /// that may still be under way (PROTOCOL §11).
    successors: HashMap<SessionId, SessionId>,
}

impl<M: Mailbox> Room<M> {
    /// An empty room, whose chain begins at `start`. Members are told that their places are kept for
    /// `grace` seconds when their connections break.
    #[must_use]
    pub fn new(start: Link, limits: &RelayLimits, grace: u32) -> Self {
        Self {
            link: start,
            grace,
            max_members: usize::try_from(limits.members).unwrap_or(usize::MAX),
            roster: Roster::default(),
            successors: HashMap::new(),
        }
    }

    /// The place of the last entry.
    #[must_use]
    pub fn link(&self) -> Link {
        self.link
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

    /// The places in the room: each member's session id, the position at which it joined, and its
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

    /// The mailbox of the member that joined at this position, if it is of the card's identity, under
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

    /// Adds a member: it gets WELCOME and the roster, and the others get its entry. If the member is
    /// there already, it takes its own place. Returns the position of the join.
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
        mailbox.post(Frame::welcome(&self.link, self.roster.len(), self.grace).into());
        for (_, other) in self.roster.iter() {
            mailbox.post(other.member.clone());
        }
        // The member is not there yet: it computes its own entry's place from WELCOME.
        let entry = ChainEntry::new(EntryKind::Joined, card.bytes());
        self.append(&entry, None, |_| None);
        let occupant = Occupant {
            member: OutgoingFrame::member(&entry.frame),
            fingerprint: card.fingerprint(),
            skeleton: card.nick().skeleton(),
            origin: card.origin(),
            mailbox: mailbox.clone(),
            joined: self.link.position,
        };
        self.roster.insert(card, occupant)?;
        self.successors.remove(&card.sid());
        // A message may be under way to the key that the member had when it was here before.
        if card.generation() > 0 && self.roster.get(card.previous()).is_none() {
            let successor = self.successors.entry(card.previous());
            successor.or_insert(card.sid());
        }
        Ok(self.link.position)
    }

    /// Removes the newcomer itself, as it was when it was last heard of.
    fn replace(&mut self, newcomer: &Card) {
        while let Some((sid, other)) = self.find_same_member(newcomer) {
            other.mailbox.dismiss(Notice::Replaced);
            let joined = other.joined;
            self.leave(sid, joined, Departure::Lost);
        }
    }

    /// Whether the member with this session id is the one that joined at this position.
    fn has(&self, sid: SessionId, joined: u64) -> bool {
        self.roster.get(sid).is_some_and(|o| o.joined == joined)
    }

    /// Removes the member that joined at this position, if it is there, and tells the others why. One
    /// that says goodbye is not there any more.
    pub fn leave(&mut self, sid: SessionId, joined: u64, departure: Departure) {
        if self.has(sid, joined) {
            self.remove(sid);
            self.append(&ChainEntry::left(sid, departure), None, |_| None);
        }
    }

    fn remove(&mut self, sid: SessionId) {
        self.roster.remove(sid);
        self.successors.retain(|_, successor| *successor != sid);
    }

    /// Gives an entry its place. All get it, or what `for_reader` has for them instead, but its author,
    /// who is told that its oldest entry that has not come back has its place here.
    fn append(
        &mut self,
        entry: &ChainEntry,
        author: Option<SessionId>,
        mut for_reader: impl FnMut(SessionId) -> Option<OutgoingFrame>,
    ) {
        self.link = self.link.then(entry.kind, &entry.digest);
        for (sid, occupant) in self.roster.iter() {
            let frame = if Some(sid) == author {
                Frame::own().into()
            } else {
                for_reader(sid).unwrap_or_else(|| entry.frame.clone())
            };
            occupant.mailbox.post(frame);
        }
    }

    /// Does what a member asks of its room.
    ///
    /// # Errors
    /// Where the member signed under the session id of another one.
    pub fn carry_out(
        &mut self,
        intake: &mut Intake,
        request: &MemberRequest,
    ) -> Result<(), Malformed> {
        let author = intake.sid();
        // A member that has been taken out meanwhile has nothing to say here any more.
        if !self.has(author, intake.joined()) {
            return Ok(());
        }
        // The member may have signed under the session id before, which must be nobody else's.
        let is_of_another = |sid| sid != author && self.roster.get(sid).is_some();
        if request.sender().is_some_and(is_of_another) {
            return Err(Malformed);
        }
        let others = self.roster.len().saturating_sub(1);
        match request {
            MemberRequest::Rekey(succession) => {
                if let Err(conflict) = self.rekey(succession) {
                    self.refuse(author, conflict.into());
                    return Ok(());
                }
            }
            MemberRequest::Forward(message) => self.forward(author, message),
            MemberRequest::Statement(statement) => {
                self.append(&statement.entry, Some(author), |_| None);
            }
            MemberRequest::Goodbye(goodbye) => {
                self.append(&goodbye.entry, Some(author), |_| None);
                self.remove(author);
            }
            MemberRequest::Receipt(receipt) => {
                if let Some(reader) = self.mailbox(receipt.to) {
                    reader.post(receipt.frame.clone());
                }
            }
            MemberRequest::Wait | MemberRequest::Acknowledge | MemberRequest::Forget(_) => {}
        }
        intake.settle(request, others);
        Ok(())
    }

    /// Gives a member the nick and the session key of another card (PROTOCOL §11).
    ///
    /// # Errors
    /// Where somebody else has one of them: nothing changes.
    fn rekey(&mut self, succession: &Succession) -> Result<(), Conflict> {
        let Succession { card, entry } = succession;
        let before = card.previous();
        self.roster.change(before, card)?;
        if let Some(occupant) = self.roster.get_mut(card.sid()) {
            occupant.member = OutgoingFrame::member(&entry.frame);
            occupant.skeleton = card.nick().skeleton();
        }
        self.successors.retain(|_, successor| *successor != before);
        self.successors.insert(before, card.sid());
        self.successors.remove(&card.sid());
        self.append(entry, Some(card.sid()), |_| None);
        Ok(())
    }

    /// Tells a member that it keeps the card that it has.
    fn refuse(&self, sid: SessionId, notice: Notice) {
        if let Some(mailbox) = self.mailbox(sid) {
            mailbox.post(Frame::refused(notice.code()).into());
        }
    }

    /// The present session id of whoever has or had this one.
    fn present(&self, sid: SessionId) -> SessionId {
        self.successors.get(&sid).copied().unwrap_or(sid)
    }

    fn occupant(&self, sid: SessionId) -> Option<&Occupant<M>> {
        self.roster.get(self.present(sid))
    }

    /// Forwards a message: to all members if it is an entry, and each parcel to its reader. A parcel
    /// for somebody who is not there is dropped.
    fn forward(&mut self, author: SessionId, message: &ReassembledMessage) {
        let Some(entry) = &message.entry else {
            for (fragment, parcel) in message.parcels() {
                if let Some(reader) = self.mailbox(parcel.to) {
                    reader.post(message.frame(fragment, parcel));
                }
            }
            return;
        };
        let parcels = message.parcels();
        let mut parcels: Vec<_> = parcels
            .map(|(fragment, parcel)| (self.present(parcel.to), fragment, parcel))
            .collect();
        // In the members' order. Clients send parcels almost in it, which makes this quick.
        parcels.sort_by_key(|(to, ..)| *to);
        let mut parcels = parcels.into_iter().peekable();
        self.append(entry, Some(author), |sid| {
            while parcels.next_if(|(to, ..)| *to < sid).is_some() {}
            let (_, fragment, parcel) = parcels.next_if(|(to, ..)| *to == sid)?;
            Some(message.frame(fragment, parcel))
        });
    }
}
