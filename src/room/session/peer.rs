//! What a session knows of one other member.

use std::collections::VecDeque;
use std::time::Duration;

use crate::cipher::encoding::Digest;
use crate::room::Time;
use crate::room::card::{Card, SessionId};
use crate::room::names::Nick;
use crate::room::statement::{Direct, Told};
use crate::room::text::SafeText;
use crate::room::transcript::Version;

use super::event::{Person, Standing};

/// How many of a member's latest messages are remembered, in order to notice two for one place.
const RECENT: usize = 64;

/// How many streams of direct messages are remembered, each way. There is another one for each
/// session key of either side.
const STREAMS: usize = 8;

/// How many messages that came too late are remembered of somebody, for telling it.
const UNREAD: usize = 256;

/// Another member.
pub(super) struct Peer {
    pub(super) card: Card,
    pub(super) standing: Standing,
    /// Whether it has signed something that only a member of the room as it is now could sign.
    pub(super) is_confirmed: bool,
    /// Whether it has signed its goodbye.
    pub(super) said_goodbye: bool,
    /// The change of the roster with which it came onto the user's screen.
    pub(super) shown: u64,
    /// The change of the roster with which it came to be called as it is.
    pub(super) named: u64,
    /// The epoch in which it joined last, as far as that is known. What it wrote before is in no
    /// chain.
    pub(super) joined: Version,
    /// When it joined, when its session key was first seen, and when it was last heard, by this
    /// member's clock.
    pub(super) here_since: Duration,
    pub(super) key_since: Duration,
    pub(super) heard: Duration,
    /// The time in its latest statement, by its own clock.
    pub(super) stated: Time,
    pub(super) reported: Reported,
    /// Why it is not at the keyboard, if it is not.
    pub(super) away: Option<SafeText>,
    /// What it sends.
    pub(super) incoming: Incoming,
    pub(super) outgoing: Outgoing,
}

/// How somebody came to be in the room.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Arrival {
    /// It was there before this member.
    Found,
    /// It came later.
    Joined,
}

/// What has been said of a member once, and need not be said again.
#[derive(Default)]
pub(super) struct Reported {
    pub(super) unconfirmed: bool,
    pub(super) silence: bool,
    pub(super) stale_key: bool,
    /// Whom it left out of its latest message.
    pub(super) left_out: Vec<Nick>,
}

/// What this member sends to another one.
#[derive(Default)]
pub(super) struct Outgoing {
    /// The number of the first message to the room that is for it.
    pub(super) since: Option<u64>,
    /// The number of the first one that is not for it, if it was away.
    pub(super) until: Option<u64>,
    /// Whether it has yet to be told where the numbers stand, or what came too late.
    pub(super) is_untold: bool,
    /// Its messages that came too late to be opened, the latest ones.
    pub(super) unread: VecDeque<Digest>,
    /// The streams of direct messages to it.
    pub(super) direct: Streams,
}

impl Outgoing {
    /// It is there from now on; `next` is the number of the next message to the room.
    pub(super) fn begin(&mut self, next: u64) {
        self.since.get_or_insert(next);
    }

    /// It is away from now on; `next` is the number of the next message to the room.
    pub(super) fn end(&mut self, next: u64) {
        self.until.get_or_insert(next);
        self.is_untold = false;
    }

    /// A message of its came too late to be opened.
    pub(super) fn came_too_late(&mut self, message: Digest) {
        if self.unread.len() == UNREAD {
            self.unread.pop_front();
        }
        self.unread.push_back(message);
        self.is_untold = true;
    }

    /// How many bytes of a statement are about it at most.
    pub(super) fn size(&self) -> usize {
        let of_told = if self.is_untold {
            48 + 32 * self.unread.len()
        } else {
            0
        };
        of_told + 72 * self.direct.iter().count()
    }

    /// It has been told.
    pub(super) fn is_told(&mut self) {
        self.is_untold = false;
        self.until = None;
    }
}

/// Streams of direct messages, each from one session id to another, with the numbers of their next
/// messages.
#[derive(Default)]
pub(super) struct Streams(VecDeque<Direct>);

