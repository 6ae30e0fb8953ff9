//! A relay: the real room and intake, with something between the room and the members' queues that
//! misbehaves.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::time::Duration;

use crate::room::chain::{EntryKind, Link, entry_digest};
use crate::room::frame::{
    Absence, Challenge, Departure, Frame, RelayLimits, RunId, ToClient, kind,
};
use crate::room::notice::Notice;
use crate::room::relay::{Backlog, Intake, Mailbox, MemberRequest, OutgoingFrame, Room, admit};

use super::world::{Happening, World, lobby, payload};

/// When a member has had no connection for so long, the others are told, if its place is kept for longer.
const ASLEEP_AFTER: Duration = Duration::from_mins(1);

/// How many bytes the relay keeps for a member: all there are.
const QUEUE_BYTES: usize = 1 << 30;

thread_local! {
    /// What the room has put into mailboxes, each with the number of its seat.
    static POSTED: RefCell<Vec<(usize, Posted)>> = const { RefCell::new(Vec::new()) };
}

enum Posted {
    Frame(OutgoingFrame),
    Dismissal(Notice),
}

/// The mailbox of a seat. What is put there goes through the hands of whoever misbehaves.
#[derive(Clone)]
struct Post(usize);

impl Mailbox for Post {
    fn post(&self, frame: OutgoingFrame) {
        POSTED.with_borrow_mut(|posted| posted.push((self.0, Posted::Frame(frame))));
    }

    fn dismiss(&self, notice: Notice) {
        POSTED.with_borrow_mut(|posted| posted.push((self.0, Posted::Dismissal(notice))));
    }
}

/// What a counted frame to a member is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum What {
    Joined,
    Left,
    Rekeyed,
    Message,
    Statement,
    Goodbye,
    Asleep,
    Awake,
    /// A message for one member alone, or a late copy.
    Direct,
    Receipt,
    Refused,
}

impl What {
    fn of_entry(code: u8) -> Self {
        match EntryKind::from_code(code) {
            EntryKind::Joined => Self::Joined,
            EntryKind::Left => Self::Left,
            EntryKind::Rekeyed => Self::Rekeyed,
            EntryKind::Message => Self::Message,
            EntryKind::Statement => Self::Statement,
            EntryKind::Asleep => Self::Asleep,
            EntryKind::Awake => Self::Awake,
            EntryKind::Goodbye | EntryKind::Unknown(_) => Self::Goodbye,
        }
    }
}

/// A counted frame that the room has put there for a member, before anybody has laid hands on it.
#[derive(Clone, Copy, Debug)]
pub struct Put {
    /// Its number, in the order in which they were put there.
    pub number: usize,
    pub at: Duration,
    pub to: usize,
    /// Whose entry or message it is.
    pub from: usize,
    pub what: What,
    /// The number of its entry, if it is one or gives one back.
    pub entry: Option<usize>,
    pub is_own: bool,
    pub has_ciphertext: bool,
}

/// A member's place in the room.
struct Seat {
    who: usize,
    intake: Intake,
    backlog: Backlog,
    connection: Option<u64>,
    /// Until when it is kept without a connection.
    kept: Option<Duration>,
    is_in_room: bool,
}

/// One run of a relay.
pub struct Relay {
    pub run: RunId,
    room: Option<Room<Post>>,
    last_position: u64,
    seats: BTreeMap<usize, Seat>,
}

impl Relay {
    pub fn new(run: u8) -> Self {
        Self {
            run: RunId([run; 16]),
            room: None,
            last_position: 0,
            seats: BTreeMap::new(),
        }
    }

    /// The seat that a connection of a member's leads to.
    fn seat_at(&self, who: usize, connection: u64) -> Option<usize> {
        let is_it = |seat: &Seat| seat.who == who && seat.connection == Some(connection);
        let mut seats = self.seats.iter();
        seats.find(|(_, seat)| is_it(seat)).map(|(n, _)| *n)
    }

    /// The seat that a member has in the room.
    fn seat_of(&self, who: usize) -> Option<usize> {
        let mut seats = self.seats.iter();
        let found = seats.find(|(_, seat)| seat.who == who && seat.is_in_room);
        found.map(|(number, _)| *number)
    }

    fn vanish_if_empty(&mut self) {
        if let Some(room) = self.room.take_if(|room| room.is_empty()) {
            self.last_position = self.last_position.max(room.link().position);
        }
    }
}

