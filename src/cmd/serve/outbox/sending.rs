//! What a writer does with an outbox: it sends what there is over the present connection, asks for an
//! acknowledgement, and hangs up at the end.

use std::sync::MutexGuard;
use std::time::{Duration, Instant};

use super::{CloseReason, MemberOutbox, OutboxState, Visit};
use crate::cmd::lock::lock;
use crate::cmd::serve::admission::control::AdmissionControl;
use crate::cmd::serve::batch::{PendingBatch, SendProgress, WriteBatch};
use crate::cmd::serve::write_queue::NextVisit;

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

impl MemberOutbox {
    /// Sends what there is, but no more than one batch, and hangs up when nothing more will come. A
    /// member that gets much at once waits for `gather` before it gets more. The writer has a `buffer`.
    pub(in crate::cmd::serve) fn send(
        &self,
        admission: &AdmissionControl,
        now: Instant,
        gather: Duration,
        buffer: &mut Vec<u8>,
    ) -> NextVisit {
        let mut state = lock(&self.state);
        let Some(stream) = state.stream.clone() else {
            return NextVisit::Nothing;
        };
        let pending = state.pending.as_ref();
        // An outbox is twice in the queue where its member has changed connections.
        if state.visit == Visit::Now || pending.is_some_and(|pending| pending.until > now) {
            return NextVisit::Nothing;
        }
        let connection = state.connection;
        let (mut batch, full) = if let Some(pending) = state.pending.take() {
            (pending.batch, Some((pending.since, pending.pause)))
        } else if let Some(unsent) = state.backlog.take() {
            (WriteBatch::from(unsent), None)
        } else {
            return self.idle_or_hang_up(state, admission, now);
        };
        state.visit = Visit::Now;
        drop(state);
        let sent = batch.send(&stream, buffer);
        let mut state = lock(&self.state);
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
        state.pending = Some(Box::new(PendingBatch {
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
    pub(in crate::cmd::serve) fn ask_for_ack(&self, now: Instant) -> NextVisit {
        let mut state = lock(&self.state);
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
        state.pending = Some(Box::new(PendingBatch {
            batch: ping.into(),
            since: now,
            pause: SHORTEST_PAUSE,
            until: now,
        }));
        NextVisit::SendNow
    }

    /// Hangs up: nothing more is written to the present connection.
    pub(in crate::cmd::serve) fn hang_up(&self, admission: &AdmissionControl) {
        let stream = lock(&self.state).end_connection();
        if let Some(stream) = stream {
            admission.hang_up(&stream);
        }
        self.moved.notify_all();
    }

    /// Waits until nothing more will be written to a connection.
    pub(in crate::cmd::serve) fn wait_for_end(&self, connection: u64) {
        let is_written_to =
            |state: &mut OutboxState| state.connection == connection && state.stream.is_some();
        drop(self.moved.wait_while(lock(&self.state), is_written_to));
    }
}
