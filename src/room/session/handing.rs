//! Handing on: what this member keeps for that, and hands on to others, and what others hand on to it
//! (PROTOCOL §5, Handing on).

use crate::cipher::seal::Body;
use crate::room::card::SessionId;
use crate::room::content::{Bundle, Share, Unproven};
use crate::room::handed::{Authors, Proven, Refusal};
use crate::room::message::Header;
use crate::room::names::Nick;
use crate::room::text::SafeText;

use super::earlier::{Kept, Which, longest_bundle, take_bundle};
use super::event::{Author, Event, Handed, SayError, ShareError, SharedWith, Standing};
use super::incoming::Incoming;
use super::outbox::Matter;
use super::policy::{Policy, To};
use super::shares::{Shared, Sharing};
use super::streams::Turn;
use super::{Now, Session};

/// What becomes of a message that is handed on.
enum Verdict {
    Shown(Event),
    Had,
    Ignored,
    Refused(Refusal),
    Equivocal(Event),
}

impl Session {
    /// Keeps a message to the room that was opened, or this member's own that has come back. Its author has
    /// this session id, or is this member.
    pub(super) fn keep(&mut self, message: Unproven, author: Option<SessionId>, now: Now) {
        let of_another = |sid| self.members.roster.get(sid).map(|peer| &peer.card);
        let author = author.map_or(Some(&self.own.card), of_another);
        let (Some(author), Ok(header)) = (author, Header::parse(&message.header)) else {
            return;
        };
        let identity = |sid| self.members.identity(sid);
        let kept = Kept::new(message, &header, author, now.time, identity);
        if let Some(kept) = kept {
            self.earlier.keep(kept);
        }
    }

    /// Hands earlier messages on to somebody: tells the room so, and sends them.
    ///
    /// # Errors
    /// Where nothing is handed on.
    pub fn share(&mut self, to: SessionId, which: Which, now: Now) -> Result<Shared, ShareError> {
        // What is announced later would be announced to others than those who are here now.
        if !self.is_up_to_date() {
            return Err(ShareError::Unsaid(SayError::NotInRoom));
        }
        let peer = self.members.roster.get(to).ok_or(ShareError::NotThere)?;
        if peer.is_asleep() {
            return Err(ShareError::Asleep);
        }
        if let Some(reason) = self.policy.leaves_out(peer, None, now.uptime) {
            return Err(ShareError::LeftOut(reason));
        }
        let (reader, nick) = (peer.card.origin(), peer.nick().clone());
        if self.shares.is_sending_to(reader) {
            return Err(ShareError::Busy);
        }
        let most = longest_bundle(self.door.limits.members);
        let selection = self.earlier.select(which, &peer.card, most);
        let (rest, too_long) = (selection.messages, selection.too_long);
        let count = u32::try_from(rest.len()).unwrap_or(u32::MAX);
        if count == 0 {
            return Err(ShareError::Nothing);
        }
        let share = Share { reader: to, count };
        let body = Body::new(Share::CODE, share.encode()).expect("it has 36 bytes");
        // All are to be told, whoever gets what this member writes.
        let everybody = Policy {
            at_least: Standing::New,
            ..self.policy
        };
        let room = To::Room { shown: u64::MAX };
        let matter = (Matter::Share, String::new());
        let announced = self.write(room, &everybody, body, matter, now);
        let sharing = Sharing::announced(reader, nick, announced?, rest, count);
        self.shares.0.push(sharing);
        Ok(Shared { count, too_long })
    }

    /// A member leaves, is taken out, or enters anew: what is handed on between it and this member ends with
    /// that, and nothing of it is sent again.
    pub(super) fn end_sharing_with(&mut self, origin: SessionId, nick: &Nick) -> Option<Event> {
        self.shares.end(|reader| reader == origin);
        self.outbox.end_handing_on(origin);
        self.incoming.end(origin)?.break_off(nick)
    }

