//! `cargo xtask bench`: measures ours beside its peers.

/// Arguments of `cargo xtask bench`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// What to measure: `codec`, `link`, and their options
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    pub(crate) what: Vec<String>,
}

/// Runs the command.
pub(crate) fn run(args: Args) -> Result<(), String> {
    Err(format!("not there yet: {}", args.what.join(" ")))
}
