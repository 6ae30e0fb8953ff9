//! What members sign: messages and statements, checked in the order of PROTOCOL §5 and §10.

use std::time::Duration;

use crate::room::Time;
use crate::room::card::SessionId;
use crate::room::chain::{Claim, roster_digest};
use crate::room::content::{Content, Unproven};
use crate::room::frame::Signed;
use crate::room::message::{Header, Kind, OpenError, Opened, Stream, header_digest, open, verify};
use crate::room::names::Nick;
use crate::room::text::SafeText;

use super::claims::What;
use super::event::{Event, Written};
use super::peer::Peer;
use super::streams::{NumberedStream, Turn};
use super::{Now, Session};

/// A message that is older than this when it comes was kept back somewhere.
const OLD: Duration = Duration::from_mins(1);

/// So many characters are kept of why somebody is away. When it comes, it is told whole.
const REASON: usize = 250;

/// A message that has come.
struct Arrived<'a> {
    signed: Signed<'a>,
    header: Header,
    ciphertext: &'a [u8],
    /// Whether it is an entry of the chain; if not, it has come to this member alone.
    is_entry: bool,
}

impl Arrived<'_> {
    /// Whether it has come to all, and without content for this member.
    fn may_be_for_others(&self) -> bool {
        self.is_entry && self.ciphertext.is_empty()
    }

    fn is_direct(&self) -> bool {
        self.header.stream != Stream::Room
    }
}

/// Who wrote a message, and as whom this member reads it.
struct Parties {
    /// Under which session id the author is in the roster, and which it had at first.
    author: SessionId,
    origin: SessionId,
    nick: Nick,
    /// Empty if the room had this member under no session id when the message was written; more than
    /// one, the newest first, if this member was not there then and does not know which it had.
    readers: Vec<SessionId>,
    /// Whether it was written in a run in which this member never was, by somebody whom it met only later:
    /// it may be for this member, or one of its readers has encrypted it again.
    is_unplaced: bool,
}

/// What becomes of a message.
struct Outcome {
    events: Vec<Event>,
    /// Whether nothing of it is left to be opened: this member opened it, now or before, or it leaves
    /// this member out.
    is_settled: bool,
}

impl Outcome {
    /// It was not opened, which is told like this.
    fn unread(events: impl IntoIterator<Item = Event>) -> Self {
        Self {
            events: events.into_iter().collect(),
            is_settled: false,
        }
    }

    fn settled(events: Vec<Event>) -> Self {
        Self {
            events,
            is_settled: true,
        }
    }
}

impl Session {
    /// A message to the room has come, as an entry.
    pub(super) fn take_message_entry(
        &mut self,
        signed: &Signed<'_>,
        ciphertext: &[u8],
        now: Now,
    ) -> Vec<Event> {
        let outcome = match Header::parse(signed.bytes) {
            Ok(header) => {
                let arrived = Arrived {
                    signed: *signed,
                    header,
                    ciphertext,
                    is_entry: true,
                };
                self.take_message(&arrived, now)
            }
            Err(_) => Outcome::unread([Event::Stray]),
        };
        if !outcome.is_settled {
            self.history.note_unread();
        }
        self.hurry_beacon(now);
        outcome.events
    }

    /// A message for this member alone has come: a direct one, or a late copy of one to the room.
    pub(super) fn take_delivery(
        &mut self,
        signed: &Signed<'_>,
        ciphertext: &[u8],
        now: Now,
    ) -> Vec<Event> {
        let Ok(header) = Header::parse(signed.bytes) else {
            return vec![Event::Stray];
        };
        let arrived = Arrived {
            signed: *signed,
            header,
            ciphertext,
            is_entry: false,
        };
        self.take_message(&arrived, now).events
    }

