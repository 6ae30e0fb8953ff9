//! A relay that keeps things back and hopes that nobody asks: what the signed statements of members
//! bring to light, and when, event by event.

use std::time::Duration;

use e2echat::cipher::encoding::Encoder;
use e2echat::room::card::SessionId;
use e2echat::room::chain::EntryKind;
use e2echat::room::frame::{Departure, Signed, ToClient};
use e2echat::room::message::{Header, LeftOutFor, OpenError};
use e2echat::room::session::{End, Event, Standing, Undelivered};
use e2echat::room::statement::{Occasion, Purpose, Statement};

use crate::support::world::{
    BEACON_PERIOD, Insider, Member, SETTLED, World, catch_up, is_statement, joined, joining,
    leaving, left, nick_of, other_view, said, three, unconfirmed_by, without_having_seen,
};

/// Who has signed what a frame brings to a member, if anybody has.
fn signer(frame: &[u8]) -> Option<SessionId> {
    let stated = |bytes: &[u8]| Statement::parse(bytes).ok().map(|it| it.sender);
    let written = |bytes: &[u8]| Header::parse(bytes).ok().map(|it| it.sender);
    match ToClient::parse(frame).ok()? {
        ToClient::Entry { kind, entry, .. } => {
            let signed = Signed::parse(entry).ok()?;
            match kind {
                EntryKind::Message => written(signed.bytes),
                EntryKind::Statement | EntryKind::Goodbye => stated(signed.bytes),
                _ => None,
            }
        }
        ToClient::Deliver(signed, _) => written(signed.bytes),
        ToClient::Receipt(signed) => stated(signed.bytes),
        _ => None,
    }
}

/// Events in an order that does not depend on whose beacon comes first, which is a matter of chance.
fn sorted(mut events: Vec<Event>) -> Vec<Event> {
    events.sort_by_key(|event| format!("{event:?}"));
    events
}

/// Of whom it is told that nothing shows that they are there, once four beacon periods have passed.
fn quiet(events: &[Event]) -> Vec<String> {
    let quiet = events.iter().filter_map(|event| match event {
        Event::Quiet(nick, time) if (241..=242).contains(&time.as_secs()) => Some(nick.to_string()),
        _ => None,
    });
    quiet.collect()
}

/// Whether somebody is shown as one who is there.
fn is_present(member: &Member, nick: &str) -> bool {
    let others = member.session.others();
    let found = others.iter().find(|person| person.nick == nick_of(nick));
    found.expect("it is in the room").is_present
}

