//! A relay that makes use of connections that break, and of members who come back: what each member
//! sees of it, event by event.

use std::time::Duration;

use e2echat::cipher::encoding::Encoder;
use e2echat::room::card::SessionId;
use e2echat::room::frame::{Departure, Frame, ToRelay};
use e2echat::room::session::{End, Event, To};

use crate::support::peer::{lobby, session_key};
use crate::support::world::{
    Insider, Member, World, catch_up, left, nick_of, payload, person, said, said_directly, three,
};

const HOLD: Duration = Duration::from_mins(5);

/// What a member is told that others said, of all that is on its way to it.
fn heard(member: &mut Member) -> Vec<Event> {
    let mut events = catch_up(member);
    events.retain(|event| matches!(event, Event::Message { .. }));
    events
}

/// What a member is warned of, of all that is on its way to it.
fn alarms(member: &mut Member) -> Vec<Event> {
    let mut events = catch_up(member);
    events.retain(|event| {
        !matches!(
            event,
            Event::Message { .. } | Event::Returned { .. } | Event::Joined(_) | Event::Back(_)
        )
    });
    events
}

/// The readers of the messages that a member has to send.
fn readers(member: &mut Member) -> Vec<SessionId> {
    let frames = member.session.take_outgoing();
    let parcels = frames
        .iter()
        .filter_map(|frame| match ToRelay::parse(&payload(frame)) {
            Ok(ToRelay::Send(send)) => Some(send.parcels),
            _ => None,
        });
    parcels.flatten().map(|parcel| parcel.to).collect()
}

/// A member whose connection is made again, and that has said HELLO.
fn knock(world: &World, member: &mut Member) {
    member.session.disconnect();
    member.intercept();
    assert_eq!(member.receive(&world.challenge()), []);
    assert_eq!(member.session.take_outgoing().len(), 1);
}

#[test]
fn a_restart_is_pretended_and_epochs_and_frames_come_again() {
    let (mut world, mut ada, mut bob, mut carol) = three();
    world.say(&mut ada, "pay 10");
    world.say_to(&mut ada, bob.sid(), "pay 20");
    let yesterday = bob.intercept();
    for frame in &yesterday {
        assert_eq!(bob.receive(frame).len(), 1);
    }
    world.restart();
    for member in [&mut ada, &mut bob, &mut carol] {
        world.enter_again(member).unwrap();
    }
    for _ in 0..2 {
        for member in [&mut ada, &mut bob, &mut carol] {
            assert_eq!(alarms(member), []);
            world.relay(member);
        }
    }
    for frame in &yesterday {
        assert_eq!(bob.receive(frame), []);
    }
    world.say(&mut ada, "today");
    world.say_to(&mut ada, bob.sid(), "today too");
    let today = [said("ada", "today"), said_directly("ada", "today too")];
    assert_eq!(catch_up(&mut bob), today);
}

#[test]
fn the_relay_goes_back_to_an_earlier_run() {
    let (mut world, _, mut bob, _) = three();
    let earlier = world.challenge();
    world.restart();
    world.enter_again(&mut bob).unwrap();
    catch_up(&mut bob);
    bob.session.disconnect();
    assert_eq!(bob.ends(&earlier), End::Malformed);
}

#[test]
fn an_acknowledgement_is_withheld_until_somebody_new_has_come() {
    for is_passed_on in [false, true] {
        let (mut world, mut ada, mut bob, mut carol) = three();
        ada.say("for bob and carol").unwrap();
        let once = [said("ada", "for bob and carol")];
        if is_passed_on {
            world.pass_on(&mut ada);
            assert_eq!(
                [heard(&mut bob), heard(&mut carol)],
                [once.clone(), once.clone()]
            );
        }
        world.restart();
        let mut dora = world.enter("dora").unwrap();
        world.enter_again(&mut bob).unwrap();
        world.enter_again(&mut ada).unwrap();
        catch_up(&mut ada);
        world.relay(&mut ada);
        world.enter_again(&mut carol).unwrap();
        catch_up(&mut ada);
        world.relay(&mut ada);
        let expected = if is_passed_on { vec![] } else { once.to_vec() };
        assert_eq!(heard(&mut bob), expected);
        assert_eq!(heard(&mut carol), expected);
        assert_eq!(heard(&mut dora), []);
        world.say(&mut ada, "for all");
        for member in [&mut bob, &mut carol, &mut dora] {
            assert_eq!(heard(member), [said("ada", "for all")]);
        }
    }
}

