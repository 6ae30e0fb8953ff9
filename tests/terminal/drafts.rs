//! Drafts: what is typed and not sent yet, in the user's own editor and where something comes in between. Each editor
//! here is a shell script that stands in for one.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::support::person::Person;
use crate::support::process::{Client, Home, Relay, wait_for};
use crate::support::screen::Screen;

const ALT_E: &str = "\x1be";
const UP: &str = "\x1b[A";

/// Somebody at a terminal with an editor that does what the file `case` says.
struct Writer {
    home: Home,
    screen: Screen,
}

impl Writer {
    fn join(relay: &Relay, options: &[&str]) -> Self {
        let home = Home::new();
        let folder = home.file("run");
        fs::create_dir(&folder).expect("a folder");
        let folder = folder.display().to_string();
        // An editor has arguments of its own, in quotes as well.
        fs::write(home.file("my editor.sh"), ". ./case").expect("a script");
        let variables = [
            ("XDG_RUNTIME_DIR", folder.as_str()),
            ("VISUAL", ""),
            ("EDITOR", "sh 'my editor.sh'"),
            ("E2ECHAT_CATCHUP", "off"),
        ];
        let address = relay.address().to_string();
        let arguments = [&["join", &address, "--nick", "ada"], options].concat();
        let screen = Screen::e2echat_with(&home, &variables, &arguments, 24, 80);
        screen.sees("nobody else is here");
        Self { home, screen }
    }

    /// What the editor does from now on, with its file as `$1`.
    fn editor_does(&self, script: &str) {
        fs::write(self.home.file("case"), script).expect("a script");
    }

    /// Whether nothing is left of any draft.
    #[track_caller]
    fn assert_nothing_is_left(&self) {
        let left = || fs::read_dir(self.home.file("run")).expect("the folder is there");
        wait_for(
            || left().next().is_none().then_some(()),
            || format!("{:?} is left", left().collect::<Vec<_>>()),
        );
    }

    fn seen_by_editor(&self) -> String {
        fs::read_to_string(self.home.file("seen")).expect("the editor has looked")
    }

    #[track_caller]
    fn has_typed(&self, typed: &str) {
        let end = format!("> {typed}");
        self.screen
            .wait_for("what is typed", |shown| shown.ends_with(&end));
        self.screen.comes_to_rest();
    }
}

#[test]
fn an_editor_gets_what_is_typed_and_what_it_leaves_waits_for_enter() {
    let relay = Relay::start(&[]);
    let mut ada = Writer::join(&relay, &[]);
    let bob = Client::join(relay.address(), "bob", &[]);
    ada.screen.sees("bob joined");
    ada.editor_does(
        "stat -c %a \"$(dirname \"$1\")\" \"$1\" > seen; cat \"$1\" >> seen; env | grep E2ECHAT >> seen
        printf 'one\\n  two\\n\\n' > \"$1\"; cp \"$1\" \"$1~\"; mkdir \"$(dirname \"$1\")/.swap\"",
    );
    ada.screen.type_text("half a line");
    ada.has_typed("half a line");
    ada.screen.press(ALT_E);
    ada.has_typed("one\n  two");
    assert_eq!(ada.seen_by_editor(), "700\n600\nhalf a line\n");
    ada.assert_nothing_is_left();
    assert!(!bob.lines().iter().any(|line| line.contains("<ada>")));
    ada.screen.enter(", and three");
    bob.wait_for_message("ada", "one ⏎   two, and three");

    ada.editor_does("wc -c < \"$1\" > seen; echo from the editor > \"$1\"");
    ada.screen.enter("/edit");
    ada.has_typed("from the editor");
    assert_eq!(ada.seen_by_editor().trim(), "0");
    ada.screen.press("\r");
    bob.wait_for_message("ada", "from the editor");
    ada.assert_nothing_is_left();
    assert!(!ada.screen.raw().contains("? "), "{}", ada.screen.raw());
}

