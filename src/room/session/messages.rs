//! What members sign: messages and statements, checked in the order of PROTOCOL §5 and §10.

use std::sync::Arc;
use std::time::Duration;

use crate::room::Time;
use crate::room::card::SessionId;
use crate::room::chain::{Claim, entry_digest, roster_digest, signed_entry};
use crate::room::content::{Content, Unproven};
use crate::room::frame::Signed;
use crate::room::message::{Header, Kind, OpenError, Opened, Stream, header_digest, verify};
use crate::room::names::Nick;
use crate::room::text::SafeText;

use super::claims::What;
use super::event::{Event, Written};
use super::history::At;
use super::jobs::{Candidate, Done, Found, Job, Parcel, Place, Work, open_for};
use super::peer::Peer;
use super::signatures::Signature;
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
    /// What was found of it beside.
    found: Option<Found>,
}

impl<'a> Arrived<'a> {
    /// `None` if it cannot be read.
    fn read(parcel: Parcel<'a>, found: Option<Found>) -> Option<Self> {
        let Parcel {
            signed,
            ciphertext,
            is_entry,
        } = parcel;
        let header = Header::parse(signed.bytes).ok()?;
        Some(Self {
            signed,
            header,
            ciphertext,
            is_entry,
            found,
        })
    }

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

/// What is known of a message before its signature is looked at.
struct Placed {
    is_for_me: bool,
    /// Whether it is a copy that nobody has a reason to send.
    has_no_reason: bool,
    turn: Turn,
}

impl Placed {
    fn is_right(&self) -> bool {
        self.is_for_me && !self.has_no_reason
    }
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
        parcel: Parcel<'_>,
        found: Option<Found>,
        now: Now,
    ) -> Vec<Event> {
        let outcome = match Arrived::read(parcel, found) {
            Some(arrived) => self.take_message(arrived, now),
            None => Outcome::unread([Event::Stray]),
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
        parcel: Parcel<'_>,
        found: Option<Found>,
        now: Now,
    ) -> Vec<Event> {
        match Arrived::read(parcel, found) {
            Some(arrived) => self.take_message(arrived, now).events,
            None => vec![Event::Stray],
        }
    }

    /// The work of verifying and opening that can be done beside now, for whatever threads: of the messages
    /// that wait, as far as they are right in their place by what is known so far.
    pub fn take_jobs(&mut self) -> Vec<Job> {
        let mut inbox = std::mem::take(&mut self.inbox);
        let now = self.history.now();
        let shown = At {
            position: now.position.saturating_add(inbox.entries()),
            ..now
        };
        let jobs = inbox.hand_out(|frame| self.work_for(frame, shown));
        self.inbox = inbox;
        jobs
    }

    /// A job is done, in whatever order.
    pub fn take_done(&mut self, done: Done) {
        self.inbox.put(done);
    }

    /// What is to be done for a message, if a frame brings one that is worth it: when it is dealt with, this
    /// member will have been `shown` more, and so may know it better.
    fn work_for(&mut self, frame: &Arc<[u8]>, shown: At) -> Option<(Place, Work)> {
        let arrived = Arrived::read(Parcel::parse(frame)?, None)?;
        let sender = arrived.header.sender;
        let peer = self.members.roster.get(sender)?;
        if peer.wrong.are_many() {
            return None;
        }
        let parties = self.find_parties(&arrived, Some(sender), shown).ok()?;
        let place = self.place(&arrived, &parties);
        let can_open = place.is_right() && matches!(place.turn, Turn::New | Turn::Late);
        if !can_open || arrived.ciphertext.is_empty() || parties.is_unplaced {
            return None;
        }
        let work = Work {
            frame: Arc::clone(frame),
            identity: self.members.roster.get(sender)?.card.identity().clone(),
            readers: self.candidates(&parties),
        };
        Some(((sender, arrived.header.stream, arrived.header.number), work))
    }

    /// A message has come: the steps of PROTOCOL §5.
    fn take_message(&mut self, mut arrived: Arrived<'_>, now: Now) -> Outcome {
        let sender = arrived.header.sender;
        let author = self.members.author(sender, &arrived.signed, now.uptime);
        let parties = match self.find_parties(&arrived, author, self.history.now()) {
            Ok(parties) => parties,
            Err(events) => return Outcome::unread(events),
        };
        let turn = match self.check_turn(&arrived, &parties, now) {
            Ok(turn) => turn,
            Err(outcome) => return outcome,
        };
        let (found, claim) = (arrived.found.take(), &arrived.header.claim);
        let (mut events, fits) = self.weigh(parties.author, claim, What::Message, now);
        self.take_number(&arrived, &parties, fits && turn == Turn::New, now);
        match self.open(&arrived, &parties, found) {
            Ok(opened) => {
                let number = arrived.header.number;
                self.stream_of(&arrived, &parties).opened(number);
                let is_late = turn == Turn::Late || self.is_from_before(parties.author, claim);
                events.extend(self.show(&arrived, &parties, opened, is_late, now));
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
    fn open(
        &self,
        arrived: &Arrived<'_>,
        parties: &Parties,
        found: Option<Found>,
    ) -> Result<Opened, OpenError> {
        if parties.is_unplaced && !arrived.ciphertext.is_empty() {
            return Err(OpenError::KeyDestroyed);
        }
        let readers = self.candidates(parties);
        let opened = found.and_then(|found| found.opened(&readers));
        opened.unwrap_or_else(|| {
            let bytes = arrived.signed.bytes;
            open_for(bytes, &arrived.header, &readers, arrived.ciphertext)
        })
    }

    /// The keys with which a message may open.
    fn candidates(&self, parties: &Parties) -> Vec<Candidate> {
        let present = [self.own.card.sid()];
        let readers = match parties.readers.as_slice() {
            [] => &present,
            readers => readers,
        };
        let keys = &self.own.keys;
        let with_key = |reader: &SessionId| (*reader, keys.of(*reader).cloned());
        readers.iter().map(with_key).collect()
    }

    /// Finds who wrote a message to this room, of which this is the author, and as whom this member reads it,
    /// which is shown all up to a position before.
    ///
    /// # Errors
    /// With what is told of one from nobody who is here.
    fn find_parties(
        &self,
        Arrived { header, .. }: &Arrived<'_>,
        author: Option<SessionId>,
        shown: At,
    ) -> Result<Parties, Vec<Event>> {
        let is_its_room = header.room == self.own.card.room();
        let author = author.filter(|_| is_its_room);
        let peer = author.and_then(|author| Some((author, self.members.roster.get(author)?)));
        let Some((author, peer)) = peer else {
            return Err(self.stray(header.sender));
        };
        let (readers, is_unplaced) = match header.stream {
            Stream::Direct(reader) => (vec![reader], false),
            Stream::Room => self.known_at(header, peer, shown),
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
        let place = self.place(arrived, parties);
        // It would be dropped in any case, so it is not worth the work of looking at the signature.
        if place.is_for_me && place.turn == Turn::Repeated {
            if !arrived.is_entry {
                self.owe_receipt(parties.origin, !arrived.is_direct(), now);
            }
            return Err(Outcome::settled(Vec::new()));
        }
        let found = arrived.found.as_ref();
        let signature = self.look_at(parties.author, arrived.signed, found, now);
        if let Err(events) = signature {
            return Err(Outcome::unread(events));
        }
        if !place.is_right() {
            let event = Event::Unopened(nick(), OpenError::NotForMe);
            return Err(Outcome::unread([event]));
        }
        if place.turn == Turn::Taken {
            return Err(Outcome::unread([Event::Equivocation(nick())]));
        }
        Ok(place.turn)
    }

    /// Whether a message is for this member, and which number it has.
    fn place(&mut self, arrived: &Arrived<'_>, parties: &Parties) -> Placed {
        // What is for one alone is no entry.
        let is_misplaced = arrived.is_entry && arrived.is_direct();
        // Whoever has read a message could encrypt it again for those who came later.
        let is_own = |reader: &SessionId| self.own.keys.contains(*reader);
        let is_for_me = match parties.readers.as_slice() {
            [] => arrived.ciphertext.is_empty(),
            readers => !is_misplaced && readers.iter().all(is_own),
        };
        // A message to the room is an entry. It comes to one alone only after one of the two has entered anew.
        let is_copy = !arrived.is_entry && !arrived.is_direct();
        let has_no_reason = is_copy && !self.is_from_before(parties.author, &arrived.header.claim);
        let digest = header_digest(arrived.signed.bytes);
        let number = arrived.header.number;
        Placed {
            is_for_me,
            has_no_reason,
            turn: self.stream_of(arrived, parties).turn(number, digest),
        }
    }

    /// Looks at what somebody is said to have signed, who is in the roster under this session id.
    ///
    /// # Errors
    /// With what is told where it is wrong, or not looked at.
    pub(super) fn look_at(
        &mut self,
        author: SessionId,
        signed: Signed<'_>,
        found: Option<&Found>,
        now: Now,
    ) -> Result<(), Vec<Event>> {
        let Some(peer) = self.members.roster.get_mut(author) else {
            return Err(Vec::new());
        };
        let Signed { bytes, signature } = signed;
        let digest = entry_digest(&signed_entry(bytes, signature));
        let identity = peer.card.identity();
        let look = || {
            let is_signed = found.and_then(|found| found.is_signed_by(identity));
            is_signed.unwrap_or_else(|| verify(bytes, signature, identity).is_ok())
        };
        let looked = peer.wrong.look(digest, now.uptime, look);
        let error = match looked {
            Signature::Right => return Ok(()),
            Signature::Wrong => OpenError::Signature,
            Signature::WrongAgain => OpenError::SignatureAgain,
            Signature::Unknown => return Err(Vec::new()),
        };
        Err(vec![Event::Unopened(peer.nick().clone(), error)])
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
    fn known_at(&self, header: &Header, author: &Peer, shown: At) -> (Vec<SessionId>, bool) {
        let present = self.history.run();
        let claim = &header.claim;
        match self.history.at(claim.run, claim.link.position) {
            Some(at) => {
                let is_coming = self.history.now() < at && at <= shown;
                let was_shown = is_coming || self.history.stay_around(at).is_some();
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

    /// How long ago something was written that has come now, as far as its author's clock tells. Of what has
    /// waited for this member its own clock tells that, where nothing shows how they compare: whoever it has
    /// not heard before came after its connection broke.
    fn age(&mut self, sid: SessionId, time: Time, now: Now) -> Duration {
        let catching_up = self.door.catching_up.as_ref();
        let since = catching_up.map(|it| it.since);
        let Some(peer) = self.members.roster.get_mut(sid) else {
            return Duration::ZERO;
        };
        let Some(since) = since else {
            return peer.clock.age(time, now.uptime);
        };
        let out = now.uptime.saturating_sub(since);
        let by_own_clock = || Duration::from_millis(now.time.saturating_sub(time)).min(out);
        let age = peer.clock.age_of_waiting(time, now.uptime);
        age.unwrap_or_else(by_own_clock)
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
