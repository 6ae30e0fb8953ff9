//! A relay that shows members different rooms, people who are gone, and people under other names:
//! what each member sees of it, event by event.

use e2echat::cipher::keys::PublicKey;
use e2echat::room::card::Card;
use e2echat::room::frame::{Departure, Frame, ToRelay};
use e2echat::room::message::OpenError;
use e2echat::room::session::{Disbelief, Event, SayError, Standing, To};

use crate::support::peer::{lobby, session_key};
use crate::support::world::{
    BEACON_PERIOD, Delivery, Insider, Member, World, catch_up, joined, left, nick_of, other_view,
    payload, person, said, three, unconfirmed,
};

fn card(nick: &str, by: &Insider, session: &PublicKey) -> Card {
    Card::issue(&lobby(), &nick_of(nick), &by.identity, session, 0)
}

#[test]
fn one_session_key_under_two_nicks_shown_to_different_members() {
    let (mut world, mut ada, mut bob, mut carol) = three();
    let mallory = Insider::new("mallory");
    let epoch = world.epoch() + 1;
    for (reader, nick) in [
        (&mut ada, "mallory"),
        (&mut bob, "eve"),
        (&mut carol, "eve"),
    ] {
        let card = card(nick, &mallory, session_key(0).public());
        let events = reader.receive(&payload(&Frame::joined(epoch, card.bytes())));
        assert!(matches!(events.as_slice(), [Event::Joined(_)]));
    }
    let [a, b, c] = world.pass(BEACON_PERIOD, [&mut ada, &mut bob, &mut carol]);
    assert!(
        a.contains(&other_view("bob")) && a.contains(&other_view("carol")),
        "{a:?}"
    );
    let told = vec![unconfirmed("eve"), other_view("ada")];
    assert_eq!((b, c), (told.clone(), told));
    // One of them is shown the other nick after all.
    let eve = card("eve", &mallory, session_key(0).public());
    let events = ada.receive(&payload(&Frame::joined(epoch + 1, eve.bytes())));
    assert!(matches!(
        events.as_slice(),
        [Event::Disbelieved(Disbelief::Conflict(_))]
    ));
}

#[test]
fn a_direct_message_to_a_card_with_anothers_session_key_is_passed_to_the_keys_owner() {
    let mut world = World::new();
    let mut bob = world.enter("bob").unwrap();
    catch_up(&mut bob);
    let mut ada = world.enter("ada").unwrap();
    catch_up(&mut bob);
    // She is shown Mallory where Bob is, with Bob's session key.
    let mallory = Insider::new("mallory");
    let shown = card("mallory", &mallory, bob.session.card().session());
    let mut frames = ada.intercept();
    frames[1] = payload(&Frame::member(shown.bytes()));
    ada.deliver(frames);
    assert!(matches!(catch_up(&mut ada).as_slice(), [Event::Entered(people)] if people.len() == 1));
    ada.session.take_outgoing();
    assert_eq!(ada.say_to(To::Member(shown.sid()), "about bob"), Ok(1));
    let frames = ada.session.take_outgoing();
    let bytes = payload(&frames[0]);
    let Ok(ToRelay::Send(send)) = ToRelay::parse(&bytes) else {
        panic!("not SEND");
    };
    let mut fields = vec![0x11];
    fields.extend(&bytes[send.signed]);
    fields.extend(&bytes[send.parcels[0].ciphertext.clone()]);
    let not_for_me = Event::Unopened(nick_of("ada"), OpenError::NotForMe);
    assert_eq!(bob.receive(&fields), [not_for_me]);
}

#[test]
fn a_member_leaves_and_joins_again_with_one_card() {
    let (mut world, mut ada, mut bob, _) = three();
    world.say(&mut ada, "pay 10");
    let message = bob.intercept_message().frame();
    assert_eq!(bob.receive(&message), [said("ada", "pay 10")]);
    let epoch = world.epoch();
    let gone = payload(&Frame::left(epoch + 1, ada.sid(), Departure::Lost));
    assert_eq!(bob.receive(&gone), [left("ada", Departure::Lost, false)]);
    let again = payload(&Frame::joined(epoch + 2, ada.session.card().bytes()));
    assert_eq!(bob.receive(&again), [Event::Back(person(&ada))]);
    assert_eq!(bob.receive(&message), []);
}

