//! A relay that tampers with the messages it passes on: what each member sees of it, event by
//! event. Whatever it shows to one member otherwise than to the others has its place in that member's
//! chain, which is another one from then on: the others' claims bring that to light.

use std::time::Duration;

use e2echat::cipher::keys::{IdentityKey, KeySize};
use e2echat::room::card::{Card, Identity, SessionId};
use e2echat::room::frame::{Departure, Frame};
use e2echat::room::message::{Header, OpenError};
use e2echat::room::session::{End, Event};

use crate::support::peer::{lobby, session_key};
use crate::support::world::{
    BEACON_PERIOD, Delivery, Member, SETTLED, World, assert_bob_is_parted, catch_up, is_statement,
    joining, leaving, left, missing, nick_of, other_view, payload, said, said_directly, three,
    unconfirmed_by, unopened_by, without_having_seen, written_at,
};

fn unopened(nick: &str, error: OpenError) -> Event {
    Event::Unopened(nick_of(nick), error)
}

#[test]
fn a_flipped_bit_in_what_is_signed_and_in_the_signature() {
    let (mut world, mut ada, mut bob, mut carol) = three();
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
    // But it was shown to him, and to nobody else.
    assert_bob_is_parted(&mut world, [&mut ada, &mut bob, &mut carol]);
}

#[test]
fn a_flipped_bit_in_the_ciphertext() {
    let (mut world, mut ada, mut bob, mut carol) = three();
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
    // Its author is told of it.
    let [a, b, c] = world.pass(SETTLED, [&mut ada, &mut bob, &mut carol]);
    assert_eq!(
        a,
        [1, 2, 3].map(|receipt| unopened_by("bob", receipt, "hello"))
    );
    assert_eq!((b.len(), c.len()), (0, 4));
    assert_eq!(ada.confirmed_by(3), ["carol"]);
    assert_eq!(ada.confirmed_by(4), ["bob", "carol"]);
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
    let (mut world, mut ada, mut bob, _) = three();
    world.say(&mut ada, "hello");
    // It comes back without content, and so it cannot be another one.
    let [own, ack] = ada.intercept().try_into().expect("two frames");
    assert_eq!(own, payload(&Frame::own()));
    assert_eq!(ada.receive(&own), []);
    assert_eq!(ada.receive_all(&ack), [Event::Taken(1)]);
    // Shown to her as if it were another's, it is nobody's.
    let hers = bob.intercept_message().frame();
    assert_eq!(ada.receive(&hers), [Event::Stray]);
    // There is nothing else that could come back.
    assert_eq!(ada.ends(&own), End::Malformed);
}

#[test]
fn ones_own_message_is_acknowledged_and_does_not_come_back() {
    let (mut world, mut ada, mut bob, mut carol) = three();
    world.say(&mut ada, "hello");
    let [own, ack] = ada.intercept().try_into().expect("two frames");
    assert_eq!(ada.receive_all(&ack), [Event::Taken(1), Event::Swallowed]);
    drop(own);
    // The others see it, and what she signs afterwards shows that her room is another one.
    let [a, b, c] = world.pass(2 * BEACON_PERIOD, [&mut ada, &mut bob, &mut carol]);
    assert_eq!(b, [said("ada", "hello"), other_view("ada")]);
    assert_eq!(c, [said("ada", "hello"), other_view("ada")]);
    assert!(a.contains(&other_view("bob")) && a.contains(&other_view("carol")));
    assert_eq!(ada.confirmed_by(1), [""; 0]);
}

#[test]
fn ones_own_new_key_is_acknowledged_and_does_not_come_back() {
    let (mut world, mut ada, mut bob, mut carol) = three();
    world.rekey(&mut ada);
    let [own, ack] = ada.intercept().try_into().expect("two frames");
    assert_eq!(ada.receive_all(&ack), [Event::Swallowed]);
    drop(own);
    // She goes on under her former session id, and so she is nobody's stranger.
    let [a, b, c] = world.pass(2 * BEACON_PERIOD, [&mut ada, &mut bob, &mut carol]);
    assert_eq!(b, [Event::Rekeyed(nick_of("ada")), other_view("ada")]);
    assert_eq!(c, [Event::Rekeyed(nick_of("ada")), other_view("ada")]);
    assert!(a.contains(&other_view("bob")) && a.contains(&other_view("carol")));
}

