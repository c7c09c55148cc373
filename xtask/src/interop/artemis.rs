//! Apache ActiveMQ Artemis: the distribution from Maven Central, an instance of its own for each run.

use std::path::Path;
use std::process::Command;

use super::Broker;
use super::install::{self, Cache, Need, RunFolder};
use super::process::{self, Deadline, Running};
use crate::shell;

const VERSION: &str = "2.44.0";

/// Written to the log when messages can be sent.
const READY: &str = "AMQ221007";

const JAVA_ARGS: &str = "-Xms64m -Xmx1g -XX:+UseSerialGC -Dlog4j2.disableJmx=true --add-opens java.base/jdk.internal.misc=ALL-UNNAMED";

/// Gets the distribution; nothing is done if it is there.
pub(super) fn install(cache: &Cache, deadline: Deadline) -> Result<(), String> {
    let name = format!("artemis-{VERSION}");
    cache.need(&Need::new("java", "openjdk-17-jre-headless"), deadline)?;
    cache.install(&name, |folder| {
        cache.need(&Need::new("mvn", "maven"), deadline)?;
        let artifact = format!("org.apache.activemq:apache-artemis:{VERSION}:tar.gz:bin");
        let archive = folder.join(format!("apache-artemis-{VERSION}-bin.tar.gz"));
        install::maven(cache, "artemis", &artifact, folder, deadline)?;
        install::unpack(cache, "artemis", &archive, folder, 1, deadline)
    })?;
    Ok(())
}

/// Makes an instance on a free port and waits until it takes messages.
pub(super) fn start(
    cache: &Cache,
    certificates: &Path,
    deadline: Deadline,
) -> Result<Broker, String> {
    let port = process::free_ports(10)?;
    let folder = RunFolder::new(&cache.folder("artemis-runs"), port)?;
    create(cache, folder.path(), deadline)?;
    configure(folder.path(), port, certificates)?;
    let mut command = Command::new(folder.path().join("bin/artemis"));
    // The script replaces itself by the virtual machine: the id that is held is the broker's.
    command.arg("run").env("JAVA_ARGS", JAVA_ARGS);
    let mut running = Running::start("Artemis", &mut command, &cache.log("artemis"))?;
    running.wait_for_log(READY, deadline.at_most(90))?;
    Ok(Broker {
        port,
        server: running,
        helpers: Vec::new(),
        _folder: folder,
    })
}

fn create(cache: &Cache, folder: &Path, deadline: Deadline) -> Result<(), String> {
    let mut command = Command::new(
        cache
            .folder(&format!("artemis-{VERSION}"))
            .join("bin/artemis"),
    );
    command.arg("create").arg(folder);
    command.args([
        "--silent",
        "--force",
        "--user",
        "guest",
        "--password",
        "guest",
        "--require-login",
    ]);
    command.args(["--host", "127.0.0.1", "--no-web", "--no-autotune", "--nio"]);
    cache.step("artemis-create", &mut command, deadline.at_most(60))
}

/// Replaces what `create` wrote by our own configuration.
fn configure(folder: &Path, port: u16, certificates: &Path) -> Result<(), String> {
    let data = shell::root().join("amqp-client/interop/artemis");
    let etc = folder.join("etc");
    let read = |name: &str| {
        std::fs::read_to_string(data.join(name)).map_err(|error| format!("{name}: {error}"))
    };
    let store = folder.join("data").display().to_string();
    let values = [
        ("PORT", port.to_string()),
        ("LENIENT", (port + 1).to_string()),
        ("SECURE", (port + 2).to_string()),
        ("TLS", (port + 3).to_string()),
        ("TLS12", (port + 4).to_string()),
        ("OTHER", (port + 5).to_string()),
        ("EXPIRED", (port + 6).to_string()),
        ("PART", (port + 7).to_string()),
        ("REDIRECT", (port + 8).to_string()),
        ("NAMED", (port + 9).to_string()),
        ("CERTS", certificates.display().to_string()),
        ("DATA", store),
    ];
    install::write_template(&read("broker.xml")?, &values, &etc.join("broker.xml"))?;
    install::write_template(&read("login.config")?, &[], &etc.join("login.config"))?;
    install::write_template(
        "guest = guest\nlimited = limited\nlow = low\n",
        &[],
        &etc.join("artemis-users.properties"),
    )?;
    install::write_template(
        "client = CN=client\n",
        &[],
        &etc.join("cert-users.properties"),
    )?;
    install::write_template(
        "all = guest,anonymous,client,low\nfew = limited\n",
        &[],
        &etc.join("artemis-roles.properties"),
    )
}
