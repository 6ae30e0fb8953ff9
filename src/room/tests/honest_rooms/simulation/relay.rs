//! The relay of a simulated room: it lets members in, passes on what they send, and keeps the places
//! of those whose connection is broken.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::rc::Rc;
use std::time::Duration;

use rand::RngExt as _;

use crate::cipher::encoding::Digest;
use crate::room::chain::Link;
use crate::room::frame::{Departure, Frame, RunId, kind};
use crate::room::notice::Notice;
use crate::room::relay::{
    Backlog, Intake, Mailbox, MemberRequest, OutgoingFrame, Room, Unsent, admit,
};

use super::links::{DelayQueue, ToMember, ToServer};
use super::{LIMITS, Simulation, lobby, payload};

/// How long the relay keeps the place of a member whose connection is broken, if not for longer; and after
/// how long the others are told.
pub const GRACE: Duration = Duration::from_mins(1);

/// How long a member that is connected may be behind in acknowledging.
const BEHIND: Duration = Duration::from_mins(1);

/// After how long without anything to send the relay asks for an acknowledgement.
const ASK_AFTER: Duration = Duration::from_secs(5);

/// How many bytes the relay keeps for a member: in a simulation, all there are.
const QUEUE_BYTES: usize = 1 << 30;

pub fn empty_room(run: RunId, position: u64) -> Room<Inbox> {
    let grace = u32::try_from(GRACE.as_secs()).expect("a minute");
    Room::new(Link::start(run, lobby().id(), position), &LIMITS, grace)
}

/// A member's mailbox: what the relay has for it.
#[derive(Clone)]
pub struct Inbox(Rc<RefCell<Backlog>>);

impl Default for Inbox {
    fn default() -> Self {
        Self(Rc::new(RefCell::new(Backlog::new(QUEUE_BYTES))))
    }
}

impl Mailbox for Inbox {
    fn post(&self, frame: OutgoingFrame) {
        let posted = self.0.borrow_mut().post(frame);
        posted.expect("there is room");
    }

    fn post_statement(&self, frame: OutgoingFrame, entry: &Digest) {
        let posted = self.0.borrow_mut().post_statement(frame, entry);
        posted.expect("there is room");
    }

    fn dismiss(&self, notice: Notice) {
        self.post(Frame::notice(notice.code()).into());
    }
}

/// What the relay knows of a member, and keeps for it.
#[derive(Default)]
pub struct RelaySide {
    inbox: Inbox,
    /// The connection that the relay has for the member.
    served: Option<u64>,
    /// A connection on which nothing comes any more, and when the relay gives it up.
    pub unnoticed: Option<(u64, Duration)>,
    /// Until when the relay keeps the place of a member that has no connection.
    kept: Option<Duration>,
    /// When the others are told that it has none.
    sleeps: Option<Duration>,
    /// What the relay takes from the member, from its joining on.
    intake: Option<Intake>,
    is_in_room: bool,
    /// When the relay acknowledges what it has taken.
    acknowledges: Option<Duration>,
    /// When it asks the member to acknowledge.
    asks: Option<Duration>,
    /// How many counted frames were sent, and since when not all of them are acknowledged.
    sent: u64,
    behind: Option<Duration>,
    /// Who was there before it, as its MEMBER frames say.
    pub found: BTreeSet<usize>,
}

impl RelaySide {
    /// When the relay has something to do for the member.
    pub fn next_due(&self) -> Option<Duration> {
        let unnoticed = self.unnoticed.map(|(_, at)| at);
        let behind = self.behind.map(|since| since + BEHIND);
        let due = [
            unnoticed,
            self.kept,
            self.sleeps,
            self.acknowledges,
            self.asks,
            behind,
        ];
        due.into_iter().flatten().min()
    }
}

impl Simulation {
    /// Restarts the relay, which has forgotten everything.
    pub fn restart(&mut self) {
        self.counts.restarts += 1;
        let RunId([last, ..]) = self.challenge.run;
        self.challenge.run = RunId([last + 1; 16]);
        self.room = empty_room(self.challenge.run, 0);
        for number in 0..self.members.len() {
            self.break_connection(number);
            let member = &mut self.members[number];
            member.link.up = DelayQueue::default();
            // What it was sent may still come to it.
            let found = std::mem::take(&mut member.relay_side.found);
            member.relay_side = RelaySide {
                found,
                ..RelaySide::default()
            };
        }
    }

