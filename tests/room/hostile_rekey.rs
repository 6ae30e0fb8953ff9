//! A relay that makes use of somebody changing the session key: what each member sees of it, event
//! by event.

use std::time::Duration;

use e2echat::cipher::keys::PublicKey;
use e2echat::room::card::{Card, CardError, SessionId};
use e2echat::room::frame::{Departure, Frame, ToRelay};
use e2echat::room::message::{LeftOutFor, OpenError};
use e2echat::room::names::RoomName;
use e2echat::room::roster::Conflict;
use e2echat::room::session::{Disbelief, End, Event, SayError, To};

use crate::support::peer::{lobby, session_key};
use crate::support::world::{
    BEACON_PERIOD, Delivery, Insider, Member, SETTLED, World, assert_bob_is_parted, catch_up,
    joining, left, missing, nick_of, other_view, payload, rekeying, said, said_directly, three,
    unconfirmed_by, unopened_by,
};

fn rekeyed(nick: &str) -> Event {
    Event::Rekeyed(nick_of(nick))
}

fn too_late(nick: &str) -> Event {
    Event::TooLate(nick_of(nick))
}

fn disbelieved(why: Disbelief) -> [Event; 1] {
    [Event::Disbelieved(why)]
}

/// How long a key outlives the next one's coming back from the relay, and the announcement of the next
/// one at most.
const REMAINS: Duration = Duration::from_mins(1);
const REMAINS_AT_MOST: Duration = Duration::from_mins(10);

/// A card whose nick is another member's.
const TAKEN: Disbelief = Disbelief::Conflict(Conflict::Nick);

/// The card in the one REKEY that a member has to send, which the relay keeps to itself.
fn withheld_card(member: &mut Member) -> Vec<u8> {
    let frames = member.session.take_outgoing();
    let cards = frames
        .iter()
        .filter_map(|frame| match ToRelay::parse(&payload(frame)) {
            Ok(ToRelay::Rekey(card)) => Some(card.to_vec()),
            _ => None,
        });
    let [card] = cards.collect::<Vec<_>>().try_into().expect("one REKEY");
    card
}

#[test]
fn honest_rekeys_with_messages_of_all_kinds_raise_nothing() {
    let (mut world, mut ada, mut bob, mut carol) = three();
    world.say_to(&mut ada, bob.sid(), "one");
    world.say_to(&mut bob, ada.sid(), "two");
    assert_eq!(catch_up(&mut bob), [said_directly("ada", "one")]);
    assert_eq!(catch_up(&mut ada), [said_directly("bob", "two")]);

    // What she says to him and to all crosses with his new key.
    bob.rekey();
    let former = bob.sid();
    world.say_to(&mut ada, former, "crossing");
    world.say(&mut ada, "crossing too");
    world.relay(&mut bob);
    assert_eq!(
        catch_up(&mut bob),
        [
            said_directly("ada", "crossing"),
            said("ada", "crossing too")
        ]
    );
    assert_ne!(bob.sid(), former);
    // What was on its way to his old key when the relay had the new one already.
    world.say_to(&mut ada, former, "late");
    world.say(&mut ada, "late too");
    assert_eq!(
        catch_up(&mut bob),
        [said_directly("ada", "late"), said("ada", "late too")]
    );
    assert_eq!(catch_up(&mut ada), [rekeyed("bob")]);
    assert_eq!(
        catch_up(&mut carol),
        [
            said("ada", "crossing too"),
            rekeyed("bob"),
            said("ada", "late too")
        ]
    );

    // Both ways anew.
    world.say_to(&mut ada, bob.sid(), "three");
    world.say_to(&mut bob, ada.sid(), "four");
    world.say(&mut bob, "five");
    assert_eq!(catch_up(&mut bob), [said_directly("ada", "three")]);
    assert_eq!(
        catch_up(&mut ada),
        [said_directly("bob", "four"), said("bob", "five")]
    );
    assert_eq!(catch_up(&mut carol), [said("bob", "five")]);
    world.rekey(&mut ada);
    let noticed = world.pass(4 * BEACON_PERIOD, [&mut ada, &mut bob, &mut carol]);
    assert_eq!(
        noticed,
        [vec![], vec![rekeyed("ada")], vec![rekeyed("ada")]]
    );
    let all_are_present = |m: &Member| m.session.others().iter().all(|p| p.is_present);
    assert!([&ada, &bob, &carol].into_iter().all(all_are_present));
    for receipt in [1, 2, 4, 6] {
        assert_eq!(ada.confirmed_by(receipt), ["bob"]);
    }
    for receipt in [3, 5] {
        assert_eq!(ada.confirmed_by(receipt), ["bob", "carol"]);
    }
    assert_eq!(bob.confirmed_by(1), ["ada"]);
    assert_eq!(bob.confirmed_by(2), ["ada"]);
    assert_eq!(bob.confirmed_by(3), ["ada", "carol"]);
}

