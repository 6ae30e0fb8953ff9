//! Hosts, as a person writes them. One host has one form, however its address is spelled: people are remembered by
//! it.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, ToSocketAddrs as _};

use crate::cmd::arguments::DASHES;

/// The one form of a host: a name in lower case, without a dot at its end, or an IP address without brackets, perhaps
/// with a zone. `None` where it is none.
pub(super) fn canonical(host: &str) -> Option<String> {
    if let Some(ipv6) = canonical_ipv6(host) {
        return Some(ipv6);
    }
    let bare = host.strip_suffix('.').unwrap_or(host);
    if let Some(ipv4) = ipv4(bare) {
        return Some(ipv4.to_string());
    }
    // One dot is the root's. With more it would have another form each time that it is read.
    let is_name = !bare.is_empty()
        && !bare.ends_with('.')
        // A program that leads to the relay would take it for an option.
        && !bare.starts_with('-')
        && !bare.starts_with(DASHES)
        && !bare.contains(is_in_no_name)
        && !bare.contains(char::is_whitespace)
        // The program shows the host, and a terminal would obey a control character in it.
        && !bare.contains(char::is_control)
        && !bare.contains(char::REPLACEMENT_CHARACTER);
    is_name.then(|| bare.to_ascii_lowercase())
}

/// Whether no name of a host has this sign. It may be a mail address, or a colon from another keyboard.
fn is_in_no_name(sign: char) -> bool {
    sign == '：' || sign.is_ascii_punctuation() && !matches!(sign, '.' | '-' | '_')
}

/// The one form of an IPv6 address, perhaps with a zone behind `%` (RFC 4007 §11). An IPv4 address in the form of an
/// IPv6 address becomes one. `None` where it is no IPv6 address.
pub(super) fn canonical_ipv6(host: &str) -> Option<String> {
    let (ip, zone) = match host.split_once('%') {
        Some((ip, zone)) => (ip, Some(zone)),
        None => (host, None),
    };
    let ip: Ipv6Addr = ip.parse().ok()?;
    if let Some(ipv4) = ip.to_ipv4_mapped() {
        return zone.is_none().then(|| ipv4.to_string());
    }
    let Some(zone) = zone else {
        return Some(ip.to_string());
    };
    // In a URL the sign itself is written as `%25` (RFC 6874 §2).
    let in_url = zone.strip_prefix("25");
    let in_url = in_url.filter(|zone| zone.starts_with(|sign: char| sign.is_ascii_alphabetic()));
    let zone = in_url.unwrap_or(zone);
    let is_in_zone =
        |sign: char| sign.is_ascii_alphanumeric() || matches!(sign, '.' | '_' | '~' | '-');
    if zone.is_empty() || !zone.chars().all(is_in_zone) {
        return None;
    }
    Some(if has_zones(ip) {
        format!("{ip}%{zone}")
    } else {
        ip.to_string()
    })
}

/// Whether an address means another host in each zone. Others are the same in all.
pub(super) fn has_zones(ip: Ipv6Addr) -> bool {
    ip.is_unicast_link_local() || ip.is_multicast()
}

/// Whether this system has a zone of this name. A zone is the name of a network interface, or its number.
fn is_zone(zone: &str) -> bool {
    (format!("fe80::%{zone}"), 0).to_socket_addrs().is_ok()
}

/// An IPv4 address in any of the forms that systems read (`inet_aton`): one to four numbers, each decimal,
/// octal behind `0`, or hexadecimal behind `0x`, of which the last fills what is left.
fn ipv4(text: &str) -> Option<Ipv4Addr> {
    let numbers: Option<Vec<u32>> = text.split('.').map(number).collect();
    let numbers = numbers?;
    let (last, first) = numbers.split_last()?;
    let bits = 8 * u32::try_from(4_usize.checked_sub(first.len())?).ok()?;
    if bits == 0 || u64::from(*last) >= 1 << bits {
        return None;
    }
    let mut address = u64::from(*last);
    for (place, byte) in first.iter().enumerate() {
        let byte = u8::try_from(*byte).ok()?;
        address |= u64::from(byte) << (8 * (3 - place));
    }
    Some(Ipv4Addr::from(u32::try_from(address).ok()?))
}

fn number(text: &str) -> Option<u32> {
    let (digits, radix) = match text.strip_prefix('0') {
        None | Some("") => (text, 10),
        Some(rest) => match rest.strip_prefix(['x', 'X']) {
            Some(hexadecimal) => (hexadecimal, 16),
            None => (rest, 8),
        },
    };
    let is_number = digits.chars().all(|sign| sign.is_digit(radix));
    is_number.then(|| u32::from_str_radix(digits, radix).ok())?
}

