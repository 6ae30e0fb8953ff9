//! One member: its card, its socket, and what it has understood so far.

use std::io::{self, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};

use anyhow::{Context as _, bail};
use e2echat::cipher::keys::{IdentityKey, KeySize, PublicKey, SessionKey};
use e2echat::room::card::{Card, Identity, SessionId};
use e2echat::room::chain::{Claim, EntryKind, entry_digest};
use e2echat::room::frame::{
    Challenge, Departure, Frame, RunId, ToClient, Welcome, is_counted_frame, parse_left, preamble,
};
use e2echat::room::names::{Nick, RoomId, RoomName};
use e2echat::room::notice::Notice;
use e2echat::room::numbers::Ranges;
use e2echat::room::statement::{Occasion, Purpose, Statement};
use rand::Rng as _;

/// The length of the ciphertext of a usual line of chat, and of a signature, at 2048 bits.
pub const BLOCK: usize = 256;

/// A beacon of one who has said nothing.
pub fn beacon(room: RoomId, sender: SessionId, claim: Claim) -> Statement {
    Statement {
        room,
        sender,
        time: 1,
        next: 0,
        claim,
        purpose: Purpose::ToAll(Occasion::Beacon),
    }
}

/// The keys that all members share: to make a pair for each would take hours.
pub struct Company {
    identity: Identity,
    model: SessionKey,
}

impl Company {
    pub fn new() -> Self {
        Self {
            identity: Identity {
                key: IdentityKey::generate(KeySize::Bits2048),
                is_lasting: false,
            },
            model: SessionKey::generate(KeySize::Bits2048),
        }
    }

    /// The card with which number `number` enters a room.
    pub fn card(&self, room: &RoomName, number: usize) -> anyhow::Result<Card> {
        // Hexadecimal digits do not look alike.
        let nick: Nick = format!("m-{number:x}").parse()?;
        Ok(Card::issue(
            room,
            &nick,
            &self.identity,
            &self.public_key()?,
            0,
        ))
    }

    /// The identity that all members have.
    pub fn identity(&self) -> &IdentityKey {
        &self.identity.key
    }

    /// A public key whose private key nobody has.
    fn public_key(&self) -> anyhow::Result<PublicKey> {
        let mut spki = self.model.public().spki().to_vec();
        // The DER ends with the modulus and the exponent, which takes 5 bytes (RFC 8017 §A.1.1).
        // The first byte of the modulus stays, so that it has 2048 bits, and its last, so that it
        // is odd.
        let end = spki.len() - 5;
        let modulus = spki.get_mut(end - 255..end - 1).context("no modulus")?;
        rand::rng().fill_bytes(modulus);
        Ok(PublicKey::from_spki(&spki)?)
    }

    /// The answer to a relay's challenge.
    fn hello(&self, card: &Card, challenge: &Challenge) -> Frame {
        let possession = challenge.possession(card.sid(), 0);
        Frame::hello(
            card.bytes(),
            None,
            0,
            300,
            &self.identity.key.sign(&possession),
        )
    }
}

/// A member in a room, or on the way into it.
pub struct Member {
    pub stream: TcpStream,
    pub sid: SessionId,
    /// What it claims: to have seen its own joining, once the relay has let it in, and nothing
    /// since. The roster is left to whoever reads the cards.
    pub claim: Option<Claim>,
    /// How many usual messages it has got, its own included, which come back to it.
    pub delivered: u64,
    /// How many others it knows.
    pub known: usize,
    /// How many members it has seen dropped because they did not read fast enough.
    pub dropped: usize,
    /// The cards of those who were in the room before it, if they are kept.
    pub cards: Option<Vec<Vec<u8>>>,
    /// How many of its frames the relay has taken.
    pub taken: u64,
    /// The card of whoever joined last.
    newest: Vec<u8>,
    /// What it shows the relay when that asks who it is.
    card: Option<Card>,
    /// The relay's run, once CHALLENGE has come.
    run: Option<RunId>,
    /// How many others were in the room before it, once the relay has let it in.
    earlier: Option<usize>,
    counted: u64,
    /// The beginning of a frame whose rest has not come.
    partial: Vec<u8>,
    /// What the socket has not taken yet.
    unwritten: Vec<u8>,
}

impl Member {
    /// Connects, and asks for the room of this card.
    pub fn knock(relay: SocketAddr, card: Card) -> anyhow::Result<Self> {
        Self::ask(TcpStream::connect(relay)?, card)
    }

    /// Asks for the room of this card.
    pub fn ask(stream: TcpStream, card: Card) -> anyhow::Result<Self> {
        let mut member = Self::new(stream, card.sid())?;
        member.write(&preamble(card.room()))?;
        member.card = Some(card);
        Ok(member)
    }

    /// A member on a connection over which nothing was sent yet.
    pub fn new(stream: TcpStream, sid: SessionId) -> anyhow::Result<Self> {
        stream.set_nodelay(true)?;
        stream.set_nonblocking(true)?;
        Ok(Self {
            stream,
            sid,
            claim: None,
            delivered: 0,
            known: 0,
            dropped: 0,
            cards: None,
            taken: 0,
            newest: Vec::new(),
            card: None,
            run: None,
            earlier: None,
            counted: 0,
            partial: Vec::new(),
            unwritten: Vec::new(),
        })
    }

    /// Whether it knows all who were in the room before it.
    pub fn is_in(&self) -> bool {
        self.earlier.is_some_and(|earlier| self.known >= earlier)
    }

