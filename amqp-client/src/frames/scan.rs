//! A stream of octets, cut into protocol headers and frames again.
//!
//! Decides where one frame ends and the next begins, whatever the reads and writes were, and how
//! much of a frame is looked at. What is legal is the engine's business. Sections 2.2, 2.3.1.

/// How much of one frame is kept. What a performative takes beyond that is counted, not shown.
const KEPT: usize = 64 * 1024;
const HEADER: usize = 8;

/// Something that the stream contains.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Piece<'a> {
    /// A protocol header.
    Header([u8; HEADER]),
    /// A frame, with as much of its body as is kept, and how many octets are missing there.
    Frame {
        kind: u8,
        channel: u16,
        body: &'a [u8],
        missing: usize,
    },
    /// What is no frame; where the next one begins is unknown.
    Foreign([u8; HEADER]),
}

/// One direction of a connection.
#[derive(Debug, Default)]
pub(super) struct Scanner {
    /// The beginning of the piece that is arriving.
    kept: Vec<u8>,
    /// How much of a large frame is still to come, beyond what is kept.
    missing: usize,
    /// The stream can not be cut any more.
    lost: bool,
    /// A protocol header has come, before which there are no frames.
    begun: bool,
}

impl Scanner {
    /// Takes the next octets and tells every piece that they complete.
    pub(super) fn feed(&mut self, mut octets: &[u8], tell: &mut impl FnMut(Piece<'_>)) {
        while !octets.is_empty() && !self.lost {
            if self.missing > 0 {
                let step = self.missing.min(octets.len());
                self.missing -= step;
                octets = &octets[step..];
                if self.missing == 0 {
                    self.frame(tell);
                }
                continue;
            }
            self.take(&mut octets, HEADER);
            let Some(header) = self.kept.first_chunk::<HEADER>().copied() else {
                return;
            };
            if header.starts_with(b"AMQP") {
                tell(Piece::Header(header));
                self.begun = true;
                self.kept.clear();
                continue;
            }
            let (size, body) = measure(&header);
            if !self.begun || body < HEADER || body > size {
                tell(Piece::Foreign(header));
                self.lost = true;
                return;
            }
            let kept = size.min(KEPT);
            self.take(&mut octets, kept);
            if self.kept.len() == kept {
                self.missing = size - kept;
                if self.missing == 0 {
                    self.frame(tell);
                }
            }
        }
    }

    /// Moves octets over until `size` of them are kept.
    fn take(&mut self, octets: &mut &[u8], size: usize) {
        let step = size.saturating_sub(self.kept.len()).min(octets.len());
        self.kept.extend_from_slice(&octets[..step]);
        *octets = &octets[step..];
    }

    /// The frame has come whole.
    fn frame(&mut self, tell: &mut impl FnMut(Piece<'_>)) {
        if let Some(header) = self.kept.first_chunk::<HEADER>() {
            let (size, body) = measure(header);
            tell(Piece::Frame {
                kind: header[5],
                channel: u16::from_be_bytes([header[6], header[7]]),
                body: self.kept.get(body..).unwrap_or_default(),
                missing: size - self.kept.len(),
            });
        }
        self.kept.clear();
    }
}

/// The size of a frame and where its body begins.
fn measure(header: &[u8; HEADER]) -> (usize, usize) {
    let [a, b, c, d, offset, ..] = *header;
    let size = u32::from_be_bytes([a, b, c, d]);
    (size as usize, usize::from(offset) * 4)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pieces(octets: &[u8], step: usize) -> Vec<String> {
        let mut scanner = Scanner::default();
        let mut found = Vec::new();
        for part in octets.chunks(step) {
            scanner.feed(part, &mut |piece| {
                found.push(match piece {
                    Piece::Frame { body, missing, .. } => {
                        format!("frame {} {missing}", body.len())
                    }
                    other => format!("{other:?}"),
                });
            });
        }
        found
    }

    fn frame(size: usize) -> Vec<u8> {
        let mut frame = (size as u32).to_be_bytes().to_vec();
        frame.extend_from_slice(&[2, 0, 0, 7]);
        frame.resize(size, 0x40);
        frame
    }

    #[test]
    fn pieces_do_not_depend_on_how_the_octets_come() {
        let stream = [
            b"AMQP\0\x01\0\0".to_vec(),
            frame(8),
            frame(300),
            frame(KEPT + 500),
        ]
        .concat();
        let whole = pieces(&stream, stream.len());
        assert_eq!(
            whole[1..],
            [
                "frame 0 0".to_owned(),
                "frame 292 0".to_owned(),
                format!("frame {} 500", KEPT - 8)
            ]
        );
        for step in [1, 7, 8, 1000, 65_536] {
            assert_eq!(pieces(&stream, step), whole, "{step}");
        }
    }

    #[test]
    fn nothing_is_made_of_what_follows_no_frame() {
        let found = pieces(b"GET / HTTP/1.1\r\n\r\n", 5);
        assert_eq!(found.len(), 1, "{found:?}");
        let stream = [b"AMQP\0\x01\0\0", &[0, 0, 0, 7, 2, 0, 0, 0][..], &frame(8)].concat();
        assert_eq!(pieces(&stream, 3).len(), 2);
    }

    #[test]
    fn a_frame_that_never_comes_whole_is_kept_up_to_the_limit() {
        let mut scanner = Scanner::default();
        scanner.feed(b"AMQP\0\x01\0\0\xff\xff\xff\xff\x02\0\0\0", &mut |_| {});
        for _ in 0..1000 {
            scanner.feed(&[0x41; 1024], &mut |piece| panic!("{piece:?}"));
        }
        assert!(scanner.kept.len() <= KEPT);
    }
}
