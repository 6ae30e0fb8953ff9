//! The relay's room, in which members do whatever bytes say: through everything that is behind a
//! socket.

use std::cell::RefCell;
use std::collections::{BTreeMap, HashSet, VecDeque};
use std::rc::Rc;

use e2echat::cipher::encoding::{Digest, Encoder};
use e2echat::room::card::{Card, SessionId};
use e2echat::room::chain::{Claim, EntryKind, Link, entry_digest};
use e2echat::room::frame::{
    Absence, Departure, Frame, Part, RelayLimits, RunId, Signed, ToClient, ToRelay, parse_awake,
    parse_left,
};
use e2echat::room::message::{Header, Stream};
use e2echat::room::notice::Notice;
use e2echat::room::numbers::{Had, Ranges};
use e2echat::room::relay::{Backlog, Intake, Mailbox, MemberRequest, OutgoingFrame, Room};
use e2echat::room::statement::{Occasion, Purpose, Receipt, Statement};

use super::keys::{Fields, room, sign};
use super::payload;
use super::script::Script;

const RUN: RunId = RunId([2; 16]);
const LIMITS: RelayLimits = RelayLimits {
    idle: 90,
    members: 3,
    blocks: 0,
    bytes: 0,
};
const GRACE: u32 = 60;
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
    card: Card,
    /// The place of the last entry that it was told of.
    link: Option<Link>,
    members_to_come: u32,
    /// Its own entries that are not back: of a new card, that too.
    not_back: VecDeque<(EntryKind, Digest, Option<Card>)>,
    /// The others, as this member was told.
    others: BTreeMap<SessionId, Card>,
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
            card: card.clone(),
            link: None,
            members_to_come: 0,
            not_back: VecDeque::new(),
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
                assert!(self.link.is_none() && welcome.members < LIMITS.members);
                assert_eq!((welcome.received, welcome.grace), (0, GRACE));
                let joining = entry_digest(self.card.bytes());
                self.link = Some(welcome.before.then(EntryKind::Joined, &joining));
                self.members_to_come = welcome.members;
            }
            ToClient::Absent(absence) => assert_eq!((absence.since, absence.until), (5, 9)),
            ToClient::Member(card) => {
                self.members_to_come = self.members_to_come.checked_sub(1).expect("announced");
                self.add(card);
            }
            ToClient::Entry { kind, entry, .. } => {
                self.follow(kind, &entry_digest(entry));
                self.read_entry(kind, entry, frame);
            }
            ToClient::Own => {
                let (kind, entry, card) = self.not_back.pop_front().expect("it sent an entry");
                self.follow(kind, &entry);
                self.card = card.unwrap_or_else(|| self.card.clone());
            }
            ToClient::Refused(code) => {
                let reasons = [Notice::NickTaken, Notice::KeyTaken].map(Notice::code);
                assert!(reasons.contains(&code), "{code}");
                let refused = self.not_back.pop_front();
                assert!(refused.is_some_and(|(kind, ..)| kind == EntryKind::Rekeyed));
            }
            ToClient::Deliver(..) | ToClient::Receipt(..) => {
                assert!(self.link.is_some() && self.members_to_come == 0);
                self.delivered.push(frame.to_vec());
            }
            other => panic!("a room does not send {other:?}"),
        }
    }

    /// The next entry of the chain.
    fn follow(&mut self, kind: EntryKind, entry: &Digest) {
        assert_eq!(self.members_to_come, 0);
        let link = self.link.expect("it was let in");
        self.link = Some(link.then(kind, entry));
    }

    fn read_entry(&mut self, kind: EntryKind, entry: &[u8], frame: &[u8]) {
        match kind {
            EntryKind::Joined => self.add(entry),
            EntryKind::Left => {
                let (sid, _) = parse_left(entry).expect("one that left");
                assert!(self.others.remove(&sid).is_some(), "who left was there");
            }
            EntryKind::Rekeyed => {
                let card = Card::parse(entry, room().id()).expect("a good card");
                let before = self.others.remove(&card.previous());
                assert!(before.is_some_and(|before| card.is_successor_of(&before)));
                self.add(entry);
            }
            EntryKind::Message | EntryKind::Statement => self.delivered.push(frame.to_vec()),
            EntryKind::Goodbye => {
                self.delivered.push(frame.to_vec());
                let signed = Signed::parse(entry).expect("a statement");
                let goodbye = Statement::parse(signed.bytes).expect("a statement");
                let is_its = |card: &&Card| {
                    [card.sid(), card.previous()].contains(&goodbye.sender)
                        && card.identity().verifies(signed.bytes, signed.signature)
                };
                let sid = self.others.values().find(is_its).map(Card::sid);
                self.others
                    .remove(&sid.expect("who says goodbye was there"));
            }
            EntryKind::Asleep => {
                let absence = Absence::parse(entry).expect("one that sleeps");
                self.check_sleeper(absence.sid);
            }
            EntryKind::Awake => self.check_sleeper(parse_awake(entry).expect("one that wakes")),
            EntryKind::Unknown(code) => panic!("a room has no entry of kind {code}"),
        }
    }

    /// Whoever the relay says this of is in the room.
    fn check_sleeper(&self, sid: SessionId) {
        assert!(sid == self.card.sid() || self.others.contains_key(&sid));
    }

    fn add(&mut self, card: &[u8]) {
        let card = Card::parse(card, room().id()).expect("a good card");
        let skeleton = card.nick().skeleton();
        let mut others = self.others.values();
        let is_alike = others.any(|other| other.nick().skeleton() == skeleton);
        assert!(!is_alike && card.sid() != self.card.sid(), "no nick twice");
        self.others.insert(card.sid(), card);
    }

    fn has(&self, sid: SessionId) -> bool {
        [self.card.sid(), self.card.previous()].contains(&sid)
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
        assert_eq!(notice, Notice::Replaced, "by itself from elsewhere");
        self.0.borrow_mut().is_closed = true;
    }
}

