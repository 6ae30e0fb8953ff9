//! The time, by both of the machine's clocks.

use std::time::{Duration, Instant};

use crate::room::Time;
use crate::room::session::Now;

/// Tells the time by both clocks.
pub(super) struct Clock {
    started: Instant,
}

impl Clock {
    /// Counts the uptime from now on.
    pub(super) fn start() -> Self {
        Self {
            started: Instant::now(),
        }
    }

    /// The time of day, and the uptime.
    pub(super) fn now(&self) -> Now {
        let time = jiff::Timestamp::now().as_millisecond();
        Now {
            time: Time::try_from(time).unwrap_or(0),
            uptime: self.started.elapsed(),
        }
    }

    /// When the uptime will be this, if that time can be told.
    pub(super) fn at(&self, uptime: Duration) -> Option<Instant> {
        self.started.checked_add(uptime)
    }
}

/// The time of day, in seconds since 1970.
pub(super) fn unix_seconds() -> i64 {
    jiff::Timestamp::now().as_second()
}
