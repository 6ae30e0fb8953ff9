//! What this member has said: every message with what has become of it at each of its readers
//! (PROTOCOL §8).

use std::collections::{HashMap, HashSet, VecDeque};
use std::time::Duration;

use crate::cipher::seal::Body;
use crate::room::Time;
use crate::room::card::{Card, SessionId};
use crate::room::chain::Claim;
use crate::room::content::Unproven;
use crate::room::frame::Frame;
use crate::room::message::{Header, Kind, LeftOutFor, SealedMessage};
use crate::room::names::Nick;
use crate::room::numbers::{Had, Outcome};

use super::history::At;

/// How many bytes of messages are kept for readers who may come anew, and how long.
const KEPT_BYTES: usize = 8 << 20;
const KEPT: Duration = Duration::from_hours(24);
/// How long a message waits for a reader who is not in the room, and may come back.
pub(super) const HELD: Duration = Duration::from_mins(5);
/// How many messages are kept of which all is known.
const MAX_OVER: usize = 20;
/// How many bytes of texts, and of what is known of their readers, are kept.
const KNOWN_BYTES: usize = 32 << 20;

/// Somebody for whom a message is, and what has become of it there.
#[derive(Clone, Debug)]
pub(super) struct Reader {
    /// The session id that it had when the message was sealed, or written, and its card's generation.
    sid: SessionId,
    generation: u32,
    /// The session id that it had at first, by which it is known.
    origin: SessionId,
    nick: Nick,
    /// As which of the things that this member sends it went to this reader alone, the last time: it is
    /// to be confirmed by a receipt.
    alone: Option<u64>,
    /// What is known of that, and was told.
    fate: Option<Fate>,
}

impl Reader {
    /// The member with this card, of which nothing is known yet.
    pub(super) fn new(card: &Card) -> Self {
        Self {
            sid: card.sid(),
            generation: card.generation(),
            origin: card.origin(),
            nick: card.nick().clone(),
            alone: None,
            fate: None,
        }
    }

    fn is_open(&self) -> bool {
        matches!(self.fate, None | Some(Fate::Unconfirmed))
    }

    /// Whether whoever has this card, of the same origin, is the one whom the author saw: under that session
    /// id, or one that it has changed to since. A relay may bring an older card back.
    pub(super) fn goes_on_as(&self, card: &Card) -> bool {
        card.sid() == self.sid || card.generation() > self.generation
    }

    /// Whether it is still open, though the reader was sent it alone before this.
    fn is_overtaken(&self, by: u64) -> bool {
        self.is_open() && self.alone.is_some_and(|sent| sent < by)
    }
}

/// Why a message has not reached somebody.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Undelivered {
    /// It could not be opened there.
    Unopened,
    /// The reader has left, or has not come back.
    Gone,
    /// The reader was started anew, and has come back as somebody without the key for it.
    CameAnew,
    /// The reader had used one session key for too long when it could be sent.
    StaleKey,
    /// A session key has changed before it came, the author's or the reader's: the relay does not pass it
    /// on any more.
    KeyChanged,
    /// So much else is waiting that it is not kept any more.
    TooMuch,
    /// It was not confirmed for so long that it is not kept any more.
    TooLong,
}

/// What has become of a message at a reader.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// The reader has signed that its program opened it, and handed it to the display.
    Confirmed,
    /// It has not reached the reader, and will not.
    Undelivered(Undelivered),
    /// The reader has not confirmed it, for as long as that takes at most where all is well.
    Unconfirmed,
}

impl Fate {
    /// That of a message which its reader says that it has opened, or not.
    fn of(is_opened: bool) -> Self {
        if is_opened {
            Self::Confirmed
        } else {
            Self::Undelivered(Undelivered::Unopened)
        }
    }
}

/// That, of which message, at which reader.
pub(super) struct News {
    pub(super) receipt: u64,
    pub(super) text: String,
    pub(super) reader: Nick,
    pub(super) fate: Fate,
}

/// What a message is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Matter {
    /// It says something.
    Words(Kind),
    /// It announces what is handed on.
    Share,
    /// It hands that on.
    Bundle,
}

