//! Running other programs and finding the workspace: the few things that every command needs.
//!
//! Programs inherit the terminal; their output is the user's. Programs that run in the background and must be stopped again are
//! the business of `interop/process.rs`.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

/// The folder that holds the workspace's `Cargo.toml`.
pub(crate) fn root() -> PathBuf {
    // invariant: the manifest of xtask lies one folder below the workspace's.
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("xtask lies inside the workspace")
        .to_path_buf()
}

/// Where cargo puts what it builds: `CARGO_TARGET_DIR`, else `target` in the workspace.
pub(crate) fn target_dir() -> PathBuf {
    let set = std::env::var_os("CARGO_TARGET_DIR").filter(|value| !value.is_empty());
    set.map_or_else(|| root().join("target"), |value| root().join(value))
}

/// The cargo that started this program, or the one on the path.
pub(crate) fn cargo() -> Command {
    let mut command =
        Command::new(std::env::var_os("CARGO").unwrap_or_else(|| OsString::from("cargo")));
    command.current_dir(root()).stdin(Stdio::null());
    command
}

/// Runs the command to its end, after printing it. The error names the command and what to do (`mend`).
pub(crate) fn run(command: &mut Command, mend: &str) -> Result<(), String> {
    let line = display(command);
    eprintln!("$ {line}");
    let started = Instant::now();
    let status = command
        .status()
        .map_err(|error| format!("cannot start `{line}`: {error}"))?;
    if status.success() {
        eprintln!("  done in {:.1} s", started.elapsed().as_secs_f64());
        return Ok(());
    }
    Err(format!("`{line}` failed ({status})\n  to mend it: {mend}"))
}

/// The command as a person would type it.
pub(crate) fn display(command: &Command) -> String {
    let program = Path::new(command.get_program())
        .file_name()
        .unwrap_or(command.get_program());
    let mut line = program.to_string_lossy().into_owned();
    for argument in command.get_args() {
        line.push(' ');
        line.push_str(&argument.to_string_lossy());
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_workspace_is_found() {
        assert!(root().join("Cargo.toml").is_file());
        assert!(root().join("xtask").is_dir());
    }

    #[test]
    fn a_failed_command_names_itself_and_the_cure() {
        let error = run(&mut Command::new("false"), "think again").unwrap_err();
        assert!(error.contains("`false` failed"), "{error}");
        assert!(error.contains("to mend it: think again"), "{error}");
    }

    #[test]
    fn a_missing_program_is_an_error() {
        let error = run(&mut Command::new("no-such-program-here"), "").unwrap_err();
        assert!(
            error.starts_with("cannot start `no-such-program-here`"),
            "{error}"
        );
    }
}
