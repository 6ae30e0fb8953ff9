//! Statements: what a member says, signed and readable by all, of the room as it sees it and of its
//! own sequence numbers (PROTOCOL §10).

use crate::cipher::encoding::{Decoder, Digest, Encoder, Malformed};

use super::Time;
use super::card::SessionId;
use super::frame::RunId;
use super::names::RoomId;

const TAG: &str = "e2echat/1 statement";

/// The most entries of `past` in a statement.
pub const MAX_PAST: usize = 64;

/// What a statement is made for (PROTOCOL §10).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Occasion {
    /// A beacon: sent now and then, and as a greeting.
    Beacon,
    /// A goodbye: its sender leaves, and this is the last that it says.
    Leave,
}

/// An entry of `told`: where the sender's numbers stand for a member that has joined, or come back,
/// since the sender's last statement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ToldEntry {
    /// The member that it is for.
    pub reader: SessionId,
    /// How many messages to the room the sender has written while that member was in its roster.
    pub total: u64,
}

/// An entry of `direct`: a stream of direct messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DirectEntry {
    /// The session id under which they are sent.
    pub from: SessionId,
    /// The session id that they are sent to.
    pub to: SessionId,
    /// The number of the next one; below `u64::MAX`.
    pub next: u64,
}

/// An entry of `past`: what the sender has seen of an epoch that is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PastEntry {
    /// The epoch.
    pub epoch: u64,
    /// How many messages to the room of that epoch had come to the sender.
    pub seen: u64,
    /// The digest at the end of their chain.
    pub parent: Digest,
}

/// A statement. Its fields are the rows of the table in PROTOCOL §10, in that order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Statement {
    /// The room.
    pub room: RoomId,
    /// The member that makes it.
    pub sender: SessionId,
    /// The relay's run that the sender is connected to.
    pub run: RunId,
    /// The last version of the roster that the sender has seen.
    pub epoch: u64,
    /// The audience digest of that whole roster.
    pub roster: Digest,
    /// How many messages to the room of this epoch had come to the sender.
    pub seen: u64,
    /// The digest at the end of their chain, as in a header.
    pub parent: Digest,
    /// When it was made, by the sender's clock; above that of the sender's statement before.
    pub time: Time,
    /// What it is made for.
    pub occasion: Occasion,
    /// The number of the sender's next message to the room; below `u64::MAX`.
    pub next: u64,
    /// Entries for those to whom it tells the sender's numbers, ascending by session id.
    pub told: Vec<ToldEntry>,
    /// The sender's streams of direct messages to those it is for, ascending.
    pub direct: Vec<DirectEntry>,
    /// The epochs of which the sender has seen more since its last statement to all, ascending; at
    /// most [`MAX_PAST`].
    pub past: Vec<PastEntry>,
    /// SHA-256 of the headers of messages of those it is for that came too late to be opened,
    /// ascending.
    pub unread: Vec<Digest>,
}

impl Statement {
    /// The statement's bytes, which are signed.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut fields = Encoder::tagged(TAG)
            .bytes(&self.room.0)
            .bytes(&self.sender.0)
            .bytes(&self.run.0)
            .u64(self.epoch)
            .bytes(&self.roster)
            .u64(self.seen)
            .bytes(&self.parent)
            .u64(self.time)
            .byte(match self.occasion {
                Occasion::Beacon => 0,
                Occasion::Leave => 1,
            })
            .u64(self.next)
            .count(self.told.len());
        for told in &self.told {
            fields = fields.bytes(&told.reader.0).u64(told.total);
        }
        fields = fields.count(self.direct.len());
        for stream in &self.direct {
            fields = fields
                .bytes(&stream.from.0)
                .bytes(&stream.to.0)
                .u64(stream.next);
        }
        fields = fields.count(self.past.len());
        for past in &self.past {
            fields = fields.u64(past.epoch).u64(past.seen).bytes(&past.parent);
        }
        fields = fields.count(self.unread.len());
        for digest in &self.unread {
            fields = fields.bytes(digest);
        }
        fields.finish()
    }

    /// Reads a statement. Who signed it is not known yet.
    ///
    /// # Errors
    /// Where it is not of the form that [`Statement::encode`] writes, entries are not ascending, or
    /// there are more than [`MAX_PAST`] of `past`.
    pub fn parse(bytes: &[u8]) -> Result<Self, Malformed> {
        let mut fields = Decoder::new(bytes);
        fields.tag(TAG)?;
        let statement = Self {
            room: RoomId(fields.bytes()?),
            sender: SessionId(fields.bytes()?),
            run: RunId(fields.bytes()?),
            epoch: fields.u64()?,
            roster: fields.bytes()?,
            seen: fields.u64()?,
            parent: fields.bytes()?,
            time: fields.u64()?,
            occasion: match fields.byte()? {
                0 => Occasion::Beacon,
                1 => Occasion::Leave,
                _ => return Err(Malformed),
            },
            next: fields.u64()?,
            told: (0..fields.count(32 + 8)?)
                .map(|_| {
                    Ok(ToldEntry {
                        reader: SessionId(fields.bytes()?),
                        total: fields.u64()?,
                    })
                })
                .collect::<Result<_, Malformed>>()?,
            direct: (0..fields.count(32 + 32 + 8)?)
                .map(|_| {
                    Ok(DirectEntry {
                        from: SessionId(fields.bytes()?),
                        to: SessionId(fields.bytes()?),
                        next: fields.u64()?,
                    })
                })
                .collect::<Result<_, Malformed>>()?,
            past: (0..fields.count(8 + 8 + 32)?)
                .map(|_| {
                    Ok(PastEntry {
                        epoch: fields.u64()?,
                        seen: fields.u64()?,
                        parent: fields.bytes()?,
                    })
                })
                .collect::<Result<_, Malformed>>()?,
            unread: (0..fields.count(32)?)
                .map(|_| fields.bytes())
                .collect::<Result<_, Malformed>>()?,
        };
        fields.finish()?;
        let is_sorted = statement.told.is_sorted_by(|a, b| a.reader < b.reader)
            && (statement.direct).is_sorted_by(|a, b| (a.from, a.to) < (b.from, b.to))
            && statement.past.is_sorted_by(|a, b| a.epoch < b.epoch)
            && statement.unread.is_sorted_by(|a, b| a < b);
        // Every reader looks each of them up.
        let is_short = statement.past.len() <= MAX_PAST;
        let numbers = statement.direct.iter().map(|stream| stream.next);
        if !is_sorted || !is_short || numbers.chain([statement.next]).any(|n| n == u64::MAX) {
            return Err(Malformed);
        }
        Ok(statement)
    }

    /// The entry of `told` for this member, if there is one.
    #[must_use]
    pub fn told(&self, reader: SessionId) -> Option<ToldEntry> {
        self.told.iter().copied().find(|told| told.reader == reader)
    }
}
