//! The members of a simulated room: they come, talk, change their keys and go, and take what
//! arrives.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use rand::rngs::StdRng;
use rand::seq::SliceRandom as _;
use rand::{RngExt as _, SeedableRng as _};
use rsa::PrivateKey;
use rsa::pkcs8::{EncodePrivateKey as _, LineEnding};

use crate::cipher::keys::{IdentityKey, KeySize, SessionKey};
use crate::cipher::pem::IdentityPem;
use crate::room::card::Identity;
use crate::room::frame::{Frame, ToClient};
use crate::room::message::Kind;
use crate::room::names::Nick;
use crate::room::session::{Event, Policy, Session, Standing, To};

use super::expected::{Account, SaidMessage};
use super::links::{SimulatedLink, ToServer};
use super::relay::RelaySide;
use super::{Simulation, lobby, payload};

/// The least time between two changes of a key. The relay forwards what is encrypted to a member's
/// present and its previous key, no older one (PROTOCOL §11). A client that changed its key twice
/// within the time that its card and somebody's message take would lose that message.
const BETWEEN_REKEYS: Duration = Duration::from_secs(61);

/// How many of the key pairs are identities. In a large room some people are there more than once.
const IDENTITIES: usize = 16;

/// How many of the other key pairs any run may begin with, so that they do not come in the same
/// order in all.
const SHUFFLED: usize = 24;

/// One of the key pairs that all runs share: to make one takes as long as all that a small room
/// does with it. They are the same in every program, so that session ids come in the same order.
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

/// The session keys of a run, none of which it uses twice.
pub struct SessionKeys {
    first: Vec<usize>,
    taken: usize,
}

