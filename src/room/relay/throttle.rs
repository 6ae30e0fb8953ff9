//! The throttle: how much a member may send in a second (PROTOCOL §7).

use std::num::NonZeroU32;
use std::time::Duration;

use crate::room::frame::{RelayLimits, ToRelay};

use super::bucket::{Bucket, Rate};

/// The bytes of a block, as the throttle counts it: those of a ciphertext block for a session key of
/// 2048 bits. The relay does not look how long a reader's key is. Where it is longer, the sender pays
/// for its blocks by their bytes, which is less than the work that they make for the reader.
const BLOCK: usize = 256;
/// The bytes of the length that the field `ciphertext` begins with.
const LENGTH: usize = 4;

/// The portion that each of those who speak in a room has of what its readers can take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Portion {
    /// How many members have spoken lately, the one that is charged included: at least one.
    pub(super) speakers: u32,
    /// How many blocks a second the slowest reader in the room can open.
    pub(super) opened: u32,
}

/// How many blocks a second all who speak in a room together may send to any one reader, who has to open
/// them: what one core does in 2.4 ms each, and something to spare.
pub(super) const OPENED: u32 = 300;
/// How many it is at least, however little a reader says that it can open: by saying 0 a member would
/// silence its room.
pub(super) const LEAST_OPENED: u32 = 100;
/// How many bytes a second they may send to any one reader, whose link has to carry them: an entry goes to
/// all, so that whoever has a slow link would not come after, and be dropped for that.
const CARRIED: u32 = 384 * 1024;
/// The time in which a member earns of its portion what may come at once. Ten who begin to flood together
/// send a reader what it opens in some 1.5 seconds, so that nobody's line waits longer behind them.
const PORTION_BURST: Duration = Duration::from_millis(500);
/// How long a member waits for its portion at most, before the relay reads on: what it acknowledges stands
/// behind what it has to wait for, and the relay drops whoever acknowledges nothing.
const LONGEST_PAUSE: Duration = Duration::from_secs(4);
/// How many bytes of statements and receipts a second a member may send, and the time in which it earns
/// what may come at once. They go to all, and whoever says nothing else does not count among those who
/// speak.
const STATED: u32 = 16 * 1024;
const STATED_BURST: Duration = Duration::from_secs(8);
/// The most blocks of a ciphertext, however long its reader's key is: that of the longest content takes
/// 16,770 bytes at most. Readers do not open a longer one.
const OPENED_AT_MOST: usize = 66;

/// What a new card costs, in blocks: as much as the longest frame. All members check it, and may
/// write into a file who is called what: a member that changes its card all the time would have
/// them do nothing else.
const CARD: u64 = 1024;

/// How many new cards a member may send in a minute, and the time in which it earns what may come
/// at once: five. A client sends one a minute at most. The others are told of each, as they have to
/// know to whom they write: a member that sends more would fill their screens.
const CARDS: NonZeroU32 = NonZeroU32::new(10).expect("it is not 0");
const CARDS_BURST: Duration = Duration::from_secs(30);
const MINUTE: Duration = Duration::from_mins(1);

/// What a statement counts at least, in blocks: the relay verifies its signature, one after the other,
/// and whoever sent nothing else would keep it from those of all others.
const VERIFIED: u64 = 64;

const SECOND: Duration = Duration::from_secs(1);
/// The time in which a member earns what may come at once.
const BURST: Duration = Duration::from_secs(2);

/// What a frame costs its sender.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cost {
    /// Blocks of 256 bytes of ciphertext, rounded up for each reader. There is at least one for
    /// each member that the frame comes to, and one for the relay: to look at it is work too.
    pub blocks: u64,
    /// Bytes on the wire, but for the length.
    pub bytes: u64,
    /// The most blocks that any one reader has to open.
    pub opened: u64,
    /// The most bytes of a message that any one reader is sent.
    pub carried: u64,
    /// Bytes of a statement or receipt.
    pub stated: u64,
    /// Parcels: ciphertexts, empty ones too.
    pub parcels: u64,
    /// New cards.
    pub cards: u64,
}

