//! What a session knows of one other member.

use std::collections::VecDeque;
use std::time::Duration;

use crate::cipher::encoding::Digest;
use crate::room::Time;
use crate::room::card::Card;
use crate::room::names::Nick;
use crate::room::statement::Told;

use super::event::{Person, Standing};

/// How many of a member's latest messages are remembered, in order to notice two for one place.
const RECENT: usize = 64;

/// Another member.
pub(super) struct Peer {
    pub(super) card: Card,
    pub(super) standing: Standing,
    /// Whether it has signed something that only a member of the room as it is now could sign.
    pub(super) is_confirmed: bool,
    /// Whether it has signed its goodbye.
    pub(super) said_goodbye: bool,
    /// The epoch in which it joined, as far as that is known.
    pub(super) joined: u64,
    /// When its session key was first seen, and when it was last heard, by this member's clock.
    pub(super) key_since: Duration,
    pub(super) heard: Duration,
    /// The time in its latest statement, by its own clock.
    pub(super) stated: Time,
    pub(super) reported: Reported,
    /// What it sends.
    pub(super) incoming: Incoming,
    pub(super) outgoing: Outgoing,
}

/// What has been said of a member once, and need not be said again.
#[derive(Default)]
pub(super) struct Reported {
    pub(super) silence: bool,
    pub(super) stale_key: bool,
    /// Whom it left out of its latest message.
    pub(super) left_out: Vec<Nick>,
}

/// What this member sends to another one.
pub(super) struct Outgoing {
    /// The number of the first message to the room that is for it too.
    pub(super) since: u64,
    /// The number of the next message to it alone.
    pub(super) next_direct: u64,
    /// Whether it has yet to be told so.
    pub(super) is_untold: bool,
}

impl Peer {
    pub(super) fn person(&self) -> Person {
        Person {
            nick: self.card.nick().clone(),
            fingerprint: self.card.fingerprint(),
            is_lasting: self.card.is_lasting(),
            is_confirmed: self.is_confirmed,
            standing: self.standing,
            sid: self.card.sid(),
        }
    }

    /// It was heard.
    pub(super) fn is_heard(&mut self, now: Duration) {
        self.heard = now;
        self.reported.silence = false;
    }
}

/// The numbers of the messages that come from a member. They only ever go up.
#[derive(Default)]
pub(super) struct Incoming {
    /// The number of its next message to the room, as far as it can be known.
    next: Option<u64>,
    /// The number of the first one that came, while it cannot be known whether others came before.
    first: Option<u64>,
    /// Whether it has said from which number on there are messages for this member, or need not.
    was_told: bool,
    /// The number of its next message to this member alone.
    next_direct: u64,
    /// Of which of this member's own session ids, one after another, that is the number.
    reader: usize,
    /// The latest messages: whether it was direct, the number, the digest of the header.
    recent: VecDeque<(bool, u64, Digest)>,
}

/// What a message's number says of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// It is new, and so many are missing before it.
    New { missing: u64 },
    /// It was there before.
    Repeated,
    /// Another one was there before.
    Taken,
}

impl Incoming {
    /// Of one that joined later than this member it is known what it sends first.
    pub(super) fn from(next: u64) -> Self {
        Self {
            next: Some(next),
            was_told: true,
            ..Self::default()
        }
    }

    /// A message with this number has come.
    pub(super) fn take(&mut self, direct: bool, number: u64, digest: Digest) -> Place {
        let next = if direct {
            &mut self.next_direct
        } else {
            if self.next.is_none() {
                self.first = Some(number);
            }
            self.next.get_or_insert(number)
        };
        let Some(missing) = number.checked_sub(*next) else {
            let other = |(d, n, known): &(bool, u64, Digest)| {
                (*d, *n) == (direct, number) && *known != digest
            };
            return if self.recent.iter().any(other) {
                Place::Taken
            } else {
                Place::Repeated
            };
        };
        *next = number + 1;
        if self.recent.len() == RECENT {
            self.recent.pop_front();
        }
        self.recent.push_back((direct, number, digest));
        Place::New { missing }
    }

    /// What comes now is for this one of the reader's own session ids, for each of which direct
    /// messages are counted anew. Returns whether it can be counted: not if one for a later id has
    /// come before.
    pub(super) fn turn_to(&mut self, reader: usize) -> bool {
        if reader > self.reader {
            self.reader = reader;
            self.forget_direct();
        }
        reader == self.reader
    }

    fn forget_direct(&mut self) {
        self.next_direct = 0;
        self.recent.retain(|(direct, ..)| !direct);
    }

