//! `cargo xtask bench link`: small messages over one link between two processes on loopback, ours beside the peers.
//!
//! Every round runs every contender once, so that a busy minute of the machine meets all of them; each round starts with another
//! one. Rates are of the slower end. Programs that are not Rust are compiled here; what is missing is installed with apt-get.

use std::{collections::BTreeMap, path::Path, process::Command};

use super::{
    build, instructions, machine,
    pair::{Job, Outcome, Pair},
    stats::{Summary, grouped},
    table::Table,
};
use crate::shell;

/// Arguments of `cargo xtask bench link`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Messages a run (a contender that is much slower moves a fifth of them)
    #[arg(long, default_value_t = 500_000)]
    count: u64,
    /// Rounds; 0 measures instructions alone
    #[arg(long, default_value_t = 5)]
    runs: usize,
    /// Only these contenders, with commas between them: ours, ours-1-thread, proton-c, ntex-amqp, fe2o3-amqp, fe2o3-batch
    #[arg(long, value_delimiter = ',')]
    only: Vec<String>,
    /// Two rounds of a tenth of the messages, no instructions
    #[arg(long)]
    quick: bool,
    /// Leave the instructions out (they take callgrind and a minute)
    #[arg(long)]
    no_instructions: bool,
    /// Octets of a body
    #[arg(long, default_value_t = 100)]
    size: usize,
    /// Link credit, and the most sends in flight
    #[arg(long, default_value_t = 1000)]
    credit: u32,
}

