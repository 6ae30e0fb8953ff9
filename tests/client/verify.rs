//! How people make sure of each other, at their terminals.

use std::fs;

use e2echat::room::chain::EntryKind;
use e2echat::room::frame::{MAX_FRAME, ToClient};
use e2echat::room::names::RoomName;
use e2echat::room::stream::read_frame;

use crate::support::peer::Member;
use crate::support::process::{Client, Home, Relay, wait_for};
use crate::support::proxy::Proxy;
use crate::support::screen::Screen;

/// A row of digits, twelve groups of five.
fn is_digits(row: &str) -> bool {
    let groups: Vec<&str> = row.trim_start_matches("| ").split(' ').collect();
    let is_group = |group: &&str| group.len() == 5 && group.bytes().all(|b| b.is_ascii_digit());
    row.starts_with("| ") && groups.len() == 12 && groups.iter().all(is_group)
}

/// The digits that a command shows. It is the first that shows any.
#[track_caller]
fn first_digits(screen: &mut Screen, command: &str) -> String {
    screen.enter(command);
    let row = screen.wait_for_row("digits", is_digits);
    row.trim_start_matches("| ").to_owned()
}

/// The same but for one digit in the middle.
fn changed(digits: &str) -> String {
    let mut changed = digits.to_owned();
    let other = if digits.get(36..37) == Some("7") {
        "8"
    } else {
        "7"
    };
    changed.replace_range(36..37, other);
    assert_ne!(changed, digits);
    changed
}

/// Types `/names` and waits until somebody is described like this in the latest answer.
#[track_caller]
fn wait_for_standing(screen: &mut Screen, nick: &str, about: &str) {
    screen.enter("/names");
    let start = format!("* here: {nick} SHA256:");
    let about = format!(" ({about}");
    screen.wait_for("standing", |shown| {
        let last = shown.lines().rfind(|row| row.starts_with(&start));
        last.is_some_and(|row| row.contains(&about))
    });
}

#[track_caller]
fn wait_for_joined(screen: &Screen, nick: &str) {
    let joined = format!("* {nick} joined ");
    screen.wait_for_row(&joined, |row| row.starts_with(&joined));
}

#[test]
fn both_sides_see_the_same_digits_and_mark_each_other() {
    let relay = Relay::start(&[]);
    let address = relay.address().to_string();
    let (adas, bobs) = (Home::new(), Home::new());
    let saved = adas.run(&["keygen"]).code();
    assert_eq!((saved, bobs.run(&["keygen"]).code()), (Some(0), Some(0)));
    let mut ada = Screen::join(&adas, &address, "ada", &[]);
    let mut bob = Screen::join(&bobs, &address, "bob", &[]);
    wait_for_joined(&ada, "bob");
    let carol = Client::join(relay.address(), "carol", &[]);
    wait_for_joined(&ada, "carol");

    let digits = first_digits(&mut ada, "/verify bob");
    assert_eq!(first_digits(&mut bob, "/verify ADA"), digits);
    ada.wait_for_row("what to do", |row| {
        row.starts_with("| ") && row.ends_with("If it is the same, type it after /verify bob")
    });

    // One digit is wrong, or one is missing, or there is none.
    let no_spaces = digits.replace(' ', "");
    for (wrong, warning) in [
        (
            changed(&digits).as_str(),
            "! the numbers differ: ada is NOT verified",
        ),
        (
            &no_spaces[1..],
            "? that has 59 digits, and the number has 60: ",
        ),
        ("yes", "? there is no digit in that: "),
    ] {
        bob.enter(&format!("/verify ada {wrong}"));
        bob.wait_for_row(warning, |row| row.starts_with(warning));
    }
    wait_for_standing(&mut bob, "ada", "new");

    ada.enter(&format!("/verify bob {no_spaces}"));
    ada.wait_for_row("success", |row| row == "* bob is verified");
    wait_for_standing(&mut ada, "bob", "verified, known since 20");
    wait_for_standing(&mut ada, "carol", "for this stay only");
    bob.enter(&format!("/verify ada {digits}"));
    bob.wait_for_row("success", |row| row == "* ada is verified");
    ada.enter("/quit");
    assert!(ada.wait_exit().success());
    bob.enter("/quit");
    assert!(bob.wait_exit().success());

    // It is remembered.
    let words: Vec<String> = fs::read_to_string(adas.known_people())
        .unwrap()
        .lines()
        .map(|line| line.split(' ').nth(1).unwrap().to_owned())
        .collect();
    assert_eq!(words, ["seen", "verified"]);
    let ada = Client::join_from(&adas, relay.address(), "ada", &[]);
    let bob = Client::join_from(&bobs, relay.address(), "bob", &[]);
    ada.wait_for_line("bob", |line| {
        line.starts_with("* bob joined ") && line.contains(" (verified, known since 20")
    });
    bob.wait_for_line("ada", |line| {
        line.starts_with("* here: ada ") && line.contains(" (verified, known since 20")
    });
    drop(carol);
}

