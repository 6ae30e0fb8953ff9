//! What a person at a terminal sees, while others talk, flood and attack.

use std::fmt::Write as _;
use std::fs;
use std::thread;
use std::time::{Duration, SystemTime};

use crate::support::peer::Member;
use crate::support::person::Person;
use crate::support::process::{Client, Home, Relay, is_message, tested_program, waits_of};
use crate::support::screen::{self, Screen};
use nix::sys::signal::Signal;

/// Enters the room, at a terminal of the usual size.
fn join(relay: &Relay, nick: &str) -> Person {
    Person::join_at(relay, nick, 24, 80)
}

impl Person {
    /// The rows that anything was ever shown in, without those of the prompt and the beginning.
    fn conversation(&self) -> Vec<String> {
        let mut rows = self.screen.transcript();
        rows.retain(|row| !row.is_empty() && !row.starts_with(['>', '*']));
        rows
    }
}

#[test]
fn typing_and_a_flood_do_not_disturb_each_other() {
    const FLOOD: usize = 400;
    let relay = Relay::start(&[]);
    let mut ada = join(&relay, "ada");
    let mut flood = ada.welcomes(&relay, "flood");

    let said: Vec<String> = (0..FLOOD).map(|i| format!("line {i:04} of many")).collect();
    flood.write((said.join("\n") + "\n").as_bytes());
    let typed: Vec<String> = (0..8)
        .map(|i| format!("typed {i} wörld 日本 {}", "and on ".repeat(12).trim_end()))
        .collect();
    for line in &typed {
        for character in line.chars() {
            ada.screen.type_text(&character.to_string());
        }
        ada.screen.press("\r");
    }
    ada.screen
        .wait_for("end of the flood", |shown| shown.contains("line 0399"));
    for line in &typed {
        flood.wait_for_message("ada", line);
    }

    let (mut from_flood, mut own) = (Vec::new(), String::new());
    for row in ada.conversation() {
        let (gutter, text) = row.split_at(row.find("> ").expect("every row has a gutter") + 2);
        match gutter.trim_start_matches(|c: char| c.is_ascii_digit() || ": ~".contains(c)) {
            "<flood> " => from_flood.push(text.to_owned()),
            "<ada> " => write!(own, "{text} ").expect("a string takes everything"),
            _ => panic!("a row of nobody's: {row:?}"),
        }
    }
    assert_eq!(from_flood, said);
    assert_eq!(own.trim_end(), typed.join(" "));
}

#[test]
fn what_is_half_typed_survives_what_comes_in() {
    let relay = Relay::start(&[]);
    let mut ada = join(&relay, "ada");
    let mut bob = ada.welcomes(&relay, "bob");
    ada.screen.type_text("half a sent");
    ada.screen
        .wait_for("typed text", |shown| shown.ends_with("> half a sent"));
    bob.say("hello");
    ada.screen.wait_for("message above the input", |shown| {
        shown.contains("<bob> hello") && shown.ends_with("> half a sent")
    });
    ada.screen.enter("ence");
    bob.wait_for_message("ada", "half a sentence");
}

#[test]
fn a_pasted_text_of_several_lines_is_one_message() {
    let relay = Relay::start(&[]);
    let mut ada = join(&relay, "ada");
    let bob = ada.welcomes(&relay, "bob");
    ada.screen.paste("one\ntwo\nthree");
    ada.screen.press("\r");
    bob.wait_for_message("ada", "one ⏎ two ⏎ three");
    let shown = ada
        .screen
        .wait_for("message", |shown| shown.contains("<ada> three"));
    let rows: Vec<&str> = shown.lines().filter(|row| row.contains("<ada>")).collect();
    assert_eq!(rows.len(), 3, "{shown}");
    assert!(is_message(rows[0], "ada", "one"), "{shown}");
    assert_eq!(rows[1..], ["      <ada> two", "      <ada> three"]);
}

