//! The route to a relay, up to a connected socket: straight, through a proxy, or through a program.

use std::io::{self, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use crate::cmd::deadline::DeadlineReader;
use crate::cmd::{failure, reason};

use super::link::Connected;
use super::running::Running;
use super::side_by_side;
use super::socks5::{PROXY_TIMEOUT, Proxy};
use super::through::Program;
use crate::cmd::address::Address;

/// How to get to a relay.
pub(in crate::cmd) enum Route {
    /// To one of these addresses.
    Addresses(Vec<SocketAddr>),
    /// To this host, whose name is looked up each time, as its addresses may have changed.
    Host(Address),
    /// Through a proxy, which looks up the host's name.
    Proxy(Proxy, Address),
    /// Through a program.
    Program(Through),
}

/// What leads to a relay instead of the network alone.
#[derive(Clone, Debug)]
pub(in crate::cmd) enum Detour {
    Proxy(Proxy),
    Program(Program),
}

/// A program that leads to a relay.
pub(in crate::cmd) struct Through {
    program: Program,
    relay: Address,
    has_run: AtomicBool,
}

impl Route {
    /// To a relay, on a detour if there is one.
    pub(in crate::cmd::join) fn to(relay: Address, detour: Option<Detour>) -> Self {
        match detour {
            None => Self::Host(relay),
            Some(Detour::Proxy(proxy)) => Self::Proxy(proxy, relay),
            Some(Detour::Program(program)) => Self::Program(Through {
                program,
                relay,
                has_run: AtomicBool::new(false),
            }),
        }
    }

    /// Connects to the relay that people call `name`, and sends it the preamble. This may take as long as the last
    /// address takes to be tried in vain.
    pub(in crate::cmd::join) fn connect(
        &self,
        name: &str,
        preamble: &[u8],
    ) -> anyhow::Result<Connected> {
        let mut stream = match self {
            Self::Program(through) => return through.connect(preamble),
            Self::Addresses(addresses) => {
                side_by_side::connect(addresses).map_err(|error| unreachable(name, &error))
            }
            Self::Host(relay) if is_onion(relay) => Err(failure(
                format!("{} can be reached through Tor alone", relay.host()),
                "start Tor, and go through it: --proxy socks5://127.0.0.1:9050",
            )),
            Self::Host(relay) => {
                let addresses = resolve("relay", relay)?;
                side_by_side::connect(&addresses).map_err(|error| {
                    without_zone(relay).unwrap_or_else(|| unreachable(name, &error))
                })
            }
            Self::Proxy(proxy, relay) => connect_through(proxy, relay),
        }?;
        stream
            .write_all(preamble)
            .map_err(|error| unreachable(name, &error))?;
        Ok(stream.into())
    }
}

impl Through {
    fn connect(&self, preamble: &[u8]) -> anyhow::Result<Connected> {
        let (name, words) = self.program.words(&self.relay);
        let is_first = !self.has_run.swap(true, Ordering::SeqCst);
        let (stream, program) = Running::start(&name, &words, is_first, preamble)?;
        Ok(Connected {
            stream,
            program: Some(program),
        })
    }
}

/// Whether only Tor knows the name. It is not looked up elsewhere (RFC 7686 §2).
fn is_onion(relay: &Address) -> bool {
    relay.host().trim_end_matches('.').rsplit('.').next() == Some("onion")
}

fn resolve(what: &str, address: &Address) -> anyhow::Result<Vec<SocketAddr>> {
    address.resolve().map_err(|error| {
        if let Some(zone) = address.zone() {
            return failure(
                format!(
                    "cannot find the {what} {}: this system has no zone {zone}",
                    address.host()
                ),
                "give the name of a network interface of this machine behind the %",
            );
        }
        failure(
            format!(
                "cannot find the {what} {}: {}",
                address.host(),
                reason(&error)
            ),
            "check the spelling, and that this machine is online",
        )
    })
}

/// The error for an address to which no connection could be made, as it names no zone and needs one.
fn without_zone(address: &Address) -> Option<anyhow::Error> {
    let (host, port) = (address.host(), address.port());
    address.lacks_zone().then(|| {
        failure(
            format!(
                "cannot connect to {address}: the address lacks its zone, the network interface"
            ),
            &format!("write that behind a %, as in [{host}%eth0]:{port}"),
        )
    })
}

/// The error for a relay that no connection could be made to.
pub(in crate::cmd::join) fn unreachable(name: &str, error: &io::Error) -> anyhow::Error {
    failure(
        format!("cannot connect to {name}: {}", reason(error)),
        "is the relay running there, and the port right?",
    )
}

fn connect_through(proxy: &Proxy, relay: &Address) -> anyhow::Result<TcpStream> {
    let address = proxy.address();
    let stream = side_by_side::connect(&resolve("proxy", address)?).map_err(|error| {
        let unreachable = || {
            failure(
                format!("cannot connect to the proxy {address}: {}", reason(&error)),
                "is Tor, or whatever is to be the proxy, running there, and the port right?",
            )
        };
        without_zone(address).unwrap_or_else(unreachable)
    })?;
    let answers = DeadlineReader::new(&stream, Instant::now() + PROXY_TIMEOUT);
    proxy
        .connect_to(relay, answers, &stream)
        .map_err(|error| error.in_words(proxy.address(), relay))?;
    Ok(stream)
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, TcpListener};
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_proxy_that_says_nothing_does_not_hold_the_client_for_ever() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let stream = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let proxy: Proxy = "socks5://proxy.example".parse().unwrap();
        let relay: Address = "relay.example".parse().unwrap();
        let answers = DeadlineReader::new(&stream, Instant::now() + Duration::from_millis(20));
        let refusal = proxy.connect_to(&relay, answers, &stream).unwrap_err();
        let error = refusal.in_words(proxy.address(), &relay).to_string();
        let expected = "no answer from the proxy proxy.example:1080 within 60 seconds\n";
        assert!(error.starts_with(expected), "{error}");
    }
}
