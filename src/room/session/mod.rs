//! The client's side: one member's session in a room, from the challenge to the goodbye
//! (PROTOCOL §5 to §11).
//!
//! Frames and the time go in, frames and events come out. It owns the private keys.
//!
//! - this file: entering, and the roster.
//! - `incoming`: what members send.
//! - `outgoing`: what this member says, states and announces, and when.
//! - `peer`, `own_keys`: what is known of each.

mod event;
mod incoming;
mod outgoing;
mod own_keys;
mod peer;

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use sha2::{Digest as _, Sha256};

use crate::cipher::encoding::Digest;
use crate::cipher::keys::SessionKey;

use super::Time;
use super::card::{Card, Identity, SessionId};
use super::frame::{Challenge, Departure, Frame, Limits, RunId, ToClient};
use super::names::{Nick, RoomKey, RoomName};
use super::notice::Notice;
use super::roster::{Conflict, Roster};
use super::transcript::Transcript;

pub use self::event::{Disbelief, End, Event, Person, SayError, Standing};
pub use self::outgoing::{Policy, To};

use self::outgoing::Schedule;
use self::own_keys::OwnKeys;
use self::peer::{Incoming, Outgoing, Peer, Reported};

/// A point in time, by both of a machine's clocks.
#[derive(Clone, Copy, Debug)]
pub struct Now {
    /// The time of day, which may jump.
    pub time: Time,
    /// The time since some point in the past, which only goes on.
    pub uptime: Duration,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// Nothing has come yet.
    Begun,
    /// The card is presented.
    Presented,
    /// The relay let this member in, and so many cards are still to come.
    Entering(u32),
    /// The room is known.
    Inside,
    /// The goodbye is said.
    Leaving,
}

/// A text that was sent, and that the relay has not acknowledged.
struct Untaken {
    /// How many counted frames had been sent with its last one.
    sent: u64,
    text: String,
}

/// A session in a room.
pub struct Session {
    identity: Identity,
    keys: OwnKeys,
    /// The card that this member presents. While a new session key is on its way, the roster still
    /// has the one before.
    card: Card,
    room_key: RoomKey,
    phase: Phase,
    run: RunId,
    limits: Limits,
    epoch: u64,
    roster: Roster<Peer>,
    /// Whose session keys they are, of all that were ever seen, one's own included: neither a key
    /// nor a session comes twice.
    sessions: HashMap<Digest, SessionId>,
    /// The number of this member's next message to the room.
    next: u64,
    transcript: Transcript,
    /// The headers of this member's own messages to the room that have not come back yet.
    on_their_way: VecDeque<Vec<u8>>,
    /// Counted frames: sent, of these acknowledged, and received.
    sent: u64,
    taken: u64,
    received: u64,
    untaken: VecDeque<Untaken>,
    outgoing: Vec<Frame>,
    policy: Policy,
    schedule: Schedule,
}

impl Session {
    /// A session of `identity` as `nick` in `room`, with a session key made for it.
    #[must_use]
    pub fn new(
        identity: Identity,
        key: SessionKey,
        nick: &Nick,
        room: &RoomName,
        policy: Policy,
        now: Now,
    ) -> Self {
        let card = Card::issue(room, nick, &identity, key.public(), now.time);
        let mut roster = Roster::default();
        roster.reserve(&card).expect("nobody is in an empty roster");
        Self {
            sessions: HashMap::from([(modulus_digest(&card), card.sid())]),
            keys: OwnKeys::new(card.sid(), key),
            card,
            identity,
            room_key: room.key(),
            phase: Phase::Begun,
            run: RunId([0; 16]),
            limits: Limits::default(),
            epoch: 0,
            roster,
            next: 0,
            transcript: Transcript::default(),
            on_their_way: VecDeque::new(),
            sent: 0,
            taken: 0,
            received: 0,
            untaken: VecDeque::new(),
            outgoing: Vec::new(),
            policy,
            schedule: Schedule::new(now.uptime),
        }
    }

    /// This member's card.
    #[must_use]
    pub fn card(&self) -> &Card {
        &self.card
    }

    /// What the relay asks of its clients, once it has said so.
    #[must_use]
    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    /// Whether the relay has let this member in.
    #[must_use]
    pub fn is_welcome(&self) -> bool {
        !matches!(self.phase, Phase::Begun | Phase::Presented)
    }

    /// Whether this member is in the room, and knows who else is.
    #[must_use]
    pub fn is_inside(&self) -> bool {
        self.phase == Phase::Inside
    }

