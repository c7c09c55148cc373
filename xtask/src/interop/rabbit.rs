//! RabbitMQ 4.0: Debian trixie's package in a folder of its own, as root, with queues declared before it takes connections.
//!
//! The server runs with that folder as its root and in a mount namespace of its own, so that its `/proc` and `/dev` vanish with
//! it. Its name service, which would otherwise outlive it, is started beside it and held like it.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::Broker;
use super::install::{self, Cache, Need, RunFolder};
use super::process::{self, Deadline, Running};
use crate::shell;

/// The folder in the cache.
const NAME: &str = "rabbitmq-trixie";

/// Written to the log when connections are taken.
const READY: &str = "Server startup complete";

/// Mounts what a process expects to see, then becomes the program: $0 is the new root, the rest the program.
const ENTER: &str = r#"mount --bind /proc "$0/proc" && mount --bind /dev "$0/dev" && exec chroot "$0" /usr/bin/env -i "$@""#;

/// Makes the folder; nothing is done if it is there.
pub(super) fn install(cache: &Cache, deadline: Deadline) -> Result<(), String> {
    cache.need(&Need::new("unshare", "util-linux"), deadline)?;
    cache.install(NAME, |folder| {
        cache.need(&Need::new("/usr/sbin/debootstrap", "debootstrap"), deadline)?;
        let mut command = Command::new("unshare");
        command.args([
            "--mount",
            "/usr/sbin/debootstrap",
            "--variant=minbase",
            "--include=rabbitmq-server",
            "trixie",
        ]);
        command.arg(folder.join("root"));
        cache.step("rabbitmq-debootstrap", &mut command, deadline)
    })?;
    Ok(())
}

/// Starts a node on free ports and waits until it takes connections. The queues are there then.
pub(super) fn start(cache: &Cache, queues: &[Queue], deadline: Deadline) -> Result<Broker, String> {
    let root = cache.folder(NAME).join("root");
    let port = process::free_ports(4)?;
    let folder = RunFolder::new(&root.join("var/lib/interop"), port)?;
    let node = Node {
        home: format!("/var/lib/interop/{}", folder.name()),
        root,
        port,
    };
    node.configure(folder.path(), queues)?;
    let names = Running::start(
        "RabbitMQ's name service",
        &mut node.name_service(),
        &cache.log("rabbitmq-epmd"),
    )?;
    let mut running = Running::start("RabbitMQ", &mut node.server(), &cache.log("rabbitmq"))?;
    running.wait_for_log(READY, deadline.at_most(90))?;
    Ok(Broker {
        port,
        server: running,
        helpers: vec![names],
        _folder: folder,
    })
}

/// One run: AMQP on `port`, the node's own traffic on the next one, the name service on the one after that, management by
/// HTTP on the last.
struct Node {
    root: PathBuf,
    /// As the node sees it.
    home: String,
    port: u16,
}

impl Node {
    fn configure(&self, folder: &Path, queues: &[Queue]) -> Result<(), String> {
        let path = shell::root().join("amqp-client/interop/rabbit/rabbitmq.conf");
        let template = std::fs::read_to_string(&path)
            .map_err(|error| format!("{}: {error}", path.display()))?;
        let values = [
            ("PORT", self.port.to_string()),
            ("HTTP", (self.port + 3).to_string()),
            ("HOME", self.home.clone()),
        ];
        install::write_template(&template, &values, &folder.join("rabbitmq.conf"))?;
        install::write_template("[rabbitmq_management].\n", &[], &folder.join("plugins"))?;
        install::write_template(&definitions(queues), &[], &folder.join("definitions.json"))
    }

    fn name_service(&self) -> Command {
        let mut command = Command::new("chroot");
        command.arg(&self.root).args([
            "/usr/bin/env",
            "-i",
            "PATH=/usr/bin:/bin",
            "ERL_EPMD_ADDRESS=127.0.0.1",
        ]);
        command.args(["epmd", "-port", &(self.port + 2).to_string()]);
        command
    }

