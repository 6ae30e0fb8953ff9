//! Rooms in one process with an honest relay: what each member sees, event by event.

use std::time::Duration;

use e2echat::cipher::keys::{KeySize, SessionKey};
use e2echat::room::frame::{Departure, Frame};
use e2echat::room::message::Kind;
use e2echat::room::notice::Notice;
use e2echat::room::session::{End, Event, Now, SayError, To};
use e2echat::room::text::SafeText;

use crate::support::world::{
    Member, NOW, World, catch_up, left, missing, nick_of, payload, person, said, said_directly,
    three,
};

#[test]
fn three_members_talk_and_leave() {
    let (mut world, mut ada, mut bob, mut carol) = three();
    assert_eq!(world.say(&mut ada, "hello"), 2);
    assert_eq!(catch_up(&mut bob), [said("ada", "hello")]);
    assert_eq!(world.say(&mut bob, "hello, ada"), 2);
    assert_eq!(catch_up(&mut ada), [said("bob", "hello, ada")]);
    assert_eq!(
        catch_up(&mut carol),
        [said("ada", "hello"), said("bob", "hello, ada")]
    );
    bob.session.leave(NOW);
    world.relay(&mut bob);
    world.lose(&carol);
    let gone = [
        left("bob", Departure::Left, true),
        left("carol", Departure::Lost, false),
    ];
    assert_eq!(catch_up(&mut ada), gone);
    assert_eq!(world.say(&mut ada, "alone"), 0);
    assert_eq!(bob.say("late"), Err(SayError::NotInRoom));
}

#[test]
fn what_was_typed_before_a_join_was_seen_is_not_for_the_newcomer() {
    let (mut world, mut ada, mut bob, mut carol) = three();
    let shown = ada.session.changes();
    let mut dora = world.enter("dora").expect("there is room");
    assert_eq!(catch_up(&mut ada), [Event::Joined(person(&dora))]);
    assert!(ada.session.changes() > shown);
    catch_up(&mut bob);
    catch_up(&mut carol);
    let entered = [person(&ada), person(&bob), person(&carol)];
    assert_eq!(catch_up(&mut dora), [Event::Entered(entered.to_vec())]);
    world.relay(&mut dora);
    for member in [&mut ada, &mut bob, &mut carol] {
        assert_eq!(catch_up(member), []);
    }

    let say = |world: &mut World, ada: &mut Member, shown, text| {
        let said = ada.say_to(To::Room { shown }, text);
        world.relay(ada);
        said
    };
    assert_eq!(say(&mut world, &mut ada, shown, "before"), Ok(2));
    for member in [&mut bob, &mut carol] {
        let others = Event::LeftOthersOut(nick_of("ada"), vec![nick_of("dora")]);
        assert_eq!(catch_up(member), [others, said("ada", "before")]);
    }
    assert_eq!(catch_up(&mut dora), [Event::LeftOut(nick_of("ada"))]);
    // Then the joining is on her screen. Nobody has missed anything.
    let shown = ada.session.changes();
    assert_eq!(say(&mut world, &mut ada, shown, "after"), Ok(3));
    for member in [&mut bob, &mut carol, &mut dora] {
        assert_eq!(catch_up(member), [said("ada", "after")]);
    }
    // Where nothing has been on the screen yet, nobody is meant.
    assert_eq!(say(&mut world, &mut ada, 0, "to nobody"), Ok(0));
    for member in [&mut bob, &mut carol, &mut dora] {
        assert_eq!(catch_up(member), [Event::LeftOut(nick_of("ada"))]);
    }
    assert_eq!(catch_up(&mut ada), []);
}

#[test]
fn a_text_of_0_bytes_and_one_of_4_kib_and_1() {
    let (mut world, mut ada, mut bob, _) = three();
    assert_eq!(ada.say(""), Err(SayError::Empty));
    let long = "x".repeat(4097);
    assert_eq!(ada.say(&long), Err(SayError::TooLong(4097)));
    assert!(ada.session.take_outgoing().is_empty());
    assert_eq!(world.say(&mut ada, &long[1..]), 2);
    assert_eq!(catch_up(&mut bob), [said("ada", &long[1..])]);
}

#[test]
fn a_taken_nick_and_a_full_room() {
    let (mut world, ..) = three();
    assert_eq!(world.enter("B0B").err(), Some(Notice::NickTaken));
    assert!(world.enter("dora").is_ok());
    assert_eq!(world.enter("eve").err(), Some(Notice::RoomFull));
}

