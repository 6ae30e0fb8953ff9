//! Frames: what both sides send (PROTOCOL §6). What each side understands of the other's frames is
//! in `to_relay` and `to_client`.

mod to_client;
mod to_relay;

use crate::cipher::encoding::{Decoder, Digest, Encoder, Malformed};

use super::Time;
use super::card::SessionId;
use super::chain::{EntryKind, Link};
use super::names::RoomId;

pub use super::names::RunId;

pub use self::to_client::{Signed, ToClient, Welcome, parse_awake, parse_left};
pub use self::to_relay::{Parcel, SendFrame, StatementFrame, ToRelay};

/// The first bytes of a connection: the protocol's name (PROTOCOL §6).
pub const MAGIC: [u8; 7] = *b"e2echat";
/// The version of the protocol, which follows [`MAGIC`].
pub const VERSION: u8 = 2;
/// How many bytes come before the first frame: magic, version, room id.
pub const PREAMBLE: usize = 7 + 1 + 32;

/// The longest frame before WELCOME, in bytes: type and fields, without the length itself (PROTOCOL
/// §6).
pub const MAX_HANDSHAKE_FRAME: usize = 8 * 1024;
/// The longest frame from WELCOME on, in bytes, counted likewise.
pub const MAX_FRAME: usize = 256 * 1024;

/// The numbers of the frame types (PROTOCOL §6).
pub(in crate::room) mod kind {
    pub(super) const CHALLENGE: u8 = 0x01;
    pub(in crate::room) const HELLO: u8 = 0x02;
    pub(super) const WELCOME: u8 = 0x03;
    pub(in crate::room) const MEMBER: u8 = 0x04;
    pub(super) const ABSENT: u8 = 0x05;
    pub(super) const SEND: u8 = 0x10;
    pub(in crate::room) const ENTRY: u8 = 0x11;
    pub(in crate::room) const OWN: u8 = 0x12;
    pub(in crate::room) const DELIVER: u8 = 0x13;
    pub(in crate::room) const REKEY: u8 = 0x14;
    pub(in crate::room) const STATEMENT: u8 = 0x15;
    pub(in crate::room) const RECEIPT: u8 = 0x16;
    pub(super) const REFUSED: u8 = 0x17;
    pub(super) const PASSED: u8 = 0x18;
    pub(super) const PING: u8 = 0x20;
    pub(super) const ACK: u8 = 0x21;
    pub(super) const NOTICE: u8 = 0x22;
}

/// Whether a received frame (type first) is PING, which asks for an ACK.
#[must_use]
pub fn is_ping(frame: &[u8]) -> bool {
    frame.first() == Some(&kind::PING)
}

/// Whether a received frame (type first) is counted for ACK (PROTOCOL §6).
#[must_use]
pub fn is_counted_frame(frame: &[u8]) -> bool {
    frame.first().is_some_and(|kind| is_counted_kind(*kind))
}

/// Whether frames of this type are counted for ACK.
pub(super) fn is_counted_kind(kind: u8) -> bool {
    (0x10..=0x1f).contains(&kind)
}

/// The preamble with which a client enters `room`.
#[must_use]
pub fn preamble(room: RoomId) -> Vec<u8> {
    Encoder::default()
        .bytes(&MAGIC)
        .byte(VERSION)
        .bytes(&room.0)
        .finish()
}

/// The challenge of a handshake (PROTOCOL §7).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Challenge {
    /// The random bytes, fresh for each connection.
    pub nonce: [u8; 32],
    /// The relay's run.
    pub run: RunId,
}

impl Challenge {
    /// The bytes that an identity signs to prove that it is there. `received` is that of HELLO.
    #[must_use]
    pub fn possession(&self, sid: SessionId, received: u64) -> Vec<u8> {
        Encoder::tagged("e2echat/1 possession")
            .bytes(&self.nonce)
            .bytes(&self.run.0)
            .bytes(&sid.0)
            .u64(received)
            .finish()
    }
}

/// The limits that a relay tells its clients in CHALLENGE (PROTOCOL §7).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RelayLimits {
    /// Seconds without a byte after which a connection is taken for dead.
    pub idle: u32,
    /// The most members in a room.
    pub members: u32,
    /// The most blocks of 256 bytes a second from one member; 0 for any number.
    pub blocks: u32,
    /// The most bytes a second from one member; 0 for any number.
    pub bytes: u32,
}

