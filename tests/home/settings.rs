//! The settings file: what it changes and what it does not, and what is said of one that is wrong.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::PathBuf;

use nix::sys::stat::Mode;
use nix::unistd::mkfifo;

use crate::support::process::{Client, Ended, Home, Relay};
use crate::support::screen::Screen;

/// Where the program looks for this user's settings.
fn path(home: &Home) -> PathBuf {
    let path = home.file("config/e2echat/config.toml");
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    path
}

/// A user with these settings.
fn with_settings(text: &str) -> Home {
    let home = Home::new();
    fs::write(path(&home), text).unwrap();
    home
}

/// Runs a client of this user to its end, with nothing to say.
fn run(home: &Home, variables: &[(&str, &str)], arguments: &[&str]) -> Ended {
    let mut command = home.e2echat();
    command.args(arguments).envs(variables.iter().copied());
    Client::start_command(&mut command).leave()
}

/// Whether somebody of this nick has been in the room.
fn was_called(ended: &Ended, nick: &str) -> bool {
    let you = format!("* you are {nick} SHA256:");
    ended.code() == Some(0) && ended.stdout.iter().any(|line| line.starts_with(&you))
}

/// The line of a setting in what `e2echat config` shows, its blanks as one.
fn shown(home: &Home, variables: &[(&str, &str)], key: &str) -> String {
    let ended = run(home, variables, &["config"]);
    assert_eq!(ended.code(), Some(0), "{ended:#?}");
    let mut lines = ended.stdout.iter().map(|line| line.split_whitespace());
    let line = lines.find(|words| words.clone().next() == Some(key));
    line.unwrap().collect::<Vec<_>>().join(" ")
}

#[test]
fn who_has_settled_nick_and_relay_need_not_type_them() {
    let relay = Relay::start(&[]);
    let address = relay.address();
    let home = with_settings(&format!(
        "nick = \"ada\"\nrelay = \"{address}\"\nroom = \"cellar\"\n"
    ));
    let ended = run(&home, &[], &["join"]);
    assert!(was_called(&ended, "ada"), "{ended:#?}");
    assert!(
        ended.stdout[0].starts_with(&format!("* room cellar at {address}")),
        "{ended:#?}"
    );
    // What is typed goes before it.
    let ended = run(&home, &[], &["join", "--room", "attic", "--nick", "bob"]);
    assert!(was_called(&ended, "bob"), "{ended:#?}");
    assert!(
        ended.stdout[0].starts_with("* room attic at "),
        "{ended:#?}"
    );
    let place = format!("{address}/attic");
    let ended = run(&home, &[], &["join", &place]);
    assert!(
        ended.stdout[0].starts_with("* room attic at "),
        "{ended:#?}"
    );
    let ended = run(&home, &[], &["join", "127.0.0.1:1"]);
    ended.assert_failure("cannot connect to 127.0.0.1:1: connection refused");
    let ended = run(&home, &[], &["join", "--new-room"]);
    assert!(
        ended.stdout[1].starts_with("* friends join with: e2echat join "),
        "{ended:#?}"
    );
}

#[test]
fn an_option_goes_before_a_variable_and_a_variable_before_the_file() {
    let relay = Relay::start(&[]);
    let address = relay.address().to_string();
    let home = with_settings("nick = \"file\"\n");
    let variable = [("E2ECHAT_NICK", "variable")];
    let join = ["join", address.as_str()];
    let option = [&join[..], &["--nick", "option"]].concat();
    for (variables, arguments, nick) in [
        (&[][..], &join[..], "file"),
        (&variable, &join, "variable"),
        (&variable, &option, "option"),
    ] {
        let ended = run(&home, variables, arguments);
        assert!(was_called(&ended, nick), "{nick}: {ended:#?}");
    }
    assert_eq!(shown(&home, &[], "nick"), "nick file (line 1)");
    assert_eq!(
        shown(&home, &variable, "nick"),
        "nick variable (E2ECHAT_NICK)"
    );
    // An empty one counts as unset, and a wrong one is named by its own name.
    let empty = [("E2ECHAT_NICK", "")];
    assert!(was_called(&run(&home, &empty, &join), "file"));
    assert_eq!(shown(&home, &empty, "nick"), "nick file (line 1)");
    let wrong = [("E2ECHAT_NICK", "a b")];
    for arguments in [&join[..], &["config"]] {
        let ended = run(&home, &wrong, arguments);
        ended.assert_misused("invalid value 'a b' for 'E2ECHAT_NICK'");
    }
    assert_eq!(shown(&home, &[], "rekey"), "rekey 60 (default)");
    assert_eq!(shown(&home, &[], "log"), "log (not set)");
}

