//! A relay, somebody on the wire, and insiders that make use of sleep (PROTOCOL §8): what each member sees of
//! it, event by event.

use std::time::Duration;

use e2echat::cipher::keys::{KeySize, SessionKey};
use e2echat::room::chain::{EntryKind, entry_digest};
use e2echat::room::frame::{Absence, Departure, Frame, ToClient};
use e2echat::room::message::LeftOutFor;
use e2echat::room::session::{Asleep, End, Event, To, Undelivered};

use crate::support::world::{
    BEACON_PERIOD, Delivery, Member, World, by_digests, catch_up, is_statement, knock, left,
    nick_of, other_view, payload, said, three, unconfirmed_by, unopened_by, written_at,
};

const HOUR: Duration = Duration::from_hours(1);
const NIGHT: Duration = Duration::from_hours(12);
const WEEK: Duration = Duration::from_hours(7 * 24);
/// How long an old session key outlives the next one.
const REMAINS: Duration = Duration::from_mins(1);
/// The most that active time goes on at once.
const STEP: Duration = Duration::from_secs(5);
/// After so long somebody who shows nothing is told of as silent: four beacon periods, and the time until that
/// is looked at.
const QUIET: Duration = Duration::from_secs(4 * 60 + 10);

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap()
}

/// The entry with which a relay says that somebody sleeps, for so long from now on.
fn asleep(world: &World, of: &Member, kept: Duration) -> Vec<u8> {
    let since = world.now().time;
    let until = since.saturating_add(millis(kept));
    let sid = of.sid();
    let absence = Absence { sid, since, until };
    payload(&Frame::entry(EntryKind::Asleep, &absence.entry()))
}

fn awake(of: &Member) -> Vec<u8> {
    payload(&Frame::entry(EntryKind::Awake, &of.sid().0))
}

/// The event that somebody sleeps, as the relay says, for so long from now on.
fn sleeps(world: &World, nick: &str, kept: Duration) -> Event {
    let since = world.now().time;
    let until = since + millis(kept);
    Event::Asleep(nick_of(nick), Asleep { since, until })
}

fn still_asleep(nick: &str) -> Event {
    Event::StillAsleep(nick_of(nick))
}

fn woke(nick: &str) -> Event {
    Event::Awake(nick_of(nick))
}

/// How Carol is without a connection, as a member was told.
fn how_carol_sleeps(member: &Member) -> Asleep {
    let carol = member.session.person(&nick_of("carol")).unwrap();
    carol.asleep.expect("she sleeps")
}

/// The event that the relay has taken a sleeper out.
fn left_asleep(nick: &str, departure: Departure, asleep: Asleep) -> Event {
    Event::Left {
        nick: nick_of(nick),
        departure,
        asleep: Some(asleep),
    }
}

/// Lets time go by in the longest steps that count in full, while the relay passes on what it chooses.
fn pass_choosing<const N: usize>(
    world: &mut World,
    by: Duration,
    mut members: [&mut Member; N],
    is_passed_on: impl Fn(&[u8]) -> bool,
) -> [Vec<Event>; N] {
    let mut noticed = [const { Vec::new() }; N];
    for _ in 0..by.as_secs() / STEP.as_secs() {
        world.advance(STEP);
        for (member, noticed) in members.iter_mut().zip(&mut noticed) {
            noticed.extend(member.tick());
            world.relay(member);
        }
        for (member, noticed) in members.iter_mut().zip(&mut noticed) {
            let mut frames = member.intercept();
            frames.retain(|frame| is_passed_on(frame));
            member.deliver(frames);
            noticed.extend(catch_up(member));
        }
    }
    noticed
}

/// Lets time go by likewise. The hourly change of session keys is not asked for.
fn pass<const N: usize>(
    world: &mut World,
    by: Duration,
    members: [&mut Member; N],
) -> [Vec<Event>; N] {
    let mut noticed = pass_choosing(world, by, members, |_| true);
    for noticed in &mut noticed {
        noticed.retain(|event| *event != Event::RekeyDue);
    }
    noticed
}

/// Whether a frame is the relay's answer to its reader, and of nobody else.
fn is_answer(frame: &[u8]) -> bool {
    matches!(ToClient::parse(frame), Ok(ToClient::Ack(_) | ToClient::Own))
}

/// The same messages, whenever they were written.
fn without_times(mut events: Vec<Event>) -> Vec<Event> {
    for event in &mut events {
        if let Event::Message { written, .. } = event {
            *written = None;
        }
    }
    events
}

