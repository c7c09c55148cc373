//! Rules that the handles decide and not the engine, against a scripted peer on an in-memory pipe.
//! Sections 2.6.12, 2.7.6, 3.4, 3.5.3.

use amqp_client::types::messaging::{Accepted, DeliveryState, Outcome, Received, Released};
use amqp_client::types::transport::{
    Close, DeliveryNumber, DeliveryTag, Detach, Disposition, End, Error, ErrorCondition, Fields,
    Handle, Open, Performative, ReceiverSettleMode, Role, SequenceNo,
};
use amqp_client::types::{Symbol, Value};
use amqp_client::{
    Connection, ConnectionOptions, Container, Delivery, ErrorKind, ErrorScope, Message, Receiver,
    ReceiverOptions, SendSettings, Sender, SenderOptions, SessionOptions,
};

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::support::app::answer_to;

use crate::support::frames::{AMQP, frame};
use crate::support::wire::{Wire, source};
use crate::support::{first_transfer, flow, message};

/// A sender whose peer's attach names this default outcome.
async fn sender(default_outcome: Option<Outcome>) -> (Connection, Sender, Wire) {
    let (connection, mut wire) = Wire::connected(ConnectionOptions::new()).await;
    let (sender, _) = tokio::join!(
        connection.create_sender("q"),
        wire.answer_attach(|answer| source(answer).default_outcome = default_outcome),
    );
    (connection, sender.expect("the sender is attached"), wire)
}

/// The delivery-id of the client's next transfer.
async fn sent(wire: &mut Wire) -> DeliveryNumber {
    wire.expect(|p| match p {
        Performative::Transfer(transfer) => transfer.delivery_id,
        _ => None,
    })
    .await
}

/// A receiver's report on a delivery.
fn report(id: DeliveryNumber, state: Option<Outcome>, settled: bool) -> Disposition {
    let mut disposition = Disposition::new(Role::Receiver, id);
    disposition.state = state.map(Into::into);
    disposition.settled = settled;
    disposition
}

#[tokio::test(start_paused = true)]
async fn settled_without_a_state_is_the_default_outcome() {
    // tests: [OUT-14] [SRC-23]
    let released = Outcome::from(Released::default());
    let accepted = Outcome::from(Accepted::default());
    for (default, expected) in [(Some(released.clone()), released), (None, accepted)] {
        let (_connection, sender, mut wire) = sender(default).await;
        let settle = async {
            let id = sent(&mut wire).await;
            wire.write(&frame(0, &report(id, None, true), &[])).await;
        };
        let (outcome, ()) = tokio::join!(sender.send(Message::from("m")), settle);
        assert_eq!(outcome.expect("it is settled"), expected);
    }
}

#[tokio::test(start_paused = true)]
async fn a_receipt_learns_what_the_peer_says_after_the_detach() {
    // tests: [PRF-23]
    let (connection, mut wire) = Wire::connected(ConnectionOptions::new()).await;
    let options = SenderOptions::new().name("A").resumable();
    let (sender, _) = tokio::join!(
        connection.create_sender_with("q", options),
        wire.answer_attach(|_| {}),
    );
    let sender = sender.expect("the sender is attached");
    let receipt = sender.enqueue(Message::from("m")).await.expect("room");
    let id = sent(&mut wire).await;
    let (detached, ()) = tokio::join!(sender.detach(), async {
        assert!(!wire.detach().await.closed);
        wire.write(&frame(0, &Detach::new(Handle(0)), &[])).await;
    });
    detached.expect("detached in good order");
    let released = Outcome::from(Released::default());
    wire.write(&frame(0, &report(id, Some(released.clone()), true), &[]))
        .await;
    assert_eq!(receipt.await.expect("it is settled"), released);
}

#[tokio::test(start_paused = true)]
async fn a_tag_that_is_in_use_is_refused_and_the_link_goes_on() {
    // tests: [LNK-42]
    let (_connection, sender, mut wire) = sender(None).await;
    let tagged = |tag: &[u8]| SendSettings::default().tag(tag).expect("short enough");
    let send = async |settings| sender.enqueue_with(Message::from("m"), settings).await;
    let first = send(tagged(b"a")).await.expect("room");
    // Number 1 has made the tag 01; number 3 would make 03, which the user has taken by then.
    let second = sender.enqueue(Message::from("m")).await.expect("room");
    for used in [&b"a"[..], &[1]] {
        let error = send(tagged(used)).await.expect_err("the tag is in use");
        assert_eq!(error.kind(), ErrorKind::Configuration);
        assert_eq!(error.scope(), ErrorScope::Delivery);
    }
    let third = send(tagged(&[3])).await.expect("room");
    let fourth = sender.enqueue(Message::from("m")).await.expect("room");
    let mut tags = std::collections::HashSet::new();
    let mut last = DeliveryNumber(0);
    for _ in 0..4 {
        let (id, tag) = wire
            .expect(|p| match p {
                Performative::Transfer(transfer) => {
                    Some((transfer.delivery_id?, transfer.delivery_tag.clone()?))
                }
                _ => None,
            })
            .await;
        assert!(tags.insert(tag.as_ref().to_vec()), "{tag:?}");
        last = id;
    }
    let mut all = report(DeliveryNumber(0), Some(Accepted::default().into()), true);
    all.last = Some(last);
    wire.write(&frame(0, &all, &[])).await;
    for receipt in [first, second, third, fourth] {
        receipt.await.expect("accepted");
    }
    // Settled, so that the tag is free.
    let again = send(tagged(b"a")).await.expect("room");
    let id = sent(&mut wire).await;
    wire.write(&frame(0, &report(id, None, true), &[])).await;
    again.await.expect("accepted");
}

