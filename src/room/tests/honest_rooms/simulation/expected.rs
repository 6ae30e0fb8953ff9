//! What each member of a simulated room is to be told, and what it was told that it should not have
//! been.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use crate::room::frame::Departure;
use crate::room::session::Event;

use super::Simulation;

/// Something that a member is to be told. Members are numbers here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ExpectedEvent {
    Joined(usize),
    /// Who, why, and whether it signed a goodbye.
    Left(usize, Departure, bool),
    Rekeyed(usize),
    Message {
        from: usize,
        direct: bool,
        text: String,
    },
    LeftOut(usize),
}

/// A message, until the relay has all of it.
pub struct SaidMessage {
    pub text: String,
    /// The members that are to read it, and those that are to see that there is something that they
    /// cannot read.
    pub readers: BTreeSet<usize>,
    pub left_out: BTreeSet<usize>,
    pub direct: bool,
}

/// What a member is to be told, and what it was told.
#[derive(Default)]
pub struct Account {
    /// What the member said, until the relay has all of it.
    pub said: VecDeque<SaidMessage>,
    /// What the member is still to be told.
    pub expected: VecDeque<ExpectedEvent>,
    /// The members that were there before it, from its MEMBER frames.
    pub found: Option<BTreeSet<usize>>,
    /// The members that it sees, each with the epoch since when.
    pub sees: BTreeMap<usize, u64>,
    /// The epoch in which it entered.
    pub entered: u64,
    /// What it was told that it should not have been, and when.
    surprises: Vec<(Duration, String)>,
}

impl Simulation {
    /// Expects all in the room, but for one, to be told something.
    pub fn expect_of_all(&mut self, but: usize, told: &ExpectedEvent) {
        if !self.is_lossless() {
            return;
        }
        for (number, member) in self.members.iter_mut().enumerate() {
            if member.relay_side.is_in_room && number != but {
                member.account.expected.push_back(told.clone());
            }
        }
    }

    pub fn expect_said(&mut self, from: usize, said: &SaidMessage) {
        for (number, member) in self.members.iter_mut().enumerate() {
            if !member.relay_side.is_in_room || number == from {
                continue;
            }
            if said.readers.contains(&number) {
                member.account.expected.push_back(ExpectedEvent::Message {
                    from,
                    direct: said.direct,
                    text: said.text.clone(),
                });
            } else if said.left_out.contains(&number) {
                member
                    .account
                    .expected
                    .push_back(ExpectedEvent::LeftOut(from));
                self.counts.left_out += 1;
            }
        }
    }

    /// Checks an event against what is to come next.
    pub fn told(&mut self, number: usize, event: Event) {
        if matches!(event, Event::Entered(_)) {
            self.members[number].entered_at = Some(self.now);
        }
        if !self.is_lossless() {
            return self.told_roughly(number, event);
        }
        let told = match event {
            // Whom others leave out follows from who has joined meanwhile.
            Event::Taken(_) | Event::LeftOthersOut(..) | Event::Resumed | Event::Called(_) => {
                return;
            }
            Event::RekeyDue => return self.rekey(number),
            Event::Entered(people) => {
                let people: BTreeSet<usize> = people
                    .iter()
                    .map(|person| self.owners[&person.sid])
                    .collect();
                let member = &mut self.members[number];
                member.account.entered = member.session.changes();
                member.account.sees = people
                    .iter()
                    .map(|n| (*n, member.account.entered))
                    .collect();
                if member.account.found.as_ref() != Some(&people) {
                    let what = format!("found {people:?} and not {:?}", member.account.found);
                    self.surprise(number, what);
                }
                return;
            }
            Event::Joined(person) | Event::Back(person) => {
                let who = self.owners[&person.sid];
                let member = &mut self.members[number];
                member.account.sees.insert(who, member.session.changes());
                ExpectedEvent::Joined(who)
            }
            Event::Left {
                nick,
                departure,
                is_signed,
            } => {
                let who = self.number_of(nick.as_str());
                self.members[number].account.sees.remove(&who);
                // A goodbye may arrive although its connection breaks right after it.
                ExpectedEvent::Left(who, departure, is_signed && departure == Departure::Left)
            }
            Event::Rekeyed(nick) => ExpectedEvent::Rekeyed(self.number_of(nick.as_str())),
            Event::Renamed { person, .. } => ExpectedEvent::Rekeyed(self.owners[&person.sid]),
            Event::LeftOut(nick) => ExpectedEvent::LeftOut(self.number_of(nick.as_str())),
            Event::Message {
                from, direct, text, ..
            } => ExpectedEvent::Message {
                from: self.number_of(from.as_str()),
                direct,
                text: text.to_string(),
            },
            alarm => return self.surprise(number, format!("{alarm:?}")),
        };
        self.counts.told += 1;
        let expected = self.members[number].account.expected.pop_front();
        if expected.as_ref() != Some(&told) {
            self.surprise(number, format!("told {told:?} and not {expected:?}"));
            // Where one thing is never told, what follows is no further reason to complain.
            let member = &mut self.members[number];
            if let Some(at) = member
                .account
                .expected
                .iter()
                .position(|other| *other == told)
            {
                member.account.expected.drain(..=at);
            } else if let Some(expected) = expected {
                member.account.expected.push_front(expected);
            }
        }
    }

