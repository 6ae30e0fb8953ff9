//! People are remembered: who was here before is recognised, and who has taken a known name is not
//! written to.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;
use std::process::Command;

use nix::sys::stat::Mode;
use nix::unistd::mkfifo;

use crate::support::process::{Client, Home, Relay, is_message, tested_program, wait_for};
use crate::support::screen::Screen;

/// The lines of the file in which a user's people are remembered, without those that say what a room is called.
fn known_people(home: &Home) -> Vec<String> {
    let text = fs::read_to_string(home.known_people()).unwrap_or_default();
    let lines = text.lines().filter(|line| !line.contains(" room "));
    lines.map(str::to_owned).collect()
}

/// Waits until somebody is announced like this.
#[track_caller]
fn wait_for_joined(client: &Client, nick: &str, fingerprint: &str, about: &str) {
    let start = format!("* {nick} joined {fingerprint} ({about}");
    client.wait_for_line(&start, |line| line.starts_with(&start));
}

/// Waits until somebody has left.
#[track_caller]
fn wait_for_left(client: &Client, nick: &str) {
    let left = format!("* {nick} left");
    client.wait_for_line(&left, |line| line == left);
}

#[test]
fn who_is_new_is_known_the_next_time() {
    let relay = Relay::start(&[]);
    let (home, bobs) = (Home::new(), Home::new());
    let (identity, fingerprint) = bobs.identity("bob.pem");
    let with_identity = ["--identity", identity.as_str()];

    let ada = Client::join_from(&home, relay.address(), "ada", &[]);
    let bob = Client::join(relay.address(), "bob", &with_identity);
    wait_for_joined(&ada, "bob", &fingerprint, "new)");
    assert_eq!(bob.leave().code(), Some(0));
    wait_for_left(&ada, "bob");
    let bob = Client::join(relay.address(), "bob", &with_identity);
    wait_for_joined(&ada, "bob", &fingerprint, "known since 20");
    assert_eq!(ada.warnings(), [""; 0]);
    assert_eq!(ada.leave().code(), Some(0));

    let ada = Client::join_from(&home, relay.address(), "ada", &[]);
    let here = format!("* here: bob {fingerprint} (known since 20");
    ada.wait_for_line(&here, |line| line.starts_with(&here));
    drop(bob);
    let lines = known_people(&home);
    assert_eq!(lines.len(), 1, "once is enough: {lines:#?}");
    assert!(lines[0].ends_with(&format!(" bob {fingerprint}")));
}

#[test]
fn an_identity_made_for_one_run_is_not_remembered() {
    let relay = Relay::start(&[]);
    let home = Home::new();
    let ada = Client::join_from(&home, relay.address(), "ada", &[]);
    for _ in 0..2 {
        let bob = Client::join(relay.address(), "bob", &[]);
        let you_are = bob.wait_for_line("own fingerprint", |line| line.starts_with("* you are "));
        let fingerprint = you_are.trim_start_matches("* you are bob ");
        wait_for_joined(&ada, "bob", fingerprint, "for this stay only");
        bob.leave();
    }
    let ended = ada.leave();
    let told = ended.stdout.join("\n");
    assert!(!told.contains("! "), "{told}");
    assert!(!home.known_people().exists());
}

/// The same letters, with small ones for capitals.
fn with_other_case(text: &str) -> String {
    let swap = |letter: char| match letter {
        'a'..='z' => letter.to_ascii_uppercase(),
        _ => letter.to_ascii_lowercase(),
    };
    text.chars().map(swap).collect()
}

/// What somebody is told whom Ada leaves out for this.
const LEFT_OUT: &str =
    "* ada wrote something and left you out: your nick was another identity's before. ";

