//! The numbers of the messages that come from others: each is taken once, and what is missing is told
//! (PROTOCOL §5). A member is known by its first session id, whatever keys and stays it has had.

use std::collections::{HashMap, HashSet, VecDeque};
use std::time::Duration;

use crate::cipher::encoding::Digest;
use crate::room::card::SessionId;
use crate::room::numbers::{Had, MAX_RANGES, Outcome, Ranges};

/// How many of a stream's latest messages are remembered, in order to notice two with one number.
const RECENT: usize = 64;

/// How many gaps are told apart.
const MAX_GAPS: usize = 16;

/// How many members' streams are remembered. Whoever wants one of them forgotten has to bring so many
/// others.
const MEMBERS: usize = 8192;

/// What a message's number says of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Turn {
    /// It is new.
    New,
    /// It is one that was missing, or that did not open when it came.
    Late,
    /// It was there before.
    Repeated,
    /// Another one was there before.
    Taken,
}

/// Messages that did not come, though those before and after them did.
#[derive(Clone, Copy, Debug)]
struct Gap {
    first: u64,
    last: u64,
    since: Duration,
}

/// What is known of the numbers that were used while this member was out of the room.
#[derive(Default)]
struct Meanwhile {
    /// The lowest that may be one of them, from this member's return on, until the sender first says which
    /// is next.
    from: Option<u64>,
    /// Those that are not told yet, of each time that it was out.
    known: Ranges,
    /// When the latest of them were learnt, or one of them came after all.
    since: Duration,
    /// For how long it was out, all the times together of which something is not told yet.
    out: Duration,
}

/// How long this member was out of the room.
#[derive(Clone, Copy)]
pub(super) struct Out {
    /// The last time.
    pub(super) last: Duration,
    /// All the times together of which nothing is told yet.
    pub(super) in_all: Duration,
}

/// The messages of one member to the room, or to this member.
#[derive(Default)]
pub(super) struct NumberedStream {
    had: Had,
    /// Whether the latest message was one of the present stays of both.
    is_settled: bool,
    /// The highest number that has come with a message of the present stays of both.
    highest: Option<u64>,
    meanwhile: Meanwhile,
    gaps: Vec<Gap>,
    /// The latest messages: the number, the digest of the header.
    recent: VecDeque<(u64, Digest)>,
}

impl NumberedStream {
    /// What the number of a message says of it.
    pub(super) fn turn(&self, number: u64, digest: Digest) -> Turn {
        let other = |(n, known): &(u64, Digest)| *n == number && *known != digest;
        match self.had.outcome(number) {
            _ if self.recent.iter().any(other) => Turn::Taken,
            Some(Outcome::Opened) => Turn::Repeated,
            None if number >= self.had.next => Turn::New,
            None | Some(Outcome::Unopened) => Turn::Late,
        }
    }

    /// Whether a message of the present stays of both has come before. A relay takes none from its author
    /// there whose number is not above all before it.
    fn has_place(&self, number: u64, digest: Digest) -> bool {
        self.highest.is_some_and(|highest| number <= highest)
            && self.turn(number, digest) == Turn::Repeated
    }

    /// A message has come whose signature was verified; whether it opens is said afterwards. If it is
    /// of the present stays of both, and so was the one before, what is between is missing. Where its
    /// content has not come with it, it is missing itself.
    pub(super) fn take(
        &mut self,
        number: u64,
        digest: Digest,
        has_content: bool,
        fits: bool,
        active: Duration,
    ) {
        if fits {
            self.highest = self.highest.max(Some(number));
        }
        if number >= self.had.next && fits {
            self.settle(number, active);
        } else if self.meanwhile.known.contains(number) {
            self.meanwhile.since = active;
        }
        if has_content {
            self.had.take(number, Outcome::Unopened);
        } else {
            self.had.expect(number + 1);
        }
        if self.recent.len() == RECENT {
            self.recent.pop_front();
        }
        self.recent.push_back((number, digest));
    }

    /// This number is the next one of the present stays of both. Those that were passed over are messages
    /// that did not come, or that were not for this member, which was out of the room.
    fn settle(&mut self, number: u64, active: Duration) {
        let next = self.had.next;
        if self.is_settled && number > next {
            self.note_gap(next, number - 1, active);
        }
        self.is_settled = true;
        if let Some(from) = self.meanwhile.from.take().filter(|from| *from < number) {
            self.meanwhile.known.insert(from, number - 1);
            self.meanwhile.known.join_closest(MAX_RANGES);
            self.meanwhile.since = active;
        }
    }

    fn note_gap(&mut self, first: u64, last: u64, since: Duration) {
        let is_full = self.gaps.len() == MAX_GAPS;
        match self.gaps.last_mut() {
            // What has come of those between does not count as missing.
            Some(before) if is_full => before.last = last,
            _ => self.gaps.push(Gap { first, last, since }),
        }
    }

