//! Handlers: which callbacks are called, in which order, and what a failing one ends.

#![allow(clippy::unwrap_used)]

use std::sync::{Arc, Mutex};
use std::time::Duration;

use amqp_client::broker::Broker;
use amqp_client::handler::{
    ApplicationEvent, ConnectionEvent, DeliveryEvent, HandlerError, HandlerOptions, HandlerResult,
    InjectedEvent, LinkEvent, LinkOpeningEvent, MessageEvent, MessagingHandler, ReceiverEvent,
    SenderEvent, SessionEvent, StartEvent, TimerEvent, Tracker,
};
use amqp_client::types::messaging::TargetArchetype;
use amqp_client::types::transport::{self, ErrorCondition};
use amqp_client::{Connection, Container, Message, ReceiverOptions};

/// What was called, by name.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<String>>>);

impl Log {
    fn add(&self, text: impl Into<String>) {
        self.0.lock().unwrap().push(text.into());
    }

    fn take(&self) -> Vec<String> {
        std::mem::take(&mut *self.0.lock().unwrap())
    }
}

/// Sends `messages` to a queue and receives them, and writes down every callback.
struct Echo {
    url: String,
    log: Log,
    messages: usize,
    sent: usize,
    settled: usize,
    received: usize,
}

impl Echo {
    fn new(url: String, messages: usize) -> Self {
        Self {
            url,
            log: Log::default(),
            messages,
            sent: 0,
            settled: 0,
            received: 0,
        }
    }

    fn done(&self, event: &amqp_client::handler::Connection) {
        if self.settled == self.messages && self.received == self.messages {
            event.close();
        }
    }
}

impl MessagingHandler for Echo {
    fn on_start(&mut self, event: &StartEvent) -> HandlerResult {
        self.log.add("start");
        let connection = event.container().connect(&self.url)?;
        connection.create_sender("q")?;
        connection.create_receiver("q")?;
        Ok(())
    }
    fn on_stop(&mut self, _: &StartEvent) -> HandlerResult {
        self.log.add("stop");
        Ok(())
    }
    fn on_connection_opened(&mut self, _: &ConnectionEvent) -> HandlerResult {
        self.log.add("connection_opened");
        Ok(())
    }
    fn on_connection_closed(&mut self, _: &ConnectionEvent) -> HandlerResult {
        self.log.add("connection_closed");
        Ok(())
    }
    fn on_connection_error(&mut self, _: &ConnectionEvent) -> HandlerResult {
        self.log.add("connection_error");
        Ok(())
    }
    fn on_transport_error(&mut self, _: &ConnectionEvent) -> HandlerResult {
        self.log.add("transport_error");
        Ok(())
    }
    fn on_disconnected(&mut self, _: &ConnectionEvent) -> HandlerResult {
        self.log.add("disconnected");
        Ok(())
    }
    fn on_transport_closed(&mut self, _: &ConnectionEvent) -> HandlerResult {
        self.log.add("transport_closed");
        Ok(())
    }
    fn on_session_opened(&mut self, _: &SessionEvent) -> HandlerResult {
        self.log.add("session_opened");
        Ok(())
    }
    fn on_link_opened(&mut self, event: &LinkEvent) -> HandlerResult {
        let what = event.sender().map_or("receiver", |_| "sender");
        self.log.add(format!("{what}_opened"));
        Ok(())
    }
    fn on_sendable(&mut self, event: &SenderEvent) -> HandlerResult {
        while event.sender().credit() > 0 && self.sent < self.messages {
            let tracker = event
                .sender()
                .send(Message::from(format!("m{}", self.sent)))?;
            assert_eq!(tracker.number(), self.sent as u64);
            self.sent += 1;
        }
        Ok(())
    }
    fn on_accepted(&mut self, event: &DeliveryEvent) -> HandlerResult {
        let number = event.tracker().map(Tracker::number).unwrap();
        self.log.add(format!("accepted {number}"));
        Ok(())
    }
    fn on_settled(&mut self, event: &DeliveryEvent) -> HandlerResult {
        let number = event.tracker().map(Tracker::number).unwrap();
        self.log.add(format!("settled {number}"));
        self.settled += 1;
        self.done(event.connection());
        Ok(())
    }
    fn on_message(&mut self, event: &MessageEvent) -> HandlerResult {
        let message = event.message()?;
        let number = message
            .body
            .as_str()
            .and_then(|text| text.strip_prefix('m'));
        assert!(number.is_some(), "{message:?}");
        self.received += 1;
        self.done(event.connection());
        Ok(())
    }
}

