//! The client without a terminal, as scripts use it: lines in, lines out, an exit status.

use std::process::Stdio;

use crate::support::peer::{Member, lobby};
use crate::support::process::{Client, Ended, Home, Relay, is_message, tested_program};

/// A shell script in which `e2echat` is the program.
fn script(script: &str) -> Client {
    let home = Home::new();
    let mut shell = std::process::Command::new("sh");
    let program = tested_program();
    shell.args([
        "-c",
        &format!("e2echat() {{ '{program}' \"$@\"; }}\n{script}"),
    ]);
    home.isolate(&mut shell);
    Client::from_command(&mut shell, home)
}

/// Runs a script to its end, which comes without anything on standard input.
fn run(text: &str) -> Ended {
    script(text).leave()
}

#[test]
fn an_echo_is_a_whole_program() {
    let relay = Relay::start(&[]);
    let ada = Client::join(relay.address(), "ada", &[]);
    let address = relay.address();
    let ended = run(&format!("echo hello | e2echat join {address} --nick bot"));
    assert_eq!(ended.code(), Some(0), "{ended:#?}");
    assert_eq!(ended.stderr, [""; 0]);
    ada.wait_for_message("bot", "hello");
    ada.wait_for_line("departure", |line| line == "* bot left");
}

#[test]
fn a_loop_around_it_is_a_bot() {
    let relay = Relay::start(&[]);
    let address = relay.address();
    let bot = script(&format!(
        r#"mkfifo said
        e2echat join {address} --nick bot <said |
        while read -r time who text; do
            case "$who $text" in
                "<ada> stop") break ;;
                "<ada> "*) echo "you said: $text" ;;
            esac
        done >said"#
    ));
    let mut ada = Client::join(relay.address(), "ada", &[]);
    ada.wait_for_line("bot", |line| line.contains(" bot "));
    ada.say("one");
    ada.wait_for_message("bot", "you said: one");
    ada.say("two");
    ada.wait_for_message("bot", "you said: two");
    ada.say("stop");
    assert_eq!(bot.ended().code(), Some(0));
    ada.wait_for_line("departure", |line| line == "* bot left");
}

#[test]
fn all_that_was_piped_in_is_delivered_in_order_before_the_end() {
    let relay = Relay::start(&[]);
    let ada = Client::join(relay.address(), "ada", &[]);
    let mut bot = Client::start(relay.address(), "bot", &[]);
    let lines: Vec<String> = (0..300).map(|number| format!("line {number}")).collect();
    bot.write((lines.join("\n") + "\nthe last one has no line break").as_bytes());
    let ended = bot.leave();
    assert_eq!(ended.code(), Some(0), "{:#?}", ended.stderr);
    ada.wait_for_line("departure", |line| line == "* bot left");
    let heard = ada.lines();
    let mut heard = heard.iter().filter(|line| line.contains("<bot> "));
    for line in lines
        .iter()
        .map(String::as_str)
        .chain(["the last one has no line break"])
    {
        assert!(is_message(heard.next().expect("another"), "bot", line));
    }
    assert_eq!(heard.next(), None);
    assert_eq!(ada.warnings(), [""; 0]);
}

#[test]
fn no_input_at_all() {
    let relay = Relay::start(&[]);
    let address = relay.address();
    let ended = run(&format!("e2echat join {address} --nick bot </dev/null"));
    assert_eq!(ended.code(), Some(0), "{ended:#?}");
    assert_eq!(ended.stderr, [""; 0]);
}

#[test]
fn slashes_are_text() {
    let relay = Relay::start(&[]);
    let ada = Client::join(relay.address(), "ada", &[]);
    let mut bot = Client::join(relay.address(), "bot", &[]);
    bot.say("/quit");
    bot.say("//x");
    ada.wait_for_message("bot", "/quit");
    ada.wait_for_message("bot", "//x");
}

#[test]
fn invalid_utf8_is_replaced_and_the_rest_goes_on() {
    let relay = Relay::start(&[]);
    let ada = Client::join(relay.address(), "ada", &[]);
    let mut bot = Client::join(relay.address(), "bot", &[]);
    bot.write(b"caf\xe9 \xff\xfe\nnext\n");
    ada.wait_for_message("bot", "next");
    ada.wait_for_message("bot", "caf\u{fffd} \u{fffd}\u{fffd}");
    assert_eq!(bot.leave().code(), Some(0));
}

#[test]
fn an_empty_line_is_not_sent_and_no_failure() {
    let relay = Relay::start(&[]);
    let ada = Client::join(relay.address(), "ada", &[]);
    let mut bot = Client::join(relay.address(), "bot", &[]);
    bot.write(b"\n\r\nnext\n");
    ada.wait_for_message("bot", "next");
    let ended = bot.leave();
    assert_eq!(ended.code(), Some(0), "{ended:#?}");
    let warnings = ended
        .stdout
        .iter()
        .filter(|line| line.starts_with(['!', '?']));
    assert!(
        warnings.eq(["? not sent: there is nothing in it"; 2]),
        "{ended:#?}"
    );
    let heard = ada.lines();
    assert_eq!(
        heard.iter().filter(|line| line.contains("<bot>")).count(),
        1
    );
}

#[test]
fn a_message_of_4_kib_is_sent() {
    let relay = Relay::start(&[]);
    let ada = Client::join(relay.address(), "ada", &[]);
    let mut bot = Client::join(relay.address(), "bot", &[]);
    let longest = "x".repeat(4096);
    bot.say(&longest);
    ada.wait_for_message("bot", &longest);
    assert_eq!(bot.leave().code(), Some(0));
}