/// An IP address on which a relay can listen, without a port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::cmd) struct BindAddress(SocketAddr);

impl BindAddress {
    /// The address.
    pub(in crate::cmd) fn ip(self) -> IpAddr {
        self.0.ip()
    }

    /// The address with a port.
    pub(in crate::cmd) fn with_port(mut self, port: u16) -> SocketAddr {
        self.0.set_port(port);
        self.0
    }
}

impl From<IpAddr> for BindAddress {
    fn from(ip: IpAddr) -> Self {
        Self(SocketAddr::new(ip, 0))
    }
}

impl std::str::FromStr for BindAddress {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const NO_ADDRESS: &str = "it is no IP address";
        let bracketed = text.strip_prefix('[').and_then(|it| it.strip_suffix(']'));
        let bare = bracketed.unwrap_or(text);
        let host = canonical(bare).ok_or(NO_ADDRESS)?;
        let zone = bare.split_once('%').map(|(_, zone)| zone);
        match host.parse::<IpAddr>() {
            Ok(IpAddr::V6(ip)) if has_zones(ip) => {
                return Err("it lacks its zone, the network interface: write %eth0 behind it");
            }
            Ok(ip) if zone.is_none_or(is_zone) => return Ok(ip.into()),
            Err(_) if zone.is_none() => return Err(NO_ADDRESS),
            _ => {}
        }
        // The system knows its zones.
        let found = (host.as_str(), 0).to_socket_addrs();
        let found = found.ok().and_then(|mut found| found.next());
        let found = found.filter(|_| host.contains('%'));
        found.map(Self).ok_or("this system has no such zone")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_host_has_one_form() {
        for (text, form) in [
            ("127.0.0.1", "127.0.0.1"),
            ("127.1", "127.0.0.1"),
            ("127.0.1", "127.0.0.1"),
            ("2130706433", "127.0.0.1"),
            ("0x7f000001", "127.0.0.1"),
            ("0x7F.1", "127.0.0.1"),
            ("0177.0.0.01", "127.0.0.1"),
            ("127.0.0.1.", "127.0.0.1"),
            ("0", "0.0.0.0"),
            ("::ffff:127.0.0.1", "127.0.0.1"),
            ("::FFFF:7f00:1", "127.0.0.1"),
            ("0::1", "::1"),
            ("0:0:0:0:0:0:0:1", "::1"),
            ("2001:DB8::0:7", "2001:db8::7"),
            ("::1%lo", "::1"),
            ("fe80::1%eth0", "fe80::1%eth0"),
            ("FE80::0001%eth0", "fe80::1%eth0"),
            ("fe80::1%25eth0", "fe80::1%eth0"),
            ("fe80::1%2", "fe80::1%2"),
            ("Chat.Example.ORG.", "chat.example.org"),
            ("localhost.", "localhost"),
            ("256.1.1.1", "256.1.1.1"),
            ("1.2.3.4.5", "1.2.3.4.5"),
            ("08.0.0.1", "08.0.0.1"),
            ("4294967296", "4294967296"),
            ("face.example", "face.example"),
        ] {
            assert_eq!(canonical(text).as_deref(), Some(form), "{text}");
        }
        for text in [
            "",
            ".",
            "host..",
            "—host",
            "a b",
            "fe80::1%",
            "fe80::1%a b",
            "::ffff:1.2.3.4%lo",
            "host%eth0",
            "ada@host",
            "<host>",
            "host,",
            "host：4000",
            "a:b",
        ] {
            assert_eq!(canonical(text), None, "{text}");
        }
    }

    #[test]
    fn a_relay_listens_on_an_address_in_any_spelling() {
        for (text, address) in [
            ("127.0.0.1", "127.0.0.1:7"),
            ("127.1", "127.0.0.1:7"),
            ("[::1]", "[::1]:7"),
            ("0::1%lo", "[::1]:7"),
            ("::", "[::]:7"),
        ] {
            let read = text.parse::<BindAddress>().unwrap();
            assert_eq!(read.with_port(7).to_string(), address, "{text}");
        }
        for text in [
            "",
            "localhost",
            "1.2.3",
            "fe80::1%nowhere",
            "::1%nowhere",
            "fe80::1",
            "127.0.0.1:4000",
        ] {
            let read = text.parse::<BindAddress>();
            assert!(read.is_err() || text == "1.2.3", "{text}");
        }
    }
}
