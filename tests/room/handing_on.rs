//! What members hand on to somebody who comes late, in rooms with an honest relay: what each member sees of
//! it, event by event.

use std::time::Duration;

use e2echat::room::frame::Departure;
use e2echat::room::message::{Kind, LeftOutFor};
use e2echat::room::session::{
    Author, Event, Handed, Policy, SayError, ShareError, Shared, SharedWith, Standing, To, Which,
};
use e2echat::room::text::SafeText;

use crate::support::world::{
    BEACON_PERIOD, Member, POLICY, SETTLED, World, catch_up, left, nick_of, person, said, three,
};

/// The event that somebody hands on what an author said to the room at this time.
pub(crate) fn handed_on(by: &str, author: &Member, text: &str, time: u64) -> Event {
    let person = person(author);
    Event::HandedOn(Handed {
        by: nick_of(by),
        author: Author {
            nick: person.nick,
            fingerprint: person.fingerprint,
            is_lasting: person.is_lasting,
        },
        kind: Kind::Text,
        text: SafeText::new(text),
        time,
    })
}

/// The announcement that a member hands so much on.
pub(crate) fn shares(by: &str, with: SharedWith, count: u32) -> Event {
    Event::Shares {
        by: nick_of(by),
        with,
        count,
    }
}

/// The end of it, where all that was announced has come.
pub(crate) fn share_over(by: &str, shown: u32, had: u32, refused: u32) -> Event {
    Event::ShareOver {
        by: nick_of(by),
        shown,
        had,
        ignored: 0,
        refused,
        missing: 0,
    }
}

/// The end of it for who hands on.
pub(crate) fn share_done(reader: &str, delivered: u32, count: u32) -> Event {
    Event::ShareDone {
        reader: nick_of(reader),
        delivered,
        count,
    }
}

/// Has a member hand on so many of the latest messages.
pub(crate) fn share(
    world: &mut World,
    by: &mut Member,
    to: &Member,
    count: u32,
) -> Result<Shared, ShareError> {
    let now = world.now();
    let shared = by.session.share(to.sid(), Which::Last(count), now);
    world.relay(by);
    shared
}

/// That so much is handed on, and all of it fits.
pub(crate) fn all_of(count: u32) -> Shared {
    Shared { count, too_long: 0 }
}

/// Three who have said these, one after the other, a second apart; then Dora comes.
pub(crate) fn with_latecomer(words: &[(usize, &str)]) -> (World, [Member; 4]) {
    let (mut world, mut ada, mut bob, mut carol) = three();
    for (by, text) in words {
        world.advance(Duration::from_secs(1));
        let members = [&mut ada, &mut bob, &mut carol];
        for (place, member) in members.into_iter().enumerate() {
            if place == *by {
                world.say(member, text);
            }
        }
        for member in [&mut ada, &mut bob, &mut carol] {
            catch_up(member);
        }
    }
    let dora = world.enter("dora").expect("there is room");
    let mut members = [ada, bob, carol, dora];
    for member in &mut members {
        catch_up(member);
        world.relay(member);
    }
    settle(&mut world, &mut members, SETTLED);
    (world, members)
}

/// Lets time go by. Returns what each member is told.
pub(crate) fn settle(
    world: &mut World,
    members: &mut [Member; 4],
    by: Duration,
) -> [Vec<Event>; 4] {
    let [ada, bob, carol, dora] = members;
    world.pass(by, [ada, bob, carol, dora])
}

