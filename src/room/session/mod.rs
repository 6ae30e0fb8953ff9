//! The client's side: one member's session in a room, from the challenge to the goodbye
//! (PROTOCOL §5 to §11).
//!
//! Frames and the time go in, frames and events come out. It owns the private keys.
//!
//! - this file: what the session is. `door`: how far it is.
//! - `receiving`: what comes from the relay, and which frame is for what. `inbox`: what waits of that.
//!   `jobs`: what is done of a message beside, before that.
//! - `entering`: from the challenge to the room, over each connection.
//! - `entries`: what the relay puts into the room's chain, in its order.
//! - `messages`, `statements`: what members sign. `signatures`: wrong ones. `streams`: the numbers of their
//!   messages.
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
mod inbox;
mod incoming;
mod jobs;
mod members;
mod messages;
mod outbox;
mod own;
mod own_keys;
mod peer;
mod placing;
mod policy;
mod presence;
mod receiving;
mod saying;
mod sending;
mod shares;
mod showing;
mod shown;
mod signatures;
mod statements;
mod stating;
mod streams;
mod succession;
mod timers;

use std::collections::HashSet;
use std::time::Duration;

use crate::cipher::fingerprint::Fingerprint;
use crate::cipher::keys::{IdentityKey, SessionKey};

use super::Time;
use super::card::{Card, Identity, SessionId};
use super::frame::{Frame, RelayLimits};
use super::names::{Nick, RoomName};

pub use self::earlier::Which;
pub use self::event::{
    Asleep, Author, Disbelief, End, Event, Handed, Person, Presence, SayError, ShareError,
    SharedWith, Standing, Written,
};
pub use self::inbox::weight;
pub use self::jobs::{Done, Job};
pub use self::outbox::{Fate, Receipt, Said, Undelivered};
pub use self::policy::{Policy, To};
pub use self::shares::Shared;

use self::copies::Copies;
use self::door::{Door, Parting, Phase};
use self::earlier::Earlier;
use self::history::History;
use self::inbox::Inbox;
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
    inbox: Inbox,
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
            inbox: Inbox::default(),
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
                is_greeted: false,
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

    /// Whether the other end of the present connection has begun it as a relay does: it is no page that asks
    /// for a password in the relay's place.
    #[must_use]
    pub fn is_greeted(&self) -> bool {
        self.door.is_greeted
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

    /// How many others are in the room.
    #[must_use]
    pub fn count_others(&self) -> usize {
        self.members.roster.len()
    }

    /// Whoever is in the room with this identity; of several the first one by nick.
    #[must_use]
    pub fn person_with(&self, fingerprint: Fingerprint) -> Option<Person> {
        let peers = self.members.roster.iter().map(|(_, peer)| peer);
        let same = peers.filter(|peer| peer.card.fingerprint() == fingerprint);
        let first = same.min_by_key(|peer| peer.nick().as_str().to_ascii_lowercase());
        first.map(|peer| self.person_from(peer))
    }

    /// Whom this member expects back: they were there when it entered anew, and nobody has said since that
    /// they went.
    #[must_use]
    pub fn expected(&self, now: Now) -> Vec<Person> {
        let expected = self.members.expected(now.uptime).into_iter();
        expected.map(|peer| self.person_from(peer)).collect()
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

    /// Whether anybody who is in the room is still to be sent late copies of what was said.
    #[must_use]
    pub fn is_copying(&self) -> bool {
        let present = self.members.present_origins();
        self.copies.is_sending_to_any(&present)
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

    /// The key of the user's own identity.
    #[must_use]
    pub fn identity_key(&self) -> &IdentityKey {
        &self.own.identity.key
    }

    /// Tells what the user knows of a member's identity.
    pub fn set_standing(&mut self, sid: SessionId, standing: Standing) {
        if let Some(peer) = self.members.roster.get_mut(sid) {
            peer.standing = standing;
        }
    }

    /// Tells which identities the user ignores. What they hand on, and what others hand on of theirs, is dropped
    /// unnoted, so that it may be shown when it is handed on later.
    pub fn set_ignored(&mut self, ignored: HashSet<Fingerprint>) {
        let members = self.members.roster.iter().map(|(_, peer)| &peer.card);
        for card in members.filter(|card| ignored.contains(&card.fingerprint())) {
            self.incoming.end(card.origin());
        }
        self.incoming.ignored = ignored;
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
                self.timers
                    .connection_ends_unanswered(self.presence.active.get());
            }
        }
        (self.door.phase, self.door.is_greeted) = (Phase::Begun, false);
        self.inbox.clear();
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
}
