//! Lines of the log that others can cause: so few a second that they cannot fill a disk.

use std::fmt::Arguments;
use std::num::NonZeroU32;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use log::Level;

use crate::room::relay::{Bucket, Rate};

/// How many lines may be written in a second, by each journal.
const LINES: NonZeroU32 = NonZeroU32::new(10).expect("ten");
const SECOND: Duration = Duration::from_secs(1);

/// Decides which lines are written.
#[derive(Debug, Default)]
struct Quota {
    used: Bucket,
    left_out: u64,
}

impl Quota {
    /// Whether a line may be written, and how many were left out before it. One that may not is
    /// counted.
    fn admit(&mut self, now: Duration) -> Option<u64> {
        let rate = Rate::new(LINES, SECOND, SECOND);
        if self.used.try_take(&rate, 1, now) {
            return Some(std::mem::take(&mut self.left_out));
        }
        self.left_out += 1;
        None
    }

    /// How many lines were left out, once that may be written.
    fn overdue(&mut self, now: Duration) -> Option<u64> {
        if self.left_out == 0 {
            return None;
        }
        let left_out = self.left_out;
        let admitted = self.admit(now);
        if admitted.is_none() {
            self.left_out = left_out;
        }
        admitted
    }
}

/// A part of the log with a quota of its own.
pub(super) struct Journal {
    /// What its lines are about.
    subject: &'static str,
    started: Instant,
    quota: Mutex<Quota>,
}

impl Journal {
    /// For lines about this.
    pub(super) fn new(subject: &'static str) -> Self {
        Self {
            subject,
            started: Instant::now(),
            quota: Mutex::default(),
        }
    }

    /// Writes a line, or counts it.
    pub(super) fn write(&self, level: Level, line: Arguments<'_>) {
        if !log::log_enabled!(level) {
            return;
        }
        if let Some(left_out) = self.ask(Quota::admit) {
            self.write_left_out(left_out);
            log::log!(level, "{line}");
        }
    }

    /// Says how many lines were left out, if any were. To be called about once a second.
    pub(super) fn catch_up(&self) {
        if let Some(left_out) = self.ask(Quota::overdue) {
            self.write_left_out(left_out);
        }
    }

    fn ask(&self, question: impl FnOnce(&mut Quota, Duration) -> Option<u64>) -> Option<u64> {
        let mut quota = self.quota.lock().unwrap_or_else(PoisonError::into_inner);
        question(&mut quota, self.started.elapsed())
    }

    fn write_left_out(&self, left_out: u64) {
        if left_out > 0 {
            log::info!("… and {left_out} more about {}", self.subject);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn so_many_lines_a_second_and_then_how_many_more_there_were() {
        let mut quota = Quota::default();
        let written = (0..1000).filter(|_| quota.admit(SECOND).is_some()).count();
        assert_eq!(written, 10);
        assert_eq!(quota.admit(SECOND + SECOND / 10), Some(990));
        assert_eq!(quota.admit(2 * SECOND), Some(0));
    }

    #[test]
    fn what_was_left_out_is_said_although_nothing_more_comes() {
        let mut quota = Quota::default();
        assert_eq!(quota.overdue(SECOND), None);
        for _ in 0..15 {
            quota.admit(SECOND);
        }
        assert_eq!(quota.overdue(SECOND), None);
        assert_eq!(quota.overdue(2 * SECOND), Some(5));
        assert_eq!(quota.overdue(3 * SECOND), None);
    }
}
