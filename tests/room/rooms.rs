//! Rooms in one process with an honest relay: what each member sees, event by event.

use std::time::Duration;

use e2echat::room::frame::{Departure, Frame};
use e2echat::room::message::LeftOutFor;
use e2echat::room::names::Nick;
use e2echat::room::notice::Notice;
use e2echat::room::session::{End, Event, SayError, To, Undelivered};

use crate::support::world::{
    BEACON_PERIOD, Member, SETTLED, World, catch_up, left, nick_of, payload, person, said,
    said_directly, three, unopened_by,
};

/// The event that a message of `nick` leaves this member out, as it came while that was typed.
fn left_out_by(nick: &str) -> Event {
    Event::LeftOut(nick_of(nick), LeftOutFor::Coming)
}

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
    let quiet = world.pass(SETTLED, [&mut ada, &mut bob, &mut carol]);
    assert_eq!(quiet, [vec![], vec![], vec![]]);
    assert_eq!(ada.confirmed_by(1), ["bob", "carol"]);
    assert_eq!(bob.confirmed_by(1), ["ada", "carol"]);
    world.leave(&mut bob);
    world.lose(&carol);
    let gone = [left("bob", Departure::Left), left("carol", Departure::Lost)];
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
    assert_eq!(catch_up(&mut dora), [left_out_by("ada")]);
    // Then the joining is on her screen. Nobody has missed anything.
    let shown = ada.session.changes();
    assert_eq!(say(&mut world, &mut ada, shown, "after"), Ok(3));
    for member in [&mut bob, &mut carol, &mut dora] {
        assert_eq!(catch_up(member), [said("ada", "after")]);
    }
    // Where nothing has been on the screen yet, nobody is meant.
    assert_eq!(say(&mut world, &mut ada, 0, "to nobody"), Ok(0));
    for member in [&mut bob, &mut carol, &mut dora] {
        assert_eq!(catch_up(member), [left_out_by("ada")]);
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
    let (mut world, mut ada, ..) = three();
    let before = ada.taken();
    ada.say("one").unwrap();
    ada.say("two").unwrap();
    assert_eq!(ada.session.untaken().collect::<Vec<_>>(), ["one", "two"]);
    // Each comes back before it is acknowledged.
    assert!(world.pass_on(&mut ada));
    let [one, two] = ada.intercept().try_into().expect("two have come back");
    let ack = |more| payload(&Frame::ack(before + more));
    assert_eq!(ada.receive_all(&one), []);
    assert_eq!(ada.receive_all(&ack(1)), [Event::Taken(1)]);
    assert_eq!(ada.session.untaken().collect::<Vec<_>>(), ["two"]);
    assert_eq!(ada.receive_all(&ack(1)), []);
    assert_eq!(ada.receive_all(&two), []);
    assert_eq!(ada.receive_all(&ack(2)), [Event::Taken(1)]);
    assert_eq!(ada.ends(&ack(1)), End::Malformed);
}

#[test]
fn a_goodbye_that_crosses_with_a_newcomer_is_one_to_it_too() {
    let (mut world, mut ada, ..) = three();
    // Ada has not seen that dave is there when she goes.
    ada.session.leave(world.now());
    let mut dave = world.enter("dave").expect("there is room");
    catch_up(&mut dave);
    world.relay(&mut ada);
    assert_eq!(catch_up(&mut dave), [left("ada", Departure::Left)]);
}

