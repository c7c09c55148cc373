//! A handler beside an event loop of another kind: the container runs on a thread, and the program's
//! own loop, here a channel, hears from it and gives it work. Where Proton's examples bend tornado's
//! loop around the reactor, nothing needs to be bent.
//!
//! `cargo run --example helloworld_thread -- --url amqp://localhost:5672`

use std::sync::mpsc;

use amqp_client::handler::{
    ApplicationEvent, EventInjector, HandlerResult, InjectedEvent, MessageEvent, MessagingHandler,
    Sender, StartEvent,
};
use amqp_client::{Container, Error, Message};
use clap::Parser;

/// Messages to a broker and back, beside a loop of another kind.
#[derive(Debug, Parser)]
pub struct Options {
    /// The peer.
    #[arg(long, default_value = "amqp://localhost:5672")]
    pub url: String,
}

/// What the program's loop hears.
enum Event {
    /// Here is how the handler is spoken to.
    Started(EventInjector),
    Received(String),
}

struct Handler {
    url: String,
    program: mpsc::Sender<Event>,
    sender: Option<Sender>,
}

impl MessagingHandler for Handler {
    fn on_start(&mut self, event: &StartEvent) -> HandlerResult {
        let connection = event.container().connect(&self.url)?;
        connection.create_receiver("helloworld")?;
        self.sender = Some(connection.create_sender("helloworld")?);
        self.program
            .send(Event::Started(event.container().injector()))?;
        Ok(())
    }

    fn on_application_event(&mut self, event: &InjectedEvent) -> HandlerResult {
        let sender = self.sender.as_ref().ok_or("not started")?;
        match event.subject::<String>() {
            Some(text) => sender.send(Message::from(text.clone())).map(drop)?,
            None => event.container().stop(),
        }
        Ok(())
    }

    fn on_message(&mut self, event: &MessageEvent) -> HandlerResult {
        let message = event.message()?;
        let text = message.body.as_str().unwrap_or("no text").to_owned();
        self.program.send(Event::Received(text))?;
        Ok(())
    }
}

/// Runs the program's loop; answers what it received.
pub fn run(url: String, texts: &[&str]) -> Result<Vec<String>, Error> {
    let (program, events) = mpsc::channel();
    let handler = Handler {
        url,
        program,
        sender: None,
    };
    let thread = std::thread::spawn(move || Container::new("helloworld").run(handler).map(drop));
    let (mut injector, mut received) = (None, Vec::new());
    for event in events {
        match event {
            Event::Started(started) => {
                for text in texts {
                    let text = (*text).to_owned();
                    started.trigger(ApplicationEvent::new("send").subject(text));
                }
                injector = Some(started);
            }
            Event::Received(text) => received.push(text),
        }
        if received.len() == texts.len() {
            // The injector goes with this, and so nothing keeps the container running.
            let injector = injector.take();
            injector.inspect(|injector| injector.trigger(ApplicationEvent::new("stop")));
        }
    }
    match thread.join() {
        Ok(result) => result.map(|()| received),
        Err(panic) => std::panic::resume_unwind(panic),
    }
}

fn main() -> Result<(), Error> {
    for text in run(Options::parse().url, &["Hello World!", "Hello again!"])? {
        println!("{text}");
    }
    Ok(())
}
