//! What becomes of a message, as its author is told: confirmed by name, late, not delivered; and what is
//! said to those who are not back yet after a restart of the relay.

use std::thread;
use std::time::{Duration, Instant};

use e2echat::room::statement::Occasion;
use nix::sys::signal::Signal;

use crate::support::peer::Member;
use crate::support::person::Person;
use crate::support::process::{Client, Home, Relay, is_message, wait_within};
use crate::support::storm::Storm;

/// How long it takes at most until all programs that run have confirmed what was said.
const SOON: Duration = Duration::from_secs(20);

impl Person {
    /// Says something, and waits until the relay has taken it.
    fn says(&mut self, text: &str) {
        self.screen.enter(text);
        self.sees(&format!(" {text}"));
    }

    #[track_caller]
    fn sees(&self, end: &str) -> String {
        self.screen.wait_for_row(end, |row| row.ends_with(end))
    }

    /// Types `/seen` until the answer to it has all these rows.
    #[track_caller]
    fn learns(&mut self, command: &str, rows: &[&str]) {
        let start = Instant::now();
        loop {
            self.screen.enter("/clear");
            self.screen.enter(command);
            let shown = self
                .screen
                .wait_for("an answer", |shown| shown.contains("| "));
            self.screen.comes_to_rest();
            if rows
                .iter()
                .all(|row| shown.lines().any(|line| line == *row))
            {
                return;
            }
            assert!(start.elapsed() < SOON, "not {rows:#?} in\n{shown}");
            thread::sleep(Duration::from_millis(200));
        }
    }

    /// The rows in which the words of this nick stand, without the time.
    fn said_by(&self, nick: &str) -> Vec<String> {
        let author = format!("<{nick}");
        let rows = self.screen.transcript().into_iter();
        let said = rows.filter(|row| row.contains(&author) && !row.starts_with('>'));
        said.map(|row| row.chars().skip("21:04".len()).collect())
            .collect()
    }
}

fn notices(lines: &[String]) -> Vec<&str> {
    let lines = lines.iter().map(String::as_str);
    lines.filter(|line| line.contains(" message")).collect()
}

#[test]
fn seen_tells_who_has_confirmed_and_who_has_not_and_a_sign_who_never_will() {
    let relay = Relay::start(&[]);
    let mut ada = Person::join(&relay, "ada");
    let _bob = ada.welcomes(&relay, "bob");
    ada.screen.enter("/seen");
    ada.sees("* you have said nothing so far");
    // She confirms nothing.
    let mut carol = Member::join(relay.address(), "carol", 0);
    ada.meets("carol");
    ada.says("shall we meet at seven?");
    ada.screen.enter("/msg bob the surprise is in the kitchen");
    ada.sees("<ada → bob> the surprise is in the kitchen");
    ada.learns(
        "/seen",
        &[
            "| shall we meet at seven?",
            "|   confirmed by bob",
            "|   not confirmed yet by carol",
            "| to bob alone: the surprise is in the kitchen",
        ],
    );
    let goodbye = carol.state(&carol.statement(Occasion::Goodbye, 1));
    assert!(carol.peer.write(&goodbye));
    ada.sees("! not confirmed by carol, who has gone; say it again: shall we meet at seven?");
    ada.learns(
        "/seen 9",
        &[
            "|   confirmed by bob",
            "|   gone without confirming it: carol",
        ],
    );
    // A long one is shown in part, and of more messages only the last.
    let long = format!("{}\nand more", "x".repeat(100));
    ada.screen.paste(&long);
    ada.screen.press("\r");
    ada.sees("and more");
    let begin = format!("| {}…", "x".repeat(60));
    ada.learns("/seen 1", &[&begin, "|   confirmed by bob"]);
    assert!(!ada.screen.contents().contains("seven"));
    ada.screen.enter("/seen x");
    ada.sees("? it is used like this: /seen [N]");
    ada.screen.enter("/history");
    ada.sees("<ada> shall we meet at seven?");
    let rows = ada.screen.contents();
    let history: Vec<&str> = rows.lines().filter(|row| row.contains("<ada")).collect();
    assert!(
        history[0].contains("x <ada> shall we meet") && history[1].contains(" <ada → bob> the"),
        "{history:#?}"
    );
    assert!(!history[1].contains("x <ada"), "{history:#?}");
}