#[test]
fn a_message_to_the_key_before_is_not_shown_again() {
    let (mut world, mut ada, mut bob, mut carol) = three();
    world.say_to(&mut ada, bob.sid(), "pay 10");
    let direct = bob.intercept_message();
    world.say(&mut ada, "pay 20");
    let to_all = bob.intercept_message();
    assert_eq!(
        bob.receive(&direct.frame()),
        [said_directly("ada", "pay 10")]
    );
    assert_eq!(bob.receive(&to_all.frame()), [said("ada", "pay 20")]);
    // As for him alone, like what is sent again, neither has a place in the chain.
    let copy = Delivery {
        is_entry: false,
        ..to_all.clone()
    };
    for _ in 0..2 {
        let before = bob.sid();
        world.rekey(&mut bob);
        catch_up(&mut bob);
        assert_ne!(bob.sid(), before);
        assert_eq!(catch_up(&mut ada), [rekeyed("bob")]);
        assert_eq!(bob.receive(&direct.frame()), []);
        assert_eq!(bob.receive(&copy.frame()), []);
        // The old key is destroyed.
        let [a, b, _] = world.pass(BEACON_PERIOD, [&mut ada, &mut bob, &mut carol]);
        assert_eq!((a, b), (vec![], vec![]));
        assert_eq!(bob.receive(&direct.frame()), []);
        assert_eq!(bob.receive(&copy.frame()), []);
    }
    world.say_to(&mut ada, bob.sid(), "done");
    assert_eq!(catch_up(&mut bob), [said_directly("ada", "done")]);
    // No relay gives an entry a second place in his chain.
    assert_eq!(bob.ends(&to_all.frame()), End::Malformed);
    let quiet = world.pass(BEACON_PERIOD, [&mut ada, &mut bob, &mut carol]);
    assert_eq!(quiet, [vec![], vec![], vec![]]);
}

#[test]
fn the_last_message_before_a_rekey_is_dropped() {
    let (mut world, mut ada, mut bob, mut carol) = three();
    world.say(&mut ada, "dropped");
    bob.intercept();
    world.rekey(&mut ada);
    assert_eq!(catch_up(&mut bob), [rekeyed("ada")]);
    // His place for her new key is another one than theirs.
    assert_bob_is_parted(&mut world, [&mut ada, &mut bob, &mut carol]);
    let [a, ..] = world.pass(2 * BEACON_PERIOD, [&mut ada, &mut bob, &mut carol]);
    assert!(a.contains(&unconfirmed_by("bob", 1, "dropped")), "{a:?}");
    assert_eq!(ada.confirmed_by(1), ["carol"]);
}

#[test]
fn the_last_direct_message_before_a_rekey_is_dropped() {
    for is_the_readers in [false, true] {
        let (mut world, mut ada, mut bob, mut carol) = three();
        world.say_to(&mut ada, bob.sid(), "hello");
        assert_eq!(catch_up(&mut bob), [said_directly("ada", "hello")]);
        world.say_to(&mut ada, bob.sid(), "dropped");
        bob.intercept();
        world.rekey(if is_the_readers { &mut bob } else { &mut ada });
        let [a, b, _] = world.pass(2 * BEACON_PERIOD, [&mut ada, &mut bob, &mut carol]);
        // It has no place in the chain. But his receipt would have gone before his beacon.
        let unanswered = Event::Unanswered(nick_of("bob"));
        if is_the_readers {
            assert_eq!((a, b), (vec![rekeyed("bob"), unanswered], vec![]));
        } else {
            assert_eq!((a, b), (vec![unanswered], vec![rekeyed("ada")]));
        }
        // The next one shows him that one is missing.
        world.say_to(&mut ada, bob.sid(), "and now?");
        let [a, b, _] = world.pass(2 * BEACON_PERIOD, [&mut ada, &mut bob, &mut carol]);
        // His receipt says that it is missing: so it stays open, which is told as before.
        let unanswered = Event::Unanswered(nick_of("bob"));
        assert_eq!(a, [unanswered, unconfirmed_by("bob", 2, "dropped")]);
        assert_eq!(b, [said_directly("ada", "and now?"), missing("ada", 1)]);
        assert_eq!(ada.confirmed_by(1), ["bob"]);
        assert_eq!(ada.confirmed_by(2), [""; 0]);
        assert_eq!(ada.confirmed_by(3), ["bob"]);
    }
}