#[test]
fn an_identity_for_one_run_is_verified_for_this_stay() {
    let relay = Relay::start(&[]);
    let address = relay.address().to_string();
    let home = Home::new();
    let mut ada = Screen::join(&home, &address, "ada", &[]);
    let bob = Client::join(relay.address(), "bob", &[]);
    wait_for_joined(&ada, "bob");
    let digits = first_digits(&mut ada, "/verify bob");
    ada.enter(&format!("/verify bob {digits}"));
    ada.wait_for_row("success", |row| {
        row.starts_with("* bob is verified for this stay")
    });
    wait_for_standing(&mut ada, "bob", "verified for this stay only");
    ada.enter("/quit");
    assert!(ada.wait_exit().success());
    bob.leave();
    // The next one of this name is no impostor.
    let ada = Client::join_from(&home, relay.address(), "ada", &[]);
    let _bob = Client::join(relay.address(), "bob", &[]);
    ada.wait_for_line("bob", |line| {
        line.starts_with("* bob joined ") && line.contains(" (for this stay only")
    });
    assert_eq!(ada.warnings(), [""; 0]);
}

#[test]
fn one_code_is_for_the_whole_room() {
    let relay = Relay::start(&[]);
    let address = relay.address().to_string();
    let homes = [Home::new(), Home::new(), Home::new()];
    let nicks = ["ada", "bob", "carol"];
    let mut screens: Vec<Screen> = Vec::new();
    for (home, nick) in homes.iter().zip(nicks) {
        assert_eq!(home.run(&["keygen"]).code(), Some(0));
        let newcomer = Screen::join(home, &address, nick, &[]);
        for there in &screens {
            wait_for_joined(there, nick);
        }
        screens.push(newcomer);
    }
    let codes: Vec<String> = screens
        .iter_mut()
        .map(|screen| first_digits(screen, "/code"))
        .collect();
    assert!(codes.iter().all(|code| *code == codes[0]), "{codes:#?}");
    for screen in &screens {
        screen.wait_for_row("whom it is for", |row| {
            row.ends_with("you see this code, which is for ada, bob, carol:")
        });
    }

    let [ada, bob, _] = screens.as_mut_slice() else {
        panic!("three");
    };
    ada.enter(&format!("/code {}", changed(&codes[0])));
    ada.wait_for_row("warning", |row| {
        row.starts_with("! the codes differ: nobody is verified.")
    });
    wait_for_standing(ada, "bob", "new");
    ada.enter(&format!("/code {}", codes[0].replace(' ', "")));
    for nick in ["bob", "carol"] {
        ada.wait_for_row("success", |row| row == format!("* {nick} is verified"));
        wait_for_standing(ada, nick, "verified, known since 20");
    }

    // With one more it is another one, and the old one marks nobody.
    let _dave = Client::join(relay.address(), "dave", &[]);
    wait_for_joined(bob, "dave");
    bob.enter(&format!("/code {}", codes[0]));
    bob.wait_for_row("warning", |row| {
        row.starts_with("! the codes differ: nobody is verified.")
    });
    bob.enter("/code");
    bob.wait_for_row("another code", |row| {
        is_digits(row) && row != format!("| {}", codes[0])
    });
    bob.wait_for_row("whom it is for", |row| {
        row.ends_with("which is for ada, bob, carol, dave:")
    });
}

#[test]
fn a_code_for_one_alone_is_none() {
    let relay = Relay::start(&[]);
    let mut ada = Screen::join(&Home::new(), &relay.address().to_string(), "ada", &[]);
    ada.enter("/code");
    ada.wait_for("that nobody is here", |shown| {
        shown.matches("* nobody else is here yet").count() == 2
    });
}

