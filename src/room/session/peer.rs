//! What a member knows of another one.

use std::collections::VecDeque;
use std::time::Duration;

use crate::cipher::encoding::Digest;
use crate::room::Time;
use crate::room::card::Card;
use crate::room::frame::Absence;
use crate::room::names::Nick;
use crate::room::roster::modulus_digest;
use crate::room::text::SafeText;

use super::event::{Asleep, Person, Standing};
use super::presence::Watch;
use super::signatures::WrongSignatures;

/// How many of the session keys are remembered that a member had before.
const FORMER_KEYS: usize = 8;

/// A session key that was first seen longer ago than this gets no more messages.
const MAX_KEY_AGE: Duration = Duration::from_hours(24);

/// No place is kept for longer.
const LONGEST_SLEEP: Duration = Duration::from_hours(12);

/// After so long it is told once more that somebody is without a connection.
const REMIND_AFTER: Duration = Duration::from_hours(1);

/// For so long it is remembered how somebody's clock compares, and for as long again.
const LATELY: Duration = Duration::from_mins(10);

/// Another member.
pub(super) struct Peer {
    pub(super) card: Card,
    pub(super) standing: Standing,
    pub(super) met: Met,
    /// The position of its joining, if this member saw that.
    pub(super) base: u64,
    /// Whether it has changed its session key since it came, or this member did.
    pub(super) has_rekeyed: bool,
    /// Whether it was told that it had been shown something else than this member, in a former stay.
    pub(super) has_differed: bool,
    pub(super) watch: Watch,
    pub(super) seen: Seen,
    /// The session keys that it had before, and when each was first seen: none gets younger by being
    /// changed for a while.
    former_keys: VecDeque<(Digest, Duration)>,
    pub(super) clock: TheirClock,
    /// How it is without a connection, if the relay says so.
    sleep: Option<Sleep>,
    /// For how long the relay is believed that, until the member shows that it is there.
    doubt: Option<Doubt>,
    /// The time in its latest statement, by its own clock.
    pub(super) stated: Time,
    /// Why it is not at the keyboard, if it is not.
    pub(super) away: Option<SafeText>,
    /// The wrong signatures that came in its name, and those under the session id that it had before.
    pub(super) wrong: WrongSignatures,
    pub(super) wrong_before: WrongSignatures,
    /// What has been said once, and need not be said again.
    pub(super) told: Told,
}

/// How somebody is without a connection, as the relay says.
#[derive(Clone, Copy, Debug)]
struct Sleep {
    asleep: Asleep,
    /// When it ends at the latest, in this member's uptime.
    ends: Duration,
}

/// The relay alone has said of somebody that they slept, once or again and again, and they have shown nothing
/// since.
#[derive(Clone, Copy, Debug)]
struct Doubt {
    /// The position at which the relay said so last, or at which the member came.
    position: u64,
    /// Until when the relay is believed, and when that is told once more, if it was not, in this member's
    /// uptime.
    ends: Duration,
    reminds: Option<Duration>,
}

/// When another member was first seen.
#[derive(Clone, Copy, Debug)]
pub(super) struct Met {
    /// In which of the relay's runs, as this member counts them.
    run: usize,
    /// The number of its next message to the room, as its card said: what it had written in a run before
    /// has a lower one.
    next: u64,
}

impl Met {
    /// Whether it can have met this member before it wrote a message with this number in a run in which
    /// this member never was: if this member is in a later run now than then.
    pub(super) fn is_before(self, number: u64, present_run: usize) -> bool {
        self.run < present_run && self.next <= number
    }
}

/// Since when a member is what it is: in changes of what the user goes by, as
/// [`Session::changes`](super::Session::changes) counts them, and in this member's uptime.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Seen {
    /// The change with which it came onto the user's screen.
    pub(super) shown: u64,
    /// The change with which it came to be called as it is.
    pub(super) named: u64,
    /// When it came, or this member did.
    pub(super) here: Duration,
    /// When its session key was first seen.
    pub(super) key: Duration,
    /// When something that it signed came last.
    pub(super) heard: Duration,
}

/// What has been said of a member once, and need not be said again.
#[derive(Default)]
pub(super) struct Told {
    pub(super) stale_key: bool,
    /// That its program is newer than this one.
    pub(super) newer: bool,
    /// That it has not confirmed a direct message, though it has seen what came after.
    pub(super) unanswered: bool,
    /// The digest over those whom it left out of its latest message, if it did.
    pub(super) left_out: Option<Digest>,
}

