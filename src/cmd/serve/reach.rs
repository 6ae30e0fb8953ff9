//! At which addresses a socket of this machine is reached.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};

/// The address at which others most likely reach a socket that is bound to `address`.
pub(super) fn reachable(address: SocketAddr) -> SocketAddr {
    if !address.ip().is_unspecified() {
        return address;
    }
    // RFC 5737 §3 and RFC 3849 reserve these outside addresses, so nobody is there.
    let ipv4 = || {
        outward(
            Ipv4Addr::UNSPECIFIED.into(),
            Ipv4Addr::new(192, 0, 2, 1).into(),
        )
    };
    let outside = Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1);
    let ipv6 = || outward(Ipv6Addr::UNSPECIFIED.into(), outside.into());
    // A socket for all IPv6 addresses takes IPv4 too, which more friends have.
    let ip = ipv4().or_else(|| address.is_ipv6().then(ipv6).flatten());
    let ip = ip.or_else(|| of_own_network(address.is_ipv6()));
    SocketAddr::new(ip.unwrap_or(Ipv4Addr::LOCALHOST.into()), address.port())
}

/// The address of this machine that it would use towards an outside address. Connecting a UDP socket sends nothing.
fn outward(own: IpAddr, outside: IpAddr) -> Option<IpAddr> {
    let socket = UdpSocket::bind((own, 0)).ok()?;
    socket.connect((outside, 9)).ok()?;
    Some(socket.local_addr().ok()?.ip())
}

/// An address of this machine in a network that no route leads out of. Friends may be in it.
#[cfg(unix)]
fn of_own_network(has_ipv6: bool) -> Option<IpAddr> {
    let interfaces = nix::ifaddrs::getifaddrs().ok()?;
    let addresses = interfaces.filter_map(|interface| interface.address);
    let addresses: Vec<IpAddr> = addresses
        .filter_map(|address| {
            let ipv4 = address.as_sockaddr_in().map(|it| it.ip().into());
            ipv4.or_else(|| Some(address.as_sockaddr_in6()?.ip().into()))
        })
        .filter(|ip| match ip {
            IpAddr::V4(ip) => !ip.is_loopback() && !ip.is_link_local(),
            // That of a link means nothing without a zone, which is another one at each machine.
            IpAddr::V6(ip) => has_ipv6 && !ip.is_loopback() && !ip.is_unicast_link_local(),
        })
        .collect();
    let ipv4 = addresses.iter().find(|ip| ip.is_ipv4());
    ipv4.or(addresses.first()).copied()
}

/// On other systems an address outside has to do.
#[cfg(not(unix))]
fn of_own_network(_: bool) -> Option<IpAddr> {
    None
}

/// The addresses at which this machine itself reaches a socket that is bound to `address`.
pub(super) fn loopback(address: SocketAddr) -> Vec<SocketAddr> {
    let candidates: &[IpAddr] = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => &[IpAddr::V4(Ipv4Addr::LOCALHOST)],
        IpAddr::V6(ip) if ip.is_unspecified() => &[
            IpAddr::V4(Ipv4Addr::LOCALHOST),
            IpAddr::V6(Ipv6Addr::LOCALHOST),
        ],
        _ => &[address.ip()],
    };
    candidates
        .iter()
        .map(|ip| SocketAddr::new(*ip, address.port()))
        .collect()
}