    /// The others in the room, by nick.
    #[must_use]
    pub fn others(&self) -> Vec<Person> {
        let mut others: Vec<Person> = self.roster.iter().map(|(_, p)| p.person()).collect();
        others.sort_by_key(|person| person.nick.as_str().to_ascii_lowercase());
        others
    }

    /// Tells what the user knows of a member's identity.
    pub fn set_standing(&mut self, sid: SessionId, standing: Standing) {
        if let Some(peer) = self.roster.get_mut(sid) {
            peer.standing = standing;
        }
    }

    /// The texts that were sent and that the relay has not acknowledged, in order.
    pub fn untaken(&self) -> impl Iterator<Item = &str> {
        self.untaken.iter().map(|untaken| untaken.text.as_str())
    }

    /// The frames that are to be sent now, in order.
    pub fn take_outgoing(&mut self) -> Vec<Frame> {
        std::mem::take(&mut self.outgoing)
    }

    /// Takes a frame from the relay: its type and fields.
    ///
    /// # Errors
    /// Where the session is over.
    pub fn receive(&mut self, frame: &[u8], now: Now) -> Result<Vec<Event>, End> {
        let frame = ToClient::parse(frame)?;
        match (self.phase, frame) {
            (_, ToClient::Notice(code)) => {
                Err(Notice::from_code(code).map_or(End::UnknownNotice(code), End::Notice))
            }
            (Phase::Begun, ToClient::Challenge(challenge, limits)) => {
                self.present(&challenge, limits);
                Ok(Vec::new())
            }
            (Phase::Presented, ToClient::Welcome(welcome)) => {
                // There is nothing to resume, so this would be somebody else's welcome.
                if welcome.resumed || welcome.received != 0 {
                    return Err(End::Malformed);
                }
                self.epoch = welcome.epoch;
                Ok(self.entering(welcome.members, now))
            }
            (Phase::Entering(cards @ 1..), ToClient::Member(card)) => {
                let mut events = Vec::from_iter(self.admit(card, None, now).err());
                events.extend(self.entering(cards - 1, now));
                Ok(events)
            }
            // It is answered where frames are read: after decryption, the time that the answer
            // takes would tell how that went.
            (_, ToClient::Ping) if self.is_welcome() => Ok(Vec::new()),
            (Phase::Inside | Phase::Leaving, frame) => self.receive_inside(&frame, now),
            _ => Err(End::Malformed),
        }
    }

    fn present(&mut self, challenge: &Challenge, limits: Limits) {
        let possession = challenge.possession(self.card.sid(), self.received);
        let proof = self.identity.key.sign(&possession);
        self.outgoing
            .push(Frame::hello(self.card.bytes(), self.received, &proof));
        self.run = challenge.run;
        self.limits = limits;
        self.phase = Phase::Presented;
    }

    fn entering(&mut self, cards: u32, now: Now) -> Vec<Event> {
        if cards > 0 {
            self.phase = Phase::Entering(cards);
            return Vec::new();
        }
        self.phase = Phase::Inside;
        self.begin_epoch(self.epoch);
        self.state_to_all(now);
        vec![Event::Entered(self.others())]
    }

    fn receive_inside(&mut self, frame: &ToClient<'_>, now: Now) -> Result<Vec<Event>, End> {
        let events = match *frame {
            ToClient::Ack(count) => return self.acknowledged(count),
            ToClient::Joined { epoch, card } => {
                self.check_epoch(epoch)?;
                let event = self.admit(card, Some(epoch), now);
                self.begin_epoch(epoch);
                vec![event.map_or_else(|event| event, Event::Joined)]
            }
            ToClient::Rekeyed { epoch, card } => {
                self.check_epoch(epoch)?;
                let events = self.succeeded(epoch, card, now);
                self.begin_epoch(epoch);
                events
            }
            ToClient::Left {
                epoch,
                sid,
                departure,
            } => {
                self.check_epoch(epoch)?;
                let gone = self.roster.remove(sid);
                self.begin_epoch(epoch);
                Vec::from_iter(gone.map(|peer| left(&peer, departure)))
            }
            ToClient::Deliver {
                header,
                signature,
                ciphertext,
            } => self.deliver(header, signature, ciphertext, now),
            ToClient::Statement {
                statement,
                signature,
            } => self.hear(statement, signature, now),
            _ => return Err(End::Malformed),
        };
        self.received += 1;
        Ok(events)
    }