async fn run<H: MessagingHandler>(handler: H) -> Result<H, amqp_client::Error> {
    let running = Container::new("test").start(handler)?;
    tokio::time::timeout(Duration::from_secs(20), running.wait())
        .await
        .expect("the run ends")
}

#[tokio::test]
async fn callbacks_come_in_the_order_of_the_wire() {
    let broker = Broker::start().await.unwrap();
    let echo = run(Echo::new(broker.url(), 2)).await.unwrap();
    assert_eq!(echo.received, 2);
    let log = echo.log.take();
    assert_eq!(
        &log[..5],
        [
            "start",
            "connection_opened",
            "session_opened",
            "sender_opened",
            "receiver_opened"
        ]
    );
    let settles: Vec<_> = log
        .iter()
        .filter(|line| line.starts_with("accepted") || line.starts_with("settled"))
        .collect();
    assert_eq!(
        settles,
        ["accepted 0", "settled 0", "accepted 1", "settled 1"]
    );
    assert_eq!(
        &log[log.len() - 3..],
        ["connection_closed", "transport_closed", "stop"]
    );
    assert_eq!(log.len(), 12, "{log:?}");
}

#[test]
fn a_container_runs_without_a_runtime() {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .unwrap();
    let broker = runtime.block_on(Broker::start()).unwrap();
    let echo = Container::new("test")
        .run(Echo::new(broker.url(), 1000))
        .unwrap();
    assert_eq!((echo.sent, echo.received, echo.settled), (1000, 1000, 1000));
}

#[tokio::test]
async fn a_lost_connection_is_told_once() {
    let broker = Broker::start().await.unwrap();
    let mut echo = Echo::new(broker.url(), 1);
    echo.received = 5; // It never closes by itself.
    let log = echo.log.clone();
    let running = Container::new("test").start(echo).unwrap();
    while !log
        .0
        .lock()
        .unwrap()
        .iter()
        .any(|line| line == "accepted 0")
    {
        tokio::task::yield_now().await;
    }
    broker.shutdown().await;
    running.wait().await.unwrap();
    let log = log.take();
    assert_eq!(
        &log[log.len() - 3..],
        ["disconnected", "transport_closed", "stop"],
        "{log:?}"
    );
    assert!(!log.contains(&"connection_error".to_owned()));
}

#[tokio::test]
async fn a_peer_that_can_not_be_reached_is_a_transport_error() {
    let socket = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = socket.local_addr().unwrap();
    drop(socket);
    let echo = run(Echo::new(format!("amqp://{address}"), 1))
        .await
        .unwrap();
    assert_eq!(
        echo.log.take(),
        [
            "start",
            "transport_error",
            "disconnected",
            "transport_closed",
            "stop"
        ]
    );
}

#[tokio::test]
async fn the_next_address_is_tried_where_nobody_listens() {
    let socket = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let nobody = socket.local_addr().unwrap();
    drop(socket);
    let broker = Broker::start().await.unwrap();
    let urls = format!("amqp://{nobody},{}", broker.url());
    let echo = run(Echo::new(urls, 1)).await.unwrap();
    assert_eq!(echo.received, 1);
    assert!(!echo.log.take().contains(&"transport_error".to_owned()));
}

/// A listener that answers, and a client that talks to it without a broker.
struct Direct {
    log: Log,
    client: Option<amqp_client::handler::Connection>,
    answers: usize,
}

