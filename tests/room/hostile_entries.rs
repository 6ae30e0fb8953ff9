//! Who may say what as whom, and when: late copies that are none, session ids that are not one's own,
//! keys and runs that somebody else says there are.

use std::time::Duration;

use e2echat::cipher::keys::{KeySize, SessionKey};
use e2echat::room::card::{Card, SessionId};
use e2echat::room::chain::{EntryKind, signed_entry};
use e2echat::room::frame::{Challenge, Frame, RelayLimits, RunId};
use e2echat::room::message::OpenError;
use e2echat::room::session::{Disbelief, End, Event};
use e2echat::room::statement::Occasion;

use crate::support::peer::{CardFields, lobby};
use crate::support::world::{
    BEACON_PERIOD, Delivery, Insider, SETTLED, World, catch_up, missing, nick_of, payload, person,
    said, three, without_having_seen,
};

/// What comes to this member alone under that nick, without a reason.
fn not_for_me(nick: &str) -> Event {
    Event::Unopened(nick_of(nick), OpenError::NotForMe)
}

/// An insider whose card says that it had this session id before, and is good, or was made without the
/// name of the room.
fn squatter(nick: &str, previous: SessionId, knows_the_room: bool) -> Insider {
    let mut insider = Insider::new(nick);
    let key = SessionKey::generate(KeySize::Bits2048);
    let mut fields = CardFields::new(nick, &insider.identity.key, key.public());
    fields.generation = 1;
    fields.previous = previous.0;
    fields.first = previous.0;
    let bytes = if knows_the_room {
        fields.sign(&insider.identity.key)
    } else {
        fields.sign_with_a_wrong_mac(&insider.identity.key)
    };
    insider.card = Card::parse(&bytes, lobby().id()).unwrap();
    insider
}

#[test]
fn a_member_says_different_things_under_one_number_by_copies_of_what_was_no_entry() {
    let (mut world, mut ada, mut bob, _) = three();
    let mut mallory = world.enter_insider("mallory");
    catch_up(&mut ada);
    catch_up(&mut bob);
    for (reader, text) in [(&ada, "I vote yes"), (&bob, "I vote no")] {
        let (header, body) = mallory.compose(&world, 0, text);
        let sealed = mallory.seal(&header, &body, &[reader]);
        let copy = sealed.late_copy(reader.sid()).unwrap();
        world.pass_on_from(&mut mallory, vec![copy]);
    }
    assert_eq!(catch_up(&mut ada), [not_for_me("mallory")]);
    assert_eq!(catch_up(&mut bob), [not_for_me("mallory")]);
}

#[test]
fn an_answer_is_put_under_another_question_as_a_copy() {
    let (mut world, mut ada, mut bob, mut carol) = three();
    world.say(&mut carol, "cancel the order?");
    catch_up(&mut ada);
    ada.say("yes").unwrap();
    world.say(&mut carol, "keep the order?");
    world.relay(&mut ada);
    let frames = bob.intercept();
    let (answer, questions) = frames.split_last().unwrap();
    for (question, text) in questions
        .iter()
        .zip(["cancel the order?", "keep the order?"])
    {
        assert_eq!(bob.receive(question), [said("carol", text)]);
    }
    let copy = Delivery {
        is_entry: false,
        ..Delivery::parse(answer)
    };
    assert_eq!(bob.receive(&copy.frame()), [not_for_me("ada")]);
    let marked = without_having_seen(1, said("ada", "yes"));
    assert_eq!(bob.receive(answer), [marked]);
}

#[test]
fn an_answer_is_put_above_its_question_as_a_copy() {
    let (mut world, mut ada, mut bob, mut carol) = three();
    world.say(&mut carol, "who did it?");
    catch_up(&mut ada);
    world.say(&mut ada, "bob");
    let [question, answer] = bob.intercept().try_into().unwrap();
    let copy = Delivery {
        is_entry: false,
        ..Delivery::parse(&answer)
    };
    assert_eq!(bob.receive(&copy.frame()), [not_for_me("ada")]);
    assert_eq!(bob.receive(&question), [said("carol", "who did it?")]);
    assert_eq!(bob.receive(&answer), [said("ada", "bob")]);
}

