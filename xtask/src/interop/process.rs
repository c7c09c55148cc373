//! Programs that run beside this one: started with a log, waited for with a deadline, stopped by the id that is held.
//!
//! A guard that is dropped ends its program, so that an error on any path leaves nothing running. Programs stay in this program's
//! process group: an interrupt at the terminal, or a time-out that ends this program's group, reaches them too.

use std::fs::File;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::shell;

/// How often a condition is looked at.
const POLL: Duration = Duration::from_millis(25);

/// How many lines of a log an error shows.
const TAIL: usize = 30;

/// A point in time after which nothing is waited for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Deadline(Instant);

impl Deadline {
    pub(crate) fn after(duration: Duration) -> Self {
        Self(Instant::now() + duration)
    }

    /// The earlier of this one and so many seconds from now.
    pub(crate) fn at_most(self, seconds: u64) -> Self {
        Self(self.0.min(Instant::now() + Duration::from_secs(seconds)))
    }

    pub(crate) fn passed(self) -> bool {
        Instant::now() >= self.0
    }
}

/// A program in the background. Dropping it kills it.
#[derive(Debug)]
pub(crate) struct Running {
    name: String,
    child: Child,
    log: PathBuf,
}

impl Running {
    /// Starts the command with its output in `log` and nothing on its input.
    pub(crate) fn start(name: &str, command: &mut Command, log: &Path) -> Result<Self, String> {
        let line = shell::display(command);
        let file = File::create(log).map_err(|error| format!("{}: {error}", log.display()))?;
        let copy = file
            .try_clone()
            .map_err(|error| format!("{}: {error}", log.display()))?;
        command.stdin(Stdio::null()).stdout(file).stderr(copy);
        let child = command
            .spawn()
            .map_err(|error| format!("cannot start `{line}`: {error}"))?;
        Ok(Self {
            name: name.to_owned(),
            child,
            log: log.to_owned(),
        })
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Waits until the log holds the text. An early end of the program and a passed deadline are errors that show the log.
    pub(crate) fn wait_for_log(&mut self, text: &str, deadline: Deadline) -> Result<(), String> {
        loop {
            if self.output().contains(text) {
                return Ok(());
            }
            if let Some(status) = self.ended()? {
                return Err(self.trouble(&format!("ended before it was ready ({status})")));
            }
            if deadline.passed() {
                return Err(self.trouble(&format!("was not ready in time: no `{text}` in its log")));
            }
            sleep(POLL);
        }
    }

    /// Waits for the program's own end; one that is still there at the deadline is killed.
    pub(crate) fn wait(&mut self, deadline: Deadline) -> Result<ExitStatus, String> {
        loop {
            if let Some(status) = self.ended()? {
                return Ok(status);
            }
            if deadline.passed() {
                self.kill();
                return Err(self.trouble("did not end in time and was killed"));
            }
            sleep(POLL);
        }
    }

    /// Asks the program to end (SIGTERM) and kills it if it has not after so many seconds.
    pub(crate) fn stop(mut self, seconds: u64) -> Result<(), String> {
        signal("TERM", self.id())?;
        let deadline = Deadline::after(Duration::from_secs(seconds));
        while self.ended()?.is_none() {
            if deadline.passed() {
                self.kill();
                return Err(
                    self.trouble(&format!("did not stop within {seconds} s and was killed"))
                );
            }
            sleep(POLL);
        }
        Ok(())
    }

    /// What the program has written so far.
    pub(crate) fn output(&self) -> String {
        std::fs::read(&self.log)
            .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
            .unwrap_or_default()
    }

    /// An error about this program with the end of its log.
    pub(crate) fn trouble(&self, what: &str) -> String {
        format!(
            "{} {what}; the end of {}:\n{}",
            self.name,
            self.log.display(),
            tail(&self.output())
        )
    }

    fn ended(&mut self) -> Result<Option<ExitStatus>, String> {
        self.child
            .try_wait()
            .map_err(|error| format!("{}: {error}", self.name))
    }

    fn kill(&mut self) {
        // A program that has ended already is what is wanted.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Runs a command to its end and gives what it wrote. A failure is an error that shows the log.
pub(crate) fn run(
    name: &str,
    command: &mut Command,
    log: &Path,
    deadline: Deadline,
) -> Result<String, String> {
    let line = shell::display(command);
    let mut running = Running::start(name, command, log)?;
    let status = running.wait(deadline)?;
    if status.success() {
        return Ok(running.output());
    }
    Err(running.trouble(&format!("failed ({status}): `{line}`")))
}

/// The first of so many consecutive free ports on loopback, below the range from which the system takes ports by itself.
pub(crate) fn free_ports(count: u16) -> Result<u16, String> {
    const FIRST: u16 = 20_000;
    const LAST: u16 = 32_000;
    // Two runs at the same time start at different places.
    let offset = (std::process::id() % 1_000) as u16 * 10;
    let candidates = (FIRST + offset..LAST)
        .chain(FIRST..FIRST + offset)
        .step_by(usize::from(count.max(1)));
    for first in candidates {
        let all_free =
            (first..first + count).all(|port| TcpListener::bind(("127.0.0.1", port)).is_ok());
        if all_free {
            return Ok(first);
        }
    }
    Err(format!(
        "no {count} free ports in a row between {FIRST} and {LAST}"
    ))
}

fn signal(name: &str, id: u32) -> Result<(), String> {
    let mut command = Command::new("sh");
    command
        .args(["-c", "kill -s \"$0\" \"$1\"", name, &id.to_string()])
        .stdin(Stdio::null())
        .stderr(Stdio::null());
    command
        .status()
        .map(drop)
        .map_err(|error| format!("cannot start `sh`: {error}"))
}

fn tail(text: &str) -> String {
    let lines: Vec<&str> = text.lines().collect();
    let shown = &lines[lines.len().saturating_sub(TAIL)..];
    shown.iter().map(|line| format!("  | {line}\n")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn log(name: &str) -> PathBuf {
        let folder = shell::target_dir().join("xtask-tests");
        std::fs::create_dir_all(&folder).unwrap();
        folder.join(name)
    }

    fn script(text: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", text]);
        command
    }

    fn soon() -> Deadline {
        Deadline::after(Duration::from_secs(20))
    }

    fn is_alive(id: u32) -> bool {
        Path::new(&format!("/proc/{id}/stat")).exists()
    }

    #[test]
    fn output_and_failure_are_reported() {
        assert_eq!(
            run("it", &mut script("echo a; echo b >&2"), &log("a"), soon()).unwrap(),
            "a\nb\n"
        );
        let error = run("it", &mut script("echo why; exit 3"), &log("b"), soon()).unwrap_err();
        assert!(
            error.contains("it failed (exit status: 3)") && error.contains("  | why"),
            "{error}"
        );
    }

    #[test]
    fn readiness_is_read_from_the_log() {
        let mut running =
            Running::start("it", &mut script("echo ready; exec sleep 60"), &log("c")).unwrap();
        running.wait_for_log("ready", soon()).unwrap();
        running.stop(10).unwrap();
    }

    #[test]
    fn a_program_that_ends_early_is_not_ready() {
        let mut running = Running::start("it", &mut script("echo sorry"), &log("d")).unwrap();
        let error = running.wait_for_log("ready", soon()).unwrap_err();
        assert!(
            error.contains("ended before it was ready") && error.contains("sorry"),
            "{error}"
        );
    }

    #[test]
    fn nothing_outlives_its_deadline_or_its_guard() {
        let mut running = Running::start("it", &mut script("exec sleep 60"), &log("e")).unwrap();
        let id = running.id();
        assert!(
            running
                .wait(Deadline::after(Duration::ZERO))
                .unwrap_err()
                .contains("was killed")
        );
        assert!(!is_alive(id));
        let other = Running::start("it", &mut script("exec sleep 60"), &log("f")).unwrap();
        let id = other.id();
        drop(other);
        assert!(!is_alive(id));
    }

    #[test]
    fn ports_are_free_and_below_the_systems_own() {
        let first = free_ports(3).unwrap();
        assert!((20_000..32_000).contains(&first));
    }
}