#[test]
fn whom_only_the_relay_asserts_is_told_by_names_and_nobody_else() {
    let relay = Relay::start(&[]);
    let mut ada = Screen::join(&Home::new(), &relay.address().to_string(), "ada", &[]);
    let _bob = Client::join(relay.address(), "bob", &[]);
    wait_for_joined(&ada, "bob");
    // It is in the room, and signs nothing but its card.
    let _silent = Member::join(relay.address(), "silent", 0);
    wait_for_joined(&ada, "silent");
    ada.enter("/names");
    ada.wait_for_row("who has not been heard", |row| {
        row == "* of silent nothing signed has come lately that shows that they see you: only the relay says that they are here"
    });
    ada.enter("/whois silent");
    ada.wait_for_row("the same", |row| {
        row == "| nothing signed has come lately that shows that silent sees you: only the relay says that silent is here"
    });
    let about = |start: &str| ada.wait_for_row(start, |row| row.starts_with(start));
    assert!(about("* bob joined ").ends_with(" (for this stay only)"));
    assert!(about("* here: silent ").ends_with(" (for this stay only)"));
    ada.enter("/whois bob");
    ada.wait_for_row("that bob is there", |row| row.starts_with("| last heard "));
}

#[test]
fn at_the_first_meeting_it_is_said_once_how_to_make_sure_of_somebody() {
    const ADVICE: &str = "* to make sure that nobody is posing as ";
    let relay = Relay::start(&[]);
    let address = relay.address().to_string();
    let (adas, bobs) = (Home::new(), Home::new());
    let (identity, _) = bobs.identity("bob.pem");
    let ada = Screen::join(&adas, &address, "ada", &[]);
    let bob = Client::join(relay.address(), "bob", &["--identity", &identity]);
    let advice = ada.wait_for_row("advice", |row| row.starts_with(ADVICE));
    assert!(
        advice.ends_with("as bob, whom you meet for the first time, type /verify bob"),
        "{advice}"
    );
    let carol = Client::join(relay.address(), "carol", &[]);
    carol.wait_for_roster();
    wait_for_joined(&ada, "carol");
    // Whoever meets two at once compares the code.
    let dave = Screen::join(&Home::new(), &address, "dave", &[]);
    wait_for_joined(&ada, "dave");
    let advice = dave.wait_for_row("advice", |row| row.starts_with(ADVICE));
    assert!(advice.contains("as ada or bob or carol, "), "{advice}");
    assert!(advice.ends_with(", type /code"), "{advice}");
    assert_eq!(ada.contents().matches(ADVICE).count(), 1);
    drop((ada, dave));
    for left in ["* ada left", "* dave left"] {
        bob.wait_for_line(left, |line| line == left);
    }

    // Who is known, or can only have come by an invite, needs no such advice.
    carol.leave();
    let ada = Screen::join(&adas, &address, "ada", &[]);
    ada.wait_for_row("bob, known", |row| {
        row.starts_with("* here: bob ") && row.contains("known")
    });
    assert!(!ada.contents().contains(ADVICE));
    let room = RoomName::invite().to_string();
    let ada = Screen::join(&adas, &address, "ada", &["--room", &room]);
    let _bob = Client::join(relay.address(), "bob", &["--room", &room]);
    wait_for_joined(&ada, "bob");
    assert!(!ada.contents().contains(ADVICE));
}

