//! Whether this program keeps up with what comes from the relay, which lets go who does not.

use std::time::{Duration, Instant};

/// Whoever has not caught up for so long is slow. Where all is well that takes a moment, and the main
/// thread looks every two seconds at least.
const SLOW: Duration = Duration::from_secs(5);

/// A link that breaks so soon after the program has caught up broke before that: its end is read last.
const MOMENT: Duration = Duration::from_secs(5);

/// How this program keeps up, over one link. It falls behind where its output takes nothing, the machine is
/// busy, or somebody has stopped it.
pub(super) struct Pace {
    /// When all that had come was dealt with, the last time.
    caught_up: Instant,
    /// When it caught up after it had been slow, and for how long it had been, the last time.
    was_slow: Option<(Instant, Duration)>,
}

impl Pace {
    /// Nothing has come yet.
    pub(super) fn start(now: Instant) -> Self {
        Self {
            caught_up: now,
            was_slow: None,
        }
    }

    /// All that has come is dealt with.
    pub(super) fn catch_up(&mut self, now: Instant) {
        let behind = now.saturating_duration_since(self.caught_up);
        if behind >= SLOW {
            self.was_slow = Some((now, behind));
        }
        self.caught_up = now;
    }

    /// For how long this program has been slow, or was until a moment ago.
    pub(super) fn slow_for(&self, now: Instant) -> Option<Duration> {
        let behind = now.saturating_duration_since(self.caught_up);
        if behind >= SLOW {
            return Some(behind);
        }
        let (until, behind) = self.was_slow?;
        (now.saturating_duration_since(until) < MOMENT).then_some(behind)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_has_something_to_read_all_the_time_is_slow_and_for_a_moment_after() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut pace = Pace::start(start);
        for look in [2, 4, 6] {
            pace.catch_up(at(look));
            assert_eq!(pace.slow_for(at(look + 1)), None);
        }
        let slow = Some(Duration::from_secs(14));
        assert_eq!(pace.slow_for(at(20)), slow);
        pace.catch_up(at(20));
        pace.catch_up(at(22));
        assert_eq!(pace.slow_for(at(24)), slow);
        pace.catch_up(at(24));
        assert_eq!(pace.slow_for(at(25)), None);
    }
}
