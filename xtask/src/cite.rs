//! `cargo xtask cite`: compares the rules of the standard with their citations in code and tests, and prints the table.
//!
//! A rule is covered when it is cited where it is enforced and where it is shown. It fails on a citation of a rule that does not
//! exist, and on a rule recorded as covered that lost a citation. `--record` writes what is covered now into the file.

mod requirements;
mod scan;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use self::requirements::{GROUPS, Id, Requirements, Rule};
use self::scan::Citation;
use crate::shell;
use crate::source;

const FILE: &str = "spec/requirements.toml";

/// Crates whose files may cite: the generator counts, since it writes what others enforce by hand.
const CITING: &[&str] = &["amqp-types/", "amqp-client/", "codegen/"];

/// Arguments of `cargo xtask cite`.
#[derive(Debug, Default, clap::Args)]
pub(crate) struct Args {
    /// List every MUST and MUST NOT that has no citation in code or in a test
    #[arg(long)]
    open: bool,
    /// Write `covered = true` for every rule that is cited in code and in a test
    #[arg(long, conflicts_with = "open")]
    record: bool,
}

/// Compares, prints, and records when asked to.
pub(crate) fn run(args: Args) -> Result<(), String> {
    let root = shell::root();
    let text =
        std::fs::read_to_string(root.join(FILE)).map_err(|error| format!("{FILE}: {error}"))?;
    let requirements = Requirements::parse(&text)?;
    let mut names = source::tracked_files(&root)?;
    names.retain(|name| CITING.iter().any(|folder| name.starts_with(folder)));
    let files = source::read_rust(&root, &names)?;
    let citations: Vec<Citation> = files.iter().flat_map(scan::citations).collect();
    let report = Report::new(&requirements, &citations);
    print!("{}", report.table());
    if args.open {
        print!("{}", report.open());
    }
    if args.record {
        report.unknown()?;
        let recorded = requirements.with_covered(|id| report.is_covered(id));
        return std::fs::write(root.join(FILE), recorded)
            .map_err(|error| format!("{FILE}: {error}"));
    }
    let problems = report.problems();
    if problems.is_empty() {
        Ok(())
    } else {
        Err(problems.join("\n"))
    }
}

/// The rules beside what cites them.
struct Report<'a> {
    requirements: &'a Requirements,
    in_code: BTreeSet<Id>,
    in_tests: BTreeSet<Id>,
    unknown: Vec<&'a Citation>,
}

/// What became of a rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Status {
    Covered,
    Exception,
    Waiting,
    /// SHOULD and MAY need no citation.
    Optional,
    Open,
}

impl<'a> Report<'a> {
    fn new(requirements: &'a Requirements, citations: &'a [Citation]) -> Self {
        let mut report = Self {
            requirements,
            in_code: BTreeSet::new(),
            in_tests: BTreeSet::new(),
            unknown: Vec::new(),
        };
        for citation in citations {
            match citation.id.filter(|id| requirements.rules.contains_key(id)) {
                Some(id) if citation.in_test => drop(report.in_tests.insert(id)),
                Some(id) => drop(report.in_code.insert(id)),
                None => report.unknown.push(citation),
            }
        }
        report
    }

    /// Cited where it is done and where it is shown; what a rule waited for has come then.
    fn is_covered(&self, id: Id) -> bool {
        let rule = self.requirements.rules.get(&id);
        let counts = rule.is_some_and(|rule| rule.exception.is_none());
        counts && self.in_code.contains(&id) && self.in_tests.contains(&id)
    }

    fn status(&self, id: Id, rule: &Rule) -> Status {
        match rule {
            rule if rule.exception.is_some() => Status::Exception,
            _ if self.is_covered(id) => Status::Covered,
            rule if rule.waiting.is_some() => Status::Waiting,
            rule if rule.level.binds() => Status::Open,
            _ => Status::Optional,
        }
    }