#[test]
fn a_member_is_shown_as_gone_and_back_to_lower_its_numbers() {
    let (mut world, mut ada, mut bob, _) = three();
    let first = ada.session.card().clone();
    world.say(&mut ada, "one");
    world.say(&mut ada, "two");
    let frames = bob.intercept();
    for frame in &frames {
        bob.receive(frame);
    }
    let epoch = world.epoch();
    let gone = payload(&Frame::left(epoch + 1, ada.sid(), Departure::Lost));
    assert_eq!(bob.receive(&gone), [left("ada", Departure::Lost, false)]);
    let again = payload(&Frame::joined(epoch + 2, first.bytes()));
    assert_eq!(bob.receive(&again), [Event::Back(person(&ada))]);
    for frame in &frames {
        assert_eq!(bob.receive(frame), []);
    }
    world.say(&mut ada, "three");
    assert_eq!(catch_up(&mut bob), [said("ada", "three")]);
}

#[test]
fn a_welcome_goes_on_in_another_run() {
    let (mut world, _, mut bob, _) = three();
    world.restart();
    knock(&world, &mut bob);
    let welcome = payload(&Frame::welcome_back(bob.taken()));
    assert_eq!(bob.ends(&welcome), End::Malformed);
}

#[test]
fn a_welcome_goes_on_from_numbers_that_cannot_be() {
    for wrong in [1_i64, -1] {
        let (world, _, mut bob, _) = three();
        knock(&world, &mut bob);
        let received = bob.taken().checked_add_signed(wrong).unwrap();
        let welcome = payload(&Frame::welcome_back(received));
        assert_eq!(bob.ends(&welcome), End::Malformed);
    }
}

#[test]
fn a_welcome_goes_on_with_other_members() {
    let (world, _, mut bob, _) = three();
    knock(&world, &mut bob);
    let welcome = Encoder::default()
        .byte(0x03)
        .u64(0)
        .boolean(true)
        .u64(bob.taken())
        .count(1)
        .finish();
    assert_eq!(bob.ends(&welcome), End::Malformed);
}

#[test]
fn a_welcome_promises_more_members_than_there_may_be() {
    let (world, _, mut bob, _) = three();
    knock(&world, &mut bob);
    // The room is for four, Bob included.
    let welcome = payload(&Frame::welcome(world.epoch() + 1, 4));
    assert_eq!(bob.ends(&welcome), End::Malformed);
}

#[test]
fn a_welcome_goes_on_where_nothing_was_begun() {
    let (world, _, mut bob, _) = three();
    // The connection breaks again before he knows who is there.
    knock(&world, &mut bob);
    assert_eq!(
        bob.receive(&payload(&Frame::welcome(world.epoch() + 2, 2))),
        []
    );
    bob.session.disconnect();
    assert_eq!(bob.receive(&world.challenge()), []);
    let hello = bob.session.take_outgoing().remove(0);
    assert!(matches!(
        ToRelay::parse(&payload(&hello)),
        Ok(ToRelay::Hello {
            resumes: None,
            received: 0,
            ..
        })
    ));
    assert_eq!(bob.ends(&payload(&Frame::welcome_back(0))), End::Malformed);
}

#[test]
fn an_epoch_comes_twice_in_a_run() {
    let (world, _, mut bob, _) = three();
    knock(&world, &mut bob);
    let welcome = payload(&Frame::welcome(world.epoch(), 2));
    assert_eq!(bob.ends(&welcome), End::Malformed);
}

/// Ada has said something to Bob that he was not there for any more, and waits for him.
fn waiting() -> (World, Member, Member) {
    let (mut world, mut ada, bob, _) = three();
    ada.say("for bob").expect("it can be said");
    world.restart();
    world.enter_again(&mut ada).expect("there is room");
    catch_up(&mut ada);
    world.relay(&mut ada);
    (world, ada, bob)
}

#[test]
fn somebody_else_comes_under_the_nick_of_one_for_whom_a_message_waits() {
    let (mut world, mut ada, mut bob) = waiting();
    let other = world.enter("bob").unwrap();
    assert_eq!(catch_up(&mut ada), [Event::Joined(person(&other))]);
    assert_eq!(readers(&mut ada), []);
    world.lose(&other);
    assert_eq!(catch_up(&mut ada), [left("bob", Departure::Lost, false)]);
    world.enter_again(&mut bob).unwrap();
    assert_eq!(catch_up(&mut ada), [Event::Back(person(&bob))]);
    world.relay(&mut ada);
    assert_eq!(heard(&mut bob), [said("ada", "for bob")]);
}