    /// The member that joined last, if it has this nick.
    pub fn newest(&self, room: RoomId, nick: &Nick) -> Option<SessionId> {
        let card = Card::parse(&self.newest, room).ok()?;
        (card.nick() == nick).then(|| card.sid())
    }

    /// Whether the socket has taken everything.
    pub fn has_written(&self) -> bool {
        self.unwritten.is_empty()
    }

    /// Writes as much as the socket takes, and keeps the rest.
    pub fn write(&mut self, bytes: &[u8]) -> anyhow::Result<()> {
        self.unwritten.extend_from_slice(bytes);
        self.write_rest()
    }

    /// Writes as much as the socket takes of what was kept.
    pub fn write_rest(&mut self) -> anyhow::Result<()> {
        let mut written = 0;
        while let Some(rest) = self.unwritten.get(written..)
            && !rest.is_empty()
        {
            match self.stream.write(rest) {
                Ok(count) => written += count,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) => return Err(error.into()),
            }
        }
        self.unwritten.drain(..written);
        Ok(())
    }

    /// Makes a statement to all: a beacon, or a goodbye.
    pub fn state(
        &mut self,
        room: RoomId,
        occasion: Occasion,
        company: &Company,
    ) -> anyhow::Result<()> {
        let claim = self.claim.clone().context("not in a room yet")?;
        let statement = Statement {
            purpose: Purpose::ToAll(occasion),
            ..beacon(room, self.sid, claim)
        };
        let statement = statement.encode();
        let signature = company.identity().sign(&statement);
        self.write(&Frame::statement(&statement, &signature).encode())
    }

    /// Reads what has come, at most a buffer of it.
    pub fn read(&mut self, buffer: &mut [u8], company: &Company) -> anyhow::Result<()> {
        let length = match self.stream.read(buffer) {
            Ok(0) => bail!("the relay hung up"),
            Ok(length) => length,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
            Err(error) => return Err(error.into()),
        };
        let read = buffer.get(..length).unwrap_or_default();
        let mut all = std::mem::take(&mut self.partial);
        if all.is_empty() {
            self.partial = self.take_frames(read, company)?.to_vec();
        } else {
            all.extend_from_slice(read);
            self.partial = self.take_frames(&all, company)?.to_vec();
        }
        Ok(())
    }

    /// Takes the whole frames at the beginning of `bytes`, and returns the rest.
    fn take_frames<'a>(
        &mut self,
        mut bytes: &'a [u8],
        company: &Company,
    ) -> anyhow::Result<&'a [u8]> {
        while let Some((length, rest)) = bytes.split_first_chunk()
            && let Some((frame, rest)) = rest.split_at_checked(u32::from_be_bytes(*length) as usize)
        {
            self.take(frame, company)?;
            bytes = rest;
        }
        Ok(bytes)
    }

    fn take(&mut self, frame: &[u8], company: &Company) -> anyhow::Result<()> {
        self.counted += u64::from(is_counted_frame(frame));
        match ToClient::parse(frame)? {
            ToClient::Challenge(challenge, _) => {
                let card = self.card.as_ref().context("nobody to enter")?;
                let hello = company.hello(card, &challenge).encode();
                self.run = Some(challenge.run);
                self.write(&hello)?;
            }
            ToClient::Welcome(welcome) => {
                self.earlier = Some(welcome.members as usize);
                self.claim = Some(self.joining(&welcome)?);
            }
            ToClient::Member(card) => {
                self.known += 1;
                if let Some(cards) = &mut self.cards {
                    cards.push(card.to_vec());
                }
            }
            ToClient::Entry {
                kind,
                entry,
                ciphertext,
            } => self.take_entry(kind, entry, ciphertext)?,
            ToClient::Own => self.delivered += 1,
            ToClient::Ping => self.write(&Frame::ack(self.counted).encode())?,
            ToClient::Notice(code) => match Notice::from_code(code) {
                Some(notice) => bail!("{notice}"),
                None => bail!("the relay hangs up for the unknown reason {code}"),
            },
            ToClient::Ack(count) => self.taken = count,
            ToClient::Refused(_) => bail!("a REKEY that was not sent is refused"),
            ToClient::Passed(_) => bail!("statements are passed over that no sleep was for"),
            ToClient::Absent(_) | ToClient::Deliver(..) | ToClient::Receipt(_) => {}
        }
        Ok(())
    }

    fn take_entry(
        &mut self,
        kind: EntryKind,
        entry: &[u8],
        ciphertext: &[u8],
    ) -> anyhow::Result<()> {
        match kind {
            EntryKind::Joined => {
                self.known += 1;
                self.newest.clear();
                self.newest.extend_from_slice(entry);
            }
            EntryKind::Message => self.delivered += u64::from(ciphertext.len() == BLOCK),
            // A member that says goodbye is not dropped.
            EntryKind::Left => match parse_left(entry)? {
                (_, Departure::Slow) => self.dropped += 1,
                (_, departure) => bail!("a member {departure}"),
            },
            EntryKind::Rekeyed
            | EntryKind::Statement
            | EntryKind::Goodbye
            | EntryKind::Asleep
            | EntryKind::Awake
            | EntryKind::Unknown(_) => {}
        }
        Ok(())
    }

    /// The claim to have seen its own joining.
    fn joining(&self, welcome: &Welcome) -> anyhow::Result<Claim> {
        let card = self.card.as_ref().context("nobody to enter")?;
        let entry = entry_digest(card.bytes());
        Ok(Claim {
            run: self.run.context("no challenge")?,
            link: welcome.before.then(EntryKind::Joined, &entry),
            roster: [0; 32],
            unread: Ranges::default(),
        })
    }
}
