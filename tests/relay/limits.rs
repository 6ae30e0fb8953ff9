//! What a relay does not put up with: each is told why, and the others notice nothing else.

use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use e2echat::room::card::{Card, SessionId};
use e2echat::room::frame::{Frame, ToClient, preamble};
use e2echat::room::message::{SealedMessage, Stream};
use e2echat::room::notice::Notice;
use nix::sys::signal::Signal;

use crate::support::peer::{CardFields, Member, Peer, identity, lobby, made_up_key};
use crate::support::process::{Client, Home, Relay, tested_program, wait_for};

const DROPPED: &str = " was dropped by the relay: more waited for it than the relay keeps";

#[test]
fn a_nick_that_is_taken_or_looks_like_one_that_is() {
    let relay = Relay::start(&[]);
    let lola = Client::join(relay.address(), "Lola", &[]);
    for nick in ["Lola", "lola", "1oia", "L0LA"] {
        let address = relay.address();
        let expected =
            format!("the nick is taken in this room, or looks like one that is ({address})");
        let ended = Client::start(address, nick, &[]).ended();
        ended.assert_failure(&expected);
        assert_eq!(ended.stderr[1], "  choose another --nick");
    }
    assert!(!lola.lines().iter().any(|line| line.contains("joined")));
    assert_eq!(lola.leave().code(), Some(0));
    // Once she has left, it is free.
    let other = Client::join(relay.address(), "1oIa", &[]);
    assert_eq!(other.leave().code(), Some(0));
}

#[test]
fn a_full_room_and_another_room_beside_it() {
    let relay = Relay::start(&["--max-members", "2"]);
    let ada = Client::join(relay.address(), "ada", &[]);
    let mut bob = Client::join(relay.address(), "bob", &[]);
    let refused = Client::start(relay.address(), "carol", &[]).ended();
    refused.assert_failure(&format!(
        "the room is full: the relay lets 2 into a room ({})",
        relay.address()
    ));
    let elsewhere = Client::join(relay.address(), "carol", &["--room", "attic"]);
    assert_eq!(elsewhere.leave().code(), Some(0));
    bob.say("still here");
    ada.wait_for_message("bob", "still here");
    assert!(!ada.lines().iter().any(|line| line.contains("carol")));
    // Whoever leaves makes room.
    assert_eq!(bob.leave().code(), Some(0));
    ada.wait_for_line("departure", |line| line == "* bob left");
    Client::join(relay.address(), "carol", &[]);
}

#[test]
fn a_full_relay() {
    let relay = Relay::start(&["--max-connections", "2"]);
    let ada = Client::join(relay.address(), "ada", &[]);
    let mut bob = Client::join(relay.address(), "bob", &["--room", "lobby"]);
    let refused = Client::start(relay.address(), "carol", &["--room", "attic"]).ended();
    refused.assert_failure(&format!("the relay is full ({})", relay.address()));
    bob.say("still here");
    ada.wait_for_message("bob", "still here");
}

#[test]
fn many_strangers_who_say_nothing_keep_nobody_out_for_longer_than_a_handshake() {
    let relay = Relay::start(&["--max-connections", "8", "--handshake-timeout", "1"]);
    let mut strangers: Vec<Peer> = (0..8).map(|_| Peer::connect(relay.address())).collect();
    for stranger in &mut strangers {
        stranger.assert_hung_up();
    }
    Client::join(relay.address(), "ada", &[]);
}

#[test]
fn a_handshake_that_takes_too_long() {
    let relay = Relay::start(&["--handshake-timeout", "1"]);
    let ada = Client::join(relay.address(), "ada", &[]);
    let mut stranger = Peer::connect(relay.address());
    stranger.knock(lobby().id());
    stranger.assert_told(Notice::HandshakeTooSlow);
    // The deadline is for entering only.
    let mut bob = Client::join(relay.address(), "bob", &[]);
    bob.say("still here");
    ada.wait_for_message("bob", "still here");
}

