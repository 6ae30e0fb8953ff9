//! A relay that keeps things back and hopes that nobody asks: what the signed statements of members
//! bring to light, and when, event by event.

use std::time::Duration;

use e2echat::cipher::encoding::Encoder;
use e2echat::room::frame::{Departure, Frame, ToClient};
use e2echat::room::message::OpenError;
use e2echat::room::session::{Event, Standing};
use e2echat::room::statement::{Occasion, Statement};

use crate::support::world::{
    BEACON_PERIOD, Member, World, catch_up, joined, left, missing, nick_of, other_view, payload,
    said, three, unconfirmed,
};

/// Whether a frame is STATEMENT.
fn is_statement(frame: &[u8]) -> bool {
    frame.first() == Some(&0x15)
}

#[test]
fn an_honest_room_with_comings_and_goings_raises_nothing() {
    let (mut world, mut ada, mut bob, mut carol) = three();
    for minute in 0..4 {
        world.say(&mut ada, "hello");
        world.say(&mut bob, "hello, ada");
        let expected = [
            vec![said("bob", "hello, ada")],
            vec![said("ada", "hello")],
            vec![said("ada", "hello"), said("bob", "hello, ada")],
        ];
        let noticed = world.pass(BEACON_PERIOD, [&mut ada, &mut bob, &mut carol]);
        assert_eq!(noticed, expected, "minute {minute}");
    }
    let mut dora = world.enter("dora").unwrap();
    let [a, b, c, d] = world.pass(
        4 * BEACON_PERIOD,
        [&mut ada, &mut bob, &mut carol, &mut dora],
    );
    assert_eq!(
        [a, b, c],
        [[joined(&dora)], [joined(&dora)], [joined(&dora)]]
    );
    assert!(matches!(d.as_slice(), [Event::Entered(people)] if people.len() == 3));
    assert!(
        dora.session
            .others()
            .iter()
            .all(|person| person.is_confirmed)
    );
    world.leave(&mut carol);
    let gone = [left("carol", Departure::Left, true)];
    let [a, b, d] = world.pass(4 * BEACON_PERIOD, [&mut ada, &mut bob, &mut dora]);
    assert_eq!([a, b, d], [gone.clone(), gone.clone(), gone]);
}

#[test]
fn the_last_message_before_a_silence_is_dropped() {
    let (mut world, mut ada, mut bob, mut carol) = three();
    world.say(&mut ada, "dropped");
    bob.intercept();
    let [a, b, c] = world.pass(BEACON_PERIOD, [&mut ada, &mut bob, &mut carol]);
    assert!(b.contains(&missing("ada", 1)), "{b:?}");
    // Carol, who has seen it, may speak first.
    let by_others = b.iter().filter(|event| **event != missing("ada", 1));
    assert!(by_others.eq(&[other_view("carol")][..b.len() - 1]), "{b:?}");
    assert_eq!((a, c), (vec![], vec![said("ada", "dropped")]));
}

#[test]
fn the_last_direct_message_before_a_silence_is_dropped() {
    let (mut world, mut ada, mut bob, mut carol) = three();
    world.say_to(&mut ada, bob.sid(), "dropped");
    bob.intercept();
    let noticed = world.pass(BEACON_PERIOD, [&mut ada, &mut bob, &mut carol]);
    assert_eq!(noticed, [vec![], vec![missing("ada", 1)], vec![]]);
}

#[test]
fn the_last_message_before_a_goodbye_is_dropped() {
    let (mut world, mut ada, mut bob, mut carol) = three();
    world.say(&mut ada, "dropped");
    bob.intercept();
    world.leave(&mut ada);
    let goodbye = left("ada", Departure::Left, true);
    assert_eq!(catch_up(&mut bob), [missing("ada", 1), goodbye.clone()]);
    assert_eq!(catch_up(&mut carol), [said("ada", "dropped"), goodbye]);
}

#[test]
fn the_last_message_is_dropped_together_with_the_goodbye() {
    let (mut world, mut ada, mut bob, _) = three();
    world.say(&mut ada, "dropped");
    world.leave(&mut ada);
    let last = bob.intercept().pop().unwrap();
    assert_eq!(bob.receive(&last), [left("ada", Departure::Left, false)]);
}

