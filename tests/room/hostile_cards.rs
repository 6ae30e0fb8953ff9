//! A relay that makes up members, and one that breaks the protocol: what a member sees of it, event
//! by event.

use std::sync::OnceLock;

use e2echat::cipher::keys::{IdentityKey, KeySize, PublicKey};
use e2echat::cipher::seal::Body;
use e2echat::room::card::{Card, CardError, Identity, SessionId};
use e2echat::room::chain::{EntryKind, Link, signed_entry};
use e2echat::room::frame::{Departure, Frame, left_entry};
use e2echat::room::message::{Header, Kind, OpenError, SealedMessage, Stream};
use e2echat::room::names::RoomName;
use e2echat::room::roster::Conflict;
use e2echat::room::session::{Disbelief, End, Event};
use e2echat::room::statement::Occasion;

use crate::support::peer::{lobby, session_key};
use crate::support::world::{
    BEACON_PERIOD, Delivery, Insider, Member, SETTLED, World, catch_up, joining, leaving, nick_of,
    payload, said, three,
};

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
    assert_eq!(ada.receive(&joining(bytes)), [Event::Disbelieved(reason)]);
    assert_eq!(ada.session.others().len(), 2);
    let (said_to, frames) = (ada.say("hello"), ada.session.take_outgoing());
    assert_eq!(said_to, Ok(2), "nothing is encrypted for the stranger");
    let sent = frames.iter().flat_map(Frame::encode).collect::<Vec<u8>>();
    assert!(!sent.windows(32).any(|window| window == sid.0));
    // That somebody goes who was not believed to be there is no news.
    assert_eq!(ada.receive(&leaving(sid, Departure::Lost)), []);
    world.say(&mut bob, "still here");
    assert_eq!(catch_up(&mut ada), [said("bob", "still here")]);
}

