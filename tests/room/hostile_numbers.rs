//! Numbers and sizes that no honest client sends: what each member sees of it, event by event.

use std::collections::BTreeSet;
use std::time::Duration;

use e2echat::room::card::{Card, SessionId};
use e2echat::room::frame::{Frame, MAX_FRAME, ToRelay};
use e2echat::room::message::{Header, OpenError, SealedMessage, Stream};
use e2echat::room::names::RoomName;
use e2echat::room::session::Event;
use e2echat::room::statement::{DirectEntry, Occasion, PastEntry, Statement};

use crate::support::peer::{lobby, made_up_key};
use crate::support::world::{
    BEACON_PERIOD, Insider, Member, World, catch_up, missing, nick_of, other_view, payload, said,
    three,
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
    let mut altered = vec![honest.clone(); 8];
    altered[0].sequence += 1;
    altered[1].sequence = 1 << 63;
    altered[2].stream = Stream::Direct(bob.sid());
    altered[3].epoch -= 1;
    altered[4].left_out = vec![carol.sid()];
    altered[5].run.0[0] ^= 1;
    altered[6].time += 1;
    altered[7].seen += 1;
    for header in altered {
        let mut message = message.clone();
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
    let (world, ada, mut bob, carol) = with_insider();
    let others = [&bob, &carol];
    let (mut header, body) = ada.compose(&world, &others, 1 << 63, "unsigned");
    let mut unsigned = ada.deliver(&header, &body, &bob);
    unsigned.signature[7] ^= 1;
    assert_eq!(
        bob.receive(&unsigned.frame()),
        [unopened(OpenError::Signature)]
    );
    header.sequence = u64::MAX;
    let last = ada.deliver(&header, &body, &bob);
    assert_eq!(bob.receive(&last.frame()), [Event::Stray]);
    // Neither has taken a number away from her.
    let (header, body) = ada.compose(&world, &[&bob, &carol], 0, "hello");
    let first = ada.deliver(&header, &body, &bob);
    assert_eq!(bob.receive(&first.frame()), [said("ada", "hello")]);
    // One before the last is a number, and there is none after it.
    let (mut header, body) = ada.compose(&world, &[&bob, &carol], u64::MAX - 1, "the end");
    header.seen = 0;
    let end = ada.deliver(&header, &body, &bob);
    let gap = missing("ada", u64::MAX - 2);
    assert_eq!(bob.receive(&end.frame()), [gap, said("ada", "the end")]);
    assert_eq!(bob.receive(&end.frame()), []);
}

/// What Ada states without having seen or said anything.
fn statement(world: &World, ada: &Insider, others: &[&Member]) -> Statement {
    let (header, _) = ada.compose(world, others, 0, "unsaid");
    Statement {
        room: header.room,
        sender: header.sender,
        run: header.run,
        epoch: header.epoch,
        roster: header.audience,
        seen: header.seen,
        parent: header.parent,
        time: 1,
        occasion: Occasion::Beacon,
        next: 0,
        told: Vec::new(),
        direct: Vec::new(),
        past: Vec::new(),
        unread: Vec::new(),
    }
}

#[test]
fn greatest_numbers_in_a_statement_are_more_missing_messages_than_there_are_numbers() {
    let (world, ada, mut bob, carol) = with_insider();
    let mut statement = statement(&world, &ada, &[&bob, &carol]);
    statement.next = u64::MAX - 1;
    statement.direct = vec![DirectEntry {
        from: ada.card.sid(),
        to: bob.sid(),
        next: u64::MAX - 1,
    }];
    let bytes = statement.encode();
    let mut frame = payload(&Frame::statement(
        &bytes,
        &ada.identity.key.sign(&bytes),
        &[],
    ));
    // What the relay passes on has no list of those it is for.
    frame.truncate(frame.len() - 4);
    assert_eq!(bob.receive(&frame), [missing("ada", u64::MAX)]);
}

#[test]
fn a_statement_of_more_past_epochs_than_a_reader_has_to_look_up() {
    let (world, ada, bob, carol) = with_insider();
    let mut statement = statement(&world, &ada, &[&bob, &carol]);
    let past = |epoch| PastEntry {
        epoch,
        seen: 1,
        parent: [0; 32],
    };
    statement.past = (0..64).map(past).collect();
    assert!(Statement::parse(&statement.encode()).is_ok());
    statement.past.push(past(64));
    assert!(Statement::parse(&statement.encode()).is_err());
}

#[test]
fn a_message_that_leaves_thousands_out_is_sent_in_whole_frames_or_not_at_all() {
    let (world, ada, bob, _) = with_insider();
    let (mut header, _) = ada.compose(&world, &[&bob], 0, "not for everybody");
    for (count, fits) in [(4000, true), (5000, false), (10_000, false)] {
        let nobody = |n: u16| SessionId([n.to_be_bytes(); 16].as_flattened().try_into().unwrap());
        header.left_out = (0..count).map(nobody).collect();
        assert_eq!(header.fits(), fits, "{count}");
        let message = SealedMessage {
            header: header.encode(),
            signature: vec![0; 256],
            parcels: vec![(bob.sid(), vec![0; 512]); 1000],
        };
        let frames = message.frames();
        let is_whole = |frame: &Frame| payload(frame).len() <= MAX_FRAME;
        assert!(!fits || frames.iter().all(is_whole), "{count}");
    }
}

/// Everything that is due is told to everybody, and nothing of it is longer than a frame.
#[test]
#[ignore = "signing 4,000 cards takes its time; run it with --ignored"]
fn statements_for_thousands_who_came_at_once_are_whole_frames() {
    let (mut world, mut ada, mut bob, _) = three();
    world.say(&mut ada, "hello");
    catch_up(&mut bob);
    let identity = Insider::new("crowd").identity;
    let mut newcomers = BTreeSet::new();
    for number in 0..4_000 {
        let nick = nick_of(&format!("n{}", number + 2_000));
        let card = Card::issue(&lobby(), &nick, &identity, &made_up_key(), 0);
        newcomers.insert(card.sid());
        let joined = Frame::joined(world.epoch() + 1 + number, card.bytes());
        let events = ada.receive(&payload(&joined));
        assert!(
            matches!(events.as_slice(), [Event::Joined(_)]),
            "{events:?}"
        );
    }
    world.advance(Duration::from_mins(2));
    ada.tick();
    let mut told = BTreeSet::new();
    for frame in ada.session.take_outgoing() {
        let bytes = payload(&frame);
        assert!(bytes.len() <= MAX_FRAME, "{}", bytes.len());
        let Ok(ToRelay::Statement(state)) = ToRelay::parse(&bytes) else {
            panic!("not a statement");
        };
        let statement = Statement::parse(state.statement).unwrap();
        let readers: BTreeSet<SessionId> = state.to.iter().copied().collect();
        let about: BTreeSet<SessionId> = statement.told.iter().map(|told| told.reader).collect();
        assert!(readers.is_empty() || readers == about);
        assert!(told.is_disjoint(&about), "each is told once");
        told.extend(about);
    }
    assert_eq!(told, newcomers);
}

#[test]
fn one_position_signed_twice_with_different_texts_to_one_member() {
    let (world, ada, mut bob, carol) = with_insider();
    for (text, expected) in [
        ("yes", said("ada", "yes")),
        ("no", Event::Equivocation(nick_of("ada"))),
    ] {
        let (header, body) = ada.compose(&world, &[&bob, &carol], 0, text);
        let message = ada.deliver(&header, &body, &bob);
        assert_eq!(bob.receive(&message.frame()), [expected]);
    }
}

#[test]
fn one_position_signed_twice_with_different_texts_to_two_members() {
    let (mut world, ada, mut bob, mut carol) = with_insider();
    for (reader, text) in [(0, "yes"), (1, "no")] {
        let (header, body) = ada.compose(&world, &[&bob, &carol], 0, text);
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
    let (world, ada, mut bob, carol) = with_insider();
    bob.session.take_outgoing();
    for sequence in 0..64 {
        assert_eq!(bob.tick(), [], "{sequence}");
        let (header, body) = ada.compose(&world, &[&bob, &carol], sequence, &"x".repeat(300));
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
    let (mut header, body) = ada.compose(&world, &[&bob], 0, "psst");
    header.stream = Stream::Direct(SessionId([9; 32]));
    let message = ada.deliver(&header, &body, &bob);
    assert_eq!(
        bob.receive(&message.frame()),
        [unopened(OpenError::NotForMe)]
    );
}
