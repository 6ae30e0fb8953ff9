//! What happens in the room, told to the user, and what follows from it.

use std::collections::HashMap;

use crate::room::frame::Departure;
use crate::room::message::{Kind, LeftOutFor};
use crate::room::names::Nick;
use crate::room::session::{Event, Person, Written};

use super::client::Client;
use super::clock::unix_seconds;
use super::next_key::nick_is_taken;
use super::output::alarms::{Incident, Reason};
use super::output::report::{LinkState, Report};
use super::output::speech::{Speech, Who, mentions};
use super::trust::{Remark, end_of};

/// Of more messages than so many that one reason keeps from the same readers, one line tells.
const MANY: usize = 5;

impl Client<'_> {
    /// Tells what happened, and takes note that it was told.
    pub(super) fn tell_events(&mut self, events: Vec<Event>) {
        if events.is_empty() {
            return;
        }
        let parted = who_said_goodbye(&events);
        let mut found = Vec::new();
        for event in events {
            self.note_attendance(&event);
            if let Some(incident) = self.find(&event) {
                if is_failure(&incident, &parted) {
                    self.note_undelivered();
                }
                found.push(incident);
            } else {
                self.tell_event(event);
            }
        }
        self.tell_found(found);
        self.screen.mark(self.session.changes());
        self.here.update(&self.session);
        if self.here.note_returns(&self.session) {
            self.screen.aside("everybody is back");
        }
    }

    /// What an event tells that can be so of several people, or messages, at once.
    fn find(&mut self, event: &Event) -> Option<Incident> {
        Some(match event {
            Event::Quiet(nick, time) => Incident::Quiet {
                nicks: vec![nick.clone()],
                time: *time,
            },
            Event::Unconfirmed {
                receipt,
                reader,
                text,
            } => {
                self.outbox.note_late(*receipt, &mut self.screen);
                Incident::NotConfirmed {
                    receipt: *receipt,
                    id: self.outbox.id(*receipt),
                    readers: vec![reader.clone()],
                    text: text.clone(),
                    messages: 1,
                }
            }
            Event::Undelivered {
                receipt,
                reader,
                text,
                reason,
            } => {
                let id = self.outbox.id(*receipt);
                self.outbox.note_undelivered(*receipt, &mut self.screen);
                Incident::Undelivered {
                    receipt: *receipt,
                    id,
                    readers: vec![reader.clone()],
                    text: text.clone(),
                    reason: self.cause(reader, (*reason).into()),
                    messages: 1,
                }
            }
            _ => return None,
        })
    }

    /// Why something has not reached a reader who is not in the room: whoever has its nick there is
    /// somebody else.
    fn cause(&self, reader: &Nick, reason: Reason) -> Reason {
        match reason {
            Reason::Gone | Reason::NotBack if self.who(reader).is_some() => Reason::NickTaken,
            reason => reason,
        }
    }

    /// Something that was said has not reached a reader. Where nobody sits who could say it again, the exit
    /// status says it.
    fn note_undelivered(&mut self) {
        if !self.screen.has_keyboard() {
            self.exit.note_undelivered();
        }
    }

    /// Tells what waits for those who are not in the room, as the program ends. Returns the receipts of it.
    pub(super) fn tell_waiting(&mut self) -> Vec<u64> {
        let expected = self.session.expected(self.clock.now());
        let mut receipts = Vec::new();
        let mut found = Vec::new();
        for (receipt, readers, text) in self.session.undelivered() {
            receipts.push(receipt);
            let told = readers.into_iter().map(|reader| {
                let is_expected = expected.iter().any(|person| person.nick == reader);
                let reason = if is_expected {
                    Reason::NotBack
                } else {
                    Reason::Gone
                };
                Incident::Undelivered {
                    receipt,
                    id: self.outbox.id(receipt),
                    reason: self.cause(&reader, reason),
                    readers: vec![reader],
                    text: text.to_owned(),
                    messages: 1,
                }
            });
            found.extend(put_together(told));
        }
        self.tell_found(found);
        receipts
    }

    /// Tells what was found in one look: a person has it in as few lines as it fits into; a program has
    /// what is about somebody by itself.
    fn tell_found(&mut self, mut found: Vec<Incident>) {
        if self.screen.is_json() {
            let together = found.extract_if(.., |it| it.nick().is_none());
            let together = put_together(together);
            found.extend(together);
        } else {
            // First by message, and then by reader.
            found = bundle(put_together(put_together(found)));
        }
        for incident in found {
            self.raise(&incident.into());
        }
    }

    fn tell_event(&mut self, event: Event) {
        match event {
            Event::Entered(people) => self.tell_entered(people),
            Event::Joined(person) => self.tell_joined(person),
            Event::Resumed => {
                let text = "connected again".to_owned();
                self.screen.show(&Report::Link(LinkState::Resumed, text));
            }
            Event::Returned { people, out } => self.tell_return(people, out),
            Event::Back(mut person) => {
                let remarks = self.meet([&mut person]);
                // Where the relay has been away, everybody comes back: that is said once.
                self.tell_attendance(&Report::Back {
                    who: (&person).into(),
                    is_expected: self.here.expects_anybody(),
                });
                self.tell_remarks(remarks);
                self.away.expect_newcomers();
            }
            Event::Left {
                nick,
                departure,
                asleep,
            } => {
                if let Some(who) = self.here.find(&nick) {
                    let left = Report::Left(who.clone(), departure, asleep);
                    self.tell_attendance(&left);
                }
            }
            Event::Renamed { former, person } => self.tell_renamed(former, person),
            Event::Called(nick) => {
                let fingerprint = self.session.card().fingerprint();
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
                written,
                unseen,
            } => {
                let text = text.as_str().to_owned();
                self.came_on_waking += usize::from(self.connection.is_woken());
                self.tell_message(&from, direct, kind, text, written, unseen);
            }
            // The outbox asks the session which messages these are.
            Event::Taken(_) => self.outbox.settle(&self.session, &mut self.screen),
            Event::NotTaken {
                receipt,
                readers,
                text,
            } => self.tell_not_taken(receipt, readers, text),
            Event::CaughtUp { out, messages } => {
                let messages = messages + std::mem::take(&mut self.came_on_waking);
                self.raise(&Incident::CaughtUp { out, messages }.into());
            }
            Event::Confirmed { receipt, .. } => {
                self.outbox.note_confirmed(receipt, &mut self.screen);
            }
            Event::RekeyDue => self.next_key.make(&mut self.screen),
            Event::Refused(nick) => self.screen.refuse(None, nick_is_taken(&nick)),
            Event::Contradicted => {
                self.screen
                    .notice("everybody was shown something else: entering the room anew");
                self.enter_anew();
            }
            Event::Dead => self.connection.give_up(),
            Event::LeftOut(nick, LeftOutFor::OtherIdentity) => self.tell_taken_for_another(nick),
            event => {
                let incident = self.tell_late(event).and_then(Incident::of);
                let report = incident.map(Report::from);
                if let Some(report) = report.filter(|report| self.judge(report)) {
                    self.raise(&report);
                }
            }
        }
    }

    /// Somebody has left this member out, and knows another identity under its nick.
    fn tell_taken_for_another(&mut self, nick: Nick) {
        let own = self.session.card();
        let incident = Incident::TakenForAnother {
            nick,
            own: own.nick().clone(),
            end: end_of(own.fingerprint()),
        };
        self.raise(&incident.into());
    }

    /// Enters the room anew, over another connection.
    pub(super) fn enter_anew(&mut self) {
        self.session.enter_anew();
        self.connection.redial();
    }

    fn tell_message(
        &mut self,
        from: &Nick,
        is_direct: bool,
        kind: Kind,
        text: String,
        written: Option<Written>,
        unseen: usize,
    ) {
        let Some(who) = self.who(from) else {
            return;
        };
        if self.filter.is_ignored(who.fingerprint) {
            return;
        }
        if is_direct {
            self.reply_to.note(who.fingerprint, self.session.changes());
        }
        let own = self.session.card().nick();
        self.screen.show(&Report::Said(Speech {
            who,
            own: None,
            to: is_direct.then(|| own.clone()),
            kind,
            mentions: mentions(&text, own),
            text,
            written,
            unseen,
        }));
    }

    fn tell_not_taken(&mut self, receipt: u64, readers: Vec<Nick>, text: String) {
        let id = self.outbox.id(receipt);
        self.outbox.give_up(receipt, &mut self.screen);
        if readers.is_empty() {
            return;
        }
        self.note_undelivered();
        let incident = Incident::Undelivered {
            receipt,
            id,
            readers,
            text,
            reason: Reason::NotTaken,
            messages: 1,
        };
        self.raise(&incident.into());
    }

    fn tell_renamed(&mut self, former: Nick, mut person: Person) {
        let (session, now) = (&mut self.session, unix_seconds());
        let remarks = self.trust.meet(session, &mut person, now);
        let who = Who::from(&person);
        self.filter.follow_rename(who.fingerprint, &who.nick);
        self.screen.show(&Report::Renamed(former, who));
        self.tell_remarks(remarks);
    }

    /// Tells something that others can cause as often as they like, unless the same was told just now,
    /// or the user ignores whoever it comes from. Returns whether it was told.
    pub(super) fn raise(&mut self, report: &Report) -> bool {
        let about = report.about().and_then(|nick| {
            // Whoever has left is not in the room any more, but was told to be here.
            let here = self.here.find(nick).cloned();
            here.or_else(|| self.who(nick))
        });
        let about = about.map(|who| who.fingerprint);
        self.filter.raise(report, about, &mut self.screen)
    }

    /// Tells what was held back for long enough, or all of it.
    pub(super) fn tell_held_back(&mut self, all: bool) {
        let is_here = |who: &Who| self.here.is_here(who.fingerprint);
        self.filter.release(all, is_here, &mut self.screen);
    }

    /// Tells what is odd about those who come, or are called something else.
    pub(super) fn tell_remarks(&mut self, remarks: impl IntoIterator<Item = Remark>) {
        for remark in remarks {
            self.raise(&remark.into());
        }
    }

    /// Who has this nick at present.
    pub(super) fn who(&self, nick: &Nick) -> Option<Who> {
        self.session.person(nick).as_ref().map(Who::from)
    }
}

