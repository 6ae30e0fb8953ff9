//! Clients that are not ours, or are and break the rules: each is dropped, and the others chat on.

use e2echat::cipher::encoding::Encoder;
use e2echat::room::card::{Card, SessionId};
use e2echat::room::chain::EntryKind;
use e2echat::room::frame::{Frame, MAX_FRAME, Part, ToClient, preamble};
use e2echat::room::message::{Header, LeftOutFor, Stream};
use e2echat::room::names::RoomId;
use e2echat::room::notice::Notice;
use e2echat::room::numbers::Had;
use e2echat::room::statement::{Occasion, Purpose, Receipt};

use crate::support::peer::{CardFields, Member, Peer, frame, lobby, session_key};
use crate::support::process::{Client, Relay};

/// A relay with two members in the lobby who should notice nothing of what strangers do.
struct Witnesses {
    relay: Relay,
    ada: Client,
    bob: Client,
}

impl Witnesses {
    fn new(options: &[&str]) -> Self {
        let relay = Relay::start(options);
        let ada = Client::join(relay.address(), "ada", &[]);
        let bob = Client::join(relay.address(), "bob", &[]);
        // What she wrote before would not be for him.
        ada.wait_for_line("bob", |line| line.starts_with("* bob joined "));
        Self { relay, ada, bob }
    }

    fn stranger(&self) -> Peer {
        Peer::connect(self.relay.address())
    }

    /// Checks that they still chat, and that neither was warned of anything.
    fn assert_undisturbed(mut self) {
        self.ada.say("can you read me?");
        self.bob.wait_for_message("ada", "can you read me?");
        self.bob.say("loud and clear");
        self.ada.wait_for_message("bob", "loud and clear");
        for client in [self.ada, self.bob] {
            assert_eq!(client.warnings(), [""; 0]);
            assert_eq!(client.leave().code(), Some(0));
        }
    }

    /// The same, after they have seen `nick` dropped for breaking the protocol.
    fn assert_dropped(self, nick: &str) {
        let dropped = format!("* {nick} was dropped: it broke the protocol");
        for client in [&self.ada, &self.bob] {
            client.wait_for_line(&dropped, |line| line == dropped);
        }
        self.assert_undisturbed();
    }
}

#[test]
fn random_bytes() {
    let witnesses = Witnesses::new(&[]);
    let mut stranger = witnesses.stranger();
    // Bytes without a pattern, the same in every run.
    let noise: Vec<u8> = (0_u32..10_000)
        .map(|i| i.wrapping_mul(2_654_435_761).to_be_bytes()[0])
        .collect();
    stranger.write(&noise);
    stranger.assert_hung_up();
    witnesses.assert_undisturbed();
}

#[test]
fn an_http_request() {
    let witnesses = Witnesses::new(&[]);
    let mut stranger = witnesses.stranger();
    stranger.write(b"GET / HTTP/1.1\r\nHost: chat.example.org\r\nAccept: */*\r\n\r\n");
    stranger.assert_hung_up();
    witnesses.assert_undisturbed();
}

#[test]
fn an_end_before_the_first_byte_and_within_the_preamble() {
    let witnesses = Witnesses::new(&[]);
    let whole = preamble(lobby().id());
    for length in [0, 3, 7, 8, 39, 40] {
        let mut stranger = witnesses.stranger();
        stranger.write(&whole[..length]);
        stranger.finish_writing();
        // A whole preamble is answered with a challenge, the others with nothing.
        if length == 40 {
            assert!(stranger.read().is_some());
        }
        stranger.assert_hung_up();
    }
    witnesses.assert_undisturbed();
}

#[test]
fn another_version_of_the_protocol() {
    let witnesses = Witnesses::new(&[]);
    let mut stranger = witnesses.stranger();
    let mut other = preamble(lobby().id());
    other[7] = 1;
    stranger.write(&other);
    stranger.assert_told(Notice::Version);
    witnesses.assert_undisturbed();
}

