//! The members of a simulated room: they come, talk, change their keys and go, and take what
//! arrives.

use std::collections::BTreeMap;
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
use crate::room::frame::{RunId, ToClient, ToRelay, is_ping};
use crate::room::message::{Header, Kind, Stream};
use crate::room::names::Nick;
use crate::room::notice::Notice;
use crate::room::session::{End, Now, Policy, Session, Standing, To, Which};
use crate::room::tests::honest_rooms::ledger::{Fate, SaidMessage, Told};

use super::expected::View;
use super::links::{IDLE, SimulatedLink, ToMember};
use super::relay::GRACE;
use super::relay::RelaySide;
use super::{Simulation, lobby, payload};

/// How many of the key pairs are identities. In a large room some people are there more than once.
const IDENTITIES: usize = 16;

/// How many of the other key pairs any run may begin with, so that they do not come in the same
/// order in all.
const SHUFFLED: usize = 24;

/// One of the key pairs that all runs share: to make one takes as long as all that a small room
/// does with it. They are the same in every program, so that session ids come in the same order.
fn key_pair(number: usize) -> IdentityKey {
    static MADE: Mutex<BTreeMap<usize, IdentityKey>> = Mutex::new(BTreeMap::new());
    let made = || MADE.lock().unwrap_or_else(PoisonError::into_inner);
    let known = made().get(&number).cloned();
    known.unwrap_or_else(|| {
        let mut rng = StdRng::seed_from_u64(number as u64);
        let pair = PrivateKey::new(&mut rng, KeySize::Bits2048.bits()).unwrap();
        let pem = pair.to_pkcs8_pem(LineEnding::LF).unwrap();
        let key = IdentityPem::parse(&pem).unwrap().open().unwrap();
        made().entry(number).or_insert(key).clone()
    })
}

/// Whether two members have one identity.
pub fn is_same_person(one: usize, other: usize) -> bool {
    one % IDENTITIES == other % IDENTITIES
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
    /// What it was called at first, if nobody else was.
    nick: String,
    /// How many milliseconds its clock is ahead of the time of the simulation.
    pub skew: u64,
    pub session: Session,
    /// Whether there is still a client at this end.
    pub is_here: bool,
    pub is_leaving: bool,
    /// When it was last seen to be there, and whether anything has come to it of late.
    pub seen: Duration,
    pub has_received: bool,
    /// Whether it has been in the room.
    pub has_entered: bool,
    /// When its program goes on that stands still, and when it last has.
    wakes: Option<Duration>,
    pub woke: Duration,
    /// When it first had each of its session keys in the room, and when it announced each, by how many it
    /// had had before.
    pub keys_since: BTreeMap<u32, Duration>,
    pub announced: BTreeMap<u32, Duration>,
    /// The relay's runs in which it wanted to enter.
    pub runs: Vec<u8>,
    /// A key that is being made, and when it is ready.
    key_ready: Option<Duration>,
    pub link: SimulatedLink,
    pub relay_side: RelaySide,
    pub view: View,
}

impl SimulatedMember {
    /// Whether there is a client at this end that does not end.
    pub fn is_staying(&self) -> bool {
        self.is_here && !self.is_leaving
    }

    pub fn is_awake(&self) -> bool {
        self.wakes.is_none()
    }

    /// Whether it is in the room, and can see and be seen.
    pub fn is_connected(&self) -> bool {
        self.is_awake() && self.link.is_up() && self.session.is_inside()
    }

    /// When something happens at this end.
    pub fn next_due(&self) -> Option<Duration> {
        if !self.is_here {
            return self.link.up.first();
        }
        if self.wakes.is_some() {
            return self.link.up.first().into_iter().chain(self.wakes).min();
        }
        let due = [
            self.link.up.first(),
            self.session.next_due(),
            self.key_ready,
        ];
        due.into_iter().flatten().chain(self.link.next_due()).min()
    }
}

