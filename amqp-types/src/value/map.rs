//! Maps that keep their order (section 1.6.23).
//!
//! Decides that keys differ and that order counts. Leaves encoding, and the search
//! for duplicates among many keys that were read, to `codec`.

use super::Value;
use std::collections::{HashMap, HashSet};
use std::fmt;
use std::hash::{Hash, Hasher};

/// Pairs of a key and a value in their order: the AMQP type `map` (section 1.6.23).
///
/// Order is part of the value: maps that differ only in it are not equal. No key
/// occurs twice. Keys are found by walking the pairs, which suits the sizes that
/// maps have in messages; [`Map::from_pairs`] builds a large map with one check.
///
/// ```
/// use amqp_types::{Map, Value};
///
/// let mut map: Map = Map::new();
/// map.insert("colour", "red");
/// map.insert("count", 3);
/// assert_eq!(map.get("colour"), Some(&Value::from("red")));
/// assert_eq!(map.insert("count", 4), Some(Value::Int(3)));
/// assert_eq!(map.len(), 2);
/// ```
// [TYP-24]
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Map<K = Value, V = Value> {
    pairs: Vec<(K, V)>,
}

/// A key occurred twice in one map (section 1.6.23).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DuplicateKey;

impl fmt::Display for DuplicateKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key occurs twice in one map")
    }
}

impl std::error::Error for DuplicateKey {}

/// Up to this many keys each is compared with every other.
const FEW: usize = 5;
/// Up to this many keys are compared only where a cheap hash is the same.
const SOME: usize = 32;

impl<K, V> Map<K, V> {
    /// No entries; allocates nothing.
    #[must_use]
    pub const fn new() -> Self {
        Self { pairs: Vec::new() }
    }

    /// No entries, but room for `capacity` of them.
    #[must_use]
    pub fn with_capacity(capacity: usize) -> Self {
        Self {
            pairs: Vec::with_capacity(capacity),
        }
    }

    /// The number of entries.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.pairs.len()
    }

    /// Whether there is no entry.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.pairs.is_empty()
    }

    /// The pairs in their order.
    #[must_use]
    #[inline]
    pub fn as_slice(&self) -> &[(K, V)] {
        &self.pairs
    }

    /// The pairs in their order.
    #[must_use]
    pub fn into_pairs(self) -> Vec<(K, V)> {
        self.pairs
    }

    /// Keys and values in their order.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = (&K, &V)> + ExactSizeIterator {
        self.pairs.iter().map(|(key, value)| (key, value))
    }

    /// Keys and values in their order; values may be changed.
    pub fn iter_mut(&mut self) -> impl DoubleEndedIterator<Item = (&K, &mut V)> {
        self.pairs.iter_mut().map(|(key, value)| (&*key, value))
    }

    /// The keys in their order.
    pub fn keys(&self) -> impl DoubleEndedIterator<Item = &K> + ExactSizeIterator {
        self.pairs.iter().map(|(key, _)| key)
    }

    /// The values in the order of their keys.
    pub fn values(&self) -> impl DoubleEndedIterator<Item = &V> + ExactSizeIterator {
        self.pairs.iter().map(|(_, value)| value)
    }

    /// Removes every entry.
    pub fn clear(&mut self) {
        self.pairs.clear();
    }

    /// Keeps the entries that `keep` says yes to.
    pub fn retain(&mut self, mut keep: impl FnMut(&K, &mut V) -> bool) {
        self.pairs.retain_mut(|(key, value)| keep(key, value));
    }
}

impl<K: PartialEq, V> Map<K, V> {
    /// Sets `key` to `value` and returns the value that it replaces. A new key goes
    /// to the end; a known one keeps its place.
    // [TYP-23]
    pub fn insert(&mut self, key: impl Into<K>, value: impl Into<V>) -> Option<V> {
        let (key, value) = (key.into(), value.into());
        match self.pairs.iter_mut().find(|(known, _)| *known == key) {
            Some((_, old)) => Some(std::mem::replace(old, value)),
            None => {
                self.pairs.push((key, value));
                None
            }
        }
    }

