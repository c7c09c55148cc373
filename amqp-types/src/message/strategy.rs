//! Strategies of messages.
//!
//! Decides nothing of its own: every section may be there or not, every form of body
//! occurs.

use super::{Body, EncodedMessage, Message};
use crate::strategy::{BoxedStrategy, Just, Strategic, Strategy, any};
use proptest::prelude::prop_oneof;

impl Strategic for Body {
    fn strategy() -> BoxedStrategy<Self> {
        prop_oneof![
            Just(Self::Empty),
            any().prop_map(Self::Data),
            any().prop_map(Self::Sequence),
            any().prop_map(Self::Value),
        ]
        .boxed()
    }
}

impl Strategic for Message {
    fn strategy() -> BoxedStrategy<Self> {
        let before = (any(), any(), any(), any(), any());
        (before, any(), any())
            .prop_map(|(before, body, footer)| Self {
                header: before.0,
                delivery_annotations: before.1,
                message_annotations: before.2,
                properties: before.3,
                application_properties: before.4,
                body,
                footer,
            })
            .boxed()
    }
}

impl Strategic for EncodedMessage {
    fn strategy() -> BoxedStrategy<Self> {
        any::<Message>().prop_map(Self::from).boxed()
    }
}
