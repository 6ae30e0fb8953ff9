//! What a client's memory grows to, whatever a relay sends (docs/SECURITY.md, "What a client takes").

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread;
use std::time::Duration;

use e2echat::cipher::encoding::Encoder;
use e2echat::cipher::keys::{IdentityKey, KeySize, PublicKey, SessionKey};
use e2echat::cipher::seal::Body;
use e2echat::room::card::{Card, MAX_PAST, MAX_PAST_UNREAD, SessionId, Stay};
use e2echat::room::chain::{Claim, EntryKind, Link, entry_digest, roster_digest, signed_entry};
use e2echat::room::frame::{
    Challenge, Departure, Frame, MAX_FRAME, MAX_HANDSHAKE_FRAME, PREAMBLE, Part, RelayLimits,
    RunId, ToRelay, left_entry,
};
use e2echat::room::message::{Header, Kind, SealedMessage, Stream};
use e2echat::room::numbers::{MAX_RANGES, Ranges};
use e2echat::room::relay::admit;
use e2echat::room::statement::{Purpose, Statement};
use e2echat::room::stream::read_frame;
use rand::Rng as _;
use serde_json::json;

use crate::support::peer::{CardFields, identity, lobby};
use crate::support::process::{Client, memory_of, wait_within};
use crate::support::world::Delivery;

/// What SECURITY.md promises.
const FIGURE: usize = 1 << 30;

/// So many authors are remembered, and so much of each at most, of which `streams` has a test.
const AUTHORS: usize = 8192;
const AUTHOR: usize = 27 << 10;

/// Of so many authors, as much is known as can be. To sign that of all takes hours.
const FULL: usize = 64;

/// As many members as a client believes, and as many frames as it reads ahead.
const MEMBERS: usize = 4096;
const AHEAD: usize = 1024;

/// More positions, texts and lines than are kept.
const POSITIONS: usize = 70_000;
const TEXTS: usize = 8500;

/// What takes the client so long to open that it reads ahead meanwhile.
const LONG: u64 = 150;

/// A kind of entries that is not known yet: clients hash them, and look at nothing in them.
const NEWER: EntryKind = EntryKind::Unknown(200);

/// How long anything takes at most.
const PATIENCE: Duration = Duration::from_mins(8);

const LIMITS: RelayLimits = RelayLimits {
    idle: 86_400,
    members: 4096,
    blocks: 0,
    bytes: 0,
};

const CHALLENGE: Challenge = Challenge {
    nonce: [6; 32],
    run: RunId([5; 16]),
};

/// The most ranges, with one number each and one between.
fn ranges(count: usize) -> Ranges {
    let numbers = (1_u64..).step_by(2).take(count);
    numbers.map(|number| (number, number)).collect()
}

/// The longest card.
fn card(number: usize, identity: &IdentityKey, model: &PublicKey) -> (SessionId, Vec<u8>) {
    let mut spki = model.spki().to_vec();
    // RFC 8017 A.1.1: the modulus ends 5 bytes before the end, and the exponent follows.
    let end = spki.len() - 5;
    rand::rng().fill_bytes(&mut spki[end - 255..end - 1]);
    let session = PublicKey::from_spki(&spki).unwrap();
    let mut fields = CardFields::new(&format!("m-{number:x}"), identity, &session);
    let stay = |number| Stay {
        first: 1,
        claim: Claim {
            run: RunId([100 + number; 16]),
            unread: ranges(MAX_PAST_UNREAD),
            ..nothing()
        },
    };
    let stays = 0..u8::try_from(MAX_PAST).unwrap();
    fields.past = stays.map(stay).collect();
    (fields.sid(), fields.sign(identity))
}

/// A claim of a run that is nobody's, and says nothing.
fn nothing() -> Claim {
    let run = RunId([0; 16]);
    let link = Link {
        position: 1000,
        digest: [0; 32],
    };
    Claim {
        run,
        link,
        roster: [0; 32],
        unread: Ranges::default(),
    }
}

