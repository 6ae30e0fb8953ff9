//! A hostile relay, which misbehaves as a test tells it to: the real relay's room, with something between
//! it and each member. One lock is around everything, and each connection has a thread or two.

use std::collections::HashMap;
use std::io::{self, Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use e2echat::cipher::encoding::Encoder;
use e2echat::cipher::keys::{IdentityKey, KeySize, SessionKey};
use e2echat::room::card::{Card, SessionId};
use e2echat::room::chain::{EntryKind, Link};
use e2echat::room::frame::{
    Challenge, Departure, Frame, MAX_FRAME, MAX_HANDSHAKE_FRAME, PREAMBLE, RelayLimits, RunId,
    Signed, ToClient, left_entry, parse_left,
};
use e2echat::room::message::Header;
use e2echat::room::names::{RoomId, RoomName};
use e2echat::room::notice::Notice;
use e2echat::room::relay::{Intake, Mailbox, MemberRequest, OutgoingFrame, Room, admit};
use e2echat::room::statement::Statement;
use e2echat::room::stream::read_frame;

#[path = "middle.rs"]
mod middle;

use middle::Middle;

const LIMITS: RelayLimits = RelayLimits {
    idle: 90,
    members: 100,
    blocks: 0,
    bytes: 0,
};

const CHALLENGE: Challenge = Challenge {
    nonce: [6; 32],
    run: RunId([5; 16]),
};

/// How often the relay has its puppets do what is due.
const TICK: Duration = Duration::from_millis(50);

/// What the relay does wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Attack {
    /// It presents all members under keys of its own. In the lobby, whose name it knows, it is a
    /// [`Middle`], which reads everything and passes it on; elsewhere its cards have a wrong MAC.
    SwapKeys,
    /// It keeps back every member's second message.
    DropLast,
    /// It hides newcomers from those who are there.
    Split,
    /// It says of newcomers that they have lost the connection.
    ForgeLeave,
    /// It presents those who have left once more to every second member.
    ReplayCard,
    /// It passes messages on in another order to every second member.
    Reorder,
}

impl Attack {
    /// All misdeeds, with the options that ask for them.
    pub const ALL: [(&str, Self); 6] = [
        ("--swap-keys", Self::SwapKeys),
        ("--drop-last", Self::DropLast),
        ("--split", Self::Split),
        ("--forge-leave", Self::ForgeLeave),
        ("--replay-card", Self::ReplayCard),
        ("--reorder", Self::Reorder),
    ];
}

/// What the relay knows of all members.
struct Knowledge {
    identity: IdentityKey,
    /// Made-up members who stand for real ones, by the session ids of the real ones.
    doubles: HashMap<SessionId, Card>,
    /// The cards of all members who were ever there.
    cards: HashMap<SessionId, Card>,
}

impl Knowledge {
    fn double(&mut self, card: &Card) -> &Card {
        let identity = &self.identity;
        self.doubles
            .entry(card.sid())
            .or_insert_with(|| forge(card, identity))
    }
}

/// A card with a member's nick and the relay's keys, for a room whose name the relay does not know: it
/// has the MAC of another room.
fn forge(card: &Card, identity: &IdentityKey) -> Card {
    let key = SessionKey::generate(KeySize::Bits2048);
    let unauthenticated = Encoder::tagged("e2echat/2 card")
        .bytes(&card.room().0)
        .string(card.nick().as_str().as_bytes())
        .string(identity.public().spki())
        .string(key.public().spki())
        .boolean(true)
        .u32(0)
        .bytes(&[0; 64])
        .u64(0)
        .u64(0)
        .count(0);
    let mac = RoomName::lobby().key().mac(unauthenticated.as_slice());
    let unsigned = unauthenticated.bytes(&mac);
    let signature = identity.sign(unsigned.as_slice());
    let bytes = unsigned.string(&signature).finish();
    Card::parse(&bytes, card.room()).expect("a card but for its MAC")
}

/// The part of the relay between the room and one member.
struct Lens {
    attack: Attack,
    room: RoomId,
    /// Whether the member is one of every second that joined.
    is_second: bool,
    knowledge: Arc<Mutex<Knowledge>>,
    to_client: Sender<Vec<u8>>,
    held: Option<Vec<u8>>,
}

