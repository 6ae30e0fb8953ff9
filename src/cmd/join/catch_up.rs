//! Who asks to be handed what they missed, and what the program answers by itself.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use clap::ValueEnum;
use rand::RngExt as _;

use crate::cipher::fingerprint::Fingerprint;
use crate::room::Time;

/// Of how many identities it is remembered when they were last in the room.
const REMEMBERED_IDENTITIES: usize = 1024;

/// An answer comes after so long, so that not all answer at once: whoever is first spares the others.
const SOONEST: Duration = Duration::from_secs(1);
const LATEST: Duration = Duration::from_secs(5);

/// How often an identity is answered at most.
const PERIOD: Duration = Duration::from_mins(1);

/// Whom the program answers by itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(in crate::cmd) enum Answering {
    #[default]
    Off,
    Verified,
}

/// Somebody who was in the room, or is.
struct Known {
    who: Fingerprint,
    /// Since when they missed something, the last time.
    since: Time,
    is_here: bool,
}

/// An answer that is due.
struct Answer {
    to: Fingerprint,
    at: Instant,
}

/// Who has missed what, and who is to be answered.
#[derive(Default)]
pub(super) struct CatchUp {
    answering: Answering,
    /// Those who have gone, or come, since this program is in the room; the latest last.
    known: VecDeque<Known>,
    due: Vec<Answer>,
    /// Who was answered within the last period, and when.
    answered: Vec<(Fingerprint, Instant)>,
}

impl CatchUp {
    pub(super) fn new(answering: Answering) -> Self {
        Self {
            answering,
            ..Self::default()
        }
    }

    /// Whether those who are verified are answered.
    pub(super) fn answers_verified(&self) -> bool {
        self.answering == Answering::Verified
    }

    /// Somebody misses what is said from this time on.
    pub(super) fn note_gone(&mut self, who: Fingerprint, since: Time) {
        let known = self.take(who);
        let since = known
            .filter(|known| !known.is_here)
            .map_or(since, |it| it.since);
        self.push(Known {
            who,
            since,
            is_here: false,
        });
    }

    /// Somebody is here again, or for the first time: then they have missed all.
    pub(super) fn note_here(&mut self, who: Fingerprint) {
        let since = self.take(who).map_or(0, |known| known.since);
        self.push(Known {
            who,
            since,
            is_here: true,
        });
    }

    fn take(&mut self, who: Fingerprint) -> Option<Known> {
        let place = self.known.iter().position(|known| known.who == who)?;
        self.known.remove(place)
    }

    fn push(&mut self, known: Known) {
        if self.known.len() == REMEMBERED_IDENTITIES {
            self.known.pop_front();
        }
        self.known.push_back(known);
    }

    /// From when on somebody missed what was said. `None` of those who were here before this program.
    pub(super) fn missed_since(&self, who: Fingerprint) -> Option<Time> {
        let known = self.known.iter().find(|known| known.who == who);
        known.map(|known| known.since)
    }

    /// Somebody asks, and is to be answered, unless that was done just now.
    pub(super) fn ask(&mut self, who: Fingerprint) {
        let now = Instant::now();
        self.answered
            .retain(|(_, at)| now.saturating_duration_since(*at) < PERIOD);
        let is_answered = self.answered.iter().any(|(answered, _)| *answered == who);
        if is_answered || self.due.iter().any(|answer| answer.to == who) {
            return;
        }
        let pause = rand::rng().random_range(SOONEST..LATEST);
        self.due.push(Answer {
            to: who,
            at: now + pause,
        });
    }

    /// Somebody else answers them.
    pub(super) fn note_answered(&mut self, who: Fingerprint) {
        self.due.retain(|answer| answer.to != who);
    }

    /// Takes whom to answer now.
    pub(super) fn take_due(&mut self) -> Vec<Fingerprint> {
        let now = Instant::now();
        let due = self.due.extract_if(.., |answer| answer.at <= now);
        let due: Vec<Fingerprint> = due.map(|answer| answer.to).collect();
        self.answered.extend(due.iter().map(|who| (*who, now)));
        due
    }

    /// Puts off what is due, as nothing can be handed on now.
    pub(super) fn put_off_due(&mut self) {
        let now = Instant::now();
        for answer in self.due.iter_mut().filter(|answer| answer.at <= now) {
            answer.at = now + LATEST;
        }
    }

    /// When somebody is to be answered.
    pub(super) fn next_due(&self) -> Option<Instant> {
        self.due.iter().map(|answer| answer.at).min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn somebody(number: u8) -> Fingerprint {
        Fingerprint::of(&[number])
    }

    #[test]
    fn what_somebody_missed_begins_where_they_went() {
        let mut catch_up = CatchUp::default();
        let bob = somebody(1);
        assert_eq!(catch_up.missed_since(bob), None, "he was here before");
        catch_up.note_gone(bob, 7);
        // Asleep first, and then out of the room.
        catch_up.note_gone(bob, 9);
        assert_eq!(catch_up.missed_since(bob), Some(7));
        catch_up.note_here(bob);
        assert_eq!(catch_up.missed_since(bob), Some(7));
        catch_up.note_gone(bob, 12);
        assert_eq!(catch_up.missed_since(bob), Some(12));
        catch_up.note_here(somebody(2));
        assert_eq!(catch_up.missed_since(somebody(2)), Some(0), "all");
    }

    #[test]
    fn no_more_is_remembered_than_fits() {
        let mut catch_up = CatchUp::default();
        for number in 0..=u16::try_from(REMEMBERED_IDENTITIES).unwrap() {
            catch_up.note_gone(Fingerprint::of(&number.to_be_bytes()), 1);
        }
        assert_eq!(catch_up.known.len(), REMEMBERED_IDENTITIES);
        assert_eq!(catch_up.missed_since(Fingerprint::of(&[0, 0])), None);
        assert_eq!(catch_up.missed_since(Fingerprint::of(&[4, 0])), Some(1));
    }

    #[test]
    fn whoever_asks_is_answered_once_and_not_where_somebody_else_does() {
        let mut catch_up = CatchUp::new(Answering::Verified);
        let (bob, carol) = (somebody(1), somebody(2));
        for who in [bob, bob, carol] {
            catch_up.ask(who);
        }
        assert_eq!(catch_up.due.len(), 2);
        catch_up.note_answered(carol);
        assert!(catch_up.take_due().is_empty(), "not at once");
        catch_up.due[0].at = Instant::now();
        catch_up.put_off_due();
        assert!(catch_up.take_due().is_empty(), "put off");
        catch_up.due[0].at = Instant::now();
        assert_eq!(catch_up.take_due(), [bob]);
        catch_up.ask(bob);
        assert_eq!(catch_up.next_due(), None);
    }
}
