//! Capabilities and properties of connections, sessions and links: asked for, offered, required.

use amqp_client::listener::{Access, Link};
use amqp_client::types::Symbol;
use amqp_client::types::transport::{ErrorCondition, Fields};
use amqp_client::{
    Connection, ConnectionOptions, Container, Error, ErrorKind, ErrorScope, Initiator,
    ReceiverOptions, SenderOptions, SessionOptions,
};

fn symbol(name: &'static str) -> Symbol {
    Symbol::from_static(name)
}

fn properties(value: &'static str) -> Fields {
    let mut properties = Fields::default();
    properties.insert(symbol("product"), value);
    properties
}

/// A client and a listener with these options.
async fn pair(
    client: ConnectionOptions,
    listener: ConnectionOptions,
) -> (Result<Connection, Error>, Result<Connection, Error>) {
    let (ours, theirs) = tokio::io::duplex(64 * 1024);
    let listener = Container::with_options("listener", listener);
    let container = Container::new("client");
    let access = Access::anyone();
    tokio::join!(
        container.connect_stream(ours, client),
        listener.accept_stream(theirs, &access),
    )
}

fn assert_unsupported<T>(result: Result<T, Error>, scope: ErrorScope, capability: &str) {
    let Err(error) = result else {
        panic!("it should have failed")
    };
    assert_eq!(
        (error.kind(), error.scope()),
        (ErrorKind::Unsupported, scope)
    );
    assert_eq!(error.initiator(), Initiator::Library);
    assert!(error.to_string().contains(capability), "{error}");
}

#[tokio::test(start_paused = true)]
async fn what_a_connection_offers_is_seen_by_its_peer() {
    // tests: [CON-46] [CON-47] [CON-48]
    let client = ConnectionOptions::new()
        .desired_capabilities([symbol("wish")])
        .require_capabilities([symbol("queue")])
        .offered_capabilities([symbol("gift")])
        .properties(properties("client"));
    let listener = ConnectionOptions::new()
        .offered_capabilities([symbol("topic"), symbol("queue")])
        .properties(properties("listener"));
    let (client, listener) = pair(client, listener).await;
    let (client, listener) = (client.expect("open"), listener.expect("open"));
    assert_eq!(client.remote().offered_capabilities.len(), 2);
    assert_eq!(client.remote().properties, Some(properties("listener")));
    let seen = listener.remote();
    assert_eq!(seen.desired_capabilities, [symbol("wish"), symbol("queue")]);
    assert_eq!(seen.offered_capabilities, [symbol("gift")]);
    assert_eq!(seen.properties, Some(properties("client")));
}

#[tokio::test(start_paused = true)]
async fn a_connection_without_what_it_requires_is_closed() {
    // tests: [CON-46]
    let client = ConnectionOptions::new().require_capabilities([symbol("queue")]);
    let (client, listener) = pair(client, ConnectionOptions::new()).await;
    assert_unsupported(client, ErrorScope::Connection, "queue");
    let ended = listener.expect("the listener opened").closed().await;
    let error = ended.expect_err("it was closed for a reason");
    assert_eq!(error.condition(), Some(&ErrorCondition::NotImplemented));
}

#[tokio::test(start_paused = true)]
async fn sessions_tell_and_require_too() {
    // tests: [CON-46]
    let offers = SessionOptions::new()
        .offered_capabilities([symbol("fast")])
        .properties(properties("listener"));
    let listener = ConnectionOptions::new().session(offers);
    let (client, _listener) = pair(ConnectionOptions::new(), listener).await;
    let client = client.expect("open");
    let wants = SessionOptions::new().require_capabilities([symbol("fast")]);
    let session = client.create_session(wants).await.expect("a session");
    let remote = session.remote().expect("the session has begun");
    assert_eq!(remote.offered_capabilities, [symbol("fast")]);
    assert_eq!(remote.properties, Some(properties("listener")));
    let wants = SessionOptions::new().require_capabilities([symbol("fast"), symbol("safe")]);
    assert_unsupported(
        client.create_session(wants).await,
        ErrorScope::Session,
        "safe",
    );
    // The other session goes on.
    assert!(client.create_session(SessionOptions::new()).await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn links_tell_and_require_on_both_sides() {
    // tests: [CON-46]
    let (client, listener) = pair(ConnectionOptions::new(), ConnectionOptions::new()).await;
    let (client, listener) = (client.expect("open"), listener.expect("open"));
    let options = || {
        SenderOptions::new()
            .offered_capabilities([symbol("gift")])
            .desired_capabilities([symbol("wish")])
    };
    let (sender, receiver) = tokio::join!(
        client.create_sender_with("q", options().require_capabilities([symbol("delayed")])),
        async {
            let link = listener.next_link().await.expect("a link");
            let asked = &link.attach().desired_capabilities;
            assert_eq!(asked[..], [symbol("wish"), symbol("delayed")]);
            let answer = ReceiverOptions::new()
                .require_capabilities([symbol("gift")])
                .offered_capabilities([symbol("delayed")]);
            link.accept_receiver(answer)
        },
    );
    let remote = sender.expect("attached").remote().expect("it answered");
    assert_eq!(remote.offered_capabilities, [symbol("delayed")]);
    let remote = receiver.expect("accepted").remote().expect("it asked");
    assert_eq!(remote.offered_capabilities, [symbol("gift")]);

    // A listener that does not offer it.
    let (sender, ()) = tokio::join!(
        client.create_sender_with("q", options().require_capabilities([symbol("delayed")])),
        async {
            let link = listener.next_link().await.expect("a link").accept();
            let Link::Receiver(receiver) = link else {
                panic!("the peer sends")
            };
            let error = receiver.recv().await.expect_err("the client closes it");
            assert_eq!(error.condition(), Some(&ErrorCondition::NotImplemented));
        },
    );
    assert_unsupported(sender, ErrorScope::Link, "delayed");

    // A listener that requires what the client does not offer.
    let (receiver, ()) = tokio::join!(client.create_receiver("q"), async {
        let link = listener.next_link().await.expect("a link");
        let answer = SenderOptions::new().require_capabilities([symbol("gift")]);
        assert_unsupported(link.accept_sender(answer), ErrorScope::Link, "gift");
    });
    let error = receiver.expect_err("refused");
    assert_eq!(error.condition(), Some(&ErrorCondition::NotImplemented));
}
