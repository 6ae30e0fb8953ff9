#!/usr/bin/env bash
# Node exports an RSA key of three primes as a JSON Web Key that says it has two.
#
# One would guess that the export has the third prime in `oth`, as RFC 7518 (section 6.3.2.7) demands where there is one, or
# that it is refused as keys for RSA-PSS are.
# What happens: Node 22 writes n, e, d, p, q, dp, dq and qi and nothing of the third prime, so p times q is not n. Node
# imports that again and signs with it, for OpenSSL checks what it worked out with p and q and falls back on d. Python's
# cryptography refuses to make a key of these numbers.
# Why it matters: a conversion that went well leaves a key that works in one program and is damaged for the next. Whoever
# reads a JWK should check that p times q is n.
set -euo pipefail
source "$(dirname "$0")/lib/prologue.sh"
needs openssl npm python3
npm install --silent --no-audit --no-fund node@22.23.3 > /dev/null
node=$folder/node_modules/.bin/node
python3 -m venv venv
venv/bin/pip --quiet install cryptography==48.0.0 2> /dev/null
"$node" -p '`Node ${process.version}, OpenSSL ${process.versions.openssl}`'
venv/bin/python -c 'import cryptography; print("cryptography", cryptography.__version__)'

openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048 -pkeyopt rsa_keygen_primes:3 -out key 2> /dev/null
cat > export.js << 'END'
const { createPrivateKey, createPublicKey, sign, verify } = require('crypto');
const { readFileSync, writeFileSync } = require('fs');
const key = createPrivateKey(readFileSync('key'));
const jwk = key.export({ format: 'jwk' });
writeFileSync('key.jwk', JSON.stringify(jwk));
const again = createPrivateKey({ format: 'jwk', key: jwk });
const signature = sign('sha256', Buffer.from('hello'), again);
console.log(verify('sha256', Buffer.from('hello'), createPublicKey(key), signature) ? 'a good signature' : 'a bad one');
END
signature=$("$node" export.js)
cat > check.py << 'END'
import base64, json, sys
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateNumbers, RSAPublicNumbers
jwk = json.load(open('key.jwk'))
number = lambda name: int.from_bytes(base64.urlsafe_b64decode(jwk[name] + '=='), 'big')
n, e, d, p, q, dp, dq, qi = map(number, ['n', 'e', 'd', 'p', 'q', 'dp', 'dq', 'qi'])
print('with oth' if 'oth' in jwk else 'no oth', 'p*q is n' if p * q == n else 'p*q is not n', sep=', ')
try:
    RSAPrivateNumbers(p, q, d, dp, dq, qi, RSAPublicNumbers(e, n)).private_key()
    print('taken')
except ValueError:
    print('refused')
END
venv/bin/python check.py > seen
check 'the JWK' "$(sed -n 1p seen)" 'no oth, p*q is not n'
check 'Node signs with it' "$signature" 'a good signature'
check 'cryptography' "$(sed -n 2p seen)" refused
exit "$same"
