//! The programs in `examples/scripts`, in a real room.

use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::Duration;

use nix::sys::signal::Signal;
use serde_json::json;

use super::bot::{Bot, all};
use super::support::process::{Client, Home, Relay, tested_program, wait_for};
use super::support::storm::Storm;

/// Whether there is a Python to run them. Says so if there is none.
#[allow(
    clippy::print_stdout,
    reason = "a test that does nothing should say so"
)]
fn has_python() -> bool {
    let found = Command::new("python3").arg("--version").output().is_ok();
    if !found {
        println!("not tested, as there is no python3");
    }
    found
}

fn start(name: &str, arguments: &[&str]) -> Client {
    let home = Home::new();
    let mut command = Command::new("python3");
    home.isolate(&mut command);
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/scripts");
    command
        .env("E2ECHAT", tested_program())
        .arg(folder.join(name))
        .args(arguments);
    Client::from_command(&mut command, home)
}

fn echo_bot(relay: SocketAddr, nick: &str) -> Client {
    start("echo-bot.py", &[&relay.to_string(), "--nick", nick])
}

#[test]
fn usage() {
    if !has_python() {
        return;
    }
    for name in ["echo-bot.py", "mirror.py", "catchup-bot.py"] {
        let help = start(name, &["--help"]).ended();
        assert_eq!(help.code(), Some(0), "{help:#?}");
        let nothing = start(name, &[]).ended();
        assert_eq!(nothing.code(), Some(2), "{nothing:#?}");
        assert_eq!(nothing.stdout, help.stdout);
        let usage = format!("usage: {name} ");
        assert!(help.stdout.iter().any(|line| line.starts_with(&usage)));
    }
    // What fails, fails as the client does.
    let failed = start("echo-bot.py", &["127.0.0.1:1", "--nick", "echo"]).ended();
    assert_eq!(failed.code(), Some(1), "{failed:#?}");
    let failed = start("mirror.py", &["log", "127.0.0.1:1", "--nick", "mirror"]).ended();
    assert_eq!(failed.code(), Some(1), "{failed:#?}");
    let folder = start("mirror.py", &["/", "127.0.0.1:1", "--nick", "mirror"]).ended();
    assert_eq!(folder.code(), Some(1), "{folder:#?}");
    assert_eq!(folder.stderr.len(), 1, "{folder:#?}");
}

#[test]
fn echo_bots_answer_people_and_not_each_other() {
    if !has_python() {
        return;
    }
    let relay = Relay::start(&[]);
    let mut ada = Bot::join(relay.address(), "ada", &[]);
    let bots = ["echo", "parrot"].map(|nick| (nick, echo_bot(relay.address(), nick)));
    for (nick, _) in &bots {
        ada.wait_for(&json!({"type": "join", "nick": nick}));
    }
    ada.ask(&json!({"type": "say", "text": "nobody is meant"}));
    ada.ask(&json!({"type": "say", "text": "echo, parrot: say \"⏎\"\nplease"}));
    let longest = "é".repeat(2048);
    for (nick, _) in &bots {
        ada.ask(&json!({"type": "direct", "to": nick, "action": true, "text": "winks"}));
        ada.ask(&json!({"type": "direct", "to": nick, "text": longest}));
        ada.ask(&json!({"type": "direct", "to": nick, "text": "psst"}));
    }
    for (nick, _) in &bots {
        let said = "> echo, parrot: say \"⏎\"\nplease";
        ada.wait_for(&json!({"type": "message", "nick": nick, "text": said}));
        ada.wait_for(&json!({"type": "direct", "nick": nick, "text": "> psst"}));
    }
    // Each has had the other's answer, which names it, before it is told this.
    for (nick, _) in &bots {
        ada.ask(&json!({"type": "direct", "to": nick, "text": "bye"}));
    }
    for (nick, bot) in bots {
        ada.wait_for(&json!({"type": "direct", "nick": nick, "text": "> bye"}));
        bot.signal(Signal::SIGTERM);
        let ended = bot.ended();
        assert_eq!(ended.code(), Some(0), "{ended:#?}");
        assert_eq!(ended.stderr.len(), 0, "{ended:#?}");
        ada.wait_for(&json!({"type": "leave", "nick": nick, "signed": true}));
    }
    assert_eq!(ada.all(&json!({"type": "message"})).len(), 2);
    let direct = ada.all(&json!({"type": "direct"}));
    assert_eq!(direct.len(), 6, "{direct:#?}");
    let cut = format!("> {}", "é".repeat(2047));
    assert_eq!(all(direct, &json!({"text": cut})).len(), 2);
}

/// A mirror of a file, and ada, who sees what is in it.
struct Scene {
    home: Home,
    ada: Bot,
    expected: Vec<String>,
}

