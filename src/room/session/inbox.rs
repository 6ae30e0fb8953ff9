//! What has come from the relay and is not dealt with, in its order. What takes long, to verify and to open,
//! is done elsewhere meanwhile, for the oldest messages.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use super::jobs::{Done, Found, Job, Place, Work};
use super::sending::CameBack;

/// How many of the oldest arrivals are looked at for jobs: so many jobs are handed out at most.
const AHEAD: usize = 64;

/// About how many bytes of memory a frame takes beside its own.
const OVERHEAD: usize = 256;

/// About how many bytes of memory a frame takes that waits.
#[must_use]
pub fn weight(frame: &[u8]) -> usize {
    frame.len() + OVERHEAD
}

/// Something that has come.
pub(super) enum Arrival {
    /// A frame.
    Frame(Arc<[u8]>, Progress),
    /// This member's own entry stands here.
    Own(CameBack),
    /// The relay's first ACK over a connection that goes on: all that waited has come before it.
    CaughtUp,
    /// What no relay sends.
    Malformed,
}

impl Arrival {
    fn weight(&self) -> usize {
        match self {
            Self::Frame(frame, _) => weight(frame),
            _ => weight(&[]),
        }
    }
}

/// How far what can be done beside is, for a frame.
pub(super) enum Progress {
    /// Nobody has looked yet whether anything can.
    Waiting,
    /// Nothing is done before it is dealt with.
    None,
    /// The job with this number is handed out, for a message at this place.
    UnderWay(u64, Place),
    Found(Found, Place),
}

/// Something that waits.
struct Waiting {
    arrival: Arrival,
    /// For how many entries of the chain it stands.
    entries: u64,
    /// When it came, in this member's uptime.
    came: Duration,
}

/// What waits, oldest first.
#[derive(Default)]
pub(super) struct Inbox {
    arrivals: VecDeque<Waiting>,
    /// When the latest was taken that waits no more.
    taken: Duration,
    weight: usize,
    /// How many entries of the chain are among them.
    entries: u64,
    /// How many jobs were handed out.
    jobs: u64,
}

impl Inbox {
    /// Something has come that stands for so many entries of the chain.
    pub(super) fn push(&mut self, arrival: Arrival, entries: u64, now: Duration) {
        self.weight += arrival.weight();
        self.entries += entries;
        self.arrivals.push_back(Waiting {
            arrival,
            entries,
            came: now,
        });
    }

    /// Takes the oldest, unless a job for it is under way. Returns also since when it was its turn: how long
    /// it took to open is not to show in what this member does then, and when.
    pub(super) fn pop(&mut self, now: Duration) -> Option<(Arrival, Duration)> {
        let is_ready = |waiting: &mut Waiting| {
            !matches!(waiting.arrival, Arrival::Frame(_, Progress::UnderWay(..)))
        };
        let waiting = self.arrivals.pop_front_if(is_ready)?;
        self.weight -= waiting.arrival.weight();
        self.entries -= waiting.entries;
        let since = std::mem::replace(&mut self.taken, now);
        Some((waiting.arrival, since.max(waiting.came)))
    }

    /// Nothing of it counts any more.
    pub(super) fn clear(&mut self) {
        *self = Self {
            jobs: self.jobs,
            ..Self::default()
        };
    }

    /// About how many bytes of memory it takes.
    pub(super) fn weight(&self) -> usize {
        self.weight
    }

    /// How many entries of the chain wait.
    pub(super) fn entries(&self) -> u64 {
        self.entries
    }

    /// Hands out what `work` there is for the oldest frames: of two for one place the first alone has any.
    pub(super) fn hand_out(
        &mut self,
        mut work: impl FnMut(&Arc<[u8]>) -> Option<(Place, Work)>,
    ) -> Vec<Job> {
        let mut places: Vec<Place> = Vec::new();
        let mut jobs = Vec::new();
        for waiting in self.arrivals.iter_mut().take(AHEAD) {
            let Arrival::Frame(frame, progress) = &mut waiting.arrival else {
                continue;
            };
            if matches!(progress, Progress::Waiting) {
                *progress = Progress::None;
                if let Some((place, work)) = work(frame)
                    && !places.contains(&place)
                {
                    self.jobs += 1;
                    jobs.push(Job::new(self.jobs, work));
                    *progress = Progress::UnderWay(self.jobs, place);
                }
            }
            if let Progress::UnderWay(_, place) | Progress::Found(_, place) = progress {
                places.push(*place);
            }
        }
        jobs
    }

    /// A job is done.
    pub(super) fn put(&mut self, done: Done) {
        let Done { number, found } = done;
        for waiting in self.arrivals.iter_mut().take(AHEAD) {
            if let Arrival::Frame(_, progress) = &mut waiting.arrival
                && let Progress::UnderWay(under_way, place) = *progress
                && under_way == number
            {
                *progress = Progress::Found(found, place);
                return;
            }
        }
    }
}
