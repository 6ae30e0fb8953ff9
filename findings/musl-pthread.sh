#!/usr/bin/env bash
# On musl, Rust's standard library has a number for a thread's id where the crate libc, and so nix, has a pointer.
#
# One would guess that `JoinHandle::as_pthread_t()` can be handed to `pthread_kill` of nix wherever both exist: std's own page
# calls it the raw `pthread_t`, and on Linux with glibc, and on macOS, it is the same type.
# What happens: for *-linux-musl it does not compile. std has one type for all of Linux, an unsigned long; libc has what
# musl's header says. Both have the same width, and a cast is right.
# Why it matters: no test on glibc shows it, and the error names neither musl nor the standard library.
set -euo pipefail
source "$(dirname "$0")/lib/prologue.sh"
target=$(uname -m)-unknown-linux-musl
rustup target add "$target" 2>/dev/null || { echo "needs the standard library for $target"; exit 77; }
cargo init --quiet --lib --name thread --vcs none
cargo add --quiet nix@=0.32.0 --features pthread,signal
cargo add --quiet libc@=0.2.191
rustc --version

# The last line of the function is what is tried.
builds() {
    cat > src/lib.rs <<RUST
use std::os::unix::thread::JoinHandleExt;

pub fn interrupt(thread: &std::thread::JoinHandle<()>) {
    let id = thread.as_pthread_t()$2;
    let _ = nix::sys::pthread::pthread_kill(id, nix::sys::signal::Signal::SIGINT);
}
RUST
    if cargo check --quiet --target "$1" 2> said; then echo yes; else grep -m 1 -o 'expected .*' said; fi
}
try() { check "$1, as_pthread_t()$2" "$(builds "$1" "$2")" "$3"; }
try "${target/musl/gnu}" '' yes
try "$target" '' 'expected `*mut c_void`, found `u64`'
try "$target" ' as nix::sys::pthread::Pthread' yes
try "${target/musl/gnu}" ' as nix::sys::pthread::Pthread' yes
exit "$same"
