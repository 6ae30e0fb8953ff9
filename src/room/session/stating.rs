//! What this member states: to all, and to one author which of its messages have come
//! (PROTOCOL §10).

use std::time::Duration;

use crate::room::chain::{Claim, EntryKind, entry_digest, signed_entry};
use crate::room::frame::Frame;
use crate::room::statement::{Occasion, Purpose, Receipt, Statement};

use super::sending::{Own, Sent};
use super::{Now, Session};

impl Session {
    /// What this member has taken in.
    pub(super) fn claim(&self) -> Option<Claim> {
        self.history.claim()
    }

    pub(super) fn state_to_all(&mut self, now: Now) {
        self.state_receipts(Duration::MAX, now);
        self.beacon_is_sent(now.uptime);
        self.state_entry(EntryKind::Statement, Occasion::Beacon, now);
    }

    pub(super) fn state_goodbye(&mut self, now: Now) {
        self.state_receipts(Duration::MAX, now);
        self.state_entry(EntryKind::Goodbye, Occasion::Goodbye, now);
    }

    fn state_entry(&mut self, kind: EntryKind, occasion: Occasion, now: Now) {
        let Some(signed) = self.state(Purpose::ToAll(occasion), now) else {
            return;
        };
        let (statement, signature, claim) = signed;
        let digest = entry_digest(&signed_entry(&statement, &signature));
        self.send(Sent::Frame(Frame::statement(&statement, &signature)));
        let order = self.sending.next_order();
        let own = Own::Statement {
            kind,
            digest,
            claim,
        };
        self.sending
            .expect_back(own, self.presence.active.get(), order);
        self.timers.entry_is_sent(now.uptime);
    }

    /// Tells authors which of their messages have come, where that is due until then.
    pub(super) fn state_receipts(&mut self, until: Duration, now: Now) {
        for (origin, owed) in self.timers.take_receipts(until) {
            let Some(author) = self.members.present(origin) else {
                continue;
            };
            let streams = self.streams.of(origin, || self.members.origins());
            let receipt = Receipt {
                direct: streams.direct.had().clone(),
                room: owed.of_room.then(|| streams.room.had().clone()),
            };
            let signed = self.state(Purpose::Receipt(author, receipt), now);
            if let Some((statement, signature, _)) = signed {
                self.send(Sent::Frame(Frame::statement(&statement, &signature)));
            }
        }
    }

    /// Makes a statement and signs it.
    fn state(&mut self, purpose: Purpose, now: Now) -> Option<(Vec<u8>, Vec<u8>, Claim)> {
        let claim = self.claim()?;
        let statement = Statement {
            room: self.own.card.room(),
            sender: self.own.card.sid(),
            time: self.timers.statement_time(now.time),
            next: self.outbox.number(None),
            claim: claim.clone(),
            purpose,
        };
        let statement = statement.encode();
        let signature = self.own.identity.key.sign(&statement);
        Some((statement, signature, claim))
    }
}
