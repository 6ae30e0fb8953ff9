//! What a few members can do to others who really check and open what they send: these are real clients,
//! each a process of its own. And what one address can do that keeps the places of members who are
//! gone.

use std::net::{IpAddr, Ipv4Addr, SocketAddr, SocketAddrV4, TcpStream};
use std::os::fd::AsRawFd as _;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use e2echat::cipher::keys::PublicKey;
use e2echat::cipher::seal::Body;
use e2echat::room::card::{Card, SessionId};
use e2echat::room::chain::{Claim, roster_digest};
use e2echat::room::frame::{Frame, Part};
use e2echat::room::message::{Header, Kind, SealedMessage, Stream};
use e2echat::room::names::RoomName;
use e2echat::room::statement::Statement;
use nix::sys::socket::{AddressFamily, SockFlag, SockType, SockaddrIn, bind, connect, socket};

use super::client::Client;
use super::latency::quantiles;
use super::member::{Company, Member, beacon};
use super::relay::Relay;

const ROOM: &str = "siege";

/// How many messages are spoken in a second.
const RATE: u32 = 5;

/// After how long a message that is not shown counts as lost.
const PATIENCE: Duration = Duration::from_secs(30);

/// How many frames are made for a flood of different frames, by all who flood together.
const FRAMES: u64 = 6000;

/// How many members come from one address and break their connections, how many of them in a
/// second, and for how long a newcomer from another address waits.
const GHOSTS: usize = 400;
const GHOST_RATE: u32 = 500;
const NEWCOMER: Duration = Duration::from_secs(5);

/// A member that floods a room in which others are.
struct Flooder<'a> {
    company: &'a Company,
    room: RoomName,
    sid: SessionId,
    /// That it has seen the room as it was when it joined.
    claim: Claim,
    others: Vec<Card>,
    /// How many frames it makes at most.
    frames: u64,
}