#[test]
fn what_was_said_before_is_there_for_who_comes_late_once_and_in_order() {
    let words = [(0, "one"), (1, "two"), (2, "three"), (0, "four")];
    let (mut world, mut members) = with_latecomer(&words);
    let now = world.now().time - 2000;
    let [ada, _, _, dora] = &mut members;
    assert_eq!(share(&mut world, ada, dora, 3), Ok(all_of(3)));
    let told = settle(&mut world, &mut members, Duration::from_secs(5));
    let [ada, bob, carol, dora] = &mut members;
    let to_dora = || shares("ada", SharedWith::Other(nick_of("dora")), 3);
    let expected = [
        vec![share_done("dora", 3, 3)],
        vec![to_dora()],
        vec![to_dora()],
        vec![
            shares("ada", SharedWith::Me, 3),
            handed_on("ada", bob, "two", now - 2000),
            handed_on("ada", carol, "three", now - 1000),
            handed_on("ada", ada, "four", now),
            share_over("ada", 3, 0, 0),
        ],
    ];
    assert_eq!(told, expected);
    // Once more, by another one: what she has is not shown again.
    assert_eq!(share(&mut world, bob, dora, 10), Ok(all_of(4)));
    let [a, b, c, d] = settle(&mut world, &mut members, Duration::from_secs(5));
    let to_dora = shares("bob", SharedWith::Other(nick_of("dora")), 4);
    assert_eq!((a, c), (vec![to_dora.clone()], vec![to_dora]));
    assert_eq!(b, [share_done("dora", 4, 4)]);
    let expected = [
        shares("bob", SharedWith::Me, 4),
        handed_on("bob", &members[0], "one", now - 3000),
        share_over("bob", 1, 3, 0),
    ];
    assert_eq!(d, expected);
    // Nobody takes any of it for what is said now.
    world.say(&mut members[3], "thank you");
    for member in &mut members[..3] {
        assert_eq!(catch_up(member), [said("dora", "thank you")]);
    }
}

#[test]
fn what_somebody_has_said_or_heard_itself_is_not_shown_again() {
    let (mut world, mut ada, mut bob, mut carol) = three();
    world.say(&mut ada, "hello");
    world.say(&mut carol, "hello, ada");
    world.pass(SETTLED, [&mut ada, &mut bob, &mut carol]);
    // Her own words are not handed back to her at all.
    assert_eq!(share(&mut world, &mut bob, &carol, 10), Ok(all_of(1)));
    let [_, b, c] = world.pass(SETTLED * 2, [&mut ada, &mut bob, &mut carol]);
    assert_eq!(b, [share_done("carol", 1, 1)]);
    let expected = [shares("bob", SharedWith::Me, 1), share_over("bob", 0, 1, 0)];
    assert_eq!(c, expected);
}

#[test]
fn what_comes_since_a_time_is_handed_on_and_nothing_where_that_is_still_to_come() {
    let words = [(0, "one"), (1, "two"), (2, "three")];
    let (world, mut members) = with_latecomer(&words);
    let [ada, _, _, dora] = &mut members;
    let now = world.now();
    let mut since = |time| ada.session.share(dora.sid(), Which::Since(time), now);
    assert_eq!(since(now.time + 3_600_000), Err(ShareError::Nothing));
    assert_eq!(since(now.time - 3000), Ok(all_of(2)));
}

#[test]
fn hundreds_of_messages_come_one_bundle_after_the_other_and_words_between_them() {
    let (mut world, mut ada, mut bob, mut carol) = three();
    for number in 0..201 {
        world.say(&mut bob, &format!("line {number}"));
        for member in [&mut ada, &mut bob, &mut carol] {
            catch_up(member);
        }
    }
    let dora = world.enter("dora").expect("there is room");
    let mut members = [ada, bob, carol, dora];
    settle(&mut world, &mut members, SETTLED);
    let [ada, _, _, dora] = &mut members;
    assert_eq!(share(&mut world, ada, dora, 200), Ok(all_of(200)));
    let words = "this waits for no more than one bundle";
    world.say(ada, words);
    let mut shown = Vec::new();
    let mut others = Vec::new();
    let [a, _, _, d] = settle(&mut world, &mut members, BEACON_PERIOD);
    for event in d {
        match event {
            Event::HandedOn(handed) => shown.push(handed.text.as_str().to_owned()),
            other => others.push((shown.len(), other)),
        }
    }
    let lines: Vec<String> = (1..201).map(|number| format!("line {number}")).collect();
    assert_eq!(shown, lines);
    let expected = [
        (0, shares("ada", SharedWith::Me, 200)),
        (0, said("ada", words)),
        (200, share_over("ada", 200, 0, 0)),
    ];
    assert_eq!(others, expected);
    let Some((last, progress)) = a.split_last() else {
        panic!("nothing is told");
    };
    assert_eq!(*last, share_done("dora", 200, 200));
    // At each quarter at most it is told how far they are.
    let told = progress.iter().map(|event| match event {
        Event::ShareGoesOn {
            delivered, count, ..
        } => (*delivered, *count),
        other => panic!("{other:?}"),
    });
    let told: Vec<(u32, u32)> = told.collect();
    assert!((1..=3).contains(&told.len()), "{told:?}");
    assert!(told.is_sorted(), "{told:?}");
    assert!(
        told.iter()
            .all(|it| (50..200).contains(&it.0) && it.1 == 200),
        "{told:?}"
    );
}

