//! The relay's rooms, shared by all its connections.
//!
//! There are four locks, taken in this order: the table of rooms, or the list of kept places; a room; a
//! member's outbox. None of them is held across I/O, or cryptography but the digests of the chain: under them, frames are
//! put into outboxes, and little else. Joining and leaving take the table's lock, so that a room
//! cannot vanish while somebody enters it; a message takes only its room's.
//!
//! A place is a member's seat in a room. It outlives the member's connection for the time that the
//! relay promises in WELCOME (PROTOCOL §7).

mod kept;
mod membership;

use std::collections::HashMap;
use std::io;
use std::net::TcpStream;
use std::sync::atomic::AtomicUsize;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rand::Rng as _;

use crate::cipher::encoding::Malformed;
use crate::room::card::{Card, SessionId};
use crate::room::chain::Link;
use crate::room::frame::{Challenge, Departure, RelayLimits, RunId};
use crate::room::names::RoomId;
use crate::room::notice::Notice;
use crate::room::relay::{Intake, ResumePoint, RetentionBudget, Room};

use super::outbox::MemberOutbox;
use super::stats::Census;
use super::writer::Writers;
use crate::cmd::serve::admission::connections::Network;
use crate::cmd::serve::admission::control::AdmissionControl;
use crate::cmd::serve::admission::eviction::{Candidate, choose_evicted};

pub(super) use self::membership::{AfterFrame, Membership};

use self::kept::Kept;
use self::membership::CountedMember;

/// What the relay allows.
#[derive(Clone, Copy, Debug)]
pub(super) struct RelayConfig {
    /// The limits that CHALLENGE tells clients.
    pub(super) limits: RelayLimits,
    /// The most members in all rooms together.
    pub(super) max_members: usize,
    /// The most places of one identity in a room.
    pub(super) per_identity: usize,
    /// The most seconds for which the place of a member is kept whose connection broke; 0 for not at all.
    pub(super) grace: u32,
    /// The most bytes that wait for one member.
    pub(super) queue_bytes: usize,
    /// How long the handshake may take.
    pub(super) handshake: Duration,
}

type SharedRoom = Arc<Mutex<Room<Arc<MemberOutbox>>>>;

/// A relay: its rooms, and what they share.
pub(super) struct Relay {
    pub(super) config: RelayConfig,
    pub(super) admission: Arc<AdmissionControl>,
    writers: Writers,
    run: RunId,
    /// How many bytes of members' frames may be kept alive by what is passed on of them.
    pool: Arc<RetentionBudget>,
    rooms: Mutex<Rooms>,
    /// The places that are kept for members without connections.
    kept: Mutex<Vec<Kept>>,
    members: AtomicUsize,
    /// Held by the thread that checks a member's new card or statement: one at a time.
    arithmetic: Mutex<()>,
}

#[derive(Default)]
struct Rooms {
    by_id: HashMap<RoomId, SharedRoom>,
    /// The highest position of any room that has vanished. A new room begins above it, so that no
    /// position is used twice in a run.
    last_position: u64,
}

impl Relay {
    /// A relay without rooms.
    ///
    /// # Errors
    /// Where the system has no threads for the writers.
    pub(super) fn new(config: RelayConfig, admission: AdmissionControl) -> io::Result<Self> {
        let mut run = [0; 16];
        rand::rng().fill_bytes(&mut run);
        let admission = Arc::new(admission);
        Ok(Self {
            config,
            writers: Writers::start(&admission)?,
            admission,
            run: RunId(run),
            pool: Arc::default(),
            rooms: Mutex::default(),
            kept: Mutex::default(),
            members: AtomicUsize::new(0),
            arithmetic: Mutex::new(()),
        })
    }

    /// An outbox for a newcomer on this connection.
    pub(super) fn outbox(&self, stream: &Arc<TcpStream>, network: Network) -> Arc<MemberOutbox> {
        let (most, writer) = (self.config.queue_bytes, self.writers.assign());
        Arc::new(MemberOutbox::new(most, Arc::clone(stream), network, writer))
    }

