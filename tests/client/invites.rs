//! Rooms that are entered by an invite: one token to hand on, and nothing of it for the relay.

use nix::sys::signal::Signal;

use crate::support::process::{Client, Ended, Home, Relay, is_message, tested_program, wait_for};
use crate::support::proxy::Proxy;
use crate::support::screen::Screen;

const BY_INVITE: &str = ", by an invite: only those who have it can enter; keep it secret";
const BY_NAME: &str = ": anybody who guesses this name can enter";

/// The token in the line that is for friends: `HOST:PORT/inv-...`.
fn token_in(line: &str) -> String {
    let command = line.split_once("friends join with: e2echat join ").unwrap();
    let (token, rest) = command.1.split_once(' ').unwrap();
    assert_eq!(rest, "--nick NAME");
    token.to_owned()
}

/// Somebody who has made a room, and the token.
fn host(address: std::net::SocketAddr) -> (Client, String) {
    let ada = Client::join(address, "ada", &["--new-room"]);
    let line = ada.wait_for_line("token", |line| line.contains("friends join with"));
    let token = token_in(&line);
    assert!(token.starts_with(&format!("{address}/inv-")), "{token}");
    (ada, token)
}

/// A client without a relay's address, and with this variable.
fn with_variable(home: &Home, room: &str, arguments: &[&str]) -> Client {
    let mut command = home.e2echat();
    command.args(["join", "--nick", "bob"]).args(arguments);
    Client::start_command(command.env("E2ECHAT_ROOM", room))
}

/// Runs it to its end, in a session that has no terminal to ask on.
#[cfg(target_os = "linux")]
fn run_without_terminal(home: &Home, variables: &[(&str, &str)], arguments: &[&str]) -> Ended {
    let mut command = std::process::Command::new("setsid");
    home.isolate(&mut command);
    command
        .arg(tested_program())
        .args(arguments)
        .envs(variables.iter().copied());
    Client::start_command(&mut command).ended()
}

#[test]
fn one_line_is_all_that_friends_need() {
    let relay = Relay::start(&[]);
    let (mut ada, token) = host(relay.address());
    let home = Home::new();
    let others = [
        Client::start_at(&token, "bob", &[]),
        Client::start_at(&token.to_uppercase(), "carol", &[]),
    ];
    let by_variable = {
        let mut command = home.e2echat();
        command.args(["join", "--nick", "dave"]);
        Client::start_command(command.env("E2ECHAT_ROOM", &token))
    };
    for nick in ["bob", "carol", "dave"] {
        let joined = format!("* {nick} joined ");
        ada.wait_for_line(&joined, |line| line.starts_with(&joined));
    }
    ada.say("welcome, all three");
    for other in others.iter().chain([&by_variable]) {
        other.wait_for_message("ada", "welcome, all three");
        let told = other.lines();
        let first = format!("* private room at {}{BY_INVITE}", relay.address());
        assert_eq!(told[0], first, "{told:#?}");
        assert!(!told.iter().any(|line| line.contains("friends join")));
    }
    let told = ada.lines();
    let lines = told.iter().filter(|line| line.contains("inv-"));
    assert_eq!(lines.count(), 1, "{told:#?}");
    assert!(told[0].ends_with(BY_INVITE), "{told:#?}");
}

#[test]
fn every_new_room_is_another_one() {
    let relay = Relay::start(&[]);
    let (ada, one) = host(relay.address());
    let (also_ada, other) = host(relay.address());
    assert_ne!(one, other);
    for client in [ada, also_ada] {
        let ended = client.leave();
        assert!(
            ended
                .stdout
                .contains(&"* nobody else is here yet".to_owned())
        );
    }
}