/// What a member is told of all that is on its way to it, but for when it was written.
fn heard(member: &mut Member) -> Vec<Event> {
    without_times(catch_up(member))
}

/// Ada and Bob. Nobody else is there.
fn two() -> (World, Member, Member) {
    let (mut world, mut ada, mut bob, mut carol) = three();
    world.leave(&mut carol);
    for member in [&mut ada, &mut bob] {
        assert_eq!(catch_up(member), [left("carol", Departure::Left)]);
    }
    let settled = pass(&mut world, BEACON_PERIOD, [&mut ada, &mut bob]);
    assert_eq!(settled, [vec![], vec![]]);
    (world, ada, bob)
}

/// Ada, Bob and Carol, who sleeps.
fn with_sleeper(kept: Duration) -> (World, Member, Member, Member) {
    let (mut world, mut ada, mut bob, mut carol) = three();
    world.advance(BEACON_PERIOD);
    world.put_to_sleep(&mut carol, kept);
    let since = world.now().time - 60_000;
    let until = since + millis(NIGHT).min(millis(kept) + 60_000);
    let told = Event::Asleep(nick_of("carol"), Asleep { since, until });
    for member in [&mut ada, &mut bob] {
        assert_eq!(catch_up(member), std::slice::from_ref(&told));
        assert_eq!(member.tick(), []);
        world.relay(member);
    }
    for member in [&mut ada, &mut bob] {
        assert_eq!(catch_up(member), []);
    }
    (world, ada, bob, carol)
}

#[test]
fn the_relay_says_to_each_of_two_that_the_other_is_not_connected() {
    let (mut world, mut ada, mut bob) = two();
    ada.say("are you there?").unwrap();
    let words = [
        (asleep(&world, &bob, WEEK), "bob"),
        (asleep(&world, &ada, WEEK), "ada"),
    ];
    for (member, (word, nick)) in [&mut ada, &mut bob].into_iter().zip(words) {
        assert_eq!(member.receive(&word), [sleeps(&world, nick, NIGHT)]);
    }
    let apart = |world: &mut World, by, ada: &mut Member, bob: &mut Member| {
        let noticed = pass_choosing(world, by, [ada, bob], is_answer);
        noticed.map(|mut noticed| {
            noticed.retain(|event| *event != Event::RekeyDue);
            noticed
        })
    };
    let told = apart(&mut world, HOUR, &mut ada, &mut bob);
    assert_eq!(told, [vec![still_asleep("bob")], vec![still_asleep("ada")]]);
    // To say it again does not make it last.
    for _ in 1..12 {
        assert_eq!(ada.receive(&asleep(&world, &bob, WEEK)), []);
        assert_eq!(bob.receive(&asleep(&world, &ada, WEEK)), []);
        let told = apart(&mut world, HOUR, &mut ada, &mut bob);
        assert_eq!(told, [vec![], vec![]]);
    }
    // Nor does it when the time is over.
    assert_eq!(ada.receive(&asleep(&world, &bob, WEEK)), []);
    assert_eq!(bob.receive(&asleep(&world, &ada, WEEK)), []);
    let [a, b] = apart(&mut world, QUIET, &mut ada, &mut bob);
    let quiet =
        |nick| move |event: &Event| matches!(event, Event::Quiet(who, _) if *who == nick_of(nick));
    assert_eq!(
        a.iter().filter(|event| quiet("bob")(event)).count(),
        1,
        "{a:?}"
    );
    assert_eq!(
        b.iter().filter(|event| quiet("ada")(event)).count(),
        1,
        "{b:?}"
    );
    let open = unconfirmed_by("bob", 1, "are you there?");
    assert!(a.contains(&open), "{a:?}");
    assert_eq!(ada.confirmed_by(1), [""; 0]);
}

