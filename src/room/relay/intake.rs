//! The intake of one member: what the relay takes from it, frame by frame, checked, counted and
//! reassembled. It outlives the member's connection (PROTOCOL §8).

use std::sync::Arc;

use crate::cipher::encoding::Malformed;
use crate::cipher::keys::PublicKey;
use crate::room::card::{Card, SessionId};
use crate::room::chain::EntryKind;
use crate::room::frame::{RelayLimits, RunId, StatementFrame, ToRelay, kind};
use crate::room::names::RoomId;
use crate::room::statement::{Occasion, Purpose, Statement};

use super::OutgoingFrame;
use super::entry::ChainEntry;
use super::incoming::IncomingFrame;
use super::reassembly::{ReassembledMessage, Reassembly};
use super::throttle::Cost;

/// A statement to all, as it is to be forwarded.
#[derive(Debug)]
pub struct OutgoingStatement {
    /// Under which session id it was made.
    pub(super) sender: SessionId,
    pub(super) entry: ChainEntry,
}

/// A receipt, as it is to be forwarded.
#[derive(Debug)]
pub struct OutgoingReceipt {
    /// Under which session id it was made.
    pub(super) sender: SessionId,
    pub(super) to: SessionId,
    pub(super) frame: OutgoingFrame,
}

/// A card that follows a member's present card.
#[derive(Debug)]
pub struct Succession {
    pub(super) card: Card,
    pub(super) entry: ChainEntry,
}

/// What a frame of a member's asks of the relay.
#[derive(Debug)]
pub enum MemberRequest {
    /// To wait: the frame is a part of a message that is not complete.
    Wait,
    /// To forward a message.
    Forward(ReassembledMessage),
    /// To forward a statement to all.
    Statement(OutgoingStatement),
    /// To forward a goodbye, and to take the member out of the room.
    Goodbye(OutgoingStatement),
    /// To forward a receipt.
    Receipt(OutgoingReceipt),
    /// To give the member the session key and the nick of this card, which follows its present
    /// card.
    Rekey(Box<Succession>),
    /// To send an ACK of what was taken from the member.
    Acknowledge,
    /// To forget the first so many counted frames, which the member acknowledges.
    Forget(u64),
}

impl MemberRequest {
    /// Under which session id it was signed, where members will ask.
    pub(super) fn sender(&self) -> Option<SessionId> {
        match self {
            Self::Forward(message) => Some(message.sender),
            Self::Statement(statement) | Self::Goodbye(statement) => Some(statement.sender),
            Self::Receipt(receipt) => Some(receipt.sender),
            Self::Wait | Self::Rekey(_) | Self::Acknowledge | Self::Forget(_) => None,
        }
    }
}

/// What is kept of a member's card: enough to know the next one by. A parsed card, with its keys
/// ready for arithmetic, takes kilobytes.
#[derive(Debug)]
struct Lineage {
    sid: SessionId,
    /// The session id of the generation before, if there was one.
    previous: Option<SessionId>,
    /// The session id of generation 0.
    origin: SessionId,
    /// The `SubjectPublicKeyInfo` of the identity.
    identity: Box<[u8]>,
    generation: u32,
}

impl Lineage {
    fn of(card: &Card) -> Self {
        Self {
            sid: card.sid(),
            previous: (card.generation() > 0).then(|| card.previous()),
            origin: card.origin(),
            identity: card.identity().spki().into(),
            generation: card.generation(),
        }
    }

    /// Whether `card` is the next one, as [`Card::is_successor_of`] has it.
    fn is_before(&self, card: &Card) -> bool {
        self.sid == card.previous()
            && self.origin == card.origin()
            && *self.identity == *card.identity().spki()
            && self.generation.checked_add(1) == Some(card.generation())
    }
}

/// What the relay knows of what a member has sent.
#[derive(Debug)]
pub struct Intake {
    room: RoomId,
    lineage: Lineage,
    joined: u64,
    reassembly: Reassembly,
    received: u64,
    /// What the latest frame costs.
    cost: Cost,
    /// The most blocks that any one reader has to open of the frames so far of an incomplete
    /// message.
    opened: u64,
}

impl Intake {
    /// The intake of the member that joined with `card` at this position.
    #[must_use]
    pub fn new(card: &Card, run: RunId, joined: u64, limits: &RelayLimits) -> Self {
        Self {
            room: card.room(),
            lineage: Lineage::of(card),
            reassembly: Reassembly::new(run, joined, limits),
            joined,
            received: 0,
            cost: Cost::default(),
            opened: 0,
        }
    }

    /// The member's session id.
    #[must_use]
    pub fn sid(&self) -> SessionId {
        self.lineage.sid
    }

    /// The position of the member's joining.
    #[must_use]
    pub fn joined(&self) -> u64 {
        self.joined
    }

