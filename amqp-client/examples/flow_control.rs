//! Four ways to grant credit: by itself, by hand, with a drain, and one message at a time. Each is the
//! handler of a link of its own.
//!
//! `cargo run --example flow_control -- --url amqp://localhost:5672 --address examples`

use amqp_client::blocking::BlockingConnection;
use amqp_client::handler::{
    HandlerResult, LinkEvent, MessageEvent, MessagingHandler, Receiver, ReceiverEvent, StartEvent,
};
use amqp_client::{Container, Error, Message, ReceiverOptions};
use clap::Parser;

/// Grants credit in four ways.
#[derive(Debug, Parser)]
pub struct Options {
    /// The peer.
    #[arg(long, default_value = "amqp://localhost:5672")]
    pub url: String,
    /// The node that the messages go through.
    #[arg(long, default_value = "examples")]
    pub address: String,
}

/// How a receiver grants credit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// The library keeps deliveries fetched ahead.
    Prefetch,
    /// The program grants credit for all it wants, once.
    ByHand,
    /// The program takes what is there, and no more.
    Drain,
    /// The program grants credit for the next message when it is done with the last.
    OneByOne,
}

struct Flow {
    url: String,
    address: String,
    way: Way,
    messages: usize,
    received: usize,
}

impl MessagingHandler for Flow {
    fn on_start(&mut self, event: &StartEvent) -> HandlerResult {
        let options = match self.way {
            Way::Prefetch => ReceiverOptions::new().prefetch(10),
            _ => ReceiverOptions::new().manual_credit(),
        };
        let connection = event.container().connect(&self.url)?;
        connection.create_receiver_with(&self.address, options)?;
        Ok(())
    }

    fn on_link_opened(&mut self, event: &LinkEvent) -> HandlerResult {
        let receiver = event.receiver().ok_or("not ours")?;
        match self.way {
            Way::Prefetch => {}
            Way::ByHand => receiver.add_credit(self.messages as u32),
            Way::OneByOne => receiver.add_credit(1),
            Way::Drain => {
                // More than there may be: what is not used comes back.
                receiver.add_credit(1000);
                receiver.drain();
            }
        }
        Ok(())
    }

    fn on_message(&mut self, event: &MessageEvent) -> HandlerResult {
        self.received += 1;
        if self.way == Way::Drain {
            return Ok(());
        }
        if self.received == self.messages {
            return done(event.receiver());
        }
        if self.way == Way::OneByOne {
            event.receiver().add_credit(1);
        }
        Ok(())
    }

    fn on_drain_finish(&mut self, event: &ReceiverEvent) -> HandlerResult {
        done(event.receiver())
    }
}

fn done(receiver: &Receiver) -> HandlerResult {
    // What was fetched ahead and not looked at is the peer's again.
    receiver.connection().close();
    Ok(())
}

/// Receives in one way, `messages` of them where the way does not say; answers how many came.
pub fn run(url: String, address: String, way: Way, messages: usize) -> Result<usize, Error> {
    let program = Container::new("flow-control").run(Flow {
        url,
        address,
        way,
        messages,
        received: 0,
    })?;
    Ok(program.received)
}

fn main() -> Result<(), Error> {
    let options = Options::parse();
    // Something to be received: two messages for each way.
    let filling = BlockingConnection::connect(&options.url)?;
    let sender = filling.create_sender(&options.address)?;
    for number in 1..=8 {
        sender.send(Message::from(format!("message {number}")))?;
    }
    filling.close()?;
    for way in [Way::Prefetch, Way::ByHand, Way::OneByOne, Way::Drain] {
        let received = run(options.url.clone(), options.address.clone(), way, 2)?;
        println!("{way:?}: {received}");
    }
    Ok(())
}
