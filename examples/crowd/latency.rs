//! How long a message takes to its last reader; and how long the same bytes take over as many
//! connections through a plain loop of writes, which is the best that a relay can come near to.

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use e2echat::room::card::SessionId;

use super::allow_descriptors;
use super::crowd::Crowd;
use super::member::{Company, Member};
use super::relay::Relay;

/// How many exchanges come before those that are measured: buffers and caches find their size in
/// them.
const WARM_UP: u32 = 20;

/// Measures both in turn, so that what else the machine does meets both alike.
pub fn measure(members: usize, rate: u32, seconds: u32) -> anyhow::Result<()> {
    allow_descriptors(2 * members)?;
    let company = Company::new();
    let relay = Relay::start(members)?;
    let mut crowd = Crowd::new(&company, "room", members)?;
    crowd.enter(&relay)?;
    crowd.settle()?;
    let question = crowd.message(0).len();
    let mut plain = plain_crowd(&company, &crowd, members, question)?;

    let pause = Duration::from_secs(1) / rate / 2;
    let (mut with, mut without) = (Vec::new(), Vec::new());
    for number in 1..=u64::from(WARM_UP + rate * seconds) {
        for (crowd, times) in [(&mut crowd, &mut with), (&mut plain, &mut without)] {
            let message = crowd.message(0);
            thread::sleep(pause);
            let start = Instant::now();
            crowd.write(0, &message)?;
            crowd.read_until_delivered(number)?;
            times.push(start.elapsed());
        }
    }
    println!("{members} members, {rate} messages/s: from writing to the last reader");
    println!("                    median        p99");
    let after_warm_up = |mut times: Vec<Duration>| times.split_off(WARM_UP as usize);
    let [relay, relay_99] = quantiles(after_warm_up(with));
    let [plain, plain_99] = quantiles(after_warm_up(without));
    println!("  relay         {relay:>10.2?} {relay_99:>10.2?}");
    println!("  plain writes  {plain:>10.2?} {plain_99:>10.2?}");
    println!(
        "  ratio         {:>10.2} {:>10.2}",
        relay.div_duration_f64(plain),
        relay_99.div_duration_f64(plain_99),
    );
    Ok(())
}

/// As many connections as `crowd` has, to a thread that answers whatever has the length of its
/// messages with what its relay delivers.
fn plain_crowd<'a>(
    company: &'a Company,
    crowd: &Crowd<'_>,
    members: usize,
    question: usize,
) -> anyhow::Result<Crowd<'a>> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let address = listener.local_addr()?;
    let (mut near, mut far) = (Vec::new(), Vec::new());
    for _ in 0..members {
        // Nobody asks who these members are.
        near.push(Member::new(
            TcpStream::connect(address)?,
            SessionId([0; 32]),
        )?);
        let (stream, _) = listener.accept()?;
        stream.set_nodelay(true)?;
        far.push(stream);
    }
    let answer = crowd.delivery(0);
    thread::spawn(move || answer_all(&far, question, &answer));
    Ok(Crowd::of(company, crowd.room(), near))
}

/// Writes `answer` to all for every `question` bytes that come from the first, until that hangs up.
fn answer_all(streams: &[TcpStream], question: usize, answer: &[u8]) -> std::io::Result<()> {
    let mut read = vec![0; question];
    loop {
        for mut first in streams.iter().take(1) {
            first.read_exact(&mut read)?;
        }
        for mut stream in streams {
            stream.write_all(answer)?;
        }
    }
}

/// The median and the 99th percentile.
pub fn quantiles(mut times: Vec<Duration>) -> [Duration; 2] {
    times.sort_unstable();
    let last = times.len().saturating_sub(1);
    let quantile = |percent: usize| times.get(last * percent / 100).copied();
    [50, 99].map(|percent| quantile(percent).unwrap_or_default())
}
