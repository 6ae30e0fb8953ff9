//! The writers: few threads that send to all members what waits for them.
//!
//! A member's [`MemberOutbox`] is in the [queue](WriteQueue) while there is something to send. A writer takes some
//! outboxes off it, and sends each member what has gathered, without waiting for the member's
//! socket; it tries a full socket again later. One writer is enough until it is not: another one
//! begins when the queue has not been empty for a while, as writers that have little to do send
//! frame by frame what one would have sent together.

use std::num::NonZeroUsize;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::{io, thread};

use super::outbox::MemberOutbox;
use super::write_queue::{Due, NextVisit, WriteQueue};
use crate::cmd::serve::admission::control::AdmissionControl;

/// The most writers, if nobody asks for another number.
const MAX_WRITERS: usize = 4;

/// Starts the writers of a relay, which wait for what comes into the queue that this returns. Where their
/// `number` is given, they all write as soon as there is enough for each.
///
/// # Errors
/// Where the system has no thread to give.
pub(super) fn start(
    number: Option<NonZeroUsize>,
    admission: &Arc<AdmissionControl>,
) -> io::Result<Arc<WriteQueue<MemberOutbox>>> {
    let usual = || thread::available_parallelism().map_or(1, |count| count.get().min(MAX_WRITERS));
    let writers = number.map_or_else(usual, NonZeroUsize::get);
    let queue = Arc::new(WriteQueue::new(writers, number.is_some()));
    for _ in 0..writers {
        let (queue, admission) = (Arc::clone(&queue), Arc::clone(admission));
        let builder = thread::Builder::new().name("writer".into());
        builder.spawn(move || write(&queue, &admission))?;
    }
    Ok(queue)
}

/// What one writer does.
fn write(queue: &WriteQueue<MemberOutbox>, admission: &AdmissionControl) {
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
            // The last one to have an outbox frees it, which must not be under the queue's lock.
            if !matches!(next, NextVisit::Nothing) {
                visited.push((outbox, next));
            }
        }
    }
}
