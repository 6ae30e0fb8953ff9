//! The relay's side: who may enter, and one room's roster and forwarding (PROTOCOL §7, §8).
//!
//! A room sees cards, headers and ciphertexts, and has no key to open anything. What it sends goes
//! into each member's [`Mailbox`]; how that gets to a socket is not its affair.
//!
//! - this file: entering, and a room.
//! - `intake`: what one member sends; `reassembly`: its messages, frame by frame; `incoming`: the
//!   bytes of frames; `throttle`, `bucket`: how much it may send.
//! - `charging`: what a member pays for that. `speakers`: who has spoken lately, among whom what readers
//!   can take is divided. `debts`: what those owe who have gone.
//! - `former`: whose the session ids were that nobody has any more.
//! - `entry`: what gets a place in the room's chain.
//! - `backlog`: what is on its way to one member; `bundle`: frames that are sent together;
//!   `outgoing`: one frame.
//!
//! Each member has a thread that calls this, and what that has touched of its stack stays. So functions that
//! need much of it are not inlined.

mod backlog;
mod bucket;
mod bundle;
mod charging;
mod debts;
mod entry;
mod former;
mod incoming;
mod intake;
mod outgoing;
mod reassembly;
mod speakers;
#[cfg(test)]
mod tests;
mod throttle;

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::ops::Range;
use std::time::Duration;

use crate::cipher::encoding::{Digest, Malformed};
use crate::cipher::fingerprint::Fingerprint;

use super::Time;
use super::card::{Card, SessionId};
use super::chain::{EntryKind, Link};
use super::frame::{Absence, Challenge, Departure, Frame, RelayLimits, ToRelay};
use super::names::RoomId;
use super::notice::Notice;
use super::roster::{Conflict, Roster};

pub use self::backlog::{Backlog, DEFAULT_WEIGHT, Overflow};
pub use self::bucket::{Bucket, Rate};
pub use self::bundle::Unsent;
pub use self::incoming::{IncomingFrame, RetentionBudget};
pub use self::intake::{
    Intake, MemberRequest, OutgoingReceipt, OutgoingStatement, Succession, has_signature_to_check,
};
pub use self::outgoing::OutgoingFrame;
pub use self::reassembly::ReassembledMessage;
pub use self::throttle::Cost;

use self::debts::Debts;
use self::entry::ChainEntry;
use self::former::FormerOwners;
use self::speakers::Speakers;
use self::throttle::{OPENED, Throttle};

/// Where a room puts frames for a member. Putting one there must not block.
pub trait Mailbox: Clone {
    /// Takes a frame. Frames leave in the order in which they came.
    fn post(&self, frame: OutgoingFrame);

    /// Takes a frame that carries a statement to all. For a member without a connection it may keep the
    /// digest of the entry alone.
    fn post_statement(&self, frame: OutgoingFrame, _entry: &Digest) {
        self.post(frame);
    }

    /// Takes a last frame: the member is not in the room any more.
    fn dismiss(&self, notice: Notice);

    /// From which address its member comes, if that is known: what the member owes when it goes is for the
    /// next one from there.
    fn address(&self) -> Option<IpAddr> {
        None
    }
}

/// A client that wants to enter a room, and has proved its identity.
#[derive(Debug)]
pub struct Newcomer {
    /// Its card.
    pub card: Card,
    /// Where it wants to resume, if it does.
    pub resume_point: Option<ResumePoint>,
    /// How many blocks a second it can open, as it says.
    pub opens: u32,
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
        opens,
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
            opens,
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
    /// The session id that it had before, as its card has it, if it says that it had one.
    previous: Option<SessionId>,
    mailbox: M,
    /// The position of its joining.
    joined: u64,
    /// What the others were told, if it is without a connection.
    absence: Option<Absence>,
    /// How many blocks a second it can open.
    opens: u32,
    /// How much it has sent.
    throttle: Throttle,
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
    limits: RelayLimits,
    grace: u32,
    roster: Roster<Occupant<M>>,
    /// The previous session ids that members' cards name, each with the member's present one: messages to
    /// them may still be under way. Whose they really were is in `former`.
    successors: BTreeSet<(SessionId, SessionId)>,
    former: FormerOwners,
    speakers: Speakers,
    debts: Debts,
    /// When somebody was charged last.
    charged: Duration,
}

