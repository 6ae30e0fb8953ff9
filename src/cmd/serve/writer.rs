//! The writers: few threads, each of which writes for many members.
//!
//! A member's [`MemberOutbox`] is on its writer's list while there is something to send. The writer
//! goes through the list, and sends each member what has gathered, without waiting for the member's
//! socket; it tries a full socket again later. The more there is to do, the longer a round takes,
//! the more gathers for each member, and the fewer system calls send as many frames.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use std::{io, thread};

use super::outbox::{MemberOutbox, NextVisit};
use super::work_list::WorkList;
use crate::cmd::serve::admission::control::AdmissionControl;

/// The most writers.
const MAX_WRITERS: usize = 4;

/// For how long frames are gathered in a rush: so long for each member that there is something for,
/// and so long at most. Without a rush they wait for nothing.
const GATHER_FOR_EACH: Duration = Duration::from_micros(100);
const GATHER_AT_MOST: Duration = Duration::from_millis(50);

/// All writers of a relay.
pub(super) struct Writers {
    /// The work list of each.
    all: Vec<Arc<WorkList<MemberOutbox>>>,
    /// How many members have been assigned to a writer.
    given: AtomicUsize,
}

impl Writers {
    /// Starts a writer for each processor, at most [`MAX_WRITERS`].
    ///
    /// # Errors
    /// Where the system has no thread to give.
    pub(super) fn start(admission: &Arc<AdmissionControl>) -> io::Result<Self> {
        let number = thread::available_parallelism().map_or(1, usize::from);
        let all = (0..number.min(MAX_WRITERS))
            .map(|_| start(Arc::clone(admission)))
            .collect::<io::Result<_>>()?;
        Ok(Self {
            all,
            given: AtomicUsize::new(0),
        })
    }

    /// Assigns a new member to a writer, each in turn. Returns that writer's list.
    pub(super) fn assign(&self) -> &Arc<WorkList<MemberOutbox>> {
        let number = self.given.fetch_add(1, Ordering::Relaxed);
        let list = self.all.get(number % self.all.len());
        list.expect("there is at least one")
    }
}

/// Starts a writer, and returns its list.
fn start(admission: Arc<AdmissionControl>) -> io::Result<Arc<WorkList<MemberOutbox>>> {
    let list = Arc::<WorkList<MemberOutbox>>::default();
    let writer = Writer {
        list: Arc::clone(&list),
        admission,
        again: Vec::new(),
        later: BTreeMap::new(),
        serial: 0,
        gathering: 0,
    };
    let builder = thread::Builder::new().name("writer".into());
    builder.spawn(move || writer.run())?;
    Ok(list)
}

/// What a writer is to do at a certain time.
enum Due {
    /// Send: the socket was full, or more was to be gathered.
    Send(Arc<MemberOutbox>),
    /// Ask for an acknowledgement, if nothing was to be sent for long enough.
    Ask(Arc<MemberOutbox>),
}

/// One writer.
struct Writer {
    list: Arc<WorkList<MemberOutbox>>,
    admission: Arc<AdmissionControl>,
    /// Outboxes that have more to send than a round allows.
    again: Vec<Arc<MemberOutbox>>,
    /// What is to be done later, by time, and by a serial number so that many things can be due at
    /// one time.
    later: BTreeMap<(Instant, u64), Due>,
    serial: u64,
    /// How many of `later` are [`Due::Send`].
    gathering: u32,
}

impl Writer {
    fn run(mut self) {
        let mut round = Vec::new();
        loop {
            let deadline = match self.later.first_key_value() {
                _ if !self.again.is_empty() => Some(Instant::now()),
                first => first.map(|((at, _), _)| *at),
            };
            self.list.collect(&mut round, deadline);
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
                        let next = outbox.ask_for_ack(now);
                        self.schedule(outbox, next);
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

    fn visit(&mut self, outbox: Arc<MemberOutbox>, now: Instant, gather: Duration) {
        // A panic over one member must not end the writing for all the others.
        let sent = catch_unwind(AssertUnwindSafe(|| {
            outbox.send(&self.admission, now, gather)
        }));
        match sent {
            Ok(next) => self.schedule(outbox, next),
            Err(_) => outbox.hang_up(&self.admission),
        }
    }

    fn schedule(&mut self, outbox: Arc<MemberOutbox>, next: NextVisit) {
        let (at, due) = match next {
            NextVisit::Nothing => return,
            NextVisit::SendNow => return self.again.push(outbox),
            NextVisit::SendAt(at) => {
                self.gathering += 1;
                (at, Due::Send(outbox))
            }
            NextVisit::AskAt(at) => (at, Due::Ask(outbox)),
        };
        self.serial += 1;
        self.later.insert((at, self.serial), due);
    }
}
