//! This member's own card: another session key, and perhaps another nick with it (PROTOCOL §11).

use crate::cipher::keys::SessionKey;
use crate::room::frame::Frame;
use crate::room::names::Nick;
use crate::room::roster::Conflict;

use super::sending::{Own, Sent};
use super::{Now, Session};

impl Session {
    /// Whether the session key can be changed now. It cannot while an old one is still there: the
    /// relay passes on what is under way to the key before the present one, and to no other. Nor before
    /// what waited is opened.
    #[must_use]
    pub fn can_rekey(&self) -> bool {
        let is_here = self.is_inside() && self.door.catching_up.is_none();
        is_here && !self.parting.is_leaving && self.own.keys.is_settled()
    }

    /// Goes on under a new session key, once the relay has shown it to all.
    pub fn rekey(&mut self, key: SessionKey, now: Now) {
        let nick = self.own.card.nick().clone();
        self.rename(&nick, key, now)
            .expect("nobody else has its nick, or a key that was just made");
    }

    /// Goes on under another nick, for which it takes a new session key, once the relay has shown it
    /// to all.
    ///
    /// # Errors
    /// Where somebody has a nick like that.
    pub fn rename(&mut self, nick: &Nick, key: SessionKey, now: Now) -> Result<(), Conflict> {
        self.timers.key_has_come(now.uptime);
        if !self.can_rekey() {
            return Ok(());
        }
        if self.person(nick).is_some() {
            return Err(Conflict::Nick);
        }
        let next = self.outbox.number(None);
        let card = self
            .own
            .follow(nick, key, next, (now.time, now.uptime), self.history.now())
            .clone();
        self.presence.active.advance(now.uptime);
        self.send(Sent::Frame(Frame::rekey(card.bytes())));
        let order = self.sending.next_order();
        let own = Own::Rekey(Box::new(card));
        self.sending
            .expect_back(own, self.presence.active.get(), order);
        self.timers.entry_is_sent(now.uptime);
        Ok(())
    }

    /// The relay has refused, at its door, the nick of a card that follows: somebody has taken it
    /// meanwhile. Whoever may have seen that card goes on, by one that follows it in turn, under the
    /// nick before and this key. Returns the nick that was refused, if there was one.
    pub fn retreat(&mut self, key: impl FnOnce() -> SessionKey, now: Now) -> Option<Nick> {
        let refused = self.own.next_card.as_ref()?.nick().clone();
        let nick = self.own.card.nick().clone();
        if nick == refused {
            return None;
        }
        let next = self.outbox.number(None);
        let at = self.history.now();
        self.own
            .follow(&nick, key(), next, (now.time, now.uptime), at);
        Some(refused)
    }

    /// The relay has refused, at its door, the session key of a member that was in the room: somebody has
    /// presented that key as their own meanwhile. The member goes on under this one. Returns whether it
    /// can.
    pub fn replace_key(&mut self, key: impl FnOnce() -> SessionKey, now: Now) -> bool {
        if !self.door.has_entered {
            return false;
        }
        let latest = self.own.next_card.as_ref().unwrap_or(&self.own.card);
        let nick = latest.nick().clone();
        let next = self.outbox.number(None);
        let at = self.history.now();
        self.own
            .follow(&nick, key(), next, (now.time, now.uptime), at);
        true
    }
}
