//! What becomes of a message that has come, in the steps of PROTOCOL §5.

use crate::room::card::SessionId;
use crate::room::chain::{entry_digest, signed_entry};
use crate::room::frame::Signed;
use crate::room::message::{OpenError, Opened, header_digest, verify};

use super::claims::What;
use super::event::{End, Event};
use super::jobs::{Found, Parcel, open_for};
use super::placing::{Arrived, Parties};
use super::signatures::Signature;
use super::streams::Turn;
use super::{Now, Session};

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
    ) -> Result<Vec<Event>, End> {
        let outcome = match Arrived::read(parcel, found) {
            Some(arrived) if self.has_its_place(&arrived) => return Err(End::Malformed),
            Some(arrived) => self.take_message(arrived, now),
            None => Outcome::unread([Event::Stray]),
        };
        if !outcome.is_settled {
            self.history.note_unread();
        }
        self.hurry_beacon(now);
        Ok(outcome.events)
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
                let newer = self.tell_newer(parties.author);
                return newer.unwrap_or(Event::Unopened(nick, error));
            }
            _ => self.timers.opening_failed(),
        }
        Event::Unopened(nick, error)
    }
}
