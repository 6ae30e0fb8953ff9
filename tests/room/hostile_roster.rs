//! A relay that shows members different rooms, people who are gone, and people under other names:
//! what each member sees of it, event by event.

use std::time::Duration;

use e2echat::cipher::keys::PublicKey;
use e2echat::room::card::Card;
use e2echat::room::frame::{Departure, Frame, ToClient, ToRelay};
use e2echat::room::message::OpenError;
use e2echat::room::roster::Conflict;
use e2echat::room::session::{Disbelief, Event, SayError, Standing, To, Written};

use crate::support::peer::{lobby, session_key};
use crate::support::world::{
    BEACON_PERIOD, Delivery, Insider, Member, SETTLED, World, catch_up, is_statement, joined,
    joining, leaving, left, nick_of, other_view, payload, person, said, said_directly, three,
    written_at,
};

fn card(nick: &str, by: &Insider, session: &PublicKey) -> Card {
    Card::issue(&lobby(), &nick_of(nick), &by.identity, session, 0)
}

#[test]
fn one_session_key_under_two_nicks_shown_to_different_members() {
    let (mut world, mut ada, mut bob, mut carol) = three();
    let insider = Insider::new("mallory");
    let card = |nick| card(nick, &insider, session_key(0).public());
    let (mallory, eve) = (card("mallory"), card("eve"));
    for (reader, shown) in [(&mut ada, &mallory), (&mut bob, &eve), (&mut carol, &eve)] {
        let events = reader.receive(&joining(shown.bytes()));
        assert!(matches!(events.as_slice(), [Event::Joined(_)]));
    }
    let [a, b, c] = world.pass(BEACON_PERIOD, [&mut ada, &mut bob, &mut carol]);
    assert!(
        a.contains(&other_view("bob")) && a.contains(&other_view("carol")),
        "{a:?}"
    );
    assert_eq!((b, c), (vec![other_view("ada")], vec![other_view("ada")]));
    // That whoever has this key is there, only the relay has said.
    for member in [&ada, &bob, &carol] {
        let others = member.session.others();
        let strange = others
            .iter()
            .find(|it| ["mallory", "eve"].contains(&it.nick.as_str()));
        assert!(!strange.unwrap().is_present);
    }
    // One of them is shown the other nick after all.
    world.lose(&carol);
    catch_up(&mut ada);
    assert_eq!(
        ada.receive(&joining(eve.bytes())),
        [Event::Disbelieved(Disbelief::Conflict(
            Conflict::SessionKey
        ))]
    );
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
    let mut fields = vec![0x13];
    fields.extend(&bytes[send.signed]);
    fields.extend(&bytes[send.parcels[0].ciphertext.clone()]);
    let not_for_me = Event::Unopened(nick_of("ada"), OpenError::NotForMe);
    assert_eq!(bob.receive(&fields), [not_for_me]);
}

#[test]
fn a_member_leaves_and_joins_again_with_one_card() {
    let (mut world, mut ada, mut bob, mut carol) = three();
    world.say(&mut ada, "pay 10");
    let message = bob.intercept_message();
    assert_eq!(bob.receive(&message.frame()), [said("ada", "pay 10")]);
    let gone = leaving(ada.sid(), Departure::Lost);
    assert_eq!(bob.receive(&gone), [left("ada", Departure::Lost)]);
    let again = joining(ada.session.card().bytes());
    assert_eq!(bob.receive(&again), [Event::Back(person(&ada))]);
    // Neither as an entry nor as a copy for him alone.
    assert_eq!(bob.receive(&message.frame()), []);
    let copy = Delivery {
        is_entry: false,
        ..message
    };
    assert_eq!(bob.receive(&copy.frame()), []);
    let [_, b, _] = world.pass(2 * BEACON_PERIOD, [&mut ada, &mut bob, &mut carol]);
    assert!(
        b.contains(&other_view("ada")) && b.contains(&other_view("carol")),
        "{b:?}"
    );
}

#[test]
fn a_departed_members_card_is_replayed_to_a_newcomer() {
    let (mut world, mut ada, mut bob, mut carol) = three();
    let ghost = ada.session.card().clone();
    world.leave(&mut ada);
    catch_up(&mut bob);
    catch_up(&mut carol);
    let before = world.link();
    let mut dora = world.enter("dora").unwrap();
    let mut frames = dora.intercept();
    assert_eq!(frames.len(), 3);
    frames[0] = payload(&Frame::welcome(&before, 3, 0));
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
    let is_present = |member: &Member, nick: &str| {
        let others = member.session.others();
        let found = others.into_iter().find(|p| p.nick == nick_of(nick));
        found.unwrap().is_present
    };
    assert!(!is_present(&dora, "ada"));
    let [_, _, d] = world.pass(4 * BEACON_PERIOD, [&mut bob, &mut carol, &mut dora]);
    assert!(
        d.contains(&Event::Quiet(nick_of("ada"), Duration::from_secs(241))),
        "{d:?}"
    );
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
    world.advance(BEACON_PERIOD);
    ada.tick();
    world.relay(&mut ada);
    let statement = bob.intercept().pop().unwrap();
    assert!(is_statement(&statement));
    // Bob comes back, and the relay presents the Ada of yesterday, at the same position.
    let mut anew = World::restarted();
    anew.enter("ada").unwrap();
    let mut bob = anew.enter("bob").unwrap();
    let mut frames = bob.intercept();
    frames[1] = payload(&Frame::member(ada.session.card().bytes()));
    bob.deliver(frames);
    assert_eq!(catch_up(&mut bob), [Event::Entered(vec![person(&ada)])]);
    // A message may be sent again in another run, a statement is not.
    assert_eq!(
        bob.receive(&yesterday),
        [Event::Unopened(nick_of("ada"), OpenError::NotForMe)]
    );
    assert_eq!(bob.receive(&statement), [other_view("ada")]);
    assert!(!bob.session.others()[0].is_present);
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
    let mut insider = world.enter_insider("ada");
    catch_up(&mut bob);
    let (header, body) = insider.compose(&world, 0, "only for bob");
    world.publish(&mut insider, &header, &body, &[&bob]);
    let for_bob = bob.intercept_message();
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
    // At another place, or as if it were sent again for her: when it was written, she was not there.
    for is_entry in [true, false] {
        let for_carol = Delivery {
            ciphertext: sealed_for(&carol),
            is_entry,
            ..for_bob.clone()
        };
        let events = carol.receive(&for_carol.frame());
        let not_for_me = Event::Unopened(nick_of("ada"), OpenError::NotForMe);
        assert_eq!(events, [not_for_me], "{is_entry}");
    }
}

