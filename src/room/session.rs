//! The client's side: one member's session in a room, from the challenge to the goodbye
//! (PROTOCOL §5, §7, §8).
//!
//! Frames and the time go in, frames and events come out. It owns the private keys.

use std::collections::VecDeque;

use crate::cipher::encoding::Malformed;
use crate::cipher::fingerprint::Fingerprint;
use crate::cipher::keys::{PublicKey, SessionKey};
use crate::cipher::seal::Body;

use super::Time;
use super::card::{Card, CardError, Identity, SessionId};
use super::frame::{Challenge, Departure, Frame, Limits, RunId, ToClient};
use super::message::{
    Header, Kind, OpenError, Opened, SealedMessage, Stream, audience_digest, open, verify,
};
use super::names::{Nick, RoomKey, RoomName};
use super::notice::Notice;
use super::roster::{Conflict, Roster};
use super::text::SafeText;
use super::transcript::{Comparison, Transcript};

/// A member as a person sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Person {
    /// What it is called.
    pub nick: Nick,
    /// The fingerprint of its identity.
    pub fingerprint: Fingerprint,
    /// Whether that identity outlives the session.
    pub is_lasting: bool,
}

/// Why a card that the relay presented is not believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Disbelief {
    /// The card itself is wrong.
    Card(CardError),
    /// It does not go together with another member's.
    Conflict(Conflict),
}

impl std::fmt::Display for Disbelief {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Card(error) => error.fmt(f),
            Self::Conflict(conflict) => conflict.fmt(f),
        }
    }
}

/// What happened in the room.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// This member is in the room, with these others.
    Entered(Vec<Person>),
    /// Somebody came.
    Joined(Person),
    /// Somebody went.
    Left(Nick, Departure),
    /// The relay presented somebody whose card is not believed: it gets no messages.
    Disbelieved(Disbelief),
    /// Somebody wrote.
    Message {
        /// Who.
        from: Nick,
        /// Whether it is for this member alone.
        direct: bool,
        /// What the text is.
        kind: Kind,
        /// What they wrote, made harmless.
        text: SafeText,
    },
    /// Somebody wrote, and left this member out on purpose.
    LeftOut(Nick),
    /// Somebody's message, which comes next, shows that the relay shows the two of them different
    /// rooms or different messages.
    OtherView(Nick),
    /// So many messages of somebody's did not arrive.
    Missing(Nick, u64),
    /// Something came under somebody's name and is not shown.
    Unopened(Nick, OpenError),
    /// Something came from nobody in the room, or made no sense, and is not shown.
    Stray,
    /// The relay has taken so many more of the messages that were said.
    Taken(usize),
}

/// Why a session ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// The relay said so.
    Notice(Notice),
    /// The relay said so, for a reason that this version does not know.
    UnknownNotice(u8),
    /// The relay sent what no relay sends.
    Malformed,
}

impl From<Malformed> for End {
    fn from(_: Malformed) -> Self {
        Self::Malformed
    }
}

/// Why a text is not sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SayError {
    /// There is nothing in it.
    Empty,
    /// It has so many bytes, which is more than [`MAX_TEXT`].
    TooLong(usize),
    /// This member is not in the room, or no longer.
    NotInRoom,
}

struct Peer {
    card: Card,
    /// The number of the next message to the room, as far as it can be known.
    next_to_room: Option<u64>,
    /// The number of the next message to this member alone.
    next_direct: u64,
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
    key: SessionKey,
    card: Card,
    room_key: RoomKey,
    phase: Phase,
    run: RunId,
    limits: Limits,
    epoch: u64,
    roster: Roster<Peer>,
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
}

