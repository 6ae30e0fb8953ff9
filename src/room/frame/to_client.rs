//! What a client understands of a relay's frames.

use crate::cipher::encoding::{Decoder, Malformed};
use crate::room::card::SessionId;

use super::{Challenge, Departure, RelayLimits, RunId, kind};

/// What a relay says to a client that it lets in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Welcome {
    /// The epoch of this member's own joining; 0 if it resumes.
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
    Challenge(Challenge, RelayLimits),
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
