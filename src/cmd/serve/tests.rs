//! The relay behind its sockets: in which order what it says comes.

use std::io::Write as _;
use std::net::{IpAddr, Ipv4Addr, TcpListener, TcpStream};
use std::num::NonZeroU32;

use crate::cipher::keys::IdentityKey;
use crate::cipher::pem::IdentityPem;
use crate::room::card::{Card, Identity};
use crate::room::chain::{Claim, EntryKind, Link, entry_digest, signed_entry};
use crate::room::frame::{Frame, MAX_FRAME, RunId, ToClient, Welcome, preamble};
use crate::room::notice::Notice;
use crate::room::numbers::Ranges;
use crate::room::relay::{Intake, Mailbox as _, OutgoingFrame, Rate};
use crate::room::statement::{Occasion, Purpose, Statement};
use crate::room::stream::{ReadError, read_frame};

use super::admission::connections::{ConnectionLimits, Network};
use super::admission::control::AdmissionControl;
use super::admission::memory::{Charge, MemoryBudget};
use super::outbox::MemberOutbox;
use super::write_queue::WriteQueue;
use super::*;

const SECOND: Duration = Duration::from_secs(1);

macro_rules! key {
    ($name:literal) => {
        IdentityPem::parse(include_str!(concat!(
            "../../../tests/vectors/keys/",
            $name,
            ".pem"
        )))
        .unwrap()
        .open()
        .unwrap()
    };
}

fn admission() -> AdmissionControl {
    let limits = ConnectionLimits {
        connections: 16,
        per_network: 16,
        joins: Rate::new(NonZeroU32::MAX, SECOND, SECOND),
    };
    AdmissionControl::new(limits, None, MemoryBudget::default())
}

fn start() -> SocketAddr {
    let config = RelayConfig {
        limits: RelayLimits {
            idle: 90,
            members: 8,
            blocks: 5000,
            bytes: 1 << 20,
        },
        grace: 60,
        max_members: 8,
        per_identity: 8,
        queue_bytes: 1 << 20,
        writers: None,
        handshake: Duration::from_mins(1),
    };
    let admission = admission();
    let relay = Arc::new(Relay::new(config, admission).unwrap());
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || accept(&Listener::Tcp(listener), &relay, &Arc::default()));
    address
}

/// What a client has of a relay's word, in short.
#[derive(Debug, PartialEq, Eq)]
enum Said {
    Own,
    Entry(EntryKind),
    Refused(u8),
    Ack(u64),
}

struct Client {
    relay: SocketAddr,
    stream: TcpStream,
    room: RoomName,
    identity: Identity,
    card: Card,
    run: RunId,
    welcome: Welcome,
}

impl Client {
    fn enter(
        relay: SocketAddr,
        room: &str,
        nick: &str,
        key: IdentityKey,
        session: &IdentityKey,
    ) -> Self {
        let identity = Identity {
            key,
            is_lasting: true,
        };
        let room: RoomName = room.parse().unwrap();
        let nick = nick.parse().unwrap();
        let card = Card::issue(&room, &nick, &identity, session.public(), 0);
        let (stream, run, welcome) = connect(relay, &room, &card, &identity, None);
        Self {
            relay,
            stream,
            room,
            identity,
            card,
            run,
            welcome,
        }
    }

    /// Breaks the connection, and goes on over another one, having taken nothing.
    fn resume(&mut self) {
        let joined = self.welcome.before.position + 1;
        let (relay, identity) = (self.relay, &self.identity);
        let (stream, _, welcome) = connect(relay, &self.room, &self.card, identity, Some(joined));
        (self.stream, self.welcome) = (stream, welcome);
    }

    fn state(&self, occasion: Occasion) -> (Vec<u8>, Vec<u8>) {
        let statement = Statement {
            room: self.room.id(),
            sender: self.card.sid(),
            time: 0,
            next: 0,
            claim: Claim {
                run: self.run,
                link: self.welcome.before,
                roster: [0; 32],
                unread: Ranges::default(),
            },
            purpose: Purpose::ToAll(occasion),
        };
        let statement = statement.encode();
        let signature = self.identity.key.sign(&statement);
        (statement, signature)
    }

    fn beacon(&self) -> Frame {
        let (statement, signature) = self.state(Occasion::Beacon);
        Frame::statement(&statement, &signature)
    }

    fn send(&mut self, frames: &[Frame]) {
        let bytes: Vec<u8> = frames.iter().flat_map(Frame::encode).collect();
        self.stream.write_all(&bytes).unwrap();
    }

