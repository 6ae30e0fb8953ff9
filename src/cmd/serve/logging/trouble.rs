//! A trouble that comes and goes: its beginning and its end are news, its repetitions are not.

use std::time::Duration;

/// How long there must be peace before the trouble counts as over.
const PEACE: Duration = Duration::from_secs(10);

/// Times are counted from any moment, the same for all calls.
#[derive(Debug, Default)]
pub(in crate::cmd::serve) struct Trouble {
    latest: Option<Duration>,
    times: u64,
}

impl Trouble {
    /// It happens. Returns whether that is news.
    pub(in crate::cmd::serve) fn happens(&mut self, now: Duration) -> bool {
        self.times += 1;
        self.latest.replace(now).is_none()
    }

    /// How often it happened, once it is over.
    pub(in crate::cmd::serve) fn ended(&mut self, now: Duration) -> Option<u64> {
        self.latest
            .take_if(|latest| now.saturating_sub(*latest) >= PEACE)
            .map(|_| std::mem::take(&mut self.times))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_begins_once_and_ends_once() {
        let mut trouble = Trouble::default();
        let mut now = PEACE;
        assert_eq!(trouble.ended(now), None);
        assert!(trouble.happens(now));
        for _ in 0..50 {
            now += PEACE / 2;
            assert_eq!(trouble.ended(now), None);
            assert!(!trouble.happens(now));
        }
        assert_eq!(trouble.ended(now + PEACE), Some(51));
        assert_eq!(trouble.ended(now + 2 * PEACE), None);
        assert!(trouble.happens(now + 2 * PEACE));
        assert_eq!(trouble.ended(now + 3 * PEACE), Some(1));
    }
}