    /// Its sender has said, in the present stays of both, which number is next.
    pub(super) fn expect_next(&mut self, number: u64, active: Duration) {
        self.settle(number, active);
        self.had.expect(number);
    }

    /// It was opened, and is handed to the display.
    pub(super) fn opened(&mut self, number: u64) {
        self.had.take(number, Outcome::Opened);
    }

    /// A stay begins, of its sender or of this member: numbers between that and what came before may
    /// be of messages that were not for this member.
    fn unsettle(&mut self) {
        (self.is_settled, self.highest) = (false, None);
    }

    /// This member is back in the room. It knows which number was next when it went: by what its sender
    /// has said; or, if it saw that come and nothing of it yet, by the card that it `joined` with. What was
    /// used before it knew that is nothing to it.
    fn come_back(&mut self, joined: Option<u64>, out: Out) {
        let is_known = self.is_settled || self.had.next > 0;
        let next = if is_known {
            Some(self.had.next)
        } else {
            joined
        };
        let is_untold = self.is_awaited() || !self.meanwhile.known.is_empty();
        self.meanwhile.out = if is_untold {
            self.meanwhile.out + out.last
        } else {
            out.in_all
        };
        self.meanwhile.from = self.meanwhile.from.or(next);
    }

    /// Whether its sender has yet to say which number is next, so that it is known what was said while this
    /// member was out of the room.
    fn is_awaited(&self) -> bool {
        self.meanwhile.from.is_some()
    }

    /// Takes how many messages were said while this member was out of the room, and have not come since, and
    /// for how long it was out, if that is known for so long.
    fn take_meanwhile(&mut self, active: Duration, patience: Duration) -> (Duration, u64) {
        let out = self.meanwhile.out;
        if active.saturating_sub(self.meanwhile.since) < patience {
            return (out, 0);
        }
        let known = std::mem::take(&mut self.meanwhile.known);
        (out, self.had.missing.count_common(&known))
    }

    /// What has come.
    pub(super) fn had(&self) -> &Had {
        &self.had
    }

    /// Takes what has been missing for so long, and is to be told: how many messages.
    fn take_missing(&mut self, active: Duration, patience: Duration) -> u64 {
        let is_over = |gap: &mut Gap| active.saturating_sub(gap.since) >= patience;
        let over: Vec<Gap> = self.gaps.extract_if(.., is_over).collect();
        let counts = over.iter();
        counts
            .map(|gap| self.had.missing.count_within(gap.first, gap.last))
            .fold(0, u64::saturating_add)
    }
}

/// The two streams from one member.
#[derive(Default)]
pub(super) struct Streams {
    pub(super) room: NumberedStream,
    pub(super) direct: NumberedStream,
}

/// All streams.
#[derive(Default)]
pub(super) struct AllStreams {
    of: HashMap<SessionId, Streams>,
    /// Oldest first.
    order: VecDeque<SessionId>,
}

impl AllStreams {
    /// The streams from the member that had this session id at first. If too many are remembered, those
    /// are forgotten of somebody who is not among these.
    pub(super) fn of(
        &mut self,
        origin: SessionId,
        known: impl FnOnce() -> HashSet<SessionId>,
    ) -> &mut Streams {
        if !self.of.contains_key(&origin) {
            if self.order.len() >= MEMBERS {
                let known = known();
                let stranger = self.order.iter().position(|origin| !known.contains(origin));
                let forgotten = self.order.remove(stranger.unwrap_or_default());
                forgotten.map(|origin| self.of.remove(&origin));
            }
            self.order.push_back(origin);
        }
        self.of.entry(origin).or_default()
    }

    /// What the number of a message of that member's to the room says of it, if anything is known of that
    /// member.
    pub(super) fn turn_in_room(
        &self,
        origin: SessionId,
        number: u64,
        digest: Digest,
    ) -> Option<Turn> {
        let streams = self.of.get(&origin)?;
        Some(streams.room.turn(number, digest))
    }

    /// Whether a message of that member's to the room has its place in the chain already, in the present
    /// stays of both.
    pub(super) fn has_place(&self, origin: SessionId, number: u64, digest: Digest) -> bool {
        let streams = self.of.get(&origin);
        streams.is_some_and(|streams| streams.room.has_place(number, digest))
    }

    /// What has come of the direct messages from that member, if anything has come from it.
    pub(super) fn has_direct(&self, origin: SessionId) -> bool {
        let streams = self.of.get(&origin);
        streams.is_some_and(|streams| streams.direct.had().next > 0)
    }

