//! Members with their real sessions, and relays, in one process and in simulated time: what happens
//! when.

use std::collections::{BTreeMap, HashMap};
use std::sync::OnceLock;
use std::time::Duration;

use crate::cipher::encoding::Digest;
use crate::cipher::keys::{IdentityKey, SessionKey};
use crate::cipher::pem::IdentityPem;
use crate::room::card::{Card, Identity, SessionId};
use crate::room::frame::{Frame, Signed, ToClient};
use crate::room::message::{Header, Kind};
use crate::room::names::{Nick, RoomName};
use crate::room::notice::Notice;
use crate::room::relay::OutgoingFrame;
use crate::room::session::{End, Event, Now, Policy, Session, Standing, To};
use crate::room::statement::Statement;

use super::misbehaviour::{Misbehaviour, Misbehaviours};
use super::oracle::{Alarm, Fate, Said};
use super::relay::{Put, Relay};
use super::script::{self, Act, NICKS, Script};

/// The longest time between two beacons of a member.
pub const PERIOD: Duration = Duration::from_mins(1);

/// How long a frame is under way.
const HOP: Duration = Duration::from_millis(250);

/// How long a client that has lost its connection waits, and how long an attempt may take.
const PAUSE: Duration = Duration::from_secs(3);
const PATIENCE: Duration = Duration::from_secs(10);

/// How often it is looked at who shows whom as present.
const SAMPLE: Duration = Duration::from_secs(15);

pub fn lobby() -> RoomName {
    "lobby".parse().expect("a name")
}

/// A frame without its length: type and fields.
pub fn payload(frame: &Frame) -> Vec<u8> {
    frame.encode().split_off(4)
}

macro_rules! keys {
    ($($name:literal),*) => {
        [$(include_str!(concat!("../../../../tests/vectors/keys/", $name, ".pem"))),*]
    };
}

/// Key pairs that all runs share: to make one takes far longer than a run.
fn key_pair(number: usize) -> IdentityKey {
    static KEYS: OnceLock<Vec<IdentityKey>> = OnceLock::new();
    let keys = KEYS.get_or_init(|| {
        let files = keys!(
            "ada_identity",
            "bob_identity",
            "cara_identity",
            "ada_session",
            "bob_session",
            "cara_session",
            "bob_session_2100",
            "bob_session_3072",
            "bob_session_4096"
        );
        let open = |pem| IdentityPem::parse(pem).unwrap().open().unwrap();
        files.into_iter().map(open).collect()
    });
    keys[number].clone()
}

/// The number of the member that is never there.
const GHOST: usize = 9;

/// How many of them are identities.
const IDENTITIES: usize = 3;

pub fn identity(number: usize) -> Identity {
    Identity {
        key: key_pair(number % IDENTITIES),
        is_lasting: true,
    }
}

pub fn session_key(number: usize) -> SessionKey {
    SessionKey::from_identity(key_pair(IDENTITIES + number))
}

/// What happens at a time.
pub enum Happening {
    Acts(usize, Act),
    /// A client dials, if it has no connection.
    Dials(usize),
    GivesUp {
        who: usize,
        connection: u64,
    },
    /// A client's connection may be made again.
    IsBack(usize),
    /// A frame comes to a relay.
    Up {
        relay: usize,
        who: usize,
        connection: u64,
        frame: Vec<u8>,
    },
    /// A frame comes to a member.
    Down {
        who: usize,
        connection: u64,
        frame: Vec<u8>,
    },
    /// A relay notices that a connection is broken.
    Broken {
        relay: usize,
        who: usize,
        connection: u64,
    },
    /// A client notices that the relay has hung up.
    HungUp {
        who: usize,
        connection: u64,
    },
    Expired {
        relay: usize,
        number: usize,
    },
    /// A member has had no connection for a minute.
    FallsAsleep {
        relay: usize,
        number: usize,
        until: Duration,
    },
    /// The relay says to a member that another one sleeps.
    SaidAsleep {
        who: usize,
        to: usize,
    },
    /// What was held back goes into a member's queue.
    Posted {
        relay: usize,
        to: usize,
        frame: OutgoingFrame,
    },
    Ticks(usize),
    Sampled,
    ThrownOut(usize),
    IsOut(usize),
    RestartedFor(usize),
    Restarted,
}

