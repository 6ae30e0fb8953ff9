//! What it costs the relay to keep places for members without a connection (PROTOCOL §8, "Sleep").
//!
//! The members were connected all at once. Of the threads that they had, glibc keeps the stacks for
//! threads to come, 40 MiB at most. With `GLIBC_TUNABLES=glibc.pthread.stack_cache_size=0` it keeps none.

use std::thread;
use std::time::{Duration, Instant};

use super::crowd::Crowd;
use super::member::Company;
use super::relay::Relay;
use super::{allow_descriptors, precise};

/// Whoever was there for longer than a minute sleeps for longer than a minute, and is called asleep then.
const STAY: Duration = Duration::from_secs(75);
const SLEEP: Duration = Duration::from_secs(66);

/// Measures so many, of whom each is the only one in a room of its own: so nothing of others waits.
pub fn measure(members: usize) -> anyhow::Result<()> {
    allow_descriptors(members)?;
    let company = Company::new();
    let relay = Relay::start(members)?;
    let before = relay.figures()?.resident_kib;
    let mut crowds = Vec::new();
    for number in 0..members {
        let mut crowd = Crowd::new(&company, &format!("room-{number}"), 1)?;
        crowd.enter(&relay)?;
        crowds.push(crowd);
    }
    let start = Instant::now();
    while start.elapsed() < STAY {
        for crowd in &mut crowds {
            crowd.turn(Duration::ZERO)?;
        }
        thread::sleep(Duration::from_millis(100));
    }
    let connected = relay.figures()?;
    drop(crowds);
    thread::sleep(SLEEP);
    let asleep = relay.figures()?;
    println!("{members} members, each in a room of its own");
    println!("                    resident  per member   threads");
    println!("  before          {before:>8} KiB");
    let members = precise(members as u64);
    for (name, figures) in [("connected", connected), ("asleep", asleep)] {
        let resident = figures.resident_kib;
        println!(
            "  {name:15} {resident:>8} KiB  {:>5.2} KiB  {:>8}",
            precise(resident.saturating_sub(before)) / members,
            figures.threads,
        );
    }
    Ok(())
}