    /// That member has entered anew.
    pub(super) fn unsettle(&mut self, origin: SessionId) {
        if let Some(streams) = self.of.get_mut(&origin) {
            streams.room.unsettle();
            streams.direct.unsettle();
        }
    }

    /// This member has entered anew. It saw these members come before, with cards that said which number
    /// was next.
    pub(super) fn come_back(&mut self, joined: &HashMap<SessionId, u64>, out: Out) {
        for origin in joined.keys() {
            self.of(*origin, || joined.keys().copied().collect());
        }
        for (origin, streams) in &mut self.of {
            streams.room.come_back(joined.get(origin).copied(), out);
            streams.room.unsettle();
            streams.direct.unsettle();
        }
    }

    /// Whether that member has yet to say how many messages it said to the room while this one was out of it.
    pub(super) fn is_awaited(&self, origin: SessionId) -> bool {
        let streams = self.of.get(&origin);
        streams.is_some_and(|streams| streams.room.is_awaited())
    }

    /// Takes how many messages that member said to the room while this one was out of it, of those that
    /// have not come since, and for how long it was out, if that is known for so long.
    pub(super) fn take_meanwhile(
        &mut self,
        origin: SessionId,
        active: Duration,
        patience: Duration,
    ) -> (Duration, u64) {
        let streams = self.of.get_mut(&origin);
        streams.map_or((Duration::ZERO, 0), |streams| {
            streams.room.take_meanwhile(active, patience)
        })
    }

