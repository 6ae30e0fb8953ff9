//! A token bucket, kept as one point in time.

use std::num::NonZeroU32;
use std::time::Duration;

/// How much may be used in a time, and how much of it at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    amount: NonZeroU32,
    per: Duration,
    burst: Duration,
}

impl Rate {
    /// `amount` in each `per`, of which what is earned in `burst` may come at once.
    #[must_use]
    pub fn new(amount: NonZeroU32, per: Duration, burst: Duration) -> Self {
        Self { amount, per, burst }
    }

    /// How long it takes to earn `amount`, rounded up so that no use is free.
    fn time_for(&self, amount: u64) -> Duration {
        let nanos = u128::from(amount)
            .saturating_mul(self.per.as_nanos())
            .div_ceil(u128::from(self.amount.get()));
        Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
    }
}

/// What was used of a [`Rate`]: the time at which all of it is earned again. A new bucket is full.
/// The fuller of two is the lesser. Times are since any moment, the same moment for all calls.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Bucket {
    spent_until: Duration,
}

impl Bucket {
    /// A bucket of which all is earned again at this time.
    #[must_use]
    pub fn until(spent_until: Duration) -> Self {
        Self { spent_until }
    }

    /// When all that was taken is earned again.
    #[must_use]
    pub fn full_at(&self) -> Duration {
        self.spent_until
    }

    /// Takes `amount`, whether or not it is there. Returns how long to wait until it has been
    /// earned.
    pub fn take(&mut self, rate: &Rate, amount: u64, now: Duration) -> Duration {
        self.spent_until = self.after(rate, amount, now);
        self.spent_until.saturating_sub(now + rate.burst)
    }

    /// Takes `amount` if it is there. Returns whether it was.
    pub fn try_take(&mut self, rate: &Rate, amount: u64, now: Duration) -> bool {
        let after = self.after(rate, amount, now);
        let is_there = after <= now + rate.burst;
        if is_there {
            self.spent_until = after;
        }
        is_there
    }

    /// Whether all that was taken is earned again.
    #[must_use]
    pub fn is_full(&self, now: Duration) -> bool {
        self.spent_until <= now
    }

    fn after(&self, rate: &Rate, amount: u64, now: Duration) -> Duration {
        self.spent_until
            .max(now)
            .saturating_add(rate.time_for(amount))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn ten_a_second() -> Rate {
        Rate::new(NonZeroU32::new(10).unwrap(), SECOND, 2 * SECOND)
    }

    #[test]
    fn the_burst_is_there_at_once_and_the_rest_when_it_is_earned() {
        let (rate, mut bucket) = (ten_a_second(), Bucket::default());
        let now = 100 * SECOND;
        assert!((0..20).all(|_| bucket.try_take(&rate, 1, now)));
        assert!(!bucket.try_take(&rate, 1, now));
        assert!(bucket.try_take(&rate, 1, now + SECOND / 10));
        assert!(!bucket.try_take(&rate, 1, now + SECOND / 10));
        assert!(!bucket.is_full(now + 2 * SECOND));
        assert!(bucket.is_full(now + 3 * SECOND));
    }

    #[test]
    fn a_debt_is_the_time_to_wait() {
        let (rate, mut bucket) = (ten_a_second(), Bucket::default());
        assert_eq!(bucket.take(&rate, 20, SECOND), Duration::ZERO);
        assert_eq!(bucket.take(&rate, 5, SECOND), SECOND / 2);
        // Whoever has waited owes nothing, and has nothing in hand.
        assert_eq!(bucket.take(&rate, 1, SECOND * 3 / 2), SECOND / 10);
    }

    #[test]
    fn nothing_is_saved_up_beyond_the_burst_and_nothing_overflows() {
        let (rate, mut bucket) = (ten_a_second(), Bucket::default());
        assert_eq!(bucket.take(&rate, 30, 1_000_000 * SECOND), SECOND);
        let wait = bucket.take(&rate, u64::MAX, SECOND);
        assert!(wait > 1_000_000 * SECOND);
        bucket.take(&rate, u64::MAX, SECOND);
    }
}
