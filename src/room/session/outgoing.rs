//! What this member says, states and announces, and when.

use std::collections::HashSet;
use std::time::Duration;

use crate::cipher::keys::PublicKey;
use crate::cipher::seal::Body;
use crate::room::Time;
use crate::room::card::SessionId;
use crate::room::frame::{Frame, MAX_FRAME};
use crate::room::message::{Header, Kind, SealedMessage, Stream, audience_digest, header_digest};
use crate::room::statement::{Direct, Occasion, Statement, Told};

use super::event::{Event, SayError, Standing};
use super::peer::Peer;
use super::unacknowledged::{Said, Sent};
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

/// A session key that was first seen longer ago than this gets no more messages.
const MAX_KEY_AGE: Duration = Duration::from_hours(24);

/// After so many messages that did not open, a new session key is due.
const FAILURES: u32 = 64;

/// How many bytes of a STATEMENT are about single readers. With the rest it fits into a frame.
const MAX_NEWS: usize = MAX_FRAME / 2;

/// Whom a message is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum To {
    /// Everybody who was in the room after this change of the roster, which is what was on the
    /// user's screen. Who came since is left out.
    Room {
        /// The number of the change, as [`Session::changes`] has it.
        shown: u64,
    },
    /// One member.
    Member(SessionId),
}

/// What is known of a message when it has been said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// Tells it from all others of this session.
    number: u64,
    /// How many can read it.
    pub readers: usize,
}

/// Who gets messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Policy {
    /// The least that must be known of somebody. Those whose identity has changed never get any.
    pub at_least: Standing,
    /// How often the session key is changed.
    pub rekey_after: Duration,
}

impl Policy {
    /// Whether somebody of whom this is known gets messages.
    #[must_use]
    pub fn admits(&self, standing: Standing) -> bool {
        standing >= self.at_least.max(Standing::New)
    }
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
    /// How many changes there were of what a user goes by: of the roster, with the first one on
    /// entering, and messages to this member alone.
    #[must_use]
    pub fn changes(&self) -> u64 {
        self.changes
    }

    /// Who gets messages.
    #[must_use]
    pub fn policy(&self) -> &Policy {
        &self.policy
    }

    /// Says something.
    ///
    /// # Errors
    /// Where it is not sent.
    pub fn say(&mut self, to: To, kind: Kind, text: &str, now: Now) -> Result<Receipt, SayError> {
        if text.is_empty() {
            return Err(SayError::Empty);
        }
        let Some(body) = Body::new(kind.code(), text.to_owned()) else {
            return Err(SayError::TooLong(text.len()));
        };
        if !self.has_entered || self.is_leaving {
            return Err(SayError::NotInRoom);
        }
        self.greet(now);
        let may_read =
            |peer: &Peer| self.policy.admits(peer.standing) && !is_stale(peer, now.uptime);

        let mut readers: Vec<(SessionId, &PublicKey)> = Vec::new();
        let mut left_out = Vec::new();
        let own = self.keys.listed();
        let (stream, sequence) = match to {
            To::Room { shown } => {
                for (sid, peer) in self.roster.iter() {
                    if may_read(peer) && peer.shown <= shown {
                        readers.push((sid, peer.card.session()));
                    } else {
                        left_out.push(sid);
                    }
                }
                (Stream::Room, self.next)
            }
            To::Member(sid) => {
                let number = match self.roster.get_mut(sid) {
                    Some(peer) if may_read(peer) => {
                        *peer.outgoing.direct.next(self.card.sid(), sid)
                    }
                    _ => return Err(SayError::NotThere),
                };
                let readable = self.roster.get(sid).map(|peer| (sid, peer.card.session()));
                readers.extend(readable);
                (Stream::Direct(sid), number)
            }
        };
        let view = self.transcript.view().ok_or(SayError::NotInRoom)?;
        let mut audience: Vec<SessionId> = readers.iter().map(|(sid, _)| *sid).collect();
        audience.push(match to {
            To::Room { .. } => own,
            To::Member(_) => self.card.sid(),
        });
        audience.sort_unstable();
        let header = Header {
            room: self.card.room(),
            sender: self.card.sid(),
            run: view.run,
            epoch: view.epoch,
            stream,
            sequence,
            time: now.time,
            left_out,
            audience: audience_digest(&audience),
            seen: view.seen,
            parent: *view.parent,
            commitment: body.commitment(),
        };
        if !header.fits() {
            return Err(SayError::TooManyLeftOut);
        }
        let mut informed = header.left_out.clone();
        if stream == Stream::Room {
            informed.push(self.card.sid());
        }
        let message = SealedMessage::seal(&header, &body, &self.identity.key, &readers, &informed);
        let readers = readers.len();
        match to {
            To::Room { .. } => {
                self.next += 1;
                for (_, peer) in self.roster.iter_mut() {
                    peer.outgoing.total += 1;
                }
            }
            To::Member(sid) => {
                if let Some(peer) = self.roster.get_mut(sid) {
                    *peer.outgoing.direct.next(self.card.sid(), sid) += 1;
                }
            }
        }
        self.spoken
            .push(header_digest(&message.header), text.to_owned());
        self.receipts += 1;
        let number = self.receipts;
        self.send(Sent::Message(Said::new(message, text.to_owned(), number)));
        Ok(Receipt { number, readers })
    }

    /// Whether the relay has yet to take what has this receipt.
    #[must_use]
    pub fn awaits(&self, receipt: &Receipt) -> bool {
        self.unacknowledged.has(receipt.number)
    }

    /// Says goodbye, once the relay has taken all that was said before.
    pub fn leave(&mut self, now: Now) {
        self.is_leaving = true;
        self.say_goodbye_if_due(now);
    }