#[test]
fn a_name_that_can_be_guessed_is_told_from_an_invite() {
    let relay = Relay::start(&[]);
    let address = relay.address();
    for (options, room) in [(&[][..], "lobby"), (&["--room", "Cellar"][..], "cellar")] {
        let ada = Client::join(address, "ada", options);
        let told = ada.lines();
        assert_eq!(told[0], format!("* room {room} at {address}{BY_NAME}"));
        assert_eq!(ada.leave().code(), Some(0));
    }
    // So is one after the relay's address.
    let ada = Client::start_at(&format!("{address}/attic"), "ada", &[]);
    ada.wait_for_roster();
    assert_eq!(
        ada.lines()[0],
        format!("* room attic at {address}{BY_NAME}")
    );
}

#[test]
fn the_invite_is_asked_for_on_the_terminal_and_not_shown() {
    let relay = Relay::start(&[]);
    let (mut ada, token) = host(relay.address());
    let home = Home::new();
    let mut bob = Screen::e2echat(&home, &["join", "--nick", "bob"], 24, 80);
    bob.wait_for("question", |shown| shown.contains("invite: "));
    wait_for(
        || (!bob.is_cooked()).then_some(()),
        || "what is typed is shown".to_owned(),
    );
    bob.enter(&format!("  {token} "));
    bob.wait_for("room", |shown| shown.contains("* here: ada "));
    ada.wait_for_line("bob", |line| line.starts_with("* bob joined "));
    ada.say("welcome");
    bob.wait_for("welcome", |shown| shown.contains("<ada> welcome"));
    bob.enter("thank you");
    ada.wait_for_line("thanks", |line| is_message(line, "bob", "thank you"));
    assert!(!bob.raw().contains("inv-"), "{}", bob.raw());
    bob.enter("/quit");
    assert!(bob.wait_exit().success());

    let wrong = token.replacen("inv-", "inv-0", 1);
    for (answer, error) in [
        (
            wrong.as_str(),
            "error: this invite is mistyped: copy it again, all of it",
        ),
        ("lobby", "error: an invite has the form HOST:PORT/inv-..."),
        ("", "error: no invite was given"),
    ] {
        let mut bob = Screen::e2echat(&home, &["join", "--nick", "bob"], 24, 80);
        bob.wait_for("question", |shown| shown.contains("invite: "));
        bob.enter(answer);
        assert_eq!(bob.wait_exit().exit_code(), 2, "{answer:?}");
        assert!(bob.is_cooked());
        let shown = bob.contents();
        assert!(shown.lines().any(|row| row == error), "{answer:?}: {shown}");
    }
}

#[test]
fn the_question_finds_the_invite_in_what_was_copied_with_it() {
    let relay = Relay::start(&[]);
    let (mut ada, token) = host(relay.address());
    let (start, end) = token.split_at(token.len() - 12);
    let pasted = [
        format!("e2echat join {token} --nick NAME\r"),
        format!("$ e2echat join {token} --nick bob\r"),
        // Rows of a screen, each with its gutter.
        format!("* friends join with: e2echat join\r*   {token} --nick NAME\r"),
        format!("*   {start}\r*   {end} --nick NAME\r"),
        format!("21:04 <ada → bob> {start}\r      <ada → bob> {end}\r"),
        // The last row has no end but the user's.
        format!("friends join with: e2echat join\r{token}"),
        format!("\"{token}\""),
        format!("“e2echat join {token}”."),
        format!("\u{200b}{}", token.replace("inv-", "inv-\u{ad}\u{feff}")),
    ];
    for (number, text) in pasted.iter().enumerate() {
        let nick = format!("bob{number}");
        let home = Home::new();
        let mut bob = Screen::e2echat(&home, &["join", "--nick", &nick], 24, 80);
        bob.wait_for("question", |shown| shown.contains("invite: "));
        bob.type_text(text);
        if !text.ends_with('\r') {
            bob.press("\r");
        }
        bob.wait_for(text, |shown| shown.contains("* here: ada "));
        assert!(!bob.raw().contains("inv-"), "{text}: {}", bob.raw());
        // What is typed then is for the room.
        bob.enter("/msg ada hello");
        let said = format!("<{nick} → you> hello");
        ada.wait_for_line(&said, |line| line.ends_with(&said));
        bob.enter("/quit");
        assert!(bob.wait_exit().success());
    }
    ada.say("that is all");
    assert_eq!(ada.leave().code(), Some(0));
}

