//! The sockets on which the relay listens, and who comes over them.

use std::fmt::{self, Display, Formatter};
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::Arc;

use crate::cmd::address::host::BindAddress;
use crate::cmd::{failure, reason};

#[cfg(unix)]
use super::unix_socket::{SocketFile, UnixSocket};

/// What stands before the path of a socket in the file system.
const UNIX: &str = "unix:";

/// Where the relay is to listen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Place {
    Address(BindAddress),
    /// A socket in the file system, for programs of the same machine.
    Path(PathBuf),
}

impl FromStr for Place {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.strip_prefix(UNIX) {
            None => text.parse().map(Self::Address),
            Some("") => Err("a path is missing behind `unix:`"),
            Some(_) if cfg!(not(unix)) => Err("this system has no such sockets"),
            Some(path) => Ok(Self::Path(path.into())),
        }
    }
}

/// Where somebody comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Peer {
    Address(SocketAddr),
    #[cfg_attr(
        not(unix),
        expect(dead_code, reason = "no other system has such sockets")
    )]
    /// Over the socket in the file system. The number tells connections apart, as nothing else does.
    Unix(u64),
}

impl Display for Peer {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address(address) => address.fmt(f),
            Self::Unix(number) => write!(f, "the unix socket, connection {number}"),
        }
    }
}

/// A socket that listens.
pub(super) enum Listener {
    Tcp(TcpListener),
    #[cfg(unix)]
    Unix(UnixSocket),
}

impl Listener {
    /// Waits for a connection.
    ///
    /// # Errors
    /// What the system says, and that a client hung up before it was accepted.
    pub(super) fn accept(&self) -> io::Result<(TcpStream, Peer)> {
        match self {
            Self::Tcp(listener) => {
                let (stream, peer) = listener.accept()?;
                stream.set_nodelay(true)?;
                let peer = SocketAddr::new(peer.ip().to_canonical(), peer.port());
                Ok((stream, Peer::Address(peer)))
            }
            #[cfg(unix)]
            Self::Unix(socket) => {
                let (stream, number) = socket.accept()?;
                Ok((stream, Peer::Unix(number)))
            }
        }
    }

    /// The address, if it is no path.
    pub(super) fn address(&self) -> io::Result<Option<SocketAddr>> {
        match self {
            Self::Tcp(listener) => listener.local_addr().map(Some),
            #[cfg(unix)]
            Self::Unix(_) => Ok(None),
        }
    }

    /// Where it listens, as it is announced.
    ///
    /// # Errors
    /// What the system says.
    pub(super) fn place(&self) -> io::Result<String> {
        match self {
            Self::Tcp(listener) => Ok(listener.local_addr()?.to_string()),
            #[cfg(unix)]
            Self::Unix(socket) => Ok(format!("{UNIX}{}", socket.path().display())),
        }
    }
}

/// The sockets on which the relay listens. Files that it made for them are removed when this is dropped.
#[derive(Default)]
pub(super) struct Listening {
    pub(super) listeners: Vec<Arc<Listener>>,
    #[cfg(unix)]
    files: Vec<SocketFile>,
}

/// Listens at these places, or at all addresses if there are none. Where any port will do, all get the same.
///
/// # Errors
/// Why that cannot be, in words for the user.
pub(super) fn listen(places: &[Place], port: u16) -> anyhow::Result<Listening> {
    let mut listening = Listening::default();
    let mut add = |listener| listening.listeners.push(Arc::new(listener));
    if places.is_empty() {
        listen_everywhere(port)?
            .into_iter()
            .map(Listener::Tcp)
            .for_each(add);
        return Ok(listening);
    }
    let mut port = port;
    for (index, place) in places.iter().enumerate() {
        let earlier = places.get(..index).unwrap_or_default();
        if earlier.contains(place) {
            continue;
        }
        match place {
            Place::Address(address) => {
                // On most systems a socket for all IPv6 addresses takes IPv4 too.
                let is_covered = address.ip() == Ipv4Addr::UNSPECIFIED
                    && earlier
                        .contains(&Place::Address(IpAddr::from(Ipv6Addr::UNSPECIFIED).into()));
                match bind(*address, port) {
                    Err(_) if is_covered => {}
                    listener => {
                        let listener = listener?;
                        port = listener.local_addr()?.port();
                        add(Listener::Tcp(listener));
                    }
                }
            }
            #[cfg(unix)]
            Place::Path(path) => {
                let (socket, file) = UnixSocket::bind(path)?;
                add(Listener::Unix(socket));
                listening.files.push(file);
            }
            // No text is read as one.
            #[cfg(not(unix))]
            Place::Path(_) => {}
        }
    }
    Ok(listening)
}

fn listen_everywhere(port: u16) -> anyhow::Result<Vec<TcpListener>> {
    // On most systems a socket for all IPv6 addresses takes IPv4 too, and the second one is refused.
    let Ok(all) = TcpListener::bind((Ipv6Addr::UNSPECIFIED, port)) else {
        return Ok(vec![bind(
            IpAddr::from(Ipv4Addr::UNSPECIFIED).into(),
            port,
        )?]);
    };
    let port = all.local_addr()?.port();
    let too = TcpListener::bind((Ipv4Addr::UNSPECIFIED, port));
    Ok([all].into_iter().chain(too).collect())
}

fn bind(address: BindAddress, port: u16) -> anyhow::Result<TcpListener> {
    let address = address.with_port(port);
    TcpListener::bind(address).map_err(|error| {
        let hint = match error.kind() {
            io::ErrorKind::AddrInUse => {
                "another program listens there: choose another --port, or 0 for a free one"
            }
            io::ErrorKind::PermissionDenied => "ports below 1024 are for the administrator",
            _ => "choose another --bind or --port",
        };
        failure(
            format!("cannot listen on {address}: {}", reason(&error)),
            hint,
        )
    })
}