#[test]
fn somebody_else_presents_a_card_that_follows_that_of_one_for_whom_a_message_waits() {
    let (mut world, mut ada, mut bob) = waiting();
    let mallory = Insider::new("bob");
    let key = session_key(0).public();
    let card = bob.session.card();
    let card = card.issue_successor(&lobby().key(), &mallory.identity, card.nick(), key, 0, 0);
    let epoch = world.epoch();
    let events = ada.receive(&payload(&Frame::joined(epoch + 1, card.bytes())));
    assert!(
        matches!(events.as_slice(), [Event::Joined(_)]),
        "{events:?}"
    );
    assert_eq!(readers(&mut ada), []);
    let gone = payload(&Frame::left(epoch + 2, card.sid(), Departure::Lost));
    assert_eq!(ada.receive(&gone), [left("bob", Departure::Lost, false)]);
    bob.session.disconnect();
    let back = payload(&Frame::joined(epoch + 3, bob.session.card().bytes()));
    assert_eq!(ada.receive(&back), [Event::Back(person(&bob))]);
    assert_eq!(readers(&mut ada), [bob.sid()]);
    world.advance(HOLD);
    let for_carol = [nick_of("carol")];
    let is_bobs = |e: &Event| matches!(e, Event::Undelivered(nicks, _) if *nicks != for_carol);
    assert!(!ada.tick().iter().any(is_bobs));
}

#[test]
fn a_message_for_one_who_never_comes_back_is_reported() {
    let (mut world, mut ada, bob) = waiting();
    world.enter("bob").unwrap();
    catch_up(&mut ada);
    world.advance(HOLD);
    let events = ada.tick();
    let is_bobs = |event: &&Event| {
        matches!(event, Event::Undelivered(nicks, text)
            if nicks.contains(&nick_of("bob")) && text == "for bob")
    };
    assert_eq!(events.iter().filter(is_bobs).count(), 1, "{events:?}");
    assert_eq!(ada.session.undelivered().count(), 0);
    drop(bob);
}

#[test]
fn a_member_changes_its_key_while_a_message_waits() {
    let (mut world, mut ada, mut bob) = waiting();
    world.rekey(&mut ada);
    catch_up(&mut ada);
    world.enter_again(&mut bob).unwrap();
    catch_up(&mut ada);
    world.relay(&mut ada);
    assert_eq!(heard(&mut bob), [said("ada", "for bob")]);
    world.say(&mut ada, "again");
    assert_eq!(catch_up(&mut bob), [said("ada", "again")]);
}

/// The relay takes nothing that was written under a key before the last one.
#[test]
fn a_member_changes_its_key_twice_while_a_message_waits() {
    let (mut world, mut ada, mut bob) = waiting();
    for _ in 0..2 {
        world.advance(Duration::from_mins(1));
        ada.tick();
        world.rekey(&mut ada);
        catch_up(&mut ada);
    }
    // He comes before it is time to say that he has missed it.
    world.enter_again(&mut bob).unwrap();
    catch_up(&mut ada);
    world.relay(&mut ada);
    assert_eq!(heard(&mut bob), []);
    let events = ada.tick();
    let is_bobs = |event: &Event| {
        matches!(event, Event::Undelivered(nicks, text)
            if nicks.contains(&nick_of("bob")) && text == "for bob")
    };
    assert!(events.iter().any(is_bobs), "{events:?}");
}

#[test]
fn the_answer_to_a_rekey_is_lost_with_the_connection() {
    for is_passed_on in [false, true] {
        let (mut world, mut ada, mut bob, mut carol) = three();
        ada.say("before").unwrap();
        ada.rekey();
        ada.say("after").unwrap();
        let said = [said("ada", "before"), said("ada", "after")];
        if is_passed_on {
            world.pass_on(&mut ada);
            assert_eq!(heard(&mut bob), said);
        }
        world.lose(&ada);
        world.enter_again(&mut ada).unwrap();
        assert_eq!(alarms(&mut ada), []);
        world.relay(&mut ada);
        let expected = if is_passed_on { vec![] } else { said.to_vec() };
        assert_eq!(heard(&mut bob), expected);
        assert_eq!(heard(&mut carol), said);
        world.say(&mut bob, "welcome");
        assert_eq!(
            heard(&mut ada),
            [crate::support::world::said("bob", "welcome")]
        );
    }
}

/// The others know the new key, and its owner does not know that they do.
#[test]
fn a_message_to_one_alone_whose_new_key_was_listed_without_its_knowing() {
    let (mut world, mut ada, mut bob, _) = three();
    world.rekey(&mut bob);
    catch_up(&mut ada);
    ada.say_to(To::Member(bob.sid()), "for bob").unwrap();
    world.restart();
    world.enter_again(&mut bob).unwrap();
    catch_up(&mut bob);
    world.enter_again(&mut ada).unwrap();
    catch_up(&mut ada);
    world.relay(&mut ada);
    let missing = Event::Missing(nick_of("ada"), 1);
    assert_eq!(catch_up(&mut bob), [Event::Back(person(&ada)), missing]);
    world.say_to(&mut ada, bob.sid(), "again");
    assert_eq!(catch_up(&mut bob), [said_directly("ada", "again")]);
}
