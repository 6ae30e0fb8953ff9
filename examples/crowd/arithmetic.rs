//! The arithmetic in messages, by itself: what everything else that clients do is compared with.

use std::hint::black_box;

use anyhow::Context as _;
use e2echat::cipher::keys::{KeySize, SessionKey};
use e2echat::cipher::seal::Body;
use e2echat::room::card::SessionId;
use e2echat::room::chain::{Claim, Link};
use e2echat::room::frame::RunId;
use e2echat::room::message::{Header, Kind, SealedMessage, Stream, open, verify};
use e2echat::room::names::RoomName;
use e2echat::room::numbers::Ranges;

use super::member::Company;

/// A message to a few readers, who all have one session key here.
pub struct Sample {
    company: Company,
    key: SessionKey,
    header: Header,
    text: String,
    sealed: SealedMessage,
}

const READER: SessionId = SessionId([9; 32]);

impl Sample {
    pub fn new(text: &str) -> anyhow::Result<Self> {
        let company = Company::new();
        let key = SessionKey::generate(KeySize::Bits2048);
        let (room, run): (RoomName, _) = ("room".parse()?, RunId([2; 16]));
        let body = body(text)?;
        let header = Header {
            room: room.id(),
            sender: SessionId([1; 32]),
            stream: Stream::Room,
            number: 0,
            time: 0,
            flags: 0,
            left_out: Vec::new(),
            claim: Claim {
                run,
                link: Link::start(run, room.id(), 0),
                roster: [0; 32],
                unread: Ranges::default(),
            },
            commitment: body.commitment(),
        };
        let readers = [(READER, key.public())];
        let sealed = SealedMessage::seal(&header, &body, company.identity(), &readers);
        Ok(Self {
            company,
            key,
            header,
            text: text.to_owned(),
            sealed,
        })
    }

    /// Signs it, and seals it for so many readers.
    pub fn write(&self, readers: usize) -> anyhow::Result<()> {
        let readers = vec![(READER, self.key.public()); readers];
        let (body, identity) = (body(&self.text)?, self.company.identity());
        black_box(SealedMessage::seal(&self.header, &body, identity, &readers));
        Ok(())
    }

    /// Checks its signature, and opens it, as one reader.
    pub fn read(&self) -> anyhow::Result<()> {
        let bytes = black_box(&self.sealed.header);
        let identity = self.company.identity().public();
        let verified = verify(bytes, &self.sealed.signature, identity);
        verified.ok().context("a signature")?;
        self.open()
    }

    /// Opens it, as one reader.
    pub fn open(&self) -> anyhow::Result<()> {
        let (_, ciphertext) = self.sealed.parcels.first().context("one reader")?;
        let bytes = black_box(&self.sealed.header);
        let opened = open(bytes, &self.header, READER, Some(&self.key), ciphertext);
        black_box(opened).ok().context("a message")?;
        Ok(())
    }
}

fn body(text: &str) -> anyhow::Result<Body> {
    Body::new(Kind::Text.code(), text.to_owned()).context("a text that is not too long")
}