#[test]
fn half_a_frame_and_then_silence() {
    let witnesses = Witnesses::new(&["--handshake-timeout", "1"]);
    let mut stranger = witnesses.stranger();
    stranger.knock(lobby().id());
    let whole = frame(0x02, &[0; 1000]);
    stranger.write(&whole[..500]);
    stranger.assert_told(Notice::HandshakeTooSlow);
    witnesses.assert_undisturbed();
}

#[test]
fn a_length_of_4_gib_a_length_of_0_and_one_byte_too_many_before_entering() {
    let witnesses = Witnesses::new(&[]);
    for length in [u32::MAX, 0, 8 * 1024 + 1] {
        let mut stranger = witnesses.stranger();
        stranger.knock(lobby().id());
        stranger.write(&length.to_be_bytes());
        stranger.assert_told(Notice::Malformed);
    }
    witnesses.assert_undisturbed();
}

#[test]
fn a_frame_type_that_nobody_knows_or_that_is_out_of_place_before_entering() {
    let witnesses = Witnesses::new(&[]);
    let (ping, receipt) = (0x20, 0x16);
    let (challenge, statement) = (0x01, 0x15);
    for kind in [0x7f, 0, ping, receipt, challenge, statement] {
        let mut stranger = witnesses.stranger();
        stranger.knock(lobby().id());
        stranger.write(&frame(kind, b""));
        stranger.assert_told(Notice::Malformed);
    }
    witnesses.assert_undisturbed();
}

#[test]
fn a_card_length_that_reaches_beyond_its_frame() {
    let witnesses = Witnesses::new(&[]);
    let mut stranger = witnesses.stranger();
    stranger.knock(lobby().id());
    let fields = Encoder::default().u32(u32::MAX).bytes(&[0; 100]).finish();
    stranger.write(&frame(0x02, &fields));
    stranger.assert_told(Notice::Malformed);
    witnesses.assert_undisturbed();
}

/// Lets a member in, has it send what `misbehave` makes, and checks that it is dropped for that.
#[track_caller]
fn assert_dropped_for(misbehave: impl FnOnce(&mut Member) -> Vec<u8>) {
    let witnesses = Witnesses::new(&[]);
    let mut mallory = Member::join(witnesses.relay.address(), "mallory", 0);
    let bytes = misbehave(&mut mallory);
    mallory.peer.write(&bytes);
    mallory.peer.assert_told(Notice::Malformed);
    witnesses.assert_dropped("mallory");
}

#[test]
fn a_member_sends_a_length_of_4_gib() {
    assert_dropped_for(|_| u32::MAX.to_be_bytes().to_vec());
}

#[test]
fn a_member_sends_a_length_of_0() {
    assert_dropped_for(|_| vec![0; 4]);
}

#[test]
fn a_member_sends_a_frame_type_that_nobody_knows() {
    assert_dropped_for(|_| frame(0x7f, b"hello"));
}

#[test]
fn a_member_sends_a_frame_that_is_the_relays() {
    assert_dropped_for(|_| Frame::entry(EntryKind::Joined, b"").encode());
}

#[test]
fn a_member_acknowledges_what_was_never_sent() {
    assert_dropped_for(|_| Frame::ack(1000).encode());
}

#[test]
fn a_member_sends_a_ping_with_a_byte_too_many() {
    assert_dropped_for(|_| frame(0x20, b"!"));
}

/// The frame of a message whose header was changed before it was signed.
fn altered(mallory: &Member, alter: impl FnOnce(&mut Header)) -> Vec<u8> {
    let (mut header, body) = mallory.compose(0, "hello");
    alter(&mut header);
    let frames = mallory.seal(&header, &body).frames();
    frames.iter().flat_map(Frame::encode).collect()
}

/// The frame of a message with this number.
fn numbered(mallory: &Member, number: u64) -> Vec<u8> {
    altered(mallory, |header| header.number = number)
}