#[test]
fn a_member_who_reads_too_slowly_is_dropped_and_the_others_chat_on() {
    let unlimited = ["--max-bytes", "0", "--max-blocks", "0"];
    let relay = Relay::start(&[&unlimited[..], &["--max-queue", "8000000"]].concat());
    let mut ada = Client::join(relay.address(), "ada", &[]);
    let bob = Client::join(relay.address(), "bob", &[]);
    // It enters, and reads nothing more, while another writes to it alone.
    let mut slow = Member::join(relay.address(), "slow", 0);
    let mut flood = Member::join(relay.address(), "flood", 1);
    let (mut header, body) = flood.compose(0, "hello");
    header.stream = Stream::Direct(slow.sid);
    let mut message = flood.seal(&header, &body);
    message.parcels = vec![(slow.sid, vec![0; 200_000])];
    // What the system keeps for a socket must be full first, which may be some megabytes.
    for _ in 0..100 {
        flood.send(message.clone());
    }
    let dropped = format!("* slow{DROPPED}");
    ada.wait_for_line("departure", |line| line == dropped);
    ada.say("what was that?");
    bob.wait_for_message("ada", "what was that?");
    bob.wait_for_line("departure", |line| line == dropped);
    for client in [ada, bob] {
        assert_eq!(client.warnings(), [""; 0]);
        assert_eq!(client.leave().code(), Some(0));
    }
    // What it finds when it reads again: whole messages, the reason, and an end.
    let mut last = None;
    while let Some(frame) = slow.peer.read_or_broken() {
        last = Some(frame);
    }
    let last = last.expect("frames");
    let code = Notice::QueueFull.code();
    match ToClient::parse(&last) {
        Ok(ToClient::Notice(told)) => assert_eq!(told, code),
        Ok(ToClient::Deliver { .. } | ToClient::Ping) => {}
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_process_that_is_stopped_is_dropped_when_its_queue_is_full_and_nobody_waits_for_it() {
    let unlimited = ["--max-bytes", "0", "--max-blocks", "0"];
    let relay = Relay::start(&[&unlimited[..], &["--max-queue", "8000000"]].concat());
    let mut ada = Client::join(relay.address(), "ada", &[]);
    let mut carol = Client::join(relay.address(), "carol", &[]);
    let bob = Client::join(relay.address(), "bob", &[]);
    let mut flood = Member::join(relay.address(), "flood", 0);
    let is_bob = |card: &&Card| card.nick().as_str() == "bob";
    let sid = flood.others.iter().find(is_bob).expect("bob is in").sid();
    let (mut header, body) = flood.compose(0, "hello");
    header.stream = Stream::Direct(sid);
    let mut message = flood.seal(&header, &body);
    message.parcels = vec![(sid, vec![0; 200_000])];
    bob.signal(Signal::SIGSTOP);
    // For the most part his socket is full, and he is a member still: a relay that waited for him
    // would leave the others without an answer.
    let dropped = format!("* bob{DROPPED}");
    let is_dropped = |line: &String| *line == dropped;
    let mut taken = 0;
    while !ada.lines().iter().any(is_dropped) && taken < 100 {
        flood.send(message.clone());
        taken += 1;
        flood.wait_for_ack(taken);
        let question = format!("are you there? {taken}");
        ada.say(&question);
        carol.wait_for_message("ada", &question);
        let answer = format!("yes! {taken}");
        carol.say(&answer);
        ada.wait_for_message("carol", &answer);
    }
    // As many as the queue has room for, where what the system has for him counts too.
    assert!((39..100).contains(&taken), "{taken}: {:#?}", carol.lines());
    carol.wait_for_line("departure", |line| line == dropped);
    for client in [&ada, &carol] {
        assert_eq!(client.warnings(), [""; 0]);
    }
    bob.signal(Signal::SIGCONT);
    ada.wait_for_line("return", |line| line == "* bob is back");
    ada.say("where were you?");
    bob.wait_for_message("ada", "where were you?");
}

#[test]
fn many_members_who_read_nothing_keep_nobody_waiting() {
    let unlimited = ["--max-bytes", "0", "--max-blocks", "0"];
    let relay = Relay::start(&[&unlimited[..], &["--max-queue", "64000000"]].concat());
    let mut ada = Client::join(relay.address(), "ada", &[]);
    let mut bob = Client::join(relay.address(), "bob", &[]);
    let stopped: Vec<Member> = (0..8)
        .map(|number| {
            let nick = format!("stopped-{number:x}");
            Member::join_with(relay.address(), &nick, 0, &made_up_key())
        })
        .collect();
    let mut flood = Member::join(relay.address(), "flood", 1);
    let (mut header, body) = flood.compose(0, "hello");
    // Far more than the system keeps for a socket.
    let count = 50;
    for reader in &stopped {
        header.stream = Stream::Direct(reader.sid);
        let mut message = flood.seal(&header, &body);
        message.parcels = vec![(reader.sid, vec![0; 200_000])];
        for _ in 0..count {
            flood.send(message.clone());
        }
    }
    flood.wait_for_ack(count * 8);
    let start = Instant::now();
    for number in 0..10 {
        let (question, answer) = (format!("are you there? {number}"), format!("yes! {number}"));
        ada.say(&question);
        bob.wait_for_message("ada", &question);
        bob.say(&answer);
        ada.wait_for_message("bob", &answer);
    }
    // That is how long the relay waits for one who does not read.
    assert!(start.elapsed() < Duration::from_secs(10));
    let is_gone = |line: &String| line.contains("stopped") && line.contains("dropped");
    assert!(!ada.lines().iter().any(is_gone));
}

#[test]
fn a_member_of_whom_nothing_is_heard_is_dropped_and_a_client_is_heard_of() {
    let relay = Relay::start(&["--idle-timeout", "3", "--grace", "0"]);
    let ada = Client::join(relay.address(), "ada", &[]);
    let mut silent = Member::join(relay.address(), "silent", 0);
    silent.peer.assert_told(Notice::Idle);
    ada.wait_for_line("departure", |line| {
        line == "* silent was dropped by the relay: nothing was heard of it for too long"
    });
    assert_eq!(ada.leave().code(), Some(0));
}

#[test]
fn pings_are_answered_with_what_was_taken() {
    let relay = Relay::start(&[]);
    let mut ada = Member::join(relay.address(), "ada", 0);
    for (sequence, text) in ["one", "two"].into_iter().enumerate() {
        let (header, body) = ada.compose(sequence as u64, text);
        let message = ada.seal(&header, &body);
        ada.send(message);
    }
    assert!(ada.peer.write(&Frame::ping().encode()));
    let mut last = 0;
    while last < 2 {
        let frame = ada.peer.read().expect("an answer");
        match ToClient::parse(&frame) {
            Ok(ToClient::Ack(count)) => {
                assert!((last..=2).contains(&count));
                last = count;
            }
            // Her own messages come back to her.
            Ok(ToClient::Own) => {}
            other => panic!("unexpected: {other:?}"),
        }
    }
}

/// A relay that may take so many bytes of memory, and lets everybody send as fast as they like.
#[cfg(target_os = "linux")]
fn relay_with_memory(bytes: &str, options: &[&str]) -> Relay {
    let home = Home::new();
    let mut command = Command::new("prlimit");
    home.isolate(&mut command);
    command
        .arg(format!("--data={bytes}"))
        .arg(tested_program())
        .args(["serve", "--bind", "127.0.0.1", "--port", "0", "-v"])
        .args(["--max-bytes", "0", "--max-blocks", "0"])
        .args(options);
    Relay::from_command(&mut command, home)
}

/// Whether somebody new gets in.
#[cfg(target_os = "linux")]
fn gets_in(relay: &Relay) -> bool {
    let key = made_up_key();
    let fields = CardFields::new("newcomer", identity(2), &key);
    let mut peer = Peer::connect(relay.address());
    peer.write(&preamble(lobby().id()));
    let Some(frame) = peer.read_or_broken() else {
        return false;
    };
    let Ok(ToClient::Challenge(challenge, _)) = ToClient::parse(&frame) else {
        panic!("no challenge: {:?}", ToClient::parse(&frame));
    };
    let proof = identity(2).sign(&challenge.possession(fields.sid(), 0));
    peer.write(&Frame::hello(&fields.sign(identity(2)), None, 0, 300, &proof).encode());
    let frame = peer.read().expect("an answer");
    match ToClient::parse(&frame) {
        Ok(ToClient::Welcome(_)) => true,
        Ok(ToClient::Notice(code)) => {
            assert_eq!(Notice::from_code(code), Some(Notice::RelayFull));
            false
        }
        other => panic!("neither in nor told why not: {other:?}"),
    }
}

/// Whether the relay acknowledges so many frames, rather than hang up.
#[cfg(target_os = "linux")]
fn is_taken(member: &mut Member, frames: u64) -> bool {
    member.peer.write(&Frame::ping().encode());
    while let Some(frame) = member.peer.read_or_broken() {
        if matches!(ToClient::parse(&frame), Ok(ToClient::Ack(count)) if count >= frames) {
            return true;
        }
    }
    false
}

/// The nicks in the line that says that this was not confirmed by them: one, or several in one line.
#[cfg(target_os = "linux")]
fn readers_who_went<'a>(line: &'a str, said: &str) -> Option<Vec<&'a str>> {
    let line = line.strip_prefix("not confirmed by ")?;
    let have_gone = |have: &str| {
        ["gone", "come anew since"].iter().find_map(|what| {
            line.strip_suffix(&format!(", who {have} {what}; say it again: {said}"))
        })
    };
    let Some(readers) = have_gone("have") else {
        return Some(vec![have_gone("has")?]);
    };
    let (readers, last) = readers.rsplit_once(" and ")?;
    Some(readers.split(", ").chain([last]).collect())
}

