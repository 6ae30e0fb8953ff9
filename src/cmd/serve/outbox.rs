//! A member's place at the relay: the bounded queue between its room and its socket, and whose
//! connection that is at present.
//!
//! Rooms put frames in, under their lock and without ever waiting; the connection's writing thread
//! takes them out. A queue that overflows is closed and emptied: the member is told why, and
//! nobody waits for it. When a connection breaks, the queue goes on, and its reading thread leaves
//! here what it knows, for the member's next connection to take.

use std::net::{Shutdown, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::cipher::encoding::Malformed;
use crate::room::frame::Frame;
use crate::room::notice::Notice;
use crate::room::relay::{Backlog, Intake, Mailbox, Outgoing};

/// When nothing was to be sent for so long, a member is asked to acknowledge what it has.
const ASK_AFTER: Duration = Duration::from_secs(5);

/// How long a new connection waits for the one before it to end.
const HAND_OVER: Duration = Duration::from_secs(5);

/// A member's queue.
pub(super) struct Outbox {
    state: Mutex<State>,
    /// Wakes the writing thread.
    filled: Condvar,
    /// Wakes whoever waits for a connection to end, or for the next one.
    moved: Condvar,
}

struct State {
    backlog: Backlog,
    closed: Option<Closed>,
    /// The present connection, if there is one, and its number.
    stream: Option<Arc<TcpStream>>,
    connection: u64,
    is_writer_asleep: bool,
    /// Whether another connection waits for the present one to end.
    is_contested: bool,
    /// What the last connection's reading thread knew, while there is no other.
    parked: Option<Intake>,
}

impl State {
    /// Whether this connection is the present one, and not broken.
    fn serves(&self, connection: u64) -> bool {
        self.connection == connection && self.stream.is_some()
    }
}

/// Why a queue takes nothing more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Closed {
    /// The member is not in its room any more, or the relay ends.
    Done,
    /// The member did not read fast enough.
    Overflow,
}

/// What became of a place whose connection broke.
pub(super) enum Kept {
    /// The member has come back over another connection.
    Resumed,
    /// It has not, or its place is closed: here is what is known of it.
    Given(Intake, Option<Closed>),
}

impl Outbox {
    /// An empty queue of at most `max_bytes` bytes, for a first connection.
    pub(super) fn new(max_bytes: usize, stream: Arc<TcpStream>) -> Self {
        Self {
            state: Mutex::new(State {
                backlog: Backlog::new(max_bytes),
                closed: None,
                stream: Some(stream),
                connection: 0,
                is_writer_asleep: false,
                is_contested: false,
                parked: None,
            }),
            filled: Condvar::new(),
            moved: Condvar::new(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Closes the queue, after a last frame if there is one. What is in it is still sent.
    pub(super) fn close(&self, last: Option<Notice>) {
        let mut state = self.lock();
        if state.closed.is_none() {
            // Where the queue is full, the goodbye is lost.
            let _ = last.map(|last| state.backlog.post(notice(last)));
            state.closed = Some(Closed::Done);
        }
        self.filled.notify_one();
        self.moved.notify_all();
    }

    /// Whether the queue is closed, and why.
    pub(super) fn closed(&self) -> Option<Closed> {
        self.lock().closed
    }

    /// Whether another connection waits for the present one to end.
    pub(super) fn is_contested(&self) -> bool {
        self.lock().is_contested
    }

    /// The member has taken so many counted frames.
    ///
    /// # Errors
    /// Where that cannot be.
    pub(super) fn acknowledge(&self, count: u64) -> Result<(), Malformed> {
        self.lock().backlog.acknowledge(count)
    }

    /// Waits for frames and moves some of them into `batch`, which must be empty. Leaves it empty
    /// when nothing more will be for this connection.
    pub(super) fn take(&self, connection: u64, batch: &mut Vec<Outgoing>) {
        let mut state = self.lock();
        while state.backlog.is_empty() && state.closed.is_none() && state.serves(connection) {
            state.is_writer_asleep = true;
            state = if state.backlog.is_unasked() {
                let (mut state, waited) = self
                    .filled
                    .wait_timeout(state, ASK_AFTER)
                    .unwrap_or_else(PoisonError::into_inner);
                if waited.timed_out() && state.serves(connection) {
                    batch.extend(state.backlog.ask());
                }
                state
            } else {
                self.filled
                    .wait(state)
                    .unwrap_or_else(PoisonError::into_inner)
            };
            if !batch.is_empty() {
                break;
            }
        }
        // The next connection's writing thread may be asleep already.
        if state.serves(connection) {
            state.is_writer_asleep = false;
            if batch.is_empty() {
                state.backlog.take(batch);
            }
        }
    }

    /// Leaves here what is known of the member, whose connection broke, until it comes back, its
    /// place is closed, or the time is over.
    pub(super) fn keep(&self, connection: u64, intake: Intake, grace: Duration) -> Kept {
        let deadline = Instant::now() + grace;
        let mut state = self.lock();
        state.parked = Some(intake);
        // Nothing of the connection is kept but what is known: its writing thread ends too.
        state.stream = None;
        state.is_writer_asleep = false;
        self.filled.notify_all();
        self.moved.notify_all();
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let is_over = state.closed.is_some() || left == Duration::ZERO;
            if state.connection != connection {
                return Kept::Resumed;
            }
            if is_over && let Some(intake) = state.parked.take() {
                return Kept::Given(intake, state.closed);
            }
            let (woken, _) = self
                .moved
                .wait_timeout(state, left)
                .unwrap_or_else(PoisonError::into_inner);
            state = woken;
        }
    }

    /// Takes the place for another connection, over which the member says that it has taken so
    /// many counted frames. Returns what is known of the member, and the connection's number;
    /// nothing if the place is not there any more.
    ///
    /// # Errors
    /// Where the member cannot have taken so many.
    pub(super) fn take_over(
        &self,
        stream: &Arc<TcpStream>,
        received: u64,
    ) -> Result<Option<(Intake, u64)>, Malformed> {
        let is_waiting = |state: &mut State| {
            let is_waiting = state.parked.is_none() && state.closed.is_none();
            if is_waiting {
                state.is_contested = true;
                // It fails where that connection is over already.
                let _ = (state.stream.as_ref()).map(|stream| stream.shutdown(Shutdown::Both));
            }
            is_waiting
        };
        let (mut state, _) = self
            .moved
            .wait_timeout_while(self.lock(), HAND_OVER, is_waiting)
            .unwrap_or_else(PoisonError::into_inner);
        state.is_contested = false;
        if state.closed.is_some() || state.parked.is_none() {
            return Ok(None);
        }
        state.backlog.resume(received)?;
        state.stream = Some(Arc::clone(stream));
        state.connection += 1;
        self.moved.notify_all();
        let connection = state.connection;
        Ok(state.parked.take().map(|intake| (intake, connection)))
    }
}

impl Mailbox for Arc<Outbox> {
    fn post(&self, frame: Outgoing) {
        let mut state = self.lock();
        if state.closed.is_some() {
            return;
        }
        if state.backlog.post(frame).is_err() {
            state.backlog.clear();
            // An empty queue has room for it.
            let _ = state.backlog.post(notice(Notice::QueueFull));
            state.closed = Some(Closed::Overflow);
            self.moved.notify_all();
        }
        if state.is_writer_asleep {
            self.filled.notify_one();
        }
    }

    fn dismiss(&self, notice: Notice) {
        self.close(Some(notice));
    }
}

fn notice(notice: Notice) -> Outgoing {
    Frame::notice(notice.code()).into()
}
