//! The ledger of a simulation: what was said, whom it was for, to whom it was shown, and what its
//! author was told of that.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::Duration;

/// What the author of a message was told of a reader.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Told {
    Nothing,
    Confirmed,
    /// That it was not confirmed for long: more may follow.
    Unconfirmed,
    /// That it did not, or may not, reach the reader, and will not.
    GivenUp,
}

/// What became of a message, for one reader.
pub struct Fate {
    /// How many session keys the reader had had, as its author knew.
    pub generation: u32,
    pub has_arrived: bool,
    pub told: Told,
}

pub struct SaidMessage {
    pub from: usize,
    /// The reader, if it is for one alone.
    pub to: Option<usize>,
    pub text: String,
    pub at: Duration,
    /// How many session keys its author had had.
    pub generation: u32,
    pub fates: BTreeMap<usize, Fate>,
    /// The readers, as their author calls them. Somebody who has gone may be called like somebody who
    /// is there.
    pub nicks: BTreeMap<usize, String>,
    /// Those whom the message leaves out, with whether they were shown that.
    pub left_out: BTreeMap<usize, bool>,
}

/// All messages of a run, oldest first.
#[derive(Default)]
pub struct Ledger {
    pub messages: Vec<SaidMessage>,
    /// By author, reader if there is one alone, and number.
    by_number: HashMap<(usize, Option<usize>, u64), usize>,
    /// How many were said, by author, and reader if there is one alone.
    counts: HashMap<(usize, Option<usize>), u64>,
    by_receipt: HashMap<(usize, u64), usize>,
    /// How many messages from one member another was told that it misses.
    missing: BTreeMap<(usize, usize), u64>,
}

impl Ledger {
    /// Records that somebody said something.
    pub fn record_said(&mut self, receipt: u64, message: SaidMessage) {
        let (from, to) = (message.from, message.to);
        let place = self.messages.len();
        self.messages.push(message);
        let count = self.counts.entry((from, to)).or_default();
        self.by_number.insert((from, to, *count), place);
        *count += 1;
        self.by_receipt.insert((from, receipt), place);
    }

    /// The place of a message, by the number that its author gave it.
    pub fn find(&self, from: usize, to: Option<usize>, number: u64) -> usize {
        self.by_number[&(from, to, number)]
    }

    /// Records that a reader of messages of `from` is called something else from now on, as `from` was
    /// told.
    pub fn record_renamed(&mut self, from: usize, reader: usize, nick: &str) {
        let messages = self.messages.iter_mut();
        for message in messages.filter(|message| message.from == from) {
            if let Some(before) = message.nicks.get_mut(&reader) {
                nick.clone_into(before);
            }
        }
    }

    /// Records that an author was told what became of its message at a reader. Returns what is wrong
    /// with that, if anything is.
    pub fn record_told(
        &mut self,
        from: usize,
        receipt: u64,
        reader: &str,
        told: Told,
    ) -> Result<(usize, usize), String> {
        let place = self.by_receipt[&(from, receipt)];
        let message = &mut self.messages[place];
        let called = message.nicks.iter().filter(|(_, nick)| *nick == reader);
        let mut called = called.map(|(who, _)| *who).peekable();
        let first = *called.peek().expect("a reader");
        let is_open =
            |who: &usize| matches!(message.fates[who].told, Told::Nothing | Told::Unconfirmed);
        let reader = called.find(is_open).unwrap_or(first);
        let text = &message.text;
        let fate = message.fates.get_mut(&reader).expect("a reader");
        let before = std::mem::replace(&mut fate.told, told);
        if told == Told::Confirmed && !fate.has_arrived {
            return Err(format!("{text:?} is confirmed, and {reader} never had it"));
        }
        if !matches!(before, Told::Nothing | Told::Unconfirmed) || before == told {
            return Err(format!(
                "{text:?} is {told:?} after {before:?} for {reader}"
            ));
        }
        Ok((place, reader))
    }

    /// Records that `to` was told that messages of `from` are missing.
    pub fn record_missing(&mut self, from: usize, to: usize, count: u64) {
        *self.missing.entry((from, to)).or_default() += count;
    }

    /// Each pair of members of which one was told that it misses more messages of the other than were
    /// given up.
    pub fn missed_too_many(&self) -> Vec<String> {
        let mut wrong = Vec::new();
        for ((from, to), count) in &self.missing {
            let is_lost = |message: &&SaidMessage| {
                let fate = message.fates.get(to);
                message.from == *from && fate.is_some_and(|fate| !fate.has_arrived)
            };
            let lost = self.messages.iter().filter(is_lost).count() as u64;
            if *count > lost {
                wrong.push(format!("{to} misses {count} of {from}, and lost {lost}"));
            }
        }
        wrong
    }

    /// How many messages arrived, and how many did not, reader by reader, of these readers.
    pub fn count(&self, readers: &BTreeSet<usize>) -> (usize, usize) {
        let fates = self.messages.iter().flat_map(|message| &message.fates);
        let fates = fates.filter(|(reader, _)| readers.contains(reader));
        let (arrived, lost): (Vec<_>, Vec<_>) = fates.partition(|(_, fate)| fate.has_arrived);
        (arrived.len(), lost.len())
    }
}
