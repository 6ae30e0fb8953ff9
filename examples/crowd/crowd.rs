//! The members of one room, all in one thread.

use std::os::fd::AsFd as _;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use e2echat::cipher::encoding::Encoder;
use e2echat::room::card::{Card, SessionId};
use e2echat::room::chain::{Claim, EntryKind, Link, signed_entry};
use e2echat::room::frame::{Frame, Part, RunId};
use e2echat::room::message::{Header, Stream};
use e2echat::room::names::{Nick, RoomId, RoomName};
use e2echat::room::numbers::Ranges;
use e2echat::room::statement::Occasion;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use rand::Rng as _;

use super::member::{BLOCK, Company, Member};
use super::relay::Relay;

/// How long anything may take before it is taken for a failure.
const DEADLINE: Duration = Duration::from_mins(2);

/// The number of the frame ENTRY (PROTOCOL §6).
const ENTRY: u8 = 0x11;

/// How many blocks a long message has.
const LONG: usize = 100;

/// How many such parcels fit into a frame of 256 KiB.
const PARCELS: usize = 800;

/// The members of a room, and what they send.
pub struct Crowd<'a> {
    company: &'a Company,
    room: RoomId,
    cards: Vec<Card>,
    members: Vec<Member>,
    /// Members that are looked after elsewhere and are to get the same messages.
    others: Vec<SessionId>,
    buffer: Vec<u8>,
    number: u64,
}

impl<'a> Crowd<'a> {
    /// A crowd that is to enter the room of this name.
    pub fn new(company: &'a Company, room: &str, members: usize) -> anyhow::Result<Self> {
        let room: RoomName = room.parse()?;
        let cards = (0..members)
            .map(|number| company.card(&room, number))
            .collect::<anyhow::Result<_>>()?;
        Ok(Self {
            cards,
            ..Self::of(company, room.id(), Vec::new())
        })
    }

    /// A crowd of the members on these connections.
    pub fn of(company: &'a Company, room: RoomId, members: Vec<Member>) -> Self {
        Self {
            company,
            room,
            cards: Vec::new(),
            members,
            others: Vec::new(),
            buffer: vec![0; 64 * 1024],
            number: 0,
        }
    }

    /// The room's id.
    pub fn room(&self) -> RoomId {
        self.room
    }

    /// Has the members enter the room, one after the other.
    pub fn enter(&mut self, relay: &Relay) -> anyhow::Result<()> {
        for card in std::mem::take(&mut self.cards) {
            self.members.push(Member::knock(relay.address, card)?);
            self.turn_until(|crowd| crowd.members.last().is_some_and(Member::is_in))?;
        }
        Ok(())
    }

    /// Has one more member enter the room, whom the caller looks after.
    pub fn admit(&mut self, relay: &Relay, card: Card) -> anyhow::Result<Member> {
        let mut member = Member::knock(relay.address, card)?;
        let deadline = Instant::now() + DEADLINE;
        while !member.is_in() {
            ensure!(Instant::now() < deadline, "the relay does not answer");
            member.read(&mut self.buffer, self.company)?;
            self.turn(Duration::from_millis(1))?;
        }
        Ok(member)
    }

    /// Sends this member, whom the caller looks after, what all are sent from now on.
    pub fn include(&mut self, sid: SessionId) {
        self.others.push(sid);
    }

    /// Stops sending to a member that was included: it is not in the room any more.
    pub fn exclude(&mut self, sid: SessionId) {
        self.others.retain(|other| *other != sid);
    }

    /// Waits until a member with this nick has joined.
    pub fn meet(&mut self, nick: &Nick) -> anyhow::Result<SessionId> {
        let room = self.room;
        let newest = |crowd: &Self| crowd.members.first()?.newest(room, nick);
        self.turn_until(|crowd| newest(crowd).is_some())?;
        newest(self).context("nobody has joined")
    }

    /// How many members the relay has dropped because they did not read fast enough.
    pub fn dropped(&self) -> usize {
        let dropped = self.members.iter().map(|member| member.dropped);
        dropped.max().unwrap_or_default()
    }

    /// Waits until all know all.
    pub fn settle(&mut self) -> anyhow::Result<()> {
        self.turn_until(|crowd| {
            let others = crowd.members.len() - 1;
            crowd.members.iter().all(|member| member.known == others)
        })
    }

    /// Has every member make a statement to all, and waits until the relay has taken all of them.
    pub fn state(&mut self) -> anyhow::Result<()> {
        for member in &mut self.members {
            member.state(self.room, Occasion::Beacon, self.company)?;
        }
        self.turn_until(|crowd| crowd.least_delivered() > 0)
    }

    /// Waits until every member has got this many messages, and none more.
    pub fn read_until_delivered(&mut self, messages: u64) -> anyhow::Result<()> {
        self.turn_until(|crowd| crowd.least_delivered() >= messages)?;
        ensure!(
            self.delivered() == messages * self.members.len() as u64,
            "somebody got more than was sent"
        );
        Ok(())
    }

    /// How many messages every member has got at least.
    pub fn least_delivered(&self) -> u64 {
        let delivered = self.members.iter().map(|member| member.delivered);
        delivered.min().unwrap_or_default()
    }

    /// How many messages all members have got together.
    pub fn delivered(&self) -> u64 {
        self.members.iter().map(|member| member.delivered).sum()
    }

