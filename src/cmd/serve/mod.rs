//! `e2echat serve`: the relay, and with `--nick` somebody who sits in it.
//!
//! Threads that live as long as the process: one per listening socket that accepts; a few that
//! write (see [`writers`]); one that does what is due every second, and one that writes the log (see
//! [`logging::logger`]). One thread per connection (see [`connection`]). For a moment: one that checks a member's new card or statement, and one that
//! announces the relay. The main thread waits for a signal, or for the host to leave.

pub(super) mod admission;
mod attendance;
mod batch;
mod connection;
mod listening;
mod logging;
mod outbox;
mod reach;
mod rooms;
mod socket;
mod stats;
#[cfg(test)]
mod tests;
mod threads;
#[cfg(unix)]
mod unix_socket;
mod write_queue;
mod writers;

use std::io;
use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::Context as _;

use crate::cmd::address::Address;
use crate::cmd::join::{self, Destination, Member, Route, Saving, Seat};
use crate::cmd::signals::on_signal;
use crate::cmd::terminal::Format;
use crate::cmd::{DEFAULT_PORT, failure, print};
use crate::room::frame::RelayLimits;
use crate::room::names::{Nick, RoomName};
use crate::room::relay::DEFAULT_WEIGHT;
use crate::room::roster::MAX_MEMBERS;
use crate::room::text::parse_visible;

use self::admission::limits::LimitArgs;
use self::listening::{Listener, Place, listen};
use self::logging::logger::{LogHandle, STATS};
use self::reach::{loopback, reachable};
use self::rooms::{KeptPlaces, Relay, RelayConfig};

/// How long members have to take their last frames when the relay ends.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(3);

/// How long an accepting thread waits after the system refused it a connection for lack of
/// something, so that it does not ask again in a tight loop.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// How often the relay looks whether something is due.
const TICK: Duration = Duration::from_secs(1);

/// The longest that a place is kept, in seconds: 12 hours.
const MAX_GRACE: u32 = 12 * 3600;

/// Run the relay that connects the members of rooms; it can read nothing of what they say
#[derive(clap::Args, Debug)]
#[command(after_help = "\
Environment:
  E2ECHAT_ROOM, E2ECHAT_IDENTITY, E2ECHAT_PASSPHRASE   with --nick, as for `e2echat join`

Examples:
  e2echat serve --nick ada                  host a room and sit in it
  e2echat serve --port 4000 -v              only the relay, with a log of who comes and goes
  e2echat serve --bind 127.0.0.1 --port 0   on a free port, for this machine alone")]
// clap makes an option of each field, and shows them in this order. So the struct is as long as the
// list of options that `--help` shows.
pub(super) struct Args {
    /// Port to listen on; 0 takes a free one
    #[arg(long, default_value_t = DEFAULT_PORT)]
    port: u16,

    /// Address to listen on, IPv4 or IPv6, or unix:PATH for a socket in the file system; may be given more than
    /// once [default: all addresses]
    #[arg(long, value_name = "ADDR", value_parser = parse_visible::<Place>)]
    bind: Vec<Place>,

    /// Sit in a room of this relay yourself, under this name
    #[arg(long, value_parser = parse_visible::<Nick>)]
    nick: Option<Nick>,

    /// Log who joins, leaves and is refused to standard error; -vv logs broken connections too
    #[arg(short, long, action = clap::ArgAction::Count, conflicts_with = "nick")]
    verbose: u8,

