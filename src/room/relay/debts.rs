//! What those still owe who have gone out of a room: it is for whoever comes from their address soon, as
//! otherwise a member could shed it by coming anew, under another identity if need be.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use super::throttle::Throttle;

/// What is owed for longer is let off: whoever comes from an address later may be somebody else.
const OWED_AT_MOST: Duration = Duration::from_secs(30);

/// For how many addresses this is remembered: those that owe most.
const KNOWN_ADDRESSES: usize = 1024;

/// What is owed, by address.
#[derive(Default)]
pub(super) struct Debts(BTreeMap<IpAddr, Throttle>);

impl Debts {
    /// A member goes that came from this address.
    pub(super) fn leave(&mut self, address: IpAddr, throttle: &Throttle, now: Duration) {
        let mut owed = *throttle;
        owed.let_off(now + OWED_AT_MOST);
        self.0.retain(|_, owed| owed.owes_until() > now);
        if owed.owes_until() <= now {
            return;
        }
        let before = self.0.entry(address).or_insert(owed);
        before.inherit(&owed);
        if self.0.len() > KNOWN_ADDRESSES {
            let least = self.0.iter().min_by_key(|(_, owed)| owed.owes_until());
            if let Some(address) = least.map(|(address, _)| *address) {
                self.0.remove(&address);
            }
        }
    }

    /// What is owed by whoever comes from this address.
    pub(super) fn of(&self, address: IpAddr) -> Option<&Throttle> {
        self.0.get(&address)
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::super::throttle::Cost;
    use super::*;
    use crate::room::frame::RelayLimits;

    const SECOND: Duration = Duration::from_secs(1);

    fn address(number: usize) -> IpAddr {
        Ipv4Addr::from_bits(number.try_into().unwrap()).into()
    }

    /// What a member owes for so many seconds from the first on.
    fn owed_for(seconds: u64) -> Throttle {
        let mut throttle = Throttle::new(&RelayLimits {
            bytes: 1,
            ..RelayLimits::default()
        });
        let cost = Cost {
            bytes: seconds,
            ..Cost::default()
        };
        throttle.take(&cost, None, SECOND);
        throttle
    }

    #[test]
    fn an_address_owes_the_most_that_anybody_left_for_half_a_minute_at_most() {
        let mut debts = Debts::default();
        for seconds in [7, 20, 5] {
            debts.leave(address(1), &owed_for(seconds), SECOND);
        }
        debts.leave(address(2), &owed_for(1000), SECOND);
        debts.leave(address(3), &owed_for(0), SECOND);
        let until = |number| debts.of(address(number)).map(Throttle::owes_until);
        assert_eq!(until(1), Some(21 * SECOND));
        assert_eq!(until(2), Some(31 * SECOND));
        assert_eq!(until(3), None);
    }

    #[test]
    fn what_is_paid_is_forgotten_and_of_too_many_whoever_owes_least() {
        let mut debts = Debts::default();
        for number in 0..KNOWN_ADDRESSES {
            debts.leave(address(number), &owed_for(10), SECOND);
        }
        debts.leave(address(KNOWN_ADDRESSES), &owed_for(9), SECOND);
        assert!(debts.of(address(KNOWN_ADDRESSES)).is_none());
        debts.leave(address(KNOWN_ADDRESSES), &owed_for(11), SECOND);
        assert!(debts.of(address(KNOWN_ADDRESSES)).is_some());
        assert_eq!(debts.0.len(), KNOWN_ADDRESSES);
        debts.leave(address(0), &owed_for(20), 11 * SECOND);
        assert_eq!(debts.0.len(), 2);
    }
}
