//! Apache Qpid Broker-J: the distribution from Maven Central, started with a configuration of its own for each run.

use std::path::Path;
use std::process::Command;

use super::Broker;
use super::install::{self, Cache, Need, RunFolder};
use super::process::{self, Deadline, Running};
use crate::shell;

const VERSION: &str = "9.2.1";

/// Written to the log when connections are taken.
const READY: &str = "BRK-1004";

const JAVA_ARGS: [&str; 4] = [
    "-Xmx512m",
    "-XX:MaxDirectMemorySize=512m",
    "-XX:+UseSerialGC",
    "-XX:TieredStopAtLevel=1",
];

/// What listens where, counted from the first port.
const PORTS: [&str; 11] = [
    "PORT",
    "ANONYMOUS",
    "WS",
    "TLS",
    "WSS",
    "MUTUAL",
    "HASHED",
    "HTTP",
    "OTHER",
    "EXPIRED",
    "TLS12",
];

/// Gets the distribution; nothing is done if it is there.
pub(super) fn install(cache: &Cache, deadline: Deadline) -> Result<(), String> {
    cache.need(&Need::new("java", "openjdk-17-jre-headless"), deadline)?;
    cache.need(&Need::new("openssl", "openssl"), deadline)?;
    cache.install(&name(), |folder| {
        cache.need(&Need::new("mvn", "maven"), deadline)?;
        let artifact = format!("org.apache.qpid:apache-qpid-broker-j:{VERSION}:tar.gz:bin");
        let archive = folder.join(format!("apache-qpid-broker-j-{VERSION}-bin.tar.gz"));
        install::maven(cache, "brokerj", &artifact, folder, deadline)?;
        install::unpack(cache, "brokerj", &archive, folder, 2, deadline)
    })?;
    Ok(())
}

/// Writes a configuration for free ports and waits until they are open.
pub(super) fn start(
    cache: &Cache,
    certificates: &Path,
    deadline: Deadline,
) -> Result<Broker, String> {
    let first = process::free_ports(PORTS.len() as u16)?;
    let folder = RunFolder::new(&cache.folder("brokerj-runs"), first)?;
    for server in ["server", "other", "expired"] {
        key_store(cache, certificates, server, folder.path(), deadline)?;
    }
    configure(folder.path(), first, certificates)?;
    let home = cache.folder(&name());
    let work = folder.path().display();
    let mut command = Command::new("java");
    command.args(JAVA_ARGS);
    command.arg(format!("-DQPID_HOME={}", home.display()));
    command.arg(format!("-DQPID_WORK={work}"));
    command.arg(format!("-Dqpid.work_dir={work}"));
    command.arg("-cp").arg(home.join("lib/*"));
    command.arg("org.apache.qpid.server.Main");
    command.args(["-st", "Memory", "-icp"]);
    command
        .arg(folder.path().join("config.json"))
        .current_dir(folder.path());
    let mut running = Running::start("Broker-J", &mut command, &cache.log("brokerj"))?;
    running.wait_for_log(READY, deadline.at_most(90))?;
    Ok(Broker {
        port: first,
        server: running,
        helpers: Vec::new(),
        _folder: folder,
    })
}

fn name() -> String {
    format!("brokerj-{VERSION}")
}

/// Packs a certificate and its key as Java takes them, whatever the kind of the key.
fn key_store(
    cache: &Cache,
    certificates: &Path,
    name: &str,
    folder: &Path,
    deadline: Deadline,
) -> Result<(), String> {
    let mut command = Command::new("openssl");
    command.args(["pkcs12", "-export", "-passout", "pass:secret", "-in"]);
    command.arg(certificates.join(format!("{name}.pem")));
    command
        .arg("-inkey")
        .arg(certificates.join(format!("{name}.key")));
    command.arg("-out").arg(folder.join(format!("{name}.p12")));
    cache.step("brokerj-keys", &mut command, deadline.at_most(20))
}

fn configure(folder: &Path, first: u16, certificates: &Path) -> Result<(), String> {
    let data = shell::root().join("amqp-client/interop/brokerj");
    let read = |name: &str| {
        std::fs::read_to_string(data.join(name)).map_err(|error| format!("{name}: {error}"))
    };
    let acl = folder.join("acl.txt");
    install::write_template(&read("acl.txt")?, &[], &acl)?;
    let mut values: Vec<(&str, String)> = (first..)
        .zip(PORTS)
        .map(|(port, name)| (name, port.to_string()))
        .collect();
    values.push(("ACL", acl.display().to_string()));
    values.push(("CERTS", certificates.display().to_string()));
    values.push(("STORES", folder.display().to_string()));
    install::write_template(&read("config.json")?, &values, &folder.join("config.json"))
}
