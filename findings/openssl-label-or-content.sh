#!/usr/bin/env bash
# Whether the label of a PEM counts or what is in it, two programs on one OpenSSL decide differently, and each both ways.
#
# One would guess that a program either believes the label or looks at the content.
# What happens: the program `openssl` 3.0 reads PKCS#1 under `PRIVATE KEY` (PKCS#8's label) and PKCS#8 under
# `RSA PRIVATE KEY`. Node reads the second and not the first ("DECODER routines::unsupported"), GnuTLS and cryptography
# neither of them.
# Why it matters: `openssl pkey -in` says that a key is good which its owner's program then calls unsupported. Keys with the
# wrong label are common: people rename the label because a program asks for `BEGIN PRIVATE KEY`.
set -euo pipefail
source "$(dirname "$0")/lib/prologue.sh"
needs openssl npm certtool python3
npm install --silent --no-audit --no-fund node@22.23.3 > /dev/null
node=$folder/node_modules/.bin/node
python3 -m venv venv
venv/bin/pip --quiet install cryptography==48.0.0 2> /dev/null
openssl version
"$node" -p '`Node ${process.version}, OpenSSL ${process.versions.openssl}`'
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
    openssl pkey -in "$1" -noout > /dev/null 2>&1 && printf 'openssl ' || true
    "$node" -e 'crypto.createPrivateKey(fs.readFileSync(process.argv[1]))' "$1" > /dev/null 2>&1 && printf 'node ' || true
    venv/bin/python read.py "$1" 2> /dev/null && printf 'cryptography ' || true
    certtool -k --infile "$1" > /dev/null 2>&1 && printf 'certtool' || true
}
openssl genpkey -algorithm RSA -out pkcs8 2> /dev/null
openssl rsa -in pkcs8 -traditional -out pkcs1 2> /dev/null
sed 's/RSA PRIVATE/PRIVATE/' pkcs1 > pkcs1-as-pkcs8
sed 's/PRIVATE/RSA PRIVATE/' pkcs8 > pkcs8-as-pkcs1
all='openssl node cryptography certtool'
check 'PKCS#8' "$(readers pkcs8)" "$all"
check 'PKCS#1' "$(readers pkcs1)" "$all"
check 'PKCS#1 under the label of PKCS#8' "$(readers pkcs1-as-pkcs8)" 'openssl '
check 'PKCS#8 under the label of PKCS#1' "$(readers pkcs8-as-pkcs1)" 'openssl node '
exit "$same"