    /// How many counted frames were taken.
    #[must_use]
    pub fn received(&self) -> u64 {
        self.received
    }

    /// About the bytes of memory that an incomplete message takes.
    #[must_use]
    pub fn weight(&self) -> usize {
        self.reassembly.weight()
    }

    /// Takes a frame (type and fields), and says what it asks for.
    ///
    /// # Errors
    /// Where PROTOCOL §8 does not allow it: the member is to be dropped.
    #[inline(never)]
    pub fn take(&mut self, frame: impl Into<IncomingFrame>) -> Result<MemberRequest, Malformed> {
        let room = self.room;
        let frame = frame.into();
        let parsed = ToRelay::parse(&frame)?;
        self.cost = Cost::of(frame.len(), &parsed);
        let request = match parsed {
            ToRelay::Ping => return Ok(MemberRequest::Acknowledge),
            ToRelay::Ack(count) => return Ok(MemberRequest::Forget(count)),
            ToRelay::Hello { .. } => return Err(Malformed),
            ToRelay::Send(send) => {
                let message =
                    (self.reassembly).add(&self.senders(), room, Arc::new(frame), send)?;
                // No reader is in two frames of a message, so these do not add up.
                let opened = self.opened.max(self.cost.opened);
                (self.opened, self.cost.opened) = match &message {
                    Some(_) => (0, opened),
                    None => (opened, 0),
                };
                message.map_or(MemberRequest::Wait, MemberRequest::Forward)
            }
            ToRelay::Statement(parsed) => {
                let (sender, purpose) = self.check(&parsed)?;
                let StatementFrame { signed, .. } = parsed;
                let entry = |kind| {
                    let entry = frame.get(signed.clone()).unwrap_or_default();
                    let entry = ChainEntry::new(kind, entry);
                    OutgoingStatement { sender, entry }
                };
                match purpose {
                    Purpose::ToAll(Occasion::Goodbye) => {
                        MemberRequest::Goodbye(entry(EntryKind::Goodbye))
                    }
                    Purpose::ToAll(_) => MemberRequest::Statement(entry(EntryKind::Statement)),
                    Purpose::Receipt(to, _) => MemberRequest::Receipt(OutgoingReceipt {
                        sender,
                        to,
                        frame: OutgoingFrame::receipt(frame, signed),
                    }),
                }
            }
            ToRelay::Rekey(card) => MemberRequest::Rekey(self.take_card(card)?),
        };
        self.received += 1;
        Ok(request)
    }

    /// The room has done what the latest frame asks, and sent it to so many readers.
    pub(super) fn settle(&mut self, request: &MemberRequest, readers: usize) {
        match request {
            MemberRequest::Rekey(succession) => self.lineage = Lineage::of(&succession.card),
            MemberRequest::Forward(_) | MemberRequest::Statement(_) => {
                self.cost.charge_readers(readers);
            }
            _ => {}
        }
    }

    /// What the latest frame costs. [`Room::charge`](super::Room::charge) charges the member for it.
    #[must_use]
    pub fn cost(&self) -> &Cost {
        &self.cost
    }

    /// The session ids under which the member may sign: what it sends may be from before it changed
    /// its key.
    fn senders(&self) -> [SessionId; 2] {
        let Lineage { sid, previous, .. } = self.lineage;
        [sid, previous.unwrap_or(sid)]
    }

    /// Takes a card that follows the member's present one.
    #[inline(never)]
    fn take_card(&self, card: &[u8]) -> Result<Box<Succession>, Malformed> {
        let card = Card::parse(card, self.room).map_err(|_| Malformed)?;
        // Former stays are told in the card with which a member enters.
        if !self.lineage.is_before(&card) || !card.past().is_empty() {
            return Err(Malformed);
        }
        let entry = ChainEntry::new(EntryKind::Rekeyed, card.bytes());
        Ok(Box::new(Succession { card, entry }))
    }

    /// Checks a statement and its signature: so nobody must wonder whether the relay has made it up. Returns who
    /// signed it, and what it is for.
    #[inline(never)]
    fn check(&self, frame: &StatementFrame<'_>) -> Result<(SessionId, Purpose), Malformed> {
        let statement = Statement::parse(frame.statement)?;
        let identity = PublicKey::from_spki(&self.lineage.identity);
        let is_signed = |key: PublicKey| key.verifies(frame.statement, frame.signature);
        let is_allowed = self.senders().contains(&statement.sender)
            && statement.room == self.room
            && identity.is_ok_and(is_signed);
        let signed = (statement.sender, statement.purpose);
        is_allowed.then_some(signed).ok_or(Malformed)
    }
}

/// Whether to take this frame (type and fields) means to check a signature, which needs a large
/// stack: a new card, or a statement.
#[must_use]
pub fn has_signature_to_check(frame: &[u8]) -> bool {
    matches!(frame.first(), Some(&(kind::REKEY | kind::STATEMENT)))
}