#[test]
fn nothing_appears_and_no_row_changes_where_all_is_well() {
    let relay = Relay::start(&[]);
    let mut ada = Person::join(&relay, "ada");
    let clients = ["bob", "carol"].map(|nick| ada.welcomes(&relay, nick));
    let texts = ["one", "two", "three"];
    for text in texts {
        ada.says(text);
    }
    for client in &clients {
        client.wait_for_message("ada", "three");
    }
    // By then the receipts are there.
    thread::sleep(Duration::from_secs(5));
    ada.screen.comes_to_rest();
    let rows = ada.screen.transcript();
    let after = rows.iter().skip_while(|row| !row.contains("<ada> one"));
    let after: Vec<&String> = after.filter(|row| !row.is_empty()).collect();
    assert_eq!(after.len(), 4, "{after:#?}");
    assert_eq!(
        ada.said_by("ada"),
        texts.map(|text| format!(" <ada> {text}"))
    );
    ada.screen.enter("/seen");
    ada.sees("|   confirmed by bob, carol");
    let shown = ada.screen.contents();
    assert_eq!(shown.matches("confirmed by bob, carol").count(), 3);
    assert_eq!(shown.matches("not ").count(), 0, "{shown}");
}

#[test]
fn leaving_waits_for_the_relay_and_not_for_readers() {
    let relay = Relay::start(&[]);
    let _silent = Member::join(relay.address(), "silent", 0);
    let mut bot = Client::join(relay.address(), "bot", &[]);
    bot.say("one");
    bot.say("two");
    let ended = bot.leave();
    assert_eq!(ended.code(), Some(0), "{ended:#?}");
    let line = "* 2 messages: the relay has them, and not everybody has confirmed them yet";
    assert_eq!(notices(&ended.stdout), [line], "{ended:#?}");

    let mut ada = Person::join(&relay, "ada");
    ada.says("hello");
    ada.screen.enter("/quit");
    let start = Instant::now();
    assert!(ada.screen.wait_exit().success());
    assert!(start.elapsed() < Duration::from_secs(2));
    ada.sees("* 1 message: the relay has it, and not everybody has confirmed it yet");

    // What everybody has confirmed, and what nobody could read, is not worth a word.
    let relay = Relay::start(&[]);
    let mut ada = Person::join(&relay, "ada");
    ada.says("alone");
    let _bob = ada.welcomes(&relay, "bob");
    ada.says("hello");
    ada.learns("/seen", &["|   confirmed by bob"]);
    ada.screen.press("\x04");
    assert!(ada.screen.wait_exit().success());
    let rows = ada.screen.transcript();
    assert!(
        !rows.iter().any(|row| row.contains(" message")),
        "{rows:#?}"
    );
}

#[test]
fn who_is_cut_off_and_has_not_confirmed_is_named_in_one_line_a_message_when_one_leaves() {
    let relay = Relay::start(&["--grace", "1"]);
    let mut bot = Client::join(relay.address(), "bot", &[]);
    let others = ["carol", "dave"].map(|nick| Client::join(relay.address(), nick, &[]));
    for nick in ["carol", "dave"] {
        bot.meets(nick);
    }
    for other in &others {
        other.signal(Signal::SIGSTOP);
    }
    bot.say("one");
    bot.say("two");
    bot.wait_for_message("bot", "two");
    drop(others);
    for nick in ["carol", "dave"] {
        let lost = format!("* {nick} lost the connection");
        bot.wait_for_line(nick, |line| line == lost);
    }
    let ended = bot.leave();
    ended.assert_failure("not everything that was said was delivered");
    let told: Vec<&String> = ended
        .stdout
        .iter()
        .filter(|line| line.starts_with("! "))
        .collect();
    assert_eq!(told.len(), 2, "{ended:#?}");
    for (line, text) in told.iter().zip(["one", "two"]) {
        let expected =
            format!("! not confirmed by carol and dave, who have gone; say it again: {text}");
        assert_eq!(**line, expected);
    }
    assert_eq!(notices(&ended.stdout), [""; 0]);
}

