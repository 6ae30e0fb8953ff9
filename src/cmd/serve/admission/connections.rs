//! How many connections the relay takes, in all and from one network, and how many joins from one
//! network. Places that the relay keeps for broken connections count, too.
//!
//! A network is one IPv4 address or one IPv6 /64: whoever has one address of a /64 has them all.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::time::Duration;

use crate::cmd::serve::listening::Peer;
use crate::room::notice::Notice;
use crate::room::relay::{Bucket, Rate};

/// How many refused connections may be open at once, each until it has been told why. The relay
/// hangs up on any more without a word.
pub(in crate::cmd::serve) const MAX_REFUSED: usize = 8;

/// For how many networks the relay remembers joins. Where there are more, it forgets the one that
/// has used least.
const MAX_NETWORKS: usize = 4096;

#[derive(Clone, Copy, Debug)]
pub(in crate::cmd::serve) struct ConnectionLimits {
    /// The most connections at once.
    pub(in crate::cmd::serve) connections: usize,
    /// The most connections at once from one network.
    pub(in crate::cmd::serve) per_network: usize,
    /// The most joins from one network.
    pub(in crate::cmd::serve) joins: Rate,
}

/// One IPv4 address, or one IPv6 /64. Over a socket in the file system each connection is one of its own: there,
/// nothing tells who comes from where, and limits by address have no effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(in crate::cmd::serve) enum Network {
    Address(IpAddr),
    Unix(u64),
}

impl Network {
    /// The address, if there is one.
    pub(in crate::cmd::serve) fn address(self) -> Option<IpAddr> {
        match self {
            Self::Address(address) => Some(address),
            Self::Unix(_) => None,
        }
    }
}

impl From<IpAddr> for Network {
    fn from(address: IpAddr) -> Self {
        Self::Address(match address.to_canonical() {
            IpAddr::V4(address) => address.into(),
            IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() >> 64 << 64).into(),
        })
    }
}

impl From<Peer> for Network {
    fn from(peer: Peer) -> Self {
        match peer {
            Peer::Address(address) => address.ip().into(),
            Peer::Unix(number) => Self::Unix(number),
        }
    }
}

/// What the limiter says to a new connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::cmd::serve) enum Verdict {
    /// The relay takes it.
    Admitted,
    /// It is one too many, and is told why.
    Refused(Notice),
    /// It is one too many, and there are too many already that are being told.
    Ignored,
}

/// What one network uses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct NetworkUse {
    connections: usize,
    /// Places that are kept for members whose connection broke.
    kept: usize,
}

/// Counts connections and joins, and says which of them may be.
#[derive(Debug)]
pub(in crate::cmd::serve) struct ConnectionLimiter {
    limits: ConnectionLimits,
    connections: usize,
    refused: usize,
    by_network: HashMap<Network, NetworkUse>,
    joins: HashMap<Network, Bucket>,
}

impl ConnectionLimiter {
    /// A limiter that has seen no connection yet.
    pub(in crate::cmd::serve) fn new(limits: ConnectionLimits) -> Self {
        Self {
            limits,
            connections: 0,
            refused: 0,
            by_network: HashMap::new(),
            joins: HashMap::new(),
        }
    }

    /// How many connections are admitted at present.
    pub(in crate::cmd::serve) fn connections(&self) -> usize {
        self.connections
    }

    /// Judges a new connection. Whoever gets a verdict other than [`Verdict::Ignored`] must give it
    /// back with [`ConnectionLimiter::release`] when the connection ends.
    pub(in crate::cmd::serve) fn admit(&mut self, network: Network) -> Verdict {
        match self.refusal(network) {
            None => {
                self.connections += 1;
                self.by_network.entry(network).or_default().connections += 1;
                Verdict::Admitted
            }
            Some(notice) if self.refused < MAX_REFUSED => {
                self.refused += 1;
                Verdict::Refused(notice)
            }
            Some(_) => Verdict::Ignored,
        }
    }

