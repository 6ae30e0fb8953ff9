//! The ledger of a simulation in which messages may get lost: each message arrives once, or
//! somebody is told that it did not.

use std::collections::{BTreeMap, BTreeSet, HashMap};

/// What became of a message, for one reader.
#[derive(Default)]
struct ReaderOutcome {
    has_arrived: bool,
    /// Whether the sender was told that it did not arrive.
    is_reported: bool,
}

struct LedgerEntry {
    from: usize,
    direct: bool,
    text: String,
    fates: BTreeMap<usize, ReaderOutcome>,
}

/// All messages of a run, oldest first.
#[derive(Default)]
pub struct Ledger {
    messages: Vec<LedgerEntry>,
    /// The last message that arrived, of those from one member to another, direct or not.
    last: HashMap<(usize, usize, bool), usize>,
    /// How many messages from one member another was told that it misses.
    missing: BTreeMap<(usize, usize), u64>,
}

impl Ledger {
    /// Records that somebody said something.
    pub fn record_said(
        &mut self,
        from: usize,
        direct: bool,
        text: String,
        readers: BTreeSet<usize>,
    ) {
        let unknown = |reader| (reader, ReaderOutcome::default());
        self.messages.push(LedgerEntry {
            from,
            direct,
            text,
            fates: readers.into_iter().map(unknown).collect(),
        });
    }

    /// Records that a message was shown to somebody. Returns what is wrong with that, if anything
    /// is.
    pub fn record_arrived(
        &mut self,
        from: usize,
        to: usize,
        direct: bool,
        text: &str,
    ) -> Option<String> {
        let is_it = |m: &LedgerEntry| (m.from, m.direct, m.text.as_str()) == (from, direct, text);
        let Some(place) = self.messages.iter().position(is_it) else {
            return Some(format!("{text:?} was never said by {from}"));
        };
        let Some(fate) = self.messages[place].fates.get_mut(&to) else {
            return Some(format!("{text:?} was not for it"));
        };
        if std::mem::replace(&mut fate.has_arrived, true) {
            return Some(format!("{text:?} came twice"));
        }
        let last = self.last.insert((from, to, direct), place);
        (last > Some(place)).then(|| format!("{text:?} came late"))
    }

    /// Records that `to` was told that messages of `from` are missing.
    pub fn record_missing(&mut self, from: usize, to: usize, count: u64) {
        *self.missing.entry((from, to)).or_default() += count;
    }

    /// How many messages were reported missing, reader by reader.
    pub fn all_missing(&self) -> u64 {
        self.missing.values().sum()
    }

    /// Records that the sender was told that a message did not reach these readers.
    pub fn record_undelivered(&mut self, readers: &BTreeSet<usize>, text: &str) {
        for message in self.messages.iter_mut().filter(|m| m.text == text) {
            for (reader, fate) in &mut message.fates {
                fate.is_reported |= readers.contains(reader);
            }
        }
    }

    /// Each pair of members of which one was told that it misses more messages of the other than
    /// did not arrive.
    pub fn missed_too_many(&self) -> Vec<String> {
        let is_lost = |from, to, m: &&LedgerEntry| {
            m.from == from && m.fates.get(&to).is_some_and(|fate| !fate.has_arrived)
        };
        let lost = |from, to| {
            self.messages
                .iter()
                .filter(|m| is_lost(from, to, m))
                .count() as u64
        };
        let missing = self.missing.iter();
        missing
            .filter(|((from, to), count)| **count > lost(*from, *to))
            .map(|((from, to), count)| {
                format!(
                    "{to} misses {count} of {from}, of whom it lost {}",
                    lost(*from, *to)
                )
            })
            .collect()
    }

    /// How many messages arrived, and how many did not, reader by reader.
    pub fn count(&self) -> (usize, usize) {
        let fates = self.messages.iter().flat_map(|m| m.fates.values());
        let (arrived, lost): (Vec<_>, Vec<_>) = fates.partition(|fate| fate.has_arrived);
        (arrived.len(), lost.len())
    }

    /// The messages that neither arrived nor were reported, for those senders and readers for whom
    /// that matters.
    pub fn unaccounted(&self, matters: impl Fn(usize, usize) -> bool) -> Vec<String> {
        let mut lost: BTreeMap<(usize, usize), Vec<&str>> = BTreeMap::new();
        for message in &self.messages {
            for (to, fate) in &message.fates {
                let is_lost = !fate.has_arrived && !fate.is_reported;
                if is_lost && matters(message.from, *to) {
                    let texts = lost.entry((message.from, *to)).or_default();
                    texts.push(&message.text);
                }
            }
        }
        let is_more = |(pair, texts): &(&(usize, usize), &Vec<&str>)| {
            texts.len() as u64 > self.missing.get(*pair).copied().unwrap_or(0)
        };
        let unaccounted = lost.iter().filter(is_more);
        unaccounted
            .map(|((from, to), texts)| format!("{to} lost {texts:?} of {from}"))
            .collect()
    }
}