impl World {
    pub fn limits(&self) -> RelayLimits {
        RelayLimits {
            idle: 90,
            members: self.promised_members,
            blocks: 0,
            bytes: 0,
        }
    }

    pub fn challenge(&self, relay: usize, connection: u64) -> Challenge {
        Challenge {
            nonce: [u8::try_from(connection % 251).unwrap(); 32],
            run: self.relays[relay].run,
        }
    }

    /// The relay takes what has come from a member over a connection.
    pub fn relay_takes(&mut self, relay: usize, who: usize, connection: u64, frame: Vec<u8>) {
        if frame[0] == kind::HELLO {
            return self.relay_admits(relay, who, connection, &frame);
        }
        let is_deaf = self.misbehaviours.swallows(who, &frame, self.now);
        let limits_ack = self.misbehaviours.withholds_acks(who, self.now);
        let Some(number) = self.relays[relay].seat_at(who, connection) else {
            return;
        };
        let Relay { room, seats, .. } = &mut self.relays[relay];
        let (Some(room), Some(seat)) = (room, seats.get_mut(&number)) else {
            return;
        };
        if !seat.is_in_room {
            return;
        }
        let Ok(request) = seat.intake.take(frame) else {
            return self.relay_drops(relay, number, Departure::Misbehaved);
        };
        if let MemberRequest::Forget(count) = request {
            let acknowledged = seat.backlog.acknowledge(count);
            acknowledged.expect("a member acknowledges what it has");
            return;
        }
        if !is_deaf && room.carry_out(&mut seat.intake, &request).is_err() {
            return self.relay_drops(relay, number, Departure::Misbehaved);
        }
        let received = seat.intake.received();
        let is_goodbye = matches!(request, MemberRequest::Goodbye(_)) && !is_deaf;
        let what = match &request {
            MemberRequest::Rekey(_) => What::Rekeyed,
            MemberRequest::Forward(_) => What::Message,
            MemberRequest::Goodbye(_) => What::Goodbye,
            _ => What::Statement,
        };
        self.hand_out(relay, who, what);
        if !limits_ack {
            let seat = self.relays[relay].seats.get_mut(&number).unwrap();
            let posted = seat.backlog.post(Frame::ack(received).into());
            posted.expect("there is room");
        }
        self.flush(relay, number);
        if is_goodbye {
            self.close_seat(relay, number);
            self.relays[relay].vanish_if_empty();
        }
    }

    fn relay_admits(&mut self, relay: usize, who: usize, connection: u64, hello: &[u8]) {
        let challenge = self.challenge(relay, connection);
        let newcomer = match admit(hello, &challenge, lobby().id()) {
            Ok(newcomer) => newcomer,
            Err(notice) => return self.turn_away(who, connection, notice),
        };
        let (limits, next_seat, grace) = (self.limits(), self.next_seat, self.grace);
        let Relay {
            run,
            room,
            seats,
            last_position,
        } = &mut self.relays[relay];
        let start = Link::start(*run, lobby().id(), *last_position);
        let room = room.get_or_insert_with(|| {
            // The relay may promise less than it keeps.
            let real = RelayLimits {
                members: 64,
                ..limits
            };
            Room::new(start, &real, grace)
        });
        if room.is_replaced(&newcomer.card) && newcomer.resume_point.is_some() {
            return self.turn_away(who, connection, Notice::Replaced);
        }
        let resumed = newcomer.resume_point.and_then(|point| {
            let Post(number) = *room.resumable_mailbox(&newcomer.card, point.joined)?;
            Some((number, point.received))
        });
        if let Some((number, received)) = resumed {
            let seat = seats.get_mut(&number).expect("it is in the room");
            if seat.backlog.resume(received).is_err() {
                return self.turn_away(who, connection, Notice::Malformed);
            }
            (seat.connection, seat.kept) = (Some(connection), None);
            let taken = seat.intake.received();
            seat.backlog
                .post_first(Frame::welcome_back(taken, grace).into());
            room.wake(seat.intake.joined());
            self.hand_out(relay, who, What::Awake);
            self.queue(relay, number, Frame::ack(taken).into());
            return self.flush(relay, number);
        }
        self.next_seat += 1;
        match room.join(&newcomer.card, &Post(next_seat)) {
            Ok(joined) => {
                let intake = Intake::new(&newcomer.card, *run, joined, &limits);
                let seat = Seat {
                    who,
                    intake,
                    backlog: Backlog::new(QUEUE_BYTES),
                    connection: Some(connection),
                    kept: None,
                    is_in_room: true,
                };
                seats.insert(next_seat, seat);
            }
            Err(notice) => self.turn_away(who, connection, notice),
        }
        self.hand_out(relay, who, What::Joined);
        self.relays[relay].vanish_if_empty();
    }

