#!/usr/bin/env bash
# GnuTLS draws not only the salt of an encrypted key at random but also its length.
#
# One would guess that a program's salts all have one length (OpenSSL's 8 or 16 bytes, cryptography's 16), so that files of
# one key have one size and a field of fixed length would do.
# What happens: certtool 3.7 writes salts of some length from 12 bytes up, another in most files, so that the size of the
# file differs from run to run.
# Why it matters: a parser that was tried with one file from certtool was tried with one length. Fixed buffers, comparisons
# of sizes and "the salt is 16 bytes" fail on the next file.
set -euo pipefail
source "$(dirname "$0")/lib/prologue.sh"
needs openssl certtool
certtool --version | head -n 1
[[ $(certtool --version) == 'certtool 3.7.'* ]] || echo 'it was found with GnuTLS 3.7'

openssl genpkey -algorithm RSA -out plain 2> /dev/null
for _ in {1..24}; do
    certtool --load-privkey plain --to-p8 --password 'secret words' --outfile file > /dev/null 2>&1
    openssl asn1parse -in file | sed -n 's/.*d=5 .* l= *\([0-9]*\) prim: OCTET STRING.*/\1/p'
done | sort -n > lengths
different=$(uniq lengths | wc -l)
echo "24 files have salts of $different lengths, from $(head -n 1 lengths) to $(tail -n 1 lengths) bytes"
[[ $different -gt 3 && $(head -n 1 lengths) -ge 12 ]] || { echo '  it was: more than 3 lengths, from 12 bytes up'; exit 1; }
