//! The queue of the writers: members' outboxes for which there is something to do now, or at a certain
//! time. It says how many writers take part, and for how long frames gather in a rush: both follow
//! what there is to send to all members together.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::cmd::lock::lock;

/// How many outboxes a writer takes at once.
const SHARE: usize = 64;

/// For how long the queue is not empty before another writer begins.
const PATIENCE: Duration = Duration::from_millis(1);

/// For how long frames are gathered in a rush: so long for each member that there is something for,
/// and so long at most. Without a rush they wait for nothing.
const GATHER_FOR_EACH: Duration = Duration::from_micros(50);
const GATHER_AT_MOST: Duration = Duration::from_millis(50);

/// When a writer is to come back to an outbox.
#[derive(Clone, Copy, Debug)]
pub(super) enum NextVisit {
    /// When the outbox is in the queue again.
    Nothing,
    /// In the next round.
    SendNow,
    /// At this time, to send.
    SendAt(Instant),
    /// At this time, to be asked for an acknowledgement.
    AskAt(Instant),
}

/// What is to be done for a member.
pub(super) enum Due<T> {
    /// Send.
    Send(Arc<T>),
    /// Ask for an acknowledgement, if nothing was to be sent for long enough.
    Ask(Arc<T>),
}

/// What a writer does before it looks at the queue again.
pub(super) struct Round<T> {
    pub(super) due: Vec<Due<T>>,
    /// How many of these are [`Due::Send`].
    pub(super) sends: u32,
    pub(super) now: Instant,
    /// For how long a member that gets much at once is left alone then.
    pub(super) gather: Duration,
}

/// What the writers have to do, in the order in which it is due.
pub(super) struct WriteQueue<T> {
    state: Mutex<QueueState<T>>,
    changed: Condvar,
    /// How many writers there are, and whether all of them write.
    writers: usize,
    is_forced: bool,
}

struct QueueState<T> {
    ready: VecDeque<Due<T>>,
    /// What is to be done at a certain time.
    later: BTreeMap<Instant, Vec<Due<T>>>,
    /// To how many members there is something to send: those whom a writer visits at the moment, too.
    sending: u32,
    /// How many writers wait, how many of these have been called, and when the first of them looks
    /// at the queue by itself.
    waiting: usize,
    called: usize,
    wakes_at: Option<Instant>,
    /// Since when writers have left something for others.
    behind_since: Option<Instant>,
}

impl<T> QueueState<T> {
    /// Notes when the next visit to an outbox is due.
    fn schedule(&mut self, outbox: Arc<T>, next: NextVisit) {
        let (at, due) = match next {
            NextVisit::Nothing => return,
            NextVisit::SendNow => {
                self.sending += 1;
                return self.ready.push_back(Due::Send(outbox));
            }
            NextVisit::SendAt(at) => {
                self.sending += 1;
                (at, Due::Send(outbox))
            }
            NextVisit::AskAt(at) => (at, Due::Ask(outbox)),
        };
        self.later.entry(at).or_default().push(due);
    }
}

impl<T> WriteQueue<T> {
    /// An empty queue for so many writers. Where they are forced, all of them take part.
    pub(super) fn new(writers: usize, is_forced: bool) -> Self {
        Self {
            state: Mutex::new(QueueState {
                ready: VecDeque::new(),
                later: BTreeMap::new(),
                sending: 0,
                waiting: 0,
                called: 0,
                wakes_at: None,
                behind_since: None,
            }),
            changed: Condvar::new(),
            writers,
            is_forced,
        }
    }

    /// Takes an outbox for which there is something to send.
    pub(super) fn enlist(&self, outbox: Arc<T>) {
        let mut state = self.lock();
        state.schedule(outbox, NextVisit::SendNow);
        // A writer that is at work comes back by itself.
        if state.waiting == self.writers {
            self.call_writer(&mut state);
        }
    }

    /// Wakes a writer, unless one that was called has not come yet.
    fn call_writer(&self, state: &mut QueueState<T>) {
        if state.called == 0 && state.waiting > 0 {
            state.called = 1;
            self.changed.notify_one();
        }
    }

    /// Takes what is due next off the queue, and waits until there is something. The caller gives back
    /// what it has `visited` since it was here last, of which so many were to be sent to.
    pub(super) fn take(&self, visited: &mut Vec<(Arc<T>, NextVisit)>, sends: u32) -> Round<T> {
        let mut state = self.lock();
        state.sending -= sends;
        for (outbox, next) in visited.drain(..) {
            state.schedule(outbox, next);
        }
        loop {
            let now = Instant::now();
            while let Some(first) = state.later.first_entry()
                && *first.key() <= now
            {
                let due = first.remove();
                state.ready.extend(due);
            }
            if !state.ready.is_empty() {
                return self.share(&mut state, now);
            }
            state.behind_since = None;
            state = self.wait(state, now);
        }
    }

    /// A writer's share of what is ready. Calls another writer where that is too much for those who write.
    fn share(&self, state: &mut QueueState<T>, now: Instant) -> Round<T> {
        let gather = GATHER_FOR_EACH.saturating_mul(state.sending);
        let ready = state.ready.len();
        let share = if self.is_forced {
            ready.div_ceil(self.writers)
        } else {
            ready.min(SHARE)
        };
        let due: Vec<Due<T>> = state.ready.drain(..share).collect();
        if share == ready {
            state.behind_since = None;
        } else {
            let since = *state.behind_since.get_or_insert(now);
            if self.is_forced || now.saturating_duration_since(since) >= PATIENCE {
                state.behind_since = Some(now);
                self.call_writer(state);
            }
        }
        let sends = due.iter().filter(|due| matches!(due, Due::Send(_)));
        Round {
            sends: u32::try_from(sends.count()).unwrap_or(u32::MAX),
            due,
            now,
            gather: gather.min(GATHER_AT_MOST),
        }
    }

    /// Waits until the writer is called, or something is due for which no other one waits.
    fn wait<'a>(
        &self,
        mut state: MutexGuard<'a, QueueState<T>>,
        now: Instant,
    ) -> MutexGuard<'a, QueueState<T>> {
        let first = state.later.first_key_value().map(|(at, _)| *at);
        let first = first.filter(|first| state.wakes_at.is_none_or(|at| *first < at));
        state.waiting += 1;
        let mut state = if let Some(first) = first {
            state.wakes_at = Some(first);
            let wait = first.saturating_duration_since(now);
            let woken = self.changed.wait_timeout(state, wait);
            let mut state = woken.unwrap_or_else(PoisonError::into_inner).0;
            state.wakes_at.take_if(|at| *at == first);
            state
        } else {
            let woken = self.changed.wait(state);
            woken.unwrap_or_else(PoisonError::into_inner)
        };
        state.waiting -= 1;
        state.called = 0;
        state
    }

    fn lock(&self) -> MutexGuard<'_, QueueState<T>> {
        lock(&self.state)
    }
}
