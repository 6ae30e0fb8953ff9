//! What a session knows of one other member.

use std::collections::VecDeque;
use std::time::Duration;

use crate::cipher::encoding::Digest;
use crate::room::Time;
use crate::room::card::{Card, SessionId};
use crate::room::names::Nick;
use crate::room::statement::DirectEntry;
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

/// A session key that was first seen longer ago than this gets no more messages.
const MAX_KEY_AGE: Duration = Duration::from_hours(24);

/// Another member.
pub(super) struct Peer {
    pub(super) card: Card,
    /// The session id that it had when this member last saw it change.
    pub(super) former: Option<SessionId>,
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
    /// How many messages to the room were for it.
    pub(super) total: u64,
    /// Whether it has yet to be told where the numbers stand, or what came too late.
    pub(super) is_untold: bool,
    /// Its messages that came too late to be opened, the latest ones.
    pub(super) unread: VecDeque<Digest>,
    /// The streams of direct messages to it.
    pub(super) direct: Streams,
}

impl Outgoing {
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
            40 + 32 * self.unread.len()
        } else {
            0
        };
        of_told + 72 * self.direct.iter().count()
    }
}

/// Streams of direct messages, each from one session id to another, with the numbers of their next
/// messages.
#[derive(Default)]
pub(super) struct Streams(VecDeque<DirectEntry>);

impl Streams {
    /// The number of the next message in a stream.
    pub(super) fn number(&self, from: SessionId, to: SessionId) -> u64 {
        let mut streams = self.0.iter();
        let stream = streams.find(|stream| (stream.from, stream.to) == (from, to));
        stream.map_or(0, |stream| stream.next)
    }

    /// The same, for changing it.
    pub(super) fn next(&mut self, from: SessionId, to: SessionId) -> &mut u64 {
        let is_it = |stream: &DirectEntry| (stream.from, stream.to) == (from, to);
        if !self.0.iter().any(is_it) {
            if self.0.len() == STREAMS {
                self.0.pop_front();
            }
            self.0.push_back(DirectEntry { from, to, next: 0 });
        }
        let found = self.0.iter_mut().find(|stream| is_it(stream));
        &mut found.expect("it was just added").next
    }

    /// There never was anything from this session id.
    pub(super) fn forget(&mut self, from: SessionId) {
        self.0.retain(|stream| stream.from != from);
    }