    /// The value of `key`. For a string key, text will do.
    pub fn get<Q: ?Sized>(&self, key: &Q) -> Option<&V>
    where
        K: PartialEq<Q>,
    {
        self.pairs
            .iter()
            .find(|(known, _)| known == key)
            .map(|(_, value)| value)
    }

    /// The value of `key`, to be changed.
    pub fn get_mut<Q: ?Sized>(&mut self, key: &Q) -> Option<&mut V>
    where
        K: PartialEq<Q>,
    {
        self.pairs
            .iter_mut()
            .find(|(known, _)| known == key)
            .map(|(_, value)| value)
    }

    /// Whether `key` has an entry.
    pub fn contains_key<Q: ?Sized>(&self, key: &Q) -> bool
    where
        K: PartialEq<Q>,
    {
        self.get(key).is_some()
    }

    /// Takes the entry of `key` out; the others keep their order.
    pub fn remove<Q: ?Sized>(&mut self, key: &Q) -> Option<V>
    where
        K: PartialEq<Q>,
    {
        let index = self.pairs.iter().position(|(known, _)| known == key)?;
        Some(self.pairs.remove(index).1)
    }
}

impl<K: Eq + Hash, V> Map<K, V> {
    /// A map of these pairs.
    ///
    /// # Errors
    /// Where a key occurs twice.
    pub fn from_pairs(pairs: Vec<(K, V)>) -> Result<Self, DuplicateKey> {
        if has_duplicate(&pairs) {
            return Err(DuplicateKey);
        }
        Ok(Self { pairs })
    }
}

/// Whether a key occurs twice. Many keys go through a hash set whose seed a peer does
/// not know, so that no choice of keys costs it little and us much.
// [TYP-23]
fn has_duplicate<K: Eq + Hash, V>(pairs: &[(K, V)]) -> bool {
    let occurs_before = |index: usize| {
        let (before, from) = pairs.split_at(index);
        from.first()
            .is_some_and(|(key, _)| before.iter().any(|(earlier, _)| earlier == key))
    };
    match pairs.len() {
        0 | 1 => false,
        2..=FEW => (1..pairs.len()).any(occurs_before),
        count if count <= SOME => {
            let mut seen = [0u64; 4];
            (0..count).any(|index| {
                let hash = CheapHash::of(&pairs[index].0);
                let (word, bit) = (usize::from(hash >> 6), 1 << (hash & 63));
                let maybe = seen[word] & bit != 0;
                seen[word] |= bit;
                maybe && occurs_before(index)
            })
        }
        count => {
            let mut seen = HashSet::with_capacity(count);
            !pairs.iter().all(|(key, _)| seen.insert(key))
        }
    }
}

/// A hash of eight bits that costs little: it only saves comparisons.
struct CheapHash(u64);

impl CheapHash {
    fn of<K: Hash>(key: &K) -> u8 {
        let mut hash = Self(0);
        key.hash(&mut hash);
        hash.0.to_be_bytes()[0]
    }

    #[inline]
    const fn add(&mut self, word: u64) {
        self.0 = (self.0.rotate_left(23) ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    }
}

impl Hasher for CheapHash {
    #[inline]
    fn write(&mut self, octets: &[u8]) {
        let (words, rest) = octets.as_chunks::<8>();
        for word in words {
            self.add(u64::from_ne_bytes(*word));
        }
        for octet in rest {
            self.add((*octet).into());
        }
    }

    #[inline]
    fn write_u8(&mut self, n: u8) {
        self.add(n.into());
    }

    #[inline]
    fn write_u32(&mut self, n: u32) {
        self.add(n.into());
    }

    #[inline]
    fn write_u64(&mut self, n: u64) {
        self.add(n);
    }

    #[inline]
    fn write_usize(&mut self, n: usize) {
        self.add(n as u64);
    }

