//! Instructions per message and side: both ends run under callgrind with two counts, the totals are subtracted, so that start,
//! attach and close cancel out.
//!
//! Instructions do not move with the load of the machine, which makes them the number to compare small changes by. They see user
//! code alone: system calls are not in them.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use super::pair::{Job, Pair};
use crate::shell;

/// Instructions per message of each side.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct PerMessage {
    /// Of the sender.
    pub(super) send: f64,
    /// Of the receiver.
    pub(super) recv: f64,
}

/// Measures with `counts.0` and `counts.1` messages; `job.count` is not used.
pub(super) fn measure(pair: &Pair, job: &Job, counts: (u64, u64)) -> Result<PerMessage, String> {
    let few = totals(pair, job, counts.0)?;
    let many = totals(pair, job, counts.1)?;
    let messages = (counts.1 - counts.0) as f64;
    Ok(PerMessage {
        send: (many.0 - few.0) / messages,
        recv: (many.1 - few.1) / messages,
    })
}

fn totals(pair: &Pair, job: &Job, count: u64) -> Result<(f64, f64), String> {
    let job = Job {
        count,
        ..job.clone()
    };
    let folder = shell::target_dir().join("bench/callgrind");
    fs::create_dir_all(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    let file = |role: &str| folder.join(format!("{role}.out"));
    pair.run(&job, |role, program| under_callgrind(program, &file(role)))?;
    Ok((total(&file("send"))?, total(&file("recv"))?))
}

fn under_callgrind(program: &Path, out: &Path) -> Command {
    let mut command = Command::new("valgrind");
    command
        .args(["--quiet", "--tool=callgrind"])
        .arg(format!("--callgrind-out-file={}", out.display()))
        .arg(program);
    command
}

fn total(file: &PathBuf) -> Result<f64, String> {
    let text = fs::read_to_string(file).map_err(|error| format!("{}: {error}", file.display()))?;
    sum(&text).ok_or_else(|| format!("{}: no total", file.display()))
}

/// The sum over all parts and threads of a profile.
fn sum(profile: &str) -> Option<f64> {
    let totals = profile
        .lines()
        .filter_map(|line| line.strip_prefix("totals: "));
    let numbers: Vec<f64> = totals
        .filter_map(|total| total.trim().parse().ok())
        .collect();
    (!numbers.is_empty()).then(|| numbers.iter().sum())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_totals_of_a_profile_are_added_up() {
        assert_eq!(
            sum("events: Ir\ntotals: 12\npart: 2\ntotals: 30\n"),
            Some(42.0)
        );
        assert_eq!(sum("events: Ir\n"), None);
    }
}
