//! `amqp-interop`: our side of the meetings that `cargo xtask interop` arranges.
//!
//! Decides the command line only: `client` runs our client's scenarios against a broker, `listen` is met by foreign clients,
//! `websocket` meets a foreign listener, `queues` lists what a broker that makes no queues on demand must have.

mod certificates;
mod check;
mod content;
mod control;
mod listen;
mod peer;
mod report;
mod scenario;
mod secure;
mod websocket;
mod wire;

use std::process::ExitCode;

use peer::Peer;

const USAGE: &str = "\
amqp-interop client PEER PORT [PROCESS [NAME...]]   run every scenario, or those whose names hold one of these, against the
                                broker on this port of loopback (artemis, rabbit, brokerj) with this process id
amqp-interop listen PORT FOLDER   be an embedded broker on five ports of loopback from PORT on until killed; user guest, password guest
amqp-interop secure PEER PORT FOLDER [NAME...]   try every way to connect to artemis or brokerj, whose ports begin at PORT, with the certificates in FOLDER
amqp-interop certificates FOLDER   write certificates for both
amqp-interop websocket PORT FOLDER [NAME...]   connect to a foreign listener over WebSocket and get back what was sent, in TLS on the next port
amqp-interop queues             print the queues that the scenarios use: name, type, greatest length or -";

#[tokio::main]
async fn main() -> ExitCode {
    wire::install();
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let done = match arguments.as_slice() {
        ["client", peer, port] => client(peer, port, None, &[]).await,
        ["client", peer, port, process, names @ ..] => {
            client(peer, port, Some(process), names).await
        }
        ["listen", port, folder] => listen(port, folder).await,
        ["websocket", port, folder, names @ ..] => websocket(port, folder, names).await,
        ["secure", peer, port, folder, names @ ..] => secure(peer, port, folder, names).await,
        ["certificates", folder] => certificates::write(folder).map(|()| true),
        ["queues"] => {
            print!("{}", scenario::queues());
            Ok(true)
        }
        _ => Err(USAGE.to_owned()),
    };
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::from(2)
        }
    }
}

/// Whether no scenario failed.
async fn client(
    peer: &str,
    port: &str,
    process: Option<&str>,
    names: &[&str],
) -> Result<bool, String> {
    let process = process.map(|text| {
        text.parse()
            .map_err(|_| format!("`{text}` is not a process id\n{USAGE}"))
    });
    let peer = Peer::parse(peer, number(port)?, process.transpose()?)?;
    Ok(scenario::run_all(&peer, names).await)
}

/// Whether no attempt ended otherwise than expected.
async fn secure(peer: &str, port: &str, folder: &str, names: &[&str]) -> Result<bool, String> {
    secure::run(peer, number(port)?, folder, names).await
}

async fn listen(port: &str, folder: &str) -> Result<bool, String> {
    listen::run(number(port)?, folder).await.map(|()| true)
}

async fn websocket(port: &str, folder: &str, names: &[&str]) -> Result<bool, String> {
    Ok(websocket::run(number(port)?, folder, names).await)
}

fn number(text: &str) -> Result<u16, String> {
    text.parse()
        .map_err(|_| format!("`{text}` is not a port\n{USAGE}"))
}
