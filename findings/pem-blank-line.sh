#!/usr/bin/env bash
# One blank line among the lines of a PEM makes OpenSSL take what stands before it for headers.
#
# One would guess that white space does not matter in base64: RFC 7468 (section 2) says that parsers SHOULD ignore it, and
# OpenSSL does take lines of one character, of 2,000, and with blanks at their ends.
# What happens: for OpenSSL 3.0, and Node, ssh-keygen and whatever else reads PEM with it, the lines before a blank line are
# headers as in RFC 1421, even though no colon is in them: "not proc type". cryptography 48 has its own reader and refuses it
# too, though it takes headers such as `Comment: mine`, which OpenSSL does not. GnuTLS reads it.
# Why it matters: pasting a key into a form, a mail or a chat and out again often leaves a blank line; the error says nothing
# of it, and whoever asks two programs hears that the key is good and that it is not.
set -euo pipefail
source "$(dirname "$0")/lib/prologue.sh"
needs openssl ssh-keygen certtool python3
umask 077
python3 -m venv venv
venv/bin/pip --quiet install cryptography==48.0.0 2> /dev/null
openssl version
ssh -V 2>&1
certtool --version | head -n 1
venv/bin/python -c 'import cryptography; print("cryptography", cryptography.__version__)'
[[ $(openssl version) == 'OpenSSL 3.0.'* && $(certtool --version) == 'certtool 3.7.'* ]] ||
    echo 'it was found with OpenSSL 3.0 and GnuTLS 3.7'

cat > read.py << 'END'
import sys
from cryptography.hazmat.primitives.serialization import load_pem_private_key
load_pem_private_key(open(sys.argv[1], 'rb').read(), None)
END
readers() {
    openssl pkey -in "$1" -noout > error 2>&1 && printf 'openssl ' || true
    ssh-keygen -y -P '' -f "$1" > /dev/null 2>&1 && printf 'ssh-keygen ' || true
    venv/bin/python read.py "$1" 2> /dev/null && printf 'cryptography ' || true
    certtool -k --infile "$1" > /dev/null 2>&1 && printf 'certtool' || true
}
openssl genpkey -algorithm RSA -out key 2> /dev/null
sed '3a\\' key > blank
sed '1a Comment: mine\n' key > header
{ head -n 1 key; grep -v -- ----- key | tr -d '\n' | fold -w 1; echo; tail -n 1 key; } > narrow
sed 's/$/   /' key > trailing
check 'lines of one character' "$(readers narrow)" 'openssl ssh-keygen cryptography certtool'
check 'blanks at the ends of lines' "$(readers trailing)" 'openssl ssh-keygen cryptography certtool'
check 'a header, Comment: mine' "$(readers header)" 'cryptography '
check 'a blank line' "$(readers blank)" certtool
openssl pkey -in blank -noout > error 2>&1 || true
check 'what openssl says of it' "$(grep -o 'not proc type' error)" 'not proc type'
exit "$same"
