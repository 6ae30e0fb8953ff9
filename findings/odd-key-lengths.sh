#!/usr/bin/env bash
# Asked for an RSA key of an odd number of bits, OpenSSL and ssh-keygen make one that is a bit shorter, and say nothing.
#
# One would guess that 2049 bits are 2049 bits, or an error.
# What happens: OpenSSL 3.0 makes two primes of half the length, rounded down, so it makes 2048 bits; whatever is built on
# it does so, too. GnuTLS makes 2049, of primes of 1025 and 1024 bits.
# Why it matters: a rule such as `at least 2049 bits` cannot be met by asking OpenSSL for 2049; and a key of which the length is
# one more than a multiple of 8, which PSS encodes for in one byte less, is not to be had of it to test with.
set -euo pipefail
source "$(dirname "$0")/lib/prologue.sh"
needs openssl ssh-keygen certtool
openssl version
ssh -V 2>&1
certtool --version | head -n 1
[[ $(openssl version) == 'OpenSSL 3.0.'* && $(certtool --version) == 'certtool 3.7.'* ]] ||
    echo 'it was found with OpenSSL 3.0 and GnuTLS 3.7'

bits() {
    openssl rsa -in "$1" -text -noout 2>/dev/null | sed -n 's/^Private-Key: (\([0-9]*\) bit.*/\1/p'
}
for asked in 2048 2049 2051; do
    openssl genpkey -algorithm RSA -pkeyopt "rsa_keygen_bits:$asked" -out openssl.pem 2>/dev/null
    check "asked for $asked bits, openssl made" "$(bits openssl.pem)" $((asked / 2 * 2))
    rm -f ssh ssh.pub
    ssh-keygen -q -t rsa -b "$asked" -N '' -m PEM -f ssh
    check "asked for $asked bits, ssh-keygen made" "$(bits ssh)" $((asked / 2 * 2))
    certtool --generate-privkey --key-type rsa --bits "$asked" --outfile gnutls.pem 2>/dev/null
    check "asked for $asked bits, certtool made" "$(bits gnutls.pem)" "$asked"
done
exit "$same"
