//! Frames that are sent together, and forgotten together once they are acknowledged. So what it
//! takes to keep them is done once for all of them.

use super::Outgoing;

/// The most frames and bytes that are sent together.
const MOST_FRAMES: usize = 256;
const MOST_BYTES: usize = 64 * 1024;

/// Some of a member's frames, in their order. There is at least one in it when it is sent.
#[derive(Debug, Default)]
pub struct Bundle {
    frames: Vec<Outgoing>,
    counted: usize,
    bytes: usize,
    weight: usize,
}

impl From<Outgoing> for Bundle {
    fn from(frame: Outgoing) -> Self {
        let mut bundle = Self::default();
        bundle.push(frame);
        bundle
    }
}

impl Bundle {
    /// The frames.
    #[must_use]
    pub fn frames(&self) -> &[Outgoing] {
        &self.frames
    }

    /// How many of them count for ACK.
    pub(super) fn counted(&self) -> usize {
        self.counted
    }

    /// What they weigh together.
    pub(super) fn weight(&self) -> usize {
        self.weight
    }

    pub(super) fn is_full(&self) -> bool {
        self.frames.len() >= MOST_FRAMES || self.bytes >= MOST_BYTES
    }

    pub(super) fn push(&mut self, frame: Outgoing) {
        self.counted += usize::from(frame.is_counted());
        self.bytes += frame.len();
        self.weight += frame.weight();
        self.frames.push(frame);
    }
}
