//! Cards, with which members present themselves, and the session ids that name them (PROTOCOL §4).

use std::sync::Arc;

use sha2::{Digest as _, Sha256};

use crate::cipher::encoding::{Decoder, Encoder, Malformed};
use crate::cipher::fingerprint::Fingerprint;
use crate::cipher::keys::{IdentityKey, PublicKey};

use super::Time;
use super::chain::Claim;
use super::names::{Nick, RoomId, RoomKey, RoomName};

pub use super::names::SessionId;

const TAG: &str = "e2echat/2 card";

impl SessionId {
    fn new(room: RoomId, nick: &Nick, identity: &PublicKey, session: &PublicKey) -> Self {
        let digest = Encoder::tagged("e2echat/1 session")
            .string(&room.0)
            .string(nick.as_str().as_bytes())
            .string(identity.spki())
            .string(session.spki())
            .digest();
        Self(digest)
    }

    /// What stands for a member over all its session keys: a digest of its identity and of the session id
    /// that it had in generation 0, which in that one is `sid` and later `first`.
    fn origin(sid: Self, first: Self, identity: &PublicKey) -> Self {
        let first = if first == NOBODY { sid } else { first };
        let digest = Sha256::new_with_prefix(first.0)
            .chain_update(identity.spki())
            .finalize();
        Self(digest.into())
    }
}

/// The key that a person is known by, and whether others may remember it.
#[derive(Debug)]
pub struct Identity {
    /// The key.
    pub key: IdentityKey,
    /// Whether it outlives the session: it is saved in a file.
    pub is_lasting: bool,
}

/// The most stays of which a card says what its member saw.
pub const MAX_PAST: usize = 8;

/// The most ranges of positions that a claim in a card lists as not opened: the card is to fit into
/// HELLO.
pub const MAX_PAST_UNREAD: usize = 32;

/// What a member saw of a room in a stay that is over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stay {
    /// The position of its joining.
    pub first: u64,
    /// What it had taken in at the end.
    pub claim: Claim,
}

/// The `previous` and `first` of generation 0.
const NOBODY: SessionId = SessionId([0; 32]);

/// What a card is to say, beside its keys and its time.
struct CardDraft<'a> {
    room: RoomId,
    key: &'a RoomKey,
    nick: &'a Nick,
    generation: u32,
    previous: SessionId,
    first: SessionId,
    next: u64,
    past: &'a [Stay],
}

/// Why a card is refused (PROTOCOL §4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CardError {
    /// It cannot be parsed.
    Malformed,
    /// It is for another room.
    Room,
    /// The nick is not a valid nick.
    Nick,
    /// The identity key is not accepted.
    IdentityKey,
    /// The session key is not accepted.
    SessionKey,
    /// The identity did not sign it.
    Signature,
    /// Whoever made it does not know the name of the room.
    Mac,
}

impl std::fmt::Display for CardError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Malformed => "it is malformed",
            Self::Room => "it is for another room",
            Self::Nick => "its nick is not allowed",
            Self::IdentityKey => "its identity key is not an RSA key of 2048 to 4096 bits",
            Self::SessionKey => "its session key is not an RSA key of 2048 to 4096 bits",
            Self::Signature => "its signature is wrong",
            Self::Mac => "whoever made it does not know the name of the room",
        })
    }
}

impl std::error::Error for CardError {}

impl From<Malformed> for CardError {
    fn from(_: Malformed) -> Self {
        Self::Malformed
    }
}

/// A card that was made here or has been checked, but for the MAC. Its fields are the rows of the
/// table in PROTOCOL §4, each as the type that it stands for, and what is computed from them once.
#[derive(Clone, Debug)]
pub struct Card {
    bytes: Arc<[u8]>,
    authenticated: usize,
    mac: [u8; 32],
    room: RoomId,
    sid: SessionId,
    origin: SessionId,
    nick: Nick,
    identity: PublicKey,
    fingerprint: Fingerprint,
    is_lasting: bool,
    session: PublicKey,
    generation: u32,
    previous: SessionId,
    first: SessionId,
    issued: Time,
    next: u64,
    past: Vec<Stay>,
}

