#!/usr/bin/env bash
# GnuTLS cannot open what OpenSSL encrypted under the very bytes of the passphrase that it is given.
#
# One would guess that a passphrase is its bytes for everybody: PKCS#5 (RFC 8018) says "an octet string".
# What happens: GnuTLS 3.7 puts a passphrase into Unicode's form NFC before it derives a key, OpenSSL takes it as it comes.
# So of two files that OpenSSL wrote, GnuTLS opens the one whose passphrase has its `ü` in one character, in whichever way it
# is typed; and the one with a `u` and two dots it can never open. Of a file that GnuTLS wrote under such a passphrase,
# OpenSSL says that the passphrase is wrong.
# Why it matters: macOS and some input methods give the decomposed form, and both look alike; a right passphrase is called
# wrong, in both directions. A reader should try what was typed, then NFC, then NFD.
set -euo pipefail
source "$(dirname "$0")/lib/prologue.sh"
needs openssl certtool
openssl version
certtool --version | head -n 1
[[ $(openssl version) == 'OpenSSL 3.0.'* && $(certtool --version) == 'certtool 3.7.'* ]] ||
    echo 'it was found with OpenSSL 3.0 and GnuTLS 3.7'

by_openssl() { openssl pkey -in "$1" -passin "pass:$2" -noout > /dev/null 2>&1 && echo opens || echo 'wrong passphrase'; }
by_gnutls() { certtool -k --infile "$1" --password "$2" > /dev/null 2>&1 && echo opens || echo 'wrong passphrase'; }

nfc=$'f\xc3\xbcr'
nfd=$'fu\xcc\x88r'
openssl genpkey -algorithm RSA -out plain 2> /dev/null
openssl pkcs8 -topk8 -in plain -passout "pass:$nfc" -out nfc
openssl pkcs8 -topk8 -in plain -passout "pass:$nfd" -out nfd
certtool --load-privkey plain --to-p8 --password "$nfd" --outfile by-gnutls > /dev/null 2>&1
check 'OpenSSL under NFC, GnuTLS given NFC' "$(by_gnutls nfc "$nfc")" opens
check 'OpenSSL under NFC, GnuTLS given NFD' "$(by_gnutls nfc "$nfd")" opens
check 'OpenSSL under NFD, GnuTLS given NFC' "$(by_gnutls nfd "$nfc")" 'wrong passphrase'
check 'OpenSSL under NFD, GnuTLS given NFD' "$(by_gnutls nfd "$nfd")" 'wrong passphrase'
check 'GnuTLS under NFD, OpenSSL given NFD' "$(by_openssl by-gnutls "$nfd")" 'wrong passphrase'
check 'GnuTLS under NFD, OpenSSL given NFC' "$(by_openssl by-gnutls "$nfc")" opens
exit "$same"
