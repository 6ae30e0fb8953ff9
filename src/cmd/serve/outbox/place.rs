//! A member's place while it has no connection, and the next connection that goes on from there.

use std::net::{Shutdown, TcpStream};
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

use super::{CloseReason, MemberOutbox, OutboxState};
use crate::cipher::encoding::Malformed;
use crate::cmd::lock::lock;
use crate::cmd::serve::admission::connections::Network;
use crate::cmd::serve::admission::eviction::Candidate;
use crate::room::frame::Frame;
use crate::room::relay::Intake;

/// How long a new connection waits for the end of the one before.
const HAND_OVER: Duration = Duration::from_secs(5);

/// What has become of a place that is kept.
pub(in crate::cmd::serve) enum KeptPlace {
    /// It waits for its member.
    Waits,
    /// The member has come back over another connection.
    Resumed,
    /// The time is over, or the outbox is closed: the member's intake, and why it is closed.
    Over(Box<Intake>, Option<CloseReason>),
}

impl MemberOutbox {
    /// For how long the member was in its room with a connection.
    pub(in crate::cmd::serve) fn time_there(&self, now: Instant) -> Duration {
        lock(&self.state).attendance.time(now)
    }

    /// Keeps the intake of a member whose connection broke now, for another connection.
    pub(in crate::cmd::serve) fn park(&self, connection: u64, intake: Box<Intake>, now: Instant) {
        let mut state = lock(&self.state);
        if state.connection == connection {
            // This frees its descriptor for another connection.
            drop(state.end_connection());
        }
        state.parked = Some(intake);
        state.attendance.interrupt(now);
        self.moved.notify_all();
    }

    /// From now on keeps of statements the digests alone, if the member has not come back.
    pub(in crate::cmd::serve) fn sleep(&self) {
        let mut state = lock(&self.state);
        if state.is_kept() {
            state.backlog.sleep();
        }
    }

    /// Looks what has become of the place of a member whose connection with this number broke. Where
    /// `is_over`, its time is over.
    pub(in crate::cmd::serve) fn check_kept(&self, connection: u64, is_over: bool) -> KeptPlace {
        let mut state = lock(&self.state);
        if state.connection != connection {
            return KeptPlace::Resumed;
        }
        let is_over = is_over || state.closed.is_some();
        match state.parked.take_if(|_| is_over) {
            Some(intake) => KeptPlace::Over(intake, state.closed),
            None => KeptPlace::Waits,
        }
    }

    /// The member's place, for
    /// [`choose_evicted`](crate::cmd::serve::admission::eviction::choose_evicted).
    pub(in crate::cmd::serve) fn candidate<T>(&self, place: T) -> Candidate<T> {
        let state = lock(&self.state);
        Candidate {
            network: state.network,
            kept_since: state.attendance.away_since().filter(|_| state.is_kept()),
            place,
        }
    }

    /// Gives up the place if it is kept, as if its time were over. Returns whether it was kept.
    pub(in crate::cmd::serve) fn release_if_kept(&self) -> bool {
        let mut state = lock(&self.state);
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
    pub(in crate::cmd::serve) fn take_over(
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
            .wait_timeout_while(lock(&self.state), HAND_OVER, is_waiting)
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
        state.pending = None;
        self.call_writer(&mut state);
        self.moved.notify_all();
        Ok(Some((intake, state.connection)))
    }
}
