//! Where a relay is, as a person writes it: `HOST`, `HOST:PORT`, an IPv6 address bare or in
//! brackets.

use std::io;
use std::net::{Ipv6Addr, SocketAddr, ToSocketAddrs as _};
use std::str::FromStr;

use crate::cmd::DEFAULT_PORT;
use crate::room::names::{NameError, RoomName};
use crate::room::text::SafeText;

/// The address of a relay, or of a proxy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    host: String,
    port: u16,
}

/// A relay, and a room there if it is named: `HOST:PORT/ROOM`, which is how an invite is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The relay.
    pub relay: Address,
    /// The room.
    pub room: Option<RoomName>,
}

impl FromStr for Place {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        // What shows nothing, and comes with what is copied, is no part of it.
        let text = SafeText::new(text);
        let text = text.as_str();
        let (relay, room) = match text.split_once('/') {
            Some((relay, room)) if !relay.ends_with(':') => (relay, Some(room)),
            _ => (text, None),
        };
        let room = room.map(RoomName::from_str).transpose();
        Ok(Self {
            relay: relay.parse().map_err(str::to_owned)?,
            room: room.map_err(|error| error.to_string())?,
        })
    }
}

/// A room as it is named in the environment or when asked for: by name, or by an invite.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Room {
    /// A name.
    Name(RoomName),
    /// An invite: the relay, and the name.
    Invite(Address, RoomName),
}

impl FromStr for Room {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let text = SafeText::new(text);
        let text = text.as_str();
        if !text.contains('/') {
            let name = text.parse().map_err(|error: NameError| error.to_string())?;
            return Ok(Self::Name(name));
        }
        match text.parse()? {
            Place {
                relay,
                room: Some(room),
            } => Ok(Self::Invite(relay, room)),
            Place { room: None, .. } => Err("an invite has the form HOST:PORT/inv-...".to_owned()),
        }
    }
}

impl Address {
    /// A name in lower case, or an IP address without brackets.
    pub(in crate::cmd::join) fn host(&self) -> &str {
        &self.host
    }

    /// The port.
    pub(in crate::cmd::join) fn port(&self) -> u16 {
        self.port
    }

    /// Looks the name up.
    pub(in crate::cmd::join) fn resolve(&self) -> io::Result<Vec<SocketAddr>> {
        let found = (self.host.as_str(), self.port).to_socket_addrs();
        found.map(Iterator::collect)
    }

    /// Reads an address whose port may be left out.
    pub(in crate::cmd::join) fn parse(text: &str, default_port: u16) -> Result<Self, &'static str> {
        const FORM: &str = "it must be HOST or HOST:PORT, with an IPv6 address in brackets";
        const PORT: &str = "the port must be a number from 1 to 65535";
        // What follows the colon of a URL is no port.
        if text.contains('/') {
            return Err(FORM);
        }
        let bare_ipv6 = text.parse::<Ipv6Addr>().is_ok();
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
        let is_name = |host: &str| {
            !host.is_empty()
                && !host.contains([':', '[', ']'])
                && !host.contains(char::is_whitespace)
                // It is shown, and a terminal would obey it.
                && !host.contains(char::is_control)
                && !host.contains(char::REPLACEMENT_CHARACTER)
        };
        let is_ipv6 = |host: &str| host.parse::<Ipv6Addr>().is_ok();
        if !bracketed.map_or_else(|| is_name(host) || is_ipv6(host), is_ipv6) {
            return Err(FORM);
        }
        let host = bracketed.unwrap_or(host);
        // A name is the same in capitals, and so are the people whom one knows there.
        Ok(Self {
            host: host.to_ascii_lowercase(),
            port,
        })
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
        ] {
            let address: Address = text.parse().unwrap();
            assert_eq!(address.to_string(), shown);
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
            "[x]",
        ] {
            assert!(text.parse::<Address>().is_err(), "{text:?}");
        }
    }
}