/// Which frame of a message a SEND is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// Others follow.
    More,
    /// The last one.
    Last,
    /// The only one of a late copy, which is no entry: its readers have entered anew.
    Again,
}

impl Part {
    fn flags(self) -> u8 {
        match self {
            Self::More => 0,
            Self::Last => 1,
            Self::Again => 3,
        }
    }

    fn from_flags(flags: u8) -> Result<Self, Malformed> {
        match flags {
            0 => Ok(Self::More),
            1 => Ok(Self::Last),
            3 => Ok(Self::Again),
            _ => Err(Malformed),
        }
    }
}

/// Why a member is no longer there: the reason in an entry of kind LEFT (PROTOCOL §8).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Departure {
    /// It said goodbye. That is an entry of its own, and never a reason.
    Left,
    /// Its connection ended without a goodbye: reason 1.
    Lost,
    /// It did not read fast enough: reason 2.
    Slow,
    /// It broke the protocol: reason 3.
    Misbehaved,
    /// Nothing was heard from it for too long: reason 4.
    Silent,
}

impl std::fmt::Display for Departure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Left => "left",
            Self::Lost => "lost the connection",
            Self::Slow => "was dropped by the relay: it did not read fast enough",
            Self::Misbehaved => "was dropped: it broke the protocol",
            Self::Silent => "was dropped by the relay: nothing was heard of it for too long",
        })
    }
}

impl Departure {
    /// Its number in an entry.
    #[must_use]
    pub fn code(self) -> u8 {
        match self {
            Self::Left => 0,
            Self::Lost => 1,
            Self::Slow => 2,
            Self::Misbehaved => 3,
            Self::Silent => 4,
        }
    }

    /// What a relay may say: it never says that somebody left, as that is an entry that is signed.
    fn from_code(code: u8) -> Result<Self, Malformed> {
        [Self::Lost, Self::Slow, Self::Misbehaved, Self::Silent]
            .into_iter()
            .find(|departure| departure.code() == code)
            .ok_or(Malformed)
    }
}

/// The bytes of the entry with which a relay takes somebody out.
#[must_use]
pub fn left_entry(sid: SessionId, departure: Departure) -> Vec<u8> {
    let fields = Encoder::default().bytes(&sid.0).byte(departure.code());
    fields.finish()
}

/// What a relay says of a member that has no connection (PROTOCOL §8).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Absence {
    /// The member.
    pub sid: SessionId,
    /// Since when, by the relay's clock.
    pub since: Time,
    /// Until when its place is kept, by the same clock.
    pub until: Time,
}

impl Absence {
    /// The bytes of the entry ASLEEP.
    #[must_use]
    pub fn entry(&self) -> Vec<u8> {
        self.encode().finish()
    }

    fn encode(&self) -> Encoder {
        let fields = Encoder::default().bytes(&self.sid.0);
        fields.u64(self.since).u64(self.until)
    }

    /// Reads the entry ASLEEP.
    ///
    /// # Errors
    /// Where it is of another form.
    pub fn parse(entry: &[u8]) -> Result<Self, Malformed> {
        let mut fields = Decoder::new(entry);
        let absence = Self::read(&mut fields)?;
        fields.finish()?;
        Ok(absence)
    }

    fn read(fields: &mut Decoder<'_>) -> Result<Self, Malformed> {
        Ok(Self {
            sid: SessionId(fields.bytes()?),
            since: fields.u64()?,
            until: fields.u64()?,
        })
    }
}

/// The most entries for which one frame PASSED stands (PROTOCOL §8).
pub const MAX_PASSED: usize = 4096;

/// A frame that is to be sent: its type and its fields.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    pub(super) kind: u8,
    pub(super) fields: Vec<u8>,
}

impl Frame {
    fn new(kind: u8, fields: Encoder) -> Self {
        Self {
            kind,
            fields: fields.finish(),
        }
    }