#[test]
fn sleeps_one_after_the_other_hide_silence_no_longer_than_one() {
    for kept in [BEACON_PERIOD * 2, NIGHT] {
        let (mut world, mut ada, mut bob) = two();
        let (mut told, mut quiet_after) = (Vec::new(), None);
        let begin = world.now().uptime;
        while world.now().uptime < begin + NIGHT + HOUR {
            told.extend(ada.receive(&asleep(&world, &bob, kept)));
            let [events, _] = pass_choosing(
                &mut world,
                BEACON_PERIOD * 3,
                [&mut ada, &mut bob],
                is_answer,
            );
            let is_quiet = |event: &Event| matches!(event, Event::Quiet(..));
            if events.iter().any(is_quiet) {
                quiet_after.get_or_insert(world.now().uptime.saturating_sub(begin));
            }
            told.extend(events);
            told.extend(ada.receive(&awake(&bob)));
        }
        let reminders = told.iter().filter(|event| **event == still_asleep("bob"));
        assert_eq!(reminders.count(), 1, "once, though no sleep takes an hour");
        let slept = told
            .iter()
            .filter(|event| matches!(event, Event::Asleep(..)));
        assert_eq!(slept.count(), 12 * 20, "each is told while it counts");
        let quiet_after = quiet_after.expect("silence is told");
        assert!(
            quiet_after <= NIGHT + 3 * BEACON_PERIOD + QUIET,
            "{quiet_after:?}"
        );
    }
}

#[test]
fn whoever_has_shown_itself_between_two_sleeps_may_sleep_for_long_again() {
    let (mut world, mut ada, mut bob, mut carol) = with_sleeper(NIGHT);
    for _ in 0..2 {
        let told = pass(&mut world, NIGHT.saturating_sub(HOUR), [&mut ada, &mut bob]);
        assert_eq!(
            told,
            [vec![still_asleep("carol")], vec![still_asleep("carol")]]
        );
        world.wake(&mut carol);
        assert_eq!(catch_up(&mut ada), [woke("carol")]);
        assert_eq!(catch_up(&mut bob), [woke("carol")]);
        catch_up(&mut carol);
        let told = pass(&mut world, BEACON_PERIOD, [&mut ada, &mut bob, &mut carol]);
        assert_eq!(told, [const { vec![] }; 3]);
        world.put_to_sleep(&mut carol, NIGHT);
        for member in [&mut ada, &mut bob] {
            assert!(matches!(catch_up(member).as_slice(), [Event::Asleep(..)]));
        }
    }
}

#[test]
fn what_is_malformed_ends_the_session() {
    let (world, _, _, carol) = three();
    let sleep = asleep(&world, &carol, HOUR);
    let entry = |kind, entry: &[u8]| payload(&Frame::entry(kind, entry));
    let long = [carol.sid().0.as_slice(), &[0; 17]].concat();
    let bad = [
        entry(EntryKind::Asleep, &[]),
        entry(EntryKind::Asleep, &carol.sid().0),
        entry(EntryKind::Asleep, &long),
        entry(EntryKind::Awake, &[]),
        entry(EntryKind::Awake, &carol.sid().0[1..]),
        entry(EntryKind::Awake, &long),
        // It is cut off, or too long.
        sleep[..sleep.len() - 1].to_vec(),
        [sleep.as_slice(), &[0]].concat(),
        // Of what waits for whoever was connected all the time, nothing is kept by its digest.
        payload(&Frame::passed(&[[7; 32]])),
        payload(&Frame::passed(&[])),
        // They come before the room is known.
        payload(&Frame::absent(&Absence {
            sid: carol.sid(),
            since: 0,
            until: 1,
        })),
    ];
    for frame in bad {
        let (_, _, mut bob, _) = three();
        assert_eq!(bob.ends(&frame), End::Malformed, "{frame:?}");
    }
    let (world, _, mut bob, _) = three();
    let told = asleep(&world, &bob, HOUR);
    assert_eq!(bob.ends(&told), End::Malformed, "it is connected");
}

#[test]
fn of_nobody_and_of_who_is_awake_they_change_nothing() {
    let (mut world, mut ada, _, mut carol) = three();
    world.leave(&mut carol);
    catch_up(&mut ada);
    for frame in [
        asleep(&world, &carol, HOUR),
        awake(&carol),
        awake(&ada),
        payload(&Frame::entry(EntryKind::Awake, &[9; 32])),
    ] {
        assert_eq!(ada.receive(&frame), []);
    }
    let bob = nick_of("bob");
    let people = ada.session.others();
    assert!(
        people
            .iter()
            .all(|one| one.nick == bob && one.asleep.is_none())
    );
}

/// Carol's connection goes on after she has slept for some minutes. What waited for her is returned.
fn returns(world: &mut World, carol: &mut Member) -> Vec<Vec<u8>> {
    let waiting = by_digests(carol.sid(), knock(world, carol));
    let welcome = payload(&Frame::welcome_back(carol.taken(), 0));
    assert_eq!(carol.receive(&welcome), [Event::Resumed]);
    waiting
}

