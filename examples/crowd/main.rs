//! Measures the relay under a crowd. This program starts the real `e2echat serve`, with higher
//! limits (but for `attack`); the members speak the wire protocol over the loopback.
//!
//!     cargo build --release --bins --examples
//!     target/release/examples/crowd memory     # 10,000 members that state once, then idle: bytes, threads
//!     target/release/examples/crowd room       # 1000 members of one room: joining, one message
//!     target/release/examples/crowd load       # as many messages as go: deliveries/s, time for each
//!     target/release/examples/crowd peers      # what a delivery costs, beside an ideal loop and NATS
//!     target/release/examples/crowd latency    # 20 messages/s: to the last reader, and without a relay
//!     target/release/examples/crowd attack     # the same, while strangers and members do their worst
//!     target/release/examples/crowd cost       # 200 real clients: idle, and when one more joins
//!     target/release/examples/crowd receipts   # real clients: until all have confirmed a message
//!     target/release/examples/crowd sleepers   # 1000 members asleep: what their places cost
//!     target/release/examples/crowd waking     # a real client wakes: until 5000 lines are shown
//!     target/release/examples/crowd pipe       # 2000 lines piped to two real readers, and a long message
//!
//! Every command has a --help. The relay is the `e2echat` beside this program's folder. The figures
//! of processes come from Linux's /proc. `memory` opens two descriptors a member, one in each
//! process, and a thread in the relay: `ulimit -n` and `ulimit -u` have to allow for that.
//!
//! The members have one identity, and session keys whose private halves nobody has. What they send
//! is random bytes in a well-formed frame: a relay cannot tell, as it has no key to look with. What
//! floods do to those who have to check and open them is measured on real clients.

#![allow(clippy::print_stdout, reason = "it tells what it measured")]
#![allow(unreachable_pub, reason = "an example is not a library")]

mod arithmetic;
mod attack;
mod client;
mod cost;
mod crowd;
mod latency;
mod member;
mod peers;
mod pipe;
mod receipts;
mod relay;
mod siege;
mod sleepers;
mod waking;

use std::path::PathBuf;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use clap::Parser as _;
use nix::sys::resource::{Resource, getrlimit, setrlimit};

use self::crowd::Crowd;
use self::member::Company;
use self::relay::Relay;

/// How long members are idle before their cost is measured.
const SETTLE: Duration = Duration::from_secs(12);