struct Member {
    card: Card,
    identity: usize,
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
    position: u64,
}

/// The relay's room.
pub fn relay(bytes: &[u8]) {
    let mut script = Script::new(bytes);
    let position = script.byte().into();
    let start = Link::start(RUN, room().id(), position);
    let mut world = World {
        room: Room::new(start, &LIMITS, GRACE),
        members: Default::default(),
        allowed: Allowed::new(),
        position,
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
        match script.pick(11) {
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
            7 => {
                let purpose = Purpose::ToAll(Occasion::Goodbye);
                let frame = self.statement_with(slot, purpose, script);
                self.send(slot, frame);
            }
            8 => self.resume(slot, script),
            9 => {
                let joined = self.member(slot).intake.joined();
                if script.pick(2) == 0 {
                    self.room.put_to_sleep(joined, 5..9);
                } else {
                    self.room.wake(joined);
                }
            }
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

    fn join(&mut self, slot: usize, script: &mut Script<'_>) {
        let (nick, key) = (NICKS[script.pick(NICKS.len())], script.pick(5));
        let identity = script.pick(3);
        let mut fields = Fields::new(nick, identity, key);
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
            Ok(joined) => {
                assert_eq!(joined, self.room.link().position);
                self.members[slot] = Some(Member {
                    intake: Intake::new(&card, RUN, joined, &LIMITS),
                    card,
                    identity,
                    mailbox,
                    last: Vec::new(),
                    pending: Vec::new(),
                });
            }
            Err(notice) => {
                let is_expected = [Notice::RoomFull, Notice::NickTaken, Notice::KeyTaken];
                assert!(is_expected.contains(&notice), "{notice:?}");
                assert!(mailbox.0.borrow().link.is_none(), "it is told nothing");
            }
        }
    }

    fn leave(&mut self, slot: usize, departure: Departure) {
        if let Some(member) = self.members[slot].take() {
            let joined = member.intake.joined();
            self.room.leave(joined, departure);
            // A connection that is replaced says so once more.
            let link = self.room.link();
            self.room.leave(joined, departure);
            assert_eq!(self.room.link(), link);
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

    fn claim(&self, script: &mut Script<'_>) -> Claim {
        Claim {
            run: if script.pick(8) == 7 {
                RunId([9; 16])
            } else {
                RUN
            },
            link: Link {
                position: script.number(self.room.link().position),
                digest: [0; 32],
            },
            roster: [0; 32],
            unread: Ranges::default(),
        }
    }

    /// Under which session id a member signs.
    fn sender(&self, slot: usize, script: &mut Script<'_>) -> SessionId {
        let card = &self.member(slot).card;
        match script.pick(8) {
            6 => card.previous(),
            7 => self.somebody(script),
            _ => card.sid(),
        }
    }

    fn message(&self, slot: usize, script: &mut Script<'_>) -> Vec<u8> {
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
            sender: self.sender(slot, script),
            stream,
            number: script.number(0),
            time: 0,
            flags: script.byte(),
            left_out: Vec::new(),
            claim: self.claim(script),
            commitment: [script.byte(); 32],
        };
        let part = match script.pick(4) {
            0 | 1 => Part::Last,
            2 => Part::More,
            _ => Part::Again,
        };
        payload(&Frame::send(
            &header.encode(),
            script.bytes(),
            part,
            &parcels,
        ))
    }

    fn statement(&self, slot: usize, script: &mut Script<'_>) -> Vec<u8> {
        let purpose = match script.pick(4) {
            0 | 1 => Purpose::ToAll(Occasion::Beacon),
            2 => Purpose::ToAll(Occasion::Unknown(script.byte().max(2))),
            _ => Purpose::Receipt(
                self.somebody(script),
                Receipt {
                    direct: Had::default(),
                    room: None,
                },
            ),
        };
        self.statement_with(slot, purpose, script)
    }

    fn statement_with(&self, slot: usize, purpose: Purpose, script: &mut Script<'_>) -> Vec<u8> {
        let statement = Statement {
            room: room().id(),
            sender: self.sender(slot, script),
            time: script.number(0),
            next: script.number(0),
            claim: self.claim(script),
            purpose,
        };
        let statement = statement.encode();
        let signature = sign(self.member(slot).identity, &statement);
        payload(&Frame::statement(&statement, &signature))
    }

    fn rekey(&self, slot: usize, script: &mut Script<'_>) -> Vec<u8> {
        let member = self.member(slot);
        let card = Fields {
            nick: match script.pick(4) {
                3 => NICKS[script.pick(NICKS.len())],
                _ => member.card.nick().as_str(),
            },
            identity: member.identity,
            session: script.pick(5),
            generation: u32::try_from(script.number(u64::from(member.card.generation()) + 1))
                .unwrap_or(u32::MAX),
            previous: if script.pick(8) == 7 {
                self.somebody(script)
            } else {
                member.card.sid()
            },
            first: member.card.first(),
            next: script.number(0),
            past: &[],
        };
        payload(&Frame::rekey(&card.bytes()))
    }

    /// What the reader of a member's connection does.
    fn send(&mut self, slot: usize, frame: Vec<u8>) {
        let member = self.members[slot].as_mut().expect("it is in the room");
        let before = member.intake.received();
        let Ok(request) = member.intake.take(frame.clone()) else {
            assert_eq!(member.intake.received(), before);
            return self.leave(slot, Departure::Misbehaved);
        };
        let counts = (0x10..=0x1f).contains(&frame[0]);
        assert_eq!(member.intake.received(), before + u64::from(counts));
        member.last.clone_from(&frame);
        let mut post = member.mailbox.0.borrow_mut();
        let not_back = match &request {
            MemberRequest::Forget(count) => {
                let is_good = post.acknowledge(*count, false);
                drop(post);
                if !is_good {
                    self.leave(slot, Departure::Misbehaved);
                }
                return;
            }
            MemberRequest::Wait => {
                member.pending.push(frame);
                None
            }
            MemberRequest::Forward(_) => {
                member.pending.push(frame);
                let mut entry = None;
                for frame in std::mem::take(&mut member.pending) {
                    entry = allow(&mut self.allowed, &frame);
                }
                entry
            }
            MemberRequest::Statement(_) | MemberRequest::Goodbye(_) | MemberRequest::Receipt(_) => {
                allow(&mut self.allowed, &frame)
            }
            MemberRequest::Rekey(_) => {
                let Ok(ToRelay::Rekey(bytes)) = ToRelay::parse(&frame) else {
                    panic!("it was a card");
                };
                let card = Card::parse(bytes, room().id()).expect("a good card");
                Some((EntryKind::Rekeyed, entry_digest(bytes), Some(card)))
            }
            MemberRequest::Acknowledge => None,
        };
        post.not_back.extend(not_back);
        drop(post);
        if self.room.carry_out(&mut member.intake, &request).is_err() {
            // What it signed under another's session id has no place, and nothing more is taken.
            member.mailbox.0.borrow_mut().is_closed = true;
            return self.leave(slot, Departure::Misbehaved);
        }
        let post = member.mailbox.0.borrow();
        // Each entry is back before the frame that brought it can be acknowledged.
        assert!(post.is_closed || post.not_back.is_empty());
        drop(post);
        if let MemberRequest::Rekey(_) = &request {
            let Ok(ToRelay::Rekey(bytes)) = ToRelay::parse(&member.last) else {
                panic!("it was a card");
            };
            let card = Card::parse(bytes, room().id()).expect("a good card");
            if member.intake.sid() == card.sid() {
                member.card = card;
            }
        }
        if let MemberRequest::Goodbye(_) = &request {
            let link = self.room.link();
            let post = member.mailbox.0.borrow();
            assert!(post.is_closed || post.link == Some(link));
            drop(post);
            self.leave(slot, Departure::Left);
            assert_eq!(self.room.link(), link, "it was out already");
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
        let link = self.room.link();
        assert!(link.position >= self.position, "positions go up");
        self.position = link.position;
        let members: Vec<&Member> = self.members.iter().flatten().collect();
        assert_eq!(self.room.len(), members.len());
        assert!(members.len() <= LIMITS.members as usize);
        for member in &members {
            let mut post = member.mailbox.0.borrow_mut();
            assert!(post.weight() <= MAX_QUEUE);
            for frame in std::mem::take(&mut post.delivered) {
                let mut reasons = self.allowed.iter().filter(|(_, it)| *it == frame);
                let is_for = |to: Option<SessionId>| to.is_none_or(|sid| post.has(sid));
                assert!(reasons.any(|(to, _)| is_for(*to)), "for another");
            }
            if !post.is_closed {
                let others: Vec<SessionId> = post.others.keys().copied().collect();
                let mut there: Vec<SessionId> = members.iter().map(|it| it.card.sid()).collect();
                there.retain(|sid| *sid != member.card.sid());
                there.sort_unstable();
                assert_eq!(others, there, "each knows who is there");
                assert_eq!(post.link, Some(link));
                assert_eq!(post.card.sid(), member.card.sid());
            }
        }
    }
}

/// Notes what may come of a frame, worked out anew. Returns the entry that it makes, if it is the last
/// one of one.
fn allow(allowed: &mut Allowed, frame: &[u8]) -> Option<(EntryKind, Digest, Option<Card>)> {
    let entry_frame = |kind: EntryKind, entry: &[u8], ciphertext: &[u8]| {
        let fields = Encoder::default().byte(0x11).byte(kind.code());
        fields.string(entry).bytes(ciphertext).finish()
    };
    let (kind, signed) = match ToRelay::parse(frame).expect("it was taken") {
        ToRelay::Send(send) => {
            let header = Header::parse(&frame[send.header.clone()]).expect("a header");
            let signed = &frame[send.signed.clone()];
            let is_entry = header.stream == Stream::Room && send.part != Part::Again;
            for parcel in &send.parcels {
                let ciphertext = &frame[parcel.ciphertext.clone()];
                let delivery = if is_entry {
                    entry_frame(EntryKind::Message, signed, ciphertext)
                } else {
                    let fields = Encoder::default().byte(0x13).bytes(signed);
                    fields.bytes(ciphertext).finish()
                };
                allowed.insert((Some(parcel.to), delivery));
            }
            if !is_entry || send.part == Part::More {
                return None;
            }
            (EntryKind::Message, signed)
        }
        ToRelay::Statement(state) => {
            let statement = Statement::parse(state.statement).expect("a statement");
            let signed = &frame[state.signed.clone()];
            let kind = match statement.purpose {
                Purpose::ToAll(Occasion::Goodbye) => EntryKind::Goodbye,
                Purpose::ToAll(_) => EntryKind::Statement,
                Purpose::Receipt(to, _) => {
                    let receipt = Encoder::default().byte(0x16).bytes(signed).finish();
                    allowed.insert((Some(to), receipt));
                    return None;
                }
            };
            (kind, signed)
        }
        _ => return None,
    };
    allowed.insert((None, entry_frame(kind, signed, &[0; 4])));
    Some((kind, entry_digest(signed), None))
}