#[test]
fn what_somebody_says_who_came_while_one_slept_is_as_old_as_it_is() {
    let (mut world, mut ada, mut bob, mut carol) = with_sleeper(NIGHT);
    let mut dora = world.enter("dora").unwrap();
    for member in [&mut ada, &mut bob, &mut dora] {
        catch_up(member);
    }
    let written = world.now();
    for text in ["one", "two"] {
        world.say(&mut dora, text);
        pass(&mut world, HOUR / 2, [&mut ada, &mut bob, &mut dora]);
    }
    world.wake(&mut carol);
    let ago = millis(HOUR);
    let later = millis(HOUR / 2);
    let mut told = catch_up(&mut carol);
    told.retain(|event| matches!(event, Event::Message { .. }));
    let expected = [
        written_at(written.time, ago, said("dora", "one")),
        written_at(written.time + later, later, said("dora", "two")),
    ];
    assert_eq!(told, expected);
    // What is said now is of now.
    world.say(&mut dora, "three");
    assert_eq!(catch_up(&mut carol), [said("dora", "three")]);
}

#[test]
fn digests_come_for_statements_alone_and_while_one_slept() {
    let own = |world: &World, carol: &Member| asleep(world, carol, HOUR);
    let passed = |count| payload(&Frame::passed(&vec![[7; 32]; count]));
    let cases: [(&str, bool, usize, bool); 5] = [
        ("before it is said that she slept", false, 1, false),
        ("none", true, 0, false),
        ("one", true, 1, true),
        ("as many as there may be", true, 4096, true),
        ("one more", true, 4097, false),
    ];
    for (what, is_said, count, is_taken) in cases {
        let (mut world, _, _, mut carol) = three();
        carol.intercept();
        returns(&mut world, &mut carol);
        if is_said {
            let told = own(&world, &carol);
            assert_eq!(carol.receive(&told), [], "{what}");
        }
        if is_taken {
            assert_eq!(carol.receive(&passed(count)), [], "{what}");
        } else {
            assert_eq!(carol.ends(&passed(count)), End::Malformed, "{what}");
        }
    }
    // After AWAKE, and after the acknowledgement.
    let (mut world, _, _, mut carol) = three();
    returns(&mut world, &mut carol);
    let told = own(&world, &carol);
    assert_eq!(carol.receive(&told), []);
    let told = awake(&carol);
    assert_eq!(carol.receive(&told), []);
    assert_eq!(carol.ends(&passed(1)), End::Malformed);
    let (mut world, _, _, mut carol) = three();
    returns(&mut world, &mut carol);
    let told = own(&world, &carol);
    assert_eq!(carol.receive(&told), []);
    let ack = payload(&Frame::ack(carol.taken()));
    assert_eq!(carol.receive(&ack), []);
    assert_eq!(carol.ends(&passed(1)), End::Malformed);
}

/// The alarms of these kinds: that somebody was shown something else.
fn alarms(mut events: Vec<Event>) -> Vec<Event> {
    events.retain(|event| matches!(event, Event::OtherView(_) | Event::Contradicted));
    events.sort_by_key(|event| format!("{event:?}"));
    events
}

#[test]
fn what_is_hidden_behind_a_digest_of_a_statement_gives_another_view() {
    for hides_message in [true, false] {
        let (mut world, mut ada, mut bob, mut carol) = with_sleeper(NIGHT);
        let dora = if hides_message {
            world.say(&mut ada, "not for carol");
            None
        } else {
            Some(world.enter("dora").unwrap())
        };
        for member in [&mut ada, &mut bob] {
            catch_up(member);
        }
        world.wake(&mut carol);
        let mut frames = carol.intercept();
        let kind = if hides_message {
            EntryKind::Message
        } else {
            EntryKind::Joined
        };
        let mut hidden = 0;
        for frame in &mut frames {
            let digest = match ToClient::parse(frame) {
                Ok(ToClient::Entry {
                    kind: it, entry, ..
                }) if it == kind => entry_digest(entry),
                _ => continue,
            };
            hidden += 1;
            *frame = payload(&Frame::passed(&[digest]));
        }
        assert_eq!(hidden, 1);
        carol.deliver(frames);
        let told = catch_up(&mut carol);
        assert_eq!(alarms(told), []);
        for member in [&mut ada, &mut bob] {
            assert_eq!(catch_up(member), [woke("carol")]);
        }
        drop(dora);
        let [a, b, c] = pass(
            &mut world,
            BEACON_PERIOD * 2,
            [&mut ada, &mut bob, &mut carol],
        );
        assert_eq!(alarms(a), [other_view("carol")]);
        assert_eq!(alarms(b), [other_view("carol")]);
        let both = [Event::Contradicted, other_view("ada"), other_view("bob")];
        assert_eq!(alarms(c), both);
    }
}

