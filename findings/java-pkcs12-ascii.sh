#!/usr/bin/env bash
# Java calls the right passphrase of an OpenSSL PKCS#12 file incorrect if it has an umlaut.
#
# One would guess that Java 17 reads what `openssl pkcs12 -export` writes, since both use PBES2 with AES and HMAC-SHA-256 by
# default and both take Unicode passphrases: Java's class has the passphrase as characters, PKCS#12's own key derivation is
# defined on Unicode.
# What happens: PBES2 has passphrases as bytes, and Java refuses to choose bytes for anything but ASCII ("Password is not
# ASCII"); what the caller sees is "keystore password was incorrect". Java cannot write such a file either. Under an ASCII
# passphrase the same file opens.
# Why it matters: a person is told that a right passphrase is wrong. It cannot be mended by how it is typed; the passphrase
# has to be changed with another program first.
set -euo pipefail
source "$(dirname "$0")/lib/prologue.sh"
needs openssl java
openssl version
java -version 2>&1 | head -n 1
[[ $(openssl version) == 'OpenSSL 3.0.'* && $(java -version 2>&1) == *'"17.'* ]] ||
    echo 'it was found with OpenSSL 3.0 and Java 17'

cat > Load.java << 'END'
import java.io.FileInputStream;
import java.security.KeyStore;

public class Load {
    public static void main(String[] arguments) throws Exception {
        // Escapes, so that no encoding of arguments or sources comes in between.
        String passphrase = arguments[1].equals("umlaut") ? "f\u00fcrf\u00fcr" : "fuerfuer";
        KeyStore store = KeyStore.getInstance("PKCS12");
        try (FileInputStream file = new FileInputStream(arguments[0])) {
            store.load(file, passphrase.toCharArray());
            System.out.println(store.getKey("me", passphrase.toCharArray()).getAlgorithm() + " key");
        } catch (java.io.IOException error) {
            System.out.println(error.getMessage());
        }
    }
}
END
openssl req -x509 -newkey rsa:2048 -noenc -subj /CN=example -days 1 -keyout key -out certificate 2> /dev/null
export LC_ALL=C.UTF-8
openssl pkcs12 -export -inkey key -in certificate -name me -passout $'pass:f\xc3\xbcrf\xc3\xbcr' -out umlaut.p12
openssl pkcs12 -export -inkey key -in certificate -name me -passout pass:fuerfuer -out ascii.p12
openssl pkcs12 -in umlaut.p12 -passin $'pass:f\xc3\xbcrf\xc3\xbcr' -noenc -out /dev/null
echo 'openssl opens both'
check 'Java, ASCII' "$(java Load.java ascii.p12 ascii)" 'RSA key'
check 'Java, umlaut' "$(java Load.java umlaut.p12 umlaut)" 'keystore password was incorrect'
exit "$same"
