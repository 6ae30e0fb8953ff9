//! A relay that makes use of somebody changing the session key: what each member sees of it, event
//! by event.

use std::time::Duration;

use e2echat::cipher::keys::PublicKey;

use e2echat::room::card::{Card, CardError, SessionId};
use e2echat::room::frame::{Departure, Frame, ToRelay};
use e2echat::room::message::{Header, OpenError};
use e2echat::room::names::RoomName;
use e2echat::room::session::{Disbelief, Event, SayError, To};

use crate::support::peer::session_key;
use crate::support::world::{
    BEACON_PERIOD, Insider, Member, World, catch_up, joined, left, missing, nick_of, payload, said,
    said_directly, three,
};

fn rekeyed(nick: &str) -> Event {
    Event::Rekeyed(nick_of(nick))
}

fn too_late(nick: &str) -> Event {
    Event::TooLate(nick_of(nick))
}

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
    let old = bob.session.others();
    assert_eq!(old.len(), 2);
    let bobs = ada
        .session
        .others()
        .iter()
        .find(|p| p.nick == nick_of("bob"))
        .unwrap()
        .sid;
    world.say_to(&mut ada, bobs, "crossing");
    world.say(&mut ada, "crossing too");
    world.relay(&mut bob);
    assert_eq!(
        catch_up(&mut bob),
        [
            said_directly("ada", "crossing"),
            said("ada", "crossing too")
        ]
    );
    // What was on its way to his old key when the relay had the new one already.
    world.say_to(&mut ada, bobs, "late");
    assert_eq!(catch_up(&mut bob), [said_directly("ada", "late")]);
    assert_eq!(catch_up(&mut ada), [rekeyed("bob")]);
    assert_eq!(
        catch_up(&mut carol),
        [said("ada", "crossing too"), rekeyed("bob")]
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
    let everybody_is_confirmed = |m: &Member| m.session.others().iter().all(|p| p.is_confirmed);
    assert!([&ada, &bob, &carol].into_iter().all(everybody_is_confirmed));
}

#[test]
fn a_message_to_the_key_before_is_not_shown_again() {
    let (mut world, mut ada, mut bob, _) = three();
    let first = bob.sid();
    world.say_to(&mut ada, first, "pay 10");
    let direct = bob.intercept_message().frame();
    world.say(&mut ada, "pay 20");
    let to_all = bob.intercept_message().frame();
    assert_eq!(bob.receive(&direct), [said_directly("ada", "pay 10")]);
    assert_eq!(bob.receive(&to_all), [said("ada", "pay 20")]);
    for _ in 0..2 {
        world.rekey(&mut bob);
        catch_up(&mut bob);
        catch_up(&mut ada);
        assert_eq!(bob.receive(&direct), []);
        assert_eq!(bob.receive(&to_all), []);
    }
    world.say_to(&mut ada, bob.sid(), "done");
    assert_eq!(catch_up(&mut bob), [said_directly("ada", "done")]);
}

#[test]
fn the_last_message_before_a_rekey_is_dropped() {
    let (mut world, mut ada, mut bob, mut carol) = three();
    world.pass(Duration::from_secs(1), [&mut ada, &mut bob, &mut carol]);
    world.say(&mut ada, "dropped");
    bob.intercept();
    world.rekey(&mut ada);
    assert_eq!(catch_up(&mut bob), [missing("ada", 1), rekeyed("ada")]);
}

#[test]
fn the_last_direct_message_before_a_rekey_is_dropped() {
    for is_the_readers in [false, true] {
        let (mut world, mut ada, mut bob, mut carol) = three();
        world.pass(Duration::from_secs(1), [&mut ada, &mut bob, &mut carol]);
        world.say_to(&mut ada, bob.sid(), "dropped");
        bob.intercept();
        world.rekey(if is_the_readers { &mut bob } else { &mut ada });
        let [_, b, _] = world.pass(BEACON_PERIOD, [&mut ada, &mut bob, &mut carol]);
        assert!(b.contains(&missing("ada", 1)), "{b:?}");
    }
}

