//! The frames that crossed the sockets of a scenario, as evidence of what a peer did or did not do.
//!
//! Decides what is kept: the library's own lines, of the connections that are made while somebody records. Scenarios run one at a
//! time, so a recording holds what its scenario did. Section 2.3.

use std::fmt::{Debug, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::subscriber::{Interest, Subscriber};
use tracing::{Event, Metadata};

/// The target of the lines.
const TARGET: &str = "amqp_client::frames";

/// Of a frame that is shown to somebody, the rest says nothing more.
const SHOWN: usize = 300;

static ON: AtomicBool = AtomicBool::new(false);
static LINES: Mutex<Vec<String>> = Mutex::new(Vec::new());

/// Keeps frames until it is dropped.
#[derive(Debug)]
pub(crate) struct Recording(());

/// Makes the library's frames known to recordings; once a program.
pub(crate) fn install() {
    // It is only a second call that fails.
    tracing::subscriber::set_global_default(Frames).ok();
}

/// Records the connections that are made from here on.
pub(crate) fn record() -> Recording {
    lines().clear();
    ON.store(true, Ordering::Relaxed);
    Recording(())
}

impl Recording {
    /// The last frame so far whose line holds all of these, as in `["<-", " open("]`.
    pub(crate) fn last(&self, words: &[&str]) -> Option<String> {
        let lines = lines();
        let fits = |line: &&String| words.iter().all(|word| line.contains(word));
        lines.iter().rfind(fits).cloned()
    }

    /// The same, cut short for people, or an error that says that there is none.
    pub(crate) fn frame(&self, words: &[&str]) -> Result<String, String> {
        let frame = self.last(words);
        let frame = frame.ok_or_else(|| {
            let last = self.last(&["<- "]).unwrap_or_default();
            format!(
                "no frame with {}; the last that came: {last}",
                words.join(" ")
            )
        })?;
        Ok(frame.chars().take(SHOWN).collect())
    }

    /// How many frames hold all of these.
    pub(crate) fn count(&self, words: &[&str]) -> usize {
        let lines = lines();
        let fits = |line: &&String| words.iter().all(|word| line.contains(word));
        lines.iter().filter(fits).count()
    }
}

impl Drop for Recording {
    fn drop(&mut self) {
        ON.store(false, Ordering::Relaxed);
    }
}

fn lines() -> std::sync::MutexGuard<'static, Vec<String>> {
    LINES.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The subscriber: it asks for frames while somebody records, and for nothing else.
#[derive(Debug)]
struct Frames;

impl Subscriber for Frames {
    fn register_callsite(&self, metadata: &'static Metadata<'static>) -> Interest {
        match metadata.target() {
            TARGET => Interest::sometimes(),
            _ => Interest::never(),
        }
    }

    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target() == TARGET && ON.load(Ordering::Relaxed)
    }

    fn new_span(&self, _span: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _span: &Id, _values: &Record<'_>) {}

    fn record_follows_from(&self, _span: &Id, _follows: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut line = Line::default();
        event.record(&mut line);
        lines().push(line.0);
    }

    fn enter(&self, _span: &Id) {}

    fn exit(&self, _span: &Id) {}
}

#[derive(Default)]
struct Line(String);

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        if field.name() == "message" {
            // Writing to a string does not fail.
            let _ = write!(self.0, "{value:?}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_are_kept_while_somebody_records() {
        install();
        let say = |line: &str| tracing::trace!(target: "amqp_client::frames", "{line}");
        say("[1] <- 0 open(0x10) []");
        let recording = record();
        say("[2] <- 0 open(0x10) []");
        say("[2] -> 0 close(0x18) []");
        tracing::trace!(target: "amqp_client::other", "[2] <- 0 open(0x10) [x]");
        let frame = recording.frame(&["<-", " open("]);
        assert_eq!(frame.as_deref(), Ok("[2] <- 0 open(0x10) []"));
        assert_eq!(recording.count(&["close("]), 1);
        assert!(recording.frame(&["begin("]).is_err());
        drop(recording);
        say("[3] <- 0 open(0x10) []");
        assert_eq!(record().count(&[]), 0);
    }
}