/// Has a client leave that has said one thing, and checks what it tells at its end: to whom that was not
/// delivered, as they went without having read it. These are all hoarders that went after it was said,
/// perhaps others who have not read it and are gone, and nobody who has.
#[cfg(target_os = "linux")]
#[track_caller]
fn assert_told_who_went(nick: &str, client: Client, said: &str) {
    let ended = client.leave();
    let lines = &ended.stdout;
    let alarms = lines.iter().filter_map(|line| line.strip_prefix("! "));
    let told: Vec<&str> = alarms
        .flat_map(|line| {
            readers_who_went(line, said).unwrap_or_else(|| panic!("another alarm: {line}"))
        })
        .collect();
    let place = lines
        .iter()
        .position(|line| crate::support::process::is_message(line, nick, said));
    let after = &lines[place.expect("it was said")..];
    let went = after.iter().filter_map(|line| line.strip_prefix("* "));
    let went: Vec<&str> = went
        .filter(|line| line.starts_with("hoarder-"))
        .filter_map(|line| line.split_once(' ').map(|(hoarder, _)| hoarder))
        .collect();
    for hoarder in went {
        let times = told.iter().filter(|reader| **reader == hoarder).count();
        assert_eq!(times, 1, "{hoarder}: {ended:#?}");
    }
    let has_not_read = |reader: &str| reader.starts_with("hoarder-") || reader == "newcomer";
    assert!(told.iter().all(|reader| has_not_read(reader)), "{ended:#?}");
    assert_eq!(
        ended.code(),
        Some(i32::from(!told.is_empty())),
        "{ended:#?}"
    );
}

