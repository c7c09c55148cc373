//! The table at the end of the demo.

use std::fmt::Write;

use crate::Options;
use crate::traffic::Tally;

/// Renders the tally.
pub(crate) fn table(tally: &Tally, options: &Options) -> String {
    let seconds = tally.elapsed.as_secs_f64();
    let rate = tally.received as f64 / seconds;
    let outcomes = &tally.outcomes;
    let mut rows = vec![
        (
            "messages",
            format!(
                "{} sent, {} received",
                grouped(tally.sent),
                grouped(tally.received)
            ),
        ),
        ("body", format!("{} octets", grouped(options.size))),
        ("time", format!("{seconds:.2} s")),
        (
            "rate",
            format!(
                "{} messages/s, {:.1} MB/s",
                grouped(rate as usize),
                rate * options.size as f64 / 1e6
            ),
        ),
        ("send to received", percentiles(&tally.to_received)),
    ];
    if options.settled {
        rows.push(("outcomes", "none: messages were sent settled".to_owned()));
    } else {
        rows.push(("send to settled", percentiles(&tally.to_settled)));
        rows.push((
            "outcomes",
            format!(
                "{} accepted, {} rejected, {} released, {} modified",
                grouped(outcomes.accepted),
                grouped(outcomes.rejected),
                grouped(outcomes.released),
                grouped(outcomes.modified)
            ),
        ));
    }
    rows.push((
        "lost, doubled",
        format!("{}, {}", tally.lost(), tally.doubled),
    ));
    if tally.foreign > 0 {
        rows.push((
            "of others",
            format!(
                "{} messages were in the queue before",
                grouped(tally.foreign)
            ),
        ));
    }
    let (left, right) = rows.iter().fold((0, 0), |(left, right), (name, value)| {
        (left.max(name.len()), right.max(value.chars().count()))
    });
    let rule = format!("+-{}-+-{}-+", "-".repeat(left), "-".repeat(right));
    let mut text = format!("{rule}\n");
    for (name, value) in &rows {
        // Writing to a string does not fail.
        let _ = writeln!(text, "| {name:left$} | {value:right$} |");
    }
    text + &rule
}

/// Latencies as half, most and nearly all of the messages had them.
fn percentiles(micros: &[u32]) -> String {
    let mut sorted = micros.to_vec();
    sorted.sort_unstable();
    let at = |share: f64| {
        let index = (sorted.len().saturating_sub(1) as f64 * share) as usize;
        sorted
            .get(index)
            .map_or(f64::NAN, |micros| f64::from(*micros) / 1000.0)
    };
    format!(
        "p50 {:.2} ms, p90 {:.2} ms, p99 {:.2} ms, p99.9 {:.2} ms, max {:.2} ms",
        at(0.5),
        at(0.9),
        at(0.99),
        at(0.999),
        at(1.0)
    )
}

/// A number with a comma before every third digit from the right.
fn grouped(number: usize) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.char_indices() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}