impl Lens {
    fn send(&self, frame: &Frame) {
        self.send_bytes(frame.encode());
    }

    fn send_bytes(&self, bytes: Vec<u8>) {
        // This fails if the client is gone.
        let _ = self.to_client.send(bytes);
    }

    fn card(&self, bytes: &[u8]) -> Card {
        let card = Card::parse(bytes, self.room).expect("it was checked");
        if self.attack == Attack::SwapKeys {
            return lock(&self.knowledge).double(&card).clone();
        }
        card
    }

    fn pass(&mut self, whole: Vec<u8>) {
        let frame = whole.get(4..).expect("a frame has a length").to_vec();
        match ToClient::parse(&frame) {
            Ok(ToClient::Member(card)) => self.send(&Frame::member(self.card(card).bytes())),
            Ok(ToClient::Entry {
                kind,
                entry,
                ciphertext,
            }) => self.pass_entry(kind, entry, !ciphertext.is_empty(), whole),
            _ => self.send_bytes(whole),
        }
    }

    fn pass_entry(&mut self, kind: EntryKind, entry: &[u8], is_readable: bool, whole: Vec<u8>) {
        match (self.attack, kind) {
            (Attack::Split, EntryKind::Joined)
            | (Attack::SwapKeys, EntryKind::Statement | EntryKind::Goodbye) => {}
            (_, EntryKind::Joined) => {
                let card = self.card(entry);
                self.send(&Frame::entry(kind, card.bytes()));
                if self.attack == Attack::ForgeLeave {
                    let left = left_entry(card.sid(), Departure::Lost);
                    self.send(&Frame::entry(EntryKind::Left, &left));
                }
            }
            (_, EntryKind::Left) => {
                let (sid, departure) = parse_left(entry).expect("it was made here");
                let double = lock(&self.knowledge).doubles.get(&sid).map(Card::sid);
                let left = left_entry(double.unwrap_or(sid), departure);
                self.send(&Frame::entry(kind, &left));
                self.replay(sid);
            }
            (_, EntryKind::Goodbye) => {
                let signed = Signed::parse(entry).expect("it was made here");
                let goodbye = Statement::parse(signed.bytes).expect("it was checked");
                self.send_bytes(whole);
                self.replay(goodbye.sender);
            }
            (_, EntryKind::Message) if is_readable => {
                let signed = Signed::parse(entry).expect("it was made here");
                let header = Header::parse(signed.bytes).expect("it was checked");
                self.pass_message(header.number, whole);
            }
            _ => self.send_bytes(whole),
        }
    }

    fn pass_message(&mut self, number: u64, whole: Vec<u8>) {
        match self.attack {
            Attack::DropLast if number % 2 == 1 => {}
            Attack::Reorder if self.is_second => match self.held.take() {
                None => self.held = Some(whole),
                Some(held) => {
                    self.send_bytes(whole);
                    self.send_bytes(held);
                }
            },
            _ => self.send_bytes(whole),
        }
    }

    /// Presents somebody once more who has gone.
    fn replay(&self, sid: SessionId) {
        let card = lock(&self.knowledge).cards.get(&sid).cloned();
        if let (Attack::ReplayCard, true, Some(card)) = (self.attack, self.is_second, card) {
            self.send(&Frame::entry(EntryKind::Joined, card.bytes()));
        }
    }
}

#[derive(Clone)]
struct Wire(Arc<Mutex<Lens>>);

impl Mailbox for Wire {
    fn post(&self, frame: OutgoingFrame) {
        lock(&self.0).pass(frame.slices().concat());
    }