#[test]
fn a_member_writes_in_the_name_of_another() {
    assert_dropped_for(|mallory| {
        let ada = mallory.others[0].sid();
        altered(mallory, |header| header.sender = ada)
    });
}

#[test]
fn a_member_writes_to_another_room() {
    assert_dropped_for(|mallory| altered(mallory, |header| header.room = RoomId([7; 32])));
}

#[test]
fn a_member_writes_a_message_of_which_there_can_be_no_next() {
    assert_dropped_for(|mallory| altered(mallory, |header| header.number = u64::MAX));
}

#[test]
fn a_member_sends_a_number_for_a_second_time() {
    assert_dropped_for(|mallory| [0, 0].map(|number| numbered(mallory, number)).concat());
}

#[test]
fn a_member_goes_back_to_a_lower_number() {
    assert_dropped_for(|mallory| [0, 1, 0].map(|number| numbered(mallory, number)).concat());
}

#[test]
fn a_member_sends_a_direct_message_to_two() {
    assert_dropped_for(|mallory| {
        let ada = mallory.others[0].sid();
        altered(mallory, |header| header.stream = Stream::Direct(ada))
    });
}

#[test]
fn a_member_sends_one_reader_two_parcels() {
    assert_dropped_for(|mallory| {
        let (header, body) = mallory.compose(0, "hello");
        let mut message = mallory.seal(&header, &body);
        message.parcels.push(message.parcels[0].clone());
        let frames = message.frames();
        frames.iter().flat_map(Frame::encode).collect()
    });
}

#[test]
fn a_member_sends_a_late_copy_of_a_direct_message() {
    assert_dropped_for(|mallory| {
        let ada = mallory.others[0].sid();
        let (header, body) = mallory.compose_to(ada, 0, "hello");
        let message = mallory.seal(&header, &body);
        let copy = message.late_copy(ada).expect("it is for her");
        copy.encode()
    });
}

#[test]
fn a_member_states_something_that_is_not_signed() {
    assert_dropped_for(|mallory| {
        let statement = mallory.statement(Occasion::Beacon, 1).encode();
        Frame::statement(&statement, &[0; 256]).encode()
    });
}

#[test]
fn a_member_leaves_without_a_goodbye() {
    // As version 1 had it.
    let leave = 0x16;
    assert_dropped_for(|_| frame(leave, b""));
}

#[test]
fn a_member_leaves_with_a_goodbye_that_is_not_signed() {
    assert_dropped_for(|mallory| {
        let goodbye = mallory.statement(Occasion::Goodbye, 1).encode();
        Frame::statement(&goodbye, &[0; 256]).encode()
    });
}

#[test]
fn a_member_leaves_with_the_goodbye_of_two_sessions_before() {
    assert_dropped_for(|mallory| {
        let goodbye = mallory.state(&mallory.statement(Occasion::Goodbye, 1));
        let next = mallory.successor("mallory", session_key(1).public());
        let last = CardFields {
            generation: 2,
            previous: next.sid().0,
            first: mallory.sid.0,
            ..mallory.successor("mallory", session_key(2).public())
        };
        let rekey = |card: &CardFields| Frame::rekey(&card.sign(mallory.identity())).encode();
        [rekey(&next), rekey(&last), goodbye].concat()
    });
}

#[test]
fn a_member_says_goodbye_to_one_alone() {
    assert_dropped_for(|mallory| {
        let ada = mallory.others[0].sid();
        let receipt = Receipt {
            direct: Had::default(),
            room: None,
        };
        let mut statement = mallory.statement(Occasion::Beacon, 1);
        statement.purpose = Purpose::Receipt(ada, receipt);
        let mut bytes = statement.encode();
        // The byte of the occasion follows tag, room, sender, stream and time.
        let place = 4 + "e2echat/2 statement".len() + 32 + 32 + 4 + 32 + 8;
        assert_eq!(bytes[place], 0, "a beacon");
        bytes[place] = 1;
        let signature = mallory.identity().sign(&bytes);
        Frame::statement(&bytes, &signature).encode()
    });
}

