//! The frames that a relay sends, as a client reads them.

use crate::cipher::encoding::{Decoder, Digest, Malformed};
use crate::room::chain::{EntryKind, Link};
use crate::room::names::RunId;

use super::absence::Absence;
use super::fields::{Challenge, RelayLimits};
use super::kind;

/// What WELCOME says (PROTOCOL §7).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Welcome {
    /// The place of the chain before this member's own joining; of no meaning if it resumes.
    pub before: Link,
    /// Whether the member resumes.
    pub resumed: bool,
    /// How many counted frames the relay has taken from the member; 0 if it joins.
    pub received: u64,
    /// How many MEMBER frames follow.
    pub members: u32,
    /// For how many seconds the relay keeps this member's place when the connection breaks.
    pub grace: u32,
}

/// What somebody signed, and the signature: the bytes of a header or a statement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Signed<'a> {
    /// What is signed.
    pub bytes: &'a [u8],
    /// The signature.
    pub signature: &'a [u8],
}

impl<'a> Signed<'a> {
    fn read(fields: &mut Decoder<'a>) -> Result<Self, Malformed> {
        Ok(Self {
            bytes: fields.string()?,
            signature: fields.string()?,
        })
    }

    /// Reads the entry that it makes.
    ///
    /// # Errors
    /// Where that is of another form.
    pub fn parse(entry: &'a [u8]) -> Result<Self, Malformed> {
        let mut fields = Decoder::new(entry);
        let signed = Self::read(&mut fields)?;
        fields.finish()?;
        Ok(signed)
    }
}

/// The most entries for which one frame PASSED stands (PROTOCOL §8).
pub const MAX_PASSED: usize = 4096;

fn read_passed(fields: &mut Decoder<'_>) -> Result<Vec<Digest>, Malformed> {
    let count = fields.count(size_of::<Digest>())?;
    if count == 0 || count > MAX_PASSED {
        return Err(Malformed);
    }
    (0..count).map(|_| fields.bytes()).collect()
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
    /// ABSENT: the member whose card comes next has no connection.
    Absent(Absence),
    /// ENTRY
    Entry {
        /// What kind of entry it is.
        kind: EntryKind,
        /// Its bytes.
        entry: &'a [u8],
        /// The ciphertext for this client, if it is a message.
        ciphertext: &'a [u8],
    },
    /// OWN
    Own,
    /// DELIVER: a message for this client alone.
    Deliver(Signed<'a>, &'a [u8]),
    /// RECEIPT
    Receipt(Signed<'a>),
    /// PASSED: statements to all, by the digests of their entries.
    Passed(Vec<Digest>),
    /// REFUSED: a notice's code.
    Refused(u8),
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
                    members: fields.u32()?,
                    blocks: fields.u32()?,
                    bytes: fields.u32()?,
                },
            ),
            kind::WELCOME => Self::Welcome(Welcome {
                before: Link {
                    position: fields.u64()?,
                    digest: fields.bytes()?,
                },
                resumed: fields.boolean()?,
                received: fields.u64()?,
                members: fields.u32()?,
                grace: fields.u32()?,
            }),
            kind::MEMBER => Self::Member(fields.string()?),
            kind::ABSENT => Self::Absent(Absence::read(&mut fields)?),
            kind::ENTRY => Self::Entry {
                kind: EntryKind::from_code(fields.byte()?),
                entry: fields.string()?,
                ciphertext: fields.string()?,
            },
            kind::OWN => Self::Own,
            kind::DELIVER => Self::Deliver(Signed::read(&mut fields)?, fields.string()?),
            kind::RECEIPT => Self::Receipt(Signed::read(&mut fields)?),
            kind::PASSED => Self::Passed(read_passed(&mut fields)?),
            kind::REFUSED => Self::Refused(fields.byte()?),
            kind::PING => Self::Ping,
            kind::ACK => Self::Ack(fields.u64()?),
            kind::NOTICE => Self::Notice(fields.byte()?),
            _ => return Err(Malformed),
        };
        fields.finish()?;
        Ok(parsed)
    }
}
