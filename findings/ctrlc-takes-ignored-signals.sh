#!/usr/bin/env bash
# One would guess: a library that handles "the signals that ask a program to end" leaves alone what the
# program was started to ignore, as POSIX shells, nohup(1) and most daemons count on.
# What happens: ctrlc 3.5.3 with the feature `termination` installs its handler for SIGINT, SIGTERM and
# SIGHUP without a look at what they were: under nohup a hang-up calls the handler. `try_set_handler`
# looks, but then installs none: with SIGHUP ignored, SIGTERM ends the program with no handler called.
# Why it matters: a server under `nohup server &` ends with its terminal, and neither call can be told to
# take the others alone.
set -euo pipefail
source "$(dirname "$0")/lib/prologue.sh"
mkdir src
cat >Cargo.toml <<'TOML'
[package]
name = "probe"
version = "0.0.0"
edition = "2021"
[dependencies]
ctrlc = { version = "=3.5.3", features = ["termination"] }
TOML
cat >src/main.rs <<'RUST'
fn main() {
    let act = || {
        println!("handler called");
        std::process::exit(0);
    };
    let set = match std::env::args().nth(1).as_deref() {
        Some("try") => ctrlc::try_set_handler(act),
        _ => ctrlc::set_handler(act),
    };
    println!("handler set: {}", set.is_ok());
    std::thread::sleep(std::time::Duration::from_secs(20));
}
RUST
cargo build --quiet
echo "ctrlc $(sed -n '/^name = "ctrlc"/{n;s/version = //p}' Cargo.lock)"

# Starts the probe with SIGHUP ignored, sends it a signal once it is ready, and shows what it said and
# how it ended.
probe() {
    (trap '' HUP; exec target/debug/probe "$1" >said) &
    local pid=$! status=0
    until grep -q set said 2>/dev/null; do sleep 0.05; done
    kill -"$2" "$pid"
    wait "$pid" || status=$?
    echo "$(paste -sd ';' said); exit status $status"
    rm said
}

echo "guess for SIGHUP, ignored at the start: the handler is not called"
hup=$(probe set HUP)
echo "seen: $hup"
echo "guess for try_set_handler and SIGTERM, which is not ignored: the handler is called"
term=$(probe try TERM 2>/dev/null)
echo "seen: $term"
[ "$hup" = "handler set: true;handler called; exit status 0" ]
[ "$term" = "handler set: false; exit status 143" ]
