//! Fields of frames that both sides write and read.

use crate::cipher::encoding::{Encoder, Malformed};
use crate::room::card::SessionId;
use crate::room::names::RunId;

/// The challenge of a handshake (PROTOCOL §7).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Challenge {
    /// The random bytes, fresh for each connection.
    pub nonce: [u8; 32],
    /// The relay's run.
    pub run: RunId,
}

impl Challenge {
    /// The bytes that an identity signs to prove that it is there. `received` is that of HELLO.
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

/// The limits that a relay tells its clients in CHALLENGE (PROTOCOL §7).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RelayLimits {
    /// Seconds without a byte after which a connection is taken for dead.
    pub idle: u32,
    /// The most members in a room.
    pub members: u32,
    /// The most blocks of 256 bytes a second from one member; 0 for any number.
    pub blocks: u32,
    /// The most bytes a second from one member; 0 for any number.
    pub bytes: u32,
}

/// Which frame of a message a SEND is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// Others follow.
    More,
    /// The last one.
    Last,
    /// The only one of a late copy, which is no entry: its readers have entered anew.
    Again,
}

impl Part {
    pub(super) fn flags(self) -> u8 {
        match self {
            Self::More => 0,
            Self::Last => 1,
            Self::Again => 3,
        }
    }

    pub(super) fn from_flags(flags: u8) -> Result<Self, Malformed> {
        match flags {
            0 => Ok(Self::More),
            1 => Ok(Self::Last),
            3 => Ok(Self::Again),
            _ => Err(Malformed),
        }
    }
}
