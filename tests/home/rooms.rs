//! Saved rooms: how they are made, entered, listed and forgotten, and what happens where a name, an answer
//! or the file is wrong.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::Command;
use std::thread;

use crate::support::process::{Client, Ended, Home, Relay, tested_program, wait_for};
use crate::support::screen::Screen;

/// The file of this user's saved rooms.
fn path(home: &Home) -> PathBuf {
    home.file("data/e2echat/rooms.toml")
}

/// A user with this file, which nobody else can read.
fn with_rooms(text: &str) -> Home {
    let home = Home::new();
    write(&home, text);
    home
}

fn write(home: &Home, text: &str) {
    let path = path(home);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(&path, text).unwrap();
    fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
}

/// The only file in which there may be an invite.
fn saved(home: &Home) -> String {
    fs::read_to_string(path(home)).unwrap()
}

/// Runs a client of this user to its end, with nothing to say.
fn run(home: &Home, variables: &[(&str, &str)], arguments: &[&str]) -> Ended {
    let mut command = home.e2echat();
    command.args(arguments).envs(variables.iter().copied());
    Client::start_command(&mut command).leave()
}

/// Waits for the roster on a screen.
fn is_inside(screen: &Screen) {
    screen.wait_for("roster", |shown| {
        shown.contains("* here: ") || shown.contains("* nobody else is here yet")
    });
    screen.comes_to_rest();
}

/// Somebody who has made a room, and the invite to it.
fn host(relay: &Relay) -> (Client, String) {
    let host = Client::join(relay.address(), "host", &["--new-room"]);
    let line = host.wait_for_line("invite", |line| line.contains("/inv-"));
    let invite = line.split(' ').find(|word| word.contains("/inv-"));
    (host, invite.unwrap().to_owned())
}