    /// A message has come: the steps of PROTOCOL §5.
    fn take_message(&mut self, arrived: &Arrived<'_>, now: Now) -> Outcome {
        let parties = match self.find_parties(arrived) {
            Ok(parties) => parties,
            Err(events) => return Outcome::unread(events),
        };
        let turn = match self.check_turn(arrived, &parties, now) {
            Ok(turn) => turn,
            Err(outcome) => return outcome,
        };
        let claim = &arrived.header.claim;
        let (mut events, fits) = self.weigh(parties.author, claim, What::Message, now);
        self.take_number(arrived, &parties, fits && turn == Turn::New, now);
        match self.open(arrived, &parties) {
            Ok(opened) => {
                let number = arrived.header.number;
                self.stream_of(arrived, &parties).opened(number);
                let is_late = turn == Turn::Late || self.is_from_before(parties.author, claim);
                events.extend(self.show(arrived, &parties, opened, is_late, now));
                Outcome::settled(events)
            }
            // It may be for others alone, who were there when this member was not.
            Err(_) if arrived.may_be_for_others() && (!fits || turn != Turn::New) => {
                Outcome::unread(events)
            }
            Err(error) => {
                events.push(self.not_opened(&parties, error));
                Outcome::unread(events)
            }
        }
    }

    /// Opens a message with the key that it is for, so far as this member knows which that is.
    fn open(&self, arrived: &Arrived<'_>, parties: &Parties) -> Result<Opened, OpenError> {
        let present = [self.own.card.sid()];
        let readers = match parties.readers.as_slice() {
            [] => &present,
            readers => readers,
        };
        if parties.is_unplaced && !arrived.ciphertext.is_empty() {
            return Err(OpenError::KeyDestroyed);
        }
        let mut failure = OpenError::NoCiphertext;
        for reader in readers {
            let key = self.own.keys.of(*reader);
            let (bytes, header) = (arrived.signed.bytes, &arrived.header);
            match open(bytes, header, *reader, key, arrived.ciphertext) {
                // A relay passes on nothing that is for a key which was given up long ago.
                Err(OpenError::NoCiphertext) if key.is_none() => failure = OpenError::KeyDestroyed,
                Err(OpenError::NoCiphertext) => {}
                // It may have been for a key that is gone.
                Err(OpenError::CannotOpen) if failure == OpenError::KeyDestroyed => {}
                Err(error @ (OpenError::CannotOpen | OpenError::KeyDestroyed)) => failure = error,
                opened => return opened,
            }
        }
        Err(failure)
    }

    /// Finds who wrote a message to this room, and as whom this member reads it.
    ///
    /// # Errors
    /// With what is told of one from nobody who is here.
    fn find_parties(&self, arrived: &Arrived<'_>) -> Result<Parties, Vec<Event>> {
        let Arrived { signed, header, .. } = arrived;
        let is_its_room = header.room == self.own.card.room();
        let author = self.members.author(header.sender, signed);
        let author = author.filter(|_| is_its_room);
        let peer = author.and_then(|author| Some((author, self.members.roster.get(author)?)));
        let Some((author, peer)) = peer else {
            return Err(self.stray(header.sender));
        };
        let (readers, is_unplaced) = match header.stream {
            Stream::Direct(reader) => (vec![reader], false),
            Stream::Room => self.known_at(header, peer),
        };
        Ok(Parties {
            author,
            origin: peer.card.origin(),
            nick: peer.nick().clone(),
            readers,
            is_unplaced,
        })
    }

