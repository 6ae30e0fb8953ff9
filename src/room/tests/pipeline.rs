//! Jobs may be done late and in any order: what is told, and what is known then, is the same as where each
//! frame is dealt with before the next one comes.

use std::time::Duration;

use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};

use crate::cipher::encoding::{Digest, Encoder};
use crate::cipher::keys::{IdentityKey, KeySize, SessionKey, quick};
use crate::cipher::seal::Body;
use crate::room::card::{Card, Identity, SessionId};
use crate::room::chain::{Claim, EntryKind, Link, entry_digest, roster_digest, signed_entry};
use crate::room::frame::{Challenge, Departure, Frame, RelayLimits, RunId, left_entry};
use crate::room::message::{Header, Kind, OpenError, SealedMessage, Stream};
use crate::room::names::{Nick, RoomName};
use crate::room::numbers::Ranges;
use crate::room::session::{End, Event, Job, Now, Policy, Session, Standing};
use crate::room::statement::{Occasion, Purpose, Statement};

const RUN: RunId = RunId([7; 16]);

/// How many rooms there are, and how much comes in each.
const ROOMS: u64 = 300;
const FRAMES: usize = 90;

const POLICY: Policy = Policy {
    at_least: Standing::New,
    rekey_after: Duration::from_hours(1),
    no_share: false,
};

fn now(seconds: u64) -> Now {
    Now {
        time: 1000 * seconds,
        uptime: Duration::from_secs(seconds),
    }
}

fn lobby() -> RoomName {
    "lobby".parse().unwrap()
}

fn nick(name: &str) -> Nick {
    name.parse().unwrap()
}

fn fields_of(frame: &Frame) -> Vec<u8> {
    frame.encode().split_off(4)
}

fn identity(key: &IdentityKey) -> Identity {
    Identity {
        key: key.clone(),
        is_lasting: false,
    }
}

/// The keys of all rooms.
struct Keys {
    identities: Vec<IdentityKey>,
    sessions: Vec<SessionKey>,
}

impl Keys {
    fn make() -> Self {
        let identity = |_| IdentityKey::generate(KeySize::Bits2048);
        let session = |_| SessionKey::generate(KeySize::Bits2048);
        Self {
            identities: (0..2).map(identity).collect(),
            sessions: (0..6).map(session).collect(),
        }
    }
}

/// Ada, who writes to bob. She has a next session key, and may leave and come.
struct Author<'a> {
    identity: &'a IdentityKey,
    keys: &'a [SessionKey],
    card: Card,
    numbers: [u64; 2],
    is_here: bool,
}

/// What bob gets, frame by frame.
struct Script<'a> {
    rng: StdRng,
    ada: Author<'a>,
    bob: Vec<SessionId>,
    bob_key: &'a [SessionKey],
    link: Link,
    /// All that there was to be seen since bob's joining, and under how many session ids he was known.
    seen: Vec<(Link, Digest, usize)>,
    own: Vec<(EntryKind, Digest)>,
    frames: Vec<Vec<u8>>,
    /// Of ten messages, so many have a wrong signature.
    forged: u8,
    messages: Vec<(Vec<u8>, Vec<u8>, Vec<u8>)>,
}

