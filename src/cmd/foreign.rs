//! Which other protocol something speaks, by the first bytes that come of it.

use std::fmt;

/// A protocol that is not ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Protocol {
    Tls,
    Http,
    /// The header that load balancers put before a connection, in either version.
    Proxy,
    Ssh,
    Socks,
}

impl Protocol {
    /// Finds out which protocol begins with these bytes, of which four are enough for what servers answer.
    pub(super) fn of(begin: &[u8]) -> Option<Self> {
        const METHODS: [&[u8]; 10] = [
            b"HTTP", b"GET ", b"POST", b"HEAD", b"PUT ", b"OPTI", b"CONN", b"DELE", b"PATC",
            b"PRI ",
        ];
        let is_method = |method: &&[u8]| begin.starts_with(method);
        match begin {
            // A handshake, or an alert.
            [0x15 | 0x16, 3, ..] => Some(Self::Tls),
            [b'P', b'R', b'O', b'X', ..] | [b'\r', b'\n', b'\r', b'\n', ..] => Some(Self::Proxy),
            [b'S', b'S', b'H', b'-', ..] => Some(Self::Ssh),
            // A greeting with one or two methods, or a request of version 4.
            [5, 1 | 2, 0..=2, ..] | [4, 1, ..] => Some(Self::Socks),
            _ if METHODS.iter().any(is_method) => Some(Self::Http),
            _ => None,
        }
    }
}

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Tls => "TLS",
            Self::Http => "HTTP",
            Self::Proxy => "the PROXY protocol",
            Self::Ssh => "SSH",
            Self::Socks => "SOCKS",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::room::frame::MAGIC;

    #[test]
    fn other_protocols_are_known_by_their_first_bytes() {
        for (begin, protocol) in [
            (&b"\x16\x03\x01\x02\x00\x01"[..], Some(Protocol::Tls)),
            (b"\x15\x03\x03\x00\x02\x02", Some(Protocol::Tls)),
            (b"GET / HTTP/1.1\r\n", Some(Protocol::Http)),
            (b"HTTP/1.1 400 Bad Request\r\n", Some(Protocol::Http)),
            (b"PRI * HTTP/2.0\r\n", Some(Protocol::Http)),
            (
                b"PROXY TCP4 192.0.2.7 192.0.2.8 1 2\r\n",
                Some(Protocol::Proxy),
            ),
            (b"\r\n\r\n\0\r\nQUIT\n", Some(Protocol::Proxy)),
            (b"SSH-2.0-OpenSSH_9.2\r\n", Some(Protocol::Ssh)),
            (b"\x05\x01\x00", Some(Protocol::Socks)),
            (b"\x04\x01\x0f\xa0", Some(Protocol::Socks)),
            (&MAGIC, None),
            (b"", None),
            (b"GE", None),
            (b"\0\0\0\x30", None),
        ] {
            assert_eq!(Protocol::of(begin), protocol, "{begin:?}");
        }
    }
}