#[test]
fn direct_messages_go_on_over_new_keys_at_both_ends() {
    let (mut world, mut ada, mut bob, mut carol) = three();
    let whisper = |world: &mut World, ada: &mut Member, bob: &mut Member, text: &str| {
        assert_eq!(ada.say_to(To::Member(bob.sid()), text), Ok(1));
        world.relay(ada);
        assert_eq!(catch_up(bob), [said_directly("ada", text)]);
    };
    whisper(&mut world, &mut ada, &mut bob, "before");
    for _ in 0..2 {
        world.rekey(&mut bob);
        assert_eq!(catch_up(&mut ada), [Event::Rekeyed(nick_of("bob"))]);
        assert_eq!(catch_up(&mut bob), []);
        whisper(&mut world, &mut ada, &mut bob, "to another key");
        world.rekey(&mut ada);
        assert_eq!(catch_up(&mut ada), []);
        assert_eq!(catch_up(&mut bob), [Event::Rekeyed(nick_of("ada"))]);
        whisper(&mut world, &mut ada, &mut bob, "from another key");
        // Until the old keys are destroyed there are no others.
        world.advance(Duration::from_mins(1));
        for member in [&mut ada, &mut bob] {
            assert_eq!(member.tick(), []);
            world.relay(member);
        }
        assert_eq!(catch_up(&mut ada), []);
        assert_eq!(catch_up(&mut bob), []);
    }
    // The last of them goes with the next receipt.
    world.pass(SETTLED, [&mut ada, &mut bob, &mut carol]);
    for receipt in 1..=5 {
        assert_eq!(ada.confirmed_by(receipt), ["bob"], "{receipt}");
    }
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
    let [a, b, _] = world.pass(SETTLED, [&mut ada, &mut bob, &mut carol]);
    // It cannot be sent again: the relay takes nothing that was signed under a key before the last.
    let undelivered = Event::Undelivered {
        receipt: 2,
        reader: nick_of("bob"),
        text: "lost".to_owned(),
        reason: Undelivered::KeyChanged,
    };
    assert_eq!(a, [Event::Back(person(&bob)), undelivered]);
    assert!(matches!(b.as_slice(), [Event::Returned { .. }]), "{b:?}");
    assert_eq!(ada.confirmed_by(1), ["bob", "carol"]);
    world.say(&mut ada, "after");
    world.say_to(&mut ada, bob.sid(), "for you");
    let after = [said("ada", "after"), said_directly("ada", "for you")];
    assert_eq!(catch_up(&mut bob), after);
}

#[test]
fn what_is_not_confirmed_for_a_day_is_given_up_for_that_reason() {
    let (mut world, mut ada, ..) = three();
    world.say(&mut ada, "hello");
    catch_up(&mut ada);
    // Nothing comes of the others, and nobody says that they went.
    world.advance(Duration::from_hours(24));
    let told = ada.tick();
    for reader in ["bob", "carol"] {
        let given_up = Event::Undelivered {
            receipt: 1,
            reader: nick_of(reader),
            text: "hello".to_owned(),
            reason: Undelivered::TooLong,
        };
        assert!(told.contains(&given_up), "{told:?}");
    }
}

#[test]
fn what_is_not_kept_as_much_else_is_not_confirmed_is_given_up_for_that_reason() {
    let (mut world, mut ada, mut bob, _) = three();
    // With what is encrypted for two readers, that is more than 8 MiB.
    let long = "x".repeat(4000);
    for _ in 0..1000 {
        world.say(&mut ada, &long);
        catch_up(&mut ada);
    }
    world.advance(Duration::from_secs(2));
    ada.tick();
    world.relay(&mut ada);
    world.lose(&bob);
    catch_up(&mut ada);
    world.enter_again(&mut bob).unwrap();
    let told = catch_up(&mut ada);
    let given_up: Vec<u64> = told
        .iter()
        .filter_map(|event| match event {
            Event::Undelivered {
                receipt,
                reader,
                reason: Undelivered::TooMuch,
                ..
            } if *reader == nick_of("bob") => Some(*receipt),
            _ => None,
        })
        .collect();
    // The oldest, and no others.
    assert!(given_up.iter().copied().eq(1..=given_up.len() as u64));
    assert!((1..500).contains(&given_up.len()), "{}", given_up.len());
}

#[test]
fn a_goodbye_that_was_said_just_before_somebody_came_alarms_nobody() {
    let (mut world, mut ada, mut bob, mut carol) = three();
    bob.session.leave(world.now());
    // Between what he signs and his going, somebody comes.
    let mut dora = world.enter_during(&mut bob, "dora");
    let there = vec![person(&ada), person(&bob), person(&carol)];
    let gone = left("bob", Departure::Left);
    assert_eq!(catch_up(&mut dora), [Event::Entered(there), gone.clone()]);
    let others = [&mut ada, &mut carol, &mut dora];
    let [a, c, d] = world.pass(SETTLED, others);
    let seen = vec![Event::Joined(person(&dora)), gone];
    assert_eq!([a, c, d], [seen.clone(), seen, vec![]]);
}

