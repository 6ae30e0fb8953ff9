//! The client's side: one member's session in a room, from the challenge to the goodbye
//! (PROTOCOL §5 to §11).
//!
//! Frames and the time go in, frames and events come out. It owns the private keys.
//!
//! - this file: what the session is, and which frame is for what. `door`: how far it is.
//! - `entering`: from the challenge to the room, over each connection.
//! - `entries`: what the relay puts into the room's chain, in its order.
//! - `messages`, `statements`: what members sign. `streams`: the numbers of their messages.
//! - `history`: the chain as this member saw it. `claims`: what others say of it is compared.
//! - `presence`: who shows that it is there.
//! - `members`, `peer`: who is in the room, and what is known of each.
//! - `own`, `own_keys`, `succession`: this member's card and keys, and the next ones.
//! - `saying`, `outbox`: what this member says, and what has become of it at each reader. `policy`: for
//!   whom it is. `copies`: what a reader is sent once more.
//! - `handing`: what is handed on, by this member and to it. `earlier`: what was said, for that. `shares`,
//!   `incoming`: how much has come of it there, and here.
//! - `stating`: what it states. `timers`: what is due when.
//! - `sending`: what was sent, until the relay has taken it and given it back.
//! - `shown`: what stands on the screen. `event`: what is told.

mod claims;
mod copies;
mod door;
mod earlier;
mod entering;
mod entries;
mod event;
mod handing;
mod history;
mod incoming;
mod members;
mod messages;
mod outbox;
mod own;
mod own_keys;
mod peer;
mod policy;
mod presence;
mod saying;
mod sending;
mod shares;
mod shown;
mod statements;
mod stating;
mod streams;
mod succession;
mod timers;

use std::collections::BTreeMap;
use std::time::Duration;

use crate::cipher::keys::SessionKey;

use super::Time;
use super::card::{Card, Identity, SessionId};
use super::frame::{Frame, RelayLimits, ToClient};
use super::names::{Nick, RoomName};
use super::notice::Notice;

pub use self::earlier::Which;
pub use self::event::{
    Asleep, Author, Disbelief, End, Event, Handed, Person, Presence, SayError, ShareError,
    SharedWith, Standing, Written,
};
pub use self::outbox::{Fate, Receipt, Said, Undelivered};
pub use self::policy::{Policy, To};
pub use self::shares::Shared;

use self::copies::Copies;
use self::door::{Door, Entering, Parting, Phase};
use self::earlier::Earlier;
use self::history::History;
use self::incoming::{AllIncoming, HandedBefore};
use self::members::Members;
use self::outbox::Outbox;
use self::own::Own;
use self::peer::Peer;
use self::presence::OwnPresence;
use self::sending::Sending;
use self::shares::Shares;
use self::shown::Shown;
use self::streams::AllStreams;
use self::timers::Timers;

/// A point in time, by both of a machine's clocks.
#[derive(Clone, Copy, Debug)]
pub struct Now {
    /// The time of day, which may jump.
    pub time: Time,
    /// The time since some point in the past, which only goes on.
    pub uptime: Duration,
}

