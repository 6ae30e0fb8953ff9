//! Connections on which somebody on the way puts what neither side sends, or sends again what one did; or
//! which break as soon as they have led into the room.

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::ops::Range;
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use e2echat::room::frame::{Frame, MAX_FRAME, preamble};
use e2echat::room::names::RoomName;

use crate::support::process::{Client, Relay, wait_for};

/// A frame of a type that there is not.
const NO_FRAME: [u8; 5] = [0, 0, 0, 1, 0x7f];

/// What begins a frame of a length that there is not.
const NO_LENGTH: [u8; 4] = [0xff; 4];

/// How long somebody on the way lets a client be in the room.
const MOMENT: Duration = Duration::from_millis(300);

/// What answers in the place of a relay, where a network wants a password first.
const PORTAL: &[u8] = b"HTTP/1.1 302 Found\r\n\r\n";

/// Both ends of a connection over a wire.
pub(super) struct Ends {
    pub(super) client: TcpStream,
    relay: TcpStream,
}

impl Ends {
    /// Puts something in, on its way to one side.
    fn put(&self, to: Side, bytes: &[u8]) {
        let mut end = match to {
            Side::Client => &self.client,
            Side::Relay => &self.relay,
        };
        // It fails where that side has hung up already.
        let _ = end.write_all(bytes);
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Side {
    Client,
    Relay,
}

/// Which frames on their way to one side are sent twice: the next ones that begin so, this many.
struct Twice {
    to: Side,
    begins: &'static [u8],
    left: usize,
}

/// What somebody on a wire does.
#[derive(Clone, Default)]
struct Meddling(Arc<Mutex<Option<Twice>>>);

impl Meddling {
    fn repeat(&self, to: Side, begins: &'static [u8], left: usize) {
        *self.0.lock().unwrap() = Some(Twice { to, begins, left });
    }

    /// Waits until all of it is done.
    fn wait(&self) {
        let is_done = || self.0.lock().unwrap().is_none().then_some(());
        wait_for(is_done, || "there was no such frame".to_owned());
    }

    /// How often a frame that goes to this side is to be sent.
    fn times(&self, to: Side, frame: &[u8]) -> usize {
        let mut twice = self.0.lock().unwrap();
        let is_meant = |twice: &&mut Twice| twice.to == to && frame.starts_with(twice.begins);
        let Some(meant) = twice.as_mut().filter(is_meant) else {
            return 1;
        };
        meant.left -= 1;
        if meant.left == 0 {
            *twice = None;
        }
        2
    }
}

/// A wire to the relay: it gives out both ends of each connection that is made over it.
pub(super) fn wire(relay: SocketAddr) -> (SocketAddr, Receiver<Ends>) {
    meddled_wire(relay, &Meddling::default())
}

fn meddled_wire(relay: SocketAddr, meddling: &Meddling) -> (SocketAddr, Receiver<Ends>) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
    let address = listener.local_addr().expect("a socket has an address");
    let (made, connections) = channel();
    let meddling = meddling.clone();
    thread::spawn(move || {
        for client in listener.incoming().flatten() {
            let relay = TcpStream::connect(relay).expect("the relay listens");
            for (from, to, side) in [
                (&client, &relay, Side::Relay),
                (&relay, &client, Side::Client),
            ] {
                let meddling = meddling.clone();
                let (from, to) = (from.try_clone().unwrap(), to.try_clone().unwrap());
                thread::spawn(move || pass_on(from, to, side, &meddling));
            }
            if made.send(Ends { client, relay }).is_err() {
                return;
            }
        }
    });
    (address, connections)
}

/// Passes bytes on to one side, frame by frame behind the preamble.
fn pass_on(mut from: TcpStream, mut to: TcpStream, side: Side, meddling: &Meddling) {
    let mut head = match side {
        Side::Relay => preamble(RoomName::lobby().id()).len(),
        Side::Client => 0,
    };
    let (mut buffer, mut waiting) = ([0; 4096], Vec::new());
    while let Ok(count @ 1..) = from.read(&mut buffer) {
        waiting.extend_from_slice(&buffer[..count]);
        let first = head.min(waiting.len());
        let mut bytes: Vec<u8> = waiting.drain(..first).collect();
        head -= first;
        while let Some(end) = frame_end(&waiting) {
            let frame: Vec<u8> = waiting.drain(..end).collect();
            let times = meddling.times(side, &frame[4..]);
            bytes.extend(frame.repeat(times));
        }
        if to.write_all(&bytes).is_err() {
            break;
        }
    }
    let _ = to.shutdown(Shutdown::Both);
}

/// Where the first frame ends, if all of it is there.
fn frame_end(bytes: &[u8]) -> Option<usize> {
    let (length, _) = bytes.split_first_chunk()?;
    let length = u32::from_be_bytes(*length) as usize;
    assert!(length <= MAX_FRAME, "both sides send frames");
    (bytes.len() >= 4 + length).then_some(4 + length)
}

fn is_told_of_it(line: &str) -> bool {
    line.starts_with("! what came over the connection is nothing that a relay sends")
}

fn is_back(line: &str) -> bool {
    line.starts_with("* connected again; here: ")
}

#[test]
fn one_bad_frame_is_a_broken_connection_and_not_the_end() {
    let relay = Relay::start(&[]);
    let (address, connections) = wire(relay.address());
    let mut ada = Client::join(address, "ada", &[]);
    let connection = connections.recv().unwrap();
    let mut bob = Client::join(relay.address(), "bob", &[]);
    bob.say("hello");
    ada.wait_for_message("bob", "hello");
    connection.put(Side::Client, &NO_FRAME);
    ada.wait_for_line("what came", is_told_of_it);
    ada.wait_for_line("the return", is_back);
    ada.say("here I am again");
    bob.wait_for_message("ada", "here I am again");
    bob.say("good");
    ada.wait_for_message("bob", "good");
    assert_eq!(ada.leave().code(), Some(0));
    assert_eq!(bob.warnings(), [""; 0]);
}

/// What somebody on the way does to a connection.
#[derive(Clone, Copy, Debug)]
enum Deed {
    /// Puts these bytes in, on their way to one side.
    Put(Side, &'static [u8]),
    /// Sends the next frame to this side twice that begins so.
    Repeat(Side, &'static [u8]),
    /// Likewise, over the next connection, by which the client enters anew.
    RepeatAtTheDoor(Side, &'static [u8]),
}

/// All that there is to do, and over how many connections the talk goes on then, after the first.
const DEEDS: &[(Deed, usize)] = {
    use Deed::{Put, Repeat, RepeatAtTheDoor};
    use Side::{Client, Relay};
    &[
        (Put(Client, &NO_LENGTH), 1),
        (Put(Client, &[0; 4]), 1),
        // HELLO, CHALLENGE, WELCOME, OWN, AWAKE of the length of ASLEEP.
        (Put(Client, &[0, 0, 0, 1, 0x02]), 1),
        (Put(Client, &[0, 0, 0, 1, 0x01]), 1),
        (Put(Client, &[0, 0, 0, 1, 0x03]), 1),
        (Put(Client, &[0, 0, 0, 1, 0x12]), 1),
        (
            Put(Client, &[0, 0, 0, 11, 0x11, 6, 0, 0, 0, 1, 0, 0, 0, 0, 0]),
            1,
        ),
        // An ACK of more than was sent.
        (Put(Client, &[0, 0, 0, 9, 0x21, 1, 0, 0, 0, 0, 0, 0, 0]), 1),
        (Put(Relay, &NO_FRAME), 1),
        (Put(Relay, &NO_LENGTH), 1),
        (Put(Relay, b"\0\0\0\x05zzzzz"), 1),
        (Put(Relay, &[0, 0, 0, 9, 0x21, 1, 0, 0, 0, 0, 0, 0, 0]), 1),
        // An ACK and a PING that change nothing.
        (Put(Relay, &[0, 0, 0, 1, 0x20]), 0),
        (Put(Client, &[0, 0, 0, 1, 0x20]), 0),
        // SEND, STATEMENT, REKEY.
        (Repeat(Relay, &[0x10]), 1),
        (Repeat(Relay, &[0x15]), 1),
        (Repeat(Relay, &[0x14]), 1),
        // ENTRY with a message, OWN.
        (Repeat(Client, &[0x11, 3]), 1),
        (Repeat(Client, &[0x12]), 1),
        // DELIVER, RECEIPT and ACK, of which a second one says nothing new.
        (Repeat(Client, &[0x13]), 0),
        (Repeat(Client, &[0x16]), 0),
        (Repeat(Client, &[0x21]), 0),
        // HELLO, CHALLENGE, WELCOME, MEMBER.
        (RepeatAtTheDoor(Relay, &[0x02]), 2),
        (RepeatAtTheDoor(Client, &[0x01]), 2),
        (RepeatAtTheDoor(Client, &[0x03]), 2),
        (RepeatAtTheDoor(Client, &[0x04]), 2),
    ]
};

#[test]
fn whatever_is_put_in_or_comes_twice_in_either_direction_the_talk_goes_on() {
    for some in DEEDS.chunks(6) {
        thread::scope(|scope| {
            for (deed, made) in some {
                scope.spawn(move || assert_the_talk_goes_on(*deed, *made));
            }
        });
    }
}

/// Each code of a notice, but those with which a relay ends what is in the room: whoever gets it is in the
/// room again at once.
#[test]
fn a_notice_that_no_relay_has_for_who_is_in_the_room_is_not_the_end() {
    for code in [1, 2, 3, 4, 9, 11, 12, 13, 14, 20, 21, 22, 23, 200] {
        let notice = Frame::notice(code).encode();
        assert_the_talk_goes_on(Deed::Put(Side::Client, notice.leak()), 1);
    }
}

fn assert_the_talk_goes_on(deed: Deed, made: usize) {
    let relay = Relay::start(&[]);
    let meddling = Meddling::default();
    let (address, connections) = meddled_wire(relay.address(), &meddling);
    let mut ada = join_by_json(address, "ada");
    let connection = connections.recv().unwrap();
    let mut bob = join_by_json(relay.address(), "bob");
    ada.wait_for_line("bob", |line| line.contains(r#""type":"join""#));
    match deed {
        Deed::Put(side, bytes) => connection.put(side, bytes),
        Deed::Repeat(side, begins) => meddling.repeat(side, begins, 1),
        Deed::RepeatAtTheDoor(side, begins) => {
            meddling.repeat(side, begins, 1);
            connection.put(Side::Client, &NO_FRAME);
        }
    }
    bob.say(r#"{"type":"say","text":"anybody here?"}"#);
    ada.say(r#"{"type":"say","text":"I am"}"#);
    bob.say(r#"{"type":"direct","to":"ada","text":"psst"}"#);
    ada.say(r#"{"type":"direct","to":"bob","text":"psst"}"#);
    if matches!(deed, Deed::Repeat(_, [0x14])) {
        ada.say(r#"{"type":"command","text":"/rekey"}"#);
    }
    meddling.wait();
    let more: Vec<Ends> = (0..made).map(|_| connections.recv().unwrap()).collect();
    ada.say(r#"{"type":"say","text":"still here"}"#);
    let is_said = |line: &str, text: &str| {
        line.contains(r#""type":"message""#) && line.contains(&format!(r#""text":"{text}""#))
    };
    bob.wait_for_line("still here", |line| is_said(line, "still here"));
    bob.say(r#"{"type":"say","text":"so am I"}"#);
    ada.wait_for_line("so am I", |line| is_said(line, "so am I"));
    let is_told = |line: &str| line.contains("somebody on the way has put");
    if made > 0 {
        ada.say(r#"{"type":"command","text":"/audit"}"#);
        ada.wait_for_line("the count", |line| {
            line.contains(r#""type":"answer""#) && is_told(line)
        });
    }
    let alarms = |client: &Client| {
        let mut lines = client.lines();
        lines.retain(|line| line.contains(r#""type":"alarm""#));
        lines
    };
    let told = alarms(&ada);
    // Of a receipt that it has twice the relay counts one more than was sent: so what goes next seems to be
    // taken, and passed on to nobody.
    let may_seem_swallowed = matches!(deed, Deed::Repeat(Side::Relay, [0x15]));
    // What is put in as an echo while something of hers is on its way is taken for that: so she was shown
    // another order than the others, and they are told.
    let may_differ = matches!(deed, Deed::Put(Side::Client, [.., 0x12]));
    let differs = |line: &String| may_differ && line.contains(r#""kind":"other-view""#);
    let is_expected = |line: &String| {
        is_told(line) || may_seem_swallowed && line.contains("swallowed") || differs(line)
    };
    assert!(told.iter().all(is_expected), "{deed:?}: {told:?}");
    assert_eq!(told.is_empty(), made == 0, "{deed:?}: {told:?}");
    let told = alarms(&bob);
    assert!(told.iter().all(differs), "{deed:?}: {told:?}");
    assert_eq!(ada.leave().code(), Some(0), "{deed:?}");
    assert!(connections.try_recv().is_err(), "{deed:?}: {}", more.len());
}

/// Joins as a script does, which has commands, too.
fn join_by_json(relay: SocketAddr, nick: &str) -> Client {
    let client = Client::start(relay, nick, &["--json"]);
    client.wait_for_line("roster", |line| line.contains(r#""type":"here""#));
    client
}

#[test]
fn bad_frames_over_one_connection_after_the_other_are_the_end() {
    let longer = 5 * MOMENT;
    let rows: [(Side, &[u8], Duration, &str); 4] = [
        (
            Side::Client,
            &NO_FRAME,
            MOMENT,
            "AT sent what an e2echat relay does not send",
        ),
        (
            Side::Client,
            &NO_FRAME,
            longer,
            "AT sent what an e2echat relay does not send",
        ),
        (
            Side::Client,
            &NO_LENGTH,
            MOMENT,
            "lost the connection to AT: what came was no frame",
        ),
        (
            Side::Relay,
            &NO_FRAME,
            longer,
            "the relay did not understand what this client sent (AT)",
        ),
    ];
    for (side, bytes, moment, why) in rows {
        let relay = Relay::start(&[]);
        let (address, connections) = wire(relay.address());
        let ada = Client::join(address, "ada", &[]);
        let start = Instant::now();
        for connection in connections.iter().take(5) {
            thread::sleep(moment);
            connection.put(side, bytes);
        }
        // Each pause is at least a fifth of 1, 2, 4 and 8 seconds.
        let least = 5 * moment + Duration::from_secs(1 + 2 + 4 + 8) / 5;
        assert!(start.elapsed() >= least, "{:?}", start.elapsed());
        ada.ended()
            .assert_failure(&why.replace("AT", &address.to_string()));
        assert!(connections.try_recv().is_err(), "it went on");
    }
}

#[test]
fn bad_frames_each_time_that_one_enters_anew_are_the_end() {
    let relay = Relay::start(&[]);
    let meddling = Meddling::default();
    let (address, connections) = meddled_wire(relay.address(), &meddling);
    let ada = Client::join(address, "ada", &[]);
    let challenge = &[0x01];
    meddling.repeat(Side::Client, challenge, 5);
    connections.recv().unwrap().put(Side::Client, &NO_FRAME);
    let why = format!("{address} sent what an e2echat relay does not send");
    ada.ended().assert_failure(&why);
    assert_eq!(connections.iter().take(4).count(), 4);
    assert!(connections.try_recv().is_err(), "it went on");
}

/// Where the relay is, and something else for these of the connections that are made there, from 1 on. Gives
/// out the client's end of each.
fn place_of(relay: SocketAddr, others: Range<usize>) -> (SocketAddr, Receiver<TcpStream>) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address = listener.local_addr().unwrap();
    let (made, connections) = channel();
    thread::spawn(move || {
        for (number, client) in (1..).zip(listener.incoming().flatten()) {
            let end = client.try_clone().unwrap();
            if others.contains(&number) {
                let _ = (&client).write_all(PORTAL);
            } else {
                let relay = TcpStream::connect(relay).unwrap();
                let ends = (client.try_clone().unwrap(), relay.try_clone().unwrap());
                for (mut from, mut to) in [ends, (relay, client)] {
                    thread::spawn(move || {
                        let _ = std::io::copy(&mut from, &mut to);
                        let _ = to.shutdown(Shutdown::Both);
                    });
                }
            }
            if made.send(end).is_err() {
                return;
            }
        }
    });
    (address, connections)
}

#[test]
fn what_stands_in_the_place_of_the_relay_for_a_while_is_waited_for() {
    let relay = Relay::start(&[]);
    let (place, connections) = place_of(relay.address(), 2..9);
    let mut ada = join_by_json(place, "ada");
    let first = connections.recv().unwrap();
    first.shutdown(Shutdown::Both).unwrap();
    for _ in 2..10 {
        ada.say(r#"{"type":"command","text":"/reconnect"}"#);
        connections.recv().unwrap();
    }
    ada.wait_for_line("the return", |line| line.contains("connected again"));
    let has_alarm = ada.has_shown(|line| line.contains(r#""type":"alarm""#));
    assert!(!has_alarm, "{:?}", ada.lines());
    assert_eq!(ada.leave().code(), Some(0));
}

#[test]
fn pauses_grow_although_each_attempt_succeeds_for_a_moment() {
    let relay = Relay::start(&[]);
    let (address, connections) = wire(relay.address());
    let _ada = Client::join(address, "ada", &[]);
    let first = connections.recv().unwrap();
    thread::sleep(MOMENT);
    let start = Instant::now();
    first.client.shutdown(Shutdown::Both).unwrap();
    for _ in 0..4 {
        let connection = connections.recv().unwrap().client;
        thread::sleep(MOMENT);
        let _ = connection.shutdown(Shutdown::Both);
    }
    // Each pause is at least a fifth of 1, 2, 4 and 8 seconds.
    let least = Duration::from_secs(1 + 2 + 4 + 8) / 5;
    assert!(start.elapsed() >= least, "{:?}", start.elapsed());
}
