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

use super::{Now, Session};

/// How much is kept: the latest messages, and no more bytes than these.
const MOST: usize = 1000;
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
            + self.left_out.len() * (size_of::<SessionId>() + size_of::<Fingerprint>())
    }

    /// How many bytes it takes in a bundle without other messages.
    fn alone(&self) -> usize {
        AROUND + AROUND_CARD + self.card.len() + self.message.len()
    }
}

impl Session {
    /// Keeps a message to the room that was opened, or this member's own that has come back. Its author has
    /// this session id, or is this member.
    pub(super) fn keep(&mut self, message: Unproven, author: Option<SessionId>, now: Now) {
        let of_another = |sid| self.members.roster.get(sid).map(|peer| &peer.card);
        let author = author.map_or(Some(&self.own.card), of_another);
        let (Some(author), Ok(header)) = (author, Header::parse(&message.header)) else {
            return;
        };
        let identity = |sid| self.members.identity(sid);
        let kept = Kept::new(message, &header, author, now.time, identity);
        if let Some(kept) = kept {
            self.earlier.keep(kept);
        }
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
        while (self.kept.len() > MOST || self.bytes > MOST_BYTES)
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