#[test]
fn what_is_said_before_the_others_are_back_is_for_them_too() {
    let (mut world, mut ada, mut bob, mut carol) = three();
    world.pass(BEACON_PERIOD, [&mut ada, &mut bob, &mut carol]);
    world.restart();
    world.enter_again(&mut ada).unwrap();
    catch_up(&mut ada);
    assert_eq!(ada.session.expected(world.now()).len(), 2);
    assert_eq!(world.say(&mut ada, "meet at the station at 8"), 2);
    catch_up(&mut ada);
    assert!(ada.session.waits_for_missing(world.now()));
    world.enter_again(&mut bob).unwrap();
    world.pass(2 * SETTLED, [&mut ada, &mut bob]);
    assert_eq!(ada.confirmed_by(1), ["bob"]);
    world.pass(BEACON_PERIOD, [&mut ada, &mut bob]);
    world.enter_again(&mut carol).unwrap();
    let [.., c] = world.pass(2 * SETTLED, [&mut ada, &mut bob, &mut carol]);
    let late = |event: &Event| {
        let Event::Message { text, written, .. } = event else {
            return false;
        };
        text.as_str() == "meet at the station at 8" && written.is_some()
    };
    assert_eq!(c.iter().filter(|event| late(event)).count(), 1, "{c:?}");
    assert_eq!(ada.confirmed_by(1), ["bob", "carol"]);
    assert!(!ada.session.waits_for_missing(world.now()));
}

#[test]
fn whoever_does_not_come_back_is_named_and_so_is_what_they_missed() {
    let (mut world, mut ada, mut bob, carol) = three();
    world.restart();
    world.enter_again(&mut ada).unwrap();
    world.enter_again(&mut bob).unwrap();
    for member in [&mut ada, &mut bob] {
        catch_up(member);
        world.relay(member);
    }
    assert_eq!(world.say(&mut ada, "where is carol?"), 2);
    let [a, _] = world.pass(BEACON_PERIOD * 6, [&mut ada, &mut bob]);
    let told: Vec<&Event> = a
        .iter()
        .filter(|event| matches!(event, Event::Undelivered { .. }))
        .collect();
    let gone = Event::Undelivered {
        receipt: 1,
        reader: carol.session.card().nick().clone(),
        text: "where is carol?".to_owned(),
        reason: Undelivered::Gone,
    };
    assert_eq!(told, [&gone]);
    assert_eq!(ada.session.expected(world.now()), []);
    assert_eq!(world.say(&mut ada, "she has gone"), 1);
}

#[test]
fn whoever_was_out_of_the_room_is_told_for_how_long_and_what_came_meanwhile() {
    let (mut world, mut ada, mut bob, mut carol) = three();
    world.say(&mut ada, "before");
    world.pass(BEACON_PERIOD, [&mut ada, &mut bob, &mut carol]);
    // Carol's program stands still, and the relay does not keep her place for so long.
    world.advance(Duration::from_secs(20));
    world.lose(&carol);
    for member in [&mut ada, &mut bob] {
        assert_eq!(catch_up(member), [left("carol", Departure::Lost)]);
    }
    for text in ["one", "two", "three"] {
        world.say(&mut ada, text);
    }
    world.say(&mut bob, "only one");
    world.pass(4 * BEACON_PERIOD, [&mut ada, &mut bob]);
    world.enter_again(&mut carol).unwrap();
    let [a, b, c] = world.pass(2 * BEACON_PERIOD, [&mut ada, &mut bob, &mut carol]);
    let Some(Event::Returned { out, .. }) = c.first() else {
        panic!("{c:?}");
    };
    // The last time that it looked at the clock was a second before it stood still.
    assert_eq!(*out, Duration::from_secs(21) + 4 * BEACON_PERIOD);
    let told: Vec<&Event> = c[1..]
        .iter()
        .filter(|event| !matches!(event, Event::Confirmed { .. }))
        .collect();
    let [Event::Meanwhile(told_out, counts)] = told.as_slice() else {
        panic!("{told:?}");
    };
    let mut counts = counts.clone();
    counts.sort_by_key(|(nick, _)| nick.to_string());
    let came = vec![(nick_of("ada"), 3), (nick_of("bob"), 1)];
    assert_eq!((told_out, counts), (out, came));
    for events in [a, b] {
        assert_eq!(events, [Event::Back(person(&carol))]);
    }
}

