//! What is written without a connection: it is for those who stood on the screen then, under the keys that
//! they have when it is sent (PROTOCOL §8).

use std::time::Duration;

use e2echat::room::card::SessionId;
use e2echat::room::frame::{Departure, Frame, ToRelay};
use e2echat::room::message::LeftOutFor;
use e2echat::room::session::{Event, To, Undelivered};

use crate::support::world::{
    BEACON_PERIOD, Member, SETTLED, World, catch_up, knock, left, nick_of, payload, person, three,
};

/// How long an old session key outlives the next one, and a moment.
const REMAINS: Duration = Duration::from_secs(61);

/// How a member comes back whose connection broke.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Return {
    Resumed,
    Anew,
}

fn come_back(world: &mut World, member: &mut Member, how: Return) {
    match how {
        Return::Resumed => world.wake(member),
        Return::Anew => {
            world.lose(member);
            world.enter_again(member).unwrap();
        }
    }
}

/// The texts that a member was shown, with how many seconds ago each was written, if that was not just then.
fn shown(told: &[Event]) -> Vec<(&str, Option<u64>)> {
    let shown = told.iter().filter_map(|event| match event {
        Event::Message { text, written, .. } => {
            Some((text.as_str(), written.map(|it| it.ago.as_secs())))
        }
        _ => None,
    });
    shown.collect()
}

fn undelivered(reader: &str, receipt: u64, text: &str, reason: Undelivered) -> Event {
    Event::Undelivered {
        receipt,
        reader: nick_of(reader),
        text: text.to_owned(),
        reason,
    }
}

fn left_out(nick: &str, reason: LeftOutFor) -> Event {
    Event::LeftOut(nick_of(nick), reason)
}

/// For whom the messages are that these frames carry.
fn parcels(frames: &[Frame]) -> Vec<Vec<SessionId>> {
    let parcels = frames.iter().filter_map(|frame| {
        let Ok(ToRelay::Send(send)) = ToRelay::parse(&payload(frame)) else {
            return None;
        };
        Some(send.parcels.iter().map(|parcel| parcel.to).collect())
    });
    parcels.collect()
}

#[test]
fn it_is_for_the_keys_that_its_readers_have_when_it_is_sent() {
    for how in [Return::Resumed, Return::Anew] {
        let (mut world, mut ada, mut bob, mut carol) = three();
        ada.disconnect();
        let written = world.now();
        assert_eq!(ada.say("to all"), Ok(2));
        ada.say_to(To::Member(bob.sid()), "to bob").unwrap();
        for _ in 0..2 {
            world.rekey(&mut bob);
            world.pass(REMAINS, [&mut bob, &mut carol]);
        }
        let mut dora = world.enter("dora").unwrap();
        catch_up(&mut dora);
        world.pass(SETTLED, [&mut bob, &mut carol, &mut dora]);
        come_back(&mut world, &mut ada, how);
        catch_up(&mut ada);
        assert_eq!(ada.say("later"), Ok(3));
        let sent = world.now();
        world.relay(&mut ada);
        let told = [&mut bob, &mut carol, &mut dora].map(catch_up);
        let ago = Some(sent.uptime.as_secs() - written.uptime.as_secs());
        let [b, c, d] = &told;
        let to_bob = [("to all", ago), ("to bob", ago), ("later", None)];
        assert_eq!(shown(b), to_bob, "{how:?}");
        assert_eq!(shown(c), [("to all", ago), ("later", None)], "{how:?}");
        assert_eq!(shown(d), [("later", None)], "{how:?}");
        assert!(d.contains(&left_out("ada", LeftOutFor::Coming)), "{d:?}");
        let all = [&mut ada, &mut bob, &mut carol, &mut dora];
        let [a, ..] = world.pass(2 * SETTLED, all);
        let is_lost = |event: &Event| {
            matches!(
                event,
                Event::Undelivered { .. } | Event::NotTaken { .. } | Event::Unanswered(_)
            )
        };
        assert!(!a.iter().any(is_lost), "{a:?}");
        assert_eq!(ada.confirmed_by(1), ["bob", "carol"], "{how:?}");
        assert_eq!(ada.confirmed_by(2), ["bob"], "{how:?}");
        assert_eq!(ada.confirmed_by(3), ["bob", "carol", "dora"], "{how:?}");
    }
}

