//! A room in one process, in simulated time: members who come, talk, change their keys and go, as
//! a seed has it, with queues between them and the relay in which everything takes its time. What
//! each member is to be told, event by event, is worked out beside it, from what was done.
//!
//! Connections may break, and be made again. For as long as the relay keeps the places of those
//! whose connection is broken, nobody is to notice. Where it does not, or forgets everything, a
//! [`Ledger`] has what became of every message.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::rc::Rc;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use rand::rngs::StdRng;
use rand::seq::SliceRandom as _;
use rand::{RngExt as _, SeedableRng as _};
use rsa::PrivateKey;
use rsa::pkcs8::{EncodePrivateKey as _, LineEnding};

use crate::cipher::keys::{IdentityKey, KeySize, SessionKey};
use crate::cipher::pem::IdentityPem;
use crate::room::card::{Card, Identity, SessionId};
use crate::room::frame::{Challenge, Departure, Frame, Limits, RunId, ToClient, ToRelay, kind};
use crate::room::message::Kind;
use crate::room::names::{Nick, RoomName};
use crate::room::notice::Notice;
use crate::room::relay::{Backlog, Intake, Mailbox, Outgoing, Request, Room, Unsent, admit};
use crate::room::session::{End, Event, Now, Policy, Session, Standing, To};

use super::ledger::Ledger;

/// How long the relay keeps the place of a member whose connection is broken.
const GRACE: Duration = Duration::from_mins(1);

/// After how long the relay takes a connection for dead that it was not told of.
const IDLE: Duration = Duration::from_secs(90);

/// How much the relay keeps for a member: in a simulation, all there is.
const QUEUE_BYTES: usize = 1 << 30;

/// How far the simulated time goes on at once.
const STEP: Duration = Duration::from_millis(50);

/// How long a frame is under way at most, each way.
const MAX_DELAY: Duration = Duration::from_millis(1500);

/// The relay passes on what is encrypted to a member's present and its previous key, no older one
/// (PROTOCOL §11). A client that changes its key twice within the time that its card and somebody's
/// message take would lose that message, so nobody does.
const BETWEEN_REKEYS: Duration = Duration::from_secs(61);

/// How many of the key pairs are identities; in a large room some people are there more than once.
const IDENTITIES: usize = 16;

/// How many of the others any run may begin with, so that their order is not the same in all.
const SHUFFLED: usize = 24;

/// One of the key pairs that all runs share: to make one takes as long as all that a small room does
/// with it. They are the same in every program, so that session ids come in the same order.
fn key_pair(number: usize) -> IdentityKey {
    static MADE: Mutex<Vec<Option<String>>> = Mutex::new(Vec::new());
    let known = {
        let made = MADE.lock().unwrap_or_else(PoisonError::into_inner);
        made.get(number).cloned().flatten()
    };
    let pem = known.unwrap_or_else(|| {
        let mut rng = StdRng::seed_from_u64(number as u64);
        let pair = PrivateKey::new(&mut rng, KeySize::Bits2048.bits()).unwrap();
        let pem = pair.to_pkcs8_pem(LineEnding::LF).unwrap().to_string();
        let mut made = MADE.lock().unwrap_or_else(PoisonError::into_inner);
        let length = made.len().max(number + 1);
        made.resize(length, None);
        made[number].get_or_insert(pem).clone()
    });
    IdentityPem::parse(&pem).unwrap().open().unwrap()
}

/// The session keys of a run, none of which it has twice.
struct SessionKeys {
    first: Vec<usize>,
    taken: usize,
}

impl SessionKeys {
    fn new(rng: &mut StdRng) -> Self {
        let mut first: Vec<usize> = (0..SHUFFLED).collect();
        first.shuffle(rng);
        Self { first, taken: 0 }
    }

    fn take(&mut self) -> SessionKey {
        let number = self.first.get(self.taken).copied().unwrap_or(self.taken);
        self.taken += 1;
        SessionKey::from_identity(key_pair(IDENTITIES + number))
    }
}

fn lobby() -> RoomName {
    "lobby".parse().expect("a name")
}

fn nick_of(nick: &str) -> Nick {
    nick.parse().expect("a nick")
}

/// A frame without its length: type and fields.
pub fn payload(frame: &Frame) -> Vec<u8> {
    frame.encode().split_off(4)
}

/// What a member is told, in the words of this simulation: members are numbers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Told {
    Joined(usize),
    /// Who, and whether it said so itself.
    Left(usize, Departure, bool),
    Rekeyed(usize),
    Message {
        from: usize,
        direct: bool,
        text: String,
    },
    LeftOut(usize),
}

/// What somebody said, until the relay has all of it.
struct Said {
    text: String,
    /// Who is to read it, and who is to see that there is something that they cannot read.
    readers: BTreeSet<usize>,
    left_out: BTreeSet<usize>,
    direct: bool,
}

/// What the relay has for a member.
#[derive(Clone)]
struct Inbox(Rc<RefCell<Backlog>>);

