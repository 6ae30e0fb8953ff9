//! People, by identity, in whatever room of whatever relay they are met: what is kept of them, and what is not; and
//! `e2echat people`.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use e2echat::cipher::fingerprint::Fingerprint;
use e2echat::room::names::RoomName;

use crate::support::process::{Client, Ended, Home, Relay, tested_program};
use crate::support::screen::Screen;

/// Somebody whose identity is saved.
fn person() -> Home {
    let home = Home::new();
    assert_eq!(home.run(&["keygen"]).code(), Some(0));
    home
}

fn fingerprint(home: &Home) -> String {
    let shown = home.run(&["keygen", "--show"]).stdout;
    let line = shown
        .iter()
        .find_map(|line| line.strip_prefix("fingerprint"));
    line.unwrap().trim().to_owned()
}

/// What this user's file of known people has.
fn known(home: &Home) -> String {
    fs::read_to_string(home.known_people()).unwrap_or_default()
}

fn write(home: &Home, text: &str) {
    let path = home.known_people();
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(&path, text).unwrap();
    fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
}

fn room_id(room: &str) -> String {
    URL_SAFE_NO_PAD.encode(room.parse::<RoomName>().unwrap().id().0)
}

/// A line about somebody in a room of `relay:1`.
fn line(word: &str, room: &str, nick: &str, fingerprint: &str) -> String {
    let room = room_id(room);
    format!("1794787200 {word} relay:1 {room} {nick} {fingerprint}\n")
}

/// Somebody who is nobody.
fn stranger(number: usize) -> String {
    Fingerprint::of(&number.to_le_bytes()).to_string()
}

/// Compares the number with somebody, who does not look.
#[track_caller]
fn verify(screen: &mut Screen, nick: &str) {
    screen.enter(&format!("/verify {nick}"));
    let row = screen.wait_for_row("digits", |row| {
        row.starts_with("| ") && row.chars().filter(char::is_ascii_digit).count() == 60
    });
    let digits = row.trim_start_matches("| ");
    screen.enter(&format!("/verify {nick} {digits}"));
    screen.sees(&format!("* {nick} is verified\n"));
}

fn quit(mut screen: Screen) {
    screen.enter("/quit");
    assert!(screen.wait_exit().success());
}

/// Somebody who has made a room, and the invite to it.
fn host(home: &Home, relay: &Relay, nick: &str) -> (Client, String) {
    let host = Client::join_from(home, relay.address(), nick, &["--new-room"]);
    let line = host.wait_for_line("invite", |line| line.contains("/inv-"));
    let invite = line.split(' ').find(|word| word.contains("/inv-"));
    (host, invite.unwrap().to_owned())
}