/// The relay's end of the connection, and what it has told.
struct Wire {
    stream: TcpStream,
    link: Link,
    /// The client's present card, and who else is there.
    client: Card,
    others: Vec<SessionId>,
    /// How many counted frames have come, and how many of these are receipts.
    received: u64,
    receipts: u64,
    is_silent: bool,
}

impl Wire {
    fn send(&mut self, frame: &Frame) {
        self.stream.write_all(&frame.encode()).unwrap();
    }

    fn enter(&mut self, kind: EntryKind, entry: &[u8]) {
        self.link = self.link.then(kind, &entry_digest(entry));
        self.send(&Frame::entry(kind, entry));
    }

    /// What whoever has seen all of it claims.
    fn claim(&self) -> Claim {
        let mut roster = self.others.clone();
        roster.push(self.client.sid());
        roster.sort_unstable();
        Claim {
            run: CHALLENGE.run,
            link: self.link,
            roster: roster_digest(&roster),
            unread: Ranges::default(),
        }
    }

    /// Gives an entry of the client's own its place.
    fn give_back(&mut self, kind: EntryKind, entry: &[u8]) {
        self.link = self.link.then(kind, &entry_digest(entry));
        self.send(&Frame::own());
    }

    /// Takes what the client has sent, as a relay does.
    fn take(&mut self, frame: &[u8]) {
        let counted = match ToRelay::parse(frame).unwrap() {
            ToRelay::Send(send) => {
                let header = Header::parse(&frame[send.header.clone()]).unwrap();
                if header.stream == Stream::Room && send.part == Part::Last {
                    self.give_back(EntryKind::Message, &frame[send.signed]);
                }
                true
            }
            ToRelay::Statement(sent) => {
                let statement = Statement::parse(sent.statement).unwrap();
                if let Purpose::Receipt(..) = statement.purpose {
                    self.receipts += 1;
                } else if !self.is_silent {
                    let entry = signed_entry(sent.statement, sent.signature);
                    self.give_back(EntryKind::Statement, &entry);
                }
                true
            }
            ToRelay::Rekey(card) => {
                self.client = Card::parse(card, lobby().id()).unwrap();
                self.give_back(EntryKind::Rekeyed, card);
                true
            }
            ToRelay::Ping | ToRelay::Ack(_) => false,
            ToRelay::Hello { .. } => panic!("it is in the room"),
        };
        self.received += u64::from(counted);
        if counted && !self.is_silent {
            let ack = Frame::ack(self.received);
            self.send(&ack);
        }
    }
}

/// A relay with one client, who is in the room.
struct Filler(Arc<Mutex<Wire>>);

impl Filler {
    /// Lets the client that connects in at a place after this one, into a room with these members.
    fn let_in(mut stream: TcpStream, after: u64, cards: &[(SessionId, Vec<u8>)]) -> Self {
        stream.read_exact(&mut [0; PREAMBLE]).unwrap();
        let challenge = Frame::challenge(&CHALLENGE, &LIMITS);
        stream.write_all(&challenge.encode()).unwrap();
        let hello = read_frame(&mut stream, MAX_HANDSHAKE_FRAME).unwrap();
        let client = admit(&hello, &CHALLENGE, lobby().id()).unwrap().card;
        let before = Link::start(CHALLENGE.run, lobby().id(), after);
        let mut wire = Wire {
            stream: stream.try_clone().unwrap(),
            link: before.then(EntryKind::Joined, &entry_digest(client.bytes())),
            client,
            others: cards.iter().map(|(sid, _)| *sid).collect(),
            received: 0,
            receipts: 0,
            is_silent: false,
        };
        wire.send(&Frame::welcome(&before, cards.len(), 60));
        for (_, card) in cards {
            wire.send(&Frame::member(card));
        }
        let wire = Arc::new(Mutex::new(wire));
        let taking = Arc::clone(&wire);
        thread::spawn(move || {
            while let Ok(frame) = read_frame(&mut stream, MAX_FRAME) {
                lock(&taking).take(&frame);
            }
        });
        Self(wire)
    }