#[test]
fn what_leaves_somebody_out_and_what_is_for_one_alone_is_not_handed_on() {
    let (mut world, mut ada, mut bob, mut carol) = three();
    // Another identity is remembered under Carol's nick.
    bob.session.set_standing(carol.sid(), Standing::Changed);
    world.say(&mut bob, "not for carol");
    world.say(&mut ada, "for all");
    world.say_to(&mut ada, bob.sid(), "for bob");
    world.pass(SETTLED, [&mut ada, &mut bob, &mut carol]);
    assert_eq!(share(&mut world, &mut ada, &carol, 10), Ok(all_of(1)));
    let [a, _, c] = world.pass(SETTLED * 2, [&mut ada, &mut bob, &mut carol]);
    assert_eq!(a, [share_done("carol", 1, 1)]);
    let expected = [shares("ada", SharedWith::Me, 1), share_over("ada", 0, 1, 0)];
    assert_eq!(c, expected);
    let reason = ShareError::LeftOut(LeftOutFor::OtherIdentity);
    assert_eq!(share(&mut world, &mut bob, &carol, 10), Err(reason));
}

#[test]
fn nothing_is_handed_on_to_who_is_asleep() {
    let (mut world, mut members) = with_latecomer(&[(0, "one")]);
    world.put_to_sleep(&mut members[3], BEACON_PERIOD * 60);
    let [ada, _, _, dora] = &mut members;
    catch_up(ada);
    assert_eq!(share(&mut world, ada, dora, 1), Err(ShareError::Asleep));
    world.wake(dora);
    catch_up(ada);
    assert_eq!(share(&mut world, ada, dora, 1), Ok(all_of(1)));
}

#[test]
fn who_asks_for_what_was_missed_is_heard_by_all() {
    let (mut world, mut members) = with_latecomer(&[]);
    let dora = &mut members[3];
    let shown = dora.session.changes();
    let to = To::Room { shown };
    let asked = dora.session.say(to, Kind::CatchUp, "catch up", world.now());
    assert!(asked.is_ok());
    world.relay(dora);
    let told = settle(&mut world, &mut members, SETTLED);
    let asks = || vec![Event::AsksToCatchUp(nick_of("dora"))];
    assert_eq!(told, [asks(), asks(), asks(), vec![]]);
}

#[test]
fn nothing_is_handed_on_to_who_is_not_there_or_has_it_under_way() {
    let (mut world, mut members) = with_latecomer(&[(0, "one"), (1, "two")]);
    let [ada, bob, _, dora] = &mut members;
    let now = world.now();
    let nobody = ada.session.share(ada.sid(), Which::Last(1), now);
    assert_eq!(nobody, Err(ShareError::NotThere), "nor to oneself");
    assert_eq!(share(&mut world, ada, dora, 1), Ok(all_of(1)));
    assert_eq!(share(&mut world, ada, dora, 1), Err(ShareError::Busy));
    world.leave(bob);
    assert_eq!(share(&mut world, bob, dora, 1), {
        let left = SayError::NotInRoom;
        Err(ShareError::Unsaid(left))
    });
}

/// A room in which Ada has begun to hand sixty messages on to Dora, and some of them are on their way.
fn in_the_middle() -> (World, [Member; 4]) {
    let words: Vec<String> = (0..60).map(|number| format!("line {number}")).collect();
    let words: Vec<(usize, &str)> = words.iter().map(|text| (1, text.as_str())).collect();
    let (mut world, mut members) = with_latecomer(&words);
    let [ada, _, _, dora] = &mut members;
    assert_eq!(share(&mut world, ada, dora, 60), Ok(all_of(60)));
    catch_up(ada);
    world.relay(ada);
    (world, members)
}

/// The only event among these that says what has come of what Ada hands on.
#[track_caller]
fn end_of_share(events: &[Event]) -> &Event {
    let is_end = |event: &&Event| {
        matches!(
            event,
            Event::ShareOver { .. } | Event::ShareDone { .. } | Event::NotHandedOn { .. }
        )
    };
    let ends: Vec<&Event> = events.iter().filter(is_end).collect();
    let [end] = ends[..] else {
        panic!("{events:?}");
    };
    end
}

