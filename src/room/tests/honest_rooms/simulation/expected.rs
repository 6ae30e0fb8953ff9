//! What a member is to be told of each frame that it gets, as what was done in the room has it; and
//! what it may be told besides.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::Duration;

use crate::room::card::Card;
use crate::room::chain::EntryKind;
use crate::room::frame::{Departure, Signed, ToClient, parse_left};
use crate::room::message::{Header, LeftOutFor, Stream};
use crate::room::names::Nick;
use crate::room::session::{Event, Person, Undelivered};
use crate::room::statement::Statement;
use crate::room::tests::honest_rooms::ledger::Told;

use super::{SAMPLE, Simulation, lobby};

/// The longest time between two beacons of a member.
pub const PERIOD: Duration = Duration::from_mins(1);

/// How long a member that has vanished may be in the room.
const KEPT_FOR: Duration = Duration::from_mins(3);

/// How long a message waits for a reader who is not there.
const HELD: Duration = Duration::from_mins(5);

/// How much longer than that what a sample shows may be out of date.
const SLACK: Duration = Duration::from_secs(30);

/// Who is on a member's screen.
#[derive(Default)]
pub struct View {
    /// By nick, with the change of the roster since when.
    pub people: BTreeMap<String, (usize, u64)>,
    /// The change with which this member entered.
    pub entered: u64,
    /// How long this member's program has been running with its connection up.
    active: Duration,
    /// How long it had when each of the others was last seen to do so too.
    saw: HashMap<usize, Duration>,
    /// How long it had whenever one who was on its screen was seen not to.
    missed: HashMap<usize, Vec<Duration>>,
}

impl View {
    /// Whether somebody was away, of late, so long that nothing of it need have come.
    fn was_away(&self, who: usize) -> bool {
        let of_late = self.active.saturating_sub(5 * PERIOD);
        let missed = self.missed.get(&who).into_iter().flatten();
        missed.filter(|at| **at > of_late).count() > 4
    }
}

/// What a frame tells. Members are numbers here, and messages are their places in the ledger.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Expected {
    Joined(usize),
    Left(usize, Departure),
    Rekeyed(usize),
    Message(usize),
    LeftOut(usize),
    /// What was to be shown, and for which there is no key any more.
    TooLate(usize),
}

impl Simulation {
    /// What a member is to be told of a frame, once it has the roster.
    pub fn expected(&self, number: usize, frame: &[u8]) -> Option<Expected> {
        if !self.members[number].session.is_inside() {
            return None;
        }
        let (signed, is_entry, has_part) = match ToClient::parse(frame).expect("an honest relay") {
            ToClient::Entry {
                kind,
                entry,
                ciphertext,
            } => {
                let owner = |card| {
                    let card = Card::parse(card, lobby().id()).expect("an honest relay");
                    self.owners.of(card.sid())
                };
                match kind {
                    EntryKind::Joined => return Some(Expected::Joined(owner(entry))),
                    EntryKind::Rekeyed => return Some(Expected::Rekeyed(owner(entry))),
                    EntryKind::Left => {
                        let (sid, why) = parse_left(entry).expect("an honest relay");
                        return Some(Expected::Left(self.owners.of(sid), why));
                    }
                    EntryKind::Goodbye => {
                        let signed = Signed::parse(entry).expect("an honest relay");
                        let goodbye = Statement::parse(signed.bytes).expect("an honest client");
                        let who = self.owners.of(goodbye.sender);
                        return Some(Expected::Left(who, Departure::Left));
                    }
                    EntryKind::Message => {}
                    EntryKind::Statement | EntryKind::Unknown(_) => return None,
                }
                let signed = Signed::parse(entry).expect("an honest relay");
                (signed, true, !ciphertext.is_empty())
            }
            ToClient::Deliver(signed, ciphertext) => (signed, false, !ciphertext.is_empty()),
            _ => return None,
        };
        let header = Header::parse(signed.bytes).expect("an honest client");
        let to = match header.stream {
            Stream::Room => None,
            Stream::Direct(sid) => Some(self.owners.of(sid)),
        };
        let place = self
            .ledger
            .find(self.owners.of(header.sender), to, header.number);
        let message = &self.ledger.messages[place];
        assert!(is_entry || has_part, "{:?} without a part", message.text);
        if message.left_out.get(&number) == Some(&false) {
            return Some(Expected::LeftOut(place));
        }
        let is_news = message
            .fates
            .get(&number)
            .is_some_and(|fate| !fate.has_arrived);
        if is_news && has_part {
            return Some(Expected::Message(place));
        }
        is_news.then_some(Expected::TooLate(place))
    }

