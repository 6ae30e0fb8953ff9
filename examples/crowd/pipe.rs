//! How long it takes to pipe lines into a room until its readers have shown them, compared with the
//! arithmetic in them; and how long a long message takes to open.

use std::net::SocketAddr;
use std::num::NonZero;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeValLike as _;

use super::arithmetic::Sample;
use super::client::Client;
use super::latency::quantiles;
use super::relay::{Relay, figures, program};

const ROOM: &str = "room";

const READERS: usize = 2;

/// How long all may take before it is taken for a failure.
const PATIENCE: Duration = Duration::from_mins(10);

/// The longest text that fits into 20 blocks of a key of 2048 bits, with what is sealed beside it.
const LONG: usize = 20 * 190 - 17;

/// How often each message is opened, to measure how long that takes.
const TIMES: usize = 40;

/// Pipes so many lines into a room of a relay without limits.
pub fn measure(lines: usize) -> anyhow::Result<()> {
    let cores = thread::available_parallelism().map_or(1, NonZero::get);
    let relay = Relay::start(2 * (READERS + 1))?;
    let mut readers = (1..=READERS)
        .map(|number| Client::join(relay.address, &format!("r-{number}").parse()?, ROOM))
        .collect::<anyhow::Result<Vec<_>>>()?;
    let all = |readers: &[Client]| -> anyhow::Result<Duration> {
        let readers = readers.iter().map(Client::figures);
        let used = readers.chain([relay.figures()]);
        used.map(|figures| Ok(figures?.processor)).sum()
    };
    let before = all(&readers)?;
    let (took, speaker) = pipe(relay.address, &mut readers, lines)?;
    let used = (all(&readers)? + speaker).saturating_sub(before);
    let own = || figures(std::process::id());
    let (start, before) = (Instant::now(), own()?.processor);
    do_arithmetic(lines, cores)?;
    let arithmetic = start.elapsed();
    let needed = own()?.processor.saturating_sub(before);
    println!("{lines} lines piped into a room, {READERS} readers, {cores} cores");
    println!("                                                      time  processor");
    println!("  until all are shown, and the program has ended  {took:>8.2?}  {used:>9.2?}");
    println!(
        "  the arithmetic of all three, on all cores       {arithmetic:>8.2?}  {needed:>9.2?}"
    );
    println!(
        "  ratio                                           {:>8.2}  {:>9.2}",
        took.div_duration_f64(arithmetic),
        used.div_duration_f64(needed),
    );
    let [short, long] = [1, LONG].map(|length| time_to_open(&"x".repeat(length)));
    let (short, long) = (short?, long?);
    let turns = 1 + 19_usize.div_ceil(cores);
    println!("a message of 20 blocks, of which one is opened first");
    println!("  to open it                                      {long:>8.2?}");
    println!("  to open one block                               {short:>8.2?}");
    println!(
        "  ratio, for {turns:2} turns                             {:>8.2}",
        long.div_duration_f64(short * turns.try_into()?)
    );
    Ok(())
}

/// Has a client say so many lines that stand in its input at once, and end. Returns how long it took until
/// it had, and all readers had shown all; and the client's processor time.
fn pipe(
    relay: SocketAddr,
    readers: &mut [Client],
    lines: usize,
) -> anyhow::Result<(Duration, Duration)> {
    let (start, before) = (Instant::now(), time_of_children()?);
    let mut speaker = Client::start(&program()?, relay, &"speaker".parse()?, ROOM, &[])?;
    for number in 1..=lines {
        speaker.say(&number.to_string())?;
    }
    speaker.end()?;
    let mut last = Instant::now();
    let used = time_of_children()?.saturating_sub(before);
    let end = format!("<speaker> {lines}");
    for reader in readers {
        let shown = reader.wait_for(PATIENCE, |line| line.ends_with(&end))?;
        last = last.max(shown.context("a line does not come")?);
    }
    Ok((last - start, used))
}

/// The processor time of all processes that this one has started and that have ended.
fn time_of_children() -> anyhow::Result<Duration> {
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN)?;
    let used = usage.user_time() + usage.system_time();
    Ok(Duration::from_micros(used.num_microseconds().try_into()?))
}

/// Does what the three do for so many lines that takes long, on all cores: each is signed once, and sealed and
/// opened for each reader.
fn do_arithmetic(lines: usize, cores: usize) -> anyhow::Result<()> {
    let sample = Sample::new("1000")?;
    let work = |share: usize| -> anyhow::Result<()> {
        for _ in 0..share {
            sample.write(READERS)?;
            (0..READERS).try_for_each(|_| sample.read())?;
        }
        Ok(())
    };
    thread::scope(|scope| {
        let share = |core| lines * (core + 1) / cores - lines * core / cores;
        let threads: Vec<_> = (0..cores)
            .map(|core| scope.spawn(move || work(share(core))))
            .collect();
        let mut ended = threads.into_iter().map(thread::ScopedJoinHandle::join);
        ended.try_for_each(|ended| ended.expect("nobody panics"))
    })
}

/// The median time that it takes to open a message.
fn time_to_open(text: &str) -> anyhow::Result<Duration> {
    let sample = Sample::new(text)?;
    let times = (0..TIMES).map(|_| {
        let start = Instant::now();
        sample.open()?;
        Ok(start.elapsed())
    });
    let [median, _] = quantiles(times.collect::<anyhow::Result<_>>()?);
    Ok(median)
}