#[test]
fn another_key_under_a_known_nick_is_told_loudly_and_gets_nothing_until_it_is_accepted() {
    let relay = Relay::start(&[]);
    let address = relay.address();
    let (home, others) = (Home::new(), Home::new());
    let (first, was) = others.identity("first.pem");
    let (second, is) = others.identity("second.pem");
    let (third, _) = others.identity("third.pem");

    let mut ada = Screen::join(&home, &address.to_string(), "ada", &[]);
    let bob = Client::join(address, "bob", &["--identity", &first]);
    ada.wait_for_row("bob", |row| row.starts_with("* bob joined "));
    ada.enter("/fingerprint bob");
    ada.wait_for_row("bob", |row| row.contains(&format!("{was} (new")));
    assert_eq!(bob.leave().code(), Some(0));
    ada.wait_for_row("departure", |row| row == "* bob left");

    let bob = Client::join(address, "bob", &["--identity", &second]);
    let warning = ada.wait_for_row("warning", |row| {
        row.starts_with("! THE IDENTITY OF bob HAS")
    });
    for part in [
        "Ask bob",
        "telephone",
        "/fingerprint",
        "/trust bob ",
        "else",
    ] {
        assert!(warning.contains(part), "no {part}: {warning}");
    }
    let end = &is[is.len() - 10..];
    ada.enter("is that really you?");
    bob.wait_for_line("that something is withheld", |line| {
        line.starts_with(LEFT_OUT) && line.ends_with(&format!("(ada then types: /trust bob {end})"))
    });
    ada.wait_for_row("that nobody reads it", |row| {
        row == "* 0 can read this, 1 left out: not trusted, or come while you typed; see /names"
    });

    // Too short, wrong, the one before, and the right one but for a letter's case.
    let swapped = with_other_case(end);
    let (mut refusals, mut mistakes) = (0, 0);
    for (wrong, is_mistake) in [
        (&end[1..], true),
        ("AAAAAAAAAA", false),
        (&was[was.len() - 10..], false),
        (&swapped, true),
    ] {
        if wrong == end {
            continue;
        }
        ada.enter(&format!("/trust bob {wrong}"));
        refusals += usize::from(!is_mistake);
        mistakes += usize::from(is_mistake);
        ada.wait_for("refusal", |shown| {
            shown.matches("\n! nothing is accepted: ").count() == refusals
                && shown.matches("\n? nothing is accepted: ").count() == mistakes
        });
    }
    ada.enter("still not for you");
    ada.wait_for("that nobody reads it", |shown| {
        shown.matches("* 0 can read this, 1 left out").count() == 2
    });
    assert_eq!(known_people(&home).len(), 1);

    // Whoever comes in between is not accepted with the end of the one before.
    assert_eq!(bob.leave().code(), Some(0));
    ada.wait_for("departure", |shown| {
        shown.matches("* bob left").count() == 2
    });
    let eve = Client::join(address, "bob", &["--identity", &third]);
    ada.wait_for("warning", |shown| {
        shown.matches("\n! THE IDENTITY OF bob").count() == 2
    });
    ada.enter(&format!("/trust bob {end}"));
    refusals += 1;
    ada.wait_for("refusal", |shown| {
        shown.matches("\n! nothing is accepted: ").count() == refusals
    });
    assert_eq!(eve.leave().code(), Some(0));
    ada.wait_for("departure", |shown| {
        shown.matches("* bob left").count() == 3
    });

    let bob = Client::join(address, "bob", &["--identity", &second]);
    ada.wait_for("warning", |shown| {
        shown.matches("\n! THE IDENTITY OF bob").count() == 3
    });
    ada.enter(&format!("/trust bob {end}"));
    ada.wait_for_row("acceptance", |row| {
        row == format!("* bob is known by {is} now")
    });
    ada.enter("welcome back");
    bob.wait_for_message("ada", "welcome back");
    let heard = bob.leave().stdout.join("\n");
    assert!(
        !heard.contains("really you") && !heard.contains("still not"),
        "{heard}"
    );

    // It is remembered, and a second time there is nothing to accept.
    let bob = Client::join(address, "bob", &["--identity", &second]);
    ada.wait_for_row("bob", |row| row.starts_with("* bob joined (known since 20"));
    ada.enter("/names");
    let known = format!("* here: bob {is} (known since 20");
    ada.wait_for_row("who", |row| row.starts_with(&known));
    ada.enter(&format!("/trust bob {end}"));
    ada.wait_for_row("that there is nothing to do", |row| {
        row == "* the identity of bob has not changed; /verify bob makes sure of it"
    });
    drop(bob);
}

