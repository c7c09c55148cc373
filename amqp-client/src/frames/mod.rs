//! The frames of a connection, printed as they cross the socket.
//!
//! Decides when that is done and where the lines go. They are made from the octets that were read
//! and written, so that the engine does not know of it, and a connection that is not watched pays for
//! one test a read or write. Sections 2.2, 2.3, 2.7, 5.3.
//!
//! A connection is watched from its first octet when the environment has `PN_TRACE_FRM=1` (or `on`,
//! or `true`), or when a subscriber of `tracing` takes TRACE of the target `amqp_client::frames`. The
//! lines are events of that target; where no subscriber takes them they go to standard error.

mod names;
mod print;
mod scan;

use std::fmt::Write;
use std::io::IoSlice;
use std::sync::OnceLock;

use print::Secrets;
use scan::{Piece, Scanner};

/// The watch over one connection.
#[derive(Debug)]
pub(crate) struct FrameTrace {
    number: u64,
    sent: Direction,
    received: Direction,
}

#[derive(Debug)]
struct Direction {
    arrow: &'static str,
    scanner: Scanner,
    secrets: Secrets,
}

impl FrameTrace {
    /// The watch over a new connection, where somebody wants it. By its number it is told from others.
    pub(crate) fn when_wanted(number: u64) -> Option<Box<Self>> {
        (by_environment() || by_subscriber()).then(|| Box::new(Self::new(number)))
    }

    fn new(number: u64) -> Self {
        let direction = |arrow| Direction {
            arrow,
            scanner: Scanner::default(),
            secrets: Secrets::default(),
        };
        Self {
            number,
            sent: direction("->"),
            received: direction("<-"),
        }
    }

