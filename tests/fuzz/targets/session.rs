//! A client's session, and a relay that does whatever bytes say with what honest and dishonest
//! members send.

use std::cell::RefCell;
use std::collections::{HashMap, HashSet, VecDeque};
use std::rc::Rc;
use std::time::Duration;

use e2echat::cipher::encoding::Encoder;
use e2echat::cipher::keys::{KeySize, SessionKey};
use e2echat::cipher::pem::{IdentityPem, encode};
use e2echat::cipher::seal::Body;
use e2echat::room::card::{Card, Identity, SessionId, Stay};
use e2echat::room::chain::{Claim, EntryKind, Link, entry_digest, roster_digest, signed_entry};
use e2echat::room::frame::{
    Challenge, Departure, Frame, MAX_FRAME, Part, RelayLimits, RunId, ToClient, ToRelay, left_entry,
};
use e2echat::room::message::{Header, Kind, LeftOutFor, SealedMessage, Stream};
use e2echat::room::notice::Notice;
use e2echat::room::numbers::{Had, Outcome};
use e2echat::room::relay::{Intake, Mailbox, OutgoingFrame, Room, admit};
use e2echat::room::session::{Event, Now, Policy, Session, Standing, To};
use e2echat::room::statement::{Occasion, Purpose, Receipt, Statement};

use super::keys::{Fields, identity, room, sign};
use super::payload;
use super::script::Script;
use super::written::check_safe;

const LIMITS: RelayLimits = RelayLimits {
    idle: 90,
    members: 10,
    blocks: 0,
    bytes: 0,
};
const GRACE: u32 = 60;
const CHALLENGE: Challenge = Challenge {
    nonce: [1; 32],
    run: RunId([2; 16]),
};
const POLICY: Policy = Policy {
    at_least: Standing::New,
    rekey_after: Duration::from_hours(1),
    no_share: false,
};
/// So much is done with one session: what libFuzzer makes is longer.
const MAX_STEPS: usize = 64;
/// The number of Mallory's identity, and of the others of whom Mallory has cards made.
const MALLORY: usize = 2;

#[derive(Clone, Default)]
struct Inbox(Rc<RefCell<VecDeque<Vec<u8>>>>);

impl Mailbox for Inbox {
    fn post(&self, frame: OutgoingFrame) {
        let bytes = frame.slices().concat().split_off(4);
        self.0.borrow_mut().push_back(bytes);
    }

    fn dismiss(&self, _: Notice) {}
}

/// An honest session and its place in the honest room.
struct Member {
    session: Session,
    inbox: Inbox,
    intake: Intake,
}

/// An honest room with Ada, who says what she is told to, and Mallory, whose keys are known here.
/// They stay from one run to the next, as keys take long to make.
struct World {
    room: Room<Inbox>,
    ada: Member,
    mallory: Card,
    /// How many texts Ada has said, each another.
    said: usize,
}

/// A client's session.
pub fn session(bytes: &[u8]) {
    thread_local! {
        static WORLD: RefCell<Option<World>> = const { RefCell::new(None) };
    }
    // Where this panics, the next run has another world.
    let world = WORLD.take().filter(|world| world.said < 1000);
    let mut run = Run::new(world.unwrap_or_else(World::new));
    let mut script = Script::new(bytes);
    for _ in 0..MAX_STEPS {
        if script.is_over() || !run.step(&mut script) {
            break;
        }
    }
    WORLD.set(Some(run.end()));
}

fn now(seconds: u64) -> Now {
    Now {
        time: seconds * 1000,
        uptime: Duration::from_secs(seconds),
    }
}

/// Has somebody enter the honest room. What the relay answers waits in the inbox.
fn enter(relay: &mut Room<Inbox>, nick: &str, number: usize) -> Member {
    let pem = encode(identity(number), None);
    let identity = Identity {
        key: IdentityPem::parse(&pem).unwrap().open().unwrap(),
        is_lasting: true,
    };
    let key = SessionKey::generate(KeySize::Bits2048);
    let nick = nick.parse().unwrap();
    let mut session = Session::new(identity, key, &nick, room(), POLICY, now(0));
    let challenge = payload(&Frame::challenge(&CHALLENGE, &LIMITS));
    assert_eq!(session.receive(&challenge, now(0)), Ok(Vec::new()));
    let [hello] = session.take_outgoing().try_into().unwrap();
    let entry = admit(&payload(&hello), &CHALLENGE, room().id()).expect("an honest client");
    let inbox = Inbox::default();
    let joined = relay.join(&entry.card, &inbox).expect("there is room");
    Member {
        intake: Intake::new(&entry.card, CHALLENGE.run, joined, &LIMITS),
        session,
        inbox,
    }
}

