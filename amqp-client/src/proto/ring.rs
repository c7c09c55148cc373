//! A map from delivery-ids to what is held for them, in the order of the ids.
//!
//! Decides how unsettled deliveries are stored: a queue sorted by serial number (RFC 1982), with
//! holes that are squeezed out when they outnumber what is held. A lookup is one subtraction while
//! the ids are contiguous and a binary search otherwise. Ranges cost what is held, not what they
//! span. What the entries mean is left to [`super::delivery`]. Section 2.6.12, 2.7.6.

use std::collections::VecDeque;

/// Entries sorted by a wrapping 32-bit id.
#[derive(Debug)]
pub(crate) struct Ring<T> {
    entries: VecDeque<(u32, Option<T>)>,
    live: usize,
}

impl<T> Default for Ring<T> {
    fn default() -> Self {
        Self {
            entries: VecDeque::new(),
            live: 0,
        }
    }
}

impl<T> Ring<T> {
    /// How many entries are held.
    pub(crate) fn len(&self) -> usize {
        self.live
    }

    /// Adds an entry. Mostly its id follows all that are held; of deliveries that are interleaved over
    /// several links one with an earlier id may come later. [LNK-53]
    pub(crate) fn push(&mut self, id: u32, value: T) {
        self.live += 1;
        let follows = |(last, _): &(u32, Option<T>)| (id.wrapping_sub(*last) as i32) > 0;
        if self.entries.back().is_none_or(follows) {
            self.entries.push_back((id, Some(value)));
            return;
        }
        let at = self.entries.partition_point(follows);
        match self.entries.get_mut(at) {
            // A hole that an entry of the same id left.
            Some((held, slot @ None)) if *held == id => *slot = Some(value),
            _ => self.entries.insert(at, (id, Some(value))),
        }
    }

    pub(crate) fn get(&self, id: u32) -> Option<&T> {
        let at = self.position(id)?;
        self.entries[at].1.as_ref()
    }

    pub(crate) fn get_mut(&mut self, id: u32) -> Option<&mut T> {
        let at = self.position(id)?;
        self.entries[at].1.as_mut()
    }

    /// Takes one entry out.
    pub(crate) fn remove(&mut self, id: u32) -> Option<T> {
        self.remove_if(id, |_| true)
    }

    /// Takes one entry out if `f` answers `true` for it.
    pub(crate) fn remove_if(&mut self, id: u32, f: impl FnOnce(&T) -> bool) -> Option<T> {
        let at = self.position(id)?;
        let value = self.entries[at].1.take_if(|value| f(value))?;
        self.live -= 1;
        self.tidy();
        Some(value)
    }

    /// Calls `f` for every held entry of `first..=last` in order; an entry for which it answers
    /// `true` is taken out. Costs what is held within the range. [PRF-20] [PRF-21]
    pub(crate) fn drain_range(
        &mut self,
        first: u32,
        last: u32,
        mut f: impl FnMut(u32, &mut T) -> bool,
    ) {
        let span = last.wrapping_sub(first);
        let mut at = self.lower_bound(first, span);
        while let Some((id, slot)) = self.entries.get_mut(at) {
            if id.wrapping_sub(first) > span {
                break;
            }
            if let Some(value) = slot
                && f(*id, value)
            {
                *slot = None;
                self.live -= 1;
            }
            at += 1;
        }
        self.tidy();
    }

    /// Takes out every entry for which `f` answers `true`, in order.
    pub(crate) fn extract(&mut self, mut f: impl FnMut(u32, &mut T) -> bool) -> Vec<(u32, T)> {
        let mut out = Vec::new();
        for (id, slot) in &mut self.entries {
            if let Some(value) = slot
                && f(*id, value)
                && let Some(value) = slot.take()
            {
                self.live -= 1;
                out.push((*id, value));
            }
        }
        self.tidy();
        out
    }

