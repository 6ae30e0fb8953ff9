//! Something that fails again and again: its beginning and its end are news, its repetitions are
//! not.

use std::time::Duration;

/// How long nothing must fail before an outage counts as over.
const QUIET: Duration = Duration::from_secs(10);

/// Counts failures. Times are since any moment, the same moment for all calls.
#[derive(Debug, Default)]
pub(in crate::cmd::serve) struct Outage {
    latest: Option<Duration>,
    times: u64,
}

impl Outage {
    /// Counts a failure. Returns whether it is the first of an outage.
    pub(in crate::cmd::serve) fn record(&mut self, now: Duration) -> bool {
        self.times += 1;
        self.latest.replace(now).is_none()
    }

    /// Ends the outage if it is over, and returns how many failures it had.
    pub(in crate::cmd::serve) fn take_ended(&mut self, now: Duration) -> Option<u64> {
        self.latest
            .take_if(|latest| now.saturating_sub(*latest) >= QUIET)
            .map(|_| std::mem::take(&mut self.times))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_begins_once_and_ends_once() {
        let mut outage = Outage::default();
        let mut now = QUIET;
        assert_eq!(outage.take_ended(now), None);
        assert!(outage.record(now));
        for _ in 0..50 {
            now += QUIET / 2;
            assert_eq!(outage.take_ended(now), None);
            assert!(!outage.record(now));
        }
        assert_eq!(outage.take_ended(now + QUIET), Some(51));
        assert_eq!(outage.take_ended(now + 2 * QUIET), None);
        assert!(outage.record(now + 2 * QUIET));
        assert_eq!(outage.take_ended(now + 3 * QUIET), Some(1));
    }
}
