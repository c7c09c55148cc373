//! What becomes of an unsettled delivery when its link is attached again.
//!
//! Decides, from what the source and the target remember of one delivery-tag, what the sender has to
//! do: the table of section 3.4.6. Writing transfers is left to the session. Section 2.6.13.

use amqp_types::Map;
use amqp_types::messaging::{DeliveryState, Received};
use amqp_types::transport::DeliveryTag;

use super::delivery::{Outgoing, Tag};

/// What an attach tells: the state of each unsettled delivery, by tag. Section 2.7.3.
pub(crate) type UnsettledMap = Map<DeliveryTag, Option<DeliveryState>>;

/// What a sender remembers of a delivery of an earlier attachment.
#[derive(Clone, Debug)]
pub struct Unsettled {
    /// The delivery, with all of its payload.
    pub message: Outgoing,
    /// The state at the source, if it has one.
    pub state: Option<DeliveryState>,
    /// Whether any of it may have reached the receiver.
    pub transmitted: bool,
}

/// A sender's deliveries of an earlier attachment, and what is done about them.
#[derive(Debug)]
pub(crate) struct FormerDeliveries {
    pub(crate) unsettled: Vec<Unsettled>,
    /// Whether they are sent again to a peer that does not resume links.
    pub(crate) resend: bool,
    /// Whether the attach tells of them.
    pub(crate) tell: bool,
}

/// What a receiver remembers of a delivery of an earlier attachment.
#[derive(Clone, Debug)]
pub struct Outstanding {
    /// The tag that names it.
    pub tag: Tag,
    /// The outcome that the application has decided on, if it has.
    pub state: Option<DeliveryState>,
}

/// What is left of an earlier attachment of the same link. Section 2.6.13.
#[derive(Clone, Debug)]
pub enum Resume {
    /// A sender's unsettled deliveries, oldest first.
    Sender {
        /// The deliveries.
        unsettled: Vec<Unsettled>,
        /// Whether they are sent again as new ones when the peer does not resume links, at the risk
        /// that some arrive twice. Otherwise their outcome stays unknown.
        resend: bool,
        /// Whether the attach tells of them. A peer that refuses such an attach is attached to
        /// without, as one that does not resume links.
        tell: bool,
    },
    /// A receiver's deliveries that the application has not settled, or whose outcome it could not
    /// report.
    Receiver(Vec<Outstanding>),
}

/// What the target says of a tag. Section 2.7.3.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Target<'a> {
    /// The tag is not in its map.
    Absent,
    /// The tag is in its map, without or with a state.
    Known(Option<&'a DeliveryState>),
}

/// What the sender does about one delivery. [LNK-61] [LNK-63]
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Action {
    /// Sends it as a new delivery.
    SendNew,
    /// Resumes it: all of the payload from the start, with this state beside it.
    Resume(Option<DeliveryState>),
    /// Resumes it without payload, settled, in this state.
    Settle(DeliveryState),
    /// Resumes it without payload and unsettled, for the receiver to take this state over.
    Announce(DeliveryState),
    /// Resumes and aborts it, then sends it as a new delivery.
    AbortAndSend,
    /// Resumes and aborts it; the outcome at the source stands.
    Abort,
    /// Nothing is sent; the outcome at the source stands.
    Forget,
}

/// The table of section 3.4.6.
pub(crate) fn action(source: Option<&DeliveryState>, target: Target<'_>) -> Action {
    use DeliveryState::Received as R;
    match (source.filter(|state| is_known(state)), target) {
        // [RES-01] [RES-06]
        (None | Some(R(_)), Target::Absent) => Action::SendNew,
        // [RES-02] [RES-04]: resending from the start is always right when nothing was promised.
        (None, Target::Known(None)) => Action::Resume(None),
        (None, Target::Known(Some(R(_)))) => Action::Resume(Some(from_the_start())),
        // [RES-03] [RES-09]
        (None | Some(R(_)), Target::Known(Some(outcome))) if is_terminal(outcome) => {
            Action::Settle(outcome.clone())
        }
        // [RES-07]: both hold a part; the receiver needs what lies behind its own mark.
        (Some(R(mine)), Target::Known(Some(R(theirs)))) if mark(mine) <= mark(theirs) => {
            Action::Resume(Some(R(theirs.clone())))
        }
        // [RES-08] [RES-10]
        (Some(R(_)), Target::Known(_)) => Action::AbortAndSend,
        // [RES-11]
        (Some(_), Target::Absent) => Action::Forget,
        // [RES-13]
        (Some(mine), Target::Known(Some(theirs))) if mine == theirs => Action::Settle(mine.clone()),
        // [RES-14]
        (Some(mine), Target::Known(Some(theirs))) if is_terminal(theirs) => {
            Action::Announce(mine.clone())
        }
        // [RES-12] [RES-15]
        (Some(_), Target::Known(_)) => Action::Abort,
        // A state of the target that is no outcome and no mark tells nothing.
        (None, Target::Known(Some(_))) => Action::Resume(None),
    }
}

