//! What members sign: messages and statements, checked in the order of PROTOCOL §5 and §10.

use std::time::Duration;

use crate::room::Time;
use crate::room::card::{Card, SessionId};
use crate::room::chain::Claim;
use crate::room::frame::{Departure, Signed};
use crate::room::message::{
    Header, Kind, LeftOutFor, OpenError, Opened, Stream, header_digest, open, verify,
};
use crate::room::names::Nick;
use crate::room::statement::{Occasion, Purpose, Statement};
use crate::room::text::SafeText;

use super::entries::signed_fields;
use super::event::{Event, Written};
use super::history::{At, Verdict};
use super::streams::Turn;
use super::{Now, Session};

/// A message that is older than this when it comes was kept back somewhere.
const OLD: Duration = Duration::from_mins(1);

/// What somebody has signed.
#[derive(Clone, Copy, PartialEq, Eq)]
enum What {
    Message,
    Beacon,
    Receipt,
}

/// What came with a header.
enum Brought {
    /// Its text.
    Words(Kind, SafeText),
    /// Nothing, on purpose.
    LeftOut(LeftOutFor),
}

impl Session {
    /// A message to the room has come, as an entry.
    pub(super) fn take_message_entry(
        &mut self,
        entry: &[u8],
        ciphertext: &[u8],
        now: Now,
    ) -> Vec<Event> {
        let header = signed_fields(entry).and_then(|signed| {
            let header = Header::parse(signed.bytes).ok()?;
            (header.stream == Stream::Room).then_some((signed, header))
        });
        let Some((signed, header)) = header else {
            self.history.note_unread();
            return vec![Event::Stray];
        };
        let (events, is_settled) = self.take_message(&signed, &header, ciphertext, true, now);
        if !is_settled {
            self.history.note_unread();
        }
        self.hurry_beacon(now);
        events
    }

    /// A message for this member alone has come: a direct one, or a late copy of one to the room.
    pub(super) fn take_delivery(
        &mut self,
        signed: &Signed<'_>,
        ciphertext: &[u8],
        now: Now,
    ) -> Vec<Event> {
        match Header::parse(signed.bytes) {
            Ok(header) => self.take_message(signed, &header, ciphertext, false, now).0,
            Err(_) => vec![Event::Stray],
        }
    }