    fn wire(&self) -> MutexGuard<'_, Wire> {
        lock(&self.0)
    }

    /// Says that somebody comes.
    fn admit(&self, (sid, card): &(SessionId, Vec<u8>)) {
        let mut wire = self.wire();
        wire.others.push(*sid);
        wire.enter(EntryKind::Joined, card);
    }

    /// Has this author say something to the client under this number. Returns whether the client takes it.
    fn say(&self, author: &Author<'_>, number: u64, said: Said<'_>, is_direct: bool) -> bool {
        let mut wire = self.wire();
        let reader = wire.client.sid();
        let text = match said {
            Said::Text(text) => text,
            Said::Garbage => "garbage",
        };
        let body = Body::new(Kind::Text.code(), text.to_owned()).unwrap();
        let header = Header {
            room: lobby().id(),
            sender: author.sid,
            stream: if is_direct {
                Stream::Direct(reader)
            } else {
                Stream::Room
            },
            number,
            time: 0,
            flags: 0,
            left_out: Vec::new(),
            claim: wire.claim(),
            commitment: body.commitment(),
        };
        let readers = [(reader, wire.client.session())];
        let sealed = SealedMessage::seal(&header, &body, author.identity, &readers);
        let [(_, ciphertext)] = sealed.parcels.try_into().unwrap();
        let delivery = Delivery {
            header: sealed.header,
            signature: sealed.signature,
            ciphertext: match said {
                Said::Text(_) => ciphertext,
                // No ciphertext has this length, so nobody tries to open it.
                Said::Garbage => vec![0],
            },
            is_entry: !is_direct,
        };
        if delivery.is_entry {
            let entry = signed_entry(&delivery.header, &delivery.signature);
            wire.link = wire.link.then(EntryKind::Message, &entry_digest(&entry));
        }
        let framed = Encoder::default().string(&delivery.frame()).finish();
        wire.stream.write_all(&framed).is_ok()
    }

    /// Waits until the client has shown this, which an author says last.
    fn settle(&self, client: &Client, author: &Author<'_>, number: u64, what: &str) {
        assert!(self.say(author, number, Said::Text(what), false));
        wait_within(
            PATIENCE,
            || client.has_shown(|line| line.contains(what)).then_some(()),
            || format!("not shown: {what}; {:#?}", client.warnings()),
        );
    }
}

#[derive(Clone, Copy)]
enum Said<'a> {
    Text(&'a str),
    Garbage,
}

struct Author<'a> {
    sid: SessionId,
    identity: &'a IdentityKey,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().expect("nobody panics")
}

/// So many of the longest cards, made by all processors at once.
fn cards(identity: &IdentityKey, few: &IdentityKey) -> Vec<(SessionId, Vec<u8>)> {
    let model = SessionKey::generate(KeySize::Bits4096);
    let all = 2 * (MEMBERS - 1);
    let threads = thread::available_parallelism().map_or(1, usize::from);
    thread::scope(|scope| {
        let making: Vec<_> = (0..threads)
            .map(|thread| {
                let model = model.public();
                let numbers = (all * thread / threads)..(all * (thread + 1) / threads);
                // The last ones sign much, which takes long with a long key.
                let signer = move |number| if number + FULL < all { identity } else { few };
                scope.spawn(move || {
                    let made = numbers.map(|number| card(number, signer(number), model));
                    made.collect::<Vec<_>>()
                })
            })
            .collect();
        let made = making.into_iter().map(|making| making.join().unwrap());
        made.flatten().collect()
    })
}