/// Measure the relay under a crowd
#[derive(clap::Parser)]
enum Command {
    /// What idle members cost
    Memory {
        #[arg(long, default_value_t = 10_000)]
        members: usize,
        #[arg(long, default_value_t = 100)]
        rooms: usize,
    },
    /// How long one message takes to all members of a large room, and how long they take to join
    Room {
        #[arg(long, default_value_t = 1000)]
        members: usize,
    },
    /// How much one room passes on, and what processor time it takes
    Load {
        #[arg(long, default_value_t = 100)]
        members: usize,
        #[arg(long, default_value_t = 10)]
        seconds: u64,
        /// How many of the members send
        #[arg(long, default_value_t = 1)]
        senders: usize,
        /// The most messages of each sender that somebody has not read yet
        #[arg(long, default_value_t = 64)]
        window: u64,
    },
    /// What a delivery costs the relay, and others that do the same, in turn
    Peers {
        #[arg(long, value_delimiter = ',', default_values_t = [10, 100, 1000])]
        members: Vec<usize>,
        /// loop (an ideal relay), nats (nats-server), relay, or relay/N, where N threads write
        #[arg(long, value_delimiter = ',', default_values_t = ["loop".to_owned(), "nats".to_owned(), "relay".to_owned()])]
        peers: Vec<String>,
        #[arg(long, default_value_t = 5)]
        rounds: usize,
        /// For how long each is measured in a round
        #[arg(long, default_value_t = 2)]
        seconds: u64,
        /// The most messages that somebody has not read yet
        #[arg(long, default_value_t = 64)]
        window: u64,
    },
    /// How long a message takes to its last reader, with the relay and without
    Latency {
        #[arg(long, default_value_t = 100)]
        members: usize,
        /// Messages a second
        #[arg(long, default_value_t = 20)]
        rate: u32,
        #[arg(long, default_value_t = 15)]
        seconds: u32,
    },
    /// How long a message takes under attack, and without
    Attack {
        #[arg(long, default_value_t = 50)]
        members: usize,
        /// For how long each attack is measured
        #[arg(long, default_value_t = 10)]
        seconds: u32,
        /// Only the attacks with this in their names
        #[arg(long, default_value = "")]
        only: String,
        /// How many members flood those who check and open what they send
        #[arg(long, default_value_t = 10)]
        flooders: usize,
        /// How many do, besides the one that speaks
        #[arg(long, default_value_t = 1)]
        readers: usize,
    },
    /// What real clients cost that say nothing, and what it costs them when one more joins
    Cost {
        #[arg(long, default_value_t = 200)]
        members: usize,
        /// For how long the idle room is measured
        #[arg(long, default_value_t = 60)]
        seconds: u32,
        /// How many join in turn
        #[arg(long, default_value_t = 5)]
        joins: usize,
        /// The program to measure; several are measured over the same time
        #[arg(long)]
        program: Vec<PathBuf>,
    },
    /// How long it takes until all other real clients in a room have confirmed a message
    Receipts {
        #[arg(long, default_values_t = [3, 10])]
        members: Vec<usize>,
        /// How many of the members speak
        #[arg(long, default_value_t = 1)]
        speakers: usize,
        /// How many messages each of them says
        #[arg(long, default_value_t = 20)]
        messages: usize,
        /// The most seconds from one of its messages to the next
        #[arg(long, default_value_t = 6)]
        pause: u64,
    },
    /// What it costs to keep places for members without a connection
    Sleepers {
        #[arg(long, default_value_t = 1000)]
        members: usize,
    },
    /// How long it takes until a real client that wakes shows what was said meanwhile
    Waking {
        /// How many members speak
        #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u16).range(1..))]
        speakers: u16,
        /// How many lines they say in all
        #[arg(long, default_value_t = 5000)]
        lines: usize,
    },
    /// How long it takes to pipe lines to readers, and to open a long message, compared with the arithmetic
    Pipe {
        #[arg(long, default_value_t = 2000)]
        lines: usize,
    },
}

fn main() -> anyhow::Result<()> {
    match Command::parse() {
        Command::Memory { members, rooms } => memory(members, rooms.max(1)),
        Command::Room { members } => room(members),
        Command::Load {
            members,
            seconds,
            senders,
            window,
        } => load(members, Duration::from_secs(seconds), senders, window),
        Command::Peers {
            members,
            peers,
            rounds,
            seconds,
            window,
        } => {
            let seconds = Duration::from_secs(seconds);
            peers::measure(&members, &peers, rounds.max(1), seconds, window.max(1))
        }
        Command::Latency {
            members,
            rate,
            seconds,
        } => latency::measure(members, rate.max(1), seconds),
        Command::Attack {
            members,
            seconds,
            only,
            flooders,
            readers,
        } => {
            attack::measure(members, seconds.max(1), &only)?;
            siege::measure(seconds.max(1), &only, flooders, readers)
        }
        Command::Cost {
            members,
            seconds,
            joins,
            mut program,
        } => {
            if program.is_empty() {
                program.push(relay::program()?);
            }
            cost::measure(program, members, seconds.max(1), joins)
        }
        Command::Receipts {
            members,
            speakers,
            messages,
            pause,
        } => {
            let pause = Duration::from_secs(pause);
            receipts::measure(&members, speakers, messages, pause)
        }
        Command::Sleepers { members } => sleepers::measure(members.max(1)),
        Command::Waking { speakers, lines } => waking::measure(speakers.into(), lines),
        Command::Pipe { lines } => pipe::measure(lines.max(1)),
    }
}