/// For whom a message is, as that stood on the author's screen, by first session ids: no newcomer is added
/// to them.
pub(super) struct Audience {
    /// Whether it is for one alone.
    pub(super) is_direct: bool,
    pub(super) readers: Vec<Reader>,
    pub(super) left_out: HashMap<SessionId, LeftOutFor>,
}

/// What is kept of a message until it can be sent.
pub(super) struct Draft {
    pub(super) body: Body,
    /// When it was written, by the clock that others are told.
    pub(super) time: Time,
    pub(super) left_out: HashMap<SessionId, LeftOutFor>,
}

/// What a message is since it could be sent.
struct Sealed {
    number: u64,
    sender: SessionId,
    claim: Claim,
    /// When it was signed, by active time and by this member's uptime.
    signed: Duration,
    at: Duration,
    /// Dropped when too much is kept: then it is not sent again.
    bytes: Option<SealedMessage>,
}

/// How far a message is. What may have reached the relay is never sealed anew.
enum Form {
    Draft(Draft),
    Sealed(Sealed),
}

/// A message that was said.
pub(super) struct Message {
    receipt: u64,
    matter: Matter,
    is_direct: bool,
    text: String,
    /// When it was written, by this member's uptime.
    said: Duration,
    form: Form,
    /// Where in the chain it stands, once it has come back.
    place: Option<At>,
    /// Whether the relay has taken it.
    is_taken: bool,
    readers: Vec<Reader>,
}

impl Message {
    fn sealed(&self) -> Option<&Sealed> {
        match &self.form {
            Form::Draft(_) => None,
            Form::Sealed(sealed) => Some(sealed),
        }
    }

    fn sealed_bytes(&self) -> Option<&SealedMessage> {
        self.sealed()?.bytes.as_ref()
    }

    /// It is not sent again.
    fn drop_bytes(&mut self) {
        if let Form::Sealed(sealed) = &mut self.form {
            sealed.bytes = None;
        }
    }

    pub(super) fn receipt(&self) -> u64 {
        self.receipt
    }

    pub(super) fn text(&self) -> &str {
        &self.text
    }

