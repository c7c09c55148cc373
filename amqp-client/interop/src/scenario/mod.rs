//! What our client does with a broker: the list of scenarios, the queues that they use, and the loop that runs them.
//!
//! Each scenario has a connection and, as a rule, a queue of its own, so that a failed one leaves the others alone.

mod access;
mod bulk;
mod outcomes;
mod verdicts;

use std::pin::Pin;
use std::time::Duration;

use crate::peer::Peer;
use crate::report::{self, Verdict};

/// No scenario takes longer.
const DEADLINE: Duration = Duration::from_secs(90);

type Run =
    for<'a> fn(&'a Peer) -> Pin<Box<dyn Future<Output = Result<Verdict, String>> + Send + 'a>>;

struct Scenario {
    /// As foreign clients call theirs where both do the same.
    name: &'static str,
    run: Run,
}

macro_rules! scenario {
    ($name:literal, $run:path) => {
        Scenario {
            name: $name,
            run: |peer| Box::pin($run(peer)),
        }
    };
}

const SCENARIOS: &[Scenario] = &[
    scenario!("SASL ANONYMOUS", access::anonymous),
    scenario!("SASL PLAIN", access::plain),
    scenario!("SASL PLAIN refused", access::refused),
    scenario!("10,000 small, send", bulk::send_small),
    scenario!("10,000 small, receive", bulk::receive_small),
    scenario!("200 of 1 MiB, send", bulk::send_large),
    scenario!("200 of 1 MiB, receive", bulk::receive_large),
    scenario!("pre-settled", bulk::settled),
    scenario!("accepted", outcomes::accepted),
    scenario!("rejected", outcomes::rejected),
    scenario!("released", outcomes::released),
    scenario!("modified", outcomes::modified),
    scenario!("modified, undeliverable here", outcomes::undeliverable_here),
    scenario!("modified, annotations", outcomes::annotations),
    scenario!("drain", outcomes::drain),
    scenario!("peer rejects", verdicts::rejected),
    scenario!("peer releases", verdicts::released),
    scenario!("peer modifies", verdicts::modified),
];

/// Queues with their type and greatest length, for a broker that makes none on demand.
const QUEUES: &[(&str, &str, &str)] = &[
    ("small", "quorum", "-"),
    ("large", "classic", "-"),
    ("settled", "classic", "-"),
    ("accepted", "quorum", "-"),
    ("rejected", "quorum", "-"),
    ("released", "quorum", "-"),
    ("modified", "quorum", "-"),
    ("undeliverable", "quorum", "-"),
    ("annotations", "quorum", "-"),
    ("drain", "quorum", "-"),
    ("fail.full", "classic", "1"),
];

/// One queue a line: name, type, greatest length.
pub(crate) fn queues() -> String {
    QUEUES
        .iter()
        .map(|(name, kind, length)| format!("{name} {kind} {length}\n"))
        .collect()
}

/// Runs every scenario; whether none failed.
pub(crate) async fn run_all(peer: &Peer) -> bool {
    let mut all = true;
    for scenario in SCENARIOS {
        let result = tokio::time::timeout(DEADLINE, (scenario.run)(peer)).await;
        let result =
            result.unwrap_or_else(|_| Err(format!("not done after {} s", DEADLINE.as_secs())));
        all &= report::print(scenario.name, &result);
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn queues_are_listed_one_a_line() {
        assert!(queues().starts_with("small quorum -\nlarge classic -\n"));
    }

    #[test]
    fn names_are_unique() {
        for (index, scenario) in SCENARIOS.iter().enumerate() {
            assert!(
                SCENARIOS[..index]
                    .iter()
                    .all(|other| other.name != scenario.name),
                "{}",
                scenario.name
            );
        }
    }
}
