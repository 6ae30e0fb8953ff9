//! Frames: what each side sends and what it understands of the other (PROTOCOL §6).

use std::ops::Range;

use crate::cipher::encoding::{Decoder, Encoder, Malformed};

use super::card::SessionId;
use super::names::RoomId;

/// The first bytes of a connection: the protocol's name.
pub const MAGIC: [u8; 7] = *b"e2echat";
/// The version of the protocol.
pub const VERSION: u8 = 1;
/// The bytes that come before the first frame: magic, version, room id.
pub const PREAMBLE: usize = 7 + 1 + 32;

/// The longest frame before WELCOME: type and fields, without the length itself.
pub const MAX_HANDSHAKE_FRAME: usize = 8 * 1024;
/// The longest frame from WELCOME on.
pub const MAX_FRAME: usize = 256 * 1024;

/// The numbers of the frame types.
pub(super) mod kind {
    pub(super) const CHALLENGE: u8 = 0x01;
    pub(super) const HELLO: u8 = 0x02;
    pub(super) const WELCOME: u8 = 0x03;
    pub(super) const MEMBER: u8 = 0x04;
    pub(super) const SEND: u8 = 0x10;
    pub(in crate::room) const DELIVER: u8 = 0x11;
    pub(super) const JOINED: u8 = 0x12;
    pub(super) const LEFT: u8 = 0x13;
    pub(super) const REKEY: u8 = 0x14;
    pub(in crate::room) const STATEMENT: u8 = 0x15;
    pub(super) const LEAVE: u8 = 0x16;
    pub(super) const REKEYED: u8 = 0x17;
    pub(super) const PING: u8 = 0x20;
    pub(super) const ACK: u8 = 0x21;
    pub(super) const NOTICE: u8 = 0x22;
}

/// Whether a frame that was received, its type first, asks for an ACK.
#[must_use]
pub fn is_ping(frame: &[u8]) -> bool {
    frame.first() == Some(&kind::PING)
}

/// Whether a frame that was received, its type first, is counted for ACK.
#[must_use]
pub fn counts(frame: &[u8]) -> bool {
    frame.first().is_some_and(|kind| is_counted(*kind))
}

/// Whether frames of this type are counted for ACK.
pub(super) fn is_counted(kind: u8) -> bool {
    (0x10..=0x1f).contains(&kind)
}

/// The 16 random bytes that name one run of a relay.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RunId(pub [u8; 16]);

/// The preamble with which a client enters `room`.
#[must_use]
pub fn preamble(room: RoomId) -> Vec<u8> {
    Encoder::default()
        .bytes(&MAGIC)
        .byte(VERSION)
        .bytes(&room.0)
        .finish()
}

/// The random bytes of a handshake, and the run that they were made in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Challenge {
    /// The random bytes.
    pub nonce: [u8; 32],
    /// The relay's run.
    pub run: RunId,
}

impl Challenge {
    /// What the identity signs in order to prove that it is there.
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

/// What a relay asks of its clients (PROTOCOL §7).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Limits {
    /// Seconds without a word after which a connection is taken for dead.
    pub idle: u32,
    /// Seconds for which a broken connection's member stays; 0 for not at all.
    pub grace: u32,
    /// The most members in a room.
    pub members: u32,
    /// The most blocks a second from one member; 0 for any number.
    pub blocks: u32,
    /// The most bytes a second from one member; 0 for any number.
    pub bytes: u32,
}

/// Why a member is no longer there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Departure {
    /// It said goodbye.
    Left,
    /// Its connection ended without a goodbye.
    Lost,
    /// It did not read fast enough.
    Slow,
    /// It broke the protocol.
    Misbehaved,
    /// Nothing was heard from it for too long.
    Silent,
}

impl std::fmt::Display for Departure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Left => "left",
            Self::Lost => "lost the connection",
            Self::Slow => "was dropped by the relay: it did not read fast enough",
            Self::Misbehaved => "was dropped by the relay: it broke the protocol",
            Self::Silent => "was dropped by the relay: nothing was heard of it for too long",
        })
    }
}

impl Departure {
    fn code(self) -> u8 {
        match self {
            Self::Left => 0,
            Self::Lost => 1,
            Self::Slow => 2,
            Self::Misbehaved => 3,
            Self::Silent => 4,
        }
    }

    fn from_code(code: u8) -> Result<Self, Malformed> {
        [
            Self::Left,
            Self::Lost,
            Self::Slow,
            Self::Misbehaved,
            Self::Silent,
        ]
        .into_iter()
        .find(|departure| departure.code() == code)
        .ok_or(Malformed)
    }
}

