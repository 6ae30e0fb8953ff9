//! The vectors in `tests/vectors`, which other implementations made (their README says how).

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::cipher::caesar::Caesar;
use crate::cipher::encoding::Encoder;
use crate::cipher::fingerprint::Fingerprint;
use crate::cipher::keys::{IdentityKey, KeyError, PublicKey, SessionKey};
use crate::cipher::pem::IdentityPem;
use crate::cipher::seal::{self, Body};

use super::card::{Card, CardError, Identity, SessionId};
use super::frame::{Challenge, Frame, Limits, RunId};
use super::message::{Header, Kind, OpenError, Stream, audience_digest, parent_digest};
use super::names::{Nick, RoomName};
use super::session::{Event, Now, Policy, Session, Standing};
use super::statement::{Occasion, Statement, Told};
use super::text::SafeText;

const FAMILIES: [&str; 16] = [
    "audience",
    "caesar",
    "card",
    "commitment",
    "fingerprint",
    "header",
    "key",
    "label",
    "message",
    "nick",
    "oaep",
    "parent",
    "possession",
    "pss",
    "room",
    "session",
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

/// A file's family is the first word of its name.
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

/// A file of `name: value` lines, in their order.
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

    /// The values of a field that may stand there several times.
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

    /// Bytes in hex, or after a `=` the name of the vector that has them in the same field.
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

    /// The key in the file that the field names.
    fn key(&self, field: &str) -> IdentityKey {
        let file = folder().join(format!("keys/{}.pem", self.get(field)));
        let text = std::fs::read_to_string(file)
            .unwrap_or_else(|error| panic!("{}: {field}: {error}", self.name));
        IdentityPem::parse(&text)
            .and_then(|pem| pem.open())
            .unwrap_or_else(|error| panic!("{}: {field}: {error}", self.name))
    }

    /// Fails where what came out is not what the file expects.
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
        let known = ["README.md", "keys"].contains(&&*file) || file.strip_suffix(".txt").is_some();
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
        // A room key is not shown; it is the one that makes the same HMACs.
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
                assert_eq!(key.bits(), vector.number("bits"), "{name}");
                assert_eq!(key.size(), vector.number("block"), "{name}");
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
        match key.decrypt(vector.array("label"), &vector.bytes("ciphertext")) {
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
fn audience_digests() {
    for vector in family("audience") {
        let sids: Vec<SessionId> = vector.arrays("sid").into_iter().map(SessionId).collect();
        let digest = audience_digest(&sids);
        assert_eq!(digest, vector.array("digest"), "{}", vector.name);
    }
}

#[test]
fn parent_digests() {
    for vector in family("parent") {
        let digest = parent_digest(&vector.array("before"), &vector.bytes("header"));
        assert_eq!(digest, vector.array("after"), "{}", vector.name);
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
            room: super::names::RoomId(vector.array("room")),
            sender: SessionId(vector.array("sender")),
            run: RunId(vector.array("run")),
            epoch: vector.number("epoch"),
            stream: if stream.is_empty() {
                Stream::Room
            } else {
                Stream::Direct(SessionId(vector.to_array("stream", &stream)))
            },
            sequence: vector.number("sequence"),
            time: vector.number("time"),
            left_out: vector
                .arrays("left_out")
                .into_iter()
                .map(SessionId)
                .collect(),
            audience: vector.array("audience"),
            seen: vector.number("seen"),
            parent: vector.array("parent"),
            commitment: vector.array("commitment"),
        };
        assert_eq!(header, expected, "{name}");
        assert_eq!(header.encode(), bytes, "{name}");
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
        let as_member = Card::parse_as_member(&bytes, room.id(), &room.key());
        vector.expect(card_outcome(&as_member));
        if let Ok(card) = as_member {
            assert_eq!(card.nick().as_str(), vector.get("nick"), "{name}");
            assert_eq!(card.sid().0, vector.array("sid"), "{name}");
            let is_lasting = u8::from(card.is_lasting());
            assert_eq!(is_lasting, vector.number("lasting"), "{name}");
            assert_eq!(card.issued(), vector.number("issued"), "{name}");
            assert_eq!(card.next(), vector.number("next"), "{name}");
            let fingerprint = card.fingerprint().to_string();
            assert_eq!(fingerprint, vector.get("fingerprint"), "{name}");
        }
    }
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

/// What the relay of the message vectors calls the epoch in which bob joined.
const EPOCH: u64 = 7;
const RUN: RunId = RunId([0x11; 16]);

#[test]
fn messages() {
    let others = ["card_good", "card_of_cara"].map(|name| Vector::read(name).bytes("card"));
    for vector in family("message") {
        let name = &vector.name;
        let mut bob = enter(
            Identity {
                key: identity("bob"),
                is_lasting: false,
            },
            SessionKey::from_identity(vector.key("session")),
            &others,
        );
        greet(&mut bob, &vector);
        let field = |field| vector.all(field).map(move |value| (field, value));
        let texts: Vec<(&str, &str)> = vector.all("kind").zip(vector.all("text")).collect();
        let mut texts = texts.into_iter();
        let mut deliveries = 0;
        for (((header, signature), ciphertext), expected) in field("header")
            .zip(field("signature"))
            .zip(field("ciphertext"))
            .zip(vector.all("expect"))
        {
            let [header, signature, ciphertext] =
                [header, signature, ciphertext].map(|(field, value)| vector.decode(field, value));
            let frame = deliver(&header, &signature, &ciphertext);
            let events = bob.receive(&frame, NOW).unwrap();
            // What the header says of other readers is no outcome for this one.
            let about_this = |event: &&Event| !matches!(event, Event::LeftOthersOut(..));
            let outcomes: Vec<String> = events.iter().filter(about_this).map(outcome).collect();
            let outcome = match &*outcomes.join(", ") {
                "" => "nothing".to_owned(),
                outcomes => outcomes.to_owned(),
            };
            deliveries += 1;
            assert_eq!(outcome, expected, "{name}, delivery {deliveries}");
            if let Some(Event::Message { kind, text, .. }) = events.last() {
                let (expected_kind, expected_text) = texts.next().expect(name);
                assert_eq!(kind.code().to_string(), expected_kind, "{name}");
                assert_eq!(*text, SafeText::new(expected_text), "{name}");
            }
        }
        assert_eq!(deliveries, vector.all("expect").count(), "{name}");
        assert!(deliveries > 0, "{name} delivers nothing");
        assert!(texts.next().is_none(), "{name} has a text that is not told");
    }
}

const NOW: Now = Now {
    time: 0,
    uptime: Duration::ZERO,
};

const POLICY: Policy = Policy {
    at_least: Standing::New,
    rekey_after: Duration::from_hours(1),
};

/// Has the others tell bob, as everybody tells a newcomer first, where their numbers stand: at that
/// of the first message of theirs that is to come.
fn greet(bob: &mut Session, vector: &Vector) {
    let headers: Vec<Header> = vector
        .all("header")
        .filter_map(|header| Header::parse(&vector.decode("header", header)).ok())
        .filter(|header| header.stream == Stream::Room)
        .collect();
    let others = bob.others();
    let mut roster: Vec<SessionId> = others.iter().map(|person| person.sid).collect();
    roster.push(bob.card().sid());
    roster.sort_unstable();
    for person in others {
        let first = headers.iter().find(|header| header.sender == person.sid);
        let statement = Statement {
            room: bob.card().room(),
            sender: person.sid,
            run: RUN,
            epoch: EPOCH,
            roster: audience_digest(&roster),
            seen: 0,
            parent: audience_digest(&roster),
            time: 1,
            occasion: Occasion::Beacon,
            next: first.map_or(0, |header| header.sequence),
            told: vec![Told {
                reader: bob.card().sid(),
                until: 0,
            }],
            direct: Vec::new(),
            past: Vec::new(),
        };
        let statement = statement.encode();
        let signature = identity(person.nick.as_str()).sign(&statement);
        let frame = Encoder::default()
            .byte(0x15)
            .string(&statement)
            .string(&signature)
            .finish();
        assert_eq!(bob.receive(&frame, NOW).unwrap(), []);
    }
}

/// Somebody's identity key.
fn identity(nick: &str) -> IdentityKey {
    let file = folder().join(format!("keys/{nick}_identity.pem"));
    let text = std::fs::read_to_string(file).unwrap();
    IdentityPem::parse(&text).unwrap().open().unwrap()
}

/// Bob's session in the lobby, which the others entered before him.
fn enter(identity: Identity, key: SessionKey, others: &[Vec<u8>]) -> Session {
    let nick: Nick = "bob".parse().unwrap();
    let lobby: RoomName = "lobby".parse().unwrap();
    let mut session = Session::new(identity, key, &nick, &lobby, POLICY, NOW);
    let challenge = Challenge {
        nonce: [0; 32],
        run: RUN,
    };
    let limits = Limits {
        members: 10,
        ..Limits::default()
    };
    let mut frames = vec![
        Frame::challenge(&challenge, &limits),
        Frame::welcome(EPOCH, others.len()),
    ];
    frames.extend(others.iter().map(|card| Frame::member(card)));
    for frame in frames {
        let [_, _, _, _, frame @ ..] = &*frame.encode() else {
            panic!("a frame without a length");
        };
        session.receive(frame, NOW).unwrap();
    }
    assert_eq!(session.others().len(), others.len());
    session
}

/// The type and the fields of a DELIVER frame, which no function of the program's makes in one
/// piece.
fn deliver(header: &[u8], signature: &[u8], ciphertext: &[u8]) -> Vec<u8> {
    Encoder::default()
        .byte(0x11)
        .string(header)
        .string(signature)
        .string(ciphertext)
        .finish()
}

fn outcome(event: &Event) -> String {
    match event {
        Event::Message { direct, kind, .. } => {
            assert!(Kind::from_code(kind.code()).is_some());
            (if *direct { "direct text" } else { "text" }).to_owned()
        }
        Event::LeftOut(_) => "left out".to_owned(),
        Event::OtherView(_) => "other view".to_owned(),
        Event::Missing(_, number) => format!("missing {number}"),
        Event::Stray => "stray".to_owned(),
        Event::Unopened(_, OpenError::Signature) => "signature".to_owned(),
        Event::Unopened(_, OpenError::NotForMe) => "not for this reader".to_owned(),
        Event::Unopened(_, OpenError::NoCiphertext) => "no ciphertext".to_owned(),
        Event::Unopened(_, OpenError::CannotOpen) => "cannot open".to_owned(),
        Event::Unopened(_, OpenError::Kind) => "unknown kind".to_owned(),
        event => format!("{event:?}"),
    }
}
