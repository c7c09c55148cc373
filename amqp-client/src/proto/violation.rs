//! A mistake of the peer: how wide it is, which condition answers it, and why.
//!
//! Decides the shape of every protocol complaint. Turning one into a close, end or detach is left
//! to `Connection::answer`, the only place that does it. Sections 2.4.3, 2.5.4, 2.6.5, 2.8.14.

use std::borrow::Cow;
use std::fmt;

use amqp_types::transport::{Error, ErrorCondition};
use amqp_types::{DecodeCondition, DecodeError};

use super::arena::Key;

/// How much of a connection a mistake ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// The connection is closed. Section 2.4.3.
    Connection,
    /// The session is ended, other sessions go on. Section 2.5.4.
    Session,
    /// The link is detached, the session goes on. Section 2.6.5.
    Link(Key),
}

/// The condition that answers octets that do not decode.
pub(crate) fn condition_of(error: &DecodeError) -> ErrorCondition {
    match error.condition() {
        DecodeCondition::DecodeError => ErrorCondition::DecodeError,
        DecodeCondition::InvalidField => ErrorCondition::InvalidField,
        DecodeCondition::NotImplemented => ErrorCondition::NotImplemented,
    }
}

/// A mistake of the peer, as it is going to be reported to it.
#[derive(Clone, Debug)]
pub struct Violation {
    /// What is ended because of it.
    pub scope: Scope,
    /// The error condition that the peer is told.
    pub condition: ErrorCondition,
    /// The section of the standard that was broken.
    pub section: &'static str,
    /// What was wrong, for a person.
    pub detail: Cow<'static, str>,
}

impl Violation {
    /// Whether the peer broke nothing but its silence went on for too long. [CON-38]
    pub fn is_silence(&self) -> bool {
        self.section == "2.4.5"
    }

    pub(crate) fn connection(
        condition: ErrorCondition,
        section: &'static str,
        detail: impl Into<Cow<'static, str>>,
    ) -> Self {
        Self {
            scope: Scope::Connection,
            condition,
            section,
            detail: detail.into(),
        }
    }

    pub(crate) fn session(
        condition: ErrorCondition,
        section: &'static str,
        detail: impl Into<Cow<'static, str>>,
    ) -> Self {
        Self {
            scope: Scope::Session,
            ..Self::connection(condition, section, detail)
        }
    }

    pub(crate) fn link(
        link: Key,
        condition: ErrorCondition,
        section: &'static str,
        detail: impl Into<Cow<'static, str>>,
    ) -> Self {
        Self {
            scope: Scope::Link(link),
            ..Self::connection(condition, section, detail)
        }
    }

    /// A frame body that does not decode; ends the connection unless a narrower scope is known.
    pub(crate) fn decode(error: &DecodeError, section: &'static str) -> Self {
        Self::connection(condition_of(error), section, error.to_string())
    }

    pub(crate) fn with_scope(self, scope: Scope) -> Self {
        Self { scope, ..self }
    }

    /// What the peer is told: condition and description, which is in en-US, the locale that every
    /// peer has. [CON-33] [CON-45] [PRF-27] [PRF-29]
    pub fn to_error(&self) -> Error {
        let mut error = Error::new(self.condition.clone());
        error.description = Some(format!("{} (section {})", self.detail, self.section).into());
        error
    }
}

/// An error that fits every frame: the condition, and as much of the description as 200 octets hold. [FRM-19]
pub(crate) fn shortened(error: &Error) -> Box<Error> {
    let mut short = Error::new(error.condition.clone());
    short.description = error.description.as_ref().map(|text| {
        let text: &str = text.as_ref();
        let end = (0..=text.len().min(200))
            .rev()
            .find(|at| text.is_char_boundary(*at));
        text[..end.unwrap_or(0)].to_owned().into()
    });
    Box::new(short)
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}: {} (section {})",
            self.condition.as_str(),
            self.detail,
            self.section
        )
    }
}

impl std::error::Error for Violation {}
