//! People talk while their connections break, and while the relay dies: what each of them is shown
//! is compared with what was said.
//!
//! `E2ECHAT_SEED=N` repeats a run, as far as the machine's own timing lets it. The large one:
//! `cargo test --release --test client -- --ignored`

use std::iter::{once, repeat_n};
use std::net::SocketAddr;
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;

use crate::support::chaos::{GENEROUS, meanwhile, seed};
use crate::support::process::{Belongings, Client, DEADLINE, Relay, wait_for, wait_within};
use crate::support::storm::Storm;

/// Somebody in the room, and how much they have said.
struct Speaker {
    nick: String,
    client: Client,
    said: usize,
}

impl Speaker {
    fn say_next(&mut self) {
        let text = format!("message {}", self.said);
        self.client.say(&text);
        self.said += 1;
    }

    /// The numbers of the messages of `nick`'s that are on the screen, each with whether it is shown as
    /// written some time ago.
    fn marked_numbers(&self, nick: &str) -> Vec<(usize, bool)> {
        let begin = format!("<{nick}> message ");
        let lines = self.client.lines();
        let following = lines.iter().skip(1).map(Some).chain([None]);
        let is_mark = |line: &String| {
            line.starts_with("* written ") && line.ends_with(&format!(" ago by {nick}'s clock"))
        };
        let shown = lines.iter().zip(following).filter_map(|(line, next)| {
            let (_, words) = line.split_once(' ')?;
            let number = words.strip_prefix(&begin)?;
            Some((number.parse().expect("a number"), next.is_some_and(is_mark)))
        });
        shown.collect()
    }

    /// The numbers of the messages of `nick`'s that are on the screen.
    fn numbers(&self, nick: &str) -> Vec<usize> {
        let marked = self.marked_numbers(nick).into_iter();
        marked.map(|(number, _)| number).collect()
    }

    /// How many messages of `nick`'s are shown as written some time ago.
    fn late(&self, nick: &str) -> usize {
        let marked = self.marked_numbers(nick).into_iter();
        marked.filter(|(_, is_late)| *is_late).count()
    }

    /// How many messages of `nick`'s were said to be missing.
    fn missing(&self, nick: &str) -> usize {
        let (one, many) = (
            format!("! a message from {nick} did not arrive: "),
            format!(" messages from {nick} did not arrive: "),
        );
        let count = |line: &String| {
            if line.starts_with(&one) {
                return Some(1);
            }
            let (count, _) = line.strip_prefix("! ")?.split_once(&many)?;
            count.parse().ok()
        };
        self.client.lines().iter().filter_map(count).sum()
    }

    /// How many messages of `nick`'s came while this one was out of the room, as it was told.
    fn meanwhile(&self, nick: &str) -> usize {
        let lines = self.client.lines().into_iter();
        let told = lines.filter(|line| line.starts_with("* you were out of the room for "));
        let counts = told.flat_map(|line| meanwhile(&line));
        let of_nick = counts.filter(|(_, author)| author == nick);
        of_nick.map(|(count, _)| count).sum()
    }

    /// How many messages of `nick`'s this one knows of: they are shown, or it was told that they are not.
    fn knows_of(&self, nick: &str) -> usize {
        self.numbers(nick).len() + self.missing(nick) + self.meanwhile(nick)
    }

    /// The warnings that are not of missing messages.
    fn alarms(&self) -> Vec<String> {
        let mut warnings = self.client.warnings();
        warnings.retain(|line| !line.contains("did not arrive: the relay has lost"));
        warnings
    }
}

/// Starts clients, each at the address that is the relay's for it, and waits until everybody sees
/// everybody.
fn gather(relays: impl IntoIterator<Item = SocketAddr>) -> Vec<Speaker> {
    let mut speakers: Vec<Speaker> = Vec::new();
    for (number, relay) in relays.into_iter().enumerate() {
        let nick = format!("speaker-{number}");
        let client = Client::join(relay, &nick, &[]);
        for other in &speakers {
            other.client.meets(&nick);
        }
        speakers.push(Speaker {
            nick,
            client,
            said: 0,
        });
    }
    // Nobody has heard of another's numbers before this.
    speakers.iter_mut().for_each(Speaker::say_next);
    assert_complete(&speakers);
    speakers
}

