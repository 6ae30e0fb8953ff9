//! The time, by both of the machine's clocks.

use std::time::{Duration, Instant};

use crate::room::Time;
use crate::room::session::Now;

/// Tells the time by both clocks.
pub(super) struct Clock {
    started: Duration,
}

impl Clock {
    /// Counts the uptime from now on.
    pub(super) fn start() -> Self {
        Self { started: elapsed() }
    }

    /// The time of day, and the uptime.
    pub(super) fn now(&self) -> Now {
        let time = jiff::Timestamp::now().as_millisecond();
        Now {
            time: Time::try_from(time).unwrap_or(0),
            uptime: elapsed().saturating_sub(self.started),
        }
    }

    /// When the uptime will be this, if that time can be told and the machine is not suspended until then.
    pub(super) fn at(&self, uptime: Duration) -> Option<Instant> {
        let left = uptime.saturating_sub(self.now().uptime);
        Instant::now().checked_add(left)
    }
}

/// The time since some point in the past. It goes on while the machine is suspended.
#[cfg(unix)]
fn elapsed() -> Duration {
    use nix::time::{ClockId, clock_gettime};

    // The clock that [`Instant`] reads stands still meanwhile on Linux, and goes on elsewhere.
    #[cfg(any(target_os = "linux", target_os = "android"))]
    const CLOCK: ClockId = ClockId::CLOCK_BOOTTIME;
    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    const CLOCK: ClockId = ClockId::CLOCK_MONOTONIC;
    let time = clock_gettime(CLOCK).expect("the system has this clock");
    time.into()
}

/// The time since the first call. It goes on while the machine is suspended.
#[cfg(not(unix))]
fn elapsed() -> Duration {
    use std::sync::LazyLock;

    static FIRST: LazyLock<Instant> = LazyLock::new(Instant::now);
    FIRST.elapsed()
}

/// The time of day, in seconds since 1970.
pub(super) fn unix_seconds() -> i64 {
    jiff::Timestamp::now().as_second()
}
