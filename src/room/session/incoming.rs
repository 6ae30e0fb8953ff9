//! What others hand on to this member (PROTOCOL §5, Handing on). It changes nothing but what is on the screen.

use std::collections::{HashMap, HashSet, VecDeque};

use crate::cipher::encoding::Digest;
use crate::room::card::SessionId;
use crate::room::content::{Bundle, Share};
use crate::room::handed::{Authors, Proven, Refusal};
use crate::room::names::Nick;
use crate::room::text::SafeText;

use super::Session;
use super::event::{Author, Event, Handed, SharedWith};
use super::streams::Turn;

/// How many of the messages are remembered that were handed on.
const REMEMBERED: usize = 4096;

/// What one member hands on to this one at present.
#[derive(Default)]
pub(super) struct Incoming {
    /// How many of the announced messages have not come.
    left: u32,
    shown: u32,
    had: u32,
    refused: u32,
    /// The number of the latest message of each author.
    numbers: HashMap<SessionId, u64>,
}

impl Incoming {
    /// So many are announced.
    fn announced(count: u32) -> Self {
        Self {
            left: count,
            ..Self::default()
        }
    }

    /// What is told where no more comes, if more was announced.
    pub(super) fn break_off(&self, by: &Nick) -> Option<Event> {
        (self.left > 0).then(|| self.end(by))
    }

    /// What is told at the end.
    fn end(&self, by: &Nick) -> Event {
        Event::ShareOver {
            by: by.clone(),
            shown: self.shown,
            had: self.had,
            refused: self.refused,
            missing: self.left,
        }
    }
}

/// The digests of the headers of what was handed on, of the latest.
#[derive(Default)]
pub(super) struct HandedBefore {
    known: HashSet<Digest>,
    /// Oldest first.
    order: VecDeque<Digest>,
}

impl HandedBefore {
    /// Takes note of a message. Returns whether it is the first time.
    fn insert(&mut self, digest: Digest) -> bool {
        let is_new = self.known.insert(digest);
        if is_new {
            self.order.push_back(digest);
            if self.order.len() > REMEMBERED
                && let Some(oldest) = self.order.pop_front()
            {
                self.known.remove(&oldest);
            }
        }
        is_new
    }
}

/// What becomes of a message that is handed on.
enum Fate {
    Shown(Event),
    Had,
    Refused(Refusal),
    Equivocal(Event),
}

impl Session {
    /// A member tells the room that it hands something on.
    pub(super) fn take_share(&mut self, by: SessionId, share: Share) -> Vec<Event> {
        let mut events = Vec::new();
        let is_to_me = self.own.keys.contains(share.reader);
        let reader = self.members.roster.get(share.reader);
        let reader = reader.map(|peer| peer.nick().clone());
        let Some(peer) = self.members.roster.get_mut(by) else {
            return events;
        };
        let nick = peer.nick().clone();
        let with = if is_to_me {
            let before = std::mem::replace(&mut peer.hands_on, Incoming::announced(share.count));
            events.extend(before.break_off(&nick));
            SharedWith::Me
        } else {
            reader.map_or(SharedWith::SomebodyGone, SharedWith::Other)
        };
        events.push(Event::Shares {
            by: nick,
            with,
            count: share.count,
        });
        events
    }

    /// A member hands these on. They are shown as far as the room was told of them, and as they prove that
    /// their authors wrote them for the room.
    pub(super) fn take_bundle(&mut self, by: SessionId, bundle: Bundle) -> Vec<Event> {
        let peer = self.members.roster.get_mut(by);
        let Some(peer) = peer.filter(|peer| !peer.is_ignored) else {
            return Vec::new();
        };
        let nick = peer.nick().clone();
        let mut incoming = std::mem::take(&mut peer.hands_on);
        let announced = usize::try_from(incoming.left).unwrap_or(usize::MAX);
        let excess = bundle.messages.len().saturating_sub(announced);
        let mut refusals: Vec<(Refusal, u32)> = Vec::new();
        let mut events = Vec::new();
        let room = self.own.card.room();
        let cards: &[Vec<u8>] = if announced > 0 { &bundle.cards } else { &[] };
        let authors = Authors::read(cards, room, &self.own.room_key);
        for message in bundle.messages.into_iter().take(announced) {
            incoming.left -= 1;
            let own = &self.own.keys;
            let proven = Proven::prove(message, &authors, room, |sid| own.contains(sid));
            let fate = proven.map_or_else(Fate::Refused, |it| {
                self.weigh_handed(&nick, &it, &mut incoming)
            });
            match fate {
                Fate::Shown(event) => {
                    incoming.shown += 1;
                    events.push(event);
                }
                Fate::Had => incoming.had += 1,
                Fate::Refused(refusal) => {
                    incoming.refused += 1;
                    note(&mut refusals, refusal, 1);
                }
                Fate::Equivocal(event) => {
                    incoming.refused += 1;
                    events.push(event);
                }
            }
        }
        if excess > 0 {
            let excess = u32::try_from(excess).unwrap_or(u32::MAX);
            note(&mut refusals, Refusal::Unannounced, excess);
        }
        events.extend(
            refusals
                .into_iter()
                .map(|(reason, count)| Event::NotHandedOn {
                    by: nick.clone(),
                    reason,
                    count,
                }),
        );
        events.extend((announced > 0 && incoming.left == 0).then(|| incoming.end(&nick)));
        if let Some(peer) = self
            .members
            .roster
            .get_mut(by)
            .filter(|_| incoming.left > 0)
        {
            peer.hands_on = incoming;
        }
        events
    }

    /// Sees what becomes of a message that its author has written.
    fn weigh_handed(&mut self, by: &Nick, it: &Proven<'_>, incoming: &mut Incoming) -> Fate {
        let (origin, number) = (it.author.origin(), it.header.number);
        let before = incoming.numbers.insert(origin, number);
        if before.is_some_and(|before| before >= number) {
            incoming
                .numbers
                .extend(before.map(|before| (origin, before)));
            return Fate::Refused(Refusal::Order);
        }
        if origin == self.own.origin() {
            return Fate::Had;
        }
        let author = Author {
            nick: it.author.nick().clone(),
            fingerprint: it.author.fingerprint(),
            is_lasting: it.author.is_lasting(),
        };
        match self.streams.turn_in_room(origin, number, it.digest) {
            Some(Turn::Repeated) => return Fate::Had,
            Some(Turn::Taken) => return Fate::Equivocal(Event::Equivocation(author.nick)),
            _ => {}
        }
        if !self.handed_before.insert(it.digest) {
            return Fate::Had;
        }
        Fate::Shown(Event::HandedOn(Handed {
            by: by.clone(),
            author,
            kind: it.kind,
            text: SafeText::new(&it.text),
            time: it.header.time,
        }))
    }
}

/// Counts what is refused for one reason.
fn note(refusals: &mut Vec<(Refusal, u32)>, refusal: Refusal, count: u32) {
    match refusals.iter_mut().find(|(known, _)| *known == refusal) {
        Some((_, known)) => *known += count,
        None => refusals.push((refusal, count)),
    }
}