    /// A client is told why it does not get in.
    fn turn_away(&mut self, who: usize, connection: u64, notice: Notice) {
        self.send_down(who, connection, payload(&Frame::notice(notice.code())));
    }

    /// A member is taken out of the room.
    fn relay_drops(&mut self, relay: usize, number: usize, departure: Departure) {
        let Relay { room, seats, .. } = &mut self.relays[relay];
        let Some(seat) = seats.get(&number) else {
            return;
        };
        let who = seat.who;
        if let Some(room) = room {
            room.leave(seat.intake.joined(), departure);
        }
        self.hand_out(relay, who, What::Left);
        self.close_seat(relay, number);
        self.relays[relay].vanish_if_empty();
    }

    /// Nothing more comes over a seat's connection, after what is on its way.
    fn close_seat(&mut self, relay: usize, number: usize) {
        self.flush(relay, number);
        let seat = self.relays[relay].seats.remove(&number);
        if let Some((who, Some(connection))) = seat.map(|seat| (seat.who, seat.connection)) {
            let at = self.down_at(who);
            self.at(at, Happening::HungUp { who, connection });
        }
    }

    /// A relay has noticed that a connection is broken.
    pub fn relay_loses(&mut self, relay: usize, who: usize, connection: u64) {
        let Some(number) = self.relays[relay].seat_at(who, connection) else {
            return;
        };
        let until = self.now + Duration::from_secs(self.grace.into());
        if let Some(seat) = self.relays[relay].seats.get_mut(&number) {
            (seat.connection, seat.kept) = (None, Some(until));
            self.at(until, Happening::Expired { relay, number });
            let told = self.now + ASLEEP_AFTER;
            if told < until {
                let asleep = Happening::FallsAsleep {
                    relay,
                    number,
                    until,
                };
                self.at(told, asleep);
            }
        }
    }

    /// The relay tells that a member is asleep, if nobody has come back since its connection broke.
    pub fn relay_puts_to_sleep(&mut self, relay: usize, number: usize, until: Duration) {
        let time = |at: Duration| u64::try_from(at.as_millis()).unwrap();
        let time = time(self.now.saturating_sub(ASLEEP_AFTER))..time(until);
        let Relay { room, seats, .. } = &mut self.relays[relay];
        let seat = seats
            .get_mut(&number)
            .filter(|seat| seat.kept == Some(until));
        let (Some(room), Some(seat)) = (room, seat) else {
            return;
        };
        room.put_to_sleep(seat.intake.joined(), time);
        let who = seat.who;
        self.hand_out(relay, who, What::Asleep);
        if let Some(seat) = self.relays[relay].seats.get_mut(&number) {
            seat.backlog.sleep();
        }
    }

    /// The relay says to one member alone that another one is asleep, for long.
    pub fn say_asleep(&mut self, who: usize, to: usize) {
        let [of, to_member] = [who, to].map(|who| self.members.get(&who));
        let (Some(of), Some(to_member)) = (of, to_member) else {
            return;
        };
        let sid = of.session.card().sid();
        let absence = Absence {
            sid,
            since: 0,
            until: u64::MAX,
        };
        let relay = to_member.relay;
        let frame = Frame::entry(EntryKind::Asleep, &absence.entry());
        self.post_late(relay, to, frame.into());
    }

    /// A place was kept for long enough, if nobody has come back to it.
    pub fn relay_forgets(&mut self, relay: usize, number: usize) {
        let seat = self.relays[relay].seats.get(&number);
        let is_over = seat.is_some_and(|seat| seat.kept.is_some_and(|until| until <= self.now));
        if is_over {
            self.relay_drops(relay, number, Departure::Lost);
        }
    }

    /// The relay throws a member out, whose connection is broken.
    pub fn throw_out(&mut self, relay: usize, who: usize) {
        if let Some(number) = self.relays[relay].seat_of(who) {
            self.relay_drops(relay, number, Departure::Lost);
        }
    }

