//! Writes received messages to a database, in a thread of its own, and accepts each when it is on disk.
//!
//! `cargo run --example db_recv -- --url amqp://localhost:5672/examples --file copy.txt --messages 3`

// Each of the three programs uses a part of it.
#[allow(dead_code)]
#[path = "db_common/mod.rs"]
mod db_common;

use std::sync::{Arc, mpsc};

use amqp_client::Delivery;
use amqp_client::handler::{
    ApplicationEvent, HandlerOptions, HandlerResult, InjectedEvent, MessageEvent, MessagingHandler,
    Receiver, StartEvent,
};
use amqp_client::types::MessageId;
use amqp_client::{Container, Error};
use clap::Parser;
use db_common::{Db, Record};

/// Writes received messages to a database.
#[derive(Debug, Parser)]
pub struct Options {
    /// The peer, and the node that the messages come from.
    #[arg(long, default_value = "amqp://localhost:5672/examples")]
    pub url: String,
    /// The database.
    #[arg(long, default_value = "copy.txt")]
    pub file: String,
    /// How many messages.
    #[arg(long, default_value_t = 100)]
    pub messages: usize,
}

/// A row to be written, and its delivery to be accepted then.
type Work = (Record, Arc<Delivery>);

struct Recv {
    options: Options,
    writer: Option<mpsc::Sender<Work>>,
    receiver: Option<Receiver>,
    written: usize,
}

impl MessagingHandler for Recv {
    fn options(&self) -> HandlerOptions {
        // A message is accepted when it has been written, not when on_message returns.
        HandlerOptions {
            auto_accept: false,
            ..HandlerOptions::default()
        }
    }

    fn on_start(&mut self, event: &StartEvent) -> HandlerResult {
        self.receiver = Some(event.container().create_receiver(&self.options.url)?);
        let (db, injector) = (Db::new(&self.options.file), event.container().injector());
        let (writer, work) = mpsc::channel::<Work>();
        self.writer = Some(writer);
        std::thread::spawn(move || {
            for (record, delivery) in work {
                match db.insert(&record) {
                    // A delivery can be settled from any thread.
                    Ok(()) => delivery.accept(),
                    Err(_) => delivery.release(),
                }
                injector.trigger(ApplicationEvent::new("written"));
            }
        });
        Ok(())
    }

    fn on_message(&mut self, event: &MessageEvent) -> HandlerResult {
        let message = event.message()?;
        let id = message
            .properties
            .and_then(|properties| properties.message_id);
        let Some(MessageId::Ulong(number)) = id else {
            event.delivery().reject(None);
            return Ok(());
        };
        let text = message.body.as_str().unwrap_or_default().to_owned();
        let writer = self.writer.as_ref().ok_or("not started")?;
        writer.send(((number, text), event.delivery().clone()))?;
        Ok(())
    }

    fn on_application_event(&mut self, _: &InjectedEvent) -> HandlerResult {
        self.written += 1;
        if self.written == self.options.messages {
            // The thread ends, and with it the injector, which would keep the container running.
            self.writer = None;
            let receiver = self.receiver.as_ref().ok_or("not started")?;
            receiver.connection().close();
        }
        Ok(())
    }
}

/// Runs the program; answers how many messages were written.
pub fn run(options: Options) -> Result<usize, Error> {
    let program = Container::new("db-recv").run(Recv {
        options,
        writer: None,
        receiver: None,
        written: 0,
    })?;
    Ok(program.written)
}

fn main() -> Result<(), Error> {
    println!("{} messages written", run(Options::parse())?);
    Ok(())
}
