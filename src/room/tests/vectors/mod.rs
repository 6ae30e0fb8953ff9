//! The vectors in `tests/vectors`, which other implementations made (their README says how).

mod messages;
mod statements;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use crate::cipher::caesar::Caesar;
use crate::cipher::fingerprint::Fingerprint;
use crate::cipher::keys::{IdentityKey, KeyError, PublicKey, SessionKey};
use crate::cipher::pem::IdentityPem;
use crate::cipher::seal::{self, Body};

use crate::room::card::{Card, CardError, Identity, SessionId, Stay};
use crate::room::chain::{Claim, EntryKind, Link, entry_digest, roster_digest};
use crate::room::frame::{Challenge, RunId};
use crate::room::message::{Header, LeftOutFor, Stream};
use crate::room::names::{Nick, RoomId, RoomName};
use crate::room::numbers::Ranges;

const FAMILIES: [&str; 19] = [
    "caesar",
    "card",
    "chain",
    "commitment",
    "comparison",
    "fingerprint",
    "header",
    "invite",
    "key",
    "label",
    "message",
    "nick",
    "oaep",
    "possession",
    "pss",
    "room",
    "roster",
    "session",
    "statement",
];

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors")
}

/// The names of all vectors, ascending.
fn names() -> BTreeSet<String> {
    std::fs::read_dir(folder())
        .expect("the folder of the vectors")
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter_map(|file| file.strip_suffix(".txt").map(str::to_owned))
        .collect()
}

/// The family of a vector: the first word of its file's name.
fn family_of(name: &str) -> &str {
    name.split_once('_').map_or(name, |(family, _)| family)
}

fn family(family: &str) -> Vec<Vector> {
    assert!(FAMILIES.contains(&family), "{family} is not listed");
    let vectors: Vec<Vector> = names()
        .iter()
        .filter(|name| family_of(name) == family)
        .map(|name| Vector::read(name))
        .collect();
    assert!(!vectors.is_empty(), "no vector is called {family}…");
    vectors
}

/// One of the keys that the vectors are made with.
fn key_called(name: &str) -> IdentityKey {
    let file = folder().join(format!("keys/{name}.pem"));
    let text = std::fs::read_to_string(file).unwrap_or_else(|error| panic!("{name}: {error}"));
    IdentityPem::parse(&text)
        .and_then(|pem| pem.open())
        .unwrap_or_else(|error| panic!("{name}: {error:?}"))
}

/// A vector: a file of `name: value` lines, in their order.
struct Vector {
    name: String,
    fields: Vec<(String, String)>,
}

impl Vector {
    fn read(name: &str) -> Self {
        let text = std::fs::read_to_string(folder().join(format!("{name}.txt")))
            .unwrap_or_else(|error| panic!("{name}: {error}"));
        let fields = text
            .lines()
            .map(|line| {
                let (field, value) = line
                    .split_once(':')
                    .unwrap_or_else(|| panic!("{name}: no colon in {line:?}"));
                (field.to_owned(), value.trim().to_owned())
            })
            .collect();
        Self {
            name: name.to_owned(),
            fields,
        }
    }

