//! What this member is in the room: its identity, its card, its session keys (PROTOCOL §4, §11).

use std::time::Duration;

use crate::cipher::keys::SessionKey;
use crate::room::Time;
use crate::room::card::{Card, Identity, SessionId, Stay};
use crate::room::names::{Nick, RoomKey};

use super::history::At;
use super::own_keys::OwnKeys;

/// This member.
pub(super) struct Own {
    pub(super) identity: Identity,
    pub(super) room_key: RoomKey,
    /// The card that the others have.
    pub(super) card: Card,
    /// A card that follows it, and that has not come back from the relay.
    pub(super) next_card: Option<Card>,
    pub(super) keys: OwnKeys,
    /// How many blocks a second it can open, as it tells the relay.
    pub(super) opens: u32,
}

impl Own {
    pub(super) fn new(identity: Identity, room_key: RoomKey, card: Card, key: SessionKey) -> Self {
        Self {
            identity,
            room_key,
            keys: OwnKeys::new(card.sid(), key),
            card,
            next_card: None,
            opens: u32::MAX,
        }
    }

    /// The session id that it had at first, by which others know it.
    pub(super) fn origin(&self) -> SessionId {
        self.card.origin()
    }

    /// Whether it has a key at all: a destroyed one has no successor without a connection.
    pub(super) fn has_key(&self) -> bool {
        self.keys.of(self.card.sid()).is_some()
    }

    /// The card with which it enters once more: the latest one, even if it is not known whether the
    /// relay has had it, as others may have seen it.
    pub(super) fn renewed(&self, next: u64, past: &[Stay], issued: Time) -> Card {
        let latest = self.next_card.as_ref().unwrap_or(&self.card);
        latest.reissue(&self.room_key, &self.identity, next, past, issued)
    }

    /// Makes a card that follows the latest one, at this position.
    pub(super) fn follow(
        &mut self,
        nick: &Nick,
        key: SessionKey,
        next: u64,
        (time, now): (Time, Duration),
        at: At,
    ) -> &Card {
        let latest = self.next_card.as_ref().unwrap_or(&self.card);
        let (room_key, identity) = (&self.room_key, &self.identity);
        let card = latest.issue_successor(room_key, identity, nick, key.public(), next, time);
        self.keys.announce(card.sid(), key, at, now);
        self.next_card.insert(card)
    }

    /// The others have this card from a position on, which is dealt with now. Returns the one before.
    pub(super) fn listed(&mut self, card: Card, at: At, now: Duration) -> Card {
        self.keys.list(card.sid(), at, now);
        self.next_card = None;
        std::mem::replace(&mut self.card, card)
    }

    /// The relay has refused the card that followed: nothing has changed. Returns it.
    pub(super) fn refused(&mut self) -> Option<Card> {
        self.keys.take_back();
        self.next_card.take()
    }
}