#[test]
fn what_could_be_copied_without_asking_is_shown_to_nobody_who_does_not_ask_for_it() {
    let relay = Relay::start(&[]);
    let address = relay.address();
    let (home, others) = (Home::new(), Home::new());
    let (first, was) = others.identity("first.pem");
    let (second, is) = others.identity("second.pem");
    let met = Client::join_from(&home, address, "ada", &[]);
    let bob = Client::join(address, "bob", &["--identity", &first]);
    wait_for_joined(&met, "bob", &was, "new");
    bob.leave();
    met.leave();

    let mut ada = Screen::join(&home, &address.to_string(), "ada", &[]);
    let _bob = Client::join(address, "bob", &["--identity", &second]);
    ada.wait_for_row("warning", |row| row.starts_with("! THE IDENTITY OF bob"));
    let end = &is[is.len() - 10..];
    ada.enter("/names");
    let listed = "* here: bob (IDENTITY CHANGED, gets no messages)";
    ada.wait_for_row("bob in the list", |row| row == listed);
    ada.enter("/trust bob");
    ada.wait_for_row("whom to ask for what", |row| {
        row.starts_with("* ask bob, on the telephone or face to face, for the last 10 characters")
    });
    let shown = ada.contents();
    assert!(shown.contains("\n* bob joined (IDENTITY CHANGED, gets no messages)\n"));
    assert!(!shown.contains(end), "{shown}");
    ada.enter("/fingerprint bob");
    ada.wait_for_row("both fingerprints", |row| {
        row == format!("* bob {is} (IDENTITY CHANGED, gets no messages; it was {was})")
    });
}

#[test]
fn a_nick_that_looks_alike_is_the_same_person_or_a_warning() {
    let relay = Relay::start(&[]);
    let (home, others) = (Home::new(), Home::new());
    let (first, is) = others.identity("first.pem");
    let (second, _) = others.identity("second.pem");
    let ada = Client::join_from(&home, relay.address(), "ada", &[]);
    let bob = Client::join(relay.address(), "bob", &["--identity", &first]);
    wait_for_joined(&ada, "bob", &is, "new");
    bob.leave();
    wait_for_left(&ada, "bob");
    let same = Client::join(relay.address(), "B0b", &["--identity", &first]);
    wait_for_joined(&ada, "B0b", &is, "known since 20");
    same.leave();
    wait_for_left(&ada, "B0b");
    let _eve = Client::join(relay.address(), "BOB", &["--identity", &second]);
    ada.wait_for_line("warning", |line| {
        line.starts_with("! THE IDENTITY OF BOB HAS CHANGED")
    });
}

#[test]
fn every_room_and_every_relay_has_its_own_memory() {
    let (here, there) = (Relay::start(&[]), Relay::start(&[]));
    let (home, others) = (Home::new(), Home::new());
    for (index, (relay, room)) in [(&here, "cellar"), (&here, "attic"), (&there, "cellar")]
        .into_iter()
        .enumerate()
    {
        let (identity, is) = others.identity(&format!("{index}.pem"));
        let ada = Client::join_from(&home, relay.address(), "ada", &["--room", room]);
        let options = ["--room", room, "--identity", &identity];
        let bob = Client::join(relay.address(), "bob", &options);
        wait_for_joined(&ada, "bob", &is, "new");
        bob.leave();
        assert_eq!(ada.warnings(), [""; 0]);
        ada.leave();
    }
    assert_eq!(known_people(&home).len(), 3);
}

#[test]
fn a_relay_is_the_same_in_capitals() {
    let relay = Relay::start_with(&["--bind", "127.0.0.1", "--port", "0"]);
    let port = relay.address().port();
    let (home, others) = (Home::new(), Home::new());
    let (identity, is) = others.identity("bob.pem");
    let _bob = Client::join(relay.address(), "bob", &["--identity", &identity]);
    for (host, about) in [("localhost", "new"), ("LocalHost", "known since 20")] {
        let mut command = home.e2echat();
        command.args(["join", &format!("{host}:{port}"), "--nick", "ada"]);
        let ada = Client::start_command(&mut command);
        let here = format!("* here: bob {is} ({about}");
        ada.wait_for_line(&here, |line| line.starts_with(&here));
        ada.leave();
    }
}

