//! A message that this member has said, and its readers.

use std::collections::HashMap;
use std::time::Duration;

use crate::cipher::seal::Body;
use crate::room::Time;
use crate::room::card::{Card, SessionId};
use crate::room::chain::Claim;
use crate::room::content::Unproven;
use crate::room::frame::Frame;
use crate::room::message::{Kind, LeftOutFor, SealedMessage};
use crate::room::names::Nick;

use super::super::history::At;
use super::fate::{Fate, News};

/// Somebody for whom a message is, and what has become of it there.
#[derive(Clone, Debug)]
pub(in crate::room::session) struct Reader {
    /// The session id that it had when the message was sealed, or written, and its card's generation.
    pub(super) sid: SessionId,
    pub(super) generation: u32,
    /// The session id that it had at first, by which it is known.
    pub(super) origin: SessionId,
    pub(super) nick: Nick,
    /// As which of the things that this member sends it went to this reader alone, the last time: it is
    /// to be confirmed by a receipt.
    pub(super) alone: Option<u64>,
    /// What is known of that, and was told.
    pub(super) fate: Option<Fate>,
}

impl Reader {
    /// The member with this card, of which nothing is known yet.
    pub(in crate::room::session) fn new(card: &Card) -> Self {
        Self {
            sid: card.sid(),
            generation: card.generation(),
            origin: card.origin(),
            nick: card.nick().clone(),
            alone: None,
            fate: None,
        }
    }

    pub(super) fn is_open(&self) -> bool {
        matches!(self.fate, None | Some(Fate::Unconfirmed))
    }

    /// Whether whoever has this card, of the same origin, is the one whom the author saw: under that session
    /// id, or one that it has changed to since. A relay may bring an older card back.
    pub(in crate::room::session) fn goes_on_as(&self, card: &Card) -> bool {
        card.sid() == self.sid || card.generation() > self.generation
    }

    /// Whether it is still open, though the reader was sent it alone before this.
    pub(super) fn is_overtaken(&self, by: u64) -> bool {
        self.is_open() && self.alone.is_some_and(|sent| sent < by)
    }
}

/// What a message is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::room::session) enum Matter {
    /// It says something.
    Words(Kind),
    /// It announces what is handed on.
    Share,
    /// It hands that on.
    Bundle,
}

/// For whom a message is, as that stood on the author's screen, by first session ids: no newcomer is added
/// to them.
pub(in crate::room::session) struct Audience {
    /// Whether it is for one alone.
    pub(in crate::room::session) is_direct: bool,
    pub(in crate::room::session) readers: Vec<Reader>,
    pub(in crate::room::session) left_out: HashMap<SessionId, LeftOutFor>,
}

/// What is kept of a message until it can be sent.
pub(in crate::room::session) struct Draft {
    pub(in crate::room::session) body: Body,
    /// When it was written, by the clock that others are told.
    pub(in crate::room::session) time: Time,
    pub(in crate::room::session) left_out: HashMap<SessionId, LeftOutFor>,
}

/// What a message is since it could be sent.
pub(super) struct Sealed {
    pub(super) number: u64,
    pub(super) sender: SessionId,
    pub(super) claim: Claim,
    /// When it was signed, by active time and by this member's uptime.
    pub(super) signed: Duration,
    pub(super) at: Duration,
    /// Dropped when too much is kept: then it is not sent again.
    pub(super) bytes: Option<SealedMessage>,
}

/// How far a message is. What may have reached the relay is never sealed anew.
pub(super) enum Form {
    Draft(Draft),
    Sealed(Sealed),
}

/// A message that was said.
pub(in crate::room::session) struct Message {
    pub(super) receipt: u64,
    pub(super) matter: Matter,
    pub(super) is_direct: bool,
    pub(super) text: String,
    /// When it was written, by this member's uptime.
    pub(super) said: Duration,
    pub(super) form: Form,
    /// Where in the chain it stands, once it has come back.
    pub(super) place: Option<At>,
    /// Whether the relay has taken it.
    pub(super) is_taken: bool,
    pub(super) readers: Vec<Reader>,
}

impl Message {
    pub(super) fn sealed(&self) -> Option<&Sealed> {
        match &self.form {
            Form::Draft(_) => None,
            Form::Sealed(sealed) => Some(sealed),
        }
    }

    fn sealed_bytes(&self) -> Option<&SealedMessage> {
        self.sealed()?.bytes.as_ref()
    }

