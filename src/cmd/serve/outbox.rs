//! The bounded queue between a room and one member's socket.
//!
//! Rooms put frames in, under their lock and without ever waiting; the connection's writing thread
//! takes them out. A queue that overflows is closed and emptied: the member is told why, and
//! nobody waits for it.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use crate::room::frame::Frame;
use crate::room::notice::Notice;
use crate::room::relay::{Mailbox, Outgoing};

/// The most frames and bytes that are taken at once.
const BATCH_FRAMES: usize = 256;
const BATCH_BYTES: usize = 64 * 1024;

/// A member's queue.
pub(super) struct Outbox {
    max_bytes: usize,
    queue: Mutex<Queue>,
    changed: Condvar,
}

#[derive(Default)]
struct Queue {
    frames: VecDeque<Outgoing>,
    bytes: usize,
    counted: u64,
    closed: Option<Closed>,
}

/// Why a queue takes nothing more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Closed {
    /// The connection is over.
    Done,
    /// The member did not read fast enough.
    Overflow,
}

impl Outbox {
    /// An empty queue of at most `max_bytes` bytes.
    pub(super) fn new(max_bytes: usize) -> Self {
        Self {
            max_bytes,
            queue: Mutex::default(),
            changed: Condvar::new(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Closes the queue, after a last frame if there is one. What is in it is still sent.
    pub(super) fn close(&self, last: Option<Notice>) {
        let mut queue = self.lock();
        if queue.closed.is_none() {
            queue.frames.extend(last.map(notice));
            queue.closed = Some(Closed::Done);
            self.changed.notify_one();
        }
    }

    /// Whether the queue is closed, and why.
    pub(super) fn closed(&self) -> Option<Closed> {
        self.lock().closed
    }

    /// How many counted frames were put in.
    pub(super) fn counted(&self) -> u64 {
        self.lock().counted
    }

    /// Waits for frames and moves some of them into `batch`, which must be empty. Leaves it empty
    /// when the queue is closed and nothing is left.
    pub(super) fn take(&self, batch: &mut Vec<Outgoing>) {
        let mut queue = self.lock();
        while queue.frames.is_empty() && queue.closed.is_none() {
            queue = self
                .changed
                .wait(queue)
                .unwrap_or_else(PoisonError::into_inner);
        }
        let mut bytes = 0;
        while bytes < BATCH_BYTES && batch.len() < BATCH_FRAMES {
            let Some(frame) = queue.frames.pop_front() else {
                break;
            };
            bytes += frame.len();
            batch.push(frame);
        }
        queue.bytes = queue.bytes.saturating_sub(bytes);
    }
}

impl Mailbox for Arc<Outbox> {
    fn post(&self, frame: Outgoing) {
        let mut queue = self.lock();
        if queue.closed.is_some() {
            return;
        }
        if queue.bytes + frame.len() > self.max_bytes {
            queue.frames.clear();
            queue.frames.push_back(notice(Notice::QueueFull));
            queue.closed = Some(Closed::Overflow);
        } else {
            queue.bytes += frame.len();
            queue.counted += u64::from(frame.is_counted());
            queue.frames.push_back(frame);
        }
        self.changed.notify_one();
    }
}

fn notice(notice: Notice) -> Outgoing {
    Frame::notice(notice.code()).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(outbox: &Outbox) -> Vec<Vec<u8>> {
        let mut batch = Vec::new();
        outbox.take(&mut batch);
        batch.iter().map(|frame| frame.slices().concat()).collect()
    }

    #[test]
    fn frames_leave_in_the_order_in_which_they_came() {
        let outbox = Arc::new(Outbox::new(1000));
        outbox.post(Frame::ack(1).into());
        outbox.post(Frame::ack(2).into());
        assert_eq!(
            taken(&outbox),
            [Frame::ack(1).encode(), Frame::ack(2).encode()]
        );
        outbox.close(None);
        assert!(taken(&outbox).is_empty());
    }

    #[test]
    fn a_member_that_does_not_read_is_told_so_and_gets_nothing_more() {
        let outbox = Arc::new(Outbox::new(20));
        for count in 0..3 {
            outbox.post(Frame::ack(count).into());
        }
        assert_eq!(outbox.closed(), Some(Closed::Overflow));
        outbox.post(Frame::ping().into());
        assert_eq!(
            taken(&outbox),
            [Frame::notice(Notice::QueueFull.code()).encode()]
        );
    }
}
