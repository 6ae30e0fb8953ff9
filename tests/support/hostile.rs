//! A relay that misbehaves as it is told: the real one's room, with something between it and the
//! members. One lock around everything, a thread or two for each connection.

use std::collections::HashMap;
use std::io::{self, Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

use e2echat::cipher::encoding::Encoder;
use e2echat::cipher::keys::{IdentityKey, KeySize, SessionKey};
use e2echat::cipher::seal;
use e2echat::room::card::{Card, SessionId};
use e2echat::room::frame::{
    Challenge, Departure, Frame, Limits, MAX_FRAME, MAX_HANDSHAKE_FRAME, PREAMBLE, RunId, Send,
    ToClient, ToRelay,
};
use e2echat::room::message::Header;
use e2echat::room::names::{RoomId, RoomName};
use e2echat::room::notice::Notice;
use e2echat::room::relay::{Intake, Mailbox, Outgoing, Request, Room, admit};
use e2echat::room::stream::read_frame;

const LIMITS: Limits = Limits {
    idle: 90,
    grace: 0,
    members: 100,
    blocks: 0,
    bytes: 0,
};

const RUN: RunId = RunId([5; 16]);

/// What the relay does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Attack {
    /// Presents everybody with keys of its own, and reads what is written to them.
    SwapKeys,
    /// Passes no second message of anybody's on.
    DropLast,
    /// Keeps newcomers secret from those who are there.
    Split,
    /// Says of newcomers that they have left again.
    ForgeLeave,
    /// Presents those who have left once more.
    ReplayCard,
    /// Passes messages on in another order to every second member.
    Reorder,
}

impl Attack {
    /// All, with the options that ask for them.
    pub const ALL: [(&str, Self); 6] = [
        ("--swap-keys", Self::SwapKeys),
        ("--drop-last", Self::DropLast),
        ("--split", Self::Split),
        ("--forge-leave", Self::ForgeLeave),
        ("--replay-card", Self::ReplayCard),
        ("--reorder", Self::Reorder),
    ];
}

/// A made-up member, who stands for a real one.
struct Double {
    card: Card,
    key: SessionKey,
}

/// What the relay knows of everybody.
struct Knowledge {
    identity: IdentityKey,
    /// By the real session ids.
    doubles: HashMap<SessionId, Double>,
    /// The cards of all who were ever there.
    cards: HashMap<SessionId, Card>,
}

impl Knowledge {
    fn double(&mut self, card: &Card) -> &Double {
        let identity = &self.identity;
        self.doubles.entry(card.sid()).or_insert_with(|| {
            let key = SessionKey::generate(KeySize::Bits2048);
            Double {
                card: forge(card, identity, &key),
                key,
            }
        })
    }
}

/// A card with somebody's nick and the relay's keys. Its MAC is good if the room is the lobby: the
/// relay can only guess.
fn forge(card: &Card, identity: &IdentityKey, key: &SessionKey) -> Card {
    let unauthenticated = Encoder::tagged("e2echat/1 card")
        .bytes(&card.room().0)
        .string(card.nick().as_str().as_bytes())
        .string(identity.public().spki())
        .string(key.public().spki())
        .boolean(true)
        .u32(0)
        .bytes(&[0; 32])
        .u64(0)
        .u64(0);
    let mac = RoomName::lobby().key().mac(unauthenticated.as_slice());
    let unsigned = unauthenticated.bytes(&mac);
    let signature = identity.sign(unsigned.as_slice());
    let bytes = unsigned.string(&signature).finish();
    Card::parse(&bytes, card.room()).expect("a card but for its MAC")
}

/// What stands between the room and one member.
struct Lens {
    attack: Attack,
    own: SessionId,
    room: RoomId,
    /// Whether it is one of every second member.
    is_second: bool,
    knowledge: Arc<Mutex<Knowledge>>,
    to_client: Sender<Vec<u8>>,
    /// How many changes it was told of more than there were, modulo 2^64.
    shift: u64,
    held: Option<Vec<u8>>,
}

impl Lens {
    fn send(&self, frame: &Frame) {
        self.send_bytes(frame.encode());
    }

    fn send_bytes(&self, bytes: Vec<u8>) {
        // It fails where the client is gone.
        let _ = self.to_client.send(bytes);
    }

