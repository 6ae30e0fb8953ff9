//! Real clients at a relay that misbehaves: what their users are told.

mod support;

use std::net::SocketAddr;

use e2echat::room::names::RoomName;

use support::hostile::{Attack, HostileRelay};
use support::process::{Client, Home};

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
    wait_for_warning(&bob, "a message from ada did not arrive");
    bob.wait_for_line("goodbye", |line| line == "* ada left");
}

#[test]
fn a_forged_goodbye_and_a_card_of_one_who_is_gone() {
    let forging = relay(Attack::ForgeLeave);
    let ada = Client::join(forging, "ada", &[]);
    let _bob = Client::join(forging, "bob", &[]);
    wait_for_warning(&ada, "the relay says that bob has left");

    let replaying = relay(Attack::ReplayCard);
    let ada = Client::join(replaying, "ada", &[]);
    let bob = Client::join(replaying, "bob", &[]);
    ada.wait_for_line("bob", |line| line.starts_with("* bob joined"));
    assert_eq!(bob.leave().code(), Some(0));
    wait_for_warning(&ada, "is not to be believed");
}