    /// Has the relay take what has arrived, each frame in its turn, and do what is due.
    pub fn relay_works(&mut self) {
        loop {
            let numbered = self.members.iter().enumerate();
            let first = numbered
                .filter_map(|(number, member)| Some((member.link.up.first()?, number)))
                .min();
            let Some((at, number)) = first.filter(|(at, _)| *at <= self.now) else {
                break;
            };
            if let Some((connection, up)) = self.members[number].link.up.due(at) {
                self.relay_takes_from(number, connection, up);
            }
            self.distribute();
        }
        for number in 0..self.members.len() {
            self.relay_watches(number);
        }
        self.distribute();
        // A room vanishes with its last member, and its positions do not come again.
        if self.room.is_empty() && self.members.iter().all(|m| !m.relay_side.is_in_room) {
            self.room = empty_room(self.challenge.run, self.room.link().position);
        }
    }

    fn relay_takes_from(&mut self, number: usize, connection: u64, up: ToServer) {
        let side = &mut self.members[number].relay_side;
        match up {
            ToServer::Frame(hello) if hello[0] == kind::HELLO => {
                self.relay_admits(number, connection, &hello);
            }
            ToServer::Frame(frame) if side.served == Some(connection) => {
                self.relay_takes_frame(number, frame);
            }
            ToServer::Hangup if side.served == Some(connection) => self.relay_loses(number),
            ToServer::Frame(_) | ToServer::Hangup => {}
        }
    }

    fn relay_loses(&mut self, number: usize) {
        let (told, until) = (self.now + GRACE, self.now + self.troubles.grace);
        let side = &mut self.members[number].relay_side;
        (side.served, side.behind, side.asks) = (None, None, None);
        side.kept = side.is_in_room.then_some(until);
        side.sleeps = side.kept.map(|_| told);
    }

    fn relay_admits(&mut self, number: usize, connection: u64, hello: &[u8]) {
        let newcomer = admit(hello, &self.challenge, lobby().id()).expect("an honest client");
        let card = &newcomer.card;
        let is_resuming = newcomer.resume_point.is_some();
        let mailbox = newcomer.resume_point.and_then(|from| {
            let inbox = self.room.resumable_mailbox(card, from.joined)?;
            Some((inbox.clone(), from.received))
        });
        if is_resuming && self.room.is_replaced(card) {
            return self.relay_refuses(number, connection, Notice::Replaced);
        }
        if let Some((inbox, received)) = mailbox {
            let resumed = inbox.0.borrow_mut().resume(received);
            resumed.expect("an honest client");
            let side = &mut self.members[number].relay_side;
            let taken = side.intake.as_ref().expect("it has a place").received();
            let grace = u32::try_from(GRACE.as_secs()).expect("a minute");
            let welcome = Frame::welcome_back(taken, grace);
            inbox.0.borrow_mut().post_first(welcome.into());
            // What was acknowledged over the connection before may not have come.
            inbox.post(Frame::ack(taken).into());
            (side.served, side.kept, side.behind) = (Some(connection), None, None);
            (side.sent, side.sleeps) = (received, None);
            let joined = side.intake.as_ref().map(Intake::joined);
            self.room.wake(joined.expect("it has a place"));
            self.counts.resumed += 1;
            return;
        }
        let inbox = Inbox::default();
        let joined = match self.room.join(card, &inbox) {
            Ok(joined) => joined,
            Err(notice) => return self.relay_refuses(number, connection, notice),
        };
        if self.members[number].has_entered {
            self.counts.returned += 1;
            if self.troubles.are_lossless() {
                self.surprise(number, "its place is gone");
            }
        }
        self.members[number].relay_side.is_in_room = false;
        let side = RelaySide {
            inbox,
            served: Some(connection),
            intake: Some(Intake::new(card, self.challenge.run, joined, &LIMITS)),
            is_in_room: true,
            found: self
                .numbers(|member| member.relay_side.is_in_room)
                .into_iter()
                .collect(),
            ..RelaySide::default()
        };
        self.members[number].relay_side = side;
    }

    /// Sends a notice instead, and hangs up.
    fn relay_refuses(&mut self, number: usize, connection: u64, notice: Notice) {
        let at = self.now + self.delay();
        let link = &mut self.members[number].link;
        if connection == link.connection && !link.is_broken {
            let notice = payload(&Frame::notice(notice.code()));
            link.down.push(at, (connection, ToMember::Frame(notice)));
        }
        // It may have come over a connection of which the relay has not noticed that it is broken.
        if self.members[number].relay_side.served == Some(connection) {
            self.relay_loses(number);
        }
    }

