//! Strangers and members who want more than their share: connections, joins, bytes, lines of the
//! log. They do not get it, and whoever is in a room notices nothing.

use std::net::Ipv4Addr;
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use e2echat::room::card::{Card, SessionId};
use e2echat::room::frame::{Frame, Part, ToClient, is_counted_frame, preamble};
use e2echat::room::message::{Kind, LeftOutFor, SealedMessage};
use e2echat::room::notice::Notice;
use e2echat::room::statement::{Occasion, Statement};
use nix::errno::Errno;

use crate::support::peer::{Member, Peer, identity, lobby, made_up_key};
use crate::support::process::{Client, Home, Relay, is_message, tested_program, wait_for};
use crate::support::tool::reason;

/// What a stranger finds who asks for the lobby.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Welcome {
    Challenge,
    Told(Notice),
    Nothing,
}

fn welcome(stranger: &mut Peer) -> Welcome {
    stranger.write(&preamble(lobby().id()));
    let Some(frame) = stranger.read_or_broken() else {
        return Welcome::Nothing;
    };
    match ToClient::parse(&frame) {
        Ok(ToClient::Challenge(..)) => Welcome::Challenge,
        Ok(ToClient::Notice(code)) => Welcome::Told(Notice::from_code(code).expect("a notice")),
        other => panic!("unexpected: {other:?}"),
    }
}

/// Two who see each other.
#[track_caller]
fn two_members(relay: &Relay) -> (Client, Client) {
    let ada = Client::join(relay.address(), "ada", &[]);
    let bob = Client::join(relay.address(), "bob", &[]);
    ada.wait_for_line("bob", |line| line.starts_with("* bob joined "));
    (ada, bob)
}

/// Checks that what the first says now reaches the second, and that the second was warned of nothing.
#[track_caller]
fn assert_heard(speaker: &mut Client, nick: &str, witness: &Client) {
    // What was said before would be found at once.
    static SAID: AtomicUsize = AtomicUsize::new(0);
    let text = format!("here I am, {}", SAID.fetch_add(1, Ordering::Relaxed));
    speaker.say(&text);
    witness.wait_for_message(nick, &text);
    assert_eq!(witness.warnings(), [""; 0]);
}

#[track_caller]
fn assert_chatting(ada: &mut Client, bob: &mut Client) {
    assert_heard(ada, "ada", bob);
    assert_heard(bob, "bob", ada);
}

#[test]
fn three_hundred_connections_from_one_address() {
    let relay = Relay::start(&["--max-per-address", "20", "-v"]);
    let (mut ada, mut bob) = two_members(&relay);
    let start = Instant::now();
    let mut strangers: Vec<Peer> = (0..300).map(|_| Peer::connect(relay.address())).collect();
    let found: Vec<Welcome> = strangers.iter_mut().map(welcome).collect();
    let count = |expected| found.iter().filter(|found| **found == expected).count();
    assert_eq!(count(Welcome::Challenge), 20 - 2, "{found:?}");
    // Eight at once are told, and some more once those have gone.
    assert!(count(Welcome::Told(Notice::AddressFull)) >= 8, "{found:?}");
    assert!(count(Welcome::Nothing) > 200, "{found:?}");
    assert_chatting(&mut ada, &mut bob);
    // The log says how many there were, in few lines.
    relay.wait_for_log("more", |line| line.contains("more about strangers"));
    let lines = relay
        .log()
        .iter()
        .filter(|line| line.contains("refused") || line.contains("hung up"))
        .count();
    let seconds = usize::try_from(start.elapsed().as_secs()).expect("few");
    assert!(lines <= 10 * (seconds + 2), "{:#?}", relay.log());
    let summaries = relay
        .log()
        .iter()
        .filter(|line| line.contains("more about"))
        .count();
    assert!(summaries <= seconds + 2, "{:#?}", relay.log());
    // Once those who were told have gone, one too many of ours is told too.
    let told = Welcome::Told(Notice::AddressFull);
    wait_for(
        || (welcome(&mut Peer::connect(relay.address())) == told).then_some(()),
        || "nobody is told any more".into(),
    );
    let refused = Client::start(relay.address(), "carol", &[]).ended();
    let address = relay.address();
    refused.assert_failure(&format!(
        "too many connections from this address ({address})"
    ));
    drop(strangers);
    wait_for(
        || (welcome(&mut Peer::connect(address)) == Welcome::Challenge).then_some(()),
        || "nobody gets in any more".into(),
    );
    assert_chatting(&mut ada, &mut bob);
}

#[test]
fn joins_in_a_rush() {
    let relay = Relay::start(&["--joins-per-minute", "10"]);
    let (mut ada, mut bob) = two_members(&relay);
    let hello = || {
        let mut stranger = Peer::connect(relay.address());
        stranger.present(b"no card", SessionId([7; 32]), identity(0));
        let frame = stranger.read().expect("a notice");
        match ToClient::parse(&frame) {
            Ok(ToClient::Notice(code)) => Notice::from_code(code),
            other => panic!("unexpected: {other:?}"),
        }
    };
    let start = Instant::now();
    let told: Vec<_> = (0..60).map(|_| hello()).collect();
    let count = |notice| told.iter().filter(|told| **told == Some(notice)).count();
    let (looked_at, refused) = (count(Notice::CardMalformed), count(Notice::JoinsTooFast));
    assert_eq!(looked_at + refused, told.len(), "{told:?}");
    let earned = usize::try_from(start.elapsed().as_secs() / 6).expect("few");
    assert!((1..=10 + earned).contains(&looked_at), "{told:?}");
    // As long as it goes on, a client of ours is told so too.
    let is_over = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            while !is_over.load(Ordering::Relaxed) {
                hello();
            }
        });
        let refused = Client::start(relay.address(), "carol", &[]).ended();
        is_over.store(true, Ordering::Relaxed);
        let address = relay.address();
        refused.assert_failure(&format!("too many joins from this address ({address})"));
    });
    assert_chatting(&mut ada, &mut bob);
}

