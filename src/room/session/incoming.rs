//! What others hand on to this member: how much of it has come, and what was shown (PROTOCOL §5, Handing on).

use std::collections::{HashMap, HashSet, VecDeque};

use crate::cipher::encoding::Digest;
use crate::room::card::SessionId;
use crate::room::names::Nick;

use super::event::Event;

/// How many of the messages are remembered that were handed on.
const REMEMBERED: usize = 4096;

/// What one member hands on to this one at present.
#[derive(Default)]
pub(super) struct Incoming {
    /// How many of the announced messages have not come.
    pub(super) left: u32,
    pub(super) shown: u32,
    pub(super) had: u32,
    pub(super) refused: u32,
    /// The number of the latest message of each author.
    numbers: HashMap<SessionId, u64>,
}

impl Incoming {
    /// So many are announced.
    pub(super) fn announced(count: u32) -> Self {
        Self {
            left: count,
            ..Self::default()
        }
    }

    /// A message comes with this number of its author's, whom this stands for. Returns whether it is above
    /// those that came before it.
    pub(super) fn follows(&mut self, origin: SessionId, number: u64) -> bool {
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