/// Who is measured.
struct Contender {
    name: &'static str,
    source: Source,
    extra: &'static [&'static str],
    modes: &'static [&'static str],
    /// Moves a fifth of the messages, so that a run is not mostly this one.
    slow: bool,
    instructions: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Source {
    Cargo(&'static str),
    ProtonC,
}

const MODES: [(&str, &str); 2] = [("alo", "at-least-once"), ("presettled", "pre-settled")];

const CONTENDERS: [Contender; 6] = [
    Contender {
        name: OURS,
        source: Source::Cargo("amqp-bench-link"),
        extra: &[],
        modes: &["alo", "presettled"],
        slow: false,
        instructions: true,
    },
    Contender {
        name: "ours-1-thread",
        source: Source::Cargo("amqp-bench-link"),
        extra: &["--threads", "1"],
        modes: &["alo", "presettled"],
        slow: false,
        instructions: true,
    },
    Contender {
        name: "proton-c",
        source: Source::ProtonC,
        extra: &[],
        modes: &["alo", "presettled"],
        slow: false,
        instructions: true,
    },
    Contender {
        name: "ntex-amqp",
        source: Source::Cargo("amqp-bench-link-ntex"),
        extra: &[],
        modes: &["alo", "presettled"],
        slow: false,
        instructions: true,
    },
    Contender {
        name: "fe2o3-amqp",
        source: Source::Cargo("amqp-bench-link-fe2o3"),
        extra: &[],
        modes: &["alo", "presettled"],
        slow: true,
        instructions: true,
    },
    Contender {
        name: "fe2o3-batch",
        source: Source::Cargo("amqp-bench-link-fe2o3"),
        extra: &["--batch", "50"],
        modes: &["alo"],
        slow: true,
        instructions: false,
    },
];

/// The one that the ratios are of.
const OURS: &str = "ours";

/// Builds, measures, prints.
pub(super) fn run(args: &Args) -> Result<(), String> {
    let contenders = chosen(args)?;
    let (count, runs) = if args.quick {
        (args.count / 10, args.runs.min(2))
    } else {
        (args.count, args.runs)
    };
    machine::print();
    println!(
        "{count} messages of {} octets, credit {}, {runs} rounds",
        args.size, args.credit
    );
    for (mode, title) in MODES {
        let job = |slow: bool| Job {
            count: if slow { count / 5 } else { count },
            mode,
            credit: args.credit,
            size: args.size,
        };
        let entered: Vec<&(&Contender, Pair)> = contenders
            .iter()
            .filter(|(contender, _)| contender.modes.contains(&mode))
            .collect();
        let before = machine::load();
        let outcomes = rounds(&entered, runs, job)?;
        if runs > 0 {
            println!(
                "\n{title} (load {before} before, {} after)",
                machine::load()
            );
            print!("{}", rates(&entered, &outcomes, job).render());
        }
        if !args.quick && !args.no_instructions {
            println!("\n{title}, instructions per message");
            print!("{}", instruction_table(&entered, &job(false))?.render());
        }
    }
    Ok(())
}

fn chosen(args: &Args) -> Result<Vec<(&'static Contender, Pair)>, String> {
    let known = |name: &String| CONTENDERS.iter().any(|contender| contender.name == name);
    if let Some(stranger) = args.only.iter().find(|&name| !known(name)) {
        let names = CONTENDERS.map(|contender| contender.name).join(", ");
        return Err(format!("--only {stranger}: there is {names}"));
    }
    let wanted = |name: &str| args.only.is_empty() || args.only.iter().any(|only| only == name);
    let mut out: Vec<(&'static Contender, Pair)> = Vec::new();
    for contender in CONTENDERS.iter().filter(|contender| wanted(contender.name)) {
        // Two contenders may be one program with other options: built once, so that both are of the same sources.
        let built = out
            .iter()
            .find(|(other, _)| other.source == contender.source);
        let program = match (built, contender.source) {
            (Some((_, pair)), _) => pair.program.clone(),
            (None, Source::Cargo(package)) => build(package)?,
            (None, Source::ProtonC) => compile_proton()?,
        };
        let extra = contender
            .extra
            .iter()
            .map(|&word| word.to_owned())
            .collect();
        out.push((contender, Pair { program, extra }));
    }
    if !args.quick && !args.no_instructions {
        install("valgrind", &["valgrind"], Path::new("/usr/bin/valgrind"))?;
    }
    Ok(out)
}

/// Runs everybody once a round.
fn rounds(
    entered: &[&(&'static Contender, Pair)],
    runs: usize,
    job: impl Fn(bool) -> Job,
) -> Result<BTreeMap<&'static str, Vec<Outcome>>, String> {
    let mut outcomes: BTreeMap<&'static str, Vec<Outcome>> = BTreeMap::new();
    for round in 0..runs {
        for at in 0..entered.len() {
            let (contender, pair) = entered[(at + round) % entered.len()];
            let outcome = pair
                .run(&job(contender.slow), |_, program| Command::new(program))
                .map_err(|error| format!("{}: {error}", contender.name))?;
            outcomes.entry(contender.name).or_default().push(outcome);
        }
    }
    Ok(outcomes)
}

fn rates(
    entered: &[&(&'static Contender, Pair)],
    outcomes: &BTreeMap<&'static str, Vec<Outcome>>,
    job: impl Fn(bool) -> Job,
) -> Table {
    let mut table = Table::new(&[
        "",
        "messages/s median (min-max)",
        "ours is x times",
        "CPU us/msg send",
        "CPU us/msg recv",
    ]);
    let rate_of = |name: &str, slow: bool| -> Vec<f64> {
        let runs = outcomes.get(name).map(Vec::as_slice).unwrap_or_default();
        let count = job(slow).count as f64;
        runs.iter()
            .map(|run| count / run.send.elapsed.max(run.recv.elapsed))
            .collect()
    };
    let ours = rate_of(OURS, false);
    for (contender, _) in entered {
        let rate = rate_of(contender.name, contender.slow);
        let count = job(contender.slow).count as f64;
        let runs = &outcomes[contender.name];
        let cpu = |side: &dyn Fn(&Outcome) -> f64| {
            let values: Vec<f64> = runs.iter().map(|run| side(run) * 1e6 / count).collect();
            Summary::of(&values).map_or_else(String::new, |summary| summary.with_decimals(2))
        };
        // Of the same round, so that both met the same load.
        let ratios: Vec<f64> = ours.iter().zip(&rate).map(|(ours, it)| ours / it).collect();
        table.row(vec![
            contender.name.to_owned(),
            Summary::of(&rate).map_or_else(String::new, |summary| summary.grouped()),
            Summary::of(&ratios).map_or_else(|| "-".to_owned(), |summary| summary.with_decimals(2)),
            cpu(&|run| run.send.cpu),
            cpu(&|run| run.recv.cpu),
        ]);
    }
    table
}

fn instruction_table(entered: &[&(&'static Contender, Pair)], job: &Job) -> Result<Table, String> {
    let mut table = Table::new(&["", "send", "recv", "both"]);
    for (contender, pair) in entered {
        if !contender.instructions {
            continue;
        }
        let per_message = instructions::measure(pair, job, (20_000, 60_000))
            .map_err(|error| format!("{} under callgrind: {error}", contender.name))?;
        table.row(vec![
            contender.name.to_owned(),
            grouped(per_message.send),
            grouped(per_message.recv),
            grouped(per_message.send + per_message.recv),
        ]);
    }
    Ok(table)
}

/// Compiles the C program against Debian's libraries, which lack the usual links for the linker.
fn compile_proton() -> Result<std::path::PathBuf, String> {
    install(
        "Proton C",
        &["gcc", "libc6-dev", "libqpid-proton11-dev"],
        Path::new("/usr/include/proton/proactor.h"),
    )?;
    let source = shell::root().join("amqp-client/bench/proton/link.c");
    let folder = shell::target_dir().join("bench");
    std::fs::create_dir_all(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    let program = folder.join("link-proton-c");
    let mut command = Command::new("gcc");
    command
        .args(["-O2", "-Wall", "-Wextra", "-o"])
        .arg(&program)
        .arg(source)
        .args([
            "-l:libqpid-proton-proactor.so.1",
            "-l:libqpid-proton-core.so.10",
        ])
        .arg("-lpthread");
    shell::run(
        &mut command,
        "the program is written for Proton 0.37, Debian's libqpid-proton11",
    )?;
    Ok(program)
}

/// Installs Debian packages unless the file that they bring is there.
fn install(what: &str, packages: &[&str], brings: &Path) -> Result<(), String> {
    if brings.exists() {
        return Ok(());
    }
    let mend = format!(
        "{what} is not installed and apt-get could not do it: install {}, or leave it out with --only or --no-instructions",
        packages.join(" ")
    );
    shell::run(Command::new("apt-get").args(["update", "-qq"]), &mend)?;
    let mut command = Command::new("apt-get");
    command
        .args(["install", "-y", "-qq", "--no-install-recommends"])
        .args(packages);
    shell::run(&mut command, &mend)
}