impl Default for Inbox {
    fn default() -> Self {
        Self(Rc::new(RefCell::new(Backlog::new(QUEUE_BYTES))))
    }
}

impl Mailbox for Inbox {
    fn post(&self, frame: Outgoing) {
        let posted = self.0.borrow_mut().post(frame);
        posted.expect("there is room");
    }

    fn dismiss(&self, notice: Notice) {
        self.post(Frame::notice(notice.code()).into());
    }
}

/// Frames that are under way; they arrive in order.
struct Queue<T>(VecDeque<(Duration, T)>);

impl<T> Queue<T> {
    fn push(&mut self, at: Duration, frame: T) {
        let at = self.0.back().map_or(at, |(last, _)| at.max(*last));
        self.0.push_back((at, frame));
    }

    fn due(&mut self, now: Duration) -> Option<T> {
        self.0.pop_front_if(|(at, _)| *at <= now).map(|(_, f)| f)
    }
}

enum ToServer {
    Frame(Vec<u8>),
    /// The connection is broken.
    Hangup,
    /// It is, and the relay does not keep the member's place.
    Gone,
}

enum ToMember {
    Frame(Vec<u8>),
    /// The connection is broken.
    Down,
}

/// What goes wrong with connections.
#[derive(Clone, Copy, Debug)]
pub struct Faults {
    /// How long it takes at most until a member whose connection broke makes another one.
    pub pause: Duration,
    /// Whether the relay still has every member's place by then, and is never started anew.
    pub is_lossless: bool,
}

/// A member, its connection, and what is known of it on both sides.
pub struct Member {
    pub nick: String,
    pub session: Session,
    /// Whether there is still somebody at this end.
    pub is_here: bool,
    pub is_leaving: bool,
    pub ended: Option<End>,
    up: Queue<(u64, ToServer)>,
    down: Queue<(u64, ToMember)>,
    /// Which connection is its present one, whether that is broken, which neither side need know
    /// yet, and when it makes another one.
    connection: u64,
    is_broken: bool,
    reconnects: Option<Duration>,
    pause: Duration,
    /// When the connection breaks by itself.
    breaks: Option<Duration>,
    /// When it answers the relay's question what it has received.
    answers: Option<Duration>,
    inbox: Inbox,
    /// The connection that the relay has for it, and until when it keeps its place without.
    served: Option<u64>,
    /// A connection that is broken without the relay's noticing, and when it does.
    unnoticed: Option<(u64, Duration)>,
    kept: Option<Duration>,
    /// The relay's side, from its entering on.
    intake: Option<Intake>,
    pub is_in_room: bool,
    /// When the relay last let it in, or passed on to everybody what it states.
    stated: Duration,
    acknowledged: u64,
    said: VecDeque<Said>,
    /// What it is still to be told.
    expected: VecDeque<Told>,
    /// Those who were there before it, from its MEMBER frames.
    found: Option<BTreeSet<usize>>,
    /// Whom it sees, and since which epoch.
    sees: BTreeMap<usize, u64>,
    entered: u64,
    /// When it was in the room for the first time.
    pub entered_at: Option<Duration>,
    next_tick: Duration,
    rekeyed: Duration,
    /// A key that is being made, and when it is ready.
    key_ready: Option<Duration>,
    /// What it was told that it should not have been.
    pub surprises: Vec<(Duration, String)>,
}

/// What the relay does to the frames on their way to a member.
pub type Tamper = Box<dyn FnMut(&Frames<'_>, Vec<u8>) -> Vec<Vec<u8>>>;

/// What a relay that tampers with a frame knows.
pub struct Frames<'a> {
    /// To whom it goes.
    pub to: usize,
    /// Which session is whose, of all there ever were.
    pub owners: &'a HashMap<SessionId, usize>,
}

pub struct Simulation {
    pub rng: StdRng,
    pub now: Duration,
    room: Room<Inbox>,
    challenge: Challenge,
    faults: Option<Faults>,
    pub ledger: Ledger,
    limits: Limits,
    pub members: Vec<Member>,
    owners: HashMap<SessionId, usize>,
    pub cards: Vec<Card>,
    pub tamper: Option<Tamper>,
    texts: usize,
    keys: SessionKeys,
    pub counts: Counts,
    /// Whether a new session key may come with a new nick.
    pub renames: bool,
}

/// What a run consisted of.
#[derive(Debug, Default)]
pub struct Counts {
    pub joins: usize,
    pub leaves: usize,
    pub losses: usize,
    pub rekeys: usize,
    pub messages: usize,
    pub directs: usize,
    pub told: usize,
    pub left_out: usize,
    pub breaks: usize,
    pub resumed: usize,
    pub restarts: usize,
    pub ticks: usize,
}

impl Simulation {
    pub fn new(seed: u64) -> Self {
        let limits = Limits {
            idle: 90,
            grace: 0,
            members: 64,
            blocks: 0,
            bytes: 0,
        };
        let mut rng = StdRng::seed_from_u64(seed);
        let keys = SessionKeys::new(&mut rng);
        Self {
            rng,
            now: Duration::ZERO,
            room: Room::new(0, &limits),
            challenge: Challenge {
                nonce: [1; 32],
                run: RunId([2; 16]),
            },
            faults: None,
            ledger: Ledger::default(),
            limits,
            members: Vec::new(),
            owners: HashMap::new(),
            cards: Vec::new(),
            tamper: None,
            texts: 0,
            keys,
            counts: Counts::default(),
            renames: true,
        }
    }

