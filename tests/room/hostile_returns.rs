//! A relay that makes use of connections that break, and of members who come back: what each member
//! sees of it, event by event.

use std::time::Duration;

use e2echat::cipher::encoding::Encoder;
use e2echat::room::card::{Card, SessionId};
use e2echat::room::chain::Link;
use e2echat::room::frame::{Departure, Frame, ToClient, ToRelay};
use e2echat::room::session::{End, Event, To, Undelivered};

use crate::support::peer::{CardFields, lobby, made_up_key, session_key};
use crate::support::world::{
    BEACON_PERIOD, Delivery, Insider, Member, SETTLED, World, assert_bob_is_parted, catch_up,
    joining, leaving, left, nick_of, payload, person, said, said_directly, three,
    without_having_seen,
};

const HOLD: Duration = Duration::from_mins(5);
/// How often a member looks what is overdue.
const LOOK: Duration = Duration::from_secs(2);

/// What a member is told that others said, of all that is on its way to it.
fn heard(member: &mut Member) -> Vec<Event> {
    let mut events = catch_up(member);
    events.retain(|event| matches!(event, Event::Message { .. }));
    events
}

/// The same where all of it was said before: it is shown with the time at which it was written.
#[track_caller]
fn heard_late(member: &mut Member) -> Vec<Event> {
    let mut events = heard(member);
    for event in &mut events {
        let Event::Message { written, .. } = event else {
            panic!("not a message: {event:?}");
        };
        assert!(written.take().is_some(), "shown as if it were said now");
    }
    events
}

/// What a member is warned of, of all that is on its way to it.
fn alarms(member: &mut Member) -> Vec<Event> {
    let mut events = catch_up(member);
    events.retain(|event| {
        !matches!(
            event,
            Event::Message { .. } | Event::Returned { .. } | Event::Joined(_) | Event::Back(_)
        )
    });
    events
}

/// What Ada is told that has not reached a reader, and why.
fn undelivered(receipt: u64, reader: &str, text: &str, reason: Undelivered) -> Event {
    Event::Undelivered {
        receipt,
        reader: nick_of(reader),
        text: text.to_owned(),
        reason,
    }
}

/// The readers of the messages that a member has to send.
fn readers(member: &mut Member) -> Vec<SessionId> {
    let frames = member.session.take_outgoing();
    let parcels = frames
        .iter()
        .filter_map(|frame| match ToRelay::parse(&payload(frame)) {
            Ok(ToRelay::Send(send)) => Some(send.parcels),
            _ => None,
        });
    parcels.flatten().map(|parcel| parcel.to).collect()
}

/// A member whose connection is made again, and that has said HELLO.
fn knock(world: &World, member: &mut Member) {
    member.disconnect();
    member.intercept();
    assert_eq!(member.receive(&world.challenge()), []);
    assert_eq!(member.session.take_outgoing().len(), 1);
}

#[test]
fn a_restart_is_pretended_and_positions_and_frames_come_again() {
    let (mut world, mut ada, mut bob, mut carol) = three();
    world.say(&mut ada, "pay 10");
    let to_all = bob.intercept_message();
    assert_eq!(bob.receive(&to_all.frame()), [said("ada", "pay 10")]);
    world.say_to(&mut ada, bob.sid(), "pay 20");
    let direct = bob.intercept_message();
    assert_eq!(
        bob.receive(&direct.frame()),
        [said_directly("ada", "pay 20")]
    );
    world.restart();
    for member in [&mut ada, &mut bob, &mut carol] {
        world.enter_again(member).unwrap();
    }
    for _ in 0..2 {
        for member in [&mut ada, &mut bob, &mut carol] {
            assert_eq!(alarms(member), []);
            world.relay(member);
        }
    }
    let copy = Delivery {
        is_entry: false,
        ..to_all.clone()
    };
    for yesterday in [&copy, &direct] {
        assert_eq!(bob.receive(&yesterday.frame()), []);
    }
    world.say(&mut ada, "today");
    world.say_to(&mut ada, bob.sid(), "today too");
    let today = [said("ada", "today"), said_directly("ada", "today too")];
    assert_eq!(catch_up(&mut bob), today);
    let quiet = world.pass(BEACON_PERIOD, [&mut ada, &mut bob]);
    assert_eq!(quiet, [vec![], vec![]]);
    // As an entry it is not shown either, and it has a place that the others do not know of.
    assert_eq!(bob.receive(&to_all.frame()), []);
    assert_bob_is_parted(&mut world, [&mut ada, &mut bob, &mut carol]);
}