#[test]
fn whom_one_does_not_know_one_gets_to_know_with_trust_or_verify() {
    let relay = Relay::start(&[]);
    let address = relay.address();
    let (home, others) = (Home::new(), Home::new());
    let (bobs, bob_is) = others.identity("bob.pem");
    let (carols, _) = others.identity("carol.pem");
    let only_known = ["--only-known"];
    let mut ada = Screen::join(&home, &address.to_string(), "ada", &only_known);
    let advice = |screen: &Screen, nick: &str, option: &str, command: &str| {
        let expected = format!(
            "* nothing that you write goes to {nick}, as you asked with {option}; to change that, type {command}"
        );
        screen.wait_for_row(&expected, |row| row == expected);
    };
    let bob = Client::join(address, "bob", &["--identity", &bobs]);
    let row = ada.wait_for_row("bob", |row| row.starts_with("* bob joined "));
    assert!(row.ends_with(" (new, gets no messages)"), "{row}");
    advice(&ada, "bob", "--only-known", "/verify bob or /trust bob");
    let carol = Client::join(address, "carol", &["--identity", &carols]);
    advice(
        &ada,
        "carol",
        "--only-known",
        "/verify carol or /trust carol",
    );

    ada.enter("/trust bob");
    ada.wait_for_row("whom to ask", |row| {
        row.starts_with("* ask bob, on the telephone")
    });
    ada.enter("/trust bob AAAAAA");
    ada.wait_for_row("refusal", |row| row.starts_with("? nothing is accepted: "));
    ada.enter(&format!("/trust bob {}", &bob_is[bob_is.len() - 10..]));
    ada.wait_for_row("acceptance", |row| {
        row == format!("* bob is known by {bob_is} now")
    });
    let digits = first_digits(&mut ada, "/verify carol");
    ada.enter(&format!("/verify carol {digits}"));
    ada.wait_for_row("success", |row| row == "* carol is verified");
    ada.enter("to both");
    bob.wait_for_message("ada", "to both");
    carol.wait_for_message("ada", "to both");
    ada.enter("/quit");
    assert!(ada.wait_exit().success());

    // It is remembered, with the option and without.
    let mut ada = Screen::join(&home, &address.to_string(), "ada", &only_known);
    ada.enter("/names");
    ada.wait_for_row("bob", |row| {
        row.starts_with(&format!("* here: bob {bob_is} (known since "))
    });
    ada.wait_for_row("carol", |row| row.contains("(verified, known since "));
    ada.enter("/quit");
    assert!(ada.wait_exit().success());

    // Nobody is verified by the end of a fingerprint.
    let mut ada = Screen::join(&home, &address.to_string(), "ada", &["--only-verified"]);
    advice(&ada, "bob", "--only-verified", "/verify bob");
    ada.enter(&format!("/trust bob {}", &bob_is[bob_is.len() - 10..]));
    ada.wait_for_row("what helps", |row| {
        row == "* the identity of bob has not changed; /verify bob makes sure of it"
    });
}

#[test]
fn only_people_who_are_known_can_read() {
    let relay = Relay::start(&[]);
    let address = relay.address();
    let (home, others) = (Home::new(), Home::new());
    let made: Vec<String> = ["bob", "carol"]
        .iter()
        .map(|nick| others.identity(nick).0)
        .collect();
    let with = |index: usize| ["--identity", made[index].as_str()];

    let ada = Client::join_from(&home, address, "ada", &[]);
    let bob = Client::join(address, "bob", &with(0));
    ada.wait_for_line("bob", |line| line.starts_with("* bob joined "));
    assert_eq!(ada.leave().code(), Some(0));
    bob.wait_for_line("departure", |line| line == "* ada left");

    let mut ada = Screen::join(&home, &address.to_string(), "ada", &["--only-known"]);
    // Who comes, goes and comes again is still somebody new.
    for time in 1..=2 {
        let carol = Client::join(address, "carol", &with(1));
        ada.wait_for("carol", |shown| {
            shown.matches("\n* carol joined ").count() == time
        });
        let text = format!("for those whom I know, {time}");
        ada.enter(&text);
        bob.wait_for_message("ada", &text);
        carol.wait_for_line("that she is left out", |line| {
            line.ends_with("left you out: it is only for those who were here before")
        });
        ada.wait_for("that one is left out", |shown| {
            shown.matches("\n* 1 can read this, 1 left out").count() == time
        });
        let heard = carol.leave();
        assert!(
            !heard.stdout.join("\n").contains("for those whom"),
            "{heard:#?}"
        );
        ada.wait_for("departure", |shown| {
            shown.matches("\n* carol left").count() == time
        });
    }
    let carol = Client::join(address, "carol", &with(1));
    ada.wait_for("carol", |shown| {
        shown.matches("\n* carol joined ").count() == 3
    });
    let digits = first_digits(&mut ada, "/verify carol");
    ada.enter(&format!("/verify carol {digits}"));
    ada.enter("and for carol");
    carol.wait_for_message("ada", "and for carol");
    bob.wait_for_message("ada", "and for carol");
    // He has seen that she was left out, and is not told it at every message.
    let told = bob.lines();
    let notice = "* ada leaves out carol, who cannot read what follows";
    let position = |end: &str| told.iter().position(|line| line.ends_with(end));
    assert!(position(notice).unwrap() < position("whom I know, 1").unwrap());
    let times = told.iter().filter(|line| *line == notice).count();
    assert_eq!(times, 1, "{told:#?}");
    assert_eq!(bob.warnings(), [""; 0]);
    assert_eq!(carol.warnings(), [""; 0]);
}

