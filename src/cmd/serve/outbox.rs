//! A member's outbox at the relay: the bounded queue between its room and its socket. It outlives
//! the connection, so it also says which connection is the member's at present.
//!
//! Rooms put frames in, under their lock and without ever waiting; one of the
//! [writers](super::writers) takes them out. An outbox that overflows is emptied and closed: the
//! member is told why, and nobody waits for it. When a connection breaks, the outbox goes on, and
//! the connection's reader thread leaves the member's [`Intake`] here for the next connection.

use std::net::{IpAddr, Shutdown, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::cipher::encoding::{Digest, Malformed};
use crate::room::frame::Frame;
use crate::room::notice::Notice;
use crate::room::relay::{Backlog, Intake, Mailbox, OutgoingFrame, Overflow};

use super::attendance::Attendance;
use super::batch::{SendProgress, WriteBatch};
use super::socket::has_unread;
use super::write_queue::{NextVisit, WriteQueue};
use crate::cmd::serve::admission::connections::Network;
use crate::cmd::serve::admission::control::AdmissionControl;
use crate::cmd::serve::admission::eviction::Candidate;
use crate::cmd::serve::admission::memory::Charge;

/// After how long without anything to send a member is asked to acknowledge what it has received.
const ASK_AFTER: Duration = Duration::from_secs(5);

/// How long a client may leave its socket full before the relay gives the connection up.
const WRITE_TIMEOUT: Duration = Duration::from_secs(10);

/// How long the writer leaves a full socket alone: each time twice as long as before, between these
/// two.
const SHORTEST_PAUSE: Duration = Duration::from_millis(2);
const LONGEST_PAUSE: Duration = Duration::from_millis(100);

/// Where the writer finds at least so many frames in an outbox, the relay is busy. The writer then lets
/// more frames gather before it visits this outbox again, so that more of them go with one system call.
/// It comes back without being called.
const RUSH: usize = 4;

/// About what a member takes beside what waits for it, in bytes.
const PLACE: usize = 12 << 10;

/// How long a new connection waits for the end of the one before.
const HAND_OVER: Duration = Duration::from_secs(5);

/// A member's queue, and its connection.
pub(super) struct MemberOutbox {
    /// The queue of the writers that empty this outbox.
    queue: Arc<WriteQueue<Self>>,
    state: Mutex<OutboxState>,
    /// Wakes the threads that wait for a connection to end, or for the next one.
    moved: Condvar,
}

/// All that one lock protects: rooms, the writer and two connections' threads change most of it
/// together, so it is not split further. What every frame touches comes first, in one piece: in a large
/// room most of a delivery is waiting for the memory of one member after the other.
#[repr(C)]
struct OutboxState {
    closed: Option<CloseReason>,
    /// Whether writers know that there is something to send to the present connection.
    visit: Visit,
    /// Whether the writer will call [`MemberOutbox::ask_for_ack`].
    is_to_ask: bool,
    /// Whether another connection waits for the present one to end.
    is_contested: bool,
    /// The socket to write to; `None` once nothing more will be written to the present connection.
    stream: Option<Arc<TcpStream>>,
    /// About the bytes that the member's own unfinished message takes.
    unfinished: usize,
    /// What is kept for the member.
    charge: Charge,
    backlog: Backlog,
    /// The number of the present connection, or of the last one: 0 for the first.
    connection: u64,
    /// What a full socket has not taken.
    stalled: Option<Box<StalledBatch>>,
    /// When the present connection had been sent everything.
    sent_at: Option<Instant>,
    /// What the last connection's reader thread left here, until another connection takes it.
    parked: Option<Box<Intake>>,
    /// The network that the connection comes from, or came from.
    network: Network,
    attendance: Attendance,
}

impl OutboxState {
    /// Ends the writing to the present connection. Returns its socket, unless that had ended
    /// already.
    fn end_connection(&mut self) -> Option<Arc<TcpStream>> {
        self.visit = Visit::None;
        self.stalled = None;
        self.stream.take()
    }

    /// Charges what is kept for the member. Returns whether that has grown.
    fn recharge(&mut self) -> bool {
        let kept = PLACE + self.backlog.weight() + self.unfinished;
        self.charge.set(kept)
    }

    /// Charges what is kept. Returns whether the memory is used up, and more is kept for the member than there must be.
    fn recharge_and_check(&mut self) -> bool {
        self.recharge() && self.charge.budget().is_used_up() && self.has_much()
    }

    /// Whether more is kept for the member than one must have that reads, and has had no time to
    /// acknowledge it.
    fn has_much(&self) -> bool {
        self.backlog.weight().max(self.unfinished) > self.backlog.in_flight()
    }

    /// Whether the member has no connection and may come back.
    fn is_kept(&self) -> bool {
        self.parked.is_some() && self.closed.is_none()
    }
}

/// How far the sending of what there is has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Visit {
    /// There is nothing to send.
    None,
    /// The outbox is in the writers' queue.
    Due,
    /// A writer is sending.
    Now,
}

