//! `cargo xtask interop`: real peers on loopback, installed where missing, started, met, and stopped again.
//!
//! Brokers are met by our client, foreign clients meet our listener; both sides of ours are the program `amqp-interop`, whose
//! scenarios and verdicts are its own. Here is decided which peers run, how long anything may take, and how the matrix is shown.

mod artemis;
mod brokerj;
mod examples;
mod foreign;
mod install;
mod matrix;
mod process;
mod rabbit;

use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use self::install::{Cache, RunFolder};
use self::matrix::{Matrix, Outcome};
use self::process::{Deadline, Running};
use self::rabbit::Queue;
use crate::shell;

/// Arguments of `cargo xtask interop`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Meet only these peers: artemis, rabbit, brokerj, proton, rhea, go-amqp, jms (default: all)
    #[arg(value_parser = Peer::parse)]
    peers: Vec<Peer>,
    /// Meet them only in rows whose names hold one of these words
    #[arg(long, value_name = "WORDS", conflicts_with_all = ["install", "hold"])]
    only: Vec<String>,
    /// Install what is missing and stop there
    #[arg(long)]
    install: bool,
    /// Start one broker, print its address, and stop it at the end of standard input
    #[arg(long, value_name = "BROKER", value_parser = Peer::parse, conflicts_with_all = ["peers", "install"])]
    hold: Option<Peer>,
    /// Minutes after which nothing is waited for
    #[arg(long, default_value_t = 20)]
    minutes: u64,
}

/// A program that we meet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Peer {
    Artemis,
    Rabbit,
    BrokerJ,
    Proton,
    Rhea,
    GoAmqp,
    Jms,
}

impl Peer {
    const ALL: [Self; 7] = [
        Self::Artemis,
        Self::Rabbit,
        Self::BrokerJ,
        Self::Proton,
        Self::Rhea,
        Self::GoAmqp,
        Self::Jms,
    ];

    fn name(self) -> &'static str {
        match self {
            Self::Artemis => "artemis",
            Self::Rabbit => "rabbit",
            Self::BrokerJ => "brokerj",
            Self::Proton => "proton",
            Self::Rhea => "rhea",
            Self::GoAmqp => "go-amqp",
            Self::Jms => "jms",
        }
    }

    fn parse(text: &str) -> Result<Self, String> {
        let names = Self::ALL.map(Self::name).join(", ");
        Self::ALL
            .into_iter()
            .find(|peer| peer.name() == text)
            .ok_or_else(|| format!("there are {names}"))
    }

    /// A broker is met by our client, the others meet our listener.
    fn is_broker(self) -> bool {
        matches!(self, Self::Artemis | Self::Rabbit | Self::BrokerJ)
    }

    fn install(self, cache: &Cache, deadline: Deadline) -> Result<(), String> {
        match self {
            Self::Artemis => artemis::install(cache, deadline),
            Self::Rabbit => rabbit::install(cache, deadline),
            Self::BrokerJ => brokerj::install(cache, deadline),
            Self::Proton | Self::Rhea | Self::GoAmqp | Self::Jms => {
                foreign::install(self, cache, deadline)
            }
        }
    }
}

/// The rows that are wanted: all, or those whose names hold one of these words.
#[derive(Debug)]
struct Rows(Vec<String>);

impl Rows {
    fn wants(&self, name: &str) -> bool {
        self.0.is_empty() || self.0.iter().any(|words| name.contains(words.as_str()))
    }
}

/// What every meeting of a run has in common.
#[derive(Debug, Clone, Copy)]
struct Meeting<'a> {
    rows: &'a Rows,
    /// Our side.
    program: &'a Path,
    cache: &'a Cache,
    deadline: Deadline,
}

impl Meeting<'_> {
    /// Runs our side to its end; what it printed. Rows that failed stand in it, any other failure is an error.
    fn ours(
        &self,
        name: &str,
        arguments: &[&str],
        log: &str,
        seconds: u64,
    ) -> Result<String, String> {
        let mut command = Command::new(self.program);
        command.args(arguments);
        let mut ours = Running::start(name, &mut command, &self.cache.log(log))?;
        let status = ours.wait(self.deadline.at_most(seconds))?;
        match ours.output() {
            output if status.success() || output.contains("result\t") => Ok(output),
            _ => Err(ours.trouble("printed no result")),
        }
    }
}

/// A broker that runs. Dropping it kills it and removes its data.
#[derive(Debug)]
struct Broker {
    port: u16,
    server: Running,
    helpers: Vec<Running>,
    _folder: RunFolder,
}