impl Member {
    /// Takes what it has to send to the honest room.
    fn send(&mut self, relay: &mut Room<Inbox>) {
        for frame in self.session.take_outgoing() {
            let frame = payload(&frame);
            assert!(frame.len() <= MAX_FRAME && ToRelay::parse(&frame).is_ok());
            let request = self.intake.take(frame).expect("an honest client");
            let carried = relay.carry_out(&mut self.intake, &request);
            assert_eq!(carried, Ok(()));
        }
    }
}

impl World {
    fn new() -> Self {
        let mut relay = Room::new(Link::start(CHALLENGE.run, room().id(), 0), &LIMITS, GRACE);
        let ada = enter(&mut relay, "ada", 0);
        let mallory = Fields::new("mallory", MALLORY, 0).card().expect("a card");
        relay
            .join(&mallory, &Inbox::default())
            .expect("there is room");
        let mut world = Self {
            room: relay,
            ada,
            mallory,
            said: 0,
        };
        world.ada_catches_up(0);
        world
    }

    /// Ada sees all that happens, and nothing but the truth.
    fn ada_catches_up(&mut self, seconds: u64) {
        self.ada_reads(seconds);
        self.ada.session.tick(now(seconds));
        self.ada.send(&mut self.room);
        // What her frames have caused for her comes before the acknowledgement.
        self.ada_reads(seconds);
        self.ada_takes(&payload(&Frame::ack(self.ada.intake.received())), seconds);
    }

    fn ada_reads(&mut self, seconds: u64) {
        for frame in self.ada.inbox.0.take() {
            self.ada_takes(&frame, seconds);
        }
    }

    fn ada_takes(&mut self, frame: &[u8], seconds: u64) {
        let events = self.ada.session.receive(frame, now(seconds));
        let is_false_alarm = |event: &Event| {
            use Event::{Blind, Disbelieved, Equivocation, OtherView, Stray, Swallowed, Unopened};
            matches!(
                event,
                Blind(_)
                    | Disbelieved(_)
                    | Equivocation(_)
                    | OtherView(_)
                    | Stray
                    | Swallowed
                    | Unopened(..)
            )
        };
        match &events {
            Ok(events) => assert!(!events.iter().any(is_false_alarm), "{events:?}"),
            Err(end) => panic!("{end:?}"),
        }
    }
}

/// One life of Bob's, whose relay lies.
struct Run {
    world: World,
    bob: Member,
    seconds: u64,
    /// The place of the chain that Bob was shown, as far as it is known here.
    link: Link,
    /// The card that Bob presented last, and his entries that are not back.
    presented: Vec<u8>,
    not_back: VecDeque<(EntryKind, Vec<u8>)>,
    /// What was said to him: by whom, directly or not, and whether he has been shown it.
    said: HashMap<(String, bool), Option<&'static str>>,
    changes: u64,
    mallory_said: u64,
}

impl Run {
    fn new(mut world: World) -> Self {
        let bob = enter(&mut world.room, "bob", 1);
        world.ada_catches_up(0);
        let presented = bob.session.card().bytes().to_vec();
        Self {
            world,
            bob,
            seconds: 0,
            link: Link::start(CHALLENGE.run, room().id(), 0),
            presented,
            not_back: VecDeque::new(),
            said: HashMap::new(),
            changes: 0,
            mallory_said: 0,
        }
    }

    /// Bob is gone for good.
    fn end(mut self) -> World {
        let joined = self.bob.intake.joined();
        self.world.room.leave(joined, Departure::Lost);
        self.world.ada_catches_up(self.seconds);
        self.world
    }

