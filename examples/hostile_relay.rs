//! A relay that misbehaves, to watch the alarms of real clients:
//!
//!     cargo run --example hostile_relay -- --swap-keys --port 4001
//!     e2echat join 127.0.0.1:4001 --nick ada        (and bob, and carol, on other terminals)
//!
//! - `--swap-keys`: everybody is shown keys of the relay's own under the others' nicks. What is
//!   said in the lobby is printed here, once for each reader, and encrypted again: the members
//!   talk, and only the fingerprints are wrong. `/verify` and `/code` show other digits to
//!   everybody; a person who was known before has a changed identity and gets nothing. In a room
//!   made with `--new-room`, nobody is believed.
//! - `--drop-last`: every second message of each member is dropped. Say two lines: with the next
//!   thing that anybody signs, within a minute or when somebody leaves, author and readers are told
//!   that the relay shows them different things.
//! - `--split`: the members in the room are not told who comes, and they see, at once, things from
//!   nobody in the room. They and the one who came last are told that the relay shows them different
//!   things, and where everybody says so to one of them, that one enters anew by itself.
//! - `--forge-leave`: whoever comes is said to have lost the connection again. What it says after
//!   that comes from nobody, and it is told that the others are shown other things.
//! - `--replay-card`: let the third of three leave: the second is shown the card once more, and
//!   believes it for as long as a newcomer is given, but the first is told that the relay shows the
//!   two of them different things.
//! - `--reorder`: the second, fourth, ... member gets messages in pairs, the later one first. Let the
//!   first and the third of three say a line each: all are told with the next thing that the others
//!   sign, and the second enters anew by itself.

#![allow(clippy::print_stdout, reason = "it tells what it does and reads")]
#![allow(unreachable_pub, reason = "the relay is shared with the tests")]

#[path = "../tests/support/hostile.rs"]
mod hostile;

use std::thread;

use hostile::{Attack, HostileRelay};

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let found = Attack::ALL
        .into_iter()
        .find(|(option, _)| arguments.iter().any(|argument| argument == option));
    let port = arguments
        .iter()
        .skip_while(|argument| *argument != "--port")
        .nth(1)
        .map_or(Some(4000), |port| port.parse().ok());
    let (Some((_, attack)), Some(port)) = (found, port) else {
        let options = Attack::ALL.map(|(option, _)| option).join(" | ");
        println!("usage: hostile_relay {options} [--port PORT]\n");
        let help = include_str!("hostile_relay.rs").lines();
        for line in help.map_while(|line| line.strip_prefix("//!")) {
            println!("{}", line.strip_prefix(' ').unwrap_or(line));
        }
        return;
    };
    let print = |text: &str| println!("the relay reads: {text}");
    let address = HostileRelay::start(attack, port, print).expect("the port is free");
    println!("{attack:?} on {address}");
    loop {
        thread::park();
    }
}
