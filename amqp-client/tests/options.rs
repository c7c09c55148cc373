//! What links and connections are asked for, and what becomes of it: filters, windows, redirects.

use amqp_client::listener::{AcceptOptions, Access, Link};
use amqp_client::types::filters::SelectorFilter;
use amqp_client::types::messaging::{FilterSet, Outcome, Source, SourceArchetype};
use amqp_client::types::transport::{
    Error as AmqpError, ErrorCondition, Fields, ReceiverSettleMode,
};
use amqp_client::types::{Map, Symbol, Value};
use amqp_client::{
    Connection, ConnectionOptions, Container, ErrorKind, Message, ReceiverOptions, SenderOptions,
    SessionOptions,
};

/// A client and a listener that are connected to each other.
async fn pair(options: ConnectionOptions) -> (Connection, Connection) {
    let (ours, theirs) = tokio::io::duplex(64 * 1024);
    let listener = Container::with_options("listener", options.clone());
    let client = Container::new("client");
    let access = Access::anyone();
    let (client, listener) = tokio::join!(
        client.connect_stream(ours, options),
        listener.accept_stream(theirs, &access),
    );
    (
        client.expect("the client opens"),
        listener.expect("the listener opens"),
    )
}

fn selector() -> Source {
    let mut filters = FilterSet::default();
    filters.insert(
        Symbol::from_static("selector"),
        Some(SelectorFilter::from("colour = 'green'").into()),
    );
    Source {
        filter: Some(filters),
        ..Source::default()
    }
}

