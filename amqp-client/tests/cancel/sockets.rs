//! Connecting, listening and running: a future that is dropped leaves no connection behind.

use amqp_client::broker::Broker;
use amqp_client::handler::{
    ApplicationEvent, EventInjector, HandlerResult, InjectedEvent, MessagingHandler, StartEvent,
};
use amqp_client::listener::{Access, Router};
use amqp_client::transport::ListenOptions;
use amqp_client::types::transport::ErrorCondition;
use amqp_client::{ConnectionOptions, Container, ReceiverOptions, SenderOptions};
use tokio::sync::mpsc;

use crate::cut::everywhere;

#[tokio::test]
async fn connecting_leaves_nothing_half_open() {
    let broker = Broker::start().await.expect("a broker");
    let (url, options) = (broker.url(), ConnectionOptions::new());
    let container = Container::new("cancel");
    everywhere(async |cut| {
        drop(cut.on(container.connect(&url)).await);
        drop(cut.on(container.connect_with(&url, options.clone())).await);
        drop(
            cut.on(container.connect_following(&url, options.clone(), 1))
                .await,
        );
        let node = format!("{url}/q");
        let sender = container.sender_following(&node, options.clone(), SenderOptions::new(), 1);
        drop(cut.on(sender).await);
        let receiver =
            container.receiver_following(&node, options.clone(), ReceiverOptions::new(), 1);
        drop(cut.on(receiver).await);
    })
    .await;
    let connection = container.connect(&url).await.expect("it still connects");
    connection.close().await.expect("closed");
    // The broker waits for every connection that it has: there are none left.
    broker.shutdown().await;
}

#[tokio::test]
async fn no_connection_is_lost_by_who_accepts() {
    let container = Container::new("listener");
    let listener = container.listen("127.0.0.1:0", Access::anyone()).await;
    let listener = listener.expect("it listens");
    let url = format!("amqp://{}", listener.local_addr());
    let client = Container::new("client");
    everywhere(async |cut| {
        drop(
            cut.on(container.listen("127.0.0.1:0", Access::anyone()))
                .await,
        );
        let options = ListenOptions::new();
        let listens = container.listen_with("127.0.0.1:0", Access::anyone(), options);
        drop(cut.on(listens).await);
        let (connected, accepted) = tokio::join!(client.connect(&url), async {
            match cut.on(listener.accept()).await {
                Some(accepted) => accepted,
                None => listener.accept().await,
            }
        });
        let (connected, accepted) = (connected.expect("open"), accepted.expect("open"));
        assert_eq!(accepted.remote_container_id(), "client");
        connected.close().await.expect("closed");
    })
    .await;
    let router = Router::new();
    everywhere(async |cut| {
        let (connected, _) = tokio::join!(client.connect(&url), cut.on(router.run(&listener)));
        drop(connected);
    })
    .await;
}

#[tokio::test]
async fn a_broker_shuts_down_although_nobody_waits() {
    everywhere(async |cut| {
        drop(cut.on(Broker::start()).await);
        drop(cut.on(Broker::builder().start()).await);
        let broker = Broker::start().await.expect("a broker");
        let client = Container::new("client");
        let connection = client.connect(&broker.url()).await.expect("open");
        let url = broker.url();
        cut.on(broker.shutdown()).await;
        let error = connection.closed().await.expect_err("it is forced");
        assert_eq!(error.condition(), Some(&ErrorCondition::ConnectionForced));
        // The socket that was listened on goes with the task that held it.
        let mut late = client.connect(&url).await;
        while let Ok(connection) = late {
            let _ = connection.closed().await;
            late = client.connect(&url).await;
        }
    })
    .await;
}

/// Runs as long as somebody holds the injector that it hands out, and tells what was injected.
struct Injected {
    injector: mpsc::UnboundedSender<EventInjector>,
    names: mpsc::UnboundedSender<String>,
}

impl MessagingHandler for Injected {
    fn on_start(&mut self, event: &StartEvent) -> HandlerResult {
        Ok(self.injector.send(event.container().injector())?)
    }
    fn on_application_event(&mut self, event: &InjectedEvent) -> HandlerResult {
        Ok(self.names.send(event.name().to_owned())?)
    }
}

#[tokio::test]
async fn a_handler_runs_on_when_nobody_waits_for_it() {
    everywhere(async |cut| {
        let (injector, mut injectors) = mpsc::unbounded_channel();
        let (names, mut named) = mpsc::unbounded_channel();
        let running = Container::new("handled").start(Injected { injector, names });
        let running = running.expect("it runs");
        let injector = injectors.recv().await.expect("it has started");
        drop(cut.on(running.wait()).await);
        injector.trigger(ApplicationEvent::new("ping"));
        assert_eq!(named.recv().await.as_deref(), Some("ping"));
        drop(injector);
        // The handler is dropped when the run is over.
        assert_eq!(named.recv().await, None);
    })
    .await;
}

/// Says where the file is that names the broker: only a process of its own can be told by its environment.
#[cfg(feature = "config")]
const PLACE: &str = "MESSAGING_CONNECT_FILE";

#[cfg(feature = "config")]
#[tokio::test]
async fn a_configured_connection_leaves_nothing_half_open() {
    let broker = Broker::start().await.expect("a broker");
    let folder = std::env::temp_dir().join(format!("amqp-cancel-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a folder");
    let file = folder.join("connect.json");
    let port = broker.local_addr().port();
    let text = format!(r#"{{"scheme": "amqp", "host": "127.0.0.1", "port": {port}}}"#);
    std::fs::write(&file, text).expect("a file");
    let mut command = std::process::Command::new(std::env::current_exe().expect("this program"));
    command
        .env(PLACE, &file)
        .args(["--exact", "sockets::in_a_process_that_is_configured"]);
    let output = tokio::task::spawn_blocking(move || command.output()).await;
    let output = output.expect("no panic").expect("it runs");
    std::fs::remove_dir_all(&folder).expect("removed");
    let printed = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{printed}");
    assert!(printed.contains("1 passed"), "{printed}");
    broker.shutdown().await;
}

#[cfg(feature = "config")]
#[tokio::test]
async fn in_a_process_that_is_configured() {
    if std::env::var_os(PLACE).is_none() {
        // Not that process.
        return;
    }
    let container = Container::new("cancel");
    everywhere(async |cut| drop(cut.on(container.connect_from_config()).await)).await;
    let connection = container.connect_from_config().await;
    let connection = connection.expect("it still connects");
    connection.close().await.expect("closed");
}
