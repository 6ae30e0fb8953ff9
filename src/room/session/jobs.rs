//! What is done of a message beside, before it is dealt with: verifying and opening, which take long. What is
//! found is used if it holds then.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use crate::cipher::keys::{PublicKey, SessionKey};
use crate::room::card::SessionId;
use crate::room::chain::EntryKind;
use crate::room::frame::{Signed, ToClient};
use crate::room::message::{Header, OpenError, Opened, Stream, open, verify};

/// Where a message belongs: nobody has two with one number.
pub(super) type Place = (SessionId, Stream, u64);

/// A key of this member's with which a message may open: the session id, and the key if it is not destroyed.
pub(super) type Candidate = (SessionId, Option<Arc<SessionKey>>);

/// A message as it has come, to all or to this member alone.
#[derive(Clone, Copy)]
pub(super) struct Parcel<'a> {
    pub(super) signed: Signed<'a>,
    pub(super) ciphertext: &'a [u8],
    /// Whether it is an entry of the chain.
    pub(super) is_entry: bool,
}

impl<'a> Parcel<'a> {
    /// The message that a frame brings, if it brings one.
    pub(super) fn parse(frame: &'a [u8]) -> Option<Self> {
        let (signed, ciphertext, is_entry) = match ToClient::parse(frame).ok()? {
            ToClient::Entry {
                kind: EntryKind::Message,
                entry,
                ciphertext,
            } => (Signed::parse(entry).ok()?, ciphertext, true),
            ToClient::Deliver(signed, ciphertext) => (signed, ciphertext, false),
            _ => return None,
        };
        Some(Self {
            signed,
            ciphertext,
            is_entry,
        })
    }
}

/// What there is to do for a message.
pub(super) struct Work {
    pub(super) frame: Arc<[u8]>,
    pub(super) identity: PublicKey,
    pub(super) readers: Vec<Candidate>,
}

/// The verifying and opening of one message, for whatever thread: [`Job::run`] does it, and
/// [`Session::take_done`](super::Session::take_done) takes what it finds.
pub struct Job {
    number: u64,
    work: Work,
}

/// A job that is done.
pub struct Done {
    pub(super) number: u64,
    pub(super) found: Found,
}

/// What was found, and with which keys.
pub(super) struct Found {
    identity: PublicKey,
    readers: Vec<(SessionId, bool)>,
    /// `None` if the signature is wrong.
    opened: Option<Result<Opened, OpenError>>,
}

impl Job {
    pub(super) fn new(number: u64, work: Work) -> Self {
        Self { number, work }
    }

    /// Verifies the message, and opens it if the signature is right. Where the library panics at what others
    /// have made, it does not hold or does not open: the messages behind it are dealt with all the same.
    #[must_use]
    pub fn run(self) -> Done {
        let Work {
            frame,
            identity,
            readers,
        } = self.work;
        let opened = Parcel::parse(&frame).and_then(|parcel| {
            let Signed { bytes, signature } = parcel.signed;
            let is_signed = || verify(bytes, signature, &identity).ok();
            unless_it_panics(is_signed)??;
            let header = Header::parse(bytes).ok()?;
            let open = || open_for(bytes, &header, &readers, parcel.ciphertext);
            Some(unless_it_panics(open).unwrap_or(Err(OpenError::CannotOpen)))
        });
        Done {
            number: self.number,
            found: Found {
                identity,
                readers: readers.iter().map(has_key).collect(),
                opened,
            },
        }
    }
}

/// What `work` gives, if it does not panic: it changes nothing that could be left half done.
fn unless_it_panics<T>(work: impl FnOnce() -> T) -> Option<T> {
    catch_unwind(AssertUnwindSafe(work)).ok()
}

fn has_key((sid, key): &Candidate) -> (SessionId, bool) {
    (*sid, key.is_some())
}

impl Found {
    /// Whether the signature is one of this identity, if that is what was looked at.
    pub(super) fn is_signed_by(&self, identity: &PublicKey) -> Option<bool> {
        (self.identity == *identity).then_some(self.opened.is_some())
    }

    /// What opening with these gave, if these were tried.
    pub(super) fn opened(self, readers: &[Candidate]) -> Option<Result<Opened, OpenError>> {
        let tried = readers.iter().map(has_key);
        self.opened.filter(|_| tried.eq(self.readers))
    }
}

/// Opens a message with the key that it is for, of these, the newest first.
pub(super) fn open_for(
    bytes: &[u8],
    header: &Header,
    readers: &[Candidate],
    ciphertext: &[u8],
) -> Result<Opened, OpenError> {
    let mut failure = OpenError::NoCiphertext;
    for (reader, key) in readers {
        match open(bytes, header, *reader, key.as_deref(), ciphertext) {
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
