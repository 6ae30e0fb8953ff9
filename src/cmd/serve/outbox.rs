//! A member's place at the relay: the bounded queue between its room and its socket, and whose
//! connection that is at present.
//!
//! Rooms put frames in, under their lock and without ever waiting; one of the [writers](super::writer) takes them
//! out. A queue that overflows is closed and emptied: the member is told why, and nobody waits for
//! it. When a connection breaks, the queue goes on, and its reading thread leaves here what it knows,
//! for the member's next connection to take.

use std::net::{Shutdown, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::cipher::encoding::Malformed;
use crate::room::frame::Frame;
use crate::room::notice::Notice;
use crate::room::relay::{Backlog, Intake, Mailbox, OutgoingFrame};

use super::batch::{SendProgress, WriteBatch};
use super::work_list::WorkList;
use crate::cmd::serve::admission::connections::Network;
use crate::cmd::serve::admission::control::AdmissionControl;
use crate::cmd::serve::admission::eviction::Candidate;

/// When nothing was to be sent for so long, a member is asked to acknowledge what it has.
const ASK_AFTER: Duration = Duration::from_secs(5);

/// How long a client may leave its socket unread before the connection is given up.
const WRITE_TIMEOUT: Duration = Duration::from_secs(10);

/// How long a full socket is left alone: each time twice as long as before.
const SHORTEST_PAUSE: Duration = Duration::from_millis(2);
const LONGEST_PAUSE: Duration = Duration::from_millis(100);

/// Where so many frames have come while the writer was busy, there is so much to do that some more
/// are better gathered before they are sent. The writer comes again without being called.
const RUSH: usize = 4;

/// How long a new connection waits for the one before it to end.
const HAND_OVER: Duration = Duration::from_secs(5);

/// A member's queue.
pub(super) struct MemberOutbox {
    /// That of the writer that empties it.
    list: Arc<WorkList<Self>>,
    state: Mutex<OutboxState>,
    /// Wakes whoever waits for a connection to end, or for the next one.
    moved: Condvar,
}

struct OutboxState {
    backlog: Backlog,
    /// What the member's own unfinished message weighs.
    unfinished: usize,
    closed: Option<CloseReason>,
    /// The number of the present connection.
    connection: u64,
    /// Where that comes from, or came from.
    network: Network,
    /// Where to write; nothing once no more will be written to the present connection.
    stream: Option<Arc<TcpStream>>,
    /// Whether the writer knows that there is something to be sent.
    is_pending: bool,
    /// What a full socket has left.
    stalled: Option<Box<StalledBatch>>,
    /// Whether the writer will come to [`MemberOutbox::ask`].
    is_to_ask: bool,
    /// When everything was sent to the present connection.
    sent_at: Option<Instant>,
    /// Whether another connection waits for the present one to end.
    is_contested: bool,
    /// What the last connection's reading thread knew, while there is no other.
    parked: Option<Box<Intake>>,
    /// When the last connection broke.
    kept_since: Option<Instant>,
}

impl OutboxState {
    /// Nothing more is written to the present connection. Returns it, if it is not over already.
    fn end_connection(&mut self) -> Option<Arc<TcpStream>> {
        self.is_pending = false;
        self.stalled = None;
        self.stream.take()
    }

    /// Whether there is no connection, and the member may come back.
    fn is_kept(&self) -> bool {
        self.parked.is_some() && self.closed.is_none()
    }
}

/// What is to be sent first, and how long the socket has been full.
struct StalledBatch {
    batch: WriteBatch,
    since: Instant,
    pause: Duration,
    /// When it is tried again.
    until: Instant,
}

/// When a writer is to come back to a queue.
#[derive(Clone, Copy, Debug)]
pub(super) enum NextVisit {
    /// When it is on its list again.
    Nothing,
    /// In its next round.
    SendNow,
    /// At this time, to send.
    SendAt(Instant),
    /// At this time, to see whether to ask.
    AskAt(Instant),
}

/// Why a queue takes nothing more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum CloseReason {
    /// The member is not in its room any more, or the relay ends.
    Done,
    /// The member did not read fast enough.
    Overflow,
}

/// What became of a place whose connection broke.
pub(super) enum GraceOutcome {
    /// The member has come back over another connection.
    Resumed,
    /// It has not, or its place is closed: here is what is known of it.
    Over(Box<Intake>, Option<CloseReason>),
}