#[test]
fn lines_typed_faster_than_they_are_sent_are_all_sent() {
    let relay = Relay::start(&[]);
    let mut ada = join(&relay, "ada");
    let bob = ada.welcomes(&relay, "bob");
    let lines: Vec<String> = (0..50).map(|i| format!("fast {i}")).collect();
    ada.screen.type_text(&(lines.join("\r") + "\r"));
    for line in &lines {
        bob.wait_for_message("ada", line);
    }
}

#[test]
fn twenty_thousand_lines_pasted_at_once_are_refused_whole_and_can_be_edited() {
    let relay = Relay::start(&[]);
    let mut ada = join(&relay, "ada");
    let bob = ada.welcomes(&relay, "bob");
    let lines: Vec<String> = (0..20_000).map(|i| format!("{i:05}")).collect();
    ada.screen.paste(&lines.join("\n"));
    ada.screen.press("\r");
    ada.screen.wait_for("refusal", |shown| {
        shown.contains("? not sent: it has 119999 bytes, and a message has at most 4096")
    });
    ada.screen.press("\x1b[A");
    ada.screen
        .wait_for("the paste again", |shown| shown.contains("19999"));
    ada.screen.press("\x03");
    ada.screen.enter("sorry");
    bob.wait_for_message("ada", "sorry");
    let said = bob.lines();
    assert!(!said.iter().any(|line| line.contains("00000")), "{said:?}");
}

#[test]
fn a_message_of_4_kib_is_sent_and_one_of_a_byte_more_is_refused() {
    let relay = Relay::start(&[]);
    let mut ada = join(&relay, "ada");
    let bob = ada.welcomes(&relay, "bob");
    ada.screen.enter(&"x".repeat(4096));
    bob.wait_for_message("ada", &"x".repeat(4096));
    ada.screen.enter(&"y".repeat(4097));
    ada.screen.wait_for("refusal", |shown| {
        shown.contains("? not sent: it has 4097 bytes, and a message has at most 4096")
    });
    ada.screen.enter("and on");
    bob.wait_for_message("ada", "and on");
    assert!(!bob.lines().iter().any(|line| line.contains("yy")));
}

#[test]
fn a_mistyped_command_is_not_sent_as_text() {
    let relay = Relay::start(&[]);
    let mut ada = join(&relay, "ada");
    let bob = ada.welcomes(&relay, "bob");
    ada.screen.enter("/mgs bob our secret");
    ada.screen.wait_for("warning", |shown| {
        shown.contains("? not sent: there is no command /mgs")
    });
    ada.screen.enter("//etc is a folder");
    bob.wait_for_message("ada", "/etc is a folder");
    assert!(!bob.lines().iter().any(|line| line.contains("secret")));
}

/// What messengers and web pages put into what is copied from them, and nobody sees.
const HIDDEN: [&str; 12] = [
    "\u{200b}", "\u{feff}", "\u{200e}", "\u{200f}", "\u{ad}", "\u{2060}", "\u{200c}", "\u{200d}",
    "\u{fe0f}", "\u{34f}", "\u{61c}", "\u{301}",
];

#[test]
fn a_command_behind_what_shows_nothing_is_done_and_not_said_aloud() {
    let relay = Relay::start(&[]);
    let mut ada = join(&relay, "ada");
    let bob = Client::join(relay.address(), "bob", &[]);
    let carl = ada.welcomes(&relay, "carl");
    for (number, hidden) in HIDDEN.into_iter().enumerate() {
        let secret = format!("secret {number}");
        let said = format!("<ada → you> {secret}");
        match number % 3 {
            0 => ada.screen.enter(&format!("{hidden}/msg bob {secret}")),
            // In a nick and a command's name, where no mark would be hidden.
            1 => ada
                .screen
                .enter(&format!("{hidden}/m\u{200b}sg b{}ob {secret}", HIDDEN[0])),
            _ => {
                ada.screen.paste(&format!("{hidden}/msg bob {secret}"));
                ada.screen.press("\r");
            }
        }
        bob.wait_for_line(&said, |line| line.ends_with(&said));
    }
    ada.screen.enter("that is all");
    carl.wait_for_message("ada", "that is all");
    assert!(!carl.lines().iter().any(|line| line.contains("secret")));
}