impl Streams {
    /// The number of the next message in a stream.
    pub(super) fn next(&mut self, from: SessionId, to: SessionId) -> &mut u64 {
        let is_it = |stream: &Direct| (stream.from, stream.to) == (from, to);
        if !self.0.iter().any(is_it) {
            if self.0.len() == STREAMS {
                self.0.pop_front();
            }
            self.0.push_back(Direct { from, to, next: 0 });
        }
        let found = self.0.iter_mut().find(|stream| is_it(stream));
        &mut found.expect("it was just added").next
    }

    /// The streams in which there was something.
    pub(super) fn iter(&self) -> impl Iterator<Item = Direct> {
        self.0.iter().copied().filter(|stream| stream.next > 0)
    }
}

impl Peer {
    /// Somebody of whom nothing is known but the card, which is seen now.
    pub(super) fn new(card: Card, now: Duration) -> Self {
        Self {
            card,
            standing: Standing::default(),
            is_confirmed: false,
            said_goodbye: false,
            shown: 0,
            named: 0,
            joined: Version::default(),
            here_since: now,
            key_since: now,
            heard: now,
            stated: 0,
            reported: Reported::default(),
            away: None,
            incoming: Incoming::default(),
            outgoing: Outgoing::default(),
        }
    }

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
    /// The number of the first one that came before it was known which one to expect.
    first: Option<u64>,
    /// Whether it has been there before, and has yet to tell this member where its numbers stand.
    pub(super) owes_greeting: bool,
    /// The streams of direct messages from it.
    direct: Streams,
    /// The latest messages: whom it was for, if direct, the number, the digest of the header.
    recent: VecDeque<(Option<SessionId>, u64, Digest)>,
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
    /// The member is there, with a card that says what it sends next. Of one that is new, and comes
    /// later than oneself, it is known that this is its first message; of another one, what to expect
    /// is known when it has said so.
    pub(super) fn begin(&mut self, arrival: Arrival, next: u64) {
        if arrival == Arrival::Joined && next == 0 {
            self.next.get_or_insert(0);
        }
        self.owes_greeting = arrival == Arrival::Found || self.next.is_none();
    }

