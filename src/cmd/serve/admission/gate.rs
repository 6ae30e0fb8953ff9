//! How many connections there may be, in all and from one address, and how many joins from one. The
//! places that are kept for connections that broke count, too.
//!
//! Whoever has an address has its whole IPv6 /64, so that is what counts as one.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::time::Duration;

use crate::room::notice::Notice;
use crate::room::relay::{Bucket, Rate};

/// How many connections too many are told why at once. The others are hung up on without a word.
pub(in crate::cmd::serve) const TOLD: usize = 8;

/// How many addresses are remembered for their joins. What is forgotten beyond that is the joins
/// of those with the fewest.
const MAX_REMEMBERED: usize = 4096;

/// What a [`Gate`] allows.
#[derive(Clone, Copy, Debug)]
pub(in crate::cmd::serve) struct GateLimits {
    /// The most connections at once.
    pub(in crate::cmd::serve) connections: usize,
    /// The most threads at once: each connection has one, and each member who has none and may
    /// come back.
    pub(in crate::cmd::serve) threads: usize,
    /// The most connections at once from one network.
    pub(in crate::cmd::serve) per_network: usize,
    /// The most joins from one network.
    pub(in crate::cmd::serve) joins: Rate,
}

/// An IPv4 address or an IPv6 /64.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(in crate::cmd::serve) struct Network(IpAddr);

impl From<IpAddr> for Network {
    fn from(address: IpAddr) -> Self {
        Self(match address.to_canonical() {
            IpAddr::V4(address) => address.into(),
            IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() >> 64 << 64).into(),
        })
    }
}

/// What becomes of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::cmd::serve) enum Verdict {
    /// It is one of those that there may be.
    In,
    /// It is one too many, and told why.
    Told(Notice),
    /// It is one too many, and one too many to be told.
    Ignored,
}

/// What there is from one network.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Share {
    connections: usize,
    /// Places of those who may come back.
    kept: usize,
}

/// Counts connections and joins.
#[derive(Debug)]
pub(in crate::cmd::serve) struct Gate {
    limits: GateLimits,
    connections: usize,
    waiting: usize,
    told: usize,
    by_network: HashMap<Network, Share>,
    joins: HashMap<Network, Bucket>,
}

impl Gate {
    /// Before the first connection.
    pub(in crate::cmd::serve) fn new(limits: GateLimits) -> Self {
        Self {
            limits,
            connections: 0,
            waiting: 0,
            told: 0,
            by_network: HashMap::new(),
            joins: HashMap::new(),
        }
    }

    /// How many connections are in.
    pub(in crate::cmd::serve) fn connections(&self) -> usize {
        self.connections
    }

    /// Judges a new connection, and counts it until it leaves, which all but those that are ignored
    /// must do.
    pub(in crate::cmd::serve) fn enter(&mut self, network: Network) -> Verdict {
        match self.refusal(network) {
            None => {
                self.connections += 1;
                self.by_network.entry(network).or_default().connections += 1;
                Verdict::In
            }
            Some(notice) if self.told < TOLD => {
                self.told += 1;
                Verdict::Told(notice)
            }
            Some(_) => Verdict::Ignored,
        }
    }

    fn refusal(&self, network: Network) -> Option<Notice> {
        if self.held(network).connections >= self.limits.per_network {
            Some(Notice::AddressFull)
        } else if self.connections >= self.limits.connections
            || self.connections + self.waiting >= self.limits.threads
        {
            Some(Notice::RelayFull)
        } else {
            None
        }
    }

    /// The end of a connection of which that was the verdict.
    pub(in crate::cmd::serve) fn leave(&mut self, network: Network, verdict: Verdict) {
        match verdict {
            Verdict::In => {
                self.connections -= 1;
                self.change(network, |held| held.connections -= 1);
            }
            Verdict::Told(_) => self.told -= 1,
            Verdict::Ignored => {}
        }
    }

    /// Counts a thread that waits for a member to come back, whose connection was from there.
    pub(in crate::cmd::serve) fn wait(&mut self, network: Network) {
        self.waiting += 1;
        self.change(network, |held| held.kept += 1);
    }

    /// That one has ended.
    pub(in crate::cmd::serve) fn end_waiting(&mut self, network: Network) {
        self.waiting -= 1;
        self.change(network, |held| held.kept -= 1);
    }

    /// Whether there is more from a network than there may be, counting what is kept. Those who come
    /// back are let in all the same, as it is kept for them.
    pub(in crate::cmd::serve) fn is_over_share(&self, network: Network) -> bool {
        let held = self.held(network);
        held.connections + held.kept > self.limits.per_network
    }

    fn held(&self, network: Network) -> Share {
        self.by_network.get(&network).copied().unwrap_or_default()
    }

    fn change(&mut self, network: Network, change: impl FnOnce(&mut Share)) {
        let held = self.by_network.entry(network).or_default();
        change(held);
        if *held == Share::default() {
            self.by_network.remove(&network);
        }
    }