#[test]
fn what_is_shown_of_the_settings_holds_no_secret() {
    let home = Home::new();
    let invite = "a:1/inv-hb3t-tdea-je2r-dd7x-zzt4-tk53";
    let variables = [
        ("E2ECHAT_ROOM", invite),
        ("E2ECHAT_PROXY", "socks5://user:secret@proxy:1"),
    ];
    assert_eq!(
        shown(&home, &variables, "room"),
        "room an invite (E2ECHAT_ROOM)"
    );
    assert_eq!(
        shown(&home, &variables, "proxy"),
        "proxy socks5://...@proxy:1 (E2ECHAT_PROXY)"
    );
}

#[test]
fn a_person_s_file_changes_how_things_look_on_a_terminal_and_not_in_a_pipe() {
    let relay = Relay::start(&[]);
    let address = relay.address().to_string();
    let home = with_settings("timestamp = \"off\"\nnotify = \"all\"\nonly-known = true\n");
    let mut ada = Screen::join(&home, &address, "ada", &["--only-known=false"]);
    let mut bob = Client::join(relay.address(), "bob", &[]);
    bob.say("hello");
    ada.wait_for_row("message without its time", |row| row == "<bob> hello");
    ada.enter("/notify");
    ada.sees("* the bell rings whenever somebody says something");
    ada.enter("hello to you");
    bob.wait_for_message("ada", "hello to you");
    // Without the option the file has Bob left out, who is new.
    ada.enter("/quit");
    assert!(ada.wait_exit().success());
    let other = with_settings("only-known = true\n");
    let ada = Screen::join(&other, &address, "ada", &[]);
    ada.sees("nothing that you write goes to bob");
    drop(ada);
    let carol = Client::join_from(&home, relay.address(), "carol", &[]);
    bob.meets("carol");
    bob.say("hello carol");
    carol.wait_for_line("message with its time", |line| {
        line.ends_with(" <bob> hello carol")
    });
    drop(carol);
    // With --json and on a terminal, a program reads.
    let arguments = ["join", &address, "--nick", "dave", "--json"];
    let dave = Screen::e2echat(&home, &arguments, 50, 600);
    dave.wait_for("roster", |shown| shown.contains("\"bob\""));
    bob.meets("dave");
    bob.say("hello dave");
    dave.sees("hello dave");
    assert!(!dave.raw().contains('\x07'), "{}", dave.raw());
}

/// All that says how somebody is called, and what stands before what is typed, is settled by its own key.
#[test]
fn a_file_says_how_one_is_called_and_what_stands_before_the_prompt() {
    let relay = Relay::start(&[]);
    let address = relay.address().to_string();
    let home = with_settings(
        "notify = \"command\"\nnotify-for = \"all\"\nnotify-text = true\nprompt = \"plain\"\n\
         notify-command = 'sh -c \"env > told\"'\n",
    );
    let mut ada = Screen::join(&home, &address, "ada", &[]);
    let input = |screen: &Screen| {
        screen.with_emulator(|shown| {
            shown
                .contents()
                .lines()
                .last()
                .map(|row| row.trim_end().to_owned())
        })
    };
    assert_eq!(input(&ada).as_deref(), Some(">"));
    let mut bob = Client::join(relay.address(), "bob", &[]);
    ada.sees("* bob joined ");
    ada.looks_away();
    bob.say("good morning");
    ada.wait_for("what the command is told", |_| {
        let told = fs::read_to_string(home.file("told")).unwrap_or_default();
        told.contains("E2ECHAT_NOTIFY_TEXT=good morning\n")
    });
    ada.enter("/notify");
    ada.sees("* your command runs whenever somebody says something");
    // What the file says, an option undoes for once.
    let other = Screen::join(&home, &address, "carl", &["--prompt", "state"]);
    assert_eq!(input(&other).as_deref(), Some("       >"));
}

#[test]
fn a_host_s_settings_hold_and_a_relay_without_one_reads_none() {
    let home =
        with_settings("nick = \"nobody\"\nport = 0\nroom = \"cellar\"\nbind = [\"127.0.0.1\"]\n");
    let ada = Screen::e2echat(&home, &["serve", "--nick", "ada"], 50, 600);
    ada.sees("* room cellar at 127.0.0.1:");
    ada.sees("* you are ada ");
    drop(ada);
    let home = with_settings("this is no settings file");
    let mut command = home.e2echat();
    command.args(["serve", "--port", "0"]);
    drop(Relay::from_command(&mut command, home));
}