    /// A message has come. Returns also whether it is settled: opened, or there before, or one that
    /// leaves this member out.
    fn take_message(
        &mut self,
        signed: &Signed<'_>,
        header: &Header,
        ciphertext: &[u8],
        is_entry: bool,
        now: Now,
    ) -> (Vec<Event>, bool) {
        let is_direct = header.stream != Stream::Room;
        let is_its_room = header.room == self.own.card.room();
        let Some(sid) = self.members.author(header.sender).filter(|_| is_its_room) else {
            return (self.stray(header.sender), false);
        };
        let Some(peer) = self.members.roster.get(sid) else {
            return (Vec::new(), false);
        };
        let (from, origin) = (peer.nick().clone(), peer.card.origin());
        let reader = match header.stream {
            Stream::Direct(reader) => reader,
            Stream::Room => self.listed_at(&header.claim),
        };
        let digest = header_digest(signed.bytes);
        let is_for_me = self.own.keys.contains(reader);
        let streams = self.streams.of(origin);
        let stream = if is_direct {
            &streams.direct
        } else {
            &streams.room
        };
        let turn = stream.turn(header.number, digest);
        // It would be dropped in any case, so it is not worth the work of looking at the signature.
        if is_for_me && turn == Turn::Repeated {
            if !is_entry {
                self.owe_receipt(origin, !is_direct, now);
            }
            return (Vec::new(), true);
        }
        if let Err(error) = verify(signed.bytes, signed.signature, peer.card.identity()) {
            return (vec![Event::Unopened(from, error)], false);
        }
        if !is_for_me {
            return (vec![Event::Unopened(from, OpenError::NotForMe)], false);
        }
        if turn == Turn::Taken {
            return (vec![Event::Equivocation(from)], false);
        }
        let (mut events, fits) = self.weigh(sid, &header.claim, What::Message, now);
        let active = self.active.get();
        let streams = self.streams.of(origin);
        let stream = if is_direct {
            &mut streams.direct
        } else {
            &mut streams.room
        };
        stream.take(header.number, digest, fits && turn == Turn::New, active);
        if !is_entry {
            self.owe_receipt(origin, !is_direct, now);
        }
        let key = self.own.keys.of(reader);
        let opened = open(signed.bytes, header, reader, key, ciphertext);
        let brought = match opened {
            Ok(Opened::Text(kind, text)) => Brought::Words(kind, SafeText::new(&text)),
            Ok(Opened::LeftOut(reason)) => Brought::LeftOut(reason),
            // It may be for others alone, who were there when this member was not.
            Err(OpenError::NoCiphertext) if !fits || turn != Turn::New => return (events, false),
            Err(error) => {
                events.push(self.not_opened(sid, from, error));
                return (events, false);
            }
        };
        let streams = self.streams.of(origin);
        let stream = if is_direct {
            &mut streams.direct
        } else {
            &mut streams.room
        };
        stream.opened(header.number);
        match brought {
            Brought::LeftOut(reason) => events.push(Event::LeftOut(from, reason)),
            Brought::Words(kind, text) => {
                events.extend(self.left_others_out(sid, header));
                let is_late = turn == Turn::Late || !fits;
                let written = self.written(sid, header.time, is_late, now);
                let unseen = if is_entry && !is_late {
                    self.shown.unseen(&header.claim, origin)
                } else {
                    0
                };
                let words = self.take_words(sid, is_direct, kind, text, written, unseen);
                if is_entry && words.is_some() {
                    self.shown.push(self.history.now().position, origin);
                }
                events.extend(words);
            }
        }
        (events, true)
    }

    /// The session id that this member had for somebody who makes such a claim.
    fn listed_at(&self, claim: &Claim) -> SessionId {
        let at = self.history.at(claim.run, claim.link.position);
        let (listed, _) = self.own.keys.at(at.unwrap_or_else(|| self.history.now()));
        listed
    }

    /// When something that has come now was written, if it was not just then.
    fn written(&mut self, sid: SessionId, time: Time, is_late: bool, now: Now) -> Option<Written> {
        let peer = self.members.roster.get_mut(sid)?;
        let ago = peer.clock.age(time, now.time);
        (is_late || ago > OLD).then_some(Written { time, ago })
    }

    /// Something came from nobody who is known here. Of those whose cards were refused the user was told
    /// then: for an honest relay, which cannot tell, they are in the room.
    fn stray(&self, sender: SessionId) -> Vec<Event> {
        if self.members.is_refused(sender) {
            Vec::new()
        } else {
            vec![Event::Stray]
        }
    }

    /// A message of somebody's could not be opened.
    fn not_opened(&mut self, sid: SessionId, from: Nick, error: OpenError) -> Event {
        if error == OpenError::KeyDestroyed {
            return Event::TooLate(from);
        }
        if error == OpenError::Kind {
            let peer = self.members.roster.get_mut(sid);
            if peer.is_some_and(|peer| !std::mem::replace(&mut peer.told.newer, true)) {
                return Event::Newer(from);
            }
        }
        self.timers.opening_failed();
        Event::Unopened(from, error)
    }

    /// Somebody has said something.
    fn take_words(
        &mut self,
        sid: SessionId,
        direct: bool,
        kind: Kind,
        text: SafeText,
        written: Option<Written>,
        unseen: usize,
    ) -> Option<Event> {
        let peer = self.members.roster.get_mut(sid)?;
        let from = peer.nick().clone();
        let away = match kind {
            Kind::Text | Kind::Action => {
                // Whom a reply would go to changes with it.
                self.changes += u64::from(direct);
                return Some(Event::Message {
                    from,
                    direct,
                    kind,
                    text,
                    written,
                    unseen,
                });
            }
            Kind::Away => Some(text),
            Kind::Back => None,
        };
        let before = std::mem::replace(&mut peer.away, away.clone());
        (before != away).then_some(Event::Away(from, away))
    }