    /// A challenge for a handshake: fresh random bytes, and the relay's run.
    pub(super) fn challenge(&self) -> Challenge {
        let mut nonce = [0; 32];
        rand::rng().fill_bytes(&mut nonce);
        Challenge {
            nonce,
            run: self.run,
        }
    }

    /// Enters a member into a room, which is made if it is not there. The member stays for as long
    /// as the returned value lives. Where no place is left, one that is kept for somebody else may
    /// be evicted.
    ///
    /// # Errors
    /// The notice to send before hanging up.
    pub(super) fn join(
        self: &Arc<Self>,
        id: RoomId,
        card: &Card,
        outbox: &Arc<MemberOutbox>,
    ) -> Result<Membership, Notice> {
        self.admission.check_memory()?;
        let counted = CountedMember::count(self);
        let mut rooms = lock(&self.rooms);
        self.admission.check_open()?;
        let has_own = |room: &SharedRoom| lock(room).has_own_place(card);
        let evicted = if rooms.by_id.get(&id).is_some_and(has_own) {
            None
        } else {
            self.find_evicted(&rooms, &counted, outbox.network())?
        };
        let (room, joined) = if let Some(room) = rooms.by_id.get(&id) {
            let joined = self.enter(&mut lock(room), card, outbox)?;
            (Arc::clone(room), joined)
        } else {
            let start = Link::start(self.run, id, rooms.last_position);
            let mut room = Room::new(start, &self.config.limits, self.config.grace);
            let joined = room.join(card, outbox)?;
            let room = Arc::new(Mutex::new(room));
            rooms.by_id.insert(id, Arc::clone(&room));
            (room, joined)
        };
        drop(rooms);
        if let Some(evicted) = evicted {
            evicted.release_if_kept();
            self.sweep();
        }
        let intake = Intake::new(card, self.run, joined, &self.config.limits);
        let (outbox, intake) = (Arc::clone(outbox), Box::new(intake));
        Ok(Membership::new(id, room, outbox, intake, card, counted))
    }

    /// The outbox whose place is to be evicted from any room for a newcomer, if one must be. The
    /// caller finds it before it enters the newcomer, and evicts it afterwards.
    ///
    /// # Errors
    /// Where a place must be evicted, and none is kept that can be.
    fn find_evicted(
        &self,
        rooms: &Rooms,
        member: &CountedMember,
        newcomer: Network,
    ) -> Result<Option<Arc<MemberOutbox>>, Notice> {
        let is_full = member.number > self.config.max_members;
        let is_over_limit = self.admission.is_over_limit(newcomer);
        if !is_full && !is_over_limit {
            return Ok(None);
        }
        let mut places = Vec::new();
        for room in rooms.by_id.values() {
            let room = lock(room);
            places.extend(
                room.mailboxes()
                    .map(|outbox| outbox.candidate(Arc::clone(outbox))),
            );
        }
        if is_over_limit {
            places.retain(|candidate| candidate.network == newcomer);
        }
        match choose_evicted(places, newcomer, Instant::now()) {
            None if is_full => Err(Notice::RelayFull),
            evicted => Ok(evicted),
        }
    }

    /// Enters a member into `room`. If the room is full, a place that is kept in it may be evicted; if the
    /// member's identity has all places that it may have, one at which it sleeps.
    /// Returns the position of the join.
    fn enter(
        &self,
        room: &mut Room<Arc<MemberOutbox>>,
        card: &Card,
        outbox: &Arc<MemberOutbox>,
    ) -> Result<u64, Notice> {
        if room.other_places(card).count() >= self.config.per_identity {
            let now = Instant::now();
            let own = room.other_places(card).map(candidate);
            let own = own.filter_map(|own| Some((own.asleep_since(now)?, own.place)));
            let longest = own.min_by_key(|(since, _)| *since);
            if !longest.is_some_and(|(_, longest)| evict(room, longest)) {
                return Err(Notice::IdentityFull);
            }
        }
        let joined = room.join(card, outbox);
        if joined != Err(Notice::RoomFull) {
            return joined;
        }
        let places = room.places().map(candidate).collect();
        if let Some(longest) = choose_evicted(places, outbox.network(), Instant::now()) {
            evict(room, longest);
        }
        room.join(card, outbox)
    }

