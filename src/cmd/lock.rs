//! Locks that a panic does not take from others.

use std::sync::{Mutex, MutexGuard, PoisonError};

/// Takes a lock, poisoned or not. A panic in one thread must not end the others, and no change under
/// these locks can be left half done by one.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
