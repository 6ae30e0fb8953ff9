//! The client's way to the relay: one [`Link`] after another, each dialled when the one before has
//! broken, with growing pauses, and at random, so that not all members of a room come at once.

use std::net::TcpStream;
use std::sync::Arc;
use std::sync::mpsc::Sender;
use std::thread;
use std::time::{Duration, Instant};

use rand::RngExt as _;

use crate::room::frame::Frame;
use crate::room::names::RoomId;

use super::link::{self, Link, PATIENCE};
use super::route::{Way, unreachable};
use crate::cmd::join::happening::Happening;

/// The pause before the first attempt is at most this, and before each further one at most twice
/// as long as the one before, up to the longest.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// When the relay does not acknowledge what it was sent for so long, and nothing else comes from
/// it, the connection is taken for dead.
const STALL: Duration = Duration::from_secs(15);

/// Where the relay is.
#[derive(Clone)]
pub(in crate::cmd::join) struct Dial {
    /// What people call it.
    pub(in crate::cmd::join) name: String,
    pub(in crate::cmd::join) way: Arc<Way>,
    pub(in crate::cmd::join) room: RoomId,
    /// Where what comes is delivered.
    pub(in crate::cmd::join) happenings: Sender<Happening>,
}

impl Dial {
    /// Connects, however long that takes.
    pub(in crate::cmd::join) fn connect(&self) -> anyhow::Result<TcpStream> {
        let stream = self.way.connect(&self.name)?;
        link::open(stream, self.room).map_err(|error| unreachable(&self.name, &error))
    }
}

enum State {
    /// There is one; it must be in the room by then, if it is not yet.
    Up(Link, Option<Instant>),
    Dialling,
    /// The next attempt is made then.
    Pausing(Instant),
}

/// The way to the relay.
pub(in crate::cmd::join) struct Connection {
    dial: Dial,
    state: State,
    /// Which link the present one is.
    number: u64,
    /// How many attempts have failed, since when there is no connection.
    failures: u32,
    broken: Option<Instant>,
    /// When something was last received, or nothing was to be acknowledged.
    stirred: Instant,
    /// Whether the user wants another connection at once.
    is_hurried: bool,
}

impl Connection {
    /// Begins with a connection that is made. So many counted frames were received before.
    pub(in crate::cmd::join) fn start(dial: Dial, stream: TcpStream) -> anyhow::Result<Self> {
        let mut connection = Self {
            dial,
            state: State::Dialling,
            number: 0,
            failures: 0,
            broken: None,
            stirred: Instant::now(),
            is_hurried: false,
        };
        connection.begin(stream, 0)?;
        Ok(connection)
    }

    fn begin(&mut self, stream: TcpStream, received: u64) -> anyhow::Result<()> {
        let (number, happenings) = (self.number, self.dial.happenings.clone());
        let link = Link::start(stream, received, move |from_relay| {
            // It fails when the program is ending.
            let _ = happenings.send(Happening::Relayed(number, from_relay));
        })?;
        self.stirred = Instant::now();
        self.state = State::Up(link, Some(Instant::now() + PATIENCE));
        Ok(())
    }

    /// Whether what comes is from the present link.
    pub(in crate::cmd::join) fn is_present(&self, number: u64) -> bool {
        number == self.number
    }

    /// Whether there is a connection.
    pub(in crate::cmd::join) fn is_up(&self) -> bool {
        matches!(self.state, State::Up(..))
    }

    /// Whether the member is not in the room, since a connection broke.
    pub(in crate::cmd::join) fn is_broken(&self) -> bool {
        self.broken.is_some()
    }

    /// How long there has been none.
    pub(in crate::cmd::join) fn broken_for(&self) -> Duration {
        self.broken.map_or(Duration::ZERO, |since| since.elapsed())
    }

    /// Something came.
    pub(in crate::cmd::join) fn received(&mut self) {
        self.stirred = Instant::now();
        if let State::Up(link, _) = &self.state {
            link.credit();
        }
    }

    /// The member is in the room.
    pub(in crate::cmd::join) fn is_settled(&mut self) {
        if let State::Up(_, deadline) = &mut self.state {
            *deadline = None;
        }
        self.failures = 0;
        self.broken = None;
    }

    /// Sends frames over the present link.
    pub(in crate::cmd::join) fn send(&self, frames: Vec<Frame>) {
        if let State::Up(link, _) = &self.state {
            link.send(frames);
        }
    }

    /// The connection is broken, or could not be made: another one is to be made after a pause.
    pub(in crate::cmd::join) fn pause(&mut self) {
        self.broken.get_or_insert_with(Instant::now);
        let doubled = FIRST_PAUSE.saturating_mul(1 << self.failures.min(5));
        let longest = doubled.min(LONGEST_PAUSE).as_secs_f64();
        let mut pause = rand::rng().random_range(longest / 5.0..longest);
        if std::mem::take(&mut self.is_hurried) {
            pause = 0.0;
        }
        self.failures += 1;
        self.number += 1;
        self.state = State::Pausing(Instant::now() + Duration::from_secs_f64(pause));
    }

    /// Whether the present connection ends because the user wants another one.
    pub(in crate::cmd::join) fn is_hurried(&self) -> bool {
        self.is_hurried
    }

    /// Makes another connection now.
    pub(in crate::cmd::join) fn redial(&mut self) {
        match &mut self.state {
            State::Up(link, _) => {
                self.is_hurried = true;
                link.give_up();
            }
            State::Pausing(until) => *until = Instant::now(),
            State::Dialling => {}
        }
    }

    /// Does what is due. `is_waiting` tells whether the relay has something to acknowledge.
    pub(in crate::cmd::join) fn tick(&mut self, is_waiting: bool) {
        if !is_waiting {
            self.stirred = Instant::now();
        }
        match &self.state {
            State::Pausing(until) if *until <= Instant::now() => {
                self.state = State::Dialling;
                self.spawn_dial();
            }
            State::Up(link, deadline) => {
                let is_late = deadline.is_some_and(|deadline| deadline <= Instant::now());
                if is_late || self.stirred.elapsed() >= STALL {
                    link.give_up();
                }
            }
            State::Pausing(_) | State::Dialling => {}
        }
    }

    fn spawn_dial(&mut self) {
        let (dial, number) = (self.dial.clone(), self.number);
        let dialling = thread::Builder::new().name("dial".into()).spawn(move || {
            let stream = dial.connect();
            // It fails when the program is ending.
            let _ = dial.happenings.send(Happening::Dialled(number, stream));
        });
        if dialling.is_err() {
            self.pause();
        }
    }

    /// An attempt is over. So many counted frames were received over the connection before.
    pub(in crate::cmd::join) fn dialled(
        &mut self,
        stream: anyhow::Result<TcpStream>,
        received: u64,
    ) {
        let begun = stream.and_then(|stream| self.begin(stream, received));
        if begun.is_err() {
            self.pause();
        }
    }
}
