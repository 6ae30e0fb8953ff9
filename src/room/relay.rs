//! The relay's side: who may enter, and one room's roster and forwarding (PROTOCOL §7, §8).
//!
//! It sees cards, headers and ciphertexts, and has no key to open anything. What it sends goes
//! into each member's [`Mailbox`]; how it gets from there to a socket is not its affair.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

use crate::cipher::encoding::Malformed;

use super::card::{Card, SessionId};
use super::frame::{self, Challenge, Departure, Frame, Limits, Send, State, ToRelay};
use super::message::{Header, Stream};
use super::names::RoomId;
use super::notice::Notice;
use super::roster::Roster;
use super::statement::Statement;

/// A frame on its way to a client. Cloning it does not copy what is in it.
#[derive(Clone, Debug)]
pub struct Outgoing {
    head: [u8; 5],
    source: Arc<[u8]>,
    parts: [Range<usize>; 2],
}

impl Outgoing {
    /// The frame DELIVER, put together from two places in the frame SEND. It keeps that one alive
    /// only if it is most of it: otherwise a few who do not read could hold far more memory than
    /// their queues are charged for.
    fn deliver(send: &Arc<[u8]>, signed: Range<usize>, ciphertext: Range<usize>) -> Self {
        let shared = Self::new(frame::kind::DELIVER, Arc::clone(send), [signed, ciphertext]);
        if 2 * shared.len() >= send.len() {
            return shared;
        }
        let [_, first, second] = shared.slices();
        let whole = 0..first.len() + second.len();
        let nothing = whole.end..whole.end;
        let copy = [first, second].concat().into();
        Self::new(frame::kind::DELIVER, copy, [whole, nothing])
    }

    /// The frame STATEMENT, as it was sent but for whom it is for.
    fn statement(state: &Arc<[u8]>, signed: Range<usize>) -> Self {
        let nothing = signed.end..signed.end;
        Self::new(frame::kind::STATEMENT, Arc::clone(state), [signed, nothing])
    }

    fn new(kind: u8, source: Arc<[u8]>, parts: [Range<usize>; 2]) -> Self {
        let length = 1 + parts[0].len() + parts[1].len();
        let length = u32::try_from(length).expect("a frame is far shorter than 4 GiB");
        let [a, b, c, d] = length.to_be_bytes();
        Self {
            head: [a, b, c, d, kind],
            source,
            parts,
        }
    }

    /// The bytes on the wire, in three parts.
    #[must_use]
    pub fn slices(&self) -> [&[u8]; 3] {
        let [first, second] = self.parts.clone();
        let part = |range| self.source.get(range).unwrap_or_default();
        [&self.head, part(first), part(second)]
    }

    /// How many bytes that is.
    #[must_use]
    #[allow(clippy::len_without_is_empty, reason = "a frame is never empty")]
    pub fn len(&self) -> usize {
        self.head.len() + self.parts[0].len() + self.parts[1].len()
    }

    /// Whether it counts for ACK.
    #[must_use]
    pub fn is_counted(&self) -> bool {
        frame::is_counted(self.head[4])
    }
}

impl From<Frame> for Outgoing {
    fn from(frame: Frame) -> Self {
        let whole = 0..frame.fields.len();
        let nothing = whole.end..whole.end;
        Self::new(frame.kind, frame.fields.into(), [whole, nothing])
    }
}

/// Where frames for a member are put. Putting one there must not block.
pub trait Mailbox: Clone {
    /// Takes a frame. Frames leave in the order in which they came.
    fn post(&self, frame: Outgoing);
}

/// Checks the first frame of a client that wants to enter `room`.
///
/// # Errors
/// With what to tell it before hanging up.
pub fn admit(frame: &[u8], challenge: &Challenge, room: RoomId) -> Result<Card, Notice> {
    let Ok(ToRelay::Hello {
        card,
        received,
        proof,
    }) = ToRelay::parse(frame)
    else {
        return Err(Notice::Malformed);
    };
    let card = Card::parse(card, room)?;
    if card.generation() != 0 {
        return Err(Notice::CardMalformed);
    }
    let possession = challenge.possession(card.sid(), received);
    if card.identity().verifies(&possession, proof) {
        Ok(card)
    } else {
        Err(Notice::Possession)
    }
}