#[test]
fn all_that_somebody_says_is_kept_back() {
    let (mut world, mut ada, mut bob, mut carol) = three();
    let mut noticed = Vec::new();
    for _ in 0..5 * BEACON_PERIOD.as_secs() {
        world.advance(Duration::from_secs(1));
        ada.tick();
        world.relay(&mut ada);
        bob.intercept();
        carol.tick();
        world.relay(&mut carol);
        noticed.extend(catch_up(&mut bob));
        noticed.extend(bob.tick());
    }
    let quiet = Event::Quiet(nick_of("ada"), 241);
    assert_eq!(noticed, [quiet]);
}

#[test]
fn an_old_beacon_is_replayed_to_hide_a_silence() {
    let (mut world, mut ada, mut bob, mut carol) = three();
    world.pass(Duration::from_secs(1), [&mut ada, &mut bob, &mut carol]);
    let mut beacon: Option<Vec<u8>> = None;
    let mut noticed = Vec::new();
    for _ in 0..5 * BEACON_PERIOD.as_secs() {
        world.advance(Duration::from_secs(1));
        ada.tick();
        world.relay(&mut ada);
        let kept = bob.intercept();
        if let Some(beacon) = &beacon {
            noticed.extend(bob.receive(beacon));
        } else if let Some(first) = kept.into_iter().find(|frame| is_statement(frame)) {
            noticed.extend(bob.receive(&first));
            beacon = Some(first);
        }
        carol.tick();
        world.relay(&mut carol);
        noticed.extend(catch_up(&mut bob));
        noticed.extend(bob.tick());
    }
    assert_eq!(noticed, [Event::Quiet(nick_of("ada"), 241)]);
}

#[test]
fn messages_between_a_join_and_the_first_delivery_are_dropped() {
    let (mut world, mut ada, mut bob, mut carol) = three();
    let mut dora = world.enter("dora").unwrap();
    catch_up(&mut dora);
    catch_up(&mut ada);
    for text in ["dropped", "dropped too"] {
        world.say(&mut ada, text);
    }
    catch_up(&mut ada);
    dora.intercept();
    world.say(&mut ada, "first");
    let first = dora.intercept_message();
    // She has not said where her numbers stand, as she would have before the first of them.
    assert_eq!(
        dora.receive(&first.frame()),
        [other_view("ada"), said("ada", "first")]
    );
    let [.., d] = world.pass(
        Duration::from_secs(1),
        [&mut ada, &mut bob, &mut carol, &mut dora],
    );
    assert_eq!(d, []);
}

#[test]
fn all_between_a_join_and_a_change_of_the_roster_is_dropped_greetings_too() {
    let mut world = World::new();
    let mut ada = world.enter("ada").unwrap();
    let mut bob = world.enter("bob").unwrap();
    catch_up(&mut ada);
    catch_up(&mut bob);
    for member in [&mut ada, &mut bob] {
        world.relay(member);
        catch_up(member);
    }
    let mut carol = world.enter("carol").unwrap();
    assert!(matches!(
        catch_up(&mut carol).as_slice(),
        [Event::Entered(_)]
    ));
    catch_up(&mut ada);
    world.say(&mut ada, "dropped");
    // The greetings.
    world.advance(Duration::from_secs(1));
    ada.tick();
    world.relay(&mut ada);
    carol.intercept();
    // A change, after which the chain of digests begins anew.
    let mut dora = world.enter("dora").unwrap();
    let noticed = world.pass(BEACON_PERIOD, [&mut ada, &mut bob, &mut carol, &mut dora]);
    let [.., c, _] = noticed;
    assert_eq!(c[0], joined(&dora));
    assert!(c.contains(&other_view("ada")), "{c:?}");
}

#[test]
fn an_honest_late_join_at_sequence_500_raises_nothing() {
    let mut world = World::new();
    let mut ada = world.enter("ada").unwrap();
    catch_up(&mut ada);
    for _ in 0..500 {
        world.say(&mut ada, "alone");
    }
    catch_up(&mut ada);
    let mut bob = world.enter("bob").unwrap();
    catch_up(&mut bob);
    catch_up(&mut ada);
    world.say(&mut ada, "number 500");
    let [a, b] = world.pass(4 * BEACON_PERIOD, [&mut ada, &mut bob]);
    assert_eq!((a, b), (vec![], vec![said("ada", "number 500")]));
}

