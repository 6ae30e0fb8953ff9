//! Why a member is no longer there, and the entry with which a relay takes somebody out.

use crate::cipher::encoding::{Decoder, Encoder, Malformed};
use crate::room::card::SessionId;

/// Why a member is no longer there: the reason in an entry of kind LEFT (PROTOCOL §8).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Departure {
    /// It said goodbye. That is an entry of its own, and never a reason.
    Left,
    /// Its connection ended without a goodbye: reason 1.
    Lost,
    /// More waited for it than the relay keeps, with or without a connection: reason 2.
    Slow,
    /// It broke the protocol: reason 3.
    Misbehaved,
    /// Nothing was heard from it for too long: reason 4.
    Silent,
}

impl std::fmt::Display for Departure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Left => "left",
            Self::Lost => "lost the connection",
            Self::Slow => "was dropped by the relay: more waited for it than the relay keeps",
            Self::Misbehaved => "was dropped: it broke the protocol",
            Self::Silent => "was dropped by the relay: nothing was heard of it for too long",
        })
    }
}

impl Departure {
    /// Its number in an entry.
    #[must_use]
    pub fn code(self) -> u8 {
        match self {
            Self::Left => 0,
            Self::Lost => 1,
            Self::Slow => 2,
            Self::Misbehaved => 3,
            Self::Silent => 4,
        }
    }

    /// What a relay may say: it never says that somebody left, as that is an entry that is signed.
    fn from_code(code: u8) -> Result<Self, Malformed> {
        [Self::Lost, Self::Slow, Self::Misbehaved, Self::Silent]
            .into_iter()
            .find(|departure| departure.code() == code)
            .ok_or(Malformed)
    }
}

/// The bytes of the entry with which a relay takes somebody out.
#[must_use]
pub fn left_entry(sid: SessionId, departure: Departure) -> Vec<u8> {
    let fields = Encoder::default().bytes(&sid.0).byte(departure.code());
    fields.finish()
}

/// Reads the entry with which the relay takes somebody out.
///
/// # Errors
/// Where it is not of that form, or has a reason that is none of a relay's.
pub fn parse_left(entry: &[u8]) -> Result<(SessionId, Departure), Malformed> {
    let mut fields = Decoder::new(entry);
    let left = (
        SessionId(fields.bytes()?),
        Departure::from_code(fields.byte()?)?,
    );
    fields.finish()?;
    Ok(left)
}