#[test]
fn two_members_are_shown_two_messages_in_different_orders() {
    let (mut world, mut ada, mut bob, mut carol) = three();
    world.say(&mut ada, "one");
    world.say(&mut bob, "two");
    let [own, ack, two] = ada.intercept().try_into().expect("three frames");
    ada.deliver([two, own, ack]);
    assert_eq!(catch_up(&mut ada), [said("bob", "two")]);
    world.say(&mut ada, "three");
    assert_eq!(
        catch_up(&mut carol),
        [
            said("ada", "one"),
            without_having_seen(1, said("bob", "two")),
            other_view("ada"),
            said("ada", "three")
        ]
    );
    // One warning is enough, until one of the two enters anew.
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
    let events = ada.receive(&joining(ghost.bytes()));
    assert!(
        matches!(events.as_slice(), [Event::Joined(_)]),
        "{events:?}"
    );
    assert_eq!(world.say(&mut ada, "hello"), 3);
    assert_eq!(
        catch_up(&mut bob),
        [other_view("ada"), said("ada", "hello")]
    );
}

#[test]
fn a_member_is_hidden_from_one_of_the_others() {
    let (mut world, mut ada, mut bob, mut carol) = three();
    let forged = leaving(carol.sid(), Departure::Lost);
    assert_eq!(ada.receive(&forged), [left("carol", Departure::Lost)]);
    assert_eq!(world.say(&mut ada, "without her"), 1);
    assert_eq!(
        catch_up(&mut bob),
        [other_view("ada"), said("ada", "without her")]
    );
    assert_eq!(catch_up(&mut carol), [other_view("ada")]);
}

#[test]
fn a_message_without_its_ciphertext() {
    let (mut world, mut ada, mut bob, mut carol) = three();
    world.say(&mut ada, "hello");
    let mut message = bob.intercept_message();
    message.ciphertext.clear();
    assert_eq!(
        bob.receive(&message.frame()),
        [unopened("ada", OpenError::NoCiphertext)]
    );
    let [a, ..] = world.pass(SETTLED, [&mut ada, &mut bob, &mut carol]);
    assert_eq!(a, [unopened_by("bob", 1, "hello")]);
    assert_eq!(ada.confirmed_by(1), ["carol"]);
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
    let (mut world, mut ada, mut bob, mut carol) = three();
    world.say(&mut ada, "pay 10");
    let message = bob.intercept_message();
    assert_eq!(bob.receive(&message.frame()), [said("ada", "pay 10")]);
    // As for him alone, like a copy that is sent again.
    let copy = Delivery {
        is_entry: false,
        ..message.clone()
    };
    assert_eq!(bob.receive(&copy.frame()), []);
    world.say(&mut ada, "done");
    assert_eq!(catch_up(&mut bob), [said("ada", "done")]);
    assert_eq!(bob.receive(&copy.frame()), []);
    let quiet = world.pass(BEACON_PERIOD, [&mut ada, &mut bob]);
    assert_eq!(quiet, [vec![], vec![]]);
    // No relay gives an entry a second place in his chain.
    assert_eq!(bob.ends(&message.frame()), End::Malformed);
    catch_up(&mut carol);
    let quiet = world.pass(BEACON_PERIOD, [&mut ada, &mut bob, &mut carol]);
    assert_eq!(quiet, [vec![], vec![], vec![]]);
}

#[test]
fn what_is_old_is_dropped_unverified_and_hides_no_second_message_for_its_place() {
    let (mut world, mut ada, mut bob, _) = three();
    world.say(&mut ada, "pay 10");
    let mut message = bob.intercept_message();
    assert_eq!(bob.receive(&message.frame()), [said("ada", "pay 10")]);
    message.is_entry = false;
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
    catch_up(&mut ada);
    world.advance(BEACON_PERIOD);
    ada.tick();
    world.relay(&mut ada);
    let statement = bob.intercept().pop().expect("a beacon");
    let mut forged = statement.clone();
    // The signature comes before the length of a ciphertext that there is not.
    let last = forged.len() - 5;
    forged[last] ^= 1;
    assert_eq!(bob.receive(&statement), []);
    assert_eq!(bob.receive(&forged), []);
    // One that is new is looked at.
    world.advance(BEACON_PERIOD);
    catch_up(&mut ada);
    ada.tick();
    world.relay(&mut ada);
    let mut forged = bob.intercept().pop().expect("a beacon");
    forged[last] ^= 1;
    assert_eq!(bob.receive(&forged), wrong);
}