/// A message to the room as it stands on a screen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OnScreen {
    pub number: usize,
    /// Whether it is marked with the time when it was written.
    pub is_late: bool,
    /// How many messages above it its author had not seen.
    pub unseen: usize,
}

/// A member, and what its user is told.
pub struct Member {
    pub session: Session,
    /// Which relay it is led to.
    pub relay: usize,
    connection: u64,
    pub is_connected: bool,
    is_cut: bool,
    /// Whether its program has ended.
    pub is_over: bool,
    is_leaving: bool,
    up: Duration,
    down: Duration,
    ticks: Option<Duration>,
    /// When it last lost its connection, when it was last there, and when it last entered.
    pub trouble: Option<Duration>,
    pub there: Duration,
    pub entered: Duration,
    /// When the latest of each other's things was signed that it was given.
    pub saw: HashMap<usize, Duration>,
    pub alarms: Vec<Alarm>,
    /// The messages to the room, as they stand on its screen, by their places in the chain.
    pub screen: Vec<OnScreen>,
    /// What it has said to the room that has not come back.
    pending: Vec<usize>,
}

impl Member {
    pub fn is_up(&self) -> bool {
        self.is_connected && self.session.is_inside()
    }
}

/// All there is.
pub struct World {
    pub now: Duration,
    happenings: BTreeMap<(Duration, u64), Happening>,
    order: u64,
    pub relays: Vec<Relay>,
    pub next_seat: usize,
    /// How many members the relay says that there are at most.
    pub promised_members: u32,
    /// For how many seconds the relay keeps places.
    pub grace: u32,
    pub members: BTreeMap<usize, Member>,
    sids: HashMap<SessionId, usize>,
    names: HashMap<String, usize>,
    next_key: usize,
    pub misbehaviours: Misbehaviours,
    /// What the relay has put into members' queues.
    pub puts: Vec<Put>,
    pub entries: usize,
    /// Whose a statement is that comes by the digest of its entry, and when it was signed.
    pub digests: HashMap<Digest, (usize, Duration)>,
    pub said: Vec<Said>,
    /// What has gone wrong so far.
    pub faults: Vec<String>,
}

impl World {
    pub fn new(script: &Script, misbehaviours: Misbehaviours) -> Self {
        let mut world = Self {
            now: Duration::ZERO,
            happenings: BTreeMap::new(),
            order: 0,
            relays: vec![Relay::new(1)],
            next_seat: 0,
            promised_members: 64,
            grace: script::grace(script),
            members: BTreeMap::new(),
            sids: HashMap::new(),
            names: HashMap::new(),
            next_key: IDENTITIES,
            misbehaviours,
            puts: Vec::new(),
            entries: 0,
            digests: HashMap::new(),
            said: Vec::new(),
            faults: Vec::new(),
        };
        for (at, who, act) in script {
            world.at(Duration::from_secs(*at), Happening::Acts(*who, *act));
        }
        for one in world.misbehaviours.all.clone() {
            let (at, happening) = match one {
                Misbehaviour::ThrowOut { who, at } => (at, Happening::ThrownOut(who)),
                Misbehaviour::PretendRestart { who, at } => (at, Happening::RestartedFor(who)),
                Misbehaviour::Restart { at } => (at, Happening::Restarted),
                Misbehaviour::SayAsleep { who, to, at } => (at, Happening::SaidAsleep { who, to }),
                _ => continue,
            };
            world.at(Duration::from_secs(at), happening);
        }
        let ghost = Card::issue(
            &lobby(),
            &nick("ghost"),
            &identity(2),
            session_key(5).public(),
            0,
        );
        world.misbehaviours.ghost = ghost.bytes().to_vec();
        world.names.insert("ghost".to_owned(), GHOST);
        world.at(SAMPLE, Happening::Sampled);
        world
    }

    pub fn at(&mut self, at: Duration, happening: Happening) {
        self.order += 1;
        let at = at.max(self.now);
        self.happenings.insert((at, self.order), happening);
    }

    fn clocks(&self) -> Now {
        Now {
            time: self.time(),
            uptime: self.now,
        }
    }

    fn time(&self) -> u64 {
        u64::try_from(self.now.as_millis()).unwrap()
    }

    /// Lets time pass until then.
    pub fn run(&mut self, until: Duration) {
        while let Some(first) = self.happenings.first_entry() {
            if first.key().0 > until {
                break;
            }
            let ((at, _), happening) = first.remove_entry();
            self.now = at;
            self.happen(happening);
        }
        self.now = until;
    }