/// A room whose relay is killed and started anew, and bob, who does not find back as long as the storm
/// keeps him away.
struct Restart {
    _relay: Relay,
    storm: Storm,
    bob: Client,
}

impl Restart {
    /// Has somebody in the room return before bob.
    fn of(relay: Relay, storm: Storm, bob: Client) -> Self {
        let port = relay.address().port().to_string();
        storm.block(true);
        relay.end(Signal::SIGKILL);
        Self {
            _relay: Relay::start_with(&["--bind", "127.0.0.1", "--port", &port]),
            storm,
            bob,
        }
    }
}

const MISSING: &str = "* connected again; nobody else is here; still missing: bob; what you say in the next 5 minutes is kept for them";

/// Ada, who has returned before bob.
fn restart_without_bob() -> (Person, Restart) {
    let relay = Relay::start(&[]);
    let storm = Storm::start(relay.address(), 0);
    let ada = Person::join(&relay, "ada");
    let bob = Client::join(storm.address(), "bob", &[]);
    ada.meets("bob");
    let restart = Restart::of(relay, storm, bob);
    ada.sees(MISSING);
    (ada, restart)
}

#[test]
fn what_is_said_before_the_others_are_back_is_for_them_too() {
    let (mut ada, restart) = restart_without_bob();
    ada.says("meet at the station at 8");
    ada.learns(
        "/seen",
        &["| meet at the station at 8", "|   not confirmed yet by bob"],
    );
    assert!(!ada.screen.contents().contains("nobody reads this"));
    restart.storm.block(false);
    restart
        .bob
        .wait_for_message("ada", "meet at the station at 8");
    ada.sees("* everybody is back");
    ada.learns(
        "/seen",
        &["| meet at the station at 8", "|   confirmed by bob"],
    );
    assert_eq!(restart.bob.warnings(), [""; 0]);
}

#[test]
fn what_is_said_to_one_alone_who_is_missing_is_kept_for_them() {
    let (mut ada, restart) = restart_without_bob();
    ada.screen.enter("/msg bob bring the tickets");
    ada.sees("* bob is still missing; this is kept for 5 minutes");
    ada.screen.enter("/msg carol hello");
    ada.screen.sees("nobody here is called carol");
    restart.storm.block(false);
    let line = "<ada → you> bring the tickets";
    restart.bob.wait_for_line(line, |told| told.ends_with(line));
    ada.learns("/seen", &["|   confirmed by bob"]);
    assert_eq!(restart.bob.warnings(), [""; 0]);
}

#[test]
fn a_pipe_that_ends_waits_for_those_who_are_missing_but_not_for_ever() {
    let relay = Relay::start(&[]);
    let storm = Storm::start(relay.address(), 0);
    let mut bots = ["one", "two"].map(|nick| Client::join(relay.address(), nick, &[]));
    let bob = Client::join(storm.address(), "bob", &[]);
    for bot in &bots {
        bot.meets("bob");
    }
    let restart = Restart::of(relay, storm, bob);
    for bot in &bots {
        bot.wait_for_line("return", |line| {
            line.contains("still missing: ") && line.contains("bob")
        });
    }
    bots[0].say("meet at the station at 8");
    let [one, two] = bots;
    one.wait_for_message("one", "meet at the station at 8");
    // He has nothing to say, and goes at once.
    let start = Instant::now();
    assert_eq!(two.leave().code(), Some(0));
    assert!(start.elapsed() < Duration::from_secs(5));
    let start = Instant::now();
    let leaving = thread::spawn(|| one.leave());
    thread::sleep(Duration::from_secs(3));
    assert!(!leaving.is_finished());
    restart.storm.block(false);
    restart
        .bob
        .wait_for_message("one", "meet at the station at 8");
    let ended = leaving.join().unwrap();
    assert_eq!(ended.code(), Some(0), "{ended:#?}");
    assert!(start.elapsed() < Duration::from_secs(29));
}

