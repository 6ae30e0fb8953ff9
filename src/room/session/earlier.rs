//! What was said to the room earlier, as far as this member may hand it on (PROTOCOL §5, Handing on).

use std::collections::VecDeque;
use std::sync::Arc;

use crate::cipher::fingerprint::Fingerprint;
use crate::cipher::seal::MAX_CONTENT;
use crate::room::Time;
use crate::room::card::{Card, SessionId};
use crate::room::content::{Bundle, MAX_SHARED, Unproven};
use crate::room::handed::NOT_TO_BE_HANDED_ON;
use crate::room::message::Header;

/// How much is kept: the latest messages, and no more bytes than these.
const MOST_MESSAGES: usize = 1000;
const MOST_BYTES: usize = 4 << 20;

/// How many bytes there are in a bundle beside cards and messages, and with each card.
const AROUND: usize = 4 + 4;
const AROUND_CARD: usize = 4;

/// Which of the earlier messages are to be handed on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Which {
    /// So many of the latest.
    Last(u32),
    /// Those that came since then, by this member's clock.
    Since(Time),
}

/// A message to the room, with all that proves it.
pub(super) struct Kept {
    message: Unproven,
    /// A card of its author's, and by what the author is known over all its cards.
    card: Arc<[u8]>,
    origin: SessionId,
    number: u64,
    came: Time,
    /// Who was left out: the session ids that they had, and who that was.
    left_out: Vec<SessionId>,
    identities: Vec<Fingerprint>,
}

impl Kept {
    /// A message that came at this time, with its header and a card of its author's; `None` where its
    /// author asks not to hand it on, or where it leaves somebody out who cannot be told, by
    /// `identity`, when they come again.
    pub(super) fn new(
        message: Unproven,
        header: &Header,
        author: &Card,
        came: Time,
        identity: impl Fn(SessionId) -> Option<Fingerprint>,
    ) -> Option<Self> {
        if header.flags & NOT_TO_BE_HANDED_ON != 0 {
            return None;
        }
        let left_out: Vec<SessionId> = header.left_out.iter().map(|(sid, _)| *sid).collect();
        let identities = left_out.iter().map(|sid| identity(*sid));
        Some(Self {
            message,
            card: Arc::clone(author.bytes()),
            origin: author.origin(),
            number: header.number,
            came,
            identities: identities.collect::<Option<_>>()?,
            left_out,
        })
    }

    /// Whether this member may have it: it is not its own, and its author did not leave it out.
    fn is_for(&self, reader: &Card) -> bool {
        let has_had = |sid: &SessionId| {
            *sid == reader.sid() || *sid == reader.first() || reader.has_previous(*sid)
        };
        self.origin != reader.origin()
            && !self.identities.contains(&reader.fingerprint())
            && !self.left_out.iter().any(has_had)
    }

    fn bytes(&self) -> usize {
        self.message.len()
            + self.card.len()
            + self.left_out.len() * (size_of::<SessionId>() + size_of::<Fingerprint>())
    }

    /// How many bytes it takes in a bundle without other messages.
    fn alone(&self) -> usize {
        AROUND + AROUND_CARD + self.card.len() + self.message.len()
    }
}

/// The latest messages, oldest first; those of each author by their numbers.
#[derive(Default)]
pub(super) struct Earlier {
    kept: VecDeque<Arc<Kept>>,
    bytes: usize,
}

/// What one reader is to be handed.
pub(super) struct Selection {
    pub(super) messages: VecDeque<Arc<Kept>>,
    /// How many are too long to be handed on.
    pub(super) too_long: u32,
}

impl Earlier {
    /// Keeps a message. One that comes late has its place before its author's next ones.
    pub(super) fn keep(&mut self, kept: Kept) {
        let is_later =
            |other: &Arc<Kept>| other.origin == kept.origin && other.number > kept.number;
        let place = self.kept.iter().position(is_later);
        self.bytes += kept.bytes();
        self.kept
            .insert(place.unwrap_or(self.kept.len()), Arc::new(kept));
        while (self.kept.len() > MOST_MESSAGES || self.bytes > MOST_BYTES)
            && let Some(oldest) = self.kept.pop_front()
        {
            self.bytes -= oldest.bytes();
        }
    }

