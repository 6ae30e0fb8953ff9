//! When a session has something to do, and what it does then.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use crate::room::card::SessionId;
use crate::room::frame::Frame;
use crate::room::names::Nick;
use crate::room::roster::MAX_MEMBERS;
use crate::room::session::event::Event;
use crate::room::session::presence::Silence;
use crate::room::session::{Now, Session};

use super::{DEAF, FAILURES, Owed, Timer};

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

/// What was not for this member, as it was out of the room, is told when no late copy of it has come for so
/// long: they come every second (PROTOCOL §8), but a line may stall.
const COPIES_TAKE: Duration = Duration::from_secs(10);

/// A session key that is too old is reported after this time: who comes back with one, changes it.
const NEW_KEY: Duration = Duration::from_mins(1);

/// How long it takes to make a session key, at most. If none has come by then, another is asked for.
const KEY_TAKES: Duration = Duration::from_mins(1);

/// To so many authors receipts may be owed before those who have gone are forgotten.
const MOST_OWED: usize = 2 * MAX_MEMBERS as usize;

/// So old a session key may be at most without a connection.
const KEY_LASTS: Duration = Duration::from_hours(13);

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
        self.go_on_sharing(events, now)
    }

    /// Destroys the session keys whose time is over: before anything comes over another connection.
    pub(in crate::room::session) fn destroy_keys(&mut self, now: Now) {
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
                self.timers.connection_ends_unanswered(active);
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
        let known = self.members.known();
        for (origin, nick) in &known {
            events.extend(self.missing(*origin, nick, false));
        }
        if !self.awaits_numbers() {
            events.extend(self.meanwhile(known, COPIES_TAKE));
        }
        events
    }

    /// Whether it is to be waited until those who are there have said how many messages they said while this
    /// member was out of the room: what becomes known within a beacon period is told together.
    fn awaits_numbers(&mut self) -> bool {
        let active = self.presence.active.get();
        self.door.return_of.take_if(|back| back.ends <= active);
        let mut there = self.members.roster.iter().map(|(_, peer)| peer);
        self.door.return_of.is_some()
            && there.any(|peer| !peer.is_asleep() && self.streams.is_awaited(peer.card.origin()))
    }

    /// Tells how many messages these said while this member was out of the room, if any: of which nothing
    /// has changed for so long.
    pub(in crate::room::session) fn meanwhile(
        &mut self,
        authors: Vec<(SessionId, Nick)>,
        patience: Duration,
    ) -> Vec<Event> {
        let active = self.presence.active.get();
        // In one line for each time that it was out.
        let mut counts: BTreeMap<Duration, Vec<(Nick, u64)>> = BTreeMap::new();
        for (origin, nick) in authors {
            let (out, count) = self.streams.take_meanwhile(origin, active, patience);
            if count > 0 {
                counts.entry(out).or_default().push((nick, count));
                self.door.return_of = None;
            }
        }
        let counts = counts.into_iter();
        counts
            .map(|(out, counts)| Event::Meanwhile(out, counts))
            .collect()
    }

    /// Tells how many messages of somebody's are missing: for a beacon period, or at all.
    pub(in crate::room::session) fn missing(
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
    pub(in crate::room::session) fn period(&self) -> Duration {
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
    pub(in crate::room::session) fn beacon_is_sent(&mut self, now: Duration) {
        let period = self.period();
        self.timers.beacon = now + period * 3 / 4 + self.spread(period / 4);
    }

    /// Something has come that others are to know was seen.
    pub(in crate::room::session) fn hurry_beacon(&mut self, now: Now) {
        let members = u32::try_from(self.members.roster.len() + 1).unwrap_or(u32::MAX);
        let apart = APART.max(APART_PER_MEMBER.saturating_mul(members));
        let soon = now.uptime + HURRY + self.spread(HURRY_MORE);
        let due = soon.max(self.timers.entry + apart);
        self.timers.beacon = self.timers.beacon.min(due);
    }

    /// Something of this author's has come that is confirmed to it alone.
    pub(in crate::room::session) fn owe_receipt(
        &mut self,
        origin: SessionId,
        of_room: bool,
        now: Now,
    ) {
        let due = now.uptime + HURRY + self.spread(HURRY_MORE);
        let fresh = Owed {
            due,
            of_room: false,
        };
        // Those who have gone get none. It is owed again when they come back.
        if self.timers.receipts.len() >= MOST_OWED {
            let present = self.members.present_origins();
            let receipts = &mut self.timers.receipts;
            receipts.retain(|origin, _| present.contains(origin));
        }
        let owed = self.timers.receipts.entry(origin).or_insert(fresh);
        owed.of_room |= of_room;
    }

    /// One of the two has entered anew: what was said of direct messages may have been lost.
    pub(in crate::room::session) fn owe_receipt_again(&mut self, origin: SessionId, now: Now) {
        if self.streams.has_direct(origin) {
            self.owe_receipt(origin, false, now);
        }
    }
}