impl Scene {
    fn set(relay: SocketAddr) -> Self {
        let home = Home::new();
        fs::write(home.file("log"), "what was there before\n").unwrap();
        Self {
            home,
            ada: Bot::join(relay, "ada", &[]),
            expected: Vec::new(),
        }
    }

    fn mirror(&self, relay: SocketAddr) -> Client {
        let log = self.home.file("log").display().to_string();
        let mirror = start("mirror.py", &[&log, &relay.to_string(), "--nick", "mirror"]);
        self.ada
            .wait_for(&json!({"type": "join", "nick": "mirror"}));
        mirror
    }

    /// Adds something to the file.
    fn append(&self, text: &str) {
        let mut log = OpenOptions::new()
            .append(true)
            .create(true)
            .open(self.home.file("log"))
            .unwrap();
        log.write_all(text.as_bytes()).unwrap();
    }

    /// Adds these lines, and expects them to be said.
    fn log(&mut self, lines: &[String]) {
        self.append(&(lines.join("\n") + "\n"));
        self.expected.extend_from_slice(lines);
    }

    fn said(&self) -> Vec<String> {
        let said = self.ada.all(&json!({"type": "message", "nick": "mirror"}));
        let texts = said.iter().map(|said| said["text"].as_str().unwrap());
        texts.flat_map(str::lines).map(str::to_owned).collect()
    }

    /// Waits until all that was expected has been said, once, in order, and nothing else.
    #[track_caller]
    fn wait_for_all(&self) {
        wait_for(
            || (self.said().len() >= self.expected.len()).then_some(()),
            || format!("{:#?} instead of {:#?}", self.said(), self.expected),
        );
        assert_eq!(self.said(), self.expected);
    }
}

fn numbered(begin: &str, count: usize) -> Vec<String> {
    (0..count)
        .map(|number| format!("{begin} {number}"))
        .collect()
}

#[test]
fn a_mirror_follows_a_file_whatever_becomes_of_it() {
    if !has_python() {
        return;
    }
    let relay = Relay::start(&[]);
    let mut scene = Scene::set(relay.address());
    let log = scene.home.file("log");
    let mirror = scene.mirror(relay.address());
    scene.log(&numbered("one", 1));
    scene.wait_for_all();

    // A burst is gathered into a few messages.
    scene.log(&numbered("burst", 1000));
    scene.wait_for_all();
    let messages = scene.ada.all(&json!({"type": "message"})).len();
    assert!(messages < 50, "{messages}");

    // Blank lines are left out, and a line is said when it is whole.
    scene.append("\n  \nbegun, ");
    scene.append("and ended\r\n");
    scene.expected.push("begun, and ended".to_owned());
    scene.wait_for_all();

    // It is moved away, written to once more, and there is a new one.
    fs::rename(&log, scene.home.file("log.1")).unwrap();
    let mut old = OpenOptions::new()
        .append(true)
        .open(scene.home.file("log.1"))
        .unwrap();
    old.write_all(b"the end of the old one").unwrap();
    scene.expected.push("the end of the old one".to_owned());
    scene.log(&numbered("new", 10));
    scene.wait_for_all();

    // It is truncated.
    fs::write(&log, "after\n").unwrap();
    scene.expected.push("after".to_owned());
    scene.wait_for_all();

    // What is left is said before it leaves.
    scene.append("an end without a line break");
    scene
        .expected
        .push("an end without a line break".to_owned());
    mirror.signal(Signal::SIGTERM);
    let ended = mirror.ended();
    assert_eq!(ended.code(), Some(0), "{ended:#?}");
    assert_eq!(ended.stderr.len(), 0, "{ended:#?}");
    scene.wait_for_all();
    scene
        .ada
        .wait_for(&json!({"type": "leave", "signed": true}));
}

#[test]
fn a_mirror_cuts_long_lines_between_characters() {
    if !has_python() {
        return;
    }
    let relay = Relay::start(&[]);
    let scene = Scene::set(relay.address());
    let _mirror = scene.mirror(relay.address());
    // The longest is longer than what the mirror reads at once.
    let lines = [10_000, 100_000].map(|length| format!("x{}", "é".repeat(length)));
    scene.append(&(lines.join("\n") + "\nend\n"));
    wait_for(
        || scene.said().ends_with(&["end".to_owned()]).then_some(()),
        || "no end".to_owned(),
    );
    assert_eq!(scene.said().concat(), lines.concat() + "end");
}

