//! The connection to the relay as the client sees it: one [`Link`] after another. When one breaks, the
//! next is dialled after a pause. Pauses grow, and are of random length, so that not all members of a
//! room come back at once.

use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use rand::RngExt as _;

use crate::room::frame::{Frame, preamble};
use crate::room::names::RoomId;
use crate::room::notice::Notice;

use super::link::{Connected, FromRelay, HANDSHAKE_TIMEOUT, Link};
use super::pace::Pace;
use super::route::Route;
use super::setbacks::Setbacks;

/// The pause before the first attempt is at most this. The limit doubles with each attempt that fails,
/// up to the longest pause.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

/// How long entering the room may take, however often something comes. Over a slow line the cards of a
/// large room take minutes.
const ENTERING: Duration = Duration::from_mins(5);

/// After the machine stood still pauses stay short for so long.
const EAGER_FOR: Duration = Duration::from_mins(1);

/// A link that has led into the room is a good one if it lasts for so long. If not, pauses go on growing.
const GOOD_AFTER: Duration = Duration::from_secs(1);

/// After so many links in a row over which something went that should not, the relay is broken. A link
/// ends the row if it was good for so long: whoever puts something into each may wait for a moment first.
const MAX_BAD: u32 = 5;
const SOUND_AFTER: Duration = Duration::from_secs(10);

/// The connection is taken for dead when the relay does not acknowledge what it was sent, and sends
/// nothing else, for so long.
const STALL: Duration = Duration::from_secs(15);

/// What comes of a link.
pub(in crate::cmd::join) struct LinkEvent {
    /// The number of the link.
    number: u64,
    what: LinkOutcome,
}

enum LinkOutcome {
    /// The relay sent something over it, or it is down.
    Relayed(FromRelay),
    /// The attempt to make it is over.
    Dialled(anyhow::Result<Connected>),
}

/// Connects to the relay, as often as it takes.
#[derive(Clone)]
pub(in crate::cmd::join) struct Dialler {
    /// What people call the relay.
    pub(in crate::cmd::join) relay: String,
    pub(in crate::cmd::join) route: Arc<Route>,
    pub(in crate::cmd::join) room: RoomId,
    /// Delivers what comes of links to [`Connection::take`]. It must not block.
    pub(in crate::cmd::join) deliver: Arc<dyn Fn(LinkEvent) + Send + Sync>,
}

impl Dialler {
    /// Connects, however long that takes.
    pub(in crate::cmd::join) fn connect(&self) -> anyhow::Result<Connected> {
        self.route.connect(&self.relay, &preamble(self.room))
    }
}

/// How far the present link is.
enum LinkPhase {
    /// There is a link. Until it has led into the room, it has a deadline.
    Up(Link, Option<Deadline>),
    Dialling,
    /// The next attempt is made at this time.
    Pausing(Instant),
}

/// When a link is given up that has not led into the room.
struct Deadline {
    /// If nothing more comes.
    idle: Instant,
    /// In any case.
    last: Instant,
}

impl Deadline {
    fn start(now: Instant) -> Self {
        Self {
            idle: now + HANDSHAKE_TIMEOUT,
            last: now + ENTERING,
        }
    }

    fn at(&self) -> Instant {
        self.idle.min(self.last)
    }
}

/// The connection to the relay.
pub(in crate::cmd::join) struct Connection {
    dialler: Dialler,
    state: LinkPhase,
    /// The number of the present link.
    number: u64,
    /// For how long to try to get a broken connection back.
    patience: Duration,
    /// How many links have failed since there was a good one.
    failures: u32,
    /// Over how many links something went that should not, since there was one that was good for longer.
    bad: u32,
    /// When the present link led into the room.
    settled: Option<Instant>,
    /// Since when the member is not in the room any more.
    broken_since: Option<Instant>,
    /// When the relay last sent something since it has had something to acknowledge, or when that began.
    stirred: Option<Instant>,
    pace: Pace,
    /// Whether the user wants another connection at once.
    is_hurried: bool,
    /// Whether the present link ends because this program has stood still.
    is_woken: bool,
    /// Why the relay did not let the member in the last time, since a connection broke.
    refused: Option<Notice>,
    setbacks: Setbacks,
    /// Until when pauses stay short.
    eager_until: Option<Instant>,
}

impl Drop for Connection {
    /// A program that is yet to lead to the relay would outlive the one that waits for it.
    fn drop(&mut self) {
        self.dialler.route.end_program();
    }
}

impl Connection {
    /// Begins with a way that is open. If it breaks, there is no other connection before
    /// [`Connection::try_for`] allows it.
    pub(in crate::cmd::join) fn start(
        dialler: Dialler,
        connected: Connected,
    ) -> anyhow::Result<Self> {
        let mut connection = Self {
            dialler,
            state: LinkPhase::Dialling,
            number: 0,
            patience: Duration::ZERO,
            failures: 0,
            bad: 0,
            settled: None,
            broken_since: None,
            stirred: None,
            pace: Pace::start(Instant::now()),
            is_hurried: false,
            is_woken: false,
            refused: None,
            setbacks: Setbacks::default(),
            eager_until: None,
        };
        connection.begin(connected, 0)?;
        Ok(connection)
    }

