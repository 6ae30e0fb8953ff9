//! Lines of the log that strangers and members can cause: so few a second that they cannot fill a
//! disk.

use std::fmt::Arguments;
use std::num::NonZeroU32;
use std::sync::{Mutex, MutexGuard};
use std::time::{Duration, Instant};

use log::Level;

use crate::cmd::lock::lock;
use crate::room::relay::{Bucket, Rate};

/// How many lines each [`RateLimitedLog`] writes in a second.
const LINES_PER_SECOND: NonZeroU32 = NonZeroU32::new(10).expect("ten");
const SECOND: Duration = Duration::from_secs(1);

/// Decides which lines are written, and counts those that are not.
#[derive(Debug, Default)]
struct Quota {
    used: Bucket,
    left_out: u64,
}

impl Quota {
    /// Takes one line off the quota, and returns whether there was one. If not, the line counts as
    /// left out.
    fn admit(&mut self, now: Duration) -> bool {
        let rate = Rate::new(LINES_PER_SECOND, SECOND, SECOND);
        let is_admitted = self.used.try_take(&rate, 1, now);
        self.left_out += u64::from(!is_admitted);
        is_admitted
    }

    /// How many lines were left out since the last call.
    fn take_left_out(&mut self) -> u64 {
        std::mem::take(&mut self.left_out)
    }
}

/// A part of the log with a quota of its own, so that one part cannot use up another's.
pub(in crate::cmd::serve) struct RateLimitedLog {
    subject: &'static str,
    started: Instant,
    quota: Mutex<Quota>,
}

impl RateLimitedLog {
    /// The log of lines about `subject`.
    pub(in crate::cmd::serve) fn new(subject: &'static str) -> Self {
        Self {
            subject,
            started: Instant::now(),
            quota: Mutex::default(),
        }
    }

    /// Writes a line, or counts it as left out.
    pub(in crate::cmd::serve) fn write(&self, level: Level, line: Arguments<'_>) {
        if !log::log_enabled!(level) {
            return;
        }
        if self.quota().admit(self.started.elapsed()) {
            log::log!(level, "{line}");
        }
    }

    /// Logs how many lines were left out, if any were. Call it about once a second.
    pub(in crate::cmd::serve) fn catch_up(&self) {
        let left_out = self.quota().take_left_out();
        if left_out > 0 {
            log::info!("… and {left_out} more about {}", self.subject);
        }
    }

    fn quota(&self) -> MutexGuard<'_, Quota> {
        lock(&self.quota)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn so_many_lines_a_second_and_how_many_more_there_were() {
        let mut quota = Quota::default();
        let written = (0..1000).filter(|_| quota.admit(SECOND)).count();
        assert_eq!(written, 10);
        assert_eq!(quota.take_left_out(), 990);
        assert_eq!(quota.take_left_out(), 0);
        assert!(quota.admit(SECOND + SECOND / 10));
        assert!(!quota.admit(SECOND + SECOND / 10));
        assert_eq!(quota.take_left_out(), 1);
    }
}