/// Lets a member send ten messages of 200 kB with no pause, which takes the relay at least
/// `seconds` under these limits, and checks that nobody suffers from it.
#[track_caller]
fn assert_slowed_down(limits: &[&str], seconds: u64) {
    let relay = Relay::start(limits);
    let (mut ada, bob) = two_members(&relay);
    let mut flood = Member::join(relay.address(), "flood", 0);
    let count = 10;
    let messages: Vec<_> = (0..count)
        .map(|number| {
            let (header, body) = flood.compose(number, &format!("flood {number}"));
            let mut message = flood.seal(&header, &body);
            let nobody = (SessionId([9; 32]), vec![0; 200_000]);
            message.parcels.push(nobody);
            message
        })
        .collect();
    let start = Instant::now();
    let flooding = thread::spawn(move || {
        for message in messages {
            flood.send(message);
        }
        // It is not dropped for it, and all of it was taken.
        flood.wait_for_ack(count);
        flood
    });
    bob.wait_for_message("flood", "flood 0");
    ada.say("it is quiet here");
    bob.wait_for_message("ada", "it is quiet here");
    let last = format!("flood {}", count - 1);
    assert!(
        !bob.lines()
            .iter()
            .any(|line| is_message(line, "flood", &last))
    );
    let _flood = flooding.join().expect("the member is not dropped");
    let took = start.elapsed();
    assert!(took >= Duration::from_secs(seconds), "{took:?}");
    for client in [&ada, &bob] {
        client.wait_for_message("flood", &last);
        let lines = client.lines();
        let places: Vec<_> = (0..count)
            .map(|number| {
                let text = format!("flood {number}");
                lines
                    .iter()
                    .position(|line| is_message(line, "flood", &text))
            })
            .collect();
        assert!(places.iter().all(Option::is_some), "{lines:#?}");
        assert!(places.is_sorted(), "{lines:#?}");
        assert_eq!(client.warnings(), [""; 0]);
    }
}

#[test]
fn a_member_that_sends_too_many_blocks_is_slowed_down_and_nothing_is_lost() {
    // 784 blocks each.
    assert_slowed_down(&["--max-blocks", "1200", "--max-bytes", "0"], 3);
}

#[test]
fn a_member_that_sends_too_many_bytes_is_slowed_down_and_nothing_is_lost() {
    assert_slowed_down(&["--max-blocks", "0", "--max-bytes", "300000"], 3);
}

/// How many frames a member sends that wants the others out.
const FLOOD: u64 = 20_000;

/// Two readers, one of whom keeps a log, and a member that wants them out.
struct Besieged {
    relay: Relay,
    ada: Client,
    bob: Client,
    home: Home,
    mallory: Member,
    /// How often it was checked that both are there.
    checks: u32,
}

impl Besieged {
    fn begin(options: &[&str]) -> Self {
        let relay = Relay::start(options);
        let home = Home::new();
        let log = home.file("log");
        let log = log.to_str().expect("UTF-8");
        let ada = Client::join(relay.address(), "ada", &["--log", log]);
        let bob = Client::start(relay.address(), "bob", &["--json"]);
        ada.wait_for_line("bob", |line| line.starts_with("* bob joined "));
        let mallory = Member::join(relay.address(), "mallory", 0);
        ada.wait_for_line("mallory", |line| line.starts_with("* mallory joined "));
        bob.wait_for_line("mallory", |line| {
            line.contains("\"join\"") && line.contains("mallory")
        });
        Self {
            relay,
            ada,
            bob,
            home,
            mallory,
            checks: 0,
        }
    }

    /// Has mallory send all these frames as fast as the relay takes them, and checks that both readers
    /// stay, and come to the end of it.
    #[track_caller]
    fn withstands(&mut self, frames: impl Iterator<Item = Vec<u8>>) {
        let mut count = 0;
        for frame in frames {
            count += 1;
            assert!(self.mallory.peer.write(&frame), "the relay takes it");
            // Whoever does not read what comes back is thrown out by the relay.
            if count % 1000 == 0 {
                self.mallory.wait_for_ack(count);
            }
        }
        self.mallory.wait_for_ack(count);
        self.assert_alive();
    }

    /// A message with this number that somebody else would have signed: nobody has.
    fn forged(&self, number: u64) -> Vec<u8> {
        let (header, _) = self.mallory.compose(number, "forged");
        let message = SealedMessage {
            header: header.encode(),
            signature: vec![1; 256],
            nonce: [0; 16],
            parcels: Vec::new(),
        };
        message.frames().remove(0).encode()
    }

    /// Checks that both readers are still there, and have read all that was sent so far.
    #[track_caller]
    fn assert_alive(&mut self) {
        // With the same words as the last time, what was said then would be found at once.
        self.checks += 1;
        let (question, answer) = (
            format!("can you read me, {}?", self.checks),
            format!("loud and clear, {}", self.checks),
        );
        self.ada.say(&question);
        self.bob
            .wait_for_line("words", |line| line.contains(&question));
        let said = serde_json::json!({ "type": "say", "text": answer });
        self.bob.say(&said.to_string());
        self.ada.wait_for_message("bob", &answer);
        let is_about_links = |line: &String| {
            line.contains("did not read") || line.contains("connect") || line.contains("\"link\"")
        };
        for client in [&self.ada, &self.bob] {
            let lines = client.lines();
            assert!(!lines.iter().any(is_about_links), "{lines:#?}");
        }
        assert_eq!(self.relay.log(), [""; 0]);
    }