#[cfg(target_os = "linux")]
#[test]
fn running_out_of_memory_refuses_newcomers_and_drops_those_who_do_not_read() {
    // What three may have waiting for them is more than there is.
    let relay = relay_with_memory("256000000", &["--max-queue", "100000000"]);
    let mut ada = Client::join(relay.address(), "ada", &[]);
    let mut bob = Client::join(relay.address(), "bob", &[]);
    let hoarders: Vec<Member> = (0..8)
        .map(|number| {
            let nick = format!("hoarder-{number}");
            Member::join_with(relay.address(), &nick, 0, &made_up_key())
        })
        .collect();
    let mut flood = Member::join(relay.address(), "flood", 1);
    let (mut header, body) = flood.compose(0, "hello");
    let messages: Vec<SealedMessage> = hoarders
        .iter()
        .map(|reader| {
            header.stream = Stream::Direct(reader.sid);
            let mut message = flood.seal(&header, &body);
            message.parcels = vec![(reader.sid, vec![0; 200_000])];
            message
        })
        .collect();
    let (mut rounds, mut refused) = (0, 0);
    let is_dropped = |line: &String| line.starts_with("* hoarder-") && line.ends_with(DROPPED);
    while !ada.lines().iter().any(is_dropped) {
        rounds += 1;
        assert!(rounds < 1000, "{:#?}", relay.log());
        let mut frames = messages.iter().flat_map(SealedMessage::frames);
        // With the very last memory its long frames are not taken either, and its connection breaks.
        if !frames.all(|frame| flood.peer.write(&frame.encode()))
            || !is_taken(&mut flood, 8 * rounds)
        {
            break;
        }
        refused += usize::from(rounds % 4 == 0 && !gets_in(&relay));
    }
    ada.wait_for_line("a departure", |line| is_dropped(&line.to_owned()));
    assert!(refused > 0, "{:#?}", relay.log());
    relay.wait_for_log("warning", |line| {
        line.contains("cannot take newcomers") && line.contains("members stay")
    });
    ada.say("what was that?");
    bob.wait_for_message("ada", "what was that?");
    bob.say("somebody who wanted too much");
    ada.wait_for_message("bob", "somebody who wanted too much");
    drop(hoarders);
    wait_for(
        || gets_in(&relay).then_some(()),
        || format!("nobody gets in any more: {:#?}", relay.log()),
    );
    for client in [&ada, &bob] {
        // Whoever came once more is somebody without the key for what was said before.
        let mut warnings = client.warnings();
        warnings.retain(|line| !line.starts_with("! not confirmed by newcomer, who has come anew"));
        assert_eq!(warnings, [""; 0]);
    }
    assert_told_who_went("ada", ada, "what was that?");
    assert_told_who_went("bob", bob, "somebody who wanted too much");
}