#[test]
fn what_was_not_opened_is_never_confirmed_though_who_said_so_was_not_heard() {
    // A message of Bob's, who has claimed more since, tells her nothing either.
    for says_more in [false, true] {
        let (mut world, mut ada, mut bob, mut carol) = three();
        world.say(&mut carol, "secret");
        assert_eq!(catch_up(&mut ada), [said("carol", "secret")]);
        assert_eq!(catch_up(&mut carol), []);
        world.put_to_sleep(&mut carol, NIGHT);
        // His copy comes without what he could open.
        let mut frames = bob.intercept();
        for frame in &mut frames {
            if matches!(
                ToClient::parse(frame),
                Ok(ToClient::Entry {
                    kind: EntryKind::Message,
                    ..
                })
            ) {
                let message = Delivery::parse(frame);
                let stripped = Delivery {
                    ciphertext: Vec::new(),
                    ..message
                };
                *frame = stripped.frame();
            }
        }
        bob.deliver(frames);
        catch_up(&mut bob);
        pass(&mut world, BEACON_PERIOD * 3, [&mut ada, &mut bob]);
        if says_more {
            world.say(&mut bob, "good night");
        }
        pass(&mut world, BEACON_PERIOD, [&mut ada, &mut bob]);
        world.wake(&mut carol);
        let mut told = catch_up(&mut carol);
        // What Ada states at once comes before Carol has all; the next time is a period later at most.
        let all = [&mut ada, &mut bob, &mut carol];
        let [_, _, more] = pass(&mut world, BEACON_PERIOD * 2, all);
        told.extend(more);
        assert_eq!(carol.confirmed_by(1), ["ada"]);
        assert!(told.contains(&unopened_by("bob", 1, "secret")), "{told:?}");
    }
}

#[test]
fn a_queue_is_dropped_while_its_owner_sleeps() {
    let (mut world, mut ada, mut bob, mut carol) = with_sleeper(NIGHT);
    world.say(&mut ada, "lost");
    pass(&mut world, BEACON_PERIOD, [&mut ada, &mut bob]);
    drop(returns(&mut world, &mut carol));
    let ack = payload(&Frame::ack(carol.taken()));
    carol.receive(&ack);
    let [a, b, c] = pass(
        &mut world,
        BEACON_PERIOD * 2,
        [&mut ada, &mut bob, &mut carol],
    );
    // What she claims is of what she had before, and so she shows that she sees nothing new. She is told.
    let both = [Event::Contradicted, other_view("ada"), other_view("bob")];
    assert_eq!(alarms(c), both);
    assert_eq!(alarms(a), [other_view("carol")]);
    assert_eq!(alarms(b), [other_view("carol")]);
    assert_eq!(ada.confirmed_by(1), ["bob"]);
}

#[test]
fn a_place_is_given_away_and_its_owner_is_told_that_it_goes_on() {
    let (mut world, mut ada, mut bob, mut carol) = with_sleeper(NIGHT);
    let asleep = how_carol_sleeps(&ada);
    world.lose(&carol);
    for member in [&mut ada, &mut bob] {
        let left = left_asleep("carol", Departure::Lost, asleep);
        assert_eq!(catch_up(member), [left]);
    }
    returns(&mut world, &mut carol);
    let ack = payload(&Frame::ack(carol.taken()));
    carol.receive(&ack);
    // Nothing of hers is taken, and of the others' she is shown what they state.
    carol.say("is anybody there?").unwrap();
    let mut told = Vec::new();
    for _ in 0..2 * BEACON_PERIOD.as_secs() / STEP.as_secs() {
        world.advance(STEP);
        for member in [&mut ada, &mut bob] {
            assert_eq!(member.tick(), []);
            world.relay(member);
        }
        for member in [&mut ada, &mut bob] {
            let frames = member.intercept();
            let statements = frames.iter().filter(|frame| is_statement(frame));
            carol.deliver(statements.cloned());
            member.deliver(frames);
            assert_eq!(catch_up(member), []);
        }
        told.extend(carol.tick());
        carol.session.take_outgoing();
        told.extend(catch_up(&mut carol));
    }
    assert!(told.contains(&Event::Dead), "{told:?}");
    let both = [other_view("ada"), other_view("bob")];
    told.retain(|event| both.contains(event));
    told.sort_by_key(|event| format!("{event:?}"));
    assert_eq!(told, both);
}

