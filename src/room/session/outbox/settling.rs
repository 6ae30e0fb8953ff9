//! What becomes known of messages: that they are confirmed, or that they have not reached somebody.

use std::collections::HashSet;
use std::time::Duration;

use crate::room::card::SessionId;
use crate::room::chain::Claim;
use crate::room::numbers::{Had, Outcome};

use super::super::history::At;
use super::fate::{Fate, News, Undelivered};
use super::message::{Message, Reader};
use super::{HELD, Outbox};

/// How many bytes of messages are kept for readers who may come anew, and how long.
const KEPT_BYTES: usize = 8 << 20;
const KEPT_FOR: Duration = Duration::from_hours(24);
/// How many messages are kept of which all is known.
const MAX_OVER: usize = 20;
/// How many bytes of texts, and of what is known of their readers, are kept.
const KNOWN_BYTES: usize = 32 << 20;

impl Outbox {
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

    /// A reader has signed that it has taken in all from one position of a run to another, but for
    /// these that it did not open.
    pub(in crate::room::session) fn confirm(
        &mut self,
        origin: SessionId,
        first: At,
        claim: &Claim,
    ) -> Vec<News> {
        let covered = first.position..=claim.link.position;
        self.settle(|message, reader| {
            let place = message.place.filter(|place| place.run == first.run)?;
            let is_its = reader.origin == origin && covered.contains(&place.position);
            is_its.then(|| Fate::of(!claim.unread.contains(place.position)))
        })
    }

    /// A reader says to this member alone which of its messages it has had: of those to it, and perhaps
    /// of those to the room.
    pub(in crate::room::session) fn confirm_by_number(
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

    /// A draft is for none of these readers in the end, for this reason.
    pub(in crate::room::session) fn leave_out(
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

    /// What is handed on ends for a reader, who leaves or enters anew: it is not sent again, and nothing is
    /// told of it here.
    pub(in crate::room::session) fn end_handing_on(&mut self, origin: SessionId) {
        let gone = Fate::Undelivered(Undelivered::Gone);
        self.settle(|message, reader| {
            (!message.has_words() && reader.origin == origin).then_some(gone)
        });
    }

    /// What is handed on ends for all readers, as this member enters anew.
    pub(in crate::room::session) fn forget_handing_on(&mut self) {
        self.messages.retain(Message::has_words);
    }

    /// What a reader has not confirmed does not come any more, for this reason.
    pub(in crate::room::session) fn give_up_reader(
        &mut self,
        origin: SessionId,
        why: Undelivered,
    ) -> Vec<News> {
        let lost = Fate::Undelivered(why);
        self.settle(|_, reader| (reader.origin == origin).then_some(lost))
    }

    /// A reader has entered anew, or this member has. Gives up what that reader has not confirmed and cannot
    /// be sent again: what is not kept any more, what this member did not write under one of `senders`, and
    /// what was not for the reader under one of `readers`. The relay passes on nothing else.
    pub(in crate::room::session) fn give_up_for(
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

    /// Gives up what was sent to a reader alone, before this, and is not confirmed, under none of these
    /// session ids, which the reader has: it may have come to a relay that does not pass it on any more.
    pub(in crate::room::session) fn give_up_overtaken(
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
    pub(in crate::room::session) fn take_overdue(
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
            } else if now.saturating_sub(sealed.at) >= KEPT_FOR {
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
