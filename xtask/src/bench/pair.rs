//! One pair of programs: the receiver is started, says that it listens, the sender is started, both print one line and end.
//!
//! Which pairs there are and what is made of the lines is left to `link`; a wrapper program (callgrind) may be put before each.

use std::{
    io::{BufRead, BufReader, Read},
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::mpsc::{self, RecvTimeoutError},
    thread,
    time::Duration,
};

/// Longest that a run may take before it is stopped and called a failure.
const PATIENCE: Duration = Duration::from_secs(180);

/// What to move, and how.
#[derive(Debug, Clone)]
pub(super) struct Job {
    /// Messages.
    pub(super) count: u64,
    /// `alo` or `presettled`.
    pub(super) mode: &'static str,
    /// Link credit and window.
    pub(super) credit: u32,
    /// Octets of a body.
    pub(super) size: usize,
}

/// The line of one program.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Side {
    /// Wall time in seconds.
    pub(super) elapsed: f64,
    /// CPU time in seconds.
    pub(super) cpu: f64,
}

/// The lines of both.
#[derive(Debug, Clone, Copy)]
pub(super) struct Outcome {
    /// The sender's.
    pub(super) send: Side,
    /// The receiver's.
    pub(super) recv: Side,
}

/// A program that plays both roles, its extra options, and what to put before it.
#[derive(Debug, Clone)]
pub(super) struct Pair {
    /// The executable.
    pub(super) program: PathBuf,
    /// Options beyond those that every program has.
    pub(super) extra: Vec<String>,
}

impl Pair {
    /// Runs both ends. `wrap` makes the command line of a role: the program itself, or a tool that runs it.
    pub(super) fn run(
        &self,
        job: &Job,
        wrap: impl Fn(&str, &Path) -> Command,
    ) -> Result<Outcome, String> {
        let port = free_port()?.to_string();
        let mut receiver = self.start("recv", &port, job, &wrap)?;
        let mut lines = Lines::of(&mut receiver.0)?;
        if lines.next()? != "listening" {
            return Err("the receiver did not say that it listens".to_owned());
        }
        let mut sender = self.start("send", &port, job, &wrap)?;
        let send = parse(&Lines::of(&mut sender.0)?.next()?)?;
        let recv = parse(&lines.next()?)?;
        sender.finish()?;
        receiver.finish()?;
        Ok(Outcome { send, recv })
    }

    fn start(
        &self,
        role: &str,
        port: &str,
        job: &Job,
        wrap: &impl Fn(&str, &Path) -> Command,
    ) -> Result<Running, String> {
        let mut command = wrap(role, &self.program);
        command
            .args([role, "--port", port, "--mode", job.mode])
            .args(["--count", &job.count.to_string()])
            .args(["--credit", &job.credit.to_string()])
            .args(["--size", &job.size.to_string()])
            .args(&self.extra)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let child = command.spawn();
        child
            .map(Running)
            .map_err(|error| format!("cannot start {command:?}: {error}"))
    }
}

/// A child that does not outlive this value.
struct Running(Child);

impl Running {
    fn finish(mut self) -> Result<(), String> {
        let status = self.0.wait().map_err(|error| error.to_string())?;
        if status.success() {
            return Ok(());
        }
        Err(format!("a program ended with {status} after its report"))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The lines that a child prints, each awaited with patience.
struct Lines(mpsc::Receiver<String>);

impl Lines {
    fn of(child: &mut Child) -> Result<Self, String> {
        let out = child.stdout.take().ok_or("the output is not piped")?;
        let err = child.stderr.take().ok_or("the errors are not piped")?;
        let (sender, receiver) = mpsc::channel();
        let also = sender.clone();
        thread::spawn(move || forward(out, &sender, ""));
        thread::spawn(move || forward(err, &also, "error: "));
        Ok(Self(receiver))
    }

    fn next(&mut self) -> Result<String, String> {
        loop {
            let line = self.0.recv_timeout(PATIENCE).map_err(|error| match error {
                RecvTimeoutError::Timeout => "a program went silent before it was done",
                RecvTimeoutError::Disconnected => "a program ended without a report",
            })?;
            // Valgrind's own words begin so.
            match line.strip_prefix("error: ") {
                Some(words) if words.starts_with("==") => {}
                Some(words) => return Err(words.to_owned()),
                None => return Ok(line),
            }
        }
    }
}

fn forward(from: impl Read, to: &mpsc::Sender<String>, prefix: &str) {
    for line in BufReader::new(from).lines().map_while(Result::ok) {
        if to.send(format!("{prefix}{line}")).is_err() {
            return;
        }
    }
}

/// A loopback port below the range that the kernel gives to clients.
fn free_port() -> Result<u16, String> {
    (21_000..32_000)
        .find(|&port| TcpListener::bind(("127.0.0.1", port)).is_ok())
        .ok_or_else(|| "no free port between 21000 and 32000".to_owned())
}

fn parse(line: &str) -> Result<Side, String> {
    let number = |name: &str| {
        let (_, rest) = line.split_once(&format!("\"{name}\":"))?;
        let end = rest.find([',', '}'])?;
        rest[..end].parse::<f64>().ok()
    };
    match (number("elapsed_s"), number("cpu_s")) {
        (Some(elapsed), Some(cpu)) => Ok(Side { elapsed, cpu }),
        _ => Err(format!("not a report: {line}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_is_read() {
        let side = parse(r#"{"role":"send","count":5,"elapsed_s":1.5,"cpu_s":0.250000}"#).unwrap();
        assert_eq!((side.elapsed, side.cpu), (1.5, 0.25));
        assert!(parse("link: refused").is_err());
    }

    #[test]
    fn a_pair_that_never_listens_is_an_error() {
        let pair = Pair {
            program: PathBuf::from("echo"),
            extra: Vec::new(),
        };
        let job = Job {
            count: 1,
            mode: "alo",
            credit: 1,
            size: 1,
        };
        let error = pair
            .run(&job, |_, program| Command::new(program))
            .unwrap_err();
        assert_eq!(error, "the receiver did not say that it listens");
    }
}