/// Has a member go on under a card that is refused, and checks that it is out of the room for
/// everybody: for those who were there and for a newcomer, who all agree about that.
#[track_caller]
fn assert_cast_out(reason: &str, card: impl FnOnce(&Member) -> Vec<u8>) {
    let Witnesses {
        relay,
        mut ada,
        bob,
    } = Witnesses::new(&[]);
    let mut mallory = Member::join(relay.address(), "mallory", 0);
    let card = card(&mallory);
    mallory.rekey(&card);
    let cast_out = format!(
        "! mallory goes on under a card that is not to be believed: {reason}; mallory is out of the room for you, and your messages do not go there"
    );
    for client in [&ada, &bob] {
        client.wait_for_line(&cast_out, |line| line == cast_out);
        client.wait_for_line("departure", |line| {
            line == "* mallory was dropped: it broke the protocol"
        });
    }
    let mut carol = Client::join(relay.address(), "carol", &[]);
    for client in [&ada, &bob] {
        client.wait_for_line("carol", |line| line.starts_with("* carol joined "));
    }
    ada.say("among us");
    for reader in [&bob, &carol] {
        reader.wait_for_message("ada", "among us");
    }
    carol.say("the three of us");
    for reader in [&ada, &bob] {
        reader.wait_for_message("carol", "the three of us");
    }
    // What it says and states, and its goodbye, are nobody's, and no fault of the relay's.
    let (header, body) = mallory.compose(0, "I am still here");
    mallory.send(mallory.seal(&header, &body));
    mallory.sid = Card::parse(&card, lobby().id()).expect("a card").sid();
    for (occasion, time) in [(Occasion::Beacon, 1), (Occasion::Goodbye, 2)] {
        let frame = mallory.state(&mallory.statement(occasion, time));
        assert!(mallory.peer.write(&frame));
    }
    // Now that the relay has passed these on: nothing was for the one who is out.
    mallory.peer.finish_writing();
    while let Some(frame) = mallory.peer.read_or_broken() {
        let is_message = matches!(ToClient::parse(&frame), Ok(ToClient::Entry { ciphertext, .. })
            if !ciphertext.is_empty());
        assert!(!is_message, "a message for one who is out");
    }
    for client in [ada, bob] {
        assert_eq!(client.warnings(), [cast_out.as_str()]);
        assert_eq!(client.leave().code(), Some(0));
    }
    // She is told of the card, and of nothing that the others see otherwise.
    match carol.warnings().as_slice() {
        [warning] => assert!(warning.contains(reason), "{warning}"),
        warnings => panic!("not one warning: {warnings:?}"),
    }
    assert_eq!(carol.leave().code(), Some(0));
}

#[test]
fn a_member_goes_on_under_a_card_for_a_room_whose_name_it_does_not_know() {
    assert_cast_out("whoever made it does not know the name of the room", |it| {
        let next = it.successor("mallory", session_key(1).public());
        next.sign_with_a_wrong_mac(it.identity())
    });
}

#[test]
fn a_member_takes_another_nick_with_a_card_for_another_room() {
    assert_cast_out("whoever made it does not know the name of the room", |it| {
        let next = it.successor("marvin", session_key(1).public());
        next.sign_with_a_wrong_mac(it.identity())
    });
}

/// What a member does whose departure is to be told as a goodbye, and nothing else.
#[track_caller]
fn assert_leaves_in_peace(frames: impl FnOnce(&Member) -> Vec<Vec<u8>>) {
    let witnesses = Witnesses::new(&[]);
    let mut eve = Member::join(witnesses.relay.address(), "eve", 0);
    assert!(eve.peer.write(&frames(&eve).concat()));
    for client in [&witnesses.ada, &witnesses.bob] {
        client.wait_for_line("departure", |line| line == "* eve left");
    }
    // The relay hangs up, and reads nothing more.
    while eve.peer.read_or_broken().is_some() {}
    witnesses.assert_undisturbed();
}