    fn happen(&mut self, happening: Happening) {
        match happening {
            Happening::Acts(who, act) => self.act(who, act),
            Happening::Dials(who) => self.dial(who),
            Happening::GivesUp { who, connection } => {
                let member = self.members.get(&who);
                let is_stuck = |member: &Member| {
                    member.connection == connection
                        && member.is_connected
                        && !member.session.is_inside()
                };
                if member.is_some_and(is_stuck) {
                    self.disconnect(who);
                }
            }
            Happening::IsBack(who) => {
                if let Some(member) = self.members.get_mut(&who) {
                    member.is_cut = false;
                    self.dial(who);
                }
            }
            Happening::Up {
                relay,
                who,
                connection,
                frame,
            } => match self.misbehaviours.held_until(who, self.now) {
                None => self.relay_takes(relay, who, connection, frame),
                Some(until) => {
                    let up = Happening::Up {
                        relay,
                        who,
                        connection,
                        frame,
                    };
                    self.at(until, up);
                }
            },
            Happening::Down {
                who,
                connection,
                frame,
            } => self.member_takes(who, connection, &frame),
            Happening::Broken {
                relay,
                who,
                connection,
            } => self.relay_loses(relay, who, connection),
            Happening::HungUp { who, connection } => {
                let member = self.members.get(&who);
                if member.is_some_and(|m| m.connection == connection && m.is_connected) {
                    self.disconnect(who);
                }
            }
            Happening::Expired { relay, number } => self.relay_forgets(relay, number),
            Happening::FallsAsleep {
                relay,
                number,
                until,
            } => self.relay_puts_to_sleep(relay, number, until),
            Happening::SaidAsleep { who, to } => self.say_asleep(who, to),
            Happening::Posted { relay, to, frame } => self.post_late(relay, to, frame),
            Happening::Ticks(who) => self.tick(who),
            Happening::Sampled => {
                self.sample();
                self.at(self.now + SAMPLE, Happening::Sampled);
            }
            Happening::ThrownOut(who) => {
                if self.members.get(&who).is_some_and(|m| m.is_connected) {
                    self.disconnect(who);
                    self.at(self.now + Duration::from_secs(2), Happening::IsOut(who));
                }
            }
            Happening::IsOut(who) => self.throw_out(self.members[&who].relay, who),
            Happening::RestartedFor(who) => {
                let relay = Relay::new(77 + u8::try_from(self.relays.len()).unwrap());
                self.relays.push(relay);
                let relay = self.relays.len() - 1;
                if let Some(member) = self.members.get_mut(&who).filter(|m| !m.is_over) {
                    let is_connected = member.is_connected;
                    if is_connected {
                        self.disconnect(who);
                    }
                    self.members.get_mut(&who).unwrap().relay = relay;
                }
            }
            Happening::Restarted => {
                let relay = Relay::new(2);
                self.relays.push(relay);
                let relay = self.relays.len() - 1;
                let whos: Vec<usize> = self.members.keys().copied().collect();
                for who in whos {
                    if self.members[&who].is_connected {
                        self.disconnect(who);
                    }
                    self.members.get_mut(&who).unwrap().relay = relay;
                }
            }
        }
    }

    fn act(&mut self, who: usize, act: Act) {
        if matches!(act, Act::Join) {
            return self.join(who, identity(who), session_key(who), NICKS[who]);
        }
        let now = self.clocks();
        let Some(member) = self.members.get_mut(&who).filter(|m| !m.is_over) else {
            return;
        };
        match act {
            Act::Join => {}
            Act::Say => self.say(who, None),
            Act::SayTo(reader) => self.say(who, Some(reader)),
            Act::Rekey | Act::Rename(_) if !member.session.can_rekey() => {}
            Act::Rekey => {
                let key = next_key(&mut self.next_key);
                member.session.rekey(key, now);
            }
            Act::Rename(to) => {
                let key = next_key(&mut self.next_key);
                // Where somebody has it already, it stays what it is.
                let _ = member.session.rename(&nick(to), key, now);
            }
            Act::Cut(seconds) | Act::Sleep(seconds) => {
                member.is_cut = true;
                if member.is_connected {
                    self.disconnect(who);
                }
                let back = self.now + Duration::from_secs(seconds);
                self.at(back, Happening::IsBack(who));
            }
            Act::Leave => {
                member.is_leaving = true;
                member.session.leave(now);
            }
        }
        self.collect(who);
    }