    fn refusal(&self, network: Network) -> Option<Notice> {
        if self.usage(network).connections >= self.limits.per_network {
            Some(Notice::AddressFull)
        } else if self.connections >= self.limits.connections {
            Some(Notice::RelayFull)
        } else {
            None
        }
    }

    /// Counts the end of a connection that had this verdict.
    pub(in crate::cmd::serve) fn release(&mut self, network: Network, verdict: Verdict) {
        match verdict {
            Verdict::Admitted => {
                self.connections -= 1;
                self.change(network, |usage| usage.connections -= 1);
            }
            Verdict::Refused(_) => self.refused -= 1,
            Verdict::Ignored => {}
        }
    }

    /// Counts a place that is kept for a member whose connection was from `network`.
    pub(in crate::cmd::serve) fn keep_place(&mut self, network: Network) {
        self.change(network, |usage| usage.kept += 1);
    }

    /// Counts the end of such a place.
    pub(in crate::cmd::serve) fn release_place(&mut self, network: Network) {
        self.change(network, |usage| usage.kept -= 1);
    }

    /// Whether a network uses more than it may, the places kept for it included. Connections beyond
    /// that are admitted all the same: one of them may be the member for whom a place is kept.
    pub(in crate::cmd::serve) fn is_over_limit(&self, network: Network) -> bool {
        let usage = self.usage(network);
        usage.connections + usage.kept > self.limits.per_network
    }

    fn usage(&self, network: Network) -> NetworkUse {
        self.by_network.get(&network).copied().unwrap_or_default()
    }

    fn change(&mut self, network: Network, change: impl FnOnce(&mut NetworkUse)) {
        let usage = self.by_network.entry(network).or_default();
        change(usage);
        if *usage == NetworkUse::default() {
            self.by_network.remove(&network);
        }
    }

    /// Counts a join, and returns whether it is within the limit. `now` is the time since any
    /// moment, the same moment for all calls.
    pub(in crate::cmd::serve) fn try_join(&mut self, network: Network, now: Duration) -> bool {
        if self.joins.len() >= MAX_NETWORKS && !self.joins.contains_key(&network) {
            self.forget_a_network(now);
        }
        let joins = self.joins.entry(network).or_default();
        joins.try_take(&self.limits.joins, 1, now)
    }