/// How a member's clock compares with this one's.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct TheirClock {
    /// The least milliseconds that there lately were from its time to this member's uptime, when something
    /// of it came at once: since the time in `since`, and in a while before that.
    least: Option<i128>,
    before: Option<i128>,
    since: Duration,
}

impl TheirClock {
    /// Something signed at its time `signed` has come at once at `now`, in this member's uptime, unless it was
    /// kept back. Returns how old it is by the author's clock: how much longer it took than what came at
    /// once, lately. A clock may be set.
    pub(super) fn age(&mut self, signed: Time, now: Duration) -> Duration {
        let offset = offset(signed, now);
        if now.saturating_sub(self.since) >= LATELY {
            self.before = self.least.take();
            self.since = now;
        }
        let least = self.least.map_or(offset, |least| least.min(offset));
        self.least = Some(least);
        self.age_by_offset(offset).unwrap_or_default()
    }

    /// Something signed at its time `signed` has come at `now`, in this member's uptime, having waited for
    /// this member: it does not show how the clocks compare. Returns how old it is by the author's clock,
    /// if anything has come at once that shows that.
    pub(super) fn age_of_waiting(&self, signed: Time, now: Duration) -> Option<Duration> {
        self.age_by_offset(offset(signed, now))
    }

    /// How old something is that has this offset.
    fn age_by_offset(&self, offset: i128) -> Option<Duration> {
        let least = self.least.into_iter().chain(self.before).min()?;
        let age = (offset - least).max(0);
        Some(Duration::from_millis(
            u64::try_from(age).unwrap_or(u64::MAX),
        ))
    }
}

/// The milliseconds from the time at which something was signed to the uptime at which it comes.
fn offset(signed: Time, now: Duration) -> i128 {
    i128::try_from(now.as_millis()).unwrap_or(i128::MAX) - i128::from(signed)
}

impl Peer {
    /// Somebody of whom nothing is known but the card, which is seen now, in this run.
    pub(super) fn new(card: Card, run: usize, now: Duration) -> Self {
        Self {
            met: Met {
                run,
                next: card.next(),
            },
            card,
            standing: Standing::default(),
            base: 0,
            has_rekeyed: false,
            has_differed: false,
            watch: Watch::default(),
            seen: Seen {
                here: now,
                key: now,
                heard: now,
                ..Seen::default()
            },
            former_keys: VecDeque::new(),
            clock: TheirClock::default(),
            sleep: None,
            doubt: None,
            stated: 0,
            away: None,
            wrong: WrongSignatures::default(),
            wrong_before: WrongSignatures::default(),
            told: Told::default(),
        }
    }

    pub(super) fn nick(&self) -> &Nick {
        self.card.nick()
    }

    /// It goes on under this card. Returns what it was called before, if that was something else.
    pub(super) fn set_card(&mut self, card: &Card, now: Duration) -> Option<Nick> {
        let before = std::mem::replace(&mut self.card, card.clone());
        let (key_before, key) = (modulus_digest(&before), modulus_digest(card));
        if key_before != key {
            if self.former_keys.len() == FORMER_KEYS {
                self.former_keys.pop_front();
            }
            self.former_keys.push_back((key_before, self.seen.key));
            let mut former = self.former_keys.iter();
            let seen = former.find(|(former, _)| *former == key);
            self.seen.key = seen.map_or(now, |(_, seen)| *seen);
            self.told.stale_key = false;
        }
        (before.nick() != card.nick()).then(|| before.nick().clone())
    }

    /// The relay says, at this position, that it has no connection. Returns since and until when, if that
    /// is news.
    pub(super) fn fall_asleep(
        &mut self,
        absence: &Absence,
        position: u64,
        now: Duration,
    ) -> Option<Asleep> {
        let fresh = Doubt {
            position,
            ends: now + LONGEST_SLEEP,
            reminds: Some(now + REMIND_AFTER),
        };
        let doubt = self.doubt.get_or_insert(fresh);
        // To say it again and again does not make it last.
        if self.sleep.is_some() || doubt.ends <= now {
            return None;
        }
        doubt.position = position;
        // By the relay's clock alone: this member's may be another.
        let time = Duration::from_millis(absence.until.saturating_sub(absence.since));
        let time = time.min(LONGEST_SLEEP);
        let millis = Time::try_from(time.as_millis()).unwrap_or(Time::MAX);
        let asleep = Asleep {
            since: absence.since,
            until: absence.since.saturating_add(millis),
        };
        let ends = doubt.ends.min(now + time);
        self.sleep = Some(Sleep { asleep, ends });
        Some(asleep)
    }

    pub(super) fn is_asleep(&self) -> bool {
        self.sleep.is_some()
    }