/// Waits until what everybody was shown and what they were told that they are not is all that was said, and
/// checks that it came once, and in order: what comes after something later is shown as written some time
/// ago.
#[track_caller]
fn assert_complete(speakers: &[Speaker]) {
    for reader in speakers {
        for Speaker { nick, said, .. } in speakers {
            // Those that are not shown are told of together, when a minute is over.
            wait_within(
                2 * DEADLINE,
                || (reader.knows_of(nick) >= *said).then_some(()),
                || {
                    let (own, lines) = (&reader.nick, reader.client.lines());
                    format!("{own} does not know of {said} messages of {nick}: {lines:#?}")
                },
            );
        }
    }
    for reader in speakers {
        for Speaker { nick, said, .. } in speakers {
            let (own, lines) = (&reader.nick, reader.client.lines());
            let mut numbers = reader.numbers(nick);
            let mut highest = None;
            for (number, is_late) in reader.marked_numbers(nick) {
                let is_in_order = highest < Some(number);
                assert!(
                    is_in_order || is_late,
                    "{own} of {nick}: {numbers:?} {lines:#?}"
                );
                highest = highest.max(Some(number));
            }
            numbers.sort_unstable();
            let is_once = numbers.is_sorted_by(|one, next| one < next);
            assert!(is_once, "{own} of {nick}: {numbers:?} {lines:#?}");
            let known = reader.knows_of(nick);
            assert_eq!(known, *said, "{own} of {nick}: {numbers:?} {lines:#?}");
        }
        assert_eq!(reader.alarms(), [""; 0], "{:#?}", reader.client.lines());
    }
}

fn belongings(relay: &Relay, speakers: &[Speaker]) -> Vec<Belongings> {
    let clients = speakers.iter().map(|speaker| speaker.client.belongings());
    clients.chain([relay.belongings()]).collect()
}

/// Has everybody leave, and checks that nothing was left over for it.
fn disperse(relay: Relay, speakers: Vec<Speaker>) {
    for speaker in speakers {
        let ended = speaker.client.leave();
        assert_eq!(ended.code(), Some(0), "{ended:#?}");
    }
    let ended = relay.end(Signal::SIGTERM);
    assert_eq!(ended.code(), Some(0), "{ended:#?}");
}

/// So many people say so many things each, while at least so many connections are broken.
fn talk_in_a_storm(people: usize, messages: usize, blows: usize) {
    let seed = seed();
    let relay = Relay::start(&GENEROUS);
    let storm = Storm::start(relay.address(), seed);
    let mut speakers = gather(repeat_n(storm.address(), people));
    let before = belongings(&relay, &speakers);

    let start = Instant::now();
    storm.rage(true);
    // As many as are due, so that the last one is said at about the last blow.
    while storm.blows() < blows || speakers.iter().any(|speaker| speaker.said <= messages) {
        let due = messages * storm.blows() / blows + 2;
        for speaker in &mut speakers {
            if speaker.said < due.min(messages + 1) {
                speaker.say_next();
            }
        }
        thread::sleep(Duration::from_millis(5));
    }
    storm.rage(false);
    let raged = start.elapsed();

    assert_complete(&speakers);
    for speaker in &speakers {
        assert_eq!(speaker.client.warnings(), [""; 0]);
        // They all go on where their connections broke.
        for Speaker { nick, .. } in &speakers {
            assert!(speaker.numbers(nick).is_sorted(), "{nick}");
            assert_eq!(speaker.meanwhile(nick), 0, "{nick}");
        }
    }
    wait_for(
        || (belongings(&relay, &speakers) == before).then_some(()),
        || {
            let after = belongings(&relay, &speakers);
            format!("{before:#?} before, and now {after:#?}")
        },
    );
    let (blows, all) = (storm.blows(), start.elapsed());
    println!(
        "{people} people, {messages} messages each, {blows} blows in {raged:?}, {all:?} in all"
    );
    disperse(relay, speakers);
}

#[test]
fn nothing_is_lost_in_a_storm() {
    talk_in_a_storm(5, 100, 60);
}

#[test]
#[ignore = "it takes minutes"]
fn nothing_is_lost_in_a_long_storm() {
    talk_in_a_storm(10, 1000, 600);
}

/// How much each says before the relay dies, and how much after that.
const ROUNDS: usize = 10;