    /// Whether all sockets have taken what was to be sent.
    pub fn has_written(&self) -> bool {
        self.members.iter().all(Member::has_written)
    }

    fn turn_until(&mut self, is_done: impl Fn(&Self) -> bool) -> anyhow::Result<()> {
        let deadline = Instant::now() + DEADLINE;
        while !is_done(self) {
            ensure!(Instant::now() < deadline, "the relay does not answer");
            self.turn(Duration::from_secs(1))?;
        }
        Ok(())
    }

    /// Waits until a socket has something to read, and reads it; writes on where a socket takes
    /// more.
    pub fn turn(&mut self, wait: Duration) -> anyhow::Result<()> {
        let mut sockets: Vec<PollFd<'_>> = self
            .members
            .iter()
            .map(|member| {
                let mut events = PollFlags::POLLIN;
                events.set(PollFlags::POLLOUT, !member.has_written());
                PollFd::new(member.stream.as_fd(), events)
            })
            .collect();
        poll(&mut sockets, PollTimeout::try_from(wait)?)?;
        let events: Vec<PollFlags> = sockets
            .iter()
            .map(|socket| socket.revents().unwrap_or(PollFlags::all()))
            .collect();
        for (member, events) in self.members.iter_mut().zip(events) {
            if events.contains(PollFlags::POLLOUT) {
                member.write_rest()?;
            }
            if !(events - PollFlags::POLLOUT).is_empty() {
                member.read(&mut self.buffer, self.company)?;
            }
        }
        Ok(())
    }

    /// Has this member send a message to all.
    pub fn say(&mut self, sender: usize) -> anyhow::Result<()> {
        let message = self.message(sender);
        self.write(sender, &message)
    }

    /// Has this member write bytes.
    pub fn write(&mut self, sender: usize, bytes: &[u8]) -> anyhow::Result<()> {
        let sender = self.members.get_mut(sender).context("no such member")?;
        sender.write(bytes)
    }

    /// The frame of a message to all.
    pub fn message(&mut self, sender: usize) -> Vec<u8> {
        let header = self.header(self.members.get(sender), Stream::Room);
        self.compose(&header, &random_block())
    }

    /// As [`Crowd::message`], but from another member, and of a kind that is not counted.
    pub fn flood(&mut self, sender: &Member) -> Vec<u8> {
        let header = self.header(Some(sender), Stream::Room);
        self.compose(&header, &[random_block(), random_block()].concat())
    }

    /// The frame of a long message from another member to one reader alone.
    pub fn pile(&mut self, sender: &Member, reader: SessionId) -> Vec<u8> {
        let header = self.header(Some(sender), Stream::Direct(reader));
        self.compose_for(&[reader], &header, &random_block().repeat(LONG))
    }

    fn compose(&mut self, header: &Header, ciphertext: &[u8]) -> Vec<u8> {
        // Readers come in the order in which a client has them.
        let members = self.members.iter().map(|member| member.sid);
        let mut readers: Vec<SessionId> = members.chain(self.others.iter().copied()).collect();
        readers.retain(|reader| *reader != header.sender);
        readers.sort_unstable();
        self.compose_for(&readers, header, ciphertext)
    }

    fn compose_for(
        &mut self,
        readers: &[SessionId],
        header: &Header,
        ciphertext: &[u8],
    ) -> Vec<u8> {
        self.number += 1;
        let header = header.encode();
        let random = random_block();
        let parcels: Vec<(SessionId, Vec<u8>)> = readers
            .iter()
            .map(|reader| (*reader, ciphertext.to_vec()))
            .collect();
        let mut parts = parcels.chunks(PARCELS).peekable();
        let mut frames = Vec::new();
        while let Some(parcels) = parts.next() {
            let part = match parts.peek() {
                Some(_) => Part::More,
                None => Part::Last,
            };
            frames.extend(Frame::send(&header, &random, part, parcels).encode());
        }
        frames
    }

    /// The frame of a message of this member as it comes to each of its readers.
    pub fn delivery(&self, sender: usize) -> Vec<u8> {
        let header = self.header(self.members.get(sender), Stream::Room);
        let fields = Encoder::default()
            .byte(ENTRY)
            .byte(EntryKind::Message.code())
            .string(&signed_entry(&header.encode(), &random_block()))
            .string(&random_block());
        Encoder::default().string(fields.as_slice()).finish()
    }

    /// A header of this member's, who has seen its own joining.
    fn header(&self, sender: Option<&Member>, stream: Stream) -> Header {
        let nowhere = || Claim {
            run: RunId([0; 16]),
            link: Link::start(RunId([0; 16]), self.room, 0),
            roster: [0; 32],
            unread: Ranges::default(),
        };
        let claim = sender.and_then(|sender| sender.claim.clone());
        Header {
            room: self.room,
            sender: sender.map_or(SessionId([0; 32]), |sender| sender.sid),
            stream,
            number: self.number,
            time: 0,
            flags: 0,
            left_out: Vec::new(),
            claim: claim.unwrap_or_else(nowhere),
            commitment: [0; 32],
        }
    }
}

fn random_block() -> [u8; BLOCK] {
    let mut block = [0; BLOCK];
    rand::rng().fill_bytes(&mut block);
    block
}
