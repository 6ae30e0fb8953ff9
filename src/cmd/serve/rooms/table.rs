//! The relay, and its table of rooms.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::io;
use std::net::TcpStream;
use std::num::NonZeroUsize;
use std::sync::atomic::AtomicUsize;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rand::Rng as _;

use crate::cmd::lock::lock;
use crate::room::frame::{Challenge, RelayLimits, RunId};
use crate::room::names::RoomId;
use crate::room::notice::Notice;
use crate::room::relay::{RetentionBudget, Room};

use crate::cmd::serve::admission::connections::Network;
use crate::cmd::serve::admission::control::AdmissionControl;
use crate::cmd::serve::admission::memory::Charge;
use crate::cmd::serve::outbox::MemberOutbox;
use crate::cmd::serve::stats::Census;
use crate::cmd::serve::write_queue::WriteQueue;
use crate::cmd::serve::writers;

/// What the relay allows.
#[derive(Clone, Copy, Debug)]
pub(in crate::cmd::serve) struct RelayConfig {
    /// The limits that CHALLENGE tells clients.
    pub(in crate::cmd::serve) limits: RelayLimits,
    /// The most members in all rooms together.
    pub(in crate::cmd::serve) max_members: usize,
    /// The most places of one identity in a room.
    pub(in crate::cmd::serve) per_identity: usize,
    /// The most seconds for which the place of a member is kept whose connection broke; 0 for not at all.
    pub(in crate::cmd::serve) grace: u32,
    /// How many threads write, if not as many as there is something to write for.
    pub(in crate::cmd::serve) writers: Option<NonZeroUsize>,
    /// The most bytes that wait for one member.
    pub(in crate::cmd::serve) queue_bytes: usize,
    /// How long the handshake may take.
    pub(in crate::cmd::serve) handshake: Duration,
}

/// A room, as its members share it.
pub(super) type SharedRoom = Arc<Mutex<Room<Arc<MemberOutbox>>>>;

/// A relay: its rooms, and what they share.
pub(in crate::cmd::serve) struct Relay {
    pub(in crate::cmd::serve) config: RelayConfig,
    pub(in crate::cmd::serve) admission: Arc<AdmissionControl>,
    queue: Arc<WriteQueue<MemberOutbox>>,
    pub(super) run: RunId,
    /// How many bytes of members' frames may be kept alive by what is passed on of them.
    pub(super) pool: Arc<RetentionBudget>,
    pub(super) rooms: Mutex<Rooms>,
    pub(super) members: AtomicUsize,
    /// Held by the thread that checks a member's new card or statement: one at a time.
    pub(super) arithmetic: Mutex<()>,
}

/// The table of rooms.
#[derive(Default)]
pub(super) struct Rooms {
    pub(super) by_id: HashMap<RoomId, SharedRoom>,
    /// The highest position of any room that has vanished. A new room begins above it, so that no
    /// position is used twice in a run.
    pub(super) last_position: u64,
}

impl Relay {
    /// A relay without rooms.
    ///
    /// # Errors
    /// Where the system has no threads for the writers.
    pub(in crate::cmd::serve) fn new(
        config: RelayConfig,
        admission: AdmissionControl,
    ) -> io::Result<Self> {
        let mut run = [0; 16];
        rand::rng().fill_bytes(&mut run);
        let admission = Arc::new(admission);
        Ok(Self {
            config,
            queue: writers::start(config.writers, &admission)?,
            admission,
            run: RunId(run),
            pool: Arc::default(),
            rooms: Mutex::default(),
            members: AtomicUsize::new(0),
            arithmetic: Mutex::new(()),
        })
    }

    /// An outbox for a newcomer on this connection.
    pub(in crate::cmd::serve) fn outbox(
        &self,
        stream: &Arc<TcpStream>,
        network: Network,
    ) -> Arc<MemberOutbox> {
        let (most, stream) = (self.config.queue_bytes, Arc::clone(stream));
        let charge = Charge::new(&self.admission.memory);
        Arc::new(MemberOutbox::new(
            most,
            stream,
            network,
            &self.queue,
            charge,
        ))
    }

    /// A challenge for a handshake: fresh random bytes, and the relay's run.
    pub(in crate::cmd::serve) fn challenge(&self) -> Challenge {
        let mut nonce = [0; 32];
        rand::rng().fill_bytes(&mut nonce);
        Challenge {
            nonce,
            run: self.run,
        }
    }

    /// Refuses newcomers from now on, sends every member the last notice, and hangs up once they
    /// have what waits for them.
    pub(in crate::cmd::serve) fn shut_down(&self) {
        self.admission.close();
        for room in lock(&self.rooms).by_id.values() {
            for outbox in lock(room).mailboxes() {
                outbox.close(Some(Notice::Shutdown));
            }
        }
    }

    /// Drops members where memory is short, until it is not: those first for whom most is kept.
    pub(in crate::cmd::serve) fn save_memory(&self) {
        if self.admission.check_memory().is_ok() {
            return;
        }
        let rooms: Vec<SharedRoom> = lock(&self.rooms).by_id.values().map(Arc::clone).collect();
        let mut outboxes: Vec<Arc<MemberOutbox>> = Vec::new();
        for room in rooms {
            outboxes.extend(lock(&room).mailboxes().map(Arc::clone));
        }
        outboxes.sort_by_cached_key(|outbox| Reverse(outbox.kept()));
        for outbox in outboxes {
            if !self.admission.memory.is_short() {
                break;
            }
            outbox.give_up();
        }
    }

    pub(in crate::cmd::serve) fn census(&self) -> Census {
        let rooms = lock(&self.rooms);
        Census {
            members: rooms.by_id.values().map(|room| lock(room).len()).sum(),
            rooms: rooms.by_id.len(),
            connections: self.admission.connections(),
        }
    }

    /// Whether no member is left.
    pub(in crate::cmd::serve) fn is_deserted(&self) -> bool {
        lock(&self.rooms).by_id.is_empty()
    }
}
