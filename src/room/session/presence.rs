//! Who is there: who has signed, lately, that it saw something that this member said or stated
//! lately (PROTOCOL §10).

use std::collections::VecDeque;
use std::time::Duration;

/// The most that active time goes on from one moment at which the program looks at the clock to the
/// next: it was stopped, or slept, for the rest.
const STEP: Duration = Duration::from_secs(5);

/// A link that breaks so soon after the program stood still has broken meanwhile.
const MOMENT: Duration = Duration::from_secs(30);

/// After so many beacon periods whoever has not signed that it saw anything of one's own is not
/// present any more, and after so many it is told.
const PRESENT: u32 = 3;
const TOLD: u32 = 4;

/// Time in which this member's link was up and its program awake.
#[derive(Default)]
pub(super) struct ActiveTime {
    total: Duration,
    /// When it was last looked at, by the clock that only goes on, if it is running.
    looked: Option<Duration>,
    /// From when to when the program stood still the last time, by that clock.
    pause: Option<(Duration, Duration)>,
}

impl ActiveTime {
    /// Goes on up to now, if it runs.
    pub(super) fn advance(&mut self, now: Duration) {
        if let Some(looked) = &mut self.looked {
            let step = now.saturating_sub(*looked);
            if step > STEP {
                self.pause = Some((*looked, now));
            }
            self.total += step.min(STEP);
            *looked = now;
        }
    }

    /// Runs from now on.
    pub(super) fn start(&mut self, now: Duration) {
        self.advance(now);
        self.looked = Some(now);
    }

    /// Stands still from now on.
    pub(super) fn stop(&mut self, now: Duration) {
        self.advance(now);
        self.looked = None;
    }

    pub(super) fn get(&self) -> Duration {
        self.total
    }

    /// Since when this member may have been out of the room, if its link is found to be down now: the
    /// program may have stood still until a moment ago.
    pub(super) fn out_since(&self, now: Duration) -> Duration {
        let pause = self
            .pause
            .filter(|(_, end)| now.saturating_sub(*end) <= MOMENT);
        pause.map_or(now, |(start, _)| start)
    }

    /// When it reaches so much, by the clock that only goes on, if it goes on running.
    pub(super) fn when(&self, total: Duration) -> Option<Duration> {
        let looked = self.looked?;
        Some(looked + total.saturating_sub(self.total))
    }
}

/// An entry of this member's own in the present stay.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct OwnEntry {
    pub(super) position: u64,
    /// When its bytes, or those of an entry before it, were signed, by active time: the latest of them.
    pub(super) signed: Duration,
    /// Which of the things that this member has sent it was.
    pub(super) order: u64,
}

/// This member's own entries of the present stay, as far as others may still have to show that they saw
/// them.
#[derive(Default)]
pub(super) struct OwnEntries {
    entries: VecDeque<OwnEntry>,
    /// What was signed before this active time shows nothing of how others are there now.
    since: Duration,
}

impl OwnEntries {
    /// A stay begins with this one.
    pub(super) fn begin(&mut self, joining: OwnEntry) {
        self.entries = VecDeque::from([joining]);
    }

    /// This member was away for long: none that was signed before this active time counts any more.
    pub(super) fn begin_again(&mut self, active: Duration) {
        self.entries.clear();
        self.since = active;
    }

    /// One has come back. Those before it that are older than `since` need not be told apart.
    pub(super) fn push(&mut self, entry: OwnEntry, since: Duration) {
        if entry.signed < self.since {
            return;
        }
        let before = self
            .entries
            .back()
            .map_or(Duration::ZERO, |last| last.signed);
        self.entries.push_back(OwnEntry {
            signed: entry.signed.max(before),
            ..entry
        });
        while self
            .entries
            .get(1)
            .is_some_and(|second| second.signed < since)
        {
            self.entries.pop_front();
        }
    }