    /// Whether a statement that comes now should have been the second one: the first that somebody
    /// makes after a newcomer has come tells it from where on there are messages for it. This is to
    /// be said once.
    pub(super) fn lacks_greeting(&mut self, told: Option<Told>) -> bool {
        !std::mem::replace(&mut self.was_told, true) && told.is_none()
    }

    /// The member says itself what it has sent. Returns how many messages are missing.
    pub(super) fn learn(&mut self, next: u64, told: Option<Told>) -> u64 {
        let mut missing = 0;
        if let Some(told) = told {
            if let Some(first) = self.first.take() {
                missing += first.saturating_sub(told.since);
            }
            self.next.get_or_insert(told.since);
            missing += told.next_direct.saturating_sub(self.next_direct);
            self.next_direct = self.next_direct.max(told.next_direct);
        }
        if let Some(expected) = &mut self.next {
            missing += next.saturating_sub(*expected);
            *expected = next.max(*expected);
        }
        missing
    }

    /// The member goes on under another session id, where direct messages are counted anew.
    pub(super) fn succeed(&mut self, next: u64) -> u64 {
        let missing = self.learn(next, None);
        self.next_direct = 0;
        self.recent.clear();
        missing
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::room::card::SessionId;

    const ONE: Digest = [1; 32];
    const TWO: Digest = [2; 32];

    fn told(since: u64, next_direct: u64) -> Told {
        Told {
            reader: SessionId([0; 32]),
            since,
            next_direct,
        }
    }

    #[test]
    fn a_number_comes_once_and_never_goes_down() {
        let mut incoming = Incoming::from(0);
        assert_eq!(incoming.take(false, 0, ONE), Place::New { missing: 0 });
        assert_eq!(incoming.take(false, 0, ONE), Place::Repeated);
        assert_eq!(incoming.take(false, 3, ONE), Place::New { missing: 2 });
        assert_eq!(incoming.take(false, 1, ONE), Place::Repeated);
        assert_eq!(incoming.learn(2, Some(told(0, 0))), 0);
        assert_eq!(incoming.take(false, 3, ONE), Place::Repeated);
    }

    #[test]
    fn two_messages_for_one_place_are_noticed() {
        let mut incoming = Incoming::from(0);
        assert_eq!(incoming.take(false, 0, ONE), Place::New { missing: 0 });
        assert_eq!(incoming.take(true, 0, TWO), Place::New { missing: 0 });
        assert_eq!(incoming.take(false, 0, TWO), Place::Taken);
    }

    #[test]
    fn direct_messages_are_counted_anew_for_each_session_id_of_the_reader() {
        let mut incoming = Incoming::from(0);
        assert!(incoming.turn_to(0));
        assert_eq!(incoming.take(true, 0, ONE), Place::New { missing: 0 });
        assert!(incoming.turn_to(1));
        assert_eq!(incoming.take(true, 0, TWO), Place::New { missing: 0 });
        assert_eq!(incoming.take(true, 0, TWO), Place::Repeated);
        // What was for the id before comes too late, and makes nothing start again.
        assert!(!incoming.turn_to(0));
        assert_eq!(incoming.take(true, 0, TWO), Place::Repeated);
    }

    #[test]
    fn numbers_at_the_end_of_the_scale_are_numbers() {
        let mut incoming = Incoming::from(0);
        let last = u64::MAX - 1;
        assert_eq!(
            incoming.take(false, last, ONE),
            Place::New { missing: last }
        );
        assert_eq!(incoming.take(false, last, ONE), Place::Repeated);
    }

    #[test]
    fn the_last_message_before_a_silence_is_missed() {
        let mut incoming = Incoming::from(7);
        assert_eq!(incoming.take(false, 7, ONE), Place::New { missing: 0 });
        assert_eq!(incoming.learn(9, None), 1);
        assert_eq!(incoming.learn(9, None), 0);
        assert_eq!(incoming.learn(9, Some(told(7, 2))), 2);
    }

    #[test]
    fn a_late_join_misses_nothing_but_what_was_for_it() {
        let mut incoming = Incoming::default();
        assert_eq!(incoming.take(false, 500, ONE), Place::New { missing: 0 });
        assert_eq!(incoming.learn(501, Some(told(500, 0))), 0);
        let mut incoming = Incoming::default();
        assert_eq!(incoming.take(false, 500, ONE), Place::New { missing: 0 });
        assert_eq!(incoming.learn(501, Some(told(498, 0))), 2);
        let mut incoming = Incoming::default();
        assert_eq!(incoming.learn(501, Some(told(500, 0))), 1);
    }
}