#[test]
fn the_relay_goes_back_to_an_earlier_run() {
    let (mut world, _, mut bob, _) = three();
    let earlier = world.challenge();
    world.restart();
    world.enter_again(&mut bob).unwrap();
    catch_up(&mut bob);
    bob.disconnect();
    assert_eq!(bob.ends(&earlier), End::Malformed);
}

#[test]
fn an_acknowledgement_is_withheld_until_somebody_new_has_come() {
    for is_passed_on in [false, true] {
        let (mut world, mut ada, mut bob, mut carol) = three();
        ada.say("for bob and carol").unwrap();
        let once = [said("ada", "for bob and carol")];
        if is_passed_on {
            world.pass_on(&mut ada);
            assert_eq!(
                [heard(&mut bob), heard(&mut carol)],
                [once.clone(), once.clone()]
            );
        }
        world.restart();
        let mut dora = world.enter("dora").unwrap();
        world.enter_again(&mut bob).unwrap();
        world.enter_again(&mut ada).unwrap();
        assert_eq!(alarms(&mut ada), []);
        world.relay(&mut ada);
        world.enter_again(&mut carol).unwrap();
        assert_eq!(alarms(&mut ada), []);
        world.relay(&mut ada);
        let expected = if is_passed_on { vec![] } else { once.to_vec() };
        assert_eq!(heard_late(&mut bob), expected);
        assert_eq!(heard_late(&mut carol), expected);
        assert_eq!(heard(&mut dora), []);
        let members = [&mut ada, &mut bob, &mut carol, &mut dora];
        let noticed = world.pass(SETTLED, members);
        assert_eq!(noticed, [const { vec![] }; 4]);
        assert_eq!(ada.confirmed_by(1), ["bob", "carol"]);
        world.say(&mut ada, "for all");
        for member in [&mut bob, &mut carol, &mut dora] {
            assert_eq!(heard(member), [said("ada", "for all")]);
        }
    }
}

#[test]
fn a_member_is_shown_as_gone_and_back_to_lower_its_numbers() {
    let (mut world, mut ada, mut bob, mut carol) = three();
    let first = ada.session.card().clone();
    let mut messages = Vec::new();
    for text in ["one", "two"] {
        world.say(&mut ada, text);
        messages.push(bob.intercept_message());
    }
    for (message, text) in messages.iter().zip(["one", "two"]) {
        assert_eq!(bob.receive(&message.frame()), [said("ada", text)]);
    }
    let gone = leaving(ada.sid(), Departure::Lost);
    assert_eq!(bob.receive(&gone), [left("ada", Departure::Lost)]);
    let again = joining(first.bytes());
    assert_eq!(bob.receive(&again), [Event::Back(person(&ada))]);
    // Neither as entries nor as copies for him alone.
    for message in &mut messages {
        assert_eq!(bob.receive(&message.frame()), []);
        message.is_entry = false;
        assert_eq!(bob.receive(&message.frame()), []);
    }
    // What she says is of before she came back, as he was shown it.
    world.say(&mut ada, "three");
    assert_eq!(heard_late(&mut bob), [said("ada", "three")]);
    assert_bob_is_parted(&mut world, [&mut ada, &mut bob, &mut carol]);
}

#[test]
fn a_welcome_goes_on_in_another_run() {
    let (mut world, _, mut bob, _) = three();
    world.restart();
    knock(&world, &mut bob);
    let welcome = payload(&Frame::welcome_back(bob.taken(), 0));
    assert_eq!(bob.ends(&welcome), End::Malformed);
}

#[test]
fn a_welcome_goes_on_from_numbers_that_cannot_be() {
    for wrong in [1_i64, -1] {
        let (world, _, mut bob, _) = three();
        knock(&world, &mut bob);
        let received = bob.taken().checked_add_signed(wrong).unwrap();
        let welcome = payload(&Frame::welcome_back(received, 0));
        assert_eq!(bob.ends(&welcome), End::Malformed);
    }
}

#[test]
fn a_welcome_goes_on_with_other_members() {
    let (world, _, mut bob, _) = three();
    knock(&world, &mut bob);
    let welcome = Encoder::default()
        .byte(0x03)
        .u64(0)
        .bytes(&[0; 32])
        .boolean(true)
        .u64(bob.taken())
        .count(1)
        .u32(0)
        .finish();
    assert_eq!(bob.ends(&welcome), End::Malformed);
}