impl SessionKeys {
    pub fn new(rng: &mut StdRng) -> Self {
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

/// A member, and what each part of the simulation knows of it.
pub struct SimulatedMember {
    pub nick: String,
    pub session: Session,
    /// Whether there is still a client at this end.
    pub is_here: bool,
    pub is_leaving: bool,
    /// When it entered the room for the first time.
    pub entered_at: Option<Duration>,
    next_tick: Duration,
    rekeyed: Duration,
    /// A key that is being made, and when it is ready.
    key_ready: Option<Duration>,
    pub link: SimulatedLink,
    pub relay_side: RelaySide,
    pub account: Account,
}

impl Simulation {
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
        let member = SimulatedMember {
            nick,
            session,
            is_here: true,
            is_leaving: false,
            entered_at: None,
            next_tick: self.now,
            rekeyed: self.now,
            key_ready: None,
            link: SimulatedLink::default(),
            relay_side: RelaySide::default(),
            account: Account::default(),
        };
        self.members.push(member);
        self.connect(number);
        self.counts.joins += 1;
        number
    }

    pub fn leave(&mut self, number: usize) {
        let now = self.clocks();
        let member = &mut self.members[number];
        member.session.leave(now);
        member.is_leaving = true;
        self.counts.leaves += 1;
        self.collect(number);
    }

    /// Begins to make a member's next session key, if it is not too early for that.
    pub fn rekey(&mut self, number: usize) {
        let soon = self.now + self.delay();
        let member = &mut self.members[number];
        let at = soon.max(member.rekeyed + BETWEEN_REKEYS);
        member.key_ready.get_or_insert(at);
    }

    pub fn take_key(&mut self, number: usize) {
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

    /// Has a member say something of at least so many bytes to all whom it saw a while ago.
    pub fn say(&mut self, number: usize, bytes: usize) {
        if !self.is_lossless() {
            return self.say_to_all(number, bytes);
        }
        let member = &self.members[number];
        let latest = member.session.changes();
        let earliest = latest.saturating_sub(3).max(member.account.entered);
        let shown = self.rng.random_range(earliest..=latest);
        let (readers, left_out) = member
            .account
            .sees
            .iter()
            .map(|(number, since)| (*number, *since <= shown))
            .partition::<Vec<_>, _>(|(_, is_reader)| *is_reader);
        let numbers = |list: Vec<(usize, bool)>| list.into_iter().map(|(n, _)| n).collect();
        let said = SaidMessage {
            text: self.text(number, bytes),
            readers: numbers(readers),
            left_out: numbers(left_out),
            direct: false,
        };
        self.say_to(number, To::Room { shown }, said);
        self.counts.messages += 1;
    }

    /// Has a member say something to all whom it sees.
    fn say_to_all(&mut self, number: usize, bytes: usize) {
        let session = &self.members[number].session;
        let shown = session.changes();
        let others = session.others();
        let said = SaidMessage {
            text: self.text(number, bytes),
            readers: others.iter().map(|p| self.owners[&p.sid]).collect(),
            left_out: BTreeSet::new(),
            direct: false,
        };
        self.say_to(number, To::Room { shown }, said);
        self.counts.messages += 1;
    }

    /// Has a member say something to one whom it sees.
    pub fn whisper(&mut self, number: usize, reader: usize) {
        let mut others = self.members[number].session.others().into_iter();
        let Some(person) = others.find(|person| self.owners[&person.sid] == reader) else {
            return;
        };
        let said = SaidMessage {
            text: self.text(number, 0),
            readers: BTreeSet::from([reader]),
            left_out: BTreeSet::new(),
            direct: true,
        };
        self.say_to(number, To::Member(person.sid), said);
        self.counts.directs += 1;
    }

    /// Has a member say something to one of those whom it sees, at random.
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

    fn say_to(&mut self, number: usize, to: To, said: SaidMessage) {
        let now = self.clocks();
        let member = &mut self.members[number];
        let receipt = member.session.say(to, Kind::Text, &said.text, now);
        let count = receipt.map(|receipt| receipt.readers);
        assert_eq!(count, Ok(said.readers.len()), "readers of {}", said.text);
        let (text, readers) = (said.text.clone(), said.readers.iter().copied());
        self.ledger
            .record_said(number, said.direct, text, readers.collect());
        member.account.said.push_back(said);
        self.collect(number);
    }

    /// Takes what a member has to send, and puts it on its way.
    pub fn collect(&mut self, number: usize) {
        let at = self.now + self.delay();
        let member = &mut self.members[number];
        for frame in member.session.take_outgoing() {
            if !member.link.is_broken {
                let up = (member.link.connection, ToServer::Frame(payload(&frame)));
                member.link.up.push(at, up);
            }
        }
    }

    pub fn receive(&mut self, number: usize, frame: &[u8]) {
        if !self.members[number].is_here {
            return;
        }
        let now = self.clocks();
        if frame == payload(&Frame::ping()) && self.faults.is_some() {
            let late = Duration::from_millis(self.rng.random_range(0..3_000));
            self.members[number]
                .link
                .answers
                .get_or_insert(self.now + late);
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
                self.lose(number);
            }
        }
    }

    pub fn tick(&mut self, number: usize) {
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
                // The connection may break right after the member has come.
                Event::Unconfirmed(_) if self.faults.is_some() => {}
                other if !self.is_lossless() => self.told_roughly(number, other),
                other => self.surprise(number, format!("told by the clock: {other:?}")),
            }
        }
        self.collect(number);
    }
}

fn nick_of(nick: &str) -> Nick {
    nick.parse().expect("a nick")
}

/// The nick of the member that was called `first`, with its session key after so many others.
fn nick_after(first: &str, generation: u32) -> String {
    format!(
        "{first}.{}",
        letters(usize::try_from(generation).expect("a few"))
    )
}

/// A number in letters that look like no other number's.
fn letters(number: usize) -> String {
    let alphabet = b"abcdefghjk";
    let digits = number.to_string().into_bytes();
    let letter = |digit: u8| char::from(alphabet[usize::from(digit - b'0')]);
    digits.into_iter().map(letter).collect()
}
