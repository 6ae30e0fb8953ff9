//! Why attempts to get a broken connection back fail, and what of that is news to the user.

/// How many reasons are told, at most, while there is no connection.
const TOLD_REASONS: usize = 10;

/// The latest reasons.
#[derive(Default)]
pub(in crate::cmd::join) struct Setbacks {
    /// Why the latest attempt has failed, and how many have in a row for that reason.
    failed: Option<(String, u32)>,
    /// Why the connection broke, and could not be made since, as far as the user was told.
    told: Vec<String>,
}

impl Setbacks {
    /// An attempt has failed, or a link that was to lead into the room.
    pub(in crate::cmd::join) fn note_failure(&mut self, error: &anyhow::Error) {
        let reason = first_line(error);
        match &mut self.failed {
            Some((before, count)) if *before == reason => *count = count.saturating_add(1),
            failed => *failed = Some((reason, 1)),
        }
    }

    /// The user is told why the connection broke, or could not be made.
    pub(in crate::cmd::join) fn note_told(&mut self, error: &anyhow::Error) {
        self.told.push(first_line(error));
    }

    /// Why attempts fail, if that is another reason than the user was told so far. A relay that is started anew lets one
    /// attempt fail, which is not worth a word.
    pub(in crate::cmd::join) fn take_news(&mut self) -> Option<String> {
        let (reason, count) = self.failed.as_ref()?;
        let is_news = *count > 1 && !self.told.contains(reason) && self.told.len() < TOLD_REASONS;
        is_news.then(|| {
            self.told.push(reason.clone());
            reason.clone()
        })
    }

    /// The member is in the room again.
    pub(super) fn forget(&mut self) {
        (self.failed, self.told) = (None, Vec::new());
    }
}

/// An error without what to do about it.
fn first_line(error: &anyhow::Error) -> String {
    let error = error.to_string();
    error.lines().next().unwrap_or_default().to_owned()
}
