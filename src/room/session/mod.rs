//! The client's side: one member's session in a room, from the challenge to the goodbye
//! (PROTOCOL §5 to §11).
//!
//! Frames and the time go in, frames and events come out. It owns the private keys.
//!
//! - this file: what the session is, and which frame is for what.
//! - `entering`: from the challenge to the room, over each connection.
//! - `members`: who is in the room, and who may come back.
//! - `incoming`: what members send.
//! - `saying`: what this member says, to whom, and how it is sent again.
//! - `stating`: what it states, to all and to newcomers. `schedule`: what is due when.
//! - `succession`: this member's own card, with another session key or nick.
//! - `said`: a message of this member's. `unacknowledged`: what was sent, until the relay has it;
//!   `held`: until its readers are there; `spoken`: what was said lately.
//! - `peer`, `own_keys`: what is known of each.
//! - `seen`: which sessions and session keys there were.

mod entering;
mod event;
mod held;
mod incoming;
mod members;
mod own_keys;
mod peer;
mod said;
mod saying;
mod schedule;
mod seen;
mod spoken;
mod stating;
mod succession;
mod unacknowledged;

use std::collections::{HashMap, HashSet, VecDeque};
use std::time::Duration;

use crate::cipher::encoding::Digest;
use crate::cipher::keys::SessionKey;

use super::Time;
use super::card::{Card, CardError, Identity, SessionId};
use super::frame::{Frame, RelayLimits, RunId, ToClient, Welcome};
use super::names::{Nick, RoomKey, RoomName};
use super::notice::Notice;
use super::roster::Roster;
use super::transcript::Transcript;

pub use self::event::{Disbelief, End, Event, Person, Presence, SayError, Standing};
pub use self::saying::{Policy, Receipt, To};

use self::held::Held;
use self::members::{left, roster_around};
use self::own_keys::OwnKeys;
use self::peer::Peer;
use self::said::Said;
use self::schedule::Schedule;
use self::seen::Seen;
use self::spoken::Spoken;
use self::unacknowledged::Unacknowledged;

/// A point in time, by both of a machine's clocks.
#[derive(Clone, Copy, Debug)]
pub struct Now {
    /// The time of day, which may jump.
    pub time: Time,
    /// The time since some point in the past, which only goes on.
    pub uptime: Duration,
}

/// How far the present connection is.
enum Phase {
    /// Nothing has come yet.
    Begun,
    /// This card is presented.
    Presented(Box<Card>),
    /// The relay let this member in, and the cards of the others come.
    Entering(Welcome, Vec<Result<Card, CardError>>),
    /// The room is known.
    Inside,
}