    /// Checks that neither of them was shown a line with `text` in it.
    #[track_caller]
    fn assert_silent(&self, text: &str) {
        for client in [&self.ada, &self.bob] {
            let lines = client.lines();
            assert!(!lines.iter().any(|line| line.contains(text)), "{lines:#?}");
        }
    }

    /// Checks that there were no more lines with `text` in them than so many: on a screen, in a log,
    /// and in what a script reads.
    #[track_caller]
    fn assert_lines(&self, text: &str, most: usize) {
        let log = std::fs::read_to_string(self.home.file("log")).expect("ada has a log");
        let log: Vec<String> = log.lines().map(str::to_owned).collect();
        for lines in [self.ada.lines(), self.bob.lines(), log] {
            let found = lines.iter().filter(|line| line.contains(text)).count();
            assert!(
                (1..=most).contains(&found),
                "{found} lines: {:#?}",
                &lines[..lines.len().min(20)]
            );
        }
    }
}

#[test]
fn a_statement_that_is_repeated_without_end_throws_nobody_out() {
    // With limits, the relay would take them one after the other for minutes: nothing is heard of mallory
    // then, and that is told.
    let mut scene = Besieged::begin(&["--max-blocks", "0", "--max-bytes", "0"]);
    let statement = scene.mallory.statement(Occasion::Beacon, 1);
    let frame = scene.mallory.state(&statement);
    scene.withstands((0..FLOOD).map(|_| frame.clone()));
    assert_eq!(scene.ada.warnings(), [""; 0]);
}

/// How many wrong signatures of one member are looked at and told: a few, and one a minute after that.
const LOOKED_AT: std::ops::RangeInclusive<u64> = 16..=20;

#[test]
fn wrong_signatures_without_end_are_two_lines_and_throw_nobody_out() {
    // With a limit of bytes, the relay would pass them on in more than a minute, and there would be a line
    // for each. Without one, all of it may have to wait for a slow reader.
    let mut scene = Besieged::begin(&["--max-bytes", "0", "--max-queue", "67108864"]);
    let frames: Vec<_> = (0..FLOOD).map(|number| scene.forged(number)).collect();
    scene.withstands(frames.into_iter());
    scene.assert_lines("something came under the name of mallory", 2);
    // None that was looked at is lost: what is not told by then is when the program ends.
    let Besieged { ada, bob, home, .. } = scene;
    let (shown, events) = (ada.leave().stdout, bob.leave().stdout);
    let log = std::fs::read_to_string(home.file("log")).expect("ada has a log");
    let times = |line: &str| -> u64 {
        let number = line.strip_suffix(" times in the last minute)");
        let number = number.and_then(|line| line.rsplit_once('('));
        number.map_or(1, |(_, number)| number.parse().expect("a number"))
    };
    for lines in [&shown, &log.lines().map(str::to_owned).collect()] {
        let alarms: Vec<&String> = lines.iter().filter(|line| line.contains("! ")).collect();
        let [first, others @ ..] = &alarms[..] else {
            panic!("no alarm: {lines:#?}");
        };
        assert!(first.ends_with("ask mallory to say it again"), "{first}");
        let others: u64 = others.iter().map(|line| times(line)).sum();
        assert!(LOOKED_AT.contains(&(1 + others)), "{alarms:#?}");
    }
    let events = events
        .iter()
        .map(|line| serde_json::from_str(line).expect("JSON"));
    let alarms = events.filter(|event: &serde_json::Value| event["type"] == "alarm");
    let (forged, others): (Vec<_>, Vec<_>) = alarms.partition(|alarm| alarm["nick"] == "mallory");
    assert!(forged.iter().all(|alarm| alarm["kind"] == "unopened"));
    let counts = forged
        .iter()
        .map(|alarm| alarm["count"].as_u64().unwrap_or(1));
    let counted: u64 = counts.sum();
    assert!(LOOKED_AT.contains(&counted), "{counted}");
    // Ada has gone before she could say of so many that they did not open: of what came after them she
    // has said nothing either.
    for alarm in others {
        assert_eq!(alarm["kind"], "undelivered", "{alarm}");
        let text = "not confirmed by ada, who has gone; say it again: loud and clear, 1";
        assert_eq!(alarm["text"], text);
    }
}

/// How many members flood the room together, and how many lines each of them has.
const FLOODERS: usize = 10;
const LINES: usize = 100;

