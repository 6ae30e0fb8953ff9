//! What this member says, states and announces, and when.

use std::time::Duration;

use crate::cipher::keys::{PublicKey, SessionKey};
use crate::cipher::seal::Body;
use crate::room::Time;
use crate::room::card::SessionId;
use crate::room::frame::Frame;
use crate::room::message::{Header, Kind, SealedMessage, Stream, audience_digest};
use crate::room::statement::{Occasion, Statement, Told};

use super::event::{Event, SayError, Standing};
use super::peer::Peer;
use super::{Now, Phase, Session, Untaken, modulus_digest};

/// Everybody states now and then what it sees: this often, or in a large room so seldom that
/// checking everybody's statements takes less than 1% of a processor, at 0.1 ms each.
const BEACON: Duration = Duration::from_mins(1);
const BEACON_PER_MEMBER: Duration = Duration::from_millis(10);

/// Newcomers are greeted after this delay, and later in a large room, so that a rush of joins is
/// answered by few greetings.
const GREETING: Duration = Duration::from_millis(200);
const GREETING_PER_MEMBER: Duration = Duration::from_millis(20);

/// After so many beacons that did not come, somebody's silence is reported.
const SILENT_BEACONS: u32 = 3;

/// A session key that was first seen longer ago than this gets no more messages.
const MAX_KEY_AGE: Duration = Duration::from_hours(24);

/// After so many messages that did not open, a new session key is due.
const FAILURES: u32 = 64;

/// Whom a message is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum To {
    /// Everybody who was in the room in this epoch, which is what was on the user's screen. Who
    /// came since is left out.
    Room {
        /// The epoch.
        shown: u64,
    },
    /// One member.
    Member(SessionId),
}

/// Who gets messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Policy {
    /// The least that must be known of somebody. Those whose identity has changed never get any.
    pub at_least: Standing,
    /// How often the session key is changed.
    pub rekey_after: Duration,
}

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
    fn statement_time(&mut self, now: Time) -> Time {
        self.stated = now.max(self.stated.saturating_add(1));
        self.stated
    }

    /// Newcomers are to be greeted, in a room with so many others.
    pub(super) fn greet(&mut self, others: usize, now: Duration) {
        let others = u32::try_from(others).unwrap_or(u32::MAX);
        self.greeting
            .get_or_insert(now + GREETING + GREETING_PER_MEMBER.saturating_mul(others));
    }

    /// A message did not open.
    pub(super) fn opening_failed(&mut self) {
        self.failures += 1;
    }
}

impl Session {
    /// The epoch of the roster at present.
    #[must_use]
    pub fn epoch(&self) -> u64 {
        self.epoch
    }

    /// Says something, and returns how many can read it.
    ///
    /// # Errors
    /// Where it is not sent.
    pub fn say(&mut self, to: To, kind: Kind, text: &str, now: Now) -> Result<usize, SayError> {
        if text.is_empty() {
            return Err(SayError::Empty);
        }
        let Some(body) = Body::new(kind.code(), text.to_owned()) else {
            return Err(SayError::TooLong(text.len()));
        };
        if self.phase != Phase::Inside {
            return Err(SayError::NotInRoom);
        }
        let least = self.policy.at_least.max(Standing::New);
        let may_read = |peer: &Peer| peer.standing >= least && !is_stale(peer, now.uptime);
        let mut readers: Vec<(SessionId, &PublicKey)> = Vec::new();
        let mut left_out = Vec::new();
        let own = self.keys.listed();
        let (stream, sequence) = match to {
            To::Room { shown } => {
                for (sid, peer) in self.roster.iter() {
                    if may_read(peer) && peer.joined <= shown {
                        readers.push((sid, peer.card.session()));
                    } else {
                        left_out.push(sid);
                    }
                }
                (Stream::Room, self.next)
            }
            To::Member(sid) => {
                let peer = self.roster.get(sid).filter(|peer| may_read(peer));
                let peer = peer.ok_or(SayError::NotThere)?;
                readers.push((sid, peer.card.session()));
                (Stream::Direct(sid), peer.outgoing.next_direct)
            }
        };
        let view = self.transcript.view(self.run).ok_or(SayError::NotInRoom)?;
        let mut audience: Vec<SessionId> = readers.iter().map(|(sid, _)| *sid).collect();
        audience.push(match to {
            To::Room { .. } => own,
            To::Member(_) => self.card.sid(),
        });
        audience.sort_unstable();
        let header = Header {
            room: self.card.room(),
            sender: self.card.sid(),
            run: self.run,
            epoch: self.epoch,
            stream,
            sequence,
            time: now.time,
            left_out,
            audience: audience_digest(&audience),
            seen: view.seen,
            parent: *view.parent,
            commitment: body.commitment(),
        };
        let mut informed = header.left_out.clone();
        if stream == Stream::Room {
            informed.push(self.card.sid());
        }
        let message = SealedMessage::seal(&header, &body, &self.identity.key, &readers, &informed);
        let count = readers.len();
        match to {
            To::Room { .. } => {
                self.next += 1;
                self.on_their_way.push_back(message.header.clone());
            }
            To::Member(sid) => {
                if let Some(peer) = self.roster.get_mut(sid) {
                    peer.outgoing.next_direct += 1;
                }
            }
        }
        for frame in message.into_frames() {
            self.send_counted(frame);
        }
        self.untaken.push_back(Untaken {
            sent: self.sent,
            text: text.to_owned(),
        });
        Ok(count)
    }

