//! What the relay takes from one member, frame by frame: checked, counted, and put together. It
//! outlives the member's connection.

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

/// A statement, as it is to be passed on.
#[derive(Debug)]
pub struct OutgoingStatement {
    pub(super) frame: OutgoingFrame,
    /// Whom it is for; everybody if there are none.
    pub(super) to: Vec<SessionId>,
}

/// What a frame asks of the relay.
#[derive(Debug)]
pub enum MemberRequest {
    /// Nothing yet: it is a part of a message.
    Wait,
    /// To pass on a message.
    Forward(ReassembledMessage),
    /// To pass on a statement.
    Statement(OutgoingStatement),
    /// To pass on a goodbye, which is signed, and to take the member out of the room.
    Goodbye(OutgoingStatement),
    /// To give the member the session key and the nick of this card, which follows its present one.
    Rekey(Box<Card>),
    /// To let the member go, which has said goodbye.
    Leave,
    /// To acknowledge what was taken.
    Acknowledge,
    /// To forget so many frames that the member has taken.
    Forget(u64),
}

/// What is kept of a member's card: enough to know the next one by. A parsed card, with its keys
/// ready for arithmetic, takes kilobytes.
#[derive(Debug)]
struct Lineage {
    sid: SessionId,
    /// The session id before, if there was one.
    previous: Option<SessionId>,
    /// The first one.
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

    /// As [`Card::is_successor_of`].
    fn is_before(&self, card: &Card) -> bool {
        self.sid == card.previous()
            && self.origin == card.origin()
            && *self.identity == *card.identity().spki()
            && self.generation.checked_add(1) == Some(card.generation())
    }
}

/// What is known of a member's sending.
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
    /// The most blocks that one reader has to open of the frames of a message that is not complete.
    opened: u64,
}

impl Intake {
    /// For the member that joined with `card` in this epoch.
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

    /// About the bytes of memory that a message takes of which the last frame has not come.
    #[must_use]
    pub fn weight(&self) -> usize {
        self.reassembly.weight()
    }

    /// Takes a frame.
    ///
    /// # Errors
    /// Where PROTOCOL §8 does not allow it.
    pub fn take(&mut self, frame: impl Into<IncomingFrame>) -> Result<MemberRequest, Malformed> {
        let room = self.room;
        let frame = frame.into();
        let parsed = ToRelay::parse(&frame)?;
        self.cost = Cost::of(frame.len(), &parsed);
        let request = match parsed {
            // Nothing else comes after a goodbye, or keeps the connection.
            ToRelay::Leave if self.has_said_goodbye => MemberRequest::Leave,
            _ if self.has_said_goodbye => return Err(Malformed),
            ToRelay::Ping => return Ok(MemberRequest::Acknowledge),
            ToRelay::Ack(count) => return Ok(MemberRequest::Forget(count)),
            ToRelay::Leave | ToRelay::Hello { .. } => return Err(Malformed),
            ToRelay::Send(send) => {
                let message =
                    (self.reassembly).add(&self.senders(), room, Arc::new(frame), send)?;
                // No reader is in two frames of a message, so they do not add up.
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

    /// Has the latest frame cost what its request asks of a room with so many others.
    pub fn charge_readers(&mut self, request: &MemberRequest, others: usize) {
        if let MemberRequest::Statement(stated) = request
            && stated.to.is_empty()
        {
            self.cost.charge_readers(others);
        }
    }

    /// Counts the latest frame: what it costs, and how long the next one has to wait for that.
    pub fn throttle(&mut self, uptime: Duration) -> (Cost, Duration) {
        (self.cost, self.throttle.take(&self.cost, uptime))
    }

    /// The session ids under which its messages may be written: what it sends again may be from
    /// before it changed its key.
    fn senders(&self) -> Vec<SessionId> {
        let Lineage { sid, previous, .. } = self.lineage;
        [sid].into_iter().chain(previous).collect()
    }

    /// Checks a statement. Of a goodbye the signature too: it takes its signer out of the room, so that
    /// nobody need wonder whether the relay has made it up.
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

    /// Whether a statement that says goodbye is to all, and signed.
    fn is_goodbye(&self, state: &StatementFrame<'_>) -> bool {
        let identity = PublicKey::from_spki(&self.lineage.identity);
        let is_signed = |key: PublicKey| key.verifies(state.statement, state.signature);
        state.to.is_empty() && identity.is_ok_and(is_signed)
    }
}

/// Whether a signature is checked when a frame is taken: of a new card, or of a goodbye.
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