#[test]
fn who_is_verified_in_the_lobby_is_verified_in_a_private_room_of_another_relay() {
    let (here, there) = (Relay::start(&[]), Relay::start(&[]));
    let (adas, bobs) = (person(), person());
    let is = fingerprint(&bobs);
    let address = here.address().to_string();
    let mut ada = Screen::join(&adas, &address, "ada", &[]);
    let bob = Client::join_from(&bobs, here.address(), "bob", &[]);
    ada.sees("* bob joined ");
    verify(&mut ada, "bob");
    ada.enter("/note bob Robert from work");
    ada.sees("* you have noted of bob: Robert from work\n");
    bob.leave();
    quit(ada);

    // Nothing that is written goes to anybody whom she has not verified: so it is no mere word.
    let (mut robert, invite) = host(&bobs, &there, "robert");
    let variables = [("E2ECHAT_ROOM", invite.as_str())];
    let arguments = ["join", "--nick", "ada", "--only-verified"];
    let mut ada = Screen::e2echat_with(&adas, &variables, &arguments, 50, 600);
    ada.sees("* here: robert (verified)");
    ada.enter("/names");
    ada.wait_for_row("robert", |row| {
        row.starts_with(&format!("* here: robert {is} (verified, known since 20"))
    });
    robert.meets("ada");
    ada.enter("hello, Robert");
    robert.wait_for_message("ada", "hello, Robert");
    ada.enter("/whois robert");
    let day = "20";
    for row in [
        format!("| verified on {day}"),
        format!("| first seen in lobby at {address} as bob on {day}"),
        format!(
            "| seen in a private room at {} as robert on {day}",
            there.address()
        ),
        "| note: Robert from work".to_owned(),
    ] {
        ada.wait_for_row(&row, |shown| shown.starts_with(&row));
    }
    let verified = ada.wait_for_row("when and how", |row| row.starts_with("| verified on "));
    let how = format!(" in lobby at {address}: you compared the number");
    assert!(verified.ends_with(&how), "{verified}");
    ada.enter("/save work");
    ada.sees("* this room is saved as work");
    quit(ada);
    robert.say("bye");
    robert.leave();

    // The name of the room is nowhere that people look.
    let listed = adas.run(&["people"]).stdout.join("\n");
    for row in [
        format!("robert  {is}  verified\n  verified on "),
        format!("  seen in work at {} as robert on ", there.address()),
        "\n  note: Robert from work".to_owned(),
    ] {
        assert!(listed.contains(&row), "{listed}");
    }
    let exported = adas.run(&["people", "export", "out"]);
    assert_eq!(exported.code(), Some(0), "{exported:#?}");
    let told = exported.stdout.join("\n") + &listed;
    let out = fs::read_to_string(adas.file("out")).unwrap();
    for written in [&known(&adas), &out, &told] {
        assert!(!written.contains("inv-"), "{written}");
    }
}

#[test]
fn merely_seen_elsewhere_is_shown_and_counts_for_nothing() {
    let (here, there) = (Relay::start(&[]), Relay::start(&[]));
    let (adas, bobs) = (person(), person());
    let is = fingerprint(&bobs);
    let ada = Client::join_from(&adas, here.address(), "ada", &["--room", "cellar"]);
    let bob = Client::join_from(&bobs, here.address(), "bob", &["--room", "cellar"]);
    ada.meets("bob");
    bob.leave();
    ada.leave();

    let robert = Client::join_from(&bobs, there.address(), "robert", &[]);
    let address = there.address().to_string();
    let mut ada = Screen::join(&adas, &address, "ada", &["--only-known"]);
    ada.sees("* here: robert (new, gets no messages)");
    ada.enter("/names");
    let seen = format!("seen in cellar at {} as bob", here.address());
    ada.sees(&format!(
        "* here: robert {is} (new here, {seen}, gets no messages)\n"
    ));
    ada.enter("not for you");
    ada.sees("* 0 can read this, 1 left out");
    // What she says of him makes him known, and taken back it does not.
    ada.enter("/note robert Bob, whom I met in the cellar");
    ada.sees("; so you know robert now, who gets what you write\n");
    ada.enter("for you");
    robert.wait_for_message("ada", "for you");
    ada.enter("/note robert");
    ada.sees(
        "* nothing is noted of robert; so you do not know robert any more, who gets no messages\n",
    );
    ada.enter("/note robert an old friend");
    ada.sees("you have noted of robert: an old friend");
    quit(ada);
    assert!(!robert.leave().stdout.join("\n").contains("not for you"));

    // Noted is known everywhere.
    let bob = Client::join_from(&bobs, here.address(), "bob", &["--room", "attic"]);
    let options = ["--room", "attic", "--only-known"];
    let mut ada = Screen::join(&adas, &here.address().to_string(), "ada", &options);
    ada.enter("/names");
    ada.wait_for_row("bob", |row| {
        row.starts_with(&format!("* here: bob {is} (known since 20"))
            && !row.contains("no messages")
    });
    drop(bob);
}