#[test]
fn a_line_now_and_then_does_not_wait_behind_ten_members_who_flood() {
    let relay = Relay::start(&[]);
    let (mut ada, mut bob) = two_members(&relay);
    let mut flooders: Vec<Member> = (0..FLOODERS)
        .map(|number| {
            let nick = format!("flooder{number}");
            let flooder = Member::join_with(relay.address(), &nick, number % 3, &made_up_key());
            ada.meets(&nick);
            bob.meets(&nick);
            flooder
        })
        .collect();
    let is_flooder = |card: &Card| card.nick().as_str().starts_with("flooder");
    let line = |flooder: &Member, number| {
        let (header, body) = flooder.compose(number, "flood");
        let readers = flooder.others.iter().filter(|card| !is_flooder(card));
        let keys: Vec<_> = readers.map(|card| (card.sid(), card.session())).collect();
        SealedMessage::seal(&header, &body, flooder.identity(), &keys)
    };
    // They are made before, as that takes longer than to send them.
    let floods = flooders.iter_mut().map(|flooder| {
        let lines: Vec<_> = (0..)
            .take(LINES)
            .map(|number| line(flooder, number))
            .collect();
        (flooder, lines)
    });
    let floods: Vec<_> = floods.collect();
    thread::scope(|scope| {
        for (flooder, lines) in floods {
            scope.spawn(move || {
                for line in lines {
                    flooder.send(line);
                }
                flooder.wait_for_ack(LINES.try_into().expect("few"));
            });
        }
        ada.wait_for_line("the flood", |line| line.ends_with("> flood"));
        assert_chatting(&mut ada, &mut bob);
        ada.say("/ignore flooder0");
        let ignored = |line: &str| line.contains("flooder0") && line.contains("ignore");
        ada.wait_for_line("the answer", ignored);
    });
    let (all, lines) = (FLOODERS * LINES, bob.lines());
    let is_flood = |line: &&String| line.ends_with("> flood");
    let until = |text: &str| {
        let before = lines.iter().take_while(|line| !line.contains(text));
        before.filter(is_flood).count()
    };
    let words = ada.lines();
    let answered = words.iter().take_while(|line| !line.contains("here I am"));
    assert!(
        until("here I am") < all / 2,
        "{} of {all}",
        until("here I am")
    );
    assert!(answered.filter(is_flood).count() < all / 2);
    assert_chatting(&mut ada, &mut bob);
    assert_eq!(bob.lines().iter().filter(is_flood).count(), all);
    assert_eq!(relay.log(), [""; 0]);
    assert!(ada.leave().status.success() && bob.leave().status.success());
}

#[test]
fn statements_as_fast_as_they_can_be_made_throw_nobody_out() {
    let mut scene = Besieged::begin(&[]);
    // Each says that one more message is missing.
    let statements: Vec<_> = (1..1000)
        .map(|number| Statement {
            next: number,
            ..scene.mallory.statement(Occasion::Beacon, number)
        })
        .collect();
    let frames: Vec<_> = statements
        .iter()
        .map(|statement| scene.mallory.state(statement))
        .collect();
    scene.withstands(frames.into_iter());
    // They might still come for a while, but not after a goodbye. The first number that is seen is where
    // one begins to count.
    scene.assert_silent("from mallory did not arrive");
    let goodbye = scene.mallory.statement(Occasion::Goodbye, 1000);
    let goodbye = Statement {
        next: 999,
        ..goodbye
    };
    let goodbye = scene.mallory.state(&goodbye);
    assert!(scene.mallory.peer.write(&goodbye));
    scene
        .ada
        .wait_for_line("goodbye", |line| line == "* mallory left");
    scene.assert_alive();
    scene.assert_lines("998 messages from mallory did not arrive", 1);
}

#[test]
fn garbage_for_ciphertexts_throws_nobody_out() {
    let mut scene = Besieged::begin(&[]);
    let messages: Vec<_> = (0..600)
        .map(|number| {
            let (header, body) = scene.mallory.compose(number, "garbage");
            let mut message = scene.mallory.seal(&header, &body);
            for (_, ciphertext) in &mut message.parcels {
                ciphertext.fill(1);
            }
            message.frames().remove(0).encode()
        })
        .collect();
    scene.withstands(messages.into_iter());
    scene.assert_lines("something came under the name of mallory", 2);
}

#[test]
fn long_messages_without_a_pause_keep_nobody_from_reading_the_others() {
    let mut scene = Besieged::begin(&[]);
    let long = "x".repeat(4096);
    let messages: Vec<_> = (0..40)
        .map(|number| {
            let (header, body) = scene.mallory.compose(number, &long);
            scene
                .mallory
                .seal(&header, &body)
                .frames()
                .remove(0)
                .encode()
        })
        .collect();
    let start = Instant::now();
    scene.withstands(messages.into_iter());
    // Of 22 blocks each, 150 are there at once, and 300 come in a second.
    let took = start.elapsed();
    assert!(took >= Duration::from_secs(2), "{took:?}");
    assert_eq!(scene.ada.warnings(), [""; 0]);
}

#[test]
fn two_messages_for_each_place_throw_nobody_out() {
    let mut scene = Besieged::begin(&[]);
    let others: Vec<SessionId> = scene.mallory.others.iter().map(Card::sid).collect();
    let messages = others.iter().cycle().take(500).map(|reader| {
        // The relay looks at the numbers of messages to the room alone.
        let (header, body) = scene
            .mallory
            .compose_to(*reader, 0, "one thing, and another");
        let mut message = scene.mallory.seal(&header, &body);
        message.parcels.retain(|(to, _)| to == reader);
        message.frames().remove(0).encode()
    });
    let messages: Vec<_> = messages.collect();
    let again = messages.iter().cycle().take(5000).cloned();
    scene.withstands(again);
    scene.assert_lines("mallory has signed two different messages", 2);
}

#[test]
fn somebody_who_goes_away_and_comes_back_without_end_is_a_few_lines() {
    let mut scene = Besieged::begin(&[]);
    let messages: Vec<_> = (0..200)
        .map(|number| {
            let kind = [Kind::Away, Kind::Back][number % 2];
            let number = number.try_into().expect("few");
            let (header, body) = scene.mallory.compose_as(kind, number, "for a moment");
            scene
                .mallory
                .seal(&header, &body)
                .frames()
                .remove(0)
                .encode()
        })
        .collect();
    scene.withstands(messages.into_iter());
    scene.assert_lines("for a moment", 5);
    assert_eq!(scene.ada.warnings(), [""; 0]);
}

