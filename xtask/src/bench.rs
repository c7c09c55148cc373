//! `cargo xtask bench`: measures ours beside its peers, in one run on one machine.
//!
//! The programs live in `amqp-client/bench`, a workspace of its own, so that the peers never enter the main lock file. This module
//! builds and starts them and makes tables of what they print; what is measured and how to read it is in that folder's README.
//! The codec benchmark is one program that prints its own table; the link benchmark runs pairs of programs (`link`).

mod instructions;
mod link;
mod machine;
mod pair;
mod stats;
mod table;

use std::path::PathBuf;

use crate::shell;

/// Arguments of `cargo xtask bench`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// Encode and decode: time and allocations per operation, beside serde_amqp and ntex-amqp-codec
    Codec(CodecArgs),
    /// Messages over one link between two processes: rate, CPU and instructions, beside Proton C, ntex-amqp and fe2o3-amqp
    Link(link::Args),
}

#[derive(Debug, clap::Args)]
#[command(disable_help_flag = true)]
struct CodecArgs {
    /// Passed on to the program: `--rounds N`, `--only WORD`, `--quick`
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    rest: Vec<String>,
}

/// Builds and runs the chosen benchmark.
pub(crate) fn run(args: Args) -> Result<(), String> {
    match args.what {
        What::Codec(args) => {
            let program = build("amqp-bench-codec")?;
            machine::print();
            let mut command = std::process::Command::new(program);
            shell::run(
                command.args(args.rest),
                "read the program's message above; `--help` lists its options",
            )
        }
        What::Link(args) => link::run(&args),
    }
}

/// Builds one program of the benchmark workspace and says where it lies. The peers ask for a newer compiler than they need.
fn build(package: &str) -> Result<PathBuf, String> {
    let folder = shell::root().join("amqp-client/bench");
    let target = shell::target_dir().join("bench");
    let mut command = shell::cargo();
    command
        .args(["build", "--quiet", "--release", "--ignore-rust-version"])
        .args(["--package", package])
        .arg("--manifest-path")
        .arg(folder.join("Cargo.toml"))
        .arg("--target-dir")
        .arg(&target);
    shell::run(&mut command, "mend what the compiler says above")?;
    Ok(target.join("release").join(package))
}
