//! The frames that a relay sends, as a client reads them.

use crate::cipher::encoding::{Decoder, Malformed};
use crate::room::card::SessionId;

use super::{Challenge, Departure, RelayLimits, RunId, kind};

/// What WELCOME says (PROTOCOL §7).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Welcome {
    /// The epoch that this member's own joining made; 0 if it resumes.
    pub epoch: u64,
    /// Whether the member resumes.
    pub resumed: bool,
    /// How many counted frames the relay has taken from the member; 0 if it joins.
    pub received: u64,
    /// How many MEMBER frames follow.
    pub members: u32,
}

/// A frame from a relay. Fields that are not parsed further are slices of the frame.
#[derive(Debug, PartialEq, Eq)]
pub enum ToClient<'a> {
    /// CHALLENGE: the handshake's random bytes and the relay's limits.
    Challenge(Challenge, RelayLimits),
    /// WELCOME: the member is in the room.
    Welcome(Welcome),
    /// MEMBER: a card.
    Member(&'a [u8]),
    /// DELIVER: a message.
    Deliver {
        /// The header.
        header: &'a [u8],
        /// Its signature.
        signature: &'a [u8],
        /// The ciphertext for this client; empty if the client was left out or is the sender.
        ciphertext: &'a [u8],
    },
    /// JOINED: somebody has come.
    Joined {
        /// The new epoch.
        epoch: u64,
        /// The new member's card.
        card: &'a [u8],
    },
    /// REKEYED: a member goes on with another card.
    Rekeyed {
        /// The new epoch.
        epoch: u64,
        /// The card that takes the place of the member's card before.
        card: &'a [u8],
    },
    /// STATEMENT: what a member states.
    Statement {
        /// The statement.
        statement: &'a [u8],
        /// Its signature.
        signature: &'a [u8],
    },
    /// LEFT: a member has gone.
    Left {
        /// The new epoch.
        epoch: u64,
        /// Who left.
        sid: SessionId,
        /// Why it left.
        departure: Departure,
    },
    /// PING: the relay asks for an ACK.
    Ping,
    /// ACK: how many counted frames the relay has taken.
    Ack(u64),
    /// NOTICE: its code.
    Notice(u8),
}

impl<'a> ToClient<'a> {
    /// Reads a frame: its type and fields, without the length.
    ///
    /// # Errors
    /// Where the type is not one that a relay sends, or the fields are not those of the type.
    pub fn parse(frame: &'a [u8]) -> Result<Self, Malformed> {
        let mut fields = Decoder::new(frame);
        let parsed = match fields.byte()? {
            kind::CHALLENGE => Self::Challenge(
                Challenge {
                    nonce: fields.bytes()?,
                    run: RunId(fields.bytes()?),
                },
                RelayLimits {
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
