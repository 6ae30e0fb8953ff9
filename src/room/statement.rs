//! Statements: what a member says, signed and readable by all, of how far it has come; and, to one
//! member alone, which of that one's messages it has had (PROTOCOL §10).

use crate::cipher::encoding::{Decoder, Encoder, Malformed};

use super::Time;
use super::card::SessionId;
use super::chain::Claim;
use super::message::Stream;
use super::names::RoomId;
use super::numbers::{Had, MAX_RANGES};

const TAG: &str = "e2echat/2 statement";

/// What a statement is made for (PROTOCOL §10).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Occasion {
    /// A beacon: sent now and then. A receipt has it too.
    Beacon,
    /// A goodbye: its sender leaves, and this is the last that it says.
    Goodbye,
    /// What a later version of the protocol has.
    Unknown(u8),
}

impl Occasion {
    fn code(self) -> u8 {
        match self {
            Self::Beacon => 0,
            Self::Goodbye => 1,
            Self::Unknown(code) => code,
        }
    }

    fn from_code(code: u8) -> Self {
        match code {
            0 => Self::Beacon,
            1 => Self::Goodbye,
            code => Self::Unknown(code),
        }
    }
}

/// Which messages of one member another one has had.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// Of those to it alone.
    pub direct: Had,
    /// Of those to the room, if late copies have come.
    pub room: Option<Had>,
}

/// Whom a statement is for, and what for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// To all.
    ToAll(Occasion),
    /// To this member.
    Receipt(SessionId, Receipt),
}

/// A statement (PROTOCOL §10).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Statement {
    /// The room.
    pub room: RoomId,
    /// The member that makes it.
    pub sender: SessionId,
    /// When it was made, by the sender's clock.
    pub time: Time,
    /// The number of the sender's next message to the room; below `u64::MAX`.
    pub next: u64,
    /// What the sender has taken in.
    pub claim: Claim,
    /// What it is for.
    pub purpose: Purpose,
}

impl Statement {
    /// The statement's bytes, which are signed.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let (stream, occasion, receipt) = match &self.purpose {
            Purpose::ToAll(occasion) => (Stream::Room, *occasion, Vec::new()),
            Purpose::Receipt(author, receipt) => {
                let fields = receipt.direct.encode(Encoder::default());
                let fields = fields.boolean(receipt.room.is_some());
                let fields = match &receipt.room {
                    Some(room) => room.encode(fields),
                    None => fields,
                };
                (Stream::Direct(*author), Occasion::Beacon, fields.finish())
            }
        };
        let fields = Encoder::tagged(TAG)
            .bytes(&self.room.0)
            .bytes(&self.sender.0)
            .string(stream.bytes())
            .u64(self.time)
            .byte(occasion.code())
            .u64(self.next);
        self.claim.encode(fields).string(&receipt).finish()
    }

    /// Reads a statement. Who signed it is not known yet.
    ///
    /// # Errors
    /// Where it is not of the form that [`Statement::encode`] writes.
    pub fn parse(bytes: &[u8]) -> Result<Self, Malformed> {
        let mut fields = Decoder::new(bytes);
        fields.tag(TAG)?;
        let room = RoomId(fields.bytes()?);
        let sender = SessionId(fields.bytes()?);
        let stream = Stream::parse(fields.string()?)?;
        let time = fields.u64()?;
        let occasion = Occasion::from_code(fields.byte()?);
        let next = fields.u64()?;
        let claim = Claim::parse(&mut fields, MAX_RANGES)?;
        let receipt = fields.string()?;
        fields.finish()?;
        let purpose = match stream {
            Stream::Room if receipt.is_empty() => Purpose::ToAll(occasion),
            Stream::Direct(author) if occasion == Occasion::Beacon => {
                Purpose::Receipt(author, parse_receipt(receipt)?)
            }
            Stream::Room | Stream::Direct(_) => return Err(Malformed),
        };
        if next == u64::MAX {
            return Err(Malformed);
        }
        Ok(Self {
            room,
            sender,
            time,
            next,
            claim,
            purpose,
        })
    }
}

fn parse_receipt(bytes: &[u8]) -> Result<Receipt, Malformed> {
    let mut fields = Decoder::new(bytes);
    let direct = Had::parse(&mut fields)?;
    let room = if fields.boolean()? {
        Some(Had::parse(&mut fields)?)
    } else {
        None
    };
    fields.finish()?;
    Ok(Receipt { direct, room })
}
