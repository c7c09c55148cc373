//! Link credit, seen from both ends.
//!
//! Decides how much may be sent and when more is granted. Serial numbers wrap (RFC 1982). Writing
//! the flow frames is left to the session. Section 2.6.7.

/// The sending end: what the receiver has granted. [LNK-24] [LNK-26] [LNK-28]
#[derive(Clone, Copy, Debug)]
pub(crate) struct SenderCredit {
    initial: u32,
    delivery_count: u32,
    credit: u32,
    drain: bool,
}

impl SenderCredit {
    /// A new link: no credit. [LNK-36]
    pub(crate) fn new(initial_delivery_count: u32) -> Self {
        Self {
            initial: initial_delivery_count,
            delivery_count: initial_delivery_count,
            credit: 0,
            drain: false,
        }
    }

    /// Chooses the initial delivery-count while nothing has been sent; the credit stays.
    pub(crate) fn rebase(&mut self, initial_delivery_count: u32) {
        self.initial = initial_delivery_count;
        self.delivery_count = initial_delivery_count;
    }

    pub(crate) fn credit(&self) -> u32 {
        self.credit
    }

    pub(crate) fn delivery_count(&self) -> u32 {
        self.delivery_count
    }

    pub(crate) fn draining(&self) -> bool {
        self.drain
    }

    /// Takes the credit for one delivery, if there is any. [LNK-29]
    pub(crate) fn take(&mut self) -> bool {
        if self.credit == 0 {
            return false;
        }
        self.credit -= 1;
        self.delivery_count = self.delivery_count.wrapping_add(1);
        true
    }

    /// The receiver's view arrives: credit counts from its delivery-count. Answers how much more there
    /// is than before. [LNK-26] [LNK-27] [PRF-08]
    pub(crate) fn on_flow(
        &mut self,
        delivery_count: Option<u32>,
        credit: Option<u32>,
        drain: bool,
    ) -> u32 {
        let before = self.credit;
        if let Some(credit) = credit {
            let theirs = delivery_count.unwrap_or(self.initial);
            let left = theirs
                .wrapping_add(credit)
                .wrapping_sub(self.delivery_count);
            // A limit that lies behind us in serial order means no credit.
            self.credit = if (left as i32) < 0 && credit < 1 << 31 {
                0
            } else {
                left
            };
        }
        self.drain = drain;
        self.credit.saturating_sub(before)
    }

    /// Nothing more to send: a drain uses up the credit at once. Answers whether a flow is owed. [LNK-31]
    pub(crate) fn drained(&mut self) -> bool {
        if !self.drain || self.credit == 0 {
            return false;
        }
        self.delivery_count = self.delivery_count.wrapping_add(self.credit);
        self.credit = 0;
        true
    }
}

/// The most that is ever granted: serial numbers that are farther apart can not be compared. Section
/// 2.6.7, RFC 1982.
const MAX_CREDIT: u32 = i32::MAX as u32;

/// The receiving end: what has been granted and what is still to be granted.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ReceiverCredit {
    /// The sender's delivery-count as far as it is known.
    delivery_count: Option<u32>,
    credit: u32,
    /// How much is kept granted, or `None` when the application grants by hand.
    auto: Option<u32>,
    /// Deliveries that came and that the application has not finished with.
    outstanding: u32,
    drain: bool,
    /// Up to which delivery-count the sender has been told that it may go.
    announced: u32,
}

impl ReceiverCredit {
    pub(crate) fn new(auto: Option<u32>) -> Self {
        Self {
            delivery_count: None,
            credit: 0,
            auto: auto.map(bounded),
            outstanding: 0,
            drain: false,
            announced: 0,
        }
    }

    /// The sender's attach: its initial-delivery-count is the starting point. [LNK-28]
    pub(crate) fn on_attach(&mut self, initial_delivery_count: u32) {
        self.delivery_count = Some(initial_delivery_count);
        self.announced = initial_delivery_count;
    }

    pub(crate) fn credit(&self) -> u32 {
        self.credit
    }

    pub(crate) fn draining(&self) -> bool {
        self.drain
    }