/// So many people talk while the relay is killed so many times. For one of them the relay is silent
/// for a while before: what the others say then dies with the relay, and is sent to that one again.
fn talk_to_a_mortal_relay(people: usize, deaths: usize) {
    let seed = seed();
    let mut relay = Relay::start(&GENEROUS);
    let address = relay.address();
    let port = address.port().to_string();
    let place = ["--bind", "127.0.0.1", "--port", &port];
    let storm = Storm::start(address, seed);
    let mut speakers = gather(repeat_n(address, people - 1).chain(once(storm.address())));
    let speak = |speakers: &mut [Speaker], rounds: usize| {
        for _ in 0..rounds {
            speakers.iter_mut().for_each(Speaker::say_next);
            thread::sleep(Duration::from_millis(3));
        }
    };
    for death in 1..=deaths {
        storm.swallow(true);
        speak(&mut speakers, ROUNDS);
        thread::sleep(Duration::from_millis(200));
        relay.signal(Signal::SIGKILL);
        speak(&mut speakers, ROUNDS);
        relay.ended();
        // What they say is for those whom they saw last, and is under way before anybody is back.
        for speaker in &speakers {
            let last = format!("<{}> message {}", speaker.nick, speaker.said - 1);
            speaker
                .client
                .wait_for_line(&last, |line| line.ends_with(&last));
        }
        storm.swallow(false);
        relay = Relay::start_with(&[&place[..], &GENEROUS].concat());
        for speaker in &speakers {
            wait_for(
                || (returns(speaker, people) == death).then_some(()),
                || {
                    format!(
                        "{} is not back: {:#?}",
                        speaker.nick,
                        speaker.client.lines()
                    )
                },
            );
        }
    }
    speak(&mut speakers, 1);
    assert_complete(&speakers);
    // All that the relay took with it has come all the same. What was said after it died is late in any
    // case.
    let silenced = &speakers[people - 1];
    let mut late = 0;
    for other in &speakers {
        for reader in &speakers {
            assert_eq!(reader.missing(&other.nick), 0, "of {}", other.nick);
            late += reader.late(&other.nick);
        }
        let is_real = other.nick == silenced.nick || silenced.late(&other.nick) > ROUNDS * deaths;
        assert!(is_real, "no words of {} died with the relay", other.nick);
    }
    println!("{people} people, {deaths} deaths, {late} deliveries late, none missing");
    let before = speakers[0].said;
    speak(&mut speakers, 5);
    for reader in &speakers {
        for other in &speakers {
            for number in before..before + 5 {
                let text = format!("message {number}");
                reader.client.wait_for_message(&other.nick, &text);
            }
        }
    }
    disperse(relay, speakers);
}

/// How often somebody was told that everybody is there again.
fn returns(speaker: &Speaker, people: usize) -> usize {
    let is_return = |line: &&String| {
        let here = line.strip_prefix("* connected again; here: ");
        let all = here.is_some_and(|here| here.split(", ").count() == people - 1);
        all || *line == "* everybody is back"
    };
    speaker.client.lines().iter().filter(is_return).count()
}

#[test]
fn a_relay_that_dies_takes_nothing_with_it_in_silence() {
    talk_to_a_mortal_relay(4, 3);
}

#[test]
#[ignore = "it takes minutes"]
fn a_relay_that_dies_often_takes_nothing_with_it_in_silence() {
    talk_to_a_mortal_relay(10, 20);
}

/// So many people come back to a relay that is killed, all of whom notice it at once: at a relay that
/// takes no more connections than there are people, nobody is refused, and nobody is alarmed.
fn come_back_together(people: usize) {
    let connections = people.to_string();
    let limits = ["--max-connections", &connections, "--stats", "1"];
    let relay = Relay::start(&[&GENEROUS[..], &limits].concat());
    let address = relay.address();
    let speakers: Vec<Speaker> = (0..people)
        .map(|number| {
            let nick = format!("speaker-{number}");
            let client = Client::join(address, &nick, &[]);
            Speaker {
                nick,
                client,
                said: 0,
            }
        })
        .collect();
    let last = format!("speaker-{}", people - 1);
    for speaker in &speakers[..people - 1] {
        speaker.client.meets(&last);
    }
    relay.signal(Signal::SIGKILL);
    relay.ended();
    let start = Instant::now();
    let port = address.port().to_string();
    let place = ["--bind", "127.0.0.1", "--port", &port];
    let relay = Relay::start_with(&[&place[..], &GENEROUS, &limits].concat());
    for speaker in &speakers {
        let name = &speaker.nick;
        wait_for(
            || (returns(speaker, people) == 1).then_some(()),
            || format!("{name} is not back: {:#?}", speaker.client.lines()),
        );
        assert_eq!(speaker.alarms(), [""; 0]);
    }
    println!("{people} people are back after {:.1?}", start.elapsed());
    for line in relay.log() {
        println!("{line}");
        assert!(line.ends_with(" 0 dropped as slow, 0 refused"), "{line}");
    }
}

#[test]
fn twenty_come_back_together() {
    come_back_together(20);
}

#[test]
#[ignore = "it takes minutes"]
fn two_hundred_come_back_together() {
    come_back_together(200);
}
