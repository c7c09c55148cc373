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
    use amqp_types::messaging::{Accepted, Released};

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
}
