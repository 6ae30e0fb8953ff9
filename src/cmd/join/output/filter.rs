//! What others can cause to be told, as often as they like. It is not shown where the user ignores them,
//! nor where the same was shown just now.

use std::collections::{HashMap, HashSet};
use std::time::Instant;

use crate::cipher::fingerprint::Fingerprint;
use crate::room::names::Nick;

use super::names;
use super::repeats::Repeats;
use super::report::Report;
use super::screen::Screen;
use super::speech::Who;

/// Of so many nicks of one whom the user ignores it is known that they had them: the first, and the latest.
const MAX_NICKS: usize = 20;

/// Whom the user ignores, and what was told lately.
#[derive(Default)]
pub(in crate::cmd::join) struct Filter {
    /// Whom the user ignores, and what each has been called since that began, the latest nick last.
    ignored: HashMap<Fingerprint, Vec<Nick>>,
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
        self.ignored.insert(fingerprint, vec![nick.clone()]);
        for repeats in [&mut self.alarms, &mut self.hints] {
            repeats.hush(fingerprint);
        }
    }

    /// Takes note that this identity is called so now.
    pub(in crate::cmd::join) fn follow_rename(&mut self, fingerprint: Fingerprint, nick: &Nick) {
        if let Some(nicks) = self.ignored.get_mut(&fingerprint) {
            nicks.retain(|former| former != nick);
            // The first one is what the user knows.
            if nicks.len() == MAX_NICKS {
                nicks.remove(1);
            }
            nicks.push(nick.clone());
        }
    }

    /// Ends that for this identity, and for whoever has this nick; if there is nobody, for whoever has had it since
    /// that began. Returns what those are called for whom it has ended.
    pub(in crate::cmd::join) fn unignore(
        &mut self,
        fingerprint: Option<Fingerprint>,
        nick: &str,
    ) -> Vec<Nick> {
        let is_it = |called: &Nick| called.as_str().eq_ignore_ascii_case(nick);
        let is_meant = |ignored: &Fingerprint, nicks: &[Nick]| {
            Some(*ignored) == fingerprint || nicks.last().is_some_and(is_it)
        };
        let mut all = self.ignored.iter();
        let is_anybody_meant = all.any(|(ignored, nicks)| is_meant(ignored, nicks));
        let over = self.ignored.extract_if(|ignored, nicks| {
            is_meant(ignored, nicks) || !is_anybody_meant && nicks.iter().any(is_it)
        });
        over.filter_map(|(_, mut nicks)| nicks.pop()).collect()
    }

    /// Whether the user ignores this identity.
    pub(in crate::cmd::join) fn is_ignored(&self, fingerprint: Fingerprint) -> bool {
        self.ignored.contains_key(&fingerprint)
    }

    /// The identities that the user ignores.
    pub(in crate::cmd::join) fn ignored_identities(&self) -> HashSet<Fingerprint> {
        self.ignored.keys().copied().collect()
    }

    /// What each is called whom the user ignores, and was called before, in order; and who is not here.
    pub(in crate::cmd::join) fn ignored(
        &self,
        is_here: impl Fn(Fingerprint) -> bool,
    ) -> Vec<String> {
        let called = self.ignored.iter().filter_map(|(fingerprint, nicks)| {
            let (nick, former) = nicks.split_last()?;
            let gone = if is_here(*fingerprint) {
                ""
            } else {
                " (not here)"
            };
            Some(match former {
                [] => format!("{nick}{gone}"),
                former => format!("{nick}, who was {}{gone}", names(former)),
            })
        });
        let mut called: Vec<String> = called.collect();
        called.sort_unstable();
        called
    }
}
