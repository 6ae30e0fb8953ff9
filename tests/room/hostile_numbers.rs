//! Numbers and sizes that no honest client sends: what each member sees of it, event by event.

use e2echat::room::card::{Card, CardError, SessionId, Stay};
use e2echat::room::chain::EntryKind;
use e2echat::room::frame::{Frame, MAX_FRAME, ToRelay};
use e2echat::room::message::{Header, LeftOutFor, OpenError, SealedMessage, Stream};
use e2echat::room::names::RoomName;
use e2echat::room::numbers::{Had, Outcome, Ranges};
use e2echat::room::roster::MAX_MEMBERS;
use e2echat::room::session::{End, Event, To};
use e2echat::room::statement::{Occasion, Purpose, Receipt, Statement};

use crate::support::peer::lobby;
use crate::support::world::{
    BEACON_PERIOD, Insider, Member, SETTLED, World, catch_up, missing, nick_of, other_view,
    payload, said, three,
};

fn unopened(error: OpenError) -> Event {
    Event::Unopened(nick_of("ada"), error)
}

/// Bob and Carol, and Ada, whose keys the test holds.
fn with_insider() -> (World, Insider, Member, Member) {
    let mut world = World::new();
    let mut bob = world.enter("bob").expect("there is room");
    let mut carol = world.enter("carol").expect("there is room");
    let ada = world.enter_insider("ada");
    catch_up(&mut bob);
    catch_up(&mut carol);
    (world, ada, bob, carol)
}

#[test]
fn the_header_the_sequence_the_stream_and_the_room_are_altered() {
    let (mut world, mut ada, mut bob, carol) = three();
    world.say(&mut ada, "hello");
    let message = bob.intercept_message();
    let honest = Header::parse(&message.header).unwrap();
    let mut altered = vec![honest.clone(); 11];
    altered[0].number += 1;
    altered[1].number = 1 << 63;
    altered[2].flags = 1;
    altered[3].claim.link.position -= 1;
    altered[4].left_out = vec![(carol.sid(), LeftOutFor::Coming)];
    altered[5].claim.run.0[0] ^= 1;
    altered[6].time += 1;
    altered[7].claim.link.digest[0] ^= 1;
    altered[8].claim.roster[0] ^= 1;
    altered[9].claim.unread = apart(1);
    altered[10].stream = Stream::Direct(bob.sid());
    for header in altered {
        let mut message = message.clone();
        message.is_entry = header.stream == Stream::Room;
        message.header = header.encode();
        assert_eq!(
            bob.receive(&message.frame()),
            [unopened(OpenError::Signature)]
        );
    }
    let mut elsewhere = message.clone();
    let attic: RoomName = "attic".parse().unwrap();
    elsewhere.header = Header {
        room: attic.id(),
        ..honest
    }
    .encode();
    assert_eq!(bob.receive(&elsewhere.frame()), [Event::Stray]);
    // Nothing of it was remembered.
    assert_eq!(bob.receive(&message.frame()), [said("ada", "hello")]);
}

#[test]
fn greatest_numbers_unsigned_and_signed() {
    let (mut world, ada, mut bob, _) = with_insider();
    let (mut header, body) = ada.compose(&world, 1 << 63, "unsigned");
    let mut unsigned = ada.deliver(&header, &body, &bob);
    unsigned.signature[7] ^= 1;
    assert_eq!(
        bob.receive(&unsigned.frame()),
        [unopened(OpenError::Signature)]
    );
    header.number = u64::MAX;
    let last = ada.deliver(&header, &body, &bob);
    assert_eq!(bob.receive(&last.frame()), [Event::Stray]);
    // Neither has taken a number away from her.
    let (header, body) = ada.compose(&world, 0, "hello");
    let first = ada.deliver(&header, &body, &bob);
    assert_eq!(bob.receive(&first.frame()), [said("ada", "hello")]);
    // One before the last is a number, and there is none after it.
    let (header, body) = ada.compose(&world, u64::MAX - 1, "the end");
    let end = ada.deliver(&header, &body, &bob);
    assert_eq!(bob.receive(&end.frame()), [said("ada", "the end")]);
    assert_eq!(bob.ends(&end.frame()), End::Malformed);
    let [noticed] = world.pass(BEACON_PERIOD + SETTLED, [&mut bob]);
    assert_eq!(noticed, [missing("ada", u64::MAX - 2)]);
}

