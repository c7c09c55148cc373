//! TLS to a program of one's own: the listener has a certificate, the client trusts whom it is told
//! to trust. The certificate is made at the start; a real one comes from files.
//!
//! `cargo run --features ring --example ssl`

use amqp_client::handler::{
    Acceptor, ConnectionEvent, HandlerResult, MessageEvent, MessagingHandler, SenderEvent,
    StartEvent,
};
use amqp_client::listener::Access;
use amqp_client::transport::{ListenOptions, TlsAccept, TlsOptions};
use amqp_client::{ConnectionOptions, Container, Error, Message};

/// How much a client asks of the listener's certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verify {
    /// It is of an authority that is trusted, and for the name that was connected to.
    Name,
    /// Nothing at all: the connection is private, with whoever it may be.
    Nothing,
    /// The name, but of an authority that did not make it: the connection is refused.
    WrongAuthority,
}

struct HelloTls {
    verify: Verify,
    acceptor: Option<Acceptor>,
    received: Vec<String>,
    error: Option<Error>,
}

impl MessagingHandler for HelloTls {
    fn on_start(&mut self, event: &StartEvent) -> HandlerResult {
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()])?;
        let (certificate, key) = (made.cert.pem(), made.signing_key.serialize_pem());
        let accept = TlsAccept::pem(certificate.as_bytes(), key.as_bytes());
        let listen = ListenOptions::new().tls(accept);
        let acceptor = event
            .container()
            .listen_with("127.0.0.1:0", Access::anyone(), listen)?;
        let url = format!("amqps://localhost:{}", acceptor.local_addr().port());
        self.acceptor = Some(acceptor);

        let tls = match self.verify {
            Verify::Name => TlsOptions::new().ca_pem(certificate.as_bytes()),
            Verify::Nothing => TlsOptions::new().dangerous_accept_any_certificate(),
            Verify::WrongAuthority => {
                let other = rcgen::generate_simple_self_signed(["localhost".to_owned()])?;
                TlsOptions::new().ca_pem(other.cert.pem().as_bytes())
            }
        };
        let options = ConnectionOptions::new().tls(tls);
        event
            .container()
            .connect_with(&url, options)?
            .create_sender("examples")?;
        Ok(())
    }

    fn on_sendable(&mut self, event: &SenderEvent) -> HandlerResult {
        event.sender().send(Message::from("Hello World!"))?;
        event.sender().close();
        Ok(())
    }

    fn on_message(&mut self, event: &MessageEvent) -> HandlerResult {
        let message = event.message()?;
        self.received
            .push(message.body.as_str().unwrap_or("no text").to_owned());
        event.container().stop();
        Ok(())
    }

    fn on_transport_error(&mut self, event: &ConnectionEvent) -> HandlerResult {
        self.error = event.error().cloned();
        event.container().stop();
        Ok(())
    }
}

/// Runs the program; answers what came through.
pub fn run(verify: Verify) -> Result<Vec<String>, Error> {
    let program = Container::new("ssl").run(HelloTls {
        verify,
        acceptor: None,
        received: Vec::new(),
        error: None,
    })?;
    match program.error {
        Some(error) => Err(error),
        None => Ok(program.received),
    }
}

fn main() {
    for verify in [Verify::Name, Verify::Nothing, Verify::WrongAuthority] {
        println!("{verify:?}: {:?}", run(verify));
    }
}