#[test]
fn the_acknowledgement_after_what_waited_is_withheld() {
    let (mut world, mut ada, mut bob, mut carol) = with_sleeper(NIGHT);
    pass(&mut world, HOUR * 2, [&mut ada, &mut bob]);
    let mut told = Vec::new();
    for _ in 0..3 {
        world.wake(&mut carol);
        let mut frames = carol.intercept();
        frames.retain(|frame| !matches!(ToClient::parse(frame), Ok(ToClient::Ack(_))));
        for frame in frames {
            told.extend(carol.receive(&frame));
        }
        assert!(!carol.session.can_rekey());
        // She has nothing to say, and no statement is under way.
        let mut since = Duration::ZERO;
        let dead = loop {
            world.advance(STEP);
            since += STEP;
            let events = carol.tick();
            carol.session.take_outgoing();
            if events.contains(&Event::Dead) {
                break since;
            }
            told.extend(events);
            assert!(since < BEACON_PERIOD * 2, "it hangs: {told:?}");
        };
        assert!(dead >= Duration::from_secs(90), "{dead:?}");
    }
    for _ in 0..2 {
        world.advance(STEP);
        told.extend(carol.tick());
    }
    assert_eq!(
        told.iter().filter(|event| **event == Event::Deaf).count(),
        1
    );
    assert!(
        !told
            .iter()
            .any(|event| matches!(event, Event::CaughtUp { .. }))
    );
    // When it answers at last, all is well, and her key is changed.
    catch_up(&mut ada);
    catch_up(&mut bob);
    world.wake(&mut carol);
    let events = catch_up(&mut carol);
    assert!(
        events
            .iter()
            .any(|event| matches!(event, Event::CaughtUp { .. })),
        "{events:?}"
    );
    assert_eq!(carol.tick(), [Event::RekeyDue]);
}

#[test]
fn it_is_not_said_that_somebody_is_awake() {
    let (mut world, mut ada, mut bob, mut carol) = with_sleeper(NIGHT);
    world.say(&mut ada, "hello");
    catch_up(&mut bob);
    let waiting = returns(&mut world, &mut carol);
    carol.deliver(waiting);
    carol.deliver([payload(&Frame::ack(carol.taken()))]);
    let told = heard(&mut carol);
    assert!(told.contains(&said("ada", "hello")), "{told:?}");
    world.say(&mut carol, "good morning");
    // She has signed that she was shown her falling asleep: whatever the relay says, she is there.
    let told = heard(&mut ada);
    assert!(told.contains(&woke("carol")), "{told:?}");
    let [a, b, c] = pass(
        &mut world,
        BEACON_PERIOD * 4,
        [&mut ada, &mut bob, &mut carol],
    );
    assert_eq!(ada.confirmed_by(1), ["bob", "carol"]);
    assert_eq!(a, []);
    assert!(b.contains(&woke("carol")), "{b:?}");
    // She confirms nothing of hers by what others claim, as she was perhaps not shown all of it.
    assert_eq!(carol.confirmed_by(1), [""; 0]);
    for nick in ["ada", "bob"] {
        let open = unconfirmed_by(nick, 1, "good morning");
        assert!(c.contains(&open), "{c:?}");
    }
}

#[test]
fn a_place_is_kept_for_so_long_and_no_longer() {
    let (mut world, mut ada, mut bob, mut carol) = with_sleeper(HOUR);
    let asleep = how_carol_sleeps(&ada);
    world.say(&mut ada, "too late");
    world.say_to(&mut ada, carol.sid(), "that too");
    pass(&mut world, HOUR, [&mut ada, &mut bob]);
    world.lose(&carol);
    for member in [&mut ada, &mut bob] {
        let left = left_asleep("carol", Departure::Lost, asleep);
        assert_eq!(catch_up(member), [left]);
    }
    let [a, _] = pass(&mut world, Duration::from_mins(6), [&mut ada, &mut bob]);
    for (receipt, text) in [(1, "too late"), (2, "that too")] {
        let lost = Event::Undelivered {
            receipt,
            reader: nick_of("carol"),
            text: text.to_owned(),
            reason: Undelivered::Gone,
        };
        assert!(a.contains(&lost), "{a:?}");
    }
    world.enter_again(&mut carol).unwrap();
    let told = catch_up(&mut carol);
    assert!(
        matches!(told.as_slice(), [Event::Returned { .. }]),
        "{told:?}"
    );
}