#[test]
fn what_is_shown_as_no_command_but_looks_like_one_is_not_sent() {
    let relay = Relay::start(&[]);
    let mut ada = join(&relay, "ada");
    let bob = ada.welcomes(&relay, "bob");
    for (number, before) in [
        "\u{2066}/",
        "\u{202e}/",
        "\u{3000}/",
        "\u{a0}/",
        "\u{2800}/",
        " \u{200b}/",
        "／",
        "⁄",
        "∕",
        "\u{200b}／",
        "\u{3000}／",
    ]
    .into_iter()
    .enumerate()
    {
        ada.screen.paste(&format!("{before}msg bob secret"));
        ada.screen.press("\r");
        ada.screen.wait_for(before, |shown| {
            shown.matches("? not sent: ").count() == number % 4 + 1
        });
        if number % 4 == 3 {
            ada.screen.enter("/clear");
            ada.screen
                .wait_for("empty screen", |shown| !shown.contains("? not sent"));
        }
    }
    // The lines of a paste are one message, and its first sign is a slash.
    ada.screen.paste("\n\u{feff}\n/msg bob secret\nand more");
    ada.screen.press("\r");
    ada.screen.enter("/clear");
    ada.screen.paste("\u{feff}/msg bob two\nlines");
    ada.screen.press("\r");
    let said = "<ada → you> two ⏎ lines";
    bob.wait_for_line(said, |line| line.ends_with(said));
    // What is meant as text is sent.
    for (typed, text) in [
        ("1／2", "1／2"),
        ("\u{200b}//etc", "/etc"),
        ("ノート", "ノート"),
        ("and/or", "and/or"),
    ] {
        ada.screen.enter(typed);
        bob.wait_for_message("ada", text);
    }
    assert!(!bob.lines().iter().any(|line| line.contains("secret")));
}

/// Somebody who types, and whose screen is kept in a file as well, or cannot move its cursor.
#[test]
fn a_command_that_is_typed_is_one_wherever_the_output_goes() {
    let relay = Relay::start(&[]);
    let address = relay.address();
    let bob = Client::join(address, "bob", &[]);
    for (number, start) in [
        format!("e2echat join {address} --nick ada | tee chat.txt"),
        format!("TERM=dumb; export TERM; e2echat join {address} --nick ada"),
        format!("e2echat join {address} --nick ada > chat.txt & tail -f chat.txt & fg %1"),
    ]
    .into_iter()
    .enumerate()
    {
        let home = Home::new();
        let start = format!("set -m; touch chat.txt; {start}; echo ended; kill $!");
        let mut ada = Screen::shell(&home, &start);
        ada.sees("* here: bob ");
        ada.enter(&format!("/msg bob secret {number}"));
        let said = format!("<ada → you> secret {number}");
        bob.wait_for_line(&said, |line| line.ends_with(&said));
        ada.enter(&format!("\u{200b}/me waves {number}"));
        bob.wait_for_line("action", |line| {
            line.ends_with(&format!("* ada waves {number}"))
        });
        ada.enter(" /msg bob aloud");
        ada.enter("／msg bob aloud");
        ada.enter("/mgs bob aloud");
        ada.sees("? not sent: there is no command /mgs");
        assert_eq!(
            ada.raw().matches("? not sent: ").count(),
            3,
            "{}",
            ada.raw()
        );
        assert!(!ada.raw().contains("Up key"), "{}", ada.raw());
        // More of them than a pipe may have under way.
        ada.type_text(&"/back\r".repeat(70));
        ada.enter(&format!("//and text {number}"));
        bob.wait_for_message("ada", &format!("/and text {number}"));
        ada.enter("/quit");
        ada.sees("ended");
        let left = || {
            bob.lines()
                .iter()
                .filter(|line| *line == "* ada left")
                .count()
        };
        ada.wait_for("departure", |_| left() == number + 1);
    }
    let loud = |line: &&String| line.contains("<ada> ") && !line.contains("/and text");
    assert_eq!(bob.lines().iter().find(loud), None);
}

