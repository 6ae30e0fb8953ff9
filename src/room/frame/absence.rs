//! What a relay says of a member that has no connection.

use crate::cipher::encoding::{Decoder, Encoder, Malformed};
use crate::room::Time;
use crate::room::card::SessionId;

/// What a relay says of a member that has no connection (PROTOCOL §8).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Absence {
    /// The member.
    pub sid: SessionId,
    /// Since when, by the relay's clock.
    pub since: Time,
    /// Until when its place is kept, by the same clock.
    pub until: Time,
}

impl Absence {
    /// The bytes of the entry ASLEEP.
    #[must_use]
    pub fn entry(&self) -> Vec<u8> {
        self.encode().finish()
    }

    pub(super) fn encode(&self) -> Encoder {
        let fields = Encoder::default().bytes(&self.sid.0);
        fields.u64(self.since).u64(self.until)
    }

    /// Reads the entry ASLEEP.
    ///
    /// # Errors
    /// Where it is of another form.
    pub fn parse(entry: &[u8]) -> Result<Self, Malformed> {
        let mut fields = Decoder::new(entry);
        let absence = Self::read(&mut fields)?;
        fields.finish()?;
        Ok(absence)
    }

    pub(super) fn read(fields: &mut Decoder<'_>) -> Result<Self, Malformed> {
        Ok(Self {
            sid: SessionId(fields.bytes()?),
            since: fields.u64()?,
            until: fields.u64()?,
        })
    }
}

/// Reads the entry AWAKE: whom it is about.
///
/// # Errors
/// Where it is not of that form.
pub fn parse_awake(entry: &[u8]) -> Result<SessionId, Malformed> {
    let mut fields = Decoder::new(entry);
    let sid = SessionId(fields.bytes()?);
    fields.finish()?;
    Ok(sid)
}
