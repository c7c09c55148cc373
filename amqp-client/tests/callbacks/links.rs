//! How links are attached, refused, detached and closed.

use amqp_client::handler::{ActiveContainer, HandlerOptions, HandlerResult};
use amqp_client::link_option::Selector;
use amqp_client::types::messaging::Accepted;
use amqp_client::types::messaging::DeliveryState;
use amqp_client::types::transport::{
    self, Attach, Detach, ErrorCondition, Handle, Performative, Role,
};
use amqp_client::{Message, ReceiverOptions, SenderOptions};

use crate::peer::{Peer, Waiting, plain};
use crate::recorder::{Log, Recorder, Start, ended};

const BEGUN: [&str; 3] = ["start", "connection_opened", "session_opened"];

/// A handler with one sender, `l`, and its peer.
async fn sending(
    options: HandlerOptions,
) -> (Log, amqp_client::handler::Running<Recorder<Start>>, Peer) {
    let waiting = Waiting::new().await;
    let url = waiting.url();
    let mut recorder = Recorder::new(move |container| attach(container, &url));
    recorder.options = options;
    let (log, running) = recorder.run();
    (log, running, waiting.begin().await)
}

fn attach(container: &ActiveContainer, url: &str) -> HandlerResult {
    let connection = container.connect_with(url, plain())?;
    connection.create_sender_with("q", SenderOptions::new().name("l"))?;
    Ok(())
}

fn detach(closed: bool, condition: Option<ErrorCondition>) -> Detach {
    let mut detach = Detach::new(Handle(0));
    detach.closed = closed;
    detach.error = condition.map(|condition| Box::new(transport::Error::new(condition)));
    detach
}

/// What is called after `link_opened`, when the peer detaches like this.
async fn peer_detaches(detach: Detach, last: &str, options: HandlerOptions) -> Vec<String> {
    let (log, running, mut peer) = sending(options).await;
    peer.attach().await;
    peer.write(&detach).await;
    log.has(last, 1).await;
    running.container().stop();
    peer.close().await;
    let lines = ended(&log, running).await;
    assert_eq!(lines[..3], BEGUN);
    assert_eq!(lines[3], "link_opened l");
    assert_eq!(
        lines[lines.len() - 3..],
        ["connection_closed", "transport_closed", "stop"]
    );
    lines[4..lines.len() - 3].to_vec()
}

#[tokio::test]
async fn a_peer_that_closes_a_link_in_peace() {
    let options = HandlerOptions::default();
    let lines = peer_detaches(detach(true, None), "link_closed l", options).await;
    assert_eq!(lines, ["link_closed l"]);
}

#[tokio::test]
async fn a_peer_whose_closing_of_a_link_counts_as_an_error() {
    let options = HandlerOptions {
        peer_close_is_error: true,
        ..HandlerOptions::default()
    };
    let lines = peer_detaches(detach(true, None), "link_closed l", options).await;
    assert_eq!(lines, ["link_error l", "link_closed l"]);
}

#[tokio::test]
async fn a_peer_that_detaches_a_link_does_not_close_it() {
    let options = HandlerOptions::default();
    let lines = peer_detaches(detach(false, None), "link_detached l", options).await;
    assert_eq!(lines, ["link_detached l"]);
}

#[tokio::test]
async fn a_peer_that_closes_a_link_with_an_error() {
    let detach = detach(true, Some(ErrorCondition::Stolen));
    let lines = peer_detaches(detach, "link_closed l", HandlerOptions::default()).await;
    assert_eq!(lines, ["link_error l", "link_closed l"]);
}

#[tokio::test]
async fn a_link_that_is_refused_is_an_error_and_was_never_open() {
    let (log, running, mut peer) = sending(HandlerOptions::default()).await;
    peer.until(|frame| matches!(frame, Performative::Attach(_)))
        .await;
    // tests: [LNK-08]
    peer.write(&Attach::new("l", Handle(0), Role::Receiver))
        .await;
    peer.write(&detach(true, Some(ErrorCondition::NotFound)))
        .await;
    peer.close().await;
    let lines = ended(&log, running).await;
    assert_eq!(lines[..3], BEGUN);
    assert_eq!(
        lines[3..],
        [
            "link_error l",
            "link_closed l",
            "connection_closed",
            "transport_closed",
            "stop"
        ]
    );
}

#[tokio::test]
async fn a_filter_that_the_peer_does_not_apply_is_an_error() {
    let waiting = Waiting::new().await;
    let url = waiting.url();
    let (log, running) = Recorder::new(move |container| {
        let connection = container.connect_with(&url, plain())?;
        let options = ReceiverOptions::new().name("l").with(Selector::new("x=1"));
        connection.create_receiver_with("q", options)?;
        Ok(())
    })
    .run();
    let mut peer = waiting.begin().await;
    peer.attach().await;
    peer.close().await;
    let lines = ended(&log, running).await;
    assert_eq!(lines[..3], BEGUN);
    // tests: [SRC-20]
    assert_eq!(lines[3], "link_error l");
    assert!(!lines.contains(&"link_opened l".to_owned()), "{lines:?}");
}

#[tokio::test]
async fn a_sender_that_is_closed_waits_for_outcomes_and_keeps_no_callback_waiting() {
    let waiting = Waiting::new().await;
    let url = waiting.url();
    let (log, running) = Recorder::new(move |container| {
        let connection = container.connect_with(&url, plain())?;
        let sender = connection.create_sender_with("q", SenderOptions::new().name("l"))?;
        sender.send(Message::from("x"))?;
        sender.close();
        assert!(sender.send(Message::from("y")).is_err());
        connection.wake();
        Ok(())
    })
    .run();
    let mut peer = waiting.begin().await;
    peer.attach().await;
    // The link is open, nothing can be sent, and the handler is called for other things.
    log.has("link_opened l", 1).await;
    log.has("connection_wake", 1).await;
    peer.flow(0, 1, false).await;
    peer.until(|frame| matches!(frame, Performative::Transfer(_)))
        .await;
    let accepted = DeliveryState::Accepted(Accepted::default());
    peer.dispose(Role::Receiver, 0, true, Some(accepted)).await;
    peer.until(|frame| matches!(frame, Performative::Detach(_)))
        .await;
    peer.write(&detach(true, None)).await;
    log.has("link_closed l", 1).await;
    running.container().stop();
    peer.close().await;
    let lines = ended(&log, running).await;
    let last: Vec<_> = lines
        .iter()
        .skip_while(|line| *line != "accepted 0")
        .collect();
    assert_eq!(
        last,
        [
            "accepted 0",
            "updated 0",
            "settled 0",
            "link_closed l",
            "connection_closed",
            "transport_closed",
            "stop"
        ]
    );
}
