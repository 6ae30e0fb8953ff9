//! Programs talk while the relay is killed at random, or while no place is kept for anybody: each message
//! reaches each of its readers exactly once, or its author is told by name whom it has not reached.
//!
//! `E2ECHAT_SEED=N` repeats a run, as far as the machine's own timing lets it.

use std::collections::{BTreeMap, BTreeSet};
use std::iter::repeat_n;
use std::net::SocketAddr;
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use serde_json::{Value, json};

use super::bot::Bot;
use super::support::chaos::{GENEROUS, meanwhile, seed};
use super::support::process::{DEADLINE, Relay, wait_for, wait_within};
use super::support::storm::Storm;

/// How long a relay lives and stays away, at most.
const LIFE: Duration = Duration::from_secs(4);
const ABSENCE: Duration = Duration::from_millis(1500);

/// How long it takes at most until what became of a message is told: who does not come back is waited for
/// for five minutes.
const TOLD_WITHIN: Duration = Duration::from_mins(6);

/// A program in the room.
struct Speaker {
    nick: String,
    bot: Bot,
    /// How many lines it had written when it was asked for each of its messages.
    asked: Vec<usize>,
}

impl Speaker {
    fn say_next(&mut self) {
        let number = self.asked.len();
        self.asked.push(self.bot.lines().len());
        let text = format!("message {number}");
        self.bot
            .ask(&json!({"type": "say", "text": text, "id": number.to_string()}));
    }

    /// What it has told so far.
    fn story(&self) -> Story {
        let mut story = Story::default();
        for (place, line) in self.bot.lines().iter().enumerate() {
            let event: Value = serde_json::from_str(line).expect("a line is an event");
            story.take(place, &event);
        }
        story
    }
}

/// What a program has told.
#[derive(Debug, Default)]
struct Story {
    /// By the numbers of its messages: in which line it was told that the relay has it, how many readers it
    /// has, whether they have all confirmed it, and whom it has not reached.
    own: BTreeMap<usize, Fate>,
    /// The numbers of the messages that it has shown, by author, in their order; with whether they were
    /// shown as written before.
    shown: BTreeMap<String, Vec<(usize, bool)>>,
    /// In which line it was told that these are not there any more, or that they are.
    presence: BTreeMap<String, Vec<(usize, bool)>>,
    /// How many messages came while it was out of the room, by author.
    meanwhile: BTreeMap<String, usize>,
    /// What must not be.
    wrong: Vec<Value>,
}

#[derive(Clone, Debug, Default)]
struct Fate {
    taken: Option<(usize, usize)>,
    is_confirmed: bool,
    undelivered: BTreeSet<String>,
}

impl Story {
    fn take(&mut self, place: usize, event: &Value) {
        let text = |name: &str| event[name].as_str().unwrap_or_default().to_owned();
        let number = |text: &str| text.parse::<usize>().ok();
        let nick = text("nick");
        match (text("type").as_str(), text("kind").as_str()) {
            ("message", _) => {
                let said = text("text");
                let number = said.strip_prefix("message ").and_then(number);
                let is_late = event.get("written").is_some();
                let shown = self.shown.entry(nick).or_default();
                shown.push((number.expect("a number"), is_late));
            }
            ("ack", _) => {
                let readers = event["readers"].as_u64().expect("a message was asked for");
                let readers = usize::try_from(readers).unwrap();
                self.own_message(event).taken = Some((place, readers));
            }
            ("confirmed", _) => {
                let fate = self.own_message(event);
                assert!(!fate.is_confirmed, "twice: {event}");
                fate.is_confirmed = true;
            }
            ("alarm", "undelivered") => {
                let fate = self.own_message(event);
                for nick in event["nicks"].as_array().expect("nicks") {
                    let is_news = fate.undelivered.insert(nick.as_str().unwrap().to_owned());
                    assert!(is_news, "twice: {event}");
                }
            }
            ("notice", "meanwhile") => {
                for (count, nick) in meanwhile(&text("text")) {
                    *self.meanwhile.entry(nick).or_default() += count;
                }
            }
            // It may be so, where no place is kept.
            ("alarm", "cut-off") => {}
            ("alarm" | "error", _) => self.wrong.push(event.clone()),
            ("join" | "return", _) => self.note(nick, place, true),
            ("leave", _) => self.note(nick, place, false),
            ("here", _) => {
                for person in event["people"].as_array().expect("people") {
                    self.note(person["nick"].as_str().unwrap().to_owned(), place, true);
                }
            }
            _ => {}
        }
    }