#[test]
fn only_people_who_are_verified_can_read() {
    let relay = Relay::start(&[]);
    let address = relay.address();
    let (home, others) = (Home::new(), Home::new());
    let (identity, _) = others.identity("bob.pem");
    let met = Client::join_from(&home, address, "ada", &[]);
    let mut bob = Client::join(address, "bob", &["--identity", &identity]);
    met.wait_for_line("bob", |line| line.starts_with("* bob joined "));
    met.leave();

    let mut ada = Screen::join(&home, &address.to_string(), "ada", &["--only-verified"]);
    bob.wait_for_line("ada", |line| line.starts_with("* ada joined "));
    ada.enter("to nobody yet");
    bob.wait_for_line("that he is left out", |line| {
        line.ends_with("left you out: it is only for those who are verified")
    });
    ada.wait_for_row("that nobody reads it", |row| {
        row.starts_with("* 0 can read this, 1 left out")
    });
    // The others are heard all the same.
    bob.say("why not me?");
    ada.wait_for("question", |shown| shown.contains("<bob> why not me?"));
    let digits = first_digits(&mut ada, "/verify bob");
    ada.enter(&format!("/verify bob {digits}"));
    ada.wait_for_row("success", |row| row == "* bob is verified");
    ada.enter("to you");
    bob.wait_for_message("ada", "to you");
    assert!(!bob.lines().iter().any(|line| line.contains("to nobody")));
    assert_eq!(bob.warnings(), [""; 0]);
}

#[test]
fn fingerprints_of_oneself_of_others_and_of_nobody() {
    let relay = Relay::start(&[]);
    let home = Home::new();
    let mut ada = Screen::join(&home, &relay.address().to_string(), "ada", &[]);
    let bob = Client::join(relay.address(), "bob", &[]);
    wait_for_joined(&ada, "bob");
    let you_are = bob.wait_for_line("own", |line| line.starts_with("* you are bob "));
    let of_bob = you_are.trim_start_matches("* you are bob ");
    ada.enter("/names");
    let own = ada.wait_for_row("own", |row| row.starts_with("* you are ada SHA256:"));
    ada.enter("/fingerprint");
    ada.wait_for("own again", |shown| shown.matches(&own).count() == 2);
    ada.enter("/fingerprint B0B");
    ada.wait_for_row("bob's", |row| {
        row.starts_with(&format!("* bob {of_bob} (for this"))
    });
    for (command, answer) in [
        (
            "/fingerprint eve",
            "? nobody here is called eve; /names shows who is here",
        ),
        (
            "/verify <eve>",
            "? nobody here is called <eve>; /names shows who is here",
        ),
        (
            "/trust mallory abcdef",
            "? nobody here is called mallory; /names shows who is here",
        ),
        (
            "/fingerprint ada",
            "? that is you; your own fingerprint is what /fingerprint shows",
        ),
        ("/verify", "? it is used like this: /verify NICK [DIGITS]"),
        ("/trust", "? it is used like this: /trust NICK [END]"),
        (
            "/trust bob abcdef",
            "* the identity of bob has not changed; /verify bob makes sure of it",
        ),
    ] {
        ada.enter(command);
        ada.wait_for_row(command, |row| row == answer);
    }
    let heard = bob.leave().stdout.join("\n");
    assert!(!heard.contains("<ada>"), "no command is a message: {heard}");
}

