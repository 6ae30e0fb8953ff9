//! A member in its room, as the reader thread of its connection has it.

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::{Duration, Instant};

use crate::cipher::encoding::Malformed;
use crate::room::Time;
use crate::room::card::Card;
use crate::room::frame::{Departure, Frame};
use crate::room::names::RoomId;
use crate::room::notice::Notice;
use crate::room::relay::{Intake, Mailbox as _, MemberRequest, has_signature_to_check};

use super::table::{Relay, SharedRoom};
use crate::cmd::lock::lock;
use crate::cmd::serve::outbox::place::KeptPlace;
use crate::cmd::serve::outbox::{CloseReason, MemberOutbox};
use crate::cmd::serve::threads::ARITHMETIC_STACK;

/// The reader thread of a member that sends too fast sleeps before it reads on. This is how often it
/// wakes meanwhile, to see whether the member was dropped, or has come over another connection.
const WATCH_INTERVAL: Duration = Duration::from_millis(100);

/// Runs `work` in a thread with a stack for RSA arithmetic. Returns `None` where the system has no
/// thread, or `work` panicked.
#[inline(never)]
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

/// Counts one member of the relay for as long as it lives.
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

/// What the reader thread is to do after a frame.
pub(in crate::cmd::serve) enum AfterFrame {
    /// Go on.
    Continue,
    /// Acknowledge what was taken, and go on.
    Acknowledge,
    /// End, for this reason.
    End(Departure),
}

/// What the log calls whoever has this card: nick and fingerprint.
pub(in crate::cmd::serve) fn who(card: &Card) -> String {
    format!("{} {}", card.nick(), card.fingerprint())
}

/// A member's place in a room. Dropping it takes the member out of the room, however the thread
/// ended, unless the member has come back over another connection.
pub(in crate::cmd::serve) struct Membership {
    who: Box<str>,
    id: RoomId,
    room: SharedRoom,
    outbox: Arc<MemberOutbox>,
    /// The position of its joining.
    joined: u64,
    /// `None` while the place is kept, and once another connection has it. It is boxed so that a thread which hands it on does
    /// not have it on its stack.
    intake: Option<Box<Intake>>,
    departure: Departure,
    counted: CountedMember,
}

impl Membership {
    /// The place of a member that counts from now on.
    pub(super) fn new(
        id: RoomId,
        room: SharedRoom,
        outbox: Arc<MemberOutbox>,
        intake: Box<Intake>,
        card: &Card,
        counted: CountedMember,
    ) -> Self {
        Self {
            who: who(card).into(),
            id,
            room,
            outbox,
            joined: intake.joined(),
            intake: Some(intake),
            departure: Departure::Lost,
            counted,
        }
    }

    /// Takes a frame that the member sent. It is not inlined into the loop that waits for frames,
    /// so that a silent member's stack does not hold what this function needs.
    #[inline(never)]
    pub(in crate::cmd::serve) fn take(&mut self, frame: Vec<u8>) -> AfterFrame {
        let Some(intake) = &mut self.intake else {
            return AfterFrame::End(Departure::Lost);
        };
        let before = intake.weight();
        let request = if has_signature_to_check(&frame) {
            // One after the other: many at once would need as many threads.
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

    /// For how long the member is to be left unread over a new connection, until what it owes is paid.
    pub(in crate::cmd::serve) fn first_pause(&self) -> Duration {
        let uptime = self.counted.relay.admission.uptime();
        let room = lock(&self.room);
        let intake = self.intake.as_ref();
        intake.map_or(Duration::ZERO, |it| room.first_pause(it, uptime))
    }

    /// Charges the member for the frame that was taken last. Returns for how long the member is to
    /// be left unread because it sends too fast: its own system holds it back then, so nothing is
    /// lost, and nobody else notices.
    pub(in crate::cmd::serve) fn throttle(&self) -> Duration {
        let Some(intake) = &self.intake else {
            return Duration::ZERO;
        };
        let admission = &self.counted.relay.admission;
        let pause = lock(&self.room).charge(intake, admission.uptime());
        let cost = intake.cost();
        admission.stats.deliveries.add(cost.parcels);
        admission.stats.bytes.add(cost.bytes);
        pause
    }

    /// The member says how many blocks a second it can open.
    pub(in crate::cmd::serve) fn set_opens(&self, opens: u32) {
        lock(&self.room).set_opens(self.joined, opens);
    }

    /// Leaves the member unread for so long. Returns whether its connection is still wanted then:
    /// where the member has come over another connection, this returns early.
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

    /// How many counted frames were taken from the member (PROTOCOL §8).
    pub(in crate::cmd::serve) fn received(&self) -> u64 {
        self.intake.as_ref().map_or(0, |intake| intake.received())
    }

    /// Sends the member an ACK of what was taken from it.
    pub(in crate::cmd::serve) fn acknowledge(&self) {
        self.outbox.post(Frame::ack(self.received()).into());
    }

    /// The member's outbox.
    pub(in crate::cmd::serve) fn outbox(&self) -> &Arc<MemberOutbox> {
        &self.outbox
    }

    /// Its relay.
    pub(in crate::cmd::serve) fn relay(&self) -> &Arc<Relay> {
        &self.counted.relay
    }

    /// What the log calls the member (see [`who`]).
    pub(in crate::cmd::serve) fn who(&self) -> &str {
        &self.who
    }

    /// Whether the place is kept when the connection breaks.
    pub(in crate::cmd::serve) fn can_come_back(&self) -> bool {
        self.counted.relay.config.grace > 0
    }

    /// Takes the member out of its room for this reason.
    pub(in crate::cmd::serve) fn end(mut self, departure: Departure) {
        self.departure = departure;
    }

    /// Keeps the place of a member whose connection broke, for another connection, until
    /// [`Membership::keep_waiting`] says that it is over. Then the member leaves the room for the reason
    /// `departure`.
    pub(super) fn park(&mut self, connection: u64, departure: Departure) {
        self.departure = departure;
        if let Some(intake) = self.intake.take() {
            self.outbox.park(connection, intake, Instant::now());
        }
    }

    /// Tells the others in the room that the member is without a connection, if it still is, since the
    /// beginning of this time, and has its place until the end.
    pub(super) fn put_to_sleep(&self, connection: u64, time: Range<Time>) {
        // Whoever comes back meanwhile waits for this lock to say so.
        let mut room = lock(&self.room);
        if let KeptPlace::Waits = self.outbox.check_kept(connection, false) {
            room.put_to_sleep(self.joined, time);
            // Statements may come by their digests alone after that.
            self.outbox.sleep();
        }
    }

    /// Tells the others in the room that the member has a connection again, if they were told that it had
    /// none.
    pub(super) fn wake(&self) {
        lock(&self.room).wake(self.joined);
    }

    /// Looks whether the place that is kept still waits for its member.
    pub(super) fn keep_waiting(&mut self, connection: u64, is_over: bool) -> bool {
        match self.outbox.check_kept(connection, is_over) {
            KeptPlace::Waits => return true,
            KeptPlace::Resumed => {}
            KeptPlace::Over(intake, closed) => {
                self.intake = Some(intake);
                if closed == Some(CloseReason::Overflow) {
                    self.departure = Departure::Slow;
                }
            }
        }
        false
    }
}

impl Drop for Membership {
    /// A room vanishes with its last member, and a relay that ends waits for its last room: so the
    /// log is written first.
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
        room.leave(intake.joined(), self.departure);
        // The room may have been emptied, and removed, when this member was taken out of it
        // earlier. Then the table may have a new room under the same id, which must stay.
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
