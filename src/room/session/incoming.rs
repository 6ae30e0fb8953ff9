//! What others hand on to this member: how much of it has come, and what was shown (PROTOCOL §5, Handing on).

use std::collections::{HashMap, HashSet, VecDeque};

use crate::cipher::encoding::Digest;
use crate::cipher::fingerprint::Fingerprint;
use crate::room::card::SessionId;
use crate::room::names::Nick;

use super::event::Event;

/// How many of the messages are remembered that were handed on.
const REMEMBERED: usize = 4096;

/// Of so many members it is known at most how much has come of what they hand on.
const MAX_INCOMING: usize = 16;

/// What one member hands on to this one at present.
#[derive(Default)]
pub(super) struct Incoming {
    /// How many of the announced messages have not come.
    pub(super) left: u32,
    pub(super) shown: u32,
    pub(super) had: u32,
    pub(super) ignored: u32,
    pub(super) refused: u32,
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

    /// A message comes with this number of its author's, whom this stands for. Returns whether it is above
    /// those that came before it.
    pub(super) fn note_number(&mut self, origin: SessionId, number: u64) -> bool {
        let before = self.numbers.get(&origin);
        let follows = before.is_none_or(|before| *before < number);
        if follows {
            self.numbers.insert(origin, number);
        }
        follows
    }

    /// What is told where no more comes, if more was announced.
    pub(super) fn break_off(&self, by: &Nick) -> Option<Event> {
        (self.left > 0).then(|| self.end(by))
    }

    /// What is told at the end.
    pub(super) fn end(&self, by: &Nick) -> Event {
        Event::ShareOver {
            by: by.clone(),
            shown: self.shown,
            had: self.had,
            ignored: self.ignored,
            refused: self.refused,
            missing: self.left,
        }
    }
}

/// What is handed on to this member at present, by the first session ids of those who do that: whoever
/// began first stands first.
#[derive(Default)]
pub(super) struct AllIncoming {
    present: VecDeque<(SessionId, Incoming)>,
    /// The identities of which the user wants nothing, as those who hand something on, or as authors.
    pub(super) ignored: HashSet<Fingerprint>,
}

impl AllIncoming {
    /// A member announces so many. Returns what ends with that: what it had announced before, or where too
    /// many hand something on, what the first of them does.
    pub(super) fn begin(&mut self, by: SessionId, count: u32) -> Option<(SessionId, Incoming)> {
        let before = self.end(by).map(|incoming| (by, incoming));
        let is_full = self.present.len() == MAX_INCOMING;
        let first = is_full.then(|| self.present.pop_front()).flatten();
        self.present.push_back((by, Incoming::announced(count)));
        before.or(first)
    }

    pub(super) fn get_mut(&mut self, by: SessionId) -> Option<&mut Incoming> {
        let mut its = self.present.iter_mut().filter(|(origin, _)| *origin == by);
        its.next().map(|(_, incoming)| incoming)
    }

    /// No more comes of what a member hands on, if it does.
    pub(super) fn end(&mut self, by: SessionId) -> Option<Incoming> {
        let place = self.present.iter().position(|(origin, _)| *origin == by)?;
        self.present.remove(place).map(|(_, incoming)| incoming)
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
    pub(super) fn insert(&mut self, digest: Digest) -> bool {
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

#[cfg(test)]
mod tests {
    use super::*;

    fn member(number: usize) -> SessionId {
        SessionId([u8::try_from(number).unwrap(); 32])
    }

    #[test]
    fn of_more_than_sixteen_who_hand_on_the_first_is_given_up() {
        let mut incoming = AllIncoming::default();
        for number in 0..MAX_INCOMING {
            assert!(incoming.begin(member(number), 7).is_none(), "{number}");
        }
        let again = incoming.begin(member(0), 8);
        assert!(again.is_some_and(|(by, it)| by == member(0) && it.left == 7));
        let first = incoming.begin(member(MAX_INCOMING), 9);
        assert!(first.is_some_and(|(by, _)| by == member(1)));
        assert!(incoming.get_mut(member(1)).is_none());
        assert_eq!(incoming.present.len(), MAX_INCOMING);
        assert!(incoming.end(member(0)).is_some_and(|it| it.left == 8));
        assert!(incoming.begin(member(1), 1).is_none());
    }
}
