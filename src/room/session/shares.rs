//! What this member hands on to others, until it is known how much of it has come (PROTOCOL §5, Handing on).

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use crate::room::card::SessionId;
use crate::room::names::Nick;

use super::earlier::Kept;
use super::event::Event;
use super::outbox::Receipt;

/// Of so many messages it is told how far they are.
const MANY: u32 = 100;

/// What is handed on to one reader.
pub(super) struct Sharing {
    /// By what the reader is known over all its session keys, and what it is called.
    pub(super) reader: SessionId,
    pub(super) nick: Nick,
    /// The receipt of the announcement, and of what was sent last: no more is sent until the relay has
    /// taken that.
    announcement: u64,
    pub(super) last: Receipt,
    /// What is not sent yet.
    pub(super) rest: VecDeque<Arc<Kept>>,
    /// How many messages are in each of the bundles that the reader has not confirmed, by their receipts.
    open: HashMap<u64, u32>,
    count: u32,
    delivered: u32,
    /// How many quarters of the messages were told to be with the reader.
    quarters: u32,
}

impl Sharing {
    /// These messages are announced to the room by what has this receipt.
    pub(super) fn announced(
        reader: SessionId,
        nick: Nick,
        announcement: Receipt,
        rest: VecDeque<Arc<Kept>>,
        count: u32,
    ) -> Self {
        Self {
            reader,
            nick,
            announcement: announcement.number,
            last: announcement,
            rest,
            open: HashMap::new(),
            count,
            delivered: 0,
            quarters: 0,
        }
    }

    /// So many of the messages are sent in a bundle that has this receipt.
    pub(super) fn sent(&mut self, bundle: Receipt, messages: u32) {
        self.last = bundle;
        self.open.insert(bundle.number, messages);
    }

    /// What is told of how far it is, at each quarter of many messages.
    pub(super) fn progress(&mut self) -> Option<Event> {
        let quarters = self.delivered.saturating_mul(4) / self.count.max(1);
        let before = std::mem::replace(&mut self.quarters, quarters);
        let is_news = self.count >= MANY && before < quarters && quarters < 4;
        is_news.then(|| Event::ShareGoesOn {
            reader: self.nick.clone(),
            delivered: self.delivered,
            count: self.count,
        })
    }

    /// What is told at the end, if this is the end.
    pub(super) fn end(&self) -> Option<Event> {
        let is_over = self.rest.is_empty() && self.open.is_empty();
        is_over.then(|| Event::ShareDone {
            reader: self.nick.clone(),
            delivered: self.delivered,
            count: self.count,
        })
    }
}

/// All that is handed on at present.
#[derive(Default)]
pub(super) struct Shares(pub(super) Vec<Sharing>);

impl Shares {
    /// Whether something is handed on to this reader of which not all is sent.
    pub(super) fn is_sending_to(&self, reader: SessionId) -> bool {
        let mut its = self.0.iter().filter(|sharing| sharing.reader == reader);
        its.any(|sharing| !sharing.rest.is_empty())
    }

    /// Whether anything is handed on of which not all is sent.
    pub(super) fn is_sending(&self) -> bool {
        self.0.iter().any(|sharing| !sharing.rest.is_empty())
    }

    /// What is handed on to these readers, by their first session ids, ends, whatever of it is not confirmed.
    pub(super) fn end(&mut self, is_reader: impl Fn(SessionId) -> bool) {
        let its = self.0.iter_mut();
        for sharing in its.filter(|sharing| is_reader(sharing.reader)) {
            sharing.rest.clear();
            sharing.open.clear();
        }
    }

    /// Takes note of what has become of a bundle or its announcement. Returns whether the event was about
    /// one: then nothing else is told of it.
    pub(super) fn take_note(&mut self, event: &Event) -> bool {
        let (Event::Confirmed { receipt, .. }
        | Event::Unconfirmed { receipt, .. }
        | Event::Undelivered { receipt, .. }
        | Event::NotTaken { receipt, .. }) = event
        else {
            return false;
        };
        let is_its =
            |it: &&mut Sharing| it.announcement == *receipt || it.open.contains_key(receipt);
        let Some(sharing) = self.0.iter_mut().find(is_its) else {
            return false;
        };
        if sharing.announcement == *receipt {
            // Nothing else is told of it than that the relay has not taken it.
            sharing.rest.clear();
        } else if !matches!(event, Event::Unconfirmed { .. }) {
            let messages = sharing.open.remove(receipt).unwrap_or_default();
            if matches!(event, Event::Confirmed { .. }) {
                sharing.delivered += messages;
            }
        }
        true
    }
}

/// What was announced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shared {
    /// How many messages.
    pub count: u32,
    /// How many are too long to be handed on.
    pub too_long: u32,
}
