//! What foreign clients try against our listener.
//!
//! Decides the runs, the way in that each takes, and what a library is known to lack. The listener's ports and users are those of
//! `amqp-interop listen`.

use std::path::Path;

use super::super::Peer;

/// How a client comes in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    /// As the run says, or anonymous.
    Open,
    /// As guest, by SCRAM or PLAIN.
    Guest,
    WebSocket,
    Tls,
    TlsWebSocket,
    /// TLS with a client certificate.
    Certificate,
    /// TLS without one, where it is demanded.
    NoCertificate,
    /// TLS 1.2, where 1.3 is demanded.
    OldTls,
}

impl Way {
    /// The port, counted from the listener's first.
    pub(super) fn port(self) -> u16 {
        match self {
            Self::Open => 0,
            Self::Guest | Self::WebSocket => 1,
            Self::Tls | Self::TlsWebSocket => 2,
            Self::Certificate | Self::NoCertificate => 3,
            Self::OldTls => 4,
        }
    }

    /// The options that say so, with the certificates of this folder.
    pub(super) fn options(self, certificates: &Path) -> Vec<String> {
        let file = |name: &str| certificates.join(name).display().to_string();
        let mut words: Vec<String> = Vec::new();
        let mut add = |option: &[&str]| words.extend(option.iter().map(|&word| word.to_owned()));
        if !matches!(self, Self::Open | Self::Certificate | Self::NoCertificate) {
            add(&["--user", "guest", "--password", "guest"]);
        }
        if matches!(self, Self::WebSocket | Self::TlsWebSocket) {
            add(&["--websocket"]);
        }
        if !matches!(self, Self::Open | Self::Guest | Self::WebSocket) {
            // The name that the certificate is for.
            add(&["--host", "localhost", "--ca", &file("ca.pem")]);
        }
        if self == Self::OldTls {
            add(&["--tls12"]);
        }
        if self == Self::Certificate {
            let (certificate, key) = (file("client.pem"), file("client.key"));
            add(&["--certificate", &certificate, "--key", &key]);
        }
        words
    }
}

/// One scenario: a name for the table and the runs that it consists of.
pub(super) struct Scenario {
    pub(super) name: &'static str,
    pub(super) way: Way,
    /// Each a command and its options, separated by spaces.
    pub(super) runs: &'static [&'static str],
}

impl Scenario {
    /// Whether the peer's program knows the commands: only JMS has words for some.
    pub(super) fn concerns(&self, peer: Peer) -> bool {
        let has = |command: &str| self.runs.iter().any(|run| run.starts_with(command));
        peer == Peer::Jms || !(has("request") || has("browse"))
    }

    /// Why this library can not do it.
    pub(super) fn lacking(&self, peer: Peer) -> Option<&'static str> {
        let websocket = matches!(self.way, Way::WebSocket | Way::TlsWebSocket);
        let scram = self.runs.iter().any(|run| run.contains("--mechanism"));
        let old_tls =
            self.way == Way::OldTls || self.runs.iter().any(|run| run.contains("--tls12"));
        match peer {
            Peer::Proton | Peer::GoAmqp if websocket => Some("the library has no WebSocket"),
            Peer::Proton if old_tls => Some("the library chooses no version of TLS"),
            Peer::Rhea | Peer::GoAmqp if scram => Some("the library has no SCRAM"),
            _ => None,
        }
    }
}

