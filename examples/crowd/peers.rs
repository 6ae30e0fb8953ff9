//! What a delivery costs in a room in which one member sends as fast as it goes: the relay, an ideal loop,
//! and NATS, which is known to be quick and encrypts nothing. They are measured in turn, round after
//! round, so that what else the machine does meets all alike.

use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::os::fd::AsFd as _;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail, ensure};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::time::{ClockId, clock_gettime};

use super::crowd::Crowd;
use super::member::Company;
use super::relay::{Relay, figures};
use super::{allow_descriptors, precise};

/// For how long messages go before those that are measured: buffers find their size meanwhile.
const WARM_UP: Duration = Duration::from_millis(300);

/// How long anything may take before it is taken for a failure.
const DEADLINE: Duration = Duration::from_secs(20);

/// How many bytes a message has that is passed on as it is: about as many as a usual line of ours has on
/// its way to a reader.
const PAYLOAD: usize = 800;

/// The members of a room, as far as a measurement needs them.
trait Room {
    /// Has the first member say something to all.
    fn say(&mut self) -> anyhow::Result<()>;
    /// Waits until something can be read, and reads it.
    fn turn(&mut self, wait: Duration) -> anyhow::Result<()>;
    /// Whether all that was said has been written.
    fn has_written(&self) -> bool;
    /// How many messages all have got.
    fn least_delivered(&self) -> u64;
}

impl Room for Crowd<'_> {
    fn say(&mut self) -> anyhow::Result<()> {
        Crowd::say(self, 0)
    }

    fn turn(&mut self, wait: Duration) -> anyhow::Result<()> {
        Crowd::turn(self, wait)
    }

    fn has_written(&self) -> bool {
        Crowd::has_written(self)
    }

    fn least_delivered(&self) -> u64 {
        Crowd::least_delivered(self)
    }
}

/// What one measurement found: microseconds of processor time for a delivery, and thousands of
/// deliveries a second.
type Found = [f64; 2];

/// Measures each of `peers` in rooms of so many `members`, and prints two tables of medians.
pub fn measure(
    members: &[usize],
    peers: &[String],
    rounds: usize,
    time: Duration,
    window: u64,
) -> anyhow::Result<()> {
    allow_descriptors(members.iter().copied().max().unwrap_or_default())?;
    let company = Company::new();
    let mut found: Vec<Vec<Vec<Found>>> = vec![vec![Vec::new(); members.len()]; peers.len()];
    for _ in 0..rounds {
        for (peer, found) in peers.iter().zip(&mut found) {
            for (members, found) in members.iter().zip(found) {
                let one = measure_one(&company, peer, (*members).max(2), time, window);
                found.push(one.with_context(|| format!("{peer} with {members}"))?);
            }
        }
    }
    let titles = [
        "processor time for a delivery, µs",
        "thousand deliveries a second",
    ];
    for (value, title) in titles.iter().enumerate() {
        let head = members.iter().map(|members| format!(" {members} |"));
        println!("\n| {title} |{}", head.collect::<String>());
        println!("| --- |{}", " --- |".repeat(members.len()));
        for (peer, found) in peers.iter().zip(&found) {
            let cells = found.iter().map(|rounds| cell(rounds, value));
            println!("| {peer} |{}", cells.collect::<String>());
        }
    }
    Ok(())
}

/// The median of one of the values, and the least and the greatest.
fn cell(rounds: &[Found], value: usize) -> String {
    let values = rounds.iter().filter_map(|found| found.get(value).copied());
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    let at = |index: usize| values.get(index).copied().unwrap_or_default();
    let digits = if value == 0 { 2 } else { 0 };
    format!(
        " {:.digits$} ({:.digits$} to {:.digits$}) |",
        at(values.len() / 2),
        at(0),
        at(values.len() - 1)
    )
}

