//! The bounded queue of entries between the program and the thread that writes them.
//!
//! A channel of the standard library lacks two things: the program must be able to stop waiting for a
//! writer that stands still, and other events than entries must be able to wake the writer.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::cmd::lock::lock;

/// How many items the queue holds. When it is full, [`BoundedQueue::push`] waits.
const CAPACITY: usize = 1024;

/// A bounded queue: many threads put items in, one takes them out.
pub(super) struct BoundedQueue<T> {
    state: Mutex<QueueState<T>>,
    changed: Condvar,
}

struct QueueState<T> {
    items: VecDeque<T>,
    /// Whether a full queue drops what does not fit, rather than make `push` wait.
    hurried: bool,
    /// Whether the queue takes nothing more.
    closed: bool,
    /// Whether the next `take` does not wait.
    woken: bool,
}

/// What [`BoundedQueue::take`] found.
pub(super) struct Taken<T> {
    /// Everything that was in the queue, oldest first.
    pub(super) items: VecDeque<T>,
    /// Whether nothing more will come.
    pub(super) closed: bool,
}

impl<T> BoundedQueue<T> {
    pub(super) fn new() -> Self {
        let state = QueueState {
            items: VecDeque::new(),
            hurried: false,
            closed: false,
            woken: false,
        };
        Self {
            state: Mutex::new(state),
            changed: Condvar::new(),
        }
    }

    /// Puts an item in, and waits for room if the queue is full. A closed queue drops the item, and so
    /// does a full one that is hurried.
    pub(super) fn push(&self, item: T) {
        let state = self.lock();
        let mut state = self
            .changed
            .wait_while(state, |s| {
                s.items.len() >= CAPACITY && !s.hurried && !s.closed
            })
            .unwrap_or_else(PoisonError::into_inner);
        if state.items.len() < CAPACITY && !state.closed {
            state.items.push_back(item);
            self.changed.notify_all();
        }
    }

    /// From now on `push` never waits.
    pub(super) fn hurry(&self) {
        self.lock().hurried = true;
        self.changed.notify_all();
    }

    /// Whether [`BoundedQueue::hurry`] has been called.
    pub(super) fn is_hurried(&self) -> bool {
        self.lock().hurried
    }

    /// Closes the queue: it takes nothing more, and `take` still gets what is in it.
    pub(super) fn close(&self) {
        self.lock().closed = true;
        self.changed.notify_all();
    }

    /// Ends a wait in `take` without an item.
    pub(super) fn wake(&self) {
        self.lock().woken = true;
        self.changed.notify_all();
    }

    /// Takes everything out. Waits until there is something, somebody wakes or closes the queue, or
    /// `time` is over.
    pub(super) fn take(&self, time: Duration) -> Taken<T> {
        let idle = |s: &mut QueueState<T>| s.items.is_empty() && !s.woken && !s.closed;
        let (mut state, _) = self
            .changed
            .wait_timeout_while(self.lock(), time, idle)
            .unwrap_or_else(PoisonError::into_inner);
        state.woken = false;
        let items = std::mem::take(&mut state.items);
        self.changed.notify_all();
        Taken {
            items,
            closed: state.closed,
        }
    }

    /// Ignores poison: no update takes two steps, so a panic elsewhere leaves the queue whole.
    fn lock(&self) -> MutexGuard<'_, QueueState<T>> {
        lock(&self.state)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::thread;

    use super::*;

    const LONG: Duration = Duration::from_mins(1);

    #[test]
    fn a_full_queue_waits_and_keeps_the_order() {
        let queue = Arc::new(BoundedQueue::new());
        let writer = Arc::clone(&queue);
        let pushing = thread::spawn(move || (0..3 * CAPACITY).for_each(|i| writer.push(i)));
        let mut all = Vec::new();
        while all.len() < 3 * CAPACITY {
            all.extend(queue.take(LONG).items);
        }
        assert!(pushing.join().is_ok());
        assert!(all.into_iter().eq(0..3 * CAPACITY));
    }

    #[test]
    fn a_writer_that_stands_still_does_not_hold_up_a_quit() {
        let queue = Arc::new(BoundedQueue::new());
        let writer = Arc::clone(&queue);
        let pushing = thread::spawn(move || (0..2 * CAPACITY).for_each(|i| writer.push(i)));
        queue.hurry();
        assert!(pushing.join().is_ok());
        assert_eq!(queue.take(LONG).items.len(), CAPACITY);
    }

    #[test]
    fn a_closed_queue_still_gives_what_it_has() {
        let queue = BoundedQueue::new();
        queue.push(1);
        queue.close();
        queue.push(2);
        let taken = queue.take(LONG);
        assert!(taken.closed);
        assert_eq!(taken.items, [1]);
    }

    #[test]
    fn a_wake_before_the_wait_is_not_lost() {
        let queue = BoundedQueue::<u8>::new();
        queue.wake();
        assert!(queue.take(LONG).items.is_empty());
    }
}
