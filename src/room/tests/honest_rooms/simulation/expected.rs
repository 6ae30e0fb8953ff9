//! What a member is to be told of each frame that it gets, as what was done in the room has it; and
//! what it may be told besides.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::Duration;

use crate::room::card::Card;
use crate::room::chain::EntryKind;
use crate::room::frame::{Departure, Signed, ToClient, parse_left};
use crate::room::message::{Header, LeftOutFor, Stream};
use crate::room::names::Nick;
use crate::room::session::{Event, Handed, Person, Undelivered};
use crate::room::statement::Statement;
use crate::room::tests::honest_rooms::ledger::{Fate, SaidMessage, Told};

use super::members::is_same_person;
use super::relay::GRACE;
use super::{SAMPLE, STEP, Simulation, lobby};

/// The longest time between two beacons of a member.
pub const PERIOD: Duration = Duration::from_mins(1);

/// How long a member that has vanished may be in the room.
const KEPT_FOR: Duration = Duration::from_mins(3);

/// How long a message waits for a reader who is not there, and how often it is looked at that.
const HELD: Duration = Duration::from_mins(5);
const LOOK: Duration = Duration::from_secs(2);

/// How long a session key outlives the next one's being its owner's in the room, and how long the
/// announcement of the next one at most.
pub const REMAINS: Duration = Duration::from_mins(1);
const REMAINS_AT_MOST: Duration = Duration::from_mins(10);

/// How much longer than that what a sample shows may be out of date.
const SLACK: Duration = Duration::from_secs(30);

/// By how much the simulation may be late with what is due.
const SLIP: Duration = STEP.saturating_mul(2);