#[test]
fn an_older_card_is_replayed_as_a_rekey() {
    let (mut world, mut ada, mut bob, _) = three();
    let first = ada.session.card().clone();
    world.rekey(&mut ada);
    let second = ada.session.card().clone();
    world.rekey(&mut ada);
    catch_up(&mut ada);
    world.rekey(&mut ada);
    catch_up(&mut bob);
    for (number, old) in [first, second].iter().enumerate() {
        let epoch = world.epoch() + 1 + number as u64;
        assert_eq!(
            bob.receive(&payload(&Frame::rekeyed(epoch, old.bytes()))),
            [Event::Disbelieved(Disbelief::Gone)]
        );
    }
    // The key that she has now is the one that he writes to.
    bob.say("hello").unwrap();
    let frames = bob.session.take_outgoing();
    let sent: Vec<u8> = frames.iter().flat_map(Frame::encode).collect();
    let is_for = |sid: SessionId| sent.windows(32).any(|window| window == sid.0);
    assert!(is_for(ada.sid()));
}

#[test]
fn another_sessions_card_is_presented_as_a_rekey() {
    let (world, ada, mut bob, carol) = three();
    // Somebody who is in the room nowhere makes a card that follows Ada's.
    let mallory = Insider::new("ada");
    let key = crate::support::peer::lobby().key();
    let follows = |card: &Card| {
        let (mallory, session) = (&mallory.identity, session_key(0));
        card.issue_successor(&key, mallory, card.nick(), session.public(), 0, 0)
    };
    let others = [
        follows(ada.session.card()),
        follows(carol.session.card()),
        follows(&mallory.card),
    ];
    for (number, card) in others.iter().enumerate() {
        let epoch = world.epoch() + 1 + number as u64;
        assert_eq!(
            bob.receive(&payload(&Frame::rekeyed(epoch, card.bytes()))),
            [Event::Disbelieved(Disbelief::Succession)]
        );
    }
    let names: Vec<_> = bob.session.others().iter().map(|p| p.sid).collect();
    assert!(names.contains(&ada.sid()) && names.contains(&carol.sid()));
}

#[test]
fn a_member_is_shown_its_own_card_as_a_rekey() {
    let (mut world, mut ada, mut bob, _) = three();
    let gone = [Event::Disbelieved(Disbelief::Gone)];
    world.say(&mut ada, "before");
    let before = bob.intercept_message();
    let own = bob.session.card().bytes().to_vec();
    let epoch = world.epoch() + 1;
    assert_eq!(bob.receive(&payload(&Frame::rekeyed(epoch, &own))), gone);
    assert_eq!(bob.receive(&before.frame()), [said("ada", "before")]);

    // The same with a card that the relay has listed already.
    let (mut world, mut ada, mut bob, _) = three();
    world.rekey(&mut bob);
    catch_up(&mut bob);
    catch_up(&mut ada);
    world.say(&mut ada, "before");
    let before = bob.intercept_message();
    let own = bob.session.card().bytes().to_vec();
    let epoch = world.epoch() + 1;
    assert_eq!(bob.receive(&payload(&Frame::rekeyed(epoch, &own))), gone);
    assert_eq!(bob.receive(&before.frame()), [said("ada", "before")]);
}