#[test]
fn dropped_messages_are_missed() {
    let (mut world, mut ada, mut bob, mut carol) = three();
    for text in ["one", "two", "three"] {
        world.say(&mut bob, text);
    }
    let [_, _, three] = ada.intercept().try_into().expect("three messages");
    assert_eq!(ada.receive(&three), [said("bob", "three")]);
    let [one, _, three] = carol.intercept().try_into().expect("three messages");
    assert_eq!(carol.receive(&one), [said("bob", "one")]);
    assert_eq!(carol.receive(&three), [said("bob", "three")]);
    // What is in their place may still come, for a while. That their rooms differ they are told before.
    let members = [&mut ada, &mut bob, &mut carol];
    let [a, b, c] = world.pass(2 * BEACON_PERIOD, members);
    for (events, others, count) in [(&a, ["bob", "carol"], 2), (&c, ["ada", "bob"], 1)] {
        for other in others {
            assert!(events.contains(&other_view(other)), "{events:?}");
        }
        assert!(events.contains(&missing("bob", count)), "{events:?}");
    }
    assert!(b.contains(&other_view("ada")) && b.contains(&other_view("carol")));
    // Nor does their author take them for read.
    let [_, b, _] = world.pass(2 * BEACON_PERIOD, [&mut ada, &mut bob, &mut carol]);
    for (receipt, text) in [(1, "one"), (2, "two")] {
        assert!(b.contains(&unconfirmed_by("ada", receipt, text)), "{b:?}");
    }
    assert!(b.contains(&unconfirmed_by("carol", 2, "two")), "{b:?}");
    assert_eq!(bob.confirmed_by(2), [""; 0]);
}

#[test]
fn reordered_messages_are_shown_as_late_and_noticed() {
    let (mut world, mut ada, mut bob, mut carol) = three();
    world.say(&mut ada, "first");
    world.say(&mut ada, "second");
    let [first, second] = bob.intercept().try_into().expect("two messages");
    assert_eq!(bob.receive(&second), [said("ada", "second")]);
    // By her clock it is older than what came at once.
    let late = written_at(world.now().time, 1, said("ada", "first"));
    assert_eq!(bob.receive(&first), [late]);
    assert_bob_is_parted(&mut world, [&mut ada, &mut bob, &mut carol]);
}

#[test]
fn a_message_of_somebody_who_has_gone() {
    let (mut world, mut ada, mut bob, _) = three();
    world.say(&mut ada, "hello");
    let message = bob.intercept_message();
    world.lose(&ada);
    assert_eq!(catch_up(&mut bob), [left("ada", Departure::Lost)]);
    assert_eq!(bob.receive(&message.frame()), [Event::Stray]);
}

/// What becomes of something that Ada says, of which Bob is shown nothing, and none of all statements,
/// while other messages pass every minute. Returns her events, and Bob's.
fn drop_what_ada_says(say: impl Fn(&mut World, &mut Member, &Member)) -> [Vec<Event>; 2] {
    let (mut world, mut ada, mut bob, mut carol) = three();
    say(&mut world, &mut ada, &bob);
    bob.intercept();
    let mut noticed = [vec![], vec![]];
    for minute in 0..5 {
        let members = [&mut ada, &mut bob, &mut carol];
        let is_passed_on = |_: usize, frame: &[u8]| !is_statement(frame);
        let [a, b, _] = world.pass_choosing(BEACON_PERIOD, members, is_passed_on);
        noticed[0].extend(a);
        noticed[1].extend(b);
        let by = [&mut ada, &mut carol].into_iter().nth(minute % 2).unwrap();
        world.say(by, "that passes");
    }
    assert!(!ada.confirmed_by(1).contains(&"bob".to_owned()));
    noticed
}