#[test]
fn a_pipe_that_ends_delivers_all_to_those_who_are_back_however_long_that_takes() {
    let relay = Relay::start(&[]);
    let storm = Storm::start(relay.address(), 0);
    let mut bot = Client::join(relay.address(), "bot", &[]);
    let bob = Client::join(storm.address(), "bob", &[]);
    bot.meets("bob");
    let restart = Restart::of(relay, storm, bob);
    bot.wait_for_line("return", |line| line.ends_with(MISSING));
    // More than a program sends at once to somebody who is back.
    let texts: Vec<String> = (0..10)
        .map(|n| format!("{n} {}", "x".repeat(4000)))
        .collect();
    for text in &texts {
        bot.say(text);
    }
    bot.wait_for_message("bot", &texts[9]);
    restart.storm.block(false);
    bot.wait_for_line("bob", |line| line == "* everybody is back");
    let ended = bot.leave();
    assert_eq!(ended.code(), Some(0), "{ended:#?}");
    let bob = restart.bob;
    bob.wait_for_line("departure", |line| line == "* bot left");
    for text in &texts {
        assert!(
            bob.has_shown(|line| is_message(line, "bot", text)),
            "{:#?}",
            bob.lines()
        );
    }
}

/// The relay has taken what the pipe said, and died before it passed that on.
#[test]
fn a_pipe_that_ends_while_the_relay_is_away_waits_for_what_is_not_confirmed() {
    let relay = Relay::start(&[]);
    let address = relay.address();
    let storm = Storm::start(address, 0);
    let mut bot = Client::join(address, "bot", &[]);
    let bob = Client::join(storm.address(), "bob", &[]);
    bot.meets("bob");
    storm.block(true);
    bob.wait_for_line("loss", |line| line.starts_with("* lost the connection"));
    bot.say("meet at the station at 8");
    bot.wait_for_message("bot", "meet at the station at 8");
    relay.end(Signal::SIGKILL);
    bot.wait_for_line("loss", |line| line.starts_with("* lost the connection"));
    let leaving = thread::spawn(|| bot.leave());
    thread::sleep(Duration::from_secs(1));
    assert!(!leaving.is_finished());
    let port = address.port().to_string();
    let _relay = Relay::start_with(&["--bind", "127.0.0.1", "--port", &port]);
    storm.block(false);
    bob.wait_for_message("bot", "meet at the station at 8");
    let ended = leaving.join().unwrap();
    assert_eq!(ended.code(), Some(0), "{ended:#?}");
}

#[test]
fn a_pipe_that_ends_names_those_who_do_not_come_back() {
    let relay = Relay::start(&[]);
    let storm = Storm::start(relay.address(), 0);
    let mut bot = Client::join(relay.address(), "bot", &[]);
    let bob = Client::join(storm.address(), "bob", &[]);
    bot.meets("bob");
    let _restart = Restart::of(relay, storm, bob);
    bot.wait_for_line("return", |line| line == MISSING);
    bot.say("meet at the station at 8");
    let start = Instant::now();
    let ended = bot.leave();
    let waited = start.elapsed().as_secs();
    assert!((29..45).contains(&waited), "{waited} s");
    ended.assert_failure("not everything that was said was delivered");
    let line =
        "! not confirmed by bob, who is not back yet; say it again: meet at the station at 8";
    let told = ended.stdout.iter().filter(|told| *told == line);
    assert_eq!(told.count(), 1, "{ended:#?}");
    assert_eq!(notices(&ended.stdout), [""; 0]);
}

