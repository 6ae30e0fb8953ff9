//! Entries of a room's chain, made before the room is locked.

use crate::cipher::encoding::Digest;
use crate::room::card::SessionId;
use crate::room::chain::{EntryKind, entry_digest};
use crate::room::frame::{Absence, Departure, Frame, left_entry};

use super::OutgoingFrame;

/// An entry that has no place yet.
#[derive(Debug)]
pub(super) struct ChainEntry {
    pub(super) kind: EntryKind,
    pub(super) digest: Digest,
    /// The frame ENTRY without a ciphertext. It is a copy, made once for all who get it, so that
    /// nothing that came in is kept for it.
    pub(super) frame: OutgoingFrame,
}

impl ChainEntry {
    pub(super) fn new(kind: EntryKind, entry: &[u8]) -> Self {
        Self {
            kind,
            digest: entry_digest(entry),
            frame: Frame::entry(kind, entry).into(),
        }
    }

    /// The entry with which the relay takes somebody out.
    pub(super) fn left(sid: SessionId, departure: Departure) -> Self {
        Self::new(EntryKind::Left, &left_entry(sid, departure))
    }

    /// The entry with which the relay says that somebody has no connection.
    pub(super) fn asleep(absence: &Absence) -> Self {
        Self::new(EntryKind::Asleep, &absence.entry())
    }

    /// The entry with which the relay says that somebody has one again.
    pub(super) fn awake(sid: SessionId) -> Self {
        Self::new(EntryKind::Awake, &sid.0)
    }
}