impl Simulation {
    pub fn join(&mut self) -> usize {
        let number = self.members.len();
        let nick = self
            .wanted_nick()
            .unwrap_or_else(|| format!("member{}", letters(number)));
        let identity = Identity {
            key: key_pair(number % IDENTITIES),
            is_lasting: self.rng.random_bool(0.5),
        };
        let rekey_after = [Duration::from_hours(1), Duration::from_mins(3)];
        let policy = Policy {
            at_least: Standing::New,
            rekey_after: rekey_after[self.rng.random_range(0..2)],
            no_share: false,
        };
        let skew = self.rng.random_range(1..10_000_000);
        let key = self.keys.take();
        let now = Now {
            time: skew,
            uptime: self.now,
        };
        let session = Session::new(identity, key, &nick_of(&nick), &lobby(), policy, now);
        self.members.push(SimulatedMember {
            nick: format!("member{}", letters(number)),
            skew,
            session,
            is_here: true,
            is_leaving: false,
            seen: self.now,
            has_received: false,
            has_entered: false,
            wakes: None,
            woke: self.now,
            keys_since: BTreeMap::new(),
            announced: BTreeMap::new(),
            runs: Vec::new(),
            key_ready: None,
            link: SimulatedLink::default(),
            relay_side: RelaySide::default(),
            view: View::default(),
        });
        self.connect(number);
        self.counts.joins += 1;
        number
    }

    /// Now and then, a nick that others want too.
    fn wanted_nick(&mut self) -> Option<String> {
        let is_wanted = self.troubles.collisions && self.rng.random_bool(0.7);
        is_wanted.then(|| format!("wanted{}", letters(self.rng.random_range(0..3))))
    }

    pub fn leave(&mut self, number: usize) {
        let now = self.clocks(number);
        self.members[number].session.leave(now);
        self.members[number].is_leaving = true;
        self.counts.leaves += 1;
        self.collect(number);
    }

    /// Has a member vanish without a goodbye.
    pub fn lose(&mut self, number: usize) {
        // Its place would outlast the run.
        if self.troubles.grace > GRACE {
            return;
        }
        self.members[number].is_here = false;
        self.cut(number);
        self.counts.losses += 1;
    }

    /// Has a member's program stand still.
    pub fn stop(&mut self, number: usize) {
        let Some(most) = self.troubles.stops else {
            return;
        };
        // Most stops are short, as if a laptop was moved, and some are nights.
        let most = if self.rng.random_bool(0.5) {
            most
        } else {
            most / 20
        };
        let lasts = self.rng.random_range(Duration::ZERO..=most);
        let member = &mut self.members[number];
        member.wakes = Some(self.now + lasts);
        member.relay_side.unnoticed = Some((member.link.connection, self.now + IDLE));
        self.counts.stops += 1;
    }

    /// Has what comes to a member take longer, or no longer.
    pub fn slow_down(&mut self, number: usize) {
        let most = self.troubles.slowness;
        let is_slow = self.rng.random_bool(0.7);
        let slowness = self.rng.random_range(Duration::ZERO..=most);
        self.fall_behind(number, if is_slow { slowness } else { Duration::ZERO });
        self.counts.slow += 1;
    }

    /// Has all that comes to a member take so long.
    pub fn fall_behind(&mut self, number: usize, by: Duration) {
        self.members[number].link.slowness = by;
    }

    /// Begins to make a member's next session key.
    pub fn rekey(&mut self, number: usize) {
        let soon = self.now + self.delay();
        self.members[number].key_ready.get_or_insert(soon);
    }

    pub fn take_key(&mut self, number: usize) {
        let now = self.clocks(number);
        let member = &mut self.members[number];
        let is_staying = member.is_staying() && member.is_awake();
        if member.key_ready.is_none_or(|at| at > self.now) || !is_staying {
            return;
        }
        if !member.session.can_rekey() {
            member.key_ready = Some(self.now + Duration::from_secs(5));
            return;
        }
        member.key_ready = None;
        let key = self.keys.take();
        let own = &self.members[number];
        let present = own.session.card().nick().clone();
        let next = own.session.card().generation() + 1;
        let other = format!("{}.{}", own.nick, letters(next.try_into().expect("a few")));
        let nick = self.wanted_nick().unwrap_or(other);
        let session = &mut self.members[number].session;
        if self.rng.random_bool(0.5) && nick != present.as_str() {
            let renamed = session.rename(&nick_of(&nick), key, now);
            assert!(
                renamed.is_ok() || self.troubles.collisions,
                "nobody else is called {nick}"
            );
        } else {
            session.rekey(key, now);
        }
        self.counts.rekeys += 1;
        self.collect(number);
    }