/// Bob, who has stopped before he could confirm what is said from now on, and whose folder this is.
struct Stopped {
    bob: Client,
    home: Home,
    identity: String,
}

impl Stopped {
    fn join(relay: &Relay) -> Self {
        let home = Home::new();
        let (identity, _) = home.identity("bob.pem");
        let options = ["--identity", identity.as_str()];
        let bob = Client::join_from(&home, relay.address(), "bob", &options);
        Self {
            bob,
            home,
            identity,
        }
    }

    /// Is killed, and started anew.
    fn start_anew(self, relay: &Relay) -> Client {
        self.bob.signal(Signal::SIGKILL);
        drop(self.bob);
        let options = ["--identity", self.identity.as_str()];
        Client::join_from(&self.home, relay.address(), "bob", &options)
    }
}

#[test]
fn who_comes_anew_without_a_message_is_named_at_once_and_the_exit_status_tells_a_script() {
    let relay = Relay::start(&[]);
    let mut bot = Client::join(relay.address(), "bot", &[]);
    let mut ada = Person::join(&relay, "ada");
    let stopped = Stopped::join(&relay);
    bot.meets("bob");
    ada.meets("bob");
    stopped.bob.signal(Signal::SIGSTOP);
    bot.say("one");
    bot.wait_for_message("bot", "one");
    ada.says("two");
    let bob = stopped.start_anew(&relay);
    let line = "! not confirmed by bob, who has come anew since; say it again: one";
    bot.wait_for_line("report", |told| told == line);
    ada.sees("! not confirmed by bob, who has come anew since; say it again: two");
    ada.learns("/seen", &["|   come anew without confirming it: bob"]);
    bot.say("three");
    bob.wait_for_message("bot", "three");
    bot.leave()
        .assert_failure("not everything that was said was delivered");
    // Whoever sits at a keyboard has seen it.
    ada.screen.enter("/quit");
    assert!(ada.screen.wait_exit().success());
}

#[test]
fn who_has_the_nick_of_somebody_who_has_gone_is_not_taken_for_them() {
    let relay = Relay::start(&["--grace", "1"]);
    let mut bot = Client::join(relay.address(), "bot", &[]);
    let bob = Client::join(relay.address(), "bob", &[]);
    bot.meets("bob");
    bob.signal(Signal::SIGSTOP);
    bot.say("one");
    bot.wait_for_message("bot", "one");
    drop(bob);
    bot.wait_for_line("bob", |line| line == "* bob lost the connection");
    let _another = Client::join(relay.address(), "bob", &[]);
    let joined = |line: &&String| line.starts_with("* bob joined ");
    wait_within(
        SOON,
        || (bot.lines().iter().filter(joined).count() == 2).then_some(()),
        || format!("{:#?}", bot.lines()),
    );
    let ended = bot.leave();
    ended.assert_failure("not everything that was said was delivered");
    let line = "! not confirmed by the former bob, who has gone; whoever is called so now is somebody else: one";
    assert!(ended.stdout.iter().any(|told| told == line), "{ended:#?}");
}

#[test]
fn of_many_messages_one_line_tells_whom_they_have_not_reached() {
    let relay = Relay::start(&["--grace", "1"]);
    let mut bot = Client::join(relay.address(), "bot", &[]);
    let bob = Client::join(relay.address(), "bob", &[]);
    bot.meets("bob");
    bob.signal(Signal::SIGSTOP);
    for number in 1..=20 {
        bot.say(&format!("line {number}"));
    }
    bot.wait_for_message("bot", "line 20");
    drop(bob);
    bot.wait_for_line("bob", |line| line == "* bob lost the connection");
    let ended = bot.leave();
    let told = ended.stdout.iter().filter(|line| line.starts_with("! "));
    let told: Vec<&String> = told.collect();
    let line = "! for 20 messages, of which this is the last: not confirmed by bob, who has gone; say it again: line 20";
    assert_eq!(told, [line], "{ended:#?}");
}