    /// One line a group, the sums, and what is waited for.
    fn table(&self) -> String {
        let mut out =
            String::from("group  rules  in code  in tests  covered  exceptions  waiting  open\n");
        let mut line = |name: &str, ids: &[(Id, &Rule)]| {
            let count = |status| {
                ids.iter()
                    .filter(|(id, rule)| self.status(*id, rule) == status)
                    .count()
            };
            let cited = |set: &BTreeSet<Id>| ids.iter().filter(|(id, _)| set.contains(id)).count();
            let _ = writeln!(
                out,
                "{name:<5}  {:>5}  {:>7}  {:>8}  {:>7}  {:>10}  {:>7}  {:>4}",
                ids.len(),
                cited(&self.in_code),
                cited(&self.in_tests),
                count(Status::Covered),
                count(Status::Exception),
                count(Status::Waiting),
                count(Status::Open),
            );
        };
        let all: Vec<(Id, &Rule)> = self
            .requirements
            .rules
            .iter()
            .map(|(id, rule)| (*id, rule))
            .collect();
        for group in GROUPS {
            let ids: Vec<_> = all
                .iter()
                .copied()
                .filter(|(id, _)| id.group() == *group)
                .collect();
            line(group, &ids);
        }
        line("all", &all);
        let mut waiting: BTreeMap<&str, usize> = BTreeMap::new();
        for work in all.iter().filter_map(|(_, rule)| rule.waiting.as_deref()) {
            *waiting.entry(work).or_default() += 1;
        }
        let waiting: Vec<String> = waiting
            .iter()
            .map(|(work, count)| format!("{work} {count}"))
            .collect();
        let _ = writeln!(out, "waiting for: {}", waiting.join(", "));
        out.push_str("open: a MUST or MUST NOT without a citation in code or in a test (`cargo xtask cite --open` lists them)\n");
        out
    }

    /// Every open rule with what it lacks.
    fn open(&self) -> String {
        let mut out = String::new();
        for (id, rule) in &self.requirements.rules {
            if self.status(*id, rule) == Status::Open {
                let _ = writeln!(out, "{id} lacks {}: {}", self.lacks(*id), rule.text);
            }
        }
        out
    }

    fn lacks(&self, id: Id) -> &'static str {
        match (self.in_code.contains(&id), self.in_tests.contains(&id)) {
            (false, false) => "code and test",
            (false, true) => "code",
            (true, _) => "test",
        }
    }

    fn unknown(&self) -> Result<(), String> {
        let lines: Vec<String> = self
            .unknown
            .iter()
            .map(|citation| unknown(citation))
            .collect();
        if lines.is_empty() {
            Ok(())
        } else {
            Err(lines.join("\n"))
        }
    }

    fn problems(&self) -> Vec<String> {
        let mut problems: Vec<String> = self
            .unknown
            .iter()
            .map(|citation| unknown(citation))
            .collect();
        for (id, rule) in &self.requirements.rules {
            if rule.covered && !self.is_covered(*id) {
                problems.push(format!(
                    "{id} was covered and now lacks a citation in {}: cite it again where it is done and shown (\"{}\")",
                    self.lacks(*id),
                    rule.text
                ));
            }
        }
        problems
    }
}

fn unknown(citation: &Citation) -> String {
    format!(
        "{}:{}: `{}` is no rule of {FILE}: ids have two digits and are listed there",
        citation.path, citation.line, citation.text
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(id: &str, more: &str) -> String {
        format!(
            "[{id}]\nlevel = \"MUST\"\nside = \"both\"\nsection = \"1\"\ntext = \"text of {id}\"\n{more}\n"
        )
    }

    fn citation(text: &str, in_test: bool) -> Citation {
        Citation {
            id: Id::parse(text),
            text: text.to_owned(),
            path: "a.rs".to_owned(),
            line: 3,
            in_test,
        }
    }

    #[test]
    fn a_rule_is_covered_when_cited_in_code_and_in_a_test() {
        let text = [
            rule("TYP-01", ""),
            rule("TYP-02", ""),
            rule("TYP-03", "waiting = \"x\"\n"),
        ]
        .concat();
        let requirements = Requirements::parse(&text).unwrap();
        let citations = [
            citation("TYP-01", false),
            citation("TYP-01", true),
            citation("TYP-02", true),
        ];
        let report = Report::new(&requirements, &citations);
        assert!(
            report
                .table()
                .contains("TYP        3        1         2        1           0        1     1\n"),
            "{}",
            report.table()
        );
        assert!(report.table().contains("waiting for: x 1\n"));
        assert_eq!(report.open(), "TYP-02 lacks code: text of TYP-02\n");
        assert!(report.problems().is_empty());
    }

    #[test]
    fn an_unknown_id_is_a_problem() {
        let requirements = Requirements::parse(&rule("TYP-01", "")).unwrap();
        let citations = [citation("TYP-99", false), citation("TYP-1", true)];
        let problems = Report::new(&requirements, &citations).problems();
        assert_eq!(problems.len(), 2);
        assert!(
            problems[0].starts_with("a.rs:3: `TYP-99` is no rule"),
            "{problems:?}"
        );
    }

    #[test]
    fn a_covered_rule_may_not_lose_its_test() {
        let requirements = Requirements::parse(&rule("TYP-01", "covered = true\n")).unwrap();
        let citations = [citation("TYP-01", false)];
        let problems = Report::new(&requirements, &citations).problems();
        assert_eq!(problems.len(), 1);
        assert!(
            problems[0].starts_with("TYP-01 was covered and now lacks a citation in test"),
            "{problems:?}"
        );
    }
}
