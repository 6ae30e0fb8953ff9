//! How long messages take while strangers and members do their worst. The relay has its usual
//! limits, and the attackers come from other addresses of the loopback than the members.

use std::collections::VecDeque;
use std::io::Write as _;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, SocketAddrV4, TcpStream};
use std::os::fd::AsRawFd as _;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use e2echat::room::card::Card;
use e2echat::room::frame::{Frame, preamble};
use e2echat::room::names::{Nick, RoomName};
use e2echat::room::statement::Occasion;
use nix::errno::Errno;
use nix::sys::signal::{Signal, kill};
use nix::sys::socket::{AddressFamily, SockFlag, SockType, SockaddrIn, bind, connect, socket};
use rand::Rng as _;

use super::client::Client;
use super::crowd::Crowd;
use super::latency::quantiles;
use super::member::{Company, Member};
use super::relay::Relay;
use super::{allow_descriptors, precise};

const ROOM: &str = "room";

/// Messages a second, as in a lively room.
const RATE: u32 = 20;

/// How many messages a flood has at most.
const FLOOD: usize = 1000;

/// How many messages go to a client that is stopped during its measurement. Some three quarters of
/// them fill an outbox.
const PILE: u32 = 200;

/// How many members never read.
const SILENT: usize = 10;

/// How long an attack goes on before the measurement begins.
const ONSET: Duration = Duration::from_secs(1);

/// Strangers: they do not get into a room.
struct Strangers {
    name: &'static str,
    /// From how many addresses they come.
    addresses: u32,
    /// How many of them come in a second, and how many stay at once.
    rate: u32,
    most: usize,
    /// What they send, in turn.
    says: Vec<Vec<u8>>,
    /// Whether each adds a byte every second.
    drips: bool,
}

/// An attack that is going on.
struct Front<'a> {
    relay: SocketAddr,
    company: &'a Company,
    is_over: AtomicBool,
}

/// Measures the latency in a room before and during each attack.
pub fn measure(members: usize, seconds: u32, only: &str) -> anyhow::Result<()> {
    allow_descriptors(6000)?;
    let company = Company::new();
    let relay = Relay::with_usual_limits()?;
    let mut crowd = Crowd::new(&company, ROOM, members)?;
    crowd.enter(&relay)?;
    crowd.settle()?;
    println!("{members} members, {RATE} messages/s: from writing to the last reader");
    println!(
        "                                         median          ratio       p99           ratio   relay lines"
    );
    println!(
        "                                       before   during           before    during        resident logged"
    );
    let mut gauge = Gauge {
        relay: &relay,
        company: &company,
        crowd,
        messages: RATE * seconds,
        said: 0,
        dropped: 0,
        only,
    };
    for strangers in all_strangers(&company)? {
        gauge.hold_out(strangers.name, |front| front.send(&strangers))?;
    }
    let room: RoomName = ROOM.parse()?;
    let cards: Vec<Card> = (0..300)
        .map(|number| company.card(&room, 20_000 + number))
        .collect::<anyhow::Result<_>>()?;
    gauge.hold_out("joins and leaves, 300 a second", |front| {
        front.come_and_go(&cards)
    })?;
    let mut flooder = gauge.crowd.admit(&relay, company.card(&room, 30_000)?)?;
    gauge.flood("a member that floods", &mut flooder)?;
    gauge.stop_a_client(&mut flooder)?;
    let silent: Vec<Member> = (1..=SILENT)
        .map(|number| {
            let card = company.card(&room, 30_000 + number)?;
            gauge.crowd.admit(&relay, card)
        })
        .collect::<anyhow::Result<_>>()?;
    for member in &silent {
        gauge.crowd.include(member.sid);
    }
    gauge.flood("a flood, and 10 that never read", &mut flooder)
}

/// A room that is measured, and is under attack from time to time.
struct Gauge<'a> {
    relay: &'a Relay,
    company: &'a Company,
    crowd: Crowd<'a>,
    /// How many messages a measurement has, and how many there were so far.
    messages: u32,
    said: u64,
    /// How many members the relay should have dropped so far.
    dropped: usize,
    /// Only attacks with this in their names are made.
    only: &'a str,
}