#[test]
fn a_welcome_promises_more_members_than_there_may_be() {
    let (world, _, mut bob, _) = three();
    knock(&world, &mut bob);
    // The room is for four, Bob included.
    let welcome = payload(&Frame::welcome(&world.link(), 4, 0));
    assert_eq!(bob.ends(&welcome), End::Malformed);
}

#[test]
fn a_welcome_goes_on_where_nothing_was_begun() {
    let (world, _, mut bob, _) = three();
    // The connection breaks again before he knows who is there.
    knock(&world, &mut bob);
    assert_eq!(
        bob.receive(&payload(&Frame::welcome(&world.link(), 2, 0))),
        []
    );
    bob.disconnect();
    assert_eq!(bob.receive(&world.challenge()), []);
    let hello = bob.session.take_outgoing().remove(0);
    assert!(matches!(
        ToRelay::parse(&payload(&hello)),
        Ok(ToRelay::Hello {
            resumes: None,
            received: 0,
            ..
        })
    ));
    let welcome = payload(&Frame::welcome_back(0, 0));
    assert_eq!(bob.ends(&welcome), End::Malformed);
}

#[test]
fn a_position_comes_twice_in_a_run() {
    let (world, _, mut bob, _) = three();
    knock(&world, &mut bob);
    let before = Link {
        position: world.link().position - 1,
        ..world.link()
    };
    let welcome = payload(&Frame::welcome(&before, 2, 0));
    assert_eq!(bob.ends(&welcome), End::Malformed);
}

/// Ada has said something to Bob that he was not there for any more, and waits for him.
fn waiting() -> (World, Member, Member) {
    let (mut world, mut ada, bob, _) = three();
    ada.say("for bob").expect("it can be said");
    world.restart();
    world.enter_again(&mut ada).expect("there is room");
    catch_up(&mut ada);
    world.relay(&mut ada);
    assert_eq!(catch_up(&mut ada), []);
    (world, ada, bob)
}

#[test]
fn somebody_else_comes_under_the_nick_of_one_for_whom_a_message_waits() {
    let (mut world, mut ada, mut bob) = waiting();
    let other = world.enter("bob").unwrap();
    assert_eq!(catch_up(&mut ada), [Event::Joined(person(&other))]);
    assert_eq!(readers(&mut ada), []);
    world.lose(&other);
    assert_eq!(catch_up(&mut ada), [left("bob", Departure::Lost)]);
    world.enter_again(&mut bob).unwrap();
    assert_eq!(catch_up(&mut ada), [Event::Back(person(&bob))]);
    world.relay(&mut ada);
    assert_eq!(heard_late(&mut bob), [said("ada", "for bob")]);
}

#[test]
fn somebody_else_presents_a_card_that_follows_that_of_one_for_whom_a_message_waits() {
    let (mut world, mut ada, mut bob) = waiting();
    let mallory = Insider::new("bob");
    let key = session_key(0).public();
    let card = bob.session.card();
    let card = card.issue_successor(&lobby().key(), &mallory.identity, card.nick(), key, 0, 0);
    let events = ada.receive(&joining(card.bytes()));
    assert!(
        matches!(events.as_slice(), [Event::Joined(_)]),
        "{events:?}"
    );
    assert_eq!(readers(&mut ada), []);
    let gone = leaving(card.sid(), Departure::Lost);
    assert_eq!(ada.receive(&gone), [left("bob", Departure::Lost)]);
    bob.disconnect();
    let back = joining(bob.session.card().bytes());
    assert_eq!(ada.receive(&back), [Event::Back(person(&bob))]);
    assert_eq!(readers(&mut ada), [bob.sid()]);
    world.advance(HOLD);
    // Carol has not come back, and he has.
    let events = ada.tick();
    let lost = |reader| undelivered(1, reader, "for bob", Undelivered::Gone);
    assert!(events.contains(&lost("carol")), "{events:?}");
    let is_bobs =
        |e: &Event| matches!(e, Event::Undelivered { reader, .. } if *reader == nick_of("bob"));
    assert!(!events.iter().any(is_bobs), "{events:?}");
}

#[test]
fn a_message_for_one_who_never_comes_back_is_reported() {
    let (mut world, mut ada, bob) = waiting();
    world.enter("bob").unwrap();
    catch_up(&mut ada);
    world.advance(HOLD.saturating_sub(LOOK));
    assert_eq!(undelivered_in(&ada.tick()), []);
    assert_eq!(ada.session.undelivered().len(), 1);
    world.advance(LOOK);
    let mut events = undelivered_in(&ada.tick());
    events.sort_by_key(|event| format!("{event:?}"));
    let lost = ["bob", "carol"].map(|nick| undelivered(1, nick, "for bob", Undelivered::Gone));
    assert_eq!(events, lost);
    assert_eq!(ada.session.undelivered(), []);
    assert_eq!(ada.confirmed_by(1), [""; 0]);
    drop(bob);
}