    /// How it is without a connection, if the relay says so.
    pub(super) fn asleep(&self) -> Option<Asleep> {
        self.sleep.map(|sleep| sleep.asleep)
    }

    /// It counts as one that comes now, at this active time.
    pub(super) fn wake(&mut self, active: Duration) {
        self.sleep = None;
        self.watch.begin_again(active);
    }

    /// It comes at this position and this active time, as the relay says.
    pub(super) fn come(&mut self, position: u64, active: Duration) {
        if let Some(doubt) = &mut self.doubt {
            doubt.position = position;
        }
        self.wake(active);
    }

    /// It has signed that it was shown the chain up to this position. Whoever was shown that it had no
    /// connection has one again. Returns whether it wakes with that.
    pub(super) fn confirm_awake(&mut self, position: u64, active: Duration) -> bool {
        let is_shown = self
            .doubt
            .take_if(|doubt| doubt.position <= position)
            .is_some();
        let wakes = is_shown && self.is_asleep();
        if wakes {
            self.wake(active);
        }
        wakes
    }

    /// Sees whether its sleep is over by what the relay has said. Returns whether its user is to be told
    /// once more that so far only the relay says so.
    pub(super) fn look_at_sleep(&mut self, active: Duration, now: Duration) -> bool {
        if self.sleep.is_some_and(|sleep| sleep.ends <= now) {
            self.wake(active);
        }
        let doubt = self.doubt.as_mut().filter(|_| self.sleep.is_some());
        doubt.is_some_and(|doubt| doubt.reminds.take_if(|at| *at <= now).is_some())
    }

    /// As a person sees it, who is present or not.
    pub(super) fn person(&self, is_present: bool) -> Person {
        Person {
            nick: self.card.nick().clone(),
            fingerprint: self.card.fingerprint(),
            is_lasting: self.card.is_lasting(),
            is_present,
            asleep: self.asleep(),
            differs: self.watch.differs,
            standing: self.standing,
            sid: self.card.sid(),
        }
    }

    /// Whether its session key is too old to get messages.
    pub(super) fn is_stale(&self, now: Duration) -> bool {
        now.saturating_sub(self.seen.key) > MAX_KEY_AGE
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_kept_back_is_told_from_a_clock_that_is_wrong() {
        let mut clock = TheirClock::default();
        let hour = 3_600_000;
        let (at, age) = (Duration::from_millis, Duration::from_millis);
        assert_eq!(
            clock.age(5 * hour, at(1000)),
            age(0),
            "whatever their clock shows"
        );
        assert_eq!(clock.age(5 * hour + 1, at(61_001)), age(60_000));
        assert_eq!(clock.age(5 * hour + 2, at(61_003)), age(60_001));
        assert_eq!(clock.age(7 * hour, at(61_004)), age(0), "it was set right");
        assert_eq!(clock.age(5 * hour, at(61_004)), age(2 * hour));
        assert_eq!(
            clock.age(0, Duration::MAX),
            age(u64::MAX),
            "more than there is"
        );
        assert_eq!(clock.age(u64::MAX, at(0)), age(0));
    }

    #[test]
    fn a_clock_that_is_set_back_is_believed_after_a_while() {
        let mut clock = TheirClock::default();
        let minutes = Duration::from_mins;
        let hour = 3_600_000;
        assert_eq!(clock.age(9 * hour, minutes(0)), minutes(0));
        let signed = |after: u64| 8 * hour + after * 60_000;
        assert_eq!(clock.age(signed(1), minutes(1)), minutes(60));
        assert_eq!(
            clock.age(signed(10), minutes(10)),
            minutes(60),
            "it may be kept back"
        );
        assert_eq!(clock.age(signed(21), minutes(21)), minutes(0));
    }

    #[test]
    fn what_has_waited_is_no_measure_of_what_comes_at_once() {
        let hours = |count| Duration::from_hours(count);
        let hour: Time = 3_600_000;
        let mut clock = TheirClock::default();
        let waited = |clock: &TheirClock, at| clock.age_of_waiting(at * hour, hours(20));
        assert_eq!(waited(&clock, 6), None, "nothing is known");
        assert_eq!(clock.age(7 * hour, hours(20)), hours(0));
        assert_eq!(waited(&clock, 6), Some(hours(1)));
        assert_eq!(waited(&clock, 8), Some(hours(0)), "it was set");
        assert_eq!(waited(&clock, 6), Some(hours(1)), "that has shown nothing");
        // What was known before one slept still holds.
        assert_eq!(clock.age_of_waiting(8 * hour, hours(30)), Some(hours(9)));
    }
}