/// A session in a room. It outlives its connections. Each of its parts has one job, and what goes from
/// one to another goes through it.
pub struct Session {
    own: Own,
    members: Members,
    history: History,
    streams: AllStreams,
    outbox: Outbox,
    copies: Copies,
    earlier: Earlier,
    shares: Shares,
    incoming: AllIncoming,
    handed_before: HandedBefore,
    sending: Sending,
    presence: OwnPresence,
    shown: Shown,
    timers: Timers,
    policy: Policy,
    door: Door,
    parting: Parting,
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
        Self::with_card(identity, key, card, room, policy, now)
    }

    /// A session that begins with this card, which is of `identity` and this key.
    pub(super) fn with_card(
        identity: Identity,
        key: SessionKey,
        card: Card,
        room: &RoomName,
        policy: Policy,
        now: Now,
    ) -> Self {
        Self {
            members: Members::around(&card),
            own: Own::new(identity, room.key(), card, key),
            history: History::default(),
            streams: AllStreams::default(),
            outbox: Outbox::default(),
            copies: Copies::default(),
            earlier: Earlier::default(),
            shares: Shares::default(),
            incoming: AllIncoming::default(),
            handed_before: HandedBefore::default(),
            sending: Sending::default(),
            presence: OwnPresence::default(),
            shown: Shown::default(),
            timers: Timers::new(now.uptime),
            policy,
            door: Door {
                phase: Phase::Begun,
                limits: RelayLimits::default(),
                has_entered: false,
                joined: None,
                received: 0,
                out_since: None,
                catching_up: None,
                return_of: None,
                outgoing: Vec::new(),
            },
            parting: Parting::default(),
        }
    }

    /// The card that the others have of this member.
    #[must_use]
    pub fn card(&self) -> &Card {
        &self.own.card
    }

    /// The relay is told that this member can open so many blocks a second: those who speak divide that
    /// among them (PROTOCOL §7). Before that it is told of no bound.
    pub fn set_opens(&mut self, blocks: u32) {
        self.own.opens = blocks;
    }

    /// What the relay asks of its clients, once it has said so.
    #[must_use]
    pub fn limits(&self) -> &RelayLimits {
        &self.door.limits
    }

    /// Whether this member is in the room, and connected to it.
    #[must_use]
    pub fn is_inside(&self) -> bool {
        matches!(self.door.phase, Phase::Inside)
    }

    /// Whether this member is in the room, connected to it, and nothing is to come that waited for it.
    #[must_use]
    pub fn is_up_to_date(&self) -> bool {
        self.is_inside() && self.door.catching_up.is_none()
    }

    /// How many cards of those who are in the room have come, and how many there are, while this member
    /// enters it.
    #[must_use]
    pub fn cards_come(&self) -> Option<(usize, u32)> {
        match &self.door.phase {
            Phase::Entering(entering) => Some((entering.cards.len(), entering.welcome.members)),
            _ => None,
        }
    }

    /// Whether the goodbye is said: the connection may end.
    #[must_use]
    pub fn has_said_goodbye(&self) -> bool {
        self.parting.said_goodbye
    }

    /// How many counted frames were received over the present connection and those before it that
    /// it goes on with.
    #[must_use]
    pub fn received(&self) -> u64 {
        self.door.received
    }

    /// Whether anything was sent that the relay has not acknowledged.
    #[must_use]
    pub fn is_waiting(&self) -> bool {
        !self.sending.is_empty()
    }

    /// The others in the room, by nick.
    #[must_use]
    pub fn others(&self) -> Vec<Person> {
        let peers = self.members.roster.iter().map(|(_, peer)| peer);
        let mut others: Vec<Person> = peers.map(|peer| self.person_from(peer)).collect();
        others.sort_by_key(|person| person.nick.as_str().to_ascii_lowercase());
        others
    }

    /// Whom this member expects back: they were there when it entered anew, and nobody has said since that
    /// they went.
    #[must_use]
    pub fn expected(&self, now: Now) -> Vec<Nick> {
        let expected = self.members.expected(now.uptime).into_iter();
        expected.map(|peer| peer.nick().clone()).collect()
    }

    /// Whether anything waits for somebody who is expected back.
    #[must_use]
    pub fn waits_for_missing(&self, now: Now) -> bool {
        let missing = self.members.expected(now.uptime).into_iter();
        let origins: Vec<SessionId> = missing.map(|peer| peer.card.origin()).collect();
        !self
            .outbox
            .waiting_for(|origin| origins.contains(&origin))
            .is_empty()
    }

    /// Whoever is in the room and has this nick, or one that looks like it.
    #[must_use]
    pub fn person(&self, nick: &Nick) -> Option<Person> {
        let skeleton = nick.skeleton();
        let mut peers = self.members.roster.iter().map(|(_, peer)| peer);
        let found = peers.find(|peer| peer.nick().skeleton() == skeleton);
        found.map(|peer| self.person_from(peer))
    }

    fn person_of(&self, sid: SessionId) -> Option<Person> {
        let peer = self.members.roster.get(sid)?;
        Some(self.person_from(peer))
    }

    fn person_from(&self, peer: &Peer) -> Person {
        peer.person(
            peer.watch
                .is_present(self.presence.active.get(), self.period()),
        )
    }

    /// What is known of how somebody is there, if they are.
    #[must_use]
    pub fn presence(&self, sid: SessionId) -> Option<Presence> {
        let peer = self.members.roster.get(sid)?;
        Some(Presence {
            here_since: peer.seen.here,
            key_since: peer.seen.key,
            heard: peer.seen.heard,
            named: peer.seen.named,
            away: peer.away.clone(),
        })
    }

    /// Tells what the user knows of a member's identity.
    pub fn set_standing(&mut self, sid: SessionId, standing: Standing) {
        if let Some(peer) = self.members.roster.get_mut(sid) {
            peer.standing = standing;
        }
    }

    /// Tells whether the user ignores a member: what it hands on is dropped, so that it may be shown when
    /// somebody else hands it on.
    pub fn set_ignored(&mut self, sid: SessionId, is_ignored: bool) {
        if let Some(peer) = self.members.roster.get_mut(sid) {
            peer.is_ignored = is_ignored;
        }
    }

    /// What this member has said lately, oldest first: all of which something may still become known, and
    /// the latest others.
    pub fn said(&self) -> impl Iterator<Item = Said<'_>> {
        self.outbox.latest()
    }

    /// The texts that were sent and that the relay has not taken, in order.
    pub fn untaken(&self) -> impl Iterator<Item = &str> {
        let words = self.outbox.untaken().filter(|message| message.has_words());
        words.map(outbox::Message::text)
    }

    /// The receipts and texts of what the relay has taken, and that waits for these to come back.
    #[must_use]
    pub fn undelivered(&self) -> Vec<(u64, Vec<Nick>, &str)> {
        let is_absent = |origin| self.members.absent_since(origin).is_some();
        self.outbox.waiting_for(is_absent)
    }

    /// The frames that are to be sent now, in order.
    pub fn take_outgoing(&mut self) -> Vec<Frame> {
        std::mem::take(&mut self.door.outgoing)
    }

    /// The connection is over. What is said meanwhile is sealed and sent over the next one.
    pub fn disconnect(&mut self, now: Now) {
        if self.is_inside() {
            self.presence.active.advance(now.uptime);
            let since = self.presence.active.out_since(now.uptime);
            self.door.out_since.get_or_insert(since);
            let is_owed = self.is_waiting() || self.outbox.untaken().next().is_some();
            if is_owed {
                self.timers.was_unanswered(self.presence.active.get());
            }
        }
        self.door.phase = Phase::Begun;
        self.presence.active.stop(now.uptime);
        self.door.outgoing.clear();
    }

    /// Over the next connection this member enters the room anew, and does not go on.
    pub fn enter_anew(&mut self) {
        self.door.joined = None;
    }

    /// Whether everybody who may be there, and not one alone, was shown something else than this
    /// member. That is a reason to enter anew once.
    fn is_contradicted(&self) -> bool {
        let (active, period) = (self.presence.active.get(), self.period());
        let watches = self.members.roster.iter().map(|(_, peer)| &peer.watch);
        let (contradict, others): (Vec<_>, Vec<_>) = watches.partition(|watch| watch.differs);
        let may_agree = others.iter().any(|watch| watch.may_be_here(active, period));
        contradict.len() > 1 && !may_agree
    }

    /// Takes a frame from the relay: its type and fields.
    ///
    /// # Errors
    /// Where the session is over.
    pub fn receive(&mut self, frame: &[u8], now: Now) -> Result<Vec<Event>, End> {
        let events = self.receive_frame(frame, now)?;
        Ok(self.go_on_sharing(events, now))
    }

    fn receive_frame(&mut self, frame: &[u8], now: Now) -> Result<Vec<Event>, End> {
        self.presence.active.advance(now.uptime);
        let frame = ToClient::parse(frame)?;
        let phase = std::mem::replace(&mut self.door.phase, Phase::Begun);
        match (phase, frame) {
            (_, ToClient::Notice(code)) => {
                Err(Notice::from_code(code).map_or(End::UnknownNotice(code), End::Notice))
            }
            (Phase::Begun, ToClient::Challenge(challenge, limits)) => {
                self.door.limits = limits;
                self.present(&challenge, now)?;
                Ok(Vec::new())
            }
            (Phase::Presented(presented, signed), ToClient::Welcome(welcome)) => {
                if welcome.resumed {
                    return self.resume(&welcome, now);
                }
                self.check(&welcome)?;
                // Whatever breaks from here on, what the connection before brought is over.
                (self.door.joined, self.door.received) = (None, 0);
                let entering = Entering {
                    welcome,
                    presented: *presented,
                    signed,
                    cards: Vec::new(),
                    absences: BTreeMap::new(),
                };
                Ok(self.enter(entering, now))
            }
            (Phase::Entering(mut entering), ToClient::Member(card)) => {
                let card = Card::parse(card, self.own.card.room());
                entering.cards.push(card);
                Ok(self.enter(*entering, now))
            }
            (Phase::Entering(mut entering), ToClient::Absent(absence)) => {
                let before = entering.absences.insert(entering.cards.len(), absence);
                self.door.phase = Phase::Entering(entering);
                before.map_or(Ok(Vec::new()), |_| Err(End::Malformed))
            }
            // It is answered where frames are read: after decryption, the time that the answer
            // takes would tell how that went.
            (phase @ (Phase::Entering(..) | Phase::Inside), ToClient::Ping) => {
                self.door.phase = phase;
                Ok(Vec::new())
            }
            (Phase::Inside, frame) => {
                self.door.phase = Phase::Inside;
                self.receive_inside(&frame, now)
            }
            _ => Err(End::Malformed),
        }
    }

    fn receive_inside(&mut self, frame: &ToClient<'_>, now: Now) -> Result<Vec<Event>, End> {
        let events = match frame {
            ToClient::Ack(count) => return self.take_ack(*count, now),
            ToClient::Entry {
                kind,
                entry,
                ciphertext,
            } => self.take_entry(*kind, entry, ciphertext, now)?,
            ToClient::Own => self.take_own(now)?,
            ToClient::Deliver(signed, ciphertext) => self.take_delivery(signed, ciphertext, now),
            ToClient::Receipt(signed) => self.take_receipt(signed, now),
            ToClient::Refused(code) => self.take_refusal(*code)?,
            ToClient::Passed(digests) => {
                self.take_passed(digests)?;
                Vec::new()
            }
            _ => return Err(End::Malformed),
        };
        self.door.received += 1;
        if let Some(catching_up) = &mut self.door.catching_up {
            catching_up.count(&events);
        }
        Ok(events)
    }

    /// The relay has taken so many frames.
    fn take_ack(&mut self, count: u64, now: Now) -> Result<Vec<Event>, End> {
        let acknowledged = self.sending.acknowledge(count)?;
        if acknowledged.is_news {
            self.timers.acknowledged(self.presence.active.get());
            self.timers.relay_answers();
        }
        let taken = acknowledged.messages.len();
        for receipt in acknowledged.messages {
            self.outbox.taken(receipt);
        }
        self.say_goodbye_if_due(now);
        let mut events = Vec::from_iter((taken > 0).then_some(Event::Taken(taken)));
        events.extend(acknowledged.is_swallowed.then_some(Event::Swallowed));
        // What waited has come before the first ACK.
        if let Some(caught_up) = self.door.catching_up.take() {
            self.timers.acknowledged(self.presence.active.get());
            events.extend(self.has_caught_up(&caught_up, now));
            events.extend(self.send_drafts(now));
        }
        Ok(events)
    }
}
