//! Eviction: whose kept place goes to a newcomer when everything is taken.
//!
//! A place is a member's seat in a room. The relay keeps it for a while when the member's
//! connection breaks, which costs whoever left it nothing. So a kept place counts like a connection
//! of the network that it was taken from, and is kept only for as long as nobody needs it.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::time::Instant;

use super::connections::Network;

/// A member's place that may be evicted.
pub(in crate::cmd::serve) struct Candidate<T> {
    /// The network that its connection comes from, or came from.
    pub(in crate::cmd::serve) network: Network,
    /// Since when that connection is broken; `None` while there is one.
    pub(in crate::cmd::serve) kept_since: Option<Instant>,
    /// By what the caller finds the place.
    pub(in crate::cmd::serve) place: T,
}

/// The place that a newcomer from `newcomer` gets, out of all places: a kept one, of the network
/// that has the most places, and of these the one that has been without a connection for longest.
/// It is of the newcomer's own network, or of one that still has at least as many places as the
/// newcomer's after the exchange: so nobody can drive out those who have fewer.
pub(in crate::cmd::serve) fn choose_evicted<T>(
    places: Vec<Candidate<T>>,
    newcomer: Network,
) -> Option<T> {
    let mut counts = HashMap::<Network, usize>::new();
    for candidate in &places {
        *counts.entry(candidate.network).or_default() += 1;
    }
    let count = |network| counts.get(&network).copied().unwrap_or_default();
    // The exchange takes one place from there and adds one here.
    let least = count(newcomer) + 2;
    let gives_way = |candidate: &Candidate<T>| {
        candidate.network == newcomer || count(candidate.network) >= least
    };
    let kept = places.into_iter().filter(gives_way);
    let kept = kept.filter_map(|candidate| Some((candidate.kept_since?, candidate)));
    let chosen = kept.max_by_key(|(since, candidate)| (count(candidate.network), Reverse(*since)));
    chosen.map(|(_, candidate)| candidate.place)
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;
    use std::time::Duration;

    use super::*;

    /// Each place is the last number of its address, and whether it is kept. Those that have been
    /// without a connection for longest come first.
    fn choice(places: &[(u8, bool)], newcomer: u8) -> Option<usize> {
        let network = |number: u8| Network::from(IpAddr::from([10, 0, 0, number]));
        let start = Instant::now();
        let candidate = places
            .iter()
            .enumerate()
            .map(|(place, (number, is_kept))| Candidate {
                network: network(*number),
                kept_since: is_kept.then(|| start + Duration::from_secs(place as u64)),
                place,
            });
        choose_evicted(candidate.collect(), network(newcomer))
    }

    #[test]
    fn the_longest_empty_of_the_network_with_the_most() {
        let places = [
            (1, true),
            (1, true),
            (2, true),
            (2, true),
            (2, true),
            (2, false),
        ];
        assert_eq!(choice(&places, 3), Some(2));
        assert_eq!(choice(&places, 1), Some(2));
        assert_eq!(choice(&places, 2), Some(2));
        // A network that would have more gets nobody else's place.
        assert_eq!(choice(&[(1, true), (1, true), (2, true)], 2), Some(2));
    }

    #[test]
    fn nobody_gives_way_to_a_network_that_would_have_more() {
        assert_eq!(choice(&[(1, true)], 2), None);
        assert_eq!(choice(&[(1, true), (1, true)], 2), Some(0));
        assert_eq!(choice(&[(1, true), (1, true), (2, false)], 2), None);
        assert_eq!(choice(&[(1, true), (2, false), (2, false)], 2), None);
        assert_eq!(choice(&[(1, false), (1, false), (1, false)], 2), None);
    }
}
