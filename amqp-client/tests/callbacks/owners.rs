//! Whose handler is called: the link's, else the session's, else the connection's, else the
//! container's; and what ends when it fails.

use amqp_client::handler::{
    ConnectionEvent, HandlerResult, LinkEvent, MessageEvent, MessagingHandler, SessionEvent,
};
use amqp_client::types::transport::{Close, Detach, End, ErrorCondition, Handle, Performative};
use amqp_client::{Container, Message, ReceiverOptions, SenderOptions, SessionOptions};

use crate::peer::{Waiting, plain};
use crate::recorder::{Log, Recorder, ended, stop};

/// Writes down, under a name, what tells the parts of a container apart.
struct Named(&'static str, Log);

impl MessagingHandler for Named {
    fn on_connection_opened(&mut self, _: &ConnectionEvent) -> HandlerResult {
        self.1.add(format!("{}: connection_opened", self.0));
        Ok(())
    }

    fn on_session_opened(&mut self, _: &SessionEvent) -> HandlerResult {
        self.1.add(format!("{}: session_opened", self.0));
        Ok(())
    }

    fn on_link_opened(&mut self, event: &LinkEvent) -> HandlerResult {
        self.1
            .add(format!("{}: link_opened {}", self.0, event.link().name()));
        Ok(())
    }

    fn on_transport_closed(&mut self, _: &ConnectionEvent) -> HandlerResult {
        self.1.add(format!("{}: transport_closed", self.0));
        Ok(())
    }
}

#[tokio::test]
async fn the_nearest_handler_hears_and_no_other() {
    let waiting = Waiting::new().await;
    let url = waiting.url();
    let log = Log::new();
    let parts = log.clone();
    let mut container = Recorder::part(log.clone());
    container.start = Some(Box::new(move |container| {
        let named = |name| Named(name, parts.clone());
        let connection = container.connect_handled(&url, plain(), named("connection"))?;
        let session = connection.create_session_handled(SessionOptions::new(), named("session"))?;
        let link = SenderOptions::new().name("a");
        session.create_sender_handled("q", link, named("link"))?;
        session.create_sender_with("q", SenderOptions::new().name("b"))?;
        Ok(())
    }));
    let (_, running) = container.run();
    let mut peer = waiting.begin().await;
    peer.attach().await;
    peer.attach().await;
    log.has("session: link_opened b", 1).await;
    running.container().stop();
    peer.close().await;
    assert_eq!(
        ended(&log, running).await,
        [
            "start",
            "connection: connection_opened",
            "session: session_opened",
            "link: link_opened a",
            "session: link_opened b",
            "connection: transport_closed",
            "stop"
        ]
    );
}

/// Hears of every end that comes from the peer, and does nothing about it.
struct Ends(Log);

impl MessagingHandler for Ends {
    fn on_link_closing(&mut self, _: &LinkEvent) -> HandlerResult {
        self.0.add("link_closing");
        Ok(())
    }
    fn on_link_closed(&mut self, _: &LinkEvent) -> HandlerResult {
        self.0.add("link_closed");
        Ok(())
    }
    fn on_session_closing(&mut self, _: &SessionEvent) -> HandlerResult {
        self.0.add("session_closing");
        Ok(())
    }
    fn on_session_closed(&mut self, _: &SessionEvent) -> HandlerResult {
        self.0.add("session_closed");
        Ok(())
    }
    fn on_connection_closing(&mut self, _: &ConnectionEvent) -> HandlerResult {
        self.0.add("connection_closing");
        Ok(())
    }
    fn on_connection_closed(&mut self, _: &ConnectionEvent) -> HandlerResult {
        self.0.add("connection_closed");
        Ok(())
    }
}

#[tokio::test]
async fn closing_comes_before_closed() {
    let waiting = Waiting::new().await;
    let url = waiting.url();
    let log = Log::new();
    let ends = Ends(log.clone());
    let mut container = Recorder::part(log.clone());
    container.start = Some(Box::new(move |container| {
        container
            .connect_handled(&url, plain(), ends)?
            .create_receiver_with("q", ReceiverOptions::new().name("l"))?;
        Ok(())
    }));
    let (_, running) = container.run();
    let mut peer = waiting.begin().await;
    peer.attach().await;
    let mut detach = Detach::new(Handle(0));
    detach.closed = true;
    peer.write(&detach).await;
    peer.until(|frame| matches!(frame, Performative::Detach(_)))
        .await;
    peer.write(&End::default()).await;
    peer.until(|frame| matches!(frame, Performative::End(_)))
        .await;
    peer.write(&Close::default()).await;
    assert_eq!(
        ended(&log, running).await,
        [
            "start",
            "link_closing",
            "link_closed",
            "session_closing",
            "session_closed",
            "connection_closing",
            "connection_closed",
            "stop"
        ]
    );
}

/// Fails at each message, by an error or a panic.
struct Fails {
    panics: bool,
}

impl MessagingHandler for Fails {
    fn on_message(&mut self, _: &MessageEvent) -> HandlerResult {
        assert!(!self.panics, "as it should");
        Err("as it should".into())
    }
}

#[tokio::test]
async fn a_links_handler_that_fails_ends_its_connection_and_no_other() {
    for panics in [false, true] {
        let (bad, good) = (Waiting::new().await, Waiting::new().await);
        let (bad_url, good_url) = (bad.url(), good.url());
        let (log, running) = Recorder::new(move |container| {
            let options = ReceiverOptions::new().name("bad");
            container
                .connect_with(&bad_url, plain())?
                .session()?
                .create_receiver_handled("q", options, Fails { panics })?;
            container
                .connect_with(&good_url, plain())?
                .create_receiver_with("q", ReceiverOptions::new().name("good"))?;
            Ok(())
        })
        .run();
        let mut good = good.begin().await;
        good.attach().await;
        let mut bad = bad.begin().await;
        bad.attach().await;
        bad.until(|frame| matches!(frame, Performative::Flow(flow) if flow.handle.is_some()))
            .await;
        bad.transfer(0, false, false).await;
        // It may be released before, never accepted.
        let frame = bad
            .until(|frame| matches!(frame, Performative::Close(_)))
            .await;
        let Performative::Close(close) = frame else {
            unreachable!()
        };
        let error = close.error.expect("a failure");
        assert_eq!(error.condition, ErrorCondition::InternalError);
        let text = error.description.expect("what failed");
        assert!(text.as_str().contains("as it should"), "{text:?}");
        bad.write(&Close::default()).await;
        log.has("connection_closed", 1).await;
        // The other connection goes on.
        good.until(|frame| matches!(frame, Performative::Flow(flow) if flow.handle.is_some()))
            .await;
        good.transfer(0, false, false).await;
        log.has("message m0", 1).await;
        running.container().stop();
        good.close().await;
        let lines = ended(&log, running).await;
        let closed = lines.iter().filter(|line| *line == "connection_closed");
        assert_eq!(closed.count(), 2, "{lines:?}");
    }
}

/// Refuses to open, by an error.
struct FailsToOpen;

impl MessagingHandler for FailsToOpen {
    fn on_link_opening(&mut self, _: &amqp_client::handler::LinkOpeningEvent) -> HandlerResult {
        Err("as it should".into())
    }
}

#[tokio::test]
async fn a_listeners_handler_that_fails_ends_the_clients_connection_and_listens_on() {
    let (tell, address) = std::sync::mpsc::channel();
    let (log, running) = Recorder::new(move |container| {
        let access = amqp_client::listener::Access::anyone();
        let options = amqp_client::transport::ListenOptions::new();
        let acceptor = container.listen_handled("127.0.0.1:0", access, options, FailsToOpen)?;
        tell.send(acceptor.local_addr())?;
        Ok(())
    })
    .run();
    let url = format!("amqp://{}", address.recv().unwrap());
    for _ in 0..2 {
        let client = Container::new("client").connect(&url).await.unwrap();
        let error = client.create_sender("q").await.unwrap_err();
        assert_eq!(error.condition(), Some(&ErrorCondition::InternalError));
        let closed = client.closed().await.unwrap_err();
        assert_eq!(closed.condition(), Some(&ErrorCondition::InternalError));
    }
    assert_eq!(stop(&log, running).await, ["start", "stop"]);
}

/// Takes a link for itself, and hears of its message.
struct Takes(Log, Option<u32>);

impl MessagingHandler for Takes {
    fn on_link_opening(&mut self, event: &amqp_client::handler::LinkOpeningEvent) -> HandlerResult {
        if let Some(deliveries) = self.1 {
            event.set_prefetch(deliveries);
        }
        let mut own = Recorder::part(self.0.clone());
        own.options.prefetch = 3;
        event.set_handler(own);
        Ok(())
    }

    fn on_message(&mut self, _: &MessageEvent) -> HandlerResult {
        self.0.add("not for me");
        Ok(())
    }
}

/// What is called for a link that a client attaches, sends on, and closes with its connection; and how
/// many deliveries are fetched ahead.
async fn attached(deliveries: Option<u32>) -> (Vec<String>, u32) {
    let (tell, address) = std::sync::mpsc::channel();
    let log = Log::new();
    let takes = Takes(log.clone(), deliveries);
    let mut container = Recorder::part(log.clone());
    container.start = Some(Box::new(move |container| {
        let access = amqp_client::listener::Access::anyone();
        let options = amqp_client::transport::ListenOptions::new();
        let acceptor = container.listen_handled("127.0.0.1:0", access, options, takes)?;
        tell.send(acceptor.local_addr())?;
        Ok(())
    }));
    let (_, running) = container.run();
    let url = format!("amqp://{}", address.recv().unwrap());
    let client = Container::new("client").connect(&url).await.unwrap();
    let options = SenderOptions::new().name("l");
    let sender = client.create_sender_with("q", options).await.unwrap();
    let credit = sender.wait_credit().await.unwrap();
    sender.send(Message::from("hello")).await.unwrap();
    client.close().await.unwrap();
    (stop(&log, running).await, credit)
}

#[tokio::test]
async fn a_link_that_the_peer_attaches_can_have_a_handler_of_its_own() {
    for (says, credit) in [(None, 3), (Some(1), 1)] {
        let called = ["start", "link_opened l", "message hello", "stop"].map(str::to_owned);
        assert_eq!(attached(says).await, (called.to_vec(), credit));
    }
}
