//! The load balancer of docs/HOSTING.md: whether it sends all members of a room to one relay.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
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
        let example = blocks.find(|block| block.language == "haproxy").unwrap();
        // Free now, and nobody else's a moment later.
        let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = free.local_addr().unwrap();
        drop(free);
        let [one, two] = relays.map(|relay| relay.to_string());
        let config = example.lines.join("\n") + "\n";
        let config = config
            .replace("bind :4000", &format!("bind {address}"))
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
