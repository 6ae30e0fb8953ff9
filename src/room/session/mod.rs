//! The client's side: one member's session in a room, from the challenge to the goodbye
//! (PROTOCOL §5 to §11).
//!
//! Frames and the time go in, frames and events come out. It owns the private keys.
//!
//! - this file: entering, and the roster.
//! - `incoming`: what members send.
//! - `outgoing`: what this member says, states and announces, and when.
//! - `unacknowledged`: what was sent, until the relay has it and its readers are there.
//! - `peer`, `own_keys`: what is known of each.

mod event;
mod incoming;
mod outgoing;
mod own_keys;
mod peer;
mod unacknowledged;

use std::collections::{HashMap, HashSet, VecDeque};
use std::time::Duration;

use crate::cipher::encoding::Digest;
use crate::cipher::keys::SessionKey;

use super::Time;
use super::card::{Card, CardError, Identity, SessionId};
use super::frame::{Challenge, Departure, Frame, Limits, RunId, ToClient, Welcome};
use super::names::{Nick, RoomKey, RoomName};
use super::notice::Notice;
use super::roster::{Conflict, Roster, modulus_digest};
use super::transcript::{Transcript, Version};

pub use self::event::{Disbelief, End, Event, Person, SayError, Standing};
pub use self::outgoing::{Policy, To};

use self::outgoing::Schedule;
use self::own_keys::OwnKeys;
use self::peer::{Arrival, Peer, Reported};
use self::unacknowledged::Unacknowledged;

/// The most members of a room that a client takes from a relay.
const MAX_MEMBERS: u32 = 65_536;