#[test]
fn the_file_is_for_its_owner_alone_and_only_grows() {
    let relay = Relay::start(&[]);
    let (home, others) = (Home::new(), Home::new());
    let mut before = String::new();
    for nick in ["bob", "carol"] {
        let (identity, is) = others.identity(nick);
        let ada = Client::join_from(&home, relay.address(), "ada", &[]);
        let other = Client::join(relay.address(), nick, &["--identity", &identity]);
        wait_for_joined(&ada, nick, &is, "new");
        other.leave();
        ada.leave();
        let after = fs::read_to_string(home.known_people()).unwrap();
        assert!(after.starts_with(&before) && after.len() > before.len());
        before = after;
        let mode = fs::metadata(home.known_people()).unwrap().permissions();
        assert_eq!(mode.mode() & 0o777, 0o600);
    }
}

#[test]
fn damaged_lines_are_told_and_kept_and_swallow_nothing() {
    let relay = Relay::start(&[]);
    let (home, others) = (Home::new(), Home::new());
    let (bobs, bob_is) = others.identity("bob.pem");
    let (carols, carol_is) = others.identity("carol.pem");
    let ada = Client::join_from(&home, relay.address(), "ada", &[]);
    let bob = Client::join(relay.address(), "bob", &["--identity", &bobs]);
    wait_for_joined(&ada, "bob", &bob_is, "new");
    ada.leave();

    // In the middle what is no text, and at the end a line that was cut off.
    let whole = fs::read(home.known_people()).unwrap();
    let mut damaged = b"\xff\xfe nonsense\n\n".to_vec();
    damaged.extend_from_slice(&whole);
    damaged.extend_from_slice(b"1794787200 seen \xff");
    fs::write(home.known_people(), &damaged).unwrap();

    let ada = Client::join_from(&home, relay.address(), "ada", &[]);
    let told = ada.wait_for_line("damage", |line| line.starts_with("! "));
    let path = home.known_people().display().to_string();
    assert!(
        told.contains("3 of the lines") && told.contains(&path),
        "{told}"
    );
    ada.wait_for_line("bob", |line| {
        line.starts_with(&format!("* here: bob {bob_is} (known since 20"))
    });
    let carol = Client::join(relay.address(), "carol", &["--identity", &carols]);
    wait_for_joined(&ada, "carol", &carol_is, "new");
    assert_eq!(ada.leave().code(), Some(0));
    let after = fs::read(home.known_people()).unwrap();
    assert!(after.starts_with(&damaged));
    assert_eq!(after[damaged.len()], b'\n');

    let ada = Client::join_from(&home, relay.address(), "ada", &[]);
    for is in [bob_is, carol_is] {
        ada.wait_for_line("somebody known", |line| {
            line.contains(&format!("{is} (known since 20"))
        });
    }
    assert_eq!(ada.warnings().len(), 1);
    drop((bob, carol));
}

#[test]
fn a_line_cut_off_in_the_fingerprint_accuses_nobody() {
    let relay = Relay::start(&[]);
    let (home, others) = (Home::new(), Home::new());
    let (identity, is) = others.identity("bob.pem");
    let ada = Client::join_from(&home, relay.address(), "ada", &[]);
    let _bob = Client::join(relay.address(), "bob", &["--identity", &identity]);
    wait_for_joined(&ada, "bob", &is, "new");
    ada.leave();
    let whole = fs::read(home.known_people()).unwrap();
    fs::write(home.known_people(), &whole[..whole.len() - 10]).unwrap();
    let ada = Client::join_from(&home, relay.address(), "ada", &[]);
    ada.wait_for_line("bob", |line| {
        line.starts_with(&format!("* here: bob {is} (new"))
    });
    let told = ada.warnings();
    assert!(
        told.len() == 1 && told[0].contains("cannot be read"),
        "{told:#?}"
    );
}

