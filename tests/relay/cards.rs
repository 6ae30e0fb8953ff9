//! Cards that a relay must refuse, each with the reason, while the others chat on.

use e2echat::cipher::keys::IdentityKey;
use e2echat::room::card::{SessionId, Stay};
use e2echat::room::chain::{Claim, Link};
use e2echat::room::frame::{Frame, RunId, ToClient};
use e2echat::room::names::RoomId;
use e2echat::room::notice::Notice;

use crate::support::peer::{CardFields, Member, Peer, identity, lobby, session_key};
use crate::support::process::{Client, Relay};

const RSA_1024: &[u8] = include_bytes!("../keys/rsa_1024.der");
const RSA_8192: &[u8] = include_bytes!("../keys/rsa_8192.der");
const EXPONENT_3: &[u8] = include_bytes!("../keys/rsa_exponent_3.der");
const PSS: &[u8] = include_bytes!("../keys/rsa_pss.der");

fn good() -> CardFields {
    CardFields::new("mallory", identity(0), session_key(0).public())
}

/// Presents a card with a proof of possession that is right for these fields.
#[track_caller]
fn assert_refused(card: &[u8], sid: SessionId, expected: Notice) {
    let relay = Relay::start(&[]);
    let ada = Client::join(relay.address(), "ada", &[]);
    let mut peer = Peer::connect(relay.address());
    peer.present(card, sid, identity(0));
    peer.assert_told(expected);
    let mut bob = Client::join(relay.address(), "bob", &[]);
    bob.say("hello");
    ada.wait_for_message("bob", "hello");
    assert_eq!(ada.warnings(), [""; 0]);
    assert!(ada.lines().iter().all(|line| !line.contains("mallory")));
}

/// Presents a card that is signed rightly, whatever else is wrong with it.
#[track_caller]
fn assert_fields_refused(fields: &CardFields, expected: Notice) {
    assert_refused(&fields.sign(identity(0)), fields.sid(), expected);
}

#[test]
fn the_card_that_the_others_are_variations_of_is_accepted() {
    let relay = Relay::start(&[]);
    let ada = Client::join(relay.address(), "ada", &[]);
    let mut mallory = Member::join(relay.address(), "mallory", 0);
    let (header, body) = mallory.compose(0, "hello");
    let message = mallory.seal(&header, &body);
    mallory.send(message);
    ada.wait_for_message("mallory", "hello");
}

#[test]
fn a_wrong_signature() {
    let mut card = good().sign(identity(0));
    *card.last_mut().unwrap() ^= 1;
    assert_refused(&card, good().sid(), Notice::CardSignature);
}

#[test]
fn a_signature_by_another_identity() {
    let card = good().sign(identity(1));
    assert_refused(&card, good().sid(), Notice::CardSignature);
}

#[test]
fn a_signature_of_another_card() {
    let mut other = good();
    other.nick = b"trudy".to_vec();
    let signature = identity(0).sign(&other.unsigned());
    let mut card = good().unsigned();
    card.extend(u32::try_from(signature.len()).unwrap().to_be_bytes());
    card.extend(signature);
    assert_refused(&card, good().sid(), Notice::CardSignature);
}

#[test]
fn an_empty_signature() {
    let mut card = good().unsigned();
    card.extend([0; 4]);
    assert_refused(&card, good().sid(), Notice::CardSignature);
}

/// With `key` in the place of the identity key, and then of the session key.
#[track_caller]
fn assert_key_refused(key: &[u8]) {
    let as_identity = CardFields {
        identity: key.to_vec(),
        ..good()
    };
    assert_fields_refused(&as_identity, Notice::CardIdentityKey);
    let as_session = CardFields {
        session: key.to_vec(),
        ..good()
    };
    assert_fields_refused(&as_session, Notice::CardSessionKey);
}

#[test]
fn keys_of_1024_bits() {
    assert_key_refused(RSA_1024);
}

#[test]
fn keys_of_8192_bits() {
    assert_key_refused(RSA_8192);
}

#[test]
fn keys_with_the_exponent_3() {
    assert_key_refused(EXPONENT_3);
}

#[test]
fn keys_under_the_object_identifier_of_pss() {
    assert_key_refused(PSS);
}

#[test]
fn keys_with_a_trailing_byte() {
    let mut key = session_key(1).public().spki().to_vec();
    key.push(0);
    assert_key_refused(&key);
}

#[test]
fn keys_that_are_empty_or_no_der() {
    assert_key_refused(b"");
    assert_key_refused(&[0x30; 294]);
}

#[test]
fn a_trailing_byte() {
    let mut card = good().sign(identity(0));
    card.push(0);
    assert_refused(&card, good().sid(), Notice::CardMalformed);
}

#[test]
fn a_missing_byte() {
    let mut card = good().sign(identity(0));
    card.pop();
    assert_refused(&card, good().sid(), Notice::CardMalformed);
}

#[test]
fn nothing_at_all() {
    assert_refused(b"", good().sid(), Notice::CardMalformed);
}

#[test]
fn a_later_generation_without_a_previous_one() {
    let fields = CardFields {
        generation: 1,
        ..good()
    };
    assert_fields_refused(&fields, Notice::CardMalformed);
}