#[test]
fn nothing_of_it_is_sent_before_what_waited_has_come() {
    let (world, mut ada, ..) = three();
    ada.disconnect();
    ada.say("written before").unwrap();
    let waiting = knock(&world, &mut ada);
    ada.receive(&payload(&Frame::welcome_back(ada.taken(), 0)));
    ada.say("written while it comes").unwrap();
    ada.deliver(waiting);
    catch_up(&mut ada);
    assert_eq!(parcels(&ada.session.take_outgoing()), [[]; 0]);
    assert_eq!(ada.session.untaken().count(), 2);
    ada.receive(&payload(&Frame::ack(ada.taken())));
    assert_eq!(parcels(&ada.session.take_outgoing()).len(), 2);
}

#[test]
fn who_has_left_for_good_meanwhile_is_named_and_the_others_get_it() {
    for how in [Return::Resumed, Return::Anew] {
        let (mut world, mut ada, mut bob, mut carol) = three();
        ada.disconnect();
        ada.say("to all").unwrap();
        ada.say_to(To::Member(bob.sid()), "to bob").unwrap();
        world.leave(&mut bob);
        catch_up(&mut carol);
        come_back(&mut world, &mut ada, how);
        // Whoever enters anew is not shown who has left, and waits for five minutes.
        let [mut a, c] = world.pass(BEACON_PERIOD * 6, [&mut ada, &mut carol]);
        assert_eq!(shown(&c).first().map(|(text, _)| *text), Some("to all"));
        a.retain(|event| matches!(event, Event::Undelivered { .. } | Event::NotTaken { .. }));
        let gone = Undelivered::Gone;
        let told = [
            undelivered("bob", 1, "to all", gone),
            undelivered("bob", 2, "to bob", gone),
        ];
        assert_eq!(a, told, "{how:?}");
        assert_eq!(ada.confirmed_by(1), ["carol"]);
        assert_eq!(ada.session.untaken().count(), 0);
    }
}

#[test]
fn all_for_whom_it_is_have_gone_meanwhile() {
    let (mut world, mut ada, mut bob, mut carol) = three();
    ada.disconnect();
    ada.say("to all").unwrap();
    ada.say_to(To::Member(bob.sid()), "to bob").unwrap();
    let mut dora = world.enter("dora").unwrap();
    for member in [&mut bob, &mut carol] {
        world.leave(member);
    }
    catch_up(&mut dora);
    world.wake(&mut ada);
    let mut a = catch_up(&mut ada);
    world.relay(&mut ada);
    a.extend(catch_up(&mut ada));
    let gone = Undelivered::Gone;
    for (reader, receipt, text) in [
        ("bob", 1, "to all"),
        ("bob", 2, "to bob"),
        ("carol", 1, "to all"),
    ] {
        let told = undelivered(reader, receipt, text, gone);
        assert_eq!(a.iter().filter(|event| **event == told).count(), 1, "{a:?}");
    }
    assert_eq!(ada.session.untaken().count(), 0);
    let [_, d] = world.pass(SETTLED, [&mut ada, &mut dora]);
    assert_eq!(shown(&d), []);
    assert!(d.contains(&left_out("ada", LeftOutFor::Coming)), "{d:?}");
}

#[test]
fn who_is_lost_meanwhile_and_comes_back_gets_it_then() {
    let (mut world, mut ada, mut bob, mut carol) = three();
    ada.disconnect();
    ada.say("to all").unwrap();
    world.rekey(&mut bob);
    world.pass(SETTLED, [&mut bob, &mut carol]);
    world.lose(&bob);
    catch_up(&mut carol);
    world.wake(&mut ada);
    let [a, c] = world.pass(BEACON_PERIOD, [&mut ada, &mut carol]);
    assert!(a.contains(&left("bob", Departure::Lost)), "{a:?}");
    assert_eq!(shown(&c).len(), 1);
    world.enter_again(&mut bob).unwrap();
    let [a, b, _] = world.pass(2 * SETTLED, [&mut ada, &mut bob, &mut carol]);
    assert_eq!(shown(&b).len(), 1, "{b:?}");
    assert_eq!(a, [Event::Back(person(&bob))]);
    assert_eq!(ada.confirmed_by(1), ["bob", "carol"]);
}

#[test]
fn whoever_leaves_before_it_is_sent_says_goodbye_after_it() {
    let (mut world, mut ada, mut bob, mut carol) = three();
    ada.disconnect();
    ada.say("my last words").unwrap();
    ada.session.leave(world.now());
    assert!(!ada.session.has_said_goodbye());
    world.wake(&mut ada);
    catch_up(&mut ada);
    world.leave(&mut ada);
    for reader in [&mut bob, &mut carol] {
        let told = catch_up(reader);
        assert_eq!(shown(&told).len(), 1, "{told:?}");
        assert_eq!(told.last(), Some(&left("ada", Departure::Left)));
    }
}

