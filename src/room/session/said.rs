//! A message that this member has said.

use crate::room::card::SessionId;
use crate::room::frame::Frame;
use crate::room::message::{Header, SealedMessage, Stream};

/// A message, as it was sent and as it can be sent again.
pub(super) struct Said {
    sealed: SealedMessage,
    sender: SessionId,
    stream: Stream,
    text: String,
    /// The number of its receipt.
    receipt: u64,
    /// Whether the relay has had it before: it goes to a reader who was away then.
    is_repeated: bool,
}

impl Said {
    pub(super) fn new(sealed: SealedMessage, header: &Header, text: String, receipt: u64) -> Self {
        Self {
            sealed,
            sender: header.sender,
            stream: header.stream,
            text,
            receipt,
            is_repeated: false,
        }
    }

    pub(super) fn text(&self) -> &str {
        &self.text
    }

    /// Under which session id it was written.
    pub(super) fn sender(&self) -> SessionId {
        self.sender
    }

    /// Whether it is to the room.
    pub(super) fn is_to_room(&self) -> bool {
        self.stream == Stream::Room
    }

    /// The number of its receipt, while the relay has not had it.
    pub(super) fn receipt(&self) -> Option<u64> {
        (!self.is_repeated).then_some(self.receipt)
    }

    /// The frames that carry it.
    pub(super) fn frames(&self) -> Vec<Frame> {
        self.sealed.frames()
    }

    /// Who is told of it: its readers, and those whom it leaves out.
    pub(super) fn informed(&self) -> impl Iterator<Item = SessionId> {
        self.sealed.parcels.iter().map(|(sid, _)| *sid)
    }

    /// Whom it is encrypted to.
    pub(super) fn readers(&self) -> impl Iterator<Item = SessionId> {
        let parcels = self.sealed.parcels.iter();
        parcels.filter(|(_, c)| !c.is_empty()).map(|(sid, _)| *sid)
    }

    /// Its header, if it is one that comes back: to the room, and sent for the first time.
    pub(super) fn header_to_come_back(&self) -> Option<Vec<u8>> {
        let comes_back = self.is_to_room() && !self.is_repeated;
        comes_back.then(|| self.sealed.header.clone())
    }

    /// The same message for some of those who are told of it alone, if it has any of them.
    pub(super) fn only_for(&self, is_meant: impl Fn(SessionId) -> bool) -> Option<Self> {
        let meant = self.sealed.parcels.iter().filter(|(sid, _)| is_meant(*sid));
        let parcels: Vec<_> = meant.cloned().collect();
        (!parcels.is_empty()).then(|| Self {
            sealed: SealedMessage {
                header: self.sealed.header.clone(),
                signature: self.sealed.signature.clone(),
                parcels,
            },
            text: self.text.clone(),
            is_repeated: true,
            ..*self
        })
    }
}