#[test]
fn frames_to_a_destroyed_key_while_the_answer_to_the_rekey_is_withheld() {
    let (mut world, mut ada, mut bob, mut carol) = three();
    bob.rekey();
    withheld_card(&mut bob);
    // The old key opens what is under way, for a minute.
    world.advance(Duration::from_millis(59_999));
    bob.tick();
    world.say(&mut ada, "in time");
    assert_eq!(catch_up(&mut bob), [said("ada", "in time")]);
    world.advance(Duration::from_millis(1));
    bob.tick();
    world.say(&mut ada, "too late");
    assert_eq!(catch_up(&mut bob), [too_late("ada")]);
    // What he says meanwhile is nobody's to the others.
    bob.session.take_outgoing();
    bob.say("hello?").unwrap();
    let frames = bob.session.take_outgoing();
    let bytes = payload(frames.last().unwrap());
    let Ok(ToRelay::Send(send)) = ToRelay::parse(&bytes) else {
        panic!("not SEND");
    };
    let header = Header::parse(&bytes[send.header]).unwrap();
    assert_eq!(header.sender, bob.sid());
    catch_up(&mut carol);
    let for_carol = crate::support::world::Delivery {
        header: header.encode(),
        signature: vec![0; 256],
        ciphertext: Vec::new(),
    };
    assert_eq!(carol.receive(&for_carol.frame()), [Event::Stray]);
}

/// Ada has said something to all, and to Bob alone, which the relay keeps from Bob until his key for
/// it is gone. Returns what it delivers then.
fn delayed(world: &mut World, members: [&mut Member; 3]) -> Vec<Vec<u8>> {
    let [ada, bob, carol] = members;
    world.say(ada, "for all");
    world.say_to(ada, bob.sid(), "for you");
    let delayed = bob.intercept();
    world.rekey(bob);
    for member in [&mut *ada, bob, carol] {
        catch_up(member);
    }
    world.advance(Duration::from_mins(1));
    bob.tick();
    delayed
}

#[test]
fn messages_are_held_back_until_their_key_is_gone() {
    let (mut world, mut ada, mut bob, mut carol) = three();
    for frame in delayed(&mut world, [&mut ada, &mut bob, &mut carol]) {
        assert_eq!(bob.receive(&frame), [too_late("ada")]);
        assert_eq!(bob.receive(&frame), []);
    }
    let [a, b, c] = world.pass(BEACON_PERIOD, [&mut ada, &mut bob, &mut carol]);
    let texts: Vec<Event> = ["for all", "for you"]
        .map(|text| Event::Undelivered(vec![nick_of("bob")], text.to_owned()))
        .into();
    assert_eq!([a, b, c], [texts, vec![], vec![]]);
}

#[test]
fn who_was_not_there_to_hear_that_its_message_came_too_late_hears_it_on_its_return() {
    let (mut world, mut ada, mut bob, mut carol) = three();
    let delayed = delayed(&mut world, [&mut ada, &mut bob, &mut carol]);
    world.lose(&ada);
    let left: Vec<Event> = catch_up(&mut bob);
    assert_eq!(left.len(), 1);
    world.enter_again(&mut ada).unwrap();
    world.relay(&mut ada);
    catch_up(&mut bob);
    for frame in &delayed {
        assert_eq!(bob.receive(frame), [too_late("ada")]);
    }
    // What he tells her is lost, and so is she, once more.
    world.pass(Duration::from_secs(1), [&mut bob]);
    ada.intercept();
    world.lose(&ada);
    world.enter_again(&mut ada).unwrap();
    world.relay(&mut ada);
    let [a, ..] = world.pass(BEACON_PERIOD, [&mut ada, &mut bob, &mut carol]);
    let undelivered = |event: &&Event| matches!(event, Event::Undelivered(..));
    assert_eq!(a.iter().filter(undelivered).count(), 2, "{a:?}");
}

#[test]
fn withheld_answers_do_not_have_keys_made_without_end() {
    let (mut world, _, mut bob, _) = three();
    bob.rekey();
    withheld_card(&mut bob);
    let mut due = 0;
    for _ in 0..3 * 60 {
        world.advance(Duration::from_mins(1));
        let events = bob.tick();
        if events.contains(&Event::RekeyDue) {
            due += 1;
            bob.rekey();
        }
        bob.session.take_outgoing();
    }
    assert_eq!(due, 0, "not while the answer is awaited");
}