/// Of whoever comes, nothing has been opened before; so also in another run.
#[test]
fn a_message_of_another_run_is_encrypted_again_for_one_who_was_not_in_it() {
    let mut world = World::new();
    let mut bob = world.enter("bob").unwrap();
    catch_up(&mut bob);
    let insider = world.enter_insider("ada");
    catch_up(&mut bob);
    let (header, body) = insider.compose(&world, 0, "only for bob");
    let mut anew = World::restarted();
    let mut carol = anew.enter("carol").unwrap();
    catch_up(&mut carol);
    assert!(matches!(
        carol.receive(&joining(insider.card.bytes())).as_slice(),
        [Event::Joined(_)]
    ));
    let for_carol = insider.deliver(&header, &body, &carol);
    let not_for_me = Event::Unopened(nick_of("ada"), OpenError::NotForMe);
    assert_eq!(carol.receive(&for_carol.frame()), [not_for_me]);
}

#[test]
fn who_takes_its_own_place_and_goes_is_gone() {
    let (mut world, mut ada, mut bob, _) = three();
    world.enter_again(&mut ada).expect("it is its own place");
    world.lose(&ada);
    let events = catch_up(&mut bob);
    let gone = left("ada", Departure::Lost);
    assert_eq!(events.last(), Some(&gone), "{events:?}");
}

/// Whether a frame on its way to Bob is of the visit that the relay keeps back.
fn is_kept_back(frame: &[u8]) -> bool {
    matches!(
        ToClient::parse(frame),
        Ok(ToClient::Entry { .. } | ToClient::Deliver(..) | ToClient::Receipt(_))
    )
}

#[test]
fn a_visit_is_kept_back_and_played_seven_minutes_later() {
    for is_slow in [false, true] {
        let mut world = World::new();
        let mut bob = world.enter("bob").unwrap();
        catch_up(&mut bob);
        let mut ada = world.enter("ada").unwrap();
        world.pass_choosing(SETTLED, [&mut ada], |_, _| true);
        world.say(&mut ada, "is anybody there?");
        world.say_to(&mut ada, bob.sid(), "psst");
        world.leave(&mut ada);
        let visit = bob.intercept();
        assert!(visit.len() > 4 && visit.iter().all(|frame| is_kept_back(frame)));
        // He is alone meanwhile, as he thinks, and states what he sees.
        let [b] = world.pass(Duration::from_mins(7), [&mut bob]);
        assert_eq!(b, []);
        let mut noticed = Vec::new();
        for frame in &visit {
            noticed.extend(bob.receive(frame));
            let others = bob.session.others();
            assert!(others.iter().all(|it| !it.is_present), "nobody is there");
            if is_slow {
                let [b] = world.pass(BEACON_PERIOD, [&mut bob]);
                noticed.extend(b);
            }
        }
        assert_eq!(noticed[0], joined(&ada));
        assert!(noticed.contains(&other_view("ada")), "{noticed:?}");
        let written = 1_000 * SETTLED.as_secs();
        for said in [
            said("ada", "is anybody there?"),
            said_directly("ada", "psst"),
        ] {
            let is_it = |event: &Event| match event {
                Event::Message {
                    written: Some(Written { time, ago }),
                    ..
                } => {
                    let ago = u64::try_from(ago.as_millis()).expect("not that long");
                    *time == written && *event == written_at(*time, ago, said.clone())
                }
                _ => false,
            };
            assert!(noticed.iter().any(is_it), "{noticed:?}");
        }
        assert_eq!(noticed.last(), Some(&left("ada", Departure::Left)));
    }
}

#[test]
fn a_roster_is_split_and_all_statements_are_dropped() {
    for is_anything_said in [true, false] {
        let (mut world, mut ada, mut bob, mut carol) = three();
        let mut dora = world.enter("dora").unwrap();
        // Ada alone is not shown that she has come.
        ada.intercept();
        for member in [&mut bob, &mut carol] {
            assert_eq!(catch_up(member), [joined(&dora)]);
        }
        catch_up(&mut dora);
        if is_anything_said {
            world.say(&mut bob, "hello");
        }
        let members = [&mut ada, &mut bob, &mut carol, &mut dora];
        let [a, ..] =
            world.pass_choosing(5 * BEACON_PERIOD, members, |_, frame| !is_statement(frame));
        if is_anything_said {
            assert_eq!(a[0], other_view("bob"));
        } else {
            let quiet = |event: &&Event| matches!(event, Event::Quiet(..));
            assert_eq!(a.iter().filter(quiet).count(), 2, "{a:?}");
        }
        for member in [&ada, &dora] {
            let others = member.session.others();
            assert!(others.iter().all(|it| !it.is_present), "{others:?}");
        }
    }
}
