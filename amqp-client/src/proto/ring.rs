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
        // Half of all ids and more: what is held may lie at both ends of that, with a gap between.
        let wide = span > i32::MAX as u32;
        let mut at = match wide {
            true => 0,
            false => self.lower_bound(first, span),
        };
        while let Some((id, slot)) = self.entries.get_mut(at) {
            if id.wrapping_sub(first) > span {
                if wide {
                    at += 1;
                    continue;
                }
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
    use std::collections::BTreeMap;

    use proptest::collection::vec;
    use proptest::prelude::*;

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
    fn a_range_of_more_than_half_of_all_ids_reaches_both_ends_of_what_is_held() {
        // tests: [PRF-20] [PRF-21]
        let mut held = ring(&[0x8000_0000, 0x8000_0020, 0x9000_0000, 0x9000_0001]);
        let mut seen = Vec::new();
        held.drain_range(0x9000_0000, 0x8000_0010, |id, _| {
            seen.push(id);
            true
        });
        assert_eq!(seen, [0x8000_0000, 0x9000_0000, 0x9000_0001]);
        assert_eq!(
            held.iter().map(|(id, _)| id).collect::<Vec<_>>(),
            [0x8000_0020]
        );
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

    #[derive(Clone, Copy, Debug)]
    enum Step {
        /// An id so far behind the last one.
        Push(u32),
        /// An id between two that came: interleaved links end in any order.
        Late(usize),
        Remove(usize),
        /// Takes the entry out if its value is even.
        RemoveEven(usize),
        /// From one entry (and so much before it) over so many ids; multiples of the number go.
        Range(usize, u32, u32, u32),
        Everything(u32),
        Extract(u32),
        AnyBetween(usize, u32, u32),
    }

    fn step() -> impl Strategy<Value = Step> {
        use Step::*;
        let gap = prop_oneof![12 => 1..3u32, 1 => Just(1 << 20)];
        let at = 0..64usize;
        let span = prop_oneof![6 => 0..12u32, 1 => Just(1 << 21), 1 => Just(i32::MAX as u32 / 2)];
        prop_oneof![
            8 => gap.prop_map(Push),
            2 => at.clone().prop_map(Late),
            4 => at.clone().prop_map(Remove),
            1 => at.clone().prop_map(RemoveEven),
            3 => (at.clone(), 0..4u32, span.clone(), 1..4u32).prop_map(|(a, b, c, d)| Range(a, b, c, d)),
            1 => (2..4u32).prop_map(Everything),
            1 => (2..5u32).prop_map(Extract),
            2 => (at, 0..4u32, span).prop_map(|(a, b, c)| AnyBetween(a, b, c)),
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(200))]

        #[test]
        fn agrees_with_a_sorted_map(before_wrap in 0..300u32, steps in vec(step(), 1..400)) {
            // tests: [PRF-20] [PRF-21] [LNK-53]
            let start = u64::from(u32::MAX - before_wrap);
            let narrow = |id: u64| id as u32;
            let mut ring = Ring::default();
            let mut model = BTreeMap::new();
            // Every id that was ever used, so that settled ones are asked for, too.
            let mut used = vec![start];
            ring.push(narrow(start), start);
            model.insert(start, start);
            for step in steps {
                let pick = |at: usize| used[used.len() - 1 - at % used.len()];
                match step {
                    Step::Push(gap) => {
                        let id = used[used.len() - 1] + u64::from(gap);
                        used.push(id);
                        ring.push(narrow(id), id);
                        model.insert(id, id);
                    }
                    Step::Late(at) => {
                        let id = pick(at) + 1;
                        if model.first_key_value().is_some_and(|(first, _)| *first < id)
                            && id < used[used.len() - 1]
                            && !model.contains_key(&id)
                        {
                            ring.push(narrow(id), id);
                            model.insert(id, id);
                        }
                    }
                    Step::Remove(at) => {
                        let id = pick(at);
                        prop_assert_eq!(ring.get(narrow(id)), model.get(&id));
                        prop_assert_eq!(ring.get_mut(narrow(id)), model.get_mut(&id));
                        prop_assert_eq!(ring.remove(narrow(id)), model.remove(&id));
                        prop_assert_eq!(ring.remove(narrow(id)), None);
                    }
                    Step::RemoveEven(at) => {
                        let id = pick(at);
                        let expected = model.get(&id).copied().filter(|id| id.is_multiple_of(2));
                        prop_assert_eq!(ring.remove_if(narrow(id), |id| id.is_multiple_of(2)), expected);
                        expected.map(|id| model.remove(&id));
                    }
                    Step::Range(at, before, span, parts) => {
                        let first = pick(at) - u64::from(before);
                        let last = first + u64::from(span);
                        let expected: Vec<u64> = model.range(first..=last).map(|(id, _)| *id).collect();
                        let mut seen = Vec::new();
                        ring.drain_range(narrow(first), narrow(last), |id, wide| {
                            assert_eq!(id, narrow(*wide));
                            seen.push(*wide);
                            wide.is_multiple_of(parts.into())
                        });
                        prop_assert_eq!(&seen, &expected);
                        model.retain(|id, _| *id < first || *id > last || !id.is_multiple_of(parts.into()));
                    }
                    Step::Everything(parts) => {
                        let first = used[used.len() / 2];
                        let mut seen = 0;
                        ring.drain_range(narrow(first), narrow(first).wrapping_sub(1), |_, wide| {
                            seen += 1;
                            wide.is_multiple_of(parts.into())
                        });
                        prop_assert_eq!(seen, model.len());
                        model.retain(|id, _| !id.is_multiple_of(parts.into()));
                    }
                    Step::Extract(parts) => {
                        let gone = ring.extract(|_, wide| wide.is_multiple_of(parts.into()));
                        let goes = |id: &u64| id.is_multiple_of(parts.into());
                        let expected: Vec<(u32, u64)> = model.keys().copied().filter(goes).map(|id| (narrow(id), id)).collect();
                        model.retain(|id, _| !goes(id));
                        prop_assert_eq!(gone, expected);
                    }
                    Step::AnyBetween(at, before, span) => {
                        let first = pick(at) - u64::from(before);
                        let last = first + u64::from(span);
                        let held = model.keys().any(|id| first < *id && *id < last);
                        prop_assert_eq!(ring.any_between(narrow(first), narrow(last)), held);
                    }
                }
                prop_assert_eq!(ring.len(), model.len());
                prop_assert!(ring.iter().map(|(id, wide)| (id, *wide)).eq(model.iter().map(|(id, wide)| (narrow(*id), *wide))));
                // What has been settled costs no more than what is held.
                prop_assert!(ring.entries.len() <= 64 + 2 * model.len());
            }
        }
    }
}
