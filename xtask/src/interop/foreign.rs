//! Clients on other AMQP libraries: what installs them, how they are run, and what they try against a listener.
//!
//! The programs lie in `amqp-client/interop/foreign` and share one command line; a scenario is a list of such runs.

use std::process::Command;

use super::Peer;
use super::install::{Cache, Need};
use super::matrix::Outcome;
use super::process::{self, Deadline};
use crate::shell;

const PROTON: &str = "python-qpid-proton";
const PROTON_VERSION: &str = "0.40.0";
const RHEA_VERSION: &str = "3.0.5";

/// One scenario: a name for the table and the runs that it consists of.
struct Scenario {
    name: &'static str,
    /// Each a command and its options, separated by spaces.
    runs: &'static [&'static str],
}

const SCENARIOS: &[Scenario] = &[
    Scenario {
        name: "SASL ANONYMOUS",
        runs: &["connect"],
    },
    Scenario {
        name: "SASL PLAIN",
        runs: &["connect --user guest --password guest"],
    },
    Scenario {
        name: "SASL PLAIN refused",
        runs: &["connect --user guest --password wrong --refused"],
    },
    Scenario {
        name: "10,000 small, send",
        runs: &["send --address small --count 10000 --window 1000"],
    },
    Scenario {
        name: "10,000 small, receive",
        runs: &[
            "receive --address small --count 10000 --window 1000",
            "empty --address small",
        ],
    },
    Scenario {
        name: "200 of 1 MiB, send",
        runs: &["send --address large --count 200 --size 1048576 --window 20"],
    },
    Scenario {
        name: "200 of 1 MiB, receive",
        runs: &[
            "receive --address large --count 200 --size 1048576 --window 20",
            "empty --address large",
        ],
    },
    Scenario {
        name: "pre-settled",
        runs: &[
            "send --address settled --count 1000 --outcome settled",
            "receive --address settled --count 1000",
        ],
    },
    Scenario {
        name: "accepted",
        runs: &[
            "send --address accepted",
            "receive --address accepted",
            "empty --address accepted",
        ],
    },
    Scenario {
        name: "rejected",
        runs: &[
            "send --address rejected",
            "receive --address rejected --outcome rejected",
            "empty --address rejected",
        ],
    },
    Scenario {
        name: "released",
        runs: &[
            "send --address released",
            "receive --address released --outcome released",
            "receive --address released --delivery-count 0",
        ],
    },
    Scenario {
        name: "modified",
        runs: &[
            "send --address modified",
            "receive --address modified --outcome modified",
            "receive --address modified --delivery-count 1",
        ],
    },
];

/// Gets the library of a peer; nothing is done if it is there.
pub(super) fn install(peer: Peer, cache: &Cache, deadline: Deadline) -> Result<(), String> {
    match peer {
        Peer::Proton => install_proton(cache, deadline),
        Peer::Rhea => install_rhea(cache, deadline),
        Peer::Artemis | Peer::Rabbit | Peer::BrokerJ => Ok(()),
    }
}

/// Runs every scenario against the listener on this port and hands each result over.
pub(super) fn run(
    peer: Peer,
    port: u16,
    cache: &Cache,
    deadline: Deadline,
    mut result: impl FnMut(&str, Outcome),
) {
    for scenario in SCENARIOS {
        let outcome = scenario
            .runs
            .iter()
            .try_for_each(|options| run_one(peer, port, options, cache, deadline));
        result(
            scenario.name,
            outcome.map_or_else(Outcome::Fail, |()| Outcome::Pass),
        );
    }
}

fn run_one(
    peer: Peer,
    port: u16,
    options: &str,
    cache: &Cache,
    deadline: Deadline,
) -> Result<(), String> {
    let mut command = client(peer, cache);
    command
        .args(options.split(' '))
        .args(["--port", &port.to_string(), "--timeout", "100"]);
    let name = format!("{} {options}", peer.name());
    let log = cache.log(&format!("{}-client", peer.name()));
    process::run(&name, &mut command, &log, deadline.at_most(120)).map(drop)
}

/// The peer's program, without options.
fn client(peer: Peer, cache: &Cache) -> Command {
    let programs = shell::root().join("amqp-client/interop/foreign");
    if peer == Peer::Proton {
        let mut command = Command::new(cache.folder(&proton_folder()).join("bin/python"));
        command.arg(programs.join("proton_client.py"));
        command
    } else {
        let mut command = Command::new("node");
        command
            .env(
                "NODE_PATH",
                cache.folder(&rhea_folder()).join("node_modules"),
            )
            .arg(programs.join("rhea_client.js"));
        command
    }
}

fn proton_folder() -> String {
    format!("{PROTON}-{PROTON_VERSION}")
}

fn rhea_folder() -> String {
    format!("rhea-{RHEA_VERSION}")
}

/// Built from source: without the two libraries it would come without TLS and without most of SASL.
fn install_proton(cache: &Cache, deadline: Deadline) -> Result<(), String> {
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
            .current_dir(folder);
        cache.step("rhea-npm", &mut command, deadline)
    })?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scenarios_have_names_of_their_own_and_known_commands() {
        for (index, scenario) in SCENARIOS.iter().enumerate() {
            assert!(
                SCENARIOS[..index]
                    .iter()
                    .all(|other| other.name != scenario.name),
                "{}",
                scenario.name
            );
            for run in scenario.runs {
                let command = run.split(' ').next().unwrap();
                assert!(
                    ["connect", "send", "receive", "empty"].contains(&command),
                    "{run}"
                );
            }
        }
    }
}