#[test]
fn a_path_in_the_file_begins_in_its_folder_or_at_home() {
    let relay = Relay::start(&[]);
    let address = relay.address();
    let settled =
        |path: &str| format!("nick = \"ada\"\nrelay = \"{address}\"\nidentity = \"{path}\"\n");
    let home = with_settings(&settled("~/keys/work.pem"));
    let (_, fingerprint) = home.identity("keys/work.pem");
    let you = format!("* you are ada {fingerprint}");
    assert!(run(&home, &[], &["join"]).stdout.contains(&you));
    fs::write(path(&home), settled("../../keys/work.pem")).unwrap();
    assert!(run(&home, &[], &["join"]).stdout.contains(&you));
    // No variable names one that is not there.
    fs::write(path(&home), settled("none.pem")).unwrap();
    let ended = run(&home, &[], &["join"]);
    let none = home.file("config/e2echat/none.pem").display().to_string();
    ended.assert_failure(&format!(
        "cannot read the identity {none}: no such file or directory"
    ));
    assert!(!ended.stderr[1].contains("E2ECHAT_"), "{ended:#?}");
}

#[test]
fn what_is_wrong_in_the_file_is_said_with_its_line_and_what_is_allowed() {
    for (text, error) in [
        (
            "# mine\nnik = \"ada\"",
            "line 2: there is no setting nik; is nick meant? There are: ",
        ),
        (
            "from-the-future = 1",
            "line 1: there is no setting from-the-future",
        ),
        ("json = true", "line 1: there is no setting json"),
        ("writers = 2", "line 1: there is no setting writers"),
        (
            "\n\nnick = \"a b\"",
            "line 3: nick: it may have letters, digits, _, - and .",
        ),
        ("rekey = 1000", "line 1: rekey: 1000 is not in 1..=720"),
        (
            "theme = \"pink\"",
            "line 1: theme must be one of: dark, light",
        ),
        (
            "notify = \"never\"",
            "line 1: notify must be one of: off, mentions, all",
        ),
        (
            "only-known = \"perhaps\"",
            "line 1: only-known must be one of: true, false",
        ),
        ("bits = 1024", "line 1: bits: "),
        (
            "nick = [\"ada\", \"bob\"]",
            "line 1: nick has one value, and is no list",
        ),
        ("nick = []", "line 1: nick has one value, and is no list"),
        (
            "nick = 1.5",
            "line 1: nick must be text in quotes, a number, true or false",
        ),
        ("nick = ada", "line 1: string values must be quoted"),
        ("nick = \"ada\"\nnick = \"bob\"", "line 2: duplicate key"),
        ("nick = \"ad", "line 1: "),
        (
            "relay = \"a/b\"",
            "line 1: relay: it must be HOST or HOST:PORT",
        ),
        (
            "proxy = \"http://a\"",
            "line 1: proxy: it must be socks5://HOST:PORT",
        ),
        (
            "proxy = \"socks5://user:secret@a\"",
            "line 1: a password is a secret",
        ),
        (
            "room = \"a:1/inv-hb3t-tdea-je2r-dd7x-zzt4-tk53\"",
            "line 1: an invite is a secret",
        ),
        ("[rooms]\nwork = 1", "line 1: saved rooms are not kept here"),
        ("a\u{1b}[2J = 1", "line 1: "),
    ] {
        let home = with_settings(text);
        for arguments in [
            &["join", "127.0.0.1:1", "--nick", "ada"][..],
            &["serve", "--nick", "ada"],
            &["config"],
        ] {
            let ended = run(&home, &[], arguments);
            assert_eq!(ended.code(), Some(1), "{text}: {ended:#?}");
            let [line, hint] = ended.stderr.as_slice() else {
                panic!("{text}: {ended:#?}");
            };
            let file = path(&home).display().to_string();
            let begin = format!("e2echat: error: {file}, {error}");
            assert!(line.starts_with(&begin), "{text}: {ended:#?}");
            assert!(hint.starts_with("  "), "{ended:#?}");
            for secret in ["secret@", "inv-", "\u{1b}"] {
                assert!(!line.contains(secret), "{ended:#?}");
            }
        }
        // The file is left as it is.
        assert_eq!(fs::read_to_string(path(&home)).unwrap(), text);
    }
}