impl MemberOutbox {
    /// An empty queue of at most `max_bytes` bytes, for a first connection.
    pub(super) fn new(
        max_bytes: usize,
        stream: Arc<TcpStream>,
        network: Network,
        list: &Arc<WorkList<Self>>,
    ) -> Self {
        Self {
            list: Arc::clone(list),
            state: Mutex::new(OutboxState {
                backlog: Backlog::new(max_bytes),
                unfinished: 0,
                closed: None,
                connection: 0,
                network,
                stream: Some(stream),
                is_pending: false,
                stalled: None,
                is_to_ask: false,
                sent_at: None,
                is_contested: false,
                parked: None,
                kept_since: None,
            }),
            moved: Condvar::new(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, OutboxState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets the writer know, if it does not and there is a connection.
    fn call_writer(self: &Arc<Self>, state: &mut OutboxState) {
        if !state.is_pending && state.stream.is_some() {
            state.is_pending = true;
            self.list.enlist(Arc::clone(self));
        }
    }

    /// Closes the queue, after a last frame if there is one. What is in it is still sent.
    pub(super) fn close(self: &Arc<Self>, last: Option<Notice>) {
        let mut state = self.lock();
        if state.closed.is_none() {
            // Where the queue is full, the goodbye is lost.
            let _ = last.map(|last| state.backlog.post(notice(last)));
            state.closed = Some(CloseReason::Done);
        }
        self.call_writer(&mut state);
        self.moved.notify_all();
    }

    /// The member has not read fast enough: of all that waits for it, it gets the reason alone.
    fn drop_for_overflow(&self, state: &mut OutboxState) {
        state.backlog.clear();
        // An empty queue has room for it.
        let _ = state.backlog.post(notice(Notice::QueueFull));
        state.closed = Some(CloseReason::Overflow);
        self.moved.notify_all();
    }

    /// The member's own unfinished message weighs so much.
    pub(super) fn set_unfinished(&self, weight: usize) {
        self.lock().unfinished = weight;
    }

    /// Closes and empties the queue if what is in it, or the member's unfinished message, weighs more
    /// than this (see [`Backlog::weight`]). Who reads is not dropped for what it has had no time to
    /// acknowledge.
    pub(super) fn enforce_limit(self: &Arc<Self>, most: usize) {
        let mut state = self.lock();
        let most_waiting = most.max(state.backlog.in_flight());
        let is_too_much = state.backlog.weight() > most_waiting || state.unfinished > most;
        if state.closed.is_none() && is_too_much {
            self.drop_for_overflow(&mut state);
            self.call_writer(&mut state);
        }
    }

    /// Whether the queue is closed, and why.
    pub(super) fn close_reason(&self) -> Option<CloseReason> {
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
        let mut state = self.lock();
        // What it acknowledges now was in the queue when that overflowed.
        if state.closed == Some(CloseReason::Overflow) {
            return Ok(());
        }
        let done = state.backlog.acknowledge(count)?;
        // Others need the lock while this is freed.
        drop(state);
        drop(done);
        Ok(())
    }

    /// Sends what there is, but no more than one batch, and hangs up when nothing more will come.
    /// A member that gets much at once waits for `gather` before it gets more.
    pub(super) fn send(
        &self,
        admission: &AdmissionControl,
        now: Instant,
        gather: Duration,
    ) -> NextVisit {
        let mut state = self.lock();
        let Some(stream) = state.stream.clone() else {
            return NextVisit::Nothing;
        };
        if state
            .stalled
            .as_ref()
            .is_some_and(|stalled| stalled.until > now)
        {
            return NextVisit::Nothing;
        }
        let connection = state.connection;
        let (mut batch, full) = if let Some(stalled) = state.stalled.take() {
            (stalled.batch, Some((stalled.since, stalled.pause)))
        } else if let Some(unsent) = state.backlog.take() {
            (WriteBatch::from(unsent), None)
        } else {
            return self.idle_or_hang_up(state, admission, now);
        };
        drop(state);
        let sent = batch.send(&stream);
        let mut state = self.lock();
        // If there is another connection, the writer has been told of it.
        if state.connection != connection || state.stream.is_none() {
            return NextVisit::Nothing;
        }
        let (since, pause) = match (sent, full) {
            (Ok(SendProgress::All), _) => {
                if !state.backlog.is_empty() {
                    return NextVisit::SendNow;
                }
                state.sent_at = Some(now);
                if batch.len() >= RUSH && state.closed.is_none() {
                    return NextVisit::SendAt(now + gather);
                }
                return self.idle_or_hang_up(state, admission, now);
            }
            (Ok(SendProgress::Nothing), Some((since, pause)))
                if state.closed != Some(CloseReason::Overflow)
                    && now.saturating_duration_since(since) < WRITE_TIMEOUT =>
            {
                (since, LONGEST_PAUSE.min(2 * pause))
            }
            (Ok(SendProgress::Part), _) | (Ok(SendProgress::Nothing), None) => {
                (now, SHORTEST_PAUSE)
            }
            (Ok(SendProgress::Nothing), Some(_)) | (Err(_), _) => {
                drop(state);
                self.hang_up(admission);
                return NextVisit::Nothing;
            }
        };
        state.stalled = Some(Box::new(StalledBatch {
            batch,
            since,
            pause,
            until: now + pause,
        }));
        NextVisit::SendAt(now + pause)
    }

    /// All is sent: waits for more, if there can be any.
    fn idle_or_hang_up(
        &self,
        mut state: MutexGuard<'_, OutboxState>,
        admission: &AdmissionControl,
        now: Instant,
    ) -> NextVisit {
        if state.closed.is_some() {
            drop(state);
            self.hang_up(admission);
            return NextVisit::Nothing;
        }
        state.is_pending = false;
        if state.is_to_ask || !state.backlog.has_unasked() {
            return NextVisit::Nothing;
        }
        state.is_to_ask = true;
        NextVisit::AskAt(now + ASK_AFTER)
    }

    /// Asks for an acknowledgement where nothing else was to be sent for long enough.
    pub(super) fn ask_for_ack(&self, now: Instant) -> NextVisit {
        let mut state = self.lock();
        state.is_to_ask = false;
        if state.stream.is_none() || state.closed.is_some() || !state.backlog.has_unasked() {
            return NextVisit::Nothing;
        }
        let quiet_since = state.sent_at.filter(|_| !state.is_pending);
        let due = quiet_since.unwrap_or(now) + ASK_AFTER;
        if due > now {
            state.is_to_ask = true;
            return NextVisit::AskAt(due);
        }
        let Some(ping) = state.backlog.ask_for_ack() else {
            return NextVisit::Nothing;
        };
        state.is_pending = true;
        state.stalled = Some(Box::new(StalledBatch {
            batch: ping.into(),
            since: now,
            pause: SHORTEST_PAUSE,
            until: now,
        }));
        NextVisit::SendNow
    }

    /// Hangs up: nothing more will be written to the present connection.
    pub(super) fn hang_up(&self, admission: &AdmissionControl) {
        let stream = self.lock().end_connection();
        if let Some(stream) = stream {
            admission.hang_up(&stream);
        }
        self.moved.notify_all();
    }

    /// Waits until nothing more will be written to a connection.
    pub(super) fn wait_for_end(&self, connection: u64) {
        let is_written_to =
            |state: &mut OutboxState| state.connection == connection && state.stream.is_some();
        drop(self.moved.wait_while(self.lock(), is_written_to));
    }

    /// Leaves here what is known of the member, whose connection broke, until it comes back, its
    /// place is closed, or the time is over.
    pub(super) fn wait_for_return(
        &self,
        connection: u64,
        intake: Box<Intake>,
        grace: Duration,
    ) -> GraceOutcome {
        let deadline = Instant::now() + grace;
        let mut state = self.lock();
        if state.connection == connection {
            // Its descriptor is free for another.
            drop(state.end_connection());
        }
        state.parked = Some(intake);
        state.kept_since = Some(Instant::now());
        self.moved.notify_all();
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let is_over = state.closed.is_some() || left == Duration::ZERO;
            if state.connection != connection {
                return GraceOutcome::Resumed;
            }
            if is_over && let Some(intake) = state.parked.take() {
                return GraceOutcome::Over(intake, state.closed);
            }
            let (woken, _) = self
                .moved
                .wait_timeout(state, left)
                .unwrap_or_else(PoisonError::into_inner);
            state = woken;
        }
    }

    /// Where the present connection comes from, or the last one came from.
    pub(super) fn network(&self) -> Network {
        self.lock().network
    }

    /// The member's place, as somebody sees it who wants one.
    pub(super) fn candidate<T>(&self, place: T) -> Candidate<T> {
        let state = self.lock();
        Candidate {
            network: state.network,
            kept_since: state.kept_since.filter(|_| state.is_kept()),
            place,
        }
    }

    /// Gives up a place that is kept, as if its time were over. Returns whether it is kept still.
    pub(super) fn release_if_kept(&self) -> bool {
        let mut state = self.lock();
        let is_kept = state.is_kept();
        if is_kept {
            state.closed = Some(CloseReason::Done);
            self.moved.notify_all();
        }
        is_kept
    }

    /// Takes the place for another connection, over which the member says that it has taken so
    /// many counted frames. Returns what is known of the member, and the connection's number;
    /// nothing if the place is not there any more.
    ///
    /// # Errors
    /// Where the member cannot have taken so many.
    pub(super) fn take_over(
        self: &Arc<Self>,
        stream: &Arc<TcpStream>,
        network: Network,
        received: u64,
        grace: u32,
    ) -> Result<Option<(Box<Intake>, u64)>, Malformed> {
        let is_waiting = |state: &mut OutboxState| {
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
        if state.closed.is_some() {
            return Ok(None);
        }
        let Some(intake) = state.parked.take() else {
            return Ok(None);
        };
        let welcome = Frame::welcome_back(intake.received(), grace);
        if let Err(error) = state.backlog.resume(received) {
            state.parked = Some(intake);
            return Err(error);
        }
        state.backlog.post_first(welcome.into());
        state.stream = Some(Arc::clone(stream));
        state.network = network;
        state.connection += 1;
        state.sent_at = None;
        // The writer may still be busy with the connection before.
        state.stalled = None;
        self.call_writer(&mut state);
        self.moved.notify_all();
        Ok(Some((intake, state.connection)))
    }
}

impl Mailbox for Arc<MemberOutbox> {
    fn post(&self, frame: OutgoingFrame) {
        let mut state = self.lock();
        if state.closed.is_some() {
            return;
        }
        if state.backlog.post(frame).is_err() {
            self.drop_for_overflow(&mut state);
        }
        self.call_writer(&mut state);
    }

    fn dismiss(&self, notice: Notice) {
        self.close(Some(notice));
    }
}

fn notice(notice: Notice) -> OutgoingFrame {
    Frame::notice(notice.code()).into()
}
