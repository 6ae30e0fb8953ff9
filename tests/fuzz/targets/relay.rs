//! The relay's room, in which members do whatever bytes say: through everything that is behind a
//! socket.

use std::cell::RefCell;
use std::collections::{BTreeMap, HashSet, VecDeque};
use std::rc::Rc;

use e2echat::cipher::encoding::Encoder;
use e2echat::room::card::{Card, SessionId};
use e2echat::room::frame::{Departure, Frame, RelayLimits, RunId, ToClient, ToRelay};
use e2echat::room::message::{Header, Stream};
use e2echat::room::notice::Notice;
use e2echat::room::relay::{Backlog, Intake, Mailbox, MemberRequest, OutgoingFrame, Room};
use e2echat::room::statement::{Occasion, PastEntry, Statement, ToldEntry};

use super::keys::{Fields, room};
use super::payload;
use super::script::Script;

const RUN: RunId = RunId([2; 16]);
const LIMITS: RelayLimits = RelayLimits {
    idle: 90,
    grace: 60,
    members: 3,
    blocks: 0,
    bytes: 0,
};
/// Small, so that it overflows.
const MAX_QUEUE: usize = 8 * 1024;
const SLOTS: usize = 4;
const NICKS: [&str; 5] = ["ada", "bob", "AdA", "b0b", "cara"];

/// What was put into a member's mailbox: checked while it is put there.
struct Post {
    backlog: Backlog,
    /// What should be in the backlog: the weight of each frame that waits, and whether it counts;
    /// then what is not acknowledged.
    waiting: VecDeque<(usize, bool)>,
    sent: VecDeque<Sent>,
    acknowledged: u64,
    /// How many of the frames that count in what was sent first are acknowledged.
    taken: usize,
    /// Once it has overflown, or been dismissed, nothing is looked at any more.
    is_closed: bool,
    /// The member's session ids: the one before the present one is its own too.
    own: Vec<SessionId>,
    epoch: Option<u64>,
    members_to_come: u32,
    /// The others, as this member was told, with the skeletons of their nicks.
    others: BTreeMap<SessionId, String>,
    delivered: Vec<Vec<u8>>,
}

/// What is forgotten together.
struct Sent {
    /// The weights of the frames that count.
    counted: Vec<usize>,
    /// That of all.
    weight: usize,
    /// Whether they end with what asks for an acknowledgement.
    is_asked: bool,
}

/// The frame PING.
const PING: [u8; 5] = [0, 0, 0, 1, 0x20];

impl Post {
    fn new(card: &Card) -> Self {
        Self {
            backlog: Backlog::new(MAX_QUEUE),
            waiting: VecDeque::new(),
            sent: VecDeque::new(),
            acknowledged: 0,
            taken: 0,
            is_closed: false,
            own: vec![card.sid(), card.previous()],
            epoch: None,
            members_to_come: 0,
            others: BTreeMap::new(),
            delivered: Vec::new(),
        }
    }

    fn take(&mut self, frame: OutgoingFrame) {
        if self.is_closed {
            return;
        }
        let (weight, counts) = (frame.weight(), frame.is_counted());
        let bytes = frame.slices().concat();
        assert_eq!(bytes.len(), frame.len());
        let fits = self.weight() + weight <= MAX_QUEUE;
        assert_eq!(self.backlog.post(frame).is_ok(), fits);
        if !fits {
            self.backlog.clear();
            self.waiting.clear();
            self.sent.clear();
            self.is_closed = true;
            return;
        }
        self.waiting.push_back((weight, counts));
        let (length, payload) = bytes.split_at(4);
        assert_eq!(length, u32::try_from(payload.len()).unwrap().to_be_bytes());
        self.read(payload);
    }

    fn weight(&self) -> usize {
        let waiting: usize = self.waiting.iter().map(|(weight, _)| weight).sum();
        waiting + self.sent.iter().map(|sent| sent.weight).sum::<usize>()
    }

