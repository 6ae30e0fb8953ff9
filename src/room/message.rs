//! Messages: the signed header, and sealing and opening in the order of PROTOCOL §5.

use sha2::{Digest as _, Sha256};

use crate::cipher::encoding::{Decoder, Digest, Encoder, Malformed};
use crate::cipher::keys::{IdentityKey, PublicKey, SessionKey};
use crate::cipher::seal::{self, Body, CannotOpen, Nonce, Recipient};

use super::Time;
use super::card::SessionId;
use super::chain::{Claim, signed_entry};
use super::content::Content;
use super::frame::{Frame, MAX_FRAME, Part};
use super::names::RoomId;
use super::numbers::MAX_RANGES;

pub use super::content::Kind;

const TAG: &str = "e2echat/2 message";

/// The longest signature, in bytes: that of an identity of 4096 bits.
pub(super) const MAX_SIGNATURE: usize = 512;

/// The longest header, in bytes, in a room of whatever size: it goes into each frame of its message,
/// beside parcels.
pub(super) const MAX_HEADER: usize = MAX_FRAME / 2;

/// How many bytes a header to the room has at most beside those whom it leaves out: 4,188 of them are its
/// claim.
const MOST_BESIDE: usize = 4330;

/// The longest header, in bytes, in a room that has so many members at most (PROTOCOL §8). It leaves out
/// each of them at most, for 33 bytes.
#[must_use]
pub(super) fn max_header(members: u32) -> usize {
    let members = usize::try_from(members).unwrap_or(usize::MAX);
    MAX_HEADER.min(members.saturating_mul(33).saturating_add(8192))
}

/// Whether a header can leave out so many in a room that has so many members at most, whatever it claims.
#[must_use]
pub(super) fn can_leave_out(count: usize, members: u32) -> bool {
    let length = count.saturating_mul(33).saturating_add(MOST_BESIDE);
    length <= max_header(members)
}

/// The stream of messages that a message belongs to: its sequence numbers count there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stream {
    /// Those to the room.
    Room,
    /// Those to one member.
    Direct(SessionId),
}

impl Stream {
    /// The field that says it.
    pub(super) fn bytes(&self) -> &[u8] {
        match self {
            Self::Room => &[],
            Self::Direct(reader) => &reader.0,
        }
    }

    /// Reads that field.
    ///
    /// # Errors
    /// Where it is neither empty nor as long as a session id.
    pub(super) fn parse(field: &[u8]) -> Result<Self, Malformed> {
        Ok(match field {
            [] => Self::Room,
            reader => Self::Direct(SessionId(reader.try_into().map_err(|_| Malformed)?)),
        })
    }
}

/// Why a member is left out of a message on purpose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LeftOutFor {
    /// It came while the message was typed.
    Coming,
    /// It is here for the first time, and the sender writes to people it knows alone.
    NotKnown,
    /// The sender writes to those alone whose safety numbers it has compared.
    NotVerified,
    /// The sender remembers another identity under its nick.
    OtherIdentity,
    /// It has used one session key for too long.
    StaleKey,
    /// What a later version of the protocol has.
    Unknown(u8),
}

impl std::fmt::Display for LeftOutFor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Coming => "you came while it was typed",
            Self::NotKnown => "it is only for those who were here before",
            Self::NotVerified => "it is only for those who are verified",
            Self::OtherIdentity => "your nick was another identity's before",
            Self::StaleKey => "you have used one session key for more than a day",
            Self::Unknown(_) => "for a reason that this version does not know",
        })
    }
}

impl LeftOutFor {
    fn code(self) -> u8 {
        match self {
            Self::Coming => 0,
            Self::NotKnown => 1,
            Self::NotVerified => 2,
            Self::OtherIdentity => 3,
            Self::StaleKey => 4,
            Self::Unknown(code) => code,
        }
    }