#[test]
fn a_forged_goodbye_splits_the_room_in_two() {
    let (mut world, mut ada, mut bob, mut carol) = three();
    let epoch = world.epoch() + 1;
    for (reader, gone) in [(&mut ada, &carol), (&mut bob, &carol)] {
        let forged = Frame::left(epoch, gone.sid(), Departure::Left);
        assert_eq!(
            reader.receive(&payload(&forged)),
            [left("carol", Departure::Left, false)]
        );
    }
    // Carol, who is told nothing, sees them speak of another room.
    let [_, _, c] = world.pass(BEACON_PERIOD, [&mut ada, &mut bob, &mut carol]);
    assert!(
        c.contains(&other_view("ada")) && c.contains(&other_view("bob")),
        "{c:?}"
    );
}

#[test]
fn a_room_is_split_by_lost_connections_that_were_not_lost() {
    let (mut world, mut ada, mut bob, mut carol) = three();
    // Ada alone is told that Carol has gone; the relay goes on passing everything.
    let forged = Frame::left(world.epoch() + 1, carol.sid(), Departure::Lost);
    let lost = [left("carol", Departure::Lost, false)];
    assert_eq!(ada.receive(&payload(&forged)), lost);
    let [a, b, c] = world.pass(BEACON_PERIOD, [&mut ada, &mut bob, &mut carol]);
    assert!(a.contains(&Event::Stray), "{a:?}");
    assert_eq!(b, [other_view("ada")]);
    assert_eq!(c, [other_view("ada")]);
}

#[test]
fn a_membership_list_that_differs_is_noticed_though_nobody_says_anything() {
    let (mut world, mut ada, mut bob, mut carol) = three();
    let ghost = crate::support::world::Insider::new("ghost");
    let card = payload(&Frame::joined(world.epoch() + 1, ghost.card.bytes()));
    assert!(matches!(ada.receive(&card).as_slice(), [Event::Joined(_)]));
    let [_, b, c] = world.pass(BEACON_PERIOD, [&mut ada, &mut bob, &mut carol]);
    assert_eq!((b, c), (vec![other_view("ada")], vec![other_view("ada")]));
    let ghosts = ada.session.others();
    let ghost = ghosts.iter().find(|p| p.nick == nick_of("ghost")).unwrap();
    assert!(!ghost.is_confirmed);
}

#[test]
fn whoever_is_hidden_from_those_who_are_there_is_told_that_nobody_greets() {
    let mut world = World::new();
    let mut ada = world.enter("ada").unwrap();
    catch_up(&mut ada);
    let mut bob = world.enter("bob").unwrap();
    catch_up(&mut bob);
    let [noticed] = world.pass(Duration::from_secs(30), [&mut bob]);
    assert_eq!(noticed, [unconfirmed("ada")]);
}

/// Dora enters, and Ada greets her, as do the others: the relay drops what Ada says.
fn with_a_dropped_greeting() -> (World, [Member; 4]) {
    let (mut world, mut ada, mut bob, mut carol) = three();
    let mut dora = world.enter("dora").expect("there is room");
    assert!(matches!(catch_up(&mut dora)[..], [Event::Entered(_)]));
    world.relay(&mut dora);
    for member in [&mut ada, &mut bob, &mut carol] {
        assert_eq!(catch_up(member), [joined(&dora)]);
    }
    world.advance(Duration::from_secs(1));
    assert_eq!(ada.tick(), []);
    world.relay(&mut ada);
    let dropped = dora.intercept();
    assert!(matches!(&dropped[..], [greeting] if is_statement(greeting)));
    for member in [&mut bob, &mut carol] {
        assert_eq!(member.tick(), []);
        world.relay(member);
    }
    for member in [&mut ada, &mut bob, &mut carol, &mut dora] {
        assert_eq!(catch_up(member), []);
    }
    (world, [ada, bob, carol, dora])
}

#[test]
fn a_greeting_that_is_dropped_is_noticed_by_the_first_message() {
    let (mut world, [mut ada, mut bob, _carol, mut dora]) = with_a_dropped_greeting();
    // Nothing else is dropped, so that all agree about what was said.
    world.say(&mut ada, "first");
    assert_eq!(catch_up(&mut bob), [said("ada", "first")]);
    assert_eq!(
        catch_up(&mut dora),
        [other_view("ada"), said("ada", "first")]
    );
    // Once is enough.
    world.say(&mut ada, "second");
    assert_eq!(catch_up(&mut dora), [said("ada", "second")]);
}

