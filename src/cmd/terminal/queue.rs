//! The bounded queue of entries between the program and whatever writes them.
//!
//! A channel of the standard library would do but for two things: the program must be able to
//! stop waiting for a writer that stands still, and the writer must wake up for more than entries.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// How many entries wait before [`Queue::push`] does.
const CAPACITY: usize = 1024;

/// A bounded queue: many put in, one takes out.
pub(super) struct Queue<T> {
    state: Mutex<State<T>>,
    changed: Condvar,
}

struct State<T> {
    items: VecDeque<T>,
    /// A full queue drops what does not fit, rather than make `push` wait.
    hurried: bool,
    /// Nothing more comes in.
    closed: bool,
    woken: bool,
}

/// What [`Queue::take`] found.
pub(super) struct Taken<T> {
    /// Everything that was in the queue, oldest first.
    pub(super) items: VecDeque<T>,
    /// Nothing more will come.
    pub(super) closed: bool,
}

impl<T> Queue<T> {
    pub(super) fn new() -> Self {
        let state = State {
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

    /// Puts an item in, waiting for room.
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

    /// Whether [`Queue::hurry`] has been called.
    pub(super) fn is_hurried(&self) -> bool {
        self.lock().hurried
    }

    /// Nothing more comes in; what is there can still be taken.
    pub(super) fn close(&self) {
        self.lock().closed = true;
        self.changed.notify_all();
    }

    /// Ends a wait in `take` without an item.
    pub(super) fn wake(&self) {
        self.lock().woken = true;
        self.changed.notify_all();
    }

    /// Takes everything out. Waits until there is something, the queue is woken or closed, or the
    /// time is over.
    pub(super) fn take(&self, time: Duration) -> Taken<T> {
        let idle = |s: &mut State<T>| s.items.is_empty() && !s.woken && !s.closed;
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

    /// A panic elsewhere leaves a queue as good as it was: no update is made in two steps.
    fn lock(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
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
        let queue = Arc::new(Queue::new());
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
        let queue = Arc::new(Queue::new());
        let writer = Arc::clone(&queue);
        let pushing = thread::spawn(move || (0..2 * CAPACITY).for_each(|i| writer.push(i)));
        queue.hurry();
        assert!(pushing.join().is_ok());
        assert_eq!(queue.take(LONG).items.len(), CAPACITY);
    }

    #[test]
    fn a_closed_queue_still_gives_what_it_has() {
        let queue = Queue::new();
        queue.push(1);
        queue.close();
        queue.push(2);
        let taken = queue.take(LONG);
        assert!(taken.closed);
        assert_eq!(taken.items, [1]);
    }

    #[test]
    fn a_wake_before_the_wait_is_not_lost() {
        let queue = Queue::<u8>::new();
        queue.wake();
        assert!(queue.take(LONG).items.is_empty());
    }
}