#[test]
fn nothing_is_shown_of_what_an_ignored_member_sends_and_the_audit_counts_it() {
    let mut scene = Besieged::begin(&[]);
    let ask = |bob: &mut Client, command: &str| {
        let request =
            format!("{{\"type\":\"command\",\"text\":\"{command}\",\"id\":\"{command}\"}}\n");
        bob.write(request.as_bytes());
        let id = format!("\"id\":\"{command}\"");
        let is_answer = |line: &str| line.contains(&id) && !line.contains("\"ack\"");
        bob.wait_for_line(command, is_answer)
    };
    ask(&mut scene.bob, "/ignore mallory");
    // After one more, hardly any signature of mallory's would be looked at.
    let count = 15;
    let forged: Vec<_> = (0..count).map(|number| scene.forged(number)).collect();
    let (header, body) = scene.mallory.compose_as(Kind::Away, count, "for a moment");
    let away = scene.mallory.seal(&header, &body).frames().remove(0);
    scene.withstands(forged.into_iter().chain([away.encode()]));
    let audit = ask(&mut scene.bob, "/audit");
    assert!(audit.contains(&format!(" ({count} times) ")), "{audit}");
    let lines = scene.bob.lines();
    let is_of_mallory = |line: &&String| line.contains("\"alarm\"") || line.contains("moment");
    assert_eq!(lines.iter().find(is_of_mallory), None);
    // Whoever ignores nobody is told.
    let heard = scene
        .ada
        .wait_for_line("away", |line| line.contains("moment"));
    assert_eq!(heard, "* mallory is away: for a moment");
}

#[test]
fn what_a_member_may_send_is_announced() {
    let limits = |options: &[&str]| {
        let relay = Relay::start(options);
        let mut peer = Peer::connect(relay.address());
        peer.write(&preamble(lobby().id()));
        let frame = peer.read().expect("a challenge");
        match ToClient::parse(&frame) {
            Ok(ToClient::Challenge(_, limits)) => (limits.blocks, limits.bytes),
            other => panic!("no challenge: {other:?}"),
        }
    };
    assert_eq!(limits(&[]), (5000, 4_194_304));
    let options = ["--max-blocks", "256", "--max-bytes", "0"];
    assert_eq!(limits(&options), (256, 0));
}

#[test]
fn limits_under_which_no_client_could_live_are_refused() {
    for option in [
        "--max-blocks=255",
        "--max-bytes=65535",
        "--max-bytes=-1",
        "--max-memory=200",
    ] {
        let ended = Home::new().run(&["serve", option]);
        ended.assert_misused(option.split('=').next().expect("a name"));
    }
    for option in [
        "--max-per-address=0",
        "--max-per-identity=0",
        "--joins-per-minute=0",
        "--stats=0",
    ] {
        let ended = Home::new().run(&["serve", option]);
        ended.assert_misused(option.split('=').next().expect("a name"));
    }
}

#[test]
fn to_keep_places_for_longer_than_can_be_is_refused_and_the_most_is_named() {
    let ended = Home::new().run(&["serve", "--grace", "43201"]);
    ended.assert_misused("43201 is not in 0..=43200");
}

#[test]
fn figures_are_logged_and_nothing_else_unless_asked_for() {
    let relay = Relay::start(&["--stats", "1"]);
    let mut ada = Client::join(relay.address(), "ada", &[]);
    let bob = Client::join(relay.address(), "bob", &[]);
    ada.wait_for_line("bob", |line| line.starts_with("* bob joined "));
    let _carol = Client::join(relay.address(), "carol", &["--room", "attic"]);
    Peer::connect(relay.address()).present(b"no card", SessionId([7; 32]), identity(0));
    relay.wait_for_log("figures", |line| {
        line.contains("now: 3 members, 2 rooms, 3 connections; since the start: 0 deliveries, ")
            && line.ends_with(" 0 dropped as slow, 1 refused")
    });
    ada.say("hello?");
    bob.wait_for_message("ada", "hello?");
    relay.wait_for_log("a delivery", |line| line.contains(": 1 deliveries, "));
    for line in relay.log() {
        assert!(line.contains(" now: "), "{line}");
    }
}

/// A relay that a shell starts after it has run this.
#[cfg(unix)]
fn relay_after(preparation: &str, options: &str) -> Relay {
    let home = Home::new();
    let mut command = Command::new("sh");
    home.isolate(&mut command);
    let program = tested_program();
    let script =
        format!("{preparation} && exec '{program}' serve --bind 127.0.0.1 --port 0 {options}");
    command.args(["-c", &script]);
    Relay::from_command(&mut command, home)
}

#[cfg(unix)]
#[test]
fn the_soft_limit_of_open_files_is_raised() {
    let relay = relay_after("ulimit -S -n 20", "--max-connections 60");
    let mut strangers: Vec<Peer> = (0..60).map(|_| Peer::connect(relay.address())).collect();
    for stranger in &mut strangers {
        assert_eq!(welcome(stranger), Welcome::Challenge);
    }
    assert_eq!(relay.log(), [""; 0]);
}

