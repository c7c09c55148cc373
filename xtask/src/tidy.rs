//! `cargo xtask tidy`: the rules of the house that no compiler checks.
//!
//! The checks are pure functions from source files to findings, a module each: `layers` (a module names only modules below it),
//! `purity` (the engine does no IO and reads no clock), `text` (heads, sizes, leftovers, paths of somebody's machine, invariants).
//! A finding says where, what, and how to mend it; warnings do not fail the run.

mod layers;
mod paths;
mod purity;
mod text;

use std::fmt;

use crate::shell;
use crate::source::{self, SourceFile};

/// Arguments of `cargo xtask tidy`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {}

/// Something that a check has to say about a line.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Finding {
    path: String,
    line: usize,
    message: String,
    warning: bool,
}

impl Finding {
    fn error(path: &str, line: usize, message: impl Into<String>) -> Self {
        Self {
            path: path.to_owned(),
            line,
            message: message.into(),
            warning: false,
        }
    }

    fn warning(path: &str, line: usize, message: impl Into<String>) -> Self {
        Self {
            warning: true,
            ..Self::error(path, line, message)
        }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = if self.warning { "warning" } else { "error" };
        write!(f, "{kind}: {}:{}: {}", self.path, self.line, self.message)
    }
}

/// Runs every check over the files that git knows.
pub(crate) fn run(_args: Args) -> Result<(), String> {
    let root = shell::root();
    let names = source::tracked_files(&root)?;
    let files = source::read_rust(&root, &names)?;
    let mut findings = check(&files);
    for name in names.iter().filter(|name| text::is_prose_or_script(name)) {
        let content =
            std::fs::read_to_string(root.join(name)).map_err(|error| format!("{name}: {error}"))?;
        findings.extend(text::lines(name, &content));
    }
    findings.sort();
    for finding in &findings {
        eprintln!("{finding}");
    }
    let warnings = findings.iter().filter(|finding| finding.warning).count();
    let errors = findings.len() - warnings;
    println!(
        "tidy: {} Rust files, {errors} errors, {warnings} warnings",
        files.len()
    );
    if errors > 0 {
        Err(format!(
            "tidy found {errors} errors; each line above says how to mend it"
        ))
    } else {
        Ok(())
    }
}

fn check(files: &[SourceFile]) -> Vec<Finding> {
    let mut findings = layers::check(files);
    for file in files {
        findings.extend(purity::check(file));
        findings.extend(text::check(file));
    }
    findings
}