#[test]
fn a_card_with_another_members_session_key() {
    let (_, mut ada, bob, _) = three();
    let theirs = bob.session.card().session().clone();
    let mallory = card("mallory", &theirs);
    let conflict = Event::Disbelieved(Disbelief::Conflict(Conflict::SessionKey));
    assert_eq!(
        ada.receive(&joining(mallory.bytes())),
        std::slice::from_ref(&conflict)
    );
    assert_eq!(ada.receive(&leaving(mallory.sid(), Departure::Lost)), []);
    // The same with her own.
    let own = ada.session.card().session().clone();
    let mallory = card("mallory", &own);
    assert_eq!(ada.receive(&joining(mallory.bytes())), [conflict]);
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
    let place = 4 + "e2echat/2 card".len() + 32 + 4 + "mallory".len() - 1;
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
    let (world, mut ada, mut bob, _) = three();
    let mallory = card("mallory", session_key(0).public());
    for member in [&mut ada, &mut bob] {
        member.receive(&joining(mallory.bytes()));
    }
    let body = Body::new(Kind::Text.code(), "psst".to_owned()).unwrap();
    let header = Header {
        room: lobby().id(),
        sender: mallory.sid(),
        stream: Stream::Direct(bob.sid()),
        number: 0,
        time: 0,
        flags: 0,
        left_out: Vec::new(),
        claim: world.claim(),
        commitment: body.commitment(),
    };
    let deliver = |member: &Member| {
        let reader = (member.sid(), member.session.card().session());
        let sealed = SealedMessage::seal(&header, &body, &identity().key, &[reader]);
        Delivery {
            header: sealed.header,
            signature: sealed.signature,
            ciphertext: sealed.parcels[0].1.clone(),
            is_entry: false,
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

/// The frame ENTRY, with a ciphertext.
fn entry_with_ciphertext(kind: EntryKind, entry: &[u8]) -> Vec<u8> {
    let mut frame = payload(&Frame::entry(kind, entry));
    *frame.last_mut().expect("the length of a ciphertext") = 1;
    frame.push(0);
    frame
}

#[test]
fn a_relay_that_breaks_the_protocol_is_left() {
    let frames = |ada: &Member| {
        let stranger = SessionId([7; 32]);
        let dora = card("dora", session_key(0).public());
        let nowhere = Link {
            position: 99,
            digest: [0; 32],
        };
        let mut long = left_entry(stranger, Departure::Lost);
        long.push(0);
        vec![
            // It never says that somebody has said goodbye.
            leaving(stranger, Departure::Left),
            leaving(ada.sid(), Departure::Lost),
            payload(&Frame::entry(EntryKind::Left, &long)),
            payload(&Frame::entry(EntryKind::Message, b"not two fields")),
            payload(&Frame::entry(EntryKind::Statement, b"not two fields")),
            payload(&Frame::entry(EntryKind::Goodbye, b"")),
            entry_with_ciphertext(EntryKind::Joined, dora.bytes()),
            entry_with_ciphertext(EntryKind::Left, &left_entry(stranger, Departure::Lost)),
            entry_with_ciphertext(EntryKind::Rekeyed, dora.bytes()),
            entry_with_ciphertext(EntryKind::Statement, &signed_entry(b"", b"")),
            entry_with_ciphertext(EntryKind::Goodbye, &signed_entry(b"", b"")),
            // Nothing of hers is on its way.
            payload(&Frame::own()),
            payload(&Frame::refused(11)),
            payload(&Frame::ack(9)),
            payload(&Frame::welcome(&nowhere, 0, 0)),
            payload(&Frame::member(dora.bytes())),
            // What a client sends.
            payload(&Frame::rekey(dora.bytes())),
        ]
    };
    let mut number = 0;
    loop {
        let mut world = World::new();
        let mut ada = world.enter("ada").expect("there is room");
        world.pass(SETTLED, [&mut ada]);
        let frames = frames(&ada);
        let Some(frame) = frames.get(number) else {
            break;
        };
        assert_eq!(ada.ends(frame), End::Malformed, "{number}");
        number += 1;
    }
    // What is new to her alone is none of it, and is told once.
    let mut world = World::new();
    let mut ada = world.enter("ada").expect("there is room");
    catch_up(&mut ada);
    for expected in [vec![Event::NewerRelay], vec![]] {
        let strange = entry_with_ciphertext(EntryKind::Unknown(9), b"of tomorrow");
        assert_eq!(ada.receive(&strange), expected);
    }
}

#[test]
fn positions_come_to_an_end() {
    let mut ada = World::new().enter("ada").expect("there is room");
    let _ = ada.intercept();
    let last = Link {
        position: (1 << 63) - 2,
        digest: [0; 32],
    };
    let [entered] = &ada.receive(&payload(&Frame::welcome(&last, 0, 0)))[..] else {
        panic!("alone");
    };
    assert_eq!(*entered, Event::Entered(vec![]));
    let dora = card("dora", session_key(0).public());
    assert_eq!(ada.ends(&joining(dora.bytes())), End::Malformed);
    // Nor does an own entry go beyond.
    let mut ada = World::new().enter("ada").expect("there is room");
    let _ = ada.intercept();
    ada.receive(&payload(&Frame::welcome(&last, 0, 0)));
    assert!(!ada.session.take_outgoing().is_empty());
    assert_eq!(ada.ends(&payload(&Frame::own())), End::Malformed);
}

#[test]
fn a_welcome_to_the_last_position_with_another_digest() {
    for is_other in [false, true] {
        let mut world = World::new();
        let mut ada = world.enter("ada").expect("there is room");
        world.pass(SETTLED, [&mut ada]);
        let mut place = world.link();
        place.digest[0] ^= u8::from(is_other);
        ada.disconnect();
        assert_eq!(ada.receive(&world.challenge()), []);
        let welcome = payload(&Frame::welcome(&place, 0, 0));
        if is_other {
            assert_eq!(ada.ends(&welcome), End::Malformed);
        } else {
            assert!(matches!(
                ada.receive(&welcome)[..],
                [Event::Returned { .. }]
            ));
        }
    }
}

#[test]
fn more_come_than_the_relay_has_promised() {
    // The room is for four.
    let (_, mut ada, ..) = three();
    let dora = card("dora", session_key(0).public());
    let eve = card("eve", session_key(1).public());
    assert!(matches!(
        ada.receive(&joining(dora.bytes())).as_slice(),
        [Event::Joined(_)]
    ));
    assert_eq!(ada.ends(&joining(eve.bytes())), End::Malformed);
}

#[test]
fn more_come_than_the_relay_has_promised_who_are_not_believed() {
    let (_, mut ada, ..) = three();
    let doubles = ["BOB", "b0b", "CAR0L"].map(|nick| card(nick, session_key(0).public()));
    let [one, two, three] = &doubles;
    let disbelieved = [Event::Disbelieved(Disbelief::Conflict(Conflict::Nick))];
    assert_eq!(ada.receive(&joining(one.bytes())), disbelieved);
    // Where one goes, there is room for another.
    assert_eq!(ada.receive(&leaving(one.sid(), Departure::Lost)), []);
    assert_eq!(ada.receive(&joining(two.bytes())), disbelieved);
    assert_eq!(ada.ends(&joining(three.bytes())), End::Malformed);
}

/// An honest relay cannot see who does not know the name of the room: its places are taken and become
/// free like those of others.
#[test]
fn those_who_are_not_believed_come_and_go_under_an_honest_relay() {
    let (mut world, mut ada, mut bob, mut carol) = three();
    for round in 0..6 {
        let mut stranger = Insider::without_the_name("mallory");
        world.admit_insider(&mut stranger);
        if round == 2 {
            let key = session_key(2).public();
            let card = stranger.successor_without_the_name(key);
            world.rekey_insider(&mut stranger, card);
        }
        if round % 2 == 0 {
            let goodbye = stranger.statement(&world, Occasion::Goodbye);
            let frame = stranger.state(&goodbye);
            world.pass_on_from(&mut stranger, vec![frame]);
        } else {
            world.lose_insider(&stranger);
        }
    }
    let noticed = world.pass(BEACON_PERIOD, [&mut ada, &mut bob, &mut carol]);
    let disbelieved = Event::Disbelieved(Disbelief::Card(CardError::Mac));
    for events in noticed {
        assert!(
            events.iter().all(|event| *event == disbelieved),
            "{events:?}"
        );
        assert_eq!(events.len(), 6 + 1);
    }
}

/// Whether a card is accepted follows from it and from who is there now: whoever was there before
/// decides like a newcomer.
#[test]
fn what_a_departed_member_had_may_be_had_again_and_all_agree() {
    let (mut world, mut ada, mut bob, mut carol) = three();
    let before = carol.session.card().clone();
    world.leave(&mut carol);
    // Her very session key, under another nick.
    let mut mallory = Insider::new("mallory");
    mallory.card = Card::issue(
        &lobby(),
        &nick_of("mallory"),
        &mallory.identity,
        before.session(),
        0,
    );
    world.admit_insider(&mut mallory);
    let mut dave = world.enter("dave").expect("there is room");
    let [a, b, d] = world.pass(BEACON_PERIOD, [&mut ada, &mut bob, &mut dave]);
    for events in [&a, &b] {
        assert!(
            matches!(
                events.as_slice(),
                [Event::Left { .. }, Event::Joined(_), Event::Joined(_)]
            ),
            "{events:?}"
        );
    }
    assert!(
        matches!(d.as_slice(), [Event::Entered(people)] if people.len() == 3),
        "{d:?}"
    );
    world.lose_insider(&mallory);
    // And so it is after a restart, of which the relay remembers nothing.
    world.restart();
    mallory.intercept();
    world.admit_insider(&mut mallory);
    for member in [&mut ada, &mut bob, &mut dave] {
        world.enter_again(member).expect("there is room");
    }
    let noticed = world.pass(BEACON_PERIOD, [&mut ada, &mut bob, &mut dave]);
    for events in noticed {
        let is_fine = |event: &Event| {
            matches!(
                event,
                Event::Returned { .. } | Event::Back(_) | Event::Left { .. }
            )
        };
        assert!(events.iter().all(is_fine), "{events:?}");
    }
    for member in [&ada, &bob, &dave] {
        let others = member.session.others();
        let present = others.iter().filter(|it| it.is_present).count();
        assert_eq!(present, 2, "all but Mallory, who says nothing: {others:?}");
    }
}