    /// The values of a field that may be there several times.
    fn all<'a>(&'a self, field: &str) -> impl Iterator<Item = &'a str> {
        self.fields
            .iter()
            .filter(move |(name, _)| name == field)
            .map(|(_, value)| value.as_str())
    }

    fn get(&self, field: &str) -> &str {
        let mut values = self.all(field);
        match (values.next(), values.next()) {
            (Some(value), None) => value,
            (None, _) => panic!("{}: no {field}", self.name),
            (Some(_), Some(_)) => panic!("{}: more than one {field}", self.name),
        }
    }

    /// The bytes of a field in hex, or after a `=` those that the vector of that name has in the
    /// same field.
    fn decode(&self, field: &str, value: &str) -> Vec<u8> {
        if let Some(other) = value.strip_prefix("= ") {
            return Self::read(other).bytes(field);
        }
        let digit = |digit: u8| {
            char::from(digit)
                .to_digit(16)
                .and_then(|digit| u8::try_from(digit).ok())
                .unwrap_or_else(|| panic!("{}: {field} is not in hex", self.name))
        };
        let (pairs, rest) = value.as_bytes().as_chunks::<2>();
        assert!(rest.is_empty(), "{}: half a byte in {field}", self.name);
        pairs
            .iter()
            .map(|[high, low]| digit(*high) << 4 | digit(*low))
            .collect()
    }

    fn bytes(&self, field: &str) -> Vec<u8> {
        self.decode(field, self.get(field))
    }

    fn array<const N: usize>(&self, field: &str) -> [u8; N] {
        self.to_array(field, &self.bytes(field))
    }

    fn arrays<const N: usize>(&self, field: &str) -> Vec<[u8; N]> {
        self.all(field)
            .map(|value| self.to_array(field, &self.decode(field, value)))
            .collect()
    }

    fn to_array<const N: usize>(&self, field: &str, bytes: &[u8]) -> [u8; N] {
        bytes
            .try_into()
            .unwrap_or_else(|_| panic!("{}: {field} has not {N} bytes", self.name))
    }

    fn number<T: std::str::FromStr>(&self, field: &str) -> T {
        self.get(field)
            .parse()
            .unwrap_or_else(|_| panic!("{}: {field} is not a number", self.name))
    }

    /// The numbers of a field that may be there several times.
    fn numbers<T: std::str::FromStr>(&self, field: &str) -> Vec<T> {
        let parse = |value: &str| {
            let number = value.parse().ok();
            number.unwrap_or_else(|| panic!("{}: {field} is not a number", self.name))
        };
        self.all(field).map(parse).collect()
    }

    /// A field of which each value is a range.
    fn ranges(&self, field: &str) -> Ranges {
        let all: Vec<&str> = self.all(field).collect();
        ranges_in(&all.join(" "))
    }

    /// The claim of a header or a statement.
    fn claim(&self) -> Claim {
        Claim {
            run: RunId(self.array("run")),
            link: Link {
                position: self.number("position"),
                digest: self.array("chain"),
            },
            roster: self.array("roster"),
            unread: self.ranges("unread"),
        }
    }

    /// The key in the file that the field names.
    fn key(&self, field: &str) -> IdentityKey {
        key_called(self.get(field))
    }

    /// Fails unless the outcome is the one that the file expects.
    #[track_caller]
    fn expect(&self, outcome: &str) {
        assert_eq!(outcome, self.get("expect"), "{}", self.name);
    }
}

#[test]
fn every_file_is_of_a_family_and_every_family_has_files() {
    let families: BTreeSet<String> = names()
        .iter()
        .map(|name| family_of(name).to_owned())
        .collect();
    assert_eq!(families, FAMILIES.map(str::to_owned).into());
    for entry in std::fs::read_dir(folder()).unwrap() {
        let file = entry.unwrap().file_name().into_string().unwrap();
        let others = ["README.md", "keys", "wycheproof"];
        let known = others.contains(&&*file) || file.strip_suffix(".txt").is_some();
        assert!(known, "{file} is no vector");
    }
}

#[test]
fn caesar() {
    for vector in family("caesar") {
        let caesar = Caesar::new(vector.number("parameter")).unwrap();
        let (plain, shifted) = (vector.bytes("plain"), vector.bytes("shifted"));
        let mut text = plain.clone();
        caesar.encrypt(&mut text);
        assert_eq!(text, shifted, "{}", vector.name);
        caesar.decrypt(&mut text);
        assert_eq!(text, plain, "{}", vector.name);
    }
}

#[test]
fn rooms() {
    for vector in family("room") {
        let room: RoomName = vector.get("name").parse().unwrap();
        assert_eq!(room.id().0, vector.array("id"), "{}", vector.name);
        // A room key cannot be read. The right one makes the same HMACs.
        let expected = hmac(&vector.array("key"), b"some card");
        assert_eq!(room.key().mac(b"some card"), expected, "{}", vector.name);
    }
}

fn hmac(key: &[u8; 32], bytes: &[u8]) -> [u8; 32] {
    use hmac::{KeyInit as _, Mac as _};
    hmac::Hmac::<sha2::Sha256>::new_from_slice(key)
        .unwrap()
        .chain_update(bytes)
        .finalize()
        .into_bytes()
        .into()
}

#[test]
fn nicks() {
    for vector in family("nick") {
        let name = &vector.name;
        let skeletons = |pair: &str| -> [String; 2] {
            let (one, other) = pair.split_once(' ').unwrap();
            [one, other].map(|nick| nick.parse::<Nick>().unwrap().skeleton())
        };
        for pair in vector.all("alike") {
            let [one, other] = skeletons(pair);
            assert_eq!(one, other, "{name}: {pair}");
        }
        for pair in vector.all("differ") {
            let [one, other] = skeletons(pair);
            assert_ne!(one, other, "{name}: {pair}");
        }
        for (field, accepted) in [("accepted", true), ("refused", false)] {
            for value in vector.all(field) {
                let nick = String::from_utf8(vector.decode(field, value)).ok();
                let is_nick = nick.is_some_and(|nick| nick.parse::<Nick>().is_ok());
                assert_eq!(is_nick, accepted, "{name}: {value}");
            }
        }
    }
}