    /// Says goodbye. What was said before arrives before it.
    pub fn leave(&mut self, now: Now) {
        if self.phase == Phase::Inside {
            self.state(Occasion::Leave, &[], now);
            self.send_counted(Frame::leave());
            self.phase = Phase::Leaving;
        }
    }

    /// Whether the session key can be changed now. It cannot while an old one is still there: the
    /// relay passes on what is under way to the key before the present one, and to no other.
    #[must_use]
    pub fn can_rekey(&self) -> bool {
        self.phase == Phase::Inside && self.keys.is_settled()
    }

    /// Goes on under a new session key.
    pub fn rekey(&mut self, key: SessionKey, now: Now) {
        self.schedule.is_rekeying = false;
        // Even where nothing comes of it: a relay that does not answer must not have keys made
        // without end.
        self.schedule.rekeyed = now.uptime;
        self.schedule.failures = 0;
        if !self.can_rekey() {
            return;
        }
        // The numbers of direct messages begin anew, so their last ones are stated before.
        self.state_to_all(now);
        let card = self.card.succeed(
            &self.room_key,
            &self.identity,
            key.public(),
            self.next,
            now.time,
        );
        self.roster.release(&self.card);
        self.roster
            .reserve(&card)
            .expect("its nick was just released, and nobody can have a key that was just made");
        self.sessions.insert(modulus_digest(&card), card.sid());
        self.keys.announce(card.sid(), key, now.uptime);
        self.send_counted(Frame::rekey(card.bytes()));
        self.card = card;
        for (_, peer) in self.roster.iter_mut() {
            peer.outgoing.next_direct = 0;
        }
    }

    /// Does what is due. To be called about once a second, or as often as one likes.
    pub fn tick(&mut self, now: Now) -> Vec<Event> {
        self.keys.destroy_old(now.uptime);
        if self.phase != Phase::Inside {
            return Vec::new();
        }
        if self.schedule.greeting.is_some_and(|at| at <= now.uptime) {
            self.greet(now);
        }
        if self.schedule.beacon + self.beacon_period(true) <= now.uptime {
            self.state_to_all(now);
        }
        let mut events = self.notice_silence(now.uptime);
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
        let mut events = Vec::new();
        for (_, peer) in self.roster.iter_mut() {
            let silence = now.saturating_sub(peer.heard);
            if silence > patience && !peer.reported.silence {
                peer.reported.silence = true;
                events.push(Event::Quiet(peer.card.nick().clone(), silence.as_secs()));
            }
            if is_stale(peer, now) && !peer.reported.stale_key {
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

    pub(super) fn state_to_all(&mut self, now: Now) {
        self.schedule.beacon = now.uptime;
        self.state(Occasion::Beacon, &[], now);
    }

    fn greet(&mut self, now: Now) {
        self.schedule.greeting = None;
        let newcomers: Vec<SessionId> = self
            .roster
            .iter()
            .filter(|(_, peer)| peer.outgoing.is_untold)
            .map(|(sid, _)| sid)
            .collect();
        if !newcomers.is_empty() {
            self.state(Occasion::Beacon, &newcomers, now);
        }
    }

    /// States what one sees, to these members, or to all if there are none.
    fn state(&mut self, occasion: Occasion, to: &[SessionId], now: Now) {
        let Some(view) = self.transcript.view(self.run) else {
            return;
        };
        let mut told = Vec::new();
        for (reader, peer) in self.roster.iter() {
            let is_addressed = to.is_empty() || to.contains(&reader);
            if is_addressed && (peer.outgoing.is_untold || peer.outgoing.next_direct > 0) {
                told.push(Told {
                    reader,
                    since: peer.outgoing.since,
                    next_direct: peer.outgoing.next_direct,
                });
            }
        }
        let statement = Statement {
            room: self.card.room(),
            sender: self.card.sid(),
            run: self.run,
            epoch: view.epoch,
            roster: *view.audience,
            seen: view.seen,
            parent: *view.parent,
            time: self.schedule.statement_time(now.time),
            occasion,
            next: self.next,
            told,
        };
        for told in &statement.told {
            if let Some(peer) = self.roster.get_mut(told.reader) {
                peer.outgoing.is_untold = false;
            }
        }
        let statement = statement.encode();
        let signature = self.identity.key.sign(&statement);
        self.send_counted(Frame::state(&statement, &signature, to));
    }

    fn send_counted(&mut self, frame: Frame) {
        self.sent += 1;
        self.outgoing.push(frame);
    }
}

fn is_stale(peer: &Peer, now: Duration) -> bool {
    now.saturating_sub(peer.key_since) > MAX_KEY_AGE
}