    /// Tells whom a message leaves out, where it is not the same people as before.
    fn left_others_out(&mut self, sid: SessionId, header: &Header) -> Option<Event> {
        if header.stream != Stream::Room {
            return None;
        }
        let others = header.left_out.iter();
        let mut others: Vec<Nick> = others
            .filter_map(|(sid, _)| self.members.roster.get(*sid))
            .map(|peer| peer.nick().clone())
            .collect();
        others.sort_by(|one, other| one.as_str().cmp(other.as_str()));
        let peer = self.members.roster.get_mut(sid)?;
        if others == peer.told.left_out {
            return None;
        }
        peer.told.left_out.clone_from(&others);
        let from = peer.nick().clone();
        (!others.is_empty()).then_some(Event::LeftOthersOut(from, others))
    }

    /// A statement to all has come.
    pub(super) fn take_statement(&mut self, entry: &[u8], now: Now) -> Vec<Event> {
        let Some((signed, statement)) = parse_statement(entry) else {
            return vec![Event::Stray];
        };
        let Purpose::ToAll(occasion) = statement.purpose else {
            return vec![Event::Stray];
        };
        match self.take_signed(&signed, &statement, What::Beacon, now) {
            Err(events) => events,
            Ok((_, mut events)) if matches!(occasion, Occasion::Unknown(_)) => {
                events.extend(self.is_newer(statement.sender));
                events
            }
            Ok((_, events)) => events,
        }
    }

