//! Members who change their nicks, and who say that they are away: what each member sees of it,
//! event by event.

use e2echat::cipher::keys::{KeySize, SessionKey};
use e2echat::cipher::pem::IdentityPem;
use e2echat::room::card::{Card, Identity};
use e2echat::room::frame::{Departure, Frame};
use e2echat::room::message::Kind;
use e2echat::room::notice::Notice;
use e2echat::room::roster::Conflict;
use e2echat::room::session::{Disbelief, End, Event, Receipt, To};
use e2echat::room::text::SafeText;

use crate::support::world::{
    BEACON_PERIOD, Insider, Member, NOW, World, catch_up, joining, left, nick_of, other_view,
    payload, person, rekeying, said, said_directly, three,
};

fn rename(member: &mut Member, nick: &str) -> Result<(), Conflict> {
    let key = SessionKey::generate(KeySize::Bits2048);
    member.session.rename(&nick_of(nick), key, NOW)
}

/// The event that this member was called `former` before.
fn renamed(former: &str, member: &Member) -> Event {
    Event::Renamed {
        former: nick_of(former),
        person: e2echat::room::session::Person {
            is_present: true,
            differs: false,
            ..person(member)
        },
    }
}

/// Has it say something; returns the receipt.
fn say(member: &mut Member, to: To, text: &str) -> Receipt {
    let said = member.session.say(to, Kind::Text, text, NOW);
    said.expect("it can be said")
}

fn is_disbelief(event: &Event) -> bool {
    matches!(event, Event::Disbelieved(_) | Event::CastOut(..))
}

fn nicks(member: &Member) -> Vec<String> {
    let others = member.session.others().into_iter();
    others.map(|person| person.nick.to_string()).collect()
}

#[test]
fn a_nick_is_changed_and_everybody_sees_that_it_is_the_same_person() {
    let (mut world, mut ada, mut bob, mut carol) = three();
    world.say(&mut ada, "before");
    assert_eq!(rename(&mut ada, "countess"), Ok(()));
    // Said before the relay has answered.
    ada.say("crossing").unwrap();
    world.relay(&mut ada);
    assert_eq!(catch_up(&mut ada), [Event::Called(nick_of("countess"))]);
    for reader in [&mut bob, &mut carol] {
        assert_eq!(
            catch_up(reader),
            [
                said("ada", "before"),
                renamed("ada", &ada),
                said("countess", "crossing")
            ]
        );
        assert!(nicks(reader).contains(&"countess".to_owned()));
    }
    let to = To::Member(ada.sid());
    bob.say_to(to, "hello").unwrap();
    world.relay(&mut bob);
    assert_eq!(catch_up(&mut ada), [said_directly("bob", "hello")]);
}

#[test]
fn the_nick_that_was_given_up_is_free_and_its_look_alikes_are_not() {
    let (mut world, mut ada, mut bob, _) = three();
    assert_eq!(rename(&mut bob, "Ada"), Err(Conflict::Nick));
    assert_eq!(rename(&mut bob, "caro1"), Err(Conflict::Nick));
    // Nothing came of it: he is still there, and can still change.
    world.say(&mut bob, "still bob");
    assert_eq!(catch_up(&mut ada), [said("bob", "still bob")]);
    // Another spelling of one's own is no conflict.
    assert_eq!(rename(&mut ada, "ADA"), Ok(()));
    world.relay(&mut ada);
    assert_eq!(catch_up(&mut ada), [Event::Called(nick_of("ADA"))]);
    assert_eq!(
        catch_up(&mut bob),
        [renamed("ada", &ada)],
        "a nick in capitals"
    );
    let ada_again = world.enter("ada");
    assert!(matches!(ada_again, Err(Notice::NickTaken)));
}

