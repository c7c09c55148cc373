//! What becomes of messages, sent and received.

use std::sync::{Arc, Mutex};

use amqp_client::Delivery;
use amqp_client::handler::HandlerOptions;
use amqp_client::types::messaging::{
    Accepted, DeliveryState, Modified, Received, Rejected, Released,
};
use amqp_client::types::transport::{Detach, Handle, Performative, Role, TransferNumber};
use amqp_client::{Message, ReceiverOptions, SenderOptions};

use crate::peer::{Peer, Waiting, plain};
use crate::recorder::{Log, Recorder, Start, ended};

type Running = amqp_client::handler::Running<Recorder<Start>>;

/// A handler that sends so many messages when its link is made, and its peer, which has given credit.
async fn sending(messages: u32, options: SenderOptions) -> (Log, Running, Peer) {
    let waiting = Waiting::new().await;
    let url = waiting.url();
    let (log, running) = Recorder::new(move |container| {
        let connection = container.connect_with(&url, plain())?;
        let sender = connection.create_sender_with("q", options.name("l"))?;
        for _ in 0..messages {
            sender.send(Message::from("x"))?;
        }
        Ok(())
    })
    .run();
    let mut peer = waiting.begin().await;
    peer.attach().await;
    log.has("link_opened l", 1).await;
    (log, running, peer)
}

/// A handler that receives, and its peer.
async fn receiving(
    recorder: impl FnOnce(&mut Recorder<Start>),
    link: ReceiverOptions,
) -> (Log, Running, Peer) {
    let waiting = Waiting::new().await;
    let url = waiting.url();
    let mut handler = Recorder::new(move |container| {
        let connection = container.connect_with(&url, plain())?;
        connection.create_receiver_with("q", link.name("l"))?;
        Ok(())
    });
    recorder(&mut handler);
    let (log, running) = handler.run();
    let mut peer = waiting.begin().await;
    peer.attach().await;
    peer.until(|frame| matches!(frame, Performative::Flow(flow) if flow.handle.is_some()))
        .await;
    (log, running, peer)
}

/// Ends the run; answers what was called since the link was opened.
async fn rest(log: Log, running: Running, peer: Peer) -> Vec<String> {
    running.container().stop();
    peer.close().await;
    let lines = ended(&log, running).await;
    let opened = lines.iter().position(|line| line == "link_opened l");
    lines[opened.unwrap() + 1..lines.len() - 3].to_vec()
}

/// The settled and the unsettled state of a peer's disposition, or `None` for none.
async fn disposition(peer: &mut Peer) -> (Option<DeliveryState>, bool) {
    let frame = peer
        .until(|frame| matches!(frame, Performative::Disposition(_)))
        .await;
    let Performative::Disposition(disposition) = frame else {
        unreachable!()
    };
    (disposition.state, disposition.settled)
}

#[tokio::test]
async fn each_outcome_is_told_once_and_in_order() {
    let (log, running, mut peer) = sending(4, SenderOptions::new()).await;
    peer.flow(0, 4, false).await;
    for _ in 0..4 {
        peer.until(|frame| matches!(frame, Performative::Transfer(_)))
            .await;
    }
    let states = [
        DeliveryState::Accepted(Accepted::default()),
        DeliveryState::Rejected(Rejected::default()),
        DeliveryState::Released(Released::default()),
        DeliveryState::Modified(Modified::default()),
    ];
    for (number, state) in (0..).zip(states) {
        peer.dispose(Role::Receiver, number, true, Some(state))
            .await;
    }
    log.has("settled 3", 1).await;
    let lines = rest(log, running, peer).await;
    let told: Vec<_> = lines
        .iter()
        .filter(|l| !l.starts_with("sendable"))
        .collect();
    assert_eq!(
        told,
        [
            "accepted 0",
            "updated 0",
            "settled 0",
            "rejected 1",
            "updated 1",
            "settled 1",
            "released 2",
            "updated 2",
            "settled 2",
            // Modified: the callback's default is on_released.
            "released 3",
            "updated 3",
            "settled 3",
        ]
    );
}

