//! Which room the relay has shown to a member, and in which order its messages: what members
//! compare in order to notice that they were shown different ones (PROTOCOL §5).

use std::collections::VecDeque;

use crate::cipher::encoding::Digest;

use super::card::SessionId;
use super::message::{Header, Stream, audience_digest, parent_digest};

/// How many digests of one epoch, and how many members of past rosters, are remembered. What is
/// older than that cannot be compared; a message that is still under way is not.
const DIGESTS: usize = 4096;
const PAST_MEMBERS: usize = 64 * 1024;

/// What a member has seen of a room.
#[derive(Debug, Default)]
pub(super) struct Transcript {
    /// Ascending, without gaps; the last one is the present epoch.
    epochs: VecDeque<Epoch>,
    /// How many members all of them have together.
    members: usize,
    /// The epoch in which the member joined.
    joined: Option<u64>,
}

#[derive(Debug)]
struct Epoch {
    number: u64,
    /// Ascending.
    roster: Vec<SessionId>,
    /// The latest digests of the chain, the last of them chain(`seen`).
    chain: VecDeque<Digest>,
    seen: u64,
    /// Whether somebody was found to have another view of it.
    disputed: bool,
}

/// How somebody's view compares with one's own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Comparison {
    /// They are the same, as far as one can tell.
    Same,
    /// They differ, for the first time in this epoch.
    Different,
    /// It is a view of a time before one was there.
    TooEarly,
}

impl Transcript {
    /// Begins an epoch with this roster, oneself included, in ascending order.
    pub(super) fn begin(&mut self, number: u64, roster: Vec<SessionId>) {
        self.joined.get_or_insert(number);
        self.members += roster.len();
        let chain = VecDeque::from([audience_digest(&roster)]);
        self.epochs.push_back(Epoch {
            number,
            roster,
            chain,
            seen: 0,
            disputed: false,
        });
        while self.members > PAST_MEMBERS && self.epochs.len() > 1 {
            let oldest = self.epochs.pop_front();
            self.members -= oldest.map_or(0, |epoch| epoch.roster.len());
        }
    }

    /// What to say of one's own view: the number of messages seen in the present epoch, and the
    /// parent digest.
    pub(super) fn view(&self) -> (u64, Digest) {
        self.epochs.back().map_or((0, [0; 32]), |epoch| {
            let last = epoch.chain.back().expect("a chain has a beginning");
            (epoch.seen, *last)
        })
    }

    /// Compares with the view that stands in a header.
    pub(super) fn compare(&mut self, header: &Header, reader: SessionId) -> Comparison {
        if self.joined.is_none_or(|joined| header.epoch < joined) {
            return Comparison::TooEarly;
        }
        let latest = self.epochs.back().map_or(0, |epoch| epoch.number);
        let Some(epoch) = self.epoch(header.epoch) else {
            // Nobody can have seen what the relay does only later.
            return if header.epoch > latest {
                Comparison::Different
            } else {
                Comparison::Same
            };
        };
        if epoch.disputed || epoch.agrees_with(header, reader) {
            return Comparison::Same;
        }
        epoch.disputed = true;
        Comparison::Different
    }

    fn epoch(&mut self, number: u64) -> Option<&mut Epoch> {
        self.epochs.iter_mut().rfind(|epoch| epoch.number == number)
    }

    /// Adds a message to the room to the chain of the epoch it was written in.
    pub(super) fn append(&mut self, epoch: u64, header: &[u8]) {
        let Some(epoch) = self.epoch(epoch) else {
            return;
        };
        let last = epoch.chain.back().expect("a chain has a beginning");
        epoch.chain.push_back(parent_digest(last, header));
        epoch.seen += 1;
        if epoch.chain.len() > DIGESTS {
            epoch.chain.pop_front();
        }
    }

    /// Remembers that messages are missing: views differ then, which has been reported already.
    pub(super) fn is_incomplete(&mut self) {
        for epoch in &mut self.epochs {
            epoch.disputed = true;
        }
    }
}

impl Epoch {
    fn agrees_with(&self, header: &Header, reader: SessionId) -> bool {
        let audience = match header.stream {
            Stream::Room => self
                .roster
                .iter()
                .copied()
                .filter(|sid| header.left_out.binary_search(sid).is_err())
                .collect(),
            Stream::Direct(_) => {
                let mut both = vec![header.sender, reader];
                both.sort_unstable();
                both
            }
        };
        if audience_digest(&audience) != header.audience {
            return false;
        }
        let Some(back) = self.seen.checked_sub(header.seen) else {
            return false;
        };
        let back = usize::try_from(back).unwrap_or(usize::MAX);
        match self.chain.iter().rev().nth(back) {
            Some(digest) => *digest == header.parent,
            // It is older than what is remembered.
            None => true,
        }
    }
}
