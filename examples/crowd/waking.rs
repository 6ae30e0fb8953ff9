//! How long it takes until somebody who was asleep has everything on the screen that was said meanwhile,
//! compared with the arithmetic in it; and whether the program answers the keyboard while that comes.

use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use e2echat::room::names::Nick;
use nix::sys::signal::{Signal, kill};

use super::arithmetic::Sample;
use super::client::Client;
use super::latency::quantiles;
use super::relay::{Relay, figures, program};

const ROOM: &str = "room";

/// How long the sleeper is there at first. Its place is kept for so long: until it is called asleep, which
/// takes a minute, and all is said.
const STAY: Duration = Duration::from_mins(4);

/// How long anything may take before it is taken for a failure.
const PATIENCE: Duration = Duration::from_mins(5);

/// How often a command is typed while lines come.
const TYPING: Duration = Duration::from_millis(250);

/// Has these speakers say so many lines in all to somebody who is asleep, and then wakes the sleeper.
pub fn measure(speakers: usize, lines: usize) -> anyhow::Result<()> {
    let program = program()?;
    let relay = Relay::for_sleepers(&program)?;
    let join = |nick: &str, options: &[&str]| -> anyhow::Result<Client> {
        let nick: Nick = nick.parse()?;
        let mut client = Client::start(&program, relay.address, &nick, ROOM, options)?;
        client.wait_until_in()?;
        Ok(client)
    };
    // Without a terminal, a command is one with this option alone.
    let mut sleeper = join("sleeper", &["--json"])?;
    let mut talkers = (0..speakers)
        .map(|number| join(&format!("m-{number}"), &[]))
        .collect::<anyhow::Result<Vec<_>>>()?;
    thread::sleep(STAY);
    kill(sleeper.pid()?, Signal::SIGSTOP)?;
    for talker in &mut talkers {
        let told = talker.wait_for(PATIENCE, |line| {
            line.starts_with("* sleeper is not connected since ")
        })?;
        told.context("nobody is told that somebody is asleep")?;
    }
    let each = lines / speakers.max(1);
    let lines = each * speakers;
    say_all(&mut talkers, each)?;
    let (start, before) = (Instant::now(), sleeper.figures()?.processor);
    kill(sleeper.pid()?, Signal::SIGCONT)?;
    let (last, answers) = wake(&mut sleeper, start, lines)?;
    let processor = sleeper.figures()?.processor.saturating_sub(before);
    let own = || figures(std::process::id());
    let (start, before) = (Instant::now(), own()?.processor);
    check_and_open(lines)?;
    let arithmetic = (start.elapsed(), own()?.processor.saturating_sub(before));
    println!("{lines} lines by {speakers} members, said to somebody who was asleep");
    println!("                                              time  processor");
    println!("  from waking to the last line             {last:>7.2?}  {processor:>9.2?}");
    println!(
        "  to verify and decrypt as many, in turn   {:>7.2?}  {:>9.2?}",
        arithmetic.0, arithmetic.1
    );
    println!(
        "  ratio                                    {:>7.2}  {:>9.2}",
        last.div_duration_f64(arithmetic.0),
        processor.div_duration_f64(arithmetic.1),
    );
    let count = answers.len();
    let slowest = answers.iter().max().copied().unwrap_or_default();
    let [median, p99] = quantiles(answers);
    println!(
        "  answers to {count} commands meanwhile: median {median:.2?}, p99 {p99:.2?}, slowest {slowest:.2?}"
    );
    Ok(())
}

/// Has each say so many lines, and waits until all have all of them.
fn say_all(talkers: &mut [Client], each: usize) -> anyhow::Result<()> {
    let all = each * talkers.len();
    thread::scope(|scope| {
        let talking: Vec<_> = talkers
            .iter_mut()
            .map(|talker| {
                scope.spawn(move || -> anyhow::Result<()> {
                    for number in 0..each {
                        talker.say(&format!("line {number}"))?;
                    }
                    let deadline = Instant::now() + PATIENCE;
                    let mut come = 0;
                    while come < all {
                        let next = talker.next_line(deadline)?;
                        let (_, line) = next.context("a line does not come")?;
                        ensure!(!line.starts_with("! "), "{line}");
                        come += usize::from(line.contains("> line "));
                    }
                    Ok(())
                })
            })
            .collect();
        let mut ended = talking.into_iter().map(thread::ScopedJoinHandle::join);
        ended.try_for_each(|ended| ended.expect("nobody panics"))
    })
}

/// Reads what comes to somebody who wakes. Returns how long it took from `start` to the last line, and how
/// long each command waited for its answer.
fn wake(
    sleeper: &mut Client,
    start: Instant,
    lines: usize,
) -> anyhow::Result<(Duration, Vec<Duration>)> {
    let mut answers = Vec::new();
    // When the command was typed that has no answer, and when the next one is.
    let (mut asked, mut next): (Option<Instant>, _) = (None, start);
    let (mut come, mut last, mut other) = (0, start, String::new());
    while come < lines {
        ensure!(
            start.elapsed() < PATIENCE,
            "{come} of {lines} lines came, and then: {other}"
        );
        if asked.is_none() && next <= Instant::now() {
            sleeper.say(r#"{"type":"command","text":"/whois nobody"}"#)?;
            asked = Some(Instant::now());
        }
        let Some((at, line)) = sleeper.next_line(Instant::now() + TYPING / 10)? else {
            continue;
        };
        if line.contains("\"text\":\"line ") {
            come += 1;
            last = at;
        } else if line.contains("nobody here is called nobody")
            && let Some(asked) = asked.take()
        {
            answers.push(at.saturating_duration_since(asked));
            next = at + TYPING;
        } else {
            other = line;
        }
    }
    Ok((last.saturating_duration_since(start), answers))
}

/// Checks the signatures of so many lines, and opens them.
fn check_and_open(lines: usize) -> anyhow::Result<()> {
    let sample = Sample::new("line 1000")?;
    (0..lines).try_for_each(|_| sample.read())
}