    /// Checks what a member was told of a frame.
    pub fn told_by_frame(
        &mut self,
        number: usize,
        expected: Option<&Expected>,
        events: Vec<Event>,
    ) {
        let mut told = Vec::new();
        let enters = |event: &Event| matches!(event, Event::Entered(_) | Event::Returned { .. });
        let is_entering = events.iter().any(enters);
        for event in events {
            if let Event::Renamed { person, .. } = &event {
                let who = self.owners.of(person.sid);
                self.ledger
                    .record_renamed(number, who, person.nick.as_str());
            }
            match event {
                // Whoever is there is told with this one's entering.
                Event::Renamed { .. } if is_entering => {}
                event => told.extend(self.told(number, expected, event)),
            }
        }
        let is_lossless = self.troubles.are_lossless();
        let is_right = match (told.as_slice(), expected) {
            ([], None) => true,
            // It was encrypted to a key before the present one, by somebody who was away.
            ([], Some(Expected::TooLate(_))) => !is_lossless,
            ([Expected::TooLate(told)], Some(Expected::Message(place))) => {
                !is_lossless && told == place
            }
            ([told], Some(expected)) => told == expected,
            _ => false,
        };
        self.counts.told += told.len();
        if !is_right {
            self.surprise(number, &format!("told {told:?} and not {expected:?}"));
        }
        match told.first() {
            Some(Expected::Message(place)) => {
                let fate = self.ledger.messages[*place].fates.get_mut(&number);
                fate.expect("a reader").has_arrived = true;
            }
            Some(Expected::LeftOut(place)) => {
                self.counts.left_out += 1;
                let left_out = &mut self.ledger.messages[*place].left_out;
                left_out.insert(number, true);
            }
            Some(Expected::TooLate(_)) => self.counts.too_late += 1,
            _ => {}
        }
    }

    /// Takes note of an event. Returns what it tells, if it is of those that frames tell.
    fn told(
        &mut self,
        number: usize,
        expected: Option<&Expected>,
        event: Event,
    ) -> Option<Expected> {
        let view = &mut self.members[number].view;
        let who = |nick: &Nick| view.people.get(nick.as_str()).map(|(who, _)| *who);
        // Nobody has been told yet of which message that is.
        let place = match expected {
            Some(
                Expected::Message(place) | Expected::LeftOut(place) | Expected::TooLate(place),
            ) => Some(*place),
            _ => None,
        };
        let of = |nick: &Nick| place.filter(|p| Some(self.ledger.messages[*p].from) == who(nick));
        match event {
            Event::Joined(person) | Event::Back(person) => {
                let who = self.owners.of(person.sid);
                let changes = self.members[number].session.changes();
                let view = &mut self.members[number].view;
                view.people.insert(person.nick.to_string(), (who, changes));
                Some(Expected::Joined(who))
            }
            Event::Left { nick, departure } => {
                let (who, _) = view.people.remove(nick.as_str())?;
                Some(Expected::Left(who, departure))
            }
            Event::Rekeyed(nick) => who(&nick).map(Expected::Rekeyed),
            Event::Renamed { former, person } => {
                let changed = self.owners.of(person.sid);
                // Whoever comes back may have had another nick before.
                if who(&former) != Some(changed) {
                    return None;
                }
                let (_, since) = view.people.remove(former.as_str())?;
                view.people
                    .insert(person.nick.to_string(), (changed, since));
                Some(Expected::Rekeyed(changed))
            }
            Event::Message {
                from,
                direct,
                text,
                written,
                ..
            } => {
                self.counts.late += usize::from(written.is_some());
                let message = &self.ledger.messages[of(&from)?];
                let is_it = message.to.is_some() == direct
                    && message.text == text.to_string()
                    && (written.is_none() || !self.troubles.are_lossless());
                place.filter(|_| is_it).map(Expected::Message)
            }
            Event::LeftOut(from, LeftOutFor::Coming) => of(&from).map(Expected::LeftOut),
            Event::TooLate(from) => of(&from).map(Expected::TooLate),
            other => {
                self.told_besides(number, other);
                None
            }
        }
    }