/// A room in which Ada has said something, and Carol's connection is lost.
fn without_carol() -> (World, [Member; 3]) {
    let (mut world, mut ada, mut bob, mut carol) = three();
    world.say(&mut ada, "before");
    world.pass(SETTLED, [&mut ada, &mut bob, &mut carol]);
    world.lose(&carol);
    (world, [ada, bob, carol])
}

/// Has Carol enter anew, and this much time pass. Returns what she is told of what came meanwhile.
fn told_meanwhile(
    world: &mut World,
    [ada, bob, carol]: [&mut Member; 3],
    time: Duration,
) -> Vec<Vec<(Nick, u64)>> {
    world.enter_again(carol).unwrap();
    let [.., c] = world.pass(time, [ada, bob, carol]);
    let counts = c.into_iter().filter_map(|event| match event {
        Event::Meanwhile(_, counts) => Some(counts),
        _ => None,
    });
    counts.collect()
}

#[test]
fn what_came_while_somebody_was_out_again_and_again_is_told_together() {
    let (mut world, [mut ada, mut bob, mut carol]) = without_carol();
    for (text, time) in [
        ("one", SETTLED),
        ("two", SETTLED),
        ("three", 2 * BEACON_PERIOD),
    ] {
        catch_up(&mut ada);
        world.say(&mut ada, text);
        let members = [&mut ada, &mut bob, &mut carol];
        let told = told_meanwhile(&mut world, members, time);
        if text == "three" {
            assert_eq!(told, [[(nick_of("ada"), 3)]]);
        } else {
            assert_eq!(told, [[]; 0]);
            world.lose(&carol);
        }
    }
}

#[test]
fn what_came_meanwhile_is_told_within_seconds_and_with_the_time_that_one_was_out() {
    let (mut world, [mut ada, mut bob, mut carol]) = without_carol();
    for (out, texts) in [(4 * BEACON_PERIOD, 3), (SETTLED, 1)] {
        carol.disconnect();
        for member in [&mut ada, &mut bob] {
            catch_up(member);
            for _ in 0..texts {
                world.say(member, "meanwhile");
            }
        }
        world.pass(out, [&mut ada, &mut bob]);
        world.enter_again(&mut carol).unwrap();
        let members = [&mut ada, &mut bob, &mut carol];
        // A late copy may still come for ten seconds.
        let [.., c] = world.pass(Duration::from_secs(15), members);
        let told = c.iter().filter_map(|event| match event {
            Event::Meanwhile(out, counts) => Some((*out, counts.clone())),
            _ => None,
        });
        let mut told: Vec<_> = told.collect();
        for (_, counts) in &mut told {
            counts.sort_by_key(|(nick, _)| nick.to_string());
        }
        // What brings her back comes a second later.
        let out = out + Duration::from_secs(1);
        let counts = vec![(nick_of("ada"), texts), (nick_of("bob"), texts)];
        assert_eq!(told, [(out, counts)]);
        world.lose(&carol);
    }
}

#[test]
fn what_somebody_said_meanwhile_who_leaves_then_is_told_before_that() {
    let (mut world, [mut ada, mut bob, mut carol]) = without_carol();
    catch_up(&mut ada);
    world.say(&mut ada, "one");
    let members = [&mut ada, &mut bob, &mut carol];
    assert_eq!(told_meanwhile(&mut world, members, SETTLED), [[]; 0]);
    ada.session.leave(world.now());
    world.relay(&mut ada);
    let told = catch_up(&mut carol);
    let meanwhile = |event: &Event| match event {
        Event::Meanwhile(_, counts) => counts.clone(),
        _ => Vec::new(),
    };
    assert_eq!(meanwhile(&told[0]), [(nick_of("ada"), 1)], "{told:?}");
    assert_eq!(told[1..], [left("ada", Departure::Left)]);
}