impl Script<'_> {
    fn enter(&mut self, kind: EntryKind, entry: &Digest) {
        self.link = self.link.then(kind, entry);
        self.note();
    }

    fn note(&mut self) {
        let mut roster = vec![*self.bob.last().unwrap()];
        roster.extend(self.ada.is_here.then(|| self.ada.card.sid()));
        roster.sort_unstable();
        let seen = (self.link, roster_digest(&roster), self.bob.len());
        self.seen.push(seen);
    }

    fn claim(&mut self) -> (Claim, usize) {
        let (link, roster, known) = self.seen[self.rng.random_range(0..self.seen.len())];
        let claim = Claim {
            run: RUN,
            link,
            roster,
            unread: Ranges::default(),
        };
        (claim, known - 1)
    }

    fn entry(&mut self, kind: EntryKind, entry: &[u8]) {
        self.enter(kind, &entry_digest(entry));
        self.frames.push(fields_of(&Frame::entry(kind, entry)));
    }

    fn message(
        &mut self,
        (header, signature, ciphertext): &(Vec<u8>, Vec<u8>, Vec<u8>),
        to_all: bool,
    ) {
        let signed = signed_entry(header, signature);
        let fields = if to_all {
            self.enter(EntryKind::Message, &entry_digest(&signed));
            let code = EntryKind::Message.code();
            Encoder::default().byte(0x11).byte(code).string(&signed)
        } else {
            Encoder::default().byte(0x13).bytes(&signed)
        };
        self.frames.push(fields.string(ciphertext).finish());
    }

    /// What ada writes to the room or to bob, whom she knows under the last of so many session ids.
    fn seal(
        &self,
        to_all: bool,
        number: u64,
        text: String,
        claim: Claim,
        known: usize,
    ) -> (Vec<u8>, Vec<u8>, Vec<u8>) {
        let reader = self.bob[known];
        let body = Body::new(Kind::Text.code(), text).unwrap();
        let header = Header {
            room: lobby().id(),
            sender: self.ada.card.sid(),
            stream: if to_all {
                Stream::Room
            } else {
                Stream::Direct(reader)
            },
            number,
            time: 0,
            flags: 0,
            left_out: Vec::new(),
            claim,
            commitment: body.commitment(),
        };
        let key = self.bob_key[known].public();
        let sealed = SealedMessage::seal(&header, &body, self.ada.identity, &[(reader, key)]);
        let (_, ciphertext) = sealed.parcels.into_iter().next().unwrap();
        (sealed.header, sealed.signature, ciphertext)
    }

    /// Something right that ada writes to the room.
    fn say(&mut self, number: u64) {
        let (claim, known) = self.claim();
        let message = self.seal(true, number, number.to_string(), claim, known);
        self.message(&message, true);
    }

    /// Something that ada writes, which may be wrong in any way.
    fn write(&mut self) {
        let (claim, known) = self.claim();
        let to_all = self.rng.random_bool(0.8);
        let next = &mut self.ada.numbers[usize::from(to_all)];
        let number = match self.rng.random_range(0..8) {
            0 => next.saturating_sub(1),
            1 => *next + 2,
            _ => *next,
        };
        *next = (*next).max(number + 1);
        let text = format!("{number} {}", self.rng.random_range(0..3));
        let mut message = self.seal(to_all, number, text, claim, known);
        match self.rng.random_range(0..10) {
            turn if turn < self.forged => message.1[0] ^= 1,
            8 => message.2[0] ^= 1,
            9 => message.2.clear(),
            _ => {}
        }
        self.message(&message, to_all);
        self.messages.push(message);
    }

    fn step(&mut self) {
        match self.rng.random_range(0..30) {
            // Once more, or at another place.
            0..3 => {
                if let Some(place) = self.messages.len().checked_sub(1) {
                    let message = self.messages[self.rng.random_range(0..=place)].clone();
                    let to_all = self.rng.random_bool(0.6);
                    self.message(&message, to_all);
                }
            }
            3 if self.ada.is_here => {
                let keys = self.ada.keys;
                let generation = self.messages.len() % keys.len();
                let (key, nick) = (keys[generation].public(), nick("ada"));
                let id = identity(self.ada.identity);
                let number = self.ada.numbers[1];
                let room = lobby().key();
                let ada = &self.ada.card;
                self.ada.card = ada.issue_successor(&room, &id, &nick, key, number, 0);
                let card = self.ada.card.bytes().to_vec();
                self.entry(EntryKind::Rekeyed, &card);
            }
            4 if self.ada.is_here => {
                self.ada.is_here = false;
                let left = left_entry(self.ada.card.sid(), Departure::Lost);
                self.entry(EntryKind::Left, &left);
            }
            5..8 if !self.ada.is_here => {
                self.ada.is_here = true;
                let card = self.ada.card.bytes().to_vec();
                self.entry(EntryKind::Joined, &card);
            }
            8..10 => {
                let (claim, _) = self.claim();
                let statement = Statement {
                    room: lobby().id(),
                    sender: self.ada.card.sid(),
                    time: self.messages.len() as u64,
                    next: self.ada.numbers[1],
                    claim,
                    purpose: Purpose::ToAll(Occasion::Beacon),
                };
                let statement = statement.encode();
                let signature = self.ada.identity.sign(&statement);
                self.entry(EntryKind::Statement, &signed_entry(&statement, &signature));
            }
            10..12 if !self.own.is_empty() => {
                let (kind, digest) = self.own.remove(0);
                if kind == EntryKind::Rekeyed {
                    self.bob.push(SessionId(digest));
                }
                self.frames.push(fields_of(&Frame::own()));
                self.enter(kind, &digest);
            }
            _ => self.write(),
        }
    }
}