#[test]
fn a_first_generation_with_a_previous_one() {
    let fields = CardFields {
        previous: [1; 32],
        first: [1; 32],
        ..good()
    };
    assert_fields_refused(&fields, Notice::CardMalformed);
}

/// A stay that ended at this position, with so many messages that did not open, each apart from the
/// others.
fn stay(first: u64, last: u64, unread: u64) -> Stay {
    let claim = Claim {
        run: RunId([5; 16]),
        link: Link {
            position: last,
            digest: [6; 32],
        },
        roster: [7; 32],
        unread: (0..unread).map(|it| (2 * it, 2 * it)).collect(),
    };
    Stay { first, claim }
}

#[test]
fn more_stays_than_a_card_tells_of_and_stays_that_cannot_be() {
    let cases = [
        vec![stay(1, 99, 0); 9],
        vec![stay(100, 99, 0)],
        vec![stay(1, 199, 33)],
        // What was not read is not above the position that the signer had come to.
        vec![stay(1, 2, 3)],
    ];
    for past in cases {
        let fields = CardFields { past, ..good() };
        assert_fields_refused(&fields, Notice::CardMalformed);
    }
}

#[test]
fn as_many_stays_as_a_card_tells_of() {
    let relay = Relay::start(&[]);
    let past = vec![stay(1, 199, 32); 8];
    let fields = CardFields { past, ..good() };
    let mut peer = Peer::connect(relay.address());
    peer.present(&fields.sign(identity(0)), fields.sid(), identity(0));
    let frame = peer.read().expect("a welcome");
    let welcome = ToClient::parse(&frame);
    assert!(matches!(welcome, Ok(ToClient::Welcome(_))), "{welcome:?}");
    // A card that follows has none, as all who read it were there.
    let next = CardFields {
        generation: 1,
        previous: fields.sid().0,
        ..CardFields::new("mallory", identity(0), session_key(1).public())
    };
    let told = CardFields {
        past: vec![stay(1, 99, 0)],
        ..next
    };
    let rekey = Frame::rekey(&told.sign(identity(0)));
    assert!(peer.write(&rekey.encode()));
    peer.assert_told(Notice::Malformed);
}

#[test]
fn another_rooms_id() {
    let fields = CardFields {
        room: RoomId([1; 32]),
        ..good()
    };
    assert_fields_refused(&fields, Notice::CardRoom);
}

#[test]
fn bad_nicks() {
    let long = [b'a'; 25];
    let nicks: [&[u8]; 6] = [b"", &long, b"a da", b"\x1b[2J", "аda".as_bytes(), b"\xff"];
    for nick in nicks {
        let fields = CardFields {
            nick: nick.to_vec(),
            ..good()
        };
        assert_fields_refused(&fields, Notice::CardNick);
    }
}

#[test]
fn a_card_of_somebody_elses_without_the_proof_of_possession() {
    // The card is right in itself; whoever presents it has another identity.
    let fields = CardFields::new("trudy", identity(1), session_key(1).public());
    assert_refused(&fields.sign(identity(1)), fields.sid(), Notice::Possession);
}

#[test]
fn a_proof_of_possession_that_was_made_for_another_connection() {
    let relay = Relay::start(&[]);
    let proof = {
        let mut earlier = Peer::connect(relay.address());
        let challenge = earlier.knock(lobby().id());
        identity(0).sign(&challenge.possession(good().sid(), 0))
    };
    let mut peer = Peer::connect(relay.address());
    peer.knock(lobby().id());
    peer.write(&Frame::hello(&good().sign(identity(0)), None, 0, 300, &proof).encode());
    peer.assert_told(Notice::Possession);
}

/// Presents a card to a room in which mallory is, with the shared keys of number 0.
#[track_caller]
fn assert_refused_beside_mallory(fields: &CardFields, signer: &IdentityKey, expected: Notice) {
    let relay = Relay::start(&[]);
    let mut mallory = Member::join(relay.address(), "mallory", 0);
    let mut peer = Peer::connect(relay.address());
    peer.present(&fields.sign(signer), fields.sid(), signer);
    peer.assert_told(expected);
    // Nothing was said of it to the one who is there: what comes first is the answer to this.
    mallory.peer.write(&Frame::ping().encode());
    let frame = mallory.peer.read().expect("an answer");
    assert_eq!(ToClient::parse(&frame), Ok(ToClient::Ack(0)));
}

#[test]
fn a_session_key_that_is_in_the_room_already() {
    let fields = CardFields::new("trudy", identity(1), session_key(0).public());
    assert_refused_beside_mallory(&fields, identity(1), Notice::KeyTaken);
}

#[test]
fn the_same_identity_again_takes_its_own_place() {
    let relay = Relay::start(&[]);
    let mut before = Member::join(relay.address(), "mallory", 0);
    let now = Member::join(relay.address(), "mallory", 0);
    assert_eq!(now.others.len(), 0);
    before.peer.assert_told(Notice::Replaced);
}

#[test]
fn a_nick_that_looks_like_one_that_is_taken() {
    let fields = CardFields::new("MA1IORY", identity(1), session_key(1).public());
    assert_refused_beside_mallory(&fields, identity(1), Notice::NickTaken);
}