    /// With connections that break.
    pub fn with_faults(seed: u64, faults: Faults) -> Self {
        Self {
            faults: Some(faults),
            ..Self::new(seed)
        }
    }

    fn is_lossless(&self) -> bool {
        self.faults.is_none_or(|faults| faults.is_lossless)
    }

    /// The number of the room's last change.
    pub fn epoch(&self) -> u64 {
        self.room.epoch()
    }

    fn clocks(&self) -> Now {
        Now {
            time: 1_000 + u64::try_from(self.now.as_millis()).unwrap(),
            uptime: self.now,
        }
    }

    fn delay(&mut self) -> Duration {
        // Most frames are fast, and some are not.
        let most = if self.rng.random_ratio(1, 4) {
            MAX_DELAY
        } else {
            MAX_DELAY / 10
        };
        self.rng.random_range(Duration::ZERO..=most)
    }

    /// Those who are inside and are not about to go.
    pub fn inside(&self) -> Vec<usize> {
        let is_inside =
            |member: &Member| member.is_here && !member.is_leaving && member.session.is_inside();
        let numbered = self.members.iter().enumerate();
        numbered
            .filter(|(_, member)| is_inside(member))
            .map(|(number, _)| number)
            .collect()
    }

    /// How many are there or about to be.
    pub fn present(&self) -> usize {
        let is_here = |member: &&Member| member.is_here && !member.is_leaving;
        self.members.iter().filter(is_here).count()
    }

    /// One of those who are inside, or were when their connection broke.
    pub fn anybody(&mut self) -> Option<usize> {
        let may_speak =
            |member: &Member| member.is_here && !member.is_leaving && member.entered_at.is_some();
        let inside: Vec<usize> = match self.faults {
            None => self.inside(),
            Some(_) => (0..self.members.len())
                .filter(|number| may_speak(&self.members[*number]))
                .collect(),
        };
        (!inside.is_empty()).then(|| inside[self.rng.random_range(0..inside.len())])
    }

    pub fn join(&mut self) -> usize {
        let number = self.members.len();
        let nick = format!("member{}", letters(number));
        let identity = Identity {
            key: key_pair(number % IDENTITIES),
            is_lasting: self.rng.random_bool(0.5),
        };
        let rekey_after = [Duration::from_hours(1), Duration::from_mins(3)];
        let policy = Policy {
            at_least: Standing::New,
            rekey_after: rekey_after[self.rng.random_range(0..2)],
        };
        let session = Session::new(
            identity,
            self.keys.take(),
            &nick_of(&nick),
            &lobby(),
            policy,
            self.clocks(),
        );
        let sid = session.card().sid();
        self.owners.insert(sid, number);
        self.cards.push(session.card().clone());
        let member = Member {
            nick,
            session,
            is_here: true,
            is_leaving: false,
            ended: None,
            up: Queue(VecDeque::new()),
            down: Queue(VecDeque::new()),
            connection: 0,
            is_broken: false,
            reconnects: None,
            pause: Duration::ZERO,
            breaks: None,
            answers: None,
            inbox: Inbox::default(),
            served: None,
            unnoticed: None,
            kept: None,
            intake: None,
            is_in_room: false,
            stated: Duration::ZERO,
            acknowledged: 0,
            said: VecDeque::new(),
            expected: VecDeque::new(),
            found: None,
            sees: BTreeMap::new(),
            entered: 0,
            entered_at: None,
            next_tick: self.now,
            rekeyed: self.now,
            key_ready: None,
            surprises: Vec::new(),
        };
        self.members.push(member);
        self.connect(number);
        self.counts.joins += 1;
        number
    }

    /// Somebody makes a connection, which may break again before it is in the room.
    fn connect(&mut self, number: usize) {
        let at = self.now + self.delay();
        // What is said to somebody who has joined and never got to know it, is not for anybody.
        let may_break = !self.is_lossless() || self.members[number].entered_at.is_some();
        let breaks = self.faults.is_some() && may_break && self.rng.random_ratio(1, 4);
        let lasts = Duration::from_millis(if breaks {
            self.rng.random_range(0..4_000)
        } else {
            0
        });
        let challenge = payload(&Frame::challenge(&self.challenge, &self.limits));
        let member = &mut self.members[number];
        member.is_broken = false;
        member.breaks = breaks.then_some(self.now + lasts);
        let down = (member.connection, ToMember::Frame(challenge));
        member.down.push(at, down);
    }