#[test]
fn the_audit_is_empty_where_all_is_well_and_keeps_alarms_with_their_time() {
    let relay = Relay::start(&[]);
    let home = Home::new();
    let mut ada = Screen::join(&home, &relay.address().to_string(), "ada", &[]);
    let _bob = Client::join(relay.address(), "bob", &[]);
    wait_for_joined(&ada, "bob");
    ada.enter("/nonsense");
    ada.enter("/audit");
    ada.wait_for_row("that nothing happened", |row| {
        row == "* nothing went wrong so far"
    });
    let number = "12345 ".repeat(12);
    ada.enter("/verify bob 12345");
    ada.wait_for_row("mistake", |row| row.starts_with("? that has 5 digits"));
    ada.enter(&format!("/verify bob {number}"));
    let alarm = ada.wait_for_row("alarm", |row| row.starts_with("! the numbers differ"));
    ada.enter("/audit");
    let kept = alarm.trim_start_matches("! ");
    let row = ada.wait_for_row("the same in the audit", |row| {
        row.starts_with("| ") && row.ends_with(kept)
    });
    let time = row.trim_start_matches("| ").split(' ').next().unwrap();
    let form: String = time
        .chars()
        .map(|c| if c.is_ascii_digit() { '0' } else { c })
        .collect();
    assert_eq!(form, "00:00:00", "{row}");
    // Whoever can raise one alarm without end does not drive out the others.
    ada.enter(&format!("/verify bob {number}"));
    ada.enter("/audit");
    ada.wait_for_row("both in one row", |row| {
        row.starts_with("| ") && row.ends_with(&format!(" (2 times) {kept}"))
    });
}

#[test]
fn a_new_session_key_in_the_middle_of_a_conversation_disturbs_nobody() {
    // A second change would have to wait until the old key is destroyed.
    const REKEYS: usize = 1;
    const LINES: usize = 60;
    let relay = Relay::start(&[]);
    let proxy = Proxy::start(relay.address());
    let home = Home::new();
    let mut bob = Client::join(proxy.address(), "bob", &[]);
    let mut ada = Screen::join(&home, &relay.address().to_string(), "ada", &[]);
    bob.wait_for_line("ada", |line| line.starts_with("* ada joined "));
    // Both talk at once, so words cross: what that looks like is explained once.
    let is_notice = |line: &&String| line.starts_with('*') && !line.starts_with("* the ~ says: ");
    let notices = |lines: Vec<String>| lines.iter().filter(is_notice).count();
    let before = notices(bob.lines());
    let rekeys = || {
        let mut stream = &proxy.recordings()[0].to_client[..];
        let mut count = 0;
        while let Ok(frame) = read_frame(&mut stream, MAX_FRAME) {
            let frame = ToClient::parse(&frame).expect("a relay's frame");
            let is_rekey = |kind| kind == EntryKind::Rekeyed;
            count += usize::from(matches!(frame, ToClient::Entry { kind, .. } if is_rekey(kind)));
        }
        count
    };
    // Both talk while each key changes: nobody waits for it.
    for round in 0..REKEYS {
        ada.enter("/rekey");
        for line in round * LINES..(round + 1) * LINES {
            bob.say(&format!("from bob {line}."));
            ada.enter(&format!("from ada {line}."));
        }
        wait_for(
            || (rekeys() == round + 1).then_some(()),
            || format!("no new key in round {round}"),
        );
        // The relay passes messages to the key before, and to none before that.
        let last = (round + 1) * LINES - 1;
        bob.wait_for_message("ada", &format!("from ada {last}."));
        let bobs_last = format!("<bob> from bob {last}.");
        wait_for(
            || {
                ada.transcript()
                    .iter()
                    .any(|row| row.ends_with(&bobs_last))
                    .then_some(())
            },
            || format!("no {bobs_last} in {:#?}", ada.transcript()),
        );
    }
    bob.say("the end of bob");
    ada.enter("the end of ada");
    bob.wait_for_message("ada", "the end of ada");
    ada.wait_for("end", |shown| shown.contains("<bob> the end of bob"));

    let numbers = |rows: Vec<String>, author: &str| -> Vec<usize> {
        let said = format!(" <{author}> from {author} ");
        rows.iter()
            .filter_map(|row| row.split_once(&said))
            .map(|(_, number)| number.trim_end_matches('.').parse().unwrap())
            .collect()
    };
    let all: Vec<usize> = (0..REKEYS * LINES).collect();
    assert_eq!(numbers(bob.lines(), "ada"), all);
    let odd: Vec<String> = ada
        .transcript()
        .into_iter()
        .filter(|row| row.starts_with(['!', '?', '*']))
        .collect();
    assert_eq!(numbers(ada.transcript(), "bob"), all, "{odd:#?}");
    assert_eq!(numbers(ada.transcript(), "ada"), all);
    assert_eq!(bob.warnings(), [""; 0]);
    assert_eq!(notices(bob.lines()), before, "{:#?}", bob.lines());
    ada.enter("/audit");
    ada.wait_for_row("that nothing happened", |row| {
        row == "* nothing went wrong so far"
    });
}