#[test]
fn an_older_card_is_replayed_as_a_rekey() {
    let (mut world, mut ada, mut bob, mut carol) = three();
    let mut older = Vec::new();
    for _ in 0..2 {
        older.push(ada.session.card().clone());
        world.rekey(&mut ada);
        assert_eq!(catch_up(&mut ada), []);
        let [_, b, _] = world.pass(REMAINS, [&mut ada, &mut bob, &mut carol]);
        assert_eq!(b, [rekeyed("ada")]);
    }
    // The first follows no card. The second follows one that nobody has any more, and so it is looked
    // at like that of somebody who comes: she is there.
    for (old, why) in older.iter().zip([Disbelief::Succession, TAKEN]) {
        assert_eq!(bob.receive(&rekeying(old.bytes())), disbelieved(why));
    }
    // The key that she has now is the one that he writes to.
    bob.say("hello").unwrap();
    let frames = bob.session.take_outgoing();
    let sent: Vec<u8> = frames.iter().flat_map(Frame::encode).collect();
    let is_for = |sid: SessionId| sent.windows(32).any(|window| window == sid.0);
    assert!(is_for(ada.sid()));
    assert!(!older.iter().any(|old| is_for(old.sid())));
    // What she says is still hers; and that he was shown something else is noticed.
    world.say(&mut ada, "still here");
    assert_eq!(catch_up(&mut bob), [said("ada", "still here")]);
    assert_bob_is_parted(&mut world, [&mut ada, &mut bob, &mut carol]);
}

#[test]
fn another_sessions_card_is_presented_as_a_rekey() {
    let (mut world, mut ada, mut bob, mut carol) = three();
    // Somebody who is in the room nowhere makes cards that follow Ada's and Carol's.
    let mallory = Insider::new("ada");
    let follows = |card: &Card, nick: &str| {
        let (nick, session) = (nick_of(nick), session_key(0).public());
        card.issue_successor(&lobby().key(), &mallory.identity, &nick, session, 0, 0)
    };
    let cards = [
        (follows(ada.session.card(), "ada"), Disbelief::Succession),
        (
            follows(carol.session.card(), "carol"),
            Disbelief::Succession,
        ),
        (
            follows(carol.session.card(), "mallory"),
            Disbelief::Succession,
        ),
        // This one follows nobody's, and is looked at like that of somebody who comes.
        (follows(&mallory.card, "ada"), TAKEN),
    ];
    for (card, why) in cards {
        assert_eq!(bob.receive(&rekeying(card.bytes())), disbelieved(why));
    }
    let names: Vec<_> = bob.session.others().iter().map(|p| p.sid).collect();
    assert_eq!(names, [ada.sid(), carol.sid()]);
    assert_bob_is_parted(&mut world, [&mut ada, &mut bob, &mut carol]);
    // It gains no more than by joining, of which nobody but the relay says that it is so.
    let stranger = follows(&mallory.card, "mallory");
    let events = bob.receive(&rekeying(stranger.bytes()));
    assert!(
        matches!(events.as_slice(), [Event::Joined(person)] if !person.is_present),
        "{events:?}"
    );
    let [_, b, _] = world.pass(5 * BEACON_PERIOD, [&mut ada, &mut bob, &mut carol]);
    let is_missed =
        |event: &Event| matches!(event, Event::Quiet(nick, _) if *nick == nick_of("mallory"));
    assert!(b.iter().any(is_missed), "{b:?}");
    let strange = bob.session.person(&nick_of("mallory")).expect("listed");
    assert!(!strange.is_present);
}

/// A card that follows none that a member knows is that of somebody who comes, also where it is counted.
#[test]
fn more_come_than_the_relay_has_promised_by_cards_that_follow_nobodys() {
    // The room is for four.
    let (_, mut ada, ..) = three();
    let stranger = |nick: &str, key| {
        let insider = Insider::new(nick);
        let (nick, session) = (nick_of(nick), session_key(key).public());
        let card = insider.card;
        card.issue_successor(&lobby().key(), &insider.identity, &nick, session, 0, 0)
    };
    let events = ada.receive(&rekeying(stranger("dora", 0).bytes()));
    assert!(
        matches!(events.as_slice(), [Event::Joined(_)]),
        "{events:?}"
    );
    let one_more = rekeying(stranger("eve", 1).bytes());
    assert_eq!(ada.ends(&one_more), End::Malformed);
}