/// Whether a state ends a delivery's life. [OUT-01]
pub(crate) fn is_terminal(state: &DeliveryState) -> bool {
    matches!(
        state,
        DeliveryState::Accepted(_)
            | DeliveryState::Rejected(_)
            | DeliveryState::Released(_)
            | DeliveryState::Modified(_)
            | DeliveryState::Declared(_)
    )
}

fn is_known(state: &DeliveryState) -> bool {
    is_terminal(state) || matches!(state, DeliveryState::Received(_))
}

fn from_the_start() -> DeliveryState {
    DeliveryState::Received(Received::new(0, 0))
}

/// Where a mark stands: sections come first. [RES-17]
fn mark(received: &Received) -> (u32, u64) {
    (received.section_number, received.section_offset)
}

#[cfg(test)]
mod tests {
    use amqp_types::messaging::{Accepted, Released};

    use super::*;

    fn accepted() -> DeliveryState {
        DeliveryState::Accepted(Accepted::default())
    }

    fn released() -> DeliveryState {
        DeliveryState::Released(Released::default())
    }

    fn received(section: u32, offset: u64) -> DeliveryState {
        DeliveryState::Received(Received::new(section, offset))
    }

    /// Source, target (`None` is absent), what the sender does.
    type Row = (Option<DeliveryState>, Option<Option<DeliveryState>>, Action);

    #[test]
    fn the_examples_of_the_standard() {
        // tests: [RES-01] [RES-02] [RES-03] [RES-04] [RES-06] [RES-07] [RES-08] [RES-09] [RES-10]
        // tests: [RES-11] [RES-12] [RES-13] [RES-14] [RES-15] [LNK-61] [LNK-63]
        let rows: [Row; 14] = [
            (None, None, Action::SendNew),
            (
                None,
                Some(Some(received(3, 0))),
                Action::Resume(Some(received(0, 0))),
            ),
            (None, Some(Some(accepted())), Action::Settle(accepted())),
            (None, Some(None), Action::Resume(None)),
            (Some(received(0, 200)), None, Action::SendNew),
            (
                Some(received(1, 150)),
                Some(Some(received(2, 0))),
                Action::Resume(Some(received(2, 0))),
            ),
            (
                Some(received(0, 500)),
                Some(Some(received(0, 100))),
                Action::AbortAndSend,
            ),
            (
                Some(received(3, 5)),
                Some(Some(accepted())),
                Action::Settle(accepted()),
            ),
            (Some(received(2, 0)), Some(None), Action::AbortAndSend),
            (Some(accepted()), None, Action::Forget),
            (
                Some(accepted()),
                Some(Some(received(1, 2000))),
                Action::Abort,
            ),
            (
                Some(accepted()),
                Some(Some(accepted())),
                Action::Settle(accepted()),
            ),
            (
                Some(accepted()),
                Some(Some(released())),
                Action::Announce(accepted()),
            ),
            (Some(accepted()), Some(None), Action::Abort),
        ];
        for (row, (source, target, expected)) in rows.iter().enumerate() {
            let target = match target {
                None => Target::Absent,
                Some(state) => Target::Known(state.as_ref()),
            };
            assert_eq!(
                &action(source.as_ref(), target),
                expected,
                "tag {}",
                row + 1
            );
        }
    }
}
