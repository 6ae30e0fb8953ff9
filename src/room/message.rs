//! Messages: the signed header, and sealing and opening in the order of PROTOCOL §5.

use sha2::{Digest as _, Sha256};

use crate::cipher::encoding::{Decoder, Digest, Encoder, Malformed};
use crate::cipher::keys::{IdentityKey, PublicKey, SessionKey};
use crate::cipher::seal::{self, Body, CannotOpen, Recipient};

use super::Time;
use super::card::SessionId;
use super::frame::{Frame, MAX_FRAME, RunId};
use super::names::RoomId;

const TAG: &str = "e2echat/1 message";

/// The longest header that is sent, in bytes: it goes into each frame of its message, beside
/// parcels.
const MAX_HEADER: usize = MAX_FRAME / 2;

/// The stream of messages that a message belongs to: its sequence numbers count there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stream {
    /// Those to the room.
    Room,
    /// Those to one member.
    Direct(SessionId),
}

/// What the text of a message is (PROTOCOL §5, Body).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// What the sender says.
    Text,
    /// What the sender does, in the third person.
    Action,
    /// Why the sender is not at the keyboard.
    Away,
    /// That the sender is back at the keyboard; the text is not shown.
    Back,
}

impl Kind {
    /// The kind's number in a body.
    #[must_use]
    pub fn code(self) -> u8 {
        match self {
            Self::Text => 0,
            Self::Action => 1,
            Self::Away => 2,
            Self::Back => 3,
        }
    }

    /// The kind with this number, or `None` where this version knows none.
    #[must_use]
    pub fn from_code(code: u8) -> Option<Self> {
        match code {
            0 => Some(Self::Text),
            1 => Some(Self::Action),
            2 => Some(Self::Away),
            3 => Some(Self::Back),
            _ => None,
        }
    }
}

/// The part of a message that the relay sees and the sender signs. Its fields are the rows of the
/// table in PROTOCOL §5, in that order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    /// The room.
    pub room: RoomId,
    /// Who wrote it.
    pub sender: SessionId,
    /// The relay's run that the sender was connected to.
    pub run: RunId,
    /// The last version of the roster that the sender had seen.
    pub epoch: u64,
    /// The stream that it belongs to.
    pub stream: Stream,
    /// Its number in that stream, from 0; below `u64::MAX`.
    pub sequence: u64,
    /// When it was written, by the sender's clock.
    pub time: Time,
    /// The members left out on purpose, ascending.
    pub left_out: Vec<SessionId>,
    /// The audience digest: see [`audience_digest`].
    pub audience: Digest,
    /// How many messages to the room of this epoch had come to the sender, its own included.
    pub seen: u64,
    /// The parent digest: what [`parent_digest`] made of those messages.
    pub parent: Digest,
    /// The commitment to the body: see [`Body::commitment`].
    pub commitment: Digest,
}

impl Header {
    /// The header's bytes, which are signed.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let stream: &[u8] = match &self.stream {
            Stream::Room => &[],
            Stream::Direct(reader) => &reader.0,
        };
        let mut header = Encoder::tagged(TAG)
            .bytes(&self.room.0)
            .bytes(&self.sender.0)
            .bytes(&self.run.0)
            .u64(self.epoch)
            .string(stream)
            .u64(self.sequence)
            .u64(self.time)
            .count(self.left_out.len());
        for sid in &self.left_out {
            header = header.bytes(&sid.0);
        }
        header
            .bytes(&self.audience)
            .u64(self.seen)
            .bytes(&self.parent)
            .bytes(&self.commitment)
            .finish()
    }

    /// Whether the header is short enough to be sent. It is not if it leaves thousands of members
    /// out.
    #[must_use]
    pub fn fits(&self) -> bool {
        self.encode().len() <= MAX_HEADER
    }

    /// Reads a header. Who signed it is not known yet.
    ///
    /// # Errors
    /// Where it is not of the form that [`Header::encode`] writes.
    pub fn parse(bytes: &[u8]) -> Result<Self, Malformed> {
        let mut fields = Decoder::new(bytes);
        fields.tag(TAG)?;
        let header = Self {
            room: RoomId(fields.bytes()?),
            sender: SessionId(fields.bytes()?),
            run: RunId(fields.bytes()?),
            epoch: fields.u64()?,
            stream: match fields.string()? {
                [] => Stream::Room,
                reader => Stream::Direct(SessionId(reader.try_into().map_err(|_| Malformed)?)),
            },
            sequence: fields.u64()?,
            time: fields.u64()?,
            left_out: (0..fields.count(32)?)
                .map(|_| fields.bytes().map(SessionId))
                .collect::<Result<_, _>>()?,
            audience: fields.bytes()?,
            seen: fields.u64()?,
            parent: fields.bytes()?,
            commitment: fields.bytes()?,
        };
        fields.finish()?;
        // A sequence number has a next one, so `u64::MAX` is none.
        if header.sequence == u64::MAX || !header.left_out.is_sorted_by(|a, b| a < b) {
            return Err(Malformed);
        }
        Ok(header)
    }
}

/// The audience digest: over all who can read a message, ascending (PROTOCOL §5).
#[must_use]
pub fn audience_digest(audience: &[SessionId]) -> Digest {
    let mut digest = Encoder::tagged("e2echat/1 audience").count(audience.len());
    for sid in audience {
        digest = digest.bytes(&sid.0);
    }
    digest.digest()
}