#[tokio::test(start_paused = true)]
async fn a_filter_that_the_peer_does_not_name_is_an_error_unless_allowed() {
    // tests: [SRC-19] [SRC-20] [LNK-12]
    for (applied, ignored, expected) in [
        (true, false, true),
        (false, false, false),
        (false, true, true),
    ] {
        let (client, listener) = pair(ConnectionOptions::new()).await;
        let mut options = ReceiverOptions::new().source(selector());
        if ignored {
            options = options.ignore_missing_filters();
        }
        let (receiver, link) = tokio::join!(client.create_receiver_with("q", options), async {
            let link = listener.next_link().await.expect("a link");
            let mut answer = link.answer();
            if let Some(SourceArchetype::Source(source)) = &mut answer.source
                && !applied
            {
                source.filter = None;
            }
            link.accept_as(answer, AcceptOptions::default())
        });
        match receiver {
            Ok(_) => assert!(expected),
            Err(error) => {
                assert!(!expected, "{error}");
                assert_eq!(error.kind(), ErrorKind::Unsupported);
                let Link::Sender(sender) = link else {
                    panic!("the peer receives")
                };
                let told = sender.closed().await;
                assert_eq!(told.condition(), Some(&ErrorCondition::NotImplemented));
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_sender_names_the_outcomes_that_its_receipts_tell() {
    // tests: [SRC-22] [SRC-23]
    let own = Source {
        outcomes: vec![Symbol::from_static("amqp:accepted:list")],
        ..Source::default()
    };
    let assumed = Source {
        default_outcome: Some(Outcome::Released(Default::default())),
        ..Source::default()
    };
    let standard = [
        "amqp:accepted:list",
        "amqp:rejected:list",
        "amqp:released:list",
        "amqp:modified:list",
    ];
    for (source, expected) in [
        (Source::default(), &standard[..]),
        (own, &standard[..1]),
        (assumed, &[]),
    ] {
        let (client, listener) = pair(ConnectionOptions::new()).await;
        let options = SenderOptions::new().source(source).settle_second();
        let (sender, link) = tokio::join!(client.create_sender_with("q", options), async {
            let link = listener.next_link().await.expect("a link");
            let attach = link.attach().clone();
            link.accept();
            attach
        });
        let Some(SourceArchetype::Source(source)) = link.source else {
            panic!("an attach has a source")
        };
        let named: Vec<&str> = source.outcomes.iter().map(Symbol::as_str).collect();
        assert_eq!(named, expected);
        assert_eq!(link.rcv_settle_mode, ReceiverSettleMode::Second);
        sender.expect("attached");
    }
}

#[tokio::test(start_paused = true)]
async fn one_call_accepts_everything_before_it() {
    let (client, listener) = pair(ConnectionOptions::new()).await;
    let (sender, link) = tokio::join!(client.create_sender("q"), async {
        listener.next_link().await.expect("a link").accept()
    });
    let (sender, Link::Receiver(receiver)) = (sender.expect("attached"), link) else {
        panic!("the peer sends")
    };
    let mut receipts = Vec::new();
    for _ in 0..2000 {
        receipts.push(sender.enqueue(Message::from("x")).await.expect("room"));
    }
    let accepting = tokio::spawn(async move {
        let mut held = Vec::new();
        for n in 0..2000 {
            held.push(receiver.recv().await.expect("a delivery"));
            if n % 100 == 99 {
                held.last().expect("one was pushed").accept_up_to();
                held.clear();
            }
        }
        receiver
    });
    for receipt in receipts {
        assert!(matches!(receipt.await, Ok(Outcome::Accepted(_))));
    }
    accepting.await.expect("the receiving task ends");
}

#[tokio::test(start_paused = true)]
async fn a_slow_reader_holds_the_peer_back_and_loses_nothing() {
    // tests: [SES-18] [SES-25] [SES-26]
    for session in [
        SessionOptions::new().incoming_window(3),
        SessionOptions::new().incoming_octets(2048),
    ] {
        let options = ConnectionOptions::new()
            .max_frame_size(512)
            .session(session);
        let (client, listener) = pair(options).await;
        let (sender, link) = tokio::join!(
            client.create_sender_with("q", SenderOptions::new().at_most_once()),
            async { listener.next_link().await.expect("a link").accept() }
        );
        let (sender, Link::Receiver(receiver)) = (sender.expect("attached"), link) else {
            panic!("the peer sends")
        };
        for _ in 0..100 {
            let _receipt = sender
                .enqueue(Message::from(vec![1u8; 400]))
                .await
                .expect("room");
        }
        let flushed = tokio::time::timeout(std::time::Duration::from_secs(5), sender.flush()).await;
        assert!(flushed.is_err(), "the window holds the rest back");
        for _ in 0..100 {
            receiver.recv().await.expect("a delivery");
        }
        sender.close().await.expect("everything was sent");
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_not_taken_from_a_closed_link_does_not_block_the_session() {
    let options = ConnectionOptions::new().session(SessionOptions::new().incoming_window(4));
    let (client, listener) = pair(options).await;
    for _ in 0..5 {
        let (sender, link) = tokio::join!(client.create_sender("q"), async {
            listener.next_link().await.expect("a link").accept()
        });
        let (sender, Link::Receiver(receiver)) = (sender.expect("attached"), link) else {
            panic!("the peer sends")
        };
        let receipts = [
            sender.enqueue(Message::from("a")).await.expect("room"),
            sender.enqueue(Message::from("b")).await.expect("room"),
            sender.enqueue(Message::from("c")).await.expect("room"),
        ];
        sender.flush().await.expect("the window is open again");
        receiver.close().await.expect("closed");
        for receipt in receipts {
            assert!(
                receipt.await.is_err(),
                "the link was closed before an outcome"
            );
        }
    }
}

fn redirect_to(port: u16, address: Option<&str>, condition: ErrorCondition) -> AmqpError {
    let mut info = Map::default();
    info.insert(
        Symbol::from_static("network-host"),
        Value::from("127.0.0.1"),
    );
    info.insert(Symbol::from_static("port"), Value::from(u32::from(port)));
    if let Some(address) = address {
        info.insert(
            Symbol::from_static("address"),
            Value::from(address.to_owned()),
        );
    }
    let mut error = AmqpError::new(condition);
    error.info = Some(Fields(info));
    error
}

#[tokio::test]
async fn redirects_of_links_are_followed_to_the_end_or_the_limit() {
    // tests: [CON-49] [PRF-31]
    let container = Container::new("listener");
    let first = container
        .listen("127.0.0.1:0", Access::anyone())
        .await
        .expect("bound");
    let second = container
        .listen("127.0.0.1:0", Access::anyone())
        .await
        .expect("bound");
    let (url, port) = (
        format!("amqp://{}/q", first.local_addr()),
        second.local_addr().port(),
    );
    let away = tokio::spawn(async move {
        loop {
            let Ok(connection) = first.accept().await else {
                return;
            };
            let link = connection.next_link().await.expect("a link");
            link.refuse(redirect_to(
                port,
                Some("other"),
                ErrorCondition::LinkRedirect,
            ));
            let _ = connection.closed().await;
        }
    });
    let client = Container::new("client");
    let options = ConnectionOptions::new;
    let refused = client
        .sender_following(&url, options(), SenderOptions::new(), 0)
        .await
        .expect_err("no redirect is allowed");
    let redirect = refused.redirect().expect("it says where to go");
    assert_eq!(
        (redirect.port, redirect.address.as_deref()),
        (Some(port), Some("other"))
    );
    let (sender, address) = tokio::join!(
        client.sender_following(&url, options(), SenderOptions::new(), 1),
        async {
            let connection = second.accept().await.expect("a connection");
            let link = connection.next_link().await.expect("a link");
            let address = link.address().map(str::to_owned);
            let link = link.accept();
            (address, connection, link)
        }
    );
    sender.expect("it was followed");
    assert_eq!(address.0.as_deref(), Some("other"));
    away.abort();
}

#[tokio::test(start_paused = true)]
async fn what_the_peer_remembers_is_asked_for_without_a_source() {
    // tests: [LNK-10]
    let (client, listener) = pair(ConnectionOptions::new()).await;
    let options = ReceiverOptions::new().name("sub").recover();
    let (receiver, ()) = tokio::join!(client.create_receiver_with("ignored", options), async {
        let link = listener.next_link().await.expect("a link");
        assert_eq!(link.name(), "sub");
        assert!(link.source().is_none() && link.attach().source.is_none());
        let mut answer = link.answer();
        let source = Source {
            address: Some("news".into()),
            ..Source::default()
        };
        answer.source = Some(source.into());
        link.accept_as(answer, AcceptOptions::default());
    });
    let receiver = receiver.expect("attached");
    assert_eq!(receiver.address().as_deref(), Some("news"));
}