#[test]
fn a_goodbye_before_the_confirmation_is_no_failure() {
    let relay = Relay::start(&[]);
    let mut bot = Client::join(relay.address(), "bot", &[]);
    let mut carol = Member::join(relay.address(), "carol", 0);
    bot.meets("carol");
    bot.say("one");
    bot.wait_for_message("bot", "one");
    let goodbye = carol.state(&carol.statement(Occasion::Goodbye, 1));
    assert!(carol.peer.write(&goodbye));
    let line = "! not confirmed by carol, who has gone; say it again: one";
    bot.wait_for_line("report", |told| told == line);
    assert_eq!(bot.leave().code(), Some(0));
}

/// Waits for minutes for a row on a screen.
#[track_caller]
fn wait_long(person: &Person, what: &str, is_it: impl Fn(&str) -> bool) {
    let rows = || person.screen.transcript();
    wait_within(
        Duration::from_mins(7),
        || {
            thread::sleep(Duration::from_millis(500));
            rows().iter().any(|row| is_it(row)).then_some(())
        },
        || format!("no {what} in {:#?}", rows()),
    );
}

#[test]
#[ignore = "it takes minutes"]
fn several_who_confirm_nothing_are_one_line_and_a_sign_that_goes_when_they_do() {
    let relay = Relay::start(&["--idle-timeout", "3600"]);
    let mut ada = Person::join(&relay, "ada");
    let others = ["bob", "carol", "dave"].map(|nick| ada.welcomes(&relay, nick));
    let [_bob, carol, dave] = &others;
    for frozen in [carol, dave] {
        frozen.signal(Signal::SIGSTOP);
    }
    ada.says("hello");
    ada.says("are you there?");
    let late = "* 2 messages are not confirmed by carol and dave yet, /seen shows them; the last is: are you there?";
    wait_long(&ada, "late", |row| row == late);
    let marked = ["- <ada> hello", "- <ada> are you there?"];
    assert_eq!(ada.said_by("ada"), marked);
    let quiet = "! for 4 min nothing has come that shows that these are there: carol, dave; their connections may be broken, or the relay keeps back what they say; ask them by another way";
    wait_long(&ada, "quiet", |row| row == quiet);
    for frozen in [carol, dave] {
        frozen.signal(Signal::SIGCONT);
    }
    let plain = [" <ada> hello", " <ada> are you there?"];
    wait_within(
        SOON,
        || (ada.said_by("ada") == plain).then_some(()),
        || format!("{:#?}", ada.said_by("ada")),
    );
    let rows = ada.screen.transcript();
    let told = rows.iter().filter(|row| row.contains("confirmed"));
    assert_eq!(told.count(), 1, "{rows:#?}");
}

#[test]
#[ignore = "it takes minutes"]
fn who_does_not_come_back_is_told_once_after_five_minutes() {
    let (mut ada, restart) = restart_without_bob();
    ada.says("meet at the station at 8");
    let start = Instant::now();
    wait_long(&ada, "departure", |row| row == "* not here any more: bob");
    let waited = start.elapsed().as_secs();
    assert!((290..310).contains(&waited), "{waited} s");
    let line = "! not confirmed by bob, who has gone; say it again: meet at the station at 8";
    wait_long(&ada, "report", |row| row == line);
    assert_eq!(ada.said_by("ada"), ["x <ada> meet at the station at 8"]);
    let rows = ada.screen.transcript();
    let told = rows.iter().filter(|row| row.contains("bob")).count();
    // That he joined, should be verified, is missing, has gone, and has not got this.
    assert_eq!(told, 5, "{rows:#?}");
    drop(restart);
}