    /// It is not sent again.
    pub(super) fn drop_bytes(&mut self) {
        if let Form::Sealed(sealed) = &mut self.form {
            sealed.bytes = None;
        }
    }

    pub(in crate::room::session) fn receipt(&self) -> u64 {
        self.receipt
    }

    pub(in crate::room::session) fn text(&self) -> &str {
        &self.text
    }

    /// What of it can be handed on, once it is in the chain.
    pub(in crate::room::session) fn copy(&self) -> Option<Unproven> {
        let (Matter::Words(kind), Some(sealed)) = (self.matter, self.sealed_bytes()) else {
            return None;
        };
        (self.is_speech() && !self.is_direct).then(|| Unproven {
            header: sealed.header.clone(),
            signature: sealed.signature.clone(),
            nonce: sealed.nonce,
            kind: kind.code(),
            text: self.text.clone().into_bytes(),
        })
    }

    /// Whether somebody may want to know what has become of it.
    pub(super) fn is_speech(&self) -> bool {
        matches!(self.matter, Matter::Words(Kind::Text | Kind::Action))
    }

    /// Whether it says anything.
    pub(in crate::room::session) fn has_words(&self) -> bool {
        matches!(self.matter, Matter::Words(_))
    }

    /// Under which session id it was sealed, if it was.
    pub(in crate::room::session) fn sender(&self) -> Option<SessionId> {
        self.sealed().map(|sealed| sealed.sender)
    }

    pub(in crate::room::session) fn claim(&self) -> Option<&Claim> {
        self.sealed().map(|sealed| &sealed.claim)
    }

    /// When it was signed, by active time.
    pub(in crate::room::session) fn signed(&self) -> Option<Duration> {
        self.sealed().map(|sealed| sealed.signed)
    }

    /// Whom it is for, by the session ids at first and as far as is known now, if it is for one alone.
    pub(in crate::room::session) fn direct_reader(&self) -> Option<(SessionId, SessionId)> {
        let reader = self.readers.first().filter(|_| self.is_direct)?;
        Some((reader.origin, reader.sid))
    }

    /// The frames that carry it.
    pub(in crate::room::session) fn frames(&self) -> Vec<Frame> {
        self.sealed_bytes()
            .map_or_else(Vec::new, SealedMessage::frames)
    }

    /// What is hashed of it as an entry.
    pub(in crate::room::session) fn entry(&self) -> Vec<u8> {
        self.sealed_bytes()
            .map_or_else(Vec::new, SealedMessage::entry)
    }

    /// Those, by their first session ids, of whom it is not known what has become of it there.
    pub(in crate::room::session) fn open_readers(&self) -> HashMap<SessionId, &Reader> {
        let open = self.readers.iter().filter(|reader| reader.is_open());
        open.map(|reader| (reader.origin, reader)).collect()
    }

    pub(in crate::room::session) fn readers(&self) -> impl Iterator<Item = &Nick> {
        self.readers.iter().map(|reader| &reader.nick)
    }

    pub(super) fn reader(&self, origin: SessionId) -> Option<&Reader> {
        self.readers.iter().find(|reader| reader.origin == origin)
    }

    /// This has become of it at a reader.
    pub(super) fn tell(&mut self, reader: usize, fate: Fate) -> Option<News> {
        let reader = self.readers.get_mut(reader)?;
        reader.fate = Some(fate);
        let nick = reader.nick.clone();
        let is_worth_telling = self.is_speech() || self.matter == Matter::Bundle;
        is_worth_telling.then(|| News {
            receipt: self.receipt,
            text: self.text.clone(),
            reader: nick,
            fate,
        })
    }

    /// The frames that carry it to a reader alone, if that is open.
    pub(super) fn copies(&self, origin: SessionId) -> Vec<Frame> {
        let open = self.reader(origin).filter(|reader| reader.is_open());
        match (open, self.sealed_bytes()) {
            (Some(_), Some(sealed)) if self.is_direct => sealed.frames(),
            (Some(reader), Some(sealed)) => sealed.late_copy(reader.sid).into_iter().collect(),
            _ => Vec::new(),
        }
    }

    pub(super) fn is_over(&self) -> bool {
        self.is_taken && !self.readers.iter().any(Reader::is_open)
    }

    /// How much is kept of it that is not sent.
    pub(super) fn known_bytes(&self) -> usize {
        self.text.len() + self.readers.len() * size_of::<Reader>()
    }

    pub(super) fn bytes(&self) -> usize {
        self.sealed_bytes().map_or(0, SealedMessage::len)
    }
}