    /// Puts what the room has put into mailboxes into the members' queues, or what is put there in its
    /// place. It comes of something that a member did.
    fn hand_out(&mut self, relay: usize, from: usize, what: What) {
        let posted = POSTED.take();
        let entry = self.entries;
        let mut entries = 0;
        let mut touched = Vec::new();
        for (number, posted) in posted {
            let Some(seat) = self.relays[relay].seats.get(&number) else {
                continue;
            };
            let to = seat.who;
            touched.push(number);
            let frame = match posted {
                Posted::Dismissal(notice) => {
                    self.queue(relay, number, Frame::notice(notice.code()).into());
                    self.close_seat(relay, number);
                    continue;
                }
                Posted::Frame(frame) => frame,
            };
            let bytes = frame.slices().concat().split_off(4);
            if !frame.is_counted() {
                for bytes in self.misbehaviours.welcome(to, bytes) {
                    self.queue(relay, number, outgoing(bytes));
                }
                continue;
            }
            let is_own = bytes[0] == kind::OWN;
            let what = match bytes[0] {
                kind::ENTRY => What::of_entry(bytes[1]),
                kind::OWN => what,
                kind::DELIVER => What::Direct,
                kind::RECEIPT => What::Receipt,
                _ => What::Refused,
            };
            let is_entry = is_own || bytes[0] == kind::ENTRY;
            // What the joining of somebody brings about beside itself: that it has left before.
            let second = usize::from(what == What::Joined);
            entries = entries.max(usize::from(is_entry) + second);
            let put = Put {
                number: self.puts.len(),
                at: self.now,
                to,
                from,
                what,
                entry: is_entry.then_some(entry + second),
                is_own,
                has_ciphertext: has_ciphertext(&bytes),
            };
            self.puts.push(put);
            for (delay, bytes) in self.misbehaviours.meddle(&put, bytes) {
                if delay.is_zero() {
                    self.queue(relay, number, outgoing(bytes));
                } else {
                    let frame = outgoing(bytes);
                    let at = self.now + delay;
                    self.at(at, Happening::Posted { relay, to, frame });
                }
            }
        }
        self.entries += entries;
        for number in touched {
            self.flush(relay, number);
        }
    }

    /// What was held back is put into a member's queue.
    pub fn post_late(&mut self, relay: usize, to: usize, frame: OutgoingFrame) {
        if let Some(number) = self.relays[relay].seat_of(to) {
            self.queue(relay, number, frame);
            self.flush(relay, number);
        }
    }

    fn queue(&mut self, relay: usize, number: usize, frame: OutgoingFrame) {
        let bytes = frame.slices().concat().split_off(4);
        let digest = match ToClient::parse(&bytes) {
            Ok(ToClient::Entry {
                kind: EntryKind::Statement,
                entry,
                ..
            }) => Some(entry_digest(entry)),
            _ => None,
        };
        let signed = self.signed_in(&bytes);
        self.digests.extend(digest.zip(signed));
        if let Some(seat) = self.relays[relay].seats.get_mut(&number) {
            let posted = match digest {
                Some(digest) => seat.backlog.post_statement(frame, &digest),
                None => seat.backlog.post(frame),
            };
            posted.expect("there is room");
        }
    }

    /// Sends what is in a member's queue, if it is connected.
    fn flush(&mut self, relay: usize, number: usize) {
        let Some(seat) = self.relays[relay].seats.get_mut(&number) else {
            return;
        };
        let Some(connection) = seat.connection else {
            return;
        };
        let who = seat.who;
        let mut frames = Vec::new();
        while let Some(unsent) = seat.backlog.take() {
            let taken = unsent.frames().iter();
            frames.extend(taken.map(|frame| frame.slices().concat().split_off(4)));
        }
        for frame in frames {
            self.send_down(who, connection, frame);
        }
    }
}

fn outgoing(mut bytes: Vec<u8>) -> OutgoingFrame {
    let fields = bytes.split_off(1);
    let frame = Frame {
        kind: bytes[0],
        fields,
    };
    frame.into()
}

/// Whether a frame carries a reader's ciphertext.
fn has_ciphertext(frame: &[u8]) -> bool {
    matches!(
        ToClient::parse(frame),
        Ok(ToClient::Entry { ciphertext, .. } | ToClient::Deliver(_, ciphertext))
            if !ciphertext.is_empty()
    )
}
