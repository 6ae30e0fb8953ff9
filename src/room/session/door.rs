//! How far this member is: on its way into the room, in it, or leaving.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::room::card::{Card, CardError};
use crate::room::frame::{Absence, Frame, RelayLimits, Welcome};

use super::event::Event;

/// How far the present connection is.
pub(super) enum Phase {
    /// Nothing has come yet.
    Begun,
    /// This card is presented, and was signed at this active time.
    Presented(Box<Card>, Duration),
    /// The relay let this member in, and the cards of the others come.
    Entering(Box<Entering>),
    /// The room is known.
    Inside,
}

/// How far this member is in the room, over one connection after the other.
pub(super) struct Door {
    pub(super) phase: Phase,
    /// Whether the other end of the present connection has begun it as a relay does.
    pub(super) is_greeted: bool,
    pub(super) limits: RelayLimits,
    /// Whether this member has been in the room, over whatever connection.
    pub(super) has_entered: bool,
    /// The position of its joining, if it knows the room as it was since then: it can go on from
    /// there.
    pub(super) joined: Option<u64>,
    /// How many counted frames were received.
    pub(super) received: u64,
    /// Since when this member is out of the room, if it was in it.
    pub(super) out_since: Option<Duration>,
    /// What waited comes, after a connection has resumed.
    pub(super) catching_up: Option<CatchingUp>,
    /// How it came back, until it is told what came meanwhile.
    pub(super) return_of: Option<Return>,
    /// The frames that are to be sent now.
    pub(super) outgoing: Vec<Frame>,
}

/// This member has entered anew, having been out of the room.
#[derive(Clone, Copy)]
pub(super) struct Return {
    /// For how long it was out, the last time or several times in a short while.
    pub(super) out: Duration,
    /// Until when it is waited for those who have yet to say what came meanwhile, by active time.
    pub(super) ends: Duration,
}

/// How far this member is with leaving.
#[derive(Default)]
pub(super) struct Parting {
    pub(super) is_leaving: bool,
    pub(super) said_goodbye: bool,
}

/// What the relay has said of the room to this member, which it lets in.
pub(super) struct Entering {
    pub(super) welcome: Welcome,
    /// The card that it was let in with, and when that was signed, by active time.
    pub(super) presented: Card,
    pub(super) signed: Duration,
    /// The cards of the others, as far as they have come.
    pub(super) cards: Vec<Result<Card, CardError>>,
    /// Of whom it says that they are without a connection: by how many cards had come before.
    pub(super) absences: BTreeMap<usize, Absence>,
}

/// Whoever is without a connection for so long is asleep (PROTOCOL §8).
const ASLEEP_AFTER: Duration = Duration::from_mins(1);

/// What waited for this member is coming, as it was without a connection.
pub(super) struct CatchingUp {
    /// Since when it was, and for how long.
    pub(super) since: Duration,
    pub(super) out: Duration,
    /// How many messages have come since.
    pub(super) messages: usize,
}

impl CatchingUp {
    /// Something comes.
    pub(super) fn count(&mut self, events: &[Event]) {
        let is_message = |event: &&Event| matches!(event, Event::Message { .. });
        self.messages += events.iter().filter(is_message).count();
    }

    /// Whether this member was asleep.
    pub(super) fn is_long(&self) -> bool {
        self.out >= ASLEEP_AFTER
    }
}