fn measure_one(
    company: &Company,
    peer: &str,
    members: usize,
    time: Duration,
    window: u64,
) -> anyhow::Result<Found> {
    match peer.split_once('/').unwrap_or((peer, "")) {
        ("loop", "") => {
            let (mut room, spent) = Plain::with_loop(members)?;
            let spent = || Ok(Duration::from_nanos(spent.load(Ordering::Relaxed)));
            drive(&mut room, spent, members, time, window)
        }
        ("nats", "") => {
            let server = Nats::start()?;
            let mut room = Plain::with_nats(&server, members)?;
            let spent = || Ok(figures(server.child.id())?.processor);
            drive(&mut room, spent, members, time, window)
        }
        ("relay", writers) => {
            let options = [["--writers", writers]];
            let options = if writers.is_empty() {
                &[][..]
            } else {
                &options
            };
            let relay = Relay::start_with(members, options)?;
            let mut crowd = Crowd::new(company, "room", members)?;
            crowd.enter(&relay)?;
            crowd.settle()?;
            let spent = || Ok(relay.figures()?.processor);
            drive(&mut crowd, spent, members, time, window)
        }
        _ => bail!("no such peer: {peer}"),
    }
}

/// Has the first member send for so long, with at most `window` messages that somebody has not read.
fn drive<R: Room>(
    room: &mut R,
    spent: impl Fn() -> anyhow::Result<Duration>,
    members: usize,
    time: Duration,
    window: u64,
) -> anyhow::Result<Found> {
    let mut said = room.least_delivered();
    let mut go_on = |room: &mut R, time: Duration| {
        let start = Instant::now();
        while start.elapsed() < time {
            while said < room.least_delivered() + window && room.has_written() {
                room.say()?;
                said += 1;
            }
            room.turn(Duration::from_millis(100))?;
        }
        anyhow::Ok(start.elapsed())
    };
    go_on(room, WARM_UP)?;
    let (before, spent_before) = (room.least_delivered(), spent()?);
    let elapsed = go_on(room, time)?;
    let messages = room.least_delivered() - before;
    let spent = spent()?.saturating_sub(spent_before);
    // Nothing may be lost.
    let start = Instant::now();
    while room.least_delivered() < said {
        ensure!(start.elapsed() < DEADLINE, "messages are missing");
        room.turn(Duration::from_millis(100))?;
    }
    let deliveries = precise(messages * (members as u64 - 1));
    Ok([
        1e6 * spent.as_secs_f64() / deliveries,
        deliveries / elapsed.as_secs_f64() / 1e3,
    ])
}

/// A room of which the server passes on to the others what the first member writes, always in the same
/// bytes: so it is enough to count these.
struct Plain {
    streams: Vec<TcpStream>,
    message: Vec<u8>,
    /// How many bytes a message has for each reader.
    delivery: u64,
    received: Vec<u64>,
    unwritten: Vec<u8>,
    buffer: Vec<u8>,
}

impl Plain {
    fn new(streams: Vec<TcpStream>, message: Vec<u8>, delivery: u64) -> io::Result<Self> {
        for stream in &streams {
            stream.set_nodelay(true)?;
            stream.set_nonblocking(true)?;
        }
        Ok(Self {
            received: vec![0; streams.len()],
            streams,
            message,
            delivery,
            unwritten: Vec::new(),
            buffer: vec![0; 64 * 1024],
        })
    }

