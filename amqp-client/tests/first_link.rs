//! The way to the first message: what goes out without waiting, and how many round trips are left.

use amqp_client::listener::{Access, Link};
use amqp_client::sasl::Users;
use amqp_client::{ConnectionOptions, Container, ErrorKind, Message, SenderOptions};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

const INIT: &[u8] = b"\0\x53\x41";
const SASL_HEADER: &[u8] = b"AMQP\x03\x01\0\0";
const MECHANISMS: &[u8] = b"\0\x53\x40";
const CHALLENGE: &[u8] = b"\0\x53\x42";
const RESPONSE: &[u8] = b"\0\x53\x43";
const OUTCOME: &[u8] = b"\0\x53\x44";
const BEGIN: &[u8] = b"\0\x53\x11";
const ATTACH: &[u8] = b"\0\x53\x12";
const FLOW: &[u8] = b"\0\x53\x13";
const TRANSFER: &[u8] = b"\0\x53\x14";

fn holds(octets: &[u8], what: &[u8]) -> bool {
    octets.windows(what.len()).any(|window| window == what)
}

/// Whether the last of the headers and frames has come to its end.
fn is_whole(mut octets: &[u8]) -> bool {
    while !octets.is_empty() {
        let size = match octets {
            [b'A', b'M', b'Q', b'P', ..] => 8,
            [a, b, c, d, ..] => u32::from_be_bytes([*a, *b, *c, *d]) as usize,
            _ => return false,
        };
        match octets.get(size..) {
            Some(rest) => octets = rest,
            None => return false,
        }
    }
    true
}

/// Reads until a performative has come.
async fn until(stream: &mut (impl AsyncReadExt + Unpin), what: &[u8]) -> Vec<u8> {
    let mut read = Vec::new();
    while !holds(&read, what) || !is_whole(&read) {
        let more = stream.read_buf(&mut read);
        let more = tokio::time::timeout(std::time::Duration::from_secs(5), more).await;
        let more = matches!(more, Ok(Ok(1..)));
        assert!(more, "nothing comes after {}", read.escape_ascii());
    }
    read
}

/// Lets each side speak in turn: the client up to one performative, the listener up to another. Answers
/// what the client said in each turn; when its transfer is out, both may speak as they like.
async fn first_message(options: ConnectionOptions, turns: &[(&[u8], &[u8])]) -> Vec<Vec<u8>> {
    message_by(true, Access::anyone(), options, turns).await
}

/// The same by a URL alone, or by a connection first and a link on it then.
async fn message_by(
    url_alone: bool,
    access: Access,
    options: ConnectionOptions,
    turns: &[(&[u8], &[u8])],
) -> Vec<Vec<u8>> {
    let socket = tokio::net::TcpListener::bind("127.0.0.1:0")
        .await
        .expect("bound");
    let url = format!("amqp://{}/q", socket.local_addr().expect("an address"));
    let (theirs, mut wire) = tokio::io::duplex(64 * 1024);
    let listener = async {
        let connection = Container::new("listener")
            .accept_stream(theirs, &access)
            .await
            .expect("it opens");
        let link = connection.next_link().await.expect("a link");
        let Link::Receiver(receiver) = link.accept() else {
            panic!("the peer sends")
        };
        receiver.recv().await.expect("a delivery").accept();
        let end = connection.closed().await.expect_err("the peer closes");
        assert_eq!(end.kind(), ErrorKind::ConnectionClosed);
    };
    let between = async {
        let (mut client, _) = socket.accept().await.expect("a client");
        let mut said = Vec::new();
        for (ours, theirs) in turns {
            let octets = until(&mut client, ours).await;
            wire.write_all(&octets).await.expect("written");
            said.push(octets);
            let answer = until(&mut wire, theirs).await;
            client.write_all(&answer).await.expect("written");
        }
        let octets = until(&mut client, TRANSFER).await;
        wire.write_all(&octets).await.expect("written");
        let _ = tokio::io::copy_bidirectional(&mut client, &mut wire).await;
        said
    };
    let client = async {
        let client = Container::new("client");
        let sender = match url_alone {
            true => {
                let links = SenderOptions::new();
                client.create_sender_with(&url, options, links).await
            }
            false => {
                let connection = client.connect_with(&url, options).await;
                connection.expect("it opens").create_sender("q").await
            }
        };
        let sender = sender.expect("attached");
        sender.send(Message::from("hello")).await.expect("settled");
        sender.close().await.expect("it closes");
    };
    tokio::join!(listener, between, client).1
}

