//! What members send: messages and statements, checked in the order of PROTOCOL §5 and §10.

use crate::cipher::encoding::Digest;
use crate::room::card::SessionId;
use crate::room::message::{Header, Kind, OpenError, Opened, Stream, header_digest, open, verify};
use crate::room::names::Nick;
use crate::room::statement::{Occasion, Statement};
use crate::room::text::SafeText;
use crate::room::transcript::{Among, Comparison, Version, View};

use super::event::Event;
use super::peer::Place;
use super::{Now, Session};

impl Session {
    /// A message has come (PROTOCOL §5).
    pub(super) fn deliver(
        &mut self,
        bytes: &[u8],
        signature: &[u8],
        ciphertext: &[u8],
        now: Now,
    ) -> Vec<Event> {
        let Ok(header) = Header::parse(bytes) else {
            return vec![Event::Stray];
        };
        let known = self.transcript.version(header.run, header.epoch);
        let (present, entered) = self.transcript.versions();
        let version = known.unwrap_or(present);
        if self.keys.contains(header.sender) {
            return self.came_back(bytes, version);
        }
        let (listed, key) = self.keys.at(version);
        let reader = match header.stream {
            // Then `key` is another one's, and not used: what this member did not see is not opened.
            Stream::Direct(reader) if self.may_have_been(reader, version) => reader,
            _ => listed,
        };
        // What is sent again may be from before its sender changed the key.
        let sid = self.author(header.sender).unwrap_or(header.sender);
        let sender = self.roster.get_mut(sid);
        let (Some(peer), true) = (sender, header.room == self.card.room()) else {
            return self.stray(header.sender);
        };
        let from = peer.card.nick().clone();
        let unopened = |error| Event::Unopened(from.clone(), error);
        let digest: Digest = header_digest(bytes);
        let direct = header.stream != Stream::Room;
        let is_for_another = direct && header.stream != Stream::Direct(reader);
        let stream = direct.then_some((header.sender, reader));
        let past = (peer.incoming).past(stream, header.sequence, digest);
        // It would be dropped in any case, so it is not worth the work of looking at the signature.
        // Another message for the same place is: it may be truly its sender's.
        if !is_for_another && past == Some(Place::Repeated) {
            return Vec::new();
        }
        if let Err(error) = verify(bytes, signature, peer.card.identity()) {
            return vec![unopened(error)];
        }
        if is_for_another {
            return vec![unopened(OpenError::NotForMe)];
        }
        let missing = match peer.incoming.take(stream, header.sequence, digest) {
            Place::New { missing } => missing,
            Place::Repeated => return Vec::new(),
            Place::Taken => return vec![Event::Equivocation(from)],
        };
        peer.is_heard(now.uptime);

        let mut events = Vec::new();
        if missing > 0 {
            if !direct {
                self.transcript.mark_incomplete();
            }
            events.push(Event::Missing(from.clone(), missing));
        }
        // No chain has what is sent again from before its sender, or this member, last joined (it comes
        // to each reader at another time), nor what is of a run that this member does not know.
        let is_in_chain = known.is_some() && version >= entered && version >= peer.joined;
        let seen = view(&header, reader, is_in_chain);
        let comparison = self.transcript.compare(header.sender, &seen);
        if !direct && is_in_chain {
            self.transcript.append(version, bytes);
        }
        // A greeting comes before all that is written for a newcomer.
        let lacks_greeting = is_in_chain && std::mem::take(&mut peer.incoming.owes_greeting);
        match comparison {
            _ if lacks_greeting || comparison == Comparison::Different => {
                peer.reported.unconfirmed = true;
                events.push(Event::OtherView(from.clone()));
            }
            Comparison::Same => peer.is_confirmed = true,
            Comparison::Unknown | Comparison::Different => {}
            // Whether it was for this member cannot be known.
            Comparison::Unseen => {
                events.push(Event::Missing(from, 1));
                return events;
            }
            Comparison::TooEarly => {
                events.push(unopened(OpenError::NotForMe));
                return events;
            }
        }
        match open(bytes, &header, reader, key, ciphertext) {
            Ok(Opened::LeftOut) => events.push(Event::LeftOut(from)),
            Ok(Opened::Text(kind, text)) => {
                let text = SafeText::new(&text);
                events.extend(self.left_others_out(&header));
                events.extend(self.take_words(sid, direct, kind, text));
            }
            Err(error) => events.push(self.not_opened(sid, digest, error, now)),
        }
        events
    }