#[test]
fn a_file_that_cannot_be_one_s_own_settings_is_not_used() {
    let home = with_settings(&format!("# {}\n", "x".repeat(10 << 20)));
    let file = path(&home).display().to_string();
    let join = ["join", "127.0.0.1:1", "--nick", "ada"];
    run(&home, &[], &join).assert_failure(&format!(
        "cannot read the settings file {file}: it has 10485763 bytes, and at most 65536 are read"
    ));
    fs::write(path(&home), b"\nnick = \"\xff\"").unwrap();
    run(&home, &[], &join).assert_failure(&format!("{file}, line 2: it is not UTF-8"));
    let home = Home::new();
    let file = path(&home);
    fs::create_dir(&file).unwrap();
    let ended = run(&home, &[], &join);
    let error = format!(
        "cannot read the settings file {}: it is not a file",
        file.display()
    );
    ended.assert_failure(&error);
    fs::remove_dir(&file).unwrap();
    // To open it would wait for ever.
    mkfifo(&file, Mode::S_IRWXU).unwrap();
    run(&home, &[], &join).assert_failure(&error);
}

#[test]
fn the_file_may_be_a_link_and_readable_but_others_must_not_write_it() {
    let relay = Relay::start(&[]);
    let home = Home::new();
    let kept = home.file("dotfiles.toml");
    fs::write(
        &kept,
        format!("nick = \"ada\"\nrelay = \"{}\"\n", relay.address()),
    )
    .unwrap();
    symlink(&kept, path(&home)).unwrap();
    for mode in [0o644, 0o444] {
        fs::set_permissions(&kept, Permissions::from_mode(mode)).unwrap();
        let ended = run(&home, &[], &["join"]);
        assert!(was_called(&ended, "ada"), "{ended:#?}");
    }
    for mode in [0o664, 0o646] {
        fs::set_permissions(&kept, Permissions::from_mode(mode)).unwrap();
        let file = path(&home).display().to_string();
        run(&home, &[], &["join"])
            .assert_failure(&format!("others can write to the settings file {file}"));
    }
}

#[test]
fn another_file_can_be_named_and_one_can_do_without() {
    let relay = Relay::start(&[]);
    let address = relay.address().to_string();
    let home = with_settings("this is no settings file");
    let other = home.file("other.toml").display().to_string();
    fs::write(&other, "nick = \"ada\"\n").unwrap();
    let variable = [("E2ECHAT_CONFIG", other.as_str())];
    let ended = run(&home, &variable, &["join", &address]);
    assert!(was_called(&ended, "ada"), "{ended:#?}");
    let ended = run(
        &home,
        &[],
        &["join", &address, "--nick", "bob", "--no-config"],
    );
    assert!(was_called(&ended, "bob"), "{ended:#?}");
    // One that is named is there, or something is wrong.
    fs::remove_file(&other).unwrap();
    run(&home, &variable, &["join", &address]).assert_failure(&format!(
        "cannot read the settings file {other}: no such file or directory"
    ));
}

#[test]
fn the_example_is_made_once_and_every_line_of_it_can_be_used() {
    let home = Home::new();
    let made = run(&home, &[], &["config", "--init"]);
    let file = path(&home).display().to_string();
    assert_eq!(made.stdout, [format!("made {file}")]);
    assert_eq!(run(&home, &[], &["config", "--init"]).code(), Some(1));
    let example = fs::read_to_string(&file).unwrap();
    let shown = run(&home, &[], &["config", "--example"]).stdout.join("\n") + "\n";
    assert_eq!(shown, example);
    // As it is, it changes nothing.
    let before = run(&Home::new(), &[], &["config"]).stdout;
    assert_eq!(run(&home, &[], &["config"]).stdout[2..], before[2..]);
    let used: Vec<String> = example
        .lines()
        .map(|line| match line.strip_prefix('#') {
            Some(setting) if !setting.starts_with(' ') => setting.to_owned(),
            _ => line.to_owned(),
        })
        .collect();
    fs::write(&file, used.join("\n")).unwrap();
    let holding = run(&home, &[], &["config"]);
    assert_eq!(holding.code(), Some(0), "{holding:#?}");
    assert_eq!(holding.stdout.len(), before.len(), "{holding:#?}");
    for line in &holding.stdout[2..] {
        assert!(line.contains("  (line "), "{line}");
    }
}