    /// What of it can be handed on, once it is in the chain.
    pub(super) fn copy(&self) -> Option<Unproven> {
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
    fn is_speech(&self) -> bool {
        matches!(self.matter, Matter::Words(Kind::Text | Kind::Action))
    }

    /// Whether it says anything.
    pub(super) fn has_words(&self) -> bool {
        matches!(self.matter, Matter::Words(_))
    }

    /// Under which session id it was sealed, if it was.
    pub(super) fn sender(&self) -> Option<SessionId> {
        self.sealed().map(|sealed| sealed.sender)
    }

    pub(super) fn claim(&self) -> Option<&Claim> {
        self.sealed().map(|sealed| &sealed.claim)
    }

    /// When it was signed, by active time.
    pub(super) fn signed(&self) -> Option<Duration> {
        self.sealed().map(|sealed| sealed.signed)
    }

    /// Whom it is for, by the session ids at first and as far as is known now, if it is for one alone.
    pub(super) fn direct_reader(&self) -> Option<(SessionId, SessionId)> {
        let reader = self.readers.first().filter(|_| self.is_direct)?;
        Some((reader.origin, reader.sid))
    }

    /// The frames that carry it.
    pub(super) fn frames(&self) -> Vec<Frame> {
        self.sealed_bytes()
            .map_or_else(Vec::new, SealedMessage::frames)
    }

    /// What is hashed of it as an entry.
    pub(super) fn entry(&self) -> Vec<u8> {
        self.sealed_bytes()
            .map_or_else(Vec::new, SealedMessage::entry)
    }

    /// Those, by their first session ids, of whom it is not known what has become of it there.
    pub(super) fn open_readers(&self) -> HashMap<SessionId, &Reader> {
        let open = self.readers.iter().filter(|reader| reader.is_open());
        open.map(|reader| (reader.origin, reader)).collect()
    }

    pub(super) fn readers(&self) -> impl Iterator<Item = &Nick> {
        self.readers.iter().map(|reader| &reader.nick)
    }

    fn reader(&self, origin: SessionId) -> Option<&Reader> {
        self.readers.iter().find(|reader| reader.origin == origin)
    }

    /// This has become of it at a reader.
    fn tell(&mut self, reader: usize, fate: Fate) -> Option<News> {
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
    fn copies(&self, origin: SessionId) -> Vec<Frame> {
        let open = self.reader(origin).filter(|reader| reader.is_open());
        match (open, self.sealed_bytes()) {
            (Some(_), Some(sealed)) if self.is_direct => sealed.frames(),
            (Some(reader), Some(sealed)) => sealed.late_copy(reader.sid).into_iter().collect(),
            _ => Vec::new(),
        }
    }

    fn is_over(&self) -> bool {
        self.is_taken && !self.readers.iter().any(Reader::is_open)
    }

    /// How much is kept of it that is not sent.
    fn known_bytes(&self) -> usize {
        self.text.len() + self.readers.len() * size_of::<Reader>()
    }

    fn bytes(&self) -> usize {
        self.sealed_bytes().map_or(0, SealedMessage::len)
    }
}

/// What is known of a message when it has been said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// Tells it from all others of this session.
    pub number: u64,
    /// How many can read it.
    pub readers: usize,
}

/// A message that this member has said, and what is known of it.
#[derive(Debug)]
pub struct Said<'a> {
    /// The number of its receipt.
    pub receipt: u64,
    /// What it says.
    pub text: &'a str,
    /// Whom it is for, if for one alone.
    pub to: Option<&'a Nick>,
    /// Whether the relay has taken it.
    pub is_taken: bool,
    /// Its readers, and what has become of it there, if that is known.
    pub readers: Vec<(&'a Nick, Option<Fate>)>,
}

/// All messages of which something may still become known, and the latest others; oldest first.
#[derive(Default)]
pub(super) struct Outbox {
    messages: VecDeque<Message>,
    /// The numbers of this member's next direct messages, by the first session id of the reader.
    direct: HashMap<SessionId, u64>,
    /// The number of its next message to the room.
    next: u64,
    /// How many messages were said, whoever they were for.
    receipts: u64,
}

impl Outbox {
    /// The number of the next message in a stream to the room, or to the member that had this session
    /// id at first.
    pub(super) fn number(&self, origin: Option<SessionId>) -> u64 {
        origin.map_or(self.next, |origin| {
            self.direct.get(&origin).copied().unwrap_or_default()
        })
    }

    /// Something is written: when, by the clock that others are told, and by this member's uptime.
    pub(super) fn write(
        &mut self,
        (matter, text): (Matter, String),
        body: Body,
        audience: Audience,
        (time, said): (Time, Duration),
    ) -> Receipt {
        self.receipts += 1;
        let receipt = Receipt {
            number: self.receipts,
            readers: audience.readers.len(),
        };
        self.messages.push_back(Message {
            receipt: receipt.number,
            matter,
            is_direct: audience.is_direct,
            text,
            said,
            form: Form::Draft(Draft {
                body,
                time,
                left_out: audience.left_out,
            }),
            place: None,
            is_taken: false,
            readers: audience.readers,
        });
        receipt
    }

    /// The oldest message that was never sent.
    pub(super) fn next_draft(&self) -> Option<(&Message, &Draft)> {
        self.messages
            .iter()
            .find_map(|message| match &message.form {
                Form::Draft(draft) => Some((message, draft)),
                Form::Sealed(_) => None,
            })
    }

    /// A draft is signed, at this active time and uptime, and sealed for readers who have these session ids
    /// now. Its number is used.
    pub(super) fn seal(
        &mut self,
        receipt: u64,
        header: &Header,
        bytes: SealedMessage,
        readers: &HashMap<SessionId, SessionId>,
        (signed, at): (Duration, Duration),
    ) {
        let Some(message) = self.get_mut(receipt) else {
            return;
        };
        message.form = Form::Sealed(Sealed {
            number: header.number,
            sender: header.sender,
            claim: header.claim.clone(),
            signed,
            at,
            bytes: Some(bytes),
        });
        for reader in &mut message.readers {
            reader.sid = readers.get(&reader.origin).copied().unwrap_or(reader.sid);
        }
        match message.direct_reader() {
            None => self.next = header.number + 1,
            Some((origin, _)) => {
                self.direct.insert(origin, header.number + 1);
            }
        }
    }

