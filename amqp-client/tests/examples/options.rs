//! Connections, messages and values with everything that can be said about them.

use amqp_client::broker::Broker;
use amqp_client::{ConnectionOptions, ErrorKind};

use crate::{broker, is_explained, options};

#[allow(dead_code, unreachable_pub)]
#[path = "../../examples/connection_options.rs"]
mod connection_options;
#[allow(dead_code, unreachable_pub)]
#[path = "../../examples/encode_decode.rs"]
mod encode_decode;
#[allow(dead_code, unreachable_pub)]
#[path = "../../examples/message_properties.rs"]
mod message_properties;
#[allow(dead_code, unreachable_pub)]
#[path = "../../examples/simple_connect.rs"]
mod simple_connect;

#[test]
fn simple_connect_tells_the_peer_or_why_there_is_none() {
    let (runtime, broker) = broker();
    let peer = simple_connect::run(options(&["--url", &broker.url()])).unwrap();
    assert!(!peer.is_empty());
    let start = Broker::builder()
        .user("u", "p")
        .container_id("strict")
        .start();
    let strict = runtime.block_on(start).unwrap();
    // The broker's URL names its user; here it is the options that do.
    let url = format!("amqp://{}", strict.local_addr());
    let with = |password: &str| {
        let user = ["--url", &url, "--user", "u", "--password", password];
        simple_connect::run(options(&[&user[..], &["--insecure"]].concat()))
    };
    assert_eq!(with("p").unwrap(), "strict");
    assert_eq!(with("wrong").unwrap_err().kind(), ErrorKind::Authentication);
    let error = simple_connect::run(options(&["--url", &url, "--no-sasl"])).unwrap_err();
    assert_ne!(error.kind(), ErrorKind::Configuration);
}

#[test]
fn connection_options_of_the_container_and_of_a_connection() {
    let (runtime, _) = broker();
    let small = ConnectionOptions::new().max_frame_size(4096);
    let broker = runtime.block_on(Broker::builder().connection(small).start());
    let taken = connection_options::run(broker.unwrap().url()).unwrap();
    assert_eq!(taken, [4096, 4096]);
}

#[test]
fn message_properties_come_back_as_they_were() {
    let lines = message_properties::run().unwrap();
    assert_eq!(lines.len(), 4, "{lines:?}");
    assert_eq!(lines[3], "subject: greeting");
}

#[test]
fn encode_decode_changes_no_value() {
    assert_eq!(encode_decode::run().unwrap(), 11);
}

#[test]
fn each_says_what_it_is_for() {
    is_explained::<connection_options::Options>();
    is_explained::<simple_connect::Options>();
}