    /// Makes room for the joins of one more network.
    fn forget_a_network(&mut self, now: Duration) {
        self.joins.retain(|_, joins| !joins.is_full(now));
        if self.joins.len() >= MAX_NETWORKS {
            let fewest = self.joins.iter().min_by_key(|(_, joins)| **joins);
            if let Some(fewest) = fewest.map(|(network, _)| *network) {
                self.joins.remove(&fewest);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;

    use super::*;

    const MINUTE: Duration = Duration::from_mins(1);

    fn limiter() -> ConnectionLimiter {
        ConnectionLimiter::new(ConnectionLimits {
            connections: 5,
            per_network: 3,
            joins: Rate::new(NonZeroU32::new(6).unwrap(), MINUTE, MINUTE),
        })
    }

    fn network(text: &str) -> Network {
        Network::from(text.parse::<IpAddr>().unwrap())
    }

    #[test]
    fn a_network_is_an_ipv4_address_or_an_ipv6_64() {
        assert_eq!(network("::ffff:10.0.0.1"), network("10.0.0.1"));
        assert_ne!(network("10.0.0.2"), network("10.0.0.1"));
        assert_eq!(network("2001:db8::1"), network("2001:db8::ffff:0:0:1"));
        assert_ne!(network("2001:db8::1"), network("2001:db8:0:1::1"));
    }

    #[test]
    fn one_network_gets_no_more_than_its_own_and_another_the_rest() {
        let mut limiter = limiter();
        let (one, other) = (network("10.0.0.1"), network("10.0.0.2"));
        assert!((0..3).all(|_| limiter.admit(one) == Verdict::Admitted));
        assert_eq!(limiter.admit(one), Verdict::Refused(Notice::AddressFull));
        assert!((0..2).all(|_| limiter.admit(other) == Verdict::Admitted));
        assert_eq!(limiter.admit(other), Verdict::Refused(Notice::RelayFull));
        assert_eq!(limiter.connections(), 5);
        limiter.release(one, Verdict::Admitted);
        assert_eq!(limiter.admit(other), Verdict::Admitted);
    }

    #[test]
    fn what_is_kept_counts_for_the_network_that_it_was_taken_from() {
        let mut limiter = limiter();
        let (one, other) = (network("10.0.0.1"), network("10.0.0.2"));
        limiter.keep_place(one);
        assert!((0..2).all(|_| limiter.admit(one) == Verdict::Admitted));
        assert!(!limiter.is_over_limit(one));
        // The member for whom the place is kept must be able to come back.
        assert_eq!(limiter.admit(one), Verdict::Admitted);
        assert!(limiter.is_over_limit(one));
        assert!(!limiter.is_over_limit(other));
        limiter.release_place(one);
        assert!(!limiter.is_over_limit(one));
        (0..3).for_each(|_| limiter.release(one, Verdict::Admitted));
        assert!(limiter.by_network.is_empty());
    }

    #[test]
    fn few_are_told_at_once() {
        let mut limiter = limiter();
        let one = network("10.0.0.1");
        assert!((0..3).all(|_| limiter.admit(one) == Verdict::Admitted));
        let refused = Verdict::Refused(Notice::AddressFull);
        assert!((0..MAX_REFUSED).all(|_| limiter.admit(one) == refused));
        assert_eq!(limiter.admit(one), Verdict::Ignored);
        limiter.release(one, Verdict::Ignored);
        assert_eq!(limiter.admit(one), Verdict::Ignored);
        limiter.release(one, refused);
        assert_eq!(limiter.admit(one), refused);
        assert_eq!(limiter.connections(), 3);
    }

    #[test]
    fn networks_without_connections_are_forgotten() {
        let mut limiter = limiter();
        for number in 0..1000 {
            let network = network(&format!("2001:db8:0:{number:x}::1"));
            let verdict = limiter.admit(network);
            assert_eq!(verdict, Verdict::Admitted);
            limiter.release(network, verdict);
        }
        assert!(limiter.by_network.is_empty());
    }

    #[test]
    fn joins_are_counted_by_network_and_minute() {
        let mut limiter = limiter();
        let (one, other) = (network("10.0.0.1"), network("10.0.0.2"));
        assert!((0..6).all(|_| limiter.try_join(one, MINUTE)));
        assert!(!limiter.try_join(one, MINUTE));
        assert!(limiter.try_join(other, MINUTE));
        assert!(limiter.try_join(one, MINUTE + MINUTE / 6));
        assert!(!limiter.try_join(one, MINUTE + MINUTE / 6));
    }

    #[test]
    fn the_table_of_joins_is_bounded_and_remembers_the_worst() {
        let mut limiter = limiter();
        let worst = network("10.0.0.1");
        assert!((0..6).all(|_| limiter.try_join(worst, MINUTE)));
        for number in 0..2 * u32::try_from(MAX_NETWORKS).unwrap() {
            let network = Network::Address(Ipv6Addr::from_bits(u128::from(number) << 64).into());
            assert!(limiter.try_join(network, MINUTE));
        }
        assert!(limiter.joins.len() <= MAX_NETWORKS);
        assert!(!limiter.try_join(worst, MINUTE));
        // Once every network has its whole share again, nothing is worth remembering.
        assert!(limiter.try_join(network("10.0.0.2"), 3 * MINUTE));
        assert_eq!(limiter.joins.len(), 1);
    }
}
