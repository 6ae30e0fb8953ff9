//! What members state: to all, and to this member alone which of its messages have come
//! (PROTOCOL §10).

use std::time::Duration;

use crate::room::card::SessionId;
use crate::room::frame::{Departure, Signed};
use crate::room::statement::{Occasion, Purpose, Statement};

use super::claims::What;
use super::event::Event;
use super::{Now, Session};

impl Session {
    /// A statement to all has come.
    pub(super) fn take_statement(&mut self, signed: &Signed<'_>, now: Now) -> Vec<Event> {
        let Ok(statement) = Statement::parse(signed.bytes) else {
            return vec![Event::Stray];
        };
        let is_newer = match statement.purpose {
            Purpose::ToAll(Occasion::Beacon) => false,
            Purpose::ToAll(Occasion::Unknown(_)) => true,
            Purpose::ToAll(Occasion::Goodbye) | Purpose::Receipt(..) => return vec![Event::Stray],
        };
        match self.take_signed(signed, &statement, What::Beacon, now) {
            Ok((sid, mut events)) => {
                if is_newer {
                    events.extend(self.tell_newer(sid));
                }
                events
            }
            Err(events) => events,
        }
    }

    /// A member says goodbye, and is out of the room with that.
    pub(super) fn take_goodbye(&mut self, signed: &Signed<'_>, now: Now) -> Vec<Event> {
        let goodbye = Statement::parse(signed.bytes).ok();
        let Some(statement) = goodbye.filter(|it| it.purpose == Purpose::ToAll(Occasion::Goodbye))
        else {
            return vec![Event::Stray];
        };
        let (sid, mut events) = match self.take_signed(signed, &statement, What::Beacon, now) {
            Err(events) => {
                self.members.refused_is_gone(statement.sender);
                return events;
            }
            Ok(taken) => taken,
        };
        if let Some(peer) = self.members.remove(sid) {
            let (origin, nick) = (peer.card.origin(), peer.nick().clone());
            events.extend(self.missing(origin, &nick, true));
            events.extend(self.meanwhile(vec![(origin, nick.clone())], Duration::ZERO));
            events.extend(self.end_sharing_with(origin, &nick));
            events.extend(self.give_up_member(origin, nick, Departure::Left));
        }
        events
    }

    /// Somebody tells this member alone which of its messages it has had.
    pub(super) fn take_receipt(&mut self, signed: &Signed<'_>, now: Now) -> Vec<Event> {
        let Ok(statement) = Statement::parse(signed.bytes) else {
            return vec![Event::Stray];
        };
        let Purpose::Receipt(author, receipt) = &statement.purpose else {
            return vec![Event::Stray];
        };
        if !self.own.keys.contains(*author) {
            return vec![Event::Stray];
        }
        let (sid, mut events) = match self.take_signed(signed, &statement, What::Receipt, now) {
            Err(events) => return events,
            Ok(taken) => taken,
        };
        if let Some(peer) = self.members.roster.get_mut(sid) {
            if peer.watch.differs {
                return events;
            }
            peer.told.unanswered = false;
            let (origin, room) = (peer.card.origin(), receipt.room.as_ref());
            let news = self.outbox.confirm_by_number(origin, &receipt.direct, room);
            events.extend(news.into_iter().map(Event::of_news));
        }
        events
    }

    /// Checks what somebody has stated and signed, and learns from it. Returns under which session id it
    /// is in the roster.
    fn take_signed(
        &mut self,
        signed: &Signed<'_>,
        statement: &Statement,
        what: What,
        now: Now,
    ) -> Result<(SessionId, Vec<Event>), Vec<Event>> {
        let is_its_room = statement.room == self.own.card.room();
        let sid = self
            .members
            .author(statement.sender, signed, now.uptime)
            .filter(|_| is_its_room);
        let Some((sid, peer)) = sid.and_then(|sid| Some((sid, self.members.roster.get(sid)?)))
        else {
            return Err(self.stray(statement.sender));
        };
        let is_goodbye = statement.purpose == Purpose::ToAll(Occasion::Goodbye);
        let is_old = statement.time <= peer.stated;
        if is_old && !is_goodbye {
            // It was there before, and is no sign of life. Who signed it makes no difference.
            return Err(Vec::new());
        }
        let origin = peer.card.origin();
        self.look_at(sid, *signed, None, now)?;
        if is_old {
            // Nobody takes a goodbye back, whatever time it has.
            return Ok((sid, Vec::new()));
        }
        let has_waited = self.door.catching_up.is_some();
        if let Some(peer) = self.members.roster.get_mut(sid) {
            peer.stated = statement.time;
            if !has_waited {
                peer.clock.age(statement.time, now.uptime);
            }
        }
        let (events, fits) = self.weigh(sid, &statement.claim, what, now);
        if fits && what == What::Beacon {
            let active = self.presence.active.get();
            let streams = self.streams.of(origin, || self.members.origins());
            streams.room.expect_next(statement.next, active);
        }
        Ok((sid, events))
    }

    /// Tells once that somebody's program says something that this one does not know.
    pub(super) fn tell_newer(&mut self, sid: SessionId) -> Option<Event> {
        let peer = self.members.roster.get_mut(sid)?;
        let is_news = !std::mem::replace(&mut peer.told.newer, true);
        is_news.then(|| Event::Newer(peer.nick().clone()))
    }
}
