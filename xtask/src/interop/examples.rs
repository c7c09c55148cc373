//! The client crate's examples as programs of their own against a broker: each must end well and print what it should.
//!
//! Decides which examples, in which order, and their output to the letter. What they do against the embedded broker is tested
//! beside them; here the broker is somebody else's, and makes queues on demand under any name.

use std::path::PathBuf;
use std::process::Command;

use super::Meeting;
use super::install::Cache;
use super::matrix::{Matrix, Outcome};
use super::process::Running;
use crate::shell;

/// Examples that run one after the other on a node of their own, or on that which the example names itself.
struct Scenario {
    name: &'static str,
    /// Runs beside the others, and is stopped after them.
    server: Option<Run>,
    runs: &'static [Run],
}

/// One example: its arguments, of which `URL` is the broker's, and what it prints.
struct Run {
    example: &'static str,
    arguments: &'static [&'static str],
    prints: Prints,
}

enum Prints {
    Lines(&'static [&'static str]),
    /// `message 1` and so on.
    Messages(u32),
}

impl Prints {
    fn text(&self) -> String {
        match self {
            Self::Lines(lines) => lines.iter().map(|line| format!("{line}\n")).collect(),
            Self::Messages(count) => (1..=*count)
                .map(|number| format!("message {number}\n"))
                .collect(),
        }
    }
}

const fn run(
    example: &'static str,
    arguments: &'static [&'static str],
    lines: &'static [&'static str],
) -> Run {
    Run {
        example,
        arguments,
        prints: Prints::Lines(lines),
    }
}