    /// Log a line of figures every so many seconds
    #[arg(long, value_name = "SECS", conflicts_with = "nick",
          value_parser = clap::value_parser!(u32).range(1..))]
    stats: Option<u32>,

    #[command(flatten, next_help_heading = "With --nick")]
    seat: Seat,

    /// The most connections at once
    #[arg(long, value_name = "N", default_value_t = 1000, help_heading = LIMITS,
          value_parser = clap::value_parser!(u32).range(1..))]
    max_connections: u32,

    /// The most members in a room
    #[arg(long, value_name = "N", default_value_t = 200, help_heading = LIMITS,
          value_parser = clap::value_parser!(u32).range(1..=i64::from(MAX_MEMBERS)))]
    max_members: u32,

    /// The most bytes that wait for a member that does not read, or has no connection; then it is dropped
    #[arg(long, value_name = "BYTES", default_value_t = DEFAULT_WEIGHT, help_heading = LIMITS)]
    max_queue: usize,

    /// Seconds that entering a room may take
    #[arg(long, value_name = "SECS", default_value_t = 10, help_heading = LIMITS,
          value_parser = clap::value_parser!(u32).range(1..))]
    handshake_timeout: u32,

    /// Seconds after which a connection on which nothing comes is taken for dead
    #[arg(long, value_name = "SECS", default_value_t = 90, help_heading = LIMITS,
          value_parser = clap::value_parser!(u32).range(3..))]
    idle_timeout: u32,

    /// The most seconds for which the place of a member is kept whose connection broke, up to 12 hours.
    /// It is kept for as long as the member was there before, and for a minute at least
    #[arg(long, value_name = "SECS", default_value_t = MAX_GRACE, help_heading = LIMITS,
          value_parser = clap::value_parser!(u32).range(..=i64::from(MAX_GRACE)))]
    grace: u32,

    #[command(flatten, next_help_heading = LIMITS)]
    limits: LimitArgs,

    /// How many threads write, for measuring [default: as many as there is something to write for]
    #[arg(long, value_name = "N", hide = true)]
    writers: Option<NonZeroUsize>,
}

const LIMITS: &str = "Limits";

impl Args {
    fn config(&self, connections: usize) -> RelayConfig {
        RelayConfig {
            max_members: connections,
            per_identity: self.limits.places_per_identity(),
            limits: RelayLimits {
                idle: self.idle_timeout,
                members: self.max_members,
                blocks: self.limits.blocks_per_second(),
                bytes: self.limits.bytes_per_second(),
            },
            grace: self.grace,
            writers: self.writers,
            queue_bytes: self.max_queue,
            handshake: Duration::from_secs(self.handshake_timeout.into()),
        }
    }
}

/// Runs the relay until a signal comes, or the host leaves.
pub(super) fn run(args: &Args) -> anyhow::Result<()> {
    // A host needs the terminal for the room, so there is no log.
    let is_logging = args.nick.is_none();
    let _log = is_logging
        .then(|| LogHandle::start(args.verbose))
        .transpose()?;
    let listening = listen(&args.bind, args.port)?;
    let places = listening.listeners.iter().map(|it| it.place());
    let places = places.collect::<io::Result<Vec<String>>>()?;
    let mut address = None;
    for listener in &listening.listeners {
        address = address.or(listener.address()?);
    }
    if args.nick.is_some() && address.is_none() {
        return Err(failure(
            "whoever sits in a room of this relay comes over an IP address, and it has none",
            "add --bind 127.0.0.1, or leave --nick out",
        ));
    }
    let host = args.nick.as_ref().map(|nick| {
        let (identity, session_key) = args.seat.keys()?;
        anyhow::Ok(Member {
            nick,
            identity,
            session_key,
        })
    });
    let host = host.transpose()?;
    let connections = usize::try_from(args.max_connections).unwrap_or(usize::MAX);
    let connections = admission::descriptors::raise_limit(connections, places.len());
    let threads = threads::max_connections().unwrap_or(usize::MAX);
    let connections = threads::limit_connections(connections, threads);
    let admission = args.limits.admission_control(connections)?;
    let relay = Arc::new(Relay::new(args.config(connections), admission)?);
    let kept = Arc::new(KeptPlaces::default());
    start_ticking(&relay, &kept, args.stats)?;
    for listener in &listening.listeners {
        let listener = Arc::clone(listener);
        let (relay, kept) = (Arc::clone(&relay), Arc::clone(&kept));
        thread::Builder::new()
            .name("accept".into())
            .spawn(move || accept(&listener, &relay, &kept))?;
    }
    let room = args.seat.room();
    let result = if let (Some(host), Some(address)) = (host, address) {
        let own = Address::from(reachable(address));
        let name = own.to_string();
        // The host enters before anybody is told that the room is there.
        let announce = || announce(&places, Some(address), &room, room.is_invite());
        let destination = Destination {
            relay: &name,
            room: &room,
            is_hosted: true,
        };
        let route = Route::Addresses(loopback(address));
        let saving = Saving::find(own, room.clone(), None)?;
        let how = (saving, None, Format::Screen);
        join::join_room(destination, route, host, &args.seat, how, announce)
    } else {
        // Whoever gives an invite has it, and the log of a service is no place for it.
        let is_told = room.is_invite() && !args.seat.new_room;
        wait_for_signal(move || announce(&places, address, &room, is_told))
    };
    relay.shut_down();
    let deadline = Instant::now() + DRAIN_TIMEOUT;
    while !relay.is_deserted() && Instant::now() < deadline {
        kept.sweep(relay.admission.uptime());
        thread::sleep(Duration::from_millis(10));
    }
    relay.admission.catch_up();
    result
}

