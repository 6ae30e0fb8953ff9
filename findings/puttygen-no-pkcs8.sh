#!/usr/bin/env bash
# PuTTYgen reads neither of the two forms that `openssl genpkey` writes keys in, though it reads what those replaced.
#
# One would guess that a converter of keys reads PKCS#8 in PEM, which OpenSSL writes by default and which
# OpenSSH reads.
# What happens: puttygen 0.78 says "unrecognised key type" of PKCS#8, plain or under a passphrase. It reads the same key in
# PKCS#1 (`openssl rsa -traditional`) and in OpenSSH's own form. In the other direction it writes no PKCS#8 either, and under
# a passphrase writes PKCS#1 with 3DES in the way of RFC 1421, whatever cipher the .ppk had.
# Why it matters: from PuTTY to a program that reads PKCS#8 alone, and back, the way leads through a third program.
set -euo pipefail
source "$(dirname "$0")/lib/prologue.sh"
needs openssl puttygen
openssl version
puttygen --version | head -n 1
[[ $(puttygen --version) == 'puttygen: Release 0.78'* ]] || echo 'it was found with puttygen 0.78'

reads() { puttygen "$1" -L > /dev/null 2> error && echo reads || sed 's/.*: //' error; }
echo 'secret words' > passphrase
openssl genpkey -algorithm RSA -out pkcs8 2> /dev/null
openssl pkcs8 -topk8 -in pkcs8 -passout file:passphrase -out encrypted
openssl rsa -in pkcs8 -traditional -out pkcs1 2> /dev/null
check 'PKCS#8' "$(reads pkcs8)" 'unrecognised key type'
check 'PKCS#8 under a passphrase' "$(reads encrypted)" 'unrecognised key type'
check 'PKCS#1' "$(reads pkcs1)" reads
puttygen pkcs1 -P --new-passphrase passphrase -o key.ppk
check 'the .ppk' "$(grep -o '^Encryption: .*' key.ppk)" 'Encryption: aes256-cbc'
puttygen key.ppk --old-passphrase passphrase -O private-openssh -o exported
check 'what is exported of it' "$(grep -o '^DEK-Info: [A-Z0-9-]*' exported)" 'DEK-Info: DES-EDE3-CBC'
exit "$same"
