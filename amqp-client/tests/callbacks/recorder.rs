//! A handler that writes down what it is called for.

use std::sync::Arc;

use amqp_client::Container;
use amqp_client::handler::{
    ActiveContainer, ConnectionEvent, DeliveryEvent, HandlerOptions, HandlerResult, InjectedEvent,
    LinkEvent, LinkOpeningEvent, MessageEvent, MessagingHandler, ReceiverEvent, Running,
    SenderEvent, SessionEvent, StartEvent, TimerEvent,
};
use tokio::sync::watch;

/// What was called, by name, with what tells one occurrence from another.
#[derive(Clone)]
pub(crate) struct Log(Arc<watch::Sender<Vec<String>>>);

impl Log {
    pub(crate) fn new() -> Self {
        Self(Arc::new(watch::Sender::new(Vec::new())))
    }

    pub(crate) fn add(&self, line: impl Into<String>) {
        self.0.send_modify(|lines| lines.push(line.into()));
    }

    pub(crate) fn lines(&self) -> Vec<String> {
        self.0.borrow().clone()
    }

    /// Waits until a line has been written so many times.
    pub(crate) async fn has(&self, line: &str, times: usize) {
        let enough = |lines: &Vec<String>| lines.iter().filter(|l| *l == line).count() >= times;
        let mut lines = self.0.subscribe();
        let wait = tokio::time::timeout(std::time::Duration::from_secs(20), lines.wait_for(enough));
        assert!(wait.await.is_ok(), "no {line}: {:?}", self.lines());
    }
}

/// Runs `start`, writes down every callback, and leaves each at its default beyond that.
pub(crate) struct Recorder<F> {
    pub(crate) log: Log,
    pub(crate) options: HandlerOptions,
    pub(crate) start: Option<F>,
    /// What becomes of messages.
    pub(crate) on_message: fn(&MessageEvent) -> HandlerResult,
    /// What else is done when a sender may send.
    pub(crate) on_sendable: fn(&SenderEvent) -> HandlerResult,
    /// What becomes of connections that are accepted.
    pub(crate) on_connection_opening: fn(&ConnectionEvent) -> HandlerResult,
}

pub(crate) type Start = Box<dyn FnOnce(&ActiveContainer) -> HandlerResult + Send>;

impl Recorder<Start> {
    pub(crate) fn new(
        start: impl FnOnce(&ActiveContainer) -> HandlerResult + Send + 'static,
    ) -> Self {
        Self {
            log: Log::new(),
            options: HandlerOptions::default(),
            start: Some(Box::new(start)),
            on_message: |_| Ok(()),
            on_sendable: |_| Ok(()),
            on_connection_opening: |_| Ok(()),
        }
    }

    /// For a part of a container: it writes into the same log, under a name.
    pub(crate) fn part(log: Log) -> Self {
        Self {
            log,
            ..Self::new(|_| Ok(()))
        }
    }

    pub(crate) fn run(self) -> (Log, Running<Self>) {
        let log = self.log.clone();
        (log, Container::new("recorder").start(self).unwrap())
    }
}

/// Ends the run and answers everything that was called.
pub(crate) async fn stop(log: &Log, running: Running<Recorder<Start>>) -> Vec<String> {
    running.container().stop();
    ended(log, running).await
}

/// Waits for the end of the run and answers everything that was called.
pub(crate) async fn ended(log: &Log, running: Running<Recorder<Start>>) -> Vec<String> {
    let wait = tokio::time::timeout(std::time::Duration::from_secs(20), running.wait());
    wait.await.expect("the run ends").unwrap();
    let mut lines = log.lines();
    // How often there is nothing to do is nobody's business but that of its own test.
    lines.retain(|line| line != "quiescent");
    lines
}

macro_rules! write_down {
    ($($name:ident($event:ident: $type:ty) $line:expr;)*) => {
        $(fn $name(&mut self, $event: &$type) -> HandlerResult {
            self.log.add($line);
            Ok(())
        })*
    };
}

fn link(event: &LinkEvent, what: &str) -> String {
    format!("{what} {}", event.link().name())
}

fn number(event: &DeliveryEvent) -> String {
    match event.tracker() {
        Some(tracker) => tracker.number().to_string(),
        None => format!("received {:?}", event.tag().unwrap_or_default()),
    }
}

impl MessagingHandler for Recorder<Start> {
    fn options(&self) -> HandlerOptions {
        self.options
    }

    fn on_start(&mut self, event: &StartEvent) -> HandlerResult {
        self.log.add("start");
        match self.start.take() {
            Some(start) => start(event.container()),
            None => Ok(()),
        }
    }

    fn on_message(&mut self, event: &MessageEvent) -> HandlerResult {
        let message = event.message()?;
        self.log
            .add(format!("message {}", message.body.as_str().unwrap_or("?")));
        (self.on_message)(event)
    }

    fn on_sendable(&mut self, event: &SenderEvent) -> HandlerResult {
        self.log
            .add(format!("sendable {}", event.sender().credit()));
        (self.on_sendable)(event)
    }

    fn on_connection_opening(&mut self, event: &ConnectionEvent) -> HandlerResult {
        self.log.add("connection_opening");
        (self.on_connection_opening)(event)
    }

    fn on_error(&mut self, event: &ConnectionEvent) -> HandlerResult {
        let condition = event.error().and_then(|error| error.condition().cloned());
        self.log.add(match condition {
            Some(condition) => format!("error {}", condition.as_str()),
            None => "error".to_owned(),
        });
        Ok(())
    }

    fn on_session_error(&mut self, event: &SessionEvent) -> HandlerResult {
        self.log.add("session_error");
        event.connection().close();
        Ok(())
    }

    fn on_link_error(&mut self, event: &LinkEvent) -> HandlerResult {
        self.log.add(link(event, "link_error"));
        event.connection().close();
        Ok(())
    }

    write_down! {
        on_stop(_event: StartEvent) "stop";
        on_quiescent(_event: StartEvent) "quiescent";
        on_timer_task(_event: TimerEvent) "timer_task";
        on_application_event(event: InjectedEvent) format!("event {}", event.name());
        on_connection_opened(_event: ConnectionEvent) "connection_opened";
        on_connection_closed(_event: ConnectionEvent) "connection_closed";
        on_connection_wake(_event: ConnectionEvent) "connection_wake";
        on_disconnected(_event: ConnectionEvent) "disconnected";
        on_transport_closed(_event: ConnectionEvent) "transport_closed";
        on_session_opening(_event: SessionEvent) "session_opening";
        on_session_opened(_event: SessionEvent) "session_opened";
        on_session_closed(_event: SessionEvent) "session_closed";
        on_link_opening(event: LinkOpeningEvent) format!("link_opening {}", event.attach().name.as_str());
        on_link_opened(event: LinkEvent) link(event, "link_opened");
        on_link_closed(event: LinkEvent) link(event, "link_closed");
        on_link_detached(event: LinkEvent) link(event, "link_detached");
        on_accepted(event: DeliveryEvent) format!("accepted {}", number(event));
        on_rejected(event: DeliveryEvent) format!("rejected {}", number(event));
        on_released(event: DeliveryEvent) format!("released {}", number(event));
        on_delivery_updated(event: DeliveryEvent) format!("updated {}", number(event));
        on_settled(event: DeliveryEvent) format!("settled {}", number(event));
        on_drain_start(event: SenderEvent) format!("drain_start {}", event.sender().credit());
        on_drain_finish(_event: ReceiverEvent) "drain_finish";
        on_aborted(_event: ReceiverEvent) "aborted";
    }
}