/// Reads what a card says of former stays.
fn parse_past(fields: &mut Decoder<'_>) -> Result<Vec<Stay>, Malformed> {
    let count = fields.count(8)?;
    if count > MAX_PAST {
        return Err(Malformed);
    }
    let stay = |_| {
        let first = fields.u64()?;
        let claim = Claim::parse(fields, MAX_PAST_UNREAD)?;
        let is_in_order = first <= claim.link.position;
        is_in_order
            .then_some(Stay { first, claim })
            .ok_or(Malformed)
    };
    (0..count).map(stay).collect()
}

impl Card {
    /// Makes the card of generation 0 with which a member enters `room`.
    #[must_use]
    pub fn issue(
        room: &RoomName,
        nick: &Nick,
        identity: &Identity,
        session: &PublicKey,
        issued: Time,
    ) -> Self {
        let draft = CardDraft {
            room: room.id(),
            key: &room.key(),
            nick,
            generation: 0,
            previous: NOBODY,
            first: NOBODY,
            next: 0,
            past: &[],
        };
        Self::make(&draft, identity, session, issued)
    }

    /// Makes the card with which this card's member goes on under another session key, and perhaps
    /// another nick (PROTOCOL §11). `next` is the number of the member's next message to the room.
    #[must_use]
    pub fn issue_successor(
        &self,
        key: &RoomKey,
        identity: &Identity,
        nick: &Nick,
        session: &PublicKey,
        next: u64,
        issued: Time,
    ) -> Self {
        let draft = CardDraft {
            room: self.room,
            key,
            nick,
            generation: self.generation + 1,
            previous: self.sid,
            first: self.first(),
            next,
            past: &[],
        };
        Self::make(&draft, identity, session, issued)
    }

    /// Makes this card anew for entering the room once more (PROTOCOL §8): with the same keys, but
    /// with what the number of the next message to the room is now, and what the member saw in former
    /// stays: of these at most [`MAX_PAST`], each with at most [`MAX_PAST_UNREAD`]
    /// ranges of positions.
    #[must_use]
    pub fn reissue(
        &self,
        key: &RoomKey,
        identity: &Identity,
        next: u64,
        past: &[Stay],
        issued: Time,
    ) -> Self {
        let draft = CardDraft {
            room: self.room,
            key,
            nick: &self.nick,
            generation: self.generation,
            previous: self.previous,
            first: self.first,
            next,
            past,
        };
        Self::make(&draft, identity, &self.session, issued)
    }

    /// Whether this card takes the place of `before`: the same identity, one generation later
    /// (PROTOCOL §11).
    #[must_use]
    pub fn is_successor_of(&self, before: &Self) -> bool {
        self.previous == before.sid
            && self.continues(before)
            && Some(self.generation) == before.generation.checked_add(1)
    }

    /// Whether this card is of the same session as `before`, in the same generation or a later one.
    /// The identity has said in each card which session id it had at first.
    #[must_use]
    pub fn continues(&self, before: &Self) -> bool {
        self.origin() == before.origin()
            && self.identity == before.identity
            && (self.sid == before.sid || self.generation > before.generation)
    }

    /// By what the member is known over all its session keys. Its identity is in it, as anybody's card can
    /// name anybody's session id.
    #[must_use]
    pub fn origin(&self) -> SessionId {
        self.origin
    }

    /// The session id that the member had in generation 0.
    #[must_use]
    pub fn first(&self) -> SessionId {
        if self.generation == 0 {
            self.sid
        } else {
            self.first
        }
    }

    /// Whether `before` is the session id that the member had in the generation before.
    #[must_use]
    pub fn has_previous(&self, before: SessionId) -> bool {
        self.generation > 0 && self.previous == before
    }

