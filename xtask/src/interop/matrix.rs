//! The table of what was tried: scenario by peer, each pass, not supported by the peer, or fail.

use std::collections::BTreeMap;
use std::fmt::Write as _;

/// How a scenario ended with one peer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Outcome {
    Pass,
    /// The peer cannot do it; the text says how it shows that.
    NotSupported(String),
    Fail(String),
}

/// All results, rows in the order in which scenarios were first named.
#[derive(Debug, Default)]
pub(crate) struct Matrix {
    peers: Vec<String>,
    rows: Vec<(String, BTreeMap<String, Outcome>)>,
}

impl Matrix {
    /// Adds a result. The worse of two results of one field stays.
    pub(crate) fn add(&mut self, peer: &str, scenario: &str, outcome: Outcome) {
        if !self.peers.iter().any(|known| known == peer) {
            self.peers.push(peer.to_owned());
        }
        let known = self.rows.iter().position(|(name, _)| name == scenario);
        let row = known.unwrap_or_else(|| {
            self.rows.push((scenario.to_owned(), BTreeMap::new()));
            self.rows.len() - 1
        });
        let field = self.rows[row]
            .1
            .entry(peer.to_owned())
            .or_insert(Outcome::Pass);
        let is_worse = matches!(
            (&*field, &outcome),
            (Outcome::Pass, _) | (Outcome::NotSupported(_), Outcome::Fail(_))
        );
        if is_worse {
            *field = outcome;
        }
    }

    /// Adds what our interop program printed: lines of `result`, scenario, verdict and detail, separated by tabs.
    pub(crate) fn add_output(&mut self, peer: &str, output: &str) -> Result<(), String> {
        for line in output.lines().filter(|line| line.starts_with("result\t")) {
            let mut fields = line.splitn(4, '\t').skip(1);
            let (scenario, verdict) = (
                fields.next().unwrap_or_default(),
                fields.next().unwrap_or_default(),
            );
            let detail = fields.next().unwrap_or_default().to_owned();
            let outcome = match verdict {
                "pass" => Outcome::Pass,
                "unsupported" => Outcome::NotSupported(detail),
                "fail" => Outcome::Fail(detail),
                _ => return Err(format!("`{line}` is not a result")),
            };
            self.add(peer, scenario, outcome);
        }
        Ok(())
    }

    /// The table, then the details of what did not pass.
    pub(crate) fn table(&self) -> String {
        let first = self
            .rows
            .iter()
            .map(|(name, _)| name.len())
            .max()
            .unwrap_or_default()
            .max("scenario".len());
        let widths: Vec<usize> = self
            .peers
            .iter()
            .map(|peer| peer.len().max("not supported".len()))
            .collect();
        let mut out = format!("{:<first$}", "scenario");
        for (peer, width) in self.peers.iter().zip(&widths) {
            let _ = write!(out, "  {peer:<width$}");
        }
        out.push('\n');
        for (name, fields) in &self.rows {
            let _ = write!(out, "{name:<first$}");
            for (peer, width) in self.peers.iter().zip(&widths) {
                let word = match fields.get(peer) {
                    Some(Outcome::Pass) => "pass",
                    Some(Outcome::NotSupported(_)) => "not supported",
                    Some(Outcome::Fail(_)) => "FAIL",
                    None => "",
                };
                let _ = write!(out, "  {word:<width$}");
            }
            out.push('\n');
        }
        out = out
            .lines()
            .map(|line| format!("{}\n", line.trim_end()))
            .collect();
        for (name, peer, outcome) in self.fields() {
            let _ = match outcome {
                Outcome::Pass => Ok(()),
                Outcome::NotSupported(detail) => {
                    writeln!(out, "not supported: {peer}, {name}: {detail}")
                }
                Outcome::Fail(detail) => writeln!(out, "FAIL: {peer}, {name}: {detail}"),
            };
        }
        out
    }

    /// Passed, failed, not supported.
    pub(crate) fn counts(&self) -> (usize, usize, usize) {
        let count = |wanted: fn(&Outcome) -> bool| {
            self.fields()
                .filter(|(_, _, outcome)| wanted(outcome))
                .count()
        };
        (
            count(|outcome| *outcome == Outcome::Pass),
            count(|outcome| matches!(outcome, Outcome::Fail(_))),
            count(|outcome| matches!(outcome, Outcome::NotSupported(_))),
        )
    }

    fn fields(&self) -> impl Iterator<Item = (&str, &str, &Outcome)> {
        let rows = self.rows.iter();
        rows.flat_map(|(name, fields)| {
            fields
                .iter()
                .map(move |(peer, outcome)| (name.as_str(), peer.as_str(), outcome))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_shows_rows_in_order_and_details_below() {
        let mut matrix = Matrix::default();
        matrix
            .add_output(
                "broker",
                "noise\nresult\tsmall\tpass\t\nresult\tbig\tfail\ttoo slow\n",
            )
            .unwrap();
        matrix.add("other", "big", Outcome::NotSupported("no".into()));
        let table = "scenario  broker         other\nsmall     pass\nbig       FAIL           not supported\n\
            FAIL: broker, big: too slow\nnot supported: other, big: no\n";
        assert_eq!(matrix.table(), table);
        assert_eq!(matrix.counts(), (1, 1, 1));
    }

    #[test]
    fn the_worse_result_of_two_stays() {
        let mut matrix = Matrix::default();
        for outcome in [
            Outcome::Pass,
            Outcome::Fail("a".into()),
            Outcome::Pass,
            Outcome::NotSupported("b".into()),
        ] {
            matrix.add("p", "s", outcome);
        }
        assert_eq!(matrix.counts(), (0, 1, 0));
    }

    #[test]
    fn a_line_that_is_no_result_is_an_error() {
        assert!(
            Matrix::default()
                .add_output("p", "result\ta\tmaybe\t")
                .is_err()
        );
    }
}
