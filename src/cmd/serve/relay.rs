//! The relay's rooms, shared by all its connections.
//!
//! Three locks, taken in this order: the table of rooms, a room, a member's queue. None is held
//! across I/O or cryptography: under them, frames are put into queues, and little else. Joining and
//! leaving take the table's, so that a room cannot vanish while somebody enters it; a message takes
//! only the room's.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rand::Rng as _;

use crate::cipher::encoding::Malformed;
use crate::room::card::{Card, SessionId};
use crate::room::frame::{Challenge, Departure, Limits, RunId, State};
use crate::room::names::RoomId;
use crate::room::notice::Notice;
use crate::room::relay::{Assembly, Message, Room, check_statement};

use super::outbox::Outbox;

/// What the relay allows.
#[derive(Clone, Copy, Debug)]
pub(super) struct Config {
    /// What clients are told of it.
    pub(super) limits: Limits,
    /// The most connections at once.
    pub(super) max_connections: usize,
    /// The most bytes that wait for one member.
    pub(super) queue_bytes: usize,
    /// How long the handshake may take.
    pub(super) handshake: Duration,
}

type SharedRoom = Arc<Mutex<Room<Arc<Outbox>>>>;

/// All rooms of a relay.
pub(super) struct Relay {
    pub(super) config: Config,
    run: RunId,
    rooms: Mutex<Rooms>,
    connections: AtomicUsize,
}

#[derive(Default)]
struct Rooms {
    by_id: HashMap<RoomId, SharedRoom>,
    /// The highest epoch that a room had when it vanished: no epoch is used twice in a run.
    last_epoch: u64,
}

impl Relay {
    /// A relay without rooms.
    pub(super) fn new(config: Config) -> Self {
        let mut run = [0; 16];
        rand::rng().fill_bytes(&mut run);
        Self {
            config,
            run: RunId(run),
            rooms: Mutex::default(),
            connections: AtomicUsize::new(0),
        }
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

    /// Counts a connection in, for as long as the returned value lives.
    pub(super) fn count_connection(self: &Arc<Self>) -> Counted {
        let number = self.connections.fetch_add(1, Ordering::Relaxed) + 1;
        Counted {
            relay: Arc::clone(self),
            number,
        }
    }

    /// Lets a member into a room, which is made if it is not there. It stays for as long as the
    /// returned value lives.
    ///
    /// # Errors
    /// With what to tell it before hanging up.
    pub(super) fn join(
        &self,
        id: RoomId,
        card: &Card,
        outbox: &Arc<Outbox>,
    ) -> Result<Membership<'_>, Notice> {
        let mut rooms = lock(&self.rooms);
        let room = if let Some(room) = rooms.by_id.get(&id) {
            lock(room).join(card, outbox)?;
            Arc::clone(room)
        } else {
            let mut room = Room::new(rooms.last_epoch, &self.config.limits);
            room.join(card, outbox)?;
            let room = Arc::new(Mutex::new(room));
            rooms.by_id.insert(id, Arc::clone(&room));
            room
        };
        Ok(Membership {
            relay: self,
            id,
            room,
            card: card.clone(),
            outbox: Arc::clone(outbox),
            departure: Departure::Lost,
        })
    }

    /// Tells every member that the relay is ending, and hangs up once they have what is waiting
    /// for them.
    pub(super) fn shut_down(&self) {
        for room in lock(&self.rooms).by_id.values() {
            for outbox in lock(room).mailboxes() {
                outbox.close(Some(Notice::Shutdown));
            }
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

/// A connection that is counted.
pub(super) struct Counted {
    relay: Arc<Relay>,
    number: usize,
}

impl Counted {
    /// How many connections there were with this one.
    pub(super) fn number(&self) -> usize {
        self.number
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.relay.connections.fetch_sub(1, Ordering::Relaxed);
    }
}

/// A member's place in a room, which it leaves, however its thread ends.
pub(super) struct Membership<'a> {
    relay: &'a Relay,
    id: RoomId,
    room: SharedRoom,
    card: Card,
    outbox: Arc<Outbox>,
    departure: Departure,
}

impl Membership<'_> {
    /// The member's queue.
    pub(super) fn outbox(&self) -> &Arc<Outbox> {
        &self.outbox
    }

    /// What holds the member's messages back until they are complete.
    pub(super) fn assembly(&self) -> Assembly {
        Assembly::new(self.card.sid(), self.id, &self.relay.config.limits)
    }

    /// Passes a message of the member's to its readers.
    pub(super) fn forward(&self, message: &Message) {
        lock(&self.room).forward(message);
    }

    /// Passes a statement of the member's, which is the frame `bytes`, to those it is for.
    ///
    /// # Errors
    /// Where it may not make it.
    pub(super) fn state(&self, bytes: &Arc<[u8]>, state: &State<'_>) -> Result<(), Malformed> {
        check_statement(state, self.card.sid(), self.id, &self.relay.config.limits)?;
        lock(&self.room).forward_statement(self.card.sid(), bytes, state);
        Ok(())
    }

    /// Gives the member the session key of this card.
    ///
    /// # Errors
    /// Where it does not follow the member's present card.
    pub(super) fn rekey(&mut self, card: &[u8]) -> Result<SessionId, Notice> {
        let card = Card::parse(card, self.id)?;
        if !card.succeeds(&self.card) {
            return Err(Notice::CardMalformed);
        }
        lock(&self.room).rekey(self.card.sid(), &card)?;
        self.card = card;
        Ok(self.card.sid())
    }

    /// Leaves the room for this reason.
    pub(super) fn end(mut self, departure: Departure) {
        self.departure = departure;
    }
}

impl Drop for Membership<'_> {
    /// A room vanishes with its last member.
    fn drop(&mut self) {
        let mut rooms = lock(&self.relay.rooms);
        let mut room = lock(&self.room);
        room.leave(self.card.sid(), self.departure);
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