    /// Sets for how long to try to get a broken connection back.
    pub(in crate::cmd::join) fn try_for(&mut self, patience: Duration) {
        self.patience = patience;
    }

    /// For how long that is tried.
    pub(in crate::cmd::join) fn patience(&self) -> Duration {
        self.patience
    }

    /// Starts a link on this way. `received` counted frames have come over the links before it in
    /// this stay: the ACKs of the new link count on from there.
    fn begin(&mut self, connected: Connected, received: u64) -> anyhow::Result<()> {
        let (number, deliver) = (self.number, Arc::clone(&self.dialler.deliver));
        let link = Link::start(connected, received, move |from_relay| {
            let what = LinkOutcome::Relayed(from_relay);
            deliver(LinkEvent { number, what });
        })?;
        (self.stirred, self.is_woken) = (None, false);
        self.state = LinkPhase::Up(link, Some(Deadline::start(Instant::now())));
        Ok(())
    }

    /// Takes what came of a link. Returns what the relay sent, if it is the present link. Where a new
    /// link begins with it, its ACKs count on from the `received` counted frames that have come so far.
    pub(in crate::cmd::join) fn take(
        &mut self,
        event: LinkEvent,
        received: u64,
    ) -> Option<FromRelay> {
        if event.number != self.number {
            return None;
        }
        match event.what {
            LinkOutcome::Relayed(from_relay) => {
                if let (FromRelay::Frame(frame), LinkPhase::Up(link, _)) =
                    (&from_relay, &mut self.state)
                {
                    link.note_taken(frame);
                }
                return Some(from_relay);
            }
            LinkOutcome::Dialled(connected) => {
                let begun = connected.and_then(|connected| self.begin(connected, received));
                if let Err(error) = begun {
                    self.setbacks.note_failure(&error);
                    self.pause();
                }
            }
        }
        None
    }

    /// Whether there is a link.
    pub(in crate::cmd::join) fn is_up(&self) -> bool {
        matches!(self.state, LinkPhase::Up(..))
    }

    /// What the program that is the present link, if it is one, has said last.
    pub(in crate::cmd::join) fn last_words(&self) -> Option<String> {
        match &self.state {
            LinkPhase::Up(link, _) => link.last_words(),
            LinkPhase::Dialling | LinkPhase::Pausing(_) => None,
        }
    }

    /// Whether a connection broke, and the member has not been in the room since.
    pub(in crate::cmd::join) fn is_broken(&self) -> bool {
        self.broken_since.is_some()
    }

    /// Whether a broken connection has been tried to get back for as long as the user wants.
    pub(in crate::cmd::join) fn is_hopeless(&self) -> bool {
        let since = self.broken_since;
        since.map_or(Duration::ZERO, |since| since.elapsed()) >= self.patience
    }

    /// For how long this program has been too slow to read what comes, or was until a moment ago, if so.
    pub(in crate::cmd::join) fn slow_for(&self) -> Option<Duration> {
        self.pace.slow_for(Instant::now())
    }

    /// Says that frames which take so many bytes of memory still wait, of those that came: for the others,
    /// more may be read.
    pub(in crate::cmd::join) fn credit(&mut self, waiting: usize) {
        self.stirred = self.stirred.map(|_| Instant::now());
        if let LinkPhase::Up(link, deadline) = &mut self.state {
            link.credit(waiting);
            if let Some(deadline) = deadline {
                deadline.idle = Instant::now() + HANDSHAKE_TIMEOUT;
            }
        }
    }

    /// The member is in the room: the link stays.
    pub(in crate::cmd::join) fn settle(&mut self) {
        if let LinkPhase::Up(_, deadline) = &mut self.state {
            *deadline = None;
        }
        if self.settled.is_none() {
            let now = Instant::now();
            (self.settled, self.pace) = (Some(now), Pace::start(now));
        }
        (self.broken_since, self.refused) = (None, None);
        self.setbacks.forget();
    }

    /// The relay did not let the member in again. Returns whether that is for another reason than the time
    /// before.
    pub(in crate::cmd::join) fn note_refusal(&mut self, refusal: Notice) -> bool {
        self.refused.replace(refusal) != Some(refusal)
    }

    /// Why attempts to get a broken connection back fail.
    pub(in crate::cmd::join) fn setbacks(&mut self) -> &mut Setbacks {
        &mut self.setbacks
    }

    /// Something went over the present link that neither side sends. Returns whether that was so over too
    /// many links in a row.
    pub(in crate::cmd::join) fn note_bad(&mut self) -> bool {
        self.forget_failures();
        self.bad += 1;
        self.bad >= MAX_BAD
    }

    /// Forgets what failed before the present link, if that was a good one.
    fn forget_failures(&mut self) {
        let settled = self.settled.take();
        let good_for = settled.map_or(Duration::ZERO, |settled| settled.elapsed());
        if good_for >= GOOD_AFTER {
            self.failures = 0;
        }
        if good_for >= SOUND_AFTER {
            self.bad = 0;
        }
    }