#[test]
fn a_member_is_shown_its_own_card_as_a_rekey() {
    for (rekeys, is_next, why) in [
        (0, false, Disbelief::Succession),
        // One that the relay has listed already.
        (1, false, TAKEN),
        // One that the relay has yet to list: that is told otherwise.
        (0, true, Disbelief::Succession),
    ] {
        let (mut world, mut ada, mut bob, mut carol) = three();
        for _ in 0..rekeys {
            world.rekey(&mut bob);
            catch_up(&mut bob);
            catch_up(&mut ada);
        }
        let mut own = bob.session.card().bytes().to_vec();
        if is_next {
            bob.rekey();
            own = withheld_card(&mut bob);
        }
        let sid = bob.sid();
        world.say(&mut ada, "before");
        let before = bob.intercept_message();
        assert_eq!(bob.receive(&rekeying(&own)), disbelieved(why));
        assert_eq!(bob.sid(), sid);
        assert_eq!(bob.receive(&before.frame()), [said("ada", "before")]);
        if !is_next {
            assert_bob_is_parted(&mut world, [&mut ada, &mut bob, &mut carol]);
        }
    }
}

#[test]
fn frames_to_a_destroyed_key_while_the_answer_to_the_rekey_is_withheld() {
    let (mut world, mut ada, mut bob, mut carol) = three();
    let former = bob.sid();
    bob.rekey();
    withheld_card(&mut bob);
    // The old key opens what is under way, for ten minutes.
    world.advance(REMAINS_AT_MOST.saturating_sub(Duration::from_millis(1)));
    bob.tick();
    world.say(&mut ada, "in time");
    assert_eq!(catch_up(&mut bob), [said("ada", "in time")]);
    world.advance(Duration::from_millis(1));
    bob.tick();
    world.say(&mut ada, "too late");
    assert_eq!(catch_up(&mut bob), [too_late("ada")]);
    // Meanwhile he signs under the session id that the others know.
    bob.session.take_outgoing();
    bob.say("hello?").unwrap();
    assert_eq!(bob.sid(), former);
    world.relay(&mut bob);
    assert_eq!(
        catch_up(&mut carol),
        [
            said("ada", "in time"),
            said("ada", "too late"),
            said("bob", "hello?")
        ]
    );
    // That the relay has taken it without his card, which went before, is an alarm.
    let [_, ack] = bob.intercept().try_into().expect("two frames");
    assert_eq!(bob.receive_all(&ack), [Event::Swallowed]);
}

/// Ada has said something to all, and to Bob alone, which the relay keeps from Bob until his key for
/// it is gone, with all that comes behind it. Returns what it delivers then, and what the three are
/// told meanwhile.
fn delayed(world: &mut World, members: [&mut Member; 3]) -> (Vec<Vec<u8>>, [Vec<Event>; 3]) {
    let [ada, bob, carol] = members;
    world.say(ada, "for all");
    world.say_to(ada, bob.sid(), "for you");
    world.rekey(bob);
    let mut delayed = bob.intercept();
    assert_eq!(delayed.len(), 4, "two messages, his own entry and an ACK");
    assert_eq!(catch_up(ada), [rekeyed("bob")]);
    assert_eq!(catch_up(carol), [said("ada", "for all"), rekeyed("bob")]);
    let told = world.pass_choosing(REMAINS_AT_MOST, [ada, bob, carol], |member, frame| {
        if member == 1 {
            delayed.push(frame.to_vec());
        }
        member != 1
    });
    (delayed, told)
}

#[test]
fn messages_are_held_back_until_their_key_is_gone() {
    let (mut world, mut ada, mut bob, mut carol) = three();
    let (delayed, told) = delayed(&mut world, [&mut ada, &mut bob, &mut carol]);
    // For so long that does not go unnoticed, by anybody.
    let is_told = |who: usize, is_it: &dyn Fn(&Event) -> bool| {
        assert!(told[who].iter().any(is_it), "{told:#?}");
    };
    for (receipt, text) in [(1, "for all"), (2, "for you")] {
        is_told(0, &|event| *event == unconfirmed_by("bob", receipt, text));
    }
    for about in ["ada", "carol"] {
        is_told(
            1,
            &|event| matches!(event, Event::Quiet(nick, _) if *nick == nick_of(about)),
        );
    }
    for who in [0, 2] {
        is_told(who, &|event| *event == Event::Blind(nick_of("bob")));
    }
    is_told(1, &|event| *event == Event::Deaf);
    let noticed: Vec<Event> = delayed
        .iter()
        .flat_map(|frame| bob.receive(frame))
        .collect();
    assert_eq!(noticed, [too_late("ada"), too_late("ada")]);
    // He owes her a receipt, and says so in no other way.
    let [a, b, c] = world.pass(2 * BEACON_PERIOD, [&mut ada, &mut bob, &mut carol]);
    let texts = [(1, "for all"), (2, "for you")];
    assert_eq!(
        a,
        texts.map(|(receipt, text)| unopened_by("bob", receipt, text))
    );
    assert_eq!((b, c), (vec![], vec![]));
    assert_eq!(ada.confirmed_by(1), ["carol"]);
    assert_eq!(ada.confirmed_by(2), [""; 0]);
}