    fn from_code(code: u8) -> Self {
        match code {
            0 => Self::Coming,
            1 => Self::NotKnown,
            2 => Self::NotVerified,
            3 => Self::OtherIdentity,
            4 => Self::StaleKey,
            code => Self::Unknown(code),
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
    /// The stream that it belongs to.
    pub stream: Stream,
    /// Its number in that stream, from 0; below `u64::MAX`.
    pub number: u64,
    /// When it was written, by the sender's clock.
    pub time: Time,
    /// Bit 0 asks readers not to hand it on; a reader takes no notice of the others.
    pub flags: u8,
    /// The members left out on purpose, ascending, and why.
    pub left_out: Vec<(SessionId, LeftOutFor)>,
    /// What the sender had taken in when it wrote.
    pub claim: Claim,
    /// The commitment to the body: see [`Body::commitment`].
    pub commitment: Digest,
}

impl Header {
    /// The header's bytes, which are signed.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut fields = Encoder::tagged(TAG)
            .bytes(&self.room.0)
            .bytes(&self.sender.0)
            .string(self.stream.bytes())
            .u64(self.number)
            .u64(self.time)
            .byte(self.flags)
            .count(self.left_out.len());
        for (sid, reason) in &self.left_out {
            fields = fields.bytes(&sid.0).byte(reason.code());
        }
        self.claim.encode(fields).bytes(&self.commitment).finish()
    }

    /// Whether a relay takes the header in a room that has so many members at most. It does not take
    /// one that leaves thousands of members out.
    #[must_use]
    pub fn fits(&self, members: u32) -> bool {
        self.encode().len() <= max_header(members)
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
            stream: Stream::parse(fields.string()?)?,
            number: fields.u64()?,
            time: fields.u64()?,
            flags: fields.byte()?,
            left_out: (0..fields.count(32 + 1)?)
                .map(|_| {
                    let sid = SessionId(fields.bytes()?);
                    Ok((sid, LeftOutFor::from_code(fields.byte()?)))
                })
                .collect::<Result<_, Malformed>>()?,
            claim: Claim::parse(&mut fields, MAX_RANGES)?,
            commitment: fields.bytes()?,
        };
        fields.finish()?;
        // A number has a next one, so `u64::MAX` is none.
        if header.number == u64::MAX || !header.left_out.is_sorted_by(|(a, _), (b, _)| a < b) {
            return Err(Malformed);
        }
        Ok(header)
    }
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
    /// What opens the header's commitment, for handing the message on.
    pub nonce: Nonce,
    /// Each reader's ciphertext, or nothing for a member that gets the header alone.
    pub parcels: Vec<(SessionId, Vec<u8>)>,
}

impl SealedMessage {
    /// Signs `header` and encrypts `body` for `readers`. The header's commitment must be the body's.
    #[must_use]
    pub fn seal(
        header: &Header,
        body: &Body,
        identity: &IdentityKey,
        readers: &[(SessionId, &PublicKey)],
    ) -> Self {
        let header = header.encode();
        let signature = identity.sign(&header);
        let keys: Vec<Recipient<'_>> = readers
            .iter()
            .map(|(sid, key)| Recipient { id: &sid.0, key })
            .collect();
        let ciphertexts = seal::seal(&header, body, &keys);
        let readers = readers.iter().map(|(sid, _)| *sid);
        Self {
            parcels: readers.zip(ciphertexts).collect(),
            header,
            signature,
            nonce: *body.nonce(),
        }
    }

    /// The SEND frames that carry the message, as an entry of the chain or a direct message: as many
    /// as its parcels need, and one if it has none. The header must be one that
    /// [fits](Header::fits).
    #[must_use]
    pub fn frames(&self) -> Vec<Frame> {
        let overhead = 1 + 4 + self.header.len() + 4 + self.signature.len() + 1 + 4;
        // One parcel is far shorter than a frame: at most 65 blocks of 256 bytes, or 28 of 512.
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
        let frame = |part, parcels| Frame::send(&self.header, &self.signature, part, parcels);
        let parts = parts.into_iter().map(|parcels| frame(Part::More, parcels));
        parts.chain([frame(Part::Last, last)]).collect()
    }

    /// The bytes of the entry that it is, if it is to the room.
    #[must_use]
    pub fn entry(&self) -> Vec<u8> {
        signed_entry(&self.header, &self.signature)
    }

    /// About how many bytes it takes.
    #[must_use]
    #[allow(clippy::len_without_is_empty, reason = "a message has a header")]
    pub fn len(&self) -> usize {
        let parcels = self
            .parcels
            .iter()
            .map(|(_, ciphertext)| 56 + ciphertext.len());
        self.header.len() + self.signature.len() + parcels.sum::<usize>()
    }

    /// The SEND frame that carries it to this reader once more, if it is for it.
    #[must_use]
    pub fn late_copy(&self, reader: SessionId) -> Option<Frame> {
        let parcels: Vec<_> = self
            .parcels
            .iter()
            .filter(|(sid, _)| *sid == reader)
            .cloned()
            .collect();
        let copy = || Frame::send(&self.header, &self.signature, Part::Again, &parcels);
        (!parcels.is_empty()).then(copy)
    }
}