    /// A room on an ideal loop, and the nanoseconds of processor time that it has spent.
    fn with_loop(members: usize) -> anyhow::Result<(Self, Arc<AtomicU64>)> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let (mut near, mut far) = (Vec::new(), Vec::new());
        for _ in 0..members {
            near.push(TcpStream::connect(listener.local_addr()?)?);
            let (stream, _) = listener.accept()?;
            stream.set_nodelay(true)?;
            far.push(stream);
        }
        let spent = Arc::new(AtomicU64::new(0));
        let told = Arc::clone(&spent);
        thread::spawn(move || pass_on(&far, &told));
        let room = Self::new(near, vec![b'.'; PAYLOAD], PAYLOAD as u64)?;
        Ok((room, spent))
    }

    /// A room that is a subject of NATS.
    fn with_nats(server: &Nats, members: usize) -> anyhow::Result<Self> {
        let streams = (0..members).map(|_| server.subscribe());
        let message = format!("PUB room {PAYLOAD}\r\n{}\r\n", ".".repeat(PAYLOAD));
        let delivery = format!("MSG room 1 {PAYLOAD}\r\n\r\n").len() + PAYLOAD;
        let streams = streams.collect::<anyhow::Result<_>>()?;
        Ok(Self::new(streams, message.into_bytes(), delivery as u64)?)
    }

    fn write_rest(&mut self) -> anyhow::Result<()> {
        let mut sender = self.streams.first().context("nobody is there")?;
        while !self.unwritten.is_empty() {
            match sender.write(&self.unwritten) {
                Ok(count) => drop(self.unwritten.drain(..count)),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }
}

impl Room for Plain {
    fn say(&mut self) -> anyhow::Result<()> {
        self.unwritten.extend_from_slice(&self.message);
        self.write_rest()
    }

    fn turn(&mut self, wait: Duration) -> anyhow::Result<()> {
        let sockets = self.streams.iter();
        let mut sockets: Vec<PollFd<'_>> = sockets
            .map(|stream| PollFd::new(stream.as_fd(), PollFlags::POLLIN))
            .collect();
        poll(&mut sockets, PollTimeout::try_from(wait)?)?;
        let is_ready = |socket: PollFd<'_>| socket.any().unwrap_or(true);
        let ready: Vec<bool> = sockets.into_iter().map(is_ready).collect();
        let members = self.streams.iter().zip(&mut self.received).zip(ready);
        for ((mut stream, received), _) in members.filter(|(_, is_ready)| *is_ready) {
            match stream.read(&mut self.buffer) {
                Ok(0) => bail!("the server hung up"),
                Ok(count) => *received += count as u64,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Err(error.into()),
            }
        }
        self.write_rest()
    }

    fn has_written(&self) -> bool {
        self.unwritten.is_empty()
    }

    fn least_delivered(&self) -> u64 {
        let readers = self.received.iter().skip(1);
        readers.min().copied().unwrap_or_default() / self.delivery
    }
}

/// Writes to all others what comes from the first, with one call for all that has come together, until
/// somebody hangs up. Tells for how long the thread has run.
fn pass_on(streams: &[TcpStream], spent: &AtomicU64) -> anyhow::Result<()> {
    let (mut first, others) = streams.split_first().context("nobody is there")?;
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let length = first.read(&mut buffer)?;
        ensure!(length > 0, "the sender is gone");
        for mut stream in others {
            stream.write_all(buffer.get(..length).unwrap_or_default())?;
        }
        let time = Duration::from(clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID)?);
        spent.store(u64::try_from(time.as_nanos())?, Ordering::Relaxed);
    }
}

/// A `nats-server`. Its process ends when this is dropped.
struct Nats {
    child: Child,
    port: u16,
}

impl Nats {
    fn start() -> anyhow::Result<Self> {
        // A port that was free a moment ago.
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?
            .local_addr()?
            .port();
        let child = Command::new("nats-server")
            .args(["--addr", "127.0.0.1", "--port", &port.to_string()])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .context("nats-server is not installed")?;
        let server = Self { child, port };
        let start = Instant::now();
        while TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_err() {
            ensure!(start.elapsed() < DEADLINE, "nats-server does not listen");
            thread::sleep(Duration::from_millis(10));
        }
        Ok(server)
    }

    /// A connection that gets what others say in the room, but not what it says itself.
    fn subscribe(&self) -> anyhow::Result<TcpStream> {
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port))?;
        stream
            .write_all(b"CONNECT {\"verbose\":false,\"echo\":false}\r\nSUB room 1\r\nPING\r\n")?;
        // Its answer to PING is the last that it says before messages come.
        for line in BufReader::with_capacity(1, &stream).lines() {
            if line? == "PONG" {
                return Ok(stream);
            }
        }
        bail!("nats-server hung up")
    }
}

impl Drop for Nats {
    fn drop(&mut self) {
        // It fails where it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