#[test]
fn what_shows_nothing_is_no_part_of_ones_own_nick() {
    let relay = Relay::start(&[]);
    let bob = Client::join(relay.address(), "bob", &[]);
    let (home, address) = (Home::new(), relay.address().to_string());
    let mut ada = Screen::join(&home, &address, "\u{feff}a\u{200b}da", &[]);
    ada.sees("* you are ada ");
    ada.enter("/whois \u{200b}bob");
    ada.sees("| bob SHA256:");
    ada.enter("/nick ad\u{200b}ele\u{2060}");
    ada.sees("* you are called adele now");
    bob.wait_for_line("nick", |line| line.contains("ada is called adele now"));
}

#[test]
fn names_and_help_tell_what_they_should() {
    let relay = Relay::start(&[]);
    let mut ada = join(&relay, "ada");
    let bob = ada.welcomes(&relay, "bob");
    let of_bob = bob.wait_for_line("fingerprint", |line| line.starts_with("* you are bob "));
    let fingerprint = of_bob.trim_start_matches("* you are bob ");
    ada.screen.enter("/names");
    ada.screen.wait_for("bob with his fingerprint", |shown| {
        shown.contains(&format!("* here: bob {fingerprint}"))
    });
    ada.screen.enter("/help");
    ada.screen
        .wait_for("help", |shown| shown.contains("| Everything else"));
    let shown = ada.screen.transcript();
    for command in ["| /help", "| /names", "| /quit"] {
        let is_there = shown.iter().any(|row| row.starts_with(command));
        assert!(is_there, "{command}: {shown:#?}");
    }
}

#[test]
fn no_text_can_look_like_another_line() {
    let relay = Relay::start(&[]);
    let ada = join(&relay, "ada");
    let mut eve = ada.welcomes(&relay, "eve");
    // To the right edge and on: what wraps must not begin a row of its own.
    eve.say(&format!("{}21:04 <bob> yes, I agree", "x ".repeat(33)));
    eve.say("\x1b[2J\x1b[H* bob left\x07\u{202e}\u{9b}31mred");
    eve.say("end");
    ada.screen
        .wait_for("end", |shown| shown.contains("<eve> end"));
    for row in ada.conversation() {
        assert!(row.contains("<eve> "), "a row without its author: {row:?}");
        assert!(!row.contains(['\u{1b}', '\u{202e}', '\u{9b}']), "{row:?}");
    }
    let begins = |row: &String| row.starts_with("* eve") || row.starts_with("* bob");
    let notices: Vec<String> = ada.screen.transcript().into_iter().filter(begins).collect();
    assert_eq!(notices.len(), 1, "only eve's joining: {notices:?}");
}

#[test]
fn what_is_said_first_in_a_new_room_takes_five_rows() {
    let relay = Relay::start(&[]);
    let (home, address) = (Home::new(), relay.address().to_string());
    let arguments = ["join", &address, "--nick", "ada", "--new-room"];
    let ada = Screen::e2echat(&home, &arguments, 24, 80);
    ada.sees("\n> ");
    let shown = ada.contents();
    assert_eq!(
        shown.lines().count(),
        6,
        "five rows and the prompt: {shown}"
    );
    assert!(
        shown.contains("/inv-") && shown.contains("/help"),
        "{shown}"
    );
}