/// How many of those who are away are remembered.
const MAX_ABSENT: usize = 4096;

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
    limits: Limits,
    epoch: u64,
    /// How many changes of the roster this member was shown, in whatever run of the relay.
    changes: u64,
    roster: Roster<Peer>,
    /// Those who were in the room and may come back, for all that is known.
    absent: HashMap<SessionId, Peer>,
    /// Whose session keys they are, of all that were ever seen, one's own included: neither a key
    /// nor a session that is over comes twice.
    sessions: HashMap<Digest, SessionId>,
    /// The number of this member's next message to the room.
    next: u64,
    transcript: Transcript,
    /// The headers of this member's own messages to the room that have not come back yet.
    on_their_way: VecDeque<Vec<u8>>,
    unacknowledged: Unacknowledged,
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
        Self {
            sessions: HashMap::from([(modulus_digest(&card), card.sid())]),
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
            limits: Limits::default(),
            epoch: 0,
            changes: 0,
            absent: HashMap::new(),
            next: 0,
            transcript: Transcript::default(),
            on_their_way: VecDeque::new(),
            unacknowledged: Unacknowledged::default(),
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
    pub fn limits(&self) -> &Limits {
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

    /// Tells what the user knows of a member's identity.
    pub fn set_standing(&mut self, sid: SessionId, standing: Standing) {
        if let Some(peer) = self.roster.get_mut(sid) {
            peer.standing = standing;
        }
    }

    /// The texts that were sent and that the relay has not acknowledged, in order.
    pub fn untaken(&self) -> impl Iterator<Item = &str> {
        self.unacknowledged.texts()
    }

    /// The texts that the relay has taken, and that wait for these to come back.
    pub fn undelivered(&self) -> impl Iterator<Item = (Vec<Nick>, &str)> {
        self.unacknowledged
            .held()
            .map(|said| (self.absent_nicks(said.readers()), said.text()))
    }

    /// Who of these is away.
    fn absent_nicks(&self, sids: impl Iterator<Item = SessionId>) -> Vec<Nick> {
        sids.filter_map(|sid| self.absent.get(&sid))
            .map(|peer| peer.card.nick().clone())
            .collect()
    }

    /// Who these are, wherever they are.
    fn nicks(&self, sids: impl Iterator<Item = SessionId>) -> Vec<Nick> {
        let present = |sid| self.roster.get(self.present_sid(sid)?);
        sids.filter_map(|sid| self.absent.get(&sid).or_else(|| present(sid)))
            .map(|peer| peer.card.nick().clone())
            .collect()
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
                cards.push(Card::parse_as_member(
                    card,
                    self.card.room(),
                    &self.room_key,
                ));
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

    fn present(&mut self, challenge: &Challenge, now: Now) -> Result<(), End> {
        // A run that was over does not come again: it would repeat its epochs.
        if !self.transcript.may_be_in(challenge.run) {
            return Err(End::Malformed);
        }
        self.run = challenge.run;
        let card = if self.has_entered {
            // The latest one, even if it is not known whether the relay has had it: others may
            // have seen it.
            let (key, identity) = (&self.room_key, &self.identity);
            self.card.renew(key, identity, self.next, now.time)
        } else {
            self.card.clone()
        };
        let resumes = self.joined.filter(|_| self.is_in_this_run());
        let received = resumes.map_or(0, |_| self.received);
        let possession = challenge.possession(card.sid(), received);
        let proof = self.identity.key.sign(&possession);
        let hello = Frame::hello(card.bytes(), resumes, received, &proof);
        self.outgoing.push(hello);
        self.phase = Phase::Presented(Box::new(card));
        Ok(())
    }

    /// Whether the relay is still in the run in which this member was in the room.
    fn is_in_this_run(&self) -> bool {
        let view = self.transcript.view();
        view.is_some_and(|view| view.run == self.run)
    }

    /// The relay goes on with this member where the connection broke.
    fn resume(&mut self, welcome: &Welcome, now: Now) -> Result<Vec<Event>, End> {
        if self.joined.is_none() || !self.is_in_this_run() || welcome.members > 0 {
            return Err(End::Malformed);
        }
        let taken = self.unacknowledged.acknowledge(welcome.received)?;
        self.phase = Phase::Inside;
        self.outgoing.extend(self.unacknowledged.frames());
        self.say_goodbye_if_due(now);
        let mut events = vec![Event::Resumed];
        events.extend((taken > 0).then_some(Event::Taken(taken)));
        Ok(events)
    }

    /// Whether a relay can let this member in like that.
    fn check(&self, welcome: &Welcome) -> Result<(), End> {
        let is_next = self.transcript.view().is_none_or(|view| {
            // No epoch comes twice in a run.
            view.run != self.run || view.epoch < welcome.epoch
        });
        let fits = welcome.members < self.limits.members.min(MAX_MEMBERS);
        if is_next && fits && welcome.received == 0 {
            Ok(())
        } else {
            Err(End::Malformed)
        }
    }

    fn enter(
        &mut self,
        welcome: Welcome,
        cards: Vec<Result<Card, CardError>>,
        now: Now,
    ) -> Vec<Event> {
        if usize::try_from(welcome.members) != Ok(cards.len()) {
            self.phase = Phase::Entering(welcome, cards);
            return Vec::new();
        }
        let before: HashSet<SessionId> = self.roster.iter().map(|(sid, _)| sid).collect();
        for sid in &before {
            self.remove(*sid);
        }
        self.roster = roster_around(&self.card);
        self.transcript.enter(self.run, welcome.epoch);
        self.begin_change(welcome.epoch);
        self.keys.list(self.card.sid(), self.version());
        let mut events = Vec::new();
        for card in cards {
            let placed = card
                .map_err(|error| Event::Disbelieved(Disbelief::Card(error)))
                .and_then(|card| self.admit(&card, Arrival::Found, &before, now));
            match placed {
                Ok((person, former)) => events.extend(renamed(person, former)),
                Err(disbelieved) => events.push(disbelieved),
            }
        }
        events.extend(self.settle_card());
        self.begin_epoch();
        self.joined = Some(welcome.epoch);
        self.phase = Phase::Inside;
        let is_return = std::mem::replace(&mut self.has_entered, true);
        self.send_again(now);
        self.state_to_all(now);
        self.say_goodbye_if_due(now);
        let people = self.others();
        events.push(if is_return {
            let absent = self.absent_nicks(before.into_iter());
            Event::Returned { people, absent }
        } else {
            Event::Entered(people)
        });
        events
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
                let joined = Card::parse_as_member(card, self.card.room(), &self.room_key)
                    .map_err(|error| Event::Disbelieved(Disbelief::Card(error)))
                    .and_then(|card| self.join(&card, now));
                self.begin_epoch();
                joined.unwrap_or_else(|disbelieved| vec![disbelieved])
            }
            ToClient::Rekeyed { epoch, card } => {
                self.check_epoch(epoch)?;
                self.begin_change(epoch);
                let events = self.succeeded(card, now);
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

    /// Each change of the roster has the number after the one before.
    fn check_epoch(&self, epoch: u64) -> Result<(), End> {
        if self.epoch.checked_add(1) == Some(epoch) {
            Ok(())
        } else {
            Err(End::Malformed)
        }
    }

    fn begin_change(&mut self, epoch: u64) {
        self.epoch = epoch;
        self.changes += 1;
    }

    fn begin_epoch(&mut self) {
        let mut roster: Vec<SessionId> = self.roster.iter().map(|(sid, _)| sid).collect();
        roster.push(self.keys.listed());
        roster.sort_unstable();
        self.transcript.begin(self.epoch, roster);
    }

    /// The present version of the roster.
    fn version(&self) -> Version {
        let found = self.transcript.version(self.run, self.epoch);
        found.unwrap_or_default()
    }

    fn join(&mut self, card: &Card, now: Now) -> Result<Vec<Event>, Event> {
        let is_back = self.knows(card).is_some();
        let (person, former) = self.admit(card, Arrival::Joined, &HashSet::new(), now)?;
        self.schedule.greet(self.roster.len(), now.uptime);
        self.send_held();
        let mut events = Vec::from_iter(renamed(person.clone(), former));
        events.push(if is_back {
            Event::Back(person)
        } else {
            Event::Joined(person)
        });
        Ok(events)
    }

    /// Under which session id a member is in the roster that has or had this one.
    fn present_sid(&self, sid: SessionId) -> Option<SessionId> {
        if self.roster.get(sid).is_some() {
            return Some(sid);
        }
        let mut peers = self.roster.iter();
        let found = peers.find(|(_, peer)| peer.former == Some(sid));
        found.map(|(present, _)| present)
    }

    /// Takes a member out of the roster. Unless it has said goodbye, it may come back.
    fn remove(&mut self, sid: SessionId) {
        if let Some(mut peer) = self.roster.remove(sid)
            && !peer.said_goodbye
        {
            self.forget_longest_absent();
            peer.outgoing.end(self.next);
            peer.incoming.forget_recent();
            self.absent.insert(sid, peer);
        }
    }

    /// Makes room for somebody who is away.
    fn forget_longest_absent(&mut self) {
        if self.absent.len() < MAX_ABSENT {
            return;
        }
        let longest = self.absent.iter().min_by_key(|(_, peer)| peer.heard);
        if let Some(sid) = longest.map(|(sid, _)| *sid) {
            self.absent.remove(&sid);
        }
    }

    /// Under which session id somebody was here before who comes with this card.
    fn knows(&self, card: &Card) -> Option<SessionId> {
        let before = [card.sid(), card.previous()];
        before.into_iter().find(|sid| {
            (self.absent.get(sid))
                .is_some_and(|peer| peer.card.sid() == card.sid() || card.succeeds(&peer.card))
        })
    }

    /// Adds a member to the roster. Those of `shown` are on the user's screen already. Returns what
    /// it was called before, too, if that was something else.
    fn admit(
        &mut self,
        card: &Card,
        arrival: Arrival,
        shown: &HashSet<SessionId>,
        now: Now,
    ) -> Result<(Person, Option<Nick>), Event> {
        self.believe(card).map_err(Event::Disbelieved)?;
        self.roster
            .check(card)
            .map_err(|conflict| Event::Disbelieved(Disbelief::Conflict(conflict)))?;
        let known = self.knows(card).and_then(|sid| self.absent.remove(&sid));
        let mut peer = known.unwrap_or_else(|| Peer::new(card.clone(), now.uptime));
        if !shown.contains(&peer.card.sid()) {
            peer.shown = self.changes;
        }
        if peer.card.sid() != card.sid() {
            peer.former = Some(peer.card.sid());
            peer.key_since = now.uptime;
        }
        let before = std::mem::replace(&mut peer.card, card.clone());
        let former = (before.nick() != card.nick()).then(|| before.nick().clone());
        peer.joined = self.version();
        peer.here_since = now.uptime;
        peer.heard = now.uptime;
        peer.is_confirmed = false;
        peer.reported = Reported::default();
        peer.incoming.begin(arrival, card.next());
        peer.outgoing.begin(self.next);
        // Whoever meets this member for the first time knows that it has said nothing yet.
        peer.outgoing.is_untold = arrival == Arrival::Joined || self.next > 0;
        let person = peer.person();
        self.roster
            .insert(card, peer)
            .map_err(|conflict| Event::Disbelieved(Disbelief::Conflict(conflict)))?;
        self.sessions.insert(modulus_digest(card), card.sid());
        Ok((person, former))
    }

    /// Whether a card can be that of somebody who is in the room.
    fn believe(&self, card: &Card) -> Result<(), Disbelief> {
        match self.sessions.get(&modulus_digest(card)) {
            None => Ok(()),
            Some(sid) if *sid != card.sid() => Err(Disbelief::Conflict(Conflict::SessionKey)),
            Some(sid) if self.absent.contains_key(sid) => Ok(()),
            Some(_) => Err(Disbelief::Gone),
        }
    }

    /// The relay has listed the present card: there is no way back to the one before.
    fn settle_card(&mut self) -> Option<Event> {
        let before = self.card_before.take()?;
        let nick = self.card.nick();
        (before.nick() != nick).then(|| Event::Called(nick.clone()))
    }

    /// Somebody, oneself perhaps, has another session key.
    fn succeeded(&mut self, card: &[u8], now: Now) -> Vec<Event> {
        let version = self.version();
        if card == &**self.card.bytes() && self.keys.list(self.card.sid(), version) {
            // The relay has taken all that came before the key too.
            let taken = self.unacknowledged.acknowledge_key();
            let taken = (taken > 0).then_some(Event::Taken(taken));
            return taken.into_iter().chain(self.settle_card()).collect();
        }
        let card = match Card::parse_as_member(card, self.card.room(), &self.room_key) {
            Ok(card) => card,
            Err(error) => return vec![Event::Disbelieved(Disbelief::Card(error))],
        };
        if let Err(disbelief) = self.believe(&card) {
            return vec![Event::Disbelieved(disbelief)];
        }
        let before = self.roster.get(card.previous());
        if !before.is_some_and(|peer| card.succeeds(&peer.card)) {
            return vec![Event::Disbelieved(Disbelief::Succession)];
        }
        let Some(mut peer) = self.roster.remove(card.previous()) else {
            return Vec::new();
        };
        let nick = card.nick().clone();
        let mut events = Vec::new();
        let missing = peer.incoming.learn(card.next(), None);
        if missing > 0 {
            self.transcript.mark_incomplete();
            events.push(Event::Missing(nick.clone(), missing));
        }
        peer.incoming.forget_recent();
        peer.key_since = now.uptime;
        peer.reported.stale_key = false;
        peer.former = Some(peer.card.sid());
        let former = std::mem::replace(&mut peer.card, card.clone()).nick().clone();
        let person = peer.person();
        self.sessions.insert(modulus_digest(&card), card.sid());
        events.push(match self.roster.insert(&card, peer) {
            Ok(()) if former == nick => Event::Rekeyed(nick),
            Ok(()) => Event::Renamed { former, person },
            Err(conflict) => Event::Disbelieved(Disbelief::Conflict(conflict)),
        });
        events
    }
}

/// The event that somebody is called something else, if they are.
fn renamed(person: Person, former: Option<Nick>) -> Option<Event> {
    former.map(|former| Event::Renamed { former, person })
}

/// An empty roster in which nobody else can take this member's nick or session key.
fn roster_around(card: &Card) -> Roster<Peer> {
    let mut roster = Roster::default();
    roster.reserve(card).expect("nobody is in an empty roster");
    roster
}

fn left(peer: &Peer, departure: Departure) -> Event {
    Event::Left {
        nick: peer.card.nick().clone(),
        departure,
        is_signed: peer.said_goodbye,
    }
}
