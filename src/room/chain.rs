//! The chain of a room's entries, and what members sign of how far they have come in it
//! (PROTOCOL §5).

use sha2::{Digest as _, Sha256};

use crate::cipher::encoding::{Decoder, Digest, Encoder, Malformed};

use super::names::{RoomId, RunId, SessionId};
use super::numbers::Ranges;

/// How many of the latest positions of the chain members remember. What a claim says of an older one
/// cannot be compared.
pub(super) const REMEMBERED: usize = 65_536;

/// What kind of entry stands at a position of the chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EntryKind {
    /// Somebody came: its card.
    Joined,
    /// The relay took somebody out: its session id and the reason.
    Left,
    /// Somebody has another session key, and perhaps another nick: its card.
    Rekeyed,
    /// A message to the room: its header and signature.
    Message,
    /// A statement to all: it and its signature.
    Statement,
    /// A statement that takes its signer out of the room: it and its signature.
    Goodbye,
    /// The relay says that a member has no connection: [`Absence`](super::frame::Absence).
    Asleep,
    /// The relay says that it has one again: its session id.
    Awake,
    /// What a later version of the protocol has.
    Unknown(u8),
}

impl EntryKind {
    /// The kind's number on the wire.
    #[must_use]
    pub fn code(self) -> u8 {
        match self {
            Self::Joined => 0,
            Self::Left => 1,
            Self::Rekeyed => 2,
            Self::Message => 3,
            Self::Statement => 4,
            Self::Goodbye => 5,
            Self::Asleep => 6,
            Self::Awake => 7,
            Self::Unknown(code) => code,
        }
    }

    /// The kind with this number.
    #[must_use]
    pub fn from_code(code: u8) -> Self {
        match code {
            0 => Self::Joined,
            1 => Self::Left,
            2 => Self::Rekeyed,
            3 => Self::Message,
            4 => Self::Statement,
            5 => Self::Goodbye,
            6 => Self::Asleep,
            7 => Self::Awake,
            code => Self::Unknown(code),
        }
    }
}

/// A place in a room's chain: how many entries lead to it, and the digest over all of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Link {
    /// The position: 0 before a run's first entry.
    pub position: u64,
    /// T(position).
    pub digest: Digest,
}

impl Link {
    /// Where a room begins, above every position that a room of this run has had.
    #[must_use]
    pub fn start(run: RunId, room: RoomId, position: u64) -> Self {
        let digest = Encoder::tagged("e2echat/2 chain")
            .bytes(&run.0)
            .bytes(&room.0)
            .u64(position)
            .digest();
        Self { position, digest }
    }

    /// The place after an entry, of which `entry` is the [digest](entry_digest).
    #[must_use]
    pub fn then(&self, kind: EntryKind, entry: &Digest) -> Self {
        let digest = Encoder::tagged("e2echat/2 entry")
            .bytes(&self.digest)
            .byte(kind.code())
            .bytes(entry)
            .digest();
        Self {
            position: self.position + 1,
            digest,
        }
    }
}

/// The digest of an entry's bytes, as they are on the wire.
#[must_use]
pub fn entry_digest(entry: &[u8]) -> Digest {
    Sha256::digest(entry).into()
}

/// The bytes of an entry that somebody signed: what it says, and the signature.
#[must_use]
pub fn signed_entry(signed: &[u8], signature: &[u8]) -> Vec<u8> {
    Encoder::default().string(signed).string(signature).finish()
}

/// The digest over a whole roster, in ascending order.
#[must_use]
pub fn roster_digest(roster: &[SessionId]) -> Digest {
    let mut digest = Encoder::tagged("e2echat/2 roster").count(roster.len());
    for sid in roster {
        digest = digest.bytes(&sid.0);
    }
    digest.digest()
}

/// What a signer has taken in: opened or refused, and handed to the display.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim {
    /// The relay's run.
    pub run: RunId,
    /// The place of the last entry.
    pub link: Link,
    /// The digest of the roster there.
    pub roster: Digest,
    /// The positions of messages that it did not open, since its claim before. If these would be too
    /// many ranges, what is between two of them is listed as well.
    pub unread: Ranges,
}

impl Claim {
    /// Adds its fields to a structure.
    #[must_use]
    pub fn encode(&self, fields: Encoder) -> Encoder {
        let fields = fields
            .bytes(&self.run.0)
            .u64(self.link.position)
            .bytes(&self.link.digest)
            .bytes(&self.roster);
        self.unread.encode(fields)
    }

    /// Reads one that lists at most so many ranges of positions.
    ///
    /// # Errors
    /// Where it is not of the form that [`Claim::encode`] writes.
    pub fn parse(fields: &mut Decoder<'_>, max_unread: usize) -> Result<Self, Malformed> {
        let run = RunId(fields.bytes()?);
        let link = Link {
            position: fields.u64()?,
            digest: fields.bytes()?,
        };
        let roster = fields.bytes()?;
        let unread = Ranges::parse(fields, max_unread)?;
        if unread.last() > Some(link.position) {
            return Err(Malformed);
        }
        Ok(Self {
            run,
            link,
            roster,
            unread,
        })
    }
}