    /// Does one thing. Returns whether Bob's session goes on.
    fn step(&mut self, script: &mut Script<'_>) -> bool {
        let honest = || self.bob.inbox.0.borrow_mut().pop_front();
        let frame = match script.pick(16) {
            0..=4 => honest(),
            5 => honest().map(|frame| script.damage(&frame)),
            6 => self.reorder(),
            7 => self.bob.inbox.0.borrow().front().cloned(),
            8 => {
                self.ada_speaks(script.flag());
                None
            }
            9 => Some(self.mallory_speaks(script)),
            10 => Some(self.mallory_states(script)),
            11 | 12 => Some(self.roster_changes(script)),
            13 => return self.bob_acts(script),
            14 => Some(script.bytes().to_vec()),
            _ => Some(payload(&Frame::ack(
                script.number(self.bob.intake.received()),
            ))),
        };
        frame.is_none_or(|frame| self.deliver(&frame))
    }

    fn reorder(&self) -> Option<Vec<u8>> {
        let mut inbox = self.bob.inbox.0.borrow_mut();
        let first = inbox.pop_front()?;
        let second = inbox.pop_front();
        inbox.push_front(first);
        second
    }

    fn deliver(&mut self, frame: &[u8]) -> bool {
        let Ok(events) = self.bob.session.receive(frame, now(self.seconds)) else {
            return false;
        };
        self.follow(frame);
        self.take_outgoing();
        self.check(events);
        true
    }

    /// Notes what Bob has been shown of a chain.
    fn follow(&mut self, frame: &[u8]) {
        match ToClient::parse(frame) {
            Ok(ToClient::Welcome(welcome)) => {
                self.not_back.clear();
                if !welcome.resumed {
                    let joining = entry_digest(&self.presented);
                    self.link = welcome.before.then(EntryKind::Joined, &joining);
                }
            }
            Ok(ToClient::Entry { kind, entry, .. }) => {
                self.link = self.link.then(kind, &entry_digest(entry));
            }
            Ok(ToClient::Own) => {
                if let Some((kind, entry)) = self.not_back.pop_front() {
                    self.link = self.link.then(kind, &entry_digest(&entry));
                }
            }
            Ok(ToClient::Refused(_)) => {
                self.not_back.pop_front();
            }
            _ => {}
        }
    }

    /// Reads what Bob sends, which goes nowhere.
    fn take_outgoing(&mut self) {
        for frame in self.bob.session.take_outgoing() {
            let frame = payload(&frame);
            assert!(frame.len() <= MAX_FRAME);
            let entry = match ToRelay::parse(&frame).expect("what a relay understands") {
                ToRelay::Hello { card, .. } => {
                    self.presented = card.to_vec();
                    continue;
                }
                ToRelay::Send(send) => {
                    let header = Header::parse(&frame[send.header.clone()]).expect("a header");
                    let is_entry = header.stream == Stream::Room && send.part == Part::Last;
                    is_entry.then(|| (EntryKind::Message, frame[send.signed.clone()].to_vec()))
                }
                ToRelay::Rekey(card) => Some((EntryKind::Rekeyed, card.to_vec())),
                ToRelay::Statement(state) => {
                    let statement = Statement::parse(state.statement).expect("a statement");
                    let signed = frame[state.signed.clone()].to_vec();
                    match statement.purpose {
                        Purpose::ToAll(Occasion::Goodbye) => Some((EntryKind::Goodbye, signed)),
                        Purpose::ToAll(_) => Some((EntryKind::Statement, signed)),
                        Purpose::Receipt(..) => None,
                    }
                }
                ToRelay::Ping | ToRelay::Ack(_) => None,
            };
            self.not_back.extend(entry);
        }
    }

    fn check(&mut self, events: Vec<Event>) {
        for event in events {
            let Event::Message {
                from, direct, text, ..
            } = event
            else {
                continue;
            };
            check_safe(&text);
            let said = self.said.get_mut(&(text.as_str().to_owned(), direct));
            let author = said.and_then(Option::take);
            assert_eq!(
                author,
                Some(from.as_str()),
                "shown what was not said: {text}"
            );
        }
        let others = self.bob.session.others();
        let mut skeletons: HashSet<String> = others.iter().map(|it| it.nick.skeleton()).collect();
        assert!(skeletons.len() == others.len() && skeletons.insert("bob".to_owned()));
        assert!(self.bob.session.changes() >= self.changes);
        self.changes = self.bob.session.changes();
    }

