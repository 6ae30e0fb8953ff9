//! How much a member may send in a second (PROTOCOL §7).

use std::num::NonZeroU32;
use std::time::Duration;

use crate::room::frame::{Limits, ToRelay};

use super::bucket::{Bucket, Rate};

/// The bytes of a block with a key of 2048 bits. Longer keys make more work for their readers.
const BLOCK: usize = 256;
/// The field `ciphertext` begins with its length.
const LENGTH: usize = 4;

/// What a new card counts, in blocks: as much as the longest frame. All members check it, and may
/// write into a file who is called what; whoever changes the card all the time would have them do
/// nothing else.
const CARD: u64 = 1024;

const SECOND: Duration = Duration::from_secs(1);
/// What may come at once, as the time in which it is earned.
const BURST: Duration = Duration::from_secs(2);

/// What a frame counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cost {
    /// Blocks of 256 bytes of ciphertext. A frame has at least one: reading it is work too.
    pub blocks: u64,
    /// Bytes on the wire, but for the length.
    pub bytes: u64,
    /// Parcels.
    pub parcels: u64,
}

impl Cost {
    /// That of a frame of `length` bytes.
    #[must_use]
    pub fn of(length: usize, frame: &ToRelay<'_>) -> Self {
        let parcels = match frame {
            ToRelay::Send(send) => send.parcels.as_slice(),
            _ => &[],
        };
        let blocks: usize = parcels
            .iter()
            .map(|parcel| parcel.ciphertext.len().saturating_sub(LENGTH))
            .map(|bytes| bytes.div_ceil(BLOCK))
            .sum();
        let count = |number| u64::try_from(number).unwrap_or(u64::MAX);
        Self {
            blocks: match frame {
                ToRelay::Rekey(_) => CARD,
                _ => count(blocks.max(1)),
            },
            bytes: count(length),
            parcels: count(parcels.len()),
        }
    }
}

/// Counts what a member sends, and says how long it has to wait.
#[derive(Clone, Copy, Debug)]
pub struct Throttle {
    blocks: (Option<Rate>, Bucket),
    bytes: (Option<Rate>, Bucket),
}

impl Throttle {
    /// For a member that has sent nothing yet.
    #[must_use]
    pub fn new(limits: &Limits) -> Self {
        let a_second = |limit| {
            let rate = NonZeroU32::new(limit).map(|limit| Rate::new(limit, SECOND, BURST));
            (rate, Bucket::default())
        };
        Self {
            blocks: a_second(limits.blocks),
            bytes: a_second(limits.bytes),
        }
    }

    /// Counts a frame. Returns for how long nothing more should be taken from the member.
    pub fn take(&mut self, cost: &Cost, now: Duration) -> Duration {
        let wait = |(rate, bucket): &mut (Option<Rate>, Bucket), amount| match rate {
            Some(rate) => bucket.take(rate, amount, now),
            None => Duration::ZERO,
        };
        wait(&mut self.blocks, cost.blocks).max(wait(&mut self.bytes, cost.bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::room::card::SessionId;
    use crate::room::frame::Frame;

    fn cost(frame: &Frame) -> Cost {
        let bytes = frame.encode();
        let frame = &bytes[4..];
        Cost::of(frame.len(), &ToRelay::parse(frame).unwrap())
    }

    #[test]
    fn blocks_are_counted_reader_by_reader() {
        let parcels = [0, 1, 256, 257].map(|length| (SessionId([0; 32]), vec![0; length]));
        let frame = Frame::send(b"header", b"signature", true, &parcels);
        let cost = cost(&frame);
        assert_eq!((cost.blocks, cost.parcels), (1 + 1 + 2, 4));
        assert_eq!(cost.bytes, frame.encode().len() as u64 - 4);
    }

    #[test]
    fn a_frame_without_ciphertext_counts_one_block() {
        for frame in [
            Frame::ping(),
            Frame::ack(1),
            Frame::send(b"", b"", true, &[]),
        ] {
            assert_eq!(cost(&frame).blocks, 1);
        }
    }

    #[test]
    fn nicks_cannot_be_changed_more_often_than_a_room_can_take_note_of() {
        let mut throttle = Throttle::new(&Limits {
            blocks: 5000,
            ..Limits::default()
        });
        let cost = cost(&Frame::rekey(b"card"));
        for _ in 0..10 {
            throttle.take(&cost, SECOND);
        }
        let wait = throttle.take(&cost, SECOND);
        assert!(wait >= SECOND / 5, "{wait:?}");
    }

    #[test]
    fn whichever_limit_is_exceeded_further_decides() {
        let mut throttle = Throttle::new(&Limits {
            blocks: 10,
            bytes: 1000,
            ..Limits::default()
        });
        let mut wait = |blocks, bytes| {
            let cost = Cost {
                blocks,
                bytes,
                parcels: 0,
            };
            throttle.take(&cost, SECOND)
        };
        assert_eq!(wait(20, 2000), Duration::ZERO);
        assert_eq!(wait(10, 500), SECOND);
        assert_eq!(wait(0, 2500), 3 * SECOND);
    }

    #[test]
    fn zero_is_no_limit() {
        let mut throttle = Throttle::new(&Limits::default());
        let cost = Cost {
            blocks: u64::MAX,
            bytes: u64::MAX,
            parcels: 0,
        };
        assert_eq!(throttle.take(&cost, SECOND), Duration::ZERO);
        assert_eq!(throttle.take(&cost, SECOND), Duration::ZERO);
    }
}