impl Cost {
    /// The cost of a frame of `length` bytes (type and fields).
    #[must_use]
    pub fn of(length: usize, frame: &ToRelay<'_>) -> Self {
        let parcels = match frame {
            ToRelay::Send(send) => send.parcels.as_slice(),
            _ => &[],
        };
        let ciphertexts = parcels
            .iter()
            .map(|parcel| parcel.ciphertext.len().saturating_sub(LENGTH));
        let each = ciphertexts.clone().map(|bytes| bytes.div_ceil(BLOCK));
        let opened = each
            .clone()
            .filter(|blocks| *blocks <= OPENED_AT_MOST)
            .max();
        let blocks: usize = each.map(|blocks| blocks.max(1)).sum();
        let count = |number| u64::try_from(number).unwrap_or(u64::MAX);
        Self {
            blocks: match frame {
                ToRelay::Rekey(_) => CARD,
                ToRelay::Statement(_) => VERIFIED,
                _ => count(blocks.max(1)),
            },
            bytes: count(length),
            opened: count(opened.unwrap_or(0)),
            carried: match frame {
                ToRelay::Send(send) => count(send.signed.len() + ciphertexts.max().unwrap_or(0)),
                _ => 0,
            },
            stated: match frame {
                ToRelay::Statement(_) => count(length),
                _ => 0,
            },
            parcels: count(parcels.len()),
            cards: u64::from(matches!(frame, ToRelay::Rekey(_))),
        }
    }

    /// Raises the cost to a block for each of `readers`: the frame comes to so many, whom it does
    /// not name.
    pub(super) fn charge_readers(&mut self, readers: usize) {
        let readers = u64::try_from(readers).unwrap_or(u64::MAX);
        self.blocks = self.blocks.max(readers);
    }
}

/// Counts what a member sends, and says how long it has to wait.
#[derive(Clone, Copy, Debug)]
pub(super) struct Throttle {
    blocks: (Option<Rate>, Bucket),
    bytes: (Option<Rate>, Bucket),
    /// What a member may send to any one reader, if nobody else speaks.
    opened: (u32, Bucket),
    carried: (u32, Bucket),
    stated: (Option<Rate>, Bucket),
    cards: (Option<Rate>, Bucket),
}

impl Throttle {
    /// The throttle of a member that has sent nothing yet.
    pub(super) fn new(limits: &RelayLimits) -> Self {
        let a_second = |limit, burst| {
            let rate = NonZeroU32::new(limit).map(|limit| Rate::new(limit, SECOND, burst));
            (rate, Bucket::default())
        };
        let cards = Rate::new(CARDS, MINUTE, CARDS_BURST);
        Self {
            blocks: a_second(limits.blocks, BURST),
            bytes: a_second(limits.bytes, BURST),
            opened: (limits.blocks.min(OPENED), Bucket::default()),
            carried: (limits.bytes.min(CARRIED), Bucket::default()),
            stated: a_second(limits.bytes.min(STATED), STATED_BURST),
            cards: ((limits.blocks > 0).then_some(cards), Bucket::default()),
        }
    }

    /// For how long a member that owes this much has to wait before the relay takes a message from it, whatever
    /// the message costs.
    pub(super) fn pause(mut self, now: Duration) -> Duration {
        let alone = Portion {
            speakers: 1,
            opened: OPENED,
        };
        self.take(&Cost::default(), Some(&alone), now)
    }

    /// Whoever comes anew owes what is owed here, where that is more.
    pub(super) fn inherit(&mut self, owed: &Self) {
        let owed = owed.buckets();
        for (own, owed) in self.buckets_mut().into_iter().zip(owed) {
            *own = owed.max(*own);
        }
    }

    /// What is owed for longer than until then is let off.
    pub(super) fn let_off(&mut self, until: Duration) {
        for bucket in self.buckets_mut() {
            *bucket = (*bucket).min(Bucket::until(until));
        }
    }

    /// Until when anything is owed, what may come at once included.
    pub(super) fn owes_until(&self) -> Duration {
        let buckets = self.buckets().into_iter().max();
        buckets.unwrap_or_default().full_at()
    }

