//! What a reader is sent once more, alone: what it has not confirmed, once it has entered anew or this
//! member has (PROTOCOL §8).

use std::collections::{HashMap, HashSet, VecDeque};
use std::time::Duration;

use crate::room::card::SessionId;
use crate::room::frame::Frame;

use super::outbox::Outbox;

/// How many bytes one reader is sent at once, and how long there is until the next: less than a relay lets
/// through to it, so that nothing waits behind them.
const BYTES_AT_ONCE: usize = 8 << 10;
const APART: Duration = Duration::from_secs(1);

/// What one reader is sent once more.
struct Queue {
    /// When the next part of it is sent, or may be.
    due: Duration,
    receipts: VecDeque<u64>,
}

/// What readers are sent once more, by their first session ids.
#[derive(Default)]
pub(super) struct Copies(HashMap<SessionId, Queue>);

impl Copies {
    /// When the next copies are due, if any are.
    pub(super) fn next_due(&self) -> Option<Duration> {
        let waiting = self.0.values().filter(|queue| !queue.receipts.is_empty());
        waiting.map(|queue| queue.due).min()
    }

    /// Whether anybody who is present is still to be sent copies.
    pub(super) fn is_sending_to_any(&self, present: &HashSet<SessionId>) -> bool {
        let waits = |(origin, queue): (&SessionId, &Queue)| {
            present.contains(origin) && !queue.receipts.is_empty()
        };
        self.0.iter().any(waits)
    }

    /// A reader is to be sent what has these receipts. Whoever enters anew again and again gets no more at
    /// once for that.
    pub(super) fn begin(&mut self, origin: SessionId, receipts: VecDeque<u64>, now: Duration) {
        if receipts.is_empty() {
            return;
        }
        self.0
            .retain(|_, queue| queue.due > now || !queue.receipts.is_empty());
        let before = self.0.get(&origin);
        let due = before.map_or(now, |before| now.max(before.due));
        self.0.insert(origin, Queue { due, receipts });
    }

    /// Takes the frames that carry copies that are due, with their receipts and readers: so many for each
    /// reader that what is said meanwhile is not held up. Whoever is not present gets none.
    pub(super) fn take_due(
        &mut self,
        outbox: &Outbox,
        present: &HashSet<SessionId>,
        now: Duration,
    ) -> Vec<(u64, SessionId, Frame)> {
        let mut copies = Vec::new();
        for (origin, queue) in self.0.iter_mut().filter(|(_, queue)| queue.due <= now) {
            queue.due = now + APART;
            if !present.contains(origin) {
                queue.receipts.clear();
            }
            let mut bytes = 0;
            while bytes < BYTES_AT_ONCE
                && let Some(receipt) = queue.receipts.pop_front()
            {
                for frame in outbox.copies(receipt, *origin) {
                    bytes += frame.size();
                    copies.push((receipt, *origin, frame));
                }
            }
        }
        copies
    }
}