fn undelivered_in(events: &[Event]) -> Vec<Event> {
    let lost = |event: &&Event| matches!(event, Event::Undelivered { .. });
    events.iter().filter(lost).cloned().collect()
}

#[test]
fn a_member_changes_its_key_while_a_message_waits() {
    let (mut world, mut ada, mut bob) = waiting();
    world.rekey(&mut ada);
    catch_up(&mut ada);
    world.enter_again(&mut bob).unwrap();
    catch_up(&mut ada);
    world.relay(&mut ada);
    assert_eq!(heard_late(&mut bob), [said("ada", "for bob")]);
    world.say(&mut ada, "again");
    assert_eq!(catch_up(&mut bob), [said("ada", "again")]);
}

/// The relay takes nothing that was written under a key before the last one.
#[test]
fn a_member_changes_its_key_twice_while_a_message_waits() {
    let (mut world, mut ada, mut bob) = waiting();
    for _ in 0..2 {
        world.advance(Duration::from_mins(1));
        ada.tick();
        world.rekey(&mut ada);
        catch_up(&mut ada);
    }
    // He comes before it is time to say that he has missed it.
    world.enter_again(&mut bob).unwrap();
    let given_up = undelivered(1, "bob", "for bob", Undelivered::KeyChanged);
    assert_eq!(catch_up(&mut ada), [Event::Back(person(&bob)), given_up]);
    world.relay(&mut ada);
    assert_eq!(heard(&mut bob), []);
    assert_eq!(ada.confirmed_by(1), [""; 0]);
    world.say(&mut ada, "again");
    assert_eq!(catch_up(&mut bob), [said("ada", "again")]);
}

#[test]
fn the_answer_to_a_rekey_is_lost_with_the_connection() {
    for is_passed_on in [false, true] {
        let (mut world, mut ada, mut bob, mut carol) = three();
        ada.say("before").unwrap();
        ada.rekey();
        ada.say("after").unwrap();
        let both = [said("ada", "before"), said("ada", "after")];
        if is_passed_on {
            world.pass_on(&mut ada);
            assert_eq!(heard(&mut bob), both);
            assert_eq!(heard(&mut carol), both);
        }
        world.lose(&ada);
        world.enter_again(&mut ada).unwrap();
        assert_eq!(alarms(&mut ada), []);
        world.relay(&mut ada);
        let expected = if is_passed_on { vec![] } else { both.to_vec() };
        assert_eq!(heard_late(&mut bob), expected);
        assert_eq!(heard_late(&mut carol), expected);
        world.say(&mut bob, "welcome");
        assert_eq!(heard(&mut ada), [said("bob", "welcome")]);
        // All have the same, and know that they have.
        let noticed = world.pass(BEACON_PERIOD, [&mut ada, &mut bob, &mut carol]);
        let told = noticed.map(|events| {
            events
                .into_iter()
                .filter(|event| !matches!(event, Event::Message { .. }))
                .collect::<Vec<_>>()
        });
        assert_eq!(told, [const { vec![] }; 3]);
        for receipt in [1, 2] {
            assert_eq!(ada.confirmed_by(receipt), ["bob", "carol"]);
        }
        let others = bob.session.others();
        assert!(others.iter().all(|person| person.is_present), "{others:?}");
    }
}

/// The others know the new key, and its owner does not know that they do.
#[test]
fn a_message_to_one_alone_whose_new_key_was_listed_without_its_knowing() {
    let (mut world, mut ada, mut bob, mut carol) = three();
    let former = bob.sid();
    world.rekey(&mut bob);
    catch_up(&mut ada);
    let listed = ada.session.person(&nick_of("bob")).expect("he is there");
    assert_ne!(listed.sid, former);
    ada.say_to(To::Member(listed.sid), "for bob").unwrap();
    world.restart();
    // He comes with the card that the others may have seen.
    world.enter_again(&mut bob).unwrap();
    catch_up(&mut bob);
    assert_eq!(bob.sid(), listed.sid);
    world.enter_again(&mut ada).unwrap();
    catch_up(&mut ada);
    world.relay(&mut ada);
    assert_eq!(heard_late(&mut bob), [said_directly("ada", "for bob")]);
    world.say_to(&mut ada, bob.sid(), "again");
    assert_eq!(catch_up(&mut bob), [said_directly("ada", "again")]);
    world.enter_again(&mut carol).unwrap();
    world.pass(SETTLED, [&mut ada, &mut bob, &mut carol]);
    assert_eq!(ada.confirmed_by(1), ["bob"]);
    assert_eq!(ada.confirmed_by(2), ["bob"]);
}

