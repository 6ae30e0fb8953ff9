//! How long a member was in its room with a connection: for so long its place is kept (PROTOCOL §8).

use std::time::{Duration, Instant};

/// A member's time in its room.
pub(super) struct Attendance {
    came: Instant,
    /// For how long it had no connection, all the times together that are over.
    away: Duration,
    /// Since when it has none.
    away_since: Option<Instant>,
}

impl Attendance {
    /// A member comes.
    pub(super) fn new(now: Instant) -> Self {
        Self {
            came: now,
            away: Duration::ZERO,
            away_since: None,
        }
    }

    /// Its connection is over.
    pub(super) fn interrupt(&mut self, now: Instant) {
        self.away_since.get_or_insert(now);
    }

    /// It has one again.
    pub(super) fn resume(&mut self, now: Instant) {
        let since = self.away_since.take();
        self.away += since.map_or(Duration::ZERO, |since| now.saturating_duration_since(since));
    }

    /// Since when it has no connection, if it has none.
    pub(super) fn away_since(&self) -> Option<Instant> {
        self.away_since
    }

    /// For how long it was there. A place that is kept is no time there: or else whoever connects for a
    /// moment again and again would have the place kept for twice as long each time.
    pub(super) fn time(&self, now: Instant) -> Duration {
        let until = self.away_since.unwrap_or(now);
        let in_all = until.saturating_duration_since(self.came);
        in_all.saturating_sub(self.away)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_comes_for_a_moment_again_and_again_was_there_for_some_moments() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut attendance = Attendance::new(at(0));
        let mut time = 10;
        for (times, away) in (1..).zip([60, 120, 240, 480, 960]) {
            attendance.interrupt(at(time));
            assert_eq!(attendance.away_since(), Some(at(time)));
            let there = Duration::from_secs(10 * times);
            assert_eq!(attendance.time(at(time)), there);
            assert_eq!(attendance.time(at(time + away)), there);
            time += away;
            attendance.resume(at(time));
            assert_eq!(attendance.away_since(), None);
            assert_eq!(attendance.time(at(time)), there);
            time += 10;
        }
    }
}
