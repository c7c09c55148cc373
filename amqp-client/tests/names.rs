//! The names of links: one link for each name, direction and pair of containers, whatever connections
//! there are. Section 2.6.1.

use amqp_client::listener::{AcceptOptions, Access, Link};
use amqp_client::types::transport::ErrorCondition;
use amqp_client::{
    Connection, ConnectionOptions, Container, Error, ErrorKind, ErrorScope, Message, Receiver,
    ReceiverOptions, Sender, SenderOptions, SessionOptions,
};

/// Connects two containers; the client authenticates as `user`, if any.
async fn connect(
    client: &Container,
    listener: &Container,
    user: Option<&str>,
) -> (Connection, Connection) {
    let (ours, theirs) = tokio::io::duplex(64 * 1024);
    let options = match user {
        Some(user) => ConnectionOptions::new()
            .credentials(user, "secret")
            .allow_plain_without_tls(),
        None => ConnectionOptions::new(),
    };
    let access = match user {
        Some(_) => Access::plain(|_, _| async { true }),
        None => Access::anyone(),
    };
    let (client, listener) = tokio::join!(
        client.connect_stream(ours, options),
        listener.accept_stream(theirs, &access),
    );
    (client.expect("open"), listener.expect("open"))
}

/// Accepts every link and keeps them.
fn accepting(connection: &Connection) -> tokio::task::JoinHandle<Vec<Link>> {
    let connection = connection.clone();
    tokio::spawn(async move {
        let mut links = Vec::new();
        while let Ok(link) = connection.next_link().await {
            links.push(link.accept());
        }
        links
    })
}

async fn sender(connection: &Connection, name: &str) -> Result<Sender, Error> {
    let options = SenderOptions::new().name(name.to_owned());
    connection.create_sender_with("q", options).await
}

fn assert_taken<T>(result: Result<T, Error>) {
    let Err(error) = result else {
        panic!("the name is taken")
    };
    assert_eq!(
        (error.kind(), error.scope()),
        (ErrorKind::Configuration, ErrorScope::Link)
    );
    assert!(error.to_string().contains("named A"), "{error}");
}

fn assert_stolen(error: &Error) {
    assert_eq!(error.condition(), Some(&ErrorCondition::Stolen), "{error}");
}

#[tokio::test(start_paused = true)]
async fn a_name_is_not_attached_twice() {
    // tests: [LNK-01] [LNK-05]
    let (client, broker) = (Container::new("client"), Container::new("broker"));
    let (one, there) = connect(&client, &broker, None).await;
    accepting(&there);
    let (two, there) = connect(&client, &broker, None).await;
    accepting(&there);
    let (elsewhere, there) = connect(&client, &Container::new("other"), None).await;
    accepting(&there);
    let first = sender(&one, "A").await.expect("the name is free");
    assert_taken(sender(&one, "A").await);
    assert_taken(sender(&two, "A").await);
    // Another name, another direction, another peer.
    sender(&two, "B").await.expect("another name");
    let options = ReceiverOptions::new().name("A");
    let receiver = two.create_receiver_with("q", options).await;
    let _receiver = receiver.expect("the other direction");
    sender(&elsewhere, "A").await.expect("another peer");
    assert!(first.error().is_none(), "the first one goes on");
    // Closed or dropped, it is free again, at once.
    first.close().await.expect("closed");
    let second = sender(&two, "A").await.expect("the name is free");
    drop(second);
    let third = sender(&two, "A").await.expect("the name is free");
    drop(third);
    sender(&one, "A").await.expect("the name is free");
}