impl Gauge<'_> {
    /// Measures without and with an attack.
    fn hold_out(
        &mut self,
        name: &str,
        attack: impl FnOnce(&Front<'_>) -> anyhow::Result<()> + Send,
    ) -> anyhow::Result<()> {
        if !name.contains(self.only) {
            return Ok(());
        }
        let [quiet, quiet_99] = self.measure()?;
        self.relay.take_log();
        let front = Front {
            relay: self.relay.address,
            company: self.company,
            is_over: AtomicBool::new(false),
        };
        let [median, p99] = thread::scope(|scope| {
            let (front, is_over) = (&front, &front.is_over);
            let attacking = scope.spawn(move || attack(front));
            let during = self.pause(ONSET).and_then(|()| self.measure());
            is_over.store(true, Ordering::Relaxed);
            attacking.join().ok().context("the attack panicked")??;
            during
        })?;
        println!(
            "{name:38} {quiet:>8.2?} {median:>8.2?} {:>5.2} {quiet_99:>9.2?} {p99:>9.2?} {:>5.2} {:>5.1} MB {:>5}",
            median.div_duration_f64(quiet),
            p99.div_duration_f64(quiet_99),
            precise(self.relay.figures()?.resident_kib) / 1024.0,
            self.relay.take_log(),
        );
        self.pause(ONSET)?;
        let dropped = self.crowd.dropped();
        ensure!(dropped == self.dropped, "the relay has dropped {dropped}");
        Ok(())
    }

    fn flood(&mut self, name: &str, flooder: &mut Member) -> anyhow::Result<()> {
        let messages: Vec<Vec<u8>> = (0..FLOOD).map(|_| self.crowd.flood(flooder)).collect();
        self.hold_out(name, |front| front.flood(flooder, &messages))
    }

    /// A real client whose process is stopped, so that it never reads again. What it is sent piles
    /// up, until the relay drops it before the measurement is over.
    fn stop_a_client(&mut self, sender: &mut Member) -> anyhow::Result<()> {
        let name = "a process that is stopped, till dropped";
        if !name.contains(self.only) {
            return Ok(());
        }
        let nick: Nick = "stopped".parse()?;
        let client = Client::join(self.relay.address, &nick, ROOM)?;
        let pid = client.pid()?;
        let sid = self.crowd.meet(&nick)?;
        self.crowd.include(sid);
        let pile: Vec<Vec<u8>> = (0..PILE).map(|_| self.crowd.pile(sender, sid)).collect();
        let rate = PILE.div_ceil(self.messages / RATE);
        self.dropped += 1;
        self.hold_out(name, |front| {
            // From now on the client does nothing, and the system keeps its connection open.
            kill(pid, Signal::SIGSTOP)?;
            front.pile_up(sender, &pile, rate)
        })?;
        self.crowd.exclude(sid);
        Ok(())
    }

    fn pause(&mut self, time: Duration) -> anyhow::Result<()> {
        let start = Instant::now();
        while start.elapsed() < time {
            self.crowd.turn(Duration::from_millis(5))?;
        }
        Ok(())
    }

    /// The median and the 99th percentile.
    fn measure(&mut self) -> anyhow::Result<[Duration; 2]> {
        let mut times = Vec::new();
        for _ in 0..self.messages {
            self.pause(Duration::from_secs(1) / RATE)?;
            let message = self.crowd.message(0);
            let start = Instant::now();
            self.crowd.write(0, &message)?;
            self.said += 1;
            self.crowd.read_until_delivered(self.said)?;
            times.push(start.elapsed());
        }
        Ok(quantiles(times))
    }
}

fn all_strangers(company: &Company) -> anyhow::Result<Vec<Strangers>> {
    let room: RoomName = ROOM.parse()?;
    let knock = preamble(room.id());
    let and = |rest: &[u8]| [&knock, rest].concat();
    let mut random = [vec![0; 4096], vec![0; 4096]];
    for bytes in &mut random {
        rand::rng().fill_bytes(bytes);
    }
    let [noise, mut frames] = random;
    // A length that is possible, so that the relay reads on.
    frames.splice(..4, 4000u32.to_be_bytes());
    let unproven: Vec<Vec<u8>> = (0..100)
        .map(|number| {
            let card = company.card(&room, 10_000 + number)?;
            let hello = Frame::hello(card.bytes(), None, 0, 300, &[1; 256]);
            Ok(and(&hello.encode()))
        })
        .collect::<anyhow::Result<_>>()?;
    let half = |bytes: &[u8]| bytes.split_at(bytes.len() / 2).0.to_vec();
    let half_a_hello = unproven.first().map(|hello| half(hello));
    let stages = [vec![], half(&knock), knock.clone()];
    Ok(vec![
        Strangers {
            name: "slow ones at each stage, 1000 from 40",
            addresses: 40,
            rate: 500,
            most: 1000,
            says: stages.into_iter().chain(half_a_hello).collect(),
            drips: true,
        },
        Strangers {
            name: "5000 connections from one address",
            addresses: 1,
            rate: 2000,
            most: 5000,
            says: vec![knock.clone()],
            drips: false,
        },
        Strangers {
            name: "5000 connections from 5000 addresses",
            addresses: 5000,
            rate: 2000,
            most: 5000,
            says: vec![knock.clone()],
            drips: false,
        },
        Strangers {
            name: "random bytes, 500 a second",
            addresses: 200,
            rate: 500,
            most: 100,
            says: vec![and(&noise), and(&frames), noise],
            drips: false,
        },
        Strangers {
            name: "lengths of 4 GiB, 500 a second",
            addresses: 200,
            rate: 500,
            most: 100,
            says: vec![and(&[0xff; 1024])],
            drips: false,
        },
        Strangers {
            name: "cards of others, 1000 a second",
            addresses: 2000,
            rate: 1000,
            most: 300,
            says: unproven,
            drips: false,
        },
    ])
}