/// A batch of which a full socket has left something.
struct StalledBatch {
    batch: WriteBatch,
    since: Instant,
    pause: Duration,
    /// When the writer tries again.
    until: Instant,
}

/// Why an outbox takes nothing more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum CloseReason {
    /// The member is not in its room any more, or the relay ends.
    Done,
    /// The member did not read fast enough.
    Overflow,
}

/// What has become of a place that is kept.
pub(super) enum KeptPlace {
    /// It waits for its member.
    Waits,
    /// The member has come back over another connection.
    Resumed,
    /// The time is over, or the outbox is closed: the member's intake, and why it is closed.
    Over(Box<Intake>, Option<CloseReason>),
}

impl MemberOutbox {
    /// An empty outbox for a member's first connection. It overflows when its frames weigh more than
    /// `max_bytes`, by [`Backlog::weight`].
    pub(super) fn new(
        max_bytes: usize,
        stream: Arc<TcpStream>,
        network: Network,
        queue: &Arc<WriteQueue<Self>>,
        charge: Charge,
    ) -> Self {
        Self {
            queue: Arc::clone(queue),
            state: Mutex::new(OutboxState {
                closed: None,
                visit: Visit::None,
                is_to_ask: false,
                is_contested: false,
                stream: Some(stream),
                unfinished: 0,
                charge,
                backlog: Backlog::new(max_bytes),
                connection: 0,
                stalled: None,
                sent_at: None,
                parked: None,
                network,
                attendance: Attendance::new(Instant::now()),
            }),
            moved: Condvar::new(),
        }
    }

    /// For how long the member was in its room with a connection.
    pub(super) fn time_there(&self, now: Instant) -> Duration {
        self.lock().attendance.time(now)
    }

    fn lock(&self) -> MutexGuard<'_, OutboxState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts the outbox into the writers' queue, unless it is there or there is no connection.
    fn call_writer(self: &Arc<Self>, state: &mut OutboxState) {
        if state.visit == Visit::None && state.stream.is_some() {
            state.visit = Visit::Due;
            self.queue.enlist(Arc::clone(self));
        }
    }

    /// Posts something of this weight, or drops the member where there is no room for it.
    fn post_with(
        self: &Arc<Self>,
        weight: usize,
        post: impl FnOnce(&mut Backlog) -> Result<(), Overflow>,
    ) {
        let mut state = self.lock();
        if state.closed.is_some() {
            return;
        }
        // What the member has read counts no more, also where the relay is too busy to take note of it.
        if !state.backlog.has_room_for(weight) && state.stream.as_deref().is_some_and(has_unread) {
            state.backlog.extend();
        }
        if post(&mut state.backlog).is_err() || state.recharge_and_check() {
            self.drop_for_overflow(&mut state);
        }
        self.call_writer(&mut state);
    }

    /// Closes the outbox, after a last frame if there is one. What is in it is still sent.
    pub(super) fn close(self: &Arc<Self>, last: Option<Notice>) {
        let mut state = self.lock();
        if state.closed.is_none() {
            // Where the queue is full, the notice is lost.
            let _ = last.map(|last| state.backlog.post(notice(last)));
            state.closed = Some(CloseReason::Done);
        }
        self.call_writer(&mut state);
        self.moved.notify_all();
    }