    /// A flow tells the sender how far it may go; answers how many deliveries more than it knew.
    pub(crate) fn announce(&mut self) -> u32 {
        let limit = self.delivery_count.unwrap_or(0).wrapping_add(self.credit);
        let more = limit.wrapping_sub(self.announced) as i32;
        self.announced = limit;
        more.max(0) as u32
    }

    /// What a flow says of the delivery-count: nothing before the sender's attach. [PRF-07]
    pub(crate) fn delivery_count(&self) -> Option<u32> {
        self.delivery_count
    }

    /// A delivery begins. Answers `false` when it was not covered by credit. [LNK-25]
    pub(crate) fn on_delivery(&mut self) -> bool {
        self.delivery_count = self.delivery_count.map(|count| count.wrapping_add(1));
        self.outstanding += 1;
        let covered = self.credit > 0;
        self.credit = self.credit.saturating_sub(1);
        covered
    }

    /// The application is done with `n` deliveries.
    pub(crate) fn consumed(&mut self, n: u32) {
        self.outstanding = self.outstanding.saturating_sub(n);
    }

    /// Switches to automatic credit of `window`, or to manual with what is granted now.
    pub(crate) fn set_auto(&mut self, window: Option<u32>) {
        self.auto = window.map(bounded);
    }

    /// Grants exactly `credit` from now on. Answers whether a flow is owed.
    pub(crate) fn set(&mut self, credit: u32) -> bool {
        let credit = bounded(credit);
        let changed = self.credit != credit;
        self.credit = credit;
        changed
    }

    /// Asks the sender to use up or give back what is granted.
    pub(crate) fn start_drain(&mut self) {
        self.drain = true;
    }

    /// Tops automatic credit up once half of it is used. Answers whether a flow is owed.
    pub(crate) fn top_up(&mut self) -> bool {
        let Some(window) = self.auto else {
            return false;
        };
        if self.drain {
            return false;
        }
        let wanted = window.saturating_sub(self.outstanding);
        if wanted <= self.credit || wanted - self.credit < window.div_ceil(2) {
            return false;
        }
        self.credit = wanted;
        true
    }

    /// The sender's view arrives. Answers whether a drain has come to its end. [LNK-32]
    pub(crate) fn on_flow(&mut self, delivery_count: Option<u32>) -> bool {
        if let (Some(mine), Some(theirs)) = (self.delivery_count, delivery_count) {
            let used = theirs.wrapping_sub(mine);
            if (used as i32) > 0 {
                self.credit = self.credit.saturating_sub(used);
                self.delivery_count = Some(theirs);
            }
        }
        self.drain_over()
    }

    /// Answers `true` once when a drain is over: the credit is given back or used up. A peer that
    /// used all of it need not say so in a flow. [LNK-32]
    pub(crate) fn drain_over(&mut self) -> bool {
        let over = self.drain && self.credit == 0;
        self.drain &= !over;
        over
    }
}

