//! What is due when (PROTOCOL §8, §10, §11).

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use crate::room::Time;
use crate::room::card::SessionId;
use crate::room::frame::Frame;
use crate::room::names::Nick;

use super::event::Event;
use super::presence::Silence;
use super::{Now, Session};

/// Everybody states now and then what it sees: this often, or in a large room so seldom that
/// checking everybody's statements takes less than 1% of a processor, at 0.1 ms each.
const BEACON: Duration = Duration::from_mins(1);
const BEACON_PER_MEMBER: Duration = Duration::from_millis(10);

/// When something has come that others are to know was seen, the next beacon is brought forward: to
/// some time between these from now, but not so soon after this member's last entry.
const HURRY: Duration = Duration::from_millis(200);
const HURRY_MORE: Duration = Duration::from_millis(800);
const APART: Duration = Duration::from_secs(1);
const APART_PER_MEMBER: Duration = Duration::from_millis(300);

/// How often it is looked at who is there, and what is missing or not confirmed.
const LOOK: Duration = Duration::from_secs(2);

/// A session key that is too old is reported after this time: who comes back with one, changes it.
const NEW_KEY: Duration = Duration::from_mins(1);

/// How long it takes to make a session key, at most. If none has come by then, another is asked for.
const KEY_TAKES: Duration = Duration::from_mins(1);

/// So old a session key may be at most without a connection.
const KEY_LASTS: Duration = Duration::from_hours(13);

/// After so many messages that did not open, a new session key is due.
const FAILURES: u32 = 64;

/// After so many connections in a row over which the relay acknowledges nothing, that is told: it had to
/// for so long, at least.
const DEAF: u32 = 3;
const DEAF_FOR: Duration = Duration::from_secs(10);

/// Something that becomes due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Timer {
    /// To destroy a session key that has a successor.
    OldKey,
    /// To make a new session key.
    NewKey,
    /// To destroy the present one, without a connection.
    LastKey,
    /// To say to an author which of its messages have come.
    Receipt,
    /// To send a reader once more what it has not confirmed.
    Copies,
    /// To state to all what was seen.
    Beacon,
    /// To see who is there, and what is missing or not confirmed.
    Look,
    /// To ask the relay for an acknowledgement.
    Ask,
    /// To give a connection up over which none comes.
    Dead,
}

impl Timer {
    /// In the order in which they are looked at: receipts go before the beacon.
    const ALL: [Self; 9] = [
        Self::OldKey,
        Self::LastKey,
        Self::NewKey,
        Self::Receipt,
        Self::Copies,
        Self::Beacon,
        Self::Look,
        Self::Ask,
        Self::Dead,
    ];
}

/// A receipt that is owed to an author.
#[derive(Clone, Copy, Debug)]
pub(super) struct Owed {
    due: Duration,
    /// Whether it is to say too which of the messages to the room have come.
    pub(super) of_room: bool,
}

/// What is due when, in this member's uptime.
pub(super) struct Timers {
    beacon: Duration,
    /// When this member's last entry was sent.
    entry: Duration,
    /// By the first session ids of the authors.
    receipts: BTreeMap<SessionId, Owed>,
    look: Duration,
    rekeyed: Duration,
    /// When a new session key was asked for that has not come.
    key_asked: Option<Duration>,
    failures: u32,
    /// When the relay last acknowledged something, or nothing was waiting for that, by active time.
    acknowledged: Duration,
    has_asked: bool,
    /// Over how many connections in a row the relay acknowledged nothing, and whether that was told.
    deaf: u32,
    is_told_deaf: bool,
    /// The time in the latest statement.
    stated: Time,
}

impl Timers {
    pub(super) fn new(now: Duration) -> Self {
        Self {
            beacon: now,
            entry: now,
            receipts: BTreeMap::new(),
            look: now,
            rekeyed: now,
            key_asked: None,
            failures: 0,
            acknowledged: Duration::ZERO,
            has_asked: false,
            deaf: 0,
            is_told_deaf: false,
            stated: 0,
        }
    }

    /// The time for a statement: above that of the one before, however the clock jumps.
    pub(super) fn statement_time(&mut self, now: Time) -> Time {
        self.stated = now.max(self.stated.saturating_add(1));
        self.stated
    }

    /// An entry is sent now.
    pub(super) fn entry_is_sent(&mut self, now: Duration) {
        self.entry = now;
    }

    /// The relay has acknowledged something, or has had nothing to acknowledge, at this active time.
    pub(super) fn acknowledged(&mut self, active: Duration) {
        self.acknowledged = active;
        self.has_asked = false;
    }

    /// A connection is over on which something was waiting to be acknowledged, at this active time.
    pub(super) fn was_unanswered(&mut self, active: Duration) {
        self.deaf += u32::from(active.saturating_sub(self.acknowledged) >= DEAF_FOR);
    }

    /// The relay answers.
    pub(super) fn relay_answers(&mut self) {
        (self.deaf, self.is_told_deaf) = (0, false);
    }

    /// A new session key has come. Even where nothing comes of it, the next one is not due before
    /// its time: a relay that does not answer must not have keys made without end.
    pub(super) fn key_has_come(&mut self, now: Duration) {
        self.key_asked = None;
        self.rekeyed = now;
        self.failures = 0;
    }

