//! What a relay has done since it started, in figures.

use std::sync::atomic::{AtomicU64, Ordering};

/// A number that many threads raise. A line of figures need not show all of them at one instant.
#[derive(Debug, Default)]
pub(super) struct Counter(AtomicU64);

impl Counter {
    pub(super) fn add(&self, number: u64) {
        self.0.fetch_add(number, Ordering::Relaxed);
    }

    fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// What a relay counts from its start.
#[derive(Debug, Default)]
pub(super) struct Stats {
    /// Ciphertexts that members sent: one for each reader of a message.
    pub(super) deliveries: Counter,
    /// Bytes of frames that members sent.
    pub(super) bytes: Counter,
    /// Members that were dropped because they did not read fast enough.
    pub(super) slow: Counter,
    /// Connections that did not become a member's, but for those that hung up themselves.
    pub(super) refusals: Counter,
}

/// How many members, rooms and connections there are at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Census {
    pub(super) members: usize,
    pub(super) rooms: usize,
    pub(super) connections: usize,
}

impl Stats {
    /// The line of `--stats`.
    pub(super) fn line(&self, now: Census) -> String {
        format!(
            "now: {} members, {} rooms, {} connections; since the start: {} deliveries, {} bytes, {} dropped as slow, {} refused",
            now.members,
            now.rooms,
            now.connections,
            self.deliveries.get(),
            self.bytes.get(),
            self.slow.get(),
            self.refusals.get(),
        )
    }
}