#[test]
fn messages_are_held_back_until_their_key_is_gone_while_others_pass() {
    let (mut world, mut ada, mut bob, mut carol) = three();
    world.say(&mut ada, "for all");
    world.say_to(&mut ada, bob.sid(), "for you");
    let held = bob.intercept();
    world.rekey(&mut bob);
    for member in [&mut ada, &mut bob, &mut carol] {
        catch_up(member);
    }
    world.advance(BEACON_PERIOD);
    bob.tick();
    for frame in &held {
        assert_eq!(bob.receive(frame), [too_late("ada")]);
    }
    assert_bob_is_parted(&mut world, [&mut ada, &mut bob, &mut carol]);
    let [a, ..] = world.pass(2 * BEACON_PERIOD, [&mut ada, &mut bob, &mut carol]);
    assert!(a.contains(&unconfirmed_by("bob", 1, "for all")), "{a:?}");
    assert_eq!(ada.confirmed_by(1), ["carol"]);
    assert_eq!(ada.confirmed_by(2), [""; 0]);
}

#[test]
fn who_was_not_there_to_hear_that_its_message_came_too_late_hears_it_on_its_return() {
    let (mut world, mut ada, mut bob, mut carol) = three();
    let (delayed, _) = delayed(&mut world, [&mut ada, &mut bob, &mut carol]);
    world.lose(&ada);
    for frame in &delayed {
        bob.receive(frame);
    }
    assert_eq!(catch_up(&mut bob), [left("ada", Departure::Lost)]);
    world.enter_again(&mut ada).unwrap();
    world.relay(&mut ada);
    catch_up(&mut bob);
    // What he tells her is lost, and so is she, once more.
    world.pass(Duration::from_secs(1), [&mut bob]);
    ada.intercept();
    world.lose(&ada);
    world.enter_again(&mut ada).unwrap();
    world.relay(&mut ada);
    let [a, ..] = world.pass(2 * BEACON_PERIOD, [&mut ada, &mut bob, &mut carol]);
    for (receipt, text) in [(1, "for all"), (2, "for you")] {
        let is_it = |event: &&Event| **event == unopened_by("bob", receipt, text);
        assert_eq!(a.iter().filter(is_it).count(), 1, "{a:?}");
    }
    assert_eq!(ada.confirmed_by(1), ["carol"]);
    assert_eq!(ada.confirmed_by(2), [""; 0]);
}

#[test]
fn withheld_answers_do_not_have_keys_made_without_end() {
    let (mut world, _, mut bob, _) = three();
    bob.rekey();
    withheld_card(&mut bob);
    let (mut due, mut dead) = (0, 0);
    for _ in 0..3 * 60 {
        world.advance(Duration::from_mins(1));
        let events = bob.tick();
        dead += usize::from(events.contains(&Event::Dead));
        if events.contains(&Event::RekeyDue) {
            due += 1;
            bob.rekey();
        }
        bob.session.take_outgoing();
    }
    assert_eq!(due, 0, "not while the answer is awaited");
    assert!(dead > 0, "but the relay is to be asked anew");
}

/// A session key is written to for a day: one beacon period less, from when all three are there.
const ALMOST_A_DAY: Duration = Duration::from_mins(24 * 60 - 1).saturating_sub(SETTLED);

