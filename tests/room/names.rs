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
    BEACON_PERIOD, Insider, Member, NOW, World, catch_up, left, nick_of, payload, person, said,
    said_directly, three,
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
            is_confirmed: true,
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

fn sort_nicks(event: &mut Event) {
    if let Event::NotTaken { readers, .. } = event {
        readers.sort_by(|one, other| one.as_str().cmp(other.as_str()));
    }
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
    let to_carol = To::Member(carol.sid());
    let direct = say(&mut bob, to_carol, "and this?");
    world.relay(&mut ada);
    assert_eq!(world.try_to_pass_on(&mut bob), Err(Notice::NickTaken));
    let frames = bob.intercept();
    let [renamed_ada, refusal] = frames.as_slice() else {
        panic!("not two frames: {frames:?}");
    };
    // That she has the nick reaches him first, and hers is the one that he believes.
    assert_eq!(bob.receive(renamed_ada), [renamed("ada", &ada)]);
    assert_eq!(nicks(&bob), ["carol", "zoe"]);
    assert_eq!(bob.ends(refusal), End::Notice(Notice::NickTaken));
    assert_eq!(bob.session.take_back_nick(), Some(nick_of("zoe")));
    assert_eq!(bob.session.take_back_nick(), None, "once is enough");
    assert_eq!(world.enter_again(&mut bob), Ok(()));
    let events = catch_up(&mut bob);
    let is_return =
        |event: &Event| matches!(event, Event::Returned { absent, .. } if absent.is_empty());
    assert!(events.iter().any(is_return), "{events:?}");
    assert!(!events.iter().any(is_disbelief), "{events:?}");
    assert_eq!(nicks(&bob), ["carol", "zoe"]);
    // What was signed under the nick that nobody has is given back to whoever said it, and not told as
    // taken.
    assert!(bob.session.awaits(&receipt) && bob.session.awaits(&direct));
    let not_taken = |receipt: Receipt, nicks: &[&str], text: &str| Event::NotTaken {
        receipt: receipt.number,
        readers: nicks.iter().map(|nick| nick_of(nick)).collect(),
        text: text.to_owned(),
    };
    let mut given_back = bob.tick();
    given_back.iter_mut().for_each(sort_nicks);
    assert_eq!(
        given_back,
        [
            not_taken(receipt, &["carol", "zoe"], "who reads this?"),
            not_taken(direct, &["carol"], "and this?"),
        ]
    );
    let is_missing = |event: &Event| matches!(event, Event::Missing(..));
    assert_eq!(world.say(&mut bob, "here I am"), 2);
    bob.say_to(to_carol, "for you").unwrap();
    world.relay(&mut bob);
    let seen = catch_up(&mut ada);
    assert!(seen.ends_with(&[said("bob", "here I am")]), "{seen:?}");
    assert!(!seen.iter().any(is_missing), "{seen:?}");
    let seen = catch_up(&mut carol);
    let last = [said("bob", "here I am"), said_directly("bob", "for you")];
    assert!(seen.ends_with(&last), "{seen:?}");
    assert!(!seen.iter().any(is_missing), "{seen:?}");
    assert_eq!(nicks(&carol), ["bob", "zoe"]);
    // Nobody was, or is, alarmed by it.
    let noticed = world.pass(4 * BEACON_PERIOD, [&mut ada, &mut bob, &mut carol]);
    assert_eq!(noticed, [vec![], vec![], vec![]]);
}

#[test]
fn a_relay_that_refuses_a_nick_too_late_cannot_bring_back_a_destroyed_key() {
    let (mut world, mut ada, _, _) = three();
    assert_eq!(rename(&mut ada, "zoe"), Ok(()));
    world.advance(std::time::Duration::from_mins(1));
    ada.tick();
    assert_eq!(ada.session.take_back_nick(), None);
}

#[test]
fn a_relay_gives_a_nick_away_and_then_refuses_the_new_one() {
    let (world, mut ada, _, _) = three();
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
    let joined = payload(&Frame::joined(world.epoch() + 1, taken.bytes()));
    let conflict = Disbelief::Conflict(Conflict::Nick);
    assert_eq!(ada.receive(&joined), [Event::Disbelieved(conflict)]);
    let refusal = payload(&Frame::notice(Notice::NickTaken.code()));
    assert_eq!(ada.ends(&refusal), End::Notice(Notice::NickTaken));
    assert_eq!(ada.session.take_back_nick(), Some(nick_of("zoe")));
}

#[test]
fn another_identity_presents_itself_as_a_members_new_nick() {
    let (world, ada, mut bob, _) = three();
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
    let frame = payload(&Frame::rekeyed(world.epoch() + 1, forged.bytes()));
    assert_eq!(
        bob.receive(&frame),
        [Event::Disbelieved(Disbelief::Succession)]
    );
    assert_eq!(nicks(&bob), ["ada", "carol"]);
}

#[test]
fn a_member_takes_the_nick_of_another_one_with_the_help_of_the_relay() {
    let (world, ada, mut bob, carol) = three();
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
    let frame = payload(&Frame::rekeyed(world.epoch() + 1, stolen.bytes()));
    let conflict = Disbelief::Conflict(Conflict::Nick);
    assert_eq!(
        bob.receive(&frame),
        [
            Event::CastOut(nick_of("ada"), conflict),
            left("ada", Departure::Misbehaved, false)
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
