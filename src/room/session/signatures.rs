//! Wrong signatures in one member's name: after a few of them, hardly any is looked at, so that whoever is on
//! the wire cannot keep this member busy with them.

use std::time::Duration;

use crate::cipher::encoding::Digest;

/// After so many wrong ones within such a time, one at most is looked at in that time.
const A_FEW: usize = 16;
const WHILE: Duration = Duration::from_mins(1);

/// What is known of a signature.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Signature {
    Right,
    Wrong,
    /// It is wrong, and after it hardly any more is looked at.
    WrongAgain,
    /// It was not looked at.
    Unknown,
}

/// The wrong signatures in somebody's name since the last right one.
#[derive(Default)]
pub(super) struct WrongSignatures {
    /// Digests of the latest, with what they are not the signatures of. No right one follows by showing
    /// these again.
    latest: Vec<Digest>,
    /// When the first and the last of them were looked at.
    first: Duration,
    last: Duration,
}

impl WrongSignatures {
    /// Whether there are so many that hardly any more is looked at.
    pub(super) fn are_many(&self) -> bool {
        self.latest.len() >= A_FEW
    }

    /// Has a signature looked at, of which this is the digest, if that is worth it.
    pub(super) fn look(
        &mut self,
        digest: Digest,
        now: Duration,
        is_right: impl FnOnce() -> bool,
    ) -> Signature {
        if self.latest.contains(&digest) {
            return Signature::Wrong;
        }
        let were_many = self.are_many();
        if were_many && now.saturating_sub(self.last) < WHILE {
            return Signature::Unknown;
        }
        if is_right() {
            self.latest.clear();
            return Signature::Right;
        }
        if were_many {
            self.latest.remove(0);
        } else if now.saturating_sub(self.first) >= WHILE {
            self.latest.clear();
        }
        if self.latest.is_empty() {
            self.first = now;
        }
        self.latest.push(digest);
        self.last = now;
        if self.are_many() && !were_many {
            Signature::WrongAgain
        } else {
            Signature::Wrong
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Looks at one after so many seconds; whether it is right, or `None` where nobody may look.
    fn look(known: &mut WrongSignatures, digest: u8, at: u64, is_right: Option<bool>) -> Signature {
        known.look([digest; 32], Duration::from_secs(at), || {
            is_right.expect("it is not looked at")
        })
    }

    /// Looks at as many wrong ones as are a few but one, from this digest on.
    fn look_at_a_few(known: &mut WrongSignatures, first: u8, at: u64) {
        for digest in (first..).take(A_FEW - 1) {
            assert_eq!(look(known, digest, at, Some(false)), Signature::Wrong);
        }
    }

    #[test]
    fn after_a_few_wrong_ones_in_a_minute_one_a_minute_is_looked_at_until_one_is_right() {
        let mut known = WrongSignatures::default();
        look_at_a_few(&mut known, 100, 0);
        assert_eq!(look(&mut known, 3, 59, Some(false)), Signature::WrongAgain);
        for at in [59, 118] {
            assert_eq!(look(&mut known, 4, at, None), Signature::Unknown);
        }
        assert_eq!(look(&mut known, 4, 119, Some(false)), Signature::Wrong);
        assert_eq!(look(&mut known, 5, 178, None), Signature::Unknown);
        assert_eq!(look(&mut known, 5, 179, Some(true)), Signature::Right);
        assert_eq!(look(&mut known, 6, 179, Some(true)), Signature::Right);
        assert!(!known.are_many());
    }

    #[test]
    fn the_same_again_is_wrong_without_a_look_and_counts_once() {
        let mut known = WrongSignatures::default();
        assert_eq!(look(&mut known, 1, 0, Some(false)), Signature::Wrong);
        for _ in 0..100 {
            assert_eq!(look(&mut known, 1, 0, None), Signature::Wrong);
        }
        assert_eq!(look(&mut known, 2, 0, Some(true)), Signature::Right);
    }

    #[test]
    fn a_few_in_a_long_time_are_not_many() {
        let mut known = WrongSignatures::default();
        look_at_a_few(&mut known, 0, 0);
        look_at_a_few(&mut known, 100, 60);
        assert_eq!(look(&mut known, 0, 119, Some(false)), Signature::WrongAgain);
    }
}