#[test]
fn nobody_is_named_for_what_another_sends_under_a_session_id_of_before() {
    for knows_the_room in [false, true] {
        let (mut world, mut ada, mut bob, mut carol) = three();
        let before = ada.sid();
        world.rekey(&mut ada);
        for member in [&mut ada, &mut bob, &mut carol] {
            catch_up(member);
        }
        let mut mallory = squatter("mallory", before, knows_the_room);
        world.admit_insider(&mut mallory);
        catch_up(&mut bob);
        let (mut header, _) = mallory.compose(&world, 0, "x");
        header.sender = before;
        // An honest relay does not take it.
        let forged = signed_entry(&header.encode(), &[7; 256]);
        let seen = bob.receive(&payload(&Frame::entry(EntryKind::Message, &forged)));
        let nobody = if knows_the_room {
            vec![Event::Stray]
        } else {
            vec![]
        };
        assert_eq!(seen, nobody);
    }
}

#[test]
fn a_run_that_somebody_on_the_way_makes_up_locks_nobody_out() {
    let (mut world, _ada, mut bob, _carol) = three();
    world.lose(&bob);
    bob.disconnect();
    let made_up = Challenge {
        nonce: [9; 32],
        run: RunId([99; 16]),
    };
    let limits = RelayLimits {
        idle: 90,
        members: 4,
        blocks: 0,
        bytes: 0,
    };
    assert_eq!(
        bob.receive(&payload(&Frame::challenge(&made_up, &limits))),
        []
    );
    world.enter_again(&mut bob).unwrap();
    assert!(matches!(
        catch_up(&mut bob).as_slice(),
        [.., Event::Returned { .. }]
    ));
    // A run that is over, as this member has been in another since, does not come again.
    let over = world.challenge();
    world.restart();
    world.enter_again(&mut bob).unwrap();
    catch_up(&mut bob);
    bob.disconnect();
    assert_eq!(bob.ends(&over), End::Malformed);
}

#[test]
fn somebody_silent_does_not_end_a_program_that_comes_and_goes() {
    let mut world = World::new();
    let mallory = world.enter_insider("mallory");
    let mut ada = world.enter("ada").unwrap();
    catch_up(&mut ada);
    let mut told = 0;
    for _ in 0..12 {
        world.relay(&mut ada);
        world.pass(BEACON_PERIOD, [&mut ada]);
        mallory.intercept();
        world.lose(&ada);
        world.enter_again(&mut ada).unwrap();
        told += usize::from(catch_up(&mut ada).contains(&Event::CutOff));
    }
    assert_eq!(told, 4, "of the last four stays too many went before");
}

#[test]
fn those_who_were_refused_are_silent_whatever_the_others_of_them_do() {
    let (mut world, _ada, mut bob, mut carol) = three();
    world.leave(&mut carol);
    catch_up(&mut bob);
    let mut one = Insider::without_the_name("one");
    world.admit_insider(&mut one);
    let mut two = squatter("two", one.card.sid(), false);
    world.admit_insider(&mut two);
    let refused = catch_up(&mut bob);
    assert!(
        refused
            .iter()
            .all(|event| matches!(event, Event::Disbelieved(Disbelief::Card(_))))
    );
    let goodbye = one.state(&one.statement(&world, Occasion::Goodbye));
    world.pass_on_from(&mut one, vec![goodbye]);
    let beacon = two.state(&two.statement(&world, Occasion::Beacon));
    world.pass_on_from(&mut two, vec![beacon]);
    assert_eq!(catch_up(&mut bob), []);
}

#[test]
fn whoever_takes_the_session_key_of_somebody_who_is_away_keeps_nobody_out() {
    let (mut world, mut ada, mut bob, _carol) = three();
    world.lose(&bob);
    let mut mallory = Insider::new("mallory");
    let key = bob.session.card().session();
    mallory.card = Card::issue(&lobby(), &nick_of("mallory"), &mallory.identity, key, 0);
    world.admit_insider(&mut mallory);
    assert!(world.enter_again(&mut bob).is_err());
    let make_key = || SessionKey::generate(KeySize::Bits2048);
    assert!(bob.session.replace_key(make_key, world.now()));
    world.enter_again(&mut bob).unwrap();
    for member in [&mut ada, &mut bob] {
        catch_up(member);
    }
    world.say(&mut ada, "welcome back");
    assert_eq!(catch_up(&mut bob), [said("ada", "welcome back")]);
}

