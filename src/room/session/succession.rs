//! This member's own card: another session key, and perhaps another nick with it (PROTOCOL §11).

use crate::cipher::keys::SessionKey;
use crate::room::frame::Frame;
use crate::room::names::Nick;
use crate::room::roster::Conflict;

use super::unacknowledged::Sent;
use super::{Now, Session};

impl Session {
    /// Whether the session key can be changed now. It cannot while an old one is still there: the
    /// relay passes on what is under way to the key before the present one, and to no other.
    #[must_use]
    pub fn can_rekey(&self) -> bool {
        self.is_inside() && !self.is_leaving && self.keys.is_settled()
    }

    /// Goes on under a new session key.
    pub fn rekey(&mut self, key: SessionKey, now: Now) {
        let nick = self.card.nick().clone();
        self.rename(&nick, key, now)
            .expect("nobody else has its nick, or a key that was just made");
    }

    /// Goes on under another nick, for which it takes a new session key.
    ///
    /// # Errors
    /// Where somebody has a nick like that.
    pub fn rename(&mut self, nick: &Nick, key: SessionKey, now: Now) -> Result<(), Conflict> {
        self.schedule.key_has_come(now.uptime);
        if !self.can_rekey() {
            return Ok(());
        }
        if self.person(nick).is_some() {
            return Err(Conflict::Nick);
        }
        let card = self.card.issue_successor(
            &self.room_key,
            &self.identity,
            nick,
            key.public(),
            self.next,
            now.time,
        );
        self.sessions.note(card.sid(), ());
        // The relay, and the others, know of no key before the last one.
        self.held.give_up_all_but(card.previous());
        self.keys.announce(card.sid(), key, now.uptime);
        self.send(Sent::Key(Frame::rekey(card.bytes())));
        self.card_before = Some(std::mem::replace(&mut self.card, card));
        Ok(())
    }

    /// Goes back to the nick and the session key before the present ones, after the relay has refused
    /// these. Returns the nick that was refused; nothing where none was, or where there is no way back,
    /// as the key before is destroyed already. What was said meanwhile has reached nobody.
    pub fn take_back_nick(&mut self) -> Option<Nick> {
        let before = self
            .card_before
            .take_if(|card| card.nick() != self.card.nick())?;
        if !self.keys.can_take_back(self.card.sid()) {
            return None;
        }
        self.keys.take_back();
        let refused = std::mem::replace(&mut self.card, before);
        // What nobody has had is not to be missed by anybody.
        for reader in self
            .unacknowledged
            .informed_of_messages_to_the_room(refused.sid())
        {
            // It may have changed its own key since.
            let present = self.present_sid(reader);
            if let Some(peer) = present.and_then(|sid| self.roster.get_mut(sid)) {
                peer.outgoing.total = peer.outgoing.total.saturating_sub(1);
            }
        }
        for (_, peer) in self.roster.iter_mut() {
            peer.outgoing.direct.forget(refused.sid());
        }
        Some(refused.nick().clone())
    }
}
