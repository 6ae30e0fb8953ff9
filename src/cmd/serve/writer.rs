//! The threads that write: few, and each writes for many members.
//!
//! A member's [`Outbox`] is on its writer's list while there is something to be sent. The writer
//! goes through the list, and sends each member what has gathered without waiting for its socket; one
//! that is full is tried again later. The more there is to do, the longer a round takes, the more
//! gathers for each member, and the fewer are the calls for as many frames.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use std::{io, thread};

use super::outbox::{Next, Outbox};
use crate::cmd::serve::admission::guard::Guard;

/// The most writers.
const MAX_WRITERS: usize = 4;

/// For how long frames are gathered in a rush: for each member that there is something for, and at
/// most. Otherwise they wait for nothing.
const GATHER_FOR_EACH: Duration = Duration::from_micros(100);
const GATHER_AT_MOST: Duration = Duration::from_millis(50);

/// All writers of a relay.
pub(super) struct Writers {
    all: Vec<Arc<Writer>>,
    /// How many members were given to them.
    given: AtomicUsize,
}

impl Writers {
    /// Starts as many as there are processors.
    ///
    /// # Errors
    /// Where the system has no thread to give.
    pub(super) fn start(guard: &Arc<Guard>) -> io::Result<Self> {
        let number = thread::available_parallelism().map_or(1, usize::from);
        let all = (0..number.min(MAX_WRITERS))
            .map(|_| Writer::start(Arc::clone(guard)))
            .collect::<io::Result<_>>()?;
        Ok(Self {
            all,
            given: AtomicUsize::new(0),
        })
    }

    /// The one for a new member.
    pub(super) fn next(&self) -> &Arc<Writer> {
        let number = self.given.fetch_add(1, Ordering::Relaxed);
        let writer = self.all.get(number % self.all.len());
        writer.expect("there is at least one")
    }
}

/// One of them, as the others see it.
pub(super) struct Writer {
    list: Mutex<List>,
    filled: Condvar,
}

/// The members that have something to be sent.
#[derive(Default)]
struct List {
    outboxes: Vec<Arc<Outbox>>,
    is_asleep: bool,
}

impl Writer {
    fn start(guard: Arc<Guard>) -> io::Result<Arc<Self>> {
        let writer = Arc::new(Self {
            list: Mutex::default(),
            filled: Condvar::new(),
        });
        let rounds = Rounds {
            writer: Arc::clone(&writer),
            guard,
            again: Vec::new(),
            later: BTreeMap::new(),
            serial: 0,
            gathering: 0,
        };
        let builder = thread::Builder::new().name("writer".into());
        builder.spawn(move || rounds.run())?;
        Ok(writer)
    }

    /// Puts a member on the list.
    pub(super) fn enlist(&self, outbox: Arc<Outbox>) {
        let mut list = self.lock();
        list.outboxes.push(outbox);
        let is_asleep = std::mem::take(&mut list.is_asleep);
        drop(list);
        if is_asleep {
            self.filled.notify_one();
        }
    }

    /// Moves the list to `round`. Where there is nothing on it, waits until there is something, or
    /// until `deadline` if there is one.
    fn collect(&self, round: &mut Vec<Arc<Outbox>>, deadline: Option<Instant>) {
        let mut list = self.lock();
        while list.outboxes.is_empty() {
            let wait = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
            if wait == Some(Duration::ZERO) {
                break;
            }
            list.is_asleep = true;
            list = match wait {
                Some(wait) => {
                    let woken = self.filled.wait_timeout(list, wait);
                    woken.unwrap_or_else(PoisonError::into_inner).0
                }
                None => self
                    .filled
                    .wait(list)
                    .unwrap_or_else(PoisonError::into_inner),
            };
            list.is_asleep = false;
        }
        round.append(&mut list.outboxes);
    }

    fn lock(&self) -> MutexGuard<'_, List> {
        self.list.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What is to be done at a certain time.
enum Due {
    /// Its socket was full, or more was to be gathered.
    Send(Arc<Outbox>),
    /// It may have been quiet for long enough to be asked for an acknowledgement.
    Ask(Arc<Outbox>),
}

/// What a writer does.
struct Rounds {
    writer: Arc<Writer>,
    guard: Arc<Guard>,
    /// Those who have more to be sent than a round allows.
    again: Vec<Arc<Outbox>>,
    /// By time, and by a number so that many can be due at one.
    later: BTreeMap<(Instant, u64), Due>,
    serial: u64,
    /// How many of them are to be sent to.
    gathering: u32,
}

impl Rounds {
    fn run(mut self) {
        let mut round = Vec::new();
        loop {
            let deadline = match self.later.first_key_value() {
                _ if !self.again.is_empty() => Some(Instant::now()),
                first => first.map(|((at, _), _)| *at),
            };
            self.writer.collect(&mut round, deadline);
            round.append(&mut self.again);
            let now = Instant::now();
            while let Some(entry) = self.later.first_entry()
                && entry.key().0 <= now
            {
                match entry.remove() {
                    Due::Send(outbox) => {
                        self.gathering -= 1;
                        round.push(outbox);
                    }
                    Due::Ask(outbox) => {
                        let next = outbox.ask(now);
                        self.go_on(outbox, next);
                    }
                }
            }
            let members = u32::try_from(round.len()).unwrap_or(u32::MAX);
            let gather = GATHER_FOR_EACH.saturating_mul(members.saturating_add(self.gathering));
            let gather = gather.min(GATHER_AT_MOST);
            for outbox in round.drain(..) {
                self.visit(outbox, now, gather);
            }
        }
    }

    fn visit(&mut self, outbox: Arc<Outbox>, now: Instant, gather: Duration) {
        // One member's trouble must not be that of all the others.
        let sent = catch_unwind(AssertUnwindSafe(|| outbox.send(&self.guard, now, gather)));
        match sent {
            Ok(next) => self.go_on(outbox, next),
            Err(_) => outbox.give_up(&self.guard),
        }
    }

    fn go_on(&mut self, outbox: Arc<Outbox>, next: Next) {
        let (at, due) = match next {
            Next::Nothing => return,
            Next::SendNow => return self.again.push(outbox),
            Next::SendAt(at) => {
                self.gathering += 1;
                (at, Due::Send(outbox))
            }
            Next::AskAt(at) => (at, Due::Ask(outbox)),
        };
        self.serial += 1;
        self.later.insert((at, self.serial), due);
    }
}
