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
    /// How many session keys the reader had had, as its author knew when it was sealed.
    pub generation: u32,
    pub has_arrived: bool,
    pub told: Told,
}

impl Fate {
    /// Whether its author still waits for news of it.
    pub fn is_open(&self) -> bool {
        !matches!(self.told, Told::Confirmed | Told::GivenUp)
    }
}

pub struct SaidMessage {
    pub from: usize,
    /// The reader, if it is for one alone.
    pub to: Option<usize>,
    pub text: String,
    /// When it was written.
    pub at: Duration,
    /// Whether it was sent, and so sealed. What follows is of then.
    pub is_sent: bool,
    /// In which run of the relay its author was.
    pub run: u8,
    /// For how long its author had been active.
    pub active: Duration,
    /// When its author was last seen not to know that the relay has taken it.
    pub untaken: Duration,
    /// How many session keys its author had had.
    pub generation: u32,
    pub fates: BTreeMap<usize, Fate>,
    /// The readers, as their author calls them. One may have a nick that another has given up.
    pub nicks: Vec<(String, usize)>,
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

    /// Records that somebody has used a number for what it hands on, or for announcing that.
    pub fn record_handing(&mut self, from: usize, to: Option<usize>) {
        *self.counts.entry((from, to)).or_default() += 1;
    }

    /// Whether something has this number that was said, or handed on.
    pub fn is_used(&self, from: usize, to: Option<usize>, number: u64) -> bool {
        self.counts
            .get(&(from, to))
            .is_some_and(|next| number < *next)
    }

    /// The place of a message, by the number that its author gave it; `None` for what is handed on.
    pub fn find(&self, from: usize, to: Option<usize>, number: u64) -> Option<usize> {
        let place = self.by_number.get(&(from, to, number)).copied();
        assert!(place.is_some() || self.is_used(from, to, number));
        place
    }

    /// The place of what somebody said to the room, by its text.
    pub fn find_text(&self, text: &str) -> Option<usize> {
        let mut messages = self.messages.iter();
        messages.position(|message| message.to.is_none() && message.text == text)
    }

    /// Records that an author was told that somebody is called like this from now on.
    pub fn record_renamed(&mut self, from: usize, who: usize, nick: &str) {
        let messages = self.messages.iter_mut();
        for message in messages.filter(|it| it.from == from && it.fates.contains_key(&who)) {
            message.nicks.retain(|(_, reader)| *reader != who);
            message.nicks.push((nick.to_owned(), who));
        }
    }

    /// The place of a message of an author's, and those of its readers whom that calls like this: of two,
    /// those of whom it waits for news.
    pub fn called(&self, from: usize, receipt: u64, nick: &str) -> (usize, Vec<usize>) {
        let place = self.by_receipt[&(from, receipt)];
        let message = &self.messages[place];
        let called = message.nicks.iter().filter(|(called, _)| called == nick);
        let called: Vec<usize> = called.map(|(_, who)| *who).collect();
        let open = called.iter().filter(|who| message.fates[who].is_open());
        let open: Vec<usize> = open.copied().collect();
        (place, if open.is_empty() { called } else { open })
    }

    /// Records that an author was told what became of its message at a reader. Returns what is wrong
    /// with that, if anything is.
    pub fn record_told(&mut self, place: usize, reader: usize, told: Told) -> Result<(), String> {
        let message = &mut self.messages[place];
        let text = &message.text;
        let fate = message.fates.get_mut(&reader).expect("a reader");
        let before = std::mem::replace(&mut fate.told, told);
        if !matches!(before, Told::Nothing | Told::Unconfirmed) || before == told {
            return Err(format!(
                "{text:?} is {told:?} after {before:?} for {reader}"
            ));
        }
        Ok(())
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