#[tokio::test(start_paused = true)]
async fn a_receipt_tells_states_before_the_outcome() {
    // tests: [PRF-22] [OUT-01]
    let (_connection, sender, mut wire) = sender(None).await;
    let mut receipt = sender.enqueue(Message::from("m")).await.expect("room");
    let id = sent(&mut wire).await;
    assert_eq!(receipt.state(), None);
    let received = |offset| DeliveryState::from(Received::new(0, offset));
    for offset in [7, 9] {
        let mut progress = report(id, None, false);
        progress.state = Some(received(offset));
        {
            // A wait that is dropped loses nothing.
            let dropped = receipt.updated();
            tokio::pin!(dropped);
            assert!(futures_now(dropped.as_mut()).is_none());
            wire.write(&frame(0, &progress, &[])).await;
        }
        assert_eq!(receipt.updated().await, Some(received(offset)));
        assert_eq!(
            receipt.state(),
            Some(received(offset)),
            "it can be read again"
        );
    }
    let done = report(id, Some(Accepted::default().into()), true);
    wire.write(&frame(0, &done, &[])).await;
    assert_eq!(receipt.updated().await, None, "no more will come");
    assert_eq!(receipt.state(), None);
    let outcome = receipt.await.expect("it is settled");
    assert_eq!(outcome, Outcome::from(Accepted::default()));
}

/// A receiver in settle mode second or first, to which the peer has sent two messages.
async fn receiver(second: bool) -> (Connection, Receiver, Wire) {
    let (connection, mut wire) = Wire::connected(ConnectionOptions::new()).await;
    let options = match second {
        true => ReceiverOptions::new().settle_second(),
        false => ReceiverOptions::new(),
    };
    let (receiver, _) = tokio::join!(
        connection.create_receiver_with("q", options),
        wire.answer_attach(|_| {}),
    );
    for id in 0..2 {
        wire.write(&frame(0, &first_transfer(0, id), &message("m")))
            .await;
    }
    (connection, receiver.expect("it is attached"), wire)
}

fn tells(id: u32, state: impl Into<DeliveryState>, settled: bool) -> Disposition {
    let mut disposition = Disposition::new(Role::Sender, DeliveryNumber(id));
    disposition.state = Some(state.into());
    disposition.settled = settled;
    disposition
}

#[tokio::test(start_paused = true)]
async fn in_mode_second_a_delivery_is_settled_when_its_sender_says_so() {
    // tests: [LNK-48] [PRF-22]
    let (_connection, receiver, mut wire) = receiver(true).await;
    let delivery = receiver.recv().await.expect("a delivery");
    let other = receiver.recv().await.expect("a delivery");
    delivery.accept();
    let told = wire
        .expect(|p| match p {
            Performative::Disposition(told) => Some(told.clone()),
            _ => None,
        })
        .await;
    assert!(!told.settled);
    let settled = delivery.settled();
    tokio::pin!(settled);
    assert!(futures_now(settled.as_mut()).is_none());
    // A state of the sender's own, which settles nothing.
    let received = DeliveryState::from(Received::new(0, 0));
    wire.write(&frame(0, &tells(1, received.clone(), false), &[]))
        .await;
    wire.write(&frame(0, &tells(0, Accepted::default(), true), &[]))
        .await;
    let state = settled.await.expect("it is settled");
    assert_eq!(state, Some(Accepted::default().into()));
    assert_eq!(other.remote_state(), Some(received));
    // The link ends before the other one is settled.
    let (closed, lost, ()) = tokio::join!(receiver.close(), other.settled(), async {
        wire.detach().await;
        let mut detach = Detach::new(Handle(0));
        detach.closed = true;
        wire.write(&frame(0, &detach, &[])).await;
    });
    closed.expect("closed in good order");
    assert_eq!(
        lost.expect_err("nobody knows").kind(),
        ErrorKind::LinkDetached
    );
}