    /// Checks the signature of a message, that it is for this member, and its number.
    ///
    /// # Errors
    /// With what becomes of one that is dropped.
    fn check_turn(
        &mut self,
        arrived: &Arrived<'_>,
        parties: &Parties,
        now: Now,
    ) -> Result<Turn, Outcome> {
        let nick = || parties.nick.clone();
        // What is for one alone is no entry.
        let is_misplaced = arrived.is_entry && arrived.is_direct();
        // Whoever has read a message could encrypt it again for those who came later.
        let is_own = |reader: &SessionId| self.own.keys.contains(*reader);
        let is_for_me = match parties.readers.as_slice() {
            [] => arrived.ciphertext.is_empty(),
            readers => !is_misplaced && readers.iter().all(is_own),
        };
        let digest = header_digest(arrived.signed.bytes);
        let number = arrived.header.number;
        let turn = self.stream_of(arrived, parties).turn(number, digest);
        // It would be dropped in any case, so it is not worth the work of looking at the signature.
        if is_for_me && turn == Turn::Repeated {
            if !arrived.is_entry {
                self.owe_receipt(parties.origin, !arrived.is_direct(), now);
            }
            return Err(Outcome::settled(Vec::new()));
        }
        let identity = self.members.roster.get(parties.author);
        let identity = identity.map(|peer| peer.card.identity());
        let Signed { bytes, signature } = arrived.signed;
        if let Some(Err(error)) = identity.map(|key| verify(bytes, signature, key)) {
            return Err(Outcome::unread([Event::Unopened(nick(), error)]));
        }
        // A message to the room is an entry. It comes to one alone only after one of the two has entered anew.
        let is_copy = !arrived.is_entry && !arrived.is_direct();
        let has_no_reason = is_copy && !self.is_from_before(parties.author, &arrived.header.claim);
        if !is_for_me || has_no_reason {
            let event = Event::Unopened(nick(), OpenError::NotForMe);
            return Err(Outcome::unread([event]));
        }
        if turn == Turn::Taken {
            return Err(Outcome::unread([Event::Equivocation(nick())]));
        }
        Ok(turn)
    }

    /// Uses up the number of a message whose signature was verified. If it came to this member alone,
    /// its author is owed a receipt.
    fn take_number(&mut self, arrived: &Arrived<'_>, parties: &Parties, fits: bool, now: Now) {
        let digest = header_digest(arrived.signed.bytes);
        let active = self.presence.active.get();
        let has_content = !arrived.is_entry || !arrived.ciphertext.is_empty();
        let stream = self.stream_of(arrived, parties);
        stream.take(arrived.header.number, digest, has_content, fits, active);
        if !arrived.is_entry {
            self.owe_receipt(parties.origin, !arrived.is_direct(), now);
        }
    }

    fn stream_of(&mut self, arrived: &Arrived<'_>, parties: &Parties) -> &mut NumberedStream {
        let streams = self.streams.of(parties.origin, || self.members.origins());
        if arrived.is_direct() {
            &mut streams.direct
        } else {
            &mut streams.room
        }
    }

    /// Hands what a message brought to the display.
    fn show(
        &mut self,
        arrived: &Arrived<'_>,
        parties: &Parties,
        opened: Opened,
        is_late: bool,
        now: Now,
    ) -> Vec<Event> {
        let (header, author) = (&arrived.header, parties.author);
        let (content, nonce) = match opened {
            Opened::LeftOut(reason) => return vec![Event::LeftOut(parties.nick.clone(), reason)],
            Opened::Content(content, nonce) => (content, nonce),
        };
        let (kind, said) = match content {
            Content::Text(kind, text) => (kind, text),
            Content::Share(share) => {
                let is_over = self.is_from_before(author, &header.claim);
                return self.take_share(author, share, is_over);
            }
            // It belongs to something that ended when one of the two entered anew.
            Content::Bundle(_) if self.is_from_before(author, &header.claim) => return Vec::new(),
            Content::Bundle(bundle) => return self.take_bundle(author, bundle),
        };
        let text = SafeText::new(&said);
        let mut events = Vec::from_iter(self.left_others_out(author, header));
        let away = match kind {
            Kind::Away => Some(text),
            Kind::Back => None,
            Kind::CatchUp => {
                events.push(Event::AsksToCatchUp(parties.nick.clone()));
                return events;
            }
            Kind::Text | Kind::Action => {
                let direct = arrived.is_direct();
                if !direct {
                    let copy = Unproven {
                        header: arrived.signed.bytes.to_vec(),
                        signature: arrived.signed.signature.to_vec(),
                        nonce,
                        kind: kind.code(),
                        text: said.into_bytes(),
                    };
                    self.keep(copy, Some(author), now);
                }
                // Whom a reply would go to changes with it.
                self.members.changes += u64::from(direct);
                let ago = self.age(author, header.time, now);
                let written = now.uptime.saturating_sub(ago);
                events.push(Event::Message {
                    from: parties.nick.clone(),
                    direct,
                    kind,
                    text,
                    written: (is_late || ago > OLD).then_some(Written {
                        time: header.time,
                        ago,
                    }),
                    unseen: self.unseen(&header.claim, parties.origin, written),
                });
                if arrived.is_entry {
                    let position = self.history.now().position;
                    self.shown.push(position, parties.origin, written);
                }
                return events;
            }
        };
        let kept = away.as_ref().map(|text| text.beginning(REASON));
        let peer = self.members.roster.get_mut(author);
        let before = peer.map(|peer| std::mem::replace(&mut peer.away, kept.clone()));
        let is_news = before.is_some_and(|before| before != kept);
        events.extend(is_news.then(|| Event::Away(parties.nick.clone(), away)));
        events
    }

