//! A member's stay, as its reading thread has it.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::{Duration, Instant};

use crate::cipher::encoding::Malformed;
use crate::room::card::Card;
use crate::room::frame::{Departure, Frame};
use crate::room::names::RoomId;
use crate::room::notice::Notice;
use crate::room::relay::{Intake, Mailbox as _, MemberRequest, has_signature_to_check};

use super::{Relay, SharedRoom, lock};
use crate::cmd::serve::outbox::{CloseReason, GraceOutcome, MemberOutbox};
use crate::cmd::serve::threads::ARITHMETIC_STACK;

/// How often a thread that leaves a member unread looks whether the member is still there.
const WATCH_INTERVAL: Duration = Duration::from_millis(100);

/// Runs `work` in a thread that has the stack for it. Nothing comes back where there is none to be
/// had, or it panicked.
fn run_in_arithmetic_thread<T: Send>(work: impl FnOnce() -> T + Send) -> Option<T> {
    thread::scope(|scope| {
        let thread = thread::Builder::new()
            .name("verify".into())
            .stack_size(ARITHMETIC_STACK)
            .spawn_scoped(scope, work)
            .ok()?;
        thread.join().ok()
    })
}

/// A member that is counted for as long as this lives.
pub(super) struct CountedMember {
    relay: Arc<Relay>,
    pub(super) number: usize,
}

impl CountedMember {
    pub(super) fn count(relay: &Arc<Relay>) -> Self {
        Self {
            number: relay.members.fetch_add(1, Ordering::Relaxed) + 1,
            relay: Arc::clone(relay),
        }
    }
}

impl Drop for CountedMember {
    fn drop(&mut self) {
        self.relay.members.fetch_sub(1, Ordering::Relaxed);
    }
}

/// What the reading thread is to do after a frame.
pub(in crate::cmd::serve) enum AfterFrame {
    /// To go on.
    Continue,
    /// To acknowledge what was taken before it goes on.
    Acknowledge,
    /// To end.
    End(Departure),
}

/// A member's place in a room, which it leaves, however its thread ends, unless the member has
/// come back over another connection.
pub(in crate::cmd::serve) struct Membership {
    who: Box<str>,
    id: RoomId,
    room: SharedRoom,
    outbox: Arc<MemberOutbox>,
    /// `None` once another connection has it. Not on the stack of a thread that hands it on.
    intake: Option<Box<Intake>>,
    departure: Departure,
    counted: CountedMember,
}

impl Membership {
    /// The stay of a member that counts from now on.
    pub(super) fn new(
        id: RoomId,
        room: SharedRoom,
        outbox: Arc<MemberOutbox>,
        intake: Box<Intake>,
        card: &Card,
        counted: CountedMember,
    ) -> Self {
        Self {
            who: format!("{} {}", card.nick(), card.fingerprint()).into(),
            id,
            room,
            outbox,
            intake: Some(intake),
            departure: Departure::Lost,
            counted,
        }
    }

    /// Takes a frame that the member sent. Not a part of the loop that waits for one, so that what
    /// this has on its stack is on that of no member that is silent.
    #[inline(never)]
    pub(in crate::cmd::serve) fn take(&mut self, frame: Vec<u8>) -> AfterFrame {
        let Some(intake) = &mut self.intake else {
            return AfterFrame::End(Departure::Lost);
        };
        let before = intake.weight();
        let request = if has_signature_to_check(&frame) {
            // One after the other: many at once would be as many threads.
            let _turn = lock(&self.counted.relay.arithmetic);
            match run_in_arithmetic_thread(|| intake.take(frame)) {
                Some(request) => request,
                None => return AfterFrame::End(Departure::Lost),
            }
        } else {
            intake.take(self.counted.relay.pool.take(frame))
        };
        if intake.weight() != before {
            self.outbox.set_unfinished(intake.weight());
        }
        let Ok(request) = request else {
            return AfterFrame::End(Departure::Misbehaved);
        };
        let done = match &request {
            MemberRequest::Wait | MemberRequest::Acknowledge => Ok(()),
            MemberRequest::Forget(count) => self.outbox.acknowledge(*count),
            MemberRequest::Forward(_)
            | MemberRequest::Statement(_)
            | MemberRequest::Goodbye(_)
            | MemberRequest::Receipt(_)
            | MemberRequest::Rekey(_) => lock(&self.room).carry_out(intake, &request),
        };
        match (done, request) {
            (Err(Malformed), _) => AfterFrame::End(Departure::Misbehaved),
            (Ok(()), MemberRequest::Goodbye(_)) => AfterFrame::End(Departure::Left),
            (Ok(()), MemberRequest::Acknowledge) => AfterFrame::Acknowledge,
            (Ok(()), _) => AfterFrame::Continue,
        }
    }