#[test]
fn whoever_loses_the_race_for_a_nick_goes_on_under_the_one_before() {
    let (mut world, mut ada, mut bob, mut carol) = three();
    // The two want it at the same moment.
    assert_eq!(rename(&mut ada, "zoe"), Ok(()));
    assert_eq!(rename(&mut bob, "zoe"), Ok(()));
    let shown = bob.session.changes();
    let receipt = say(&mut bob, To::Room { shown }, "who reads this?");
    let direct = say(&mut bob, To::Member(carol.sid()), "and this?");
    world.relay(&mut ada);
    world.relay(&mut bob);
    assert_eq!(
        catch_up(&mut ada),
        [
            Event::Called(nick_of("zoe")),
            said("bob", "who reads this?")
        ]
    );
    // That she has the nick reaches him first, and nothing has changed for him.
    let refused = Event::Refused(nick_of("zoe"));
    assert_eq!(catch_up(&mut bob), [renamed("ada", &ada), refused]);
    assert_eq!(bob.session.card().nick().as_str(), "bob");
    assert_eq!(nicks(&bob), ["carol", "zoe"]);
    // What he said meanwhile has come to all, under the nick that he has.
    assert!(!bob.session.awaits(&receipt) && !bob.session.awaits(&direct));
    assert_eq!(
        catch_up(&mut carol),
        [
            renamed("ada", &ada),
            said("bob", "who reads this?"),
            said_directly("bob", "and this?")
        ]
    );
    world.say(&mut bob, "here I am");
    for reader in [&mut ada, &mut carol] {
        assert_eq!(catch_up(reader), [said("bob", "here I am")]);
    }
    assert_eq!(nicks(&carol), ["bob", "zoe"]);
    // Nobody is alarmed by it, and all of it is confirmed.
    let noticed = world.pass(4 * BEACON_PERIOD, [&mut ada, &mut bob, &mut carol]);
    assert_eq!(noticed, [vec![], vec![], vec![]]);
    assert_eq!(bob.confirmed_by(receipt.number), ["carol", "zoe"]);
    assert_eq!(bob.confirmed_by(direct.number), ["carol"]);
    // He can still change his nick, and his key.
    assert_eq!(rename(&mut bob, "rob"), Ok(()));
    world.relay(&mut bob);
    assert_eq!(catch_up(&mut bob), [Event::Called(nick_of("rob"))]);
}

#[test]
fn whoever_loses_the_race_while_the_connection_is_broken_goes_on_too() {
    let (mut world, mut ada, mut bob, mut carol) = three();
    assert_eq!(rename(&mut bob, "zoe"), Ok(()));
    let shown = bob.session.changes();
    let receipt = say(&mut bob, To::Room { shown }, "who reads this?");
    // None of it reaches the relay, which takes him out; and she takes the nick.
    world.lose(&bob);
    assert_eq!(rename(&mut ada, "zoe"), Ok(()));
    world.relay(&mut ada);
    assert_eq!(world.enter_again(&mut bob), Err(Notice::NickTaken));
    let key = || SessionKey::generate(KeySize::Bits2048);
    let now = world.now();
    assert_eq!(bob.session.retreat(key, now), Some(nick_of("zoe")));
    assert_eq!(world.enter_again(&mut bob), Ok(()));
    world.relay(&mut bob);
    let events = catch_up(&mut bob);
    let is_return = |event: &Event| matches!(event, Event::Returned { .. });
    assert!(events.iter().any(is_return), "{events:?}");
    assert!(!events.iter().any(is_disbelief), "{events:?}");
    assert_eq!(bob.session.card().nick().as_str(), "bob");
    // It was written under the session id of two keys ago for the relay, and before the nick was his:
    // it is sent, or he is told.
    let told = |event: &Event| matches!(event, Event::NotTaken { receipt: of, .. } if *of == receipt.number);
    assert!(!bob.session.awaits(&receipt) || events.iter().any(told));
    world.say(&mut bob, "here I am");
    for reader in [&mut ada, &mut carol] {
        let seen = catch_up(reader);
        assert!(seen.ends_with(&[said("bob", "here I am")]), "{seen:?}");
        assert!(!seen.iter().any(is_disbelief), "{seen:?}");
    }
    let noticed = world.pass(4 * BEACON_PERIOD, [&mut ada, &mut bob, &mut carol]);
    let is_alarm = |event: &&Event| {
        matches!(
            event,
            Event::OtherView(_) | Event::Missing(..) | Event::Stray | Event::Blind(_)
        )
    };
    assert_eq!(
        noticed.iter().flatten().filter(is_alarm).count(),
        0,
        "{noticed:?}"
    );
}

#[test]
fn a_relay_that_refuses_a_nick_too_late_cannot_bring_back_a_destroyed_key() {
    let (mut world, mut ada, _, _) = three();
    assert_eq!(rename(&mut ada, "zoe"), Ok(()));
    // While the relay does not answer, the old key stays for ten minutes.
    world.advance(std::time::Duration::from_mins(10));
    assert!(!ada.tick().contains(&Event::RekeyDue));
    let refusal = payload(&Frame::refused(Notice::NickTaken.code()));
    let refused = Event::Refused(nick_of("zoe"));
    assert_eq!(ada.receive(&refusal), [refused]);
    // There is no key any more: another one is made at once.
    assert!(ada.tick().contains(&Event::RekeyDue));
    assert!(ada.session.can_rekey());
}