#[test]
fn another_of_the_same_nick_is_told_once_and_is_no_alarm() {
    let (here, there) = (Relay::start(&[]), Relay::start(&[]));
    let (adas, bobs, others) = (person(), person(), person());
    let mut ada = Screen::join(&adas, &here.address().to_string(), "ada", &[]);
    let bob = Client::join_from(&bobs, here.address(), "bob", &[]);
    ada.sees("* bob joined ");
    verify(&mut ada, "bob");
    bob.leave();
    quit(ada);

    let address = there.address().to_string();
    let notice = format!(
        "* this B0B is not the one whom you met in lobby at {} and have verified: the identity is another one; /verify B0B makes sure who this is\n",
        here.address()
    );
    for nick in ["ada", "adah"] {
        let ada = Screen::join(&adas, &address, nick, &[]);
        for _ in 0..2 {
            let other = Client::join_from(&others, there.address(), "B0B", &[]);
            ada.sees("* B0B joined ");
            ada.sees(&notice);
            other.leave();
            ada.sees("* B0B left\n");
        }
        let shown = ada.contents();
        assert_eq!(shown.matches(notice.trim_end()).count(), 1, "{shown}");
        assert!(!shown.contains("\n! "), "{shown}");
        let count = shown.matches("* B0B joined ").count();
        assert_eq!(count, 2, "{shown}");
        quit(ada);
    }

    // Verified too, they are two people.
    let mut ada = Screen::join(&adas, &address, "ada", &[]);
    let other = Client::join_from(&others, there.address(), "B0B", &[]);
    ada.sees("* B0B joined ");
    verify(&mut ada, "B0B");
    quit(ada);
    other.leave();
    let listed = adas.run(&["people"]).stdout;
    for home in [&bobs, &others] {
        let is = fingerprint(home);
        let is_listed = |row: &&String| row.ends_with(&format!("  {is}  verified"));
        assert_eq!(listed.iter().filter(is_listed).count(), 1, "{listed:#?}");
    }
    let ada = Screen::join(
        &adas,
        &here.address().to_string(),
        "ada",
        &["--room", "den"],
    );
    let other = Client::join_from(&others, here.address(), "bob", &["--room", "den"]);
    ada.sees("* two people are called bob, and you have verified both: this one, and one whom you met in lobby at ");
    assert!(!ada.contents().contains("\n! "), "{}", ada.contents());
    drop(other);
    // Where one of them is known, the other one is an alarm, as ever.
    let ada = Screen::join(&adas, &here.address().to_string(), "ada", &[]);
    let _other = Client::join_from(&others, here.address(), "bob", &[]);
    ada.sees("\n! THE IDENTITY OF bob HAS CHANGED");
}

#[test]
fn a_program_reads_of_another_of_the_same_nick_as_a_notice() {
    let relay = Relay::start(&[]);
    let (adas, bobs) = (person(), person());
    write(&adas, &line("verified", "lobby", "bob", &stranger(1)));
    let mut ada = adas.e2echat();
    let address = relay.address().to_string();
    let ada = Client::start_command(ada.args(["join", &address, "--nick", "ada", "--json"]));
    ada.wait_for_line("roster", |line| line.contains("\"type\":\"here\""));
    let _bob = Client::join_from(&bobs, relay.address(), "bob", &[]);
    let told = ada.wait_for_line("notice", |line| line.contains("\"kind\":\"namesake\""));
    for part in [
        "\"type\":\"notice\"",
        "\"nick\":\"bob\"",
        "lobby at relay:1",
    ] {
        assert!(told.contains(part), "{told}");
    }
    ada.wait_for_line("bob", |line| {
        line.contains("\"type\":\"join\"") && line.contains("\"standing\":\"new\"")
    });
}