#[test]
fn many_clients_that_write_at_once_lose_nothing() {
    const CLIENTS: usize = 8;
    const OTHERS: [&str; 3] = ["bob", "carol", "dave"];
    let relay = Relay::start(&[]);
    let (home, others) = (Home::new(), Home::new());
    let made: Vec<_> = OTHERS.iter().map(|nick| others.identity(nick)).collect();
    let clients: Vec<Client> = (0..CLIENTS)
        .map(|n| Client::join_from(&home, relay.address(), &format!("ada-{n}"), &[]))
        .collect();
    let _there: Vec<Client> = OTHERS
        .iter()
        .zip(&made)
        .map(|(nick, (path, _))| Client::start(relay.address(), nick, &["--identity", path]))
        .collect();
    for client in &clients {
        for (nick, (_, fingerprint)) in OTHERS.iter().zip(&made) {
            wait_for_joined(client, nick, fingerprint, "new");
        }
    }
    for client in clients {
        assert_eq!(client.warnings(), [""; 0]);
        client.leave();
    }
    let lines = known_people(&home);
    assert_eq!(lines.len(), CLIENTS * OTHERS.len(), "{lines:#?}");
    for (nick, (_, fingerprint)) in OTHERS.iter().zip(&made) {
        let end = format!(" {nick} {fingerprint}");
        let about = lines.iter().filter(|line| line.ends_with(&end)).count();
        assert_eq!(about, CLIENTS, "{nick}: {lines:#?}");
    }
}

#[test]
fn a_file_that_cannot_be_read_is_no_reason_to_trust_everybody() {
    let relay = Relay::start(&[]);
    let home = Home::new();
    let address = relay.address().to_string();
    let path = home.known_people();
    let shown = path.display().to_string();
    // A folder in its place.
    fs::create_dir_all(&path).unwrap();
    let ended = home.run(&["join", &address, "--nick", "ada"]);
    ended.assert_failure(&format!(
        "cannot read {shown}, where the people you know are: is a directory"
    ));
    assert!(path.is_dir());

    fs::remove_dir(&path).unwrap();
    fs::write(&path, "").unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o000)).unwrap();
    // The administrator can read everything.
    if fs::read(&path).is_err() {
        let ended = home.run(&["join", &address, "--nick", "ada"]);
        ended.assert_failure(&format!(
            "cannot read {shown}, where the people you know are: permission denied"
        ));
    }
}

#[test]
fn where_nothing_can_be_written_the_chat_goes_on_with_a_warning() {
    let relay = Relay::start(&[]);
    let (home, others) = (Home::new(), Home::new());
    let (identity, is) = others.identity("bob.pem");
    let path = home.known_people();
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    // Not even the administrator can write there.
    symlink(home.file("no/such/folder"), &path).unwrap();
    let mut ada = Client::join_from(&home, relay.address(), "ada", &[]);
    let mut bob = Client::join(relay.address(), "bob", &["--identity", &identity]);
    wait_for_joined(&ada, "bob", &is, "new");
    let told = ada.wait_for_line("warning", |line| line.starts_with("! "));
    for part in [path.to_str().unwrap(), "bob", "no such file or directory"] {
        assert!(told.contains(part), "no {part}: {told}");
    }
    ada.say("hello");
    bob.wait_for_message("ada", "hello");
    bob.say("hello, ada");
    ada.wait_for_line("answer", |line| is_message(line, "bob", "hello, ada"));
    assert_eq!(ada.leave().code(), Some(0));
}

/// Puts a pipe, and links to devices, where the people are remembered; each is gone after `look`.
fn with_strange_files(path: &Path, mut look: impl FnMut()) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    mkfifo(path, Mode::S_IRWXU).unwrap();
    look();
    fs::remove_file(path).unwrap();
    for device in ["/dev/zero", "/dev/full", "/dev/tty", "/dev/null"] {
        symlink(device, path).unwrap();
        look();
        assert!(path.is_symlink());
        fs::remove_file(path).unwrap();
    }
}

#[test]
fn what_is_no_file_is_refused_at_once_and_left_alone() {
    let relay = Relay::start(&[]);
    let home = Home::new();
    let address = relay.address().to_string();
    let path = home.known_people();
    let shown = path.display();
    let error = format!(
        "cannot read {shown}, where the people you know are: it is not a file, but a pipe or a device"
    );
    with_strange_files(&path, || {
        home.run(&["join", &address, "--nick", "ada"])
            .assert_failure(&error);
    });
}