impl Broker {
    fn start(
        peer: Peer,
        queues: &[Queue],
        cache: &Cache,
        deadline: Deadline,
    ) -> Result<Self, String> {
        match peer {
            Peer::Artemis => artemis::start(cache, &certificates(cache, deadline)?, deadline),
            Peer::BrokerJ => brokerj::start(cache, &certificates(cache, deadline)?, deadline),
            _ => rabbit::start(cache, queues, deadline),
        }
    }

    fn stop(self) -> Result<(), String> {
        self.server.stop(30)?;
        self.helpers
            .into_iter()
            .try_for_each(|helper| helper.stop(10))
    }
}

/// Installs, meets every peer, prints the matrix and one line that sums it up.
pub(crate) fn run(args: Args) -> Result<(), String> {
    let deadline = Deadline::after(Duration::from_secs(60 * args.minutes));
    let cache = Cache::open()?;
    if let Some(peer) = args.hold {
        return hold(peer, &cache, deadline);
    }
    let peers = if args.peers.is_empty() {
        Peer::ALL.to_vec()
    } else {
        args.peers
    };
    let mut matrix = Matrix::default();
    let mut there = Vec::new();
    for peer in peers {
        match peer.install(&cache, deadline) {
            Ok(()) => there.push(peer),
            // One tool that is missing keeps nobody from the other peers, and is told.
            Err(error) => matrix.add(peer.name(), "the installation", Outcome::Fail(error)),
        }
    }
    if !args.install {
        meet(&there, &Rows(args.only), &cache, deadline, &mut matrix)?;
    }
    let (passed, failed, skipped) = matrix.counts();
    if args.install && failed == 0 {
        return Ok(());
    }
    print!("{}", matrix.table());
    println!("{passed} passed, {failed} failed, {skipped} not supported by the peer");
    if failed == 0 && passed > 0 {
        return Ok(());
    }
    Err(format!(
        "{failed} scenarios failed; each FAIL line above says how, the logs lie in {}",
        cache.folder("log").display()
    ))
}

/// Meets one peer after the other.
fn meet(
    peers: &[Peer],
    rows: &Rows,
    cache: &Cache,
    deadline: Deadline,
    matrix: &mut Matrix,
) -> Result<(), String> {
    let meeting = Meeting {
        rows,
        program: &build()?,
        cache,
        deadline,
    };
    for &peer in peers {
        eprintln!("interop: meeting {} …", peer.name());
        let met = if peer.is_broker() {
            meet_broker(peer, meeting, matrix)
        } else {
            meet_client(peer, meeting, matrix)
        };
        if let Err(error) = met {
            matrix.add(peer.name(), "the whole meeting", Outcome::Fail(error));
        }
    }
    Ok(())
}

/// Builds our side with optimisation, since throughput is part of what peers expect.
fn build() -> Result<PathBuf, String> {
    let mut command = shell::cargo();
    command.args(["build", "--quiet", "--release", "--package", "amqp-interop"]);
    shell::run(&mut command, "mend what the compiler says above")?;
    Ok(shell::target_dir().join("release/amqp-interop"))
}

fn meet_broker(peer: Peer, meeting: Meeting<'_>, matrix: &mut Matrix) -> Result<(), String> {
    let Meeting {
        rows,
        program,
        cache,
        deadline,
    } = meeting;
    let listing = process::run(
        "amqp-interop",
        Command::new(program).arg("queues"),
        &cache.log("queues"),
        deadline.at_most(10),
    )?;
    let queues: Vec<Queue> = listing
        .lines()
        .map(Queue::parse)
        .collect::<Result<_, _>>()?;
    let broker = Broker::start(peer, &queues, cache, deadline)?;
    let mut command = Command::new(program);
    command.args(["client", peer.name(), &broker.port.to_string()]);
    // Stopped for a while by one of the scenarios.
    command.arg(broker.server.id().to_string()).args(&rows.0);
    let name = format!("amqp-interop with {}", peer.name());
    let log = cache.log(&format!("client-{}", peer.name()));
    let mut ours = Running::start(&name, &mut command, &log)?;
    let status = ours.wait(deadline.at_most(400));
    matrix.add_output(peer.name(), &ours.output())?;
    // Failed scenarios stand in the output; anything else that goes wrong must not pass for success.
    match status? {
        status if status.success() || ours.output().contains("\tfail\t") => {}
        status => return Err(ours.trouble(&format!("ended with {status}"))),
    }
    let secure = match peer {
        Peer::Artemis => Some(broker.port + 2),
        Peer::BrokerJ => Some(broker.port),
        _ => None,
    };
    if let Some(port) = secure {
        let certificates = cache.folder("certificates").display().to_string();
        let port = port.to_string();
        let mut arguments = vec!["secure", peer.name(), &port, &certificates];
        arguments.extend(rows.0.iter().map(String::as_str));
        let log = format!("secure-{}", peer.name());
        let printed = meeting.ours("amqp-interop secure", &arguments, &log, 120)?;
        matrix.add_output(peer.name(), &printed)?;
    }
    if peer == Peer::Artemis {
        let url = format!("amqp://guest:guest@127.0.0.1:{}", broker.port);
        examples::meet(peer.name(), &url, meeting, matrix)?;
    }
    broker.stop()
}

