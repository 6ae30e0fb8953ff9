//! Links: connections between members and the relay. They take their time, break, and are made
//! again.

use std::collections::VecDeque;
use std::time::Duration;

use rand::RngExt as _;

use crate::room::frame::Frame;

use super::{Simulation, payload};

/// How long a frame is under way at most, each way.
const MAX_DELAY: Duration = Duration::from_millis(1500);

/// After how long the relay takes a connection for dead whose break it did not notice.
const IDLE: Duration = Duration::from_secs(90);

/// Frames that are under way. They arrive in order.
pub struct DelayQueue<T>(VecDeque<(Duration, T)>);

impl<T> Default for DelayQueue<T> {
    fn default() -> Self {
        Self(VecDeque::new())
    }
}

impl<T> DelayQueue<T> {
    pub fn push(&mut self, at: Duration, frame: T) {
        let at = self.0.back().map_or(at, |(last, _)| at.max(*last));
        self.0.push_back((at, frame));
    }

    /// When the first frame arrives.
    pub fn first(&self) -> Option<Duration> {
        self.0.front().map(|(at, _)| *at)
    }

    /// The first frame, if it has arrived.
    pub fn due(&mut self, now: Duration) -> Option<T> {
        self.0.pop_front_if(|(at, _)| *at <= now).map(|(_, f)| f)
    }
}

pub enum ToServer {
    Frame(Vec<u8>),
    /// The connection is broken.
    Hangup,
    /// The connection is broken, and the relay does not keep the member's place.
    Gone,
}

pub enum ToMember {
    Frame(Vec<u8>),
    /// The connection is broken.
    Down,
}

/// What goes wrong with connections.
#[derive(Clone, Copy, Debug)]
pub struct Faults {
    /// How long at most a member whose connection broke takes to make another one.
    pub pause: Duration,
    /// Whether the relay keeps every member's place until then, and never restarts.
    pub is_lossless: bool,
}

/// A member's connections, one after another.
#[derive(Default)]
pub struct SimulatedLink {
    /// What is under way, each frame with the number of its connection.
    pub up: DelayQueue<(u64, ToServer)>,
    pub down: DelayQueue<(u64, ToMember)>,
    /// The number of the member's present connection.
    pub connection: u64,
    /// Whether that is broken, which neither side need know yet.
    pub is_broken: bool,
    /// When the member makes another connection, and how long after it has noticed that this one is
    /// broken.
    reconnects: Option<Duration>,
    pause: Duration,
    /// When the connection breaks by itself.
    breaks: Option<Duration>,
    /// When the member answers the relay's PING.
    pub answers: Option<Duration>,
}

impl Simulation {
    pub fn delay(&mut self) -> Duration {
        // Most frames are fast, and some are not.
        let most = if self.rng.random_ratio(1, 4) {
            MAX_DELAY
        } else {
            MAX_DELAY / 10
        };
        self.rng.random_range(Duration::ZERO..=most)
    }

    fn delay_if(&mut self, is_needed: bool) -> Duration {
        if is_needed {
            self.delay()
        } else {
            Duration::ZERO
        }
    }

    /// Has a member connect. The connection may break again before the member is in the room.
    pub fn connect(&mut self, number: usize) {
        let at = self.now + self.delay();
        // A message to somebody who has joined and never got to know it is for nobody.
        let may_break = !self.is_lossless() || self.members[number].entered_at.is_some();
        let breaks = self.faults.is_some() && may_break && self.rng.random_ratio(1, 4);
        let lasts = Duration::from_millis(if breaks {
            self.rng.random_range(0..4_000)
        } else {
            0
        });
        let challenge = payload(&Frame::challenge(&self.challenge, &self.limits));
        let member = &mut self.members[number];
        member.link.is_broken = false;
        member.link.breaks = breaks.then_some(self.now + lasts);
        let down = (member.link.connection, ToMember::Frame(challenge));
        member.link.down.push(at, down);
    }

    /// Breaks a member's connection, with some of what is under way on it. Each side notices in its
    /// own time; the relay sometimes only when the next connection comes.
    pub fn break_connection(&mut self, number: usize) {
        let Some(faults) = self.faults else { return };
        let (at, notices) = (self.now + self.delay(), self.rng.random_ratio(3, 4));
        let pause = self.rng.random_range(Duration::ZERO..=faults.pause);
        let member = &mut self.members[number];
        let may_break = !faults.is_lossless || member.entered_at.is_some();
        if !member.is_here
            || member.link.is_broken
            || member.link.reconnects.is_some()
            || !may_break
        {
            return;
        }
        self.counts.breaks += 1;
        let link = &mut member.link;
        link.is_broken = true;
        link.breaks = None;
        link.answers = None;
        link.pause = pause;
        let kept = self.rng.random_range(0..=link.up.0.len());
        link.up.0.truncate(kept);
        if notices {
            link.up.push(at, (link.connection, ToServer::Hangup));
        } else {
            member.relay_side.unnoticed = Some((link.connection, self.now + IDLE));
        }
        let kept = self.rng.random_range(0..=link.down.0.len());
        link.down.0.truncate(kept);
        link.down.push(at, (link.connection, ToMember::Down));
    }

    /// Has no connection break any more.
    pub fn calm_down(&mut self) {
        for member in &mut self.members {
            member.link.breaks = None;
        }
        if let Some(faults) = &mut self.faults {
            faults.pause = Duration::ZERO;
        }
    }

    /// Has a member notice that its connection is broken.
    pub fn notice_break(&mut self, number: usize) {
        let member = &mut self.members[number];
        member.session.disconnect();
        member.link.connection += 1;
        member.link.answers = None;
        if member.session.has_said_goodbye() {
            member.is_here = false;
            // The relay notices when it hears nothing any more.
            let up = (member.link.connection - 1, ToServer::Hangup);
            member.link.up.push(self.now, up);
        } else {
            member.link.reconnects = Some(self.now + member.link.pause);
        }
    }

    /// Has a member vanish without a goodbye: its connection breaks, with some of what is under way
    /// on it.
    pub fn lose(&mut self, number: usize) {
        let at = self.now + self.delay();
        let member = &mut self.members[number];
        member.is_here = false;
        let link = &mut member.link;
        let kept = self.rng.random_range(0..=link.up.0.len());
        link.up.0.truncate(kept);
        link.up.push(at, (link.connection, ToServer::Gone));
        self.counts.losses += 1;
    }

    /// Breaks a member's connection, makes another one, and answers the relay, each where it is
    /// due.
    pub fn keep_connection(&mut self, number: usize) {
        let now = self.now;
        let member = &mut self.members[number];
        if member.link.breaks.is_some_and(|at| at <= now) {
            self.break_connection(number);
        }
        let member = &mut self.members[number];
        if member.is_here && member.link.reconnects.take_if(|at| *at <= now).is_some() {
            self.connect(number);
        }
        let at = self.now + self.delay_if(self.members[number].link.answers.is_some());
        let member = &mut self.members[number];
        if member.link.answers.take_if(|at| *at <= now).is_some() && !member.link.is_broken {
            let ack = payload(&Frame::ack(member.session.received()));
            member
                .link
                .up
                .push(at, (member.link.connection, ToServer::Frame(ack)));
        }
    }
}