    /// Somebody's connection breaks, and some of what is under way with it. Each side learns of it
    /// in its time, the relay sometimes only by the next connection.
    pub fn break_connection(&mut self, number: usize) {
        let Some(faults) = self.faults else { return };
        let (at, notices) = (self.now + self.delay(), self.rng.random_ratio(3, 4));
        let pause = self.rng.random_range(Duration::ZERO..=faults.pause);
        let member = &mut self.members[number];
        let may_break = !faults.is_lossless || member.entered_at.is_some();
        if !member.is_here || member.is_broken || member.reconnects.is_some() || !may_break {
            return;
        }
        self.counts.breaks += 1;
        member.is_broken = true;
        member.breaks = None;
        member.answers = None;
        member.pause = pause;
        member
            .up
            .0
            .truncate(self.rng.random_range(0..=member.up.0.len()));
        if notices {
            member.up.push(at, (member.connection, ToServer::Hangup));
        } else {
            member.unnoticed = Some((member.connection, self.now + IDLE));
        }
        let kept = self.rng.random_range(0..=member.down.0.len());
        member.down.0.truncate(kept);
        member.down.push(at, (member.connection, ToMember::Down));
    }

    /// The relay is started anew, and has forgotten everything.
    pub fn restart(&mut self) {
        self.counts.restarts += 1;
        let [first, ..] = self.challenge.run.0;
        self.challenge.run = RunId([first + 1; 16]);
        self.room = Room::new(0, &self.limits);
        for number in 0..self.members.len() {
            self.break_connection(number);
            let member = &mut self.members[number];
            member.up.0.clear();
            member.inbox = Inbox::default();
            member.intake = None;
            member.is_in_room = false;
            member.acknowledged = 0;
            (member.served, member.kept) = (None, None);
        }
    }

    /// Nothing breaks any more.
    pub fn calm_down(&mut self) {
        for member in &mut self.members {
            member.breaks = None;
        }
        if let Some(faults) = &mut self.faults {
            faults.pause = Duration::ZERO;
        }
    }

    fn is_down(&mut self, number: usize) {
        let member = &mut self.members[number];
        member.session.disconnect();
        member.connection += 1;
        member.answers = None;
        if member.session.has_said_goodbye() {
            member.is_here = false;
            // The relay notices when it hears nothing any more.
            let up = (member.connection - 1, ToServer::Hangup);
            member.up.push(self.now, up);
        } else {
            member.reconnects = Some(self.now + member.pause);
        }
    }

    pub fn leave(&mut self, number: usize) {
        let now = self.clocks();
        let member = &mut self.members[number];
        member.session.leave(now);
        member.is_leaving = true;
        self.counts.leaves += 1;
        self.collect(number);
    }

    /// Somebody's connection breaks, and some of what is under way with it.
    pub fn lose(&mut self, number: usize) {
        let at = self.now + self.delay();
        let member = &mut self.members[number];
        member.is_here = false;
        let kept = self.rng.random_range(0..=member.up.0.len());
        member.up.0.truncate(kept);
        member.up.push(at, (member.connection, ToServer::Gone));
        self.counts.losses += 1;
    }

    /// Somebody's next session key is being made, if it is not too early for that.
    pub fn rekey(&mut self, number: usize) {
        let soon = self.now + self.delay();
        let member = &mut self.members[number];
        let at = soon.max(member.rekeyed + BETWEEN_REKEYS);
        member.key_ready.get_or_insert(at);
    }

    fn take_key(&mut self, number: usize) {
        if self.members[number]
            .key_ready
            .is_none_or(|at| at > self.now)
        {
            return;
        }
        let now = self.clocks();
        let key = self.keys.take();
        let member = &mut self.members[number];
        member.key_ready = None;
        if member.is_leaving {
            return;
        }
        let before = member.session.card().sid();
        if self.renames && self.rng.random_bool(0.5) {
            let nick = nick_after(&member.nick, member.session.card().generation());
            let taken = member.session.rename(&nick_of(&nick), key, now);
            assert_eq!(taken, Ok(()), "nobody else is called {nick}");
        } else {
            member.session.rekey(key, now);
        }
        let card = member.session.card().clone();
        if card.sid() != before {
            self.owners.insert(card.sid(), number);
            self.cards.push(card);
            member.rekeyed = self.now;
            self.counts.rekeys += 1;
        }
        self.collect(number);
    }

    /// Somebody says something of its own, of so many bytes or a little more, to all whom it saw a
    /// while ago.
    pub fn say(&mut self, number: usize, bytes: usize) {
        if !self.is_lossless() {
            return self.say_to_all(number, bytes);
        }
        let member = &self.members[number];
        let latest = member.session.changes();
        let earliest = latest.saturating_sub(3).max(member.entered);
        let shown = self.rng.random_range(earliest..=latest);
        let (readers, left_out) = member
            .sees
            .iter()
            .map(|(number, since)| (*number, *since <= shown))
            .partition::<Vec<_>, _>(|(_, is_reader)| *is_reader);
        let numbers = |list: Vec<(usize, bool)>| list.into_iter().map(|(n, _)| n).collect();
        let said = Said {
            text: self.text(number, bytes),
            readers: numbers(readers),
            left_out: numbers(left_out),
            direct: false,
        };
        self.say_to(number, To::Room { shown }, said);
        self.counts.messages += 1;
    }

