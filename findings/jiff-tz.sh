#!/usr/bin/env bash
# jiff 1.0.2 does not take three forms of TZ that the C library and `date` take.
#
# One would guess that a program in Rust shows the local time wherever `date` does, as TZ is one variable with one
# meaning (POSIX.1, chapter 8).
# What happens: `CET-1CEST`, which leaves it to the system when summer time begins, and names below `posix/` and `right/`,
# which are files in /usr/share/zoneinfo, are errors for jiff. Where a program asks it for the system's zone without looking
# at the error, it gets UTC.
# Why it matters: with such a TZ all times of a program are hours off, and nothing but a log says so.
set -euo pipefail
source "$(dirname "$0")/lib/prologue.sh"
[[ -e /usr/share/zoneinfo/posix/Europe/Berlin && -e /usr/share/zoneinfo/right/Europe/Berlin ]] ||
    { echo 'needs tzdata with its folders posix and right'; exit 77; }
cargo init --quiet --name zone --vcs none
cargo add --quiet jiff@=1.0.2
cat > src/main.rs <<'RUST'
fn main() {
    let time = jiff::Timestamp::from_second(1_784_000_000).unwrap();
    let show = |zone| time.to_zoned_datetime(zone).strftime("%H:%M").to_string();
    let asked = match jiff::tz::TimeZone::try_system() {
        Ok(zone) => show(zone),
        Err(_) => "error".to_owned(),
    };
    println!("{asked} {}", show(jiff::tz::TimeZone::system()));
}
RUST
cargo build --quiet
echo "jiff 1.0.2, $(date --version | head -n 1), $(ldd --version | head -n 1)"

times() {
    check "TZ=$1 date, jiff, jiff without a look at the error" \
        "$(TZ=$1 date -d @1784000000 +%H:%M) $(TZ=$1 target/debug/zone)" "$2"
}
times Europe/Berlin '05:33 05:33 05:33'
times CET-1CEST,M3.5.0,M10.5.0/3 '05:33 05:33 05:33'
times CET-1CEST '05:33 error 03:33'
times posix/Europe/Berlin '05:33 error 03:33'
# 27 leap seconds earlier than the others.
times right/Europe/Berlin '05:32 error 03:33'
exit "$same"