#[test]
fn a_goodbye_that_is_older_than_what_was_stated_before_is_one() {
    assert_leaves_in_peace(|eve| {
        let beacon = eve.state(&eve.statement(Occasion::Beacon, 9));
        let goodbye = eve.state(&eve.statement(Occasion::Goodbye, 1));
        vec![beacon, goodbye]
    });
}

#[test]
fn what_a_member_says_after_its_goodbye_goes_to_nobody() {
    assert_leaves_in_peace(|eve| {
        let goodbye = eve.state(&eve.statement(Occasion::Goodbye, 1));
        let (header, body) = eve.compose(0, "one more thing");
        let message = eve.seal(&header, &body).frames();
        let message = message.iter().flat_map(Frame::encode).collect();
        vec![goodbye, message]
    });
}

#[test]
fn a_member_whose_connection_breaks_after_its_goodbye_has_left() {
    assert_leaves_in_peace(|eve| vec![eve.state(&eve.statement(Occasion::Goodbye, 1))]);
}

#[test]
fn a_member_says_that_it_sends_more_parcels_than_fit() {
    assert_dropped_for(|mallory| {
        let (header, body) = mallory.compose(0, "hello");
        let message = mallory.seal(&header, &body);
        let fields = Encoder::default()
            .string(&message.header)
            .string(&message.signature)
            .u32(u32::MAX);
        frame(0x10, &fields.finish())
    });
}

#[test]
fn a_member_goes_in_the_middle_of_a_frame() {
    let witnesses = Witnesses::new(&["--grace", "0"]);
    let mut eve = Member::join(witnesses.relay.address(), "eve", 0);
    eve.peer.write(&[0, 0, 1, 0, 0x10]);
    drop(eve);
    for client in [&witnesses.ada, &witnesses.bob] {
        client.wait_for_line("departure", |line| line == "* eve lost the connection");
    }
    witnesses.assert_undisturbed();
}

#[test]
fn a_parcel_for_somebody_who_is_not_there_is_dropped() {
    let witnesses = Witnesses::new(&[]);
    let mut eve = Member::join(witnesses.relay.address(), "eve", 0);
    let (header, body) = eve.compose(0, "hello");
    let mut message = eve.seal(&header, &body);
    message.parcels.push((SessionId([9; 32]), vec![1; 256]));
    eve.send(message);
    for client in [&witnesses.ada, &witnesses.bob] {
        client.wait_for_message("eve", "hello");
    }
    witnesses.assert_undisturbed();
}

#[test]
fn a_member_begins_another_message_within_one() {
    assert_dropped_for(|mallory| {
        let parts = ["one", "two"].map(|text| {
            let (header, body) = mallory.compose(0, text);
            let message = mallory.seal(&header, &body);
            Frame::send(&message.header, &message.signature, Part::More, &[]).encode()
        });
        parts.concat()
    });
}

#[test]
fn a_member_never_ends_a_message() {
    assert_dropped_for(|mallory| {
        let (header, body) = mallory.compose(0, "hello");
        let message = mallory.seal(&header, &body);
        let parcel = [(SessionId([9; 32]), vec![0; 200_000])];
        let part = Frame::send(&message.header, &message.signature, Part::More, &parcel).encode();
        // As much as the longest message to a room of 200, and then some.
        part.repeat(201 * 6144 / 200_000 + 1)
    });
}

/// The longest header in a room of 200 (PROTOCOL §8), and the longest signature.
const MAX_HEADER: usize = 8192 + 33 * 200;
const MAX_SIGNATURE: usize = 512;