    fn make(draft: &CardDraft<'_>, identity: &Identity, session: &PublicKey, issued: Time) -> Self {
        let CardDraft {
            room,
            key,
            nick,
            generation,
            previous,
            first,
            next,
            past,
        } = *draft;
        let mut unauthenticated = Encoder::tagged(TAG)
            .bytes(&room.0)
            .string(nick.as_str().as_bytes())
            .string(identity.key.public().spki())
            .string(session.spki())
            .boolean(identity.is_lasting)
            .u32(generation)
            .bytes(&previous.0)
            .bytes(&first.0)
            .u64(issued)
            .u64(next)
            .count(past.len());
        for stay in past {
            unauthenticated = stay.claim.encode(unauthenticated.u64(stay.first));
        }
        let authenticated = unauthenticated.as_slice().len();
        let mac = key.mac(unauthenticated.as_slice());
        let unsigned = unauthenticated.bytes(&mac);
        let signature = identity.key.sign(unsigned.as_slice());
        let sid = SessionId::new(room, nick, identity.key.public(), session);
        Self {
            bytes: unsigned.string(&signature).finish().into(),
            authenticated,
            mac,
            room,
            sid,
            origin: SessionId::origin(sid, first, identity.key.public()),
            nick: nick.clone(),
            identity: identity.key.public().clone(),
            fingerprint: identity.key.public().fingerprint(),
            is_lasting: identity.is_lasting,
            session: session.clone(),
            generation,
            previous,
            first,
            issued,
            next,
            past: past.to_vec(),
        }
    }

    /// Reads a card for `room`, and checks all that can be checked without knowing the room's name:
    /// a relay checks no more.
    ///
    /// # Errors
    /// Where PROTOCOL §4 refuses it.
    pub fn parse(bytes: &[u8], room: RoomId) -> Result<Self, CardError> {
        let mut fields = Decoder::new(bytes);
        fields.tag(TAG)?;
        let its_room = RoomId(fields.bytes()?);
        let nick = fields.string()?;
        let identity = fields.string()?;
        let session = fields.string()?;
        let is_lasting = fields.boolean()?;
        let generation = fields.u32()?;
        let previous = SessionId(fields.bytes()?);
        let first = SessionId(fields.bytes()?);
        let issued = fields.u64()?;
        let next = fields.u64()?;
        let past = parse_past(&mut fields)?;
        let authenticated = fields.position();
        let mac = fields.bytes()?;
        let signed = fields.consumed();
        let signature = fields.string()?;
        fields.finish()?;

        let is_in_order = match generation {
            0 => previous == NOBODY && first == NOBODY,
            1 => previous != NOBODY && first == previous,
            _ => previous != NOBODY && first != NOBODY,
        };
        if !is_in_order || next == u64::MAX {
            return Err(CardError::Malformed);
        }
        if its_room != room {
            return Err(CardError::Room);
        }
        let nick: Nick = std::str::from_utf8(nick)
            .ok()
            .and_then(|nick| nick.parse().ok())
            .ok_or(CardError::Nick)?;
        let identity = PublicKey::from_spki(identity).map_err(|_| CardError::IdentityKey)?;
        let session = PublicKey::from_spki(session).map_err(|_| CardError::SessionKey)?;
        if !identity.verifies(signed, signature) {
            return Err(CardError::Signature);
        }
        let sid = SessionId::new(room, &nick, &identity, &session);
        Ok(Self {
            bytes: bytes.into(),
            authenticated,
            mac,
            room,
            sid,
            origin: SessionId::origin(sid, first, &identity),
            nick,
            fingerprint: identity.fingerprint(),
            identity,
            is_lasting,
            session,
            generation,
            previous,
            first,
            issued,
            next,
            past,
        })
    }

    /// Checks the MAC, which only members can who know the room's key.
    ///
    /// # Errors
    /// [`CardError::Mac`] where whoever made the card does not know the room's name.
    pub fn check_mac(&self, key: &RoomKey) -> Result<(), CardError> {
        let authenticated = self.bytes.get(..self.authenticated);
        if authenticated.is_some_and(|bytes| key.verifies(bytes, &self.mac)) {
            Ok(())
        } else {
            Err(CardError::Mac)
        }
    }

    /// The card's bytes on the wire.
    #[must_use]
    pub fn bytes(&self) -> &Arc<[u8]> {
        &self.bytes
    }

