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

/// Runs the tests with every feature on.
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
    )
}