/// How many messages were handed on, and how many were announced that do not come.
#[track_caller]
fn shown_and_missing(events: &[Event]) -> (u32, u32) {
    let handed_on = |event: &&Event| matches!(event, Event::HandedOn(_));
    let handed_on = events.iter().filter(handed_on).count();
    let Event::ShareOver { shown, missing, .. } = end_of_share(events) else {
        panic!("{events:?}");
    };
    assert_eq!(usize::try_from(*shown), Ok(handed_on), "{events:?}");
    (*shown, *missing)
}

/// Nothing accuses anybody, and nothing is told of the parts of what is handed on.
#[track_caller]
fn is_peaceful(events: &[Event]) {
    let is_alarm = |event: &&Event| {
        matches!(
            event,
            Event::NotHandedOn { .. }
                | Event::Unopened(..)
                | Event::Undelivered { .. }
                | Event::Unconfirmed { .. }
                | Event::NotTaken { .. }
                | Event::TooLate(_)
                | Event::Missing(..)
                | Event::Swallowed
                | Event::Stray
        )
    };
    assert_eq!(events.iter().find(is_alarm), None, "{events:?}");
}

/// Dora is handed it all once more.
#[track_caller]
fn can_be_handed_all_again(world: &mut World, members: &mut [Member; 4]) {
    let [ada, _, _, dora] = members;
    assert_eq!(share(world, ada, dora, 60), Ok(all_of(60)));
    let [a, _, _, d] = settle(world, members, BEACON_PERIOD);
    assert_eq!(*end_of_share(&a), share_done("dora", 60, 60));
    let Event::ShareOver {
        shown,
        had,
        refused: 0,
        missing: 0,
        ..
    } = end_of_share(&d)
    else {
        panic!("{d:?}");
    };
    assert_eq!(shown + had, 60);
}

#[test]
fn a_share_goes_on_over_a_broken_connection() {
    for place in [0, 3] {
        let (mut world, mut members) = in_the_middle();
        world.put_to_sleep(&mut members[place], BEACON_PERIOD * 60);
        world.advance(BEACON_PERIOD);
        world.wake(&mut members[place]);
        let [a, _, _, d] = settle(&mut world, &mut members, BEACON_PERIOD * 2);
        assert_eq!(*end_of_share(&d), share_over("ada", 60, 0, 0));
        assert_eq!(*end_of_share(&a), share_done("dora", 60, 60));
    }
}

#[test]
fn a_share_ends_where_whoever_hands_on_enters_anew() {
    for is_acknowledged in [true, false] {
        let (mut world, mut members) = in_the_middle();
        let [ada, ..] = &mut members;
        // The next one is on its way, and Ada is not told that the relay has it.
        if !is_acknowledged {
            catch_up(ada);
            world.pass_on(ada);
        }
        world.lose(ada);
        world.enter_again(ada).expect("there is room");
        let [a, b, c, d] = settle(&mut world, &mut members, BEACON_PERIOD * 4);
        for events in [&a, &b, &c, &d] {
            is_peaceful(events);
        }
        let (shown, missing) = shown_and_missing(&d);
        assert!(shown > 0 && missing > 0, "{d:?}");
        assert_eq!(shown + missing, 60);
        assert!(matches!(
            end_of_share(&a),
            Event::ShareDone { delivered, count: 60, .. } if *delivered < 60
        ));
        can_be_handed_all_again(&mut world, &mut members);
    }
}

#[test]
fn what_was_announced_on_a_connection_that_the_relay_never_read_is_over() {
    let (mut world, mut members) = with_latecomer(&[(1, "one"), (1, "two")]);
    let [ada, _, _, dora] = &mut members;
    let now = world.now();
    let shared = ada.session.share(dora.sid(), Which::Last(2), now);
    assert_eq!(shared, Ok(all_of(2)));
    world.lose(ada);
    world.enter_again(ada).expect("there is room");
    world.say(ada, "here I am");
    let [a, b, c, d] = settle(&mut world, &mut members, BEACON_PERIOD * 4);
    assert_eq!(*end_of_share(&a), share_done("dora", 0, 2));
    is_peaceful(&a);
    for events in [b, c, d] {
        is_peaceful(&events);
        assert!(events.contains(&said("ada", "here I am")), "{events:?}");
        let is_share = |event: &&Event| matches!(event, Event::Shares { .. });
        assert_eq!(events.iter().find(is_share), None, "{events:?}");
    }
}

