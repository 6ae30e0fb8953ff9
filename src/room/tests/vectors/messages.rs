//! Messages as a member receives them: the family `message`.

use std::time::Duration;

use crate::cipher::encoding::Encoder;
use crate::cipher::keys::{DECRYPTIONS, SessionKey};
use crate::room::card::{Identity, SessionId};
use crate::room::frame::{Challenge, Frame, RelayLimits, RunId};
use crate::room::message::{Header, Kind, OpenError, Stream, audience_digest};
use crate::room::names::{Nick, RoomName};
use crate::room::session::{Event, Now, Policy, Session, Standing};
use crate::room::statement::{Occasion, Statement, ToldEntry};
use crate::room::text::SafeText;

use super::{Vector, family, key_called};

/// The epoch in which bob joined, in the message vectors.
const EPOCH: u64 = 7;
const RUN: RunId = RunId([0x11; 16]);

#[test]
fn messages() {
    let others = ["card_good", "card_of_cara"].map(|name| Vector::read(name).bytes("card"));
    for vector in family("message") {
        let name = &vector.name;
        let mut bob = enter(
            Identity {
                key: key_called("bob_identity"),
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
            let told = match events.last() {
                Some(Event::Message { kind, text, .. }) => Some((*kind, text)),
                Some(Event::Away(_, Some(text))) => Some((Kind::Away, text)),
                _ => None,
            };
            if let Some((kind, text)) = told {
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

#[test]
fn a_thousand_blocks_without_a_valid_signature_cost_no_private_key_operation() {
    let others = ["card_good", "card_of_cara"].map(|name| Vector::read(name).bytes("card"));
    let vector = Vector::read("message_action");
    let identity = Identity {
        key: key_called("bob_identity"),
        is_lasting: false,
    };
    let key = SessionKey::from_identity(vector.key("session"));
    let mut bob = enter(identity, key, &others);
    greet(&mut bob, &vector);
    let [header, signature] = ["header", "signature"].map(|field| vector.bytes(field));
    let forged: Vec<u8> = signature.iter().map(|byte| byte ^ 1).collect();
    let mut decryptions = |signature: &[u8], blocks: usize| {
        let before = DECRYPTIONS.get();
        let frame = deliver(&header, signature, &vec![0x55; 256 * blocks]);
        assert_eq!(bob.receive(&frame, NOW).unwrap().len(), 1);
        DECRYPTIONS.get() - before
    };
    // Also where the number is one that a message can have.
    for blocks in [1024, 20, 1] {
        assert_eq!(decryptions(&forged, blocks), 0, "{blocks}");
    }
    assert_eq!(decryptions(&signature, 20), 1, "with it they are looked at");
}

const NOW: Now = Now {
    time: 0,
    uptime: Duration::ZERO,
};

const POLICY: Policy = Policy {
    at_least: Standing::New,
    rekey_after: Duration::from_hours(1),
};

/// Has the others greet bob, a newcomer, with the numbers that they stand at: each that of its
/// first message in the vectors.
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
            told: vec![ToldEntry {
                reader: bob.card().sid(),
                total: 0,
            }],
            direct: Vec::new(),
            past: Vec::new(),
            unread: Vec::new(),
        };
        let statement = statement.encode();
        let signature = key_called(&format!("{}_identity", person.nick)).sign(&statement);
        let frame = Encoder::default()
            .byte(0x15)
            .string(&statement)
            .string(&signature)
            .finish();
        assert_eq!(bob.receive(&frame, NOW).unwrap(), []);
    }
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
    let limits = RelayLimits {
        members: 10,
        ..RelayLimits::default()
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

/// The type and the fields of a DELIVER frame. No function of the program makes one in one piece.
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
        Event::Away(_, Some(_)) => "away".to_owned(),
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
