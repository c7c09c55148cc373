//! What our client does with a broker: the list of scenarios, the queues that they use, and the loop that runs them.
//!
//! Each scenario has a connection and, as a rule, a queue of its own, so that a failed one leaves the others alone.

macro_rules! scenario {
    ($name:literal, $run:path) => {
        crate::scenario::Scenario {
            name: $name,
            run: |peer| Box::pin($run(peer)),
        }
    };
}

mod access;
mod bulk;
mod drain;
mod example;
mod faults;
mod frames;
mod large;
mod nodes;
mod outcomes;
mod pressure;
mod redirects;
mod refusals;
mod refused_links;
mod resumption;
mod settle;
mod slow;
mod subscriptions;
mod timing;
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

/// By subject, in the order in which they run.
const SUBJECTS: &[&[Scenario]] = &[
    access::SCENARIOS,
    bulk::SCENARIOS,
    settle::SCENARIOS,
    outcomes::SCENARIOS,
    verdicts::SCENARIOS,
    drain::SCENARIOS,
    large::SCENARIOS,
    frames::SCENARIOS,
    slow::SCENARIOS,
    nodes::SCENARIOS,
    timing::SCENARIOS,
    example::SCENARIOS,
    subscriptions::SCENARIOS,
    pressure::SCENARIOS,
    refusals::SCENARIOS,
    refused_links::SCENARIOS,
    redirects::SCENARIOS,
    resumption::SCENARIOS,
    faults::SCENARIOS,
];

/// Queues with their type and greatest length that are there before anybody connects. All others are made by their scenario.
const QUEUES: &[(&str, &str, &str)] = &[
    ("small", "quorum", "-"),
    ("large", "classic", "-"),
    ("settled", "classic", "-"),
];

/// One queue a line: name, type, greatest length.
pub(crate) fn queues() -> String {
    QUEUES
        .iter()
        .map(|(name, kind, length)| format!("{name} {kind} {length}\n"))
        .collect()
}

/// Runs every scenario whose name holds one of `names`, or every one if there are no names; whether none failed.
pub(crate) async fn run_all(peer: &Peer, names: &[&str]) -> bool {
    let mut all = true;
    let wanted = |scenario: &&Scenario| {
        names.is_empty() || names.iter().any(|name| scenario.name.contains(name))
    };
    for scenario in SUBJECTS.iter().copied().flatten().filter(wanted) {
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
    fn names_are_unique() {
        let mut names: Vec<&str> = SUBJECTS
            .iter()
            .copied()
            .flatten()
            .map(|scenario| scenario.name)
            .collect();
        let all = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), all);
    }
}
