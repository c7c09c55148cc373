//! The lines as a table in text.

use crate::{Line, measure::Measured};

const HEADINGS: [&str; 9] = [
    "ns an operation: median (min-max)",
    "octets",
    "ours",
    "fe2o3 0.18",
    "x ours",
    "ntex 3.2",
    "x ours",
    "allocations: ours",
    "fe2o3/ntex",
];

/// The whole table.
pub(crate) fn render(lines: &[Line]) -> String {
    let mut rows = vec![HEADINGS.map(str::to_owned)];
    rows.extend(lines.iter().map(row));
    let widths: [usize; 9] = std::array::from_fn(|at| {
        rows.iter()
            .map(|row| row[at].chars().count())
            .max()
            .unwrap_or(0)
    });
    let mut out = String::new();
    for (at, row) in rows.iter().enumerate() {
        out.push_str(&format!("{:<1$}", row[0], widths[0]));
        for (cell, width) in row.iter().zip(widths).skip(1) {
            out.push_str(&format!("  {cell:>width$}"));
        }
        out.push('\n');
        if at == 0 {
            out.push_str(&"-".repeat(widths.iter().sum::<usize>() + 2 * (widths.len() - 1)));
            out.push('\n');
        }
    }
    out
}

fn row(line: &Line) -> [String; 9] {
    let time = |it: &Measured| format!("{:.0} ({:.0}-{:.0})", it.median, it.min, it.max);
    let ratio = |it: &Measured| {
        let ratio = it.median / line.ours.median;
        let decimals = if ratio < 1.0 { 2 } else { 1 };
        format!("{ratio:.decimals$}")
    };
    let maybe = |it: &Option<Measured>, show: &dyn Fn(&Measured) -> String| {
        it.as_ref().map_or_else(String::new, show)
    };
    let allocations = |it: &Measured| format!("{}", it.allocations);
    let peers = match (&line.fe2o3, &line.ntex) {
        (Some(fe2o3), Some(ntex)) => format!("{}/{}", allocations(fe2o3), allocations(ntex)),
        _ => String::new(),
    };
    [
        format!("{} {}", line.operation.name(), line.shape.name()),
        line.octets.to_string(),
        time(&line.ours),
        maybe(&line.fe2o3, &time),
        maybe(&line.fe2o3, &ratio),
        maybe(&line.ntex, &time),
        maybe(&line.ntex, &ratio),
        allocations(&line.ours),
        peers,
    ]
}