#[test]
fn the_key_of_a_sleeper_is_kept_for_what_waits_and_changed_at_once_after_that() {
    let (mut world, mut ada, mut bob, mut carol) = with_sleeper(NIGHT);
    world.say(&mut ada, "in the evening");
    for _ in 0..11 {
        pass(&mut world, HOUR, [&mut ada, &mut bob]);
        assert_eq!(carol.tick(), []);
        assert!(!carol.session.can_rekey(), "others would not know of it");
    }
    world.say(&mut bob, "in the morning");
    world.wake(&mut carol);
    let mut frames = carol.intercept();
    let ack = frames.pop().unwrap();
    carol.deliver(frames.clone());
    let told = heard(&mut carol);
    let both = [said("ada", "in the evening"), said("bob", "in the morning")];
    let messages: Vec<Event> = told
        .into_iter()
        .filter(|event| both.contains(event))
        .collect();
    assert_eq!(messages, both);
    // All that waited goes first.
    assert_eq!(carol.tick(), []);
    assert!(!carol.session.can_rekey());
    let told = carol.receive(&ack);
    assert!(
        matches!(told.as_slice(), [Event::CaughtUp { messages: 2, .. }]),
        "{told:?}"
    );
    assert_eq!(carol.tick(), [Event::RekeyDue]);
    let before = carol.sid();
    world.rekey(&mut carol);
    pass(&mut world, REMAINS + STEP, [&mut ada, &mut bob, &mut carol]);
    assert_ne!(carol.sid(), before);
    assert!(carol.session.can_rekey(), "the old key is gone");
    // A relay that has kept what waited has nothing that opens it.
    for frame in frames {
        if let Ok(ToClient::Entry {
            kind: EntryKind::Message,
            ..
        }) = ToClient::parse(&frame)
        {
            assert_eq!(carol.ends(&frame), End::Malformed);
        }
    }
}

#[test]
fn a_key_is_destroyed_after_thirteen_hours_without_a_connection() {
    // Whether or not the program looks at the clock before the next connection: the machine may have been
    // suspended until then.
    for looks in [true, false] {
        let (mut world, mut ada, mut bob, mut carol) = with_sleeper(NIGHT);
        world.say(&mut ada, "kept for too long");
        world.advance(Duration::from_hours(13));
        if looks {
            assert_eq!(carol.tick(), []);
        }
        world.wake(&mut carol);
        let told = catch_up(&mut carol);
        assert!(told.contains(&Event::TooLate(nick_of("ada"))), "{told:?}");
        assert!(
            told.iter()
                .any(|event| matches!(event, Event::CaughtUp { messages: 0, .. }))
        );
        assert_eq!(carol.tick(), [Event::RekeyDue]);
        world.rekey(&mut carol);
        let [a, ..] = pass(&mut world, REMAINS, [&mut ada, &mut bob, &mut carol]);
        let lost = unopened_by("carol", 1, "kept for too long");
        assert!(a.contains(&lost), "{a:?}");
        world.say(&mut ada, "and now");
        assert!(heard(&mut carol).contains(&said("ada", "and now")));
    }
}

#[test]
fn whoever_breaks_a_connection_again_and_again_does_not_hide_that_nobody_is_there() {
    let (mut world, mut ada, mut bob) = two();
    ada.say("are you there?").unwrap();
    let mut told = Vec::new();
    for _ in 0..5 {
        // Two minutes with a link, in which nothing of Bob's comes, and a minute and more without.
        let [events, _] = pass_choosing(
            &mut world,
            BEACON_PERIOD * 2,
            [&mut ada, &mut bob],
            is_answer,
        );
        told.extend(events);
        let waiting = knock_after(&mut world, &mut ada);
        assert_eq!(waiting.len(), 0);
        let welcome = payload(&Frame::welcome_back(ada.taken(), 0));
        told.extend(ada.receive(&welcome));
        told.extend(ada.receive(&payload(&Frame::ack(ada.taken()))));
    }
    let quiet = told
        .iter()
        .filter(|event| matches!(event, Event::Quiet(..)));
    assert_eq!(quiet.count(), 1, "{told:?}");
    let open = unconfirmed_by("bob", 1, "are you there?");
    assert!(told.contains(&open), "{told:?}");
}

/// The connection of a member is made again after more than a minute.
fn knock_after(world: &mut World, member: &mut Member) -> Vec<Vec<u8>> {
    member.disconnect();
    world.advance(BEACON_PERIOD + STEP);
    member.tick();
    knock(world, member)
}

