//! The delivery-tags of the unsettled deliveries of one link, as its receiver watches over them.
//!
//! Decides whether a tag is in use. Peers mostly count their tags up: then one comparison tells that
//! a tag is new, and nothing is kept. A set is kept from the first tag on that breaks the order. What
//! follows from a tag that is used twice is left to the session. Section 2.6.12. [LNK-42]

use std::collections::HashSet;

use super::delivery::Tag;

/// The tags in use.
#[derive(Debug)]
pub(crate) enum Tags {
    /// So far every tag was larger than the one before; this is the last one.
    Rising(Option<Tag>),
    /// Those of the deliveries that are unsettled.
    Set(HashSet<Tag>),
}

impl Default for Tags {
    fn default() -> Self {
        Self::Rising(None)
    }
}

impl Tags {
    /// Whether a tag is that of an unsettled delivery; `open` has the tags of all of them, and is
    /// looked at once in the life of a link at most.
    pub(crate) fn is_open(&mut self, tag: &Tag, open: impl Iterator<Item = Tag>) -> bool {
        match self {
            Self::Rising(last) if last.as_ref().is_none_or(|last| tag > last) => false,
            Self::Rising(_) => {
                let set: HashSet<Tag> = open.collect();
                let found = set.contains(tag);
                *self = Self::Set(set);
                found
            }
            Self::Set(set) => set.contains(tag),
        }
    }

    /// A delivery with this tag has come and is unsettled.
    pub(crate) fn add(&mut self, tag: Tag) {
        match self {
            Self::Rising(last) => {
                if last.as_ref().is_none_or(|last| tag > *last) {
                    *last = Some(tag);
                }
            }
            Self::Set(set) => drop(set.insert(tag)),
        }
    }

    /// The delivery with this tag is settled: the tag may come again.
    pub(crate) fn remove(&mut self, tag: &Tag) {
        if let Self::Set(set) = self {
            set.remove(tag);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn agrees_with_a_set_whatever_the_order() {
        // tests: [LNK-42]
        for spread in [1u64, 7] {
            let (mut tags, mut model) = (Tags::default(), BTreeSet::new());
            let mut random = 11u64;
            for step in 0..5_000u64 {
                random = random
                    .wrapping_mul(6_364_136_223_846_793_005)
                    .wrapping_add(1);
                let tag = Tag::from_counter(step - (random >> 33) % spread.min(step + 1));
                let open = model.iter().copied();
                assert_eq!(tags.is_open(&tag, open), model.contains(&tag), "{step}");
                if model.insert(tag) {
                    tags.add(tag);
                }
                if (random >> 40).is_multiple_of(3)
                    && let Some(first) = model.pop_first()
                {
                    tags.remove(&first);
                }
            }
            let kept = matches!(tags, Tags::Set(_));
            assert_eq!(kept, spread > 1, "only peers that do not count cost a set");
        }
    }
}