    /// Counts somebody who wants to join. Returns whether that may be. Times are counted from any
    /// moment, the same for all calls.
    pub(in crate::cmd::serve) fn join(&mut self, network: Network, now: Duration) -> bool {
        if self.joins.len() >= MAX_REMEMBERED && !self.joins.contains_key(&network) {
            self.forget(now);
        }
        let joins = self.joins.entry(network).or_default();
        joins.try_take(&self.limits.joins, 1, now)
    }

    /// Makes room for one more network.
    fn forget(&mut self, now: Duration) {
        self.joins.retain(|_, joins| !joins.is_full(now));
        if self.joins.len() >= MAX_REMEMBERED {
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

    fn gate() -> Gate {
        Gate::new(GateLimits {
            connections: 5,
            threads: 6,
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
        let mut gate = gate();
        let (one, other) = (network("10.0.0.1"), network("10.0.0.2"));
        assert!((0..3).all(|_| gate.enter(one) == Verdict::In));
        assert_eq!(gate.enter(one), Verdict::Told(Notice::AddressFull));
        assert!((0..2).all(|_| gate.enter(other) == Verdict::In));
        assert_eq!(gate.enter(other), Verdict::Told(Notice::RelayFull));
        assert_eq!(gate.connections(), 5);
        gate.leave(one, Verdict::In);
        assert_eq!(gate.enter(other), Verdict::In);
    }

    #[test]
    fn those_who_may_come_back_leave_fewer_threads_for_others() {
        let mut gate = gate();
        let (one, other) = (network("10.0.0.1"), network("10.0.0.2"));
        for _ in 0..3 {
            assert_eq!(gate.enter(one), Verdict::In);
            gate.leave(one, Verdict::In);
            gate.wait(one);
        }
        assert!((0..3).all(|_| gate.enter(one) == Verdict::In));
        assert_eq!(gate.enter(other), Verdict::Told(Notice::RelayFull));
        gate.end_waiting(one);
        assert_eq!(gate.enter(other), Verdict::In);
    }

    #[test]
    fn what_is_kept_counts_for_the_network_that_it_was_taken_from() {
        let mut gate = gate();
        let (one, other) = (network("10.0.0.1"), network("10.0.0.2"));
        gate.wait(one);
        assert!((0..2).all(|_| gate.enter(one) == Verdict::In));
        assert!(!gate.is_over_share(one));
        // Whoever it is kept for must be able to come back.
        assert_eq!(gate.enter(one), Verdict::In);
        assert!(gate.is_over_share(one));
        assert!(!gate.is_over_share(other));
        gate.end_waiting(one);
        assert!(!gate.is_over_share(one));
        (0..3).for_each(|_| gate.leave(one, Verdict::In));
        assert!(gate.by_network.is_empty());
    }

    #[test]
    fn few_are_told_at_once() {
        let mut gate = gate();
        let one = network("10.0.0.1");
        assert!((0..3).all(|_| gate.enter(one) == Verdict::In));
        let told = Verdict::Told(Notice::AddressFull);
        assert!((0..TOLD).all(|_| gate.enter(one) == told));
        assert_eq!(gate.enter(one), Verdict::Ignored);
        gate.leave(one, Verdict::Ignored);
        assert_eq!(gate.enter(one), Verdict::Ignored);
        gate.leave(one, told);
        assert_eq!(gate.enter(one), told);
        assert_eq!(gate.connections(), 3);
    }

    #[test]
    fn networks_without_connections_are_forgotten() {
        let mut gate = gate();
        for number in 0..1000 {
            let network = network(&format!("2001:db8:0:{number:x}::1"));
            let verdict = gate.enter(network);
            assert_eq!(verdict, Verdict::In);
            gate.leave(network, verdict);
        }
        assert!(gate.by_network.is_empty());
    }

    #[test]
    fn joins_are_counted_by_network_and_minute() {
        let mut gate = gate();
        let (one, other) = (network("10.0.0.1"), network("10.0.0.2"));
        assert!((0..6).all(|_| gate.join(one, MINUTE)));
        assert!(!gate.join(one, MINUTE));
        assert!(gate.join(other, MINUTE));
        assert!(gate.join(one, MINUTE + MINUTE / 6));
        assert!(!gate.join(one, MINUTE + MINUTE / 6));
    }

    #[test]
    fn the_table_of_joins_is_bounded_and_remembers_the_worst() {
        let mut gate = gate();
        let worst = network("10.0.0.1");
        assert!((0..6).all(|_| gate.join(worst, MINUTE)));
        for number in 0..2 * u32::try_from(MAX_REMEMBERED).unwrap() {
            let network = Network(Ipv6Addr::from_bits(u128::from(number) << 64).into());
            assert!(gate.join(network, MINUTE));
        }
        assert!(gate.joins.len() <= MAX_REMEMBERED);
        assert!(!gate.join(worst, MINUTE));
        // Once all is earned again, nothing is worth remembering.
        assert!(gate.join(network("10.0.0.2"), 3 * MINUTE));
        assert_eq!(gate.joins.len(), 1);
    }
}