    /// A message to the room, or one from one session id to another, has come.
    pub(super) fn take(
        &mut self,
        direct: Option<(SessionId, SessionId)>,
        number: u64,
        digest: Digest,
    ) -> Place {
        let next = if let Some((from, to)) = direct {
            self.direct.next(from, to)
        } else {
            if self.next.is_none() {
                self.first = Some(number);
            }
            self.next.get_or_insert(number)
        };
        let to = direct.map(|(_, to)| to);
        let Some(missing) = number.checked_sub(*next) else {
            let other = |(t, n, known): &(Option<SessionId>, u64, Digest)| {
                (*t, *n) == (to, number) && *known != digest
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
        self.recent.push_back((to, number, digest));
        Place::New { missing }
    }

    /// The member says itself that the number of its next message to the room is `next`, and, if
    /// this reader has come since it last said so, which of those before were for it. Returns how
    /// many messages are missing.
    pub(super) fn learn(&mut self, next: u64, told: Option<Told>) -> u64 {
        let (since, until) = told.map_or((next, next), |told| (told.since, told.until));
        let before = self
            .first
            .take()
            .map_or(0, |first| first.saturating_sub(since));
        let expected = self.next.unwrap_or(since.min(next));
        self.next = Some(expected.max(next));
        until
            .min(next)
            .saturating_sub(expected)
            .saturating_add(before)
    }

    /// The same for a stream of direct messages.
    pub(super) fn learn_direct(&mut self, stream: &Direct) -> u64 {
        let expected = self.direct.next(stream.from, stream.to);
        let missing = stream.next.saturating_sub(*expected);
        *expected = stream.next.max(*expected);
        missing
    }

    /// What was long ago need not be remembered of one who is away.
    pub(super) fn forget_recent(&mut self) {
        self.recent = VecDeque::new();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: Digest = [1; 32];
    const TWO: Digest = [2; 32];
    const ADA: SessionId = SessionId([1; 32]);
    const BOB: SessionId = SessionId([2; 32]);
    const BOB_LATER: SessionId = SessionId([3; 32]);

    fn told(since: u64, until: u64) -> Told {
        Told {
            reader: BOB,
            since,
            until,
        }
    }

    fn joined(next: u64) -> Incoming {
        let mut incoming = Incoming::default();
        incoming.begin(Arrival::Joined, 0);
        incoming.learn(next, Some(told(next, next)));
        incoming
    }

    fn found() -> Incoming {
        let mut incoming = Incoming::default();
        incoming.begin(Arrival::Found, 0);
        incoming
    }

    #[test]
    fn a_number_comes_once_and_never_goes_down() {
        let mut incoming = joined(0);
        assert_eq!(incoming.take(None, 0, ONE), Place::New { missing: 0 });
        assert_eq!(incoming.take(None, 0, ONE), Place::Repeated);
        assert_eq!(incoming.take(None, 3, ONE), Place::New { missing: 2 });
        assert_eq!(incoming.take(None, 1, ONE), Place::Repeated);
        assert_eq!(incoming.learn(2, Some(told(0, 0))), 0);
        assert_eq!(incoming.take(None, 3, ONE), Place::Repeated);
    }

    #[test]
    fn two_messages_for_one_place_are_noticed() {
        let mut incoming = joined(0);
        assert_eq!(incoming.take(None, 0, ONE), Place::New { missing: 0 });
        let direct = Some((ADA, BOB));
        assert_eq!(incoming.take(direct, 0, TWO), Place::New { missing: 0 });
        assert_eq!(incoming.take(None, 0, TWO), Place::Taken);
    }

    #[test]
    fn direct_messages_are_counted_for_each_pair_of_session_ids() {
        let mut incoming = joined(0);
        let (before, after) = (Some((ADA, BOB)), Some((ADA, BOB_LATER)));
        assert_eq!(incoming.take(before, 0, ONE), Place::New { missing: 0 });
        assert_eq!(incoming.take(after, 0, ONE), Place::New { missing: 0 });
        assert_eq!(incoming.take(before, 0, ONE), Place::Repeated);
        // That the last one before a new key is missing is known afterwards.
        let stream = Direct {
            from: ADA,
            to: BOB,
            next: 2,
        };
        assert_eq!(incoming.learn_direct(&stream), 1);
        assert_eq!(incoming.learn_direct(&stream), 0);
        assert_eq!(incoming.take(before, 1, TWO), Place::Repeated);
    }

    #[test]
    fn numbers_at_the_end_of_the_scale_are_numbers() {
        let mut incoming = joined(0);
        let last = u64::MAX - 1;
        assert_eq!(incoming.take(None, last, ONE), Place::New { missing: last });
        assert_eq!(incoming.take(None, last, ONE), Place::Repeated);
    }

    #[test]
    fn the_last_message_before_a_silence_is_missed() {
        let mut incoming = joined(7);
        assert_eq!(incoming.take(None, 7, ONE), Place::New { missing: 0 });
        assert_eq!(incoming.learn(9, None), 1);
        assert_eq!(incoming.learn(9, None), 0);
    }

    #[test]
    fn who_comes_late_or_was_away_misses_only_what_was_for_it() {
        let mut late = found();
        assert_eq!(late.learn(500, Some(told(500, 500))), 0);
        assert_eq!(late.take(None, 501, ONE), Place::New { missing: 1 });
        let mut deaf = found();
        assert_eq!(deaf.learn(500, Some(told(490, 495))), 5);
        let mut deaf = found();
        assert_eq!(deaf.take(None, 492, ONE), Place::New { missing: 0 });
        assert_eq!(deaf.learn(500, Some(told(490, 495))), 4);
        let mut away = joined(7);
        assert_eq!(away.take(None, 7, ONE), Place::New { missing: 0 });
        assert_eq!(away.learn(500, Some(told(3, 10))), 2);
        assert_eq!(away.take(None, 500, ONE), Place::New { missing: 0 });
    }
}
