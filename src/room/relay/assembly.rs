//! What members send: checked as far as a relay can, and held back until it is complete.

use std::ops::Range;
use std::sync::Arc;

use crate::cipher::encoding::Malformed;
use crate::room::card::SessionId;
use crate::room::frame::{Limits, Send, State};
use crate::room::message::{Header, Stream};
use crate::room::names::RoomId;
use crate::room::statement::Statement;

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
pub struct Message(pub(super) Vec<Part>);

#[derive(Debug)]
pub(super) struct Part {
    pub(super) frame: Arc<[u8]>,
    pub(super) send: Send,
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