#[ignore = "it takes minutes"]
#[allow(
    clippy::too_many_lines,
    reason = "one relay does all of it, one thing after the other"
)]
#[test]
fn whatever_a_relay_sends_the_memory_stays_below_what_is_promised() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let relay = listener.local_addr().unwrap();
    let (long, few) = (IdentityKey::generate(KeySize::Bits4096), identity(0));
    let all = cards(&long, few);
    let (some, others) = all.split_at(MEMBERS - 1);
    let mut ada = Client::start(relay, "ada", &["--json"]);
    let id = ada.id();
    let peak = |what: &str| {
        let peak = memory_of(id).peak;
        println!("{:>4} MiB at most, with {what}", peak >> 20);
    };
    let filler = Filler::let_in(listener.accept().unwrap().0, 0, some);
    let (_, full) = others.split_at(others.len() - FULL);
    let authors = full.iter().map(|(sid, _)| Author {
        sid: *sid,
        identity: few,
    });
    let authors: Vec<Author<'_>> = authors.collect();

    // All go who are there, and as many others come.
    for (sid, _) in some {
        let left = left_entry(*sid, Departure::Lost);
        filler.wire().enter(EntryKind::Left, &left);
    }
    filler.wire().others.clear();
    for newcomer in others {
        filler.admit(newcomer);
    }
    filler.settle(&ada, &authors[0], 0, "all have come");
    peak("all members and as many who may come back");

    // Of every second message, nothing opens; the others do not come.
    let garbage = (1..).step_by(2).take(MAX_RANGES + 1);
    for author in &authors {
        for number in garbage.clone() {
            for is_direct in [false, true] {
                assert!(filler.say(author, number, Said::Garbage, is_direct));
            }
        }
    }
    let mut number = 10_000;
    filler.settle(&ada, &authors[0], number, "much is missing");
    peak("all numbers of some");

    for _ in 0..POSITIONS {
        filler.wire().enter(NEWER, &[0]);
    }
    number += 1;
    filler.settle(&ada, &authors[0], number, "many positions");
    peak("all positions");

    // What the user has said is taken, and confirmed by nobody.
    let reader = Card::parse(&others[0].1, lobby().id()).unwrap();
    for number in 0..TEXTS {
        let request = json!({
            "type": "direct",
            "to": reader.nick().as_str(),
            "text": "x".repeat(4096),
            "id": number.to_string(),
        });
        ada.say(&request.to_string());
    }
    let last = format!("\"id\":\"{}\"", TEXTS - 1);
    wait_within(
        PATIENCE,
        || {
            let is_ack = |line: &str| line.contains(&last) && line.contains("\"ack\"");
            ada.has_shown(is_ack).then_some(())
        },
        || "the user's own words are not taken".to_owned(),
    );
    peak("all of the user's words");

    // While these are opened, others come.
    let longest = "\t".repeat(4096);
    for _ in 0..LONG {
        number += 1;
        assert!(filler.say(&authors[0], number, Said::Text(&longest), false));
    }
    let largest = vec![0; MAX_FRAME - 16];
    for _ in 0..AHEAD {
        filler.wire().enter(NEWER, &largest);
    }
    number += 1;
    filler.settle(&ada, &authors[0], number, "all is read");
    peak("all that is read ahead");

    // What is stated is not acknowledged, until the client has enough of it.
    filler.wire().is_silent = true;
    listener.set_nonblocking(true).unwrap();
    let again = wait_within(
        PATIENCE,
        || {
            let before = filler.wire().receipts;
            for author in &authors {
                // It fails once the client has hung up.
                filler.say(author, number, Said::Garbage, true);
            }
            number += 2;
            wait_within(
                PATIENCE,
                || {
                    let has_come = filler.wire().receipts >= before + FULL as u64;
                    let connection = listener.accept().ok();
                    (has_come || connection.is_some()).then_some(connection)
                },
                || "no receipts".to_owned(),
            )
        },
        || "the client never has enough".to_owned(),
    );
    peak("all that is not acknowledged");

    // It enters anew, and finds those who were there first.
    again.0.set_nonblocking(false).unwrap();
    let after = filler.wire().link.position + 1;
    let filler = Filler::let_in(again.0, after, some);
    ada.wait_for_line("return", |line| line.contains("\"returned\""));
    peak("another entry");
    drop(filler);

    let most = memory_of(id).peak + (AUTHORS - FULL) * AUTHOR;
    println!(
        "{:>4} MiB at most, if as much were known of all authors",
        most >> 20
    );
    assert!(most < FIGURE, "{most}");
}
