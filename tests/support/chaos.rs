//! What those tests share in which people talk while connections break and relays die.

use std::time::SystemTime;

/// So that nothing but the network holds anybody up.
pub const GENEROUS: [&str; 8] = [
    "--max-blocks",
    "0",
    "--max-bytes",
    "0",
    "--joins-per-minute",
    "1000000",
    "--max-per-address",
    "1000",
];

/// The seed of this run, which is shown if it fails.
#[allow(clippy::print_stdout, reason = "whoever repeats a run needs its seed")]
pub fn seed() -> u64 {
    let given = std::env::var("E2ECHAT_SEED").ok();
    let seed = given.map_or_else(
        || {
            let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
            now.expect("it is after 1970").as_secs()
        },
        |given| given.parse().expect("a seed is a number"),
    );
    println!("E2ECHAT_SEED={seed}");
    seed
}

/// Of whom how many messages came meanwhile, as a text says it.
#[track_caller]
pub fn meanwhile(text: &str) -> Vec<(usize, String)> {
    let (_, counts) = text
        .split_once(" sent meanwhile, up to ")
        .expect("for how long, and then of whom");
    let (counts, _) = counts.split_once(": ask for").expect("the counts");
    let counts = counts.replace(" and ", ", ");
    let of = |count: &str| {
        let words: Vec<&str> = count.split(' ').collect();
        let [count, "message" | "messages", "from", nick] = words[..] else {
            panic!("{text}");
        };
        (count.parse().expect("a number"), nick.to_owned())
    };
    counts.split(", ").map(of).collect()
}
