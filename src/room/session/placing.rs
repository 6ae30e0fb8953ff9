//! What is known of a message before its signature is looked at: who wrote it, as whom this member reads it,
//! and whether it is right in its place (PROTOCOL §5).

use crate::room::card::SessionId;
use crate::room::frame::Signed;
use crate::room::message::{Header, Stream, header_digest};
use crate::room::names::Nick;

use super::Session;
use super::event::Event;
use super::history::At;
use super::jobs::{Candidate, Found, Parcel};
use super::peer::Peer;
use super::streams::{NumberedStream, Turn};

/// A message that has come.
pub(super) struct Arrived<'a> {
    pub(super) signed: Signed<'a>,
    pub(super) header: Header,
    pub(super) ciphertext: &'a [u8],
    /// Whether it is an entry of the chain; if not, it has come to this member alone.
    pub(super) is_entry: bool,
    /// What was found of it beside.
    pub(super) found: Option<Found>,
}

impl<'a> Arrived<'a> {
    /// `None` if it cannot be read.
    pub(super) fn read(parcel: Parcel<'a>, found: Option<Found>) -> Option<Self> {
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
    pub(super) fn may_be_for_others(&self) -> bool {
        self.is_entry && self.ciphertext.is_empty()
    }

    pub(super) fn is_direct(&self) -> bool {
        self.header.stream != Stream::Room
    }
}

/// Who wrote a message, and as whom this member reads it.
pub(super) struct Parties {
    /// Under which session id the author is in the roster, and which it had at first.
    pub(super) author: SessionId,
    pub(super) origin: SessionId,
    pub(super) nick: Nick,
    /// Empty if the room had this member under no session id when the message was written; more than
    /// one, the newest first, if this member was not there then and does not know which it had.
    pub(super) readers: Vec<SessionId>,
    /// Whether it was written in a run in which this member never was, by somebody whom it met only later:
    /// it may be for this member, or one of its readers has encrypted it again.
    pub(super) is_unplaced: bool,
}

/// What is known of a message before its signature is looked at.
pub(super) struct Placed {
    pub(super) is_for_me: bool,
    /// Whether it is a copy that nobody has a reason to send.
    pub(super) has_no_reason: bool,
    pub(super) turn: Turn,
}

impl Placed {
    pub(super) fn is_right(&self) -> bool {
        self.is_for_me && !self.has_no_reason
    }
}

impl Session {
    /// The keys with which a message may open.
    pub(super) fn candidates(&self, parties: &Parties) -> Vec<Candidate> {
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
    pub(super) fn find_parties(
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

    /// Whether a message is for this member, and which number it has.
    pub(super) fn place(&mut self, arrived: &Arrived<'_>, parties: &Parties) -> Placed {
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

    /// Whether an entry has come before, in the present stays of its author and this member. A relay gives
    /// nothing two places there: somebody on the way has repeated what it sent.
    pub(super) fn has_its_place(&self, arrived: &Arrived<'_>) -> bool {
        let Arrived { signed, header, .. } = arrived;
        let author = self.members.known_as(header.sender);
        author.is_some_and(|author| {
            let is_of_this_stay = !self.is_from_before(author.card.sid(), &header.claim);
            let digest = header_digest(signed.bytes);
            let origin = author.card.origin();
            is_of_this_stay
                && !arrived.is_direct()
                && self.streams.has_place(origin, header.number, digest)
        })
    }

    pub(super) fn stream_of(
        &mut self,
        arrived: &Arrived<'_>,
        parties: &Parties,
    ) -> &mut NumberedStream {
        let streams = self.streams.of(parties.origin, || self.members.origins());
        if arrived.is_direct() {
            &mut streams.direct
        } else {
            &mut streams.room
        }
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
}
