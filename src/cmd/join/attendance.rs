//! What is told of who comes and goes, and what is known of them.

use std::time::Duration;

use crate::room::session::Person;

use super::client::Client;
use super::clock::unix_seconds;
use super::output::nicks_of;
use super::output::quiet::Verdict;
use super::output::report::Report;
use super::output::wording;
use super::trust::{Remark, Trust};

impl Client<'_> {
    /// This member has entered the room, and these are there.
    pub(super) fn tell_entered(&mut self, mut people: Vec<Person>) {
        let remarks = self.meet(&mut people);
        let advice = self.advice(&people);
        if self.screen.has_keyboard() {
            self.list_briefly(&people, advice.as_deref());
        } else {
            self.list_people(&people);
        }
        self.tell_advice(advice);
        self.tell_remarks(remarks);
    }

    pub(super) fn tell_joined(&mut self, mut person: Person) {
        let remarks = self.meet([&mut person]);
        let policy = self.session.policy();
        let about = if self.screen.has_keyboard() {
            format!("({})", self.trust.describe(policy, &person))
        } else {
            self.trust.introduce(policy, &person)
        };
        self.tell_attendance(&Report::Joined((&person).into(), about));
        let advice = self.advice(&[person]);
        self.tell_advice(advice);
        self.tell_remarks(remarks);
        self.away.expect_newcomers();
    }

    /// This member has entered the room once more, after so long, and these are there.
    pub(super) fn tell_return(&mut self, mut people: Vec<Person>, out: Duration) {
        let remarks = self.meet(&mut people);
        let now = self.clock.now();
        let missing = nicks_of(&self.session.expected(now));
        self.screen
            .show(&wording::entered_again(&people, &missing, out));
        self.report_roster(&people);
        self.tell_remarks(remarks);
        self.here.expect_back(missing, now);
    }

    /// Finds out what is known of people, and what is to be said of it.
    pub(super) fn meet<'a>(
        &mut self,
        people: impl IntoIterator<Item = &'a mut Person>,
    ) -> Vec<Remark> {
        let now = unix_seconds();
        let mut remarks = Vec::new();
        for person in people {
            remarks.extend(self.trust.meet(&mut self.session, person, now));
        }
        remarks
    }

    /// What to do about these people, where somebody sits who can do it.
    fn advice(&mut self, people: &[Person]) -> Option<String> {
        if !self.screen.has_keyboard() {
            return None;
        }
        let is_invite = self.destination.room.is_invite();
        Trust::advice(self.session.policy(), people)
            .or_else(|| self.trust.advise_on_newcomers(is_invite, people))
    }

    fn tell_advice(&mut self, advice: Option<String>) {
        if let Some(advice) = advice {
            self.screen.notice(advice);
        }
    }

    /// Tells that somebody comes or goes, if that is told.
    pub(super) fn tell_attendance(&mut self, report: &Report) {
        if self.judge(report) {
            self.screen.show(report);
        }
    }

    /// Judges whether a report is told: to people it is not told of many that they come and go. Says so the first time.
    pub(super) fn judge(&mut self, report: &Report) -> bool {
        if !self.screen.has_keyboard() {
            return true;
        }
        let people = self.session.count_others() + 1;
        let verdict = self.quiet.judge(report, self.session.policy(), people);
        if let Verdict::Explained(why) = verdict {
            self.screen.notice(why);
        }
        verdict == Verdict::Told
    }
}