#[test]
fn the_token_stands_whole_in_one_row_and_survives_a_redraw() {
    let relay = Relay::start(&[]);
    let home = Home::new();
    let address = relay.address().to_string();
    let arguments = ["join", &address, "--nick", "ada", "--new-room"];
    let mut ada = Screen::e2echat(&home, &arguments, 24, 80);
    ada.wait_for("room", |shown| shown.contains("* nobody else is here yet"));
    let token = |shown: &str| {
        let start = format!("{address}/inv-");
        let row = shown.lines().find(|row| row.contains(&start)).unwrap();
        let from = row.find(&address).unwrap();
        let token = row[from..].split(' ').next().unwrap();
        assert_eq!(token.len(), start.len() + 29, "{shown}");
        token.to_owned()
    };
    let before = token(&ada.contents());
    ada.press("\x0c");
    ada.enter("drawn again");
    let shown = ada.wait_for("message", |shown| shown.contains("<ada> drawn again"));
    assert_eq!(token(&shown), before);
    let bob = Client::start_at(&before, "bob", &[]);
    bob.wait_for_line("ada", |line| line.starts_with("* here: ada "));
}

#[test]
fn the_invite_is_shown_again_to_whoever_asks() {
    let relay = Relay::start(&[]);
    let (_ada, token) = host(relay.address());
    let home = Home::new();
    let mut bob = Screen::join(&home, &token, "bob", &[]);
    assert!(!bob.contents().contains("friends join"));
    bob.enter("/invite");
    bob.wait_for_row("directions", |row| {
        row == "* friends join with: e2echat join INVITE --nick NAME, where the invite is"
    });
    bob.wait_for_row("token", |row| row == token);
    bob.wait_for_row("how to hand it on", |row| {
        row == "* only those who have this invite can enter; hand it on by another way than this relay"
    });
}

/// What the terminal has broken itself is one line, as for whoever copies it.
#[test]
fn the_invite_is_a_line_of_its_own_at_any_width() {
    let relay = Relay::start(&[]);
    let (_ada, token) = host(relay.address());
    for columns in [20, 40, 54, 80, 200] {
        let home = Home::new();
        let arguments = ["join", &token, "--nick", "bob", "--color", "always"];
        let mut bob = Screen::e2echat(&home, &arguments, 60, columns);
        bob.wait_for("roster", |shown| shown.contains("here: ada"));
        bob.enter("/invite");
        bob.wait_for_row("token", |row| row == token);
        let wraps = |raw: &str| {
            let before = raw.split(&token).next().unwrap();
            let switch = before.rfind("\x1b[?7").unwrap();
            before[switch..].starts_with("\x1b[?7h")
        };
        assert!(wraps(&bob.raw()), "{columns}");
        // Drawn again, as it is and at other widths.
        bob.press("\x0c");
        bob.enter("drawn again");
        bob.sees("<bob> drawn again");
        bob.wait_for_row("token", |row| row == token);
        for columns in [30, 100] {
            bob.resize(60, columns);
            bob.press("\x0c");
            bob.wait_for_row("token", |row| row == token);
        }
        bob.enter("/quit");
        assert!(bob.wait_exit().success());
    }
}

/// A screen that the invite fills, and that is drawn again without what has no room on it.
#[test]
fn a_small_screen_is_drawn_again_in_full_below_an_invite() {
    let relay = Relay::start(&[]);
    let (mut ada, token) = host(relay.address());
    let home = Home::new();
    let mut bob = Screen::e2echat(&home, &["join", &token, "--nick", "bob"], 10, 20);
    bob.wait_for("roster", |shown| shown.contains("here: ada"));
    bob.enter("/invite");
    bob.sees("only those who");
    for number in 0..12 {
        ada.say(&format!("{number}"));
        bob.sees(&format!("<ada> {number}\n"));
        let before = bob.contents();
        bob.press("\x0c");
        bob.comes_to_rest();
        assert_eq!(bob.contents(), before, "{number}");
    }
}

