//! Project Wycheproof's cases for OAEP and PSS, against the functions with which the program itself
//! opens and verifies (`tests/vectors/wycheproof`).

use std::path::{Path, PathBuf};

use serde_json::Value;

use super::keys::{IdentityKey, KeyError, PublicKey, SessionKey};
use super::pem::IdentityPem;
use super::seal::{self, Body, MAX_CONTENT, Recipient};

/// The files of OAEP, and how many of their cases open and do not.
const OAEP: [(&str, Tally); 6] = [
    ("rsa_oaep_2048_sha256_mgf1sha256_test", tally(19, 18)),
    ("rsa_oaep_3072_sha256_mgf1sha256_test", tally(19, 18)),
    ("rsa_oaep_4096_sha256_mgf1sha256_test", tally(19, 18)),
    ("rsa_oaep_2048_sha1_mgf1sha1_test", tally(0, 36)),
    ("rsa_oaep_2048_sha256_mgf1sha1_test", tally(0, 31)),
    ("rsa_oaep_2048_sha512_mgf1sha512_test", tally(0, 33)),
];

/// The files of PSS, and how many of their cases hold and do not.
const PSS: [(&str, Tally); 6] = [
    ("rsa_pss_2048_sha256_mgf1_32_test", tally(63, 45)),
    ("rsa_pss_3072_sha256_mgf1_32_test", tally(63, 45)),
    ("rsa_pss_4096_sha256_mgf1_32_test", tally(63, 45)),
    ("rsa_pss_2048_sha256_mgf1_0_test", tally(1, 102)),
    ("rsa_pss_2048_sha256_mgf1sha1_20_test", tally(0, 108)),
    ("rsa_pss_2048_sha512_256_mgf1_32_test", tally(0, 115)),
];

/// Files of which no key is accepted, as each names PSS and its parameters.
const KEYS_THAT_NAME_PSS: [&str; 1] = ["rsa_pss_2048_sha256_mgf1_32_params_test"];

#[derive(Debug, Default, PartialEq, Eq)]
struct Tally {
    good: usize,
    refused: usize,
}

const fn tally(good: usize, refused: usize) -> Tally {
    Tally { good, refused }
}

impl Tally {
    fn count(&mut self, good: bool) {
        if good {
            self.good += 1;
        } else {
            self.refused += 1;
        }
    }
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors/wycheproof")
}

/// The groups of a file. Each has a key and parameters for its cases.
fn groups(name: &str) -> Vec<Value> {
    let text = std::fs::read_to_string(folder().join(format!("{name}.json")))
        .unwrap_or_else(|error| panic!("{name}: {error}"));
    let file: Value = serde_json::from_str(&text).unwrap();
    let groups = file["testGroups"].as_array().unwrap().clone();
    let cases: usize = groups.iter().map(|group| cases(group).len()).sum();
    assert_eq!(file["numberOfTests"], cases, "{name}");
    groups
}

fn cases(group: &Value) -> &[Value] {
    group["tests"].as_array().unwrap()
}

fn bytes(value: &Value) -> Vec<u8> {
    let (pairs, rest) = value.as_str().unwrap().as_bytes().as_chunks::<2>();
    assert!(rest.is_empty(), "half a byte in {value}");
    pairs
        .iter()
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap())
        .collect()
}

/// Whether the hash function and the one of the mask are this program's.
fn has_our_hashes(group: &Value) -> bool {
    assert_eq!(group["mgf"], "MGF1");
    group["sha"] == "SHA-256" && group["mgfSha"] == "SHA-256"
}

fn private_key(group: &Value) -> IdentityKey {
    IdentityPem::parse(group["privateKeyPem"].as_str().unwrap())
        .and_then(|pem| pem.open())
        .unwrap()
}

#[test]
fn no_file_is_left_out() {
    let mut known: Vec<String> = [OAEP, PSS]
        .iter()
        .flatten()
        .map(|(name, _)| *name)
        .chain(KEYS_THAT_NAME_PSS)
        .map(|name| format!("{name}.json"))
        .collect();
    let mut there: Vec<String> = std::fs::read_dir(folder())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    known.sort();
    there.sort();
    assert_eq!(known, there);
}

#[test]
fn oaep_opens_what_it_should_and_nothing_else() {
    for (name, expected) in OAEP {
        let mut found = Tally::default();
        for group in groups(name) {
            let key = SessionKey::from_identity(private_key(&group));
            for case in cases(&group) {
                // RFC 8017 §7.1.2 refuses these cases. The library follows
                // draft-irtf-cfrg-rsa-guidance §7, which ignores the first byte.
                let ignored = case["comment"] == "First byte is 1";
                let good = has_our_hashes(&group) && (case["result"] == "valid" || ignored);
                let opened = key.decrypt(&bytes(&case["label"]), &bytes(&case["ct"]));
                assert_eq!(opened, good.then(|| bytes(&case["msg"])), "{name}: {case}");
                found.count(opened.is_some());
            }
        }
        assert_eq!(found, expected, "{name}");
    }
}

#[test]
fn pss_holds_where_it_should_and_nowhere_else() {
    for (name, expected) in PSS {
        let mut found = Tally::default();
        for group in groups(name) {
            let key = PublicKey::from_spki(&bytes(&group["publicKeyDer"])).unwrap();
            for case in cases(&group) {
                // This case is wrong under the parameters of its group, and right under this
                // program's.
                let our_salt = match case["comment"].as_str() {
                    Some("s_len changed to 32") => true,
                    _ => group["sLen"] == 32 && case["result"] == "valid",
                };
                let good = has_our_hashes(&group) && our_salt;
                let holds = key.verifies(&bytes(&case["msg"]), &bytes(&case["sig"]));
                assert_eq!(holds, good, "{name}: {case}");
                found.count(holds);
            }
        }
        assert_eq!(found, expected, "{name}");
    }
}

#[test]
fn a_key_that_names_pss_is_refused() {
    for name in KEYS_THAT_NAME_PSS {
        for group in groups(name) {
            let key = PublicKey::from_spki(&bytes(&group["publicKeyDer"]));
            assert_eq!(key.err(), Some(KeyError::Encoding), "{name}");
        }
    }
}

#[test]
fn what_the_keys_seal_and_sign_opens_and_holds() {
    for (name, _) in OAEP {
        for group in groups(name) {
            let identity = private_key(&group);
            for case in cases(&group) {
                let message = bytes(&case["msg"]);
                let signature = identity.sign(&message);
                assert!(
                    identity.public().verifies(&message, &signature),
                    "{name}: {case}"
                );
            }
            let session = SessionKey::from_identity(identity);
            let id = [7; 32];
            for bytes in [1, MAX_CONTENT] {
                let body = Body::new(0, "x".repeat(bytes)).unwrap();
                let reader = Recipient {
                    id: &id,
                    key: session.public(),
                };
                let sealed = seal::seal(name.as_bytes(), &body, &[reader]).remove(0);
                let opened =
                    seal::open(name.as_bytes(), &body.commitment(), &id, &session, &sealed);
                assert!(opened == Ok(body), "{name}");
            }
        }
    }
}