    /// The last one that is covered by a claim of this position.
    pub(super) fn covered_by(&self, position: u64) -> Option<OwnEntry> {
        let covered = self
            .entries
            .iter()
            .rfind(|entry| entry.position <= position);
        covered.copied()
    }
}

/// What others can show that they saw of this member.
#[derive(Default)]
pub(super) struct OwnPresence {
    pub(super) active: ActiveTime,
    pub(super) own: OwnEntries,
}

/// How somebody shows nothing that says that it is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Silence {
    /// Nothing comes from it, for so long.
    Quiet(Duration),
    /// It speaks, and what it signs covers nothing of this member's.
    Blind,
}

/// What is known of how somebody is there, in active time.
#[derive(Debug, Default)]
pub(super) struct Watch {
    /// When it came, or this member did.
    since: Duration,
    /// When what it has signed that it saw of this member's was signed.
    covered: Option<Duration>,
    /// When the first beacon came, of those since it was last present, that shows nothing of it.
    blind: Option<Duration>,
    is_told: bool,
    is_told_blind: bool,
    /// Whether it was shown something else than this member.
    pub(super) differs: bool,
}

impl Watch {
    pub(super) fn new(active: Duration) -> Self {
        Self {
            since: active,
            ..Self::default()
        }
    }

    /// It counts as one that comes at this active time.
    pub(super) fn begin_again(&mut self, active: Duration) {
        let differs = self.differs;
        *self = Self {
            differs,
            ..Self::new(active)
        };
    }

    /// This member was away for long, and is back at this active time. Somebody who has shown nothing since
    /// it was away before is silent for all that time: whoever breaks its connection again and again
    /// would hide that otherwise.
    pub(super) fn return_to(&mut self, active: Duration) {
        if self.covered.is_some() {
            self.begin_again(active);
        }
    }

    /// When it came, or this member did.
    pub(super) fn since(&self) -> Duration {
        self.since
    }

    /// Since when nothing shows that it is there. What it signed before it came, and sends now, shows
    /// no more than that it came.
    fn last_seen(&self) -> Duration {
        self.covered.unwrap_or_default().max(self.since)
    }

    /// It has signed that it saw this of this member's.
    pub(super) fn covers(&mut self, entry: OwnEntry) {
        self.covered = self.covered.max(Some(entry.signed));
    }

    /// Whether it is present.
    pub(super) fn is_present(&self, active: Duration, period: Duration) -> bool {
        let covered = self.covered.filter(|_| !self.differs);
        covered.is_some_and(|at| active.saturating_sub(at) <= period * PRESENT)
    }

    /// Whether it is present, or may be, as it has not been silent for so long.
    pub(super) fn may_be_here(&self, active: Duration, period: Duration) -> bool {
        let since = self.last_seen();
        active.saturating_sub(since) <= period * PRESENT
    }

    /// Something that it signed has come; a beacon of its present stay, perhaps. Returns whether it is to
    /// be told that it sees nothing of this member's: if it signs beacons, at least a period apart, and
    /// shows nothing of it in any of them.
    pub(super) fn falls_blind(
        &mut self,
        is_beacon: bool,
        active: Duration,
        period: Duration,
    ) -> bool {
        if self.may_be_here(active, period) {
            (self.blind, self.is_told, self.is_told_blind) = (None, false, false);
            return false;
        }
        if !is_beacon {
            return false;
        }
        let first = *self.blind.get_or_insert(active);
        let is_news = active.saturating_sub(first) >= period && !self.is_told_blind;
        self.is_told_blind |= is_news;
        is_news
    }