    fn hear(&mut self) -> Option<Said> {
        loop {
            let frame = match read_frame(&mut self.stream, MAX_FRAME) {
                Err(ReadError::Closed) => return None,
                frame => frame.unwrap(),
            };
            return Some(match ToClient::parse(&frame).unwrap() {
                ToClient::Own => Said::Own,
                ToClient::Entry { kind, .. } => Said::Entry(kind),
                ToClient::Refused(code) => Said::Refused(code),
                ToClient::Ack(count) => Said::Ack(count),
                ToClient::Member(_) | ToClient::Ping => continue,
                other => unreachable!("{other:?}"),
            });
        }
    }

    /// What is said up to the acknowledgement of so many frames, but for other acknowledgements: each
    /// of these comes after all that the frames which it counts were for.
    fn hear_until(&mut self, count: u64) -> Vec<Said> {
        let mut heard = Vec::new();
        loop {
            match self.hear().unwrap() {
                Said::Ack(acknowledged) => {
                    assert!(u64::try_from(heard.len()).unwrap() >= acknowledged);
                    if acknowledged == count {
                        return heard;
                    }
                }
                said => heard.push(said),
            }
        }
    }
}

fn connect(
    relay: SocketAddr,
    room: &RoomName,
    card: &Card,
    identity: &Identity,
    resumes: Option<u64>,
) -> (TcpStream, RunId, Welcome) {
    let mut stream = TcpStream::connect(relay).unwrap();
    stream.write_all(&preamble(room.id())).unwrap();
    let frame = read_frame(&mut stream, MAX_FRAME).unwrap();
    let Ok(ToClient::Challenge(challenge, _)) = ToClient::parse(&frame) else {
        unreachable!()
    };
    let proof = identity.key.sign(&challenge.possession(card.sid(), 0));
    let hello = Frame::hello(card.bytes(), resumes, 0, 300, &proof);
    stream.write_all(&hello.encode()).unwrap();
    let frame = read_frame(&mut stream, MAX_FRAME).unwrap();
    let Ok(ToClient::Welcome(welcome)) = ToClient::parse(&frame) else {
        unreachable!()
    };
    assert_eq!(welcome.grace, 60);
    assert_eq!(welcome.resumed, resumes.is_some());
    (stream, challenge.run, welcome)
}

#[test]
fn an_acknowledgement_comes_after_all_that_was_caused_by_what_it_counts() {
    let relay = start();
    let session = key!("ada_session");
    let mut ada = Client::enter(relay, "lobby", "ada", key!("ada_identity"), &session);
    let session = key!("bob_session");
    let _bob = Client::enter(relay, "lobby", "bob", key!("bob_identity"), &session);
    assert_eq!(ada.hear(), Some(Said::Entry(EntryKind::Joined)));
    let (key, nick, session) = (ada.room.key(), "bob".parse().unwrap(), key!("cara_session"));
    let taken = (ada.card).issue_successor(&key, &ada.identity, &nick, session.public(), 0, 0);
    let frames = [ada.beacon(), Frame::rekey(taken.bytes()), ada.beacon()];
    ada.send(&frames);
    let refused = Said::Refused(Notice::NickTaken.code());
    let expected = [Said::Own, refused, Said::Own];
    assert_eq!(ada.hear_until(3), expected);
    // It has acknowledged nothing itself, and so it gets all of it once more.
    ada.resume();
    assert_eq!(ada.welcome.received, 3);
    assert_eq!(ada.hear(), Some(Said::Entry(EntryKind::Joined)));
    assert_eq!(ada.hear_until(3), expected);
}

#[test]
fn a_goodbye_comes_back_is_acknowledged_and_ends_the_connection() {
    let relay = start();
    let session = key!("ada_session");
    let mut ada = Client::enter(relay, "lobby", "ada", key!("ada_identity"), &session);
    let session = key!("bob_session");
    let mut bob = Client::enter(relay, "lobby", "bob", key!("bob_identity"), &session);
    ada.hear();
    let (statement, signature) = ada.state(Occasion::Goodbye);
    let goodbye = Frame::statement(&statement, &signature);
    // What comes after it is not taken.
    let frames = [goodbye, ada.beacon()];
    ada.send(&frames);
    let said: Vec<Said> = std::iter::from_fn(|| ada.hear()).collect();
    assert_eq!(said, [Said::Own, Said::Ack(1)]);
    assert_eq!(bob.hear(), Some(Said::Entry(EntryKind::Goodbye)));
    let beacon = bob.beacon();
    bob.send(&[beacon]);
    assert_eq!(bob.hear_until(1), [Said::Own]);
}

