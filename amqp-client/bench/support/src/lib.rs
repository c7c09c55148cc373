//! What the Rust programs of the link benchmark share, so that they differ in nothing but the library they drive:
//! the command line ([`Options`]), the two clocks ([`Stopwatch`]) and the line that each prints ([`Report`]).
//!
//! The Proton C program repeats the same three things in C. Running the pairs, and what is made of the lines, is left
//! to `cargo xtask bench link`.
#![forbid(unsafe_code)]

use std::{process::ExitCode, time::Instant};

use rustix::time::{ClockId, clock_gettime};

/// Which end of the link a process is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Connects and sends.
    Send,
    /// Listens, counts and accepts.
    Recv,
}

/// Whether messages are settled by the outcome or before they leave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Sent unsettled; the sender waits for every outcome.
    AtLeastOnce,
    /// Sent settled.
    PreSettled,
}

/// `<prog> recv|send --port P --count N --mode alo|presettled --credit C --size S [--batch B] [--threads T]`
#[derive(Clone, Debug)]
pub struct Options {
    /// The end that this process plays.
    pub role: Role,
    /// TCP port on 127.0.0.1.
    pub port: u16,
    /// Messages to move.
    pub count: u64,
    /// Settlement.
    pub mode: Mode,
    /// Link credit of the receiver, and the most sends in flight of the sender.
    pub credit: u32,
    /// Octets of the one data section of a message.
    pub size: usize,
    /// Deliveries accepted with one call, where the library has such a call; 1 accepts each by itself.
    pub batch: usize,
    /// Threads of the runtime, where the program lets one choose; 0 is the default of that runtime.
    pub threads: usize,
}

impl Options {
    /// Reads the command line.
    ///
    /// # Errors
    /// A sentence that names the argument that is missing or not understood.
    pub fn from_args() -> Result<Self, String> {
        Self::parse(std::env::args().skip(1))
    }

    fn parse(mut args: impl Iterator<Item = String>) -> Result<Self, String> {
        let role = match args.next().as_deref() {
            Some("send") => Role::Send,
            Some("recv") => Role::Recv,
            other => return Err(format!("the role is send or recv, not {other:?}")),
        };
        let mut options = Self {
            role,
            port: 0,
            count: 100_000,
            mode: Mode::AtLeastOnce,
            credit: 1000,
            size: 100,
            batch: 1,
            threads: 0,
        };
        while let Some(name) = args.next() {
            let value = args.next().ok_or_else(|| format!("{name} has no value"))?;
            match name.as_str() {
                "--port" => options.port = number(&name, &value)?,
                "--count" => options.count = number(&name, &value)?,
                "--credit" => options.credit = number(&name, &value)?,
                "--size" => options.size = number(&name, &value)?,
                "--threads" => options.threads = number(&name, &value)?,
                "--batch" => options.batch = number(&name, &value)?,
                "--mode" => {
                    options.mode = match value.as_str() {
                        "alo" => Mode::AtLeastOnce,
                        "presettled" => Mode::PreSettled,
                        _ => return Err(format!("--mode is alo or presettled, not {value}")),
                    }
                }
                _ => return Err(format!("{name} is not an option")),
            }
        }
        if options.port == 0 {
            return Err("--port is missing".into());
        }
        Ok(options)
    }

    /// The body that the sender repeats.
    #[must_use]
    pub fn payload(&self) -> Vec<u8> {
        vec![b'x'; self.size]
    }
}

fn number<T: std::str::FromStr>(name: &str, value: &str) -> Result<T, String> {
    value
        .parse()
        .map_err(|_| format!("{name} is a number, not {value}"))
}

/// Says that the listener accepts connections: the runner waits for this line before it starts the sender.
pub fn announce_listening() {
    println!("listening");
}

/// Wall time and the CPU time of this process since a moment that the program chose: the sender's first send, the
/// receiver's first message. Connecting and attaching are not measured.
#[derive(Debug)]
pub struct Stopwatch {
    started: Instant,
    cpu_before: f64,
    elapsed: Option<f64>,
}

impl Stopwatch {
    /// Starts both clocks.
    #[must_use]
    pub fn start() -> Self {
        Self {
            started: Instant::now(),
            cpu_before: process_cpu(),
            elapsed: None,
        }
    }

    /// Stops the wall clock; the CPU clock runs on, so that what the library still owes is counted.
    pub fn stop(&mut self) {
        self.elapsed = Some(self.started.elapsed().as_secs_f64());
    }

    /// What the clocks say; ends the wall clock if it still runs.
    #[must_use]
    pub fn report(mut self, role: Role, count: u64) -> Report {
        if self.elapsed.is_none() {
            self.stop();
        }
        let elapsed_s = self.elapsed.unwrap_or_default();
        Report {
            role,
            count,
            elapsed_s,
            cpu_s: process_cpu() - self.cpu_before,
        }
    }
}

/// Seconds of user and system time of all threads of this process.
fn process_cpu() -> f64 {
    seconds(ClockId::ProcessCPUTime)
}

/// Seconds of user and system time of the calling thread: what the codec benchmark measures with.
#[must_use]
pub fn thread_cpu() -> f64 {
    seconds(ClockId::ThreadCPUTime)
}

fn seconds(clock: ClockId) -> f64 {
    let time = clock_gettime(clock);
    // Far below 2^52 seconds and nanoseconds, so both are exact as f64.
    time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
}

/// The line that a program prints when it is done.
#[derive(Debug)]
pub struct Report {
    /// The end that was played.
    pub role: Role,
    /// Messages moved, all of them counted by the program.
    pub count: u64,
    /// Wall time in seconds.
    pub elapsed_s: f64,
    /// CPU time of the process in seconds.
    pub cpu_s: f64,
}

impl Report {
    fn print(&self) {
        let role = match self.role {
            Role::Send => "send",
            Role::Recv => "recv",
        };
        println!(
            "{{\"role\":\"{role}\",\"count\":{},\"elapsed_s\":{:.6},\"cpu_s\":{:.6}}}",
            self.count, self.elapsed_s, self.cpu_s
        );
    }
}

/// Prints the report, or the error and a failing exit code.
pub fn finish(program: &str, result: Result<Report, Box<dyn std::error::Error>>) -> ExitCode {
    match result {
        Ok(report) => {
            report.print();
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("{program}: {error}");
            ExitCode::FAILURE
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Options, String> {
        Options::parse(line.split_whitespace().map(str::to_owned))
    }

    #[test]
    fn a_whole_command_line_is_understood() {
        let o =
            parse("send --port 21000 --count 5 --mode presettled --credit 7 --size 9 --batch 50")
                .unwrap();
        assert_eq!(
            (o.role, o.port, o.count, o.mode),
            (Role::Send, 21000, 5, Mode::PreSettled)
        );
        assert_eq!(
            (o.credit, o.size, o.batch, o.payload().len()),
            (7, 9, 50, 9)
        );
    }

    #[test]
    fn what_is_not_understood_is_named() {
        assert_eq!(parse("recv").unwrap_err(), "--port is missing");
        assert_eq!(
            parse("recv --port x").unwrap_err(),
            "--port is a number, not x"
        );
        assert_eq!(
            parse("recv --prot 1").unwrap_err(),
            "--prot is not an option"
        );
    }
}
