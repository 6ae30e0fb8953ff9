//! A room in one process, in simulated time: what a run consists of, and how its time passes. A
//! seed says who comes, talks, changes its key and goes. Between [`members`] and [`relay`] there
//! are [`links`], on which everything takes its time. What each frame is to tell whoever gets it is
//! worked out from what was done ([`expected`]), and a [`Ledger`] says what became of every message.

mod expected;
mod links;
mod members;
mod relay;

use std::collections::{BTreeSet, HashMap, HashSet};
use std::time::Duration;

use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};

use crate::room::card::SessionId;
use crate::room::frame::{Challenge, Frame, RelayLimits, RunId};
use crate::room::names::RoomName;
use crate::room::relay::Room;
use crate::room::session::Now;

use super::ledger::Ledger;

use expected::REMAINS;
use members::{SessionKeys, SimulatedMember};
use relay::{GRACE, Inbox};

/// The least by which the simulated time goes on at once.
const STEP: Duration = Duration::from_millis(10);

/// How often it is looked at who takes whom for present.
const SAMPLE: Duration = Duration::from_secs(15);

const LIMITS: RelayLimits = RelayLimits {
    idle: 90,
    members: 64,
    blocks: 0,
    bytes: 0,
};

fn lobby() -> RoomName {
    "lobby".parse().expect("a name")
}

/// A frame without its length: type and fields.
fn payload(frame: &Frame) -> Vec<u8> {
    frame.encode().split_off(4)
}

/// What goes wrong in a room, though everybody is honest.
#[derive(Clone, Copy, Debug, Default)]
pub struct Troubles {
    /// How long at most a member whose connection broke takes to make another one, if they break.
    pub breaks: Option<Duration>,
    /// Whether the relay is restarted, and has forgotten everything.
    pub restarts: bool,
    /// Whether members, and newcomers, want the same nicks.
    pub collisions: bool,
    /// How long the relay keeps a place.
    pub grace: Duration,
    /// How much longer than others a slow reader takes at most.
    pub slowness: Duration,
    /// Whether that is because it cannot keep up: it acknowledges what has come, and the relay does not
    /// take it out.
    pub is_busy: bool,
    /// How long at most a program stands still.
    pub stops: Option<Duration>,
    /// Whether members vanish for good when something goes wrong, and not only now and then.
    pub kills: bool,
}

impl Troubles {
    /// Whether nothing gets lost, or comes late: the relay keeps every member's place until it is back,
    /// which is soon.
    pub fn are_lossless(&self) -> bool {
        let may_be_behind = self.slowness >= REMAINS;
        !self.restarts
            && !may_be_behind
            && self.stops.is_none()
            && self.grace <= GRACE
            && self.breaks.is_none_or(|most| most < GRACE / 2)
    }
}

pub struct Simulation {
    pub rng: StdRng,
    now: Duration,
    sampled: Duration,
    room: Room<Inbox>,
    challenge: Challenge,
    troubles: Troubles,
    pub ledger: Ledger,
    /// To whom which message was handed on.
    handed: HashSet<(usize, usize)>,
    members: Vec<SimulatedMember>,
    owners: Owners,
    keys: SessionKeys,
    /// What members were told that they should not have been.
    pub surprises: Vec<String>,
    pub counts: Counts,
}

/// Whose a session id is, of all there ever were, and how many its owner had had before.
#[derive(Default)]
struct Owners(HashMap<SessionId, (usize, u32)>);

impl Owners {
    fn insert(&mut self, sid: SessionId, owner: usize, generation: u32) {
        self.0.insert(sid, (owner, generation));
    }

    fn of(&self, sid: SessionId) -> usize {
        self.0[&sid].0
    }

    fn generation(&self, sid: SessionId) -> u32 {
        self.0[&sid].1
    }

    /// How many a member has had before the one that it has shown last.
    fn latest(&self, owner: usize) -> u32 {
        let own = self.0.values().filter(|(of, _)| *of == owner);
        own.map(|(_, generation)| *generation).max().unwrap_or(0)
    }
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
    pub shares: usize,
    pub handed: usize,
    pub told: usize,
    pub left_out: usize,
    pub breaks: usize,
    pub resumed: usize,
    pub returned: usize,
    pub restarts: usize,
    pub stops: usize,
    pub slow: usize,
    pub refused: usize,
    pub late: usize,
    pub too_late: usize,
    pub unconfirmed: usize,
    pub given_up: usize,
    pub missing: usize,
    pub quiet: usize,
    pub frames: usize,
}

