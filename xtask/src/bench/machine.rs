//! What a number is worth without the machine it was taken on: nothing. Prints the machine and how busy it is.

use std::{fs, process::Command};

/// Prints processor, kernel, compiler and load.
pub(super) fn print() {
    println!(
        "machine: {}; Linux {}; {}; load {}",
        processor(),
        first_line(&read("/proc/sys/kernel/osrelease")),
        compiler(),
        load()
    );
}

/// The load average of the last minute, as the kernel says it.
pub(super) fn load() -> String {
    let all = read("/proc/loadavg");
    all.split(' ').next().unwrap_or("?").to_owned()
}

fn processor() -> String {
    let info = read("/proc/cpuinfo");
    let models: Vec<&str> = info
        .lines()
        .filter_map(|line| line.strip_prefix("model name"))
        .filter_map(|rest| rest.split_once(": "))
        .map(|(_, model)| model)
        .collect();
    match models.first() {
        Some(model) => format!("{} x {model}", models.len()),
        None => "unknown processor".to_owned(),
    }
}

fn compiler() -> String {
    let output = Command::new("rustc").arg("--version").output();
    let text = output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned());
    first_line(&text.unwrap_or_default())
}

fn read(path: &str) -> String {
    fs::read_to_string(path).unwrap_or_default()
}

fn first_line(text: &str) -> String {
    text.lines().next().unwrap_or("?").trim().to_owned()
}
