//! Frames as the tests write and read them.

use amqp_client::types::security::SaslFrame;
use amqp_client::types::transport::Performative;
use amqp_client::types::{Decode, Decoder, Encode};
use bytes::{BufMut, Bytes, BytesMut};

/// The protocol header of plain AMQP 1.0.
pub(crate) const AMQP: [u8; 8] = *b"AMQP\x00\x01\x00\x00";
/// The protocol header of the SASL layer.
pub(crate) const SASL: [u8; 8] = *b"AMQP\x03\x01\x00\x00";

/// One thing that the engine wrote.
#[derive(Debug)]
pub(crate) enum Item {
    Header([u8; 8]),
    Sasl(SaslFrame),
    Empty(u16),
    Frame(u16, Performative, Bytes),
}

/// An AMQP frame with a performative and a payload.
pub(crate) fn frame(channel: u16, performative: &impl Encode, payload: &[u8]) -> Vec<u8> {
    let mut body = BytesMut::new();
    performative.encode(&mut body);
    body.extend_from_slice(payload);
    raw_frame(0, channel, &body)
}

/// A SASL frame.
pub(crate) fn sasl_frame(performative: &impl Encode) -> Vec<u8> {
    let mut body = BytesMut::new();
    performative.encode(&mut body);
    raw_frame(1, 0, &body)
}

/// A frame with any body.
pub(crate) fn raw_frame(kind: u8, channel: u16, body: &[u8]) -> Vec<u8> {
    let mut out = BytesMut::new();
    out.put_u32(body.len() as u32 + 8);
    out.put_slice(&[2, kind]);
    out.put_u16(channel);
    out.put_slice(body);
    out.to_vec()
}

/// Takes one item off what the engine wrote. Checks the frame's layout on the way.
pub(crate) fn take(written: &mut BytesMut, largest: &mut usize) -> Option<Item> {
    if written.is_empty() {
        return None;
    }
    if written.starts_with(b"AMQP") {
        let header = written.split_to(8);
        return Some(Item::Header(header[..].try_into().expect("eight octets")));
    }
    // tests: [FRM-01] [FRM-08]: sizes and channels are as they have to be, or nothing here would decode.
    let size = u32::from_be_bytes(written[..4].try_into().expect("a size")) as usize;
    assert!(size >= 8 && size <= written.len(), "a whole frame");
    *largest = size.max(*largest);
    let frame = written.split_to(size).freeze();
    // [FRM-07]
    assert_eq!(frame[4], 2, "the data offset is 2");
    let channel = u16::from_be_bytes([frame[6], frame[7]]);
    let body = frame.slice(8..);
    let mut decoder = Decoder::new(&body);
    if frame[5] == 1 {
        // tests: [SASL-03]
        assert_eq!(channel, 0, "SASL frames leave octets 6 and 7 at 0");
        let decoded = SaslFrame::decode(&mut decoder).expect("the engine writes legal frames");
        return Some(Item::Sasl(decoded));
    }
    if body.is_empty() {
        return Some(Item::Empty(channel));
    }
    let decoded = Performative::decode(&mut decoder).expect("the engine writes legal frames");
    let payload = body.slice(decoder.position()..);
    let has_payload = matches!(decoded, Performative::Transfer(_));
    assert!(has_payload || payload.is_empty(), "only transfers have one");
    Some(Item::Frame(channel, decoded, payload))
}
