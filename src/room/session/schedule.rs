//! What is due when.

use std::time::Duration;

use crate::room::Time;

use super::event::Event;
use super::{Now, Session};

/// Everybody states now and then what it sees: this often, or in a large room so seldom that
/// checking everybody's statements takes less than 1% of a processor, at 0.1 ms each.
const BEACON: Duration = Duration::from_mins(1);
const BEACON_PER_MEMBER: Duration = Duration::from_millis(10);

/// Newcomers are greeted after this delay, and later in a large room, so that a rush of joins is
/// answered by few greetings.
const GREETING: Duration = Duration::from_millis(200);
const GREETING_PER_MEMBER: Duration = Duration::from_millis(20);

/// After so many beacons that did not come, somebody's silence is reported: by then the relay has
/// given up a connection that was broken all the time.
const SILENT_BEACONS: u32 = 4;

/// A session key that is too old is reported after this time: who comes back with one, changes it.
const NEW_KEY: Duration = Duration::from_mins(1);

/// Who is there shows it by a greeting, or by what it states when it comes. It is reported who has
/// not when this has passed after the greeting was due.
const UNCONFIRMED: Duration = Duration::from_secs(10);

/// After so many messages that did not open, a new session key is due.
const FAILURES: u32 = 64;

/// What is due when.
pub(super) struct Schedule {
    beacon: Duration,
    greeting: Option<Duration>,
    rekeyed: Duration,
    is_rekeying: bool,
    failures: u32,
    /// The time in the latest statement.
    stated: Time,
}

impl Schedule {
    pub(super) fn new(now: Duration) -> Self {
        Self {
            beacon: now,
            greeting: None,
            rekeyed: now,
            is_rekeying: false,
            failures: 0,
            stated: 0,
        }
    }

    /// The time for a statement: above that of the one before, however the clock jumps.
    pub(super) fn statement_time(&mut self, now: Time) -> Time {
        self.stated = now.max(self.stated.saturating_add(1));
        self.stated
    }

    /// A beacon is sent now.
    pub(super) fn beacon_is_sent(&mut self, now: Duration) {
        self.beacon = now;
    }

    /// Newcomers are greeted now.
    pub(super) fn greeting_is_sent(&mut self) {
        self.greeting = None;
    }

    /// Newcomers are to be greeted, in a room with so many others.
    pub(super) fn greet(&mut self, others: usize, now: Duration) {
        self.greeting.get_or_insert(now + greeting_delay(others));
    }

    /// A new session key has come. Even where nothing comes of it, the next one is not due before
    /// its time: a relay that does not answer must not have keys made without end.
    pub(super) fn key_has_come(&mut self, now: Duration) {
        self.is_rekeying = false;
        self.rekeyed = now;
        self.failures = 0;
    }

    /// A message did not open.
    pub(super) fn opening_failed(&mut self) {
        self.failures += 1;
    }
}

impl Session {
    /// Does what is due. To be called about once a second, or as often as one likes.
    pub fn tick(&mut self, now: Now) -> Vec<Event> {
        self.keys.destroy_old(now.uptime);
        let expired = self.held.take_expired(now.uptime);
        let mut events = Vec::new();
        for said in &expired {
            let (readers, text) = (self.nicks(said.readers()), said.text().to_owned());
            if let Some(receipt) = said.receipt() {
                events.push(Event::NotTaken {
                    receipt,
                    readers,
                    text,
                });
            } else if said.readers().next().is_some() {
                events.push(Event::Undelivered(readers, text));
            }
        }
        if !self.is_inside() || self.is_leaving {
            return events;
        }
        if self.schedule.greeting.is_some_and(|at| at <= now.uptime) {
            self.greet(now);
        }
        if self.schedule.beacon + self.beacon_period(true) <= now.uptime {
            self.state_to_all(now);
        }
        events.extend(self.notice_silence(now.uptime));
        let is_due = now.uptime.saturating_sub(self.schedule.rekeyed) >= self.policy.rekey_after
            || self.schedule.failures >= FAILURES;
        if is_due && !self.schedule.is_rekeying && self.can_rekey() {
            self.schedule.is_rekeying = true;
            events.push(Event::RekeyDue);
        }
        events
    }

    fn notice_silence(&mut self, now: Duration) -> Vec<Event> {
        let patience = self.beacon_period(false) * SILENT_BEACONS;
        let introduction = UNCONFIRMED + greeting_delay(self.roster.len());
        let mut events = Vec::new();
        for (_, peer) in self.roster.iter_mut() {
            let is_late = now.saturating_sub(peer.here_since) > introduction;
            if is_late && !peer.is_confirmed && !peer.reported.unconfirmed {
                peer.reported.unconfirmed = true;
                events.push(Event::Unconfirmed(peer.card.nick().clone()));
            }
            let silence = now.saturating_sub(peer.heard);
            if silence > patience && !peer.reported.silence {
                peer.reported.silence = true;
                events.push(Event::Quiet(peer.card.nick().clone(), silence.as_secs()));
            }
            let is_new = now.saturating_sub(peer.here_since) < NEW_KEY;
            if peer.is_stale(now) && !is_new && !peer.reported.stale_key {
                peer.reported.stale_key = true;
                events.push(Event::StaleKey(peer.card.nick().clone()));
            }
        }
        events
    }

    /// How long it is from one beacon to the next: everybody's own between three quarters of the
    /// period and all of it, so that not all come at once.
    fn beacon_period(&self, own: bool) -> Duration {
        let members = u32::try_from(self.roster.len() + 1).unwrap_or(u32::MAX);
        let period = BEACON.max(BEACON_PER_MEMBER.saturating_mul(members));
        let [first, ..] = self.card.sid().0;
        if own {
            period * 3 / 4 + period / 4 * u32::from(first) / 256
        } else {
            period
        }
    }
}

/// How long newcomers wait for their greeting, in a room with so many others.
fn greeting_delay(others: usize) -> Duration {
    let others = u32::try_from(others).unwrap_or(u32::MAX);
    GREETING + GREETING_PER_MEMBER.saturating_mul(others)
}