#[test]
fn who_keeps_a_session_key_for_more_than_a_day_is_told_of_and_gets_no_more_messages() {
    let (mut world, mut ada, mut bob, mut carol) = three();
    world.advance(ALMOST_A_DAY);
    world.rekey(&mut carol);
    assert_eq!(catch_up(&mut ada), [rekeyed("carol")]);
    assert_eq!(catch_up(&mut bob), [rekeyed("carol")]);
    catch_up(&mut carol);
    let noticed = world.pass(BEACON_PERIOD, [&mut ada, &mut bob, &mut carol]);
    let is_stale = |event: &Event| matches!(event, Event::StaleKey(_));
    assert!(!noticed.iter().flatten().any(is_stale), "{noticed:?}");
    assert_eq!(world.say(&mut ada, "a day"), 2);
    assert_eq!(catch_up(&mut bob), [said("ada", "a day")]);
    assert_eq!(catch_up(&mut carol), [said("ada", "a day")]);

    let noticed = world.pass(Duration::from_secs(2), [&mut ada, &mut bob, &mut carol]);
    let [a, b, c] = noticed.map(|events| events.into_iter().filter(is_stale).collect::<Vec<_>>());
    let stale = |nick| Event::StaleKey(nick_of(nick));
    assert_eq!(a, [stale("bob")]);
    assert_eq!(b, [stale("ada")]);
    assert_eq!(c.len(), 2, "{c:?}");
    assert!(
        c.contains(&stale("ada")) && c.contains(&stale("bob")),
        "{c:?}"
    );
    assert_eq!(world.say(&mut ada, "a day and more"), 1);
    let reason = LeftOutFor::StaleKey;
    assert_eq!(catch_up(&mut bob), [Event::LeftOut(nick_of("ada"), reason)]);
    let others = Event::LeftOthersOut(nick_of("ada"), vec![nick_of("bob")]);
    let shown = said("ada", "a day and more");
    assert_eq!(catch_up(&mut carol), [others, shown]);
    let alone = ada.say_to(To::Member(bob.sid()), "to you alone");
    assert_eq!(alone, Err(SayError::NotThere));

    // A new key is written to.
    world.rekey(&mut bob);
    catch_up(&mut ada);
    catch_up(&mut bob);
    assert_eq!(world.say(&mut ada, "welcome back"), 2);
    assert_eq!(catch_up(&mut bob), [said("ada", "welcome back")]);
}

/// Three members, and an insider whom they all know.
fn with_insider() -> (World, [Member; 3], Insider) {
    let (mut world, mut ada, mut bob, mut carol) = three();
    let mallory = world.enter_insider("mallory");
    for member in [&mut ada, &mut bob, &mut carol] {
        assert!(matches!(catch_up(member).as_slice(), [Event::Joined(_)]));
    }
    (world, [ada, bob, carol], mallory)
}

fn nicks(member: &Member) -> Vec<String> {
    let others = member.session.others().into_iter();
    others.map(|person| person.nick.to_string()).collect()
}

/// Whether members compare what they see without finding a difference, and know that the others are
/// there.
#[track_caller]
fn assert_agreed(world: &mut World, mut members: [&mut Member; 3]) {
    let again = members.each_mut().map(|member| &mut **member);
    let noticed = world.pass(2 * BEACON_PERIOD, again);
    let is_alarm = |event: &Event| {
        let is_other = matches!(event, Event::OtherView(_) | Event::Contradicted);
        is_other || matches!(event, Event::Stray | Event::Disbelieved(_))
    };
    assert!(!noticed.iter().flatten().any(is_alarm), "{noticed:?}");
    let nicks = members
        .each_ref()
        .map(|it| it.session.card().nick().clone());
    for member in members {
        let others = member.session.others();
        let present = others.iter().filter(|it| nicks.contains(&it.nick));
        let present: Vec<bool> = present.map(|it| it.is_present).collect();
        assert_eq!(present, [true, true]);
    }
}

#[test]
fn an_insider_who_is_refused_is_out_until_its_card_is_good_for_everybody() {
    let (mut world, [mut ada, mut bob, mut carol], mut mallory) = with_insider();
    let attic: RoomName = "attic".parse().expect("a name");
    let next = |mallory: &Insider, room: &RoomName, number| {
        let (nick, key) = (mallory.card.nick(), session_key(number).public());
        (mallory.card).issue_successor(&room.key(), &mallory.identity, nick, key, 0, 0)
    };
    let bad = next(&mallory, &attic, 0);
    world.rekey_insider(&mut mallory, bad);
    for member in [&mut ada, &mut bob, &mut carol] {
        assert_eq!(
            catch_up(member),
            [
                Event::CastOut(nick_of("mallory"), Disbelief::Card(CardError::Mac)),
                left("mallory", Departure::Misbehaved),
            ]
        );
        assert!(!nicks(member).contains(&"mallory".to_owned()));
    }
    assert_eq!(ada.say("among us"), Ok(2), "nothing is encrypted to it");
    world.relay(&mut ada);
    // What she has signed is nobody's, and no fault of the relay's.
    let (header, body) = mallory.compose(&world, 0, "let me in");
    world.publish(&mut mallory, &header, &body, &[&ada, &bob, &carol]);
    assert_eq!(catch_up(&mut ada), []);
    assert_eq!(catch_up(&mut bob), [said("ada", "among us")]);
    assert_eq!(catch_up(&mut carol), [said("ada", "among us")]);
    assert_agreed(&mut world, [&mut ada, &mut bob, &mut carol]);
    // Those who come later see only her last card. So they all have to go by that.
    let good = next(&mallory, &lobby(), 1);
    world.rekey_insider(&mut mallory, good);
    for member in [&mut ada, &mut bob, &mut carol] {
        let events = catch_up(member);
        assert!(
            matches!(events.as_slice(), [Event::Joined(person)] if person.nick == nick_of("mallory")),
            "{events:?}"
        );
    }
    world.lose(&carol);
    let mut dora = world.enter("dora").expect("there is room");
    assert_eq!(catch_up(&mut dora).len(), 1);
    assert_eq!(nicks(&dora), ["ada", "bob", "mallory"]);
    assert_agreed(&mut world, [&mut ada, &mut bob, &mut dora]);
}

