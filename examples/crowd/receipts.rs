//! How long it takes until all readers of a message have confirmed it, from when its author was told that
//! the relay has it.

use std::collections::HashMap;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use e2echat::room::names::Nick;
use rand::RngExt as _;
use serde_json::{Value, json};

use super::client::Client;
use super::latency::quantiles;
use super::relay::{Relay, program};

const ROOM: &str = "room";

/// How long a receipt may take at most.
const PATIENCE: Duration = Duration::from_mins(2);

/// Measures one room after the other, each with a relay of its own.
pub fn measure(
    rooms: &[usize],
    speakers: usize,
    messages: usize,
    pause: Duration,
) -> anyhow::Result<()> {
    println!("from `ack` to `confirmed`, for messages at random pauses of {pause:.0?} at most");
    println!("members  speakers  messages  median  slowest");
    for members in rooms {
        let speakers = speakers.clamp(1, *members);
        let times = measure_room(*members, speakers, messages, pause)?;
        let (count, slowest) = (times.len(), times.iter().max().copied());
        let [median, _] = quantiles(times);
        println!(
            "{members:>7}  {speakers:>8}  {count:>8}  {median:>6.2?}  {:>7.2?}",
            slowest.unwrap_or_default(),
        );
    }
    Ok(())
}

fn measure_room(
    members: usize,
    speakers: usize,
    messages: usize,
    pause: Duration,
) -> anyhow::Result<Vec<Duration>> {
    let program = program()?;
    let relay = Relay::for_clients(&program, members)?;
    let mut clients = Vec::new();
    for number in 0..members {
        let nick: Nick = format!("m-{number}").parse()?;
        let mut client = Client::start(&program, relay.address, &nick, ROOM, &["--json"])?;
        client.wait_until_in()?;
        clients.push(client);
    }
    // Nothing is measured before everybody has seen that everybody is there.
    for client in clients.iter_mut().take(speakers) {
        say(client, "first")?;
        receipts(client, members, 1)?;
    }
    let times = thread::scope(|scope| {
        let speaking = clients.iter_mut().take(speakers);
        let speaking: Vec<_> = speaking
            .map(|client| scope.spawn(|| speak(client, members, messages, pause)))
            .collect();
        speaking
            .into_iter()
            .map(|speaking| speaking.join().expect("nobody panics"))
            .collect::<anyhow::Result<Vec<_>>>()
    })?;
    Ok(times.concat())
}

/// Has a client say so many messages. Returns how long each took.
fn speak(
    client: &mut Client,
    members: usize,
    messages: usize,
    pause: Duration,
) -> anyhow::Result<Vec<Duration>> {
    for number in 0..messages {
        thread::sleep(rand::rng().random_range(Duration::ZERO..=pause));
        say(client, &number.to_string())?;
    }
    receipts(client, members, messages)
}

fn say(client: &mut Client, id: &str) -> anyhow::Result<()> {
    let request = json!({"type": "say", "text": "hello", "id": id});
    client.say(&request.to_string())
}

/// Waits until so many messages are confirmed. Returns how long each took.
fn receipts(client: &mut Client, members: usize, messages: usize) -> anyhow::Result<Vec<Duration>> {
    let (mut taken, mut times) = (HashMap::new(), Vec::new());
    let deadline = Instant::now() + PATIENCE;
    while times.len() < messages {
        let line = client.next_line(deadline)?;
        let (at, line) = line.context("a message is not confirmed")?;
        let event: Value = serde_json::from_str(&line)?;
        let text = |name: &str| event.get(name).and_then(Value::as_str);
        let id = text("id").unwrap_or_default().to_owned();
        match text("type") {
            Some("ack") => {
                let readers = event.get("readers").and_then(Value::as_u64);
                let is_for_all = readers == Some(members as u64 - 1);
                ensure!(is_for_all, "not for everybody: {line}");
                taken.insert(id, at);
            }
            Some("confirmed") => {
                let taken = taken.get(&id).context("confirmed, and not taken")?;
                times.push(at - *taken);
            }
            Some("alarm" | "error") => anyhow::bail!("{line}"),
            _ => {}
        }
    }
    Ok(times)
}