    /// There is no session key any more: the next one is due now.
    pub(super) fn key_is_gone(&mut self) {
        self.failures = FAILURES;
    }

    /// A message did not open.
    pub(super) fn opening_failed(&mut self) {
        self.failures += 1;
    }

    /// Takes the receipt that is owed to an author.
    pub(super) fn take_receipts(&mut self, until: Duration) -> Vec<(SessionId, Owed)> {
        let due = self.receipts.extract_if(.., |_, owed| owed.due <= until);
        due.collect()
    }
}

impl Session {
    /// When [`Session::tick`] has something to do next, if it has.
    #[must_use]
    pub fn next_due(&self) -> Option<Duration> {
        Timer::ALL.iter().filter_map(|timer| self.due(*timer)).min()
    }

    /// When something is due, in this member's uptime.
    fn due(&self, timer: Timer) -> Option<Duration> {
        let timers = &self.timers;
        // Until what waited has come, others may be other than this member knows.
        let is_caught_up = self.door.catching_up.is_none();
        let is_here = self.is_inside() && is_caught_up && !self.parting.is_leaving;
        let idle = Duration::from_secs(self.door.limits.idle.into());
        // After a connection has resumed the relay owes an acknowledgement unasked.
        let is_owed = !self.sending.is_empty() || !is_caught_up;
        let is_waiting = self.is_inside() && is_owed && !idle.is_zero();
        let unanswered_for = |time| self.presence.active.when(timers.acknowledged + time);
        match timer {
            Timer::OldKey => self.own.keys.next_end(),
            Timer::NewKey if is_here && self.can_rekey() => {
                let due = if timers.failures >= FAILURES {
                    timers.rekeyed
                } else {
                    timers.rekeyed + self.policy.rekey_after
                };
                let again = timers.key_asked.map(|asked| asked + KEY_TAKES);
                Some(due.max(again.unwrap_or_default()))
            }
            // What waits is opened with it, by whoever is back in time.
            Timer::LastKey if self.door.has_entered && !self.is_inside() && self.own.has_key() => {
                Some(timers.rekeyed + KEY_LASTS)
            }
            Timer::Receipt if is_here => timers.receipts.values().map(|owed| owed.due).min(),
            Timer::Copies if self.is_inside() && !self.parting.said_goodbye => {
                self.copies.next_due()
            }
            Timer::Beacon if is_here => Some(timers.beacon),
            Timer::Look if self.door.has_entered => Some(timers.look),
            Timer::Ask if is_waiting && !timers.has_asked => unanswered_for(idle / 2),
            Timer::Dead if is_waiting => unanswered_for(idle),
            _ => None,
        }
    }

    /// Does what is due.
    pub fn tick(&mut self, now: Now) -> Vec<Event> {
        self.presence.active.advance(now.uptime);
        let mut events = Vec::new();
        for timer in Timer::ALL {
            if self.due(timer).is_some_and(|due| due <= now.uptime) {
                events.extend(self.fire(timer, now));
            }
        }
        events
    }

    /// Destroys the session keys whose time is over: before anything comes over another connection.
    pub(super) fn destroy_keys(&mut self, now: Now) {
        for timer in [Timer::OldKey, Timer::LastKey] {
            if self.due(timer).is_some_and(|due| due <= now.uptime) {
                self.fire(timer, now);
            }
        }
    }

    fn fire(&mut self, timer: Timer, now: Now) -> Vec<Event> {
        match timer {
            Timer::OldKey => self.own.keys.destroy_old(now.uptime),
            Timer::LastKey => {
                self.own.keys.destroy_all();
                self.timers.key_is_gone();
            }
            Timer::NewKey => {
                self.timers.key_asked = Some(now.uptime);
                return vec![Event::RekeyDue];
            }
            Timer::Receipt => self.state_receipts(now.uptime, now),
            Timer::Copies => self.send_copies(now),
            Timer::Beacon => self.state_to_all(now),
            Timer::Look => {
                self.timers.look = now.uptime + LOOK;
                return self.look(now.uptime);
            }
            Timer::Ask => {
                self.timers.has_asked = true;
                self.door.outgoing.push(Frame::ping());
            }
            Timer::Dead => {
                let active = self.presence.active.get();
                self.timers.was_unanswered(active);
                self.timers.acknowledged(active);
                return vec![Event::Dead];
            }
        }
        Vec::new()
    }