    /// Understands a frame as the member does.
    fn read(&mut self, frame: &[u8]) {
        match ToClient::parse(frame).expect("a relay sends what a client understands") {
            ToClient::Welcome(welcome) => {
                assert!(self.epoch.is_none() && welcome.members < LIMITS.members);
                self.epoch = Some(welcome.epoch);
                self.members_to_come = welcome.members;
            }
            ToClient::Member(card) => {
                self.members_to_come = self.members_to_come.checked_sub(1).expect("announced");
                self.add(card);
            }
            ToClient::Joined { epoch, card } => {
                self.change(epoch);
                self.add(card);
            }
            ToClient::Left { epoch, sid, .. } => {
                self.change(epoch);
                assert!(self.others.remove(&sid).is_some(), "who left was there");
            }
            ToClient::Rekeyed { epoch, card } => {
                self.change(epoch);
                let card = Card::parse(card, room().id()).expect("a good card");
                if card.previous() == self.own[0] {
                    self.own = vec![card.sid(), card.previous()];
                } else {
                    let before = self.others.remove(&card.previous());
                    assert!(before.is_some(), "who changes its card was there");
                    self.add(card.bytes());
                }
            }
            ToClient::Deliver { .. } | ToClient::Statement { .. } => {
                assert!(self.epoch.is_some() && self.members_to_come == 0);
                self.delivered.push(frame.to_vec());
            }
            other => panic!("a room does not send {other:?}"),
        }
    }

    fn change(&mut self, epoch: u64) {
        assert_eq!(self.members_to_come, 0);
        assert_eq!(self.epoch.map(|before| before + 1), Some(epoch));
        self.epoch = Some(epoch);
    }

    fn add(&mut self, card: &[u8]) {
        let card = Card::parse(card, room().id()).expect("a good card");
        let skeleton = card.nick().skeleton();
        let is_alike = self.others.values().any(|other| *other == skeleton);
        assert!(!is_alike && card.sid() != self.own[0], "no nick twice");
        self.others.insert(card.sid(), skeleton);
    }

    /// What the writer of its connection does.
    fn write(&mut self) {
        let bundle = self.backlog.take();
        let frames = bundle.as_ref().map_or(&[][..], |bundle| bundle.frames());
        let mut counted = Vec::new();
        // The relay asks for acknowledgements in between.
        for frame in frames
            .iter()
            .filter(|frame| frame.is_counted() || frame.len() > 5)
        {
            let (weight, counts) = self.waiting.pop_front().expect("it was waiting");
            assert_eq!((frame.weight(), frame.is_counted()), (weight, counts));
            counted.extend(counts.then_some(weight));
        }
        let is_ping = |frame: &OutgoingFrame| frame.slices().concat() == PING;
        let weights = frames.iter().filter(|frame| !is_ping(frame));
        let weight: usize = weights.map(OutgoingFrame::weight).sum();
        let is_asked = frames.last().is_some_and(is_ping);
        match self.sent.back_mut() {
            _ if counted.is_empty() => {}
            Some(last) if !last.is_asked => {
                last.counted.extend(counted);
                last.weight += weight;
                last.is_asked = is_asked;
            }
            _ => self.sent.push_back(Sent {
                counted,
                weight,
                is_asked,
            }),
        }
        assert_eq!(self.backlog.is_empty(), self.waiting.is_empty());
    }

    /// What an ACK does, and, for a new connection, what HELLO does.
    fn acknowledge(&mut self, count: u64, resumes: bool) -> bool {
        let is_possible = (self.acknowledged..=self.most()).contains(&count);
        let is_taken = if resumes {
            self.backlog.resume(count).is_ok()
        } else {
            self.backlog.acknowledge(count).is_ok()
        };
        assert_eq!(is_taken, is_possible);
        if is_possible {
            self.taken += usize::try_from(count - self.acknowledged).unwrap();
            self.acknowledged = count;
            while let Some(first) = self.sent.front()
                && first.counted.len() <= self.taken
            {
                self.taken -= first.counted.len();
                self.sent.pop_front();
            }
        }
        if is_possible && resumes {
            let sent = self.sent.drain(..).flat_map(|sent| sent.counted);
            let unsent = sent.skip(std::mem::take(&mut self.taken));
            let waiting = self.waiting.drain(..).filter(|(_, counts)| *counts);
            self.waiting = unsent.map(|weight| (weight, true)).chain(waiting).collect();
        }
        is_possible
    }