/// Has one incident tell what several do, where one line can.
fn put_together(found: impl IntoIterator<Item = Incident>) -> Vec<Incident> {
    let mut together: Vec<Incident> = Vec::new();
    for incident in found {
        // What belongs together mostly comes together.
        let mut before = together.iter_mut().rev();
        if !before.any(|before| before.take_in(&incident)) {
            together.push(incident);
        }
    }
    together
}

/// Has one line tell of many messages that one reason keeps from the same readers.
fn bundle(found: Vec<Incident>) -> Vec<Incident> {
    let mut numbers: HashMap<_, usize> = HashMap::new();
    for key in found.iter().filter_map(Incident::undelivered_to) {
        *numbers.entry(key).or_default() += 1;
    }
    let is_one_of_many = |it: &Incident| {
        let number = it.undelivered_to().and_then(|key| numbers.get(&key));
        number.is_some_and(|number| *number > MANY)
    };
    let (many, mut told): (Vec<_>, Vec<_>) = found.into_iter().partition(is_one_of_many);
    let single = told.len();
    for incident in many {
        let mut before = told.iter_mut().skip(single);
        if !before.any(|before| before.add_message(&incident)) {
            told.push(incident);
        }
    }
    told
}

/// Who has signed a goodbye, of these events.
fn who_said_goodbye(events: &[Event]) -> Vec<Nick> {
    let parted = events.iter().filter_map(|event| match event {
        Event::Left {
            nick,
            departure: Departure::Left,
            ..
        } => Some(nick.clone()),
        _ => None,
    });
    parted.collect()
}

/// Whether something has not reached a reader, other than one of these, who have signed a goodbye.
fn is_failure(incident: &Incident, parted: &[Nick]) -> bool {
    match incident {
        Incident::Undelivered {
            readers,
            reason: Reason::Gone,
            ..
        } => !readers.iter().all(|reader| parted.contains(reader)),
        Incident::Undelivered { .. } => true,
        _ => false,
    }
}

impl From<Remark> for Report {
    fn from(remark: Remark) -> Self {
        match remark {
            Remark::Notice(text) => Self::Notice(text),
            Remark::Mistake(text) => Self::Refusal {
                id: None,
                text,
                is_mistake: true,
            },
            Remark::Failure(text) => Self::Refusal {
                id: None,
                text,
                is_mistake: false,
            },
            Remark::Alarm(nick, text) => Incident::Identity { nick, text }.into(),
            Remark::Namesake(nick, text) => Incident::Namesake { nick, text }.into(),
            Remark::CodesDiffer(text) => Incident::CodesDiffer { text }.into(),
        }
    }
}
