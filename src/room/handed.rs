//! What is handed on by somebody else than its author: the proof that its author wrote it, and for whom
//! (PROTOCOL §5, Handing on).

use crate::cipher::encoding::Digest;
use crate::cipher::seal::Body;

use super::card::{Card, SessionId};
use super::content::{self, Kind, Unproven};
use super::message::{Header, Stream, header_digest, verify};
use super::names::{RoomId, RoomKey};

/// Bit 0 of a header's flags: its author asks not to hand the message on.
pub const NOT_TO_BE_HANDED_ON: u8 = 1;

/// Why a message that somebody hands on is not shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// It cannot be parsed, or is none that is handed on.
    Malformed,
    /// It is for another room.
    Room,
    /// It is for one member alone.
    Direct,
    /// Its author asks not to hand it on.
    Forbidden,
    /// Its author left this reader out of it.
    LeavesOut,
    /// It is not what its author committed to.
    Commitment,
    /// There is no card of its author's that is accepted.
    Card,
    /// The signature is not its author's.
    Signature,
    /// It comes behind one that its author wrote later.
    Order,
    /// Its author, who is not here, has signed another one for its place.
    Equivocal,
    /// The room was told of fewer.
    Unannounced,
}

impl std::fmt::Display for Refusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Malformed => "it is malformed",
            Self::Room => "it is for another room",
            Self::Direct => "it was written for one member alone",
            Self::Forbidden => "its author asks not to hand it on",
            Self::LeavesOut => "its author left you out",
            Self::Commitment => "it is not what its author committed to",
            Self::Card => "its author's card is missing or not accepted",
            Self::Signature => "its signature is wrong",
            Self::Order => "it is out of its author's order",
            Self::Equivocal => "its author has signed another one for its place",
            Self::Unannounced => "the room was told of fewer",
        })
    }
}

/// The cards of authors, of those in a bundle that are accepted.
#[derive(Default)]
pub struct Authors(Vec<Card>);

impl Authors {
    /// Reads the cards of a bundle. Who is in the room now makes no difference.
    #[must_use]
    pub fn read(cards: &[Vec<u8>], room: RoomId, key: &RoomKey) -> Self {
        let good = cards.iter().filter_map(|card| {
            let card = Card::parse(card, room).ok()?;
            card.check_mac(key).is_ok().then_some(card)
        });
        Self(good.collect())
    }

    /// The cards with this session id, or that say that they follow it: anybody's card can say so.
    fn cards_of(&self, sender: SessionId) -> impl Iterator<Item = &Card> {
        let is_its = move |card: &&Card| card.sid() == sender || card.has_previous(sender);
        self.0.iter().filter(is_its)
    }
}

/// A message of which it is proven that its author wrote it, in this room, to all but those whom it
/// names.
#[derive(Debug)]
pub struct Proven<'a> {
    /// The author's card.
    pub author: &'a Card,
    /// The header.
    pub header: Header,
    /// The header's digest.
    pub digest: Digest,
    /// Whether it is a text or an action.
    pub kind: Kind,
    /// The text.
    pub text: String,
}

impl<'a> Proven<'a> {
    /// Checks a message in this room, for a reader to whom these session ids are or were its own.
    ///
    /// # Errors
    /// With the first reason for which it is not shown. The cheapest check comes first.
    pub fn prove(
        message: Unproven,
        authors: &'a Authors,
        room: RoomId,
        is_own: impl Fn(SessionId) -> bool,
    ) -> Result<Self, Refusal> {
        let header = Header::parse(&message.header).map_err(|_| Refusal::Malformed)?;
        if header.room != room {
            return Err(Refusal::Room);
        }
        if header.stream != Stream::Room {
            return Err(Refusal::Direct);
        }
        if header.flags & NOT_TO_BE_HANDED_ON != 0 {
            return Err(Refusal::Forbidden);
        }
        if header.left_out.iter().any(|(sid, _)| is_own(*sid)) {
            return Err(Refusal::LeavesOut);
        }
        let kind = Kind::from_code(message.kind);
        let kind = kind.filter(|kind| matches!(kind, Kind::Text | Kind::Action));
        let kind = kind.ok_or(Refusal::Malformed)?;
        let text = content::text(message.text).map_err(|_| Refusal::Malformed)?;
        let body = Body::with_nonce(message.nonce, kind.code(), text.as_str());
        if body.is_none_or(|body| body.commitment() != header.commitment) {
            return Err(Refusal::Commitment);
        }
        let mut cards = authors.cards_of(header.sender).peekable();
        cards.peek().ok_or(Refusal::Card)?;
        let has_signed =
            |card: &&Card| verify(&message.header, &message.signature, card.identity()).is_ok();
        let author = cards.find(has_signed).ok_or(Refusal::Signature)?;
        Ok(Self {
            author,
            digest: header_digest(&message.header),
            header,
            kind,
            text,
        })
    }
}
