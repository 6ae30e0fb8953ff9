//! What a room of real clients costs when nobody says anything, and when one more comes.
//!
//! Several programs can be compared: each has a room of its own, and all are measured over the same
//! time, so that what else the machine does meets all alike. What counts is deliveries, bytes and
//! processor time, and never how long anything took.

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::ops::Sub;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use e2echat::room::frame::is_counted_frame;
use e2echat::room::names::Nick;

use super::client::Client;
use super::relay::Relay;
use super::{allow_descriptors, precise};

const ROOM: &str = "room";

/// How many clients of each room enter at once.
const TOGETHER: usize = 4;

/// How long the rooms are left alone before they are measured. A beacon is due in it.
const SETTLE: Duration = Duration::from_secs(65);

/// How long a room is measured after somebody has joined, and as long without. Whoever has a beacon
/// brought forward in a small room has sent it by then.
const JOINING: Duration = Duration::from_secs(10);

/// What the clients of a room were sent, and what they sent.
#[derive(Default)]
struct Tally {
    deliveries: AtomicU64,
    down: AtomicU64,
    up: AtomicU64,
}

/// What a room has cost from some time on. Times are of processors.
#[derive(Clone, Copy)]
struct Cost {
    /// What members were sent of others.
    deliveries: u64,
    /// Bytes to the members, and from them.
    down: u64,
    up: u64,
    clients: Duration,
    relay: Duration,
    /// How often a thread of a client waited for something.
    waits: u64,
}

impl Sub for Cost {
    type Output = Self;

    fn sub(self, before: Self) -> Self {
        Self {
            deliveries: self.deliveries.saturating_sub(before.deliveries),
            down: self.down.saturating_sub(before.down),
            up: self.up.saturating_sub(before.up),
            clients: self.clients.saturating_sub(before.clients),
            relay: self.relay.saturating_sub(before.relay),
            waits: self.waits.saturating_sub(before.waits),
        }
    }
}

/// A relay and its clients, all of one program.
struct Site {
    program: PathBuf,
    relay: Relay,
    /// Where clients connect: what is there counts, and passes everything on.
    entrance: SocketAddr,
    tally: Arc<Tally>,
    clients: Vec<Client>,
    come: usize,
}

impl Site {
    fn start(program: PathBuf, members: usize) -> anyhow::Result<Self> {
        let relay = Relay::for_clients(&program, members)?;
        let tally = Arc::default();
        Ok(Self {
            program,
            entrance: count_between(relay.address, Arc::clone(&tally))?,
            relay,
            tally,
            clients: Vec::new(),
            come: 0,
        })
    }

    /// Starts one more client, which is not in the room yet.
    fn call(&mut self) -> anyhow::Result<()> {
        let nick: Nick = format!("m-{:x}", self.come).parse()?;
        self.come += 1;
        let client = Client::start(&self.program, self.entrance, &nick, ROOM, &[])?;
        self.clients.push(client);
        Ok(())
    }

    /// What the first so many clients, and all else, have cost so far.
    fn cost(&self, clients: usize) -> anyhow::Result<Cost> {
        let mut cost = Cost {
            deliveries: self.tally.deliveries.load(Ordering::Relaxed),
            down: self.tally.down.load(Ordering::Relaxed),
            up: self.tally.up.load(Ordering::Relaxed),
            clients: Duration::ZERO,
            relay: self.relay.figures()?.processor,
            waits: 0,
        };
        for client in self.clients.iter().take(clients) {
            let figures = client.figures()?;
            cost.clients += figures.processor;
            cost.waits += figures.waits;
        }
        Ok(cost)
    }
}