    /// Takes how many messages from that member have been missing for so long.
    pub(super) fn take_missing(
        &mut self,
        origin: SessionId,
        active: Duration,
        patience: Duration,
    ) -> u64 {
        let streams = self.of.get_mut(&origin);
        streams.map_or(0, |streams| {
            let room = streams.room.take_missing(active, patience);
            room.saturating_add(streams.direct.take_missing(active, patience))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::room::numbers::MAX_RANGES;

    const ONE: Digest = [1; 32];
    const TWO: Digest = [2; 32];
    const P: Duration = Duration::from_mins(1);

    fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn stream(numbers: &[u64]) -> NumberedStream {
        let mut stream = NumberedStream::default();
        for number in numbers {
            stream.take(*number, ONE, true, true, seconds(0));
            stream.opened(*number);
        }
        stream
    }

    #[test]
    fn a_number_is_taken_once_and_what_was_missing_or_did_not_open_may_come_late() {
        let mut some = stream(&[3, 5]);
        assert_eq!(some.turn(6, ONE), Turn::New);
        assert_eq!(some.turn(5, ONE), Turn::Repeated);
        assert_eq!(some.turn(4, ONE), Turn::Late);
        some.take(6, ONE, true, true, seconds(1));
        assert_eq!(some.turn(6, ONE), Turn::Late, "it did not open");
        some.opened(6);
        assert_eq!(some.turn(6, ONE), Turn::Repeated);
    }

    #[test]
    fn what_comes_without_its_content_is_missing_and_not_unopened() {
        let mut some = stream(&[0]);
        some.take(1, ONE, false, true, seconds(1));
        assert_eq!(some.turn(1, ONE), Turn::Late);
        assert!(some.had().missing.contains(1) && !some.had().unopened.contains(1));
        assert_eq!(
            some.take_missing(seconds(100), P),
            0,
            "it was told when it came"
        );
        some.take(1, ONE, true, false, seconds(2));
        some.opened(1);
        assert_eq!(some.turn(1, ONE), Turn::Repeated);
    }

    #[test]
    fn two_messages_with_one_number_are_noticed() {
        assert_eq!(stream(&[0]).turn(0, TWO), Turn::Taken);
    }

    #[test]
    fn what_is_missing_for_a_period_is_told_once_and_what_comes_meanwhile_is_not() {
        let mut some = stream(&[0, 4]);
        some.take(2, ONE, true, true, seconds(30));
        some.opened(2);
        assert_eq!(some.take_missing(seconds(59), P), 0);
        assert_eq!(some.take_missing(seconds(60), P), 2);
        assert_eq!(some.take_missing(seconds(999), P), 0);
    }

    #[test]
    fn gaps_are_bounded_and_none_is_lost() {
        let count = 2 * u64::try_from(MAX_RANGES).unwrap();
        let numbers: Vec<u64> = (0..=count).map(|number| 2 * number).collect();
        let mut some = stream(&numbers);
        assert_eq!(some.gaps.len(), MAX_GAPS);
        // The lowest are not waited for any more.
        assert_eq!(some.take_missing(seconds(60), P), count / 2);
    }

    #[test]
    fn what_may_not_have_been_for_this_member_is_not_missing() {
        let mut first = stream(&[]);
        first.take(7, ONE, true, true, seconds(0));
        let mut away = stream(&[0]);
        away.unsettle();
        away.take(7, ONE, true, true, seconds(0));
        let mut resent = stream(&[0]);
        resent.take(7, ONE, true, false, seconds(0));
        for mut stream in [first, away, resent] {
            assert_eq!(stream.take_missing(seconds(100), P), 0);
        }
    }

    #[test]
    fn what_was_said_each_time_that_this_member_was_out_is_counted_until_it_is_told() {
        let mut some = stream(&[0]);
        let out = |returned| Out {
            last: seconds(10 * returned),
            in_all: seconds(10 * returned),
        };
        for (returned, next) in [(1, 3), (2, 4), (3, 9)] {
            some.come_back(None, out(returned));
            some.unsettle();
            if returned == 1 {
                // It was written before, and for this member.
                some.take(2, ONE, true, false, seconds(returned));
                some.opened(2);
            }
            some.expect_next(next, seconds(returned));
        }
        some.take(6, ONE, true, false, seconds(4));
        some.opened(6);
        let in_all = seconds(10 + 20 + 30);
        assert_eq!(some.take_meanwhile(seconds(63), P), (in_all, 0));
        let meanwhile = 1 + 1 + 4;
        assert_eq!(
            some.take_meanwhile(seconds(64), P),
            (in_all, meanwhile),
            "one of them came after all, at 4 s"
        );
        assert_eq!(some.take_meanwhile(seconds(999), P), (in_all, 0));
        assert_eq!(some.take_missing(seconds(999), P), 0);
    }

    #[test]
    fn what_was_said_meanwhile_is_counted_from_what_was_known_of_its_author() {
        let out = Out {
            last: seconds(10),
            in_all: seconds(15),
        };
        // It has said that it has said nothing; it was seen to join, with this number; nothing was known.
        for (is_settled, joined, count) in [(true, None, 7), (false, Some(4), 3), (false, None, 0)]
        {
            let mut some = NumberedStream::default();
            if is_settled {
                some.expect_next(0, seconds(0));
            }
            some.come_back(joined, out);
            some.unsettle();
            assert_eq!(some.is_awaited(), count > 0);
            some.expect_next(7, seconds(1));
            assert!(!some.is_awaited());
            let told = some.take_meanwhile(seconds(61), P);
            assert_eq!(told, (seconds(15), count));
        }
    }

    #[test]
    fn numbers_at_the_end_of_the_scale_are_numbers() {
        let mut some = stream(&[0, u64::MAX - 1]);
        assert_eq!(some.turn(u64::MAX - 1, ONE), Turn::Repeated);
        assert_eq!(some.take_missing(seconds(100), P), u64::MAX - 2);
    }

    /// How many bytes of memory a stream takes.
    fn memory(stream: &NumberedStream) -> usize {
        let Had {
            missing, unopened, ..
        } = &stream.had;
        let ranges = [missing, unopened, &stream.meanwhile.known];
        size_of_val(stream)
            + ranges.map(Ranges::memory).iter().sum::<usize>()
            + stream.gaps.capacity() * size_of::<Gap>()
            + stream.recent.capacity() * size_of::<(u64, Digest)>()
    }

    #[test]
    fn what_is_known_of_one_author_takes_no_more_than_27_kib() {
        let mut streams = Streams::default();
        let out = Out {
            last: seconds(1),
            in_all: seconds(1),
        };
        let count = 4 * u64::try_from(MAX_RANGES).unwrap();
        for stream in [&mut streams.room, &mut streams.direct] {
            for number in 0..count {
                // Each time that this member is back, it learns of a number that it has missed.
                stream.come_back(None, out);
                stream.unsettle();
                stream.take(4 * number, ONE, true, true, seconds(0));
                stream.take(4 * number + 2, ONE, true, true, seconds(0));
            }
        }
        let all = memory(&streams.room) + memory(&streams.direct);
        // Nobody counts what was said to this member alone while it was out.
        let all = all - streams.direct.meanwhile.known.memory();
        println!("{all} bytes");
        assert!((24 << 10..27 << 10).contains(&all), "{all}");
    }

    #[test]
    fn the_memory_is_bounded() {
        let mut all = AllStreams::default();
        let sid = |number: u32| {
            let mut sid = [0; 32];
            sid[..4].copy_from_slice(&number.to_be_bytes());
            SessionId(sid)
        };
        let known = || HashSet::from([sid(0), sid(2)]);
        for number in 0..=u32::try_from(MEMBERS).unwrap() {
            all.of(sid(number), known);
        }
        assert_eq!((all.of.len(), all.order.len()), (MEMBERS, MEMBERS));
        assert!(all.of.contains_key(&sid(0)) && !all.of.contains_key(&sid(1)));
        all.of(sid(u32::MAX), known);
        assert!(all.of.contains_key(&sid(2)) && !all.of.contains_key(&sid(3)));
    }
}