#[test]
fn the_host_s_invite_is_a_line_of_its_own_too_and_shown_once() {
    let arguments = [
        "serve",
        "--nick",
        "ada",
        "--new-room",
        "--bind",
        "127.0.0.1",
        "--port",
        "0",
    ];
    for columns in [20, 80] {
        let home = Home::new();
        let ada = Screen::e2echat(&home, &arguments, 60, columns);
        ada.wait_for("roster", |shown| shown.contains("nobody else"));
        ada.comes_to_rest();
        let token = ada.wait_for_row("token", |row| row.contains("/inv-"));
        let bob = Client::start_at(&token, "bob", &[]);
        bob.wait_for_line("ada", |line| line.starts_with("* here: ada "));
        assert_eq!(
            ada.contents().matches("inv-").count(),
            1,
            "{}",
            ada.contents()
        );
    }
}

#[test]
fn a_name_that_can_be_guessed_is_no_invite() {
    let relay = Relay::start(&[]);
    let (home, address) = (Home::new(), relay.address().to_string());
    for (options, directions) in [
        (&[][..], format!("{address} --nick NAME")),
        (
            &["--room", "den"],
            format!("{address} --nick NAME --room den"),
        ),
    ] {
        let mut bob = Screen::join(&home, &address, "bob", options);
        bob.enter("/invite");
        let room = options.last().unwrap_or(&"lobby");
        bob.wait_for_row("directions", |row| {
            row == format!("* friends join with: e2echat join {directions}")
        });
        bob.wait_for_row("what to do instead", |row| {
            row.starts_with(&format!(
                "* that is no invite: anybody who guesses the name {room} can enter; "
            )) && row.ends_with(&format!(" e2echat join {address} --nick bob --new-room"))
        });
    }
}

#[test]
fn no_character_of_a_token_can_be_mistyped() {
    const ERROR: &str = "this invite is mistyped: copy it again, all of it";
    let relay = Relay::start(&[]);
    let (ada, token) = host(relay.address());
    let home = Home::new();
    let name = token.find("/inv-").unwrap() + 1;
    for position in name..token.len() {
        let other = if &token[position..=position] == "x" {
            "y"
        } else {
            "x"
        };
        let mut mistyped = token.clone();
        mistyped.replace_range(position..=position, other);
        let ended = home.run(&["join", &mistyped, "--nick", "bob"]);
        ended.assert_misused(ERROR);
        let told = ended.stderr.iter().filter(|line| line.contains(ERROR));
        assert_eq!(told.count(), 1, "{ended:#?}");
        let ended = with_variable(&home, &mistyped, &[]).ended();
        ended.assert_misused(ERROR);
    }
    let cut = &token[..token.len() - 1];
    let ended = home.run(&["join", cut, "--nick", "bob"]);
    ended.assert_misused(ERROR);
    let told = ada.leave().stdout.join("\n");
    assert!(!told.contains("bob"), "{told}");
}

#[test]
fn the_relay_learns_nothing_of_the_name() {
    let relay = Relay::start(&["-v"]);
    let proxy = Proxy::start(relay.address());
    let (mut ada, token) = host(proxy.address());
    let bob = Client::start_at(&token, "bob", &[]);
    ada.wait_for_line("bob", |line| line.starts_with("* bob joined "));
    ada.say("hello");
    bob.wait_for_message("ada", "hello");
    ada.leave();
    bob.leave();
    let name = token.split_once('/').unwrap().1;
    let bare = name.replace('-', "");
    let groups: Vec<&str> = name.split('-').skip(1).collect();
    let contains = |haystack: &[u8], needle: &str| {
        haystack
            .windows(needle.len())
            .any(|window| window.eq_ignore_ascii_case(needle.as_bytes()))
    };
    let recordings = proxy.recordings();
    assert_eq!(recordings.len(), 2);
    for recording in recordings {
        for track in [&recording.to_relay, &recording.to_client] {
            assert!(contains(track, "e2echat/2"), "it is a recording at all");
            for part in [name, &bare, &bare[3..], &groups[..2].join("-")] {
                assert!(!contains(track, part), "{part} crosses the wire");
            }
        }
    }
    let log = relay.end(Signal::SIGTERM).stderr.join("\n");
    assert!(log.contains("ada SHA256:"), "{log}");
    for group in groups {
        assert!(!log.contains(&format!("{group}-")), "{group} in {log}");
    }
    assert!(!log.contains("inv-"), "{log}");
}