    fn acknowledged(&mut self, count: u64) -> Result<Vec<Event>, End> {
        if !(self.taken..=self.sent).contains(&count) {
            return Err(End::Malformed);
        }
        self.taken = count;
        let before = self.untaken.len();
        self.untaken.retain(|untaken| untaken.sent > count);
        match before - self.untaken.len() {
            0 => Ok(Vec::new()),
            taken => Ok(vec![Event::Taken(taken)]),
        }
    }

    /// Each change of the roster has the number after the one before.
    fn check_epoch(&self, epoch: u64) -> Result<(), End> {
        if self.epoch.checked_add(1) == Some(epoch) {
            Ok(())
        } else {
            Err(End::Malformed)
        }
    }

    fn begin_epoch(&mut self, epoch: u64) {
        self.epoch = epoch;
        let mut roster: Vec<SessionId> = self.roster.iter().map(|(sid, _)| sid).collect();
        roster.push(self.keys.listed());
        roster.sort_unstable();
        self.transcript.begin(epoch, roster);
    }

    /// Adds a member, which joined in this epoch, or before oneself.
    fn admit(&mut self, card: &[u8], joined: Option<u64>, now: Now) -> Result<Person, Event> {
        let card = self.believe(card).map_err(Event::Disbelieved)?;
        let peer = Peer {
            standing: Standing::default(),
            is_confirmed: false,
            said_goodbye: false,
            joined: joined.unwrap_or(self.epoch),
            key_since: now.uptime,
            heard: now.uptime,
            stated: 0,
            reported: Reported::default(),
            // Of one that joins later than oneself it is known what it sends first.
            incoming: joined.map_or_else(Incoming::default, |_| Incoming::from(card.next())),
            outgoing: Outgoing {
                since: self.next,
                next_direct: 0,
                is_untold: joined.is_some(),
            },
            card: card.clone(),
        };
        if joined.is_some() {
            self.schedule.greet(self.roster.len(), now.uptime);
        }
        let newcomer = peer.person();
        self.roster
            .insert(&card, peer)
            .map_err(|conflict| Event::Disbelieved(Disbelief::Conflict(conflict)))?;
        self.sessions.insert(modulus_digest(&card), card.sid());
        Ok(newcomer)
    }

    /// Checks a card that the relay presents.
    fn believe(&self, card: &[u8]) -> Result<Card, Disbelief> {
        let card = Card::parse_as_member(card, self.card.room(), &self.room_key)
            .map_err(Disbelief::Card)?;
        match self.sessions.get(&modulus_digest(&card)) {
            None => Ok(card),
            Some(sid) if *sid == card.sid() => Err(Disbelief::Gone),
            Some(_) => Err(Disbelief::Conflict(Conflict::SessionKey)),
        }
    }

    /// Somebody, oneself perhaps, has another session key.
    fn succeeded(&mut self, epoch: u64, card: &[u8], now: Now) -> Vec<Event> {
        if card == &**self.card.bytes() && self.keys.list(self.card.sid(), epoch) {
            return Vec::new();
        }
        let card = match self.believe(card) {
            Ok(card) => card,
            Err(disbelief) => return vec![Event::Disbelieved(disbelief)],
        };
        let before = self.roster.get(card.previous());
        if !before.is_some_and(|peer| card.succeeds(&peer.card)) {
            return vec![Event::Disbelieved(Disbelief::Succession)];
        }
        let Some(mut peer) = self.roster.remove(card.previous()) else {
            return Vec::new();
        };
        let nick = card.nick().clone();
        let mut events = Vec::new();
        let missing = peer.incoming.succeed(card.next());
        if missing > 0 {
            self.transcript.mark_incomplete();
            events.push(Event::Missing(nick.clone(), missing));
        }
        peer.key_since = now.uptime;
        peer.reported.stale_key = false;
        peer.outgoing.next_direct = 0;
        peer.card = card.clone();
        self.sessions.insert(modulus_digest(&card), card.sid());
        events.push(match self.roster.insert(&card, peer) {
            Ok(()) => Event::Rekeyed(nick),
            Err(conflict) => Event::Disbelieved(Disbelief::Conflict(conflict)),
        });
        events
    }
}

fn left(peer: &Peer, departure: Departure) -> Event {
    Event::Left {
        nick: peer.card.nick().clone(),
        departure,
        is_signed: peer.said_goodbye,
    }
}

fn modulus_digest(card: &Card) -> Digest {
    Sha256::digest(card.session().modulus()).into()
}