    /// Closes the outbox of a member that has not read fast enough. Of all that waits for the
    /// member, only the reason is left.
    fn drop_for_overflow(&self, state: &mut OutboxState) {
        state.backlog.clear();
        // An empty queue has room for one notice.
        let _ = state.backlog.post(notice(Notice::QueueFull));
        state.closed = Some(CloseReason::Overflow);
        // That goes with the connection, in a moment.
        state.unfinished = 0;
        state.recharge();
        self.moved.notify_all();
    }

    /// Sets about how many bytes the member's own unfinished message takes.
    pub(super) fn set_unfinished(self: &Arc<Self>, weight: usize) {
        let mut state = self.lock();
        state.unfinished = weight;
        if state.recharge_and_check() && state.closed.is_none() {
            self.drop_for_overflow(&mut state);
            self.call_writer(&mut state);
        }
    }

    /// How many bytes are kept for the member.
    pub(super) fn kept(&self) -> usize {
        self.lock().charge.bytes()
    }

    /// Drops the member, as memory is short, if much is kept for it, or its place is kept.
    pub(super) fn give_up(self: &Arc<Self>) {
        let mut state = self.lock();
        if state.closed.is_none() && (state.has_much() || state.is_kept()) {
            self.drop_for_overflow(&mut state);
            self.call_writer(&mut state);
        }
    }

    /// Why the outbox is closed, if it is.
    pub(super) fn close_reason(&self) -> Option<CloseReason> {
        self.lock().closed
    }

    /// Whether another connection waits for the present one to end.
    pub(super) fn is_contested(&self) -> bool {
        self.lock().is_contested
    }

    /// Forgets the first `count` counted frames, which the member has acknowledged.
    ///
    /// # Errors
    /// Where fewer were sent, or more were acknowledged before.
    pub(super) fn acknowledge(&self, count: u64) -> Result<(), Malformed> {
        let mut state = self.lock();
        // What the member acknowledges now was in the queue when that overflowed.
        if state.closed == Some(CloseReason::Overflow) {
            return Ok(());
        }
        let done = state.backlog.acknowledge(count)?;
        state.recharge();
        // Freeing it takes a while, and others need the lock.
        drop(state);
        drop(done);
        Ok(())
    }

