//! A peer, which speaks the protocol by hand and can therefore break any of its rules.

use std::cell::Cell;
use std::io::Write;
use std::net::{Ipv4Addr, Shutdown, SocketAddr, SocketAddrV4, TcpStream};
use std::os::fd::AsRawFd as _;
use std::sync::OnceLock;
use std::time::{SystemTime, UNIX_EPOCH};

use e2echat::cipher::encoding::Encoder;
use e2echat::cipher::keys::{IdentityKey, KeySize, PublicKey, SessionKey};
use e2echat::cipher::pem::{IdentityPem, encode};
use e2echat::cipher::seal::Body;
use e2echat::room::card::{Card, SessionId, Stay};
use e2echat::room::chain::{Claim, EntryKind, Link, entry_digest, roster_digest};
use e2echat::room::frame::{Challenge, Frame, MAX_FRAME, RunId, ToClient, preamble};
use e2echat::room::message::{Header, Kind, SealedMessage, Stream};
use e2echat::room::names::{RoomId, RoomName};
use e2echat::room::notice::Notice;
use e2echat::room::numbers::Ranges;
use e2echat::room::statement::{Occasion, Purpose, Statement};
use e2echat::room::stream::{ReadError, read_frame};
use nix::sys::socket::{self, AddressFamily, SockFlag, SockType, SockaddrIn};
use rand::Rng as _;

use super::process::DEADLINE;

/// The room that clients enter unless they are told otherwise.
pub fn lobby() -> RoomName {
    "lobby".parse().expect("a name")
}

/// How many identities the tests of a program share.
const IDENTITIES: usize = 32;

/// One of a few identities, by its number. The tests of a program share them, as keys take long to make.
pub fn identity(number: usize) -> &'static IdentityKey {
    static KEYS: [OnceLock<IdentityKey>; IDENTITIES] = [const { OnceLock::new() }; IDENTITIES];
    let key = KEYS.get(number).expect("there are as many");
    key.get_or_init(|| IdentityKey::generate(KeySize::Bits2048))
}

/// A copy of a shared identity, for somebody who owns it: another one at each call in one test.
pub fn next_identity() -> IdentityKey {
    thread_local! {
        /// Each test has a thread of its own, or all follow each other in one.
        static NEXT: Cell<usize> = const { Cell::new(0) };
    }
    let number = NEXT.replace(NEXT.get() + 1);
    if number >= IDENTITIES {
        return IdentityKey::generate(KeySize::Bits2048);
    }
    let file = IdentityPem::parse(encode(identity(number), None)).expect("a key file");
    file.open().expect("a key without a passphrase")
}

/// One of a few session keys, by its number, shared like the identities.
pub fn session_key(number: usize) -> &'static SessionKey {
    static KEYS: [OnceLock<SessionKey>; 3] = [const { OnceLock::new() }; 3];
    let key = KEYS.get(number).expect("there are three");
    key.get_or_init(|| SessionKey::generate(KeySize::Bits2048))
}

/// A public key of 2048 bits whose private key nobody has. Some tests have more members than it is worth
/// making keys for.
pub fn made_up_key() -> PublicKey {
    let mut spki = session_key(0).public().spki().to_vec();
    // RFC 8017 A.1.1: the modulus ends 5 bytes before the end, and the exponent follows. The modulus
    // keeps its length and stays odd.
    let end = spki.len() - 5;
    let modulus = spki.get_mut(end - 255..end - 1).expect("a modulus");
    rand::rng().fill_bytes(modulus);
    PublicKey::from_spki(&spki).expect("a key")
}

/// A frame of any type with any fields.
pub fn frame(kind: u8, fields: &[u8]) -> Vec<u8> {
    Encoder::default()
        .count(1 + fields.len())
        .byte(kind)
        .bytes(fields)
        .finish()
}

/// The fields of a card, right or wrong (PROTOCOL §4), of generation 0 or 1.
#[derive(Clone)]
pub struct CardFields {
    pub room: RoomId,
    pub nick: Vec<u8>,
    pub identity: Vec<u8>,
    pub session: Vec<u8>,
    pub generation: u32,
    pub previous: [u8; 32],
    /// The session id of generation 0.
    pub first: [u8; 32],
    pub past: Vec<Stay>,
}