#[tokio::test(start_paused = true)]
async fn in_mode_first_a_delivery_is_settled_by_whoever_is_first() {
    // tests: [LNK-51] [PRF-22]
    let (_connection, receiver, mut wire) = receiver(false).await;
    let ours = receiver.recv().await.expect("a delivery");
    let theirs = receiver.recv().await.expect("a delivery");
    let settle = async {
        ours.accept();
        wire.write(&frame(0, &tells(1, Released::default(), true), &[]))
            .await;
    };
    let (first, second, ()) = tokio::join!(ours.settled(), theirs.settled(), settle);
    assert_eq!(first.expect("settled here"), None);
    assert_eq!(
        second.expect("settled there"),
        Some(Released::default().into())
    );
    // Asking afterwards tells as much.
    assert_eq!(ours.settled().await.expect("settled"), None);
    assert_eq!(theirs.remote_state(), Some(Released::default().into()));
    theirs.accept();
}

/// What a future gives at once, if anything.
fn futures_now<F: Future>(future: std::pin::Pin<&mut F>) -> Option<F::Output> {
    let mut cx = std::task::Context::from_waker(std::task::Waker::noop());
    match future.poll(&mut cx) {
        std::task::Poll::Ready(output) => Some(output),
        std::task::Poll::Pending => None,
    }
}

/// Artemis and Broker-J write the property as a symbol.
#[tokio::test(start_paused = true)]
async fn an_open_that_announces_its_close_opens_nothing() {
    for failed in [
        Value::Bool(true),
        Value::Symbol(Symbol::from_static("true")),
    ] {
        let mut open = Open::new("peer");
        let mut properties = Fields::default();
        properties.insert(
            Symbol::from_static("amqp:connection-establishment-failed"),
            failed,
        );
        open.properties = Some(properties);
        let (ours, mut theirs) = tokio::io::duplex(64 * 1024);
        let refuse = async {
            theirs.write_all(&AMQP).await.expect("written");
            let close = Close {
                error: Some(Box::new(Error::new(ErrorCondition::InvalidField))),
            };
            for octets in [frame(0, &open, &[]), frame(0, &close, &[])] {
                // So that the client has read the one before the other comes.
                tokio::time::sleep(std::time::Duration::from_secs(1)).await;
                theirs.write_all(&octets).await.expect("written");
            }
            let mut rest = Vec::new();
            theirs.read_to_end(&mut rest).await.expect("an end");
        };
        let container = Container::new("client");
        let options = ConnectionOptions::new().without_sasl();
        let (made, ()) = tokio::join!(container.connect_stream(ours, options), refuse);
        let refused = made.expect_err("it is refused");
        assert_eq!(refused.kind(), ErrorKind::ConnectionClosed);
        assert_eq!(refused.condition(), Some(&ErrorCondition::InvalidField));
    }
}

/// RabbitMQ ends the session of an attach that tells of unsettled deliveries.
#[tokio::test(start_paused = true)]
async fn a_peer_that_ends_the_session_over_a_map_is_attached_to_without_in_another_one() {
    // tests: [RES-01]
    let (connection, mut wire) = Wire::connected(ConnectionOptions::new()).await;
    let options = SenderOptions::new().name("A").resumable();
    let (sender, _) = tokio::join!(
        connection.create_sender_with("q", options),
        wire.answer_attach(|_| {}),
    );
    let sender = sender.expect("the sender is attached");
    let receipt = sender.enqueue(Message::from("m")).await.expect("room");
    sent(&mut wire).await;
    wire.write(&frame(0, &End::default(), &[])).await;
    while sender.error().is_none() {
        tokio::task::yield_now().await;
    }
    let ended = End {
        error: Some(Box::new(Error::new(ErrorCondition::NotImplemented))),
    };
    for (channel, told) in [(1, true), (2, false)] {
        let (session, ()) = tokio::join!(
            connection.create_session(SessionOptions::new()),
            wire.answer_begin(channel),
        );
        let session = session.expect("a session");
        let answer = async {
            let attach = wire.attach().await;
            assert_eq!(attach.unsettled.is_some(), told);
            if told {
                wire.write(&frame(channel, &ended, &[])).await;
                return;
            }
            let mut answer = answer_to(&attach);
            answer.handle = Handle(0);
            wire.write(&frame(channel, &answer, &[])).await;
            let mut grant = flow(Some(0));
            grant.next_incoming_id = None;
            grant.link_credit = Some(10);
            wire.write(&frame(channel, &grant, &[])).await;
        };
        let (resumed, ()) = tokio::join!(sender.resume(&session, true), answer);
        match resumed {
            Err(error) => {
                assert!(told, "{error}");
                assert_eq!(error.kind(), ErrorKind::SessionEnded);
            }
            Ok(()) => assert!(!told),
        }
    }
    // The message is sent again, and settled like any other.
    let id = sent(&mut wire).await;
    let accepted = Outcome::from(Accepted::default());
    wire.write(&frame(2, &report(id, Some(accepted.clone()), true), &[]))
        .await;
    assert_eq!(receipt.await.expect("it is settled"), accepted);
}