#[test]
fn an_honest_room_with_comings_and_goings_raises_nothing() {
    let (mut world, mut ada, mut bob, mut carol) = three();
    for minute in 0..4 {
        world.say(&mut ada, "hello");
        world.say(&mut bob, "hello, ada");
        let expected = [
            // He wrote before hers had come to him.
            vec![without_having_seen(1, said("bob", "hello, ada"))],
            vec![said("ada", "hello")],
            vec![
                said("ada", "hello"),
                without_having_seen(1, said("bob", "hello, ada")),
            ],
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
    for member in [&ada, &bob, &carol, &dora] {
        let others = member.session.others();
        assert_eq!(others.len(), 3);
        assert!(others.iter().all(|person| person.is_present), "{others:?}");
    }
    world.leave(&mut carol);
    let gone = [left("carol", Departure::Left)];
    let [a, b, d] = world.pass(5 * BEACON_PERIOD, [&mut ada, &mut bob, &mut dora]);
    assert_eq!([a, b, d], [gone.clone(), gone.clone(), gone]);
    // All that was said has come to all.
    for receipt in 1..=4 {
        assert_eq!(ada.confirmed_by(receipt), ["bob", "carol"]);
        assert_eq!(bob.confirmed_by(receipt), ["ada", "carol"]);
    }
}

#[test]
fn the_last_message_before_a_silence_is_dropped() {
    let (mut world, mut ada, mut bob, mut carol) = three();
    world.say(&mut ada, "dropped");
    bob.intercept();
    let [a, b, c] = world.pass(2 * BEACON_PERIOD, [&mut ada, &mut bob, &mut carol]);
    assert_eq!(a, [other_view("bob")]);
    let both = [other_view("ada"), other_view("carol"), Event::Contradicted];
    assert_eq!(sorted(b), sorted(both.to_vec()));
    assert_eq!(c, [said("ada", "dropped"), other_view("bob")]);
    // Its author is told that he has not confirmed it.
    let [a, ..] = world.pass(2 * BEACON_PERIOD, [&mut ada, &mut bob, &mut carol]);
    assert!(a.contains(&unconfirmed_by("bob", 1, "dropped")), "{a:?}");
    assert_eq!(ada.confirmed_by(1), ["carol"]);
}

#[test]
fn the_last_direct_message_before_a_silence_is_dropped() {
    let (mut world, mut ada, mut bob, mut carol) = three();
    world.say_to(&mut ada, bob.sid(), "dropped");
    bob.intercept();
    let noticed = world.pass(4 * BEACON_PERIOD, [&mut ada, &mut bob, &mut carol]);
    let by_author = vec![
        Event::Unanswered(nick_of("bob")),
        unconfirmed_by("bob", 1, "dropped"),
    ];
    assert_eq!(noticed, [by_author, vec![], vec![]]);
    assert_eq!(ada.confirmed_by(1), [""; 0]);
    // Nor is it taken for confirmed when he has gone.
    world.leave(&mut bob);
    let undelivered = Event::Undelivered {
        receipt: 1,
        reader: nick_of("bob"),
        text: "dropped".to_owned(),
        reason: Undelivered::Gone,
    };
    let gone = left("bob", Departure::Left);
    assert_eq!(catch_up(&mut ada), [gone, undelivered]);
}

#[test]
fn the_last_message_before_a_goodbye_is_dropped() {
    let (mut world, mut ada, mut bob, mut carol) = three();
    world.say(&mut ada, "dropped");
    bob.intercept();
    world.leave(&mut ada);
    let goodbye = left("ada", Departure::Left);
    assert_eq!(catch_up(&mut bob), [other_view("ada"), goodbye.clone()]);
    assert_eq!(catch_up(&mut carol), [said("ada", "dropped"), goodbye]);
}

#[test]
fn the_last_message_is_dropped_together_with_the_goodbye() {
    let (mut world, mut ada, mut bob, mut carol) = three();
    world.say(&mut ada, "dropped");
    world.leave(&mut ada);
    bob.intercept();
    // That she has said goodbye, a relay can say for nobody.
    let unsigned = leaving(ada.sid(), Departure::Lost);
    assert_eq!(bob.receive(&unsigned), [left("ada", Departure::Lost)]);
    let [b, c] = world.pass(2 * BEACON_PERIOD, [&mut bob, &mut carol]);
    let goodbye = left("ada", Departure::Left);
    assert_eq!(b, [other_view("carol")]);
    assert_eq!(c, [said("ada", "dropped"), goodbye, other_view("bob")]);
    let unsigned = leaving(carol.sid(), Departure::Left);
    assert_eq!(bob.ends(&unsigned), End::Malformed);
}

#[test]
fn all_that_somebody_says_is_kept_back() {
    let (mut world, mut ada, mut bob, mut carol) = three();
    let kept_back = Some(ada.sid());
    let members = [&mut ada, &mut bob, &mut carol];
    let is_passed_on = |place: usize, frame: &[u8]| place != 1 || signer(frame) != kept_back;
    let [a, b, c] = world.pass_choosing(5 * BEACON_PERIOD, members, is_passed_on);
    // The others' statements have places in the chain that they have not at him.
    assert!(quiet(&b).contains(&"ada".to_owned()), "{b:?}");
    assert!(b.contains(&other_view("carol")), "{b:?}");
    assert!(a.contains(&other_view("bob")), "{a:?}");
    assert!(c.contains(&other_view("bob")), "{c:?}");
    assert!(!is_present(&bob, "ada"));
}

#[test]
fn all_that_somebody_says_is_kept_back_from_the_only_other() {
    let mut world = World::new();
    let mut ada = world.enter("ada").unwrap();
    let mut bob = world.enter("bob").unwrap();
    let [a, b] = world.pass(SETTLED, [&mut ada, &mut bob]);
    assert_eq!(a, [Event::Entered(vec![]), joined(&bob)]);
    assert!(matches!(b.as_slice(), [Event::Entered(people)] if people.len() == 1));
    assert!(is_present(&bob, "ada"));
    let kept_back = Some(ada.sid());
    let is_passed_on = |place: usize, frame: &[u8]| place != 1 || signer(frame) != kept_back;
    let [a, b] = world.pass_choosing(5 * BEACON_PERIOD, [&mut ada, &mut bob], is_passed_on);
    // What he states shows her that he was not shown what she has said, and counts for nothing more.
    assert_eq!(a, [other_view("bob")]);
    assert_eq!((b.len(), quiet(&b)), (1, vec!["ada".to_owned()]), "{b:?}");
    assert!(!is_present(&bob, "ada") && !is_present(&ada, "bob"));
}

#[test]
fn an_old_beacon_is_replayed_to_hide_a_silence() {
    let mut world = World::new();
    let mut ada = world.enter("ada").unwrap();
    let mut bob = world.enter("bob").unwrap();
    world.pass(SETTLED, [&mut ada, &mut bob]);
    let mut beacon: Option<Vec<u8>> = None;
    let mut noticed = Vec::new();
    let mut last_shown = 0;
    for second in 1..=6 * BEACON_PERIOD.as_secs() {
        world.advance(Duration::from_secs(1));
        ada.tick();
        noticed.extend(bob.tick());
        for member in [&mut ada, &mut bob] {
            world.relay(member);
        }
        catch_up(&mut ada);
        for frame in bob.intercept() {
            if signer(&frame) != Some(ada.sid()) {
                noticed.extend(bob.receive(&frame));
            } else if beacon.is_none() {
                noticed.extend(bob.receive(&frame));
                beacon = Some(frame);
            }
        }
        if let Some(beacon) = &beacon {
            noticed.extend(bob.receive(beacon));
        }
        if is_present(&bob, "ada") {
            last_shown = second;
        }
    }
    assert_eq!(quiet(&noticed), ["ada"], "{noticed:?}");
    assert!(beacon.is_some() && last_shown <= 4 * BEACON_PERIOD.as_secs());
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
    // She has seen what Dora was not shown.
    assert_eq!(
        dora.receive(&first.frame()),
        [other_view("ada"), said("ada", "first")]
    );
    let members = [&mut ada, &mut bob, &mut carol, &mut dora];
    let [.., d] = world.pass(2 * BEACON_PERIOD, members);
    let others = [other_view("bob"), other_view("carol"), Event::Contradicted];
    assert_eq!(sorted(d), sorted(others.to_vec()));
}

#[test]
fn all_between_a_join_and_a_change_of_the_roster_is_dropped_statements_too() {
    let mut world = World::new();
    let mut ada = world.enter("ada").unwrap();
    let mut bob = world.enter("bob").unwrap();
    world.pass(SETTLED, [&mut ada, &mut bob]);
    let mut carol = world.enter("carol").unwrap();
    assert!(matches!(
        catch_up(&mut carol).as_slice(),
        [Event::Entered(_)]
    ));
    catch_up(&mut ada);
    world.say(&mut ada, "dropped");
    // With the statements by which the others show that they have seen her.
    world.pass(SETTLED, [&mut ada, &mut bob]);
    let dropped = carol.intercept();
    assert!(dropped.iter().any(|frame| is_statement(frame)));
    // The chain goes on over a change of the roster, and so the loss is not forgotten.
    let mut dora = world.enter("dora").unwrap();
    // A claim that is behind what dora has seen tells her nothing: the others may have to speak first.
    let noticed = world.pass(
        2 * BEACON_PERIOD,
        [&mut ada, &mut bob, &mut carol, &mut dora],
    );
    let [a, b, c, d] = noticed;
    assert_eq!(c[0], joined(&dora));
    assert!(c.contains(&other_view("ada")), "{c:?}");
    for events in [a, b, d] {
        let alarms = events.iter().filter(|it| matches!(it, Event::OtherView(_)));
        assert!(alarms.eq([&other_view("carol")]), "{events:?}");
    }
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
    let [a, b] = world.pass(5 * BEACON_PERIOD, [&mut ada, &mut bob]);
    assert_eq!((a, b), (vec![], vec![said("ada", "number 500")]));
    assert_eq!(ada.confirmed_by(501), ["bob"]);
    assert!(is_present(&ada, "bob") && is_present(&bob, "ada"));
}

#[test]
fn a_forged_goodbye_splits_the_room_in_two() {
    let (mut world, mut ada, mut bob, mut carol) = three();
    world.advance(BEACON_PERIOD);
    carol.tick();
    world.relay(&mut carol);
    let beacon = ada.intercept().pop().expect("a beacon");
    assert!(is_statement(&beacon));
    assert_eq!(bob.intercept(), std::slice::from_ref(&beacon));
    for reader in [&mut ada, &mut bob] {
        assert_eq!(reader.receive(&beacon), []);
    }
    // The relay cannot say for her that she goes: it can only say that it has lost her.
    let goodbye = forged(&beacon, EntryKind::Goodbye, |statement| {
        statement.purpose = Purpose::ToAll(Occasion::Goodbye);
        statement.time += 1;
    });
    for reader in [&mut ada, &mut bob] {
        let unsigned = Event::Unopened(nick_of("carol"), OpenError::Signature);
        assert_eq!(reader.receive(&goodbye), [unsigned]);
        assert!(is_present(reader, "carol"));
        let lost = leaving(carol.sid(), Departure::Lost);
        assert_eq!(reader.receive(&lost), [left("carol", Departure::Lost)]);
    }
    // Carol, who is told nothing, sees them speak of another room.
    let [a, b, c] = world.pass(2 * BEACON_PERIOD, [&mut ada, &mut bob, &mut carol]);
    let both = [other_view("ada"), other_view("bob"), Event::Contradicted];
    assert_eq!(sorted(c), sorted(both.to_vec()));
    // To them, who see the same, whoever speaks so is nobody.
    for events in [a, b] {
        assert!(!events.is_empty());
        assert!(events.iter().all(|it| *it == Event::Stray), "{events:?}");
    }
}

#[test]
fn a_room_is_split_by_lost_connections_that_were_not_lost() {
    let (mut world, mut ada, mut bob, mut carol) = three();
    // Ada alone is told that Carol has gone; the relay goes on passing everything.
    let forged = leaving(carol.sid(), Departure::Lost);
    assert_eq!(ada.receive(&forged), [left("carol", Departure::Lost)]);
    let [a, b, c] = world.pass(2 * BEACON_PERIOD, [&mut ada, &mut bob, &mut carol]);
    assert!(a.contains(&Event::Stray), "{a:?}");
    assert!(a.contains(&other_view("bob")), "{a:?}");
    assert_eq!(b, [other_view("ada")]);
    assert_eq!(c, [other_view("ada")]);
}

#[test]
fn a_membership_list_that_differs_is_noticed_though_nobody_says_anything() {
    let (mut world, mut ada, mut bob, mut carol) = three();
    let ghost = Insider::new("ghost");
    let card = joining(ghost.card.bytes());
    assert!(matches!(ada.receive(&card).as_slice(), [Event::Joined(_)]));
    let [a, b, c] = world.pass(2 * BEACON_PERIOD, [&mut ada, &mut bob, &mut carol]);
    assert_eq!((b, c), (vec![other_view("ada")], vec![other_view("ada")]));
    let both = [other_view("bob"), other_view("carol")];
    assert_eq!(sorted(a), sorted(both.to_vec()));
    assert!(!is_present(&ada, "ghost"));
    // Nothing ever shows that the ghost is there.
    let [a, ..] = world.pass(3 * BEACON_PERIOD, [&mut ada, &mut bob, &mut carol]);
    assert!(quiet(&a).contains(&"ghost".to_owned()), "{a:?}");
}

#[test]
fn whoever_is_hidden_from_those_who_are_there_is_told_that_nothing_shows_that_they_are() {
    for are_statements_passed_on in [true, false] {
        let mut world = World::new();
        let mut ada = world.enter("ada").unwrap();
        world.pass(SETTLED, [&mut ada]);
        let mut bob = world.enter("bob").unwrap();
        assert!(matches!(catch_up(&mut bob).as_slice(), [Event::Entered(_)]));
        ada.intercept();
        let is_passed_on =
            |_: usize, frame: &[u8]| are_statements_passed_on || !is_statement(frame);
        let [a, b] = world.pass_choosing(5 * BEACON_PERIOD, [&mut ada, &mut bob], is_passed_on);
        if are_statements_passed_on {
            assert_eq!(b[0], other_view("ada"));
            assert!(
                !a.is_empty() && a.iter().all(|it| *it == Event::Stray),
                "{a:?}"
            );
        } else {
            assert_eq!((a, b.len()), (vec![], 1));
            assert_eq!(quiet(&b), ["ada"]);
        }
        assert!(!is_present(&bob, "ada"));
    }
}

/// Dora enters, and the others state at once that they have seen it: the relay drops at her what Ada
/// states.
fn with_a_dropped_statement() -> (World, [Member; 4]) {
    let (mut world, mut ada, mut bob, mut carol) = three();
    let mut dora = world.enter("dora").expect("there is room");
    assert!(matches!(catch_up(&mut dora)[..], [Event::Entered(_)]));
    for member in [&mut ada, &mut bob, &mut carol] {
        assert_eq!(catch_up(member), [joined(&dora)]);
    }
    world.advance(SETTLED);
    assert_eq!(ada.tick(), []);
    world.relay(&mut ada);
    let dropped = dora.intercept();
    assert!(matches!(&dropped[..], [statement] if is_statement(statement)));
    assert_eq!(catch_up(&mut ada), []);
    (world, [ada, bob, carol, dora])
}

#[test]
fn a_statement_that_is_dropped_is_noticed_by_the_first_message() {
    let (mut world, [mut ada, mut bob, _carol, mut dora]) = with_a_dropped_statement();
    // Nothing else is dropped, and nobody else has said anything.
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
fn a_statement_that_is_dropped_is_noticed_by_the_first_beacon() {
    let (mut world, [mut ada, mut bob, mut carol, mut dora]) = with_a_dropped_statement();
    let members = [&mut ada, &mut bob, &mut carol, &mut dora];
    let [a, b, c, d] = world.pass(2 * BEACON_PERIOD, members);
    for events in [a, b, c] {
        assert_eq!(events, [other_view("dora")]);
    }
    let all = ["ada", "bob", "carol"].map(other_view);
    let all = [all.to_vec(), vec![Event::Contradicted]].concat();
    assert_eq!(sorted(d), sorted(all));
}

/// The entry of a statement with its sender's signature, in which something was altered since.
fn forged(frame: &[u8], kind: EntryKind, alter: impl FnOnce(&mut Statement)) -> Vec<u8> {
    let Ok(ToClient::Entry { entry, .. }) = ToClient::parse(frame) else {
        panic!("not an entry: {frame:?}");
    };
    let signed = Signed::parse(entry).expect("a statement");
    let mut altered = Statement::parse(signed.bytes).expect("a statement");
    alter(&mut altered);
    let fields = Encoder::default().string(&altered.encode());
    let entry = fields.string(signed.signature).finish();
    let fields = Encoder::default().byte(0x11).byte(kind.code());
    fields.string(&entry).string(&[]).finish()
}

#[test]
fn a_statement_that_its_sender_did_not_sign_counts_for_nothing() {
    let (mut world, mut ada, mut bob, _) = three();
    world.say(&mut bob, "has she seen it?");
    catch_up(&mut bob);
    world.advance(BEACON_PERIOD);
    ada.tick();
    world.relay(&mut ada);
    let beacon = bob.intercept().pop().expect("a beacon");
    let unsigned = [Event::Unopened(nick_of("ada"), OpenError::Signature)];
    let seen = world.claim();
    // That messages are missing, that she sees another room, that nothing came after it, that she has
    // seen what he said, that her program is newer.
    let statement = EntryKind::Statement;
    let forgeries = [
        forged(&beacon, statement, |it| it.next += 1),
        forged(&beacon, statement, |it| it.claim.roster = [1; 32]),
        forged(&beacon, statement, |it| it.time += 1_000_000),
        forged(&beacon, statement, |it| it.claim = seen),
        forged(&beacon, statement, |it| {
            it.purpose = Purpose::ToAll(Occasion::Unknown(7));
        }),
        // That she goes.
        forged(&beacon, EntryKind::Goodbye, |it| {
            it.purpose = Purpose::ToAll(Occasion::Goodbye);
        }),
    ];
    for forgery in forgeries {
        assert_eq!(bob.receive(&forgery), unsigned);
    }
    // A goodbye is no statement, and the other way round.
    let goodbye = |it: &mut Statement| it.purpose = Purpose::ToAll(Occasion::Goodbye);
    for misplaced in [
        forged(&beacon, statement, goodbye),
        forged(&beacon, EntryKind::Goodbye, |_| {}),
    ] {
        assert_eq!(bob.receive(&misplaced), [Event::Stray]);
    }
    assert!(is_present(&bob, "ada"));
    assert_eq!(bob.confirmed_by(1), [""; 0]);
    // What she has signed herself counts, and what she says is shown: she sees a room without all that.
    assert_eq!(bob.receive(&beacon), []);
    catch_up(&mut ada);
    world.say(&mut ada, "still here");
    assert_eq!(
        catch_up(&mut bob),
        [other_view("ada"), said("ada", "still here")]
    );
    let lost = leaving(ada.sid(), Departure::Lost);
    assert_eq!(bob.receive(&lost), [left("ada", Departure::Lost)]);
}

#[test]
fn two_orders_of_messages_are_noticed_though_nobody_answers() {
    let (mut world, mut ada, mut bob, mut carol) = three();
    world.say(&mut ada, "one");
    world.say(&mut bob, "two");
    let mut frames = carol.intercept();
    frames.reverse();
    carol.deliver(frames);
    let [a, b, c] = world.pass(2 * BEACON_PERIOD, [&mut ada, &mut bob, &mut carol]);
    // He wrote before hers had come to him.
    let two = without_having_seen(1, said("bob", "two"));
    assert_eq!(a, [two, other_view("carol")]);
    let one = without_having_seen(1, said("ada", "one"));
    assert_eq!(b, [said("ada", "one"), other_view("carol")]);
    assert_eq!(c[..2], [said("bob", "two"), one]);
    // Whose beacon comes first is a matter of chance.
    let both = [other_view("ada"), other_view("bob"), Event::Contradicted];
    assert_eq!(sorted(c[2..].to_vec()), sorted(both.to_vec()));
    // Neither takes for confirmed what she was shown elsewhere.
    assert_eq!(ada.confirmed_by(1), ["bob"]);
    assert_eq!(bob.confirmed_by(1), ["ada"]);
}

#[test]
fn a_member_left_out_sees_the_notice_and_no_gap() {
    let (mut world, mut ada, mut bob, mut carol) = three();
    let sid = carol.sid();
    ada.session.set_standing(sid, Standing::Changed);
    assert_eq!(world.say(&mut ada, "not for carol"), 1);
    ada.session.set_standing(sid, Standing::Known);
    assert_eq!(world.say(&mut ada, "for all"), 2);
    let [a, b, c] = world.pass(5 * BEACON_PERIOD, [&mut ada, &mut bob, &mut carol]);
    assert_eq!(a, []);
    let left_out = Event::LeftOthersOut(nick_of("ada"), vec![nick_of("carol")]);
    assert_eq!(b[..2], [left_out, said("ada", "not for carol")]);
    assert_eq!(b[2..], [said("ada", "for all")]);
    let left_out = Event::LeftOut(nick_of("ada"), LeftOutFor::OtherIdentity);
    assert_eq!(c, [left_out, said("ada", "for all")]);
    assert_eq!(ada.confirmed_by(1), ["bob"]);
    assert_eq!(ada.confirmed_by(2), ["bob", "carol"]);
}
