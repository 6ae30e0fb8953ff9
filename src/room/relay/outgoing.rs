//! Frames on their way from a room to its members, put together without copying where that is safe.

use std::ops::Range;
use std::sync::Arc;

use crate::room::frame::{self, Frame};

/// What a frame takes in memory beside its bytes: itself, and the allocation that these are in.
const OVERHEAD: usize = 128;

/// A frame on its way to a client. Cloning it does not copy what is in it.
#[derive(Clone, Debug)]
pub struct Outgoing {
    head: [u8; 5],
    source: Arc<[u8]>,
    parts: [Range<usize>; 2],
}

impl Outgoing {
    /// The frame DELIVER, put together from two places in the frame SEND.
    pub(super) fn deliver(
        send: &Arc<[u8]>,
        signed: Range<usize>,
        ciphertext: Range<usize>,
    ) -> Self {
        Self::passed_on(frame::kind::DELIVER, send, [signed, ciphertext])
    }

    /// The frame STATEMENT, as it was sent but for whom it is for.
    pub(super) fn statement(state: &Arc<[u8]>, signed: Range<usize>) -> Self {
        let nothing = signed.end..signed.end;
        Self::passed_on(frame::kind::STATEMENT, state, [signed, nothing])
    }

    /// Parts of a frame that came in. It is kept alive only if they are most of it: otherwise a few
    /// who do not read could hold far more memory than their queues are charged for.
    fn passed_on(kind: u8, source: &Arc<[u8]>, parts: [Range<usize>; 2]) -> Self {
        let shared = Self::new(kind, Arc::clone(source), parts);
        if 2 * shared.len() >= source.len() {
            return shared;
        }
        let [_, first, second] = shared.slices();
        let whole = 0..first.len() + second.len();
        let nothing = whole.end..whole.end;
        let copy = [first, second].concat().into();
        Self::new(kind, copy, [whole, nothing])
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

    /// What to charge for it: about the bytes that it takes in memory, or half of them where it
    /// keeps alive the frame that it came in.
    #[must_use]
    pub fn weight(&self) -> usize {
        OVERHEAD + self.len()
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