    /// Lets a member that is still in a room go on over another connection, from its resume point.
    /// Returns the connection's number too, or `None` if the member is not in the room any more.
    ///
    /// # Errors
    /// Where the member cannot have received so many frames, or somebody with its identity and nick
    /// has entered from elsewhere since.
    pub(super) fn resume(
        self: &Arc<Self>,
        id: RoomId,
        card: &Card,
        resume_point: ResumePoint,
        stream: &Arc<TcpStream>,
        network: Network,
    ) -> Result<Option<(Membership, u64)>, Notice> {
        let Some(room) = lock(&self.rooms).by_id.get(&id).map(Arc::clone) else {
            return Ok(None);
        };
        let outbox = {
            let room = lock(&room);
            if room.is_replaced(card) {
                return Err(Notice::Replaced);
            }
            room.resumable_mailbox(card, resume_point.joined)
                .map(Arc::clone)
        };
        let Some(outbox) = outbox else {
            return Ok(None);
        };
        let taken = outbox.take_over(stream, network, resume_point.received, self.config.grace);
        let taken = taken.map_err(|Malformed| Notice::Malformed)?;
        Ok(taken.map(|(intake, connection)| {
            let counted = CountedMember::count(self);
            let membership = Membership::new(id, room, outbox, intake, card, counted);
            membership.wake();
            (membership, connection)
        }))
    }

    /// Refuses newcomers from now on, sends every member the last notice, and hangs up once they
    /// have what waits for them.
    pub(super) fn shut_down(&self) {
        self.admission.close();
        for room in lock(&self.rooms).by_id.values() {
            for outbox in lock(room).mailboxes() {
                outbox.close(Some(Notice::Shutdown));
            }
        }
    }

    /// Drops the members for whom more waits than there is memory for.
    pub(super) fn save_memory(&self) {
        let most = self.admission.memory.queue_limit(self.config.queue_bytes);
        let rooms: Vec<SharedRoom> = lock(&self.rooms).by_id.values().map(Arc::clone).collect();
        for room in rooms {
            let outboxes: Vec<Arc<MemberOutbox>> =
                lock(&room).mailboxes().map(Arc::clone).collect();
            for outbox in outboxes {
                outbox.enforce_limit(most);
            }
        }
    }

    pub(super) fn census(&self) -> Census {
        let rooms = lock(&self.rooms);
        Census {
            members: rooms.by_id.values().map(|room| lock(room).len()).sum(),
            rooms: rooms.by_id.len(),
            connections: self.admission.connections(),
        }
    }

    /// Whether no member is left.
    pub(super) fn is_deserted(&self) -> bool {
        lock(&self.rooms).by_id.is_empty()
    }
}

/// A place in a room: the position of its member's joining, and its outbox.
type Place = (u64, Arc<MemberOutbox>);

fn candidate((_, joined, outbox): (SessionId, u64, &Arc<MemberOutbox>)) -> Candidate<Place> {
    outbox.candidate((joined, Arc::clone(outbox)))
}

/// Takes a member out of its room whose place is kept. Returns whether it was.
fn evict(room: &mut Room<Arc<MemberOutbox>>, (joined, outbox): Place) -> bool {
    let is_kept = outbox.release_if_kept();
    if is_kept {
        room.leave(joined, Departure::Lost);
    }
    is_kept
}

/// Takes a lock, poisoned or not. A panic in one connection must not end the others, and no change
/// under these locks can be left half done by one.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
