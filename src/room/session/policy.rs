//! Whom messages are for.

use std::time::Duration;

use crate::room::card::SessionId;
use crate::room::message::LeftOutFor;

use super::event::Standing;
use super::peer::Peer;

/// Whom a message is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum To {
    /// Everybody who was in the room after this change of the roster, which is what was on the
    /// user's screen, and whoever is expected back. Who came since is left out.
    Room {
        /// The number of the change, as [`Session::changes`](super::Session::changes) has it.
        shown: u64,
    },
    /// One member.
    Member(SessionId),
}

/// Who gets messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Policy {
    /// The least that must be known of somebody. Those whose identity has changed never get any.
    pub at_least: Standing,
    /// How often the session key is changed.
    pub rekey_after: Duration,
    /// Whether readers are asked not to hand messages on, to anybody.
    pub no_share: bool,
}

impl Policy {
    /// Whether somebody of whom this is known gets messages.
    #[must_use]
    pub fn admits(&self, standing: Standing) -> bool {
        standing >= self.at_least.max(Standing::New)
    }

    /// Whether readers are asked not to hand messages on: also where not everybody gets them.
    #[must_use]
    pub fn forbids_sharing(&self) -> bool {
        self.no_share || self.at_least > Standing::New
    }

    /// Why a member gets no message that comes from one who has seen the roster as it was shown.
    pub(super) fn leaves_out(
        &self,
        peer: &Peer,
        shown: Option<u64>,
        now: Duration,
    ) -> Option<LeftOutFor> {
        if peer.standing == Standing::Changed {
            Some(LeftOutFor::OtherIdentity)
        } else if !self.admits(peer.standing) {
            Some(if self.at_least == Standing::Verified {
                LeftOutFor::NotVerified
            } else {
                LeftOutFor::NotKnown
            })
        } else if peer.is_stale(now) {
            Some(LeftOutFor::StaleKey)
        } else if shown.is_some_and(|shown| peer.seen.shown > shown) {
            Some(LeftOutFor::Coming)
        } else {
            None
        }
    }
}