#[test]
fn greatest_numbers_in_a_statement_are_more_missing_messages_than_there_are_numbers() {
    let (mut world, mut ada, mut bob, _) = with_insider();
    let mut statement = ada.statement(&world, Occasion::Beacon);
    for (next, time) in [(0, 1), (u64::MAX - 1, 2)] {
        statement.next = next;
        statement.time = time;
        let frame = ada.state(&statement);
        world.pass_on_from(&mut ada, vec![frame]);
    }
    assert_eq!(catch_up(&mut bob), []);
    let [noticed] = world.pass(BEACON_PERIOD + SETTLED, [&mut bob]);
    assert_eq!(noticed, [missing("ada", u64::MAX - 1)]);
    // The last number of all is none, and so there is nothing after it.
    statement.next = u64::MAX;
    assert!(Statement::parse(&statement.encode()).is_err());
}

#[test]
fn greatest_numbers_in_a_receipt_confirm_what_was_said_and_nothing_else() {
    let (mut world, mut ada, mut bob, _) = with_insider();
    bob.say_to(To::Member(ada.card.sid()), "psst").unwrap();
    bob.say_to(To::Member(ada.card.sid()), "well?").unwrap();
    world.relay(&mut bob);
    let mut had = Had::default();
    had.take(0, Outcome::Opened);
    had.take(u64::MAX - 1, Outcome::Unopened);
    let mut statement = ada.statement(&world, Occasion::Beacon);
    let receipt = Receipt {
        direct: had.clone(),
        room: Some(had),
    };
    statement.purpose = Purpose::Receipt(bob.sid(), receipt);
    let frame = ada.state(&statement);
    world.pass_on_from(&mut ada, vec![frame]);
    assert_eq!(catch_up(&mut bob), []);
    assert_eq!(bob.confirmed_by(1), ["ada"]);
    assert_eq!(bob.confirmed_by(2), [""; 0]);
}

/// So many positions, with one between any two.
fn apart(count: u64) -> Ranges {
    (0..count).map(|number| (2 * number, 2 * number)).collect()
}

#[test]
fn a_claim_a_receipt_and_a_card_of_more_than_a_reader_has_to_look_up() {
    let (world, ada, _, _) = with_insider();
    // Of a claim in what is signed in the room.
    let (mut header, _) = ada.compose(&world, 0, "unread");
    header.claim.link.position = 1000;
    for (count, is_read) in [(256, true), (257, false)] {
        header.claim.unread = apart(count);
        assert_eq!(Header::parse(&header.encode()).is_ok(), is_read, "{count}");
    }
    header.claim.unread = [(1000, 1001)].into_iter().collect();
    assert!(Header::parse(&header.encode()).is_err(), "yet to come");
    // Of stays, and of what was unread in them, in a card.
    let past = |stays, unread| {
        let mut claim = world.claim();
        claim.link.position = 1000;
        claim.unread = apart(unread);
        let stay = Stay { first: 1, claim };
        let past = vec![stay; stays];
        let key = lobby().key();
        let card = ada.card.reissue(&key, &ada.identity, 0, &past, 0);
        Card::parse(card.bytes(), lobby().id()).map(|card| card.past().len())
    };
    assert_eq!(past(8, 32), Ok(8));
    assert_eq!(past(9, 0), Err(CardError::Malformed));
    assert_eq!(past(1, 33), Err(CardError::Malformed));
    // Of a receipt, nobody states more ranges than are read, whatever has come.
    let mut had = Had::default();
    for number in 0..300 {
        had.take(2 * number + 1, Outcome::Opened);
    }
    let mut statement = ada.statement(&world, Occasion::Beacon);
    let receipt = Receipt {
        direct: had,
        room: None,
    };
    statement.purpose = Purpose::Receipt(ada.card.sid(), receipt);
    assert!(Statement::parse(&statement.encode()).is_ok());
}