#[tokio::test]
async fn one_round_trip_leads_to_the_first_message_without_sasl() {
    let options = ConnectionOptions::new().without_sasl();
    let said = first_message(options, &[(ATTACH, FLOW)]).await;
    assert!(said[0].starts_with(b"AMQP\0\x01\0\0"));
}

#[tokio::test]
async fn sasl_with_one_mechanism_adds_one_and_nothing_of_amqp_goes_before_its_outcome() {
    let options = ConnectionOptions::new().mechanisms(["ANONYMOUS"]);
    let said = first_message(options, &[(INIT, OUTCOME), (ATTACH, FLOW)]).await;
    assert!(!holds(&said[0], b"AMQP\0"));
    assert!(said[1].starts_with(b"AMQP\0\x01\0\0"));
}

#[tokio::test]
async fn an_offer_that_is_waited_for_scram_and_a_connection_of_its_own_add_one_each() {
    let options = ConnectionOptions::new;
    let attach = (ATTACH, FLOW);
    let offer = (SASL_HEADER, MECHANISMS);
    first_message(options(), &[offer, (INIT, OUTCOME), attach]).await;
    let users = || Access::users(Users::new().user("u", "p"));
    let user = || options().credentials("u", "p");
    let scram = [(INIT, CHALLENGE), (RESPONSE, OUTCOME), attach];
    let fixed = user().mechanisms(["SCRAM-SHA-256"]);
    message_by(true, users(), fixed, &scram).await;
    let scram = [offer, (INIT, CHALLENGE), (RESPONSE, OUTCOME), attach];
    message_by(true, users(), user(), &scram).await;
    let plain = [(INIT, OUTCOME), attach];
    let fixed = user().mechanisms(["PLAIN"]);
    let access = users().allow_plain_without_tls();
    message_by(true, access, fixed, &plain).await;
    let open = [(BEGIN, BEGIN), attach];
    let bare = options().without_sasl();
    message_by(false, Access::anyone(), bare, &open).await;
    let open = [offer, (INIT, OUTCOME), (BEGIN, BEGIN), attach];
    message_by(false, Access::anyone(), options(), &open).await;
}

#[tokio::test]
async fn the_connection_lives_as_long_as_its_link_and_its_session_takes_more() {
    let container = Container::new("listener");
    let listener = container
        .listen("127.0.0.1:0", Access::anyone())
        .await
        .expect("it listens");
    let gone = tokio::net::TcpListener::bind("127.0.0.1:0")
        .await
        .expect("bound");
    let dead = gone.local_addr().expect("an address");
    drop(gone);
    let serve = async {
        let connection = listener.accept().await.expect("it opens");
        let link = connection.next_link().await.expect("a link");
        let Link::Sender(sender) = link.accept() else {
            panic!("the peer receives")
        };
        sender.send(Message::from("hello")).await.expect("settled");
        let end = connection.closed().await.expect_err("the peer closes");
        assert_eq!(end.kind(), ErrorKind::ConnectionClosed);
    };
    let client = async {
        // The first host of the two does not answer.
        let url = format!("amqp://{dead},{}/q", listener.local_addr());
        let receiver = Container::new("client")
            .create_receiver(&url)
            .await
            .expect("attached");
        receiver.recv().await.expect("a delivery").accept();
        drop(receiver);
    };
    tokio::join!(serve, client);
}

#[tokio::test]
async fn a_node_that_is_refused_and_a_bad_url_are_errors() {
    let container = Container::new("client");
    let error = container
        .create_sender("http://host/q")
        .await
        .expect_err("no such scheme");
    assert_eq!(error.kind(), ErrorKind::Configuration);
    let listener = Container::new("listener")
        .listen("127.0.0.1:0", Access::anyone())
        .await
        .expect("it listens");
    let url = format!("amqp://{}/q", listener.local_addr());
    let serve = async {
        let connection = listener.accept().await.expect("it opens");
        let link = connection.next_link().await.expect("a link");
        link.refuse(amqp_client::types::transport::Error::new(
            amqp_client::types::transport::ErrorCondition::NotFound,
        ));
        let end = connection.closed().await.expect_err("the peer closes");
        assert_eq!(end.kind(), ErrorKind::ConnectionClosed);
    };
    let (error, ()) = tokio::join!(container.create_sender(&url), serve);
    let error = error.expect_err("refused");
    assert_eq!(
        error.condition(),
        Some(&amqp_client::types::transport::ErrorCondition::NotFound)
    );
}
