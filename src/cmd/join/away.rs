//! Whether the user is away, and when those who came since are told.

use std::time::{Duration, Instant};

/// After this time newcomers learn that the user is away: all who came in it are told at once.
const TELL_NEWCOMERS_AFTER: Duration = Duration::from_secs(3);

/// Whether the user is away.
#[derive(Default)]
pub(super) struct Away {
    /// Why, if so.
    reason: Option<String>,
    /// When newcomers are told, if anybody came.
    newcomers_due: Option<Instant>,
}

impl Away {
    /// The user is away, for this reason.
    pub(super) fn begin(&mut self, reason: &str) {
        self.reason = Some(reason.to_owned());
    }

    /// The user is back. Returns whether there was anything to end.
    pub(super) fn end(&mut self) -> bool {
        self.reason.take().is_some()
    }

    /// Somebody came, and does not know whether the user is away.
    pub(super) fn expect_newcomers(&mut self) {
        self.newcomers_due
            .get_or_insert_with(|| Instant::now() + TELL_NEWCOMERS_AFTER);
    }

    /// When newcomers are to be told, if anybody came.
    pub(super) fn next_due(&self) -> Option<Instant> {
        self.newcomers_due
    }

    /// Takes what newcomers are to be told now, if it is time and the user is away.
    pub(super) fn take_due(&mut self) -> Option<String> {
        self.newcomers_due.take_if(|at| *at <= Instant::now())?;
        self.reason.clone()
    }
}