impl MessagingHandler for Direct {
    fn on_start(&mut self, event: &StartEvent) -> HandlerResult {
        let acceptor = event.container().listen("127.0.0.1:0")?;
        let url = format!("amqp://{}/examples", acceptor.local_addr());
        let sender = event.container().create_sender(&url)?;
        self.client = Some(sender.connection().clone());
        for text in ["good", "bad", "busy", "later"] {
            sender.send(Message::from(text))?;
        }
        event.container().defer({
            let log = self.log.clone();
            move || log.add("deferred")
        });
        drop(acceptor);
        Ok(())
    }
    fn on_connection_opening(&mut self, event: &ConnectionEvent) -> HandlerResult {
        assert_eq!(
            event.connection().remote().unwrap().container_id.as_str(),
            "test"
        );
        self.log.add("connection_opening");
        Ok(())
    }
    fn on_link_opening(&mut self, event: &LinkOpeningEvent) -> HandlerResult {
        let Some(TargetArchetype::Target(target)) = &event.attach().target else {
            return Err("no target".into());
        };
        assert_eq!(target.address.as_ref().unwrap().as_str(), "examples");
        self.log.add("link_opening");
        Ok(())
    }
    fn on_message(&mut self, event: &MessageEvent) -> HandlerResult {
        match event.message()?.body.as_str() {
            Some("bad") => {
                let mut error = transport::Error::new(ErrorCondition::InvalidField);
                error.description = Some("no good".into());
                Err(HandlerError::Reject(Some(error)))
            }
            Some("busy") => Err(HandlerError::Release),
            Some("later") => {
                event.delivery().release();
                Ok(())
            }
            _ => Ok(()),
        }
    }
    fn on_accepted(&mut self, _: &DeliveryEvent) -> HandlerResult {
        self.log.add("accepted");
        Ok(())
    }
    fn on_rejected(&mut self, event: &DeliveryEvent) -> HandlerResult {
        let error = event.condition().unwrap();
        self.log.add(format!(
            "rejected: {}",
            error.description.as_ref().unwrap().as_str()
        ));
        Ok(())
    }
    fn on_released(&mut self, _: &DeliveryEvent) -> HandlerResult {
        self.log.add("released");
        Ok(())
    }
    fn on_modified(&mut self, _: &DeliveryEvent) -> HandlerResult {
        self.log.add("modified");
        Ok(())
    }
    fn on_settled(&mut self, event: &DeliveryEvent) -> HandlerResult {
        self.answers += 1;
        if self.answers == 4 {
            assert_eq!(Some(event.connection()), self.client.as_ref());
            event.container().stop();
        }
        Ok(())
    }
}

#[tokio::test]
async fn a_listener_answers_with_every_outcome() {
    let log = Log::default();
    let direct = Direct {
        log: log.clone(),
        client: None,
        answers: 0,
    };
    run(direct).await.unwrap();
    let (deferred, rest): (Vec<_>, Vec<_>) =
        log.take().into_iter().partition(|line| line == "deferred");
    assert_eq!(deferred.len(), 1);
    assert_eq!(
        rest,
        [
            "connection_opening",
            "link_opening",
            "accepted",
            "rejected: no good",
            "modified",
            "released"
        ]
    );
}

/// Fails at the first message, by an error or a panic; a second connection goes on.
struct Fails {
    url: String,
    log: Log,
    panic: bool,
    closed: bool,
}

struct Good(Log);

impl MessagingHandler for Good {
    fn on_message(&mut self, event: &MessageEvent) -> HandlerResult {
        self.0.add("good message");
        event.connection().close();
        Ok(())
    }
}

impl MessagingHandler for Fails {
    fn on_start(&mut self, event: &StartEvent) -> HandlerResult {
        let options = amqp_client::ConnectionOptions::default();
        let bad = event.container().connect(&self.url)?;
        bad.create_receiver("q")?;
        bad.create_sender("q")?.send(Message::from("x"))?;
        let good = event
            .container()
            .connect_handled(&self.url, options, Good(self.log.clone()))?;
        good.create_receiver("late")?;
        Ok(())
    }
    fn on_message(&mut self, _: &MessageEvent) -> HandlerResult {
        self.log.add("bad message");
        assert!(!self.panic, "it was bad");
        Err("it was bad".into())
    }
    fn on_connection_closed(&mut self, event: &ConnectionEvent) -> HandlerResult {
        if self.closed {
            return Ok(());
        }
        self.closed = true;
        self.log.add("closed");
        let other = event
            .container()
            .create_sender(&format!("{}/late", self.url))?;
        other.send(Message::from("y"))?;
        other.close();
        Ok(())
    }
    fn on_link_closed(&mut self, event: &LinkEvent) -> HandlerResult {
        event.connection().close();
        Ok(())
    }
}