    /// Somebody says something to all whom it sees.
    fn say_to_all(&mut self, number: usize, bytes: usize) {
        let session = &self.members[number].session;
        let shown = session.changes();
        let others = session.others();
        let said = Said {
            text: self.text(number, bytes),
            readers: others.iter().map(|p| self.owners[&p.sid]).collect(),
            left_out: BTreeSet::new(),
            direct: false,
        };
        self.say_to(number, To::Room { shown }, said);
        self.counts.messages += 1;
    }

    /// Somebody says something to another one whom it sees.
    pub fn whisper(&mut self, number: usize, reader: usize) {
        let mut others = self.members[number].session.others().into_iter();
        let Some(person) = others.find(|person| self.owners[&person.sid] == reader) else {
            return;
        };
        let said = Said {
            text: self.text(number, 0),
            readers: BTreeSet::from([reader]),
            left_out: BTreeSet::new(),
            direct: true,
        };
        self.say_to(number, To::Member(person.sid), said);
        self.counts.directs += 1;
    }

    /// Somebody says something to anyone whom it sees.
    pub fn whisper_to_anyone(&mut self, number: usize) {
        let others = self.members[number].session.others();
        let seen: BTreeSet<usize> = others.iter().map(|p| self.owners[&p.sid]).collect();
        let seen: Vec<usize> = seen.into_iter().collect();
        if !seen.is_empty() {
            let reader = seen[self.rng.random_range(0..seen.len())];
            self.whisper(number, reader);
        }
    }

    fn text(&mut self, number: usize, bytes: usize) -> String {
        self.texts += 1;
        format!("{} from {number} {}", self.texts, "x".repeat(bytes))
    }

    fn say_to(&mut self, number: usize, to: To, said: Said) {
        let now = self.clocks();
        let member = &mut self.members[number];
        let receipt = member.session.say(to, Kind::Text, &said.text, now);
        let count = receipt.map(|receipt| receipt.readers);
        assert_eq!(count, Ok(said.readers.len()), "readers of {}", said.text);
        let (text, readers) = (said.text.clone(), said.readers.iter().copied());
        self.ledger
            .said(number, said.direct, text, readers.collect());
        member.said.push_back(said);
        self.collect(number);
    }

    /// Takes what a member has to send, and puts it on its way.
    fn collect(&mut self, number: usize) {
        let at = self.now + self.delay();
        let member = &mut self.members[number];
        for frame in member.session.take_outgoing() {
            if !member.is_broken {
                let up = (member.connection, ToServer::Frame(payload(&frame)));
                member.up.push(at, up);
            }
        }
    }