#[test]
fn two_sleep_and_wake_in_either_order() {
    for bob_first in [true, false] {
        let (mut world, mut ada, mut bob, mut carol) = three();
        world.advance(BEACON_PERIOD);
        world.put_to_sleep(&mut bob, NIGHT);
        world.put_to_sleep(&mut carol, NIGHT);
        catch_up(&mut ada);
        // Each has written something without a connection, to the room and to the other alone.
        bob.say("bob offline").unwrap();
        carol.say("carol offline").unwrap();
        let (to_bob, to_carol) = (To::Member(bob.sid()), To::Member(carol.sid()));
        bob.say_to(to_carol, "for carol").unwrap();
        carol.say_to(to_bob, "for bob").unwrap();
        let mut dora = world.enter("dora").unwrap();
        catch_up(&mut dora);
        pass(&mut world, HOUR, [&mut ada, &mut dora]);
        for _ in 0..2 {
            world.rekey(&mut ada);
            pass(&mut world, REMAINS * 2, [&mut ada, &mut dora]);
        }
        let key = SessionKey::generate(KeySize::Bits2048);
        let now = world.now();
        ada.session.rename(&nick_of("ann"), key, now).unwrap();
        world.relay(&mut ada);
        pass(&mut world, REMAINS * 2, [&mut ada, &mut dora]);
        world.say(&mut ada, "ada to all");
        pass(&mut world, REMAINS, [&mut ada, &mut dora]);
        let (mut told_ada, mut told_dora) = (Vec::new(), Vec::new());
        let (mut told_bob, mut told_carol) = (Vec::new(), Vec::new());
        for is_bob in [bob_first, !bob_first] {
            let (sleeper, told) = if is_bob {
                (&mut bob, &mut told_bob)
            } else {
                (&mut carol, &mut told_carol)
            };
            world.wake(sleeper);
            told.extend(catch_up(sleeper));
            world.relay(sleeper);
            let [a, d, more] = pass(&mut world, REMAINS, [&mut ada, &mut dora, sleeper]);
            told_ada.extend(a);
            told_dora.extend(d);
            told.extend(more);
        }
        let [a, d, b, c] = pass(
            &mut world,
            BEACON_PERIOD * 5,
            [&mut ada, &mut dora, &mut bob, &mut carol],
        );
        told_ada.extend(a);
        told_dora.extend(d);
        told_bob.extend(b);
        told_carol.extend(c);
        let is_trouble = |event: &&Event| {
            matches!(
                event,
                Event::OtherView(_)
                    | Event::Missing(..)
                    | Event::Stray
                    | Event::Unopened(..)
                    | Event::Quiet(..)
                    | Event::Blind(..)
                    | Event::Unconfirmed { .. }
                    | Event::Unanswered(_)
                    | Event::Dead
                    | Event::Swallowed
            )
        };
        for told in [&told_ada, &told_dora, &told_bob, &told_carol] {
            let trouble: Vec<&Event> = told.iter().filter(is_trouble).collect();
            assert!(trouble.is_empty(), "{trouble:?}");
        }
        let texts = |told: &[Event]| {
            let text = |event: &Event| match event {
                Event::Message { text, .. } => Some(text.as_str().to_owned()),
                _ => None,
            };
            let mut texts: Vec<String> = told.iter().filter_map(text).collect();
            texts.sort();
            texts
        };
        let to_bob = ["ada to all", "carol offline", "for bob"];
        assert_eq!(texts(&told_bob), to_bob);
        let to_carol = ["ada to all", "bob offline", "for carol"];
        assert_eq!(texts(&told_carol), to_carol);
        assert_eq!(ada.confirmed_by(1), ["bob", "carol", "dora"]);
        // Ada has changed her key more than once since they wrote, and reads it all the same. Dora has come
        // since.
        assert_eq!(texts(&told_ada), ["bob offline", "carol offline"]);
        for nick in ["bob", "carol"] {
            let left_out = Event::LeftOut(nick_of(nick), LeftOutFor::Coming);
            assert!(told_dora.contains(&left_out), "{told_dora:?}");
        }
        assert_eq!(texts(&told_dora), [""; 0]);
        for (member, other) in [(&bob, "carol"), (&carol, "bob")] {
            assert_eq!(member.confirmed_by(1), ["ann", other]);
            assert_eq!(member.confirmed_by(2), [other]);
        }
    }
}