    fn buckets(&self) -> [Bucket; 6] {
        let mut copy = *self;
        copy.buckets_mut().map(|bucket| *bucket)
    }

    fn buckets_mut(&mut self) -> [&mut Bucket; 6] {
        [
            &mut self.blocks.1,
            &mut self.bytes.1,
            &mut self.opened.1,
            &mut self.carried.1,
            &mut self.stated.1,
            &mut self.cards.1,
        ]
    }

    /// Whether what a member may say depends on who else speaks.
    pub(super) fn is_shared(&self) -> bool {
        self.opened.0 > 0 || self.carried.0 > 0
    }

    /// Charges the member for a frame: for one of a message, of its portion. Returns for how long nothing
    /// more is to be taken from it. `now` is the time since any moment, the same moment for all calls.
    pub(super) fn take(
        &mut self,
        cost: &Cost,
        portion: Option<&Portion>,
        now: Duration,
    ) -> Duration {
        let wait = |(rate, bucket): &mut (Option<Rate>, Bucket), amount| match rate {
            Some(rate) => bucket.take(rate, amount, now),
            None => Duration::ZERO,
        };
        let own = wait(&mut self.blocks, cost.blocks)
            .max(wait(&mut self.bytes, cost.bytes))
            .max(wait(&mut self.stated, cost.stated))
            .max(wait(&mut self.cards, cost.cards));
        let Some(portion) = portion else {
            return own;
        };
        let shared = |limit: u32, bucket: &mut Bucket, amount| {
            let limit = NonZeroU32::new(limit);
            limit.map_or(Duration::ZERO, |limit| {
                let rate = Rate::new(limit, SECOND * portion.speakers.max(1), PORTION_BURST);
                bucket.take(&rate, amount, now).min(LONGEST_PAUSE)
            })
        };
        let opened = self.opened.0.min(portion.opened);
        own.max(shared(opened, &mut self.opened.1, cost.opened))
            .max(shared(self.carried.0, &mut self.carried.1, cost.carried))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::room::card::SessionId;
    use crate::room::frame::{Frame, Part};

    /// The portion of a member while nobody else speaks.
    const WHOLE: Portion = Portion {
        speakers: 1,
        opened: OPENED,
    };

    fn cost(frame: &Frame) -> Cost {
        let bytes = frame.encode();
        let frame = &bytes[4..];
        Cost::of(frame.len(), &ToRelay::parse(frame).unwrap())
    }

    #[test]
    fn blocks_are_counted_reader_by_reader() {
        let parcels = [0, 1, 256, 257].map(|length| (SessionId([0; 32]), vec![0; length]));
        let frame = Frame::send(b"header", b"signature", Part::Last, &parcels);
        let cost = cost(&frame);
        // A reader who is told only that there is a message has to check that.
        assert_eq!((cost.blocks, cost.parcels), (1 + 1 + 1 + 2, 4));
        assert_eq!(cost.bytes, frame.encode().len() as u64 - 4);
    }

    #[test]
    fn what_comes_to_all_counts_a_block_for_each_of_them() {
        let statement = Frame::statement(b"statement", b"signature");
        let message = Frame::send(b"header", b"signature", Part::Last, &[]);
        for (frame, least) in [(statement, VERIFIED), (message, 1)] {
            let mut cost = cost(&frame);
            assert_eq!(cost.blocks, least);
            cost.charge_readers(0);
            assert_eq!(cost.blocks, least);
            cost.charge_readers(199);
            assert_eq!(cost.blocks, 199);
        }
    }

    #[test]
    fn a_frame_without_ciphertext_counts_one_block() {
        for frame in [
            Frame::ping(),
            Frame::ack(1),
            Frame::send(b"", b"", Part::Last, &[]),
        ] {
            assert_eq!(cost(&frame).blocks, 1);
        }
    }

    #[test]
    fn nobody_has_more_to_open_of_one_member_than_a_reader_can() {
        let to = |lengths: &[usize]| {
            let lengths = lengths.iter().enumerate();
            let parcel = |(number, length): (usize, &usize)| {
                (
                    SessionId([number.try_into().unwrap(); 32]),
                    vec![0; *length],
                )
            };
            let parcels: Vec<_> = lengths.map(parcel).collect();
            cost(&Frame::send(b"header", b"signature", Part::Last, &parcels))
        };
        // Of all readers the one with the most to open counts, and what nobody opens does not.
        assert_eq!(to(&[256, 3 * 256, 0]).opened, 3);
        assert_eq!(to(&[0, 67 * 256]).opened, 0);
        assert_eq!(to(&[66 * 256]).opened, 66, "as the longest content");
        assert_eq!(cost(&Frame::statement(b"", b"")).opened, 0);
        let mut throttle = Throttle::new(&RelayLimits {
            blocks: 5000,
            ..RelayLimits::default()
        });
        let long = to(&[22 * 256]);
        // Half a second's worth comes at once.
        for _ in 0..6 {
            assert_eq!(throttle.take(&long, Some(&WHOLE), SECOND), Duration::ZERO);
        }
        for blocks in [7 * 22, 8 * 22] {
            let wait = (SECOND * blocks / OPENED).saturating_sub(PORTION_BURST);
            let pause = throttle.take(&long, Some(&WHOLE), SECOND);
            assert!(pause.abs_diff(wait) < SECOND / 1000, "{pause:?} {wait:?}");
        }
    }

    #[test]
    fn whoever_waits_for_its_portion_is_heard_every_few_seconds() {
        let mut throttle = Throttle::new(&RelayLimits {
            blocks: 5000,
            bytes: 4 << 20,
            ..RelayLimits::default()
        });
        let portion = Portion {
            speakers: 200,
            opened: LEAST_OPENED,
        };
        let longest = Cost {
            opened: 66,
            carried: 17_000,
            ..Cost::default()
        };
        let pause = throttle.take(&longest, Some(&portion), SECOND);
        assert_eq!(pause, LONGEST_PAUSE);
        // What it acknowledges does not wait for what it says.
        let acknowledgement = cost(&Frame::ack(1));
        assert_eq!(
            throttle.take(&acknowledgement, None, SECOND),
            Duration::ZERO
        );
    }

    #[test]
    fn statements_are_no_way_round_the_portions() {
        let mut throttle = Throttle::new(&RelayLimits {
            blocks: 5000,
            bytes: 4 << 20,
            ..RelayLimits::default()
        });
        let longest = cost(&Frame::statement(&vec![0; 4600], &[0; 256]));
        let (mut now, mut bytes) = (SECOND, 0);
        while now < 11 * SECOND {
            bytes += longest.bytes;
            now += throttle.take(&longest, None, now);
        }
        let most = u64::from(STATED) * 18 + 2 * longest.bytes;
        assert!(bytes <= most, "{bytes}");
        // A beacon or a receipt every second never waits.
        let mut throttle = Throttle::new(&RelayLimits {
            blocks: 5000,
            bytes: 4 << 20,
            ..RelayLimits::default()
        });
        let beacon = cost(&Frame::statement(&[0; 400], &[0; 512]));
        for second in 1..100 {
            assert_eq!(
                throttle.take(&beacon, None, SECOND * second),
                Duration::ZERO
            );
        }
    }

    #[test]
    fn all_who_speak_together_send_a_reader_what_it_can_open() {
        let limits = RelayLimits {
            blocks: 5000,
            ..RelayLimits::default()
        };
        for (speakers, opened) in [(1, 300), (10, 300), (10, 100), (200, 1000)] {
            let portion = Portion { speakers, opened };
            let line = Cost {
                opened: 1,
                ..Cost::default()
            };
            let mut throttles = vec![Throttle::new(&limits); usize::try_from(speakers).unwrap()];
            let sent = throttles.iter_mut().map(|throttle| {
                let (mut now, mut lines) = (SECOND, 0);
                while now < 11 * SECOND {
                    lines += 1;
                    now += throttle.take(&line, Some(&portion), now);
                }
                lines
            });
            // In ten seconds: as much as that is, what may come at once, and two lines of each.
            let most = opened.min(OPENED);
            let sent = sent.sum::<u32>();
            assert!(
                (most * 10..=most * 10 + most / 2 + 2 * speakers).contains(&sent),
                "{sent}"
            );
        }
    }

    #[test]
    fn a_line_now_and_then_never_waits() {
        let mut throttle = Throttle::new(&RelayLimits {
            blocks: 5000,
            bytes: 4 << 20,
            ..RelayLimits::default()
        });
        let portion = Portion {
            speakers: 11,
            opened: LEAST_OPENED,
        };
        let line = Cost {
            blocks: 1,
            bytes: 900,
            opened: 1,
            carried: 900,
            ..Cost::default()
        };
        for second in 1..100 {
            assert_eq!(
                throttle.take(&line, Some(&portion), SECOND * second),
                Duration::ZERO
            );
        }
    }

    #[test]
    fn nobody_is_sent_more_of_one_member_than_a_slow_link_carries() {
        let parcels = [10, 500].map(|length| (SessionId([0; 32]), vec![0; length]));
        let message = cost(&Frame::send(b"header", b"signature", Part::Last, &parcels));
        assert_eq!(message.carried, 4 + 6 + 4 + 9 + 500);
        let bare = cost(&Frame::send(b"header", b"signature", Part::Last, &[]));
        assert_eq!(bare.carried, 4 + 6 + 4 + 9);
        let statement = cost(&Frame::statement(&vec![0; 20_000], b""));
        assert_eq!(statement.stated, statement.bytes);
        let mut throttle = Throttle::new(&RelayLimits {
            bytes: 4 << 20,
            ..RelayLimits::default()
        });
        let entry = cost(&Frame::send(&vec![0; 48 << 10], b"", Part::Last, &[]));
        for _ in 0..4 {
            throttle.take(&entry, Some(&WHOLE), SECOND);
        }
        let wait = throttle.take(&entry, Some(&WHOLE), SECOND);
        assert!(wait > SECOND / 8 && wait < SECOND / 7, "{wait:?}");
    }

    #[test]
    fn nicks_cannot_be_changed_more_often_than_a_room_can_take_note_of() {
        let mut throttle = Throttle::new(&RelayLimits {
            blocks: 5000,
            ..RelayLimits::default()
        });
        let cost = cost(&Frame::rekey(b"card"));
        for _ in 0..5 {
            assert_eq!(throttle.take(&cost, Some(&WHOLE), SECOND), Duration::ZERO);
        }
        assert_eq!(throttle.take(&cost, Some(&WHOLE), SECOND), MINUTE / 10);
        // With a smaller limit a second, it is the blocks that are short.
        let mut throttle = Throttle::new(&RelayLimits {
            blocks: 256,
            ..RelayLimits::default()
        });
        assert_eq!(throttle.take(&cost, Some(&WHOLE), SECOND), 2 * SECOND);
    }

    #[test]
    fn whichever_limit_is_exceeded_further_decides() {
        let mut throttle = Throttle::new(&RelayLimits {
            blocks: 10,
            bytes: 1000,
            ..RelayLimits::default()
        });
        let mut wait = |blocks, bytes| {
            let cost = Cost {
                blocks,
                bytes,
                ..Cost::default()
            };
            throttle.take(&cost, Some(&WHOLE), SECOND)
        };
        assert_eq!(wait(20, 2000), Duration::ZERO);
        assert_eq!(wait(10, 500), SECOND);
        assert_eq!(wait(0, 2500), 3 * SECOND);
    }

    #[test]
    fn zero_is_no_limit() {
        let mut throttle = Throttle::new(&RelayLimits::default());
        let cost = Cost {
            blocks: u64::MAX,
            bytes: u64::MAX,
            opened: u64::MAX,
            carried: u64::MAX,
            cards: u64::MAX,
            stated: u64::MAX,
            parcels: 0,
        };
        assert_eq!(throttle.take(&cost, Some(&WHOLE), SECOND), Duration::ZERO);
        assert_eq!(throttle.take(&cost, Some(&WHOLE), SECOND), Duration::ZERO);
    }
}