    /// Takes what the relay has for its members, and puts it on its way.
    fn distribute(&mut self) {
        for number in 0..self.members.len() {
            let member = &mut self.members[number];
            let Some(connection) = member.served else {
                continue;
            };
            let mut backlog = member.inbox.0.borrow_mut();
            let mut unsent: Vec<Unsent> = std::iter::from_fn(|| backlog.take()).collect();
            if self.faults.is_some() && self.rng.random_ratio(1, 50) {
                unsent.extend(backlog.ask());
            }
            drop(backlog);
            // What goes into a broken connection is gone.
            let is_lost = member.is_broken || connection != member.connection;
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
                    self.members[number].down.push(at, down);
                }
            }
        }
    }

    /// Lets time pass.
    pub fn pass(&mut self, duration: Duration) {
        let end = self.now + duration;
        while self.now < end {
            self.now += STEP;
            self.relay_takes();
            self.relay_acknowledges();
            for number in 0..self.members.len() {
                self.keep_connection(number);
                while let Some((connection, down)) = self.members[number].down.due(self.now) {
                    match down {
                        _ if connection != self.members[number].connection => {}
                        ToMember::Frame(frame) => self.receive(number, &frame),
                        ToMember::Down => self.is_down(number),
                    }
                }
                self.tick(number);
                if self.members[number].is_here {
                    self.take_key(number);
                }
            }
        }
    }

    /// Breaks a connection, makes one, and has each side do what is due.
    fn keep_connection(&mut self, number: usize) {
        let now = self.now;
        let member = &mut self.members[number];
        if member.breaks.is_some_and(|at| at <= now) {
            self.break_connection(number);
        }
        let member = &mut self.members[number];
        if member.is_here && member.reconnects.take_if(|at| *at <= now).is_some() {
            self.connect(number);
        }
        let at = self.now + self.delay_if(self.members[number].answers.is_some());
        let member = &mut self.members[number];
        if member.answers.take_if(|at| *at <= now).is_some() && !member.is_broken {
            let ack = payload(&Frame::ack(member.session.received()));
            member
                .up
                .push(at, (member.connection, ToServer::Frame(ack)));
        }
        if let Some((connection, _)) = member.unnoticed.take_if(|(_, at)| *at <= now)
            && member.served == Some(connection)
        {
            (member.served, member.kept) = (None, Some(now + GRACE));
        }
        if member.kept.take_if(|until| *until <= now).is_some() {
            self.relay_drops(number, Departure::Lost);
        }
    }

    fn delay_if(&mut self, is_needed: bool) -> Duration {
        if is_needed {
            self.delay()
        } else {
            Duration::ZERO
        }
    }

    fn tick(&mut self, number: usize) {
        let now = self.clocks();
        let member = &mut self.members[number];
        if !member.is_here || member.next_tick > self.now {
            return;
        }
        self.counts.ticks += 1;
        let pause = self.rng.random_range(100..2_000);
        member.next_tick = self.now + Duration::from_millis(pause);
        for event in member.session.tick(now) {
            match event {
                Event::RekeyDue => self.rekey(number),
                // Somebody's connection may break right after it has come.
                Event::Unconfirmed(_) if self.faults.is_some() => {}
                other if !self.is_lossless() => self.told_roughly(number, other),
                other => self.surprise(number, format!("told by the clock: {other:?}")),
            }
        }
        self.collect(number);
    }

    fn surprise(&mut self, number: usize, what: String) {
        self.members[number].surprises.push((self.now, what));
    }

    /// The relay takes what has arrived, each frame in its turn.
    fn relay_takes(&mut self) {
        loop {
            let first = self
                .members
                .iter()
                .enumerate()
                .filter_map(|(number, member)| Some((member.up.0.front()?.0, number)))
                .min();
            let Some((at, number)) = first.filter(|(at, _)| *at <= self.now) else {
                return;
            };
            if let Some((connection, up)) = self.members[number].up.due(at) {
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
            ToServer::Frame(frame) if member.served == Some(connection) => {
                self.relay_takes_frame(number, frame);
            }
            ToServer::Hangup if member.served == Some(connection) => {
                member.served = None;
                member.kept = Some(self.now + GRACE);
            }
            ToServer::Gone => self.relay_drops(number, Departure::Lost),
            ToServer::Frame(_) | ToServer::Hangup => {}
        }
    }

    /// One acknowledgement for all that came in a while.
    fn relay_acknowledges(&mut self) {
        let often = if self.faults.is_some() { 0.1 } else { 0.5 };
        for member in &mut self.members {
            let received = member.intake.as_ref().map_or(0, Intake::received);
            let is_due = member.is_in_room && member.acknowledged < received;
            if is_due && self.rng.random_bool(often) {
                member.acknowledged = received;
                member.inbox.post(Frame::ack(received).into());
            }
        }
        self.distribute();
    }

    fn relay_drops(&mut self, number: usize, departure: Departure) {
        let Some(intake) = &self.members[number].intake else {
            return;
        };
        let (sid, joined) = (intake.sid(), intake.joined());
        if std::mem::take(&mut self.members[number].is_in_room) {
            self.room.leave(sid, joined, departure);
            let is_signed = departure == Departure::Left;
            self.expect_of_all(number, &Told::Left(number, departure, is_signed));
        }
    }

    /// All who are in the room, but for one, are to be told something.
    fn expect_of_all(&mut self, but: usize, told: &Told) {
        if !self.is_lossless() {
            return;
        }
        for (number, member) in self.members.iter_mut().enumerate() {
            if member.is_in_room && number != but {
                member.expected.push_back(told.clone());
            }
        }
    }

    fn relay_admits(&mut self, number: usize, connection: u64, hello: &[u8]) {
        let entry = admit(hello, &self.challenge, lobby().id()).expect("an honest client");
        let at = self.now + self.delay();
        let place = entry.resumes.and_then(|from| {
            let inbox = self.room.place(&entry.card, from.joined)?.clone();
            Some((inbox, from.received))
        });
        let has_entered = self.members[number].entered_at.is_some();
        let member = &mut self.members[number];
        (member.served, member.kept) = (Some(connection), None);
        if let Some((inbox, received)) = place {
            let resumed = inbox.0.borrow_mut().resume(received);
            resumed.expect("an honest client");
            let taken = member.intake.as_ref().expect("it has a place").received();
            let welcome = payload(&Frame::welcome_back(taken));
            if connection == member.connection && !member.is_broken {
                member.down.push(at, (connection, ToMember::Frame(welcome)));
            }
            self.counts.resumed += 1;

            return;
        }
        if has_entered && self.is_lossless() {
            self.surprise(number, "its place is gone".to_owned());
        }
        if std::mem::take(&mut self.members[number].is_in_room) {
            let lost = Told::Left(number, Departure::Lost, false);
            self.expect_of_all(number, &lost);
        }
        let inbox = Inbox::default();
        let joined = self.room.join(&entry.card, &inbox).expect("there is room");
        self.expect_of_all(number, &Told::Joined(number));
        let there = |(number, member): (usize, &Member)| member.is_in_room.then_some(number);
        let found = self.members.iter().enumerate().filter_map(there).collect();
        let member = &mut self.members[number];
        member.inbox = inbox;
        member.expected.clear();
        member.acknowledged = 0;
        member.found = Some(found);
        let run = self.challenge.run;
        member.intake = Some(Intake::new(&entry.card, run, joined, &self.limits));
        member.is_in_room = true;
        member.stated = self.now;
    }

    fn relay_takes_frame(&mut self, number: usize, bytes: Vec<u8>) {
        let is_lossless = self.is_lossless();
        let member = &mut self.members[number];
        if !member.is_in_room {
            return;
        }
        if matches!(ToRelay::parse(&bytes), Ok(ToRelay::State(state)) if state.to.is_empty()) {
            member.stated = self.now;
        }
        let intake = member.intake.as_mut().expect("it is in the room");
        let request = intake.take(bytes).expect("an honest client");
        let (sid, received) = (intake.sid(), intake.received());
        let done = self.room.carry_out(sid, &request);
        done.expect("its own key");
        match request {
            Request::Forward(_) if !is_lossless => {}
            Request::Forward(_) => {
                let message = member.said.pop_front().expect("what was said");
                self.expect_said(number, &message);
            }
            Request::Rekey(_) => self.expect_of_all(number, &Told::Rekeyed(number)),
            Request::Goodbye(_) => {
                member.inbox.post(Frame::ack(received).into());
                member.is_in_room = false;
                self.expect_of_all(number, &Told::Left(number, Departure::Left, true));
                return;
            }
            Request::Forget(count) => {
                let acknowledged = member.inbox.0.borrow_mut().acknowledge(count);
                acknowledged.expect("an honest client");
                return;
            }
            Request::Wait | Request::State(_) | Request::Leave | Request::Acknowledge => {}
        }
        let member = &self.members[number];
        if self.rng.random_ratio(1, 20) {
            member.inbox.post(Frame::ping().into());
        }
    }

    fn expect_said(&mut self, from: usize, said: &Said) {
        for (number, member) in self.members.iter_mut().enumerate() {
            if !member.is_in_room || number == from {
                continue;
            }
            if said.readers.contains(&number) {
                member.expected.push_back(Told::Message {
                    from,
                    direct: said.direct,
                    text: said.text.clone(),
                });
            } else if said.left_out.contains(&number) {
                member.expected.push_back(Told::LeftOut(from));
                self.counts.left_out += 1;
            }
        }
    }

    fn receive(&mut self, number: usize, frame: &[u8]) {
        if !self.members[number].is_here {
            return;
        }
        let now = self.clocks();
        if frame == payload(&Frame::ping()) && self.faults.is_some() {
            let late = Duration::from_millis(self.rng.random_range(0..3_000));
            self.members[number].answers.get_or_insert(self.now + late);
        }
        let member = &mut self.members[number];
        match member.session.receive(frame, now) {
            Ok(events) => {
                for event in events {
                    self.told(number, event);
                }
                self.collect(number);
                if self.members[number].is_leaving
                    && matches!(ToClient::parse(frame), Ok(ToClient::Ack(_)))
                    && self.members[number].session.has_said_goodbye()
                    && !self.members[number].session.is_waiting()
                {
                    self.members[number].is_here = false;
                }
            }
            Err(end) => {
                self.surprise(number, format!("the session ends: {end:?}"));
                self.members[number].ended = Some(end);
                self.lose(number);
            }
        }
    }

    /// Checks an event against what is to come next.
    fn told(&mut self, number: usize, event: Event) {
        if matches!(event, Event::Entered(_)) {
            self.members[number].entered_at = Some(self.now);
        }
        if !self.is_lossless() {
            return self.told_roughly(number, event);
        }
        let told = match event {
            // Whom others leave out follows from who has joined meanwhile.
            Event::Taken(_) | Event::LeftOthersOut(..) | Event::Resumed | Event::Called(_) => {
                return;
            }
            Event::RekeyDue => return self.rekey(number),
            Event::Entered(people) => {
                let people: BTreeSet<usize> = people
                    .iter()
                    .map(|person| self.owners[&person.sid])
                    .collect();
                let member = &mut self.members[number];
                member.entered = member.session.changes();
                member.sees = people.iter().map(|n| (*n, member.entered)).collect();
                if member.found.as_ref() != Some(&people) {
                    let what = format!("found {people:?} and not {:?}", member.found);
                    self.surprise(number, what);
                }
                return;
            }
            Event::Joined(person) | Event::Back(person) => {
                let who = self.owners[&person.sid];
                let member = &mut self.members[number];
                member.sees.insert(who, member.session.changes());
                Told::Joined(who)
            }
            Event::Left {
                nick,
                departure,
                is_signed,
            } => {
                let who = self.number_of(nick.as_str());
                self.members[number].sees.remove(&who);
                // Somebody's goodbye may arrive although its connection breaks right after it.
                Told::Left(who, departure, is_signed && departure == Departure::Left)
            }
            Event::Rekeyed(nick) => Told::Rekeyed(self.number_of(nick.as_str())),
            Event::Renamed { person, .. } => Told::Rekeyed(self.owners[&person.sid]),
            Event::LeftOut(nick) => Told::LeftOut(self.number_of(nick.as_str())),
            Event::Message {
                from, direct, text, ..
            } => Told::Message {
                from: self.number_of(from.as_str()),
                direct,
                text: text.to_string(),
            },
            alarm => return self.surprise(number, format!("{alarm:?}")),
        };
        self.counts.told += 1;
        let expected = self.members[number].expected.pop_front();
        if expected.as_ref() != Some(&told) {
            self.surprise(number, format!("told {told:?} and not {expected:?}"));
            // What is not told at all is no reason to complain of all that follows.
            let member = &mut self.members[number];
            if let Some(at) = member.expected.iter().position(|other| *other == told) {
                member.expected.drain(..=at);
            } else if let Some(expected) = expected {
                member.expected.push_front(expected);
            }
        }
    }

    /// Checks an event against what may be told to somebody who was away, or of somebody who was.
    fn told_roughly(&mut self, number: usize, event: Event) {
        let wrong = match event {
            Event::RekeyDue => return self.rekey(number),
            Event::Message {
                from, direct, text, ..
            } => {
                let from = self.number_of(from.as_str());
                let ledger = &mut self.ledger;
                ledger.arrived(from, number, direct, &text.to_string())
            }
            Event::Missing(from, count) => {
                let from = self.number_of(from.as_str());
                self.ledger.missing(from, number, count);
                None
            }
            Event::Undelivered(readers, text) | Event::NotTaken { readers, text, .. } => {
                let readers = readers.iter().map(|nick| self.number_of(nick.as_str()));
                let readers = readers.collect();
                self.ledger.undelivered(&readers, &text);
                None
            }
            // Its connections break before anything comes of them, and for a while that is true.
            Event::Quiet(nick, seconds) => {
                let stated = self.members[self.number_of(nick.as_str())].stated;
                let silence = self.now.saturating_sub(stated);
                let is_true = silence >= Duration::from_secs(seconds);
                (!is_true).then(|| format!("{nick} is quiet for {seconds} s, not {silence:?}"))
            }
            Event::Taken(_)
            | Event::LeftOut(_)
            | Event::LeftOthersOut(..)
            | Event::TooLate(_)
            | Event::Resumed
            | Event::Entered(_)
            | Event::Returned { .. }
            | Event::Joined(_)
            | Event::Back(_)
            | Event::Left { .. }
            | Event::Rekeyed(_)
            | Event::Renamed { .. }
            | Event::Called(_) => None,
            alarm => Some(format!("{alarm:?}")),
        };
        if let Some(wrong) = wrong {
            self.surprise(number, wrong);
        }
    }

    /// Which messages neither arrived nor were reported, of those whose two ends are still there.
    pub fn unaccounted(&self) -> Vec<String> {
        let is_here =
            |number: usize| self.members[number].is_here && !self.members[number].is_leaving;
        self.ledger
            .unaccounted(|from, to| is_here(from) && is_here(to))
    }

    fn number_of(&self, nick: &str) -> usize {
        // Whatever it calls itself later begins with what it was called at first.
        let first = nick.split('.').next();
        let is_it = |member: &Member| Some(member.nick.as_str()) == first;
        self.members.iter().position(is_it).expect("a member")
    }

    /// What anybody was told that it should not have been.
    pub fn surprises(&self) -> Vec<String> {
        let mut all = Vec::new();
        for (number, member) in self.members.iter().enumerate() {
            all.extend(
                member
                    .surprises
                    .iter()
                    .map(|(at, what)| (*at, number, what)),
            );
        }
        all.sort();
        all.into_iter()
            .map(|(at, number, what)| format!("{} ms, to {number}: {what}", at.as_millis()))
            .collect()
    }

    /// What is wrong once nothing is under way any more.
    pub fn unsettled(&self) -> Vec<String> {
        let mut wrong = Vec::new();
        let inside: BTreeSet<usize> = self.inside().into_iter().collect();
        for number in &inside {
            let member = &self.members[*number];
            for told in &member.expected {
                wrong.push(format!("{number} was never told {told:?}"));
            }
            for text in member.session.untaken() {
                wrong.push(format!("{number} does not know that {text} was taken"));
            }
            for person in member.session.others() {
                if !person.is_confirmed {
                    wrong.push(format!("{number} has no word of {}", person.nick));
                }
            }
            let others = member.session.others();
            let sees: BTreeSet<usize> = others.iter().map(|p| self.owners[&p.sid]).collect();
            let there: BTreeSet<usize> = inside.iter().copied().filter(|n| n != number).collect();
            if sees != there {
                wrong.push(format!("{number} sees {sees:?} and not {there:?}"));
            }
        }
        wrong
    }
}

/// What whoever was called `first` is called with the session key after so many others.
fn nick_after(first: &str, generation: u32) -> String {
    format!(
        "{first}.{}",
        letters(usize::try_from(generation).expect("a few"))
    )
}

/// A number in letters that no other number looks like.
fn letters(number: usize) -> String {
    let alphabet = b"abcdefghjk";
    let digits = number.to_string().into_bytes();
    let letter = |digit: u8| char::from(alphabet[usize::from(digit - b'0')]);
    digits.into_iter().map(letter).collect()
}
