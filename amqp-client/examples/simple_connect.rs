//! Connects and says what came of it: who the peer is, and whether the connection is private.
//!
//! `cargo run --example simple_connect -- --url amqp://localhost:5672 --user u --password p`

use amqp_client::handler::{ConnectionEvent, HandlerResult, MessagingHandler, StartEvent};
use amqp_client::{ConnectionOptions, Container, Error};
use clap::Parser;

/// Connects.
#[derive(Debug, Parser)]
pub struct Options {
    /// The peer.
    #[arg(long, default_value = "amqp://localhost:5672")]
    pub url: String,
    /// Who is to be authenticated; without it nobody is.
    #[arg(long)]
    pub user: Option<String>,
    /// By this password.
    #[arg(long, default_value = "")]
    pub password: String,
    /// The SASL mechanisms that may be used, all that are secure enough by default.
    #[arg(long)]
    pub mechanism: Vec<String>,
    /// Leaves the SASL layer out.
    #[arg(long)]
    pub no_sasl: bool,
    /// Sends the password even where others can read it.
    #[arg(long)]
    pub insecure: bool,
}

struct Connect {
    options: Options,
    peer: Option<String>,
    error: Option<Error>,
}

impl MessagingHandler for Connect {
    fn on_start(&mut self, event: &StartEvent) -> HandlerResult {
        let options = &self.options;
        let mut connection = ConnectionOptions::new();
        if let Some(user) = &options.user {
            connection = connection.credentials(user, options.password.clone());
        }
        if !options.mechanism.is_empty() {
            connection = connection.mechanisms(options.mechanism.clone());
        }
        if options.no_sasl {
            connection = connection.without_sasl();
        }
        if options.insecure {
            connection = connection.allow_plain_without_tls();
        }
        event.container().connect_with(&options.url, connection)?;
        Ok(())
    }

    fn on_connection_opened(&mut self, event: &ConnectionEvent) -> HandlerResult {
        let open = event.connection().remote().ok_or("no open")?;
        self.peer = Some(open.container_id.as_str().to_owned());
        event.connection().close();
        Ok(())
    }

    fn on_error(&mut self, event: &ConnectionEvent) -> HandlerResult {
        // The peer is not there, does not know the user, or closed at once.
        self.error = event.error().cloned();
        Ok(())
    }
}

/// Runs the program; answers the peer's name.
pub fn run(options: Options) -> Result<String, Error> {
    let program = Container::new("simple-connect").run(Connect {
        options,
        peer: None,
        error: None,
    })?;
    match (program.peer, program.error) {
        (Some(peer), _) => Ok(peer),
        (None, Some(error)) => Err(error),
        (None, None) => Ok("nobody".to_owned()),
    }
}

fn main() -> Result<(), Error> {
    println!("connected to {}", run(Options::parse())?);
    Ok(())
}