    pub(super) fn say_goodbye_if_due(&mut self, now: Now) {
        let is_due = self.is_leaving && !self.said_goodbye && self.is_inside();
        if is_due && !self.unacknowledged.has_message() {
            self.state(Occasion::Leave, &[], now);
            self.send(Sent::Word(Frame::leave()));
            self.said_goodbye = true;
        }
    }

    /// Sends what the relay had not taken when this member had to enter the room anew, as it was.
    /// What is for somebody who is away is kept too.
    pub(super) fn send_again(&mut self, now: Now) {
        self.on_their_way.clear();
        let messages = self.unacknowledged.begin_again();
        // What was kept is older.
        self.send_held();
        let senders = [self.card.sid(), self.card.previous()].map(Some);
        for said in messages {
            if !senders.contains(&said.sender()) {
                self.unacknowledged.give_up(said);
                continue;
            }
            let absent = &self.absent;
            let is_away = |sid| absent.contains_key(&sid);
            self.unacknowledged.hold(&said, is_away, now.uptime);
            self.send(Sent::Message(said));
        }
    }

    /// Sends what was kept for those who have come back.
    pub(super) fn send_held(&mut self) {
        if self.said_goodbye {
            return;
        }
        let readers = self.unacknowledged.held_for();
        // The relay passes on what is for the session id before, and for none that is older.
        let is_back = |sid: &SessionId| {
            let present = self.present_sid(*sid);
            let peer = present.and_then(|present| self.roster.get(present));
            peer.is_some_and(|peer| peer.card.sid() == *sid || peer.card.follows(*sid))
        };
        let back: HashSet<SessionId> = readers.into_iter().filter(is_back).collect();
        for said in self.unacknowledged.take_held(&back) {
            self.send(Sent::Message(said));
        }
    }

    pub(super) fn send(&mut self, sent: Sent) {
        if let Sent::Message(said) = &sent {
            self.on_their_way.extend(said.header_to_come_back());
        }
        let frames = self.unacknowledged.push(sent);
        if self.is_inside() {
            self.outgoing.extend(frames);
        }
    }

    /// Does what is due. To be called about once a second, or as often as one likes.
    pub fn tick(&mut self, now: Now) -> Vec<Event> {
        self.keys.destroy_old(now.uptime);
        let expired = self.unacknowledged.take_expired(now.uptime);
        let mut events: Vec<Event> = expired
            .iter()
            .filter(|said| said.readers().next().is_some())
            .map(|said| Event::Undelivered(self.nicks(said.readers()), said.text().to_owned()))
            .collect();
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
            if is_stale(peer, now) && !is_new && !peer.reported.stale_key {
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
        self.transcript.mark_stated();
    }

    /// Tells newcomers, if there are any, where the numbers stand.
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

    /// States what one sees, to these members, or to all if there are none. Where that is more than
    /// a frame takes, some are told alone before.
    fn state(&mut self, occasion: Occasion, to: &[SessionId], now: Now) {
        let has_news = |(sid, peer): (SessionId, &Peer)| (peer.outgoing.size() > 0).then_some(sid);
        let about: Vec<SessionId> = match to {
            [] => self.roster.iter().filter_map(has_news).collect(),
            to => to.to_vec(),
        };
        let mut part = Vec::new();
        let mut size = 0;
        for reader in about {
            let more = (self.roster.get(reader)).map_or(0, |peer| 32 + peer.outgoing.size());
            if size + more > MAX_NEWS {
                self.state_about(Occasion::Beacon, &part, &part, now);
                (part, size) = (Vec::new(), 0);
            }
            part.push(reader);
            size += more;
        }
        let to = if to.is_empty() { to } else { &part };
        self.state_about(occasion, &part, to, now);
    }

    /// The same, with what there is to say of the readers `about` alone.
    fn state_about(&mut self, occasion: Occasion, about: &[SessionId], to: &[SessionId], now: Now) {
        let Some(view) = self.transcript.view() else {
            return;
        };
        let mut told = Vec::new();
        let mut direct = Vec::new();
        let mut unread = Vec::new();
        for (reader, peer) in about
            .iter()
            .filter_map(|sid| Some((*sid, self.roster.get(*sid)?)))
        {
            direct.extend(peer.outgoing.direct.iter());
            if peer.outgoing.is_untold {
                unread.extend(&peer.outgoing.unread);
                told.push(Told {
                    reader,
                    total: peer.outgoing.total,
                });
            }
        }
        told.sort_unstable_by_key(|told| told.reader);
        direct.sort_unstable_by_key(|stream: &Direct| (stream.from, stream.to));
        unread.sort_unstable();
        let statement = Statement {
            room: self.card.room(),
            sender: self.card.sid(),
            run: view.run,
            epoch: view.epoch,
            roster: *view.audience,
            seen: view.seen,
            parent: *view.parent,
            time: self.schedule.statement_time(now.time),
            occasion,
            next: self.next,
            told,
            direct,
            past: if to.is_empty() {
                self.transcript.past()
            } else {
                Vec::new()
            },
            unread,
        };
        for told in &statement.told {
            if let Some(peer) = self.roster.get_mut(told.reader) {
                peer.outgoing.is_untold = false;
            }
        }
        let statement = statement.encode();
        let signature = self.identity.key.sign(&statement);
        self.send(Sent::Word(Frame::state(&statement, &signature, to)));
    }
}

/// How long newcomers wait for their greeting, in a room with so many others.
fn greeting_delay(others: usize) -> Duration {
    let others = u32::try_from(others).unwrap_or(u32::MAX);
    GREETING + GREETING_PER_MEMBER.saturating_mul(others)
}

fn is_stale(peer: &Peer, now: Duration) -> bool {
    now.saturating_sub(peer.key_since) > MAX_KEY_AGE
}