#[test]
fn a_note_is_one_row_and_no_nick_and_no_word_to_others() {
    let relay = Relay::start(&[]);
    let (adas, bobs) = (person(), person());
    let mut ada = Screen::join(&adas, &relay.address().to_string(), "ada", &[]);
    let bob = Client::join_from(&bobs, relay.address(), "bob", &[]);
    ada.sees("* bob joined ");
    ada.enter("/note bob * carol joined (verified)");
    ada.sees("* you have noted of bob: * carol joined (verified)\n");
    ada.enter("/whois bob");
    ada.sees("\n| note: * carol joined (verified)\n");
    let long = "x".repeat(201);
    ada.enter(&format!("/note bob {long}"));
    ada.sees("? nothing is noted: that has 201 characters, and a note at most 200\n");
    ada.enter("/note ada myself");
    ada.sees("? that is you; a note is for somebody else\n");
    ada.enter("/note carl hello");
    ada.sees("? nobody here is called carl; ");
    let guest = Client::join(relay.address(), "guest", &[]);
    ada.sees("* guest joined ");
    ada.enter("/note guest a guest");
    ada.sees(
        "? nothing is noted: guest has saved no identity, and the next guest may be anybody\n",
    );
    ada.enter("that is all");
    bob.wait_for_message("ada", "that is all");
    quit(ada);
    for other in [bob, guest] {
        let heard = other.leave().stdout.join("\n");
        assert!(
            !heard.contains("carol") && !heard.contains("note"),
            "{heard}"
        );
    }
    // What a file has instead is made harmless.
    let is = fingerprint(&bobs);
    let lobby = line("seen", "lobby", "bob", &is);
    write(
        &adas,
        &format!("{lobby}1 noted {is} \"a\u{1b}]0;b\u{7}\u{202e}c\"\n"),
    );
    let listed = adas.run(&["people"]);
    assert_eq!(
        listed.stdout[2], "  note: a\u{fffd}]0;b\u{fffd}\u{fffd}c",
        "{listed:#?}"
    );
}

#[test]
fn people_are_listed_and_forgotten_by_nick_or_fingerprint() {
    let home = Home::new();
    assert_eq!(home.run(&["people"]).stdout, [""; 0]);
    let (one, two, three) = (stranger(1), stranger(2), stranger(3));
    let text = line("seen", "lobby", "bob", &one)
        + &line("seen", "hall", "B0b", &two)
        + &format!("1794787200 room hall relay:1 {}\n", room_id("hall"))
        + &line("verified", "lobby", "carol", &three)
        + "rubbish\n";
    write(&home, &text);
    let mut listed = home.run(&["people"]).stdout;
    let damage = listed.pop().unwrap();
    assert!(damage.starts_with("! 1 of the lines in "), "{damage}");
    let expected = [
        format!("B0b  {two}  seen"),
        "  first seen in hall at relay:1 as B0b on 2026-11-16".to_owned(),
        format!("bob  {one}  seen"),
        "  first seen in lobby at relay:1 as bob on 2026-11-16".to_owned(),
        format!("carol  {three}  verified"),
        "  verified on 2026-11-16 in lobby at relay:1: you compared the number".to_owned(),
        "  first seen in lobby at relay:1 as carol on 2026-11-16".to_owned(),
    ];
    assert_eq!(listed, expected);

    let unclear = home.run(&["people", "forget", "Bob"]);
    assert_eq!(unclear.code(), Some(1));
    assert_eq!(
        unclear.stderr[0],
        "e2echat: error: 2 people have been called Bob: name one by the fingerprint"
    );
    for is in [&one, &two] {
        let is_named = |row: &String| row.starts_with("  ") && row.ends_with(is.as_str());
        assert!(unclear.stderr.iter().any(is_named), "{unclear:#?}");
    }
    let nobody = home.run(&["people", "forget", "dave"]);
    nobody.assert_failure("you know nobody called dave");
    assert_eq!(known(&home), text);
    let forgotten = home.run(&["people", "forget", "Carol"]);
    assert_eq!(forgotten.stdout, [format!("forgotten: carol  {three}")]);
    let forgotten = home.run(&["people", "forget", &one]);
    assert_eq!(forgotten.stdout, [format!("forgotten: bob  {one}")]);
    let left = known(&home);
    assert!(!left.contains(&one) && !left.contains(&three), "{left}");
    assert!(left.contains(&two) && left.ends_with("rubbish\n"), "{left}");
    let mode = fs::metadata(home.known_people()).unwrap().permissions();
    assert_eq!(mode.mode() & 0o777, 0o600);
}

