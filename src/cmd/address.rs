//! Where a relay is, as a person writes it: `HOST` or `HOST:PORT`. A host is a name, an IPv4 address,
//! or an IPv6 address, which stands in brackets where a port follows it.

pub(in crate::cmd) mod host;

use std::io;
use std::net::{Ipv6Addr, SocketAddr, ToSocketAddrs as _};
use std::str::FromStr;

use self::host::{canonical, canonical_ipv6, has_zones};
use crate::cmd::DEFAULT_PORT;
use crate::cmd::arguments::DASHES;
use crate::room::names::{NameError, RoomName};

/// The address of a relay, or of a proxy. It is displayed as `HOST:PORT`, with an IPv6 address in
/// brackets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    host: String,
    port: u16,
}

/// The argument of `join`: a relay's address, and a room there if the argument names one.
/// `HOST:PORT/ROOM` is also how an invite is written (PROTOCOL §12).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RoomAddress {
    /// The relay, at port 4000 if none is written.
    pub relay: Address,
    /// The room; `None` where the argument names none.
    pub room: Option<RoomName>,
}

impl FromStr for RoomAddress {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        // A slash behind a colon is a URL's, which `Address` refuses.
        let (relay, room) = match text.split_once('/') {
            Some((relay, room)) if !relay.ends_with(':') => (relay, Some(room)),
            _ => (text, None),
        };
        // A browser puts a slash behind a host.
        let room = room.filter(|room| !room.is_empty());
        let room = room.map(room_name).transpose();
        Ok(Self {
            relay: relay.parse().map_err(str::to_owned)?,
            room: room.map_err(|error| error.to_string())?,
        })
    }
}

/// Reads the name of a room. It has no dashes, so those that messengers make are hyphens.
fn room_name(text: &str) -> Result<RoomName, NameError> {
    text.replace(DASHES, "-").parse()
}

/// The value of `--room` and `E2ECHAT_ROOM`, and the answer to the question for an invite.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RoomOrInvite {
    /// The name of a room, at a relay that something else names.
    Name(RoomName),
    /// `HOST:PORT/ROOM`: a relay, and the name of a room there.
    Invite(Address, RoomName),
}

impl FromStr for RoomOrInvite {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if !text.contains('/') {
            let name = room_name(text);
            return name.map(Self::Name).map_err(|error| error.to_string());
        }
        match text.parse()? {
            RoomAddress {
                relay,
                room: Some(room),
            } => Ok(Self::Invite(relay, room)),
            RoomAddress { room: None, .. } => {
                Err("an invite has the form HOST:PORT/inv-...".to_owned())
            }
        }
    }
}

impl Address {
    /// The host: a name in lower case, or an IP address without brackets, perhaps with a zone.
    pub(in crate::cmd) fn host(&self) -> &str {
        &self.host
    }

    /// The port, which is never 0.
    pub(in crate::cmd) fn port(&self) -> u16 {
        self.port
    }

    /// Asks the system for the addresses of the host, which takes as long as the system's resolver
    /// does.
    ///
    /// # Errors
    /// What the resolver says where it finds no address.
    pub(in crate::cmd) fn resolve(&self) -> io::Result<Vec<SocketAddr>> {
        let found = (self.host.as_str(), self.port).to_socket_addrs();
        found.map(Iterator::collect)
    }

    /// Reads an address, which has `default_port` if it names no port.
    ///
    /// # Errors
    /// In words, where the text has not the form of an address, or the port is not from 1 to 65535.
    pub(in crate::cmd) fn parse(text: &str, default_port: u16) -> Result<Self, &'static str> {
        const FORM: &str = "it must be HOST or HOST:PORT, with an IPv6 address in brackets";
        const PORT: &str = "the port must be a number from 1 to 65535";
        // A URL has a colon too, and no port behind it.
        if text.contains('/') {
            return Err(FORM);
        }
        let bare_ipv6 = canonical_ipv6(text).is_some();
        let (host, port) = match text.rsplit_once(':') {
            Some((host, port)) if !bare_ipv6 && !text.ends_with(']') => {
                (host, port.parse().map_err(|_| PORT)?)
            }
            _ => (text, default_port),
        };
        if port == 0 {
            return Err(PORT);
        }
        let bracketed = host
            .strip_prefix('[')
            .and_then(|host| host.strip_suffix(']'));
        let read = bracketed.map_or_else(|| canonical(host), canonical_ipv6);
        let read = read.ok_or(FORM)?;
        if host.contains('%') && !read.contains('%') {
            return Err("this address has no zone: leave the % and the zone out");
        }
        Ok(Self { host: read, port })
    }

    /// Whether the address means something in a zone alone, and names none.
    pub(in crate::cmd) fn lacks_zone(&self) -> bool {
        let ip = self.host.parse::<Ipv6Addr>();
        ip.is_ok_and(has_zones)
    }

    /// The zone, if the address has one.
    pub(in crate::cmd) fn zone(&self) -> Option<&str> {
        self.host.split_once('%').map(|(_, zone)| zone)
    }
}