/// Whatever somebody cannot open, it says how far it has come, and what it states stays short.
#[test]
fn hundreds_of_messages_that_cannot_be_opened_are_stated_at_once() {
    let (mut world, ada, mut bob, _) = with_insider();
    world.pass(SETTLED, [&mut bob]);
    let (mut header, body) = ada.compose(&world, 0, "from nobody");
    header.sender = SessionId([7; 32]);
    let message = ada.deliver(&header, &body, &bob).frame();
    let other = payload(&Frame::entry(EntryKind::Unknown(9), b"of a later version"));
    let first = world.link().position + 1;
    for _ in 0..300 {
        assert_eq!(bob.receive(&message), [Event::Stray]);
        bob.receive(&other);
    }
    world.advance(BEACON_PERIOD);
    assert_eq!(bob.tick(), []);
    let frames = bob.session.take_outgoing();
    let bytes = payload(&frames[0]);
    assert!(bytes.len() < 8192, "{}", bytes.len());
    let Ok(ToRelay::Statement(state)) = ToRelay::parse(&bytes) else {
        panic!("not a statement");
    };
    let claim = Statement::parse(state.statement).unwrap().claim;
    assert_eq!(claim.link.position, first + 599);
    assert!((0..300).all(|number| claim.unread.contains(first + 2 * number)));
}

/// A relay does not verify what it passes on: a member can fill the room with what it has not signed.
#[test]
fn thousands_of_forged_messages_keep_nobody_from_being_heard() {
    let (mut world, mut ada, mut bob, mut carol) = three();
    let mut mallory = world.enter_insider("mallory");
    for member in [&mut ada, &mut bob, &mut carol] {
        catch_up(member);
        world.relay(member);
    }
    world.pass(SETTLED, [&mut ada, &mut bob, &mut carol]);
    mallory.intercept();
    // In the first half something else stands in between, so that no two forged ones are neighbours.
    for number in 0..5000 {
        let (header, _) = mallory.compose(&world, number, "forged");
        let forged = SealedMessage {
            header: header.encode(),
            signature: vec![1; 256],
            nonce: [0; 16],
            parcels: Vec::new(),
        };
        world.pass_on_from(&mut mallory, forged.frames());
        if number < 2500 {
            let mut own = mallory.statement(&world, Occasion::Unknown(9));
            own.time = number;
            let frame = mallory.state(&own);
            world.pass_on_from(&mut mallory, vec![frame]);
        }
    }
    world.say(&mut ada, "can you hear me?");
    let [a, b, c] = world.pass(BEACON_PERIOD, [&mut ada, &mut bob, &mut carol]);
    assert_eq!(ada.confirmed_by(1), ["bob", "carol"]);
    for events in [a, b, c] {
        let honest = events.iter().find(|event| {
            let is_about_mallory = matches!(
                event,
                Event::Unopened(nick, _) | Event::Newer(nick) if *nick == nick_of("mallory")
            );
            !is_about_mallory && !matches!(event, Event::Message { .. })
        });
        assert_eq!(honest, None);
    }
    let others = ada.session.others();
    let mut honest = others
        .iter()
        .filter(|person| person.nick != nick_of("mallory"));
    assert!(honest.all(|person| person.is_present), "{others:?}");
}