    /// Whether it is to be told now that nothing shows that it is there: for how long, if so. If something
    /// comes from it all the same, that is told as what it is: it sees nothing of this member's.
    pub(super) fn falls_quiet(
        &mut self,
        is_heard: bool,
        active: Duration,
        period: Duration,
    ) -> Option<Silence> {
        let silence = active.saturating_sub(self.last_seen());
        let is_known = self.differs || self.is_told || self.is_told_blind;
        if silence <= period * TOLD || is_known {
            return None;
        }
        if is_heard {
            self.is_told_blind = true;
            return Some(Silence::Blind);
        }
        self.is_told = true;
        Some(Silence::Quiet(silence))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PERIOD: Duration = Duration::from_mins(1);

    fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn entry(position: u64, signed: u64) -> OwnEntry {
        OwnEntry {
            position,
            signed: seconds(signed),
            order: position,
        }
    }

    #[test]
    fn time_in_which_the_program_stood_still_does_not_count() {
        let mut active = ActiveTime::default();
        active.start(seconds(100));
        active.advance(seconds(103));
        active.advance(seconds(1103));
        assert_eq!(active.get(), seconds(8));
        active.stop(seconds(1104));
        active.advance(seconds(2000));
        active.start(seconds(3000));
        active.advance(seconds(3001));
        assert_eq!(active.get(), seconds(10));
    }

    #[test]
    fn what_is_sent_again_is_as_old_as_it_was_and_makes_nothing_older() {
        let mut own = OwnEntries::default();
        own.begin(entry(5, 100));
        own.push(entry(7, 20), Duration::ZERO);
        own.push(entry(9, 160), Duration::ZERO);
        assert_eq!(own.covered_by(4), None);
        assert_eq!(own.covered_by(8).map(|own| own.signed), Some(seconds(100)));
        assert_eq!(own.covered_by(9).map(|own| own.signed), Some(seconds(160)));
        own.push(entry(11, 500), seconds(200));
        assert_eq!(own.covered_by(8), None, "long ago");
    }

    #[test]
    fn whoever_shows_nothing_of_ones_own_is_not_present_and_told_once() {
        let mut watch = Watch::new(seconds(0));
        assert!(
            !watch.is_present(seconds(1), PERIOD),
            "so far only the relay says so"
        );
        watch.covers(entry(5, 10));
        assert!(watch.is_present(seconds(190), PERIOD));
        assert!(!watch.is_present(seconds(191), PERIOD));
        assert_eq!(watch.falls_quiet(false, seconds(250), PERIOD), None);
        assert_eq!(
            watch.falls_quiet(false, seconds(251), PERIOD),
            Some(Silence::Quiet(seconds(241)))
        );
        assert_eq!(watch.falls_quiet(false, seconds(300), PERIOD), None);
        watch.covers(entry(9, 290));
        assert!(!watch.falls_blind(true, seconds(301), PERIOD));
        assert_eq!(
            watch.falls_quiet(false, seconds(600), PERIOD),
            Some(Silence::Quiet(seconds(310)))
        );
    }

    #[test]
    fn whoever_speaks_and_sees_nothing_is_told_apart_from_who_is_silent() {
        let mut watch = Watch::new(seconds(0));
        watch.covers(entry(5, 0));
        assert!(!watch.falls_blind(true, seconds(181), PERIOD));
        assert!(
            !watch.falls_blind(false, seconds(241), PERIOD),
            "perhaps written offline"
        );
        assert!(watch.falls_blind(true, seconds(241), PERIOD));
        assert!(!watch.falls_blind(true, seconds(301), PERIOD));
    }

    #[test]
    fn who_has_just_come_back_with_messages_of_before_is_not_quiet() {
        let mut watch = Watch::new(seconds(500));
        watch.covers(entry(5, 10));
        assert!(!watch.is_present(seconds(502), PERIOD));
        assert_eq!(watch.falls_quiet(false, seconds(502), PERIOD), None);
        assert!(!watch.falls_blind(true, seconds(680), PERIOD));
        assert_eq!(
            watch.falls_quiet(false, seconds(741), PERIOD),
            Some(Silence::Quiet(seconds(241)))
        );
    }

    #[test]
    fn who_was_shown_something_else_is_not_present() {
        let mut watch = Watch::new(seconds(0));
        watch.covers(entry(5, 0));
        watch.differs = true;
        assert!(!watch.is_present(seconds(1), PERIOD));
    }
}
