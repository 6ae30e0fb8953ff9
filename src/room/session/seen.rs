//! What was seen once, as far as one remembers.

use std::collections::{HashMap, VecDeque};
use std::hash::Hash;

/// How much is remembered. Whoever wants something forgotten has to show so much else before.
const MAX: usize = 65_536;

/// Each thing that was seen, with what was noted of it the first time.
pub(super) struct Seen<K, V> {
    noted: HashMap<K, V>,
    /// Oldest first.
    order: VecDeque<K>,
}

impl<K, V> Default for Seen<K, V> {
    fn default() -> Self {
        Self {
            noted: HashMap::new(),
            order: VecDeque::new(),
        }
    }
}

impl<K: Copy + Eq + Hash, V: Copy> Seen<K, V> {
    /// Something is seen. Returns what was noted of it the first time: this, if that is now.
    pub(super) fn note(&mut self, key: K, value: V) -> V {
        if let Some(noted) = self.noted.get(&key) {
            return *noted;
        }
        self.noted.insert(key, value);
        self.order.push_back(key);
        if self.order.len() > MAX
            && let Some(oldest) = self.order.pop_front()
        {
            self.noted.remove(&oldest);
        }
        value
    }

    /// Whether something was seen.
    pub(super) fn contains(&self, key: K) -> bool {
        self.noted.contains_key(&key)
    }
}
