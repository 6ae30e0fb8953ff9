#!/usr/bin/env bash
# One Rust program gives some errors other words when it is built for musl, on the same Linux.
#
# One would guess that the text of a std::io::Error belongs to Rust, or to the kernel: the number (os error 98) is the kernel's.
# What happens: it is the C library's, and the program carries that within it. A port that is taken is `Address already in
# use` with glibc, `Address in use` with musl; of ten errors that a server meets, five differ.
# Why it matters: what people search for, what scripts look for in a log and what tests expect depends on which of two files
# of one release was taken.
set -euo pipefail
source "$(dirname "$0")/lib/prologue.sh"
machine=$(uname -m)
rustup target add "$machine-unknown-linux-musl" 2>/dev/null || { echo 'needs the standard library for musl'; exit 77; }
cat > words.rs <<'RUST'
fn main() {
    // EACCES, EMFILE, ENOSPC, EPIPE, EADDRINUSE, EADDRNOTAVAIL, ECONNRESET, ETIMEDOUT, ECONNREFUSED, EHOSTUNREACH
    for number in [13, 24, 28, 32, 98, 99, 104, 110, 111, 113] {
        println!("{}", std::io::Error::from_raw_os_error(number));
    }
}
RUST
rustc --version
for libc in gnu musl; do
    rustc --target "$machine-unknown-linux-$libc" -o "$libc" words.rs
    "./$libc" > "$libc.txt"
done
paste -d '|' gnu.txt musl.txt | sed 's/|/   |   /'
differ=$(paste -d '|' gnu.txt musl.txt | awk -F '|' '$1 != $2' | wc -l)
echo "$differ of $(wc -l < gnu.txt) differ"
[[ $differ == 5 ]] && grep -q '^Address already in use' gnu.txt && grep -q '^Address in use' musl.txt