    /// A draft is for none of these readers in the end, for this reason.
    pub(super) fn leave_out(
        &mut self,
        receipt: u64,
        readers: &HashSet<SessionId>,
        reason: Undelivered,
    ) -> Vec<News> {
        if readers.is_empty() {
            return Vec::new();
        }
        self.settle(|message, reader| {
            let is_it = message.receipt == receipt && readers.contains(&reader.origin);
            is_it.then_some(Fate::Undelivered(reason))
        })
    }

    pub(super) fn get(&self, receipt: u64) -> Option<&Message> {
        self.messages
            .iter()
            .find(|message| message.receipt == receipt)
    }

    fn get_mut(&mut self, receipt: u64) -> Option<&mut Message> {
        let mut messages = self.messages.iter_mut();
        messages.find(|message| message.receipt == receipt)
    }

    /// The messages that the relay has not taken.
    pub(super) fn untaken(&self) -> impl Iterator<Item = &Message> {
        self.messages.iter().filter(|message| !message.is_taken)
    }

    /// The receipts and texts of what has not been confirmed by these readers, who are not in the room.
    pub(super) fn waiting_for(
        &self,
        is_absent: impl Fn(SessionId) -> bool,
    ) -> Vec<(u64, Vec<Nick>, &str)> {
        let mut waiting = Vec::new();
        let taken = self.messages.iter().filter(|message| message.is_taken);
        for message in taken.filter(|message| message.is_speech()) {
            let readers = message.readers.iter();
            let absent = readers.filter(|reader| reader.is_open() && is_absent(reader.origin));
            let nicks: Vec<Nick> = absent.map(|reader| reader.nick.clone()).collect();
            if !nicks.is_empty() {
                waiting.push((message.receipt, nicks, message.text()));
            }
        }
        waiting
    }

    /// It has come back from the relay, which has taken it, at this place of the chain.
    pub(super) fn came_back(&mut self, receipt: u64, place: At) {
        if let Some(message) = self.get_mut(receipt) {
            message.place = Some(place);
            message.is_taken = true;
        }
    }

    /// The relay has taken it. One to the room has come back before, if all is well.
    pub(super) fn taken(&mut self, receipt: u64) {
        if let Some(message) = self.get_mut(receipt) {
            message.is_taken |= message.is_direct;
        }
    }

    /// It cannot be sent any more. Returns it.
    pub(super) fn give_up(&mut self, receipt: u64) -> Option<Message> {
        let is_it = |message: &Message| message.receipt == receipt;
        let place = self.messages.iter().position(is_it)?;
        self.messages.remove(place)
    }

    /// Sets down what has become of messages at readers for whom that was open, and forgets what is over.
    fn settle(&mut self, fate: impl Fn(&Message, &Reader) -> Option<Fate>) -> Vec<News> {
        let mut news = Vec::new();
        for message in &mut self.messages {
            for place in 0..message.readers.len() {
                let open = message.readers.get(place).filter(|reader| reader.is_open());
                if let Some(fate) = open.and_then(|reader| fate(message, reader)) {
                    news.extend(message.tell(place, fate));
                }
            }
        }
        self.forget();
        news
    }

    /// Forgets what is over, but for the latest, and keeps nothing of these that is sent.
    fn forget(&mut self) {
        let over = self.messages.iter().filter(|message| message.is_over());
        let mut excess = over.count().saturating_sub(MAX_OVER);
        self.messages.retain_mut(|message| {
            if !message.is_over() {
                return true;
            }
            message.drop_bytes();
            let is_kept = excess == 0;
            excess = excess.saturating_sub(1);
            is_kept
        });
    }

    /// The latest messages of which somebody may want to know what has become of them, oldest first.
    pub(super) fn latest(&self) -> impl Iterator<Item = Said<'_>> {
        let speech = self.messages.iter().filter(|message| message.is_speech());
        speech.map(|message| Said {
            receipt: message.receipt,
            text: &message.text,
            to: message
                .direct_reader()
                .and_then(|_| message.readers().next()),
            is_taken: message.is_taken,
            readers: message
                .readers
                .iter()
                .map(|reader| (&reader.nick, reader.fate))
                .collect(),
        })
    }