/// A session in a room. It outlives its connections.
pub struct Session {
    identity: Identity,
    keys: OwnKeys,
    /// The card that this member presents.
    card: Card,
    /// The one before, while the relay has not shown that it has taken the present one.
    card_before: Option<Card>,
    room_key: RoomKey,
    phase: Phase,
    /// Whether this member has been in the room, over whatever connection.
    has_entered: bool,
    /// The epoch in which it joined, if it knows the room as it was since then: it can go on from
    /// there.
    joined: Option<u64>,
    is_leaving: bool,
    said_goodbye: bool,
    run: RunId,
    limits: RelayLimits,
    epoch: u64,
    /// How many changes of the roster, and messages to it alone, this member was shown, in whatever
    /// run of the relay.
    changes: u64,
    roster: Roster<Peer>,
    /// Those who were in the room and may come back, for all that is known.
    absent: HashMap<SessionId, Peer>,
    /// The session ids of cards that the relay lists and this member has refused.
    refused: HashSet<SessionId>,
    /// The sessions that there were, one's own included.
    sessions: Seen<SessionId, ()>,
    /// The session keys of others, by the digests of their moduli, and when each was first seen.
    keys_seen: Seen<Digest, Duration>,
    /// The number of this member's next message to the room.
    next: u64,
    /// How many messages were said, whoever they were for.
    receipts: u64,
    transcript: Transcript,
    /// The headers of this member's own messages to the room that have not come back yet.
    on_their_way: VecDeque<Vec<u8>>,
    unacknowledged: Unacknowledged,
    held: Held,
    spoken: Spoken,
    /// How many counted frames were received.
    received: u64,
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
        let mut sessions = Seen::default();
        sessions.note(card.sid(), ());
        Self {
            sessions,
            keys_seen: Seen::default(),
            keys: OwnKeys::new(card.sid(), key),
            roster: roster_around(&card),
            card,
            card_before: None,
            identity,
            room_key: room.key(),
            phase: Phase::Begun,
            has_entered: false,
            joined: None,
            is_leaving: false,
            said_goodbye: false,
            run: RunId([0; 16]),
            limits: RelayLimits::default(),
            epoch: 0,
            changes: 0,
            absent: HashMap::new(),
            refused: HashSet::new(),
            next: 0,
            receipts: 0,
            transcript: Transcript::default(),
            on_their_way: VecDeque::new(),
            unacknowledged: Unacknowledged::default(),
            held: Held::default(),
            spoken: Spoken::default(),
            received: 0,
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
    pub fn limits(&self) -> &RelayLimits {
        &self.limits
    }

    /// Whether this member is in the room, and connected to it.
    #[must_use]
    pub fn is_inside(&self) -> bool {
        matches!(self.phase, Phase::Inside)
    }

    /// Whether the goodbye is said: the connection may end.
    #[must_use]
    pub fn has_said_goodbye(&self) -> bool {
        self.said_goodbye
    }

    /// How many counted frames were received over the present connection and those before it that
    /// it goes on with.
    #[must_use]
    pub fn received(&self) -> u64 {
        self.received
    }

    /// Whether anything was sent that the relay has not acknowledged.
    #[must_use]
    pub fn is_waiting(&self) -> bool {
        !self.unacknowledged.is_empty()
    }

    /// The others in the room, by nick.
    #[must_use]
    pub fn others(&self) -> Vec<Person> {
        let mut others: Vec<Person> = self.roster.iter().map(|(_, p)| p.person()).collect();
        others.sort_by_key(|person| person.nick.as_str().to_ascii_lowercase());
        others
    }

    /// Whoever is in the room and has this nick, or one that looks like it.
    #[must_use]
    pub fn person(&self, nick: &Nick) -> Option<Person> {
        let skeleton = nick.skeleton();
        let mut peers = self.roster.iter().map(|(_, peer)| peer);
        let found = peers.find(|peer| peer.card.nick().skeleton() == skeleton);
        found.map(Peer::person)
    }

    /// What is known of how somebody is there, if they are.
    #[must_use]
    pub fn presence(&self, sid: SessionId) -> Option<Presence> {
        let peer = self.roster.get(sid)?;
        Some(Presence {
            here_since: peer.here_since,
            key_since: peer.key_since,
            heard: peer.heard,
            named: peer.named,
            away: peer.away.clone(),
        })
    }

    /// Tells what the user knows of a member's identity.
    pub fn set_standing(&mut self, sid: SessionId, standing: Standing) {
        if let Some(peer) = self.roster.get_mut(sid) {
            peer.standing = standing;
        }
    }

    /// The texts that were sent and that the relay has not acknowledged, in order.
    pub fn untaken(&self) -> impl Iterator<Item = &str> {
        let messages = self.unacknowledged.messages();
        let untaken = messages.filter(|said| said.receipt().is_some());
        untaken.map(Said::text)
    }

    /// The texts that the relay has taken, and that wait for these to come back.
    pub fn undelivered(&self) -> impl Iterator<Item = (Vec<Nick>, &str)> {
        let messages = self.held.iter().chain(self.unacknowledged.messages());
        let again = messages.filter(|said| said.receipt().is_none());
        again.map(|said| (self.nicks(said.readers()), said.text()))
    }

    /// The frames that are to be sent now, in order.
    pub fn take_outgoing(&mut self) -> Vec<Frame> {
        std::mem::take(&mut self.outgoing)
    }

    /// The connection is over. What is said meanwhile is sent over the next one.
    pub fn disconnect(&mut self) {
        self.phase = Phase::Begun;
        self.outgoing.clear();
    }

    /// Takes a frame from the relay: its type and fields.
    ///
    /// # Errors
    /// Where the session is over.
    pub fn receive(&mut self, frame: &[u8], now: Now) -> Result<Vec<Event>, End> {
        let frame = ToClient::parse(frame)?;
        let phase = std::mem::replace(&mut self.phase, Phase::Begun);
        match (phase, frame) {
            (_, ToClient::Notice(code)) => {
                Err(Notice::from_code(code).map_or(End::UnknownNotice(code), End::Notice))
            }
            (Phase::Begun, ToClient::Challenge(challenge, limits)) => {
                self.limits = limits;
                self.present(&challenge, now)?;
                Ok(Vec::new())
            }
            (Phase::Presented(card), ToClient::Welcome(welcome)) => {
                if welcome.resumed {
                    return self.resume(&welcome, now);
                }
                self.check(&welcome)?;
                self.card = *card;
                // Whatever breaks from here on, what the connection before brought is over.
                (self.joined, self.received) = (None, 0);
                Ok(self.enter(welcome, Vec::new(), now))
            }
            (Phase::Entering(welcome, mut cards), ToClient::Member(card)) => {
                cards.push(Card::parse(card, self.card.room()));
                Ok(self.enter(welcome, cards, now))
            }
            // It is answered where frames are read: after decryption, the time that the answer
            // takes would tell how that went.
            (phase @ (Phase::Entering(..) | Phase::Inside), ToClient::Ping) => {
                self.phase = phase;
                Ok(Vec::new())
            }
            (Phase::Inside, frame) => {
                self.phase = Phase::Inside;
                self.receive_inside(&frame, now)
            }
            _ => Err(End::Malformed),
        }
    }

    fn receive_inside(&mut self, frame: &ToClient<'_>, now: Now) -> Result<Vec<Event>, End> {
        let events = match *frame {
            ToClient::Ack(count) => {
                let taken = self.unacknowledged.acknowledge(count)?;
                self.say_goodbye_if_due(now);
                return Ok(Vec::from_iter((taken > 0).then_some(Event::Taken(taken))));
            }
            ToClient::Joined { epoch, card } => {
                self.check_epoch(epoch)?;
                self.begin_change(epoch);
                let events = match Card::parse(card, self.card.room()) {
                    Ok(card) => self.arrive(card, now),
                    Err(error) => vec![Event::Disbelieved(Disbelief::Card(error))],
                };
                self.begin_epoch();
                events
            }
            ToClient::Rekeyed { epoch, card } => {
                self.check_epoch(epoch)?;
                self.begin_change(epoch);
                let events = self.succeeded(card, now)?;
                self.begin_epoch();
                events
            }
            ToClient::Left {
                epoch,
                sid,
                departure,
            } => {
                self.check_epoch(epoch)?;
                self.begin_change(epoch);
                let left = self.roster.get(sid).map(|peer| left(peer, departure));
                self.remove(sid);
                self.begin_epoch();
                Vec::from_iter(left)
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
}