#[test]
fn acknowledgements_say_what_was_taken_and_may_not_go_back() {
    let (_world, mut ada, ..) = three();
    // The first frames were the statement with which she entered, and a greeting.
    ada.say("one").unwrap();
    ada.say("two").unwrap();
    assert_eq!(ada.session.untaken().collect::<Vec<_>>(), ["one", "two"]);
    assert_eq!(ada.receive(&payload(&Frame::ack(3))), [Event::Taken(1)]);
    assert_eq!(ada.session.untaken().collect::<Vec<_>>(), ["two"]);
    assert_eq!(ada.receive(&payload(&Frame::ack(3))), []);
    assert_eq!(ada.receive(&payload(&Frame::ack(4))), [Event::Taken(1)]);
    assert_eq!(ada.ends(&payload(&Frame::ack(3))), End::Malformed);
}

#[test]
fn a_goodbye_that_crosses_with_a_newcomer_is_one_to_it_too() {
    let (mut world, mut ada, ..) = three();
    // Ada has not seen that dave is there when she goes.
    ada.session.leave(NOW);
    let mut dave = world.enter("dave").expect("there is room");
    catch_up(&mut dave);
    world.relay(&mut ada);
    let gone = left("ada", Departure::Left, true);
    assert_eq!(catch_up(&mut dave), [gone]);
}

#[test]
fn direct_messages_go_on_over_new_keys_at_both_ends() {
    let (mut world, mut ada, mut bob, mut carol) = three();
    let whisper = |world: &mut World, ada: &mut Member, bob: &mut Member, text: &str| {
        assert_eq!(ada.say_to(To::Member(bob.sid()), text), Ok(1));
        world.relay(ada);
        let message = Event::Message {
            from: nick_of("ada"),
            direct: true,
            kind: Kind::Text,
            text: SafeText::new(text),
        };
        assert_eq!(catch_up(bob), [message]);
    };
    whisper(&mut world, &mut ada, &mut bob, "before");
    for _ in 0..2 {
        bob.session
            .rekey(SessionKey::generate(KeySize::Bits2048), NOW);
        world.relay(&mut bob);
        catch_up(&mut ada);
        assert_eq!(catch_up(&mut bob), []);
        whisper(&mut world, &mut ada, &mut bob, "to another key");
        ada.session
            .rekey(SessionKey::generate(KeySize::Bits2048), NOW);
        world.relay(&mut ada);
        assert_eq!(catch_up(&mut ada), []);
        assert_eq!(catch_up(&mut bob), [Event::Rekeyed(nick_of("ada"))]);
        whisper(&mut world, &mut ada, &mut bob, "from another key");
        // Until the old keys are destroyed there are no others.
        let later = Now {
            uptime: Duration::from_mins(1),
            ..NOW
        };
        for member in [&mut ada, &mut bob] {
            assert_eq!(member.session.tick(later), []);
            world.relay(member);
        }
        assert_eq!(catch_up(&mut ada), []);
        assert_eq!(catch_up(&mut bob), []);
    }
    catch_up(&mut carol);
}

/// As of somebody who closes a laptop for the night.
#[test]
fn who_was_away_while_another_changed_its_key_twice_misses_what_it_missed_and_no_more() {
    let (mut world, mut ada, mut bob, mut carol) = three();
    world.say(&mut ada, "before");
    assert_eq!(catch_up(&mut bob), [said("ada", "before")]);
    world.say(&mut ada, "lost");
    bob.intercept();
    world.lose(&bob);
    for _ in 0..2 {
        world.rekey(&mut ada);
        let [a, _] = world.pass(Duration::from_secs(61), [&mut ada, &mut carol]);
        assert!(!a.contains(&Event::Stray), "{a:?}");
    }
    world.say(&mut ada, "meanwhile");
    world.enter_again(&mut bob).unwrap();
    let [a, b, _] = world.pass(Duration::from_secs(2), [&mut ada, &mut bob, &mut carol]);
    assert!(matches!(a.as_slice(), [Event::Back(_)]), "{a:?}");
    assert!(matches!(b[0], Event::Returned { .. }), "{b:?}");
    assert_eq!(b[1..], [missing("ada", 1)]);
    world.say(&mut ada, "after");
    world.say_to(&mut ada, bob.sid(), "for you");
    let after = [said("ada", "after"), said_directly("ada", "for you")];
    assert_eq!(catch_up(&mut bob), after);
}

#[test]
fn a_goodbye_that_was_said_just_before_somebody_came_alarms_nobody() {
    let (mut world, ada, mut bob, mut carol) = three();
    bob.session.leave(NOW);
    // Between what he signs and his going, somebody comes, who is not sent what he signed.
    let mut dora = world.enter_during(&mut bob, "dora");
    for there in [&carol, &ada] {
        assert!(there.session.is_inside());
    }
    let seen = catch_up(&mut dora);
    assert_eq!(seen, [Event::Entered(vec![person(&ada), person(&carol)])]);
    assert!(catch_up(&mut carol).contains(&left("bob", Departure::Left, true)));
}