#[tokio::test(start_paused = true)]
async fn a_link_takes_the_place_of_another_when_that_is_asked_for() {
    // tests: [LNK-05]
    let (client, broker) = (Container::new("client"), Container::new("broker"));
    let (one, there) = connect(&client, &broker, None).await;
    accepting(&there);
    let (two, there) = connect(&client, &broker, None).await;
    accepting(&there);
    let moving = || SenderOptions::new().name("A").take_over();
    let first = one.create_sender_with("q", moving()).await.expect("free");
    // On the same connection, and on another one.
    let second = one
        .create_sender_with("q", moving())
        .await
        .expect("taken over");
    assert_stolen(&first.closed().await);
    let third = two
        .create_sender_with("q", moving())
        .await
        .expect("taken over");
    assert_stolen(&second.closed().await);
    assert!(third.error().is_none());
    assert!(!one.is_closed(), "the connections go on");
    sender(&one, "B").await.expect("so do their sessions");
}

async fn accept_one(connection: &Connection, options: AcceptOptions) -> Receiver {
    let link = connection.next_link().await.expect("a link");
    let answer = link.answer();
    match link.accept_as(answer, options) {
        Link::Receiver(receiver) => receiver,
        Link::Sender(_) => panic!("the peer sends"),
    }
}

#[tokio::test(start_paused = true)]
async fn a_listener_closes_the_link_that_its_peer_attaches_anew() {
    // tests: [LNK-05]
    let broker = Container::new("broker");
    // Two containers of one name know nothing of each other: the second is the first, come back.
    let (one, there_one) = connect(&Container::new("client"), &broker, Some("ann")).await;
    let (two, there_two) = connect(&Container::new("client"), &broker, Some("ann")).await;
    let (eve, there_eve) = connect(&Container::new("client"), &broker, Some("eve")).await;
    let options = AcceptOptions::default;
    let (first, at_first) = tokio::join!(sender(&one, "A"), accept_one(&there_one, options()));
    let first = first.expect("attached");
    // Another user of the same container-id steals nothing.
    let (theirs, at_eve) = tokio::join!(sender(&eve, "A"), accept_one(&there_eve, options()));
    let theirs = theirs.expect("attached");
    assert!(at_first.error().is_none() && at_eve.error().is_none());
    let (second, at_second) = tokio::join!(sender(&two, "A"), accept_one(&there_two, options()));
    let second = second.expect("attached");
    let error = first.closed().await;
    assert_stolen(&error);
    assert!(error.is_closed());
    assert_stolen(&at_first.recv().await.expect_err("it is over"));
    assert!(theirs.error().is_none());
    let (sent, ()) = tokio::join!(second.send(Message::from("m")), async {
        at_second.recv().await.expect("a delivery").accept();
    });
    sent.expect("the second one works");
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_comes_back_resumes_a_link_that_is_still_thought_attached() {
    // tests: [LNK-05] [LNK-58]
    let broker = Container::new("broker");
    let client = Container::new("client");
    let (one, there_one) = connect(&client, &broker, None).await;
    let options = SenderOptions::new().name("A").resumable();
    let resumable = AcceptOptions {
        resumable: true,
        ..AcceptOptions::default()
    };
    let (sender, receiver) = tokio::join!(
        one.create_sender_with("q", options),
        accept_one(&there_one, resumable)
    );
    let sender = sender.expect("attached");
    let receipt = sender.enqueue(Message::from("m")).await.expect("room");
    let held = receiver.recv().await.expect("a delivery");
    sender.detach().await.expect("detached");
    // The listener has another one of this name by now, which it thinks attached.
    let (other, there_other) = connect(&Container::new("client"), &broker, None).await;
    let again = SenderOptions::new().name("A");
    let (stray, at_stray) = tokio::join!(
        other.create_sender_with("q", again),
        accept_one(&there_other, AcceptOptions::default())
    );
    let stray = stray.expect("attached");
    let (two, there_two) = connect(&client, &broker, None).await;
    let session = two.create_session(SessionOptions::new()).await;
    let session = session.expect("a session");
    let (resumed, ()) = tokio::join!(sender.resume(&session, false), async {
        let link = there_two.next_link().await.expect("a link");
        link.resume_receiver(&receiver).expect("it goes on here");
    });
    resumed.expect("resumed");
    assert_stolen(&stray.closed().await);
    assert_stolen(&at_stray.recv().await.expect_err("it is over"));
    held.accept();
    receipt.await.expect("it is settled on the new connection");
}