    /// Checks an event that is no frame's own.
    pub fn told_besides(&mut self, number: usize, event: Event) {
        let is_lossless = self.troubles.are_lossless();
        let told = |room: &mut Self, receipt, reader: &Nick, told| {
            room.ledger
                .record_told(number, receipt, reader.as_str(), told)
        };
        let checked = match event {
            Event::RekeyDue => {
                self.rekey(number);
                Ok(())
            }
            // Whom others leave out follows from who has joined meanwhile.
            Event::Taken(_) | Event::LeftOthersOut(..) | Event::Resumed => Ok(()),
            Event::Called(nick) if nick == *self.members[number].session.card().nick() => Ok(()),
            Event::Entered(people) => self.has_found(number, &people, &[]),
            Event::Returned { people, absent } => self.has_found(number, &people, &absent),
            Event::Confirmed { receipt, reader } => {
                told(self, receipt, &reader, Told::Confirmed).map(drop)
            }
            Event::Unconfirmed {
                receipt, reader, ..
            } if !is_lossless => {
                self.counts.unconfirmed += 1;
                let found = told(self, receipt, &reader, Told::Unconfirmed);
                found.and_then(|(_, reader)| self.was_away(number, reader))
            }
            Event::Undelivered {
                receipt,
                reader,
                reason,
                ..
            } => {
                self.counts.given_up += 1;
                let found = told(self, receipt, &reader, Told::GivenUp);
                found.and_then(|(place, reader)| self.is_lost(place, reader, reason))
            }
            Event::NotTaken {
                receipt, readers, ..
            } if !is_lossless => {
                self.counts.given_up += 1;
                for reader in readers {
                    // Those who have left meanwhile were told of then.
                    if let Ok((place, reader)) = told(self, receipt, &reader, Told::GivenUp)
                        && let Err(wrong) = self.is_lost(place, reader, Undelivered::GivenUp)
                    {
                        self.surprise(number, &wrong);
                    }
                }
                Ok(())
            }
            Event::Missing(from, count) if !is_lossless => {
                self.counts.missing += 1;
                let (from, _) = self.members[number].view.people[from.as_str()];
                self.ledger.record_missing(from, number, count);
                Ok(())
            }
            Event::Quiet(nick, _) if !is_lossless => {
                self.counts.quiet += 1;
                let (who, _) = self.members[number].view.people[nick.as_str()];
                self.was_away(number, who)
            }
            Event::Refused(_) if self.troubles.collisions => {
                self.counts.refused += 1;
                Ok(())
            }
            Event::Dead if !is_lossless => {
                self.hang_up(number);
                Ok(())
            }
            alarm => Err(format!("{alarm:?}")),
        };
        if let Err(wrong) = checked {
            self.surprise(number, &wrong);
        }
    }

    /// Checks that somebody was not there, of late, so long that nothing of it need have come.
    fn was_away(&self, number: usize, who: usize) -> Result<(), String> {
        let was_away = self.members[number].view.was_away(who);
        was_away
            .then_some(())
            .ok_or_else(|| format!("{who} was there"))
    }

    /// Checks that a message has not reached somebody, and cannot.
    fn is_lost(&self, place: usize, reader: usize, reason: Undelivered) -> Result<(), String> {
        let message = &self.ledger.messages[place];
        let fate = &message.fates[&reader];
        let is_old = |who, generation| self.owners.latest(who) >= generation + 2;
        let is_right = match reason {
            Undelivered::Unopened => !fate.has_arrived && !self.troubles.are_lossless(),
            Undelivered::Gone => !self.members[reader].is_staying() || self.now > message.at + HELD,
            Undelivered::GivenUp => {
                is_old(message.from, message.generation) || is_old(reader, fate.generation)
            }
        };
        is_right
            .then_some(())
            .ok_or_else(|| format!("{:?} is given up for {reader}: {reason:?}", message.text))
    }