/// The next digest in an epoch's chain, after `parent`, for the message with this header (PROTOCOL
/// §5).
#[must_use]
pub fn parent_digest(parent: &Digest, header: &[u8]) -> Digest {
    Encoder::tagged("e2echat/1 parent")
        .bytes(parent)
        .string(header)
        .digest()
}

/// SHA-256 of a header: by it, headers are told apart.
#[must_use]
pub fn header_digest(header: &[u8]) -> Digest {
    Sha256::digest(header).into()
}

/// A message as it leaves its sender.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SealedMessage {
    /// The header's bytes.
    pub header: Vec<u8>,
    /// The sender's signature of them.
    pub signature: Vec<u8>,
    /// Each reader's ciphertext, or nothing for a member that gets the header alone.
    pub parcels: Vec<(SessionId, Vec<u8>)>,
}

impl SealedMessage {
    /// Signs `header` and encrypts `body` for `readers`, who are the audience without the sender.
    /// The members in `informed` get the header alone. The header's commitment must be that of
    /// `body`.
    #[must_use]
    pub fn seal(
        header: &Header,
        body: &Body,
        identity: &IdentityKey,
        readers: &[(SessionId, &PublicKey)],
        informed: &[SessionId],
    ) -> Self {
        let header = header.encode();
        let signature = identity.sign(&header);
        let keys: Vec<Recipient<'_>> = readers
            .iter()
            .map(|(sid, key)| Recipient { id: &sid.0, key })
            .collect();
        let ciphertexts = seal::seal(&header, body, &keys);
        let sealed = readers.iter().map(|(sid, _)| *sid).zip(ciphertexts);
        let empty = informed.iter().map(|sid| (*sid, Vec::new()));
        Self {
            parcels: sealed.chain(empty).collect(),
            header,
            signature,
        }
    }

    /// The SEND frames that carry the message: as many as its parcels need, and one if it has none.
    /// The header must be one that [fits](Header::fits).
    #[must_use]
    pub fn frames(&self) -> Vec<Frame> {
        let overhead = 1 + 4 + self.header.len() + 4 + self.signature.len() + 1 + 4;
        // One parcel is far shorter than a frame: at most 22 blocks of 256 bytes, or 10 of 512.
        let space = MAX_FRAME.saturating_sub(overhead);
        let mut parts: Vec<&[(SessionId, Vec<u8>)]> = Vec::new();
        let (mut start, mut used) = (0, 0);
        for (index, (_, ciphertext)) in self.parcels.iter().enumerate() {
            let length = 32 + 4 + ciphertext.len();
            if used + length > space {
                parts.extend(self.parcels.get(start..index));
                (start, used) = (index, 0);
            }
            used += length;
        }
        let last = self.parcels.get(start..).unwrap_or_default();
        let frame = |is_last, parcels| Frame::send(&self.header, &self.signature, is_last, parcels);
        let mut frames: Vec<Frame> = parts.into_iter().map(|part| frame(false, part)).collect();
        frames.push(frame(true, last));
        frames
    }
}

/// Why a message that was received is not shown (PROTOCOL §5, Opening).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OpenError {
    /// The signature is not the sender's.
    Signature,
    /// It was not written for this reader.
    NotForMe,
    /// It came without a ciphertext, and its sender did not leave this reader out.
    NoCiphertext,
    /// The ciphertext does not open, or is not what the sender committed to.
    CannotOpen,
    /// It was encrypted to a session key that has been destroyed since.
    KeyDestroyed,
    /// It opens, and is of a kind that this version does not know.
    Kind,
}

impl std::fmt::Display for OpenError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Signature => "its signature is wrong",
            Self::NotForMe => "it was not written for you",
            Self::NoCiphertext => "it came without its content",
            Self::CannotOpen => "it cannot be opened",
            Self::KeyDestroyed => "it is encrypted to a key of yours that is destroyed already",
            Self::Kind => "it is of a kind that this version does not know",
        })
    }
}

impl From<CannotOpen> for OpenError {
    fn from(_: CannotOpen) -> Self {
        Self::CannotOpen
    }
}

/// What a message with a good signature brings to one reader.
#[derive(PartialEq, Eq)]
pub enum Opened {
    /// A text.
    Text(Kind, String),
    /// Only that there is a text, which the sender kept from this reader.
    LeftOut,
}

/// Checks that the sender signed the header. This cheap check comes before all others (PROTOCOL §5,
/// Opening, 2).
///
/// # Errors
/// [`OpenError::Signature`] where it did not.
pub fn verify(header: &[u8], signature: &[u8], sender: &PublicKey) -> Result<(), OpenError> {
    if sender.verifies(header, signature) {
        Ok(())
    } else {
        Err(OpenError::Signature)
    }
}

/// Opens a message whose header was verified, for the reader `sid`, with the session key that the
/// reader had then; `None` where that key is destroyed (PROTOCOL §11).
///
/// # Errors
/// Where the message is not for this reader, or does not open.
pub fn open(
    header_bytes: &[u8],
    header: &Header,
    sid: SessionId,
    key: Option<&SessionKey>,
    ciphertext: &[u8],
) -> Result<Opened, OpenError> {
    if ciphertext.is_empty() {
        return if header.left_out.contains(&sid) {
            Ok(Opened::LeftOut)
        } else {
            Err(OpenError::NoCiphertext)
        };
    }
    let key = key.ok_or(OpenError::KeyDestroyed)?;
    let body = seal::open(header_bytes, &header.commitment, &sid.0, key, ciphertext)?;
    let kind = Kind::from_code(body.kind()).ok_or(OpenError::Kind)?;
    Ok(Opened::Text(kind, body.into_text()))
}
