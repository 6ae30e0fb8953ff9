//! What others can cause to be told, as often as they like. It is not shown where the user ignores them,
//! nor where the same was shown just now.

use std::collections::{HashMap, HashSet};
use std::time::Instant;

use crate::cipher::fingerprint::Fingerprint;
use crate::room::names::Nick;

use super::repeats::Repeats;
use super::report::Report;
use super::screen::Screen;
use super::speech::Who;

/// Whom the user ignores, and what was told lately.
#[derive(Default)]
pub(in crate::cmd::join) struct Filter {
    /// Whom the user ignores, and what each was called when that began.
    ignored: HashMap<Fingerprint, Nick>,
    alarms: Repeats,
    /// What was told and is no alarm.
    hints: Repeats,
}

impl Filter {
    /// Shows a report about whoever has this identity, unless the same was shown just now or the user
    /// ignores them. Returns whether it was shown.
    pub(in crate::cmd::join) fn raise(
        &mut self,
        report: &Report,
        about: Option<Fingerprint>,
        screen: &mut Screen,
    ) -> bool {
        let is_ignored = about.is_some_and(|sender| self.is_ignored(sender));
        let now = Instant::now();
        let repeats = self.repeats(report);
        let is_shown = if is_ignored && report.is_of_sender() {
            repeats.note(report, about, now);
            false
        } else {
            repeats.admit(report, about, now)
        };
        if is_shown {
            screen.show(report);
        }
        is_shown
    }

    /// Shows a report that the user caused, and keeps it for `/audit` if it is an alarm.
    pub(in crate::cmd::join) fn answer(&mut self, report: &Report, screen: &mut Screen) {
        self.repeats(report).note(report, None, Instant::now());
        screen.show(report);
    }

    /// Shows what was held back for long enough, or all of it. That somebody is away is shown only of
    /// those who are here.
    pub(in crate::cmd::join) fn release(
        &mut self,
        all: bool,
        is_here: impl Fn(&Who) -> bool,
        screen: &mut Screen,
    ) {
        let now = Instant::now();
        let mut reports = self.alarms.release(now, all);
        reports.extend(self.hints.release(now, all));
        for report in reports {
            if !matches!(&report, Report::Away(who, _) if !is_here(who)) {
                screen.show(&report);
            }
        }
    }

    /// When something that was held back is to be shown, if anything was.
    pub(in crate::cmd::join) fn next_due(&self) -> Option<Instant> {
        let (alarms, hints) = (self.alarms.next_due(), self.hints.next_due());
        alarms.into_iter().chain(hints).min()
    }

    fn repeats(&mut self, report: &Report) -> &mut Repeats {
        if report.is_alarm() {
            &mut self.alarms
        } else {
            &mut self.hints
        }
    }

    /// The latest alarms, one a line.
    pub(in crate::cmd::join) fn alarms(&self) -> Vec<String> {
        self.alarms.alarms()
    }

    /// Has nothing shown any more of what comes from this identity, which is called so now.
    pub(in crate::cmd::join) fn ignore(&mut self, fingerprint: Fingerprint, nick: &Nick) {
        self.ignored.insert(fingerprint, nick.clone());
        for repeats in [&mut self.alarms, &mut self.hints] {
            repeats.hush(fingerprint);
        }
    }

    /// Ends that for this identity, and for whoever had this nick when it began. Returns whether the user
    /// ignored anybody like that.
    pub(in crate::cmd::join) fn unignore(
        &mut self,
        fingerprint: Option<Fingerprint>,
        nick: &str,
    ) -> bool {
        let before = self.ignored.len();
        self.ignored.retain(|ignored, called| {
            Some(*ignored) != fingerprint && !called.as_str().eq_ignore_ascii_case(nick)
        });
        self.ignored.len() < before
    }

    /// Whether the user ignores this identity.
    pub(in crate::cmd::join) fn is_ignored(&self, fingerprint: Fingerprint) -> bool {
        self.ignored.contains_key(&fingerprint)
    }

    /// The identities that the user ignores.
    pub(in crate::cmd::join) fn ignored_identities(&self) -> HashSet<Fingerprint> {
        self.ignored.keys().copied().collect()
    }

    /// What each was called whom the user ignores, in order.
    pub(in crate::cmd::join) fn ignored(&self) -> Vec<&str> {
        let mut nicks: Vec<&str> = self.ignored.values().map(Nick::as_str).collect();
        nicks.sort_unstable();
        nicks
    }
}