#[test]
fn what_is_no_file_any_more_keeps_nobody_waiting() {
    let relay = Relay::start(&[]);
    let (home, others) = (Home::new(), Home::new());
    let (identity, _) = others.identity("id.pem");
    let path = home.known_people();
    let mut ada = Client::join_from(&home, relay.address(), "ada", &[]);
    let mut number = 0;
    with_strange_files(&path, || {
        number += 1;
        let nick = format!("bob{number}");
        let bob = Client::join(relay.address(), &nick, &["--identity", &identity]);
        let start = format!("! cannot write down in {} who {nick} is", path.display());
        let told = ada.wait_for_line(&start, |line| line.starts_with(&start));
        assert!(told.contains("not a file, but a pipe"), "{told}");
        ada.say(&format!("hello {number}"));
        bob.wait_for_message("ada", &format!("hello {number}"));
    });
    assert_eq!(ada.leave().code(), Some(0));
}

#[cfg(target_os = "linux")]
#[test]
fn whoever_writes_waits_for_the_lock() {
    use std::io::Write as _;
    use std::os::unix::fs::MetadataExt as _;

    let relay = Relay::start(&[]);
    let (home, others) = (Home::new(), Home::new());
    let (identity, is) = others.identity("bob.pem");
    let path = home.known_people();
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    let mut held = fs::File::create(&path).unwrap();
    held.lock().unwrap();
    held.write_all(b"half a ").unwrap();
    let inode = format!(":{} ", held.metadata().unwrap().ino());
    let is_waiting = || {
        let locks = fs::read_to_string("/proc/locks").unwrap();
        let mut lines = locks.lines();
        lines.any(|line| line.contains("-> FLOCK") && line.contains(&inode))
    };

    let ada = Client::join_from(&home, relay.address(), "ada", &[]);
    let bob = Client::join(relay.address(), "bob", &["--identity", &identity]);
    wait_for(
        || is_waiting().then_some(()),
        || "nobody waits for the lock".to_owned(),
    );
    assert_eq!(known_people(&home), ["half a "]);
    held.write_all(b"line\n").unwrap();
    drop(held);
    wait_for_joined(&ada, "bob", &is, "new");
    let lines = known_people(&home);
    assert_eq!(lines.len(), 2, "{lines:#?}");
    assert_eq!(lines[0], "half a line");
    assert!(lines[1].ends_with(&format!(" bob {is}")), "{lines:#?}");
    drop(bob);
}

#[test]
fn an_impostor_is_noticed_however_the_address_of_the_relay_is_spelled() {
    let relay = Relay::start(&[]);
    let port = relay.address().port();
    let (home, others) = (Home::new(), Home::new());
    let (first, _) = others.identity("first.pem");
    let (second, _) = others.identity("second.pem");
    let ada = Client::join_from(&home, relay.address(), "ada", &[]);
    let bob = Client::join(relay.address(), "bob", &["--identity", &first]);
    ada.meets("bob");
    assert_eq!(bob.leave().code(), Some(0));
    assert_eq!(ada.leave().code(), Some(0));
    let bob = Client::join(relay.address(), "bob", &["--identity", &second]);
    let ways = [
        "127.0.0.1",
        "127.1",
        "127.0.1",
        "2130706433",
        "0x7f.1",
        "0177.0.0.1",
        "127.0.0.1.",
        "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]",
    ];
    let impostor_at = |host: &str| {
        let mut command = home.e2echat();
        command.args(["join", &format!("{host}:{port}"), "--nick", "ada"]);
        let ada = Client::start_command(&mut command);
        ada.wait_for_line(host, |line| {
            line.starts_with("! THE IDENTITY OF bob HAS CHANGED")
        });
        assert_eq!(ada.leave().code(), Some(0));
    };
    for host in ways {
        impostor_at(host);
    }
    // What an earlier version has written is read the same way.
    let known = fs::read_to_string(home.known_people()).unwrap();
    for host in ways {
        let older = known.replace("127.0.0.1:", &format!("{host}:"));
        fs::write(home.known_people(), older).unwrap();
        impostor_at("127.0.0.1");
    }
    drop(bob);
}