/// Two people who make each other's acquaintance in the lobby, move to a room of their own, save it, and
/// come back the next day.
#[test]
fn friends_move_to_a_private_room_and_come_back_by_its_name() {
    let relay = Relay::start(&[]);
    let address = relay.address().to_string();
    let (at_ada_s, at_bob_s) = (Home::new(), Home::new());
    for home in [&at_ada_s, &at_bob_s] {
        assert_eq!(home.run(&["keygen"]).code(), Some(0));
    }
    let mut ada = Screen::join(&at_ada_s, &address, "ada", &[]);
    let bob = Screen::join(&at_bob_s, &address, "bob", &[]);
    ada.sees("* bob joined ");
    ada.enter("/quit");
    assert!(ada.wait_exit().success());
    drop(bob);

    let ada = Screen::join(
        &at_ada_s,
        &address,
        "ada",
        &["--new-room", "--save", "work"],
    );
    ada.sees("* this room is saved as work: `e2echat join work` enters it");
    let invite = ada.wait_for_row("invite", |row| row.contains("/inv-"));
    let mut bob = Screen::e2echat(&at_bob_s, &["join", "--nick", "bob"], 50, 600);
    bob.sees("invite: ");
    bob.enter(&invite);
    bob.sees("* private room at ");
    bob.sees("* here: ada (");
    bob.enter("/save Work");
    bob.sees("* this room is saved as work: `e2echat join work` enters it");
    for mut screen in [ada, bob] {
        screen.enter("/quit");
        assert!(screen.wait_exit().success());
    }

    // The next day: the nick and the room are known.
    let ada = Screen::e2echat(&at_ada_s, &["join", "work"], 50, 600);
    ada.sees(&format!("* room work at {address}, by an invite: "));
    ada.sees("* you are ada\n");
    let mut bob = Screen::e2echat(&at_bob_s, &["join"], 50, 600);
    bob.sees("  1  work\nnumber, or invite: ");
    bob.enter("1");
    bob.sees("* here: ada (");
    ada.sees("* bob joined ");
    for screen in [&ada, &bob] {
        assert!(!screen.raw().contains("inv-"), "{}", screen.raw());
    }
    for home in [&at_ada_s, &at_bob_s] {
        assert!(saved(home).contains(&format!("invite = \"{invite}\"")));
        let mode = fs::metadata(path(home)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
}

#[test]
fn rooms_are_listed_without_their_invites_and_can_be_forgotten() {
    let relay = Relay::start(&[]);
    let (_host, invite) = host(&relay);
    let address = relay.address().to_string();
    let home = Home::new();
    assert_eq!(run(&home, &[], &["rooms"]).stdout, [""; 0]);
    for arguments in [
        &["join", &invite, "--nick", "ada", "--save", "work"][..],
        &[
            "join", &address, "--nick", "bob", "--room", "den", "--save", "den",
        ],
        &["join", &address, "--nick", "bob", "--save", "hall"],
    ] {
        assert_eq!(run(&home, &[], arguments).code(), Some(0));
    }
    let den = format!("den   room den at {address}, as bob");
    let hall = format!("hall  room lobby at {address}, as bob");
    let work = format!("work  private room at {address}, as ada");
    let listed = run(&home, &[], &["rooms"]).stdout;
    assert_eq!(listed, [den.as_str(), &hall, &work]);
    let listed = run(&home, &[], &["rooms", "--show-invite"]).stdout;
    let work = format!("work  {invite}, as ada");
    assert_eq!(listed, [den.as_str(), &hall, &work]);

    // What holds in a room is shown without its invite too.
    let holds = run(&home, &[], &["config", "work"]).stdout.join("\n");
    assert!(holds.contains("an invite  (saved room work)"), "{holds}");
    assert!(holds.contains("ada  (saved room work)"), "{holds}");
    assert!(!holds.contains("inv-"), "{holds}");
    let wrong = run(&home, &[], &["config", "wrok"]);
    wrong.assert_failure("there is no saved room wrok");

    let wrong = run(&home, &[], &["rooms", "forget", "wrok"]);
    wrong.assert_failure("there is no saved room wrok");
    assert!(wrong.stderr[1].contains("is work meant?"), "{wrong:#?}");
    let forgotten = run(&home, &[], &["rooms", "forget", "den"]);
    assert_eq!(forgotten.stdout, ["den is forgotten"]);
    assert_eq!(run(&home, &[], &["rooms"]).stdout.len(), 2);
    assert!(saved(&home).contains(&invite));
}

#[test]
fn a_name_that_is_taken_or_could_be_an_address_is_refused_and_nothing_is_lost() {
    let relay = Relay::start(&[]);
    let (_host, invite) = host(&relay);
    let address = relay.address().to_string();
    let home = Home::new();
    let work = ["join", invite.as_str(), "--nick", "ada", "--save", "work"];
    assert_eq!(run(&home, &[], &work).code(), Some(0));
    let before = saved(&home);
    let mut ada = Screen::join(&home, &address, "ada", &[]);
    ada.enter("/save work");
    ada.sees("? not saved: work is another room already; choose another name, ");
    for name in ["localhost", "a.example", "a:1", "127", "::1", "inv-a"] {
        ada.enter(&format!("/save {name}"));
        ada.wait_for_row(name, |row| {
            row.starts_with("? not saved: ") && row.contains("name")
        });
        ada.enter("/clear");
        let arguments = ["join", &address, "--nick", "ada", "--save", name];
        run(&home, &[], &arguments).assert_misused("saved room");
    }
    assert_eq!(saved(&home), before);
    // The same room can be saved again, and then it is as whom one is there now.
    let again = ["join", invite.as_str(), "--nick", "bob", "--save", "work"];
    assert_eq!(run(&home, &[], &again).code(), Some(0));
    assert_eq!(saved(&home), before.replace("\"ada\"", "\"bob\""));
}

#[test]
fn a_saved_name_goes_before_a_host_and_a_slip_is_not_looked_up() {
    let relay = Relay::start(&[]);
    let address = relay.address().to_string();
    let home = with_rooms(&format!("[work]\nnick = \"ada\"\nrelay = \"{address}\"\n"));
    let ended = run(&home, &[], &["join", "work"]);
    assert_eq!(
        ended.stdout[0].split(':').next(),
        Some("* room lobby at 127.0.0.1")
    );
    assert_eq!(run(&home, &[], &["join", "WORK"]).code(), Some(0));
    // With a port it is the host.
    let host = run(&home, &[], &["join", "work:1", "--nick", "ada"]);
    assert!(
        host.stderr[0].contains("cannot find the relay work"),
        "{host:#?}"
    );

    for slip in ["wrok", "wor", "works", "werk"] {
        let ended = run(&home, &[], &["join", slip, "--nick", "ada"]);
        ended.assert_failure(&format!("there is no saved room {slip}: is work meant?"));
        let mut ada = Screen::e2echat(&home, &["join", slip], 24, 80);
        ada.sees("is work meant? (yes/no) ");
        ada.enter("yes");
        is_inside(&ada);
    }
    let mut ada = Screen::e2echat(&home, &["join", "wrok", "--nick", "ada"], 24, 80);
    ada.sees("is work meant? (yes/no) ");
    ada.enter("no");
    ada.sees("cannot find the relay wrok");
    assert_eq!(ada.wait_exit().exit_code(), 1);
    let mut ada = Screen::e2echat(&home, &["join", "wrok", "--nick", "ada"], 24, 80);
    ada.sees("is work meant? (yes/no) ");
    ada.enter("perhaps");
    ada.sees("there is no saved room wrok: is work meant?\n");
    assert_eq!(ada.wait_exit().exit_code(), 1);
    // Two slips away is a host.
    let host = run(&home, &[], &["join", "wrk1", "--nick", "ada"]);
    assert!(
        host.stderr[0].contains("cannot find the relay wrk1"),
        "{host:#?}"
    );
}

#[test]
fn join_alone_asks_for_a_number_a_name_or_an_invite() {
    let relay = Relay::start(&[]);
    let (_host, invite) = host(&relay);
    let address = relay.address().to_string();
    let home = with_rooms(&format!(
        "[den]\nroom = \"den\"\nrelay = \"{address}\"\n\n[work]\ninvite = \"{invite}\"\n"
    ));
    let ask = || {
        let screen = Screen::e2echat(&home, &["join", "--nick", "ada"], 24, 80);
        screen.sees("  1  den\n  2  work\nnumber, or invite: ");
        wait_for(
            || (!screen.is_cooked()).then_some(()),
            || "what is typed is shown".to_owned(),
        );
        screen
    };
    for (answer, room) in [
        ("1", "* room den at "),
        ("2", "* room work at "),
        ("work", "* room work at "),
        // It is a saved one.
        (invite.as_str(), "* room work at "),
    ] {
        let mut ada = ask();
        ada.enter(answer);
        is_inside(&ada);
        assert!(ada.contents().contains(room), "{}", ada.contents());
        assert!(!ada.raw().contains("inv-"), "{}", ada.raw());
        ada.enter("/quit");
        assert!(ada.wait_exit().success());
    }
    for (answer, error) in [
        ("3", "error: there is no number 3 in the list"),
        ("0", "error: there is no number 0 in the list"),
        ("nothing", "error: an invite has the form HOST:PORT/inv-..."),
    ] {
        let mut ada = ask();
        ada.enter(answer);
        assert_eq!(ada.wait_exit().exit_code(), 2, "{answer}");
        assert!(ada.is_cooked());
        assert!(
            ada.contents().lines().any(|row| row == error),
            "{}",
            ada.contents()
        );
    }
    // Without a nick there is nothing to ask for.
    let mut ada = Screen::e2echat(&home, &["join"], 24, 80);
    ada.sees("  --nick <NICK>");
    assert_eq!(ada.wait_exit().exit_code(), 2);
}

#[test]
fn what_contradicts_a_saved_room_is_refused() {
    let relay = Relay::start(&[]);
    let address = relay.address().to_string();
    let home = with_rooms(&format!(
        "[den]\nnick = \"ada\"\nroom = \"den\"\nrelay = \"{address}\"\n"
    ));
    let (_host, invite) = host(&relay);
    let other = [("E2ECHAT_ROOM", "attic")];
    for (variables, arguments, what, by) in [
        (
            &[][..],
            &["join", "den", "--room", "attic"][..],
            "room",
            "--room",
        ),
        (&other, &["join", "den"], "room", "E2ECHAT_ROOM"),
        (
            &[("E2ECHAT_ROOM", invite.as_str())],
            &["join", "den"],
            "room",
            "E2ECHAT_ROOM",
        ),
        (
            &[],
            &["join", "den", "--relay", "127.0.0.1:1"],
            "relay",
            "--relay",
        ),
        (&[], &["join", "den", "--new-room"], "room", "--new-room"),
    ] {
        run(&home, variables, arguments).assert_misused(&format!(
            "the {what} is given twice, by the saved room den and with {by}: leave one out"
        ));
    }
    // What says the same twice contradicts nothing, and another nick no more.
    let arguments = ["join", "den", "--room", "den", "--nick", "bob"];
    let ended = run(&home, &[], &arguments);
    assert!(
        ended
            .stdout
            .iter()
            .any(|line| line.starts_with("* you are bob "))
    );

    write(
        &home,
        &format!("[work]\nnick = \"ada\"\ninvite = \"{invite}\"\n"),
    );
    for (arguments, what, by) in [
        (&["--new-room"][..], "room", "--new-room"),
        (&["--room", "attic"], "room", "--room"),
        (&["--relay", "127.0.0.1:1"], "relay", "--relay"),
    ] {
        run(&home, &[], &[&["join", "work"], arguments].concat()).assert_misused(&format!(
            "the {what} is given twice, by the saved room work and with {by}: leave one out"
        ));
    }
    let same = [("E2ECHAT_ROOM", invite.as_str())];
    assert_eq!(run(&home, &same, &["join", "work"]).code(), Some(0));
}

/// One relay has one name, however its address is spelled.
#[test]
fn a_room_is_the_same_however_its_relay_is_spelled() {
    let relay = Relay::start(&[]);
    let (address, port) = (relay.address(), relay.address().port());
    let home = Home::new();
    for spelling in [format!("127.1:{port}"), format!("[::ffff:7f00:1]:{port}")] {
        write(
            &home,
            &format!("[den]\nnick = \"ada\"\nroom = \"den\"\nrelay = \"{spelling}\"\n"),
        );
        let relay = format!("0x7f000001:{port}");
        let entered = run(&home, &[], &["join", "den", "--relay", &relay]);
        let room = format!("* room den at {address}: anybody who guesses this name can enter");
        assert_eq!(entered.stdout[0], room, "{entered:#?}");
        let again = [
            "join", &relay, "--nick", "bob", "--room", "den", "--save", "den",
        ];
        let again = run(&home, &[], &again);
        assert_eq!(again.code(), Some(0), "{again:#?}");
        let listed = run(&home, &[], &["rooms"]).stdout;
        assert_eq!(listed, [format!("den  room den at {address}, as bob")]);
    }
}

#[test]
fn a_room_that_was_saved_with_a_proxy_is_not_entered_without_it() {
    let relay = Relay::start(&[]);
    let (_host, invite) = host(&relay);
    // Nobody listens there.
    let proxy = "socks5://user:secret@127.0.0.1:1";
    let home = with_rooms(&format!(
        "[work]\nproxy = \"{proxy}\"\nnick = \"ada\"\ninvite = \"{invite}\"\n"
    ));
    let refused = "cannot connect to the proxy 127.0.0.1:1: connection refused";
    for arguments in [
        &["join", "work"][..],
        &["join", "work", "--no-config"],
        &["join", &invite, "--nick", "bob"],
    ] {
        run(&home, &[], arguments).assert_failure(refused);
    }
    let variable = [("E2ECHAT_ROOM", invite.as_str())];
    run(&home, &variable, &["join", "--nick", "bob"]).assert_failure(refused);
    let other = ["join", "work", "--proxy", "socks5://127.0.0.1:2"];
    run(&home, &[], &other)
        .assert_failure("cannot connect to the proxy 127.0.0.1:2: connection refused");
    let listed = run(&home, &[], &["rooms"]).stdout;
    assert!(
        listed[0].ends_with(", as ada, through the proxy 127.0.0.1:1"),
        "{listed:?}"
    );
    // A file that says nothing says nothing of proxies either.
    fs::set_permissions(path(&home), Permissions::from_mode(0o644)).unwrap();
    let file = path(&home).display().to_string();
    for arguments in [
        &["join", "work"][..],
        &["join", &invite, "--nick", "bob"],
        &["rooms"],
        &["rooms", "forget", "work"],
    ] {
        run(&home, &[], arguments)
            .assert_failure(&format!("others can read your saved rooms in {file}"));
    }
}

/// Whoever hosts a room needs no proxy to get there, and may need one the next time.
#[test]
fn a_room_that_is_saved_again_without_its_proxy_keeps_it() {
    let home = Home::new();
    let serve = [
        "serve",
        "--nick",
        "ada",
        "--bind",
        "127.0.0.1",
        "--port",
        "0",
    ];
    let mut ada = Screen::e2echat(&home, &serve, 50, 600);
    is_inside(&ada);
    let row = ada.wait_for_row("the room", |row| row.starts_with("* room lobby at "));
    let address = row
        .trim_start_matches("* room lobby at ")
        .split(": ")
        .next();
    let address = address.unwrap().to_owned();
    let proxy = "proxy = \"socks5://user:secret@proxy.example:9050\"\n";
    write(
        &home,
        &format!("[work]\n{proxy}nick = \"bob\"\nrelay = \"{address}\"\n"),
    );
    ada.enter("/save work");
    ada.sees("* this room is saved as work");
    let saved = saved(&home);
    assert!(
        saved.contains(proxy) && saved.contains("nick = \"ada\""),
        "{saved}"
    );
}

#[test]
fn a_room_that_was_saved_with_a_program_is_not_entered_without_it() {
    let relay = Relay::start(&[]);
    let (host, port) = (relay.address().ip(), relay.address().port());
    let bridge = format!(
        "bash -c 'exec 3<>/dev/tcp/{host}/{port} 4<&0; cat <&4 >&3 & cat <&3; kill $!; echo \"$0\" >> program' %h"
    );
    let home = Home::new();
    let enter = [
        "join",
        "relay.invalid",
        "--nick",
        "ada",
        "--through",
        &bridge,
    ];
    let entered = run(&home, &[], &[&enter[..], &["--save", "far"]].concat());
    assert_eq!(entered.code(), Some(0), "{entered:#?}");
    let listed = run(&home, &[], &["rooms"]).stdout;
    assert!(
        listed[0].starts_with("far  room lobby at relay.invalid:4000, as ada, through bash -c "),
        "{listed:?}"
    );
    // It is used by name, by address, and when the room is saved anew.
    let variable = [("E2ECHAT_PROXY", "")];
    for arguments in [
        &["join", "far"][..],
        &["join", "relay.invalid", "--nick", "bob"],
        &["join", "far", "--save", "far"],
        &["join", "far"],
    ] {
        let entered = run(&home, &variable, arguments);
        assert_eq!(entered.code(), Some(0), "{entered:#?}");
    }
    // Another way may be given, and a setting gives none.
    fs::create_dir_all(home.file("config/e2echat")).unwrap();
    let settings = home.file("config/e2echat/config.toml");
    fs::write(&settings, "proxy = \"socks5://127.0.0.1:1\"\n").unwrap();
    assert_eq!(run(&home, &[], &["join", "far"]).code(), Some(0));
    run(
        &home,
        &[],
        &["join", "far", "--proxy", "socks5://127.0.0.1:2"],
    )
    .assert_failure("cannot connect to the proxy 127.0.0.1:2: connection refused");
    let variable = [("E2ECHAT_PROXY", "socks5://127.0.0.1:3")];
    run(&home, &variable, &["join", "far"])
        .assert_failure("cannot connect to the proxy 127.0.0.1:3: connection refused");
    run(&home, &variable, &["join", "far", "--through", "false"])
        .assert_failure("no connection through false: it ended (exit status: 1)");
    // A setting that says two ways says none.
    fs::write(
        &settings,
        "proxy = \"socks5://127.0.0.1:1\"\nthrough = \"false\"\n",
    )
    .unwrap();
    run(&home, &[], &["join", "relay.example", "--nick", "ada"])
        .assert_misused("the settings have both proxy and through");
}

#[test]
fn what_is_wrong_in_the_file_is_one_line_and_nothing_is_lost() {
    let mistyped = "[work]\nnick = \"ada\"\ninvite = \"a:1/inv-hb3t-tdea-je2r-dd7x-zzt4-tk54\"\n";
    for (text, error) in [
        (
            mistyped,
            "line 1: the room work cannot be entered: this invite is mistyped",
        ),
        (
            "[work]\nnick = \"ada\"\n",
            "line 1: the room work cannot be entered: it has neither a relay nor an invite",
        ),
        ("[work]\nrelay = \"a\"\ninvi", "line 3: "),
        (
            "[work]\nrelay = \"a\"\ncolour = \"red\"",
            "line 3: unknown field `colour`",
        ),
    ] {
        let home = with_rooms(text);
        let begin = format!("e2echat: error: {}, {error}", path(&home).display());
        for arguments in [
            &["join", "work"][..],
            &["join", "127.0.0.1:1", "--nick", "ada"],
            &["rooms"],
            &["rooms", "--show-invite"],
            &["rooms", "forget", "work"],
        ] {
            let ended = run(&home, &[], arguments);
            assert_eq!(ended.code(), Some(1), "{ended:#?}");
            assert!(ended.stderr[0].starts_with(&begin), "{ended:#?}");
            assert_eq!(ended.stderr.len(), 2, "{ended:#?}");
            assert!(!ended.stderr[0].contains("hb3t"), "{ended:#?}");
        }
        assert_eq!(saved(&home), text);
    }
    let home = with_rooms("[work]\nnick = \"ada\"\nrelay = \"http://a\"\n");
    run(&home, &[], &["join", "work"]).assert_failure(
        "the saved room work cannot be entered: relay: it must be HOST or HOST:PORT, with an IPv6 address in brackets",
    );
}

#[test]
fn programs_that_save_at_the_same_time_lose_nothing_of_each_other_s() {
    let relay = Relay::start(&[]);
    let address = relay.address().to_string();
    let home = Home::new();
    thread::scope(|scope| {
        for number in 0..8 {
            let (home, address) = (&home, &address);
            scope.spawn(move || {
                let (nick, name) = (format!("ada{number}"), format!("room{number}"));
                let arguments = ["join", address, "--nick", &nick, "--save", &name];
                assert_eq!(run(home, &[], &arguments).code(), Some(0));
            });
        }
    });
    assert_eq!(run(&home, &[], &["rooms"]).stdout.len(), 8);
}

/// A limit on the size of files fails a write half way, as a full disk does.
#[test]
fn a_full_disk_is_said_and_what_was_saved_stays() {
    let relay = Relay::start(&[]);
    let address = relay.address().to_string();
    let home = with_rooms("[work]\nrelay = \"a\"\n");
    let before = saved(&home);
    let script = format!(
        "trap '' XFSZ; ulimit -f 0; exec '{}' join {address} --nick ada --save den",
        tested_program()
    );
    let mut command = Command::new("bash");
    home.isolate(&mut command);
    let ended = Client::start_command(command.args(["-c", &script])).leave();
    let told = ended
        .stdout
        .iter()
        .find(|line| line.starts_with("! not saved: "));
    let told = told.unwrap_or_else(|| panic!("{ended:#?}"));
    assert!(
        told.contains("cannot write ") && told.contains("file too large"),
        "{told}"
    );
    assert_eq!(saved(&home), before);
}
