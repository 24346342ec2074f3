//! Values in memory, the most recently used ones up to a number of bytes.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Mutex, PoisonError};

/// A bounded cache.
#[derive(Debug)]
pub(crate) struct Recent<K, V> {
    most: usize,
    held: Mutex<Held<K, V>>,
}

#[derive(Debug)]
struct Held<K, V> {
    values: HashMap<K, Entry<V>>,
    bytes: usize,
    clock: u64,
}

#[derive(Debug)]
struct Entry<V> {
    value: V,
    bytes: usize,
    used: u64,
}

impl<K: Clone + Eq + Hash, V: Clone> Recent<K, V> {
    pub(crate) fn new(most: usize) -> Self {
        Self { most, held: Mutex::new(Held { values: HashMap::new(), bytes: 0, clock: 0 }) }
    }

    pub(crate) fn get(&self, key: &K) -> Option<V> {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        held.clock += 1;
        let clock = held.clock;
        let entry = held.values.get_mut(key)?;
        entry.used = clock;
        Some(entry.value.clone())
    }

    /// Keeps a value of so many bytes, if it fits at all.
    pub(crate) fn put(&self, key: K, value: V, bytes: usize) {
        if bytes > self.most {
            return;
        }
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        held.clock += 1;
        let entry = Entry { value, bytes, used: held.clock };
        held.bytes += bytes;
        if let Some(old) = held.values.insert(key, entry) {
            held.bytes -= old.bytes;
        }
        while held.bytes > self.most {
            let oldest = held.values.iter().min_by_key(|(_, entry)| entry.used).map(|(key, _)| key.clone());
            let Some(old) = oldest.and_then(|key| held.values.remove(&key)) else { return };
            held.bytes -= old.bytes;
        }
    }

    /// Forgets the values of some keys.
    pub(crate) fn forget(&self, is_old: impl Fn(&K) -> bool) {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        held.values.retain(|key, _| !is_old(key));
        held.bytes = held.values.values().map(|entry| entry.bytes).sum();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_least_recently_used_value_makes_room() {
        let recent = Recent::new(10);
        recent.put("a", 1, 4);
        recent.put("b", 2, 4);
        assert_eq!(recent.get(&"a"), Some(1));
        recent.put("c", 3, 4);
        assert_eq!((recent.get(&"a"), recent.get(&"b"), recent.get(&"c")), (Some(1), None, Some(3)));
        recent.put("d", 4, 11);
        assert_eq!(recent.get(&"d"), None);
        recent.put("a", 5, 6);
        assert_eq!((recent.get(&"a"), recent.get(&"c")), (Some(5), Some(3)));
        recent.forget(|key| *key == "a");
        assert_eq!(recent.get(&"a"), None);
    }
}
