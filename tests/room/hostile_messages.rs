//! A relay that tampers with the messages it passes on: what each member sees of it, event by
//! event. Whatever was signed rightly uses its place in the order up, opened or not.

use e2echat::cipher::keys::{IdentityKey, KeySize};
use e2echat::room::card::{Card, Identity, SessionId};
use e2echat::room::frame::{Departure, Frame};
use e2echat::room::message::{Header, OpenError};
use e2echat::room::session::Event;

use crate::support::peer::{lobby, session_key};
use crate::support::world::{BEACON_PERIOD, catch_up, left, nick_of, payload, said, three};

fn unopened(nick: &str, error: OpenError) -> Event {
    Event::Unopened(nick_of(nick), error)
}

#[test]
fn a_flipped_bit_in_what_is_signed_and_in_the_signature() {
    let (mut world, mut ada, mut bob, _) = three();
    world.say(&mut ada, "hello");
    let message = bob.intercept_message();
    // The last bytes of a header are those of its commitment.
    let mut header = message.clone();
    *header.header.last_mut().unwrap() ^= 1;
    assert_eq!(
        bob.receive(&header.frame()),
        [unopened("ada", OpenError::Signature)]
    );
    let mut signature = message.clone();
    signature.signature[100] ^= 0x10;
    assert_eq!(
        bob.receive(&signature.frame()),
        [unopened("ada", OpenError::Signature)]
    );
    // Nobody signed that, so it was not remembered: the message itself is still taken.
    assert_eq!(bob.receive(&message.frame()), [said("ada", "hello")]);
}

#[test]
fn a_flipped_bit_in_the_ciphertext() {
    let (mut world, mut ada, mut bob, _) = three();
    for place in [0, 128, 255] {
        world.say(&mut ada, "hello");
        let mut message = bob.intercept_message();
        message.ciphertext[place] ^= 1;
        assert_eq!(
            bob.receive(&message.frame()),
            [unopened("ada", OpenError::CannotOpen)]
        );
    }
    world.say(&mut ada, "still here");
    assert_eq!(catch_up(&mut bob), [said("ada", "still here")]);
}

#[test]
fn a_ciphertext_that_is_shortened_lengthened_or_has_blocks_swapped() {
    let (mut world, mut ada, mut bob, _) = three();
    let text = "a".repeat(300);
    for case in 0..5 {
        world.say(&mut ada, &text);
        let mut message = bob.intercept_message();
        assert_eq!(message.ciphertext.len(), 512);
        let (first, second) = message.ciphertext.split_at(256);
        message.ciphertext = match case {
            0 => first.to_vec(),
            1 => message.ciphertext[..511].to_vec(),
            2 => [first, second, first].concat(),
            3 => [second, first].concat(),
            _ => vec![0; 256 * 100],
        };
        assert_eq!(
            bob.receive(&message.frame()),
            [unopened("ada", OpenError::CannotOpen)]
        );
    }
    world.say(&mut ada, &text);
    assert_eq!(catch_up(&mut bob), [said("ada", &text)]);
}

#[test]
fn a_signature_moved_to_another_message() {
    let (mut world, mut ada, mut bob, _) = three();
    world.say(&mut ada, "yes");
    let yes = bob.intercept_message();
    world.say(&mut ada, "no");
    let no = bob.intercept_message();
    let mut moved = no.clone();
    moved.signature.clone_from(&yes.signature);
    assert_eq!(
        bob.receive(&moved.frame()),
        [unopened("ada", OpenError::Signature)]
    );
    assert_eq!(bob.receive(&yes.frame()), [said("ada", "yes")]);
    assert_eq!(bob.receive(&no.frame()), [said("ada", "no")]);
}

#[test]
fn a_ciphertext_moved_to_another_message() {
    let (mut world, mut ada, mut bob, _) = three();
    world.say(&mut ada, "yes");
    let yes = bob.intercept_message();
    world.say(&mut ada, "no");
    let mut no = bob.intercept_message();
    no.ciphertext.clone_from(&yes.ciphertext);
    assert_eq!(bob.receive(&yes.frame()), [said("ada", "yes")]);
    assert_eq!(
        bob.receive(&no.frame()),
        [unopened("ada", OpenError::CannotOpen)]
    );
}

