//! A subscriber that keeps everything: each span with its parent, its fields and whether it is closed,
//! each event with the span that it is in.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::subscriber::DefaultGuard;
use tracing::{Event, Level, Metadata, Subscriber};

pub(crate) type Fields = BTreeMap<&'static str, String>;

#[derive(Clone, Debug)]
pub(crate) struct Span {
    pub(crate) name: &'static str,
    pub(crate) target: &'static str,
    pub(crate) level: Level,
    /// The number of the span that it is in, counted from 1.
    pub(crate) parent: Option<usize>,
    pub(crate) fields: Fields,
    /// The place of its end in the order of all ends.
    pub(crate) closed: Option<usize>,
    handles: usize,
}

#[derive(Clone, Debug)]
pub(crate) struct Line {
    pub(crate) target: &'static str,
    pub(crate) level: Level,
    pub(crate) message: String,
    pub(crate) fields: Fields,
    pub(crate) span: Option<usize>,
}

#[derive(Default)]
pub(crate) struct Kept {
    pub(crate) spans: Vec<Span>,
    pub(crate) events: Vec<Line>,
    entered: Vec<usize>,
    ends: usize,
}

/// What takes levels up to one, of this crate alone and but for one target.
#[derive(Clone)]
pub(crate) struct Recorder {
    level: Level,
    without: &'static str,
    record: Arc<Mutex<Kept>>,
}

/// A place in the code that is reached for the first time, on one thread, while a subscriber comes on
/// another one, may not learn of it: one test after the other.
static ALONE: Mutex<()> = Mutex::new(());

/// Ends a recording, and lets the next test have its own.
pub(crate) struct Recording {
    _subscriber: DefaultGuard,
    _alone: MutexGuard<'static, ()>,
}

impl Recorder {
    /// Records on this thread until the guard is dropped.
    pub(crate) fn install(level: Level) -> (Self, Recording) {
        Self::without(level, "amqp_client::frames")
    }

    /// The same, and all but one target.
    pub(crate) fn without(level: Level, target: &'static str) -> (Self, Recording) {
        let alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
        let recorder = Self {
            level,
            without: target,
            record: Arc::default(),
        };
        let recording = Recording {
            _subscriber: tracing::subscriber::set_default(recorder.clone()),
            _alone: alone,
        };
        (recorder, recording)
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, Kept> {
        self.record.lock().unwrap()
    }

    /// The spans of a name whose fields are these, with their numbers.
    pub(crate) fn spans(&self, name: &str, fields: &[(&str, &str)]) -> Vec<(usize, Span)> {
        let record = self.lock();
        let numbered = record.spans.iter().cloned().enumerate();
        numbered
            .filter(|(_, span)| span.name == name && has(&span.fields, fields))
            .map(|(at, span)| (at + 1, span))
            .collect()
    }

    /// The only span of a name whose fields are these.
    pub(crate) fn span(&self, name: &str, fields: &[(&str, &str)]) -> (usize, Span) {
        let found = self.spans(name, fields);
        assert_eq!(found.len(), 1, "{name} {fields:?}: {found:#?}");
        found.into_iter().next().unwrap()
    }

    /// The events with this message.
    pub(crate) fn events(&self, message: &str) -> Vec<Line> {
        let record = self.lock();
        let said = record.events.iter().filter(|line| line.message == message);
        said.cloned().collect()
    }

    /// The only event with this message.
    pub(crate) fn event(&self, message: &str) -> Line {
        let found = self.events(message);
        assert_eq!(found.len(), 1, "{message}: {:#?}", self.lock().events);
        found.into_iter().next().unwrap()
    }
}

fn has(fields: &Fields, wanted: &[(&str, &str)]) -> bool {
    wanted
        .iter()
        .all(|(name, value)| fields.get(name).is_some_and(|found| found == value))
}

struct Writer<'a>(&'a mut Fields);

impl Visit for Writer<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.0.insert(field.name(), format!("{value:?}"));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.0.insert(field.name(), value.to_owned());
    }
}

fn at(id: &Id) -> usize {
    id.into_u64() as usize
}

impl Subscriber for Recorder {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        let target = metadata.target();
        let wanted = target.starts_with("amqp_client") && target != self.without;
        wanted && *metadata.level() <= self.level
    }

    fn new_span(&self, span: &Attributes<'_>) -> Id {
        let mut record = self.lock();
        let mut fields = Fields::new();
        span.record(&mut Writer(&mut fields));
        let contextual = || record.entered.last().copied();
        let parent = match span.parent() {
            Some(id) => Some(at(id)),
            None => contextual().filter(|_| span.is_contextual()),
        };
        record.spans.push(Span {
            name: span.metadata().name(),
            target: span.metadata().target(),
            level: *span.metadata().level(),
            parent,
            fields,
            closed: None,
            handles: 1,
        });
        Id::from_u64(record.spans.len() as u64)
    }

    fn record(&self, id: &Id, values: &Record<'_>) {
        let mut record = self.lock();
        let span = &mut record.spans[at(id) - 1];
        assert!(span.closed.is_none());
        values.record(&mut Writer(&mut span.fields));
    }

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut record = self.lock();
        let mut fields = Fields::new();
        event.record(&mut Writer(&mut fields));
        let contextual = || record.entered.last().copied();
        let span = match event.parent() {
            Some(id) => Some(at(id)),
            None => contextual().filter(|_| event.is_contextual()),
        };
        record.events.push(Line {
            target: event.metadata().target(),
            level: *event.metadata().level(),
            message: fields.remove("message").unwrap_or_default(),
            fields,
            span,
        });
    }

    fn enter(&self, id: &Id) {
        self.lock().entered.push(at(id));
    }

    fn exit(&self, id: &Id) {
        let mut record = self.lock();
        let last = record
            .entered
            .iter()
            .rposition(|entered| *entered == at(id));
        record.entered.remove(last.unwrap());
    }

    fn clone_span(&self, id: &Id) -> Id {
        self.lock().spans[at(id) - 1].handles += 1;
        id.clone()
    }

    fn try_close(&self, id: Id) -> bool {
        let mut record = self.lock();
        let end = record.ends;
        let span = &mut record.spans[at(&id) - 1];
        span.handles -= 1;
        let over = span.handles == 0;
        if over {
            span.closed = Some(end);
            record.ends += 1;
        }
        over
    }
}
