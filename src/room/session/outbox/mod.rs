//! What this member has said: every message with what has become of it at each of its readers
//! (PROTOCOL §8).

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use crate::cipher::seal::Body;
use crate::room::Time;
use crate::room::card::SessionId;
use crate::room::frame::Frame;
use crate::room::message::{Header, SealedMessage};
use crate::room::names::Nick;

use super::history::At;

mod fate;
mod message;
mod settling;

pub use self::fate::{Fate, Undelivered};

pub(super) use self::fate::News;
pub(super) use self::message::{Audience, Draft, Matter, Message, Reader};

use self::message::{Form, Sealed};

/// How long a message waits for a reader who is not in the room, and may come back.
pub(super) const HELD: Duration = Duration::from_mins(5);

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
}
