//! A service that answers requests: it listens, takes messages on any address and sends each body,
//! in capitals, to the address in `reply-to`.
//!
//! `cargo run --example listener` starts it together with a client that asks twice.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use amqp_client::listener::{Access, Link};
use amqp_client::{Connection, Container, Error, Message, Receiver, Sender};

/// The links on which clients wait for answers, by the addresses that they gave them.
type Inboxes = Arc<Mutex<HashMap<String, Sender>>>;

/// Starts the service and asks it; answers the answers.
pub async fn run(words: &[&str]) -> Result<Vec<String>, Error> {
    let container = Container::new("capitals");
    let listener = container.listen("127.0.0.1:0", Access::anyone()).await?;
    let url = format!("amqp://{}", listener.local_addr());
    tokio::spawn(async move {
        while let Ok(connection) = listener.accept().await {
            tokio::spawn(serve(connection));
        }
    });
    let mut answers = Vec::new();
    for word in words {
        answers.push(ask(&url, word).await?);
    }
    Ok(answers)
}

/// Serves one connection: each link that the client attaches is accepted as it asks for it.
async fn serve(connection: Connection) {
    let inboxes = Inboxes::default();
    while let Ok(link) = connection.next_link().await {
        let address = link.address().unwrap_or_default().to_owned();
        match link.accept() {
            Link::Sender(sender) => {
                let mut inboxes = inboxes.lock().unwrap_or_else(PoisonError::into_inner);
                inboxes.insert(address, sender);
            }
            Link::Receiver(receiver) => {
                tokio::spawn(answer(receiver, inboxes.clone()));
            }
        }
    }
}

/// Answers the requests of one link until it is closed.
async fn answer(receiver: Receiver, inboxes: Inboxes) -> Result<(), Error> {
    loop {
        let request = receiver.recv().await?;
        let message = request.message()?;
        let properties = message.properties.unwrap_or_default();
        let inbox = properties.reply_to.and_then(|address| {
            let inboxes = inboxes.lock().unwrap_or_else(PoisonError::into_inner);
            inboxes.get(address.as_str()).cloned()
        });
        let (Some(inbox), Some(text)) = (inbox, message.body.as_str()) else {
            request.reject(None);
            continue;
        };
        let mut answer = Message::from(text.to_uppercase());
        if let Some(id) = properties.message_id {
            answer = answer.with_correlation_id(id);
        }
        // The client may wait for this outcome before it looks at the answer.
        let receipt = inbox.enqueue(answer).await?;
        request.accept();
        receipt.await?;
    }
}

/// What a client does: it asks, and waits for the answer.
async fn ask(url: &str, word: &str) -> Result<String, Error> {
    let connection = Container::new("client").connect(url).await?;
    let inbox = connection.create_receiver("answers").await?;
    let sender = connection.create_sender("capitals").await?;
    let request = Message::from(word)
        .with_message_id(1u64)
        .with_reply_to("answers");
    sender.send(request).await?;
    let delivery = inbox.recv().await?;
    let message = delivery.message()?;
    delivery.accept();
    connection.close().await?;
    Ok(message.body.as_str().unwrap_or_default().to_owned())
}

#[tokio::main]
async fn main() -> Result<(), Error> {
    for answer in run(&["hello", "world"]).await? {
        println!("{answer}");
    }
    Ok(())
}