#[test]
fn a_share_ends_where_its_reader_enters_anew() {
    // With all that is on its way to her, or after that has come.
    for has_come in [true, false] {
        let (mut world, mut members) = in_the_middle();
        let [ada, bob, carol, dora] = &mut members;
        let before = if has_come {
            catch_up(dora)
        } else {
            dora.intercept();
            Vec::new()
        };
        world.lose(dora);
        let mut a = catch_up(ada);
        catch_up(bob);
        catch_up(carol);
        world.enter_again(dora).expect("there is room");
        let [rest, b, c, d] = settle(&mut world, &mut members, BEACON_PERIOD * 4);
        a.extend(rest);
        for events in [&a, &b, &c, &d] {
            is_peaceful(events);
        }
        let Event::ShareDone { delivered, .. } = end_of_share(&a) else {
            panic!("{a:?}");
        };
        assert_eq!(*delivered, 0, "she has confirmed none of it");
        if has_come {
            let (shown, missing) = shown_and_missing(&[before, d].concat());
            assert!(shown > 0 && missing > 0);
            assert_eq!(shown + missing, 60);
        } else {
            let of_share = |event: &&Event| {
                matches!(
                    event,
                    Event::Shares { .. } | Event::ShareOver { .. } | Event::HandedOn(_)
                )
            };
            assert_eq!(d.iter().find(of_share), None, "{d:?}");
        }
        can_be_handed_all_again(&mut world, &mut members);
    }
}

#[test]
fn a_share_ends_where_the_relay_is_started_anew() {
    let (mut world, mut members) = in_the_middle();
    let before = catch_up(&mut members[3]);
    world.restart();
    for place in [3, 0, 1, 2] {
        let member = &mut members[place];
        world.enter_again(member).expect("there is room");
    }
    let [a, b, c, d] = settle(&mut world, &mut members, BEACON_PERIOD * 4);
    for events in [&a, &b, &c, &d] {
        is_peaceful(events);
    }
    let (shown, missing) = shown_and_missing(&[before, d].concat());
    assert!(shown > 0 && missing > 0);
    assert_eq!(shown + missing, 60);
    assert!(matches!(end_of_share(&a), Event::ShareDone { .. }));
    can_be_handed_all_again(&mut world, &mut members);
}

#[test]
fn who_hands_on_and_is_lost_is_told_to_have_handed_on_less() {
    let (mut world, mut members) = in_the_middle();
    world.lose(&members[0]);
    let [_, bob, carol, dora] = &mut members;
    let [_, _, d] = world.pass(BEACON_PERIOD, [bob, carol, dora]);
    is_peaceful(&d);
    let (shown, missing) = shown_and_missing(&d);
    assert!(shown > 0 && missing > 0);
    assert_eq!(shown + missing, 60);
    let place = |wanted: &Event| d.iter().position(|event| event == wanted);
    let end = place(end_of_share(&d));
    assert!(end < place(&left("ada", Departure::Lost)), "{d:?}");
}

#[test]
fn nothing_is_handed_on_without_a_connection_and_nothing_later() {
    let (mut world, mut members) = with_latecomer(&[(0, "one")]);
    let [ada, _, _, dora] = &mut members;
    world.put_to_sleep(ada, BEACON_PERIOD * 60);
    assert!(!ada.session.is_up_to_date());
    let now = world.now();
    let unsaid = Err(ShareError::Unsaid(SayError::NotInRoom));
    let shared = ada.session.share(dora.sid(), Which::Last(1), now);
    assert_eq!(shared, unsaid);
    world.wake(ada);
    let [_, _, _, d] = settle(&mut world, &mut members, SETTLED);
    assert!(
        !d.iter().any(|it| matches!(it, Event::Shares { .. })),
        "{d:?}"
    );
    assert!(members[0].session.is_up_to_date());
    let [ada, _, _, dora] = &mut members;
    assert_eq!(share(&mut world, ada, dora, 1), Ok(all_of(1)));
}

