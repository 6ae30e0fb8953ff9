#!/usr/bin/env bash
# `openssl base64 -d` decodes a part of a long line, and succeeds.
#
# One would guess that it decodes valid base64 however its lines are cut, or fails: OpenSSL's own PEM reader takes the same
# text on one line.
# What happens: OpenSSL 3.0 writes the first few hundred bytes of a line of 1,600 characters and ends with status 0. With -A
# it decodes all of it; but of text in lines of 64 characters it decodes a part with -A, and ends with status 0 again.
# Why it matters: JSON Web Tokens, variables of the environment and Kubernetes secrets hold keys as one line of base64;
# `openssl base64 -d` makes a file of them that is cut off, and only what reads that file complains. Whoever does not know
# how the lines are cut has to take the line ends out (`tr -d '[:space:]'`) and use -A.
set -euo pipefail
source "$(dirname "$0")/lib/prologue.sh"
needs openssl
openssl version
[[ $(openssl version) == 'OpenSSL 3.0.'* ]] || echo 'it was found with OpenSSL 3.0'

head -c 1200 /dev/zero | tr '\0' 'x' > data
base64 -w 0 data > one-line
base64 -w 64 data > lines
echo >> one-line
decoded() {
    if openssl base64 -d "${@:2}" < "$1" > out; then
        [[ $(wc -c < out) == 1200 ]] && echo 'all, status 0' || echo 'a part, status 0'
    else
        echo 'failed'
    fi
}
check 'a line of 1,600 characters' "$(decoded one-line)" 'a part, status 0'
check 'the same with -A' "$(decoded one-line -A)" 'all, status 0'
check 'lines of 64 characters' "$(decoded lines)" 'all, status 0'
check 'the same with -A' "$(decoded lines -A)" 'a part, status 0'
exit "$same"
