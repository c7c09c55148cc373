//! Requests over HTTP that are answered over AMQP: `GET /some%20text` becomes a request, its response
//! the page. The HTTP half is a plain socket, so that the example needs nothing else.
//!
//! `cargo run --example client_http -- --url amqp://localhost:5672 --address examples --http localhost:8888`, and a browser.

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};

use amqp_client::blocking::{BlockingConnection, SyncRequestResponse};
use amqp_client::{Error, Message};
use clap::Parser;

/// Answers requests of HTTP by requests of AMQP.
#[derive(Debug, Parser)]
pub struct Options {
    /// The peer.
    #[arg(long, default_value = "amqp://localhost:5672")]
    pub url: String,
    /// The node that the requests go to.
    #[arg(long, default_value = "examples")]
    pub address: String,
    /// Where browsers ask.
    #[arg(long, default_value = "localhost:8888")]
    pub http: String,
}

/// Answers one HTTP request after another, `requests` of them.
pub fn run(
    url: &str,
    address: &str,
    http: &TcpListener,
    requests: usize,
) -> Result<(), Box<dyn std::error::Error>> {
    let connection = BlockingConnection::connect(url)?;
    let mut client = SyncRequestResponse::new(&connection, address)?;
    for stream in http.incoming().take(requests) {
        answer(&mut client, stream?)?;
    }
    connection.close()?;
    Ok(())
}

fn answer(client: &mut SyncRequestResponse, stream: TcpStream) -> std::io::Result<()> {
    let mut lines = BufReader::new(&stream);
    let mut first = String::new();
    lines.read_line(&mut first)?;
    // The rest of the head is of no interest, but has to be read.
    let mut line = String::new();
    while lines.read_line(&mut line)? > 2 {
        line.clear();
    }
    let path = first.split(' ').nth(1).unwrap_or("/");
    let text = path.trim_start_matches('/').replace("%20", " ");
    let (status, page) = match ask(client, &text) {
        Ok(page) => ("200 OK", page),
        Err(error) => ("502 Bad Gateway", error.to_string()),
    };
    write!(
        &stream,
        "HTTP/1.1 {status}\r\ncontent-type: text/plain\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{page}",
        page.len()
    )
}

fn ask(client: &mut SyncRequestResponse, text: &str) -> Result<String, Error> {
    let response = client.call(Message::from(text))?;
    Ok(response.body.as_str().unwrap_or("no text").to_owned())
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let options = Options::parse();
    let http = TcpListener::bind(&options.http)?;
    run(&options.url, &options.address, &http, usize::MAX)
}
