//! What can still be read of a frame body that does not decode.
//!
//! Decides which performative it was meant to be, and its link where that stands before the fault,
//! so that the mistake can be answered at its own scope. Sections 2.5.4, 2.6.5, 2.7.

use amqp_types::transport::{Attach, Flow, Handle, Role, Transfer};
use amqp_types::transport::{Detach, Disposition};
use amqp_types::{Decode, Decoder, DescribedType, Str};
use bytes::Bytes;

/// A performative of a session, as far as it could be read.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Fragment {
    /// An attach: what names the link.
    Attach {
        name: Str,
        handle: Handle,
        role: Role,
    },
    /// A transfer, and its link where the handle could be read.
    Transfer(Option<Handle>),
    /// A flow, disposition or detach, or an attach that does not even name its link.
    Session,
}

impl Fragment {
    /// Reads as much as can be read; nothing for a performative that is not a session's.
    pub(crate) fn read(body: &Bytes) -> Option<Self> {
        let mut decoder = Decoder::new(body);
        let descriptor = decoder.descriptor().ok()?;
        if descriptor.is(&Attach::DESCRIPTOR) {
            let attach = || {
                Some(Self::Attach {
                    name: field(body, 0)?,
                    handle: field(body, 1)?,
                    role: field(body, 2)?,
                })
            };
            return Some(attach().unwrap_or(Self::Session));
        }
        if descriptor.is(&Transfer::DESCRIPTOR) {
            return Some(Self::Transfer(field(body, 0)));
        }
        let others = [
            &Flow::DESCRIPTOR,
            &Disposition::DESCRIPTOR,
            &Detach::DESCRIPTOR,
        ];
        let known = others.iter().any(|other| descriptor.is(other));
        known.then_some(Self::Session)
    }
}

/// The field at a position, if everything in front of it and it itself can be read.
fn field<T: Decode>(body: &Bytes, position: usize) -> Option<T> {
    let mut decoder = Decoder::new(body);
    decoder.descriptor().ok()?;
    let list = decoder.position();
    // The list's size and count may be wrong: the fields are read without them.
    let head = match body.get(list)? {
        0xc0 => 3,
        0xd0 => 9,
        _ => return None,
    };
    if list + head > body.len() {
        return None;
    }
    let fields = body.slice(list + head..);
    let mut decoder = Decoder::new(&fields);
    for _ in 0..position {
        decoder.skip_value().ok()?;
    }
    T::decode(&mut decoder).ok()
}

#[cfg(test)]
mod tests {
    use amqp_types::Encode;
    use bytes::BytesMut;

    use super::*;

    #[test]
    fn a_link_is_read_as_far_as_it_is_told() {
        // tests: [FRM-09] [LNK-37]
        let mut out = BytesMut::new();
        Attach::new("A", Handle(300), Role::Sender).encode(&mut out);
        let whole = out.freeze();
        let attach = Fragment::Attach {
            name: "A".into(),
            handle: Handle(300),
            role: Role::Sender,
        };
        assert_eq!(Fragment::read(&whole), Some(attach));
        for end in 4..whole.len() {
            let read = Fragment::read(&whole.slice(..end));
            assert!(read.is_some(), "{end} octets");
        }
        assert_eq!(Fragment::read(&whole.slice(..4)), Some(Fragment::Session));
        assert_eq!(Fragment::read(&Bytes::from_static(&[0x40])), None);
    }
}
