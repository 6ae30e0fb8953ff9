//! Frames on their way from a room to its members, put together without copying where that is safe.

use std::ops::Range;
use std::sync::Arc;

use crate::room::chain::EntryKind;
use crate::room::frame::{self, Frame, MAX_FRAME};

use super::incoming::IncomingFrame;

/// About how much memory a frame takes beyond the bytes that it sends: an [`OutgoingFrame`], and what
/// an allocation costs for its [`IncomingFrame`].
const OVERHEAD: usize = 128;

/// The most bytes before the first range: length and type, and of ENTRY the kind and the entry's
/// length.
const MAX_HEAD: usize = 4 + 1 + 1 + 4;

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
    head: [u8; MAX_HEAD],
    head_length: u8,
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
        Self::passed_on(&[frame::kind::DELIVER], send, [signed, ciphertext])
    }

    /// The frame ENTRY with a message and one reader's ciphertext, put together likewise.
    pub(super) fn message(
        send: &Arc<IncomingFrame>,
        signed: Range<usize>,
        ciphertext: Range<usize>,
    ) -> Self {
        let [a, b, c, d] = Span::from(signed.clone()).length.to_be_bytes();
        let start = [frame::kind::ENTRY, EntryKind::Message.code(), a, b, c, d];
        Self::passed_on(&start, send, [signed, ciphertext])
    }

    /// The frame RECEIPT with the fields of the frame STATEMENT.
    pub(super) fn receipt(statement: IncomingFrame, signed: Range<usize>) -> Self {
        let nothing = signed.end..signed.end;
        Self::new(
            &[frame::kind::RECEIPT],
            Arc::new(statement),
            [signed, nothing],
        )
    }

    /// The frame MEMBER with the card of the frame ENTRY, which stands there between the kind and an
    /// empty ciphertext.
    pub(super) fn member(entry: &Self) -> Self {
        let card = 1..entry.source.len() - 4;
        let nothing = card.end..card.end;
        Self::new(
            &[frame::kind::MEMBER],
            Arc::clone(&entry.source),
            [card, nothing],
        )
    }

    /// Ranges of a frame that came in. They keep it alive if they are most of it, or the budget for
    /// that allows it.
    fn passed_on(start: &[u8], source: &Arc<IncomingFrame>, parts: [Range<usize>; 2]) -> Self {
        let shared = Self::new(start, Arc::clone(source), parts);
        if source.is_within_budget() || 2 * shared.len() >= source.len() {
            return shared;
        }
        let [_, first, second] = shared.slices();
        Self::whole(start, [first, second].concat())
    }

    fn whole(start: &[u8], fields: Vec<u8>) -> Self {
        let whole = 0..fields.len();
        let nothing = whole.end..whole.end;
        Self::new(start, Arc::new(fields.into()), [whole, nothing])
    }

    /// `start` is what comes before the first part: the type, and perhaps more. Every frame to a member
    /// is made here, and none is longer than members take: whoever was sent one would hang up, and
    /// resume, and be sent it again, for ever. What may come in is bounded so that this cannot be.
    fn new(start: &[u8], source: Arc<IncomingFrame>, parts: [Range<usize>; 2]) -> Self {
        let parts = parts.map(Span::from);
        let length = parts.iter().map(|part| part.len()).sum::<usize>() + start.len();
        assert!(length <= MAX_FRAME, "no frame of {length} bytes goes out");
        let length = Span::from(0..length).length.to_be_bytes();
        let mut head = [0; MAX_HEAD];
        let mut head_length = 0;
        for (place, byte) in head.iter_mut().zip(length.iter().chain(start)) {
            *place = *byte;
            head_length += 1;
        }
        Self {
            head,
            head_length,
            parts,
            source,
        }
    }

    /// The bytes on the wire, in three parts.
    #[must_use]
    pub fn slices(&self) -> [&[u8]; 3] {
        let [first, second] = self.parts.map(|part| part.of(&self.source));
        let head = self.head.get(..self.head_length.into());
        [head.unwrap_or_default(), first, second]
    }

    /// How many bytes it has on the wire.
    #[must_use]
    #[allow(clippy::len_without_is_empty, reason = "a frame is never empty")]
    pub fn len(&self) -> usize {
        let [first, second] = self.parts;
        usize::from(self.head_length) + first.len() + second.len()
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
        frame::kind::is_counted(self.head[4])
    }
}

impl From<Frame> for OutgoingFrame {
    fn from(frame: Frame) -> Self {
        Self::whole(&[frame.kind], frame.fields)
    }
}
