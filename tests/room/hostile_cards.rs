//! A relay that makes up members, and one that breaks the protocol: what a member sees of it, event
//! by event.

use std::sync::OnceLock;

use e2echat::cipher::keys::{IdentityKey, KeySize, PublicKey};
use e2echat::cipher::seal::Body;
use e2echat::room::card::{Card, CardError, Identity, SessionId};
use e2echat::room::frame::{Departure, Frame, RunId};
use e2echat::room::message::{Header, Kind, OpenError, SealedMessage, Stream, audience_digest};
use e2echat::room::names::RoomName;
use e2echat::room::roster::Conflict;
use e2echat::room::session::{Disbelief, End, Event};

use crate::support::peer::{lobby, session_key};
use crate::support::world::{Delivery, Member, World, catch_up, nick_of, payload, said, three};

fn unopened(nick: &str, error: OpenError) -> Event {
    Event::Unopened(nick_of(nick), error)
}

/// Whose cards the relay makes up.
fn identity() -> &'static Identity {
    static IDENTITY: OnceLock<Identity> = OnceLock::new();
    IDENTITY.get_or_init(|| Identity {
        key: IdentityKey::generate(KeySize::Bits2048),
        is_lasting: true,
    })
}

/// A card for the lobby.
fn card(nick: &str, session: &PublicKey) -> Card {
    Card::issue(&lobby(), &nick_of(nick), identity(), session, 0)
}

/// Has the relay present a card to Ada, and checks that she believes none of it.
#[track_caller]
fn assert_disbelieved(bytes: &[u8], sid: SessionId, reason: Disbelief) {
    let (mut world, mut ada, mut bob, _) = three();
    let joined = payload(&Frame::joined(world.epoch() + 1, bytes));
    assert_eq!(ada.receive(&joined), [Event::Disbelieved(reason)]);
    assert_eq!(ada.session.others().len(), 2);
    let (said_to, frames) = (ada.say("hello"), ada.session.take_outgoing());
    assert_eq!(said_to, Ok(2), "nothing is encrypted for the stranger");
    let sent = frames.iter().flat_map(Frame::encode).collect::<Vec<u8>>();
    assert!(!sent.windows(32).any(|window| window == sid.0));
    // That somebody goes who was not believed to be there is no news.
    let left = payload(&Frame::left(world.epoch() + 2, sid, Departure::Left));
    assert_eq!(ada.receive(&left), []);
    world.say(&mut bob, "still here");
    assert_eq!(catch_up(&mut ada), [said("bob", "still here")]);
}

#[test]
fn a_card_with_another_members_session_key() {
    let (world, mut ada, bob, _) = three();
    let theirs = bob.session.card().session().clone();
    let mallory = card("mallory", &theirs);
    let joined = payload(&Frame::joined(world.epoch() + 1, mallory.bytes()));
    let conflict = Disbelief::Conflict(Conflict::SessionKey);
    assert_eq!(ada.receive(&joined), [Event::Disbelieved(conflict)]);
    // The same with her own.
    let own = ada.session.card().session().clone();
    let mallory = card("mallory", &own);
    let joined = payload(&Frame::joined(world.epoch() + 2, mallory.bytes()));
    assert_eq!(ada.receive(&joined), [Event::Disbelieved(conflict)]);
    assert_eq!(ada.say("hello"), Ok(2));
}

#[test]
fn a_card_with_a_nick_that_looks_like_a_members_or_ones_own() {
    for nick in ["BOB", "b0b", "Ada", "CAR0L"] {
        let double = card(nick, session_key(0).public());
        let conflict = Disbelief::Conflict(Conflict::Nick);
        assert_disbelieved(double.bytes(), double.sid(), conflict);
    }
}

#[test]
fn a_card_by_somebody_who_does_not_know_the_name_of_the_room() {
    let good = card("mallory", session_key(0).public());
    // The MAC has its place before the signature: 32 bytes before 4 and 256.
    let place = good.bytes().len() - 4 - 256 - 32;
    let mut bytes = good.bytes()[..place].to_vec();
    let guessed: RoomName = "lobbi".parse().unwrap();
    let mac = guessed.key().mac(&bytes);
    bytes.extend(mac);
    let signature = identity().key.sign(&bytes);
    bytes.extend(256_u32.to_be_bytes());
    bytes.extend(signature);
    assert_disbelieved(&bytes, good.sid(), Disbelief::Card(CardError::Mac));
}

