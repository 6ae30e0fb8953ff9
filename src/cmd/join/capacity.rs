//! How much this machine can open.

use std::time::{Duration, Instant};

use crate::cipher::keys::SessionKey;

use super::openers::cores;

/// How many blocks are opened to find out.
const BLOCKS: u32 = 3;

/// How many blocks a second all cores open that are encrypted to a key like this one.
pub(super) fn measure(key: &SessionKey) -> u32 {
    let block = key.public().encrypt(&[], &[]);
    let begun = Instant::now();
    for _ in 0..BLOCKS {
        key.decrypt(&[], &block);
    }
    let each = (begun.elapsed() / BLOCKS).max(Duration::from_micros(1));
    let on_one = u32::try_from(Duration::from_secs(1).as_micros() / each.as_micros());
    let cores = u32::try_from(cores()).unwrap_or(u32::MAX);
    on_one.unwrap_or(u32::MAX).saturating_mul(cores)
}

#[cfg(test)]
mod tests {
    use crate::cipher::keys::KeySize;

    use super::*;

    #[test]
    fn a_longer_key_opens_less() {
        let [short, long] =
            [KeySize::Bits2048, KeySize::Bits4096].map(|size| measure(&SessionKey::generate(size)));
        let cores = u32::try_from(cores()).unwrap();
        assert!(long < short && short / cores < 1_000_000, "{long} {short}");
    }
}
