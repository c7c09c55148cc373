//! Dispositions that are owed: collected one by one, written as the widest ranges.
//!
//! Decides which deliveries share one disposition frame. Who may settle what is left to the
//! session. Sections 2.6.12, 2.7.6.

use amqp_types::messaging::DeliveryState;
use amqp_types::transport::{DeliveryNumber, Disposition, Role};

/// One delivery's state as it is to be reported.
#[derive(Debug)]
struct Entry {
    id: u32,
    settled: bool,
    state: Option<DeliveryState>,
}

/// The dispositions of one role in one session that wait to be written.
#[derive(Debug, Default)]
pub(crate) struct Dispositions {
    entries: Vec<Entry>,
}

impl Dispositions {
    pub(crate) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    pub(crate) fn push(&mut self, id: u32, settled: bool, state: Option<DeliveryState>) {
        self.entries.push(Entry { id, settled, state });
    }

    /// Hands out the frames that report everything that is owed, in the order of the ids, each as
    /// wide as equal neighbours allow. `held_between` says whether a delivery that is not among
    /// the owed ones lies strictly between two ids: a range never covers one.
    pub(crate) fn drain(
        &mut self,
        role: Role,
        held_between: impl Fn(u32, u32) -> bool,
        mut write: impl FnMut(&Disposition),
    ) {
        if let Some(base) = self.entries.first().map(|e| e.id) {
            let ascending = self
                .entries
                .windows(2)
                .all(|pair| serial_before(pair[0].id, pair[1].id));
            if !ascending {
                // The sort is stable: two reports on one delivery keep their order.
                self.entries
                    .sort_by_key(|entry| entry.id.wrapping_sub(base) as i32);
            }
        }
        let mut owed = std::mem::take(&mut self.entries);
        let mut entries = owed.drain(..).peekable();
        while let Some(first) = entries.next() {
            let mut last = first.id;
            while let Some(next) = entries.peek() {
                let adjacent = next.id == last.wrapping_add(1)
                    || (next.id != last && !held_between(last, next.id));
                if !adjacent || next.settled != first.settled || next.state != first.state {
                    break;
                }
                last = next.id;
                entries.next();
            }
            let mut frame = Disposition::new(role, DeliveryNumber(first.id));
            frame.last = (last != first.id).then_some(DeliveryNumber(last));
            frame.settled = first.settled;
            frame.state = first.state;
            write(&frame);
        }
        drop(entries);
        if owed.capacity() <= 8192 {
            self.entries = owed;
        }
    }
}