#[test]
fn the_reader_is_named_although_it_has_changed_its_session_key_since() {
    let (mut world, mut members) = with_latecomer(&[(0, "one")]);
    let [ada, bob, _, dora] = &mut members;
    world.rekey(dora);
    // Ada has not seen that yet.
    assert_eq!(share(&mut world, ada, dora, 1), Ok(all_of(1)));
    let to_dora = shares("ada", SharedWith::Other(nick_of("dora")), 1);
    let seen = catch_up(bob);
    assert!(seen.contains(&to_dora), "{seen:?}");
}

#[test]
fn a_share_goes_on_over_other_session_keys_of_all() {
    let words: Vec<String> = (0..60).map(|number| format!("line {number}")).collect();
    let words: Vec<(usize, &str)> = words.iter().map(|text| (1, text.as_str())).collect();
    let (mut world, mut members) = with_latecomer(&words);
    // What the author wrote stands under the session id before.
    world.rekey(&mut members[1]);
    settle(&mut world, &mut members, SETTLED);
    let [ada, _, _, dora] = &mut members;
    assert_eq!(share(&mut world, ada, dora, 60), Ok(all_of(60)));
    world.rekey(dora);
    world.rekey(ada);
    let [a, _, _, d] = settle(&mut world, &mut members, BEACON_PERIOD * 2);
    assert!(d.contains(&share_over("ada", 60, 0, 0)), "{d:?}");
    assert!(a.contains(&share_done("dora", 60, 60)), "{a:?}");
}

#[test]
fn who_leaves_meanwhile_gets_no_more_and_that_is_told() {
    let words: Vec<String> = (0..60).map(|number| format!("line {number}")).collect();
    let words: Vec<(usize, &str)> = words.iter().map(|text| (1, text.as_str())).collect();
    for says_goodbye in [true, false] {
        let (mut world, mut members) = with_latecomer(&words);
        let [ada, _, _, dora] = &mut members;
        assert_eq!(share(&mut world, ada, dora, 60), Ok(all_of(60)));
        catch_up(ada);
        world.relay(ada);
        let departure = if says_goodbye {
            catch_up(dora);
            world.leave(dora);
            Departure::Left
        } else {
            world.lose(dora);
            Departure::Lost
        };
        let [ada, bob, carol, _] = &mut members;
        let [a, ..] = world.pass(BEACON_PERIOD * 7, [ada, bob, carol]);
        let has_left = |event: &Event| {
            matches!(event, Event::Left { nick, departure: why, .. }
                if *nick == nick_of("dora") && *why == departure)
        };
        assert!(a.iter().any(has_left), "{a:?}");
        let done = |event: &&Event| matches!(event, Event::ShareDone { .. });
        let done: Vec<&Event> = a.iter().filter(done).collect();
        let [
            Event::ShareDone {
                delivered, count, ..
            },
        ] = done[..]
        else {
            panic!("{a:?}");
        };
        assert_eq!(*count, 60);
        assert_eq!(
            *delivered > 0,
            says_goodbye,
            "she confirms what she has when she leaves"
        );
        assert!(*delivered < 60);
        let others =
            |event: &&Event| matches!(event, Event::Undelivered { .. } | Event::Unconfirmed { .. });
        assert_eq!(a.iter().find(others), None);
    }
}

#[test]
fn what_somebody_says_who_wants_no_share_or_restricts_readers_is_not_handed_on() {
    let no_share = Policy {
        no_share: true,
        ..POLICY
    };
    let restricted = |at_least| Policy { at_least, ..POLICY };
    let policies = [
        (POLICY, Ok(all_of(1))),
        (no_share, Err(ShareError::Nothing)),
        (restricted(Standing::Known), Err(ShareError::Nothing)),
        (restricted(Standing::Verified), Err(ShareError::Nothing)),
    ];
    for (policy, expected) in policies {
        let mut world = World::new();
        let mut ada = world.enter("ada").expect("there is room");
        let mut bob = world.enter_with("bob", policy).expect("there is room");
        for member in [&mut ada, &mut bob] {
            catch_up(member);
        }
        bob.session.set_standing(ada.sid(), Standing::Verified);
        assert_eq!(world.say(&mut bob, "between us"), 1);
        assert_eq!(catch_up(&mut ada), [said("bob", "between us")]);
        let carol = world.enter("carol").expect("there is room");
        catch_up(&mut ada);
        assert_eq!(share(&mut world, &mut ada, &carol, 9), expected);
    }
}
