//! The frames that a client sends, as a relay reads them.

use std::ops::Range;

use crate::cipher::encoding::{Decoder, Malformed};
use crate::room::card::SessionId;

use super::fields::Part;
use super::kind;

/// A frame from a client. Fields that are not parsed further are slices of the frame.
#[derive(Debug, PartialEq, Eq)]
pub enum ToRelay<'a> {
    /// HELLO: the client wants to enter a room.
    Hello {
        /// The client's card.
        card: &'a [u8],
        /// The position at which it joined, if it wants to resume.
        resumes: Option<u64>,
        /// How many counted frames it has received since then.
        received: u64,
        /// How many blocks a second it can open.
        opens: u32,
        /// The signature over [`Challenge::possession`](super::Challenge::possession).
        proof: &'a [u8],
    },
    /// SEND: a message, or a part of one.
    Send(SendFrame),
    /// REKEY: a card.
    Rekey(&'a [u8]),
    /// STATEMENT: what the member states.
    Statement(StatementFrame<'a>),
    /// PING: the client asks for an ACK.
    Ping,
    /// ACK: how many counted frames the client has taken.
    Ack(u64),
}

/// SEND: a message, or the part of one that fits into a frame. Ranges are into the frame, so that
/// its bytes can be passed on without being copied.
#[derive(Debug, PartialEq, Eq)]
pub struct SendFrame {
    /// The header.
    pub header: Range<usize>,
    /// The fields `header` and `signature`: the bytes of an entry, and the first fields of DELIVER.
    pub signed: Range<usize>,
    /// Which frame of the message it is.
    pub part: Part,
    /// The parcels, one for each reader.
    pub parcels: Vec<Parcel>,
}

impl SendFrame {
    /// The signature of the header.
    #[must_use]
    pub fn signature(&self) -> Range<usize> {
        self.header.end + 4..self.signed.end
    }
}

/// STATEMENT: a statement.
#[derive(Debug, PartialEq, Eq)]
pub struct StatementFrame<'a> {
    /// The statement.
    pub statement: &'a [u8],
    /// Its signature.
    pub signature: &'a [u8],
    /// The range of the fields `statement` and `signature` in the frame, which is passed on.
    pub signed: Range<usize>,
}

/// One reader's ciphertext in a SEND.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parcel {
    /// The reader.
    pub to: SessionId,
    /// The range of the field `ciphertext`, its length included, with which DELIVER and ENTRY
    /// end.
    pub ciphertext: Range<usize>,
}

impl<'a> ToRelay<'a> {
    /// Reads a frame: its type and fields, without the length.
    ///
    /// # Errors
    /// Where the type is not one that a client sends, or the fields are not those of the type.
    pub fn parse(frame: &'a [u8]) -> Result<Self, Malformed> {
        let mut fields = Decoder::new(frame);
        let parsed = match fields.byte()? {
            kind::HELLO => Self::Hello {
                card: fields.string()?,
                resumes: Some(fields.u64()?).filter(|joined| *joined > 0),
                received: fields.u64()?,
                opens: fields.u32()?,
                proof: fields.string()?,
            },
            kind::SEND => {
                let start = fields.position();
                let header = fields.string()?.len();
                let header = fields.position() - header..fields.position();
                fields.string()?;
                let signed = start..fields.position();
                let part = Part::from_flags(fields.byte()?)?;
                let count = fields.count(32 + 4)?;
                let mut parcels = Vec::with_capacity(count);
                for _ in 0..count {
                    let to = SessionId(fields.bytes()?);
                    let start = fields.position();
                    fields.string()?;
                    let ciphertext = start..fields.position();
                    parcels.push(Parcel { to, ciphertext });
                }
                Self::Send(SendFrame {
                    header,
                    signed,
                    part,
                    parcels,
                })
            }
            kind::REKEY => Self::Rekey(fields.string()?),
            kind::STATEMENT => {
                let start = fields.position();
                let statement = fields.string()?;
                let signature = fields.string()?;
                let signed = start..fields.position();
                Self::Statement(StatementFrame {
                    statement,
                    signature,
                    signed,
                })
            }
            kind::PING => Self::Ping,
            kind::ACK => Self::Ack(fields.u64()?),
            _ => return Err(Malformed),
        };
        fields.finish()?;
        Ok(parsed)
    }
}