    /// Checks an event against what may be told to a member that was away, or of one that was.
    pub fn told_roughly(&mut self, number: usize, event: Event) {
        let wrong = match event {
            Event::RekeyDue => return self.rekey(number),
            Event::Message {
                from, direct, text, ..
            } => {
                let from = self.number_of(from.as_str());
                let ledger = &mut self.ledger;
                ledger.record_arrived(from, number, direct, &text.to_string())
            }
            Event::Missing(from, count) => {
                let from = self.number_of(from.as_str());
                self.ledger.record_missing(from, number, count);
                None
            }
            Event::Undelivered(readers, text) | Event::NotTaken { readers, text, .. } => {
                let readers = readers.iter().map(|nick| self.number_of(nick.as_str()));
                let readers = readers.collect();
                self.ledger.record_undelivered(&readers, &text);
                None
            }
            // Its connections break before anything comes of them, and for a while the event is
            // true.
            Event::Quiet(nick, seconds) => {
                let stated = self.members[self.number_of(nick.as_str())]
                    .relay_side
                    .stated;
                let silence = self.now.saturating_sub(stated);
                let is_true = silence >= Duration::from_secs(seconds);
                (!is_true).then(|| format!("{nick} is quiet for {seconds} s, not {silence:?}"))
            }
            Event::Taken(_)
            | Event::LeftOut(_)
            | Event::LeftOthersOut(..)
            | Event::TooLate(_)
            | Event::Resumed
            | Event::Entered(_)
            | Event::Returned { .. }
            | Event::Joined(_)
            | Event::Back(_)
            | Event::Left { .. }
            | Event::Rekeyed(_)
            | Event::Renamed { .. }
            | Event::Called(_) => None,
            alarm => Some(format!("{alarm:?}")),
        };
        if let Some(wrong) = wrong {
            self.surprise(number, wrong);
        }
    }

    pub fn surprise(&mut self, number: usize, what: String) {
        self.members[number]
            .account
            .surprises
            .push((self.now, what));
    }

    fn number_of(&self, nick: &str) -> usize {
        // Every later nick of a member begins with its first one.
        let first = nick.split('.').next();
        let mut nicks = self.members.iter().map(|member| member.nick.as_str());
        nicks
            .position(|nick| Some(nick) == first)
            .expect("a member")
    }

    /// All that members were told that they should not have been.
    pub fn surprises(&self) -> Vec<String> {
        let mut all = Vec::new();
        for (number, member) in self.members.iter().enumerate() {
            all.extend(
                member
                    .account
                    .surprises
                    .iter()
                    .map(|(at, what)| (*at, number, what)),
            );
        }
        all.sort();
        all.into_iter()
            .map(|(at, number, what)| format!("{} ms, to {number}: {what}", at.as_millis()))
            .collect()
    }

    /// The messages that neither arrived nor were reported, of those whose sender and reader are
    /// still there.
    pub fn unaccounted(&self) -> Vec<String> {
        let is_here =
            |number: usize| self.members[number].is_here && !self.members[number].is_leaving;
        self.ledger
            .unaccounted(|from, to| is_here(from) && is_here(to))
    }

    /// What is wrong once nothing is under way any more.
    pub fn unsettled(&self) -> Vec<String> {
        let mut wrong = Vec::new();
        let inside: BTreeSet<usize> = self.inside().into_iter().collect();
        for number in &inside {
            let member = &self.members[*number];
            for told in &member.account.expected {
                wrong.push(format!("{number} was never told {told:?}"));
            }
            for text in member.session.untaken() {
                wrong.push(format!("{number} does not know that {text} was taken"));
            }
            for person in member.session.others() {
                if !person.is_confirmed {
                    wrong.push(format!("{number} has no word of {}", person.nick));
                }
            }
            let others = member.session.others();
            let sees: BTreeSet<usize> = others.iter().map(|p| self.owners[&p.sid]).collect();
            let there: BTreeSet<usize> = inside.iter().copied().filter(|n| n != number).collect();
            if sees != there {
                wrong.push(format!("{number} sees {sees:?} and not {there:?}"));
            }
        }
        wrong
    }
}