    /// The bytes on the wire, the length first.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        Encoder::default()
            .count(self.size())
            .byte(self.kind)
            .bytes(&self.fields)
            .finish()
    }

    /// How many bytes its type and its fields have.
    pub(super) fn size(&self) -> usize {
        1 + self.fields.len()
    }

    /// CHALLENGE, which opens the handshake (PROTOCOL §7).
    #[must_use]
    pub fn challenge(challenge: &Challenge, limits: &RelayLimits) -> Self {
        let fields = Encoder::default()
            .bytes(&challenge.nonce)
            .bytes(&challenge.run.0)
            .u32(limits.idle)
            .u32(limits.members)
            .u32(limits.blocks)
            .u32(limits.bytes);
        Self::new(kind::CHALLENGE, fields)
    }

    /// HELLO. A client that resumes says at which position it joined: the relay may have let it in
    /// anew since, without the client's knowing.
    #[must_use]
    pub fn hello(card: &[u8], resumes: Option<u64>, received: u64, proof: &[u8]) -> Self {
        let fields = Encoder::default()
            .string(card)
            .u64(resumes.unwrap_or(0))
            .u64(received)
            .string(proof);
        Self::new(kind::HELLO, fields)
    }

    /// WELCOME, for a member that joins a room with so many others, after this place of its chain,
    /// and whose place is kept for `grace` seconds when its connection breaks.
    #[must_use]
    pub fn welcome(before: &Link, members: usize, grace: u32) -> Self {
        let fields = Encoder::default()
            .u64(before.position)
            .bytes(&before.digest)
            .boolean(false)
            .u64(0)
            .count(members)
            .u32(grace);
        Self::new(kind::WELCOME, fields)
    }

    /// WELCOME, for a member that resumes, and of which so many counted frames were taken.
    #[must_use]
    pub fn welcome_back(received: u64, grace: u32) -> Self {
        let fields = Encoder::default()
            .u64(0)
            .bytes(&[0; 32])
            .boolean(true)
            .u64(received)
            .count(0)
            .u32(grace);
        Self::new(kind::WELCOME, fields)
    }

    /// MEMBER: the card of one who was in the room before.
    #[must_use]
    pub fn member(card: &[u8]) -> Self {
        Self::new(kind::MEMBER, Encoder::default().string(card))
    }

    /// ABSENT: the member whose card comes next has no connection.
    #[must_use]
    pub fn absent(absence: &Absence) -> Self {
        Self::new(kind::ABSENT, absence.encode())
    }

    /// SEND: a message, or a part of one. Each parcel is a reader and a ciphertext.
    #[must_use]
    pub fn send(
        header: &[u8],
        signature: &[u8],
        part: Part,
        parcels: &[(SessionId, Vec<u8>)],
    ) -> Self {
        let mut fields = Encoder::default()
            .string(header)
            .string(signature)
            .byte(part.flags())
            .count(parcels.len());
        for (to, ciphertext) in parcels {
            fields = fields.bytes(&to.0).string(ciphertext);
        }
        Self::new(kind::SEND, fields)
    }

    /// ENTRY, without a ciphertext.
    #[must_use]
    pub fn entry(kind: EntryKind, entry: &[u8]) -> Self {
        let fields = Encoder::default()
            .byte(kind.code())
            .string(entry)
            .string(&[]);
        Self::new(kind::ENTRY, fields)
    }

    /// OWN
    #[must_use]
    pub fn own() -> Self {
        Self::new(kind::OWN, Encoder::default())
    }

    /// PASSED: statements to all, by the digests of their entries. There are [`MAX_PASSED`] at most.
    #[must_use]
    pub fn passed(digests: &[Digest]) -> Self {
        let fields = Encoder::default().count(digests.len());
        let fields = digests.iter().fold(fields, |fields, one| fields.bytes(one));
        Self::new(kind::PASSED, fields)
    }

    /// REFUSED
    #[must_use]
    pub fn refused(code: u8) -> Self {
        Self::new(kind::REFUSED, Encoder::default().byte(code))
    }

    /// REKEY: the card with which its sender goes on (PROTOCOL §11).
    #[must_use]
    pub fn rekey(card: &[u8]) -> Self {
        Self::new(kind::REKEY, Encoder::default().string(card))
    }

    /// STATEMENT (PROTOCOL §10).
    #[must_use]
    pub fn statement(statement: &[u8], signature: &[u8]) -> Self {
        let fields = Encoder::default().string(statement).string(signature);
        Self::new(kind::STATEMENT, fields)
    }

    /// PING, which asks for an ACK.
    #[must_use]
    pub fn ping() -> Self {
        Self::new(kind::PING, Encoder::default())
    }

    /// ACK: how many counted frames have been taken so far.
    #[must_use]
    pub fn ack(count: u64) -> Self {
        Self::new(kind::ACK, Encoder::default().u64(count))
    }

    /// NOTICE: a code (PROTOCOL §9), after which the relay hangs up.
    #[must_use]
    pub fn notice(code: u8) -> Self {
        Self::new(kind::NOTICE, Encoder::default().byte(code))
    }
}
