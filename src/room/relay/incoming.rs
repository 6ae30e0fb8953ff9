//! Frames that came in. What is passed on of a frame is not copied: it keeps the whole frame alive.
//!
//! So a member that is sent a small part of each of many long frames, and does not read, could hold
//! far more memory than it is charged for. That is why only so many bytes may be kept alive in this
//! way, in a whole relay; above that, what is passed on is copied.

use std::ops::Deref;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// The most bytes of frames that may be kept alive by parts of them.
const MAX_RETAINED: usize = 64 << 20;

/// Counts the bytes of frames that parts may keep alive. A relay has one of these.
#[derive(Debug, Default)]
pub struct RetentionBudget {
    bytes: AtomicUsize,
}

impl RetentionBudget {
    /// Takes a frame. Where the budget has room for it, it counts for as long as it lives.
    #[must_use]
    pub fn take(self: &Arc<Self>, frame: Vec<u8>) -> IncomingFrame {
        let length = frame.len();
        let before = self.bytes.fetch_add(length, Ordering::Relaxed);
        let mut source = IncomingFrame {
            budget: Some(Arc::clone(self)),
            bytes: frame.into(),
        };
        if before.saturating_add(length) > MAX_RETAINED {
            source.leave_budget();
        }
        source
    }
}

/// A frame that came in: its type and fields.
#[derive(Debug)]
pub struct IncomingFrame {
    bytes: Box<[u8]>,
    /// The budget that it counts in, if it does.
    budget: Option<Arc<RetentionBudget>>,
}

impl IncomingFrame {
    /// Whether small parts of it may keep it alive.
    pub(super) fn is_within_budget(&self) -> bool {
        self.budget.is_some()
    }

    fn leave_budget(&mut self) {
        if let Some(budget) = self.budget.take() {
            budget.bytes.fetch_sub(self.bytes.len(), Ordering::Relaxed);
        }
    }
}

impl From<Vec<u8>> for IncomingFrame {
    fn from(frame: Vec<u8>) -> Self {
        Self {
            bytes: frame.into(),
            budget: None,
        }
    }
}

impl Deref for IncomingFrame {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Drop for IncomingFrame {
    fn drop(&mut self) {
        self.leave_budget();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_more_is_kept_alive_than_the_pool_has_room_for() {
        let budget = Arc::new(RetentionBudget::default());
        let first = budget.take(vec![0; MAX_RETAINED - 1]);
        let second = budget.take(vec![0]);
        let third = budget.take(vec![0]);
        assert!(first.is_within_budget() && second.is_within_budget());
        assert!(!third.is_within_budget());
        drop(third);
        assert!(!budget.take(vec![0]).is_within_budget());
        drop(second);
        assert!(budget.take(vec![0]).is_within_budget());
    }
}
