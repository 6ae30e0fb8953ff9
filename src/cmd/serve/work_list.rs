//! A work list: many threads put things on it, and one thread takes them all at once.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// The things to be worked on, in the order in which they came.
pub(super) struct WorkList<T> {
    state: Mutex<WorkListState<T>>,
    filled: Condvar,
}

struct WorkListState<T> {
    items: Vec<Arc<T>>,
    /// Whether the thread that works waits for something to come.
    is_asleep: bool,
}

impl<T> Default for WorkList<T> {
    fn default() -> Self {
        Self {
            state: Mutex::new(WorkListState {
                items: Vec::new(),
                is_asleep: false,
            }),
            filled: Condvar::new(),
        }
    }
}

impl<T> WorkList<T> {
    pub(super) fn enlist(&self, item: Arc<T>) {
        let mut state = self.lock();
        state.items.push(item);
        let is_asleep = std::mem::take(&mut state.is_asleep);
        drop(state);
        if is_asleep {
            self.filled.notify_one();
        }
    }

    /// Moves all items to the end of `round`. Where there are none, waits until there is one, or
    /// until `deadline` if there is one.
    pub(super) fn collect(&self, round: &mut Vec<Arc<T>>, deadline: Option<Instant>) {
        let mut state = self.lock();
        while state.items.is_empty() {
            let wait = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
            if wait == Some(Duration::ZERO) {
                break;
            }
            state.is_asleep = true;
            state = match wait {
                Some(wait) => {
                    let woken = self.filled.wait_timeout(state, wait);
                    woken.unwrap_or_else(PoisonError::into_inner).0
                }
                None => self
                    .filled
                    .wait(state)
                    .unwrap_or_else(PoisonError::into_inner),
            };
            state.is_asleep = false;
        }
        round.append(&mut state.items);
    }

    fn lock(&self) -> MutexGuard<'_, WorkListState<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