#[test]
fn a_departed_members_card_is_replayed_to_a_newcomer() {
    let (mut world, mut ada, mut bob, mut carol) = three();
    let ghost = ada.session.card().clone();
    world.leave(&mut ada);
    catch_up(&mut bob);
    catch_up(&mut carol);
    let mut dora = world.enter("dora").unwrap();
    let mut frames = dora.intercept();
    assert_eq!(frames.len(), 3);
    frames[0] = payload(&Frame::welcome(world.epoch(), 3));
    frames.push(payload(&Frame::member(ghost.bytes())));
    dora.deliver(frames);
    let mut present = [person(&ada), person(&bob), person(&carol)];
    present.sort_by_key(|person| person.nick.as_str().to_owned());
    assert_eq!(catch_up(&mut dora), [Event::Entered(present.to_vec())]);
    let [_, _, d] = world.pass(BEACON_PERIOD, [&mut bob, &mut carol, &mut dora]);
    assert!(
        d.contains(&other_view("bob")) && d.contains(&other_view("carol")),
        "{d:?}"
    );
    // She is shown as one who has not shown that she is there, and missed before long.
    let others = dora.session.others();
    assert!(
        !others
            .iter()
            .find(|p| p.nick == nick_of("ada"))
            .unwrap()
            .is_confirmed
    );
    let [_, _, d] = world.pass(4 * BEACON_PERIOD, [&mut bob, &mut carol, &mut dora]);
    assert_eq!(d, [Event::Quiet(nick_of("ada"), 241)]);
}

#[test]
fn a_pretended_restart_with_yesterdays_frames() {
    let mut world = World::new();
    let mut ada = world.enter("ada").unwrap();
    catch_up(&mut ada);
    let bob = world.enter("bob").unwrap();
    catch_up(&mut ada);
    world.say(&mut ada, "pay 10");
    let yesterday = bob.intercept().pop().unwrap();
    // Bob comes back, and the relay presents the Ada of yesterday, in the same epoch.
    let mut anew = World::restarted();
    anew.enter("ada").unwrap();
    let mut bob = anew.enter("bob").unwrap();
    let mut frames = bob.intercept();
    frames[1] = payload(&Frame::member(ada.session.card().bytes()));
    bob.deliver(frames);
    assert_eq!(catch_up(&mut bob), [Event::Entered(vec![person(&ada)])]);
    assert_eq!(anew.epoch(), world.epoch());
    assert_eq!(
        bob.receive(&yesterday),
        [
            other_view("ada"),
            Event::Unopened(nick_of("ada"), OpenError::CannotOpen)
        ]
    );
    assert!(!bob.session.others()[0].is_confirmed);
}

#[test]
fn a_key_swapped_between_the_warning_and_the_acceptance() {
    let mut world = World::new();
    let mut ada = world.enter("ada").unwrap();
    catch_up(&mut ada);
    let warned_of = world.enter("bob").unwrap();
    assert_eq!(catch_up(&mut ada), [joined(&warned_of)]);
    ada.session.set_standing(warned_of.sid(), Standing::Changed);
    assert_eq!(ada.say("not to him"), Ok(0));
    let shown = ada.session.changes();
    // While she compares, another one comes under the same name.
    world.lose(&warned_of);
    let swapped = world.enter("bob").unwrap();
    catch_up(&mut ada);
    ada.session.set_standing(warned_of.sid(), Standing::Known);
    let bob = &ada.session.others()[0];
    assert_eq!((bob.sid, bob.standing), (swapped.sid(), Standing::New));
    // What was typed before he was seen is not for him.
    assert_eq!(ada.say_to(To::Room { shown }, "for bob"), Ok(0));
    assert_eq!(
        ada.say_to(To::Member(warned_of.sid()), "psst"),
        Err(SayError::NotThere)
    );
}

#[test]
fn a_past_reader_encrypts_a_message_again_for_one_who_joined_later() {
    let mut world = World::new();
    let mut bob = world.enter("bob").unwrap();
    catch_up(&mut bob);
    let insider = world.enter_insider("ada");
    catch_up(&mut bob);
    let (header, body) = insider.compose(&world, &[&bob], 0, "only for bob");
    let for_bob = insider.deliver(&header, &body, &bob);
    assert_eq!(bob.receive(&for_bob.frame()), [said("ada", "only for bob")]);
    let mut carol = world.enter("carol").unwrap();
    catch_up(&mut carol);
    // Bob knows the whole body, and the header is signed.
    let sealed_for = |member: &Member| {
        let reader = e2echat::cipher::seal::Recipient {
            id: &member.sid().0,
            key: member.session.card().session(),
        };
        e2echat::cipher::seal::seal(&for_bob.header, &body, &[reader]).remove(0)
    };
    let for_carol = Delivery {
        ciphertext: sealed_for(&carol),
        ..for_bob.clone()
    };
    assert_eq!(
        carol.receive(&for_carol.frame()),
        [Event::Unopened(nick_of("ada"), OpenError::NotForMe)]
    );
}

#[test]
fn who_takes_its_own_place_and_goes_is_gone() {
    let (mut world, mut ada, mut bob, _) = three();
    world.enter_again(&mut ada).expect("it is its own place");
    world.lose(&ada);
    let events = catch_up(&mut bob);
    let gone = left("ada", Departure::Lost, false);
    assert_eq!(events.last(), Some(&gone), "{events:?}");
}
