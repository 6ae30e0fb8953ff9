//! A member's outbox at the relay: the bounded queue between its room and its socket. It outlives
//! the connection, so it also says which connection is the member's at present. `sending` has what a
//! writer does with it, `place` what becomes of it without a connection.
//!
//! Rooms put frames in, under their lock and without ever waiting; one of the
//! [writers](super::writers) takes them out. An outbox that overflows is emptied and closed: the
//! member is told why, and nobody waits for it. When a connection breaks, the outbox goes on, and
//! the connection's reader thread leaves the member's [`Intake`] here for the next connection.

pub(super) mod place;
mod sending;

use std::net::{IpAddr, TcpStream};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Instant;

use crate::cipher::encoding::{Digest, Malformed};
use crate::room::frame::Frame;
use crate::room::notice::Notice;
use crate::room::relay::{Backlog, Intake, Mailbox, OutgoingFrame, Overflow};

use super::attendance::Attendance;
use super::batch::PendingBatch;
use super::socket::has_unread;
use super::write_queue::WriteQueue;
use crate::cmd::lock::lock;
use crate::cmd::serve::admission::connections::Network;
use crate::cmd::serve::admission::memory::Charge;

/// About what a member takes beside what waits for it, in bytes.
const PLACE: usize = 12 << 10;

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
    /// What is to be sent before what is in the backlog.
    pending: Option<Box<PendingBatch>>,
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
        self.pending = None;
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

/// Why an outbox takes nothing more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum CloseReason {
    /// The member is not in its room any more, or the relay ends.
    Done,
    /// The member did not read fast enough.
    Overflow,
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
                pending: None,
                sent_at: None,
                parked: None,
                network,
                attendance: Attendance::new(Instant::now()),
            }),
            moved: Condvar::new(),
        }
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
        let mut state = lock(&self.state);
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
        let mut state = lock(&self.state);
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
        let mut state = lock(&self.state);
        state.unfinished = weight;
        if state.recharge_and_check() && state.closed.is_none() {
            self.drop_for_overflow(&mut state);
            self.call_writer(&mut state);
        }
    }

    /// How many bytes are kept for the member.
    pub(super) fn kept(&self) -> usize {
        lock(&self.state).charge.bytes()
    }

    /// Drops the member, as memory is short, if much is kept for it, or its place is kept.
    pub(super) fn give_up(self: &Arc<Self>) {
        let mut state = lock(&self.state);
        if state.closed.is_none() && (state.has_much() || state.is_kept()) {
            self.drop_for_overflow(&mut state);
            self.call_writer(&mut state);
        }
    }

    /// The network that the present connection comes from, or the last one came from.
    pub(super) fn network(&self) -> Network {
        lock(&self.state).network
    }

    /// Why the outbox is closed, if it is.
    pub(super) fn close_reason(&self) -> Option<CloseReason> {
        lock(&self.state).closed
    }

    /// Whether another connection waits for the present one to end.
    pub(super) fn is_contested(&self) -> bool {
        lock(&self.state).is_contested
    }

    /// Forgets the first `count` counted frames, which the member has acknowledged.
    ///
    /// # Errors
    /// Where fewer were sent, or more were acknowledged before.
    pub(super) fn acknowledge(&self, count: u64) -> Result<(), Malformed> {
        let mut state = lock(&self.state);
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
