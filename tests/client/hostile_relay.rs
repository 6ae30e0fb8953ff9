//! Real clients at a relay that misbehaves: what their users are told.

use std::net::SocketAddr;
use std::sync::Mutex;

use e2echat::room::names::RoomName;

use crate::support::hostile::{Attack, HostileRelay};
use crate::support::process::{Client, Home, wait_for};
use crate::support::screen::Screen;

fn relay(attack: Attack) -> SocketAddr {
    HostileRelay::start(attack, 0, |_| ()).expect("a free port")
}

#[track_caller]
fn wait_for_warning(client: &Client, words: &str) {
    client.wait_for_line(words, |line| line.starts_with("! ") && line.contains(words));
}

#[test]
fn keys_swapped_in_an_invite_room_are_not_believed() {
    let room = RoomName::invite().to_string();
    let options = ["--room", room.as_str()];
    let relay = relay(Attack::SwapKeys);
    let mut ada = Client::join(relay, "ada", &options);
    let bob = Client::join(relay, "bob", &options);
    for client in [&ada, &bob] {
        wait_for_warning(client, "does not know the name of the room");
    }
    // Nobody is there to read it.
    ada.say("secret");
    ada.wait_for_line("so nobody reads this", |line| {
        line.contains("nobody reads this")
    });
    assert!(
        bob.lines()
            .iter()
            .any(|line| line == "* nobody else is here yet")
    );
}

#[test]
fn keys_of_a_known_person_swapped_in_the_lobby_are_noticed_and_get_nothing() {
    let relay = relay(Attack::SwapKeys);
    let home = Home::new();
    let folder = home.path().join("data").join("e2echat");
    std::fs::create_dir_all(&folder).unwrap();
    let room = {
        use base64::Engine as _;
        base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(RoomName::lobby().id().0)
    };
    let known = format!(
        "1794787200 seen {relay} {room} bob SHA256:{}\n",
        "A".repeat(43)
    );
    std::fs::write(folder.join("known-people"), known).unwrap();
    let mut command = home.e2echat();
    command.args(["join", &relay.to_string(), "--nick", "ada"]);
    let mut ada = Client::from_command(&mut command, home);
    ada.wait_for_line("roster", |line| line == "* nobody else is here yet");
    let _bob = Client::join(relay, "bob", &[]);
    wait_for_warning(&ada, "THE IDENTITY OF bob HAS CHANGED");
    ada.say("secret");
    ada.wait_for_line("left out", |line| {
        line.contains("0 can read this, 1 left out")
    });
}

/// The digits that a command shows.
#[track_caller]
fn digits(screen: &mut Screen, command: &str, what: &str) -> String {
    screen.enter(command);
    let is_digits = |row: &str| {
        row.strip_prefix("| ")
            .is_some_and(|row| row.bytes().all(|b| b.is_ascii_digit() || b == b' '))
    };
    let shown = screen.wait_for("digits", |shown| {
        let after = shown.split_once(what).map(|(_, after)| after);
        after.is_some_and(|after| after.lines().any(is_digits))
    });
    let after = shown.split_once(what).map_or("", |(_, after)| after);
    let row = after.lines().find(|row| is_digits(row)).unwrap_or_default();
    row.trim_start_matches("| ").to_owned()
}

