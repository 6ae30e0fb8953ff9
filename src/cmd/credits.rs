//! A counting semaphore, which keeps a thread that reads from running ahead of the thread that
//! works.

use std::sync::{Condvar, Mutex, PoisonError};

/// Counts how many more things may be under way.
pub(super) struct Credits {
    left: Mutex<usize>,
    given: Condvar,
}

impl Credits {
    /// A semaphore with so many credits.
    pub(super) fn new(credits: usize) -> Self {
        Self {
            left: Mutex::new(credits),
            given: Condvar::new(),
        }
    }

    /// Waits for a credit and takes it.
    pub(super) fn take(&self) {
        let left = self.left.lock().unwrap_or_else(PoisonError::into_inner);
        let mut left = self
            .given
            .wait_while(left, |left| *left == 0)
            .unwrap_or_else(PoisonError::into_inner);
        *left -= 1;
    }

    /// How many are left.
    pub(super) fn left(&self) -> usize {
        *self.left.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Gives a credit back.
    pub(super) fn give(&self) {
        *self.left.lock().unwrap_or_else(PoisonError::into_inner) += 1;
        self.given.notify_one();
    }
}