    /// A reader has signed that it has taken in all from one position of a run to another, but for
    /// these that it did not open.
    pub(super) fn confirm(&mut self, origin: SessionId, first: At, claim: &Claim) -> Vec<News> {
        let covered = first.position..=claim.link.position;
        self.settle(|message, reader| {
            let place = message.place.filter(|place| place.run == first.run)?;
            let is_its = reader.origin == origin && covered.contains(&place.position);
            is_its.then(|| Fate::of(!claim.unread.contains(place.position)))
        })
    }

    /// A reader says to this member alone which of its messages it has had: of those to it, and perhaps
    /// of those to the room.
    pub(super) fn confirm_by_number(
        &mut self,
        origin: SessionId,
        direct: &Had,
        room: Option<&Had>,
    ) -> Vec<News> {
        self.settle(|message, reader| {
            let had = if message.is_direct { direct } else { room? };
            let outcome = had.outcome(message.sealed()?.number)?;
            (reader.origin == origin).then(|| Fate::of(outcome == Outcome::Opened))
        })
    }

    /// A reader is called something else from now on: by the nick before, the user might take somebody
    /// else for it.
    pub(super) fn call(&mut self, origin: SessionId, nick: &Nick) {
        let messages = self.messages.iter_mut();
        for reader in messages.flat_map(|message| &mut message.readers) {
            if reader.origin == origin {
                reader.nick = nick.clone();
            }
        }
    }

    /// What is handed on ends for a reader, who leaves or enters anew: it is not sent again, and nothing is
    /// told of it here.
    pub(super) fn end_handing_on(&mut self, origin: SessionId) {
        let gone = Fate::Undelivered(Undelivered::Gone);
        self.settle(|message, reader| {
            (!message.has_words() && reader.origin == origin).then_some(gone)
        });
    }

    /// What is handed on ends for all readers, as this member enters anew.
    pub(super) fn forget_handing_on(&mut self) {
        self.messages.retain(Message::has_words);
    }

    /// What a reader has not confirmed does not come any more, for this reason.
    pub(super) fn give_up_reader(&mut self, origin: SessionId, why: Undelivered) -> Vec<News> {
        let lost = Fate::Undelivered(why);
        self.settle(|_, reader| (reader.origin == origin).then_some(lost))
    }

    /// What a reader, who has entered anew or to whom this member has, has not confirmed and is not sent
    /// again, as it is not kept, or was written under none of these session ids of this member's, or for
    /// none of these of the reader's: the relay passes on no others.
    pub(super) fn give_up_for(
        &mut self,
        origin: SessionId,
        senders: [SessionId; 2],
        readers: [SessionId; 2],
    ) -> Vec<News> {
        self.settle(|message, reader| {
            if reader.origin != origin || !message.is_taken {
                return None;
            }
            let sealed = message.sealed()?;
            let is_passed_on = senders.contains(&sealed.sender) && readers.contains(&reader.sid);
            match sealed.bytes {
                Some(_) if is_passed_on => None,
                Some(_) => Some(Fate::Undelivered(Undelivered::KeyChanged)),
                None => Some(Fate::Undelivered(Undelivered::TooMuch)),
            }
        })
    }

    /// A reader has entered anew, or this member has: what went to it alone before counts for nothing.
    /// Returns the receipts of what it is to be sent once more, as it has not confirmed it. That is messages
    /// to the room that have been entries, and its direct ones; of these also what the relay may have taken
    /// when the reader was not there, if this member `was_there` before it.
    pub(super) fn start_over(&mut self, origin: SessionId, was_there: bool) -> VecDeque<u64> {
        let mut receipts = VecDeque::new();
        for message in &mut self.messages {
            let is_sent = message.sealed().is_some();
            let may_be_taken = message.is_taken || was_there && message.is_direct && is_sent;
            let readers = message.readers.iter_mut();
            let mut open = readers.filter(|it| it.origin == origin && may_be_taken && it.is_open());
            if let Some(reader) = open.next() {
                reader.alone = None;
                receipts.push_back(message.receipt);
            }
        }
        receipts
    }

