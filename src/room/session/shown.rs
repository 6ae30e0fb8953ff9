//! What stands on the user's screen, in the order of the chain: so that it can be said of a message
//! that its author had not seen what stands above it.

use std::collections::VecDeque;
use std::time::Duration;

use crate::room::card::SessionId;

/// How many messages that is known of.
const KNOWN_MESSAGES: usize = 64;

/// When somebody wrote a message is known so well: by their clock, and by how that compares with this
/// member's.
const KNOWN_TO: Duration = Duration::from_secs(5);

/// A message on the screen.
struct Message {
    position: u64,
    /// By the first session id.
    author: SessionId,
    /// When it was written, as far as is known, in this member's uptime.
    written: Duration,
}

/// The latest messages on the screen.
#[derive(Default)]
pub(super) struct Shown(VecDeque<Message>);

impl Shown {
    /// A stay begins: what stands above is of another one.
    pub(super) fn clear(&mut self) {
        self.0.clear();
    }

    /// A message is shown.
    pub(super) fn push(&mut self, position: u64, author: SessionId, written: Duration) {
        if self.0.len() == KNOWN_MESSAGES {
            self.0.pop_front();
        }
        self.0.push_back(Message {
            position,
            author,
            written,
        });
    }

    /// How many of the others' messages its author had not seen who wrote something at this time: who had
    /// come to this position when it was sealed, which may be long after that.
    pub(super) fn unseen(&self, seen: u64, author: SessionId, written: Duration) -> usize {
        let is_unseen = |shown: &&Message| {
            shown.position > seen || shown.written > written.saturating_add(KNOWN_TO)
        };
        let unseen = self.0.iter().rev().take_while(is_unseen);
        unseen.filter(|shown| shown.author != author).count()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_written_before_others_was_said_without_having_seen_them_whenever_it_was_sealed() {
        let [own, ada, bob] = [1, 2, 3].map(|sid| SessionId([sid; 32]));
        let seconds = Duration::from_secs;
        let mut shown = Shown::default();
        for (position, author) in [(10, ada), (12, own), (14, bob), (16, ada)] {
            shown.push(position, author, seconds(10 * position));
        }
        let unseen = |seen, written| shown.unseen(seen, bob, seconds(written));
        assert_eq!(
            [unseen(16, 170), unseen(13, 170), unseen(9, 170)],
            [0, 1, 3]
        );
        assert_eq!(
            [unseen(16, 158), unseen(16, 130), unseen(16, 90)],
            [0, 1, 3]
        );
    }
}
