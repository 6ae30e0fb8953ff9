//! What stands on the screen after the program was stopped, after another program has written there, and
//! after the screen was drawn again.

use std::fs;
use std::io::Write as _;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::support::person::Person;
use crate::support::process::{Client, Home, Relay};
use crate::support::screen::Screen;

/// Writes onto the screen of a program, as another program does.
fn scribble(program: Pid, text: &str) {
    let path = format!("/proc/{program}/fd/1");
    let mut terminal = fs::File::options()
        .write(true)
        .open(path)
        .expect("it has a terminal");
    terminal
        .write_all(text.as_bytes())
        .expect("the terminal takes it");
}

/// The one child of a shell.
fn child_of(shell: Pid) -> Pid {
    let children = fs::read_to_string(format!("/proc/{shell}/task/{shell}/children"));
    let children = children.expect("it is told");
    Pid::from_raw(children.trim().parse().expect("it has one child"))
}

/// Ways to be stopped: the program itself cannot take notice of the first.
#[test]
fn a_program_that_was_stopped_goes_on_as_it_was() {
    let relay = Relay::start(&[]);
    let bob = Client::join(relay.address(), "bob", &[]);
    let (home, address) = (Home::new(), relay.address());
    // A shell that somebody types to has its own mode, and switches the brackets off before it runs what
    // is typed.
    let script = format!(
        "set -m; e2echat join {address} --nick ada
        for round in 1 2 3 4; do
            stty sane; printf '\\033[?2004lstopped\\n'; read line; fg
        done; echo ended"
    );
    let mut ada = Screen::shell(&home, &script);
    ada.sees("* here: bob ");
    let program = child_of(ada.pid());
    ada.enter("before");
    bob.wait_for_message("ada", "before");
    ada.sees("<ada> before");
    ada.type_text("half a");
    ada.sees("> half a");
    for (round, signal) in [
        Signal::SIGSTOP,
        Signal::SIGTSTP,
        Signal::SIGSTOP,
        Signal::SIGTTIN,
    ]
    .into_iter()
    .enumerate()
    {
        kill(program, signal).expect("it can be stopped");
        ada.wait_for("the shell", |shown| shown.ends_with("stopped"));
        assert!(ada.is_cooked() && !ada.brackets_pastes());
        ada.enter("");
        let shown = ada.wait_for("the screen as it was", |shown| {
            shown.contains("<ada> before") && shown.ends_with("> half a")
        });
        assert!(!shown.contains("stopped"), "{signal}: {shown}");
        ada.wait_for("raw mode", |_| !ada.is_cooked());
        assert!(ada.brackets_pastes(), "{signal}");
        ada.press("\x1b[27;5;13~");
        let said = format!("line {round}");
        ada.enter(&said);
        bob.wait_for_message("ada", &format!("half a ⏎ {said}"));
        ada.type_text("half a");
        ada.sees("> half a");
    }
    ada.type_text("\x15/quit\r");
    ada.sees("ended");
    assert!(ada.is_cooked());
}

/// What is started in the background waits there until it may have the terminal.
#[test]
fn a_program_that_begins_in_the_background_has_the_terminal_later() {
    let relay = Relay::start(&[]);
    let bob = Client::join(relay.address(), "bob", &[]);
    let (home, address) = (Home::new(), relay.address());
    let script = format!("set -m; e2echat join {address} --nick ada & read line; fg; echo ended");
    let mut ada = Screen::shell(&home, &script);
    bob.wait_for_line("ada", |line| line.starts_with("* ada joined"));
    assert!(ada.is_cooked());
    ada.enter("");
    ada.sees("* here: bob ");
    assert!(!ada.is_cooked());
    ada.enter("hello");
    bob.wait_for_message("ada", "hello");
    ada.enter("/quit");
    ada.sees("ended");
    assert!(ada.is_cooked());
}

/// dtach sends SIGWINCH when somebody comes back to it, and has kept nothing of the screen.
#[test]
fn a_window_of_the_same_size_that_is_another_one_is_drawn() {
    let relay = Relay::start(&[]);
    let mut ada = Person::join_at(&relay, "ada", 24, 80);
    let mut bob = ada.welcomes(&relay, "bob");
    bob.say("hello there");
    ada.screen.sees("<bob> hello there");
    ada.screen.type_text("half typed");
    ada.screen.sees("> half typed");
    for junk in [
        "\x1b[H\x1b[2J",
        "\x1b[5;5Hjunk",
        "\x1b[H\x1b[2J\x1b[24;70Hjunk",
        "junk\n\njunk\n",
    ] {
        let before = ada.screen.contents();
        scribble(ada.screen.pid(), junk);
        ada.screen.wait_for("junk", |shown| shown != before);
        ada.screen.signal(Signal::SIGWINCH);
        ada.screen.wait_for("the screen as it was", |shown| {
            shown.contains("<bob> hello there")
                && shown.ends_with("> half typed")
                && !shown.contains("junk")
        });
        ada.screen.comes_to_rest();
    }
    ada.screen.enter(" and sent");
    bob.wait_for_message("ada", "half typed and sent");
}

/// Many terminals copy the screen into the scrollback where it is erased at once, and all do what scrolls.
#[test]
fn what_is_drawn_again_is_not_in_the_scrollback_twice() {
    const MESSAGES: usize = 60;
    let relay = Relay::start(&[]);
    let mut ada = Person::join_at(&relay, "ada", 24, 80);
    let mut bob = ada.welcomes(&relay, "bob");
    for number in 0..MESSAGES {
        bob.say(&format!(
            "message {number:02}, which takes more than one row where there are few columns"
        ));
    }
    ada.screen.sees("message 59");
    ada.screen.type_text("half typed");
    ada.screen.sees("> half typed");
    let above = ada.screen.with_emulator(vt100::Screen::scrollback_len);
    let ways: [fn(&mut Screen); 8] = [
        |screen| screen.press("\x0c"),
        |screen| screen.resize(24, 40),
        |screen| screen.resize(24, 100),
        |screen| screen.press("\x0c"),
        |screen| screen.resize(24, 20),
        |screen| screen.resize(24, 79),
        |screen| screen.resize(24, 80),
        |screen| screen.signal(Signal::SIGWINCH),
    ];
    for (number, way) in ways.into_iter().enumerate() {
        let drawn = ada.screen.raw().matches("\x1b[2K").count();
        way(&mut ada.screen);
        ada.screen.wait_for("another drawing", |shown| {
            ada.screen.raw().matches("\x1b[2K").count() > drawn
                && shown.contains("message 59")
                && shown.ends_with("> half typed")
        });
        ada.screen.comes_to_rest();
        let now = ada.screen.with_emulator(vt100::Screen::scrollback_len);
        assert_eq!(now, above, "{number}: {:#?}", ada.screen.transcript());
    }
    ada.screen.type_text("\x15/theme light\r");
    ada.screen
        .sees("* these are colours for a light background");
    let said = ada.screen.transcript();
    for number in 0..MESSAGES {
        let text = format!("message {number:02},");
        let times = said.iter().filter(|row| row.contains(&text)).count();
        assert_eq!(times, 1, "{text} {said:#?}");
    }
    let raw = ada.screen.raw();
    for erasing in ["\x1b[2J", "\x1b[3J", "\x1b[J", "\x1b[0J", "\x1b[1J"] {
        assert!(!raw.contains(erasing), "{erasing:?}");
    }
}