/// The machine from which people are taken over, and what it wrote.
fn exported(home: &Home, text: &str) -> String {
    write(home, text);
    let path = home.file("people").display().to_string();
    let exported = home.run(&["people", "export", &path]);
    let told = exported.stdout.join("\n");
    assert!(
        told.contains("only you can read: it tells whom you know"),
        "{told}"
    );
    let mode = fs::metadata(&path).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    // It is not replaced.
    let again = home.run(&["people", "export", &path]);
    again.assert_failure(&format!("cannot write {path}: file exists"));
    path
}

#[test]
fn an_import_asks_for_each_person_and_changes_nobody_by_itself() {
    let (adas, other) = (Home::new(), Home::new());
    let (one, two, three) = (stranger(1), stranger(2), stranger(3));
    let exports = line("verified", "lobby", "bob", &two)
        + &line("accepted", "lobby", "carol", &three)
        + &format!("1794787200 noted {three} \"a friend\"\n")
        + &line("verified", "den", "dave", &one);
    let path = exported(&other, &exports);
    // Another bob is known here, and dave merely seen.
    let before = line("verified", "lobby", "bob", &one);
    write(&adas, &before);

    // Without a terminal nobody is asked.
    let refused = adas.run(&["people", "import", &path]);
    refused.assert_failure(
        "3 would change, and nobody was changed: there is no terminal to answer on",
    );
    assert_eq!(known(&adas), before);

    let import = || Screen::e2echat(&adas, &["people", "import", &path], 24, 200);
    let mut screen = import();
    screen.sees(&format!(
        "bob  {two}\n  would be VERIFIED, as over there since 2026-11-16\n"
    ));
    screen.sees(&format!(
        "  is NOT the bob whom you know here: {one}, verified\n"
    ));
    screen.sees("take that over? (yes/no) ");
    screen.enter("perhaps");
    screen.wait_for("the question again", |shown| {
        shown.matches("take that over? (yes/no)").count() == 2
    });
    screen.enter("no");
    screen.sees(&format!(
        "carol  {three}\n  would be known, as over there\n  would have the note: a friend\n"
    ));
    screen.enter("yes");
    screen.sees(&format!(
        "dave  {one}\n  was seen over there in a room at relay:1 as dave\n"
    ));
    screen.enter("y");
    screen.sees("2 of 3 taken over");
    assert!(screen.wait_exit().success());
    let now = known(&adas);
    assert!(now.starts_with(&before) && !now.contains(&two), "{now}");

    // What was not answered stays as it was: Ctrl-D.
    let mut screen = import();
    screen.sees("take that over? (yes/no) ");
    screen.press("\x04");
    screen.sees("0 of 1 taken over");
    assert!(screen.wait_exit().success());
    assert_eq!(known(&adas), now);

    let mut screen = import();
    screen.sees("take that over? (yes/no) ");
    screen.enter("YES");
    screen.sees("1 of 1 taken over");
    assert!(screen.wait_exit().success());
    let nothing = adas.run(&["people", "import", &path]);
    assert_eq!(nothing.stdout, ["there is nothing new in that file"]);
    let listed = adas.run(&["people"]).stdout.join("\n");
    for row in [
        format!("bob  {two}  verified\n  verified on "),
        format!("carol  {three}  known\n  accepted on "),
        ": as an export said\n".to_owned(),
        "  note: a friend".to_owned(),
        format!("dave  {one}  verified\n"),
    ] {
        assert!(listed.contains(&row), "{row}: {listed}");
    }
    // Under the nick in the lobby, the one of this machine is expected: the other one is an alarm.
    let now = known(&adas);
    let expected = now.lines().find(|line| line.contains(" bob ")).unwrap();
    assert!(expected.ends_with(&one), "{now}");
}