    /// Counts the frame that was taken last. Returns for how long the member is to be left unread,
    /// as it sends too fast: so nothing is lost, its own system holds it back, and nobody else
    /// notices.
    pub(in crate::cmd::serve) fn throttle(&mut self) -> Duration {
        let Some(intake) = &mut self.intake else {
            return Duration::ZERO;
        };
        let admission = &self.counted.relay.admission;
        let (cost, pause) = intake.throttle(admission.uptime());
        admission.stats.deliveries.add(cost.parcels);
        admission.stats.bytes.add(cost.bytes);
        pause
    }

    /// Leaves the member unread for so long. Returns whether its connection is still wanted then:
    /// it ends at once when the member comes over another one.
    pub(in crate::cmd::serve) fn wait_out(&self, pause: Duration) -> bool {
        let until = Instant::now() + pause;
        loop {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() || self.outbox.close_reason().is_some() {
                return true;
            }
            if self.outbox.is_contested() {
                return false;
            }
            thread::sleep(left.min(WATCH_INTERVAL));
        }
    }

    /// Takes memory for so many bytes more of a frame that is coming. Returns whether there is any.
    pub(in crate::cmd::serve) fn take_memory_for(&self, bytes: usize) -> bool {
        self.counted.relay.admission.memory.take_for_frame(bytes)
    }

    /// How many counted frames were taken from the member.
    pub(in crate::cmd::serve) fn received(&self) -> u64 {
        self.intake.as_ref().map_or(0, |intake| intake.received())
    }

    /// Acknowledges them.
    pub(in crate::cmd::serve) fn acknowledge(&self) {
        self.outbox.post(Frame::ack(self.received()).into());
    }

    /// The member's queue.
    pub(in crate::cmd::serve) fn outbox(&self) -> &Arc<MemberOutbox> {
        &self.outbox
    }

    /// What the log calls the member.
    pub(in crate::cmd::serve) fn who(&self) -> &str {
        &self.who
    }

    /// Whether the place is kept when the connection breaks.
    pub(in crate::cmd::serve) fn can_come_back(&self) -> bool {
        self.counted.relay.config.grace > 0
    }

    /// Leaves the room for this reason.
    pub(in crate::cmd::serve) fn end(mut self, departure: Departure) {
        self.departure = departure;
    }

    /// Keeps the place of a member whose connection broke, for as long as the relay has promised. If
    /// it has not come back by then, it leaves the room.
    pub(in crate::cmd::serve) fn keep(mut self, connection: u64, departure: Departure) {
        let grace = Duration::from_secs(self.counted.relay.config.grace.into());
        let Some(intake) = self.intake.take() else {
            return;
        };
        if let GraceOutcome::Over(intake, closed) =
            self.outbox.wait_for_return(connection, intake, grace)
        {
            self.intake = Some(intake);
            self.departure = match closed {
                Some(CloseReason::Overflow) => Departure::Slow,
                Some(CloseReason::Done) | None => departure,
            };
        }
    }
}

impl Drop for Membership {
    /// A room vanishes with its last member, and a relay that ends with its last room: by then this
    /// one is in the log.
    fn drop(&mut self) {
        let Some(intake) = &self.intake else {
            return;
        };
        self.counted
            .relay
            .admission
            .log_departure(&self.who, self.departure);
        let mut rooms = lock(&self.counted.relay.rooms);
        let mut room = lock(&self.room);
        room.leave(intake.sid(), intake.joined(), self.departure);
        // If others have come and gone since this member was taken out, there may be another of this id.
        let there = rooms.by_id.get(&self.id);
        if room.is_empty() && there.is_some_and(|there| Arc::ptr_eq(there, &self.room)) {
            rooms.last_position = rooms.last_position.max(room.link().position);
            rooms.by_id.remove(&self.id);
        }
        self.outbox.close(match self.departure {
            Departure::Silent => Some(Notice::Idle),
            Departure::Misbehaved => Some(Notice::Malformed),
            Departure::Left | Departure::Lost | Departure::Slow => None,
        });
    }
}
