#!/usr/bin/env bash
# OpenSSL cannot read a PKCS#8 file under scrypt that a library built on OpenSSL reads, and does not say why at first.
#
# One would guess that what Python's cryptography reads with its OpenSSL, the program `openssl` and Node read too.
# What happens: OpenSSL gives scrypt at most 32 MiB where it reads PKCS#8, which is N = 2^14 with r = 8; at N = 2^15
# the program `openssl` 3.0 "could not read" the key. There is no option for it.
# cryptography derives the key itself, without that limit. Nor can `openssl pkcs8 -scrypt_N 32768` write such a file.
# Why it matters: whoever follows today's advice (OWASP: N = 2^17, r = 8, p = 1) writes files that no program on OpenSSL's
# own reader opens. As much work fits under the limit as a greater p: N = 2^14, r = 8, p = 5 is a row of the same advice.
set -euo pipefail
source "$(dirname "$0")/lib/prologue.sh"
needs openssl python3
python3 -m venv venv
venv/bin/pip --quiet install cryptography==48.0.0 2> /dev/null
openssl version
[[ $(openssl version) == 'OpenSSL 3.0.'* ]] || echo 'it was found with OpenSSL 3.0'
venv/bin/python -c 'import cryptography; print("cryptography", cryptography.__version__)'

# No tool writes these, so the file is put together here: PBES2 (RFC 8018) with scrypt (RFC 7914) and AES-256-CBC.
cat > write.py << 'END'
import base64, hashlib, os, sys
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

def tlv(tag, value):
    size = len(value)
    length = bytes([size]) if size < 128 else b'\x82' + size.to_bytes(2, 'big')
    return bytes([tag]) + length + value

def number(value):
    return tlv(2, value.to_bytes(value.bit_length() // 8 + 1, 'big'))

n, r, p = map(int, sys.argv[1:4])
der = open('plain.der', 'rb').read()
salt, iv = os.urandom(16), os.urandom(16)
key = hashlib.scrypt(b'secret words', salt=salt, n=n, r=r, p=p, dklen=32, maxmem=1 << 30)
pad = 16 - len(der) % 16
cipher = Cipher(algorithms.AES(key), modes.CBC(iv)).encryptor()
data = cipher.update(der + bytes([pad]) * pad) + cipher.finalize()
oid = lambda text: tlv(6, bytes.fromhex(text))
kdf = tlv(0x30, oid('2b06010401da47040b') + tlv(0x30, tlv(4, salt) + number(n) + number(r) + number(p)))
aes = tlv(0x30, oid('60864801650304012a') + tlv(4, iv))
pbes2 = tlv(0x30, oid('2a864886f70d01050d') + tlv(0x30, kdf + aes))
text = base64.encodebytes(tlv(0x30, pbes2 + tlv(4, data))).decode()
print(f'-----BEGIN ENCRYPTED PRIVATE KEY-----\n{text}-----END ENCRYPTED PRIVATE KEY-----')
END
openssl genpkey -algorithm RSA 2> /dev/null | openssl pkcs8 -topk8 -nocrypt -outform DER -out plain.der
by_openssl() { openssl pkey -in "$1" -passin 'pass:secret words' -noout 2> error && echo reads || echo "$(grep -o 'memory limit exceeded' error)"; }
by_python() {
    venv/bin/python -c 'import sys
from cryptography.hazmat.primitives.serialization import load_pem_private_key
load_pem_private_key(open(sys.argv[1], "rb").read(), b"secret words")
print("reads")' "$1"
}
for cost in '16384 8 1' '16384 8 5' '32768 8 1' '131072 8 1'; do
    # shellcheck disable=SC2086
    venv/bin/python write.py $cost > file
    case $cost in 16384*) expected=reads ;; *) expected='memory limit exceeded' ;; esac
    check "N r p = $cost, openssl" "$(by_openssl file)" "$expected"
    check "N r p = $cost, cryptography" "$(by_python file)" reads
done
exit "$same"