    fn card(&self, bytes: &[u8]) -> Vec<u8> {
        let card = Card::parse(bytes, self.room).expect("it was checked");
        if self.attack == Attack::SwapKeys {
            return lock(&self.knowledge).double(&card).card.bytes().to_vec();
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
                let double = lock(&self.knowledge)
                    .doubles
                    .get(&sid)
                    .map(|d| d.card.sid());
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
                    Attack::SwapKeys if header.sender != self.own => {}
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
    fn post(&self, frame: Outgoing) {
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
    /// What it has read that was not meant for it.
    on_read: fn(&str),
}

impl HostileRelay {
    /// Starts one on a port of this machine; 0 is a free one.
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
            on_read,
        });
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let relay = Arc::clone(&relay);
                thread::spawn(move || relay.serve(stream));
            }
        });
        Ok(address)
    }

    /// One connection, to its end. `None` is an end like any other.
    fn serve(&self, mut stream: TcpStream) -> Option<()> {
        let mut preamble = [0; PREAMBLE];
        stream.read_exact(&mut preamble).ok()?;
        let room = RoomId(preamble.last_chunk().copied()?);
        let challenge = Challenge {
            nonce: [6; 32],
            run: RUN,
        };
        let frame = Frame::challenge(&challenge, &LIMITS);
        stream.write_all(&frame.encode()).ok()?;
        let hello = read_frame(&mut stream, MAX_HANDSHAKE_FRAME).ok()?;
        let card = admit(&hello, &challenge, room).ok()?.card;

        let (to_client, frames) = channel::<Vec<u8>>();
        let mut writing = stream.try_clone().ok()?;
        thread::spawn(move || {
            for frame in frames {
                if writing.write_all(&frame).is_err() {
                    break;
                }
            }
        });
        let lens = Lens {
            attack: self.attack,
            own: card.sid(),
            room,
            is_second: lock(&self.knowledge).cards.len() % 2 == 1,
            knowledge: Arc::clone(&self.knowledge),
            to_client: to_client.clone(),
            shift: 0,
            held: None,
        };
        lock(&self.knowledge).cards.insert(card.sid(), card.clone());
        let joined = lock(&self.rooms)
            .entry(room)
            .or_insert_with(|| Room::new(0, &LIMITS))
            .join(&card, &Wire(Arc::new(Mutex::new(lens))))
            .ok()?;
        let mut intake = Intake::new(card, RUN, joined, &LIMITS);
        let left = self.take_frames(&mut stream, room, &mut intake, &to_client);
        if let Some(room) = lock(&self.rooms).get_mut(&room) {
            room.leave(intake.sid(), joined, left.unwrap_or(Departure::Lost));
        }
        // A client that has said goodbye waits for the end.
        stream.shutdown(std::net::Shutdown::Read).ok()
    }

    fn take_frames(
        &self,
        stream: &mut TcpStream,
        room: RoomId,
        intake: &mut Intake,
        to_client: &Sender<Vec<u8>>,
    ) -> Option<Departure> {
        loop {
            let frame = read_frame(stream, MAX_FRAME).ok()?;
            if let Ok(ToRelay::Send(send)) = ToRelay::parse(&frame) {
                self.read(&frame, &send);
            }
            let request = intake.take(frame.into()).ok()?;
            let mut rooms = lock(&self.rooms);
            rooms
                .get_mut(&room)?
                .carry_out(intake.sid(), &request)
                .ok()?;
            to_client
                .send(Frame::ack(intake.received()).encode())
                .ok()?;
            if matches!(request, Request::Leave) {
                return Some(Departure::Left);
            }
        }
    }

    /// Opens what is encrypted to a key of the relay's own.
    fn read(&self, frame: &[u8], send: &Send) -> Option<()> {
        let header = frame.get(send.header.clone())?;
        let commitment = Header::parse(header).ok()?.commitment;
        let knowledge = lock(&self.knowledge);
        for parcel in &send.parcels {
            let mut doubles = knowledge.doubles.values();
            if let Some(double) = doubles.find(|double| double.card.sid() == parcel.to) {
                let ciphertext = frame.get(parcel.ciphertext.clone())?.get(4..)?;
                let sid = double.card.sid();
                let opened = seal::open(header, &commitment, &sid.0, &double.key, ciphertext);
                (self.on_read)(&opened.ok()?.into_text());
            }
        }
        Some(())
    }
}