    /// Sees who is there, and what is missing or not confirmed.
    fn look(&mut self, now: Duration) -> Vec<Event> {
        let (active, period) = (self.presence.active.get(), self.period());
        let mut events = Vec::new();
        let members = &self.members;
        let peers = members.roster.iter().map(|(_, peer)| peer);
        // Whoever is asleep confirms nothing, and is awaited.
        let here = peers.map(|peer| {
            let since = peer.watch.since();
            let since = if peer.is_asleep() { active } else { since };
            (peer.card.origin(), since)
        });
        let here: HashMap<SessionId, Duration> = here.collect();
        let here_since = |origin| here.get(&origin).copied();
        let absent_since = |origin| members.absent_since(origin);
        let overdue = self
            .outbox
            .take_overdue(active, now, period * 3, here_since, absent_since);
        events.extend(overdue.into_iter().map(Event::of_news));
        if self.timers.deaf >= DEAF && !std::mem::replace(&mut self.timers.is_told_deaf, true) {
            events.push(Event::Deaf);
        }
        if !self.is_inside() {
            return events;
        }
        if self.sending.is_overrun() {
            self.enter_anew();
            events.push(Event::Dead);
            return events;
        }
        if self.is_contradicted() && !std::mem::replace(&mut self.history.has_given_in, true) {
            events.push(Event::Contradicted);
        }
        let is_caught_up = self.door.catching_up.is_none();
        for (_, peer) in self.members.roster.iter_mut() {
            if is_caught_up && peer.look_at_sleep(active, now) {
                events.push(Event::StillAsleep(peer.nick().clone()));
            }
            let is_heard = now.saturating_sub(peer.seen.heard) <= period * 2;
            let silence = if peer.is_asleep() {
                None
            } else {
                peer.watch.falls_quiet(is_heard, active, period)
            };
            events.extend(silence.map(|silence| match silence {
                Silence::Quiet(silence) => Event::Quiet(peer.nick().clone(), silence),
                Silence::Blind => Event::Blind(peer.nick().clone()),
            }));
            let is_new = now.saturating_sub(peer.seen.here) < NEW_KEY;
            if peer.is_stale(now) && !is_new && !peer.told.stale_key {
                peer.told.stale_key = true;
                events.push(Event::StaleKey(peer.nick().clone()));
            }
        }
        let is_told = self.door.return_of.is_some_and(|(_, told)| told <= active);
        let mut meanwhile = Vec::new();
        for (origin, nick) in self.members.known() {
            events.extend(self.missing(origin, &nick, false));
            if is_told {
                // What was learnt within a few seconds is told together.
                let patience = period * 3 / 4;
                let count = self.streams.take_meanwhile(origin, active, patience);
                meanwhile.push((nick, count));
            }
        }
        events.extend(self.meanwhile(meanwhile));
        events
    }

    /// Tells how many messages these said while this member was out of the room, if any.
    pub(super) fn meanwhile(&self, mut counts: Vec<(Nick, u64)>) -> Option<Event> {
        let (out, _) = self.door.return_of?;
        counts.retain(|(_, count)| *count > 0);
        (!counts.is_empty()).then_some(Event::Meanwhile(out, counts))
    }

    /// Tells how many messages of somebody's are missing: for a beacon period, or at all.
    pub(super) fn missing(
        &mut self,
        origin: SessionId,
        nick: &Nick,
        at_all: bool,
    ) -> Option<Event> {
        let patience = if at_all {
            Duration::ZERO
        } else {
            self.period()
        };
        let active = self.presence.active.get();
        let missing = self.streams.take_missing(origin, active, patience);
        (missing > 0).then(|| Event::Missing(nick.clone(), missing))
    }

    /// How long it is from one beacon to the next at most.
    pub(super) fn period(&self) -> Duration {
        let members = u32::try_from(self.members.roster.len() + 1).unwrap_or(u32::MAX);
        BEACON.max(BEACON_PER_MEMBER.saturating_mul(members))
    }

    /// A part of a time, between none and all of it, that is another for each member and position: so
    /// that not all speak at once. It does not depend on what was opened.
    fn spread(&self, time: Duration) -> Duration {
        let [own, ..] = self.own.card.sid().0;
        let position = self.history.now().position;
        let [chance, ..] = position.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_be_bytes();
        time / 256 * u32::from(own ^ chance)
    }

    /// A beacon is sent now: when the next one is.
    pub(super) fn beacon_is_sent(&mut self, now: Duration) {
        let period = self.period();
        self.timers.beacon = now + period * 3 / 4 + self.spread(period / 4);
    }

    /// Something has come that others are to know was seen.
    pub(super) fn hurry_beacon(&mut self, now: Now) {
        let members = u32::try_from(self.members.roster.len() + 1).unwrap_or(u32::MAX);
        let apart = APART.max(APART_PER_MEMBER.saturating_mul(members));
        let soon = now.uptime + HURRY + self.spread(HURRY_MORE);
        let due = soon.max(self.timers.entry + apart);
        self.timers.beacon = self.timers.beacon.min(due);
    }

    /// Something of this author's has come that is confirmed to it alone.
    pub(super) fn owe_receipt(&mut self, origin: SessionId, of_room: bool, now: Now) {
        let due = now.uptime + HURRY + self.spread(HURRY_MORE);
        let fresh = Owed {
            due,
            of_room: false,
        };
        let owed = self.timers.receipts.entry(origin).or_insert(fresh);
        owed.of_room |= of_room;
    }

    /// One of the two has entered anew: what was said of direct messages may have been lost.
    pub(super) fn owe_receipt_again(&mut self, origin: SessionId, now: Now) {
        if self.streams.has_direct(origin) {
            self.owe_receipt(origin, false, now);
        }
    }
}