/// A frame as a relay understands it.
#[derive(Debug, PartialEq, Eq)]
pub enum ToRelay<'a> {
    /// HELLO
    Hello {
        /// The client's card.
        card: &'a [u8],
        /// How many counted frames it has received.
        received: u64,
        /// The signature over [`Challenge::possession`].
        proof: &'a [u8],
    },
    /// SEND
    Send(Send),
    /// REKEY: a card.
    Rekey(&'a [u8]),
    /// STATEMENT
    State(State<'a>),
    /// LEAVE
    Leave,
    /// PING
    Ping,
    /// ACK
    Ack(u64),
}

/// A message, or the part of it that fits into a frame, on its way through the relay. Ranges are
/// into the frame, so that its bytes can be passed on without being copied.
#[derive(Debug, PartialEq, Eq)]
pub struct Send {
    /// The header.
    pub header: Range<usize>,
    /// The fields `header` and `signature`, which DELIVER begins with.
    pub signed: Range<usize>,
    /// Whether nothing more of the message follows.
    pub last: bool,
    /// The ciphertexts.
    pub parcels: Vec<Parcel>,
}

/// A statement on its way through the relay.
#[derive(Debug, PartialEq, Eq)]
pub struct State<'a> {
    /// The statement.
    pub statement: &'a [u8],
    /// The fields `statement` and `signature`, which are passed on.
    pub signed: Range<usize>,
    /// Whom it is for; everybody if there are none.
    pub to: Vec<SessionId>,
}

/// One reader's ciphertext.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parcel {
    /// The reader.
    pub to: SessionId,
    /// The field `ciphertext`, which DELIVER ends with.
    pub ciphertext: Range<usize>,
}

impl<'a> ToRelay<'a> {
    /// Reads a frame: type and fields.
    ///
    /// # Errors
    /// Where the type is not a client's, or the fields are not the type's.
    pub fn parse(frame: &'a [u8]) -> Result<Self, Malformed> {
        let mut fields = Decoder::new(frame);
        let parsed = match fields.byte()? {
            kind::HELLO => Self::Hello {
                card: fields.string()?,
                received: fields.u64()?,
                proof: fields.string()?,
            },
            kind::SEND => {
                let start = fields.position();
                let header = fields.string()?.len();
                let header = fields.position() - header..fields.position();
                fields.string()?;
                let signed = start..fields.position();
                let last = fields.boolean()?;
                let count = fields.count(32 + 4)?;
                let mut parcels = Vec::with_capacity(count);
                for _ in 0..count {
                    let to = SessionId(fields.bytes()?);
                    let start = fields.position();
                    fields.string()?;
                    let ciphertext = start..fields.position();
                    parcels.push(Parcel { to, ciphertext });
                }
                Self::Send(Send {
                    header,
                    signed,
                    last,
                    parcels,
                })
            }
            kind::REKEY => Self::Rekey(fields.string()?),
            kind::STATEMENT => {
                let start = fields.position();
                let statement = fields.string()?;
                fields.string()?;
                let signed = start..fields.position();
                let to = (0..fields.count(32)?)
                    .map(|_| fields.bytes().map(SessionId))
                    .collect::<Result<_, _>>()?;
                Self::State(State {
                    statement,
                    signed,
                    to,
                })
            }
            kind::LEAVE => Self::Leave,
            kind::PING => Self::Ping,
            kind::ACK => Self::Ack(fields.u64()?),
            _ => return Err(Malformed),
        };
        fields.finish()?;
        Ok(parsed)
    }
}

/// What a relay says to a client that it lets in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Welcome {
    /// The epoch of this member's own joining.
    pub epoch: u64,
    /// Whether an earlier connection goes on.
    pub resumed: bool,
    /// How many counted frames the relay has received.
    pub received: u64,
    /// How many MEMBER frames follow.
    pub members: u32,
}

/// A frame as a client understands it.
#[derive(Debug, PartialEq, Eq)]
pub enum ToClient<'a> {
    /// CHALLENGE
    Challenge(Challenge, Limits),
    /// WELCOME
    Welcome(Welcome),
    /// MEMBER: a card.
    Member(&'a [u8]),
    /// DELIVER
    Deliver {
        /// The header.
        header: &'a [u8],
        /// Its signature.
        signature: &'a [u8],
        /// The ciphertext for this client.
        ciphertext: &'a [u8],
    },
    /// JOINED
    Joined {
        /// The new epoch.
        epoch: u64,
        /// The new member's card.
        card: &'a [u8],
    },
    /// REKEYED
    Rekeyed {
        /// The new epoch.
        epoch: u64,
        /// The card that takes the place of the member's card before.
        card: &'a [u8],
    },
    /// STATEMENT
    Statement {
        /// The statement.
        statement: &'a [u8],
        /// Its signature.
        signature: &'a [u8],
    },
    /// LEFT
    Left {
        /// The new epoch.
        epoch: u64,
        /// Who left.
        sid: SessionId,
        /// Why.
        departure: Departure,
    },
    /// PING
    Ping,
    /// ACK
    Ack(u64),
    /// NOTICE: its code.
    Notice(u8),
}