/// The relay is restarted so often. After the first time Ada says something, alone. Bob, to whom so much
/// time passes meanwhile, comes after the last. Returns what each of the two is told from then on.
fn said_before_bob_is_back(
    (world, ada, bob): (&mut World, &mut Member, &mut Member),
    restarts: usize,
    meanwhile: Duration,
) -> [Vec<Event>; 2] {
    for restart in 0..restarts {
        world.restart();
        world.enter_again(ada).unwrap();
        catch_up(ada);
        if restart == 0 {
            assert_eq!(world.say(ada, "anybody here?"), 2);
            catch_up(ada);
        }
    }
    world.pass(meanwhile, [bob]);
    world.enter_again(bob).unwrap();
    world.pass(2 * SETTLED, [ada, bob])
}

/// Somebody may not have come at all while the relay ran in between.
#[test]
fn what_was_said_in_a_run_that_its_reader_never_saw_is_for_it_all_the_same() {
    let (mut world, mut ada, mut bob, _carol) = three();
    let room = (&mut world, &mut ada, &mut bob);
    let [_, b] = said_before_bob_is_back(room, 2, Duration::ZERO);
    let is_message = |event: &&Event| matches!(event, Event::Message { .. });
    let told: Vec<&Event> = b.iter().filter(is_message).collect();
    assert!(
        matches!(told.as_slice(), [Event::Message { text, .. }] if text.as_str() == "anybody here?"),
        "{b:?}"
    );
    let is_alarm = |event: &Event| matches!(event, Event::Unopened(..));
    assert!(!b.iter().any(is_alarm), "{b:?}");
    assert_eq!(ada.confirmed_by(1), ["bob"]);
}

/// Whoever expects somebody back may not have heard of a new key of theirs.
#[test]
fn what_is_for_a_key_that_was_changed_before_a_restart_opens_or_comes_too_late() {
    for restarts in [1, 2] {
        for is_in_time in [true, false] {
            let (mut world, mut ada, mut bob, _carol) = three();
            world.rekey(&mut bob);
            catch_up(&mut bob);
            ada.intercept();
            let meanwhile = Duration::from_secs(if is_in_time { 50 } else { 60 });
            let room = (&mut world, &mut ada, &mut bob);
            let [a, b] = said_before_bob_is_back(room, restarts, meanwhile);
            let is_alarm = |event: &Event| matches!(event, Event::Unopened(..));
            assert!(!b.iter().any(is_alarm), "{b:?}");
            let is_shown = b.iter().any(|event| matches!(event, Event::Message { .. }));
            let is_too_late = b.contains(&Event::TooLate(nick_of("ada")));
            assert_eq!((is_shown, is_too_late), (is_in_time, !is_in_time), "{b:?}");
            let is_told = a.contains(&unopened_by("bob", 1, "anybody here?"));
            assert_eq!(is_told, !is_in_time, "{a:?}");
            assert_eq!(ada.confirmed_by(1).len(), usize::from(is_in_time));
        }
    }
}

/// Somebody may have seen another one come, or be there, and not have been seen before both restarts.
#[test]
fn what_cannot_be_told_from_what_was_encrypted_again_comes_too_late_and_accuses_nobody() {
    let mut world = World::new();
    let mut bob = world.enter("bob").expect("there is room");
    catch_up(&mut bob);
    let mut ada = world.enter("ada").expect("there is room");
    catch_up(&mut ada);
    for restart in 0..2 {
        world.restart();
        world.enter_again(&mut ada).unwrap();
        catch_up(&mut ada);
        if restart == 0 {
            assert_eq!(world.say(&mut ada, "anybody here?"), 1);
            catch_up(&mut ada);
        }
    }
    world.enter_again(&mut bob).unwrap();
    let [a, b] = world.pass(2 * SETTLED, [&mut ada, &mut bob]);
    let is_returned = |event: &Event| matches!(event, Event::Returned { .. });
    let told: Vec<&Event> = b.iter().filter(|event| !is_returned(event)).collect();
    assert_eq!(told, [&Event::TooLate(nick_of("ada"))]);
    assert!(a.contains(&unopened_by("bob", 1, "anybody here?")), "{a:?}");
}