impl CardFields {
    /// The fields of a card that the others accept.
    pub fn new(nick: &str, identity: &IdentityKey, session: &PublicKey) -> Self {
        Self {
            room: lobby().id(),
            nick: nick.as_bytes().to_vec(),
            identity: identity.public().spki().to_vec(),
            session: session.spki().to_vec(),
            generation: 0,
            previous: [0; 32],
            first: [0; 32],
            past: Vec::new(),
        }
    }

    /// The bytes that are signed.
    pub fn unsigned(&self) -> Vec<u8> {
        let mut fields = Encoder::tagged("e2echat/2 card")
            .bytes(&self.room.0)
            .string(&self.nick)
            .string(&self.identity)
            .string(&self.session)
            .boolean(false)
            .u32(self.generation)
            .bytes(&self.previous)
            .bytes(&self.first)
            .u64(0)
            .u64(0)
            .count(self.past.len());
        for stay in &self.past {
            fields = stay.claim.encode(fields.u64(stay.first));
        }
        let mac = lobby().key().mac(fields.as_slice());
        fields.bytes(&mac).finish()
    }

    /// The card, signed by `signer`.
    pub fn sign(&self, signer: &IdentityKey) -> Vec<u8> {
        Self::signed(self.unsigned(), signer)
    }

    /// The card as somebody would make it who does not know the name of the room, signed by `signer`.
    pub fn sign_with_a_wrong_mac(&self, signer: &IdentityKey) -> Vec<u8> {
        let mut unsigned = self.unsigned();
        let last = unsigned.last_mut().expect("a MAC");
        *last ^= 1;
        Self::signed(unsigned, signer)
    }

    fn signed(unsigned: Vec<u8>, signer: &IdentityKey) -> Vec<u8> {
        let signature = signer.sign(&unsigned);
        Encoder::default()
            .bytes(&unsigned)
            .string(&signature)
            .finish()
    }

    /// The session id.
    pub fn sid(&self) -> SessionId {
        let fields = Encoder::tagged("e2echat/1 session")
            .string(&self.room.0)
            .string(&self.nick)
            .string(&self.identity)
            .string(&self.session);
        SessionId(fields.digest())
    }
}

/// A connection to a relay.
pub struct Peer {
    stream: TcpStream,
}

impl Peer {
    /// Connects to a relay and sends nothing.
    pub fn connect(relay: SocketAddr) -> Self {
        Self::new(TcpStream::connect(relay).expect("the relay listens"))
    }

    /// Connects from this address of this machine, and sends nothing.
    pub fn connect_from(source: Ipv4Addr, relay: SocketAddr) -> Self {
        let SocketAddr::V4(relay) = relay else {
            panic!("the relay is elsewhere: {relay}");
        };
        let (family, flags) = (AddressFamily::Inet, SockFlag::SOCK_CLOEXEC);
        let socket = socket::socket(family, SockType::Stream, flags, None).expect("a socket");
        let source = SockaddrIn::from(SocketAddrV4::new(source, 0));
        socket::bind(socket.as_raw_fd(), &source).expect("all of 127.0.0.0/8 is this machine");
        let relay = SockaddrIn::from(relay);
        socket::connect(socket.as_raw_fd(), &relay).expect("the relay listens");
        Self::new(socket.into())
    }

    fn new(stream: TcpStream) -> Self {
        stream
            .set_read_timeout(Some(DEADLINE))
            .and_then(|()| stream.set_write_timeout(Some(DEADLINE)))
            .expect("a socket has timeouts");
        Self { stream }
    }

    /// Writes bytes. Returns whether the relay still takes any.
    pub fn write(&mut self, bytes: &[u8]) -> bool {
        self.stream.write_all(bytes).is_ok()
    }

    /// Ends the writing side of the connection.
    pub fn finish_writing(&self) {
        self.stream
            .shutdown(Shutdown::Write)
            .expect("the connection is open");
    }

    /// Reads the next frame. Returns `None` if the relay has hung up.
    #[track_caller]
    pub fn read(&mut self) -> Option<Vec<u8>> {
        match read_frame(&mut self.stream, MAX_FRAME) {
            Ok(frame) => Some(frame),
            Err(ReadError::Closed | ReadError::Io(_)) => None,
            Err(error) => panic!("neither a frame nor an end: {error:?}"),
        }
    }

    /// Reads the next frame. Returns `None` if the relay has hung up, even within a frame.
    pub fn read_or_broken(&mut self) -> Option<Vec<u8>> {
        read_frame(&mut self.stream, MAX_FRAME).ok()
    }