    /// The room that it is for.
    #[must_use]
    pub fn room(&self) -> RoomId {
        self.room
    }

    /// The session id.
    #[must_use]
    pub fn sid(&self) -> SessionId {
        self.sid
    }

    /// The nick.
    #[must_use]
    pub fn nick(&self) -> &Nick {
        &self.nick
    }

    /// The identity key.
    #[must_use]
    pub fn identity(&self) -> &PublicKey {
        &self.identity
    }

    /// Whether the identity outlives the session.
    #[must_use]
    pub fn is_lasting(&self) -> bool {
        self.is_lasting
    }

    /// The session key.
    #[must_use]
    pub fn session(&self) -> &PublicKey {
        &self.session
    }

    /// The fingerprint of the identity.
    #[must_use]
    pub fn fingerprint(&self) -> Fingerprint {
        self.fingerprint
    }

    /// How many session keys the member has had before.
    #[must_use]
    pub fn generation(&self) -> u32 {
        self.generation
    }

    /// The session id of the generation before; zeros in generation 0.
    #[must_use]
    pub fn previous(&self) -> SessionId {
        self.previous
    }

    /// What its member saw in former stays.
    #[must_use]
    pub fn past(&self) -> &[Stay] {
        &self.past
    }

    /// When the card was made, by its member's clock.
    #[must_use]
    pub fn issued(&self) -> Time {
        self.issued
    }

    /// The sequence number of the member's next message to the room when the card was made.
    #[must_use]
    pub fn next(&self) -> u64 {
        self.next
    }
}

#[cfg(test)]
mod tests {
    use crate::cipher::pem::IdentityPem;

    use super::*;

    const ADA: &str = include_str!("../../tests/vectors/keys/ada_identity.pem");
    const BOB: &str = include_str!("../../tests/vectors/keys/bob_identity.pem");

    fn key(pem: &str) -> IdentityKey {
        IdentityPem::parse(pem).unwrap().open().unwrap()
    }

    fn identity(pem: &str) -> Identity {
        Identity {
            key: key(pem),
            is_lasting: true,
        }
    }

    /// Three session keys.
    fn session_keys() -> [IdentityKey; 3] {
        [
            include_str!("../../tests/vectors/keys/ada_session.pem"),
            include_str!("../../tests/vectors/keys/bob_session.pem"),
            include_str!("../../tests/vectors/keys/cara_session.pem"),
        ]
        .map(key)
    }

    fn lobby() -> RoomName {
        "lobby".parse().unwrap()
    }

    fn nick() -> Nick {
        "ada".parse().unwrap()
    }

    fn first_of(identity: &Identity, session: &IdentityKey) -> Card {
        Card::issue(&lobby(), &nick(), identity, session.public(), 0)
    }

    /// The card with which the member of `before` goes on, if `identity` is its own.
    fn next_of(before: &Card, identity: &Identity, session: &IdentityKey, next: u64) -> Card {
        let (room, session) = (lobby().key(), session.public());
        before.issue_successor(&room, identity, &nick(), session, next, 1)
    }

    #[test]
    fn a_card_that_is_made_is_accepted_as_it_travels_by_who_knows_the_name_of_its_room() {
        let ada = identity(ADA);
        let [one, two, three] = session_keys();
        let first = first_of(&ada, &one);
        let second = next_of(&first, &ada, &two, 3);
        let third = next_of(&second, &ada, &three, u64::MAX - 1);
        let cards = [
            (first, 0, 0, 0),
            (second, 1, 3, 1),
            (third, 2, u64::MAX - 1, 1),
        ];
        for (made, generation, next, issued) in cards {
            let card = Card::parse(made.bytes(), lobby().id()).unwrap();
            assert_eq!(card.bytes(), made.bytes());
            assert_eq!(card.sid(), made.sid());
            assert_eq!((card.room(), card.nick()), (lobby().id(), &nick()));
            assert_eq!(card.identity(), ada.key.public());
            assert_eq!(card.fingerprint(), ada.key.public().fingerprint());
            assert_eq!(card.session(), made.session());
            assert!(card.is_lasting());
            assert_eq!(card.generation(), generation);
            assert_eq!((card.next(), card.issued()), (next, issued));
            assert_eq!(card.previous(), made.previous());
            assert_eq!(card.origin(), made.origin());
            assert_eq!(card.check_mac(&lobby().key()), Ok(()));
            let other: RoomName = "attic".parse().unwrap();
            assert_eq!(card.check_mac(&other.key()), Err(CardError::Mac));
        }
    }

