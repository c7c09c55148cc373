//! Who settles what was sent, and when: `auto_settle`.

use amqp_client::handler::{HandlerOptions, Running, Tracker};
use amqp_client::types::messaging::{Accepted, DeliveryState, Released};
use amqp_client::types::transport::{Performative, Role};
use amqp_client::{Message, SenderOptions};

use crate::peer::{Peer, Waiting, flow, plain};
use crate::recorder::{Log, Recorder, Start, ended};

/// A handler that has sent a message, which has arrived at its peer.
async fn sent(auto_settle: bool) -> (Log, Running<Recorder<Start>>, Peer, Tracker) {
    let waiting = Waiting::new().await;
    let url = waiting.url();
    let (tell, tracker) = std::sync::mpsc::channel();
    let mut handler = Recorder::new(move |container| {
        let connection = container.connect_with(&url, plain())?;
        let options = SenderOptions::new().name("l").settle_second();
        let sender = connection.create_sender_with("q", options)?;
        tell.send(sender.send(Message::from("x"))?)?;
        Ok(())
    });
    handler.options = HandlerOptions {
        auto_settle,
        ..HandlerOptions::default()
    };
    let (log, running) = handler.run();
    let mut peer = waiting.begin().await;
    peer.attach().await;
    peer.flow(0, 1, false).await;
    peer.until(|frame| matches!(frame, Performative::Transfer(_)))
        .await;
    (log, running, peer, tracker.recv().unwrap())
}

fn accepted() -> Option<DeliveryState> {
    Some(DeliveryState::Accepted(Accepted::default()))
}

/// What the client says of its delivery before it answers a flow that asks for it.
async fn said(peer: &mut Peer) -> Vec<(bool, Option<DeliveryState>)> {
    let mut echo = flow(1, 0, false);
    echo.echo = true;
    peer.write(&echo).await;
    let mut said = Vec::new();
    loop {
        match peer.next().await {
            Performative::Disposition(disposition) => {
                assert_eq!(disposition.role, Role::Sender);
                said.push((disposition.settled, disposition.state));
            }
            Performative::Flow(_) => return said,
            other => panic!("nothing asks for {other:?}"),
        }
    }
}

/// Ends the run; answers what was called for the delivery.
async fn rest(log: Log, running: Running<Recorder<Start>>, peer: Peer) -> Vec<String> {
    running.container().stop();
    peer.close().await;
    let mut lines = ended(&log, running).await;
    lines.retain(|line| line.ends_with(" 0"));
    lines
}

#[tokio::test]
async fn by_itself_as_soon_as_the_outcome_is_told() {
    // tests: [LNK-48]
    let (log, running, mut peer, _) = sent(true).await;
    peer.dispose(Role::Receiver, 0, false, accepted()).await;
    assert_eq!(said(&mut peer).await, [(true, accepted())]);
    log.has("settled 0", 1).await;
    let lines = rest(log, running, peer).await;
    assert_eq!(lines, ["accepted 0", "updated 0", "settled 0"]);
}

#[tokio::test]
async fn by_hand_when_the_program_says_and_once() {
    // tests: [LNK-48]
    let (log, running, mut peer, tracker) = sent(false).await;
    // Nothing to be settled yet.
    tracker.settle();
    peer.dispose(Role::Receiver, 0, false, accepted()).await;
    log.has("updated 0", 1).await;
    assert_eq!(said(&mut peer).await, []);
    tracker.settle();
    tracker.settle();
    log.has("settled 0", 1).await;
    assert_eq!(said(&mut peer).await, [(true, accepted())]);
    let lines = rest(log, running, peer).await;
    assert_eq!(lines, ["accepted 0", "updated 0", "settled 0"]);
}

#[tokio::test]
async fn by_the_peer_with_nothing_left_to_do() {
    let (log, running, mut peer, tracker) = sent(false).await;
    peer.dispose(Role::Receiver, 0, true, accepted()).await;
    log.has("settled 0", 1).await;
    tracker.settle();
    assert_eq!(said(&mut peer).await, []);
    let lines = rest(log, running, peer).await;
    assert_eq!(lines, ["accepted 0", "updated 0", "settled 0"]);
}

#[tokio::test]
async fn an_outcome_that_is_told_again_is_no_other_occurrence() {
    let (log, running, mut peer, _) = sent(false).await;
    peer.dispose(Role::Receiver, 0, false, accepted()).await;
    peer.dispose(Role::Receiver, 0, false, accepted()).await;
    peer.dispose(Role::Receiver, 0, true, None).await;
    log.has("settled 0", 1).await;
    let lines = rest(log, running, peer).await;
    assert_eq!(lines, ["accepted 0", "updated 0", "settled 0"]);
}

#[tokio::test]
async fn an_outcome_that_the_peer_changes_is_told_anew() {
    let (log, running, mut peer, _) = sent(false).await;
    let released = Some(DeliveryState::Released(Released::default()));
    peer.dispose(Role::Receiver, 0, false, released).await;
    peer.dispose(Role::Receiver, 0, true, accepted()).await;
    log.has("settled 0", 1).await;
    let lines = rest(log, running, peer).await;
    let expected = [
        "released 0",
        "updated 0",
        "accepted 0",
        "updated 0",
        "settled 0",
    ];
    assert_eq!(lines, expected);
}