fn serial_before(a: u32, b: u32) -> bool {
    (b.wrapping_sub(a) as i32) > 0
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use amqp_types::messaging::{Accepted, Released};
    use proptest::collection::vec;
    use proptest::prelude::*;
    use proptest::sample::Index;

    use super::*;

    fn ranges(owed: &[(u32, DeliveryState)], held: &[u32]) -> Vec<(u32, u32, DeliveryState)> {
        let mut dispositions = Dispositions::default();
        for (id, state) in owed {
            dispositions.push(*id, true, Some(state.clone()));
        }
        let mut out = Vec::new();
        dispositions.drain(
            Role::Receiver,
            |a, b| {
                held.iter()
                    .any(|id| serial_before(a, *id) && serial_before(*id, b))
            },
            |frame| {
                let first = frame.first.0;
                let last = frame.last.map_or(first, |last| last.0);
                out.push((first, last, frame.state.clone().expect("a state was given")));
            },
        );
        assert!(dispositions.is_empty());
        out
    }

    #[test]
    fn neighbours_with_one_outcome_share_a_frame() {
        let accepted = DeliveryState::from(Accepted::default());
        let released = DeliveryState::from(Released::default());
        let owed = [
            (3, accepted.clone()),
            (1, accepted.clone()),
            (2, accepted.clone()),
            (4, released.clone()),
            (6, released.clone()),
        ];
        assert_eq!(
            ranges(&owed, &[5]),
            [(1, 3, accepted), (4, 4, released.clone()), (6, 6, released)]
        );
    }

    #[test]
    fn a_range_spans_ids_that_are_settled_already_and_wraps() {
        let accepted = DeliveryState::from(Accepted::default());
        let owed = [
            (u32::MAX - 1, accepted.clone()),
            (u32::MAX, accepted.clone()),
            (2, accepted.clone()),
        ];
        assert_eq!(ranges(&owed, &[]), [(u32::MAX - 1, 2, accepted)]);
    }

    /// What is reported of one delivery, by number: 0 to 2 settle it, 3 does not.
    fn report(kind: u8) -> (bool, Option<DeliveryState>) {
        match kind {
            0 => (true, Some(Accepted::default().into())),
            1 => (true, Some(Released::default().into())),
            2 => (true, None),
            _ => (false, Some(Accepted::default().into())),
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(500))]

        #[test]
        fn ranges_say_the_same_as_one_by_one_and_are_as_wide_as_can_be(
            before_wrap in 0..40u32,
            // For each delivery-id: not reported and still held, settled long ago, or the reports to come.
            ids in vec(prop_oneof![
                2 => Just(None),
                2 => Just(Some(vec![])),
                8 => vec(prop_oneof![6 => Just(0u8), 1 => Just(1), 1 => Just(2), 1 => Just(3)], 1..3).prop_map(Some),
            ], 1..80),
            swaps in vec((any::<Index>(), any::<Index>()), 0..40),
        ) {
            // tests: [PRF-20] [PRF-21]
            let start = u64::from(u32::MAX - before_wrap);
            let held: BTreeSet<u64> = ids.iter().enumerate().filter(|(_, id)| id.is_none()).map(|(at, _)| start + at as u64).collect();
            let mut reports: Vec<(u64, u8)> = ids
                .iter()
                .enumerate()
                .flat_map(|(at, kinds)| kinds.iter().flatten().map(move |kind| (start + at as u64, *kind)))
                .collect();
            let count = reports.len();
            for (a, b) in swaps.iter().filter(|_| count > 0) {
                reports.swap(a.index(count), b.index(count));
            }

            let mut owed = Dispositions::default();
            let mut one_by_one: BTreeMap<u64, Vec<(bool, Option<DeliveryState>)>> = BTreeMap::new();
            for (id, kind) in &reports {
                let (settled, state) = report(*kind);
                owed.push(*id as u32, settled, state.clone());
                one_by_one.entry(*id).or_default().push((settled, state));
            }
            let wide = |id: u32| start + u64::from(id.wrapping_sub(start as u32));
            let between = |a: u32, b: u32| held.range(wide(a) + 1..wide(b)).next().is_some();
            let mut frames: Vec<(u64, u64, bool, Option<DeliveryState>)> = Vec::new();
            owed.drain(Role::Receiver, between, |frame| {
                let last = frame.last.unwrap_or(frame.first);
                frames.push((wide(frame.first.0), wide(last.0), frame.settled, frame.state.clone()));
            });
            prop_assert!(owed.is_empty());

            let mut told: BTreeMap<u64, Vec<(bool, Option<DeliveryState>)>> = BTreeMap::new();
            for (first, last, settled, state) in &frames {
                prop_assert!(first <= last && held.range(first..=last).next().is_none());
                for id in one_by_one.range(first..=last).map(|(id, _)| *id) {
                    told.entry(id).or_default().push((*settled, state.clone()));
                }
            }
            prop_assert_eq!(&told, &one_by_one, "each delivery hears its reports, in their order, and no other");
            for pair in frames.windows(2) {
                let ((_, last, settled, state), (first, ..)) = (&pair[0], &pair[1]);
                prop_assert!(last <= first, "in the order of the ids");
                let joins = (*settled, state) == (pair[1].2, &pair[1].3);
                let apart = last == first || held.range(last..first).next().is_some();
                prop_assert!(!joins || apart, "{last} and {first} could share a frame");
            }
        }
    }
}
