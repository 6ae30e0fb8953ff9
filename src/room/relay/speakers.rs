//! Who has spoken in a room lately.

use std::collections::BTreeMap;
use std::time::Duration;

/// How long somebody who has spoken counts: longer than a throttled member waits between two messages, so
/// that it does not count as silent meanwhile.
const LATELY: Duration = Duration::from_secs(2);

/// When members have spoken last, by the positions at which they joined. Whoever goes counts for as long as
/// the others: by going at once nobody makes more room for those who come.
#[derive(Default)]
pub(super) struct Speakers(BTreeMap<u64, Duration>);

impl Speakers {
    /// This member speaks. Returns how many have spoken lately, it included.
    pub(super) fn count(&mut self, joined: u64, uptime: Duration) -> u32 {
        self.0.retain(|_, last| *last + LATELY > uptime);
        self.0.insert(joined, uptime);
        u32::try_from(self.0.len()).unwrap_or(u32::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_speaks_counts_for_a_while() {
        let mut speakers = Speakers::default();
        let second = Duration::from_secs(1);
        assert_eq!(speakers.count(1, second), 1);
        assert_eq!(speakers.count(1, second), 1);
        assert_eq!(speakers.count(2, 2 * second), 2);
        assert_eq!(speakers.count(3, 3 * second), 2, "the first is silent");
        assert_eq!(speakers.count(3, 9 * second), 1);
        assert_eq!(speakers.count(4, 9 * second), 2);
    }
}
