//! The link benchmark on fe2o3-amqp 0.18: the receiver listens, counts and accepts; the sender keeps a window of
//! `--credit` sends in flight (`send_batchable`). TCP_NODELAY is set by us, without it the library is far slower.
//!
//! On pre-settled links this library's automatic credit stands still until somebody accepts, so credit is topped up
//! by hand there, at half, as every other pair does.
#![forbid(unsafe_code)]

use std::{collections::VecDeque, error::Error, process::ExitCode};

use amqp_bench_support::{Mode, Options, Report, Role, Stopwatch, announce_listening, finish};
use fe2o3_amqp::{
    Connection, Delivery, Receiver, Sender, Session,
    acceptor::{ConnectionAcceptor, LinkAcceptor, LinkEndpoint, SessionAcceptor},
    link::{delivery::DeliveryInfo, receiver::CreditMode},
    types::{
        definitions::SenderSettleMode,
        messaging::{Data, Message, Outcome},
        primitives::Binary,
    },
};
use tokio::net::{TcpListener, TcpStream};

#[tokio::main]
async fn main() -> ExitCode {
    finish("link (fe2o3)", run().await)
}

async fn run() -> Result<Report, Box<dyn Error>> {
    let options = Options::from_args()?;
    match options.role {
        Role::Send => send(&options).await,
        Role::Recv => receive(&options).await,
    }
}

async fn send(options: &Options) -> Result<Report, Box<dyn Error>> {
    let stream = TcpStream::connect(("127.0.0.1", options.port)).await?;
    stream.set_nodelay(true)?;
    let mut connection = Connection::builder()
        .container_id("bench-send")
        .open_with_stream(stream)
        .await?;
    let mut session = Session::begin(&mut connection).await?;
    let settle_mode = match options.mode {
        Mode::AtLeastOnce => SenderSettleMode::Unsettled,
        Mode::PreSettled => SenderSettleMode::Settled,
    };
    let mut sender = Sender::builder()
        .name("bench")
        .target("bench")
        .sender_settle_mode(settle_mode)
        .attach(&mut session)
        .await?;

    let payload = options.payload();
    let mut in_flight = VecDeque::with_capacity(options.credit as usize);
    let mut clock = Stopwatch::start();
    for _ in 0..options.count {
        if in_flight.len() == options.credit as usize
            && let Some(oldest) = in_flight.pop_front()
        {
            accepted(oldest.await?)?;
        }
        let message = Message::from(Data(Binary::from(payload.clone())));
        let outcome = sender.send_batchable(message).await?;
        if options.mode == Mode::AtLeastOnce {
            in_flight.push_back(outcome);
        }
    }
    for outcome in in_flight {
        accepted(outcome.await?)?;
    }
    match options.mode {
        Mode::AtLeastOnce => {
            clock.stop();
            sender.close().await?;
            session.end().await?;
            connection.close().await?;
        }
        // Only the receiver knows when the last one arrived: it closes.
        Mode::PreSettled => {
            let _ = connection.on_close().await;
        }
    }
    Ok(clock.report(Role::Send, options.count))
}

fn accepted(outcome: Outcome) -> Result<(), String> {
    match outcome {
        Outcome::Accepted(_) => Ok(()),
        other => Err(format!("a message was not accepted: {other:?}")),
    }
}

async fn receive(options: &Options) -> Result<Report, Box<dyn Error>> {
    let listener = TcpListener::bind(("127.0.0.1", options.port)).await?;
    announce_listening();
    let (stream, _) = listener.accept().await?;
    stream.set_nodelay(true)?;
    let mut connection = ConnectionAcceptor::new("bench-recv").accept(stream).await?;
    let mut session = SessionAcceptor::new().accept(&mut connection).await?;
    let LinkEndpoint::Receiver(mut receiver) = LinkAcceptor::new().accept(&mut session).await?
    else {
        return Err("the peer opened a receiver".into());
    };
    match options.mode {
        Mode::AtLeastOnce => receiver.set_credit_mode(CreditMode::Auto(options.credit)),
        Mode::PreSettled => receiver.set_credit_mode(CreditMode::Manual),
    }
    receiver.set_credit(options.credit).await?;

    let first = receiver.recv::<Data>().await?;
    let mut clock = Stopwatch::start();
    match options.mode {
        Mode::AtLeastOnce => accept_all(options, &mut receiver, first).await?,
        Mode::PreSettled => count_all(options, &mut receiver, first).await?,
    }
    clock.stop();

    match options.mode {
        // The sender closes once it has its outcomes; until then the engine still owes it dispositions.
        Mode::AtLeastOnce => {
            let _ = connection.on_close().await;
        }
        Mode::PreSettled => {
            let _ = connection.close().await;
        }
    }
    Ok(clock.report(Role::Recv, options.count))
}

async fn accept_all(
    options: &Options,
    receiver: &mut Receiver,
    first: Delivery<Data>,
) -> Result<(), Box<dyn Error>> {
    let mut batch: Vec<DeliveryInfo> = Vec::with_capacity(options.batch);
    let mut next = Some(first);
    for n in 1..=options.count {
        let delivery = match next.take() {
            Some(delivery) => delivery,
            None => receiver.recv::<Data>().await?,
        };
        check_size(options, &delivery)?;
        if options.batch <= 1 {
            receiver.accept(&delivery).await?;
            continue;
        }
        batch.push(DeliveryInfo::from(delivery));
        if batch.len() == options.batch || n == options.count {
            receiver.accept_all(batch.drain(..)).await?;
        }
    }
    Ok(())
}

async fn count_all(
    options: &Options,
    receiver: &mut Receiver,
    first: Delivery<Data>,
) -> Result<(), Box<dyn Error>> {
    let half = u64::from(options.credit / 2).max(1);
    check_size(options, &first)?;
    for n in 2..=options.count {
        let delivery = receiver.recv::<Data>().await?;
        check_size(options, &delivery)?;
        if n % half == 0 {
            receiver.set_credit(options.credit).await?;
        }
    }
    Ok(())
}

fn check_size(options: &Options, delivery: &Delivery<Data>) -> Result<(), String> {
    let size = delivery.body().0.len();
    if size == options.size {
        Ok(())
    } else {
        Err(format!("a body of {size} octets arrived"))
    }
}