#[test]
fn an_address_may_have_a_zone_in_join_in_bind_and_in_a_proxy() {
    // Each system with IPv6 has this one, and each with a network one of its link.
    let zones = fs::read_to_string("/proc/net/if_inet6").unwrap_or_default();
    let fields: Vec<Vec<&str>> = zones
        .lines()
        .map(|line| line.split_whitespace().collect())
        .collect();
    let Some([ip, .., zone]) = fields
        .iter()
        .find(|it| it[0].starts_with("fe80"))
        .map(Vec::as_slice)
    else {
        return println!("skipped: no interface has an address of its link");
    };
    let groups: Vec<&str> = (0..8).map(|group| &ip[4 * group..4 * group + 4]).collect();
    let place = format!("{}%{zone}", groups.join(":"));
    let relay = Relay::start_with(&["--bind", &place, "--port", "0"]);
    let port = relay.address().port();
    let at = format!("[{place}]:{port}");
    let ada = Client::start_at(&at, "ada", &[]);
    ada.wait_for_roster();
    let proxy = format!("socks5://[{place}]:1");
    let refused = Client::start_at(&at, "bob", &["--proxy", &proxy]).ended();
    let shown = refused.stderr.first().expect("an error");
    assert!(
        shown.starts_with("e2echat: error: cannot connect to the proxy [fe80::"),
        "{shown}"
    );
    assert!(
        shown.ends_with(&format!("%{zone}]:1: connection refused")),
        "{shown}"
    );
}

#[test]
fn a_file_of_known_people_that_others_may_write_is_closed_to_them() {
    let relay = Relay::start(&[]);
    let home = Home::new();
    let path = home.known_people();
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    for (mode, closed) in [
        (0o666, 0o600),
        (0o620, 0o600),
        (0o602, 0o600),
        (0o644, 0o600),
        (0o640, 0o600),
        (0o400, 0o400),
    ] {
        fs::write(&path, "").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        let ada = Client::join_from(&home, relay.address(), "ada", &[]);
        assert_eq!(ada.leave().code(), Some(0));
        let now = fs::metadata(&path).unwrap().permissions().mode() & 0o777;
        assert_eq!(now, closed, "{mode:o}");
    }
}

/// A file that can grow no further stands for a full disk.
#[test]
fn a_full_disk_is_told_once_and_the_exit_status_says_it() {
    let relay = Relay::start(&[]);
    let (home, others) = (Home::new(), Home::new());
    let (identity, _) = others.identity("id.pem");
    let path = home.known_people();
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    let full = "#\n".repeat(600);
    fs::write(&path, &full).unwrap();
    let mut shell = Command::new("sh");
    home.isolate(&mut shell);
    shell
        .args(["-c", r#"trap '' XFSZ; ulimit -f 1; exec "$0" "$@""#])
        .arg(tested_program())
        .args(["join", &relay.address().to_string(), "--nick", "ada"]);
    let ada = Client::start_command(&mut shell);
    ada.wait_for_roster();
    let end = "a change would not be noticed the next time: file too large";
    for nick in ["bob", "carol", "dave"] {
        let other = Client::join(relay.address(), nick, &["--identity", &identity]);
        ada.meets(nick);
        assert_eq!(other.leave().code(), Some(0));
        let left = format!("* {nick} left");
        ada.wait_for_line(&left, |line| line == left);
    }
    let ended = ada.leave();
    ended.assert_failure("not everything was written down");
    let told: Vec<usize> = (0..ended.stdout.len())
        .filter(|at| ended.stdout[*at].starts_with('!') && ended.stdout[*at].ends_with(end))
        .collect();
    let joined = ended
        .stdout
        .iter()
        .position(|line| line.starts_with("* bob joined "));
    assert_eq!(told.len(), 1, "{ended:#?}");
    assert!(joined.is_some_and(|joined| joined < told[0]), "{ended:#?}");
    assert_eq!(fs::read_to_string(&path).unwrap(), full);
}
