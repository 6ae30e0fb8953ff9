#!/usr/bin/env bash
# Python's package rsa makes every key of primes that differ in length by an eighth of the modulus, on purpose.
#
# One would guess that a key of 2048 bits has two primes of 1024 bits, as NIST SP 800-56B and FIPS 186 demand and as
# OpenSSL makes them, or now and then of 1025 and 1023 bits.
# What happens: rsa 4.9.1 takes primes of half the length plus and minus a sixteenth of that: 1088 and 960 bits, in every
# key. OpenSSL finds such a key valid and signs with it.
# Why it matters: libraries that give both primes one width (Rust's rsa 0.10) read no key of that package, and their error is
# that of a damaged key. It is not a rare accident of generation.
set -euo pipefail
source "$(dirname "$0")/lib/prologue.sh"
needs openssl python3
python3 -m venv venv
venv/bin/pip --quiet install rsa==4.9.1 2> /dev/null
openssl version
venv/bin/python -c 'from importlib.metadata import version; print("rsa", version("rsa"))'

for bits in 1024 1024 1024 2048; do
    venv/bin/python -c 'import rsa, sys
key = rsa.newkeys(int(sys.argv[1]))[1]
open("key", "wb").write(key.save_pkcs1())
print(key.p.bit_length(), key.q.bit_length())' "$bits" > lengths
    check "$bits bits, its primes" "$(cat lengths)" "$((bits * 17 / 32)) $((bits * 15 / 32))"
    check "$bits bits, openssl" "$(openssl pkey -in key -check -noout 2> /dev/null)" 'Key is valid'
done
exit "$same"
