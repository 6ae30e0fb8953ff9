//! Reassembly: the messages that a member sends, checked as far as a relay can, and held back until
//! they are complete.

use std::ops::Range;
use std::sync::Arc;

use crate::cipher::encoding::Malformed;
use crate::room::card::SessionId;
use crate::room::frame::{RelayLimits, RunId, SendFrame};
use crate::room::message::{Header, Stream};
use crate::room::names::RoomId;

use super::incoming::IncomingFrame;

/// Whether no reader stands in a list twice: so no member gets more from another than that one has
/// sent.
pub(super) fn is_unique(readers: impl Iterator<Item = SessionId>) -> bool {
    let mut readers: Vec<SessionId> = readers.collect();
    // Clients send readers in ascending order but for a few at the end, which this kind of sorting
    // is quick with.
    readers.sort();
    readers.is_sorted_by(|a, b| a < b)
}

/// The longest parcel, in bytes: a ciphertext for one reader, with what belongs to it (PROTOCOL
/// §8).
const MAX_PARCEL: usize = 6144;

/// A complete message, as the frames that brought it.
#[derive(Debug)]
pub struct ReassembledMessage {
    pub(super) fragments: Vec<Fragment>,
    sender: SessionId,
}

impl ReassembledMessage {
    /// The session id under which it was written.
    pub(super) fn sender(&self) -> SessionId {
        self.sender
    }
}

#[derive(Debug)]
pub(super) struct Fragment {
    pub(super) frame: Arc<IncomingFrame>,
    pub(super) send: SendFrame,
}

impl Fragment {
    fn bytes(&self, range: &Range<usize>) -> &[u8] {
        self.frame.get(range.clone()).unwrap_or_default()
    }

    /// Checks that a member that has or had these session ids may send this in `room`.
    fn check(&self, senders: &[SessionId], room: RoomId) -> Result<Header, Malformed> {
        let header = Header::parse(self.bytes(&self.send.header))?;
        let mut readers = self.send.parcels.iter().map(|parcel| parcel.to);
        let is_allowed = senders.contains(&header.sender)
            && header.room == room
            && is_unique(readers.clone())
            && match header.stream {
                Stream::Room => true,
                Stream::Direct(reader) => readers.all(|sid| sid == reader),
            };
        if is_allowed {
            Ok(header)
        } else {
            Err(Malformed)
        }
    }
}

/// Holds the frames of a member's message back until the last has come, so that the message has one
/// place in the room's order.
#[derive(Debug)]
pub(super) struct Reassembly {
    /// The relay's run, and the epoch in which the member joined.
    run: RunId,
    joined: u64,
    /// The least number that the next message to the room may have.
    next: u64,
    max_bytes: usize,
    bytes: usize,
    fragments: Vec<Fragment>,
}

impl Reassembly {
    /// The reassembly of what a member sends that joined in this epoch.
    pub(super) fn new(run: RunId, joined: u64, limits: &RelayLimits) -> Self {
        let members = usize::try_from(limits.members).unwrap_or(usize::MAX);
        Self {
            run,
            joined,
            next: 0,
            max_bytes: members.saturating_add(1).saturating_mul(MAX_PARCEL),
            bytes: 0,
            fragments: Vec::new(),
        }
    }

    /// About the bytes of memory that the frames of an incomplete message take: besides what was
    /// sent, the table of its readers, which is 4/3 of that where they get nothing.
    pub(super) fn weight(&self) -> usize {
        self.bytes.saturating_mul(7) / 3
    }

    /// Adds a frame, which was parsed to `send`. Returns the message if that was its last frame.
    ///
    /// # Errors
    /// Where PROTOCOL §8 does not allow it.
    pub(super) fn add(
        &mut self,
        senders: &[SessionId],
        room: RoomId,
        frame: Arc<IncomingFrame>,
        send: SendFrame,
    ) -> Result<Option<ReassembledMessage>, Malformed> {
        let fragment = Fragment { frame, send };
        let header = fragment.check(senders, room)?;
        // A message from before the member joined is sent again, to readers who have come back
        // since: its number need not go up.
        let is_new = header.run == self.run && header.epoch >= self.joined;
        if self.fragments.is_empty() && header.stream == Stream::Room && is_new {
            // A number that comes late would be news to some readers and not to others.
            if header.sequence < self.next {
                return Err(Malformed);
            }
            self.next = header.sequence + 1;
        }
        if let Some(first) = self.fragments.first()
            && first.bytes(&first.send.signed) != fragment.bytes(&fragment.send.signed)
        {
            return Err(Malformed);
        }
        self.bytes += fragment.frame.len();
        if self.bytes > self.max_bytes {
            return Err(Malformed);
        }
        let is_last = fragment.send.last;
        self.fragments.push(fragment);
        Ok(is_last.then(|| {
            self.bytes = 0;
            ReassembledMessage {
                fragments: std::mem::take(&mut self.fragments),
                sender: header.sender,
            }
        }))
    }
}