impl Session {
    /// A session of `identity` as `nick` in `room`, with a session key made for it.
    #[must_use]
    pub fn new(
        identity: Identity,
        key: SessionKey,
        nick: &Nick,
        room: &RoomName,
        now: Time,
    ) -> Self {
        let card = Card::issue(room, nick, &identity, key.public(), now);
        let mut roster = Roster::default();
        roster.reserve(&card).expect("nobody is in an empty roster");
        Self {
            card,
            identity,
            key,
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
        let mut others: Vec<Person> = self
            .roster
            .iter()
            .map(|(_, peer)| person(&peer.card))
            .collect();
        others.sort_by_key(|person| person.nick.as_str().to_ascii_lowercase());
        others
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
    pub fn receive(&mut self, frame: &[u8]) -> Result<Vec<Event>, End> {
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
                Ok(self.entering(welcome.members))
            }
            (Phase::Entering(cards @ 1..), ToClient::Member(card)) => {
                let mut events = Vec::from_iter(self.admit(card, false).err());
                events.extend(self.entering(cards - 1));
                Ok(events)
            }
            (Phase::Inside | Phase::Leaving, frame) => self.receive_inside(&frame),
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

    fn entering(&mut self, cards: u32) -> Vec<Event> {
        if cards > 0 {
            self.phase = Phase::Entering(cards);
            return Vec::new();
        }
        self.phase = Phase::Inside;
        self.transcript.begin(self.epoch, self.roster_with_self());
        vec![Event::Entered(self.others())]
    }

    fn receive_inside(&mut self, frame: &ToClient<'_>) -> Result<Vec<Event>, End> {
        let events = match *frame {
            ToClient::Ping => {
                self.outgoing.push(Frame::ack(self.received));
                return Ok(Vec::new());
            }
            ToClient::Ack(count) => return self.acknowledged(count),
            ToClient::Joined { epoch, card } => {
                self.advance(epoch)?;
                let event = self
                    .admit(card, true)
                    .map_or_else(|event| event, Event::Joined);
                self.transcript.begin(epoch, self.roster_with_self());
                vec![event]
            }
            ToClient::Left {
                epoch,
                sid,
                departure,
            } => {
                self.advance(epoch)?;
                let gone = self.roster.remove(sid);
                self.transcript.begin(epoch, self.roster_with_self());
                Vec::from_iter(gone.map(|peer| Event::Left(peer.card.nick().clone(), departure)))
            }
            ToClient::Deliver {
                header,
                signature,
                ciphertext,
            } => self.deliver(header, signature, ciphertext),
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

    /// The session ids of everybody in the room, ascending.
    fn roster_with_self(&self) -> Vec<SessionId> {
        let mut roster: Vec<SessionId> = self.roster.iter().map(|(sid, _)| sid).collect();
        roster.push(self.card.sid());
        roster.sort_unstable();
        roster
    }

    fn advance(&mut self, epoch: u64) -> Result<(), End> {
        if self.epoch.checked_add(1) != Some(epoch) {
            return Err(End::Malformed);
        }
        self.epoch = epoch;
        Ok(())
    }

    /// Adds a member. Of one that joins later than oneself it is known what it sends first.
    fn admit(&mut self, card: &[u8], later: bool) -> Result<Person, Event> {
        let card = Card::parse_as_member(card, self.card.room(), &self.room_key)
            .map_err(|error| Event::Disbelieved(Disbelief::Card(error)))?;
        let disbelieved = |conflict| Event::Disbelieved(Disbelief::Conflict(conflict));
        let newcomer = person(&card);
        let peer = Peer {
            next_to_room: later.then_some(card.next()),
            next_direct: 0,
            card: card.clone(),
        };
        self.roster.insert(&card, peer).map_err(disbelieved)?;
        Ok(newcomer)
    }

    fn deliver(&mut self, header_bytes: &[u8], signature: &[u8], ciphertext: &[u8]) -> Vec<Event> {
        let sid = self.card.sid();
        let Ok(header) = Header::parse(header_bytes) else {
            return vec![Event::Stray];
        };
        if header.sender == sid {
            return self.came_back(&header, header_bytes);
        }
        let sender = self.roster.get_mut(header.sender);
        let (Some(peer), true) = (sender, header.room == self.card.room()) else {
            return vec![Event::Stray];
        };
        let from = peer.card.nick().clone();
        let unopened = |error| Event::Unopened(from.clone(), error);
        if let Err(error) = verify(header_bytes, signature, peer.card.identity()) {
            return vec![unopened(error)];
        }
        let next = match header.stream {
            Stream::Room => peer.next_to_room.get_or_insert(header.sequence),
            Stream::Direct(reader) if reader == sid => &mut peer.next_direct,
            Stream::Direct(_) => return vec![unopened(OpenError::NotForMe)],
        };
        let Some(missing) = header.sequence.checked_sub(*next) else {
            return Vec::new();
        };
        *next = header.sequence + 1;

        let mut events = Vec::new();
        if missing > 0 {
            if header.stream == Stream::Room {
                self.transcript.is_incomplete();
            }
            events.push(Event::Missing(from.clone(), missing));
        }
        let comparison = self.transcript.compare(&header, sid);
        if header.stream == Stream::Room {
            self.transcript.append(header.epoch, header_bytes);
        }
        match comparison {
            Comparison::Same => {}
            Comparison::Different => events.push(Event::OtherView(from.clone())),
            Comparison::TooEarly => {
                events.push(unopened(OpenError::NotForMe));
                return events;
            }
        }
        events.push(
            match open(header_bytes, &header, sid, &self.key, ciphertext) {
                Ok(Opened::LeftOut) => Event::LeftOut(from),
                Ok(Opened::Text(kind, text)) => Event::Message {
                    from,
                    direct: header.stream != Stream::Room,
                    kind,
                    text: SafeText::new(&text),
                },
                Err(error) => unopened(error),
            },
        );
        events
    }

    /// A message of one's own comes back without its content, to tell its place in the order.
    fn came_back(&mut self, header: &Header, bytes: &[u8]) -> Vec<Event> {
        if self.on_their_way.front().map(Vec::as_slice) != Some(bytes) {
            return vec![Event::Stray];
        }
        self.on_their_way.pop_front();
        self.transcript.append(header.epoch, bytes);
        Vec::new()
    }

    /// Says something to everybody who is in the room now, and returns how many they are.
    ///
    /// # Errors
    /// Where it is not sent.
    pub fn say(&mut self, kind: Kind, text: &str, now: Time) -> Result<usize, SayError> {
        if text.is_empty() {
            return Err(SayError::Empty);
        }
        let Some(body) = Body::new(kind.code(), text.to_owned()) else {
            return Err(SayError::TooLong(text.len()));
        };
        if self.phase != Phase::Inside {
            return Err(SayError::NotInRoom);
        }
        let readers: Vec<(SessionId, &PublicKey)> = self
            .roster
            .iter()
            .map(|(sid, peer)| (sid, peer.card.session()))
            .collect();
        let sid = self.card.sid();
        let (seen, parent) = self.transcript.view();
        let header = Header {
            room: self.card.room(),
            sender: sid,
            run: self.run,
            epoch: self.epoch,
            stream: Stream::Room,
            sequence: self.next,
            time: now,
            left_out: Vec::new(),
            audience: audience_digest(&self.roster_with_self()),
            seen,
            parent,
            commitment: body.commitment(),
        };
        let message = SealedMessage::seal(&header, &body, &self.identity.key, &readers, &[sid]);
        self.next += 1;
        self.on_their_way.push_back(message.header.clone());
        let frames = message.into_frames();
        self.sent += frames.len() as u64;
        self.outgoing.extend(frames);
        self.untaken.push_back(Untaken {
            sent: self.sent,
            text: text.to_owned(),
        });
        Ok(self.roster.len())
    }

    /// Says goodbye. What was said before arrives before it.
    pub fn leave(&mut self) {
        if self.phase == Phase::Inside {
            self.outgoing.push(Frame::leave());
            self.sent += 1;
            self.phase = Phase::Leaving;
        }
    }
}

fn person(card: &Card) -> Person {
    Person {
        nick: card.nick().clone(),
        fingerprint: card.fingerprint(),
        is_lasting: card.is_lasting(),
    }
}