    /// Something came from nobody who is known here. Of those whose cards were refused the user was told
    /// then: for an honest relay, which cannot tell, they are in the room.
    fn stray(&self, sender: SessionId) -> Vec<Event> {
        if self.refused.contains(&sender) {
            Vec::new()
        } else {
            vec![Event::Stray]
        }
    }

    /// A message of somebody's that is in its place could not be read.
    fn not_opened(&mut self, sid: SessionId, message: Digest, error: OpenError, now: Now) -> Event {
        let others = self.roster.len();
        let Some(peer) = self.roster.get_mut(sid) else {
            return Event::Stray;
        };
        let from = peer.card.nick().clone();
        if error == OpenError::KeyDestroyed {
            peer.outgoing.came_too_late(message);
            self.schedule.greet(others, now.uptime);
            return Event::TooLate(from);
        }
        self.schedule.opening_failed();
        Event::Unopened(from, error)
    }

    /// Whether the others may have seen this member under this session id without its knowing, as
    /// it was between two stays.
    fn may_have_been(&self, sid: SessionId, version: Version) -> bool {
        let (_, entered) = self.transcript.versions();
        version < entered && !self.transcript.was_there(version) && self.keys.contains(sid)
    }

    /// Somebody has said something.
    fn take_words(
        &mut self,
        sid: SessionId,
        direct: bool,
        kind: Kind,
        text: SafeText,
    ) -> Option<Event> {
        let peer = self.roster.get_mut(sid)?;
        let from = peer.card.nick().clone();
        let away = match kind {
            Kind::Text | Kind::Action => {
                // Whom a reply would go to changes with it.
                self.changes += u64::from(direct);
                return Some(Event::Message {
                    from,
                    direct,
                    kind,
                    text,
                });
            }
            Kind::Away => Some(text),
            Kind::Back => None,
        };
        let before = std::mem::replace(&mut peer.away, away.clone());
        (before != away).then_some(Event::Away(from, away))
    }

    /// Tells whom a message leaves out, where it is not the same people as before.
    fn left_others_out(&mut self, header: &Header) -> Option<Event> {
        if header.stream != Stream::Room {
            return None;
        }
        let others = header.left_out.iter();
        let mut others: Vec<Nick> = others
            .filter_map(|sid| self.roster.get(*sid))
            .map(|peer| peer.card.nick().clone())
            .collect();
        others.sort_by(|one, other| one.as_str().cmp(other.as_str()));
        let sid = self.author(header.sender)?;
        let peer = self.roster.get_mut(sid)?;
        if others == peer.reported.left_out {
            return None;
        }
        peer.reported.left_out.clone_from(&others);
        let from = peer.card.nick().clone();
        (!others.is_empty()).then_some(Event::LeftOthersOut(from, others))
    }

    /// A message of one's own comes back without its content, to tell its place in the order.
    fn came_back(&mut self, bytes: &[u8], version: Version) -> Vec<Event> {
        if self.on_their_way.front().map(Vec::as_slice) != Some(bytes) {
            return vec![Event::Stray];
        }
        self.on_their_way.pop_front();
        let (_, entered) = self.transcript.versions();
        if version >= entered {
            self.transcript.append(version, bytes);
        }
        Vec::new()
    }