/// Artemis answers first to second, settles without a word, and uses its tags again.
#[tokio::test(start_paused = true)]
async fn a_receiver_settles_first_when_the_peer_says_so() {
    // tests: [LNK-14]
    let (connection, mut wire) = Wire::connected(ConnectionOptions::new()).await;
    let options = ReceiverOptions::new().settle_second();
    let (receiver, attach) = tokio::join!(
        connection.create_receiver_with("q", options),
        wire.answer_attach(|answer| answer.rcv_settle_mode = ReceiverSettleMode::First),
    );
    assert_eq!(attach.rcv_settle_mode, ReceiverSettleMode::Second);
    let receiver = receiver.expect("it is attached");
    for id in 0..2 {
        let mut transfer = first_transfer(0, id);
        transfer.delivery_tag = DeliveryTag::try_from(vec![7]).ok();
        wire.write(&frame(0, &transfer, &message("m"))).await;
        receiver.recv().await.expect("a delivery").accept();
        let told = wire
            .expect(|p| match p {
                Performative::Disposition(told) => Some(told.clone()),
                _ => None,
            })
            .await;
        assert!(told.settled);
    }
}

/// A receiver that can be resumed, with two deliveries that its application has taken.
async fn resumable(wire: &mut Wire, connection: &Connection) -> (Receiver, Vec<Delivery>) {
    let options = ReceiverOptions::new().name("A").resumable();
    let (receiver, _) = tokio::join!(
        connection.create_receiver_with("q", options),
        wire.answer_attach(|_| {}),
    );
    let receiver = receiver.expect("it is attached");
    let mut deliveries = Vec::new();
    for id in 0..2 {
        let transfer = first_transfer(0, id);
        wire.write(&frame(0, &transfer, &message("m"))).await;
        deliveries.push(receiver.recv().await.expect("a delivery"));
    }
    (receiver, deliveries)
}

/// What the client's next disposition settles, or that it detaches first.
async fn settled_or_detached(wire: &mut Wire) -> Option<u32> {
    wire.expect(|p| match p {
        Performative::Disposition(told) => Some(Some(told.first.0)),
        Performative::Detach(_) => Some(None),
        _ => None,
    })
    .await
}

#[tokio::test(start_paused = true)]
async fn what_is_decided_behind_the_own_detach_is_told_when_the_link_is_attached_again() {
    // tests: [LNK-38] [LNK-62] [RES-03]
    let (connection, mut wire) = Wire::connected(ConnectionOptions::new()).await;
    let (receiver, deliveries) = resumable(&mut wire, &connection).await;
    deliveries[0].accept();
    let answer = async {
        assert_eq!(settled_or_detached(&mut wire).await, Some(0));
        assert_eq!(settled_or_detached(&mut wire).await, None);
        deliveries[1].accept();
        wire.write(&frame(0, &Detach::new(Handle(0)), &[])).await;
    };
    let (detached, ()) = tokio::join!(receiver.detach(), answer);
    detached.expect("it is detached");
    let (session, ()) = tokio::join!(
        connection.create_session(SessionOptions::new()),
        wire.answer_begin(1),
    );
    let session = session.expect("a session");
    let told = async {
        let attach = wire.attach().await;
        let mut answer = answer_to(&attach);
        answer.unsettled = Some(Default::default());
        answer.initial_delivery_count = Some(SequenceNo(0));
        wire.write(&frame(1, &answer, &[])).await;
        attach.unsettled.expect("a map")
    };
    let (resumed, told) = tokio::join!(receiver.resume(&session), told);
    resumed.expect("it is attached again");
    let states: Vec<_> = told.iter().map(|(_, state)| state.clone()).collect();
    assert_eq!(states, [Some(DeliveryState::from(Accepted::default()))]);
}

#[tokio::test(start_paused = true)]
async fn what_was_decided_before_the_peers_detach_was_read_is_told_ahead_of_the_answer() {
    // tests: [LNK-38]
    let (connection, mut wire) = Wire::connected(ConnectionOptions::new()).await;
    let (_receiver, deliveries) = resumable(&mut wire, &connection).await;
    // Both are there when the driver wakes, and what was read comes first.
    wire.write(&frame(0, &Detach::new(Handle(0)), &[])).await;
    deliveries[0].accept();
    assert_eq!(settled_or_detached(&mut wire).await, Some(0));
    assert_eq!(settled_or_detached(&mut wire).await, None);
}
