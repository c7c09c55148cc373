//! The delivery-tags that a sender's user has chosen, of deliveries that are not settled.
//!
//! Decides whether a tag can be used. Deliveries without a tag of their own get one made of their
//! number; where the user has taken that one already they get another. Section 2.6.12. [LNK-42]

use std::collections::HashMap;

use crate::proto::Tag;

/// Tags that are not made of the number of their delivery.
#[derive(Debug, Default)]
pub(super) struct OwnTags {
    by_tag: HashMap<Tag, u64>,
    by_seq: HashMap<u64, Tag>,
    /// How many substitutes were made.
    substitutes: u64,
}

impl OwnTags {
    /// Takes a tag for a delivery, if it is free. `is_open` says whether a delivery of a number is
    /// unsettled.
    pub(super) fn claim(&mut self, tag: Tag, seq: u64, is_open: impl Fn(u64) -> bool) -> bool {
        let taken_by_number = tag.counter().is_some_and(|number| {
            number < seq && is_open(number) && !self.by_seq.contains_key(&number)
        });
        if taken_by_number || self.by_tag.contains_key(&tag) {
            return false;
        }
        self.insert(tag, seq);
        true
    }

    /// The tag for a delivery whose number makes one that is taken.
    pub(super) fn substitute(&mut self, seq: u64) -> Option<Tag> {
        if self.by_tag.is_empty() || !self.by_tag.contains_key(&Tag::from_counter(seq)) {
            return None;
        }
        loop {
            // Twelve octets, as no number makes them.
            let mut octets = [0; 12];
            octets[4..].copy_from_slice(&self.substitutes.to_be_bytes());
            self.substitutes = self.substitutes.wrapping_add(1);
            let tag = Tag::new(&octets)?;
            if !self.by_tag.contains_key(&tag) {
                self.insert(tag, seq);
                return Some(tag);
            }
        }
    }

    /// The delivery is settled.
    pub(super) fn release(&mut self, seq: u64) {
        if !self.by_seq.is_empty()
            && let Some(tag) = self.by_seq.remove(&seq)
        {
            self.by_tag.remove(&tag);
        }
    }

    /// Keeps the tags of some deliveries alone.
    pub(super) fn retain(&mut self, keep: impl Fn(u64) -> bool) {
        self.by_seq.retain(|seq, _| keep(*seq));
        self.by_tag.retain(|_, seq| keep(*seq));
    }

    fn insert(&mut self, tag: Tag, seq: u64) {
        self.by_tag.insert(tag, seq);
        self.by_seq.insert(seq, tag);
    }
}
