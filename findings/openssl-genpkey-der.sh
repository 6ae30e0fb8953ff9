#!/usr/bin/env bash
# `openssl genpkey` writes PKCS#8 in PEM and PKCS#1 in DER.
#
# One would guess that `-outform DER` gives the bytes that the PEM has in base64.
# What happens: OpenSSL 3.0 writes PKCS#8 where `genpkey` and `pkey` write PEM, and the traditional form (PKCS#1, SEC 1) where
# they write DER. Ed25519 has no traditional form and stays PKCS#8.
# Why it matters: a reader of PKCS#8 in DER that is tried with `openssl genpkey -outform DER` is tried with another format;
# and putting BEGIN PRIVATE KEY around that base64 makes a file whose label is wrong, which only some programs read.
# `openssl pkcs8 -topk8 -nocrypt -outform DER` does what one wants.
set -euo pipefail
source "$(dirname "$0")/lib/prologue.sh"
needs openssl
openssl version
[[ $(openssl version) == 'OpenSSL 3.0.'* ]] || echo 'it was found with OpenSSL 3.0'

# PKCS#8 has an algorithm second, PKCS#1 and SEC 1 a number or the key itself.
form() {
    case $(openssl asn1parse -inform "$1" -in "$2" | sed -n '3s/.*\(SEQUENCE\|INTEGER\|OCTET STRING\).*/\1/p') in
        SEQUENCE) echo PKCS#8 ;;
        *) echo traditional ;;
    esac
}
for algorithm in RSA 'EC -pkeyopt ec_paramgen_curve:P-256' ED25519; do
    expected=traditional
    [[ $algorithm == ED25519 ]] && expected=PKCS#8
    # shellcheck disable=SC2086
    openssl genpkey -algorithm $algorithm -out key.pem 2> /dev/null
    # shellcheck disable=SC2086
    openssl genpkey -algorithm $algorithm -outform DER -out key.der 2> /dev/null
    openssl pkey -in key.pem -outform DER -out pkey.der
    check "${algorithm%% *}, genpkey, PEM" "$(form PEM key.pem)" PKCS#8
    check "${algorithm%% *}, genpkey -outform DER" "$(form DER key.der)" "$expected"
    check "${algorithm%% *}, pkey -outform DER" "$(form DER pkey.der)" "$expected"
done
exit "$same"
