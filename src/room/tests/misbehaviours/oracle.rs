//! What must be so, whatever a relay does: each message is confirmed where it was shown, or somebody is
//! told something that names the other; whoever is shown as present is there (the guarantee G8).

use std::collections::BTreeMap;
use std::time::Duration;

use crate::room::frame::Departure;
use crate::room::names::Nick;
use crate::room::session::{End, Event};

use super::world::{OnScreen, PERIOD, World};

/// How much later than after three beacon periods whoever is gone may be shown: what it signed last was
/// under way, and is looked at now and then.
const SLACK: Duration = Duration::from_secs(12);

/// What has become of a message at a reader.
#[derive(Default)]
pub struct Fate {
    /// As how many people a relay has the reader be there: the message is for each.
    pub times: usize,
    /// How often it was shown there.
    pub shown: usize,
    pub is_confirmed: bool,
    /// Whether its author was told that it was not confirmed, or has not come.
    pub is_told: bool,
    /// How often its author was told of an end: that it is confirmed, or will not come.
    pub ends: usize,
}

/// A message.
pub struct Said {
    pub author: usize,
    pub text: String,
    pub is_direct: bool,
    pub receipt: u64,
    pub at: Duration,
    pub readers: BTreeMap<usize, Fate>,
}

/// Something that a user is told that is not so where all is well.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Alarm {
    pub at: Duration,
    pub kind: &'static str,
    /// Whom it names; the relay, if nobody.
    pub about: Option<usize>,
    /// Whether it happens where all is well that somebody is named so.
    pub is_weak: bool,
}

impl Alarm {
    pub fn of_end(at: Duration, end: End) -> Self {
        let kind = match end {
            End::Notice(_) | End::UnknownNotice(_) => "End::Notice",
            End::Malformed => "End::Malformed",
        };
        Self {
            at,
            kind,
            about: None,
            is_weak: false,
        }
    }

    pub fn of_event(
        at: Duration,
        event: &Event,
        who_is: impl Fn(&Nick) -> Option<usize>,
    ) -> Option<Self> {
        let (kind, about, is_weak) = match event {
            Event::OtherView(nick) => ("OtherView", Some(nick), false),
            Event::OtherViewBefore(nick) => ("OtherViewBefore", Some(nick), false),
            Event::Missing(nick, _) => ("Missing", Some(nick), false),
            Event::Equivocation(nick) => ("Equivocation", Some(nick), false),
            Event::Quiet(nick, _) => ("Quiet", Some(nick), false),
            Event::Blind(nick) => ("Blind", Some(nick), false),
            Event::Unanswered(nick) => ("Unanswered", Some(nick), false),
            Event::Unopened(nick, _) => ("Unopened", Some(nick), false),
            Event::TooLate(nick) => ("TooLate", Some(nick), false),
            Event::CastOut(nick, _) => ("CastOut", Some(nick), false),
            Event::Disbelieved(_) => ("Disbelieved", None, false),
            Event::CutOff => ("CutOff", None, false),
            Event::Contradicted => ("Contradicted", None, false),
            Event::Stray => ("Stray", None, false),
            Event::NotTaken { .. } => ("NotTaken", None, false),
            Event::Swallowed => ("Swallowed", None, false),
            Event::Deaf => ("Deaf", None, false),
            Event::Asleep(nick, _) => ("Asleep", Some(nick), true),
            Event::Left {
                nick, departure, ..
            } if *departure != Departure::Left => ("Left", Some(nick), true),
            _ => return None,
        };
        Some(Self {
            at,
            kind,
            about: about.and_then(who_is),
            is_weak,
        })
    }
}

impl World {
    /// Something is shown to a member. Returns which message it is.
    pub fn note_shown(
        &mut self,
        who: usize,
        from: &Nick,
        direct: bool,
        text: &str,
    ) -> Option<usize> {
        let author = self.who_is(from);
        let number = self.said.iter().position(|said| said.text == text);
        let said = number.and_then(|number| self.said.get_mut(number));
        let said = said.filter(|said| Some(said.author) == author && said.is_direct == direct);
        let fate = said.and_then(|said| said.readers.get_mut(&who));
        if let Some(fate) = fate {
            fate.shown += 1;
            if fate.shown > 1 {
                self.faults
                    .push(format!("{text:?} is shown to {who} twice"));
            }
        } else {
            let fault = format!("{text:?} of {from} is shown to {who}, and was not said so");
            self.faults.push(fault);
        }
        number
    }

    pub fn note_fate(
        &mut self,
        author: usize,
        receipt: u64,
        reader: &Nick,
        note: impl Fn(&mut Fate),
    ) {
        let reader = self.who_is(reader);
        let mut said = self.said.iter_mut();
        let said = said.find(|said| (said.author, said.receipt) == (author, receipt));
        let fate = said.and_then(|said| said.readers.get_mut(&reader?));
        match fate {
            Some(fate) => note(fate),
            None => self.faults.push(format!(
                "{author} is told of a message {receipt} that it has not said"
            )),
        }
    }