#[cfg(unix)]
#[test]
fn a_hard_limit_of_open_files_that_is_too_low_lowers_the_number_of_connections() {
    let relay = relay_after("ulimit -n 60", "--max-connections 1000");
    relay.wait_for_log("warning", |line| {
        line.contains("60 open files") && line.contains("not for 1000") && line.contains("ulimit")
    });
    let mut strangers: Vec<Peer> = (0..70).map(|_| Peer::connect(relay.address())).collect();
    let found: Vec<Welcome> = strangers.iter_mut().map(welcome).collect();
    assert!(found.contains(&Welcome::Challenge), "{found:?}");
    assert!(
        found.contains(&Welcome::Told(Notice::RelayFull)),
        "{found:?}"
    );
    // It never ran out of them.
    assert_eq!(relay.log().len(), 1, "{:#?}", relay.log());
}

#[cfg(target_os = "linux")]
#[test]
fn running_out_of_open_files_keeps_newcomers_waiting_and_members_in() {
    let relay = Relay::start(&["--handshake-timeout", "60"]);
    let (mut ada, mut bob) = two_members(&relay);
    // It has seen to its own limits by now, and counts on them.
    relay.limit_open_files(relay.belongings().descriptors + 4);
    let mut strangers = Vec::new();
    let reason = reason(Errno::EMFILE);
    let is_short = |line: &String| line.contains("cannot take newcomers") && line.contains(&reason);
    wait_for(
        || {
            strangers.push(Peer::connect(relay.address()));
            relay.log().iter().any(is_short).then_some(())
        },
        || format!("it never runs out of them: {:#?}", relay.log()),
    );
    assert_chatting(&mut ada, &mut bob);
    // Who waits is not lost: there is a place when others have gone.
    let mut last = strangers.pop().expect("a stranger");
    drop(strangers);
    assert_eq!(welcome(&mut last), Welcome::Challenge);
    relay.wait_for_log("end", |line| line.contains("newcomers are taken again"));
    let mut carol = Client::join(relay.address(), "carol", &[]);
    assert_chatting(&mut ada, &mut bob);
    assert_heard(&mut ada, "ada", &carol);
    for witness in [&ada, &bob] {
        assert_heard(&mut carol, "carol", witness);
    }
}

/// How many threads a user may have, and a user who has none.
#[cfg(target_os = "linux")]
const THREADS: &str = "--nproc=20";
#[cfg(target_os = "linux")]
const SOMEBODY: u32 = 54_321;

#[cfg(target_os = "linux")]
#[test]
fn running_out_of_threads_refuses_newcomers_and_keeps_members() {
    use std::os::unix::{fs::MetadataExt as _, process::CommandExt as _};
    let own = std::fs::metadata("/proc/self").expect("this is Linux");
    if own.uid() != 0 {
        // The limit counts all that a user runs, and only root can choose one who runs nothing.
        return;
    }
    let home = Home::new();
    let mut command = Command::new("prlimit");
    home.isolate(&mut command);
    command
        .uid(SOMEBODY)
        .current_dir("/")
        .args([THREADS, tested_program()])
        .args(["serve", "--bind", "127.0.0.1", "--port", "0"]);
    let relay = Relay::from_command(&mut command, home);
    let (mut ada, mut bob) = two_members(&relay);
    let mut strangers: Vec<Peer> = (0..40).map(|_| Peer::connect(relay.address())).collect();
    let found: Vec<Welcome> = strangers.iter_mut().map(welcome).collect();
    assert!(found.contains(&Welcome::Challenge), "{found:?}");
    assert!(found.contains(&Welcome::Nothing), "{found:?}");
    relay.wait_for_log("warning", |line| {
        line.contains("cannot take newcomers") && line.contains("members stay")
    });
    assert_chatting(&mut ada, &mut bob);
    drop(strangers);
    wait_for(
        || (welcome(&mut Peer::connect(relay.address())) == Welcome::Challenge).then_some(()),
        || "nobody gets in any more".into(),
    );
    assert_chatting(&mut ada, &mut bob);
}

/// Two addresses beside the one from which our clients come.
const ELSEWHERE: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);
const FAR_AWAY: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 3);

/// Longer than a test waits for anything.
const LONG_GRACE: [&str; 2] = ["--grace", "600"];

/// Enters from an address, with any session key.
fn enter_from(
    source: Ipv4Addr,
    relay: &Relay,
    nick: &str,
    identity: usize,
) -> Result<Member, Notice> {
    let peer = Peer::connect_from(source, relay.address());
    Member::enter(peer, nick, identity, &made_up_key(), None)
}

/// Enters from an address and breaks off, so that the place is kept.
fn break_off(source: Ipv4Addr, relay: &Relay, nick: &str, identity: usize) -> Result<(), Notice> {
    let member = enter_from(source, relay, nick, identity)?;
    drop(member);
    Ok(())
}

/// Has each of these enter and break off, one after the other, so that the first place has been empty
/// longest.
fn break_off_in_turn(source: Ipv4Addr, relay: &Relay, nicks: &[&str]) {
    for (number, nick) in nicks.iter().enumerate() {
        let before = relay.belongings().descriptors;
        break_off(source, relay, nick, number).expect("there is room");
        wait_for(
            || (relay.belongings().descriptors <= before).then_some(()),
            || format!("the connection of {nick} is not noticed to be broken"),
        );
    }
}

/// Enters and breaks off so many times, with as many identities as it takes and different nicks.
fn break_off_often(source: Ipv4Addr, relay: &Relay, prefix: &str, times: usize) {
    for number in 0..times {
        // It is not let in where everything is taken.
        let _ = break_off(source, relay, &format!("{prefix}-{number:x}"), number / 8);
    }
}

fn lost(nick: &str) -> String {
    format!("* {nick} lost the connection")
}