    /// The streams in which there was something.
    pub(super) fn iter(&self) -> impl Iterator<Item = DirectEntry> {
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
            former: None,
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

    /// Whether its session key is too old to get messages.
    pub(super) fn is_stale(&self, now: Duration) -> bool {
        now.saturating_sub(self.key_since) > MAX_KEY_AGE
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
    next: u64,
    /// How many messages to the room have come, or are known to be missing.
    known: u64,
    /// Whether it may have written before, and has yet to tell this member how much of it was for it.
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
    /// The member is there, with a card that says what it sends next. Which of its messages before
    /// were for oneself, it has to say, unless there were none.
    pub(super) fn begin(&mut self, arrival: Arrival, next: u64) {
        self.owes_greeting = arrival == Arrival::Found || next > 0;
    }

    /// A message to the room, or one from one session id to another, has come.
    pub(super) fn take(
        &mut self,
        direct: Option<(SessionId, SessionId)>,
        number: u64,
        digest: Digest,
    ) -> Place {
        if let Some(place) = self.past(direct, number, digest) {
            return place;
        }
        let next = match direct {
            Some((from, to)) => self.direct.next(from, to),
            None => &mut self.next,
        };
        let mut missing = number.saturating_sub(*next);
        *next = number + 1;
        if direct.is_none() {
            if self.owes_greeting {
                missing = 0;
            }
            self.known = self.known.saturating_add(missing).saturating_add(1);
        }
        if self.recent.len() == RECENT {
            self.recent.pop_front();
        }
        let to = direct.map(|(_, to)| to);
        self.recent.push_back((to, number, digest));
        Place::New { missing }
    }

    /// What a place is whose time is over, if it is: nothing that comes for it now is shown.
    pub(super) fn past(
        &self,
        direct: Option<(SessionId, SessionId)>,
        number: u64,
        digest: Digest,
    ) -> Option<Place> {
        let next = match direct {
            Some((from, to)) => self.direct.number(from, to),
            None => self.next,
        };
        let to = direct.map(|(_, to)| to);
        let other = |(t, n, known): &(Option<SessionId>, u64, Digest)| {
            (*t, *n) == (to, number) && *known != digest
        };
        (number < next).then(|| {
            if self.recent.iter().any(other) {
                Place::Taken
            } else {
                Place::Repeated
            }
        })
    }

    /// The member says itself that the number of its next message to the room is `next`, and, if one
    /// of the two has come since it last said so, how many were for this member. Returns how many
    /// messages are missing.
    pub(super) fn learn(&mut self, next: u64, total: Option<u64>) -> u64 {
        let beyond = next.saturating_sub(self.next);
        self.next = self.next.max(next);
        let missing = match total {
            Some(total) => {
                let missing = total.saturating_sub(self.known);
                // Whoever has forgotten this member counts from 0.
                self.known = self.known.min(total);
                missing
            }
            None if self.owes_greeting => 0,
            None => beyond,
        };
        self.known = self.known.saturating_add(missing);
        missing
    }

    /// The same for a stream of direct messages.
    pub(super) fn learn_direct(&mut self, stream: &DirectEntry) -> u64 {
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

    /// Somebody who has come with this next number, and has said so.
    fn joined(next: u64) -> Incoming {
        let mut incoming = Incoming::default();
        incoming.begin(Arrival::Joined, next);
        assert_eq!(incoming.learn(next, Some(0)), 0);
        incoming.owes_greeting = false;
        incoming
    }

    #[test]
    fn a_number_comes_once_and_never_goes_down() {
        let mut incoming = joined(0);
        assert_eq!(incoming.take(None, 0, ONE), Place::New { missing: 0 });
        assert_eq!(incoming.take(None, 0, ONE), Place::Repeated);
        assert_eq!(incoming.take(None, 3, ONE), Place::New { missing: 2 });
        assert_eq!(incoming.take(None, 1, ONE), Place::Repeated);
        assert_eq!(incoming.learn(2, None), 0);
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
        let stream = DirectEntry {
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
    fn who_comes_late_misses_only_what_was_for_it() {
        let mut late = Incoming::default();
        late.begin(Arrival::Found, 400);
        assert_eq!(late.learn(500, Some(0)), 0);
        late.owes_greeting = false;
        assert_eq!(late.take(None, 501, ONE), Place::New { missing: 1 });
        // The relay let it in before without its knowing, and it was written to then.
        let mut deaf = Incoming::default();
        deaf.begin(Arrival::Found, 400);
        assert_eq!(deaf.take(None, 492, ONE), Place::New { missing: 0 });
        assert_eq!(deaf.learn(500, Some(5)), 4);
    }

    #[test]
    fn who_was_away_misses_only_what_was_for_it() {
        let mut away = joined(7);
        assert_eq!(away.take(None, 7, ONE), Place::New { missing: 0 });
        // The last two before it was away did not come, one of them at first.
        away.begin(Arrival::Found, 7);
        assert_eq!(away.take(None, 9, ONE), Place::New { missing: 0 });
        assert_eq!(away.learn(500, Some(3)), 1);
        away.owes_greeting = false;
        assert_eq!(away.take(None, 500, ONE), Place::New { missing: 0 });
        // Nothing is said of it twice, even where the telling was lost.
        away.begin(Arrival::Joined, 502);
        assert_eq!(away.learn(502, Some(4)), 0);
    }

    #[test]
    fn who_was_forgotten_is_counted_for_anew() {
        let mut forgotten = joined(0);
        assert_eq!(forgotten.take(None, 0, ONE), Place::New { missing: 0 });
        forgotten.begin(Arrival::Found, 1);
        assert_eq!(forgotten.learn(9, Some(0)), 0);
        forgotten.begin(Arrival::Found, 9);
        assert_eq!(forgotten.learn(11, Some(2)), 2);
    }
}