    fn relay_takes_frame(&mut self, number: usize, bytes: Vec<u8>) {
        let soon = self.now + Duration::from_millis(self.rng.random_range(0..400));
        let side = &mut self.members[number].relay_side;
        let Some(intake) = side.intake.as_mut().filter(|_| side.is_in_room) else {
            return;
        };
        let before = intake.received();
        let request = intake.take(bytes).expect("an honest client");
        let done = self.room.carry_out(intake, &request);
        done.expect("its own key");
        let received = intake.received();
        if received > before {
            side.acknowledges.get_or_insert(soon);
        }
        match request {
            MemberRequest::Goodbye(_) => {
                side.inbox.post(Frame::ack(received).into());
                (side.is_in_room, side.acknowledges, side.kept) = (false, None, None);
            }
            MemberRequest::Forget(count) => {
                let acknowledged = side.inbox.0.borrow_mut().acknowledge(count);
                acknowledged.expect("an honest client");
                let is_behind = count < side.sent && !self.troubles.is_busy;
                side.behind = is_behind.then_some(self.now);
            }
            MemberRequest::Acknowledge => side.inbox.post(Frame::ack(received).into()),
            MemberRequest::Forward(_) if self.rng.random_ratio(1, 10) => {
                side.inbox.post(Frame::ping().into());
            }
            _ => {}
        }
    }

    /// Does what is due for a member: acknowledges, gives up its connection or its place.
    fn relay_watches(&mut self, number: usize) {
        let now = self.now;
        let side = &mut self.members[number].relay_side;
        if side.acknowledges.take_if(|at| *at <= now).is_some()
            && let Some(intake) = side.intake.as_ref().filter(|_| side.is_in_room)
        {
            side.inbox.post(Frame::ack(intake.received()).into());
        }
        if side.behind.is_some_and(|since| since + BEHIND <= now) {
            side.inbox.dismiss(Notice::QueueFull);
            self.relay_drops(number, Departure::Slow);
        }
        let at = self.now + self.delay();
        let member = &mut self.members[number];
        if let Some((connection, _)) = member.relay_side.unnoticed.take_if(|(_, at)| *at <= now)
            && member.relay_side.served == Some(connection)
        {
            member.link.down.push(at, (connection, ToMember::Down));
            self.relay_loses(number);
        }
        let time = u64::try_from(now.as_millis()).unwrap() + 3_600_000;
        let side = &mut self.members[number].relay_side;
        if side.sleeps.take_if(|at| *at <= now).is_some()
            && let Some((until, intake)) = side.kept.zip(side.intake.as_ref())
        {
            let minute = u64::try_from(GRACE.as_millis()).unwrap();
            let left = u64::try_from(until.saturating_sub(now).as_millis()).unwrap();
            self.room
                .put_to_sleep(intake.joined(), time - minute..time + left);
            side.inbox.0.borrow_mut().sleep();
        }
        let side = &mut self.members[number].relay_side;
        if side.kept.take_if(|until| *until <= now).is_some() {
            self.relay_drops(number, Departure::Lost);
        }
    }

    fn relay_drops(&mut self, number: usize, departure: Departure) {
        let side = &mut self.members[number].relay_side;
        side.behind = None;
        if std::mem::take(&mut side.is_in_room)
            && let Some(intake) = &side.intake
        {
            self.room.leave(intake.joined(), departure);
        }
    }

    /// Takes what the relay has for its members, and puts it on its way.
    fn distribute(&mut self) {
        for number in 0..self.members.len() {
            let now = self.now;
            let member = &mut self.members[number];
            let side = &mut member.relay_side;
            let Some(connection) = side.served else {
                continue;
            };
            let mut backlog = side.inbox.0.borrow_mut();
            let mut unsent: Vec<Unsent> = std::iter::from_fn(|| backlog.take()).collect();
            if side.asks.take_if(|at| *at <= now).is_some() {
                unsent.extend(backlog.ask_for_ack());
            }
            drop(backlog);
            if unsent.is_empty() {
                continue;
            }
            side.asks = Some(now + ASK_AFTER);
            // What goes into a broken connection is gone.
            let is_lost = member.link.is_broken || connection != member.link.connection;
            let slowness = member.link.slowness;
            for frame in unsent.iter().flat_map(Unsent::frames) {
                let side = &mut self.members[number].relay_side;
                if frame.is_counted() && side.is_in_room {
                    side.sent += 1;
                    if !self.troubles.is_busy {
                        side.behind.get_or_insert(now);
                    }
                }
                if is_lost {
                    continue;
                }
                let at = now + slowness + self.delay();
                let frame = frame.slices().concat().split_off(4);
                let down = (connection, ToMember::Frame(frame));
                self.members[number].link.down.push(at, down);
            }
        }
    }
}