    /// The most that it can acknowledge.
    fn most(&self) -> u64 {
        let sent: usize = self.sent.iter().map(|sent| sent.counted.len()).sum();
        self.acknowledged + (sent - self.taken) as u64
    }
}

#[derive(Clone)]
struct Mail(Rc<RefCell<Post>>);

impl Mailbox for Mail {
    fn post(&self, frame: OutgoingFrame) {
        self.0.borrow_mut().take(frame);
    }

    fn dismiss(&self, notice: Notice) {
        // By itself from elsewhere, or for a nick or a session key that another one has.
        let is_reason = |it| matches!(it, Notice::Replaced | Notice::NickTaken | Notice::KeyTaken);
        assert!(is_reason(notice), "{notice:?}");
        self.0.borrow_mut().is_closed = true;
    }
}

struct Member {
    card: Card,
    key: usize,
    generation: u32,
    intake: Intake,
    mailbox: Mail,
    /// What it was allowed to send, for whom: all that may be delivered of it.
    last: Vec<u8>,
    pending: Vec<Vec<u8>>,
}

/// What may be in somebody's mailbox: for whom, and the frame.
type Allowed = HashSet<(Option<SessionId>, Vec<u8>)>;

struct World {
    room: Room<Mail>,
    members: [Option<Member>; SLOTS],
    allowed: Allowed,
    epoch: u64,
}

/// The relay's room.
pub fn relay(bytes: &[u8]) {
    let mut script = Script::new(bytes);
    let epoch = script.byte().into();
    let mut world = World {
        room: Room::new(epoch, &LIMITS),
        members: Default::default(),
        allowed: Allowed::new(),
        epoch,
    };
    while !script.is_over() {
        let slot = script.pick(SLOTS);
        world.act(slot, &mut script);
        world.check();
    }
}

impl World {
    fn act(&mut self, slot: usize, script: &mut Script<'_>) {
        if self.members[slot].is_none() {
            return self.join(slot, script);
        }
        match script.pick(10) {
            0 => self.leave(slot, Departure::Lost),
            1 => {
                let frame = script.bytes().to_vec();
                self.send(slot, frame);
            }
            2 | 3 => {
                let frame = self.message(slot, script);
                self.send(slot, frame);
            }
            4 => {
                let frame = self.statement(slot, script);
                self.send(slot, frame);
            }
            5 => {
                let frame = self.rekey(slot, script);
                self.send(slot, frame);
            }
            6 => {
                let frame = script.damage(&self.member(slot).last);
                self.send(slot, frame);
            }
            7 => self.send(slot, payload(&Frame::leave())),
            8 => self.resume(slot, script),
            _ => {
                let mut post = self.member(slot).mailbox.0.borrow_mut();
                if !post.is_closed {
                    post.write();
                }
            }
        }
    }

    fn member(&self, slot: usize) -> &Member {
        self.members[slot].as_ref().expect("it is in the room")
    }

    fn member_mut(&mut self, slot: usize) -> &mut Member {
        self.members[slot].as_mut().expect("it is in the room")
    }

    fn join(&mut self, slot: usize, script: &mut Script<'_>) {
        let (nick, key) = (NICKS[script.pick(NICKS.len())], script.pick(5));
        let mut fields = Fields::new(nick, script.pick(3), key);
        if script.pick(4) == 3 {
            fields.generation = 1;
            fields.previous = self.somebody(script);
            fields.first = fields.previous;
        }
        let Some(card) = fields.card() else {
            return;
        };
        let mailbox = Mail(Rc::new(RefCell::new(Post::new(&card))));
        let joined = self.room.join(&card, &mailbox);
        // Whoever was the same has lost its place, whatever became of the newcomer.
        for member in &mut self.members {
            let is_same = |it: &Member| {
                let is_alike = it.card.nick().skeleton() == card.nick().skeleton();
                it.card.fingerprint() == card.fingerprint()
                    && (is_alike || it.card.origin() == card.origin())
            };
            if member.as_ref().is_some_and(is_same) {
                *member = None;
            }
        }
        match joined {
            Ok(epoch) => {
                assert_eq!(epoch, self.room.epoch());
                self.members[slot] = Some(Member {
                    intake: Intake::new(&card, RUN, epoch, &LIMITS),
                    generation: card.generation(),
                    card,
                    key,
                    mailbox,
                    last: Vec::new(),
                    pending: Vec::new(),
                });
            }
            Err(notice) => {
                let is_expected = [Notice::RoomFull, Notice::NickTaken, Notice::KeyTaken];
                assert!(is_expected.contains(&notice), "{notice:?}");
                assert!(mailbox.0.borrow().epoch.is_none(), "it is told nothing");
            }
        }
    }

