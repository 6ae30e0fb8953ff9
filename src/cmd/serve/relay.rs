//! The relay's rooms, shared by all its connections.
//!
//! Three locks, taken in this order: the table of rooms, a room, a member's queue. None of these is
//! held across I/O or cryptography: under them, frames are put into queues, and little else. Joining and
//! leaving take the table's, so that a room cannot vanish while somebody enters it; a message takes
//! only the room's.

use std::collections::HashMap;
use std::io;
use std::net::TcpStream;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use rand::Rng as _;

use crate::cipher::encoding::Malformed;
use crate::room::card::Card;
use crate::room::frame::{Challenge, Departure, Frame, Limits, RunId, is_rekey};
use crate::room::names::RoomId;
use crate::room::notice::Notice;
use crate::room::relay::{Backlog, Intake, Mailbox as _, Pool, Request, Room, Stay};

use super::guard::Guard;
use super::outbox::{Closed, Kept, Outbox};
use super::stats::Census;
use super::threads::ARITHMETIC_STACK;
use super::writer::Writers;

/// How often a thread that leaves a member unread looks whether the member is still there.
const CHECK: Duration = Duration::from_millis(100);

/// What the relay allows.
#[derive(Clone, Copy, Debug)]
pub(super) struct Config {
    /// What clients are told of it.
    pub(super) limits: Limits,
    /// The most members.
    pub(super) max_members: usize,
    /// The most bytes that wait for one member.
    pub(super) queue_bytes: usize,
    /// How long the handshake may take.
    pub(super) handshake: Duration,
}

type SharedRoom = Arc<Mutex<Room<Arc<Outbox>>>>;

/// All rooms of a relay.
pub(super) struct Relay {
    pub(super) config: Config,
    pub(super) guard: Arc<Guard>,
    writers: Writers,
    run: RunId,
    /// Counts what is kept alive of the frames that members send.
    pool: Arc<Pool>,
    rooms: Mutex<Rooms>,
    members: AtomicUsize,
    /// Whose turn it is to have a thread for arithmetic.
    arithmetic: Mutex<()>,
}

#[derive(Default)]
struct Rooms {
    by_id: HashMap<RoomId, SharedRoom>,
    /// The highest epoch that a room had when it vanished: no epoch is used twice in a run.
    last_epoch: u64,
}

impl Relay {
    /// A relay without rooms.
    ///
    /// # Errors
    /// Where the system has no threads for the writers.
    pub(super) fn new(config: Config, guard: Guard) -> io::Result<Self> {
        let mut run = [0; 16];
        rand::rng().fill_bytes(&mut run);
        let guard = Arc::new(guard);
        Ok(Self {
            config,
            writers: Writers::start(&guard)?,
            guard,
            run: RunId(run),
            pool: Arc::default(),
            rooms: Mutex::default(),
            members: AtomicUsize::new(0),
            arithmetic: Mutex::new(()),
        })
    }

    /// A queue for a newcomer on this connection.
    pub(super) fn outbox(&self, stream: &Arc<TcpStream>) -> Arc<Outbox> {
        let (most, writer) = (self.config.queue_bytes, self.writers.next());
        Arc::new(Outbox::new(most, Arc::clone(stream), writer))
    }

    /// Random bytes for a handshake.
    pub(super) fn challenge(&self) -> Challenge {
        let mut nonce = [0; 32];
        rand::rng().fill_bytes(&mut nonce);
        Challenge {
            nonce,
            run: self.run,
        }
    }

    /// Lets a member into a room, which is made if it is not there. It stays for as long as the
    /// returned value lives.
    ///
    /// # Errors
    /// With what to tell it before hanging up.
    pub(super) fn join(
        self: &Arc<Self>,
        id: RoomId,
        card: &Card,
        outbox: &Arc<Outbox>,
    ) -> Result<Membership, Notice> {
        self.guard.check_memory()?;
        let place = Place::count(self);
        if place.number > self.config.max_members {
            return Err(Notice::RelayFull);
        }
        let mut rooms = lock(&self.rooms);
        self.guard.check_open()?;
        let (room, joined) = if let Some(room) = rooms.by_id.get(&id) {
            let joined = lock(room).join(card, outbox)?;
            (Arc::clone(room), joined)
        } else {
            let mut room = Room::new(rooms.last_epoch, &self.config.limits);
            let joined = room.join(card, outbox)?;
            let room = Arc::new(Mutex::new(room));
            rooms.by_id.insert(id, Arc::clone(&room));
            (room, joined)
        };
        Ok(Membership {
            who: name(card),
            id,
            room,
            outbox: Arc::clone(outbox),
            intake: Some(Box::new(Intake::new(
                card,
                self.run,
                joined,
                &self.config.limits,
            ))),
            departure: Departure::Lost,
            place,
        })
    }