#[test]
fn the_host_makes_a_room_of_its_own() {
    let mut relay = Relay::start(&["--nick", "ada", "--new-room"]);
    relay.wait_for_line("roster", |line| line == "* nobody else is here yet");
    let lines = relay.lines();
    let tokens: Vec<String> = lines
        .iter()
        .filter(|line| line.contains("friends join with: "))
        .map(|line| token_in(line))
        .collect();
    let [token, again @ ..] = tokens.as_slice() else {
        panic!("no token: {lines:#?}");
    };
    assert!(again.iter().all(|other| other == token), "{lines:#?}");
    let mut bob = Client::start_at(token, "bob", &[]);
    bob.wait_for_line("ada", |line| line.starts_with("* here: ada "));
    bob.say("found it");
    relay.wait_for_line("message", |line| is_message(line, "bob", "found it"));
    relay.say("welcome");
    bob.wait_for_message("ada", "welcome");
    // The lobby is another room.
    let carol = Client::join(relay.address(), "carol", &[]);
    assert!(
        carol
            .lines()
            .contains(&"* nobody else is here yet".to_owned())
    );
}

#[test]
#[cfg(target_os = "linux")]
fn without_a_terminal_and_a_place_there_is_nothing_to_do() {
    let home = Home::new();
    let place = "put HOST:PORT or an invite after `e2echat join`";
    let ended = run_without_terminal(&home, &[], &["join", "--nick", "bob"]);
    ended.assert_misused(place);
    // What was given is not forgotten over it.
    let relay = "put HOST:PORT after `e2echat join`";
    for arguments in [
        ["join", "--nick", "bob", "--new-room"].as_slice(),
        &["join", "--nick", "bob", "--room", "cellar"],
    ] {
        run_without_terminal(&home, &[], arguments).assert_misused(relay);
    }
    let variable = [("E2ECHAT_ROOM", "cellar")];
    let ended = run_without_terminal(&home, &variable, &["join", "--nick", "bob"]);
    ended.assert_misused(relay);
}

#[test]
fn what_contradicts_itself_is_refused() {
    let home = Home::new();
    let relay = Relay::start(&[]);
    let (_ada, token) = host(relay.address());
    let address = relay.address().to_string();
    let twice = "the room is given twice";
    for (arguments, error) in [
        (
            vec![address.as_str(), "--new-room", "--room", "den"],
            "cannot be used with",
        ),
        (vec![&token, "--new-room"], twice),
        (vec![&token, "--room", "den"], twice),
        (vec!["127.0.0.1:1", "--room", &token], "the invite leads to"),
    ] {
        let all = [&["join", "--nick", "bob"][..], &arguments].concat();
        home.run(&all).assert_misused(error);
    }
    let ended = with_variable(&home, "den", &[&token]).ended();
    ended.assert_misused(twice);
    let ended = with_variable(&home, &token, &["127.0.0.1:1"]).ended();
    ended.assert_misused("the invite leads to");
    // What says the same twice contradicts nothing.
    for (variable, arguments) in [
        (Some(&token), ["join", &token]),
        (Some(&token), ["join", &address]),
        (None, ["join", &token]),
    ] {
        let mut command = home.e2echat();
        command.args(arguments).args(["--nick", "bob"]);
        match variable {
            Some(token) => command.env("E2ECHAT_ROOM", token),
            None => command.args(["--room", &token]),
        };
        let client = Client::start_command(&mut command);
        client.wait_for_line("ada", |line| line.starts_with("* here: ada "));
        assert_eq!(client.leave().code(), Some(0));
    }
}