    /// Whether a member has an alarm that names another, or the relay: not a weak one that it has where
    /// all is well.
    pub fn accuses(&self, who: usize, other: usize, honest: Option<&World>) -> bool {
        let Some(member) = self.members.get(&who) else {
            return false;
        };
        let is_of = |alarm: &&Alarm| alarm.about.is_none_or(|about| about == other);
        let of = |world: &World| {
            let member = world.members.get(&who);
            let alarms = member.into_iter().flat_map(|member| &member.alarms);
            alarms.filter(is_of).filter(|alarm| alarm.is_weak).count()
        };
        let mut alarms = member.alarms.iter().filter(is_of);
        alarms.any(|alarm| !alarm.is_weak) || of(self) > honest.map_or(usize::MAX, of)
    }

    /// Whether anybody has an alarm.
    pub fn has_alarm(&self) -> bool {
        let mut members = self.members.values();
        members.any(|member| member.alarms.iter().any(|alarm| !alarm.is_weak))
    }

    /// Looks at whom everybody shows as present.
    pub fn sample(&mut self) {
        let now = self.now;
        for member in self.members.values_mut() {
            if member.is_up() && !member.is_over {
                member.there = now;
            }
        }
        let mut ghosts = Vec::new();
        for (who, member) in &self.members {
            let is_calm = member.trouble.is_none_or(|at| now > at + 4 * PERIOD);
            if !member.is_up() || member.is_over || !is_calm {
                continue;
            }
            for person in member.session.others() {
                let Some(other) = self.who_is(&person.nick) else {
                    continue;
                };
                if !person.is_present || self.accuses(*who, other, None) {
                    continue;
                }
                let saw = self.members.get(&other).map_or(Duration::ZERO, |other| {
                    let saw = other.saw.get(who).copied().unwrap_or_default();
                    other.there.min(saw.max(other.entered))
                });
                if now > saw + 3 * PERIOD + SLACK {
                    ghosts.push(format!(
                        "ghost: {who} shows {other} at {} s, who was last there at {} s",
                        now.as_secs(),
                        saw.as_secs()
                    ));
                }
            }
        }
        ghosts.truncate(1);
        self.faults.extend(ghosts);
    }

    /// All that is wrong at the end of a run. `honest` is a run of the same script without misbehaviour.
    pub fn judge(&self, honest: Option<&World>) -> Vec<String> {
        let mut wrong = self.faults.clone();
        for (number, said) in self.said.iter().enumerate() {
            if self.now < said.at + 4 * PERIOD {
                continue;
            }
            for (reader, fate) in &said.readers {
                wrong.extend(self.judge_row(number, *reader, fate, honest));
            }
        }
        if self.misbehaviours.is_empty() {
            for (who, member) in &self.members {
                let alarms = member.alarms.iter().filter(|alarm| !alarm.is_weak);
                wrong.extend(alarms.map(|alarm| format!("false alarm: {who}: {alarm:?}")));
            }
        }
        wrong
    }

    fn judge_row(
        &self,
        number: usize,
        reader: usize,
        fate: &Fate,
        honest: Option<&World>,
    ) -> Option<String> {
        let said = &self.said[number];
        let author = &self.members[&said.author];
        let what = || {
            let direct = if said.is_direct { " direct" } else { "" };
            format!("{} -> {reader}: {:?}{direct}", said.author, said.text)
        };
        let is_named = || {
            self.accuses(said.author, reader, honest) || self.accuses(reader, said.author, honest)
        };
        if fate.ends > fate.times {
            return Some(format!("{} ends: {}", fate.ends, what()));
        }
        if fate.is_confirmed && fate.shown == 0 {
            return Some(format!("confirmed and not shown: {}", what()));
        }
        if fate.is_confirmed {
            let other = (!said.is_direct).then(|| self.other_place(number, reader));
            let other = other.flatten().filter(|_| !is_named());
            return other
                .map(|other| format!("another place, to {:?}: {}", self.said[other].text, what()));
        }
        // Who has left, or has no connection, knows that it has no word.
        let others = author.session.others();
        let mut asleep = others.iter().filter(|person| person.asleep.is_some());
        // Nor has who is told that its reader sleeps, for as long as that is believed.
        let is_awaited = asleep.any(|person| self.who_is(&person.nick) == Some(reader));
        let is_known = fate.is_told || is_awaited || author.is_over || !author.is_up();
        (!is_known && !is_named()).then(|| format!("no end: {}", what()))
    }

    /// A message that stands on the other side of this one at its author than at its reader.
    fn other_place(&self, number: usize, reader: usize) -> Option<usize> {
        let author = &self.members[&self.said[number].author].screen;
        let reader = &self.members.get(&reader)?.screen;
        let place = |screen: &[OnScreen], number: usize| {
            let is_it = |message: &OnScreen| message.number == number && !message.is_late;
            screen.iter().position(is_it)
        };
        let (here, there) = (place(author, number)?, place(reader, number)?);
        let mut others = author.iter().map(|message| message.number);
        others.find(|other| {
            let places = place(author, *other).zip(place(reader, *other));
            places.is_some_and(|(at_author, at_reader)| (at_author < here) != (at_reader < there))
        })
    }
}