/// Bob, in the lobby with ada, when he has said that he sees her and that he goes on under another key.
fn bob(keys: &Keys, ada: &Card) -> (Session, Link) {
    let mine = identity(&keys.identities[0]);
    let key = keys.sessions[0].clone();
    let mut bob = Session::new(mine, key, &nick("bob"), &lobby(), POLICY, now(0));
    let challenge = Challenge {
        nonce: [0; 32],
        run: RUN,
    };
    let limits = RelayLimits {
        members: 10,
        idle: 86_400,
        ..RelayLimits::default()
    };
    let before = Link::start(RUN, lobby().id(), 100);
    for frame in [
        Frame::challenge(&challenge, &limits),
        Frame::welcome(&before, 1, 60),
        Frame::member(ada.bytes()),
    ] {
        bob.receive(&fields_of(&frame), now(0)).unwrap();
    }
    let joined = entry_digest(bob.card().bytes());
    (bob, before.then(EntryKind::Joined, &joined))
}

/// A room that begins with ada and bob in it, and bob as often as is asked.
fn room<const N: usize>(keys: &Keys, seed: u64, forged: u8) -> ([Session; N], Script<'_>) {
    let ada_identity = &keys.identities[1];
    let ada_keys = &keys.sessions[3..];
    let first = ada_keys[0].public();
    let ada = Card::issue(&lobby(), &nick("ada"), &identity(ada_identity), first, 0);
    let bobs = [(); N].map(|()| bob(keys, &ada));
    let link = bobs[0].1;
    let bobs = bobs.map(|(mut bob, _)| {
        bob.take_outgoing();
        bob
    });
    let sid = bobs[0].card().sid();
    assert!(bobs.iter().all(|bob| bob.card().sid() == sid));
    let mut script = Script {
        rng: StdRng::seed_from_u64(seed),
        ada: Author {
            identity: ada_identity,
            keys: ada_keys,
            card: ada,
            numbers: [0; 2],
            is_here: true,
        },
        bob: vec![sid],
        bob_key: &keys.sessions[..3],
        link,
        seen: Vec::new(),
        own: Vec::new(),
        frames: Vec::new(),
        forged,
        messages: Vec::new(),
    };
    script.note();
    (bobs, script)
}

/// What is told, one by one, or what ends the connection.
fn results(told: Result<Vec<Event>, End>) -> Vec<Result<Event, End>> {
    match told {
        Ok(events) => events.into_iter().map(Ok).collect(),
        Err(end) => vec![Err(end)],
    }
}

/// Deals with all, while jobs are done at some time, if they are handed out before it is too late.
fn deal_late(
    bob: &mut Session,
    frames: &[Vec<u8>],
    rng: &mut StdRng,
) -> (Vec<Result<Event, End>>, usize) {
    let (mut events, mut jobs) = (Vec::new(), Vec::<Job>::new());
    let (mut count, mut frames) = (0, frames.iter());
    // Some runs are far behind, and others hardly.
    let pace = rng.random_range(1..20);
    loop {
        match rng.random_range(0..20) {
            0..6 if !jobs.is_empty() => {
                let job = jobs.swap_remove(rng.random_range(0..jobs.len()));
                bob.take_done(job.run());
            }
            6..8 => {
                let handed_out = bob.take_jobs();
                count += handed_out.len();
                jobs.extend(handed_out);
            }
            turn if turn >= pace => {
                if let Some(frame) = frames.next() {
                    events.extend(bob.take_in(frame, now(1)).unwrap().into_iter().map(Ok));
                } else if bob.backlog() == 0 {
                    return (events, count);
                }
            }
            _ => {
                if let Some(dealt) = bob.deal(now(1)) {
                    events.extend(results(dealt));
                }
            }
        }
    }
}