    /// The frames that carry what has this receipt to a reader alone, if that is open.
    pub(super) fn copies(&self, receipt: u64, origin: SessionId) -> Vec<Frame> {
        let message = self.get(receipt);
        message.map_or_else(Vec::new, |message| message.copies(origin))
    }

    /// A message is sent to a reader alone, as which of the things that this member sends.
    pub(super) fn sent_alone(&mut self, receipt: u64, origin: SessionId, order: u64) {
        let readers = self.get_mut(receipt).map(|message| &mut message.readers);
        let reader = readers.and_then(|all| all.iter_mut().find(|it| it.origin == origin));
        if let Some(reader) = reader {
            reader.alone = Some(order);
        }
    }

    /// Whether a message that was sent to a reader alone, before this, is not confirmed, under one of these
    /// session ids, which the reader has.
    pub(super) fn is_owed_receipt(
        &self,
        origin: SessionId,
        sids: [SessionId; 2],
        before: u64,
    ) -> bool {
        let mut readers = self.messages.iter().filter_map(|message| {
            let reader = message.reader(origin).filter(|_| message.is_taken)?;
            Some(reader)
        });
        readers.any(|reader| reader.is_overtaken(before) && sids.contains(&reader.sid))
    }

    /// Gives up what was sent to a reader alone, before this, and is not confirmed, under none of these
    /// session ids, which the reader has: it may have come to a relay that does not pass it on any more.
    pub(super) fn give_up_overtaken(
        &mut self,
        origin: SessionId,
        sids: [SessionId; 2],
        before: u64,
    ) -> Vec<News> {
        self.settle(|message, reader| {
            let is_overtaken =
                message.is_taken && reader.origin == origin && reader.is_overtaken(before);
            let is_lost = is_overtaken && !sids.contains(&reader.sid);
            is_lost.then_some(Fate::Undelivered(Undelivered::KeyChanged))
        })
    }

    /// Tells what has waited for too long: in active time, from when it was said or when its reader
    /// came, if that was later; for somebody who is not in the room, in this member's uptime.
    pub(super) fn take_overdue(
        &mut self,
        active: Duration,
        now: Duration,
        patience: Duration,
        here_since: impl Fn(SessionId) -> Option<Duration>,
        absent_since: impl Fn(SessionId) -> Option<Duration>,
    ) -> Vec<News> {
        let mut news = self.settle(|message, reader| {
            let sealed = message.sealed().filter(|_| message.is_taken)?;
            let away = absent_since(reader.origin);
            let here = here_since(reader.origin).unwrap_or_default();
            let is_gone =
                away.is_some_and(|since| now.saturating_sub(since.max(message.said)) >= HELD);
            let is_overdue = active.saturating_sub(sealed.signed.max(here)) > patience;
            if is_gone {
                Some(Fate::Undelivered(Undelivered::Gone))
            } else if now.saturating_sub(sealed.at) >= KEPT {
                Some(Fate::Undelivered(Undelivered::TooLong))
            } else {
                let is_news = is_overdue && away.is_none() && reader.fate.is_none();
                is_news.then_some(Fate::Unconfirmed)
            }
        });
        news.extend(self.bound());
        news
    }

    /// Gives up the oldest that is kept, where too much is.
    fn bound(&mut self) -> Vec<News> {
        let mut bytes: usize = self.messages.iter().map(Message::bytes).sum();
        let mut known: usize = self.messages.iter().map(Message::known_bytes).sum();
        let mut given_up = 0;
        for message in self.messages.iter_mut().filter(|message| message.is_taken) {
            if bytes > KEPT_BYTES {
                bytes -= message.bytes();
                message.drop_bytes();
            }
            if known > KNOWN_BYTES {
                known -= message.known_bytes();
                given_up = message.receipt;
            }
        }
        let too_much = Fate::Undelivered(Undelivered::TooMuch);
        self.settle(|message, _| {
            (message.is_taken && message.receipt <= given_up).then_some(too_much)
        })
    }
}