impl From<SocketAddr> for Address {
    fn from(address: SocketAddr) -> Self {
        let host = match address {
            SocketAddr::V6(ipv6) if ipv6.scope_id() != 0 => {
                format!("{}%{}", ipv6.ip(), ipv6.scope_id())
            }
            _ => address.ip().to_string(),
        };
        Self {
            host: canonical(&host).unwrap_or(host),
            port: address.port(),
        }
    }
}

impl FromStr for Address {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::parse(text, DEFAULT_PORT)
    }
}

impl std::fmt::Display for Address {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_both_kinds_of_ip_address_go_with_and_without_a_port() {
        for (text, shown) in [
            ("chat.example.org", "chat.example.org:4000"),
            ("chat.example.org:5000", "chat.example.org:5000"),
            ("Chat.Example.ORG", "chat.example.org:4000"),
            ("127.0.0.1", "127.0.0.1:4000"),
            ("127.0.0.1:1", "127.0.0.1:1"),
            ("::1", "[::1]:4000"),
            ("[::1]", "[::1]:4000"),
            ("[::1]:65535", "[::1]:65535"),
            ("[0::1]:5000", "[::1]:5000"),
            ("fe80::1%eth0", "[fe80::1%eth0]:4000"),
            ("[fe80::1%eth0]:5000", "[fe80::1%eth0]:5000"),
            ("[::ffff:127.0.0.1]:5000", "127.0.0.1:5000"),
            ("127.1:5000", "127.0.0.1:5000"),
            ("chat.example.org.:5000", "chat.example.org:5000"),
        ] {
            let address: Address = text.parse().unwrap();
            assert_eq!(address.to_string(), shown);
        }
    }

    #[test]
    fn a_room_stands_behind_a_slash_if_anything_does() {
        for (text, relay, room) in [
            ("host", "host:4000", None),
            ("host/", "host:4000", None),
            ("host:5000/", "host:5000", None),
            ("[::1]/", "[::1]:4000", None),
            ("host/Attic", "host:4000", Some("attic")),
            ("host/my–room", "host:4000", Some("my-room")),
            ("host/my\u{2011}room", "host:4000", Some("my-room")),
        ] {
            let address: RoomAddress = text.parse().unwrap();
            assert_eq!(address.relay.to_string(), relay, "{text}");
            let read = address.room.map(|room| room.to_string());
            assert_eq!(read.as_deref(), room, "{text}");
        }
        for text in ["/", "host//", "http://", "host/a/", "host/a b"] {
            assert!(text.parse::<RoomAddress>().is_err(), "{text}");
        }
    }

    #[test]
    fn an_address_of_one_link_lacks_its_zone() {
        for (text, lacks) in [
            ("fe80::1", true),
            ("[fe80::1]:5000", true),
            ("ff02::1", true),
            ("fe80::1%eth0", false),
            ("::1", false),
            ("2001:db8::7", false),
            ("127.0.0.1", false),
            ("fe80.example", false),
        ] {
            let address: Address = text.parse().unwrap();
            assert_eq!(address.lacks_zone(), lacks, "{text}");
        }
    }

    #[test]
    fn the_address_of_a_socket_is_the_one_that_a_person_writes() {
        for text in [
            "127.0.0.1:4000",
            "[::1]:4000",
            "[fe80::1%7]:4000",
            "[::ffff:127.0.0.1]:4000",
        ] {
            let address: Address = text.parse().unwrap();
            let of_socket: SocketAddr = text.parse().unwrap();
            assert_eq!(Address::from(of_socket), address);
        }
    }

    #[test]
    fn what_is_no_address_is_refused() {
        for text in [
            "",
            ":4000",
            "host:",
            "host:0",
            "host:65536",
            "host:x",
            "a b",
            "a\u{1b}[2Jb",
            "http://host",
            "127..",
            "[x]",
            "—host",
            "[::1%lo]:4000",
            "2001:db8::7%eth0",
        ] {
            assert!(text.parse::<Address>().is_err(), "{text:?}");
        }
    }
}