/// A session key is written to for a day: one beacon period less.
const ALMOST_A_DAY: Duration = Duration::from_mins(24 * 60 - 1);

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
    assert_eq!(catch_up(&mut bob), [Event::LeftOut(nick_of("ada"))]);
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

/// Whether members compare what they see without finding a difference.
#[track_caller]
fn assert_agreed(world: &mut World, members: [&mut Member; 3]) {
    let noticed = world.pass(BEACON_PERIOD, members);
    let other_view = |event: &Event| matches!(event, Event::OtherView(_));
    assert!(!noticed.iter().flatten().any(other_view), "{noticed:?}");
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
                left("mallory", Departure::Misbehaved, false),
            ]
        );
        assert!(!nicks(member).contains(&"mallory".to_owned()));
    }
    assert_eq!(ada.say("among us"), Ok(2), "nothing is encrypted to it");
    world.relay(&mut ada);
    // What she has signed is nobody's, and no fault of the relay's.
    let (header, body) = mallory.compose(&world, &[&ada, &bob, &carol], 0, "let me in");
    let message = mallory.deliver(&header, &body, &bob);
    assert_eq!(catch_up(&mut bob), [said("ada", "among us")]);
    assert_eq!(bob.receive(&message.frame()), []);
    // Those who come later see only her last card. So they all have to go by that.
    let good = next(&mallory, &crate::support::peer::lobby(), 1);
    world.rekey_insider(&mut mallory, good);
    for member in [&mut ada, &mut bob, &mut carol] {
        let events = catch_up(member);
        assert!(matches!(events.last(), Some(Event::Back(_))), "{events:?}");
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
    let (lobby, attic) = (
        crate::support::peer::lobby(),
        "attic".parse().expect("a name"),
    );
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
    let key = crate::support::peer::lobby().key();
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
    let again = payload(&Frame::joined(
        world.epoch() + 1,
        ada.session.card().bytes(),
    ));
    assert_eq!(bob.receive(&again), [Event::Disbelieved(Disbelief::Gone)]);
    world.say(&mut ada, "still here");
    let heard = bob.intercept_message();
    assert!(
        bob.receive(&heard.frame())
            .contains(&said("ada", "still here"))
    );
    // What the relay made of the epochs is its own affair: her next card is hers all the same.
    ada.rekey();
    let next = withheld_card(&mut ada);
    let listed = payload(&Frame::rekeyed(world.epoch() + 2, &next));
    assert_eq!(bob.receive(&listed), [rekeyed("ada")]);
    catch_up(&mut carol);
    assert!(nicks(&bob).contains(&"ada".to_owned()));
}

#[test]
fn the_session_key_of_one_who_has_left_is_good_for_nobody_and_divides_nobody() {
    let (mut world, [mut ada, mut bob, mut carol], mut mallory) = with_insider();
    let theirs = carol.session.card().session().clone();
    world.leave(&mut carol);
    for member in [&mut ada, &mut bob] {
        assert_eq!(catch_up(member), [left("carol", Departure::Left, true)]);
    }
    let key = crate::support::peer::lobby().key();
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
    let mut world = World::new();
    let mut ada = world.enter("ada").unwrap();
    let mut bob = world.enter("bob").unwrap();
    catch_up(&mut bob);
    assert_eq!(catch_up(&mut ada).pop(), Some(joined(&bob)));
    bob.rekey();
    let next = withheld_card(&mut bob);
    world.lose(&bob);
    catch_up(&mut ada);
    let late = payload(&Frame::rekeyed(world.epoch() + 1, &next));
    assert_eq!(
        ada.receive(&late),
        [Event::Disbelieved(Disbelief::Succession)]
    );
    assert!(ada.session.others().is_empty());
    assert_eq!(ada.say_to(To::Member(bob.sid()), "psst").ok(), None);
}
