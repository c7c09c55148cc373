//! Property tests of a session against a naive partner that counts in 64 bits and never wraps.
//!
//! `incoming` sends to the session under test, `outgoing` receives from it. Ids start shortly before the
//! wrap. Sections 2.5.6, 2.6.7, 2.6.12.

mod incoming;
mod outgoing;

use std::collections::VecDeque;

use amqp_types::messaging::{Source, Target};
use amqp_types::transport::{
    Attach, Begin, Handle, Performative, Role, SequenceNo, TransferNumber,
};
use amqp_types::{Decode, Decoder};
use bytes::{Buf, Bytes};

use super::super::arena::Key;
use super::super::event::Event;
use super::super::link::LinkConfig;
use super::super::write_buf::WriteBuf;
use super::{Session, SessionConfig, Transmit};

/// How many links each test has.
const LINKS: usize = 2;

/// A session that is begun, with links attached in one role, and what it says.
struct Rig {
    session: Session,
    links: Vec<Key>,
    events: VecDeque<Event>,
    max_frame: usize,
}

impl Rig {
    fn new(config: SessionConfig, begin: &Begin, max_frame: u32, role: Role, initial: u32) -> Self {
        let mut rig = Self {
            session: Session::new(0, config, max_frame),
            links: Vec::new(),
            events: VecDeque::new(),
            max_frame: max_frame as usize,
        };
        rig.session.on_begin(0, begin);
        for at in 0..LINKS {
            let mut attach = Attach::new(format!("link-{at}"), Handle(0), role);
            attach.initial_delivery_count = Some(SequenceNo(initial));
            let config = LinkConfig {
                credit: Some(1_000_000),
                ..LinkConfig::default()
            };
            let key = rig.session.attach(Box::new(attach), config);
            rig.links.push(key.expect("handles are free"));
        }
        rig.turn(usize::MAX);
        for at in 0..LINKS {
            let theirs = match role {
                Role::Sender => Role::Receiver,
                Role::Receiver => Role::Sender,
            };
            let mut attach = Attach::new(format!("link-{at}"), Handle(at as u32), theirs);
            attach.initial_delivery_count = Some(SequenceNo(initial));
            attach.source = Some(Source::default().into());
            attach.target = Some(Target::default().into());
            let answered = rig.session.on_attach(attach, 0, &mut rig.events);
            answered.expect("an attach is answered");
        }
        rig.events.clear();
        rig
    }

    /// Lets the session write, so much at once; answers the frames.
    fn turn(&mut self, budget: usize) -> Vec<(Performative, Bytes)> {
        let mut out = WriteBuf::new();
        self.session.transmit(&mut Transmit {
            out: &mut out,
            events: &mut self.events,
            max_frame: self.max_frame,
            budget,
            opened: true,
        });
        let mut octets = out.take();
        let mut frames = Vec::new();
        while !octets.is_empty() {
            let size = u32::from_be_bytes([octets[0], octets[1], octets[2], octets[3]]) as usize;
            assert!(size <= self.max_frame, "a frame of {size} octets");
            let mut body = octets.split_to(size);
            body.advance(8);
            let mut decoder = Decoder::new(&body);
            let performative = Performative::decode(&mut decoder).expect("a frame decodes");
            let payload = body.slice(decoder.position()..);
            frames.push((performative, payload));
        }
        frames
    }
}

fn begin(first: u64, window: u32) -> Begin {
    Begin::new(TransferNumber(first as u32), window, i32::MAX as u32)
}
