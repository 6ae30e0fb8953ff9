//! When the client ends, and whether its exit status is that of a success.

use std::io;
use std::time::{Duration, Instant};

use crate::cmd::{failure, reason};
use crate::room::content::MAX_TEXT;

/// How long the relay has for a last acknowledgement when somebody leaves by hand.
const GOODBYE: Duration = Duration::from_secs(3);

/// How long a pipe that has ended waits for those who are missing.
const PATIENCE: Duration = Duration::from_secs(30);

/// When and how the client ends.
#[derive(Default)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "the exit status tells each of them"
)]
pub(super) struct Exit {
    /// Whether the user leaves as soon as the relay has taken what was said.
    is_leaving: bool,
    /// When the user leaves in any case; or when the client ends without waiting for the relay, if the
    /// user is leaving already.
    deadline: Option<Instant>,
    /// Since when the user waits for nothing but those who are missing.
    waits_since: Option<Instant>,
    /// Whether something that a pipe or a script wanted was not done. Nobody sits there who could try
    /// otherwise, so the exit status says it.
    is_incomplete: bool,
    /// Whether something that a pipe or a script said has not reached somebody.
    is_undelivered: bool,
    /// Why standard input fails, if it does.
    input_failure: Option<String>,
    /// Whether something that was to be written down is not.
    is_unwritten: bool,
}

impl Exit {
    /// The user leaves, however long the relay takes.
    pub(super) fn leave(&mut self) {
        self.is_leaving = true;
    }

    /// The user leaves, and waits only a moment for the relay. To ask again does not prolong that.
    pub(super) fn leave_soon(&mut self) {
        if !self.is_leaving || self.deadline.is_none() {
            self.allow_a_moment();
        }
        self.is_leaving = true;
    }

    /// The user leaves in a moment. What still comes in until then is sent.
    pub(super) fn allow_a_moment(&mut self) {
        self.deadline = Some(Instant::now() + GOODBYE);
    }

    /// The user waits for nothing but those who are missing. Returns whether that goes on: not for too
    /// long, and not if the user leaves by hand.
    pub(super) fn wait_for_missing(&mut self) -> bool {
        let since = self.waits_since.get_or_insert_with(Instant::now);
        self.deadline.is_none() && since.elapsed() < PATIENCE
    }

    /// Whether the user leaves.
    pub(super) fn is_leaving(&self) -> bool {
        self.is_leaving
    }

    /// When the user leaves, or the client ends if the user is leaving already.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.deadline
    }

    /// Something that was asked for is not done.
    pub(super) fn note_undone(&mut self) {
        self.is_incomplete = true;
    }

    /// Something that was said has not reached somebody.
    pub(super) fn note_undelivered(&mut self) {
        self.is_undelivered = true;
    }

    /// Something that was to be written down is not: the log, or who somebody is.
    pub(super) fn note_unwritten(&mut self) {
        self.is_unwritten = true;
    }

    /// Standard input fails.
    pub(super) fn note_unreadable(&mut self, error: &io::Error) {
        self.input_failure = Some(reason(error));
    }

    /// What the exit status tells: whether all was done, and all delivered.
    ///
    /// # Errors
    /// Where not.
    pub(super) fn status(&self, is_json: bool) -> anyhow::Result<()> {
        if let Some(why) = &self.input_failure {
            return Err(unreadable(why));
        }
        let (error, hint) = if self.is_undelivered {
            (
                "not everything that was said was delivered",
                "join again and say it again".to_owned(),
            )
        } else if self.is_unwritten && !self.is_incomplete {
            (
                "not everything was written down",
                "make room on the disk".to_owned(),
            )
        } else if !self.is_incomplete {
            return Ok(());
        } else if is_json {
            (
                "not everything that was asked for was done",
                "the error events say what was not, and why".to_owned(),
            )
        } else {
            (
                "not everything was sent",
                format!("lines have at most {MAX_TEXT} bytes, and take a moment to be sent"),
            )
        };
        Err(failure(error, &hint))
    }
}

/// The error of a standard input that cannot be read.
pub(super) fn unreadable(why: &str) -> anyhow::Error {
    failure(
        format!("cannot read standard input: {why}"),
        "let it be a terminal, a pipe or a file; `< /dev/null` is an empty one",
    )
}