    fn note(&mut self, nick: String, place: usize, is_there: bool) {
        self.presence
            .entry(nick)
            .or_default()
            .push((place, is_there));
    }

    fn own_message(&mut self, event: &Value) -> &mut Fate {
        let id = event["id"].as_str().expect("each message has an id");
        self.own.entry(id.parse().expect("a number")).or_default()
    }

    /// Whether a message of this author's is shown.
    fn shows(&self, author: &str, number: usize) -> bool {
        let shown = self.shown.get(author);
        shown.is_some_and(|shown| shown.iter().any(|(it, _)| *it == number))
    }

    /// How many messages of this author's came while this program was out of the room.
    fn meanwhile(&self, author: &str) -> usize {
        self.meanwhile.get(author).copied().unwrap_or_default()
    }

    /// Whether it was told that somebody was not there, at some time between these lines.
    fn was_without(&self, nick: &str, from: usize, to: usize) -> bool {
        let changes = self.presence.get(nick).map_or(&[][..], Vec::as_slice);
        let before = changes.iter().rfind(|(place, _)| *place < from);
        let within = changes
            .iter()
            .filter(|(place, _)| (from..to).contains(place));
        before
            .into_iter()
            .chain(within)
            .any(|(_, is_there)| !is_there)
    }
}

/// Starts programs, each at the address that is the relay's for it, and waits until everybody has seen and
/// confirmed the first message of everybody.
fn gather(relays: impl IntoIterator<Item = SocketAddr>) -> Vec<Speaker> {
    let mut speakers: Vec<Speaker> = Vec::new();
    for (number, relay) in relays.into_iter().enumerate() {
        let nick = format!("speaker-{number}");
        let bot = Bot::join(relay, &nick, &[]);
        for other in &speakers {
            other.bot.wait_for(&json!({"type": "join", "nick": nick}));
        }
        let asked = Vec::new();
        speakers.push(Speaker { nick, bot, asked });
    }
    speakers.iter_mut().for_each(Speaker::say_next);
    let readers = speakers.len() - 1;
    for speaker in &speakers {
        let bot = &speaker.bot;
        bot.wait_for(&json!({"type": "confirmed", "id": "0", "readers": readers}));
    }
    speakers
}

fn tell(speakers: &[Speaker]) -> BTreeMap<&str, Story> {
    let told = speakers.iter().map(|it| (it.nick.as_str(), it.story()));
    told.collect()
}

/// The messages of somebody of which something is still open: neither shown to a reader nor told as
/// undelivered.
fn open(author: &Speaker, stories: &BTreeMap<&str, Story>) -> Vec<String> {
    let own = &stories[author.nick.as_str()].own;
    let mut open = Vec::new();
    for number in 0..author.asked.len() {
        let fate = own.get(&number).cloned().unwrap_or_default();
        let shown = shown_to(&author.nick, number, stories);
        let is_known = fate.is_confirmed || !fate.undelivered.is_empty();
        let is_over = fate.taken.is_some_and(|(_, readers)| {
            readers == 0 || is_known && shown + fate.undelivered.len() >= readers
        });
        if !is_over {
            open.push(format!("{number}: shown to {shown}, {fate:?}"));
        }
    }
    open
}

/// To how many a message of this author's is shown.
fn shown_to(author: &str, number: usize, stories: &BTreeMap<&str, Story>) -> usize {
    let stories = stories.values();
    stories.filter(|it| it.shows(author, number)).count()
}

/// Waits until it is known of each message what has become of it at each reader, and checks that this is
/// so: it is shown there once, in order or as written before, or its author was told by name that it is
/// not, and not both. Who is no reader had left, as the author was told. Returns the stories.
#[track_caller]
fn assert_confirmed_or_named(speakers: &[Speaker]) -> BTreeMap<&str, Story> {
    for author in speakers {
        let look = || {
            thread::sleep(Duration::from_millis(200));
            open(author, &tell(speakers))
        };
        wait_within(
            TOLD_WITHIN,
            || look().is_empty().then_some(()),
            || format!("of {}: {:#?}", author.nick, look()),
        );
    }
    let stories = tell(speakers);
    for author in speakers {
        let own = &stories[author.nick.as_str()];
        assert_eq!(own.wrong, [Value::Null; 0], "{}", author.nick);
        for (number, fate) in &own.own {
            let shown = shown_to(&author.nick, *number, &stories);
            let readers = fate.taken.map(|(_, readers)| readers);
            let known = shown + fate.undelivered.len();
            assert_eq!(Some(known), readers, "{number}: {fate:?}");
            let has_failed = !fate.undelivered.is_empty();
            assert!(!(fate.is_confirmed && has_failed), "{number}: {fate:?}");
        }
        for reader in speakers.iter().filter(|it| it.nick != author.nick) {
            assert_reader(author, own, reader, &stories[reader.nick.as_str()]);
        }
    }
    stories
}