    fn leave(&mut self, slot: usize, departure: Departure) {
        if let Some(member) = self.members[slot].take() {
            let (sid, joined) = (member.intake.sid(), member.intake.joined());
            self.room.leave(sid, joined, departure);
            // A connection that is replaced says so once more.
            let epoch = self.room.epoch();
            self.room.leave(sid, joined, departure);
            assert_eq!(self.room.epoch(), epoch);
        }
    }

    /// A member, a former one, or nobody.
    fn somebody(&self, script: &mut Script<'_>) -> SessionId {
        let slot = script.pick(SLOTS + 2);
        match self.members.get(slot).and_then(Option::as_ref) {
            Some(member) if script.pick(4) == 3 => member.card.previous(),
            Some(member) => member.card.sid(),
            None => SessionId([u8::try_from(slot + 1).unwrap(); 32]),
        }
    }

    fn message(&self, slot: usize, script: &mut Script<'_>) -> Vec<u8> {
        let member = self.member(slot);
        let parcels: Vec<(SessionId, Vec<u8>)> = (0..script.pick(4))
            .map(|_| {
                (
                    self.somebody(script),
                    script.bytes().repeat(1 + script.pick(16)),
                )
            })
            .collect();
        let stream = match script.pick(4) {
            3 => Stream::Direct(self.somebody(script)),
            _ => Stream::Room,
        };
        let header = Header {
            room: room().id(),
            sender: member.card.sid(),
            run: if script.pick(8) == 7 {
                RunId([9; 16])
            } else {
                RUN
            },
            epoch: script.number(self.room.epoch()),
            stream,
            sequence: script.number(0),
            time: 0,
            left_out: Vec::new(),
            audience: [0; 32],
            seen: script.number(0),
            parent: [0; 32],
            commitment: [script.byte(); 32],
        };
        payload(&Frame::send(
            &header.encode(),
            script.bytes(),
            !script.flag(),
            &parcels,
        ))
    }

    fn statement(&self, slot: usize, script: &mut Script<'_>) -> Vec<u8> {
        let told = (0..script.pick(3)).map(|_| ToldEntry {
            reader: self.somebody(script),
            total: 0,
        });
        let statement = Statement {
            told: told.collect(),
            room: room().id(),
            sender: self.member(slot).card.sid(),
            run: RUN,
            epoch: script.number(self.room.epoch()),
            roster: [0; 32],
            seen: script.number(0),
            parent: [0; 32],
            time: script.number(0),
            occasion: Occasion::Beacon,
            next: script.number(0),
            direct: Vec::new(),
            past: (0..script.byte().into())
                .map(|epoch| PastEntry {
                    epoch,
                    seen: 0,
                    parent: [0; 32],
                })
                .collect(),
            unread: Vec::new(),
        };
        let to: Vec<SessionId> = (0..script.pick(5)).map(|_| self.somebody(script)).collect();
        payload(&Frame::statement(&statement.encode(), script.bytes(), &to))
    }

    fn rekey(&self, slot: usize, script: &mut Script<'_>) -> Vec<u8> {
        let member = self.member(slot);
        let card = Fields {
            nick: match script.pick(4) {
                3 => NICKS[script.pick(NICKS.len())],
                _ => member.card.nick().as_str(),
            },
            identity: (0..3)
                .find(|n| {
                    Fields::new("x", *n, 0)
                        .card()
                        .expect("a card")
                        .fingerprint()
                        == member.card.fingerprint()
                })
                .expect("one of ours"),
            session: script.pick(5),
            generation: u32::try_from(script.number(u64::from(member.generation) + 1))
                .unwrap_or(u32::MAX),
            previous: if script.pick(8) == 7 {
                self.somebody(script)
            } else {
                member.card.sid()
            },
            first: member.card.origin(),
            next: script.number(0),
        };
        payload(&Frame::rekey(&card.bytes()))
    }