impl<M: Mailbox> Room<M> {
    /// An empty room, whose chain begins at `start`. Members are told that their places are kept for
    /// `grace` seconds when their connections break.
    #[must_use]
    pub fn new(start: Link, limits: &RelayLimits, grace: u32) -> Self {
        Self {
            link: start,
            grace,
            limits: *limits,
            roster: Roster::default(),
            successors: BTreeSet::new(),
            former: FormerOwners::default(),
            speakers: Speakers::default(),
            debts: Debts::default(),
            charged: Duration::ZERO,
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

    /// The places that the identity of a card has, beside those of the card's own member, which would
    /// give way to it: as [`Room::places`] has them.
    pub fn other_places(&self, card: &Card) -> impl Iterator<Item = (SessionId, u64, &M)> {
        let (fingerprint, skeleton) = (card.fingerprint(), card.nick().skeleton());
        let own = self.roster.iter();
        let own = own.filter(move |(_, occupant)| occupant.fingerprint == fingerprint);
        let others = own.filter(move |(_, occupant)| !occupant.is_same_member(card, &skeleton));
        others.map(|(sid, occupant)| (sid, occupant.joined, &occupant.mailbox))
    }

    /// The mailbox of the member that joined at this position, if it is of the card's identity, under
    /// whatever session key.
    #[must_use]
    pub fn resumable_mailbox(&self, card: &Card, joined: u64) -> Option<&M> {
        let mut occupants = self.roster.iter().map(|(_, occupant)| occupant);
        let is_it = |o: &&Occupant<M>| o.joined == joined && o.fingerprint == card.fingerprint();
        occupants.find(is_it).map(|occupant| &occupant.mailbox)
    }

    /// Whether the card's member has been replaced: the same identity is there under the same nick,
    /// but in another session, which did not follow this one.
    #[must_use]
    pub fn is_replaced(&self, card: &Card) -> bool {
        let mut sessions = [card.sid(), card.previous()].into_iter();
        sessions.all(|sid| self.readers(sid).next().is_none())
            && self.find_same_member(card).is_some()
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
        // Before anything is posted: whoever cannot enter is not announced.
        self.roster.check(card)?;
        let most = usize::try_from(self.limits.members).unwrap_or(usize::MAX);
        if self.roster.len() >= most {
            return Err(Notice::RoomFull);
        }
        mailbox.post(Frame::welcome(&self.link, self.roster.len(), self.grace).into());
        for (_, other) in self.roster.iter() {
            if let Some(absence) = &other.absence {
                mailbox.post(Frame::absent(absence).into());
            }
            mailbox.post(other.member.clone());
        }
        // The member is not there yet: it computes its own entry's place from WELCOME.
        let entry = ChainEntry::new(EntryKind::Joined, card.bytes());
        self.append_for_all(&entry, None);
        let mut throttle = Throttle::new(&self.limits);
        let owed = mailbox.address().and_then(|address| self.debts.of(address));
        if let Some(owed) = owed {
            throttle.inherit(owed);
        }
        let occupant = Occupant {
            member: OutgoingFrame::member(&entry.frame),
            fingerprint: card.fingerprint(),
            skeleton: card.nick().skeleton(),
            origin: card.origin(),
            previous: (card.generation() > 0).then(|| card.previous()),
            mailbox: mailbox.clone(),
            joined: self.link.position,
            absence: None,
            opens: OPENED,
            throttle,
        };
        // A message may be under way to the key that the member had when it was here before.
        let previous = occupant.previous;
        self.roster.insert(card, occupant)?;
        self.successors
            .extend(previous.map(|previous| (previous, card.sid())));
        Ok(self.link.position)
    }

    /// Removes the newcomer itself, as it was when it was last heard of.
    fn replace(&mut self, newcomer: &Card) {
        while let Some((_, other)) = self.find_same_member(newcomer) {
            other.mailbox.dismiss(Notice::Replaced);
            let joined = other.joined;
            self.leave(joined, Departure::Lost);
        }
    }

    /// Whether the member with this session id is the one that joined at this position.
    fn has(&self, sid: SessionId, joined: u64) -> bool {
        self.roster.get(sid).is_some_and(|o| o.joined == joined)
    }

    /// Removes the member that joined at this position, if it is there, and tells the others why. One
    /// that says goodbye is not there any more.
    pub fn leave(&mut self, joined: u64, departure: Departure) {
        let mut occupants = self.roster.iter();
        let leaver = occupants.find(|(_, occupant)| occupant.joined == joined);
        let leaver = leaver.map(|(sid, _)| sid);
        drop(occupants);
        if let Some(sid) = leaver {
            self.remove(sid);
            self.append_for_all(&ChainEntry::left(sid, departure), None);
        }
    }

    /// Tells the others that the member that joined at this position, if it is there, is without a
    /// connection since the beginning of this time, and has its place until the end.
    pub fn put_to_sleep(&mut self, joined: u64, time: Range<Time>) {
        let mut occupants = self.roster.iter_mut();
        let sleeper = occupants.find(|(_, occupant)| occupant.joined == joined);
        let entry = sleeper.map(|(sid, occupant)| {
            let (since, until) = (time.start, time.end);
            let absence = Absence { sid, since, until };
            ChainEntry::asleep(occupant.absence.insert(absence))
        });
        drop(occupants);
        if let Some(entry) = entry {
            self.append_for_all(&entry, None);
        }
    }

    /// Tells the others that the member that joined at this position has a connection again, if they were
    /// told that it had none.
    pub fn wake(&mut self, joined: u64) {
        let mut occupants = self.roster.iter_mut();
        let sleeper = occupants.find(|(_, occupant)| occupant.joined == joined);
        let woken = sleeper.and_then(|(sid, occupant)| occupant.absence.take().map(|_| sid));
        drop(occupants);
        if let Some(sid) = woken {
            self.append_for_all(&ChainEntry::awake(sid), None);
        }
    }

    fn remove(&mut self, sid: SessionId) {
        if let Some(occupant) = self.roster.remove(sid) {
            if let Some(address) = occupant.mailbox.address() {
                self.debts.leave(address, &occupant.throttle, self.charged);
            }
            self.retire(sid, occupant.previous, occupant.fingerprint);
        }
    }

    /// Nobody has this session id any more, which a member of this identity had after another.
    fn retire(&mut self, sid: SessionId, previous: Option<SessionId>, owner: Fingerprint) {
        if let Some(previous) = previous {
            self.successors.remove(&(previous, sid));
        }
        self.former.add(sid, owner);
    }

    /// Gives an entry its place. All get the frame that `frame_for` has for them, but its author, who is
    /// told that its oldest entry that has not come back has its place here.
    fn append(
        &mut self,
        (kind, digest): (EntryKind, &Digest),
        author: Option<SessionId>,
        mut frame_for: impl FnMut(SessionId) -> OutgoingFrame,
    ) {
        self.link = self.link.then(kind, digest);
        for (sid, occupant) in self.roster.iter() {
            let mailbox = &occupant.mailbox;
            if Some(sid) == author {
                mailbox.post(Frame::own().into());
            } else if kind == EntryKind::Statement {
                mailbox.post_statement(frame_for(sid), digest);
            } else {
                mailbox.post(frame_for(sid));
            }
        }
    }

    /// Gives an entry its place that is the same for all.
    fn append_for_all(&mut self, entry: &ChainEntry, author: Option<SessionId>) {
        self.append((entry.kind, &entry.digest), author, |_| entry.frame.clone());
    }

    /// Does what a member asks of its room.
    ///
    /// # Errors
    /// Where the member signed under the session id of another one.
    #[inline(never)]
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
        let is_of_another = |sid| {
            sid != author && (self.roster.get(sid).is_some() || !self.may_follow(author, sid))
        };
        if request.sender().is_some_and(is_of_another) {
            return Err(Malformed);
        }
        let mut readers = self.roster.len().saturating_sub(1);
        match request {
            MemberRequest::Rekey(succession) => {
                if let Err(conflict) = self.rekey(succession) {
                    self.refuse(author, conflict.into());
                    return Ok(());
                }
            }
            MemberRequest::Forward(message) => match &message.entry {
                Some(entry) => self.forward_to_all(author, message, entry),
                None => readers = self.forward(message),
            },
            MemberRequest::Statement(statement) => {
                self.append_for_all(&statement.entry, Some(author));
            }
            MemberRequest::Goodbye(goodbye) => {
                self.append_for_all(&goodbye.entry, Some(author));
                self.remove(author);
            }
            MemberRequest::Receipt(receipt) => {
                for (_, reader) in self.readers(receipt.to) {
                    reader.mailbox.post(receipt.frame.clone());
                }
            }
            MemberRequest::Wait | MemberRequest::Acknowledge | MemberRequest::Forget(_) => {}
        }
        intake.settle(request, readers);
        Ok(())
    }

    /// Gives a member the nick and the session key of another card (PROTOCOL §11).
    ///
    /// # Errors
    /// Where somebody else has one of them: nothing changes.
    #[inline(never)]
    fn rekey(&mut self, succession: &Succession) -> Result<(), Conflict> {
        let Succession { card, entry } = succession;
        let before = card.previous();
        self.roster.change(before, card)?;
        if let Some(occupant) = self.roster.get_mut(card.sid()) {
            occupant.member = OutgoingFrame::member(&entry.frame);
            occupant.skeleton = card.nick().skeleton();
            let owner = occupant.fingerprint;
            let previous = occupant.previous.replace(before);
            self.retire(before, previous, owner);
            self.successors.insert((before, card.sid()));
        }
        self.append_for_all(entry, Some(card.sid()));
        Ok(())
    }

    /// Tells a member that it keeps the card that it has.
    fn refuse(&self, sid: SessionId, notice: Notice) {
        if let Some(occupant) = self.roster.get(sid) {
            let refused = Frame::refused(notice.code());
            occupant.mailbox.post(refused.into());
        }
    }

    /// Whether the member `sid` may have had the session id `previous`, as far as is known: it is not one
    /// that another identity had.
    fn may_follow(&self, sid: SessionId, previous: SessionId) -> bool {
        let occupant = self.roster.get(sid);
        occupant.is_some_and(|o| !self.former.is_of_another(previous, o.fingerprint))
    }

    /// To whom goes what is for this session id: to the member that has it, and otherwise to the one that
    /// had it before. Where the relay does not know who had it, as it was started after that, it goes to
    /// everybody whose card names it, so that nobody can take it from whoever it is for.
    fn readers(&self, sid: SessionId) -> impl Iterator<Item = (SessionId, &Occupant<M>)> {
        let present = self.roster.get(sid).map(|occupant| (sid, occupant));
        let followers = || {
            let all = (sid, SessionId([0; 32]))..=(sid, SessionId([0xff; 32]));
            let named = self.successors.range(all).map(|(_, successor)| *successor);
            let followers = named.filter(move |successor| self.may_follow(*successor, sid));
            followers.filter_map(|successor| Some((successor, self.roster.get(successor)?)))
        };
        let followers = present.is_none().then(followers);
        present.into_iter().chain(followers.into_iter().flatten())
    }

    /// Forwards each parcel of a message that is no entry to its reader. A parcel for somebody who is not
    /// there is dropped. Returns how many went out.
    fn forward(&self, message: &ReassembledMessage) -> usize {
        let mut sent = 0;
        for (fragment, parcel) in message.parcels() {
            for (_, reader) in self.readers(parcel.to) {
                reader.mailbox.post(message.frame(fragment, parcel));
                sent += 1;
            }
        }
        sent
    }

    /// Forwards a message that is an entry, of this digest, to all members, with the parcel that each has.
    fn forward_to_all(&mut self, author: SessionId, message: &ReassembledMessage, entry: &Digest) {
        let parcels = message.parcels();
        let parcels = parcels.map(|(fragment, parcel)| (parcel.to, fragment, parcel));
        let mut parcels: Vec<_> = parcels.collect();
        // In the members' order. Clients send parcels almost in it, which makes this quick.
        parcels.sort_by_key(|(to, ..)| *to);
        // Some are for keys that their owners have replaced.
        let late = self.successors.iter().filter_map(|(before, sid)| {
            let at = parcels.binary_search_by_key(before, |(to, ..)| *to).ok()?;
            let (_, fragment, parcel) = parcels.get(at)?;
            let mut readers = self.readers(*before);
            readers
                .any(|(reader, _)| reader == *sid)
                .then_some((*sid, *fragment, *parcel))
        });
        let late: Vec<_> = late.collect();
        if !late.is_empty() {
            parcels.extend(late);
            parcels.sort_by_key(|(to, ..)| *to);
        }
        let mut parcels = parcels.into_iter().peekable();
        let mut bare = None;
        self.append((EntryKind::Message, entry), Some(author), |sid| {
            while parcels.next_if(|(to, ..)| *to < sid).is_some() {}
            match parcels.next_if(|(to, ..)| *to == sid) {
                Some((_, fragment, parcel)) => message.frame(fragment, parcel),
                None => bare.get_or_insert_with(|| message.bare_frame()).clone(),
            }
        });
    }
}
