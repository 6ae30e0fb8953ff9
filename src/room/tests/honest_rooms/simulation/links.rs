//! Links: connections between members and the relay. They take their time, break, and are made
//! again.

use std::collections::VecDeque;
use std::time::Duration;

use rand::RngExt as _;

use crate::room::frame::Frame;

use super::{LIMITS, Simulation, payload};

/// How long a frame is under way at most, each way.
const MAX_DELAY: Duration = Duration::from_millis(1500);

/// After how long the relay takes a connection for dead on which nothing comes.
pub const IDLE: Duration = Duration::from_secs(90);

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
}

pub enum ToMember {
    Frame(Vec<u8>),
    /// The connection is broken.
    Down,
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
    /// How much longer everything takes that comes to the member.
    pub slowness: Duration,
}

impl SimulatedLink {
    /// When it has something to do at its member's end.
    pub fn next_due(&self) -> impl Iterator<Item = Duration> {
        let due = [
            self.down.first(),
            self.reconnects,
            self.breaks,
            self.answers,
        ];
        due.into_iter().flatten()
    }

    /// Whether something can come over it.
    pub fn is_up(&self) -> bool {
        !self.is_broken && self.reconnects.is_none()
    }

    pub fn calm_down(&mut self) {
        self.breaks = None;
        self.slowness = Duration::ZERO;
    }
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

    /// Has a member connect. The connection may break again before the member is in the room.
    pub fn connect(&mut self, number: usize) {
        let at = self.now + self.delay();
        let breaks = self.may_break(number)
            && self.troubles.breaks != Some(Duration::ZERO)
            && self.rng.random_ratio(1, 4);
        let lasts = Duration::from_millis(self.rng.random_range(0..4_000));
        let challenge = payload(&Frame::challenge(&self.challenge, &LIMITS));
        let link = &mut self.members[number].link;
        link.is_broken = false;
        link.breaks = breaks.then_some(self.now + lasts);
        link.down
            .push(at, (link.connection, ToMember::Frame(challenge)));
    }

    /// Whether a member's connection may break. What is said to somebody who has joined, and does not
    /// get to know it, is for nobody.
    fn may_break(&self, number: usize) -> bool {
        let has_entered = self.members[number].has_entered;
        self.troubles.breaks.is_some() && (has_entered || !self.troubles.are_lossless())
    }

    /// Breaks a member's connection, with some of what is under way on it. Each side notices in its
    /// own time; the relay sometimes only when the next connection comes.
    pub fn break_connection(&mut self, number: usize) {
        let is_open = self.members[number].is_here && self.members[number].link.is_up();
        if !is_open || !self.may_break(number) {
            return;
        }
        self.counts.breaks += 1;
        let most = self.troubles.breaks.unwrap_or_default();
        self.members[number].link.pause = self.rng.random_range(Duration::ZERO..=most);
        let at = self.now + self.delay();
        self.cut(number);
        let link = &mut self.members[number].link;
        link.down.push(at, (link.connection, ToMember::Down));
    }

    /// Cuts a member's connection. The relay may notice when nothing comes any more.
    pub fn cut(&mut self, number: usize) {
        let (at, notices) = (self.now + self.delay(), self.rng.random_ratio(3, 4));
        let member = &mut self.members[number];
        let link = &mut member.link;
        (link.is_broken, link.breaks, link.answers) = (true, None, None);
        let kept = self.rng.random_range(0..=link.up.0.len());
        link.up.0.truncate(kept);
        if notices {
            link.up.push(at, (link.connection, ToServer::Hangup));
        } else {
            member.relay_side.unnoticed = Some((link.connection, self.now + IDLE));
        }
        let kept = self.rng.random_range(0..=link.down.0.len());
        link.down.0.truncate(kept);
    }

    /// Has a member notice that its connection is broken.
    pub fn notice_break(&mut self, number: usize) {
        let now = self.clocks(number);
        let member = &mut self.members[number];
        member.session.disconnect(now);
        let link = &mut member.link;
        link.connection += 1;
        (link.answers, link.breaks) = (None, None);
        if member.session.has_said_goodbye() {
            member.is_here = false;
            // The relay notices when it hears nothing any more.
            let up = (link.connection - 1, ToServer::Hangup);
            link.up.push(self.now, up);
        } else {
            link.reconnects = Some(self.now + std::mem::take(&mut link.pause));
        }
    }

    /// Has a member make another connection at once.
    pub fn hang_up(&mut self, number: usize) {
        let at = self.now + self.delay();
        let link = &mut self.members[number].link;
        link.up.push(at, (link.connection, ToServer::Hangup));
        link.pause = Duration::from_secs(1);
        self.notice_break(number);
    }

    /// Breaks a member's connection, makes another one, and answers the relay, each where it is
    /// due.
    pub fn keep_connection(&mut self, number: usize) {
        let now = self.now;
        if !self.members[number].is_awake() || !self.members[number].is_here {
            return;
        }
        let link = &mut self.members[number].link;
        if link.breaks.take_if(|at| *at <= now).is_some() {
            self.break_connection(number);
        }
        let link = &mut self.members[number].link;
        if link.reconnects.take_if(|at| *at <= now).is_some() {
            self.connect(number);
        }
        let link = &mut self.members[number].link;
        if link.answers.take_if(|at| *at <= now).is_some() {
            let ack = Frame::ack(self.members[number].session.received());
            self.send(number, vec![ack]);
        }
    }

    /// Puts what a member sends on its way.
    pub fn send(&mut self, number: usize, frames: Vec<Frame>) {
        let at = self.now + self.delay();
        let link = &mut self.members[number].link;
        for frame in frames {
            if link.is_up() {
                let up = (link.connection, ToServer::Frame(payload(&frame)));
                link.up.push(at, up);
            }
        }
    }
}
