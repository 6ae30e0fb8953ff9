//! A counting semaphore, which keeps a thread that reads from running ahead of the thread that
//! works.

use std::sync::{Condvar, Mutex, PoisonError};

use crate::cmd::lock::lock;

/// Counts how much is under way.
pub(super) struct Credits {
    most: usize,
    taken: Mutex<usize>,
    given: Condvar,
}

impl Credits {
    /// A semaphore with so many credits.
    pub(super) fn new(most: usize) -> Self {
        Self {
            most,
            taken: Mutex::new(0),
            given: Condvar::new(),
        }
    }

    /// Waits until there are any, and takes so many, though there may be fewer.
    pub(super) fn take(&self, count: usize) {
        let taken = lock(&self.taken);
        let mut taken = self
            .given
            .wait_while(taken, |taken| *taken >= self.most)
            .unwrap_or_else(PoisonError::into_inner);
        *taken = taken.saturating_add(count);
    }

    /// Whether none is taken.
    pub(super) fn are_all_there(&self) -> bool {
        *lock(&self.taken) == 0
    }

    /// Gives so many back.
    pub(super) fn give(&self, count: usize) {
        let mut taken = lock(&self.taken);
        *taken = taken.saturating_sub(count);
        self.given.notify_one();
    }
}
