//! The load balancer of docs/HOSTING.md: whether it sends all members of a room to one relay.

use std::fs;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};

use super::markdown::Document;
use crate::support::process::{Client, Home, Relay, wait_for};

/// Enough that they are not all sent to one relay by chance, but for once in a thousand times.
const ROOMS: usize = 11;

/// The balancer. Dropping it ends it.
pub struct Balancer {
    child: Child,
    address: SocketAddr,
    _home: Home,
}

impl Balancer {
    /// Starts it as the document says, before these relays, or says that it is not installed.
    pub fn start(document: &Document, relays: [SocketAddr; 2]) -> Option<Self> {
        let mut blocks = document.blocks.iter();
        let example = blocks.find(|block| {
            block.language == "haproxy" && block.lines.iter().any(|line| line == "backend relays")
        });
        let example = example.expect("the document has a load balancer");
        // Free now, and nobody else's a moment later.
        let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = free.local_addr().unwrap();
        drop(free);
        let [one, two] = relays.map(|relay| relay.to_string());
        let config = example.lines.join("\n") + "\n";
        let config = config
            .replace(
                "bind :::4000 v4v6",
                &format!("bind {address}{}", also(address)),
            )
            .replace("127.0.0.1:4001", &one)
            .replace("127.0.0.1:4002", &two);
        let home = Home::new();
        let path = home.file("haproxy.cfg");
        fs::write(&path, config).unwrap();
        let child = Command::new("haproxy")
            .arg("-db")
            .arg("-f")
            .arg(&path)
            .stdin(Stdio::null())
            .spawn()
            .ok()?;
        let balancer = Self {
            child,
            address,
            _home: home,
        };
        wait_for(
            || TcpStream::connect(address).ok(),
            || "haproxy does not listen".to_owned(),
        );
        Some(balancer)
    }
}

/// Where the balancer listens besides, for those who come by IPv6.
fn by_ipv6(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(Ipv6Addr::LOCALHOST.into(), address.port())
}

fn also(address: SocketAddr) -> String {
    // A system without IPv6 would let it listen nowhere.
    let has_ipv6 = TcpListener::bind((Ipv6Addr::LOCALHOST, 0)).is_ok();
    if has_ipv6 {
        format!(",{}", by_ipv6(address))
    } else {
        String::new()
    }
}

impl Drop for Balancer {
    fn drop(&mut self) {
        // Fails where it has ended, which is as good.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Two members enter each of some rooms and have to find each other. Returns to how many relays they
/// were sent.
pub fn relays_used(balancer: &Balancer, relays: &[Relay]) -> usize {
    let rooms: Vec<String> = (0..ROOMS).map(|room| format!("room-{room}")).collect();
    let join = |nick, room: &String| Client::join(balancer.address, nick, &["--room", room]);
    let _first: Vec<Client> = rooms.iter().map(|room| join("ada", room)).collect();
    for room in &rooms {
        let bob = join("bob", room);
        bob.wait_for_line("ada", |line| line.starts_with("* here: ada "));
    }
    let is_used = |relay: &&Relay| {
        relay
            .log()
            .iter()
            .any(|line| line.contains(" joined from "))
    };
    relays.iter().filter(is_used).count()
}

/// Two members enter each of ten rooms, one of them by IPv6 where there is such a thing. A relay is killed and
/// started anew at its port. In each room both find each other again, and whoever comes then finds both.
pub fn assert_no_room_is_split(
    balancer: &Balancer,
    relays: &mut Vec<Relay>,
    again: impl Fn(SocketAddr) -> Relay,
) {
    let rooms: Vec<String> = (0..10).map(|room| format!("hall-{room}")).collect();
    let ipv4 = balancer.address;
    let ipv6 = if TcpStream::connect(by_ipv6(ipv4)).is_ok() {
        by_ipv6(ipv4)
    } else {
        ipv4
    };
    let mut members: Vec<[Client; 2]> = rooms
        .iter()
        .map(|room| {
            let [ada, bob] = [("ada", ipv4), ("bob", ipv6)]
                .map(|(nick, way)| Client::join(way, nick, &["--room", room]));
            ada.meets("bob");
            [ada, bob]
        })
        .collect();
    let killed = relays.remove(0);
    let address = killed.address();
    let used = |relay: &Relay| {
        relay
            .log()
            .iter()
            .filter(|line| line.contains(" joined from "))
            .count()
    };
    let (there, elsewhere) = (used(&killed), used(&relays[0]));
    assert_eq!(there + elsewhere, 20);
    assert!(there > 0 && elsewhere > 0, "{there} and {elsewhere}");
    drop(killed);
    let is_lost =
        |client: &Client| client.has_shown(|line| line.starts_with("* lost the connection to "));
    let lost = || {
        members
            .iter()
            .flatten()
            .filter(|client| is_lost(client))
            .count()
    };
    wait_for(
        || (lost() == there).then_some(()),
        || format!("{} of {there} have lost it", lost()),
    );
    relays.push(again(address));
    for (room, [ada, bob]) in rooms.iter().zip(&mut members) {
        for client in [&*ada, &*bob] {
            if is_lost(client) {
                client.wait_for_line("way back", |line| line.starts_with("* connected again"));
            }
        }
        let carol = Client::join(ipv6, "carol", &["--room", room]);
        for nick in ["ada", "bob"] {
            let here = format!("* here: {nick} ");
            let back = format!("* {nick} is back");
            let came = format!("* {nick} joined ");
            carol.wait_for_line(&here, |line| {
                line.starts_with(&here) || line == back || line.starts_with(&came)
            });
        }
        ada.meets("carol");
        bob.meets("carol");
        ada.say("all here?");
        for client in [&*bob, &carol] {
            client.wait_for_message("ada", "all here?");
        }
        bob.say("all here");
        for client in [&*ada, &carol] {
            client.wait_for_message("bob", "all here");
        }
    }
}