    /// The first `count` octets of these were written.
    pub(crate) fn sent(&mut self, slices: &[IoSlice<'_>], mut count: usize) {
        for slice in slices {
            let step = slice.len().min(count);
            count -= step;
            self.sent.feed(self.number, &slice[..step], &mut emit);
        }
    }

    /// These octets were read.
    pub(crate) fn received(&mut self, octets: &[u8]) {
        self.received.feed(self.number, octets, &mut emit);
    }

    /// Our half of the stream was ended.
    pub(crate) fn ended(&self) {
        emit(&format!("[{}] -> EOS", self.number));
    }

    /// The peer's half of the stream has ended.
    pub(crate) fn saw_end(&self) {
        emit(&format!("[{}] <- EOS", self.number));
    }
}

impl Direction {
    fn feed(&mut self, number: u64, octets: &[u8], emit: &mut impl FnMut(&str)) {
        let (arrow, secrets) = (self.arrow, &mut self.secrets);
        self.scanner.feed(octets, &mut |piece| {
            let mut line = format!("[{number}] {arrow} ");
            // Writing to a string does not fail.
            let _ = print_piece(&mut line, piece, secrets);
            emit(&line);
        });
    }
}

fn print_piece(line: &mut String, piece: Piece<'_>, secrets: &mut Secrets) -> std::fmt::Result {
    match piece {
        Piece::Header([.., id, major, minor, revision]) => {
            let layer = match id {
                0 => "AMQP",
                2 => "TLS",
                3 => "SASL",
                _ => "unknown layer",
            };
            write!(line, "header {layer} {major}.{minor}.{revision}")
        }
        Piece::Frame {
            kind,
            channel,
            body,
            missing,
        } => {
            match kind {
                0 => write!(line, "{channel} ")?,
                1 => line.write_str("SASL ")?,
                kind => {
                    return write!(
                        line,
                        "frame of type {kind}, {} octets",
                        body.len() + missing
                    );
                }
            }
            print::frame(line, channel, body, missing, secrets)
        }
        Piece::Foreign(octets) => {
            line.write_str("no frame: ")?;
            print::excerpt(line, &octets, usize::MAX)
        }
    }
}

/// Whether the environment asks for frames; it is looked at once.
fn by_environment() -> bool {
    static WANTED: OnceLock<bool> = OnceLock::new();
    *WANTED.get_or_init(|| {
        std::env::var("PN_TRACE_FRM")
            .is_ok_and(|value| matches!(value.to_ascii_lowercase().as_str(), "1" | "on" | "true"))
    })
}

fn by_subscriber() -> bool {
    tracing::enabled!(target: "amqp_client::frames", tracing::Level::TRACE)
}

fn emit(line: &str) {
    if by_subscriber() {
        tracing::trace!(target: "amqp_client::frames", "{line}");
    } else if by_environment() {
        eprintln!("{line}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use amqp_types::messaging::{Target, TargetArchetype};
    use amqp_types::security::{SaslChallenge, SaslInit, SaslMechanisms, SaslResponse};
    use amqp_types::transport::{Attach, DeliveryNumber, Handle, Open, Role, Transfer};
    use amqp_types::{Binary, Encode, Str, Symbol};
    use bytes::BytesMut;

    fn frame(kind: u8, channel: u16, performative: &impl Encode, payload: &[u8]) -> Vec<u8> {
        let mut body = BytesMut::new();
        performative.encode(&mut body);
        body.extend_from_slice(payload);
        let mut frame = (body.len() as u32 + 8).to_be_bytes().to_vec();
        frame.extend_from_slice(&[2, kind]);
        frame.extend_from_slice(&channel.to_be_bytes());
        frame.extend_from_slice(&body);
        frame
    }

    fn lines(octets: &[u8]) -> Vec<String> {
        let mut trace = FrameTrace::new(1);
        let mut lines = Vec::new();
        trace.sent.feed(1, b"AMQP\0\x01\0\0", &mut |_: &str| {});
        trace
            .sent
            .feed(1, octets, &mut |line: &str| lines.push(line.to_owned()));
        lines
    }

    /// An attach of a sender to this address, and a transfer with a payload behind it.
    fn link_to(address: &str) -> Vec<u8> {
        let mut attach = Attach::new("links", Handle(3), Role::Sender);
        attach.target = Some(TargetArchetype::Target(Target {
            address: Some(Str::from(address.to_owned()).into()),
            ..Target::default()
        }));
        let transfer = Transfer {
            delivery_id: Some(DeliveryNumber(7)),
            ..Transfer::new(Handle(3))
        };
        [
            frame(0, 5, &attach, b""),
            frame(
                0,
                5,
                &transfer,
                &[b"\0Sp ".to_vec(), vec![b'x'; 100]].concat(),
            ),
        ]
        .concat()
    }

    #[test]
    fn headers_and_performatives_are_lines_with_the_fields_that_are_not_null() {
        let open = Open {
            hostname: Some(Str::from_static("h\n")),
            ..Open::new("me")
        };
        let stream = [
            b"AMQP\x03\x01\0\0AMQP\0\x01\0\0".to_vec(),
            frame(0, 0, &open, b""),
            vec![0, 0, 0, 8, 2, 0, 0, 0],
        ]
        .concat();
        assert_eq!(
            lines(&stream),
            [
                "[1] -> header SASL 1.0.0",
                "[1] -> header AMQP 1.0.0",
                r#"[1] -> 0 open(0x10) [container-id="me", hostname="h\n"]"#,
                "[1] -> 0 (empty)",
            ]
        );
    }

    #[test]
    fn payloads_are_cut_short_and_nested_types_have_names() {
        let found = lines(&link_to("q"));
        assert_eq!(
            found[0],
            r#"[1] -> 5 attach(0x12) [name="links", handle=3, role=sender, target=target(0x29) [address="q"]]"#
        );
        let excerpt = format!(r#"payload 104 octets b"\x00Sp {}"…"#, "x".repeat(60));
        assert_eq!(
            found[1],
            format!("[1] -> 5 transfer(0x14) [handle=3, delivery-id=7] {excerpt}")
        );
    }

    #[test]
    fn what_authenticates_is_masked() {
        let init = SaslInit {
            initial_response: Some(Binary::from_static(b"\0alice\0s3cret")),
            ..SaslInit::new(Symbol::from_static("PLAIN"))
        };
        let stream = [
            frame(
                1,
                0,
                &SaslMechanisms::new(vec![Symbol::from_static("PLAIN")]),
                b"",
            ),
            frame(1, 0, &init, b""),
            frame(1, 0, &SaslResponse::new(b"s3cret".to_vec()), b"s3cret"),
            frame(1, 0, &SaslChallenge::new(b"s3cret".to_vec()), b""),
            link_to("$cbs"),
        ]
        .concat();
        let found = lines(&stream).join("\n");
        assert!(
            !found.contains("s3cret") && !found.contains("xx"),
            "{found}"
        );
        assert!(
            found.contains("SASL sasl-init(0x41) [mechanism=:PLAIN, initial-response=(masked)]"),
            "{found}"
        );
        assert!(found.ends_with("payload 104 octets (masked)"), "{found}");
    }

    #[test]
    fn a_line_has_an_end_whatever_a_peer_sends() {
        let mut open = Open::new("x".repeat(10_000));
        open.offered_capabilities = (0..5000)
            .map(|n| Symbol::try_from(format!("c{n}")).unwrap())
            .collect();
        let found = lines(&frame(0, 0, &open, b""));
        assert_eq!(found.len(), 1);
        assert!(found[0].len() < 6000, "{}", found[0].len());
        let garbage = [&[0, 0, 0, 20, 2, 0, 0, 0][..], &[0xff; 12]].concat();
        assert_eq!(lines(&garbage), ["[1] -> 0 unreadable, 12 octets"]);
    }
}
