//! Setters that put a message together in one expression.
//!
//! Decides nothing: each sets a field of a section, and makes the section where it is
//! not there yet.

use super::{Body, Message};
use crate::generated::messaging::{
    AddressString, ApplicationProperties, Header, MessageAnnotations, MessageId, Properties,
};
use crate::generated::transport::Milliseconds;
use crate::primitive::{Str, Symbol, Timestamp};
use crate::value::{AnnotationKey, Simple, Value};
use std::time::Duration;

macro_rules! property {
    ($($(#[$doc:meta])* $name:ident: $field:ident($type:ty);)*) => { $(
        $(#[$doc])*
        #[must_use]
        pub fn $name(mut self, value: impl Into<$type>) -> Self {
            self.properties_mut().$field = Some(value.into());
            self
        }
    )* };
}

impl Message {
    /// A message without any section.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The body.
    #[must_use]
    pub fn with_body(mut self, body: impl Into<Body>) -> Self {
        self.body = body.into();
        self
    }

    /// The whole header.
    #[must_use]
    pub fn with_header(mut self, header: Header) -> Self {
        self.header = Some(header);
        self
    }

    /// All of the standard's properties.
    #[must_use]
    pub fn with_properties(mut self, properties: Properties) -> Self {
        self.properties = Some(properties);
        self
    }

    /// Whether the message has to survive a restart (section 3.2.1).
    #[must_use]
    pub fn with_durable(mut self, durable: bool) -> Self {
        self.header_mut().durable = durable;
        self
    }

    /// The priority; 4 is that of messages without one (section 3.2.1).
    #[must_use]
    pub fn with_priority(mut self, priority: u8) -> Self {
        self.header_mut().priority = priority;
        self
    }

    /// How long the message is of use, in whole milliseconds up to 2³²-1 (section
    /// 3.2.1).
    #[must_use]
    pub fn with_ttl(mut self, ttl: Duration) -> Self {
        let millis = u32::try_from(ttl.as_millis()).unwrap_or(u32::MAX);
        self.header_mut().ttl = Some(Milliseconds(millis));
        self
    }

    property! {
        /// The message's identifier: text, octets, a ulong or a UUID.
        with_message_id: message_id(MessageId);
        /// The address of the node that the message is for.
        with_to: to(AddressString);
        /// What the message is about.
        with_subject: subject(Str);
        /// The address of the node that replies go to.
        with_reply_to: reply_to(AddressString);
        /// The identifier of the message that this one answers.
        with_correlation_id: correlation_id(MessageId);
        /// The MIME type of the data sections.
        with_content_type: content_type(Symbol);
        /// The content encodings of the data sections.
        with_content_encoding: content_encoding(Symbol);
        /// When the message is of no use any more.
        with_absolute_expiry_time: absolute_expiry_time(Timestamp);
        /// When the message was made.
        with_creation_time: creation_time(Timestamp);
        /// The group that the message belongs to.
        with_group_id: group_id(Str);
        /// The group that a reply belongs to.
        with_reply_to_group_id: reply_to_group_id(Str);
    }

    /// Sets an application property (section 3.2.5).
    #[must_use]
    pub fn with_application_property(
        mut self,
        key: impl Into<Str>,
        value: impl Into<Simple>,
    ) -> Self {
        self.application_properties
            .get_or_insert_with(ApplicationProperties::default)
            .insert(key, value);
        self
    }

    /// Sets a message annotation (section 3.2.3). Keys of one's own begin with `x-opt-`.
    #[must_use]
    pub fn with_message_annotation(
        mut self,
        key: impl Into<AnnotationKey>,
        value: impl Into<Value>,
    ) -> Self {
        self.message_annotations
            .get_or_insert_with(MessageAnnotations::default)
            .insert(key, value);
        self
    }

    fn header_mut(&mut self) -> &mut Header {
        self.header.get_or_insert_with(Header::default)
    }

    fn properties_mut(&mut self) -> &mut Properties {
        self.properties.get_or_insert_with(Properties::default)
    }
}