    /// What this reader is to be handed, in bundles of so many bytes at most.
    pub(super) fn select(&self, which: Which, reader: &Card, bundle: usize) -> Selection {
        let (most, since) = match which {
            Which::Last(count) => (count.min(MAX_SHARED), 0),
            Which::Since(time) => (MAX_SHARED, time),
        };
        let its = self.kept.iter().rev();
        let its = its.filter(|kept| kept.came >= since && kept.is_for(reader));
        let latest = its.take(usize::try_from(most).unwrap_or(usize::MAX));
        let (fitting, too_long): (Vec<_>, Vec<_>) = latest.partition(|kept| kept.alone() <= bundle);
        Selection {
            messages: fitting.into_iter().rev().cloned().collect(),
            too_long: u32::try_from(too_long.len()).unwrap_or(u32::MAX),
        }
    }
}

/// The most bytes of a bundle at a relay that lets so many members into a room: the SEND frames of a
/// message may have 6,144 bytes for each of them and one more.
pub(super) fn longest_bundle(members: u32) -> usize {
    let members = usize::try_from(members).unwrap_or(usize::MAX);
    MAX_CONTENT.min(members.saturating_mul(4096))
}

/// Takes as many messages as fit into a bundle of so many bytes.
pub(super) fn take_bundle(messages: &mut VecDeque<Arc<Kept>>, most: usize) -> Bundle {
    let mut bundle = Bundle::default();
    let mut cards: Vec<Arc<[u8]>> = Vec::new();
    let mut bytes = AROUND;
    while let Some(kept) = messages.front() {
        let is_new = !cards.contains(&kept.card);
        let card = if is_new {
            AROUND_CARD + kept.card.len()
        } else {
            0
        };
        bytes += card + kept.message.len();
        if bytes > most {
            break;
        }
        if is_new {
            cards.push(Arc::clone(&kept.card));
        }
        bundle.messages.push(kept.message.clone());
        messages.pop_front();
    }
    bundle.cards = cards.iter().map(|card| card.to_vec()).collect();
    bundle
}

#[cfg(test)]
mod tests {
    use crate::cipher::keys::SessionKey;
    use crate::cipher::pem::IdentityPem;
    use crate::room::card::Identity;
    use crate::room::chain::{Claim, Link};
    use crate::room::content::Content;
    use crate::room::frame::RunId;
    use crate::room::message::{LeftOutFor, Stream};
    use crate::room::names::RoomName;
    use crate::room::numbers::Ranges;

    use super::*;

    const SOMEBODY: SessionId = SessionId([1; 32]);

    /// A message with this number of somebody's, which came at this time and has so many bytes of text.
    fn kept(number: u64, came: Time, text: usize) -> Kept {
        Kept {
            message: Unproven {
                header: vec![1; 100],
                signature: vec![2; 100],
                nonce: [3; 16],
                kind: 0,
                text: vec![b'x'; text],
            },
            card: vec![4; 1000].into(),
            origin: SOMEBODY,
            number,
            came,
            left_out: Vec::new(),
            identities: Vec::new(),
        }
    }

    fn carol() -> Card {
        let pem = include_str!("../../../tests/vectors/keys/cara_identity.pem");
        let key = |pem: &str| IdentityPem::parse(pem).unwrap().open().unwrap();
        let session = include_str!("../../../tests/vectors/keys/cara_session.pem");
        let session = SessionKey::from_identity(key(session));
        let identity = Identity {
            key: key(pem),
            is_lasting: true,
        };
        let nick = "carol".parse().unwrap();
        Card::issue(&RoomName::lobby(), &nick, &identity, session.public(), 0)
    }

    fn numbers(selection: &Selection) -> Vec<u64> {
        let numbers = selection.messages.iter().map(|kept| kept.number);
        numbers.collect()
    }

    #[test]
    fn the_latest_are_kept_each_authors_in_their_order() {
        let mut earlier = Earlier::default();
        for number in [0, 1, 3, 2] {
            earlier.keep(kept(number, 10 + number, 5));
        }
        earlier.keep(Kept {
            origin: SessionId([2; 32]),
            ..kept(1, 20, 5)
        });
        let carol = carol();
        let select = |which| numbers(&earlier.select(which, &carol, MAX_CONTENT));
        assert_eq!(select(Which::Last(100)), [0, 1, 2, 3, 1]);
        assert_eq!(select(Which::Last(2)), [3, 1]);
        assert!(select(Which::Last(0)).is_empty());
        assert_eq!(select(Which::Since(12)), [2, 3, 1]);
        assert!(select(Which::Since(21)).is_empty());
    }