#[test]
fn an_editor_that_fails_leaves_the_draft_as_it_was() {
    let relay = Relay::start(&[]);
    let mut ada = Writer::join(&relay, &[]);
    ada.screen.type_text("the draft");
    for (script, why) in [
        ("echo lost > \"$1\"; exit 3", "sh ended with exit status 3"),
        ("echo lost > \"$1\"; kill -9 $$", "sh was ended by SIGKILL"),
        (": > \"$1\"", "the editor left nothing in it"),
        ("echo '  ' > \"$1\"", "the editor left nothing in it"),
        ("rm \"$1\"", "the editor left nothing in it"),
        (
            "rm -r \"$(dirname \"$1\")\"",
            "the editor left nothing in it",
        ),
        (
            "printf 'caf\\351' > \"$1\"",
            "what the editor left is not UTF-8",
        ),
        (
            "rm \"$1\"; mkfifo \"$1\"",
            "cannot read what the editor left: it is not a file",
        ),
        (
            "head -c 2000000 /dev/zero > \"$1\"; chmod 0 \"$(dirname \"$1\")\"",
            "cannot read what the editor left: it has 2000000 bytes, and at most",
        ),
    ] {
        ada.editor_does(script);
        ada.screen.press("\x0c");
        ada.has_typed("the draft");
        let told = |ada: &Writer| {
            ada.screen
                .transcript()
                .join("")
                .matches("? the draft")
                .count()
        };
        let before = told(&ada);
        ada.screen.press(ALT_E);
        let row = format!("? the draft is as it was: {why}");
        wait_for(
            || {
                (told(&ada) > before && ada.screen.contents().contains(&row[..60.min(row.len())]))
                    .then_some(())
            },
            || format!("no `{row}` in {}", ada.screen.contents()),
        );
        ada.has_typed("the draft");
        ada.assert_nothing_is_left();
    }
}

#[test]
fn a_draft_that_is_too_long_is_not_lost_and_the_one_before_stays() {
    let relay = Relay::start(&[]);
    let mut ada = Writer::join(&relay, &[]);
    let bob = Client::join(relay.address(), "bob", &[]);
    ada.screen.sees("bob joined");
    ada.screen.type_text("the draft");
    ada.editor_does("head -c 100000 /dev/zero | tr '\\0' x > \"$1\"");
    ada.screen.press(ALT_E);
    ada.screen.sees("the editor left 100000 bytes");
    ada.has_typed("the draft");
    // It can be shortened.
    ada.editor_does("wc -c < \"$1\" > seen; echo short > \"$1\"");
    ada.screen.press(UP);
    ada.screen
        .wait_for("the long text", |shown| shown.contains("xxxxxxxx"));
    ada.screen.press(ALT_E);
    ada.has_typed("short");
    assert_eq!(ada.seen_by_editor().trim(), "100001");
    ada.screen.press("\r");
    bob.wait_for_message("ada", "short");
    ada.assert_nothing_is_left();
}

#[test]
fn an_editor_that_cannot_be_run_is_named() {
    let relay = Relay::start(&[]);
    for (variables, why) in [
        (
            [("VISUAL", "no-such-editor -x"), ("PATH", "/nowhere")],
            "cannot run no-such-editor: no such file or directory; EDITOR or VISUAL names the editor",
        ),
        (
            [("VISUAL", "  "), ("PATH", "/nowhere")],
            "cannot run vi: no such file or directory; EDITOR or VISUAL names the editor",
        ),
        (
            [("VISUAL", "vi 'x"), ("PATH", "/nowhere")],
            "a quote in VISUAL is not closed",
        ),
    ] {
        let home = Home::new();
        let address = relay.address().to_string();
        let folder = home.path().display().to_string();
        let mut all = variables.to_vec();
        all.extend([("EDITOR", ""), ("XDG_RUNTIME_DIR", folder.as_str())]);
        let arguments = ["join", &address, "--nick", "ada"];
        let mut screen = Screen::e2echat_with(&home, &all, &arguments, 24, 200);
        screen.sees("nobody else is here");
        screen.enter("/edit");
        screen.sees(&format!("? the draft is as it was: {why}"));
        screen.enter("/quit");
        assert!(screen.wait_exit().success());
    }
}

