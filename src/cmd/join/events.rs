//! What happens in the room, told to the user, and what follows from it.

use std::time::{Duration, Instant};

use crate::cmd::terminal::Entry;
use crate::room::frame::Departure;
use crate::room::message::Kind;
use crate::room::names::Nick;
use crate::room::session::{Event, Person};

use super::client::{Client, Notify, seconds};
use crate::cmd::join::output::alarms::Incident;
use crate::cmd::join::output::repeats::Repeats;
use crate::cmd::join::output::report::{LinkState, Report, Speech, Who, mentions};
use crate::cmd::join::output::wording;
use crate::cmd::join::trust::{Remark, Trust};

/// How long after one's own return it is said who has not come back.
const PATIENCE_FOR_OTHERS: Duration = Duration::from_mins(1);

impl Client<'_> {
    /// Shows what happened.
    pub(super) fn show(&mut self, events: Vec<Event>) {
        let is_shown = !events.is_empty();
        for event in events {
            self.tell(event);
        }
        if is_shown {
            self.screen
                .terminal
                .show(Entry::Mark(self.session.changes()));
            if self.here.0 != self.session.changes() {
                self.look_around();
            }
        }
    }

    fn tell(&mut self, event: Event) {
        match event {
            Event::Entered(mut people) => {
                let remarks = self.meet(&mut people);
                self.names(&people);
                self.advise(&people);
                self.remark_on_others(remarks);
            }
            Event::Joined(person) => {
                let mut people = [person];
                let remarks = self.meet(&mut people);
                for person in &people {
                    let about = self.trust.introduce(self.session.policy(), person);
                    self.screen.show(&Report::Joined(person.into(), about));
                }
                self.advise(&people);
                self.remark_on_others(remarks);
                self.expect_newcomers();
            }
            Event::Resumed => {
                let text = "connected again".to_owned();
                self.screen.show(&Report::Link(LinkState::Resumed, text));
            }
            Event::Returned { mut people, absent } => {
                let remarks = self.meet(&mut people);
                self.screen.show(&wording::entered_again(&people));
                self.roster(&people);
                self.remark_on_others(remarks);
                let until = Instant::now() + PATIENCE_FOR_OTHERS;
                self.missed = (!absent.is_empty()).then_some((absent, until));
            }
            Event::Back(person) => {
                let mut people = [person];
                let remarks = self.meet(&mut people);
                for person in &people {
                    self.is_back(person);
                }
                self.remark_on_others(remarks);
                self.expect_newcomers();
            }
            Event::Left {
                nick,
                departure,
                is_signed,
            } => self.tell_left(&nick, departure, is_signed),
            Event::Renamed { former, person } => self.tell_renamed(former, person),
            Event::Called(nick) => {
                let fingerprint = self.who_i_am().fingerprint;
                self.screen.show(&Report::Called { nick, fingerprint });
            }
            Event::Away(nick, text) => {
                if let Some(who) = self.who(&nick) {
                    self.raise(&Report::Away(who, text));
                }
            }
            Event::Rekeyed(nick) => {
                if let Some(who) = self.who(&nick) {
                    self.screen.show(&Report::Rekeyed(who));
                }
            }
            Event::Message {
                from,
                direct,
                kind,
                text,
            } => self.tell_said(&from, direct, kind, text.as_str()),
            // What it means for what was said is looked up.
            Event::Taken(_) => self.settle(),
            Event::NotTaken {
                receipt,
                readers,
                text,
            } => self.give_up(receipt, &readers, &text),
            Event::RekeyDue => self.make_key(),
            event => {
                if let Some(incident) = Incident::of(event) {
                    self.raise(&incident.into());
                }
            }
        }
    }

    fn tell_said(&mut self, from: &Nick, direct: bool, kind: Kind, text: &str) {
        let Some(who) = self.who(from) else {
            return;
        };
        if self.ignored.contains_key(&who.fingerprint) {
            return;
        }
        let is_another = |(last, _)| last != who.fingerprint;
        if direct && self.to_reply.is_none_or(is_another) {
            self.to_reply = Some((who.fingerprint, self.session.changes()));
        }
        let own = self.session.card().nick();
        let mentions = mentions(text, own);
        let rings = match self.notify {
            Notify::Never => false,
            Notify::Mentions => mentions || direct,
            Notify::All => true,
        };
        self.screen.show(&Report::Said(Speech {
            who,
            own: false,
            to: direct.then(|| own.clone()),
            kind,
            text: text.to_owned(),
            mentions,
            waiting: None,
        }));
        if rings {
            self.screen.terminal.show(Entry::Bell);
        }
    }

    fn tell_renamed(&mut self, former: Nick, mut person: Person) {
        if let Some((absent, _)) = &mut self.missed {
            // It is expected back under its new nick.
            for nick in absent.iter_mut().filter(|nick| **nick == former) {
                nick.clone_from(&person.nick);
            }
        }
        let session = &mut self.session;
        let remark = (self.trust).follow_rename(session, &mut person, seconds());
        let who = Who::from(&person);
        self.screen.show(&Report::Renamed(former, who));
        self.remark_on_others(remark);
    }

    fn tell_left(&mut self, nick: &Nick, departure: Departure, is_signed: bool) {
        let is_odd = departure == Departure::Left && !is_signed;
        let is_told = is_odd && self.raise(&Incident::LeftUnsigned { nick: nick.clone() }.into());
        if let Some(who) = self.here.1.get(nick.as_str()) {
            let report = Report::Left(who.clone(), departure, is_signed);
            self.screen.show(&report);
            // Whoever is told of it by the alarm alone has to be told when there is none.
            if is_odd && !is_told {
                let text = format!("{nick} {departure}");
                self.screen.show(&Report::Aside(text));
            }
        }
    }

    /// Shows something that others can cause as often as they like, unless the same was shown just
    /// now, or the user does not want to hear whoever it comes from. Returns whether it was shown.
    pub(super) fn raise(&mut self, report: &Report) -> bool {
        let about = report.about().and_then(|nick| {
            // Who has left is not in the room any more.
            let here = self.here.1.get(nick.as_str()).cloned();
            here.or_else(|| self.who(nick))
        });
        let about = about.map(|who| who.fingerprint);
        let is_ignored = about.is_some_and(|sender| self.ignored.contains_key(&sender));
        let now = Instant::now();
        let repeats = self.repeats(report);
        let is_shown = if is_ignored && report.is_of_sender() {
            repeats.note(report, about, now);
            false
        } else {
            repeats.admit(report, about, now)
        };
        if is_shown {
            self.screen.show(report);
        }
        is_shown
    }

    fn repeats(&mut self, report: &Report) -> &mut Repeats {
        if report.is_alarm() {
            &mut self.alarms
        } else {
            &mut self.hints
        }
    }

    /// Shows what was held back for long enough, or all of it.
    pub(super) fn tell_held_back(&mut self, all: bool) {
        let now = Instant::now();
        let mut reports = self.alarms.release(now, all);
        reports.extend(self.hints.release(now, all));
        for report in reports {
            let is_over = match &report {
                Report::Away(who, _) => {
                    let mut here = self.here.1.values();
                    !here.any(|other| other.fingerprint == who.fingerprint)
                }
                _ => false,
            };
            if !is_over {
                self.screen.show(&report);
            }
        }
    }

    /// Shows the answer to what the user does, and keeps it for `/audit` if it is an alarm.
    fn report(&mut self, report: &Report) {
        self.repeats(report).note(report, None, Instant::now());
        self.screen.show(report);
    }

    /// Shows something to know.
    pub(super) fn notice(&mut self, text: impl Into<String>) {
        self.screen.show(&Report::Notice(text.into()));
    }

    /// Says why something is not done, which a script may have named.
    pub(super) fn refuse(&mut self, id: Option<&str>, text: impl Into<String>) {
        let (id, text) = (id.map(str::to_owned), text.into());
        self.screen.show(&Report::Refusal { id, text });
    }

    /// Says what is to be said of what the user does.
    pub(super) fn remark(&mut self, remarks: impl IntoIterator<Item = Remark>) {
        for remark in remarks {
            self.report(&remark.into());
        }
    }

    /// Says what is to be said of those who come, or are called something else.
    fn remark_on_others(&mut self, remarks: impl IntoIterator<Item = Remark>) {
        for remark in remarks {
            self.raise(&remark.into());
        }
    }

    /// Somebody is back. After the relay has been away, so is everybody, and this is said once.
    fn is_back(&mut self, person: &Person) {
        self.screen.show(&Report::Back {
            who: person.into(),
            is_expected: self.missed.is_some(),
        });
        if let Some((absent, _)) = &mut self.missed {
            absent.retain(|other| *other != person.nick);
            if absent.is_empty() {
                self.missed = None;
                self.screen
                    .show(&Report::Aside("everybody is back".to_owned()));
            }
        }
    }

    /// Finds out what is known of people, and what is to be said of it.
    fn meet(&mut self, people: &mut [Person]) -> Vec<Remark> {
        let now = seconds();
        let mut remarks = Vec::new();
        for person in people {
            remarks.extend(self.trust.meet(&mut self.session, person, now));
        }
        remarks
    }

    /// Says what to do about these people, where somebody sits who can do it.
    fn advise(&mut self, people: &[Person]) {
        if !self.screen.has_keyboard() {
            return;
        }
        let policy = self.session.policy();
        let advice = Trust::advice(policy, people).or_else(|| {
            self.trust
                .advise_on_newcomers(self.room.is_invite(), people)
        });
        if let Some(advice) = advice {
            self.notice(advice);
        }
    }

    /// Takes note of who is here.
    pub(super) fn look_around(&mut self) {
        let others = self.session.others();
        let nicks = others.iter().map(|person| person.nick.to_string());
        self.nicks.set(nicks.collect());
        let here = others
            .iter()
            .map(|person| (person.nick.to_string(), Who::from(person)));
        self.here = (self.session.changes(), here.collect());
    }

    /// Who has this nick at present.
    fn who(&self, nick: &Nick) -> Option<Who> {
        self.session.person(nick).as_ref().map(Who::from)
    }

    /// Who the user is.
    pub(super) fn who_i_am(&self) -> Who {
        let card = self.session.card();
        Who {
            nick: card.nick().clone(),
            fingerprint: card.fingerprint(),
            standing: crate::room::session::Standing::Verified,
        }
    }
}

impl From<Remark> for Report {
    fn from(remark: Remark) -> Self {
        match remark {
            Remark::Notice(text) => Self::Notice(text),
            Remark::Refusal(text) => Self::refusal(text),
            Remark::Alarm(nick, text) => Incident::Identity { nick, text }.into(),
        }
    }
}