struct Occupant<M> {
    card: Arc<[u8]>,
    mailbox: M,
    /// The session id that it had before.
    former: Option<SessionId>,
}

/// A room: its members and the number of its last change.
pub struct Room<M> {
    epoch: u64,
    max_members: usize,
    roster: Roster<Occupant<M>>,
    /// The present session ids of those who had another before, to which messages may still be
    /// under way.
    successors: HashMap<SessionId, SessionId>,
}

impl<M: Mailbox> Room<M> {
    /// An empty room, whose first change will have the number after `epoch`.
    #[must_use]
    pub fn new(epoch: u64, limits: &Limits) -> Self {
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

    /// Adds a member: it gets WELCOME and the roster, the others learn of it.
    ///
    /// # Errors
    /// With what to tell it before hanging up.
    pub fn join(&mut self, card: &Card, mailbox: &M) -> Result<(), Notice> {
        if self.roster.len() >= self.max_members {
            return Err(Notice::RoomFull);
        }
        let occupant = Occupant {
            card: Arc::clone(card.bytes()),
            mailbox: mailbox.clone(),
            former: None,
        };
        let others = self.roster.len();
        self.roster.insert(card, occupant)?;
        self.epoch += 1;
        mailbox.post(Frame::welcome(self.epoch, others).into());
        let joined = Outgoing::from(Frame::joined(self.epoch, card.bytes()));
        for (sid, other) in self.roster.iter() {
            if sid != card.sid() {
                mailbox.post(Frame::member(&other.card).into());
                other.mailbox.post(joined.clone());
            }
        }
        Ok(())
    }

    /// Removes a member, if it is there, and tells the others.
    pub fn leave(&mut self, sid: SessionId, departure: Departure) {
        if let Some(gone) = self.roster.remove(sid) {
            self.successors
                .retain(|former, _| gone.former != Some(*former));
            self.epoch += 1;
            let left = Outgoing::from(Frame::left(self.epoch, sid, departure));
            for mailbox in self.mailboxes() {
                mailbox.post(left.clone());
            }
        }
    }

    /// Gives a member the session key of `card`, which follows its present one.
    ///
    /// # Errors
    /// Where somebody has that key.
    pub fn rekey(&mut self, sid: SessionId, card: &Card) -> Result<(), Notice> {
        let Some(mut occupant) = self.roster.remove(sid) else {
            return Ok(());
        };
        self.successors
            .retain(|former, _| occupant.former != Some(*former));
        occupant.card = Arc::clone(card.bytes());
        occupant.former = Some(sid);
        self.roster.insert(card, occupant)?;
        self.successors.insert(sid, card.sid());
        self.epoch += 1;
        let rekeyed = Outgoing::from(Frame::rekeyed(self.epoch, card.bytes()));
        for mailbox in self.mailboxes() {
            mailbox.post(rekeyed.clone());
        }
        Ok(())
    }

    /// Passes a statement of `sender`'s, which is the frame `bytes`, to those it is for.
    pub fn forward_statement(&self, sender: SessionId, bytes: &Arc<[u8]>, state: &State<'_>) {
        let frame = Outgoing::statement(bytes, state.signed.clone());
        if state.to.is_empty() {
            for (sid, occupant) in self.roster.iter() {
                if sid != sender {
                    occupant.mailbox.post(frame.clone());
                }
            }
        }
        for reader in state.to.iter().filter_map(|sid| self.occupant(*sid)) {
            reader.mailbox.post(frame.clone());
        }
    }

    fn occupant(&self, sid: SessionId) -> Option<&Occupant<M>> {
        let present = self.successors.get(&sid).copied().unwrap_or(sid);
        self.roster.get(present)
    }

    /// Passes each parcel of a message to its reader. Parcels for somebody who is not there are
    /// dropped.
    pub fn forward(&self, message: &Message) {
        for part in &message.0 {
            for parcel in &part.send.parcels {
                if let Some(reader) = self.occupant(parcel.to) {
                    reader.mailbox.post(Outgoing::deliver(
                        &part.frame,
                        part.send.signed.clone(),
                        parcel.ciphertext.clone(),
                    ));
                }
            }
        }
    }
}

/// Checks that `sender` may make this statement in `room`, to no more than a room's members.
///
/// # Errors
/// Where PROTOCOL §8 does not allow it.
pub fn check_statement(
    state: &State<'_>,
    sender: SessionId,
    room: RoomId,
    limits: &Limits,
) -> Result<(), Malformed> {
    let statement = Statement::parse(state.statement)?;
    let is_too_many = u32::try_from(state.to.len()).map_or(true, |to| to > limits.members);
    if statement.sender != sender || statement.room != room || is_too_many {
        return Err(Malformed);
    }
    Ok(())
}

/// The longest ciphertext for one reader, with what belongs to it, in bytes (PROTOCOL §8).
const MAX_PARCEL: usize = 6144;

/// A message that is complete, as the frames that brought it.
#[derive(Debug)]
pub struct Message(Vec<Part>);

#[derive(Debug)]
struct Part {
    frame: Arc<[u8]>,
    send: Send,
}

impl Part {
    fn bytes(&self, range: &Range<usize>) -> &[u8] {
        self.frame.get(range.clone()).unwrap_or_default()
    }

