//! `cargo xtask demo`: shows that the generated types are those of the XML, then runs the client's demo program.
//!
//! The demo itself is an example of `amqp-client`; its options are passed on, `--url amqp://…` among them.

use crate::shell;

/// Arguments of `cargo xtask demo`.
#[derive(Debug, clap::Args)]
#[command(disable_help_flag = true)]
pub(crate) struct Args {
    /// Passed on to the demo program: `--url amqp://…`, `--messages N`, `--help`
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    rest: Vec<String>,
}

/// Compares the generated tree, then builds and runs the demo.
pub(crate) fn run(args: Args) -> Result<(), String> {
    crate::codegen::check()?;
    let mut command = shell::cargo();
    command
        .args([
            "run",
            "--quiet",
            "--release",
            "--package",
            "amqp-client",
            "--example",
            "demo",
            "--",
        ])
        .args(&args.rest);
    shell::run(
        &mut command,
        "read the demo's message above; `cargo xtask demo --help` lists its options",
    )
}