    /// Sends what there is, but no more than one batch, and hangs up when nothing more will come. A
    /// member that gets much at once waits for `gather` before it gets more. The writer has a `buffer`.
    pub(super) fn send(
        &self,
        admission: &AdmissionControl,
        now: Instant,
        gather: Duration,
        buffer: &mut Vec<u8>,
    ) -> NextVisit {
        let mut state = self.lock();
        let Some(stream) = state.stream.clone() else {
            return NextVisit::Nothing;
        };
        let stalled = state.stalled.as_ref();
        // An outbox is twice in the queue where its member has changed connections.
        if state.visit == Visit::Now || stalled.is_some_and(|stalled| stalled.until > now) {
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
        state.visit = Visit::Now;
        drop(state);
        let sent = batch.send(&stream, buffer);
        let mut state = self.lock();
        // If there is another connection now, the outbox is in the queue again.
        if state.connection != connection || state.stream.is_none() {
            return NextVisit::Nothing;
        }
        state.visit = Visit::Due;
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

    /// Does what is due once everything is sent: hangs up if the outbox is closed, and otherwise
    /// says whether the member is to be asked for an acknowledgement.
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
        state.visit = Visit::None;
        if state.is_to_ask || !state.backlog.has_unasked() {
            return NextVisit::Nothing;
        }
        state.is_to_ask = true;
        NextVisit::AskAt(now + ASK_AFTER)
    }

    /// Asks the member for an acknowledgement if nothing else was to be sent for [`ASK_AFTER`].
    pub(super) fn ask_for_ack(&self, now: Instant) -> NextVisit {
        let mut state = self.lock();
        state.is_to_ask = false;
        if state.stream.is_none() || state.closed.is_some() || !state.backlog.has_unasked() {
            return NextVisit::Nothing;
        }
        let quiet_since = state.sent_at.filter(|_| state.visit == Visit::None);
        let due = quiet_since.unwrap_or(now) + ASK_AFTER;
        if due > now {
            state.is_to_ask = true;
            return NextVisit::AskAt(due);
        }
        let Some(ping) = state.backlog.ask_for_ack() else {
            return NextVisit::Nothing;
        };
        state.visit = Visit::Due;
        state.stalled = Some(Box::new(StalledBatch {
            batch: ping.into(),
            since: now,
            pause: SHORTEST_PAUSE,
            until: now,
        }));
        NextVisit::SendNow
    }

    /// Hangs up: nothing more is written to the present connection.
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

    /// Keeps the intake of a member whose connection broke now, for another connection.
    pub(super) fn park(&self, connection: u64, intake: Box<Intake>, now: Instant) {
        let mut state = self.lock();
        if state.connection == connection {
            // This frees its descriptor for another connection.
            drop(state.end_connection());
        }
        state.parked = Some(intake);
        state.attendance.interrupt(now);
        self.moved.notify_all();
    }

    /// From now on keeps of statements the digests alone, if the member has not come back.
    pub(super) fn sleep(&self) {
        let mut state = self.lock();
        if state.is_kept() {
            state.backlog.sleep();
        }
    }

    /// Looks what has become of the place of a member whose connection with this number broke. Where
    /// `is_over`, its time is over.
    pub(super) fn check_kept(&self, connection: u64, is_over: bool) -> KeptPlace {
        let mut state = self.lock();
        if state.connection != connection {
            return KeptPlace::Resumed;
        }
        let is_over = is_over || state.closed.is_some();
        match state.parked.take_if(|_| is_over) {
            Some(intake) => KeptPlace::Over(intake, state.closed),
            None => KeptPlace::Waits,
        }
    }

    /// The network that the present connection comes from, or the last one came from.
    pub(super) fn network(&self) -> Network {
        self.lock().network
    }

    /// The member's place, for
    /// [`choose_evicted`](crate::cmd::serve::admission::eviction::choose_evicted).
    pub(super) fn candidate<T>(&self, place: T) -> Candidate<T> {
        let state = self.lock();
        Candidate {
            network: state.network,
            kept_since: state.attendance.away_since().filter(|_| state.is_kept()),
            place,
        }
    }

    /// Gives up the place if it is kept, as if its time were over. Returns whether it was kept.
    pub(super) fn release_if_kept(&self) -> bool {
        let mut state = self.lock();
        let is_kept = state.is_kept();
        if is_kept {
            state.closed = Some(CloseReason::Done);
            self.moved.notify_all();
        }
        is_kept
    }

    /// Goes on over another connection, which is there now, and over which the member says that it has
    /// received so many counted frames. Returns the member's intake and the connection's number, or `None` if the
    /// outbox is closed or the connection before does not end in time.
    ///
    /// # Errors
    /// Where fewer frames were sent, or more were acknowledged before.
    pub(super) fn take_over(
        self: &Arc<Self>,
        stream: &Arc<TcpStream>,
        network: Network,
        received: u64,
        grace: u32,
        now: Instant,
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
        state.recharge();
        state.stream = Some(Arc::clone(stream));
        state.network = network;
        state.connection += 1;
        state.attendance.resume(now);
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
        self.post_with(frame.weight(), |backlog| backlog.post(frame));
    }

    fn post_statement(&self, frame: OutgoingFrame, entry: &Digest) {
        self.post_with(frame.weight(), |backlog| {
            backlog.post_statement(frame, entry)
        });
    }

    fn dismiss(&self, notice: Notice) {
        self.close(Some(notice));
    }

    fn address(&self) -> Option<IpAddr> {
        self.network().address()
    }
}

fn notice(notice: Notice) -> OutgoingFrame {
    Frame::notice(notice.code()).into()
}