    /// Reads until a notice comes, and checks that the relay hangs up behind it.
    #[track_caller]
    pub fn assert_told(&mut self, expected: Notice) {
        loop {
            let frame = self.read().expect("a notice before the end");
            if let Ok(ToClient::Notice(code)) = ToClient::parse(&frame) {
                assert_eq!(Notice::from_code(code), Some(expected));
                assert_eq!(self.read(), None, "something came after a notice");
                return;
            }
        }
    }

    /// Checks that the relay hangs up without a notice.
    #[track_caller]
    pub fn assert_hung_up(&mut self) {
        assert_eq!(self.read(), None);
    }

    /// Asks for a room, and reads the challenge.
    #[track_caller]
    pub fn knock(&mut self, room: RoomId) -> Challenge {
        let knocked = self.try_knock(room);
        knocked.unwrap_or_else(|notice| panic!("no challenge: {notice:?}"))
    }

    #[track_caller]
    fn try_knock(&mut self, room: RoomId) -> Result<Challenge, Notice> {
        assert!(self.write(&preamble(room)));
        let frame = self.read().expect("a challenge");
        match ToClient::parse(&frame) {
            Ok(ToClient::Challenge(challenge, _)) => Ok(challenge),
            Ok(ToClient::Notice(code)) => Err(Notice::from_code(code).expect("a notice")),
            other => panic!("no challenge: {other:?}"),
        }
    }

    /// Presents a card, with the proof that `signer` makes for the session id `sid`.
    #[track_caller]
    pub fn present(&mut self, card: &[u8], sid: SessionId, signer: &IdentityKey) {
        let challenge = self.knock(lobby().id());
        let proof = signer.sign(&challenge.possession(sid, 0));
        assert!(self.write(&Frame::hello(card, None, 0, 300, &proof).encode()));
    }
}

/// A peer that is in the lobby.
pub struct Member {
    pub peer: Peer,
    pub sid: SessionId,
    pub run: RunId,
    /// The place of its own joining in the room's chain. Whatever it signs claims that it has seen all
    /// until then.
    pub joined: Link,
    /// The cards of those who were there then.
    pub others: Vec<Card>,
    identity: &'static IdentityKey,
    /// How many counted frames it has read while it waited for acknowledgements.
    read: u64,
}

impl Member {
    /// Enters the lobby by the book, with the shared keys of this number.
    #[track_caller]
    pub fn join(relay: SocketAddr, nick: &str, number: usize) -> Self {
        Self::join_with(relay, nick, number, session_key(number).public())
    }

    /// Enters the lobby by the book, with another session key than the shared one.
    #[track_caller]
    pub fn join_with(relay: SocketAddr, nick: &str, number: usize, key: &PublicKey) -> Self {
        let joined = Self::enter(Peer::connect(relay), nick, number, key, None);
        joined.unwrap_or_else(|notice| panic!("no welcome: {notice:?}"))
    }

    /// Enters over a connection, or resumes over it as the member that joined there. The error is the
    /// notice of a relay that does not let the peer in.
    #[track_caller]
    pub fn enter(
        mut peer: Peer,
        nick: &str,
        number: usize,
        key: &PublicKey,
        resumes: Option<Link>,
    ) -> Result<Self, Notice> {
        let identity = identity(number);
        let fields = CardFields::new(nick, identity, key);
        let challenge = peer.try_knock(lobby().id())?;
        let proof = identity.sign(&challenge.possession(fields.sid(), 0));
        let card = fields.sign(identity);
        let position = resumes.map(|joined| joined.position);
        assert!(peer.write(&Frame::hello(&card, position, 0, 300, &proof).encode()));
        let frame = peer.read().expect("a welcome");
        let welcome = match ToClient::parse(&frame) {
            Ok(ToClient::Welcome(welcome)) => welcome,
            Ok(ToClient::Notice(code)) => return Err(Notice::from_code(code).expect("a notice")),
            other => panic!("no welcome: {other:?}"),
        };
        assert_eq!(welcome.resumed, resumes.is_some());
        let others = (0..welcome.members)
            .map(|_| {
                let frame = peer.read().expect("a card");
                match ToClient::parse(&frame) {
                    Ok(ToClient::Member(card)) => Card::parse(card, lobby().id()).expect("a card"),
                    other => panic!("no card: {other:?}"),
                }
            })
            .collect();
        let own = entry_digest(&card);
        Ok(Self {
            peer,
            sid: fields.sid(),
            run: challenge.run,
            joined: resumes.unwrap_or_else(|| welcome.before.then(EntryKind::Joined, &own)),
            others,
            identity,
            read: 0,
        })
    }

