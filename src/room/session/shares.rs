//! What this member hands on: it announces it to the room, and sends one bundle after the other
//! (PROTOCOL §5, Handing on).

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use crate::cipher::seal::Body;
use crate::room::card::SessionId;
use crate::room::content::{Bundle, Share};
use crate::room::names::Nick;

use super::earlier::{Kept, Which, longest_bundle, take_bundle};
use super::event::{Event, SayError, ShareError, Standing};
use super::outbox::{HELD, Matter, Receipt};
use super::policy::{Policy, To};
use super::{Now, Session};

/// What is handed on to one reader.
struct Sharing {
    /// By what the reader is known over all its session keys, and what it is called.
    reader: SessionId,
    nick: Nick,
    /// The receipt of the announcement, and of what was sent last: no more is sent until the relay has
    /// taken that.
    announcement: u64,
    last: Receipt,
    /// What is not sent yet.
    rest: VecDeque<Arc<Kept>>,
    /// How many messages are in each of the bundles that the reader has not confirmed, by their receipts.
    open: HashMap<u64, u32>,
    count: u32,
    delivered: u32,
}

/// All that is handed on at present.
#[derive(Default)]
pub(super) struct Shares(Vec<Sharing>);

impl Shares {
    /// Takes note of what has become of a bundle or its announcement. Returns whether the event was about
    /// one: then nothing else is told of it.
    fn take_note(&mut self, event: &Event) -> bool {
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

/// What is about to be handed on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shared {
    /// How many messages.
    pub count: u32,
    /// How many are too long to be handed on.
    pub too_long: u32,
}

impl Session {
    /// Hands earlier messages on to somebody: tells the room so, and sends them.
    ///
    /// # Errors
    /// Where nothing is handed on.
    pub fn share(&mut self, to: SessionId, which: Which, now: Now) -> Result<Shared, ShareError> {
        let peer = self.members.roster.get(to).ok_or(ShareError::NotThere)?;
        if peer.is_asleep() {
            return Err(ShareError::Asleep);
        }
        if let Some(reason) = self.policy.leaves_out(peer, None, now.uptime) {
            return Err(ShareError::LeftOut(reason));
        }
        let (reader, nick) = (peer.card.origin(), peer.nick().clone());
        let is_under_way = |sharing: &Sharing| sharing.reader == reader && !sharing.rest.is_empty();
        if self.shares.0.iter().any(is_under_way) {
            return Err(ShareError::Busy);
        }
        let most = longest_bundle(self.door.limits.members);
        let selection = self.earlier.select(which, &peer.card, most);
        let (rest, too_long) = (selection.messages, selection.too_long);
        let count = u32::try_from(rest.len()).unwrap_or(u32::MAX);
        if count == 0 {
            return Err(ShareError::Nothing);
        }
        let share = Share { reader: to, count };
        let body = Body::new(Share::CODE, share.encode()).expect("it has 36 bytes");
        // All are to be told, whoever gets what this member writes.
        let everybody = Policy {
            at_least: Standing::New,
            ..self.policy
        };
        let room = To::Room { shown: u64::MAX };
        let announced =
            self.send_body(room, &everybody, &body, (Matter::Share, String::new()), now);
        let announcement = announced?;
        self.shares.0.push(Sharing {
            reader,
            nick,
            last: announcement,
            announcement: announcement.number,
            rest,
            open: HashMap::new(),
            count,
            delivered: 0,
        });
        Ok(Shared { count, too_long })
    }

    /// Takes out of these events what is about what this member hands on, and sends what is to be sent of
    /// that now.
    pub(super) fn go_on_sharing(&mut self, mut events: Vec<Event>, now: Now) -> Vec<Event> {
        if self.shares.0.is_empty() {
            return events;
        }
        let mut shares = std::mem::take(&mut self.shares);
        events.retain(|event| !shares.take_note(event));
        shares.0.retain_mut(|sharing| {
            self.send_next(sharing, now);
            let is_over = sharing.rest.is_empty() && sharing.open.is_empty();
            if is_over {
                events.push(Event::ShareDone {
                    reader: sharing.nick.clone(),
                    delivered: sharing.delivered,
                    count: sharing.count,
                });
            }
            !is_over
        });
        self.shares = shares;
        events
    }

    /// Sends the next bundle, if the relay has taken the one before. What its user says meanwhile waits for
    /// one of them at most.
    fn send_next(&mut self, sharing: &mut Sharing, now: Now) {
        if self.awaits(&sharing.last) || !self.is_inside() || sharing.rest.is_empty() {
            return;
        }
        let Some(sid) = self.members.present(sharing.reader) else {
            let away = self.members.absent_since(sharing.reader);
            if away.is_none_or(|since| now.uptime.saturating_sub(since) >= HELD) {
                sharing.rest.clear();
            }
            return;
        };
        if let Some(person) = self.person_of(sid) {
            sharing.nick = person.nick;
        }
        let bundle = take_bundle(&mut sharing.rest, longest_bundle(self.door.limits.members));
        let messages = u32::try_from(bundle.messages.len()).unwrap_or(u32::MAX);
        let body = Body::new(Bundle::CODE, bundle.encode());
        let policy = self.policy;
        let sent = body.ok_or(SayError::Empty).and_then(|body| {
            let matter = (Matter::Bundle, String::new());
            self.send_body(To::Member(sid), &policy, &body, matter, now)
        });
        match sent {
            Ok(receipt) => {
                sharing.last = receipt;
                sharing.open.insert(receipt.number, messages);
            }
            // It is not trusted any more, or this member is leaving.
            Err(_) => sharing.rest.clear(),
        }
    }
}
