//! Eviction: whose kept place goes to a newcomer when everything is taken.
//!
//! A place is a member's seat in a room. The relay keeps it for a while when the member's
//! connection breaks, which costs whoever left it nothing. So a kept place counts like a connection
//! of the network that it was taken from, and is kept only for as long as nobody needs it.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::time::{Duration, Instant};

use super::connections::Network;

/// Whoever has no connection for so long is asleep, and comes back in hours, or never.
const ASLEEP_AFTER: Duration = Duration::from_mins(1);

/// A member's place that may be evicted.
pub(in crate::cmd::serve) struct Candidate<T> {
    /// The network that its connection comes from, or came from.
    pub(in crate::cmd::serve) network: Network,
    /// Since when that connection is broken; `None` while there is one.
    pub(in crate::cmd::serve) kept_since: Option<Instant>,
    /// By what the caller finds the place.
    pub(in crate::cmd::serve) place: T,
}

impl<T> Candidate<T> {
    /// Since when it is kept, if its member is asleep.
    pub(in crate::cmd::serve) fn asleep_since(&self, now: Instant) -> Option<Instant> {
        let is_over = |since: &Instant| now.saturating_duration_since(*since) >= ASLEEP_AFTER;
        self.kept_since.filter(is_over)
    }
}

/// The place that a newcomer from `newcomer` gets, out of all places: a kept one, of the network
/// that has the most places, and of these the one that has been without a connection for longest.
/// It is of the newcomer's own network, or of one that still has at least as many places as the
/// newcomer's after the exchange: so nobody can drive out those who have fewer. Whoever is asleep gives way
/// to one network with fewer places more: or else some who sleep at one address each would keep everybody
/// out for hours.
pub(in crate::cmd::serve) fn choose_evicted<T>(
    places: Vec<Candidate<T>>,
    newcomer: Network,
    now: Instant,
) -> Option<T> {
    let mut counts = HashMap::<Network, usize>::new();
    for candidate in &places {
        *counts.entry(candidate.network).or_default() += 1;
    }
    let count = |network| counts.get(&network).copied().unwrap_or_default();
    let gives_way = |candidate: &Candidate<T>| {
        let is_asleep = candidate.asleep_since(now).is_some();
        // The exchange takes one place from there and adds one here.
        let least = count(newcomer) + if is_asleep { 1 } else { 2 };
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
        choice_after(Duration::ZERO, places, newcomer)
    }

    /// The same so long after the first of them broke.
    fn choice_after(time: Duration, places: &[(u8, bool)], newcomer: u8) -> Option<usize> {
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
        choose_evicted(candidate.collect(), network(newcomer), start + time)
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

    #[test]
    fn those_who_sleep_at_one_address_each_keep_nobody_out() {
        let each = [(1, true), (2, true), (3, false), (4, true)];
        let asleep =
            |places: &[(u8, bool)], newcomer| choice_after(2 * ASLEEP_AFTER, places, newcomer);
        assert_eq!(asleep(&each, 5), Some(0), "it has been empty for longest");
        assert_eq!(choice(&each, 5), None, "it was left just now");
        // After that, nobody has less than whoever has come.
        let next = [(2, true), (3, false), (4, true), (5, false)];
        assert_eq!(asleep(&next, 5), None);
        assert_eq!(asleep(&next, 6), Some(0));
        assert_eq!(asleep(&[(1, false), (2, false)], 3), None, "they are there");
        // Those who are fewer are safe from those who are more.
        let few = [(1, true), (5, false), (5, true), (5, true)];
        assert_eq!(asleep(&few, 5), Some(2));
        assert_eq!(asleep(&few[..2], 5), None);
        // Who broke off just now is not asleep.
        let young = [(1, true); 1];
        assert_eq!(choice_after(ASLEEP_AFTER / 2, &young, 2), None);
    }
}