/// Writes the certificates that brokers show and ask for.
fn certificates(cache: &Cache, deadline: Deadline) -> Result<PathBuf, String> {
    let folder = cache.folder("certificates");
    let mut command = Command::new(build()?);
    command.arg("certificates").arg(&folder);
    cache.step("certificates", &mut command, deadline.at_most(20))?;
    Ok(folder)
}

fn meet_client(peer: Peer, meeting: Meeting<'_>, matrix: &mut Matrix) -> Result<(), String> {
    let Meeting {
        program,
        cache,
        deadline,
        ..
    } = meeting;
    let certificates = certificates(cache, deadline)?;
    let port = process::free_ports(7)?;
    let mut command = Command::new(program);
    command
        .args(["listen", &port.to_string()])
        .arg(&certificates);
    let log = cache.log(&format!("listen-{}", peer.name()));
    let mut listener = Running::start("amqp-interop as listener", &mut command, &log)?;
    listener.wait_for_log("listening", deadline.at_most(10))?;
    let result = |scenario: &str, outcome| matrix.add(peer.name(), scenario, outcome);
    foreign::run(peer, port, &certificates, meeting, result);
    if peer == Peer::Rhea {
        let printed = meet_listener(port + 5, &certificates, meeting)?;
        matrix.add_output(peer.name(), &printed)?;
    }
    listener.stop(10)
}

/// Our client and a foreign listener over WebSocket; what was printed.
fn meet_listener(port: u16, certificates: &Path, meeting: Meeting<'_>) -> Result<String, String> {
    let foreign = foreign::listen(port, certificates, meeting.cache, meeting.deadline)?;
    let (port, folder) = (port.to_string(), certificates.display().to_string());
    let mut arguments = vec!["websocket", &port, &folder];
    arguments.extend(meeting.rows.0.iter().map(String::as_str));
    let name = "amqp-interop over WebSocket";
    let printed = meeting.ours(name, &arguments, "websocket-rhea", 60)?;
    foreign.stop(10)?;
    Ok(printed)
}

fn hold(peer: Peer, cache: &Cache, deadline: Deadline) -> Result<(), String> {
    if !peer.is_broker() {
        return Err(format!("{} is a client, not a broker", peer.name()));
    }
    peer.install(cache, deadline)?;
    let queues = ["interop quorum -", "demo quorum -", "orders quorum -"].map(Queue::parse);
    let queues: Vec<Queue> = queues.into_iter().collect::<Result<_, _>>()?;
    let broker = Broker::start(peer, &queues, cache, deadline)?;
    println!(
        "{} takes connections: amqp://guest:guest@127.0.0.1:{} (process {})",
        peer.name(),
        broker.port,
        broker.server.id()
    );
    println!("end of input (ctrl-d) stops it");
    let ended = std::io::stdin()
        .read_to_end(&mut Vec::new())
        .map_err(|error| format!("standard input: {error}"));
    broker.stop()?;
    ended.map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_picked_by_words_of_their_names() {
        assert!(Rows(Vec::new()).wants("link stolen"));
        let rows = Rows(vec!["drain".to_owned(), "link".to_owned()]);
        assert!(rows.wants("link stolen") && !rows.wants("browse"));
    }

    #[test]
    fn peers_are_known_by_their_names() {
        for peer in Peer::ALL {
            assert_eq!(Peer::parse(peer.name()), Ok(peer));
        }
        assert_eq!(
            Peer::parse("x").unwrap_err(),
            "there are artemis, rabbit, brokerj, proton, rhea, go-amqp, jms"
        );
    }
}