#[test]
fn what_is_no_export_is_refused_in_one_line_and_changes_nothing() {
    let home = Home::new();
    let before = line("seen", "lobby", "bob", &stranger(1));
    write(&home, &before);
    let whole = line("seen", "lobby", "carol", &stranger(2));
    for (text, lines) in [
        ("\u{7f}ELF\0\u{1b}]0;\u{7}\n", 1),
        (&whole[..whole.len() - 3], 1),
        (&format!("{whole}{{\"people\": []}}\n\n"), 2),
    ] {
        fs::write(home.file("rubbish"), text).unwrap();
        home.run(&["people", "import", "rubbish"])
            .assert_failure(&format!(
                "{lines} of the lines in rubbish cannot be read, and nobody was changed"
            ));
    }
    fs::write(home.file("rubbish"), "").unwrap();
    let nothing = home.run(&["people", "import", "rubbish"]);
    assert_eq!(nothing.stdout, ["there is nothing new in that file"]);
    home.run(&["people", "import", "missing"])
        .assert_failure("cannot read missing: no such file or directory");
    home.run(&["people", "import", "/dev/zero"])
        .assert_failure("cannot read /dev/zero: it is not a file");
    assert_eq!(known(&home), before);
    // The file itself, of rubbish: nobody is known, which `join` says, and nothing is lost.
    let rubbish = "rubbish\n".repeat(500);
    write(&home, &rubbish);
    let listed = home.run(&["people"]);
    assert_eq!((listed.code(), listed.stdout.len()), (Some(0), 1));
    assert!(
        listed.stdout[0].starts_with("! 500 of the lines in "),
        "{listed:#?}"
    );
    assert_eq!(known(&home), rubbish);
}

/// Runs the program where no file can grow, as on a full disk.
fn on_a_full_disk(home: &Home, arguments: &[&str]) -> Ended {
    let mut shell = Command::new("bash");
    home.isolate(&mut shell);
    shell.args(["-c", "trap '' XFSZ; ulimit -f 0; exec \"$0\" \"$@\""]);
    Ended::of(shell.arg(tested_program()).args(arguments))
}

#[test]
fn a_full_disk_is_said_and_nobody_is_forgotten() {
    let home = Home::new();
    let before = line("verified", "lobby", "bob", &stranger(1))
        + &line("verified", "lobby", "carol", &stranger(2));
    write(&home, &before);
    let path = home.known_people().display().to_string();
    on_a_full_disk(&home, &["people", "forget", "bob"])
        .assert_failure(&format!("cannot write {path}: file too large"));
    on_a_full_disk(&home, &["people", "export", "out"])
        .assert_failure("cannot write out: file too large");
    assert_eq!(known(&home), before);
    assert!(!home.file("out").exists());
    let left = fs::read_dir(home.known_people().parent().unwrap()).unwrap();
    assert_eq!(left.count(), 1);
}

/// It is written anew when most of it is old, by whichever program reads it, and says the same.
#[test]
fn a_file_that_is_mostly_old_is_written_anew() {
    let relay = Relay::start(&[]);
    let (adas, bobs) = (person(), person());
    let is = fingerprint(&bobs);
    let lobby = room_id("lobby");
    let again = format!("1794787200 verified {} {lobby} bob {is}\n", relay.address());
    write(&adas, &format!("half a li\n{}", again.repeat(1000)));
    let _bob = Client::join_from(&bobs, relay.address(), "bob", &[]);
    for _ in 0..2 {
        let ada = Client::join_from(&adas, relay.address(), "ada", &[]);
        ada.wait_for_line("bob", |line| {
            line.starts_with(&format!(
                "* here: bob {is} (verified, known since 2026-11-16"
            ))
        });
        ada.leave();
        let now = known(&adas);
        assert_eq!(now.lines().count(), 3, "{now}");
        assert!(now.contains(&again) && now.contains("half a li\n"), "{now}");
        let mode = fs::metadata(adas.known_people()).unwrap().permissions();
        assert_eq!(mode.mode() & 0o777, 0o600);
    }
}
