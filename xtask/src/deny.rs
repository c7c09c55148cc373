//! Licences, advisories and duplicate crates, by `cargo deny`; what is allowed stands in `deny.toml`.
//!
//! The program is not part of this project: where it is missing the check is left out, and said so. The list of advisories
//! comes over the network: where it can not be had, the rest is checked all the same.

use std::process::{Command, Stdio};

use crate::shell;

/// Checks what the lock file brings in.
pub(crate) fn check() -> Result<(), String> {
    let found = Command::new("cargo")
        .args(["deny", "--version"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    if !found.is_ok_and(|status| status.success()) {
        println!(
            "ci: cargo-deny is not installed, so licences, advisories and duplicates are NOT checked: cargo install --locked cargo-deny"
        );
        return Ok(());
    }
    let mend = "replace the crate that is named above, or allow it in deny.toml with a reason";
    let mut command = shell::cargo();
    command.args([
        "deny",
        "check",
        "--hide-inclusion-graph",
        "licenses",
        "bans",
        "sources",
    ]);
    shell::run(&mut command, mend)?;
    let fetched = shell::cargo().args(["deny", "fetch", "db"]).status();
    if !fetched.is_ok_and(|status| status.success()) {
        println!("ci: the list of advisories can not be reached, so advisories are NOT checked");
        return Ok(());
    }
    let mut command = shell::cargo();
    command.args(["deny", "--offline", "check", "advisories"]);
    shell::run(&mut command, mend)
}
