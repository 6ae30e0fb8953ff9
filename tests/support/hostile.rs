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
use e2echat::room::frame::{
    Challenge, Departure, Frame, MAX_FRAME, MAX_HANDSHAKE_FRAME, PREAMBLE, RelayLimits, RunId,
    ToClient,
};
use e2echat::room::message::Header;
use e2echat::room::names::{RoomId, RoomName};
use e2echat::room::notice::Notice;
use e2echat::room::relay::{Intake, Mailbox, MemberRequest, OutgoingFrame, Room, admit};
use e2echat::room::stream::read_frame;

#[path = "middle.rs"]
mod middle;

use middle::Middle;

const LIMITS: RelayLimits = RelayLimits {
    idle: 90,
    grace: 0,
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
    /// It says of newcomers that they have left again.
    ForgeLeave,
    /// It presents those who have left once more.
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
    let unauthenticated = Encoder::tagged("e2echat/1 card")
        .bytes(&card.room().0)
        .string(card.nick().as_str().as_bytes())
        .string(identity.public().spki())
        .string(key.public().spki())
        .boolean(true)
        .u32(0)
        .bytes(&[0; 64])
        .u64(0)
        .u64(0);
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
    /// How many more changes the member was told of than there were, modulo 2^64.
    shift: u64,
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

    fn card(&self, bytes: &[u8]) -> Vec<u8> {
        let card = Card::parse(bytes, self.room).expect("it was checked");
        if self.attack == Attack::SwapKeys {
            return lock(&self.knowledge).double(&card).bytes().to_vec();
        }
        bytes.to_vec()
    }

    fn pass(&mut self, whole: Vec<u8>) {
        let frame = whole.get(4..).expect("a frame has a length").to_vec();
        match ToClient::parse(&frame) {
            Ok(ToClient::Member(card)) => self.send(&Frame::member(&self.card(card))),
            Ok(ToClient::Joined { .. }) if self.attack == Attack::Split => {
                self.shift = self.shift.wrapping_sub(1);
            }
            Ok(ToClient::Joined { epoch, card }) => {
                let epoch = epoch.wrapping_add(self.shift);
                let sid = Card::parse(card, self.room).expect("it was checked").sid();
                self.send(&Frame::joined(epoch, &self.card(card)));
                if self.attack == Attack::ForgeLeave {
                    self.shift += 1;
                    self.send(&Frame::left(epoch + 1, sid, Departure::Left));
                }
            }
            Ok(ToClient::Left {
                epoch,
                sid,
                departure,
            }) => {
                let epoch = epoch.wrapping_add(self.shift);
                let double = lock(&self.knowledge).doubles.get(&sid).map(Card::sid);
                self.send(&Frame::left(epoch, double.unwrap_or(sid), departure));
                let card = lock(&self.knowledge).cards.get(&sid).cloned();
                if let (Attack::ReplayCard, Some(card)) = (self.attack, card) {
                    self.shift += 1;
                    self.send(&Frame::joined(epoch + 1, card.bytes()));
                }
            }
            Ok(ToClient::Rekeyed { epoch, card }) => {
                let epoch = epoch.wrapping_add(self.shift);
                self.send(&Frame::rekeyed(epoch, card));
            }
            Ok(ToClient::Statement { .. }) if self.attack == Attack::SwapKeys => {}
            Ok(ToClient::Deliver {
                header, ciphertext, ..
            }) if !ciphertext.is_empty() => {
                let header = Header::parse(header).expect("it was checked");
                match self.attack {
                    Attack::DropLast if header.sequence % 2 == 1 => {}
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
            _ => self.send_bytes(whole),
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
            let left = take_frames(&mut stream, &to_client, &mut intake, |sid, request| {
                lock(&self.middle).take(&nick, sid, request)
            });
            let left = left.unwrap_or(Departure::Lost);
            lock(&self.middle).leave(&nick, left);
        } else {
            let joined = self.join(&card, &to_client)?;
            let mut intake = Intake::new(&card, CHALLENGE.run, joined, &LIMITS);
            let left = take_frames(&mut stream, &to_client, &mut intake, |sid, request| {
                let mut rooms = lock(&self.rooms);
                rooms.get_mut(&room)?.carry_out(sid, request).ok()
            });
            if let Some(room) = lock(&self.rooms).get_mut(&room) {
                room.leave(intake.sid(), joined, left.unwrap_or(Departure::Lost));
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
            shift: 0,
            held: None,
        };
        lock(&self.knowledge).cards.insert(card.sid(), card.clone());
        lock(&self.rooms)
            .entry(card.room())
            .or_insert_with(|| Room::new(0, &LIMITS))
            .join(card, &Wire(Arc::new(Mutex::new(lens))))
            .ok()
    }
}

/// Reads frames and acknowledges them until the client says goodbye or breaks the rules.
fn take_frames(
    stream: &mut TcpStream,
    to_client: &Sender<Vec<u8>>,
    intake: &mut Intake,
    mut carry_out: impl FnMut(SessionId, &MemberRequest) -> Option<()>,
) -> Option<Departure> {
    loop {
        let request = intake.take(read_frame(stream, MAX_FRAME).ok()?).ok()?;
        carry_out(intake.sid(), &request)?;
        let ack = Frame::ack(intake.received()).encode();
        to_client.send(ack).ok()?;
        if matches!(request, MemberRequest::Leave) {
            return Some(Departure::Left);
        }
    }
}