    fn ada_speaks(&mut self, direct: bool) {
        let World {
            ada, room, said, ..
        } = &mut self.world;
        let text = format!("ada says {said}");
        *said += 1;
        let to = if direct {
            To::Member(self.bob.session.card().sid())
        } else {
            let shown = ada.session.changes();
            To::Room { shown }
        };
        let sent = ada.session.say(to, Kind::Text, &text, now(self.seconds));
        assert!(sent.is_ok(), "{sent:?}");
        ada.send(room);
        self.said.insert((text, direct), Some("ada"));
        self.world.ada_catches_up(self.seconds);
    }

    /// Ada, Mallory, Bob, or nobody.
    fn somebody(&self, script: &mut Script<'_>) -> SessionId {
        match script.pick(5) {
            0 | 1 => self.bob.session.card().sid(),
            2 => self.world.ada.session.card().sid(),
            3 => self.world.mallory.sid(),
            _ => SessionId([script.byte(); 32]),
        }
    }

    fn everybody(&self) -> Vec<SessionId> {
        let others = self.bob.session.others();
        let mut all: Vec<SessionId> = others.iter().map(|person| person.sid).collect();
        all.push(self.bob.session.card().sid());
        all.sort_unstable();
        all
    }

    /// What Mallory claims to have seen: what Bob has, or not.
    fn claim(&self, script: &mut Script<'_>) -> Claim {
        let position = script.number(self.link.position);
        let unread = (0..script.pick(3)).map(|n| position.saturating_sub(2 * n as u64));
        let unread = unread.map(|position| (position, position)).collect();
        Claim {
            run: if script.pick(8) == 7 {
                RunId([9; 16])
            } else {
                CHALLENGE.run
            },
            link: Link {
                position,
                ..self.link
            },
            roster: roster_digest(&self.everybody()),
            unread,
        }
    }

    /// Who Mallory says that it is.
    fn mallory_as(&self, script: &mut Script<'_>) -> SessionId {
        match script.pick(8) {
            7 => self.somebody(script),
            _ => self.world.mallory.sid(),
        }
    }

    fn mallory_speaks(&mut self, script: &mut Script<'_>) -> Vec<u8> {
        let text = format!("mallory says {}\u{1b}[2J\u{202e}", self.mallory_said);
        let shown = text.replace(['\u{1b}', '\u{202e}'], "\u{fffd}");
        let body = Body::new(script.pick(3).try_into().unwrap(), text).unwrap();
        let direct = script.flag();
        let header = Header {
            room: room().id(),
            sender: self.mallory_as(script),
            stream: if direct {
                Stream::Direct(self.somebody(script))
            } else {
                Stream::Room
            },
            number: script.number(self.mallory_said),
            time: 0,
            flags: script.byte(),
            left_out: (0..script.pick(2))
                .map(|_| (self.somebody(script), LeftOutFor::Coming))
                .collect(),
            claim: self.claim(script),
            commitment: body.commitment(),
        };
        self.mallory_said += 1;
        self.said.insert((shown, direct), Some("mallory"));
        let bob = self.bob.session.card();
        let readers = [(bob.sid(), bob.session())];
        let sealed = SealedMessage::seal(&header, &body, identity(MALLORY), &readers);
        let entry = sealed.entry();
        let [(_, mut ciphertext)] = sealed.parcels.try_into().unwrap();
        match script.pick(8) {
            6 => ciphertext.clear(),
            7 => ciphertext = script.damage(&ciphertext),
            _ => {}
        }
        // The one is for an entry, the other for a late copy as well.
        let is_entry = direct == (script.pick(8) == 7);
        if is_entry {
            message_entry(EntryKind::Message, &entry, &ciphertext)
        } else {
            let fields = Encoder::default().byte(0x13).bytes(&entry);
            fields.string(&ciphertext).finish()
        }
    }