    /// Whether `sender` may send this in `room`.
    fn check(&self, sender: SessionId, room: RoomId) -> Result<Header, Malformed> {
        let header = Header::parse(self.bytes(&self.send.header))?;
        let mut readers: Vec<SessionId> = self.send.parcels.iter().map(|p| p.to).collect();
        readers.sort_unstable();
        let is_allowed = header.sender == sender
            && header.room == room
            && readers.is_sorted_by(|a, b| a < b)
            && match header.stream {
                Stream::Room => true,
                Stream::Direct(reader) => readers.iter().all(|sid| *sid == reader),
            };
        if is_allowed {
            Ok(header)
        } else {
            Err(Malformed)
        }
    }
}

/// Holds the frames of a member's message back until the last has come, so that the message has
/// one place in the room's order.
#[derive(Debug)]
pub struct Assembly {
    sender: SessionId,
    room: RoomId,
    /// The least that the number of the next message to the room may be.
    next: u64,
    max_bytes: usize,
    bytes: usize,
    parts: Vec<Part>,
}

impl Assembly {
    /// For what `sender` sends in `room`.
    #[must_use]
    pub fn new(sender: SessionId, room: RoomId, limits: &Limits) -> Self {
        let members = usize::try_from(limits.members).unwrap_or(usize::MAX);
        Self {
            sender,
            room,
            next: 0,
            max_bytes: members.saturating_add(1).saturating_mul(MAX_PARCEL),
            bytes: 0,
            parts: Vec::new(),
        }
    }

    /// From now on the sender has another session id.
    pub fn succeed(&mut self, sender: SessionId) {
        self.sender = sender;
    }

    /// Adds a frame, which was parsed to `send`. Returns the message if that was the last of it.
    ///
    /// # Errors
    /// Where PROTOCOL §8 does not allow it.
    pub fn add(&mut self, frame: Arc<[u8]>, send: Send) -> Result<Option<Message>, Malformed> {
        let part = Part { frame, send };
        let header = part.check(self.sender, self.room)?;
        if self.parts.is_empty() && header.stream == Stream::Room {
            // A number that comes late would be news to some readers and not to others.
            if header.sequence < self.next {
                return Err(Malformed);
            }
            self.next = header.sequence + 1;
        }
        if let Some(first) = self.parts.first()
            && first.bytes(&first.send.signed) != part.bytes(&part.send.signed)
        {
            return Err(Malformed);
        }
        self.bytes += part.frame.len();
        if self.bytes > self.max_bytes {
            return Err(Malformed);
        }
        let is_last = part.send.last;
        self.parts.push(part);
        Ok(is_last.then(|| {
            self.bytes = 0;
            Message(std::mem::take(&mut self.parts))
        }))
    }
}