    /// A member has entered, and found these.
    fn has_found(
        &mut self,
        number: usize,
        people: &[Person],
        absent: &[Nick],
    ) -> Result<(), String> {
        let member = &mut self.members[number];
        member.has_entered = true;
        let changes = member.session.changes();
        let found = people.iter().map(|person| self.owners.of(person.sid));
        let found: BTreeSet<usize> = found.collect();
        let view = &mut member.view;
        let before = std::mem::take(&mut view.people);
        let since: HashMap<usize, u64> = before.values().copied().collect();
        view.entered = changes;
        for person in people {
            let who = self.owners.of(person.sid);
            let since = since.get(&who).copied().unwrap_or(changes);
            view.people.insert(person.nick.to_string(), (who, since));
        }
        let gone = before.iter().filter(|(_, (who, _))| !found.contains(who));
        let gone: BTreeSet<&str> = gone.map(|(nick, _)| nick.as_str()).collect();
        let absent: BTreeSet<&str> = absent.iter().map(Nick::as_str).collect();
        if found != member.relay_side.found || gone != absent {
            let there = &member.relay_side.found;
            return Err(format!(
                "found {found:?} and not {there:?}, {absent:?} and not {gone:?}"
            ));
        }
        Ok(())
    }

    pub fn surprise(&mut self, number: usize, what: &str) {
        let at = self.now.as_millis();
        self.surprises.push(format!("{at} ms, to {number}: {what}"));
    }

    /// Looks whom each member shows as present.
    pub fn check_presence(&mut self) {
        let there = self.numbers(|member| member.is_here && member.is_connected());
        let mut wrong = Vec::new();
        let lately = self.numbers(|member| member.has_received);
        for member in self.members.iter_mut().filter(|member| member.is_here) {
            (member.seen, member.has_received) = (self.now, false);
        }
        for number in &there {
            let member = &mut self.members[*number];
            let view = &mut member.view;
            view.active += SAMPLE;
            for who in lately.iter().chain(&there).filter(|who| *who != number) {
                view.saw.insert(*who, view.active);
            }
            let on_screen = view.people.values().map(|(who, _)| *who);
            for who in on_screen.filter(|who| !there.contains(who)) {
                view.saw.entry(who).or_insert(view.active);
                view.missed.entry(who).or_default().push(view.active);
            }
            for person in member
                .session
                .others()
                .iter()
                .filter(|person| person.is_present)
            {
                let who = self.owners.of(person.sid);
                let saw = view.saw.get(&who).copied().unwrap_or_default();
                let since = view.active.saturating_sub(saw);
                if since > 3 * PERIOD + SLACK {
                    wrong.push((
                        *number,
                        format!("{who} is shown as present, {since:?} after"),
                    ));
                }
            }
        }
        for (number, wrong) in wrong {
            self.surprise(number, &wrong);
        }
    }

    /// What the authors who are there were not told of their messages.
    pub fn unaccounted(&self, inside: &BTreeSet<usize>) -> Vec<String> {
        let is_lossless = self.troubles.are_lossless();
        let mut wrong = Vec::new();
        for message in self
            .ledger
            .messages
            .iter()
            .filter(|m| inside.contains(&m.from))
        {
            for (reader, fate) in &message.fates {
                let is_staying = self.members[*reader].is_staying();
                let is_right = match fate.told {
                    Told::Confirmed => true,
                    Told::GivenUp => !is_lossless || !is_staying,
                    Told::Nothing | Told::Unconfirmed => {
                        let since = self.members[*reader].seen.max(message.at);
                        !is_staying && since + KEPT_FOR + HELD > self.now
                    }
                };
                if !is_right {
                    let (text, told) = (&message.text, fate.told);
                    wrong.push(format!("{text:?} is {told:?} for {reader}"));
                }
            }
        }
        wrong
    }
}