#[test]
fn a_message_of_4_kib_and_one_byte_is_not_sent_and_the_exit_status_says_so() {
    let relay = Relay::start(&[]);
    let ada = Client::join(relay.address(), "ada", &[]);
    // The last has more bytes than the client keeps of a line.
    for bytes in [4097, 70_000] {
        let mut bot = Client::join(relay.address(), "bot", &[]);
        bot.say(&"x".repeat(bytes));
        bot.say("next");
        ada.wait_for_message("bot", "next");
        let refused = format!("? not sent: it has {bytes} bytes, and a message has at most 4096");
        bot.wait_for_line("warning", |line| line == refused);
        let ended = bot.leave();
        ended.assert_failure("not everything was sent");
        ada.wait_for_line("departure", |line| line == "* bot left");
    }
    assert!(!ada.lines().iter().any(|line| line.contains("xxx")));
}

#[test]
fn a_standard_output_that_nobody_reads_any_more_is_a_quiet_goodbye() {
    let relay = Relay::start(&[]);
    let mut ada = Client::join(relay.address(), "ada", &[]);
    let address = relay.address();
    // `head` ends with the first line; what is said then cannot be written any more.
    let bot = script(&format!("e2echat join {address} --nick bot | head -n 1"));
    ada.wait_for_line("bot", |line| line.starts_with("* bot joined "));
    for number in 0.. {
        ada.say(&format!("line {number}"));
        if ada.lines().iter().any(|line| line == "* bot left") {
            break;
        }
        assert!(number < 2000, "the bot is still here");
        ada.wait_for_message("ada", &format!("line {number}"));
    }
    let ended = bot.leave();
    assert_eq!(ended.stderr, [""; 0]);
    assert_eq!(ended.stdout.len(), 1, "{ended:#?}");
}

#[test]
fn what_is_piped_in_is_sent_though_nobody_reads_the_output() {
    let relay = Relay::start(&[]);
    let ada = Client::join(relay.address(), "ada", &[]);
    let address = relay.address();
    for number in 0..5 {
        let ended = run(&format!(
            "echo line {number} | {{ e2echat join {address} --nick bot; echo $? >&2; }} | true"
        ));
        assert_eq!(ended.stderr, ["0"]);
        ada.wait_for_message("bot", &format!("line {number}"));
    }
}

#[test]
fn a_standard_output_that_is_full_is_a_failure() {
    let relay = Relay::start(&[]);
    let address = relay.address();
    let ended = run(&format!(
        "echo hello | e2echat join {address} --nick bot >/dev/full"
    ));
    ended.assert_failure("cannot write to standard output: no space left on device");
}

#[test]
fn a_standard_output_that_was_never_open_does_not_keep_a_line_from_being_sent() {
    let relay = Relay::start(&[]);
    let ada = Client::join(relay.address(), "ada", &[]);
    let address = relay.address();
    let ended = run(&format!(
        "echo hello | e2echat join {address} --nick bot >&-"
    ));
    assert_eq!(ended.code(), Some(0), "{ended:#?}");
    ada.wait_for_message("bot", "hello");
}

#[test]
fn a_reader_of_the_output_that_stands_still_does_not_keep_the_others_from_talking() {
    let relay = Relay::start(&[]);
    let mut ada = Client::join(relay.address(), "ada", &[]);
    let home = Home::new();
    let mut slow = home
        .e2echat()
        .args(["join", &relay.address().to_string(), "--nick", "slow"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    ada.wait_for_line("slow", |line| line.starts_with("* slow joined "));
    for number in 0..200 {
        ada.say(&format!("{number} {}", "x".repeat(1000)));
    }
    ada.say("end");
    ada.wait_for_message("ada", "end");
    assert_eq!(ada.leave().code(), Some(0));
    slow.kill().unwrap();
    slow.wait().unwrap();
}

#[test]
fn wrong_usage_has_the_exit_status_2_and_says_what_is_wrong() {
    let long = "a".repeat(25);
    let cases: [(&[&str], &str); 9] = [
        (
            &["join", "127.0.0.1", "--nick", &long],
            "it must have 1 to 24 characters",
        ),
        (
            &["join", "127.0.0.1", "--nick", "a b"],
            "it may have letters",
        ),
        (&["join", "127.0.0.1"], "--nick"),
        (
            &["join", "host:0", "--nick", "ada"],
            "the port must be a number from 1 to 65535",
        ),
        (
            &["join", "http://host", "--nick", "ada"],
            "it must be HOST or HOST:PORT",
        ),
        (&["serve", "--port", "65536"], "65536"),
        // What a relay prints is not JSON.
        (&["serve", "--nick", "ada", "--json"], "--json"),
        (&["keygen", "--bits", "1024"], "1024"),
        (&["chat"], "unrecognized subcommand"),
    ];
    for (arguments, expected) in cases {
        let ended = Home::new().run(arguments);
        assert_eq!(ended.code(), Some(2), "{arguments:?}: {ended:#?}");
        assert_eq!(ended.stdout, [""; 0]);
        assert!(ended.stderr.join("\n").contains(expected), "{ended:#?}");
    }
}

#[test]
fn a_message_by_hand_reads_as_one_by_the_program() {
    let relay = Relay::start(&[]);
    let ada = Client::join(relay.address(), "ada", &[]);
    let mut peer = Member::join(relay.address(), "peer", 0);
    assert_eq!(lobby().id(), peer.others[0].room());
    let (header, body) = peer.compose(0, "by hand");
    let message = peer.seal(&header, &body);
    peer.send(message);
    ada.wait_for_message("peer", "by hand");
    assert_eq!(ada.warnings(), [""; 0]);
}
