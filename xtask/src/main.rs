//! `cargo xtask`: every command that the project is worked with, one module each.
//!
//! This file only reads the command line and hands over. What CI checks is always one of these commands, and the message of a
//! failed one says how to mend it. The crate depends on the generator alone and starts everything else as a program, so that it
//! builds and runs while the generated tree is missing or broken.

mod bench;
mod ci;
mod cite;
mod codegen;
mod demo;
mod deny;
mod interop;
mod shell;
mod source;
mod test;
mod tidy;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// The project's commands.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", disable_help_subcommand = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Write the typed protocol crate from the XML in `spec/`
    Codegen(codegen::Args),
    /// Regenerate, start the embedded broker (or use --url) and pass messages through it
    Demo(demo::Args),
    /// Run all tests that need nothing installed
    Test(test::Args),
    /// Format, clippy, docs, codegen --check, tidy, cite: what must hold before a change lands
    Ci(ci::Args),
    /// Check layers, purity of the engine, file heads and sizes
    Tidy(tidy::Args),
    /// Compare the rules of the standard with their citations in code and tests
    Cite(cite::Args),
    /// Install, start and stop real peers on loopback and run our client and listener against them
    Interop(interop::Args),
    /// Measure ours beside its peers
    Bench(bench::Args),
}

fn main() -> ExitCode {
    let result = match Cli::parse().command {
        Command::Codegen(args) => crate::codegen::run(args),
        Command::Demo(args) => demo::run(args),
        Command::Test(args) => test::run(args),
        Command::Ci(args) => ci::run(args),
        Command::Tidy(args) => tidy::run(args),
        Command::Cite(args) => cite::run(args),
        Command::Interop(args) => interop::run(args),
        Command::Bench(args) => bench::run(args),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("xtask: {message}");
            ExitCode::FAILURE
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::Cli;

    #[test]
    fn the_command_line_is_well_formed() {
        Cli::command().debug_assert();
    }
}