/// Makes the frames of a flood, which are sent over and over if there are few.
type MakeFrames = fn(&Flooder<'_>) -> Vec<Vec<u8>>;

/// A name for the flood, and its frames.
type Flood = (&'static str, MakeFrames);

const FLOODS: [Flood; 7] = [
    ("one statement again and again", |flooder| {
        vec![flooder.statement(1)]
    }),
    ("a new statement each time", |flooder| {
        (1..=flooder.frames)
            .map(|time| flooder.statement(time))
            .collect()
    }),
    ("messages with wrong signatures", |flooder| {
        (0..flooder.frames)
            .map(|number| flooder.forged(number))
            .collect()
    }),
    ("ciphertexts that do not open", |flooder| {
        let garbled = |number| flooder.garbled(number, "short", 0);
        (0..flooder.frames).map(garbled).collect()
    }),
    ("such of 22 blocks, the first one right", |flooder| {
        let long = "x".repeat(4096);
        let garbled = |number| flooder.garbled(number, &long, 256);
        (0..flooder.frames / 4).map(garbled).collect()
    }),
    ("messages of 4 KiB", |flooder| {
        let long = "x".repeat(4096);
        let message = |number| encode(&flooder.message(Stream::Room, number, &long));
        (0..flooder.frames / 4).map(message).collect()
    }),
    ("many messages for one place", |flooder| {
        let readers = flooder.others.iter().map(Card::sid).cycle();
        let message = |reader| {
            let mut message = flooder.message(Stream::Direct(reader), 0, "one, and another");
            message.parcels.retain(|(to, _)| *to == reader);
            encode(&message)
        };
        readers.take(999).map(message).collect()
    }),
];

fn body(text: &str) -> Body {
    Body::new(Kind::Text.code(), text.to_owned()).expect("neither empty nor long")
}

fn encode(message: &SealedMessage) -> Vec<u8> {
    message.frames().iter().flat_map(Frame::encode).collect()
}

impl Flooder<'_> {
    fn statement(&self, time: u64) -> Vec<u8> {
        let statement = Statement {
            time,
            ..beacon(self.room.id(), self.sid, self.claim.clone())
        };
        let statement = statement.encode();
        let signature = self.company.identity().sign(&statement);
        Frame::statement(&statement, &signature).encode()
    }

    fn message(&self, stream: Stream, number: u64, text: &str) -> SealedMessage {
        let body = body(text);
        let header = self.header(stream, number, &body);
        let others = self.others.iter();
        let readers: Vec<(SessionId, &PublicKey)> =
            others.map(|card| (card.sid(), card.session())).collect();
        SealedMessage::seal(&header, &body, self.company.identity(), &readers)
    }

    fn header(&self, stream: Stream, number: u64, body: &Body) -> Header {
        Header {
            room: self.room.id(),
            sender: self.sid,
            stream,
            number,
            time: 0,
            flags: 0,
            left_out: Vec::new(),
            claim: self.claim.clone(),
            commitment: body.commitment(),
        }
    }

    /// A message that this member has not signed, which the relay does not notice.
    fn forged(&self, number: u64) -> Vec<u8> {
        let header = self.header(Stream::Room, number, &body("forged")).encode();
        let others = self.others.iter();
        let parcels: Vec<(SessionId, Vec<u8>)> =
            others.map(|card| (card.sid(), vec![1; 256])).collect();
        Frame::send(&header, &[1; 256], Part::Last, &parcels).encode()
    }

    /// A message whose bytes are all wrong but for the first so many.
    fn garbled(&self, number: u64, text: &str, right: usize) -> Vec<u8> {
        let mut message = self.message(Stream::Room, number, text);
        for (_, ciphertext) in &mut message.parcels {
            ciphertext.iter_mut().skip(right).for_each(|byte| *byte = 1);
        }
        encode(&message)
    }
}

/// Measures what each flood, by so many members, does to so many who read it, besides the one that speaks.
pub fn measure(seconds: u32, only: &str, flooders: usize, readers: usize) -> anyhow::Result<()> {
    println!(
        "{RATE} messages/s to {readers} clients: from typing to the last screen; floods by {flooders}"
    );
    println!(
        "                                         median          ratio       p99           ratio    taken dropped  lines   relay client"
    );
    println!(
        "                                       before   during           before    during                     longest resident"
    );
    for (name, make_frames) in FLOODS {
        if name.contains(only) {
            besiege(name, make_frames, seconds, flooders.max(1), readers.max(1))?;
        }
    }
    let name = "one address that keeps places";
    if name.contains(only) {
        keep_places(name)?;
    }
    Ok(())
}

/// Lets one in that floods, and makes what it floods with.
fn admit(
    relay: &Relay,
    company: &Company,
    number: usize,
    (make_frames, frames): (MakeFrames, u64),
) -> anyhow::Result<(Member, Vec<Vec<u8>>)> {
    let room: RoomName = ROOM.parse()?;
    let mut member = Member::knock(relay.address, company.card(&room, number)?)?;
    member.cards = Some(Vec::new());
    wait_until_in(&mut member, company, &mut vec![0; 64 * 1024])?;
    let cards = member.cards.take().unwrap_or_default();
    let others: Vec<Card> = cards
        .iter()
        .map(|card| Ok(Card::parse(card, room.id())?))
        .collect::<anyhow::Result<_>>()?;
    let mut roster: Vec<SessionId> = others.iter().map(Card::sid).collect();
    roster.push(member.sid);
    roster.sort_unstable();
    let claim = member.claim.clone().context("not in a room yet")?;
    let flooder = Flooder {
        company,
        sid: member.sid,
        claim: Claim {
            roster: roster_digest(&roster),
            ..claim
        },
        others,
        room,
        frames,
    };
    let frames = make_frames(&flooder);
    Ok((member, frames))
}

fn besiege(
    name: &str,
    make_frames: MakeFrames,
    seconds: u32,
    flooders: usize,
    readers: usize,
) -> anyhow::Result<()> {
    let company = Company::new();
    let relay = Relay::with_usual_limits()?;
    let mut speaker = Client::join(relay.address, &"speaker".parse()?, ROOM)?;
    let mut readers = (1..=readers)
        .map(|number| Client::join(relay.address, &format!("r-{number}").parse()?, ROOM))
        .collect::<anyhow::Result<Vec<_>>>()?;
    let each = FRAMES / flooders as u64;
    let mut members = (0..flooders)
        .map(|number| admit(&relay, &company, number, (make_frames, each)))
        .collect::<anyhow::Result<Vec<_>>>()?;
    let mut spoken = 0;
    let mut speak = |readers: &mut [Client]| {
        let mut times = Vec::new();
        for _ in 0..RATE * seconds {
            thread::sleep(Duration::from_secs(1) / RATE);
            spoken += 1;
            let start = Instant::now();
            speaker.say(&format!("number {spoken}"))?;
            let end = format!("<speaker> number {spoken}");
            for reader in readers.iter_mut() {
                let shown = reader.wait_for(PATIENCE, |line| line.ends_with(&end))?;
                let shown = shown.with_context(|| format!("{name}: a message is lost"))?;
                times.push(shown.saturating_duration_since(start));
            }
        }
        anyhow::Ok(quantiles(times))
    };
    let [quiet, quiet_99] = speak(&mut readers)?;
    let lines = |readers: &[Client]| readers.iter().map(|reader| reader.shown).max();
    let before = lines(&readers);
    let is_over = AtomicBool::new(false);
    let (during, taken) = thread::scope(|scope| {
        let (is_over, company) = (&is_over, &company);
        let flooding: Vec<_> = members
            .iter_mut()
            .map(|(member, frames)| scope.spawn(move || flood(is_over, member, company, frames)))
            .collect();
        let during = speak(&mut readers);
        is_over.store(true, Ordering::Relaxed);
        let mut taken = 0.0;
        for flooding in flooding {
            taken += flooding.join().ok().context("the flood panicked")??;
        }
        anyhow::Ok((during, taken))
    })?;
    // Where the messages were never shown, the readers had been thrown out.
    let [median, p99] = during.unwrap_or([PATIENCE; 2]);
    let shown = lines(&readers).unwrap_or(0) - before.unwrap_or(0);
    let dropped: usize = members.iter().map(|(member, _)| member.dropped).sum();
    let mut resident = 0;
    for reader in &readers {
        resident = reader.figures()?.resident_kib.max(resident);
    }
    println!(
        "{name:38} {quiet:>8.2?} {median:>8.2?} {:>5.2} {quiet_99:>9.2?} {p99:>9.2?} {:>5.2} {taken:>6.0}/s {dropped:>7} {:>6} {:>5.1} {:>5.1} MB",
        median.div_duration_f64(quiet),
        p99.div_duration_f64(quiet_99),
        shown.saturating_sub((RATE * seconds) as usize),
        super::precise(relay.figures()?.resident_kib) / 1024.0,
        super::precise(resident) / 1024.0,
    );
    while speaker.next_line(Instant::now())?.is_some() {}
    let lost = readers.iter().chain([&speaker]).map(|client| client.lost);
    let lost: usize = lost.sum();
    ensure!(
        lost == 0,
        "{name}: clients have lost their connections {lost} times"
    );
    Ok(())
}

/// Sends as fast as the relay takes it. Returns how many frames that was in a second.
fn flood(
    is_over: &AtomicBool,
    member: &mut Member,
    company: &Company,
    frames: &[Vec<u8>],
) -> anyhow::Result<f64> {
    let mut buffer = vec![0; 64 * 1024];
    let few = frames.len() < 1000;
    let mut left: Box<dyn Iterator<Item = &Vec<u8>>> = if few {
        Box::new(frames.iter().cycle())
    } else {
        Box::new(frames.iter())
    };
    let (start, mut taken) = (Instant::now(), (0, Duration::from_secs(1)));
    while !is_over.load(Ordering::Relaxed) {
        member.read(&mut buffer, company)?;
        member.write_rest()?;
        if member.taken > taken.0 {
            taken = (member.taken, start.elapsed());
        }
        if !member.has_written() {
            thread::sleep(Duration::from_millis(1));
        } else if let Some(frame) = left.next() {
            member.write(frame)?;
        } else {
            thread::sleep(Duration::from_millis(1));
        }
    }
    let seconds = taken.1.as_secs_f64().max(1.0);
    Ok(super::precise(taken.0) / seconds)
}

fn wait_until_in(member: &mut Member, company: &Company, buffer: &mut [u8]) -> anyhow::Result<()> {
    let deadline = Instant::now() + NEWCOMER;
    while !member.is_in() {
        ensure!(Instant::now() < deadline, "the relay does not answer");
        member.read(buffer, company)?;
        thread::sleep(Duration::from_millis(1));
    }
    Ok(())
}

/// A connection from an address of the loopback.
fn connect_from(own: Ipv4Addr, relay: SocketAddr) -> anyhow::Result<TcpStream> {
    let IpAddr::V4(address) = relay.ip() else {
        anyhow::bail!("the relay has no IPv4 address");
    };
    let socket = socket(
        AddressFamily::Inet,
        SockType::Stream,
        SockFlag::SOCK_CLOEXEC,
        None,
    )?;
    let at = |address, port| SockaddrIn::from(SocketAddrV4::new(address, port));
    bind(socket.as_raw_fd(), &at(own, 0))?;
    connect(socket.as_raw_fd(), &at(address, relay.port()))?;
    Ok(socket.into())
}

/// Has members come from one address and break their connections, so that the relay keeps their
/// places. Says whether a newcomer from another address still gets in.
fn keep_places(name: &str) -> anyhow::Result<()> {
    let company = Company::new();
    let relay = Relay::with_usual_limits()?;
    let room: RoomName = ROOM.parse()?;
    let mut buffer = vec![0; 64 * 1024];
    let start = Instant::now();
    let mut kept = 0;
    for number in 0..GHOSTS {
        let card = company.card(&room, number)?;
        let own = Ipv4Addr::new(127, 1, 0, 1);
        let mut ghost = Member::ask(connect_from(own, relay.address)?, card)?;
        // A member that is refused has no place to keep.
        kept += usize::from(wait_until_in(&mut ghost, &company, &mut buffer).is_ok());
        thread::sleep(Duration::from_secs(1) / GHOST_RATE);
    }
    let took = start.elapsed();
    let card = company.card(&room, GHOSTS)?;
    let stranger = connect_from(Ipv4Addr::new(127, 0, 0, 2), relay.address)?;
    let mut newcomer = Member::ask(stranger, card)?;
    let entered = wait_until_in(&mut newcomer, &company, &mut buffer);
    let end = entered.map_or_else(|error| format!("no: {error}"), |()| "yes".to_owned());
    println!(
        "{name:38} {kept} of {GHOSTS} got in within {took:.2?}; a newcomer from another address gets in: {end}"
    );
    Ok(())
}