#[test]
fn a_relay_that_refuses_a_key_that_was_just_made_is_left() {
    for code in [11, 12] {
        let (_, _ada, mut bob, _carol) = three();
        let before = bob.sid();
        bob.rekey();
        bob.session.take_outgoing();
        assert_eq!(bob.ends(&payload(&Frame::refused(code))), End::Malformed);
        // It enters under the new key.
        bob.disconnect();
        let challenge = World::restarted().challenge();
        assert_eq!(bob.receive(&challenge), []);
        assert_eq!(bob.session.card().sid(), before);
        assert!(bob.session.take_outgoing().len() == 1);
    }
}

#[test]
fn whoever_comes_and_goes_gets_what_was_said_in_small_parts() {
    let (mut world, mut ada, mut bob, mut carol) = three();
    let mut mallory = world.enter_insider("mallory");
    for member in [&mut ada, &mut bob, &mut carol] {
        catch_up(member);
        world.relay(member);
    }
    let text = "x".repeat(1000);
    for _ in 0..100 {
        world.say(&mut ada, &text);
    }
    world.pass(SETTLED, [&mut ada, &mut bob, &mut carol]);
    let mut bytes = 0;
    for _ in 0..20 {
        world.lose_insider(&mallory);
        world.admit_insider(&mut mallory);
        mallory.intercept();
        catch_up(&mut ada);
        bytes += sent(&mut ada);
        world.advance(Duration::from_secs(1));
        ada.tick();
        bytes += sent(&mut ada);
    }
    assert!(
        bytes < 400_000,
        "{bytes} in 20 seconds, of all that was said so often"
    );
    // What is said meanwhile does not wait behind that.
    world.say(&mut ada, "and now?");
    let heard = catch_up(&mut bob);
    assert!(heard.contains(&said("ada", "and now?")), "{heard:?}");
    assert!(!heard.contains(&missing("ada", 1)));
}

/// How many bytes a member sends now, beside what it states.
fn sent(member: &mut crate::support::world::Member) -> usize {
    let frames = member.session.take_outgoing();
    frames.iter().map(|frame| payload(frame).len()).sum()
}

#[test]
fn a_message_that_is_shown_twice_ends_the_connection_and_divides_nobody() {
    for behind in [1, 100] {
        let (mut world, mut ada, mut bob, mut carol) = three();
        for number in 0..behind {
            world.say(&mut carol, &number.to_string());
        }
        let frames = bob.intercept();
        for (number, frame) in frames.iter().enumerate() {
            assert_eq!(bob.receive(frame), [said("carol", &number.to_string())]);
        }
        let first = &frames[0];
        assert_eq!(bob.ends(first), End::Malformed, "{behind}");
        bob.session.enter_anew();
        world.lose(&bob);
        world.enter_again(&mut bob).unwrap();
        let all = world.pass(BEACON_PERIOD, [&mut ada, &mut bob, &mut carol]);
        let is_different = |event: &Event| {
            matches!(
                event,
                Event::OtherView(_) | Event::OtherViewBefore(_) | Event::Contradicted
            )
        };
        assert!(!all.iter().flatten().any(is_different), "{all:?}");
    }
}

#[test]
fn a_message_that_its_author_sends_again_after_entering_anew_is_dropped_as_a_repeat() {
    let (mut world, mut ada, mut bob, _) = three();
    world.relay(&mut bob);
    ada.say("hello").unwrap();
    world.pass_on(&mut ada);
    assert_eq!(catch_up(&mut bob), [said("ada", "hello")]);
    // The relay's answer is lost, and the place is not kept.
    world.lose(&ada);
    ada.session.enter_anew();
    world.enter_again(&mut ada).unwrap();
    catch_up(&mut ada);
    world.relay(&mut ada);
    let events = catch_up(&mut bob);
    assert!(events.contains(&Event::Back(person(&ada))), "{events:?}");
    let is_message = |event: &Event| matches!(event, Event::Message { .. });
    assert!(!events.iter().any(is_message), "{events:?}");
    assert!(bob.session.is_inside());
}