#[test]
fn a_mirror_loses_and_doubles_nothing_when_connections_break() {
    if !has_python() {
        return;
    }
    let relay = Relay::start(&[]);
    let address = relay.address();
    let storm = Storm::start(address, 0);
    let mut scene = Scene::set(address);
    let mirror = scene.mirror(storm.address());
    storm.block(true);
    scene.log(&numbered("blocked", 500));
    storm.block(false);
    scene.wait_for_all();
    storm.rage(true);
    for round in 0..5 {
        let blows = storm.blows();
        scene.log(&numbered(&format!("storm {round}"), 500));
        wait_for(
            || (storm.blows() > blows).then_some(()),
            || "no connection broke".to_owned(),
        );
    }
    storm.rage(false);
    scene.wait_for_all();

    relay.end(Signal::SIGTERM);
    scene.log(&numbered("no relay", 100));
    let port = address.port().to_string();
    let _relay = Relay::start_with(&["--bind", "127.0.0.1", "--port", &port]);
    scene.wait_for_all();
    mirror.signal(Signal::SIGTERM);
    assert_eq!(mirror.ended().code(), Some(0));
}

#[test]
fn a_mirror_loses_and_doubles_nothing_when_the_relay_is_killed() {
    if !has_python() {
        return;
    }
    let mut relay = Relay::start(&[]);
    let address = relay.address();
    let port = address.port().to_string();
    let mut scene = Scene::set(address);
    let mirror = scene.mirror(address);
    for death in 0..3 {
        // Some are under way when the relay dies, some come before the mirror is back, some before its
        // reader is.
        scene.log(&numbered(&format!("before death {death}"), 20));
        thread::sleep(Duration::from_millis(150 * death));
        relay.end(Signal::SIGKILL);
        scene.log(&numbered(&format!("after death {death}"), 5));
        relay = Relay::start_with(&["--bind", "127.0.0.1", "--port", &port]);
        for line in numbered(&format!("after return {death}"), 40) {
            scene.log(&[line]);
            thread::sleep(Duration::from_millis(50));
        }
    }
    // The last ones wait for a reader, too, when the mirror is to end.
    relay.end(Signal::SIGKILL);
    scene.log(&numbered("the last", 5));
    let _relay = Relay::start_with(&["--bind", "127.0.0.1", "--port", &port]);
    mirror.signal(Signal::SIGTERM);
    let ended = mirror.ended();
    assert_eq!(ended.code(), Some(0), "{ended:#?}");
    scene.wait_for_all();
}

#[test]
fn the_bot_for_those_who_come_late_serves_the_identities_on_its_list_and_nobody_else() {
    if !has_python() {
        return;
    }
    let relay = Relay::start(&[]);
    let address = relay.address();
    let home = Home::new();
    let (identity, fingerprint) = home.identity("bob.pem");
    let list = home.file("list");
    fs::write(&list, format!("{fingerprint} bob\n\n")).unwrap();
    let list = list.to_str().unwrap();
    let bot = start(
        "catchup-bot.py",
        &[list, &address.to_string(), "--nick", "bot"],
    );
    let mut ada = Bot::join(address, "ada", &[]);
    let here = json!({"type": "join", "nick": "bot"});
    if ada.all(&json!({"type": "here"}))[0]["people"] == json!([]) {
        ada.wait_for(&here);
    }
    for number in 0..100 {
        ada.ask(&json!({"type": "say", "text": format!("line {number}"), "id": "said"}));
    }
    // The bot has confirmed all.
    ada.ask(&json!({"type": "say", "text": "the last", "id": "last"}));
    ada.wait_for(&json!({"type": "confirmed", "id": "last"}));
    let mut eve = Bot::join(address, "eve", &[]);
    let mut bob = Bot::join(address, "bob", &["--identity", &identity]);
    eve.wait_for(&json!({"type": "join", "nick": "bob"}));
    for asker in [&mut eve, &mut bob] {
        asker.ask(&json!({"type": "command", "text": "/catchup", "id": "c"}));
        asker.wait_for(&json!({"type": "ack", "id": "c"}));
    }
    bob.wait_for(&json!({
        "type": "share-end", "nick": "bot", "shown": 101, "had": 0, "refused": 0, "missing": 0
    }));
    let handed = bob.all(&json!({"type": "handed-on", "by": "bot", "nick": "ada"}));
    let texts: Vec<_> = handed.iter().map(|event| event["text"].clone()).collect();
    let mut expected: Vec<_> = (0..100)
        .map(|number| json!(format!("line {number}")))
        .collect();
    expected.push(json!("the last"));
    assert_eq!(texts, expected);
    eve.wait_for(&json!({"type": "share", "nick": "bot", "to": "bob", "count": 101}));
    assert_eq!(eve.all(&json!({"type": "handed-on"})).len(), 0);
    ada.wait_for(&json!({"type": "catchup", "nick": "eve"}));
    bot.signal(Signal::SIGTERM);
    let ended = bot.ended();
    assert_eq!(ended.code(), Some(0), "{ended:#?}");
    assert_eq!(ended.stderr.len(), 0, "{ended:#?}");
}