    /// Somebody comes.
    pub fn join(&mut self, who: usize, identity: Identity, key: SessionKey, called: &str) {
        let policy = Policy {
            at_least: Standing::New,
            rekey_after: Duration::from_hours(9),
            no_share: false,
        };
        let now = self.clocks();
        let session = Session::new(identity, key, &nick(called), &lobby(), policy, now);
        self.names.insert(called.to_owned(), who);
        let member = Member {
            session,
            relay: self.relays.len() - 1,
            connection: 0,
            is_connected: false,
            is_cut: false,
            is_over: false,
            is_leaving: false,
            up: Duration::ZERO,
            down: Duration::ZERO,
            ticks: None,
            trouble: None,
            there: Duration::ZERO,
            entered: Duration::ZERO,
            saw: HashMap::new(),
            alarms: Vec::new(),
            screen: Vec::new(),
            pending: Vec::new(),
        };
        self.members.insert(who, member);
        self.dial(who);
    }

    fn dial(&mut self, who: usize) {
        let Some(member) = self.members.get_mut(&who) else {
            return;
        };
        if member.is_connected || member.is_cut || member.is_over {
            return;
        }
        member.is_connected = true;
        member.connection += 1;
        (member.up, member.down) = (self.now, self.now + HOP);
        let (relay, connection) = (member.relay, member.connection);
        let challenge = self.challenge(relay, connection);
        let challenge = payload(&Frame::challenge(&challenge, &self.limits()));
        self.send_down(who, connection, challenge);
        self.at(self.now + PATIENCE, Happening::GivesUp { who, connection });
    }

    /// A client has lost its connection, or gives it up.
    fn disconnect(&mut self, who: usize) {
        let now = self.clocks();
        let Some(member) = self.members.get_mut(&who) else {
            return;
        };
        if member.is_up() {
            member.there = self.now;
        }
        member.is_connected = false;
        member.trouble = Some(self.now);
        member.session.disconnect(now);
        let at = member.up.max(self.now) + HOP;
        let (relay, connection) = (member.relay, member.connection);
        if member.session.has_said_goodbye() {
            member.is_over = true;
        }
        self.at(
            at,
            Happening::Broken {
                relay,
                who,
                connection,
            },
        );
        self.at(self.now + PAUSE, Happening::Dials(who));
    }

    /// Puts a frame on its way to a member.
    pub fn send_down(&mut self, who: usize, connection: u64, frame: Vec<u8>) {
        let Some(member) = self.members.get_mut(&who) else {
            return;
        };
        if member.connection != connection {
            return;
        }
        member.down = member.down.max(self.now + HOP);
        let at = member.down;
        self.at(
            at,
            Happening::Down {
                who,
                connection,
                frame,
            },
        );
    }

    /// When the last frame to a member comes there.
    pub fn down_at(&self, who: usize) -> Duration {
        self.members[&who].down.max(self.now + HOP)
    }

    /// Takes what a member has to send, and looks when it has something to do.
    fn collect(&mut self, who: usize) {
        let now = self.now;
        let Some(member) = self.members.get_mut(&who) else {
            return;
        };
        self.sids.insert(member.session.card().sid(), who);
        let frames = member.session.take_outgoing();
        if member.is_connected {
            member.up = member.up.max(now + HOP);
            let (relay, connection, at) = (member.relay, member.connection, member.up);
            for frame in frames {
                let frame = payload(&frame);
                self.at(
                    at,
                    Happening::Up {
                        relay,
                        who,
                        connection,
                        frame,
                    },
                );
            }
        }
        let member = self.members.get_mut(&who).unwrap();
        if member.is_leaving && member.session.has_said_goodbye() && !member.session.is_waiting() {
            member.is_over = true;
            member.there = now;
            if member.is_connected {
                self.disconnect(who);
            }
            return;
        }
        // What is due now is done the next time that the program looks.
        let soon = now + Duration::from_millis(10);
        let due = member.session.next_due().map(|due| due.max(soon));
        if let Some(due) = due.filter(|due| member.ticks.is_none_or(|at| *due < at)) {
            member.ticks = Some(due);
            self.at(due, Happening::Ticks(who));
        }
    }