#[test]
fn an_insider_who_was_refused_comes_back_under_a_session_that_only_some_remember() {
    let (mut world, [mut ada, mut bob, mut carol], mut mallory) = with_insider();
    let (lobby, attic) = (lobby(), "attic".parse().expect("a name"));
    let first = mallory.card.clone();
    let next = |mallory: &Insider, room: &RoomName, key: &PublicKey| {
        let nick = mallory.card.nick();
        (mallory.card).issue_successor(&room.key(), &mallory.identity, nick, key, 0, 0)
    };
    for (room, key) in [
        (&lobby, session_key(0).public()),
        (&attic, session_key(1).public()),
        (&lobby, first.session()),
    ] {
        let card = next(&mallory, room, key);
        world.rekey_insider(&mut mallory, card);
    }
    assert_eq!(mallory.card.sid(), first.sid());
    for member in [&mut ada, &mut bob, &mut carol] {
        catch_up(member);
        assert!(nicks(member).contains(&"mallory".to_owned()));
    }
    world.lose(&carol);
    let mut dora = world.enter("dora").expect("there is room");
    assert_eq!(catch_up(&mut dora).len(), 1);
    assert_agreed(&mut world, [&mut ada, &mut bob, &mut dora]);
}

#[test]
fn a_session_key_does_not_get_younger_by_being_changed_for_a_while() {
    let (mut world, [mut ada, mut bob, mut carol], mut mallory) = with_insider();
    let key = lobby().key();
    let first = mallory.card.session().clone();
    for session in [session_key(0).public(), &first] {
        world.pass(Duration::from_hours(1), [&mut ada, &mut bob, &mut carol]);
        world.advance(Duration::from_hours(12));
        let nick = mallory.card.nick().clone();
        let card = (mallory.card).issue_successor(&key, &mallory.identity, &nick, session, 0, 0);
        world.rekey_insider(&mut mallory, card);
        catch_up(&mut ada);
    }
    assert!(nicks(&ada).contains(&"mallory".to_owned()));
    let to = To::Member(mallory.card.sid());
    assert_eq!(
        ada.say_to(to, "for a key of yesterday"),
        Err(SayError::NotThere)
    );
}

#[test]
fn a_member_whose_card_is_presented_once_more_loses_nothing_by_it() {
    let (mut world, mut ada, mut bob, mut carol) = three();
    let again = joining(ada.session.card().bytes());
    assert_eq!(bob.receive(&again), disbelieved(TAKEN));
    world.say(&mut ada, "still here");
    assert_eq!(catch_up(&mut bob), [said("ada", "still here")]);
    // What the relay made of the order is its own affair: her next card is hers all the same.
    world.rekey(&mut ada);
    assert_eq!(catch_up(&mut bob), [rekeyed("ada")]);
    assert_eq!(
        catch_up(&mut carol),
        [said("ada", "still here"), rekeyed("ada")]
    );
    assert_eq!(nicks(&bob), ["ada", "carol"]);
    assert_bob_is_parted(&mut world, [&mut ada, &mut bob, &mut carol]);
}

