//! Frames on their way from a room to its members, put together without copying where that is safe.

use std::ops::Range;
use std::sync::Arc;

use crate::room::frame::{self, Frame};

use super::incoming::IncomingFrame;

/// About the bytes that a frame takes in memory beside its own: itself, and the allocation that
/// these are in.
const OVERHEAD: usize = 128;

/// The length in bytes of the field `epoch`, which JOINED and REKEYED have and MEMBER has not.
const EPOCH: usize = 8;

/// A range of bytes in a frame that came in. Many of them wait at once, so they are kept small.
#[derive(Clone, Copy, Debug)]
struct Span {
    start: u32,
    length: u32,
}

impl From<Range<usize>> for Span {
    fn from(range: Range<usize>) -> Self {
        let short = |number| u32::try_from(number).expect("a frame is far shorter than 4 GiB");
        Self {
            start: short(range.start),
            length: short(range.len()),
        }
    }
}

impl Span {
    fn len(self) -> usize {
        self.length as usize
    }

    fn of(self, source: &[u8]) -> &[u8] {
        let start = self.start as usize;
        source.get(start..start + self.len()).unwrap_or_default()
    }
}

/// A frame on its way to a member. To clone it does not copy its bytes.
#[derive(Clone, Debug)]
pub struct OutgoingFrame {
    head: [u8; 5],
    parts: [Span; 2],
    source: Arc<IncomingFrame>,
}

impl OutgoingFrame {
    /// The frame DELIVER, put together from two ranges of the frame SEND.
    pub(super) fn deliver(
        send: &Arc<IncomingFrame>,
        signed: Range<usize>,
        ciphertext: Range<usize>,
    ) -> Self {
        Self::passed_on(frame::kind::DELIVER, send, [signed, ciphertext])
    }

    /// The frame STATEMENT, as it was sent but for the members that it is for.
    pub(super) fn statement(state: &Arc<IncomingFrame>, signed: Range<usize>) -> Self {
        let nothing = signed.end..signed.end;
        Self::passed_on(frame::kind::STATEMENT, state, [signed, nothing])
    }

    /// The frame MEMBER with the card of JOINED or REKEYED, which is the last of their fields.
    pub(super) fn member(change: &Self) -> Self {
        let [fields, _] = change.parts;
        let card = (fields.start as usize + EPOCH)..(fields.start as usize + fields.len());
        let nothing = card.end..card.end;
        Self::new(
            frame::kind::MEMBER,
            Arc::clone(&change.source),
            [card, nothing],
        )
    }

    /// Ranges of a frame that came in. They keep it alive if they are most of it, or the budget for
    /// that allows it.
    fn passed_on(kind: u8, source: &Arc<IncomingFrame>, parts: [Range<usize>; 2]) -> Self {
        let shared = Self::new(kind, Arc::clone(source), parts);
        if source.is_within_budget() || 2 * shared.len() >= source.len() {
            return shared;
        }
        let [_, first, second] = shared.slices();
        Self::whole(kind, [first, second].concat())
    }

    fn whole(kind: u8, fields: Vec<u8>) -> Self {
        let whole = 0..fields.len();
        let nothing = whole.end..whole.end;
        Self::new(kind, Arc::new(fields.into()), [whole, nothing])
    }

    fn new(kind: u8, source: Arc<IncomingFrame>, parts: [Range<usize>; 2]) -> Self {
        let parts = parts.map(Span::from);
        let [first, second] = parts;
        let [a, b, c, d] = (1 + first.length + second.length).to_be_bytes();
        Self {
            head: [a, b, c, d, kind],
            parts,
            source,
        }
    }

    /// The bytes on the wire, in three parts.
    #[must_use]
    pub fn slices(&self) -> [&[u8]; 3] {
        let [first, second] = self.parts.map(|part| part.of(&self.source));
        [&self.head, first, second]
    }

    /// How many bytes it has on the wire.
    #[must_use]
    #[allow(clippy::len_without_is_empty, reason = "a frame is never empty")]
    pub fn len(&self) -> usize {
        let [first, second] = self.parts;
        self.head.len() + first.len() + second.len()
    }

    /// What a member is charged for it: about the bytes that it takes in memory. A frame that it
    /// keeps alive counts in the budget for these, or is at most twice as long.
    #[must_use]
    pub fn weight(&self) -> usize {
        OVERHEAD + self.len()
    }

    /// Whether it is counted for ACK (PROTOCOL §6).
    #[must_use]
    pub fn is_counted(&self) -> bool {
        frame::is_counted_kind(self.head[4])
    }
}

impl From<Frame> for OutgoingFrame {
    fn from(frame: Frame) -> Self {
        Self::whole(frame.kind, frame.fields)
    }
}