#[track_caller]
fn wait_for_loss(witness: &Client, nick: &str) {
    witness.wait_for_line("loss", |line| line == lost(nick));
}

/// Waits until a relay that was started with `--stats 1` counts so many members.
#[track_caller]
fn wait_for_members(relay: &Relay, members: usize) {
    let now = format!(" now: {members} members, ");
    wait_for(
        || relay.log().last()?.contains(&now).then_some(()),
        || format!("not{now}{:#?}", relay.log().last()),
    );
}

#[test]
fn nobody_fills_a_room_from_one_address_with_members_who_are_gone() {
    let relay = Relay::start(&["--stats", "1"]);
    let (mut ada, mut bob) = two_members(&relay);
    break_off_often(ELSEWHERE, &relay, "ghost", 250);
    let mut carol = Client::join(relay.address(), "carol", &[]);
    assert_heard(&mut carol, "carol", &ada);
    // As many as there may be connections from there.
    wait_for_members(&relay, 100 + 3);
    // Nor from the address from which the others come, and these lose nothing by it.
    break_off_often(Ipv4Addr::LOCALHOST, &relay, "shade", 200);
    let mut dave = Client::join(relay.address(), "dave", &[]);
    assert_heard(&mut dave, "dave", &bob);
    wait_for_members(&relay, 200);
    assert_chatting(&mut ada, &mut bob);
}

#[test]
fn a_place_is_kept_while_nobody_needs_it_and_gives_way_when_the_room_is_full() {
    let options = ["--max-members", "6", "--stats", "1"];
    let relay = Relay::start(&[&options[..], &LONG_GRACE].concat());
    let (ada, bob) = two_members(&relay);
    break_off_in_turn(ELSEWHERE, &relay, &["first", "second", "third", "fourth"]);
    ada.wait_for_line("the last", |line| line.starts_with("* fourth joined "));
    wait_for_members(&relay, 6);
    assert!(
        !ada.lines()
            .iter()
            .any(|line| line.contains("lost the connection"))
    );
    // Nobody gives up anything for somebody who cannot come in.
    let taken = enter_from(FAR_AWAY, &relay, "ADA", 7);
    assert_eq!(taken.err(), Some(Notice::NickTaken));
    let mut carol = Client::join(relay.address(), "carol", &[]);
    for witness in [&ada, &bob] {
        wait_for_loss(witness, "first");
    }
    assert_heard(&mut carol, "carol", &ada);
    // Now three of each address are there: nobody from this one may have more than the other, but
    // somebody from another one may come, and one from theirs may take the place of theirs.
    let refused = Client::start(relay.address(), "dave", &[]).ended();
    refused.assert_failure(&format!(
        "the room is full: the relay lets 6 into a room ({})",
        relay.address()
    ));
    assert!(!ada.lines().contains(&lost("second")));
    let far = enter_from(FAR_AWAY, &relay, "far", 4).expect("another gives way");
    wait_for_loss(&ada, "second");
    let back = enter_from(ELSEWHERE, &relay, "fifth", 5).expect("another gives way");
    wait_for_loss(&ada, "third");
    assert_eq!(
        enter_from(FAR_AWAY, &relay, "farther", 6).err(),
        Some(Notice::RoomFull)
    );
    assert!(!ada.lines().contains(&lost("fourth")));
    // Whoever is there gives way to nobody.
    drop((far, back));
    assert_eq!(ada.warnings(), [""; 0]);
    assert_eq!(bob.leave().code(), Some(0));
}

#[test]
fn strangers_do_not_drive_out_a_member_whose_connection_broke() {
    let relay = Relay::start(&[&["--max-members", "6"][..], &LONG_GRACE].concat());
    let mut ada = Client::join(relay.address(), "ada", &[]);
    break_off(FAR_AWAY, &relay, "honest", 0).expect("there is room");
    break_off_often(ELSEWHERE, &relay, "ghost", 50);
    let _present: Vec<Member> = (0..50)
        .filter_map(|number| {
            let nick = format!("ghost-{:x}", 100 + number);
            enter_from(ELSEWHERE, &relay, &nick, 1 + number / 8).ok()
        })
        .collect();
    // What comes before her own words has come.
    ada.say("who was that?");
    ada.wait_for_message("ada", "who was that?");
    let lines = ada.lines();
    assert!(lines.contains(&lost("ghost-0")), "{lines:#?}");
    assert!(!lines.contains(&lost("honest")), "{lines:#?}");
}

#[test]
fn a_place_gives_way_when_the_relay_is_full_in_whatever_room_it_is() {
    let relay = Relay::start(&[&["--max-connections", "6"][..], &LONG_GRACE].concat());
    let (ada, _bob) = two_members(&relay);
    break_off_in_turn(ELSEWHERE, &relay, &["first", "second", "third", "fourth"]);
    ada.wait_for_line("the last", |line| line.starts_with("* fourth joined "));
    let carol = Client::join(relay.address(), "carol", &["--room", "attic"]);
    wait_for_loss(&ada, "first");
    assert_eq!(carol.leave().code(), Some(0));
}

#[test]
fn nobody_gives_way_for_a_member_who_takes_the_own_place() {
    let relay = Relay::start(&[&["--max-connections", "4"][..], &LONG_GRACE].concat());
    let (mut ada, _bob) = two_members(&relay);
    break_off_in_turn(ELSEWHERE, &relay, &["other", "mover"]);
    ada.wait_for_line("the last", |line| line.starts_with("* mover joined "));
    for _ in 0..3 {
        // As the program does that is started anew: with another session key.
        break_off(ELSEWHERE, &relay, "mover", 1).expect("the own place is there");
    }
    ada.say("who was that?");
    ada.wait_for_message("ada", "who was that?");
    assert!(!ada.lines().contains(&lost("other")), "{:#?}", ada.lines());
}