    /// Every held entry, oldest first.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (u32, &T)> {
        self.entries
            .iter()
            .filter_map(|(id, slot)| slot.as_ref().map(|value| (*id, value)))
    }

    /// Whether an entry is held strictly between two ids.
    pub(crate) fn any_between(&self, after: u32, before: u32) -> bool {
        let first = after.wrapping_add(1);
        let span = before.wrapping_sub(first);
        if span == 0 || span == u32::MAX {
            return false;
        }
        let mut at = self.lower_bound(first, span - 1);
        while let Some((id, slot)) = self.entries.get(at) {
            if id.wrapping_sub(first) >= span {
                return false;
            }
            if slot.is_some() {
                return true;
            }
            at += 1;
        }
        false
    }

    fn position(&self, id: u32) -> Option<usize> {
        let front = self.entries.front()?.0;
        let distance = id.wrapping_sub(front);
        let guess = distance as usize;
        if let Some((at, _)) = self.entries.get(guess)
            && *at == id
        {
            return Some(guess);
        }
        self.entries
            .binary_search_by_key(&distance, |(at, _)| at.wrapping_sub(front))
            .ok()
    }

    /// The index of the first entry at or after `first`, or past the end.
    fn lower_bound(&self, first: u32, span: u32) -> usize {
        let Some((front, _)) = self.entries.front() else {
            return 0;
        };
        if front.wrapping_sub(first) <= span {
            return 0;
        }
        let distance = first.wrapping_sub(*front);
        let guess = distance as usize;
        if self.entries.get(guess).is_some_and(|(at, _)| *at == first) {
            return guess;
        }
        self.entries
            .partition_point(|(at, _)| at.wrapping_sub(*front) < distance)
    }

    fn tidy(&mut self) {
        while let Some((_, None)) = self.entries.front() {
            self.entries.pop_front();
        }
        if self.entries.len() > 64 && self.live * 2 < self.entries.len() {
            self.entries.retain(|(_, slot)| slot.is_some());
        }
        if self.entries.is_empty() && self.entries.capacity() > 4096 {
            self.entries.shrink_to(64);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Ring;

    fn ring(ids: &[u32]) -> Ring<u32> {
        let mut ring = Ring::default();
        for id in ids {
            ring.push(*id, *id);
        }
        ring
    }

    #[test]
    fn a_late_id_is_put_where_it_belongs() {
        // tests: [LNK-53] [PRF-20]
        let mut ring = Ring::default();
        for id in [1, 2, u32::MAX, 0] {
            ring.push(id, id);
        }
        let ids: Vec<u32> = ring.iter().map(|(id, _)| id).collect();
        assert_eq!(ids, [u32::MAX, 0, 1, 2]);
        assert_eq!((ring.remove(0), ring.len()), (Some(0), 3));
        ring.push(0, 7);
        assert_eq!((ring.get(0), ring.len()), (Some(&7), 4));
    }

    #[test]
    fn a_range_wraps_around_zero() {
        // tests: [PRF-20]
        let mut held = ring(&[0xffff_fffe, 0xffff_ffff, 0, 1, 2]);
        let mut seen = Vec::new();
        held.drain_range(0xffff_fffe, 1, |id, _| {
            seen.push(id);
            true
        });
        assert_eq!(seen, [0xffff_fffe, 0xffff_ffff, 0, 1]);
        assert_eq!(held.iter().map(|(id, _)| id).collect::<Vec<_>>(), [2]);
    }

    #[test]
    fn a_range_over_everything_costs_what_is_held() {
        // tests: [PRF-21]
        let mut held = ring(&[5, 6, 900]);
        let mut seen = 0;
        held.drain_range(0, u32::MAX, |_, _| {
            seen += 1;
            true
        });
        assert_eq!(seen, 3);
        assert_eq!(held.len(), 0);
    }

    #[test]
    fn a_straggler_does_not_keep_the_settled_ones_behind_it() {
        let mut held = Ring::default();
        held.push(0, ());
        for id in 1..100_000 {
            held.push(id, ());
            assert!(held.remove(id).is_some());
        }
        assert_eq!(held.len(), 1);
        assert!(held.entries.len() <= 130);
        assert!(held.get(0).is_some());
        assert!(held.remove(99_999).is_none());
    }

    #[test]
    fn agrees_with_a_sorted_map() {
        let mut held = Ring::default();
        let mut model = std::collections::BTreeMap::new();
        let start = u32::MAX - 500;
        let mut random = 7u64;
        let mut next = 0u32;
        for _ in 0..20_000 {
            random = random
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            let roll = (random >> 33) as u32;
            match roll % 4 {
                0 | 1 => {
                    next += 1 + (roll >> 8) % 2;
                    held.push(start.wrapping_add(next), next);
                    model.insert(next, next);
                }
                2 => {
                    let id = (roll >> 4) % (next + 2);
                    assert_eq!(held.remove(start.wrapping_add(id)), model.remove(&id));
                }
                _ => {
                    let first = (roll >> 4) % (next + 2);
                    let last = first + (roll >> 20) % 8;
                    let mut seen = Vec::new();
                    held.drain_range(
                        start.wrapping_add(first),
                        start.wrapping_add(last),
                        |_, v| {
                            seen.push(*v);
                            *v % 3 == 0
                        },
                    );
                    let expected: Vec<u32> = model.range(first..=last).map(|(k, _)| *k).collect();
                    assert_eq!(seen, expected);
                    for id in expected.iter().filter(|v| *v % 3 == 0) {
                        model.remove(id);
                    }
                }
            }
            assert_eq!(held.len(), model.len());
        }
        assert!(model.values().eq(held.iter().map(|(_, v)| v)));
    }
}
