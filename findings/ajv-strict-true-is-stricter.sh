#!/usr/bin/env bash
# Ajv refuses more with `strict: true` than without, although true is the default.
#
# One would guess that to write the default out changes nothing: Ajv's options say of `strict` that it is true by default.
# What happens: Ajv 8.20 compiles a schema without a word where `required` stands in a branch of `anyOf` and the property is
# described one level up, and only logs that a type is missing there. With `strict: true` it refuses both: the default for the
# modes within, strictRequired (false) and strictTypes ("log"), is taken only where `strict` is not set.
# Why it matters: a schema that its authors tested with Ajv's defaults does not compile for a user who writes strict: true.
set -euo pipefail
source "$(dirname "$0")/lib/prologue.sh"
needs npm node
npm install --silent --no-audit --no-fund ajv@8.20.0 > /dev/null
node -p '"ajv " + require("ajv/package.json").version'

cat > try.js << 'END'
const Ajv = require('ajv');
const logger = { log() {}, warn() {}, error() {} };
const schemas = {
    required: { type: 'object', properties: { a: { type: 'string' } }, anyOf: [{ type: 'object', required: ['a'] }] },
    types: { type: 'object', properties: { a: { minLength: 1 } } },
};
const [name, how] = process.argv.slice(2);
try {
    new Ajv({ logger, ...JSON.parse(how) }).compile(schemas[name]);
    console.log('compiles');
} catch (error) {
    console.log(error.message);
}
END
check 'required, by default' "$(node try.js required '{}')" compiles
check 'required, strict: true' "$(node try.js required '{"strict":true}')" \
    'strict mode: required property "a" is not defined at "#/anyOf/0" (strictRequired)'
check 'a missing type, by default' "$(node try.js types '{}')" compiles
check 'a missing type, strict: true' "$(node try.js types '{"strict":true}')" \
    'strict mode: missing type "string" for keyword "minLength" at "#/properties/a" (strictTypes)'
exit "$same"
