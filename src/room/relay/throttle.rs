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

/// How many blocks a second a member may send to any one reader, who has to decrypt them, at some
/// 3 ms each. The limit of a member's blocks in all does not prevent too many: in a small room, all
/// of them could be for one reader, who would never come to the end.
/// `OPENED_BURST` is the time in which a member earns what may come at once: a long text that is
/// pasted.
const OPENED: u32 = 100;
const OPENED_BURST: Duration = Duration::from_secs(4);

/// How many bytes a second a member may send to any one reader, whose link has to carry them. The limit of
/// a member's bytes in all does not prevent too many: an entry goes to all, so that whoever has a slow
/// link would not come after, and be dropped for that. `CARRIED_BURST` is the time in which a member earns
/// what may come at once: 1 MiB, a quarter of what may wait for a reader by default.
const CARRIED: u32 = 128 * 1024;
const CARRIED_BURST: Duration = Duration::from_secs(8);

/// The most blocks of a ciphertext, however long its reader's key is: that of the longest content takes
/// 16,770 bytes at most. Readers do not open a longer one.
const LONGEST: usize = 66;

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
    /// The most bytes that any one reader is sent.
    pub carried: u64,
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
        let opened = each.clone().filter(|blocks| *blocks <= LONGEST).max();
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
            carried: count(match frame {
                ToRelay::Send(send) => send.signed.len() + ciphertexts.max().unwrap_or(0),
                _ => length,
            }),
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
pub struct Throttle {
    blocks: (Option<Rate>, Bucket),
    bytes: (Option<Rate>, Bucket),
    opened: (Option<Rate>, Bucket),
    carried: (Option<Rate>, Bucket),
    cards: (Option<Rate>, Bucket),
}

impl Throttle {
    /// The throttle of a member that has sent nothing yet.
    #[must_use]
    pub fn new(limits: &RelayLimits) -> Self {
        let a_second = |limit, burst| {
            let rate = NonZeroU32::new(limit).map(|limit| Rate::new(limit, SECOND, burst));
            (rate, Bucket::default())
        };
        let cards = Rate::new(CARDS, MINUTE, CARDS_BURST);
        Self {
            blocks: a_second(limits.blocks, BURST),
            bytes: a_second(limits.bytes, BURST),
            opened: a_second(limits.blocks.min(OPENED), OPENED_BURST),
            carried: a_second(limits.bytes.min(CARRIED), CARRIED_BURST),
            cards: ((limits.blocks > 0).then_some(cards), Bucket::default()),
        }
    }

    /// Charges the member for a frame. Returns for how long nothing more is to be taken from it.
    /// `now` is the time since any moment, the same moment for all calls.
    pub fn take(&mut self, cost: &Cost, now: Duration) -> Duration {
        let wait = |(rate, bucket): &mut (Option<Rate>, Bucket), amount| match rate {
            Some(rate) => bucket.take(rate, amount, now),
            None => Duration::ZERO,
        };
        wait(&mut self.blocks, cost.blocks)
            .max(wait(&mut self.bytes, cost.bytes))
            .max(wait(&mut self.opened, cost.opened))
            .max(wait(&mut self.carried, cost.carried))
            .max(wait(&mut self.cards, cost.cards))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::room::card::SessionId;
    use crate::room::frame::{Frame, Part};

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
        // 64 KiB in lines as long as they may be.
        for _ in 0..16 {
            assert_eq!(throttle.take(&long, SECOND), Duration::ZERO);
        }
        throttle.take(&long, SECOND);
        throttle.take(&long, SECOND);
        assert_eq!(throttle.take(&long, SECOND), 18 * SECOND / 100);
        assert_eq!(throttle.take(&long, SECOND), 40 * SECOND / 100);
    }

    #[test]
    fn nobody_is_sent_more_of_one_member_than_a_slow_link_carries() {
        let parcels = [10, 500].map(|length| (SessionId([0; 32]), vec![0; length]));
        let message = cost(&Frame::send(b"header", b"signature", Part::Last, &parcels));
        assert_eq!(message.carried, 4 + 6 + 4 + 9 + 500);
        let bare = cost(&Frame::send(b"header", b"signature", Part::Last, &[]));
        assert_eq!(bare.carried, 4 + 6 + 4 + 9);
        let statement = cost(&Frame::statement(&vec![0; 20_000], b""));
        assert_eq!(statement.carried, statement.bytes);
        let mut throttle = Throttle::new(&RelayLimits {
            bytes: 4 << 20,
            ..RelayLimits::default()
        });
        let entry = cost(&Frame::send(&vec![0; 128 << 10], b"", Part::Last, &[]));
        for _ in 0..7 {
            assert_eq!(throttle.take(&entry, SECOND), Duration::ZERO);
        }
        throttle.take(&entry, SECOND);
        let wait = throttle.take(&entry, SECOND);
        assert!(wait > SECOND && wait < SECOND * 11 / 10, "{wait:?}");
    }

    #[test]
    fn nicks_cannot_be_changed_more_often_than_a_room_can_take_note_of() {
        let mut throttle = Throttle::new(&RelayLimits {
            blocks: 5000,
            ..RelayLimits::default()
        });
        let cost = cost(&Frame::rekey(b"card"));
        for _ in 0..5 {
            assert_eq!(throttle.take(&cost, SECOND), Duration::ZERO);
        }
        assert_eq!(throttle.take(&cost, SECOND), MINUTE / 10);
        // With a smaller limit a second, it is the blocks that are short.
        let mut throttle = Throttle::new(&RelayLimits {
            blocks: 256,
            ..RelayLimits::default()
        });
        assert_eq!(throttle.take(&cost, SECOND), 2 * SECOND);
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
            throttle.take(&cost, SECOND)
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
            parcels: 0,
        };
        assert_eq!(throttle.take(&cost, SECOND), Duration::ZERO);
        assert_eq!(throttle.take(&cost, SECOND), Duration::ZERO);
    }
}