#[test]
fn fingerprints() {
    for vector in family("fingerprint") {
        let name = &vector.name;
        let fingerprint = Fingerprint::of(&vector.bytes("spki"));
        assert_eq!(fingerprint.to_string(), vector.get("fingerprint"), "{name}");
        let number = fingerprint.safety_number();
        assert_eq!(number, vector.get("safety_number"), "{name}");
    }
}

#[test]
fn keys() {
    for vector in family("key") {
        let name = &vector.name;
        match PublicKey::from_spki(&vector.bytes("spki")) {
            Ok(key) => {
                vector.expect("accepted");
                assert_eq!(key.bits(), vector.number::<u32>("bits"), "{name}");
                assert_eq!(key.size(), vector.number::<usize>("block"), "{name}");
                let shift: u8 = vector.number("caesar_parameter");
                assert_eq!(key.caesar().shift(), shift, "{name}");
            }
            Err(KeyError::Encoding) => vector.expect("encoding"),
            Err(KeyError::Size) => vector.expect("size"),
            Err(KeyError::Exponent) => vector.expect("exponent"),
        }
    }
}

#[test]
fn oaep() {
    for vector in family("oaep") {
        let key = SessionKey::from_identity(vector.key("session"));
        match key.decrypt(&vector.array::<32>("label"), &vector.bytes("ciphertext")) {
            Some(plain) => {
                vector.expect("opens");
                assert_eq!(plain, vector.bytes("plain"), "{}", vector.name);
            }
            None => vector.expect("cannot open"),
        }
    }
}

#[test]
fn pss() {
    for vector in family("pss") {
        expect_signature(&vector, &vector.bytes("message"));
    }
}

fn expect_signature(vector: &Vector, message: &[u8]) {
    let key = vector.key("key");
    let holds = key.public().verifies(message, &vector.bytes("signature"));
    vector.expect(if holds { "holds" } else { "does not hold" });
}

#[test]
fn possessions() {
    for vector in family("possession") {
        let challenge = Challenge {
            nonce: vector.array("challenge"),
            run: RunId(vector.array("run")),
        };
        let sid = SessionId(vector.array("sid"));
        let signed = challenge.possession(sid, vector.number("received"));
        assert_eq!(signed, vector.bytes("signed"), "{}", vector.name);
        expect_signature(&vector, &signed);
    }
}

#[test]
fn session_ids() {
    for vector in family("session") {
        let identity = Identity {
            key: vector.key("identity"),
            is_lasting: false,
        };
        let session = vector.key("session");
        let card = Card::issue(
            &vector.get("room").parse().unwrap(),
            &vector.get("nick").parse().unwrap(),
            &identity,
            session.public(),
            0,
        );
        assert_eq!(card.sid().0, vector.array("sid"), "{}", vector.name);
    }
}

#[test]
fn commitments() {
    for vector in family("commitment") {
        let text = vector.get("text").to_owned();
        let body = Body::with_nonce(vector.array("nonce"), vector.number("kind"), text);
        let commitment = body.unwrap().commitment();
        assert_eq!(commitment, vector.array("commitment"), "{}", vector.name);
    }
}

#[test]
fn roster_digests() {
    for vector in family("roster") {
        let sids: Vec<SessionId> = vector.arrays("sid").into_iter().map(SessionId).collect();
        let digest = roster_digest(&sids);
        assert_eq!(digest, vector.array("digest"), "{}", vector.name);
    }
}

#[test]
fn chains() {
    for vector in family("chain") {
        let name = &vector.name;
        let run = RunId(vector.array("run"));
        let room = RoomId(vector.array("room"));
        let mut link = Link::start(run, room, vector.number("start"));
        assert_eq!(link.digest, vector.array("beginning"), "{name}");
        let kinds: Vec<u8> = vector.numbers("kind");
        let chain: Vec<[u8; 32]> = vector.arrays("chain");
        let entries: Vec<&str> = vector.all("entry").collect();
        assert_eq!((kinds.len(), chain.len()), (entries.len(), entries.len()));
        for ((kind, entry), expected) in kinds.into_iter().zip(entries).zip(chain) {
            let entry = entry_digest(&vector.decode("entry", entry));
            link = link.then(EntryKind::from_code(kind), &entry);
            assert_eq!(link.digest, expected, "{name}, {}", link.position);
        }
    }
}

#[test]
fn labels() {
    for vector in family("label") {
        let label = seal::label(
            &vector.bytes("header"),
            &vector.array("reader"),
            vector.number("index"),
            vector.number("count"),
        );
        assert_eq!(label, vector.array("label"), "{}", vector.name);
    }
}