    /// What the reader of a member's connection does.
    fn send(&mut self, slot: usize, frame: Vec<u8>) {
        let member = self.member_mut(slot);
        let before = member.intake.received();
        let Ok(request) = member.intake.take(frame.clone()) else {
            assert_eq!(member.intake.received(), before);
            return self.leave(slot, Departure::Misbehaved);
        };
        let counts = (0x10..=0x1f).contains(&frame[0]);
        assert_eq!(member.intake.received(), before + u64::from(counts));
        member.last.clone_from(&frame);
        let sender = member.intake.sid();
        match &request {
            MemberRequest::Forget(count) => {
                let is_good = member.mailbox.0.borrow_mut().acknowledge(*count, false);
                if !is_good {
                    return self.leave(slot, Departure::Misbehaved);
                }
            }
            MemberRequest::Wait => member.pending.push(frame),
            MemberRequest::Forward(_) => {
                member.pending.push(frame);
                for frame in std::mem::take(&mut member.pending) {
                    allow(&mut self.allowed, &frame);
                }
            }
            MemberRequest::Rekey(card) => {
                member.generation = card.generation();
                member.card = *card.clone();
            }
            MemberRequest::Leave => return self.leave(slot, Departure::Left),
            MemberRequest::Statement(_) | MemberRequest::Goodbye(_) => {
                allow(&mut self.allowed, &frame);
            }
            MemberRequest::Acknowledge => {}
        }
        if let Err(notice) = self.room.carry_out(sender, &request) {
            let is_reason = matches!(notice, Notice::KeyTaken | Notice::NickTaken);
            assert!(is_reason, "{notice:?}");
            self.members[slot] = None;
        }
    }

    /// Another connection takes over.
    fn resume(&mut self, slot: usize, script: &mut Script<'_>) {
        let mut post = self.member(slot).mailbox.0.borrow_mut();
        if post.is_closed {
            return;
        }
        let most = post.most();
        let is_good = post.acknowledge(script.number(most), true);
        drop(post);
        if !is_good {
            self.leave(slot, Departure::Lost);
        }
    }

    fn check(&mut self) {
        assert!(self.room.epoch() >= self.epoch, "epochs go up");
        self.epoch = self.room.epoch();
        let members: Vec<&Member> = self.members.iter().flatten().collect();
        assert_eq!(self.room.len(), members.len());
        assert!(members.len() <= LIMITS.members as usize);
        for member in &members {
            let mut post = member.mailbox.0.borrow_mut();
            assert!(post.weight() <= MAX_QUEUE);
            for frame in std::mem::take(&mut post.delivered) {
                let is_for = |sid: &SessionId| self.allowed.contains(&(Some(*sid), frame.clone()));
                let is_for_all = self.allowed.contains(&(None, frame.clone()));
                assert!(is_for_all || post.own.iter().any(is_for), "for another");
            }
            if !post.is_closed {
                let others: Vec<SessionId> = post.others.keys().copied().collect();
                let mut there: Vec<SessionId> = members.iter().map(|it| it.card.sid()).collect();
                there.retain(|sid| *sid != member.card.sid());
                there.sort_unstable();
                assert_eq!(others, there, "each knows who is there");
                assert_eq!(post.epoch, Some(self.epoch));
            }
        }
    }
}

/// Notes what may come of a frame, worked out anew.
fn allow(allowed: &mut Allowed, frame: &[u8]) {
    match ToRelay::parse(frame).expect("it was taken") {
        ToRelay::Send(send) => {
            for parcel in &send.parcels {
                let delivery = Encoder::default()
                    .byte(0x11)
                    .bytes(&frame[send.signed.clone()])
                    .bytes(&frame[parcel.ciphertext.clone()]);
                allowed.insert((Some(parcel.to), delivery.finish()));
            }
        }
        ToRelay::Statement(state) => {
            let said = Encoder::default()
                .byte(0x15)
                .bytes(&frame[state.signed.clone()])
                .finish();
            let everybody = state.to.is_empty().then_some(None);
            let readers = state.to.iter().copied().map(Some).chain(everybody);
            allowed.extend(readers.map(|reader| (reader, said.clone())));
        }
        _ => {}
    }
}