#[test]
fn a_ciphertext_delivered_to_the_wrong_member() {
    let (mut world, mut ada, mut bob, mut carol) = three();
    world.say(&mut ada, "hello");
    let (for_bob, for_carol) = (bob.intercept_message(), carol.intercept_message());
    assert_ne!(for_bob.ciphertext, for_carol.ciphertext);
    assert_eq!(
        carol.receive(&for_bob.frame()),
        [unopened("ada", OpenError::CannotOpen)]
    );
    assert_eq!(bob.receive(&for_bob.frame()), [said("ada", "hello")]);
}

#[test]
fn ones_own_message_comes_back_once_and_unchanged() {
    let (mut world, mut ada, ..) = three();
    world.say(&mut ada, "hello");
    let own = ada.intercept_message();
    assert_eq!(own.ciphertext, [0; 0]);
    assert_eq!(ada.receive(&own.frame()), []);
    assert_eq!(ada.receive(&own.frame()), [Event::Stray]);
    world.say(&mut ada, "again");
    let mut own = ada.intercept_message();
    *own.header.last_mut().unwrap() ^= 1;
    assert_eq!(ada.receive(&own.frame()), [Event::Stray]);
}

#[test]
fn two_members_are_shown_two_messages_in_different_orders() {
    let (mut world, mut ada, mut bob, mut carol) = three();
    world.say(&mut ada, "one");
    world.say(&mut bob, "two");
    let mut frames = ada.intercept();
    frames.reverse();
    ada.deliver(frames);
    assert_eq!(catch_up(&mut ada), [said("bob", "two")]);
    world.say(&mut ada, "three");
    let other = Event::OtherView(nick_of("ada"));
    assert_eq!(
        catch_up(&mut carol),
        [
            said("ada", "one"),
            said("bob", "two"),
            other,
            said("ada", "three")
        ]
    );
    // One warning an epoch is enough.
    world.say(&mut ada, "four");
    assert_eq!(catch_up(&mut carol), [said("ada", "four")]);
}

#[test]
fn a_ghost_is_shown_to_one_member_alone() {
    let (mut world, mut ada, mut bob, _) = three();
    let identity = Identity {
        key: IdentityKey::generate(KeySize::Bits2048),
        is_lasting: false,
    };
    let ghost = Card::issue(
        &lobby(),
        &nick_of("ghost"),
        &identity,
        session_key(0).public(),
        0,
    );
    let joined = Frame::joined(world.epoch() + 1, ghost.bytes());
    let events = ada.receive(&payload(&joined));
    assert!(
        matches!(events.as_slice(), [Event::Joined(_)]),
        "{events:?}"
    );
    assert_eq!(world.say(&mut ada, "hello"), 3);
    let other = Event::OtherView(nick_of("ada"));
    assert_eq!(catch_up(&mut bob), [other, said("ada", "hello")]);
}

#[test]
fn a_member_is_hidden_from_one_of_the_others() {
    let (mut world, mut ada, mut bob, carol) = three();
    let forged = Frame::left(world.epoch() + 1, carol.sid(), Departure::Left);
    let gone = left("carol", Departure::Left, false);
    assert_eq!(ada.receive(&payload(&forged)), [gone]);
    assert_eq!(world.say(&mut ada, "without her"), 1);
    let other = Event::OtherView(nick_of("ada"));
    assert_eq!(catch_up(&mut bob), [other, said("ada", "without her")]);
}

#[test]
fn a_message_without_its_ciphertext() {
    let (mut world, mut ada, mut bob, _) = three();
    world.say(&mut ada, "hello");
    let mut message = bob.intercept_message();
    message.ciphertext.clear();
    assert_eq!(
        bob.receive(&message.frame()),
        [unopened("ada", OpenError::NoCiphertext)]
    );
}