fn bounded(credit: u32) -> u32 {
    credit.min(MAX_CREDIT)
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn credit_counts_from_the_receivers_delivery_count() {
        // tests: [LNK-26] [LNK-28]
        let mut sender = SenderCredit::new(u32::MAX);
        assert!(!sender.take());
        sender.on_flow(Some(u32::MAX), Some(4), false);
        assert!(sender.take() && sender.take());
        assert_eq!(sender.delivery_count(), 1);
        sender.on_flow(Some(0), Some(4), false);
        assert_eq!(sender.credit(), 3);
        sender.on_flow(Some(0), Some(0), false);
        assert_eq!(sender.credit(), 0);
    }

    #[test]
    fn a_flow_without_delivery_count_counts_from_the_start() {
        // tests: [LNK-27] [PRF-08]
        let mut sender = SenderCredit::new(10);
        sender.on_flow(Some(10), Some(2), false);
        assert!(sender.take() && sender.take());
        sender.on_flow(None, Some(5), false);
        assert_eq!(sender.credit(), 3);
        sender.on_flow(None, None, false);
        assert_eq!(sender.credit(), 3);
    }

    #[test]
    fn a_drain_uses_the_credit_up() {
        // tests: [LNK-31] [LNK-32]
        let mut sender = SenderCredit::new(7);
        let mut receiver = ReceiverCredit::new(None);
        receiver.on_attach(7);
        receiver.set(10);
        receiver.start_drain();
        sender.on_flow(receiver.delivery_count(), Some(receiver.credit()), true);
        assert!(sender.take());
        assert!(receiver.on_delivery());
        assert!(sender.drained());
        assert!(!sender.drained());
        assert_eq!((sender.credit(), sender.delivery_count()), (0, 17));
        assert!(receiver.on_flow(Some(17)));
        assert_eq!(
            (receiver.credit(), receiver.delivery_count()),
            (0, Some(17))
        );
    }

    #[test]
    fn automatic_credit_is_topped_up_at_half() {
        let mut receiver = ReceiverCredit::new(Some(10));
        receiver.on_attach(0);
        assert!(receiver.top_up());
        assert_eq!(receiver.credit(), 10);
        for _ in 0..8 {
            assert!(receiver.on_delivery());
        }
        assert!(!receiver.top_up(), "all eight are still outstanding");
        receiver.consumed(4);
        assert!(!receiver.top_up(), "four of ten are not half");
        receiver.consumed(1);
        assert!(receiver.top_up());
        assert_eq!(receiver.credit() + receiver.outstanding, 10);
        assert_eq!(receiver.delivery_count(), Some(8));
    }

    /// A frame on its way: the numbers as they are on the wire, and as they are without a wrap.
    #[derive(Debug)]
    enum Frame {
        Attach,
        Delivery,
        Flow { count: u64 },
    }

    /// Two ends of a link and what lies between them, beside the same in 64-bit numbers.
    struct World {
        sender: SenderCredit,
        receiver: ReceiverCredit,
        to_receiver: VecDeque<Frame>,
        /// delivery-count (unless the attach has not come), link-credit, drain.
        to_sender: VecDeque<(Option<u64>, u32, bool)>,
        initial: u64,
        sent: u64,
        limit: u64,
        received: u64,
        granted: u64,
        unfinished: u32,
        attached: bool,
    }

    #[derive(Clone, Copy, Debug)]
    enum Step {
        Grant(u32),
        Auto(u32),
        Drain,
        Finish(u32),
        TellSender,
        Send(u8),
        NothingMore,
        TellReceiver,
        SenderReads(u8),
        ReceiverReads(u8),
    }

    fn step() -> impl Strategy<Value = Step> {
        use Step::*;
        let credit = prop_oneof![8 => 0..20u32, 1 => Just(i32::MAX as u32), 1 => Just(u32::MAX)];
        prop_oneof![
            3 => credit.prop_map(Grant),
            1 => (1..30u32).prop_map(Auto),
            1 => Just(Drain),
            2 => (0..6u32).prop_map(Finish),
            3 => Just(TellSender),
            6 => (1..6u8).prop_map(Send),
            1 => Just(NothingMore),
            1 => Just(TellReceiver),
            4 => (1..4u8).prop_map(SenderReads),
            4 => (1..8u8).prop_map(ReceiverReads),
        ]
    }

    impl World {
        fn new(initial: u64) -> Self {
            Self {
                sender: SenderCredit::new(initial as u32),
                receiver: ReceiverCredit::new(None),
                to_receiver: VecDeque::from([Frame::Attach]),
                to_sender: VecDeque::new(),
                initial,
                sent: initial,
                limit: initial,
                received: initial,
                granted: initial,
                unfinished: 0,
                attached: false,
            }
        }

        fn step(&mut self, step: Step) {
            match step {
                Step::Grant(credit) => {
                    self.receiver.set_auto(None);
                    self.receiver.set(credit);
                    self.granted = self.received + u64::from(credit.min(i32::MAX as u32));
                }
                Step::Auto(window) => {
                    self.receiver.set_auto(Some(window));
                    self.top_up();
                }
                Step::Drain if self.receiver.credit() > 0 => self.receiver.start_drain(),
                Step::Drain => {}
                Step::Finish(n) => {
                    let n = n.min(self.unfinished);
                    self.unfinished -= n;
                    self.receiver.consumed(n);
                    self.top_up();
                }
                Step::TellSender => {
                    let count = self.attached.then_some(self.received);
                    let credit = self.receiver.credit();
                    self.to_sender
                        .push_back((count, credit, self.receiver.draining()));
                }
                Step::Send(n) => {
                    for _ in 0..n {
                        let may = self.sent < self.limit;
                        assert_eq!(self.sender.take(), may);
                        if may {
                            self.sent += 1;
                            self.to_receiver.push_back(Frame::Delivery);
                        }
                    }
                }
                Step::NothingMore => {
                    let left = self.sent < self.limit;
                    if self.sender.drained() {
                        assert!(left);
                        self.sent = self.limit;
                        self.step(Step::TellReceiver);
                    }
                }
                Step::TellReceiver => self.to_receiver.push_back(Frame::Flow { count: self.sent }),
                Step::SenderReads(n) => (0..n).for_each(|_| self.sender_reads()),
                Step::ReceiverReads(n) => (0..n).for_each(|_| self.receiver_reads()),
            }
            self.check();
        }

        fn top_up(&mut self) {
            let before = self.receiver.credit();
            let Some(window) = self.receiver.auto else {
                return;
            };
            let missing = window
                .saturating_sub(self.unfinished)
                .saturating_sub(before);
            let due = missing >= window.div_ceil(2) && !self.receiver.draining();
            assert_eq!(self.receiver.top_up(), due);
            self.granted += if due { u64::from(missing) } else { 0 };
        }

        fn sender_reads(&mut self) {
            let Some((count, credit, drain)) = self.to_sender.pop_front() else {
                return;
            };
            self.sender
                .on_flow(count.map(|n| n as u32), Some(credit), drain);
            self.limit = self
                .sent
                .max(count.unwrap_or(self.initial) + u64::from(credit));
            if drain && self.sender.credit() == 0 {
                self.step(Step::TellReceiver);
            }
        }

        fn receiver_reads(&mut self) {
            match self.to_receiver.pop_front() {
                None => {}
                Some(Frame::Attach) => {
                    self.receiver.on_attach(self.initial as u32);
                    self.attached = true;
                }
                Some(Frame::Delivery) => {
                    assert_eq!(self.receiver.on_delivery(), self.received < self.granted);
                    self.received += 1;
                    self.granted = self.granted.max(self.received);
                    self.unfinished += 1;
                    self.receiver.drain_over();
                }
                Some(Frame::Flow { count }) => {
                    self.received = count;
                    self.granted = self.granted.max(count);
                    let draining = self.receiver.draining();
                    let over = self.receiver.on_flow(Some(count as u32));
                    assert_eq!(over, draining && self.granted == count);
                }
            }
        }

        fn check(&self) {
            assert_eq!(self.sender.delivery_count(), self.sent as u32);
            assert_eq!(u64::from(self.sender.credit()), self.limit - self.sent);
            assert_eq!(
                u64::from(self.receiver.credit()),
                self.granted - self.received
            );
            let count = self.attached.then_some(self.received as u32);
            assert_eq!(self.receiver.delivery_count(), count);
        }

        /// Lets everything arrive that is on its way.
        fn settle(&mut self) {
            while !self.to_sender.is_empty() || !self.to_receiver.is_empty() {
                self.step(Step::SenderReads(1));
                self.step(Step::ReceiverReads(1));
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(400))]

        #[test]
        fn both_ends_agree_with_numbers_that_do_not_wrap(before_wrap in 0..60u32, steps in vec(step(), 1..200)) {
            // tests: [LNK-24] [LNK-26] [LNK-27] [LNK-28] [LNK-29] [LNK-31] [LNK-32] [LNK-34] [PRF-08]
            let mut world = World::new(u64::from(u32::MAX - before_wrap));
            steps.into_iter().for_each(|step| world.step(step));
            world.settle();
            world.step(Step::TellSender);
            world.settle();
            world.step(Step::NothingMore);
            world.settle();
            prop_assert!(!world.receiver.draining(), "a drain comes to its end");
            prop_assert_eq!(world.sender.credit(), world.receiver.credit());
            prop_assert_eq!(Some(world.sender.delivery_count()), world.receiver.delivery_count());
        }
    }
}
