//! What is due when (PROTOCOL §8, §10, §11). `due` has how often, and what is done then.

mod due;

use std::collections::BTreeMap;
use std::time::Duration;

use crate::room::Time;
use crate::room::card::SessionId;

/// After so many messages that did not open, a new session key is due.
const FAILURES: u32 = 64;

/// After so many connections in a row over which the relay acknowledges nothing, that is told: it had to
/// for so long, at least.
const DEAF: u32 = 3;
const DEAF_FOR: Duration = Duration::from_secs(10);

/// Something that becomes due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Timer {
    /// To destroy a session key that has a successor.
    OldKey,
    /// To make a new session key.
    NewKey,
    /// To destroy the present one, without a connection.
    LastKey,
    /// To say to an author which of its messages have come.
    Receipt,
    /// To send a reader once more what it has not confirmed.
    Copies,
    /// To state to all what was seen.
    Beacon,
    /// To see who is there, and what is missing or not confirmed.
    Look,
    /// To ask the relay for an acknowledgement.
    Ask,
    /// To give a connection up over which none comes.
    Dead,
}

impl Timer {
    /// In the order in which they are looked at: receipts go before the beacon.
    const ALL: [Self; 9] = [
        Self::OldKey,
        Self::LastKey,
        Self::NewKey,
        Self::Receipt,
        Self::Copies,
        Self::Beacon,
        Self::Look,
        Self::Ask,
        Self::Dead,
    ];
}

/// A receipt that is owed to an author.
#[derive(Clone, Copy, Debug)]
pub(in crate::room::session) struct Owed {
    due: Duration,
    /// Whether it is to say too which of the messages to the room have come.
    pub(in crate::room::session) of_room: bool,
}

/// What is due when, in this member's uptime.
pub(in crate::room::session) struct Timers {
    beacon: Duration,
    /// When this member's last entry was sent.
    entry: Duration,
    /// By the first session ids of the authors.
    receipts: BTreeMap<SessionId, Owed>,
    look: Duration,
    rekeyed: Duration,
    /// When a new session key was asked for that has not come.
    key_asked: Option<Duration>,
    failures: u32,
    /// When the relay last acknowledged something, or nothing was waiting for that, by active time.
    acknowledged: Duration,
    has_asked: bool,
    /// Over how many connections in a row the relay acknowledged nothing, and whether that was told.
    deaf: u32,
    is_told_deaf: bool,
    /// The time in the latest statement.
    stated: Time,
}

impl Timers {
    pub(in crate::room::session) fn new(now: Duration) -> Self {
        Self {
            beacon: now,
            entry: now,
            receipts: BTreeMap::new(),
            look: now,
            rekeyed: now,
            key_asked: None,
            failures: 0,
            acknowledged: Duration::ZERO,
            has_asked: false,
            deaf: 0,
            is_told_deaf: false,
            stated: 0,
        }
    }

    /// The time for a statement: above that of the one before, however the clock jumps.
    pub(in crate::room::session) fn statement_time(&mut self, now: Time) -> Time {
        self.stated = now.max(self.stated.saturating_add(1));
        self.stated
    }

    /// An entry is sent now.
    pub(in crate::room::session) fn entry_is_sent(&mut self, now: Duration) {
        self.entry = now;
    }

    /// The relay has acknowledged something, or has had nothing to acknowledge, at this active time.
    pub(in crate::room::session) fn acknowledged(&mut self, active: Duration) {
        self.acknowledged = active;
        self.has_asked = false;
    }

    /// A connection is over on which something was waiting to be acknowledged, at this active time.
    pub(in crate::room::session) fn connection_ends_unanswered(&mut self, active: Duration) {
        self.deaf += u32::from(active.saturating_sub(self.acknowledged) >= DEAF_FOR);
    }

    /// The relay answers.
    pub(in crate::room::session) fn relay_answers(&mut self) {
        (self.deaf, self.is_told_deaf) = (0, false);
    }

    /// A new session key has come. Even where nothing comes of it, the next one is not due before
    /// its time: a relay that does not answer must not have keys made without end.
    pub(in crate::room::session) fn key_has_come(&mut self, now: Duration) {
        self.key_asked = None;
        self.rekeyed = now;
        self.failures = 0;
    }

    /// There is no session key any more: the next one is due now.
    pub(in crate::room::session) fn key_is_gone(&mut self) {
        self.failures = FAILURES;
    }

    /// A message did not open.
    pub(in crate::room::session) fn opening_failed(&mut self) {
        self.failures += 1;
    }

    /// Takes the receipt that is owed to an author.
    pub(in crate::room::session) fn take_receipts(
        &mut self,
        until: Duration,
    ) -> Vec<(SessionId, Owed)> {
        let due = self.receipts.extract_if(.., |_, owed| owed.due <= until);
        due.collect()
    }
}