/// Checks what became of somebody's messages at another one.
#[track_caller]
fn assert_reader(author: &Speaker, own: &Story, reader: &Speaker, story: &Story) {
    let pair = format!("{} of {}", reader.nick, author.nick);
    let shown = story.shown.get(&author.nick).map_or(&[][..], Vec::as_slice);
    let mut highest = None;
    for (number, is_late) in shown {
        let is_in_order = highest < Some(*number);
        assert!(is_in_order || *is_late, "{pair}, {number}: {shown:?}");
        highest = highest.max(Some(*number));
    }
    let numbers: BTreeSet<usize> = shown.iter().map(|(number, _)| *number).collect();
    assert_eq!(numbers.len(), shown.len(), "{pair}, twice: {shown:?}");
    let meanwhile = story.meanwhile(&author.nick);
    assert!(
        shown.len() + meanwhile <= author.asked.len(),
        "{pair}: {meanwhile} and {shown:?}"
    );
    for (number, asked) in author.asked.iter().enumerate() {
        let fate = &own.own[&number];
        let (taken, _) = fate.taken.expect("it is not open");
        let is_shown = numbers.contains(&number);
        let is_named = fate.undelivered.contains(&reader.nick);
        let is_known = is_shown != is_named;
        let was_away = || own.was_without(&reader.nick, *asked, taken);
        assert!(
            is_known || !is_shown && was_away(),
            "{pair}, {number}: shown {is_shown}, named {is_named}, {fate:?}, {:#?}\n{:#?}",
            author.bot.lines(),
            reader.bot.lines(),
        );
    }
}

/// What happens at a time.
#[derive(Clone, Copy)]
enum Deed {
    Say(usize),
    Kill,
    Start,
}

/// So many programs say so much that there are so many deliveries, at random moments, while the relay is
/// killed so often and started again.
fn talk_while_the_relay_is_killed(people: usize, deliveries: usize, kills: usize) {
    let seed = seed();
    let mut rng = StdRng::seed_from_u64(seed);
    let mut relay = Some(Relay::start(&GENEROUS));
    let address = relay.as_ref().unwrap().address();
    let port = address.port().to_string();
    let place = ["--bind", "127.0.0.1", "--port", &port];
    let mut speakers = gather(repeat_n(address, people));

    let messages = deliveries.div_ceil(people * (people - 1));
    let mut deeds = Vec::new();
    let mut now = Duration::ZERO;
    for life in 0..kills {
        let killed = now + rng.random_range(Duration::ZERO..LIFE);
        let started = killed + rng.random_range(Duration::ZERO..ABSENCE);
        deeds.extend([(killed, Deed::Kill), (started, Deed::Start)]);
        let due = messages * (life + 1) / kills - messages * life / kills;
        for speaker in 0..people {
            let moments = repeat_n(speaker, due);
            deeds.extend(moments.map(|it| (rng.random_range(now..started), Deed::Say(it))));
        }
        now = started;
    }
    deeds.sort_by_key(|(at, _)| *at);
    let start = Instant::now();
    for (at, deed) in deeds {
        thread::sleep(at.saturating_sub(start.elapsed()));
        match deed {
            Deed::Say(speaker) => speakers[speaker].say_next(),
            Deed::Kill => {
                let killed = relay.take().expect("it was started");
                killed.end(Signal::SIGKILL);
            }
            Deed::Start => {
                relay = Some(Relay::start_with(&[&place[..], &GENEROUS].concat()));
            }
        }
    }
    let talked = start.elapsed();

    let stories = assert_confirmed_or_named(&speakers);
    let mut named = 0;
    let mut shown = 0;
    for story in stories.values() {
        shown += story.shown.values().map(Vec::len).sum::<usize>();
        for (number, fate) in &story.own {
            let (_, readers) = fate.taken.expect("it is not open");
            // Whoever was there before is expected back.
            assert_eq!(readers, people - 1, "{number}");
            named += fate.undelivered.len();
        }
    }
    let all = start.elapsed();
    println!(
        "{people} programs, {kills} kills in {talked:.1?}, {all:.1?} in all: {shown} deliveries, {named} named as not delivered"
    );
    assert_eq!(shown + named, people * (people - 1) * (messages + 1));
    for speaker in speakers {
        speaker.bot.leave();
    }
}