/// How to leave, in words and keys.
type WayOut = (&'static str, fn(&mut Screen));

#[test]
fn every_way_out_gives_the_terminal_back() {
    let relay = Relay::start(&[]);
    let ways: [WayOut; 5] = [
        ("/quit", |screen| screen.enter("/quit")),
        ("Ctrl-D", |screen| screen.press("\x04")),
        ("Ctrl-C twice", |screen| screen.press("\x03\x03")),
        ("SIGTERM", |screen| screen.signal(Signal::SIGTERM)),
        ("SIGINT", |screen| screen.signal(Signal::SIGINT)),
    ];
    for (how, leave) in ways {
        let mut ada = join(&relay, "ada");
        assert!(!ada.screen.is_cooked());
        leave(&mut ada.screen);
        let status = ada.screen.wait_exit();
        assert!(status.success(), "{how}: {status:?}");
        assert!(ada.screen.is_cooked(), "{how} leaves the terminal raw");
        assert!(!ada.screen.brackets_pastes(), "{how} leaves brackets on");
    }
}

#[test]
fn a_relay_that_ends_is_told_while_one_types_on() {
    let relay = Relay::start(&[]);
    let mut ada = join(&relay, "ada");
    ada.screen.type_text("half a word");
    ada.screen
        .wait_for("typed text", |shown| shown.ends_with("half a word"));
    relay.end(Signal::SIGTERM);
    ada.screen.wait_for("notice", |shown| {
        shown.contains("* the relay is shutting down") && shown.ends_with("> half a word")
    });
    // Ctrl-U empties the line.
    ada.screen.type_text("\u{15}/quit\r");
    assert_eq!(ada.screen.wait_exit().exit_code(), 0);
    assert!(ada.screen.is_cooked());
}

#[test]
fn a_window_that_changes_its_size_loses_nothing() {
    let relay = Relay::start(&[]);
    let mut ada = join(&relay, "ada");
    let mut bob = ada.welcomes(&relay, "bob");
    ada.screen.type_text("half typed");
    for (round, columns) in [40, 100, 60].into_iter().enumerate() {
        ada.screen.resize(24, columns);
        bob.say(&format!("round {round} {}", "words ".repeat(14).trim_end()));
        ada.screen.wait_for("message", |shown| {
            shown.contains(&format!("round {round}")) && shown.ends_with("> half typed")
        });
    }
    let shown = ada.screen.contents();
    for round in 0..3 {
        assert!(shown.contains(&format!("<bob> round {round}")), "{shown}");
    }
}

#[test]
fn completing_and_searching_do_not_stop_what_comes_in() {
    let relay = Relay::start(&[]);
    let mut ada = join(&relay, "ada");
    let mut bob = ada.welcomes(&relay, "bob");
    ada.screen.enter("one to look for");
    bob.wait_for_message("ada", "one to look for");
    for (said, keys, shown) in [
        ("one", "/wh\t", "> /who"),
        ("two", "\x15/wh\t\t\t", "> /whois "),
        ("three", "\x15look\x12", "> one to look for"),
        ("four", "\x15not there\x12", "> not there"),
    ] {
        ada.screen.type_text(keys);
        ada.screen.wait_for(shown, |screen| screen.ends_with(shown));
        bob.say(said);
        ada.screen.wait_for("message", |screen| {
            screen.contains(&format!("<bob> {said}")) && screen.ends_with(shown)
        });
    }
}

#[test]
fn the_bell_rings_for_a_mention_and_leaves_the_input_alone() {
    let relay = Relay::start(&[]);
    let mut ada = join(&relay, "ada");
    let mut bob = ada.welcomes(&relay, "bob");
    ada.screen.enter("/notify mentions");
    ada.screen.sees("* the bell rings");
    ada.screen.type_text("half typed");
    // The window loses the focus: whoever looks is not called.
    ada.screen.looks_away();
    for text in ["nothing to do with anybody", "ada: look here", "and here"] {
        bob.say(text);
    }
    let shown = ada.screen.wait_for("what comes then", |shown| {
        shown.contains("<bob> and here") && shown.ends_with("> half typed")
    });
    let bells = ada.screen.raw().matches('\x07').count();
    assert_eq!(bells, 1, "{shown}");
    let from_bob = shown.lines().skip_while(|row| !row.contains("<bob"));
    let rows: Vec<&str> = from_bob.collect();
    let [_, mention, next, input] = rows.as_slice() else {
        panic!("there are other rows: {shown}");
    };
    assert!(mention.contains("<bob @you> ada: look here"), "{shown}");
    assert!(next.contains("<bob> and here"), "{shown}");
    assert_eq!(*input, "> half typed");
}

/// There is nothing to be seen on them, but everything is there when they grow.
#[test]
fn the_smallest_terminals_end_nothing() {
    let relay = Relay::start(&[]);
    let mut bob = Client::join(relay.address(), "bob", &[]);
    for (rows, columns) in [(1, 1), (1, 2), (2, 1), (1, 80), (24, 1), (2, 3)] {
        let home = Home::new();
        let address = relay.address().to_string();
        let arguments = ["join", &address, "--nick", "ada", "--color", "always"];
        let mut screen = Screen::e2echat(&home, &arguments, rows, columns);
        screen.wait_for("prompt", |_| screen.raw().contains('>'));
        bob.wait_for_line("ada", |line| line.starts_with("* ada joined"));
        bob.say("hello 日本 ada, and a 🦀 too");
        screen.paste("two\nlines 日本");
        for key in ["\t", "\x1b[Z", "\x12", "\x1b[A", "\x1b[B", "\x0c", "\x03"] {
            screen.press(key);
        }
        screen.enter("/theme light");
        screen.resize(24, 80);
        screen.press("\x0c");
        screen.sees("<bob @you> hello 日本 ada, and a 🦀 too");
        let said = format!("from {rows} by {columns}");
        screen.enter(&said);
        bob.wait_for_message("ada", &said);
        screen.enter("/quit");
        assert!(screen.wait_exit().success());
        bob.wait_for_line("ada's leaving", |line| line.contains("ada left"));
    }
}

#[test]
fn a_terminal_that_cannot_move_its_cursor_gets_lines_without_colour() {
    let relay = Relay::start(&[]);
    let home = Home::new();
    let (address, variables) = (relay.address().to_string(), [("TERM", "dumb")]);
    let arguments = ["join", &address, "--nick", "ada"];
    let mut screen = Screen::e2echat_with(&home, &variables, &arguments, 24, 80);
    screen.sees("* nobody else is here yet");
    // The program shows what is typed in the system's place.
    screen.type_text("/quiz\x7ft");
    screen.sees("/quit");
    screen.press("\r");
    assert!(screen.wait_exit().success());
    assert!(screen.is_cooked());
    assert!(!screen.raw().contains('\x1b'), "{:?}", screen.raw());
}

#[test]
fn the_host_sits_in_the_room_it_serves() {
    let home = Home::new();
    let mut command = screen::command(tested_program());
    command.args([
        "serve",
        "--nick",
        "ada",
        "--bind",
        "127.0.0.1",
        "--port",
        "0",
    ]);
    command.env("HOME", home.path());
    command.env("XDG_CONFIG_HOME", home.path());
    let mut ada = Screen::spawn(command, 24, 80);
    let shown = ada.wait_for("room", |shown| shown.contains("* nobody else is here yet"));
    let address = shown
        .lines()
        .find_map(|line| line.strip_prefix("listening on "))
        .expect("an address")
        .parse()
        .expect("an address and a port");
    let bob = Client::join(address, "bob", &["--reconnect", "0"]);
    ada.wait_for("bob", |shown| shown.contains("* bob joined "));
    ada.enter("welcome");
    bob.wait_for_message("ada", "welcome");
    ada.enter("/quit");
    assert!(ada.wait_exit().success());
    assert!(ada.is_cooked());
    bob.ended()
        .assert_failure(&format!("the relay is shutting down ({address})"));
}

/// Bob's words cross with what ada says: he has not seen it. Then some of his come that are seven
/// minutes old, by his clock, which is two hours slow. Whether there is a terminal that can be drawn on
/// or not, ada and those who read along are told.
#[test]
fn words_that_cross_and_old_ones_are_marked() {
    let relay = Relay::start(&[]);
    let mut ada = join(&relay, "ada");
    let home = Home::new();
    let log = home.file("log");
    let pipe = Client::join_from(&home, relay.address(), "carl", &["--log", "log"]);
    ada.meets("carl");
    let mut bob = Member::join(relay.address(), "bob", 0);
    ada.meets("bob");
    pipe.wait_for_line("bob", |line| line.starts_with("* bob joined "));
    ada.screen.enter("shall we meet at seven?");
    ada.screen.enter("or would eight be better?");
    pipe.wait_for_message("ada", "or would eight be better?");
    let clock = || SystemTime::now() - Duration::from_hours(2);
    bob.say(0, clock(), "yes");
    pipe.wait_for_message("bob", "yes");
    bob.say(1, clock() - Duration::from_secs(440), "I am on my way");
    bob.say(2, clock(), "really");
    pipe.wait_for_message("bob", "really");
    ada.screen.sees("<bob> really");

    // The time is the same for all, or one minute later for some.
    let marked = |rows: Vec<String>| -> Vec<String> {
        let rows = rows.iter().filter(|row| !row.starts_with('>'));
        let rows = rows.skip_while(|row| !row.contains("<ada> or would"));
        let rows = rows.map(|row| match row.split_at_checked(5) {
            Some((time, said)) if time.as_bytes()[2] == b':' => format!("##:##{said}"),
            _ => row.clone(),
        });
        rows.filter(|row| !row.is_empty()).collect()
    };
    let expected = [
        "##:## <ada> or would eight be better?",
        "##:##~ <bob> yes",
        "* the ~ says: written before its author had seen the line above",
        "##:##~ <bob> I am on my way",
        "* written 7 minutes ago by bob's clock",
        "##:##~ <bob> really",
    ];
    assert_eq!(marked(pipe.lines()), expected);
    assert_eq!(marked(ada.screen.transcript()), expected);
    let logged = fs::read_to_string(log).expect("there is a log");
    let logged: Vec<&str> = logged.lines().map(|line| &line[20..]).collect();
    let of_bob = [
        "~ <bob> yes",
        "~ <bob> I am on my way",
        "* written 7 minutes ago by bob's clock",
    ];
    for line in of_bob {
        assert!(logged.contains(&line), "no {line} in {logged:#?}");
    }
    // They are marked when they are shown again, too.
    ada.screen.enter("/history 2");
    ada.screen.wait_for("both, and the remark", |shown| {
        shown.contains("\n| * written 7 minutes ago by bob's clock\n")
            || shown.matches("minutes ago").count() == 2
    });
}

/// A client sleeps until something is due or comes. Each of the two beacons that come in a minute is a
/// handful of wakes, and both may fall into the time that is looked at.
#[test]
fn in_a_quiet_room_a_client_wakes_at_most_once_a_second() {
    const SECONDS: u64 = 20;
    const BEACONS: u64 = 12;
    let relay = Relay::start(&[]);
    let ada = join(&relay, "ada");
    let bob = ada.welcomes(&relay, "bob");
    let ids = [u32::try_from(ada.screen.pid().as_raw()).unwrap(), bob.id()];
    // What follows the coming of somebody is over.
    thread::sleep(Duration::from_secs(5));
    let before = ids.map(waits_of);
    thread::sleep(Duration::from_secs(SECONDS));
    for (id, before) in ids.into_iter().zip(before) {
        let waits = waits_of(id) - before;
        assert!(waits <= SECONDS + BEACONS, "{waits} times in {SECONDS} s");
    }
}
