//! Counts what its connections do, and prints it in the text format that Prometheus reads.
//!
//! `cargo run --example metrics -- amqp://localhost:5672 examples`

use std::fmt::Write;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use amqp_client::metrics::{ConnectionInfo, Counts, Metrics, Outcomes};
use amqp_client::types::transport::Role;
use amqp_client::{ConnectionOptions, Container, Error, Message};

/// Sums over all connections.
#[derive(Debug, Default)]
pub struct Exporter(Mutex<Sums>);

#[derive(Debug, Default)]
struct Sums {
    opened: u64,
    lost: u64,
    connections: i64,
    links: i64,
    frames: [u64; 2],
    octets: [u64; 2],
    messages: [u64; 2],
    credit: [u64; 2],
    unsettled: [i64; 2],
    outcomes: [[u64; 5]; 2],
}

impl Exporter {
    fn lock(&self) -> MutexGuard<'_, Sums> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The numbers as they are now.
    pub fn text(&self) -> String {
        let sums = self.lock();
        let mut text = String::new();
        line(&mut text, "connections_opened_total", "", sums.opened);
        line(&mut text, "connections_lost_total", "", sums.lost);
        line(&mut text, "connections", "", sums.connections);
        line(&mut text, "links", "", sums.links);
        for (at, direction) in ["in", "out"].into_iter().enumerate() {
            let label = format!("direction=\"{direction}\"");
            line(&mut text, "frames_total", &label, sums.frames[at]);
            line(&mut text, "octets_total", &label, sums.octets[at]);
            line(&mut text, "messages_total", &label, sums.messages[at]);
            line(&mut text, "credit_total", &label, sums.credit[at]);
            line(&mut text, "unsettled", &label, sums.unsettled[at]);
            let kinds = ["accepted", "rejected", "released", "modified", "other"];
            for (kind, count) in kinds.into_iter().zip(sums.outcomes[at]) {
                let label = format!("{label},outcome=\"{kind}\"");
                line(&mut text, "outcomes_total", &label, count);
            }
        }
        text
    }
}

fn line(text: &mut String, name: &str, labels: &str, value: impl std::fmt::Display) {
    let labels = match labels {
        "" => String::new(),
        labels => format!("{{{labels}}}"),
    };
    // Writing to a string does not fail.
    let _ = writeln!(text, "amqp_{name}{labels} {value}");
}

impl Metrics for Exporter {
    fn connection_opened(&self, _: &ConnectionInfo) {
        let mut sums = self.lock();
        sums.opened += 1;
        sums.connections += 1;
    }

    fn connection_closed(&self, _: &ConnectionInfo, error: Option<&Error>) {
        let mut sums = self.lock();
        sums.connections -= 1;
        sums.lost += u64::from(error.is_some());
    }

    fn link_attached(&self, _: &ConnectionInfo, _: Role) {
        self.lock().links += 1;
    }

    fn link_detached(&self, _: &ConnectionInfo, _: Role, _: Option<&Error>) {
        self.lock().links -= 1;
    }

    fn counted(&self, _: &ConnectionInfo, counts: &Counts) {
        let mut sums = self.lock();
        add(&mut sums.frames, [counts.frames_in, counts.frames_out]);
        add(&mut sums.octets, [counts.octets_in, counts.octets_out]);
        add(
            &mut sums.messages,
            [counts.messages_in, counts.messages_out],
        );
        add(
            &mut sums.credit,
            [counts.credit_granted, counts.credit_received],
        );
        sums.unsettled[0] += counts.unsettled_received;
        sums.unsettled[1] += counts.unsettled_sent;
        add(&mut sums.outcomes[0], by_kind(counts.received));
        add(&mut sums.outcomes[1], by_kind(counts.sent));
    }
}

fn add<const N: usize>(sums: &mut [u64; N], more: [u64; N]) {
    for (sum, more) in sums.iter_mut().zip(more) {
        *sum += more;
    }
}

fn by_kind(outcomes: Outcomes) -> [u64; 5] {
    [
        outcomes.accepted,
        outcomes.rejected,
        outcomes.released,
        outcomes.modified,
        outcomes.other,
    ]
}

/// Sends messages to a node and takes them back; answers what an exporter would be read for.
pub async fn run(url: &str, address: &str, count: u32) -> Result<String, Error> {
    let exporter = Arc::new(Exporter::default());
    let options = ConnectionOptions::new().metrics(exporter.clone());
    let container = Container::with_options("metrics", options);
    let connection = container.connect(url).await?;
    let sender = connection.create_sender(address).await?;
    for number in 0..count {
        sender.send(Message::from(number.to_string())).await?;
    }
    let receiver = connection.create_receiver(address).await?;
    for number in 0..count {
        let delivery = receiver.recv().await?;
        match number % 2 {
            0 => delivery.accept(),
            _ => delivery.reject(None),
        }
    }
    connection.close().await?;
    Ok(exporter.text())
}

#[tokio::main]
async fn main() -> Result<(), Error> {
    let mut args = std::env::args().skip(1);
    let url = args
        .next()
        .unwrap_or_else(|| "amqp://localhost:5672".to_owned());
    let address = args.next().unwrap_or_else(|| "examples".to_owned());
    print!("{}", run(&url, &address, 10).await?);
    Ok(())
}