    fn tick(&mut self, who: usize) {
        let clocks = self.clocks();
        let now = self.now;
        let Some(member) = self.members.get_mut(&who) else {
            return;
        };
        if member.is_over || member.ticks.take_if(|at| *at <= now).is_none() {
            return;
        }
        let events = member.session.tick(clocks);
        for event in events {
            self.tell(who, event);
        }
        self.collect(who);
    }

    fn member_takes(&mut self, who: usize, connection: u64, frame: &[u8]) {
        let clocks = self.clocks();
        let seen = self.all_signed_in(frame);
        let Some(member) = self.members.get_mut(&who) else {
            return;
        };
        if member.connection != connection || !member.is_connected || member.is_over {
            return;
        }
        for (from, at) in seen {
            let saw = member.saw.entry(from).or_default();
            *saw = at.min(self.now).max(*saw);
        }
        let was_inside = member.session.is_inside();
        let taken = member.session.receive(frame, clocks);
        let member = self.members.get_mut(&who).unwrap();
        match taken {
            Ok(events) => {
                if matches!(ToClient::parse(frame), Ok(ToClient::Ping)) {
                    let (relay, at) = (member.relay, self.now + HOP);
                    let frame = payload(&Frame::ack(member.session.received()));
                    let up = Happening::Up {
                        relay,
                        who,
                        connection,
                        frame,
                    };
                    self.at(at, up);
                }
                self.note_what_came_back(who);
                for event in events {
                    self.tell(who, event);
                }
            }
            Err(end) => {
                let now = self.now;
                member.alarms.push(Alarm::of_end(now, end));
                let is_final = is_final(end, was_inside);
                self.disconnect(who);
                if is_final {
                    self.members.get_mut(&who).unwrap().is_over = true;
                }
            }
        }
        self.collect(who);
    }

    /// Whose is what a frame brings, and when was it signed?
    fn all_signed_in(&self, frame: &[u8]) -> Vec<(usize, Duration)> {
        if let Ok(ToClient::Passed(digests)) = ToClient::parse(frame) {
            let known = digests.iter().filter_map(|digest| self.digests.get(digest));
            return known.copied().collect();
        }
        self.signed_in(frame).into_iter().collect()
    }

    /// The same of one that brings one thing.
    pub fn signed_in(&self, frame: &[u8]) -> Option<(usize, Duration)> {
        let (sender, time) = match ToClient::parse(frame).ok()? {
            ToClient::Entry { entry, .. } => {
                if let Ok(signed) = Signed::parse(entry) {
                    sender_and_time(signed.bytes)?
                } else {
                    let card = Card::parse(entry, lobby().id()).ok()?;
                    (card.sid(), card.issued())
                }
            }
            ToClient::Deliver(signed, _) | ToClient::Receipt(signed) => {
                sender_and_time(signed.bytes)?
            }
            _ => return None,
        };
        let from = self.sids.get(&sender)?;
        Some((*from, Duration::from_millis(time)))
    }

    /// Of what a member has said to the room, that may have its place in the chain now.
    fn note_what_came_back(&mut self, who: usize) {
        let said = &self.said;
        let member = self.members.get_mut(&who).unwrap();
        if member.pending.is_empty() {
            return;
        }
        let untaken: Vec<&str> = member.session.untaken().collect();
        let is_back = |number: &usize| !untaken.contains(&said[*number].text.as_str());
        let back: Vec<usize> = member.pending.iter().copied().filter(is_back).collect();
        member.pending.retain(|number| !back.contains(number));
        member
            .screen
            .extend(back.into_iter().map(|number| OnScreen {
                number,
                is_late: false,
                unseen: 0,
            }));
    }