/// Why a message that was received is not shown (PROTOCOL §5, Opening).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OpenError {
    /// The signature is not the sender's.
    Signature,
    /// It is not the sender's once more: of what comes in that name, hardly any is looked at for a while.
    SignatureAgain,
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
            Self::SignatureAgain => {
                "its signature is wrong like others before it, by the sender's doing or the relay's; until one is right, one a minute is looked at"
            }
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
    /// What it says, and the nonce with which that fits the header.
    Content(Content, Nonce),
    /// Only that there is a message, which the sender kept from this reader, and why.
    LeftOut(LeftOutFor),
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
        let left_out = header
            .left_out
            .iter()
            .find(|(left_out, _)| *left_out == sid);
        return match left_out {
            Some((_, reason)) => Ok(Opened::LeftOut(*reason)),
            None => Err(OpenError::NoCiphertext),
        };
    }
    let key = key.ok_or(OpenError::KeyDestroyed)?;
    let body = seal::open(header_bytes, &header.commitment, &sid.0, key, ciphertext)?;
    let (kind, nonce) = (body.kind(), *body.nonce());
    let content = Content::parse(kind, body.into_content())
        .map_err(|Malformed| OpenError::CannotOpen)?
        .ok_or(OpenError::Kind)?;
    let is_placed = match header.stream {
        Stream::Room => content.may_be_to_room(),
        Stream::Direct(_) => content.may_be_direct(),
    };
    is_placed
        .then_some(Opened::Content(content, nonce))
        .ok_or(OpenError::CannotOpen)
}

#[cfg(test)]
mod tests {
    use crate::cipher::pem::IdentityPem;
    use crate::room::chain::Link;
    use crate::room::frame::{RunId, SendFrame, ToRelay};

    use super::*;

    fn key(pem: &str) -> IdentityKey {
        IdentityPem::parse(pem).unwrap().open().unwrap()
    }

    fn sid(number: usize) -> SessionId {
        let mut sid = [0; 32];
        sid[..4].copy_from_slice(&u32::try_from(number).unwrap().to_be_bytes());
        SessionId(sid)
    }

    fn header(left_out: Vec<(SessionId, LeftOutFor)>, commitment: Digest) -> Header {
        Header {
            room: RoomId([1; 32]),
            sender: sid(9),
            stream: Stream::Room,
            number: 4,
            time: 5,
            flags: 0,
            left_out,
            claim: Claim {
                run: RunId([2; 16]),
                link: Link {
                    position: 3,
                    digest: [6; 32],
                },
                roster: [8; 32],
                unread: [(2, 2)].into_iter().collect(),
            },
            commitment,
        }
    }

    #[test]
    fn a_message_opens_for_each_reader_and_whoever_is_left_out_learns_that_there_is_one() {
        let ada = key(include_str!("../../tests/vectors/keys/ada_identity.pem"));
        let [bob, cara] = [
            include_str!("../../tests/vectors/keys/bob_session.pem"),
            include_str!("../../tests/vectors/keys/cara_session.pem"),
        ]
        .map(|pem| SessionKey::from_identity(key(pem)));
        let body = Body::new(Kind::Action.code(), "waves".to_owned()).unwrap();
        let left_out = vec![(sid(3), LeftOutFor::NotVerified)];
        let header = header(left_out, body.commitment());
        let readers = [(sid(1), bob.public()), (sid(2), cara.public())];
        let sealed = SealedMessage::seal(&header, &body, &ada, &readers);

        assert_eq!(sealed.header, header.encode());
        assert_eq!(
            verify(&sealed.header, &sealed.signature, ada.public()),
            Ok(())
        );
        let of_another = verify(&sealed.header, &sealed.signature, bob.public());
        assert_eq!(of_another, Err(OpenError::Signature));
        let [for_bob, for_cara] = &*sealed.parcels else {
            panic!("one parcel for each");
        };
        let open = |reader, key, ciphertext: &[u8]| {
            super::open(&sealed.header, &header, reader, key, ciphertext)
        };
        let content = Content::Text(Kind::Action, "waves".to_owned());
        let said = || Ok(Opened::Content(content.clone(), *body.nonce()));
        for (number, key, (reader, ciphertext)) in [(1, &bob, for_bob), (2, &cara, for_cara)] {
            assert_eq!(*reader, sid(number));
            assert!(open(*reader, Some(key), ciphertext) == said());
            assert!(open(*reader, None, ciphertext) == Err(OpenError::KeyDestroyed));
            // Without a ciphertext it is for nobody but those whom the header leaves out.
            assert!(open(*reader, Some(key), &[]) == Err(OpenError::NoCiphertext));
        }
        assert!(open(sid(1), Some(&bob), &for_cara.1) == Err(OpenError::CannotOpen));
        assert!(open(sid(3), None, &[]) == Ok(Opened::LeftOut(LeftOutFor::NotVerified)));
    }