    /// This member enters anew: all that is handed on ends with that, by it and to it.
    pub(super) fn end_all_sharing(&mut self) -> Vec<Event> {
        self.shares.end(|_| true);
        self.outbox.forget_handing_on();
        let members = self.members.roster.iter();
        let members = members.map(|(_, peer)| (peer.card.origin(), peer.nick()));
        let broken_off = members.filter_map(|(origin, nick)| {
            let incoming = self.incoming.end(origin)?;
            incoming.break_off(nick)
        });
        broken_off.collect()
    }

    /// Whether something of what this member hands on is not sent yet.
    #[must_use]
    pub fn is_handing_on(&self) -> bool {
        self.shares.is_sending()
    }

    /// Takes out of these events what is about what this member hands on, and sends what is to be sent of
    /// that now.
    pub(super) fn go_on_sharing(&mut self, mut events: Vec<Event>, now: Now) -> Vec<Event> {
        if self.shares.0.is_empty() {
            return events;
        }
        let mut shares = std::mem::take(&mut self.shares);
        events.retain(|event| !shares.take_note(event));
        shares.0.retain_mut(|sharing| {
            self.send_next(sharing, now);
            let end = sharing.end();
            let goes_on = end.is_none();
            events.extend(end.or_else(|| sharing.progress()));
            goes_on
        });
        self.shares = shares;
        events
    }

    /// Sends the next bundle, if the relay has taken the one before. What its user says meanwhile waits for
    /// one of them at most.
    fn send_next(&mut self, sharing: &mut Sharing, now: Now) {
        if self.awaits(&sharing.last) || !self.is_up_to_date() || sharing.rest.is_empty() {
            return;
        }
        let Some(sid) = self.members.present(sharing.reader) else {
            return;
        };
        if let Some(person) = self.person_of(sid) {
            sharing.nick = person.nick;
        }
        let bundle = take_bundle(&mut sharing.rest, longest_bundle(self.door.limits.members));
        let messages = u32::try_from(bundle.messages.len()).unwrap_or(u32::MAX);
        let body = Body::new(Bundle::CODE, bundle.encode());
        let policy = self.policy;
        let sent = body.ok_or(SayError::Empty).and_then(|body| {
            let matter = (Matter::Bundle, String::new());
            self.write(To::Member(sid), &policy, body, matter, now)
        });
        match sent {
            Ok(receipt) => sharing.sent(receipt, messages),
            // It is not trusted any more, or this member is leaving.
            Err(_) => sharing.rest.clear(),
        }
    }

    /// A member tells the room that it hands something on. If that `is_over`, as one of the two has entered anew
    /// since, it is dropped where it is for this member.
    pub(super) fn take_share(&mut self, by: SessionId, share: Share, is_over: bool) -> Vec<Event> {
        let mut events = Vec::new();
        let is_to_me = self.own.keys.contains(share.reader);
        let Some(peer) = self.members.roster.get(by) else {
            return events;
        };
        let (origin, nick) = (peer.card.origin(), peer.nick().clone());
        let with = if is_to_me {
            if is_over || self.incoming.ignored.contains(&peer.card.fingerprint()) {
                return events;
            }
            let before = self.incoming.begin(origin, share.count);
            events.extend(before.and_then(|(before, incoming)| {
                let by = self.person_of(self.members.present(before)?)?;
                incoming.break_off(&by.nick)
            }));
            SharedWith::Me
        } else {
            let reader = self.members.known_as(share.reader);
            reader.map_or(SharedWith::SomebodyGone, |peer| {
                SharedWith::Other(peer.nick().clone())
            })
        };
        events.push(Event::Shares {
            by: nick,
            with,
            count: share.count,
        });
        events
    }