    /// A statement has come (PROTOCOL §10).
    pub(super) fn hear(&mut self, bytes: &[u8], signature: &[u8], now: Now) -> Vec<Event> {
        let Ok(statement) = Statement::parse(bytes) else {
            return vec![Event::Stray];
        };
        let sender = self.roster.get_mut(statement.sender);
        let (Some(peer), true) = (sender, statement.room == self.card.room()) else {
            return self.stray(statement.sender);
        };
        let is_goodbye = statement.occasion == Occasion::Leave;
        let is_old = statement.time <= peer.stated;
        if is_old && !is_goodbye {
            // It was there before, and is no sign of life. Who signed it makes no difference.
            return Vec::new();
        }
        let from = peer.card.nick().clone();
        if let Err(error) = verify(bytes, signature, peer.card.identity()) {
            return vec![Event::Unopened(from, error)];
        }
        // Nobody takes a goodbye back, whatever time it has: the relay has taken its signer out.
        peer.said_goodbye |= is_goodbye;
        if is_old {
            return Vec::new();
        }
        peer.stated = statement.time;
        let view = View {
            run: statement.run,
            epoch: statement.epoch,
            seen: statement.seen,
            parent: &statement.parent,
            audience: &statement.roster,
            is_in_chain: true,
            among: Among::AllBut(&[]),
        };
        let known = self.transcript.version(statement.run, statement.epoch);
        let (present, entered) = self.transcript.versions();
        if known.is_some_and(|version| version < entered) {
            // It was made before this member was there, or last came, and says nothing else to it.
            return Vec::new();
        }
        let comparison = self.transcript.compare(statement.sender, &view);
        let (reader, _) = self.keys.at(known.unwrap_or(present));
        let told = statement.told(reader).map(|told| told.total);
        let owed_greeting = peer.incoming.owes_greeting;
        let mut missing = peer.incoming.learn(statement.next, told);
        peer.incoming.owes_greeting = false;
        if missing > 0 {
            self.transcript.mark_incomplete();
        }
        for stream in &statement.direct {
            if self.keys.contains(stream.to) {
                // The numbers are the sender's own, and may be as great as numbers get.
                missing = missing.saturating_add(peer.incoming.learn_direct(stream));
            }
        }
        peer.is_heard(now.uptime);
        let mut events = Vec::new();
        if missing > 0 {
            events.push(Event::Missing(from.clone(), missing));
        }
        let unread = self.spoken.unread_by(&from, &statement.unread);
        let undelivered = |text| Event::Undelivered(vec![from.clone()], text);
        events.extend(unread.into_iter().map(undelivered));
        let past = statement.past.iter();
        let past = past.map(|past| {
            self.transcript
                .compare_past(statement.run, statement.sender, past)
        });
        let past_differs = past.filter(|past| *past == Comparison::Different).count() > 0;
        // What is about to be told says more than that nothing has come that agrees.
        let differs = comparison == Comparison::Different || past_differs;
        peer.reported.unconfirmed |= owed_greeting && told.is_none() || differs;

        match comparison {
            // What came before its first statement was kept back, how much cannot be known.
            _ if owed_greeting && told.is_none() => events.push(Event::OtherView(from)),
            _ if past_differs && missing == 0 => events.push(Event::OtherView(from)),
            Comparison::Same => peer.is_confirmed = true,
            // What is missing explains it.
            Comparison::Different if missing == 0 => events.push(Event::OtherView(from)),
            _ => {}
        }
        events
    }
}

/// What the author of a message says that it had seen.
fn view(header: &Header, reader: SessionId, is_in_chain: bool) -> View<'_> {
    View {
        run: header.run,
        epoch: header.epoch,
        seen: header.seen,
        parent: &header.parent,
        audience: &header.audience,
        is_in_chain,
        among: match header.stream {
            Stream::Room => Among::AllBut(&header.left_out),
            Stream::Direct(_) => Among::Both(header.sender, reader),
        },
    }
}