    fn mallory_states(&self, script: &mut Script<'_>) -> Vec<u8> {
        let purpose = match script.pick(8) {
            0..=3 => Purpose::ToAll(Occasion::Beacon),
            4 => Purpose::ToAll(Occasion::Unknown(script.byte().max(2))),
            5 => Purpose::ToAll(Occasion::Goodbye),
            _ => Purpose::Receipt(
                self.somebody(script),
                Receipt {
                    direct: had(script),
                    room: script.flag().then(|| had(script)),
                },
            ),
        };
        let is_receipt = matches!(purpose, Purpose::Receipt(..));
        let kind = match purpose {
            Purpose::ToAll(Occasion::Goodbye) => EntryKind::Goodbye,
            _ => EntryKind::Statement,
        };
        let statement = Statement {
            room: room().id(),
            sender: self.mallory_as(script),
            time: script.number(self.seconds + 1),
            next: script.number(self.mallory_said),
            claim: self.claim(script),
            purpose,
        };
        let bytes = statement.encode();
        let signed = signed_entry(&bytes, &sign(MALLORY, &bytes));
        if is_receipt == (script.pick(8) == 7) {
            message_entry(kind, &signed, &[])
        } else {
            Encoder::default().byte(0x16).bytes(&signed).finish()
        }
    }

    /// A change of the roster that did not happen.
    fn roster_changes(&self, script: &mut Script<'_>) -> Vec<u8> {
        let mallory = &self.world.mallory;
        let stays = [Stay {
            first: script.number(1),
            claim: self.claim(script),
        }];
        let bytes = match script.pick(8) {
            0 => mallory.bytes().to_vec(),
            1 => self.world.ada.session.card().bytes().to_vec(),
            2 => self.bob.session.card().bytes().to_vec(),
            3 => Fields {
                generation: 1,
                previous: mallory.sid(),
                first: mallory.sid(),
                next: script.number(self.mallory_said),
                ..Fields::new("mallory", MALLORY, 3)
            }
            .bytes(),
            n => {
                let nick = ["Bob", "zoe", "z0e", "mall0ry"][n - 4];
                Fields {
                    past: &stays[..script.pick(2)],
                    ..Fields::new(nick, MALLORY, script.pick(5))
                }
                .bytes()
            }
        };
        let before = Link {
            position: script.number(self.link.position),
            ..self.link
        };
        payload(&match script.pick(6) {
            0 => Frame::entry(EntryKind::Joined, &bytes),
            1 => Frame::entry(EntryKind::Rekeyed, &bytes),
            2 => {
                let left = left_entry(self.somebody(script), Departure::Lost);
                Frame::entry(EntryKind::Left, &left)
            }
            3 => Frame::own(),
            4 => Frame::refused(11 + u8::from(script.flag())),
            _ => match script.pick(4) {
                0 => Frame::welcome(&before, script.pick(4), GRACE),
                1 => Frame::welcome_back(script.number(self.bob.intake.received()), GRACE),
                2 => Frame::challenge(&CHALLENGE, &LIMITS),
                _ => Frame::member(&bytes),
            },
        })
    }

    fn bob_acts(&mut self, script: &mut Script<'_>) -> bool {
        match script.pick(6) {
            0 => {
                self.seconds += u64::from(script.byte());
                let events = self.bob.session.tick(now(self.seconds));
                self.check(events);
            }
            1 | 2 => {
                let shown = script.number(self.bob.session.changes());
                let to = if script.flag() {
                    To::Member(self.somebody(script))
                } else {
                    To::Room { shown }
                };
                let _ = (self.bob.session).say(to, Kind::Text, "bob says", now(self.seconds));
            }
            3 => self.bob.session.disconnect(now(self.seconds)),
            5 if script.flag() => self.bob.session.enter_anew(),
            4 => self.bob.session.leave(now(self.seconds)),
            _ => {}
        }
        self.take_outgoing();
        true
    }
}

/// ENTRY with a ciphertext, which no function of the program makes in one piece.
fn message_entry(kind: EntryKind, entry: &[u8], ciphertext: &[u8]) -> Vec<u8> {
    let fields = Encoder::default().byte(0x11).byte(kind.code());
    fields.string(entry).string(ciphertext).finish()
}

/// What Mallory may say that it has had.
fn had(script: &mut Script<'_>) -> Had {
    let mut had = Had::default();
    for _ in 0..script.pick(4) {
        let outcome = if script.flag() {
            Outcome::Opened
        } else {
            Outcome::Unopened
        };
        had.take(script.number(0).min(u64::MAX - 1), outcome);
    }
    had
}