    #[test]
    fn a_thousand_are_kept_and_4_mib() {
        let carol = carol();
        let mut many = Earlier::default();
        for number in 0..1100 {
            many.keep(kept(number, 0, 1));
        }
        let all = numbers(&many.select(Which::Last(u32::MAX), &carol, MAX_CONTENT));
        assert_eq!(all, (100..1100).collect::<Vec<u64>>());
        let mut long = Earlier::default();
        for number in 0..900 {
            long.keep(kept(number, 0, 10_000));
        }
        assert_eq!(
            long.bytes,
            long.kept.iter().map(|kept| kept.bytes()).sum::<usize>()
        );
        assert!((MOST_BYTES - 20_000..=MOST_BYTES).contains(&long.bytes));
        assert_eq!(long.kept.back().map(|kept| kept.number), Some(899));
    }

    #[test]
    fn nobody_gets_what_is_its_own_or_leaves_it_out_under_whatever_session_id() {
        let carol = carol();
        let mut earlier = Earlier::default();
        let others = SessionId([7; 32]);
        earlier.keep(Kept {
            origin: carol.origin(),
            ..kept(0, 0, 5)
        });
        earlier.keep(Kept {
            left_out: vec![others, carol.sid()],
            ..kept(1, 0, 5)
        });
        earlier.keep(Kept {
            left_out: vec![others],
            identities: vec![carol.fingerprint()],
            ..kept(2, 0, 5)
        });
        earlier.keep(Kept {
            left_out: vec![others],
            identities: vec![Fingerprint::of(b"another")],
            ..kept(3, 0, 5)
        });
        let selection = earlier.select(Which::Last(9), &carol, MAX_CONTENT);
        assert_eq!(numbers(&selection), [3]);
    }

    #[test]
    fn what_its_author_forbids_or_leaves_a_stranger_out_is_not_kept() {
        let carol = carol();
        let header = |flags, left_out| Header {
            room: RoomName::lobby().id(),
            sender: carol.sid(),
            stream: Stream::Room,
            number: 0,
            time: 0,
            flags,
            left_out,
            claim: Claim {
                run: RunId([0; 16]),
                link: Link {
                    position: 0,
                    digest: [0; 32],
                },
                roster: [0; 32],
                unread: Ranges::default(),
            },
            commitment: [0; 32],
        };
        let is_kept = |header: Header| {
            let known = |sid| (sid == SOMEBODY).then(|| Fingerprint::of(b"somebody"));
            let message = kept(0, 0, 5).message;
            Kept::new(message, &header, &carol, 0, known).is_some()
        };
        let stranger = SessionId([9; 32]);
        let left_out = |sid| vec![(sid, LeftOutFor::Coming)];
        assert!(is_kept(header(0, Vec::new())));
        assert!(is_kept(header(0xfe, left_out(SOMEBODY))));
        assert!(!is_kept(header(1, Vec::new())));
        assert!(!is_kept(header(0, left_out(stranger))));
    }

    #[test]
    fn bundles_are_filled_and_what_does_not_fit_into_one_is_left_out() {
        let carol = carol();
        let mut earlier = Earlier::default();
        let exact = MAX_CONTENT - kept(0, 0, 0).alone();
        for (number, text) in [(0, 4000), (1, 4000), (2, 4000), (3, exact), (4, exact + 1)] {
            earlier.keep(kept(number, 0, text));
        }
        let mut selection = earlier.select(Which::Last(9), &carol, MAX_CONTENT);
        assert_eq!(numbers(&selection), [0, 1, 2, 3]);
        assert_eq!(selection.too_long, 1);
        let mut sizes = Vec::new();
        while !selection.messages.is_empty() {
            let bundle = take_bundle(&mut selection.messages, MAX_CONTENT);
            assert_eq!(bundle.cards.len(), 1, "each has the cards that it needs");
            let bytes = bundle.encode();
            sizes.push((bundle.messages.len(), bytes.len() <= MAX_CONTENT));
            let read = Content::parse(Bundle::CODE, bytes);
            assert_eq!(read, Ok(Some(Content::Bundle(bundle))));
        }
        assert_eq!(sizes, [(2, true), (1, true), (1, true)]);
    }

    #[test]
    fn a_bundle_is_taken_by_a_relay_that_lets_in_whoever_is_to_have_it() {
        // The longest ciphertext, header and signature, and what a frame has around them.
        for members in 2..=4096_usize {
            let content = longest_bundle(u32::try_from(members).unwrap());
            let header = 300 + 16 * 256;
            let longest = (256..=512_usize).map(|k| (17 + content).div_ceil(k - 66) * k);
            let frame = longest.max().unwrap() + header + 512 + 60;
            assert!(frame <= 6144 * (1 + members), "{members}");
        }
    }
}