#[test]
fn what_is_told_and_known_is_the_same_however_late_and_in_what_order_jobs_are_done() {
    quick::set(true);
    let keys = Keys::make();
    let mut handed_out = 0;
    let (mut all, mut ends) = (Vec::new(), 0);
    for seed in 0..ROOMS {
        let mut rng = StdRng::seed_from_u64(seed);
        let forged = [1, 1, 1, 8][usize::try_from(seed % 4).unwrap()];
        let ([mut prompt, mut late], mut script) = room(&keys, seed, forged);
        let mut expected = Vec::new();
        while script.frames.len() < FRAMES {
            let (link, seen, sent) = (script.link, script.seen.len(), script.frames.len());
            script.step();
            for frame in &script.frames[sent..] {
                let told = prompt.receive(frame, now(1));
                if told.is_err() {
                    // It has come twice, and so it has no place.
                    script.link = link;
                    script.seen.truncate(seen);
                }
                expected.extend(results(told));
            }
        }
        let (told, count) = deal_late(&mut late, &script.frames, &mut rng);
        assert_eq!(told, expected, "room {seed}");
        // What he states, and whom he owes receipts, says the rest.
        for seconds in [2, 200] {
            let due = [&mut prompt, &mut late].map(|bob| {
                let events = bob.tick(now(seconds));
                let frames = bob.take_outgoing();
                let bytes: Vec<Vec<u8>> = frames.iter().map(Frame::encode).collect();
                (events, bytes)
            });
            assert_eq!(due[0], due[1], "room {seed} after {seconds} s");
        }
        assert_eq!(prompt.received(), late.received());
        handed_out += count;
        ends += told.iter().filter(|told| told.is_err()).count();
        all.extend(told.into_iter().flatten());
    }
    quick::set(false);
    let count = |is_it: fn(&Event) -> bool| all.iter().filter(|event| is_it(event)).count();
    let counts = [
        count(|event| matches!(event, Event::Message { .. })),
        count(|event| matches!(event, Event::Unopened(_, OpenError::Signature))),
        count(|event| matches!(event, Event::Unopened(_, OpenError::SignatureAgain))),
        count(|event| matches!(event, Event::Unopened(_, OpenError::CannotOpen))),
        count(|event| matches!(event, Event::Unopened(_, OpenError::NotForMe))),
        count(|event| matches!(event, Event::Equivocation(_))),
        count(|event| matches!(event, Event::Rekeyed(_))),
        count(|event| matches!(event, Event::Back(_))),
        handed_out,
        ends,
    ];
    assert!(counts.iter().all(|count| *count > 5), "{counts:?}");
}

#[test]
fn where_the_library_panics_at_a_message_it_does_not_open_and_the_others_do() {
    quick::set(true);
    let keys = Keys::make();
    let ([mut bob], mut script) = room(&keys, 0, 0);
    for number in 0..4 {
        script.say(number);
    }
    for frame in &script.frames {
        bob.take_in(frame, now(1)).unwrap();
    }
    let jobs: Vec<Job> = bob.take_jobs();
    assert_eq!(jobs.len(), 4);
    for (number, job) in jobs.into_iter().enumerate() {
        match number {
            // As it verifies, and as it decrypts.
            0 => quick::panic_after(0),
            2 => quick::panic_after(1),
            _ => {}
        }
        bob.take_done(job.run());
    }
    let dealt = std::iter::from_fn(|| bob.deal(now(1)));
    let told: Vec<Event> = dealt.flat_map(Result::unwrap).collect();
    quick::set(false);
    let unopened = |error| Event::Unopened(nick("ada"), error);
    let [first, Event::Message { .. }, third, Event::Message { .. }] = told.as_slice() else {
        panic!("{told:?}");
    };
    assert_eq!(*first, unopened(OpenError::Signature));
    assert_eq!(*third, unopened(OpenError::CannotOpen));
}