#[test]
fn a_card_that_the_relay_has_changed() {
    let good = card("mallory", session_key(0).public());
    let mut bytes = good.bytes().to_vec();
    // The last bit of the nick.
    let place = 4 + "e2echat/1 card".len() + 32 + 4 + "mallory".len() - 1;
    assert_eq!(bytes[place], b'y');
    bytes[place] ^= 1;
    assert_disbelieved(&bytes, good.sid(), Disbelief::Card(CardError::Signature));
}

#[test]
fn a_card_for_another_room() {
    let attic: RoomName = "attic".parse().unwrap();
    let nick = nick_of("mallory");
    let other = Card::issue(&attic, &nick, identity(), session_key(0).public(), 0);
    assert_disbelieved(other.bytes(), other.sid(), Disbelief::Card(CardError::Room));
}

#[test]
fn a_bad_card_in_the_roster_that_a_newcomer_gets() {
    let mut world = World::new();
    let ada = world.enter("ada").expect("there is room");
    let mut bob = world.enter("bob").expect("there is room");
    let mut frames = bob.intercept();
    assert_eq!(frames.len(), 2, "a welcome and a card");
    let last = frames[1].last_mut().unwrap();
    *last ^= 1;
    assert_eq!(bob.receive(&frames[0]), []);
    let disbelieved = Event::Disbelieved(Disbelief::Card(CardError::Signature));
    assert_eq!(
        bob.receive(&frames[1]),
        [disbelieved, Event::Entered(vec![])]
    );
    assert_eq!(ada.intercept().len(), 2);
}

#[test]
fn a_direct_message_passed_to_somebody_else() {
    let (world, mut ada, mut bob, carol) = three();
    let mallory = card("mallory", session_key(0).public());
    let joined = payload(&Frame::joined(world.epoch() + 1, mallory.bytes()));
    ada.receive(&joined);
    bob.receive(&joined);
    let body = Body::new(Kind::Text.code(), "psst".to_owned()).unwrap();
    let mut both = [mallory.sid(), bob.sid()];
    both.sort_unstable();
    let mut roster = [mallory.sid(), ada.sid(), bob.sid(), carol.sid()];
    roster.sort_unstable();
    let header = Header {
        room: lobby().id(),
        sender: mallory.sid(),
        run: RunId([2; 16]),
        epoch: world.epoch() + 1,
        stream: Stream::Direct(bob.sid()),
        sequence: 0,
        time: 0,
        left_out: Vec::new(),
        audience: audience_digest(&both),
        seen: 0,
        parent: audience_digest(&roster),
        commitment: body.commitment(),
    };
    let deliver = |member: &Member| {
        let reader = (member.sid(), member.session.card().session());
        let sealed = SealedMessage::seal(&header, &body, &identity().key, &[reader], &[]);
        Delivery {
            header: sealed.header,
            signature: sealed.signature,
            ciphertext: sealed.parcels[0].1.clone(),
        }
        .frame()
    };
    // Even where its author encrypts it for her too.
    assert_eq!(
        ada.receive(&deliver(&ada)),
        [unopened("mallory", OpenError::NotForMe)]
    );
    let events = bob.receive(&deliver(&bob));
    assert!(
        matches!(events.as_slice(), [Event::Message { direct: true, .. }]),
        "{events:?}"
    );
}

#[test]
fn a_relay_that_breaks_the_protocol_is_left() {
    let frames = |epoch| {
        let stranger = SessionId([7; 32]);
        [
            Frame::left(epoch, stranger, Departure::Left),
            Frame::left(epoch + 2, stranger, Departure::Left),
            Frame::joined(epoch + 2, card("dora", session_key(0).public()).bytes()),
            Frame::ack(9),
            Frame::welcome(epoch, 0),
            Frame::leave(),
        ]
    };
    for number in 0..6 {
        let mut world = World::new();
        let mut ada = world.enter("ada").expect("there is room");
        catch_up(&mut ada);
        let frame = &frames(world.epoch())[number];
        assert_eq!(ada.ends(&payload(frame)), End::Malformed, "{frame:?}");
    }
}
