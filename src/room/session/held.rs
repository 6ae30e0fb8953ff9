//! What the relay could not deliver, because its reader was away.

use std::collections::HashSet;
use std::time::Duration;

use crate::room::card::SessionId;

use super::said::Said;

/// How long a message waits for a reader to come back.
const HOLD: Duration = Duration::from_mins(5);

/// Messages for those who are away.
#[derive(Default)]
pub(super) struct Held {
    /// Each with the time until which it waits.
    waiting: Vec<(Duration, Said)>,
    /// Messages that wait for nobody any more: the relay takes them from nobody, even if their
    /// readers come back before they are reported.
    given_up: Vec<Said>,
}

impl Held {
    /// Keeps a message for those of its readers who are away.
    pub(super) fn hold(&mut self, said: &Said, is_away: impl Fn(SessionId) -> bool, now: Duration) {
        let held = said.only_for(is_away).map(|said| (now + HOLD, said));
        self.waiting.extend(held);
    }

    /// Who is waited for: readers, and those whom a message leaves out.
    pub(super) fn awaited(&self) -> HashSet<SessionId> {
        let waiting = self.waiting.iter();
        waiting.flat_map(|(_, said)| said.informed()).collect()
    }

    /// Takes the messages that were kept for those who have come back.
    pub(super) fn take(&mut self, back: &HashSet<SessionId>) -> Vec<Said> {
        if back.is_empty() {
            return Vec::new();
        }
        let is_back = |sid| back.contains(&sid);
        let mut taken = Vec::new();
        for (until, said) in std::mem::take(&mut self.waiting) {
            taken.extend(said.only_for(is_back));
            let rest = said.only_for(|sid| !is_back(sid));
            self.waiting.extend(rest.map(|said| (until, said)));
        }
        taken
    }

    /// Gives up the messages that were not written under this session id.
    pub(super) fn give_up_all_but(&mut self, sender: SessionId) {
        let is_other = |(_, said): &mut (Duration, Said)| said.sender() != sender;
        let others = self.waiting.extract_if(.., is_other);
        self.given_up.extend(others.map(|(_, said)| said));
    }

    /// Gives up a message that cannot be sent again.
    pub(super) fn give_up(&mut self, said: Said) {
        self.given_up.push(said);
    }

    /// Takes the messages that were given up, or have waited too long.
    pub(super) fn take_expired(&mut self, now: Duration) -> Vec<Said> {
        let expired = self.waiting.extract_if(.., |(until, _)| *until <= now);
        let given_up = std::mem::take(&mut self.given_up).into_iter();
        given_up.chain(expired.map(|(_, said)| said)).collect()
    }

    /// All of them.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Said> {
        let waiting = self.waiting.iter().map(|(_, said)| said);
        waiting.chain(&self.given_up)
    }
}
