//! The codec benchmark: seven shapes, encoded and decoded by amqp-types, serde_amqp with fe2o3-amqp-types, and
//! ntex-amqp-codec, side by side in one process.
//!
//! All decode the same octets (those that ours writes) and encode equal values into a buffer that is reused. Times are CPU
//! time of the thread, taken in short batches whose contenders alternate, so that a busy machine disturbs all alike.
//! Allocations are counted in a pass of their own. How to read the table is in the README of this workspace.

mod alloc;
mod fe2o3;
mod measure;
mod ntex;
mod ours;
mod sample;
mod table;

use std::process::ExitCode;

use measure::{Effort, Measured, Run};
use sample::{SHAPES, Shape};

const HELP: &str = "\
cargo xtask bench codec [--rounds N] [--only WORD] [--quick]
  --rounds N   batches of each operation (default 31)
  --only WORD  shapes whose name holds the word
  --quick      few and short batches: for a look, not for a quote";

/// What is done with a shape.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Operation {
    /// A value into a reused buffer.
    Encode,
    /// Octets into a value, wholly.
    Decode,
    /// Octets of a message into an index of its sections; only ours can.
    Index,
}

impl Operation {
    fn name(self) -> &'static str {
        match self {
            Self::Encode => "encode",
            Self::Decode => "decode",
            Self::Index => "index",
        }
    }
}

/// One line of the table.
struct Line {
    shape: Shape,
    operation: Operation,
    octets: usize,
    ours: Measured,
    fe2o3: Option<Measured>,
    ntex: Option<Measured>,
}

fn main() -> ExitCode {
    match options() {
        Ok(Some((effort, only))) => {
            let mut lines = Vec::new();
            for shape in SHAPES
                .into_iter()
                .filter(|shape| shape.name().contains(&only))
            {
                measure_shape(shape, effort, &mut lines);
            }
            print!("{}", table::render(&lines));
            ExitCode::SUCCESS
        }
        Ok(None) => {
            println!("{HELP}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("amqp-bench-codec: {error}\n{HELP}");
            ExitCode::FAILURE
        }
    }
}

fn options() -> Result<Option<(Effort, String)>, String> {
    let (mut effort, mut only) = (Effort::default(), String::new());
    let mut args = std::env::args().skip(1);
    while let Some(arg) = args.next() {
        match arg.as_str() {
            "--quick" => effort = Effort::quick(),
            "--help" => return Ok(None),
            "--rounds" | "--only" => {
                let value = args.next().ok_or_else(|| format!("{arg} has no value"))?;
                if arg == "--only" {
                    only = value;
                } else {
                    effort.rounds = value
                        .parse()
                        .map_err(|_| format!("--rounds is a number, not {value}"))?;
                }
            }
            _ => return Err(format!("{arg} is not an option")),
        }
    }
    Ok(Some((effort, only)))
}

fn measure_shape(shape: Shape, effort: Effort, lines: &mut Vec<Line>) {
    let wire = ours::wire(shape);
    let octets = wire.len();

    let three = |ours: Run, fe2o3: Run, ntex: Run| {
        let [ours, fe2o3, ntex] = measure::side_by_side([ours, fe2o3, ntex], effort);
        (ours, Some(fe2o3), Some(ntex))
    };
    let (ours, fe2o3, ntex) = three(
        ours::encode(shape),
        fe2o3::encode(shape),
        ntex::encode(shape),
    );
    lines.push(Line {
        shape,
        operation: Operation::Encode,
        octets,
        ours,
        fe2o3,
        ntex,
    });
    let (ours, fe2o3, ntex) = three(
        ours::decode(shape, &wire),
        fe2o3::decode(shape, &wire),
        ntex::decode(shape, &wire),
    );
    lines.push(Line {
        shape,
        operation: Operation::Decode,
        octets,
        ours,
        fe2o3,
        ntex,
    });
    if shape.is_message() {
        let [ours] = measure::side_by_side([ours::index(&wire)], effort);
        lines.push(Line {
            shape,
            operation: Operation::Index,
            octets,
            ours,
            fe2o3: None,
            ntex: None,
        });
    }
}