#[test]
fn keys_swapped_from_the_start_in_the_lobby_show_in_nothing_but_the_digits() {
    static READ: Mutex<Vec<String>> = Mutex::new(Vec::new());
    let read = |text: &str| READ.lock().expect("nobody panics").push(text.to_owned());
    let relay = HostileRelay::start(Attack::SwapKeys, 0, read).expect("a free port");
    let address = relay.to_string();
    let (adas, bobs) = (Home::new(), Home::new());
    for home in [&adas, &bobs] {
        assert_eq!(home.run(&["keygen"]).code(), Some(0));
    }
    let mut ada = Screen::join(&adas, &address, "ada", &[]);
    let mut bob = Screen::join(&bobs, &address, "bob", &[]);
    for (screen, other) in [(&ada, "bob"), (&bob, "ada")] {
        screen.wait_for_row("room", |row| {
            row == format!("* room lobby at {address}: anybody who guesses this name can enter")
        });
        screen.wait_for_row("what to do about it", |row| {
            row.starts_with(&format!(
                "* to make sure that nobody is posing as {other}, "
            )) && row.ends_with(&format!(", type /verify {other}"))
        });
    }

    // They talk, and each sees what the other says.
    ada.enter("the key is under the mat");
    bob.wait_for("message", |shown| {
        shown.contains("<ada> the key is under the mat")
    });
    bob.enter("which mat?");
    ada.wait_for("answer", |shown| shown.contains("<bob> which mat?"));
    let read = || READ.lock().expect("nobody panics").clone();
    wait_for(
        || (read() == ["the key is under the mat", "which mat?"]).then_some(()),
        || format!("the relay has read {:#?}", read()),
    );

    let adas_digits = digits(&mut ada, "/verify bob", "both of you see this number:");
    let bobs_digits = digits(&mut bob, "/verify ada", "both of you see this number:");
    assert_ne!(adas_digits, bobs_digits);
    let covered = "see this code, which is for ada, bob:";
    let adas_code = digits(&mut ada, "/code", covered);
    let bobs_code = digits(&mut bob, "/code", covered);
    assert_ne!(adas_code, bobs_code);
    for screen in [&ada, &bob] {
        let shown = screen.contents();
        assert!(!shown.contains("\n! "), "{shown}");
    }
    // Whoever does as they are told is warned.
    ada.enter(&format!("/verify bob {bobs_digits}"));
    ada.wait_for_row("alarm", |row| {
        row.starts_with("! the numbers differ: bob is NOT verified") && row.contains("posing as")
    });
    bob.enter(&format!("/code {adas_code}"));
    bob.wait_for_row("alarm", |row| {
        row.starts_with("! the codes differ: nobody is verified") && row.contains("posing as")
    });
}

#[test]
fn a_last_message_that_is_dropped_is_missed_at_the_goodbye() {
    let relay = relay(Attack::DropLast);
    let mut ada = Client::join(relay, "ada", &[]);
    let bob = Client::join(relay, "bob", &[]);
    ada.wait_for_line("bob", |line| line.starts_with("* bob joined"));
    ada.say("one");
    ada.say("two");
    bob.wait_for_message("ada", "one");
    assert_eq!(ada.leave().code(), Some(0));
    // He was shown fewer entries than she has seen.
    wait_for_warning(&bob, "the relay shows ada and you different things");
    bob.wait_for_line("goodbye", |line| line == "* ada left");
}

#[test]
fn a_forged_goodbye_and_a_card_of_one_who_is_gone() {
    // A relay cannot say that somebody has said goodbye: only that a connection is lost.
    let forging = relay(Attack::ForgeLeave);
    let ada = Client::join(forging, "ada", &[]);
    let bob = Client::join(forging, "bob", &[]);
    ada.wait_for_line("loss", |line| line == "* bob lost the connection");
    wait_for_warning(&ada, "something came from nobody in this room");
    wait_for_warning(&bob, "the relay shows ada and you different things");

    let replaying = relay(Attack::ReplayCard);
    let ada = Client::join(replaying, "ada", &[]);
    let bob = Client::join(replaying, "bob", &[]);
    let carol = Client::join(replaying, "carol", &[]);
    bob.wait_for_line("carol", |line| line.starts_with("* carol joined"));
    assert_eq!(carol.leave().code(), Some(0));
    bob.wait_for_line("goodbye", |line| line == "* carol left");
    let comings = || {
        let lines = bob.lines();
        let comings = lines
            .iter()
            .filter(|line| line.starts_with("* carol joined"));
        comings.count()
    };
    wait_for(
        || (comings() == 2).then_some(()),
        || format!("carol is shown once more: {:#?}", bob.lines()),
    );
    // He believes it, and so his roster is not that of the others.
    wait_for_warning(&ada, "the relay shows bob and you different things");
}