    fn left_out_sids(count: usize) -> Vec<(SessionId, LeftOutFor)> {
        let sids = (0..count).map(|number| (sid(number), LeftOutFor::Coming));
        sids.collect()
    }

    /// The frames, and their lengths, of a message with parcels of these lengths.
    fn sent(lengths: &[usize]) -> Vec<(usize, SendFrame)> {
        let parcels = lengths.iter().enumerate();
        let message = SealedMessage {
            header: vec![1; 300],
            signature: vec![2; 256],
            nonce: [0; 16],
            parcels: parcels
                .map(|(reader, length)| (sid(reader), vec![3; *length]))
                .collect(),
        };
        let mut readers = Vec::new();
        let read = |frame: &Frame| {
            let frame = &frame.encode()[4..];
            let Ok(ToRelay::Send(send)) = ToRelay::parse(frame) else {
                panic!("not a SEND");
            };
            assert_eq!(frame[send.header.clone()], message.header);
            readers.extend(send.parcels.iter().map(|parcel| parcel.to));
            (frame.len(), send)
        };
        let frames = message.frames().iter().map(read).collect();
        let all: Vec<SessionId> = message.parcels.iter().map(|(reader, _)| *reader).collect();
        assert_eq!(readers, all, "each once, in their order");
        frames
    }

    #[test]
    fn a_message_for_many_goes_in_as_few_frames_as_it_fits_into() {
        // Of 1 KiB each, of which a frame has room for 256 without anything else.
        let frames = sent(&[1024 - 36; 600]);
        let parcels: Vec<usize> = frames.iter().map(|(_, send)| send.parcels.len()).collect();
        assert_eq!(parcels, [255, 255, 90]);
        let parts: Vec<Part> = frames.iter().map(|(_, send)| send.part).collect();
        assert_eq!(parts, [Part::More, Part::More, Part::Last]);
        for (length, _) in frames {
            assert!(length <= MAX_FRAME, "{length}");
        }
    }

    #[test]
    fn a_frame_is_filled_to_the_last_byte_and_no_further() {
        let frames = sent(&[1000]);
        let rest = MAX_FRAME - frames[0].0 - 36;
        let frames = sent(&[1000, rest]);
        assert_eq!(frames.len(), 1);
        assert_eq!(frames[0].0, MAX_FRAME);
        let frames = sent(&[1000, rest + 1]);
        assert_eq!(frames.len(), 2);
    }

    #[test]
    fn a_message_for_nobody_goes_in_one_frame() {
        let frames = sent(&[]);
        assert_eq!(frames.len(), 1);
        assert!(frames[0].1.part == Part::Last && frames[0].1.parcels.is_empty());
    }

    #[test]
    fn a_header_takes_half_a_frame_at_the_most() {
        let least = header(Vec::new(), [0; 32]).encode().len();
        let most = (MAX_FRAME / 2 - least) / 33;
        for (left_out, fits) in [(0, true), (most, true), (most + 1, false)] {
            let header = header(left_out_sids(left_out), [0; 32]);
            assert_eq!(header.fits(4096), fits, "{left_out}");
        }
    }

    #[test]
    fn a_header_that_leaves_out_all_whom_a_room_can_have_fits_whatever_it_claims() {
        for members in [1, 200, 3000] {
            let mut header = header(left_out_sids(members), [0; 32]);
            header.stream = Stream::Direct(sid(1));
            header.claim.link.position = 1000;
            header.claim.unread = (0..256).map(|range| (2 * range, 2 * range)).collect();
            assert!(header.fits(u32::try_from(members).unwrap()), "{members}");
            header.stream = Stream::Room;
            assert_eq!(header.encode().len(), 33 * members + MOST_BESIDE);
        }
    }

    #[test]
    fn headers_are_told_apart_by_sha_256() {
        // FIPS 180-4's example.
        let digest = header_digest(b"abc");
        assert_eq!(digest[..4], [0xba, 0x78, 0x16, 0xbf]);
        assert_eq!(digest[28..], [0xf2, 0x00, 0x15, 0xad]);
    }
}