    /// Has a member say something of at least so many bytes to all who were on its screen a while ago.
    pub fn say(&mut self, number: usize, bytes: usize) {
        let member = &self.members[number];
        let latest = member.session.changes();
        let earliest = latest.saturating_sub(3).max(member.view.entered);
        let shown = self.rng.random_range(earliest..=latest);
        let people = self.members[number].view.people.iter();
        let (readers, left_out): (Vec<_>, Vec<_>) = people
            .map(|(nick, (who, since))| ((nick.clone(), *who), *since <= shown))
            .partition(|(_, is_reader)| *is_reader);
        let left_out = left_out.into_iter().map(|((_, who), _)| (who, false));
        let left_out = left_out.collect();
        let readers = readers.into_iter().map(|(reader, _)| reader);
        // And to those whom it expects back, who were on its screen too.
        let readers: Vec<_> = readers.chain(self.expected_back(number, shown)).collect();
        self.say_to(number, To::Room { shown }, bytes, &readers, left_out);
        self.counts.messages += 1;
    }

    /// Has a member say something to one of those on its screen.
    pub fn whisper(&mut self, number: usize) {
        let Some((nick, who, sid)) = self.somebody_seen_by(number) else {
            return;
        };
        let to = To::Member(sid);
        self.say_to(number, to, 0, &[(nick, who)], BTreeMap::new());
        self.counts.directs += 1;
    }

    /// One of those on a member's screen.
    fn somebody_seen_by(&mut self, number: usize) -> Option<(String, usize, SessionId)> {
        let people = &self.members[number].view.people;
        if people.is_empty() {
            return None;
        }
        let place = self.rng.random_range(0..people.len());
        let people = &self.members[number].view.people;
        let (nick, (who, _)) = people.iter().nth(place).expect("one of them");
        let person = self.members[number].session.person(&nick_of(nick));
        let sid = person.expect("somebody is on the screen").sid;
        Some((nick.clone(), *who, sid))
    }

    /// Whether members hand things on: not where something may be missing, as of that nobody keeps count.
    pub fn can_share(&self) -> bool {
        self.troubles.are_lossless()
    }

    /// Has a member hand something on to one of those on its screen, if it can.
    pub fn share(&mut self, number: usize) {
        let Some((_, _, sid)) = self.somebody_seen_by(number) else {
            return;
        };
        let which = Which::Last(self.rng.random_range(1..50));
        let now = self.clocks(number);
        if self.members[number].session.share(sid, which, now).is_ok() {
            self.ledger.record_handing(number, None);
            self.counts.shares += 1;
        }
        self.collect(number);
    }

    fn say_to(
        &mut self,
        number: usize,
        to: To,
        bytes: usize,
        readers: &[(String, usize)],
        left_out: BTreeMap<usize, bool>,
    ) {
        let now = self.clocks(number);
        let place = self.ledger.messages.len();
        let text = format!("{place} from {number} {}", "x".repeat(bytes));
        let session = &mut self.members[number].session;
        let receipt = session.say(to, Kind::Text, &text, now);
        let receipt = receipt.unwrap_or_else(|error| panic!("{number} cannot say: {error:?}"));
        assert_eq!(receipt.readers, readers.len(), "readers of {text}");
        let view = &self.members[number].view;
        let fate = |(_, who): &(String, usize)| {
            let fate = Fate {
                generation: view.generations[who],
                has_arrived: false,
                told: Told::Nothing,
            };
            (*who, fate)
        };
        let session = &self.members[number].session;
        let message = SaidMessage {
            from: number,
            to: matches!(to, To::Member(_)).then(|| readers[0].1),
            text,
            at: self.now,
            is_sent: false,
            run: view.run,
            active: view.active,
            untaken: self.now,
            generation: session.card().generation(),
            fates: readers.iter().map(fate).collect(),
            nicks: readers.to_vec(),
            left_out,
        };
        self.ledger.record_said(receipt.number, message);
        self.collect(number);
    }

    /// Takes what a member has to send, and puts it on its way.
    fn collect(&mut self, number: usize) {
        let frames = self.members[number].session.take_outgoing();
        for frame in &frames {
            let bytes = payload(frame);
            let card = match ToRelay::parse(&bytes) {
                Ok(ToRelay::Hello { card, .. } | ToRelay::Rekey(card)) => card.to_vec(),
                Ok(ToRelay::Send(send)) => {
                    self.note_sent(number, &bytes[send.header]);
                    continue;
                }
                _ => continue,
            };
            let card = Card::parse(&card, lobby().id()).expect("its own card");
            self.owners.insert(card.sid(), number, card.generation());
            let announced = &mut self.members[number].announced;
            announced.entry(card.generation()).or_insert(self.now);
        }
        if !frames.is_empty() {
            self.send(number, frames);
        }
    }