#[tokio::test]
async fn a_state_on_the_way_is_an_update_and_no_outcome() {
    let (log, running, mut peer) = sending(1, SenderOptions::new()).await;
    peer.flow(0, 1, false).await;
    peer.until(|frame| matches!(frame, Performative::Transfer(_)))
        .await;
    let received = DeliveryState::Received(Received::new(0, 1));
    peer.dispose(Role::Receiver, 0, false, Some(received)).await;
    log.has("updated 0", 1).await;
    let accepted = DeliveryState::Accepted(Accepted::default());
    peer.dispose(Role::Receiver, 0, true, Some(accepted)).await;
    log.has("settled 0", 1).await;
    let lines = rest(log, running, peer).await;
    let told: Vec<_> = lines
        .iter()
        .filter(|l| !l.starts_with("sendable"))
        .collect();
    assert_eq!(told, ["updated 0", "accepted 0", "updated 0", "settled 0"]);
}

#[tokio::test]
async fn sendable_at_each_flow_and_each_write_while_credit_is_left() {
    let (log, running, mut peer) = sending(1, SenderOptions::new()).await;
    peer.flow(0, 3, false).await;
    peer.until(|frame| matches!(frame, Performative::Transfer(_)))
        .await;
    log.has("sendable 2", 2).await;
    peer.flow(1, 5, false).await;
    log.has("sendable 5", 1).await;
    let mut none = crate::peer::flow(1, 0, false);
    none.echo = true;
    peer.write(&none).await;
    peer.until(|frame| matches!(frame, Performative::Flow(_)))
        .await;
    running.container().defer({
        let log = log.clone();
        move || log.add("heard of no credit")
    });
    log.has("heard of no credit", 1).await;
    peer.flow(1, 1, false).await;
    log.has("sendable 1", 1).await;
    let lines = rest(log, running, peer).await;
    assert_eq!(
        lines,
        [
            "sendable 2",
            "sendable 2",
            "sendable 5",
            "heard of no credit",
            "sendable 1"
        ]
    );
}

#[tokio::test]
async fn each_drain_is_told_and_answered() {
    let (log, running, mut peer) = sending(0, SenderOptions::new()).await;
    for round in 1..=2u32 {
        let used = (round - 1) * 7;
        let mut flow = crate::peer::flow(used, 7, true);
        // Credit was given back, no message was sent.
        flow.next_incoming_id = Some(TransferNumber(0));
        peer.write(&flow).await;
        let frame = peer
            .until(|frame| matches!(frame, Performative::Flow(flow) if flow.handle.is_some()))
            .await;
        let Performative::Flow(flow) = frame else {
            unreachable!()
        };
        // tests: [LNK-33]
        assert_eq!(flow.delivery_count.map(|count| count.0), Some(round * 7));
        assert_eq!(flow.link_credit, Some(0));
        log.has("drain_start 7", round as usize).await;
    }
    let lines = rest(log, running, peer).await;
    assert_eq!(
        lines,
        ["sendable 7", "drain_start 7", "sendable 7", "drain_start 7"]
    );
}

#[tokio::test]
async fn a_drain_by_hand_is_answered_when_the_program_says() {
    let (log, running, mut peer) = sending(0, SenderOptions::new().manual_drain()).await;
    peer.flow(0, 7, true).await;
    log.has("drain_start 7", 1).await;
    // Answering a flow of the session only is allowed; credit is not given back.
    running.container().defer({
        let log = log.clone();
        move || log.add("deferred")
    });
    log.has("deferred", 1).await;
    let lines = rest(log, running, peer).await;
    assert_eq!(lines, ["sendable 7", "drain_start 7", "deferred"]);
}

#[tokio::test]
async fn a_message_that_is_given_up_halfway_is_aborted_once() {
    let (log, running, mut peer) = receiving(|_| {}, ReceiverOptions::new()).await;
    peer.transfer(0, true, false).await;
    peer.transfer(0, false, true).await;
    peer.transfer(1, false, false).await;
    log.has("message m1", 1).await;
    let lines = rest(log, running, peer).await;
    assert_eq!(lines, ["aborted", "message m1"]);
}