#[test]
fn the_session_key_of_one_who_has_left_is_good_for_nobody_and_divides_nobody() {
    let (mut world, [mut ada, mut bob, mut carol], mut mallory) = with_insider();
    let theirs = carol.session.card().session().clone();
    world.leave(&mut carol);
    for member in [&mut ada, &mut bob] {
        assert_eq!(catch_up(member), [left("carol", Departure::Left)]);
    }
    let key = lobby().key();
    let nick = mallory.card.nick().clone();
    let stolen = (mallory.card).issue_successor(&key, &mallory.identity, &nick, &theirs, 0, 0);
    world.rekey_insider(&mut mallory, stolen);
    for member in [&mut ada, &mut bob] {
        assert_eq!(catch_up(member), [rekeyed("mallory")]);
    }
    // Somebody comes who never met Carol, and cannot know whose key that was.
    let mut dora = world.enter("dora").expect("there is room");
    assert_eq!(catch_up(&mut dora).len(), 1);
    for member in [&ada, &bob, &dora] {
        assert!(nicks(member).contains(&"mallory".to_owned()));
    }
    assert_agreed(&mut world, [&mut ada, &mut bob, &mut dora]);
    // Whoever has the key can be handed what is for Mallory, and does not open it: it is for her.
    world.say(&mut ada, "hello");
    let for_mallory = mallory.intercept_message();
    assert_eq!(catch_up(&mut dora), [said("ada", "hello")]);
    let unopened = Event::Unopened(nick_of("ada"), OpenError::CannotOpen);
    let events = carol.receive(&for_mallory.frame());
    assert_eq!(events.last(), Some(&unopened), "{events:?}");
}

#[test]
fn a_departed_member_does_not_come_back_by_a_rekey() {
    let (mut world, mut ada, mut bob, mut carol) = three();
    bob.rekey();
    let next = withheld_card(&mut bob);
    world.lose(&bob);
    for member in [&mut ada, &mut carol] {
        assert_eq!(catch_up(member), [left("bob", Departure::Lost)]);
    }
    // Whoever was not there before sees no more than this card, and so it is like a joining: the relay
    // says so, and nobody else.
    let listed = Card::parse(&next, lobby().id()).expect("a card");
    let back = |event: &Event| matches!(event, Event::Back(it) if it.sid == listed.sid());
    let events = ada.receive(&rekeying(&next));
    assert!(
        matches!(events.as_slice(), [event] if back(event)),
        "{events:?}"
    );
    // What she says to him is not confirmed, and he is missed.
    assert_eq!(ada.say_to(To::Member(bob.sid()), "psst").ok(), None);
    assert_eq!(ada.say_to(To::Member(listed.sid()), "psst"), Ok(1));
    world.relay(&mut ada);
    let mut noticed = Vec::new();
    for _ in 0..5 {
        let [a, c] = world.pass(BEACON_PERIOD, [&mut ada, &mut carol]);
        noticed.push([a, c]);
        let bob = ada.session.person(&nick_of("bob")).expect("listed");
        assert!(!bob.is_present);
    }
    let [a, c]: [Vec<Event>; 2] =
        std::array::from_fn(|place| noticed.iter().flat_map(|it| it[place].clone()).collect());
    assert!(a.contains(&other_view("carol")), "{a:?}");
    assert!(a.contains(&unconfirmed_by("bob", 1, "psst")), "{a:?}");
    let quiet = |event: &Event| matches!(event, Event::Quiet(nick, _) if *nick == nick_of("bob"));
    assert!(a.iter().any(quiet), "{a:?}");
    assert!(c.contains(&other_view("ada")), "{c:?}");
}

#[test]
fn a_flood_under_a_former_session_id_is_hardly_looked_at_and_hides_nothing_of_the_present_one() {
    let (mut world, mut ada, mut bob, mut carol) = three();
    world.say_to(&mut ada, bob.sid(), "held");
    let held = bob.intercept_message();
    world.rekey(&mut ada);
    assert_eq!(catch_up(&mut ada), []);
    assert_eq!(catch_up(&mut bob), [rekeyed("ada")]);
    assert_eq!(catch_up(&mut carol), [rekeyed("ada")]);
    // As many as are looked at, and more, of which each is another.
    for number in 0..100 {
        let mut forged = held.clone();
        forged.signature[0] ^= 1 + number;
        assert_eq!(bob.receive(&forged.frame()), [Event::Stray]);
    }
    // Now a right one is not looked at either.
    assert_eq!(bob.receive(&held.frame()), [Event::Stray]);
    world.say(&mut ada, "now");
    assert_eq!(catch_up(&mut bob), [said("ada", "now")]);
    world.pass(BEACON_PERIOD, [&mut ada, &mut bob, &mut carol]);
    let told = bob.receive(&held.frame());
    let is_it =
        |event: &Event| matches!(event, Event::Message { text, .. } if text.as_str() == "held");
    assert!(matches!(&told[..], [event] if is_it(event)), "{told:?}");
}