    /// Sends frames over the present link.
    pub(in crate::cmd::join) fn send(&self, frames: Vec<Frame>) {
        if let LinkPhase::Up(link, _) = &self.state {
            link.send(frames);
        }
    }

    /// Waits before the next attempt, as the link is broken or could not be made.
    pub(in crate::cmd::join) fn pause(&mut self) {
        self.broken_since.get_or_insert_with(Instant::now);
        self.forget_failures();
        if self.eager_until.is_some_and(|until| Instant::now() < until) {
            self.failures = 0;
        }
        let in_a_row = self.failures.max(self.bad.saturating_sub(1));
        let doubled = FIRST_PAUSE.saturating_mul(1 << in_a_row.min(5));
        let longest = doubled.min(LONGEST_PAUSE).as_secs_f64();
        let mut pause = rand::rng().random_range(longest / 5.0..longest);
        if std::mem::take(&mut self.is_hurried) | std::mem::take(&mut self.is_woken) {
            pause = 0.0;
        }
        self.failures += 1;
        self.number += 1;
        self.state = LinkPhase::Pausing(Instant::now() + Duration::from_secs_f64(pause));
    }

    /// Whether the present link ends because the user wants another one.
    pub(in crate::cmd::join) fn is_hurried(&self) -> bool {
        self.is_hurried
    }

    /// Whether the present link ends because this program has stood still.
    pub(in crate::cmd::join) fn is_woken(&self) -> bool {
        self.is_woken
    }

    /// Ends the present link, which is dead.
    pub(in crate::cmd::join) fn give_up(&self) {
        if let LinkPhase::Up(link, _) = &self.state {
            link.give_up();
        }
    }

    /// The machine, or this program, has stood still for a while: the link is most likely dead. Another is
    /// made at once; and as a network may take a while to come back, with short pauses for a minute.
    pub(in crate::cmd::join) fn wake(&mut self) {
        self.eager_until = Some(Instant::now() + EAGER_FOR);
        self.is_woken = true;
        match &mut self.state {
            LinkPhase::Up(link, _) => link.give_up(),
            LinkPhase::Pausing(until) => *until = Instant::now(),
            LinkPhase::Dialling => {}
        }
    }

    /// Makes another link now.
    pub(in crate::cmd::join) fn redial(&mut self) {
        match &mut self.state {
            LinkPhase::Up(link, _) => {
                self.is_hurried = true;
                link.give_up();
            }
            LinkPhase::Pausing(until) => *until = Instant::now(),
            LinkPhase::Dialling => {}
        }
    }

    /// When [`Connection::tick`] has something to do next, or the connection becomes hopeless.
    pub(in crate::cmd::join) fn next_due(&self) -> Option<Instant> {
        match &self.state {
            LinkPhase::Up(_, deadline) => {
                let stalled = self.stirred.map(|stirred| stirred + STALL);
                deadline.iter().map(Deadline::at).chain(stalled).min()
            }
            LinkPhase::Dialling => self.hopeless_at(),
            LinkPhase::Pausing(until) => {
                let hopeless = self.hopeless_at();
                Some(hopeless.map_or(*until, |at| at.min(*until)))
            }
        }
    }

    /// When the connection becomes hopeless, if it is broken and the user does not wait for ever.
    fn hopeless_at(&self) -> Option<Instant> {
        self.broken_since?.checked_add(self.patience)
    }

    /// Does what is due: dials, or gives up a link that is dead. `is_waiting` tells whether the relay has
    /// something to acknowledge.
    pub(in crate::cmd::join) fn tick(&mut self, is_waiting: bool) {
        let now = Instant::now();
        if let LinkPhase::Up(link, _) = &self.state
            && link.is_caught_up()
        {
            self.pace.catch_up(now);
        }
        // What this program has yet to read is no silence of the relay's.
        let is_answer_due = is_waiting && self.pace.slow_for(now).is_none();
        self.stirred = is_answer_due.then(|| self.stirred.unwrap_or(now));
        match &mut self.state {
            LinkPhase::Pausing(until) if *until <= now => {
                self.state = LinkPhase::Dialling;
                self.spawn_dial();
            }
            LinkPhase::Up(link, deadline) => {
                let is_late = deadline.take_if(|deadline| deadline.at() <= now).is_some();
                let is_stalled = |stirred: &mut Instant| *stirred + STALL <= now;
                if is_late || self.stirred.take_if(is_stalled).is_some() {
                    link.give_up();
                }
            }
            LinkPhase::Pausing(_) | LinkPhase::Dialling => {}
        }
    }

    fn spawn_dial(&mut self) {
        let (dialler, number) = (self.dialler.clone(), self.number);
        let dialling = thread::Builder::new().name("dial".into()).spawn(move || {
            let what = LinkOutcome::Dialled(dialler.connect());
            (dialler.deliver)(LinkEvent { number, what });
        });
        if dialling.is_err() {
            self.pause();
        }
    }
}
