//! Sends the rows of a database, and takes each out once its message is accepted. The database is read
//! in a thread of its own, which tells the handler by an injected event.
//!
//! `cargo run --example db_send -- --url amqp://localhost:5672/examples --file source.txt`

// Each of the three programs uses a part of it.
#[allow(dead_code)]
#[path = "db_common/mod.rs"]
mod db_common;

use std::collections::{HashMap, VecDeque};

use amqp_client::handler::{
    ApplicationEvent, DeliveryEvent, HandlerResult, InjectedEvent, MessagingHandler, Sender,
    SenderEvent, StartEvent,
};
use amqp_client::{Container, Error, Message};
use clap::Parser;
use db_common::{Db, Record};

/// Sends the rows of a database.
#[derive(Debug, Parser)]
pub struct Options {
    /// The peer, and the node that the messages go to.
    #[arg(long, default_value = "amqp://localhost:5672/examples")]
    pub url: String,
    /// The database.
    #[arg(long, default_value = "source.txt")]
    pub file: String,
}

struct Send {
    options: Options,
    sender: Option<Sender>,
    records: VecDeque<Record>,
    /// The rows under way, by the numbers of their messages.
    pending: HashMap<u64, u64>,
    loaded: bool,
    sent: usize,
}

impl Send {
    fn send(&mut self) -> HandlerResult {
        let sender = self.sender.clone().ok_or("not started")?;
        while sender.credit() > 0
            && let Some((number, text)) = self.records.pop_front()
        {
            let tracker = sender.send(Message::from(text).with_message_id(number))?;
            self.pending.insert(tracker.number(), number);
            self.sent += 1;
        }
        if self.loaded && self.records.is_empty() && self.pending.is_empty() {
            sender.connection().close();
        }
        Ok(())
    }
}

impl MessagingHandler for Send {
    fn on_start(&mut self, event: &StartEvent) -> HandlerResult {
        self.sender = Some(event.container().create_sender(&self.options.url)?);
        let (db, injector) = (Db::new(&self.options.file), event.container().injector());
        std::thread::spawn(move || {
            let rows = db.rows();
            injector.trigger(ApplicationEvent::new("records_loaded").subject(rows));
        });
        Ok(())
    }

    fn on_application_event(&mut self, event: &InjectedEvent) -> HandlerResult {
        let rows = event.subject::<std::io::Result<Vec<Record>>>();
        match rows.ok_or("an event of somebody else's")? {
            Ok(rows) => self.records.extend(rows.iter().cloned()),
            Err(error) => return Err(error.to_string().into()),
        }
        self.loaded = true;
        self.send()
    }

    fn on_sendable(&mut self, _: &SenderEvent) -> HandlerResult {
        self.send()
    }

    fn on_accepted(&mut self, event: &DeliveryEvent) -> HandlerResult {
        // The peer has it: now, and not before, it may go here.
        let tracker = event.tracker().ok_or("not ours")?;
        if let Some(number) = self.pending.remove(&tracker.number()) {
            Db::new(&self.options.file).delete(&[number])?;
        }
        self.send()
    }
}

/// Runs the program; answers how many rows were sent.
pub fn run(options: Options) -> Result<usize, Error> {
    let program = Container::new("db-send").run(Send {
        options,
        sender: None,
        records: VecDeque::new(),
        pending: HashMap::new(),
        loaded: false,
        sent: 0,
    })?;
    Ok(program.sent)
}

fn main() -> Result<(), Error> {
    println!("{} rows sent", run(Options::parse())?);
    Ok(())
}
