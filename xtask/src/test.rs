//! `cargo xtask test`: every test of the workspace that needs nothing but a Rust toolchain, documentation tests among them.
//!
//! Live peers are the business of `interop`; measurements of `bench`; the fuzz targets are a workspace of their own.

use crate::shell;

/// Arguments of `cargo xtask test`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Passed on to `cargo test`: a filter, `-p CRATE`, or `-- --nocapture`
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    rest: Vec<String>,
}

/// The tests of what a provider of cryptography does, for the runs with one provider alone.
const SECURE: &[&str] = &["tls", "sasl", "websocket", "deadlines"];

/// Runs the tests with every feature on, which compiles both providers of cryptography, and then those
/// of TLS and SASL with each provider alone.
pub(crate) fn run(args: Args) -> Result<(), String> {
    let mut command = shell::cargo();
    command.arg("test");
    // A package chosen by the user takes the place of the whole workspace.
    let chosen = args
        .rest
        .iter()
        .take_while(|arg| *arg != "--")
        .any(|arg| arg.starts_with("-p") || arg == "--package");
    if !chosen {
        command.arg("--workspace");
    }
    command.arg("--all-features").args(&args.rest);
    shell::run(
        &mut command,
        "read the failed test's message above; `cargo xtask test NAME` runs it alone",
    )?;
    // Whoever asks for something in particular gets that.
    if !args.rest.is_empty() {
        return Ok(());
    }
    ["ring", "aws-lc-rs"].into_iter().try_for_each(secure)
}

fn secure(provider: &str) -> Result<(), String> {
    let features = format!("{provider},websocket,config,opentelemetry");
    let mut command = shell::cargo();
    command.args(["test", "-p", "amqp-client", "--features", &features]);
    for test in SECURE {
        command.args(["--test", test]);
    }
    shell::run(
        &mut command,
        &format!(
            "it fails with {provider} alone: `cargo test -p amqp-client --features {features} --test tls`"
        ),
    )
}