impl Simulation {
    pub fn new(seed: u64, troubles: Troubles) -> Self {
        let mut rng = StdRng::seed_from_u64(seed);
        let keys = SessionKeys::new(&mut rng);
        let run = RunId([2; 16]);
        Self {
            rng,
            now: Duration::ZERO,
            sampled: Duration::ZERO,
            room: relay::empty_room(run, 0),
            challenge: Challenge {
                nonce: [1; 32],
                run,
            },
            troubles,
            ledger: Ledger::default(),
            handed: HashSet::new(),
            members: Vec::new(),
            owners: Owners::default(),
            keys,
            surprises: Vec::new(),
            counts: Counts::default(),
        }
    }

    /// The time, by a member's clocks.
    fn clocks(&self, number: usize) -> Now {
        Now {
            time: self.members[number].skew + u64::try_from(self.now.as_millis()).unwrap(),
            uptime: self.now,
        }
    }

    fn numbers(&self, is_it: impl Fn(&SimulatedMember) -> bool) -> Vec<usize> {
        let numbered = self.members.iter().enumerate();
        numbered
            .filter(|(_, member)| is_it(member))
            .map(|(number, _)| number)
            .collect()
    }

    /// The members who are in the room and are not about to leave.
    pub fn inside(&self) -> BTreeSet<usize> {
        let inside = self.numbers(|member| member.is_staying() && member.is_connected());
        inside.into_iter().collect()
    }

    /// How many members there ever were.
    pub fn joined(&self) -> usize {
        self.members.len()
    }

    /// How many members are there, or about to be.
    pub fn present(&self) -> usize {
        self.numbers(SimulatedMember::is_staying).len()
    }

    /// One of the members who are in the room, or were when their connection broke.
    pub fn anybody(&mut self) -> Option<usize> {
        let some =
            self.numbers(|member| member.is_staying() && member.has_entered && member.is_awake());
        (!some.is_empty()).then(|| some[self.rng.random_range(0..some.len())])
    }

    /// Lets time pass.
    pub fn pass(&mut self, duration: Duration) {
        let end = self.now + duration;
        while let Some(next) = self.next_due().filter(|next| *next <= end) {
            self.now = next.max(self.now + STEP);
            self.relay_works();
            for number in 0..self.members.len() {
                self.keep_connection(number);
                self.take_frames(number);
                self.tick(number);
                self.take_key(number);
            }
            if self.sampled + SAMPLE <= self.now {
                self.sampled = self.now;
                self.check_presence();
            }
        }
        self.now = self.now.max(end);
    }

    /// When something happens next.
    fn next_due(&self) -> Option<Duration> {
        let members = self.members.iter();
        let due = members.flat_map(|member| [member.next_due(), member.relay_side.next_due()]);
        due.flatten().chain([self.sampled + SAMPLE]).min()
    }

    /// Has no more go wrong from now on.
    pub fn calm_down(&mut self) {
        for member in &mut self.members {
            member.link.calm_down();
        }
        if let Some(breaks) = &mut self.troubles.breaks {
            *breaks = Duration::ZERO;
        }
    }

    /// What is wrong once nothing is under way any more.
    pub fn unsettled(&self) -> Vec<String> {
        let mut wrong = Vec::new();
        let inside = self.inside();
        let staying = self.numbers(SimulatedMember::is_staying);
        for number in staying.iter().filter(|number| !inside.contains(number)) {
            wrong.push(format!("{number} is not inside"));
        }
        for number in &inside {
            let session = &self.members[*number].session;
            for text in session.untaken() {
                wrong.push(format!("{number} does not know that {text} was taken"));
            }
            let others = session.others();
            for person in others.iter().filter(|person| !person.is_present) {
                wrong.push(format!(
                    "{number} does not see that {} is there",
                    person.nick
                ));
            }
            let sees: BTreeSet<usize> = others.iter().map(|p| self.owners.of(p.sid)).collect();
            let there: BTreeSet<usize> = inside.iter().copied().filter(|n| n != number).collect();
            if sees != there {
                wrong.push(format!("{number} sees {sees:?} and not {there:?}"));
            }
        }
        wrong.extend(self.unaccounted(&inside));
        wrong
    }
}