#[test]
fn a_room_that_begins_again_goes_on_above_all_that_have_been() {
    let relay = start();
    let enter = |room| {
        let session = key!("ada_session");
        Client::enter(relay, room, "ada", key!("ada_identity"), &session)
    };
    let mut first = enter("lobby");
    let start = Link::start(first.run, first.room.id(), 0);
    assert_eq!(first.welcome.before, start);
    let (statement, signature) = first.state(Occasion::Goodbye);
    let own = entry_digest(&signed_entry(&statement, &signature));
    first.send(&[Frame::statement(&statement, &signature)]);
    while first.hear().is_some() {}
    let joined = start.then(EntryKind::Joined, &entry_digest(first.card.bytes()));
    let end = joined.then(EntryKind::Goodbye, &own);
    for room in ["lobby", "attic"] {
        let again = enter(room);
        let before = again.welcome.before;
        assert_eq!(
            before,
            Link::start(first.run, again.room.id(), end.position)
        );
    }
}

/// An outbox for so many bytes, and the member's end of its connection.
fn outbox(max_bytes: usize) -> (Arc<MemberOutbox>, TcpStream) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let member = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let (stream, _) = listener.accept().unwrap();
    let outbox = MemberOutbox::new(
        max_bytes,
        Arc::new(stream),
        Network::from(IpAddr::from(Ipv4Addr::LOCALHOST)),
        &Arc::new(WriteQueue::new(1, false)),
        Charge::new(&Arc::default()),
    );
    (Arc::new(outbox), member)
}

/// How many frames go into the outbox until its member is dropped, and no more than `most`.
fn fill(outbox: &Arc<MemberOutbox>, most: u64) -> u64 {
    let own = || outbox.post(Frame::own().into());
    let posted = (0..most).take_while(|_| {
        own();
        outbox.close_reason().is_none()
    });
    posted.count().try_into().unwrap()
}

#[test]
fn whoever_has_read_is_not_dropped_because_the_relay_has_not_looked_at_what_it_acknowledges() {
    let weight = OutgoingFrame::from(Frame::own()).weight();
    // Without an acknowledgement there is an end.
    let (outbox, _member) = outbox(100 * weight);
    assert_eq!(fill(&outbox, 1000), 100);
    // With one that is under way, there is an end, too, but later.
    let (outbox, mut member) = self::outbox(100 * weight);
    assert_eq!(fill(&outbox, 100), 100);
    let admission = admission();
    outbox.send(&admission, Instant::now(), Duration::ZERO, &mut Vec::new());
    for _ in 0..100 {
        read_frame(&mut member, MAX_FRAME).unwrap();
    }
    member.write_all(&Frame::ack(100).encode()).unwrap();
    assert_eq!(fill(&outbox, 50), 50);
    // The relay finds the time to look at it: that frees what it was for.
    outbox.acknowledge(100).unwrap();
    assert_eq!(fill(&outbox, 50), 50);
    // Nobody has read it from the socket here: so it may have acknowledged that, too, but no more.
    assert_eq!(fill(&outbox, 1000), 100);
}

#[test]
fn time_in_which_a_place_was_kept_does_not_count_for_the_next_time() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let stream = Arc::new(TcpStream::connect(listener.local_addr().unwrap()).unwrap());
    let network = Network::from(IpAddr::from(Ipv4Addr::LOCALHOST));
    let outbox = Arc::new(MemberOutbox::new(
        1 << 20,
        Arc::clone(&stream),
        network,
        &Arc::new(WriteQueue::new(1, false)),
        Charge::new(&Arc::default()),
    ));
    let identity = Identity {
        key: key!("ada_identity"),
        is_lasting: true,
    };
    let (room, nick) = ("lobby".parse().unwrap(), "ada".parse().unwrap());
    let card = Card::issue(&room, &nick, &identity, key!("ada_session").public(), 0);
    let limits = RelayLimits::default();
    let mut intake = Box::new(Intake::new(&card, RunId([0; 16]), 1, &limits));
    // It is there for a minute, and then again and again for a second.
    let mut now = Instant::now() + 60 * SECOND;
    for (connection, away) in (0..).zip([60, 120, 240]) {
        outbox.park(connection, intake, now);
        now += away * SECOND;
        let taken = outbox.take_over(&stream, network, 0, 0, now);
        (intake, _) = taken.unwrap().unwrap();
        now += SECOND;
    }
    let there = outbox.time_there(now);
    assert!((63 * SECOND..64 * SECOND).contains(&there), "{there:?}");
}