#[cfg(target_os = "linux")]
#[test]
fn messages_that_are_never_finished_do_not_take_the_last_memory() {
    // The more readers there may be, the longer a message may be: this one 18 MB, for 3000.
    let options = ["--max-members", "3000", "--max-per-identity", "12"];
    let relay = relay_with_memory("128000000", &options);
    let mut ada = Client::join(relay.address(), "ada", &[]);
    let bob = Client::join(relay.address(), "bob", &[]);
    let reader = |number: u16| {
        let mut sid = [0; 32];
        sid[..2].copy_from_slice(&number.to_be_bytes());
        (SessionId(sid), vec![0; 6000])
    };
    let parcels: Vec<_> = (0..3000).map(reader).collect();
    let join = |number: u32| {
        let nick = format!("hoarder-{number:x}");
        Member::join_with(relay.address(), &nick, 0, &made_up_key())
    };
    let hoarders: Vec<Member> = (0..12).map(join).collect();
    for mut hoarder in hoarders {
        let (header, body) = hoarder.compose(0, "hello");
        let mut message = hoarder.seal(&header, &body);
        message.parcels.clone_from(&parcels);
        thread::spawn(move || {
            let mut frames = message.frames();
            frames.pop();
            // It fails for whoever is dropped meanwhile.
            let _ = (frames.iter()).all(|frame| hoarder.peer.write(&frame.encode()));
            // It stays for as long as it may.
            while hoarder.peer.read_or_broken().is_some() {}
        });
    }
    ada.wait_for_line("a departure", |line| {
        line.starts_with("* hoarder-") && line.ends_with(DROPPED)
    });
    ada.say("anybody?");
    bob.wait_for_message("ada", "anybody?");
    for client in [&ada, &bob] {
        assert_eq!(client.warnings(), [""; 0]);
    }
    // Some may have gone between her words and her end.
    assert_told_who_went("ada", ada, "anybody?");
    assert_eq!(bob.leave().code(), Some(0));
}