/// Who is on a member's screen.
#[derive(Default)]
pub struct View {
    /// By nick, with the change of the roster since when.
    pub people: BTreeMap<String, (usize, u64)>,
    /// The change with which this member entered.
    pub entered: u64,
    /// In which run of the relay that was, and in which this member first saw each of the others.
    pub run: u8,
    met: HashMap<usize, u8>,
    /// Those who were on it, and are not.
    gone: BTreeMap<usize, Gone>,
    /// How many session keys each of the others has had, as this member knows.
    pub generations: HashMap<usize, u32>,
    /// How long this member's program has been running with its connection up.
    pub active: Duration,
    /// How long it had when each of the others came, or this member did.
    came: HashMap<usize, Duration>,
    /// Who has no connection, as this member was told.
    asleep: BTreeSet<usize>,
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

/// Somebody who was on a member's screen, and is not.
struct Gone {
    nick: String,
    /// With which change of the roster it came.
    came: u64,
    /// When it went, or this member entered without finding it.
    since: Duration,
    why: Why,
}

/// Why somebody is not on a member's screen.
#[derive(PartialEq, Eq)]
enum Why {
    /// It said goodbye.
    Goodbye,
    /// The relay took it out, and it may come back.
    Lost,
    /// It was not there when this member entered anew, and nobody said that it went: it is expected back.
    Missing,
}

impl Gone {
    /// When the author of a message gives up waiting for it.
    fn gives_up(&self, message: &SaidMessage) -> Duration {
        if self.why == Why::Goodbye {
            self.since.max(message.at)
        } else {
            self.since.max(message.at) + HELD
        }
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
                    EntryKind::Statement
                    | EntryKind::Asleep
                    | EntryKind::Awake
                    | EntryKind::Unknown(_) => return None,
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
            .find(self.owners.of(header.sender), to, header.number)?;
        let message = &self.ledger.messages[place];
        assert!(is_entry || has_part, "{:?} without a part", message.text);
        // Or it has come since that was written.
        let mut named = header.left_out.iter();
        let is_newcomer = named.any(|(sid, _)| self.owners.of(*sid) == number);
        match message.left_out.get(&number) {
            Some(false) => return Some(Expected::LeftOut(place)),
            None if is_newcomer => return Some(Expected::LeftOut(place)),
            Some(true) | None => {}
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
            // It was encrypted to a key before the present one, by somebody who was away or slow.
            ([], Some(Expected::TooLate(place))) => {
                !is_lossless && self.is_too_late(*place, number)
            }
            ([Expected::TooLate(told)], Some(Expected::Message(place))) => {
                !is_lossless && told == place && self.is_too_late(*place, number)
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
                view.gone.remove(&who);
                view.met.entry(who).or_insert(view.run);
                view.came.insert(who, view.active);
                view.asleep.remove(&who);
                let generation = self.owners.generation(person.sid);
                view.generations.insert(who, generation);
                Some(Expected::Joined(who))
            }
            Event::Left {
                nick, departure, ..
            } => {
                let (who, came) = view.people.remove(nick.as_str())?;
                let why = if departure == Departure::Left {
                    Why::Goodbye
                } else {
                    Why::Lost
                };
                let gone = Gone {
                    nick: nick.to_string(),
                    came,
                    since: self.now,
                    why,
                };
                view.gone.insert(who, gone);
                Some(Expected::Left(who, departure))
            }
            Event::Rekeyed(nick) => {
                let who = who(&nick)?;
                let member = &mut self.members[number];
                let person = member.session.person(&nick)?;
                let generation = self.owners.generation(person.sid);
                member.view.generations.insert(who, generation);
                Some(Expected::Rekeyed(who))
            }
            Event::Renamed { former, person } => {
                let changed = self.owners.of(person.sid);
                let generation = self.owners.generation(person.sid);
                view.generations.insert(changed, generation);
                // Whoever comes back may have had another nick before.
                let was = view.people.get(former.as_str()).map(|(who, _)| *who);
                if was != Some(changed) {
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
        let checked = match event {
            Event::RekeyDue => {
                self.rekey(number);
                Ok(())
            }
            // Whom others leave out follows from who has joined meanwhile.
            Event::Taken(_)
            | Event::LeftOthersOut(..)
            | Event::Resumed
            | Event::Shares { .. }
            | Event::ShareGoesOn { .. }
            | Event::ShareDone { .. } => Ok(()),
            Event::ShareOver {
                by,
                refused: 0,
                missing,
                ..
            } => self.has_handed(number, &by, missing),
            // Who is without a connection for a minute is told to the others.
            Event::CaughtUp { out, .. } if out >= GRACE => Ok(()),
            Event::Asleep(nick, _) => self.falls_asleep(number, &nick),
            Event::StillAsleep(nick) => self.sleeps(number, &nick).map(drop),
            Event::Awake(nick) => self.wakes(number, &nick),
            Event::HandedOn(handed) => self.expect_handed(number, &handed),
            Event::Meanwhile(..) if !is_lossless => Ok(()),
            Event::Called(nick) if nick == *self.members[number].session.card().nick() => Ok(()),
            Event::Entered(people) | Event::Returned { people, .. } => {
                self.expect_found(number, &people)
            }
            Event::Confirmed {
                receipt, reader, ..
            } => {
                let has_it = |room: &Self, place, reader| room.has_it(place, reader);
                self.told_of((number, receipt), &reader, Told::Confirmed, has_it)
            }
            Event::Unconfirmed {
                receipt, reader, ..
            } if !is_lossless => {
                self.counts.unconfirmed += 1;
                let was_away = |room: &Self, _, reader| room.was_away(number, reader);
                self.told_of((number, receipt), &reader, Told::Unconfirmed, was_away)
            }
            Event::Undelivered {
                receipt,
                reader,
                reason,
                ..
            } => {
                self.counts.given_up += 1;
                let is_lost = |room: &Self, place, reader| room.is_lost(place, reader, reason);
                self.told_of((number, receipt), &reader, Told::GivenUp, is_lost)
            }
            Event::NotTaken {
                receipt, readers, ..
            } if !is_lossless => {
                self.counts.given_up += 1;
                for reader in readers {
                    // Those who have left meanwhile were told of then.
                    let (place, called) = self.ledger.called(number, receipt, reader.as_str());
                    if self
                        .ledger
                        .record_told(place, called[0], Told::GivenUp)
                        .is_ok()
                        && let Err(wrong) = self.is_lost(place, called[0], Undelivered::KeyChanged)
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
                let member = &mut self.members[number];
                let present = member.session.card().generation();
                member
                    .announced
                    .retain(|generation, _| *generation <= present);
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

    /// An author is told what became of a message at a reader: of two whom it calls alike, it is the one of
    /// whom that can be so.
    fn told_of(
        &mut self,
        (author, receipt): (usize, u64),
        nick: &Nick,
        told: Told,
        check: impl Fn(&Self, usize, usize) -> Result<(), String>,
    ) -> Result<(), String> {
        let (place, called) = self.ledger.called(author, receipt, nick.as_str());
        let mut can_be = called
            .iter()
            .filter(|who| check(self, place, **who).is_ok());
        let reader = *can_be.next().unwrap_or(&called[0]);
        let checked = check(self, place, reader);
        self.ledger.record_told(place, reader, told).and(checked)
    }

    /// Checks that something was said that is handed on to somebody, to whom it is news and whom it does
    /// not leave out.
    fn expect_handed(&mut self, number: usize, handed: &Handed) -> Result<(), String> {
        let place = self.ledger.find_text(handed.text.as_str());
        let place = place.ok_or_else(|| format!("nobody said {handed:?}"))?;
        let message = &self.ledger.messages[place];
        let at = u64::try_from(message.at.as_millis()).unwrap();
        let has_it = message
            .fates
            .get(&number)
            .is_some_and(|fate| fate.has_arrived);
        let is_news = !has_it && self.handed.insert((number, place));
        let is_right = handed.time == self.members[message.from].skew + at
            && message.from != number
            && !message.left_out.contains_key(&number);
        self.counts.handed += 1;
        (is_right && is_news)
            .then_some(())
            .ok_or_else(|| format!("{handed:?}"))
    }

    /// Checks that somebody has handed on all that it announced, or leaves before that.
    fn has_handed(&self, number: usize, by: &Nick, missing: u32) -> Result<(), String> {
        let (who, _) = self.members[number].view.people[by.as_str()];
        let is_right = missing == 0 || self.members[who].is_leaving;
        is_right
            .then_some(())
            .ok_or_else(|| format!("{missing} messages that {by} announced are missing"))
    }

    /// Checks that somebody has a message that it is said to have.
    fn has_it(&self, place: usize, reader: usize) -> Result<(), String> {
        let message = &self.ledger.messages[place];
        let has_it = message.fates[&reader].has_arrived;
        has_it
            .then_some(())
            .ok_or_else(|| format!("{:?} is confirmed, and {reader} never had it", message.text))
    }

    /// Checks that it is news that somebody has no connection.
    fn falls_asleep(&mut self, number: usize, nick: &Nick) -> Result<(), String> {
        let view = &mut self.members[number].view;
        let who = view.people.get(nick.as_str()).map(|(who, _)| *who);
        let who = who.ok_or_else(|| format!("{nick} sleeps, and is nobody"))?;
        let is_news = view.asleep.insert(who);
        is_news
            .then_some(())
            .ok_or_else(|| format!("{nick} sleeps already"))
    }

    /// Checks that this member was told that somebody has no connection. Returns who that is.
    fn sleeps(&self, number: usize, nick: &Nick) -> Result<usize, String> {
        let view = &self.members[number].view;
        let who = view.people.get(nick.as_str()).map(|(who, _)| *who);
        who.filter(|who| view.asleep.contains(who))
            .ok_or_else(|| format!("{nick} does not sleep"))
    }

    fn wakes(&mut self, number: usize, nick: &Nick) -> Result<(), String> {
        let who = self.sleeps(number, nick)?;
        let view = &mut self.members[number].view;
        view.asleep.remove(&who);
        view.came.insert(who, view.active);
        Ok(())
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
            Undelivered::Unopened => {
                !fate.has_arrived
                    && !self.troubles.are_lossless()
                    && self.is_too_late(place, reader)
            }
            Undelivered::Gone => {
                let gone = self.members[message.from].view.gone.get(&reader);
                gone.is_some_and(|gone| gone.gives_up(message) <= self.now)
            }
            Undelivered::CameAnew => {
                let author = &self.members[message.from];
                let gone = author.view.gone.get(&reader);
                let mut there = author.session.others().into_iter();
                gone.is_some_and(|gone| {
                    there.any(|person| {
                        let who = self.owners.of(person.sid);
                        person.nick.as_str() == gone.nick && is_same_person(who, reader)
                    })
                })
            }
            Undelivered::KeyChanged => {
                is_old(message.from, message.generation) || is_old(reader, fate.generation)
            }
            // No room is so busy, and none lasts for so long.
            Undelivered::TooMuch | Undelivered::TooLong | Undelivered::StaleKey => false,
        };
        is_right
            .then_some(())
            .ok_or_else(|| format!("{:?} is given up for {reader}: {reason:?}", message.text))
    }

    /// Whether the key is gone that a message was encrypted to for somebody, or may be: no other than
    /// those who wrote to it when its owner had had the next one for a while lose anything by that. Or
    /// nothing that its reader has seen shows that it can be for that.
    fn is_too_late(&self, place: usize, reader: usize) -> bool {
        let message = &self.ledger.messages[place];
        let generation = message.fates[&reader].generation + 1;
        let reader = &self.members[reader];
        let met = reader.view.met.get(&message.from);
        if !reader.runs.contains(&message.run) && met.is_none_or(|met| *met > message.run) {
            return true;
        }
        let is_over = |since: &BTreeMap<u32, Duration>, remains| {
            let mut later = since.range(generation..).map(|(_, since)| *since);
            later.any(|since| since + remains <= self.now)
        };
        is_over(&reader.keys_since, REMAINS) || is_over(&reader.announced, REMAINS_AT_MOST)
    }

    /// Whom a member expects back, of those whom it saw with this change of the roster: by nick.
    pub fn expected_back(&self, number: usize, shown: u64) -> Vec<(String, usize)> {
        let view = &self.members[number].view;
        let is_expected = |gone: &Gone| {
            let is_missing = gone.why == Why::Missing && self.now < gone.since + HELD;
            is_missing && gone.came <= shown
        };
        // Whoever has come as somebody else is not.
        let is_there = |who: usize| {
            let mut there = view.people.values();
            there.any(|(other, _)| is_same_person(*other, who))
        };
        let gone = view.gone.iter();
        let expected = gone.filter(|(who, gone)| is_expected(gone) && !is_there(**who));
        expected
            .map(|(who, gone)| (gone.nick.clone(), *who))
            .collect()
    }

    /// A member has entered, and found these. It expects all others back whom it saw before.
    fn expect_found(&mut self, number: usize, people: &[Person]) -> Result<(), String> {
        let member = &mut self.members[number];
        member.has_entered = true;
        let changes = member.session.changes();
        let found = people.iter().map(|person| self.owners.of(person.sid));
        let found: BTreeSet<usize> = found.collect();
        let view = &mut member.view;
        view.run = *member.runs.last().expect("it was let in");
        for person in people {
            let who = self.owners.of(person.sid);
            view.met.entry(who).or_insert(view.run);
            view.generations
                .insert(who, self.owners.generation(person.sid));
            view.came.insert(who, view.active);
            view.gone.remove(&who);
            if person.asleep.is_some() {
                view.asleep.insert(who);
            } else {
                view.asleep.remove(&who);
            }
        }
        let before = std::mem::take(&mut view.people);
        let since: HashMap<usize, u64> = before.values().copied().collect();
        view.entered = changes;
        for person in people {
            let who = self.owners.of(person.sid);
            let since = since.get(&who).copied().unwrap_or(changes);
            view.people.insert(person.nick.to_string(), (who, since));
        }
        let gone = before.iter().filter(|(_, (who, _))| !found.contains(who));
        for (nick, (who, came)) in gone {
            let gone = Gone {
                nick: nick.clone(),
                came: *came,
                since: self.now,
                why: Why::Missing,
            };
            view.gone.insert(*who, gone);
        }
        let missing = self.expected_back(number, u64::MAX);
        let missing: BTreeSet<String> = missing.into_iter().map(|(nick, _)| nick).collect();
        let member = &self.members[number];
        let expected = member.session.expected(self.clocks(number)).into_iter();
        let expected: BTreeSet<String> = expected.map(|person| person.nick.to_string()).collect();
        if found != member.relay_side.found || missing != expected {
            let there = &member.relay_side.found;
            return Err(format!(
                "found {found:?} and not {there:?}, expects {expected:?} and not {missing:?}"
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
        wrong.extend(self.overdue());
        for (number, wrong) in wrong {
            self.surprise(number, &wrong);
        }
    }

    /// Of which messages their authors should have been told by now what became of them, or that nothing
    /// has.
    fn overdue(&mut self) -> Vec<(usize, String)> {
        let mut overdue = Vec::new();
        for message in &mut self.ledger.messages {
            let author = &self.members[message.from];
            let open = message.fates.iter().filter(|(_, fate)| fate.is_open());
            let open: Vec<(&usize, &Fate)> = open.collect();
            if open.is_empty() || !author.is_staying() || !author.is_awake() {
                continue;
            }
            if author.session.untaken().any(|text| text == message.text) {
                message.untaken = self.now;
            }
            let view = &author.view;
            let looks = (message.untaken + SAMPLE).max(author.woke) + LOOK + SLIP;
            for (reader, fate) in open {
                let is_overdue = if let Some(gone) = view.gone.get(reader) {
                    self.now > looks.max(gone.gives_up(message) + LOOK + SLIP)
                } else if view.asleep.contains(reader) {
                    false
                } else {
                    let came = view.came.get(reader).copied().unwrap_or_default();
                    let since = view.active.saturating_sub(message.active.max(came));
                    fate.told == Told::Nothing && since > 3 * PERIOD + SLACK
                };
                if is_overdue {
                    let (text, told) = (&message.text, fate.told);
                    let what = format!("of {text:?} for {reader} it is told {told:?} still");
                    overdue.push((message.from, what));
                }
            }
        }
        overdue
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
                        let gone = self.members[message.from].view.gone.get(reader);
                        let vanished = self.members[*reader].seen.max(message.at);
                        let until = gone.map_or(vanished + KEPT_FOR + HELD, |gone| {
                            gone.gives_up(message) + LOOK + SLIP
                        });
                        !is_staying && until > self.now
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