/// Announces that the relay is there, and waits for the signal to end. A thread announces, as
/// standard output may stand still; the signal must be heard meanwhile.
fn wait_for_signal(
    announce: impl FnOnce() -> anyhow::Result<()> + Send + 'static,
) -> anyhow::Result<()> {
    let (sender, ends) = mpsc::channel();
    let signalled = sender.clone();
    on_signal(move || {
        // It fails when the program is ending already, and so does sending below.
        let _ = signalled.send(Ok(()));
    })?;
    let announce = move || {
        let _ = announce().map_err(|error| sender.send(Err(error)));
    };
    thread::Builder::new()
        .name("announce".into())
        .spawn(announce)?;
    ends.recv().context("the signal handler is gone")?
}

/// Announces at which places the relay listens, and how friends join over an address of it.
fn announce(
    places: &[String],
    address: Option<SocketAddr>,
    room: &RoomName,
    is_told: bool,
) -> anyhow::Result<()> {
    let lines = places.iter().map(|place| format!("listening on {place}\n"));
    let mut lines: Vec<String> = lines.collect();
    // A host who sits in the room is shown the invite there.
    if let Some(address) = address.filter(|_| !is_told) {
        let relay = &reachable(address).to_string();
        let destination = Destination {
            relay,
            room,
            is_hosted: true,
        };
        let directions = destination.directions();
        lines.push(format!("{directions}\n"));
    }
    print(&lines.concat())
}

/// Starts the thread that does what is due, whether or not anybody comes: it takes members out whose
/// places are kept no longer, drops those for whom too much waits where memory is short, and puts into
/// the log what waits for that; and every `stats` seconds the figures, if they are wanted.
fn start_ticking(relay: &Arc<Relay>, kept: &Arc<KeptPlaces>, stats: Option<u32>) -> io::Result<()> {
    let (relay, kept) = (Arc::clone(relay), Arc::clone(kept));
    let stats = stats.map(|seconds| Duration::from_secs(seconds.into()));
    let keep = move || {
        let mut told = Instant::now();
        loop {
            thread::sleep(TICK);
            kept.sweep(relay.admission.uptime());
            relay.save_memory();
            relay.admission.catch_up();
            if let Some(stats) = stats
                && told.elapsed() >= stats
            {
                told += stats;
                log::info!(target: STATS, "{}", relay.admission.stats.line(relay.census()));
            }
        }
    };
    let builder = thread::Builder::new().name("tick".into());
    builder.spawn(keep).map(drop)
}

fn accept(listener: &Listener, relay: &Arc<Relay>, kept: &Arc<KeptPlaces>) {
    loop {
        let accepted = listener.accept().and_then(|(stream, peer)| {
            let Some(pass) = relay.admission.admit(peer) else {
                return Ok(());
            };
            connection::spawn(Arc::clone(relay), Arc::clone(kept), pass, stream, peer)
        });
        match accepted {
            Ok(()) => {}
            // A client that hung up before it was accepted must not keep the others waiting.
            Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => {}
            Err(error) => {
                relay.admission.report_shortage(&error);
                thread::sleep(ACCEPT_PAUSE);
            }
        }
    }
}