/// A header of exactly so many bytes.
fn header_of(mallory: &Member, number: u64, length: usize) -> Vec<u8> {
    let (mut header, _) = mallory.compose(number, "hello");
    let missing = length - header.encode().len();
    // A member left out has 33 bytes, and a range of its claim 16.
    let fills = |left_out: &usize| {
        let rest = missing - 33 * left_out;
        rest.is_multiple_of(16) && rest / 16 <= 256
    };
    let left_out = (0..=missing / 33).find(fills).expect("a way to fill it");
    let ranges = u64::try_from((missing - 33 * left_out) / 16).expect("few");
    header.claim.link.position = 1000;
    header.claim.unread = (0..ranges).map(|range| (2 * range, 2 * range)).collect();
    let sid = |number: usize| {
        let mut sid = [0; 32];
        sid[..8].copy_from_slice(&number.to_be_bytes());
        SessionId(sid)
    };
    let sids = (0..left_out).map(|number| (sid(number), LeftOutFor::Coming));
    header.left_out = sids.collect();
    let header = header.encode();
    assert_eq!(header.len(), length);
    header
}

#[test]
fn what_is_as_long_as_may_be_is_passed_on() {
    let relay = Relay::start(&[]);
    let mut reader = Member::join(relay.address(), "reader", 1);
    let mut mallory = Member::join(relay.address(), "mallory", 0);
    let signature = [0; MAX_SIGNATURE];
    let bare = Frame::send(
        &header_of(&mallory, 0, MAX_HEADER),
        &signature,
        Part::Last,
        &[],
    );
    let header = header_of(&mallory, 1, MAX_HEADER);
    let empty = [(reader.sid, Vec::new())];
    let around = Frame::send(&header, &signature, Part::Last, &empty);
    let ciphertext = vec![0; MAX_FRAME - (around.encode().len() - 4)];
    let parcels = [(reader.sid, ciphertext)];
    let full = Frame::send(&header, &signature, Part::Last, &parcels);
    let copy = Frame::send(&header, &signature, Part::Again, &parcels);
    for frame in [bare, full, copy] {
        assert!(mallory.peer.write(&frame.encode()));
    }
    let mut lengths = Vec::new();
    while lengths.len() < 3 {
        let frame = reader.peer.read().expect("an entry");
        match ToClient::parse(&frame) {
            Ok(ToClient::Entry { entry, .. }) if entry.len() > MAX_HEADER => {
                lengths.push(frame.len());
            }
            Ok(ToClient::Deliver(..)) => lengths.push(frame.len()),
            _ => {}
        }
    }
    let signed = 4 + MAX_HEADER + 4 + MAX_SIGNATURE;
    assert_eq!(
        lengths,
        [1 + 1 + 4 + signed + 4, MAX_FRAME - 32, MAX_FRAME - 37]
    );
}

#[test]
fn a_member_sends_a_frame_that_would_be_too_long_for_all_once_it_is_an_entry() {
    assert_dropped_for(|mallory| {
        let (header, _) = mallory.compose(0, "hello");
        let header = header.encode();
        let around = Frame::send(&header, &[], Part::Last, &[]).encode().len() - 4;
        Frame::send(&header, &vec![0; MAX_FRAME - around], Part::Last, &[]).encode()
    });
}

#[test]
fn a_member_sends_a_signature_that_is_a_byte_too_long() {
    let to = |reader| [(reader, vec![0; 256])];
    let send = |mallory: &Member, part, stream| {
        let (mut header, _) = mallory.compose(0, "hello");
        header.stream = stream;
        let signature = [0; MAX_SIGNATURE + 1];
        let parcels = to(mallory.others[0].sid());
        Frame::send(&header.encode(), &signature, part, &parcels).encode()
    };
    assert_dropped_for(|mallory| send(mallory, Part::More, Stream::Room));
    assert_dropped_for(|mallory| send(mallory, Part::Again, Stream::Room));
    assert_dropped_for(|mallory| {
        let reader = mallory.others[0].sid();
        send(mallory, Part::Last, Stream::Direct(reader))
    });
}

#[test]
fn a_member_sends_a_header_that_is_a_byte_too_long() {
    assert_dropped_for(|mallory| {
        let header = header_of(mallory, 0, MAX_HEADER + 1);
        Frame::send(&header, &[0; 256], Part::Last, &[]).encode()
    });
}
