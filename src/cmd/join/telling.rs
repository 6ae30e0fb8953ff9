//! What happens in the room, told to the user, and what follows from it.

use std::time::{Duration, Instant};

use crate::cmd::terminal::Entry;
use crate::room::frame::Departure;
use crate::room::message::Kind;
use crate::room::names::Nick;
use crate::room::session::{Event, Person};

use super::client::{Client, Notify, Wrong, seconds};
use super::report::{Alarm, Link, Report, Speech, Who, mentions};
use super::trust::{Remark, Trust};
use super::words;

/// How long after one's own return it is said who has not come back.
const PATIENCE_FOR_OTHERS: Duration = Duration::from_mins(1);

/// How many alarms `/audit` can show. One that is raised again and again takes one place: whoever
/// can raise alarms does not drive out others with it, nor fill the memory.
const AUDITED: usize = 100;

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
                self.remark(remarks);
            }
            Event::Joined(person) => {
                let mut people = [person];
                let remarks = self.meet(&mut people);
                for person in &people {
                    let about = self.trust.introduce(self.session.policy(), person);
                    self.screen.show(&Report::Joined(person.into(), about));
                }
                self.advise(&people);
                self.remark(remarks);
                self.expect_newcomers();
            }
            Event::Resumed => {
                let text = "connected again".to_owned();
                self.screen.show(&Report::Link(Link::Resumed, text));
            }
            Event::Returned { mut people, absent } => {
                let remarks = self.meet(&mut people);
                self.screen.show(&words::returned(&people));
                self.roster(&people);
                self.remark(remarks);
                let until = Instant::now() + PATIENCE_FOR_OTHERS;
                self.missed = (!absent.is_empty()).then_some((absent, until));
            }
            Event::Back(person) => {
                let mut people = [person];
                let remarks = self.meet(&mut people);
                for person in &people {
                    self.is_back(person);
                }
                self.remark(remarks);
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
                if let Some(who) = self.who(&nick)
                    && !self.ignored.contains_key(&who.fingerprint)
                {
                    self.screen.show(&Report::Away(who, text));
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
            Event::NotTaken(receipt) => self.give_up(receipt),
            Event::RekeyDue => self.make_key(),
            event => {
                if let Some(report) = words::event(event) {
                    self.report(&report);
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
            waiting: false,
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
        let remark = (self.trust).follow(session, &mut person, seconds());
        let who = Who::from(&person);
        self.screen.show(&Report::Renamed(former, who));
        self.remark(remark);
    }

    fn tell_left(&mut self, nick: &Nick, departure: Departure, is_signed: bool) {
        if departure == Departure::Left && !is_signed {
            self.report(&words::left_without_a_word(nick));
        }
        if let Some(who) = self.here.1.get(nick.as_str()) {
            let report = Report::Left(who.clone(), departure, is_signed);
            self.screen.show(&report);
        }
    }

    /// Shows something, and keeps it for `/audit` if it is an alarm.
    pub(super) fn report(&mut self, report: &Report) {
        if let Report::Alarm { text, .. } = report {
            let is_same = |wrong: &Wrong| wrong.text == *text;
            let place = self.audit.iter().position(is_same);
            let before = place.and_then(|place| self.audit.remove(place));
            if self.audit.len() == AUDITED {
                self.audit.pop_front();
            }
            self.audit.push_back(Wrong {
                time: jiff::ZonedDateTime::now().strftime("%H:%M:%S").to_string(),
                text: text.clone(),
                count: before.map_or(0, |wrong| wrong.count) + 1,
            });
        }
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

    pub(super) fn remark(&mut self, remarks: impl IntoIterator<Item = Remark>) {
        for remark in remarks {
            self.report(&match remark {
                Remark::Notice(text) => Report::Notice(text),
                Remark::Refusal(text) => Report::refusal(text),
                Remark::Alarm(nick, text) => Report::Alarm {
                    sort: Alarm::Identity,
                    nick: Some(nick),
                    text,
                },
            });
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
        let advice = Trust::advice(policy, people)
            .or_else(|| self.trust.first_contact(self.room.is_invite(), people));
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
