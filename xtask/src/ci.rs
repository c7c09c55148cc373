//! `cargo xtask ci`: what must hold before a change lands, besides the tests.
//!
//! Every step runs, also after one has failed; the closing lines say for each failed step how to mend it.

use std::process::Command;

use crate::{cite, shell, tidy};

/// Arguments of `cargo xtask ci`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {}

/// Workspaces of their own, which the main workspace's commands do not reach.
const OTHER_WORKSPACES: &[&str] = &["amqp-client/bench/Cargo.toml", "amqp-types/fuzz/Cargo.toml"];

/// Runs every step and sums up.
pub(crate) fn run(_args: Args) -> Result<(), String> {
    let mut failures = Vec::new();
    let mut step = |name: &str, result: Result<(), String>| {
        if let Err(message) = result {
            eprintln!("ci: {name} failed: {message}");
            failures.push(format!("{name}: {message}"));
        }
    };
    step("format", format());
    step("clippy", clippy(&[]));
    step("clippy, all features", clippy(&["--all-features"]));
    step("docs", docs());
    step("codegen", crate::codegen::check());
    step("tidy", tidy::run(tidy::Args {}));
    step("cite", cite::run(cite::Args::default()));
    step("deny", crate::deny::check());
    if failures.is_empty() {
        println!("ci: all steps passed");
        return Ok(());
    }
    Err(format!(
        "ci: {} steps failed\n{}",
        failures.len(),
        failures.join("\n")
    ))
}

fn format() -> Result<(), String> {
    let mend = "cargo fmt --all";
    shell::run(shell::cargo().args(["fmt", "--all", "--check"]), mend)?;
    for manifest in OTHER_WORKSPACES
        .iter()
        .filter(|manifest| shell::root().join(manifest).is_file())
    {
        let mend = format!("cargo fmt --all --manifest-path {manifest}");
        shell::run(
            shell::cargo().args(["fmt", "--all", "--check", "--manifest-path", manifest]),
            &mend,
        )?;
    }
    Ok(())
}

fn clippy(features: &[&str]) -> Result<(), String> {
    let mut command = shell::cargo();
    command
        .args(["clippy", "--workspace", "--all-targets"])
        .args(features)
        .args(["--", "-D", "warnings"]);
    shell::run(
        &mut command,
        "mend what clippy says above; `cargo clippy --fix` can do some of it",
    )
}

fn docs() -> Result<(), String> {
    let mut command: Command = shell::cargo();
    command
        .args(["doc", "--workspace", "--no-deps", "--all-features"])
        .env("RUSTDOCFLAGS", "-D warnings");
    shell::run(
        &mut command,
        "mend the links and blocks that rustdoc names above",
    )
}