#[test]
fn a_place_counts_for_the_address_from_which_its_member_came_last() {
    let relay = Relay::start(&[&["--max-per-address", "1"][..], &LONG_GRACE].concat());
    // The only one from here.
    let ada = Client::join(relay.address(), "ada", &[]);
    let key = made_up_key();
    let from = |source| Peer::connect_from(source, relay.address());
    let joined = Member::enter(from(ELSEWHERE), "mover", 0, &key, None).expect("there is room");
    let place = joined.joined;
    drop(joined);
    let moved = wait_for(
        || Member::enter(from(FAR_AWAY), "mover", 0, &key, Some(place)).ok(),
        || "the member does not get back".into(),
    );
    break_off(ELSEWHERE, &relay, "other", 1).expect("there is room");
    ada.wait_for_line("other", |line| line.starts_with("* other joined "));
    drop(moved);
    let third = wait_for(
        || enter_from(FAR_AWAY, &relay, "third", 2).ok(),
        || "the connection that broke still counts".into(),
    );
    wait_for_loss(&ada, "mover");
    assert!(!ada.lines().contains(&lost("other")));
    drop(third);
}

#[test]
fn one_identity_has_few_places_in_a_room() {
    let relay = Relay::start(&LONG_GRACE);
    let ada = Client::join(relay.address(), "ada", &[]);
    let mut members: Vec<Member> = (0..8)
        .map(|number| enter_from(ELSEWHERE, &relay, &format!("many-{number:x}"), 0))
        .collect::<Result<_, _>>()
        .expect("there is room");
    let ninth = || enter_from(FAR_AWAY, &relay, "ninth", 0);
    assert_eq!(ninth().err(), Some(Notice::IdentityFull));
    // Those whose connection broke count, too; another identity has its own.
    drop(members.pop());
    assert_eq!(ninth().err(), Some(Notice::IdentityFull));
    enter_from(ELSEWHERE, &relay, "another", 1).expect("there is room");
    // Whoever comes again under the same nick takes the own place.
    let again = enter_from(FAR_AWAY, &relay, "many-7", 0).expect("the own place is there");
    drop(again);
    let mut first = members.remove(0);
    let goodbye = first.state(&first.statement(Occasion::Goodbye, 1));
    assert!(first.peer.write(&goodbye));
    ada.wait_for_line("goodbye", |line| line == "* many-0 left");
    ninth().expect("one has gone");
}

#[test]
fn a_client_whose_identity_is_there_too_many_times_is_told_what_to_do() {
    let relay = Relay::start(&["--max-per-identity", "1"]);
    let home = Home::new();
    let (identity, _) = home.identity("ada.pem");
    let options = ["--identity", &identity];
    let ada = Client::join_from(&home, relay.address(), "ada", &options);
    let address = relay.address().to_string();
    let own = ["join", &address, "--nick", "lovelace"];
    let refused = home.run(&[&own[..], &options].concat());
    refused.assert_failure(&format!(
        "this identity is in the room too many times already ({address})"
    ));
    assert!(refused.stderr[1].starts_with("  leave it with another client"));
    let elsewhere = [&options[..], &["--room", "attic"]].concat();
    let attic = Client::join_from(&home, relay.address(), "lovelace", &elsewhere);
    assert_eq!(attic.leave().code(), Some(0));
    assert_eq!(ada.leave().code(), Some(0));
    let lovelace = Client::join_from(&home, relay.address(), "lovelace", &options);
    assert_eq!(lovelace.leave().code(), Some(0));
}

/// The longest entry in a room of 200, to be sent again and again under numbers that go up.
fn longest_entry(member: &Member, number: u64) -> Vec<u8> {
    let (mut header, _) = member.compose(number, "much ado");
    header.left_out = (0..=200)
        .map(|number| (SessionId([number; 32]), LeftOutFor::Coming))
        .collect();
    Frame::send(&header.encode(), &[0; 512], Part::Last, &[]).encode()
}

#[test]
fn long_entries_without_end_do_not_throw_out_whoever_reads_a_megabyte_a_second() {
    let relay = Relay::start(&[]);
    let mut slow = Member::join(relay.address(), "slow", 1);
    let mut flood = Member::join(relay.address(), "flood", 0);
    let start = Instant::now();
    let flooding = thread::spawn(move || {
        let all = (0..4000).map(|number| longest_entry(&flood, number));
        let all: Vec<u8> = all.flatten().collect();
        // It ends when the relay does.
        flood.peer.write(&all)
    });
    let (mut bytes, mut counted) = (0, 0);
    while start.elapsed() < Duration::from_secs(8) {
        let Some(frame) = slow.peer.read() else {
            panic!("hung up after {:?} and {bytes} bytes", start.elapsed());
        };
        assert!(
            !matches!(ToClient::parse(&frame), Ok(ToClient::Notice(_))),
            "dropped"
        );
        bytes += frame.len();
        counted += u64::from(is_counted_frame(&frame));
        slow.peer.write(&Frame::ack(counted).encode());
        let due = Duration::from_micros(u64::try_from(bytes).expect("few"));
        thread::sleep(due.saturating_sub(start.elapsed()));
    }
    assert!(bytes > 1_000_000, "the flood was one: {bytes}");
    drop(relay);
    flooding.join().expect("it writes until then");
}
