//! A backlog: what is on its way to one member. It has the frames that wait, and those that were
//! sent and that the member has not acknowledged. It outlives the member's connection (PROTOCOL
//! §8).

use std::collections::VecDeque;
use std::sync::Arc;

use crate::cipher::encoding::{Digest, Malformed};
use crate::room::chain::REMEMBERED;
use crate::room::frame::{Frame, MAX_PASSED};

use super::OutgoingFrame;
use super::bundle::{Bundle, Unsent};

/// The member is asked for an acknowledgement after this share (one part in so many) of what its
/// backlog may hold, but after so many bytes at most. It is not asked more often because each
/// answer wakes a thread.
const ASK_SHARE: usize = 16;
const ASK_WEIGHT: usize = 128 * 1024;

/// For how many bundles a queue keeps space while it is empty.
const SPARE_BUNDLES: usize = 4;

/// What a backlog may hold, if its relay's host says nothing else: whoever is asleep for twelve hours finds
/// what was said meanwhile in a room of 20 with 1,000 lines, or in one of 3 with 5,000.
pub const DEFAULT_WEIGHT: usize = 6 << 20;

/// There is no room for a frame: the member does not read, or does not acknowledge.
#[derive(Debug, PartialEq, Eq)]
pub struct Overflow;

/// A member's frames, oldest first. What every frame touches comes first.
#[derive(Debug)]
#[repr(C)]
pub struct Backlog {
    /// What all of them weigh, in bytes as [`OutgoingFrame::weight`] counts them.
    weight: usize,
    max_weight: usize,
    /// How many counted frames the member has yet to acknowledge.
    behind: usize,
    /// Whether it may hold twice as much, until the next acknowledgement.
    is_extended: bool,
    /// Whether the member has no connection: of statements, the digests of their entries are kept alone.
    is_asleep: bool,
    /// The frames that came last. They are here and not in `waiting`, as that is one fetch less.
    last: Bundle,
    /// Of statements that come after all that waits, the digests.
    passed: Vec<Digest>,
    /// Full bundles that wait.
    waiting: VecDeque<Bundle>,
    /// How many frames were sent together before: so many are expected again.
    usual: usize,
    sent: VecDeque<Arc<Bundle>>,
    /// How many counted frames the member has acknowledged, and how many of these are still in the
    /// first bundle that was sent.
    acknowledged: u64,
    taken: usize,
    /// What was sent since the member was last asked for an acknowledgement weighs so much.
    unasked: usize,
}

impl Backlog {
    /// An empty backlog for at most `max_weight` bytes, as [`OutgoingFrame::weight`] counts them.
    #[must_use]
    pub fn new(max_weight: usize) -> Self {
        Self {
            weight: 0,
            max_weight,
            behind: 0,
            is_extended: false,
            is_asleep: false,
            last: Bundle::default(),
            passed: Vec::new(),
            waiting: VecDeque::new(),
            usual: 0,
            sent: VecDeque::new(),
            acknowledged: 0,
            taken: 0,
            unasked: 0,
        }
    }