const fn messages(example: &'static str, arguments: &'static [&'static str], count: u32) -> Run {
    Run {
        example,
        arguments,
        prints: Prints::Messages(count),
    }
}

const SHEEP: &[&str] = &["ONE SHEEP", "TWO SHEEP", "THREE SHEEP"];

const SERVER: Run = run(
    "server",
    &["--url", "URL", "--address", "example.requests"],
    &[],
);

const SCENARIOS: &[Scenario] = &[
    Scenario {
        name: "examples: first_message",
        server: None,
        runs: &[run(
            "first_message",
            &["--url", "URL"],
            &["sent: Accepted(Accepted)", "received: hello, world"],
        )],
    },
    Scenario {
        name: "examples: helloworld",
        server: None,
        runs: &[run("helloworld", &["--url", "URL"], &["Hello World!"])],
    },
    Scenario {
        name: "examples: helloworld_blocking",
        server: None,
        runs: &[run(
            "helloworld_blocking",
            &["--url", "URL"],
            &["Hello World!"],
        )],
    },
    Scenario {
        name: "examples: helloworld_thread",
        server: None,
        runs: &[run(
            "helloworld_thread",
            &["--url", "URL"],
            &["Hello World!", "Hello again!"],
        )],
    },
    Scenario {
        name: "examples: simple_send, simple_recv",
        server: None,
        runs: &[
            run(
                "simple_send",
                &["--url", "URL/example.simple", "--messages", "2000"],
                &["2000 messages accepted"],
            ),
            messages(
                "simple_recv",
                &["--url", "URL/example.simple", "--messages", "2000"],
                2000,
            ),
        ],
    },
    Scenario {
        name: "examples: queue_browser",
        server: None,
        runs: &[
            run(
                "simple_send",
                &["--url", "URL/example.browsed", "--messages", "5"],
                &["5 messages accepted"],
            ),
            messages(
                "queue_browser",
                &["--url", "URL", "--address", "example.browsed"],
                5,
            ),
            messages(
                "simple_recv",
                &["--url", "URL/example.browsed", "--messages", "5"],
                5,
            ),
            messages(
                "queue_browser",
                &["--url", "URL", "--address", "example.browsed"],
                0,
            ),
        ],
    },
    Scenario {
        name: "examples: colour_send, selected_recv",
        server: None,
        runs: &[
            run(
                "colour_send",
                &["--url", "URL/example.colours"],
                &["9 messages accepted"],
            ),
            run(
                "selected_recv",
                &["--url", "URL/example.colours"],
                &["green 2", "green 5", "green 8"],
            ),
            run(
                "selected_recv",
                &[
                    "--url",
                    "URL/example.colours",
                    "--selector",
                    "colour <> 'red'",
                ],
                &["blue 3", "blue 6", "blue 9"],
            ),
        ],
    },
    Scenario {
        name: "examples: client, server",
        server: Some(SERVER),
        runs: &[run(
            "client",
            &["--url", "URL", "--address", "example.requests"],
            SHEEP,
        )],
    },
    Scenario {
        name: "examples: sync_client, server",
        server: Some(SERVER),
        runs: &[run(
            "sync_client",
            &["--url", "URL", "--address", "example.requests"],
            SHEEP,
        )],
    },
];

/// Builds the examples, runs them against the broker at this URL, and adds a row for each.
pub(super) fn meet(
    peer: &str,
    url: &str,
    meeting: Meeting<'_>,
    matrix: &mut Matrix,
) -> Result<(), String> {
    let wanted: Vec<_> = SCENARIOS
        .iter()
        .filter(|scenario| meeting.rows.wants(scenario.name))
        .collect();
    build(&wanted)?;
    for scenario in wanted {
        let outcome = match meet_all(scenario, url, meeting) {
            Ok(()) => Outcome::Pass,
            Err(error) => Outcome::Fail(error),
        };
        matrix.add(peer, scenario.name, outcome);
    }
    Ok(())
}

fn build(scenarios: &[&Scenario]) -> Result<(), String> {
    if scenarios.is_empty() {
        return Ok(());
    }
    let mut names: Vec<&str> = scenarios
        .iter()
        .flat_map(|scenario| scenario.server.iter().chain(scenario.runs))
        .map(|run| run.example)
        .collect();
    names.sort_unstable();
    names.dedup();
    let mut command = shell::cargo();
    command.args(["build", "--quiet", "--package", "amqp-client"]);
    for name in names {
        command.args(["--example", name]);
    }
    shell::run(&mut command, "mend what the compiler says above")
}

fn meet_all(scenario: &Scenario, url: &str, meeting: Meeting<'_>) -> Result<(), String> {
    // Requests wait in the broker until the server is there.
    let server = scenario.server.as_ref();
    let server = server
        .map(|run| start(run, url, meeting.cache))
        .transpose()?;
    for run in scenario.runs {
        let mut running = start(run, url, meeting.cache)?;
        let status = running.wait(meeting.deadline.at_most(60))?;
        let printed = running.output();
        if !status.success() || printed != run.prints.text() {
            return Err(running.trouble(&format!("ended with {status}, or printed other things")));
        }
    }
    match server {
        Some(server) if server.output().is_empty() => server.stop(10),
        Some(server) => Err(server.trouble("had something to say")),
        None => Ok(()),
    }
}

fn start(run: &Run, url: &str, cache: &Cache) -> Result<Running, String> {
    let mut command = Command::new(program(run.example));
    let fill = |argument: &&str| argument.replace("URL", url);
    command.args(run.arguments.iter().map(fill));
    let name = format!("the example {}", run.example);
    let log = cache.log(&format!("example-{}", run.example));
    Running::start(&name, &mut command, &log)
}

fn program(example: &str) -> PathBuf {
    shell::target_dir().join("debug/examples").join(example)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_example_is_there() {
        for run in SCENARIOS
            .iter()
            .flat_map(|scenario| scenario.server.iter().chain(scenario.runs))
        {
            let file = format!("amqp-client/examples/{}.rs", run.example);
            assert!(shell::root().join(&file).is_file(), "{file}");
        }
    }

    #[test]
    fn what_is_printed_is_told_line_by_line() {
        assert_eq!(Prints::Lines(&["a", "b"]).text(), "a\nb\n");
        assert_eq!(Prints::Messages(2).text(), "message 1\nmessage 2\n");
    }
}
