//! `cargo xtask demo`.

/// Arguments of `cargo xtask demo`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {}

/// Runs the command.
pub(crate) fn run(_args: Args) -> Result<(), String> {
    Err("not there yet".into())
}
