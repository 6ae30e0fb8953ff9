//! The fuzz targets as ordinary tests: over the corpus that is kept in `fuzz/corpus`, and over
//! mutations of it. What they begin with is random and told when one fails; to have the same again:
//!
//!     E2ECHAT_SEED=1234 cargo test --test fuzz
//!
//! `E2ECHAT_RUNS=1000` tries a thousand times as much.

#![allow(clippy::indexing_slicing, reason = "a test may panic")]
#![allow(clippy::print_stdout, reason = "it tells what has failed")]

mod targets;

use std::fmt::Write as _;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::Path;

use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};

/// Numbers at which arithmetic goes wrong.
const ENDS: [u64; 6] = [0, 1, u64::MAX, u64::MAX - 1, 1 << 63, 1 << 31];
/// The longest input that is made.
const MAX_INPUT: usize = 4096;

fn setting(name: &str) -> Option<u64> {
    let value = std::env::var(name).ok()?;
    Some(value.parse().expect("a number"))
}

/// What is kept of what was found, and an input that is nothing.
fn corpus(name: &str) -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus");
    let mut paths: Vec<_> = match folder.join(name).read_dir() {
        Ok(files) => files.map(|file| file.expect("a file").path()).collect(),
        // A package has none.
        Err(_) => Vec::new(),
    };
    paths.sort();
    let files = paths
        .iter()
        .map(|path| std::fs::read(path).expect("a file"));
    files.chain([Vec::new()]).collect()
}

fn mutate(rng: &mut StdRng, input: &mut Vec<u8>, other: &[u8]) {
    let at = rng.random_range(0..=input.len());
    let end = (at + rng.random_range(0..=16)).min(input.len());
    match rng.random_range(0..7) {
        0 => {
            if let Some(byte) = input.get_mut(at) {
                *byte ^= 1 << rng.random_range(0..8);
            }
        }
        1 => {
            input.splice(at..end, []);
        }
        2 => {
            let some: Vec<u8> = (0..end - at).map(|_| rng.random()).collect();
            input.splice(at..end, some);
        }
        3 => {
            let some: Vec<u8> = (0..rng.random_range(1..=32))
                .map(|_| rng.random())
                .collect();
            input.splice(at..at, some);
        }
        4 => {
            let number = ENDS[rng.random_range(0..ENDS.len())].to_be_bytes();
            let number = &number[..1 << rng.random_range(0..4)];
            let end = (at + number.len()).min(input.len());
            input.splice(at..end, number.to_vec());
        }
        5 => {
            let some = input[at..end].to_vec();
            input.splice(at..at, some);
        }
        _ => {
            let from = rng.random_range(0..=other.len());
            input.splice(at.., other[from..].to_vec());
        }
    }
    input.truncate(MAX_INPUT);
}

/// Runs a target over its corpus, and over so many mutations of it.
#[track_caller]
fn run(name: &str, target: fn(&[u8]), runs: u64) {
    let seed = setting("E2ECHAT_SEED").unwrap_or_else(rand::random);
    let runs = runs * setting("E2ECHAT_RUNS").unwrap_or(1);
    let mut rng = StdRng::seed_from_u64(seed);
    let corpus = corpus(name);
    for input in &corpus {
        attempt(name, target, input, seed);
    }
    for _ in 0..runs {
        let mut input = corpus[rng.random_range(0..corpus.len())].clone();
        let other = &corpus[rng.random_range(0..corpus.len())];
        for _ in 0..rng.random_range(1..=8) {
            mutate(&mut rng, &mut input, other);
        }
        attempt(name, target, &input, seed);
    }
}

#[track_caller]
fn attempt(name: &str, target: fn(&[u8]), input: &[u8], seed: u64) {
    if let Err(panic) = catch_unwind(AssertUnwindSafe(|| target(input))) {
        let mut hex = String::new();
        for byte in input {
            write!(hex, "{byte:02x}").expect("a string takes everything");
        }
        println!("{name}: E2ECHAT_SEED={seed}, input {hex}");
        resume_unwind(panic);
    }
}

macro_rules! targets {
    ($($name:ident: $runs:expr,)*) => {
        $(#[test]
        fn $name() {
            run(stringify!($name), targets::$name, $runs);
        })*
    };
}

targets! {
    allow: 2000,
    card: 2000,
    commands: 4000,
    frame: 4000,
    content: 4000,
    header: 4000,
    key_file: 500,
    known_people: 2000,
    relay: 500,
    session: 25,
    statement: 4000,
    text: 4000,
}
