//! The libraries that foreign clients are written on: what installs each, and the command that runs its program.

use std::path::PathBuf;
use std::process::Command;

use super::super::Peer;
use super::super::install::{Cache, Need};
use super::super::process::Deadline;
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
const JMS_VERSION: &str = "2.7.0";
const GO_PROGRAM: &str = "go-amqp-client";

/// Gets the library of a peer; nothing is done if it is there.
pub(in super::super) fn install(
    peer: Peer,
    cache: &Cache,
    deadline: Deadline,
) -> Result<(), String> {
    match peer {
        Peer::Proton => install_proton(cache, deadline),
        Peer::Rhea => install_rhea(cache, deadline),
        Peer::GoAmqp => install_go(cache, deadline),
        Peer::Jms => install_jms(cache, deadline),
        Peer::Artemis | Peer::Rabbit | Peer::BrokerJ => Ok(()),
    }
}

/// The peer's program, without options.
pub(super) fn client(peer: Peer, cache: &Cache) -> Command {
    match peer {
        Peer::Proton => {
            let mut command = Command::new(cache.folder(&proton_folder()).join("bin/python"));
            command.arg(programs().join("proton_client.py"));
            command
        }
        Peer::Jms => {
            let folder = cache.folder(&jms_folder());
            let path = format!("{0}/lib/*:{0}/classes", folder.display());
            let mut command = Command::new("java");
            // Many short runs: little is compiled, and nothing is collected in parallel.
            command.args(["-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-cp"]);
            command.arg(path).arg("JmsClient");
            command
        }
        Peer::GoAmqp => Command::new(cache.folder(GO_PROGRAM)),
        _ => rhea("rhea_client.js", cache),
    }
}

pub(super) fn rhea(program: &str, cache: &Cache) -> Command {
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

fn jms_folder() -> String {
    format!("qpid-jms-{JMS_VERSION}")
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

/// Maven takes what `pom.xml` names; the program itself is compiled each time.
fn install_jms(cache: &Cache, deadline: Deadline) -> Result<(), String> {
    cache.need(&Need::new("javac", "openjdk-17-jdk-headless"), deadline)?;
    let program = programs().join("jms");
    let folder = cache.install(&jms_folder(), |folder| {
        cache.need(&Need::new("mvn", "maven"), deadline)?;
        let mut command = Command::new("mvn");
        command
            .args(["-q", "-B", "-f"])
            .arg(program.join("pom.xml"));
        command.arg("org.apache.maven.plugins:maven-dependency-plugin:3.6.1:copy-dependencies");
        command.arg("-DincludeScope=runtime");
        command
            .arg(format!(
                "-DoutputDirectory={}",
                folder.join("lib").display()
            ))
            .current_dir(folder);
        cache.step("jms-download", &mut command, deadline)
    })?;
    let mut command = Command::new("javac");
    command.arg("-cp").arg(folder.join("lib/*"));
    command.arg("-d").arg(folder.join("classes"));
    command.arg(program.join("JmsClient.java"));
    cache.step("jms-compile", &mut command, deadline)
}