#[tokio::test]
async fn a_failing_handler_ends_its_own_connection_only() {
    for panic in [false, true] {
        let broker = Broker::start().await.unwrap();
        let log = Log::default();
        let fails = Fails {
            url: broker.url(),
            log: log.clone(),
            panic,
            closed: false,
        };
        let running = Container::new("test").start(fails).unwrap();
        while log.0.lock().unwrap().len() < 3 {
            tokio::task::yield_now().await;
        }
        running.container().stop();
        running.wait().await.unwrap();
        assert_eq!(log.take()[..3], ["bad message", "closed", "good message"]);
    }
}

struct Timers {
    log: Log,
    fired: usize,
}

impl MessagingHandler for Timers {
    fn on_start(&mut self, event: &StartEvent) -> HandlerResult {
        event.container().schedule(Duration::from_millis(20));
        event.container().schedule(Duration::from_millis(1));
        let never = event.container().schedule(Duration::from_secs(3600));
        never.cancel();
        Ok(())
    }
    fn on_timer_task(&mut self, _: &TimerEvent) -> HandlerResult {
        self.fired += 1;
        self.log.add(format!("timer {}", self.fired));
        Ok(())
    }
}

#[tokio::test]
async fn tasks_are_called_unless_they_are_cancelled() {
    let log = Log::default();
    let timers = Timers {
        log: log.clone(),
        fired: 0,
    };
    assert_eq!(run(timers).await.unwrap().fired, 2);
}

struct Injected(Log);

impl MessagingHandler for Injected {
    fn on_application_event(&mut self, event: &InjectedEvent) -> HandlerResult {
        let subject = event.subject::<u32>().unwrap();
        self.0.add(format!("{} {subject}", event.name()));
        Ok(())
    }
}

#[tokio::test]
async fn events_are_injected_from_any_thread() {
    let log = Log::default();
    struct Starts(
        std::sync::mpsc::Sender<amqp_client::handler::EventInjector>,
        Injected,
    );
    impl MessagingHandler for Starts {
        fn on_start(&mut self, event: &StartEvent) -> HandlerResult {
            self.0.send(event.container().injector())?;
            Ok(())
        }
        fn on_application_event(&mut self, event: &InjectedEvent) -> HandlerResult {
            self.1.on_application_event(event)
        }
    }
    let (sender, injectors) = std::sync::mpsc::channel::<amqp_client::handler::EventInjector>();
    let thread = std::thread::spawn(move || {
        let injector = injectors.recv().unwrap();
        for n in 0..3u32 {
            injector.trigger(ApplicationEvent::new("tick").subject(n));
        }
    });
    run(Starts(sender, Injected(log.clone()))).await.unwrap();
    thread.join().unwrap();
    assert_eq!(log.take(), ["tick 0", "tick 1", "tick 2"]);
}

/// Grants credit by hand, and drains.
struct Drains {
    url: String,
    received: usize,
    drained: bool,
}

impl MessagingHandler for Drains {
    fn options(&self) -> HandlerOptions {
        HandlerOptions {
            prefetch: 0,
            ..HandlerOptions::default()
        }
    }
    fn on_start(&mut self, event: &StartEvent) -> HandlerResult {
        event.container().create_receiver(&self.url)?;
        Ok(())
    }
    fn on_link_opened(&mut self, event: &LinkEvent) -> HandlerResult {
        let receiver = event.receiver().unwrap();
        receiver.add_credit(1);
        receiver.add_credit(9);
        receiver.drain();
        Ok(())
    }
    fn on_message(&mut self, _: &MessageEvent) -> HandlerResult {
        self.received += 1;
        Ok(())
    }
    fn on_drain_finish(&mut self, event: &ReceiverEvent) -> HandlerResult {
        self.drained = true;
        event.connection().close();
        Ok(())
    }
}

#[tokio::test]
async fn credit_by_hand_and_a_drain() {
    let broker = Broker::start().await.unwrap();
    let connection = connect(&broker).await;
    let sender = connection.create_sender("q").await.unwrap();
    for _ in 0..3 {
        sender.send(Message::from("x")).await.unwrap();
    }
    let drains = Drains {
        url: format!("{}/q", broker.url()),
        received: 0,
        drained: false,
    };
    let drains = run(drains).await.unwrap();
    assert_eq!((drains.received, drains.drained), (3, true));
}