/// While an editor has the terminal nothing else is written, keys are the editor's, and Ctrl-C is for it alone.
#[test]
fn an_editor_has_the_terminal_to_itself() {
    let relay = Relay::start(&[]);
    let mut ada = Writer::join(&relay, &[]);
    let mut bob = Client::join(relay.address(), "bob", &[]);
    ada.screen.sees("bob joined");
    ada.screen.type_text("the draft");
    ada.has_typed("the draft");
    ada.editor_does("echo waiting; stty size; read answer; stty size; echo \"$answer\" > \"$1\"");
    ada.screen.press(ALT_E);
    ada.screen.sees("waiting");
    assert!(ada.screen.is_cooked());
    assert!(!ada.screen.brackets_pastes());
    bob.say("are you there?");
    let carl = Client::join(relay.address(), "carl", &[]);
    bob.meets("carl");
    ada.screen.resize(20, 60);
    ada.screen.comes_to_rest();
    assert!(!ada.screen.raw().contains("are you there?"));
    ada.screen.enter("typed to it");
    ada.has_typed("typed to it");
    ada.screen.wait_for("mode of before", |_| {
        ada.screen.brackets_pastes() && !ada.screen.is_cooked()
    });
    ada.screen.comes_to_rest();
    let shown = ada.screen.contents();
    let place = |text: &str| {
        shown
            .find(text)
            .unwrap_or_else(|| panic!("no {text}:\n{shown}"))
    };
    assert!(
        place("<bob> are you there?") < place("carl joined"),
        "{shown}"
    );
    assert!(ada.screen.raw().contains("20 60"), "{}", ada.screen.raw());
    ada.screen.press("\r");
    carl.wait_for_message("ada", "typed to it");

    ada.editor_does("echo hanging; sleep 1000");
    ada.screen.type_text("another");
    ada.screen.press(ALT_E);
    ada.screen.sees("hanging");
    // Nobody is there who could have it go on, so it is not stopped.
    ada.screen.press("\x1a");
    ada.screen.press("\x03");
    ada.screen.sees("sh was ended by SIGINT");
    ada.has_typed("another");
    ada.assert_nothing_is_left();
    ada.screen.press("\r");
    carl.wait_for_message("ada", "another");
    assert!(!bob.lines().iter().any(|line| line.contains("ada left")));
}

/// The screen is not drawn again below a draft that fills it. But what is pasted into it is not sent line by line.
#[test]
fn the_window_is_the_programs_again_however_long_the_draft_is() {
    let relay = Relay::start(&[]);
    let mut ada = Writer::join(&relay, &[]);
    ada.editor_does("echo waiting; read answer; seq 100 > \"$1\"");
    ada.screen.press(ALT_E);
    ada.screen.sees("waiting");
    assert_eq!(ada.screen.title(), "");
    assert!(!ada.screen.brackets_pastes());
    ada.screen.enter("");
    ada.screen
        .wait_for("the draft", |shown| shown.ends_with("99\n100"));
    ada.screen
        .wait_for("its brackets", |_| ada.screen.brackets_pastes());
    assert_eq!(ada.screen.title(), "lobby - e2echat");
}

/// Whoever stops the program gets the shell, though an editor has the terminal, and both go on afterwards.
#[test]
fn the_program_can_be_stopped_while_an_editor_has_the_terminal() {
    let relay = Relay::start(&[]);
    let (home, address) = (Home::new(), relay.address());
    fs::write(
        home.file("edit.sh"),
        "echo waiting; read one; echo \"got $one\"; until [ -e go ]; do sleep 0.05; done
        read answer; echo \"$answer\" > \"$1\"",
    )
    .expect("a script");
    let script = format!(
        "set -m; VISUAL= EDITOR='sh edit.sh' e2echat join {address} --nick ada
        echo stopped; read line; fg; echo ended"
    );
    let mut ada = Screen::shell(&home, &script);
    ada.sees("nobody else is here");
    ada.press(ALT_E);
    ada.sees("waiting");
    // The keyboard has seen that something is typed, and waits for its turn.
    ada.enter("a line");
    ada.sees("got a line");
    let shell = ada.pid();
    let children = fs::read_to_string(format!("/proc/{shell}/task/{shell}/children"));
    let program = children.expect("it is told").trim().parse();
    kill(Pid::from_raw(program.expect("one child")), Signal::SIGTSTP).expect("it can be stopped");
    ada.wait_for("the shell", |shown| shown.ends_with("stopped"));
    assert!(ada.is_cooked());
    ada.enter("");
    fs::write(home.file("go"), "").expect("a file");
    ada.enter("from the editor");
    ada.wait_for("the draft", |shown| shown.ends_with("> from the editor"));
    ada.comes_to_rest();
    ada.press("\x15");
    ada.enter("/quit");
    ada.sees("ended");
}

