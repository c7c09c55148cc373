//! The engine (`amqp-client/src/proto`) is a plain state machine: time is an argument, randomness a seed, buffers the caller's.
//!
//! This check looks for the names that would say otherwise. Tests inside the engine may do as they like.

use super::Finding;
use crate::source::SourceFile;

const ENGINE: &str = "amqp-client/src/proto/";

/// Words that have no place in the engine, and what to do instead.
const WORDS: &[(&str, &str)] = &[
    ("tokio", "IO belongs to transport and driver"),
    (
        "async",
        "the engine is driven, it does not wait; waiting belongs to the driver",
    ),
    (
        "await",
        "the engine is driven, it does not wait; waiting belongs to the driver",
    ),
    (
        "Future",
        "the engine is driven, it does not wait; waiting belongs to the driver",
    ),
    ("Waker", "return an event and let the driver wake"),
    (
        "Mutex",
        "the driver owns the engine alone; lend `&mut` views instead",
    ),
    (
        "RwLock",
        "the driver owns the engine alone; lend `&mut` views instead",
    ),
    (
        "Condvar",
        "the driver owns the engine alone; lend `&mut` views instead",
    ),
    (
        "Arc",
        "the driver owns the engine alone; lend `&mut` views and keys instead",
    ),
    ("TcpStream", "IO belongs to transport and driver"),
    ("TcpListener", "IO belongs to transport and driver"),
    ("UdpSocket", "IO belongs to transport and driver"),
    ("UnixStream", "IO belongs to transport and driver"),
    ("thread", "the engine runs where its caller runs"),
    ("SystemTime", "take `now` as an argument"),
    ("rand", "take a seed as an argument"),
    ("getrandom", "take a seed as an argument"),
    ("fastrand", "take a seed as an argument"),
];

/// Sequences of tokens that have no place in the engine.
const SEQUENCES: &[(&[&str], &str)] = &[
    (&["Instant", ":", ":", "now"], "take `now` as an argument"),
    (
        &[".", "elapsed", "("],
        "take `now` as an argument and subtract",
    ),
    (
        &["std", ":", ":", "net"],
        "IO belongs to transport and driver",
    ),
    (
        &["std", ":", ":", "fs"],
        "IO belongs to transport and driver",
    ),
];

/// Findings in one file; none outside the engine.
pub(super) fn check(file: &SourceFile) -> Vec<Finding> {
    if !file.path.starts_with(ENGINE) {
        return Vec::new();
    }
    let mut findings = Vec::new();
    for index in file.code() {
        let token = &file.tokens[index];
        let word = WORDS
            .iter()
            .filter(|(word, _)| !token.literal && token.text == *word);
        let sequence = SEQUENCES
            .iter()
            .filter(|(texts, _)| file.matches(index, texts));
        let named = word.map(|(word, cure)| ((*word).to_owned(), *cure));
        let spelled = sequence.map(|(texts, cure)| (texts.concat(), *cure));
        for (what, cure) in named.chain(spelled) {
            let message = format!("`{what}` in the engine, which must stay pure: {cure}");
            findings.push(Finding::error(&file.path, token.line, message));
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    fn findings(path: &str, text: &str) -> Vec<String> {
        let file = SourceFile::new(path, text).unwrap();
        check(&file)
            .into_iter()
            .map(|finding| format!("{}: {}", finding.line, finding.message))
            .collect()
    }

    #[test]
    fn clocks_locks_and_waiting_are_found() {
        let text = "use std::sync::Mutex;\nasync fn a() {\n  let t = Instant::now();\n}\n";
        let found = findings("amqp-client/src/proto/link.rs", text);
        assert_eq!(found.len(), 3, "{found:?}");
        assert!(found[2].starts_with("3: `Instant::now`"), "{found:?}");
    }

    #[test]
    fn time_as_an_argument_is_fine() {
        assert!(
            findings(
                "amqp-client/src/proto/timer.rs",
                "fn a(now: std::time::Instant) { b(now) }"
            )
            .is_empty()
        );
    }

    #[test]
    fn tests_and_the_rest_of_the_crate_are_free() {
        assert!(
            findings(
                "amqp-client/src/proto/a.rs",
                "#[cfg(test)]\nmod tests { use tokio::x; }"
            )
            .is_empty()
        );
        assert!(findings("amqp-client/src/driver.rs", "use tokio::x;").is_empty());
    }

    #[test]
    fn words_in_comments_are_fine() {
        assert!(
            findings(
                "amqp-client/src/proto/a.rs",
                "// the driver may await\nfn a() {}"
            )
            .is_empty()
        );
    }
}