    fn say(&mut self, who: usize, to: Option<usize>) {
        let now = self.clocks();
        let names = &self.names;
        let number = self.said.len();
        let Some(member) = self.members.get_mut(&who) else {
            return;
        };
        let of = |nick: &Nick| names.get(nick.as_str()).copied();
        let others = member.session.others();
        let address = match to {
            None => To::Room {
                shown: member.session.changes(),
            },
            Some(reader) => {
                let mut others = others.iter();
                let Some(person) = others.find(|person| of(&person.nick) == Some(reader)) else {
                    return;
                };
                To::Member(person.sid)
            }
        };
        let text = format!("{number} from {who}");
        let Ok(receipt) = member.session.say(address, Kind::Text, &text, now) else {
            return;
        };
        // What is said to the room is for those too who are expected back.
        let expected = member.session.expected(now);
        let nicks = others.iter().chain(&expected).map(|person| &person.nick);
        // One to a member is for one card, though the relay may have it be there under two.
        let readers = to.map_or_else(|| nicks.filter_map(of).collect(), |to| vec![to]);
        let mut fates: BTreeMap<usize, Fate> = BTreeMap::new();
        for reader in readers {
            fates.entry(reader).or_default().times += 1;
        }
        let count: usize = fates.values().map(|fate| fate.times).sum();
        if receipt.readers != count {
            let readers = receipt.readers;
            self.faults
                .push(format!("{text:?} is for {readers}, and not for {count}"));
        }
        self.said.push(Said {
            author: who,
            text,
            is_direct: to.is_some(),
            receipt: receipt.number,
            at: self.now,
            readers: fates,
        });
        if to.is_none() {
            member.pending.push(number);
        }
    }

    /// Who has, or had, a nick.
    pub fn who_is(&self, nick: &Nick) -> Option<usize> {
        self.names.get(nick.as_str()).copied()
    }

    fn tell(&mut self, who: usize, event: Event) {
        let clocks = self.clocks();
        if let Some(alarm) = Alarm::of_event(self.now, &event, |nick| self.who_is(nick)) {
            self.members.get_mut(&who).unwrap().alarms.push(alarm);
        }
        let member = self.members.get_mut(&who).unwrap();
        match event {
            Event::Entered(_) | Event::Returned { .. } => {
                member.entered = self.now;
            }
            Event::RekeyDue => {
                let key = next_key(&mut self.next_key);
                member.session.rekey(key, clocks);
            }
            Event::Contradicted => {
                member.session.enter_anew();
                self.disconnect(who);
            }
            Event::Dead => self.disconnect(who),
            Event::Message {
                from,
                direct,
                text,
                written,
                unseen,
                ..
            } => {
                let (text, is_late) = (text.as_str(), written.is_some());
                if let Some(number) = self.note_shown(who, &from, direct, text)
                    && !direct
                {
                    let member = self.members.get_mut(&who).unwrap();
                    member.screen.push(OnScreen {
                        number,
                        is_late,
                        unseen,
                    });
                }
            }
            Event::Renamed { former, person } => {
                if let Some(who) = self.who_is(&former) {
                    self.names.insert(person.nick.as_str().to_owned(), who);
                }
            }
            Event::Called(nick) => {
                self.names.insert(nick.as_str().to_owned(), who);
            }
            Event::Confirmed {
                receipt, reader, ..
            } => self.note_fate(who, receipt, &reader, |fate| {
                fate.is_confirmed = true;
                fate.ends += 1;
            }),
            Event::Unconfirmed {
                receipt, reader, ..
            } => self.note_fate(who, receipt, &reader, |fate| fate.is_told = true),
            Event::Undelivered {
                receipt, reader, ..
            } => self.note_fate(who, receipt, &reader, |fate| {
                fate.is_told = true;
                fate.ends += 1;
            }),
            Event::NotTaken {
                receipt, readers, ..
            } => {
                for reader in readers {
                    self.note_fate(who, receipt, &reader, |fate| fate.is_told = true);
                }
                let said = &self.said;
                let member = self.members.get_mut(&who).unwrap();
                member
                    .pending
                    .retain(|number| said[*number].receipt != receipt);
            }
            _ => {}
        }
    }
}

/// The next session key: they are taken in turn.
fn next_key(number: &mut usize) -> SessionKey {
    *number += 1;
    session_key(3 + (*number - IDENTITIES - 1) % 3)
}

pub fn nick(nick: &str) -> Nick {
    nick.parse().expect("a nick")
}

fn sender_and_time(signed: &[u8]) -> Option<(SessionId, u64)> {
    if let Ok(header) = Header::parse(signed) {
        return Some((header.sender, header.time));
    }
    let statement = Statement::parse(signed).ok()?;
    Some((statement.sender, statement.time))
}

/// Whether a program ends with this, as the client's does.
fn is_final(end: End, was_inside: bool) -> bool {
    match end {
        End::UnknownNotice(_) => true,
        End::Malformed => was_inside,
        End::Notice(notice) => !matches!(
            notice,
            Notice::HandshakeTooSlow | Notice::RoomFull | Notice::QueueFull | Notice::Idle
        ),
    }
}
