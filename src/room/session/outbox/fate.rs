//! What becomes of a message at a reader.

use crate::room::names::Nick;

/// Why a message has not reached somebody.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Undelivered {
    /// It could not be opened there.
    Unopened,
    /// The reader has left, or has not come back.
    Gone,
    /// The reader was started anew, and has come back as somebody without the key for it.
    CameAnew,
    /// The reader had used one session key for too long when it could be sent.
    StaleKey,
    /// A session key has changed before it came, the author's or the reader's: the relay does not pass it
    /// on any more.
    KeyChanged,
    /// So much else is waiting that it is not kept any more.
    TooMuch,
    /// It was not confirmed for so long that it is not kept any more.
    TooLong,
}

/// What has become of a message at a reader.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// The reader has signed that its program opened it, and handed it to the display.
    Confirmed,
    /// It has not reached the reader, and will not.
    Undelivered(Undelivered),
    /// The reader has not confirmed it, for as long as that takes at most where all is well.
    Unconfirmed,
}

impl Fate {
    /// That of a message which its reader says that it has opened, or not.
    pub(super) fn of(is_opened: bool) -> Self {
        if is_opened {
            Self::Confirmed
        } else {
            Self::Undelivered(Undelivered::Unopened)
        }
    }
}

/// That, of which message, at which reader.
pub(in crate::room::session) struct News {
    pub(in crate::room::session) receipt: u64,
    pub(in crate::room::session) text: String,
    pub(in crate::room::session) reader: Nick,
    pub(in crate::room::session) fate: Fate,
}