/// Mallory, whose card names this session id as the one that she had before.
fn squatter(previous: SessionId, knows_the_name: bool) -> Insider {
    let mut mallory = Insider::new("mallory");
    let mut fields = CardFields::new("mallory", &mallory.identity.key, &made_up_key());
    fields.generation = 1;
    (fields.previous, fields.first) = (previous.0, previous.0);
    let signer = &mallory.identity.key;
    let card = if knows_the_name {
        fields.sign(signer)
    } else {
        fields.sign_with_a_wrong_mac(signer)
    };
    mallory.card = Card::parse(&card, lobby().id()).expect("a card");
    mallory
}

/// Whether something has come to Mallory alone.
fn is_handed_something(mallory: &Insider) -> bool {
    let frames = mallory.intercept();
    let mut parsed = frames.iter().map(|frame| ToClient::parse(frame).unwrap());
    parsed.any(|frame| matches!(frame, ToClient::Deliver(..) | ToClient::Receipt(_)))
}

#[test]
fn somebody_names_the_session_id_of_one_who_is_away() {
    for knows_the_name in [true, false] {
        let (mut world, mut ada, mut bob, mut carol) = three();
        let old = bob.sid();
        // What Ada says just as he changes his key is lost with his connection.
        world.rekey(&mut bob);
        world.say_to(&mut ada, old, "for bob alone");
        bob.intercept();
        world.lose(&bob);
        catch_up(&mut ada);
        let mut mallory = squatter(old, knows_the_name);
        world.admit_insider(&mut mallory);
        catch_up(&mut ada);
        catch_up(&mut carol);
        // Something that he has written under it is under way, too.
        bob.say("as before").unwrap();
        world.enter_again(&mut bob).unwrap();
        catch_up(&mut bob);
        assert_eq!(catch_up(&mut ada), [Event::Back(person(&bob))]);
        world.relay(&mut ada);
        world.relay(&mut bob);
        assert_eq!(
            heard_late(&mut bob),
            [said_directly("ada", "for bob alone")]
        );
        for reader in [&mut ada, &mut carol] {
            assert_eq!(heard_late(reader), [said("bob", "as before")]);
        }
        let [noticed, ..] = world.pass(SETTLED, [&mut ada, &mut bob, &mut carol]);
        assert_eq!(noticed, []);
        assert_eq!(ada.confirmed_by(1), ["bob"]);
        assert!(!is_handed_something(&mallory));
    }
}

/// The relay does not know any more who had it.
#[test]
fn somebody_names_the_session_id_of_one_who_is_away_at_a_relay_that_was_started_anew() {
    for knows_the_name in [true, false] {
        let (mut world, mut ada, mut bob, mut carol) = three();
        let old = bob.sid();
        ada.say_to(To::Member(old), "for bob alone").unwrap();
        ada.say("for all").unwrap();
        bob.say("as before").unwrap();
        bob.rekey();
        world.restart();
        let mut mallory = squatter(old, knows_the_name);
        world.admit_insider(&mut mallory);
        for member in [&mut bob, &mut carol, &mut ada] {
            world.enter_again(member).unwrap();
            catch_up(member);
        }
        assert_ne!(bob.sid(), old);
        catch_up(&mut bob);
        world.relay(&mut ada);
        world.relay(&mut bob);
        let expected = [
            said_directly("ada", "for bob alone"),
            said("ada", "for all"),
        ];
        assert_eq!(heard_late(&mut bob), expected);
        let unseen = without_having_seen(1, said("bob", "as before"));
        assert_eq!(heard_late(&mut ada), [unseen]);
        let [noticed, ..] = world.pass(SETTLED, [&mut ada, &mut bob, &mut carol]);
        assert_eq!(noticed, []);
        assert_eq!(ada.confirmed_by(1), ["bob"]);
        assert_eq!(ada.confirmed_by(2), ["bob", "carol"]);
        assert_eq!(bob.confirmed_by(1), ["ada", "carol"]);
    }
}