impl<'a> ToClient<'a> {
    /// Reads a frame: type and fields.
    ///
    /// # Errors
    /// Where the type is not a relay's, or the fields are not the type's.
    pub fn parse(frame: &'a [u8]) -> Result<Self, Malformed> {
        let mut fields = Decoder::new(frame);
        let parsed = match fields.byte()? {
            kind::CHALLENGE => Self::Challenge(
                Challenge {
                    nonce: fields.bytes()?,
                    run: RunId(fields.bytes()?),
                },
                Limits {
                    idle: fields.u32()?,
                    grace: fields.u32()?,
                    members: fields.u32()?,
                    blocks: fields.u32()?,
                    bytes: fields.u32()?,
                },
            ),
            kind::WELCOME => Self::Welcome(Welcome {
                epoch: fields.u64()?,
                resumed: fields.boolean()?,
                received: fields.u64()?,
                members: fields.u32()?,
            }),
            kind::MEMBER => Self::Member(fields.string()?),
            kind::DELIVER => Self::Deliver {
                header: fields.string()?,
                signature: fields.string()?,
                ciphertext: fields.string()?,
            },
            kind::JOINED => Self::Joined {
                epoch: fields.u64()?,
                card: fields.string()?,
            },
            kind::REKEYED => Self::Rekeyed {
                epoch: fields.u64()?,
                card: fields.string()?,
            },
            kind::STATEMENT => Self::Statement {
                statement: fields.string()?,
                signature: fields.string()?,
            },
            kind::LEFT => Self::Left {
                epoch: fields.u64()?,
                sid: SessionId(fields.bytes()?),
                departure: Departure::from_code(fields.byte()?)?,
            },
            kind::PING => Self::Ping,
            kind::ACK => Self::Ack(fields.u64()?),
            kind::NOTICE => Self::Notice(fields.byte()?),
            _ => return Err(Malformed),
        };
        fields.finish()?;
        Ok(parsed)
    }
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
            .count(1 + self.fields.len())
            .byte(self.kind)
            .bytes(&self.fields)
            .finish()
    }

    /// CHALLENGE
    #[must_use]
    pub fn challenge(challenge: &Challenge, limits: &Limits) -> Self {
        let fields = Encoder::default()
            .bytes(&challenge.nonce)
            .bytes(&challenge.run.0)
            .u32(limits.idle)
            .u32(limits.grace)
            .u32(limits.members)
            .u32(limits.blocks)
            .u32(limits.bytes);
        Self::new(kind::CHALLENGE, fields)
    }

    /// HELLO
    #[must_use]
    pub fn hello(card: &[u8], received: u64, proof: &[u8]) -> Self {
        let fields = Encoder::default().string(card).u64(received).string(proof);
        Self::new(kind::HELLO, fields)
    }

    /// WELCOME, for a member that does not resume.
    #[must_use]
    pub fn welcome(epoch: u64, members: usize) -> Self {
        let fields = Encoder::default()
            .u64(epoch)
            .boolean(false)
            .u64(0)
            .count(members);
        Self::new(kind::WELCOME, fields)
    }

    /// MEMBER
    #[must_use]
    pub fn member(card: &[u8]) -> Self {
        Self::new(kind::MEMBER, Encoder::default().string(card))
    }

    /// SEND
    #[must_use]
    pub fn send(
        header: &[u8],
        signature: &[u8],
        last: bool,
        parcels: &[(SessionId, Vec<u8>)],
    ) -> Self {
        let mut fields = Encoder::default()
            .string(header)
            .string(signature)
            .boolean(last)
            .count(parcels.len());
        for (to, ciphertext) in parcels {
            fields = fields.bytes(&to.0).string(ciphertext);
        }
        Self::new(kind::SEND, fields)
    }

    /// JOINED
    #[must_use]
    pub fn joined(epoch: u64, card: &[u8]) -> Self {
        Self::new(kind::JOINED, Encoder::default().u64(epoch).string(card))
    }

    /// LEFT
    #[must_use]
    pub fn left(epoch: u64, sid: SessionId, departure: Departure) -> Self {
        let fields = Encoder::default()
            .u64(epoch)
            .bytes(&sid.0)
            .byte(departure.code());
        Self::new(kind::LEFT, fields)
    }

    /// REKEY
    #[must_use]
    pub fn rekey(card: &[u8]) -> Self {
        Self::new(kind::REKEY, Encoder::default().string(card))
    }

    /// REKEYED
    #[must_use]
    pub fn rekeyed(epoch: u64, card: &[u8]) -> Self {
        Self::new(kind::REKEYED, Encoder::default().u64(epoch).string(card))
    }

    /// STATEMENT, as a client sends it.
    #[must_use]
    pub fn state(statement: &[u8], signature: &[u8], to: &[SessionId]) -> Self {
        let mut fields = Encoder::default()
            .string(statement)
            .string(signature)
            .count(to.len());
        for sid in to {
            fields = fields.bytes(&sid.0);
        }
        Self::new(kind::STATEMENT, fields)
    }

    /// LEAVE
    #[must_use]
    pub fn leave() -> Self {
        Self::new(kind::LEAVE, Encoder::default())
    }

    /// PING
    #[must_use]
    pub fn ping() -> Self {
        Self::new(kind::PING, Encoder::default())
    }

    /// ACK
    #[must_use]
    pub fn ack(count: u64) -> Self {
        Self::new(kind::ACK, Encoder::default().u64(count))
    }

    /// NOTICE
    #[must_use]
    pub fn notice(code: u8) -> Self {
        Self::new(kind::NOTICE, Encoder::default().byte(code))
    }
}
