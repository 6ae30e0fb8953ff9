//! The intake of one member: what the relay takes from it, frame by frame, checked, counted and
//! reassembled. It outlives the member's connection (PROTOCOL §8).

use std::sync::Arc;
use std::time::Duration;

use crate::cipher::encoding::Malformed;
use crate::cipher::keys::PublicKey;
use crate::room::card::{Card, SessionId};
use crate::room::frame::{RelayLimits, RunId, StatementFrame, ToRelay, kind};
use crate::room::names::RoomId;
use crate::room::statement::{Occasion, Statement};

use super::OutgoingFrame;
use super::incoming::IncomingFrame;
use super::reassembly::{ReassembledMessage, Reassembly, is_unique};
use super::throttle::{Cost, Throttle};

/// A statement, as it is to be forwarded.
#[derive(Debug)]
pub struct OutgoingStatement {
    pub(super) frame: OutgoingFrame,
    /// The members that it is for; all others if there are none.
    pub(super) to: Vec<SessionId>,
}

/// What a frame of a member's asks of the relay.
#[derive(Debug)]
pub enum MemberRequest {
    /// To wait: the frame is a part of a message that is not complete.
    Wait,
    /// To forward a message.
    Forward(ReassembledMessage),
    /// To forward a statement.
    Statement(OutgoingStatement),
    /// To forward a goodbye, whose signature is checked, and to take the member out of the room.
    Goodbye(OutgoingStatement),
    /// To give the member the session key and the nick of this card, which follows its present
    /// card.
    Rekey(Box<Card>),
    /// To close the connection of the member, which has said goodbye.
    Leave,
    /// To send an ACK of what was taken from the member.
    Acknowledge,
    /// To forget the first so many counted frames, which the member acknowledges.
    Forget(u64),
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
    max_readers: u32,
    received: u64,
    has_said_goodbye: bool,
    throttle: Throttle,
    /// What the latest frame costs.
    cost: Cost,
    /// The most blocks that any one reader has to open of the frames so far of an incomplete
    /// message.
    opened: u64,
}

impl Intake {
    /// The intake of the member that joined with `card` in this epoch.
    #[must_use]
    pub fn new(card: &Card, run: RunId, joined: u64, limits: &RelayLimits) -> Self {
        Self {
            room: card.room(),
            lineage: Lineage::of(card),
            reassembly: Reassembly::new(run, joined, limits),
            joined,
            max_readers: limits.members,
            received: 0,
            has_said_goodbye: false,
            throttle: Throttle::new(limits),
            cost: Cost::default(),
            opened: 0,
        }
    }

    /// The member's session id.
    #[must_use]
    pub fn sid(&self) -> SessionId {
        self.lineage.sid
    }

    /// The epoch in which the member joined.
    #[must_use]
    pub fn joined(&self) -> u64 {
        self.joined
    }

    /// Whether the member has said goodbye: it is not in the room any more.
    #[must_use]
    pub fn has_said_goodbye(&self) -> bool {
        self.has_said_goodbye
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
    pub fn take(&mut self, frame: impl Into<IncomingFrame>) -> Result<MemberRequest, Malformed> {
        let room = self.room;
        let frame = frame.into();
        let parsed = ToRelay::parse(&frame)?;
        self.cost = Cost::of(frame.len(), &parsed);
        let request = match parsed {
            // After a goodbye comes nothing but LEAVE, not even what keeps the connection.
            ToRelay::Leave if self.has_said_goodbye => MemberRequest::Leave,
            _ if self.has_said_goodbye => return Err(Malformed),
            ToRelay::Ping => return Ok(MemberRequest::Acknowledge),
            ToRelay::Ack(count) => return Ok(MemberRequest::Forget(count)),
            ToRelay::Leave | ToRelay::Hello { .. } => return Err(Malformed),
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
            ToRelay::Statement(state) => {
                self.has_said_goodbye = self.check(&state, room)? == Occasion::Leave;
                let StatementFrame { signed, to, .. } = state;
                let frame = OutgoingFrame::statement(&Arc::new(frame), signed);
                let stated = OutgoingStatement { frame, to };
                if self.has_said_goodbye {
                    MemberRequest::Goodbye(stated)
                } else {
                    MemberRequest::Statement(stated)
                }
            }
            ToRelay::Rekey(card) => {
                let card = Card::parse(card, room).map_err(|_| Malformed)?;
                if !self.lineage.is_before(&card) {
                    return Err(Malformed);
                }
                self.lineage = Lineage::of(&card);
                MemberRequest::Rekey(Box::new(card))
            }
        };
        self.received += 1;
        Ok(request)
    }

    /// Has the latest frame cost a block for each of `others`, the room's other members, if it
    /// comes to all of them.
    pub fn charge_readers(&mut self, request: &MemberRequest, others: usize) {
        if let MemberRequest::Statement(stated) = request
            && stated.to.is_empty()
        {
            self.cost.charge_readers(others);
        }
    }

    /// Charges the member for the latest frame. Returns what it cost, and how long the next one has
    /// to wait for that. `uptime` is the time since any moment, the same moment for all calls.
    pub fn throttle(&mut self, uptime: Duration) -> (Cost, Duration) {
        (self.cost, self.throttle.take(&self.cost, uptime))
    }

    /// The session ids under which the member's messages may be written: what it sends again may be
    /// from before it changed its key.
    fn senders(&self) -> Vec<SessionId> {
        let Lineage { sid, previous, .. } = self.lineage;
        [sid].into_iter().chain(previous).collect()
    }

    /// Checks a statement. Of a goodbye it checks the signature too: a goodbye takes its signer out
    /// of the room, so nobody must wonder whether the relay has made it up.
    fn check(&self, state: &StatementFrame<'_>, room: RoomId) -> Result<Occasion, Malformed> {
        let statement = Statement::parse(state.statement)?;
        let is_too_many = u32::try_from(state.to.len()).map_or(true, |to| to > self.max_readers);
        let is_allowed = statement.sender == self.lineage.sid
            && statement.room == room
            && !is_too_many
            && is_unique(state.to.iter().copied())
            && (statement.occasion == Occasion::Beacon || self.is_goodbye(state));
        if is_allowed {
            Ok(statement.occasion)
        } else {
            Err(Malformed)
        }
    }

    /// Whether a goodbye is to all, and signed.
    fn is_goodbye(&self, state: &StatementFrame<'_>) -> bool {
        let identity = PublicKey::from_spki(&self.lineage.identity);
        let is_signed = |key: PublicKey| key.verifies(state.statement, state.signature);
        state.to.is_empty() && identity.is_ok_and(is_signed)
    }
}

/// Whether to take this frame (type and fields) means to check a signature, which needs a large
/// stack: a new card, or a goodbye.
#[must_use]
pub fn has_signature_to_check(frame: &[u8]) -> bool {
    let is_goodbye = || match ToRelay::parse(frame) {
        Ok(ToRelay::Statement(state)) => Statement::parse(state.statement)
            .is_ok_and(|statement| statement.occasion == Occasion::Leave),
        _ => false,
    };
    match frame.first() {
        Some(&kind::REKEY) => true,
        Some(&kind::STATEMENT) => is_goodbye(),
        _ => false,
    }
}