    fn server(&self) -> Command {
        let mut command = Command::new("unshare");
        command.args(["--mount", "sh", "-c", ENTER]).arg(&self.root);
        command.args([
            "PATH=/usr/sbin:/usr/bin:/sbin:/bin",
            "LANG=C.UTF-8",
            "RABBITMQ_CONF_ENV_FILE=/dev/null",
        ]);
        // The script then becomes the virtual machine, so that the id that is held is the node's.
        command.args(["RABBITMQ_ALLOW_INPUT=1", "ERL_EPMD_ADDRESS=127.0.0.1"]);
        command.arg("RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS=-noinput -kernel inet_dist_use_interface {127,0,0,1}");
        command.arg(format!("RABBITMQ_NODENAME=interop{}@localhost", self.port));
        command.arg(format!("RABBITMQ_DIST_PORT={}", self.port + 1));
        command.arg(format!("ERL_EPMD_PORT={}", self.port + 2));
        for (name, file) in [
            ("HOME", ""),
            ("RABBITMQ_CONFIG_FILE", "/rabbitmq"),
            ("RABBITMQ_ENABLED_PLUGINS_FILE", "/plugins"),
            ("RABBITMQ_MNESIA_BASE", "/data"),
            ("RABBITMQ_LOG_BASE", "/log"),
        ] {
            command.arg(format!("{name}={}{file}", self.home));
        }
        command.arg("/usr/lib/rabbitmq/bin/rabbitmq-server");
        command
    }
}

/// The user, the rights and the queues that the node starts with. Names hold nothing that JSON would escape.
fn definitions(queues: &[Queue]) -> String {
    let queues: Vec<String> = queues.iter().map(definition).collect();
    format!(
        r#"{{"users":[{{"name":"guest","password":"guest","tags":["administrator"]}},{{"name":"limited","password":"limited","tags":[]}}],"vhosts":[{{"name":"/"}}],
"permissions":[{{"user":"guest","vhost":"/","configure":".*","write":".*","read":".*"}},{{"user":"limited","vhost":"/","configure":"^pub","write":"^pub","read":"^pub"}}],
"queues":[{}]}}
"#,
        queues.join(",\n")
    )
}

fn definition(queue: &Queue) -> String {
    let Queue { name, kind, length } = queue;
    let mut arguments = format!(r#""x-queue-type":"{kind}""#);
    if kind == "quorum" {
        // Redelivery is counted, but never ends in the message being dropped.
        arguments.push_str(r#","x-delivery-limit":-1"#);
    }
    if let Some(length) = length {
        arguments.push_str(&format!(
            r#","x-max-length":{length},"x-overflow":"reject-publish""#
        ));
    }
    format!(
        r#"{{"name":"{name}","vhost":"/","durable":true,"auto_delete":false,"arguments":{{{arguments}}}}}"#
    )
}

/// A queue that must be there before anybody connects.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Queue {
    name: String,
    /// `quorum` or `classic`.
    kind: String,
    /// More messages than that are rejected.
    length: Option<u32>,
}

impl Queue {
    /// Reads `NAME TYPE LENGTH`, where the length may be `-`.
    pub(super) fn parse(line: &str) -> Result<Self, String> {
        let words: Vec<&str> = line.split_whitespace().collect();
        let length = |text: &str| {
            if text == "-" {
                Some(None)
            } else {
                text.parse().ok().map(Some)
            }
        };
        match words.as_slice() {
            [name, kind @ ("quorum" | "classic"), text] => {
                let length = length(text).ok_or_else(|| format!("`{text}` is not a length"))?;
                Ok(Self {
                    name: (*name).to_owned(),
                    kind: (*kind).to_owned(),
                    length,
                })
            }
            _ => Err(format!(
                "`{line}` is not a queue: name, quorum or classic, greatest length or -"
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_queue_is_declared() {
        let queues = ["a quorum -", "b classic 7"].map(|line| Queue::parse(line).unwrap());
        let text = definitions(&queues);
        assert!(
            text.contains(r#""name":"a""#) && text.contains(r#""x-max-length":7"#),
            "{text}"
        );
        assert_eq!(text.matches('{').count(), text.matches('}').count());
    }

    #[test]
    fn a_line_that_is_no_queue_is_an_error() {
        for line in ["a", "a stream -", "a quorum x"] {
            assert!(Queue::parse(line).is_err(), "{line}");
        }
    }
}