    /// A member hands these on. They are shown as far as the room was told of them, and as they prove that
    /// their authors wrote them for the room.
    pub(super) fn take_bundle(&mut self, by: SessionId, bundle: Bundle) -> Vec<Event> {
        let Some(peer) = self.members.roster.get(by) else {
            return Vec::new();
        };
        if self.incoming.ignored.contains(&peer.card.fingerprint()) {
            return Vec::new();
        }
        let (by, nick) = (peer.card.origin(), peer.nick().clone());
        let incoming = self.incoming.get_mut(by).map(std::mem::take);
        let mut incoming = incoming.unwrap_or_default();
        let announced = usize::try_from(incoming.left).unwrap_or(usize::MAX);
        let excess = bundle.messages.len().saturating_sub(announced);
        let mut refusals: Vec<(Refusal, u32)> = Vec::new();
        let mut events = Vec::new();
        let room = self.own.card.room();
        let cards: &[Vec<u8>] = if announced > 0 { &bundle.cards } else { &[] };
        let authors = Authors::read(cards, room, &self.own.room_key);
        for message in bundle.messages.into_iter().take(announced) {
            incoming.left -= 1;
            let own = &self.own.keys;
            let proven = Proven::prove(message, &authors, room, |sid| own.contains(sid));
            let verdict = proven.map_or_else(Verdict::Refused, |it| {
                self.weigh_handed(&nick, &it, &mut incoming)
            });
            match verdict {
                Verdict::Shown(event) => {
                    incoming.shown += 1;
                    events.push(event);
                }
                Verdict::Had => incoming.had += 1,
                Verdict::Ignored => incoming.ignored += 1,
                Verdict::Refused(refusal) => {
                    incoming.refused += 1;
                    note(&mut refusals, refusal, 1);
                }
                Verdict::Equivocal(event) => {
                    incoming.refused += 1;
                    events.push(event);
                }
            }
        }
        if excess > 0 {
            let excess = u32::try_from(excess).unwrap_or(u32::MAX);
            note(&mut refusals, Refusal::Unannounced, excess);
        }
        let told = refusals.into_iter();
        events.extend(told.map(|(reason, count)| Event::NotHandedOn {
            by: nick.clone(),
            reason,
            count,
        }));
        if incoming.left > 0 {
            if let Some(kept) = self.incoming.get_mut(by) {
                *kept = incoming;
            }
        } else if announced > 0 {
            self.incoming.end(by);
            events.push(incoming.end(&nick));
        }
        events
    }

    /// An author has signed two messages for one place. Where it is not here, its nick may be another one's.
    fn equivocal(&self, origin: SessionId) -> Verdict {
        let present = self.members.present(origin);
        match present.and_then(|sid| self.members.roster.get(sid)) {
            Some(peer) => Verdict::Equivocal(Event::Equivocation(peer.nick().clone())),
            None => Verdict::Refused(Refusal::Equivocal),
        }
    }

    /// Sees what becomes of a message that its author has written.
    fn weigh_handed(&mut self, by: &Nick, it: &Proven<'_>, incoming: &mut Incoming) -> Verdict {
        let (origin, number) = (it.author.origin(), it.header.number);
        if !incoming.follows(origin, number) {
            return Verdict::Refused(Refusal::Order);
        }
        if origin == self.own.origin() {
            return Verdict::Had;
        }
        let author = Author {
            nick: it.author.nick().clone(),
            fingerprint: it.author.fingerprint(),
            is_lasting: it.author.is_lasting(),
        };
        match self.streams.turn_in_room(origin, number, it.digest) {
            Some(Turn::Repeated) => return Verdict::Had,
            Some(Turn::Taken) => return self.equivocal(origin),
            _ => {}
        }
        if self.incoming.ignored.contains(&author.fingerprint) {
            return Verdict::Ignored;
        }
        if !self.handed_before.insert(it.digest) {
            return Verdict::Had;
        }
        Verdict::Shown(Event::HandedOn(Handed {
            by: by.clone(),
            author,
            kind: it.kind,
            text: SafeText::new(&it.text),
            time: it.header.time,
        }))
    }
}

/// Counts what is refused for one reason.
fn note(refusals: &mut Vec<(Refusal, u32)>, refusal: Refusal, count: u32) {
    match refusals.iter_mut().find(|(known, _)| *known == refusal) {
        Some((_, known)) => *known += count,
        None => refusals.push((refusal, count)),
    }
}
