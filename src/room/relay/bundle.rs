//! Bundles: the frames to a member that go out with one system call, and that the relay frees together
//! once the member has acknowledged them. So the relay queues, sends and frees many frames in one step
//! each, which takes it most of its time where it does so frame by frame.

use std::sync::Arc;

use super::OutgoingFrame;

/// The most frames and bytes of a bundle. The frames, and a PING behind them, go out with one
/// system call: each has at most three slices, and Linux takes 1024.
const MOST_FRAMES: usize = 256;
const MOST_BYTES: usize = 64 * 1024;

/// Some of a member's frames, in their order.
#[derive(Debug, Default)]
pub struct Bundle {
    frames: Vec<OutgoingFrame>,
    counted: usize,
    bytes: usize,
    weight: usize,
}

/// What is to be sent of a bundle, the beginning of which may have been sent before.
#[derive(Clone, Debug)]
pub struct Unsent {
    bundle: Arc<Bundle>,
    sent: usize,
}

impl Unsent {
    pub(super) fn of(bundle: Arc<Bundle>, sent: usize) -> Self {
        Self { bundle, sent }
    }

    /// The frames that are to be sent.
    #[must_use]
    pub fn frames(&self) -> &[OutgoingFrame] {
        self.bundle.frames.get(self.sent..).unwrap_or_default()
    }
}

impl From<OutgoingFrame> for Bundle {
    fn from(frame: OutgoingFrame) -> Self {
        let mut bundle = Self::default();
        bundle.push(frame);
        bundle
    }
}

impl Bundle {
    pub(super) fn frames(&self) -> &[OutgoingFrame] {
        &self.frames
    }

    /// How many of its frames are counted for ACK.
    pub(super) fn counted(&self) -> usize {
        self.counted
    }

    /// What its frames weigh together, in bytes.
    pub(super) fn weight(&self) -> usize {
        self.weight
    }

    pub(super) fn is_full(&self) -> bool {
        self.frames.len() >= MOST_FRAMES || self.bytes >= MOST_BYTES
    }

    /// Sets space aside for so many frames.
    pub(super) fn expect(&mut self, frames: usize) {
        self.frames.reserve_exact(frames);
    }

    /// Adds a frame of the relay's own that is neither counted nor charged to the member.
    pub(super) fn push_weightless(&mut self, frame: OutgoingFrame) {
        self.frames.push(frame);
    }

    /// Whether all frames of another bundle would find room in this one.
    pub(super) fn has_room_for(&self, other: &Self) -> bool {
        self.frames.len() + other.frames.len() <= MOST_FRAMES
            && self.bytes + other.bytes <= MOST_BYTES
    }

    /// Adds all frames of another bundle.
    pub(super) fn append(&mut self, mut other: Self) {
        self.counted += other.counted;
        self.bytes += other.bytes;
        self.weight += other.weight;
        self.frames.append(&mut other.frames);
    }

    pub(super) fn push(&mut self, frame: OutgoingFrame) {
        self.counted += usize::from(frame.is_counted());
        self.bytes += frame.len();
        self.weight += frame.weight();
        self.frames.push(frame);
    }
}
