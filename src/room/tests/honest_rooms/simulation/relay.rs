//! The relay of a simulated room: it lets members in, forwards what they send, and keeps the places
//! of those whose connection is broken.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;
use std::time::Duration;

use rand::RngExt as _;

use crate::room::card::SessionId;
use crate::room::frame::{Departure, Frame, RunId, ToRelay, kind};
use crate::room::notice::Notice;
use crate::room::relay::{
    Backlog, Intake, Mailbox, MemberRequest, OutgoingFrame, Room, Unsent, admit,
};

use super::expected::ExpectedEvent;
use super::links::{DelayQueue, ToMember, ToServer};
use super::{Simulation, lobby, payload};

/// How long the relay keeps the place of a member whose connection is broken.
const GRACE: Duration = Duration::from_mins(1);

/// How many bytes the relay keeps for a member: in a simulation, all there are.
const QUEUE_BYTES: usize = 1 << 30;

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

    fn dismiss(&self, notice: Notice) {
        self.post(Frame::notice(notice.code()).into());
    }
}

/// What the relay makes of a frame on its way to a member: the frames that go there instead.
pub type Tamper = Box<dyn FnMut(&Frames<'_>, Vec<u8>) -> Vec<Vec<u8>>>;

/// What a relay that tampers with a frame knows of it.
pub struct Frames<'a> {
    /// The member that it goes to.
    pub to: usize,
    /// Which session id is whose, of all there ever were.
    pub owners: &'a HashMap<SessionId, usize>,
}

/// What the relay knows of a member, and keeps for it.
#[derive(Default)]
pub struct RelaySide {
    inbox: Inbox,
    /// The connection that the relay has for the member.
    served: Option<u64>,
    /// A connection of which the relay has not noticed that it is broken, and when it will.
    pub unnoticed: Option<(u64, Duration)>,
    /// Until when the relay keeps the place of a member that has no connection.
    kept: Option<Duration>,
    /// What the relay takes from the member, from its joining on.
    intake: Option<Intake>,
    pub is_in_room: bool,
    /// When the relay last let the member in, or forwarded a statement of its to all.
    pub stated: Duration,
    /// How many frames the relay has acknowledged.
    acknowledged: u64,
}

impl Simulation {
    /// Restarts the relay, which has forgotten everything.
    pub fn restart(&mut self) {
        self.counts.restarts += 1;
        let [first, ..] = self.challenge.run.0;
        self.challenge.run = RunId([first + 1; 16]);
        self.room = Room::new(0, &self.limits);
        for number in 0..self.members.len() {
            self.break_connection(number);
            let member = &mut self.members[number];
            member.link.up = DelayQueue::default();
            member.relay_side.inbox = Inbox::default();
            member.relay_side.intake = None;
            member.relay_side.is_in_room = false;
            member.relay_side.acknowledged = 0;
            (member.relay_side.served, member.relay_side.kept) = (None, None);
        }
    }

    /// Has the relay take what has arrived, each frame in its turn.
    pub fn relay_takes(&mut self) {
        loop {
            let first = self
                .members
                .iter()
                .enumerate()
                .filter_map(|(number, member)| Some((member.link.up.first()?, number)))
                .min();
            let Some((at, number)) = first.filter(|(at, _)| *at <= self.now) else {
                return;
            };
            if let Some((connection, up)) = self.members[number].link.up.due(at) {
                self.relay_takes_from(number, connection, up);
            }
            self.distribute();
        }
    }

    fn relay_takes_from(&mut self, number: usize, connection: u64, up: ToServer) {
        let member = &mut self.members[number];
        match up {
            ToServer::Frame(hello) if hello[0] == kind::HELLO => {
                self.relay_admits(number, connection, &hello);
            }
            ToServer::Frame(frame) if member.relay_side.served == Some(connection) => {
                self.relay_takes_frame(number, frame);
            }
            ToServer::Hangup if member.relay_side.served == Some(connection) => {
                member.relay_side.served = None;
                member.relay_side.kept = Some(self.now + GRACE);
            }
            ToServer::Gone => self.relay_drops(number, Departure::Lost),
            ToServer::Frame(_) | ToServer::Hangup => {}
        }
    }

    fn relay_admits(&mut self, number: usize, connection: u64, hello: &[u8]) {
        let newcomer = admit(hello, &self.challenge, lobby().id()).expect("an honest client");
        let at = self.now + self.delay();
        let place = newcomer.resume_point.and_then(|from| {
            let inbox = self
                .room
                .resumable_mailbox(&newcomer.card, from.joined)?
                .clone();
            Some((inbox, from.received))
        });
        let has_entered = self.members[number].entered_at.is_some();
        let member = &mut self.members[number];
        (member.relay_side.served, member.relay_side.kept) = (Some(connection), None);
        if let Some((inbox, received)) = place {
            let resumed = inbox.0.borrow_mut().resume(received);
            resumed.expect("an honest client");
            let taken = member
                .relay_side
                .intake
                .as_ref()
                .expect("it has a place")
                .received();
            let welcome = payload(&Frame::welcome_back(taken));
            if connection == member.link.connection && !member.link.is_broken {
                member
                    .link
                    .down
                    .push(at, (connection, ToMember::Frame(welcome)));
            }
            self.counts.resumed += 1;
            return;
        }
        if has_entered && self.is_lossless() {
            self.surprise(number, "its place is gone".to_owned());
        }
        if std::mem::take(&mut self.members[number].relay_side.is_in_room) {
            let lost = ExpectedEvent::Left(number, Departure::Lost, false);
            self.expect_of_all(number, &lost);
        }
        let inbox = Inbox::default();
        let joined = self
            .room
            .join(&newcomer.card, &inbox)
            .expect("there is room");
        self.expect_of_all(number, &ExpectedEvent::Joined(number));
        let numbered = self.members.iter().enumerate();
        let found = numbered
            .filter(|(_, member)| member.relay_side.is_in_room)
            .map(|(number, _)| number)
            .collect();
        let member = &mut self.members[number];
        member.relay_side.inbox = inbox;
        member.account.expected.clear();
        member.relay_side.acknowledged = 0;
        member.account.found = Some(found);
        let run = self.challenge.run;
        member.relay_side.intake = Some(Intake::new(&newcomer.card, run, joined, &self.limits));
        member.relay_side.is_in_room = true;
        member.relay_side.stated = self.now;
    }