    /// Reads until the relay has acknowledged this many frames, and acknowledges what it has read so.
    #[track_caller]
    pub fn wait_for_ack(&mut self, expected: u64) {
        assert!(self.peer.write(&Frame::ping().encode()));
        loop {
            let frame = self.peer.read().expect("an answer");
            self.read += u64::from(matches!(frame.first(), Some(0x10..=0x1f)));
            if let Ok(ToClient::Ack(count)) = ToClient::parse(&frame)
                && count >= expected
            {
                assert!(self.peer.write(&Frame::ack(self.read).encode()));
                return;
            }
        }
    }

    /// A body with this text, and the header of a message to the room with it.
    pub fn compose(&self, number: u64, text: &str) -> (Header, Body) {
        self.compose_as(Kind::Text, number, text)
    }

    /// A body of this kind, and the header of a message to the room with it.
    pub fn compose_as(&self, kind: Kind, number: u64, text: &str) -> (Header, Body) {
        let body = Body::new(kind.code(), text.to_owned()).expect("neither empty nor long");
        let header = Header {
            room: lobby().id(),
            sender: self.sid,
            stream: Stream::Room,
            number,
            time: 0,
            flags: 0,
            left_out: Vec::new(),
            claim: self.claim(),
            commitment: body.commitment(),
        };
        (header, body)
    }

    /// The fields of the card with which the peer goes on under another session key.
    pub fn successor(&self, nick: &str, key: &PublicKey) -> CardFields {
        CardFields {
            generation: 1,
            previous: self.sid.0,
            first: self.sid.0,
            ..CardFields::new(nick, self.identity, key)
        }
    }

    /// Changes the session key by the book (PROTOCOL §11), but with any card.
    pub fn rekey(&mut self, card: &[u8]) {
        assert!(self.peer.write(&Frame::rekey(card).encode()));
    }

    /// A body with this text, and the header of a direct message with it.
    pub fn compose_to(&self, reader: SessionId, number: u64, text: &str) -> (Header, Body) {
        let (mut header, body) = self.compose(number, text);
        header.stream = Stream::Direct(reader);
        (header, body)
    }

    /// What the peer claims to have seen: all up to its own joining.
    pub fn claim(&self) -> Claim {
        let mut roster: Vec<SessionId> = self.others.iter().map(Card::sid).collect();
        roster.push(self.sid);
        roster.sort_unstable();
        Claim {
            run: self.run,
            link: self.joined,
            roster: roster_digest(&roster),
            unread: Ranges::default(),
        }
    }

    /// The statement to all for an occasion, at the peer's own time, as if it had said nothing.
    pub fn statement(&self, occasion: Occasion, time: u64) -> Statement {
        Statement {
            room: lobby().id(),
            sender: self.sid,
            time,
            next: 0,
            claim: self.claim(),
            purpose: Purpose::ToAll(occasion),
        }
    }

    /// The frame that carries a signed statement.
    pub fn state(&self, statement: &Statement) -> Vec<u8> {
        let statement = statement.encode();
        Frame::statement(&statement, &self.identity.sign(&statement)).encode()
    }

    /// The peer's identity.
    pub fn identity(&self) -> &'static IdentityKey {
        self.identity
    }

    /// Signs a message, and encrypts it for everybody else.
    pub fn seal(&self, header: &Header, body: &Body) -> SealedMessage {
        let readers: Vec<(SessionId, &PublicKey)> = self
            .others
            .iter()
            .map(|card| (card.sid(), card.session()))
            .collect();
        SealedMessage::seal(header, body, self.identity, &readers)
    }

    /// Says something to everybody, as if it had seen nothing since it came; written at this time.
    pub fn say(&mut self, number: u64, time: SystemTime, text: &str) {
        let (mut header, body) = self.compose(number, text);
        let time = time.duration_since(UNIX_EPOCH).expect("a time since 1970");
        header.time = time.as_millis().try_into().expect("a time of our days");
        self.send(self.seal(&header, &body));
    }

    /// Sends a message as it is, right or wrong.
    pub fn send(&mut self, message: SealedMessage) {
        for frame in message.frames() {
            assert!(self.peer.write(&frame.encode()), "the relay takes it");
        }
    }
}
