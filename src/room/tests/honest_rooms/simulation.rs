//! A room in one process, in simulated time: what a run consists of, and how its time passes. A
//! seed says who comes, talks, changes its key and goes. Between [`members`] and [`relay`] there
//! are [`links`], on which everything takes its time. What each member is to be told, event by
//! event, is worked out beside it, from what was done ([`expected`]).
//!
//! Connections may break, and be made again. For as long as the relay keeps the places of those
//! whose connection is broken, nobody must notice. Where it does not, or forgets everything, a
//! [`Ledger`] says what became of every message.

mod expected;
mod links;
mod members;
mod relay;

use std::collections::HashMap;
use std::time::Duration;

use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};

use crate::room::card::{Card, SessionId};
use crate::room::frame::{Challenge, Frame, RelayLimits, RunId};
use crate::room::names::RoomName;
use crate::room::relay::Room;
use crate::room::session::Now;

use super::ledger::Ledger;

use links::ToMember;
use members::{SessionKeys, SimulatedMember};
use relay::Inbox;

pub use links::Faults;
pub use relay::{Frames, Tamper};

/// How far the simulated time goes on at once.
const STEP: Duration = Duration::from_millis(50);

fn lobby() -> RoomName {
    "lobby".parse().expect("a name")
}

/// A frame without its length: type and fields.
pub fn payload(frame: &Frame) -> Vec<u8> {
    frame.encode().split_off(4)
}

pub struct Simulation {
    pub rng: StdRng,
    pub now: Duration,
    room: Room<Inbox>,
    challenge: Challenge,
    faults: Option<Faults>,
    pub ledger: Ledger,
    limits: RelayLimits,
    pub members: Vec<SimulatedMember>,
    owners: HashMap<SessionId, usize>,
    pub cards: Vec<Card>,
    pub tamper: Option<Tamper>,
    texts: usize,
    keys: SessionKeys,
    pub counts: Counts,
    /// Whether a new session key may come with a new nick.
    pub renames: bool,
}

/// How often each thing happened in a run.
#[derive(Debug, Default)]
pub struct Counts {
    pub joins: usize,
    pub leaves: usize,
    pub losses: usize,
    pub rekeys: usize,
    pub messages: usize,
    pub directs: usize,
    pub told: usize,
    pub left_out: usize,
    pub breaks: usize,
    pub resumed: usize,
    pub restarts: usize,
    pub ticks: usize,
}

impl Simulation {
    pub fn new(seed: u64) -> Self {
        let limits = RelayLimits {
            idle: 90,
            grace: 0,
            members: 64,
            blocks: 0,
            bytes: 0,
        };
        let mut rng = StdRng::seed_from_u64(seed);
        let keys = SessionKeys::new(&mut rng);
        Self {
            rng,
            now: Duration::ZERO,
            room: Room::new(0, &limits),
            challenge: Challenge {
                nonce: [1; 32],
                run: RunId([2; 16]),
            },
            faults: None,
            ledger: Ledger::default(),
            limits,
            members: Vec::new(),
            owners: HashMap::new(),
            cards: Vec::new(),
            tamper: None,
            texts: 0,
            keys,
            counts: Counts::default(),
            renames: true,
        }
    }

    /// A simulation with connections that break.
    pub fn with_faults(seed: u64, faults: Faults) -> Self {
        Self {
            faults: Some(faults),
            ..Self::new(seed)
        }
    }

    fn is_lossless(&self) -> bool {
        self.faults.is_none_or(|faults| faults.is_lossless)
    }

    /// The room's epoch.
    pub fn epoch(&self) -> u64 {
        self.room.epoch()
    }

    fn clocks(&self) -> Now {
        Now {
            time: 1_000 + u64::try_from(self.now.as_millis()).unwrap(),
            uptime: self.now,
        }
    }

    /// The members who are in the room and are not about to leave.
    pub fn inside(&self) -> Vec<usize> {
        let is_inside = |member: &SimulatedMember| {
            member.is_here && !member.is_leaving && member.session.is_inside()
        };
        let numbered = self.members.iter().enumerate();
        numbered
            .filter(|(_, member)| is_inside(member))
            .map(|(number, _)| number)
            .collect()
    }

    /// How many members are there, or about to be.
    pub fn present(&self) -> usize {
        let is_here = |member: &&SimulatedMember| member.is_here && !member.is_leaving;
        self.members.iter().filter(is_here).count()
    }

    /// One of the members who are in the room, or were when their connection broke.
    pub fn anybody(&mut self) -> Option<usize> {
        let may_speak = |member: &SimulatedMember| {
            member.is_here && !member.is_leaving && member.entered_at.is_some()
        };
        let inside: Vec<usize> = match self.faults {
            None => self.inside(),
            Some(_) => (0..self.members.len())
                .filter(|number| may_speak(&self.members[*number]))
                .collect(),
        };
        (!inside.is_empty()).then(|| inside[self.rng.random_range(0..inside.len())])
    }

    /// Lets time pass.
    pub fn pass(&mut self, duration: Duration) {
        let end = self.now + duration;
        while self.now < end {
            self.now += STEP;
            self.relay_takes();
            self.relay_acknowledges();
            for number in 0..self.members.len() {
                self.keep_connection(number);
                self.relay_watches(number);
                while let Some((connection, down)) = self.members[number].link.down.due(self.now) {
                    match down {
                        _ if connection != self.members[number].link.connection => {}
                        ToMember::Frame(frame) => self.receive(number, &frame),
                        ToMember::Down => self.notice_break(number),
                    }
                }
                self.tick(number);
                if self.members[number].is_here {
                    self.take_key(number);
                }
            }
        }
    }
}