#[test]
fn a_greeting_that_is_dropped_is_noticed_by_the_first_beacon() {
    let (mut world, [mut ada, mut bob, mut carol, mut dora]) = with_a_dropped_greeting();
    let members = [&mut ada, &mut bob, &mut carol, &mut dora];
    let noticed = world.pass(BEACON_PERIOD, members);
    let of_ada = vec![unconfirmed("ada"), other_view("ada")];
    assert_eq!(noticed, [vec![], vec![], vec![], of_ada]);
}

/// A statement with its sender's signature, in which something was altered since.
fn forged(frame: &[u8], alter: impl FnOnce(&mut Statement)) -> Vec<u8> {
    let Ok(ToClient::Statement {
        statement,
        signature,
    }) = ToClient::parse(frame)
    else {
        panic!("not a statement: {frame:?}");
    };
    let mut altered = Statement::parse(statement).expect("a statement");
    alter(&mut altered);
    let fields = Encoder::default().byte(0x15);
    let fields = fields.string(&altered.encode()).string(signature);
    fields.finish()
}

#[test]
fn a_statement_that_its_sender_did_not_sign_counts_for_nothing() {
    let (mut world, mut ada, mut bob, _) = three();
    world.advance(BEACON_PERIOD);
    ada.tick();
    world.relay(&mut ada);
    let beacon = bob.intercept().pop().expect("a beacon");
    let unsigned = [Event::Unopened(nick_of("ada"), OpenError::Signature)];
    // That messages are missing, that she sees another room, that nothing came after it, that she goes.
    let forgeries = [
        forged(&beacon, |statement| statement.next += 1),
        forged(&beacon, |statement| statement.roster = [1; 32]),
        forged(&beacon, |statement| statement.time += 1_000_000),
        forged(&beacon, |statement| statement.occasion = Occasion::Leave),
    ];
    for forgery in forgeries {
        assert_eq!(bob.receive(&forgery), unsigned);
    }
    // What she has signed herself counts, and what she says is shown.
    assert_eq!(bob.receive(&beacon), []);
    world.say(&mut ada, "still here");
    assert_eq!(catch_up(&mut bob), [said("ada", "still here")]);
    let lost = Frame::left(world.epoch() + 1, ada.sid(), Departure::Left);
    let without_a_goodbye = left("ada", Departure::Left, false);
    assert_eq!(bob.receive(&payload(&lost)), [without_a_goodbye]);
}

#[test]
fn two_orders_of_messages_are_noticed_though_nobody_answers() {
    let (mut world, mut ada, mut bob, mut carol) = three();
    world.say(&mut ada, "one");
    world.say(&mut bob, "two");
    let mut frames = carol.intercept();
    frames.reverse();
    carol.deliver(frames);
    let [a, b, c] = world.pass(BEACON_PERIOD, [&mut ada, &mut bob, &mut carol]);
    assert_eq!(a, [said("bob", "two"), other_view("carol")]);
    assert_eq!(b, [said("ada", "one"), other_view("carol")]);
    assert_eq!(c[..2], [said("bob", "two"), said("ada", "one")]);
    // Whose beacon comes first is a matter of chance.
    assert!(c.contains(&other_view("ada")) && c.contains(&other_view("bob")));
    assert_eq!(c.len(), 4, "{c:?}");
}

#[test]
fn a_member_left_out_sees_the_notice_and_no_gap() {
    let (mut world, mut ada, mut bob, mut carol) = three();
    let sid = carol.sid();
    ada.session.set_standing(sid, Standing::Changed);
    assert_eq!(world.say(&mut ada, "not for carol"), 1);
    ada.session.set_standing(sid, Standing::Known);
    assert_eq!(world.say(&mut ada, "for all"), 2);
    let [a, b, c] = world.pass(4 * BEACON_PERIOD, [&mut ada, &mut bob, &mut carol]);
    assert_eq!(a, []);
    let left_out = Event::LeftOthersOut(nick_of("ada"), vec![nick_of("carol")]);
    assert_eq!(b[..2], [left_out, said("ada", "not for carol")]);
    assert_eq!(b[2..], [said("ada", "for all")]);
    assert_eq!(c, [Event::LeftOut(nick_of("ada")), said("ada", "for all")]);
}