    /// Whether nothing waits to be sent.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.waiting.is_empty() && self.last.frames().is_empty()
    }

    /// The weight of what may be unacknowledged although the member reads: what it has not been
    /// asked to acknowledge yet, and as much again that it is about to.
    #[must_use]
    pub fn in_flight(&self) -> usize {
        2 * self.ask_weight()
    }

    fn ask_weight(&self) -> usize {
        ASK_WEIGHT.min(self.max_weight / ASK_SHARE)
    }

    /// What all its frames weigh, in bytes.
    #[must_use]
    pub fn weight(&self) -> usize {
        self.weight
    }

    /// Whether there is room for so much more.
    #[must_use]
    pub fn has_room_for(&self, weight: usize) -> bool {
        self.weight + weight <= self.max_weight << u8::from(self.is_extended)
    }

    /// Lets it hold twice as much until the member's next acknowledgement: that has come, and nobody has
    /// looked at it yet.
    pub fn extend(&mut self) {
        self.is_extended = true;
    }

    /// Adds a frame.
    ///
    /// # Errors
    /// Where there is no room for it.
    pub fn post(&mut self, frame: OutgoingFrame) -> Result<(), Overflow> {
        // Of what a member signs that is further behind, the others could compare nothing.
        let behind = self.behind + usize::from(frame.is_counted());
        if !self.has_room_for(frame.weight()) || behind > REMEMBERED {
            return Err(Overflow);
        }
        self.push(frame);
        Ok(())
    }

    /// Adds a frame that carries a statement to all, of which this is the digest of the entry.
    ///
    /// # Errors
    /// Where there is no room for it.
    pub fn post_statement(&mut self, frame: OutgoingFrame, entry: &Digest) -> Result<(), Overflow> {
        if !self.is_asleep {
            return self.post(frame);
        }
        if self.passed.len() == MAX_PASSED {
            self.push_passed();
        }
        if !self.has_room_for(entry.len()) {
            return Err(Overflow);
        }
        self.weight += entry.len();
        self.passed.push(*entry);
        Ok(())
    }

    /// Makes a frame of the digests.
    fn push_passed(&mut self) {
        if !self.passed.is_empty() {
            let passed = std::mem::take(&mut self.passed);
            self.weight -= passed.as_flattened().len();
            self.push_behind(Frame::passed(&passed).into());
        }
    }

    fn push(&mut self, frame: OutgoingFrame) {
        self.push_passed();
        self.push_behind(frame);
    }

    fn push_behind(&mut self, frame: OutgoingFrame) {
        self.behind += usize::from(frame.is_counted());
        self.weight += frame.weight();
        if self.last.is_full() {
            self.waiting.push_back(std::mem::take(&mut self.last));
        }
        if self.last.frames().is_empty() {
            self.last.expect(self.usual);
        }
        self.last.push(frame);
    }

    /// Takes what is to be sent next, if anything is.
    pub fn take(&mut self) -> Option<Unsent> {
        if self.is_empty() {
            return None;
        }
        let next = self.waiting.pop_front();
        let mut bundle = next.unwrap_or_else(|| std::mem::take(&mut self.last));
        self.usual = bundle.frames().len();
        // Space that only a rush needed is given back.
        if self.waiting.is_empty() && self.waiting.capacity() > 0 {
            self.waiting = VecDeque::new();
        }
        if bundle.counted() == 0 {
            self.weight -= bundle.weight();
            return Some(Unsent::of(Arc::new(bundle), 0));
        }
        let was_asked = self.unasked == 0;
        self.unasked += bundle.weight();
        if self.unasked >= self.ask_weight() {
            bundle.push_weightless(self.ping());
        }
        // Bundles of a few frames are merged with the one before, so that they take less memory:
        // unless a writer still has that one, or an acknowledgement is under way that frees it.
        if !was_asked
            && let Some(last) = self.sent.back_mut()
            && last.has_room_for(&bundle)
            && let Some(shared) = Arc::get_mut(last)
        {
            let sent = shared.frames().len();
            shared.append(bundle);
            return Some(Unsent::of(Arc::clone(last), sent));
        }
        let bundle = Arc::new(bundle);
        self.sent.push_back(Arc::clone(&bundle));
        Some(Unsent::of(bundle, 0))
    }

    /// The frame PING that asks the member for an acknowledgement, if something was sent that it
    /// has not been asked for.
    pub fn ask_for_ack(&mut self) -> Option<Unsent> {
        self.has_unasked()
            .then(|| Unsent::of(Arc::new(self.ping().into()), 0))
    }

    /// Whether something was sent that the member has not been asked to acknowledge.
    #[must_use]
    pub fn has_unasked(&self) -> bool {
        self.unasked > 0
    }

    fn ping(&mut self) -> OutgoingFrame {
        self.unasked = 0;
        Frame::ping().into()
    }

    /// Takes an ACK: the member has received `count` counted frames since it joined. Returns what
    /// need not be kept any more, for the caller to free.
    ///
    /// # Errors
    /// Where an ACK before said more, or fewer frames were sent.
    pub fn acknowledge(&mut self, count: u64) -> Result<Vec<Arc<Bundle>>, Malformed> {
        let news = count.checked_sub(self.acknowledged).ok_or(Malformed)?;
        let news = usize::try_from(news).map_err(|_| Malformed)?;
        let mut taken = self.taken.checked_add(news).ok_or(Malformed)?;
        let mut whole = 0;
        for bundle in &self.sent {
            if taken < bundle.counted() {
                break;
            }
            taken -= bundle.counted();
            whole += 1;
        }
        if whole == self.sent.len() && taken > 0 {
            return Err(Malformed);
        }
        self.acknowledged = count;
        self.is_extended = false;
        self.taken = taken;
        self.behind -= news;
        let done: Vec<Arc<Bundle>> = self.sent.drain(..whole).collect();
        self.weight -= done.iter().map(|bundle| bundle.weight()).sum::<usize>();
        if self.sent.is_empty() && self.sent.capacity() > SPARE_BUNDLES {
            self.sent = VecDeque::new();
        }
        Ok(done)
    }

    /// The member has no connection, until [`Backlog::resume`].
    pub fn sleep(&mut self) {
        self.is_asleep = true;
        // Of sleepers there may be many, and mostly nothing waits for them.
        self.waiting.shrink_to_fit();
        self.sent.shrink_to_fit();
    }

    /// Goes on over a new connection, over which the member says that it has received so many
    /// counted frames: the others are sent again. Frames that are not counted belonged to the
    /// connection before, and are dropped.
    ///
    /// # Errors
    /// As [`Backlog::acknowledge`].
    pub fn resume(&mut self, received: u64) -> Result<(), Malformed> {
        self.acknowledge(received)?;
        self.push_passed();
        self.is_asleep = false;
        let sent = std::mem::take(&mut self.sent);
        let mut waiting = std::mem::take(&mut self.waiting);
        waiting.push_back(std::mem::take(&mut self.last));
        let sent = sent.iter().flat_map(|bundle| bundle.frames());
        let waiting = waiting.iter().flat_map(Bundle::frames);
        let unsent = sent.chain(waiting).filter(|frame| frame.is_counted());
        let taken = std::mem::take(&mut self.taken);
        (self.weight, self.unasked, self.behind) = (0, 0, 0);
        for frame in unsent.skip(taken) {
            self.push(frame.clone());
        }
        Ok(())
    }

    /// Adds a frame before all that waits. It must not be a counted one.
    pub fn post_first(&mut self, frame: OutgoingFrame) {
        self.weight += frame.weight();
        self.waiting.push_front(frame.into());
    }

    /// Drops all frames.
    pub fn clear(&mut self) {
        self.waiting = VecDeque::new();
        self.last = Bundle::default();
        self.sent = VecDeque::new();
        self.passed = Vec::new();
        (self.weight, self.taken, self.behind) = (0, 0, 0);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::cipher::encoding::Encoder;
    use crate::room::card::SessionId;
    use crate::room::chain::{Claim, EntryKind, Link, signed_entry};
    use crate::room::frame::RunId;
    use crate::room::message::{Header, Stream};
    use crate::room::names::RoomId;
    use crate::room::numbers::Ranges;

    const HOUR: Duration = Duration::from_hours(1);
    const SLEEP: Duration = Duration::from_hours(12);

    /// The bytes of a signature, a block of ciphertext, and a card, with keys of 2048 bits.
    const SIGNATURE: usize = 256;
    const BLOCK: usize = 256;
    const CARD: usize = 1034;

    /// The shortest time between two beacons that nobody has brought forward.
    const BEACON: Duration = Duration::from_secs(45);

    /// A line of at most 173 bytes, as it is passed on to one reader.
    fn line() -> OutgoingFrame {
        let header = Header {
            room: RoomId([0; 32]),
            sender: SessionId([0; 32]),
            stream: Stream::Room,
            number: 0,
            time: 0,
            flags: 0,
            left_out: Vec::new(),
            claim: Claim {
                run: RunId([0; 16]),
                link: Link {
                    position: 0,
                    digest: [0; 32],
                },
                roster: [0; 32],
                unread: Ranges::default(),
            },
            commitment: [0; 32],
        };
        let signed = signed_entry(&header.encode(), &[0; SIGNATURE]);
        let ciphertext = Encoder::default().string(&[0; BLOCK]).finish();
        let (end, whole) = (signed.len(), [signed, ciphertext].concat());
        let parts = [0..end, end..whole.len()];
        let [signed, ciphertext] = parts;
        OutgoingFrame::message(&Arc::new(whole.into()), signed, ciphertext)
    }

    /// How much waits for a member of a room of so many, who sleeps for twelve hours, in which the others
    /// say so many lines: and change their keys every hour, and state as often as they may.
    fn slept_through(members: usize, lines: usize) -> Result<usize, Overflow> {
        let mut backlog = Backlog::new(DEFAULT_WEIGHT);
        backlog.sleep();
        let others = members - 1;
        let times = |every: Duration| usize::try_from(SLEEP.as_secs() / every.as_secs()).unwrap();
        let rekeyed = Frame::entry(EntryKind::Rekeyed, &[0; CARD]);
        for _ in 0..others * times(HOUR) {
            backlog.post(rekeyed.clone().into())?;
        }
        let by_itself = others * times(BEACON);
        for number in 0..lines {
            backlog.post(line())?;
            // Each line brings forward the beacons of all who have not written it.
            let due = by_itself * (number + 1) / lines - by_itself * number / lines;
            for _ in 0..others - 1 + due {
                backlog.post_statement(counted(), &[0; 32])?;
            }
        }
        Ok(backlog.weight())
    }

    #[test]
    fn what_is_said_in_twelve_hours_fits() {
        for (members, lines) in [(20, 1000), (3, 5000)] {
            let weight = slept_through(members, lines);
            println!("{members} members, {lines} lines: {weight:?} of {DEFAULT_WEIGHT} bytes");
            assert!(weight.is_ok());
        }
    }

    fn counted() -> OutgoingFrame {
        Frame::own().into()
    }

    fn taken(backlog: &mut Backlog) -> usize {
        let unsent = backlog.take();
        let frames = unsent.iter().flat_map(Unsent::frames);
        frames.filter(|frame| frame.is_counted()).count()
    }

    #[test]
    fn what_was_not_acknowledged_is_sent_again_and_nothing_else() {
        let mut backlog = Backlog::new(1 << 20);
        for _ in 0..5 {
            backlog.post(counted()).unwrap();
            backlog.post(Frame::ack(1).into()).unwrap();
        }
        assert_eq!(taken(&mut backlog), 5);
        backlog.post(counted()).unwrap();
        backlog.acknowledge(2).unwrap();
        backlog.resume(3).unwrap();
        backlog.post_first(Frame::welcome_back(0, 60).into());
        let unsent: Vec<Unsent> = std::iter::from_fn(|| backlog.take()).collect();
        let frames = unsent.iter().flat_map(Unsent::frames);
        let is_counted: Vec<bool> = frames.map(OutgoingFrame::is_counted).collect();
        assert_eq!(is_counted, [false, true, true, true]);
    }

    #[test]
    fn of_statements_to_who_has_no_connection_the_digests_are_kept_in_their_places() {
        let digest = |number| [number; 32];
        let mut backlog = Backlog::new(1 << 20);
        backlog.post_statement(counted(), &digest(0)).unwrap();
        assert_eq!(taken(&mut backlog), 1);
        backlog.sleep();
        let before = backlog.weight();
        for number in 1..=2 {
            backlog.post_statement(counted(), &digest(number)).unwrap();
        }
        assert_eq!(backlog.weight() - before, 2 * 32);
        backlog.post(counted()).unwrap();
        backlog.post_statement(counted(), &digest(3)).unwrap();
        backlog.resume(1).unwrap();
        backlog.post_statement(counted(), &digest(4)).unwrap();
        let unsent: Vec<Unsent> = std::iter::from_fn(|| backlog.take()).collect();
        let frames = unsent.iter().flat_map(Unsent::frames);
        let frames: Vec<Vec<u8>> = frames.map(|frame| frame.slices().concat()).collect();
        let passed = |digests: &[Digest]| Frame::passed(digests).encode();
        let expected = [
            passed(&[digest(1), digest(2)]),
            Frame::own().encode(),
            passed(&[digest(3)]),
            Frame::own().encode(),
        ];
        assert_eq!(frames, expected);
    }

    #[test]
    fn digests_fill_it_too() {
        let mut backlog = Backlog::new(64 * 1024);
        backlog.sleep();
        let mut count = 0;
        while backlog.post_statement(counted(), &[0; 32]).is_ok() {
            count += 1;
        }
        assert_eq!(count, 64 * 1024 / 32);
        assert_eq!(backlog.post(counted()), Err(Overflow));
    }

    #[test]
    fn acknowledgements_of_what_was_never_sent_or_taken_back_are_refused() {
        let mut backlog = Backlog::new(1 << 20);
        backlog.post(counted()).unwrap();
        backlog.acknowledge(1).unwrap_err();
        assert_eq!(taken(&mut backlog), 1);
        backlog.acknowledge(2).unwrap_err();
        backlog.acknowledge(u64::MAX).unwrap_err();
        backlog.acknowledge(1).unwrap();
        backlog.acknowledge(0).unwrap_err();
        backlog.resume(0).unwrap_err();
    }

    #[test]
    fn what_is_not_acknowledged_fills_it_too() {
        let mut backlog = Backlog::new(64 * counted().weight());
        while backlog.post(counted()).is_ok() {
            assert_eq!(taken(&mut backlog), 1);
        }
        let asked_after = 64 / u64::try_from(ASK_SHARE).unwrap();
        backlog.acknowledge(asked_after).unwrap();
        assert_eq!(backlog.post(counted()), Ok(()));
    }

    #[test]
    fn nobody_is_further_behind_than_others_remember() {
        let mut backlog = Backlog::new(1 << 30);
        for _ in 0..REMEMBERED {
            backlog.post(counted()).unwrap();
        }
        backlog.post(counted()).unwrap_err();
        backlog.post(Frame::ack(1).into()).unwrap();
        while backlog.take().is_some() {}
        backlog.post(counted()).unwrap_err();
        backlog.resume(1).unwrap();
        backlog.post(counted()).unwrap();
        backlog.post(counted()).unwrap_err();
    }

    #[test]
    fn what_is_sent_bit_by_bit_is_kept_together() {
        let mut backlog = Backlog::new(16 << 20);
        for _ in 0..300 {
            backlog.post(counted()).unwrap();
            assert_eq!(taken(&mut backlog), 1);
        }
        assert_eq!(backlog.sent.len(), 2);
        assert!(backlog.acknowledge(255).unwrap().is_empty());
        assert_eq!(backlog.acknowledge(256).unwrap().len(), 1);
        assert_eq!(backlog.sent.len(), 1);
        backlog.post(counted()).unwrap();
        let _unsent = backlog.take().unwrap();
        backlog.post(counted()).unwrap();
        assert_eq!(taken(&mut backlog), 1);
        assert_eq!(backlog.sent.len(), 2, "somebody has the last one");
    }

    #[test]
    fn what_is_acknowledged_in_part_is_kept_and_not_sent_again() {
        let mut backlog = Backlog::new(1 << 20);
        for _ in 0..5 {
            backlog.post(counted()).unwrap();
        }
        assert_eq!(taken(&mut backlog), 5);
        assert!(backlog.acknowledge(2).unwrap().is_empty());
        assert!(backlog.acknowledge(4).unwrap().is_empty());
        assert_eq!(backlog.acknowledge(5).unwrap().len(), 1);
        assert_eq!(backlog.weight, 0);
    }

    #[test]
    fn what_is_sent_at_once_is_bounded() {
        let mut backlog = Backlog::new(16 << 20);
        for _ in 0..1000 {
            backlog.post(counted()).unwrap();
        }
        backlog
            .post(Frame::member(&vec![0; 100_000]).into())
            .unwrap();
        backlog.post(counted()).unwrap();
        let counts = [0; 5].map(|_| taken(&mut backlog));
        assert_eq!(counts, [256, 256, 256, 232, 1]);
    }

    #[test]
    fn the_member_is_asked_once_for_what_was_sent() {
        let mut backlog = Backlog::new(ASK_SHARE * 10 * counted().weight());
        let frames = |backlog: &mut Backlog, number| {
            for _ in 0..number {
                backlog.post(counted()).unwrap();
            }
            backlog.take().map_or(0, |unsent| unsent.frames().len())
        };
        assert_eq!(frames(&mut backlog, 1), 1);
        assert!(backlog.has_unasked());
        assert!(backlog.ask_for_ack().is_some());
        assert!(backlog.ask_for_ack().is_none());
        assert_eq!(frames(&mut backlog, 9), 9);
        assert_eq!(frames(&mut backlog, 1), 2);
        assert!(backlog.ask_for_ack().is_none());
        assert!(!backlog.has_unasked());
    }
}