    /// Lets a member that is still in a room go on over another connection. Returns that
    /// connection's number too, or nothing if the member is not there any more.
    ///
    /// # Errors
    /// Where it cannot have received so many frames, or has come from elsewhere since.
    pub(super) fn resume(
        self: &Arc<Self>,
        id: RoomId,
        card: &Card,
        stay: Stay,
        stream: &Arc<TcpStream>,
    ) -> Result<Option<(Membership, u64)>, Notice> {
        let Some(room) = lock(&self.rooms).by_id.get(&id).map(Arc::clone) else {
            return Ok(None);
        };
        let outbox = {
            let room = lock(&room);
            if room.is_replaced(card) {
                return Err(Notice::Replaced);
            }
            room.place(card, stay.joined).map(Arc::clone)
        };
        let Some(outbox) = outbox else {
            return Ok(None);
        };
        let taken = outbox.take_over(stream, stay.received);
        let taken = taken.map_err(|Malformed| Notice::Malformed)?;
        Ok(taken.map(|(intake, connection)| {
            let membership = Membership {
                who: name(card),
                id,
                room,
                outbox,
                intake: Some(intake),
                departure: Departure::Lost,
                place: Place::count(self),
            };
            (membership, connection)
        }))
    }

    /// Tells every member that the relay is ending, and hangs up once they have what is waiting
    /// for them.
    pub(super) fn shut_down(&self) {
        self.guard.end();
        for room in lock(&self.rooms).by_id.values() {
            for outbox in lock(room).mailboxes() {
                outbox.close(Some(Notice::Shutdown));
            }
        }
    }

    /// Drops the members for whom more waits than there is memory for.
    pub(super) fn save_memory(&self) {
        let queue = self.config.queue_bytes;
        // Who reads is not dropped for what it has had no time to acknowledge.
        let most = self
            .guard
            .memory
            .share(queue)
            .max(Backlog::in_flight(queue));
        let rooms: Vec<SharedRoom> = lock(&self.rooms).by_id.values().map(Arc::clone).collect();
        for room in rooms {
            let outboxes: Vec<Arc<Outbox>> = lock(&room).mailboxes().map(Arc::clone).collect();
            for outbox in outboxes {
                outbox.limit(most);
            }
        }
    }

    /// How many members, rooms and connections there are.
    pub(super) fn census(&self) -> Census {
        let rooms = lock(&self.rooms);
        Census {
            members: rooms.by_id.values().map(|room| lock(room).len()).sum(),
            rooms: rooms.by_id.len(),
            connections: self.guard.connections(),
        }
    }

    /// Whether no member is left.
    pub(super) fn is_deserted(&self) -> bool {
        lock(&self.rooms).by_id.is_empty()
    }
}

/// A panic in one connection must not end the others, and no change under these locks can be
/// left half done by one.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Runs `work` in a thread that has the stack for it. Nothing comes back where there is none to be
/// had, or it panicked.
fn with_arithmetic<T: Send>(work: impl FnOnce() -> T + Send) -> Option<T> {
    thread::scope(|scope| {
        let thread = thread::Builder::new()
            .name("rekey".into())
            .stack_size(ARITHMETIC_STACK)
            .spawn_scoped(scope, work)
            .ok()?;
        thread.join().ok()
    })
}

/// What the log calls a member.
fn name(card: &Card) -> Box<str> {
    format!("{} {}", card.nick(), card.fingerprint()).into()
}

/// A member that is counted for as long as this lives.
struct Place {
    relay: Arc<Relay>,
    number: usize,
}

