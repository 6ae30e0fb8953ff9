//! The writers: few threads that send to all members what waits for them.
//!
//! A member's [`MemberOutbox`] is in the queue while there is something to send. A writer takes some
//! outboxes off it, and sends each member what has gathered, without waiting for the member's
//! socket; it tries a full socket again later. One writer is enough until it is not: another one
//! begins when the queue has not been empty for a while, as writers that have little to do send
//! frame by frame what one would have sent together.

use std::collections::{BTreeMap, VecDeque};
use std::num::NonZeroUsize;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use std::{io, thread};

use super::outbox::{MemberOutbox, NextVisit};
use crate::cmd::serve::admission::control::AdmissionControl;

/// The most writers, if nobody asks for another number.
const MAX_WRITERS: usize = 4;

/// How many outboxes a writer takes at once.
const SHARE: usize = 64;

/// For how long the queue is not empty before another writer begins.
const PATIENCE: Duration = Duration::from_millis(1);

/// For how long frames are gathered in a rush: so long for each member that there is something for,
/// and so long at most. Without a rush they wait for nothing.
const GATHER_FOR_EACH: Duration = Duration::from_micros(50);
const GATHER_AT_MOST: Duration = Duration::from_millis(50);

/// Starts the writers of a relay, which wait for what comes into the queue that this returns. Where their
/// `number` is given, they all write as soon as there is enough for each.
///
/// # Errors
/// Where the system has no thread to give.
pub(super) fn start(
    number: Option<NonZeroUsize>,
    admission: &Arc<AdmissionControl>,
) -> io::Result<Arc<WriteQueue>> {
    let usual = || thread::available_parallelism().map_or(1, |count| count.get().min(MAX_WRITERS));
    let writers = number.map_or_else(usual, NonZeroUsize::get);
    let queue = Arc::new(WriteQueue {
        writers,
        is_forced: number.is_some(),
        ..WriteQueue::default()
    });
    for _ in 0..writers {
        let (queue, admission) = (Arc::clone(&queue), Arc::clone(admission));
        let builder = thread::Builder::new().name("writer".into());
        builder.spawn(move || write(&queue, &admission))?;
    }
    Ok(queue)
}

/// What one writer does.
fn write(queue: &WriteQueue, admission: &AdmissionControl) {
    let (mut visited, mut sends, mut buffer) = (Vec::new(), 0, Vec::new());
    loop {
        let round = queue.take(&mut visited, sends);
        sends = round.sends;
        for due in round.due {
            let (outbox, next) = match due {
                Due::Ask(outbox) => {
                    let next = outbox.ask_for_ack(round.now);
                    (outbox, next)
                }
                Due::Send(outbox) => {
                    // A panic over one member must not end the writing for all the others.
                    let sent = catch_unwind(AssertUnwindSafe(|| {
                        outbox.send(admission, round.now, round.gather, &mut buffer)
                    }));
                    let next = sent.unwrap_or_else(|_| {
                        outbox.hang_up(admission);
                        NextVisit::Nothing
                    });
                    (outbox, next)
                }
            };
            visited.push((outbox, next));
        }
    }
}

/// What is to be done for a member.
enum Due {
    /// Send.
    Send(Arc<MemberOutbox>),
    /// Ask for an acknowledgement, if nothing was to be sent for long enough.
    Ask(Arc<MemberOutbox>),
}

/// What a writer does before it looks at the queue again.
struct Round {
    due: Vec<Due>,
    /// How many of these are [`Due::Send`].
    sends: u32,
    now: Instant,
    /// For how long a member that gets much at once is left alone then.
    gather: Duration,
}

/// What the writers have to do, in the order in which it is due.
#[derive(Default)]
pub(super) struct WriteQueue {
    state: Mutex<QueueState>,
    changed: Condvar,
    /// How many writers there are, and whether all of them write.
    writers: usize,
    is_forced: bool,
}

#[derive(Default)]
struct QueueState {
    ready: VecDeque<Due>,
    /// What is to be done at a certain time.
    later: BTreeMap<Instant, Vec<Due>>,
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

impl QueueState {
    /// Notes when the next visit to an outbox is due.
    fn schedule(&mut self, outbox: Arc<MemberOutbox>, next: NextVisit) {
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

impl WriteQueue {
    /// Takes an outbox for which there is something to send.
    pub(super) fn enlist(&self, outbox: Arc<MemberOutbox>) {
        let mut state = self.lock();
        state.schedule(outbox, NextVisit::SendNow);
        // A writer that is at work comes back by itself.
        if state.waiting == self.writers {
            self.call_writer(&mut state);
        }
    }

    /// Wakes a writer, unless one that was called has not come yet.
    fn call_writer(&self, state: &mut QueueState) {
        if state.called == 0 && state.waiting > 0 {
            state.called = 1;
            self.changed.notify_one();
        }
    }

    /// Takes what is due next off the queue, and waits until there is something. The caller gives back
    /// what it has `visited` since it was here last, of which so many were to be sent to.
    fn take(&self, visited: &mut Vec<(Arc<MemberOutbox>, NextVisit)>, sends: u32) -> Round {
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
    fn share(&self, state: &mut QueueState, now: Instant) -> Round {
        let gather = GATHER_FOR_EACH.saturating_mul(state.sending);
        let ready = state.ready.len();
        let share = if self.is_forced {
            ready.div_ceil(self.writers)
        } else {
            ready.min(SHARE)
        };
        let due: Vec<Due> = state.ready.drain(..share).collect();
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
        mut state: MutexGuard<'a, QueueState>,
        now: Instant,
    ) -> MutexGuard<'a, QueueState> {
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

    fn lock(&self) -> MutexGuard<'_, QueueState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