#[test]
fn a_message_to_the_room_and_all_statements_are_dropped_and_others_pass() {
    let [a, b] = drop_what_ada_says(|world, ada, _| {
        assert_eq!(world.say(ada, "chosen"), 2);
    });
    assert!(b.contains(&other_view("ada")), "{b:?}");
    assert!(a.contains(&unconfirmed_by("bob", 1, "chosen")), "{a:?}");
}

#[test]
fn a_direct_message_and_all_statements_are_dropped_and_others_pass() {
    let [a, b] = drop_what_ada_says(|world, ada, bob| {
        world.say_to(ada, bob.sid(), "chosen");
    });
    // It has no place in the chain. But what would confirm it has not come either.
    assert!(a.contains(&unconfirmed_by("bob", 1, "chosen")), "{a:?}");
    assert!(b.contains(&other_view("ada")), "{b:?}");
}

#[test]
fn a_direct_message_alone_is_dropped() {
    let (mut world, mut ada, mut bob, mut carol) = three();
    world.say_to(&mut ada, bob.sid(), "hello");
    assert_eq!(catch_up(&mut bob), [said_directly("ada", "hello")]);
    world.say_to(&mut ada, bob.sid(), "chosen");
    bob.intercept();
    let [a, b, c] = world.pass(2 * BEACON_PERIOD, [&mut ada, &mut bob, &mut carol]);
    // Had he got it, his receipt would have gone before what he has signed since.
    assert_eq!(a, [Event::Unanswered(nick_of("bob"))]);
    assert_eq!((b, c), (vec![], vec![]));
    let [a, ..] = world.pass(2 * BEACON_PERIOD, [&mut ada, &mut bob, &mut carol]);
    assert_eq!(a, [unconfirmed_by("bob", 2, "chosen")]);
    // The next one shows him that one is missing.
    world.say_to(&mut ada, bob.sid(), "and now?");
    let [_, b, _] = world.pass(2 * BEACON_PERIOD, [&mut ada, &mut bob, &mut carol]);
    assert_eq!(b, [said_directly("ada", "and now?"), missing("ada", 1)]);
    assert_eq!(ada.confirmed_by(1), ["bob"]);
    assert_eq!(ada.confirmed_by(2), [""; 0]);
    assert_eq!(ada.confirmed_by(3), ["bob"]);
}

#[test]
fn statements_are_acknowledged_and_go_to_nobody() {
    let (mut world, mut ada, mut bob, mut carol) = three();
    let mut noticed = Vec::new();
    for _ in 0..BEACON_PERIOD.as_secs() {
        world.advance(Duration::from_secs(1));
        let ticked = ada.tick();
        noticed.extend(ticked);
        let sent = u64::try_from(ada.session.take_outgoing().len()).unwrap();
        if sent > 0 {
            noticed.extend(ada.receive(&payload(&Frame::ack(ada.taken() + sent))));
            break;
        }
    }
    assert_eq!(noticed, [Event::Swallowed]);
    let quiet = world.pass(Duration::from_secs(1), [&mut bob, &mut carol]);
    assert_eq!(quiet, [vec![], vec![]]);
}

#[test]
fn an_answer_is_held_back_until_another_question_stands_above_it() {
    let (mut world, mut ada, mut bob, mut carol) = three();
    world.say(&mut bob, "shall we meet?");
    assert_eq!(catch_up(&mut ada), [said("bob", "shall we meet?")]);
    ada.say("yes").unwrap();
    world.say(&mut bob, "shall we tell everybody?");
    world.relay(&mut ada);
    let yes = without_having_seen(1, said("ada", "yes"));
    assert_eq!(catch_up(&mut bob), std::slice::from_ref(&yes));
    let questions = ["shall we meet?", "shall we tell everybody?"];
    let [one, other] = questions.map(|text| said("bob", text));
    assert_eq!(catch_up(&mut carol), [one, other, yes]);
    // An answer to what stands above it has no mark.
    assert_eq!(
        catch_up(&mut ada),
        [said("bob", "shall we tell everybody?")]
    );
    world.say(&mut ada, "no");
    assert_eq!(catch_up(&mut bob), [said("ada", "no")]);
}