    fn relay_takes_frame(&mut self, number: usize, bytes: Vec<u8>) {
        let is_lossless = self.is_lossless();
        let member = &mut self.members[number];
        if !member.relay_side.is_in_room {
            return;
        }
        if matches!(ToRelay::parse(&bytes), Ok(ToRelay::Statement(state)) if state.to.is_empty()) {
            member.relay_side.stated = self.now;
        }
        let intake = member
            .relay_side
            .intake
            .as_mut()
            .expect("it is in the room");
        let request = intake.take(bytes).expect("an honest client");
        let (sid, received) = (intake.sid(), intake.received());
        let done = self.room.carry_out(sid, &request);
        done.expect("its own key");
        match request {
            MemberRequest::Forward(_) if !is_lossless => {}
            MemberRequest::Forward(_) => {
                let message = member.account.said.pop_front().expect("what was said");
                self.expect_said(number, &message);
            }
            MemberRequest::Rekey(_) => self.expect_of_all(number, &ExpectedEvent::Rekeyed(number)),
            MemberRequest::Goodbye(_) => {
                member.relay_side.inbox.post(Frame::ack(received).into());
                member.relay_side.is_in_room = false;
                self.expect_of_all(number, &ExpectedEvent::Left(number, Departure::Left, true));
                return;
            }
            MemberRequest::Forget(count) => {
                let acknowledged = member.relay_side.inbox.0.borrow_mut().acknowledge(count);
                acknowledged.expect("an honest client");
                return;
            }
            MemberRequest::Wait
            | MemberRequest::Statement(_)
            | MemberRequest::Leave
            | MemberRequest::Acknowledge => {}
        }
        let member = &self.members[number];
        if self.rng.random_ratio(1, 20) {
            member.relay_side.inbox.post(Frame::ping().into());
        }
    }

    /// Has the relay acknowledge, now and then, all that came meanwhile.
    pub fn relay_acknowledges(&mut self) {
        let often = if self.faults.is_some() { 0.1 } else { 0.5 };
        for member in &mut self.members {
            let received = member
                .relay_side
                .intake
                .as_ref()
                .map_or(0, Intake::received);
            let is_due = member.relay_side.is_in_room && member.relay_side.acknowledged < received;
            if is_due && self.rng.random_bool(often) {
                member.relay_side.acknowledged = received;
                member.relay_side.inbox.post(Frame::ack(received).into());
            }
        }
        self.distribute();
    }

    fn relay_drops(&mut self, number: usize, departure: Departure) {
        let Some(intake) = &self.members[number].relay_side.intake else {
            return;
        };
        let (sid, joined) = (intake.sid(), intake.joined());
        if std::mem::take(&mut self.members[number].relay_side.is_in_room) {
            self.room.leave(sid, joined, departure);
            let is_signed = departure == Departure::Left;
            self.expect_of_all(number, &ExpectedEvent::Left(number, departure, is_signed));
        }
    }

    /// Takes what the relay has for its members, and puts it on its way.
    fn distribute(&mut self) {
        for number in 0..self.members.len() {
            let member = &mut self.members[number];
            let Some(connection) = member.relay_side.served else {
                continue;
            };
            let mut backlog = member.relay_side.inbox.0.borrow_mut();
            let mut unsent: Vec<Unsent> = std::iter::from_fn(|| backlog.take()).collect();
            if self.faults.is_some() && self.rng.random_ratio(1, 50) {
                unsent.extend(backlog.ask_for_ack());
            }
            drop(backlog);
            // What goes into a broken connection is gone.
            let is_lost = member.link.is_broken || connection != member.link.connection;
            let frames = unsent.iter().flat_map(Unsent::frames);
            for frame in frames.filter(|_| !is_lost) {
                let frame = frame.slices().concat().split_off(4);
                let at = self.now + self.delay();
                let frames = match &mut self.tamper {
                    None => vec![frame],
                    Some(tamper) => {
                        let known = Frames {
                            to: number,
                            owners: &self.owners,
                        };
                        tamper(&known, frame)
                    }
                };
                for frame in frames {
                    let down = (connection, ToMember::Frame(frame));
                    self.members[number].link.down.push(at, down);
                }
            }
        }
    }

    /// Has the relay notice that a member's connection is broken, and give up its place, each where
    /// it is due.
    pub fn relay_watches(&mut self, number: usize) {
        let now = self.now;
        let member = &mut self.members[number];
        if let Some((connection, _)) = member.relay_side.unnoticed.take_if(|(_, at)| *at <= now)
            && member.relay_side.served == Some(connection)
        {
            (member.relay_side.served, member.relay_side.kept) = (None, Some(now + GRACE));
        }
        if member
            .relay_side
            .kept
            .take_if(|until| *until <= now)
            .is_some()
        {
            self.relay_drops(number, Departure::Lost);
        }
    }
}
