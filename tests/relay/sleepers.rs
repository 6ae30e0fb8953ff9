//! Members by the hundred who have no connection, and whose places the relay keeps.

use std::net::Ipv4Addr;
use std::thread;
use std::time::Duration;

use e2echat::cipher::keys::{IdentityKey, KeySize};
use e2echat::room::frame::{Frame, ToClient};
use e2echat::room::names::{RoomId, RoomName};

use crate::support::peer::{CardFields, Peer, identity, lobby, made_up_key};
use crate::support::process::{Client, Relay, memory_of, wait_for, wait_within};

/// An address beside the one from which our clients come.
const ELSEWHERE: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);

/// Whoever was there for longer than a minute sleeps for longer than a minute, and is called asleep then.
const STAY: Duration = Duration::from_secs(66);
const SOON_AFTER: Duration = Duration::from_secs(90);

/// What an empty place may cost the relay, beside what waits there.
const PLACE: usize = 4096;

/// Enters a room from the other address.
fn enter(relay: &Relay, room: RoomId, nick: &str, identity: &IdentityKey) -> Peer {
    let mut peer = Peer::connect_from(ELSEWHERE, relay.address());
    let fields = CardFields {
        room,
        ..CardFields::new(nick, identity, &made_up_key())
    };
    let challenge = peer.knock(room);
    let proof = identity.sign(&challenge.possession(fields.sid(), 0));
    let hello = Frame::hello(&fields.sign(identity), None, 0, 300, &proof);
    assert!(peer.write(&hello.encode()));
    let frame = peer.read().expect("a welcome");
    let parsed = ToClient::parse(&frame);
    assert!(matches!(parsed, Ok(ToClient::Welcome(_))), "{parsed:?}");
    peer
}

/// Breaks a connection off, and waits until the relay has noticed.
fn break_off(relay: &Relay, peer: Peer) {
    let before = relay.belongings().descriptors;
    drop(peer);
    wait_for(
        || (relay.belongings().descriptors < before).then_some(()),
        || "it is not noticed that a connection is broken".to_owned(),
    );
}

#[test]
fn an_empty_place_costs_the_relay_little() {
    let relay = Relay::start(&[
        "--max-per-address",
        "1000",
        "--joins-per-minute",
        "100000",
        "--idle-timeout",
        "600",
    ]);
    // In small rooms little waits: that others came.
    let sleep = |numbers: std::ops::Range<usize>| {
        for number in numbers {
            let room: RoomName = format!("room-{}", number / 8).parse().expect("a name");
            let nick = format!("s-{number:x}");
            let peer = enter(&relay, room.id(), &nick, identity(number % 4));
            break_off(&relay, peer);
        }
        memory_of(relay.id()).resident
    };
    // What the first few take is there once.
    let (few, more) = (100, 200);
    let before = sleep(0..few);
    let each = sleep(few..few + more).saturating_sub(before) / more;
    println!("{each} bytes for each place");
    assert!(each <= PLACE, "{each}");
}

#[ignore = "it takes minutes"]
#[test]
fn sleepers_by_the_hundred_from_one_address_give_way_to_whoever_comes() {
    const MEMBERS: usize = 200;
    let identities = (0..MEMBERS - 2).map(|_| IdentityKey::generate(KeySize::Bits2048));
    let identities: Vec<IdentityKey> = identities.collect();
    let members = MEMBERS.to_string();
    let relay = Relay::start(&[
        "--max-members",
        &members,
        "--max-per-address",
        &members,
        "--idle-timeout",
        "600",
    ]);
    let mut ada = Client::join(relay.address(), "ada", &[]);
    let bob = Client::join(relay.address(), "bob", &[]);
    let enter_all = identities.iter().enumerate();
    let enter_all = enter_all
        .map(|(number, identity)| enter(&relay, lobby().id(), &format!("s-{number:x}"), identity));
    let sleepers: Vec<Peer> = enter_all.collect();
    thread::sleep(STAY);
    for sleeper in sleepers {
        break_off(&relay, sleeper);
    }
    wait_within(
        SOON_AFTER,
        || {
            ada.has_shown(|line| line.starts_with("* s-0 is not connected since "))
                .then_some(())
        },
        || format!("{:#?}", ada.lines()),
    );
    // From their address as well as from others somebody comes, and whoever has slept for longest goes.
    let mut newcomers = Vec::new();
    for number in 0..6 {
        let nick = format!("new-{number}");
        if number % 2 == 0 {
            let peer = enter(&relay, lobby().id(), &nick, identity(number));
            ada.meets(&nick);
            break_off(&relay, peer);
        } else {
            newcomers.push(Client::join(relay.address(), &nick, &[]));
        }
        let gone = format!("* s-{number:x} lost the connection");
        for witness in [&ada, &bob] {
            witness.wait_for_line(&gone, |line| line == gone);
        }
        let next = format!("* s-{:x} lost the connection", number + 1);
        assert!(!ada.has_shown(|line| line == next), "{next}");
    }
    ada.say("is anybody awake?");
    for reader in newcomers.iter().chain([&bob]) {
        reader.wait_for_message("ada", "is anybody awake?");
    }
}
