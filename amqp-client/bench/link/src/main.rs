//! The link benchmark on amqp-client: what a user would write, nothing tuned. The receiver listens, fetches `--credit`
//! deliveries ahead, decodes, counts and accepts each; the sender keeps a window of `--credit` receipts open.
//!
//! Runs on tokio's multi-threaded runtime, as most programs do, or with `--threads 1` on that of one thread.
#![forbid(unsafe_code)]

use std::{collections::VecDeque, error::Error, process::ExitCode};

use amqp_bench_support::{Mode, Options, Report, Role, Stopwatch, announce_listening, finish};
use amqp_client::{
    Container, Delivery, Message, ReceiverOptions, SenderOptions, listener::Access,
    types::messaging::Outcome,
};
use bytes::Bytes;
use tokio::runtime::Builder;

fn main() -> ExitCode {
    finish("link (ours)", run())
}

fn run() -> Result<Report, Box<dyn Error>> {
    let options = Options::from_args()?;
    let runtime = match options.threads {
        1 => Builder::new_current_thread().enable_all().build()?,
        _ => Builder::new_multi_thread().enable_all().build()?,
    };
    runtime.block_on(async {
        match options.role {
            Role::Send => send(&options).await,
            Role::Recv => receive(&options).await,
        }
    })
}

async fn send(options: &Options) -> Result<Report, Box<dyn Error>> {
    let container = Container::new("bench-send");
    let connection = container
        .connect(&format!("amqp://127.0.0.1:{}", options.port))
        .await?;
    let link = match options.mode {
        Mode::AtLeastOnce => SenderOptions::new().at_least_once(),
        Mode::PreSettled => SenderOptions::new().at_most_once(),
    };
    let sender = connection.create_sender_with("bench", link).await?;

    let payload = Bytes::from(options.payload());
    let mut in_flight = VecDeque::with_capacity(options.credit as usize);
    let mut clock = Stopwatch::start();
    for _ in 0..options.count {
        if in_flight.len() == options.credit as usize
            && let Some(oldest) = in_flight.pop_front()
        {
            accepted(oldest.await?)?;
        }
        let receipt = sender.enqueue(Message::from(payload.clone())).await?;
        if options.mode == Mode::AtLeastOnce {
            in_flight.push_back(receipt);
        }
    }
    for receipt in in_flight {
        accepted(receipt.await?)?;
    }
    match options.mode {
        Mode::AtLeastOnce => {
            clock.stop();
            connection.close().await?;
        }
        // Only the receiver knows when the last one arrived: it closes.
        Mode::PreSettled => {
            let _ = connection.closed().await;
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
    let container = Container::new("bench-recv");
    let listener = container
        .listen(("127.0.0.1", options.port), Access::anyone())
        .await?;
    announce_listening();
    let connection = listener.accept().await?;
    let link = connection.next_link().await?;
    let receiver = link.accept_receiver(ReceiverOptions::new().prefetch(options.credit))?;

    let first = receiver.recv().await?;
    let mut clock = Stopwatch::start();
    take(options, &first)?;
    for _ in 1..options.count {
        take(options, &receiver.recv().await?)?;
    }
    clock.stop();
    match options.mode {
        // The sender closes once it has its outcomes; until then the connection still owes them.
        Mode::AtLeastOnce => {
            let _ = connection.closed().await;
        }
        Mode::PreSettled => connection.close().await?,
    }
    Ok(clock.report(Role::Recv, options.count))
}

fn take(options: &Options, delivery: &Delivery) -> Result<(), Box<dyn Error>> {
    let message = delivery.message()?;
    let size = message.body.as_data().map(|octets| octets.len());
    if size != Some(options.size) {
        return Err(format!("a body of {size:?} octets arrived").into());
    }
    delivery.accept();
    Ok(())
}