    fn dismiss(&self, notice: Notice) {
        self.post(Frame::notice(notice.code()).into());
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The relay. Its threads end with the program.
pub struct HostileRelay {
    attack: Attack,
    rooms: Mutex<HashMap<RoomId, Room<Wire>>>,
    knowledge: Arc<Mutex<Knowledge>>,
    middle: Mutex<Middle>,
}

impl HostileRelay {
    /// Starts a relay on a port of this machine; port 0 is any free one. Calls `on_read` with each text
    /// that the relay reads and was not meant to.
    pub fn start(attack: Attack, port: u16, on_read: fn(&str)) -> io::Result<SocketAddr> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port))?;
        let address = listener.local_addr()?;
        let relay = Arc::new(Self {
            attack,
            rooms: Mutex::default(),
            knowledge: Arc::new(Mutex::new(Knowledge {
                identity: IdentityKey::generate(KeySize::Bits2048),
                doubles: HashMap::new(),
                cards: HashMap::new(),
            })),
            middle: Mutex::new(Middle::new(CHALLENGE, on_read)),
        });
        thread::spawn({
            let relay = Arc::clone(&relay);
            move || {
                loop {
                    thread::sleep(TICK);
                    lock(&relay.middle).play();
                }
            }
        });
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let relay = Arc::clone(&relay);
                thread::spawn(move || relay.serve(stream));
            }
        });
        Ok(address)
    }

    /// Serves one connection to its end. `None` only cuts the function short.
    fn serve(&self, mut stream: TcpStream) -> Option<()> {
        let mut preamble = [0; PREAMBLE];
        stream.read_exact(&mut preamble).ok()?;
        let room = RoomId(preamble.last_chunk().copied()?);
        let frame = Frame::challenge(&CHALLENGE, &LIMITS);
        stream.write_all(&frame.encode()).ok()?;
        let hello = read_frame(&mut stream, MAX_HANDSHAKE_FRAME).ok()?;
        let card = admit(&hello, &CHALLENGE, room).ok()?.card;

        let (to_client, frames) = channel::<Vec<u8>>();
        let mut writing = stream.try_clone().ok()?;
        thread::spawn(move || {
            for frame in frames {
                if writing.write_all(&frame).is_err() {
                    break;
                }
            }
        });
        if self.attack == Attack::SwapKeys && room == RoomName::lobby().id() {
            let nick = card.nick().as_str().to_owned();
            let joined = lock(&self.middle).join(&card, to_client.clone())?;
            let mut intake = Intake::new(&card, CHALLENGE.run, joined, &LIMITS);
            let left = take_frames(&mut stream, &to_client, &mut intake, |intake, request| {
                lock(&self.middle).take(&nick, intake, request)
            });
            let left = left.unwrap_or(Departure::Lost);
            lock(&self.middle).leave(&nick, left);
        } else {
            let joined = self.join(&card, &to_client)?;
            let mut intake = Intake::new(&card, CHALLENGE.run, joined, &LIMITS);
            let left = take_frames(&mut stream, &to_client, &mut intake, |intake, request| {
                let mut rooms = lock(&self.rooms);
                rooms.get_mut(&room)?.carry_out(intake, request).ok()
            });
            if let (None, Some(room)) = (left, lock(&self.rooms).get_mut(&room)) {
                room.leave(joined, Departure::Lost);
            }
        }
        // A client that has said goodbye waits for the end.
        stream.shutdown(std::net::Shutdown::Read).ok()
    }

    fn join(&self, card: &Card, to_client: &Sender<Vec<u8>>) -> Option<u64> {
        let lens = Lens {
            attack: self.attack,
            room: card.room(),
            is_second: lock(&self.knowledge).cards.len() % 2 == 1,
            knowledge: Arc::clone(&self.knowledge),
            to_client: to_client.clone(),
            held: None,
        };
        lock(&self.knowledge).cards.insert(card.sid(), card.clone());
        lock(&self.rooms)
            .entry(card.room())
            .or_insert_with(|| empty_room(card.room()))
            .join(card, &Wire(Arc::new(Mutex::new(lens))))
            .ok()
    }
}

fn empty_room<M: Mailbox>(room: RoomId) -> Room<M> {
    Room::new(Link::start(CHALLENGE.run, room, 0), &LIMITS, 0)
}

/// Reads frames and acknowledges them until the client says goodbye or breaks the rules. What they cause
/// for it has been put before the acknowledgement when they are carried out.
fn take_frames(
    stream: &mut TcpStream,
    to_client: &Sender<Vec<u8>>,
    intake: &mut Intake,
    mut carry_out: impl FnMut(&mut Intake, &MemberRequest) -> Option<()>,
) -> Option<Departure> {
    loop {
        let request = intake.take(read_frame(stream, MAX_FRAME).ok()?).ok()?;
        carry_out(intake, &request)?;
        let ack = Frame::ack(intake.received()).encode();
        to_client.send(ack).ok()?;
        if matches!(request, MemberRequest::Goodbye(_)) {
            return Some(Departure::Left);
        }
    }
}