#[test]
fn a_message_put_under_another_members_name() {
    let (mut world, mut ada, mut bob, carol) = three();
    world.say(&mut ada, "hello");
    let mut message = bob.intercept_message();
    let mut header = Header::parse(&message.header).unwrap();
    header.sender = carol.sid();
    message.header = header.encode();
    assert_eq!(
        bob.receive(&message.frame()),
        [unopened("carol", OpenError::Signature)]
    );
    header.sender = SessionId([7; 32]);
    message.header = header.encode();
    assert_eq!(bob.receive(&message.frame()), [Event::Stray]);
}

#[test]
fn a_replayed_message_is_dropped() {
    let (mut world, mut ada, mut bob, _) = three();
    world.say(&mut ada, "pay 10");
    let message = bob.intercept_message().frame();
    assert_eq!(bob.receive(&message), [said("ada", "pay 10")]);
    assert_eq!(bob.receive(&message), []);
    world.say(&mut ada, "done");
    assert_eq!(catch_up(&mut bob), [said("ada", "done")]);
    assert_eq!(bob.receive(&message), []);
}

#[test]
fn what_is_old_is_dropped_unverified_and_hides_no_second_message_for_its_place() {
    let (mut world, mut ada, mut bob, _) = three();
    world.say(&mut ada, "pay 10");
    let mut message = bob.intercept_message();
    assert_eq!(bob.receive(&message.frame()), [said("ada", "pay 10")]);
    let flip = |bytes: &mut Vec<u8>| bytes.last_mut().map(|byte| *byte ^= 1);
    // Nobody looks at the signature of what was there before.
    flip(&mut message.signature);
    assert_eq!(bob.receive(&message.frame()), []);
    flip(&mut message.signature);
    // Another header in its place is looked at, and is not ada's; one of hers would be an alarm.
    flip(&mut message.header);
    let wrong = [unopened("ada", OpenError::Signature)];
    assert_eq!(bob.receive(&message.frame()), wrong);
    // The same of a statement: an old one says nothing, whoever signed it.
    world.advance(BEACON_PERIOD);
    ada.tick();
    world.relay(&mut ada);
    let statement = bob.intercept().pop().expect("a beacon");
    let mut forged = statement.clone();
    flip(&mut forged);
    assert_eq!(bob.receive(&forged), wrong);
    assert_eq!(bob.receive(&statement), []);
    assert_eq!(bob.receive(&forged), []);
}

#[test]
fn dropped_messages_are_missed() {
    let (mut world, mut ada, mut bob, mut carol) = three();
    for text in ["one", "two", "three"] {
        world.say(&mut bob, text);
    }
    // Ada was there before Bob, so she knows what his first message is.
    let frames = ada.intercept();
    let missing = |count| Event::Missing(nick_of("bob"), count);
    assert_eq!(ada.receive(&frames[2]), [missing(2), said("bob", "three")]);
    // Carol came after him: his first message is, for her, the first that she sees.
    let frames = carol.intercept();
    assert_eq!(carol.receive(&frames[0]), [said("bob", "one")]);
    assert_eq!(
        carol.receive(&frames[2]),
        [missing(1), said("bob", "three")]
    );
}

#[test]
fn reordered_messages_are_missed_and_not_shown_late() {
    let (mut world, mut ada, mut bob, _) = three();
    world.say(&mut bob, "first");
    world.say(&mut bob, "second");
    let frames = ada.intercept();
    let missing = Event::Missing(nick_of("bob"), 1);
    assert_eq!(ada.receive(&frames[1]), [missing, said("bob", "second")]);
    assert_eq!(ada.receive(&frames[0]), []);
}

#[test]
fn a_message_of_somebody_who_has_gone() {
    let (mut world, mut ada, mut bob, _) = three();
    world.say(&mut ada, "hello");
    let message = bob.intercept_message();
    world.lose(&ada);
    assert_eq!(catch_up(&mut bob), [left("ada", Departure::Lost, false)]);
    assert_eq!(bob.receive(&message.frame()), [Event::Stray]);
}