#[test]
fn whatever_ends_the_program_ends_the_editor_and_leaves_no_draft() {
    for end in [Signal::SIGTERM, Signal::SIGINT, Signal::SIGHUP] {
        let relay = Relay::start(&[]);
        let mut ada = Writer::join(&relay, &[]);
        ada.editor_does(
            "trap '' TERM; cp \"$1\" \"$1.swp\"; echo $$ > seen; echo hanging; while :; do sleep 1000; done",
        );
        ada.screen.type_text("the draft");
        ada.screen.press(ALT_E);
        ada.screen.sees("hanging");
        let editor = ada.seen_by_editor();
        ada.screen.signal(end);
        ada.screen.wait_exit();
        assert!(!Path::new("/proc").join(editor.trim()).exists(), "{end}");
        assert!(ada.screen.is_cooked(), "{end}");
        ada.assert_nothing_is_left();
    }
}

#[test]
fn without_a_place_of_the_users_own_the_draft_lies_in_shared_memory() {
    let relay = Relay::start(&[]);
    let home = Home::new();
    fs::write(
        home.file("editor.sh"),
        "#!/bin/sh\necho $1 > seen; echo written > \"$1\"",
    )
    .expect("a script");
    fs::set_permissions(home.file("editor.sh"), fs::Permissions::from_mode(0o700))
        .expect("it is ours");
    let address = relay.address().to_string();
    let variables = [
        ("XDG_RUNTIME_DIR", "run"),
        ("VISUAL", "./editor.sh"),
        ("EDITOR", "false"),
    ];
    let arguments = ["join", &address, "--nick", "ada"];
    let mut screen = Screen::e2echat_with(&home, &variables, &arguments, 24, 80);
    screen.sees("nobody else is here");
    screen.enter("/edit");
    screen.sees("> written");
    let path = fs::read_to_string(home.file("seen")).expect("the editor has looked");
    let folder = Path::new(path.trim()).parent().expect("a folder");
    assert!(folder.starts_with("/dev/shm"), "{path}");
    wait_for(
        || (!folder.exists()).then_some(()),
        || format!("{path} is left"),
    );
}

#[test]
fn a_script_and_a_pipe_open_no_editor() {
    let relay = Relay::start(&[]);
    let home = Home::new();
    let address = relay.address();
    let script = format!("e2echat join {address} --nick ada | cat; echo ended");
    let mut ada = Screen::shell(&home, &script);
    ada.sees("nobody else is here");
    ada.enter("/edit");
    ada.sees("? no editor can be opened here");
    ada.enter("/quit");
    ada.sees("ended");
}

#[test]
fn a_draft_survives_a_broken_connection_a_refusal_and_one_column() {
    let relay = Relay::start(&[]);
    let mut ada = Person::join_at(&relay, "ada", 24, 80);
    let bob = ada.welcomes(&relay, "bob");
    let draft = "a draft with 日本 in it that takes more than one row of a terminal of this size";
    ada.screen.type_text(draft);
    let has_draft = |shown: &str| shown.replace('\n', "").ends_with(&format!("> {draft}"));
    ada.screen.wait_for("the draft", has_draft);
    for (rows, columns) in [(24, 1), (1, 1), (24, 80)] {
        ada.screen.resize(rows, columns);
        ada.screen.comes_to_rest();
    }
    ada.screen.wait_for("the draft", has_draft);

    let address = relay.address();
    let home = relay.end(Signal::SIGKILL);
    ada.screen.sees("* lost the connection to");
    ada.screen.wait_for("the draft", has_draft);
    drop(home);
    let port = address.port().to_string();
    let _relay = Relay::start_with(&["--bind", "127.0.0.1", "--port", &port]);
    ada.screen.sees("* connected again");
    ada.screen.wait_for("the draft", has_draft);
    ada.screen.press("\r");
    bob.wait_for_message("ada", draft);

    let refused = format!(" /msg bob {draft}");
    ada.screen.enter(&refused);
    ada.screen.sees("? not sent: there is a space before");
    ada.screen.press(UP);
    ada.screen.wait_for("what was refused", |shown| {
        shown.replace('\n', "").ends_with(&format!("> {refused}"))
    });
}