    /// How many of the others' messages on the screen its author had not seen who wrote something at this
    /// time, in this member's uptime, and makes this claim.
    fn unseen(&self, claim: &Claim, author: SessionId, written: Duration) -> usize {
        let is_of_this_run = self.history.is_of_this_run(claim);
        let seen = if is_of_this_run {
            claim.link.position
        } else {
            0
        };
        self.shown.unseen(seen, author, written)
    }

    /// The session ids under which the author of a message to the room may have known this member when it
    /// wrote that; and whether this member can only guess that it may.
    fn known_at(&self, header: &Header, author: &Peer) -> (Vec<SessionId>, bool) {
        let present = self.history.run();
        let claim = &header.claim;
        match self.history.at(claim.run, claim.link.position) {
            Some(at) => {
                let was_shown = self.history.stay_around(at).is_some();
                (self.own.keys.perhaps_at(at, was_shown), false)
            }
            // In a run in which this member never was, somebody may have expected it back who had met it
            // before that.
            None if author.met.is_before(header.number, present) => (self.own.keys.all(), false),
            // Or who had seen it come, and was not seen.
            None if present > 0 => (self.own.keys.all(), true),
            None => (Vec::new(), false),
        }
    }

    /// How long ago something was written that has come now, as far as its author's clock tells.
    fn age(&mut self, sid: SessionId, time: Time, now: Now) -> Duration {
        let peer = self.members.roster.get_mut(sid);
        peer.map_or(Duration::ZERO, |peer| peer.clock.age(time, now.uptime))
    }

    /// Something came from nobody who is known here. Of those whose cards were refused the user was told
    /// then: for an honest relay, which cannot tell, they are in the room.
    pub(super) fn stray(&self, sender: SessionId) -> Vec<Event> {
        if self.members.is_refused(sender) {
            Vec::new()
        } else {
            vec![Event::Stray]
        }
    }

    /// A message could not be opened.
    fn not_opened(&mut self, parties: &Parties, error: OpenError) -> Event {
        let nick = parties.nick.clone();
        match error {
            OpenError::KeyDestroyed => return Event::TooLate(nick),
            // The key is good: it has opened it.
            OpenError::Kind => {
                let newer = self.is_newer(parties.author);
                return newer.unwrap_or(Event::Unopened(nick, error));
            }
            _ => self.timers.opening_failed(),
        }
        Event::Unopened(nick, error)
    }

    /// Tells whom a message leaves out, where it is not the same people as before.
    fn left_others_out(&mut self, sid: SessionId, header: &Header) -> Option<Event> {
        if header.stream != Stream::Room {
            return None;
        }
        let others = header.left_out.iter();
        let others: Vec<(SessionId, Nick)> = others
            .filter_map(|(sid, _)| Some((*sid, self.members.roster.get(*sid)?.nick().clone())))
            .collect();
        let (sids, mut nicks): (Vec<SessionId>, Vec<Nick>) = others.into_iter().unzip();
        nicks.sort_by(|one, other| one.as_str().cmp(other.as_str()));
        let peer = self.members.roster.get_mut(sid)?;
        let left_out = (!sids.is_empty()).then(|| roster_digest(&sids));
        let before = std::mem::replace(&mut peer.told.left_out, left_out);
        let is_news = left_out.is_some() && before != left_out;
        is_news.then(|| Event::LeftOthersOut(peer.nick().clone(), nicks))
    }
}