    #[test]
    fn a_card_that_is_changed_anywhere_is_refused() {
        let ada = identity(ADA);
        let [one, ..] = session_keys();
        let card = first_of(&ada, &one);
        for place in 0..card.bytes().len() {
            let mut changed = card.bytes().to_vec();
            changed[place] ^= 1;
            assert!(Card::parse(&changed, lobby().id()).is_err(), "{place}");
        }
    }

    #[test]
    fn a_card_follows_the_one_before_and_no_other() {
        let (ada, bob) = (identity(ADA), identity(BOB));
        let [one, two, three] = session_keys();
        let first = first_of(&ada, &one);
        let second = next_of(&first, &ada, &two, 0);
        let third = next_of(&second, &ada, &three, 0);
        let renewed = second.reissue(&lobby().key(), &ada, 7, &[], 2);
        // Of the same generation as the second, of somebody else, and of another session of Ada's.
        let sibling = next_of(&first, &ada, &three, 0);
        let of_bob = next_of(&first, &bob, &two, 0);
        let elsewhere = first_of(&ada, &two);

        for (card, before) in [(&second, &first), (&third, &second), (&renewed, &first)] {
            assert!(card.is_successor_of(before) && card.continues(before));
            assert!(card.has_previous(before.sid()));
            assert_eq!((card.origin(), card.first()), (first.origin(), first.sid()));
        }
        for (card, before) in [(&third, &first), (&renewed, &second), (&first, &first)] {
            assert!(card.continues(before) && !card.is_successor_of(before));
            assert!(!card.has_previous(before.sid()));
        }
        for (card, before) in [
            (&first, &second),
            (&second, &third),
            (&sibling, &second),
            (&of_bob, &first),
            (&elsewhere, &first),
        ] {
            assert!(!card.continues(before) && !card.is_successor_of(before));
        }
        assert!(!first.has_previous(NOBODY));
        assert_eq!(elsewhere.first(), elsewhere.sid());
        assert_ne!(of_bob.origin(), first.origin(), "whatever it says");
        assert_eq!(of_bob.first(), first.first());
    }

    #[test]
    fn a_card_that_is_made_anew_says_what_is_next_and_is_otherwise_the_same() {
        let ada = identity(ADA);
        let [one, two, _] = session_keys();
        let card = next_of(&first_of(&ada, &one), &ada, &two, 3);
        let renewed = card.reissue(&lobby().key(), &ada, 7, &[], 2);
        assert_eq!((renewed.next(), renewed.issued()), (7, 2));
        assert_eq!(renewed.sid(), card.sid());
        assert_eq!(renewed.previous(), card.previous());
        assert_eq!((renewed.generation(), renewed.first), (1, card.first));
    }

    #[test]
    fn a_card_of_which_there_can_be_no_next_message_or_none_before_is_malformed() {
        let ada = identity(ADA);
        let [one, two, _] = session_keys();
        let first = first_of(&ada, &one);
        let last = next_of(&first, &ada, &two, u64::MAX);
        let without_previous = Card::make(
            &CardDraft {
                room: lobby().id(),
                key: &lobby().key(),
                nick: &nick(),
                generation: 2,
                previous: NOBODY,
                first: first.sid(),
                next: 0,
                past: &[],
            },
            &ada,
            two.public(),
            0,
        );
        for card in [last, without_previous] {
            let parsed = Card::parse(card.bytes(), lobby().id());
            assert_eq!(parsed.err(), Some(CardError::Malformed));
        }
    }
}