#[test]
fn a_message_that_leaves_thousands_out_is_sent_in_whole_frames_or_not_at_all() {
    let (world, ada, bob, _) = with_insider();
    let (mut header, _) = ada.compose(&world, 0, "not for everybody");
    for (count, fits) in [(3900, true), (4000, false), (10_000, false)] {
        let nobody = |n: u16| SessionId([n.to_be_bytes(); 16].as_flattened().try_into().unwrap());
        let nobody = |n| (nobody(n), LeftOutFor::NotKnown);
        header.left_out = (0..count).map(nobody).collect();
        assert_eq!(header.fits(MAX_MEMBERS), fits, "{count}");
        let message = SealedMessage {
            header: header.encode(),
            signature: vec![0; 256],
            nonce: [0; 16],
            parcels: vec![(bob.sid(), vec![0; 512]); 1000],
        };
        let frames = message.frames();
        let is_whole = |frame: &Frame| payload(frame).len() <= MAX_FRAME;
        assert!(!fits || frames.iter().all(is_whole), "{count}");
    }
}

#[test]
fn one_position_signed_twice_with_different_texts_to_one_member() {
    let (world, ada, mut bob, _) = with_insider();
    for (text, expected) in [
        ("yes", said("ada", "yes")),
        ("no", Event::Equivocation(nick_of("ada"))),
    ] {
        let (header, body) = ada.compose(&world, 0, text);
        let message = ada.deliver(&header, &body, &bob);
        assert_eq!(bob.receive(&message.frame()), [expected]);
    }
}

#[test]
fn one_position_signed_twice_with_different_texts_to_two_members() {
    let (mut world, ada, mut bob, mut carol) = with_insider();
    for (reader, text) in [(0, "yes"), (1, "no")] {
        let (header, body) = ada.compose(&world, 0, text);
        let member = [&mut bob, &mut carol].into_iter().nth(reader).unwrap();
        let message = ada.deliver(&header, &body, member);
        assert_eq!(member.receive(&message.frame()), [said("ada", text)]);
    }
    let [b, c] = world.pass(BEACON_PERIOD, [&mut bob, &mut carol]);
    assert_eq!((b, c), (vec![other_view("carol")], vec![other_view("bob")]));
}

#[test]
fn a_thousand_blocks_without_a_valid_signature() {
    let (mut world, mut ada, mut bob, _) = three();
    world.say(&mut ada, "hello");
    let message = bob.intercept_message();
    let mut garbage = message.clone();
    garbage.ciphertext = vec![0x55; 1024 * 256];
    garbage.signature[0] ^= 1;
    for _ in 0..100 {
        // Nothing was tried to be opened: that would be another error, and be counted until a
        // new session key is due.
        assert_eq!(
            bob.receive(&garbage.frame()),
            [unopened(OpenError::Signature)]
        );
    }
    assert_eq!(bob.tick(), []);
    // With the signature, they are too many to be looked at.
    garbage.signature = message.signature;
    assert_eq!(
        bob.receive(&garbage.frame()),
        [unopened(OpenError::CannotOpen)]
    );
}

#[test]
fn a_valid_signature_with_garbage_is_not_answered_and_in_the_end_has_a_new_key_made() {
    let (world, ada, mut bob, _) = with_insider();
    bob.session.take_outgoing();
    for sequence in 0..64 {
        assert_eq!(bob.tick(), [], "{sequence}");
        let (header, body) = ada.compose(&world, sequence, &"x".repeat(300));
        let mut message = ada.deliver(&header, &body, &bob);
        // Whichever block it is, the reader says the same.
        let place = 256 * (usize::try_from(sequence).unwrap() % 2);
        message.ciphertext[place + 9] ^= 1;
        let events = bob.receive(&message.frame());
        assert_eq!(events.last(), Some(&unopened(OpenError::CannotOpen)));
        assert!(
            bob.session.take_outgoing().is_empty(),
            "nothing is answered"
        );
    }
    assert_eq!(bob.tick(), [Event::RekeyDue]);
    assert!(bob.session.take_outgoing().is_empty());
}

#[test]
fn a_message_to_a_session_that_is_nobodys() {
    let (world, ada, mut bob, _) = with_insider();
    let (mut header, body) = ada.compose(&world, 0, "psst");
    header.stream = Stream::Direct(SessionId([9; 32]));
    let message = ada.deliver(&header, &body, &bob);
    assert_eq!(
        bob.receive(&message.frame()),
        [unopened(OpenError::NotForMe)]
    );
}