#[test]
fn headers() {
    for vector in family("header") {
        let name = &vector.name;
        let bytes = vector.bytes("header");
        let Ok(header) = Header::parse(&bytes) else {
            vector.expect("malformed");
            continue;
        };
        vector.expect("parses");
        let stream = vector.bytes("stream");
        let expected = Header {
            room: RoomId(vector.array("room")),
            sender: SessionId(vector.array("sender")),
            stream: if stream.is_empty() {
                Stream::Room
            } else {
                Stream::Direct(SessionId(vector.to_array("stream", &stream)))
            },
            number: vector.number("number"),
            time: vector.number("time"),
            flags: vector.number("flags"),
            left_out: left_out(&vector),
            claim: vector.claim(),
            commitment: vector.array("commitment"),
        };
        assert_eq!(header, expected, "{name}");
        assert_eq!(header.encode(), bytes, "{name}");
    }
}

fn left_out(vector: &Vector) -> Vec<(SessionId, LeftOutFor)> {
    let sids = vector.arrays("left_out").into_iter().map(SessionId);
    let reasons: Vec<u8> = vector.numbers("reason");
    assert_eq!(sids.len(), reasons.len(), "{}", vector.name);
    sids.zip(reasons.into_iter().map(reason)).collect()
}

fn reason(code: u8) -> LeftOutFor {
    match code {
        0 => LeftOutFor::Coming,
        1 => LeftOutFor::NotKnown,
        2 => LeftOutFor::NotVerified,
        3 => LeftOutFor::OtherIdentity,
        4 => LeftOutFor::StaleKey,
        code => LeftOutFor::Unknown(code),
    }
}

#[test]
fn cards() {
    for vector in family("card") {
        let name = &vector.name;
        let room: RoomName = vector.get("room").parse().unwrap();
        let bytes = vector.bytes("card");
        let as_relay = Card::parse(&bytes, room.id());
        assert_eq!(card_outcome(&as_relay), vector.get("relay"), "{name}");
        let as_member = as_relay.and_then(|card| card.check_mac(&room.key()).map(|()| card));
        vector.expect(card_outcome(&as_member));
        if let Ok(card) = as_member {
            assert_eq!(card.nick().as_str(), vector.get("nick"), "{name}");
            assert_eq!(card.sid().0, vector.array("sid"), "{name}");
            let is_lasting = u8::from(card.is_lasting());
            assert_eq!(is_lasting, vector.number::<u8>("lasting"), "{name}");
            assert_eq!(card.issued(), vector.number::<u64>("issued"), "{name}");
            assert_eq!(card.next(), vector.number::<u64>("next"), "{name}");
            let fingerprint = card.fingerprint().to_string();
            assert_eq!(fingerprint, vector.get("fingerprint"), "{name}");
            assert_eq!(card.past(), past(&vector), "{name}");
        }
    }
}

fn past(vector: &Vector) -> Vec<Stay> {
    let firsts: Vec<u64> = vector.numbers("past_first");
    let runs = vector.arrays("past_run");
    let positions: Vec<u64> = vector.numbers("past_position");
    let chains = vector.arrays("past_chain");
    let rosters = vector.arrays("past_roster");
    let unread: Vec<&str> = vector.all("past_unread").collect();
    let counts = [
        runs.len(),
        positions.len(),
        chains.len(),
        rosters.len(),
        unread.len(),
    ];
    assert_eq!(counts, [firsts.len(); 5], "{}", vector.name);
    let stay = |number: usize| Stay {
        first: firsts[number],
        claim: Claim {
            run: RunId(runs[number]),
            link: Link {
                position: positions[number],
                digest: chains[number],
            },
            roster: rosters[number],
            unread: ranges_in(unread[number]),
        },
    };
    (0..firsts.len()).map(stay).collect()
}

/// The ranges in a line.
fn ranges_in(line: &str) -> Ranges {
    let numbers = line.split_ascii_whitespace();
    let numbers: Vec<u64> = numbers.map(|number| number.parse().unwrap()).collect();
    let (ranges, rest) = numbers.as_chunks();
    assert_eq!(rest, [0; 0], "{line}");
    ranges.iter().map(|[first, last]| (*first, *last)).collect()
}

fn card_outcome(card: &Result<Card, CardError>) -> &'static str {
    match card {
        Ok(_) => "accepted",
        Err(CardError::Malformed) => "malformed",
        Err(CardError::Room) => "room",
        Err(CardError::Nick) => "nick",
        Err(CardError::IdentityKey) => "identity",
        Err(CardError::SessionKey) => "session",
        Err(CardError::Signature) => "signature",
        Err(CardError::Mac) => "mac",
    }
}
