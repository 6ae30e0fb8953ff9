//! Frames that came in. What is passed on of them is not copied: it keeps the whole frame alive.
//!
//! So somebody who is sent a small part of each of many long frames, and does not read, could hold
//! far more memory than its queue is charged for. That is why only so much may be kept alive in
//! this way; above it, what is passed on is copied.

use std::ops::Deref;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// How many bytes of frames may be kept alive by parts of them.
const MOST: usize = 64 << 20;

/// Counts the bytes of frames that parts may keep alive. One for a whole relay.
#[derive(Debug, Default)]
pub struct Pool {
    bytes: AtomicUsize,
}

impl Pool {
    /// Takes a frame, and counts it for as long as it lives if there is room for it.
    #[must_use]
    pub fn take(self: &Arc<Self>, frame: Vec<u8>) -> Source {
        let length = frame.len();
        let before = self.bytes.fetch_add(length, Ordering::Relaxed);
        let mut source = Source {
            pool: Some(Arc::clone(self)),
            bytes: frame.into(),
        };
        if before.saturating_add(length) > MOST {
            source.leave_pool();
        }
        source
    }
}

/// A frame, as its type and its fields.
#[derive(Debug)]
pub struct Source {
    bytes: Box<[u8]>,
    /// Where it is counted, if it is.
    pool: Option<Arc<Pool>>,
}

impl Source {
    /// Whether small parts of it may keep it alive.
    pub(super) fn may_be_kept(&self) -> bool {
        self.pool.is_some()
    }

    fn leave_pool(&mut self) {
        if let Some(pool) = self.pool.take() {
            pool.bytes.fetch_sub(self.bytes.len(), Ordering::Relaxed);
        }
    }
}

impl From<Vec<u8>> for Source {
    fn from(frame: Vec<u8>) -> Self {
        Self {
            bytes: frame.into(),
            pool: None,
        }
    }
}

impl Deref for Source {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Drop for Source {
    fn drop(&mut self) {
        self.leave_pool();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_more_is_kept_alive_than_the_pool_has_room_for() {
        let pool = Arc::new(Pool::default());
        let first = pool.take(vec![0; MOST - 1]);
        let second = pool.take(vec![0]);
        let third = pool.take(vec![0]);
        assert!(first.may_be_kept() && second.may_be_kept());
        assert!(!third.may_be_kept());
        drop(third);
        assert!(!pool.take(vec![0]).may_be_kept());
        drop(second);
        assert!(pool.take(vec![0]).may_be_kept());
    }
}