    /// A member says goodbye, and is out of the room with that.
    pub(super) fn take_goodbye(&mut self, entry: &[u8], now: Now) -> Vec<Event> {
        let goodbye = parse_statement(entry);
        let Some((signed, statement)) =
            goodbye.filter(|(_, statement)| statement.purpose == Purpose::ToAll(Occasion::Goodbye))
        else {
            return vec![Event::Stray];
        };
        let (sid, mut events) = match self.take_signed(&signed, &statement, What::Beacon, now) {
            Err(events) => return events,
            Ok(taken) => taken,
        };
        if let Some(peer) = self.members.remove(sid) {
            let (origin, nick) = (peer.card.origin(), peer.nick().clone());
            events.extend(self.missing(origin, &nick, true));
            events.extend(self.is_gone(origin, nick, Departure::Left));
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
            .author(statement.sender)
            .filter(|_| is_its_room);
        let Some((sid, peer)) = sid.and_then(|sid| Some((sid, self.members.roster.get_mut(sid)?)))
        else {
            return Err(self.stray(statement.sender));
        };
        let is_goodbye = statement.purpose == Purpose::ToAll(Occasion::Goodbye);
        let is_old = statement.time <= peer.stated;
        if is_old && !is_goodbye {
            // It was there before, and is no sign of life. Who signed it makes no difference.
            return Err(Vec::new());
        }
        if let Err(error) = verify(signed.bytes, signed.signature, peer.card.identity()) {
            return Err(vec![Event::Unopened(peer.nick().clone(), error)]);
        }
        if is_old {
            // Nobody takes a goodbye back, whatever time it has.
            return Ok((sid, Vec::new()));
        }
        peer.stated = statement.time;
        peer.clock.age(statement.time, now.time);
        let origin = peer.card.origin();
        let (events, fits) = self.weigh(sid, &statement.claim, what, now);
        if fits && what == What::Beacon {
            let active = self.active.get();
            let streams = self.streams.of(origin);
            streams.room.expect_next(statement.next, active);
        }
        Ok((sid, events))
    }

    /// Compares a claim that somebody has signed with what this member has seen, and learns from it
    /// (PROTOCOL §5). Returns what is to be told, and whether it fits: it is equal, and of the present
    /// stay of both.
    fn weigh(&mut self, sid: SessionId, claim: &Claim, what: What, now: Now) -> (Vec<Event>, bool) {
        let verdict = self.history.compare(claim);
        let is_of_this_run = self.history.is_of_this_run(claim);
        let (active, period) = (self.active.get(), self.period());
        let Some(peer) = self.members.roster.get_mut(sid) else {
            return (Vec::new(), false);
        };
        peer.seen.heard = now.uptime;
        let (nick, origin) = (peer.nick().clone(), peer.card.origin());
        // A message may be sent again, a statement is not.
        let is_out_of_time = !is_of_this_run && what != What::Message;
        if verdict == Verdict::Different || is_out_of_time {
            let is_news = !std::mem::replace(&mut peer.watch.differs, true);
            let mut events = Vec::from_iter(is_news.then_some(Event::OtherView(nick)));
            events.extend((is_news && self.is_contradicted()).then_some(Event::Contradicted));
            return (events, false);
        }
        if verdict == Verdict::Unknown || !is_of_this_run {
            return (Vec::new(), false);
        }
        let position = claim.link.position;
        let covered = self.own_entries.covered_by(position);
        if let Some(entry) = covered {
            peer.watch.covers(entry);
        }
        let is_beacon = what == What::Beacon && position >= peer.base;
        let mut events = Vec::new();
        if peer.watch.is_blind(is_beacon, active, period) {
            events.push(Event::Blind(nick.clone()));
        }
        // Receipts go before the next beacon: an honest relay cannot part the two.
        let is_owed = what == What::Beacon
            && covered.is_some_and(|entry| {
                entry.position > peer.base && self.outbox.owes_receipt(origin, entry.order)
            });
        if is_owed && !std::mem::replace(&mut peer.told.unanswered, true) {
            events.push(Event::Unanswered(nick));
        }
        let first = peer.base.max(self.history.base());
        let fits = position >= first;
        if fits {
            self.history.past_is_told();
            let run = self.history.now().run;
            let first = At {
                run,
                position: first,
            };
            let news = self.outbox.confirm(origin, first, claim);
            events.extend(news.into_iter().map(Event::of_news));
        }
        (events, fits)
    }

    /// What a card says of its member's former stays: what was said then is confirmed, or it was
    /// shown different things.
    pub(super) fn learn_past(&mut self, card: &Card) -> Vec<Event> {
        let mut events = Vec::new();
        for stay in card.past() {
            let claim = &stay.claim;
            let at = self.history.at(claim.run, claim.link.position);
            match self.history.compare(claim) {
                Verdict::Different => {
                    let peer = self.members.roster.get(card.sid());
                    events.extend(peer.map(|peer| Event::OtherView(peer.nick().clone())));
                    return events;
                }
                Verdict::Same => {
                    let own = at.and_then(|at| Some((at, self.history.stay_around(at)?)));
                    if let Some((at, own)) = own {
                        let first = At {
                            run: at.run,
                            position: own.max(stay.first),
                        };
                        let news = self.outbox.confirm(card.origin(), first, claim);
                        events.extend(news.into_iter().map(Event::of_news));
                    }
                }
                Verdict::Unknown => {}
            }
        }
        events
    }

    fn is_newer(&mut self, sender: SessionId) -> Option<Event> {
        let sid = self.members.author(sender)?;
        let peer = self.members.roster.get_mut(sid)?;
        let is_news = !std::mem::replace(&mut peer.told.newer, true);
        is_news.then(|| Event::Newer(peer.nick().clone()))
    }
}

fn parse_statement(entry: &[u8]) -> Option<(Signed<'_>, Statement)> {
    let signed = signed_fields(entry)?;
    let statement = Statement::parse(signed.bytes).ok()?;
    Some((signed, statement))
}
