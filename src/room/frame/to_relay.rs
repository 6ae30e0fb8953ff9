//! What a relay understands of a client's frames.

use std::ops::Range;

use crate::cipher::encoding::{Decoder, Malformed};
use crate::room::card::SessionId;

use super::{Part, kind};

/// A frame as a relay understands it.
#[derive(Debug, PartialEq, Eq)]
pub enum ToRelay<'a> {
    /// HELLO
    Hello {
        /// The client's card.
        card: &'a [u8],
        /// The position of its joining, if it wants to go on where its connection broke.
        resumes: Option<u64>,
        /// How many counted frames it has received since then.
        received: u64,
        /// The signature over [`Challenge::possession`](super::Challenge::possession).
        proof: &'a [u8],
    },
    /// SEND
    Send(SendFrame),
    /// REKEY: a card.
    Rekey(&'a [u8]),
    /// STATEMENT
    Statement(StatementFrame<'a>),
    /// PING
    Ping,
    /// ACK
    Ack(u64),
}

/// A message, or the part of it that fits into a frame, on its way through the relay. Ranges are
/// into the frame, so that its bytes can be passed on without being copied.
#[derive(Debug, PartialEq, Eq)]
pub struct SendFrame {
    /// The header.
    pub header: Range<usize>,
    /// The fields `header` and `signature`: the bytes of an entry, and the first fields of DELIVER.
    pub signed: Range<usize>,
    /// Which frame of the message it is.
    pub part: Part,
    /// The ciphertexts.
    pub parcels: Vec<Parcel>,
}

/// A statement on its way through the relay.
#[derive(Debug, PartialEq, Eq)]
pub struct StatementFrame<'a> {
    /// The statement.
    pub statement: &'a [u8],
    /// Its signature.
    pub signature: &'a [u8],
    /// The fields `statement` and `signature`, which are passed on.
    pub signed: Range<usize>,
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
                resumes: Some(fields.u64()?).filter(|joined| *joined > 0),
                received: fields.u64()?,
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