    /// A member sends a message: the first time, that has just been sealed for the keys that it knows.
    fn note_sent(&mut self, number: usize, header: &[u8]) {
        let header = Header::parse(header).expect("its own header");
        let to = match header.stream {
            Stream::Room => None,
            Stream::Direct(sid) => Some(self.owners.of(sid)),
        };
        // What was said is known already: this hands something on.
        if to.is_some() && !self.ledger.is_used(number, to, header.number) {
            self.ledger.record_handing(number, to);
        }
        let Some(place) = self.ledger.find(number, to, header.number) else {
            return;
        };
        let message = &mut self.ledger.messages[place];
        if std::mem::replace(&mut message.is_sent, true) {
            return;
        }
        let member = &self.members[number];
        (message.run, message.active) = (member.view.run, member.view.active);
        message.generation = member.session.card().generation();
        for (reader, fate) in &mut message.fates {
            fate.generation = member.view.generations[reader];
        }
    }

    /// Has a member take what has come.
    pub fn take_frames(&mut self, number: usize) {
        let now = self.now;
        let member = &mut self.members[number];
        if member.wakes.take_if(|at| *at <= now).is_some() {
            member.woke = now;
            let connection = member.link.connection;
            let unnoticed = &mut member.relay_side.unnoticed;
            unnoticed.take_if(|(unnoticed, _)| *unnoticed == connection && !member.link.is_broken);
        }
        while self.members[number].is_here && self.members[number].is_awake() {
            let link = &mut self.members[number].link;
            let Some((connection, down)) = link.down.due(now) else {
                return;
            };
            match down {
                _ if connection != link.connection => {}
                ToMember::Frame(frame) => self.receive(number, &frame),
                ToMember::Down => self.notice_break(number),
            }
            // Its clock is looked at after each thing that happens.
            self.tick(number);
        }
    }

    fn receive(&mut self, number: usize, frame: &[u8]) {
        self.counts.frames += 1;
        self.members[number].has_received = true;
        let now = self.clocks(number);
        let link = &mut self.members[number].link;
        if is_ping(frame) {
            let late = Duration::from_millis(self.rng.random_range(0..3_000));
            link.answers.get_or_insert(self.now + late);
        }
        if let Ok(ToClient::Challenge(challenge, _)) = ToClient::parse(frame) {
            let RunId([run, ..]) = challenge.run;
            self.members[number].runs.push(run);
        }
        let expected = self.expected(number, frame);
        match self.members[number].session.receive(frame, now) {
            Ok(events) => {
                let member = &mut self.members[number];
                let generation = member.session.card().generation();
                member.keys_since.entry(generation).or_insert(self.now);
                self.told_by_frame(number, expected.as_ref(), events);
                self.collect(number);
                let member = &mut self.members[number];
                if member.session.has_said_goodbye() && !member.session.is_waiting() {
                    member.is_here = false;
                }
            }
            Err(end) => self.end(number, end),
        }
    }

    /// Does what a client does whose session has ended like this.
    fn end(&mut self, number: usize, end: End) {
        let now = self.clocks(number);
        let keys = &mut self.keys;
        let session = &mut self.members[number].session;
        let is_expected = match end {
            End::Notice(Notice::NickTaken) => {
                self.counts.refused += 1;
                let key = || keys.take();
                if session.retreat(key, now).is_some() {
                    return self.hang_up(number);
                }
                self.troubles.collisions
            }
            // It was too slow, and comes back.
            End::Notice(Notice::QueueFull) => return self.hang_up(number),
            _ => false,
        };
        if !is_expected {
            self.surprise(number, &format!("the session ends: {end:?}"));
        }
        self.lose(number);
    }

    pub fn tick(&mut self, number: usize) {
        let now = self.clocks(number);
        let member = &mut self.members[number];
        let is_due = member.session.next_due().is_some_and(|at| at <= self.now);
        if !member.is_here || !member.is_awake() || !is_due {
            return;
        }
        let events = member.session.tick(now);
        for event in events {
            self.told_besides(number, event);
        }
        self.collect(number);
    }
}

fn nick_of(nick: &str) -> Nick {
    nick.parse().expect("a nick")
}

/// A number in letters that look like no other number's.
fn letters(number: usize) -> String {
    let alphabet = b"abcdefghjk";
    let digits = number.to_string().into_bytes();
    let letter = |digit: u8| char::from(alphabet[usize::from(digit - b'0')]);
    digits.into_iter().map(letter).collect()
}