impl Place {
    fn count(relay: &Arc<Relay>) -> Self {
        Self {
            number: relay.members.fetch_add(1, Ordering::Relaxed) + 1,
            relay: Arc::clone(relay),
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.relay.members.fetch_sub(1, Ordering::Relaxed);
    }
}

/// What the reading thread is to do after a frame.
pub(super) enum Next {
    /// To go on.
    Continue,
    /// To acknowledge what was taken before it goes on.
    Acknowledge,
    /// To end.
    End(Departure),
}

/// A member's place in a room, which it leaves, however its thread ends, unless the member has
/// come back over another connection.
pub(super) struct Membership {
    who: Box<str>,
    id: RoomId,
    room: SharedRoom,
    outbox: Arc<Outbox>,
    /// `None` once another connection has it. Not on the stack of a thread that hands it on.
    intake: Option<Box<Intake>>,
    departure: Departure,
    place: Place,
}

impl Membership {
    /// Takes a frame that the member sent. Not a part of the loop that waits for one, so that what
    /// this has on its stack is on that of no member that is silent.
    #[inline(never)]
    pub(super) fn take(&mut self, frame: Vec<u8>) -> Next {
        let Some(intake) = &mut self.intake else {
            return Next::End(Departure::Lost);
        };
        let request = if is_rekey(&frame) {
            // One after the other: many at once would be as many threads.
            let _turn = lock(&self.place.relay.arithmetic);
            match with_arithmetic(|| intake.take(frame)) {
                Some(request) => request,
                None => return Next::End(Departure::Lost),
            }
        } else {
            intake.take(self.place.relay.pool.take(frame))
        };
        match request {
            Ok(Request::Wait) => {}
            Ok(request @ (Request::Forward(_) | Request::State(_) | Request::Rekey(_))) => {
                let done = lock(&self.room).carry_out(intake.sid(), &request);
                if done.is_err() {
                    return Next::End(Departure::Misbehaved);
                }
            }
            Ok(Request::Leave) => return Next::End(Departure::Left),
            Ok(Request::Acknowledge) => return Next::Acknowledge,
            Ok(Request::Forget(count)) => {
                if self.outbox.acknowledge(count).is_err() {
                    return Next::End(Departure::Misbehaved);
                }
            }
            Err(Malformed) => return Next::End(Departure::Misbehaved),
        }
        Next::Continue
    }

    /// Counts the frame that was taken last. Returns for how long the member is to be left unread,
    /// as it sends too fast: so nothing is lost, its own system holds it back, and nobody else
    /// notices.
    pub(super) fn pay(&mut self) -> Duration {
        let Some(intake) = &mut self.intake else {
            return Duration::ZERO;
        };
        let guard = &self.place.relay.guard;
        let (cost, pause) = intake.pay(guard.uptime());
        guard.stats.deliveries.add(cost.parcels);
        guard.stats.bytes.add(cost.bytes);
        pause
    }

    /// Leaves the member unread for so long. Returns whether its connection is still wanted then:
    /// it ends at once when the member comes over another one.
    pub(super) fn rest(&self, pause: Duration) -> bool {
        let until = Instant::now() + pause;
        loop {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() || self.outbox.closed().is_some() {
                return true;
            }
            if self.outbox.is_contested() {
                return false;
            }
            thread::sleep(left.min(CHECK));
        }
    }

    /// How many counted frames were taken from the member.
    pub(super) fn received(&self) -> u64 {
        self.intake.as_ref().map_or(0, |intake| intake.received())
    }

    /// Acknowledges them.
    pub(super) fn acknowledge(&self) {
        self.outbox.post(Frame::ack(self.received()).into());
    }

    /// The member's queue.
    pub(super) fn outbox(&self) -> &Arc<Outbox> {
        &self.outbox
    }

    /// What the log calls the member.
    pub(super) fn who(&self) -> &str {
        &self.who
    }

    /// Whether the place is kept when the connection breaks.
    pub(super) fn is_kept(&self) -> bool {
        self.place.relay.config.limits.grace > 0
    }

    /// Leaves the room for this reason.
    pub(super) fn end(mut self, departure: Departure) {
        self.departure = departure;
    }

    /// Keeps the place of a member whose connection broke, for as long as the relay has promised. If
    /// it has not come back by then, it leaves the room.
    pub(super) fn keep(mut self, connection: u64, departure: Departure) {
        let grace = Duration::from_secs(self.place.relay.config.limits.grace.into());
        let Some(intake) = self.intake.take() else {
            return;
        };
        if let Kept::Given(intake, closed) = self.outbox.keep(connection, intake, grace) {
            self.intake = Some(intake);
            self.departure = match closed {
                Some(Closed::Overflow) => Departure::Slow,
                Some(Closed::Done) | None => departure,
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
        self.place.relay.guard.departed(&self.who, self.departure);
        let mut rooms = lock(&self.place.relay.rooms);
        let mut room = lock(&self.room);
        room.leave(intake.sid(), intake.joined(), self.departure);
        if room.is_empty() {
            rooms.last_epoch = rooms.last_epoch.max(room.epoch());
            rooms.by_id.remove(&self.id);
        }
        self.outbox.close(match self.departure {
            Departure::Silent => Some(Notice::Idle),
            Departure::Misbehaved => Some(Notice::Malformed),
            Departure::Left | Departure::Lost | Departure::Slow => None,
        });
    }
}
