//! One attachment of a link whose unsettled deliveries do not fit into one attach.
//!
//! Decides when enough of them has been sorted out for the link to be detached and attached again.
//! Until it is attached with nothing left out, no new delivery goes over it. What is told and resumed
//! is left to the session. Sections 2.6.13, 2.7.3. [LNK-64]

use std::collections::HashSet;

use super::delivery::Tag;

/// What is left to do before the link is attached once more.
#[derive(Debug, Default)]
pub(crate) struct Round {
    /// Deliveries of which our map told; `None` when it told of all.
    pub(crate) told: Option<usize>,
    /// Whether the partner resumes links at all.
    pub(crate) resumes: bool,
    /// Deliveries that are resumed and not settled, and how many there were at first.
    open: usize,
    first: usize,
    /// Deliveries of which nothing was said.
    pub(crate) rest: usize,
    /// Whether anything has been sorted out.
    progress: bool,
    /// What the sender is going to resume.
    expected: HashSet<Tag>,
    /// Whether the end of the round has been told.
    reported: bool,
}

impl Round {
    /// Of a link whose attach told of so many deliveries, or of all, to a partner that resumes links or
    /// does not.
    pub(crate) fn new(told: Option<usize>, resumes: bool) -> Self {
        Self {
            told,
            resumes,
            ..Self::default()
        }
    }

    /// A delivery is resumed by us.
    pub(crate) fn resume(&mut self) {
        self.open += 1;
        self.first += 1;
    }

    /// A delivery is going to be resumed by the partner.
    pub(crate) fn expect(&mut self, tag: Tag) {
        self.expected.insert(tag);
        self.resume();
    }

    /// The partner has resumed a delivery.
    pub(crate) fn resumed(&mut self, tag: &Tag) {
        if !self.expected.remove(tag) {
            self.open += 1;
        }
    }

    /// A delivery is settled.
    pub(crate) fn settle(&mut self) {
        self.open = self.open.saturating_sub(1);
        self.progress = true;
    }

    /// Something was sorted out by the attaches alone.
    pub(crate) fn sort_out(&mut self) {
        self.progress = true;
    }

    /// Whether it is time to attach again: everything is sorted out, or half of it, or so much that the
    /// rest fits. Answers once, with whether the round was of use.
    pub(crate) fn is_over(&mut self) -> Option<bool> {
        let fits = self.told.is_some_and(|told| self.open + self.rest <= told);
        let enough = self.open == 0 || (self.progress && (fits || self.open * 2 <= self.first));
        let over = enough && self.expected.is_empty() && !self.reported;
        self.reported |= over;
        over.then_some(self.progress)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tag(n: u64) -> Tag {
        Tag::from_counter(n)
    }

    #[test]
    fn a_round_ends_with_half_of_it_and_says_so_once() {
        // tests: [LNK-64]
        let mut round = Round {
            told: Some(4),
            rest: 10,
            ..Round::default()
        };
        for n in 0..4 {
            round.expect(tag(n));
        }
        for n in 0..4 {
            assert_eq!(round.is_over(), None);
            round.resumed(&tag(n));
        }
        round.settle();
        assert_eq!(round.is_over(), None);
        round.settle();
        assert_eq!(round.is_over(), Some(true));
        assert_eq!(round.is_over(), None, "it is said once");
    }

    #[test]
    fn a_round_ends_as_soon_as_the_rest_fits() {
        // tests: [LNK-64]
        let mut round = Round {
            told: Some(4),
            rest: 1,
            ..Round::default()
        };
        (0..4).for_each(|_| round.resume());
        assert_eq!(round.is_over(), None);
        round.settle();
        assert_eq!(round.is_over(), Some(true));
    }

    #[test]
    fn a_round_with_nothing_to_do_was_of_no_use() {
        // tests: [LNK-64]
        assert_eq!(Round::default().is_over(), Some(false));
        let mut round = Round::default();
        round.sort_out();
        assert_eq!(round.is_over(), Some(true));
    }
}