/// Sends as a listener until it is asked to drain.
struct DrainedListener(std::sync::mpsc::Sender<std::net::SocketAddr>, Log);

impl MessagingHandler for DrainedListener {
    fn on_start(&mut self, event: &StartEvent) -> HandlerResult {
        let acceptor = event.container().listen("127.0.0.1:0")?;
        self.0.send(acceptor.local_addr())?;
        Ok(())
    }
    fn on_drain_start(&mut self, event: &SenderEvent) -> HandlerResult {
        self.1
            .add(format!("drain with {}", event.sender().credit()));
        event.sender().send(Message::from("last"))?;
        Ok(())
    }
    fn on_connection_closing(&mut self, event: &ConnectionEvent) -> HandlerResult {
        self.1.add("closing");
        event.container().stop();
        Ok(())
    }
}

#[tokio::test]
async fn a_drain_is_told_before_credit_is_given_back() {
    let (sender, address) = std::sync::mpsc::channel();
    let log = Log::default();
    let running = Container::new("listener")
        .start(DrainedListener(sender, log.clone()))
        .unwrap();
    let address = address.recv().unwrap();
    let connection = Container::new("client")
        .connect(&format!("amqp://{address}"))
        .await
        .unwrap();
    let receiver = connection
        .create_receiver_with("q", ReceiverOptions::new().manual_credit())
        .await
        .unwrap();
    receiver.set_credit(10);
    receiver.drain().await.unwrap();

    let last = receiver.recv().await.unwrap();
    assert_eq!(last.message().unwrap().body.as_str(), Some("last"));
    last.accept();
    connection.close().await.unwrap();
    running.wait().await.unwrap();
    assert_eq!(log.take(), ["drain with 10", "closing"]);
}

async fn connect(broker: &Broker) -> Connection {
    Container::new("other")
        .connect(&broker.url())
        .await
        .unwrap()
}

/// Takes its time for a message, on one of two connections.
struct Slow {
    url: String,
    log: Log,
    open: usize,
    /// Told that the message is here.
    begun: Option<tokio::sync::oneshot::Sender<()>>,
    /// When the time is over.
    over: std::sync::mpsc::Receiver<()>,
}

impl MessagingHandler for Slow {
    fn on_start(&mut self, event: &StartEvent) -> HandlerResult {
        event.container().connect(&self.url)?;
        let busy = event.container().connect(&self.url)?;
        busy.create_receiver("q")?;
        busy.create_sender("q")?.send(Message::from("x"))?;
        Ok(())
    }
    fn on_connection_opened(&mut self, _: &ConnectionEvent) -> HandlerResult {
        self.open += 1;
        Ok(())
    }
    fn on_message(&mut self, event: &MessageEvent) -> HandlerResult {
        let begun = self.begun.take().expect("one message");
        begun.send(()).expect("somebody waits");
        self.over.recv()?;
        event.container().stop();
        Ok(())
    }
    fn on_connection_error(&mut self, event: &ConnectionEvent) -> HandlerResult {
        self.log.add(format!("error {:?}", event.error()));
        Ok(())
    }
    fn on_connection_closed(&mut self, _: &ConnectionEvent) -> HandlerResult {
        self.log.add("closed");
        Ok(())
    }
}

#[tokio::test]
async fn a_slow_callback_misses_no_heartbeat() {
    // The broker closes a connection on which it hears nothing for 200 ms.
    let strict =
        amqp_client::ConnectionOptions::new().idle_time_out(Some(Duration::from_millis(200)));
    let broker = Broker::builder().connection(strict).start().await.unwrap();
    let log = Log::default();
    let (begun, begins) = tokio::sync::oneshot::channel();
    let (let_go, over) = std::sync::mpsc::channel();
    let slow = Slow {
        url: broker.url(),
        log: log.clone(),
        open: 0,
        begun: Some(begun),
        over,
    };
    let running = Container::new("slow").start(slow).unwrap();
    begins.await.unwrap();
    // Ten times as long, on the clock of both sides.
    tokio::time::pause();
    tokio::time::sleep(Duration::from_secs(2)).await;
    tokio::time::resume();
    let_go.send(()).unwrap();
    let slow = running.wait().await.unwrap();
    assert_eq!(slow.open, 2);
    assert_eq!(log.take(), ["closed", "closed"]);
}
