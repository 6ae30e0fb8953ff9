#!/usr/bin/env bash
# Asked for an RSA key of an odd number of bits, OpenSSL and ssh-keygen make one that is a bit shorter, and say nothing.
#
# One would guess that 2049 bits are 2049 bits, or an error.
# What happens: OpenSSL 3.0 makes two primes of half the length, rounded down, so it makes 2048 bits; whatever is built on
# it does so, too. GnuTLS makes 2049, of primes of 1025 and 1024 bits.
# Why it matters: a rule such as `at least 2049 bits` cannot be met by asking OpenSSL for 2049; and a key of which the length is
# one more than a multiple of 8, which PSS encodes for in one byte less, is not to be had of it to test with.
set -euo pipefail

for tool in openssl ssh-keygen certtool; do
    command -v "$tool" > /dev/null || { echo "needs $tool (Debian: openssl, openssh-client, gnutls-bin)"; exit 77; }
done
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
openssl version
ssh -V 2>&1
certtool --version | head -n 1
[[ $(openssl version) == 'OpenSSL 3.0.'* && $(certtool --version) == 'certtool 3.7.'* ]] ||
    echo 'it was found with OpenSSL 3.0 and GnuTLS 3.7'

bits() {
    openssl rsa -in "$1" -text -noout 2>/dev/null | sed -n 's/^Private-Key: (\([0-9]*\) bit.*/\1/p'
}
same=0
check() {
    echo "asked for $2 bits, $1 made $3"
    [[ $3 == "$4" ]] || { echo "  it was: $4"; same=1; }
}
for asked in 2048 2049 2051; do
    openssl genpkey -algorithm RSA -pkeyopt "rsa_keygen_bits:$asked" -out openssl.pem 2>/dev/null
    check openssl "$asked" "$(bits openssl.pem)" $((asked / 2 * 2))
    rm -f ssh ssh.pub
    ssh-keygen -q -t rsa -b "$asked" -N '' -m PEM -f ssh
    check ssh-keygen "$asked" "$(bits ssh)" $((asked / 2 * 2))
    certtool --generate-privkey --key-type rsa --bits "$asked" --outfile gnutls.pem 2>/dev/null
    check certtool "$asked" "$(bits gnutls.pem)" "$asked"
done
exit "$same"
