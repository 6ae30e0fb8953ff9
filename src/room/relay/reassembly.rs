//! Reassembly: the messages that a member sends, checked as far as a relay can, and held back until
//! they are complete.

use std::ops::Range;
use std::sync::Arc;

use crate::cipher::encoding::{Digest, Malformed};
use crate::room::card::SessionId;
use crate::room::chain::{EntryKind, entry_digest};
use crate::room::frame::{Frame, MAX_FRAME, Parcel, Part, RelayLimits, RunId, SendFrame};
use crate::room::message::{Header, MAX_HEADER, MAX_SIGNATURE, Stream, max_header};
use crate::room::names::RoomId;

use super::OutgoingFrame;
use super::incoming::IncomingFrame;

/// Whether no reader is named twice. A frame SEND has its header once, and the relay sends the header
/// with each parcel: whoever named one reader many times would have it send that reader far more
/// bytes than came in.
fn is_unique(readers: impl Iterator<Item = SessionId> + Clone) -> bool {
    let is_ascending = readers.clone().is_sorted_by(|a, b| a < b);
    is_ascending || {
        let mut readers: Vec<SessionId> = readers.collect();
        // Clients send readers in ascending order but for a few at the end, which this kind of sorting
        // is quick with.
        readers.sort();
        readers.is_sorted_by(|a, b| a < b)
    }
}

/// The longest parcel, in bytes: a ciphertext for one reader, with what belongs to it (PROTOCOL
/// §8).
const MAX_PARCEL: usize = 6144;

/// What is passed on of a frame SEND without a parcel is longer than that frame, by the bytes that ENTRY
/// has for itself: its type, the kind, three lengths and that of the ciphertext. Of a frame with a
/// parcel it is shorter.
const _: () = assert!(1 + 1 + 4 + (4 + MAX_HEADER) + (4 + MAX_SIGNATURE) + 4 <= MAX_FRAME);

/// A complete message, as the frames that brought it.
#[derive(Debug)]
pub struct ReassembledMessage {
    fragments: Vec<Fragment>,
    /// The session id under which it was written.
    pub(super) sender: SessionId,
    /// The digest of its entry, unless it is for the readers of its parcels alone: a direct one or a
    /// late copy.
    pub(super) entry: Option<Digest>,
}

impl ReassembledMessage {
    /// The parcels, each with the fragment that brought it.
    pub(super) fn parcels(&self) -> impl Iterator<Item = (&Fragment, &Parcel)> {
        let fragments = self.fragments.iter();
        fragments.flat_map(|part| part.send.parcels.iter().map(move |parcel| (part, parcel)))
    }

    /// The frame that takes a parcel to its reader.
    pub(super) fn frame(&self, fragment: &Fragment, parcel: &Parcel) -> OutgoingFrame {
        let frame = match self.entry {
            Some(_) => OutgoingFrame::message,
            None => OutgoingFrame::deliver,
        };
        frame(
            &fragment.frame,
            fragment.send.signed.clone(),
            parcel.ciphertext.clone(),
        )
    }

    /// The frame that takes its entry to those who have no parcel: a copy, so that nothing that came in
    /// is kept for it.
    pub(super) fn bare_frame(&self) -> OutgoingFrame {
        let first = self.fragments.first();
        let entry = first.map(|first| first.bytes(&first.send.signed));
        Frame::entry(EntryKind::Message, entry.unwrap_or_default()).into()
    }
}

#[derive(Debug)]
pub(super) struct Fragment {
    frame: Arc<IncomingFrame>,
    send: SendFrame,
}

impl Fragment {
    fn bytes(&self, range: &Range<usize>) -> &[u8] {
        self.frame.get(range.clone()).unwrap_or_default()
    }

    /// Whether a member that has or had these session ids may send this in `room`.
    fn is_allowed(&self, header: &Header, senders: &[SessionId], room: RoomId) -> bool {
        let mut readers = self.send.parcels.iter().map(|parcel| parcel.to);
        senders.contains(&header.sender)
            && header.room == room
            && is_unique(readers.clone())
            && match header.stream {
                Stream::Room => true,
                Stream::Direct(_) if self.send.part == Part::Again => false,
                Stream::Direct(reader) => readers.all(|sid| sid == reader),
            }
    }
}

/// Holds the frames of a member's message back until the last has come, so that the message has one
/// place in the room's order.
#[derive(Debug)]
pub(super) struct Reassembly {
    /// The relay's run.
    run: RunId,
    /// The position at which the member joined. A message with a claim from before that, or from
    /// another run, is one that the member sends again.
    joined: u64,
    /// The least number that the next message to the room may have.
    next: u64,
    max_header: usize,
    max_bytes: usize,
    bytes: usize,
    fragments: Vec<Fragment>,
}

impl Reassembly {
    /// The reassembly of what a member sends that joined at this position.
    pub(super) fn new(run: RunId, joined: u64, limits: &RelayLimits) -> Self {
        let members = usize::try_from(limits.members).unwrap_or(usize::MAX);
        Self {
            run,
            joined,
            next: 0,
            max_header: max_header(limits.members),
            max_bytes: members.saturating_add(1).saturating_mul(MAX_PARCEL),
            bytes: 0,
            fragments: Vec::new(),
        }
    }

    /// About the bytes of memory that the frames of an incomplete message take: the frames, and a
    /// table with 48 bytes for each parcel. An empty parcel has 36 bytes in its frame, so the table
    /// takes 4/3 of the frames at worst.
    pub(super) fn weight(&self) -> usize {
        self.bytes.saturating_mul(7) / 3
    }

    /// Adds a frame, which was parsed to `send`. Returns the message if that was its last frame.
    ///
    /// # Errors
    /// Where PROTOCOL §8 does not allow it.
    pub(super) fn add(
        &mut self,
        senders: &[SessionId],
        room: RoomId,
        frame: Arc<IncomingFrame>,
        send: SendFrame,
    ) -> Result<Option<ReassembledMessage>, Malformed> {
        let fragment = Fragment { frame, send };
        let send = &fragment.send;
        if send.header.len() > self.max_header || send.signature().len() > MAX_SIGNATURE {
            return Err(Malformed);
        }
        let header = Header::parse(fragment.bytes(&send.header))?;
        if !fragment.is_allowed(&header, senders, room) {
            return Err(Malformed);
        }
        let (part, claim) = (fragment.send.part, &header.claim);
        let is_entry = header.stream == Stream::Room && part != Part::Again;
        // A message from before the member joined, whose OWN has not come, is sent again as it was:
        // its number need not go up.
        let is_new = claim.run == self.run && claim.link.position >= self.joined;
        if let Some(first) = self.fragments.first() {
            let is_same = first.bytes(&first.send.signed) == fragment.bytes(&fragment.send.signed);
            if !is_same || part == Part::Again {
                return Err(Malformed);
            }
        } else if is_entry && is_new {
            // A number that comes late would be news to some readers and not to others.
            if header.number < self.next {
                return Err(Malformed);
            }
            self.next = header.number + 1;
        }
        self.bytes += fragment.frame.len();
        if self.bytes > self.max_bytes {
            return Err(Malformed);
        }
        let signed = fragment.bytes(&fragment.send.signed);
        let entry = (is_entry && part == Part::Last).then(|| entry_digest(signed));
        self.fragments.push(fragment);
        Ok((part != Part::More).then(|| {
            self.bytes = 0;
            ReassembledMessage {
                fragments: std::mem::take(&mut self.fragments),
                sender: header.sender,
                entry,
            }
        }))
    }
}
