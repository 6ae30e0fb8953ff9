//! What the relay could not deliver, because its reader was away.

use std::collections::HashSet;
use std::time::Duration;

use crate::room::card::SessionId;

use super::said::Said;

/// How long a message waits for a reader to come back.
const HOLD: Duration = Duration::from_mins(5);

/// Messages for those who are away, and until when they wait.
#[derive(Default)]
pub(super) struct Held(Vec<(Duration, Said)>);

impl Held {
    /// Keeps a message for those of its readers who are away.
    pub(super) fn hold(&mut self, said: &Said, is_away: impl Fn(SessionId) -> bool, now: Duration) {
        let held = said.only_for(is_away).map(|said| (now + HOLD, said));
        self.0.extend(held);
    }

    /// For whom messages are kept.
    pub(super) fn readers(&self) -> HashSet<SessionId> {
        self.iter().flat_map(Said::informed).collect()
    }

    /// Takes the messages that were kept for those who have come back.
    pub(super) fn take(&mut self, back: &HashSet<SessionId>) -> Vec<Said> {
        if back.is_empty() {
            return Vec::new();
        }
        let is_back = |sid| back.contains(&sid);
        let mut taken = Vec::new();
        let held = std::mem::take(&mut self.0);
        for (until, said) in held {
            taken.extend(said.only_for(is_back));
            let rest = said.only_for(|sid| !is_back(sid));
            self.0.extend(rest.map(|said| (until, said)));
        }
        taken
    }

    /// Gives up the messages that were not written under this session id.
    pub(super) fn give_up_all_but(&mut self, sender: SessionId) {
        for (until, said) in &mut self.0 {
            if said.sender() != sender {
                *until = Duration::ZERO;
            }
        }
    }

    /// Gives up a message that cannot be sent again.
    pub(super) fn give_up(&mut self, said: Said) {
        self.0.push((Duration::ZERO, said));
    }

    /// Takes the messages that were given up, or have waited too long.
    pub(super) fn take_expired(&mut self, now: Duration) -> Vec<Said> {
        let expired = self.0.extract_if(.., |(until, _)| *until <= now);
        expired.map(|(_, said)| said).collect()
    }

    /// All of them.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Said> {
        self.0.iter().map(|(_, said)| said)
    }
}
