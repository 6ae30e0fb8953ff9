//! What this member states, to all and to newcomers.

use crate::room::card::SessionId;
use crate::room::frame::{Frame, MAX_FRAME};
use crate::room::statement::{DirectEntry, Occasion, Statement, ToldEntry};

use super::peer::Peer;
use super::unacknowledged::Sent;
use super::{Now, Session};

/// How many bytes of a STATEMENT are about single readers. With the rest it fits into a frame.
const MAX_NEWS: usize = MAX_FRAME / 2;

impl Session {
    pub(super) fn state_to_all(&mut self, now: Now) {
        self.schedule.beacon_is_sent(now.uptime);
        self.state(Occasion::Beacon, &[], now);
        self.transcript.mark_stated();
    }

    /// Tells newcomers, if there are any, where the numbers stand.
    pub(super) fn greet(&mut self, now: Now) {
        self.schedule.greeting_is_sent();
        let newcomers: Vec<SessionId> = self
            .roster
            .iter()
            .filter(|(_, peer)| peer.outgoing.is_untold)
            .map(|(sid, _)| sid)
            .collect();
        if !newcomers.is_empty() {
            self.state(Occasion::Beacon, &newcomers, now);
        }
    }

    /// States what one sees, to these members, or to all if there are none. Where that is more than
    /// a frame takes, some are told alone before.
    pub(super) fn state(&mut self, occasion: Occasion, to: &[SessionId], now: Now) {
        let has_news = |(sid, peer): (SessionId, &Peer)| (peer.outgoing.size() > 0).then_some(sid);
        let about: Vec<SessionId> = match to {
            [] => self.roster.iter().filter_map(has_news).collect(),
            to => to.to_vec(),
        };
        let mut part = Vec::new();
        let mut size = 0;
        for reader in about {
            let more = (self.roster.get(reader)).map_or(0, |peer| 32 + peer.outgoing.size());
            if size + more > MAX_NEWS {
                self.state_about(Occasion::Beacon, &part, &part, now);
                (part, size) = (Vec::new(), 0);
            }
            part.push(reader);
            size += more;
        }
        let to = if to.is_empty() { to } else { &part };
        self.state_about(occasion, &part, to, now);
    }

    /// The same, with what there is to say of the readers `about` alone.
    fn state_about(&mut self, occasion: Occasion, about: &[SessionId], to: &[SessionId], now: Now) {
        let Some(view) = self.transcript.view() else {
            return;
        };
        let mut told = Vec::new();
        let mut direct = Vec::new();
        let mut unread = Vec::new();
        for (reader, peer) in about
            .iter()
            .filter_map(|sid| Some((*sid, self.roster.get(*sid)?)))
        {
            direct.extend(peer.outgoing.direct.iter());
            if peer.outgoing.is_untold {
                unread.extend(&peer.outgoing.unread);
                told.push(ToldEntry {
                    reader,
                    total: peer.outgoing.total,
                });
            }
        }
        told.sort_unstable_by_key(|told| told.reader);
        direct.sort_unstable_by_key(|stream: &DirectEntry| (stream.from, stream.to));
        unread.sort_unstable();
        let statement = Statement {
            room: self.card.room(),
            sender: self.card.sid(),
            run: view.run,
            epoch: view.epoch,
            roster: *view.audience,
            seen: view.seen,
            parent: *view.parent,
            time: self.schedule.statement_time(now.time),
            occasion,
            next: self.next,
            told,
            direct,
            past: if to.is_empty() {
                self.transcript.past()
            } else {
                Vec::new()
            },
            unread,
        };
        for told in &statement.told {
            if let Some(peer) = self.roster.get_mut(told.reader) {
                peer.outgoing.is_untold = false;
            }
        }
        let statement = statement.encode();
        let signature = self.identity.key.sign(&statement);
        self.send(Sent::Word(Frame::statement(&statement, &signature, to)));
    }
}
