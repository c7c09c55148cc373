//! Clients on other AMQP libraries: what installs them and how they are run.
//!
//! The programs lie in `amqp-client/interop/foreign` and share one command line; a scenario is a list of such runs. One of them
//! can be a listener too, for our client over WebSocket.

mod scenarios;

use std::path::{Path, PathBuf};
use std::process::Command;

use self::scenarios::{SCENARIOS, Scenario};

use super::Peer;
use super::install::{Cache, Need};
use super::matrix::Outcome;
use super::process::{self, Deadline, Running};
use crate::shell;

const PROTON: &str = "python-qpid-proton";
const PROTON_VERSION: &str = "0.40.0";
/// Proton's SCRAM: one that is missing shows when it is asked for, not when Proton is built.
const SCRAM: &str = if cfg!(target_arch = "aarch64") {
    "/usr/lib/aarch64-linux-gnu/sasl2/libscram.so"
} else {
    "/usr/lib/x86_64-linux-gnu/sasl2/libscram.so"
};
const RHEA_VERSION: &str = "3.0.5";
/// The WebSocket library that rhea is given: it brings none.
const WS_VERSION: &str = "8.23.0";
const GO_PROGRAM: &str = "go-amqp-client";

/// Gets the library of a peer; nothing is done if it is there.
pub(super) fn install(peer: Peer, cache: &Cache, deadline: Deadline) -> Result<(), String> {
    match peer {
        Peer::Proton => install_proton(cache, deadline),
        Peer::Rhea => install_rhea(cache, deadline),
        Peer::GoAmqp => install_go(cache, deadline),
        Peer::Artemis | Peer::Rabbit | Peer::BrokerJ => Ok(()),
    }
}

/// Runs every scenario against the listener on this port and the next ones, and hands each result over.
pub(super) fn run(
    peer: Peer,
    port: u16,
    certificates: &Path,
    cache: &Cache,
    deadline: Deadline,
    mut result: impl FnMut(&str, Outcome),
) {
    for scenario in SCENARIOS {
        let outcome = match scenario.lacking(peer) {
            Some(why) => Outcome::NotSupported(why.to_owned()),
            None => run_all(peer, scenario, port, certificates, cache, deadline)
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
    cache: &Cache,
    deadline: Deadline,
) -> Result<(), String> {
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

/// Starts the listener on rhea that takes WebSocket clients.
pub(super) fn listen(port: u16, cache: &Cache, deadline: Deadline) -> Result<Running, String> {
    let mut command = rhea("rhea_listener.js", cache);
    command.arg(port.to_string());
    let mut running = Running::start("rhea as listener", &mut command, &cache.log("rhea-listen"))?;
    running.wait_for_log("listening", deadline.at_most(10))?;
    Ok(running)
}

/// The peer's program, without options.
fn client(peer: Peer, cache: &Cache) -> Command {
    match peer {
        Peer::Proton => {
            let mut command = Command::new(cache.folder(&proton_folder()).join("bin/python"));
            command.arg(programs().join("proton_client.py"));
            command
        }
        Peer::GoAmqp => Command::new(cache.folder(GO_PROGRAM)),
        _ => rhea("rhea_client.js", cache),
    }
}

fn rhea(program: &str, cache: &Cache) -> Command {
    let modules = cache.folder(&rhea_folder()).join("node_modules");
    let mut command = Command::new("node");
    command
        .env("NODE_PATH", modules)
        .arg(programs().join(program));
    command
}

fn programs() -> PathBuf {
    shell::root().join("amqp-client/interop/foreign")
}

fn proton_folder() -> String {
    format!("{PROTON}-{PROTON_VERSION}")
}

fn rhea_folder() -> String {
    format!("rhea-{RHEA_VERSION}-ws-{WS_VERSION}")
}

/// Built from source: without the two libraries it would come without TLS and without most of SASL.
fn install_proton(cache: &Cache, deadline: Deadline) -> Result<(), String> {
    cache.need(&Need::new(SCRAM, "libsasl2-modules"), deadline)?;
    cache.install(&proton_folder(), |folder| {
        for need in [
            Need::new("python3", "python3-venv"),
            Need::new("gcc", "gcc"),
            Need::new("pkg-config", "pkg-config"),
            Need::new("/usr/include/openssl/ssl.h", "libssl-dev"),
            Need::new("/usr/include/sasl/sasl.h", "libsasl2-dev"),
        ] {
            cache.need(&need, deadline)?;
        }
        cache.step(
            "proton-venv",
            Command::new("python3").args(["-m", "venv"]).arg(folder),
            deadline,
        )?;
        let mut command = Command::new(folder.join("bin/python"));
        command.args(["-m", "pip", "install", "-q", "--no-binary", PROTON]);
        command.arg(format!("{PROTON}=={PROTON_VERSION}"));
        cache.step("proton-pip", &mut command, deadline)
    })?;
    Ok(())
}

fn install_rhea(cache: &Cache, deadline: Deadline) -> Result<(), String> {
    cache.need(&Need::new("node", "nodejs"), deadline)?;
    cache.install(&rhea_folder(), |folder| {
        cache.need(&Need::new("npm", "npm"), deadline)?;
        let mut command = Command::new("npm");
        command
            .args(["install", "--no-audit", "--no-fund", "--prefix"])
            .arg(folder);
        command
            .arg(format!("rhea@{RHEA_VERSION}"))
            .arg(format!("ws@{WS_VERSION}"))
            .current_dir(folder);
        cache.step("rhea-npm", &mut command, deadline)
    })?;
    Ok(())
}

/// Go takes only what `go.sum` names, and builds again only what has changed. Debian's Go is older than go-amqp asks for, so it is
/// not installed here.
fn install_go(cache: &Cache, deadline: Deadline) -> Result<(), String> {
    let mut command = Command::new("go");
    command
        .args(["build", "-o"])
        .arg(cache.folder(GO_PROGRAM))
        .arg(".")
        .env("GOFLAGS", "-mod=readonly -buildvcs=false")
        .current_dir(programs().join("go"));
    cache
        .step("go-amqp", &mut command, deadline)
        .map_err(|error| format!("Go 1.25 or newer has to be on the path: {error}"))
}