const fn open(name: &'static str, runs: &'static [&'static str]) -> Scenario {
    let way = Way::Open;
    Scenario { name, way, runs }
}

const fn by(way: Way, name: &'static str, runs: &'static [&'static str]) -> Scenario {
    Scenario { name, way, runs }
}

pub(super) const SCENARIOS: &[Scenario] = &[
    open("SASL ANONYMOUS", &["connect"]),
    open("SASL PLAIN", &["connect --user guest --password guest"]),
    open(
        "SASL PLAIN refused",
        &["connect --user guest --password wrong --refused"],
    ),
    open(
        "10,000 small, send",
        &["send --address small --count 10000 --window 1000"],
    ),
    open(
        "10,000 small, receive",
        &[
            "receive --address small --count 10000 --window 1000",
            "empty --address small",
        ],
    ),
    open(
        "200 of 1 MiB, send",
        &["send --address large --count 200 --size 1048576 --window 20"],
    ),
    open(
        "200 of 1 MiB, receive",
        &[
            "receive --address large --count 200 --size 1048576 --window 20",
            "empty --address large",
        ],
    ),
    open(
        "pre-settled",
        &[
            "send --address settled --count 1000 --outcome settled",
            "receive --address settled --count 1000",
        ],
    ),
    open(
        "accepted",
        &[
            "send --address accepted",
            "receive --address accepted",
            "empty --address accepted",
        ],
    ),
    open(
        "rejected",
        &[
            "send --address rejected",
            "receive --address rejected --outcome rejected",
            "empty --address rejected",
        ],
    ),
    open(
        "released",
        &[
            "send --address released",
            "receive --address released --outcome released",
            "receive --address released --delivery-count 0",
        ],
    ),
    open(
        "modified",
        &[
            "send --address modified",
            "receive --address modified --outcome modified",
            "receive --address modified --delivery-count 1",
        ],
    ),
    open(
        "1 of 10 MB",
        &[
            "send --address huge --size 10000000",
            "receive --address huge --size 10000000",
        ],
    ),
    open(
        "browse",
        &[
            "send --address shelf --count 100",
            "browse --address shelf --count 100",
            "receive --address shelf --count 100 --delivery-count 0",
        ],
    ),
    open(
        "requests with a temporary queue",
        &[
            "request --address service --count 100",
            "empty --address service",
        ],
    ),
    by(
        Way::Guest,
        "SASL SCRAM-SHA-1",
        &[
            "send --address one --mechanism SCRAM-SHA-1",
            "receive --address one --mechanism SCRAM-SHA-1",
        ],
    ),
    by(
        Way::Guest,
        "SASL SCRAM-SHA-256",
        &[
            "send --address two --mechanism SCRAM-SHA-256",
            "receive --address two --mechanism SCRAM-SHA-256",
        ],
    ),
    by(
        Way::Guest,
        "SASL SCRAM-SHA-512",
        &[
            "send --address five --mechanism SCRAM-SHA-512",
            "receive --address five --mechanism SCRAM-SHA-512",
        ],
    ),
    by(
        Way::Guest,
        "SASL SCRAM refused",
        &[
            "connect --mechanism SCRAM-SHA-256 --password wrong --refused",
            "connect --mechanism SCRAM-SHA-512 --user nobody --refused",
        ],
    ),
    by(
        Way::Tls,
        "TLS",
        &[
            "send --address tls --count 100 --size 100000",
            "receive --address tls --count 100 --size 100000",
        ],
    ),
    by(
        Way::Certificate,
        "mutual TLS, SASL EXTERNAL",
        &[
            "send --address own --count 100",
            "receive --address own --count 100",
        ],
    ),
    by(
        Way::NoCertificate,
        "mutual TLS, no client certificate",
        &["connect --fails certificate-required"],
    ),
    by(Way::Tls, "TLS 1.2", &["connect --tls12"]),
    by(
        Way::OldTls,
        "TLS 1.2 where 1.3 is demanded",
        &["connect --fails protocol-version"],
    ),
    by(
        Way::WebSocket,
        "WebSocket",
        &[
            "send --address web --count 100 --size 100000",
            "receive --address web --count 100 --size 100000",
            "empty --address web",
        ],
    ),
    by(
        Way::TlsWebSocket,
        "WebSocket in TLS",
        &[
            "send --address tls --count 100 --size 100000",
            "receive --address tls --count 100 --size 100000",
        ],
    ),
];

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
                    ["connect", "send", "receive", "empty", "browse", "request"].contains(&command),
                    "{run}"
                );
            }
        }
    }

    #[test]
    fn every_scenario_is_for_some_library() {
        let peers = [Peer::Proton, Peer::Rhea, Peer::GoAmqp, Peer::Jms];
        for scenario in SCENARIOS {
            let can = |peer: &Peer| scenario.concerns(*peer) && scenario.lacking(*peer).is_none();
            assert!(peers.iter().any(can), "{}", scenario.name);
        }
    }

    #[test]
    fn a_way_says_where_and_as_whom() {
        let options = Way::TlsWebSocket.options(Path::new("c")).join(" ");
        assert_eq!(
            options,
            "--user guest --password guest --websocket --host localhost --ca c/ca.pem"
        );
        assert!(Way::Open.options(Path::new("c")).is_empty());
    }
}