#[test]
fn whose_key_has_become_too_old_meanwhile_is_left_out_and_named() {
    let (mut world, mut ada, mut bob, mut carol) = three();
    world.advance(Duration::from_mins(24 * 60 - 1));
    ada.disconnect();
    assert_eq!(ada.say("to all"), Ok(2));
    world.rekey(&mut carol);
    catch_up(&mut carol);
    world.advance(2 * BEACON_PERIOD);
    world.wake(&mut ada);
    let told = catch_up(&mut ada);
    let stale = undelivered("bob", 1, "to all", Undelivered::StaleKey);
    assert!(told.contains(&stale), "{told:?}");
    world.relay(&mut ada);
    let told = catch_up(&mut bob);
    assert!(
        told.contains(&left_out("ada", LeftOutFor::StaleKey)),
        "{told:?}"
    );
    assert_eq!(shown(&catch_up(&mut carol)).len(), 1);
}

#[test]
fn a_card_from_before_that_the_relay_brings_back_gets_none_of_it() {
    let (mut world, mut ada, mut bob, carol) = three();
    let before = bob.session.card().clone();
    world.rekey(&mut bob);
    catch_up(&mut bob);
    catch_up(&mut ada);
    let (present, carol) = (bob.sid(), carol.session.card());
    ada.disconnect();
    ada.say("secret").unwrap();
    world.restart();
    ada.receive(&world.challenge());
    ada.session.take_outgoing();
    ada.receive(&payload(&Frame::welcome(&world.link(), 2, 0)));
    for card in [&before, carol] {
        ada.receive(&payload(&Frame::member(card.bytes())));
    }
    let sent = parcels(&ada.session.take_outgoing());
    let [readers] = sent.as_slice() else {
        panic!("{sent:?}");
    };
    // He may come back, and it is kept for the key that he had last.
    assert_eq!(readers.len(), 2);
    assert!(readers.contains(&present) && readers.contains(&carol.sid()));
}

#[test]
fn what_waited_for_longer_than_a_day_is_confirmed_like_any_other() {
    for how in [Return::Resumed, Return::Anew] {
        let (mut world, mut ada, mut bob, mut carol) = three();
        ada.disconnect();
        ada.say("to all").unwrap();
        world.advance(Duration::from_hours(25));
        for _ in 0..2 {
            world.rekey(&mut bob);
            world.rekey(&mut carol);
            catch_up(&mut bob);
            catch_up(&mut carol);
        }
        come_back(&mut world, &mut ada, how);
        let [a, b, c] = world.pass(2 * BEACON_PERIOD, [&mut ada, &mut bob, &mut carol]);
        for told in [&b, &c] {
            let is_old = |ago: &Option<u64>| ago.is_some_and(|ago| ago >= 25 * 60 * 60);
            let [("to all", ago)] = &shown(told)[..] else {
                panic!("{how:?}: {told:?}");
            };
            assert!(is_old(ago), "{how:?}: {told:?}");
        }
        let is_undelivered = |event: &Event| matches!(event, Event::Undelivered { .. });
        assert!(!a.iter().any(is_undelivered), "{how:?}: {a:?}");
        assert_eq!(ada.confirmed_by(1), ["bob", "carol"], "{how:?}");
    }
}

#[test]
fn what_is_not_sent_to_one_alone_uses_no_number() {
    let (mut world, mut ada, mut bob, mut carol) = three();
    world.say_to(&mut ada, bob.sid(), "one");
    world.pass(SETTLED, [&mut ada, &mut bob, &mut carol]);
    world.advance(Duration::from_mins(24 * 60 - 2));
    ada.disconnect();
    ada.say_to(To::Member(bob.sid()), "two").unwrap();
    world.advance(3 * BEACON_PERIOD);
    world.wake(&mut ada);
    let mut a = catch_up(&mut ada);
    world.relay(&mut ada);
    a.extend(catch_up(&mut ada));
    assert!(
        a.contains(&undelivered("bob", 2, "two", Undelivered::StaleKey)),
        "{a:?}"
    );
    world.rekey(&mut bob);
    catch_up(&mut bob);
    catch_up(&mut ada);
    world.say_to(&mut ada, bob.sid(), "three");
    let [_, b, _] = world.pass(BEACON_PERIOD * 2, [&mut ada, &mut bob, &mut carol]);
    assert_eq!(shown(&b), [("three", None)], "{b:?}");
    let is_missing = |event: &Event| matches!(event, Event::Missing(..));
    assert!(!b.iter().any(is_missing), "{b:?}");
}
