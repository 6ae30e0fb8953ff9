//! Frames: what both sides send (PROTOCOL §6). What each side understands of the other's frames is
//! in `to_relay` and `to_client`.

mod absence;
mod departure;
mod fields;
pub(in crate::room) mod kind;
mod to_client;
mod to_relay;

use crate::cipher::encoding::{Digest, Encoder};

use super::card::SessionId;
use super::chain::{EntryKind, Link};
use super::names::RoomId;

pub use super::names::RunId;

pub use self::absence::{Absence, parse_awake};
pub use self::departure::{Departure, left_entry, parse_left};
pub use self::fields::{Challenge, Part, RelayLimits};
pub use self::to_client::{MAX_PASSED, Signed, ToClient, Welcome};
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

/// Whether a received frame (type first) is PING, which asks for an ACK.
#[must_use]
pub fn is_ping(frame: &[u8]) -> bool {
    frame.first() == Some(&kind::PING)
}

/// Whether a received frame (type first) is counted for ACK (PROTOCOL §6).
#[must_use]
pub fn is_counted_frame(frame: &[u8]) -> bool {
    frame.first().is_some_and(|kind| kind::is_counted(*kind))
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
    /// anew since, without the client's knowing. It says how many blocks a second it can open.
    #[must_use]
    pub fn hello(
        card: &[u8],
        resumes: Option<u64>,
        received: u64,
        opens: u32,
        proof: &[u8],
    ) -> Self {
        let fields = Encoder::default()
            .string(card)
            .u64(resumes.unwrap_or(0))
            .u64(received)
            .u32(opens)
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