/// Measures rooms of so many clients: one of each program.
pub fn measure(
    programs: Vec<PathBuf>,
    members: usize,
    seconds: u32,
    joins: usize,
) -> anyhow::Result<()> {
    let most = members + joins;
    // For each client two connections, which are open twice here, and its input and output.
    allow_descriptors(4 * programs.len() * most)?;
    let mut sites = programs
        .into_iter()
        .map(|program| Site::start(program, most))
        .collect::<anyhow::Result<Vec<_>>>()?;
    for first in (0..members).step_by(TOGETHER) {
        for site in &mut sites {
            for _ in first..members.min(first + TOGETHER) {
                site.call()?;
            }
        }
        for client in sites.iter_mut().flat_map(|site| &mut site.clients) {
            client.wait_until_in()?;
        }
    }
    thread::sleep(SETTLE);
    let idle = over(&mut sites, Duration::from_secs(seconds.into()), |_| Ok(()))?;
    println!("{members} clients that say nothing, each second");
    println!("  deliveries   bytes down   bytes up   a client   its waits     relay   program");
    for (site, cost) in sites.iter().zip(idle) {
        let each = |count: u64| precise(count) / f64::from(seconds);
        let clients = precise(members as u64);
        println!(
            "  {:>10.1} {:>12.0} {:>10.0} {:>7.2} ms {:>11.2} {:>6.1} ms   {}",
            each(cost.deliveries),
            each(cost.down),
            each(cost.up),
            millis(cost.clients) / f64::from(seconds) / clients,
            each(cost.waits) / clients,
            millis(cost.relay) / f64::from(seconds),
            site.program.display(),
        );
    }
    if joins > 0 {
        println!("one more joins them: what the others spend on it, beyond what they spend anyhow");
        println!("  deliveries   bytes down   bytes up    clients     relay   program");
    }
    for turn in 0..joins * sites.len() {
        let turn = turn % sites.len();
        let joining = over(&mut sites, JOINING, |sites| {
            let site = sites.get_mut(turn).context("no such room")?;
            site.call()?;
            let newcomer = site.clients.last_mut().context("nobody has come")?;
            newcomer.wait_until_in()
        })?;
        let anyhow = over(&mut sites, JOINING, |_| Ok(()))?;
        let of_turn = sites.iter().zip(joining.iter().zip(anyhow)).nth(turn);
        let (site, (joining, anyhow)) = of_turn.context("no such room")?;
        let more = |of: fn(&Cost) -> f64| of(joining) - of(&anyhow);
        println!(
            "  {:>10} {:>12} {:>10} {:>7.0} ms {:>6.0} ms   {}",
            more(|cost| precise(cost.deliveries)),
            more(|cost| precise(cost.down)),
            more(|cost| precise(cost.up)),
            more(|cost| millis(cost.clients)),
            more(|cost| millis(cost.relay)),
            site.program.display(),
        );
    }
    Ok(())
}

/// What each room costs over so long a time, in which something is done. Only the clients that are
/// there at its beginning count.
fn over(
    sites: &mut [Site],
    time: Duration,
    act: impl FnOnce(&mut [Site]) -> anyhow::Result<()>,
) -> anyhow::Result<Vec<Cost>> {
    let (start, clients) = (Instant::now(), sites.iter().map(|site| site.clients.len()));
    let clients: Vec<usize> = clients.collect();
    let cost = |sites: &[Site]| -> anyhow::Result<Vec<Cost>> {
        let sites = sites.iter().zip(&clients);
        sites.map(|(site, clients)| site.cost(*clients)).collect()
    };
    let before = cost(sites)?;
    act(sites)?;
    thread::sleep(time.saturating_sub(start.elapsed()));
    let after = cost(sites)?;
    Ok(after.into_iter().zip(before).map(|(a, b)| a - b).collect())
}

fn millis(time: Duration) -> f64 {
    1e3 * time.as_secs_f64()
}

/// Listens, connects whoever comes to the relay, and counts what they send each other.
fn count_between(relay: SocketAddr, tally: Arc<Tally>) -> anyhow::Result<SocketAddr> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let entrance = listener.local_addr()?;
    thread::spawn(move || -> anyhow::Result<()> {
        for client in listener.incoming() {
            let (client, relay) = (client?, TcpStream::connect(relay)?);
            client.set_nodelay(true)?;
            relay.set_nodelay(true)?;
            let (up, down) = (Arc::clone(&tally), Arc::clone(&tally));
            let (from_client, to_relay) = (client.try_clone()?, relay.try_clone()?);
            thread::spawn(move || {
                pass_on(from_client, to_relay, |bytes| {
                    up.up.fetch_add(bytes.len() as u64, Ordering::Relaxed);
                })
            });
            let mut frames = Frames::default();
            thread::spawn(move || {
                pass_on(relay, client, |bytes| {
                    let bytes_down = bytes.len() as u64;
                    down.down.fetch_add(bytes_down, Ordering::Relaxed);
                    let deliveries = frames.take(bytes);
                    down.deliveries.fetch_add(deliveries, Ordering::Relaxed);
                })
            });
        }
        Ok(())
    });
    Ok(entrance)
}

/// Passes on what comes, as it comes, until one of them hangs up.
fn pass_on(
    mut from: TcpStream,
    mut to: TcpStream,
    mut count: impl FnMut(&[u8]),
) -> std::io::Result<()> {
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let length = from.read(&mut buffer)?;
        let bytes = buffer.get(..length).unwrap_or_default();
        if bytes.is_empty() {
            return to.shutdown(Shutdown::Write);
        }
        count(bytes);
        to.write_all(bytes)?;
    }
}

/// Counts the frames in a stream that bring something of somebody else's.
#[derive(Default)]
struct Frames {
    /// The beginning of a frame whose rest has not come.
    partial: Vec<u8>,
}

impl Frames {
    fn take(&mut self, bytes: &[u8]) -> u64 {
        self.partial.extend_from_slice(bytes);
        let (mut rest, mut deliveries) = (self.partial.as_slice(), 0);
        while let Some((length, more)) = rest.split_first_chunk()
            && let Some((frame, more)) = more.split_at_checked(u32::from_be_bytes(*length) as usize)
        {
            // What comes back to its author has no content.
            deliveries += u64::from(is_counted_frame(frame) && frame.len() > 1);
            rest = more;
        }
        self.partial = rest.to_vec();
        deliveries
    }
}