    #[inline]
    fn write_isize(&mut self, n: isize) {
        self.add(n.cast_unsigned() as u64);
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

impl Map {
    /// A copy that keeps no read buffer alive, see [`Value::to_compact`].
    #[must_use]
    pub fn to_compact(&self) -> Self {
        let pairs = self.pairs.iter();
        Self {
            pairs: pairs
                .map(|(key, value)| (key.to_compact(), value.to_compact()))
                .collect(),
        }
    }
}

impl<K, V> Default for Map<K, V> {
    fn default() -> Self {
        Self::new()
    }
}

/// A later entry of the same key replaces the value of an earlier one.
impl<A: Into<K>, B: Into<V>, K: Eq + Hash, V> FromIterator<(A, B)> for Map<K, V> {
    fn from_iter<I: IntoIterator<Item = (A, B)>>(entries: I) -> Self {
        let entries = entries.into_iter();
        let mut pairs: Vec<(K, V)> = entries.map(|(k, v)| (k.into(), v.into())).collect();
        if has_duplicate(&pairs) {
            merge_duplicates(&mut pairs);
        }
        Self { pairs }
    }
}

/// Gives the first entry of each key the value of its last, and drops the others.
fn merge_duplicates<K: Eq + Hash, V>(pairs: &mut Vec<(K, V)>) {
    let mut first_of = HashMap::with_capacity(pairs.len());
    let place: Vec<usize> = (pairs.iter().enumerate())
        .map(|(index, (key, _))| *first_of.entry(key).or_insert(index))
        .collect();
    let mut kept: Vec<Option<(K, V)>> = Vec::with_capacity(pairs.len());
    for ((key, value), place) in pairs.drain(..).zip(place) {
        match kept.get_mut(place) {
            Some(Some((_, earlier))) => {
                *earlier = value;
                kept.push(None);
            }
            _ => kept.push(Some((key, value))),
        }
    }
    pairs.extend(kept.into_iter().flatten());
}

/// A later entry of the same key replaces the value of an earlier one.
impl<A: Into<K>, B: Into<V>, K: Eq + Hash, V> Extend<(A, B)> for Map<K, V> {
    fn extend<I: IntoIterator<Item = (A, B)>>(&mut self, entries: I) {
        for (key, value) in entries {
            self.insert(key, value);
        }
    }
}

impl<A: Into<K>, B: Into<V>, K: Eq + Hash, V, const N: usize> From<[(A, B); N]> for Map<K, V> {
    fn from(entries: [(A, B); N]) -> Self {
        entries.into_iter().collect()
    }
}

impl<K, V> IntoIterator for Map<K, V> {
    type Item = (K, V);
    type IntoIter = std::vec::IntoIter<(K, V)>;

    fn into_iter(self) -> Self::IntoIter {
        self.pairs.into_iter()
    }
}

impl<K: fmt::Debug, V: fmt::Debug> fmt::Debug for Map<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // tests: [TYP-23]
    #[test]
    fn a_key_occurs_once() {
        let mut map = Map::<Value>::from([("a", 1), ("b", 2), ("a", 3)]);
        assert_eq!(map.as_slice()[0], (Value::from("a"), Value::from(3)));
        assert_eq!(map.len(), 2);
        assert_eq!(map.insert("b", 4), Some(Value::from(2)));
        assert_eq!(
            Map::<Value, i32>::from_pairs(vec![(1.into(), 1), (1.into(), 2)]),
            Err(DuplicateKey)
        );
    }

    #[test]
    fn many_keys_are_checked_as_few_are() {
        let pairs: Vec<(u32, u32)> = (0..1000).map(|n| (n, n)).collect();
        assert!(Map::from_pairs(pairs.clone()).is_ok());
        let twice = pairs
            .iter()
            .chain(&pairs)
            .map(|&(k, v)| (k, v + 1))
            .collect();
        assert_eq!(Map::<u32, u32>::from_pairs(twice), Err(DuplicateKey));
        let merged: Map<u32, u32> = pairs.iter().chain(&pairs[..7]).copied().collect();
        assert_eq!(merged.as_slice(), pairs);
    }

    #[test]
    fn removal_keeps_the_order_of_the_others() {
        let mut map = Map::<Value>::from([("a", 1), ("b", 2), ("c", 3)]);
        assert_eq!(map.remove("b"), Some(Value::from(2)));
        assert_eq!(map, Map::from([("a", 1), ("c", 3)]));
        map.retain(|_, value| value.as_i64() == Some(3));
        assert!(!map.contains_key("a"));
    }
}