#[test]
fn each_message_arrives_once_or_is_named_though_the_relay_is_killed() {
    talk_while_the_relay_is_killed(8, 1000, 3);
}

#[test]
#[ignore = "it takes minutes"]
fn each_message_arrives_once_or_is_named_though_the_relay_is_killed_often() {
    talk_while_the_relay_is_killed(8, 10_000, 20);
}

/// How often these programs have entered the room anew.
fn returns(speakers: &[Speaker]) -> usize {
    let lines = speakers.iter().flat_map(|speaker| speaker.bot.lines());
    let is_return = |line: &String| line.contains("\"state\":\"returned\"");
    lines.filter(is_return).count()
}

/// So many programs say so much each, at random moments of this time, while their connections break, at a
/// relay that keeps no place for long: everybody enters anew again and again. Returns them and the relay.
fn talk_where_no_place_is_kept(
    people: usize,
    messages: usize,
    time: Duration,
) -> (Relay, Storm, Vec<Speaker>) {
    let seed = seed();
    let mut rng = StdRng::seed_from_u64(seed);
    let relay = Relay::start(&[&GENEROUS[..], &["--grace", "1"]].concat());
    let storm = Storm::start(relay.address(), seed);
    let mut speakers = gather(repeat_n(storm.address(), people));

    let moments = (0..people * messages)
        .map(|number| (rng.random_range(Duration::ZERO..time), number % people));
    let mut moments: Vec<(Duration, usize)> = moments.collect();
    moments.sort_unstable();
    storm.rage(true);
    let start = Instant::now();
    for (at, speaker) in moments {
        thread::sleep(at.saturating_sub(start.elapsed()));
        speakers[speaker].say_next();
    }
    wait_for(
        || (returns(&speakers) > 2 * people).then_some(()),
        || format!("{} returns", returns(&speakers)),
    );
    storm.rage(false);
    let (blows, raged) = (storm.blows(), start.elapsed());

    let stories = assert_confirmed_or_named(&speakers);
    let (mut shown, mut late) = (0, 0);
    for (number, is_late) in stories.values().flat_map(|it| it.shown.values().flatten()) {
        shown += usize::from(*number > 0);
        late += usize::from(*is_late);
    }
    let deliveries = people * (people - 1) * messages;
    println!(
        "{people} programs, {blows} blows in {raged:.1?}, {} returns, {:.1?} in all: {shown} of {deliveries} deliveries, {late} late",
        returns(&speakers),
        start.elapsed(),
    );
    (relay, storm, speakers)
}

#[test]
fn each_message_arrives_once_or_is_named_where_no_place_is_kept() {
    talk_where_no_place_is_kept(4, 60, Duration::from_secs(10));
}

#[test]
#[ignore = "it takes minutes"]
fn what_is_not_for_those_who_are_out_is_told_to_them_where_no_place_is_kept() {
    let (_relay, _storm, speakers) = talk_where_no_place_is_kept(6, 200, Duration::from_mins(1));
    for reader in &speakers {
        for author in speakers.iter().filter(|it| it.nick != reader.nick) {
            let counts = || {
                let story = reader.story();
                let shown = story.shown.get(&author.nick).map_or(0, Vec::len);
                (shown, story.meanwhile(&author.nick))
            };
            wait_within(
                2 * DEADLINE,
                || {
                    let (shown, meanwhile) = counts();
                    (shown + meanwhile == author.asked.len()).then_some(())
                },
                || {
                    let (own, of, said) = (&reader.nick, &author.nick, author.asked.len());
                    format!(
                        "{own} of {of}: {:?} of {said}, {:#?}",
                        counts(),
                        reader.bot.lines()
                    )
                },
            );
        }
    }
}