#[tokio::test]
async fn a_receiver_that_settles_second_hears_when_its_sender_has() {
    let link = ReceiverOptions::new().settle_second();
    let (log, running, mut peer) = receiving(|_| {}, link).await;
    peer.transfer(0, false, false).await;
    let (state, settled) = disposition(&mut peer).await;
    assert!(matches!(state, Some(DeliveryState::Accepted(_))) && !settled);
    let accepted = DeliveryState::Accepted(Accepted::default());
    peer.dispose(Role::Sender, 0, true, Some(accepted)).await;
    log.has("settled received [0]", 1).await;
    let lines = rest(log, running, peer).await;
    assert_eq!(
        lines,
        ["message m0", "updated received [0]", "settled received [0]"]
    );
}

#[tokio::test]
async fn a_message_is_accepted_by_itself_unless_that_is_off() {
    for auto_accept in [true, false] {
        let options = HandlerOptions {
            auto_accept,
            ..HandlerOptions::default()
        };
        let set = |handler: &mut Recorder<Start>| handler.options = options;
        let (log, running, mut peer) = receiving(set, ReceiverOptions::new()).await;
        peer.transfer(0, false, false).await;
        let (state, settled) = disposition(&mut peer).await;
        assert!(settled);
        // Nobody keeps it: it goes back.
        match auto_accept {
            true => assert!(matches!(state, Some(DeliveryState::Accepted(_)))),
            false => assert!(matches!(state, Some(DeliveryState::Released(_)))),
        }
        assert_eq!(rest(log, running, peer).await, ["message m0"]);
    }
}

#[tokio::test]
async fn a_message_for_a_receiver_that_was_closed_goes_back_untold() {
    let close = |handler: &mut Recorder<Start>| {
        handler.on_message = |event| {
            event.receiver().close();
            Ok(())
        };
    };
    let (log, running, mut peer) = receiving(close, ReceiverOptions::new()).await;
    peer.transfer(0, false, false).await;
    peer.until(|frame| matches!(frame, Performative::Detach(_)))
        .await;
    // Sent before the detach was read.
    peer.transfer(1, false, false).await;
    let mut detach = Detach::new(Handle(0));
    detach.closed = true;
    peer.write(&detach).await;
    log.has("link_closed l", 1).await;
    let lines = rest(log, running, peer).await;
    assert_eq!(lines, ["message m0", "link_closed l"]);
}

#[tokio::test]
async fn a_drain_that_was_asked_for_is_finished_after_the_messages() {
    let link = ReceiverOptions::new().manual_credit();
    let waiting = Waiting::new().await;
    let url = waiting.url();
    let (log, running) = Recorder::new(move |container| {
        let connection = container.connect_with(&url, plain())?;
        let receiver = connection.create_receiver_with("q", link.name("l"))?;
        receiver.add_credit(3);
        receiver.drain();
        Ok(())
    })
    .run();
    let mut peer = waiting.begin().await;
    peer.attach().await;
    peer.until(|frame| matches!(frame, Performative::Flow(flow) if flow.drain))
        .await;
    peer.transfer(0, false, false).await;
    let mut flow = crate::peer::flow(3, 0, true);
    flow.next_incoming_id = Some(TransferNumber(0));
    flow.next_outgoing_id = TransferNumber(1);
    peer.write(&flow).await;
    log.has("drain_finish", 1).await;
    let lines = rest(log, running, peer).await;
    assert_eq!(lines, ["message m0", "drain_finish"]);
}

#[tokio::test]
async fn what_a_sender_tells_of_its_delivery_is_an_update_and_its_settlement_the_end() {
    static KEPT: Mutex<Option<Arc<Delivery>>> = Mutex::new(None);
    let keep = |handler: &mut Recorder<Start>| {
        handler.on_message = |event| {
            *KEPT.lock().unwrap() = Some(event.delivery().clone());
            Ok(())
        };
        handler.options.auto_accept = false;
    };
    let (log, running, mut peer) = receiving(keep, ReceiverOptions::new()).await;
    peer.transfer(0, false, false).await;
    log.has("message m0", 1).await;
    let received = DeliveryState::Received(Received::new(0, 1));
    peer.dispose(Role::Sender, 0, false, Some(received)).await;
    log.has("updated received [0]", 1).await;
    // Settled without a word: nothing is updated.
    peer.dispose(Role::Sender, 0, true, None).await;
    log.has("settled received [0]", 1).await;
    let lines = rest(log, running, peer).await;
    assert_eq!(
        lines,
        ["message m0", "updated received [0]", "settled received [0]"]
    );
}
