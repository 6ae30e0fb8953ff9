#!/usr/bin/env bash
# `ssh-keygen -a` makes the passphrase of a PKCS#8 file no harder to guess; it says nothing.
#
# One would guess that `-a 500` (the number of rounds of the key derivation) asks for more work in every format that
# ssh-keygen writes, or is refused where it cannot.
# What happens: with `-m PKCS8` OpenSSH 9.2 leaves the derivation to OpenSSL: PBKDF2 with 2,048 rounds of HMAC-SHA-256 and
# AES-128-CBC, whatever -a says. GnuTLS's certtool writes 600,000 rounds of the same.
# Why it matters: PKCS#8 is the one format that OpenSSH shares with other programs, so a key that is converted for them
# keeps its passphrase and loses most of what protected it. `openssl pkcs8 -topk8 -iter 600000` or `-scrypt` puts it back.
set -euo pipefail
source "$(dirname "$0")/lib/prologue.sh"
needs openssl ssh-keygen certtool
openssl version
ssh -V 2>&1
certtool --version | head -n 1
[[ $(ssh -V 2>&1) == 'OpenSSH_9.2'* && $(certtool --version) == 'certtool 3.7.'* ]] ||
    echo 'it was found with OpenSSH 9.2 and GnuTLS 3.7'

# The only INTEGER at this depth is the number of rounds.
rounds() {
    printf '%d\n' "0x$(openssl asn1parse -in "$1" | sed -n 's/.*d=5 .*INTEGER *://p')"
}
for asked in 16 500; do
    rm -f key key.pub
    ssh-keygen -q -t rsa -b 2048 -m PKCS8 -a "$asked" -N 'secret words' -f key
    check "ssh-keygen -m PKCS8 -a $asked, rounds" "$(rounds key)" 2048
done
check 'ssh-keygen, cipher' "$(openssl asn1parse -in key | grep -o 'aes-[0-9]*-cbc')" aes-128-cbc
openssl pkcs8 -topk8 -nocrypt -in key -passin 'pass:secret words' -out plain
certtool --load-privkey plain --to-p8 --password 'secret words' --outfile by-gnutls > /dev/null 2>&1
check 'certtool, rounds' "$(rounds by-gnutls)" 600000
exit "$same"
