//! Clients on other AMQP libraries: how they meet our listener.
//!
//! The programs lie in `amqp-client/interop/foreign` and share one command line; a scenario is a list of such runs. One of them
//! can be a listener too, for our client over WebSocket.

mod libraries;
mod scenarios;

use std::path::Path;

pub(super) use self::libraries::install;
use self::libraries::{client, rhea};
use self::scenarios::{SCENARIOS, Scenario};
use super::install::Cache;
use super::matrix::Outcome;
use super::process::{self, Deadline, Running};
use super::{Meeting, Peer};

/// Runs every scenario against the listener on this port and the next ones, and hands each result over.
pub(super) fn run(
    peer: Peer,
    port: u16,
    certificates: &Path,
    meeting: Meeting<'_>,
    mut result: impl FnMut(&str, Outcome),
) {
    let wanted =
        |scenario: &&Scenario| scenario.concerns(peer) && meeting.rows.wants(scenario.name);
    for scenario in SCENARIOS.iter().filter(wanted) {
        let outcome = match scenario.lacking(peer) {
            Some(why) => Outcome::NotSupported(why.to_owned()),
            None => run_all(peer, scenario, port, certificates, meeting)
                .map_or_else(Outcome::Fail, |()| Outcome::Pass),
        };
        result(scenario.name, outcome);
    }
}

fn run_all(
    peer: Peer,
    scenario: &Scenario,
    port: u16,
    certificates: &Path,
    meeting: Meeting<'_>,
) -> Result<(), String> {
    let Meeting {
        cache, deadline, ..
    } = meeting;
    let port = (port + scenario.way.port()).to_string();
    for options in scenario.runs {
        let mut words = options.split(' ');
        let mut command = client(peer, cache);
        // What the run says comes last, so that it is what counts.
        command
            .args(words.next())
            .args(scenario.way.options(certificates))
            .args(["--port", &port, "--timeout", "100"])
            .args(words);
        let name = format!("{} {options}", peer.name());
        let log = cache.log(&format!("{}-client", peer.name()));
        process::run(&name, &mut command, &log, deadline.at_most(120))?;
    }
    Ok(())
}

/// Starts the listener on rhea that takes WebSocket clients, in TLS on the next port.
pub(super) fn listen(
    port: u16,
    certificates: &Path,
    cache: &Cache,
    deadline: Deadline,
) -> Result<Running, String> {
    let mut command = rhea("rhea_listener.js", cache);
    command.arg(port.to_string());
    command.arg(certificates.join("server.pem"));
    command.arg(certificates.join("server.key"));
    let mut running = Running::start("rhea as listener", &mut command, &cache.log("rhea-listen"))?;
    running.wait_for_log("listening", deadline.at_most(10))?;
    Ok(running)
}
