//! Whether it is told that people come and go. In a room of many there would be little else to read. What may mean
//! harm is told in any case, and `/names` tells who is there.

use crate::room::frame::Departure;
use crate::room::session::Policy;

use super::alarms::Incident;
use super::report::Report;

/// Among more people than so many, the user included, it is not told, unless the user wants it.
pub(in crate::cmd::join) const MANY: usize = 30;

/// What is said when something is not told for the first time.
const WHY: &str = "more than 30 people are here: who comes and goes is not told from now on; /names tells who is here, and /quiet off tells it again";

/// Whether it is told that people come and go.
#[derive(Default)]
pub(in crate::cmd::join) struct Quiet {
    /// What the user has chosen, if anything.
    chosen: Option<bool>,
    is_explained: bool,
}

/// What becomes of a report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::cmd::join) enum Verdict {
    /// It is told.
    Told,
    /// It is not.
    Hidden,
    /// It is not, and for the first time nobody has asked for that: this is said in its place.
    Explained(&'static str),
}

impl Quiet {
    /// The user has chosen.
    pub(in crate::cmd::join) fn set(&mut self, is_quiet: bool) {
        self.chosen = Some(is_quiet);
    }

    /// Whether it is so among this many people.
    pub(in crate::cmd::join) fn is_on(&self, people: usize) -> bool {
        self.chosen.unwrap_or(people > MANY)
    }

    /// What becomes of a report, among this many people. Of somebody to whom `policy` lets nothing be sent it is always
    /// told that they come or go.
    pub(in crate::cmd::join) fn judge(
        &mut self,
        report: &Report,
        policy: &Policy,
        people: usize,
    ) -> Verdict {
        if !is_coming_or_going(report, policy) || !self.is_on(people) {
            Verdict::Told
        } else if self.chosen.is_some() || std::mem::replace(&mut self.is_explained, true) {
            Verdict::Hidden
        } else {
            Verdict::Explained(WHY)
        }
    }
}

/// Whether a report says no more than that somebody comes or goes.
fn is_coming_or_going(report: &Report, policy: &Policy) -> bool {
    match report {
        Report::Joined(who, _) | Report::Back { who, .. } => policy.admits(who.standing),
        Report::Left(who, departure, _) => {
            policy.admits(who.standing) && *departure != Departure::Misbehaved
        }
        Report::Incident { what, .. } => {
            matches!(what, Incident::Asleep { .. } | Incident::Awake { .. })
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::cipher::fingerprint::Fingerprint;
    use crate::cmd::join::output::speech::Who;
    use crate::room::session::Standing;

    fn who(standing: Standing) -> Who {
        Who {
            nick: "ada".parse().unwrap(),
            fingerprint: Fingerprint::of(b"ada"),
            standing,
        }
    }

    fn policy(at_least: Standing) -> Policy {
        Policy {
            at_least,
            rekey_after: Duration::MAX,
            no_share: false,
        }
    }

    fn joined(standing: Standing) -> Report {
        Report::Joined(who(standing), String::new())
    }

    fn left(departure: Departure) -> Report {
        Report::Left(who(Standing::Known), departure, None)
    }

    #[test]
    fn it_becomes_quiet_among_many_and_that_is_said_once() {
        let mut quiet = Quiet::default();
        let mut judge =
            |people| quiet.judge(&joined(Standing::New), &policy(Standing::New), people);
        assert_eq!(judge(MANY), Verdict::Told);
        assert_eq!(judge(MANY + 1), Verdict::Explained(WHY));
        assert!(WHY.contains(&format!("more than {MANY} ")));
        assert_eq!(judge(MANY + 1), Verdict::Hidden);
        assert_eq!(judge(MANY), Verdict::Told);
        assert_eq!(judge(MANY + 1), Verdict::Hidden);
    }

    #[test]
    fn what_the_user_chooses_holds_and_needs_no_word() {
        let mut quiet = Quiet::default();
        quiet.set(true);
        let policy = policy(Standing::New);
        let left = left(Departure::Left);
        assert_eq!(quiet.judge(&left, &policy, 2), Verdict::Hidden);
        quiet.set(false);
        assert_eq!(quiet.judge(&left, &policy, 99), Verdict::Told);
    }

    #[test]
    fn what_may_mean_harm_is_told_in_any_case() {
        let mut quiet = Quiet::default();
        quiet.set(true);
        for report in [
            joined(Standing::Changed),
            left(Departure::Misbehaved),
            Incident::CutOff {}.into(),
            Report::Failure(String::new()),
        ] {
            let verdict = quiet.judge(&report, &policy(Standing::New), 99);
            assert_eq!(verdict, Verdict::Told, "{report:?}");
        }
        let joined = joined(Standing::New);
        let mut judge = |at_least| quiet.judge(&joined, &policy(at_least), 99);
        assert_eq!(judge(Standing::Known), Verdict::Told);
        assert_eq!(judge(Standing::New), Verdict::Hidden);
    }
}