#[test]
fn a_relay_gives_a_nick_away_and_then_refuses_the_new_one() {
    let (mut world, mut ada, mut bob, _) = three();
    let mallory = Insider::new("mallory");
    assert_eq!(rename(&mut ada, "zoe"), Ok(()));
    // Until the relay has listed the new nick, the one before is hers.
    let session = crate::support::peer::session_key(0);
    let room = crate::support::peer::lobby();
    let taken = Card::issue(
        &room,
        &nick_of("ada"),
        &mallory.identity,
        session.public(),
        0,
    );
    let conflict = Disbelief::Conflict(Conflict::Nick);
    let disbelieved = Event::Disbelieved(conflict);
    assert_eq!(ada.receive(&joining(taken.bytes())), [disbelieved]);
    let refusal = payload(&Frame::refused(Notice::NickTaken.code()));
    let refused = Event::Refused(nick_of("zoe"));
    assert_eq!(ada.receive(&refusal), [refused]);
    assert_eq!(ada.session.card().nick().as_str(), "ada");
    // What the relay has shown to her alone is noticed with the next thing that she signs.
    ada.session.take_outgoing();
    world.say(&mut ada, "hello");
    assert!(catch_up(&mut bob).contains(&other_view("ada")));
}

#[test]
fn a_refusal_of_what_nobody_asked_for_ends_the_session() {
    let (_, mut ada, _, _) = three();
    let refusal = payload(&Frame::refused(Notice::NickTaken.code()));
    assert_eq!(ada.ends(&refusal), End::Malformed);
}

#[test]
fn another_identity_presents_itself_as_a_members_new_nick() {
    let (_, ada, mut bob, _) = three();
    let mallory = Insider::new("mallory");
    let key = crate::support::peer::lobby().key();
    let session = crate::support::peer::session_key(0);
    let forged: Card = ada.session.card().issue_successor(
        &key,
        &mallory.identity,
        &nick_of("ada2"),
        session.public(),
        0,
        0,
    );
    let frame = rekeying(forged.bytes());
    assert_eq!(
        bob.receive(&frame),
        [Event::Disbelieved(Disbelief::Succession)]
    );
    assert_eq!(nicks(&bob), ["ada", "carol"]);
}

#[test]
fn a_member_takes_the_nick_of_another_one_with_the_help_of_the_relay() {
    let (_, ada, mut bob, carol) = three();
    let key = crate::support::peer::lobby().key();
    let session = crate::support::peer::session_key(0);
    let ada_identity = Identity {
        key: IdentityPem::parse(&ada.identity)
            .and_then(|file| file.open())
            .expect("her file"),
        is_lasting: true,
    };
    let stolen = ada.session.card().issue_successor(
        &key,
        &ada_identity,
        carol.session.card().nick(),
        session.public(),
        0,
        0,
    );
    let frame = rekeying(stolen.bytes());
    let conflict = Disbelief::Conflict(Conflict::Nick);
    assert_eq!(
        bob.receive(&frame),
        [
            Event::CastOut(nick_of("ada"), conflict),
            left("ada", Departure::Misbehaved)
        ]
    );
    assert_eq!(nicks(&bob), ["carol"], "who did that gets nothing more");
}

#[test]
fn away_is_told_once_however_often_it_is_repeated() {
    let (mut world, mut ada, mut bob, mut carol) = three();
    let away = |world: &mut World, ada: &mut Member, kind, text| {
        let shown = ada.session.changes();
        let said = ada.session.say(To::Room { shown }, kind, text, NOW);
        assert!(said.is_ok());
        world.relay(ada);
    };
    let is_away = |text| Event::Away(nick_of("ada"), Some(SafeText::new(text)));
    away(&mut world, &mut ada, Kind::Away, "tea");
    away(&mut world, &mut ada, Kind::Away, "tea");
    away(&mut world, &mut ada, Kind::Away, "more tea");
    assert_eq!(catch_up(&mut bob), [is_away("tea"), is_away("more tea")]);
    let presence = bob.session.presence(ada.sid()).expect("she is there");
    assert_eq!(presence.away, Some(SafeText::new("more tea")));
    away(&mut world, &mut ada, Kind::Back, "back");
    away(&mut world, &mut ada, Kind::Back, "back");
    assert_eq!(catch_up(&mut bob), [Event::Away(nick_of("ada"), None)]);
    assert_eq!(catch_up(&mut carol).len(), 3);
}