impl Front<'_> {
    fn is_over(&self) -> bool {
        self.is_over.load(Ordering::Relaxed)
    }

    /// Does something so many times a second, as far as that is possible.
    fn repeat(
        &self,
        rate: u32,
        mut step: impl FnMut(u32) -> anyhow::Result<()>,
    ) -> anyhow::Result<()> {
        let start = Instant::now();
        let mut number = 0;
        while !self.is_over() {
            let due = f64::from(rate) * start.elapsed().as_secs_f64();
            if f64::from(number) < due {
                step(number)?;
                number += 1;
            } else {
                thread::sleep(Duration::from_millis(1));
            }
        }
        Ok(())
    }

    /// A connection from an address of its own for each number.
    fn connect(&self, number: u32) -> anyhow::Result<TcpStream> {
        let IpAddr::V4(relay) = self.relay.ip() else {
            anyhow::bail!("the relay has no IPv4 address");
        };
        let flags = SockFlag::SOCK_NONBLOCK | SockFlag::SOCK_CLOEXEC;
        let socket = socket(AddressFamily::Inet, SockType::Stream, flags, None)?;
        let own = Ipv4Addr::from_bits(Ipv4Addr::new(127, 1, 0, 1).to_bits() + number);
        let at = |address, port| SockaddrIn::from(SocketAddrV4::new(address, port));
        bind(socket.as_raw_fd(), &at(own, 0))?;
        match connect(socket.as_raw_fd(), &at(relay, self.relay.port())) {
            Ok(()) | Err(Errno::EINPROGRESS) => Ok(socket.into()),
            Err(error) => Err(error.into()),
        }
    }

    /// Has the strangers do what they do.
    fn send(&self, strangers: &Strangers) -> anyhow::Result<()> {
        let mut connected: VecDeque<TcpStream> = VecDeque::new();
        let mut dripped = Instant::now();
        self.repeat(strangers.rate, |number| {
            if strangers.drips && dripped.elapsed() >= Duration::from_secs(1) {
                dripped = Instant::now();
                connected.retain(|mut stream| stream.write_all(&[0]).is_ok());
            }
            if connected.len() >= strangers.most {
                if strangers.drips {
                    return Ok(());
                }
                connected.pop_front();
            }
            let mut stream = self.connect(number % strangers.addresses)?;
            let turn = number as usize % strangers.says.len();
            // The write fails where the relay has hung up already, or its system had no room for
            // the connection.
            let said = strangers.says.get(turn).context("nothing to say")?;
            if stream.write_all(said).is_ok() {
                connected.push_back(stream);
            }
            Ok(())
        })
    }

    /// Has newcomers leave as soon as they are in. Each address stays below its limit.
    fn come_and_go(&self, cards: &[Card]) -> anyhow::Result<()> {
        let mut buffer = vec![0; 64 * 1024];
        let mut coming: Vec<Member> = Vec::new();
        let mut going: Vec<Member> = Vec::new();
        self.repeat(300, |number| {
            let card = cards.get(number as usize % cards.len()).context("a card")?;
            coming.push(Member::ask(self.connect(number % 200)?, card.clone())?);
            coming.retain_mut(|member| member.read(&mut buffer, self.company).is_ok());
            for mut member in coming.extract_if(.., |member| member.is_in()) {
                member.state(card.room(), Occasion::Goodbye, self.company)?;
                going.push(member);
            }
            // The member reads until the relay hangs up: whoever hangs up first could destroy its
            // own goodbye.
            going.retain_mut(|member| member.read(&mut buffer, self.company).is_ok());
            Ok(())
        })?;
        // The relay would keep the places of members that just vanish, and call them lost a minute
        // later.
        let room = cards.first().context("a card")?.room();
        for mut member in coming {
            if member.state(room, Occasion::Goodbye, self.company).is_ok() {
                going.push(member);
            }
        }
        while !going.is_empty() {
            going.retain_mut(|member| member.read(&mut buffer, self.company).is_ok());
            thread::sleep(Duration::from_millis(1));
        }
        Ok(())
    }

    /// Has a member write so often to one that does not read.
    fn pile_up(&self, sender: &mut Member, pile: &[Vec<u8>], rate: u32) -> anyhow::Result<()> {
        let mut buffer = vec![0; 64 * 1024];
        self.repeat(rate, |number| {
            sender.read(&mut buffer, self.company)?;
            pile.get(number as usize)
                .map_or(Ok(()), |message| sender.write(message))
        })
    }

    /// Has a member send as fast as the relay lets it.
    fn flood(&self, member: &mut Member, messages: &[Vec<u8>]) -> anyhow::Result<()> {
        let mut buffer = vec![0; 64 * 1024];
        let mut messages = messages.iter();
        while !self.is_over() || !member.has_written() {
            member.read(&mut buffer, self.company)?;
            member.write_rest()?;
            if !member.has_written() {
                thread::sleep(Duration::from_millis(1));
            } else if let Some(message) = messages.next() {
                member.write(message)?;
            } else {
                break;
            }
        }
        Ok(())
    }
}