fn memory(members: usize, rooms: usize) -> anyhow::Result<()> {
    allow_descriptors(members)?;
    let company = Company::new();
    let relay = Relay::start(members)?;
    let before = relay.figures()?;
    let mut crowds = Vec::new();
    for number in 0..rooms {
        let share = members * (number + 1) / rooms - members * number / rooms;
        let mut crowd = Crowd::new(&company, &format!("room-{number}"), share)?;
        crowd.enter(&relay)?;
        crowd.settle()?;
        crowd.state()?;
        crowds.push(crowd);
        acknowledge(&mut crowds)?;
    }
    let start = Instant::now();
    while start.elapsed() < SETTLE {
        acknowledge(&mut crowds)?;
        thread::sleep(Duration::from_millis(100));
    }
    let after = relay.figures()?;
    println!("{members} idle members in {rooms} rooms");
    println!("  relay     before      after   per member");
    let per_member = |value: u64| precise(value) / precise(members as u64);
    println!(
        "  resident  {:>6} KiB {:>7} KiB {:>6.2} KiB",
        before.resident_kib,
        after.resident_kib,
        per_member(after.resident_kib.saturating_sub(before.resident_kib)),
    );
    println!(
        "  threads   {:>6} {:>11} {:>9.2}",
        before.threads,
        after.threads,
        per_member(after.threads - before.threads),
    );
    if let (Some(before), Some(after)) = (before.descriptors, after.descriptors) {
        println!(
            "  files     {before:>6} {after:>11} {:>9.2}",
            per_member(after - before),
        );
    }
    Ok(())
}

/// The relay asks members to acknowledge what they have got, and they do so.
fn acknowledge(crowds: &mut [Crowd<'_>]) -> anyhow::Result<()> {
    let mut crowds = crowds.iter_mut();
    crowds.try_for_each(|crowd| crowd.turn(Duration::ZERO))
}

fn room(members: usize) -> anyhow::Result<()> {
    allow_descriptors(members)?;
    let company = Company::new();
    let relay = Relay::start(members)?;
    let mut crowd = Crowd::new(&company, "room", members)?;
    let start = Instant::now();
    crowd.enter(&relay)?;
    crowd.settle()?;
    let joining = start.elapsed();
    let start = Instant::now();
    crowd.say(0)?;
    crowd.read_until_delivered(1)?;
    println!("one room of {members} members, nobody dropped");
    println!("  joining, till all know all  {joining:.2?}");
    println!("  one message to all          {:.2?}", start.elapsed());
    let figures = relay.figures()?;
    println!(
        "  relay: {} KiB resident, {:.2?} of processor time in all",
        figures.resident_kib, figures.processor,
    );
    Ok(())
}

fn load(members: usize, time: Duration, senders: usize, window: u64) -> anyhow::Result<()> {
    allow_descriptors(members)?;
    let senders = senders.clamp(1, members);
    let company = Company::new();
    let relay = Relay::start(members)?;
    let mut crowd = Crowd::new(&company, "room", members)?;
    crowd.enter(&relay)?;
    crowd.settle()?;
    let (before, start) = (relay.figures()?, Instant::now());
    let mut said = 0;
    while start.elapsed() < time {
        let all_read = crowd.least_delivered() / senders as u64;
        while said < all_read + window && crowd.has_written() {
            for sender in 0..senders {
                crowd.say(sender)?;
            }
            said += 1;
        }
        crowd.turn(Duration::from_millis(100))?;
    }
    let (after, elapsed) = (relay.figures()?, start.elapsed());
    let deliveries = crowd.delivered();
    crowd.read_until_delivered(said * senders as u64)?;
    let processor = after.processor.saturating_sub(before.processor);
    println!("{senders} of {members} members send, for {elapsed:.2?}; nobody dropped");
    println!(
        "  deliveries                  {:.0}/s",
        precise(deliveries) / elapsed.as_secs_f64(),
    );
    println!(
        "  relay's processor time      {processor:.2?}, {:.0} % of one core",
        100.0 * processor.as_secs_f64() / elapsed.as_secs_f64(),
    );
    println!(
        "  processor time a delivery   {:.2} µs",
        1e6 * processor.as_secs_f64() / precise(deliveries),
    );
    println!("  resident                    {} KiB", after.resident_kib);
    Ok(())
}

#[allow(
    clippy::cast_precision_loss,
    reason = "nobody reads that many digits of a measurement"
)]
fn precise(count: u64) -> f64 {
    count as f64
}

/// Raises the limit on open files as far as it is needed, for this process and the relay that it
/// starts.
fn allow_descriptors(members: usize) -> anyhow::Result<()> {
    // `latency` opens a second one for each member; a few are for what else is open.
    let needed = 2 * members as u64 + 64;
    let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE)?;
    if soft < needed {
        let wanted = needed.min(hard);
        setrlimit(Resource::RLIMIT_NOFILE, wanted, hard)
            .context("the limit on open files cannot be raised")?;
    }
    Ok(())
}
